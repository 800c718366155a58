/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done with a container that is there. */
#include "base/log.h"
#include "flow/request.h"
#include "model/oci.h"
#include "store/requests.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- the handle ---- */

struct ctr_container *container_new(struct ctr_engine *e, struct err *err)
{
	struct ctr_container *c = calloc(1, sizeof(*c));

	if (c)
		c->arena = arena_new();
	if (!c || !c->arena) {
		free(c);
		err_nomem(err);
		return NULL;
	}
	c->engine = e;
	c->box = (struct store_box)STORE_BOX_INIT;
	c->kept_fd = FD_NONE;
	return c;
}

struct ctr_container *ctr_container_close(struct ctr_container *c)
{
	if (c) {
		/* By name, not by closing: a process that was started may hold a copy of the fd
		 * until its exec. */
		if (c->locked)
			store_unlock(&c->box);
		store_box_close(&c->box);
		if (c->kept_locked)
			request_unlock(c->kept_fd);
		fd_close(c->kept_fd);
		arena_free(c->arena);
		free(c);
	}
	return NULL;
}

/* Ids of bundles are their engine's, and a root is an engine's: what one made under its root
 * another can't mean. A folder without a record may be anybody's; there is nothing behind it. */
static bool is_elsewhere(struct ctr_engine *e, const struct store_box *box, const char *id)
{
	_arena_ struct arena *a = e->root_given ? arena_new() : NULL;
	struct err none = ERR_INIT;
	struct ctr_record rec;

	return a && store_load(box, id, a, &rec, &none) == 0 && engine_is_elsewhere(e, &rec);
}

static int not_here(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, NULL, "container does not exist");
}

/* Where its record is: among those of this kernel's containers, or the servers'. */
static int find_box(struct ctr_container *c, const char *id, struct err *err)
{
	struct ctr_engine *e = c->engine;

	c->home = &e->store;
	if (engine_store(e, STORE_FIND, err) < 0)
		return -1;
	if (store_find(&e->store, id, &c->box, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	c->home = &e->guests;
	if (engine_guests(e, STORE_FIND, err) < 0)
		return -1;
	if (store_find(&e->guests, id, &c->box, err) < 0)
		return -1;
	return is_elsewhere(e, &c->box, id) ? not_here(err) : 0;
}

/* The live record; *err is ERR_NOT_FOUND when there is none. */
static int open_live(
	struct ctr_container *c, const char *id, enum ctr_access access, struct err *err)
{
	struct ctr_engine *e = c->engine;

	store_box_close(&c->box);
	c->box = (struct store_box)STORE_BOX_INIT;
	if (find_box(c, id, err) < 0)
		return -1;
	if (access == CTR_CHANGE) {
		if (store_lock(&c->box, id, e->lock_timeout_ms, err) < 0)
			return -1;
		c->locked = true;
	}
	if (store_load(&c->box, id, c->arena, &c->rec, err) == 0) {
		/* It may have been made while the lock was its maker's. */
		if (engine_is_elsewhere(e, &c->rec))
			return not_here(err);
		return container_load_kept(c, err) < 0 && err->code != ERR_INVALID ? -1 : 0;
	}
	/* No record yet: its maker has the folder and works on it. */
	if (err->code == ERR_INVALID && !c->locked && store_is_locked(&c->box))
		err_set(err, ERR_STATE, NULL, "the container is still being created");
	return -1;
}

static bool is_live(struct ctr_engine *e, const char *id)
{
	struct ctr_container probe = { .engine = e, .box = STORE_BOX_INIT };
	struct err err = ERR_INIT;
	bool r = find_box(&probe, id, &err) == 0;

	store_box_close(&probe.box);
	return r;
}

int container_look(
	struct ctr_engine *e, const char *id, struct arena *a, enum live *ret, struct err *err)
{
	struct ctr_container probe = { .engine = e, .box = STORE_BOX_INIT };
	struct err why = ERR_INIT;
	int r = find_box(&probe, id, &why), loaded = -1;

	if (r == 0)
		loaded = store_load(&probe.box, id, a, &probe.rec, &why);
	store_box_close(&probe.box);
	if (loaded < 0 && why.code != ERR_NOT_FOUND && why.code != ERR_INVALID) {
		*err = why;
		return -1;
	}
	if (r < 0)
		*ret = LIVE_NOT;
	else if (loaded < 0)
		*ret = LIVE_HALF;
	else if (!probe.rec.from_request)
		*ret = LIVE_OTHER;
	else
		*ret = probe.rec.phase == CTR_CREATING ? LIVE_HALF : LIVE_WHOLE;
	return 0;
}

/* Waits for the lock of what is kept. If its maker had that, there is a live record now. */
static int lock_kept(struct ctr_container *c, const char *id, struct err *err)
{
	if (request_lock(c->kept_fd, id, c->engine->lock_timeout_ms, err) < 0)
		return -1;
	c->kept_locked = true;
	if (!is_live(c->engine, id))
		return 0;
	request_unlock(c->kept_fd);
	c->kept_fd = fd_close(c->kept_fd);
	c->kept_locked = c->only_kept = false;
	c->cri = NULL;
	return open_live(c, id, CTR_CHANGE, err);
}

/* Not a live one: the beginning of an id, or one that only the data folder knows. *ret: the whole
 * id of what there is, which is open, or yet to be opened. */
static int open_kept(
	struct ctr_container *c, const char *id, enum ctr_access access, struct err *err)
{
	struct err missing = *err;
	const char *whole;
	int data_fd, r;

	if (engine_data(c->engine, STORE_FIND, &data_fd, err) < 0 ||
		request_complete(data_fd, id, c->arena, &whole, err) < 0)
		return -1;
	*err = missing;
	if (!whole)
		return -1;
	if (!str_eq(whole, id) && open_live(c, whole, access, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	r = container_from_kept(c, whole, err);
	if (r == 0)
		*err = missing;
	if (r != 1)
		return -1;
	return access == CTR_CHANGE ? lock_kept(c, whole, err) : 0;
}

/* A record that was put where it doesn't belong isn't acted upon. */
static int check_home(const struct ctr_container *c, struct err *err)
{
	const bool among_guests = c->home == &c->engine->guests;

	if (c->only_kept || among_guests == c->backend->remote)
		return 0;
	return err_set(err, ERR_INVALID, c->rec.id, "a record of backend %s isn't kept in %s",
		c->backend->name, among_guests ? "<data>/guests" : "the root folder");
}

struct ctr_container *ctr_container_open(
	struct ctr_engine *e, const char *id, enum ctr_access access, struct err *err)
{
	_container_ struct ctr_container *c = container_new(e, err);

	if (!c || store_check_id(id, err) < 0)
		return NULL;
	if (open_live(c, id, access, err) < 0 &&
		(err->code != ERR_NOT_FOUND || open_kept(c, id, access, err) < 0))
		return NULL;
	c->backend = find_backend(e, c->rec.backend, err);
	if (!c->backend || check_home(c, err) < 0 ||
		engine_context(e, c->backend, &c->rec.context, err) < 0)
		return NULL;
	return take(c);
}

void ctr_container_unlock(struct ctr_container *c)
{
	if (c->locked)
		store_unlock(&c->box);
	c->locked = c->made_here = false;
}

/* What is known of a server's container by its record alone, the phase, may have changed while the
 * lock was somebody else's. */
int container_load_again(struct ctr_container *c, struct err *err)
{
	struct ctr_context *context = c->rec.context;
	struct ctr_record now;

	if (store_load(&c->box, c->rec.id, c->arena, &now, err) < 0)
		return -1;
	c->rec = now;
	c->rec.context = context;
	return 0;
}

int ctr_container_lock(struct ctr_container *c, struct err *err)
{
	if (c->only_kept) {
		if (!c->kept_locked &&
			request_lock(c->kept_fd, c->rec.id, c->engine->lock_timeout_ms, err) < 0)
			return -1;
		c->kept_locked = true;
		return 0;
	}
	if (c->locked)
		return 0;
	if (store_lock(&c->box, c->rec.id, c->engine->lock_timeout_ms, err) < 0)
		return -1;
	c->locked = true;
	return c->backend->remote ? container_load_again(c, err) : 0;
}

const struct ctr_record *ctr_container_record(const struct ctr_container *c)
{
	return &c->rec;
}

/* 1 when the record is of this boot, so that its pid and cgroup mean something. A server's
 * containers don't care about our boots. */
static int same_boot(struct ctr_container *c, struct err *err)
{
	if (c->backend->remote)
		return 1;
	if (engine_boot_id(c->engine, err) < 0)
		return -1;
	return str_eq(c->rec.boot_id, c->engine->boot_id);
}

int ctr_container_status(struct ctr_container *c, enum ctr_status *ret, struct err *err)
{
	bool starts;
	int here;

	/* No live record: of another boot, or being made right now, or its maker died. */
	if (c->only_kept) {
		*ret = !c->kept_locked && (!c->cri || !c->cri->committed) &&
				       request_is_locked(c->kept_fd)
			       ? CTR_CREATING
			       : CTR_STOPPED;
		return 0;
	}
	here = same_boot(c, err);
	if (here < 0)
		return -1;
	if (!here || c->gone) {
		*ret = CTR_STOPPED;
		return 0;
	}
	/* Being made as long as its maker holds the lock; otherwise the maker died over it. */
	if (c->rec.phase == CTR_CREATING) {
		*ret = !c->locked && store_is_locked(&c->box) ? CTR_CREATING : CTR_STOPPED;
		return 0;
	}
	/* Looked at before: what is seen to rest after the start's end has ended. */
	starts = remote_is_being_started(c);
	if (c->backend->status(&c->rec, c->box.fd, ret, err) < 0)
		return -1;
	if (starts && *ret == CTR_STOPPED)
		*ret = CTR_CREATED;
	return 0;
}

static int allow(struct ctr_container *c, enum verb verb, struct err *err)
{
	enum ctr_status status;

	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (verb == VERB_START && status == CTR_STOPPED && remote_may_start_again(c))
		return 0;
	return lifecycle_check(verb, status, c->rec.id, err);
}

int container_unsupported(const struct ctr_container *c, const char *what, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, c->backend->name, "this backend can't %s", what);
	if (c->backend->remote && c->rec.guest)
		err_hint(err, "on its node: pct enter %s, pct exec %s", c->rec.guest, c->rec.guest);
	return -1;
}

/* ---- verbs ---- */

int ctr_container_start(struct ctr_container *c, struct ctr_trace *trace, struct err *err)
{
	const uint64_t begin = ctr_trace_now();
	const struct oci_spec *spec = NULL;
	int r;

	/* Who made it and has held the lock since knows its status: what can have happened to it
	 * meanwhile, its end, the backend finds out by itself. */
	if (ctr_container_lock(c, err) < 0 || (!c->made_here && allow(c, VERB_START, err) < 0))
		return -1;
	c->made_here = false;
	if (c->rec.has_start_hooks || c->rec.notify) {
		spec = bundle_stored(c, err);
		if (!spec)
			return -1;
	}
	if (c->backend->remote && remote_begin_start(c, err) < 0)
		return -1;
	r = c->backend->start(&c->rec, c->box.fd, spec, trace, err);
	if (c->backend->remote)
		remote_note_start(c, r, err);
	if (r == 0 && c->rec.from_request)
		container_note_start(c);
	ctr_trace_add(trace, r < 0 ? "start (failed)" : "start", c->rec.id, getpid(), begin,
		ctr_trace_now());
	return r;
}

int ctr_container_kill(struct ctr_container *c, int signo, bool all, struct err *err)
{
	int here = same_boot(c, err);

	if (here < 0)
		return -1;
	if (c->backend->remote)
		return remote_kill(c, signo, all, err);
	if (!all && allow(c, VERB_KILL, err) < 0)
		return -1;
	if (!here)
		return 0;
	if (c->backend->signal(&c->rec, c->box.fd, signo, all, err) == 0)
		return 0;
	if (err->code != ERR_STATE)
		return -1;
	/* It ended between the look and the signal. */
	return all ? 0 : lifecycle_check(VERB_KILL, CTR_STOPPED, c->rec.id, err);
}

int ctr_container_pause(struct ctr_container *c, struct err *err)
{
	if (!c->backend->pause)
		return container_unsupported(c, "pause", err);
	if (ctr_container_lock(c, err) < 0 || allow(c, VERB_PAUSE, err) < 0)
		return -1;
	return c->backend->pause(&c->rec, err);
}

int ctr_container_resume(struct ctr_container *c, struct err *err)
{
	if (!c->backend->resume)
		return container_unsupported(c, "resume", err);
	if (ctr_container_lock(c, err) < 0 || allow(c, VERB_RESUME, err) < 0)
		return -1;
	return c->backend->resume(&c->rec, err);
}

int ctr_container_update(struct ctr_container *c, const struct oci_resources *res, struct err *err)
{
	if (!c->backend->update)
		return container_unsupported(c, "update", err);
	if (ctr_container_lock(c, err) < 0 || allow(c, VERB_UPDATE, err) < 0)
		return -1;
	return c->backend->update(&c->rec, c->box.fd, res, err);
}

int ctr_container_stats(struct ctr_container *c, struct ctr_stats *ret, struct err *err)
{
	enum ctr_status status;

	if (!c->backend->stats)
		return container_unsupported(c, "tell what a container uses", err);
	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status != CTR_RUNNING && status != CTR_PAUSED)
		return err_set(err, ERR_STATE, NULL, "container not running");
	return c->backend->stats(&c->rec, c->box.fd, ret, err);
}

int ctr_container_pids(struct ctr_container *c, pid_t **ret, size_t *ret_n, struct err *err)
{
	int here = same_boot(c, err);

	if (here < 0)
		return -1;
	if (!c->backend->pids)
		return container_unsupported(c, "list processes", err);
	*ret = NULL;
	*ret_n = 0;
	return here ? c->backend->pids(&c->rec, ret, ret_n, err) : 0;
}

/* ---- delete ---- */

/* The spec for the poststop hooks, NULL without any. A forced delete goes on without them. */
static int poststop_spec(
	struct ctr_container *c, bool force, const struct oci_spec **ret, struct err *err)
{
	char line[1024];

	*ret = NULL;
	if (!c->rec.has_poststop || !c->backend->after)
		return 0;
	*ret = bundle_stored(c, err);
	if (*ret || !force)
		return *ret ? 0 : -1;
	err_line(err, line, sizeof(line));
	log_warn("delete %s: the poststop hooks can't be run: %s", c->rec.id, line);
	return 0;
}

/* A record of another boot names pids, cgroups and files that are somebody else's by now. */
static void forget_boot(struct ctr_container *c)
{
	c->rec.pid = 0;
	c->rec.start_time = 0;
	c->rec.cgroup = NULL;
	c->rec.cgroup_made = false;
}

/* A guest that runs on though the process that stood for it was killed: for the engine that killed
 * it, it has ended. */
static int allow_delete(struct ctr_container *c, struct err *err)
{
	if (allow(c, VERB_DELETE, err) == 0)
		return 0;
	return err->code == ERR_STATE && remote_proxy_killed(c) ? 0 : -1;
}

int ctr_container_delete(struct ctr_container *c, bool force, struct err *err)
{
	const struct oci_spec *spec;
	int here;

	if (ctr_container_lock(c, err) < 0)
		return -1;
	if (c->only_kept) {
		if ((!force && allow(c, VERB_DELETE, err) < 0) || container_forget(c, err) < 0)
			return -1;
		c->gone = true;
		return 0;
	}
	here = same_boot(c, err);
	if (here < 0 || (!force && allow_delete(c, err) < 0) ||
		poststop_spec(c, force, &spec, err) < 0)
		return -1;
	if (!here)
		forget_boot(c);
	if (c->backend->destroy(&c->rec, c->box.fd, err) < 0)
		return -1;
	/* The live record goes first: what is kept says until the end that there is something. */
	container_doom(c);
	if (store_remove(c->home, c->rec.id, err) < 0)
		return -1;
	/* A create of the same name may wait for this lock and hold the one that comes next. */
	store_unlock(&c->box);
	c->locked = false;
	if (container_forget(c, err) < 0)
		return -1;
	c->gone = true;
	if (spec)
		c->backend->after(&c->rec, spec);
	return 0;
}

/* Whose records are there. */
static const struct ctr_backend *home_backend(const struct ctr_container *c)
{
	const struct ctr_engine *e = c->engine;

	for (size_t i = 0; e->backends[i]; i++) {
		if (e->backends[i]->remote == (c->home == &e->guests))
			return e->backends[i];
	}
	return NULL;
}

/* The live record, of which the folder's name is all that is known. Absent is success. */
static int purge_live(struct ctr_container *c, const char *id, struct err *err)
{
	struct ctr_engine *e = c->engine;

	if (find_box(c, id, err) < 0 || store_lock(&c->box, id, e->lock_timeout_ms, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	c->locked = true;
	if (c->home == &e->guests && is_elsewhere(e, &c->box, id))
		return 0;
	c->backend = home_backend(c);
	if (!c->backend)
		return err_set(err, ERR_UNSUPPORTED, id,
			"the container was made by a backend that isn't in this program");
	c->rec = (struct ctr_record){ .id = id,
		.backend = c->backend->name,
		.phase = CTR_CREATING,
		.cgroup_manager = e->cgroup_manager };
	if (engine_boot_id(e, err) < 0 || engine_context(e, c->backend, &c->rec.context, err) < 0)
		return -1;
	c->rec.boot_id = e->boot_id;
	if (c->backend->destroy(&c->rec, c->box.fd, err) < 0 || store_remove(c->home, id, err) < 0)
		return -1;
	store_unlock(&c->box);
	c->locked = false;
	return 0;
}

int container_purge(struct ctr_engine *e, const char *id, int own_kept_fd, struct err *err)
{
	_container_ struct ctr_container *c = container_new(e, err);
	const char *whole = NULL;
	int data_fd;

	if (!c) {
		fd_close(own_kept_fd);
		return -1;
	}
	c->kept_fd = own_kept_fd;
	c->kept_locked = own_kept_fd >= 0;
	if (engine_data(e, STORE_FIND, &data_fd, err) < 0)
		return -1;
	if (!is_live(e, id) && request_complete(data_fd, id, c->arena, &whole, err) < 0)
		return -1;
	id = whole ? whole : id;
	if (purge_live(c, id, err) < 0)
		return -1;
	c->only_kept = true; /* nothing is known of its monitor */
	c->rec.id = id;
	c->rec.from_request = true; /* if it wasn't, nothing is kept */
	return container_forget(c, err);
}

/* A guest's folder without a record, and nobody at work: there is nothing that could run. */
static bool is_bare(struct ctr_engine *e, const char *id)
{
	struct ctr_container probe = { .engine = e, .box = STORE_BOX_INIT };
	struct err err = ERR_INIT;
	bool r = find_box(&probe, id, &err) == 0 && probe.home == &e->guests &&
		 store_has_none(&probe.box) && !store_is_locked(&probe.box);

	store_box_close(&probe.box);
	return r;
}

int ctr_delete(struct ctr_engine *e, const char *id, bool force, struct err *err)
{
	_container_ struct ctr_container *c = ctr_container_open(e, id, CTR_CHANGE, err);

	if (c)
		return ctr_container_delete(c, force, err);
	if (store_check_id(id, err) < 0 ||
		(!force && (err->code != ERR_INVALID || !is_bare(e, id))))
		return -1;
	if (err->code == ERR_INVALID)
		return container_purge(e, id, FD_NONE, err);
	return err->code == ERR_NOT_FOUND ? 0 : -1;
}
