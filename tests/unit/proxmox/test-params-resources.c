/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and CPU of a guest that is there. */
#include "backend/proxmox/params.h"

#include <criterion/criterion.h>

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(params_resources, .init = set_up, .fini = tear_down);

static const char *value(const struct pve_form *form, const char *name)
{
	const struct pve_param *p = pve_form_get(form, name);

	return p ? p->value : "-";
}

static int update(const struct oci_resources *r, struct pve_form *f)
{
	err = (struct err)ERR_INIT;
	return params_update(r, arena, f, &err);
}

Test(params_resources, four_resources_can_be_updated_and_others_are_refused)
{
	int64_t limit = 1 << 30, swap = (int64_t)3 << 29, quota = 50000, none = -1;
	uint64_t period = 100000, shares = 1024;
	struct oci_memory memory = { .limit = &limit, .swap = &swap };
	struct oci_cpu cpu = { .quota = &quota, .period = &period, .shares = &shares };
	struct oci_pids pids = { 0 };
	struct oci_resources r = { .memory = &memory, .cpu = &cpu };
	struct pve_form f;

	cr_assert_eq(update(&r, &f), 0);
	cr_expect_eq(f.n, 4);
	cr_expect_str_eq(value(&f, "memory"), "1024");
	cr_expect_str_eq(value(&f, "swap"), "512");
	cr_expect_str_eq(value(&f, "cpulimit"), "0.5");
	cr_expect_str_eq(value(&f, "cpuunits"), "100");
	quota = 12600;
	cr_assert_eq(update(&r, &f), 0);
	cr_expect_str_eq(value(&f, "cpulimit"), "0.126");
	cpu = (struct oci_cpu){ .quota = &none };
	memory = (struct oci_memory){ .limit = &limit };
	cr_assert_eq(update(&r, &f), 0);
	cr_expect_str_eq(value(&f, "cpulimit"), "0");
	cr_expect_str_eq(value(&f, "swap"), "-");
	memory = (struct oci_memory){ .swap = &swap };
	cr_expect_eq(update(&r, &f), -1);
	memory = (struct oci_memory){ .limit = &none };
	cr_expect_eq(update(&r, &f), -1);
	memory = (struct oci_memory){ .limit = &limit, .reservation = &limit };
	cr_expect_eq(update(&r, &f), -1);
	memory = (struct oci_memory){ 0 };
	cpu = (struct oci_cpu){ .cpus = "0-3" };
	cr_expect_eq(update(&r, &f), -1);
	cpu = (struct oci_cpu){ .period = &period };
	cr_expect_eq(update(&r, &f), -1);
	cpu = (struct oci_cpu){ 0 };
	r.pids = &pids;
	cr_expect_eq(update(&r, &f), -1);
	cr_expect_eq(err.code, ERR_UNSUPPORTED);
	r.pids = NULL;
	cr_assert_eq(update(&r, &f), 0);
	cr_expect_eq(f.n, 0);
}
