/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the command line. What stands here is what exists. */
#include "cli/cli.h"

#define ROW(nm, c, k, m, v, h)                                        \
	{                                                             \
		(nm), (c), (k), offsetof(struct options, m), (v), (h) \
	}
#define FLAG(nm, c, m, h)    ROW(nm, c, OPT_BOOL, m, NULL, h)
#define TEXT(nm, c, m, v, h) ROW(nm, c, OPT_STR, m, v, h)
#define LIST(nm, c, m, v, h) ROW(nm, c, OPT_LIST, m, v, h)
#define NUM(nm, c, m, v, h)  ROW(nm, c, OPT_U32, m, v, h)
#define HELP                 FLAG("help", 'h', help, "show this text")

const struct option_row global_options[] = {
	TEXT("root", 0, root, "DIR",
		"folder of the containers' records (" CTR_ROOT_DEFAULT
		"); guests of bundles made under another one aren't seen"),
	TEXT("data", 0, data, "DIR",
		"folder of images, sandboxes, records of guests, and containers made from requests (" CTR_DATA_DEFAULT
		")"),
	TEXT("settings", 0, settings, "FILE", "another configuration than /etc/ctrctl/config.json"),
	TEXT("log", 0, log, "FILE", "append failures and notes to a file"),
	TEXT("log-format", 0, log_format, "text|json", "form of the log (text)"),
	TEXT("log-level", 0, log_level, "LEVEL", "error, warning, info or debug (info)"),
	FLAG("debug", 0, debug, "the same as --log-level debug"),
	TEXT("trace", 0, trace, "FILE",
		"write the steps with their times, for Chrome's trace viewer"),
	TEXT("credential-fd", 0, credential_fd, "FD",
		"read the Proxmox token or password from this descriptor"),
	TEXT("cgroup-manager", 0, cgroup_manager, "NAME", "cgroupfs or disabled (cgroupfs)"),
	FLAG("systemd-cgroup", 0, systemd_cgroup, NULL),
	TEXT("rootless", 0, rootless, "BOOL", NULL),
	TEXT("criu", 0, criu, "PATH", NULL),
	FLAG("version", 'v', version, "show the version"),
	HELP,
	{ 0 },
};

#define CREATE_OPTIONS                                                                          \
	TEXT("bundle", 'b', bundle, "DIR", "folder with config.json (the current one)"),        \
		TEXT("config", 'f', config, "FILE", "another config.json than the bundle's"),   \
		TEXT("console-socket", 0, console_socket, "PATH",                               \
			"socket that gets the terminal's master"),                              \
		TEXT("pidfd-socket", 0, pidfd_socket, "PATH",                                   \
			"socket that gets a pidfd of the process"),                             \
		TEXT("backend", 0, backend, "NAME",                                             \
			"native or proxmox, whatever the image's name says"),                   \
		TEXT("pid-file", 0, pid_file, "FILE", "write the process id to a file"),        \
		FLAG("no-pivot", 0, no_pivot, "chroot instead of pivot_root"),                  \
		FLAG("no-new-keyring", 0, no_new_keyring, "keep the caller's session keyring"), \
		NUM("preserve-fds", 0, preserve_fds, "N", "pass on fds 3 to 2+N"), HELP

#define REQUEST_OPTIONS                                                                            \
	TEXT("request", 0, request, "FILE|-", "a CRI CreateContainerRequest instead of a bundle"), \
		TEXT("pod", 0, pod, "FILE", "the pod as crictl has it, found or run; with:"),      \
		TEXT("container", 0, container, "FILE", "the container as crictl has it"),         \
		TEXT("runtime-handler", 0, runtime_handler, "NAME",                                \
			"of the pod, if it has to be run")

#define BACKEND_WHERE \
	TEXT("backend", 0, backend, "NAME", "not on record? ask this backend's server: proxmox")

static const struct option_row none[] = { HELP, { 0 } };
static const struct option_row create_options[] = { CREATE_OPTIONS, REQUEST_OPTIONS, { 0 } };
static const struct option_row run_options[] = {
	CREATE_OPTIONS,
	FLAG("detach", 'd', detach, "return when the container runs"),
	FLAG("keep", 0, keep, "don't delete the container after its end"),
	FLAG("no-subreaper", 0, no_subreaper,
		"don't adopt processes that the container leaves behind"),
	REQUEST_OPTIONS,
	{ 0 },
};
static const struct option_row exec_options[] = {
	TEXT("process", 'p', process, "FILE", "process object to run; other options go over it"),
	TEXT("console-socket", 0, console_socket, "PATH", "socket that gets the terminal's master"),
	TEXT("pidfd-socket", 0, pidfd_socket, "PATH", "socket that gets a pidfd of the process"),
	TEXT("cwd", 0, cwd, "DIR", "working directory"),
	LIST("env", 'e', env, "NAME=VALUE", "add to the environment"),
	FLAG("tty", 't', tty, "allocate a terminal"),
	TEXT("user", 'u', user, "UID[:GID]", "numbers of the user and the group"),
	LIST("additional-gids", 'g', additional_gids, "GID",
		"supplementary group, may be repeated"),
	FLAG("detach", 'd', detach, "return when the process runs"),
	TEXT("pid-file", 0, pid_file, "FILE", "write the process id to a file"),
	TEXT("process-label", 0, process_label, "LABEL", "SELinux label"),
	TEXT("apparmor", 0, apparmor, "PROFILE", "AppArmor profile"),
	FLAG("no-new-privs", 0, no_new_privs, "no privileges by set-id programs"),
	LIST("cap", 'c', caps, "CAP_X", "add a capability, may be repeated"),
	NUM("preserve-fds", 0, preserve_fds, "N", "pass on fds 3 to 2+N"),
	TEXT("cgroup", 0, cgroup, "PATH", "group beneath the container's"),
	FLAG("ignore-paused", 0, ignore_paused, "exec in a paused container too"),
	FLAG("no-new-keyring", 0, no_new_keyring, "keep the caller's session keyring"),
	HELP,
	{ 0 },
};
static const struct option_row kill_options[] = {
	FLAG("all", 'a', all, "every process of the container"), HELP, { 0 }
};
static const struct option_row state_options[] = { BACKEND_WHERE, HELP, { 0 } };
static const struct option_row delete_options[] = {
	FLAG("force", 'f', force, "kill it first; an unknown id is success"),
	BACKEND_WHERE,
	HELP,
	{ 0 },
};
static const struct option_row list_options[] = {
	TEXT("format", 'f', format, "table|json", "form of the output (table)"),
	FLAG("quiet", 'q', quiet, "only ids"),
	HELP,
	{ 0 },
};
static const struct option_row ps_options[] = {
	TEXT("format", 'f', format, "table|json", "form of the output (table)"),
	HELP,
	{ 0 },
};
static const struct option_row spec_options[] = {
	TEXT("bundle", 'b', bundle, "DIR", "folder to write config.json to (the current one)"),
	FLAG("rootless", 0, spec_rootless, NULL),
	HELP,
	{ 0 },
};
static const struct option_row explain_options[] = {
	TEXT("bundle", 'b', bundle, "DIR", "folder with config.json (the current one)"),
	TEXT("config", 'f', config, "FILE", "another config.json than the bundle's"),
	TEXT("backend", 0, backend, "NAME", "native or proxmox, whatever the image's name says"),
	FLAG("no-pivot", 0, no_pivot, "chroot instead of pivot_root"),
	FLAG("no-new-keyring", 0, no_new_keyring, "keep the caller's session keyring"),
	REQUEST_OPTIONS,
	HELP,
	{ 0 },
};
static const struct option_row update_options[] = {
	TEXT("resources", 'r', resources, "FILE|-",
		"linux.resources as JSON; other options go over it"),
	TEXT("blkio-weight", 0, blkio_weight, "N", "10 to 1000"),
	TEXT("cpu-period", 0, cpu_period, "US", "CFS period in microseconds"),
	TEXT("cpu-quota", 0, cpu_quota, "US", "CFS quota in microseconds, -1: none"),
	TEXT("cpu-burst", 0, cpu_burst, "US", "CFS burst in microseconds"),
	TEXT("cpu-share", 0, cpu_share, "N", "CPU shares, 2 to 262144"),
	TEXT("cpu-rt-period", 0, cpu_rt_period, "US", NULL),
	TEXT("cpu-rt-runtime", 0, cpu_rt_runtime, "US", NULL),
	TEXT("cpu-idle", 0, cpu_idle, "0|1", "run only when nobody else wants to"),
	TEXT("cpuset-cpus", 0, cpuset_cpus, "LIST", "CPUs: 0-2,4"),
	TEXT("cpuset-mems", 0, cpuset_mems, "LIST", "memory nodes"),
	TEXT("memory", 0, memory, "BYTES", "memory limit: 64m, -1: none"),
	TEXT("memory-reservation", 0, memory_reservation, "BYTES",
		"memory that isn't reclaimed from"),
	TEXT("memory-swap", 0, memory_swap, "BYTES",
		"memory and swap together, -1: no limit of swap"),
	TEXT("kernel-memory", 0, kernel_memory, "BYTES", NULL),
	TEXT("kernel-memory-tcp", 0, kernel_memory_tcp, "BYTES", NULL),
	TEXT("pids-limit", 0, pids_limit, "N", "number of processes, -1: no limit"),
	TEXT("l3-cache-schema", 0, l3_cache_schema, "TEXT", NULL),
	TEXT("mem-bw-schema", 0, mem_bw_schema, "TEXT", NULL),
	HELP,
	{ 0 },
};
static const struct option_row image_load_options[] = {
	TEXT("name", 'n', name, "NAME", "call the image so, whatever the archive says"),
	TEXT("ref", 0, ref, "NAME", "only the image that the archive calls so"),
	FLAG("quiet", 'q', quiet, "no progress; only ids"),
	HELP,
	{ 0 },
};
static const struct option_row sandbox_run_options[] = {
	TEXT("runtime-handler", 'r', runtime_handler, "NAME",
		"native, proxmox, or one of routing.runtimeHandlers"),
	HELP,
	{ 0 },
};

static const struct option_row wait_options[] = {
	TEXT("time", 't', time, "SECONDS", "give up after so long"),
	HELP,
	{ 0 },
};
static const struct option_row stop_options[] = {
	TEXT("time", 't', time, "SECONDS", "how long it may take before it is killed (10)"),
	HELP,
	{ 0 },
};
static const struct option_row logs_options[] = {
	FLAG("follow", 'f', follow, "go on until the container has ended"),
	TEXT("tail", 0, tail, "N", "the last N lines only"),
	FLAG("timestamps", 't', timestamps, "with the time of each line"),
	FLAG("reopen", 0, reopen, "let the log file be opened anew, after it was renamed"),
	HELP,
	{ 0 },
};
static const struct option_row attach_options[] = {
	FLAG("no-stdin", 0, no_stdin, "don't pass on what is typed"),
	HELP,
	{ 0 },
};

const struct command commands[] = {
	{ "create", create_options, OPT_ANYWHERE, 0, 1, verb_create, "ID | --request FILE",
		"make a container, ready to start", true, 1 },
	{ "start", none, OPT_ANYWHERE, 1, 1, verb_start, "ID",
		"let a created container's program run", false, 1 },
	{ "run", run_options, OPT_ANYWHERE, 0, 1, verb_run, "ID | --request FILE",
		"create, start, wait and delete", true, 1 },
	{ "state", state_options, OPT_ANYWHERE, 1, 1, verb_state, "ID",
		"show the state of a container as JSON", false, 1 },
	{ "exec", exec_options, OPT_FIRST, 1, -1, verb_exec, "ID [COMMAND...]",
		"run another process in a container", true, 255 },
	{ "list", list_options, OPT_ANYWHERE, 0, 0, verb_list, "", "show all containers", false,
		1 },
	{ "ps", ps_options, OPT_FIRST, 1, -1, verb_ps, "ID [PS OPTIONS...]",
		"show the processes of a container", false, 1 },
	{ "kill", kill_options, OPT_FIRST, 1, 2, verb_kill, "ID [SIGNAL]",
		"send a signal (SIGTERM); guests know TERM, INT, QUIT, HUP, PWR, RTMIN+3, RTMIN+4, KILL",
		false, 1 },
	{ "delete", delete_options, OPT_ANYWHERE, 1, 1, verb_delete, "ID", "remove a container",
		false, 1 },
	{ "wait", wait_options, OPT_ANYWHERE, 1, -1, verb_wait, "ID...",
		"wait for the end of containers, print their exit statuses", false, 1 },
	{ "stop", stop_options, OPT_ANYWHERE, 1, -1, verb_stop, "ID...",
		"end containers, by force if need be", false, 1 },
	{ "logs", logs_options, OPT_ANYWHERE, 1, 1, verb_logs, "ID",
		"show what a container has written", false, 1 },
	{ "attach", attach_options, OPT_ANYWHERE, 1, 1, verb_attach, "ID",
		"be tied to a container's standard streams", false, 1 },
	{ "stats", ps_options, OPT_ANYWHERE, 1, -1, verb_stats, "ID...", "show what containers use",
		false, 1 },
	{ "pause", none, OPT_ANYWHERE, 1, 1, verb_pause, "ID", "freeze a container", false, 1 },
	{ "resume", none, OPT_ANYWHERE, 1, 1, verb_resume, "ID", "let a paused container go on",
		false, 1 },
	{ "update", update_options, OPT_ANYWHERE, 1, 1, verb_update, "ID",
		"change the limits of a container", false, 1 },
	{ "spec", spec_options, OPT_ANYWHERE, 0, 0, verb_spec, "",
		"write a config.json to start from", false, 1 },
	{ "features", none, OPT_ANYWHERE, 0, 0, verb_features, "",
		"show what this runtime can do, as JSON", false, 1 },
	{ "explain", explain_options, OPT_ANYWHERE, 0, 1, verb_explain, "[ID | FILE]",
		"show what create would do, step by step", false, 1 },
	{ "check proxmox", none, OPT_ANYWHERE, 0, 0, verb_check_proxmox, "",
		"show what the Proxmox VE server lacks, and how to grant it", false, 1 },
	{ "image load", image_load_options, OPT_ANYWHERE, 1, -1, verb_image_load, "PATH...",
		"load images from archives, \"-\": standard input", false, 1 },
	{ "image list", list_options, OPT_ANYWHERE, 0, 0, verb_image_list, "",
		"show the images of the store", false, 1 },
	{ "image inspect", none, OPT_ANYWHERE, 1, 1, verb_image_inspect, "IMAGE",
		"show all of an image as JSON", false, 1 },
	{ "image remove", none, OPT_ANYWHERE, 1, -1, verb_image_remove, "IMAGE...",
		"remove images with all their names", false, 1 },
	{ "sandbox run", sandbox_run_options, OPT_ANYWHERE, 1, 1, verb_sandbox_run, "POD.json|-",
		"make a pod sandbox, print its id", false, 1 },
	{ "sandbox status", none, OPT_ANYWHERE, 1, 1, verb_sandbox_status, "ID",
		"show the status of a sandbox as JSON", false, 1 },
	{ "sandbox list", list_options, OPT_ANYWHERE, 0, 0, verb_sandbox_list, "",
		"show all sandboxes", false, 1 },
	{ "sandbox stop", none, OPT_ANYWHERE, 1, -1, verb_sandbox_stop, "ID...",
		"kill a sandbox's containers, give up its namespaces", false, 1 },
	{ "sandbox remove", none, OPT_ANYWHERE, 1, -1, verb_sandbox_remove, "ID...",
		"remove a sandbox with its containers", false, 1 },
	{ 0 },
};
