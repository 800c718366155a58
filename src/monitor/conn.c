/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: who connects, what they ask, and the clients that are attached. */
#include "monitor.h"

#define MODE_NONBLOCK (O_NONBLOCK | O_CLOEXEC)

struct peer {
	int32_t pid;
	uint32_t uid, gid;
};

void conn_drop(struct conn *c)
{
	/* stdin lasts as long as its first client. */
	if (c->fed && M.flags & MONITOR_STDIN_ONCE)
		M.in_ends = 1;
	close_fd(&c->sock);
	close_fd(&c->in);
	close_fd(&c->out[0]);
	close_fd(&c->out[1]);
	c->attached = c->waits = c->patient = c->fed = 0;
	c->stalled = 0;
}

static void answer(struct conn *c, uint32_t kind, long value, int fd)
{
	struct monitor_msg m = { kind, (int32_t)value };
	struct iovec iov = { &m, sizeof(m) };
	struct sys_cmsg_fd f = { SYS_CMSG_FD_LEN, SYS_SOL_SOCKET, SYS_SCM_RIGHTS, fd };
	struct sys_msghdr h = { .iov = &iov, .iovlen = 1 };

	if (fd >= 0) {
		h.control = &f;
		h.controllen = sizeof(f);
	}
	if (SYS3(sendmsg, c->sock, &h, SYS_MSG_NOSIGNAL | SYS_MSG_DONTWAIT) < 0)
		conn_drop(c);
}

static void done_or_failed(struct conn *c, long r)
{
	answer(c, r < 0 ? MONITOR_FAILED : MONITOR_DONE, r < 0 ? -r : 0, -1);
}

void conn_accept(void)
{
	long fd = SYS4(accept4, M.listener, 0, 0, MODE_NONBLOCK);
	struct conn extra = { .in = -1, .out = { -1, -1 } }, *c = NULL;
	struct peer p = { 0, ~0u, ~0u };
	uint32_t size = sizeof(p);

	if (fd < 0)
		return;
	if (SYS5(getsockopt, fd, SYS_SOL_SOCKET, SYS_SO_PEERCRED, &p, &size) < 0 || p.uid != 0) {
		SYS1(close, fd);
		return;
	}
	for (unsigned i = 0; i < CONNS && !c; i++)
		if (M.conns[i].sock < 0)
			c = &M.conns[i];
	if (c) {
		c->sock = (int)fd;
		return;
	}
	extra.sock = (int)fd;
	answer(&extra, MONITOR_FAILED, EBUSY, -1);
	conn_drop(&extra);
}

/* ---- attaching ---- */

static unsigned attached(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONNS; i++)
		n += M.conns[i].sock >= 0 && M.conns[i].attached;
	return n;
}

/* 0, 1 for a socket; refused is what could make us wait. */
static long fd_kind(int fd)
{
	struct statx st;
	long r = SYS5(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);

	if (r < 0)
		return r;
	if ((st.stx_mode & S_IFMT) == S_IFSOCK)
		return 1;
	if ((st.stx_mode & S_IFMT) == S_IFREG)
		return 0;
	r = SYS2(fcntl, fd, F_GETFL);
	if (r < 0)
		return r;
	return r & O_NONBLOCK ? 0 : -EINVAL;
}

static long take_fds(struct conn *c, unsigned flags, int *fds, unsigned n)
{
	int *const to[] = { &c->in, &c->out[0], &c->out[1] };
	unsigned used = 0;

	for (unsigned i = 0; i < COUNT(to); i++) {
		long kind;

		if (!(flags >> i & 1))
			continue;
		if (used == n)
			return -EBADMSG;
		kind = fd_kind(fds[used]);
		if (kind < 0)
			return kind;
		c->sockets |= (uint8_t)(kind << i);
		*to[i] = fds[used];
		fds[used++] = -1;
	}
	return used == n ? 0 : -EBADMSG;
}

static void attach(struct conn *c, unsigned flags, int *fds, unsigned n)
{
	long r = c->attached ? -EALREADY : attached() >= ATTACHED ? -EBUSY : 0;

	if (r == 0) {
		c->sockets = 0;
		r = take_fds(c, flags, fds, n);
	}
	if (r < 0) {
		if (!c->attached) {
			close_fd(&c->in);
			close_fd(&c->out[0]);
			close_fd(&c->out[1]);
		}
		answer(c, MONITOR_FAILED, -r, -1);
		return;
	}
	c->attached = 1;
	c->patient = !!(flags & MONITOR_ATTACH_PATIENT);
	/* What others are still to get isn't for this one. */
	for (int k = 0; k < 2; k++)
		c->sent[k] = M.streams[k].end - M.streams[k].fresh;
	if (M.stdin_fd < 0)
		close_fd(&c->in);
	c->fed = c->in >= 0;
	answer(c, MONITOR_DONE, 0, M.flags & MONITOR_TTY ? M.streams[0].fd : -1);
}

/* ---- messages ---- */

void conn_hear(struct conn *c)
{
	struct monitor_msg m = { 0, 0 };
	struct iovec iov = { &m, sizeof(m) };
	struct sys_cmsg_fds f = { .fd = { -1, -1, -1, -1 } };
	struct sys_msghdr h = { .iov = &iov, .iovlen = 1, .control = &f, .controllen = sizeof(f) };
	long r = SYS3(recvmsg, c->sock, &h, SYS_CMSG_CLOEXEC | SYS_MSG_DONTWAIT);
	unsigned n = 0;

	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		conn_drop(c);
		return;
	}
	if (h.controllen >= SYS_CMSG_FD_LEN && f.level == SYS_SOL_SOCKET &&
		f.type == SYS_SCM_RIGHTS)
		n = (unsigned)((f.len - offsetof(struct sys_cmsg_fds, fd)) / sizeof(f.fd[0]));
	if (r != sizeof(m) || h.flags & (SYS_MSG_TRUNC | SYS_MSG_CTRUNC))
		m.kind = 0;
	switch (m.kind) {
	case MONITOR_WAIT:
		c->waits = 1;
		if (M.recorded)
			conn_recorded();
		break;
	case MONITOR_REOPEN: done_or_failed(c, log_reopen()); break;
	case MONITOR_ATTACH: attach(c, (unsigned)m.value, f.fd, n); break;
	case MONITOR_CLOSE_STDIN:
		M.in_ends = 1;
		done_or_failed(c, M.stdin_fd < 0 ? -EPIPE : 0);
		break;
	default: answer(c, MONITOR_FAILED, EPROTO, -1);
	}
	for (unsigned i = 0; i < n; i++)
		close_fd(&f.fd[i]);
}

void conn_recorded(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &M.conns[i];

		if (c->sock >= 0 && c->waits) {
			c->waits = 0;
			answer(c, MONITOR_DONE, 0, -1);
		}
	}
}

/* ---- output ---- */

static long put_out(const struct conn *c, int k, const char *p, size_t n)
{
	if (c->sockets >> (k + 1) & 1)
		return SYS6(sendto, c->out[k], p, n, SYS_MSG_DONTWAIT | SYS_MSG_NOSIGNAL, 0, 0);
	return SYS3(write, c->out[k], p, n);
}

void conn_send(struct conn *c, int k)
{
	const struct stream *s = &M.streams[k];
	uint32_t n = s->end - s->fresh;

	while (c->out[k] >= 0 && c->sent[k] < n) {
		long r = put_out(c, k, s->buf + s->fresh + c->sent[k], n - c->sent[k]);

		if (r == -EAGAIN) {
			if (!c->stalled)
				c->stalled = now_ms();
			return;
		}
		if (r <= 0) {
			close_fd(&c->out[k]);
			break;
		}
		c->sent[k] += (uint32_t)r;
		c->stalled = 0;
	}
	/* Nobody there who reads or writes: not attached to anything. */
	if (c->in < 0 && c->out[0] < 0 && c->out[1] < 0)
		conn_drop(c);
}

int conn_busy(int k)
{
	const struct stream *s = &M.streams[k];

	for (unsigned i = 0; i < CONNS; i++) {
		const struct conn *c = &M.conns[i];

		if (c->sock >= 0 && c->attached && c->out[k] >= 0 && c->sent[k] < s->end - s->fresh)
			return 1;
	}
	return 0;
}

void conn_deliver(int k)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &M.conns[i];

		if (c->sock < 0 || !c->attached)
			continue;
		c->sent[k] = 0;
		conn_send(c, k);
	}
}

void conn_drop_stalled(void)
{
	uint64_t now = now_ms();

	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &M.conns[i];

		if (c->sock >= 0 && c->stalled && !c->patient &&
			now - c->stalled >= MONITOR_STALL_MS)
			conn_drop(c);
	}
}

/* ---- input ---- */

/* A stream's end is said by closing it, a terminal's by a control byte. */
static void stdin_end(void)
{
	struct termios t;

	M.in_ends = 0;
	M.flags &= ~(uint32_t)MONITOR_STDIN_ONCE;
	if (M.flags & MONITOR_TTY) {
		if (M.stdin_fd >= 0 && SYS3(ioctl, M.stdin_fd, TCGETS, &t) >= 0 && t.c_cc[VEOF])
			SYS3(write, M.stdin_fd, &t.c_cc[VEOF], 1);
	} else {
		close_fd(&M.stdin_fd);
	}
	for (unsigned i = 0; i < CONNS; i++)
		close_fd(&M.conns[i].in);
}

void stdin_flush(void)
{
	while (M.in_n) {
		long r = M.stdin_fd < 0 ? -EPIPE : SYS3(write, M.stdin_fd, M.in, M.in_n);

		if (r == -EAGAIN)
			return;
		if (r <= 0) { /* nobody reads any more */
			M.in_n = 0;
			M.in_ends = 1;
			break;
		}
		M.in_n -= (uint32_t)r;
		move_bytes(M.in, M.in + r, M.in_n);
	}
	if (M.in_ends)
		stdin_end();
}

void conn_read(struct conn *c)
{
	long r = c->sockets & 1 ? SYS6(recvfrom, c->in, M.in, sizeof(M.in), SYS_MSG_DONTWAIT, 0, 0)
				: SYS3(read, c->in, M.in, sizeof(M.in));

	if (r == -EAGAIN)
		return;
	if (r > 0) {
		M.in_n = (uint32_t)r;
	} else {
		close_fd(&c->in);
		c->fed = 0;
		if (M.flags & MONITOR_STDIN_ONCE)
			M.in_ends = 1;
		conn_send(c, 0);
	}
	stdin_flush();
}
