/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's half before the clone: every source of a plan is opened once, in the host's
 * namespaces, and from then on goes by fd. */
#ifndef NATIVE_PREPARE_H
#define NATIVE_PREPARE_H

#include "backend/native/plan.h"
#include "base/fd.h"

/* fds[i] belongs to plan->sources[i]; FD_NONE: absent (optional) or given by the caller. */
struct prepared {
	int *fds; /* in the plan's arena */
	size_t n;
};

/* Opens all but SRC_PIDFD and SRC_GATE, whose slots the caller fills before (given_pidfd,
 * given_gate are borrowed and duplicated by nobody). Idmaps by the container's own new user
 * namespace are left to prepare_idmaps. */
int prepare_sources(const struct plan *, int given_pidfd, int given_gate, struct prepared *ret,
	struct err *) _must_check_;

/* After the clone: idmaps the sources that follow the container's new user namespace. */
int prepare_idmaps(
	const struct plan *, const struct prepared *, int userns_fd, struct err *) _must_check_;

/* 1 when a source waits for prepare_idmaps. */
bool prepare_needs_userns(const struct plan *);

/* Closes what prepare_sources opened. */
void prepare_close(const struct plan *, struct prepared *);

#endif
