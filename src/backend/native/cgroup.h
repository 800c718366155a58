/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup v2 without a helper: where a container's group is, making it, its limits, freezing,
 * killing, removing.
 *
 * Works on a unified host (/sys/fs/cgroup) and on a hybrid one (/sys/fs/cgroup/unified), found by
 * the type of the file system. Every file is opened beneath the group's own fd. A limit whose
 * controller isn't there is an error that says so.
 *
 * Life of a group: cgroup_path, cgroup_check (nothing is touched) - cgroup_create, cgroup_limit,
 * cgroup_devices - clone into fd - cgroup_limit_late - ... - cgroup_signal(SIGKILL),
 * cgroup_wait_empty, cgroup_remove.
 */
#ifndef NATIVE_CGROUP_H
#define NATIVE_CGROUP_H

#include "base/fd.h"
#include "ctrctl/oci.h"

#include <signal.h>

struct cgroup {
	int fd; /* the group's directory, readable (files are opened beneath it, clone3 takes it);
		   FD_NONE when not open */
	bool created; /* by this call, so it is ours to remove */
};
#define CGROUP_INIT           \
	{                     \
		.fd = FD_NONE \
	}

/* Closes the fd; fit for _cleanup_. */
void cgroup_close(struct cgroup *);

/* Where cgroup2 is mounted: "/sys/fs/cgroup" or "/sys/fs/cgroup/unified" (static text); NULL with
 * ERR_UNSUPPORTED when nowhere. One or two statfs calls. */
const char *cgroup_mountpoint(struct err *);

/* The group's path beneath the mount point, in the arena. Absolute: as given. Relative or none
 * ("ctrctl-<id>"): BESIDE the caller's own group (beneath its parent), because a group that holds
 * processes, as the caller's does, can't pass controllers on to children.
 * "..", ".", empty components, control bytes and the root itself are errors. NULL with err. */
struct arena;
char *cgroup_path(
	const char *cgroups_path, const char *id, struct arena *, struct err *) _must_check_;

/* Checks resources without touching anything: ranges, contradictions, device rules, names of
 * `unified`. What only v1 had is warned of (or refused, if ignoring it would give a weaker
 * container). Places are relative to linux.resources. */
int cgroup_check(const struct oci_resources *, struct err *) _must_check_;

/* True if resources (may be NULL) ask for anything beyond device rules, which need a group of the
 * container's own. */
bool cgroup_wants_limits(const struct oci_resources *);

/* Makes the group and missing parents; enables the controllers that `resources` (may be NULL) needs
 * in its ancestors. An existing group is taken over when it is empty and thawed (created is false
 * then), refused otherwise. On failure nothing is left behind. */
int cgroup_create(const char *path, const struct oci_resources *, struct cgroup *ret,
	struct err *) _must_check_;

/* Opens an existing one. ERR_NOT_FOUND when it isn't there. */
int cgroup_open(const char *path, struct cgroup *ret, struct err *) _must_check_;

/* Opens the one that a process is in, if that lies beneath `path`. 1, 0 when it doesn't, -1. */
int cgroup_open_of(const char *path, pid_t pid, struct cgroup *ret, struct err *) _must_check_;

/* Says whose group it is, in an attribute that no container can set. Where the host keeps none for
 * us, nothing is marked, and cgroup_is_owned() believes the path. */
int cgroup_claim(const struct cgroup *, const char *owner, struct err *) _must_check_;
/* 1 when that owner claimed it last, 0 when it is absent or somebody else's, -1. */
int cgroup_is_owned(const char *path, const char *owner, struct err *) _must_check_;
/* The group that this owner claimed, wherever it is, in the arena; *ret is NULL when there is none.
 */
int cgroup_find_owned(const char *owner, struct arena *, char **ret, struct err *) _must_check_;

/* The path of `sub`, a relative path beneath the group `path` (exec --cgroup), in the arena; same
 * rules as cgroup_path. NULL with err. */
char *cgroup_sub_path(const char *path, const char *sub, struct arena *, struct err *) _must_check_;

/* Writes the limits, in order; on failure those before the one that failed are in force (create
 * removes the group). */
int cgroup_limit(const struct cgroup *, const struct oci_resources *, struct err *) _must_check_;

/* Writes what would have kept the first process from being cloned into the group (pids.limit 0:
 * cgroup_limit writes 1 to an empty group). After the clone, before any code of the container. No
 * system call in the usual case. */
int cgroup_limit_late(
	const struct cgroup *, const struct oci_resources *, struct err *) _must_check_;

/* Loads and attaches the device program: deny by default, then the rules in order, then the
 * always-allowed set. Replaces atomically what an earlier call attached. */
int cgroup_devices(
	const struct cgroup *, const struct oci_device_rule *, size_t n, struct err *) _must_check_;

/* Gives the delegatable files to a uid/gid (private cgroup namespace with a writable cgroup2
 * mount). */
int cgroup_delegate(const struct cgroup *, uint32_t uid, uint32_t gid, struct err *) _must_check_;

/* Freezes and waits for it; thaws again when that fails. ERR_TIMEOUT names a task that doesn't
 * stop. Linux 5.2. */
int cgroup_freeze(const struct cgroup *, int timeout_ms, struct err *) _must_check_;
int cgroup_thaw(const struct cgroup *, struct err *) _must_check_;
/* 1 frozen, 0 not, -1 failed. */
int cgroup_is_frozen(const struct cgroup *, struct err *) _must_check_;

/* SIGKILL to all (cgroup.kill, or one by one before 5.14), other signals one by one, sub-groups
 * included. A process that is gone meanwhile is no failure; a number that was given to a stranger
 * meanwhile is never signalled. */
int cgroup_signal(const struct cgroup *, int signo, struct err *) _must_check_;
/* Waits until no process is left. ERR_TIMEOUT names a remaining task, its state and where it waits.
 */
int cgroup_wait_empty(const struct cgroup *, int timeout_ms, struct err *) _must_check_;

/* All pids, sub-groups included; fresh array (free() it). Processes outside of the caller's pid
 * namespace are left out. */
int cgroup_pids(const struct cgroup *, pid_t **ret, size_t *ret_n, struct err *) _must_check_;

/* Removes the group and its sub-groups, bottom-up, EBUSY retried for about a second, then the
 * parents that cgroup_create made, as far as they are empty. Kills nothing. Absent is success. */
int cgroup_remove(const char *path, struct err *) _must_check_;

/* The quick try, one rmdir: 1 when the group is gone now (or was absent), 0 when not, for whatever
 * reason. */
int cgroup_remove_empty(const char *path) _must_check_;

/* 1 when pid is in the group (or beneath), 0 when not (or when there is no such process). */
int cgroup_holds(const char *path, pid_t pid, struct err *) _must_check_;

/* A process that was to live in the group was killed or refused memory: says so, if the group's
 * memory.events (fd: its folder, or FD_NONE) show that its limit was hit. Otherwise *err stays.
 * Returns -1. */
int cgroup_explain_memory(int fd, struct err *err);

/* ---- the pure part: what is written where ---- */

enum cgroup_value_flags {
	CGROUP_NOOP = 1 << 0, /* says what is so without the file, too: "max", "0" */
	CGROUP_KEEP_FIRST =
		1 << 1, /* the first word of the text is replaced by the one that the file holds */
	CGROUP_DEFER = 1 << 2, /* EINVAL: written again after the next value */
	CGROUP_WITH_PREV =
		1 << 3, /* left out where the kernel has the file before, but not this one */
	CGROUP_UNIFIED = 1 << 4, /* from `unified` */
};

struct cgroup_value {
	const char *file, *text;
	const char *alt_file,
		*alt_text; /* where the kernel or the disk has not the first; may be NULL */
	const char *place; /* beneath linux.resources */
	unsigned flags;
};

struct cgroup_values {
	struct cgroup_value *items;
	size_t n, cap;
};

/* The files and texts of resources (NULL: none), in the order of writing. In the arena. Places as
 * cgroup_check. */
int cgroup_values(const struct oci_resources *, struct arena *, struct cgroup_values *ret,
	struct err *) _must_check_;

/* cpu.weight of cpu.shares: 2 -> 1, 1024 -> 100, 262144 -> 10000, a curve between; 0 (unset) -> 0.
 */
uint64_t cgroup_cpu_weight(uint64_t shares);

/* The controller of a file: "memory" of "memory.max"; "" for the core files "cgroup.*". buf is cut
 * to n. */
const char *cgroup_controller_of(const char *file, char *buf, size_t n);

#endif
