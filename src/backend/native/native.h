/* SPDX-License-Identifier: Apache-2.0 */
/* What the native backend's files share. */
#ifndef NATIVE_NATIVE_H
#define NATIVE_NATIVE_H

#include "backend/native/cgroup.h"
#include "backend/native/plan.h"
#include "backend/native/spawn.h"
#include "ctrctl/backend.h"

/* backend.create, .start, .exec, .explain */
int native_create(
	const struct ctr_input *, struct ctr_record *, const struct ctr_save *, struct err *);
int native_start(const struct ctr_record *, int dir_fd, const struct oci_spec *, struct ctr_trace *,
	struct err *);
int native_exec(const struct ctr_record *, const struct ctr_exec *, pid_t *ret_pid, struct err *);
int native_stats(const struct ctr_record *, int dir_fd, struct ctr_stats *ret, struct err *);
int native_explain(const struct ctr_input *, char **ret_text, struct err *);

/* What init reported while it started the program, in full: the plan is compiled again from the
 * record's config.json. Returns -1. */
int native_start_error(
	const struct ctr_record *, int dir_fd, const struct wire_msg *, struct err *);

/* A living init: a pidfd of it, checked against the record's start time and boot. 1 with *ret_pidfd
 * (close it), 0 when it is gone, -1. *ret_waiting (may be NULL): it hasn't executed the program
 * yet. */
int native_alive(
	const struct ctr_record *, int *ret_pidfd, bool *ret_waiting, struct err *) _must_check_;

/* By which a container's cgroup is known to be its: the id, and the record's folder. In the arena.
 */
const char *native_owner(
	const struct ctr_record *, int dir_fd, struct arena *, struct err *) _must_check_;

/* What the process of a plan gets from its parent, because it can't do it itself: rlimits above its
 * hard ones, oom_score_adj. */
int native_parent_attributes(const struct oci_process *, pid_t, struct err *) _must_check_;

/* Hands a terminal's master over as ctr_attach says. Takes the fd. */
int native_console(
	const struct ctr_attach *, int own_master, const char *name, struct err *) _must_check_;

/* Hands a seccomp listener over to linux.seccomp.listenerPath. Takes the fd. */
int native_notify(const struct oci_spec *, const struct ctr_record *, enum ctr_status,
	int own_listener, pid_t, struct err *) _must_check_;

/* The whole state text for hooks outside of the container. In the arena. */
char *native_state(const struct ctr_record *, enum ctr_status, pid_t, struct arena *,
	struct err *) _must_check_;

#endif
