/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a guest, and what is known of it, over a server that knows its lines. */
#include "base/fd.h"
#include "base/proc.h"
#include "base/sys.h"
#include "lifecycle.h"

#include <signal.h>
#include <sys/wait.h>

TestSuite(destroy, .init = setup, .fini = teardown);

/* ---- destroy ---- */

#define DELETE_ASK "DELETE " GUEST "?purge=1&force=1&destroy-unreferenced-disks=0"
#define IS_FREE                                                                 \
	{                                                                       \
		"GET /cluster/nextid?vmid=200104", 200, "{\"data\":\"200104\"}" \
	}

Test(destroy, looks_whose_it_is_right_before)
{
	SCRIPT(LOOK("stopped"), OURS, BEGUN(DELETE_ASK, "vzdestroy"), ENDED("vzdestroy", "OK"));
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(destroy, stops_what_runs_and_looks_again)
{
	SCRIPT(LOOK("running"), OURS, LOOK("running"), OURS,
		BEGUN("POST " GUEST "/status/stop overrule-shutdown=1", "vzstop"),
		ENDED("vzstop", "OK"), LOOK("stopped"), OURS, BEGUN(DELETE_ASK, "vzdestroy"),
		ENDED("vzdestroy", "OK"));
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(destroy, of_what_is_gone_is_done_when_its_number_is_free)
{
	SCRIPT(NOWHERE, IS_FREE);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(destroy, does_not_take_what_it_may_not_see_for_gone)
{
#define TAKEN                                                                       \
	{ "GET /cluster/nextid?vmid=200104", 400,                                   \
		"{\"data\":null,\"message\":\"Parameter verification failed.\\n\"," \
		"\"errors\":{\"vmid\":\"CT 200104 already exists\"}}" }
#define NOT_SEEN                                                       \
	{                                                              \
		"GET /cluster/resources?type=vm", 200, "{\"data\":[]}" \
	}
	SCRIPT(NOWHERE, TAKEN, NOT_SEEN, NOWHERE, TAKEN, NOT_SEEN, NOWHERE, TAKEN, NOT_SEEN,
		NOWHERE, TAKEN, NOT_SEEN);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	EXPECT_SAID("its VMID is in use");
	SCRIPT_ENDS();
}

Test(destroy, is_done_when_a_virtual_machine_has_the_number)
{
	SCRIPT(NOWHERE, TAKEN,
		{ "GET /cluster/resources?type=vm", 200,
			"{\"data\":[{\"type\":\"qemu\",\"vmid\":200104,\"node\":\"pve2\"}]}" });
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

/* 403 for ever: only whoever gives the right can tell. */
Test(destroy, of_what_it_may_not_see_says_what_helps)
{
	SCRIPT({ "GET " GUEST "/status/current", 403,
		       "{\"data\":null,\"message\":\"Permission check failed (/vms/200104, "
		       "VM.Audit)\\n\"}" },
		TAKEN);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), -1);
	cr_assert_eq(err.code, ERR_DENIED);
	EXPECT_HINT("pveum acl modify /vms/200104 --roles PVEAuditor");
	SCRIPT_ENDS();
}

Test(destroy, refuses_when_only_the_tags_are_ours)
{
	SCRIPT(LOOK("stopped"), { "GET " GUEST "/config", 200, EDITED });
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	EXPECT_SAID("it isn't touched");
	EXPECT_HINT("docs/proxmox.md");
	SCRIPT_ENDS();
}

Test(destroy, refuses_what_is_protected_and_lets_it_run)
{
	SCRIPT(LOOK("running"),
		{ "GET " GUEST "/config", 200, CONFIG_OF(ID, "200104", ",\"protection\":\"1\"") });
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	EXPECT_HINT("--protection 0");
	SCRIPT_ENDS();
}

Test(destroy, of_nothing_that_was_begun_is_done)
{
	unlinkat(dir_fd, "guest.json", 0);
	rec.guest = NULL;
	script_begin(NULL, 0);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	save();
}

Test(destroy, says_what_a_stale_lock_needs)
{
	SCRIPT(LOOK("stopped"), OURS,
		{ DELETE_ASK, 500, "{\"data\":null,\"message\":\"CT is locked (destroyed)\\n\"}" },
		{ NULL, 200, "{\"data\":[]}", .repeats = 3 });
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	EXPECT_HINT("pct unlock 200104");
	SCRIPT_ENDS();
}

Test(destroy, whose_answer_is_lost_looks_before_it_asks_again)
{
	SCRIPT(LOOK("stopped"), OURS, { DELETE_ASK, 0, .outcome = HTTPS_LOST, .reason = "lost" },
		{ "GET /nodes/pve1/tasks?vmid=200104&typefilter=vzdestroy&source=all&limit=50", 200,
			"{\"data\":[]}" },
		NOWHERE, IS_FREE);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

/* Meanwhile it may have become somebody else's. */
Test(destroy, looks_again_before_each_try)
{
	SCRIPT(LOOK("stopped"), OURS,
		{ DELETE_ASK, 500,
			"{\"data\":null,\"message\":\"cluster not ready - no quorum?\\n\"}" },
		LOOK("stopped"), OURS,
		{ DELETE_ASK, 500,
			"{\"data\":null,\"message\":\"can't lock file 'x' - got timeout\\n\"}" },
		LOOK("stopped"), OURS, { DELETE_ASK, 595, "" }, LOOK("stopped"), OURS,
		BEGUN(DELETE_ASK, "vzdestroy"), ENDED("vzdestroy", "OK"));
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(destroy, ends_the_process_that_stood_for_it_and_no_other)
{
	char boot[PROC_BOOT_ID_MAX];
	struct proc_stat st;
	pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	cr_assert_eq(proc_stat(child, &st, &err), 1);
	cr_assert_eq(proc_boot_id(boot, &err), 0);
	rec.pid = child;
	rec.boot_id = boot;
	rec.start_time = st.start_time + 1;
	SCRIPT(NOWHERE, IS_FREE, NOWHERE, IS_FREE);
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	usleep(200000); /* a SIGKILL would have been acted upon */
	cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "another process was killed");
	rec.start_time = st.start_time;
	cr_assert_eq(proxmox_destroy(&rec, dir_fd, &err), 0, "%s", said());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Not seen isn't gone: the login may have lost its rights. */
Test(destroy, one_without_a_journal_is_gone_only_when_its_number_is_free)
{
	enum ctr_status status;

	SCRIPT(NOT_SEEN, TAKEN, NOT_SEEN, NOT_SEEN, TAKEN, NOT_SEEN, NOT_SEEN, IS_FREE);
	cr_assert_eq(proxmox_destroy(&rec, FD_NONE, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	EXPECT_SAID("its VMID is in use");
	cr_assert_eq(proxmox_status(&rec, FD_NONE, &status, &err), -1);
	cr_assert_eq(proxmox_destroy(&rec, FD_NONE, &err), 0, "%s", said());
	SCRIPT_ENDS();
}

Test(destroy, one_without_a_journal_is_found_by_its_vmid_and_proved_all_the_same)
{
	unlinkat(dir_fd, "guest.json", 0);
	SCRIPT({ "GET /cluster/resources?type=vm", 200,
		       "{\"data\":[{\"vmid\":200104,\"type\":\"lxc\",\"node\":\"pve1\"}]}" },
		LOOK("stopped"), OURS, BEGUN(DELETE_ASK, "vzdestroy"), ENDED("vzdestroy", "OK"));
	cr_assert_eq(proxmox_destroy(&rec, FD_NONE, &err), 0, "%s", said());
	SCRIPT_ENDS();
	save();
}

/* ---- stats, end ---- */

Test(destroy, stats_are_what_the_server_tells_and_no_guesses)
{
	struct ctr_stats s;

	SCRIPT({ "GET " GUEST "/status/current", 200,
		"{\"data\":{\"status\":\"running\",\"cpu\":\"0.25\",\"cpus\":2,\"mem\":1048576,"
		"\"maxmem\":\"536870912\",\"swap\":0,\"netin\":1,\"netout\":2,\"diskread\":3,"
		"\"uptime\":60}}" });
	cr_assert_eq(proxmox_stats(&rec, dir_fd, &s, &err), 0, "%s", said());
	cr_assert_eq(s.cpu_permille, 500);
	cr_assert_eq(s.memory_bytes, 1048576);
	cr_assert_eq(s.memory_limit, 536870912);
	cr_assert_eq(s.swap_bytes, 0);
	cr_assert_eq(s.net_rx_bytes, 1);
	cr_assert_eq(s.net_tx_bytes, 2);
	cr_assert_eq(s.disk_read_bytes, 3);
	cr_assert_eq(s.disk_written_bytes, UINT64_MAX);
	cr_assert_eq(s.cpu_ns, UINT64_MAX);
	cr_assert_eq(s.pids, UINT64_MAX);
	cr_assert_eq(s.uptime_s, 60);
}

Test(destroy, stats_of_what_does_not_run_are_refused)
{
	struct ctr_stats s;

	SCRIPT(LOOK("stopped"));
	cr_assert_eq(proxmox_stats(&rec, dir_fd, &s, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
}

#define TASKS_ASK "GET /nodes/pve1/tasks?vmid=200104&source=all&limit=50"

Test(destroy, end_by_our_shutdown_is_0_and_its_time_the_tasks)
{
	struct ctr_exit end;

	journal.stopped_by = GUEST_SHUTDOWN;
	save();
	SCRIPT(LOOK("stopped"),
		{ TASKS_ASK, 200,
			"{\"data\":[{\"type\":\"vzshutdown\",\"starttime\":90,\"endtime\":100,"
			"\"status\":\"OK\"},{\"type\":\"vzstart\",\"starttime\":50}]}" });
	cr_assert_eq(proxmox_ended(&rec, dir_fd, &end, &err), 0, "%s", said());
	cr_assert_eq(end.code, 0);
	cr_assert_eq(end.reason, CTR_EXIT_COMPLETED);
	cr_assert_str_eq(end.finished, "1970-01-01T00:01:40.000000000Z");
}

Test(destroy, end_by_our_stop_is_137)
{
	struct ctr_exit end;

	journal.stopped_by = GUEST_KILLED;
	save();
	SCRIPT(LOOK("stopped"), { TASKS_ASK, 403, "{\"data\":null,\"message\":\"no\"}" });
	cr_assert_eq(proxmox_ended(&rec, dir_fd, &end, &err), 0, "%s", said());
	cr_assert_eq(end.code, 137);
	cr_assert_eq(end.signal, 9);
	cr_assert_null(end.finished);
}

Test(destroy, end_that_nobody_asked_for_is_unknown)
{
	struct ctr_exit end;

	/* The stop was before its last start. */
	SCRIPT(LOOK("stopped"),
		{ TASKS_ASK, 200,
			"{\"data\":[{\"type\":\"vzstart\",\"starttime\":150,\"endtime\":151},"
			"{\"type\":\"vzstop\",\"endtime\":100,\"status\":\"OK\"}]}" });
	cr_assert_eq(proxmox_ended(&rec, dir_fd, &end, &err), 0, "%s", said());
	cr_assert_eq(end.code, 255);
	cr_assert_eq(end.reason, CTR_EXIT_UNKNOWN);
	cr_assert_null(end.finished);
}

Test(destroy, end_of_an_earlier_guest_of_its_number_is_not_its_own)
{
	struct ctr_exit end;

	journal.upid = "UPID:pve1:00001233:0012D600:68A1B2C0:vzcreate:200104:ctrctl@pve!ctrl:";
	save();
	SCRIPT(LOOK("stopped"),
		{ TASKS_ASK, 200,
			"{\"data\":[{\"type\":\"vzstop\",\"starttime\":1755427510,\"endtime\":1755427515,"
			"\"status\":\"OK\"}]}" });
	cr_assert_eq(proxmox_ended(&rec, dir_fd, &end, &err), 0, "%s", said());
	cr_assert_eq(end.code, 255);
	cr_assert_null(end.finished);
}
