/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on disk of a container: <root>/<id>/ with state.json (the record) and config.json (as it
 * was read at create).
 *
 * Life of a folder: mkdirat is the claim, an flock on the folder itself the lock (an flock dies
 * with its holder, so it is never stale; a folder that was removed meanwhile shows by its link
 * count). The record is replaced atomically and never fsynced: a reboot voids it, which the boot id
 * shows.
 *
 * <data>/guests/ is the same for containers that live on a server. Those outlive reboots: their
 * folders and records are synced (struct store.durable).
 */
#ifndef STORE_CONTAINERS_H
#define STORE_CONTAINERS_H

#include "base/arena.h"
#include "base/fd.h"
#include "ctrctl/backend.h"

/* The root folder. fd is FD_NONE when it doesn't exist (STORE_FIND): then nothing is found in it.
 */
struct store {
	int fd;
	bool durable; /* its records outlive reboots: they are synced */
};
#define STORE_INIT            \
	{                     \
		.fd = FD_NONE \
	}

enum store_open { STORE_FIND, STORE_MAKE };

/* Opens the root folder; STORE_MAKE makes it (0700) with its parents. Refused: "/", a symlink, one
 * that belongs to somebody else or that others may write to. ret->durable is the caller's to say.
 */
int store_open(const char *path, enum store_open, struct store *ret, struct err *) _must_check_;
void store_close(struct store *);

/* One container's folder, open; closing it drops the lock. */
struct store_box {
	int fd;
	bool fresh;   /* claimed, and no record written yet */
	bool durable; /* the store's */
};
#define STORE_BOX_INIT        \
	{                     \
		.fd = FD_NONE \
	}
void store_box_close(struct store_box *);

/* Ids: [A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,199}. */
int store_check_id(const char *id, struct err *) _must_check_;

/* Makes <root>/<id>/ and locks it. ERR_EXISTS when the id is taken. */
int store_claim(
	const struct store *, const char *id, struct store_box *ret, struct err *) _must_check_;

/* Opens <root>/<id>/ without a lock. ERR_NOT_FOUND: "container does not exist". */
int store_find(
	const struct store *, const char *id, struct store_box *ret, struct err *) _must_check_;

/* Takes the lock, trying for so long. ERR_TIMEOUT names the holder; ERR_NOT_FOUND when the folder
 * was removed meanwhile. */
int store_lock(
	const struct store_box *, const char *id, unsigned timeout_ms, struct err *) _must_check_;
void store_unlock(const struct store_box *);

/* 1 when another process holds the lock, 0 when nobody does. Not for one's own locked box. */
int store_is_locked(const struct store_box *);

/* The record. Load: all of it lives in the arena; missing, empty, broken and foreign ones are
 * ERR_INVALID. */
int store_load(const struct store_box *, const char *id, struct arena *, struct ctr_record *ret,
	struct err *) _must_check_;
/* Its maker has died before it had done anything. */
bool store_has_none(const struct store_box *);
int store_save(struct store_box *, const struct ctr_record *, struct err *) _must_check_;

/* config.json, byte by byte. Load: fresh memory, free() it. */
int store_save_config(
	const struct store_box *, const char *text, size_t n, struct err *) _must_check_;
int store_load_config(const struct store_box *, const char *id, char **ret, size_t *ret_n,
	struct err *) _must_check_;

/* Removes the folder with whatever is in it, for good where records are durable; the lock holder's
 * to call. Absent is success. */
int store_remove(const struct store *, const char *id, struct err *) _must_check_;

/* All ids, sorted, in the arena. */
int store_list(const struct store *, struct arena *, const char ***ret, size_t *ret_n,
	struct err *) _must_check_;

/* <root>/.cache (0700), made when missing; FD_NONE when it can't be had: a cache is never worth a
 * failure. */
int store_cache(const struct store *);

#endif
