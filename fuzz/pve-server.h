/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of the input's answers, for the targets of the Proxmox backend. They follow the first
 * line, each after a line "---STATUS REASON" ("---0": none came, "---200t": not as JSON); when they
 * are used up, no more come.
 */
#ifndef FUZZ_PVE_SERVER_H
#define FUZZ_PVE_SERVER_H

#include "backend/proxmox/task.h"
#include "base/log.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024, ASKS_MAX = 2000 };

static struct {
	const char *rest; /* answers to come */
	unsigned asked;
	bool never_again; /* the last answer may have come after the work was done */
	/* Every ask and what it is answered; NULL: none of the target's business. */
	void (*watch)(const struct pve_ask *, const struct pve_answer *, struct arena *);
} server;

/* No connection is ever made. */
int pve_client_exchange(struct pve_client *client, const struct pve_ask *ask, struct arena *arena,
	struct pve_answer *ret, struct err *err)
{
	abort();
}

static inline void check_path(const char *path)
{
	assert(path[0] == '/' && path[1] != '/');
	for (const char *p = path; *p; p++) {
		assert((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f);
		if (*p == '%')
			assert(strspn(p + 1, "0123456789ABCDEF") >= 2);
	}
}

/* The next answer, cut out of the input. */
static inline bool next_answer(struct arena *arena, struct pve_answer *ret)
{
	const char *head = server.rest ? strstr(server.rest, "---") : NULL, *line, *end;
	char *after;

	if (!head)
		return false;
	ret->status = (unsigned)(strtoul(head + 3, &after, 10) % 1000);
	ret->json = *after != 't';
	line = after + (*after == 't');
	end = line + strcspn(line, "\n");
	ret->reason = arena_strndup(arena, line, (size_t)(end - line));
	end += *end == '\n';
	server.rest = strstr(end, "\n---");
	server.rest = server.rest ? server.rest + 1 : end + strlen(end);
	ret->n = (size_t)(server.rest - end);
	ret->body = arena_strndup(arena, end, ret->n);
	return ret->reason && ret->body;
}

static inline int exchange(void *arg, const struct pve_ask *ask, struct arena *arena,
	struct pve_answer *ret, struct err *err)
{
	unsigned s;

	check_path(ask->path);
	assert(ask->timeout_ms > 0 && ++server.asked < ASKS_MAX);
	assert(ask->method == HTTPS_GET || !server.never_again || server.watch);
	*ret = (struct pve_answer){ .reason = "", .body = "" };
	if (!next_answer(arena, ret))
		*ret = (struct pve_answer){ .reason = "gone", .body = "" };
	ret->outcome = ret->status ? HTTPS_ANSWERED : HTTPS_LOST;
	s = ret->status;
	server.never_again =
		s < 400 || (s > 595 && s < 600) || (s >= 502 && s <= 504) || s == 401 || s == 403;
	if (server.watch)
		server.watch(ask, ret, arena);
	return 0;
}

static inline void no_pause(void *arg, unsigned ms)
{
}

static inline struct pve session(
	const struct settings_proxmox *cfg, struct arena *arena, const char *answers)
{
	server.rest = answers;
	server.asked = 0;
	server.never_again = false;
	return (struct pve){ .cfg = cfg, .arena = arena, .exchange = exchange, .pause = no_pause };
}

/* An error has a kind and a line that can be shown; one of our own mistakes is a finding. */
static inline void look_at(const struct err *err)
{
	char line[2048];

	assert(err->code != ERR_NONE && err->code != ERR_INTERNAL);
	err_line(err, line, sizeof(line));
	assert(line[0]);
}

/* What is logged is of no interest. */
static inline void be_quiet(void)
{
	static int sink = -1;

	if (sink >= 0)
		return;
	sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_stderr(sink);
}

/* One thing that is tried, by the first line of the input. */
struct kind {
	const char *name;
	void (*try)(const char *text, struct arena *);
};

static inline int try_kinds(const struct kind *kinds, size_t n_kinds, const uint8_t *data, size_t n)
{
	_arena_ struct arena *arena = arena_new();
	const char *text, *rest;

	if (n > INPUT_MAX)
		return -1;
	be_quiet();
	text = arena ? arena_strndup(arena, (const char *)data, n) : NULL;
	rest = text ? strchr(text, '\n') : NULL;
	for (size_t i = 0; rest && i < n_kinds; i++) {
		size_t len = strlen(kinds[i].name);
		if ((size_t)(rest - text) != len || memcmp(text, kinds[i].name, len) != 0)
			continue;
		kinds[i].try(rest + 1, arena);
		return 0;
	}
	return -1;
}

#endif
