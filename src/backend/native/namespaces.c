/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces: how the process comes to be in them, and what is set in them.
 *
 * Three arrangements; the first that can do it is taken (each works on Linux 6.1 and newer, others
 * of them don't):
 *
 * - direct: one clone into all new ones; init joins network, ipc, uts, cgroup and mount namespaces
 *   by itself.
 * - helper: a new user namespace beside joined ones: those belong to the host, and joining them
 *   from inside the new user namespace is EPERM. A helper joins them before it clones.
 * - host side: a pid or user namespace is joined, or a process is added to a container: init is
 *   executed outside, joins, and forks; so no process with the host's program in its memory is ever
 *   visible inside.
 *
 * A time namespace is entered by the parent before the clone in each of them.
 */
#include "backend/native/compile.h"
#include "backend/native/net-message.h"
#include "base/sys.h"
#include "model/oci.h"

#include <sched.h>
#include <string.h>

/* Host-owned ones first: after the user namespace was entered they would be out of reach. */
static const int join_order[] = { OCI_NS_NETWORK, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_CGROUP,
	OCI_NS_MOUNT, OCI_NS_PID, OCI_NS_USER };

/* That kinds aren't given twice, and that maps and offsets fit, was checked with the rest of the
 * specification. */
static int add_namespace(struct compile *c, size_t i, struct err *err)
{
	const struct oci_namespace *ns = &c->lin->namespaces[i];
	uint64_t flag = oci_namespace_clone_flag(ns->type);
	const char *place = compile_text(c, "linux.namespaces[%zu]", i);

	if (!ns->path) {
		c->fresh |= flag;
		return 0;
	}
	if (*ns->path != '/') {
		err_set(err, ERR_INVALID, ns->path, "the path of a namespace must be absolute");
		return err_in(err, "%s", place);
	}
	if (c->facts->same_ns & flag)
		return 0; /* there already; for a user namespace the kernel would even refuse */
	c->joined |= flag;
	plan_source(c->plan, SRC_NS, ns->path, place, &c->ns_source[ns->type])->ns_flag = flag;
	return 0;
}

int namespaces_arrange(struct compile *c, struct err *err)
{
	struct plan_spawn *s = &c->plan->spawn;

	for (size_t i = 0; i < OCI_NS_N; i++)
		c->ns_source[i] = -1;
	for (size_t i = 0; i < c->lin->n_namespaces; i++)
		if (add_namespace(c, i, err) < 0)
			return -1;
	s->new_ns = c->fresh;
	s->joined_ns = c->joined;
	s->time_ns = c->fresh & CLONE_NEWTIME;
	s->time_join = c->ns_source[OCI_NS_TIME];
	s->user_ns = c->fresh & CLONE_NEWUSER;
	s->time_offsets = c->lin->time_offsets;
	if (s->user_ns) {
		s->uid_map = c->lin->uid_mappings;
		s->n_uid_map = c->lin->n_uid_mappings;
		s->gid_map = c->lin->gid_mappings;
		s->n_gid_map = c->lin->n_gid_mappings;
	}
	s->host_side = c->joined & (CLONE_NEWPID | CLONE_NEWUSER);
	if (s->host_side || !s->user_ns)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(join_order); i++)
		if (c->ns_source[join_order[i]] >= 0)
			s->helper_join[s->n_helper_join++] = c->ns_source[join_order[i]];
	return 0;
}

static void join_all(struct compile *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(join_order); i++) {
		int source = c->ns_source[join_order[i]];
		if (source < 0)
			continue;
		struct plan_step *s = plan_step(c->plan, OP_SETNS, c->plan->sources[source].place);
		s->source = source;
		s->a = c->plan->sources[source].ns_flag;
	}
}

int namespaces_enter(struct compile *c, struct err *err)
{
	const struct plan_spawn *s = &c->plan->spawn;

	if (s->host_side) {
		join_all(c);
		plan_step(c->plan, OP_FORK, NULL)->a = c->fresh & ~(uint64_t)CLONE_NEWTIME;
	}
	if (s->user_ns)
		plan_step(c->plan, OP_GO, NULL);
	if (compile_private(c, CLONE_NEWUSER))
		plan_step(c->plan, OP_BE_ROOT, NULL)->flags = STEP_SOFT;
	if (!s->host_side && !s->n_helper_join)
		join_all(c);
	return 0;
}

/* Another process for a container: all of its namespaces at once, the user namespace among them. */
int namespaces_exec(struct compile *c, struct err *err)
{
	uint64_t differ = c->exec->differ;
	int pidfd;

	if (!c->exec->user_differs)
		differ &= ~(uint64_t)CLONE_NEWUSER;
	for (size_t i = 0; i < c->lin->n_namespaces; i++) {
		const struct oci_namespace *ns = &c->lin->namespaces[i];
		uint64_t flag = oci_namespace_clone_flag(ns->type) & differ;
		*(ns->path ? &c->joined : &c->fresh) |= flag;
	}
	if (!differ)
		return 0;
	plan_source(c->plan, SRC_PIDFD, NULL, NULL, &pidfd);
	struct plan_step *s = plan_step(c->plan, OP_SETNS_PIDFD, NULL);
	s->source = pidfd;
	s->a = differ;
	c->plan->spawn.joined_ns = differ;
	c->plan->spawn.host_side = differ & CLONE_NEWPID;
	if (c->plan->spawn.host_side)
		plan_step(c->plan, OP_FORK, NULL);
	if (differ & CLONE_NEWUSER)
		plan_step(c->plan, OP_BE_ROOT, NULL)->flags = STEP_SOFT;
	return 0;
}

int namespaces_loopback(struct compile *c, struct err *err)
{
	if (!(c->fresh & CLONE_NEWNET))
		return 0;
	struct plan_step *s = plan_step(c->plan, OP_NETLINK, NULL);
	s->s1 = (const char *)net_message_loopback;
	s->a = s->n1 = NET_MESSAGE_LOOPBACK;
	s->b = 1;
	return 0;
}

/* ---- names ---- */

enum { UTS_NAME_MAX = 64 };

static int add_name(
	struct compile *c, enum wire_op op, const char *name, const char *place, struct err *err)
{
	if (!name || !*name)
		return 0;
	if (!compile_private(c, CLONE_NEWUTS))
		return err_set(
			err, ERR_INVALID, place, "needs a uts namespace of the container's own");
	if (strlen(name) > UTS_NAME_MAX)
		return err_set(err, ERR_INVALID, place, "is longer than %d bytes", UTS_NAME_MAX);
	struct plan_step *s = plan_step(c->plan, op, place);
	s->s1 = name;
	s->a = strlen(name);
	return 0;
}

int namespaces_hostnames(struct compile *c, struct err *err)
{
	if (add_name(c, OP_HOSTNAME, c->spec->hostname, "hostname", err) < 0)
		return -1;
	return add_name(c, OP_DOMAINNAME, c->spec->domainname, "domainname", err);
}

/* ---- sysctl ---- */

/* Names and their namespaces were checked with the specification. One that is joined but ctrctl's
 * own isn't the container's. */
static uint64_t sysctl_kind(const char *path)
{
	if (str_starts(path, "net/"))
		return CLONE_NEWNET;
	if (str_starts(path, "user/"))
		return CLONE_NEWUSER;
	return str_eq(path, "kernel/domainname") ? CLONE_NEWUTS : CLONE_NEWIPC;
}

static int add_sysctl(struct compile *c, const struct ctr_pair *p, struct err *err)
{
	const char *place = compile_text(c, "linux.sysctl[\"%s\"]", p->key);
	const char *path = oci_sysctl_path(c->plan->arena, p->key);

	if (!path)
		return err_nomem(err);
	if (!compile_private(c, sysctl_kind(path))) {
		err_set(err, ERR_INVALID, NULL,
			"sysctl \"%s\" is not in a separate kernel namespace", p->key);
		return err_in(err, "%s", place);
	}
	struct plan_step *s = plan_step(c->plan, OP_SYSCTL, place);
	s->s1 = path;
	s->s2 = p->value;
	return 0;
}

/* On a procfs of init's own, whole (subset=pid has no sys), which is gone before anything else
 * happens. */
int namespaces_sysctl(struct compile *c, struct err *err)
{
	const struct ctr_map_str *map = &c->lin->sysctl;

	if (!map->n)
		return 0;
	plan_step(c->plan, OP_PROC, "linux.sysctl")->b = 1;
	for (size_t i = 0; i < map->n; i++)
		if (add_sysctl(c, &map->items[i], err) < 0)
			return -1;
	plan_step(c->plan, OP_PROC_DONE, NULL);
	return 0;
}
