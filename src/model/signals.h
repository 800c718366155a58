/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name. */
#ifndef MODEL_SIGNALS_H
#define MODEL_SIGNALS_H

#include "ctrctl/err.h"

/* "9", "KILL", "SIGKILL", "sigkill", "RTMIN", "SIGRTMIN+3", "RTMAX-1" -> the number in *ret, 0 to
 * 64 (0 asks whether there is somebody). RTMIN is what the C library makes of it (34). Else
 * ERR_USAGE: unknown signal "X". */
int signal_parse(const char *text, int *ret, struct err *) _must_check_;

/* "SIGKILL"; NULL for the unknown and for real-time signals. */
const char *signal_name(int number);

#endif
