/* SPDX-License-Identifier: Apache-2.0 */
/* A server that knows its lines: what it is asked, and what it answers, in turn. Pauses take no
 * time, and are counted. */
#ifndef TEST_PROXMOX_SCRIPT_H
#define TEST_PROXMOX_SCRIPT_H

#include "backend/proxmox/task.h"

#include <criterion/criterion.h>
#include <string.h>

struct line {
	const char *ask; /* "GET /version"; NULL: whatever */
	unsigned status; /* 0: `outcome` and `reason` instead */
	const char *body;
	const char *reason; /* of the status line */
	enum https_outcome outcome;
	bool text;   /* not application/json */
	int repeats; /* this many more times; -1: for ever */
	unsigned takes_ms;
};

static struct script {
	const struct line *lines;
	size_t n, at;
	int repeated;
	unsigned asked, pauses;
	uint64_t paused_ms;
	char asks[64][512]; /* "POST /nodes/pve1/lxc vmid=100" */
	bool fresh[64];
	unsigned timeout_ms[64];
} script;

static struct settings_proxmox cfg;
static struct pve pve;
static struct arena *arena;
static struct err err;
static struct pve_fault fault;

static int script_exchange(void *arg, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *e)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "DELETE" };
	char *said = script.asks[MIN(script.asked, ARRAY_SIZE(script.asks) - 1)];

	(void)arg, (void)a, (void)e;
	snprintf(said, sizeof(script.asks[0]), "%s %s%s%s", methods[ask->method], ask->path,
		ask->body ? " " : "", ask->body ? ask->body : "");
	script.fresh[MIN(script.asked, ARRAY_SIZE(script.fresh) - 1)] = ask->fresh;
	script.timeout_ms[MIN(script.asked, ARRAY_SIZE(script.timeout_ms) - 1)] = ask->timeout_ms;
	script.asked++;
	cr_assert_lt(script.at, script.n, "asked for more than was expected: %s", said);
	const struct line *l = &script.lines[script.at];
	cr_expect(!l->ask || strcmp(l->ask, said) == 0, "asked %s, expected %s", said, l->ask);
	pve.skipped_ms += l->takes_ms;
	if (l->repeats >= 0 && script.repeated++ >= l->repeats) {
		script.at++;
		script.repeated = 0;
	}
	*ret = (struct pve_answer){
		.outcome = l->status ? HTTPS_ANSWERED : l->outcome,
		.status = l->status,
		.json = !l->text,
		.reason = l->reason ? l->reason : "",
		.body = l->body ? l->body : "",
	};
	ret->n = strlen(ret->body);
	return 0;
}

static void script_pause(void *arg, unsigned ms)
{
	(void)arg;
	script.pauses++;
	script.paused_ms += ms;
}

_unused_ static void script_begin(const struct line *lines, size_t n)
{
	script = (struct script){ .lines = lines, .n = n };
	pve.skipped_ms = 0;
	err = (struct err)ERR_INIT;
	fault = (struct pve_fault){ 0 };
}
#define SCRIPT(...)                                                  \
	do {                                                         \
		static const struct line lines_[] = { __VA_ARGS__ }; \
		script_begin(lines_, ARRAY_SIZE(lines_));            \
	} while (0)

/* All its lines were said. */
#define SCRIPT_ENDS()                                                                         \
	cr_expect(script.at == script.n ||                                                    \
			  (script.at + 1 == script.n && script.lines[script.at].repeats < 0), \
		"%zu of %zu answers were asked for", script.at, script.n)

static void script_setup(void)
{
	arena = arena_new();
	cfg = (struct settings_proxmox){ .call_s = 60 };
	pve = (struct pve){
		.cfg = &cfg, .arena = arena, .exchange = script_exchange, .pause = script_pause
	};
}

static void script_teardown(void)
{
	arena_free(arena);
}

_unused_ static const char *said(void)
{
	static char line[2048];

	err_line(&err, line, sizeof(line));
	return line;
}

#define EXPECT_SAID(words) cr_expect(strstr(said(), words), "expected \"%s\" in: %s", words, said())
#define EXPECT_HINT(words) \
	cr_expect(strstr(err.hint, words), "expected \"%s\" in the hint: %s", words, err.hint)

#endif
