/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/talk.h"

#include "backend/native/userns.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* EOF before READY: what became of init. */
static int died(struct talk *t, struct err *err)
{
	int status = t->out->pid > 0 ? reap(t->out->pid) : 0;

	if (t->helper == t->out->pid)
		t->helper = 0; /* reaped just now: its number may be somebody else's */
	t->out->pid = 0;
	if (WIFSIGNALED(status))
		err_set(err, ERR_SYSTEM, "init",
			"was killed by signal %d (%s) while it set the container up",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_set(err, ERR_INTERNAL, "init", "ended with status %d without a word",
			WEXITSTATUS(status));
	t->no_memory = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					   : WEXITSTATUS(status) == STATUS_SPEECHLESS;
	return -1;
}

int talk_say(struct talk *t, uint32_t kind, struct err *err)
{
	struct wire_msg m = { .kind = kind };

	if (send(t->ctl, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m))
		return 0;
	return errno == EPIPE ? died(t, err) : err_sys(err, errno, "send", "init");
}

/* The real process is known: maps if it has a new user namespace, then it may go on. */
int talk_adopt(struct talk *t, pid_t pid, struct err *err)
{
	const struct plan_spawn *s = &t->plan->spawn;

	if (t->helper) {
		reap(t->helper);
		t->helper = 0;
		fd_close(t->out->pidfd);
		t->out->pidfd = pidfd_open(pid, 0);
		if (t->out->pidfd < 0)
			return err_sys(err, errno, "pidfd_open", "process %d", (int)pid);
	}
	t->out->pid = pid;
	if (!t->go_owed)
		return 0;
	t->go_owed = false;
	if (userns_write_maps(pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, err) < 0)
		return -1;
	if (prepare_needs_userns(t->plan)) {
		_close_ int userns = userns_open(pid, err);
		if (userns < 0 || prepare_idmaps(t->plan, t->sources, userns, err) < 0)
			return -1;
	}
	return talk_say(t, WIRE_GO, err);
}

static int on_error(struct talk *t, const struct wire_msg *m, struct err *err)
{
	static const struct {
		uint32_t call;
		const char *name;
	} names[] = { { SYS_execveat, "execveat" }, { SYS_setns, "setns" },
		{ SYS_clone3, "clone3" }, { SYS_capset, "capset" }, { SYS_fcntl, "fcntl" } };

	if (!t->plan) {
		*t->ret_error = *m;
		return err_set(err, ERR_SYSTEM, "init", "step %u failed", m->step);
	}
	if (m->step != STEP_BEFORE_INIT) {
		plan_error(t->plan, m, err);
		hook_tail_explain(&t->out->tail, t->out->hook_out, err);
		return -1;
	}
	const char *name = "clone3";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].call == m->call)
			name = names[i].name;
	return err_sys(err, m->err, name, "before init");
}

static int on_sync(struct talk *t, const struct wire_msg *m, int fd, struct err *err)
{
	_close_ int target = fd;
	const struct plan_step *step =
		t->plan && m->step < t->plan->n_steps ? &t->plan->steps[m->step] : NULL;

	if (!step || !t->events->synced)
		return err_set(err, ERR_INTERNAL, "init", "waits at step %u, which nobody answers",
			m->step);
	if (t->events->synced(t->events->arg, step, target, t->out->pid, err) < 0)
		return -1;
	return talk_say(t, WIRE_GO, err);
}

static int on_console(struct talk *t, const struct wire_msg *m, int fd, struct err *err)
{
	if (fd < 0 || !t->events->console) {
		fd_close(fd);
		return err_set(err, ERR_INTERNAL, "console", "came without a taker");
	}
	return t->events->console(t->events->arg, fd, m->text, err);
}

/* init can't pass an fd once the filter is in force (sendmsg may be filtered), so it is fetched. */
static int on_notify(struct talk *t, const struct wire_msg *m, struct err *err)
{
	struct wire_msg go = { .kind = WIRE_GO };
	_close_ int fd = pidfd_getfd(t->out->pidfd, (int)m->value, 0);

	if (fd < 0)
		return err_sys(err, errno, "pidfd_getfd", "seccomp listener");
	if (!t->events->notify)
		return err_set(
			err, ERR_INTERNAL, "linux.seccomp", "the listener came without a taker");
	if (t->events->notify(t->events->arg, fd_take(&fd), t->out->pid, err) < 0)
		return -1;
	return send(t->ctl, &go, sizeof(go), MSG_NOSIGNAL) == sizeof(go)
		       ? 0
		       : err_sys(err, errno, "send", "init");
}

/* One message. TALK_READY, TALK_EOF, 0: go on, -1. */
static int hear(struct talk *t, struct err *err)
{
	struct wire_msg m;
	int fd = FD_NONE;
	size_t n_fds = 0;
	ssize_t n = fd_recv(t->ctl, &m, sizeof(m), &fd, 1, &n_fds);

	if (!n_fds)
		fd = FD_NONE;
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "recvmsg", "init");
	if (n <= 0)
		return TALK_EOF;
	if (n != sizeof(m)) {
		fd_close(fd);
		return err_set(err, ERR_INTERNAL, "init", "sent a message of %zd bytes", n);
	}
	m.text[sizeof(m.text) - 1] = '\0';
	if (m.kind == WIRE_SYNC)
		return on_sync(t, &m, fd, err);
	if (m.kind == WIRE_CONSOLE)
		return on_console(t, &m, fd, err);
	fd_close(fd);
	switch (m.kind) {
	case WIRE_READY: return TALK_READY;
	case WIRE_CHILD: return talk_adopt(t, (pid_t)m.value, err);
	case WIRE_NOTIFY: return on_notify(t, &m, err);
	case WIRE_ERROR: return on_error(t, &m, err);
	default: return err_set(err, ERR_INTERNAL, "init", "sent a message of kind %u", m.kind);
	}
}

/* Reads what hooks print meanwhile, so that a chatty one can't block. */
static int wait_for_word(struct talk *t, struct err *err)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = t->ctl, .events = POLLIN },
			{ .fd = t->out->hook_out, .events = POLLIN } };

		if (t->out->hook_out < 0)
			return 0; /* recvmsg waits by itself */
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll", "init");
		if (p[1].revents && !hook_tail_read(&t->out->tail, t->out->hook_out))
			t->out->hook_out = fd_close(t->out->hook_out);
		if (p[0].revents)
			return 0;
	}
}

int talk_until(struct talk *t, int until, struct err *err)
{
	int r = 0;

	while (r == 0) {
		if (wait_for_word(t, err) < 0)
			return -1;
		r = hear(t, err);
	}
	if (r < 0)
		return -1;
	if (r == TALK_EOF && until != TALK_EOF)
		return died(t, err);
	return r == until ? 0 : err_set(err, ERR_INTERNAL, "init", "spoke out of turn");
}

void talk_kill(struct talk *t)
{
	if (t->helper && t->helper != t->out->pid) {
		kill(t->helper, SIGKILL);
		reap(t->helper);
	}
	if (t->out->pid > 0) {
		kill(t->out->pid, SIGKILL); /* a child of ours that wasn't reaped: the number is
					       still its own */
		reap(t->out->pid);
	}
	t->out->pid = 0;
}
