/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program ctrctl-https from inside: see wire.h for what it is. main.c talks to ctrctl, login.c
 * decides what proves who we are, http.c holds the connection, trust.c decides whether the server
 * is the right one, secret.c keeps what nobody may read.
 */
#ifndef HTTPS_HTTPS_H
#define HTTPS_HTTPS_H

#include "base/str.h"
#include "https/trust.h"
#include "https/wire.h"

/* ---- secret.c ---- */

/* Text in pages of its own, which aren't swapped, dumped or inherited; wiped when freed. */
struct secret {
	char *p; /* NUL-terminated, NULL: none */
	size_t n;
	size_t mapped;
};

/* Room for n bytes and a NUL, all zero. */
int secret_new(struct secret *, size_t n, struct err *) _must_check_;
void secret_free(struct secret *);
/* The credential, without its newline, its form checked. What it says never gets into err. */
int secret_read(int fd, enum https_auth, struct secret *ret, struct err *) _must_check_;
/* Behind what is there already, every byte but A-Z a-z 0-9 - _ . ~ percent-encoded. There must be
 * room. */
void secret_add(struct secret *, const char *text, size_t n);
void secret_add_encoded(struct secret *, const char *text, size_t n);

/* ---- text.c ---- */

/* Copies text for people: control characters and what isn't UTF-8 are left out, blanks at the ends,
 * too. size counts the NUL. Returns the length. */
size_t text_clean(char *dst, size_t size, const char *src, size_t n);
/* What follows the status in "HTTP/1.1 500 text\r\n"; n = 0 if there is none. */
const char *text_reason(const char *line, size_t n, size_t *ret_n);
/* Is this header's value "application/json", with or without parameters? */
bool text_is_json(const char *content_type);

/* ---- frame.c ---- */

/* Texts of the setup, each NUL-terminated. */
struct frame_setup {
	struct https_setup head;
	char origin[HTTPS_TEXT_MAX + 1], base[HTTPS_TEXT_MAX + 1];
	char fingerprint[HTTPS_TEXT_MAX + 1], user[HTTPS_TEXT_MAX + 1];
};

struct frame_ask {
	struct https_ask head;
	char *path, *body; /* NUL-terminated */
};
void frame_ask_done(struct frame_ask *);

/* 1, 0 when the other side has closed before the first byte, -1 on anything that isn't a frame. */
int frame_read_setup(int sock, struct frame_setup *) _must_check_;
int frame_read_ask(int sock, struct frame_ask *) _must_check_;
/* 0 or -1. */
int frame_write_answer(
	int sock, const struct https_answer *, const char *reason, const char *body) _must_check_;

/* ---- http.c ---- */

struct http_request {
	enum https_method method;
	const char *path; /* behind the origin */
	const char *body; /* of n bytes; POST and PUT */
	size_t body_n;
	const char *headers[3]; /* lines without an end, secret; NULL ends them */
	unsigned timeout_ms;
	bool fresh;
};

struct http_reply {
	enum https_outcome outcome;
	unsigned status;
	bool json, timed_out;
	char reason[HTTPS_REASON_MAX + 1];
	struct str body;
};
/* In text.c: */
void http_reply_done(struct http_reply *);
/* No answer: what became of it, and a sentence. */
void http_reply_failed(struct http_reply *, enum https_outcome, const char *fmt, ...)
	_printf_(3, 4);

struct http;

struct http_setup {
	const char *origin, *fingerprint; /* fingerprint: "" for none */
	const char *ca;                   /* PEM, NULL: the system's */
	size_t ca_n;
	unsigned connect_timeout_ms;
	int socket; /* closed at the other end: an exchange is given up */
};

/* NULL when memory is out or libcurl can't do what is needed. The setup outlives it. */
struct http *http_new(const struct http_setup *, struct err *) _must_check_;
void http_free(struct http *);
/* One exchange; never more than that, but for a GET whose old connection turns out to be dead. */
void http_exchange(struct http *, const struct http_request *, struct http_reply *ret);

/* ---- login.c ---- */

struct session {
	enum https_auth auth;
	const char *base, *user;
	struct secret credential; /* the password */
	struct secret token;      /* "Authorization: ..." */
	struct secret ticket, cookie, csrf;
	uint64_t ticket_ms; /* when it was given */
	struct err fault;   /* the credential is of no use */
	/* the ask that goes on */
	uint64_t begin_ms;
	unsigned timeout_ms;
	/* http_exchange and the clock, but for tests */
	void (*exchange)(void *arg, const struct http_request *, struct http_reply *);
	void *arg;
	uint64_t (*now_ms)(void);
};

/* A ticket is good for two hours; from here on the old one gets us the next. */
enum { SESSION_RENEW_MS = 90 * 60 * 1000, SESSION_TICKET_MS = 2 * 60 * 60 * 1000 };

/* Takes the credential over. */
void session_begin(struct session *, struct secret *own_credential);
void session_done(struct session *);
/* The ask with what proves who we are; logs in before it where that is needed. *ret_logins: how
 * many exchanges there were beside the one that is answered. */
void session_exchange(struct session *, const struct https_ask *, const char *path,
	const char *body, struct http_reply *ret, unsigned *ret_logins);

#endif
