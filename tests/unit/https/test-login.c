/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends what, and when, against answers from a list. */
#include "https/https.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MINUTE = 60 * 1000 };

struct step {
	const char *path; /* NULL ends the list */
	const char *body; /* that is expected, NULL: not looked at */
	const char *header, *csrf;
	enum https_outcome outcome;
	unsigned status;
	const char *answer;
	unsigned takes_ms;
	unsigned timeout_ms; /* that is expected, 0: not looked at */
};

#define TICKET(t)   "{\"data\":{\"ticket\":\"" t "\",\"CSRFPreventionToken\":\"csrf:" t "\"}}"
#define LOGIN(with) .path = "/base/access/ticket", .body = "username=root%40pam&password=" with
#define COOKIE(t)   "Cookie: PVEAuthCookie=" t
#define CSRF(t)     "CSRFPreventionToken: csrf:" t

static const struct step *next;
static uint64_t clock_ms = 1000;

static uint64_t now_ms(void)
{
	return clock_ms;
}

static void serve(void *arg, const struct http_request *r, struct http_reply *reply)
{
	const struct step *s = next++;

	cr_assert_not_null(s->path, "an exchange too many: %s", r->path);
	cr_assert_str_eq(r->path, s->path);
	if (s->body)
		cr_assert_str_eq(r->body, s->body);
	if (s->header)
		cr_assert_str_eq(r->headers[0], s->header);
	else
		cr_assert_null(r->headers[0]);
	if (s->csrf)
		cr_assert_str_eq(r->headers[1], s->csrf);
	else
		cr_assert(!r->headers[0] || !r->headers[1]);
	if (s->timeout_ms)
		cr_assert_eq(r->timeout_ms, s->timeout_ms);
	clock_ms += s->takes_ms;
	*reply = (struct http_reply){ .outcome = s->outcome, .status = s->status };
	str_add(&reply->body, s->answer ? s->answer : "");
}

static struct session session(enum https_auth auth, const char *credential)
{
	struct session s = {
		.auth = auth,
		.base = "/base",
		.user = "root@pam",
		.exchange = serve,
		.now_ms = now_ms,
	};
	struct secret own = { 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(secret_new(&own, strlen(credential), &err), 0);
	secret_add(&own, credential, strlen(credential));
	session_begin(&s, &own);
	cr_assert_null(own.p);
	return s;
}

/* The outcome of one ask, whose exchanges are all of the list. */
static struct http_reply reply;
static unsigned logins;

static enum https_outcome run(struct session *s, enum https_method method, const struct step *steps)
{
	const struct https_ask ask = { .method = method, .timeout_ms = 20000 };

	http_reply_done(&reply);
	next = steps;
	session_exchange(s, &ask, "/base/x", "", &reply, &logins);
	cr_assert_null(next->path, "%s wasn't asked for", next->path);
	return reply.outcome;
}

Test(https_login, sends_a_token_with_every_request_and_takes_no_for_an_answer)
{
	struct session s = session(HTTPS_AUTH_TOKEN, "a@pve!b=c");
	static const char header[] = "Authorization: PVEAPIToken=a@pve!b=c";
	static const struct step ok[] = { { "/base/x", .header = header, .status = 200 }, { 0 } };
	static const struct step no[] = { { "/base/x", .header = header, .status = 401 }, { 0 } };

	cr_assert_null(s.credential.p, "it is kept once only");
	cr_assert_eq(run(&s, HTTPS_POST, ok), HTTPS_ANSWERED);
	cr_assert_eq(run(&s, HTTPS_GET, no), HTTPS_ANSWERED);
	cr_assert_eq(reply.status, 401);
	cr_assert_eq(logins, 0);
	session_done(&s);
}

Test(https_login, gets_a_ticket_once_and_sends_the_csrf_token_with_what_changes_things)
{
	struct session s = session(HTTPS_AUTH_TICKET, "p w;&=");
	static const struct step first[] = { { LOGIN("p%20w%3B%26%3D"), .status = 200,
						     .answer = TICKET("T:1=") },
		{ "/base/x", .header = COOKIE("T%3A1%3D"), .status = 200 }, { 0 } };
	static const struct step second[] = { { "/base/x", .header = COOKIE("T%3A1%3D"),
						      .csrf = CSRF("T:1="), .status = 200 },
		{ 0 } };

	cr_assert_eq(run(&s, HTTPS_GET, first), HTTPS_ANSWERED);
	cr_assert_eq(logins, 1);
	cr_assert_eq(run(&s, HTTPS_POST, second), HTTPS_ANSWERED);
	cr_assert_eq(run(&s, HTTPS_PUT, second), HTTPS_ANSWERED);
	cr_assert_eq(run(&s, HTTPS_DELETE, second), HTTPS_ANSWERED);
	cr_assert_eq(logins, 0);
	session_done(&s);
}

static struct session logged_in(const char *ticket_answer)
{
	struct session s = session(HTTPS_AUTH_TICKET, "pw");
	const struct step steps[] = { { LOGIN("pw"), .status = 200, .answer = ticket_answer },
		{ "/base/x", .header = COOKIE("T1"), .status = 200 }, { 0 } };

	cr_assert_eq(run(&s, HTTPS_GET, steps), HTTPS_ANSWERED);
	return s;
}

Test(https_login, renews_the_ticket_with_the_old_one_before_it_is_too_old)
{
	struct session s = logged_in(TICKET("T1"));
	static const struct step still[] = { { "/base/x", .header = COOKIE("T1"), .status = 200 },
		{ 0 } };
	static const struct step renew[] = { { LOGIN("T1"), .status = 200, .answer = TICKET("T2") },
		{ "/base/x", .header = COOKIE("T2"), .csrf = CSRF("T2"), .status = 200 }, { 0 } };
	static const struct step expired[] = { { LOGIN("pw"), .status = 200,
						       .answer = TICKET("T3") },
		{ "/base/x", .header = COOKIE("T3"), .status = 200 }, { 0 } };

	clock_ms += 89 * MINUTE;
	run(&s, HTTPS_GET, still);
	clock_ms += 2 * MINUTE;
	cr_assert_eq(run(&s, HTTPS_POST, renew), HTTPS_ANSWERED);
	cr_assert_eq(logins, 1);
	clock_ms += 121 * MINUTE;
	cr_assert_eq(run(&s, HTTPS_GET, expired), HTTPS_ANSWERED);
	session_done(&s);
}

Test(https_login, falls_back_to_the_password_when_the_old_ticket_is_refused)
{
	struct session s = logged_in(TICKET("T1"));
	static const struct step steps[] = { { LOGIN("T1"), .status = 401 },
		{ LOGIN("pw"), .status = 200, .answer = TICKET("T2") },
		{ "/base/x", .header = COOKIE("T2"), .status = 200 }, { 0 } };

	clock_ms += 100 * MINUTE;
	cr_assert_eq(run(&s, HTTPS_GET, steps), HTTPS_ANSWERED);
	cr_assert_eq(logins, 2);
	session_done(&s);
}

Test(https_login, logs_in_again_once_when_a_ticket_is_refused)
{
	struct session s = logged_in(TICKET("T1"));
	static const struct step steps[] = { { "/base/x", .header = COOKIE("T1"), .status = 401,
						     .takes_ms = 3000 },
		{ LOGIN("pw"), .status = 200, .answer = TICKET("T2"), .takes_ms = 5000 },
		{ "/base/x", .header = COOKIE("T2"), .status = 401, .timeout_ms = 12000 }, { 0 } };

	cr_assert_eq(run(&s, HTTPS_GET, steps), HTTPS_ANSWERED);
	cr_assert_eq(reply.status, 401);
	cr_assert_eq(logins, 2);
	session_done(&s);
}

Test(https_login, takes_from_the_time_of_the_ask)
{
	struct session s = session(HTTPS_AUTH_TICKET, "pw");
	static const struct step slow[] = { { LOGIN("pw"), .status = 200, .answer = TICKET("T1"),
						    .timeout_ms = 20000, .takes_ms = 19500 },
		{ "/base/x", .header = COOKIE("T1"), .status = 200, .timeout_ms = 1000 }, { 0 } };
	static const struct step hangs[] = {
		{ LOGIN("T1"), .outcome = HTTPS_LOST, .timeout_ms = 20000 }, { 0 }
	};

	cr_assert_eq(run(&s, HTTPS_GET, slow), HTTPS_ANSWERED);
	clock_ms += 100 * MINUTE;
	cr_assert_eq(run(&s, HTTPS_GET, hangs), HTTPS_UNREACHED);
	session_done(&s);
}

Test(https_login, does_not_log_in_again_when_a_new_ticket_is_refused)
{
	struct session s = session(HTTPS_AUTH_TICKET, "pw");
	static const struct step steps[] = { { LOGIN("pw"), .status = 200, .answer = TICKET("T1") },
		{ "/base/x", .header = COOKIE("T1"), .status = 401 }, { 0 } };

	cr_assert_eq(run(&s, HTTPS_GET, steps), HTTPS_ANSWERED);
	cr_assert_eq(reply.status, 401);
	session_done(&s);
}

Test(https_login, says_what_became_of_a_login_and_sends_nothing_after_it)
{
	static const struct {
		struct step step;
		enum https_outcome outcome;
		unsigned status;
	} rows[] = {
		{ { LOGIN("pw"), .status = 401, .answer = "{\"data\":null}" }, HTTPS_NO_LOGIN,
			401 },
		{ { LOGIN("pw"), .status = 596 }, HTTPS_NO_LOGIN, 596 },
		{ { LOGIN("pw"), .outcome = HTTPS_LOST }, HTTPS_UNREACHED, 0 },
		{ { LOGIN("pw"), .outcome = HTTPS_UNREACHED }, HTTPS_UNREACHED, 0 },
		{ { LOGIN("pw"), .outcome = HTTPS_UNTRUSTED }, HTTPS_UNTRUSTED, 0 },
		{ { LOGIN("pw"), .outcome = HTTPS_TOO_BIG }, HTTPS_NO_LOGIN, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct session s = session(HTTPS_AUTH_TICKET, "pw");
		const struct step steps[] = { rows[i].step, { 0 } };
		cr_assert_eq(run(&s, HTTPS_GET, steps), rows[i].outcome, "row %zu", i);
		cr_assert_eq(reply.status, rows[i].status, "row %zu", i);
		if (rows[i].step.answer)
			cr_assert_str_eq(reply.body.p, rows[i].step.answer);
		session_done(&s);
	}
}

Test(https_login, takes_no_ticket_from_an_odd_answer_and_repeats_none_of_it)
{
	static const char *const answers[] = {
		"", "TICKETTICKET", "[]", "{\"data\":null}",
		"{\"data\":{\"ticket\":\"TICKETTICKET\"}}",
		"{\"data\":{\"ticket\":\"\",\"CSRFPreventionToken\":\"a\"}}",
		"{\"data\":{\"ticket\":\"TICKETTICKET\",\"CSRFPreventionToken\":\"a\\r\\nX: y\"}}",
		"{\"data\":{\"ticket\":\"TICKET TICKET\",\"CSRFPreventionToken\":\"a\"}}",
		"{\"data\":{\"ticket\":7,\"CSRFPreventionToken\":\"TICKETTICKET\"}}",
		"{\"data\":{\"NeedTFA\":1,\"ticket\":\"TICKETTICKET\",\"CSRFPreventionToken\":\"a\"}}"
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct session s = session(HTTPS_AUTH_TICKET, "pw");
		const struct step steps[] = { { LOGIN("pw"), .status = 200, .answer = answers[i] },
			{ 0 } };
		cr_assert_eq(run(&s, HTTPS_GET, steps), HTTPS_NO_LOGIN, "row %zu", i);
		cr_assert_null(strstr(reply.reason, "TICKET"), "row %zu", i);
		cr_assert_eq(reply.body.n, 0);
		cr_assert_neq(reply.reason[0], 0);
		session_done(&s);
	}
	cr_assert_not_null(strstr(reply.reason, "second factor"));
	cr_assert_eq(reply.status, 401);
}

Test(https_login, sends_nothing_without_a_credential)
{
	struct session s = { .auth = HTTPS_AUTH_TOKEN, .exchange = serve, .now_ms = now_ms };
	static const struct step none[] = { { 0 } };

	err_set(&s.fault, ERR_INVALID, NULL, "the credential is empty");
	cr_assert_eq(run(&s, HTTPS_GET, none), HTTPS_NO_SECRET);
	cr_assert_str_eq(reply.reason, "the credential is empty");
}
