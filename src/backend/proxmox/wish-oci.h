/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each property of config.json in a guest: a table, and what its rows need. */
#ifndef PROXMOX_WISH_OCI_H
#define PROXMOX_WISH_OCI_H

#include "backend/proxmox/wish.h"

struct wish_oci_row {
	const char *field; /* "linux.devices[].path"; "hooks.**": all that lies beneath, too */
	enum wish_way way;
	int waiver;       /* WISH_WAIVED: enum settings_waiver */
	const char *what; /* what is done with it; waived or refused: what isn't given */
	/* Waived or refused: is it asked for? NULL: another function of wish-oci*.c looks, for the
	 * place has a number, or several properties go together. */
	bool (*used)(const struct oci_spec *);
};
const struct wish_oci_row *wish_oci_row(size_t i); /* NULL after the last */
/* The row of a field, by its name in the table; never NULL for a name that is there. */
const struct wish_oci_row *wish_oci_find(const char *field);

/* While one is read. */
struct wish_oci {
	const struct oci_spec *spec;
	const char *bundle;
	const struct settings_proxmox *cfg;
	struct arena *arena;
	struct guest_wish *wish;
	struct ctr_faults *faults;
};

/* The row's verdict on a place: waived or a fault. `what` NULL: the row's. */
void wish_oci_judge(struct wish_oci *, const char *row, const char *place, const char *what);

/* wish-oci-mounts.c: mounts, devices and their rules. */
int wish_oci_mounts(struct wish_oci *, struct err *) _must_check_;
void wish_oci_devices(struct wish_oci *);
/* wish-oci-security.c: capabilities, seccomp, AppArmor, masked paths. */
int wish_oci_security(struct wish_oci *, struct err *) _must_check_;

#endif
