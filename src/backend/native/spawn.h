/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a plan to a process: one clone3 into all namespaces and the cgroup where that is possible,
 * init executed from a fresh sealed memfd, then a conversation on the control socket until init
 * says READY. The arrangements and why they're so: docs/architecture.md.
 */
#ifndef NATIVE_SPAWN_H
#define NATIVE_SPAWN_H

#include "backend/native/hooks.h"
#include "backend/native/prepare.h"

#include "ctrctl/backend.h"

/* What the caller does in between; each returns 0 or -1 with err. Members may be NULL. */
struct spawn_events {
	void *arg;
	int (*cloned)(void *arg, pid_t pid,
		struct err *); /* init exists and waits or works: slow things overlap here */
	int (*synced)(void *arg, const struct plan_step *, int target_fd, pid_t pid, struct err *);
	int (*console)(
		void *arg, int master, const char *name, struct err *); /* master is the callee's */
	int (*notify)(
		void *arg, int listener, pid_t pid, struct err *); /* listener is the callee's */
	int (*ready)(void *arg, pid_t pid,
		struct err *); /* all is set up; after this returns init is on its own */
	bool hurried;          /* don't wait until init rests at the gate */
};

struct spawned {
	pid_t pid; /* of the container's (or exec's) process, a child of ours */
	int pidfd;
	int ctl;      /* exec: the connection on which a failing execve is told; else FD_NONE */
	int hook_out; /* read side of what container hooks write, or FD_NONE */
	struct spawn_trace *trace;
	struct hook_tail tail; /* the end of what they wrote */
};
#define SPAWNED_INIT                                                  \
	{                                                             \
		.pidfd = FD_NONE, .ctl = FD_NONE, .hook_out = FD_NONE \
	}
void spawned_close(struct spawned *);

/* Runs the plan up to READY. cgroup_fd: FD_NONE = the caller's own. On failure everything of the
 * process is dead and reaped. */
int spawn(const struct plan *, struct prepared *, int cgroup_fd, const struct spawn_events *,
	struct ctr_trace *, struct spawned *ret, struct err *) _must_check_;

/* exec: waits until the program was started (EOF) or an error came. 0 or -1 with err; the process
 * is reaped on failure. */
int spawn_finish(const struct plan *, struct spawned *, const struct spawn_events *,
	struct err *) _must_check_;

/* start: the same on the gate's connection, to a process that isn't our child and whose plan isn't
 * at hand. When init reports a failing step, *ret_error holds it (kind WIRE_ERROR) for plan_error;
 * else its kind is 0. */
int spawn_listen(struct spawned *, const struct spawn_events *events, struct wire_msg *ret_error,
	struct err *err) _must_check_;

/* Trace of the steps up to now; called again after start it adds the rest. */
void spawn_trace_add(struct spawned *, const struct plan *, struct ctr_trace *);

#endif
