/* SPDX-License-Identifier: Apache-2.0 */
/* ctrctl: argv -> one verb -> exit status. Failures are printed here and nowhere else. */
#include "cli/cli.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/names.h"
#include "base/sys.h"
#include "model/trace.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAP_BYTES = 512 << 10 };

static const struct ctr_backend *const backends[] = { &ctr_backend_native, &ctr_backend_proxmox,
	NULL };

static const char *const level_names[LOG_LEVEL_N] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
static const struct name_table levels = { level_names, LOG_LEVEL_N };

/* Known elsewhere, not here. */
static const char *const later[] = { "checkpoint", "restore", "events" };

/* A command of two words ("image load"): the second one, when it is `more`. */
static bool is_command(const struct command *k, const char *name, const char *more, int *ret_words)
{
	const char *space = strchr(k->name, ' ');

	*ret_words = space ? 2 : 1;
	if (!space)
		return str_eq(k->name, name);
	return strlen(name) == (size_t)(space - k->name) && str_starts(k->name, name) &&
	       str_eq(space + 1, more);
}

/* The words that may follow `name`, when it is the first of two. */
static void list_second_words(const char *name, struct err *err)
{
	_str_ struct str words = { 0 };

	for (const struct command *k = commands; k->name; k++) {
		const char *space = strchr(k->name, ' ');
		if (space && strlen(name) == (size_t)(space - k->name) && str_starts(k->name, name))
			str_printf(&words, "%s%s", words.n ? ", " : "", space + 1);
	}
	if (words.n && !words.failed)
		err_set(err, ERR_USAGE, NULL, "\"%s\" needs one of: %s", name, words.p);
}

static const struct command *find_command(
	const char *name, const char *more, int *ret_words, struct err *err)
{
	for (const struct command *k = commands; k->name; k++) {
		if (is_command(k, name, more, ret_words))
			return k;
	}
	err_set(err, ERR_USAGE, NULL, "unknown command \"%s\"", name);
	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		if (str_eq(later[i], name))
			err_set(err, ERR_UNSUPPORTED, NULL,
				"unknown command \"%s\": this version of ctrctl doesn't have it",
				name);
	}
	list_second_words(name, err);
	err_hint(err, "ctrctl --help lists the commands");
	return NULL;
}

/* ---- the log ---- */

static int open_log(const struct options *o, struct err *err)
{
	const bool json = str_eq(o->log_format, "json");
	int level = o->debug ? LOG_DEBUG : LOG_INFO;
	const char *path = o->log;

	if (o->log_format && *o->log_format && !json && !str_eq(o->log_format, "text"))
		return err_set(err, ERR_USAGE, NULL,
			"unknown log-format \"%s\": text and json are known", o->log_format);
	if (o->log_level && !o->debug) {
		level = name_parse(
			&levels, str_eq(o->log_level, "warn") ? "warning" : o->log_level);
		if (level < 0)
			return err_set(
				err, ERR_USAGE, NULL, "unknown log-level \"%s\"", o->log_level);
	}
	if (path && (str_starts(path, "journald:") || str_starts(path, "syslog:")))
		return err_set(err, ERR_UNSUPPORTED, path, "the log can only go to a file");
	if (path && str_starts(path, "file:"))
		path += strlen("file:");
	return log_open(path, json ? LOG_JSON : LOG_TEXT, (enum log_level)level, err);
}

/* The command line is broken: the failure must reach the log all the same, if there is anything
 * like one. */
static void rescue_log(int argc, char **argv)
{
	static const char *const names[] = { "log", "log-format" };
	struct options o = { 0 };
	const char **const at[] = { &o.log, &o.log_format };
	struct err err = ERR_INIT;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (*word++ != '-')
			continue;
		word += *word == '-';
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			size_t n = strlen(names[k]);
			if (strncmp(word, names[k], n) != 0)
				continue;
			if (word[n] == '=')
				*at[k] = word + n + 1;
			else if (!word[n] && i + 1 < argc)
				*at[k] = argv[i + 1];
		}
	}
	if (open_log(&o, &err) < 0)
		log_debug("the log can't be opened");
}

/* ---- the engine ---- */

static int check_globals(const struct options *o, int *ret_manager, struct err *err)
{
	*ret_manager = CTR_CGROUP_CGROUPFS;
	if (o->rootless && !str_eq(o->rootless, "auto") && !str_eq(o->rootless, "false"))
		return err_set(err, ERR_UNSUPPORTED, "--rootless",
			"ctrctl runs as root only: auto and false are known");
	if (str_eq(o->cgroup_manager, "disabled"))
		*ret_manager = CTR_CGROUP_DISABLED;
	if (o->systemd_cgroup || str_eq(o->cgroup_manager, "systemd")) {
		err_set(err, ERR_UNSUPPORTED,
			o->systemd_cgroup ? "--systemd-cgroup" : "--cgroup-manager systemd",
			"the systemd cgroup driver isn't available");
		return err_hint(err, "configure the engine for the cgroupfs driver");
	}
	if (o->cgroup_manager && *ret_manager == CTR_CGROUP_CGROUPFS &&
		!str_eq(o->cgroup_manager, "cgroupfs"))
		return err_set(
			err, ERR_USAGE, NULL, "unknown cgroup manager \"%s\"", o->cgroup_manager);
	return 0;
}

/* It isn't opened here, nor read: what it holds is nobody's business but the server's. */
static int check_credential(struct cli *c, const int **ret, struct err *err)
{
	int *fd = arena_alloc(c->arena, sizeof(*fd));
	uint64_t number;

	if (!c->o.credential_fd)
		return 0;
	if (!fd)
		return err_nomem(err);
	if (parse_u64(c->o.credential_fd, INT_MAX, &number) < 0 || number <= STDERR_FILENO ||
		fcntl((int)number, F_GETFD) < 0)
		return err_set(err, ERR_USAGE, "--credential-fd",
			"\"%s\" is no open file descriptor above 2", c->o.credential_fd);
	*fd = (int)number;
	*ret = fd;
	return 0;
}

static int open_engine(struct cli *c, struct err *err)
{
	struct ctr_engine_options o = { .root = c->o.root,
		.data = c->o.data,
		.settings = c->o.settings,
		.backends = backends };

	if (check_globals(&c->o, &o.cgroup_manager, err) < 0 ||
		check_credential(c, &o.credential_fd, err) < 0)
		return -1;
	c->engine = ctr_engine_open(&o, err);
	if (!c->engine)
		return -1;
	if (!c->o.trace)
		return 0;
	c->trace = trace_new();
	return c->trace ? 0 : err_nomem(err);
}

/* A trace that can't be written doesn't undo what was done. */
static void write_trace(struct cli *c)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (!c->trace || trace_write(c->trace, c->o.trace, &err) == 0)
		return;
	err_line(&err, line, sizeof(line));
	log_warn("%s", line);
}

/* ---- the verb ---- */

static int check_args(const struct command *k, int n, struct err *err)
{
	if (n >= k->min_args && (k->max_args < 0 || n <= k->max_args))
		return 0;
	err_hint(err, "ctrctl %s --help", k->name);
	if (k->min_args == k->max_args)
		err_set(err, ERR_USAGE, NULL, "\"%s\" requires exactly %d argument(s)", k->name,
			k->min_args);
	else if (n < k->min_args)
		err_set(err, ERR_USAGE, NULL, "\"%s\" requires a minimum of %d argument(s)",
			k->name, k->min_args);
	else
		err_set(err, ERR_USAGE, NULL, "\"%s\" requires a maximum of %d argument(s)",
			k->name, k->max_args);
	return err_hint(err, "ctrctl %s --help", k->name);
}

/* Everything before it opens nothing, so that the fds which cross are those of the caller. */
static int run_verb(struct cli *c, const struct command *k, struct err *err)
{
	const char *id = c->n_args > 0 ? c->args[0] : NULL;
	int status;

	if (k->crosses && attach_check_fds(c, err) < 0) {
		struct err log = ERR_INIT;
		if (open_log(&c->o, &log) < 0)
			log_debug("the log can't be opened");
		return err_in(err, "%s %s:", k->name, id ? id : "");
	}
	if (open_log(&c->o, err) < 0 || open_engine(c, err) < 0)
		return -1;
	status = k->fn(c, err);
	id = c->n_args > 0 ? c->args[0] : NULL; /* of several, the one that failed */
	write_trace(c);
	if (status >= 0) {
		*err = (struct err)ERR_INIT; /* what was met and overcome */
		return status;
	}
	if (id && err->code != ERR_USAGE)
		return err_in(err, "%s %s:", k->name, id);
	return err_in(err, "%s:", k->name);
}

static int command_line(struct cli *c, int argc, char **argv, struct err *err)
{
	const struct command *k;
	int n, at, words;

	c->n_args = 0;
	n = options_parse(global_options, OPT_FIRST, argc, argv, c->arena, &c->o, c->args, err);
	if (n < 0) {
		rescue_log(argc, argv);
		return 1;
	}
	if (c->o.version || c->o.help || n == 0) {
		n = c->o.version ? print_version(err) : print_help(NULL, err);
		return n < 0 ? 1 : 0;
	}
	at = argc - n;
	k = find_command(argv[at], argv[at + 1], &words, err);
	at += k ? words - 1 : 0;
	n = k ? options_parse(
			k->options, k->order, argc - at, argv + at, c->arena, &c->o, c->args, err)
	      : -1;
	if (n >= 0 && c->o.help)
		return print_help(k, err) < 0 ? 1 : 0;
	if (n < 0 || check_args(k, n, err) < 0) {
		struct err log = ERR_INIT;
		if (k)
			err_in(err, "%s:", k->name);
		if (open_log(&c->o, &log) < 0)
			log_debug("the log can't be opened");
		return 1;
	}
	c->n_args = n;
	n = run_verb(c, k, err);
	return n < 0 ? k->failure : n;
}

int main(int argc, char **argv)
{
	struct cli c = { 0 };
	struct err err = ERR_INIT;
	int status = 1;

	/* The heap grows once and is given back by exiting: less to ask the kernel for, no page
	 * faulted in twice. */
	mallopt(M_TOP_PAD, HEAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, HEAP_BYTES * 4);
	if (fd_fill_stdio() < 0)
		return 1;
	/* What the caller forgot to close stays with us. */
	if (sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
		err_sys(&err, errno, "close_range", "what the caller has open");
		log_failure(&err);
		return 1;
	}
	umask(022);
	/* Ignored by the caller it would be ignored by us: no child of ours could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	c.arena = arena_new();
	c.args = c.arena ? arena_array(c.arena, (size_t)argc + 1, sizeof(*c.args)) : NULL;
	if (!c.args)
		err_nomem(&err);
	else
		status = command_line(&c, argc, argv, &err);
	if (err.code != ERR_NONE)
		log_failure_faults(&err, &c.faults);
	ctr_faults_done(&c.faults);
	trace_free(c.trace);
	ctr_engine_close(c.engine);
	arena_free(c.arena);
	return status;
}
