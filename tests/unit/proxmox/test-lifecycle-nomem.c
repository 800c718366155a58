/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of each verb on a guest fails once: nothing crashes, what is said of a guest is
 * true or an error, and nothing is asked for in half. */
#include "backend/proxmox/proxmox.h"
#include "base/fd.h"
#include "fake.h"
#include "nomem.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define ID         "0123456789abcdef0123"
#define TAG        "ctrctl-0123456789abcdef"
#define UPID(type) "{\"data\":\"UPID:pve1:00001234:0012D687:68A1B2C3:" type ":200104:root@pam:\"}"
#define CURRENT(status)                                                                          \
	"{\"data\":{\"status\":\"" status "\",\"tags\":\"ctrctl;" TAG "\",\"uptime\":7,\"cpu\":" \
	"0.5,\"cpus\":2,\"mem\":1}}"
#define ROW(vmid, status)                                                            \
	"{\"type\":\"lxc\",\"node\":\"pve1\",\"vmid\":" vmid ",\"status\":\"" status \
	"\",\"tags\":\"ctrctl;" TAG "\"}"

static struct rule rules[] = {
	{ "/status/current", 0, 0, 200, CURRENT("running") },
	{ "GET /nodes/pve1/lxc/200105/config", 0, 0, 200,
		"{\"data\":{\"description\":\"ctrctl:v1:{\\\"id\\\":\\\"stray\\\",\\\"vmid\\\":200105}\"}}" },
	{ "GET /nodes/pve1/lxc/200104/config", 0, 0, 200,
		"{\"data\":{\"digest\":\"d\",\"tags\":\"ctrctl;" TAG
		"\",\"description\":\"ctrctl:v1:{\\\"id\\\":\\\"" ID
		"\\\",\\\"vmid\\\":200104}\"}}" },
	{ "PUT /nodes/pve1/lxc/200104/config", 0, 0, 200, "{\"data\":null}" },
	{ "POST /nodes/pve1/lxc/200104/status/start", 0, 0, 200, UPID("vzstart") },
	{ "POST /nodes/pve1/lxc/200104/status/stop", 0, 0, 200, UPID("vzstop") },
	{ "POST /nodes/pve1/lxc/200104/status/shutdown", 0, 0, 200, UPID("vzshutdown") },
	{ "DELETE /nodes/pve1/lxc/200104", 0, 0, 200, UPID("vzdestroy") },
	{ "GET /nodes/pve1/tasks/UPID", 0, 0, 200,
		"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"OK\"}}" },
	{ "GET /nodes/pve1/tasks", 0, 0, 200,
		"{\"data\":[{\"type\":\"vzstop\",\"endtime\":9,\"status\":\"OK\"}]}" },
	{ "GET /cluster/resources", 0, 0, 200,
		"{\"data\":[" ROW("200104", "running") "," ROW("200105", "running") "]}" },
	{ NULL },
};

static char folder[] = "/tmp/ctrctl-nomem-XXXXXX";
static struct fake f;
static struct ctr_context context;
static struct ctr_record rec;
static int dir_fd;

static void set_up(void)
{
	const struct guest journal = {
		.id = ID, .vmid = 200104, .node = "pve1", .phase = GUEST_MADE
	};

	fake_init(&f);
	f.rules = rules;
	f.cfg.start_s = f.cfg.stop_s = f.cfg.grace_s = 60;
	f.cfg.vmid_last = 299999;
	cr_assert(mkdtemp(folder));
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(guest_save(dir_fd, &journal, &f.err), 0);
	rec = (struct ctr_record){
		.id = ID, .phase = CTR_RUNNING, .guest = "200104", .context = &context
	};
}

static void tear_down(void)
{
	unlinkat(dir_fd, "guest.json", 0);
	close(dir_fd);
	rmdir(folder);
	fake_done(&f);
}

TestSuite(lifecycle_nomem, .init = set_up, .fini = tear_down);

/* Runs it with the n-th allocation failing, for each n that there is. */
static void each_fails(int (*run)(struct err *), const char *current)
{
	size_t calls, n = 0;

	rules[0].body = current;
	do {
		struct err err = ERR_INIT;
		struct arena *a = arena_new();
		int r;

		context = (struct ctr_context){ .cfg = &f.cfg, .pve = f.pve, .arena = a };
		context.pve.arena = a;
		f.n_asked = 0;
		nomem_begin(++n);
		r = run(&err);
		calls = nomem_end();
		arena_free(a);
		if (calls < n)
			cr_assert_eq(r, 0, "%s %s", err.object, err.text);
		else if (r < 0)
			cr_expect_neq(err.code, ERR_NONE, "allocation %zu", n);
		cr_assert_lt(n, 5000u);
	} while (calls >= n);
	cr_expect_gt(n, 10u);
}

/* What is asked for is asked for with all that belongs to it. */
static void expect_whole(const char *verb, const char *line)
{
	cr_expect_eq(fake_count(&f, verb), fake_count(&f, line), "not %s", line);
}

static int start(struct err *err)
{
	return proxmox_start(&rec, dir_fd, NULL, NULL, err);
}

static int kill_it(struct err *err)
{
	return proxmox_signal(&rec, dir_fd, SIGKILL, false, err);
}

static int terminate(struct err *err)
{
	return proxmox_signal(&rec, dir_fd, SIGTERM, false, err);
}

static int stop(struct err *err)
{
	return proxmox_stop(&rec, dir_fd, 1000, err);
}

static int destroy(struct err *err)
{
	int r = proxmox_destroy(&rec, dir_fd, err);

	expect_whole("DELETE", "?purge=1&force=1&destroy-unreferenced-disks=0");
	/* Removed (again, when the answer was lost on the way), or an error. */
	cr_expect(r < 0 || fake_count(&f, "DELETE") >= 1);
	return r;
}

static int destroy_without_a_journal(struct err *err)
{
	int r = proxmox_destroy(&rec, FD_NONE, err);

	cr_expect(r < 0 || fake_count(&f, "DELETE") >= 1);
	return r;
}

static int status(struct err *err)
{
	enum ctr_status now;
	int r = proxmox_status(&rec, dir_fd, &now, err);

	cr_expect(r < 0 || now == CTR_RUNNING);
	return r;
}

static int update(struct err *err)
{
	int64_t limit = 256 << 20;
	struct oci_memory memory = { .limit = &limit };
	const struct oci_resources res = { .memory = &memory };

	return proxmox_update(&rec, dir_fd, &res, err);
}

static int stats(struct err *err)
{
	struct ctr_stats s;
	int r = proxmox_stats(&rec, dir_fd, &s, err);

	cr_expect(r < 0 || (s.cpu_permille == 1000 && s.memory_bytes == 1));
	return r;
}

static int ended(struct err *err)
{
	struct ctr_exit end;

	return proxmox_ended(&rec, dir_fd, &end, err);
}

static int survey(struct err *err)
{
	struct ctr_survey seen;
	int r = proxmox_survey(&context, &rec, 1, &seen, err);

	if (r < 0)
		return r;
	cr_expect_eq(seen.seen[0].status, CTR_RUNNING);
	cr_expect_str_eq(seen.seen[0].place, "pve1/200104");
	for (size_t i = 0; i < seen.n_strays; i++)
		cr_expect_str_eq(seen.strays[i].id, "stray");
	return r;
}

static int find(struct err *err)
{
	struct ctr_record found;
	int r = proxmox_find(&context, ID, FD_NONE, &found, err);

	cr_expect(r < 0 || (r == 1 && str_eq(found.guest, "200104")));
	return r < 0 ? -1 : 0;
}

Test(lifecycle_nomem, verbs)
{
	each_fails(start, CURRENT("stopped"));
	each_fails(kill_it, CURRENT("running"));
	each_fails(terminate, CURRENT("running"));
	each_fails(stop, CURRENT("running"));
	each_fails(update, CURRENT("running"));
}

Test(lifecycle_nomem, removal)
{
	each_fails(destroy, CURRENT("stopped"));
	each_fails(destroy, CURRENT("running"));
	each_fails(destroy_without_a_journal, CURRENT("stopped"));
}

Test(lifecycle_nomem, looks)
{
	each_fails(status, CURRENT("running"));
	each_fails(stats, CURRENT("running"));
	each_fails(ended, CURRENT("stopped"));
	each_fails(survey, CURRENT("running"));
	each_fails(find, CURRENT("running"));
}
