/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults of a request: all that is wrong with it, not only the first. Each names its field as the
 * request spells it ("config.linux.security_context.run_as_group").
 */
#ifndef CTRCTL_FAULT_H
#define CTRCTL_FAULT_H

#include "ctrctl/err.h"

enum { CTR_FAULTS_MAX = 64 }; /* more than these are counted only */

struct ctr_fault {
	enum err_code code;
	char field[192];
	char text[320];
};

struct ctr_faults {
	struct ctr_fault *items; /* CTR_FAULTS_MAX of them once there is one */
	size_t n;                /* how many items are filled */
	size_t total;            /* how many there are */
};
#define CTR_FAULTS_INIT \
	{               \
		0       \
	}

/* Adds one, unless the same of the same field is there already. `code` decides the gRPC status when
 * it is the first. Control bytes are escaped. Never fails: without memory it counts. */
void ctr_fault_add(struct ctr_faults *, enum err_code code, const char *field, const char *fmt, ...)
	_printf_(4, 5);

/* *err from the faults: the first one's kind, field and text, and "(and N more)". 0 when there are
 * none, else -1. */
int ctr_faults_err(const struct ctr_faults *, struct err *err);

/* Frees the list; the value is empty again. */
void ctr_faults_done(struct ctr_faults *);

#endif
