/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: what most calls begin. A call that was answered is a task that was queued; only its exit
 * status says what became of it. */
#ifndef PROXMOX_TASK_H
#define PROXMOX_TASK_H

#include "backend/proxmox/api.h"

enum { PVE_UPID_MAX = 512 };

/* UPID:NODE:PID:PSTART:START:TYPE:ID:USER: */
struct pve_upid {
	const char *text;                    /* whole */
	const char *node, *type, *id, *user; /* user may be "root@pam!token" */
	uint64_t start;                      /* seconds since 1970, the node's clock */
};

/* Strict: what doesn't fit never becomes part of a path. Lives in the arena. */
int pve_upid_parse(
	const char *text, struct arena *, struct pve_upid *ret, struct err *) _must_check_;
/* The same of a call's data. When it fails the call may have been carried out all the same. */
int pve_upid_of(
	const struct json *data, struct arena *, struct pve_upid *ret, struct err *) _must_check_;

/*
 * Waits until it has ended: 0 for OK and "WARNINGS: n" (which go to the log). On failure err has
 * the exit status and the last lines of the log, and fault->reason what it means. Answers that are
 * lost meanwhile don't matter before the deadline. PVE_TIMEOUT: it goes on, err names the UPID.
 */
int pve_task_wait(struct pve *, const struct pve_upid *, unsigned deadline_ms, struct pve_fault *,
	struct err *) _must_check_;

/* Of an exit status. */
bool pve_task_is_success(const char *ending);

/* One look: 1 it has ended (*ret_exit in the arena), 0 it runs, -1. */
int pve_task_look(struct pve *, const struct pve_upid *, struct arena *, const char **ret_exit,
	struct pve_fault *, struct err *) _must_check_;

/* The newest task of this kind for this guest that was begun at `since` or later (the node's clock,
 * 0: any) by the user that we are (NULL: whoever). 1, 0 none, -1. */
int pve_task_find(struct pve *, const char *node, const char *type, unsigned vmid, uint64_t since,
	const char *user, struct arena *, struct pve_upid *ret, bool *ret_running,
	struct err *) _must_check_;

/* DELETE: asks its worker to end. */
int pve_task_cancel(struct pve *, const struct pve_upid *, struct err *) _must_check_;

#endif
