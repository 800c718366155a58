/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause: process 1 of a pid namespace that the containers of a pod share. It reaps what they leave
 * behind, ends on SIGTERM and SIGINT, and nothing else.
 *
 * It is executed with all signals blocked, without capabilities, in an empty root filesystem. The
 * containers can see it, so there must be nothing to gain from it: no file is open, its memory is
 * closed to those without CAP_SYS_PTRACE, and to those who have it, the filter leaves the four
 * calls that are made here.
 */
#include "init/sys.h"

#include <linux/audit.h>
#include <linux/wait.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#else
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ALLOW(name)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

long sys_failed;
SYS_TEXT;

static const struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	ALLOW(rt_sigtimedwait),
	ALLOW(wait4),
	ALLOW(restart_syscall),
	ALLOW(exit_group),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static const struct sock_fprog program = {
	.len = sizeof(filter) / sizeof(*filter),
	.filter = (struct sock_filter *)(uintptr_t)filter,
};

static uint64_t bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

static int pause_until_told(void)
{
	const uint64_t wanted = bit(SIGCHLD) | bit(SIGTERM) | bit(SIGINT);

	SYS2(prctl, PR_SET_NAME, "ctrctl-pause");
	if (SYS2(prctl, PR_SET_DUMPABLE, 0) < 0 || SYS3(close_range, 0, ~0U, 0) < 0 ||
		SYS5(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		SYS3(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return 1;
	for (;;) {
		long signo = SYS4(rt_sigtimedwait, &wanted, 0, 0, sizeof(wanted));

		if (signo == SIGTERM || signo == SIGINT)
			return 0;
		while (SYS4(wait4, -1, 0, WNOHANG, 0) > 0)
			;
	}
}

void start_c(long *sp) __attribute__((used, noreturn));

void start_c(long *sp)
{
	int status = pause_until_told();

	for (;;)
		SYS1(exit_group, status);
}
