/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pod sandboxes: what the containers of a pod share. A sandbox is a record, pinned namespaces, a
 * /dev/shm, a few files and a cgroup; a process (the pause) only where the pod shares its pid
 * namespace.
 */
#ifndef CTRCTL_SANDBOX_H
#define CTRCTL_SANDBOX_H

#include "ctrctl/cri.h"
#include "ctrctl/fault.h"
#include "ctrctl/oci.h"

enum ctr_sandbox_state { CTR_SANDBOX_READY, CTR_SANDBOX_NOTREADY, CTR_SANDBOX_STATE_N };
const char *ctr_sandbox_state_name(int state); /* "SANDBOX_READY", as CRI has it */

/* What is stored of a sandbox. */
struct ctr_sandbox_record {
	const char *id;              /* 64 hex digits */
	const char *name;            /* unique: "<name>_<namespace>_<uid>_<attempt>" */
	const char *created;         /* RFC 3339, nanoseconds, UTC */
	const char *boot_id;         /* another one: namespaces and pause are gone */
	const char *runtime_handler; /* NULL: the default */
	int state;              /* enum ctr_sandbox_state, as stored: see ctr_sandbox_state() */
	bool complete;          /* run came to its end; nobody but its maker sees it before */
	const char *folder;     /* absolute: holds hostname, hosts, resolv.conf */
	const char *run_folder; /* absolute: holds the pins and shm; void after a reboot */
	const char *hostname;   /* in effect; NULL with the host's network */
	const char *cgroup;     /* the pod's group beneath the cgroup2 mount */
	bool cgroup_made;       /* ours to remove */
	/* Absolute paths of the pinned namespaces by enum oci_namespace_type; NULL: the host's, or
	 * (pid) each container's own. */
	const char *ns_path[OCI_NS_N];
	const char *shm;      /* absolute path of the pod's /dev/shm, NULL: the host's */
	int32_t pause_pid;    /* 0: none */
	uint64_t pause_start; /* guards against a reused pid */
	const struct cri_pod_sandbox_config *config; /* as it was given to ctr_sandbox_run() */
};

struct ctr_engine;
struct ctr_sandbox;

/*
 * Makes a sandbox, or finds the READY one of the same name (name, namespace, uid, attempt): then
 * the configs must agree, else ERR_EXISTS. Faults of the config are all put into `faults`. *ret_id
 * (free() it).
 */
int ctr_sandbox_run(struct ctr_engine *, const struct cri_pod_sandbox_config *,
	const char *runtime_handler, char **ret_id, struct ctr_faults *, struct err *) _must_check_;

enum ctr_sandbox_access { CTR_SANDBOX_LOOK, CTR_SANDBOX_SHARE, CTR_SANDBOX_CHANGE };

/*
 * By id or unique prefix of one (4 digits at least). ERR_NOT_FOUND. SHARE keeps it from being
 * stopped or removed while the handle is open (a container is being created in it); CHANGE is
 * exclusive.
 */
struct ctr_sandbox *ctr_sandbox_open(
	struct ctr_engine *, const char *id, enum ctr_sandbox_access, struct err *) _must_check_;
/* By the name that CRI gives it: "<name>_<namespace>_<uid>_<attempt>". */
struct ctr_sandbox *ctr_sandbox_open_name(
	struct ctr_engine *, const char *name, enum ctr_sandbox_access, struct err *) _must_check_;
struct ctr_sandbox *ctr_sandbox_close(struct ctr_sandbox *);
const struct ctr_sandbox_record *ctr_sandbox_record(const struct ctr_sandbox *);

/* READY as stored, of this boot, its pins in place and its pause alive; else NOTREADY. -1 with err.
 */
int ctr_sandbox_state(struct ctr_sandbox *, enum ctr_sandbox_state *ret, struct err *) _must_check_;

/* Kills its containers, unpins, unmounts; NOTREADY afterwards. Twice is fine. */
int ctr_sandbox_stop(struct ctr_engine *, const char *id, struct err *) _must_check_;
/* Stops it, deletes its containers, removes everything of it. Absent: success. */
int ctr_sandbox_remove(struct ctr_engine *, const char *id, struct err *) _must_check_;

int ctr_sandbox_list(struct ctr_engine *,
	int (*each)(
		void *arg, const struct ctr_sandbox_record *, enum ctr_sandbox_state, struct err *),
	void *arg, struct err *) _must_check_;

#endif
