/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of a layer: made anew by name in a folder's fd, all else by its own fd. */
#include "image/unpack-int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Where an entry goes, and what it becomes. */
struct target {
	const char *dir, *name; /* clean; both "": the root */
	int dir_fd;             /* borrowed */
};

/* Clean, `place` its memory. */
static int find_target(const char *path, char place[PATH_MAX], struct target *ret, struct err *err)
{
	if (!*path)
		return err_set(err, ERR_INVALID, NULL, "has no name");
	if (place_clean(path, place, err) < 0)
		return -1;
	place_split(place, &ret->dir, &ret->name);
	return 0;
}

/* (uid_t)-1 means "unchanged" to the kernel. */
static int check_owner(const struct tar_entry *e, struct err *err)
{
	if (e->uid >= 0 && e->uid < UINT32_MAX && e->gid >= 0 && e->gid < UINT32_MAX)
		return 0;
	return err_set(err, ERR_INVALID, NULL, "has the owner %lld:%lld, which can't be",
		(long long)e->uid, (long long)e->gid);
}

static bool is_wanted_xattr(const char *name)
{
	/* user.overlay.* is overlayfs's own where it is mounted with "userxattr". */
	return str_eq(name, "security.capability") ||
	       (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static int set_xattrs(struct unpack *u, int fd, struct err *err)
{
	const char *name;
	const void *value;
	size_t n;

	while (tar_xattr(u->tar, &name, &value, &n)) {
		if (!is_wanted_xattr(name) || fsetxattr(fd, name, value, n, 0) == 0)
			continue;
		err_sys(err, errno, "fsetxattr", "%s", name);
		if (err->os == EINVAL || err->os == ERANGE)
			err->code = ERR_INVALID;
		if (err->os == ENOTSUP)
			err_hint(err, "the file system of the data folder has no such attributes");
		return -1;
	}
	return 0;
}

/* chown clears setuid and capabilities, so it comes first. */
static int set_attributes(struct unpack *u, const struct tar_entry *e, int fd, struct err *err)
{
	if (fchown(fd, (uid_t)e->uid, (gid_t)e->gid) < 0)
		return err_sys(
			err, errno, "fchown", "%lld:%lld", (long long)e->uid, (long long)e->gid);
	if (fchmod(fd, e->mode) < 0)
		return err_sys(err, errno, "fchmod", "%04o", e->mode);
	return set_xattrs(u, fd, err);
}

static int set_time(const struct tar_entry *e, int fd, struct err *err)
{
	const struct timespec both[2] = { e->mtime, e->mtime };

	if (e->has_mtime && futimens(fd, both) < 0)
		return err_sys(err, errno, "futimens", "%lld", (long long)e->mtime.tv_sec);
	return 0;
}

/* For what has no fd of its own. */
static int set_time_at(const struct tar_entry *e, const struct target *t, struct err *err)
{
	const struct timespec both[2] = { e->mtime, e->mtime };

	if (e->has_mtime && utimensat(t->dir_fd, t->name, both, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "utimensat", "%lld", (long long)e->mtime.tv_sec);
	return 0;
}

static int write_at(int fd, const void *p, size_t n, uint64_t offset, struct err *err)
{
	const char *at = p;

	while (n) {
		ssize_t k = pwrite(fd, at, n, (off_t)offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(err, errno, "write", "%zu bytes", n);
		at += k;
		offset += (uint64_t)k;
		n -= (size_t)k;
	}
	return 0;
}

static int write_data(struct unpack *u, const struct tar_entry *e, int fd, struct err *err)
{
	uint64_t offset, end = 0;
	const void *p;
	size_t n;
	int r;

	while ((r = tar_data(u->tar, &p, &n, &offset, err)) > 0) {
		if (offset > e->size || n > e->size - offset)
			return err_set(err, ERR_INVALID, NULL, "has more data than its size says");
		if (write_at(fd, p, n, offset, err) < 0)
			return -1;
		end = MAX(end, offset + n);
	}
	if (r < 0)
		return -1;
	if (end < e->size && ftruncate(fd, (off_t)e->size) < 0)
		return err_sys(err, errno, "ftruncate", "%llu", (unsigned long long)e->size);
	return 0;
}

static int make_file(
	struct unpack *u, const struct tar_entry *e, const struct target *t, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	_close_ int fd = openat(t->dir_fd, t->name, flags, 0600);

	if (fd < 0 && errno == EEXIST) {
		if (place_clear(u, t->dir_fd, t->name, err) < 0)
			return -1;
		fd = openat(t->dir_fd, t->name, flags, 0600);
	}
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", t->name);
	if (write_data(u, e, fd, err) < 0 || set_attributes(u, e, fd, err) < 0)
		return -1;
	return set_time(e, fd, err);
}

static int make_dir(
	struct unpack *u, const struct tar_entry *e, const struct target *t, struct err *err)
{
	_close_ int fd = FD_NONE;
	char path[PATH_MAX];

	if (place_make_dir(u, t->dir_fd, t->name, 0700, &fd, err) < 0 ||
		set_attributes(u, e, fd, err) < 0)
		return -1;
	/* Fits: it is the clean name put together again. */
	snprintf(path, sizeof(path), "%s%s%s", t->dir, *t->dir ? "/" : "", t->name);
	if (e->has_mtime && place_time_later(u, path, &e->mtime, err) < 0)
		return -1;
	place_hold(u, path, fd_take(&fd));
	return 0;
}

/* The root's own entry. */
static int dress_root(struct unpack *u, const struct tar_entry *e, struct err *err)
{
	if (e->type != TAR_DIR)
		return err_set(err, ERR_INVALID, NULL, "is the layer's root, and not a folder");
	if (set_attributes(u, e, u->root_fd, err) < 0)
		return -1;
	return e->has_mtime ? place_time_later(u, "", &e->mtime, err) : 0;
}

static int make_symlink(
	struct unpack *u, const struct tar_entry *e, const struct target *t, struct err *err)
{
	if (!*e->link || strlen(e->link) > UNPACK_PATH_MAX)
		return err_set(err, ERR_INVALID, NULL,
			"is a symlink to nothing, or to a name of more than %d bytes",
			UNPACK_PATH_MAX);
	int r = symlinkat(e->link, t->dir_fd, t->name);
	if (r < 0 && errno == EEXIST) {
		if (place_clear(u, t->dir_fd, t->name, err) < 0)
			return -1;
		r = symlinkat(e->link, t->dir_fd, t->name);
	}
	if (r < 0)
		return err_sys(err, errno, "symlink", "%s", t->name);
	place_forget(u);
	if (fchownat(t->dir_fd, t->name, (uid_t)e->uid, (gid_t)e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "fchown", "%s", t->name);
	return set_time_at(e, t, err);
}

static int no_link_target(const struct tar_entry *e, struct err *err)
{
	err_set(err, ERR_INVALID, NULL,
		"is a hard link to \"%s\", which is no file of this layer before it", e->link);
	return err_hint(err,
		"hard links to files of lower layers aren't supported: build the image with a tool that stores such files whole");
}

/* Mode, owner and times are those of the file that is linked to. */
static int make_hardlink(
	struct unpack *u, const struct tar_entry *e, const char *path, struct err *err)
{
	char from_place[PATH_MAX], to_place[PATH_MAX];
	struct target from, to;
	struct stat st;

	if (find_target(e->link, from_place, &from, err) < 0 ||
		find_target(path, to_place, &to, err) < 0)
		return -1;
	if (!*from.name || (str_eq(from.dir, to.dir) && str_eq(from.name, to.name)))
		return no_link_target(e, err);
	int r = place_find(u, from.dir, &from.dir_fd, err);
	if (r <= 0)
		return r < 0 ? -1 : no_link_target(e, err);
	/* The next place_open() may close it. */
	_close_ int from_fd = fcntl(from.dir_fd, F_DUPFD_CLOEXEC, 0);
	if (from_fd < 0)
		return err_sys(err, errno, "fcntl", "%s", from.dir);
	if (fstatat(from_fd, from.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) ||
		S_ISCHR(st.st_mode))
		return no_link_target(e, err);
	if (place_open(u, to.dir, &to.dir_fd, err) < 0)
		return -1;
	if (linkat(from_fd, from.name, to.dir_fd, to.name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, errno, "link", "%s", e->link);
	if (place_clear(u, to.dir_fd, to.name, err) < 0)
		return -1;
	if (linkat(from_fd, from.name, to.dir_fd, to.name, 0) < 0)
		return errno == ENOENT ? no_link_target(e, err)
				       : err_sys(err, errno, "link", "%s", e->link);
	return 0;
}

static int make_fifo(
	struct unpack *u, const struct tar_entry *e, const struct target *t, struct err *err)
{
	const mode_t bits = 0777;

	if (place_clear(u, t->dir_fd, t->name, err) < 0)
		return -1;
	if (mknodat(t->dir_fd, t->name, S_IFIFO | (e->mode & bits), 0) < 0)
		return err_sys(err, errno, "mknod", "fifo %s", t->name);
	if (fchownat(t->dir_fd, t->name, (uid_t)e->uid, (gid_t)e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "fchown", "%s", t->name);
	return set_time_at(e, t, err);
}

/* Device nodes come from the container's own /dev, never from an image. 0:0 would be a whiteout. */
static int leave_out_device(struct unpack *u, const struct tar_entry *e, struct err *err)
{
	if (e->type == TAR_CHAR && e->major == 0 && e->minor == 0)
		return err_set(err, ERR_INVALID, NULL,
			"is the character device 0:0, which would hide a file of a lower layer");
	u->left_out.devices++;
	return 0;
}

static int make(
	struct unpack *u, const struct tar_entry *e, const struct target *t, struct err *err)
{
	switch (e->type) {
	case TAR_FILE: return make_file(u, e, t, err);
	case TAR_DIR: return make_dir(u, e, t, err);
	case TAR_SYMLINK: return make_symlink(u, e, t, err);
	case TAR_FIFO: return make_fifo(u, e, t, err);
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_SOCKET:
	case TAR_HARDLINK:
	case TAR_OTHER:
	case TAR_TYPE_N:
	default: return err_set(err, ERR_INVALID, NULL, "is of a type that layers don't have");
	}
}

static int take_from_limits(struct unpack *u, const struct tar_entry *e, struct err *err)
{
	if (u->entries_left == 0)
		return err_set(err, ERR_EXHAUSTED, NULL, "the layer has too many entries");
	if (e->size > u->bytes_left)
		return err_set(err, ERR_EXHAUSTED, NULL,
			"the layer is too big: the files of one may have %llu bytes",
			(unsigned long long)(u->bytes + u->bytes_left));
	u->entries_left--;
	u->bytes_left -= e->size;
	u->bytes += e->size;
	return 0;
}

int entry_unpack(struct unpack *u, const struct tar_entry *e, struct err *err)
{
	char place[PATH_MAX];
	struct target t;
	int r;

	if (take_from_limits(u, e, err) < 0 || find_target(e->path, place, &t, err) < 0)
		return -1;
	r = whiteout_is(t.dir, t.name, err);
	if (r < 0)
		return -1;
	if (r)
		return whiteout_apply(u, t.dir, t.name, err);
	if (e->type == TAR_CHAR || e->type == TAR_BLOCK)
		return leave_out_device(u, e, err);
	if (e->type == TAR_SOCKET) {
		u->left_out.sockets++;
		return 0;
	}
	if (check_owner(e, err) < 0)
		return -1;
	if (!*t.name)
		return dress_root(u, e, err);
	if (e->type == TAR_HARDLINK)
		return make_hardlink(u, e, e->path, err);
	if (place_open(u, t.dir, &t.dir_fd, err) < 0)
		return -1;
	return make(u, e, &t, err);
}
