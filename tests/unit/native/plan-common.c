/* SPDX-License-Identifier: Apache-2.0 */
#include "plan-common.h"

#include <criterion/criterion.h>
#include <string.h>

void planned_init(struct planned *p, const char *json)
{
	struct err err = ERR_INIT;
	char line[1024];

	*p = (struct planned){ .arena = arena_new() };
	cr_assert(p->arena);
	if (oci_spec_parse(json, strlen(json), p->arena, &p->spec, &err) < 0 ||
		oci_spec_check(p->spec, &err) < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert_fail("the test's own config is wrong: %s", line);
	}
	p->facts = (struct plan_facts){
		.bundle = "/bundles/web",
		.id = "web1",
		.last_cap = 40,
		.own_caps = (UINT64_C(1) << 41) - 1,
		.apparmor = true,
		.cgroup_root = "/sys/fs/cgroup/unified",
		.cgroup_path = "/ctrctl-web1",
		.kcore = true,
	};
	plan_init(&p->plan, p->arena);
}

void planned_done(struct planned *p)
{
	p->arena = arena_free(p->arena);
}

static char *text_of(struct planned *p, int r, const struct err *err)
{
	struct str out = { 0 };
	char line[1024];

	if (r < 0) {
		err_line(err, line, sizeof(line));
		cr_assert_fail("refused: %s", line);
	}
	plan_text(&p->plan, &out);
	cr_assert(!out.failed && out.p);
	return out.p;
}

char *planned_create(struct planned *p)
{
	struct err err = ERR_INIT;
	int r = plan_create(p->spec, &p->facts, &p->plan, &err);

	return text_of(p, r, &err);
}

char *planned_exec(struct planned *p, const struct plan_exec *how)
{
	struct err err = ERR_INIT;
	int r = plan_exec(p->spec, p->spec->process, how, &p->facts, &p->plan, &err);

	return text_of(p, r, &err);
}

char *planned_refusal(struct planned *p)
{
	struct err err = ERR_INIT;
	char line[1024];

	cr_assert_eq(plan_create(p->spec, &p->facts, &p->plan, &err), -1, "not refused");
	err_line(&err, line, sizeof(line));
	cr_assert_null(strcasestr(line, "no such file"),
		"engines would take this for a missing program: %s", line);
	cr_assert_null(strcasestr(line, "permission denied"),
		"engines would take this for a program: %s", line);
	return strf("%s", line);
}

int planned_find(const struct planned *p, enum wire_op op, int n)
{
	for (size_t i = 0; i < p->plan.n_steps; i++)
		if (p->plan.steps[i].op == op && n-- == 0)
			return (int)i;
	return -1;
}
