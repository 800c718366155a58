/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/cgroup.h"
#include "base/arena.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void setup(void)
{
	arena = arena_new();
	err = (struct err)ERR_INIT;
}

static void teardown(void)
{
	arena = arena_free(arena);
}

TestSuite(cgroup, .init = setup, .fini = teardown);

#define I64(v) (&(int64_t){ v })
#define U64(v) (&(uint64_t){ v })
#define U32(v) (&(uint32_t){ v })

/* "file=text;file=text;", or "! PLACE: TEXT". */
static const char *values_of(const struct oci_resources *r)
{
	struct cgroup_values v;
	struct str s = { 0 };
	char line[1024];
	const char *out;

	if (cgroup_values(r, arena, &v, &err) < 0) {
		err_line(&err, line, sizeof(line));
		return arena_printf(arena, "! %s", line);
	}
	for (size_t i = 0; i < v.n; i++)
		str_printf(&s, "%s=%s;", v.items[i].file, v.items[i].text);
	out = arena_strdup(arena, s.p ? s.p : "");
	str_done(&s);
	return out;
}

static const char *memory(struct oci_memory m)
{
	return values_of(&(struct oci_resources){ .memory = &m });
}

static const char *cpu(struct oci_cpu c)
{
	return values_of(&(struct oci_resources){ .cpu = &c });
}

static const char *io(struct oci_block_io b)
{
	return values_of(&(struct oci_resources){ .block_io = &b });
}

static const char *unified(const char *key, const char *value)
{
	struct ctr_pair p = { key, value };

	return values_of(&(struct oci_resources){ .unified = { &p, 1 } });
}

Test(cgroup, shares_become_a_weight_by_the_published_table)
{
	static const uint64_t rows[][2] = { { 0, 0 }, { 1, 1 }, { 2, 1 }, { 3, 2 }, { 10, 4 },
		{ 51, 11 }, { 102, 17 }, { 256, 35 }, { 512, 59 }, { 1000, 99 }, { 1024, 100 },
		{ 2000, 170 }, { 2048, 174 }, { 4096, 303 }, { 8192, 532 }, { 65536, 3023 },
		{ 262144, 10000 }, { UINT64_MAX, 10000 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(cgroup_cpu_weight(rows[i][0]), rows[i][1], "%lu gives %lu",
			(unsigned long)rows[i][0], (unsigned long)cgroup_cpu_weight(rows[i][0]));
}

Test(cgroup, the_weight_without_libm_is_the_one_with_libm_for_all_shares)
{
	for (uint64_t s = 3; s < 262144; s++) {
		double l = log2((double)s), w = pow(10, (l * l + 125 * l) / 612 - 7.0 / 34);
		cr_assert_eq(
			cgroup_cpu_weight(s), (uint64_t)ceil(w - 1e-9), "%lu", (unsigned long)s);
	}
}

Test(cgroup, no_resources_are_no_values)
{
	cr_expect_str_eq(values_of(NULL), "");
	cr_expect_str_eq(values_of(&(struct oci_resources){ 0 }), "");
	cr_expect_str_eq(memory((struct oci_memory){
				 .limit = I64(0), .swap = I64(0), .reservation = I64(0) }),
		"");
	cr_expect_str_eq(cpu((struct oci_cpu){
				 .shares = U64(0), .quota = I64(0), .period = U64(0), .cpus = "" }),
		"");
}

Test(cgroup, pids_of_zero_is_zero_and_below_is_max)
{
	struct oci_pids p = { 0 };
	struct oci_resources r = { .pids = &p };

	cr_expect_str_eq(values_of(&r), "pids.max=0;");
	p.limit = -1;
	cr_expect_str_eq(values_of(&r), "pids.max=max;");
	p.limit = 32;
	cr_expect_str_eq(values_of(&r), "pids.max=32;");
}

Test(cgroup, swap_is_what_is_beyond_memory)
{
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(100), .swap = I64(150) }),
		"memory.swap.max=50;memory.max=100;");
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(100), .swap = I64(100) }),
		"memory.swap.max=0;memory.max=100;");
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(100), .swap = I64(-1) }),
		"memory.swap.max=max;memory.max=100;");
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(-1) }),
		"memory.swap.max=max;memory.max=max;");
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(100) }), "memory.max=100;");
	cr_expect_str_eq(memory((struct oci_memory){ .reservation = I64(-1) }), "memory.low=max;");
}

Test(cgroup, swap_without_memory_or_below_it_is_refused)
{
	cr_expect_str_eq(memory((struct oci_memory){ .swap = I64(100) }),
		"! memory.swap: unable to set swap limit without memory limit");
	cr_expect_str_eq(memory((struct oci_memory){ .limit = I64(-1), .swap = I64(100) }),
		"! memory.swap: unable to set swap limit without memory limit");
	cr_expect(str_starts(memory((struct oci_memory){ .limit = I64(100), .swap = I64(99) }),
		"! memory.swap:"));
	cr_expect(str_starts(memory((struct oci_memory){ .limit = I64(-2) }), "! memory.limit:"));
	cr_expect(str_starts(memory((struct oci_memory){ .swap = I64(-7) }), "! memory.swap:"));
}

Test(cgroup, an_idle_group_gets_no_weight)
{
	cr_expect_str_eq(
		cpu((struct oci_cpu){ .idle = I64(1), .shares = U64(1024) }), "cpu.idle=1;");
	cr_expect_str_eq(cpu((struct oci_cpu){ .idle = I64(0), .shares = U64(1024) }),
		"cpu.idle=0;cpu.weight=100;");
	cr_expect_str_eq(
		cpu((struct oci_cpu){ .idle = I64(2) }), "! cpu.idle: must be 0 or 1, not 2");
}

Test(cgroup, burst_comes_before_the_quota_and_is_not_above_it)
{
	cr_expect_str_eq(cpu((struct oci_cpu){
				 .quota = I64(50000), .period = U64(100000), .burst = U64(9) }),
		"cpu.max.burst=9;cpu.max=50000 100000;");
	cr_expect(str_starts(
		cpu((struct oci_cpu){ .quota = I64(5000), .burst = U64(5001) }), "! cpu.burst:"));
	cr_expect_str_eq(cpu((struct oci_cpu){ .quota = I64(-1) }), "cpu.max=max;");
}

Test(cgroup, a_period_alone_keeps_the_quota)
{
	struct cgroup_values v;
	struct oci_cpu c = { .period = U64(50000) };

	cr_assert_eq(cgroup_values(&(struct oci_resources){ .cpu = &c }, arena, &v, &err), 0);
	cr_assert_eq(v.n, 1);
	cr_expect_str_eq(v.items[0].text, "max 50000");
	cr_expect(v.items[0].flags & CGROUP_KEEP_FIRST);
}

Test(cgroup, realtime_limits_are_refused_unless_zero)
{
	cr_expect(str_starts(
		cpu((struct oci_cpu){ .realtime_runtime = I64(1) }), "! cpu.realtimeRuntime:"));
	cr_expect(str_starts(
		cpu((struct oci_cpu){ .realtime_period = U64(1) }), "! cpu.realtimePeriod:"));
	cr_expect_str_eq(cpu((struct oci_cpu){ .realtime_runtime = I64(0) }), "");
}

Test(cgroup, cpusets_are_lists)
{
	cr_expect_str_eq(cpu((struct oci_cpu){ .cpus = "0-3,7", .mems = "0" }),
		"cpuset.cpus=0-3,7;cpuset.mems=0;");
	cr_expect(str_starts(cpu((struct oci_cpu){ .cpus = "all" }), "! cpu.cpus:"));
}

Test(cgroup, io_weight_has_a_file_for_each_scheduler)
{
	struct oci_block_io b = { .weight = U32(100) };
	struct oci_weight_device d = { 8, 16, U32(500), NULL };
	struct cgroup_values v;

	b.weight_device = &d;
	b.n_weight_device = 1;
	cr_assert_eq(cgroup_values(&(struct oci_resources){ .block_io = &b }, arena, &v, &err), 0);
	cr_assert_eq(v.n, 2);
	cr_expect_str_eq(v.items[0].file, "io.bfq.weight");
	cr_expect_str_eq(v.items[0].text, "100");
	cr_expect_str_eq(v.items[0].alt_file, "io.weight");
	cr_expect_str_eq(v.items[0].alt_text, "910");
	cr_expect_str_eq(v.items[1].text, "8:16 500");
	cr_expect_str_eq(v.items[1].alt_text, "8:16 4950");
	cr_expect(str_starts(io((struct oci_block_io){ .weight = U32(9) }), "! blockIO.weight:"));
	cr_expect(
		str_starts(io((struct oci_block_io){ .weight = U32(1001) }), "! blockIO.weight:"));
	cr_expect_str_eq(io((struct oci_block_io){ .weight = U32(0) }), "");
}

Test(cgroup, throttles_of_a_disk_are_one_line)
{
	struct oci_throttle_device rb[] = { { 8, 0, 1000 }, { 8, 16, 5 } }, wi[] = { { 8, 0, 0 } };

	cr_expect_str_eq(io((struct oci_block_io){ .throttle_read_bps = rb,
				 .n_throttle_read_bps = 2,
				 .throttle_write_iops = wi,
				 .n_throttle_write_iops = 1 }),
		"io.max=8:0 rbps=1000 wiops=max;io.max=8:16 rbps=5;");
	rb[0].major = -1;
	cr_expect(str_starts(
		io((struct oci_block_io){ .throttle_read_bps = rb, .n_throttle_read_bps = 1 }),
		"! blockIO.throttleReadBpsDevice[0]:"));
}

Test(cgroup, huge_pages_are_limited_in_use_and_in_reserve)
{
	static const char *const bad[] = { "", "2", "MB", "2mb", "02MB", "2MB/../x", "2TB",
		"2MBx" };
	struct oci_hugepage_limit h = { "2MB", 4194304 };
	struct oci_resources r = { .hugepage_limits = &h, .n_hugepage_limits = 1 };

	cr_expect_str_eq(values_of(&r), "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304;");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		h.page_size = bad[i];
		cr_expect(str_starts(values_of(&r), "! "), "%s", bad[i]);
		cr_expect_str_eq(err.where, "hugepageLimits[0].pageSize");
	}
}

Test(cgroup, rdma_is_a_line_per_device)
{
	const char *keys[] = { "mlx5_0", "mlx5_1", "mlx5_2" };
	struct oci_rdma items[] = { { U32(2), U32(2000) }, { NULL, U32(UINT32_MAX) },
		{ NULL, NULL } };
	struct oci_resources r = { .rdma = { keys, items, 3 } };

	cr_expect_str_eq(values_of(&r),
		"rdma.max=mlx5_0 hca_handle=2 hca_object=2000;rdma.max=mlx5_1 hca_object=max;");
	keys[0] = "a b";
	cr_expect(str_starts(values_of(&r), "! rdma:"));
}

Test(cgroup, unified_takes_files_of_controllers_only)
{
	static const char *const bad[] = { "", ".", "memory", "memory.", ".high", "../x", "a/b.c",
		"memory.high/..", "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze",
		"cgroup.type", "cgroup.subtree_control", "Memory.high", "memory.high ",
		"memory.hi-gh", "memory\n.high" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect(str_starts(unified(bad[i], "1"), "! "), "%s", bad[i]);
	cr_expect_str_eq(unified("memory.high", "1"), "memory.high=1;");
	cr_expect_str_eq(unified("hugetlb.2MB.max", "0"), "hugetlb.2MB.max=0;");
	cr_expect_str_eq(unified("cgroup.max.depth", "3"), "cgroup.max.depth=3;");
}

Test(cgroup, unified_writes_line_by_line_and_never_nothing)
{
	cr_expect_str_eq(unified("io.max", "8:0 rbps=1\n8:16 wbps=2\n"),
		"io.max=8:0 rbps=1;io.max=8:16 wbps=2;");
	cr_expect(str_starts(unified("memory.swap.max", ""), "! "));
	cr_expect(str_starts(unified("memory.swap.max", "\n\n"), "! "));
}

Test(cgroup, order_of_writing_is_kept_and_unified_comes_last)
{
	struct oci_memory m = { .limit = I64(1) };
	struct oci_pids p = { .limit = 1 };
	struct oci_cpu c = { .shares = U64(2), .cpus = "0" };
	struct oci_block_io b = { .weight = U32(10) };
	struct oci_hugepage_limit h = { "2MB", 0 };
	struct ctr_pair u = { "pids.max", "9" };
	struct oci_resources r = { .memory = &m,
		.pids = &p,
		.cpu = &c,
		.block_io = &b,
		.hugepage_limits = &h,
		.n_hugepage_limits = 1,
		.unified = { &u, 1 } };

	cr_expect_str_eq(values_of(&r),
		"pids.max=1;memory.max=1;io.bfq.weight=10;cpu.weight=1;cpuset.cpus=0;hugetlb.2MB.max=0;hugetlb.2MB.rsvd.max=0;pids.max=9;");
}

Test(cgroup, what_changes_nothing_wants_no_group)
{
	struct oci_memory m = { .limit = I64(-1) };
	struct oci_pids p = { .limit = -1 };
	struct oci_resources r = { .memory = &m, .pids = &p };

	cr_expect_not(cgroup_wants_limits(NULL));
	cr_expect_not(cgroup_wants_limits(&r));
	p.limit = 5;
	cr_expect(cgroup_wants_limits(&r));
}

Test(cgroup, the_controller_is_the_first_word_of_a_file)
{
	char buf[32];

	cr_expect_str_eq(cgroup_controller_of("memory.swap.max", buf, sizeof(buf)), "memory");
	cr_expect_str_eq(cgroup_controller_of("cgroup.max.depth", buf, sizeof(buf)), "");
}

Test(cgroup, an_absolute_path_is_taken_as_given)
{
	cr_expect_str_eq(
		cgroup_path("/kubepods/pod1/web", "id", arena, &err), "/kubepods/pod1/web");
}

Test(cgroup, refuses_paths_that_leave_or_confuse)
{
	static const char *const bad[] = { "/", "//", "/..", "/a/../b", "/a/..", "/a//b", "/a/",
		"/./a", "/a/.", "/a\nb", "/a\x1b", "../a", "a/../../b" };
	char *longest = arena_alloc(arena, 8192);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_null(cgroup_path(bad[i], "id", arena, &err), "%s", bad[i]);
		cr_expect_eq(err.code, ERR_INVALID);
	}
	memset(longest, 'a', 300);
	longest[0] = '/';
	cr_expect_null(cgroup_path(longest, "id", arena, &err));
	for (int i = 0; i < 8000; i++)
		longest[i] = "/a"[i % 2];
	cr_expect_null(cgroup_path(longest, "id", arena, &err));
}

Test(cgroup, a_group_without_path_is_named_after_the_container)
{
	char *path = cgroup_path(NULL, "web1", arena, &err);

	cr_assert_not_null(path);
	cr_expect(str_ends(path, "/ctrctl-web1"));
	path = cgroup_path("a/b", "web1", arena, &err);
	cr_assert_not_null(path);
	cr_expect(str_ends(path, "/a/b"));
}

Test(cgroup, a_sub_path_never_leaves_the_group)
{
	cr_expect_str_eq(cgroup_sub_path("/c1", "a/b", arena, &err), "/c1/a/b");
	cr_expect_null(cgroup_sub_path("/c1", "../c2", arena, &err));
	cr_expect_null(cgroup_sub_path("/c1", "/c2", arena, &err));
	cr_expect_null(cgroup_sub_path("/c1", "", arena, &err));
	cr_expect_null(cgroup_sub_path("/c1", "a/./b", arena, &err));
}

Test(cgroup, a_bad_device_rule_is_found_by_the_check)
{
	struct oci_device_rule d[] = { { .type = "c" }, { .type = "c", .access = "x" } };
	struct oci_resources r = { .devices = d, .n_devices = 2 };

	cr_expect_eq(cgroup_check(&r, &err), -1);
	cr_expect_str_eq(err.where, "devices[1].access");
}
