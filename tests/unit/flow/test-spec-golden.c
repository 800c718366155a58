/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole specifications, compared with spec-golden/NAME.json. UPDATE=1 in the environment rewrites
 * them: read the difference before it is committed. Requests are in spec-requests and
 * tests/data/cri.
 */
#include "spec-common.h"

#include "base/fd.h"
#include "model/oci.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>

#define TEXT_MAX (1 << 20)

struct golden {
	char name[48], request[96];
	bool apparmor, selinux, seccomp, few_caps;
};

static struct golden goldens[] = {
	{ "01-minimal", DATA "/cri/01-minimal" },
	{ "01-minimal-apparmor", DATA "/cri/01-minimal", .apparmor = true },
	{ "01-minimal-selinux", DATA "/cri/01-minimal", .selinux = true },
	{ "01-minimal-few-capabilities", DATA "/cri/01-minimal", .few_caps = true },
	{ "02-web-server-logged", DATA "/cri/02-web-server-logged" },
	{ "03-restricted-nonroot", DATA "/cri/03-restricted-nonroot", .apparmor = true },
	{ "04-secrets-and-volumes", DATA "/cri/04-secrets-and-volumes" },
	{ "05-privileged-node-debug", DATA "/cri/05-privileged-node-debug", .apparmor = true,
		.selinux = true },
	{ "06-hugepages-devices-cpuset", DATA "/cri/06-hugepages-devices-cpuset" },
	{ "07-userns-localhost-profiles", DATA "/cri/07-userns-localhost-profiles",
		.apparmor = true, .selinux = true, .seccomp = true },
	{ "image-only", HERE "/spec-requests/image-only" },
	{ "readonly-volumes", HERE "/spec-requests/readonly-volumes" },
	{ "userns-pod", HERE "/spec-requests/userns-pod" },
	{ "userns-host-network", HERE "/spec-requests/userns-host-network" },
	{ "host-network", HERE "/spec-requests/host-network" },
	{ "privileged-pod-namespaces", HERE "/spec-requests/privileged-pod-namespaces" },
	{ "target-pid", HERE "/spec-requests/target-pid" },
	{ "ambient", HERE "/spec-requests/ambient" },
};

static char *read_text(const char *path)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	char *text = NULL;

	return file_read(AT_FDCWD, path, TEXT_MAX, &text, &n, &err) < 0 ? NULL : text;
}

static void prepare(struct built *b, const struct golden *g)
{
	static struct oci_seccomp profile = { .default_action = OCI_ACT_LOG };
	_free_ char *path = strf("%s.json", g->request);
	_free_ char *json = read_text(path);

	cr_assert(json, "%s can't be read", path);
	built_init(b, json);
	b->c.facts.apparmor = g->apparmor;
	b->c.facts.selinux = g->selinux;
	b->c.facts.seccomp = g->seccomp ? &profile : NULL;
	b->c.settings.restricted_capabilities = g->few_caps;
}

/* The first line that differs, for the report. */
static void compare(const struct golden *g, const char *is, const char *should)
{
	size_t line = 1;

	while (*is && *should) {
		size_t a = strcspn(is, "\n"), b = strcspn(should, "\n");
		cr_assert(a == b && strncmp(is, should, a) == 0,
			"%s, line %zu:\n is     %.*s\n should %.*s", g->name, line, (int)a, is,
			(int)b, should);
		is += a + (is[a] == '\n');
		should += b + (should[b] == '\n');
		line++;
	}
	cr_assert(!*is && !*should, "%s, line %zu: one text is longer", g->name, line);
}

ParameterizedTestParameters(spec_golden, is_as_it_was)
{
	return cr_make_param_array(struct golden, goldens, ARRAY_SIZE(goldens));
}

ParameterizedTest(struct golden *g, spec_golden, is_as_it_was)
{
	_built_ struct built b;
	_str_ struct str text = { 0 };
	struct oci_spec *again;

	prepare(&b, g);
	spec_write(built_spec(&b), &text);
	cr_assert_eq(str_ok(&text, &b.err), 0);
	cr_assert_eq(oci_spec_parse(text.p, text.n, b.arena, &again, &b.err), 0);
	cr_assert_eq(oci_spec_check(again, &b.err), 0);
	_free_ char *path = strf("%s/spec-golden/%s.json", HERE, g->name);
	if (getenv("UPDATE")) {
		FILE *f = fopen(path, "we");
		cr_assert(f && fputs(text.p, f) >= 0 && fclose(f) == 0);
		return;
	}
	_free_ char *should = read_text(path);
	cr_assert(should, "%s can't be read: make it with UPDATE=1", path);
	compare(g, text.p, should);
}
