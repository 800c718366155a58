/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "ctrctl/engine.h"
#include "fake.h"
#include "flow/flow.h"
#include "model/settings.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-flow-XXXXXX";
static char root[64], bundle[64];
static const struct ctr_backend *const backends[] = { &fake_backend, NULL };
static struct ctr_engine *engine;
static struct err err;

static const char config[] =
	"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
	"\"args\":[\"/bin/sleep\",\"50\"]},\"hooks\":{\"poststop\":[{\"path\":\"/bin/true\"}]},\"linux\":{\"namespaces\":[]}}";

static void write_config(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/config.json", bundle);
	f = fopen(path, "we");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	char path[128];

	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	snprintf(path, sizeof(path), "%s/rootfs", bundle);
	cr_assert(mkdir(bundle, 0700) == 0 && mkdir(path, 0700) == 0);
	write_config(config);
	engine = ctr_engine_open(
		&(struct ctr_engine_options){
			.root = root, .backends = backends, .lock_timeout_ms = 200 },
		&err);
	cr_assert(engine);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	ctr_engine_close(engine);
	cr_assert(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e) == 0);
}

TestSuite(flow, .init = setup, .fini = teardown);

static struct ctr_container *make(const char *id, const char *pid_file)
{
	const struct ctr_create req = {
		.id = id, .bundle = bundle, .pid_file = pid_file, .attach = CTR_ATTACH_INIT
	};

	err = (struct err)ERR_INIT;
	return ctr_container_create(engine, &req, &err);
}

static bool exists(const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, id);
	return access(path, F_OK) == 0;
}

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static enum ctr_status status_of(struct ctr_container *c)
{
	enum ctr_status s = CTR_STATUS_N;

	cr_assert(ctr_container_status(c, &s, &err) == 0, "%s", said());
	return s;
}

/* No child of ours may be left. */
static void no_process_remains(void)
{
	cr_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process remains");
}

Test(flow, leads_a_container_through_its_life)
{
	struct ctr_container *c = make("web1", NULL);

	cr_assert(c, "%s", said());
	cr_assert_eq(status_of(c), CTR_CREATED);
	cr_assert_str_eq(ctr_container_record(c)->cgroup, "/fake");
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	cr_assert_eq(status_of(c), CTR_RUNNING);
	cr_assert_eq(ctr_container_kill(c, SIGKILL, false, &err), 0, "%s", said());
	while (status_of(c) != CTR_STOPPED)
		;
	cr_assert_eq(ctr_container_delete(c, false, &err), 0, "%s", said());
	ctr_container_close(c);
	cr_assert_not(exists("web1"));
	cr_assert_eq(fake_poststops, 1);
}

Test(flow, leaves_nothing_behind_whichever_stage_of_create_fails)
{
	for (int stage = FAKE_PROBE; stage < FAKE_START; stage++) {
		fake_fail = (enum fake_stage)stage;
		cr_assert_null(make("web1", NULL), "stage %d", stage);
		cr_assert(strstr(said(), "fails as told"), "%s", said());
		cr_assert_not(exists("web1"), "stage %d", stage);
		no_process_remains();
	}
	cr_assert_eq(fake_poststops, FAKE_RECORDED - FAKE_CREATE + 1,
		"poststop hooks follow every create that began");
}

Test(flow, leaves_nothing_behind_when_the_pid_file_cant_be_written)
{
	cr_assert_null(make("web1", "/nowhere/at/all/pid"));
	cr_assert(strstr(said(), "missing"), "%s", said());
	cr_assert_not(exists("web1"));
	no_process_remains();
}

Test(flow, keeps_the_record_of_what_it_couldnt_undo)
{
	fake_fail = FAKE_PROCESS;
	setenv("FAKE_FAIL", "9", 1); /* FAKE_DESTROY */
	cr_assert_null(make("web1", NULL));
	unsetenv("FAKE_FAIL");
	cr_assert(
		strstr(said(), "stage 6"), "the first failure is the one that is told: %s", said());
	cr_assert(exists("web1"));
	cr_assert_eq(ctr_delete(engine, "web1", true, &err), 0, "%s", said());
	cr_assert_not(exists("web1"));
}

Test(flow, writes_the_pid_without_a_newline)
{
	_free_ char *text = NULL;
	char path[128], pid[16];
	struct ctr_container *c;
	size_t n;

	snprintf(path, sizeof(path), "%s/pid", dir);
	c = make("web1", path);
	cr_assert(c, "%s", said());
	cr_assert_eq(file_read(AT_FDCWD, path, 100, &text, &n, &err), 0);
	snprintf(pid, sizeof(pid), "%d", ctr_container_record(c)->pid);
	cr_assert_str_eq(text, pid);
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

Test(flow, refuses_an_id_that_is_taken)
{
	struct ctr_container *c = make("web1", NULL);

	cr_assert(c);
	cr_assert_null(make("web1", NULL));
	cr_assert_eq(err.code, ERR_EXISTS);
	cr_assert_str_eq(said(), "container with given ID already exists");
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

Test(flow, says_who_holds_a_container)
{
	struct ctr_container *c = make("web1", NULL);
	char pid[32];

	cr_assert_null(ctr_container_open(engine, "web1", CTR_CHANGE, &err));
	cr_assert_eq(err.code, ERR_TIMEOUT);
	snprintf(pid, sizeof(pid), "held by pid %d (", (int)getpid());
	cr_assert(strstr(said(), pid), "%s", said());
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

Test(flow, says_that_a_container_without_a_record_is_being_made)
{
	struct store_box box = STORE_BOX_INIT;

	cr_assert_eq(engine_store(engine, STORE_MAKE, &err), 0);
	cr_assert_eq(store_claim(&engine->store, "web1", &box, &err), 0);
	cr_assert_null(ctr_container_open(engine, "web1", CTR_READ, &err));
	cr_assert_eq(err.code, ERR_STATE);
	cr_assert_str_eq(said(), "the container is still being created");
	store_box_close(&box);
	cr_assert_null(ctr_container_open(engine, "web1", CTR_READ, &err));
	cr_assert_eq(err.code, ERR_INVALID, "its maker is gone");
}

Test(flow, answers_each_verb_in_each_state)
{
	static const struct {
		enum verb verb;
		enum ctr_status status;
		const char *text; /* NULL: allowed */
	} rows[] = {
		{ VERB_START, CTR_CREATED, NULL },
		{ VERB_START, CTR_RUNNING, "cannot start an already running container" },
		{ VERB_START, CTR_STOPPED, "cannot start a container that has stopped" },
		{ VERB_KILL, CTR_CREATED, NULL },
		{ VERB_KILL, CTR_PAUSED, NULL },
		{ VERB_KILL, CTR_STOPPED, "container not running" },
		{ VERB_EXEC, CTR_CREATED, NULL },
		{ VERB_EXEC, CTR_STOPPED, "cannot exec in a stopped container" },
		{ VERB_EXEC, CTR_STOPPED, "container not running" },
		{ VERB_EXEC, CTR_PAUSED,
			"cannot exec in a paused container (use --ignore-paused to override)" },
		{ VERB_PAUSE, CTR_PAUSED, "container paused" },
		{ VERB_RESUME, CTR_RUNNING, "container not paused" },
		{ VERB_DELETE, CTR_CREATED, NULL },
		{ VERB_DELETE, CTR_STOPPED, NULL },
		{ VERB_DELETE, CTR_RUNNING,
			"cannot delete container web1 that is not stopped: running" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = lifecycle_check(rows[i].verb, rows[i].status, "web1", &err);

		cr_assert_eq(r, rows[i].text ? -1 : 0, "row %zu", i);
		if (rows[i].text)
			cr_assert(strstr(said(), rows[i].text) && err.code == ERR_STATE, "%s",
				said());
	}
}

Test(flow, shows_a_half_made_container_as_stopped_and_deletes_it)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fake_fail = FAKE_FILE;
		setenv("FAKE_FAIL", "9", 1);
		make("web1", NULL);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	struct ctr_container *c = ctr_container_open(engine, "web1", CTR_READ, &err);
	cr_assert(c, "%s", said());
	cr_assert_eq(ctr_container_record(c)->phase, CTR_CREATING);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	ctr_container_close(c);
	cr_assert_eq(ctr_delete(engine, "web1", false, &err), 0, "%s", said());
	cr_assert_not(exists("web1"));
}

Test(flow, forgets_the_pid_of_another_boot)
{
	struct ctr_container *c = make("web1", NULL);
	pid_t pid = ctr_container_record(c)->pid;

	c->rec.boot_id = "11111111-2222-3333-4444-555555555555";
	cr_assert_eq(store_save(&c->box, &c->rec, &err), 0);
	ctr_container_close(c);
	c = ctr_container_open(engine, "web1", CTR_CHANGE, &err);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	cr_assert_eq(ctr_container_delete(c, false, &err), 0, "%s", said());
	ctr_container_close(c);
	cr_assert_eq(kill(pid, 0), 0, "the process of that number was left alone");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(flow, forced_delete_is_idempotent)
{
	cr_assert_eq(ctr_delete(engine, "never-was", true, &err), 0);
	cr_assert_eq(ctr_delete(engine, "never-was", false, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	cr_assert_str_eq(said(), "container does not exist");
	cr_assert_not(exists(""), "looking makes no root folder");
}

Test(flow, deletes_a_broken_record_by_force_only)
{
	char path[128];
	struct ctr_container *c = make("web1", NULL);
	pid_t pid = ctr_container_record(c)->pid;

	ctr_container_close(c);
	snprintf(path, sizeof(path), "%s/web1/state.json", root);
	cr_assert_eq(truncate(path, 20), 0);
	cr_assert_null(ctr_container_open(engine, "web1", CTR_READ, &err));
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(ctr_delete(engine, "web1", false, &err), -1);
	cr_assert_eq(ctr_delete(engine, "web1", true, &err), 0, "%s", said());
	cr_assert_not(exists("web1"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

Test(flow, tells_configuration_problems_without_the_kernels_words_for_missing_programs)
{
	static const char *const broken[] = {
		"", "{", "[]", "{\"ociVersion\":\"1.3.0\"}",
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"nosuch\"},\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]}}",
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"config.json\"},\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]}}"
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		write_config(broken[i]);
		cr_assert_null(make("web1", NULL), "%s", broken[i]);
		cr_assert(*said() && !strcasestr(said(), "no such file") &&
				  !strcasestr(said(), "permission denied"),
			"%s", said());
		cr_assert_not(exists("web1"));
	}
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	unlink(path);
	cr_assert_null(make("web1", NULL));
	cr_assert(!strcasestr(said(), "no such file"), "%s", said());
}

Test(flow, wants_somebody_at_the_other_end_of_a_terminal)
{
	struct ctr_attach a = CTR_ATTACH_INIT;
	int master;

	cr_assert_eq(bundle_check_console(&a, false, &err), 0);
	cr_assert_eq(bundle_check_console(&a, true, &err), -1);
	cr_assert_str_eq(
		said(), "cannot allocate tty if ctrctl will detach without setting console socket");
	a.console_socket = 3;
	cr_assert_eq(bundle_check_console(&a, true, &err), 0);
	cr_assert_eq(bundle_check_console(&a, false, &err), -1);
	cr_assert_str_eq(
		said(), "cannot use console socket if ctrctl will not detach or allocate tty");
	a.ret_console = &master;
	cr_assert_eq(bundle_check_console(&a, true, &err), -1);
	a.console_socket = -1;
	cr_assert_eq(bundle_check_console(&a, true, &err), 0);
}

Test(flow, settings_are_read_once)
{
	const struct settings *first, *again;
	char path[128];
	struct ctr_engine *e;
	FILE *f;

	snprintf(path, sizeof(path), "%s/settings.json", dir);
	f = fopen(path, "we");
	cr_assert(f);
	fputs("{\"logs\":{\"maxFiles\":7}}", f);
	fclose(f);
	e = ctr_engine_open(
		&(struct ctr_engine_options){
			.root = root, .settings = path, .backends = backends },
		&err);
	cr_assert(e);
	cr_assert_eq(engine_settings(e, &first, &err), 0, "%s", said());
	cr_expect_eq(first->log_max_files, 7);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(engine_settings(e, &again, &err), 0, "%s", said());
	cr_expect_eq(first, again);
	ctr_engine_close(e);
	e = ctr_engine_open(
		&(struct ctr_engine_options){
			.root = root, .settings = path, .backends = backends },
		&err);
	cr_assert(e);
	cr_expect_eq(engine_settings(e, &again, &err), -1);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
	ctr_engine_close(e);
}
