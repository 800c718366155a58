/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, and the way it ends. */
#include "monitor.h"

enum {
	AT_SIGNALS,
	AT_LISTENER,
	AT_STDIN,
	AT_STREAM,
	AT_CONN = AT_STREAM + 2,
	PER_CONN = 4, /* its socket, in, out[0], out[1] */
	AT_N = AT_CONN + CONNS * PER_CONN,
};

enum {
	HUNG_MS = 250,       /* somebody may open the terminal again */
	QUIET_MS = 2000,     /* after init's end: without a byte, nothing more is expected */
	LINGER_MS = 10000,   /* and not longer than that */
	DRAIN_MAX = 2 << 20, /* bytes that a pipe can hold at init's end, and then some */
	FOREVER = -1,
};

static const char *const names[2] = { " stdout ", " stderr " };

/* ---- streams ---- */

/* All have got what they were to get: room for more. */
static void stream_done(struct stream *s)
{
	move_bytes(s->buf, s->buf + s->line, s->end - s->line);
	s->end -= s->line;
	s->line = 0;
	s->fresh = s->end;
}

static void stream_end(int k)
{
	struct stream *s = &M.streams[k];

	log_take(s, names[k], 1);
	if (M.stdin_fd == s->fd)
		M.stdin_fd = -1; /* a terminal is both */
	close_fd(&s->fd);
	s->fresh = s->line = s->end = 0;
}

void stream_read(int k)
{
	struct stream *s = &M.streams[k];
	long r = SYS3(read, s->fd, s->buf + s->end, sizeof(s->buf) - s->end);

	if (r == -EAGAIN)
		return;
	if (r == -EIO && M.flags & MONITOR_TTY && !M.ended) {
		s->hung = 1;
		return;
	}
	s->hung = 0;
	if (r <= 0) {
		stream_end(k);
		return;
	}
	M.quiet_at = 0;
	s->fresh = s->end;
	s->end += (uint32_t)r;
	log_take(s, names[k], 0);
	conn_deliver(k);
	if (!conn_busy(k))
		stream_done(s);
}

static int readable(int k)
{
	const struct stream *s = &M.streams[k];

	return s->fd >= 0 && s->fresh == s->end;
}

/* What init wrote last, before its end is recorded. */
static void drain(int k)
{
	struct stream *s = &M.streams[k];
	struct pollfd p = { 0, POLLIN, 0 };
	struct __kernel_timespec none = { 0, 0 };

	for (uint32_t n = 0; n < DRAIN_MAX && readable(k); n += sizeof(s->buf) / 2) {
		p.fd = s->fd;
		if (SYS5(ppoll, &p, 1, &none, 0, 0) <= 0)
			return;
		stream_read(k);
	}
}

/* ---- poll ---- */

static void watch(struct pollfd *p, int fd, short events)
{
	p->fd = events ? fd : -1;
	p->events = events;
	p->revents = 0;
}

static void watch_conn(struct pollfd *p, const struct conn *c)
{
	int takes = c->sock >= 0 && c->attached;

	watch(&p[0], c->sock, POLLIN);
	watch(&p[1], c->in, takes && !M.in_n && !M.in_ends ? POLLIN : 0);
	for (int k = 0; k < 2; k++) {
		const struct stream *s = &M.streams[k];

		watch(&p[2 + k], c->out[k], takes && c->sent[k] < s->end - s->fresh ? POLLOUT : 0);
	}
}

static void watch_all(struct pollfd *p)
{
	watch(&p[AT_SIGNALS], M.sigfd, POLLIN);
	watch(&p[AT_LISTENER], M.listener, POLLIN);
	watch(&p[AT_STDIN], M.stdin_fd, M.in_n ? POLLOUT : 0);
	for (int k = 0; k < 2; k++)
		watch(&p[AT_STREAM + k], M.streams[k].fd,
			readable(k) && !M.streams[k].hung ? POLLIN : 0);
	for (unsigned i = 0; i < CONNS; i++)
		watch_conn(&p[AT_CONN + i * PER_CONN], &M.conns[i]);
}

static int64_t sooner(int64_t a, uint64_t at, uint64_t now)
{
	int64_t left = at > now ? (int64_t)(at - now) : 0;

	return a < 0 || left < a ? left : a;
}

/* ms until something is to be done even if nothing happens. */
static int64_t timeout(void)
{
	uint64_t now = now_ms();
	int64_t t = FOREVER;

	for (int k = 0; k < 2; k++)
		if (M.streams[k].fd >= 0 && M.streams[k].hung)
			t = sooner(t, now + HUNG_MS, now);
	if (M.ended && (M.streams[0].fd >= 0 || M.streams[1].fd >= 0)) {
		t = sooner(t, M.quiet_at + QUIET_MS, now);
		t = sooner(t, M.ended_at + LINGER_MS, now);
	}
	if (M.ended && !M.recorded)
		t = sooner(t, M.retry_at, now);
	for (unsigned i = 0; i < CONNS; i++)
		if (M.conns[i].sock >= 0 && M.conns[i].stalled && !M.conns[i].patient)
			t = sooner(t, M.conns[i].stalled + MONITOR_STALL_MS, now);
	return t;
}

static void serve_conn(const struct pollfd *p, struct conn *c)
{
	for (int k = 0; k < 2; k++)
		if (c->sock >= 0 && p[2 + k].revents)
			conn_send(c, k);
	if (c->sock >= 0 && c->in >= 0 && p[1].revents && !M.in_n)
		conn_read(c);
	if (c->sock >= 0 && p[0].revents)
		conn_hear(c);
}

static void serve(const struct pollfd *p)
{
	struct signalfd_siginfo info;

	if (p[AT_SIGNALS].revents) {
		SYS3(read, M.sigfd, &info, sizeof(info));
		reap();
	}
	if (p[AT_STDIN].revents)
		stdin_flush();
	for (int k = 0; k < 2; k++)
		if (M.streams[k].fd >= 0 && (p[AT_STREAM + k].revents || M.streams[k].hung))
			stream_read(k);
	for (unsigned i = 0; i < CONNS; i++)
		if (p[AT_CONN + i * PER_CONN].fd >= 0 || M.conns[i].sock >= 0)
			serve_conn(&p[AT_CONN + i * PER_CONN], &M.conns[i]);
	conn_drop_stalled();
	for (int k = 0; k < 2; k++)
		if (M.streams[k].fresh < M.streams[k].end && !conn_busy(k))
			stream_done(&M.streams[k]);
	if (p[AT_LISTENER].revents)
		conn_accept();
	if (M.in_ends)
		stdin_flush();
}

/* ---- the end ---- */

/* Whoever still holds the pipe after init's end isn't waited for without limit; who reads on the
 * other side and asked for patience is. */
static void give_up(void)
{
	uint64_t now = now_ms();

	if (!M.quiet_at)
		M.quiet_at = now;
	for (int k = 0; k < 2; k++)
		if (readable(k) && (now - M.quiet_at >= QUIET_MS || now - M.ended_at >= LINGER_MS))
			stream_end(k);
}

static int over(void)
{
	if (!M.ended)
		return 0;
	if (!M.recorded && now_ms() >= M.retry_at) {
		drain(0);
		drain(1);
		record();
	}
	give_up();
	return M.recorded && M.streams[0].fd < 0 && M.streams[1].fd < 0;
}

void loop(void)
{
	static struct pollfd p[AT_N];

	reap(); /* it may have ended before we began */
	while (!over()) {
		int64_t ms = timeout();
		struct __kernel_timespec t = { ms / 1000, ms % 1000 * 1000000 };
		long r;

		watch_all(p);
		r = SYS5(ppoll, p, AT_N, ms < 0 ? NULL : &t, 0, 0);
		if (r >= 0)
			serve(p);
	}
}
