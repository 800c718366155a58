/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whiteouts of a layer (OCI image-spec 1.1, layer.md) as overlayfs has them. They speak of lower
 * layers only, wherever they stand in the archive: what this layer itself has stays, and a folder
 * of this layer whose name is whited out hides what is below it.
 */
#include "base/path.h"
#include "image/unpack-int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define PREFIX ".wh."
#define META   ".wh..wh."
#define OPAQUE ".wh..wh..opq"

static bool has_component(const char *dir, const char *prefix)
{
	for (; *dir; dir += strcspn(dir, "/"), dir += *dir == '/')
		if (str_starts(dir, prefix))
			return true;
	return false;
}

int whiteout_is(const char *dir, const char *name, struct err *err)
{
	if (has_component(dir, META))
		return 1;
	if (has_component(dir, PREFIX))
		return err_set(err, ERR_INVALID, NULL, "lies beneath a whiteout");
	if (!str_starts(name, PREFIX))
		return 0;
	const char *hidden = name + strlen(PREFIX);
	if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, ".."))
		return err_set(err, ERR_INVALID, NULL, "is a whiteout of nothing");
	return 1;
}

int unpack_set_opaque(int dir_fd, struct err *err)
{
	if (fsetxattr(dir_fd, "trusted.overlay.opaque", "y", 1, 0) == 0)
		return 0;
	err_sys(err, errno, "fsetxattr", "trusted.overlay.opaque");
	if (err->os == ENOTSUP || err->os == EPERM)
		err_hint(err,
			"layers need a file system with trusted extended attributes, and CAP_SYS_ADMIN");
	return -1;
}

/* 1 when something on the way is no folder in this layer: a file in the place of a folder, which
 * hides all that lower layers have there already. umoci whites it out nevertheless. */
static int is_hidden(const struct unpack *u, const char *dir, struct err *err)
{
	struct err e = ERR_INIT;
	_close_ int fd = path_open_in(u->root_fd, *dir ? dir : ".", O_PATH | O_DIRECTORY, &e);

	if (fd >= 0 || e.os == ENOENT)
		return 0;
	if (e.os == ENOTDIR)
		return 1;
	*err = e;
	return -1;
}

int whiteout_apply(struct unpack *u, const char *dir, const char *name, struct err *err)
{
	struct stat st;
	int dir_fd;

	/* AUFS's own files, in layers of its days. */
	if (has_component(dir, META) || (str_starts(name, META) && !str_eq(name, OPAQUE)))
		return 0;
	int r = is_hidden(u, dir, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (place_open(u, dir, &dir_fd, err) < 0)
		return -1;
	if (str_eq(name, OPAQUE))
		return u->opaque(u->opaque_arg, dir_fd, err);
	name += strlen(PREFIX);
	if (mknodat(dir_fd, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, errno, "mknod", "whiteout %s", name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "fstat", "%s", name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	_close_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", name);
	return u->opaque(u->opaque_arg, fd, err);
}
