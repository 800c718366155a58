/* SPDX-License-Identifier: Apache-2.0 */
/* A wish becomes the parameters of POST /nodes/{node}/lxc. Pure. */
#ifndef PROXMOX_PARAMS_H
#define PROXMOX_PARAMS_H

#include "backend/proxmox/form.h"
#include "backend/proxmox/template.h"
#include "backend/proxmox/wish.h"

/* What is decided by then. */
struct pve_target {
	const char *node;
	unsigned vmid;
	struct pve_template template;
	const struct settings_guest_image *image; /* NULL: none */
	unsigned major, minor;                    /* of the server, 0: unknown (explain) */
	bool ticket;  /* logged in as root@pam: host paths, devices, features */
	bool no_tags; /* the datacenter forbids free tags */
};

/* All values explicit, none left to the server's defaults (swap: 512, storage: local, ...). For an
 * OCI archive neither entrypoint nor env: params_second. ERR_UNSUPPORTED: needs 9.1, needs
 * root@pam. A working directory that can't be given is noted in the wish where it is waived. */
int params_build(struct guest_wish *, const struct pve_target *, const struct settings_proxmox *,
	struct arena *, struct pve_form *ret, struct err *) _must_check_;

/* PUT config, after an OCI archive was unpacked: entrypoint and env as the image left them (config:
 * what GET says; NULL in explain), with the wish's over them, and the config's digest. Empty form:
 * nothing to change. What only the image's own configuration shows is judged here: the waiver of a
 * user other than root is noted in the wish. */
int params_second(struct guest_wish *, const struct settings_proxmox *, const struct json *config,
	struct arena *, struct pve_form *ret, struct err *) _must_check_;

/* PUT config of an update: memory, swap, cpulimit, cpuunits; what else is set is ERR_UNSUPPORTED.
 */
int params_update(const struct oci_resources *, struct arena *, struct pve_form *ret,
	struct err *) _must_check_;

/* A warning, when that is less than a guest can have, and so is raised. */
void params_note_memory(int64_t bytes);

int64_t params_memory_mib(int64_t bytes);
/* The request's limit is one of both together. */
int64_t params_swap_mib(int64_t together, int64_t memory_mib);
/* "1.5": plain decimals, as the server can't read others back. */
void params_set_cpulimit(struct pve_form *, int64_t quota, int64_t period, const char *from);

/* cpu.weight of CPU shares, 1 to 10000: the formula that runc and crun use now. */
unsigned params_cpu_weight(int64_t shares);

#endif
