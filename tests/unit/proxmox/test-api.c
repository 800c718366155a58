/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

TestSuite(api, .init = script_setup, .fini = script_teardown);

static const struct json *data;

static int get(const char *path)
{
	return pve_get(&pve, arena, path, NULL, &data, &fault, &err);
}

static int post(const char *path)
{
	return pve_send(&pve, arena, HTTPS_POST, path, NULL, &data, &fault, &err);
}

Test(api, an_answer_s_data_is_given_back)
{
	SCRIPT({ "GET /cluster/nextid", 200, "{\"data\":\"100\"}" });
	cr_assert_eq(get("/cluster/nextid"), 0, "%s", said());
	cr_expect_str_eq(data->text, "100");
	cr_expect_eq(fault.reason, PVE_OK);
	cr_expect_not(script.fresh[0]);
	SCRIPT_ENDS();
}

Test(api, null_is_data_too)
{
	SCRIPT({ "PUT /nodes/a/lxc/100/config ", 200, "{\"data\":null}" });
	cr_assert_eq(pve_send(&pve, arena, HTTPS_PUT, "/nodes/a/lxc/100/config", NULL, &data,
			     &fault, &err),
		0);
	cr_expect_eq(data->type, JSON_NULL);
}

Test(api, parameters_go_where_the_method_has_them)
{
	struct pve_form form = PVE_FORM_INIT(arena);

	SCRIPT({ "GET /a?env=A%3D1%00B&x=%3B", 200, "{\"data\":1}" },
		{ "DELETE /a?env=A%3D1%00B&x=%3B", 200, "{\"data\":1}" },
		{ "POST /a env=A%3D1%00B&x=%3B", 200, "{\"data\":1}" },
		{ "PUT /a env=A%3D1%00B&x=%3B", 200, "{\"data\":1}" },
		{ "GET /a", 200, "{\"data\":1}" });
	pve_form_setn(&form, "env", "A=1\0B", 5, NULL);
	pve_form_set(&form, "x", ";", NULL);
	cr_expect_eq(pve_get(&pve, arena, "/a", &form, &data, NULL, &err), 0);
	cr_expect_eq(pve_send(&pve, arena, HTTPS_DELETE, "/a", &form, &data, NULL, &err), 0);
	cr_expect_eq(pve_send(&pve, arena, HTTPS_POST, "/a", &form, &data, NULL, &err), 0);
	cr_expect_eq(pve_send(&pve, arena, HTTPS_PUT, "/a", &form, &data, NULL, &err), 0);
	form.n = 0;
	cr_expect_eq(pve_get(&pve, arena, "/a", &form, &data, NULL, &err), 0);
	SCRIPT_ENDS();
}

Test(api, a_post_goes_over_a_fresh_connection)
{
	SCRIPT({ "POST /nodes/a/lxc ", 200, "{\"data\":1}" });
	cr_assert_eq(post("/nodes/a/lxc"), 0);
	cr_expect(script.fresh[0]);
}

/* ---- again, or not ---- */

Test(api, a_get_is_repeated_when_it_is_not_answered)
{
	SCRIPT({ NULL, 595, "", "Connection refused" },
		{ NULL, 596, "", "Connection timed out", .text = true },
		{ NULL, 0, .outcome = HTTPS_LOST, .reason = "the connection was reset" },
		{ "GET /version", 200, "{\"data\":{}}" });
	cr_assert_eq(get("/version"), 0, "%s", said());
	cr_expect_eq(script.pauses, 3);
	cr_expect_eq(script.paused_ms, 200 + 600 + 1800);
	SCRIPT_ENDS();
}

Test(api, a_get_is_given_up_after_three_more)
{
	SCRIPT({ NULL, 595, "", "Connection refused", .repeats = 3 });
	cr_assert_eq(get("/nodes/b/lxc"), -1);
	SCRIPT_ENDS();
	cr_expect_eq(script.asked, 4);
	cr_expect_eq(fault.reason, PVE_UNREACHED);
	cr_expect_eq(fault.status, 595);
	cr_expect_eq(err.code, ERR_UNAVAILABLE);
	EXPECT_SAID("GET /nodes/b/lxc: the node can't be reached: 595 Connection refused");
}

Test(api, a_post_is_repeated_only_when_it_was_not_carried_out)
{
	SCRIPT({ NULL, 595, "", "No route to host" },
		{ NULL, 0, .outcome = HTTPS_UNREACHED, .reason = "no connection" },
		{ "POST /nodes/a/lxc ", 200, "{\"data\":1}" });
	cr_assert_eq(post("/nodes/a/lxc"), 0);
	cr_expect_eq(script.asked, 3);
	SCRIPT_ENDS();
}

Test(api, a_post_that_may_have_been_carried_out_is_asked_once)
{
	static const struct line rows[] = {
		{ NULL, 596, "", "Connection timed out", .text = true },
		{ NULL, 597, "", "" },
		{ NULL, 598, "", "" },
		{ NULL, 599, "", "" },
		{ NULL, 502, "<html>", "Bad Gateway", .text = true },
		{ NULL, 500,
			"{\"data\":null,\"message\":\"got no worker upid - start worker failed\\n\"}" },
		{ NULL, 0, .outcome = HTTPS_LOST, .reason = "time-out" },
		{ NULL, 0, .outcome = HTTPS_TOO_BIG },
		{ NULL, 200, "<html></html>", "OK", .text = true },
		{ NULL, 200, "{\"data\":", "OK" },
		{ NULL, 200, "{\"data\":1,\"data\":2}", "OK" },
		{ NULL, 200, "{}", "OK" },
		{ NULL, 200, "[]", "OK" },
		{ NULL, 200, "", "OK" },
		{ NULL, 301, "", "Moved" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script_begin(&rows[i], 1);
		cr_expect_eq(post("/nodes/a/lxc"), -1);
		cr_expect_eq(script.asked, 1, "row %zu", i);
		cr_expect_eq(fault.reason, PVE_AMBIGUOUS, "row %zu: %s", i, said());
		cr_expect_eq(err.code, ERR_UNAVAILABLE, "row %zu: %s", i, said());
	}
}

Test(api, an_answer_that_is_none_is_said_to_be_none)
{
	static const struct {
		struct line line;
		const char *why;
	} rows[] = {
		{ { NULL, 200, "<html></html>", "OK", .text = true }, "isn't JSON" },
		{ { NULL, 200, "{\"data\":", "OK" }, "the answer is broken" },
		{ { NULL, 200, "{\"data\":1,\"data\":2}", "OK" }, "the answer is broken" },
		{ { NULL, 200, "{}", "OK" }, "has no \"data\"" },
		{ { NULL, 200, "[1]", "OK" }, "has no \"data\"" },
		{ { NULL, 200, "\"data\"", "OK" }, "has no \"data\"" },
		{ { NULL, 301, "", "Moved Permanently" }, "301 Moved Permanently, which isn't" },
		{ { NULL, 204, "", "No Content" }, "204 No Content, which no call" },
		{ { NULL, 202, "{\"data\":1}", "Accepted" }, "202 Accepted, which no call" },
		{ { NULL, 0, .outcome = HTTPS_TOO_BIG }, "too big" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script_begin(&rows[i].line, 1);
		cr_expect_eq(get("/version"), -1);
		cr_expect_eq(fault.reason, PVE_GARBLED, "row %zu: %s", i, said());
		cr_expect_eq(err.code, ERR_UNAVAILABLE, "row %zu", i);
		EXPECT_SAID(rows[i].why);
	}
}

Test(api, a_busy_guest_is_asked_again_until_the_deadline)
{
	static const char *busy =
		"{\"message\":\"can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout\\n\"}";
	const struct line lines[] = { { NULL, 500, busy, .repeats = 4 },
		{ NULL, 500, "{\"message\":\"cluster not ready - no quorum?\\n\"}" },
		{ NULL, 200, "{\"data\":null}" } };
	const struct line forever[] = { { NULL, 500, busy, .repeats = -1 } };

	script_begin(lines, ARRAY_SIZE(lines));
	cr_assert_eq(post("/nodes/a/lxc/100/status/stop"), 0, "%s", said());
	cr_expect_eq(script.asked, 7);

	script_begin(forever, 1);
	cr_assert_eq(post("/nodes/a/lxc/100/status/stop"), -1);
	cr_expect_eq(fault.reason, PVE_BUSY);
	cr_expect_lt(script.paused_ms, 45000u);
	cr_expect_gt(script.paused_ms, 35000u);
	cr_expect_lt(script.asked, 25u);
}

Test(api, a_call_that_was_repeated_says_so)
{
	const struct line taken = { NULL, 500,
		"{\"message\":\"CT 100 already exists on node 'a'\\n\"}" };
	const struct line lines[] = { { NULL, 595, "" },
		{ NULL, 500, "{\"message\":\"cfs-lock 'x' error: no quorum!\\n\"}" }, taken };

	script_begin(&taken, 1);
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_not(fault.repeated);
	script_begin(lines, ARRAY_SIZE(lines));
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(fault.reason, PVE_ID_TAKEN);
	cr_expect(fault.repeated);
}

/* The clock beside the script goes on. */
static void expect_timeout(unsigned i, unsigned ms)
{
	cr_expect(script.timeout_ms[i] <= ms && script.timeout_ms[i] > ms / 2, "try %u: %u ms", i,
		script.timeout_ms[i]);
}

Test(api, all_tries_of_a_call_share_its_time)
{
	SCRIPT({ NULL, 0, .outcome = HTTPS_LOST, .takes_ms = 20000 },
		{ NULL, 0, .outcome = HTTPS_LOST, .takes_ms = 20000 },
		{ NULL, 0, .outcome = HTTPS_LOST, .takes_ms = 10000 });
	cr_expect_eq(get("/version"), -1);
	SCRIPT_ENDS();
	expect_timeout(0, 60000);
	expect_timeout(1, 39800);
	expect_timeout(2, 19200);

	SCRIPT({ NULL, 595, "", "Connection refused" },
		{ NULL, 595, "", "Connection refused", .takes_ms = 1000 });
	cfg.call_s = 2;
	cr_expect_eq(get("/version"), -1, "a third one would have too little time");
	SCRIPT_ENDS();

	SCRIPT({ NULL, 0, .outcome = HTTPS_LOST, .takes_ms = 3000 }, { NULL, 200, "{\"data\":1}" });
	cfg.call_s = 60;
	uint64_t total;
	cr_expect_eq(
		pve_get_page(&pve, arena, "/a", NULL, 5000, &data, &total, &err), 0, "%s", said());
	expect_timeout(0, 5000);
	expect_timeout(1, 1800);
	cr_expect_lt(script.paused_ms, 300u);
}

Test(api, without_quorum_it_ends_as_unavailable)
{
	SCRIPT({ NULL, 500, "{\"message\":\"cluster not ready - no quorum?\\n\"}", .repeats = -1 });
	cr_assert_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(fault.reason, PVE_NO_QUORUM);
	cr_expect_eq(err.code, ERR_UNAVAILABLE);
	EXPECT_HINT("pvecm status");
}

Test(api, what_is_refused_is_asked_once)
{
	static const struct {
		struct line line;
		enum pve_reason reason;
		enum err_code code;
	} rows[] = {
		{ { NULL, 401, "", "No ticket" }, PVE_UNAUTHORIZED, ERR_DENIED },
		{ { NULL, 401, "", "Authentication failed!" }, PVE_UNAUTHORIZED, ERR_DENIED },
		{ { NULL, 0, .outcome = HTTPS_NO_SECRET, .reason = "the token file" },
			PVE_UNAUTHORIZED, ERR_DENIED },
		{ { NULL, 0, .outcome = HTTPS_UNTRUSTED, .reason = "another fingerprint" },
			PVE_UNTRUSTED, ERR_DENIED },
		{ { NULL, 403, "{\"message\":\"Permission check failed (/vms/1, VM.Audit)\\n\"}" },
			PVE_FORBIDDEN, ERR_DENIED },
		{ { NULL, 400, "{\"message\":\"Parameter verification failed.\\n\"}" },
			PVE_BAD_PARAMETER, ERR_INVALID },
		{ { NULL, 500, "{\"message\":\"CT is locked (backup)\\n\"}" }, PVE_LOCKED,
			ERR_STATE },
		{ { NULL, 501, "x", "Method 'GET /a' not implemented", .text = true }, PVE_OTHER,
			ERR_SYSTEM },
		{ { NULL, 506, "x", "HTTP Version Not Supported", .text = true }, PVE_OTHER,
			ERR_SYSTEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script_begin(&rows[i].line, 1);
		cr_expect_eq(get("/a"), -1);
		cr_expect_eq(script.asked, 1, "row %zu", i);
		cr_expect_eq(fault.reason, rows[i].reason, "row %zu: %s", i, said());
		cr_expect_eq(err.code, rows[i].code, "row %zu: %s", i, said());
	}
}

/* ---- words ---- */

Test(api, errors_by_parameter_are_part_of_the_message)
{
	SCRIPT({ NULL, 400,
		"{\"data\":null,\"message\":\"Parameter verification failed.\\n\",\"errors\":"
		"{\"net0.ip\":\"invalid format - value does not look like a valid ipv4 network configuration\\n\","
		"\"vmid\":\"type check ('integer') failed - got 'x'\"}}",
		"Parameter verification failed." });
	cr_assert_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(fault.reason, PVE_BAD_PARAMETER);
	cr_expect_str_eq(said(),
		"POST /nodes/a/lxc: Parameter verification failed: net0.ip: invalid format - value does not look like a valid ipv4 network configuration; vmid: type check ('integer') failed - got 'x'");
}

Test(api, an_old_server_s_words_are_in_the_status_line)
{
	SCRIPT({ NULL, 500, "{\"data\":null}", "CT 100 already exists on node 'pve1'" },
		{ NULL, 400, "{\"data\":null,\"errors\":{\"vmid\":\"bad\"}}",
			"Parameter verification failed." },
		{ NULL, 403, "", "Permission check failed (/vms/100, VM.Allocate)" },
		{ NULL, 500, "{\"data\":null,\"message\":\"\\n\"}", "CT 100 not running" });
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(fault.reason, PVE_ID_TAKEN);
	EXPECT_SAID("POST /nodes/a/lxc: CT 100 already exists on node 'pve1'");
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	EXPECT_SAID("Parameter verification failed: vmid: bad");
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(fault.reason, PVE_FORBIDDEN);
	EXPECT_HINT("lacks VM.Allocate on /vms/100");
	cr_expect_eq(post("/nodes/a/lxc/100/status/stop"), -1);
	cr_expect_eq(fault.reason, PVE_NOT_RUNNING);
	SCRIPT_ENDS();
}

Test(api, a_body_of_text_is_used_where_nothing_else_is_said_and_html_never)
{
	SCRIPT({ NULL, 501, "no formatter for uri\n", "", .text = true },
		{ NULL, 500, " <!DOCTYPE html><html>secret</html>", "Internal", .text = true },
		{ NULL, 500, "<html>", "", .text = true }, { NULL, 500, "{broken", "" });
	cr_expect_eq(get("/x"), -1);
	EXPECT_SAID("GET /x: no formatter for uri");
	cr_expect_eq(get("/x"), -1);
	cr_expect_str_eq(said(), "GET /x: Internal");
	cr_expect_eq(get("/x"), -1);
	cr_expect_str_eq(said(), "GET /x: the server answered 500");
	cr_expect_eq(get("/x"), -1);
	cr_expect_str_eq(said(), "GET /x: the server answered 500");
}

Test(api, hints_know_the_guest_from_the_path)
{
	SCRIPT({ NULL, 500, "{\"message\":\"CT is locked (create)\\n\"}" });
	cr_expect_eq(pve_send(&pve, arena, HTTPS_DELETE, "/nodes/pve1/lxc/123", NULL, &data, &fault,
			     &err),
		-1);
	cr_expect_eq(fault.reason, PVE_LOCK_STALE);
	cr_expect_eq(err.code, ERR_STATE);
	cr_expect_str_eq(
		err.hint, "if nothing works on it any more: pct unlock 123 (on node pve1)");
}

Test(api, a_secret_value_never_comes_back_in_an_error)
{
	struct pve_form form = PVE_FORM_INIT(arena);

	SCRIPT({ NULL, 400,
		"{\"message\":\"Parameter verification failed.\\n\",\"errors\":{\"env\":\"value 'PW=hunter22' hunter22, two2\"}}" });
	pve_form_setn(&form, "env", "PW=hunter22\0B=two2", 18, NULL);
	pve_form_set(&form, "hostname", "value", NULL);
	pve_form_hide(&form, "env");
	cr_expect_eq(pve_send(&pve, arena, HTTPS_POST, "/a", &form, &data, &fault, &err), -1);
	EXPECT_SAID("env: value 'PW=********' ********, ****");
	cr_expect_null(strstr(fault.text, "hunter"));

	/* As the server has it: with the NUL between the variables. */
	SCRIPT({ NULL, 400,
		"{\"message\":\"Parameter verification failed.\\n\",\"errors\":{\"env\":\"'PW=hunter22\\u0000B=two2'\"}}" });
	cr_expect_eq(pve_send(&pve, arena, HTTPS_POST, "/a", &form, &data, &fault, &err), -1);
	EXPECT_SAID("Parameter verification failed: env: 'PW=******** B=****'");
}

Test(api, words_of_any_length_fit)
{
	static char body[70000];

	memcpy(body, "{\"message\":\"", 12);
	memset(body + 12, 'x', 60000);
	memcpy(body + 60012, "\"}", 3);
	const struct line line = { NULL, 500, body };
	script_begin(&line, 1);
	cr_expect_eq(get("/a"), -1);
	cr_expect_eq(strlen(fault.text), sizeof(fault.text) - 1);
	cr_expect(str_ends(fault.text, "..."));
}

Test(api, a_secret_value_doesn_t_change_what_an_answer_means)
{
	struct pve_form form = PVE_FORM_INIT(arena);

	SCRIPT({ NULL, 500, "{\"message\":\"CT 100 already running\\n\"}" });
	pve_form_set(&form, "env", "STATE=running", NULL);
	pve_form_hide(&form, "env");
	cr_expect_eq(pve_send(&pve, arena, HTTPS_POST, "/a", &form, &data, &fault, &err), -1);
	cr_expect_eq(fault.reason, PVE_RUNNING);
	EXPECT_SAID("CT 100 already *******");
}

/* ---- logins ---- */

static struct pve_answer login_answer;
static unsigned login_asked;

static int login_exchange(void *arg, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *e)
{
	(void)arg, (void)ask, (void)a, (void)e;
	login_asked++;
	*ret = login_answer;
	return 0;
}

Test(api, a_login_that_is_refused_is_not_repeated_and_one_that_fails_is)
{
	pve.exchange = login_exchange;
	login_answer = (struct pve_answer){ .outcome = HTTPS_NO_LOGIN,
		.status = 401,
		.reason = "authentication failure",
		.body = "{\"data\":null}",
		.n = 13,
		.json = true };
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(login_asked, 1);
	cr_expect_eq(fault.reason, PVE_UNAUTHORIZED);
	cr_expect_eq(err.code, ERR_DENIED);
	EXPECT_SAID("login: POST /nodes/a/lxc: not authenticated: 401 authentication failure");
	EXPECT_HINT("check proxmox");

	login_asked = 0;
	login_answer.status = 596;
	login_answer.reason = "Connection timed out";
	cr_expect_eq(post("/nodes/a/lxc"), -1);
	cr_expect_eq(login_asked, 4, "it wasn't sent, so it may be sent again");
	cr_expect_eq(fault.reason, PVE_UNREACHED);
	cr_expect_eq(err.code, ERR_UNAVAILABLE);
}

Test(api, a_login_that_is_answered_by_something_else_says_nothing_of_the_password)
{
	static const struct {
		unsigned status;
		const char *reason, *said;
	} rows[] = {
		{ 200, "the answer to the login isn't JSON",
			"login: POST /nodes/a/lxc: the answer to the login isn't JSON: is the endpoint right?" },
		{ 301, "Moved", "the server answered 301 Moved: is the endpoint right?" },
		{ 404, "Not Found", "login: POST /nodes/a/lxc: Not Found" },
	};

	pve.exchange = login_exchange;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		login_asked = 0;
		login_answer = (struct pve_answer){ .outcome = HTTPS_NO_LOGIN,
			.status = rows[i].status,
			.reason = rows[i].reason,
			.body = "" };
		cr_expect_eq(post("/nodes/a/lxc"), -1);
		cr_expect_eq(login_asked, 1);
		cr_expect_eq(fault.reason, PVE_OTHER, "it wasn't sent, so it isn't ambiguous");
		cr_expect_eq(err.code, ERR_UNAVAILABLE);
		EXPECT_SAID(rows[i].said);
		cr_expect_str_eq(err.hint, "");
	}
}

static int no_way(void *arg, const struct pve_ask *ask, struct arena *a, struct pve_answer *ret,
	struct err *e)
{
	(void)arg, (void)ask, (void)a, (void)ret;
	login_asked++;
	return err_set(e, ERR_UNSUPPORTED, "libcurl", "isn't there");
}

Test(api, where_there_is_no_way_to_ask_it_isn_t_asked_again)
{
	pve.exchange = no_way;
	cr_expect_eq(get("/a"), -1);
	cr_expect_eq(login_asked, 1);
	cr_expect_eq(err.code, ERR_UNSUPPORTED);
	cr_expect_eq(fault.reason, PVE_UNREACHED);
}

/* ---- version ---- */

Test(api, the_version_is_asked_once)
{
	SCRIPT({ "GET /version", 200,
		"{\"data\":{\"version\":\"9.2.11\",\"release\":\"9.2\",\"repoid\":\"x\"}}" });
	cr_assert_eq(pve_version(&pve, &err), 0);
	cr_assert_eq(pve_version(&pve, &err), 0);
	cr_expect_eq(script.asked, 1);
	cr_expect_eq(pve.major, 9);
	cr_expect_eq(pve.minor, 2);
	cr_expect(pve_at_least(&pve, 9, 1) && pve_at_least(&pve, 9, 2) && pve_at_least(&pve, 8, 4));
	cr_expect_not(pve_at_least(&pve, 9, 3) || pve_at_least(&pve, 10, 0));
}

Test(api, versions_come_in_several_forms)
{
	static const struct {
		const char *body;
		unsigned major, minor; /* 0: refused */
	} rows[] = {
		{ "{\"data\":{\"version\":\"7.4-17\",\"release\":\"7.4\"}}", 7, 4 },
		{ "{\"data\":{\"release\":\"9.10\"}}", 9, 10 },
		{ "{\"data\":{\"release\":9.2}}", 9, 2 },
		{ "{\"data\":{\"release\":9}}", 9, 0 },
		{ "{\"data\":{\"version\":\"8.2.4\"}}", 8, 2 },
		{ "{\"data\":{\"release\":\"x\"}}", 0, 0 },
		{ "{\"data\":{\"release\":\"-9.1\"}}", 0, 0 },
		{ "{\"data\":{\"release\":\"99999999999999999999.1\"}}", 0, 0 },
		{ "{\"data\":null}", 0, 0 },
		{ "{\"data\":[]}", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct line line = { NULL, 200, rows[i].body };
		script_begin(&line, 1);
		pve.major = pve.minor = 0;
		cr_expect_eq(pve_version(&pve, &err), rows[i].major ? 0 : -1, "%s", rows[i].body);
		cr_expect_eq(pve.major, rows[i].major, "%s", rows[i].body);
		cr_expect_eq(pve.minor, rows[i].minor, "%s", rows[i].body);
	}
}

/* ---- values ---- */

Test(api, numbers_come_as_numbers_or_as_strings)
{
	static const char text[] =
		"{\"a\":100,\"b\":\"100\",\"c\":\"1.5\",\"d\":1.5,\"e\":\"\",\"f\":null,\"g\":[],\"h\":true,"
		"\"i\":\"abc\",\"j\":-7,\"k\":1.7e9,\"l\":\"1e400\",\"m\":\"nan\",\"n\":\"0x10\","
		"\"o\":9223372036854775807,\"p\":\"99999999999999999999\",\"q\":\"0\",\"r\":\"1\",\"s\":0,\"t\":\"no\",\"u\":\"on\"}";
	const struct json *o;

	cr_assert_eq(json_parse(text, strlen(text), sizeof(text), arena, &o, &err), 0);
	cr_expect_eq(pve_int(o, "a", -1), 100);
	cr_expect_eq(pve_int(o, "b", -1), 100);
	cr_expect_eq(pve_int(o, "c", -1), 1);
	cr_expect_eq(pve_int(o, "d", -1), 1);
	cr_expect_eq(pve_int(o, "j", -1), -7);
	cr_expect_eq(pve_int(o, "k", -1), 1700000000);
	cr_expect_eq(pve_int(o, "o", -1), INT64_MAX);
	for (const char *key = "efghilmnp"; *key; key++)
		cr_expect_eq(pve_int(o, (char[]){ *key, 0 }, -1), -1, "%c", *key);
	cr_expect_eq(pve_int(o, "none", 3), 3);
	cr_expect_eq(pve_int(NULL, "none", 3), 3);
	cr_expect_float_eq(pve_double(o, "c", 0), 1.5, 1e-9);
	cr_expect_float_eq(pve_double(o, "b", 0), 100, 1e-9);
	cr_expect_float_eq(pve_double(o, "l", 7), 7, 1e-9);
	cr_expect_str_eq(pve_text(o, "a"), "100");
	cr_expect_str_eq(pve_text(o, "i"), "abc");
	cr_expect_null(pve_text(o, "f"));
	cr_expect_null(pve_text(o, "g"));
	cr_expect_null(pve_text(o, "h"));
	for (const char *key = "hrua"; *key; key++)
		cr_expect(pve_bool(o, (char[]){ *key, 0 }), "%c", *key);
	for (const char *key = "qstefgiz"; *key; key++)
		cr_expect_not(pve_bool(o, (char[]){ *key, 0 }), "%c", *key);
}
