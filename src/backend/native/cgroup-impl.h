/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cgroup module share. */
#ifndef NATIVE_CGROUP_IMPL_H
#define NATIVE_CGROUP_IMPL_H

#include "cgroup.h"

#include <limits.h>

enum {
	CGROUP_CONTROLLER_MAX = 32, /* bytes of a controller's name */
	CGROUP_NEED_MAX = 24,
	CGROUP_FILE_MAX = 4096, /* bytes read of a file that isn't a list of pids */
};

/* Opens `path` (relative, "." for dir itself) beneath dir: no symlink, no "..", no other mount. fd
 * or -1 with errno. */
int cgroup_openat(int dir, const char *path, int flags);

/* A small file beneath dir, NUL-terminated, cut to n. Bytes, or -1 with errno. */
ssize_t cgroup_get(int dir, const char *file, char *buf, size_t n);

/* True if `word` is one of the words of `text`. */
bool cgroup_has_word(const char *text, const char *word);

/* The number after `key` in a "key number" file; -1 when it isn't there. */
long cgroup_key(const char *text, const char *key);

/* The path of an open group, for messages. */
const char *cgroup_name(int fd, char buf[PATH_MAX]);

/* An error about a group whose text no engine mistakes for one of the container's program. Returns
 * -1. */
int cgroup_fail(struct err *, int os, const char *op, const char *group);

/* ERR_UNSUPPORTED: the controller isn't there, and why that may be so. Returns -1. */
int cgroup_no_controller(struct err *, const char *controller, const char *group);

/* The fd (O_PATH) of the mount point. -1 with err. */
int cgroup_open_root(struct err *);

/* Refuses what cgroup_path would refuse, and relative paths. */
int cgroup_check_path(const char *path, struct err *);

/* Splits "/a/b/leaf" into "a/b" (or ".") and "leaf", which points into path. */
const char *cgroup_split(const char *path, char parent[PATH_MAX]);

/* A controller that values need (other than those that say what is so without), and for which of
 * them. */
struct cgroup_need {
	char name[CGROUP_CONTROLLER_MAX];
	const char *place; /* of the first value that needs it */
	const char *unified;
};

struct cgroup_needs {
	struct cgroup_need items[CGROUP_NEED_MAX];
	size_t n;
};

int cgroup_needs_of(const struct cgroup_values *, struct cgroup_needs *, struct err *);

/* Enables them in every group from the root down to `parent` (relative, or "."; parent_fd is it),
 * unless the parent has them already. */
int cgroup_enable(
	int root, int parent_fd, const char *parent, const struct cgroup_needs *, struct err *);

/* The attribute of groups that cgroup_create made on the way to a leaf. */
#define CGROUP_MADE_MARK "trusted.ctrctl.made"

/* The same in its mode, which is there from the first moment: whoever is killed before the
 * attribute is set leaves no group that nobody removes. */
enum { CGROUP_MADE_MODE = 01755 };

/* Removes marked groups from `path` (relative, beneath root; overwritten) upwards, as far as they
 * are empty. Never fails: another container may live there. */
void cgroup_drop_made(int root, char *path);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t cgroup_now_ms(void);

/* Waits until `key` of cgroup.events is `want`. 1 yes, 0 not in time, -1 errno. A group that is
 * gone is not populated. */
int cgroup_await(int fd, const char *key, long want, int timeout_ms);

/* Describes a task that keeps the group from becoming empty or frozen: "task 12 (cat) in state D at
 * nfs_wait". */
void cgroup_straggler(const struct cgroup *, char *buf, size_t n);

#endif
