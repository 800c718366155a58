/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "script.h"

#include <sys/mman.h>
#include <unistd.h>

#define UPID "UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam!ctr:"
#define PATH \
	"/nodes/pve2/tasks/UPID%3Apve2%3A0003A2B1%3A0F31D2C4%3A65A1B2C3%3Avzcreate%3A100%3Aroot%40pam%21ctr%3A"
#define STATUS   "GET " PATH "/status"
#define TASKLOG  "GET " PATH "/log?start=0&limit=1000"
#define RUNNING  "{\"data\":{\"status\":\"running\"}}"
#define ENDED(s) "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"" s "\"}}"

static struct pve_upid upid;
static int log_fd;

static void setup(void)
{
	script_setup();
	cr_assert_eq(pve_upid_parse(UPID, arena, &upid, &err), 0);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_stderr(log_fd);
}

static void teardown(void)
{
	close(log_fd);
	script_teardown();
}

TestSuite(task, .init = setup, .fini = teardown);

/* What went to the log. */
static const char *logged(void)
{
	static char buf[8192];
	ssize_t n = pread(log_fd, buf, sizeof(buf) - 1, 0);

	buf[MAX(n, (ssize_t)0)] = 0;
	return buf;
}

static int await(unsigned ms)
{
	return pve_task_wait(&pve, &upid, ms, &fault, &err);
}

/* ---- UPIDs ---- */

Test(task, a_upid_has_its_parts)
{
	cr_expect_str_eq(upid.text, UPID);
	cr_expect_str_eq(upid.node, "pve2");
	cr_expect_str_eq(upid.type, "vzcreate");
	cr_expect_str_eq(upid.id, "100");
	cr_expect_str_eq(upid.user, "root@pam!ctr");
	cr_expect_eq(upid.start, 0x65A1B2C3);
	cr_expect_eq(pve_upid_parse("UPID:a:00000000:123456789:65a1b2c3:download::u@pve:", arena,
			     &upid, &err),
		0);
	cr_expect_str_eq(upid.id, "");
	cr_expect_eq(pve_upid_parse("UPID:a:00000000:12345678:65a1b2c3:imgdel:local%3Ax%2dy:u@pve:",
			     arena, &upid, &err),
		0, "%s", said());
	cr_expect_str_eq(upid.id, "local%3Ax%2dy");
}

Test(task, what_is_no_upid_never_becomes_a_path)
{
	static const char *const rows[] = { "", "UPID", "UPID:", "upid:pve2:0003A2B1",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam", /* no ':' */
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:x",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:\n",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam::",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3::100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100::",
		"UPID:pve2:003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4AB:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3F:vzcreate:100:root@pam:",
		"UPID:pve2:0003A2BG:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:pve.2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:-pve:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:pve-:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID::0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:..:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:../../x:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:1/2:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:%2F:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:%00:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:%0:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:a%:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:%xy:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vz%3Acreate:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root%3A@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam?x:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vz create:100:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:1\r\n0:root@pam:",
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:\xc3\xa4:root@pam:" };
	char longer[PVE_UPID_MAX + 80];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(pve_upid_parse(rows[i], arena, &upid, &err), -1, "%s", rows[i]);
		cr_expect_eq(err.code, ERR_INVALID, "%s", rows[i]);
	}
	snprintf(longer, sizeof(longer),
		"UPID:pve2:0003A2B1:0F31D2C4:65A1B2C3:vz:1:%0*d:", (int)PVE_UPID_MAX, 0);
	cr_expect_eq(pve_upid_parse(longer, arena, &upid, &err), -1);
}

Test(task, an_answer_without_a_upid_is_garbled)
{
	static const char *const rows[] = { "null", "1", "[]", "{}", "\"\"", "\"x\"" };
	const struct json *data;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(json_parse(rows[i], strlen(rows[i]), 100, arena, &data, &err), 0);
		cr_expect_eq(pve_upid_of(data, arena, &upid, &err), -1, "%s", rows[i]);
	}
}

/* ---- waiting ---- */

Test(task, is_polled_on_its_own_node_with_growing_pauses)
{
	SCRIPT({ STATUS, 200, RUNNING, .repeats = 6 }, { STATUS, 200, ENDED("OK") });
	cr_assert_eq(await(600000), 0, "%s", said());
	cr_expect_eq(fault.reason, PVE_OK);
	cr_expect_eq(script.paused_ms, 100 + 200 + 400 + 800 + 1500 * 3);
	SCRIPT_ENDS();
}

Test(task, lost_answers_don_t_matter_before_the_deadline)
{
	SCRIPT({ NULL, 596, "", "Connection timed out", .repeats = 9 },
		{ NULL, 595, "", "Connection refused", .repeats = 9 },
		{ NULL, 0, .outcome = HTTPS_LOST, .repeats = 9 },
		{ NULL, 0, .outcome = HTTPS_UNREACHED, .repeats = 9 },
		{ NULL, 200, "<html>", .text = true }, { NULL, 500, "", "proxy handler failed" },
		{ STATUS, 200, RUNNING }, { NULL, 200, "{\"data\":null}" },
		{ STATUS, 200, ENDED("OK") });
	cr_assert_eq(await(600000), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(task, answers_that_make_no_sense_end_it_in_the_end)
{
	SCRIPT({ NULL, 200, "{\"data\":null}", .repeats = 2 });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_GARBLED);
	EXPECT_SAID("vzcreate 100 on pve2: task: its status is neither");
	SCRIPT_ENDS();
}

Test(task, one_that_goes_on_is_named_at_the_deadline)
{
	SCRIPT({ NULL, 200, RUNNING, .repeats = -1 });
	cr_expect_eq(await(10000), -1);
	cr_expect_eq(fault.reason, PVE_TIMEOUT);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	/* The script takes no time, but the clock beside it does. */
	cr_expect(script.paused_ms > 9000 && script.paused_ms <= 10000);
	EXPECT_SAID("vzcreate 100 on pve2: hasn't ended within 10 s: " UPID);
}

Test(task, no_look_at_it_goes_beyond_the_deadline)
{
	SCRIPT({ STATUS, 200, RUNNING }, { STATUS, 0, .outcome = HTTPS_LOST, .takes_ms = 3000 },
		{ STATUS, 0, .outcome = HTTPS_LOST, .takes_ms = 1000 });
	cr_expect_eq(await(4000), -1);
	SCRIPT_ENDS();
	cr_expect_eq(fault.reason, PVE_TIMEOUT);
	EXPECT_SAID("hasn't ended within 4 s");
	cr_expect(script.timeout_ms[1] <= 3900 && script.timeout_ms[1] > 1000);
	cr_expect_eq(script.timeout_ms[2], 1000, "%u ms", script.timeout_ms[2]);
}

Test(task, a_deadline_that_is_what_is_left_is_said_in_whole_seconds)
{
	SCRIPT({ STATUS, 200, RUNNING, .repeats = -1 });
	cr_expect_eq(await(2997), -1);
	EXPECT_SAID("hasn't ended within 3 s");
}

Test(task, a_log_that_hangs_is_left_out)
{
	SCRIPT({ STATUS, 200, ENDED("it failed") },
		{ TASKLOG, 0, .outcome = HTTPS_LOST, .takes_ms = 5000 });
	cr_expect_eq(await(1000), -1);
	SCRIPT_ENDS();
	cr_expect_leq(script.timeout_ms[1], 5000u);
	cr_expect_str_eq(said(), "vzcreate 100 on pve2: it failed");
}

Test(task, the_deadline_counts_for_a_server_that_is_away_too)
{
	SCRIPT({ NULL, 596, "", "Broken pipe", .repeats = -1 });
	cr_expect_eq(await(10000), -1);
	cr_expect_eq(fault.reason, PVE_TIMEOUT);
	EXPECT_SAID("the last answer was: GET ");
	EXPECT_SAID(UPID);
}

Test(task, a_token_that_is_revoked_meanwhile_ends_it_at_once)
{
	SCRIPT({ STATUS, 200, RUNNING }, { STATUS, 401, "", "Authentication failed!" });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_UNAUTHORIZED);
	cr_expect_eq(err.code, ERR_DENIED);
	EXPECT_SAID("vzcreate 100 on pve2: GET " PATH);
	EXPECT_SAID("401 Authentication failed!");
	SCRIPT_ENDS();
}

Test(task, an_unknown_one_ends_it_at_once)
{
	SCRIPT({ STATUS, 400,
		"{\"message\":\"Parameter verification failed.\\n\",\"errors\":{\"upid\":\"no such task\\n\"}}" });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_NO_TASK);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
}

Test(task, warnings_are_success_and_go_to_the_log)
{
	SCRIPT({ STATUS, 200, ENDED("WARNINGS: 2") },
		{ TASKLOG, 200,
			"{\"data\":[{\"n\":1,\"t\":\"creating\"},{\"n\":\"2\",\"t\":\"WARN: no tzdata\"},"
			"{\"n\":3,\"t\":\"WARN: old systemd\"},{\"n\":4,\"t\":\"TASK WARNINGS: 2\"}],\"total\":4}" });
	cr_assert_eq(await(600000), 0, "%s", said());
	SCRIPT_ENDS();
	cr_expect(strstr(logged(), "vzcreate 100 on pve2: WARN: no tzdata"), "%s", logged());
	cr_expect(strstr(logged(), "WARN: old systemd"), "%s", logged());
	cr_expect_null(strstr(logged(), "creating"));
}

Test(task, warnings_whose_log_is_lost_are_said_all_the_same)
{
	SCRIPT({ STATUS, 200, ENDED("WARNINGS: 1") }, { TASKLOG, 403, "", "no" });
	cr_assert_eq(await(600000), 0, "%s", said());
	cr_expect(strstr(logged(), "ended with WARNINGS: 1"), "%s", logged());
}

Test(task, what_only_resembles_success_is_none)
{
	static const char *const rows[] = { "OKxyz", "ok", "WARNINGS: ", "WARNINGS: many",
		"WARNINGS", " OK", "" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char body[128];
		snprintf(body, sizeof(body),
			"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"%s\"}}", rows[i]);
		const struct line lines[] = { { STATUS, 200, body },
			{ TASKLOG, 200, "{\"data\":[]}" } };
		script_begin(lines, 2);
		cr_expect_eq(await(1000), -1, "%s", rows[i]);
		cr_expect_eq(fault.reason, PVE_OTHER, "%s", rows[i]);
	}
}

Test(task, a_failure_says_its_status_and_the_last_lines_of_its_log)
{
	SCRIPT({ STATUS, 200,
		       ENDED("unable to create CT 100 - storage 'full' - not enough space") },
		{ TASKLOG, 200,
			"{\"data\":[{\"n\":1,\"t\":\"l1\"},{\"n\":2,\"t\":\"l2\"},{\"n\":3,\"t\":\"l3\"},"
			"{\"n\":4,\"t\":\"\"},{\"n\":5,\"t\":\"l4\"},{\"n\":6,\"t\":\"l5\\u0007\"},{\"n\":7,\"t\":\"l6\"},"
			"{\"n\":8,\"t\":\"TASK ERROR: unable to create CT 100\"}],\"total\":8}" });
	cr_expect_eq(await(600000), -1);
	SCRIPT_ENDS();
	cr_expect_eq(fault.reason, PVE_STORAGE);
	cr_expect_str_eq(fault.text, "unable to create CT 100 - storage 'full' - not enough space");
	cr_expect_str_eq(said(),
		"vzcreate 100 on pve2: unable to create CT 100 - storage 'full' - not enough space; its log: l2 | l3 | l4 | l5 | l6");
}

Test(task, a_secret_that_was_sent_is_neither_in_its_status_nor_in_its_log)
{
	struct pve_form form = PVE_FORM_INIT(arena);
	const struct json *data;
	static char long_line[512];

	snprintf(long_line, sizeof(long_line),
		"{\"data\":[{\"t\":\"%150sPW=hunter22\"},{\"t\":\"WARN: hunter22\"}]}", "");
	memset(strchr(long_line, ' '), 'x', 150);
	const struct line lines[] = { { NULL, 200, "{\"data\":null}" },
		{ STATUS, 200, ENDED("invalid env PW=hunter22") }, { TASKLOG, 200, long_line },
		{ STATUS, 200, ENDED("WARNINGS: 1") }, { TASKLOG, 200, long_line } };
	script_begin(lines, ARRAY_SIZE(lines));
	pve_form_set(&form, "env", "PW=hunter22", NULL);
	pve_form_hide(&form, "env");
	cr_assert_eq(pve_send(&pve, arena, HTTPS_POST, "/a", &form, &data, &fault, &err), 0);
	cr_expect_eq(await(1000), -1);
	cr_expect_null(strstr(said(), "hunt"), "%s", said());
	cr_expect_null(strstr(fault.text, "hunt"), "%s", fault.text);
	EXPECT_SAID("invalid env PW=********; its log: ");
	EXPECT_SAID("WARN: ********");
	cr_expect_eq(await(1000), 0);
	cr_expect_null(strstr(logged(), "hunt"), "%s", logged());
	SCRIPT_ENDS();
}

/* A thousand lines of so many. */
static void full_page(char *page, size_t size, const char *total)
{
	size_t n = (size_t)snprintf(page, size, "{\"total\":%s,\"data\":[", total);

	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(
			page + n, size - n, "%s{\"n\":%d,\"t\":\"line\"}", i ? "," : "", i + 1);
	snprintf(page + n, size - n, "]}");
}

Test(task, of_an_endless_log_the_end_is_read)
{
	static char page[64 * 1024];

	full_page(page, sizeof(page), "\"2010001\"");
	const struct line lines[] = { { STATUS, 200, ENDED("x") }, { TASKLOG, 200, page },
		{ "GET " PATH "/log?start=2001001&limit=1000", 200,
			"{\"data\":[{\"n\":2001001,\"t\":\"the end\"}]}" } };
	script_begin(lines, ARRAY_SIZE(lines));
	cr_expect_eq(await(1000), -1);
	EXPECT_SAID("line | the end");
	SCRIPT_ENDS();
}

Test(task, a_long_log_is_read_to_its_end)
{
	static char page[64 * 1024];

	full_page(page, sizeof(page), "1001");
	const struct line lines[] = { { STATUS, 200, ENDED("x") }, { TASKLOG, 200, page },
		{ "GET " PATH "/log?start=1000&limit=1000", 200,
			"{\"data\":[{\"n\":1001,\"t\":\"the end\"}]}" } };
	script_begin(lines, ARRAY_SIZE(lines));
	cr_expect_eq(await(1000), -1);
	EXPECT_SAID("line | the end");
	SCRIPT_ENDS();
}

Test(task, the_last_line_of_a_log_matters_most)
{
	static char body[4096];
	char x[301];

	memset(x, 'x', 300);
	x[300] = 0;
	snprintf(body, sizeof(body),
		"{\"data\":[{\"t\":\"%s\"},{\"t\":\"%s\"},{\"t\":\"%s\"},{\"t\":\"the reason\"}]}",
		x, x, x);
	const struct line lines[] = { { STATUS, 200, ENDED("startup for container '100' failed") },
		{ TASKLOG, 200, body } };
	script_begin(lines, ARRAY_SIZE(lines));
	cr_expect_eq(await(1000), -1);
	cr_expect_eq(fault.reason, PVE_START_FAILED);
	EXPECT_SAID("startup for container '100' failed; its log: xxx");
	EXPECT_SAID("... | the reason");
}

Test(task, a_status_that_isn_t_written_yet_is_asked_for_once_more)
{
	SCRIPT({ STATUS, 200, ENDED("unable to get last line from task log: x") },
		{ STATUS, 200, ENDED("OK") });
	cr_expect_eq(await(600000), 0, "%s", said());
	SCRIPT_ENDS();

	SCRIPT({ STATUS, 200, "{\"data\":{\"status\":\"stopped\"}}" },
		{ STATUS, 200, ENDED("unable to get last line from task log: x") },
		{ TASKLOG, 200, "{\"data\":[]}" });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_KILLED);
	SCRIPT_ENDS();
}

Test(task, one_whose_worker_was_killed_says_so)
{
	SCRIPT({ STATUS, 200, ENDED("unexpected status") }, { TASKLOG, 200, "{\"data\":[]}" });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_KILLED);
	EXPECT_SAID("vzcreate 100 on pve2: unexpected status");
	EXPECT_HINT("node was restarted");
}

Test(task, a_locked_guest_s_hint_names_it)
{
	SCRIPT({ STATUS, 200, ENDED("CT is locked (create)") }, { TASKLOG, 200, "{\"data\":[]}" });
	cr_expect_eq(await(600000), -1);
	cr_expect_eq(fault.reason, PVE_LOCK_STALE);
	EXPECT_HINT("pct unlock 100 (on node pve2)");
}

Test(task, a_look_is_one_question)
{
	const char *ending = NULL;

	SCRIPT({ STATUS, 200, RUNNING }, { STATUS, 200, ENDED("OK") }, { STATUS, 595, "" });
	cr_expect_eq(pve_task_look(&pve, &upid, arena, &ending, &fault, &err), 0);
	cr_expect_eq(pve_task_look(&pve, &upid, arena, &ending, &fault, &err), 1);
	cr_expect_str_eq(ending, "OK");
	cr_expect_eq(pve_task_look(&pve, &upid, arena, &ending, &fault, &err), -1);
	cr_expect_eq(fault.reason, PVE_UNREACHED);
	SCRIPT_ENDS();
}

/* ---- the list ---- */

#define ROW(start, type, id, user, more) \
	"{\"upid\":\"UPID:pve2:0003A2B1:0F31D2C4:" start ":" type ":" id ":" user ":\"" more "}"
#define LIST \
	"GET /nodes/pve2/tasks?vmid=100&typefilter=vzcreate&source=all&since=1705095870&limit=50"

static int find(const char *user, bool *running)
{
	return pve_task_find(
		&pve, "pve2", "vzcreate", 100, 1705095870, user, arena, &upid, running, &err);
}

Test(task, the_newest_one_that_fits_is_found)
{
	bool running = false;

	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("65A1B2C3", "vzcreate", "100", "a@pve!t",
			",\"endtime\":1") "," ROW("65A1B2C9", "vzcreate", "100", "a@pve!t",
			"") "," ROW("65A1B2C5", "vzcreate", "100", "a@pve!t",
			",\"endtime\":\"2\"") "," ROW("65A1B2CF", "vzcreate", "100", "b@pve",
			"") "," ROW("65A1B2CF", "vzdestroy", "100", "a@pve!t",
			"") "," ROW("65A1B2CF", "vzcreate", "1001", "a@pve!t",
			"") ","
			    "{\"upid\":\"UPID:../x\"},{\"upid\":null},{},null,7]}",
		.repeats = 1 });
	cr_assert_eq(find("a@pve!t", &running), 1, "%s", said());
	cr_expect_eq(upid.start, 0x65A1B2C9);
	cr_expect(running);
	cr_assert_eq(find(NULL, &running), 1);
	cr_expect_str_eq(upid.user, "b@pve");
	SCRIPT_ENDS();
}

Test(task, one_that_has_just_ended_may_be_listed_twice)
{
	bool running = true;

	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("65A1B2C9", "vzcreate", "100", "a@pve!t", "") "," ROW("65A1B2C9",
			"vzcreate", "100", "a@pve!t", ",\"endtime\":1,\"status\":\"OK\"") "]}" });
	cr_assert_eq(find("a@pve!t", &running), 1);
	cr_expect_not(running);
}

Test(task, of_those_that_began_in_the_same_second_the_first_is_found)
{
	bool running = false;

	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("65A1B2C9", "vzcreate", "100", "b@pve", "") "," ROW("65A1B2C9",
			"vzcreate", "100", "a@pve!t", ",\"endtime\":1,\"status\":\"OK\"") "]}" });
	cr_assert_eq(find(NULL, &running), 1);
	cr_expect_str_eq(upid.user, "b@pve");
	cr_expect(running);
}

Test(task, one_of_before_is_not_found)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("5F000000", "vzcreate", "100", "a@pve", "") "]}" },
		{ LIST, 200, "{\"data\":[]}" }, { LIST, 200, "{\"data\":null}" });
	cr_expect_eq(find(NULL, NULL), 0);
	cr_expect_eq(find(NULL, NULL), 0);
	cr_expect_eq(find(NULL, NULL), -1, "an answer that is none says nothing");
	cr_expect_eq(err.code, ERR_UNAVAILABLE);
}

Test(task, is_cancelled_by_its_name)
{
	SCRIPT({ "DELETE " PATH, 200, "{\"data\":null}" });
	cr_expect_eq(pve_task_cancel(&pve, &upid, &err), 0);
	SCRIPT_ENDS();
}
