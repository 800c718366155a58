/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of pod sandboxes: <data>/sandboxes/<id>/ (0700) with sandbox.json (the record),
 * config.json (the pod's config in canonical form) and the files that containers see; and
 * <data>/sandboxes/names/<key>, which holds the id that a name belongs to. It outlives reboots, so
 * it is synced.
 *
 * Locks are flocks, so none is ever stale. Order: a name, then a folder. Who has the lock of a name
 * may make or remove the sandbox of that name. The folder's lock is shared by those who make
 * containers in the sandbox, and exclusive for those who change it.
 */
#ifndef STORE_SANDBOXES_H
#define STORE_SANDBOXES_H

#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "ctrctl/sandbox.h"

enum { SANDBOX_ID_LEN = 64 };

/* `data_fd` below: <data>, open, or FD_NONE when it isn't there: then nothing is found in it. */

/* Waits for the lock of a name; `key` stands for it in a file's name (its hash). ret_id: whose it
 * is by what was written last, empty: nobody's. Close *ret_lock. ERR_TIMEOUT. */
int sandbox_name_lock(int data_fd, const char *key, unsigned timeout_ms, int *ret_lock,
	char ret_id[SANDBOX_ID_LEN + 1], struct err *) _must_check_;
/* Writes the id into the locked name. */
int sandbox_name_take(int lock, const char *id, struct err *) _must_check_;
/* Gives up the locked name. */
int sandbox_name_drop(int data_fd, const char *key, struct err *) _must_check_;
/* Whose it is, without the lock. */
int sandbox_name_read(
	int data_fd, const char *key, char ret_id[SANDBOX_ID_LEN + 1], struct err *) _must_check_;
/* Drops the names of sandboxes that aren't there. */
int sandbox_names_sweep(int data_fd, struct err *) _must_check_;

/* Makes the folder, locked for change. */
int sandbox_claim(int data_fd, const char *id, int *ret_dir, struct err *) _must_check_;
/* Opens the folder without a lock: 1, 0 when there is none, -1. */
int sandbox_find(int data_fd, const char *id, int *ret_dir, struct err *) _must_check_;

/* LOCK_SH or LOCK_EX (<sys/file.h>). ERR_TIMEOUT names the holder's doings; ERR_NOT_FOUND when the
 * folder was removed meanwhile. */
int sandbox_lock(int dir, const char *id, int how, unsigned timeout_ms, struct err *) _must_check_;
void sandbox_unlock(int dir);
/* 1 when another process holds the lock for change. Not for one's own. */
int sandbox_is_locked(int dir);

/* Record and config. 1, 0 when there is no record yet, -1 (ERR_INVALID: broken). In the arena. */
int sandbox_load(int dir, const char *id, struct arena *, struct ctr_sandbox_record *ret,
	struct err *) _must_check_;
/* The record, atomically. */
int sandbox_save(int dir, const struct ctr_sandbox_record *, struct err *) _must_check_;
/* The config's text, once; and one of the other files, 0644 and with this owner. */
int sandbox_save_config(int dir, const struct str *text, struct err *) _must_check_;
int sandbox_save_file(int dir, const char *name, const struct str *text, uint32_t uid, uint32_t gid,
	struct err *) _must_check_;
/* Record, config and the locked name to the disk. */
int sandbox_sync(int data_fd, int dir, int lock, struct err *) _must_check_;

/* Removes the folder. Absent is success. */
int sandbox_remove(int data_fd, const char *id, struct err *) _must_check_;

/* All ids, sorted, in the arena. */
int sandbox_list(
	int data_fd, struct arena *, const char ***ret, size_t *ret_n, struct err *) _must_check_;

/* The id that is `prefix`, or begins with it (4 digits at least): *ret in the arena; NULL when
 * there is none. Several: ERR_INVALID that names two. */
int sandbox_complete(int data_fd, const char *prefix, struct arena *, const char **ret,
	struct err *) _must_check_;

#endif
