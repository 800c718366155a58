/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a guest: whatever of it is there goes, and nothing of anybody else's. The tags and the
 * description are looked at right before what can't be undone.
 */
#include "backend/proxmox/act.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"

#include <signal.h>

/* ---- the process that stands for it ---- */

/* It would notice by itself, at its next look. */
static int end_proxy(const struct ctr_record *rec, struct err *err)
{
	char boot[PROC_BOOT_ID_MAX];
	int alive;

	if (rec->pid <= 0)
		return 0;
	if (proc_boot_id(boot, err) < 0)
		return -1;
	if (!str_eq(boot, rec->boot_id))
		return 0;
	/* First the fd, then whether it is the one: so the number can't change hands between. */
	_close_ int pidfd = sys_pidfd_open(rec->pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? 0 : err_sys(err, errno, "pidfd_open", "%d", rec->pid);
	alive = proc_is_alive(rec->pid, rec->start_time, err);
	if (alive <= 0)
		return alive;
	if (sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
		return err_sys(err, errno, "pidfd_send_signal", "%d", rec->pid);
	return 0;
}

/* ---- the guest ---- */

static bool is_gone(const struct guest_look *look)
{
	return !look->exists;
}

static int refuse_edited(const struct subject *s, struct err *err)
{
	err_set(err, ERR_STATE, NULL,
		"guest %u on node %s has this container's tags, but its description (its notes) "
		"doesn't say so any more: it isn't touched",
		s->guest.vmid, s->guest.node);
	return err_hint(err,
		"is it the container's, remove it on the server, else its tags that begin with "
		"\"ctrctl\"; then delete the container again (see docs/proxmox.md)");
}

static int refuse_protected(const struct subject *s, struct err *err)
{
	err_set(err, ERR_STATE, NULL, "guest %u is protected from removal (protection=1)",
		s->guest.vmid);
	return err_hint(err, "somebody wants it kept; if not: \"pct set %u --protection 0\"",
		s->guest.vmid);
}

static void note_removing(struct subject *s)
{
	if (s->dir_fd < 0 || s->guest.phase == GUEST_REMOVING)
		return;
	s->guest.phase = GUEST_REMOVING;
	act_save(s);
}

static int send_delete(struct subject *s, const struct guest_look *look, uint64_t end,
	struct pve_fault *fault, struct err *err)
{
	struct pve_form form = PVE_FORM_INIT(s->arena);
	const uint64_t now = pve_now_ms(s->pve);
	const struct json *data;
	struct pve_upid upid;
	char vmid[16];

	/* Other disks that carry its number are somebody else's. */
	pve_form_set(&form, "purge", "1", NULL);
	pve_form_set(&form, "force", "1", NULL);
	pve_form_set(&form, "destroy-unreferenced-disks", "0", NULL);
	snprintf(vmid, sizeof(vmid), "%u", s->guest.vmid);
	const char *path = pve_path(s->arena, "nodes", look->node, "lxc", vmid, NULL);
	if (!path)
		return err_nomem(err);
	if (pve_form_ok(&form, err) < 0 ||
		pve_send_once(s->pve, s->arena, HTTPS_DELETE, path, &form, &data, fault, err) < 0)
		return -1;
	if (pve_upid_of(data, s->arena, &upid, err) < 0) {
		fault->reason = PVE_AMBIGUOUS; /* it was taken, as it seems */
		return -1;
	}
	return pve_task_wait(s->pve, &upid, now < end ? (unsigned)(end - now) : 1, fault, err);
}

/* Somebody's whom the login can't see. */
static int hint_hidden(const struct subject *s, struct err *err)
{
	return err_hint(err,
		"whose it is by now can't be seen. Let the login see it: \"pveum acl modify /vms/%u "
		"--roles PVEAuditor --users ...\"; then delete again: what isn't the container's is "
		"left alone",
		s->guest.vmid);
}

/* One try. 1: there is nothing of ours any more; 0 with *fault: it failed; -1. */
static int remove_once(struct subject *s, struct guest_look *look, uint64_t end,
	struct pve_fault *fault, struct err *err)
{
	const struct json *config;
	struct pve_fault killing;

	for (int step = 0;; step++) {
		if (act_look(s, look, err) < 0)
			return look->hidden ? hint_hidden(s, err) : -1;
		if (!look->exists)
			return act_confirm_gone(s, fault, err);
		int whose = act_whose(s, look->node, &config, err);
		if (whose < 0)
			return -1;
		if (whose == ACT_EDITED)
			return refuse_edited(s, err);
		if (whose == ACT_FOREIGN) {
			log_warn("guest %u on node %s is somebody else's by now, and isn't "
				 "touched; the container's own is gone",
				s->guest.vmid, look->node);
			return 1;
		}
		if (whose == ACT_GONE) /* between the look and now: it moves, or is removed */
			return act_confirm_gone(s, fault, err);
		if (pve_bool(config, "protection"))
			return refuse_protected(s, err);
		note_removing(s);
		/* Once stopped it is looked at again: that took its time. */
		if (!act_is_running(look) || step > 0)
			break;
		if (act_kill(s, &killing, err) < 0)
			return killing.reason == PVE_GONE ? act_confirm_gone(s, fault, err) : -1;
	}
	if (send_delete(s, look, end, fault, err) == 0)
		return 1;
	if (fault->reason == PVE_PROTECTED)
		return refuse_protected(s, err);
	return fault->reason == PVE_OK ? -1 : 0;
}

static int remove_guest(struct subject *s, struct err *err)
{
	const struct act act = { .method = HTTPS_DELETE,
		.task = "vzdestroy",
		.is_done = is_gone,
		.deadline_ms = s->pve->cfg->destroy_s * 1000 };
	const uint64_t end = pve_now_ms(s->pve) + act.deadline_ms;

	for (unsigned tries = 0;; tries++) {
		struct pve_fault fault = { 0 };
		struct guest_look look;
		int r = remove_once(s, &look, end, &fault, err);

		if (r != 0)
			return r < 0 ? -1 : 0;
		if (act_again(s, &act, &look, &fault, tries, end, err) <= 0)
			return -1;
	}
}

/* Without the journal, which is broken: by the record's VMID, or by tags. What is found is proven
 * by its description as ever. 1, 0 nothing was found, -1. */
static int open_anyway(
	const struct ctr_record *rec, struct arena *a, struct subject *ret, struct err *err)
{
	struct ctr_record found = *rec;
	int r;

	if (!rec->guest) {
		r = proxmox_find(rec->context, rec->id, FD_NONE, &found, err);
		if (r <= 0)
			return r;
	}
	r = act_open(&found, FD_NONE, a, ret, err);
	if (r == 1 && rec->guest && rec->phase == CTR_CREATING)
		ret->guest.phase = GUEST_MAKING;
	return r;
}

/* As act_open(); whoever gets here with a broken journal wants it gone all the same. */
static int open_to_remove(const struct ctr_record *rec, int dir_fd, struct arena *a,
	struct subject *ret, struct err *err)
{
	struct err why = ERR_INIT;
	int r = act_open(rec, dir_fd, a, ret, &why);

	if (r >= 0)
		return r;
	if (why.code != ERR_INVALID || dir_fd < 0) {
		*err = why;
		return -1;
	}
	log_info("container %s: %s: its guest is looked for without it", rec->id, why.text);
	r = open_anyway(rec, a, ret, err);
	if (r == 0)
		log_warn("container %s: " GUEST_JOURNAL " is broken, and the server shows no guest "
			 "of this container; one may still be there%s%s",
			rec->id, rec->guest ? ": " : "", rec->guest ? rec->guest : "");
	return r;
}

int proxmox_destroy(const struct ctr_record *rec, int dir_fd, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct subject s;
	int r;

	r = open_to_remove(rec, dir_fd, a, &s, err);
	if (r == 1 && s.guest.phase < GUEST_MADE)
		r = proxmox_undo_create(s.pve, dir_fd, &s.guest, !rec->context->gave_up, err);
	else if (r == 1)
		r = remove_guest(&s, err);
	return r < 0 ? -1 : end_proxy(rec, err);
}
