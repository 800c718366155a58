/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox run, status, list, stop, remove. */
#include "cli/cli.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/request.h"
#include "ctrctl/sandbox.h"
#include "model/cri.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void close_sandbox(struct ctr_sandbox **s)
{
	*s = ctr_sandbox_close(*s);
}

/* ---- run ---- */

static int read_pod(
	struct cli *c, const char *path, struct cri_pod_sandbox_config **ret, struct err *err)
{
	_close_ int fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
					   : open(path, O_RDONLY | O_CLOEXEC);
	_free_ char *text = NULL;
	size_t n;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, path, "the file is missing");
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	if (fd_read_all(fd, CRI_REQUEST_MAX, &text, &n) < 0)
		return errno == EFBIG
			       ? err_set(err, ERR_EXHAUSTED, path, "it is bigger than 16 MiB")
			       : err_sys(err, errno, "read", "%s", path);
	return cri_pod_parse(text, n, c->arena, ret, err) < 0 ? err_in(err, "%s:", path) : 0;
}

int verb_sandbox_run(struct cli *c, struct err *err)
{
	struct cri_pod_sandbox_config *config;
	_str_ struct str out = { 0 };
	_free_ char *id = NULL;

	if (read_pod(c, c->args[0], &config, err) < 0 || pod_fill_uid(config, c->arena, err) < 0 ||
		ctr_sandbox_run(c->engine, config, c->o.runtime_handler, &id, &c->faults, err) < 0)
		return -1;
	str_printf(&out, "%s\n", id);
	return print_out(&out, err);
}

/* ---- status ---- */

static void text(struct json_writer *w, const char *key, const char *value)
{
	json_w_key(w, key);
	json_w_str(w, value ? value : "");
}

static void number(struct json_writer *w, const char *key, int64_t value)
{
	json_w_key(w, key);
	json_w_i64(w, value);
}

static void begin(struct json_writer *w, const char *key)
{
	json_w_key(w, key);
	json_w_object(w);
}

static void map(struct json_writer *w, const char *key, const struct ctr_map_str *m)
{
	begin(w, key);
	for (size_t i = 0; i < m->n; i++)
		text(w, m->items[i].key, m->items[i].value);
	json_w_object_end(w);
}

/* What list and status have in common. */
static void write_head(struct json_writer *w, const struct ctr_sandbox_record *r, int state)
{
	const struct cri_pod_sandbox_metadata *m = r->config->metadata;

	text(w, "id", r->id);
	begin(w, "metadata");
	text(w, "name", m->name);
	text(w, "uid", m->uid);
	text(w, "namespace", m->namespace);
	number(w, "attempt", m->attempt);
	json_w_object_end(w);
	text(w, "state", ctr_sandbox_state_name(state));
	text(w, "createdAt", r->created);
	map(w, "labels", &r->config->labels);
	map(w, "annotations", &r->config->annotations);
	text(w, "runtimeHandler", r->runtime_handler);
}

static void write_ids(
	struct json_writer *w, const char *key, const struct cri_id_mapping *ids, size_t n)
{
	json_w_key(w, key);
	json_w_array(w);
	for (size_t i = 0; i < n; i++) {
		json_w_object(w);
		number(w, "hostId", ids[i].host_id);
		number(w, "containerId", ids[i].container_id);
		number(w, "length", ids[i].length);
		json_w_object_end(w);
	}
	json_w_array_end(w);
}

static void write_options(struct json_writer *w, const struct cri_namespace_option *o)
{
	static const char *const modes[CRI_NS_N] = {
		[CRI_NS_POD] = "POD",
		[CRI_NS_CONTAINER] = "CONTAINER",
		[CRI_NS_NODE] = "NODE",
		[CRI_NS_TARGET] = "TARGET",
	};
	const struct cri_user_namespace *u = o->userns_options;

	begin(w, "linux");
	begin(w, "namespaces");
	begin(w, "options");
	text(w, "network", modes[o->network]);
	text(w, "pid", modes[o->pid]);
	text(w, "ipc", modes[o->ipc]);
	if (u) {
		begin(w, "usernsOptions");
		text(w, "mode", modes[u->mode]);
		write_ids(w, "uids", u->uids, u->n_uids);
		write_ids(w, "gids", u->gids, u->n_gids);
		json_w_object_end(w);
	}
	json_w_object_end(w);
	json_w_object_end(w);
	json_w_object_end(w);
}

static void write_info(struct json_writer *w, const struct ctr_sandbox_record *r, bool ready)
{
	begin(w, "info");
	text(w, "name", r->name);
	text(w, "hostname", r->hostname);
	text(w, "folder", r->folder);
	text(w, "runFolder", r->run_folder);
	text(w, "cgroup", r->cgroup);
	text(w, "shm", r->shm);
	begin(w, "namespaces");
	for (int i = 0; i < OCI_NS_N; i++)
		if (r->ns_path[i])
			text(w, oci_namespace_name(i), r->ns_path[i]);
	json_w_object_end(w);
	number(w, "pausePid", ready ? r->pause_pid : 0);
	json_w_object_end(w);
}

int verb_sandbox_status(struct cli *c, struct err *err)
{
	_cleanup_(close_sandbox) struct ctr_sandbox *s =
		ctr_sandbox_open(c->engine, c->args[0], CTR_SANDBOX_LOOK, err);
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 2 };
	const struct ctr_sandbox_record *r;
	enum ctr_sandbox_state state;

	if (!s || ctr_sandbox_state(s, &state, err) < 0)
		return -1;
	r = ctr_sandbox_record(s);
	json_w_object(&w);
	write_head(&w, r, state);
	begin(&w, "network"); /* no addresses without CNI */
	json_w_object_end(&w);
	write_options(&w, cri_pod_namespaces(r->config));
	write_info(&w, r, state == CTR_SANDBOX_READY);
	json_w_object_end(&w);
	str_add(&out, "\n");
	return print_out(&out, err);
}

/* ---- list ---- */

struct listing {
	struct str *out;
	struct json_writer json;
	enum { LIST_TABLE, LIST_JSON, LIST_IDS } how;
};

static int list_one(void *arg, const struct ctr_sandbox_record *r, enum ctr_sandbox_state state,
	struct err *err)
{
	const struct cri_pod_sandbox_metadata *m = r->config->metadata;
	struct listing *l = arg;

	if (l->how == LIST_IDS) {
		str_printf(l->out, "%s\n", r->id);
	} else if (l->how == LIST_TABLE) {
		str_printf(l->out, "%-12.12s %-30s %-8s %-24s %-16s %-7u %s\n", r->id, r->created,
			state == CTR_SANDBOX_READY ? "Ready" : "NotReady", m->name, m->namespace,
			m->attempt, r->runtime_handler ? r->runtime_handler : "");
	} else {
		json_w_object(&l->json);
		write_head(&l->json, r, (int)state);
		json_w_object_end(&l->json);
	}
	return 0;
}

int verb_sandbox_list(struct cli *c, struct err *err)
{
	_str_ struct str out = { 0 };
	struct listing l = { .out = &out, .json = { .out = &out } };

	if (c->o.quiet)
		l.how = LIST_IDS;
	else if (str_eq(c->o.format, "json"))
		l.how = LIST_JSON;
	else if (c->o.format && !str_eq(c->o.format, "table"))
		return err_set(err, ERR_USAGE, NULL,
			"invalid format option \"%s\": table and json are known", c->o.format);
	if (l.how == LIST_TABLE)
		str_printf(&out, "%-12s %-30s %-8s %-24s %-16s %-7s %s\n", "POD ID", "CREATED",
			"STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME");
	if (l.how == LIST_JSON)
		json_w_array(&l.json);
	if (ctr_sandbox_list(c->engine, list_one, &l, err) < 0)
		return -1;
	if (l.how == LIST_JSON) {
		json_w_array_end(&l.json);
		str_add(&out, "\n");
	}
	return print_out(&out, err);
}

/* ---- stop, remove ---- */

/* All are tried; the first failure is the command's, the others are noted. */
static int each_of(struct cli *c, int (*end)(struct ctr_engine *, const char *id, struct err *),
	struct err *err)
{
	char line[1024];
	int failed = 0;

	for (int i = 0; i < c->n_args; i++) {
		struct err why = ERR_INIT;
		if (end(c->engine, c->args[i], &why) == 0)
			continue;
		err_line(&why, line, sizeof(line));
		if (failed++)
			log_warn("%s: %s", c->args[i], line);
		else
			*err = why;
	}
	return failed ? -1 : 0;
}

int verb_sandbox_stop(struct cli *c, struct err *err)
{
	return each_of(c, ctr_sandbox_stop, err);
}

int verb_sandbox_remove(struct cli *c, struct err *err)
{
	return each_of(c, ctr_sandbox_remove, err);
}
