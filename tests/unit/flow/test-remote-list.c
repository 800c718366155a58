/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that live on a server: in the list, those that come from there, and whom that is asked
 * of. */
#include "remote-box.h"

#include "base/str.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(remote_list, .init = setup, .fini = teardown);

/* ---- list ---- */

static char listed[1024];
static int stop_after;

static int note_one(void *arg, const struct ctr_listed *one, struct err *e)
{
	size_t n = strlen(listed);

	(void)arg;
	snprintf(listed + n, sizeof(listed) - n, "%s %s %s%s, ", one->rec->id,
		ctr_status_name((int)one->status), one->place ? one->place : "-",
		one->stray ? " stray" : "");
	if (stop_after && --stop_after == 0)
		return err_set(e, ERR_SYSTEM, NULL, "enough");
	return 0;
}

static const char *list(void)
{
	*listed = '\0';
	err = (struct err)ERR_INIT;
	cr_assert_eq(ctr_list(engine, note_one, NULL, &err), 0, "%s", said());
	return listed;
}

Test(remote_list, the_list_has_all_in_the_order_of_their_ids)
{
	struct ctr_container *c = make_near("m"), *d = make_near("z");

	cr_assert(c && d, "%s", said());
	made("n");
	made("a");
	far_guest("a")->up = true;
	far_add("b", true);
	cr_assert_str_eq(list(),
		"a running far/1, b running far/2 stray, m created -, n created far/1, z created -, ");
	cr_assert_eq(far.surveyed, 1);
	cr_assert_eq(far.asked, 0, "each was asked for by itself");
	cr_assert(ctr_container_delete(c, true, &err) == 0 &&
		  ctr_container_delete(d, true, &err) == 0);
	ctr_container_close(c);
	ctr_container_close(d);
}

static void list_it(void)
{
	cr_assert_str_eq(list(), "db1 created far/1, ");
}

Test(remote_list, one_that_is_being_started_is_listed_as_created)
{
	struct ctr_container *c = make("db1");

	far.before = list_it;
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	ctr_container_close(c);
	cr_assert_str_eq(list(), "db1 running far/1, ");
}

Test(remote_list, a_list_ends_where_the_caller_has_enough)
{
	made("a");
	made("b");
	stop_after = 1;
	cr_assert_eq(ctr_list(engine, note_one, NULL, &err), -1);
	cr_assert_str_eq(listed, "a created far/1, ");
}

Test(remote_list, a_server_that_does_not_answer_costs_the_status_only)
{
	made("a");
	far.fails = "survey";
	cr_assert_str_eq(list(), "a unknown -, ");
	cr_assert(strstr(logged(), "list: proxmox: survey fails as told"), "%s", logged());
}

Test(remote_list, settings_that_are_broken_cost_the_status_only)
{
	made("a");
	ctr_engine_close(engine);
	write_file(dir, "settings", "{\"proxmox\":7}");
	engine = engine_new(NULL);
	cr_assert_str_eq(list(), "a unknown -, ");
	cr_assert(strstr(logged(), "list: proxmox: "), "%s", logged());
}

Test(remote_list, without_a_server_nothing_is_asked_for)
{
	write_file(dir, "settings", "{}");
	cr_assert_str_eq(list(), "");
	cr_assert_eq(far.opened + far.surveyed, 0);
	cr_assert_str_eq(logged(), "");
}

Test(remote_list, half_made_ones_are_listed_as_what_they_are)
{
	int lock;

	half_made("db1");
	cr_assert_str_eq(list(), "db1 stopped far/1, first created far/1, ");
	lock = lock_folder("db1");
	cr_assert_str_eq(list(), "db1 creating far/1, first created far/1, ");
	close(lock);
}

Test(remote_list, a_broken_record_is_complained_of_and_is_no_stray)
{
	_free_ char *folder = strf("%s/guests/db1", data);

	made("db1");
	made("db2");
	write_file(folder, "state.json", "{");
	cr_assert_str_eq(list(), "db2 created far/1, ");
	cr_assert(strstr(logged(), "list: db1: "), "%s", logged());
}

static void make_another(void)
{
	made("late");
}

Test(remote_list, what_is_made_during_the_look_is_no_stray)
{
	made("a");
	far.before = make_another;
	cr_assert_str_eq(list(), "a created far/1, ");
	cr_assert_str_eq(list(), "a created far/1, late created far/1, ");
}

Test(remote_list, a_stray_does_not_hide_a_container_of_this_kernels)
{
	struct ctr_container *c = make_near("web1");

	far_add("web1", true);
	cr_assert_str_eq(list(), "web1 created -, web1 running far/2 stray, ");
	cr_assert(c && ctr_container_delete(c, true, &err) == 0);
	ctr_container_close(c);
}

/* ---- adopt ---- */

Test(remote_list, a_stray_is_taken_on_record)
{
	far_add("db1", true);
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), 0, "%s", said());
	cr_assert(strstr(record_text("db1"), "\"guest\":\"105\""), "%s", record_text("db1"));
	cr_assert(strstr(record_text("db1"), "\"backend\":\"proxmox\""), "%s", record_text("db1"));
	cr_assert_str_eq(list(), "db1 running far/1, ");
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_EXISTS);
	cr_assert_eq(delete ("db1", true), 0, "%s", said());
}

Test(remote_list, what_is_not_found_leaves_no_folder)
{
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	cr_assert_not(there(data, "guests/db1"));
	far.fails = "find";
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_not(there(data, "guests/db1"));
}

static void spoil_its_folder(void)
{
	_free_ char *path = strf("%s/guests/db1/state.json", data);

	cr_assert_eq(mkdir(path, 0700), 0);
}

Test(remote_list, what_cannot_be_written_down_is_not_adopted)
{
	far_add("db1", true);
	list(); /* opens the context */
	far.before = spoil_its_folder;
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_SYSTEM, "%s", said());
	cr_assert_not(there(data, "guests/db1"));
	cr_assert(far_guest("db1"), "it was destroyed");
}

Test(remote_list, a_stray_with_the_id_of_a_container_here_is_not_adopted)
{
	struct ctr_container *c = make_near("web1");

	far_add("web1", true);
	cr_assert_eq(ctr_adopt(engine, "proxmox", "web1", &err), -1);
	cr_assert_eq(err.code, ERR_STATE, "%s", said());
	cr_assert_not(there(data, "guests/web1"));
	cr_assert(c && ctr_container_delete(c, true, &err) == 0);
	ctr_container_close(c);
}

Test(remote_list, only_a_servers_containers_are_adopted)
{
	cr_assert_eq(ctr_adopt(engine, "native", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert_eq(ctr_adopt(engine, "proxmox", "../x", &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(ctr_adopt(engine, "nobody", "db1", &err), -1);
}

/* ---- contexts ---- */

Test(remote_list, the_context_is_opened_once_and_closed)
{
	made("a");
	made("b");
	list();
	cr_assert_eq(delete ("a", true), 0);
	cr_assert_eq(far.opened, 1);
	cr_assert_eq(far.closed, 0);
	engine = ctr_engine_close(engine);
	cr_assert_eq(far.closed, 1);
}

Test(remote_list, this_kernels_containers_open_no_context)
{
	struct ctr_container *c = make_near("web1");

	cr_assert(c && ctr_container_delete(c, true, &err) == 0, "%s", said());
	ctr_container_close(c);
	cr_assert_eq(far.opened, 0);
}

Test(remote_list, a_credential_is_passed_on)
{
	const int fd = 42;

	made("a");
	cr_assert_eq(far.credential, FD_NONE);
	ctr_engine_close(engine);
	engine = engine_new(&fd);
	made("b");
	cr_assert_eq(far.credential, 42);
}

Test(remote_list, a_context_that_fails_is_tried_again)
{
	far.fails = "open";
	cr_assert_null(make("a"));
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_not(there(data, "guests"));
	far.fails = NULL;
	made("a");
	cr_assert_eq(far.opened, 2);
}

Test(remote_list, broken_settings_are_the_error)
{
	write_file(dir, "settings", "{\"proxmox\":7}");
	cr_assert_null(make("a"));
	cr_assert_eq(err.code, ERR_INVALID, "%s", said());
	cr_assert_eq(far.opened, 0);
}

static void keep_report(
	void *arg, enum ctr_finding f, const char *what, const char *text, const char *hint)
{
	(void)hint;
	snprintf(arg, 64, "%d %s %s", (int)f, what, text);
}

Test(remote_list, a_diagnosis_is_the_backends)
{
	char text[64] = "";
	const struct ctr_report report = { keep_report, text };

	cr_assert_eq(ctr_diagnose(engine, "proxmox", &report, &err), 0, "%s", said());
	cr_assert_str_eq(text, "0 token is one");
	cr_assert_eq(ctr_diagnose(engine, "native", &report, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
}
