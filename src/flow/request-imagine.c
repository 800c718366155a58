/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a sandbox that isn't there, as it would be made: for explaining a request. */
#include "flow/request.h"
#include "flow/sandbox.h"

#include "base/path.h"
#include "model/cri.h"

/* What a pod's containers share, by where the pins would be. */
static void imagine_namespaces(struct ctr_sandbox_record *r, struct arena *a)
{
	const struct cri_namespace_option *ns = cri_pod_namespaces(r->config);
	const struct cri_user_namespace *u = ns->userns_options;
	const struct {
		int type;
		const char *name;
		bool pinned;
	} rows[] = {
		{ OCI_NS_NETWORK, "net", ns->network != CRI_NS_NODE },
		{ OCI_NS_UTS, "uts", ns->network != CRI_NS_NODE },
		{ OCI_NS_IPC, "ipc", ns->ipc != CRI_NS_NODE },
		{ OCI_NS_PID, "pid", ns->pid == CRI_NS_POD },
		{ OCI_NS_USER, "user", u && u->mode == CRI_NS_POD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].pinned)
			r->ns_path[rows[i].type] =
				arena_printf(a, "%s/%s", r->run_folder, rows[i].name);
	}
	r->shm = ns->ipc == CRI_NS_NODE ? NULL : arena_printf(a, "%s/shm", r->run_folder);
	r->hostname = ns->network == CRI_NS_NODE ? NULL
		      : r->config->hostname      ? r->config->hostname
						 : arena_printf(a, "%.12s", r->id);
}

const struct ctr_sandbox_record *sandbox_imagined(struct ctr_engine *e, const char *id,
	const char *handler, const struct cri_pod_sandbox_config *config, struct arena *a,
	struct err *err)
{
	struct ctr_sandbox_record *r = arena_alloc(a, sizeof(*r));
	bool remote;
	const char *parent = config->linux_ ? config->linux_->cgroup_parent : NULL;

	if (!r) {
		err_nomem(err);
		return NULL;
	}
	*r = (struct ctr_sandbox_record){ .id = id,
		.config = config,
		.runtime_handler = handler,
		.state = CTR_SANDBOX_READY,
		.folder = arena_printf(a, "%s/sandboxes/%s", e->data, id),
		.run_folder = arena_printf(a, "%s/.sandboxes/%s", e->root, id),
		.cgroup =
			parent ? path_clean(a, parent) : arena_printf(a, "/ctrctl-pod-%.12s", id) };
	if (sandbox_is_remote(e, r, &remote, err) < 0)
		return NULL;
	if (!remote && !arena_failed(a))
		imagine_namespaces(r, a);
	if (arena_failed(a)) {
		err_nomem(err);
		return NULL;
	}
	return r;
}
