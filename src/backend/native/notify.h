/* SPDX-License-Identifier: Apache-2.0 */
/* Hands the listener of a filter with SCMP_ACT_NOTIFY to the agent that answers for the container.
 */
#ifndef NATIVE_NOTIFY_H
#define NATIVE_NOTIFY_H

#include "ctrctl/err.h"

#include <sys/types.h>

struct notify_target {
	const char *path;        /* linux.seccomp.listenerPath: a listening AF_UNIX stream socket */
	const char *metadata;    /* linux.seccomp.listenerMetadata, or NULL */
	const char *oci_version; /* "1.3.0" */
	const char *state;       /* the container's state as JSON text, as it is now */
	pid_t pid;               /* of the process with the filter, as the host sees it */
};

/* Connects and sends the container process state (runtime spec, config-linux.md, "The Container
 * Process State") in one message with listener_fd beside it; the caller keeps its fd. Waits at most
 * 10 seconds for the agent to take it. */
int notify_send(const struct notify_target *, int listener_fd, struct err *) _must_check_;

#endif
