/* SPDX-License-Identifier: Apache-2.0 */
/* The foreground of a container that a monitor watches: run --request, attach. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "ctrctl/request.h"

struct follow {
	bool with_stdin; /* what is typed goes to the container */
	bool signals;    /* signals that come to us go to the container; otherwise they end us */
	bool starts;     /* it is started once its output is being followed */
	struct ctr_trace *trace;
};

/* Ties our standard streams to the container's until it closes them all. Its terminal's size
 * follows ours, which is raw meanwhile. 0; -1 with err. */
int follow_container(struct ctr_container *, const struct follow *, struct err *) _must_check_;

#endif
