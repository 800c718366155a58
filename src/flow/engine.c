/* SPDX-License-Identifier: Apache-2.0 */
/* The operation itself: validate, select, check, reserve the record, create, save; and the way
 * back. */
#include "flow/flow.h"
#include "flow/select.h"

#include "base/log.h"
#include "base/str.h"
#include "ctrctl/cri.h"
#include "model/oci.h"
#include "model/settings.h"

#include <string.h>
#include <unistd.h>

enum { LOCK_TIMEOUT_MS = 10000 };

/* ---- the engine ---- */

/* One folder may be written in two ways; nothing need be there yet. */
static char *absolute(const char *path)
{
	_free_ char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
	char *name = strf("%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);

	for (size_t n = name ? strlen(name) : 0; n > 1 && name[n - 1] == '/'; n--)
		name[n - 1] = '\0';
	return name;
}

struct ctr_engine *ctr_engine_open(const struct ctr_engine_options *o, struct err *err)
{
	struct ctr_engine *e = calloc(1, sizeof(*e));

	if (e) {
		e->data_fd = FD_NONE;
		e->store = (struct store)STORE_INIT;
		e->guests = (struct store){ .fd = FD_NONE, .durable = true };
		e->credential_fd = o->credential_fd ? *o->credential_fd : FD_NONE;
		e->root = strdup(o->root ? o->root : CTR_ROOT_DEFAULT);
		e->root_name = absolute(o->root ? o->root : CTR_ROOT_DEFAULT);
		e->root_given = o->root;
		e->data = strdup(o->data ? o->data : CTR_DATA_DEFAULT);
		e->settings_path = o->settings ? absolute(o->settings) : NULL;
		e->arena = arena_new();
	}
	if (!e || !e->root || !e->root_name || !e->data || !e->arena ||
		(o->settings && !e->settings_path)) {
		ctr_engine_close(e);
		err_nomem(err);
		return NULL;
	}
	e->backends = o->backends;
	e->cgroup_manager = o->cgroup_manager;
	e->lock_timeout_ms = o->lock_timeout_ms ? o->lock_timeout_ms : LOCK_TIMEOUT_MS;
	return e;
}

struct ctr_engine *ctr_engine_close(struct ctr_engine *e)
{
	if (e) {
		for (size_t i = 0; i < BACKENDS_MAX && e->backends && e->backends[i]; i++) {
			if (e->backends[i]->close)
				e->backends[i]->close(e->contexts[i]);
		}
		store_close(&e->store);
		store_close(&e->guests);
		fd_close(e->data_fd);
		arena_free(e->arena);
		free(e->root);
		free(e->root_name);
		free(e->data);
		free(e->settings_path);
		free(e);
	}
	return NULL;
}

int engine_store(struct ctr_engine *e, enum store_open how, struct err *err)
{
	return e->store.fd >= 0 ? 0 : store_open(e->root, how, &e->store, err);
}

int engine_boot_id(struct ctr_engine *e, struct err *err)
{
	return *e->boot_id ? 0 : proc_boot_id(e->boot_id, err);
}

int engine_data(struct ctr_engine *e, enum store_open how, int *ret_fd, struct err *err)
{
	struct store data = STORE_INIT;

	if (e->data_fd < 0) {
		if (store_open(e->data, how, &data, err) < 0)
			return err_in(err, "data folder:");
		e->data_fd = data.fd;
	}
	*ret_fd = e->data_fd;
	return 0;
}

int engine_guests(struct ctr_engine *e, enum store_open how, struct err *err)
{
	_free_ char *path = NULL;

	if (e->guests.fd >= 0)
		return 0;
	path = strf("%s/guests", e->data);
	if (!path)
		return err_nomem(err);
	return store_open(path, how, &e->guests, err) < 0 ? err_in(err, "data folder:") : 0;
}

const struct store *engine_home(
	struct ctr_engine *e, const struct ctr_backend *b, enum store_open how, struct err *err)
{
	int r = b->remote ? engine_guests(e, how, err) : engine_store(e, how, err);

	if (r < 0)
		return NULL;
	return b->remote ? &e->guests : &e->store;
}

int engine_context(struct ctr_engine *e, const struct ctr_backend *b, struct ctr_context **ret,
	struct err *err)
{
	struct ctr_setup setup = { .settings_path = e->settings_path,
		.credential_fd = e->credential_fd };
	size_t i = 0;

	*ret = NULL;
	if (!b->open)
		return 0;
	while (i < BACKENDS_MAX && e->backends[i] && e->backends[i] != b)
		i++;
	if (i == BACKENDS_MAX || !e->backends[i])
		return err_set(err, ERR_INTERNAL, b->name, "the engine doesn't know this backend");
	if (!e->contexts[i]) {
		if (engine_settings(e, &setup.settings, err) < 0)
			return -1;
		e->contexts[i] = b->open(&setup, err);
	}
	*ret = e->contexts[i];
	return *ret ? 0 : -1;
}

int engine_settings(struct ctr_engine *e, const struct settings **ret, struct err *err)
{
	if (!e->settings) {
		struct settings *s = arena_alloc(e->arena, sizeof(*s));

		if (!s)
			return err_nomem(err);
		if (settings_load(e->settings_path, e->arena, s, err) < 0)
			return -1;
		e->settings = s;
	}
	*ret = e->settings;
	return 0;
}

/* ---- create ---- */

static int keep_text(struct arena *a, const char *text, const char **own)
{
	if (text)
		*own = arena_strdup(a, text);
	return text && !*own ? -1 : 0;
}

/* What the backend has put into the record lives on in the container's own memory. */
static int keep_texts(struct ctr_container *c, const struct ctr_record *r, struct err *err)
{
	struct ctr_record *own = &c->rec;
	const char **waived = arena_array(c->arena, r->n_waived, sizeof(*waived));
	int failed = !waived || keep_text(c->arena, r->cgroup, &own->cgroup) < 0 ||
		     keep_text(c->arena, r->guest, &own->guest) < 0 ||
		     keep_text(c->arena, r->image_id, &own->image_id) < 0;

	for (size_t i = 0; !failed && i < r->n_waived; i++)
		failed = keep_text(c->arena, r->waived[i], &waived[i]) < 0;
	if (failed)
		return err_nomem(err);
	own->waived = waived;
	own->n_waived = r->n_waived;
	return 0;
}

/* Called by the backend. What it has put in may live no longer than its own call; the record lives
 * on. */
static int save_phase(void *arg, const struct ctr_record *r, struct err *err)
{
	struct ctr_container *c = arg;

	if (keep_texts(c, r, err) < 0)
		return -1;
	return store_save(&c->box, r, err);
}

/* The caller will be init's parent for as long as the container lives. */
static int fill_monitor(struct ctr_record *r, struct err *err)
{
	struct proc_stat me;

	if (proc_stat(getpid(), &me, err) < 0)
		return -1;
	r->monitor_pid = (int32_t)getpid();
	r->monitor_start = me.start_time;
	return 0;
}

/* Of a bundle. */
static void fill_from_bundle(struct ctr_record *r, const struct bundle *b)
{
	const struct oci_hooks *hooks = b->spec->hooks;

	r->oci_version = b->spec->oci_version;
	r->bundle = b->path;
	r->rootfs = b->rootfs;
	r->annotations = b->spec->annotations;
	r->has_start_hooks = hooks && hooks->n_poststart > 0;
	r->has_poststop = hooks && hooks->n_poststop > 0;
}

/* There is no config.json, so no version of one: the state's own. */
static void fill_from_request(struct ctr_record *r, const struct ctr_create *req)
{
	r->oci_version = "1.3.0";
	r->annotations = req->wanted->annotations;
}

/* The record as it is before the first side effect. */
static int fill_record(struct ctr_container *c, const struct ctr_create *req,
	const struct bundle *b, struct err *err)
{
	struct ctr_record *r = &c->rec;
	char now[PROC_TIME_MAX];

	if (engine_boot_id(c->engine, err) < 0)
		return -1;
	if (b->spec)
		fill_from_bundle(r, b);
	else
		fill_from_request(r, req);
	r->id = arena_strdup(c->arena, req->id);
	r->backend = c->backend->name;
	r->created = arena_strdup(c->arena, proc_now(now));
	r->owner = geteuid() == 0 ? "root" : arena_printf(c->arena, "%u", (unsigned)geteuid());
	r->boot_id = c->engine->boot_id;
	r->phase = CTR_CREATING;
	r->cgroup_manager = c->engine->cgroup_manager;
	r->from_request = req->from_request;
	if (c->backend->remote && b->spec)
		r->root = c->engine->root_name;
	if (req->from_request && !c->backend->remote && fill_monitor(r, err) < 0)
		return -1;
	return arena_failed(c->arena) ? err_nomem(err) : 0;
}

bool engine_is_elsewhere(const struct ctr_engine *e, const struct ctr_record *rec)
{
	return e->root_given && rec->root && !str_eq(rec->root, e->root_name);
}

/* Who can't see it under his root is told where it is. Returns -1. */
static int hint_root(struct ctr_engine *e, const char *id, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct store_box box = STORE_BOX_INIT;
	struct err none = ERR_INIT;
	struct ctr_record rec;

	if (a && engine_guests(e, STORE_FIND, &none) == 0 &&
		store_find(&e->guests, id, &box, &none) == 0 &&
		store_load(&box, id, a, &rec, &none) == 0 && engine_is_elsewhere(e, &rec))
		err_hint(err, "it is a guest that was made with --root %s", rec.root);
	store_box_close(&box);
	return -1;
}

int engine_check_free(
	struct ctr_engine *e, const struct ctr_backend *b, const char *id, struct err *err)
{
	const bool remote = b->remote;
	struct store_box box = STORE_BOX_INIT;
	struct err none = ERR_INIT;
	int r;

	if (remote ? engine_store(e, STORE_FIND, err) < 0 : engine_guests(e, STORE_FIND, err) < 0)
		return -1;
	r = store_find(remote ? &e->store : &e->guests, id, &box, &none);
	store_box_close(&box);
	if (r < 0)
		return 0;
	err_set(err, ERR_EXISTS, NULL, "container with given ID already exists");
	return hint_root(e, id, err);
}

static int reserve(struct ctr_container *c, const struct bundle *b, struct err *err)
{
	c->home = engine_home(c->engine, c->backend, STORE_MAKE, err);
	if (!c->home)
		return -1;
	if (store_claim(c->home, c->rec.id, &c->box, err) < 0)
		return err->code == ERR_EXISTS ? hint_root(c->engine, c->rec.id, err) : -1;
	c->locked = true;
	/* After the claim: of two that make one id, here and on a server, one sees the other. */
	if (engine_check_free(c->engine, c->backend, c->rec.id, err) == 0 &&
		(!b->spec || store_save_config(&c->box, b->text, b->n, err) == 0))
		return 0;
	struct err again = ERR_INIT;
	if (store_remove(c->home, c->rec.id, &again) < 0)
		log_warn("%s: its folder couldn't be removed", c->rec.id);
	return -1;
}

static int make(struct ctr_container *c, const struct ctr_input *in, const struct ctr_create *req,
	struct err *err)
{
	const struct ctr_save save = { save_phase, c };

	if (c->backend->create(in, &c->rec, &save, err) < 0)
		return -1;
	if (req->pid_file && pid_file_write(req->pid_file, c->rec.pid, err) < 0)
		return -1;
	if (c->rec.phase == CTR_CREATED && !c->box.fresh)
		return 0;
	c->rec.phase = CTR_CREATED;
	return store_save(&c->box, &c->rec, err);
}

/* Undoes a create that failed: the same as a delete. What can't be undone keeps its record, so that
 * it can be found. */
static void undo(struct ctr_container *c, const struct bundle *b)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (c->backend->destroy(&c->rec, c->box.fd, &err) < 0 ||
		store_remove(c->home, c->rec.id, &err) < 0) {
		err_line(&err, line, sizeof(line));
		log_warn("%s couldn't be cleaned up: %s; try: ctrctl delete --force %s", c->rec.id,
			line, c->rec.id);
		return;
	}
	if (c->rec.has_poststop && c->backend->after)
		c->backend->after(&c->rec, b->spec);
}

static void fill_input(const struct ctr_container *c, const struct ctr_create *req,
	const struct bundle *b, struct ctr_input *in)
{
	*in = (struct ctr_input){
		.id = req->id,
		.id_unknown = req->id_unknown,
		.bundle = b->path,
		.spec = b->spec,
		.context = c->rec.context,
		.config = req->wanted,
		.sandbox = req->sandbox,
		.sandbox_remote = req->sandbox_remote,
		.image = req->image ? req->image : b->image,
		.faults = req->faults,
		.attach = req->attach,
		.dir_fd = FD_NONE,
		.cache_fd = FD_NONE,
		.cgroup_manager = c->engine->cgroup_manager,
		.no_pivot = req->no_pivot,
		.no_new_keyring = req->no_new_keyring,
		.starts = req->starts,
		.trace = req->trace,
	};
}

/* What can be known before anything is touched, but for the backend's own opinion. */
static int prepare(struct ctr_container *c, const struct ctr_create *req, struct bundle *b,
	struct route *route, struct err *err)
{
	*b = (struct bundle){ 0 };
	*route = (struct route){ req->backend, NULL };
	if (store_check_id(req->id, err) < 0)
		return -1;
	/* A request has been routed already. */
	if (req->wanted)
		return 0;
	if (bundle_open(req, c->arena, b, err) < 0)
		return -1;
	b->image = select_image(&b->spec->annotations);
	return select_bundle(c->engine, req, &b->spec->annotations, c->arena, route, err);
}

static int check(struct ctr_container *c, const struct ctr_create *req, const struct bundle *b,
	const struct route *route, struct ctr_input *in, struct err *err)
{
	c->backend = select_backend(c->engine, route, err);
	if (!c->backend || engine_context(c->engine, c->backend, &c->rec.context, err) < 0)
		return -1;
	fill_input(c, req, b, in);
	return c->backend->check(in, err);
}

struct ctr_container *ctr_container_create(
	struct ctr_engine *e, const struct ctr_create *req, struct err *err)
{
	_container_ struct ctr_container *c = container_new(e, err);
	const uint64_t begin = ctr_trace_now();
	_close_ int cache = FD_NONE;
	struct ctr_input in;
	struct route route;
	struct bundle b;
	int r;

	if (!c || prepare(c, req, &b, &route, err) < 0 || check(c, req, &b, &route, &in, err) < 0 ||
		fill_record(c, req, &b, err) < 0 || reserve(c, &b, err) < 0)
		return NULL;
	ctr_trace_add(
		req->trace, "read, check, reserve", req->id, getpid(), begin, ctr_trace_now());
	if (!c->backend->remote)
		cache = store_cache(&e->store);
	in.dir_fd = c->box.fd;
	in.cache_fd = cache;
	r = make(c, &in, req, err);
	c->made_here = r == 0;
	if (r < 0)
		undo(c, &b);
	ctr_trace_add(req->trace, r < 0 ? "create (failed)" : "create", req->id, getpid(), begin,
		ctr_trace_now());
	return r < 0 ? NULL : take(c);
}

int ctr_explain(
	struct ctr_engine *e, const struct ctr_create *req, char **ret_text, struct err *err)
{
	_container_ struct ctr_container *c = container_new(e, err);
	_free_ char *plan = NULL;
	struct ctr_input in;
	struct route route;
	struct bundle b;
	char *line;
	int r;

	*ret_text = NULL;
	if (!c || prepare(c, req, &b, &route, err) < 0)
		return -1;
	line = select_line(&route, c->arena);
	if (!line)
		return err_nomem(err);
	r = check(c, req, &b, &route, &in, err);
	if (r == 0)
		r = c->backend->explain ? c->backend->explain(&in, &plan, err)
					: err_set(err, ERR_UNSUPPORTED, c->backend->name,
						  "this backend can't explain");
	/* What was chosen and can't be used is shown all the same. */
	*ret_text = strf("%s%s", line, plan ? plan : "");
	return *ret_text ? r : err_nomem(err);
}
