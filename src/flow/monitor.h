/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: one small process per container made from a request. It is init's parent (so it
 * learns its end), holds the container's standard streams or terminal, and writes the log.
 *
 * It begins as a fork of ctrctl, makes the container (so that init is its child), and then executes
 * the small static program of src/monitor from a sealed memfd. Nothing of the caller stays open in
 * it.
 */
#ifndef FLOW_MONITOR_H
#define FLOW_MONITOR_H

#include "base/arena.h"
#include "base/fd.h"
#include "ctrctl/request.h"

#define MONITOR_SOCKET "monitor"
#define MONITOR_EXIT   "exit.json"

struct monitor_setup {
	const char *id;
	int data_fd;          /* <data>/containers/<id>: gets exit.json */
	const char *log_dir;  /* the pod's log directory; NULL: no log is kept */
	const char *log_path; /* beneath it: opened with RESOLVE_BENEATH|NO_SYMLINKS, 0640 */
	uint64_t log_max_bytes;
	uint32_t log_max_files;
	bool tty, stdin_, stdin_once;
	uint32_t stream_uid, stream_gid; /* owner of the pipes, as the host sees it */
};

/* What make() is to do in the new process: make the container with this attach (its fds 0 to 2 are
 * the container's already). It sets *ret_init, *ret_run_fd (the record's folder, where the socket
 * is bound) and *ret_cgroup_fd (FD_NONE: none). On failure it has undone what it did. */
typedef int monitor_make_fn(void *arg, struct ctr_attach *attach, pid_t *ret_init, int *ret_run_fd,
	int *ret_cgroup_fd, struct err *err);

/* Returns when the monitor watches. -1 with make()'s err; or with another, when the container was
 * made and can't be watched: removing it is the caller's. The monitor is a child of the calling
 * process; getpid() in make() is its pid. */
int monitor_begin(
	const struct monitor_setup *, monitor_make_fn *, void *arg, struct err *) _must_check_;

/* The recorded end. 1 and *ret (strings in the arena), 0: none is recorded. */
int monitor_exit(int data_fd, struct arena *, struct ctr_exit *ret, struct err *) _must_check_;

/* ---- talking to it ---- */

/* Connects to a container's monitor. ERR_STATE when there is none (any more). */
int monitor_connect(int run_fd, struct err *) _must_check_;

/* Waits until the container's end is recorded, at most so long (-1: without limit). 1; 0: the time
 * is over; ERR_STATE: the monitor ended without a record. The connection then ends when the
 * monitor does. */
int monitor_wait(int socket, int timeout_ms, struct err *) _must_check_;

/* Closes the log file and opens log_path anew; returns when that is done. */
int monitor_reopen_log(int socket, struct err *) _must_check_;

/* What was sent to stdin before still arrives. With a terminal its end-of-file byte is typed. */
int monitor_close_stdin(int socket, struct err *) _must_check_;

enum monitor_patience {
	MONITOR_IMPATIENT, /* who takes nothing for a second is let go: the container goes on */
	MONITOR_PATIENT,   /* the container waits for its reader */
};

/* From now on output goes to these fds too (FD_NONE: not), and what comes from `in` to the
 * container. The caller's fds stay as they are: nothing is made non-blocking that others share.
 * With a terminal *ret_console gets the master (for its size), else FD_NONE. The monitor closes the
 * socket when all output has been passed on, or when nobody is left at the other ends. */
int monitor_attach(int socket, int in, int out, int err_fd, enum monitor_patience, int *ret_console,
	struct err *) _must_check_;

#endif
