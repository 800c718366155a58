/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of containers made from requests: <data>/containers/<id>/ with container.json (the
 * record), request.json, exit.json (the monitor's), bundle/, upper/, work/; and
 * <data>/names/<hash>, which says whose a name is. fsynced: it outlives reboots.
 */
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include "base/arena.h"
#include "base/fd.h"
#include "ctrctl/request.h"

struct requests {
	int fd; /* <data>; FD_NONE: not there */
};

/* Opens <data> (0700, root's); STORE_MAKE as in containers.h. */
enum { REQUESTS_FIND, REQUESTS_MAKE };
int requests_open(const char *data, int how, struct requests *ret, struct err *) _must_check_;

/* A name is claimed under its own lock, which is held until the fd is closed: two creates of one
 * name wait for each other. *ret_id: whose it is by now (in the arena), or NULL. */
int request_name_lock(const struct requests *, const char *name, unsigned timeout_ms,
	struct arena *, int *ret_lock, const char **ret_id, struct err *) _must_check_;
/* Writes the id into the locked name. */
int request_name_take(int lock, const char *id, struct err *) _must_check_;
/* Removes the name when it is `id`'s. */
int request_name_release(
	const struct requests *, const char *name, const char *id, struct err *) _must_check_;

/* Makes <data>/containers/<id>/ (0700) and locks it; opens it (lock: waits for it). ERR_NOT_FOUND.
 */
int request_claim(const struct requests *, const char *id, int *ret_dir, struct err *) _must_check_;
int request_find(const struct requests *, const char *id, int *ret_dir, struct err *) _must_check_;
int request_lock(int dir, const char *id, unsigned timeout_ms, struct err *) _must_check_;

int request_load(int dir, const char *id, struct arena *, struct ctr_cri_record *ret,
	struct err *) _must_check_;
int request_save(int dir, const struct ctr_cri_record *, struct err *) _must_check_;

/* Removes the folder; mounts in it are the caller's to undo first. Absent is success. */
int request_remove(const struct requests *, const char *id, struct err *) _must_check_;

/* All ids, sorted, in the arena. */
int request_list(const struct requests *, struct arena *, const char ***ret, size_t *ret_n,
	struct err *) _must_check_;

/* The id that begins with this prefix (4 digits at least), or is it; NULL when there is none;
 * several: ERR_INVALID. */
int request_complete_id(const struct requests *, const char *prefix, struct arena *,
	const char **ret, struct err *) _must_check_;

#endif
