/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are: a token in a header of every request; or a ticket, which user and password get us, in
 * a cookie, and with it a token against forged requests for all that isn't a GET. A refused API
 * token is never tried again (the server holds such answers back for seconds); a refused ticket
 * gets a new login once, for the server may have changed its key.
 */
#include "https/https.h"

#include "base/json.h"

#include <string.h>

enum { ANSWER_MAX = 64 << 10, TICKET_MAX = 2048, CSRF_MAX = 512 };

static const char token_header[] = "Authorization: PVEAPIToken=";
static const char cookie_header[] = "Cookie: PVEAuthCookie=";
static const char csrf_header[] = "CSRFPreventionToken: ";

void session_begin(struct session *s, struct secret *own_credential)
{
	s->credential = *own_credential;
	*own_credential = (struct secret){ 0 };
	if (s->fault.code || s->auth != HTTPS_AUTH_TOKEN)
		return;
	if (secret_new(&s->token, sizeof(token_header) + s->credential.n, &s->fault) == 0) {
		secret_add(&s->token, token_header, sizeof(token_header) - 1);
		secret_add(&s->token, s->credential.p, s->credential.n);
	}
	secret_free(&s->credential);
}

static void forget_ticket(struct session *s)
{
	secret_free(&s->ticket);
	secret_free(&s->cookie);
	secret_free(&s->csrf);
}

void session_done(struct session *s)
{
	forget_ticket(s);
	secret_free(&s->token);
	secret_free(&s->credential);
}

/* Goes into a header as it is. */
static bool is_value(const char *s, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	}
	return n > 0 && n <= max;
}

static const char *text_of(const struct json *data, const char *key)
{
	const struct json *v = data && data->type == JSON_OBJECT ? json_get(data, key) : NULL;

	return v && v->type == JSON_STRING ? v->text : NULL;
}

static int keep_ticket(struct session *s, const char *ticket, const char *csrf, struct err *err)
{
	size_t n = strlen(ticket);

	forget_ticket(s);
	if (secret_new(&s->ticket, n, err) < 0 ||
		secret_new(&s->cookie, sizeof(cookie_header) + 3 * n, err) < 0 ||
		secret_new(&s->csrf, sizeof(csrf_header) + strlen(csrf), err) < 0) {
		forget_ticket(s);
		return -1;
	}
	secret_add(&s->ticket, ticket, n);
	secret_add(&s->cookie, cookie_header, sizeof(cookie_header) - 1);
	secret_add_encoded(&s->cookie, ticket, n);
	secret_add(&s->csrf, csrf_header, sizeof(csrf_header) - 1);
	secret_add(&s->csrf, csrf, strlen(csrf));
	s->ticket_ms = s->now_ms();
	return 0;
}

/* The answer to a login. What it says is a secret, so no error repeats any of it. */
static int take_ticket(struct session *s, const struct http_reply *r, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const struct json *answer = NULL;
	struct err why = ERR_INIT;

	if (!a)
		return err_nomem(err);
	if (json_parse(r->body.p ? r->body.p : "", r->body.n, ANSWER_MAX, a, &answer, &why) < 0 ||
		answer->type != JSON_OBJECT)
		return err_set(err, ERR_UNAVAILABLE, NULL, "the answer to the login isn't JSON");
	const struct json *data = json_get(answer, "data");
	const char *ticket = text_of(data, "ticket"), *csrf = text_of(data, "CSRFPreventionToken");
	if (data && data->type == JSON_OBJECT && json_get(data, "NeedTFA"))
		return err_set(err, ERR_DENIED, NULL,
			"the account needs a second factor: use an API token instead");
	if (!ticket || !csrf || !is_value(ticket, TICKET_MAX) || !is_value(csrf, CSRF_MAX))
		return err_set(err, ERR_UNAVAILABLE, NULL, "the answer to the login has no ticket");
	return keep_ticket(s, ticket, csrf, err);
}

/* For the next exchange of the ask: what is left of its time. */
static unsigned left_ms(const struct session *s)
{
	unsigned least = MIN(s->timeout_ms, (unsigned)HTTPS_LEAST_MS);
	uint64_t passed = s->now_ms() - s->begin_ms;

	return passed + least < s->timeout_ms ? s->timeout_ms - (unsigned)passed : least;
}

/* 0; 1 when the server refuses; -1 when there is no answer. All that is to be said is in *r. */
static int log_in_with(
	struct session *s, const struct secret *password, struct http_reply *r, unsigned *logins)
{
	static const char name[] = "username=", pass[] = "&password=";
	struct err err = ERR_INIT;
	struct secret form = { 0 };
	size_t user_n = strlen(s->user);
	char *path = strf("%s/access/ticket", s->base);

	if (!path || secret_new(&form, sizeof(name) + sizeof(pass) + 3 * (user_n + password->n),
			     &err) < 0) {
		http_reply_failed(r, HTTPS_UNREACHED, "out of memory");
		free(path);
		return -1;
	}
	secret_add(&form, name, sizeof(name) - 1);
	secret_add_encoded(&form, s->user, user_n);
	secret_add(&form, pass, sizeof(pass) - 1);
	secret_add_encoded(&form, password->p, password->n);
	const struct http_request request = {
		.method = HTTPS_POST,
		.path = path,
		.body = form.p,
		.body_n = form.n,
		.timeout_ms = MIN(left_ms(s), (unsigned)HTTPS_LOGIN_MS),
	};
	s->exchange(s->arg, &request, r);
	(*logins)++;
	secret_free(&form);
	free(path);
	/* Whatever became of the login, the ask hasn't been sent. */
	if (r->outcome == HTTPS_LOST)
		r->outcome = HTTPS_UNREACHED;
	if (r->outcome == HTTPS_UNREACHED || r->outcome == HTTPS_UNTRUSTED)
		return -1;
	if (r->outcome != HTTPS_ANSWERED || r->status != 200) {
		r->outcome = HTTPS_NO_LOGIN;
		return 1;
	}
	if (take_ticket(s, r, &err) < 0) {
		/* Without the body: there may be a ticket in it. */
		http_reply_failed(r, HTTPS_NO_LOGIN, "%s", err.text);
		r->status = err.code == ERR_DENIED ? 401 : 200;
		return 1;
	}
	return 0;
}

/* A ticket that will do for this ask: the one we have, the next one for it, or one for the
 * password. */
static int log_in(struct session *s, struct http_reply *r, unsigned *logins)
{
	uint64_t age = s->ticket.p ? s->now_ms() - s->ticket_ms : UINT64_MAX;

	if (age < SESSION_RENEW_MS)
		return 0;
	if (age < SESSION_TICKET_MS) {
		int got = log_in_with(s, &s->ticket, r, logins);
		if (got <= 0)
			return got;
		http_reply_done(r);
	}
	forget_ticket(s);
	return log_in_with(s, &s->credential, r, logins) == 0 ? 0 : -1;
}

static void send_ask(struct session *s, const struct https_ask *ask, const char *path,
	const char *body, struct http_reply *r)
{
	struct http_request request = {
		.method = (enum https_method)ask->method,
		.path = path,
		.body = body,
		.body_n = ask->body_n,
		.headers = { s->auth == HTTPS_AUTH_TOKEN ? s->token.p : s->cookie.p },
		.timeout_ms = left_ms(s),
		.fresh = ask->fresh,
	};

	if (s->auth == HTTPS_AUTH_TICKET && ask->method != HTTPS_GET)
		request.headers[1] = s->csrf.p;
	s->exchange(s->arg, &request, r);
}

static void with_ticket(struct session *s, const struct https_ask *ask, const char *path,
	const char *body, struct http_reply *r, unsigned *logins)
{
	if (log_in(s, r, logins) < 0)
		return;
	bool is_old = *logins == 0;
	http_reply_done(r);
	send_ask(s, ask, path, body, r);
	if (r->outcome != HTTPS_ANSWERED || r->status != 401 || !is_old)
		return;
	http_reply_done(r);
	forget_ticket(s);
	(*logins)++;
	if (log_in(s, r, logins) < 0)
		return;
	http_reply_done(r);
	send_ask(s, ask, path, body, r);
}

void session_exchange(struct session *s, const struct https_ask *ask, const char *path,
	const char *body, struct http_reply *ret, unsigned *ret_logins)
{
	*ret = (struct http_reply){ 0 };
	*ret_logins = 0;
	s->begin_ms = s->now_ms();
	s->timeout_ms = ask->timeout_ms;
	if (s->fault.code) {
		char line[512];
		err_line(&s->fault, line, sizeof(line));
		http_reply_failed(ret, HTTPS_NO_SECRET, "%s", line);
	} else if (s->auth == HTTPS_AUTH_TOKEN) {
		send_ask(s, ask, path, body, ret);
	} else {
		with_ticket(s, ask, path, body, ret, ret_logins);
	}
}
