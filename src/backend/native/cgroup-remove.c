/* SPDX-License-Identifier: Apache-2.0 */
/* Removing groups: the quick way, the deep way, and the parents that were made for them. */
#include "cgroup-impl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { REMOVE_TIMEOUT_MS = 1000 };

static bool was_made(int fd)
{
	struct stat st;
	char mark[8];

	return fgetxattr(fd, CGROUP_MADE_MARK, mark, sizeof(mark)) >= 0 ||
	       (fstat(fd, &st) == 0 && st.st_mode & S_ISVTX);
}

/* Removes marked groups from `path` (relative, beneath root) upwards, as far as they are empty.
 * Never fails: another container may live there. */
void cgroup_drop_made(int root, char *path)
{
	char above[PATH_MAX];

	while (!str_eq(path, ".")) {
		char *slash = strrchr(path, '/');
		const char *name = slash ? slash + 1 : path;
		size_t n = slash ? (size_t)(slash - path) : 1;
		_close_ int fd = cgroup_openat(root, path, O_RDONLY | O_DIRECTORY);

		memcpy(above, slash ? path : ".", n);
		above[n] = '\0';
		if (fd >= 0) {
			_close_ int up = cgroup_openat(root, above, O_PATH | O_DIRECTORY);
			if (!was_made(fd) || up < 0 || unlinkat(up, name, AT_REMOVEDIR) < 0)
				return;
		} else if (errno != ENOENT) {
			return;
		}
		memcpy(path, above, n + 1);
	}
}

/* The name of the first directory in cur for which rmdir fails, after removing all for which it
 * doesn't. 1 there is one (EBUSY: it has children or processes), 0 none is left, -1 errno. */
static int remove_children(int cur, char name[NAME_MAX + 1])
{
	int fd = openat(cur, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(fd);
		return -1;
	}
	errno = 0;
	for (struct dirent *d; (d = readdir(dir)); errno = 0) {
		if (d->d_type != DT_DIR || str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		if (unlinkat(cur, d->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return -1;
		memcpy(name, d->d_name, strlen(d->d_name) + 1);
		return 1;
	}
	return errno && errno != ENODEV && errno != ENOENT ? -1 : 0;
}

/* Removes the sub-groups of fd, however deep, with two fds: down into the first that isn't empty,
 * up when nothing is left in it.
 * ".." is safe here: cgroupfs has no symlinks and nothing can be moved. 0, or -1 with errno (EBUSY:
 * processes). */
static int remove_beneath(int top)
{
	_close_ int cur = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1] = "", last[NAME_MAX + 1] = "";
	size_t depth = 0;
	bool climbed = false;

	while (cur >= 0) {
		int r = remove_children(cur, name);
		int next = FD_NONE;

		if (r < 0)
			return -1;
		if (r == 1 && climbed && str_eq(name, last)) {
			errno = EBUSY; /* nothing beneath, and still: it has processes */
			return -1;
		}
		climbed = false;
		if (r == 1) {
			next = openat(cur, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (next < 0 && (errno == ENOENT || errno == ENODEV))
				continue;
			memcpy(last, name, sizeof(last));
			depth++;
		} else {
			if (depth == 0)
				return 0;
			next = openat(cur, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			depth--;
			climbed = true;
		}
		fd_close(cur);
		cur = next;
	}
	return -1;
}

static int remove_busy(const struct cgroup *cg, const char *path, struct err *err)
{
	char who[256];

	cgroup_straggler(cg, who, sizeof(who));
	err_set(err, ERR_TIMEOUT, path, "the cgroup is still in use: %s", who);
	return err_hint(err,
		"its processes must end first; one in state D ends when the device or server it waits for answers");
}

/* The slow way: something is beneath, or processes are about to go. */
static int remove_slowly(int up, const char *leaf, const char *path, struct err *err)
{
	int64_t end = cgroup_now_ms() + REMOVE_TIMEOUT_MS;
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	cg.fd = cgroup_openat(up, leaf, O_RDONLY | O_DIRECTORY);
	if (cg.fd < 0)
		return errno == ENOENT ? 0 : cgroup_fail(err, errno, "open", path);
	for (int pause_ms = 1;; pause_ms = MIN(2 * pause_ms, 50)) {
		if (remove_beneath(cg.fd) < 0 && errno != EBUSY && errno != ENOENT &&
			errno != ENODEV)
			return cgroup_fail(err, errno, "removing its sub-groups", path);
		if (unlinkat(up, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return cgroup_fail(err, errno, "rmdir", path);
		if (cgroup_now_ms() >= end)
			return remove_busy(&cg, path, err);
		if (cgroup_await(cg.fd, "populated", 0, pause_ms) == 1)
			(void)nanosleep(&(struct timespec){ .tv_nsec = pause_ms * 1000000L }, NULL);
	}
}

/* Opens the parent and tries one rmdir. 0 gone, 1 busy (ret_up is open), -1 failed. */
static int remove_quickly(int root, const char *parent, const char *leaf, const char *path,
	int *ret_up, struct err *err)
{
	*ret_up = cgroup_openat(root, parent, O_PATH | O_DIRECTORY);
	if (*ret_up < 0)
		return errno == ENOENT ? 0 : cgroup_fail(err, errno, "open", path);
	if (unlinkat(*ret_up, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == EBUSY || errno == ENOTEMPTY)
		return 1;
	return cgroup_fail(err, errno, "rmdir", path);
}

int cgroup_remove(const char *path, struct err *err)
{
	char parent[PATH_MAX];
	_close_ int root = FD_NONE, up = FD_NONE;

	if (cgroup_check_path(path, err) < 0 || (root = cgroup_open_root(err)) < 0)
		return -1;
	const char *leaf = cgroup_split(path, parent);
	int r = remove_quickly(root, parent, leaf, path, &up, err);
	if (r == 1)
		r = remove_slowly(up, leaf, path, err);
	if (r < 0)
		return -1;
	cgroup_drop_made(root, parent);
	return 0;
}

int cgroup_remove_empty(const char *path)
{
	struct err ignored = ERR_INIT;
	char parent[PATH_MAX];
	_close_ int root = FD_NONE, up = FD_NONE;

	if (cgroup_check_path(path, &ignored) < 0 || (root = cgroup_open_root(&ignored)) < 0)
		return 0;
	const char *leaf = cgroup_split(path, parent);
	if (remove_quickly(root, parent, leaf, path, &up, &ignored) != 0)
		return 0;
	cgroup_drop_made(root, parent);
	return 1;
}
