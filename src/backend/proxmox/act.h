/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something is done to a guest: one way for start, shutdown, stop and DELETE. Each try looks where
 * the guest is, whether there is anything left to do, and whether it is ours, before it asks; what
 * goes away by itself (locks, other operations, no quorum, lost answers) is waited for.
 */
#ifndef PROXMOX_ACT_H
#define PROXMOX_ACT_H

#include "backend/proxmox/proxmox.h"

/* Whom it is done to. Everything is borrowed but what lives in the arena. */
struct subject {
	struct pve *pve;
	struct arena *arena;
	struct guest guest; /* the journal's, or what stands for it */
	int dir_fd;         /* of the journal; < 0: there is none, as it isn't on record */
	bool moved;         /* its node isn't the journal's any more */
};

/* From the journal, or, when there is none, from the record's VMID and the cluster's list. 1; 0:
 * there is nothing, since nothing was begun or it is gone; -1. The arena may be NULL, which is
 * ERR_EXHAUSTED: callers give a new one as it is. */
int act_open(const struct ctr_record *, int dir_fd, struct arena *, struct subject *ret,
	struct err *) _must_check_;
/* The same, of a whole one: what isn't there or was never made whole is ERR_STATE. */
int act_open_made(const struct ctr_record *, int dir_fd, struct arena *, struct subject *ret,
	struct err *) _must_check_;

/* It isn't seen on any node. 1: nor is it there; 0 with *fault and *err: it may be, we just can't
 * see it; -1. */
int act_confirm_gone(struct subject *, struct pve_fault *, struct err *) _must_check_;

/* ERR_NOT_FOUND: it was removed behind our back. Always returns -1. */
int act_gone(const struct guest *, struct err *);

/* A look at it. Has it changed its node, the journal follows with the next thing that is done to
 * it: who only looks holds no lock. */
int act_look(struct subject *, struct guest_look *ret, struct err *) _must_check_;
bool act_is_running(const struct guest_look *);

/* The journal, as far as it can be written: what is only noted there for those who ask later keeps
 * nobody from stopping or removing a guest, be the disk full. */
void act_save(struct subject *);

/* What it is for somebody who wants to do something to it. */
enum act_whose {
	ACT_GONE,
	ACT_OURS,
	ACT_EDITED,  /* our tags, but the description doesn't say so any more */
	ACT_FOREIGN, /* somebody else's, under the VMID that was ours */
};
/* Do these tags (of a config, a status, a resource) say that it is this one? */
bool act_has_our_tag(const struct guest *, const struct json *object);
/* By one GET config; -1. *ret_config: NULL for ACT_GONE. */
int act_whose(struct subject *, const char *node, const struct json **ret_config,
	struct err *) _must_check_;

struct act {
	enum https_method method;
	const char *verb; /* below .../status/; NULL: the guest itself */
	const struct pve_form *form;
	const char *task;                           /* "vzstart" */
	bool (*is_done)(const struct guest_look *); /* nothing (more) to do */
	unsigned deadline_ms;
	bool no_wait; /* the task goes on by itself: only what fails at once is seen */
	bool once;    /* its effect may be over before the next look: its task tells */
	int note;     /* enum guest_stop: goes into the journal before the call */
};

/* 0: done, or it was. A guest that is gone is PVE_GONE and ERR_NOT_FOUND. */
int act_run(struct subject *, const struct act *, struct pve_fault *, struct err *) _must_check_;

/* Stops it at once; a shutdown that goes on is overruled. */
int act_kill(struct subject *, struct pve_fault *, struct err *) _must_check_;

/* Of a task's exit status. */
bool act_is_failure(const char *ending);
/* Has the newest shutdown been in vain? What ended the guest later was something else. */
bool act_shutdown_failed(struct subject *, const char *node);

/* What is to be changed in a guest's configuration, by what it is now. Nothing in the form: it is
 * as it should be. */
struct act_change {
	int (*fill)(void *arg, const struct json *config, struct arena *, struct pve_form *ret,
		struct err *);
	void *arg;
	bool new_here; /* just made: it needn't be looked for first */
};
/* PUT config, tried again as everything is. After a lost answer, or a change by somebody else, the
 * configuration is read anew. */
int act_configure(struct subject *, const struct act_change *, uint64_t end_ms, struct pve_fault *,
	struct err *) _must_check_;

/* May `fault` go away by itself? Then sleeps and returns 1; 0 when it doesn't, or `end_ms` (of
 * pve_now_ms) has come: *err is as it was, with a hint. -1: the look that it takes failed. Of one
 * that is done `once`, whose answer was lost, 2: it was done. */
int act_again(struct subject *, const struct act *, const struct guest_look *,
	const struct pve_fault *, unsigned tries, uint64_t end_ms, struct err *) _must_check_;

#endif
