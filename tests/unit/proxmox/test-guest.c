/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/guest.h"
#include "base/fd.h"
#include "base/path.h"
#include "fake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID             "web1"
#define UPID           "UPID:pve1:00001000:00002000:65000000:vzcreate:200005:ctrctl@pve!ctrl:"
#define GONE           "Configuration file 'nodes/pve1/lxc/200005.conf' does not exist"
#define MARK(id, vmid) "ctrctl:v1:{\\\"id\\\":\\\"" id "\\\",\\\"vmid\\\":" vmid "}\\n"

static char dir[] = "/tmp/ctrctl-guest-XXXXXX";
static int fd = FD_NONE;
static struct fake f;
static struct guest guest = { .id = ID, .vmid = 200005, .node = "pve1", .upid = UPID };

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fake_init(&f);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fake_done(&f);
	fd_close(fd);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(guest, .init = setup, .fini = teardown);

/* ---- the journal ---- */

Test(guest, journal_comes_back_as_it_was)
{
	struct guest back = { 0 };
	struct guest g = { .id = ID,
		.vmid = 200005,
		.node = "pve1",
		.phase = GUEST_SECOND,
		.upid = UPID,
		.volid = "local:vztmpl/x.tar",
		.oci = true,
		.posted = 1700000000,
		.stopped_by = GUEST_KILLED,
		.proxy = true,
		.log_file = "/var/log/x" };
	struct stat st;

	cr_assert_eq(guest_save(fd, &g, &f.err), 0, "%s", fake_said(&f));
	cr_assert_eq(guest_load(fd, f.arena, &back, &f.err), 1, "%s", fake_said(&f));
	cr_assert_str_eq(back.id, g.id);
	cr_assert_eq(back.vmid, g.vmid);
	cr_assert_str_eq(back.node, g.node);
	cr_assert_eq(back.phase, g.phase);
	cr_assert_str_eq(back.upid, g.upid);
	cr_assert_str_eq(back.volid, g.volid);
	cr_assert(back.oci && back.proxy);
	cr_assert_eq(back.posted, g.posted);
	cr_assert_eq(back.stopped_by, g.stopped_by);
	cr_assert_str_eq(back.log_file, g.log_file);
	cr_assert_eq(fstatat(fd, GUEST_JOURNAL, &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(guest, journal_of_each_phase_can_be_read)
{
	for (int phase = 0; phase < GUEST_PHASE_N; phase++) {
		struct guest g = guest, back = { 0 };

		g.phase = phase;
		cr_assert_eq(guest_save(fd, &g, &f.err), 0);
		cr_assert_eq(guest_load(fd, f.arena, &back, &f.err), 1, "%s", fake_said(&f));
		cr_assert_eq(back.phase, phase);
	}
}

Test(guest, without_a_journal_nothing_was_begun)
{
	struct guest g;

	cr_assert_eq(guest_load(fd, f.arena, &g, &f.err), 0);
}

static void write_journal(const char *text)
{
	cr_assert_eq(file_replace(fd, GUEST_JOURNAL, text, strlen(text), 0600, &f.err), 0);
}

Test(guest, journal_that_is_broken_is_an_error)
{
	static const char *const broken[] = {
		"", "{", "{}", "[]",
		"{\"version\":1,\"id\":\"a\",\"vmid\":200005,\"node\":\"n\",\"phase\":\"other\"}",
		"{\"version\":2,\"id\":\"a\",\"vmid\":200005,\"node\":\"n\",\"phase\":\"made\"}",
		"{\"version\":1,\"id\":\"a\",\"vmid\":99,\"node\":\"n\",\"phase\":\"made\"}",
		"{\"version\":1,\"id\":\"a\",\"vmid\":200005,\"node\":\"n\",\"phase\":\"made\",\"x\":1}"
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct guest g;

		write_journal(broken[i]);
		cr_assert_eq(guest_load(fd, f.arena, &g, &f.err), -1, "%s", broken[i]);
		cr_assert_eq(f.err.code, ERR_INVALID, "%s: %s", broken[i], fake_said(&f));
		cr_assert(strstr(fake_said(&f), "journal of the guest"));
	}
}

/* ---- where it is ---- */

Test(guest, look_tells_what_runs)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/200005/status/current", 0, 0, 200,
					"{\"data\":{\"status\":\"running\",\"uptime\":\"77\","
					"\"lock\":\"backup\"}}" },
		{ 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), 0);
	cr_assert(l.exists);
	cr_assert_str_eq(l.node, "pve1");
	cr_assert_str_eq(l.status, "running");
	cr_assert_str_eq(l.lock, "backup");
	cr_assert_eq(l.uptime, 77);
	cr_assert_eq(f.n_asked, 1);
}

Test(guest, that_moved_is_found_on_its_new_node)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/200005/", 0, 0, 500, GONE },
		{ "/cluster/resources?type=vm", 0, 0, 200,
			"{\"data\":[{\"type\":\"lxc\",\"vmid\":200004,\"node\":\"pve3\"},"
			"{\"type\":\"lxc\",\"vmid\":\"200005\",\"node\":\"pve2\"}]}" },
		{ "/nodes/pve2/lxc/200005/status/current", 0, 0, 200,
			"{\"data\":{\"status\":\"stopped\"}}" },
		{ 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), 0);
	cr_assert(l.exists);
	cr_assert_str_eq(l.node, "pve2");
}

Test(guest, whose_number_a_virtual_machine_has_is_gone)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/200005/", 0, 0, 500, GONE },
		{ "/cluster/resources", 0, 0, 200,
			"{\"data\":[{\"type\":\"qemu\",\"vmid\":200005,\"node\":\"pve2\"}]}" },
		{ 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), 0);
	cr_assert_not(l.exists);
}

/* Who has rights by a pool has none to what isn't in it any more. */
Test(guest, that_may_not_be_seen_is_gone_when_its_number_is_free)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/", 0, 0, 403,
					"Permission check failed (/vms/200005, VM.Audit)" },
		{ "/cluster/nextid?vmid=200005", 0, 0, 200, "{\"data\":\"200005\"}" },
		{ "/cluster/resources", 0, 0, 200, "{\"data\":[]}" }, { 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), 0);
	cr_assert_not(l.exists);
}

Test(guest, that_may_not_be_seen_is_an_error_when_its_number_is_used)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/", 0, 0, 403,
					"Permission check failed (/vms/200005, VM.Audit)" },
		{ "/cluster/nextid", 0, 0, 400, "VM 200005 already exists" }, { 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), -1);
	cr_assert_eq(f.err.code, ERR_DENIED);
	cr_assert(strstr(fake_said(&f), "VM.Audit"), "%s", fake_said(&f));
}

Test(guest, on_a_node_that_is_off_is_an_error)
{
	struct rule rules[] = { { "/nodes/pve1/", 0, 0, 595, "Connection refused" },
		{ "/cluster/resources", 0, 0, 200,
			"{\"data\":[{\"type\":\"lxc\",\"vmid\":200005,\"node\":\"pve1\"}]}" },
		{ 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
	cr_assert_gt(fake_count(&f, "/status/current"), 2);
}

/* High availability has made it run elsewhere. */
Test(guest, of_a_node_that_is_off_is_found_on_another_one)
{
	static const struct {
		unsigned status;
		const char *reason;
	} dead[] = { { 595, "No route to host" }, { 596, "Connection timed out" },
		{ 500, "hostname lookup 'pve1' failed - failed to get address info" } };

	for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
		struct rule rules[] = { { "/nodes/pve1/", 0, 0, dead[i].status, dead[i].reason },
			{ "/cluster/resources", 0, 0, 200,
				"{\"data\":[{\"type\":\"lxc\",\"vmid\":200005,\"node\":\"pve2\"}]}" },
			{ "/nodes/pve2/lxc/200005/status/current", 0, 0, 200,
				"{\"data\":{\"status\":\"running\"}}" },
			{ 0 } };
		struct guest_look l;

		f.rules = rules;
		f.n_asked = 0;
		cr_assert_eq(
			guest_look(&f.pve, &guest, f.arena, &l, &f.err), 0, "%s", fake_said(&f));
		cr_assert_str_eq(l.node, "pve2");
		cr_assert_eq(f.n_asked, 3);
	}
}

/* What the cluster's list says comes second: the first answer is the error. */
Test(guest, with_the_server_off_is_an_error)
{
	struct rule rules[] = { { "", 0, 0, 595, "Connection refused" }, { 0 } };
	struct guest_look l;

	f.rules = rules;
	cr_assert_eq(guest_look(&f.pve, &guest, f.arena, &l, &f.err), -1);
	cr_assert(strstr(fake_said(&f), "status/current"), "%s", fake_said(&f));
}

/* ---- whose it is ---- */

static int owned(const char *config, unsigned status, bool half_made, const char *tasks)
{
	struct rule rules[] = { { "/nodes/pve1/lxc/200005/config", 0, 0, status, config },
		{ "/nodes/pve1/tasks", 0, 0, 200, tasks }, { 0 } };
	const struct json *ret = NULL;
	int r;

	f.rules = rules;
	f.err = (struct err)ERR_INIT;
	r = guest_is_ours(&f.pve, &guest, "pve1", half_made, f.arena, &ret, &f.err);
	cr_assert(r != 1 || ret);
	return r;
}

#define TASKS(upid)         "{\"data\":[{\"upid\":\"" upid "\",\"endtime\":1694498900}]}"
#define CONFIG(description) "{\"data\":{\"digest\":\"x\",\"description\":\"" description "\"}}"

Test(guest, is_ours_by_the_line_in_its_description)
{
	cr_assert_eq(owned(CONFIG("web, made by hand\\n" MARK(ID, "200005")), 200, false, ""), 1,
		"%s", fake_said(&f));
}

Test(guest, of_another_container_is_not_ours)
{
	cr_assert_eq(owned(CONFIG(MARK("web2", "200005")), 200, true, ""), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert(strstr(fake_said(&f), "web2"), "%s", fake_said(&f));
}

Test(guest, that_is_a_copy_is_not_ours)
{
	cr_assert_eq(owned(CONFIG(MARK(ID, "200007")), 200, true, ""), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert(strstr(fake_said(&f), "copy"), "%s", fake_said(&f));
}

/* Another host may have made a container of this id; it takes the same VMID first. */
Test(guest, that_was_made_at_another_time_is_not_ours)
{
#define MADE_AT(when)                          \
	CONFIG("ctrctl:v1:{\\\"id\\\":\\\"" ID \
	       "\\\",\\\"vmid\\\":200005,\\\"created\\\":\\\"" when "\\\"}\\n")
	guest.created = "2026-01-02T03:04:05Z";
	cr_assert_eq(
		owned(MADE_AT("2026-01-02T03:04:05Z"), 200, false, ""), 1, "%s", fake_said(&f));
	cr_assert_eq(owned(MADE_AT("2031-01-02T03:04:05Z"), 200, true, TASKS(UPID)), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert(strstr(fake_said(&f), "2031-01-02T03:04:05Z"), "%s", fake_said(&f));
	/* Where one of them isn't known, it says nothing. */
	cr_assert_eq(owned(CONFIG(MARK(ID, "200005")), 200, false, ""), 1, "%s", fake_said(&f));
	guest.created = "";
	cr_assert_eq(
		owned(MADE_AT("2031-01-02T03:04:05Z"), 200, false, ""), 1, "%s", fake_said(&f));
}

Test(guest, whose_description_was_edited_is_not_ours)
{
	cr_assert_eq(owned(CONFIG("mine now"), 200, true, TASKS(UPID)), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
}

Test(guest, that_isnt_there_is_nobodys)
{
	cr_assert_eq(owned(GONE, 500, true, ""), 0);
}

Test(guest, half_made_is_ours_by_the_task_alone)
{
	static const char bare[] = "{\"data\":{\"digest\":\"x\"}}";

	cr_assert_eq(owned(bare, 200, true, TASKS(UPID)), 1, "%s", fake_said(&f));
	cr_assert_eq(owned(bare, 200, false, TASKS(UPID)), -1);
	cr_assert_eq(owned(bare, 200, true, "{\"data\":[]}"), -1);
	cr_assert_eq(f.err.code, ERR_STATE);
	cr_assert_eq(owned(bare, 200, true,
			     TASKS("UPID:pve1:00001000:00002000:65000001:vzcreate:200005:x@pve:")),
		-1);
}

/* Its variables are kept apart by NUL bytes. */
Test(guest, whose_environment_has_several_variables_can_be_read)
{
	struct rule rules[] = {
		{ "/config", 0, 0, 200, "{\"data\":{\"env\":\"A=\\\\u0000\\u0000B=2\"}}" }, { 0 }
	};
	struct guest_owned o;

	f.rules = rules;
	cr_assert_eq(
		guest_owner(&f.pve, &guest, "pve1", f.arena, &o, &f.err), 0, "%s", fake_said(&f));
	cr_assert_str_eq(pve_text(o.config, "env"), "A=\\u0000\1B=2");
}
