/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation: what can be done with containers, whoever asks. An engine stands for one root
 * folder; a container is a handle on one record in it. Calls are synchronous and not for several
 * threads at once; different processes may work on one root folder, a lock per container keeps them
 * apart.
 *
 * Every call that can fail returns -1 (or NULL) and sets *err; the codes that a caller may want to
 * tell apart: ERR_NOT_FOUND (no such container), ERR_EXISTS (id taken), ERR_STATE (not possible in
 * the container's present state), ERR_INVALID (config, id, record), ERR_TIMEOUT (another command
 * holds the container), ERR_UNSUPPORTED. Others come from the system.
 */
#ifndef CTRCTL_ENGINE_H
#define CTRCTL_ENGINE_H

#include "ctrctl/backend.h"

#define CTR_ROOT_DEFAULT "/run/ctrctl"
#define CTR_DATA_DEFAULT "/var/lib/ctrctl"

struct ctr_engine;
struct ctr_container;

struct ctr_engine_options {
	const char *root; /* NULL: CTR_ROOT_DEFAULT */
	const char *
		data; /* NULL: CTR_DATA_DEFAULT; images, sandboxes, containers made from requests */
	const char *settings; /* NULL: /etc/ctrctl/config.json, if there is one */
	const struct ctr_backend *const
		*backends;  /* NULL-terminated, the first is the default; borrowed while open */
	int cgroup_manager; /* enum ctr_cgroup_manager, for new containers */
	unsigned lock_timeout_ms; /* 0: 10 s */
	const int *credential_fd; /* NULL, or an fd that a remote backend's secret is read from;
				     borrowed while open */
};

/* Touches nothing yet: the root folder is opened (and made) by the first call that needs it. */
struct ctr_engine *ctr_engine_open(const struct ctr_engine_options *, struct err *) _must_check_;
/* Accepts NULL, returns NULL. Close the containers first. */
struct ctr_engine *ctr_engine_close(struct ctr_engine *);

/* ---- making ---- */

struct ctr_create {
	const char *id;
	bool id_unknown;    /* explain: it stands for one that isn't known yet */
	const char *bundle; /* folder, NULL: the current one */
	const char *config; /* NULL: config.json of the bundle */
	const char
		*pid_file; /* NULL: none. Digits without a newline; written before create returns */
	const char *backend;      /* wished for by the caller: "native", "proxmox"; NULL: none */
	struct ctr_attach attach; /* ret_console set: foreground, the caller relays the terminal */
	bool no_pivot, no_new_keyring;
	bool starts;       /* the caller starts it next: no need to wait until it rests */
	bool from_request; /* by its monitor, which is the caller: see request.h */
	/* Instead of a bundle, for a remote backend, named by `backend`: a request, checked. */
	const struct cri_container_config *wanted;
	const struct ctr_sandbox_record *sandbox;
	bool sandbox_remote; /* the pod was made for that backend */
	const char *image;
	struct ctr_faults *faults; /* NULL, or where all that is wrong goes */
	struct ctr_trace *trace;   /* borrowed, may be NULL */
};

/* Makes a container up to "created". On failure nothing of it remains. The handle holds the lock.
 */
struct ctr_container *ctr_container_create(
	struct ctr_engine *, const struct ctr_create *, struct err *) _must_check_;

/* What create would do, as text (free() it). Touches nothing. When it fails there may be a text all
 * the same: as far as it came. */
int ctr_explain(
	struct ctr_engine *, const struct ctr_create *, char **ret_text, struct err *) _must_check_;

/* ---- one container ---- */

enum ctr_access {
	CTR_READ,   /* no lock: for looking, signals and exec */
	CTR_CHANGE, /* with the lock */
};

struct ctr_container *ctr_container_open(
	struct ctr_engine *, const char *id, enum ctr_access, struct err *) _must_check_;
/* Drops the lock. Accepts NULL, returns NULL. */
struct ctr_container *ctr_container_close(struct ctr_container *);
/* Drops the lock and keeps the handle; takes it again (ERR_NOT_FOUND: removed meanwhile). */
void ctr_container_unlock(struct ctr_container *);
int ctr_container_lock(struct ctr_container *, struct err *) _must_check_;

/* The record as it was read; lives as long as the handle. */
const struct ctr_record *ctr_container_record(const struct ctr_container *);
int ctr_container_status(struct ctr_container *, enum ctr_status *ret, struct err *) _must_check_;

int ctr_container_start(struct ctr_container *, struct ctr_trace *, struct err *) _must_check_;
/* all: every process. With all, nothing left to signal is success. */
int ctr_container_kill(struct ctr_container *, int signo, bool all, struct err *) _must_check_;
/* Orderly, within so many ms; then by force. Returns when it has ended; STOPPED is success. */
int ctr_container_stop(struct ctr_container *, int grace_ms, struct err *) _must_check_;
int ctr_container_stats(struct ctr_container *, struct ctr_stats *ret, struct err *) _must_check_;
int ctr_container_pause(struct ctr_container *, struct err *) _must_check_;
int ctr_container_resume(struct ctr_container *, struct err *) _must_check_;
int ctr_container_update(
	struct ctr_container *, const struct oci_resources *, struct err *) _must_check_;
/* Pids of all its processes as the host sees them; fresh array (free() it). */
int ctr_container_pids(
	struct ctr_container *, pid_t **ret, size_t *ret_n, struct err *) _must_check_;

/* Kills what lives (force, or created but not started), removes everything, runs the poststop
 * hooks. Takes the lock when the handle lacks it. The handle stays valid for close only. */
int ctr_container_delete(struct ctr_container *, bool force, struct err *) _must_check_;

/* The same by id. With force an unknown id is success, and broken records are removed too. */
int ctr_delete(struct ctr_engine *, const char *id, bool force, struct err *) _must_check_;

/* ---- another process in it ---- */

struct ctr_exec_request {
	const char *process_json; /* NULL, or a process object that stands for the config's own */
	size_t process_json_n;
	/* what is set here goes over that: */
	const char *const *args;
	size_t n_args;
	const char *cwd;
	const char *const *env; /* added */
	size_t n_env;
	bool terminal, no_new_privileges;
	bool has_uid, has_gid;
	uint32_t uid, gid;
	const uint32_t *additional_gids;
	size_t n_additional_gids;
	const char *const *caps; /* added to bounding, effective and permitted */
	size_t n_caps;
	const char *apparmor, *selinux_label;
	const char *sub_cgroup;
	const char *pid_file;
	struct ctr_attach attach;
	bool ignore_paused, no_new_keyring;
	struct ctr_trace *trace;
};

/* Runs it; returns its pid, a child of the caller's to be waited for. */
int ctr_container_exec(struct ctr_container *, const struct ctr_exec_request *, pid_t *ret_pid,
	struct err *) _must_check_;

/* ---- all of them ---- */

struct ctr_listed {
	const struct ctr_record *rec;
	enum ctr_status status; /* CTR_UNKNOWN: its server doesn't answer */
	const char *place;      /* where it lives ("pve1/104"), NULL: here, or unknown */
	unsigned max_age_s;     /* so old may that be; 0: it was just looked at */
	bool stray;             /* found on the server, by its marks; not on record */
};
typedef int ctr_list_fn(void *arg, const struct ctr_listed *, struct err *);

/* Calls fn for each container in the order of ids; stops when it returns -1. Broken records, and a
 * server that doesn't answer, are noted in the log. */
int ctr_list(struct ctr_engine *, ctr_list_fn *fn, void *arg, struct err *err) _must_check_;

/* Takes a container of a server's, which isn't on record (any more), on record by its id, so that
 * it can be looked at and deleted. ERR_NOT_FOUND; ERR_EXISTS: it is on record. */
int ctr_adopt(struct ctr_engine *, const char *backend, const char *id, struct err *) _must_check_;

/* Is all there that a backend needs? */
int ctr_diagnose(struct ctr_engine *, const char *backend, const struct ctr_report *,
	struct err *) _must_check_;

#endif
