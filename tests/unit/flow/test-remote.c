/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that live on a server: how they are made, started, killed, removed. */
#include "remote-box.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(remote, .init = setup, .fini = teardown);

/* ---- where it is kept ---- */

Test(remote, records_are_kept_in_the_data_folder)
{
	made("db1");
	cr_assert(there(data, "guests/db1/state.json"));
	cr_assert_not(there(root, "db1"));
	cr_assert(strstr(record_text("db1"), "\"guest\":\"104\""), "%s", record_text("db1"));
	cr_assert(strstr(record_text("db1"), "\"team\":\"shop\""), "%s", record_text("db1"));
	cr_assert(noted("db1", "created"));
}

Test(remote, what_the_backend_put_into_the_record_outlives_its_call)
{
	struct ctr_container *c = make("db1");

	cr_assert(c, "%s", said());
	cr_assert_str_eq(ctr_container_record(c)->guest, "104");
	cr_assert(engine->guests.durable);
	cr_assert(c->box.durable, "its record isn't synced");
	ctr_container_close(c);
}

Test(remote, a_create_that_fails_leaves_nothing)
{
	far.fails = "create";
	cr_assert_null(make("db1"));
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_not(there(data, "guests/db1"));
	cr_assert_null(far_guest("db1"));
	cr_assert_eq(far.destroyed, 1);
}

Test(remote, a_check_that_fails_reserves_nothing)
{
	far.fails = "check";
	cr_assert_null(make("db1"));
	cr_assert_not(there(data, "guests"));
	cr_assert_eq(far.created, 0);
}

Test(remote, what_cannot_be_undone_keeps_its_record)
{
	struct ctr_container *c;

	far.fails = "destroy";
	far.why = ERR_TIMEOUT;
	c = make("db0");
	cr_assert(c);
	ctr_container_close(c);
	cr_assert_eq(delete ("db0", true), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	cr_assert(there(data, "guests/db0/state.json"));
}

Test(remote, an_id_is_one_containers_wherever_that_lives)
{
	struct ctr_container *c;

	made("a");
	cr_assert_null(make_near("a"));
	cr_assert_eq(err.code, ERR_EXISTS, "%s", said());
	cr_assert_not(there(root, "a"));
	cr_assert_null(make("a"));
	cr_assert_eq(err.code, ERR_EXISTS, "%s", said());
	c = make_near("b");
	cr_assert(c, "%s", said());
	cr_assert_null(make("b"));
	cr_assert_eq(err.code, ERR_EXISTS, "%s", said());
	cr_assert_not(there(data, "guests/b"));
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
	made("b");
}

Test(remote, a_record_in_the_wrong_store_is_refused)
{
	_free_ char *from = strf("%s/guests/db1", data), *to = strf("%s/db1", root);
	struct ctr_container *c = make_near("web1");

	made("db1");
	cr_assert_eq(rename(from, to), 0);
	cr_assert_null(open_it("db1", CTR_READ));
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert(strstr(said(), "isn't kept in the root folder"), "%s", said());
	cr_assert_eq(rename(to, from), 0);
	cr_assert_eq(delete ("db1", false), 0, "%s", said());
	cr_assert(c && ctr_container_delete(c, true, &err) == 0);
	ctr_container_close(c);
}

Test(remote, a_record_of_this_kernels_among_the_guests_is_refused)
{
	_free_ char *from = strf("%s/web1", root), *to = strf("%s/guests/web1", data);
	struct ctr_container *c = make_near("web1");

	made("db1");
	cr_assert(c && rename(from, to) == 0);
	cr_assert_null(open_it("web1", CTR_READ));
	cr_assert(strstr(said(), "isn't kept in <data>/guests"), "%s", said());
	cr_assert_eq(rename(to, from), 0);
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

/* ---- start ---- */

Test(remote, start_notes_the_phase_before)
{
	struct ctr_container *c = running("db1", CTR_READ);

	cr_assert_eq(far.phase, CTR_RUNNING);
	cr_assert(noted("db1", "running"));
	cr_assert_eq(status_of(c), CTR_RUNNING);
	ctr_container_close(c);
}

Test(remote, a_start_that_fails_is_taken_back)
{
	struct ctr_container *c = make("db1");

	far.fails = "start";
	far.why = ERR_DENIED;
	cr_assert_eq(ctr_container_start(c, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_DENIED, "the cause is lost: %s", said());
	cr_assert(noted("db1", "created"));
	cr_assert_eq(status_of(c), CTR_CREATED);
	far.fails = NULL;
	err = (struct err)ERR_INIT;
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	ctr_container_close(c);
}

static void remove_its_folder(void)
{
	_free_ char *folder = strf("%s/guests", data);
	_close_ int fd = open(folder, O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	cr_assert_eq(path_remove_tree(fd, "db1", &e), 0);
}

Test(remote, a_start_that_can_not_be_taken_back_counts)
{
	struct ctr_container *c = make("db1");

	far.fails = "start";
	far.why = ERR_DENIED;
	far.before = remove_its_folder;
	cr_assert_eq(ctr_container_start(c, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_DENIED, "%s", said());
	cr_assert(strstr(logged(), "its start failed can't be noted"), "%s", logged());
	cr_assert_eq(ctr_container_record(c)->phase, CTR_RUNNING);
	ctr_container_close(c);
}

/* It may have been carried out: then an end is one. */
Test(remote, a_start_in_doubt_counts_and_can_be_repeated)
{
	static const enum err_code doubts[] = { ERR_TIMEOUT, ERR_UNAVAILABLE };

	for (size_t i = 0; i < ARRAY_SIZE(doubts); i++) {
		struct ctr_container *c = make("db1");

		far.fails = "start";
		far.why = doubts[i];
		cr_assert_eq(ctr_container_start(c, NULL, &err), -1);
		ctr_container_close(c);
		far.fails = NULL;
		c = open_it("db1", CTR_READ);
		cr_assert_eq(status_of(c), CTR_STOPPED);
		far_guest("db1")->up = true;
		cr_assert_eq(status_of(c), CTR_RUNNING);
		far_guest("db1")->up = false;
		cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
		far_guest("db1")->up = false;
		ctr_container_close(c);
		c = open_it("db1", CTR_READ);
		cr_assert_eq(ctr_container_start(c, NULL, &err), -1, "it has run, and ended");
		ctr_container_close(c);
		cr_assert_eq(delete ("db1", false), 0, "%s", said());
	}
}

static enum ctr_status seen_meanwhile;

static void look_at_it(void)
{
	struct ctr_container *c = open_it("db1", CTR_READ);

	seen_meanwhile = status_of(c);
	ctr_container_close(c);
}

static void stop_it(void)
{
	struct ctr_container *c = open_it("db1", CTR_READ);

	cr_assert_eq(ctr_container_kill(c, SIGKILL, false, &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT, "%s", said());
	err = (struct err)ERR_INIT;
	cr_assert_eq(ctr_container_stop(c, 1500, &err), -1, "a stop that stops nothing");
	cr_assert_eq(err.code, ERR_TIMEOUT, "%s", said());
	err = (struct err)ERR_INIT;
	ctr_container_close(c);
}

Test(remote, one_that_is_being_started_has_not_stopped)
{
	struct ctr_container *c = make("db1");

	far.before = look_at_it;
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	cr_assert_eq(seen_meanwhile, CTR_CREATED);
	/* The lock alone says nothing: somebody may be about to delete it. */
	far_guest("db1")->up = false;
	look_at_it();
	cr_assert_eq(seen_meanwhile, CTR_STOPPED);
	ctr_container_close(c);
}

Test(remote, a_stop_during_a_start_is_not_taken_for_done)
{
	struct ctr_container *c = make("db1");

	far.before = stop_it;
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	cr_assert_eq(status_of(c), CTR_RUNNING);
	ctr_container_close(c);
}

Test(remote, start_of_one_that_has_stopped_is_refused)
{
	struct ctr_container *c = running("db1", CTR_CHANGE);

	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_start(c, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	cr_assert_eq(far.started, 1);
	ctr_container_close(c);
}

/* ---- kill ---- */

Test(remote, kill_reaches_what_runs)
{
	struct ctr_container *c = running("db1", CTR_READ);

	cr_assert_eq(ctr_container_kill(c, SIGUSR1, false, &err), 0, "%s", said());
	cr_assert_eq(far.signo, SIGUSR1);
	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_kill(c, SIGUSR1, false, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	cr_assert_eq(ctr_container_kill(c, SIGUSR1, true, &err), 0);
	cr_assert_eq(far.signalled, 1);
	ctr_container_close(c);
}

Test(remote, one_that_ends_before_the_signal_is_not_running)
{
	struct ctr_container *c = running("db1", CTR_READ);

	far.fails = "signal";
	far.why = ERR_STATE;
	cr_assert_eq(ctr_container_kill(c, SIGTERM, false, &err), -1);
	cr_assert_str_eq(said(), "container not running");
	cr_assert_eq(ctr_container_kill(c, SIGTERM, true, &err), 0);
	far.why = ERR_TIMEOUT;
	cr_assert_eq(ctr_container_kill(c, SIGTERM, true, &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	ctr_container_close(c);
}

Test(remote, a_created_one_that_is_killed_has_stopped)
{
	struct ctr_container *c;

	far.proxy = fork();
	if (far.proxy == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	made("db1");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert_eq(ctr_container_kill(c, 0, false, &err), 0);
	far.fails = "signal";
	far.why = ERR_UNSUPPORTED;
	cr_assert_eq(ctr_container_kill(c, SIGUSR1, false, &err), -1);
	cr_assert_eq(status_of(c), CTR_CREATED);
	far.fails = NULL;
	cr_assert_eq(ctr_container_kill(c, SIGTERM, false, &err), 0, "%s", said());
	cr_assert_eq(status_of(c), CTR_STOPPED);
	cr_assert(noted("db1", "running"));
	cr_assert_eq(far.signalled, 0);
	int how = 0;
	cr_assert_eq(waitpid(far.proxy, &how, 0), far.proxy);
	cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
	cr_assert_eq(ctr_container_delete(c, false, &err), 0, "%s", said());
	ctr_container_close(c);
}

Test(remote, a_kill_that_comes_with_a_start_reaches_what_runs)
{
	struct ctr_container *c;

	made("db1");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	far.before = start_it;
	cr_assert_eq(ctr_container_kill(c, SIGTERM, false, &err), 0, "%s", said());
	cr_assert_eq(far.signalled, 1);
	cr_assert_eq(far.signo, SIGTERM);
	ctr_container_close(c);
}

Test(remote, a_start_that_comes_with_a_kill_is_refused)
{
	struct ctr_container *starter, *killer;

	made("db1");
	starter = open_it("db1", CTR_READ);
	killer = open_it("db1", CTR_READ);
	cr_assert(starter && killer, "%s", said());
	cr_assert_eq(ctr_container_kill(killer, SIGKILL, false, &err), 0, "%s", said());
	ctr_container_close(killer);
	cr_assert_eq(ctr_container_start(starter, NULL, &err), -1);
	cr_assert_eq(err.code, ERR_STATE, "%s", said());
	cr_assert_eq(far.started, 0);
	ctr_container_close(starter);
}

/* ---- delete ---- */

Test(remote, delete_of_what_runs_needs_force)
{
	struct ctr_container *c = running("db1", CTR_CHANGE);

	cr_assert_eq(ctr_container_delete(c, false, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	ctr_container_close(c);
	cr_assert_eq(delete ("db1", true), 0, "%s", said());
	cr_assert_not(there(data, "guests/db1"));
	cr_assert_null(far_guest("db1"));
}

Test(remote, delete_goes_on_when_the_process_that_stood_for_it_is_dead)
{
	struct ctr_container *c;

	far.proxy = fork();
	if (far.proxy == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	c = running("db1", CTR_CHANGE);
	cr_assert_not(remote_proxy_killed(c));
	cr_assert_eq(ctr_container_delete(c, false, &err), -1);
	kill(far.proxy, SIGKILL);
	cr_assert_eq(waitpid(far.proxy, NULL, 0), far.proxy);
	cr_assert(remote_proxy_killed(c));
	write_file(data, "guests/db1/" CTR_PROXY_ENDED, "");
	cr_assert_not(remote_proxy_killed(c));
	cr_assert_eq(unlinkat(c->box.fd, CTR_PROXY_ENDED, 0), 0);
	/* A reboot ends it too, but nobody has asked for that: what runs isn't given up. */
	snprintf(engine->boot_id, sizeof(engine->boot_id), "11111111-2222-3333-4444-555555555555");
	cr_assert_not(remote_proxy_killed(c));
	*engine->boot_id = '\0';
	cr_assert_eq(ctr_container_delete(c, false, &err), 0, "%s", said());
	ctr_container_close(c);
}

/* ---- half-made and broken ones ---- */

Test(remote, a_half_made_one_whose_maker_died_has_stopped)
{
	struct ctr_container *c;

	half_made("db1");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert_eq(status_of(c), CTR_STOPPED);
	cr_assert_eq(far.asked, 0);
	ctr_container_close(c);
	cr_assert_eq(delete ("db1", false), 0, "%s", said());
	cr_assert_eq(far.phase, CTR_CREATING);
	cr_assert_not(there(data, "guests/db1"));
}

Test(remote, a_half_made_one_whose_maker_works_is_being_created)
{
	struct ctr_container *c;
	int lock;

	half_made("db1");
	lock = lock_folder("db1");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert_eq(status_of(c), CTR_CREATING);
	cr_assert_eq(ctr_container_kill(c, SIGKILL, true, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	cr_assert_eq(ctr_container_stop(c, 0, &err), -1);
	cr_assert_eq(ctr_container_delete(c, true, &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	ctr_container_close(c);
	close(lock);
}

Test(remote, a_broken_record_is_removed_by_force_only)
{
	_free_ char *folder = strf("%s/guests/db1", data);

	made("db1");
	write_file(folder, "state.json", "{");
	cr_assert_eq(delete ("db1", false), -1);
	cr_assert_eq(err.code, ERR_INVALID, "%s", said());
	cr_assert(far_guest("db1"));
	cr_assert_eq(delete ("db1", true), 0, "%s", said());
	cr_assert_eq(far.phase, CTR_CREATING);
	cr_assert_null(far_guest("db1"));
	cr_assert_not(there(data, "guests/db1"));
}

Test(remote, a_broken_record_stays_while_its_guest_does)
{
	_free_ char *folder = strf("%s/guests/db1", data);

	made("db1");
	write_file(folder, "state.json", "");
	far.fails = "destroy";
	cr_assert_eq(delete ("db1", true), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert(there(data, "guests/db1/state.json"));
}
