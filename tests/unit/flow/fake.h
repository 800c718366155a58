/* SPDX-License-Identifier: Apache-2.0 */
/* A backend without isolation: its "container" is a child of ours that waits for the gate and runs
 * process.args on the host. Any stage of it can be made to fail once. */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include "ctrctl/backend.h"

extern const struct ctr_backend fake_backend;

enum fake_stage {
	FAKE_NONE,
	FAKE_PROBE,
	FAKE_CHECK,
	FAKE_CREATE,   /* before anything was saved */
	FAKE_SAVED,    /* the record knows of what comes, nothing is there */
	FAKE_FILE,     /* a file in the record's folder */
	FAKE_PROCESS,  /* and a process */
	FAKE_RECORDED, /* and it is in the record */
	FAKE_START,
	FAKE_DESTROY,
	FAKE_STAGE_N,
};
/* The next time this stage is passed, it fails. FAKE_FAIL of the environment has the number too. */
extern enum fake_stage fake_fail;
extern int fake_poststops; /* how often the poststop hooks were called for */

#endif
