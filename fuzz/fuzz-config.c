/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json -> struct -> rules -> plan, and -> wish for a guest -> parameters, with fixed facts
 * about the host: no files, no root. 64 KiB hold several of the biggest configurations that engines
 * write.
 */
#include "backend/native/cgroup.h"
#include "backend/native/plan.h"
#include "backend/native/seccomp.h"
#include "backend/proxmox/params.h"
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

/* Nothing of it can become another line or another property of the guest's configuration. */
static void check_parameters(
	struct guest_wish *w, const struct settings_proxmox *cfg, struct arena *arena)
{
	const struct pve_target target = { .node = "pve1",
		.vmid = 200000,
		.template = { .volid = "local:vztmpl/x.tar.zst" },
		.major = 9,
		.minor = 2,
		.ticket = true };
	struct pve_form form = PVE_FORM_INIT(arena);
	struct err err = ERR_INIT;

	if (params_build(w, &target, cfg, arena, &form, &err) < 0) {
		look_at(&err);
		return;
	}
	for (size_t i = 0; i < form.n; i++) {
		const struct pve_param *p = &form.items[i];
		const bool lines = strcmp(p->name, "description") == 0;
		for (size_t k = 0; k < p->n; k++)
			assert((unsigned char)p->value[k] >= ' ' || p->value[k] == '\t' ||
				(lines && p->value[k] == '\n') ||
				(strcmp(p->name, "env") == 0 && p->value[k] == 0));
	}
	assert(pve_form_encode(&form));
}

/* What is waived is noted, and nothing is lost without a word: with all waivers on there are no
 * more faults than with none. */
static void wish_it(const struct oci_spec *spec, struct arena *arena)
{
	const struct ctr_input in = { .id = "web1", .bundle = "/bundles/web", .spec = spec };
	struct settings_proxmox cfg;
	size_t faults[2] = { 0 };

	settings_proxmox_init(&cfg);
	cfg.local_node = "pve1";
	cfg.user = "root@pam";
	cfg.password_file = "/secret";
	cfg.storage = "data";
	cfg.net.bridge = "vmbr0";
	for (int all = 0; all < 2; all++) {
		struct ctr_faults found = CTR_FAULTS_INIT;
		struct err err = ERR_INIT;
		struct guest_wish w;

		for (int i = 0; i < SETTINGS_WAIVER_N; i++)
			cfg.waive[i] = all;
		int r = wish_from_oci(&in, &cfg, arena, &w, &found, &err);
		faults[all] = found.total;
		ctr_faults_done(&found);
		assert((r == 0) == (faults[all] == 0));
		for (int i = 0; i < SETTINGS_WAIVER_N; i++)
			assert(all || !w.waived[i]);
		if (r == 0)
			check_parameters(&w, &cfg, arena);
		else
			look_at(&err);
	}
	assert(faults[1] <= faults[0]);
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
	wish_it(spec, arena);
	const struct oci_linux *l = spec->linux_;
	if ((l && l->resources && cgroup_check(l->resources, &err) < 0) ||
		(l && l->seccomp && seccomp_check(l->seccomp, &err) < 0)) {
		look_at(&err);
		return 0;
	}
	plan_it(spec, arena);
	return 0;
}
