/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each field of a CRI request in a guest: a table, and what its rows need. */
#ifndef PROXMOX_WISH_CRI_H
#define PROXMOX_WISH_CRI_H

#include "backend/proxmox/wish.h"
#include "ctrctl/sandbox.h"
#include "model/cri.h"

struct wish_cri_row {
	const char *field; /* "config.mounts.host_path"; "x.**": all that lies beneath x */
	enum wish_way way;
	int waiver;       /* enum settings_waiver; -1: none can let it go */
	const char *what; /* what is done with it; waived or refused: what isn't given */
};
const struct wish_cri_row *wish_cri_row(size_t i); /* NULL after the last */

/* While one is read. */
struct wish_cri {
	const struct ctr_input *in;
	const struct cri_container_config *config;
	const struct cri_pod_sandbox_config *pod;
	const struct cri_linux_container_security_context *sec;
	const struct settings_proxmox *cfg;
	struct arena *arena;
	struct guest_wish *wish;
	struct ctr_faults *faults;
	unsigned kubelets; /* mounts of a kubelet's own that were seen */
};

/* The row's verdict on a field that asks for what isn't given: waived (1), or a fault (0). `place`
 * NULL: the row's field; `what` NULL: the row's words. */
int wish_cri_judge(struct wish_cri *, const char *row, const char *place, const char *what);

/* wish-cri-mounts.c: mounts, devices. -1: memory. */
int wish_cri_mounts(struct wish_cri *, struct err *) _must_check_;
int wish_cri_devices(struct wish_cri *, struct err *) _must_check_;
/* wish-cri-security.c: namespaces, identity, capabilities, profiles, paths. -1: memory. */
int wish_cri_security(struct wish_cri *, struct err *) _must_check_;

#endif
