/* SPDX-License-Identifier: Apache-2.0 */
/* create, run, start, explain: of a bundle here, of a request in request.c. */
#include "cli/request.h"

#include "base/fd.h"
#include "base/log.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static void fill_create(
	const struct cli *c, const struct ctr_attach *attach, struct ctr_create *ret)
{
	*ret = (struct ctr_create){
		.id = c->args[0],
		.bundle = c->o.bundle,
		.config = c->o.config,
		.pid_file = c->o.pid_file,
		.backend = c->o.backend,
		.attach = *attach,
		.no_pivot = c->o.no_pivot,
		.no_new_keyring = c->o.no_new_keyring,
		.trace = c->trace,
	};
}

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}
#define _handle_ _cleanup_(close_container)

/* Only a container from a request has an id of its own. */
static int needs_id(const struct cli *c, const char *verb, struct err *err)
{
	if (c->n_args == 1)
		return 0;
	err_set(err, ERR_USAGE, NULL, "\"%s\" requires exactly 1 argument(s)", verb);
	return err_hint(err, "ctrctl %s --help", verb);
}

int verb_create(struct cli *c, struct err *err)
{
	_cleanup_(attach_sockets_close) struct attach_sockets sockets = ATTACH_SOCKETS_INIT;
	_handle_ struct ctr_container *made = NULL;
	struct ctr_attach attach;
	struct ctr_create req;
	int asked = request_is_asked(c, err);

	if (asked != 0)
		return asked < 0 ? -1 : request_create(c, err);
	if (needs_id(c, "create", err) < 0 || attach_open(c, &sockets, &attach, err) < 0)
		return -1;
	fill_create(c, &attach, &req);
	made = ctr_container_create(c->engine, &req, err);
	return made ? 0 : -1;
}

int verb_start(struct cli *c, struct err *err)
{
	_handle_ struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_CHANGE, err);

	return k ? ctr_container_start(k, c->trace, err) : -1;
}

/* "explain req.json": an argument that is a file, or "-", is a request. */
static bool names_request(const struct cli *c)
{
	struct stat st;

	if (!c->args[0] || c->o.request || c->o.pod || c->o.container)
		return false;
	return str_eq(c->args[0], "-") || (stat(c->args[0], &st) == 0 && S_ISREG(st.st_mode));
}

int verb_explain(struct cli *c, struct err *err)
{
	const struct ctr_attach attach = {
		.console_socket = -1, .pidfd_socket = -1, .ret_console = &(int){ -1 }
	};
	_free_ char *text = NULL;
	_str_ struct str out = { 0 };
	struct err print = ERR_INIT;
	struct ctr_create req;
	int asked, r;

	if (names_request(c))
		c->o.request = c->args[0];
	asked = request_is_asked(c, err);
	if (asked != 0)
		return asked < 0 ? -1 : request_explain(c, err);
	const bool unknown = !c->args[0];
	if (unknown)
		c->args[0] = "explained";
	fill_create(c, &attach, &req);
	req.id_unknown = unknown;
	r = ctr_explain(c->engine, &req, &text, err);
	/* As far as it came: a route that can't be taken is shown, too. */
	if (text)
		str_add(&out, text);
	if (print_out(&out, r < 0 ? &print : err) < 0)
		return -1;
	return r;
}

/* ---- run ---- */

static void drop(struct ctr_container *k, const char *id)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (ctr_container_delete(k, true, &err) == 0 || err.code == ERR_NOT_FOUND)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("run %s: the container couldn't be deleted: %s", id, line);
}

/* A container that doesn't start is of no use to anybody. */
static int start_or_drop(struct cli *c, struct ctr_container *k, struct err *err)
{
	if (ctr_container_start(k, c->trace, err) == 0) {
		ctr_container_unlock(k);
		return 0;
	}
	drop(k, c->args[0]);
	return -1;
}

static int run_detached(struct cli *c, struct ctr_create *req, struct err *err)
{
	_handle_ struct ctr_container *k = ctr_container_create(c->engine, req, err);

	return k ? start_or_drop(c, k, err) : -1;
}

static int run_foreground(
	struct cli *c, struct ctr_create *req, struct foreground *f, struct err *err)
{
	_handle_ struct ctr_container *k = NULL;
	_close_ int console = FD_NONE;
	int status;

	if (foreground_begin(f, err) < 0)
		return -1;
	req->attach.ret_console = &console;
	k = ctr_container_create(c->engine, req, err);
	if (!k || start_or_drop(c, k, err) < 0)
		return -1;
	status = foreground_wait(f, ctr_container_record(k)->pid, console, err);
	if (!c->o.keep)
		drop(k, c->args[0]);
	return status;
}

int verb_run(struct cli *c, struct err *err)
{
	_cleanup_(attach_sockets_close) struct attach_sockets sockets = ATTACH_SOCKETS_INIT;
	_cleanup_(foreground_end) struct foreground f = FOREGROUND_INIT;
	struct ctr_attach attach;
	struct ctr_create req;
	int asked = request_is_asked(c, err);

	if (asked != 0)
		return asked < 0 ? -1 : request_run(c, err);
	if (needs_id(c, "run", err) < 0 || attach_open(c, &sockets, &attach, err) < 0)
		return -1;
	fill_create(c, &attach, &req);
	req.starts = true;
	if (c->o.detach)
		return run_detached(c, &req, err);
	/* What the container leaves behind comes to us, so that a shared pid namespace is waited
	 * for too. */
	if (!c->o.no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "prctl", "PR_SET_CHILD_SUBREAPER");
	return run_foreground(c, &req, &f, err);
}
