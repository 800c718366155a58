/* SPDX-License-Identifier: Apache-2.0 */
/* logs: what a container has written, as its monitor keeps it. */
#include "flow/logs.h"

#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "cli/cli.h"
#include "ctrctl/request.h"

#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { SINK_BYTES = 32 << 10, LOOK_AGAIN_MS = 200 };

/* Lines on their way to our standard output and error; only one of the two holds any, so that their
 * order stays. */
struct sink {
	bool timestamps;
	bool within[LOG_STREAM_N]; /* the stream's line has begun */
	bool shown[LOG_STREAM_N];  /* and is one that is wanted */
	uint64_t skip;             /* lines that aren't */
	enum log_stream stream;
	size_t n;
	char buf[SINK_BYTES];
};

static int sink_flush(struct sink *s, struct err *err)
{
	const int fd = s->stream == LOG_STDERR ? STDERR_FILENO : STDOUT_FILENO;
	size_t n = s->n;

	s->n = 0;
	if (n && fd_write_all(fd, s->buf, n) < 0)
		return err_sys(err, errno, "write",
			fd == STDERR_FILENO ? "standard error" : "standard output");
	return 0;
}

static int sink_add(struct sink *s, const char *p, size_t n, struct err *err)
{
	if (s->n + n > sizeof(s->buf) && sink_flush(s, err) < 0)
		return -1;
	while (n > sizeof(s->buf) - s->n) {
		size_t part = sizeof(s->buf) - s->n;
		memcpy(s->buf + s->n, p, part);
		s->n += part;
		p += part;
		n -= part;
		if (sink_flush(s, err) < 0)
			return -1;
	}
	memcpy(s->buf + s->n, p, n);
	s->n += n;
	return 0;
}

static int sink_line(struct sink *s, const struct log_line *l, struct err *err)
{
	const bool begins = !s->within[l->stream];

	s->within[l->stream] = l->partial;
	if (begins) {
		s->shown[l->stream] = s->skip == 0;
		s->skip -= s->skip > 0;
	}
	if (!s->shown[l->stream])
		return 0;
	if (s->stream != l->stream && sink_flush(s, err) < 0)
		return -1;
	s->stream = l->stream;
	if (begins && s->timestamps &&
		(sink_add(s, l->time, l->n_time, err) < 0 || sink_add(s, " ", 1, err) < 0))
		return -1;
	if (sink_add(s, l->text, l->n, err) < 0)
		return -1;
	return l->partial ? 0 : sink_add(s, "\n", 1, err);
}

/* All that is there by now. */
static int print_rest(struct log_reader *r, struct sink *s, struct err *err)
{
	struct log_line l;
	int more;

	while ((more = log_reader_next(r, &l, err)) > 0) {
		if (sink_line(s, &l, err) < 0)
			return -1;
	}
	return more < 0 ? -1 : sink_flush(s, err);
}

/* ---- the last lines only ---- */

static int count_lines(const char *path, uint64_t *ret, struct err *err)
{
	_free_ struct log_reader *r = malloc(sizeof(*r));
	bool within[LOG_STREAM_N] = { false };
	struct log_line l;
	int more;

	if (!r)
		return err_nomem(err);
	if (log_reader_open(path, r, err) < 0)
		return -1;
	*ret = 0;
	while ((more = log_reader_next(r, &l, err)) > 0) {
		*ret += !within[l.stream];
		within[l.stream] = l.partial;
	}
	log_reader_close(r);
	return more;
}

static int read_tail(const struct options *o, const char *path, struct sink *s, struct err *err)
{
	uint64_t wanted, total = 0;

	if (!o->tail || str_eq(o->tail, "all"))
		return 0;
	if (parse_u64(o->tail, UINT64_MAX, &wanted) < 0)
		return err_set(err, ERR_USAGE, "--tail", "\"%s\" is no number of lines", o->tail);
	if (count_lines(path, &total, err) < 0)
		return -1;
	s->skip = total > wanted ? total - wanted : 0;
	return 0;
}

/* ---- as it grows ---- */

struct watch {
	int changes; /* inotify of the log's folder, FD_NONE: looked at again and again */
	int monitor; /* pidfd: who writes; FD_NONE: nobody (any more) */
};

static void watch_close(struct watch *w)
{
	fd_close(w->changes);
	fd_close(w->monitor);
}

static int open_watch(
	struct ctr_container *k, const struct log_reader *r, struct watch *w, struct err *err)
{
	const struct ctr_record *rec = ctr_container_record(k);
	char path[32];
	int alive;

	w->monitor = rec->monitor_pid > 0 ? sys_pidfd_open(rec->monitor_pid, 0) : FD_NONE;
	alive = w->monitor < 0 ? 0 : proc_is_alive(rec->monitor_pid, rec->monitor_start, err);
	if (alive < 0)
		return -1;
	if (!alive)
		w->monitor = fd_close(w->monitor);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir);
	w->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->changes >= 0 &&
		inotify_add_watch(w->changes, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		w->changes = fd_close(w->changes);
	return 0;
}

/* Until something may have been written. A reader of ours who is gone ends it, too. */
static int await_more(struct watch *w, struct err *err)
{
	struct pollfd p[] = { { w->changes, POLLIN, 0 }, { w->monitor, POLLIN, 0 },
		{ STDOUT_FILENO, 0, 0 } };
	char events[4096];

	if (poll(p, ARRAY_SIZE(p), w->changes < 0 ? LOOK_AGAIN_MS : -1) < 0 && errno != EINTR)
		return err_sys(err, errno, "poll", NULL);
	while (p[0].revents && read(w->changes, events, sizeof(events)) > 0)
		;
	if (p[1].revents || p[2].revents)
		w->monitor = fd_close(w->monitor);
	return 0;
}

static int follow(struct ctr_container *k, struct log_reader *r, struct sink *s, struct err *err)
{
	_cleanup_(watch_close) struct watch w = { FD_NONE, FD_NONE };

	if (open_watch(k, r, &w, err) < 0)
		return -1;
	while (w.monitor >= 0) {
		if (print_rest(r, s, err) < 0 || await_more(&w, err) < 0)
			return -1;
	}
	return print_rest(r, s, err);
}

/* ---- the verb ---- */

static int print_log(struct cli *c, struct ctr_container *k, const char *path, struct err *err)
{
	_free_ struct log_reader *r = malloc(sizeof(*r));
	_free_ struct sink *s = calloc(1, sizeof(*s));
	int done;

	if (!r || !s)
		return err_nomem(err);
	s->timestamps = c->o.timestamps;
	if (read_tail(&c->o, path, s, err) < 0 || log_reader_open(path, r, err) < 0)
		return -1;
	done = c->o.follow ? follow(k, r, s, err) : print_rest(r, s, err);
	if (done == 0 && r->bad)
		log_warn("logs: %llu lines aren't in the form of a container's log",
			(unsigned long long)r->bad);
	log_reader_close(r);
	return done;
}

static void close_container(struct ctr_container **k)
{
	*k = ctr_container_close(*k);
}

int verb_logs(struct cli *c, struct err *err)
{
	_cleanup_(close_container) struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	const struct ctr_cri_record *rec = k ? ctr_container_cri(k) : NULL;

	if (!k)
		return -1;
	if (!rec)
		return err_set(
			err, ERR_STATE, NULL, "no log is kept of a container made from a bundle");
	if (!rec->log_path)
		return err_set(err, ERR_STATE, NULL,
			"no log is kept: the request has no log_path, or its pod no log_directory");
	if (c->o.reopen)
		return ctr_container_reopen_log(k, err);
	return print_log(c, k, rec->log_path, err);
}
