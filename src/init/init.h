/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of init share. init interprets the plan of wire.h, step by step; it allocates
 * nothing that grows, keeps its few words of state in `G`, and answers failures with -errno.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include "sys.h"
#include "wire.h"

struct state {
	const struct wire_plan *plan;
	const char *pool; /* the string pool */
	uint32_t pool_size;
	uint32_t step; /* the one that runs */
	uint64_t *trace;
	int64_t value;                    /* goes along with an error: a hook's wait status */
	int report_fd;                    /* where errors go, or -1 */
	int hook_fd;                      /* where hooks write, or -1 */
	int root;                         /* the container's root, or -1: "/" */
	int dir;                          /* where the last node or link was made, or -1 */
	const struct wire_step *dir_step; /* which one that was */
	int proc;                         /* private procfs, or -1 */
	int masked[2]; /* mask mounts (file, directory) that have been attached: fd, or -1 */
	uint32_t umask;
	const char *exec;    /* found by OP_FIND_EXEC */
	const char **vector; /* argv, NULL, envp, NULL */
	uint8_t committed;   /* after OP_READY: the parent's death no longer matters */
	uint8_t cwd_done;
	uint8_t finished;      /* fds shed, umask set: nothing but execve is left */
	char home[256];        /* "HOME=..." for a process without one, or "" */
	char interpreter[104]; /* of the program found: its #! line's or its ELF header's, or "" */
	char detail[sizeof(((struct wire_msg *)0)->text)];
};

extern struct state G;

typedef long step_fn(const struct wire_step *);

/* main.c: texts, reports */
const char *text_at(uint32_t off);
const char *text_next(const char *s);
int text_eq(const char *a, const char *b);
size_t text_len(const char *s);
char *text_put(char *at, const char *end, const char *s);
char *text_number(char *at, const char *end, uint64_t n);
void say(const char *s);     /* the detail of the error that follows */
long fail(long nr, int err); /* an error found by ourselves, on behalf of a call */
void close_fd(int fd);
/* The checks of a plan: 0, or -errno. `size` bytes are mapped. */
long plan_check(const struct wire_plan *, size_t size);
/* Runs a plan; returns the exit status when it doesn't end in an execve. */
int init_run(const struct wire_plan *, size_t size);

/* talk.c */
long talk_send(int fd, struct wire_msg *, int pass_fd);
void talk_error(long err);
void talk_orphaned(void) __attribute__((noreturn));
step_fn talk_go, talk_sync, talk_ready, talk_gate;

/* files.c: places */
enum make { MAKE_NOTHING, MAKE_DIR, MAKE_FILE };
/* O_PATH fd of a target. nofollow: no symlink anywhere in it. */
long target_open(const char *path, uint64_t flags, int nofollow);
/* The same, made with missing parents; *made says whether the last component is new. */
long target_make(const char *path, enum make, uint32_t mode, int nofollow, int *made);
long target_for(const char *path, const struct wire_step *);
int target_nofollow(const char *path, const struct wire_step *);
long root_fd(void);
void root_forget(void);
void folder_forget(void);
long stat_fd(int fd, struct statx *);
int is_node(const struct statx *, uint32_t type, uint32_t major, uint32_t minor);
step_fn files_mkdir, files_mknod, files_symlink, files_proc, files_proc_done, files_sysctl,
	files_label, files_keyring, files_stdio;

/* mounts.c */
long mount_attach(int mnt, int at, const char *path, int nofollow);
step_fn mounts_propagate, mounts_root, mounts_fsmount, mounts_attach, mounts_bind, mounts_setattr,
	mounts_reconfig, mounts_mask, mounts_pivot;

/* process.c */
void process_begin(void);
void process_hide(void);
long process_shed(int first, int keep);
step_fn process_setns, process_setns_pidfd, process_unshare, process_fork, process_be_root,
	process_close, process_hostname, process_domainname, process_setsid, process_umask,
	process_personality, process_sched, process_ioprio, process_affinity, process_mempolicy,
	process_bounding, process_ids, process_caps, process_ambient, process_nnp;

/* home.c */
step_fn home_find, home_rlimit;

/* exec.c */
step_fn exec_cwd, exec_find, exec_seccomp, exec_exec;

/* console.c, hooks.c, netlink.c */
step_fn console_open, hooks_run, netlink_send;

#endif
