/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that live on a server: what flow does around the backend. */
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "ctrctl/cri.h"
#include "ctrctl/request.h"
#include "fake.h"
#include "far.h"
#include "flow/flow.h"
#include "flow/sandbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The settings' own names: no others can be routed to. */
static struct ctr_backend near;
static const struct ctr_backend *const backends[] = { &near, &far_backend, NULL };

static char dir[] = "/tmp/ctrctl-remote-XXXXXX";
static char root[64], data[64], settings[64], bundle[64];
static struct ctr_engine *engine;
static struct err err;
static int log_fd;

#define SERVER \
	"\"proxmox\":{\"endpoint\":\"https://pve.example\",\"tokenFile\":\"/etc/ctrctl/token\"}"

static void write_file(const char *folder, const char *name, const char *text)
{
	_free_ char *path = strf("%s/%s", folder, name);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0, "%s", path);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static struct ctr_engine *engine_new(const int *credential)
{
	const struct ctr_engine_options o = { .root = root,
		.data = data,
		.settings = settings,
		.backends = backends,
		.credential_fd = credential,
		.lock_timeout_ms = 20 };

	return ctr_engine_open(&o, &err);
}

static void setup(void)
{
	char path[128];

	near = fake_backend;
	near.name = "native";
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_stderr(log_fd);
	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(settings, sizeof(settings), "%s/settings", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	snprintf(path, sizeof(path), "%s/rootfs", bundle);
	cr_assert(mkdir(bundle, 0700) == 0 && mkdir(path, 0700) == 0);
	write_file(bundle, "config.json",
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
		"\"args\":[\"/bin/sleep\",\"50\"]},\"linux\":{\"namespaces\":[]}}");
	write_file(dir, "settings", "{" SERVER "}");
	engine = engine_new(NULL);
	cr_assert(engine);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	ctr_engine_close(engine);
	close(log_fd);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(remote, .init = setup, .fini = teardown);

/* ---- around ---- */

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static const char *logged(void)
{
	static char buf[4096];
	ssize_t n = pread(log_fd, buf, sizeof(buf) - 1, 0);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static struct ctr_container *make(const char *id)
{
	static struct ctr_pair pairs[] = { { "team", "shop" } };
	static const struct cri_container_config config = { .annotations = { pairs, 1 } };
	const struct ctr_create req = {
		.id = id, .backend = "proxmox", .wanted = &config, .attach = CTR_ATTACH_INIT
	};

	err = (struct err)ERR_INIT;
	return ctr_container_create(engine, &req, &err);
}

static void made(const char *id)
{
	struct ctr_container *c = make(id);

	cr_assert(c, "%s", said());
	ctr_container_close(c);
}

static struct ctr_container *make_near(const char *id)
{
	const struct ctr_create req = { .id = id, .bundle = bundle, .attach = CTR_ATTACH_INIT };

	err = (struct err)ERR_INIT;
	return ctr_container_create(engine, &req, &err);
}

static struct ctr_container *open_it(const char *id, enum ctr_access access)
{
	err = (struct err)ERR_INIT;
	return ctr_container_open(engine, id, access, &err);
}

static struct ctr_container *running(const char *id, enum ctr_access access)
{
	struct ctr_container *c = make(id);

	cr_assert(c, "%s", said());
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	ctr_container_close(c);
	c = open_it(id, access);
	cr_assert(c, "%s", said());
	return c;
}

static bool there(const char *folder, const char *name)
{
	_free_ char *path = strf("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

static const char *record_text(const char *id)
{
	static char buf[4096];
	_free_ char *path = strf("%s/guests/%s/state.json", data, id);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	cr_assert(n >= 0, "%s", path);
	buf[n] = '\0';
	return buf;
}

static bool noted(const char *id, const char *phase)
{
	_free_ char *want = strf("\"phase\":\"%s\"", phase);

	return strstr(record_text(id), want);
}

static enum ctr_status status_of(struct ctr_container *c)
{
	enum ctr_status s = CTR_STATUS_N;

	cr_assert_eq(ctr_container_status(c, &s, &err), 0, "%s", said());
	return s;
}

static int delete (const char *id, bool force)
{
	err = (struct err)ERR_INIT;
	return ctr_delete(engine, id, force, &err);
}

/* A record as a create that died has left it. */
static void half_made(const char *id)
{
	_free_ char *folder = strf("%s/guests/%s", data, id);
	_free_ char *text = strf(
		"{\"version\":1,\"id\":\"%s\",\"backend\":\"proxmox\",\"phase\":\"creating\",\"guest\":\"104\"}",
		id);

	made("first"); /* and with it the folder of all */
	cr_assert_eq(mkdir(folder, 0700), 0);
	write_file(folder, "state.json", text);
}

/* As another process would, for flocks belong to the open file. */
static int lock_folder(const char *id)
{
	_free_ char *folder = strf("%s/guests/%s", data, id);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	return fd;
}

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

static void start_it(void)
{
	struct ctr_container *c = open_it("db1", CTR_CHANGE);

	cr_assert(c && ctr_container_start(c, NULL, &err) == 0, "%s", said());
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

Test(remote, the_list_has_all_in_the_order_of_their_ids)
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

Test(remote, one_that_is_being_started_is_listed_as_created)
{
	struct ctr_container *c = make("db1");

	far.before = list_it;
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	ctr_container_close(c);
	cr_assert_str_eq(list(), "db1 running far/1, ");
}

Test(remote, a_list_ends_where_the_caller_has_enough)
{
	made("a");
	made("b");
	stop_after = 1;
	cr_assert_eq(ctr_list(engine, note_one, NULL, &err), -1);
	cr_assert_str_eq(listed, "a created far/1, ");
}

Test(remote, a_server_that_does_not_answer_costs_the_status_only)
{
	made("a");
	far.fails = "survey";
	cr_assert_str_eq(list(), "a unknown -, ");
	cr_assert(strstr(logged(), "list: proxmox: survey fails as told"), "%s", logged());
}

Test(remote, settings_that_are_broken_cost_the_status_only)
{
	made("a");
	ctr_engine_close(engine);
	write_file(dir, "settings", "{\"proxmox\":7}");
	engine = engine_new(NULL);
	cr_assert_str_eq(list(), "a unknown -, ");
	cr_assert(strstr(logged(), "list: proxmox: "), "%s", logged());
}

Test(remote, without_a_server_nothing_is_asked_for)
{
	write_file(dir, "settings", "{}");
	cr_assert_str_eq(list(), "");
	cr_assert_eq(far.opened + far.surveyed, 0);
	cr_assert_str_eq(logged(), "");
}

Test(remote, half_made_ones_are_listed_as_what_they_are)
{
	int lock;

	half_made("db1");
	cr_assert_str_eq(list(), "db1 stopped far/1, first created far/1, ");
	lock = lock_folder("db1");
	cr_assert_str_eq(list(), "db1 creating far/1, first created far/1, ");
	close(lock);
}

Test(remote, a_broken_record_is_complained_of_and_is_no_stray)
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

Test(remote, what_is_made_during_the_look_is_no_stray)
{
	made("a");
	far.before = make_another;
	cr_assert_str_eq(list(), "a created far/1, ");
	cr_assert_str_eq(list(), "a created far/1, late created far/1, ");
}

Test(remote, a_stray_does_not_hide_a_container_of_this_kernels)
{
	struct ctr_container *c = make_near("web1");

	far_add("web1", true);
	cr_assert_str_eq(list(), "web1 created -, web1 running far/2 stray, ");
	cr_assert(c && ctr_container_delete(c, true, &err) == 0);
	ctr_container_close(c);
}

/* ---- adopt ---- */

Test(remote, a_stray_is_taken_on_record)
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

Test(remote, what_is_not_found_leaves_no_folder)
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

Test(remote, what_cannot_be_written_down_is_not_adopted)
{
	far_add("db1", true);
	list(); /* opens the context */
	far.before = spoil_its_folder;
	cr_assert_eq(ctr_adopt(engine, "proxmox", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_SYSTEM, "%s", said());
	cr_assert_not(there(data, "guests/db1"));
	cr_assert(far_guest("db1"), "it was destroyed");
}

Test(remote, a_stray_with_the_id_of_a_container_here_is_not_adopted)
{
	struct ctr_container *c = make_near("web1");

	far_add("web1", true);
	cr_assert_eq(ctr_adopt(engine, "proxmox", "web1", &err), -1);
	cr_assert_eq(err.code, ERR_STATE, "%s", said());
	cr_assert_not(there(data, "guests/web1"));
	cr_assert(c && ctr_container_delete(c, true, &err) == 0);
	ctr_container_close(c);
}

Test(remote, only_a_servers_containers_are_adopted)
{
	cr_assert_eq(ctr_adopt(engine, "native", "db1", &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert_eq(ctr_adopt(engine, "proxmox", "../x", &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(ctr_adopt(engine, "nobody", "db1", &err), -1);
}

/* ---- stop, wait, exit, stats ---- */

Test(remote, stop_is_the_backends)
{
	struct ctr_container *c = running("db1", CTR_READ);

	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 1);
	cr_assert_eq(far.grace_ms, 1500);
	cr_assert_eq(far.signalled, 0);
	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 1);
	ctr_container_close(c);
}

Test(remote, stop_of_a_created_one_asks_for_nothing)
{
	struct ctr_container *c;

	made("db1");
	c = open_it("db1", CTR_READ);
	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 0);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	ctr_container_close(c);
}

Test(remote, wait_asks_again_and_again_until_it_has_ended)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end = { 0 };

	far.asked = 0;
	far.ends_after = 4;
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), 1, "%s", said());
	cr_assert_eq(far.asked, 4);
	cr_assert_eq(end.code, 3);
	cr_assert_eq(end.reason, CTR_EXIT_ERROR);
	ctr_container_close(c);
}

static void start_and_end_it(void)
{
	start_it();
	far_guest("db1")->up = false;
}

Test(remote, a_wait_that_was_begun_before_the_start_ends)
{
	struct ctr_container *c;
	struct ctr_exit end = { 0 };

	made("db1");
	c = open_it("db1", CTR_READ);
	far.before = start_and_end_it;
	cr_assert_eq(ctr_container_wait(c, 1000 * FAR_POLL_MS, &end, &err), 1, "%s", said());
	cr_assert_eq(end.code, 3);
	ctr_container_close(c);
}

Test(remote, wait_asks_no_oftener_than_the_backend_allows)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end;

	far.asked = 0;
	cr_assert_eq(ctr_container_wait(c, 0, &end, &err), 0);
	cr_assert_eq(far.asked, 1);
	far.asked = 0;
	cr_assert_eq(ctr_container_wait(c, 5 * FAR_POLL_MS, &end, &err), 0);
	cr_assert_eq(far.asked, 6);
	ctr_container_close(c);
}

Test(remote, wait_ends_when_it_cannot_be_asked)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end;

	far.fails = "status";
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	far.fails = "ended";
	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), -1);
	ctr_container_close(c);
}

Test(remote, it_has_no_monitor_and_no_streams)
{
	struct ctr_container *c = running("db1", CTR_READ);
	int console = FD_NONE;

	cr_assert_null(ctr_container_monitor(c));
	cr_assert_eq(ctr_container_attach(c, &(struct ctr_streams){ 0 }, &console, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert(strstr(err.hint, "pct enter 104"), "%s", err.hint);
	ctr_container_close(c);
}

#define KEPT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void keep_request(void)
{
	_free_ char *all = strf("%s/containers", data), *folder = strf("%s/" KEPT, all);

	made("db1");
	cr_assert(mkdir(all, 0700) == 0 && mkdir(folder, 0700) == 0);
	write_file(folder, "container.json",
		"{\"version\":1,\"id\":\"" KEPT "\",\"name\":\"n\",\"sandboxId\":\"" KEPT
		"\",\"backend\":\"proxmox\",\"createdAt\":\"2026-01-01T00:00:00Z\"}");
}

Test(remote, one_that_only_its_request_is_left_of_has_ended)
{
	struct ctr_container *c;
	struct ctr_exit end = { 0 };

	keep_request();
	c = open_it(KEPT, CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert(c->only_kept);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	far.asked = 0;
	cr_assert_eq(ctr_container_exit(c, &end, &err), 1);
	cr_assert_eq(end.code, EXIT_UNKNOWN);
	cr_assert_eq(end.reason, CTR_EXIT_UNKNOWN);
	cr_assert_eq(far.asked, 0);
	ctr_container_close(c);
	cr_assert_eq(delete (KEPT, false), 0, "%s", said());
	cr_assert_not(there(data, "containers/" KEPT));
}

Test(remote, stats_are_of_what_runs)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_stats used;

	cr_assert_eq(ctr_container_stats(c, &used, &err), 0, "%s", said());
	cr_assert_eq(used.memory_bytes, 4096);
	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_stats(c, &used, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	ctr_container_close(c);
	c = make_near("web1");
	cr_assert_eq(ctr_container_stats(c, &used, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

/* ---- contexts ---- */

Test(remote, the_context_is_opened_once_and_closed)
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

Test(remote, this_kernels_containers_open_no_context)
{
	struct ctr_container *c = make_near("web1");

	cr_assert(c && ctr_container_delete(c, true, &err) == 0, "%s", said());
	ctr_container_close(c);
	cr_assert_eq(far.opened, 0);
}

Test(remote, a_credential_is_passed_on)
{
	const int fd = 42;

	made("a");
	cr_assert_eq(far.credential, FD_NONE);
	ctr_engine_close(engine);
	engine = engine_new(&fd);
	made("b");
	cr_assert_eq(far.credential, 42);
}

Test(remote, a_context_that_fails_is_tried_again)
{
	far.fails = "open";
	cr_assert_null(make("a"));
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_not(there(data, "guests"));
	far.fails = NULL;
	made("a");
	cr_assert_eq(far.opened, 2);
}

Test(remote, broken_settings_are_the_error)
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

Test(remote, a_diagnosis_is_the_backends)
{
	char text[64] = "";
	const struct ctr_report report = { keep_report, text };

	cr_assert_eq(ctr_diagnose(engine, "proxmox", &report, &err), 0, "%s", said());
	cr_assert_str_eq(text, "0 token is one");
	cr_assert_eq(ctr_diagnose(engine, "native", &report, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
}

/* ---- routes and pods ---- */

static const char *handler_for(const char *image)
{
	struct cri_image_spec spec = { .image = image };
	const struct cri_container_config config = { .image = &spec };
	const struct cri_pod_sandbox_config pod = { 0 };
	const char *handler = "?";

	cr_assert_eq(
		ctr_request_handler(engine, &config, &pod, NULL, &handler, &err), 0, "%s", said());
	return handler ? handler : "default";
}

Test(remote, the_handler_suits_the_container)
{
	const struct cri_container_config none = { 0 };
	const struct cri_pod_sandbox_config pod = { 0 };
	const char *handler;

	cr_assert_str_eq(handler_for("lxc/debian"), "proxmox");
	cr_assert_str_eq(handler_for("docker.io/library/nginx:1"), "default");
	cr_assert_eq(ctr_request_handler(engine, &none, &pod, "proxmox", &handler, &err), 0);
	cr_assert_str_eq(handler, "proxmox");
	write_file(dir, "settings", "{");
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	cr_assert_eq(ctr_request_handler(engine, &none, &pod, NULL, &handler, &err), -1);
}

static bool is_remote(const char *handler)
{
	const struct ctr_sandbox_record rec = { .runtime_handler = handler };
	bool remote;

	cr_assert_eq(sandbox_is_remote(engine, &rec, &remote, &err), 0, "%s", said());
	return remote;
}

Test(remote, a_pod_is_a_servers_by_its_handler)
{
	write_file(dir, "settings",
		"{\"routing\":{\"runtimeHandlers\":{\"far\":\"proxmox\",\"here\":\"native\"}}}");
	cr_assert(is_remote("proxmox") && is_remote("far"));
	cr_assert_not(is_remote(NULL) || is_remote("native") || is_remote("here"));
	cr_assert_not(is_remote("unknown by now"));
}

/* This kernel's backend has nothing to do with it. */
static int no_make(struct ctr_sandbox_record *rec, int run_fd, const struct ctr_sandbox_save *save,
	struct err *e)
{
	return err_set(e, ERR_INTERNAL, NULL, "a pod was made here");
}

static int no_ready(const struct ctr_sandbox_record *rec, int run_fd, struct err *e)
{
	return err_set(e, ERR_INTERNAL, NULL, "a pod was looked for here");
}

static int no_destroy(const struct ctr_sandbox_record *rec, int run_fd, struct err *e)
{
	return 0;
}

static struct cri_pod_sandbox_metadata metadata = {
	.name = "web", .uid = "u-1", .namespace = "default"
};
static struct cri_pod_sandbox_config pod = { .metadata = &metadata };

Test(remote, a_servers_pod_outlives_a_reboot)
{
	_free_ char *id = NULL;
	struct ctr_faults faults = { 0 };
	struct ctr_sandbox *s;
	enum ctr_sandbox_state state;

	near.sandbox_make = no_make;
	near.sandbox_ready = no_ready;
	near.sandbox_destroy = no_destroy;
	cr_assert_eq(ctr_sandbox_run(engine, &pod, "proxmox", &id, &faults, &err), 0, "%s", said());
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	snprintf(engine->boot_id, sizeof(engine->boot_id), "11111111-2222-3333-4444-555555555555");
	s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);
	cr_assert(s, "%s", said());
	cr_assert_eq(ctr_sandbox_state(s, &state, &err), 0);
	cr_assert_eq(state, CTR_SANDBOX_READY);
	ctr_sandbox_close(s);
	cr_assert_eq(ctr_sandbox_stop(engine, id, &err), 0, "%s", said());
	s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);
	cr_assert_eq(ctr_sandbox_state(s, &state, &err), 0);
	cr_assert_eq(state, CTR_SANDBOX_NOTREADY);
	ctr_sandbox_close(s);
	cr_assert_eq(ctr_sandbox_remove(engine, id, &err), 0, "%s", said());
	ctr_faults_done(&faults);
}

Test(remote, a_guest_outlives_a_reboot)
{
	struct ctr_container *c = running("db1", CTR_READ);

	ctr_container_close(c);
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	snprintf(engine->boot_id, sizeof(engine->boot_id), "11111111-2222-3333-4444-555555555555");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert_eq(status_of(c), CTR_RUNNING);
	cr_assert_eq(ctr_container_kill(c, SIGTERM, false, &err), 0, "%s", said());
	cr_assert_eq(far.signalled, 1);
	ctr_container_close(c);
}
