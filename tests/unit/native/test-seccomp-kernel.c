/* SPDX-License-Identifier: Apache-2.0 */
/* Filters loaded for real, each in a child of its own. */
#include "test-seccomp-common.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const no_caps[] = { NULL };

static long load_filter(const struct seccomp_filter *f)
{
	struct sock_fprog prog = { .len = (unsigned short)f->n,
		.filter = (void *)(uintptr_t)f->insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->flags, &prog);
}

#ifdef __x86_64__
/* -errno or the result, by the 32-bit entry. */
static long call32(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}
#endif

static long call(long nr, long a, long b, long c)
{
	long r = syscall(nr, a, b, c);

	return r < 0 ? -errno : r;
}

struct attempt {
	long nr, a, b, c, want; /* want: -errno, or 0 for any success */
	bool by32;
};

/* In a child: loads the filter, makes the calls; the number of the first that is wrong, counted
 * from 1. */
static int child(const struct oci_seccomp *s, const struct attempt *tries, size_t n)
{
	_arena_ struct arena *arena = arena_new();
	struct seccomp_filter filter;
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0, "%s %s", err.object, err.text);
	pid = fork();
	if (pid == 0) {
		if (load_filter(&filter) < 0)
			_exit(255);
		for (size_t i = 0; i < n; i++) {
			const struct attempt *t = &tries[i];
			long r;

#ifdef __x86_64__
			r = t->by32 ? call32(t->nr, t->a, t->b, t->c)
				    : call(t->nr, t->a, t->b, t->c);
#else
			r = call(t->nr, t->a, t->b, t->c);
#endif
			if (t->want < 0 ? r != t->want : r < 0)
				_exit((int)i + 1);
		}
		_exit(0);
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(seccomp_kernel, the_default_profile_denies_and_allows)
{
	_arena_ struct arena *arena = arena_new();
	static const struct attempt tries[] = {
		{ SYS_getpid, 0, 0, 0, 0 },
		{ SYS_mount, 0, 0, 0, -EPERM },
		{ SYS_unshare, CLONE_NEWUSER, 0, 0, -EPERM },
		{ SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, -EPERM },
		{ SYS_clone3, 0, 0, 0, -ENOSYS },
		{ SYS_personality, 0xffffffff, 0, 0, 0 },
		{ SYS_personality, ADDR_NO_RANDOMIZE, 0, 0, -EPERM },
		{ SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0 },
		{ SYS_socket, 38, SOCK_SEQPACKET, 0, -EPERM },
		{ SYS_socket, 40, SOCK_STREAM, 0, -EPERM },
		{ SYS_keyctl, 0, 0, 0, -EPERM },
		{ 600, 0, 0, 0, -ENOSYS },
		{ 100000, 0, 0, 0, -ENOSYS },
#ifdef __x86_64__
		{ 20, 0, 0, 0, 0, .by32 = true },                /* getpid */
		{ 21, 0, 0, 0, -EPERM, .by32 = true },           /* mount */
		{ 120, 0x10000000, 0, 0, -EPERM, .by32 = true }, /* clone, NEWUSER */
		{ 435, 0, 0, 0, -ENOSYS, .by32 = true },         /* clone3 */
		{ 359, 40, 1, 0, -EPERM, .by32 = true },         /* socket, AF_VSOCK */
		{ 600, 0, 0, 0, -ENOSYS, .by32 = true },
#endif
	};

	cr_assert_eq(child(profile_default(arena, no_caps), tries, ARRAY_SIZE(tries)), 0);
}

Test(seccomp_kernel, a_capability_brings_its_calls)
{
	static const char *const caps[] = { "CAP_SYS_ADMIN", NULL };
	static const struct attempt tries[] = { { SYS_mount, 0, 0, 0, -EFAULT },
		{ SYS_unshare, 0, 0, 0, 0 } };
	_arena_ struct arena *arena = arena_new();

	cr_assert_eq(child(profile_default(arena, caps), tries, ARRAY_SIZE(tries)), 0);
}

Test(seccomp_kernel, actions_do_what_they_say)
{
	static const struct {
		int action;
		int result; /* of child() */
	} rows[] = { { OCI_ACT_KILL, -SIGSYS }, { OCI_ACT_KILL_THREAD, -SIGSYS },
		{ OCI_ACT_KILL_PROCESS, -SIGSYS }, { OCI_ACT_TRAP, -SIGSYS }, { OCI_ACT_LOG, 0 },
		{ OCI_ACT_ALLOW, 0 } };
	static const struct attempt tries[] = { { SYS_getppid, 0, 0, 0, 0 } };
	_arena_ struct arena *arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_seccomp *s = profile_new(
			arena, rows[i].action == OCI_ACT_ALLOW ? OCI_ACT_LOG : OCI_ACT_ALLOW, NULL);

		profile_rule(arena, s, "getppid", rows[i].action);
		cr_assert_eq(child(s, tries, 1), rows[i].result, "action %d", rows[i].action);
	}
}

#ifdef __x86_64__
Test(seccomp_kernel, an_architecture_that_is_not_listed_kills)
{
	static const char *const archs[] = { "SCMP_ARCH_X86_64", NULL };
	static const struct attempt by32[] = { { 20, 0, 0, 0, 0, .by32 = true } };
	static const struct attempt by_x32[] = { { SYS_getpid | 0x40000000, 0, 0, 0, 0 } };
	_arena_ struct arena *arena = arena_new();

	cr_assert_eq(child(profile_new(arena, OCI_ACT_ALLOW, archs), by32, 1), -SIGSYS);
	cr_assert_eq(child(profile_new(arena, OCI_ACT_ALLOW, archs), by_x32, 1), -SIGSYS);
}

/* All numbers of all three: the filter denies them, so nothing can happen; each with the errno that
 * was foretold. */
Test(seccomp_kernel, every_number_of_every_architecture_gets_its_errno)
{
	static const char *const archs[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
		NULL };
	static struct attempt tries[1900];
	_arena_ struct arena *arena = arena_new();
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ERRNO, archs);
	struct seccomp_filter filter;
	struct err err = ERR_INIT;
	size_t n = 0;

	s->default_errno_ret = arena_alloc(arena, sizeof(uint32_t));
	*s->default_errno_ret = 99;
	profile_rule(arena, s, "exit_group", OCI_ACT_ALLOW);
	profile_errno(arena, profile_rule(arena, s, "mount", OCI_ACT_ERRNO), 77);
	profile_errno(arena, profile_rule(arena, s, "futex_waitv", OCI_ACT_ERRNO), 78);
	profile_errno(arena, profile_rule(arena, s, "socket", OCI_ACT_ERRNO), 79);
	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0);
	for (long nr = 0; nr < 3 * 601; nr++) {
		const struct seccomp_data data = {
			.nr = (int)(nr % 601 + (nr / 601 == 1 ? SECCOMP_X32_BIT : 0)),
			.arch = nr / 601 == 2 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64
		};

		/* uretprobe and uprobe, which the kernel lets pass since 6.14 whatever a filter
		 * says, to kill who isn't being probed. */
		if (data.arch == AUDIT_ARCH_X86_64 && (data.nr == 335 || data.nr == 336))
			continue;
		uint32_t ret = program_run((struct program){ filter.insns, filter.n }, &data);

		if ((ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			tries[n++] = (struct attempt){ .nr = data.nr,
				.want = -(long)(ret & SECCOMP_RET_DATA),
				.by32 = data.arch == AUDIT_ARCH_I386 };
	}
	cr_assert_eq(n, 3 * 601 - 5);
	for (size_t i = 0; i < n; i += 200) {
		int bad = child(s, tries + i, MIN((size_t)200, n - i));

		cr_assert_eq(bad, 0, "%d at %zu: number %#lx by32 %d", bad, i,
			tries[i + (size_t)bad - 1].nr, tries[i + (size_t)bad - 1].by32);
	}
}
#endif

static int load_in_child(const struct seccomp_filter *filter)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		long r = load_filter(filter);

		_exit(r < 0 ? errno : filter->notify && r < 3 ? 254 : 0);
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(seccomp_kernel, every_flag_is_taken_with_and_without_a_listener)
{
	_arena_ struct arena *arena = arena_new();
	int flags[OCI_SECCOMP_FLAG_N];

	for (unsigned set = 0; set < 1U << OCI_SECCOMP_FLAG_N; set++) {
		for (int notify = 0; notify < 2; notify++) {
			struct oci_seccomp *s = profile_new(arena, OCI_ACT_ALLOW, NULL);
			struct seccomp_filter filter;
			struct err err = ERR_INIT;

			s->has_flags = true;
			s->flags = flags;
			for (int i = 0; i < OCI_SECCOMP_FLAG_N; i++) {
				if (set & 1U << i)
					flags[s->n_flags++] = i;
			}
			if (notify) {
				profile_rule(arena, s, "getppid", OCI_ACT_NOTIFY);
				s->listener_path = "/nowhere";
			}
			cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0, "%#x: %s %s", set,
				err.object, err.text);
			cr_assert_eq(filter.notify, notify);
			cr_assert_eq(load_in_child(&filter), 0, "flags %#x", filter.flags);
		}
	}
}

Test(seccomp_kernel, no_flags_given_means_spec_allow_and_an_empty_list_means_none)
{
	_arena_ struct arena *arena = arena_new();
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ALLOW, NULL);
	struct seccomp_filter filter;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0);
	cr_assert_eq(filter.flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	s->has_flags = true;
	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0);
	cr_assert_eq(filter.flags, 0);
}
