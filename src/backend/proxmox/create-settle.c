/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is begun comes to an end: after a POST whose answer was lost, and after a create that died.
 *
 * The description proves whose a guest is, but it comes with the rest of the configuration, when
 * the task that makes it ends; until then there is nothing but "lock: create". So tasks are waited
 * for, and nothing is taken for ours, nor touched, before the description was read.
 */
#include "backend/proxmox/create.h"
#include "base/log.h"
#include "base/proc.h"

#include <time.h>

enum {
	PAUSE_MS = 500,
	ENDED_MS = 100,
	IDLE_LOOKS = 6, /* locked, and no task to be seen: it is begun, or ending */
	CANCEL_MS = 60000,
	REMOVE_TRIES = 60, /* pauses, for a backup or the like to end */
	/* So long after it was sent may a POST still bring a guest: the server's proxy waits 30 s
	 * for a node, and that 5 s for the VMID's lock. */
	LATE_S = 40,
	LATE_PAUSE_MS = 1000,
};

static int stale(const struct guest *g, struct err *err)
{
	char name[GUEST_NAME_MAX];

	err_set(err, ERR_STATE, guest_name(g->vmid, g->node, name),
		"it is locked (create), and no task works on it: its making was cut off");
	return err_hint(err, "on node %s: pct unlock %u && pct destroy %u; then try again", g->node,
		g->vmid, g->vmid);
}

/* ---- settling ---- */

struct looking {
	struct pve *pve;
	const struct guest *g;
	uint64_t until; /* pve_now_ms() */
	unsigned idle;  /* looks in a row that saw a lock and no task */
};

/* Waits for a create that runs for this VMID, whoever's and whatever the node's clock says: there
 * is one at a time. 1 there was one, 0, -1. *ret_ended: when the newest that has ended was begun,
 * 0: there is none. */
static int wait_for_task(struct looking *l, uint64_t *ret_ended, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_fault fault = { 0 };
	struct err why = ERR_INIT;
	struct pve_upid upid;
	bool running = false;
	int r;

	if (!a)
		return err_nomem(err);
	r = pve_task_find(
		l->pve, l->g->node, "vzcreate", l->g->vmid, 0, NULL, a, &upid, &running, err);
	*ret_ended = r == 1 && !running ? upid.start : 0;
	if (r != 1 || !running)
		return r < 0 ? -1 : 0;
	log_debug("create of guest %u: waiting for %s", l->g->vmid, upid.text);
	/* How it ended shows in what there is afterwards. */
	if (pve_task_wait(l->pve, &upid, l->pve->cfg->create_s * 1000, &fault, &why) == 0) {
		/* The list may say for a moment more that it runs. */
		if (pve_now_ms(l->pve) > l->until)
			return err_set(err, ERR_TIMEOUT, upid.text,
				"the server says that it has ended, and that it runs");
		pve_pause(l->pve, ENDED_MS);
		return 1;
	}
	if (fault.reason == PVE_TIMEOUT || pve_now_ms(l->pve) > l->until) {
		*err = why;
		return -1;
	}
	pve_pause(l->pve, PAUSE_MS);
	return 1;
}

/* May a task that was begun then, by the node's clock, be of our POST? Who isn't told that clock
 * can't say that it isn't. */
static bool may_be_ours(struct looking *l, uint64_t begun)
{
	_arena_ struct arena *a = arena_new();
	const char *path = a ? pve_path(a, "nodes", l->g->node, "time", NULL) : NULL;
	const int64_t now = (int64_t)time(NULL);
	const struct json *data;
	struct err why = ERR_INIT;

	if (!begun || !path || pve_get(l->pve, a, path, NULL, &data, NULL, &why) < 0)
		return begun;
	return (int64_t)begun >= (int64_t)l->g->posted + pve_int(data, "time", now) - now;
}

/* Locked while it is made, or not to be seen (*hidden says why). 0: look again; 1: *ret; -1. */
static int unfinished(
	struct looking *l, const struct err *hidden, enum settled *ret, struct err *err)
{
	uint64_t ended;
	bool ours;
	int r = wait_for_task(l, &ended, err);

	if (r < 0)
		return -1;
	if (r == 1) {
		l->idle = 0;
		return 0;
	}
	if (++l->idle < IDLE_LOOKS) {
		pve_pause(l->pve, PAUSE_MS);
		return 0;
	}
	/* A task of ours can be seen by us: without any it is somebody else's. */
	ours = l->g->upid || may_be_ours(l, ended);
	if (hidden && ours) {
		*err = *hidden;
		return -1;
	}
	if (ours)
		return stale(l->g, err);
	*ret = SETTLED_THEIRS;
	return 1;
}

/* On this node. 0: look again; 1: *ret; -1. */
static int look(struct looking *l, const char *node, enum settled *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct err hidden = ERR_INIT;
	struct guest_owned o = { 0 };
	uint64_t ended;
	int r;

	if (!a)
		return err_nomem(err);
	if (guest_owner(l->pve, l->g, node, a, &o, &hidden) < 0) {
		*err = hidden;
		return o.hidden ? unfinished(l, &hidden, ret, err) : -1;
	}
	if (str_eq(o.lock, "create"))
		return unfinished(l, NULL, ret, err);
	if (o.by == GUEST_ABSENT) {
		*ret = SETTLED_NONE;
		r = wait_for_task(l, &ended, err);
		return r < 0 ? -1 : !r;
	}
	*ret = o.by == GUEST_OURS ? SETTLED_OURS : SETTLED_THEIRS;
	if (o.by == GUEST_UNMARKED && l->g->upid) {
		r = guest_is_ours(l->pve, l->g, node, true, a, NULL, err);
		if (r < 0 && err->code != ERR_STATE)
			return -1;
		*ret = r == 1 ? SETTLED_OURS : SETTLED_THEIRS;
	}
	return 1;
}

int guest_settle(struct pve *pve, const struct guest *g, struct arena *a, enum settled *ret,
	const char **ret_node, struct err *err)
{
	struct looking l = {
		.pve = pve, .g = g, .until = pve_now_ms(pve) + pve->cfg->create_s * UINT64_C(1000)
	};
	const char *node = g->node;
	int r;

	while ((r = look(&l, node, ret, err)) == 0)
		;
	if (r == 1 && *ret == SETTLED_NONE) { /* somewhere else: taken, or moved there */
		r = guest_where(pve, g->vmid, a, &node, err);
		if (r == 0 || (r == 1 && str_eq(node, g->node)))
			return 0; /* what the cluster says is of a moment ago */
		while (r >= 0 && (r = look(&l, node, ret, err)) == 0)
			;
	}
	if (r < 0)
		return -1;
	if (ret_node)
		*ret_node = node;
	return 0;
}

/* ---- undoing ---- */

/* The task that we began: asked to end, and waited for. It cleans up after itself. */
static int end_task(struct pve *pve, const struct guest *g, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_fault fault = { 0 };
	struct err why = ERR_INIT;
	struct pve_upid upid;
	const char *exit;
	int r;

	if (!a)
		return err_nomem(err);
	if (pve_upid_parse(g->upid, a, &upid, err) < 0)
		return err_in(err, "journal of the guest:");
	r = pve_task_look(pve, &upid, a, &exit, &fault, &why);
	if (r == 1 || (r < 0 && fault.reason == PVE_NO_TASK))
		return 0;
	if (r == 0) {
		fault = (struct pve_fault){ 0 };
		if (pve_task_cancel(pve, &upid, &why) < 0)
			log_debug("cancelling %s: %s", upid.text, why.text);
		r = pve_task_wait(pve, &upid, CANCEL_MS, &fault, &why);
		if (r == 0 || (fault.reason != PVE_TIMEOUT && fault.reason != PVE_UNREACHED))
			return 0;
	}
	*err = why;
	return -1;
}

static const char *destroy_path(struct arena *a, unsigned vmid, const char *node)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", vmid);
	return pve_path(a, "nodes", node, "lxc", number, NULL);
}

/* What may go away by itself, or was perhaps done: then it is looked at again. */
static bool is_passing(enum pve_reason reason)
{
	return reason == PVE_LOCKED || reason == PVE_BUSY || reason == PVE_AMBIGUOUS;
}

/* One DELETE, to its end. *tries: how often it may be asked again. */
static int remove_it(
	struct pve *pve, const struct guest *g, const char *node, unsigned *tries, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_form form = PVE_FORM_INIT(a);
	struct pve_fault fault = { 0 };
	struct err why = ERR_INIT;
	const struct json *data;
	struct pve_upid upid;
	const char *path;
	char name[GUEST_NAME_MAX];
	int r;

	path = a ? destroy_path(a, g->vmid, node) : NULL;
	if (!path)
		return err_nomem(err);
	pve_form_set(&form, "purge", "1", NULL);
	pve_form_set(&form, "force", "1", NULL);
	pve_form_set(&form, "destroy-unreferenced-disks", "0", NULL);
	r = pve_send(pve, a, HTTPS_DELETE, path, &form, &data, &fault, &why);
	if (r == 0 && pve_upid_of(data, a, &upid, &why) < 0) {
		fault.reason = PVE_AMBIGUOUS;
		r = -1;
	} else if (r == 0) {
		r = pve_task_wait(pve, &upid, pve->cfg->destroy_s * 1000, &fault, &why);
	}
	if (*tries && (r == 0 || fault.reason == PVE_GONE || is_passing(fault.reason))) {
		--*tries;
		if (r < 0)
			pve_pause(pve, PAUSE_MS);
		return 0;
	}
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, guest_name(g->vmid, node, name),
			"it is still there after it was removed");
	*err = why;
	if (fault.reason == PVE_LOCK_STALE)
		err_hint(err, "on node %s: pct unlock %u; then try again", node, g->vmid);
	return err_in(err, "remove %s:", guest_name(g->vmid, node, name));
}

/* Until when, by our clock, what was sent may still begin; 0: it can't. After one that was answered
 * only another one of the same VMID can. */
static uint64_t late_until(const struct guest *g)
{
	return g->sent && (g->phase == GUEST_INTENT || g->posts > 1) ? g->sent + LATE_S : 0;
}

static int may_come(const struct guest *g, uint64_t until, struct err *err)
{
	char name[GUEST_NAME_MAX], when[PROC_TIME_MAX];

	err_set(err, ERR_UNAVAILABLE, guest_name(g->vmid, g->node, name),
		"it was asked for, no answer came, and until %s it may still be made",
		proc_time(until, 0, when));
	return err_hint(err, "delete the container then, or now: that waits for it");
}

int proxmox_undo_create(struct pve *pve, int dir_fd, struct guest *g, bool wait, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const uint64_t until = late_until(g), now = (uint64_t)time(NULL);
	/* A clock that was put back doesn't make it longer. */
	const uint64_t left_s = until > now ? MIN(until - now, (uint64_t)LATE_S) : 0;
	const uint64_t end = pve_now_ms(pve) + left_s * 1000;
	unsigned tries = REMOVE_TRIES;
	bool came = false, said = false;

	if (!a)
		return err_nomem(err);
	if (g->upid && end_task(pve, g, err) < 0)
		return -1;
	for (;;) {
		enum settled what;
		const char *node;

		if (guest_settle(pve, g, a, &what, &node, err) < 0)
			return -1;
		if (what == SETTLED_OURS) {
			if (remove_it(pve, g, node, &tries, err) < 0)
				return -1;
			came = true;
			continue;
		}
		if (what == SETTLED_THEIRS || pve_now_ms(pve) >= end || (came && g->posts == 1))
			return 0;
		if (!wait)
			return may_come(g, until, err);
		if (!said) {
			struct err why;
			may_come(g, until, &why);
			log_warn("%s: %s; waiting", why.object, why.text);
			said = true;
		}
		pve_pause(pve, LATE_PAUSE_MS);
	}
}
