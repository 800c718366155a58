/* SPDX-License-Identifier: Apache-2.0 */
/* ps: the lines of ps(1) that are about processes of the container, or their pids as JSON. */
#include "cli/cli.h"

#include "base/fd.h"
#include "base/json.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PS_BYTES_MAX = 64 << 20 };

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}

static int print_json(const pid_t *pids, size_t n, struct err *err)
{
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out };

	json_w_array(&w);
	for (size_t i = 0; i < n; i++)
		json_w_i64(&w, pids[i]);
	json_w_array_end(&w);
	str_add(&out, "\n");
	return print_out(&out, err);
}

static int spawn_ps(const char *const *args, int out_fd, pid_t *ret, struct err *err)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return err_nomem(err);
	r = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret, "/bin/ps", &actions, NULL, (char *const *)(uintptr_t)args,
			(char *const *)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT)
		return err_set(err, ERR_UNSUPPORTED, "/bin/ps", "it is missing: use --format json");
	return r == 0 ? 0 : err_sys(err, r, "posix_spawn", "/bin/ps");
}

static int run_ps(const char *const *args, char **ret, size_t *ret_n, struct err *err)
{
	_close_ int rd = FD_NONE, wr = FD_NONE;
	int fds[2], status, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", NULL);
	rd = fds[0];
	wr = fds[1];
	if (spawn_ps(args, wr, &pid, err) < 0)
		return -1;
	wr = fd_close(wr);
	r = fd_read_all(rd, PS_BYTES_MAX, ret, ret_n);
	if (r < 0)
		err_sys(err, errno, "read", "output of ps");
	rd = fd_close(rd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		return err_set(
			err, ERR_SYSTEM, "/bin/ps", "it ended with status %d", WEXITSTATUS(status));
	return r;
}

/* Which word of the head line is "PID"; -1: none. */
static int pid_column(const char *line)
{
	for (int column = 0;; column++) {
		line += strspn(line, " \t");
		size_t n = strcspn(line, " \t");
		if (!n)
			return -1;
		if (n == 3 && memcmp(line, "PID", 3) == 0)
			return column;
		line += n;
	}
}

static bool is_ours(const char *line, int column, const pid_t *pids, size_t n)
{
	while (column-- > 0) {
		line += strspn(line, " \t");
		line += strcspn(line, " \t");
	}
	long pid = strtol(line, NULL, 10);
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

static int print_table(const char *const *args, const pid_t *pids, size_t n, struct err *err)
{
	_free_ char *text = NULL;
	_str_ struct str out = { 0 };
	char *rest;
	size_t len;
	int column;

	if (run_ps(args, &text, &len, err) < 0)
		return -1;
	rest = text;
	const char *line = strsep(&rest, "\n");
	column = line ? pid_column(line) : -1;
	if (column < 0)
		return err_set(
			err, ERR_INVALID, NULL, "couldn't find the PID field in the output of ps");
	str_printf(&out, "%s\n", line);
	while ((line = strsep(&rest, "\n"))) {
		if (is_ours(line, column, pids, n))
			str_printf(&out, "%s\n", line);
	}
	return print_out(&out, err);
}

int verb_ps(struct cli *c, struct err *err)
{
	static const char *const usual[] = { "ps", "-ef", NULL };
	_cleanup_(close_container) struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	_free_ pid_t *pids = NULL;
	size_t n = 0;

	if (!k)
		return -1;
	if (c->o.format && !str_eq(c->o.format, "json") && !str_eq(c->o.format, "table"))
		return err_set(err, ERR_USAGE, NULL,
			"invalid format option \"%s\": table and json are known", c->o.format);
	if (ctr_container_pids(k, &pids, &n, err) < 0)
		return -1;
	if (str_eq(c->o.format, "json"))
		return print_json(pids, n, err);
	if (c->n_args == 1)
		return print_table(usual, pids, n, err);
	/* the id's place is the name of the program */
	c->args[0] = "ps";
	return print_table(c->args, pids, n, err);
}
