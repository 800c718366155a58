/* SPDX-License-Identifier: Apache-2.0 */
#include "model/signals.h"

#include "base/names.h"

#include <signal.h>
#include <string.h>

static const char *const signal_names[] = {
	[SIGHUP] = "SIGHUP",
	[SIGINT] = "SIGINT",
	[SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP",
	[SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",
	[SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",
	[SIGSEGV] = "SIGSEGV",
	[SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",
	[SIGALRM] = "SIGALRM",
	[SIGTERM] = "SIGTERM",
	[SIGSTKFLT] = "SIGSTKFLT",
	[SIGCHLD] = "SIGCHLD",
	[SIGCONT] = "SIGCONT",
	[SIGSTOP] = "SIGSTOP",
	[SIGTSTP] = "SIGTSTP",
	[SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",
	[SIGURG] = "SIGURG",
	[SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",
	[SIGVTALRM] = "SIGVTALRM",
	[SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH",
	[SIGIO] = "SIGIO",
	[SIGPWR] = "SIGPWR",
	[SIGSYS] = "SIGSYS",
};

static const struct name_table table = { signal_names, ARRAY_SIZE(signal_names) };

static const struct {
	const char *name;
	int number;
} aliases[] = {
	{ "SIGIOT", SIGABRT },
	{ "SIGCLD", SIGCHLD },
	{ "SIGPOLL", SIGIO },
};

enum { SIGNAL_MAX = 64, SIGNAL_NAME_MAX = 16 };

/* "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-3". -1 when it is none of them. */
static int parse_realtime(const char *name)
{
	bool from_min = str_starts(name, "SIGRTMIN");
	const char *rest = name + strlen("SIGRTMIN");
	int base = from_min ? SIGRTMIN : SIGRTMAX;
	uint64_t offset = 0;

	if (!from_min && !str_starts(name, "SIGRTMAX"))
		return -1;
	if (*rest == 0)
		return base;
	if (*rest != (from_min ? '+' : '-'))
		return -1;
	if (parse_u64(rest + 1, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset) < 0)
		return -1;
	return from_min ? base + (int)offset : base - (int)offset;
}

static int parse_name(const char *text)
{
	char name[SIGNAL_NAME_MAX];
	size_t n = strlen(text);
	int number;

	if (n > sizeof(name) - sizeof("SIG"))
		return -1;
	for (size_t i = 0; i <= n; i++)
		name[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
	if (!str_starts(name, "SIG")) {
		memmove(name + 3, name, n + 1);
		memcpy(name, "SIG", 3);
	}
	number = name_parse(&table, name);
	for (size_t i = 0; number < 0 && i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0)
			number = aliases[i].number;
	return number < 0 ? parse_realtime(name) : number;
}

int signal_parse(const char *text, int *ret, struct err *err)
{
	uint64_t value;
	int number;

	if (parse_u64(text, SIGNAL_MAX, &value) == 0) {
		*ret = (int)value;
		return 0;
	}
	number = parse_name(text);
	if (number < 0)
		return err_set(err, ERR_USAGE, NULL, "unknown signal \"%s\"", text);
	*ret = number;
	return 0;
}

const char *signal_name(int number)
{
	return name_of(&table, number);
}
