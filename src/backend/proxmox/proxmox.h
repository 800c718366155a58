/* SPDX-License-Identifier: Apache-2.0 */
/* The Proxmox VE backend: guests of a cluster. What its files share. */
#ifndef PROXMOX_PROXMOX_H
#define PROXMOX_PROXMOX_H

#include "backend/proxmox/guest.h"
#include "backend/proxmox/params.h"
#include "ctrctl/backend.h"

struct ctr_context {
	const struct settings_proxmox *cfg; /* NULL: there is no such section */
	const char *settings_path;          /* of the file that it is in; NULL: the default */
	struct pve pve;
	struct arena *arena; /* of what lives as long as the context */
	bool gave_up; /* a create has, over lost answers: what may come late is left to delete */
};

/* The context's session, or ERR_UNSUPPORTED: nothing is configured. */
struct pve *proxmox_session(struct ctr_context *, struct err *) _must_check_;

/* ---- wish.c ---- */
/* By what the input has: a request or a bundle. */
int proxmox_wish(const struct ctr_input *, struct arena *, struct guest_wish *ret,
	struct ctr_faults *, struct err *) _must_check_;

/* ---- node.c ---- */
/* One GET /cluster/resources: which VMIDs are used, which nodes are up, how much memory they have.
 */
struct pve_cluster {
	struct pve_node {
		const char *name;
		bool online;
		uint64_t memory, memory_used; /* 0: it isn't told (no Sys.Audit) */
		unsigned guests;
	} * nodes;
	size_t n_nodes;
	unsigned *used; /* VMIDs, ascending */
	size_t n_used;
	const struct json *resources;
};
int pve_cluster_look(
	struct pve *, struct arena *, struct pve_cluster *ret, struct err *) _must_check_;
/* The allowed, online node with the most free memory that has enough of it. ERR_UNAVAILABLE,
 * ERR_EXHAUSTED. */
int pve_node_choose(const struct settings_proxmox *, const struct pve_cluster *, uint64_t memory,
	const char **ret, struct err *) _must_check_;
/* For one guest: the memory that it gets, and its node. Paths of the host and devices are there on
 * proxmox.localNode only, if that is set. */
uint64_t pve_memory_needed(const struct guest_wish *, const struct settings_guest_image *,
	const struct settings_proxmox *);
bool pve_needs_local_node(const struct guest_wish *, const struct settings_proxmox *);
int pve_node_for(const struct guest_wish *, const struct settings_guest_image *,
	const struct settings_proxmox *, const struct pve_cluster *, const char **ret,
	struct err *) _must_check_;
/* The next VMID to try for a container: a hash of its id over the range, walked from *i on, which
 * is 0 at first and is moved behind what is returned; used ones are passed over. 0 when all are
 * used.
 */
unsigned pve_vmid_choose(
	const struct settings_proxmox *, const struct pve_cluster *, const char *id, unsigned *i);

/* ---- create.c ---- */
int proxmox_create(const struct ctr_input *, struct ctr_record *, const struct ctr_save *,
	struct err *) _must_check_;
/* Ends what a create that died has begun, by undoing it: afterwards there is no guest of ours under
 * the journal's VMID, and none comes. Safe on half-made ones, and twice. `wait`: for what may still
 * come; else that is ERR_UNAVAILABLE. */
int proxmox_undo_create(
	struct pve *, int dir_fd, struct guest *, bool wait, struct err *) _must_check_;

/* ---- explain.c, check.c ---- */
int proxmox_explain(const struct ctr_input *, char **ret_text, struct err *) _must_check_;
int proxmox_diagnose(struct ctr_context *, const struct ctr_report *, struct err *) _must_check_;

/* ---- lifecycle.c ---- */
int proxmox_start(const struct ctr_record *, int dir_fd, const struct oci_spec *,
	struct ctr_trace *, struct err *) _must_check_;
/* TERM, INT, QUIT, HUP, PWR, RTMIN+3, RTMIN+4: shutdown with cfg->grace_s, not waited for; KILL:
 * stop; 0: is it there; others ERR_UNSUPPORTED. */
int proxmox_signal(
	const struct ctr_record *, int dir_fd, int signo, bool all, struct err *) _must_check_;
int proxmox_status(
	const struct ctr_record *, int dir_fd, enum ctr_status *ret, struct err *) _must_check_;
int proxmox_destroy(const struct ctr_record *, int dir_fd, struct err *) _must_check_;
int proxmox_update(const struct ctr_record *, int dir_fd, const struct oci_resources *,
	struct err *) _must_check_;
int proxmox_stop(const struct ctr_record *, int dir_fd, int grace_ms, struct err *) _must_check_;
int proxmox_ended(
	const struct ctr_record *, int dir_fd, struct ctr_exit *ret, struct err *) _must_check_;
int proxmox_stats(
	const struct ctr_record *, int dir_fd, struct ctr_stats *ret, struct err *) _must_check_;

/* ---- survey.c ---- */
int proxmox_survey(struct ctr_context *, const struct ctr_record *recs, size_t n,
	struct ctr_survey *ret, struct err *) _must_check_;
int proxmox_find(struct ctr_context *, const char *id, int dir_fd, struct ctr_record *ret,
	struct err *) _must_check_;

/* ---- proxy.c ---- */
/* The process that stands for a guest when an engine asked for it: forked, its own session, follows
 * the guest's state, ends with a mapped status. Returns its pid and start time in the record. */
int proxmox_proxy_begin(
	const struct ctr_input *, struct ctr_record *, int dir_fd, struct err *) _must_check_;

#endif
