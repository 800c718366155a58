/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "base/str.h"
#include "store/containers.h"
#include "store/record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-store-XXXXXX";
static char root[64];
static struct store store = STORE_INIT;
static struct arena *arena;
static struct err err;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/a/root", dir);
	arena = arena_new();
	cr_assert_eq(store_open(root, STORE_MAKE, &store, &err), 0);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	store_close(&store);
	arena_free(arena);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(store, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static struct ctr_pair pairs[] = { { "a/b", "c\"d\n" }, { "e", "" } };
static const struct ctr_record full = {
	.id = "web1",
	.oci_version = "1.3.0",
	.backend = "native",
	.bundle = "/b",
	.rootfs = "/b/rootfs",
	.created = "2026-01-02T03:04:05.000000006Z",
	.owner = "root",
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.annotations = { pairs, 2 },
	.phase = CTR_CREATED,
	.starting = true,
	.pid = 123,
	.start_time = UINT64_MAX,
	.cgroup = "/ctrctl-web1",
	.cgroup_manager = CTR_CGROUP_DISABLED,
	.cgroup_made = true,
	.private_pid_ns = true,
	.has_start_hooks = true,
	.has_poststop = true,
	.notify = true,
};

static int claim(const char *id, struct store_box *box)
{
	err = (struct err)ERR_INIT;
	return store_claim(&store, id, box, &err);
}

Test(store, makes_folders_that_only_root_may_enter)
{
	struct store_box box = STORE_BOX_INIT;
	struct stat st;

	cr_assert_eq(fstat(store.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(claim("web1", &box), 0);
	cr_assert_eq(fstat(box.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(store_save(&box, &full, &err), 0);
	cr_assert_eq(fstatat(box.fd, "state.json", &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	store_box_close(&box);
}

Test(store, refuses_root_folders_that_others_command)
{
	static const char *const slashes[] = { "/", "//", "/.", "/tmp/..", "/../" };
	struct store s = STORE_INIT;
	char link[128];

	for (size_t i = 0; i < ARRAY_SIZE(slashes); i++)
		cr_assert_eq(store_open(slashes[i], STORE_MAKE, &s, &err), -1, "%s", slashes[i]);
	cr_assert_eq(store_open("", STORE_MAKE, &s, &err), -1);
	snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink(root, link), 0);
	cr_assert_eq(store_open(link, STORE_MAKE, &s, &err), -1);
	snprintf(link, sizeof(link), "%s/link/", dir);
	cr_assert_eq(
		store_open(link, STORE_MAKE, &s, &err), -1, "a slash at the end follows nothing");
	cr_assert_eq(chmod(root, 0770), 0);
	cr_assert_eq(store_open(root, STORE_MAKE, &s, &err), -1);
	cr_assert_eq(chmod(root, 0702), 0);
	cr_assert_eq(store_open(root, STORE_MAKE, &s, &err), -1);
	cr_assert_eq(chmod(root, 0711), 0);
	cr_assert_eq(chown(root, 65534, 0), 0);
	cr_assert_eq(store_open(root, STORE_MAKE, &s, &err), -1);
	cr_assert_eq(chown(root, 0, 0), 0);
	cr_assert_eq(store_open(root, STORE_MAKE, &s, &err), 0, "%s", said());
	store_close(&s);
}

Test(store, finds_nothing_in_a_root_folder_that_isnt_there)
{
	struct store s = STORE_INIT;
	struct store_box box = STORE_BOX_INIT;
	const char **ids;
	size_t n;

	cr_assert_eq(store_open("/tmp/ctrctl/never/was", STORE_FIND, &s, &err), 0);
	cr_assert_eq(store_find(&s, "web1", &box, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	cr_assert_eq(store_list(&s, arena, &ids, &n, &err), 0);
	cr_assert_eq(n, 0);
	cr_assert_neq(access("/tmp/ctrctl/never", F_OK), 0);
}

Test(store, takes_the_ids_that_the_rule_allows)
{
	static const char *const good[] = { "a", "0", "_", "+", "-", "a.b", "A-b_c+d.0", "a..",
		"-rf" };
	static const char *const bad[] = { "", ".", "..", ".a", "a/b", "/", "%2e%2e", "a b", "a\n",
		"\xc3\xa4", "a\\b", "a:b" };
	char longest[202];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert_eq(store_check_id(good[i], &err), 0, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(store_check_id(bad[i], &err), -1, "%s", bad[i]);
		cr_assert_eq(err.code, ERR_INVALID);
	}
	memset(longest, 'x', sizeof(longest));
	longest[201] = '\0';
	cr_assert_eq(store_check_id(longest, &err), -1);
	longest[200] = '\0';
	cr_assert_eq(store_check_id(longest, &err), 0);
}

Test(store, gives_back_every_member_of_a_record)
{
	_str_ struct str before = { 0 }, after = { 0 };
	struct store_box box = STORE_BOX_INIT;
	struct ctr_record r;

	cr_assert_eq(claim("web1", &box), 0);
	cr_assert_eq(store_save(&box, &full, &err), 0);
	cr_assert_eq(store_load(&box, "web1", arena, &r, &err), 0, "%s", said());
	record_write(&full, &before);
	record_write(&r, &after);
	cr_assert_str_eq(before.p, after.p);
	cr_assert_eq(r.start_time, UINT64_MAX);
	cr_assert_eq(r.phase, CTR_CREATED);
	cr_assert_eq(r.cgroup_manager, CTR_CGROUP_DISABLED);
	cr_assert(r.cgroup_made && r.private_pid_ns && r.has_start_hooks && r.has_poststop &&
		  r.notify);
	cr_assert_str_eq(ctr_map_get(&r.annotations, "a/b"), "c\"d\n");
	store_box_close(&box);
}

Test(store, tells_a_record_that_was_cut_at_any_length)
{
	_str_ struct str text = { 0 };
	struct store_box box = STORE_BOX_INIT;
	struct ctr_record r;

	record_write(&full, &text);
	cr_assert_eq(claim("web1", &box), 0);
	/* the last byte is a newline */
	for (size_t n = 0; n < text.n - 1; n++) {
		cr_assert_eq(file_replace(box.fd, "state.json", text.p, n, 0600, &err), 0);
		cr_assert_eq(store_load(&box, "web1", arena, &r, &err), -1, "%zu bytes", n);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert(strstr(err.hint, "ctrctl delete --force web1"));
	}
	cr_assert_eq(unlinkat(box.fd, "state.json", 0), 0);
	cr_assert_eq(store_load(&box, "web1", arena, &r, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	store_box_close(&box);
}

Test(store, refuses_foreign_records)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"version\":2,\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"created\"}",
		"{\"version\":\"1\",\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"created\"}",
		"{\"version\":1,\"id\":\"web2\",\"backend\":\"native\",\"phase\":\"created\"}",
		"{\"version\":1,\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"dreaming\"}",
		"{\"version\":1,\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"created\",\"pid\":-5}",
		"{\"version\":1,\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"created\",\"unheard\":1}",
		"{\"version\":1,\"backend\":\"native\",\"phase\":\"created\"}",
	};
	static const char good[] =
		"{\"version\":1,\"id\":\"web1\",\"backend\":\"native\",\"phase\":\"created\"}";
	struct store_box box = STORE_BOX_INIT;
	struct ctr_record r;

	cr_assert_eq(claim("web1", &box), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(
			file_replace(box.fd, "state.json", texts[i], strlen(texts[i]), 0600, &err),
			0);
		cr_assert_eq(store_load(&box, "web1", arena, &r, &err), -1, "%s", texts[i]);
		cr_assert_eq(err.code, ERR_INVALID);
	}
	cr_assert_eq(file_replace(box.fd, "state.json", good, strlen(good), 0600, &err), 0);
	cr_assert_eq(store_load(&box, "web1", arena, &r, &err), 0, "%s", said());
	store_box_close(&box);
}

Test(store, lets_exactly_one_of_fifty_claim_an_id)
{
	enum { N = 50 };
	pid_t pids[N];
	int start[2], won = 0, lost = 0, status;
	char go;

	cr_assert_eq(pipe(start), 0);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct store_box box = STORE_BOX_INIT;

			close(start[1]);
			if (read(start[0], &go, 1) != 0)
				_exit(9);
			if (claim("web1", &box) == 0)
				_exit(0);
			_exit(err.code == ERR_EXISTS ? 1 : 2);
		}
	}
	close(start[1]); /* all at once */
	for (int i = 0; i < N; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		won += WEXITSTATUS(status) == 0;
		lost += WEXITSTATUS(status) == 1;
	}
	cr_assert_eq(won, 1);
	cr_assert_eq(lost, N - 1);
}

Test(store, keeps_others_out_until_the_holder_lets_go)
{
	struct store_box mine = STORE_BOX_INIT, other = STORE_BOX_INIT;

	cr_assert_eq(claim("web1", &mine), 0);
	cr_assert_eq(store_find(&store, "web1", &other, &err), 0);
	cr_assert_eq(store_is_locked(&other), 1);
	cr_assert_eq(store_lock(&other, "web1", 30, &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	cr_assert(strstr(said(), "held by pid"), "%s", said());
	store_unlock(&mine);
	cr_assert_eq(store_is_locked(&other), 0);
	cr_assert_eq(store_lock(&other, "web1", 30, &err), 0);
	store_box_close(&other);
	store_box_close(&mine);
}

Test(store, drops_the_lock_of_a_process_that_was_killed)
{
	struct store_box box = STORE_BOX_INIT, mine = STORE_BOX_INIT;
	int ready[2], status;
	char c;

	cr_assert_eq(claim("web1", &mine), 0);
	store_box_close(&mine);
	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (store_find(&store, "web1", &box, &err) < 0 ||
			store_lock(&box, "web1", 0, &err) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	cr_assert_eq(read(ready[0], &c, 1), 1);
	cr_assert_eq(store_find(&store, "web1", &box, &err), 0);
	cr_assert_eq(store_lock(&box, "web1", 0, &err), -1);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(store_lock(&box, "web1", 0, &err), 0);
	store_box_close(&box);
}

Test(store, tells_who_waited_for_a_folder_that_is_gone)
{
	struct store_box mine = STORE_BOX_INIT, other = STORE_BOX_INIT;

	cr_assert_eq(claim("web1", &mine), 0);
	cr_assert_eq(store_find(&store, "web1", &other, &err), 0);
	cr_assert_eq(store_remove(&store, "web1", &err), 0);
	store_box_close(&mine);
	cr_assert_eq(claim("web1", &mine), 0);
	cr_assert_eq(store_lock(&other, "web1", 0, &err), -1, "the new folder isn't the old one");
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	store_box_close(&mine);
	store_box_close(&other);
}

Test(store, removes_a_folder_with_whatever_is_in_it)
{
	struct store_box box = STORE_BOX_INIT;

	cr_assert_eq(claim("web1", &box), 0);
	cr_assert_eq(store_save(&box, &full, &err), 0);
	cr_assert_eq(store_save_config(&box, "{}", 2, &err), 0);
	cr_assert_eq(mkdirat(box.fd, "sub", 0700), 0);
	cr_assert_eq(symlinkat("/etc/passwd", box.fd, "sub/link"), 0);
	cr_assert_eq(store_remove(&store, "web1", &err), 0, "%s", said());
	cr_assert_eq(store_remove(&store, "web1", &err), 0, "twice");
	cr_assert_eq(faccessat(store.fd, "web1", F_OK, 0), -1);
	cr_assert_eq(access("/etc/passwd", F_OK), 0);
	store_box_close(&box);
}

Test(store, lists_ids_in_order_and_nothing_else)
{
	static const char *const names[] = { "b", "a", "c" };
	struct store_box box = STORE_BOX_INIT;
	const char **ids;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(claim(names[i], &box), 0);
		store_box_close(&box);
	}
	fd_close(store_cache(&store));
	fd_close(openat(store.fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	cr_assert_eq(symlinkat("a", store.fd, "link"), 0);
	cr_assert_eq(store_list(&store, arena, &ids, &n, &err), 0);
	cr_assert_eq(n, 3);
	cr_assert(str_eq(ids[0], "a") && str_eq(ids[1], "b") && str_eq(ids[2], "c"));
}

Test(store, keeps_the_config_as_it_was_read)
{
	static const char text[] = "{ \"a\" : 1 }\n\n";
	struct store_box box = STORE_BOX_INIT;
	_free_ char *back = NULL;
	size_t n;

	cr_assert_eq(claim("web1", &box), 0);
	cr_assert_eq(store_load_config(&box, "web1", &back, &n, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(store_save_config(&box, text, sizeof(text) - 1, &err), 0);
	cr_assert_eq(store_load_config(&box, "web1", &back, &n, &err), 0);
	cr_assert(n == sizeof(text) - 1 && memcmp(back, text, n) == 0);
	store_box_close(&box);
}

Test(store, makes_the_cache_for_root_alone)
{
	int fd = store_cache(&store);
	struct stat st;

	cr_assert(fd >= 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	fd_close(fd);
	cr_assert_eq(unlinkat(store.fd, ".cache", AT_REMOVEDIR), 0);
	cr_assert_eq(symlinkat("/tmp", store.fd, ".cache"), 0);
	cr_assert_lt(store_cache(&store), 0, "a link is no cache");
}
