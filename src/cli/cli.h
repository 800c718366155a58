/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the command line share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/str.h"
#include "cli/options.h"
#include "ctrctl/engine.h"
#include "ctrctl/fault.h"

/* All options of all verbs; a verb's table says which of them it knows. */
struct options {
	/* global */
	const char *root, *data, *settings, *log, *log_format, *log_level, *cgroup_manager,
		*rootless, *criu, *trace, *credential_fd;
	bool debug, systemd_cgroup, version, help;
	/* create, run, explain, spec */
	const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
	bool no_pivot, no_new_keyring, detach, keep, no_subreaper, spec_rootless;
	uint32_t preserve_fds;
	/* create, run, explain: from a request */
	const char *request, *pod, *container, *backend;
	/* image, sandbox */
	const char *name, *ref, *runtime_handler;
	/* stop, wait, logs, attach */
	const char *time, *tail;
	bool follow, timestamps, reopen, no_stdin;
	/* exec */
	const char *cwd, *user, *process, *process_label, *apparmor, *cgroup;
	struct option_list env, additional_gids, caps;
	bool tty, no_new_privs, ignore_paused;
	/* kill, delete, list, ps */
	bool all, force, quiet;
	const char *format;
	/* update */
	const char *resources, *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share,
		*cpu_rt_period, *cpu_rt_runtime, *cpu_idle, *cpuset_cpus, *cpuset_mems, *memory,
		*memory_reservation, *memory_swap, *kernel_memory, *kernel_memory_tcp, *pids_limit,
		*l3_cache_schema, *mem_bw_schema;
};

struct cli {
	struct options o;
	struct arena *arena;
	struct ctr_engine *engine;
	struct ctr_trace *trace; /* NULL without --trace */
	const char **args;       /* NULL-terminated, without options */
	int n_args;
	uint32_t listen_fds;
	struct ctr_faults faults; /* of a request: printed with the error */
};

/* A verb returns the exit status, or -1 with err. */
typedef int verb_fn(struct cli *, struct err *);
verb_fn verb_create, verb_run, verb_start, verb_state, verb_exec, verb_kill, verb_delete, verb_list,
	verb_ps, verb_pause, verb_resume, verb_update, verb_spec, verb_features, verb_explain,
	verb_image_load, verb_image_list, verb_image_inspect, verb_image_remove, verb_sandbox_run,
	verb_sandbox_status, verb_sandbox_list, verb_sandbox_stop, verb_sandbox_remove, verb_wait,
	verb_stop, verb_logs, verb_attach, verb_stats, verb_check_proxmox;

struct command {
	const char *name;
	const struct option_row *options;
	enum option_order order;
	int min_args, max_args; /* max -1: any number */
	verb_fn *fn;
	const char *args, *help;
	bool crosses; /* fds of ours may reach the container */
	int failure;  /* exit status of a failure */
};

/* commands.c: ends with a row without a name. */
extern const struct command commands[];
extern const struct option_row global_options[];

/* print.c: whole text to stdout, and the help pages. */
int print_out(const struct str *, struct err *) _must_check_;
/* Text of others: what a terminal would obey, and what is no text, becomes "?". */
void print_shown(struct str *, const char *text);
int print_help(const struct command *, struct err *) _must_check_;
int print_version(struct err *) _must_check_;

/* signals.c: with --backend a container that isn't on record is looked for at that backend's
 * server, and taken on record; what isn't there either is no failure yet. */
int adopt(struct cli *, struct err *) _must_check_;

/* attach.c: the fds that cross. */
/* --preserve-fds and LISTEN_FDS: each must be open, no directory, no O_PATH. Before anything else
 * is opened. */
int attach_check_fds(struct cli *, struct err *) _must_check_;
/* A connected stream socket; long paths work. */
int attach_connect(const char *path, struct err *) _must_check_;
struct attach_sockets {
	int console, pidfd;
};
#define ATTACH_SOCKETS_INIT \
	{                   \
		-1, -1      \
	}
void attach_sockets_close(struct attach_sockets *);
/* Fills attach from the options; connected sockets go to *own. */
int attach_open(const struct cli *, struct attach_sockets *own, struct ctr_attach *ret,
	struct err *) _must_check_;

/* wait.c: the foreground of run and exec. */
struct foreground {
	int signals;             /* signalfd, FD_NONE until begun */
	unsigned char mask[128]; /* sigset_t of before, opaque here */
};
#define FOREGROUND_INIT       \
	{                     \
		.signals = -1 \
	}
/* Blocks what is to be forwarded: before the process is made, so that nothing is lost. */
int foreground_begin(struct foreground *, struct err *) _must_check_;
/* Waits for a child, relays its terminal (console: the master, -1 none) and signals. Its exit
 * status, 128+n for signals; -1 failed. */
int foreground_wait(struct foreground *, pid_t, int console, struct err *) _must_check_;
void foreground_end(struct foreground *);

/* exec.c: "uid[:gid]", digits only. */
struct ctr_exec_request;
int user_parse(const char *text, struct ctr_exec_request *, struct err *) _must_check_;

/* update.c: "64m", "-1", bytes. 0 or -1. */
int size_parse(const char *text, int64_t *ret) _must_check_;

#endif
