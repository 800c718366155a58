/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source is under the container's control (its image, a shared volume), so every name is used
 * once, relative to a directory fd, with O_NOFOLLOW, and what was opened is looked at by fd.
 */
#include "backend/native/copyup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { COPYUP_DEPTH_MAX = 64, XATTR_MAX = 64 * 1024 };

static int copy_tree(int from, int to, int depth, struct err *err);

static int copy_xattrs(int from, int to, const char *name, struct err *err)
{
	_free_ char *list = malloc(XATTR_MAX), *value = malloc(XATTR_MAX);
	ssize_t n = list && value ? flistxattr(from, list, XATTR_MAX) : -1;

	if (!list || !value)
		return err_set(err, ERR_EXHAUSTED, NULL, "out of memory");
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : err_sys(err, errno, "flistxattr", "%s", name);
	for (const char *x = list; x < list + n; x += strlen(x) + 1) {
		/* Labels belong to the mount; trusted.overlay.* describes the file system it came
		 * from. */
		if (str_starts(x, "security.selinux") || str_starts(x, "trusted."))
			continue;
		ssize_t size = fgetxattr(from, x, value, XATTR_MAX);
		if (size < 0)
			return err_sys(err, errno, "fgetxattr", "%s of %s", x, name);
		if (fsetxattr(to, x, value, (size_t)size, 0) < 0 && errno != EOPNOTSUPP)
			return err_sys(err, errno, "fsetxattr", "%s of %s", x, name);
	}
	return 0;
}

/* Owner first: chown clears setuid bits, which the mode then restores. */
static int copy_metadata(int from, int to, const struct stat *st, const char *name, struct err *err)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return err_sys(err, errno, "fchown", "%s", name);
	if (fchmod(to, st->st_mode & 07777) < 0)
		return err_sys(err, errno, "fchmod", "%s", name);
	if (copy_xattrs(from, to, name, err) < 0)
		return -1;
	if (futimens(to, times) < 0)
		return err_sys(err, errno, "futimens", "%s", name);
	return 0;
}

static int copy_file(int from, int to_dir, const char *name, const struct stat *st, struct err *err)
{
	_close_ int to =
		openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (to < 0)
		return err_sys(err, errno, "open", "%s", name);
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	if (n < 0)
		return err_sys(err, errno, "sendfile", "%s", name);
	return copy_metadata(from, to, st, name, err);
}

static int copy_dir(
	int from, int to_dir, const char *name, const struct stat *st, int depth, struct err *err)
{
	if (mkdirat(to_dir, name, 0700) < 0)
		return err_sys(err, errno, "mkdir", "%s", name);
	_close_ int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (copy_tree(from, to, depth + 1, err) < 0)
		return -1;
	return copy_metadata(from, to, st, name, err);
}

static int copy_link(
	int from_dir, int to_dir, const char *name, const struct stat *st, struct err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, errno, "readlink", "%s", name);
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0)
		return err_sys(err, errno, "symlink", "%s", name);
	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "fchownat", "%s", name);
	return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct err *err)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "stat", "%s", name);
	if (S_ISLNK(st.st_mode))
		return copy_link(from_dir, to_dir, name, &st, err);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, name,
			"is neither file, directory nor symlink: tmpcopyup doesn't copy it");
	/* It may have been replaced by a FIFO meanwhile: never wait for one. */
	_close_ int from =
		openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (S_ISDIR(st.st_mode))
		return copy_dir(from, to_dir, name, &st, depth, err);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to_dir, name, &st, err);
	return err_set(err, ERR_INVALID, name, "changed its kind while it was copied");
}

static int copy_tree(int from, int to, int depth, struct err *err)
{
	int own = depth < COPYUP_DEPTH_MAX ? openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
					   : -1;

	if (depth >= COPYUP_DEPTH_MAX)
		return err_set(err, ERR_INVALID, NULL, "tmpcopyup: more than %d directories deep",
			COPYUP_DEPTH_MAX);
	_closedir_ DIR *dir = own < 0 ? NULL : fdopendir(own);
	if (!dir) {
		fd_close(own);
		return err_sys(err, errno, "opendir", "directory to copy");
	}
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (!e)
			return errno ? err_sys(err, errno, "readdir", "directory to copy") : 0;
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (copy_entry(from, to, e->d_name, depth, err) < 0)
			return err_in(err, "%s", e->d_name);
	}
}

int copyup(int from_fd, int to_fd, struct err *err)
{
	struct stat st;
	_close_ int from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return err_sys(err, errno, "open", "directory to copy");
	if (copy_tree(from, to, 0, err) < 0)
		return -1;
	return copy_metadata(from, to, &st, ".", err);
}
