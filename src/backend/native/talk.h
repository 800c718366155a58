/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of the control socket: what init says, and what is answered. */
#ifndef NATIVE_TALK_H
#define NATIVE_TALK_H

#include "backend/native/spawn.h"

enum { STEP_BEFORE_INIT = UINT32_MAX }; /* the step number of what fails before init runs */

/* How the child between clone and exec ends when it fails. The word itself needs memory, charged to
 * the container's cgroup. */
enum { STATUS_TOLD = 126, STATUS_SPEECHLESS = 125 };

struct talk {
	const struct plan *plan;
	const struct prepared *sources;
	const struct spawn_events *events;
	int ctl;
	struct spawned *out;
	pid_t helper;               /* to be reaped once it has named the real process */
	bool go_owed;               /* a new user namespace: init waits for its maps */
	struct wire_msg *ret_error; /* the plan isn't at hand: the caller explains */
	bool no_memory;             /* init died as it does for want of memory */
};

/* What talk_until waits for. */
enum { TALK_READY = 1, TALK_EOF = 2 };

int talk_say(struct talk *, uint32_t kind, struct err *) _must_check_;

/* The real process is known: maps if it has a new user namespace, then it may go on. */
int talk_adopt(struct talk *, pid_t, struct err *) _must_check_;

/* Listens and answers until READY or EOF comes. An error that init reports, or its death, is -1. */
int talk_until(struct talk *, int until, struct err *) _must_check_;

/* Kills and reaps what isn't reaped yet. */
void talk_kill(struct talk *);

#endif
