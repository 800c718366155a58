/* SPDX-License-Identifier: Apache-2.0 */
/* All containers, of this kernel and of servers, in the order of their ids. */
#include "base/log.h"
#include "flow/request.h"
#include "model/settings.h"
#include "store/requests.h"

#include <string.h>

struct ids {
	const char **items;
	size_t n, at;
};

struct listing {
	struct ctr_engine *engine;
	struct arena *arena;
	struct ids live, kept; /* records of this kernel's; folders of those made from requests */
	struct ctr_listed *guests; /* sorted by id */
	size_t n_guests;
	ctr_list_fn *fn;
	void *arg;
};

static void complain(const char *id, const struct err *why)
{
	char line[1024];

	err_line(why, line, sizeof(line));
	log_warn("list: %s: %s", id, line);
}

/* ---- this kernel's ---- */

static int visit(struct listing *l, const char *id, struct err *err)
{
	struct err why = ERR_INIT;
	_container_ struct ctr_container *c = ctr_container_open(l->engine, id, CTR_READ, &why);
	struct ctr_listed one = { 0 };

	if (c && ctr_container_status(c, &one.status, &why) == 0) {
		one.rec = &c->rec;
		return l->fn(l->arg, &one, err);
	}
	if (why.code != ERR_NOT_FOUND && why.code != ERR_STATE)
		complain(id, &why);
	return 0;
}

/* ---- the servers' ---- */

static int by_id(const void *a, const void *b)
{
	const struct ctr_listed *x = a, *y = b;

	return strcmp(x->rec->id, y->rec->id);
}

static const struct ctr_backend *remote_backend(const struct ctr_engine *e)
{
	for (size_t i = 0; e->backends[i]; i++) {
		if (e->backends[i]->remote && e->backends[i]->survey)
			return e->backends[i];
	}
	return NULL;
}

/* No record yet, or never one: as it is for those that are half made. */
static bool is_bare(const struct store_box *box, const struct ctr_backend *b, const char *id,
	struct ctr_record *ret)
{
	if (box->fd < 0 || !store_has_none(box))
		return false;
	*ret = (struct ctr_record){ .id = id, .backend = b->name, .phase = CTR_CREATING };
	return true;
}

/* Its record as stored. 1, 0 when it is gone or can't be read. *ret_busy: it is being made or
 * started. */
static int load_guest(struct listing *l, const struct ctr_backend *b, const char *id,
	struct ctr_record *ret, bool *ret_busy, struct err *err)
{
	struct store_box box = STORE_BOX_INIT;
	struct err why = ERR_INIT;
	int r = store_find(&l->engine->guests, id, &box, &why);

	if (r == 0)
		r = store_load(&box, id, l->arena, ret, &why);
	if (r < 0 && is_bare(&box, b, id, ret))
		r = 0;
	*ret_busy =
		r == 0 && (ret->phase == CTR_CREATING || ret->starting) && store_is_locked(&box);
	if (r < 0 && why.code != ERR_NOT_FOUND && !(box.fd >= 0 && store_is_locked(&box)))
		complain(id, &why);
	store_box_close(&box);
	return r == 0 && !engine_is_elsewhere(l->engine, ret);
}

/* Its record can't be read, or has been made since the records were read: no stray. */
static bool is_on_record(const struct listing *l, const char *id)
{
	struct store_box box = STORE_BOX_INIT;
	struct err none = ERR_INIT;
	int r = store_find(&l->engine->guests, id, &box, &none);

	store_box_close(&box);
	return r == 0;
}

static int add_guests(struct listing *l, const struct ctr_record *recs, const bool *busy, size_t n,
	const struct ctr_survey *s, struct err *err)
{
	struct ctr_listed *g = arena_array(l->arena, n + s->n_strays, sizeof(*g));
	size_t all = n;

	if (!g)
		return err_nomem(err);
	if (s->n_strays && engine_guests(l->engine, STORE_FIND, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		g[i] = (struct ctr_listed){ .rec = &recs[i],
			.status = s->seen ? s->seen[i].status : CTR_UNKNOWN,
			.place = s->seen ? s->seen[i].place : NULL,
			.max_age_s = s->max_age_s };
		/* No whole guest yet, or never one: as it is for this kernel's. */
		if (recs[i].phase == CTR_CREATING)
			g[i].status = busy[i] ? CTR_CREATING : CTR_STOPPED;
		else if (busy[i] && g[i].status == CTR_STOPPED)
			g[i].status = CTR_CREATED;
	}
	for (size_t i = 0; i < s->n_strays; i++) {
		if (is_on_record(l, s->strays[i].id))
			continue;
		g[all++] = (struct ctr_listed){ .rec = &s->strays[i],
			.status = s->strays_seen[i].status,
			.place = s->strays_seen[i].place,
			.max_age_s = s->max_age_s,
			.stray = true };
	}
	qsort(g, all, sizeof(*g), by_id);
	l->guests = g;
	l->n_guests = all;
	return 0;
}

/* A server that doesn't answer, or settings that are broken, cost the statuses, not the list. */
static void survey(struct listing *l, const struct ctr_backend *b, const struct ctr_record *recs,
	size_t n, struct ctr_survey *ret)
{
	struct ctr_context *context;
	const struct settings *settings;
	struct err why = ERR_INIT;

	if (engine_settings(l->engine, &settings, &why) == 0) {
		/* Nothing on record and no server: nothing to ask for. */
		if (n == 0 && !settings_has_remote(settings))
			return;
		if (engine_context(l->engine, b, &context, &why) == 0 &&
			b->survey(context, recs, n, ret, &why) == 0)
			return;
	}
	*ret = (struct ctr_survey){ 0 };
	complain(b->name, &why);
}

static int find_guests(struct listing *l, struct err *err)
{
	const struct ctr_backend *b = remote_backend(l->engine);
	struct ctr_survey seen = { 0 };
	struct ctr_record *recs;
	const char **ids;
	bool *busy;
	size_t n, loaded = 0;

	if (!b)
		return 0;
	if (engine_guests(l->engine, STORE_FIND, err) < 0 ||
		store_list(&l->engine->guests, l->arena, &ids, &n, err) < 0)
		return -1;
	recs = arena_array(l->arena, n, sizeof(*recs));
	busy = arena_array(l->arena, n, sizeof(*busy));
	if (!recs || !busy)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		loaded += (size_t)load_guest(l, b, ids[i], &recs[loaded], &busy[loaded], err);
	survey(l, b, recs, loaded, &seen);
	return add_guests(l, recs, busy, loaded, &seen, err);
}

/* ---- all ---- */

/* Both are sorted; most of those made from requests are in both. *ret_live: it is among the live
 * ones. */
static const char *next_local(struct listing *l, bool *ret_live)
{
	struct ids *a = &l->live, *b = &l->kept;
	const char *id;
	int order;

	if (a->at == a->n && b->at == b->n)
		return NULL;
	order = a->at == a->n ? 1 : b->at == b->n ? -1 : strcmp(a->items[a->at], b->items[b->at]);
	*ret_live = order <= 0;
	id = order <= 0 ? a->items[a->at++] : b->items[b->at];
	b->at += order >= 0;
	return id;
}

static int tell(struct listing *l, struct err *err)
{
	bool live = false;
	const char *id = next_local(l, &live);
	size_t g = 0;

	while (id || g < l->n_guests) {
		int order = !id ? 1 : g == l->n_guests ? -1 : strcmp(id, l->guests[g].rec->id);
		bool guest = order > 0 || (order == 0 && !live);

		/* What is kept of a guest's request is no container of its own; one of this
		 * kernel's that a stray has the id of is. */
		if ((guest ? l->fn(l->arg, &l->guests[g++], err) : visit(l, id, err)) < 0)
			return -1;
		if (order <= 0)
			id = next_local(l, &live);
	}
	return 0;
}

int ctr_list(struct ctr_engine *e, ctr_list_fn *fn, void *arg, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct listing l = { .engine = e, .arena = a, .fn = fn, .arg = arg };
	int data_fd;

	if (!a)
		return err_nomem(err);
	if (engine_store(e, STORE_FIND, err) < 0 ||
		store_list(&e->store, a, &l.live.items, &l.live.n, err) < 0 ||
		engine_data(e, STORE_FIND, &data_fd, err) < 0 ||
		request_list(data_fd, a, &l.kept.items, &l.kept.n, err) < 0 ||
		find_guests(&l, err) < 0)
		return -1;
	return tell(&l, err);
}
