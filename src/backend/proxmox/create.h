/* SPDX-License-Identifier: Apache-2.0 */
/* Between create.c, create-settle.c and create-log.c. */
#ifndef PROXMOX_CREATE_H
#define PROXMOX_CREATE_H

#include "backend/proxmox/proxmox.h"

/* ---- create-settle.c ---- */

enum settled { SETTLED_NONE, SETTLED_OURS, SETTLED_THEIRS };

/*
 * What became of a POST of which no answer is known: waits until nothing works on the journal's
 * VMID any more, then looks whose the guest is. *ret_node (may be NULL; in the arena): where it is,
 * when it is ours. ERR_STATE: a create of ours left a lock that only the node can take away.
 */
int guest_settle(struct pve *, const struct guest *, struct arena *, enum settled *ret,
	const char **ret_node, struct err *) _must_check_;

/* ---- create-log.c ---- */

/* The log file of a container whose logs are waived, opened as safely as a log that is written:
 * beneath the pod's log folder, through no link. FD_NONE when there is none to be written; -1. */
int create_log_open(const struct ctr_input *, const struct guest_wish *, struct err *) _must_check_;
/* Its one line. */
int create_log_write(
	int fd, const struct settings_proxmox *, const struct guest *, struct err *) _must_check_;

#endif
