/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "model/cri.h"
#include "store/sandboxes.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "aaaabbbbccccdddd00001111222233334444555566667777888899990000aaaa"
#define ID_B "aaaacccc0000dddd00001111222233334444555566667777888899990000bbbb"

static char dir[] = "/tmp/ctrctl-sandboxes-XXXXXX";
static int data = FD_NONE;
static struct arena *arena;
static struct err err;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	data = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	arena = arena_new();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(data);
	arena_free(arena);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(sandboxes, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static struct cri_pod_sandbox_metadata metadata = {
	.name = "web", .uid = "u-1", .namespace = "default", .attempt = 3
};
static struct ctr_pair labels[] = { { "app", "x\"y\n" } };
static struct cri_pod_sandbox_config config = {
	.metadata = &metadata, .hostname = "web", .labels = { labels, 1 }
};
static const struct ctr_sandbox_record full = {
	.id = ID_A,
	.name = "web_default_u-1_3",
	.created = "2026-01-02T03:04:05.000000006Z",
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.runtime_handler = "native",
	.state = CTR_SANDBOX_NOTREADY,
	.complete = true,
	.folder = "/d/sandboxes/" ID_A,
	.run_folder = "/r/.sandboxes/" ID_A,
	.hostname = "web",
	.cgroup = "/pods/web",
	.cgroup_made = true,
	.ns_path = { [OCI_NS_NETWORK] = "/r/net",
		[OCI_NS_IPC] = "/r/ipc",
		[OCI_NS_UTS] = "/r/uts",
		[OCI_NS_USER] = "/r/user",
		[OCI_NS_PID] = "/r/pid" },
	.shm = "/r/shm",
	.pause_pid = 4711,
	.pause_start = UINT64_MAX,
	.config = &config,
};

static int make(const char *id)
{
	int fd;

	cr_assert_eq(sandbox_claim(data, id, &fd, &err), 0, "%s", said());
	return fd;
}

/* A whole one; its folder, open and locked. */
static int make_full(void)
{
	_str_ struct str text = { 0 }, file = { 0 };
	int fd = make(ID_A);

	cri_pod_write(&config, &text);
	str_add(&file, "web\n");
	cr_assert_eq(sandbox_save_config(fd, &text, &err), 0, "%s", said());
	cr_assert_eq(sandbox_save(fd, &full, &err), 0, "%s", said());
	cr_assert_eq(sandbox_save_file(fd, "hostname", &file, 0, 0, &err), 0, "%s", said());
	cr_assert_eq(sandbox_save_file(fd, "hosts", &file, 0, 0, &err), 0, "%s", said());
	cr_assert_eq(sandbox_save_file(fd, "resolv.conf", &file, 100000, 100001, &err), 0);
	return fd;
}

static mode_t mode_of(int at, const char *path, uid_t *uid, gid_t *gid)
{
	struct stat st;

	cr_assert_eq(fstatat(at, path, &st, 0), 0);
	*uid = st.st_uid;
	*gid = st.st_gid;
	return st.st_mode & 07777;
}

Test(sandboxes, a_record_comes_back_as_it_was)
{
	_close_ int fd = make_full();
	struct ctr_sandbox_record r;

	cr_assert_eq(sandbox_load(fd, ID_A, arena, &r, &err), 1, "%s", said());
	const char *const texts[][2] = { { r.id, full.id }, { r.name, full.name },
		{ r.created, full.created }, { r.boot_id, full.boot_id },
		{ r.runtime_handler, full.runtime_handler }, { r.folder, full.folder },
		{ r.run_folder, full.run_folder }, { r.hostname, full.hostname },
		{ r.cgroup, full.cgroup }, { r.shm, full.shm },
		{ r.ns_path[OCI_NS_NETWORK], "/r/net" }, { r.ns_path[OCI_NS_IPC], "/r/ipc" },
		{ r.ns_path[OCI_NS_UTS], "/r/uts" }, { r.ns_path[OCI_NS_USER], "/r/user" },
		{ r.ns_path[OCI_NS_PID], "/r/pid" }, { r.config->metadata->name, "web" },
		{ r.config->hostname, "web" }, { r.config->labels.items[0].value, "x\"y\n" } };
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_str_eq(texts[i][0], texts[i][1]);
	cr_expect_null(r.ns_path[OCI_NS_MOUNT]);
	cr_expect_eq(r.state, CTR_SANDBOX_NOTREADY);
	cr_expect(r.complete && r.cgroup_made);
	cr_expect_eq(r.pause_pid, 4711);
	cr_expect_eq(r.pause_start, UINT64_MAX);
	cr_expect_eq(r.config->metadata->attempt, 3);
}

Test(sandboxes, ready_is_written_too)
{
	_close_ int fd = make_full();
	struct ctr_sandbox_record r = full;

	r.state = CTR_SANDBOX_READY;
	cr_assert_eq(sandbox_save(fd, &r, &err), 0);
	r.state = CTR_SANDBOX_NOTREADY;
	cr_assert_eq(sandbox_load(fd, ID_A, arena, &r, &err), 1, "%s", said());
	cr_expect_eq(r.state, CTR_SANDBOX_READY);
	cr_expect_str_eq(ctr_sandbox_state_name(r.state), "SANDBOX_READY");
	cr_expect_str_eq(ctr_sandbox_state_name(CTR_SANDBOX_NOTREADY), "SANDBOX_NOTREADY");
}

Test(sandboxes, only_root_reads_what_only_root_needs)
{
	_close_ int fd = make_full();
	uid_t uid;
	gid_t gid;

	cr_expect_eq(mode_of(data, "sandboxes", &uid, &gid), 0700);
	cr_expect_eq(mode_of(data, "sandboxes/names", &uid, &gid), 0700);
	cr_expect_eq(mode_of(data, "sandboxes/" ID_A, &uid, &gid), 0700);
	cr_expect_eq(mode_of(fd, "sandbox.json", &uid, &gid), 0600);
	cr_expect_eq(mode_of(fd, "config.json", &uid, &gid), 0600);
	cr_expect_eq(mode_of(fd, "hostname", &uid, &gid), 0644);
	cr_expect(uid == 0 && gid == 0);
	cr_expect_eq(mode_of(fd, "resolv.conf", &uid, &gid), 0644);
	cr_expect(uid == 100000 && gid == 100001, "the pod's root owns it");
}

Test(sandboxes, all_of_it_can_be_synced)
{
	_close_ int fd = make_full();
	char id[SANDBOX_ID_LEN + 1];
	int lock;

	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0);
	cr_expect_eq(sandbox_sync(data, fd, lock, &err), 0, "%s", said());
	cr_assert_eq(unlinkat(fd, "config.json", 0), 0);
	cr_expect_eq(sandbox_sync(data, fd, lock, &err), -1, "a missing file is no success");
	fd_close(lock);
}

Test(sandboxes, a_record_cut_anywhere_is_broken_and_says_what_to_do)
{
	_close_ int fd = make_full();
	struct ctr_sandbox_record r;
	struct stat st;

	cr_assert_eq(fstatat(fd, "sandbox.json", &st, 0), 0);
	for (off_t n = st.st_size - 2; n >= 0; n--) {
		cr_assert_eq(sandbox_save(fd, &full, &err), 0);
		_close_ int f = openat(fd, "sandbox.json", O_WRONLY | O_CLOEXEC);
		cr_assert_eq(ftruncate(f, n), 0);
		err = (struct err)ERR_INIT;
		cr_assert_eq(sandbox_load(fd, ID_A, arena, &r, &err), -1, "%ld bytes", (long)n);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert(strstr(err.hint, "sandbox remove " ID_A));
	}
}

static void expect_broken(int fd, const char *file, const char *text, const char *why)
{
	struct ctr_sandbox_record r;

	cr_assert_eq(file_replace(fd, file, text, strlen(text), 0600, &err), 0);
	err = (struct err)ERR_INIT;
	cr_expect_eq(sandbox_load(fd, ID_A, arena, &r, &err), -1, "%s", text);
	cr_expect_eq(err.code, ERR_INVALID);
	cr_expect(strstr(said(), why), "%s", said());
}

Test(sandboxes, foreign_records_are_broken)
{
	_close_ int fd = make_full();

	expect_broken(fd, "sandbox.json",
		"{\"version\":2,\"id\":\"" ID_A
		"\",\"name\":\"n\",\"state\":\"SANDBOX_READY\",\"runFolder\":\"/r\"}",
		"version 2");
	expect_broken(fd, "sandbox.json",
		"{\"version\":1,\"id\":\"" ID_B
		"\",\"name\":\"n\",\"state\":\"SANDBOX_READY\",\"runFolder\":\"/r\"}",
		"another sandbox");
	expect_broken(fd, "sandbox.json", "{\"version\":1,\"more\":1}", "more");
}

Test(sandboxes, a_record_without_its_config_is_broken)
{
	_close_ int fd = make_full();
	struct ctr_sandbox_record r;

	expect_broken(fd, "config.json", "{\"nonsense\":1}", "config.json");
	cr_assert_eq(unlinkat(fd, "config.json", 0), 0);
	cr_expect_eq(sandbox_load(fd, ID_A, arena, &r, &err), -1);
	cr_expect(strstr(said(), "config.json: it is missing"), "%s", said());
}

Test(sandboxes, a_folder_without_a_record_is_being_made)
{
	_close_ int fd = make(ID_A);
	struct ctr_sandbox_record r;

	cr_expect_eq(sandbox_load(fd, ID_A, arena, &r, &err), 0);
}

Test(sandboxes, names_belong_to_who_wrote_last)
{
	char id[SANDBOX_ID_LEN + 1];
	int lock;

	cr_expect_eq(sandbox_name_read(data, "key", id, &err), 0);
	cr_expect_str_eq(id, "");
	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0, "%s", said());
	cr_expect_str_eq(id, "");
	cr_assert_eq(sandbox_name_take(lock, ID_A, &err), 0);
	cr_expect_eq(sandbox_name_read(data, "key", id, &err), 0);
	cr_expect_str_eq(id, ID_A);
	fd_close(lock);
	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0);
	cr_expect_str_eq(id, ID_A);
	cr_assert_eq(sandbox_name_drop(data, "key", &err), 0);
	cr_assert_eq(sandbox_name_drop(data, "key", &err), 0, "twice is fine");
	fd_close(lock);
	cr_expect_eq(sandbox_name_read(data, "key", id, &err), 0);
	cr_expect_str_eq(id, "");
}

Test(sandboxes, a_held_name_is_waited_for_and_then_a_timeout)
{
	char id[SANDBOX_ID_LEN + 1];
	int lock, second;

	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0);
	cr_expect_eq(sandbox_name_lock(data, "key", 5, &second, id, &err), -1);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	fd_close(lock);
	cr_expect_eq(sandbox_name_lock(data, "key", 5, &second, id, &err), 0);
	fd_close(second);
}

Test(sandboxes, a_torn_name_is_nobodys)
{
	char id[SANDBOX_ID_LEN + 1];
	int lock;

	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0);
	cr_assert_eq(pwrite(lock, ID_A, 20, 0), 20);
	fd_close(lock);
	cr_assert_eq(sandbox_name_lock(data, "key", 100, &lock, id, &err), 0);
	cr_expect_str_eq(id, "");
	fd_close(lock);
}

Test(sandboxes, the_sweep_drops_names_of_none_and_leaves_the_others)
{
	_close_ int fd = make(ID_A);
	char id[SANDBOX_ID_LEN + 1];
	int lock, held;

	static const struct {
		const char *key, *id;
	} rows[] = { { "alive", ID_A }, { "dead", ID_B }, { "empty", NULL } };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(sandbox_name_lock(data, rows[i].key, 100, &lock, id, &err), 0);
		if (rows[i].id)
			cr_assert_eq(sandbox_name_take(lock, rows[i].id, &err), 0);
		fd_close(lock);
	}
	cr_assert_eq(sandbox_name_lock(data, "held", 100, &held, id, &err), 0);
	cr_assert_eq(sandbox_names_sweep(data, &err), 0, "%s", said());
	cr_expect_eq(faccessat(data, "sandboxes/names/alive", F_OK, 0), 0);
	cr_expect_eq(faccessat(data, "sandboxes/names/held", F_OK, 0), 0, "it is being taken");
	cr_expect_neq(faccessat(data, "sandboxes/names/dead", F_OK, 0), 0);
	cr_expect_neq(faccessat(data, "sandboxes/names/empty", F_OK, 0), 0);
	fd_close(held);
	cr_expect_eq(sandbox_names_sweep(FD_NONE, &err), 0);
}

Test(sandboxes, those_who_share_keep_out_who_changes)
{
	_close_ int maker = make(ID_A);
	_close_ int one = FD_NONE, two = FD_NONE;

	cr_assert_eq(sandbox_find(data, ID_A, &one, &err), 1);
	cr_assert_eq(sandbox_find(data, ID_A, &two, &err), 1);
	cr_expect_eq(sandbox_is_locked(one), 1, "whoever claims it changes it");
	cr_expect_eq(sandbox_lock(one, ID_A, LOCK_SH, 5, &err), -1);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	sandbox_unlock(maker);
	cr_expect_eq(sandbox_lock(one, ID_A, LOCK_SH, 5, &err), 0);
	cr_expect_eq(sandbox_lock(two, ID_A, LOCK_SH, 5, &err), 0);
	cr_expect_eq(sandbox_lock(maker, ID_A, LOCK_EX, 5, &err), -1);
	cr_expect_eq(err.code, ERR_TIMEOUT);
	sandbox_unlock(one);
	sandbox_unlock(two);
	cr_expect_eq(sandbox_is_locked(one), 0);
	cr_expect_eq(sandbox_lock(maker, ID_A, LOCK_EX, 5, &err), 0);
}

Test(sandboxes, what_was_removed_meanwhile_is_not_found)
{
	_close_ int fd = make_full();
	_close_ int late = FD_NONE;

	cr_assert_eq(sandbox_find(data, ID_A, &late, &err), 1);
	cr_assert_eq(sandbox_remove(data, ID_A, &err), 0, "%s", said());
	cr_assert_eq(sandbox_remove(data, ID_A, &err), 0, "twice is fine");
	sandbox_unlock(fd);
	cr_expect_eq(sandbox_lock(late, ID_A, LOCK_SH, 5, &err), -1);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
	cr_expect_eq(sandbox_find(data, ID_A, &fd, &err), 0);
}

Test(sandboxes, ids_are_listed_in_order_and_may_be_cut)
{
	_close_ int a = make(ID_B);
	_close_ int b = make(ID_A);
	const char **ids, *whole;
	size_t n;

	cr_assert_eq(mkdirat(data, "sandboxes/other", 0700), 0);
	cr_assert_eq(sandbox_list(data, arena, &ids, &n, &err), 0);
	cr_assert_eq(n, 2);
	cr_expect_str_eq(ids[0], ID_A);
	cr_expect_str_eq(ids[1], ID_B);
	cr_expect_eq(sandbox_complete(data, "aaaab", arena, &whole, &err), 0);
	cr_expect_str_eq(whole, ID_A);
	cr_expect_eq(sandbox_complete(data, ID_B, arena, &whole, &err), 0);
	cr_expect_str_eq(whole, ID_B);
	cr_expect_eq(sandbox_complete(data, "aaaa", arena, &whole, &err), -1);
	cr_expect_eq(err.code, ERR_INVALID);
	static const char *const none[] = { "aaa", "", "aaaa/", "..", "AAAAB", "aaaad", ID_A "0" };
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		cr_expect_eq(sandbox_complete(data, none[i], arena, &whole, &err), 0);
		cr_expect_null(whole, "%s", none[i]);
	}
}

Test(sandboxes, nothing_is_found_where_there_is_no_folder)
{
	char id[SANDBOX_ID_LEN + 1];
	const char **ids, *whole;
	size_t n;
	int fd;

	for (int at = FD_NONE;; at = data) {
		cr_expect_eq(sandbox_find(at, ID_A, &fd, &err), 0);
		cr_expect_eq(sandbox_list(at, arena, &ids, &n, &err), 0);
		cr_expect_eq(n, 0);
		cr_expect_eq(sandbox_complete(at, "aaaa", arena, &whole, &err), 0);
		cr_expect_null(whole);
		cr_expect_eq(sandbox_name_read(at, "key", id, &err), 0);
		cr_expect_str_eq(id, "");
		cr_expect_eq(sandbox_remove(at, ID_A, &err), 0);
		if (at == data)
			break;
	}
}
