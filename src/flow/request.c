/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateContainer: the stages that a request passes, in order. Each one either finds something out
 * or makes something that request_destroy() undoes.
 */
#include "flow/request.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "flow/facts.h"
#include "flow/monitor.h"
#include "flow/sandbox.h"
#include "flow/select.h"
#include "model/cri.h"
#include "store/requests.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void ctr_created_done(struct ctr_created *c)
{
	free(c->id);
	free(c->backend);
	free(c->reason);
	*c = (struct ctr_created){ 0 };
}

/* ---- stages: what is asked, and may it be ---- */

static int stage_check(struct making *m, struct err *err)
{
	cri_request_check(m->cri, m->faults);
	return ctr_faults_err(m->faults, err);
}

/* The stored sandbox decides about privilege; what the request says of it must agree. */
static int stage_sandbox(struct making *m, struct err *err)
{
	enum ctr_sandbox_state state;

	m->pod = ctr_sandbox_open(m->engine, m->cri->pod_sandbox_id,
		m->explains ? CTR_SANDBOX_LOOK : CTR_SANDBOX_SHARE, err);
	if (!m->pod)
		return err_in(err, "pod_sandbox_id");
	if (ctr_sandbox_state(m->pod, &state, err) < 0)
		return -1;
	m->sandbox = ctr_sandbox_record(m->pod);
	if (state != CTR_SANDBOX_READY)
		return err_set(err, ERR_STATE, NULL, "sandbox %.12s is not ready", m->sandbox->id);
	cri_pod_compare(m->cri->sandbox_config, m->sandbox->config, m->faults);
	cri_container_check_in_pod(m->config, m->sandbox->config, m->faults);
	return ctr_faults_err(m->faults, err);
}

int ctr_request_handler(struct ctr_engine *e, const struct cri_container_config *config,
	const struct cri_pod_sandbox_config *pod, const char *backend, const char **ret,
	struct err *err)
{
	const struct cri_image_spec *image = config->image;
	const struct select_input in = { .flag = backend,
		.annotations = &config->annotations,
		.pod_annotations = &pod->annotations,
		.image = image ? image->image : NULL,
		.user_image = image ? image->user_specified_image : NULL,
		.place = "config.image" };
	_arena_ struct arena *a = arena_new();
	const struct settings *settings;
	struct route route = { 0 };

	*ret = NULL;
	if (!a)
		return err_nomem(err);
	if (engine_settings(e, &settings, err) < 0 ||
		select_route(settings, &in, a, &route, err) < 0)
		return -1;
	for (size_t i = 0; e->backends[i]; i++) {
		if (e->backends[i]->remote && str_eq(e->backends[i]->name, route.backend))
			*ret = e->backends[i]->name;
	}
	return 0;
}

static int stage_route(struct making *m, struct err *err)
{
	const struct cri_image_spec *image = m->config->image;
	const struct select_input in = { .flag = m->req->backend,
		.handler = m->sandbox->runtime_handler,
		.annotations = &m->config->annotations,
		.pod_annotations = &m->sandbox->config->annotations,
		.image = image->image,
		.user_image = image->user_specified_image,
		.place = "config.image" };
	struct route route = { 0 };

	if (select_route(m->settings, &in, m->arena, &route, err) < 0)
		return -1;
	m->rec.backend = route.backend;
	m->rec.reason = route.reason;
	m->backend = select_backend(m->engine, &route, err);
	return m->backend ? 0 : -1;
}

/* ---- stages: who it is ---- */

static char *hex_digest(struct arena *a, const char *text, size_t n)
{
	char buf[DIGEST_TEXT_MAX];

	return arena_strdup(a, digest_of(text, n, buf) + strlen("sha256:"));
}

static int request_digest(struct making *m, struct err *err)
{
	_str_ struct str text = { 0 };

	cri_container_write(m->config, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	m->rec.request_digest = hex_digest(m->arena, text.p, text.n);
	return 0;
}

static const char *log_path(const struct making *m)
{
	const char *dir = m->sandbox->config->log_directory;

	if (!dir || !m->config->log_path)
		return NULL;
	return arena_printf(m->arena, "%s/%s", dir, m->config->log_path);
}

static int32_t stop_signal(const struct making *m)
{
	int signo = cri_signal(m->config->stop_signal);

	return signo > 0 ? signo : 0;
}

/* Name, id, and all of the record that is known before an image is looked at. */
static int stage_identity(struct making *m, struct err *err)
{
	const struct cri_pod_sandbox_metadata *pod = m->sandbox->config->metadata;
	const struct cri_container_metadata *meta = m->config->metadata;
	const struct cri_image_spec *image = m->config->image;
	struct ctr_cri_record *r = &m->rec;
	char now[PROC_TIME_MAX];
	const char *seed;

	r->name = arena_printf(m->arena, "%s_%s_%s_%s_%u", meta->name, pod->name, pod->namespace,
		pod->uid, meta->attempt);
	seed = arena_printf(m->arena, "%s\n%s", r->name ? r->name : "", m->sandbox->id);
	if (!seed || engine_boot_id(m->engine, err) < 0 || request_digest(m, err) < 0)
		return seed ? -1 : err_nomem(err);
	r->id = hex_digest(m->arena, seed, strlen(seed));
	r->sandbox_id = m->sandbox->id;
	r->created = arena_strdup(m->arena, proc_now(now));
	r->boot_id = m->engine->boot_id;
	r->container_name = meta->name;
	r->attempt = meta->attempt;
	r->pod_name = pod->name;
	r->pod_namespace = pod->namespace;
	r->pod_uid = pod->uid;
	r->image = image->user_specified_image ? image->user_specified_image : image->image;
	r->log_path = log_path(m);
	r->stop_signal = stop_signal(m);
	r->tty = m->config->tty;
	r->stdin_ = m->config->stdin_;
	r->stdin_once = m->config->stdin_once;
	r->labels = m->config->labels;
	r->annotations = m->config->annotations;
	return arena_failed(m->arena) ? err_nomem(err) : 0;
}

/* What a create that died left behind, whose folder is locked by us. */
static int remove_leftover(struct making *m, struct err *err)
{
	/* Without its lock, which is ours. */
	_container_ struct ctr_container *c =
		ctr_container_open(m->engine, m->rec.id, CTR_READ, err);

	/* It died before there was a live record, or somebody is deleting that. */
	if (!c && (err->code == ERR_INVALID || err->code == ERR_STATE))
		return container_purge(m->engine, m->rec.id, fd_take(&m->dir_fd), err);
	if (!c)
		return -1;
	fd_close(c->kept_fd);
	c->kept_fd = fd_take(&m->dir_fd);
	c->kept_locked = true;
	if (ctr_container_delete(c, true, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND || c->only_kept)
		return -1;
	/* Somebody has deleted the live record since: what is kept is left to us. */
	c->only_kept = true;
	return ctr_container_delete(c, true, err);
}

static int replace_leftover(struct making *m, int data_fd, struct err *err)
{
	m->ours = false;
	log_note(LOG_INFO, "%s: what an earlier command left behind is removed", m->rec.id);
	if (remove_leftover(m, err) < 0 ||
		request_claim(data_fd, m->rec.id, m->engine->lock_timeout_ms, &m->dir_fd, err) < 0)
		return -1;
	m->ours = true;
	return 0;
}

/* It isn't on record as made by a request: it may be all that is left after a loss, and run. */
static int refuse_live(struct making *m, struct err *err)
{
	err_set(err, ERR_EXISTS, m->rec.name,
		"there is a container of its id that isn't known to be a request's");
	return err_hint(err, "look at it, then remove it: ctrctl delete --force %s", m->rec.id);
}

/* The folder is new, or has no record. */
static int meet_nobody(struct making *m, enum live live, int data_fd, struct err *err)
{
	int empty = request_is_empty(m->dir_fd, err);

	if (empty < 0)
		return -1;
	m->ours = empty;
	if (live != LIVE_NOT)
		return refuse_live(m, err);
	m->ours = true;
	/* A delete that died may have taken the record, and left files of the container. */
	return empty ? 0 : replace_leftover(m, data_fd, err);
}

/* At a server the live record is what counts, for it is synced: what is whole there may run, and
 * what isn't there any more was deleted. 1 it is whole, 0 it was left behind, -1 */
static int is_whole_remote(struct making *m, struct ctr_cri_record *other, enum live live,
	int data_fd, struct err *err)
{
	if (other->committed || live != LIVE_WHOLE)
		return live == LIVE_WHOLE || live == LIVE_OTHER;
	if (request_commit(m->dir_fd, other->id, err) < 0 ||
		request_sync(data_fd, m->dir_fd, err) < 0)
		return -1;
	other->committed = true;
	return 1;
}

/* Somebody made it, or died over it. 1: the answer is that container. */
static int meet_other(struct making *m, int data_fd, struct err *err)
{
	struct ctr_cri_record other;
	int r = request_load(m->dir_fd, m->rec.id, m->arena, &other, err), whole;
	enum live live;

	if (r < 0 || container_look(m->engine, m->rec.id, m->arena, &live, err) < 0)
		return -1;
	if (r == 0)
		return meet_nobody(m, live, data_fd, err);
	if (!other.committed && live == LIVE_OTHER)
		return refuse_live(m, err);
	whole = m->backend->remote ? is_whole_remote(m, &other, live, data_fd, err)
				   : other.committed;
	if (whole <= 0)
		return whole < 0 ? -1 : replace_leftover(m, data_fd, err);
	if (!str_eq(other.request_digest, m->rec.request_digest)) {
		err_set(err, ERR_EXISTS, m->rec.name,
			"another request has made a container of this name: %.12s", other.id);
		return err_hint(err, "delete that one, or raise config.metadata.attempt");
	}
	m->rec = other;
	m->existed = true;
	return 1;
}

/* ---- stages: the folder ---- */

static int stage_reserve(struct making *m, struct err *err)
{
	struct ctr_engine *e = m->engine;
	int data_fd, r;

	if (engine_data(e, STORE_MAKE, &data_fd, err) < 0 ||
		request_claim(data_fd, m->rec.id, e->lock_timeout_ms, &m->dir_fd, err) < 0)
		return -1;
	r = meet_other(m, data_fd, err);
	if (r != 0)
		return r;
	m->folder = making_folder(m, err);
	return m->folder ? 0 : -1;
}

/* The record names them, so that they stay as long as the container. What isn't there is an error
 * of the mount's. */
static int find_volume_images(struct making *m, struct err *err)
{
	struct ctr_cri_record *r = &m->rec;

	r->volume_image_ids = arena_array(m->arena, m->config->n_mounts, sizeof(char *));
	if (!r->volume_image_ids)
		return err_nomem(err);
	for (size_t i = 0; i < m->config->n_mounts; i++) {
		const struct cri_image_spec *image = m->config->mounts[i].image;
		struct ctr_image_record found;
		struct err missing = ERR_INIT;
		if (image && image_find(&m->images, image->image, m->arena, &found, &missing) == 0)
			r->volume_image_ids[r->n_volume_image_ids++] = found.id;
	}
	return 0;
}

static int stage_image(struct making *m, struct err *err)
{
	const struct cri_image_spec *image = m->config->image;

	if (engine_data(m->engine, STORE_FIND, &m->images.fd, err) < 0)
		return -1;
	if (!m->explains &&
		image_store_lock(&m->images, IMAGE_LOCK_SHARED, &m->image_lock, err) < 0)
		return -1;
	if (image_find(&m->images, image->image, m->arena, &m->image, err) < 0)
		return err_in(err, "config.image.image");
	m->rec.image_id = m->image.id;
	return find_volume_images(m, err);
}

/* From here on the folder says whose it is. */
static int stage_record(struct making *m, struct err *err)
{
	return request_save(m->dir_fd, &m->rec, err);
}

/* What is made at a server outlives a crash of this host, and so must what says why it is there. */
static int stage_remote_record(struct making *m, struct err *err)
{
	return stage_record(m, err) < 0 ? -1 : request_sync(m->engine->data_fd, m->dir_fd, err);
}

static int stage_facts(struct making *m, struct err *err)
{
	struct facts_input in = { .config = m->config,
		.sandbox = m->sandbox,
		.image = &m->image,
		.settings = m->settings,
		.rootfs_fd = m->rootfs_fd,
		.image_mounts = m->image_mounts,
		.image_fds = m->image_fds };

	if (making_target(m, &in.target_pid_ns, err) < 0)
		return -1;
	return facts_gather(&in, m->arena, &m->facts, m->faults, err);
}

static int stage_spec(struct making *m, struct err *err)
{
	const struct spec_input in = { .id = m->rec.id,
		.config = m->config,
		.sandbox = m->sandbox,
		.image = &m->image,
		.facts = &m->facts,
		.settings = m->settings };

	return spec_build(&in, m->arena, &m->spec, m->faults, err);
}

/* ---- stages: the container ---- */

/* In the monitor-to-be: init becomes its child. */
static int make_in_monitor(void *arg, struct ctr_attach *attach, pid_t *ret_init, int *ret_run_fd,
	int *ret_cgroup_fd, struct err *err)
{
	struct making *m = arg;
	const char *bundle = arena_printf(m->arena, "%s/bundle", m->folder);
	const struct ctr_create create = { .id = m->rec.id,
		.bundle = bundle,
		.attach = *attach,
		.starts = m->req->starts,
		.from_request = true };
	struct ctr_container *c = bundle ? ctr_container_create(m->engine, &create, err) : NULL;

	if (!c)
		return bundle ? -1 : err_nomem(err);
	*ret_init = c->rec.pid;
	*ret_run_fd = c->box.fd;
	if (c->backend->open_cgroup && c->backend->open_cgroup(&c->rec, ret_cgroup_fd, err) < 0) {
		struct err why = *err;
		c->rec.from_request = false; /* the folder is undone by who waits for us */
		if (ctr_container_delete(c, true, err) < 0)
			log_warn("%s couldn't be cleaned up", m->rec.id);
		*err = why;
		return -1;
	}
	return 0;
}

static int stage_create(struct making *m, struct err *err)
{
	const struct oci_user *user = &m->spec->process->user;
	/* Opened anew: our lock isn't the monitor's to keep. */
	_close_ int data_fd = openat(m->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct monitor_setup setup = { .id = m->rec.id,
		.data_fd = data_fd,
		.log_dir = m->rec.log_path ? m->sandbox->config->log_directory : NULL,
		.log_path = m->config->log_path,
		.log_max_bytes = m->settings->log_max_bytes,
		.log_max_files = m->settings->log_max_files,
		.tty = m->rec.tty,
		.stdin_ = m->rec.stdin_,
		.stdin_once = m->rec.stdin_once,
		.stream_uid = making_host_id(m, user->uid, true),
		.stream_gid = making_host_id(m, user->gid, false) };

	if (data_fd < 0)
		return err_sys(err, errno, "open", "%s", m->folder);
	/* ERR_EXISTS: the one that is there is somebody else's. */
	m->made = true;
	if (monitor_begin(&setup, make_in_monitor, m, err) == 0)
		return 0;
	m->made = err->code != ERR_EXISTS;
	return -1;
}

static int stage_commit(struct making *m, struct err *err)
{
	return request_commit(m->dir_fd, m->rec.id, err);
}

static int stage_remote_commit(struct making *m, struct err *err)
{
	return stage_commit(m, err) < 0 ? -1 : request_sync(m->engine->data_fd, m->dir_fd, err);
}

/* ---- stages: a container on a server ---- */

/* What a remote backend is given instead of a bundle. */
static int remote_input(struct making *m, struct ctr_input *ret, struct err *err)
{
	*ret = (struct ctr_input){ .id = m->rec.id,
		.config = m->config,
		.sandbox = m->sandbox,
		.image = m->rec.image,
		.faults = m->faults,
		.attach = CTR_ATTACH_INIT,
		.dir_fd = FD_NONE,
		.cache_fd = FD_NONE,
		.trace = m->req->trace };
	if (engine_context(m->engine, m->backend, &ret->context, err) < 0)
		return -1;
	return sandbox_is_remote(m->engine, m->sandbox, &ret->sandbox_remote, err);
}

/* All faults of the request, before anything of it is written down. */
static int stage_remote_check(struct making *m, struct err *err)
{
	struct ctr_input in;

	return remote_input(m, &in, err) < 0 ? -1 : m->backend->check(&in, err);
}

/* A server takes its time, minutes when it has to fetch an image. */
static int stage_leave_pod(struct making *m, struct err *err)
{
	(void)err;
	sandbox_let_go(m->pod);
	return 0;
}

static int stage_back_in_pod(struct making *m, struct err *err)
{
	return sandbox_share_again(m->pod, err);
}

static int stage_remote_create(struct making *m, struct err *err)
{
	struct ctr_input in;
	struct ctr_container *c;

	if (remote_input(m, &in, err) < 0)
		return -1;
	const struct ctr_create create = { .id = m->rec.id,
		.backend = m->rec.backend,
		.attach = CTR_ATTACH_INIT,
		.from_request = true,
		.wanted = m->config,
		.sandbox = m->sandbox,
		.sandbox_remote = in.sandbox_remote,
		.image = m->rec.image,
		.faults = m->faults,
		.trace = m->req->trace };
	c = ctr_container_create(m->engine, &create, err);
	m->made = c || err->code != ERR_EXISTS; /* else the one that is there is somebody else's */
	if (!c)
		return -1;
	ctr_container_close(c);
	return 0;
}

/* ---- the operation ---- */

struct stage {
	const char *name;
	int (*run)(struct making *, struct err *); /* 1: the answer is known, no more to do */
};

static const struct stage opening[] = {
	{ "check", stage_check },     /* the message by itself */
	{ "sandbox", stage_sandbox }, /* the message in its pod */
	{ "route", stage_route },     /* the backend */
};

static const struct stage making_native[] = {
	{ "identity", stage_identity }, /* name and id */
	{ "reserve", stage_reserve },   /* the folder is the reservation */
	{ "image", stage_image },
	{ "record", stage_record },
	{ "mount", making_mount }, /* root filesystem and image volumes */
	{ "facts", stage_facts },  /* what the host and the root filesystem say */
	{ "spec", stage_spec },    /* pure */
	{ "bundle", making_write },
	{ "create", stage_create }, /* by the backend, in the monitor */
	{ "commit", stage_commit },
};

static const struct stage making_remote[] = {
	{ "identity", stage_identity },
	{ "wish", stage_remote_check }, /* what a server can't give is refused */
	{ "reserve", stage_reserve },
	{ "record", stage_remote_record },
	{ "leave pod", stage_leave_pod },  /* it may be stopped meanwhile */
	{ "create", stage_remote_create }, /* by the backend, with a record of its own */
	{ "back in pod", stage_back_in_pod },
	{ "commit", stage_remote_commit },
};

static int run_stages(struct making *m, const struct stage *list, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t begin = ctr_trace_now();
		int r = list[i].run(m, err);

		ctr_trace_add(m->req->trace, list[i].name, m->rec.id ? m->rec.id : "", getpid(),
			begin, ctr_trace_now());
		if (r != 0)
			return r;
	}
	return 0;
}

static int making_init(struct making *m, struct ctr_engine *e, const struct ctr_create_request *req,
	struct ctr_faults *faults, struct err *err)
{
	*m = (struct making){ .engine = e,
		.req = req,
		.cri = req->request,
		.config = req->request->config,
		.faults = faults,
		.arena = arena_new(),
		.images = IMAGE_STORE_INIT,
		.image_lock = FD_NONE,
		.dir_fd = FD_NONE,
		.bundle_fd = FD_NONE,
		.rootfs_fd = FD_NONE };
	if (!m->arena)
		return err_nomem(err);
	return engine_settings(e, &m->settings, err);
}

static void making_done(struct making *m)
{
	making_close_mounts(m);
	fd_close(m->bundle_fd);
	if (m->dir_fd >= 0)
		request_unlock(m->dir_fd);
	fd_close(m->dir_fd);
	fd_close(m->image_lock);
	ctr_sandbox_close(m->pod);
	arena_free(m->arena);
}

/* A live container too, if it was made by this request. */
static int remove_own(struct making *m, struct err *err)
{
	enum live live = LIVE_NOT;

	if (m->made && container_look(m->engine, m->rec.id, m->arena, &live, err) < 0)
		return -1;
	if (m->made && live != LIVE_OTHER)
		return remove_leftover(m, err);
	return request_destroy(m->engine->data_fd, m->dir_fd, m->rec.id, err);
}

/* Whatever there is of it by now: a live container too, if its monitor died over it. */
static void undo(struct making *m)
{
	struct err err = ERR_INIT;
	char line[1024];

	making_close_mounts(m);
	m->bundle_fd = fd_close(m->bundle_fd);
	if (!m->ours || remove_own(m, &err) == 0)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("%s couldn't be cleaned up: %s; try: ctrctl delete --force %s", m->rec.id, line,
		m->rec.id);
}

static int answer(const struct making *m, struct ctr_created *ret, struct err *err)
{
	*ret = (struct ctr_created){ .id = strdup(m->rec.id),
		.existed = m->existed,
		.backend = strdup(m->rec.backend),
		.reason = strdup(m->rec.reason ? m->rec.reason : "") };
	if (ret->id && ret->backend && ret->reason)
		return 0;
	ctr_created_done(ret);
	return err_nomem(err);
}

int ctr_create_container(struct ctr_engine *e, const struct ctr_create_request *req,
	struct ctr_created *ret, struct ctr_faults *faults, struct err *err)
{
	_cleanup_(making_done) struct making m;
	int r;

	if (making_init(&m, e, req, faults, err) < 0)
		return -1;
	if (run_stages(&m, opening, ARRAY_SIZE(opening), err) < 0)
		return -1;
	r = m.backend->remote ? run_stages(&m, making_remote, ARRAY_SIZE(making_remote), err)
			      : run_stages(&m, making_native, ARRAY_SIZE(making_native), err);
	if (r < 0) {
		undo(&m);
		return -1;
	}
	return answer(&m, ret, err);
}

/* ---- explain ---- */

/* A pod that isn't there yet is explained as it would be made. */
static int explain_sandbox(struct making *m, struct err *err)
{
	if (stage_sandbox(m, err) == 0)
		return 0;
	if (m->pod || err->code != ERR_NOT_FOUND || !m->cri->sandbox_config)
		return -1;
	*err = (struct err)ERR_INIT;
	m->sandbox = sandbox_imagined(m->engine, m->cri->pod_sandbox_id, m->req->pod_handler,
		m->cri->sandbox_config, m->arena, err);
	if (!m->sandbox)
		return -1;
	m->imagined = true;
	cri_container_check_in_pod(m->config, m->sandbox->config, m->faults);
	return ctr_faults_err(m->faults, err);
}

static int explain_folder(struct making *m, struct err *err)
{
	m->folder = making_folder(m, err);
	return m->folder ? 0 : -1;
}

static const struct stage routing[] = {
	{ "check", stage_check },
	{ "sandbox", explain_sandbox },
	{ "route", stage_route },
};

/* What making the pod would find. */
static int explain_pod(struct making *m, struct err *err)
{
	if (m->imagined)
		sandbox_check_ports(m->sandbox->config, "sandbox_config.", m->faults);
	return ctr_faults_err(m->faults, err);
}

static const struct stage describing_native[] = {
	{ "pod", explain_pod },
	{ "identity", stage_identity },
	{ "folder", explain_folder },
	{ "image", stage_image },
	{ "mount", making_mount },
	{ "facts", stage_facts },
	{ "spec", stage_spec },
};

static const struct stage describing_remote[] = {
	{ "identity", stage_identity },
	{ "wish", stage_remote_check },
};

static void write_route(const struct making *m, struct str *out)
{
	const struct cri_image_spec *image = m->config->image;

	if (!m->rec.backend)
		return;
	str_printf(out, "image %s\n",
		image->user_specified_image ? image->user_specified_image : image->image);
	str_printf(out, "backend %s: %s\n", m->rec.backend, m->rec.reason);
}

static int write_plan(struct making *m, struct str *out, struct err *err)
{
	const struct ctr_backend *backend = find_backend(m->engine, m->rec.backend, err);
	const char *bundle = arena_printf(m->arena, "%s/bundle", m->folder);
	_free_ char *plan = NULL;
	struct ctr_input in = { .id = m->rec.id,
		.bundle = bundle,
		.spec = m->spec,
		.attach = CTR_ATTACH_INIT,
		.dir_fd = FD_NONE,
		.cache_fd = FD_NONE,
		.cgroup_manager = m->engine->cgroup_manager };

	if (!backend || !bundle)
		return bundle ? -1 : err_nomem(err);
	str_printf(out, "container %s %s\nsandbox %s%s\nimage id %s, %zu layer%s\n", m->rec.id,
		m->rec.name, m->sandbox->id, m->imagined ? " (not there: as it would be made)" : "",
		m->image.id, m->image.n_layers, m->image.n_layers == 1 ? "" : "s");
	if (m->facts.no_apparmor_default)
		str_printf(out, "no AppArmor profile: none is asked for, and %s isn't loaded\n",
			SETTINGS_APPARMOR);
	str_printf(out, "bundle %s\n\nconfig.json\n", bundle);
	spec_write(m->spec, out);
	if (backend->check(&in, err) < 0 ||
		(backend->explain && backend->explain(&in, &plan, err) < 0))
		return -1;
	str_printf(out, "\nplan\n%s", plan ? plan : "");
	return 0;
}

/* The backend's own words: where it would go, and all that would be sent. */
static int write_remote_plan(struct making *m, struct str *out, struct err *err)
{
	_free_ char *plan = NULL;
	struct ctr_input in;
	int r;

	if (remote_input(m, &in, err) < 0)
		return -1;
	/* Its id is a hash of its sandbox's, among others. */
	in.id_unknown = m->imagined;
	if (m->imagined)
		str_printf(
			out, "container %s\nsandbox not there: as it would be made\n", m->rec.name);
	else
		str_printf(out, "container %s %s\nsandbox %s\n", m->rec.id, m->rec.name,
			m->sandbox->id);
	r = m->backend->explain
		    ? m->backend->explain(&in, &plan, err)
		    : err_set(err, ERR_UNSUPPORTED, m->backend->name, "this backend can't explain");
	str_add(out, plan ? plan : "");
	return r;
}

static int describe(struct making *m, struct str *out, struct err *err)
{
	if (m->backend->remote)
		return run_stages(m, describing_remote, ARRAY_SIZE(describing_remote), err) < 0
			       ? -1
			       : write_remote_plan(m, out, err);
	return run_stages(m, describing_native, ARRAY_SIZE(describing_native), err) < 0
		       ? -1
		       : write_plan(m, out, err);
}

int ctr_explain_request(struct ctr_engine *e, const struct ctr_create_request *req, char **ret_text,
	struct ctr_faults *faults, struct err *err)
{
	_cleanup_(making_done) struct making m;
	_str_ struct str out = { 0 };
	int r = -1;

	*ret_text = NULL;
	if (making_init(&m, e, req, faults, err) < 0)
		return -1;
	m.explains = true;
	if (run_stages(&m, routing, ARRAY_SIZE(routing), err) == 0) {
		write_route(&m, &out);
		r = describe(&m, &out, err);
	} else {
		/* What was chosen and can't be used is shown all the same. */
		write_route(&m, &out);
	}
	if (str_ok(&out, err) < 0)
		return -1;
	*ret_text = take(out.p);
	return r;
}
