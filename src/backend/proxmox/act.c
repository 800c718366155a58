/* SPDX-License-Identifier: Apache-2.0 */
/* One thing done to a guest, with all that can be in its way. */
#include "backend/proxmox/act.h"

#include "base/fd.h"
#include "base/log.h"

#include <string.h>

enum {
	LOOK_SOON_MS = 150, /* whether a task that isn't waited for has failed at once */
	GONE_TRIES = 3,     /* it moves from node to node, and each time we come too late */
	UNREACHED_TRIES = 3,
	KILLED_TRIES = 1,  /* its worker was killed, or the node restarted */
	UNCLEAR_TRIES = 3, /* somebody else changes the configuration at the same time */
};

/* ---- whom ---- */

/* Files get mixed up: another container's journal would lead to its guest. */
static int load(const struct ctr_record *rec, int dir_fd, struct arena *a, struct guest *ret,
	struct err *err)
{
	int r = guest_load(dir_fd, a, ret, err);

	if (r != 1 || str_eq(ret->id, rec->id))
		return r;
	return err_set(err, ERR_INVALID, GUEST_JOURNAL,
		"the journal of the guest is another container's: %.128s", ret->id);
}

/* Is its number a virtual machine's by now? Then it's gone: in a cluster no two have the same. 1,
 * 0, -1. */
static int is_a_machines(struct subject *s, struct err *err)
{
	const struct json *rows;

	if (guest_list(s->pve, s->arena, 0, &rows, err) < 0)
		return -1;
	json_for_each (row, rows)
		if (pve_int(row, "vmid", 0) == (int64_t)s->guest.vmid &&
			str_eq(pve_text(row, "type"), "qemu"))
			return 1;
	return 0;
}

int act_confirm_gone(struct subject *s, struct pve_fault *fault, struct err *err)
{
	int r = guest_is_free(s->pve, s->guest.vmid, 0, s->arena, err);

	if (r == 0)
		r = is_a_machines(s, err);
	if (r != 0)
		return r;
	fault->reason = PVE_GONE;
	err_set(err, ERR_STATE, NULL, "guest %u can't be seen on any node, but its VMID is in use",
		s->guest.vmid);
	err_hint(err, "a virtual machine of somebody else's may have it by now, or the login has "
		      "lost its rights to the guest: \"ctrctl check proxmox\" tells");
	return 0;
}

int act_open(const struct ctr_record *rec, int dir_fd, struct arena *a, struct subject *ret,
	struct err *err)
{
	struct pve_fault fault;
	uint64_t vmid;
	int r;

	if (!a)
		return err_nomem(err);
	*ret = (struct subject){ .arena = a, .dir_fd = dir_fd };
	r = dir_fd < 0 ? 0 : load(rec, dir_fd, a, &ret->guest, err);
	if (r < 0 || (r == 0 && !rec->guest))
		return r;
	ret->guest.created = rec->created;
	ret->pve = proxmox_session(rec->context, err);
	if (!ret->pve || r == 1)
		return ret->pve ? 1 : -1;
	if (parse_u64(rec->guest, SETTINGS_VMID_MAX, &vmid) < 0 || vmid < SETTINGS_VMID_MIN)
		return err_set(err, ERR_INVALID, rec->guest, "isn't the VMID of a guest");
	ret->dir_fd = FD_NONE;
	ret->guest = (struct guest){
		.id = rec->id, .vmid = (unsigned)vmid, .phase = GUEST_MADE, .created = rec->created
	};
	r = guest_where(ret->pve, ret->guest.vmid, a, &ret->guest.node, err);
	if (r != 0)
		return r;
	return act_confirm_gone(ret, &fault, err) == 1 ? 0 : -1;
}

int act_gone(const struct guest *g, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, NULL,
		"its guest %u isn't on the server any more: somebody else has removed it", g->vmid);
	return err_hint(err, "only its record is left: delete the container");
}

int act_open_made(const struct ctr_record *rec, int dir_fd, struct arena *a, struct subject *ret,
	struct err *err)
{
	int r = act_open(rec, dir_fd, a, ret, err);

	if (r < 0)
		return -1;
	if (r == 0 && ret->guest.vmid)
		return act_gone(&ret->guest, err);
	if (r == 1 && (ret->guest.phase == GUEST_MADE || ret->guest.phase == GUEST_REMOVING))
		return 0;
	err_set(err, ERR_STATE, NULL, "its guest was never made whole");
	return err_hint(err, "delete the container, and create it again");
}

int act_look(struct subject *s, struct guest_look *ret, struct err *err)
{
	if (guest_look(s->pve, &s->guest, s->arena, ret, err) < 0)
		return -1;
	if (ret->exists && ret->node && !str_eq(ret->node, s->guest.node)) {
		log_info("guest %u has moved from %s to %s", s->guest.vmid, s->guest.node,
			ret->node);
		s->guest.node = ret->node;
		s->moved = true;
	}
	return 0;
}

bool act_is_running(const struct guest_look *look)
{
	return look->exists && look->status && !str_eq(look->status, "stopped");
}

/* ---- whose ---- */

static bool has_tag(const char *tags, const char *tag)
{
	const size_t n = strlen(tag);

	while (tags && *tags) {
		size_t len = strcspn(tags, ";, ");

		if (len == n && memcmp(tags, tag, n) == 0)
			return true;
		tags += len + (tags[len] != '\0');
	}
	return false;
}

bool act_has_our_tag(const struct guest *g, const struct json *object)
{
	char tag[PVE_TAG_MAX];

	return has_tag(pve_text(object, "tags"), pve_tag(g->id, tag));
}

int act_whose(struct subject *s, const char *node, const struct json **ret_config, struct err *err)
{
	struct guest_owned o;

	if (guest_owner(s->pve, &s->guest, node, s->arena, &o, err) < 0)
		return -1;
	*ret_config = o.config;
	switch (o.by) {
	case GUEST_ABSENT: return ACT_GONE;
	case GUEST_OURS: return ACT_OURS;
	case GUEST_THEIRS: return ACT_FOREIGN;
	case GUEST_UNMARKED: break;
	}
	return act_has_our_tag(&s->guest, o.config) ? ACT_EDITED : ACT_FOREIGN;
}

/* ---- what is in the way ---- */

/* Whether the task that holds a create or destroyed lock still runs. 1, 0, -1. */
static int is_at_work(struct subject *s, const struct guest_look *look, struct err *err)
{
	static const char *const types[] = { "vzcreate", "vzrestore", "vzclone", "vzdestroy" };
	struct pve_upid upid;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		bool running = false;
		int r = pve_task_find(s->pve, look->node, types[i], s->guest.vmid, 0, NULL,
			s->arena, &upid, &running, err);
		if (r < 0 || (r == 1 && running))
			return r;
	}
	return 0;
}

/* The answer was lost: has a task begun? It is waited for; what it came to, the next look tells. 1
 * when it was done once, and must not be again; 0, -1. */
static int follow(struct subject *s, const struct act *act, const struct guest_look *look,
	uint64_t end, struct err *err)
{
	const uint64_t made = guest_made_at(&s->guest, s->arena);
	struct pve_fault fault;
	struct pve_upid upid;
	struct err own;
	bool running = false;
	uint64_t now = pve_now_ms(s->pve);
	int r = pve_task_find(s->pve, look->node, act->task, s->guest.vmid, 0, NULL, s->arena,
		&upid, &running, err);

	if (r <= 0)
		return r;
	/* Containers are started once: one that has ended is ours, since the guest was made. */
	if (!running && (!act->once || !made || upid.start < made))
		return 0;
	if (now >= end)
		return 0;
	if (pve_task_wait(s->pve, &upid, (unsigned)(end - now), &fault, &own) == 0)
		return act->once;
	log_info("%s of guest %u: %s", act->task, s->guest.vmid, fault.text);
	return 0;
}

static void hint_lock(const struct subject *s, const struct pve_fault *fault, struct err *err)
{
	/* What a stale one needs is said where it was met. */
	if (fault->reason == PVE_LOCKED || fault->reason == PVE_BUSY)
		err_hint(err, "another operation holds guest %u: try again once it has ended",
			s->guest.vmid);
}

int act_again(struct subject *s, const struct act *act, const struct guest_look *look,
	const struct pve_fault *fault, unsigned tries, uint64_t end, struct err *err)
{
	struct err own;
	int r;

	switch ((int)fault->reason) {
	case PVE_GONE:
		if (tries >= GONE_TRIES)
			return 0;
		break;
	case PVE_LOCK_STALE:
		r = is_at_work(s, look, &own);
		if (r <= 0)
			return 0;
		break;
	case PVE_AMBIGUOUS:
		r = follow(s, act, look, end, &own);
		if (r < 0)
			*err = own;
		if (r != 0)
			return r < 0 ? -1 : 2;
		break;
	case PVE_UNREACHED:
		if (tries >= UNREACHED_TRIES)
			return 0;
		break;
	case PVE_KILLED:
		if (tries >= KILLED_TRIES)
			return 0;
		break;
	case PVE_LOCKED:
	case PVE_BUSY:
	case PVE_NO_QUORUM:
	case PVE_RUNNING:
	case PVE_NOT_RUNNING:
	case PVE_IS_RUNNING: break;
	default: return 0;
	}
	const unsigned ms = tries < 4 ? 100U << tries : 1500;
	if (pve_now_ms(s->pve) + ms >= end) {
		hint_lock(s, fault, err);
		return 0;
	}
	pve_pause(s->pve, ms);
	return 1;
}

/* ---- doing it ---- */

/* High availability: the task only says what is wanted; the cluster's manager does it later. */
static int await(struct subject *s, const struct act *act, uint64_t end, struct pve_fault *fault,
	struct err *err)
{
	for (unsigned ms = 250;; ms = MIN(ms * 2, 2000U)) {
		struct guest_look look;

		if (act_look(s, &look, err) < 0)
			return -1;
		if (!look.exists || act->is_done(&look))
			return look.exists ? 0 : act_gone(&s->guest, err);
		if (pve_now_ms(s->pve) + ms >= end)
			break;
		pve_pause(s->pve, ms);
	}
	fault->reason = PVE_TIMEOUT;
	err_set(err, ERR_TIMEOUT, act->task,
		"guest %u is under high availability, and its manager hasn't done it in time",
		s->guest.vmid);
	return err_hint(err, "\"ha-manager status\" on a node says what it is waiting for");
}

/* Only what fails at once is seen. */
static int glance(struct subject *s, const struct pve_upid *upid, unsigned left_ms,
	struct pve_fault *fault, struct err *err)
{
	const char *status;
	struct err own;
	int r;

	pve_pause(s->pve, LOOK_SOON_MS);
	r = pve_task_look(s->pve, upid, s->arena, &status, fault, &own);
	if (r < 0)
		log_debug("guest %u: its task can't be looked at: %s", s->guest.vmid, own.text);
	return r == 1 ? pve_task_wait(s->pve, upid, left_ms, fault, err) : 0;
}

void act_save(struct subject *s)
{
	struct err why = ERR_INIT;
	char line[512];

	if (guest_save(s->dir_fd, &s->guest, &why) == 0) {
		s->moved = false;
		return;
	}
	err_line(&why, line, sizeof(line));
	log_warn("guest %u: %s", s->guest.vmid, line);
}

static void note(struct subject *s, int stopped_by)
{
	if (s->dir_fd < 0 || s->guest.stopped_by == stopped_by)
		return;
	s->guest.stopped_by = stopped_by;
	act_save(s);
}

/* Was nothing begun? Where that isn't certain, what was noted stays. */
static bool is_refusal(enum pve_reason reason)
{
	switch ((int)reason) {
	case PVE_UNREACHED:
	case PVE_UNTRUSTED:
	case PVE_UNAUTHORIZED:
	case PVE_FORBIDDEN:
	case PVE_BAD_PARAMETER:
	case PVE_BUSY:
	case PVE_LOCKED:
	case PVE_LOCK_STALE:
	case PVE_NO_QUORUM: return true;
	default: return false;
	}
}

static int attempt(struct subject *s, const struct act *act, const struct guest_look *look,
	uint64_t end, struct pve_fault *fault, struct err *err)
{
	const uint64_t now = pve_now_ms(s->pve);
	const unsigned left_ms = now < end ? (unsigned)(end - now) : 1;
	const struct json *data;
	struct pve_upid upid;
	char vmid[16];

	snprintf(vmid, sizeof(vmid), "%u", s->guest.vmid);
	const char *path = act->verb ? pve_path(s->arena, "nodes", look->node, "lxc", vmid,
					       "status", act->verb, NULL)
				     : pve_path(s->arena, "nodes", look->node, "lxc", vmid, NULL);
	if (!path)
		return err_nomem(err);
	note(s, act->note);
	if (pve_send_once(s->pve, s->arena, act->method, path, act->form, &data, fault, err) < 0)
		return -1;
	if (pve_upid_of(data, s->arena, &upid, err) < 0) {
		fault->reason = PVE_AMBIGUOUS; /* it was taken, as it seems */
		return -1;
	}
	if (act->no_wait)
		return glance(s, &upid, left_ms, fault, err);
	if (pve_task_wait(s->pve, &upid, left_ms, fault, err) < 0)
		return -1;
	return str_starts(upid.type, "ha") ? await(s, act, end, fault, err) : 0;
}

static int run(struct subject *s, const struct act *act, bool *ret_begun, struct pve_fault *fault,
	struct err *err)
{
	const uint64_t end = pve_now_ms(s->pve) + act->deadline_ms;

	for (unsigned tries = 0;; tries++) {
		struct guest_look look;
		int r;

		*fault = (struct pve_fault){ 0 };
		if (act_look(s, &look, err) < 0)
			return -1;
		if (!look.exists) {
			fault->reason = PVE_GONE;
			return act_gone(&s->guest, err);
		}
		if (act->is_done(&look))
			return 0;
		r = guest_is_ours(s->pve, &s->guest, look.node, false, s->arena, NULL, err);
		if (r < 0)
			return -1;
		if (r == 1 && s->moved && s->dir_fd >= 0)
			act_save(s);
		if (r == 0)
			fault->reason = PVE_GONE;
		else if (attempt(s, act, &look, end, fault, err) == 0)
			return 0;
		else
			*ret_begun |= !is_refusal(fault->reason);
		if (fault->reason == PVE_GONE)
			act_gone(&s->guest, err);
		r = act_again(s, act, &look, fault, tries, end, err);
		if (r == 2)
			return 0;
		if (r <= 0)
			return -1;
	}
}

int act_run(struct subject *s, const struct act *act, struct pve_fault *fault, struct err *err)
{
	const int before = s->guest.stopped_by;
	bool begun = false;

	if (run(s, act, &begun, fault, err) == 0)
		return 0;
	if (!begun)
		note(s, before);
	return -1;
}

/* ---- its configuration ---- */

static int put_config(struct subject *s, const struct act_change *c, const char *node,
	const struct json *config, struct pve_fault *fault, struct err *err)
{
	struct pve_form form = PVE_FORM_INIT(s->arena);
	const struct json *data;
	const char *path;
	char vmid[16];

	if (c->fill(c->arg, config, s->arena, &form, err) < 0 || pve_form_ok(&form, err) < 0)
		return -1;
	if (form.n == 0)
		return 0;
	snprintf(vmid, sizeof(vmid), "%u", s->guest.vmid);
	path = pve_path(s->arena, "nodes", node, "lxc", vmid, "config", NULL);
	if (!path)
		return err_nomem(err);
	return pve_send(s->pve, s->arena, HTTPS_PUT, path, &form, &data, fault, err);
}

int act_configure(struct subject *s, const struct act_change *c, uint64_t end,
	struct pve_fault *fault, struct err *err)
{
	static const struct act act = { .task = "vzset" };
	unsigned unclear = 0;

	for (unsigned tries = 0;; tries++) {
		struct guest_look look = { .exists = true, .node = s->guest.node };
		const struct json *config;

		*fault = (struct pve_fault){ 0 };
		if ((tries > 0 || !c->new_here) && act_look(s, &look, err) < 0)
			return -1;
		if (!look.exists) {
			fault->reason = PVE_GONE;
			return act_gone(&s->guest, err);
		}
		int r = guest_is_ours(s->pve, &s->guest, look.node, false, s->arena, &config, err);
		if (r < 0)
			return -1;
		if (s->moved && s->dir_fd >= 0)
			act_save(s);
		if (r == 0) /* since the look: it moves, or is removed */
			fault->reason = PVE_GONE;
		else if (put_config(s, c, look.node, config, fault, err) == 0)
			return 0;
		if (fault->reason == PVE_GONE)
			act_gone(&s->guest, err);
		/* The same again, unless it is there by now. */
		if (fault->reason == PVE_CHANGED || fault->reason == PVE_AMBIGUOUS ||
			fault->reason == PVE_GARBLED) {
			if (unclear++ < UNCLEAR_TRIES)
				continue;
			return -1;
		}
		if (act_again(s, &act, &look, fault, tries, end, err) <= 0)
			return -1;
	}
}
