/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs on a guest, over a server that knows its lines. */
#include "base/fd.h"
#include "lifecycle.h"

#include <signal.h>

TestSuite(lifecycle, .init = setup, .fini = teardown);

/* ---- start ---- */

Test(lifecycle, start_looks_whose_it_is_and_waits_for_the_task)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		RUNS("vzstart"), ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, start_of_what_runs_already_is_fine)
{
	SCRIPT(LOOK("running"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, start_forgets_how_it_was_stopped_before)
{
	journal.stopped_by = GUEST_KILLED;
	save();
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_NOT_STOPPED);
}

Test(lifecycle, start_of_a_guest_that_is_gone_says_so)
{
	SCRIPT(NOWHERE);
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	EXPECT_SAID("somebody else has removed it");
	SCRIPT_ENDS();
}

/* The server queues the start of anything; that there is no such guest is the task's end. */
Test(lifecycle, start_whose_task_finds_no_guest_looks_again)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "Configuration file 'nodes/pve1/lxc/200104.conf' does not exist"),
		LOG("vzstart", ""), NOWHERE);
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	SCRIPT_ENDS();
}

Test(lifecycle, start_that_fails_brings_the_end_of_the_log)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "startup for container '200104' failed"),
		LOG("vzstart", "{\"n\":1,\"t\":\"lxc-start: exec failed\"}"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	EXPECT_SAID("startup for container '200104' failed");
	EXPECT_SAID("exec failed");
	SCRIPT_ENDS();
}

Test(lifecycle, start_does_not_touch_somebody_elses)
{
	SCRIPT(LOOK("stopped"), { "GET " GUEST "/config", 200, OTHERS });
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	SCRIPT_ENDS();
}

Test(lifecycle, start_waits_for_a_backup_to_end)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "CT is locked (backup)"), LOG("vzstart", ""), LOOK("stopped"),
		OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"), ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	cr_assert_gt(script.pauses, 0);
	SCRIPT_ENDS();
}

Test(lifecycle, start_under_high_availability_waits_until_it_runs)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "hastart"),
		ENDED("hastart", "OK"), LOOK("stopped"), LOOK("stopped"), LOOK("running"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, start_under_high_availability_gives_up_in_time)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "hastart"),
		ENDED("hastart", "OK"),
		{ "GET " GUEST "/status/current", 200, CURRENT("stopped", TAG), .repeats = -1 });
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	EXPECT_HINT("ha-manager");
	cr_assert_leq(script.paused_ms, cfg.start_s * 1000);
}

/* The answer got lost: the newest task says whether it was carried out. */
Test(lifecycle, start_whose_answer_is_lost_is_not_asked_for_twice)
{
	SCRIPT(LOOK("stopped"), OURS,
		{ "POST " GUEST "/status/start ", 0, .outcome = HTTPS_LOST, .reason = "lost" },
		{ "GET /nodes/pve1/tasks?vmid=200104&typefilter=vzstart&source=all&limit=50", 200,
			"{\"data\":[{\"upid\":\"" UPID("vzstart") "\"}]}" },
		ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

/* It may have run, and ended, before its task is looked for: it must not run again. An earlier
 * guest's start, and one that failed, don't count. */
Test(lifecycle, start_whose_answer_is_lost_is_done_when_it_has_run_already)
{
#define LOST { "POST " GUEST "/status/start ", 0, .outcome = HTTPS_LOST, .reason = "lost" }
#define STARTS                                                                                   \
	{                                                                                        \
		"GET /nodes/pve1/tasks?vmid=200104&typefilter=vzstart&source=all&limit=50", 200, \
			"{\"data\":[{\"upid\":\"" UPID("vzstart") "\",\"endtime\":1755427600}]}" \
	}
	journal.upid = "UPID:pve1:00001233:0012D600:68A1B2C0:vzcreate:200104:ctrctl@pve!ctrl:";
	save();
	SCRIPT(LOOK("stopped"), OURS, LOST, STARTS, ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();

	SCRIPT(LOOK("stopped"), OURS, LOST, STARTS, ENDED("vzstart", "no such disk"),
		LOG("vzstart", ""), LOOK("stopped"), OURS,
		BEGUN("POST " GUEST "/status/start ", "vzstart"), ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();

	journal.upid = "UPID:pve1:00001235:0012D700:68A1B2C9:vzcreate:200104:ctrctl@pve!ctrl:";
	save();
	SCRIPT(LOOK("stopped"), OURS, LOST, STARTS, LOOK("stopped"), OURS,
		BEGUN("POST " GUEST "/status/start ", "vzstart"), ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, one_that_was_never_made_whole_is_not_acted_upon)
{
	for (int phase = GUEST_INTENT; phase < GUEST_MADE; phase++) {
		journal.phase = phase;
		save();
		script_begin(NULL, 0);
		cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
		cr_assert_eq(err.code, ERR_STATE);
		EXPECT_HINT("create it again");
		cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, false, &err), -1);
		cr_assert_eq(err.code, ERR_STATE);
		cr_assert_eq(script.asked, 0);
	}
}

Test(lifecycle, start_whose_worker_was_killed_is_tried_once_more)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "unexpected status"), LOG("vzstart", ""), LOOK("stopped"), OURS,
		BEGUN("POST " GUEST "/status/start ", "vzstart"),
		ENDED("vzstart", "unexpected status"), LOG("vzstart", ""));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), -1);
	EXPECT_SAID("unexpected status");
	SCRIPT_ENDS();
}

/* ---- signals ---- */

Test(lifecycle, term_asks_it_to_shut_down_and_does_not_wait)
{
	SCRIPT(LOOK("running"), LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/shutdown timeout=60", "vzshutdown"),
		RUNS("vzshutdown"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGTERM, false, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_SHUTDOWN);
	SCRIPT_ENDS();
}

Test(lifecycle, shutdown_that_fails_at_once_is_an_error)
{
	SCRIPT(LOOK("running"), LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/shutdown timeout=60", "vzshutdown"),
		ENDED("vzshutdown", "something broke"), ENDED("vzshutdown", "something broke"),
		LOG("vzshutdown", ""));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGTERM, false, &err), -1);
	EXPECT_SAID("something broke");
	SCRIPT_ENDS();
}

Test(lifecycle, kill_stops_at_once_over_a_shutdown)
{
	SCRIPT(LOOK("running"), LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/stop overrule-shutdown=1", "vzstop"),
		ENDED("vzstop", "OK"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, true, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_KILLED);
	SCRIPT_ENDS();
}

Test(lifecycle, kill_ends_a_shutdown_by_itself_where_the_server_can_not)
{
	SCRIPT(LOOK("running"), LOOK("running"), OURS,
		{ "POST " GUEST "/status/stop overrule-shutdown=1", 400,
			"{\"data\":null,\"message\":\"Parameter verification failed.\\n\","
			"\"errors\":{\"overrule-shutdown\":\"property is not defined in schema and "
			"the schema does not allow additional properties\"}}" },
		{ "GET /nodes/pve1/tasks?vmid=200104&typefilter=vzshutdown&source=all&limit=50",
			200, "{\"data\":[{\"upid\":\"" UPID("vzshutdown") "\"}]}" },
		{ "DELETE " UPID_PATH("vzshutdown"), 200, "{\"data\":null}" }, LOOK("running"),
		OURS, BEGUN("POST " GUEST "/status/stop ", "vzstop"), ENDED("vzstop", "OK"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, true, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_KILLED);
	SCRIPT_ENDS();
}

Test(lifecycle, all_signals_that_end_a_system_shut_it_down)
{
	const int ends[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPWR, 37, 38 };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		SCRIPT(LOOK("running"), LOOK("running"), OURS,
			BEGUN("POST " GUEST "/status/shutdown timeout=60", "vzshutdown"),
			RUNS("vzshutdown"));
		cr_assert_eq(proxmox_signal(&rec, dir_fd, ends[i], false, &err), 0, "%d: %s",
			ends[i], said());
	}
}

Test(lifecycle, other_signals_are_refused_before_the_server_is_asked)
{
	const int others[] = { SIGUSR1, SIGCHLD, SIGSTOP, SIGCONT, 36, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		script_begin(NULL, 0);
		cr_assert_eq(proxmox_signal(&rec, dir_fd, others[i], false, &err), -1);
		cr_assert_eq(err.code, ERR_UNSUPPORTED);
		EXPECT_HINT("TERM, INT, QUIT, HUP");
		cr_assert_eq(script.asked, 0);
	}
}

Test(lifecycle, signal_0_only_looks)
{
	SCRIPT(LOOK("running"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, 0, false, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, nothing_that_runs_is_nothing_to_signal)
{
	SCRIPT(LOOK("stopped"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, false, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
}

/* ERR_STATE would be read as "it doesn't run". */
/* What the server has refused is no way in which it ended later. */
Test(lifecycle, a_stop_that_is_refused_is_not_noted)
{
#define REFUSED(status, words)                                      \
	{ "POST " GUEST "/status/stop overrule-shutdown=1", status, \
		"{\"data\":null,\"message\":\"" words "\\n\"}" }
	SCRIPT(LOOK("running"), LOOK("running"), OURS, REFUSED(403, "Permission check failed"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, false, &err), -1);
	cr_assert_eq(stopped_by(), GUEST_NOT_STOPPED);
	SCRIPT_ENDS();

	/* Of this nobody knows what it did. */
	SCRIPT(LOOK("running"), LOOK("running"), OURS, REFUSED(500, "the moon is full"));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, false, &err), -1);
	cr_assert_eq(stopped_by(), GUEST_KILLED);
	SCRIPT_ENDS();
}

Test(lifecycle, a_lock_is_not_taken_for_an_ended_guest)
{
	cfg.stop_s = 0;
	SCRIPT(LOOK("running"), LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/stop overrule-shutdown=1", "vzstop"),
		ENDED("vzstop", "CT is locked (backup)"), LOG("vzstop", ""));
	cr_assert_eq(proxmox_signal(&rec, dir_fd, SIGKILL, true, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	EXPECT_SAID("CT is locked (backup)");
	EXPECT_HINT("another operation");
}

/* ---- stop ---- */

Test(lifecycle, stop_gives_it_its_grace_and_the_server_the_rest)
{
	SCRIPT(LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/shutdown timeout=2&forceStop=1", "vzshutdown"),
		RUNS("vzshutdown"), ENDED("vzshutdown", "OK"));
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 1500, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_SHUTDOWN);
	SCRIPT_ENDS();
}

Test(lifecycle, stop_that_took_all_of_its_grace_was_by_force)
{
	SCRIPT(LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/shutdown timeout=1&forceStop=1", "vzshutdown"),
		RUNS("vzshutdown"), RUNS("vzshutdown"), RUNS("vzshutdown"), RUNS("vzshutdown"),
		ENDED("vzshutdown", "OK"));
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 1000, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_KILLED);
}

Test(lifecycle, stop_without_grace_is_at_once)
{
	SCRIPT(LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/stop overrule-shutdown=1", "vzstop"),
		ENDED("vzstop", "OK"));
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 0, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, stop_goes_on_by_force_when_it_did_not_stop)
{
	SCRIPT(LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/shutdown timeout=1&forceStop=1", "vzshutdown"),
		ENDED("vzshutdown", "container did not stop"), LOG("vzshutdown", ""),
		LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/stop overrule-shutdown=1", "vzstop"),
		ENDED("vzstop", "OK"));
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 1000, &err), 0, "%s", said());
	cr_assert_eq(stopped_by(), GUEST_KILLED);
	SCRIPT_ENDS();
}

Test(lifecycle, stop_of_what_is_gone_is_done)
{
	SCRIPT(NOWHERE);
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 1000, &err), 0, "%s", said());
}

Test(lifecycle, stop_by_a_login_that_may_not_is_an_error_at_once)
{
	SCRIPT(LOOK("running"), OURS,
		{ "POST " GUEST "/status/shutdown timeout=1&forceStop=1", 403,
			"{\"data\":null,\"message\":\"Permission check failed (/vms/200104, "
			"VM.PowerMgmt)\\n\"}" });
	cr_assert_eq(proxmox_stop(&rec, dir_fd, 1000, &err), -1);
	cr_assert_eq(err.code, ERR_DENIED);
	SCRIPT_ENDS();
}

/* ---- status ---- */

Test(lifecycle, status_of_one_that_was_never_started_is_created)
{
	enum ctr_status status;

	SCRIPT(LOOK("stopped"));
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_CREATED);
	SCRIPT_ENDS();
}

Test(lifecycle, status_of_one_that_was_started_is_running_or_stopped)
{
	enum ctr_status status;

	rec.phase = CTR_RUNNING;
	SCRIPT(LOOK("running"), LOOK("stopped"));
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_RUNNING);
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_STOPPED);
	SCRIPT_ENDS();
}

Test(lifecycle, status_of_one_that_is_gone_is_stopped)
{
	enum ctr_status status;

	SCRIPT(NOWHERE);
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_STOPPED);
}

Test(lifecycle, status_is_not_that_of_a_stranger_with_its_number)
{
	enum ctr_status status;

	SCRIPT({ "GET " GUEST "/status/current", 200, CURRENT("running", "web") },
		{ "GET " GUEST "/config", 200, OTHERS });
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_STOPPED);
	SCRIPT_ENDS();
}

Test(lifecycle, status_goes_by_the_description_when_the_tags_were_taken_away)
{
	enum ctr_status status;

	SCRIPT({ "GET " GUEST "/status/current", 200, CURRENT("running", "") }, OURS);
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_RUNNING);
	SCRIPT_ENDS();
}

Test(lifecycle, status_of_a_server_that_is_off_is_an_error)
{
	enum ctr_status status;

	SCRIPT({ NULL, 0, .outcome = HTTPS_UNREACHED, .reason = "refused", .repeats = -1 });
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
}

Test(lifecycle, status_follows_a_migration)
{
	enum ctr_status status;

	SCRIPT({ "GET " GUEST "/status/current", 500,
		       "{\"data\":null,\"message\":\"Configuration file "
		       "'nodes/pve1/lxc/200104.conf' does not exist\\n\"}" },
		{ "GET /cluster/resources?type=vm", 200,
			"{\"data\":[{\"vmid\":\"200104\",\"type\":\"lxc\",\"node\":\"pve2\"}]}" },
		{ "GET /nodes/pve2/lxc/200104/status/current", 200, CURRENT("running", TAG) });
	cr_assert_eq(proxmox_status(&rec, dir_fd, &status, &err), 0, "%s", said());
	cr_assert_eq(status, CTR_RUNNING);
	SCRIPT_ENDS();
}

/* Else each verb would look for it anew. */
Test(lifecycle, what_is_done_after_a_migration_notes_the_node)
{
	SCRIPT({ "GET " GUEST "/status/current", 500,
		       "{\"data\":null,\"message\":\"Configuration file "
		       "'nodes/pve1/lxc/200104.conf' does not exist\\n\"}" },
		{ "GET /cluster/resources?type=vm", 200,
			"{\"data\":[{\"vmid\":\"200104\",\"type\":\"lxc\",\"node\":\"pve2\"}]}" },
		{ "GET /nodes/pve2/lxc/200104/status/current", 200, CURRENT("stopped", TAG) },
		{ "GET /nodes/pve2/lxc/200104/config", 200, CONFIG },
		BEGUN("POST /nodes/pve2/lxc/200104/status/start ", "vzstart"),
		ENDED("vzstart", "OK"));
	cr_assert_eq(proxmox_start(&rec, dir_fd, NULL, NULL, &err), 0, "%s", said());
	SCRIPT_ENDS();
	cr_assert_eq(guest_load(dir_fd, arena, &journal, &err), 1);
	cr_assert_str_eq(journal.node, "pve2");
}

/* ---- update ---- */

#define CHANGED                                                                                           \
	{                                                                                                 \
		NULL, 500,                                                                                \
			"{\"data\":null,\"message\":\"detected modified configuration - file changed by " \
			"other user? Try again.\\n\"}"                                                    \
	}

static int64_t memory_limit = 256 << 20;
static struct oci_memory memory = { .limit = &memory_limit };
static const struct oci_resources resources = { .memory = &memory };

Test(lifecycle, update_follows_one_that_moves_after_the_look)
{
#define GONE_FROM(path)                                                                         \
	{ "GET " GUEST path, 500,                                                               \
		"{\"data\":null,\"message\":\"Configuration file 'nodes/pve1/lxc/200104.conf' " \
		"does not exist\\n\"}" }
	SCRIPT(LOOK("stopped"), GONE_FROM("/config"), GONE_FROM("/status/current"),
		{ "GET /cluster/resources?type=vm", 200,
			"{\"data\":[{\"vmid\":200104,\"type\":\"lxc\",\"node\":\"pve2\"}]}" },
		{ "GET /nodes/pve2/lxc/200104/status/current", 200, CURRENT("stopped", TAG) },
		{ "GET /nodes/pve2/lxc/200104/config", 200, CONFIG },
		{ "PUT /nodes/pve2/lxc/200104/config memory=256&digest=d1", 200,
			"{\"data\":null}" });
	cr_assert_eq(proxmox_update(&rec, dir_fd, &resources, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, update_is_one_put_with_the_digest_of_what_it_goes_by)
{
	SCRIPT(LOOK("running"), OURS, { NULL, 200, "{\"data\":null}" });
	cr_assert_eq(proxmox_update(&rec, dir_fd, &resources, &err), 0, "%s", said());
	cr_assert(str_starts(script.asks[2], "PUT " GUEST "/config memory=256"), "%s",
		script.asks[2]);
	cr_assert(strstr(script.asks[2], "digest=d1"));
	SCRIPT_ENDS();
}

Test(lifecycle, update_goes_by_the_new_configuration_when_it_was_changed_meanwhile)
{
	SCRIPT(LOOK("running"), OURS, CHANGED, LOOK("running"), OURS,
		{ NULL, 200, "{\"data\":null}" });
	cr_assert_eq(proxmox_update(&rec, dir_fd, &resources, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

/* What was waited for doesn't count as a change. */
Test(lifecycle, update_goes_by_the_new_configuration_after_a_lock)
{
#define LOCKED_ONCE                                        \
	LOOK("running"), OURS,                             \
		{ NULL, 500,                               \
			"{\"data\":null,\"message\":\"CT " \
			"is locked (backup)\\n\"}" }
	SCRIPT(LOCKED_ONCE, LOCKED_ONCE, LOCKED_ONCE, LOCKED_ONCE, LOCKED_ONCE, LOOK("running"),
		OURS, CHANGED, LOOK("running"), OURS, { NULL, 200, "{\"data\":null}" });
	cr_assert_eq(proxmox_update(&rec, dir_fd, &resources, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(lifecycle, update_that_can_not_be_done_while_it_runs_says_why)
{
	SCRIPT(LOOK("running"), OURS,
		{ NULL, 400,
			"{\"data\":null,\"message\":\"Parameter verification failed.\\n\","
			"\"errors\":{\"memory\":\"unable to hotplug memory: in use\"}}" });
	cr_assert_eq(proxmox_update(&rec, dir_fd, &resources, &err), -1);
	EXPECT_SAID("unable to hotplug memory: in use");
	EXPECT_HINT("running guest");
	SCRIPT_ENDS();
}
