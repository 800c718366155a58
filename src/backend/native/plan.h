/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set-up of a container, compiled before it is executed: what the parent opens (sources), how
 * the process comes to be (spawn), and what init does step by step. Compiling is a pure function of
 * the spec and facts about the host; it has no side effect and needs no root. `ctrctl explain`
 * prints a plan; spawn.c executes it.
 */
#ifndef NATIVE_PLAN_H
#define NATIVE_PLAN_H

#include "base/arena.h"
#include "base/str.h"
#include "ctrctl/oci.h"
#include "init/wire.h"

struct seccomp_filter;

/* What the host can do and how the caller wants it; filled by facts_read() or by a test. */
struct plan_facts {
	const char *bundle;      /* absolute; relative paths of the spec begin here */
	int last_cap;            /* /proc/sys/kernel/cap_last_cap */
	uint64_t own_caps;       /* effective set of ctrctl itself */
	bool apparmor, selinux;  /* enabled on this kernel */
	bool cgroup2_unified;    /* /sys/fs/cgroup itself is cgroup2 */
	const char *cgroup_root; /* where cgroup2 is mounted on the host */
	const char *cgroup_path; /* the container's own cgroup beneath it: "/ctrctl-web1" */
	bool no_pivot, no_new_keyring;
	uint32_t preserve_fds; /* LISTEN_FDS included */
	uint32_t listen_fds;
	const char *id;
	uint64_t same_ns; /* CLONE_NEW* of the joined namespaces that ctrctl itself is in */
	bool kcore;       /* /proc/kcore is there */
	/* The compiled seccomp filter; NULL while only explaining. */
	const struct seccomp_filter *filter;
};

enum source_kind {
	SRC_NONE,
	SRC_TREE, /* open_tree(path, CLONE [RECURSIVE]); attributes and idmap applied while detached
		   */
	SRC_ROOT, /* the same of root.path, opened O_PATH|O_DIRECTORY first; must be a directory */
	SRC_DIR,  /* O_PATH|O_DIRECTORY of path */
	SRC_NULL, /* detached mount of the host's /dev/null, checked to be 1:3 */
	SRC_EMPTY,  /* detached read-only tmpfs without room: the mask of directories */
	SRC_TMPFS,  /* detached tmpfs with key/value options (tmpcopyup) */
	SRC_BLOCK,  /* detached file system of type fs_type on the host's block device path;
		       key/value  options */
	SRC_NS,     /* namespace by path, checked with NS_GET_NSTYPE against ns_flag */
	SRC_PIDFD,  /* given by the caller of spawn (exec) */
	SRC_GATE,   /* listening start socket, given by the caller */
	SRC_DEVICE, /* detached mount of a host device node, checked against type and dev (nodes in
		       a user namespace) */
	SRC_KIND_N
};

/* Something that the parent opens before the clone; steps refer to it by index. */
struct plan_source {
	enum source_kind kind;
	const char *path;
	bool recursive, optional;
	bool idmap, idmap_recursive; /* by the maps below, or the container's user namespace when
					there are none */
	const struct oci_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
	uint64_t attr_set, attr_clr;         /* on the top mount */
	uint64_t rec_attr_set, rec_attr_clr; /* on the whole tree */
	uint64_t propagation; /* MS_*, set while detached, whole tree if recursive; default
				 MS_PRIVATE */
	uint64_t ns_flag;     /* SRC_NS */
	uint32_t mode;        /* SRC_DEVICE: S_IFCHR or S_IFBLK */
	uint64_t dev;
	const char *fs_type;  /* SRC_BLOCK */
	const char **options; /* SRC_TMPFS, SRC_BLOCK: key, value, key, value ... */
	size_t n_options;
	const char *place;
};

struct plan_step {
	enum wire_op op;
	unsigned flags;
	int source,
		source2; /* index into sources, or -1; source2: OP_MASK's second fd (goes to c) */
	const void *s1, *s2, *s3; /* text when the length is 0, else a blob of so many bytes */
	size_t n1, n2, n3;
	const char *tail; /* OP_HOOK: the state after the pid, if it isn't the plan's state_tail
			     (goes to c) */
	uint64_t a, b, c;
	const char *place;
	bool target_kind_by_source; /* OP_ATTACH: STEP_MAKE_FILE or STEP_MAKE_DIR, whichever the
				       opened source is; plan_pack() looks */
};

/* How the process comes to be; see ../../init/wire.h and spawn.c for the order of calls. */
struct plan_spawn {
	uint64_t new_ns;    /* CLONE_NEW* made by the (last) clone */
	uint64_t joined_ns; /* CLONE_NEW* of those joined by path, for the record */
	bool host_side; /* init runs on the host's side first, its first steps join, OP_FORK goes in
			 */
	bool user_ns;   /* a new user namespace: maps are written by the parent, GO is awaited */
	int helper_join[OCI_NS_N]; /* sources that a helper joins before the clone (host-owned
				      namespaces + new user) */
	size_t n_helper_join;
	bool time_ns;  /* new time namespace: made by the parent before the clone */
	int time_join; /* source of a joined time namespace, or -1 */
	const struct oci_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
	const struct oci_time_offsets *time_offsets;
};

struct plan {
	struct arena *arena; /* borrowed */
	struct plan_spawn spawn;
	struct plan_source *sources;
	size_t n_sources, cap_sources;
	struct plan_step *steps;
	size_t n_steps, cap_steps;
	const char *const *argv, *const *envp; /* NULL-terminated */
	const char *state_head, *state_tail;
	uint32_t preserve_fds;
	bool failed;                       /* memory ran out while building; plan_ok() says so */
	struct plan_source scratch_source; /* what is handed out then */
	struct plan_step scratch_step;
};

void plan_init(struct plan *, struct arena *);

/* Both return a pointer to a zeroed entry with fds unset, or a scratch entry after memory ran out.
 * It is valid until the next entry of its kind is added. */
struct plan_source *plan_source(
	struct plan *, enum source_kind, const char *path, const char *place, int *ret_index);
struct plan_step *plan_step(struct plan *, enum wire_op, const char *place);
int plan_ok(const struct plan *, struct err *) _must_check_;

/* The strings one after another with their NULs, as wire.h's lists are: memory of the plan and its
 * length. NULL when n is 0 or memory ran out (plan_ok() says so). */
const void *plan_list(struct plan *, const char *const *strings, size_t n, size_t *ret_size);

/* Names of ops, flags and kinds for text, traces and errors. */
const char *plan_op_name(enum wire_op);
const char *plan_source_name(enum source_kind);

/* One line per source and step, stable: the golden files, `explain` and --debug are made of this.
 */
void plan_text(const struct plan *, struct str *out);

/* The packed form of wire.h: fds[i] is the fd of source i. ctl, trace and hook are fd numbers (-1
 * none). */
int plan_pack(const struct plan *, const int *fds, int ctl_fd, int trace_fd, int hook_fd,
	struct str *out, struct err *) _must_check_;

/* An error that init reported, in full: operation, object, place and hint, from the step it names.
 * Returns -1. */
int plan_error(const struct plan *, const struct wire_msg *, struct err *);

/* ---- compile.c ---- */

/* The plan that makes a container of a checked spec. */
int plan_create(const struct oci_spec *, const struct plan_facts *, struct plan *,
	struct err *) _must_check_;

/* The plan that adds a process to a running container: joins the namespaces of a pidfd (differ =
 * CLONE_NEW* mask of the kinds in which target and ctrctl differ), then the process's attributes.
 * `spec` is the container's own config, `process` what is to run. */
struct plan_exec {
	uint64_t differ;
	bool user_differs;
	const char *label_selinux, *label_apparmor; /* override, or NULL */
};
int plan_exec(const struct oci_spec *, const struct oci_process *, const struct plan_exec *,
	const struct plan_facts *, struct plan *, struct err *) _must_check_;

#endif
