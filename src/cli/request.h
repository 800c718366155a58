/* SPDX-License-Identifier: Apache-2.0 */
/* create, run and explain from a CRI request: --request FILE, or --pod FILE --container FILE. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli/cli.h"
#include "ctrctl/request.h"

/* 1 when the options name a request, 0 when not, -1 (ERR_USAGE) when they contradict each other. */
int request_is_asked(const struct cli *, struct err *) _must_check_;

/* Gives a pod without a uid one that follows from its namespace and name. */
int pod_fill_uid(struct cri_pod_sandbox_config *, struct arena *, struct err *) _must_check_;

int request_create(struct cli *, struct err *);
int request_run(struct cli *, struct err *);
int request_explain(struct cli *, struct err *);

#endif
