/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which a container is set up: the two tables below, from top to bottom. Everything
 * else follows from them; a test holds them to the order that the runtime specification and the
 * kernel demand.
 */
#include "backend/native/compile.h"
#include "base/sys.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>

static const struct stage {
	const char *name;
	compile_stage *run;
} create_stages[] = {
	/* Refusals that need no step. */
	{ "labels", lsm_check },
	{ "args and env", process_vectors },
	{ "arrangement", namespaces_arrange },
	{ "mount options", mounts_parse },
	/* How the process comes to be where it belongs. */
	{ "namespaces", namespaces_enter },
	{ "keyring", lsm_keyring },
	{ "loopback", namespaces_loopback },
	/* The root, and what is mounted in it, as the specification lists it. */
	{ "root", rootfs_open },
	{ "mounts", mounts_all },
	{ "devices", nodes_all },
	/* Hooks that may still change it: from the host's side, then from inside. */
	{ "runtime hooks", hooks_runtime },
	{ "createContainer hooks", hooks_create_container },
	/* What needs a procfs of one's own, while the host's is there to vouch for it. */
	{ "host names", namespaces_hostnames },
	{ "sysctls", namespaces_sysctl },
	{ "procfs for labels", lsm_proc },
	/* From here on nothing of the host is in reach. */
	{ "pivot", rootfs_pivot },
	{ "terminal", attrs_terminal },
	{ "make the working directory", process_make_cwd },
	{ "HOME", process_home },
	{ "masked paths", rootfs_masks },
	{ "read-only paths", rootfs_readonly_paths },
	{ "read-only mounts", mounts_late_readonly },
	{ "read-only root", rootfs_readonly },
	{ "root propagation", rootfs_propagation },
	{ "working directory as root", process_try_cwd },
	/* The process: what needs privileges first, then the privileges. */
	{ "umask", attrs_umask },
	{ "personality", attrs_personality },
	{ "CPUs", attrs_affinity },
	{ "scheduler", attrs_scheduler },
	{ "io priority", attrs_io_priority },
	{ "memory policy", attrs_memory_policy },
	{ "bounding set", caps_bounding },
	{ "label", lsm_label },
	{ "ids", attrs_ids },
	{ "capabilities", caps_sets },
	{ "no new privileges", attrs_no_new_privileges },
	{ "working directory", process_cwd },
	{ "find the program", process_find },
	{ "ready", process_ready },
	/* `ctrctl start` opens the gate. */
	{ "gate", process_gate },
	{ "startContainer hooks", hooks_start_container },
	{ "limits", attrs_rlimits },
	{ "filter", process_filter },
	{ "exec", process_exec },
};

static const struct stage exec_stages[] = {
	{ "labels", lsm_check },
	{ "args and env", process_vectors },
	{ "initial CPUs", attrs_affinity_initial },
	{ "namespaces", namespaces_exec },
	{ "keyring", lsm_keyring },
	{ "root", rootfs_exec },
	{ "procfs for labels", lsm_proc },
	{ "terminal", attrs_terminal },
	{ "HOME", process_home },
	{ "working directory as root", process_try_cwd },
	{ "umask", attrs_umask },
	{ "scheduler", attrs_scheduler },
	{ "io priority", attrs_io_priority },
	{ "final CPUs", attrs_affinity },
	{ "bounding set", caps_bounding },
	{ "label", lsm_label },
	{ "ids", attrs_ids },
	{ "capabilities", caps_sets },
	{ "no new privileges", attrs_no_new_privileges },
	{ "working directory", process_cwd },
	{ "find the program", process_find },
	{ "ready", process_ready },
	{ "limits", attrs_rlimits },
	{ "filter", process_filter },
	{ "exec", process_exec },
};

const char *compile_text(struct compile *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *text = n < 0 ? NULL : arena_alloc(c->plan->arena, (size_t)n + 1);
	if (!text) {
		c->plan->failed = true;
		return "";
	}
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

static int run(struct compile *c, const struct stage *stages, size_t n, struct err *err)
{
	static const struct oci_linux nothing;

	if (!c->process)
		return err_set(err, ERR_INVALID, "process", "process property must not be empty");
	if (!c->spec->root || !c->spec->root->path || !*c->spec->root->path)
		return err_set(err, ERR_INVALID, "root.path", "is missing");
	c->lin = c->spec->linux_ ? c->spec->linux_ : &nothing;
	for (size_t i = 0; i < OCI_NS_N; i++)
		c->ns_source[i] = -1;
	for (size_t i = 0; i < n; i++)
		if (stages[i].run(c, err) < 0)
			return -1;
	return plan_ok(c->plan, err);
}

int plan_create(const struct oci_spec *spec, const struct plan_facts *facts, struct plan *p,
	struct err *err)
{
	struct compile c = { .spec = spec, .process = spec->process, .facts = facts, .plan = p };

	return run(&c, create_stages, ARRAY_SIZE(create_stages), err);
}

int plan_exec(const struct oci_spec *spec, const struct oci_process *process,
	const struct plan_exec *how, const struct plan_facts *facts, struct plan *p,
	struct err *err)
{
	struct compile c = {
		.spec = spec, .process = process, .exec = how, .facts = facts, .plan = p
	};

	return run(&c, exec_stages, ARRAY_SIZE(exec_stages), err);
}
