/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cgroup module share: small reads, words and keys, errors. */
#include "cgroup-impl.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int cgroup_openat(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	int fd;

	for (int i = 0; i < 64; i++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

ssize_t cgroup_get(int dir, const char *file, char *buf, size_t n)
{
	_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t got = 0;

	if (fd < 0)
		return -1;
	while (got < n - 1) {
		ssize_t r = read(fd, buf + got, n - 1 - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
		if (buf[got - 1] == '\n')
			break; /* kernfs gives whole files: spares the read that would say 0 */
	}
	buf[got] = '\0';
	return (ssize_t)got;
}

bool cgroup_has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n) {
		bool begins = p == text || p[-1] == ' ' || p[-1] == '\n';
		if (begins && (p[n] == ' ' || p[n] == '\n' || p[n] == '\0'))
			return true;
	}
	return false;
}

long cgroup_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return strtol(p + n + 1, NULL, 10);
	}
	return -1;
}

const char *cgroup_name(int fd, char buf[PATH_MAX])
{
	char link[40];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, PATH_MAX - 1);
	if (n < 0)
		return "the group";
	buf[n] = '\0';
	return buf;
}

int cgroup_fail(struct err *err, int os, const char *op, const char *group)
{
	if (os == ENOENT || os == ENODEV)
		return err_set(err, ERR_NOT_FOUND, group, "the cgroup does not exist (%s)", op);
	if (os == EACCES || os == EPERM || os == EROFS) {
		err_set(err, ERR_DENIED, group, "%s is refused (%s)", op, err_errno_name(os));
		return err_hint(err,
			"inside of a container the cgroup file system is read-only unless it was delegated");
	}
	return err_sys(err, os, op, "cgroup %s", group);
}

/* The row of a controller in /proc/cgroups: its v1 hierarchy (0 none), or -1; whether it is
 * enabled. */
static int v1_hierarchy(const char *controller, bool *ret_enabled)
{
	const char *name = str_eq(controller, "io") ? "blkio" : controller;
	char text[CGROUP_FILE_MAX], row[64];
	char *rest = text;
	int hierarchy, groups, enabled;

	if (cgroup_get(AT_FDCWD, "/proc/cgroups", text, sizeof(text)) < 0)
		return -1;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (sscanf(line, "%63s %d %d %d", row, &hierarchy, &groups, &enabled) != 4 ||
			!str_eq(row, name))
			continue;
		*ret_enabled = enabled;
		return hierarchy;
	}
	return -1;
}

int cgroup_no_controller(struct err *err, const char *controller, const char *group)
{
	bool enabled = true;
	int hierarchy = v1_hierarchy(controller, &enabled);

	err_set(err, ERR_UNSUPPORTED, NULL, "controller \"%s\" is not available in %s", controller,
		group);
	if (hierarchy > 0)
		return err_hint(err,
			"it is bound to cgroup v1 on this host: boot with systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=%s",
			str_eq(controller, "io") ? "blkio" : controller);
	if (hierarchy == 0 && !enabled)
		return err_hint(
			err, "it is switched off by the kernel's command line (cgroup_disable=)");
	if (hierarchy < 0)
		return err_hint(err, "this kernel may be built without it");
	return err_hint(err, "it must be listed in cgroup.subtree_control of every group above");
}

int64_t cgroup_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
