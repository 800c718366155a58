/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between the operation (flow) and the ways to make a container (backends). Backends fill
 * struct ctr_backend; only flow calls it. They include neither flow, nor store, nor each other.
 */
#ifndef CTRCTL_BACKEND_H
#define CTRCTL_BACKEND_H

#include "ctrctl/oci.h"

#include <sys/types.h>

enum ctr_status {
	CTR_CREATING,
	CTR_CREATED,
	CTR_RUNNING,
	CTR_PAUSED,
	CTR_STOPPED,
	CTR_UNKNOWN, /* of a remote container whose server doesn't answer; in lists only */
	CTR_STATUS_N
};
const char *ctr_status_name(
	int status); /* "creating", ... (runtime-spec: state.status; "paused" as runc) */

enum ctr_cgroup_manager { CTR_CGROUP_CGROUPFS, CTR_CGROUP_DISABLED, CTR_CGROUP_MANAGER_N };

/* What is stored of a container: written before the first side effect, rewritten at each phase. All
 * strings live in the arena of whoever loaded or made the record. */
struct ctr_record {
	const char *id;
	const char *oci_version;
	const char *backend; /* "native", "proxmox" */
	const char *bundle;  /* absolute */
	const char *rootfs;  /* absolute */
	const char *created; /* RFC 3339, nanoseconds, UTC */
	const char *owner;   /* name of the user who made it, may be empty */
	const char *boot_id; /* /proc/sys/kernel/random/boot_id: another one voids pid and cgroup */
	struct ctr_map_str annotations;
	/* -- filled by the backend -- */
	int phase;           /* enum ctr_status: CREATING, CREATED, RUNNING (= started) */
	int32_t pid;         /* of init, as the host sees it; 0 while there is none */
	uint64_t start_time; /* field 22 of /proc/PID/stat: guards against a reused pid */
	const char *cgroup;  /* path beneath the cgroup2 mount, NULL = none of its own */
	int cgroup_manager;  /* enum ctr_cgroup_manager */
	bool cgroup_made;    /* ours to remove */
	bool private_pid_ns; /* init's death ends all of the container */
	bool has_start_hooks,
		has_poststop; /* start and delete parse config.json only when they need to */
	bool no_pivot, no_new_keyring; /* as create was told: the plan can be compiled again */
	bool notify;                   /* seccomp listener: start must hand it over */
	/* -- of a container made from a request -- */
	bool from_request;      /* more of it is in the data folder */
	int32_t monitor_pid;    /* who waits for init's end; 0: nobody of ours */
	uint64_t monitor_start; /* guards against a reused pid */
	/* -- of a container that lives elsewhere -- */
	bool starting;    /* phase RUNNING: a start of it was begun, and isn't known to have come to
			     an end */
	const char *root; /* of a bundle: the root folder that its maker was given, absolute */
	const char *guest; /* what the server knows it by: the VMID in digits; NULL: none chosen */
	const char *image_id; /* "sha256:...": stands for what the server made it from; or NULL */
	const char **waived;  /* what was asked for and isn't given, by the names of the
				configuration's waivers */
	size_t n_waived;
	struct ctr_context *context; /* of its backend, NULL without one; not stored */
};

/* How the process is tied to the caller. All fds are borrowed. */
struct ctr_attach {
	int console_socket; /* connected AF_UNIX stream socket that gets the terminal's master, or
			       -1 */
	int *ret_console;   /* foreground terminal: the master is returned here instead; NULL
			       otherwise */
	int pidfd_socket;   /* connected AF_UNIX socket that gets the pidfd, or -1 */
	uint32_t preserve_fds; /* fds 3 .. 3+n-1 reach the process; LISTEN_FDS included */
	uint32_t listen_fds;   /* 0, or the checked LISTEN_FDS of the environment */
};
#define CTR_ATTACH_INIT                                  \
	{                                                \
		.console_socket = -1, .pidfd_socket = -1 \
	}

/* What a backend keeps from its first use until the engine is closed: configuration, connections.
 */
struct ctr_context;
struct settings;
struct ctr_setup {
	const struct settings *settings; /* outlives the context */
	const char *settings_path; /* where they came from, absolute; NULL: the default. Borrowed */
	int credential_fd;         /* where a remote backend's secret is read from instead of the
				      configured file; FD_NONE (<0): the file. Borrowed */
};

/* What a backend needs to make a container. Everything is borrowed for the call. */
struct ctr_input {
	const char *id;
	bool id_unknown;             /* explain: it stands for one that isn't known yet */
	struct ctr_context *context; /* NULL without one */
	/* From a bundle: the spec, checked. NULL for a remote backend's container from a request:
	 * then config and sandbox. */
	const char *bundle;
	const struct oci_spec *spec;
	const struct cri_container_config *config;
	const struct ctr_sandbox_record *sandbox;
	bool sandbox_remote; /* the pod was made for this backend: it has no namespaces to share */
	const char *image;   /* as the user wrote it, what routing went by; NULL: unknown */
	struct ctr_faults *faults; /* check() puts all that is wrong there, if it isn't NULL */
	struct ctr_attach attach;
	int dir_fd;   /* the record's folder (0700): the backend may keep files of its own there */
	int cache_fd; /* <root>/.cache (0700), or -1 */
	int cgroup_manager;
	bool no_pivot, no_new_keyring;
	bool starts; /* start follows at once: create needn't wait until the process rests */
	struct ctr_trace *trace; /* NULL: none */
};

/* Timed steps for --trace. The backend adds; the door writes them as Chrome trace events. */
struct ctr_trace;
void ctr_trace_add(struct ctr_trace *, const char *name, const char *detail, int pid,
	uint64_t begin_ns, uint64_t end_ns);
uint64_t ctr_trace_now(void); /* CLOCK_MONOTONIC, ns */

struct ctr_exec {
	const struct oci_spec *spec;       /* the container's own config */
	const struct oci_process *process; /* checked */
	struct ctr_attach attach;
	int cache_fd;
	const char *sub_cgroup; /* NULL, or a path beneath the container's group */
	bool ignore_paused, no_new_keyring;
	struct ctr_trace *trace;
};

/* flow's way to store a phase; called by create before each side effect that the record must know
 * of. Texts that the backend has put into the record since the last call are copied: the last call
 * comes after the last of them. */
struct ctr_save {
	int (*fn)(void *arg, const struct ctr_record *, struct err *);
	void *arg;
};

/* How a container ended. */
enum ctr_exit_reason {
	CTR_EXIT_COMPLETED,
	CTR_EXIT_ERROR,
	CTR_EXIT_OOM_KILLED,
	CTR_EXIT_UNKNOWN,
	CTR_EXIT_REASON_N
};
const char *ctr_exit_reason_name(int); /* "Completed", "Error", "OOMKilled", "Unknown" */

struct ctr_exit {
	int32_t code;   /* 0 to 255; 128 + signal; 255 when unknown */
	int32_t signal; /* 0: none */
	bool oom_killed;
	int reason;           /* enum ctr_exit_reason */
	const char *finished; /* RFC 3339; NULL: unknown */
};

/* What a container uses now. What isn't known is UINT64_MAX. */
struct ctr_stats {
	uint64_t cpu_ns;                     /* used since its start */
	uint64_t cpu_permille;               /* of one CPU at present; what a server tells */
	uint64_t memory_bytes, memory_limit; /* limit 0: none */
	uint64_t swap_bytes;
	uint64_t pids, pids_limit;
	uint64_t net_rx_bytes, net_tx_bytes, disk_read_bytes, disk_written_bytes;
	uint64_t uptime_s;
};

/* One line of a diagnosis. */
enum ctr_finding { CTR_FOUND_OK, CTR_FOUND_WARNING, CTR_FOUND_MISSING, CTR_FINDING_N };
struct ctr_report {
	/* what: "token", "privileges on /vms"; text: what was found; hint: how to mend it, or NULL
	 */
	void (*fn)(
		void *arg, enum ctr_finding, const char *what, const char *text, const char *hint);
	void *arg;
};

/* A remote backend's containers seen all at once. */
struct ctr_seen {
	enum ctr_status status;
	const char *place; /* "pve1/104", or NULL */
};
struct ctr_survey {
	struct ctr_seen *seen;     /* one per record that was given */
	struct ctr_record *strays; /* ours by their marks, but nothing on record: they can be listed
				      and deleted */
	struct ctr_seen *strays_seen;
	size_t n_strays;
	unsigned max_age_s; /* so old may the server's answer be */
};

/* A pod's sandbox as the backend makes it; see ctrctl/sandbox.h. */
struct ctr_sandbox_record;
struct ctr_sandbox_save {
	int (*fn)(void *arg, const struct ctr_sandbox_record *, struct err *);
	void *arg;
};

/* A process that stands for a container of a server puts this file into the record's folder before
 * it ends by itself. Where it is missing the process was killed. */
#define CTR_PROXY_ENDED "ended"

struct ctr_backend {
	const char *name;
	/* Its containers live on a server, not in this kernel: their records are kept in
	 * <data>/guests, synced, and outlive reboots; they are made from requests without a bundle,
	 * and have no monitor. */
	bool remote;
	unsigned poll_ms; /* how often its status may be asked for; 0: cheap */
	/* Optional, once per engine, before anything else is called. It may not talk to a server
	 * yet. close accepts NULL. */
	struct ctr_context *(*open)(const struct ctr_setup *, struct err *);
	void (*close)(struct ctr_context *);
	/* Usable here? 1 yes, 0 no (why_not says it), -1 failed. */
	int (*probe)(struct err *why_not);
	/* Can it do all that the spec asks? Touches nothing. Warnings are logged. */
	int (*check)(const struct ctr_input *, struct err *);
	/* Makes it, up to "created". On failure the caller calls destroy with the record as it then
	 * is. */
	int (*create)(const struct ctr_input *, struct ctr_record *, const struct ctr_save *,
		struct err *);
	/* Lets the program run. spec is NULL unless the record says that start needs it. */
	int (*start)(const struct ctr_record *, int dir_fd, const struct oci_spec *,
		struct ctr_trace *, struct err *);
	/* ERR_STATE when there is nothing to signal. all: every process of the container. */
	int (*signal)(const struct ctr_record *, int dir_fd, int signo, bool all, struct err *);
	int (*status)(const struct ctr_record *, int dir_fd, enum ctr_status *ret, struct err *);
	/* Removes what create made, but for the record itself; kills what lives. Safe on half-made
	 * containers, and twice. */
	int (*destroy)(const struct ctr_record *, int dir_fd, struct err *);
	/* Optional from here; NULL = ERR_UNSUPPORTED. */
	/* Runs another process; returns its pid (a child of the caller's, to be waited for) once it
	 * has been started. */
	int (*exec)(
		const struct ctr_record *, const struct ctr_exec *, pid_t *ret_pid, struct err *);
	int (*pause)(const struct ctr_record *, struct err *);
	int (*resume)(const struct ctr_record *, struct err *);
	int (*update)(
		const struct ctr_record *, int dir_fd, const struct oci_resources *, struct err *);
	int (*pids)(const struct ctr_record *, pid_t **ret, size_t *ret_n, struct err *);
	/* The folder of its cgroup, where memory.events is; *ret_fd is FD_NONE when it has none. */
	int (*open_cgroup)(const struct ctr_record *, int *ret_fd, struct err *);
	/* What create would do, as text: sources, spawn, steps. */
	int (*explain)(const struct ctr_input *, char **ret_text, struct err *);
	/* Orderly end within grace_ms, then by force; returns when it has ended. Without it flow
	 * sends signals and waits. */
	int (*stop)(const struct ctr_record *, int dir_fd, int grace_ms, struct err *);
	/* Of a stopped one: how it ended, as far as can be known. `finished` lives in the arena of
	 * context. */
	int (*ended)(const struct ctr_record *, int dir_fd, struct ctr_exit *ret, struct err *);
	int (*stats)(const struct ctr_record *, int dir_fd, struct ctr_stats *ret, struct err *);
	/* All of them at once, with one request if that can be; recs are those on record, n of
	 * them. *ret lives as long as the context. */
	int (*survey)(struct ctr_context *, const struct ctr_record *recs, size_t n,
		struct ctr_survey *ret, struct err *);
	/* A container that isn't on record, by its id: fills *ret as a stray of survey(). dir_fd:
	 * its record's folder, made just now: what the backend keeps there is written as if it had
	 * made the container; FD_NONE: it is only looked for. 1, 0, -1. */
	int (*find)(struct ctr_context *, const char *id, int dir_fd, struct ctr_record *ret,
		struct err *);
	/* Is all there that it needs? Tells the report; -1 only when it can't even look. */
	int (*diagnose)(struct ctr_context *, const struct ctr_report *, struct err *);
	/* hooks that run outside of the container after it is gone (poststop): failures are logged,
	 * never returned */
	void (*after)(const struct ctr_record *, const struct oci_spec *);
	/* Pods. Makes what a pod's containers share, as the record's config says: namespaces pinned
	 * as files of run_fd ("net", "ipc", "uts", "user", "pid"), shm, sysctls, cgroup, pause;
	 * fills ns_path, shm, cgroup, pause. save() before each side effect that the record must
	 * know of, and at the end: what the backend has put into the record lives no longer than
	 * its own call. On failure the caller opens the folder anew and calls sandbox_destroy. */
	int (*sandbox_make)(struct ctr_sandbox_record *, int run_fd,
		const struct ctr_sandbox_save *, struct err *);
	/* All of it still there? 1, 0, -1. */
	int (*sandbox_ready)(const struct ctr_sandbox_record *, int run_fd, struct err *);
	/* Undoes all of it. Safe on half-made ones, and twice. run_fd FD_NONE: the folder is gone.
	 */
	int (*sandbox_destroy)(const struct ctr_sandbox_record *, int run_fd, struct err *);
};

extern const struct ctr_backend ctr_backend_native;
extern const struct ctr_backend ctr_backend_proxmox;

#endif
