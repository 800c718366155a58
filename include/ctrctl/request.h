/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateContainer: one path for every door. A request is validated, routed to a backend by its
 * image, turned into a bundle, and made; what was done is undone when a stage fails.
 */
#ifndef CTRCTL_REQUEST_H
#define CTRCTL_REQUEST_H

#include "ctrctl/engine.h"
#include "ctrctl/sandbox.h"

struct ctr_create_request {
	const struct cri_create_container_request *request;
	const char *backend;     /* wished for by the caller: "native", "proxmox"; NULL: none */
	bool starts;             /* the caller starts it next */
	const char *pod_handler; /* explain: of a pod that isn't there yet; NULL: the default */
	struct ctr_trace *trace;
};

struct ctr_created {
	char *id;      /* free() it */
	bool existed;  /* the same request had been answered before: this is its container */
	char *backend; /* name (free() it) */
	char *reason;  /* why that one, a sentence (free() it) */
};
void ctr_created_done(struct ctr_created *);

/*
 * Makes the container of a request, up to "created". The sandbox must exist and be READY.
 * A name (container, attempt, sandbox) names one container: the same request again gives the same
 * id, another request of that name is ERR_EXISTS. On failure nothing of it remains; all faults of
 * the request are in `faults`, the first also in *err.
 */
int ctr_create_container(struct ctr_engine *, const struct ctr_create_request *,
	struct ctr_created *ret, struct ctr_faults *, struct err *) _must_check_;

/* The runtime handler that suits a container's pod, where nobody asks for one: that of a remote
 * backend if the container leads there, else *ret is NULL, the default. */
int ctr_request_handler(struct ctr_engine *, const struct cri_container_config *,
	const struct cri_pod_sandbox_config *, const char *backend, const char **ret,
	struct err *) _must_check_;

/* What ctr_create_container would do: backend and reason, config.json, the plan. Touches nothing.
 * *ret_text: free() it. */
int ctr_explain_request(struct ctr_engine *, const struct ctr_create_request *, char **ret_text,
	struct ctr_faults *, struct err *) _must_check_;

/* ---- what is kept of such a container ---- */

/* <data>/containers/<id>/container.json: outlives reboots. */
struct ctr_cri_record {
	const char *id;
	const char *name; /* unique: "<container>_<pod>_<namespace>_<uid>_<attempt>" */
	const char *sandbox_id, *created, *boot_id;
	const char *container_name, *pod_name, *pod_namespace, *pod_uid;
	uint32_t attempt;
	const char *image;             /* as the user wrote it */
	const char *image_id;          /* "sha256:...", NULL for other backends */
	const char **volume_image_ids; /* of the images mounted as volumes */
	size_t n_volume_image_ids;
	const char *backend, *reason;
	const char *log_path; /* absolute, NULL: no log */
	int32_t stop_signal;  /* Linux's number */
	bool tty, stdin_, stdin_once;
	bool committed;             /* create came to its end */
	const char *request_digest; /* sha256 of the request in canonical form */
	struct ctr_map_str labels, annotations;
};

/* Of a container made from a request: its record (lives as long as the handle), or NULL. */
const struct ctr_cri_record *ctr_container_cri(const struct ctr_container *);
/* 1 and *ret when it has ended (strings live as long as the handle), 0 while it hasn't, -1. An end
 * that nobody recorded is code 255, reason Unknown. */
int ctr_container_exit(struct ctr_container *, struct ctr_exit *ret, struct err *) _must_check_;
/* "running": somebody records its end; "done": its end is recorded; "lost": the monitor died. NULL:
 * has none. */
const char *ctr_container_monitor(struct ctr_container *);
/* Waits for its end, at most so long (-1: without limit). 1 and *ret, 0 when the time is over, -1.
 */
int ctr_container_wait(
	struct ctr_container *, int timeout_ms, struct ctr_exit *ret, struct err *) _must_check_;
/* The log file is closed and opened anew, by its name; returns when that is done. ERR_STATE: nobody
 * writes one. */
int ctr_container_reopen_log(struct ctr_container *, struct err *) _must_check_;

struct ctr_streams {
	int in, out, err; /* -1: not. They stay the caller's and as they are. */
	bool patient;     /* the container waits for its reader; otherwise who reads nothing for a
			     second is let go */
};
/* What comes from `in` goes to the container, and its output to out and err too, from now on.
 * *ret_console: with a terminal its master, else -1. The connection (close it), which the other
 * side ends when all has been passed on. */
int ctr_container_attach(struct ctr_container *, const struct ctr_streams *, int *ret_console,
	struct err *) _must_check_;
/* When it was started, RFC 3339, or NULL. */
const char *ctr_container_started(struct ctr_container *);

#endif
