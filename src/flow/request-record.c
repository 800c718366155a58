/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a container made from a request: its record, its start, its end. */
#include "flow/monitor.h"
#include "flow/request.h"

#include "base/log.h"
#include "base/names.h"
#include "base/sys.h"
#include "store/requests.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MONITOR_END_MS = 5000, STARTED_MAX = 64, PAUSE_MS = 20 };

#define STARTED "started"

static const char *const reason_names[CTR_EXIT_REASON_N] = {
	[CTR_EXIT_COMPLETED] = "Completed",
	[CTR_EXIT_ERROR] = "Error",
	[CTR_EXIT_OOM_KILLED] = "OOMKilled",
	[CTR_EXIT_UNKNOWN] = "Unknown",
};

const char *ctr_exit_reason_name(int reason)
{
	return reason >= 0 && reason < CTR_EXIT_REASON_N ? reason_names[reason] : "Unknown";
}

/* ---- the folder ---- */

int container_data(struct ctr_container *c, int *ret_fd, struct err *err)
{
	int data_fd, r;

	*ret_fd = c->kept_fd;
	if (c->kept_fd >= 0 || !c->rec.from_request)
		return 0;
	if (engine_data(c->engine, STORE_FIND, &data_fd, err) < 0)
		return -1;
	r = request_find(data_fd, c->rec.id, &c->kept_fd, err);
	*ret_fd = c->kept_fd;
	return r < 0 ? -1 : 0;
}

/* Loads the record once. 1, 0 when there is none, -1. */
static int load(struct ctr_container *c, struct err *err)
{
	struct ctr_cri_record *cri;
	int dir, r;

	if (c->cri)
		return 1;
	if (container_data(c, &dir, err) < 0)
		return -1;
	if (dir < 0)
		return 0;
	cri = arena_alloc(c->arena, sizeof(*cri));
	if (!cri)
		return err_nomem(err);
	r = request_load(dir, c->rec.id, c->arena, cri, err);
	if (r == 1)
		c->cri = cri;
	return r;
}

const struct ctr_cri_record *ctr_container_cri(const struct ctr_container *c)
{
	return c->cri;
}

int container_load_kept(struct ctr_container *c, struct err *err)
{
	return load(c, err);
}

int container_from_kept(struct ctr_container *c, const char *id, struct err *err)
{
	int data_fd, r;

	if (engine_data(c->engine, STORE_FIND, &data_fd, err) < 0)
		return -1;
	r = request_find(data_fd, id, &c->kept_fd, err);
	if (r <= 0)
		return r;
	c->only_kept = true;
	c->rec = (struct ctr_record){ .id = arena_strdup(c->arena, id),
		.backend = "native",
		.phase = CTR_CREATING,
		.from_request = true };
	if (!c->rec.id)
		return err_nomem(err);
	if (load(c, err) < 0)
		return err->code == ERR_INVALID ? 1 : -1; /* broken: it can still be removed */
	if (c->cri) {
		c->rec.backend = c->cri->backend;
		c->rec.created = c->cri->created;
		c->rec.boot_id = c->cri->boot_id;
		c->rec.owner = "root";
	}
	return 1;
}

/* ---- start and end ---- */

void container_note_start(struct ctr_container *c)
{
	struct err err = ERR_INIT;
	char now[PROC_TIME_MAX], line[512];
	int dir;

	proc_now(now);
	if (container_data(c, &dir, &err) == 0 &&
		(dir < 0 || file_replace(dir, STARTED, now, strlen(now), 0600, &err) == 0))
		return;
	err_line(&err, line, sizeof(line));
	log_warn("%s: the time of its start can't be kept: %s", c->rec.id, line);
}

const char *ctr_container_started(struct ctr_container *c)
{
	struct err err = ERR_INIT;
	_free_ char *text = NULL;
	size_t n;
	int dir;

	if (container_data(c, &dir, &err) < 0 || dir < 0 ||
		file_read(dir, STARTED, STARTED_MAX, &text, &n, &err) < 0)
		return NULL;
	return arena_strdup(c->arena, text);
}

static int monitor_lives(const struct ctr_container *c, struct err *err)
{
	if (c->only_kept || c->rec.monitor_pid <= 0)
		return 0;
	/* The pid of another boot is somebody else's. */
	if (engine_boot_id(c->engine, err) < 0)
		return -1;
	if (!str_eq(c->rec.boot_id, c->engine->boot_id))
		return 0;
	return proc_is_alive(c->rec.monitor_pid, c->rec.monitor_start, err);
}

int ctr_container_exit(struct ctr_container *c, struct ctr_exit *ret, struct err *err)
{
	enum ctr_status status;
	int dir, r;

	if (c->backend->remote)
		return remote_exit(c, ret, err);
	if (container_data(c, &dir, err) < 0)
		return -1;
	r = dir < 0 ? 0 : monitor_exit(dir, c->arena, ret, err);
	if (r != 0)
		return r;
	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status != CTR_STOPPED)
		return 0;
	/* Its end is being recorded, unless there is nobody who could. */
	r = monitor_lives(c, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = dir < 0 ? 0 : monitor_exit(dir, c->arena, ret, err);
	if (r != 0)
		return r;
	*ret = (struct ctr_exit){ .code = EXIT_UNKNOWN, .reason = CTR_EXIT_UNKNOWN };
	return 1;
}

const char *ctr_container_monitor(struct ctr_container *c)
{
	struct err err = ERR_INIT;
	struct ctr_exit end;
	int dir;

	if (!c->rec.from_request || c->backend->remote)
		return NULL;
	if (monitor_lives(c, &err) == 1)
		return "running";
	if (container_data(c, &dir, &err) == 0 && dir >= 0 &&
		monitor_exit(dir, c->arena, &end, &err) == 1)
		return "done";
	return "lost";
}

/* ---- its monitor ---- */

static int connect_monitor(const struct ctr_container *c, struct err *err)
{
	if (c->backend->remote)
		return container_unsupported(c, "pass on its standard streams", err);
	if (c->only_kept || !c->rec.from_request)
		return err_set(err, ERR_STATE, NULL, "the container has no monitor");
	return monitor_connect(c->box.fd, err);
}

/* Without a monitor its end is only seen, not told: it is looked for. */
static int poll_for_end(
	struct ctr_container *c, int timeout_ms, struct ctr_exit *ret, struct err *err)
{
	const int ms = c->backend->poll_ms ? (int)c->backend->poll_ms : PAUSE_MS;
	int waited = 0, r;

	while ((r = ctr_container_exit(c, ret, err)) == 0) {
		if (timeout_ms >= 0 && waited >= timeout_ms)
			return 0;
		int next = timeout_ms < 0 ? ms : MIN(ms, timeout_ms - waited);
		nanosleep(&(struct timespec){ next / 1000, next % 1000 * 1000000L }, NULL);
		waited += next;
		if (c->backend->remote && remote_follow_record(c, err) < 0)
			return -1;
	}
	return r;
}

int ctr_container_wait(
	struct ctr_container *c, int timeout_ms, struct ctr_exit *ret, struct err *err)
{
	_close_ int fd = FD_NONE;
	int r;

	if (c->backend->remote)
		return poll_for_end(c, timeout_ms, ret, err);
	r = ctr_container_exit(c, ret, err);
	if (r != 0)
		return r;
	fd = connect_monitor(c, err);
	if (fd < 0 && err->code != ERR_STATE)
		return -1;
	r = fd < 0 ? 1 : monitor_wait(fd, timeout_ms, err);
	if (r < 0 && err->code != ERR_STATE)
		return -1;
	if (r == 0)
		return 0;
	*err = (struct err)ERR_INIT;
	return poll_for_end(c, timeout_ms, ret, err);
}

int ctr_container_reopen_log(struct ctr_container *c, struct err *err)
{
	_close_ int fd = connect_monitor(c, err);

	return fd < 0 ? -1 : monitor_reopen_log(fd, err);
}

int ctr_container_attach(
	struct ctr_container *c, const struct ctr_streams *s, int *ret_console, struct err *err)
{
	_close_ int fd = connect_monitor(c, err);

	if (fd < 0 ||
		monitor_attach(fd, s->in, s->out, s->err,
			s->patient ? MONITOR_PATIENT : MONITOR_IMPATIENT, ret_console, err) < 0)
		return -1;
	return fd_take(&fd);
}

/* ---- removal ---- */

/* It has seen init's end and writes that down; what it writes is about to be removed. */
static void await_monitor(const struct ctr_container *c)
{
	struct err err = ERR_INIT;
	_close_ int fd = FD_NONE;

	if (c->only_kept || c->rec.monitor_pid <= 0 || c->rec.monitor_pid == getpid())
		return;
	fd = sys_pidfd_open(c->rec.monitor_pid, 0);
	if (fd < 0 || monitor_lives(c, &err) != 1)
		return;
	if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, MONITOR_END_MS) == 0) {
		log_warn("%s: its monitor (pid %d) hasn't ended: it is killed", c->rec.id,
			(int)c->rec.monitor_pid);
		if (sys_pidfd_send_signal(fd, SIGKILL) < 0)
			log_debug("the monitor is gone");
	}
}

void container_doom(struct ctr_container *c)
{
	struct err err = ERR_INIT;
	int dir;

	/* Of a server's container the live record is what counts. */
	if (!c->backend->remote && c->rec.from_request && container_data(c, &dir, &err) == 0 &&
		dir >= 0)
		request_doom(dir);
}

int container_forget(struct ctr_container *c, struct err *err)
{
	int dir;

	if (!c->rec.from_request)
		return 0;
	if (container_data(c, &dir, err) < 0)
		return -1;
	await_monitor(c);
	if (dir < 0)
		return 0;
	if (!c->kept_locked && request_lock(dir, c->rec.id, c->engine->lock_timeout_ms, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	c->kept_locked = true;
	if (request_destroy(c->engine->data_fd, dir, c->rec.id, err) < 0)
		return -1;
	/* Nothing but the disk says that a server's container is gone. */
	return c->backend && c->backend->remote ? request_sync_removed(c->engine->data_fd, err) : 0;
}
