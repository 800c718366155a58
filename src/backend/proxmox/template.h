/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest is made from: the image's name -> a volume on the server. */
#ifndef PROXMOX_TEMPLATE_H
#define PROXMOX_TEMPLATE_H

#include "backend/proxmox/task.h"

/* What an image's name says, before the server is asked. */
struct pve_source {
	const char *volid; /* exact: nothing to look for; or */
	const char *name;  /* of a template, or the beginning of one: "debian-12", with */
	const char *tag;   /* what narrows it, "12.12", or NULL; or */
	const char *oci;   /* reference of a registry's image */
	const char
		*file; /* oci, url: the file's name on the storage, from a hash of the reference */
	const char *url, *sha512;
	const struct settings_guest_image *image; /* its row of the configuration, or NULL */
	bool aplinfo;      /* `name` may be downloaded from the appliance index */
	const char *asked; /* the image as it was asked for, without what an engine put in front */
};

/* Pure. Names of the table proxmox.images first; then "lxc/NAME[:TAG]", "lxc/oci/REFERENCE"; any
 * other but "db-..." and "vm-..." is a reference of a registry. ERR_INVALID: no name, a digest;
 * ERR_NOT_FOUND: unknown alias, with those there are. */
int pve_source_of(const struct settings_proxmox *, const char *image, struct arena *,
	struct pve_source *ret, struct err *) _must_check_;

struct pve_template {
	const char *volid;    /* "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst" */
	bool oci;             /* an OCI archive: two steps, 9.1 */
	uint64_t size, ctime; /* 0: unknown */
	bool pulled;          /* just now */
};

/* Looks through the template storages of the node, in their order; the newest version of the one
 * family that fits. `allow_pull`: what is missing is fetched where the policy says so.
 * ERR_NOT_FOUND names what there is; several families are ERR_INVALID that lists them. */
int pve_template_find(struct pve *, const struct pve_source *, const char *node, bool allow_pull,
	struct arena *, struct pve_template *ret, struct err *) _must_check_;

/* "sha256:..." that stands for a template in CRI: there is no digest of it. In the arena. */
const char *pve_template_image_id(const struct pve_template *, struct arena *) _must_check_;

#endif
