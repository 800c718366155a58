/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include "base/fd.h"
#include "cli/cli.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { WATCH_MS = 2000 };

struct tie {
	struct ctr_container *k;
	int socket, console;
	bool raw, pass_on;
	struct termios saved;
};

static void copy_size(int master)
{
	struct winsize size;

	if (master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

/* The monitor reads our terminal; what is typed there is the container's business, not the line
 * discipline's. */
static void make_raw(struct tie *t)
{
	struct termios raw;

	if (t->console < 0 || tcgetattr(STDIN_FILENO, &t->saved) < 0)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	raw.c_oflag = t->saved.c_oflag;
	t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void tie_done(struct tie *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t->saved);
	fd_close(t->socket);
	fd_close(t->console);
}

/* 1: it says that we are to leave. */
static int take_signal(struct tie *t, int signals)
{
	struct signalfd_siginfo info;
	struct err err = ERR_INIT;

	if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	int signo = (int)info.ssi_signo;
	if (signo == SIGWINCH)
		copy_size(t->console);
	else if (!t->pass_on)
		return signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT;
	else if (signo != SIGCHLD && signo != SIGPIPE && signo != SIGURG &&
		 ctr_container_kill(t->k, signo, false, &err) < 0)
		return 0; /* it has ended: the streams will say so */
	return 0;
}

/* Until the other side has closed the connection, or a signal that isn't the container's ends us.
 */
static int relay(struct tie *t, int signals, struct err *err)
{
	struct pollfd p[] = { { t->socket, POLLIN, 0 }, { signals, POLLIN, 0 } };
	char byte;
	ssize_t n;

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll", NULL);
		if (p[1].revents && take_signal(t, signals))
			return 0;
		n = p[0].revents ? recv(t->socket, &byte, 1, MSG_DONTWAIT) : 1;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
	}
}

/* Of a container that lives on a server: there are no streams to follow, only its end. */
static int watch(struct tie *t, int signals, struct err *err)
{
	struct pollfd p = { signals, POLLIN, 0 };
	struct ctr_exit end;
	int r;

	while ((r = ctr_container_exit(t->k, &end, err)) == 0) {
		if (poll(&p, 1, WATCH_MS) > 0)
			take_signal(t, signals);
	}
	return r < 0 ? -1 : 0;
}

int follow_container(struct ctr_container *k, const struct follow *f, struct err *err)
{
	_cleanup_(tie_done) struct tie t = {
		.k = k, .socket = FD_NONE, .console = FD_NONE, .pass_on = f->signals
	};
	_cleanup_(foreground_end) struct foreground fg = FOREGROUND_INIT;
	const struct ctr_streams streams = { .in = f->with_stdin ? STDIN_FILENO : -1,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.patient = f->starts }; /* who starts it must miss nothing */

	if (foreground_begin(&fg, err) < 0)
		return -1;
	if (f->starts && ctr_container_record(k)->guest) {
		if (ctr_container_start(k, f->trace, err) < 0)
			return -1;
		ctr_container_unlock(k);
		return watch(&t, fg.signals, err);
	}
	t.socket = ctr_container_attach(k, &streams, &t.console, err);
	if (t.socket < 0)
		return -1;
	copy_size(t.console);
	if (f->with_stdin)
		make_raw(&t);
	if (f->starts && ctr_container_start(k, f->trace, err) < 0)
		return -1;
	ctr_container_unlock(k);
	return relay(&t, fg.signals, err);
}
