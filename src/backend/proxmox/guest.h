/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One guest: what is noted of it beside the record (guest.json in the record's folder), where it
 * is, and whether it is ours.
 *
 * guest.json is the journal of its making: written and synced before each call that changes
 * something on the server, so that whoever comes after a crash knows what to look for.
 */
#ifndef PROXMOX_GUEST_H
#define PROXMOX_GUEST_H

#include "backend/proxmox/identity.h"
#include "backend/proxmox/task.h"

enum guest_phase {
	GUEST_INTENT, /* VMID and node are chosen, the POST may have been sent */
	GUEST_MAKING, /* it was answered: upid */
	GUEST_SECOND, /* unpacked; entrypoint and env are still to be set */
	GUEST_MADE,
	GUEST_REMOVING, /* the DELETE may have been sent */
	GUEST_PHASE_N
};

enum guest_stop { GUEST_NOT_STOPPED, GUEST_SHUTDOWN, GUEST_KILLED, GUEST_STOP_N };

struct guest {
	const char *id; /* the container's */
	unsigned vmid;
	const char *node;
	int phase;         /* enum guest_phase */
	const char *upid;  /* of the making, or NULL */
	const char *volid; /* the template */
	bool oci;
	uint64_t posted; /* our clock, less a margin: for the task list */
	uint64_t sent;   /* the last POST, by our clock; 0: none that could still arrive */
	uint32_t posts;  /* so many were sent for this VMID */
	int stopped_by;  /* enum guest_stop: by us */
	bool ended;      /* and we have seen it stopped */
	bool proxy;      /* a process stands for it: record.pid */
	const char *log_file;
	const char *created; /* the record's, not stored here; NULL or "": not known */
};

/* So much may a node's clock be behind ours: `posted` is that much earlier than it was. */
enum { GUEST_CLOCK_MARGIN_S = 60 };

/* "guest 104 on pve1", for errors. */
enum { GUEST_NAME_MAX = 128 };
const char *guest_name(unsigned vmid, const char *node, char buf[GUEST_NAME_MAX]);

#define GUEST_JOURNAL "guest.json"

/* 1, 0 there is none (nothing was begun), -1. */
int guest_load(int dir_fd, struct arena *, struct guest *ret, struct err *) _must_check_;
/* Atomic; the file and its folder are synced. */
int guest_save(int dir_fd, const struct guest *, struct err *) _must_check_;

/* When its making was begun, by the node's clock as far as that is known: what an earlier guest of
 * this VMID did was before. 0: nothing is known of it (a stray). */
uint64_t guest_made_at(const struct guest *, struct arena *);

/* The cluster's list of guests and machines, up to 10 s old: an array. limit_ms as of
 * pve_get_page(). */
int guest_list(struct pve *, struct arena *, unsigned limit_ms, const struct json **ret,
	struct err *) _must_check_;
/* Is this VMID free? Everybody may ask, and is told of all nodes, and of guests that he may not
 * see; one that moves has its number all the time. limit_ms: asked once, for so long; 0: as other
 * things are. 1, 0, -1. */
int guest_is_free(
	struct pve *, unsigned vmid, unsigned limit_ms, struct arena *, struct err *) _must_check_;

/* The node's name in the arena when the cluster has this VMID, whoever's it is. 1, 0, -1. */
int guest_where(struct pve *, unsigned vmid, struct arena *, const char **ret_node,
	struct err *) _must_check_;

/* Where it is and what it is, by one fresh look; follows a migration. */
struct guest_look {
	bool exists;
	const char *node;   /* may differ from the journal's */
	const char *lock;   /* "backup", or NULL */
	const char *status; /* "running", "stopped" */
	uint64_t uptime;
	const struct json *current; /* of status/current */
	bool hidden;                /* set when it failed: it is there, but isn't shown to us */
};
int guest_look(struct pve *, const struct guest *, struct arena *, struct guest_look *ret,
	struct err *) _must_check_;

/* GET config and compare the description. 1 ours, 0 there is none, -1: somebody else's
 * (ERR_STATE, says whose) or failed. *ret_config may be NULL. A guest whose making was interrupted
 * has no description yet: half_made allows that when the task list shows that we began it. */
int guest_is_ours(struct pve *, const struct guest *, const char *node, bool half_made,
	struct arena *, const struct json **ret_config, struct err *) _must_check_;

/* The same without judgement. */
struct guest_owned {
	enum {
		GUEST_ABSENT,
		GUEST_OURS,
		GUEST_THEIRS,  /* another container's, a copy, or made at another time */
		GUEST_UNMARKED /* no line of ctrctl's: a stranger's, or one that is being made */
	} by;
	bool described;          /* it has some description */
	bool hidden;             /* set when it failed because we may not see it: a stranger's, or
				    one that is being made, for rights by a pool come at the end */
	const char *lock;        /* or NULL */
	struct pve_identity who; /* OURS, THEIRS */
	const struct json *config;
};
int guest_owner(struct pve *, const struct guest *, const char *node, struct arena *,
	struct guest_owned *ret, struct err *) _must_check_;

#endif
