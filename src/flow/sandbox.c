/* SPDX-License-Identifier: Apache-2.0 */
/* Pod sandboxes: making them, finding them, and what state they are in. */
#include "flow/sandbox.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/path.h"
#include "flow/podfiles.h"
#include "flow/select.h"
#include "model/cri.h"
#include "model/settings.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { ID_SHORT = 12, HOST_FILE_MAX = 1 << 20, SHARE_MS = 50 };

#define RUN_FOLDER ".sandboxes"

/* ---- the handle ---- */

struct ctr_sandbox *sandbox_new(struct ctr_engine *e, enum store_open how, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = calloc(1, sizeof(*s));

	if (s) {
		s->dir = FD_NONE;
		s->arena = arena_new();
	}
	if (!s || !s->arena) {
		err_nomem(err);
		return NULL;
	}
	s->engine = e;
	for (size_t i = 0; e->backends[i] && !s->backend; i++)
		if (e->backends[i]->sandbox_make)
			s->backend = e->backends[i];
	if (!s->backend) {
		err_set(err, ERR_UNSUPPORTED, NULL, "no backend of this program makes sandboxes");
		return NULL;
	}
	return engine_data(e, how, &s->data_fd, err) < 0 ? NULL : take(s);
}

struct ctr_sandbox *ctr_sandbox_close(struct ctr_sandbox *s)
{
	if (s) {
		/* By name, not by closing: a process that was started may hold a copy of the fd
		 * until its exec. */
		if (s->locked)
			sandbox_unlock(s->dir);
		fd_close(s->dir);
		arena_free(s->arena);
		free(s);
	}
	return NULL;
}

const struct ctr_sandbox_record *ctr_sandbox_record(const struct ctr_sandbox *s)
{
	return &s->rec;
}

int sandbox_is_remote(
	struct ctr_engine *e, const struct ctr_sandbox_record *rec, bool *ret, struct err *err)
{
	const struct settings *settings;
	const char *name;

	*ret = false;
	if (!rec->runtime_handler)
		return 0;
	if (engine_settings(e, &settings, err) < 0)
		return -1;
	/* Of a handler that the configuration no longer knows: as it was made. */
	if (select_handler(settings, rec->runtime_handler, &name, &(struct err)ERR_INIT) < 0)
		return 0;
	for (size_t i = 0; name && e->backends[i]; i++)
		*ret |= str_eq(e->backends[i]->name, name) && e->backends[i]->remote;
	return 0;
}

const char *sandbox_key(const char *name, char buf[SANDBOX_KEY_MAX])
{
	_Static_assert((int)SANDBOX_KEY_MAX >= (int)DIGEST_TEXT_MAX, "room for a digest");
	const char *colon = strchr(digest_of(name, strlen(name), buf), ':');

	return colon ? colon + 1 : buf;
}

/* The absolute path of an open folder. */
static const char *path_of(int fd, struct arena *a, struct err *err)
{
	char link[32], path[PATH_MAX];
	const char *copy = NULL;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 0 || (size_t)n == sizeof(path))
		err_sys(err, n < 0 ? errno : ENAMETOOLONG, "readlink", "%s", link);
	else if (!(copy = arena_strndup(a, path, (size_t)n)))
		err_nomem(err);
	return copy;
}

const char *sandbox_run_folder(struct ctr_sandbox *s, const char *id, struct err *err)
{
	const char *root, *path;

	if (engine_store(s->engine, STORE_MAKE, err) < 0)
		return NULL;
	root = path_of(s->engine->store.fd, s->arena, err);
	if (!root)
		return NULL;
	path = arena_printf(s->arena, "%s/" RUN_FOLDER "/%s", root, id);
	if (!path)
		err_nomem(err);
	return path;
}

int sandbox_open_run(const struct ctr_sandbox *s, int *ret_fd, struct err *err)
{
	int fd = open(s->rec.run_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*ret_fd = fd < 0 ? FD_NONE : fd;
	return fd >= 0 || errno == ENOENT ? 0
					  : err_sys(err, errno, "open", "%s", s->rec.run_folder);
}

/* ---- finding ---- */

static int no_such(const char *what, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, what, "no such sandbox");
}

static int open_by_id(
	struct ctr_sandbox *s, const char *id, enum ctr_sandbox_access access, struct err *err)
{
	const unsigned timeout_ms = s->engine->lock_timeout_ms;
	int r = sandbox_find(s->data_fd, id, &s->dir, err);

	if (r <= 0)
		return r < 0 ? -1 : no_such(id, err);
	if (access != CTR_SANDBOX_LOOK) {
		if (sandbox_lock(s->dir, id, access == CTR_SANDBOX_SHARE ? LOCK_SH : LOCK_EX,
			    timeout_ms, err) < 0)
			return -1;
		s->locked = true;
	}
	r = sandbox_load(s->dir, id, s->arena, &s->rec, err);
	if (r < 0)
		return -1;
	return r == 0 || !s->rec.complete ? no_such(id, err) : 0;
}

struct ctr_sandbox *ctr_sandbox_open(
	struct ctr_engine *e, const char *id, enum ctr_sandbox_access access, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	const char *whole;

	if (!s || sandbox_complete(s->data_fd, id, s->arena, &whole, err) < 0)
		return NULL;
	if (!whole) {
		no_such(id, err);
		return NULL;
	}
	return open_by_id(s, whole, access, err) < 0 ? NULL : take(s);
}

struct ctr_sandbox *ctr_sandbox_open_name(
	struct ctr_engine *e, const char *name, enum ctr_sandbox_access access, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	char key[SANDBOX_KEY_MAX], id[SANDBOX_ID_LEN + 1];

	if (!s || sandbox_name_read(s->data_fd, sandbox_key(name, key), id, err) < 0)
		return NULL;
	if (!*id) {
		no_such(name, err);
		return NULL;
	}
	return open_by_id(s, id, access, err) < 0 ? NULL : take(s);
}

int ctr_sandbox_state(struct ctr_sandbox *s, enum ctr_sandbox_state *ret, struct err *err)
{
	_close_ int run = FD_NONE;
	int ready = 0;
	bool remote;

	if (sandbox_is_remote(s->engine, &s->rec, &remote, err) < 0)
		return -1;
	if (remote) {
		*ret = s->rec.state;
		return 0;
	}
	if (s->rec.state == CTR_SANDBOX_READY) {
		if (engine_boot_id(s->engine, err) < 0)
			return -1;
		ready = str_eq(s->rec.boot_id, s->engine->boot_id);
	}
	if (ready && sandbox_open_run(s, &run, err) < 0)
		return -1;
	if (ready)
		ready = run < 0 ? 0 : s->backend->sandbox_ready(&s->rec, run, err);
	if (ready < 0)
		return -1;
	*ret = ready ? CTR_SANDBOX_READY : CTR_SANDBOX_NOTREADY;
	return 0;
}

void sandbox_let_go(struct ctr_sandbox *s)
{
	if (s->locked)
		sandbox_unlock(s->dir);
	s->locked = false;
}

static int check_ready(struct ctr_sandbox *s, struct err *err)
{
	struct ctr_sandbox_record now;
	int r = sandbox_load(s->dir, s->rec.id, s->arena, &now, err);

	if (r < 0)
		return -1;
	return r == 1 && now.complete && now.state == CTR_SANDBOX_READY
		       ? 0
		       : err_set(err, ERR_STATE, NULL, "sandbox %.12s is not ready any more",
				 s->rec.id);
}

/* Who stops or removes it says so in the record first, and may then wait for us. */
int sandbox_share_again(struct ctr_sandbox *s, struct err *err)
{
	const unsigned timeout_ms = s->engine->lock_timeout_ms;

	for (unsigned waited = 0;; waited += SHARE_MS) {
		struct err why = ERR_INIT;

		if (check_ready(s, err) < 0)
			return -1;
		if (s->locked)
			return 0;
		if (sandbox_lock(s->dir, s->rec.id, LOCK_SH, SHARE_MS, &why) == 0) {
			s->locked = true; /* and so it stays what it is now */
			continue;
		}
		if (why.code != ERR_TIMEOUT || waited >= timeout_ms) {
			*err = why;
			return -1;
		}
	}
}

/* ---- checking ---- */

static int check_handler(
	struct ctr_engine *e, const char *handler, struct ctr_faults *faults, struct err *err)
{
	const struct settings *settings;

	if (engine_settings(e, &settings, err) < 0)
		return -1;
	if (handler && !str_eq(handler, "native") && !str_eq(handler, "proxmox") &&
		!ctr_map_get(&settings->handlers, handler))
		ctr_fault_add(faults, ERR_INVALID, "runtime_handler",
			"unknown handler \"%.64s\": there are native, proxmox, and those of routing.runtimeHandlers",
			handler);
	return 0;
}

void sandbox_check_ports(
	const struct cri_pod_sandbox_config *config, const char *where, struct ctr_faults *faults)
{
	char field[96];

	if (cri_pod_namespaces(config)->network == CRI_NS_NODE)
		return;
	for (size_t i = 0; i < config->n_port_mappings; i++) {
		if (!config->port_mappings[i].host_port)
			continue;
		snprintf(field, sizeof(field), "%sport_mappings[%zu].host_port", where, i);
		ctr_fault_add(faults, ERR_UNSUPPORTED, field,
			"must be 0: ports of the host can't be mapped into a pod's network in this build");
	}
}

static int check(struct ctr_engine *e, const struct cri_pod_sandbox_config *config,
	const char *handler, struct ctr_faults *faults, struct err *err)
{
	const char *parent = config->linux_ ? config->linux_->cgroup_parent : NULL;
	const struct ctr_sandbox_record asked = { .runtime_handler = handler };
	bool remote;

	/* First: what fails here is no fault of the request's. */
	if (check_handler(e, handler, faults, err) < 0)
		return -1;
	cri_pod_check(config, "", faults);
	if (sandbox_is_remote(e, &asked, &remote, err) < 0)
		return -1;
	if (!remote)
		sandbox_check_ports(config, "", faults);
	if (parent && !strchr(parent, '/') && str_ends(parent, ".slice"))
		ctr_fault_add(faults, ERR_INVALID, "linux.cgroup_parent",
			"\"%.100s\" is a name for the systemd cgroup driver: configure the kubelet (or the engine) for cgroupfs",
			parent);
	if (ctr_faults_err(faults, err) < 0)
		return -1;
	if (e->cgroup_manager == CTR_CGROUP_DISABLED)
		return err_set(err, ERR_UNSUPPORTED, "--cgroup-manager disabled",
			"a sandbox has a cgroup");
	return 0;
}

/* ---- making ---- */

struct run {
	struct ctr_sandbox *s;
	const struct cri_pod_sandbox_config *config;
	struct str text; /* the config, canonical */
	char digest[SANDBOX_KEY_MAX];
	const char *key; /* of the name */
	int lock;
};

static void run_done(struct run *r)
{
	fd_close(r->lock);
	str_done(&r->text);
}

static int new_id(char id[SANDBOX_ID_LEN + 1], struct err *err)
{
	unsigned char bytes[SANDBOX_ID_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_sys(err, errno, "getrandom", "id");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* The record as it is before the first side effect. */
static int fill_record(struct run *r, const char *id, const char *handler, struct err *err)
{
	const bool host_network = cri_pod_namespaces(r->config)->network == CRI_NS_NODE;
	struct ctr_sandbox *s = r->s;
	struct ctr_sandbox_record *rec = &s->rec;
	char now[PROC_TIME_MAX];
	const char *folder;

	if (engine_boot_id(s->engine, err) < 0)
		return -1;
	folder = path_of(s->data_fd, s->arena, err);
	rec->run_folder = sandbox_run_folder(s, id, err);
	if (!folder || !rec->run_folder)
		return -1;
	rec->id = arena_strdup(s->arena, id);
	rec->created = arena_strdup(s->arena, proc_now(now));
	rec->boot_id = s->engine->boot_id;
	rec->runtime_handler = handler ? arena_strdup(s->arena, handler) : NULL;
	rec->state = CTR_SANDBOX_NOTREADY;
	rec->folder = arena_printf(s->arena, "%s/sandboxes/%s", folder, id);
	if (!host_network)
		rec->hostname = r->config->hostname ? arena_strdup(s->arena, r->config->hostname)
						    : arena_strndup(s->arena, id, ID_SHORT);
	rec->config = r->config;
	return arena_failed(s->arena) ? err_nomem(err) : 0;
}

/* A file of the host's; without it, nothing. */
static int host_text(const char *path, char **ret, struct err *err)
{
	size_t n;

	if (file_read(AT_FDCWD, path, HOST_FILE_MAX, ret, &n, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	*ret = strdup("");
	return *ret ? 0 : err_nomem(err);
}

static int make_files(const struct run *r, struct err *err)
{
	static const struct cri_dns_config no_dns;
	const struct ctr_sandbox_record *rec = &r->s->rec;
	const struct cri_user_namespace *u = cri_pod_namespaces(r->config)->userns_options;
	const uint32_t uid = u && u->n_uids ? u->uids->host_id : 0;
	const uint32_t gid = u && u->n_gids ? u->gids->host_id : 0;
	_str_ struct str hostname = { 0 }, hosts = { 0 }, resolv = { 0 };
	_free_ char *host_hosts = NULL, *host_resolv = NULL;
	struct utsname host;

	uname(&host);
	if (host_text("/etc/hosts", &host_hosts, err) < 0 ||
		host_text("/etc/resolv.conf", &host_resolv, err) < 0)
		return -1;
	podfiles_hostname(rec->hostname ? rec->hostname : host.nodename, &hostname);
	podfiles_hosts(
		rec->hostname ? rec->hostname : host.nodename, !rec->hostname, host_hosts, &hosts);
	podfiles_resolv_conf(
		r->config->dns_config ? r->config->dns_config : &no_dns, host_resolv, &resolv);
	if (sandbox_save_file(r->s->dir, "hostname", &hostname, uid, gid, err) < 0 ||
		sandbox_save_file(r->s->dir, "hosts", &hosts, uid, gid, err) < 0 ||
		sandbox_save_file(r->s->dir, "resolv.conf", &resolv, uid, gid, err) < 0)
		return -1;
	return 0;
}

/* Called by the backend: what it put in lives no longer than its own call. */
static int save_making(void *arg, const struct ctr_sandbox_record *rec, struct err *err)
{
	struct ctr_sandbox *s = arg;
	struct ctr_sandbox_record *own = &s->rec;

	for (size_t i = 0; i < OCI_NS_N; i++)
		if (rec->ns_path[i])
			own->ns_path[i] = arena_strdup(s->arena, rec->ns_path[i]);
	if (rec->shm)
		own->shm = arena_strdup(s->arena, rec->shm);
	if (rec->cgroup)
		own->cgroup = arena_strdup(s->arena, rec->cgroup);
	if (arena_failed(s->arena))
		return err_nomem(err);
	return sandbox_save(s->dir, own, err);
}

static int make_run_folder(struct ctr_sandbox *s, int *ret_fd, struct err *err)
{
	const int root = s->engine->store.fd;
	char path[sizeof(RUN_FOLDER) + 1 + SANDBOX_ID_LEN];

	snprintf(path, sizeof(path), RUN_FOLDER "/%s", s->rec.id);
	if (mkdirat(root, RUN_FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "%s", RUN_FOLDER);
	if (mkdirat(root, path, 0700) < 0)
		return err_sys(err, errno, "mkdir", "%s", path);
	*ret_fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(err, errno, "open", "%s", path) : 0;
}

static int make_parts(struct run *r, struct err *err)
{
	struct ctr_sandbox *s = r->s;
	const struct ctr_sandbox_save save = { save_making, s };
	_close_ int run = FD_NONE;
	bool remote;

	if (sandbox_save_config(s->dir, &r->text, err) < 0 ||
		sandbox_save(s->dir, &s->rec, err) < 0 || make_files(r, err) < 0 ||
		sandbox_is_remote(s->engine, &s->rec, &remote, err) < 0)
		return -1;
	if (!remote && (make_run_folder(s, &run, err) < 0 ||
			       s->backend->sandbox_make(&s->rec, run, &save, err) < 0))
		return -1;
	s->rec.state = CTR_SANDBOX_READY;
	s->rec.complete = true;
	if (sandbox_save(s->dir, &s->rec, err) < 0)
		return -1;
	return sandbox_sync(s->data_fd, s->dir, r->lock, err);
}

static void undo(struct run *r)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (sandbox_unmake(r->s, &err) == 0 &&
		sandbox_name_drop(r->s->data_fd, r->key, &err) == 0 &&
		sandbox_remove(r->s->data_fd, r->s->rec.id, &err) == 0)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("%s couldn't be cleaned up: %s; try: ctrctl sandbox remove %s", r->s->rec.id, line,
		r->s->rec.id);
}

static int make(struct run *r, const char *handler, struct err *err)
{
	struct ctr_sandbox *s = r->s;
	char id[SANDBOX_ID_LEN + 1];

	if (new_id(id, err) < 0 || fill_record(r, id, handler, err) < 0 ||
		sandbox_name_take(r->lock, id, err) < 0 ||
		sandbox_claim(s->data_fd, id, &s->dir, err) < 0)
		return -1;
	s->locked = true;
	if (make_parts(r, err) == 0)
		return 0;
	undo(r);
	return -1;
}

/* ---- the one that is there ---- */

static int taken(const struct ctr_sandbox_record *rec, const char *why, struct err *err)
{
	err_set(err, ERR_EXISTS, rec->name, "sandbox %.12s has this name%s", rec->id, why);
	return err_hint(err, "remove it first: ctrctl sandbox remove %.12s", rec->id);
}

/* 1 the answer is s, 0 nobody has the name (any more), -1 */
static int find_same(struct run *r, const char *id, const char *handler, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(r->s->engine, STORE_FIND, err);
	_str_ struct str text = { 0 };
	enum ctr_sandbox_state state;
	int found;

	if (!s)
		return -1;
	found = sandbox_find(s->data_fd, id, &s->dir, err);
	if (found <= 0)
		return found;
	found = sandbox_load(s->dir, id, s->arena, &s->rec, err);
	if (found < 0)
		return -1;
	/* Its maker had the name that is ours now: it died. */
	if (found == 0 || !s->rec.complete)
		return sandbox_collect(s->engine, id, true, err) < 0 ? -1 : 0;
	if (ctr_sandbox_state(s, &state, err) < 0)
		return -1;
	if (state != CTR_SANDBOX_READY)
		return taken(&s->rec, " and isn't ready", err);
	cri_pod_write(s->rec.config, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	if (!str_eq(text.p, r->text.p))
		return taken(&s->rec, " and another config", err);
	if (handler ? !str_eq(handler, s->rec.runtime_handler) : s->rec.runtime_handler != NULL)
		return taken(&s->rec, " and another runtime handler", err);
	return 1;
}

static int run(struct run *r, const char *handler, char **ret_id, struct err *err)
{
	const struct cri_pod_sandbox_metadata *m = r->config->metadata;
	struct ctr_sandbox *s = r->s;
	char id[SANDBOX_ID_LEN + 1];
	int same = 0;

	s->rec.name =
		arena_printf(s->arena, "%s_%s_%s_%u", m->name, m->namespace, m->uid, m->attempt);
	cri_pod_write(r->config, &r->text);
	if (!s->rec.name || str_ok(&r->text, err) < 0)
		return err_nomem(err);
	r->key = sandbox_key(s->rec.name, r->digest);
	if (sandbox_name_lock(s->data_fd, r->key, s->engine->lock_timeout_ms, &r->lock, id, err) <
		0)
		return -1;
	if (*id)
		same = find_same(r, id, handler, err);
	if (same < 0 || (same == 0 && make(r, handler, err) < 0))
		return -1;
	*ret_id = strdup(same ? id : s->rec.id);
	return *ret_id ? 0 : err_nomem(err);
}

int ctr_sandbox_run(struct ctr_engine *e, const struct cri_pod_sandbox_config *config,
	const char *runtime_handler, char **ret_id, struct ctr_faults *faults, struct err *err)
{
	const char *handler = runtime_handler && *runtime_handler ? runtime_handler : NULL;
	_cleanup_(run_done) struct run r = { .config = config, .lock = FD_NONE };

	if (check(e, config, handler, faults, err) < 0)
		return -1;
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_MAKE, err);
	if (!s)
		return -1;
	r.s = s;
	return run(&r, handler, ret_id, err);
}
