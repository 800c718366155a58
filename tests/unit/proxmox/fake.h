/* SPDX-License-Identifier: Apache-2.0 */
/* A server for unit tests: answers by rules, in no time; what it was asked is kept. */
#ifndef TEST_PROXMOX_FAKE_H
#define TEST_PROXMOX_FAKE_H

#include "backend/proxmox/api.h"

#include <criterion/criterion.h>
#include <string.h>

struct rule {
	const char *match; /* is in "METHOD PATH" */
	unsigned skip;     /* so many of those that match are answered by the next rules */
	unsigned times;    /* 0: all the others */
	unsigned status;   /* 0: the answer is lost */
	const char *body;
	unsigned seen; /* how many matched */
};

enum { FAKE_ASKED_MAX = 256 };

struct fake {
	struct rule *rules; /* the first one that fits answers; ends with an empty one */
	char asked[FAKE_ASKED_MAX][256];
	size_t n_asked;
	uint64_t paused_ms;
	struct settings_proxmox cfg;
	struct pve pve;
	struct arena *arena;
	struct err err;
};

static inline int fake_exchange(void *arg, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *err)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "DELETE" };
	struct fake *f = arg;
	char *line = f->asked[f->n_asked];

	cr_assert_lt(f->n_asked, (size_t)FAKE_ASKED_MAX - 1);
	f->n_asked++;
	snprintf(line, sizeof(f->asked[0]), "%s %s", methods[ask->method], ask->path);
	for (struct rule *r = f->rules; r->match; r++) {
		if (!strstr(line, r->match))
			continue;
		r->seen++;
		if (r->seen <= r->skip || (r->times && r->seen > r->skip + r->times))
			continue;
		*ret = (struct pve_answer){ .outcome = r->status ? HTTPS_ANSWERED : HTTPS_LOST,
			.status = r->status,
			.json = true,
			.reason = r->status == 200 ? "OK" : r->body,
			.body = r->status == 200 ? r->body : "{\"data\":null}" };
		ret->n = strlen(ret->body);
		return 0;
	}
	cr_assert_fail("nobody answers %s", line);
	return -1;
}

static inline void fake_pause(void *arg, unsigned ms)
{
	((struct fake *)arg)->paused_ms += ms;
}

static inline void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->cfg = (struct settings_proxmox){ .vmid_first = 200000,
		.vmid_last = 200009,
		.call_s = 60,
		.create_s = 600,
		.destroy_s = 300 };
	f->arena = arena_new();
	f->pve = (struct pve){ .cfg = &f->cfg,
		.arena = f->arena,
		.exchange = fake_exchange,
		.exchange_arg = f,
		.pause = fake_pause };
}

static inline void fake_done(struct fake *f)
{
	arena_free(f->arena);
}

/* How many of what was asked has this in it. */
static inline unsigned fake_count(const struct fake *f, const char *what)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->n_asked; i++)
		n += strstr(f->asked[i], what) != NULL;
	return n;
}

static inline const char *fake_said(const struct fake *f)
{
	static char line[1200];

	err_line(&f->err, line, sizeof(line));
	return line;
}

#endif
