/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - run in place of true by the self-check: prints what its container is made of, so that the
 * contenders' containers can be compared line by line.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

static void copy(const char *path, const char *mark)
{
	char line[4096];
	FILE *f = fopen(path, "re");
	while (f && fscanf(f, " %4095[^\n]", line) == 1)
		printf("%s %s\n", mark, line);
	if (f)
		fclose(f);
}

static void node(const char *path)
{
	char to[256] = "";
	struct stat st;
	if (lstat(path, &st) < 0) {
		printf("node %s none\n", path);
		return;
	}
	if (readlink(path, to, sizeof(to) - 1) >= 0)
		printf("node %s -> %s\n", path, to);
	else
		printf("node %s %o %u:%u\n", path, st.st_mode, major(st.st_rdev),
			minor(st.st_rdev));
}

/* A node that the device rules name, and one that they don't: what opening each answers. */
static void device(const char *name, unsigned major, unsigned minor)
{
	int made = mknod(name, S_IFCHR | 0600, makedev(major, minor)), e = made < 0 ? errno : 0;
	printf("device %u:%u mknod %s", major, minor, made < 0 ? strerror(e) : "ok");
	int fd = made < 0 ? -1 : open(name, O_RDWR | O_CLOEXEC);
	printf(" open %s\n", fd >= 0          ? "ok"
			     : made < 0       ? "-"
			     : errno == EPERM ? "refused"
					      : "let through");
	if (fd >= 0)
		close(fd);
	if (made == 0)
		unlink(name);
}

int main(void)
{
	static const char *const nodes[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
		"/dev/urandom", "/dev/tty", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr",
		"/dev/ptmx", "/dev/core", "/dev/console" };
	static const char *const kinds[] = { "pid", "net", "ipc", "uts", "mnt", "cgroup", "user",
		"time" };
	char link[128], path[64];
	struct rlimit files;
	struct utsname u;
	struct ifreq lo = { .ifr_name = "lo" };
	copy("/proc/self/mountinfo", "mount");
	copy("/proc/self/status", "status");
	copy("/proc/self/cgroup", "cgroup");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		node(nodes[i]);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		printf("namespace %.*s\n", n < 0 ? 0 : (int)n, link);
	}
	device("/dev/probe-null", 1, 3);
	device("/dev/probe-fuse", 10, 229);
	uname(&u);
	printf("host %s\n", u.nodename);
	getrlimit(RLIMIT_NOFILE, &files);
	printf("files %llu %llu\n", (unsigned long long)files.rlim_cur,
		(unsigned long long)files.rlim_max);
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int up = ioctl(s, SIOCGIFFLAGS, &lo) == 0 && lo.ifr_flags & IFF_UP;
	printf("lo %s\n", up ? "up" : "down");
	close(s);
	printf("session %s\n",
		getsid(0) == getpid() && getpgrp() == getpid() ? "its own" : "joined");
	printf("call add_key %s\n",
		syscall(SYS_add_key, 0, 0, 0, 0, 0) < 0 ? strerror(errno) : "ok");
	printf("call unshare %s\n", syscall(SYS_unshare, 0) < 0 ? strerror(errno) : "ok");
	printf("call clone3 %s\n", syscall(SYS_clone3, 0, 0) < 0 ? strerror(errno) : "ok");
	printf("cwd %s umask %o\n", getcwd(path, sizeof(path)) ? path : "-", umask(0));
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("open %d\n", fd);
	return 0;
}
