/* SPDX-License-Identifier: Apache-2.0 */
/* Names become places here, once: every later use goes by fd. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/mem.h"

/* Opens `path` beneath root_fd as a process chrooted there would see it: openat2(RESOLVE_IN_ROOT |
 * RESOLVE_NO_MAGICLINKS), EAGAIN retried a bounded number of times. flags as open(2), O_CLOEXEC is
 * added. The fd, or -1 with err. Linux 5.6. */
int path_open_in(int root_fd, const char *path, int flags, struct err *) _must_check_;

/* The same beneath a directory that must not be left and holds no symlinks
 * (RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS). */
int path_open_beneath(int dir_fd, const char *path, int flags, struct err *) _must_check_;

/* Lexical clean-up of an absolute path: "//", "/./" and "/../" are resolved, ".." never climbs
 * above "/". Result in the arena; NULL when memory is out. A relative path is taken as if it began
 * with "/". */
struct arena;
char *path_clean(struct arena *, const char *path) _must_check_;

/* 1 if `path` (clean, absolute) is `dir` or lies beneath it, else 0. */
bool path_is_under(const char *path, const char *dir);

/* Directory made with all its parents, mode for new ones; existing is success if it is a directory.
 * Host paths of our own only. */
int path_make_dirs(const char *path, unsigned mode, struct err *) _must_check_;

/* Removes the tree `name` beneath dir_fd without following symlinks or crossing mounts. Absent is
 * success. */
int path_remove_tree(int dir_fd, const char *name, struct err *) _must_check_;

#endif
