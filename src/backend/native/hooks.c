/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/hooks.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIPE_READS = 64 };

/* ---- what it printed ---- */

bool hook_tail_read(struct hook_tail *t, int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	size_t got = MIN((size_t)n, sizeof(t->buf));
	size_t keep = MIN(t->n, sizeof(t->buf) - got);
	memmove(t->buf, t->buf + t->n - keep, keep);
	memcpy(t->buf + keep, buf + (size_t)n - got, got);
	t->n = keep + got;
	return n > 0;
}

void hook_tail_explain(struct hook_tail *t, int fd, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = strlen(err->text);

	/* What a pipe can hold, and no more: something that was left behind may write for ever. */
	for (int i = 0; i < PIPE_READS; i++)
		if (fd < 0 || poll(&p, 1, 0) <= 0 || !hook_tail_read(t, fd))
			break;
	while (t->n && (t->buf[t->n - 1] == '\n' || t->buf[t->n - 1] == '\0'))
		t->n--;
	if (!t->n)
		return;
	size_t room = sizeof(err->text) - used;
	size_t n = MIN(t->n, room > 16 ? room - 16 : 0);
	snprintf(err->text + used, room, ", output: %.*s", (int)n, t->buf + t->n - n);
}

/* ---- state ---- */

int hook_state(const char *oci_version, const char *id, const char *bundle,
	const struct ctr_map_str *annotations, enum ctr_status status, struct arena *arena,
	char **ret_head, char **ret_tail, struct err *err)
{
	_str_ struct str head = { 0 }, tail = { 0 };
	struct json_writer w = { .out = &head };

	json_w_object(&w);
	json_w_key(&w, "ociVersion");
	json_w_str(&w, oci_version);
	json_w_key(&w, "id");
	json_w_str(&w, id);
	json_w_key(&w, "status");
	json_w_str(&w, ctr_status_name((int)status));
	json_w_key(&w, "pid");
	w = (struct json_writer){ .out = &tail };
	json_w_object(&w);
	json_w_key(&w, "bundle");
	json_w_str(&w, bundle);
	if (annotations->n) {
		json_w_key(&w, "annotations");
		json_w_object(&w);
		for (size_t i = 0; i < annotations->n; i++) {
			json_w_key(&w, annotations->items[i].key);
			json_w_str(&w, annotations->items[i].value);
		}
		json_w_object_end(&w);
	}
	json_w_object_end(&w);
	if (str_ok(&head, err) < 0 || str_ok(&tail, err) < 0)
		return -1;
	tail.p[0] = ','; /* it goes on behind the pid */
	*ret_head = arena_strdup(arena, head.p);
	*ret_tail = arena_strdup(arena, tail.p);
	return *ret_head && *ret_tail ? 0 : err_nomem(err);
}

/* ---- running one ---- */

struct running {
	pid_t pid;
	int pidfd, in, out; /* in: its stdin, non-blocking; out: what it prints */
	int failed;         /* errno of an execve that failed, or EOF */
	const char *state;
	size_t left;
	struct hook_tail tail;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static char *const *vector(const char **items, size_t n, const char *first)
{
	const char **v = calloc(n + 2, sizeof(*v));

	if (!v)
		return NULL;
	if (n)
		memcpy(v, items, n * sizeof(*v));
	else if (first)
		v[0] = first;
	return (char *const *)(uintptr_t)v;
}

_noreturn_ static void hook_child(
	const struct oci_hook *hook, const int fds[3], char *const *argv, char *const *envp)
{
	sigset_t none;
	struct sigaction normal = { .sa_handler = SIG_DFL };

	setsid();
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &normal, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fds[0], 0) == 0 && dup2(fds[1], 1) == 1 && dup2(fds[1], 2) == 2 &&
		chdir("/") == 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		execve(hook->path, argv, envp);
	int os = errno;
	if (write(fds[2], &os, sizeof(os)) < 0)
		_exit(126);
	_exit(127);
}

static int hook_fork(const struct oci_hook *hook, struct running *r, struct err *err)
{
	int in[2], out[2], failed[2];
	_free_ char *const *argv = vector(hook->args, hook->n_args, hook->path);
	_free_ char *const *envp = vector(hook->env, hook->n_env, NULL);

	if (!argv || !envp)
		return err_nomem(err);
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "%s", hook->path);
	_close_ int child_in = in[0];
	r->in = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "%s", hook->path);
	_close_ int child_out = out[1];
	r->out = out[0];
	if (pipe2(failed, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "pipe2", "%s", hook->path);
	_close_ int child_failed = failed[1];
	r->failed = failed[0];
	fcntl(r->in, F_SETFL, O_NONBLOCK);
	r->pid = fork();
	if (r->pid == 0)
		hook_child(hook, (int[]){ child_in, child_out, child_failed }, argv, envp);
	if (r->pid < 0)
		return err_sys(err, errno, "fork", "%s", hook->path);
	r->pidfd = pidfd_open(r->pid, 0);
	return r->pidfd < 0 ? err_sys(err, errno, "pidfd_open", "%s", hook->path) : 0;
}

/* Feeds stdin as far as it is taken; a hook that doesn't read it is no error. */
static void feed(struct running *r)
{
	ssize_t n = r->left ? write(r->in, r->state, r->left) : 0;

	if (n > 0) {
		r->state += n;
		r->left -= (size_t)n;
	}
	if (!r->left || (n < 0 && errno != EAGAIN && errno != EINTR))
		r->in = fd_close(r->in);
}

/* 0 when it ended, 1 when the time was up, -1. */
static int hook_wait(struct running *r, int64_t deadline, struct err *err)
{
	for (;;) {
		struct pollfd p[3] = { { .fd = r->pidfd, .events = POLLIN },
			{ .fd = r->out, .events = POLLIN }, { .fd = r->in, .events = POLLOUT } };
		int64_t left = deadline ? deadline - now_ms() : -1;

		if (deadline && left <= 0)
			return 1;
		if (poll(p, 3, (int)MIN(left, 60000)) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll", "hook");
		if (p[2].revents)
			feed(r);
		if (p[1].revents && !hook_tail_read(&r->tail, r->out))
			r->out = fd_close(r->out);
		if (p[0].revents)
			return 0;
	}
}

static void hook_done(struct running *r)
{
	fd_close(r->in);
	fd_close(r->out);
	fd_close(r->failed);
	fd_close(r->pidfd);
}

/* How it ended, in the words of plan_error for the hooks that init runs. */
static int verdict(
	const struct oci_hook *hook, struct running *r, bool late, int status, struct err *err)
{
	int os;

	if (late)
		err_set(err, ERR_TIMEOUT, hook->path,
			"the hook didn't end within %lld s and was killed",
			(long long)*hook->timeout);
	else if (read(r->failed, &os, sizeof(os)) == sizeof(os))
		return err_sys(err, os, "hook", "%s", hook->path);
	else if (WIFSIGNALED(status))
		err_set(err, ERR_SYSTEM, hook->path, "the hook was killed by signal %d",
			WTERMSIG(status));
	else if (WEXITSTATUS(status))
		err_set(err, ERR_SYSTEM, hook->path, "the hook ended with exit status %d",
			WEXITSTATUS(status));
	else
		return 0;
	hook_tail_explain(&r->tail, r->out, err);
	return -1;
}

static int hook_run(const struct oci_hook *hook, const char *state, struct err *err)
{
	_cleanup_(hook_done) struct running r = { .in = FD_NONE,
		.out = FD_NONE,
		.failed = FD_NONE,
		.pidfd = FD_NONE,
		.state = state,
		.left = strlen(state) };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int status = 0;

	sigaction(SIGPIPE, &ignore, &old);
	int over = hook_fork(hook, &r, err);
	if (over == 0)
		over = hook_wait(&r, hook->timeout ? now_ms() + *hook->timeout * 1000 : 0, err);
	if (over != 0 && r.pid > 0)
		kill(-r.pid, SIGKILL), kill(r.pid, SIGKILL);
	if (r.pid > 0)
		while (waitpid(r.pid, &status, 0) < 0 && errno == EINTR)
			;
	sigaction(SIGPIPE, &old, NULL);
	return over < 0 ? -1 : verdict(hook, &r, over == 1, status, err);
}

static int run_nth(const struct oci_hook *list, size_t i, enum oci_hook_kind kind,
	const char *state, struct err *err)
{
	const char *name = oci_hook_kind_name((int)kind);

	log_debug("hook %s #%zu: %s", name, i, list[i].path);
	if (hook_run(&list[i], state, err) == 0)
		return 0;
	return err_in(err, "hooks.%s[%zu]", name, i);
}

int hooks_run(
	const struct oci_hooks *hooks, enum oci_hook_kind kind, const char *state, struct err *err)
{
	size_t n;
	const struct oci_hook *list = oci_hooks_of(hooks, (int)kind, &n);

	for (size_t i = 0; i < n; i++)
		if (run_nth(list, i, kind, state, err) < 0)
			return -1;
	return 0;
}

void hooks_run_all(
	const struct oci_hooks *hooks, enum oci_hook_kind kind, const char *state, const char *id)
{
	size_t n;
	const struct oci_hook *list = oci_hooks_of(hooks, (int)kind, &n);

	for (size_t i = 0; i < n; i++) {
		struct err err = ERR_INIT;
		char line[1024];

		if (run_nth(list, i, kind, state, &err) == 0)
			continue;
		err_line(&err, line, sizeof(line));
		log_warn("%s: %s", id, line);
	}
}
