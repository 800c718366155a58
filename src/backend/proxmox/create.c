/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a guest. What is begun on the server is in the journal before: whoever comes after a crash
 * finds there where to look. Only one VMID at a time may hold something of ours: the next one is
 * tried when it is certain that nothing of ours is, or comes, under the one before.
 */
#include "backend/proxmox/create.h"

#include "backend/proxmox/act.h"
#include "backend/proxmox/pull.h"
#include "base/fd.h"
#include "base/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	VMID_TRIES = 32,
	POST_TRIES = 3, /* for one VMID, after answers that were lost */
};

struct making {
	const struct ctr_input *in;
	struct ctr_record *rec;
	const struct ctr_save *save;
	const struct settings_proxmox *cfg;
	struct pve *pve;
	struct arena *a;
	struct guest_wish wish;
	struct pve_source source;
	struct pve_cluster cluster;
	struct pve_target target;
	struct guest guest;
	int log_fd;
};

static void making_done(struct making *m)
{
	fd_close(m->log_fd);
	arena_free(m->a);
}

/* ---- before anything is changed ---- */

static int wish(struct making *m, struct err *err)
{
	struct ctr_faults own = CTR_FAULTS_INIT;
	int r = proxmox_wish(m->in, m->a, &m->wish, m->in->faults ? m->in->faults : &own, err);

	ctr_faults_done(&own);
	if (r < 0)
		return -1;
	params_note_memory(m->wish.memory_bytes);
	m->wish.who.created = m->rec->created;
	if (!m->wish.image)
		return err_set(err, ERR_INVALID, "image", "is needed to make a guest from");
	if (pve_source_of(m->cfg, m->wish.image, m->a, &m->source, err) < 0)
		return -1;
	m->log_fd = create_log_open(m->in, &m->wish, err);
	return m->log_fd == -1 ? -1 : 0;
}

/* One that was made before, and whose record was lost, say. */
static int refuse_twin(const struct guest *twin, struct err *err)
{
	err_set(err, ERR_STATE, NULL, "a guest of this id is on the server: VMID %u on node %s",
		twin->vmid, twin->node);
	return err_hint(err,
		"is it this host's, and its record was lost: ctrctl delete --backend proxmox %s; is "
		"it another host's: each needs a range of its own, proxmox.vmids",
		twin->id);
}

/* There is no record of the id, or it would have been refused: so there must be no guest either, or
 * there would be two. Other hosts have their own range, and may have this id there. */
static int check_twins(struct making *m, struct err *err)
{
	json_for_each (row, m->cluster.resources) {
		const int64_t vmid = pve_int(row, "vmid", 0);
		const struct guest twin = {
			.id = m->in->id, .vmid = (unsigned)vmid, .node = pve_text(row, "node")
		};
		struct guest_owned o;

		if (vmid < m->cfg->vmid_first || vmid > m->cfg->vmid_last || !twin.node ||
			!str_eq(pve_text(row, "type"), "lxc") || !act_has_our_tag(&twin, row))
			continue;
		if (guest_owner(m->pve, &twin, twin.node, m->a, &o, err) < 0)
			return err_in(err, "guest %u has this container's tag:", twin.vmid);
		if (o.by == GUEST_OURS)
			return refuse_twin(&twin, err);
	}
	return 0;
}

static int choose(struct making *m, struct err *err)
{
	struct pve_target *t = &m->target;

	if (pve_cluster_look(m->pve, m->a, &m->cluster, err) < 0 || check_twins(m, err) < 0 ||
		pve_place(m->pve, &m->wish, &m->source, &m->cluster, m->a, t, NULL, err) < 0)
		return -1;
	if (t->template.oci || m->wish.n_argv || m->wish.env.n || m->wish.cwd) {
		if (pve_version(m->pve, err) < 0)
			return -1;
		t->major = m->pve->major;
		t->minor = m->pve->minor;
	}
	t->image = m->source.image;
	t->ticket = str_eq(m->cfg->user, "root@pam");
	return 0;
}

/* ---- the journal ---- */

static int journal(struct making *m, enum guest_phase phase, struct err *err)
{
	m->guest.phase = phase;
	return guest_save(m->in->dir_fd, &m->guest, err);
}

static int intend(struct making *m, unsigned vmid, struct err *err)
{
	struct ctr_record *rec = m->rec;

	m->target.vmid = vmid;
	m->guest = (struct guest){ .id = m->in->id,
		.vmid = vmid,
		.node = m->target.node,
		.volid = m->target.template.volid,
		.oci = m->target.template.oci,
		.posted = (uint64_t)time(NULL) - GUEST_CLOCK_MARGIN_S,
		.sent = (uint64_t)time(NULL),
		.posts = 1,
		.log_file = m->wish.log_file,
		.created = rec->created };
	if (journal(m, GUEST_INTENT, err) < 0)
		return -1;
	rec->guest = arena_printf(m->in->context->arena, "%u", vmid);
	if (!rec->guest)
		return err_nomem(err);
	return m->save->fn(m->save->arg, rec, err);
}

/* The server said no, and nothing else was sent: there is nothing to look for. */
static int refused(struct making *m)
{
	if (unlinkat(m->in->dir_fd, GUEST_JOURNAL, 0) == 0)
		m->rec->guest = NULL;
	return -1;
}

/* ---- the making ---- */

/* What became of a POST, or of its task. */
enum outcome { MADE, NEXT_VMID, POST_AGAIN };

static bool speaks_of_tags(const struct pve_fault *fault)
{
	return fault->reason == PVE_FORBIDDEN && strcasestr(fault->text, "tag");
}

static int in_task(const struct making *m, struct err *err)
{
	char name[GUEST_NAME_MAX];

	return err_in(err, "%s: %s", guest_name(m->guest.vmid, m->guest.node, name), m->guest.upid);
}

static int wait_for_it(
	struct making *m, const struct pve_upid *upid, enum outcome *ret, struct err *err)
{
	struct pve_fault fault = { 0 };

	m->guest.upid = upid->text;
	if (journal(m, GUEST_MAKING, err) < 0)
		return -1;
	*ret = MADE;
	if (pve_task_wait(m->pve, upid, m->cfg->create_s * 1000, &fault, err) == 0)
		return 0;
	*ret = NEXT_VMID;
	if (fault.reason == PVE_ID_TAKEN || fault.reason == PVE_ID_BUSY)
		return 0;
	return in_task(m, err);
}

/* It is ours, and no task works on it: so the newest task has made it. Without that, what is asked
 * for by the time of its making is asked by our clock. */
static void note_task(struct making *m)
{
	struct err why = ERR_INIT;
	struct pve_upid upid;
	bool running;

	if (pve_task_find(m->pve, m->guest.node, "vzcreate", m->guest.vmid, 0, NULL, m->a, &upid,
		    &running, &why) == 1)
		m->guest.upid = upid.text;
}

/* The answer was lost: what is there now? *why: what the POST failed with. */
static int reconcile(struct making *m, const struct err *why, enum outcome *ret, struct err *err)
{
	struct err failed = ERR_INIT;
	enum settled what;

	log_debug("create of guest %u: %s; looking for it", m->guest.vmid, why->text);
	if (guest_settle(m->pve, &m->guest, m->a, &what, NULL, &failed) < 0) {
		*err = failed;
		return err_in(err, "after an answer was lost:");
	}
	if (what == SETTLED_OURS)
		note_task(m);
	*ret = what == SETTLED_OURS ? MADE : what == SETTLED_NONE ? POST_AGAIN : NEXT_VMID;
	return 0;
}

static int post(struct making *m, struct pve_upid *ret, struct pve_fault *fault, struct err *err)
{
	const char *path = pve_path(m->a, "nodes", m->target.node, "lxc", NULL);
	struct pve_form form = PVE_FORM_INIT(m->a);
	const struct json *data;

	if (!path)
		return err_nomem(err);
	if (params_build(&m->wish, &m->target, m->cfg, m->a, &form, err) < 0 ||
		pve_form_ok(&form, err) < 0)
		return -1;
	if (pve_send(m->pve, m->a, HTTPS_POST, path, &form, &data, fault, err) < 0)
		return -1;
	if (pve_upid_of(data, m->a, ret, err) == 0)
		return 0;
	fault->reason = PVE_GARBLED; /* accepted, as it seems */
	return -1;
}

/* A failure that isn't known: did it stop before it began? */
static bool is_unclear(struct making *m, const struct pve_fault *fault)
{
	struct err ignored = ERR_INIT;
	struct guest_owned o;

	if (fault->reason != PVE_OTHER || fault->status < 500)
		return false;
	return guest_owner(m->pve, &m->guest, m->guest.node, m->a, &o, &ignored) < 0 ||
	       o.by != GUEST_ABSENT;
}

/* It is sent once more. `lost`: what was sent before may still be on its way. */
static int note_post(struct making *m, bool lost, struct err *err)
{
	m->guest.sent = (uint64_t)time(NULL);
	m->guest.posts += lost;
	return journal(m, GUEST_INTENT, err);
}

/* Answers were lost, and that's the end: the record stays, for what was sent may come late. The
 * time counts from now, when the last connection has ended. */
static int give_up(struct making *m)
{
	struct err ignored = ERR_INIT;

	m->in->context->gave_up = true;
	if (m->guest.phase == GUEST_INTENT && note_post(m, false, &ignored) < 0)
		log_debug("guest %u: %s", m->guest.vmid, ignored.text);
	return -1;
}

/* It was answered, so nothing is on its way; but something may be there. */
static int leave_to_undo(struct making *m)
{
	struct err ignored = ERR_INIT;

	m->guest.sent = 0;
	if (journal(m, GUEST_INTENT, &ignored) < 0)
		log_debug("guest %u: %s", m->guest.vmid, ignored.text);
	return -1;
}

/* One VMID, to its end. */
static int try_vmid(struct making *m, enum outcome *ret, struct err *err)
{
	bool lost = false; /* an answer: something of ours may be there */

	for (unsigned i = 0; i < POST_TRIES; i++) {
		struct pve_fault fault = { 0 };
		struct err why = ERR_INIT;
		struct pve_upid upid;
		char name[GUEST_NAME_MAX];
		bool taken;

		if ((i > 0 || m->target.no_tags) && note_post(m, lost, err) < 0)
			return -1;
		if (post(m, &upid, &fault, &why) == 0) {
			const int r = wait_for_it(m, &upid, ret, err);
			return r < 0 && lost ? give_up(m) : r;
		}
		*err = why;
		err_in(err, "%s:", guest_name(m->guest.vmid, m->guest.node, name));
		taken = fault.reason == PVE_ID_TAKEN || fault.reason == PVE_ID_BUSY;
		if (speaks_of_tags(&fault) && !m->target.no_tags) {
			log_warn(
				"%s: the server allows no tags: the guest gets none, so `ctrctl list` "
				"won't show it if its record is lost",
				name);
			m->target.no_tags = true;
			i--;
			continue;
		}
		/* Taken by an earlier try of ours, perhaps. */
		lost |= fault.reason == PVE_AMBIGUOUS || fault.reason == PVE_GARBLED ||
			(taken && fault.repeated);
		*ret = NEXT_VMID;
		if (!lost)
			return taken ? 0 : is_unclear(m, &fault) ? leave_to_undo(m) : refused(m);
		if (!taken && fault.reason != PVE_AMBIGUOUS && fault.reason != PVE_GARBLED)
			return give_up(m);
		if (reconcile(m, &why, ret, err) < 0)
			return give_up(m);
		if (*ret == POST_AGAIN && fault.reason == PVE_ID_TAKEN)
			*ret = NEXT_VMID; /* by a virtual machine, or on another node */
		if (*ret != POST_AGAIN)
			return 0;
	}
	err_hint(err,
		"each answer was lost, and no guest is there: is the node (or what is between) "
		"overloaded?");
	return give_up(m);
}

static int make(struct making *m, struct err *err)
{
	enum outcome what = NEXT_VMID;
	unsigned at = 0;

	for (unsigned i = 0; i < VMID_TRIES && what == NEXT_VMID; i++) {
		unsigned vmid = pve_vmid_choose(m->cfg, &m->cluster, m->in->id, &at);

		if (!vmid)
			break;
		if (intend(m, vmid, err) < 0 || try_vmid(m, &what, err) < 0)
			return -1;
	}
	if (what == MADE)
		return 0;
	refused(m);
	err_set(err, ERR_EXHAUSTED, NULL, "no VMID is free among those that were tried of %u to %u",
		m->cfg->vmid_first, m->cfg->vmid_last);
	return err_hint(err, "a wider range helps: proxmox.vmids in /etc/ctrctl/config.json");
}

/* ---- an OCI archive: what its import overwrites ---- */

static int fill_second(void *arg, const struct json *config, struct arena *a, struct pve_form *ret,
	struct err *err)
{
	struct making *m = arg;

	return params_second(&m->wish, m->cfg, config, a, ret, err);
}

static int second(struct making *m, struct err *err)
{
	const struct act_change change = { fill_second, m, .new_here = true };
	struct subject s = { .pve = m->pve, .arena = m->a, .dir_fd = FD_NONE };
	char name[GUEST_NAME_MAX];
	struct pve_fault fault;
	int r;

	if (!m->guest.oci)
		return 0;
	if (journal(m, GUEST_SECOND, err) < 0)
		return -1;
	s.guest = m->guest;
	r = act_configure(
		&s, &change, pve_now_ms(m->pve) + m->cfg->create_s * UINT64_C(1000), &fault, err);
	m->guest.node = s.guest.node; /* it may have been moved already */
	if (r == 0)
		return 0;
	if (fault.reason == PVE_GONE) {
		*err = (struct err)ERR_INIT;
		err_set(err, ERR_STATE, NULL, "it was removed by somebody else");
	}
	err_in(err, "its command and environment:");
	return err_in(err, "%s:", guest_name(m->guest.vmid, m->guest.node, name));
}

/* ---- the end ---- */

static int note_waived(struct making *m, struct err *err)
{
	struct ctr_record *rec = m->rec;
	const char **names = arena_array(m->in->context->arena, SETTINGS_WAIVER_N, sizeof(*names));
	size_t n = 0;

	if (!names)
		return err_nomem(err);
	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		if (m->wish.waived[i])
			names[n++] = settings_waiver_name(i);
	rec->waived = n ? names : NULL;
	rec->n_waived = n;
	rec->image_id = pve_template_image_id(&m->target.template, m->in->context->arena);
	return rec->image_id ? 0 : err_nomem(err);
}

static int finish(struct making *m, struct err *err)
{
	struct ctr_record *rec = m->rec;
	const bool engine = !m->in->config;

	m->guest.proxy = engine;
	if (note_waived(m, err) < 0 || journal(m, GUEST_MADE, err) < 0 ||
		create_log_write(m->log_fd, m->cfg, &m->guest, err) < 0)
		return -1;
	if (engine && proxmox_proxy_begin(m->in, rec, m->in->dir_fd, err) < 0)
		return -1;
	rec->phase = CTR_CREATED;
	return m->save->fn(m->save->arg, rec, err);
}

/* ---- the steps ---- */

static const struct step {
	const char *name;
	int (*run)(struct making *, struct err *);
} steps[] = {
	{ "wish", wish },
	{ "choose", choose },
	{ "make", make },
	{ "second", second },
	{ "finish", finish },
};

int proxmox_create(const struct ctr_input *in, struct ctr_record *rec, const struct ctr_save *save,
	struct err *err)
{
	_cleanup_(making_done) struct making m = { .in = in,
		.rec = rec,
		.save = save,
		.cfg = in->context ? in->context->cfg : NULL,
		.pve = proxmox_session(in->context, err),
		.a = arena_new(),
		.log_fd = FD_NONE };

	if (!m.pve)
		return -1;
	if (!m.a)
		return err_nomem(err);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const uint64_t begin = in->trace ? ctr_trace_now() : 0;

		if (steps[i].run(&m, err) < 0)
			return -1;
		if (in->trace)
			ctr_trace_add(in->trace, steps[i].name, in->id, (int)getpid(), begin,
				ctr_trace_now());
	}
	return 0;
}
