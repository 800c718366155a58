/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter of the default profile answers, call by call. */
#include "model/seccomp-default-table.h"
#include "test-seccomp-common.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#define ALLOW      SECCOMP_RET_ALLOW
#define DENY       (SECCOMP_RET_ERRNO | EPERM)
#define NO_SYSCALL (SECCOMP_RET_ERRNO | ENOSYS)

static const char *const none[] = { NULL };
static const char *const usual[] = { "CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT", NULL };
static const char *const admin[] = { "CAP_SYS_ADMIN", NULL };
static const char *const several[] = { "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYSLOG",
	"CAP_BPF", NULL };

static struct program compile(struct arena *arena, enum seccomp_machine m, const char *const *caps)
{
	struct program p = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0;

	while (caps[n])
		n++;
	struct oci_seccomp *s = seccomp_default_on(m, caps, n, arena);
	cr_assert_not_null(s);
	cr_assert_eq(seccomp_check(s, &err), 0, "%s", err.text);
	cr_assert_eq(seccomp_compile(s, seccomp_arch_find(s->architectures[0]), arena, &p.insns,
			     &p.n, &err),
		0, "%s", err.text);
	return p;
}

static uint32_t ask(struct program p, const char *arch, const char *call, uint64_t arg0)
{
	const struct seccomp_arch *a = seccomp_arch_find(arch);
	int nr = seccomp_lib_number(a, call);
	const struct seccomp_data d = { .nr = nr, .arch = a->audit, .args = { arg0 } };

	cr_assert_geq(nr, 0, "%s has no %s", arch, call);
	return program_run(p, &d);
}

#define X64  "SCMP_ARCH_X86_64"
#define I386 "SCMP_ARCH_X86"
#define X32  "SCMP_ARCH_X32"
#define A64  "SCMP_ARCH_AARCH64"
#define A32  "SCMP_ARCH_ARM"

struct row {
	const char *const *caps;
	const char *arch, *call;
	uint64_t arg0;
	uint32_t want;
};

static const struct row rows[] = {
	{ none, X64, "read", 0, ALLOW },
	{ none, I386, "read", 0, ALLOW },
	{ none, X32, "read", 0, ALLOW },
	{ none, X64, "execve", 0, ALLOW },
	{ none, X64, "close_range", 0, ALLOW },
	{ none, X64, "futex_waitv", 0, ALLOW },
	/* never, whatever the capabilities are */
	{ admin, X64, "keyctl", 0, DENY },
	{ admin, X64, "add_key", 0, DENY },
	{ admin, X64, "kexec_load", 0, DENY },
	{ admin, X64, "swapon", 0, DENY },
	{ admin, X64, "pivot_root", 0, DENY },
	{ admin, X64, "userfaultfd", 0, DENY },
	{ admin, X64, "io_uring_setup", 0, DENY },
	{ admin, I386, "vm86", 0, DENY },
	/* by capability */
	{ none, X64, "chroot", 0, DENY },
	{ usual, X64, "chroot", 0, ALLOW },
	{ usual, X64, "mount", 0, DENY },
	{ usual, X64, "umount2", 0, DENY },
	{ usual, X64, "unshare", 0, DENY },
	{ usual, X64, "setns", 0, DENY },
	{ usual, X64, "bpf", 0, DENY },
	{ usual, X64, "fsopen", 0, DENY },
	{ usual, X64, "open_by_handle_at", 0, DENY },
	{ usual, X64, "process_madvise", 0, DENY },
	{ usual, X64, "syslog", 0, DENY },
	{ usual, X64, "perf_event_open", 0, DENY },
	{ usual, X64, "init_module", 0, DENY },
	{ usual, X64, "settimeofday", 0, DENY },
	{ usual, I386, "stime", 0, DENY },
	{ usual, X64, "reboot", 0, DENY },
	{ admin, X64, "mount", 0, ALLOW },
	{ admin, I386, "mount", 0, ALLOW },
	{ admin, X64, "unshare", 0, ALLOW },
	{ admin, X64, "bpf", 0, ALLOW },
	{ admin, X64, "syslog", 0, ALLOW },
	{ admin, X64, "init_module", 0, DENY },
	{ several, X64, "open_by_handle_at", 0, ALLOW },
	{ several, X64, "process_madvise", 0, ALLOW },
	{ several, X64, "syslog", 0, ALLOW },
	{ several, X64, "bpf", 0, ALLOW },
	{ several, X64, "mount", 0, DENY },
	{ several, X64, "perf_event_open", 0, DENY },
	/* tracing is open to all */
	{ none, X64, "ptrace", 0, ALLOW },
	{ none, X64, "process_vm_writev", 0, ALLOW },
	/* clone: a thread, a fork, each namespace */
	{ usual, X64, "clone", 0x3d0f00, ALLOW },
	{ usual, X64, "clone", 17, ALLOW },
	{ usual, X64, "clone", 0x00020000, DENY },
	{ usual, X64, "clone", 0x02000000, DENY },
	{ usual, X64, "clone", 0x04000000, DENY },
	{ usual, X64, "clone", 0x08000000, DENY },
	{ usual, X64, "clone", 0x10000000, DENY },
	{ usual, X64, "clone", 0x20000000, DENY },
	{ usual, X64, "clone", 0x40000000, DENY },
	{ usual, I386, "clone", 0x10000011, DENY },
	{ usual, X32, "clone", 0x10000011, DENY },
	{ admin, X64, "clone", 0x10000011, ALLOW },
	{ usual, X64, "clone3", 0, NO_SYSCALL },
	{ usual, I386, "clone3", 0, NO_SYSCALL },
	{ admin, X64, "clone3", 0, ALLOW },
	/* socket: AF_UNIX, AF_INET6, AF_NETLINK, AF_ALG, AF_NFC, AF_VSOCK, AF_KCM, AF_XDP */
	{ admin, X64, "socket", 1, ALLOW },
	{ admin, X64, "socket", 10, ALLOW },
	{ admin, X64, "socket", 16, ALLOW },
	{ admin, X64, "socket", 38, DENY },
	{ admin, X64, "socket", 39, ALLOW },
	{ admin, X64, "socket", 40, DENY },
	{ admin, X64, "socket", 41, ALLOW },
	{ admin, X64, "socket", 44, ALLOW },
	{ admin, X32, "socket", 40, DENY },
	/* personality */
	{ admin, X64, "personality", 0, ALLOW },
	{ admin, X64, "personality", 8, ALLOW },
	{ admin, X64, "personality", 0x20000, ALLOW },
	{ admin, X64, "personality", 0x20008, ALLOW },
	{ admin, X64, "personality", 0xffffffff, ALLOW },
	{ admin, X64, "personality", 0x40000, DENY },
	{ admin, X64, "personality", 0x400000, DENY },
	/* by machine */
	{ none, X64, "arch_prctl", 0, ALLOW },
	{ none, X64, "modify_ldt", 0, ALLOW },
	{ none, A64, "read", 0, ALLOW },
	{ none, A32, "read", 0, ALLOW },
	{ none, A32, "cacheflush", 0, ALLOW },
	{ none, A32, "set_tls", 0, ALLOW },
	{ none, A64, "mount", 0, DENY },
	{ admin, A64, "mount", 0, ALLOW },
	{ none, A64, "clone", 0x10000011, DENY },
	{ none, A64, "clone", 17, ALLOW },
	{ none, A64, "clone3", 0, NO_SYSCALL },
	{ none, A64, "socket", 40, DENY },
};

Test(seccomp_default, answers_each_call_as_its_rule_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		_arena_ struct arena *arena = arena_new();
		bool arm = r->arch[10] == 'A';
		struct program p = compile(arena, arm ? SECCOMP_ARM64 : SECCOMP_AMD64, r->caps);

		cr_expect_eq(ask(p, r->arch, r->call, r->arg0), r->want, "%s %s(%#lx) with %s: %#x",
			r->arch, r->call, (unsigned long)r->arg0,
			r->caps[0] ? r->caps[0] : "nothing", ask(p, r->arch, r->call, r->arg0));
	}
}

Test(seccomp_default, has_the_verdicts_of_the_profile_that_the_facts_make)
{
	static const char *const *const sets[] = { none, usual, admin, several };
	static const uint32_t audits[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
	static const uint64_t args[] = { 0, 8, 17, 38, 39, 40, 41, 0x20000, 0x20008, 0x10000011,
		0xffffffff, 1ULL << 32 };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		_arena_ struct arena *arena = arena_new();
		struct program own = compile(arena, SECCOMP_AMD64, sets[i]), theirs = { 0 };
		struct err err = ERR_INIT;
		/* The facts know no row for capabilities that open nothing. */
		struct oci_seccomp *s =
			profile_default(arena, sets[i] == usual ? usual + 2 : sets[i]);

		cr_assert_eq(seccomp_compile(s, seccomp_arch_find(X64), arena, &theirs.insns,
				     &theirs.n, &err),
			0, "%s", err.text);
		for (size_t k = 0; k < ARRAY_SIZE(audits) * 700 * 2 * ARRAY_SIZE(args); k++) {
			uint32_t nr = (uint32_t)(k / ARRAY_SIZE(args) % 1400);
			const struct seccomp_data d = {
				.nr = (int)(nr < 700 ? nr : (nr - 700) | SECCOMP_X32_BIT),
				.arch = audits[k / ARRAY_SIZE(args) / 1400],
				.args = { args[k % ARRAY_SIZE(args)] },
			};

			cr_assert_eq(program_run(own, &d), program_run(theirs, &d), "%d of %#x",
				d.nr, d.arch);
		}
	}
}

Test(seccomp_default, tells_calls_newer_than_itself_that_they_dont_exist)
{
	_arena_ struct arena *arena = arena_new();
	struct program p = compile(arena, SECCOMP_AMD64, usual);
	const struct seccomp_data d = { .nr = 600, .arch = AUDIT_ARCH_X86_64 };

	cr_assert_eq(program_run(p, &d), NO_SYSCALL);
}

Test(seccomp_default, is_one_profile_for_the_cache_and_another_with_another_capability)
{
	_arena_ struct arena *arena = arena_new();
	struct str keys[3] = { { 0 } };
	static const char *const *const sets[] = { usual, usual, admin };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 3; i++) {
		struct oci_seccomp *s = seccomp_default(sets[i], sets[i] == usual ? 3 : 1, arena);

		cr_assert_eq(seccomp_cache_key(s, "build", "6.1", &keys[i], &err), 0);
	}
	cr_assert(keys[0].n == keys[1].n && memcmp(keys[0].p, keys[1].p, keys[0].n) == 0);
	cr_assert(keys[0].n != keys[2].n || memcmp(keys[0].p, keys[2].p, keys[0].n) != 0);
	for (size_t i = 0; i < 3; i++)
		str_done(&keys[i]);
}
