/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containerd's default profile lets through, by subject. A test compares this table with
 * tests/data/seccomp_default_facts.json: a call that is added here only, or there only, fails it.
 */
#include "model/seccomp-default-table.h"

#include "model/oci.h"

#include <errno.h>

/* Clocks, timers, sleep. */
static const char *const time_calls[] = { "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64",
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "getitimer", "gettimeofday", "nanosleep",
	"setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
	"timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times" };
/* Signals and what waits for them. */
static const char *const signal_calls[] = { "kill", "pause", "pidfd_send_signal", "restart_syscall",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
	"rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo",
	"sigaltstack", "signalfd", "signalfd4", "sigprocmask", "sigreturn", "tgkill", "tkill" };
/* Memory. */
static const char *const memory_calls[] = { "brk", "cachestat", "madvise", "map_shadow_stack",
	"membarrier", "memfd_create", "memfd_secret", "mincore", "mlock", "mlock2", "mlockall",
	"mmap", "mmap2", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap",
	"pkey_alloc", "pkey_free", "pkey_mprotect", "process_mrelease", "remap_file_pages" };
/* Sockets, once there is one: socket itself has its own rules. socketcall and ipc are how 32-bit
 * programs do it. */
static const char *const socket_calls[] = { "accept", "accept4", "bind", "connect", "getpeername",
	"getsockname", "getsockopt", "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64",
	"recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall",
	"socketpair" };
/* Queues, semaphores, shared memory. */
static const char *const ipc_calls[] = { "futex", "futex_requeue", "futex_time64", "futex_wait",
	"futex_waitv", "futex_wake", "get_robust_list", "ipc", "mq_getsetattr", "mq_notify",
	"mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl",
	"semget", "semop", "semtimedop", "semtimedop_time64", "set_robust_list", "shmat", "shmctl",
	"shmdt", "shmget" };
/* Waiting for files. */
static const char *const event_calls[] = { "_newselect", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old",
	"eventfd", "eventfd2", "fanotify_mark", "inotify_add_watch", "inotify_init",
	"inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents",
	"io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "poll", "ppoll",
	"ppoll_time64", "pselect6", "pselect6_time64", "select" };
/* Extended attributes. */
static const char *const xattr_calls[] = { "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr",
	"getxattr", "getxattrat", "lgetxattr", "listxattr", "listxattrat", "llistxattr",
	"lremovexattr", "lsetxattr", "removexattr", "removexattrat", "setxattr", "setxattrat" };
/* Users, groups, capabilities, limits, and the rules that a process puts on itself. */
static const char *const identity_calls[] = { "capget", "capset", "getegid", "getegid32", "geteuid",
	"geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getpgid", "getpgrp",
	"getpid", "getppid", "getpriority", "getresgid", "getresgid32", "getresuid", "getresuid32",
	"getrlimit", "getrusage", "getsid", "gettid", "getuid", "getuid32", "ioprio_get",
	"ioprio_set", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	"lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "prctl", "prlimit64",
	"seccomp", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32",
	"setgroups", "setgroups32", "setpgid", "setpriority", "setregid", "setregid32", "setresgid",
	"setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setrlimit", "setsid",
	"setuid", "setuid32", "ugetrlimit" };
/* Processes, threads, scheduling. */
static const char *const process_calls[] = { "execve", "execveat", "exit", "exit_group", "fork",
	"get_thread_area", "getcpu", "pidfd_open", "rseq", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
	"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
	"set_thread_area", "set_tid_address", "uretprobe", "vfork", "wait4", "waitid", "waitpid" };
/* Open files: reading, writing, copying, syncing. */
static const char *const file_io_calls[] = { "_llseek", "close", "close_range", "copy_file_range",
	"dup", "dup2", "dup3", "fadvise64", "fadvise64_64", "fallocate", "fcntl", "fcntl64",
	"fdatasync", "flock", "fsync", "ftruncate", "ftruncate64", "ioctl", "lseek", "pipe",
	"pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read",
	"readahead", "readv", "sendfile", "sendfile64", "splice", "sync", "sync_file_range",
	"syncfs", "tee", "vmsplice", "write", "writev" };
/* Names: opening, looking, making, changing. */
static const char *const path_calls[] = { "access", "chdir", "chmod", "chown", "chown32", "creat",
	"faccessat", "faccessat2", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown",
	"fchown32", "fchownat", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
	"futimesat", "getcwd", "getdents", "getdents64", "lchown", "lchown32", "link", "linkat",
	"listmount", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
	"name_to_handle_at", "newfstatat", "open", "openat", "openat2", "readlink", "readlinkat",
	"rename", "renameat", "renameat2", "rmdir", "stat", "stat64", "statfs", "statfs64",
	"statmount", "statx", "symlink", "symlinkat", "truncate", "truncate64", "umask", "unlink",
	"unlinkat", "utime", "utimensat", "utimensat_time64", "utimes" };
/* The rest. */
static const char *const other_calls[] = { "getrandom", "sysinfo", "uname" };

/* Since Linux 4.8 a tracer can't lead its tracee past the filter. */
static const char *const trace_calls[] = { "process_vm_readv", "process_vm_writev", "ptrace" };

static const char *const amd64_calls[] = { "arch_prctl", "modify_ldt" };
static const char *const arm64_calls[] = { "arm_fadvise64_64", "arm_sync_file_range", "breakpoint",
	"cacheflush", "set_tls", "sync_file_range2" };

/* What a capability opens. ptrace and process_vm_* are open anyhow. */
static const char *const sys_admin_calls[] = { "bpf", "clone", "clone3", "fanotify_init",
	"fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount", "mount_setattr",
	"move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd", "setdomainname",
	"sethostname", "setns", "syslog", "umount", "umount2", "unshare" };
static const char *const dac_read_search_calls[] = { "open_by_handle_at" };
static const char *const sys_boot_calls[] = { "reboot" };
static const char *const sys_chroot_calls[] = { "chroot" };
static const char *const sys_module_calls[] = { "delete_module", "finit_module", "init_module" };
static const char *const sys_pacct_calls[] = { "acct" };
static const char *const sys_ptrace_calls[] = { "kcmp", "pidfd_getfd", "process_madvise" };
static const char *const sys_rawio_calls[] = { "ioperm", "iopl" };
static const char *const sys_time_calls[] = { "clock_settime", "clock_settime64", "settimeofday",
	"stime" };
static const char *const sys_tty_config_calls[] = { "vhangup" };
static const char *const sys_nice_calls[] = { "get_mempolicy", "mbind", "set_mempolicy",
	"set_mempolicy_home_node" };
static const char *const syslog_calls[] = { "syslog" };
static const char *const bpf_calls[] = { "bpf" };
static const char *const perfmon_calls[] = { "perf_event_open" };

static const char *const socket_call[] = { "socket" };
static const char *const personality_call[] = { "personality" };
static const char *const clone_call[] = { "clone" };
static const char *const clone3_call[] = { "clone3" };

/* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. Not NEWTIME: in clone's flags its bit
 * is a part of the signal's number. */
enum { CLONE_NAMESPACES = 0x7e020000 };

#define NAMES_(list) .names = (list), .n_names = ARRAY_SIZE(list)
#define ALLOW(list)                                   \
	{                                             \
		NAMES_(list), .action = OCI_ACT_ALLOW \
	}
#define ALLOW_WITH(capability, list)                                                             \
	{                                                                                        \
		NAMES_(list), .action = OCI_ACT_ALLOW, .when = SECCOMP_WITH, .cap = (capability) \
	}
#define ALLOW_ON(which, list)                                                                 \
	{                                                                                     \
		NAMES_(list), .action = OCI_ACT_ALLOW, .when = SECCOMP_ON, .machine = (which) \
	}
#define ALLOW_IF(list, how, number)                                     \
	{                                                               \
		NAMES_(list), .action = OCI_ACT_ALLOW, .has_arg = true, \
			      .arg = {.op = (how),                      \
				      .value = (number) }               \
	}

const struct seccomp_default_row seccomp_default_rows[] = {
	ALLOW(time_calls),
	ALLOW(signal_calls),
	ALLOW(memory_calls),
	ALLOW(socket_calls),
	ALLOW(ipc_calls),
	ALLOW(event_calls),
	ALLOW(xattr_calls),
	ALLOW(identity_calls),
	ALLOW(process_calls),
	ALLOW(file_io_calls),
	ALLOW(path_calls),
	ALLOW(other_calls),
	ALLOW(trace_calls),
	/* All families but AF_ALG (38) and AF_VSOCK (40). Ranges, as conditions on one argument are
	 * ORed. */
	ALLOW_IF(socket_call, OCI_CMP_LT, 38),
	ALLOW_IF(socket_call, OCI_CMP_EQ, 39),
	ALLOW_IF(socket_call, OCI_CMP_GT, 40),
	/* PER_LINUX, PER_LINUX32, each with UNAME26 too, and the question which one it is. */
	ALLOW_IF(personality_call, OCI_CMP_EQ, 0),
	ALLOW_IF(personality_call, OCI_CMP_EQ, 0x8),
	ALLOW_IF(personality_call, OCI_CMP_EQ, 0x20000),
	ALLOW_IF(personality_call, OCI_CMP_EQ, 0x20008),
	ALLOW_IF(personality_call, OCI_CMP_EQ, 0xffffffff),
	ALLOW_ON(SECCOMP_AMD64, amd64_calls),
	ALLOW_ON(SECCOMP_ARM64, arm64_calls),
	ALLOW_WITH("CAP_SYS_ADMIN", sys_admin_calls),
	ALLOW_WITH("CAP_DAC_READ_SEARCH", dac_read_search_calls),
	ALLOW_WITH("CAP_SYS_BOOT", sys_boot_calls),
	ALLOW_WITH("CAP_SYS_CHROOT", sys_chroot_calls),
	ALLOW_WITH("CAP_SYS_MODULE", sys_module_calls),
	ALLOW_WITH("CAP_SYS_PACCT", sys_pacct_calls),
	ALLOW_WITH("CAP_SYS_PTRACE", sys_ptrace_calls),
	ALLOW_WITH("CAP_SYS_RAWIO", sys_rawio_calls),
	ALLOW_WITH("CAP_SYS_TIME", sys_time_calls),
	ALLOW_WITH("CAP_SYS_TTY_CONFIG", sys_tty_config_calls),
	ALLOW_WITH("CAP_SYS_NICE", sys_nice_calls),
	ALLOW_WITH("CAP_SYSLOG", syslog_calls),
	ALLOW_WITH("CAP_BPF", bpf_calls),
	ALLOW_WITH("CAP_PERFMON", perfmon_calls),
	/* Threads and children, but no namespaces. The flags of clone3 lie behind a pointer where
	 * no filter sees them: with ENOSYS a libc takes clone instead. */
	{ NAMES_(clone_call), .action = OCI_ACT_ALLOW, .when = SECCOMP_WITHOUT,
		.cap = "CAP_SYS_ADMIN", .has_arg = true,
		.arg = { .op = OCI_CMP_MASKED_EQ, .value = CLONE_NAMESPACES, .value_two = 0 } },
	{ NAMES_(clone3_call), .action = OCI_ACT_ERRNO, .errno_ret = ENOSYS,
		.when = SECCOMP_WITHOUT, .cap = "CAP_SYS_ADMIN" },
};
const size_t seccomp_default_n_rows = ARRAY_SIZE(seccomp_default_rows);

const char *const seccomp_default_archs[SECCOMP_MACHINE_N][4] = {
	[SECCOMP_AMD64] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" },
	[SECCOMP_ARM64] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM" },
};
