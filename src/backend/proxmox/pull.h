/* SPDX-License-Identifier: Apache-2.0 */
/* Templates that aren't there yet: the node fetches them. */
#ifndef PROXMOX_PULL_H
#define PROXMOX_PULL_H

#include "backend/proxmox/match.h"
#include "backend/proxmox/proxmox.h"

enum pull_kind { PULL_APLINFO, PULL_OCI, PULL_URL, PULL_KIND_N };

struct pve_pull {
	enum pull_kind kind;
	const char *storage; /* where it will be: the first template storage */
	const char *file;    /* as it will be called there */
	const char *what;    /* template of the index, reference, address */
	const char *sha512;  /* of an address */
};

/* What would be fetched, or why nothing (ERR_NOT_FOUND: the policy, proxmox.pull, doesn't allow it,
 * or the index hasn't got it). Only GETs. */
int pve_pull_plan(struct pve *, const struct pve_source *, const char *node, struct arena *,
	struct pve_pull *ret, struct err *) _must_check_;
/* Fetches it and waits for that. What is there meanwhile is as good. */
int pve_pull_run(struct pve *, const struct pve_pull *, const char *node, struct arena *,
	struct err *) _must_check_;

/* ---- place.c ---- */

/* Node and template of a guest, into *ret: the best node that has it; where none has it, the best
 * one. would NULL: what is missing is fetched there, 1; else only GETs: 1 it is there, 0 it would
 * be fetched as *would says. -1. */
int pve_place(struct pve *, const struct guest_wish *, const struct pve_source *,
	const struct pve_cluster *, struct arena *, struct pve_target *ret, struct pve_pull *would,
	struct err *) _must_check_;

/* ---- template.c ---- */

/* What create would use, with GETs only. 1: it is there; 0: it isn't, and would be fetched as
 * *ret_pull says: *ret is what it would be; -1. */
int pve_template_would(struct pve *, const struct pve_source *, const char *node, struct arena *,
	struct pve_template *ret, struct pve_pull *ret_pull, struct err *) _must_check_;

/* The templates of one storage. *fault says why not. */
int pve_template_list(struct pve *, const char *node, const char *storage, struct arena *,
	struct template_file **ret, size_t *ret_n, struct pve_fault *fault,
	struct err *) _must_check_;

#endif
