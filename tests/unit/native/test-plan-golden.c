/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole plans as text, compared with golden/plans/NAME.txt. UPDATE=1 in the environment rewrites
 * them: read the difference before it is committed. golden/configs has the specifications.
 */
#include "plan-common.h"

#include "base/fd.h"
#include "base/sys.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sched.h>
#include <string.h>

#define CONFIG_MAX (1 << 20)

enum verb { CREATE, EXEC };

struct golden {
	char name[32], config[32];
	int verb;
	uint64_t differ, same_ns;
	bool user_differs, no_pivot, no_new_keyring, selinux, no_apparmor;
	uint32_t listen_fds, preserve_fds;
};

#define SIX \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static struct golden goldens[] = {
	{ "minimal", "minimal" },
	{ "runc-spec", "runc-spec" },
	{ "engine", "engine" },
	{ "no-pivot", "minimal", .no_pivot = true, .no_new_keyring = true },
	{ "preserve", "minimal", .listen_fds = 2, .preserve_fds = 3 },
	{ "userns", "userns" },
	{ "userns-pod", "userns-pod" },
	{ "joined", "joined" },
	{ "joined-own", "joined", .same_ns = CLONE_NEWNET | CLONE_NEWIPC },
	{ "joined-pid", "joined-pid" },
	{ "joined-user", "joined-user" },
	{ "joined-mount", "joined-mount" },
	{ "time", "time" },
	{ "joined-time", "joined-time" },
	{ "no-namespaces", "no-namespaces" },
	{ "mounts", "mounts" },
	{ "mounts-userns", "mounts-userns" },
	{ "host-cgroups", "host-cgroups" },
	{ "attributes", "attributes" },
	{ "selinux", "selinux", .selinux = true },
	{ "hooks", "hooks" },
	{ "exec", "engine", EXEC, .differ = SIX },
	{ "exec-userns", "userns", EXEC, .differ = SIX | CLONE_NEWUSER, .user_differs = true },
	{ "exec-tty", "runc-spec", EXEC, .differ = SIX },
	{ "exec-host-pid", "minimal", EXEC, .differ = CLONE_NEWNS },
	{ "exec-attributes", "attributes", EXEC, .differ = SIX },
	{ "exec-chrooted", "no-namespaces", EXEC },
};

static char *read_golden(const char *folder, const char *name, const char *suffix)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	char *text = NULL;
	_free_ char *path = strf("%s/%s/%s%s", GOLDEN, folder, name, suffix);

	if (file_read(AT_FDCWD, path, CONFIG_MAX, &text, &n, &err) < 0)
		return NULL;
	return text;
}

static char *text_of(const struct golden *g, struct planned *p)
{
	const struct plan_exec how = { .differ = g->differ, .user_differs = g->user_differs };

	p->facts.same_ns = g->same_ns;
	p->facts.no_pivot = g->no_pivot;
	p->facts.no_new_keyring = g->no_new_keyring;
	p->facts.selinux = g->selinux;
	p->facts.listen_fds = g->listen_fds;
	p->facts.preserve_fds = g->preserve_fds;
	return g->verb == EXEC ? planned_exec(p, &how) : planned_create(p);
}

/* The first lines that differ, for the report. */
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
	cr_assert(!*is && !*should,
		"%s, line %zu: one text is longer:\n is     %.200s\n should %.200s", g->name, line,
		is, should);
}

ParameterizedTestParameters(plan_golden, is_as_it_was)
{
	return cr_make_param_array(struct golden, goldens, ARRAY_SIZE(goldens));
}

ParameterizedTest(struct golden *g, plan_golden, is_as_it_was)
{
	_planned_ struct planned p, again;
	_free_ char *config = read_golden("configs", g->config, ".json");

	cr_assert(config, "golden/configs/%s.json can't be read", g->config);
	planned_init(&p, config);
	planned_init(&again, config);
	_free_ char *text = text_of(g, &p);
	_free_ char *second = text_of(g, &again);
	cr_assert_str_eq(text, second, "%s: the same input gave two plans", g->name);
	if (getenv("UPDATE")) {
		_free_ char *path = strf("%s/plans/%s.txt", GOLDEN, g->name);
		FILE *f = fopen(path, "we");
		cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
		return;
	}
	_free_ char *should = read_golden("plans", g->name, ".txt");
	cr_assert(should, "golden/plans/%s.txt can't be read: make it with UPDATE=1", g->name);
	compare(g, text, should);
}
