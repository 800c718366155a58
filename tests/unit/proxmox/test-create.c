/* SPDX-License-Identifier: Apache-2.0 */
/* What was begun and not finished: lost answers, and creates that died. */
#include "backend/proxmox/create.h"
#include "fake.h"

#include <time.h>

#define ID      "web1"
#define OURS    "UPID:pve1:00001000:00002000:65000000:vzcreate:200005:ctrctl@pve!ctrl:"
#define THEIRS  "UPID:pve1:00001001:00002000:65000000:vzcreate:200005:ops@pve:"
#define DELETED "UPID:pve1:00001002:00002000:65000009:vzdestroy:200005:ctrctl@pve!ctrl:"

/* In the order of the rules below. */
#define CONFIG_PATH "GET /nodes/pve1/lxc/200005/config"
#define TASKS_PATH  "GET /nodes/pve1/tasks?"
#define STATUS_OF(what, ...)                               \
	{                                                  \
		"GET /nodes/pve1/tasks/" what, __VA_ARGS__ \
	}
#define LOG_RULE                                                              \
	{                                                                     \
		"/log?", 0, 0, 200, "{\"data\":[{\"n\":1,\"t\":\"a line\"}]}" \
	}
#define GONE       0, 0, 500, "Configuration file 'nodes/pve1/lxc/200005.conf' does not exist"
#define GONE_LATER 500, "Configuration file 'nodes/pve1/lxc/200005.conf' does not exist"
#define NOWHERE                                                      \
	{                                                            \
		"GET /cluster/resources", 0, 0, 200, "{\"data\":[]}" \
	}

/* The node's. OURS was begun at 1694498816. */
#define CLOCK(seconds)                                                                 \
	{                                                                              \
		"GET /nodes/pve1/time", 0, 0, 200, "{\"data\":{\"time\":" seconds "}}" \
	}
#define NO_CLOCK                                                    \
	{                                                           \
		"GET /nodes/pve1/time", 0, 0, 403,                  \
			"Permission check failed (/nodes/pve1, Sys" \
			".Audit)"                                   \
	}

#define LOCKED "{\"data\":{\"digest\":\"x\",\"lock\":\"create\"}}"
#define MADE                                                                                \
	"{\"data\":{\"digest\":\"x\",\"description\":\"box\\nctrctl:v1:{\\\"id\\\":\\\"" ID \
	"\\\",\\\"vmid\\\":200005}\\n\"}}"
#define STRANGE      "{\"data\":{\"digest\":\"x\",\"description\":\"a shop\\n\"}}"
#define NO_TASKS     "{\"data\":[]}"
#define RUNS(upid)   "{\"data\":[{\"upid\":\"" upid "\"}]}"
#define ENDED(upid)  "{\"data\":[{\"upid\":\"" upid "\",\"endtime\":1694498900}]}"
#define RUNNING      "{\"data\":{\"status\":\"running\"}}"
#define STOPPED(how) "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"" how "\"}}"

static struct fake f;
static struct guest guest;
static enum settled what;

static void setup(void)
{
	fake_init(&f);
	guest = (struct guest){ .id = ID,
		.vmid = 200005,
		.node = "pve1",
		.phase = GUEST_INTENT,
		.posted = 0x64ffffff };
}

static void teardown(void)
{
	fake_done(&f);
}

TestSuite(settle, .init = setup, .fini = teardown);
TestSuite(undo, .init = setup, .fini = teardown);

static int settle(struct rule *rules)
{
	f.rules = rules;
	return guest_settle(&f.pve, &guest, f.arena, &what, NULL, &f.err);
}

static int undo(struct rule *rules)
{
	f.rules = rules;
	return proxmox_undo_create(&f.pve, -1, &guest, true, &f.err);
}

/* ---- settling ---- */

Test(settle, nothing_there_is_nothing_of_ours)
{
	struct rule rules[] = { { CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_NONE);
}

Test(settle, what_is_being_made_is_waited_for)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 200, LOCKED },
		{ CONFIG_PATH, 0, 0, 200, MADE }, { TASKS_PATH, 0, 0, 200, RUNS(OURS) },
		STATUS_OF("", 0, 3, 200, RUNNING), STATUS_OF("", 0, 0, 200, STOPPED("OK")),
		LOG_RULE, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_OURS);
}

Test(settle, a_task_that_is_begun_before_its_guest_shows_is_waited_for)
{
	struct rule rules[] = {
		{ CONFIG_PATH, 0, 1, 500,
			"Configuration file 'nodes/pve1/lxc/200005.conf' does not exist" },
		{ CONFIG_PATH, 0, 0, 200, MADE }, { TASKS_PATH, 0, 0, 200, RUNS(OURS) },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), LOG_RULE, { 0 }
	};

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_OURS);
}

Test(settle, a_guest_with_another_description_is_theirs)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, STRANGE }, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_THEIRS);
	cr_assert_eq(f.n_asked, 1);
}

Test(settle, a_stranger_who_makes_one_there_is_waited_for_and_left_alone)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 200, LOCKED },
		{ CONFIG_PATH, 0, 0, 200, STRANGE }, { TASKS_PATH, 0, 0, 200, RUNS(THEIRS) },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), LOG_RULE, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_THEIRS);
	cr_assert_eq(fake_count(&f, "DELETE"), 0);
}

/* Tasks of one's own can always be seen. */
Test(settle, a_lock_without_a_task_is_theirs)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, LOCKED },
		{ TASKS_PATH, 0, 0, 200, NO_TASKS }, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_THEIRS);
}

Test(settle, a_lock_that_a_task_left_needs_somebody_on_the_node)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, LOCKED },
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, CLOCK("1694498900"), { 0 } };

	cr_assert_eq(settle(rules), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert(strstr(f.err.hint, "on node pve1: pct unlock 200005"), "%s", f.err.hint);
}

/* The node's clock is what its tasks are compared by. */
Test(settle, a_lock_after_an_earlier_task_is_theirs)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, LOCKED },
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, CLOCK("1694499200"), { 0 } };
	struct rule behind[] = { { CONFIG_PATH, 0, 0, 200, LOCKED },
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, CLOCK("1694498830"), { 0 } };
	struct rule untold[] = { { CONFIG_PATH, 0, 0, 200, LOCKED },
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, NO_CLOCK, { 0 } };

	guest.posted = (uint64_t)time(NULL) - GUEST_CLOCK_MARGIN_S;
	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_THEIRS);
	cr_assert_eq(settle(behind), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert_eq(settle(untold), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
}

/* However far its clock is behind. */
Test(settle, a_task_that_runs_is_waited_for_whenever_it_was_begun)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 200, LOCKED },
		{ CONFIG_PATH, 0, 0, 200, MADE }, { "since=", 0, 0, 200, NO_TASKS },
		{ TASKS_PATH, 0, 0, 200, RUNS(OURS) }, STATUS_OF("", 0, 0, 200, STOPPED("OK")),
		LOG_RULE, { 0 } };

	guest.posted = (uint64_t)time(NULL);
	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_OURS);
}

#define HIDDEN 0, 0, 403, "Permission check failed (/vms/200005, VM.Audit)"
#define TAKEN                                                                            \
	{                                                                                \
		"GET /cluster/nextid?vmid=200005", 0, 0, 400, "VM 200005 already exists" \
	}

/* It comes into its pool at the end, and with that the right to see it. */
Test(settle, what_isnt_shown_while_it_is_made_is_waited_for)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 403,
					"Permission check failed (/vms/200005, VM.Audit)" },
		{ CONFIG_PATH, 0, 0, 200, MADE }, TAKEN, { TASKS_PATH, 0, 0, 200, RUNS(OURS) },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), LOG_RULE, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_OURS);
}

Test(settle, what_is_never_shown_is_theirs_unless_a_task_was_there)
{
	struct rule rules[] = { { CONFIG_PATH, HIDDEN }, TAKEN, { TASKS_PATH, 0, 0, 200, NO_TASKS },
		{ 0 } };
	struct rule again[] = { { CONFIG_PATH, HIDDEN }, TAKEN,
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, NO_CLOCK, { 0 } };

	cr_assert_eq(settle(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(what, SETTLED_THEIRS);
	cr_assert_eq(settle(again), -1);
	cr_assert_eq(f.err.code, ERR_DENIED);
}

Test(settle, one_that_moved_meanwhile_is_found)
{
	struct rule rules[] = { { CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, NO_TASKS },
		{ "GET /cluster/resources", 0, 0, 200,
			"{\"data\":[{\"type\":\"lxc\",\"vmid\":200005,\"node\":\"pve2\"}]}" },
		{ "GET /nodes/pve2/lxc/200005/config", 0, 0, 200, MADE }, { 0 } };
	const char *node = NULL;

	f.rules = rules;
	cr_assert_eq(guest_settle(&f.pve, &guest, f.arena, &what, &node, &f.err), 0);
	cr_assert_eq(what, SETTLED_OURS);
	cr_assert_str_eq(node, "pve2");
}

Test(settle, a_server_that_cant_be_reached_settles_nothing)
{
	struct rule rules[] = { { "", 0, 0, 595, "Connection refused" }, { 0 } };

	cr_assert_eq(settle(rules), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
}

/* ---- undoing ---- */

Test(undo, of_nothing_asks_and_removes_nothing)
{
	struct rule rules[] = { { CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ 0 } };

	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 0);
	cr_assert_eq(f.n_asked, 3);
}

/* What was sent a moment ago may not have begun. */
Test(undo, waits_for_a_request_that_comes_late)
{
	struct rule rules[] = {
		{ CONFIG_PATH, 0, 5, 500,
			"Configuration file 'nodes/pve1/lxc/200005.conf' does not exist" },
		{ CONFIG_PATH, 5, 1, 200, MADE }, { CONFIG_PATH, GONE },
		{ TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ "DELETE /nodes/pve1/lxc/200005?", 0, 0, 200, "{\"data\":\"" DELETED "\"}" },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), { 0 }
	};

	guest.sent = (uint64_t)time(NULL);
	guest.posts = 1;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 1);
	cr_assert_geq(f.paused_ms, 2000);
	cr_assert_lt(f.paused_ms, 30000); /* it has come, and was the only one */
}

/* The server's proxy waits 30 s for a node. */
Test(undo, waits_longer_than_the_server_does)
{
	struct rule rules[] = { { CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ 0 } };

	guest.sent = (uint64_t)time(NULL);
	guest.posts = 1;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_gt(f.paused_ms, 30000);
	cr_assert_eq(fake_count(&f, "DELETE"), 0);
}

Test(undo, of_what_was_sent_more_than_once_waits_for_the_others)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 200, MADE }, { CONFIG_PATH, 1, 9, GONE_LATER },
		{ CONFIG_PATH, 10, 1, 200, MADE }, { CONFIG_PATH, GONE },
		{ TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ "DELETE /nodes/pve1/lxc/200005?", 0, 0, 200, "{\"data\":\"" DELETED "\"}" },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), { 0 } };

	guest.sent = (uint64_t)time(NULL);
	guest.posts = 2;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 2);
}

/* A create that has failed over lost answers says so at once, and leaves its record. */
Test(undo, without_waiting_says_until_when_one_may_come)
{
	struct rule rules[] = { { CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ 0 } };

	f.rules = rules;
	guest.sent = (uint64_t)time(NULL);
	guest.posts = 3;
	cr_assert_eq(proxmox_undo_create(&f.pve, -1, &guest, false, &f.err), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
	cr_assert(strstr(fake_said(&f), "guest 200005 on pve1: it was asked for"), "%s",
		fake_said(&f));
	guest.sent -= 60;
	cr_assert_eq(
		proxmox_undo_create(&f.pve, -1, &guest, false, &f.err), 0, "%s", fake_said(&f));
	cr_assert_eq(f.paused_ms, 0);
}

Test(undo, removes_what_is_ours_with_its_jobs_and_no_foreign_disks)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 1, 200, MADE }, { CONFIG_PATH, GONE },
		{ TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ "DELETE /nodes/pve1/lxc/200005?purge=1&force=1&destroy-unreferenced-disks=0", 0,
			0, 200, "{\"data\":\"" DELETED "\"}" },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), { 0 } };

	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 1);
}

Test(undo, never_removes_a_strangers)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, STRANGE },
		{ TASKS_PATH, 0, 0, 200, ENDED(THEIRS) }, STATUS_OF("", 0, 0, 200, STOPPED("OK")),
		{ 0 } };

	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	guest.upid = OURS;
	guest.phase = GUEST_MAKING;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 0);
}

Test(undo, ends_the_task_that_makes_it)
{
	struct rule rules[] = { STATUS_OF("UPID", 0, 2, 200, RUNNING),
		STATUS_OF("UPID", 0, 0, 200, STOPPED("received interrupt")), LOG_RULE,
		{ "DELETE /nodes/pve1/tasks/UPID", 0, 0, 200, "{\"data\":null}" },
		{ CONFIG_PATH, GONE }, { TASKS_PATH, 0, 0, 200, ENDED(OURS) }, NOWHERE, { 0 } };

	guest.upid = OURS;
	guest.phase = GUEST_MAKING;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE /nodes/pve1/tasks/"), 1);
	cr_assert_eq(fake_count(&f, "DELETE /nodes/pve1/lxc/"), 0);
}

Test(undo, half_made_ones_go_when_our_task_made_them)
{
	struct rule rules[] = { STATUS_OF("UPID", 0, 0, 200, STOPPED("unexpected status")),
		{ CONFIG_PATH, 0, 2, 200, "{\"data\":{\"digest\":\"x\"}}" }, { CONFIG_PATH, GONE },
		{ TASKS_PATH, 0, 0, 200, ENDED(OURS) }, NOWHERE,
		{ "DELETE /nodes/pve1/lxc/200005?", 0, 0, 500,
			"Configuration file 'nodes/pve1/lxc/200005.conf' does not exist" },
		{ 0 } };

	guest.upid = OURS;
	guest.phase = GUEST_MAKING;
	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE /nodes/pve1/lxc/"), 1);
}

Test(undo, is_tried_again_while_a_backup_runs)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 4, 200, MADE }, { CONFIG_PATH, GONE },
		{ TASKS_PATH, 0, 0, 200, NO_TASKS }, NOWHERE,
		{ "DELETE", 0, 3, 500, "CT is locked (backup)" },
		{ "DELETE", 0, 0, 200, "{\"data\":\"" DELETED "\"}" },
		STATUS_OF("", 0, 0, 200, STOPPED("OK")), { 0 } };

	cr_assert_eq(undo(rules), 0, "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 4);
}

Test(undo, ends_with_an_error_when_it_stays)
{
	struct rule rules[] = { { CONFIG_PATH, 0, 0, 200, MADE },
		{ "DELETE", 0, 0, 500, "can't remove CT 200005 - protection mode enabled" },
		{ 0 } };

	cr_assert_eq(undo(rules), -1);
	cr_assert(strstr(fake_said(&f), "remove guest 200005 on pve1"), "%s", fake_said(&f));
	cr_assert_eq(fake_count(&f, "DELETE"), 1);
}

Test(undo, of_what_the_server_is_needed_for_fails_without_it)
{
	struct rule rules[] = { { "", 0, 0, 595, "Connection refused" }, { 0 } };

	cr_assert_eq(undo(rules), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
	guest.upid = OURS;
	guest.phase = GUEST_MAKING;
	cr_assert_eq(undo(rules), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
}
