/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled program against a plain reading of the rules: a small interpreter of eBPF runs the
 * one, 40 lines here do the other. */
#include "backend/native/devices.h"
#include "base/arena.h"

#include <criterion/criterion.h>
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

TestSuite(devices, .init = setup, .fini = teardown);

enum { M = 1, R = 2, W = 4, BLOCK = 1, CHAR = 2 };

#define NUM(v) (&(int64_t){ v })

/* ---- the interpreter ---- */

/* An assertion that tells Criterion only of failures: there are millions of these. */
#define must(cond, ...)                              \
	do {                                         \
		if (!(cond))                         \
			cr_assert_fail(__VA_ARGS__); \
	} while (0)

static bool taken(const struct bpf_insn *i, uint32_t dst)
{
	uint32_t k = (uint32_t)i->imm;

	switch (BPF_OP(i->code)) {
	case BPF_JEQ: return dst == k;
	case BPF_JNE: return dst != k;
	case BPF_JLT: return dst < k;
	case BPF_JLE: return dst <= k;
	case BPF_JGT: return dst > k;
	case BPF_JGE: return dst >= k;
	case BPF_JSET: return dst & k;
	default: cr_assert_fail("jump %#x", i->code);
	}
	return false;
}

static void alu(const struct bpf_insn *i, uint32_t *dst, uint32_t src)
{
	uint32_t k = BPF_SRC(i->code) == BPF_X ? src : (uint32_t)i->imm;

	switch (BPF_OP(i->code)) {
	case BPF_MOV: *dst = k; break;
	case BPF_AND: *dst &= k; break;
	case BPF_OR: *dst |= k; break;
	case BPF_ADD: *dst += k; break;
	case BPF_SUB: *dst -= k; break;
	case BPF_RSH: *dst >>= k & 31; break;
	case BPF_LSH: *dst <<= k & 31; break;
	default: cr_assert_fail("alu %#x", i->code);
	}
}

/* Every register has 32 bits: the programs use no others. Uninitialised use is caught. */
static bool run(
	const struct device_program *p, int type, uint32_t major, uint32_t minor, unsigned access)
{
	uint32_t ctx[3] = { (uint32_t)type | access << 16, major, minor }, r[11] = { 0 };
	unsigned set = 1u << 1;

	for (size_t pc = 0, steps = 0; steps <= p->n; pc++, steps++) {
		must(pc < p->n, "ran out of the program");
		const struct bpf_insn *i = &p->insns[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_LDX:
			must(i->code == (BPF_LDX | BPF_MEM | BPF_W), "code %#x", i->code);
			must(i->src_reg == 1, "reads %d", i->src_reg);
			must(i->off >= 0 && i->off <= 8 && i->off % 4 == 0, "offset %d", i->off);
			r[i->dst_reg] = ctx[i->off / 4];
			set |= 1u << i->dst_reg;
			break;
		case BPF_ALU:
		case BPF_ALU64:
			must(BPF_SRC(i->code) == BPF_K || (set & 1u << i->src_reg),
				"a register is read before it is set");
			must(BPF_OP(i->code) == BPF_MOV || (set & 1u << i->dst_reg),
				"a register is read before it is set");
			alu(i, &r[i->dst_reg], r[i->src_reg]);
			set |= 1u << i->dst_reg;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_EXIT) {
				must(set & 1, "a register is read before it is set");
				return r[0];
			}
			must(BPF_OP(i->code) == BPF_JA, "code %#x", i->code);
			must(i->off > 0, "a jump that leads nowhere new");
			pc += (size_t)i->off;
			break;
		case BPF_JMP32:
			must(set & 1u << i->dst_reg, "a register is read before it is set");
			must(i->off >= 0, "no loops");
			if (taken(i, r[i->dst_reg]))
				pc += (size_t)i->off;
			break;
		default: cr_assert_fail("class %#x", i->code);
		}
	}
	cr_assert_fail("does not end");
	return false;
}

/* ---- the plain reading ---- */

static bool always_allowed(int type, int64_t major, int64_t minor, char access)
{
	if (access == 'm')
		return true;
	if (type != CHAR)
		return false;
	if (major == 1)
		return minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
	if (major == 5)
		return minor == 0 || minor == 2;
	return major == 136;
}

static bool letter_allowed(const struct oci_device_rule *d, size_t n, int type, int64_t major,
	int64_t minor, char access)
{
	bool verdict = false;

	for (size_t i = 0; i < n; i++) {
		if (d[i].type && strcmp(d[i].type, "a") != 0 &&
			strcmp(d[i].type, type == CHAR ? "c" : "b") != 0)
			continue;
		if (d[i].major && *d[i].major != -1 && *d[i].major != major)
			continue;
		if (d[i].minor && *d[i].minor != -1 && *d[i].minor != minor)
			continue;
		if (!d[i].access || strchr(d[i].access, access))
			verdict = d[i].allow;
	}
	return verdict || always_allowed(type, major, minor, access);
}

static bool plain(const struct oci_device_rule *d, size_t n, int type, int64_t major, int64_t minor,
	unsigned access)
{
	return (!(access & R) || letter_allowed(d, n, type, major, minor, 'r')) &&
	       (!(access & W) || letter_allowed(d, n, type, major, minor, 'w')) &&
	       (!(access & M) || letter_allowed(d, n, type, major, minor, 'm'));
}

static void compare(
	const struct oci_device_rule *d, size_t n, const int64_t *numbers, size_t n_numbers)
{
	struct device_program p;
	bool all = true;

	cr_assert_eq(devices_compile(d, n, arena, &p, &err), 0, "%s", err.text);
	for (int type = BLOCK; type <= CHAR; type++)
		for (size_t a = 0; a < n_numbers; a++)
			for (size_t b = 0; b < n_numbers; b++)
				for (unsigned access = 1; access <= 7; access++) {
					bool want =
						plain(d, n, type, numbers[a], numbers[b], access);
					bool got = run(&p, type, (uint32_t)numbers[a],
						(uint32_t)numbers[b], access);
					all &= want;
					must(got == want, "%c %ld:%ld %u: %d",
						type == CHAR ? 'c' : 'b', (long)numbers[a],
						(long)numbers[b], access, got);
				}
	if (p.allows_all)
		cr_assert(all, "said to allow all");
}

static const int64_t near[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 135, 136, 137, 200, 229, 255,
	256, 1048575, 0x7fffffff, 0x80000000, 0xffffffff };

/* ---- tests ---- */

Test(devices, no_rules_allow_the_defaults_only)
{
	compare(NULL, 0, near, ARRAY_SIZE(near));
}

Test(devices, an_engines_list_is_read_as_written)
{
	struct oci_device_rule d[] = {
		{ .allow = false, .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(1), .minor = NUM(5), .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(1), .minor = NUM(3), .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(1), .minor = NUM(9), .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(1), .minor = NUM(8), .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(5), .minor = NUM(0), .access = "rwm" },
		{ .allow = true, .type = "c", .major = NUM(5), .minor = NUM(1), .access = "rwm" },
		{ .allow = false,
			.type = "c",
			.major = NUM(10),
			.minor = NUM(229),
			.access = "rwm" },
	};

	compare(d, ARRAY_SIZE(d), near, ARRAY_SIZE(near));
}

Test(devices, each_access_is_decided_by_itself)
{
	struct oci_device_rule d[] = {
		{ .allow = true, .type = "b", .major = NUM(8), .access = "rw" },
		{ .allow = false, .type = "b", .major = NUM(8), .minor = NUM(0), .access = "w" },
		{ .allow = true, .type = "c", .major = NUM(10), .minor = NUM(200), .access = "r" },
		{ .allow = true, .type = "c", .major = NUM(10), .minor = NUM(200), .access = "w" },
	};
	struct device_program p;

	compare(d, ARRAY_SIZE(d), near, ARRAY_SIZE(near));
	cr_assert_eq(devices_compile(d, ARRAY_SIZE(d), arena, &p, &err), 0);
	cr_expect(run(&p, BLOCK, 8, 0, R));
	cr_expect_not(run(&p, BLOCK, 8, 0, R | W), "a denied write must not pass with a read");
	cr_expect(run(&p, BLOCK, 8, 1, R | W));
	cr_expect(run(&p, CHAR, 10, 200, R | W), "two rules add up");
}

Test(devices, the_defaults_cannot_be_taken_away)
{
	struct oci_device_rule d[] = {
		{ .allow = false, .type = "c", .major = NUM(1), .minor = NUM(3) },
		{ .allow = false, .type = "a" }
	};

	compare(d, ARRAY_SIZE(d), near, ARRAY_SIZE(near));
}

Test(devices, the_hosts_console_is_no_default)
{
	struct device_program p;

	cr_assert_eq(devices_compile(NULL, 0, arena, &p, &err), 0);
	cr_expect_not(run(&p, CHAR, 5, 1, R));
	cr_expect_not(run(&p, CHAR, 10, 200, R));
	cr_expect_not(run(&p, CHAR, 1, 1, R));
	cr_expect(run(&p, CHAR, 1, 1, M), "a node that can't be opened may be made");
}

Test(devices, an_allow_of_all_is_seen_as_such)
{
	struct oci_device_rule d[] = { { .allow = false, .type = "c", .major = NUM(4) },
		{ .allow = true, .type = "a" },
		{ .allow = false, .type = "b", .major = NUM(8), .minor = NUM(3), .access = "w" } };
	struct device_program p;

	cr_assert_eq(devices_compile(d, 2, arena, &p, &err), 0);
	cr_expect(p.allows_all);
	compare(d, 2, near, ARRAY_SIZE(near));
	cr_assert_eq(devices_compile(d, 3, arena, &p, &err), 0);
	cr_expect_not(p.allows_all);
	compare(d, 3, near, ARRAY_SIZE(near));
}

Test(devices, a_later_a_rule_wins_over_all_before_it_only_as_far_as_it_says)
{
	struct oci_device_rule d[] = { { .allow = true, .type = "c", .major = NUM(4) },
		{ .allow = true, .type = "a", .major = NUM(8), .minor = NUM(2), .access = "r" },
		{ .allow = false, .type = "a", .access = "w" } };

	compare(d, ARRAY_SIZE(d), near, ARRAY_SIZE(near));
}

Test(devices, wrong_rules_are_named)
{
	const struct {
		struct oci_device_rule rule;
		const char *where;
	} rows[] = {
		{ { .type = "x" }, "[0].type" },
		{ { .type = "" }, "[0].type" },
		{ { .type = "u" }, "[0].type" },
		{ { .access = "" }, "[0].access" },
		{ { .access = "rx" }, "[0].access" },
		{ { .major = NUM(-2) }, "[0].major" },
		{ { .major = NUM(INT64_C(1) << 32) }, "[0].major" },
		{ { .major = NUM(1), .minor = NUM(-5) }, "[0].minor" },
	};
	struct device_program p;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(devices_check(&rows[i].rule, 1, &err), -1);
		cr_expect_str_eq(err.where, rows[i].where);
		cr_expect_eq(devices_compile(&rows[i].rule, 1, arena, &p, &err), -1);
	}
}

static uint64_t seed = 88172645463325252u;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static struct oci_device_rule any_rule(const int64_t *numbers, size_t n)
{
	static const char *const types[] = { "a", "b", "c", NULL };
	static const char *const letters[] = { "r", "w", "m", "rw", "rm", "wm", "rwm", NULL };
	struct oci_device_rule d = {
		.allow = any(2), .type = types[any(4)], .access = letters[any(8)]
	};

	if (any(4)) {
		d.major = arena_alloc(arena, sizeof(int64_t));
		*d.major = any(5) ? numbers[any(n)] : -1;
	}
	if (any(4)) {
		d.minor = arena_alloc(arena, sizeof(int64_t));
		*d.minor = any(5) ? numbers[any(n)] : -1;
	}
	return d;
}

Test(devices, random_lists_mean_the_same_compiled_and_read)
{
	static const int64_t few[] = { 0, 1, 2, 3, 5, 8, 9, 136, 0xffffffff };
	struct oci_device_rule d[24];

	for (int round = 0; round < 3000; round++) {
		size_t n = any(ARRAY_SIZE(d) + 1);
		for (size_t i = 0; i < n; i++)
			d[i] = any_rule(few, ARRAY_SIZE(few));
		compare(d, n, few, ARRAY_SIZE(few));
		if (round % 100 == 0) {
			teardown();
			setup();
		}
	}
}

Test(devices, five_hundred_rules_fit)
{
	struct oci_device_rule *d = arena_array(arena, 500, sizeof(*d));
	struct device_program p;

	for (int i = 0; i < 500; i++) {
		d[i] = (struct oci_device_rule){
			.allow = i % 3, .type = i % 2 ? "b" : "c", .access = "rw"
		};
		d[i].major = arena_alloc(arena, sizeof(int64_t));
		*d[i].major = i % 40;
		d[i].minor = arena_alloc(arena, sizeof(int64_t));
		*d[i].minor = 3 * i;
	}
	compare(d, 500, near, ARRAY_SIZE(near));
	cr_assert_eq(devices_compile(d, 500, arena, &p, &err), 0);
	cr_expect_lt(p.n, 1200);
}

Test(devices, too_long_a_list_is_refused_not_cut)
{
	size_t n = 2048;
	struct oci_device_rule *d = arena_array(arena, n, sizeof(*d));
	int64_t *numbers = arena_array(arena, n, sizeof(*numbers));
	struct device_program p;

	/* Each major must be asked for each minor: some 40 * 2,000 comparisons. */
	for (size_t i = 0; i < n; i++) {
		numbers[i] = (int64_t)(3 * i);
		d[i] = (struct oci_device_rule){ true, NULL, NULL, &numbers[i], "rw" };
		if (i >= n - 40)
			d[i] = (struct oci_device_rule){ true, NULL, &numbers[i], NULL, "r" };
	}
	cr_expect_eq(devices_compile(d, n, arena, &p, &err), -1);
	cr_expect_eq(err.code, ERR_EXHAUSTED);
	cr_expect_eq(devices_check(d, n, &err), 0);
	cr_expect_eq(devices_check(d, n + 1, &err), -1);
}
