/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an entry goes: always an fd of a folder and one name in it. The fd comes from one openat2
 * beneath the root, so no path of the archive is ever resolved by the kernel in any other way.
 */
#include "base/arena.h"
#include "base/path.h"
#include "base/str.h"
#include "image/unpack-int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { IMPLICIT_MODE = 0755, TIMES_FIRST = 256 };

struct dir_time {
	size_t path; /* in paths */
	struct timespec mtime;
};

struct unpack_times {
	struct dir_time *list;
	size_t n, cap;
	struct str paths;
};

static size_t depth_of(const char *clean)
{
	size_t n = *clean != 0;

	for (; *clean; clean++)
		n += *clean == '/';
	return n;
}

int place_clean(const char *path, char ret[PATH_MAX], struct err *err)
{
	size_t n = 0;

	if (strlen(path) > UNPACK_PATH_MAX)
		return err_set(
			err, ERR_INVALID, NULL, "its name has more than %d bytes", UNPACK_PATH_MAX);
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len > NAME_MAX)
			return err_set(err, ERR_INVALID, NULL,
				"a component of its name has more than %d bytes", NAME_MAX);
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && ret[--n] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			if (n)
				ret[n++] = '/';
			memcpy(ret + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	ret[n] = 0;
	if (depth_of(ret) > UNPACK_DEPTH_MAX)
		return err_set(
			err, ERR_INVALID, NULL, "lies more than %d folders deep", UNPACK_DEPTH_MAX);
	return 0;
}

void place_split(char *path, const char **ret_dir, const char **ret_name)
{
	char *slash = strrchr(path, '/');

	*ret_dir = slash ? path : "";
	*ret_name = slash ? slash + 1 : path;
	if (slash)
		*slash = 0;
}

void place_forget(struct unpack *u)
{
	u->dir[0] = 0; /* the fd may be in use */
}

int place_clear(struct unpack *u, int dir_fd, const char *name, struct err *err)
{
	place_forget(u);
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, errno, "unlink", "%s", name);
	return path_remove_tree(dir_fd, name, err);
}

static int open_dir(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * A folder that takes the place of something else of this layer (its whiteout included) shows
 * nothing of what lower layers may have there.
 */
static int replace_by_dir(
	struct unpack *u, int dir_fd, const char *name, mode_t mode, int *ret_fd, struct err *err)
{
	place_forget(u);
	if (unlinkat(dir_fd, name, 0) < 0)
		return err_sys(err, errno, "unlink", "%s", name);
	if (mkdirat(dir_fd, name, mode) < 0)
		return err_sys(err, errno, "mkdir", "%s", name);
	_close_ int fd = open_dir(dir_fd, name);
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (u->opaque(u->opaque_arg, fd, err) < 0)
		return -1;
	*ret_fd = fd_take(&fd);
	return 0;
}

int place_make_dir(
	struct unpack *u, int dir_fd, const char *name, mode_t mode, int *ret_fd, struct err *err)
{
	bool is_new = mkdirat(dir_fd, name, mode) == 0;

	if (!is_new && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "%s", name);
	int fd = open_dir(dir_fd, name);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (is_new || (errno != ENOTDIR && errno != ELOOP))
		return err_sys(err, errno, "open", "%s", name);
	return replace_by_dir(u, dir_fd, name, mode, ret_fd, err);
}

/* A folder on the way to an entry: a whiteout gives way to it, other things don't. */
static int make_implicit(
	struct unpack *u, int dir_fd, const char *name, int *ret_fd, struct err *err)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		!(S_ISCHR(st.st_mode) && st.st_rdev == 0))
		return err_set(err, ERR_INVALID, NULL,
			S_ISLNK(st.st_mode)
				? "lies beneath \"%s\", a symlink that leads to no folder of this layer"
				: "lies beneath \"%s\", which isn't a folder",
			name);
	if (u->entries_left == 0)
		return err_set(err, ERR_EXHAUSTED, NULL, "the layer has too many entries");
	u->entries_left--;
	return place_make_dir(u, dir_fd, name, IMPLICIT_MODE, ret_fd, err);
}

static bool is_missing(const struct err *err)
{
	return err->os == ENOENT || err->os == ENOTDIR;
}

/* From the root down, one component after the other. */
static int open_or_make(struct unpack *u, const char *dir, int *ret_fd, struct err *err)
{
	char prefix[PATH_MAX];
	_close_ int at = fcntl(u->root_fd, F_DUPFD_CLOEXEC, 0);
	bool is_new = false; /* then all beneath is missing, too */
	size_t n = 0;

	if (at < 0)
		return err_sys(err, errno, "fcntl", "%s", dir);
	while (dir[n]) {
		const char *name = dir + n;
		size_t len = strcspn(name, "/");
		char own[NAME_MAX + 1];
		memcpy(own, name, len);
		own[len] = 0;
		n += len;
		memcpy(prefix, dir, n);
		prefix[n] = 0;
		n += dir[n] == '/';
		int fd = FD_NONE;
		if (!is_new) {
			fd = path_open_in(u->root_fd, prefix, O_RDONLY | O_DIRECTORY, err);
			if (fd < 0 && !is_missing(err))
				return -1;
		}
		is_new = fd < 0;
		if (is_new && make_implicit(u, at, own, &fd, err) < 0)
			return -1;
		fd_close(at);
		at = fd;
	}
	*ret_fd = fd_take(&at);
	return 0;
}

void place_hold(struct unpack *u, const char *dir, int own_fd)
{
	fd_close(u->dir_fd);
	u->dir_fd = own_fd;
	memcpy(u->dir, dir, strlen(dir) + 1);
}

/* 1 when what is held is that folder. */
static bool holds(const struct unpack *u, const char *dir)
{
	return u->dir_fd >= 0 && str_eq(u->dir, dir);
}

int place_find(struct unpack *u, const char *dir, int *ret_fd, struct err *err)
{
	struct err e = ERR_INIT;

	if (!*dir) {
		*ret_fd = u->root_fd;
		return 1;
	}
	if (!holds(u, dir)) {
		int fd = path_open_in(u->root_fd, dir, O_RDONLY | O_DIRECTORY, &e);
		if (fd < 0 && is_missing(&e))
			return 0;
		if (fd < 0) {
			*err = e;
			return -1;
		}
		place_hold(u, dir, fd);
	}
	*ret_fd = u->dir_fd;
	return 1;
}

int place_open(struct unpack *u, const char *dir, int *ret_fd, struct err *err)
{
	int r = place_find(u, dir, ret_fd, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (open_or_make(u, dir, ret_fd, err) < 0)
		return -1;
	place_hold(u, dir, *ret_fd);
	return 0;
}

static struct unpack_times *times_of(struct unpack *u)
{
	if (!u->times)
		u->times = calloc(1, sizeof(*u->times));
	return u->times;
}

int place_time_later(
	struct unpack *u, const char *path, const struct timespec *mtime, struct err *err)
{
	struct unpack_times *t = times_of(u);

	if (t && t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : TIMES_FIRST;
		struct dir_time *list = realloc(t->list, mem_array(cap, sizeof(*list)));
		if (!list)
			return err_nomem(err);
		t->list = list;
		t->cap = cap;
	}
	if (!t)
		return err_nomem(err);
	t->list[t->n++] = (struct dir_time){ t->paths.n, *mtime };
	str_addn(&t->paths, path, strlen(path) + 1);
	return str_ok(&t->paths, err);
}

/* What has become of a folder since may be anything: only folders get the time, in their place. */
static int set_time(struct unpack *u, char *path, const struct timespec *mtime, struct err *err)
{
	const struct timespec both[2] = { *mtime, *mtime };
	_close_ int fd = FD_NONE;
	const char *dir, *name;
	int dir_fd;

	if (!*path)
		return futimens(u->root_fd, both) < 0 ? err_sys(err, errno, "futimens", "/") : 0;
	place_split(path, &dir, &name);
	int r = place_find(u, dir, &dir_fd, err);
	if (r <= 0)
		return r;
	fd = open_dir(dir_fd, name);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_sys(err, errno, "open", "%s", name);
	return futimens(fd, both) < 0 ? err_sys(err, errno, "futimens", "%s", name) : 0;
}

int place_times_now(struct unpack *u, struct err *err)
{
	struct unpack_times *t = u->times;

	for (size_t i = 0; t && i < t->n; i++)
		if (set_time(u, t->paths.p + t->list[i].path, &t->list[i].mtime, err) < 0)
			return -1;
	return 0;
}

struct unpack_times *place_times_free(struct unpack_times *t)
{
	if (t) {
		free(t->list);
		str_done(&t->paths);
	}
	free(t);
	return NULL;
}
