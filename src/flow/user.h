/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups of a root filesystem: /etc/passwd and /etc/group in it, never the host's, read
 * by fd without leaving it (regular files of at most 10 MiB, lines of 4 KiB).
 */
#ifndef FLOW_USER_H
#define FLOW_USER_H

#include "flow/spec.h"

/*
 * `text`: "", "uid", "name", "uid:gid", "name:group", ... All digits are an id, never a name; out
 * of range (4294967294 is the last) is final. A number without an entry has group 0; a name without
 * an entry is ERR_INVALID. Groups of the user in /etc/group are added unless `strict`. In the
 * arena.
 */
int user_resolve(int rootfs_fd, const char *text, bool strict, struct arena *,
	struct spec_user *ret, struct err *) _must_check_;

#endif
