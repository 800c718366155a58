/* SPDX-License-Identifier: Apache-2.0 */
/* Timed steps of one command, and their file in the format of Chrome's trace viewer (about:tracing,
 * Perfetto). */
#ifndef MODEL_TRACE_H
#define MODEL_TRACE_H

#include "base/arena.h"
#include "ctrctl/backend.h"

/* NULL when memory is out. trace_free accepts NULL and returns NULL. */
struct ctr_trace *trace_new(void) _must_check_;
struct ctr_trace *trace_free(struct ctr_trace *);

/* Writes all events to a new or emptied file (0644). Times are microseconds of CLOCK_MONOTONIC. */
int trace_write(const struct ctr_trace *, const char *path, struct err *) _must_check_;

#endif
