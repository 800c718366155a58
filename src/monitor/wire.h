/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ctrctl and the monitor say to each other. Both sides are built from this header by one
 * build; a monitor of an older build may live on, so numbers are only ever added.
 *
 * The monitor is executed with fixed fds and these arguments:
 *
 *     ctrctl-monitor ID LOG_PATH FLAGS LOG_MAX_BYTES LOG_MAX_FILES INIT_PID
 *
 * numbers in decimal, LOG_PATH beneath the log folder and empty without a log.
 */
#ifndef MONITOR_WIRE_H
#define MONITOR_WIRE_H

#include <stdint.h>

#define MONITOR_NAME     "ctrctl-monitor"
#define MONITOR_LINE_MAX 16384 /* a longer line is written in parts */

/* 0 to 2 are /dev/null. Those that FLAGS doesn't name are closed. */
enum monitor_fd {
	MONITOR_FD_STATUS = 3, /* gets a MONITOR_READY, then is closed */
	MONITOR_FD_DATA,       /* folder for exit.json */
	MONITOR_FD_LISTEN,     /* SOCK_SEQPACKET */
	MONITOR_FD_LOG_DIR,
	MONITOR_FD_LOG,
	MONITOR_FD_STDIN,  /* the pipe's end that is written to; not with a terminal */
	MONITOR_FD_STDOUT, /* or the terminal's master */
	MONITOR_FD_STDERR,
	MONITOR_FD_EVENTS, /* memory.events of the container's cgroup */
	MONITOR_FD_END,
};

enum monitor_flags {
	MONITOR_HAS_LOG = 1 << 0,
	MONITOR_HAS_STDIN = 1 << 1,
	MONITOR_HAS_EVENTS = 1 << 2,
	MONITOR_TTY = 1 << 3,
	MONITOR_STDIN_ONCE = 1 << 4,
};

enum monitor_kind {
	MONITOR_READY = 1,
	/* asked */
	MONITOR_WAIT,        /* answered when the end is recorded; the connection ends with the
				monitor */
	MONITOR_REOPEN,      /* answered when the log file is open anew */
	MONITOR_ATTACH,      /* value: enum monitor_attach_flags; the fds they name come along */
	MONITOR_CLOSE_STDIN, /* answered at once; what was sent before still arrives */
	/* answered */
	MONITOR_DONE,   /* after ATTACH with the terminal's master, if there is one */
	MONITOR_FAILED, /* value: errno */
};

enum monitor_attach_flags {
	MONITOR_ATTACH_IN = 1 << 0,
	MONITOR_ATTACH_OUT = 1 << 1,
	MONITOR_ATTACH_ERR = 1 << 2,
	/* The container waits for this client as long as it takes; others are dropped after
	 * MONITOR_STALL_MS without progress. */
	MONITOR_ATTACH_PATIENT = 1 << 3,
};
#define MONITOR_STALL_MS 1000

struct monitor_msg {
	uint32_t kind;
	int32_t value;
};

#endif
