/* SPDX-License-Identifier: Apache-2.0 */
/* What is different about containers that live on a server. */
#include "base/log.h"
#include "base/sys.h"
#include "flow/request.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- phases ---- */

static int note(struct ctr_container *c, enum ctr_status phase, bool starting, struct err *err)
{
	const struct ctr_record before = c->rec;

	c->rec.phase = phase;
	c->rec.starting = starting;
	if (before.phase == (int)phase && before.starting == starting)
		return 0;
	if (store_save(&c->box, &c->rec, err) == 0)
		return 0;
	c->rec = before;
	return -1;
}

/* May the server have begun with it all the same? */
static bool is_doubtful(const struct err *why)
{
	return why->code == ERR_TIMEOUT || why->code == ERR_UNAVAILABLE ||
	       why->code == ERR_EXHAUSTED;
}

/* Of a start that has failed for sure it is as it was. In doubt it counts as started, so that an
 * end is seen as one, and may be started again. The same when what came of it can't be noted. */
void remote_note_start(struct ctr_container *c, int result, const struct err *why)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (result < 0 && is_doubtful(why))
		return;
	if (note(c, result < 0 ? CTR_CREATED : CTR_RUNNING, false, &err) == 0)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("%s: that its start %s can't be noted: %s", c->rec.id,
		result < 0 ? "failed" : "is done", line);
}

bool remote_may_start_again(const struct ctr_container *c)
{
	return c->backend->remote && c->locked && c->rec.starting;
}

bool remote_is_being_started(const struct ctr_container *c)
{
	return c->backend->remote && c->rec.starting && !c->locked && store_is_locked(&c->box);
}

int remote_begin_start(struct ctr_container *c, struct err *err)
{
	return note(c, CTR_RUNNING, true, err);
}

/* ---- the process that stands for it ---- */

/* Its pidfd, or FD_NONE: there is none of this boot that lives. */
static int open_proxy(const struct ctr_container *c)
{
	struct err err = ERR_INIT;
	int fd;

	if (c->rec.pid <= 0 || engine_boot_id(c->engine, &err) < 0 ||
		!str_eq(c->rec.boot_id, c->engine->boot_id))
		return FD_NONE;
	fd = sys_pidfd_open(c->rec.pid, 0);
	/* Looked at after it was opened: what is found then is what the fd means. */
	if (fd >= 0 && proc_is_alive(c->rec.pid, c->rec.start_time, &err) != 1)
		fd = fd_close(fd);
	return fd < 0 ? FD_NONE : fd;
}

bool remote_proxy_killed(const struct ctr_container *c)
{
	struct err err = ERR_INIT;
	_close_ int fd = FD_NONE;

	/* A reboot ended it, and nobody's wish: what runs on goes on. */
	if (!c->backend->remote || c->rec.pid <= 0 || engine_boot_id(c->engine, &err) < 0 ||
		!str_eq(c->rec.boot_id, c->engine->boot_id))
		return false;
	/* It has seen the end of the guest: one that runs now was started again by somebody. */
	if (faccessat(c->box.fd, CTR_PROXY_ENDED, F_OK, 0) == 0)
		return false;
	fd = open_proxy(c);
	return fd < 0;
}

/* ---- kill ---- */

/* Nothing runs in it that could get a signal. What would end a waiting init ends it: it counts as
 * stopped from now on. Which signals those are the backend knows, which refuses the others and
 * finds nothing for these. 1: it was started meanwhile. */
static int kill_created(struct ctr_container *c, int signo, struct err *err)
{
	_close_ int proxy = FD_NONE;

	if (signo == 0)
		return 0;
	if (ctr_container_lock(c, err) < 0)
		return -1;
	if (c->rec.phase != CTR_CREATED)
		return 1;
	if (c->backend->signal(&c->rec, c->box.fd, signo, false, err) == 0)
		return 0;
	if (err->code != ERR_STATE || note(c, CTR_RUNNING, false, err) < 0)
		return -1;
	proxy = open_proxy(c);
	if (proxy >= 0 && sys_pidfd_send_signal(proxy, signo) < 0 && errno != ESRCH)
		return err_sys(err, errno, "pidfd_send_signal", "%d", (int)c->rec.pid);
	return 0;
}

int remote_kill(struct ctr_container *c, int signo, bool all, struct err *err)
{
	enum ctr_status status;

	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (all && status == CTR_STOPPED)
		return 0;
	if (lifecycle_check(VERB_KILL, status, c->rec.id, err) < 0)
		return -1;
	if (status == CTR_CREATED) {
		int r = kill_created(c, signo, err);
		/* The lock is ours: what is seen now stays so. */
		return r == 1 ? remote_kill(c, signo, all, err) : r;
	}
	if (c->backend->signal(&c->rec, c->box.fd, signo, all, err) == 0)
		return 0;
	if (err->code != ERR_STATE)
		return -1;
	/* It ended between the look and the signal. */
	return all ? 0 : lifecycle_check(VERB_KILL, CTR_STOPPED, c->rec.id, err);
}

/* ---- end ---- */

/* Read for itself, and kept only where it differs: who waits does so for days. */
int remote_follow_record(struct ctr_container *c, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct err why = ERR_INIT;
	struct ctr_record now;

	if (!a)
		return err_nomem(err);
	if (c->only_kept || c->locked)
		return 0;
	/* It is being deleted: what is known of it by now must do. */
	if (store_load(&c->box, c->rec.id, a, &now, &why) < 0)
		return 0;
	if (now.phase == c->rec.phase && now.starting == c->rec.starting)
		return 0;
	return container_load_again(c, err);
}

int remote_exit(struct ctr_container *c, struct ctr_exit *ret, struct err *err)
{
	enum ctr_status status;

	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status != CTR_STOPPED)
		return 0;
	*ret = (struct ctr_exit){ .code = EXIT_UNKNOWN, .reason = CTR_EXIT_UNKNOWN };
	if (c->only_kept || !c->backend->ended)
		return 1;
	return c->backend->ended(&c->rec, c->box.fd, ret, err) < 0 ? -1 : 1;
}

/* ---- what is on a server, and not on record ---- */

/* Anybody may write an id into a guest: that of one of this kernel's containers is no claim. */
static int check_not_here(struct ctr_engine *e, const char *id, struct err *err)
{
	struct store_box box = STORE_BOX_INIT;
	struct err none = ERR_INIT;
	int r;

	if (engine_store(e, STORE_FIND, err) < 0)
		return -1;
	r = store_find(&e->store, id, &box, &none);
	store_box_close(&box);
	if (r < 0)
		return 0;
	return err_set(err, ERR_STATE, id, "is a container of backend native");
}

int ctr_adopt(struct ctr_engine *e, const char *backend, const char *id, struct err *err)
{
	_container_ struct ctr_container *c = container_new(e, err);
	struct err again = ERR_INIT;
	int r;

	if (!c || store_check_id(id, err) < 0 || check_not_here(e, id, err) < 0)
		return -1;
	c->backend = find_backend(e, backend, err);
	if (!c->backend || engine_context(e, c->backend, &c->rec.context, err) < 0)
		return -1;
	if (!c->backend->find)
		return err_set(err, ERR_UNSUPPORTED, backend, "this backend has no server to ask");
	if (engine_boot_id(e, err) < 0)
		return -1;
	c->home = engine_home(e, c->backend, STORE_MAKE, err);
	if (!c->home || store_claim(c->home, id, &c->box, err) < 0)
		return -1;
	c->locked = true;
	r = engine_check_free(e, c->backend, id, err);
	if (r == 0)
		r = c->backend->find(c->rec.context, id, c->box.fd, &c->rec, err);
	if (r == 1) {
		c->rec.backend = c->backend->name;
		c->rec.boot_id = e->boot_id;
		if (store_save(&c->box, &c->rec, err) == 0)
			return 0;
		r = -1;
	}
	if (store_remove(c->home, id, &again) < 0)
		log_warn("%s: its folder couldn't be removed", id);
	return r < 0 ? -1 : err_set(err, ERR_NOT_FOUND, NULL, "container does not exist");
}

int ctr_diagnose(
	struct ctr_engine *e, const char *backend, const struct ctr_report *report, struct err *err)
{
	const struct ctr_backend *b = find_backend(e, backend, err);
	struct ctr_context *context;

	if (!b || engine_context(e, b, &context, err) < 0)
		return -1;
	if (!b->diagnose)
		return err_set(err, ERR_UNSUPPORTED, backend,
			"this backend needs nothing that could be checked");
	return b->diagnose(context, report, err);
}
