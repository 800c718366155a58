/* SPDX-License-Identifier: Apache-2.0 */
/* What a process has besides its namespaces: terminal, limits, scheduling, memory policy, ids.
 * Capabilities are in caps.c. */
#include "backend/native/compile.h"
#include "base/log.h"
#include "base/sys.h"
#include "model/rlimits.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

enum { DEFAULT_UMASK = 0022 };

/* ---- terminal and standard fds ---- */

int attrs_terminal(struct compile *c, struct err *err)
{
	const struct oci_process *p = c->process;

	plan_step(c->plan, OP_SETSID, NULL);
	if (!p->terminal) {
		struct plan_step *s = plan_step(c->plan, OP_STDIO, NULL);
		s->a = p->user.uid;
		s->flags = STEP_OWN;
		return 0;
	}
	struct plan_step *s = plan_step(c->plan, OP_CONSOLE, "process.terminal");
	if (p->console_size && p->console_size->height && p->console_size->width) {
		s->a = MIN(p->console_size->height, (uint64_t)USHRT_MAX);
		s->b = MIN(p->console_size->width, (uint64_t)USHRT_MAX);
	}
	s->c = (uint64_t)p->user.uid << 32;
	s->flags = STEP_OWN;
	/* A process that is added leaves /dev/console to the first one. */
	if (!c->exec && compile_private(c, CLONE_NEWNS))
		s->flags |= STEP_BIND;
	return 0;
}

/* ---- small ones ---- */

int attrs_umask(struct compile *c, struct err *err)
{
	const uint32_t *umask = c->process->user.umask;

	plan_step(c->plan, OP_UMASK, umask ? "process.user.umask" : NULL)->a =
		umask ? *umask : DEFAULT_UMASK;
	return 0;
}

int attrs_personality(struct compile *c, struct err *err)
{
	static const uint64_t domains[] = { 0x0000 /* PER_LINUX */, 0x0008 /* PER_LINUX32 */ };
	const struct oci_personality *p = c->lin->personality;

	if (p && (size_t)p->domain < ARRAY_SIZE(domains))
		plan_step(c->plan, OP_PERSONALITY, "linux.personality")->a = domains[p->domain];
	return 0;
}

int attrs_io_priority(struct compile *c, struct err *err)
{
	enum { CLASS_SHIFT = 13 };
	const struct oci_io_priority *p = c->process->io_priority;

	if (p)
		plan_step(c->plan, OP_IOPRIO, "process.ioPriority")->a =
			(uint64_t)p->class << CLASS_SHIFT | (uint64_t)(uint32_t)p->priority;
	return 0;
}

int attrs_no_new_privileges(struct compile *c, struct err *err)
{
	if (c->process->no_new_privileges)
		plan_step(c->plan, OP_NNP, "process.noNewPrivileges");
	return 0;
}

int attrs_rlimits(struct compile *c, struct err *err)
{
	for (size_t i = 0; i < c->process->n_rlimits; i++) {
		const struct oci_rlimit *l = &c->process->rlimits[i];
		const char *place = compile_text(c, "process.rlimits[%zu]", i);
		int number = rlimit_number(l->type);
		if (number < 0) {
			err_set(err, ERR_INVALID, l->type, "wrong rlimit value: %s", l->type);
			return err_in(err, "%s", place);
		}
		struct plan_step *s = plan_step(c->plan, OP_RLIMIT, place);
		s->a = (uint64_t)number;
		s->b = l->soft;
		s->c = l->hard;
	}
	return 0;
}

/* ---- scheduling ---- */

/* As the kernel has had it since 3.14 (SCHED_ATTR_SIZE_VER0). */
struct sched_attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

int attrs_scheduler(struct compile *c, struct err *err)
{
	static const uint32_t policies[OCI_SCHED_N] = {
		[OCI_SCHED_OTHER] = SCHED_OTHER,
		[OCI_SCHED_FIFO] = SCHED_FIFO,
		[OCI_SCHED_RR] = SCHED_RR,
		[OCI_SCHED_BATCH] = SCHED_BATCH,
		[OCI_SCHED_ISO] = SCHED_ISO,
		[OCI_SCHED_IDLE] = SCHED_IDLE,
		[OCI_SCHED_DEADLINE] = SCHED_DEADLINE,
	};
	const struct oci_scheduler *o = c->process->scheduler;

	if (!o)
		return 0;
	struct sched_attr_v0 *a = arena_alloc(c->plan->arena, sizeof(*a));
	if (!a)
		return err_nomem(err);
	a->size = sizeof(*a);
	a->policy = policies[o->policy];
	a->nice = o->nice ? *o->nice : 0;
	a->priority = o->priority ? (uint32_t)*o->priority : 0;
	a->runtime = o->runtime;
	a->deadline = o->deadline;
	a->period = o->period;
	for (size_t i = 0; i < o->n_flags; i++)
		a->flags |= UINT64_C(1)
			    << o->flags[i]; /* the table is in the order of the kernel's bits */
	struct plan_step *s = plan_step(c->plan, OP_SCHED, "process.scheduler");
	s->s1 = a;
	s->n1 = sizeof(*a);
	return 0;
}

/* "0-3,7" as a bit mask of `bits` bits, whole longs. -1: not a list, or beyond the mask. */
static int parse_list(const char *text, uint64_t *mask, size_t bits)
{
	while (*text) {
		char *end;
		if (*text < '0' || *text > '9')
			return -1;
		unsigned long from = strtoul(text, &end, 10), to = from;
		if (*end == '-') {
			text = end + 1;
			if (*text < '0' || *text > '9')
				return -1;
			to = strtoul(text, &end, 10);
		}
		if (to >= bits || from > to)
			return -1;
		for (; from <= to; from++)
			mask[from / 64] |= UINT64_C(1) << (from % 64);
		if (*end && *end != ',' && *end != '\n')
			return -1;
		text = *end ? end + 1 : end;
	}
	return 0;
}

enum { CPUS_MAX = 8192, NODES_MAX = 1024 };

/* NULL: all that the cgroup allows. */
static int add_affinity(struct compile *c, const char *list, const char *place, struct err *err)
{
	size_t size = CPUS_MAX / 8;
	uint64_t *mask = arena_alloc(c->plan->arena, size);

	if (!mask)
		return err_nomem(err);
	if (!list)
		memset(mask, 0xff, size);
	else if (parse_list(list, mask, CPUS_MAX) < 0)
		return err_set(err, ERR_INVALID, place, "\"%s\" is no list of CPUs", list);
	while (list && size > 8 && !mask[size / 8 - 1])
		size -= 8;
	struct plan_step *s = plan_step(c->plan, OP_AFFINITY, place);
	s->s1 = mask;
	s->a = s->n1 = size;
	return 0;
}

static const char *given(const char *list)
{
	return list && *list ? list : NULL;
}

int attrs_affinity_initial(struct compile *c, struct err *err)
{
	const struct oci_cpu_affinity *a = c->process->exec_cpu_affinity;

	if (!a || !given(a->initial))
		return 0;
	return add_affinity(c, a->initial, "process.execCPUAffinity.initial", err);
}

/* The caller's own affinity isn't inherited: the container has the CPUs of its cgroup. */
int attrs_affinity(struct compile *c, struct err *err)
{
	const struct oci_cpu_affinity *a = c->exec ? c->process->exec_cpu_affinity : NULL;

	return add_affinity(
		c, a ? given(a->final) : NULL, a ? "process.execCPUAffinity.final" : NULL, err);
}

int attrs_memory_policy(struct compile *c, struct err *err)
{
	enum {
		FIRST_FLAG = 13
	}; /* MPOL_F_NUMA_BALANCING, RELATIVE_NODES, STATIC_NODES: bits 13 to 15 */
	const struct oci_memory_policy *p = c->lin->memory_policy;

	if (!p)
		return 0;
	struct plan_step *s = plan_step(c->plan, OP_MEMPOLICY, "linux.memoryPolicy");
	s->a = (uint64_t)p->mode;
	for (size_t i = 0; i < p->n_flags; i++)
		s->a |= UINT64_C(1) << (FIRST_FLAG + p->flags[i]);
	if (!given(p->nodes))
		return 0;
	uint64_t *mask = arena_alloc(c->plan->arena, NODES_MAX / 8 + 8);
	if (!mask)
		return err_nomem(err);
	if (parse_list(p->nodes, mask, NODES_MAX) < 0)
		return err_set(err, ERR_INVALID, "linux.memoryPolicy.nodes",
			"\"%s\" is no list of nodes", p->nodes);
	s->s1 = mask;
	s->n1 = NODES_MAX / 8 + 8; /* init reads b / 64 + 1 words */
	s->b = NODES_MAX;
	return 0;
}

/* ---- ids ---- */

int attrs_ids(struct compile *c, struct err *err)
{
	const struct oci_user *u = &c->process->user;
	struct plan_step *s = plan_step(c->plan, OP_IDS, "process.user");

	s->a = u->uid;
	s->b = u->gid;
	s->c = u->n_additional_gids;
	s->s1 = u->n_additional_gids ? u->additional_gids : NULL;
	s->n1 = u->n_additional_gids * sizeof(*u->additional_gids);
	return 0;
}
