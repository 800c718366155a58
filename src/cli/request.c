/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/request.h"

#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/follow.h"
#include "model/cri.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int request_is_asked(const struct cli *c, struct err *err)
{
	const struct options *o = &c->o;
	const bool asked = o->request || o->pod || o->container;

	if (!asked)
		return 0;
	if (o->request && (o->pod || o->container))
		return err_set(err, ERR_USAGE, NULL,
			"--request can't be combined with --pod and --container");
	if (!o->request && (!o->pod || !o->container))
		return err_set(err, ERR_USAGE, NULL, "--pod and --container belong together");
	if (o->bundle || o->config || o->console_socket || o->pidfd_socket || o->preserve_fds)
		return err_set(err, ERR_USAGE, NULL,
			"--bundle, --config, --console-socket, --pidfd-socket and --preserve-fds are for a bundle, not for a request");
	return 1;
}

/* ---- reading ---- */

/* A whole file, or standard input. In the arena. */
static int read_text(
	struct cli *c, const char *path, const char **ret, size_t *ret_n, struct err *err)
{
	_close_ int fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					   : open(path, O_RDONLY | O_CLOEXEC);
	_free_ char *text = NULL;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, path, "the file is missing");
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	if (fd_read_all(fd, CRI_REQUEST_MAX, &text, ret_n) < 0) {
		if (errno == EFBIG)
			return err_set(err, ERR_EXHAUSTED, path, "it is bigger than 16 MiB");
		return err_sys(err, errno, "read", "%s", path);
	}
	*ret = arena_strndup(c->arena, text, *ret_n);
	return *ret ? 0 : err_nomem(err);
}

static int read_request(
	struct cli *c, const char *path, struct cri_create_container_request **ret, struct err *err)
{
	const char *text;
	size_t n;

	if (read_text(c, path, &text, &n, err) < 0)
		return -1;
	return cri_request_parse(text, n, c->arena, ret, err) < 0 ? err_in(err, "%s:", path) : 0;
}

/* A file without a uid always means the same pod: the uid is a hash of its namespace and name, in
 * the form of a UUID (version 8, RFC 9562). */
int pod_fill_uid(struct cri_pod_sandbox_config *pod, struct arena *a, struct err *err)
{
	struct cri_pod_sandbox_metadata *meta = pod->metadata;
	char seed[600], digest[DIGEST_TEXT_MAX];

	if (!meta || meta->uid || !meta->name)
		return 0;
	snprintf(seed, sizeof(seed), "%s\n%s", meta->namespace ? meta->namespace : "", meta->name);
	const char *h = digest_of(seed, strlen(seed), digest) + strlen("sha256:");
	meta->uid =
		arena_printf(a, "%.8s-%.4s-8%.3s-8%.3s-%.12s", h, h + 8, h + 12, h + 15, h + 18);
	return meta->uid ? 0 : err_nomem(err);
}

/* The pod that is there: its id and its handler; or an id that stands for the one that would be
 * made, and the handler that suits the container. */
static int find_pod(struct cli *c, const struct cri_pod_sandbox_config *pod,
	const struct cri_container_config *config, const char **ret_id, const char **ret_handler,
	struct err *err)
{
	const struct cri_pod_sandbox_metadata *m = pod->metadata;
	const char *name =
		m ? arena_printf(c->arena, "%s_%s_%s_%u", m->name ? m->name : "",
			    m->namespace ? m->namespace : "", m->uid ? m->uid : "", m->attempt)
		  : "";
	struct ctr_sandbox *s =
		name ? ctr_sandbox_open_name(c->engine, name, CTR_SANDBOX_LOOK, err) : NULL;

	*ret_handler = c->o.runtime_handler;
	if (s) {
		const struct ctr_sandbox_record *rec = ctr_sandbox_record(s);
		*ret_id = arena_strdup(c->arena, rec->id);
		if (!*ret_handler && rec->runtime_handler)
			*ret_handler = arena_strdup(c->arena, rec->runtime_handler);
		ctr_sandbox_close(s);
		return arena_failed(c->arena) ? err_nomem(err) : 0;
	}
	if (!name || err->code != ERR_NOT_FOUND)
		return name ? -1 : err_nomem(err);
	*err = (struct err)ERR_INIT;
	*ret_id = arena_printf(c->arena, "%064d", 0);
	if (!*ret_id)
		return err_nomem(err);
	return *ret_handler ? 0
			    : ctr_request_handler(
				      c->engine, config, pod, c->o.backend, ret_handler, err);
}

/* crictl's two files. The pod is found by what identifies it, or run: for the backend that its
 * container leads to, unless somebody says otherwise. */
static int read_pair(struct cli *c, bool run_pod, struct ctr_create_request *req, struct err *err)
{
	struct cri_create_container_request *r = arena_alloc(c->arena, sizeof(*r));
	const char *text;
	_free_ char *id = NULL;
	size_t n;

	if (!r)
		return err_nomem(err);
	if (read_text(c, c->o.pod, &text, &n, err) < 0)
		return -1;
	if (cri_pod_parse(text, n, c->arena, &r->sandbox_config, err) < 0)
		return err_in(err, "%s:", c->o.pod);
	if (read_text(c, c->o.container, &text, &n, err) < 0)
		return -1;
	if (cri_container_parse(text, n, c->arena, &r->config, err) < 0)
		return err_in(err, "%s:", c->o.container);
	if (pod_fill_uid(r->sandbox_config, c->arena, err) < 0 ||
		find_pod(c, r->sandbox_config, r->config, &r->pod_sandbox_id, &req->pod_handler,
			err) < 0)
		return -1;
	req->request = r;
	if (!run_pod)
		return 0;
	if (ctr_sandbox_run(c->engine, r->sandbox_config, req->pod_handler, &id, &c->faults, err) <
		0)
		return err_in(err, "%s:", c->o.pod);
	r->pod_sandbox_id = arena_strdup(c->arena, id);
	return r->pod_sandbox_id ? 0 : err_nomem(err);
}

static int read_any(struct cli *c, bool run_pod, struct ctr_create_request *req, struct err *err)
{
	struct cri_create_container_request *r;

	if (!c->o.request)
		return read_pair(c, run_pod, req, err);
	if (read_request(c, c->o.request, &r, err) < 0)
		return -1;
	req->request = r;
	return 0;
}

/* ---- create ---- */

static int make(struct cli *c, bool starts, struct ctr_created *ret, struct err *err)
{
	struct ctr_create_request req = {
		.backend = c->o.backend, .starts = starts, .trace = c->trace
	};

	if (c->n_args > 0)
		return err_set(err, ERR_USAGE, c->args[0],
			"a container made from a request gets its id from its name");
	if (read_any(c, true, &req, err) < 0)
		return -1;
	return ctr_create_container(c->engine, &req, ret, &c->faults, err);
}

static int print_id(const char *id, struct err *err)
{
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out };

	json_w_object(&w);
	json_w_key(&w, "containerId");
	json_w_str(&w, id);
	json_w_object_end(&w);
	str_add(&out, "\n");
	return print_out(&out, err);
}

int request_create(struct cli *c, struct err *err)
{
	_cleanup_(ctr_created_done) struct ctr_created made = { 0 };

	if (make(c, false, &made, err) < 0)
		return -1;
	return print_id(made.id, err);
}

/* ---- explain ---- */

int request_explain(struct cli *c, struct err *err)
{
	struct ctr_create_request req = { .backend = c->o.backend, .trace = c->trace };
	_free_ char *text = NULL;
	_str_ struct str out = { 0 };
	struct err print = ERR_INIT;
	int r;

	if (read_any(c, false, &req, err) < 0)
		return -1;
	r = ctr_explain_request(c->engine, &req, &text, &c->faults, err);
	/* As far as it came: a route that can't be taken is shown, too. */
	if (text)
		str_add(&out, text);
	if (print_out(&out, r < 0 ? &print : err) < 0)
		return -1;
	return r;
}

/* ---- run ---- */

static void close_container(struct ctr_container **k)
{
	*k = ctr_container_close(*k);
}

static void drop(struct ctr_container *k, const char *id)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (ctr_container_delete(k, true, &err) == 0 || err.code == ERR_NOT_FOUND)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("run: container %s couldn't be deleted: %s", id, line);
}

/* In the foreground: its status. */
static int follow_to_end(struct cli *c, struct ctr_container *k, struct err *err)
{
	const struct follow f = { .with_stdin = ctr_container_cri(k)->stdin_,
		.signals = true,
		.starts = true,
		.trace = c->trace };
	struct ctr_exit end = { 0 };

	if (follow_container(k, &f, err) < 0 || ctr_container_wait(k, -1, &end, err) < 0)
		return -1;
	return end.code;
}

int request_run(struct cli *c, struct err *err)
{
	_cleanup_(ctr_created_done) struct ctr_created made = { 0 };
	_cleanup_(close_container) struct ctr_container *k = NULL;
	int status;

	if (make(c, true, &made, err) < 0)
		return -1;
	if (made.existed)
		return err_set(err, ERR_EXISTS, NULL,
			"the container of this request is there already: %.12s", made.id);
	k = ctr_container_open(c->engine, made.id, CTR_CHANGE, err);
	if (!k)
		return -1;
	if (c->o.detach)
		status = ctr_container_start(k, c->trace, err) < 0 ? -1 : 0;
	else
		status = follow_to_end(c, k, err);
	if (status < 0 || (!c->o.detach && !c->o.keep))
		drop(k, made.id);
	if (c->o.detach && status == 0)
		return print_id(made.id, err);
	return status;
}
