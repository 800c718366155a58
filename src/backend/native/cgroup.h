/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup v2 without a helper: where a container's group is, making it, its limits, freezing, killing, removing.
 * Works on a unified host (/sys/fs/cgroup) and on a hybrid one (/sys/fs/cgroup/unified), found by f_type. Every file is opened
 * beneath the group's own fd. A limit whose controller isn't there is an error that says so.
 */
#ifndef NATIVE_CGROUP_H
#define NATIVE_CGROUP_H

#include "base/fd.h"
#include "ctrctl/oci.h"

#include <signal.h>

struct cgroup {
	int fd;       /* the group's directory, O_PATH-less (files are opened beneath it); FD_NONE when not open */
	bool created; /* by this call, so it is ours to remove */
};
#define CGROUP_INIT { .fd = FD_NONE }
void cgroup_close(struct cgroup *);

/* Where cgroup2 is mounted: "/sys/fs/cgroup" or "/sys/fs/cgroup/unified" (static text); NULL with err when nowhere. */
const char *cgroup_mountpoint(struct err *);

/* The group's path beneath the mount point for linux.cgroupsPath (or NULL) and an id: absolute as given; relative or none:
 * beneath the caller's own group, "ctrctl-<id>" when none. ".." or control bytes: error. In the arena. */
struct arena;
char *cgroup_path(const char *cgroups_path, const char *id, struct arena *, struct err *) _must_check_;

/* Checks resources without touching anything: ranges, contradictions, what v2 can't do. Places relative to linux.resources. */
int cgroup_check(const struct oci_resources *, struct err *) _must_check_;

/* Makes the group (and missing parents), enables the controllers that `resources` needs in its ancestors. A populated or frozen
 * group that exists is refused. */
int cgroup_create(const char *path, const struct oci_resources *, struct cgroup *ret, struct err *) _must_check_;

/* Opens an existing one. ERR_NOT_FOUND when it isn't there. */
int cgroup_open(const char *path, struct cgroup *ret, struct err *) _must_check_;

/* Writes the limits. `old` values are not restored on failure (create removes the group; update says which one failed). */
int cgroup_limit(const struct cgroup *, const struct oci_resources *, struct err *) _must_check_;

/* Loads and attaches the device program: deny by default, the always-allowed set, then the rules in order. Replaces atomically what
 * was attached before. */
int cgroup_devices(const struct cgroup *, const struct oci_device_rule *, size_t n, struct err *) _must_check_;

/* Gives the delegatable files to a uid/gid (private cgroup namespace with a writable cgroup2 mount). */
int cgroup_delegate(const struct cgroup *, uint32_t uid, uint32_t gid, struct err *) _must_check_;

int cgroup_freeze(const struct cgroup *, int timeout_ms, struct err *) _must_check_;
int cgroup_thaw(const struct cgroup *, struct err *) _must_check_;
/* 1 frozen, 0 not, -1 failed. */
int cgroup_is_frozen(const struct cgroup *, struct err *) _must_check_;

/* SIGKILL to all (cgroup.kill, or freeze and signal before 5.14), other signals one by one, sub-groups included. */
int cgroup_signal(const struct cgroup *, int signo, struct err *) _must_check_;
/* Waits until no process is left (populated 0), by poll. ERR_TIMEOUT names a remaining task, its state and wchan. */
int cgroup_wait_empty(const struct cgroup *, int timeout_ms, struct err *) _must_check_;

/* All pids, sub-groups included; fresh array (free() it). */
int cgroup_pids(const struct cgroup *, pid_t **ret, size_t *ret_n, struct err *) _must_check_;

/* Removes the group and its sub-groups, bottom-up, EBUSY retried for a bounded time. Absent is success. */
int cgroup_remove(const char *path, struct err *) _must_check_;

/* 1 when pid is in the group (or beneath), 0 when not. */
int cgroup_holds(const char *path, pid_t pid, struct err *) _must_check_;

#endif
