/* SPDX-License-Identifier: Apache-2.0 */
/* A backend whose containers live "on a server", which is an array of this process. */
#ifndef TESTS_FAR_H
#define TESTS_FAR_H

#include "ctrctl/backend.h"

enum { FAR_GUESTS = 8, FAR_POLL_MS = 1 };

struct far_guest {
	char id[32];
	bool there, up;
};

struct far {
	struct far_guest guests[FAR_GUESTS];
	/* How often it was called. */
	int opened, closed, created, started, signalled, stopped, asked, surveyed, destroyed;
	int credential; /* fd that open() was given */
	int signo, grace_ms;
	int ends_after;       /* a guest that is up has ended when it was asked for so often */
	int phase;            /* of the record that start or destroy was given */
	pid_t proxy;          /* what create puts into the record, with the time of its start */
	const char *fails;    /* the call that fails: "create", "start", ... */
	enum err_code why;    /* and with what; ERR_NONE: ERR_UNAVAILABLE */
	void (*before)(void); /* called once, by the next call; status has looked by then */
};
extern struct far far;
extern const struct ctr_backend far_backend;

struct far_guest *far_guest(const char *id); /* NULL: there is none */
struct far_guest *far_add(const char *id, bool up);

#endif
