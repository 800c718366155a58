/* SPDX-License-Identifier: Apache-2.0 */
/* One guest: its journal, where it is, whose it is. */
#include "backend/proxmox/guest.h"

#include "base/fd.h"

#include <string.h>

enum { JOURNAL_BYTES_MAX = 64 << 10, JOURNAL_VERSION = 1, VMID_TEXT_MAX = 16 };

/* ---- the journal ---- */

static const char *const phase_names[GUEST_PHASE_N] = { [GUEST_INTENT] = "intent",
	[GUEST_MAKING] = "making",
	[GUEST_SECOND] = "second",
	[GUEST_MADE] = "made",
	[GUEST_REMOVING] = "removing" };
static const struct name_table phases = { phase_names, GUEST_PHASE_N };

static const char *const stop_names[GUEST_STOP_N] = {
	[GUEST_NOT_STOPPED] = "no", [GUEST_SHUTDOWN] = "shutdown", [GUEST_KILLED] = "killed"
};
static const struct name_table stops = { stop_names, GUEST_STOP_N };

struct stored {
	uint32_t version;
	struct guest g;
};

static const struct json_field fields[] = {
	J_ROW_U32(struct stored, version, "version", J_REQUIRED),
	J_ROW_STR(struct stored, g.id, "id", J_REQUIRED),
	J_ROW_U32(struct stored, g.vmid, "vmid", J_REQUIRED),
	J_ROW_STR(struct stored, g.node, "node", J_REQUIRED),
	J_ROW_ENUM(struct stored, g.phase, "phase", J_REQUIRED | J_KEEP, &phases),
	J_ROW_STR(struct stored, g.upid, "upid", 0),
	J_ROW_STR(struct stored, g.volid, "volid", 0),
	J_ROW_BOOL(struct stored, g.oci, "oci", 0),
	J_ROW_U64(struct stored, g.posted, "posted", 0),
	J_ROW_U64(struct stored, g.sent, "sent", 0),
	J_ROW_U32(struct stored, g.posts, "posts", 0),
	J_ROW_ENUM(struct stored, g.stopped_by, "stoppedBy", 0, &stops),
	J_ROW_BOOL(struct stored, g.ended, "ended", 0),
	J_ROW_BOOL(struct stored, g.proxy, "proxy", 0),
	J_ROW_STR(struct stored, g.log_file, "logFile", 0),
	{ 0 },
};

static int parse(const char *text, size_t n, struct arena *a, struct guest *ret, struct err *err)
{
	struct stored s = { 0 };
	const struct json *root;

	if (json_parse(text, n, JOURNAL_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, fields, &s, JSON_UNKNOWN_REFUSE, a, err) < 0)
		return -1;
	if (s.version != JOURNAL_VERSION)
		return err_set(err, ERR_INVALID, NULL, "it is of version %u, known is %d",
			s.version, JOURNAL_VERSION);
	if (s.g.vmid < SETTINGS_VMID_MIN || s.g.vmid > SETTINGS_VMID_MAX)
		return err_set(err, ERR_INVALID, "vmid", "%u is none", s.g.vmid);
	*ret = s.g;
	return 0;
}

int guest_load(int dir_fd, struct arena *a, struct guest *ret, struct err *err)
{
	struct err why = ERR_INIT;
	_free_ char *text = NULL;
	size_t n;

	if (file_read(dir_fd, GUEST_JOURNAL, JOURNAL_BYTES_MAX, &text, &n, &why) < 0) {
		if (why.code == ERR_NOT_FOUND)
			return 0;
		*err = why;
		if (why.code == ERR_EXHAUSTED && !why.os)
			err->code = ERR_INVALID; /* bigger than a journal is */
		return err_in(err, "journal of the guest:");
	}
	if (parse(text, n, a, ret, err) == 0)
		return 1;
	if (!arena_failed(a))
		err->code = ERR_INVALID; /* a limit, say */
	err_in(err, "journal of the guest (" GUEST_JOURNAL "):");
	return err_hint(err, "the server may have a guest of this container: ctrctl list shows it "
			     "by its tags");
}

int guest_save(int dir_fd, const struct guest *g, struct err *err)
{
	const struct stored s = { .version = JOURNAL_VERSION, .g = *g };
	_str_ struct str text = { 0 };

	json_write(fields, &s, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	if (file_replace_synced(dir_fd, GUEST_JOURNAL, text.p, text.n, 0600, err) < 0)
		return err_in(err, "journal of the guest:");
	return 0;
}

const char *guest_name(unsigned vmid, const char *node, char buf[GUEST_NAME_MAX])
{
	snprintf(buf, GUEST_NAME_MAX, "guest %u on %s", vmid, node);
	return buf;
}

uint64_t guest_made_at(const struct guest *g, struct arena *a)
{
	struct err err = ERR_INIT;
	struct pve_upid making;

	return g->upid && pve_upid_parse(g->upid, a, &making, &err) == 0 ? making.start : g->posted;
}

/* ---- where it is ---- */

static const char *path_of(
	struct arena *a, unsigned vmid, const char *node, const char *one, const char *two)
{
	char number[VMID_TEXT_MAX];

	snprintf(number, sizeof(number), "%u", vmid);
	return pve_path(a, "nodes", node, "lxc", number, one, two, NULL);
}

int guest_list(struct pve *pve, struct arena *a, unsigned limit_ms, const struct json **ret,
	struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(a);
	uint64_t total;

	pve_form_set(&query, "type", "vm", NULL);
	if (pve_form_ok(&query, err) < 0 ||
		pve_get_page(pve, a, "/cluster/resources", &query, limit_ms, ret, &total, err) < 0)
		return -1;
	if ((*ret)->type == JSON_ARRAY)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "GET /cluster/resources", "the answer is no list");
}

int guest_where(
	struct pve *pve, unsigned vmid, struct arena *a, const char **ret_node, struct err *err)
{
	const struct json *rows;

	if (guest_list(pve, a, 0, &rows, err) < 0)
		return -1;
	json_for_each (row, rows) {
		const char *node = pve_text(row, "node");

		if (!node || !*node || pve_int(row, "vmid", 0) != (int64_t)vmid ||
			!str_eq(pve_text(row, "type"), "lxc"))
			continue;
		*ret_node = node;
		return 1;
	}
	return 0;
}

int guest_is_free(
	struct pve *pve, unsigned vmid, unsigned limit_ms, struct arena *a, struct err *err)
{
	static const char path[] = "/cluster/nextid";
	struct pve_form query = PVE_FORM_INIT(a);
	struct pve_fault fault = { 0 };
	struct err why = ERR_INIT;
	const struct json *data;
	int r;

	pve_form_setf(&query, "vmid", NULL, "%u", vmid);
	r = limit_ms ? pve_get_once(pve, a, path, &query, limit_ms, &data, &fault, &why)
		     : pve_get(pve, a, path, &query, &data, &fault, &why);
	if (r == 0)
		return 1;
	if (fault.status == 400 || fault.reason == PVE_ID_TAKEN)
		return 0;
	*err = why;
	return -1;
}

struct asked {
	bool once;               /* no second try: it is asked for anew, or elsewhere */
	const struct json *data; /* an object */
	struct pve_fault fault;
	bool hidden; /* it is there, but isn't shown to us */
};

/* 1, 0 it isn't on this node, -1. */
static int ask(struct pve *pve, unsigned vmid, const char *path, struct arena *a, struct asked *q,
	struct err *err)
{
	struct err why = ERR_INIT, ignored = ERR_INIT;
	int r;

	q->hidden = false;
	q->fault = (struct pve_fault){ 0 };
	if (!path)
		return err_nomem(err);
	r = q->once ? pve_get_once(pve, a, path, NULL, 0, &q->data, &q->fault, &why)
		    : pve_get(pve, a, path, NULL, &q->data, &q->fault, &why);
	if (r == 0) {
		if (q->data->type == JSON_OBJECT)
			return 1;
		return err_set(err, ERR_UNAVAILABLE, path, "the answer is no object");
	}
	if (q->fault.reason == PVE_GONE)
		return 0;
	/* Who has his rights by a pool has none to a guest that is gone. */
	if (q->fault.reason == PVE_FORBIDDEN) {
		r = guest_is_free(pve, vmid, 0, a, &ignored);
		if (r == 1)
			return 0;
		q->hidden = r == 0;
	}
	*err = why;
	return -1;
}

static int ask_current(struct pve *pve, unsigned vmid, const char *node, struct arena *a,
	struct asked *q, struct err *err)
{
	return ask(pve, vmid, path_of(a, vmid, node, "status", "current"), a, q, err);
}

/* The node doesn't answer, or not with what is known: it may be down or not be there any more, and
 * the guest elsewhere (high availability has moved it, say). */
static bool is_nodes_fault(enum pve_reason reason)
{
	return reason == PVE_UNREACHED || reason == PVE_AMBIGUOUS || reason == PVE_OTHER;
}

/* As ask_current(), wherever it is. */
static int ask_anywhere(struct pve *pve, const struct guest *g, struct arena *a, struct asked *q,
	const char **ret_node, struct err *err)
{
	struct err first = ERR_INIT, why = ERR_INIT;
	int r, there;

	*ret_node = g->node;
	q->once = true;
	r = ask_current(pve, g->vmid, g->node, a, q, &first);
	q->once = false;
	if (r < 0 && (q->fault.reason == PVE_BUSY || q->fault.reason == PVE_NO_QUORUM))
		return ask_current(pve, g->vmid, g->node, a, q, err);
	if (r == 0) { /* gone, or moved */
		r = guest_where(pve, g->vmid, a, ret_node, err);
		return r == 1 ? ask_current(pve, g->vmid, *ret_node, a, q, err) : r;
	}
	if (r < 0 && is_nodes_fault(q->fault.reason)) {
		there = guest_where(pve, g->vmid, a, ret_node, &why);
		if (there == 1 && !str_eq(*ret_node, g->node))
			return ask_current(pve, g->vmid, *ret_node, a, q, err);
		if (there >= 0)
			return ask_current(pve, g->vmid, g->node, a, q, err);
	}
	if (r < 0)
		*err = first;
	return r;
}

int guest_look(struct pve *pve, const struct guest *g, struct arena *a, struct guest_look *ret,
	struct err *err)
{
	struct guest_look l = { .node = g->node };
	struct asked q = { 0 };
	int r = ask_anywhere(pve, g, a, &q, &l.node, err);

	if (r < 0) {
		*ret = (struct guest_look){ .hidden = q.hidden };
		return -1;
	}
	if (r == 0) {
		*ret = (struct guest_look){ .node = g->node };
		return 0;
	}
	l.exists = true;
	l.current = q.data;
	l.lock = pve_text(l.current, "lock");
	l.status = pve_text(l.current, "status");
	l.uptime = (uint64_t)MAX(0, pve_int(l.current, "uptime", 0));
	*ret = l;
	return 0;
}

/* ---- whose it is ---- */

/* Its newest making was the one that the journal knows of. 1, 0, -1. */
static int is_of_our_task(
	struct pve *pve, const struct guest *g, const char *node, struct arena *a, struct err *err)
{
	struct pve_upid newest;
	bool running;
	int r;

	if (!g->upid)
		return 0;
	r = pve_task_find(pve, node, "vzcreate", g->vmid, 0, NULL, a, &newest, &running, err);
	return r == 1 ? str_eq(newest.text, g->upid) : r;
}

/* Ids and VMIDs are chosen by others, too: another host that makes one of this id takes the same
 * VMID first. When it was made tells them apart. */
static bool is_it(const struct guest *g, const struct pve_identity *who)
{
	if (!str_eq(who->id, g->id) || who->vmid != g->vmid)
		return false;
	return !g->created || !*g->created || !who->created || str_eq(who->created, g->created);
}

static int not_ours(
	const struct guest *g, const char *node, const struct guest_owned *o, struct err *err)
{
	char name[GUEST_NAME_MAX];

	guest_name(g->vmid, node, name);
	if (o->by == GUEST_UNMARKED)
		err_set(err, ERR_STATE, name,
			"its description has no line of ctrctl's: it isn't this container's (any more)");
	else if (str_eq(o->who.id, g->id) && o->who.vmid == g->vmid)
		err_set(err, ERR_STATE, name,
			"it was made for a container of the same id, but another one: at %.64s, "
			"not %.64s",
			o->who.created, g->created);
	else if (str_eq(o->who.id, g->id))
		err_set(err, ERR_STATE, name, "it is a copy of this container's guest %u",
			o->who.vmid);
	else
		err_set(err, ERR_STATE, name, "it belongs to another container: %.128s", o->who.id);
	return err_hint(err, "nothing was done to it; the container was made as guest %u", g->vmid);
}

int guest_owner(struct pve *pve, const struct guest *g, const char *node, struct arena *a,
	struct guest_owned *ret, struct err *err)
{
	struct guest_owned o = { 0 };
	struct asked q = { 0 };
	int r = ask(pve, g->vmid, path_of(a, g->vmid, node, "config", NULL), a, &q, err);

	if (r < 0) {
		ret->hidden = q.hidden;
		return -1;
	}
	o.config = q.data;
	if (r == 1) {
		const char *description = pve_text(o.config, "description");

		o.lock = pve_text(o.config, "lock");
		r = pve_description_read(description ? description : "", a, &o.who, err);
		if (r < 0)
			return -1;
		o.by = r == 0 ? GUEST_UNMARKED : is_it(g, &o.who) ? GUEST_OURS : GUEST_THEIRS;
		o.described = description && *description;
	}
	*ret = o;
	return 0;
}

int guest_is_ours(struct pve *pve, const struct guest *g, const char *node, bool half_made,
	struct arena *a, const struct json **ret_config, struct err *err)
{
	struct guest_owned o;
	int r;

	if (guest_owner(pve, g, node, a, &o, err) < 0)
		return -1;
	if (o.by == GUEST_ABSENT)
		return 0;
	if (ret_config)
		*ret_config = o.config;
	if (o.by == GUEST_OURS)
		return 1;
	/* Disks and description are written at once: one that has disks and no description,
	 * restored or cloned since then, say, is a stranger's whatever the tasks are. */
	if (half_made && o.by == GUEST_UNMARKED && !o.described && !json_get(o.config, "rootfs")) {
		r = is_of_our_task(pve, g, node, a, err);
		if (r)
			return r;
	}
	return not_ours(g, node, &o, err);
}
