/* SPDX-License-Identifier: Apache-2.0 */
/* Hands the listener of a filter with SCMP_ACT_NOTIFY to the agent that answers for the container.
 */
#ifndef NATIVE_NOTIFY_H
#define NATIVE_NOTIFY_H

#include "ctrctl/oci.h"

#include <sys/types.h>

/*
 * Connects to s->listener_path (a listening AF_UNIX stream socket) and sends the container process
 * state (runtime spec, config-linux.md, "The Container Process State") in one message with
 * listener_fd beside it; the caller keeps its fd. `state` is the container's state as JSON text, as
 * it is now; pid that of the process with the filter, as the host sees it. Waits at most 10 seconds
 * for the agent to take it. Places are relative to linux.seccomp.
 */
int notify_send(const struct oci_seccomp *s, const char *oci_version, pid_t pid, const char *state,
	int listener_fd, struct err *) _must_check_;

#endif
