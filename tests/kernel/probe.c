/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static program for tests inside containers: tells what no file of /proc and no applet tells.
 *
 * ids        real and effective user
 * sched      policy, nice, priority, flags, runtime, deadline and period
 * ioprio     class and priority
 * mempolicy  mode and node mask
 * session    description of the session keyring; a number that stands for it
 * fds        the open fds, one a line, and where they lead
 * isatty     the number of the session, of the process and of the terminal's foreground group
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ids(void)
{
	return printf("%d %d\n", (int)getuid(), (int)geteuid()) < 0;
}

static int sched(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = sizeof(a) };

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0)
		return 1;
	return printf("%u %d %u %llu %llu %llu %llu\n", a.policy, a.nice, a.priority,
		       (unsigned long long)a.flags, (unsigned long long)a.runtime,
		       (unsigned long long)a.deadline, (unsigned long long)a.period) < 0;
}

static int ioprio(void)
{
	enum { WHO_PROCESS = 1, CLASS_SHIFT = 13 };
	long v = syscall(SYS_ioprio_get, WHO_PROCESS, 0);

	return v < 0 || printf("%ld %ld\n", v >> CLASS_SHIFT, v & ((1 << CLASS_SHIFT) - 1)) < 0;
}

static int mempolicy(void)
{
	enum { NODES = 1024 };
	unsigned long mask[NODES / (8 * sizeof(unsigned long))] = { 0 };
	int mode;

	if (syscall(SYS_get_mempolicy, &mode, mask, (unsigned long)NODES, NULL, 0ul) < 0)
		return 1;
	return printf("%d %lx\n", mode, mask[0]) < 0;
}

static int session(void)
{
	enum { KEYCTL_GET_KEYRING_ID = 0, KEYCTL_DESCRIBE = 6, SESSION = -3 };
	char text[512] = "";
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, SESSION, 0);

	if (id < 0 || syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof(text) - 1) < 0)
		return 1;
	const char *name = strrchr(text, ';');
	return printf("%s %ld\n", name ? name + 1 : text, id) < 0;
}

static int fds(void)
{
	char link[PATH_MAX];
	DIR *d = opendir("/proc/self/fd");

	if (!d)
		return 1;
	for (const struct dirent *e; (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		if (n < 0 || atoi(e->d_name) == dirfd(d))
			continue;
		link[n] = '\0';
		printf("%s %s\n", e->d_name, link);
	}
	return closedir(d);
}

static int terminal(void)
{
	return printf("%d %d %d\n", (int)getsid(0), (int)getpid(), (int)tcgetpgrp(0)) < 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} verbs[] = {
		{ "ids", ids },
		{ "sched", sched },
		{ "ioprio", ioprio },
		{ "mempolicy", mempolicy },
		{ "session", session },
		{ "fds", fds },
		{ "isatty", terminal },
	};

	for (size_t i = 0; argc == 2 && i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (verbs[i].run() == 0)
			return 0;
		perror(argv[1]);
		return 1;
	}
	return 2;
}
