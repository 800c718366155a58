/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

#include "model/oci.h"
#include "model/seccomp-default.h"

#include <criterion/criterion.h>

/* The profile itself has its own test; here it only shows what it was made for. */
struct oci_seccomp *__wrap_seccomp_default(
	const char *const *bounding, size_t n_bounding, struct arena *arena);

struct oci_seccomp *__wrap_seccomp_default(
	const char *const *bounding, size_t n_bounding, struct arena *arena)
{
	struct oci_seccomp *s = arena_alloc(arena, sizeof(*s));
	struct oci_seccomp_rule *rule = arena_alloc(arena, sizeof(*rule));

	rule->names = arena_array(arena, 1, sizeof(*rule->names));
	rule->names[0] = arena_printf(arena, "read_with_%zu_capabilities", n_bounding);
	rule->n_names = 1;
	rule->action = OCI_ACT_ALLOW;
	s->default_action = OCI_ACT_ERRNO;
	s->syscalls = rule;
	s->n_syscalls = 1;
	return s;
}

void built_init(struct built *b, const char *json)
{
	struct cri_create_container_request *request;
	char line[1024];

	*b = (struct built){ .arena = arena_new() };
	cr_assert(b->arena);
	if (cri_request_parse(json, strlen(json), b->arena, &request, &b->err) < 0) {
		err_line(&b->err, line, sizeof(line));
		cr_assert_fail("the test's own request is wrong: %s", line);
	}
	cr_assert_eq(case_init(&b->c, request, b->arena), 0);
}

void built_members(struct built *b, const char *config, const char *pod)
{
	_free_ char *json = strf("{'pod_sandbox_id': 's1', 'config': {'metadata': {'name': 'c'}, "
				 "'image': {'image': 'busybox'}%s%s}, 'sandbox_config': "
				 "{'metadata': {'name': 'p', 'namespace': 'n', 'uid': 'u'}%s%s}}",
		*config ? ", " : "", config, *pod ? ", " : "", pod);

	for (char *p = json; p && *p; p++)
		if (*p == '\'')
			*p = '"';
	built_init(b, json);
}

void built_done(struct built *b)
{
	ctr_faults_done(&b->faults);
	b->arena = arena_free(b->arena);
}

const struct oci_spec *built_spec(struct built *b)
{
	char line[1024];

	if (spec_build(&b->c.in, b->arena, &b->spec, &b->faults, &b->err) < 0 ||
		oci_spec_check(b->spec, &b->err) < 0) {
		err_line(&b->err, line, sizeof(line));
		cr_assert_fail("refused: %s", line);
	}
	return b->spec;
}

void built_refused(struct built *b, const char *field, const char *text)
{
	_str_ struct str all = { 0 };

	cr_assert_eq(spec_build(&b->c.in, b->arena, &b->spec, &b->faults, &b->err), -1,
		"not refused: %s", field);
	for (size_t i = 0; i < b->faults.n; i++) {
		const struct ctr_fault *f = &b->faults.items[i];
		if (str_eq(f->field, field) && strstr(f->text, text))
			return;
		str_printf(&all, "%s: %s\n", f->field, f->text);
	}
	cr_assert_fail("no fault \"%s: %s\" but\n%s", field, text, all.p);
}

const char *env_of(const struct oci_spec *spec, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < spec->process->n_env; i++)
		if (str_starts(spec->process->env[i], name) && spec->process->env[i][n] == '=')
			return spec->process->env[i] + n + 1;
	return NULL;
}

const struct oci_mount *mount_at(const struct oci_spec *spec, const char *destination)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (str_eq(spec->mounts[i].destination, destination))
			return &spec->mounts[i];
	return NULL;
}

const char *joined(struct built *b, const char *const *texts, size_t n)
{
	const char *out = "";

	for (size_t i = 0; i < n; i++)
		out = arena_printf(b->arena, "%s%s%s", out, i ? " " : "", texts[i]);
	return out;
}

const char *options_of(struct built *b, const struct oci_mount *m)
{
	cr_assert(m);
	return joined(b, m->options, m->n_options);
}
