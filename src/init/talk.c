/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init says and hears: the control socket while it is set up, the start gate while it waits,
 * errors on whichever of the two is open. Messages without an fd go by plain write(2), since a
 * seccomp filter may be in force already.
 */
#include "init.h"

#define EXIT_ORPHANED 1

void talk_orphaned(void)
{
	for (;;)
		SYS1(exit_group, EXIT_ORPHANED);
}

long talk_send(int fd, struct wire_msg *m, int pass_fd)
{
	struct iovec iov = { m, sizeof(*m) };
	struct sys_cmsg_fd c = { SYS_CMSG_FD_LEN, SYS_SOL_SOCKET, SYS_SCM_RIGHTS, pass_fd };
	struct sys_msghdr h = { .iov = &iov, .iovlen = 1, .control = &c, .controllen = sizeof(c) };
	long r;

	m->step = G.step;
	do
		r = pass_fd < 0 ? SYS3(write, fd, m, sizeof(*m))
				: SYS3(sendmsg, fd, &h, SYS_MSG_NOSIGNAL);
	while (r == -EINTR);
	if (r >= 0 && r != sizeof(*m))
		return fail(pass_fd < 0 ? __NR_write : __NR_sendmsg, EIO);
	return r < 0 ? r : 0;
}

void talk_error(long err)
{
	struct wire_msg m = { .kind = WIRE_ERROR, .err = (int32_t)err, .value = G.value };

	if (G.report_fd < 0)
		return;
	m.call = (uint32_t)sys_failed;
	for (unsigned i = 0; i < sizeof(m.text); i++)
		m.text[i] = G.detail[i];
	talk_send(G.report_fd, &m, -1);
}

/* One message; the end of the conversation is the end of init. */
static long receive(int fd, struct wire_msg *m)
{
	long r;

	do
		r = SYS3(read, fd, m, sizeof(*m));
	while (r == -EINTR);
	if (r == 0 || r == -ECONNRESET)
		talk_orphaned();
	if (r < 0)
		return r;
	return r == sizeof(*m) ? 0 : fail(__NR_read, EPROTO);
}

static long send_or_die(struct wire_msg *m, int pass_fd)
{
	long r = talk_send(G.report_fd, m, pass_fd);

	if (r == -EPIPE || r == -ECONNRESET)
		talk_orphaned();
	return r;
}

long talk_go(const struct wire_step *s)
{
	struct wire_msg m;
	long r = receive(G.report_fd, &m);

	if (r < 0)
		return r;
	return m.kind == WIRE_GO ? 0 : fail(__NR_read, EPROTO);
}

long talk_sync(const struct wire_step *s)
{
	struct wire_msg m = { .kind = WIRE_SYNC };
	long fd = -1, r;

	if (s->flags & STEP_SEND_TARGET) {
		fd = target_open(text_at(s->s1), O_PATH | O_DIRECTORY, s->flags & STEP_NOFOLLOW);
		if (fd < 0)
			return fd;
	}
	r = send_or_die(&m, (int)fd);
	close_fd((int)fd);
	return r < 0 ? r : talk_go(s);
}

long talk_ready(const struct wire_step *s)
{
	struct wire_msg m = { .kind = WIRE_READY };
	/*
	 * Before READY, since the parent of a detached container may end as soon as it has said GO.
	 * If it dies without, its end of the socket tells.
	 */
	long r = SYS2(prctl, PR_SET_PDEATHSIG, 0);

	if (r == 0)
		r = send_or_die(&m, -1);
	if (r == 0)
		r = talk_go(s);
	if (r < 0)
		return r;
	G.committed = 1;
	if (s->flags & STEP_KEEP_CTL)
		return SYS3(fcntl, G.report_fd, F_SETFD, FD_CLOEXEC);
	close_fd(G.report_fd);
	G.report_fd = -1;
	return 0;
}

/* Waiting may take days: give back the stack that the steps before have touched. */
static void shrink_stack(void)
{
	char here;
	uintptr_t top = ((uintptr_t)&here - 512) & ~(uintptr_t)4095, size = 256 * 1024;

	SYS3(madvise, top - size, size, MADV_DONTNEED);
}

static long receive_start(int conn)
{
	struct wire_msg m;
	struct iovec iov = { &m, sizeof(m) };
	struct sys_cmsg_fd c = { .fd = -1 };
	struct sys_msghdr h = {
		.iov = &iov, .iovlen = 1, .control = &c, .controllen = SYS_CMSG_FD_LEN
	};
	int fd = -1;
	long r;

	do
		r = SYS3(recvmsg, conn, &h, SYS_CMSG_CLOEXEC);
	while (r == -EINTR);
	if (r > 0 && h.controllen == SYS_CMSG_FD_LEN && c.level == SYS_SOL_SOCKET &&
		c.type == SYS_SCM_RIGHTS)
		fd = c.fd;
	if (r != sizeof(m) || m.kind != WIRE_START) {
		close_fd(fd);
		return -1;
	}
	G.hook_fd = fd;
	return 0;
}

/*
 * Who connects isn't asked for its uid: the socket lies in a folder that only the host's root may
 * enter, and from inside a user namespace that root shows as the overflow id like everybody else
 * who isn't mapped. A connection that ends without a start (its starter was killed) is as if it had
 * never been.
 */
long talk_gate(const struct wire_step *s)
{
	int first = 3 + (int)G.plan->preserve;
	long conn = process_shed(first, s->fd);

	if (conn < 0)
		return conn;
	G.root = G.proc = G.hook_fd = G.report_fd = -1;
	shrink_stack();
	for (;;) {
		conn = SYS4(accept4, s->fd, 0, 0, SYS_SOCK_CLOEXEC);
		if (conn == -EINTR || conn == -ECONNABORTED)
			continue;
		if (conn < 0)
			return conn;
		if (receive_start((int)conn) == 0)
			break;
		close_fd((int)conn);
	}
	close_fd(s->fd);
	G.report_fd = (int)conn;
	return 0;
}
