/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about pod sandboxes share. */
#ifndef FLOW_SANDBOX_H
#define FLOW_SANDBOX_H

#include "ctrctl/sandbox.h"
#include "flow/flow.h"
#include "store/sandboxes.h"

struct ctr_sandbox {
	struct ctr_engine *engine;
	struct arena *arena;
	const struct ctr_backend *backend;
	int data_fd; /* the engine's */
	int dir;     /* its folder */
	bool locked;
	struct ctr_sandbox_record rec;
};

/* Made for a backend whose containers live on a server: it is a record and files, without
 * namespaces, cgroup or pause, and outlives reboots. */
int sandbox_is_remote(struct ctr_engine *, const struct ctr_sandbox_record *, bool *ret,
	struct err *) _must_check_;

enum { SANDBOX_KEY_MAX = 136 };

/* ---- sandbox.c ---- */
struct ctr_sandbox *sandbox_new(struct ctr_engine *, enum store_open, struct err *) _must_check_;
static inline void sandbox_close_p(struct ctr_sandbox **s)
{
	ctr_sandbox_close(*s);
}
#define _sandbox_ _cleanup_(sandbox_close_p)

/* Ports of the host that are to lead into a pod's own network: a fault each, for there is nothing
 * here that could map them. Of pods of this host only. `where`: what stands before the field. */
void sandbox_check_ports(
	const struct cri_pod_sandbox_config *, const char *where, struct ctr_faults *);

/* What stands for a name in a file's name. */
const char *sandbox_key(const char *name, char buf[SANDBOX_KEY_MAX]);
/* <root>/.sandboxes/<id>, whether it is there or not; in the arena. */
const char *sandbox_run_folder(struct ctr_sandbox *, const char *id, struct err *) _must_check_;
/* Opens it; FD_NONE with 0 when it isn't there. */
int sandbox_open_run(const struct ctr_sandbox *, int *ret_fd, struct err *) _must_check_;

/* For work in a server's pod that takes long: the lock isn't held during it, so that the pod can be
 * stopped, and taken again after it if the pod is READY still; ERR_STATE when it isn't. */
void sandbox_let_go(struct ctr_sandbox *);
int sandbox_share_again(struct ctr_sandbox *, struct err *) _must_check_;

/* ---- sandbox-end.c ---- */
/* Takes away all that the backend made, and the run folder. The folder's lock is held. */
int sandbox_unmake(struct ctr_sandbox *, struct err *) _must_check_;
/* Removes one that never became complete, unless its maker still works on it: then 0. 1: removed.
 * `name_locked`: the caller has its name. */
int sandbox_collect(
	struct ctr_engine *, const char *id, bool name_locked, struct err *) _must_check_;

#endif
