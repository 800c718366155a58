/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreground of run and exec: waits for the process, passes signals on, and carries bytes
 * between our own standard streams and the master of its terminal. One poll loop; nothing in it
 * blocks, so that a reader who is slow or gone stops neither signals nor the end.
 */
#include "cli/cli.h"

#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { HUNG_UP_MS = 250, AT_SIGNALS = 0, AT_IN, AT_OUT, AT_MASTER, AT_N };

/* Bytes on their way. */
struct pipe_buf {
	char bytes[8192];
	size_t n;
};

struct relay {
	int master, in, out;
	bool raw, out_broken, hung_up, has_saved;
	struct termios saved;
	struct pipe_buf to_master, to_out;
};

/* ---- signals ---- */

/* What is ours to act upon, or means a fault in ourselves, isn't forwarded. */
static void forwarded(sigset_t *set)
{
	static const int ours[] = { SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS,
		SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGXCPU, SIGXFSZ };

	sigfillset(set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigdelset(set, ours[i]);
}

int foreground_begin(struct foreground *f, struct err *err)
{
	sigset_t set, old;

	_Static_assert(sizeof(old) <= sizeof(f->mask), "room for a sigset_t");
	forwarded(&set);
	if (sigprocmask(SIG_BLOCK, &set, &old) < 0)
		return err_sys(err, errno, "sigprocmask", NULL);
	memcpy(f->mask, &old, sizeof(old));
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0)
		return err_sys(err, errno, "signalfd", NULL);
	return 0;
}

void foreground_end(struct foreground *f)
{
	struct signalfd_siginfo pending;
	sigset_t old;

	if (f->signals < 0)
		return;
	/* What came too late must not hit us now. */
	while (read(f->signals, &pending, sizeof(pending)) == sizeof(pending))
		;
	f->signals = fd_close(f->signals);
	memcpy(&old, f->mask, sizeof(old));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* 1 when `pid` has ended (*status filled). As a subreaper we also bury what others leave. */
static int reap(pid_t pid, int *status)
{
	int s;

	for (;;) {
		pid_t got = waitpid(-1, &s, WNOHANG);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		if (got != pid)
			continue;
		*status = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
		return 1;
	}
}

static void copy_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 ||
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

/* Handles what has come; returns the last signal that was passed on, 0 for none. */
static int pass_on(int signals, pid_t pid, const struct relay *r)
{
	struct signalfd_siginfo s;
	int last = 0;

	while (read(signals, &s, sizeof(s)) == sizeof(s)) {
		int signo = (int)s.ssi_signo;

		if (signo == SIGCHLD || signo == SIGPIPE || signo == SIGURG)
			continue;
		if (signo == SIGWINCH && r->master >= 0) {
			copy_size(r->master);
			continue;
		}
		if (pid > 0)
			kill(pid, signo);
		last = signo;
	}
	return last;
}

/* ---- terminal ---- */

/* Standard output as a file description of its own: O_NONBLOCK on a shared one would reach its
 * other holders. */
static int own_stdout(void)
{
	struct stat st;
	int fd = FD_NONE;

	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

static void relay_begin(struct relay *r, int master)
{
	struct termios raw;

	r->master = master;
	if (master < 0)
		return;
	r->in = STDIN_FILENO;
	r->out = own_stdout();
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	copy_size(master);
	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return;
	raw = r->saved;
	cfmakeraw(&raw);
	/* The container's side leaves line ends alone. */
	raw.c_oflag = r->saved.c_oflag;
	r->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void relay_end(struct relay *r)
{
	if (r->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->out = fd_close(r->out);
}

/* What a stream that isn't a terminal says by its end, a terminal says by a control byte. */
static void end_of_input(struct relay *r)
{
	struct termios t;

	r->in = FD_NONE;
	if (!r->raw && tcgetattr(r->master, &t) == 0 && t.c_cc[VEOF] &&
		r->to_master.n < sizeof(r->to_master.bytes))
		r->to_master.bytes[r->to_master.n++] = (char)t.c_cc[VEOF];
}

/* 1 some, 0 nothing now, -1 end or failure */
static int fill(struct pipe_buf *b, int fd)
{
	ssize_t n = read(fd, b->bytes + b->n, sizeof(b->bytes) - b->n);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	b->n += (size_t)n;
	return 1;
}

static int drain(struct pipe_buf *b, int fd)
{
	ssize_t n = write(fd, b->bytes, b->n);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	b->n -= (size_t)n;
	memmove(b->bytes, b->bytes + n, b->n);
	return 0;
}

static void flush_out(struct relay *r)
{
	/* A reader who is gone: the process goes on, unheard. */
	if (!r->out_broken && r->to_out.n && drain(&r->to_out, r->out) < 0)
		r->out_broken = true;
	if (r->out_broken)
		r->to_out.n = 0;
}

static void relay_step(struct relay *r, const struct pollfd *p)
{
	if (p[AT_OUT].revents)
		flush_out(r);
	if (p[AT_MASTER].revents & POLLOUT && r->to_master.n && drain(&r->to_master, r->master) < 0)
		r->to_master.n = 0;
	r->hung_up = false;
	if (p[AT_MASTER].revents & (POLLIN | POLLHUP | POLLERR) &&
		r->to_out.n < sizeof(r->to_out.bytes)) {
		/* Nobody has the other end open just now; somebody may open it again. */
		if (fill(&r->to_out, r->master) < 0)
			r->hung_up = true;
		flush_out(r);
	}
	if (p[AT_IN].revents && fill(&r->to_master, r->in) < 0)
		end_of_input(r);
}

static void relay_poll(const struct relay *r, struct pollfd *p)
{
	const bool room = r->to_out.n < sizeof(r->to_out.bytes);

	p[AT_IN] = (struct pollfd){ r->to_master.n ? -1 : r->in, POLLIN, 0 };
	p[AT_OUT] = (struct pollfd){ r->to_out.n ? r->out : -1, POLLOUT, 0 };
	p[AT_MASTER] = (struct pollfd){ r->hung_up ? -1 : r->master,
		(short)((room ? POLLIN : 0) | (r->to_master.n ? POLLOUT : 0)), 0 };
	/* poll reports a hang-up unasked: without room it must not be looked at. */
	if (!room && !r->to_master.n)
		p[AT_MASTER].fd = -1;
}

/* The process has ended: what it wrote last is still in the terminal. A signal gives up on a reader
 * who doesn't read. */
static void relay_rest(struct relay *r, int signals)
{
	while (r->master >= 0 && !r->out_broken) {
		struct pollfd p[2] = { { signals, POLLIN, 0 }, { r->out, POLLOUT, 0 } };

		if (r->to_out.n < sizeof(r->to_out.bytes))
			fill(&r->to_out, r->master);
		if (!r->to_out.n)
			return;
		flush_out(r);
		if (r->to_out.n && (poll(p, 2, -1) < 0 || (p[0].revents && pass_on(signals, 0, r))))
			return;
	}
}

/* ---- the loop ---- */

int foreground_wait(struct foreground *f, pid_t pid, int console, struct err *err)
{
	struct relay r = { .master = -1, .in = -1, .out = -1 };
	int status = -1;

	relay_begin(&r, console);
	while (!reap(pid, &status)) {
		struct pollfd p[AT_N] = { [AT_SIGNALS] = { f->signals, POLLIN, 0 } };

		relay_poll(&r, p);
		if (poll(p, AT_N, r.hung_up ? HUNG_UP_MS : -1) < 0 && errno != EINTR) {
			relay_end(&r);
			return err_sys(err, errno, "poll", NULL);
		}
		if (p[AT_SIGNALS].revents)
			pass_on(f->signals, pid, &r);
		if (r.master >= 0)
			relay_step(&r, p);
	}
	relay_rest(&r, f->signals);
	relay_end(&r);
	return status;
}
