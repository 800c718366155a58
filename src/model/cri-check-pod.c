/* SPDX-License-Identifier: Apache-2.0 */
/* A container against the pod that it is put in, and two descriptions of one pod. */
#include "model/cri-check.h"

#include <string.h>

/* ---- a container in its pod ---- */

/* POD is what the pod has, be it the host's; NODE is only to be had where the pod has it. */
static void check_node(struct cri_check *c, const char *field, int mode, int pod_mode)
{
	if (mode == CRI_NS_NODE && pod_mode != CRI_NS_NODE)
		cri_fault(c, ERR_INVALID, field,
			"is NODE, but the sandbox isn't in that namespace of the host");
}

static bool same_maps(
	const struct cri_id_mapping *a, size_t n_a, const struct cri_id_mapping *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

/* Absent means the pod's. */
static void check_user_namespace(struct cri_check *c, const struct cri_user_namespace *own,
	const struct cri_user_namespace *pod)
{
	bool pod_has_one = pod && pod->mode == CRI_NS_POD;
	size_t mark;

	if (!own)
		return;
	mark = cri_enter(c, "userns_options");
	if ((own->mode == CRI_NS_POD) != pod_has_one)
		cri_fault(c, ERR_INVALID, "mode", "differs from the sandbox's, which has %s",
			pod_has_one ? "a user namespace" : "no user namespace");
	else if (pod_has_one && !same_maps(own->uids, own->n_uids, pod->uids, pod->n_uids))
		cri_fault(c, ERR_INVALID, "uids", "differ from the sandbox's");
	else if (pod_has_one && !same_maps(own->gids, own->n_gids, pod->gids, pod->n_gids))
		cri_fault(c, ERR_INVALID, "gids", "differ from the sandbox's");
	cri_leave(c, mark);
}

void cri_container_check_in_pod(const struct cri_container_config *config,
	const struct cri_pod_sandbox_config *stored, struct ctr_faults *faults)
{
	struct cri_check c = { .faults = faults };
	const struct cri_namespace_option *own = cri_namespaces(config);
	const struct cri_namespace_option *pod = cri_pod_namespaces(stored);
	size_t mark = cri_enter(&c, "config.linux.security_context"), inner;

	if (cri_security(config)->privileged && !cri_pod_security(stored)->privileged)
		cri_fault(&c, ERR_INVALID, "privileged",
			"no privileged container is allowed in a sandbox that isn't privileged");
	inner = cri_enter(&c, "namespace_options");
	check_node(&c, "network", own->network, pod->network);
	check_node(&c, "ipc", own->ipc, pod->ipc);
	check_node(&c, "pid", own->pid, pod->pid);
	if (own->pid == CRI_NS_POD && pod->pid == CRI_NS_CONTAINER)
		cri_fault(&c, ERR_INVALID, "pid",
			"is POD, but the sandbox has no pid namespace to share (its own pid is CONTAINER): ask for CONTAINER");
	check_user_namespace(&c, own->userns_options, pod->userns_options);
	cri_leave(&c, inner);
	cri_leave(&c, mark);
}

/* ---- two descriptions of a pod ---- */

enum { SHOWN_MAX = 80 };

/*
 * What isn't compared. The stored value counts in any case, so a difference harms nobody, and these
 * do change in a pod's life: the kubelet reads the node's resolv.conf anew for each call, resizes
 * the sums, and labels and annotations are only carried along.
 */
static bool may_differ(const struct json_field *table, const char *name)
{
	static const struct {
		const struct json_field *table;
		const char *name;
	} rows[] = {
		{ cri_pod_fields, "dns_config" },
		{ cri_pod_fields, "labels" },
		{ cri_pod_fields, "annotations" },
		{ cri_linux_pod_fields, "overhead" },
		{ cri_linux_pod_fields, "resources" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].table == table && str_eq(rows[i].name, name))
			return true;
	return false;
}

/* Messages whose absence means the same as an empty one. Of the others (a seccomp profile, a user)
 * absence says something else. */
static bool is_plain_message(const char *name)
{
	static const char *const names[] = { "metadata", "linux", "security_context",
		"namespace_options", "selinux_options" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

/* One field as text: a table of that row alone does it. */
static void field_text(const struct json_field *f, const void *base, struct str *out)
{
	const struct json_field row[] = { *f, { 0 } };
	struct json_writer w = { .out = out, .sorted = true };

	json_w_fields(&w, row, base);
}

static void compare_field(
	struct cri_check *c, const struct json_field *f, const char *given, const char *stored)
{
	_str_ struct str a = { 0 }, b = { 0 };

	field_text(f, given, &a);
	field_text(f, stored, &b);
	if (a.failed || b.failed)
		cri_fault(c, ERR_EXHAUSTED, f->name, "out of memory");
	else if (!str_eq(a.p, b.p))
		cri_fault(c, ERR_INVALID, f->name,
			"differs from what the sandbox was made with: %.*s%s", SHOWN_MAX, b.p,
			b.n > SHOWN_MAX ? "..." : "");
}

static void compare(
	struct cri_check *c, const struct json_field *fields, const char *given, const char *stored)
{
	/* As large as the largest of the plain messages. */
	static const union {
		struct cri_pod_sandbox_metadata metadata;
		struct cri_linux_pod_sandbox_config linux_;
		struct cri_linux_sandbox_security_context security;
		struct cri_namespace_option namespaces;
		struct cri_selinux_option selinux;
	} empty;

	for (const struct json_field *f = fields; f->name; f++) {
		const char *a, *b;
		if (may_differ(fields, f->name) || f->kind == J_PRESENT)
			continue;
		if (!is_plain_message(f->name)) {
			compare_field(c, f, given, stored);
			continue;
		}
		memcpy(&a, given + f->off, sizeof(a));
		memcpy(&b, stored + f->off, sizeof(b));
		size_t mark = cri_enter(c, "%s", f->name);
		compare(c, f->more, a ? a : (const char *)&empty, b ? b : (const char *)&empty);
		cri_leave(c, mark);
	}
}

void cri_pod_compare(const struct cri_pod_sandbox_config *given,
	const struct cri_pod_sandbox_config *stored, struct ctr_faults *faults)
{
	struct cri_check c = { .faults = faults };

	if (!given)
		return;
	size_t mark = cri_enter(&c, "sandbox_config");
	compare(&c, cri_pod_fields, (const char *)given, (const char *)stored);
	cri_leave(&c, mark);
}
