/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start gate: a listening SOCK_SEQPACKET socket named "start" in the record's folder, which
 * only init holds. Unlike a fifo it answers execve's errno, refuses at once when init is dead, and
 * can't hang.
 */
#ifndef NATIVE_GATE_H
#define NATIVE_GATE_H

#include "base/fd.h"

#define GATE_NAME "start"

/* A listening socket bound beneath dir_fd (by way of /proc/self/fd, so that its path may be long).
 * The fd, or -1 with err. */
int gate_listen(int dir_fd, struct err *) _must_check_;

/* Connects and sends START, with the write end of a pipe for container hooks (or FD_NONE). The
 * connection, or -1 with err: ERR_STATE when the container was started already or init is gone. */
int gate_start(int dir_fd, int hook_in, struct err *) _must_check_;

/* 1 while the gate's name is there: not started yet (by a start that came to its end). */
bool gate_is_there(int dir_fd);

/* Takes the name away: the container was started, or is being deleted. */
void gate_remove(int dir_fd);

#endif
