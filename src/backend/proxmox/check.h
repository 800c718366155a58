/* SPDX-License-Identifier: Apache-2.0 */
/* Between check.c, check-rights.c and check-places.c: is all there that guests need? */
#ifndef PROXMOX_CHECK_H
#define PROXMOX_CHECK_H

#include "backend/proxmox/proxmox.h"

struct checkup {
	struct pve *pve;
	const struct settings_proxmox *cfg;
	const struct ctr_report *report;
	struct arena *arena;
	bool root;          /* logged in as root@pam, who may do everything */
	const char *who;    /* for pveum. A token needs its user's privileges too, and, if it is
			       separated, its own */
	const char **nodes; /* allowed and up */
	size_t n_nodes;
};

/* One finding; hint may be NULL. */
void check_say(struct checkup *, enum ctr_finding, const char *what, const char *hint,
	const char *fmt, ...) _printf_(5, 6);
/* What couldn't be asked, and why; the error's own hint. */
void check_failed(struct checkup *, enum ctr_finding, const char *what, const struct err *);
/* GET of a path and a query ("type=any_bridge", or NULL), once. */
int check_get(struct checkup *, const char *path, const char *key, const char *value,
	const struct json **ret, struct err *) _must_check_;

/* ---- check-rights.c ---- */

/* What the credential may do, path by path. */
int check_rights(struct checkup *, struct err *) _must_check_;
/* 1, 0; 0 too when it can't be asked. */
int check_holds(struct checkup *, const char *path, const char *privilege) _must_check_;

/* ---- check-places.c ---- */

/* Storages, bridges, the pool, VMIDs, images. */
int check_storages(struct checkup *, struct err *) _must_check_;
int check_bridges(struct checkup *, struct err *) _must_check_;
int check_pool(struct checkup *, struct err *) _must_check_;
int check_range(struct checkup *, struct err *) _must_check_;
int check_images(struct checkup *, struct err *) _must_check_;

#endif
