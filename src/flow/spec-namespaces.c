/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.namespaces: the pod's are joined by their pins; mount, and unless privileged cgroup, are
 * always the container's own. A namespace of the host is given only where the stored sandbox says
 * NODE: a pin that is missing for any other reason is a fault.
 */
#include "flow/spec-build.h"

#include <string.h>

#define OPTIONS SPEC_SECURITY "namespace_options."

struct list {
	struct oci_namespace items[OCI_NS_N];
	size_t n;
};

static void add(struct list *list, int type, const char *path)
{
	list->items[list->n++] = (struct oci_namespace){ type, path };
}

/* Joins the pod's namespace, or leaves the host's where that is what the pod has. */
static void join(struct spec_build *b, struct list *list, int type, bool pod_has_hosts)
{
	const char *path = b->in->sandbox->ns_path[type];

	if (pod_has_hosts)
		return;
	if (path && path[0] == '/') {
		add(list, type, path);
		return;
	}
	ctr_fault_add(b->faults, ERR_STATE, "pod_sandbox_id", "the sandbox has no %s namespace",
		oci_namespace_name(type));
}

/* The host's namespace, which only a pod that has it itself may give. */
static bool asks_too_much(struct spec_build *b, int mode, int pod_mode, const char *field)
{
	if (mode != CRI_NS_NODE || pod_mode == CRI_NS_NODE)
		return false;
	ctr_fault_add(b->faults, ERR_INVALID, field,
		"the host's namespace was asked for, but the sandbox doesn't have it");
	return true;
}

static void add_pid(struct spec_build *b, struct list *list)
{
	const char *target = b->in->facts->target_pid_ns;

	switch (b->ns->pid) {
	case CRI_NS_POD: join(b, list, OCI_NS_PID, b->pod_ns->pid == CRI_NS_NODE); break;
	case CRI_NS_CONTAINER: add(list, OCI_NS_PID, NULL); break;
	case CRI_NS_NODE: asks_too_much(b, CRI_NS_NODE, b->pod_ns->pid, OPTIONS "pid"); break;
	case CRI_NS_TARGET:
		if (target && target[0] == '/')
			add(list, OCI_NS_PID, target);
		else
			ctr_fault_add(b->faults, ERR_INVALID, OPTIONS "target_id",
				"the container whose pid namespace is to be shared isn't known");
		break;
	default: ctr_fault_add(b->faults, ERR_INVALID, OPTIONS "pid", "%d is no mode", b->ns->pid);
	}
}

/* The CRI has no container with a network of its own: CONTAINER is the pod's. */
static void add_network(struct spec_build *b, struct list *list)
{
	b->host_net = b->pod_ns->network == CRI_NS_NODE;
	if (asks_too_much(b, b->ns->network, b->pod_ns->network, OPTIONS "network"))
		return;
	if (b->ns->network < 0 || b->ns->network > CRI_NS_NODE)
		ctr_fault_add(b->faults, ERR_INVALID, OPTIONS "network",
			"must be POD, CONTAINER or NODE");
	join(b, list, OCI_NS_NETWORK, b->host_net);
	/* The host's name goes with the host's network. */
	if (!b->host_net || b->in->sandbox->ns_path[OCI_NS_UTS])
		join(b, list, OCI_NS_UTS, false);
}

static void add_ipc(struct spec_build *b, struct list *list)
{
	if (asks_too_much(b, b->ns->ipc, b->pod_ns->ipc, OPTIONS "ipc"))
		return;
	if (b->ns->ipc < 0 || b->ns->ipc > CRI_NS_NODE)
		ctr_fault_add(
			b->faults, ERR_INVALID, OPTIONS "ipc", "must be POD, CONTAINER or NODE");
	b->own_ipc = b->ns->ipc == CRI_NS_CONTAINER;
	if (b->own_ipc)
		add(list, OCI_NS_IPC, NULL);
	else
		join(b, list, OCI_NS_IPC, b->pod_ns->ipc == CRI_NS_NODE);
}

/* The maps are repeated beside the path: runtimes compare them with the namespace's, and take those
 * of idmapped mounts from them. */
static void add_user(struct spec_build *b, struct list *list)
{
	const struct cri_user_namespace *pod = b->pod_ns->userns_options;
	const struct cri_user_namespace *own = b->ns->userns_options;
	struct oci_linux *l = b->spec->linux_;

	b->user_ns = pod && pod->mode != CRI_NS_NODE;
	if (own && (own->mode != CRI_NS_NODE) != b->user_ns) {
		ctr_fault_add(b->faults, ERR_INVALID, OPTIONS "userns_options.mode",
			"differs from the sandbox's");
		return;
	}
	if (!b->user_ns)
		return;
	if (own && (!spec_same_maps(own->uids, own->n_uids, pod->uids, pod->n_uids) ||
			   !spec_same_maps(own->gids, own->n_gids, pod->gids, pod->n_gids)))
		ctr_fault_add(b->faults, ERR_INVALID, OPTIONS "userns_options",
			"the mappings differ from the sandbox's");
	join(b, list, OCI_NS_USER, false);
	l->uid_mappings = spec_id_maps(b, pod->uids, pod->n_uids);
	l->gid_mappings = spec_id_maps(b, pod->gids, pod->n_gids);
	l->n_uid_mappings = l->uid_mappings ? pod->n_uids : 0;
	l->n_gid_mappings = l->gid_mappings ? pod->n_gids : 0;
}

void spec_namespaces(struct spec_build *b)
{
	struct oci_linux *l = b->spec->linux_;
	struct list list = { .n = 0 };

	add_user(b, &list);
	add_pid(b, &list);
	add_network(b, &list);
	add_ipc(b, &list);
	add(&list, OCI_NS_MOUNT, NULL);
	if (!b->privileged)
		add(&list, OCI_NS_CGROUP, NULL);
	l->namespaces = spec_box(b, list.items, list.n * sizeof(*list.items));
	l->n_namespaces = l->namespaces ? list.n : 0;
}
