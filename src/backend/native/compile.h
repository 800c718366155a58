/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the compiler. Each stage adds its sources and steps to the plan, or refuses with the
 * place of what it can't do; the tables in compile.c say in which order they run, which is the
 * order of the container's set-up.
 */
#ifndef NATIVE_COMPILE_H
#define NATIVE_COMPILE_H

#include "backend/native/plan.h"
#include "model/mntopt.h"

struct compile {
	const struct oci_spec *spec;
	const struct oci_process *process;
	const struct oci_linux *lin; /* never NULL: an empty one stands in */
	const struct plan_facts *facts;
	const struct plan_exec *exec; /* NULL: create */
	struct plan *plan;
	uint64_t fresh;          /* CLONE_NEW* of the namespaces that are made */
	uint64_t joined;         /* ... that are joined by path and aren't ctrctl's own */
	int ns_source[OCI_NS_N]; /* of the joined ones, else -1 */
	struct mount_opts *opts; /* one per mount of the spec */
	const char **targets;    /* cleaned destinations, the same */
	bool dev_is_bound;       /* /dev comes from the host as a whole */
};

typedef int compile_stage(struct compile *, struct err *);

/* Text in the plan's arena; "" after memory ran out, which plan_ok() reports. */
const char *compile_text(struct compile *, const char *fmt, ...) _printf_(2, 3);

/* The container has one of its own: made for it, or another one than ctrctl's. */
static inline bool compile_private(const struct compile *c, uint64_t kind)
{
	return (c->fresh | c->joined) & kind;
}

/* namespaces.c */
compile_stage namespaces_arrange, namespaces_enter, namespaces_exec, namespaces_loopback,
	namespaces_hostnames, namespaces_sysctl;
/* mounts.c, rootfs.c */
compile_stage mounts_parse, mounts_all, mounts_late_readonly;
compile_stage rootfs_open, rootfs_exec, rootfs_pivot, rootfs_masks, rootfs_readonly_paths,
	rootfs_readonly, rootfs_propagation;
/* nodes.c */
compile_stage nodes_all;
/* lsm.c */
compile_stage lsm_check, lsm_keyring, lsm_proc, lsm_label;
/* attrs.c, caps.c */
compile_stage attrs_terminal, attrs_umask, attrs_personality, attrs_scheduler, attrs_io_priority,
	attrs_memory_policy, attrs_affinity_initial, attrs_affinity, attrs_ids, attrs_rlimits,
	attrs_no_new_privileges;
compile_stage caps_bounding, caps_sets;
/* process.c */
compile_stage process_vectors, process_home, process_make_cwd, process_try_cwd, process_cwd,
	process_find, process_ready, process_gate, process_filter, process_exec;
compile_stage hooks_runtime, hooks_create_container, hooks_start_container;

#endif
