/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes with a backend that makes nothing but files: what flow does around it. */
#include "base/path.h"
#include "flow/sandbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the backend ---- */

static enum { FINE, MAKE_FAILS, MAKE_DIES, READY_FAILS, NOT_READY, DESTROY_FAILS } mood;
static int made, destroyed;

static int fake_make(struct ctr_sandbox_record *rec, int run_fd,
	const struct ctr_sandbox_save *save, struct err *err)
{
	char path[] = "/a/path/of/the/backends/own";

	rec->cgroup = path;
	rec->ns_path[OCI_NS_NETWORK] = path;
	rec->shm = path;
	if (save->fn(save->arg, rec, err) < 0)
		return -1;
	memset(path, 'x', sizeof(path) - 1);
	cr_assert_eq(mkdirat(run_fd, "part", 0700), 0);
	if (mood == MAKE_DIES)
		_exit(0);
	if (mood == MAKE_FAILS)
		return err_set(err, ERR_SYSTEM, NULL, "no luck");
	made++;
	return 0;
}

static int fake_ready(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	if (mood == READY_FAILS)
		return err_set(err, ERR_SYSTEM, NULL, "can't tell");
	return mood != NOT_READY && faccessat(run_fd, "part", F_OK, 0) == 0;
}

static int fake_destroy(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	if (mood == DESTROY_FAILS)
		return err_set(err, ERR_TIMEOUT, NULL, "it stays");
	destroyed++;
	return 0;
}

static const struct ctr_backend fake = {
	.name = "fake",
	.sandbox_make = fake_make,
	.sandbox_ready = fake_ready,
	.sandbox_destroy = fake_destroy,
};
static const struct ctr_backend poor = { .name = "poor" };
static const struct ctr_backend *const backends[] = { &poor, &fake, NULL };
static const struct ctr_backend *const no_pods[] = { &poor, NULL };

/* ---- around ---- */

static char dir[] = "/tmp/ctrctl-pods-XXXXXX";
static char root[64], data[64], settings[64];
static struct ctr_engine *engine;
static struct ctr_faults faults;
static struct err err;

static struct cri_pod_sandbox_metadata metadata = {
	.name = "web", .uid = "u-1", .namespace = "default"
};
static struct cri_linux_pod_sandbox_config linux_;
static struct cri_pod_sandbox_config config = { .metadata = &metadata, .linux_ = &linux_ };

#define NAME "web_default_u-1_0"

static struct ctr_engine *engine_with(const struct ctr_backend *const *with)
{
	const struct ctr_engine_options o = { .root = root,
		.data = data,
		.settings = settings,
		.backends = with,
		.lock_timeout_ms = 20 };

	return ctr_engine_open(&o, &err);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(settings, sizeof(settings), "%s/settings", dir);
	_close_ int fd = open(settings, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(fd_write_all(fd, "{}", 2), 0);
	engine = engine_with(backends);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	ctr_faults_done(&faults);
	ctr_engine_close(engine);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(sandbox, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static char *run(void)
{
	char *id = NULL;

	cr_assert_eq(ctr_sandbox_run(engine, &config, NULL, &id, &faults, &err), 0, "%s", said());
	return id;
}

static void run_fails(const char *handler, enum err_code code, const char *why)
{
	char *id = NULL;

	err = (struct err)ERR_INIT;
	cr_expect_eq(ctr_sandbox_run(engine, &config, handler, &id, &faults, &err), -1);
	cr_expect_eq(err.code, code, "%s", said());
	cr_expect(strstr(said(), why), "%s", said());
	cr_expect_null(id);
	ctr_faults_done(&faults);
}

/* How many there are in a folder beneath dir. */
static int count(const char *sub)
{
	_free_ char *path = strf("%s/%s", dir, sub);
	_closedir_ DIR *d = opendir(path);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	return n;
}

static int nothing_is_there(void)
{
	return count("root/.sandboxes") == 0 && count("data/sandboxes/names") == 0 &&
	       count("data/sandboxes") <= 1;
}

static enum ctr_sandbox_state state_of(const char *id)
{
	enum ctr_sandbox_state state;
	_sandbox_ struct ctr_sandbox *s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);

	cr_assert(s, "%s", said());
	cr_assert_eq(ctr_sandbox_state(s, &state, &err), 0, "%s", said());
	return state;
}

static int add_one(
	void *arg, const struct ctr_sandbox_record *r, enum ctr_sandbox_state state, struct err *e)
{
	++*(int *)arg;
	return 0;
}

static int listed(void)
{
	int n = 0;

	cr_assert_eq(ctr_sandbox_list(engine, add_one, &n, &err), 0, "%s", said());
	return n;
}

/* ---- tests ---- */

Test(sandbox, what_the_backend_put_in_outlives_its_call)
{
	_free_ char *id = run();
	_sandbox_ struct ctr_sandbox *s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);

	cr_assert(s, "%s", said());
	const struct ctr_sandbox_record *r = ctr_sandbox_record(s);
	cr_expect_str_eq(r->cgroup, "/a/path/of/the/backends/own");
	cr_expect_str_eq(r->ns_path[OCI_NS_NETWORK], r->cgroup);
	cr_expect_str_eq(r->shm, r->cgroup);
	cr_expect_str_eq(r->name, NAME);
	cr_expect(strncmp(r->hostname, id, 12) == 0 && strlen(r->hostname) == 12);
	cr_expect_eq(state_of(id), CTR_SANDBOX_READY);
	cr_expect_eq(listed(), 1);
}

Test(sandbox, the_same_pod_is_made_once)
{
	_free_ char *one = run();
	_free_ char *two = run();

	cr_expect_str_eq(one, two);
	cr_expect_eq(made, 1);
	config.hostname = "other";
	run_fails(NULL, ERR_EXISTS, "another config");
	config.hostname = NULL;
	run_fails("native", ERR_EXISTS, "another runtime handler");
	mood = NOT_READY;
	run_fails(NULL, ERR_EXISTS, "isn't ready");
	mood = READY_FAILS;
	run_fails(NULL, ERR_SYSTEM, "can't tell");
}

Test(sandbox, a_make_that_fails_is_undone)
{
	mood = MAKE_FAILS;
	run_fails(NULL, ERR_SYSTEM, "no luck");
	cr_expect_eq(destroyed, 1);
	cr_expect(nothing_is_there());
}

Test(sandbox, what_is_wrong_is_told_before_anything_is_made)
{
	run_fails("kata", ERR_INVALID, "runtime_handler");
	linux_.cgroup_parent = "pods.slice";
	run_fails(NULL, ERR_INVALID, "linux.cgroup_parent");
	linux_.cgroup_parent = NULL;
	metadata.name = NULL;
	run_fails(NULL, ERR_INVALID, "metadata.name");
	cr_expect_neq(faccessat(AT_FDCWD, data, F_OK, 0), 0);
	cr_expect_neq(faccessat(AT_FDCWD, root, F_OK, 0), 0);
}

Test(sandbox, a_broken_configuration_is_told)
{
	_close_ int fd = open(settings, O_WRONLY | O_TRUNC | O_CLOEXEC);

	cr_assert_eq(fd_write_all(fd, "{\"x\":1}", 7), 0);
	run_fails(NULL, ERR_INVALID, "x");
}

Test(sandbox, without_cgroups_or_a_backend_there_are_none)
{
	engine->cgroup_manager = CTR_CGROUP_DISABLED;
	run_fails(NULL, ERR_UNSUPPORTED, "cgroup");
	ctr_engine_close(engine);
	engine = engine_with(no_pods);
	run_fails(NULL, ERR_UNSUPPORTED, "no backend");
	cr_expect_null(ctr_sandbox_open(engine, "aaaa", CTR_SANDBOX_LOOK, &err));
	cr_expect_eq(ctr_sandbox_stop(engine, "aaaa", &err), -1);
	cr_expect_eq(ctr_sandbox_remove(engine, "aaaa", &err), -1);
}

Test(sandbox, found_by_name_and_by_the_begin_of_the_id)
{
	_free_ char *id = run();
	_free_ char *cut = strndup(id, 4);
	_sandbox_ struct ctr_sandbox *a =
		ctr_sandbox_open_name(engine, NAME, CTR_SANDBOX_SHARE, &err);
	_sandbox_ struct ctr_sandbox *b = ctr_sandbox_open(engine, cut, CTR_SANDBOX_SHARE, &err);

	cr_assert(a && b, "%s", said());
	cr_expect_str_eq(ctr_sandbox_record(a)->id, ctr_sandbox_record(b)->id);
	cr_expect_null(ctr_sandbox_open_name(engine, "nobody", CTR_SANDBOX_LOOK, &err));
	cr_expect_eq(err.code, ERR_NOT_FOUND);
	cr_expect_null(ctr_sandbox_open(engine, "ffff", CTR_SANDBOX_LOOK, &err));
	cr_expect_eq(err.code, ERR_NOT_FOUND);
}

Test(sandbox, a_stop_waits_for_those_who_share)
{
	_free_ char *id = run();
	struct ctr_sandbox *s = ctr_sandbox_open(engine, id, CTR_SANDBOX_SHARE, &err);

	cr_assert(s);
	cr_expect_eq(ctr_sandbox_stop(engine, id, &err), -1);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	cr_expect_eq(ctr_sandbox_remove(engine, id, &err), -1);
	cr_expect_null(ctr_sandbox_open(engine, id, CTR_SANDBOX_CHANGE, &err));
	cr_expect_eq(state_of(id), CTR_SANDBOX_READY);
	ctr_sandbox_close(s);
	cr_expect_eq(ctr_sandbox_stop(engine, id, &err), 0, "%s", said());
	cr_expect_eq(state_of(id), CTR_SANDBOX_NOTREADY);
	cr_expect_eq(count("root/.sandboxes"), 0);
}

Test(sandbox, stop_and_remove_twice_and_of_none)
{
	_free_ char *id = run();

	for (int i = 0; i < 2; i++)
		cr_expect_eq(ctr_sandbox_stop(engine, id, &err), 0, "%s", said());
	for (int i = 0; i < 2; i++)
		cr_expect_eq(ctr_sandbox_remove(engine, id, &err), 0, "%s", said());
	cr_expect_eq(ctr_sandbox_stop(engine, id, &err), 0, "%s", said());
	cr_expect(nothing_is_there());
	cr_expect_eq(listed(), 0);
}

Test(sandbox, what_cant_be_taken_away_keeps_its_record)
{
	_free_ char *id = run();

	mood = DESTROY_FAILS;
	cr_expect_eq(ctr_sandbox_remove(engine, id, &err), -1);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	cr_expect_eq(state_of(id), CTR_SANDBOX_NOTREADY, "nothing new may begin in it");
	mood = FINE;
	cr_expect_eq(ctr_sandbox_remove(engine, id, &err), 0, "%s", said());
	cr_expect(nothing_is_there());
}

/* In another process, which ends in the middle of the backend's work. */
static void die_while_making(void)
{
	char *id = NULL;
	pid_t pid = fork();

	if (pid == 0) {
		mood = MAKE_DIES;
		_exit(ctr_sandbox_run(engine, &config, NULL, &id, &faults, &err) == 0);
	}
	cr_assert(pid > 0);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(count("root/.sandboxes"), 1);
}

Test(sandbox, run_takes_the_place_of_one_whose_maker_died)
{
	die_while_making();
	_free_ char *id = run();
	cr_expect_eq(destroyed, 1);
	cr_expect_eq(count("root/.sandboxes"), 1);
	cr_expect_eq(listed(), 1);
	cr_expect_eq(ctr_sandbox_remove(engine, id, &err), 0);
	cr_expect(nothing_is_there());
}

Test(sandbox, list_removes_one_whose_maker_died)
{
	die_while_making();
	cr_expect_null(ctr_sandbox_open_name(engine, NAME, CTR_SANDBOX_LOOK, &err));
	cr_expect_eq(listed(), 0);
	cr_expect(nothing_is_there());
}

Test(sandbox, list_leaves_one_that_is_being_made)
{
	int data_fd, folder, lock;
	char id[SANDBOX_ID_LEN + 1];
	static const char new_id[] =
		"aaaabbbbccccdddd00001111222233334444555566667777888899990000aaaa";

	cr_assert_eq(engine_data(engine, STORE_MAKE, &data_fd, &err), 0);
	cr_assert_eq(sandbox_name_lock(data_fd, "key", 10, &lock, id, &err), 0);
	cr_assert_eq(sandbox_name_take(lock, new_id, &err), 0);
	cr_assert_eq(sandbox_claim(data_fd, new_id, &folder, &err), 0);
	cr_expect_eq(listed(), 0);
	cr_expect_eq(count("data/sandboxes"), 2);
	close(folder);
	close(lock);
	cr_expect_eq(listed(), 0);
	cr_expect(nothing_is_there());
	cr_expect_eq(destroyed, 1, "by its id alone");
}

Test(sandbox, a_record_of_another_boot_is_not_ready)
{
	_free_ char *id = run();

	snprintf(engine->boot_id, sizeof(engine->boot_id), "another");
	cr_expect_eq(state_of(id), CTR_SANDBOX_NOTREADY);
}

Test(sandbox, a_run_folder_that_is_gone_is_not_ready)
{
	_free_ char *id = run();
	_close_ int fd = open(root, O_PATH | O_CLOEXEC);

	cr_assert_eq(path_remove_tree(fd, ".sandboxes", &err), 0);
	cr_expect_eq(state_of(id), CTR_SANDBOX_NOTREADY);
	cr_expect_eq(ctr_sandbox_remove(engine, id, &err), 0, "%s", said());
	cr_expect(nothing_is_there());
}

static int refuse(
	void *arg, const struct ctr_sandbox_record *r, enum ctr_sandbox_state state, struct err *e)
{
	return err_set(e, ERR_SYSTEM, NULL, "enough");
}

Test(sandbox, list_ends_when_its_caller_has_enough)
{
	_free_ char *id = run();

	cr_expect_eq(ctr_sandbox_list(engine, refuse, NULL, &err), -1);
	cr_expect_str_eq(err.text, "enough");
}

Test(sandbox, a_name_in_use_is_waited_for)
{
	char key[SANDBOX_KEY_MAX], id[SANDBOX_ID_LEN + 1];
	int data_fd, lock;

	cr_assert_eq(engine_data(engine, STORE_MAKE, &data_fd, &err), 0);
	cr_assert_eq(sandbox_name_lock(data_fd, sandbox_key(NAME, key), 10, &lock, id, &err), 0);
	run_fails(NULL, ERR_TIMEOUT, "another command");
	close(lock);
	free(run());
}
