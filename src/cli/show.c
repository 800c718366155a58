/* SPDX-License-Identifier: Apache-2.0 */
/* state and list. */
#include "cli/cli.h"

#include "base/json.h"
#include "base/proc.h"
#include "ctrctl/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}

/* What lives on a server runs on without the process that stands for it, and over our boots. */
static bool is_there(const struct ctr_record *r)
{
	char boot[PROC_BOOT_ID_MAX];
	struct err err = ERR_INIT;

	return proc_boot_id(boot, &err) == 0 && str_eq(boot, r->boot_id) &&
	       proc_is_alive(r->pid, r->start_time, &err) == 1;
}

static int shown_pid(const struct ctr_record *r, enum ctr_status status)
{
	if (status == CTR_STOPPED || r->pid <= 0 || (r->guest && !is_there(r)))
		return 0;
	return r->pid;
}

static void write_text(struct json_writer *w, const char *key, const char *value)
{
	if (!value)
		return;
	json_w_key(w, key);
	json_w_str(w, value);
}

static void write_exit(struct json_writer *w, const struct ctr_exit *e)
{
	json_w_key(w, "exitCode");
	json_w_i64(w, e->code);
	if (e->signal) {
		json_w_key(w, "exitSignal");
		json_w_i64(w, e->signal);
	}
	json_w_key(w, "oomKilled");
	json_w_bool(w, e->oom_killed);
	write_text(w, "reason", ctr_exit_reason_name(e->reason));
	write_text(w, "finishedAt", e->finished);
}

static void write_map(struct json_writer *w, const char *key, const struct ctr_map_str *m)
{
	if (!m->n)
		return;
	json_w_key(w, key);
	json_w_object(w);
	for (size_t i = 0; i < m->n; i++) {
		json_w_key(w, m->items[i].key);
		json_w_str(w, m->items[i].value);
	}
	json_w_object_end(w);
}

/* What is kept of a container made from a request. */
static int write_kept(
	struct json_writer *w, struct ctr_container *k, enum ctr_status status, struct err *err)
{
	const struct ctr_cri_record *r = ctr_container_cri(k);
	struct ctr_exit end;
	int ended = 0;

	if (!r)
		return 0;
	if (status == CTR_STOPPED)
		ended = ctr_container_exit(k, &end, err);
	if (ended < 0)
		return -1;
	json_w_key(w, "cri");
	json_w_object(w);
	write_text(w, "sandboxId", r->sandbox_id);
	write_text(w, "name", r->container_name);
	json_w_key(w, "attempt");
	json_w_u64(w, r->attempt);
	write_text(w, "image", r->image);
	write_text(w, "imageId", r->image_id);
	write_text(w, "backend", r->backend);
	write_text(w, "backendReason", r->reason);
	write_text(w, "logPath", r->log_path);
	write_map(w, "labels", &r->labels);
	write_map(w, "annotations", &r->annotations);
	write_text(w, "monitor", ctr_container_monitor(k));
	write_text(w, "startedAt", ctr_container_started(k));
	if (ended)
		write_exit(w, &end);
	json_w_object_end(w);
	return 0;
}

/* Where it lives, if that isn't here. */
static void write_guest(struct json_writer *w, const struct ctr_record *r)
{
	json_w_key(w, "guest");
	json_w_object(w);
	write_text(w, "vmid", r->guest);
	write_text(w, "imageId", r->image_id);
	json_w_key(w, "waived");
	json_w_array(w);
	for (size_t i = 0; i < r->n_waived; i++)
		json_w_str(w, r->waived[i]);
	json_w_array_end(w);
	json_w_object_end(w);
}

/* The state object of the runtime specification, with the members that engines add to it. */
static void write_state(struct json_writer *w, const struct ctr_record *r, enum ctr_status status)
{
	const struct {
		const char *key, *value;
	} texts[] = { { "status", ctr_status_name(status) }, { "bundle", r->bundle },
		{ "rootfs", r->rootfs }, { "created", r->created } };

	json_w_key(w, "ociVersion");
	json_w_str(w, r->oci_version ? r->oci_version : "");
	json_w_key(w, "id");
	json_w_str(w, r->id);
	json_w_key(w, "pid");
	json_w_i64(w, shown_pid(r, status));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_w_key(w, texts[i].key);
		json_w_str(w, texts[i].value ? texts[i].value : "");
	}
	write_map(w, "annotations", &r->annotations);
	json_w_key(w, "owner");
	json_w_str(w, r->owner ? r->owner : "");
	write_text(w, "backend", r->backend);
	if (r->guest)
		write_guest(w, r);
}

int verb_state(struct cli *c, struct err *err)
{
	_cleanup_(close_container) struct ctr_container *k = NULL;
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 2 };
	enum ctr_status status;

	if (c->o.backend && adopt(c, err) < 0)
		return -1;
	k = ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	if (!k || ctr_container_status(k, &status, err) < 0)
		return -1;
	json_w_object(&w);
	write_state(&w, ctr_container_record(k), status);
	if (write_kept(&w, k, status, err) < 0)
		return -1;
	json_w_object_end(&w);
	str_add(&out, "\n");
	return print_out(&out, err);
}

/* ---- list ---- */

enum { COLUMNS = 7 };

struct table {
	struct arena *arena;
	const char *(*rows)[COLUMNS];
	size_t n, cap;
};

static const char *shown(struct arena *a, const char *text)
{
	_str_ struct str out = { 0 };

	print_shown(&out, text);
	return out.failed ? NULL : arena_strdup(a, out.p ? out.p : "");
}

static int table_add(struct table *t, const char *const cells[COLUMNS], struct err *err)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		const char *(*more)[COLUMNS] = arena_array(t->arena, cap, sizeof(*more));

		if (!more)
			return err_nomem(err);
		if (t->n)
			memcpy(more, t->rows, t->n * sizeof(*more));
		t->rows = more;
		t->cap = cap;
	}
	for (size_t i = 0; i < COLUMNS; i++)
		if (!(t->rows[t->n][i] = shown(t->arena, cells[i] ? cells[i] : "")))
			return err_nomem(err);
	t->n++;
	return arena_failed(t->arena) ? err_nomem(err) : 0;
}

static void table_print(const struct table *t, struct str *out)
{
	size_t width[COLUMNS] = { 11, 11, 11, 11, 11, 11, 0 };

	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j + 1 < COLUMNS; j++)
			width[j] = MAX(width[j], strlen(t->rows[i][j]));
	}
	for (size_t i = 0; i < t->n; i++) {
		for (size_t j = 0; j + 1 < COLUMNS; j++)
			str_printf(out, "%-*s ", (int)width[j], t->rows[i][j]);
		str_printf(out, "%s\n", t->rows[i][COLUMNS - 1]);
	}
}

struct listing {
	struct table table;
	struct json_writer json;
	struct str *out;
	enum { LIST_TABLE, LIST_JSON, LIST_IDS } how;
	unsigned max_age_s; /* of what servers said */
	size_t strays;
};

/* "native"; "proxmox pve1/104"; of one that isn't on record: "proxmox pve1/104 (stray)". */
static const char *backend_cell(struct arena *a, const struct ctr_listed *one)
{
	if (!one->place)
		return one->rec->backend;
	return arena_printf(
		a, "%s %s%s", one->rec->backend, one->place, one->stray ? " (stray)" : "");
}

static void write_listed(struct json_writer *w, const struct ctr_listed *one)
{
	json_w_object(w);
	write_state(w, one->rec, one->status);
	write_text(w, "place", one->place);
	if (one->max_age_s) {
		json_w_key(w, "maxAgeSeconds");
		json_w_u64(w, one->max_age_s);
	}
	if (one->stray) {
		json_w_key(w, "stray");
		json_w_bool(w, true);
	}
	json_w_object_end(w);
}

static int list_one(void *arg, const struct ctr_listed *one, struct err *err)
{
	const struct ctr_record *r = one->rec;
	const enum ctr_status status = one->status;
	struct listing *l = arg;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", shown_pid(r, status));
	const char *const cells[COLUMNS] = { r->id, pid, ctr_status_name(status), r->bundle,
		r->created, r->owner, backend_cell(l->table.arena, one) };

	l->max_age_s = MAX(l->max_age_s, one->max_age_s);
	l->strays += one->stray;
	if (l->how == LIST_TABLE)
		return table_add(&l->table, cells, err);
	if (l->how == LIST_JSON)
		write_listed(&l->json, one);
	else
		str_printf(l->out, "%s\n", r->id);
	return 0;
}

/* Beside the table, not in it: scripts read that. */
static void tell_about_servers(const struct listing *l)
{
	if (l->max_age_s)
		fprintf(stderr,
			"What servers say of their containers may be %u s old; ctrctl state asks.\n",
			l->max_age_s);
	if (l->strays)
		fprintf(stderr, "Strays aren't on record: ctrctl delete --backend proxmox ID.\n");
}

int verb_list(struct cli *c, struct err *err)
{
	static const char *const head[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED",
		"OWNER", "BACKEND" };
	_str_ struct str out = { 0 };
	struct listing l = { .table = { .arena = c->arena }, .json = { .out = &out }, .out = &out };

	if (c->o.quiet)
		l.how = LIST_IDS;
	else if (str_eq(c->o.format, "json"))
		l.how = LIST_JSON;
	else if (c->o.format && !str_eq(c->o.format, "table"))
		return err_set(err, ERR_USAGE, NULL,
			"invalid format option \"%s\": table and json are known", c->o.format);
	if (l.how == LIST_JSON)
		json_w_array(&l.json);
	if (l.how == LIST_TABLE && table_add(&l.table, head, err) < 0)
		return -1;
	if (ctr_list(c->engine, list_one, &l, err) < 0)
		return -1;
	if (l.how == LIST_TABLE) {
		table_print(&l.table, &out);
		tell_about_servers(&l);
	}
	if (l.how == LIST_JSON) {
		json_w_array_end(&l.json);
		str_add(&out, "\n");
	}
	return print_out(&out, err);
}
