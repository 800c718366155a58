/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a plan's sources. One function per kind, in a table; each leaves the mount detached and
 * with its final attributes, so that init only has to attach it.
 */
#include "backend/native/prepare.h"

#include "backend/native/userns.h"
#include "base/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

/* ---- attributes of a detached mount ---- */

static int set_attributes(int fd, bool recursive, uint64_t set, uint64_t clr, uint64_t propagation,
	const struct plan_source *s, struct err *err)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clr, .propagation = propagation };

	if (set & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
		return 0;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
		    sizeof(attr)) < 0)
		return err_sys(err, errno, "mount_setattr", "%s", s->path);
	return 0;
}

static int set_idmap(
	int fd, bool recursive, int userns_fd, const struct plan_source *s, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };

	if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
		    sizeof(attr)) == 0)
		return 0;
	int os = errno;
	err_sys(err, os, "mount_setattr", "%s with an id map", s->path);
	if (os == EINVAL)
		err_hint(err,
			"the file system of %s can't be idmapped on this kernel (overlayfs and, before 6.3, tmpfs can't)",
			s->path);
	return -1;
}

static int own_idmap(int fd, const struct plan_source *s, struct err *err)
{
	if (!s->idmap || !s->n_uid_map)
		return 0;
	_close_ int userns = userns_make(s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, err);
	if (userns < 0)
		return -1;
	return set_idmap(fd, s->idmap_recursive, userns, s, err);
}

/* ---- one function per kind ---- */

/* Which component of a path isn't there, or isn't a directory: /srv/a/b -> "/srv/a". For the
 * message only. */
static void missing_component(const char *path, char *buf, size_t n)
{
	struct stat st;

	snprintf(buf, n, "%s", path);
	for (char *p = buf + 1; p[-1]; p++) {
		char c = *p;
		if (c && c != '/')
			continue;
		*p = '\0';
		if (stat(buf, &st) < 0 || (c && !S_ISDIR(st.st_mode)))
			return;
		*p = c;
		if (!c)
			return;
	}
}

static int source_missing(const struct plan_source *s, int os, const char *op, struct err *err)
{
	char part[384];

	if (os != ENOENT && os != ENOTDIR)
		return err_sys(err, os, op, "%s", s->path);
	missing_component(s->path, part, sizeof(part));
	err_set(err, ERR_NOT_FOUND, s->path,
		os == ENOTDIR ? "%s is not a directory" : "%s is missing on the host", part);
	return err_hint(err, "the source of a bind mount must exist before the container is made");
}

static int finish_tree(int fd, const struct plan_source *s, struct err *err)
{
	uint64_t propagation = s->propagation ? s->propagation : MS_PRIVATE;

	/* Propagation covers the whole tree: no mount of it may stay a peer of the host's. */
	if (set_attributes(fd, s->recursive, s->rec_attr_set, s->rec_attr_clr,
		    propagation & ~(uint64_t)MS_REC, s, err) < 0)
		return -1;
	if (set_attributes(fd, false, s->attr_set, s->attr_clr, 0, s, err) < 0)
		return -1;
	return own_idmap(fd, s, err);
}

static int open_clone(
	int dirfd, const char *path, unsigned flags, const struct plan_source *s, struct err *err)
{
	_close_ int fd = open_tree(dirfd, path,
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags | (s->recursive ? AT_RECURSIVE : 0));

	if (fd < 0)
		return source_missing(s, errno, "open_tree", err);
	if (finish_tree(fd, s, err) < 0)
		return -1;
	return fd_take(&fd);
}

static int open_tree_source(const struct plan_source *s, struct err *err)
{
	return open_clone(AT_FDCWD, s->path, 0, s, err);
}

static int open_dir_source(const struct plan_source *s, struct err *err)
{
	int fd = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		char part[384];
		int os = errno;
		missing_component(s->path, part, sizeof(part));
		err_set(err, ERR_NOT_FOUND, s->path,
			os == ENOTDIR ? "%s is not a directory" : "%s is missing", part);
		return err_hint(err,
			"root.path is taken relative to the bundle; unpack the root file system there");
	}
	return fd < 0 ? err_sys(err, errno, "open", "%s", s->path) : fd;
}

/* root.path is resolved here and never again: the clone is made from the fd. */
static int open_root_source(const struct plan_source *s, struct err *err)
{
	_close_ int dir = open_dir_source(s, err);

	return dir < 0 ? -1 : open_clone(dir, "", AT_EMPTY_PATH, s, err);
}

static int check_device(
	int fd, const struct plan_source *s, mode_t type, dev_t dev, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", s->path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != dev) {
		err_set(err, ERR_INVALID, s->path, "is not the device %u:%u", major(dev),
			minor(dev));
		return err_hint(err, "the host's own %s is not what it should be", s->path);
	}
	return 0;
}

static int open_null_source(const struct plan_source *s, struct err *err)
{
	_close_ int fd = open_clone(AT_FDCWD, "/dev/null", AT_SYMLINK_NOFOLLOW, s, err);

	if (fd < 0 || check_device(fd, s, S_IFCHR, makedev(1, 3), err) < 0)
		return -1;
	return fd_take(&fd);
}

static int open_device_source(const struct plan_source *s, struct err *err)
{
	_close_ int fd = open_clone(AT_FDCWD, s->path, 0, s, err);

	if (fd < 0 || check_device(fd, s, s->mode & S_IFMT, s->dev, err) < 0)
		return -1;
	return fd_take(&fd);
}

/* ---- new file systems ---- */

/* The kernel's own words about it, "e ext4: ...", become the hint. */
static int refused(int fs, int os, const char *what, const struct plan_source *s, struct err *err)
{
	char text[200];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	err_sys(err, os, "fsconfig", "%s", what);
	if (n <= 2 || text[1] != ' ')
		return -1;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_hint(err, "%s: %s", s->path, text + 2);
}

static int make_file_system(const char *type, const char *source, const char *const *options,
	size_t n_options, uint64_t attr, const struct plan_source *s, struct err *err)
{
	_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	char what[256];

	snprintf(what, sizeof(what), "%s for %s", type, s->path);
	if (fs < 0)
		return err_sys(err, errno, "fsopen", "%s", what);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return refused(fs, errno, what, s, err);
	for (size_t i = 0; i + 1 < n_options; i += 2) {
		const char *value = options[i + 1];
		if (fsconfig(fs, *value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[i],
			    *value ? value : NULL, 0) == 0)
			continue;
		int os = errno;
		snprintf(
			what, sizeof(what), "%s=%s of %s for %s", options[i], value, type, s->path);
		return refused(fs, os, what, s, err);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return refused(fs, errno, what, s, err);
	int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attr);
	return fd < 0 ? err_sys(err, errno, "fsmount", "%s", what) : fd;
}

static int open_empty_source(const struct plan_source *s, struct err *err)
{
	static const char *const options[] = { "size", "4k", "nr_inodes", "1", "mode", "0555" };

	return make_file_system("tmpfs", "tmpfs", options, ARRAY_SIZE(options),
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, s,
		err);
}

/* Read-only comes last, when the copy is in: see OP_ATTACH. */
static int open_tmpfs_source(const struct plan_source *s, struct err *err)
{
	_close_ int fd = make_file_system("tmpfs", "tmpfs", s->options, s->n_options,
		s->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, s, err);

	if (fd < 0 || set_attributes(fd, false, 0, s->attr_clr, s->propagation & ~(uint64_t)MS_REC,
			      s, err) < 0)
		return -1;
	return fd_take(&fd);
}

static int open_block_source(const struct plan_source *s, struct err *err)
{
	_close_ int fd = make_file_system(
		s->fs_type, s->path, s->options, s->n_options, s->attr_set, s, err);

	if (fd < 0 || set_attributes(fd, false, 0, 0, s->propagation, s, err) < 0)
		return -1;
	return fd_take(&fd);
}

/* ---- namespaces ---- */

/* Opened as O_PATH first: a FIFO or a device named here is never really opened. */
static int open_ns_source(const struct plan_source *s, struct err *err)
{
	char link[64];
	struct statfs fs;
	_close_ int path = open(s->path, O_PATH | O_CLOEXEC);

	if (path < 0)
		return err_set(err, ERR_INVALID, s->path, "is not a usable namespace: it %s",
			errno == ENOENT ? "is missing" : "can't be opened");
	if (fstatfs(path, &fs) < 0 || fs.f_type != NSFS_MAGIC)
		return err_set(err, ERR_INVALID, s->path, "is not a namespace");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	_close_ int fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", s->path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0 || (uint64_t)(unsigned)type != s->ns_flag)
		return err_set(err, ERR_INVALID, s->path, "is a namespace of another kind");
	return fd_take(&fd);
}

static int (*const openers[SRC_KIND_N])(const struct plan_source *, struct err *) = {
	[SRC_TREE] = open_tree_source,
	[SRC_ROOT] = open_root_source,
	[SRC_DIR] = open_dir_source,
	[SRC_NULL] = open_null_source,
	[SRC_EMPTY] = open_empty_source,
	[SRC_TMPFS] = open_tmpfs_source,
	[SRC_BLOCK] = open_block_source,
	[SRC_NS] = open_ns_source,
	[SRC_DEVICE] = open_device_source,
};

/* ---- public ---- */

int prepare_sources(const struct plan *p, int given_pidfd, int given_gate, struct prepared *ret,
	struct err *err)
{
	ret->n = 0;
	ret->fds = arena_array(p->arena, p->n_sources, sizeof(int));
	if (!ret->fds)
		return err_nomem(err);
	for (size_t i = 0; i < p->n_sources; i++) {
		const struct plan_source *s = &p->sources[i];
		int fd = FD_NONE;
		if (s->kind == SRC_PIDFD)
			fd = given_pidfd;
		else if (s->kind == SRC_GATE)
			fd = given_gate;
		else if (openers[s->kind])
			fd = openers[s->kind](s, err);
		if (fd < 0 && !(s->optional && err->code == ERR_NOT_FOUND)) {
			if (s->place)
				err_in(err, "%s", s->place);
			prepare_close(p, ret);
			return -1;
		}
		ret->fds[i] = fd < 0 ? FD_NONE : fd;
		ret->n = i + 1;
	}
	return 0;
}

bool prepare_needs_userns(const struct plan *p)
{
	for (size_t i = 0; i < p->n_sources; i++)
		if (p->sources[i].idmap && !p->sources[i].n_uid_map)
			return true;
	return false;
}

int prepare_idmaps(
	const struct plan *p, const struct prepared *prepared, int userns_fd, struct err *err)
{
	for (size_t i = 0; i < prepared->n; i++) {
		const struct plan_source *s = &p->sources[i];
		if (!s->idmap || s->n_uid_map || prepared->fds[i] < 0)
			continue;
		if (set_idmap(prepared->fds[i], s->idmap_recursive, userns_fd, s, err) < 0)
			return err_in(err, "%s", s->place);
	}
	return 0;
}

void prepare_close(const struct plan *p, struct prepared *prepared)
{
	for (size_t i = 0; i < prepared->n; i++) {
		enum source_kind kind = p->sources[i].kind;
		if (kind != SRC_PIDFD && kind != SRC_GATE)
			prepared->fds[i] = fd_close(prepared->fds[i]);
	}
	prepared->n = 0;
}
