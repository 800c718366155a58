/* SPDX-License-Identifier: Apache-2.0 */
/* All guests at once, over a server that knows its lines. */
#include "backend/proxmox/proxmox.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "script.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ONE     "0123456789abcdef0001"
#define TWO     "fedcba98765432100002"
#define TAG_ONE "ctrctl-0123456789abcdef"
#define TAG_TWO "ctrctl-fedcba9876543210"
#define LIST    "GET /cluster/resources?type=vm"
#define ROW(vmid, status, tags)                                                      \
	"{\"type\":\"lxc\",\"node\":\"pve1\",\"vmid\":" vmid ",\"status\":\"" status \
	"\",\"tags\":\"" tags "\"}"
#define CONFIG(vmid) "GET /nodes/pve1/lxc/" vmid "/config"
#define DESCRIBED(id, vmid)                                                                        \
	"{\"data\":{\"description\":\"a\\nctrctl:v1:{\\\"id\\\":\\\"" id "\\\",\\\"vmid\\\":" vmid \
	",\\\"created\\\":\\\"2026-01-02T03:04:05Z\\\"}\\n\"}}"

static struct ctr_context context;
static struct ctr_record recs[2];
static struct ctr_survey seen;

static void setup(void)
{
	script_setup();
	cfg.vmid_first = 200000;
	cfg.vmid_last = 299999;
	context = (struct ctr_context){ .cfg = &cfg, .pve = pve, .arena = arena };
	recs[0] = (struct ctr_record){ .id = ONE, .phase = CTR_CREATED, .guest = "200001" };
	recs[1] = (struct ctr_record){ .id = TWO, .phase = CTR_RUNNING, .guest = "200002" };
}

TestSuite(survey, .init = setup, .fini = script_teardown);

static void survey(size_t n)
{
	cr_assert_eq(proxmox_survey(&context, recs, n, &seen, &err), 0, "%s", said());
}

/* ---- records ---- */

Test(survey, is_one_request)
{
	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("200002", "running", "ctrctl;" TAG_TWO) "," ROW("\"200001\"",
			"stopped", "ctrctl;" TAG_ONE) "," ROW("100", "running", "") "]}" });
	survey(2);
	cr_assert_eq(seen.seen[0].status, CTR_CREATED);
	cr_assert_str_eq(seen.seen[0].place, "pve1/200001");
	cr_assert_eq(seen.seen[1].status, CTR_RUNNING);
	cr_assert_str_eq(seen.seen[1].place, "pve1/200002");
	cr_assert_eq(seen.n_strays, 0);
	cr_assert_eq(seen.max_age_s, 10);
	SCRIPT_ENDS();
}

Test(survey, of_one_that_was_started_and_has_ended_says_stopped)
{
	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("200001", "running", TAG_ONE) "," ROW(
			"200002", "stopped", TAG_TWO) "]}" });
	survey(2);
	cr_assert_eq(seen.seen[0].status, CTR_RUNNING);
	cr_assert_eq(seen.seen[1].status, CTR_STOPPED);
}

/* The nodes report every ten seconds: of what is new nothing is known. */
Test(survey, of_new_ones_goes_by_the_record)
{
	char now[PROC_TIME_MAX];

	recs[1].created = proc_now(now);
	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("200001", "unknown", TAG_ONE) "," ROW(
			"200002", "unknown", TAG_TWO) "]}" });
	survey(2);
	cr_assert_eq(seen.seen[0].status, CTR_CREATED);
	cr_assert_eq(seen.seen[1].status, CTR_RUNNING);
}

Test(survey, of_one_whose_node_is_off_does_not_guess)
{
	recs[1].created = "2020-01-01T00:00:00.000000000Z";
	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("200001", "unknown", TAG_ONE) "," ROW(
			"200002", "unknown", TAG_TWO) "]}" });
	survey(2);
	cr_assert_eq(seen.seen[1].status, CTR_UNKNOWN);
	cr_assert_str_eq(seen.seen[1].place, "pve1/200002");
}

Test(survey, of_one_that_is_gone_says_stopped)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200001", "stopped", TAG_ONE) "]}" },
		{ "GET /cluster/nextid?vmid=200002", 200, "{\"data\":\"200002\"}" });
	survey(2);
	cr_assert_eq(seen.seen[1].status, CTR_STOPPED);
	cr_assert_null(seen.seen[1].place);
	SCRIPT_ENDS();
}

Test(survey, of_one_that_we_may_not_see_does_not_say_stopped)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200001", "stopped", TAG_ONE) "]}" },
		{ "GET /cluster/nextid?vmid=200002", 400,
			"{\"data\":null,\"errors\":{\"vmid\":\"CT 200002 already exists\"}}" });
	survey(2);
	cr_assert_eq(seen.seen[1].status, CTR_UNKNOWN);
}

Test(survey, knows_a_stranger_with_the_number_of_ours)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200001", "running", "web") "]}" },
		{ CONFIG("200001"), 200, "{\"data\":{\"description\":\"mine\"}}" });
	survey(1);
	cr_assert_eq(seen.seen[0].status, CTR_STOPPED);
	cr_assert_null(seen.seen[0].place);
	cr_assert_eq(seen.n_strays, 0);
	SCRIPT_ENDS();
}

Test(survey, knows_ours_without_its_tags)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200001", "running", "") "]}" },
		{ CONFIG("200001"), 200, DESCRIBED(ONE, "200001") });
	survey(1);
	cr_assert_eq(seen.seen[0].status, CTR_RUNNING);
	SCRIPT_ENDS();
}

Test(survey, knows_a_virtual_machine_with_the_number_of_ours)
{
	SCRIPT({ LIST, 200,
		"{\"data\":[{\"type\":\"qemu\",\"node\":\"pve1\",\"vmid\":200001,\"status\":\"running\","
		"\"tags\":\"" TAG_ONE "\"}]}" });
	survey(1);
	cr_assert_eq(seen.seen[0].status, CTR_STOPPED);
	SCRIPT_ENDS();
}

Test(survey, leaves_what_is_being_made_alone)
{
	recs[0].phase = CTR_CREATING;
	recs[1] = (struct ctr_record){ .id = TWO, .phase = CTR_CREATING };
	SCRIPT({ LIST, 200, "{\"data\":[]}" });
	survey(2);
	cr_assert_eq(seen.seen[0].status, CTR_CREATING);
	cr_assert_eq(seen.seen[1].status, CTR_CREATING);
	SCRIPT_ENDS();
}

/* Until its task has ended it has neither tags nor a description. */
Test(survey, asks_nothing_more_of_what_is_being_made)
{
	recs[0].phase = CTR_CREATING;
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200001", "unknown", "") "]}" });
	survey(1);
	cr_assert_eq(seen.seen[0].status, CTR_CREATING);
	cr_assert_str_eq(seen.seen[0].place, "pve1/200001");
	SCRIPT_ENDS();
}

Test(survey, of_a_server_that_is_off_is_an_error)
{
	SCRIPT({ NULL, 0, .outcome = HTTPS_UNREACHED, .reason = "refused", .repeats = -1 });
	cr_assert_eq(proxmox_survey(&context, recs, 2, &seen, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
}

Test(survey, takes_rows_that_are_none_for_nothing)
{
	SCRIPT({ LIST, 200,
		       "{\"data\":[1,null,\"x\",[],{},{\"vmid\":-5},{\"vmid\":\"1e99\"},{\"vmid\":200001,"
		       "\"type\":\"lxc\",\"node\":null}]}" },
		{ NULL, 200, "{\"data\":\"1\"}", .repeats = -1 });
	survey(2);
	cr_assert_eq(seen.n_strays, 0);
}

/* ---- strays ---- */

Test(survey, lists_ours_that_are_not_on_record)
{
	SCRIPT({ LIST, 200,
		       "{\"data\":[" ROW("200007", "running", "ctrctl;" TAG_TWO) "," ROW(
			       "200001", "stopped", TAG_ONE) "]}" },
		{ CONFIG("200007"), 200, DESCRIBED(TWO, "200007") });
	survey(1);
	cr_assert_eq(seen.n_strays, 1);
	cr_assert_str_eq(seen.strays[0].id, TWO);
	cr_assert_str_eq(seen.strays[0].guest, "200007");
	cr_assert_str_eq(seen.strays[0].backend, "proxmox");
	cr_assert_str_eq(seen.strays[0].created, "2026-01-02T03:04:05Z");
	cr_assert_eq(seen.strays_seen[0].status, CTR_RUNNING);
	cr_assert_str_eq(seen.strays_seen[0].place, "pve1/200007");
	SCRIPT_ENDS();
}

Test(survey, does_not_list_copies)
{
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200007", "running", TAG_TWO) "]}" },
		{ CONFIG("200007"), 200, DESCRIBED(TWO, "200002") });
	survey(0);
	cr_assert_eq(seen.n_strays, 0);
}

Test(survey, does_not_list_another_guest_of_a_container_on_record)
{
	SCRIPT({ LIST, 200,
		       "{\"data\":[" ROW("200001", "stopped", TAG_ONE) "," ROW(
			       "200007", "running", TAG_ONE) "]}" },
		{ CONFIG("200007"), 200, DESCRIBED(ONE, "200007") });
	survey(1);
	cr_assert_eq(seen.n_strays, 0);
	cr_assert_eq(seen.seen[0].status, CTR_CREATED);
	cr_assert_str_eq(seen.seen[0].place, "pve1/200001");
}

/* Other hosts use the same cluster, each with its own range. */
Test(survey, does_not_read_what_is_outside_of_its_range)
{
	SCRIPT({ LIST, 200,
		"{\"data\":[" ROW("300007", "running", TAG_TWO) "," ROW(
			"199999", "running", TAG_TWO) "]}" });
	survey(0);
	cr_assert_eq(seen.n_strays, 0);
	SCRIPT_ENDS();
}

Test(survey, takes_no_id_that_is_no_name_of_a_folder)
{
	SCRIPT({ LIST, 200,
		       "{\"data\":[" ROW("200007", "running", TAG_TWO) "," ROW(
			       "200008", "running", TAG_TWO) "]}" },
		{ CONFIG("200007"), 200, DESCRIBED("../../etc", "200007") },
		{ CONFIG("200008"), 200, DESCRIBED("a b", "200008") });
	survey(0);
	cr_assert_eq(seen.n_strays, 0);
	SCRIPT_ENDS();
}

Test(survey, grows_with_its_strays)
{
	enum { N = 24 };
	_str_ struct str list = { 0 };
	struct line lines[N + 1] = { 0 };
	_arena_ struct arena *a = arena_new();

	str_add(&list, "{\"data\":[");
	for (int i = 0; i < N; i++) {
		str_printf(&list, "%s" ROW("%d", "running", TAG_TWO), i ? "," : "", 200100 + i);
		lines[i + 1].status = 200;
		lines[i + 1].body = arena_printf(a, DESCRIBED("stray%d", "%d"), i, 200100 + i);
	}
	str_add(&list, "]}");
	lines[0] = (struct line){ LIST, 200, list.p };
	script_begin(lines, N + 1);
	survey(0);
	cr_assert_eq(seen.n_strays, N);
	for (int i = 0; i < N; i++) {
		char id[16];

		snprintf(id, sizeof(id), "stray%d", i);
		cr_assert_str_eq(seen.strays[i].id, id);
	}
}

Test(survey, of_a_thousand_finds_each_its_own)
{
	enum { N = 1000 };
	_str_ struct str list = { 0 };
	_arena_ struct arena *a = arena_new();
	struct ctr_record *many = arena_array(a, N, sizeof(*many));

	str_add(&list, "{\"data\":[");
	for (int i = 0; i < N; i++) {
		int vmid = 200000 + i * 7919 % 90000;

		many[i] = (struct ctr_record){ .id = arena_printf(a, "%016x%x", i + 1, i),
			.phase = CTR_RUNNING,
			.guest = arena_printf(a, "%d", vmid) };
		str_printf(&list,
			"%s{\"type\":\"lxc\",\"id\":\"lxc/%d\",\"vmid\":%d,\"node\":\"pve%d\","
			"\"name\":\"ct%d\",\"status\":\"%s\",\"tags\":\"ctrctl;ctrctl-%016x\","
			"\"maxmem\":536870912,\"mem\":12582912,\"cpu\":0.0123,\"maxcpu\":4,"
			"\"uptime\":12345,\"netin\":1,\"netout\":2,\"diskread\":3,\"diskwrite\":4,"
			"\"maxdisk\":8589934592,\"disk\":300000000,\"template\":0}",
			i ? "," : "", vmid, vmid, i % 3, i, i % 2 ? "running" : "stopped", i + 1);
	}
	str_add(&list, "]}");
	const struct line line = { LIST, 200, list.p };
	struct timespec begin, end;
	script_begin(&line, 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	cr_assert_eq(proxmox_survey(&context, many, N, &seen, &err), 0, "%s", said());
	clock_gettime(CLOCK_MONOTONIC, &end);
	cr_log_info("%zu bytes, %ld us", list.n,
		(end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000);
	for (int i = 0; i < N; i++) {
		char place[32];

		snprintf(place, sizeof(place), "pve%d/%s", i % 3, many[i].guest);
		cr_assert_str_eq(seen.seen[i].place, place);
		cr_assert_eq(seen.seen[i].status, i % 2 ? CTR_RUNNING : CTR_STOPPED);
	}
	cr_assert_eq(script.asked, 1);
}

/* ---- bounds ---- */

enum { MANY = 40 };

/* A list of many guests on two nodes, and as many answers of each kind. */
static struct line many_lines[2 * MANY + 1];

static void many(const char *tags, bool on_record)
{
	static struct ctr_record many_recs[MANY];
	struct str list = { 0 };

	str_add(&list, "{\"data\":[");
	for (int i = 0; i < MANY; i++) {
		many_recs[i] = (struct ctr_record){ .id = arena_printf(arena, "record%d", i),
			.phase = CTR_RUNNING,
			.guest = arena_printf(arena, "%d", 200100 + i) };
		if (tags)
			str_printf(&list, "%s" ROW("%d", "running", "%s"), i ? "," : "", 200100 + i,
				tags);
	}
	str_add(&list, "]}");
	many_lines[0] = (struct line){ LIST, 200, arena_strdup(arena, list.p) };
	str_done(&list);
	script_begin(many_lines, ARRAY_SIZE(many_lines));
	cr_assert_eq(proxmox_survey(&context, many_recs, on_record ? MANY : 0, &seen, &err), 0,
		"%s", said());
}

Test(survey, reads_a_few_strays_only)
{
	for (int i = 0; i < MANY; i++) {
		many_lines[i + 1].status = 200;
		many_lines[i + 1].body =
			arena_printf(arena, DESCRIBED("stray%d", "%d"), i, 200100 + i);
	}
	many(TAG_TWO, false);
	cr_assert_eq(seen.n_strays, 32);
	cr_assert_eq(script.asked, 1 + 32);
}

/* A cluster that knows no free tags has none on any. */
Test(survey, takes_many_without_tags_for_what_their_number_says)
{
	for (int i = 0; i < MANY; i++) {
		many_lines[i + 1].status = 200;
		many_lines[i + 1].body =
			arena_printf(arena, DESCRIBED("record%d", "%d"), i, 200100 + i);
	}
	many("", true);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(seen.seen[i].status, CTR_RUNNING, "%d", i);
	cr_assert_eq(script.asked, 1 + 16);
}

Test(survey, does_not_blame_rights_for_what_it_did_not_ask_for)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	char text[1024] = "";

	log_stderr(fd);
	for (int i = 0; i < MANY; i++)
		many_lines[i + 1] = (struct line){ NULL, 200, "{\"data\":\"1\"}" };
	many(NULL, true);
	cr_assert_eq(script.asked, 1 + 16);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(seen.seen[i].status, i < 16 ? CTR_STOPPED : CTR_UNKNOWN, "%d", i);
	cr_assert_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	cr_assert_not(strstr(text, "VM.Audit"), "%s", text);
	cr_assert(strstr(text, "24 more"), "%s", text);
	close(fd);
}

Test(survey, asks_a_node_that_does_not_answer_once)
{
	many_lines[1] = (struct line){ .outcome = HTTPS_LOST };
	many(TAG_TWO, false);
	cr_assert_eq(seen.n_strays, 0);
	cr_assert_eq(script.asked, 2);
	/* What it runs isn't known, either. */
	many("", true);
	cr_assert_eq(script.asked, 2);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(seen.seen[i].status, CTR_UNKNOWN, "%d", i);
}

static unsigned longest_ms[2]; /* of the list, of the others */

static int timed_exchange(void *arg, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *e)
{
	unsigned *longest = &longest_ms[script.asked > 0];

	*longest = MAX(*longest, ask->timeout_ms);
	return script_exchange(arg, ask, a, ret, e);
}

Test(survey, does_not_wait_long)
{
	context.pve.exchange = timed_exchange;
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200007", "running", TAG_TWO) "]}" },
		{ CONFIG("200007"), 200, DESCRIBED(TWO, "200007") },
		{ "GET /cluster/nextid?vmid=200001", 200, "{\"data\":\"200001\"}" });
	survey(1);
	cr_assert_eq(longest_ms[0], 10000);
	cr_assert_eq(longest_ms[1], 5000);
	cr_assert_eq(context.pve.cfg, &cfg, "what comes after it has its own time");
}

/* ---- find ---- */

Test(survey, finds_one_by_its_tag_and_proves_it)
{
	struct ctr_record found;

	SCRIPT({ LIST, 200,
		       "{\"data\":[" ROW("300007", "running", TAG_TWO) "," ROW("200005", "running",
			       TAG_TWO) "," ROW("200007", "running", "ctrctl;" TAG_TWO) "]}" },
		/* Not the one of another host's range. */
		{ CONFIG("200005"), 200, DESCRIBED("fedcba98765432109999", "200005") },
		{ CONFIG("200007"), 200, DESCRIBED(TWO, "200007") });
	cr_assert_eq(proxmox_find(&context, TWO, FD_NONE, &found, &err), 1, "%s", said());
	cr_assert_str_eq(found.id, TWO);
	cr_assert_str_eq(found.guest, "200007");
	cr_assert_eq(found.context, &context);
	SCRIPT_ENDS();
}

Test(survey, finds_none_of_two_that_say_the_same)
{
	struct ctr_record found = { 0 };

	SCRIPT({ LIST, 200,
		       "{\"data\":[" ROW("200005", "running", TAG_TWO) "," ROW(
			       "200007", "running", TAG_TWO) "]}" },
		{ CONFIG("200005"), 200, DESCRIBED(TWO, "200005") },
		{ CONFIG("200007"), 200, DESCRIBED(TWO, "200007") });
	cr_assert_eq(proxmox_find(&context, TWO, FD_NONE, &found, &err), -1);
	EXPECT_SAID("200005 and 200007");
	cr_assert_null(found.id);
}

Test(survey, does_not_read_a_cluster_full_of_the_same_tag)
{
	struct ctr_record found;

	for (int i = 0; i < MANY; i++)
		many_lines[i + 1] = (struct line){ NULL, 200, DESCRIBED(ONE, "200001") };
	many(TAG_TWO, false);
	script_begin(many_lines, ARRAY_SIZE(many_lines));
	cr_assert_eq(proxmox_find(&context, TWO, FD_NONE, &found, &err), -1);
	EXPECT_SAID("more than 16");
	cr_assert_eq(script.asked, 1 + 16);
}

Test(survey, finds_nothing_where_nothing_is)
{
	struct ctr_record found;

	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200005", "running", "web") "]}" });
	cr_assert_eq(proxmox_find(&context, TWO, FD_NONE, &found, &err), 0);
	SCRIPT_ENDS();
}

Test(survey, writes_a_journal_for_what_it_finds)
{
	char folder[] = "/tmp/ctrctl-survey-XXXXXX";
	struct ctr_record found;
	struct guest journal;

	cr_assert(mkdtemp(folder));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SCRIPT({ LIST, 200, "{\"data\":[" ROW("200005", "running", TAG_TWO) "]}" },
		{ CONFIG("200005"), 200, DESCRIBED(TWO, "200005") });
	cr_expect_eq(proxmox_find(&context, TWO, fd, &found, &err), 1, "%s", said());
	cr_expect_eq(guest_load(fd, arena, &journal, &err), 1);
	cr_expect_eq(journal.vmid, 200005);
	cr_expect_str_eq(journal.node, "pve1");
	cr_expect_str_eq(journal.id, TWO);
	cr_expect_eq(journal.phase, GUEST_MADE);
	unlinkat(fd, "guest.json", 0);
	close(fd);
	rmdir(folder);
}
