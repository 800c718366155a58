/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about pods share. */
#ifndef NATIVE_SANDBOX_H
#define NATIVE_SANDBOX_H

#include "backend/native/cgroup.h"
#include "base/arena.h"
#include "ctrctl/backend.h"
#include "ctrctl/sandbox.h"

/* backend.sandbox_make, _ready, _destroy */
int native_sandbox_make(
	struct ctr_sandbox_record *, int run_fd, const struct ctr_sandbox_save *, struct err *);
int native_sandbox_ready(const struct ctr_sandbox_record *, int run_fd, struct err *);
int native_sandbox_destroy(const struct ctr_sandbox_record *, int run_fd, struct err *);

/* A key of the pod's linux.sysctls (or a default), checked. */
struct sandbox_sysctl {
	const char *key, *path, *value; /* path: beneath /proc/sys */
	bool asked;                     /* else a host without it is no failure */
};

/* A pod that is being made. */
struct sandbox_make {
	struct ctr_sandbox_record *rec;
	const struct ctr_sandbox_save *save;
	struct arena *arena;
	int folder;  /* root of the private mount on the run folder */
	int proc;    /* a procfs of our own, whole */
	int pause;   /* the sealed program, or FD_NONE: no pause */
	uint64_t ns; /* CLONE_NEW* of what is pinned */
	struct cgroup pause_group;
	struct sandbox_sysctl *sysctls;
	size_t n_sysctls;
};

/* A process in all of the pod's new namespaces, which has set up what they hold. */
struct sandbox_child {
	pid_t pid;
	int socket; /* its life: it ends when this is closed without a word */
};
#define SANDBOX_CHILD_INIT        \
	{                         \
		.socket = FD_NONE \
	}

/* Clones it and waits until all is set up. On failure it is gone. */
int sandbox_child_start(
	const struct sandbox_make *, struct sandbox_child *ret, struct err *) _must_check_;
/* Lets it become the pause (then it lives on), or end. On failure it is gone. */
int sandbox_child_release(
	const struct sandbox_make *, struct sandbox_child *, struct err *) _must_check_;
/* Ends it. */
void sandbox_child_kill(struct sandbox_child *);

#endif
