/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - what the kernel itself costs: the bundle's container, made by a bare C program.
 *
 * Every table comes from a generated header (bundles.py), which also writes the config.json that
 *the runtimes read. So this program makes the same namespaces, cgroup, mounts, device nodes, masks,
 *device program, capabilities and filter, with the cheapest call known for each, and then executes
 *the program. What it lacks, on purpose, is all that makes a runtime: it reads no JSON, compiles no
 *filter, keeps no record but a pid file, resolves no name with care, has no image of its own in the
 *container (no memfd), survives no failure and explains none. The tables decide everything; nothing
 *is asked of the host.
 *
 *	floor run PROGRAM             makes the container, waits for its end, removes its cgroup
 *	floor create PIDFILE PROGRAM  makes it, and leaves it waiting at a fifo beside the pid file
 *	floor start|kill|delete PIDFILE
 *	floor exec PIDFILE PROGRAM    a second process in it, in the foreground
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

struct fs {
	const char *on, *type, *source;
	unsigned long flags;
	const char *data;
};

#include "floor-tables.h"

enum {
	SIX = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	      CLONE_NEWCGROUP
};
enum { N_MOUNTS = sizeof(mounts) / sizeof(*mounts) };

static char *program[2];
static int gate = -1, ready = -1; /* create: the fifo, the pipe to the parent */
static uint32_t devices_ruled;    /* futex: the parent has attached the device program */

static void need(long r, const char *what)
{
	if (r < 0) {
		perror(what);
		_exit(125);
	}
}

/* ---- inside the container ---- */

static void file_systems(void)
{
	need(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	need(mount(ROOTFS, ROOTFS, NULL, MS_BIND | MS_REC, NULL), "root");
	need(chdir(ROOTFS), "chdir");
	for (const struct fs *m = mounts; m < mounts + N_MOUNTS; m++) {
		int r = mount(m->source, m->on, m->type, m->flags, m->data);
		if (r < 0 && errno == ENOENT && mkdir(m->on, 0755) == 0)
			r = mount(m->source, m->on, m->type, m->flags, m->data);
		need(r, m->on);
	}
}

static void device_nodes(void)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = { { "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 },
		{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 } };
	static const char *const links[][2] = { { "/proc/self/fd", "dev/fd" },
		{ "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" },
		{ "/proc/self/fd/2", "dev/stderr" }, { "/proc/kcore", "dev/core" },
		{ "pts/ptmx", "dev/ptmx" } };
	umask(0);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) <
				0 &&
			errno != EEXIST)
			need(-1, nodes[i].name);
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			need(-1, links[i][1]);
	umask(022);
}

static void masks(void)
{
	const char *empty = NULL; /* the first masked folder; the others are binds of it */
	for (const char *const *p = masked; *p; p++) {
		int r = mount("/dev/null", *p, NULL, MS_BIND, NULL);
		if (r < 0 && errno == ENOTDIR) {
			r = empty ? mount(empty, *p, NULL, MS_BIND, NULL)
				  : mount("tmpfs", *p, "tmpfs", MS_RDONLY, "size=0k");
			empty = empty ? empty : *p;
		}
		if (r < 0 && errno != ENOENT)
			need(-1, *p);
	}
	for (const char *const *p = readonly; *p; p++) {
		int r = mount(*p, *p, NULL, MS_BIND | MS_REC, NULL);
		if (r == 0)
			r = mount(NULL, *p, NULL,
				MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
				NULL);
		if (r < 0 && errno != ENOENT)
			need(-1, *p);
	}
}

static void loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	need(s, "socket");
	need(ioctl(s, SIOCSIFFLAGS, &lo), "lo");
	close(s);
}

/* The same for the first process and for one that exec adds. */
static void privileges(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	uint32_t low = (uint32_t)CAPS, high = (uint32_t)(CAPS >> 32);
	struct __user_cap_data_struct d[2] = { { low, low, 0 }, { high, high, 0 } };
	struct sock_fprog prog = { sizeof(filter) / sizeof(*filter) - 1,
		(struct sock_filter *)filter };
	struct rlimit files = { 1024, 1024 };
	need(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "floor"), "keyctl");
	if (ENGINE)
		need(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
	for (int c = 0; c < 64; c++)
		if (!(CAPS >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			break; /* past the kernel's last one */
	need(syscall(SYS_setgroups, 0, NULL), "setgroups");
	need(syscall(SYS_capset, &h, d), "capset");
	if (!ENGINE)
		return;
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog),
		"seccomp");
}

static void run_program(void)
{
	execve(program[0], program, (char *const *)environment);
	need(-1, program[0]);
}

static int container(void)
{
	char byte;
	need(setsid(), "setsid");
	file_systems();
	device_nodes();
	need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	need(umount2(".", MNT_DETACH), "umount2");
	need(chdir("/"), "chdir");
	masks();
	loopback();
	if (ENGINE) {
		need(sethostname("bench", 5), "sethostname");
		while (!__atomic_load_n(&devices_ruled, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, &devices_ruled, FUTEX_WAIT, 0, NULL, NULL, 0);
	}
	privileges();
	if (gate >= 0) {
		need(write(ready, "r", 1), "ready");
		close(ready);
		need(read(gate, &byte, 1), "gate");
	}
	close_range(3, ~0U, 0);
	run_program();
	return 1;
}

/* ---- outside ---- */

static int cgroup_new(void)
{
	need(mkdir(CGROUP, 0755), CGROUP);
	int fd = open(CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(fd, CGROUP);
	return fd;
}

static void device_rules(int cgroup)
{
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)device_program,
		.insn_cnt = sizeof(device_program) / sizeof(*device_program) - 1,
		.license = (uintptr_t) "Apache-2.0" };
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	need(fd, "bpf load");
	union bpf_attr attach = { .target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)fd,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI };
	need(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)), "bpf attach");
	close((int)fd);
}

/*
 * clone3 with the parent's memory and a stack of its own: nothing is copied, and both halves run at
 * the same time. It needs a few instructions, since a function cannot return on two stacks.
 */
static pid_t spawn(uint64_t flags, int cgroup, int (*child)(void))
{
	static char stack[65536] __attribute__((aligned(16)));
	struct clone_args a = { .flags = flags | CLONE_VM | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
		.cgroup = (uint64_t)cgroup };
	register int (*fn)(void) __asm__("r12") = child;
	long r;
	__asm__ volatile(
		"syscall\n\ttest %%rax,%%rax\n\tjnz 1f\n\txor %%ebp,%%ebp\n\tcall *%%r12\n\t"
		"mov %%eax,%%edi\n\tmov $60,%%eax\n\tsyscall\n1:"
		: "=a"(r)
		: "0"((long)SYS_clone3), "D"(&a), "S"(sizeof(a)), "r"(fn)
		: "rcx", "r11", "memory");
	if (r < 0)
		errno = (int)-r;
	need(r, "clone3");
	return (pid_t)r;
}

/* One clone into everything; the device program is loaded while the child mounts. */
static pid_t begin(void)
{
	int cgroup = cgroup_new();
	pid_t pid = spawn(SIX, cgroup, container);
	if (ENGINE) {
		device_rules(cgroup);
		__atomic_store_n(&devices_ruled, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &devices_ruled, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	close(cgroup);
	return pid;
}

static int end(pid_t pid)
{
	int status;
	need(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(void)
{
	int status = end(begin());
	need(rmdir(CGROUP), "rmdir");
	return status;
}

static const char *gate_of(const char *pidfile)
{
	static char name[4096];
	snprintf(name, sizeof(name), "%s.gate", pidfile);
	return name;
}

static int create(const char *pidfile)
{
	char text[16];
	int pipes[2];
	need(mkfifo(gate_of(pidfile), 0600), "mkfifo");
	gate = open(
		gate_of(pidfile), O_RDWR | O_CLOEXEC); /* both ends: it cannot see an end of file */
	need(gate, "gate");
	need(pipe2(pipes, O_CLOEXEC), "pipe");
	ready = pipes[1];
	pid_t pid = begin();
	close(pipes[1]);
	if (read(pipes[0], text, 1) != 1)
		return end(pid);
	int fd = open(pidfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	need(fd, pidfile);
	need(write(fd, text, (size_t)snprintf(text, sizeof(text), "%d\n", pid)), pidfile);
	return 0;
}

static int start(const char *pidfile)
{
	int fd = open(gate_of(pidfile), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	need(fd, "gate");
	need(unlink(gate_of(pidfile)), "gate");
	need(write(fd, "s", 1), "gate");
	return 0;
}

static int open_process(const char *pidfile)
{
	char text[16] = "";
	int fd = open(pidfile, O_RDONLY | O_CLOEXEC);
	need(fd, pidfile);
	need(read(fd, text, sizeof(text) - 1), pidfile);
	close(fd);
	int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(text, NULL, 10), 0);
	need(pidfd, "pidfd_open");
	return pidfd;
}

static int second(void)
{
	need(setsid(), "setsid");
	privileges();
	run_program();
	return 1;
}

static int add(const char *pidfile)
{
	int pidfd = open_process(pidfile);
	int cgroup = open(CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(cgroup, CGROUP);
	need(setns(pidfd, SIX), "setns");
	return end(spawn(CLONE_VFORK, cgroup, second));
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "", *pidfile = argv[2];
	program[0] = argc > 2 ? argv[argc - 1] : NULL;
	if (!strcmp(verb, "run") && argc == 3)
		return run();
	if (!strcmp(verb, "create") && argc == 4)
		return create(pidfile);
	if (!strcmp(verb, "start"))
		return start(pidfile);
	if (!strcmp(verb, "exec") && argc == 4)
		return add(pidfile);
	if (!strcmp(verb, "kill"))
		return syscall(SYS_pidfd_send_signal, open_process(pidfile), SIGKILL, NULL, 0) < 0;
	if (!strcmp(verb, "delete"))
		return rmdir(CGROUP) < 0;
	fputs("usage: floor run PROGRAM | create PIDFILE PROGRAM | start|kill|delete PIDFILE | "
	      "exec PIDFILE PROGRAM\n",
		stderr);
	return 2;
}
