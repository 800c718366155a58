/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json -> struct -> rules -> plan, with fixed facts about the host: no files, no root. 64
 * KiB hold several of the biggest configurations that engines write.
 */
#include "backend/native/cgroup.h"
#include "backend/native/plan.h"
#include "backend/native/seccomp.h"
#include "base/log.h"
#include "model/oci.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024, FIRST_FD = 10 };

static const struct plan_facts facts = {
	.bundle = "/bundles/web",
	.id = "web1",
	.last_cap = 40,
	.own_caps = (UINT64_C(1) << 41) - 1,
	.apparmor = true,
	.selinux = true,
	.cgroup_root = "/sys/fs/cgroup",
	.cgroup_path = "/ctrctl-web1",
	.kcore = true,
};

/* An error has a kind and a line, and never the words that engines take for a missing program. */
static void look_at(const struct err *err)
{
	char line[2048];

	assert(err->code != ERR_NONE && err->code != ERR_INTERNAL);
	err_line(err, line, sizeof(line));
	assert(line[0]);
}

/* What was read writes a text that reads the same. */
static void check_round_trip(const struct oci_spec *spec, struct arena *arena)
{
	_str_ struct str first = { 0 }, second = { 0 };
	struct json_writer a = { .out = &first }, b = { .out = &second };
	struct oci_spec *again;
	struct err err = ERR_INIT;

	json_w_fields(&a, oci_spec_fields, spec);
	assert(oci_spec_parse(first.p, first.n, arena, &again, &err) == 0);
	json_w_fields(&b, oci_spec_fields, again);
	assert(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
}

/* What is granted never exceeds what was asked for. */
static void check_steps(const struct oci_spec *spec, const struct plan *plan)
{
	bool pivots = false, execs = false;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *s = &plan->steps[i];
		assert(s->source < (int)plan->n_sources && s->source2 < (int)plan->n_sources);
		if (s->op == OP_CAPS)
			assert(!(s->a & ~s->b));
		if (s->op == OP_EXEC)
			assert(i + 1 == plan->n_steps);
		pivots |= s->op == OP_PIVOT;
		execs |= s->op == OP_EXEC;
	}
	assert(execs && pivots);
	assert(!spec->process->no_new_privileges || plan->n_steps > 2);
}

static void plan_it(const struct oci_spec *spec, struct arena *arena)
{
	_str_ struct str text = { 0 }, packed = { 0 };
	struct plan plan;
	struct err err = ERR_INIT;

	plan_init(&plan, arena);
	if (plan_create(spec, &facts, &plan, &err) < 0 || plan_ok(&plan, &err) < 0) {
		look_at(&err);
		return;
	}
	check_steps(spec, &plan);
	plan_text(&plan, &text);
	int *fds = arena_array(arena, plan.n_sources, sizeof(*fds));
	assert(fds);
	for (size_t i = 0; i < plan.n_sources; i++)
		fds[i] = FIRST_FD + (int)i;
	if (plan_pack(&plan, fds, FIRST_FD - 1, -1, -1, &packed, &err) < 0)
		look_at(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool quiet;
	_arena_ struct arena *arena = arena_new();
	struct oci_spec *spec;
	struct err err = ERR_INIT;

	if (!quiet)
		quiet = log_open(NULL, LOG_TEXT, LOG_ERROR, &err) == 0;
	if (n > INPUT_MAX || !arena)
		return 0;
	if (oci_spec_parse((const char *)data, n, arena, &spec, &err) < 0) {
		look_at(&err);
		return 0;
	}
	check_round_trip(spec, arena);
	if (oci_spec_check(spec, &err) < 0) {
		look_at(&err);
		return 0;
	}
	const struct oci_linux *l = spec->linux_;
	if ((l && l->resources && cgroup_check(l->resources, &err) < 0) ||
		(l && l->seccomp && seccomp_check(l->seccomp, &err) < 0)) {
		look_at(&err);
		return 0;
	}
	plan_it(spec, arena);
	return 0;
}
