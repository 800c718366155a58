/* SPDX-License-Identifier: Apache-2.0 */
/* The default profile from its table, and profiles that somebody else wrote. */
#include "model/seccomp-default-table.h"

#include "model/caps.h"
#include "model/oci.h"

#include <errno.h>
#include <string.h>

static bool applies(const struct seccomp_default_row *row, enum seccomp_machine m, uint64_t caps)
{
	switch (row->when) {
	case SECCOMP_ALWAYS: return true;
	case SECCOMP_WITH: return caps >> caps_number(row->cap) & 1;
	case SECCOMP_WITHOUT: return !(caps >> caps_number(row->cap) & 1);
	case SECCOMP_ON: return row->machine == (int)m;
	}
	return false;
}

static bool add_rule(
	struct oci_seccomp *s, const struct seccomp_default_row *row, struct arena *arena)
{
	struct oci_seccomp_rule *rule = &s->syscalls[s->n_syscalls];

	rule->action = row->action;
	rule->names = arena_array(arena, row->n_names, sizeof(*rule->names));
	if (!rule->names)
		return false;
	memcpy(rule->names, row->names, row->n_names * sizeof(*rule->names));
	rule->n_names = row->n_names;
	if (row->errno_ret) {
		rule->errno_ret = arena_alloc(arena, sizeof(*rule->errno_ret));
		if (!rule->errno_ret)
			return false;
		*rule->errno_ret = row->errno_ret;
	}
	if (row->has_arg) {
		rule->args = arena_alloc(arena, sizeof(*rule->args));
		if (!rule->args)
			return false;
		*rule->args = row->arg;
		rule->n_args = 1;
	}
	s->n_syscalls++;
	return true;
}

static struct oci_seccomp *empty_profile(enum seccomp_machine m, struct arena *arena)
{
	const char *const *archs = seccomp_default_archs[m];
	struct oci_seccomp *s = arena_alloc(arena, sizeof(*s));

	if (!s)
		return NULL;
	s->default_action = OCI_ACT_ERRNO;
	s->default_errno_ret = arena_alloc(arena, sizeof(*s->default_errno_ret));
	s->architectures =
		arena_array(arena, ARRAY_SIZE(seccomp_default_archs[m]), sizeof(*s->architectures));
	s->syscalls = arena_array(arena, seccomp_default_n_rows, sizeof(*s->syscalls));
	if (!s->default_errno_ret || !s->architectures || !s->syscalls)
		return NULL;
	*s->default_errno_ret = EPERM;
	while (archs[s->n_architectures]) {
		s->architectures[s->n_architectures] = archs[s->n_architectures];
		s->n_architectures++;
	}
	return s;
}

struct oci_seccomp *seccomp_default_on(
	enum seccomp_machine m, const char *const *bounding, size_t n_bounding, struct arena *arena)
{
	struct oci_seccomp *s = empty_profile(m, arena);
	uint64_t caps = 0;

	for (size_t i = 0; i < n_bounding; i++) {
		int cap = caps_number(bounding[i]);
		caps |= cap >= 0 ? UINT64_C(1) << cap : 0;
	}
	for (size_t i = 0; s && i < seccomp_default_n_rows; i++) {
		const struct seccomp_default_row *row = &seccomp_default_rows[i];

		if (applies(row, m, caps) && !add_rule(s, row, arena))
			return NULL;
	}
	return s;
}

struct oci_seccomp *seccomp_default(
	const char *const *bounding, size_t n_bounding, struct arena *arena)
{
#if defined(__x86_64__)
	return seccomp_default_on(SECCOMP_AMD64, bounding, n_bounding, arena);
#elif defined(__aarch64__)
	return seccomp_default_on(SECCOMP_ARM64, bounding, n_bounding, arena);
#else
#error "no default profile for this architecture"
#endif
}

/* ---- profile files ---- */

/* Docker's form has conditions that this one lacks: without them the profile would be another. */
static const struct {
	const char *key, *hint;
} docker_keys[] = {
	{ "archMap",
		"this is Docker's form of a profile: write the names of the architectures in \"architectures\"" },
	{ "includes",
		"this is Docker's form of a profile: keep the rules whose conditions hold, without the conditions" },
	{ "excludes",
		"this is Docker's form of a profile: keep the rules whose conditions hold, without the conditions" },
};

static int refuse_docker_keys(const struct json *object, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(docker_keys); i++) {
		if (!json_get(object, docker_keys[i].key))
			continue;
		err_set(err, ERR_INVALID, docker_keys[i].key, "unknown property");
		return err_hint(err, "%s", docker_keys[i].hint);
	}
	return 0;
}

static int check_keys(const struct json *doc, struct err *err)
{
	const struct json *rules = json_get(doc, "syscalls");
	size_t i = 0;

	if (refuse_docker_keys(doc, err) < 0)
		return -1;
	if (!rules || rules->type != JSON_ARRAY)
		return 0;
	json_for_each (it, rules) {
		if (it->type == JSON_OBJECT && refuse_docker_keys(it, err) < 0)
			return err_in(err, "syscalls[%zu]", i);
		i++;
	}
	return 0;
}

int seccomp_profile_parse(
	const char *text, size_t n, struct arena *arena, struct oci_seccomp **ret, struct err *err)
{
	const struct json *doc;
	struct oci_seccomp *s;

	if (json_parse(text, n, SECCOMP_PROFILE_MAX, arena, &doc, err) < 0)
		return -1;
	if (doc->type != JSON_OBJECT)
		return err_set(err, ERR_INVALID, NULL, "a profile is an object");
	if (check_keys(doc, err) < 0)
		return -1;
	s = arena_alloc(arena, sizeof(*s));
	if (!s)
		return err_nomem(err);
	if (json_bind(doc, oci_seccomp_fields, s, JSON_UNKNOWN_REFUSE, arena, err) < 0)
		return -1;
	*ret = s;
	return 0;
}
