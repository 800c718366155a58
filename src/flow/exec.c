/* SPDX-License-Identifier: Apache-2.0 */
/* Another process in a container: the config's own process or a given one, with what the caller
 * wants otherwise. */
#include "flow/flow.h"
#include "model/oci.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* old + more in fresh memory of the arena; NULL when memory is out. */
static const char **join(
	struct arena *a, const char **old, size_t n, const char *const *more, size_t n_more)
{
	const char **all = arena_array(a, n + n_more, sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = old[i];
	for (size_t i = 0; all && i < n_more; i++)
		all[n + i] = more[i];
	return all;
}

static int add_caps(
	struct oci_process *p, const struct ctr_exec_request *req, struct arena *a, struct err *err)
{
	struct oci_capabilities *caps = arena_alloc(a, sizeof(*caps));

	if (!caps)
		return err_nomem(err);
	if (p->capabilities)
		*caps = *p->capabilities;
	caps->bounding = join(a, caps->bounding, caps->n_bounding, req->caps, req->n_caps);
	caps->effective = join(a, caps->effective, caps->n_effective, req->caps, req->n_caps);
	caps->permitted = join(a, caps->permitted, caps->n_permitted, req->caps, req->n_caps);
	if (!caps->bounding || !caps->effective || !caps->permitted)
		return err_nomem(err);
	caps->n_bounding += req->n_caps;
	caps->n_effective += req->n_caps;
	caps->n_permitted += req->n_caps;
	p->capabilities = caps;
	return 0;
}

static void set_user(struct oci_process *p, const struct ctr_exec_request *req, uint32_t *gids)
{
	if (req->has_uid)
		p->user.uid = req->uid;
	if (req->has_gid)
		p->user.gid = req->gid;
	if (req->n_additional_gids) {
		p->user.additional_gids = gids;
		p->user.n_additional_gids = req->n_additional_gids;
	}
}

static int override(
	struct oci_process *p, const struct ctr_exec_request *req, struct arena *a, struct err *err)
{
	uint32_t *gids = arena_array(a, req->n_additional_gids, sizeof(*gids));

	if (!gids)
		return err_nomem(err);
	if (req->n_additional_gids)
		memcpy(gids, req->additional_gids, req->n_additional_gids * sizeof(*gids));
	set_user(p, req, gids);
	if (req->n_args) {
		p->args = join(a, NULL, 0, req->args, req->n_args);
		p->n_args = req->n_args;
	}
	if (req->n_env) {
		p->env = join(a, p->env, p->n_env, req->env, req->n_env);
		p->n_env += req->n_env;
	}
	if ((req->n_args && !p->args) || (req->n_env && !p->env))
		return err_nomem(err);
	if (req->cwd)
		p->cwd = req->cwd;
	if (req->terminal)
		p->terminal = true;
	if (req->no_new_privileges)
		p->no_new_privileges = true;
	if (req->apparmor)
		p->apparmor_profile = req->apparmor;
	if (req->selinux_label)
		p->selinux_label = req->selinux_label;
	return req->n_caps ? add_caps(p, req, a, err) : 0;
}

/* The process to run: terminal and arguments never come from the config alone. */
static int compose(struct ctr_container *c, const struct oci_spec *spec,
	const struct ctr_exec_request *req, struct oci_process *p, struct err *err)
{
	struct oci_process *given;

	if (req->process_json) {
		if (oci_process_parse(
			    req->process_json, req->process_json_n, c->arena, &given, err) < 0)
			return err_in(err, "process:");
		*p = *given;
	} else if (spec->process) {
		*p = *spec->process;
		p->terminal = false;
		p->console_size = NULL;
		if (!req->n_args)
			return err_set(err, ERR_USAGE, NULL, "exec needs a command or --process");
	} else {
		return err_set(
			err, ERR_INVALID, "process", "neither given nor in the container's config");
	}
	if (override(p, req, c->arena, err) < 0)
		return -1;
	if (oci_process_check(p, spec, err) < 0)
		return err_in(err, "process:");
	return bundle_check_console(&req->attach, p->terminal, err);
}

static int may_exec(struct ctr_container *c, bool ignore_paused, struct err *err)
{
	enum ctr_status status;

	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status == CTR_PAUSED && ignore_paused)
		return 0;
	return lifecycle_check(VERB_EXEC, status, c->rec.id, err);
}

int ctr_container_exec(struct ctr_container *c, const struct ctr_exec_request *req, pid_t *ret_pid,
	struct err *err)
{
	const uint64_t begin = ctr_trace_now();
	const struct oci_spec *spec;
	_close_ int cache = FD_NONE;
	struct oci_process p;
	struct ctr_exec x;
	pid_t pid;

	if (!c->backend->exec)
		return container_unsupported(c, "exec", err);
	if (may_exec(c, req->ignore_paused, err) < 0)
		return -1;
	spec = bundle_stored(c, err);
	if (!spec || compose(c, spec, req, &p, err) < 0)
		return -1;
	cache = store_cache(&c->engine->store);
	x = (struct ctr_exec){
		.spec = spec,
		.process = &p,
		.attach = req->attach,
		.cache_fd = cache,
		.sub_cgroup = req->sub_cgroup,
		.ignore_paused = req->ignore_paused,
		.no_new_keyring = req->no_new_keyring,
		.trace = req->trace,
	};
	if (c->backend->exec(&c->rec, &x, &pid, err) < 0)
		return -1;
	ctr_trace_add(req->trace, "exec", c->rec.id, getpid(), begin, ctr_trace_now());
	if (req->pid_file && pid_file_write(req->pid_file, pid, err) < 0) {
		kill(pid, SIGKILL);
		return -1;
	}
	*ret_pid = pid;
	return 0;
}
