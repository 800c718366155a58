/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of records, <top>/<id>/, whatever they hold: finding, claiming, locking, listing.
 *
 * The lock is an flock on the folder itself: it dies with its holder, so it is never stale; a
 * folder that was removed while somebody waited for it shows by its link count.
 */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "base/arena.h"
#include "base/fd.h"

enum { FOLDER_HEX_ID = 64, FOLDER_PREFIX_MIN = 4 };

/* 64 hex digits. */
bool folder_is_hex_id(const char *id);

/* LOCK_SH or LOCK_EX (<sys/file.h>), waited for so long. 1 locked and still in the tree, 0 locked
 * but removed meanwhile, -1; ERR_TIMEOUT has the sentence `busy`. */
int folder_lock(int fd, int how, unsigned timeout_ms, const char *busy, struct err *) _must_check_;
/* For all who share the open folder: a process that was started may hold a copy. */
void folder_unlock(int fd);
/* 1 when another process holds the lock for change. Not for one's own. */
int folder_is_locked(int fd);

/* <data>/<top>, or FD_NONE with errno; FD_NONE and ENOENT when data_fd is FD_NONE. */
int folder_open_top(int data_fd, const char *top);
/* Opens <data>/<top>/<id>: 1, 0 when there is none (or the id can't be one), -1. */
int folder_find(
	int data_fd, const char *top, const char *id, int *ret_dir, struct err *) _must_check_;
/* Makes <top_fd>/<id>, or opens the one that is there, and locks it for change. When that fails,
 * one that was made is removed again, if it is empty. */
int folder_claim(int top_fd, const char *id, unsigned timeout_ms, const char *busy, int *ret_dir,
	struct err *) _must_check_;

/* Names of `own_fd` (taken) that fit and begin with `prefix`, sorted, in the arena. `what`: for
 * errors. */
int folder_list(int own_fd, bool (*fits)(const char *name), const char *prefix, const char *what,
	struct arena *, const char ***ret, size_t *ret_n, struct err *) _must_check_;
/* The one hex id of <data>/<top> that begins with prefix (4 digits at least): *ret in the arena, or
 * NULL. Several: ERR_INVALID that names two; `what`: "containers". */
int folder_complete(int data_fd, const char *top, const char *prefix, const char *what,
	struct arena *, const char **ret, struct err *) _must_check_;

#endif
