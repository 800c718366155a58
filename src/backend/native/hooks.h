/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks that run in the runtime's namespaces (prestart, createRuntime, poststart, poststop), and
 * what any hook printed. Hooks inside the container are run by init (OP_HOOK).
 */
#ifndef NATIVE_HOOKS_H
#define NATIVE_HOOKS_H

#include "base/str.h"
#include "ctrctl/backend.h"

/* The end of what a hook printed, for the error message. */
struct hook_tail {
	char buf[1024];
	size_t n;
};

/* Reads what is there; false at EOF. Blocks only if nothing is there. */
bool hook_tail_read(struct hook_tail *, int fd);

/* Reads the rest without waiting and appends it to err->text. fd may be FD_NONE. */
void hook_tail_explain(struct hook_tail *, int fd, struct err *);

/* The state of a container as hooks and listeners get it: JSON of runtime-spec "State", compact.
 * The text in two parts around the digits of the pid, in the arena; either pointer may be NULL. */
struct arena;
int hook_state(const char *oci_version, const char *id, const char *bundle,
	const struct ctr_map_str *annotations, enum ctr_status, struct arena *, char **ret_head,
	char **ret_tail, struct err *) _must_check_;

/* Runs the hooks of one kind in order with the state on stdin. Stops at the first failure, whose
 * error names the hook, how it ended and the end of what it printed. A hook that runs into its
 * timeout is killed with its process group. */
int hooks_run(
	const struct oci_hooks *, enum oci_hook_kind, const char *state, struct err *) _must_check_;

/* The same, but each failure is a warning in the log and the next hook runs: poststop. */
void hooks_run_all(const struct oci_hooks *, enum oci_hook_kind, const char *state, const char *id);

#endif
