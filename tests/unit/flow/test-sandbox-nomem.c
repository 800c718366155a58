/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of what is done with a sandbox fails once: the error says so, and nothing is
 * left. */
#include "base/log.h"
#include "base/path.h"
#include "flow/sandbox.h"
#include "nomem.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a backend that makes a folder ---- */

static int fake_make(struct ctr_sandbox_record *rec, int run_fd,
	const struct ctr_sandbox_save *save, struct err *err)
{
	rec->cgroup = rec->shm = rec->ns_path[OCI_NS_NETWORK] = "/x";
	cr_assert_eq(mkdirat(run_fd, "part", 0700), 0);
	return save->fn(save->arg, rec, err);
}

static int fake_ready(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	return faccessat(run_fd, "part", F_OK, 0) == 0;
}

static int fake_destroy(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	return 0;
}

static const struct ctr_backend fake = {
	.name = "fake",
	.sandbox_make = fake_make,
	.sandbox_ready = fake_ready,
	.sandbox_destroy = fake_destroy,
};
static const struct ctr_backend *const backends[] = { &fake, NULL };

static char dir[] = "/tmp/ctrctl-nomem-XXXXXX";
static char root[64], data[64], settings[64], note[64];
static struct ctr_engine *engine;
static struct err err;

static struct cri_pod_sandbox_metadata metadata = {
	.name = "web", .uid = "u-1", .namespace = "default"
};
static struct cri_pod_sandbox_config config = { .metadata = &metadata };

static void open_engine(void)
{
	const struct ctr_engine_options o = {
		.root = root, .data = data, .settings = settings, .backends = backends
	};

	engine = ctr_engine_open(&o, &err);
	cr_assert(engine);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(settings, sizeof(settings), "%s/settings", dir);
	snprintf(note, sizeof(note), "%s/log", dir);
	_close_ int fd = open(settings, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(fd_write_all(fd, "{}", 2), 0);
	cr_assert_eq(log_open(note, LOG_TEXT, LOG_WARN, &err), 0);
	open_engine();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);

	ctr_engine_close(engine);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &err), 0);
}

TestSuite(sandbox_nomem, .init = setup, .fini = teardown);

static int run(struct err *e)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	char *id = NULL;
	int r = ctr_sandbox_run(engine, &config, NULL, &id, &faults, e);

	ctr_faults_done(&faults);
	free(id);
	return r;
}

static int find(struct err *e)
{
	enum ctr_sandbox_state state;
	_sandbox_ struct ctr_sandbox *s =
		ctr_sandbox_open_name(engine, "web_default_u-1_0", CTR_SANDBOX_SHARE, e);

	return s && ctr_sandbox_state(s, &state, e) == 0 ? 0 : -1;
}

static char only[SANDBOX_ID_LEN + 1];

static int keep(
	void *arg, const struct ctr_sandbox_record *r, enum ctr_sandbox_state state, struct err *e)
{
	memcpy(only, r->id, sizeof(only));
	++*(int *)arg;
	return 0;
}

static int list(struct err *e)
{
	int n = 0;

	return ctr_sandbox_list(engine, keep, &n, e);
}

static int stop(struct err *e)
{
	return ctr_sandbox_stop(engine, only, e);
}

static int drop(struct err *e)
{
	return ctr_sandbox_remove(engine, only, e);
}

static int count(const char *sub)
{
	char path[128];
	_closedir_ DIR *d = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	return n;
}

/* With the n-th allocation failing; 1 when there was no n-th. */
static int with_failure(int (*op)(struct err *), size_t n, int *ret)
{
	size_t all;

	err = (struct err)ERR_INIT;
	nomem_begin(n);
	*ret = op(&err);
	all = nomem_end();
	if (*ret < 0)
		cr_assert_eq(err.code, ERR_EXHAUSTED, "allocation %zu: %s %s", n, err.text, err.op);
	return all < n;
}

static void clear(void)
{
	cr_assert_eq(list(&err), 0, "%s", err.text);
	if (count("data/sandboxes") > 1)
		cr_assert_eq(drop(&err), 0, "%s %s", err.op, err.text);
	cr_assert_eq(count("root/.sandboxes"), 0);
	cr_assert_eq(count("data/sandboxes/names"), 0);
	cr_assert_leq(count("data/sandboxes"), 1);
}

/* Each allocation of `op` on a sandbox that is there; again() must do after it. */
static void each_allocation(int (*op)(struct err *), bool there)
{
	size_t n = 0;
	int r;

	for (bool done = false; !done; n++) {
		ctr_engine_close(engine);
		open_engine();
		if (there) {
			cr_assert_eq(run(&err), 0, "%s", err.text);
			cr_assert_eq(list(&err), 0);
			ctr_engine_close(engine);
			open_engine();
		}
		done = with_failure(op, n + 1, &r);
		if (done)
			cr_assert_eq(r, 0, "%s", err.text);
		clear();
	}
	cr_assert_gt(n, 10, "only %zu allocations", n);
}

Test(sandbox_nomem, run_leaves_nothing)
{
	each_allocation(run, false);
}

Test(sandbox_nomem, run_of_one_that_is_there)
{
	each_allocation(run, true);
}

Test(sandbox_nomem, finding)
{
	each_allocation(find, true);
}

Test(sandbox_nomem, listing)
{
	each_allocation(list, true);
}

Test(sandbox_nomem, stop_can_be_repeated)
{
	each_allocation(stop, true);
}

Test(sandbox_nomem, remove_can_be_repeated)
{
	each_allocation(drop, true);
}
