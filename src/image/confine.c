/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that reads a layer's archive. Should the archive take it over (through zlib, zstd or
 * libarchive), it finds: the layer's folder as its root, no network, no fds but three, the
 * capabilities that set owners and modes, and the system calls that make files. It can make no
 * device nodes (a whiteout, character device 0:0, needs no CAP_MKNOD since Linux 5.8), no
 * trusted.* attributes (the parent sets the one that is needed), and no memory executable.
 */
#include "base/sys.h"
#include "image/unpack-int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	CPU_SECONDS_MAX = 3600,
	FILES_MAX = 1024,       /* path_remove_tree() holds one per level */
	MEMORY_MAX = 768 << 20, /* beyond what the caller has mapped; zstd's window takes 128 MiB */
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "add the architecture's AUDIT_ARCH"
#endif

/* All that the unpacker and the libraries below it call. Others answer ENOSYS. */
static const int calls[] = {
	/* data */
	SYS_read, SYS_write, SYS_pwrite64, SYS_lseek, SYS_close, SYS_fstat, SYS_fcntl,
	SYS_ftruncate, SYS_sendmsg, SYS_sendto, SYS_recvfrom,
	/* places */
	SYS_openat, SYS_openat2, SYS_newfstatat, SYS_statx, SYS_getdents64, SYS_mkdirat,
	SYS_mknodat, SYS_unlinkat, SYS_symlinkat, SYS_linkat,
	/* attributes */
	SYS_fchown, SYS_fchownat, SYS_fchmod, SYS_utimensat, SYS_fsetxattr, SYS_umask,
	/* memory and the C library */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_rt_sigreturn,
	SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_clock_gettime, SYS_gettid, SYS_getpid
};
/* Only without PROT_EXEC. */
static const int memory_calls[] = { SYS_mmap, SYS_mprotect };

enum { N_CALLS = ARRAY_SIZE(calls), N_MEMORY = ARRAY_SIZE(memory_calls), PROTECTION_ARG = 2 };

static struct sock_filter load(size_t offset)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static struct sock_filter jump(unsigned op, uint32_t k, size_t yes, size_t no)
{
	return (struct sock_filter)BPF_JUMP(
		(uint16_t)(BPF_JMP | op | BPF_K), k, (uint8_t)yes, (uint8_t)no);
}

static struct sock_filter answer(uint32_t value)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value);
}

/* Built in place; the lists are short enough for jumps of one byte. */
static int filter_calls(struct err *err)
{
	_Static_assert(N_CALLS + N_MEMORY + 4 < 256, "jumps reach that far");
	struct sock_filter code[N_CALLS + N_MEMORY + 9];
	size_t n = 0;
	/* Where the jumps lead: protection check, refusal, permission, in this order at the end. */
	const size_t check = N_CALLS + N_MEMORY + 4, allow = check + 3, refuse = check + 2;

	code[n++] = load(offsetof(struct seccomp_data, arch));
	code[n++] = jump(BPF_JEQ, ARCH, 1, 0);
	code[n++] = answer(SECCOMP_RET_KILL_PROCESS);
	code[n++] = load(offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_CALLS; i++, n++)
		code[n] = jump(BPF_JEQ, (uint32_t)calls[i], allow - n - 1, 0);
	for (size_t i = 0; i < N_MEMORY; i++, n++)
		code[n] = jump(BPF_JEQ, (uint32_t)memory_calls[i], check - n - 1,
			i + 1 < N_MEMORY ? 0 : refuse - n - 1);
	code[n++] = load(offsetof(struct seccomp_data, args[PROTECTION_ARG]));
	code[n++] = jump(BPF_JSET, PROT_EXEC, 0, 1);
	code[n++] = answer(SECCOMP_RET_ERRNO | ENOSYS);
	code[n++] = answer(SECCOMP_RET_ALLOW);

	const struct sock_fprog program = { .len = (unsigned short)n, .filter = code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return err_sys(err, errno, "prctl", "PR_SET_SECCOMP");
	return 0;
}

static int drop_capabilities(struct err *err)
{
	const uint32_t keep = UINT32_C(1) << CAP_CHOWN | UINT32_C(1) << CAP_DAC_OVERRIDE |
			      UINT32_C(1) << CAP_FOWNER | UINT32_C(1) << CAP_FSETID;
	const uint64_t all = keep | UINT64_C(1) << CAP_SETFCAP;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted = (uint32_t)(all >> (32 * i));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		syscall(SYS_capset, &head, data) < 0)
		return err_sys(err, errno, "capset", "of the unpacking process");
	return 0;
}

#ifndef __SANITIZE_ADDRESS__ /* its shadow is bigger than any limit */
/* Bytes that are mapped already, from /proc/self/statm; 0 where there is no procfs. */
static uint64_t mapped_now(void)
{
	char text[128];
	uint64_t pages;
	_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = 0;
	text[strcspn(text, " ")] = 0;
	if (parse_u64(text, UINT32_MAX, &pages) < 0)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
#endif

static int limit(int what, rlim_t value, struct err *err)
{
	struct rlimit now;

	if (getrlimit(what, &now) < 0)
		return err_sys(err, errno, "getrlimit", "%d", what);
	now.rlim_max = MIN(now.rlim_max, value);
	now.rlim_cur = MIN(now.rlim_max, value);
	if (setrlimit(what, &now) < 0)
		return err_sys(err, errno, "setrlimit", "%d", what);
	return 0;
}

static int set_limits(struct err *err)
{
	if (limit(RLIMIT_CORE, 0, err) < 0 || limit(RLIMIT_CPU, CPU_SECONDS_MAX, err) < 0 ||
		limit(RLIMIT_NOFILE, FILES_MAX, err) < 0)
		return -1;
#ifndef __SANITIZE_ADDRESS__
	if (limit(RLIMIT_AS, mapped_now() + MEMORY_MAX, err) < 0)
		return -1;
#endif
	return 0;
}

/* The three that stay get their numbers, by way of numbers that are none of them. */
int confine_fds(int blob_fd, int talk_fd, int root_fd, struct err *err)
{
	int from[] = { blob_fd, talk_fd, root_fd };
	const int to[] = { CONFINE_BLOB, CONFINE_TALK, CONFINE_ROOT };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(err, errno, "open", "/dev/null");
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, CONFINE_FD_N)) < 0)
			return err_sys(err, errno, "fcntl", "F_DUPFD_CLOEXEC");
	if (null < CONFINE_FD_N && (null = fcntl(null, F_DUPFD_CLOEXEC, CONFINE_FD_N)) < 0)
		return err_sys(err, errno, "fcntl", "F_DUPFD_CLOEXEC");
	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		if (dup2(from[i], to[i]) < 0)
			return err_sys(err, errno, "dup2", "%d", to[i]);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return err_sys(err, errno, "dup2", "%d", fd);
	if (sys_close_range(CONFINE_FD_N, ~0U, 0) < 0)
		return err_sys(err, errno, "close_range", "from %d on", CONFINE_FD_N);
	return 0;
}

static void default_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int confine(pid_t parent, struct err *err)
{
	default_signals();
	if (set_limits(err) < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(err, errno, "unshare", "the network namespace");
	if (fchdir(CONFINE_ROOT) < 0 || chroot(".") < 0)
		return err_sys(err, errno, "chroot", "into the layer's folder");
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		drop_capabilities(err) < 0)
		return err->code ? -1 : err_sys(err, errno, "prctl", "of the unpacking process");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, errno, "prctl", "PR_SET_PDEATHSIG");
	if (getppid() != parent)
		return err_set(err, ERR_SYSTEM, NULL, "the process that wanted the layer is gone");
	return filter_calls(err);
}
