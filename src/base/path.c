/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* openat2 answers EAGAIN while renames or mounts go on somewhere; a busy host needs a few dozen
 * tries. */
enum { EAGAIN_TRIES = 128, REMOVE_DEPTH_MAX = 256 };

static int open_resolved(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = resolve };

	for (int i = 0; i < EAGAIN_TRIES; i++) {
		int fd = sys_openat2(dir_fd, path, &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return -1;
}

int path_open_in(int root_fd, const char *path, int flags, struct err *err)
{
	int fd = open_resolved(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	return fd < 0 ? err_sys(err, errno, "openat2", "%s", path) : fd;
}

int path_open_beneath(int dir_fd, const char *path, int flags, struct err *err)
{
	int fd = open_resolved(
		dir_fd, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	return fd < 0 ? err_sys(err, errno, "openat2", "%s", path) : fd;
}

char *path_clean(struct arena *arena, const char *path)
{
	size_t n = 0;
	char *out = arena_alloc(arena, strlen(path) + 2);

	if (!out)
		return NULL;
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && out[--n] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = 0;
	return out;
}

bool path_is_under(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1 && *dir == '/')
		return *path == '/';
	return str_starts(path, dir) && (path[n] == 0 || path[n] == '/');
}

static int make_dir(const char *path, unsigned mode, struct err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	int saved = errno;
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return err_set(err, ERR_EXISTS, path, "is not a directory");
	}
	return err_sys(err, saved, "mkdir", "%s", path);
}

int path_make_dirs(const char *path, unsigned mode, struct err *err)
{
	_free_ char *copy = strf("%s", path);

	if (!copy)
		return err_nomem(err);
	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (make_dir(copy, mode, err) < 0)
			return -1;
		*p = '/';
	}
	return make_dir(path, mode, err);
}

static int remove_tree(int dir_fd, const char *name, int depth, struct err *err);

/* Everything in the directory that `own_fd` is. */
static int remove_entries(int own_fd, const char *name, int depth, struct err *err)
{
	_closedir_ DIR *dir = fdopendir(own_fd);
	struct dirent *e;

	if (!dir) {
		int saved = errno;
		fd_close(own_fd);
		return err_sys(err, saved, "opendir", "%s", name);
	}
	while ((errno = 0, e = readdir(dir))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (remove_tree(dirfd(dir), e->d_name, depth + 1, err) < 0)
			return -1;
	}
	return errno ? err_sys(err, errno, "readdir", "%s", name) : 0;
}

static int remove_tree(int dir_fd, const char *name, int depth, struct err *err)
{
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, errno, "unlink", "%s", name);
	if (depth > REMOVE_DEPTH_MAX)
		return err_set(err, ERR_EXHAUSTED, name, "directories are nested too deeply");
	fd = open_resolved(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_STATE, name, "something is mounted on it");
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "openat2", "%s", name);
	if (remove_entries(fd, name, depth, err) < 0)
		return -1;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "rmdir", "%s", name);
	return 0;
}

int path_remove_tree(int dir_fd, const char *name, struct err *err)
{
	return remove_tree(dir_fd, name, 0, err);
}
