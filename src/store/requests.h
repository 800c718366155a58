/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of containers made from requests: <data>/containers/<id>/ (0700) with container.json
 * (the record; intent.json until it is made), request.json, exit.json (the monitor's), started,
 * bundle/, upper/, work/. It outlives reboots.
 *
 * An id is the hash of the container's name and its sandbox's id: the folder is the reservation of
 * the name, and its lock (flock on the folder) keeps two creates of one name apart.
 */
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include "base/arena.h"
#include "base/fd.h"
#include "ctrctl/request.h"

/* `data_fd` below: <data>, open, or FD_NONE when it isn't there: then nothing is found in it. */

/* Makes <data>/containers/<id>/ or opens the one that is there, and waits for its lock. The lock is
 * held until ret_dir is closed. ERR_TIMEOUT. */
int request_claim(
	int data_fd, const char *id, unsigned timeout_ms, int *ret_dir, struct err *) _must_check_;

/* Opens the folder without its lock: 1, 0 when there is none, -1. */
int request_find(int data_fd, const char *id, int *ret_dir, struct err *) _must_check_;

/* Waits for the lock. ERR_NOT_FOUND when the folder was removed meanwhile. */
int request_lock(int dir, const char *id, unsigned timeout_ms, struct err *) _must_check_;
/* Drops it, for all who share the open folder: a process that was started may hold a copy. */
void request_unlock(int dir);
/* 1 when another process holds the lock: it is being made or removed. Not for one's own. */
int request_is_locked(int dir);

/* The record. 1, 0 when there is none yet (nor a whole intent), -1 (ERR_INVALID: broken). All of it
 * in the arena. */
int request_load(int dir, const char *id, struct arena *, struct ctr_cri_record *ret,
	struct err *) _must_check_;
/* Written once, as the intent (intent.json); committing renames it. Neither is synced: after a
 * crash of the host a container is gone anyway, and a folder whose record is broken can be removed.
 * request_sync() is for one that isn't gone then, as it lives on a server: after each of both.
 */
int request_save(int dir, const struct ctr_cri_record *, struct err *) _must_check_;
int request_commit(int dir, const char *id, struct err *) _must_check_;
int request_sync(int data_fd, int dir, struct err *) _must_check_;
/* The same for a folder that was removed. */
int request_sync_removed(int data_fd, struct err *) _must_check_;
/* Takes the commit back: what is being removed. Nothing can be done where that isn't possible. */
void request_doom(int dir);
/* 1 when the folder holds nothing, 0, -1. */
int request_is_empty(int dir, struct err *) _must_check_;

/* Removes the folder; mounts in it are the caller's to undo first. Absent is success. */
int request_remove(int data_fd, const char *id, struct err *) _must_check_;

/* All ids, sorted, in the arena. */
int request_list(
	int data_fd, struct arena *, const char ***ret, size_t *ret_n, struct err *) _must_check_;

/* The id that begins with this prefix (4 digits at least): *ret in the arena; NULL when there is
 * none. Several: ERR_INVALID that names two. */
int request_complete(int data_fd, const char *prefix, struct arena *, const char **ret,
	struct err *) _must_check_;

#endif
