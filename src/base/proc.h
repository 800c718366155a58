/* SPDX-License-Identifier: Apache-2.0 */
/* What procfs says about processes, and the time. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/mem.h"

#include <sys/types.h>

struct proc_stat {
	uint64_t start_time; /* field 22 of /proc/PID/stat: clock ticks since boot; with the pid it
				names one process */
	char state;          /* R S D T Z X ... */
	pid_t parent;
	char comm[16]; /* the process's name, cut at 15 bytes */
};

/* 1: *ret filled; 0: no such process; -1 with err. A zombie is still there: look at its state. */
int proc_stat(pid_t pid, struct proc_stat *ret, struct err *) _must_check_;

/* The same from the text of a stat file. 0, or -1 when it isn't one. */
int proc_stat_parse(const char *text, struct proc_stat *ret) _must_check_;

/* 1 when `pid` runs (not a zombie, not dead) and was started at start_time, else 0; -1 with err. */
int proc_is_alive(pid_t pid, uint64_t start_time, struct err *) _must_check_;

/* Identity of this boot: "3f0c9f5e-....", 36 characters. */
enum { PROC_BOOT_ID_MAX = 64 };
int proc_boot_id(char buf[PROC_BOOT_ID_MAX], struct err *) _must_check_;

/* A time in UTC, RFC 3339 with nanoseconds: "2026-01-02T03:04:05.000000006Z"; sec counts from
 * 1970. Returns buf. */
enum { PROC_TIME_MAX = 56 };
const char *proc_time(uint64_t sec, uint32_t nsec, char buf[PROC_TIME_MAX]);

/* The present time. */
const char *proc_now(char buf[PROC_TIME_MAX]);

#endif
