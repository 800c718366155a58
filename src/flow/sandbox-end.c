/* SPDX-License-Identifier: Apache-2.0 */
/* Pod sandboxes: stopping, removing, listing, and what a killed command left. */
#include "flow/sandbox.h"

#include "base/log.h"
#include "base/path.h"
#include "flow/request.h"
#include "store/requests.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { KILL_TIMEOUT_MS = 10000, POLL_MS = 5, ORPHAN_LOCK_MS = 50 };

/* ---- its containers ---- */

static int is_ours(const struct ctr_sandbox *s, const char *id, struct arena *a, struct err *err)
{
	struct ctr_cri_record rec;
	_close_ int dir = FD_NONE;
	int r = request_find(s->data_fd, id, &dir, err);

	if (r == 1)
		r = request_load(dir, id, a, &rec, err);
	return r <= 0 ? r : str_eq(rec.sandbox_id, s->rec.id);
}

static int containers_of(const struct ctr_sandbox *s, struct arena *a, const char ***ret,
	size_t *ret_n, struct err *err)
{
	const char **ids;
	size_t n;

	*ret_n = 0;
	if (request_list(s->data_fd, a, &ids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct err broken = ERR_INIT;
		int ours = is_ours(s, ids[i], a, &broken);

		if (ours < 0 && broken.code != ERR_INVALID) {
			*err = broken;
			return -1;
		}
		if (ours < 0)
			log_warn("container %.12s: its record can't be read", ids[i]);
		if (ours > 0)
			ids[(*ret_n)++] = ids[i];
	}
	*ret = ids;
	return 0;
}

/* 1 it lives, 0 it doesn't, -1. With kill it is told to end. Of one whose live record is broken,
 * what lives is found by its cgroup; what is kept of it stays. */
static int container_lives(struct ctr_engine *e, const char *id, bool kill, struct err *err)
{
	_container_ struct ctr_container *c = ctr_container_open(e, id, CTR_READ, err);
	enum ctr_status status;

	if (!c && err->code == ERR_INVALID)
		return kill ? ctr_delete(e, id, true, err) : 0;
	if (!c)
		return err->code == ERR_NOT_FOUND || err->code == ERR_STATE ? 0 : -1;
	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status == CTR_STOPPED || status == CTR_CREATING)
		return 0;
	/* What ends at a server has ended when the call returns. */
	if (kill && c->backend->remote)
		return ctr_container_stop(c, 0, err) < 0 ? -1 : 0;
	if (kill && ctr_container_kill(c, SIGKILL, false, err) < 0)
		return err->code == ERR_STATE ? 0 : -1;
	return 1;
}

static int wait_stopped(struct ctr_engine *e, const char *id, struct err *err)
{
	for (int waited = 0;; waited += POLL_MS) {
		int r = container_lives(e, id, false, err);

		if (r <= 0)
			return r;
		if (waited >= KILL_TIMEOUT_MS)
			return err_set(err, ERR_TIMEOUT, NULL,
				"container %.12s still lives %d s after SIGKILL", id,
				KILL_TIMEOUT_MS / 1000);
		nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
	}
}

/* All are told before the first is waited for. */
static int stop_containers(const struct ctr_sandbox *s, const char **ids, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (container_lives(s->engine, ids[i], true, err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (wait_stopped(s->engine, ids[i], err) < 0)
			return -1;
	return 0;
}

/* Looked at again under its lock: who has just made the folder may go on with it. */
static int delete_orphan(
	const struct ctr_sandbox *s, const char *id, struct arena *a, struct err *err)
{
	struct err why = ERR_INIT;
	struct ctr_cri_record rec;
	_close_ int dir = FD_NONE;
	int r = 0;

	if (request_find(s->data_fd, id, &dir, err) < 0)
		return -1;
	if (dir < 0 || request_load(dir, id, a, &rec, &why) != 0 ||
		request_lock(dir, id, ORPHAN_LOCK_MS, &why) < 0)
		return 0;
	if (request_load(dir, id, a, &rec, &why) == 0)
		r = request_destroy(s->data_fd, dir, id, err);
	request_unlock(dir);
	return r;
}

/* Folders without a record, on which nobody works: of a create or a delete that was killed. Whose
 * they were isn't known any more; nothing lives in them. */
static int delete_orphans(const struct ctr_sandbox *s, struct arena *a, struct err *err)
{
	const char **ids;
	size_t n;

	if (request_list(s->data_fd, a, &ids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (delete_orphan(s, ids[i], a, err) < 0)
			return -1;
	return 0;
}

enum containers { CONTAINERS_STOP, CONTAINERS_DELETE };

static int end_containers(const struct ctr_sandbox *s, enum containers how, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const char **ids;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (containers_of(s, a, &ids, &n, err) < 0 || stop_containers(s, ids, n, err) < 0)
		return -1;
	for (size_t i = 0; how == CONTAINERS_DELETE && i < n; i++)
		if (ctr_delete(s->engine, ids[i], true, err) < 0)
			return -1;
	return how == CONTAINERS_DELETE ? delete_orphans(s, a, err) : 0;
}

/* ---- its parts ---- */

int sandbox_unmake(struct ctr_sandbox *s, struct err *err)
{
	const char *name = strrchr(s->rec.run_folder, '/') + 1;
	_free_ char *above = strndup(s->rec.run_folder, (size_t)(name - s->rec.run_folder));
	_close_ int run = FD_NONE, up = FD_NONE;

	if (!above)
		return err_nomem(err);
	if (sandbox_open_run(s, &run, err) < 0 ||
		s->backend->sandbox_destroy(&s->rec, run, err) < 0)
		return -1;
	up = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", above);
	return path_remove_tree(up, name, err);
}

/* NOTREADY first, so that nothing new begins in it whatever happens to us. Not synced: after a
 * reboot the boot id says the same. */
static int mark_stopped(struct ctr_sandbox *s, struct err *err)
{
	if (!s->rec.complete || s->rec.state == CTR_SANDBOX_NOTREADY)
		return 0;
	s->rec.state = CTR_SANDBOX_NOTREADY;
	return sandbox_save(s->dir, &s->rec, err);
}

static int end(struct ctr_sandbox *s, enum containers how, struct err *err)
{
	struct ctr_sandbox_record *rec = &s->rec;

	/* On a disk that is full or read-only it still goes: its lock is ours, and what it is made
	 * of is taken away. */
	if (mark_stopped(s, err) < 0 && how == CONTAINERS_STOP)
		return -1;
	if (end_containers(s, how, err) < 0 || sandbox_unmake(s, err) < 0)
		return -1;
	if (!rec->complete)
		return 0;
	memset(rec->ns_path, 0, sizeof(rec->ns_path));
	rec->shm = NULL;
	rec->pause_pid = 0;
	rec->pause_start = 0;
	rec->cgroup_made = false;
	return sandbox_save(s->dir, rec, err) < 0 && how == CONTAINERS_STOP ? -1 : 0;
}

/* Opens and locks it for its end, whatever its record is like. 1, 0 when there is none, -1. */
static int open_to_end(struct ctr_sandbox *s, const char *id, struct err *err)
{
	struct err broken = ERR_INIT;
	int r = sandbox_find(s->data_fd, id, &s->dir, err);

	if (r <= 0)
		return r;
	if (sandbox_lock(s->dir, id, LOCK_EX, s->engine->lock_timeout_ms, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	s->locked = true;
	r = sandbox_load(s->dir, id, s->arena, &s->rec, &broken);
	if (r == 1)
		return 1;
	if (r < 0 && broken.code != ERR_INVALID) {
		*err = broken;
		return -1;
	}
	/* No record, or none that can be read: the id must do. */
	s->rec = (struct ctr_sandbox_record){ .id = arena_strdup(s->arena, id),
		.run_folder = sandbox_run_folder(s, id, err) };
	return s->rec.id && s->rec.run_folder ? 1 : -1;
}

/* ---- public ---- */

static int complete_id(struct ctr_sandbox *s, const char *prefix, const char **ret, struct err *err)
{
	return sandbox_complete(s->data_fd, prefix, s->arena, ret, err);
}

int ctr_sandbox_stop(struct ctr_engine *e, const char *id, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	const char *whole;

	if (!s || complete_id(s, id, &whole, err) < 0)
		return -1;
	int r = whole ? open_to_end(s, whole, err) : 0;
	if (r <= 0)
		return r;
	return end(s, CONTAINERS_STOP, err);
}

/* Its name and its folder. The order of the locks is name, then folder. */
static int forget(struct ctr_engine *e, const char *id, const char *name, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	char key[SANDBOX_KEY_MAX], owner[SANDBOX_ID_LEN + 1];
	_close_ int lock = FD_NONE;

	if (!s)
		return -1;
	if (name) {
		const char *k = sandbox_key(name, key);
		if (sandbox_name_lock(s->data_fd, k, e->lock_timeout_ms, &lock, owner, err) < 0)
			return -1;
		/* A name that nobody has is a file that was made just now. */
		if ((!*owner || str_eq(owner, id)) && sandbox_name_drop(s->data_fd, k, err) < 0)
			return -1;
	}
	int r = open_to_end(s, id, err);
	if (r <= 0)
		return r;
	return sandbox_remove(s->data_fd, id, err);
}

int ctr_sandbox_remove(struct ctr_engine *e, const char *id, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	_free_ char *name = NULL;
	const char *whole;

	if (!s || complete_id(s, id, &whole, err) < 0)
		return -1;
	int r = whole ? open_to_end(s, whole, err) : 0;
	if (r <= 0)
		return r;
	if (end(s, CONTAINERS_DELETE, err) < 0)
		return -1;
	if (s->rec.name && !(name = strdup(s->rec.name)))
		return err_nomem(err);
	sandbox_unlock(s->dir);
	s->locked = false;
	return forget(e, whole, name, err);
}

int sandbox_collect(struct ctr_engine *e, const char *id, bool name_locked, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	_free_ char *name = NULL;

	if (!s)
		return -1;
	int r = sandbox_find(s->data_fd, id, &s->dir, err);
	if (r <= 0 || (!name_locked && sandbox_is_locked(s->dir)))
		return r < 0 ? -1 : 0;
	s->dir = fd_close(s->dir);
	r = open_to_end(s, id, err);
	if (r <= 0 || s->rec.complete)
		return r < 0 ? -1 : 0;
	if (end(s, CONTAINERS_DELETE, err) < 0)
		return -1;
	if (name_locked)
		return sandbox_remove(s->data_fd, id, err) < 0 ? -1 : 1;
	if (s->rec.name && !(name = strdup(s->rec.name)))
		return err_nomem(err);
	sandbox_unlock(s->dir);
	s->locked = false;
	return forget(e, id, name, err) < 0 ? -1 : 1;
}

static void complain(const char *id, const struct err *err)
{
	char line[1024];

	err_line(err, line, sizeof(line));
	log_warn("sandbox %.12s: %s", id, line);
}

typedef int each_fn(
	void *arg, const struct ctr_sandbox_record *, enum ctr_sandbox_state, struct err *);

static int visit(struct ctr_engine *e, const char *id, each_fn *each, void *arg, struct err *err)
{
	_sandbox_ struct ctr_sandbox *s = sandbox_new(e, STORE_FIND, err);
	struct err why = ERR_INIT;
	enum ctr_sandbox_state state;
	int r;

	if (!s)
		return -1;
	r = sandbox_find(s->data_fd, id, &s->dir, &why);
	if (r == 1)
		r = sandbox_load(s->dir, id, s->arena, &s->rec, &why);
	else if (r == 0)
		return 0;
	if (r == 0 || (r == 1 && !s->rec.complete))
		r = sandbox_collect(e, id, false, &why) < 0 ? -1 : 0;
	else if (r == 1)
		r = ctr_sandbox_state(s, &state, &why) < 0 ? -1 : 1;
	if (r < 0)
		complain(id, &why);
	return r == 1 ? each(arg, &s->rec, state, err) : 0;
}

int ctr_sandbox_list(struct ctr_engine *e, each_fn *each, void *arg, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const char **ids;
	int data_fd;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (engine_data(e, STORE_FIND, &data_fd, err) < 0 ||
		sandbox_list(data_fd, a, &ids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (visit(e, ids[i], each, arg, err) < 0)
			return -1;
	return sandbox_names_sweep(data_fd, err);
}
