/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

enum { PROCESS_BYTES_MAX = 4 << 20 };

static int parse_id(const char *text, uint32_t *ret)
{
	uint64_t v;

	/* (uid_t)-1 means "leave it" to the kernel */
	if (parse_u64(text, UINT32_MAX - 1, &v) < 0)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

int user_parse(const char *text, struct ctr_exec_request *req, struct err *err)
{
	const char *colon = strchr(text, ':');
	_free_ char *uid = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);

	if (!uid)
		return err_nomem(err);
	if (parse_id(uid, &req->uid) < 0 || (colon && parse_id(colon + 1, &req->gid) < 0)) {
		err_set(err, ERR_USAGE, NULL, "invalid user \"%s\"", text);
		return err_hint(err, "--user takes numbers: uid or uid:gid");
	}
	req->has_uid = true;
	req->has_gid = colon != NULL;
	return 0;
}

static int parse_gids(
	const struct option_list *l, struct arena *a, struct ctr_exec_request *req, struct err *err)
{
	uint32_t *gids = arena_array(a, l->n, sizeof(*gids));

	if (!gids)
		return err_nomem(err);
	for (size_t i = 0; i < l->n; i++) {
		if (parse_id(l->items[i], &gids[i]) < 0)
			return err_set(err, ERR_USAGE, NULL,
				"invalid group \"%s\" for flag -additional-gids", l->items[i]);
	}
	req->additional_gids = gids;
	req->n_additional_gids = l->n;
	return 0;
}

static int check_env(const struct option_list *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i][0] == '=' || !strchr(l->items[i], '='))
			return err_set(err, ERR_USAGE, NULL,
				"invalid environment entry \"%s\": NAME=VALUE is wanted",
				l->items[i]);
	}
	return 0;
}

static int read_process(
	const char *path, struct ctr_exec_request *req, char **text, struct err *err)
{
	if (!path)
		return 0;
	if (file_read(AT_FDCWD, path, PROCESS_BYTES_MAX, text, &req->process_json_n, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND, path, "the process file is missing")
			       : -1;
	req->process_json = *text;
	return 0;
}

static int fill_request(const struct cli *c, const struct ctr_attach *attach,
	struct ctr_exec_request *req, char **text, struct err *err)
{
	const struct options *o = &c->o;

	*req = (struct ctr_exec_request){
		.args = c->args + 1,
		.n_args = (size_t)c->n_args - 1,
		.cwd = o->cwd,
		.env = o->env.items,
		.n_env = o->env.n,
		.terminal = o->tty,
		.no_new_privileges = o->no_new_privs,
		.caps = o->caps.items,
		.n_caps = o->caps.n,
		.apparmor = o->apparmor,
		.selinux_label = o->process_label,
		.sub_cgroup = o->cgroup,
		.pid_file = o->pid_file,
		.attach = *attach,
		.ignore_paused = o->ignore_paused,
		.no_new_keyring = o->no_new_keyring,
		.trace = c->trace,
	};
	if (o->cgroup && strchr(o->cgroup, ':'))
		return err_set(err, ERR_UNSUPPORTED, o->cgroup,
			"cgroup v2 has no controllers of their own: give the path only");
	if (!o->process && !req->n_args)
		return err_set(err, ERR_USAGE, NULL, "exec needs a command or --process");
	if (o->user && user_parse(o->user, req, err) < 0)
		return -1;
	if (parse_gids(&o->additional_gids, c->arena, req, err) < 0 || check_env(&o->env, err) < 0)
		return -1;
	return read_process(o->process, req, text, err);
}

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}

static int exec_foreground(struct ctr_container *k, struct ctr_exec_request *req,
	struct foreground *f, struct err *err)
{
	_close_ int console = FD_NONE;
	pid_t pid;

	if (foreground_begin(f, err) < 0)
		return -1;
	req->attach.ret_console = &console;
	if (ctr_container_exec(k, req, &pid, err) < 0)
		return -1;
	return foreground_wait(f, pid, console, err);
}

int verb_exec(struct cli *c, struct err *err)
{
	_cleanup_(attach_sockets_close) struct attach_sockets sockets = ATTACH_SOCKETS_INIT;
	_cleanup_(close_container) struct ctr_container *k = NULL;
	_cleanup_(foreground_end) struct foreground f = FOREGROUND_INIT;
	_free_ char *text = NULL;
	struct ctr_exec_request req;
	struct ctr_attach attach;
	pid_t pid;

	if (attach_open(c, &sockets, &attach, err) < 0 ||
		fill_request(c, &attach, &req, &text, err) < 0)
		return -1;
	k = ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	if (!k)
		return -1;
	if (!c->o.detach && !c->o.console_socket)
		return exec_foreground(k, &req, &f, err);
	if (ctr_container_exec(k, &req, &pid, err) < 0)
		return -1;
	if (c->o.detach)
		return 0;
	/* The terminal went to the socket's other side; the process is waited for all the same. */
	return foreground_begin(&f, err) < 0 ? -1 : foreground_wait(&f, pid, -1, err);
}
