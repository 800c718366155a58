/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of our own making gives libseccomp's verdict, and runc's ENOSYS for calls that the
 * profile is too old for. */
#include "test-seccomp-common.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

static const char *const names_x86[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
	NULL };
static const char *const names_x64[] = { "SCMP_ARCH_X86_64", NULL };
static const char *const names_x32[] = { "SCMP_ARCH_X32", "SCMP_ARCH_X86_64", NULL };
static const char *const names_i386[] = { "SCMP_ARCH_X86", NULL };
static const char *const names_arm[] = { "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", NULL };
static const char *const names_none[] = { NULL };

static const uint32_t audits[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
	AUDIT_ARCH_ARM, AUDIT_ARCH_S390X };

/* Values that profiles compare with, and their neighbours. */
struct values {
	uint64_t v[256];
	size_t n;
};

static void values_add(struct values *set, uint64_t v)
{
	const uint64_t all[] = { v, v - 1, v + 1, v ^ 1ULL << 32, v << 32, ~v };

	for (size_t i = 0; i < ARRAY_SIZE(all) && set->n < ARRAY_SIZE(set->v); i++)
		set->v[set->n++] = all[i];
}

static void values_of(const struct oci_seccomp *s, struct values *set)
{
	values_add(set, 0);
	for (size_t i = 0; i < s->n_syscalls; i++) {
		for (size_t k = 0; k < s->syscalls[i].n_args; k++) {
			const struct oci_seccomp_arg *arg = &s->syscalls[i].args[k];

			values_add(set, arg->value);
			if (arg->op == OCI_CMP_MASKED_EQ) {
				values_add(set, arg->value_two);
				values_add(set, (arg->value & arg->value_two) | ~arg->value);
			}
		}
	}
}

struct comparison {
	const struct oci_seccomp *profile;
	const struct seccomp_arch *native;
	struct program own, theirs[5]; /* theirs: by audits[] */
	struct values values;
	uint64_t seed;
	size_t vectors; /* sets of arguments per number */
	size_t done;
};

static bool in_filter(const struct comparison *c, const char *name)
{
	const struct seccomp_arch *arch = seccomp_arch_find(name);

	for (size_t i = 0; i < c->profile->n_architectures; i++) {
		if (seccomp_arch_find(c->profile->architectures[i]) == arch)
			return true;
	}
	return arch == c->native;
}

/* The largest number that the profile names on the architecture that nr belongs to: 0 where that
 * isn't in the filter. */
static uint32_t last_of(const struct comparison *c, uint32_t audit, uint32_t nr)
{
	static const struct {
		uint32_t audit;
		const char *name;
	} rows[] = { { AUDIT_ARCH_I386, "SCMP_ARCH_X86" },
		{ AUDIT_ARCH_X86_64, "SCMP_ARCH_X86_64" },
		{ AUDIT_ARCH_AARCH64, "SCMP_ARCH_AARCH64" }, { AUDIT_ARCH_ARM, "SCMP_ARCH_ARM" } };
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].audit == audit)
			name = rows[i].name;
	}
	if (audit == AUDIT_ARCH_X86_64 && nr & SECCOMP_X32_BIT)
		name = "SCMP_ARCH_X32";
	return name && in_filter(c, name) ? reference_last(c->profile, seccomp_arch_find(name)) : 0;
}

static bool stub(const struct comparison *c)
{
	int action = c->profile->default_action;

	return action != OCI_ACT_ALLOW && action != OCI_ACT_LOG && action != OCI_ACT_TRACE;
}

static void describe(const struct comparison *c)
{
	const struct oci_seccomp *s = c->profile;

	cr_log_warn("%s, default action %d", c->native->name, s->default_action);
	for (size_t i = 0; i < s->n_architectures; i++)
		cr_log_warn("  %s", s->architectures[i]);
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];

		cr_log_warn("rule %zu: %s %s action %d %d", i, r->names[0],
			r->n_names > 1 ? r->names[1] : "", r->action,
			r->errno_ret ? (int)*r->errno_ret : -1);
		for (size_t k = 0; k < r->n_args; k++)
			cr_log_warn("    arg %u op %d %#lx %#lx", r->args[k].index, r->args[k].op,
				(unsigned long)r->args[k].value,
				(unsigned long)r->args[k].value_two);
	}
}

/* The calls of i386 that have a number besides their place behind socketcall and ipc: a rule speaks
 * of both, though the name's number is the other one. Whether it does can't be seen when no set of
 * arguments meets its conditions. */
static bool direct(uint32_t audit, uint32_t nr)
{
	return audit == AUDIT_ARCH_I386 && ((nr >= 359 && nr <= 373) || (nr >= 393 && nr <= 402));
}

static void compare_number(struct comparison *c, size_t a, uint32_t nr)
{
	uint32_t audit = audits[a];
	uint32_t def = seccomp_ret(c->profile->default_action, c->profile->default_errno_ret);
	uint32_t last = stub(c) ? last_of(c, audit, nr) : 0;
	struct seccomp_data data[256];
	uint32_t expected[256];
	bool ruled = false, x32 = audit == AUDIT_ARCH_X86_64 && nr & SECCOMP_X32_BIT;

	for (size_t i = 0; i < c->vectors; i++) {
		data[i] = (struct seccomp_data){
			.nr = (int)nr, .arch = audit, .instruction_pointer = 0x123456789abcULL
		};
		for (size_t k = 0; i > 0 && k < 6; k++)
			data[i].args[k] = c->values.v[rnd(&c->seed, (uint32_t)c->values.n)];
		expected[i] = program_run(c->theirs[a], &data[i]);
		ruled |= expected[i] != def && nr >> 30 == x32;
	}
	for (size_t i = 0; i < c->vectors; i++) {
		uint32_t want =
			last && nr > last && !ruled ? SECCOMP_RET_ERRNO | ENOSYS : expected[i];
		uint32_t got = program_run(c->own, &data[i]);

		if (direct(audit, nr) && want == (SECCOMP_RET_ERRNO | ENOSYS) && got == def)
			want = got;
		if (got != want)
			describe(c);
		cr_assert_eq(got, want,
			"seed %#lx arch %#x nr %#x args %#lx %#lx %#lx %#lx %#lx %#lx: %#x, libseccomp says %#x",
			(unsigned long)c->seed, audit, nr, (unsigned long)data[i].args[0],
			(unsigned long)data[i].args[1], (unsigned long)data[i].args[2],
			(unsigned long)data[i].args[3], (unsigned long)data[i].args[4],
			(unsigned long)data[i].args[5], got, want);
		c->done++;
	}
}

static void compare_all(struct comparison *c)
{
	static const uint32_t odd[] = { 1000, 0xf0001, 0xf0005, 0x3fffffff, 0x40000000, 0x40000200,
		0x40000223, 0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff, 0xc0000000, 0xffffd8b4,
		0xfffffffe, 0xffffffff };

	for (size_t a = 0; a < ARRAY_SIZE(audits); a++) {
		for (uint32_t nr = 0; nr <= 600; nr++) {
			compare_number(c, a, nr);
			if (audits[a] == AUDIT_ARCH_X86_64)
				compare_number(c, a, nr | SECCOMP_X32_BIT);
		}
		for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
			compare_number(c, a, odd[i]);
	}
}

/* What the kernel asks of a program before it takes it. */
static void check_shape(struct program p)
{
	cr_assert(p.n > 0 && p.n <= BPF_MAXINSNS);
	for (size_t i = 0; i < p.n; i++) {
		const struct sock_filter *in = &p.insns[i];

		if (in->code == (BPF_JMP | BPF_JA))
			cr_assert(i + 1 + in->k < p.n);
		else if (BPF_CLASS(in->code) == BPF_JMP)
			cr_assert(i + 1 + in->jt < p.n && i + 1 + in->jf < p.n);
	}
	cr_assert_eq(p.insns[p.n - 1].code, BPF_RET | BPF_K);
}

/* as_one: libseccomp makes one filter for all architectures, as a runtime would ask; otherwise one
 * each. */
static size_t compare(
	const struct oci_seccomp *s, const char *native, bool as_one, size_t vectors, uint64_t seed)
{
	_arena_ struct arena *arena = arena_new();
	struct err err = ERR_INIT;
	struct comparison c = {
		.profile = s, .native = seccomp_arch_find(native), .vectors = vectors, .seed = seed
	};
	int theirs = 0;
	int own = seccomp_compile(s, c.native, arena, &c.own.insns, &c.own.n, &err);

	for (size_t a = 0; a < ARRAY_SIZE(audits) && theirs == 0; a++)
		theirs =
			reference_compile(arena, s, c.native, as_one ? 0 : audits[a], &c.theirs[a]);
	if (theirs < 0) {
		cr_assert_eq(own, -1, "libseccomp refuses the profile (%d), we don't", theirs);
		cr_assert_eq(err.code, ERR_INVALID);
		return 0;
	}
	cr_assert_eq(own, 0, "%s %s %s", err.where, err.object, err.text);
	check_shape(c.own);
	values_of(s, &c.values);
	compare_all(&c);
	return c.done;
}

static const char *const cap_sets[][8] = {
	{ NULL },
	{ "CAP_SYS_CHROOT", NULL },
	{ "CAP_SYS_ADMIN", NULL },
	{ "CAP_SYS_PTRACE", "CAP_SYSLOG", "CAP_BPF", "CAP_PERFMON", NULL },
	{ "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_MODULE", "CAP_SYS_TIME",
		"CAP_SYS_NICE", NULL },
};

Test(seccomp, default_profile_has_the_verdicts_of_libseccomp)
{
	for (size_t i = 0; i < ARRAY_SIZE(cap_sets); i++) {
		_arena_ struct arena *arena = arena_new();

		cr_assert_geq(compare(profile_default(arena, cap_sets[i]), "SCMP_ARCH_X86_64", true,
				      24, 0x1234567 + i),
			50000);
	}
}

Test(seccomp, default_profile_stays_small)
{
	_arena_ struct arena *arena = arena_new();
	struct seccomp_filter filter;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_build(profile_default(arena, cap_sets[1]), arena, &filter, &err), 0,
		"%s", err.text);
	cr_assert_leq(filter.n, 400, "%zu instructions", filter.n);
}

/* Sections that are longer than a conditional jump can reach. */
Test(seccomp, long_programs_have_the_verdicts_of_libseccomp)
{
	_arena_ struct arena *arena = arena_new();
	const struct oci_seccomp *names = profile_default(arena, cap_sets[0]);
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ERRNO, names_x86);
	struct seccomp_filter filter;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 150; i++) {
		struct oci_seccomp_rule *rule = profile_rule(arena, s,
			names->syscalls[0].names[i * 2], i % 3 ? OCI_ACT_ALLOW : OCI_ACT_ERRNO);

		if (rule->action == OCI_ACT_ERRNO)
			profile_errno(arena, rule, (uint32_t)i);
		profile_arg(arena, rule, i % 6, OCI_CMP_EQ, i % 7, 0);
	}
	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0, "%s", err.text);
	cr_assert_gt(filter.n, 1500, "%zu instructions", filter.n);
	cr_assert_gt(compare(s, "SCMP_ARCH_X86_64", false, 40, 99), 100000);
}

Test(seccomp, enosys_begins_behind_the_largest_number_that_is_named)
{
	_arena_ struct arena *arena = arena_new();
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ERRNO, names_x64);
	struct seccomp_filter f;
	struct err err = ERR_INIT;

	/* Named, though the rule changes nothing. */
	profile_rule(arena, s, "openat2", OCI_ACT_ERRNO);
	cr_assert_eq(seccomp_build(s, arena, &f, &err), 0, "%s", err.text);
	for (int nr = 0; nr < 600; nr++) {
		const struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };

		cr_assert_eq(program_run((struct program){ f.insns, f.n }, &d),
			SECCOMP_RET_ERRNO | (nr > 437 ? ENOSYS : EPERM), "%d", nr);
	}
}

/* Names that an architecture lacks, before one that it has. */
Test(seccomp, a_missing_call_takes_nothing_from_the_others)
{
	static const char *const archs[] = { "SCMP_ARCH_AARCH64", NULL };
	_arena_ struct arena *arena = arena_new();
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ALLOW, archs);
	struct err err = ERR_INIT;
	const struct seccomp_data d = { .nr = 39, .arch = AUDIT_ARCH_AARCH64, .args = { 0, 1 } };
	struct program p = { 0 };

	profile_arg(arena, profile_rule(arena, s, "umount", OCI_ACT_ERRNO), 0, OCI_CMP_EQ, 7, 0);
	profile_arg(arena, profile_rule(arena, s, "umount2", OCI_ACT_ERRNO), 1, OCI_CMP_EQ, 1, 0);
	cr_assert_eq(
		seccomp_compile(s, seccomp_arch_find(archs[0]), arena, &p.insns, &p.n, &err), 0);
	cr_assert_eq(program_run(p, &d), SECCOMP_RET_ERRNO | EPERM);
}

static const struct {
	const char *native;
	const char *const *archs;
} machines[] = {
	{ "SCMP_ARCH_X86_64", names_x86 },
	{ "SCMP_ARCH_X86_64", names_x64 },
	{ "SCMP_ARCH_X86_64", names_none },
	{ "SCMP_ARCH_X86_64", names_i386 },
	{ "SCMP_ARCH_X86_64", names_x32 },
	{ "SCMP_ARCH_AARCH64", names_arm },
};

static const char *const pool[] = { "socket", "connect", "semop", "ipc", "socketcall",
	"personality", "clone", "ioctl", "mmap", "mmap2", "openat", "fcntl64", "getpid", "umount2",
	"umount", "shmat", "arm_sync_file_range", "sync_file_range2", "clock_settime64", "sendmmsg",
	"futex_waitv", "waitid" };

static const uint64_t data[] = { 0, 1, 2, 3, 7, 0x80000000, 0xffffffff, 0x100000000, 0x100000001,
	0x7fffffff80000000, ~0ULL };

static const int some_actions[] = { OCI_ACT_ALLOW, OCI_ACT_ALLOW, OCI_ACT_ERRNO, OCI_ACT_ERRNO,
	OCI_ACT_KILL, OCI_ACT_KILL_PROCESS, OCI_ACT_LOG, OCI_ACT_TRAP, OCI_ACT_TRACE };

static struct oci_seccomp *profile_random(
	struct arena *arena, uint64_t *seed, const char *const *archs)
{
	struct oci_seccomp *s =
		profile_new(arena, some_actions[rnd(seed, ARRAY_SIZE(some_actions))], archs);
	size_t rules = 1 + rnd(seed, 14), names = 1 + rnd(seed, ARRAY_SIZE(pool));

	if (s->default_action == OCI_ACT_ERRNO && rnd(seed, 2)) {
		s->default_errno_ret = arena_alloc(arena, sizeof(uint32_t));
		*s->default_errno_ret = rnd(seed, 40);
	}
	for (size_t i = 0; i < rules; i++) {
		struct oci_seccomp_rule *rule =
			profile_rule(arena, s, pool[rnd(seed, (uint32_t)names)],
				some_actions[rnd(seed, ARRAY_SIZE(some_actions))]);

		if (rnd(seed, 3) == 0)
			rule->names[rule->n_names++] = pool[rnd(seed, (uint32_t)names)];
		if (rule->action == OCI_ACT_ERRNO || rule->action == OCI_ACT_TRACE)
			profile_errno(arena, rule, rnd(seed, 3));
		for (uint32_t k = rnd(seed, 5); k > 0; k--)
			profile_arg(arena, rule, rnd(seed, 4), (int)rnd(seed, OCI_CMP_N),
				data[rnd(seed, ARRAY_SIZE(data))],
				data[rnd(seed, ARRAY_SIZE(data))]);
	}
	return s;
}

Test(seccomp, random_profiles_have_the_verdicts_of_libseccomp)
{
	uint64_t seed = 0x9e3779b97f4a7c15ULL;
	size_t done = 0, refused = 0;

	for (size_t i = 0; i < 240; i++) {
		_arena_ struct arena *arena = arena_new();
		size_t m = i % ARRAY_SIZE(machines), n;

		n = compare(profile_random(arena, &seed, machines[m].archs), machines[m].native,
			false, 40, seed);
		refused += n == 0;
		done += n;
	}
	cr_log_info("%zu comparisons, %zu profiles refused by both", done, refused);
	cr_assert_geq(done, 1000000);
	cr_assert_leq(refused, 120);
}
