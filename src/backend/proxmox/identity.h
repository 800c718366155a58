/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a guest is. Its description has a line "ctrctl:v1:{json}" with the container's whole id and
 * its own VMID (a clone copies the description, but not that); its tags are "ctrctl" and
 * "ctrctl-<16 hex digits>" of the id. Tags find it, the description proves it: right before
 * everything that could hurt somebody else's.
 */
#ifndef PROXMOX_IDENTITY_H
#define PROXMOX_IDENTITY_H

#include "backend/proxmox/wish.h"

enum { PVE_DESCRIPTION_MAX = 8192, PVE_TAG_MAX = 32 };

/* "ctrctl-" and 16 hex digits: the id's own when it begins with 16 of them, else a hash's. */
const char *pve_tag(const char *id, char buf[PVE_TAG_MAX]);

/* At most PVE_DESCRIPTION_MAX characters: what is too long is left out from the annotations on, and
 * the line says so. In the arena. */
const char *pve_description(
	const struct wish_identity *, unsigned vmid, struct arena *, struct err *) _must_check_;

struct pve_identity {
	const char *id; /* the container's */
	unsigned vmid;
	const char *sandbox_id, *container, *pod, *namespace, *image, *created; /* may be NULL */
};
/* 1, 0 when it has no such line (somebody else's, or it was edited away), -1 memory. */
int pve_description_read(const char *description, struct arena *, struct pve_identity *ret,
	struct err *) _must_check_;

#endif
