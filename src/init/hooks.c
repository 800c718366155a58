/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks that run on this side: createContainer, startContainer. Each gets a session of its own, the
 * state on its stdin, and a limit; one that never reads, never ends or leaves children behind
 * mustn't hold us up.
 */
#include "init.h"

#define SYS_WNOHANG 1
#define SYS_WALL    0x40000000

struct hook {
	int in[2];     /* state goes in */
	int failed[2]; /* errno of an execve that failed; CLOEXEC says that it didn't */
	int out;
	int pidfd;
	long pid;
	char digits[24];
	const char *piece[3]; /* of the state: head, pid, tail */
	unsigned at;
};

static void close_all(struct hook *h)
{
	close_fd(h->in[0]);
	close_fd(h->in[1]);
	close_fd(h->failed[0]);
	close_fd(h->failed[1]);
	close_fd(h->pidfd);
	if (h->out != G.hook_fd)
		close_fd(h->out);
}

/* Where output goes when nobody wants it: /dev/null, if that is one. */
static long no_output(void)
{
	struct statx st;
	long fd = SYS3(openat, AT_FDCWD, "/dev/null", O_PATH | O_CLOEXEC), r;

	if (fd < 0)
		return fd;
	r = stat_fd((int)fd, &st);
	close_fd((int)fd);
	if (r == 0 && !is_node(&st, S_IFCHR, 1, 3))
		r = -ENODEV;
	return r < 0 ? r : SYS3(openat, AT_FDCWD, "/dev/null", O_WRONLY | O_NOCTTY | O_CLOEXEC);
}

static long prepare(struct hook *h, const struct wire_step *s)
{
	long r = SYS2(pipe2, h->in, O_CLOEXEC);

	if (r == 0)
		r = SYS2(pipe2, h->failed, O_CLOEXEC | O_NONBLOCK);
	if (r == 0)
		r = SYS3(fcntl, h->in[1], F_SETFL, O_NONBLOCK);
	if (r < 0)
		return r;
	h->out = G.hook_fd;
	if (h->out < 0)
		h->out = (int)no_output();
	text_number(h->digits, h->digits + sizeof(h->digits), (uint64_t)SYS0(getpid));
	h->piece[0] = text_at(G.plan->state_head);
	h->piece[1] = h->digits;
	h->piece[2] = text_at(s->c ? (uint32_t)s->c : G.plan->state_tail);
	return 0;
}

static void pointers(const char **v, const char *s, uint64_t n)
{
	for (; n; n--, s = text_next(s))
		*v++ = s;
	*v = NULL;
}

/* Never returns. What fails here is said through the pipe. */
static void child(struct hook *h, const struct wire_step *s)
{
	static const uint64_t dfl[8];
	uint64_t argc = s->a & 0xffff, envc = s->a >> 16;
	/* Without a place for output, writing fails: the read end of a pipe. */
	int out = h->out >= 0 ? h->out : h->in[0], keep = -1;
	const char **v;
	int32_t err;
	long r;

	SYS4(rt_sigaction, SIGPIPE, dfl, 0, 8);
	SYS2(prctl, PR_SET_PDEATHSIG, SIGKILL);
	SYS0(setsid);
	SYS1(umask, G.umask);
	r = SYS1(chdir, "/");
	if (r == 0)
		r = keep = (int)SYS3(fcntl, h->failed[1], F_DUPFD_CLOEXEC, 3);
	if (r >= 0)
		r = SYS3(dup3, h->in[0], 0, 0);
	if (r >= 0)
		r = SYS3(dup3, out, 1, 0);
	if (r >= 0)
		r = SYS3(dup3, out, 2, 0);
	if (r >= 0)
		r = SYS6(mmap, 0, (argc + envc + 2) * sizeof(char *), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r >= 0 || r < -4095) {
		v = (const char **)r;
		pointers(v, text_at(s->s2), argc);
		pointers(v + argc + 1, text_at(s->s3), envc);
		r = process_shed(3, keep);
		if (r == 0)
			r = SYS3(execve, text_at(s->s1), v, v + argc + 1);
	}
	err = (int32_t)-r;
	SYS3(write, keep >= 0 ? keep : h->failed[1], &err, sizeof(err));
	for (;;)
		SYS1(exit_group, 127);
}

/* As much of the state as the pipe takes. A hook that doesn't want it has its way. */
static void feed(struct hook *h)
{
	while (h->at < 3) {
		const char *s = h->piece[h->at];
		size_t n = text_len(s);
		long r = n ? SYS3(write, h->in[1], s, n) : 0;

		if (r == -EAGAIN || r == -EINTR)
			return;
		if (r < 0) {
			h->at = 3;
			break;
		}
		h->piece[h->at] = s + r;
		if ((size_t)r == n)
			h->at++;
	}
	close_fd(h->in[1]);
	h->in[1] = -1;
}

static uint64_t now_ms(void)
{
	struct __kernel_timespec t;

	SYS2(clock_gettime, 1 /* CLOCK_MONOTONIC */, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until its process has ended: 0, or -ETIMEDOUT. */
static long attend(struct hook *h, uint64_t limit_ms)
{
	uint64_t end = now_ms() + limit_ms, now;
	struct __kernel_timespec left;
	struct pollfd p[2] = { { .fd = h->pidfd, .events = POLLIN }, { .events = POLLOUT } };

	for (;;) {
		long r;

		now = now_ms();
		if (limit_ms && now >= end)
			return fail(__NR_ppoll, ETIMEDOUT);
		left.tv_sec = (long long)((end - now) / 1000);
		left.tv_nsec = (long long)((end - now) % 1000) * 1000000;
		p[1].fd = h->in[1];
		p[0].revents = p[1].revents = 0;
		r = SYS5(ppoll, p, 2, limit_ms ? &left : NULL, 0, 8);
		if (r < 0 && r != -EINTR)
			return r;
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			feed(h);
	}
}

static long reap(struct hook *h, int *status)
{
	long r;

	do
		r = SYS4(wait4, h->pid, status, SYS_WALL, 0);
	while (r == -EINTR);
	return r < 0 ? r : 0;
}

/* What it has left to us, if we are process 1. */
static void reap_others(void)
{
	int status;

	while (SYS4(wait4, -1, &status, SYS_WALL | SYS_WNOHANG, 0) > 0)
		;
}

static long verdict(struct hook *h, long r, int status)
{
	int32_t err = 0;

	reap_others();
	if (r < 0)
		return r;
	if (SYS3(read, h->failed[0], &err, sizeof(err)) == sizeof(err) && err > 0)
		return fail(__NR_execve, err);
	G.value = status;
	return status ? fail(__NR_wait4, ECANCELED) : 0;
}

long hooks_run(const struct wire_step *s)
{
	static const uint64_t ignore[8] = { 1 /* SIG_IGN */ }, dfl[8];
	struct hook h = { .in = { -1, -1 }, .failed = { -1, -1 }, .out = -1, .pidfd = -1 };
	int status = 0;
	long r = prepare(&h, s), end;

	if (r == 0)
		r = h.pid = SYS5(clone, CLONE_PIDFD | SIGCHLD, 0, &h.pidfd, 0, 0);
	if (r < 0) {
		close_all(&h);
		return r;
	}
	if (r == 0)
		child(&h, s);
	close_fd(h.in[0]);
	close_fd(h.failed[1]);
	h.in[0] = h.failed[1] = -1;
	SYS4(rt_sigaction, SIGPIPE, ignore, 0, 8);
	r = attend(&h, s->b);
	SYS4(rt_sigaction, SIGPIPE, dfl, 0, 8);
	if (r < 0) {
		SYS2(kill, -h.pid, SIGKILL);
		SYS4(pidfd_send_signal, h.pidfd, SIGKILL, 0, 0);
	}
	end = reap(&h, &status);
	r = verdict(&h, r < 0 ? r : end, status);
	if (r < 0)
		say(text_at(s->s1));
	close_all(&h);
	return r;
}
