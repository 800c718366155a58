/* SPDX-License-Identifier: Apache-2.0 */
/* The default profile as a table of rules. For seccomp-default.c and the tests that compare it. */
#ifndef MODEL_SECCOMP_DEFAULT_TABLE_H
#define MODEL_SECCOMP_DEFAULT_TABLE_H

#include "model/seccomp-default.h"

enum seccomp_machine { SECCOMP_AMD64, SECCOMP_ARM64, SECCOMP_MACHINE_N };

enum seccomp_when {
	SECCOMP_ALWAYS,
	SECCOMP_WITH,    /* the capability is in the bounding set */
	SECCOMP_WITHOUT, /* it isn't */
	SECCOMP_ON,      /* the machine is this one */
};

struct seccomp_default_row {
	const char *const *names;
	size_t n_names;
	enum seccomp_when when;
	const char *cap;
	int machine;        /* enum seccomp_machine */
	int action;         /* enum oci_seccomp_action */
	uint32_t errno_ret; /* 0: none */
	bool has_arg;
	struct oci_seccomp_arg arg;
};

extern const struct seccomp_default_row seccomp_default_rows[];
extern const size_t seccomp_default_n_rows;

/* SCMP_ARCH_..., NULL-terminated: the machine's own and those whose programs it runs. */
extern const char *const seccomp_default_archs[SECCOMP_MACHINE_N][4];

/* seccomp_default() as it is on that machine. */
struct oci_seccomp *seccomp_default_on(enum seccomp_machine, const char *const *bounding,
	size_t n_bounding, struct arena *) _must_check_;

#endif
