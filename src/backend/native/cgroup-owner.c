/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose group it is. A path alone doesn't say: a container that ended leaves an empty group, which
 * the next one with the same linux.cgroupsPath takes over; and a create that was killed may have
 * recorded a path that it never came to own. So the owner is an attribute of the group, of the
 * trusted class, which no container can set.
 */
#include "base/arena.h"
#include "cgroup-impl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OWNER_MARK "trusted.ctrctl.owner"

enum { OWNER_MAX = 512, DEPTH_MAX = 256 };

/* The host keeps no such attributes for us: nothing can be told by them. */
static bool has_no_marks(int os)
{
	return os == EOPNOTSUPP || os == EPERM;
}

int cgroup_claim(const struct cgroup *cg, const char *owner, struct err *err)
{
	char name[PATH_MAX];

	if (fsetxattr(cg->fd, OWNER_MARK, owner, strlen(owner), 0) == 0 || has_no_marks(errno))
		return 0;
	return cgroup_fail(err, errno, "marking", cgroup_name(cg->fd, name));
}

static bool is_owner(int fd, const char *owner, bool without_marks)
{
	char text[OWNER_MAX];
	ssize_t n = fgetxattr(fd, OWNER_MARK, text, sizeof(text));

	if (n < 0)
		return without_marks && has_no_marks(errno);
	return (size_t)n == strlen(owner) && memcmp(text, owner, (size_t)n) == 0;
}

int cgroup_is_owned(const char *path, const char *owner, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	if (cgroup_open(path, &cg, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	return is_owner(cg.fd, owner, true);
}

/* Looks beneath fd, whose path is the first n bytes of path. 1 found: path is it; 0 not, -1 errno.
 */
static int find_beneath(int fd, const char *owner, char path[PATH_MAX], size_t n, int depth)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_closedir_ DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir) {
		fd_close(own);
		return errno == ENOENT || errno == ENODEV ? 0 : -1;
	}
	for (struct dirent *d; (d = readdir(dir));) {
		size_t length = strlen(d->d_name);
		if (d->d_type != DT_DIR || str_eq(d->d_name, ".") || str_eq(d->d_name, "..") ||
			n + 1 + length >= PATH_MAX)
			continue;
		path[n] = '/';
		memcpy(path + n + 1, d->d_name, length + 1);
		_close_ int sub = cgroup_openat(fd, d->d_name, O_RDONLY | O_DIRECTORY);
		if (sub < 0)
			continue;
		if (is_owner(sub, owner, false))
			return 1;
		int r = depth < DEPTH_MAX
				? find_beneath(sub, owner, path, n + 1 + length, depth + 1)
				: 0;
		if (r)
			return r;
	}
	return 0;
}

int cgroup_find_owned(const char *owner, struct arena *arena, char **ret, struct err *err)
{
	char path[PATH_MAX];
	_close_ int root = cgroup_open_root(err);
	int r = root < 0 ? -1 : find_beneath(root, owner, path, 0, 0);

	*ret = NULL;
	if (root < 0)
		return -1;
	if (r < 0)
		return cgroup_fail(err, errno, "listing", "/");
	if (r == 0)
		return 0;
	*ret = arena_strdup(arena, path);
	return *ret ? 0 : err_nomem(err);
}
