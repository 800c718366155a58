/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/fd.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static int dir_fd = FD_NONE;

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ctrctl-test-path.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_dir(void)
{
	struct err err;
	_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fd_close(dir_fd);
	cr_assert_eq(path_remove_tree(tmp, dir + sizeof("/tmp/") - 1, &err), 0, "%s %s", err.object,
		err.text);
}

TestSuite(path, .init = make_dir, .fini = remove_dir);

static void touch(const char *name)
{
	close(openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static void link_to(const char *target, const char *name)
{
	cr_assert_eq(symlinkat(target, dir_fd, name), 0);
}

static ino_t inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

Test(path, symlinks_resolve_inside_of_the_root)
{
	struct err err = ERR_INIT;

	mkdirat(dir_fd, "run", 0755);
	mkdirat(dir_fd, "var", 0755);
	link_to("/run", "var/run");
	link_to("../../../../../../run", "var/up");
	_close_ int direct = path_open_in(dir_fd, "run", O_PATH, &err);
	_close_ int absolute = path_open_in(dir_fd, "/var/run", O_PATH, &err);
	_close_ int up = path_open_in(dir_fd, "/var/up", O_PATH, &err);
	_close_ int dots = path_open_in(dir_fd, "/../../run", O_PATH, &err);
	cr_assert_eq(inode(absolute), inode(direct));
	cr_assert_eq(inode(up), inode(direct));
	cr_assert_eq(inode(dots), inode(direct));
	cr_assert_eq(fcntl(direct, F_GETFD), FD_CLOEXEC);
}

Test(path, magic_links_are_refused)
{
	struct err err = ERR_INIT;
	_close_ int proc = open("/proc", O_PATH | O_DIRECTORY);

	cr_assert_eq(path_open_in(proc, "self/exe", O_PATH, &err), -1);
	cr_assert_eq(err.os, ELOOP);
}

Test(path, beneath_leaves_by_no_way)
{
	struct err err = ERR_INIT;

	mkdirat(dir_fd, "a", 0755);
	link_to("a", "link");
	_close_ int ok = path_open_beneath(dir_fd, "a", O_PATH, &err);
	cr_assert_geq(ok, 0);
	cr_assert_eq(path_open_beneath(dir_fd, "link", O_PATH, &err), -1);
	cr_assert_eq(path_open_beneath(dir_fd, "..", O_PATH, &err), -1);
	cr_assert_eq(path_open_beneath(dir_fd, "/tmp", O_PATH, &err), -1);
	cr_assert_eq(path_open_beneath(dir_fd, "missing", O_PATH, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
}

Test(path, clean_resolves_dots_lexically)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "/", "/" }, { "", "/" }, { "//", "/" }, { "/a//b/./c/", "/a/b/c" },
		{ "/a/../b", "/b" }, { "/../..", "/" }, { "/a/b/../..", "/" }, { "a/b", "/a/b" },
		{ "../x", "/x" }, { "/...", "/..." }, { "/a/..b/.c", "/a/..b/.c" },
		{ "/a/../proc", "/proc" }, { "//proc/./attr", "/proc/attr" } };
	_arena_ struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_str_eq(path_clean(a, rows[i].in), rows[i].out, "%s", rows[i].in);
}

Test(path, is_under_compares_whole_components)
{
	cr_assert(path_is_under("/proc", "/proc"));
	cr_assert(path_is_under("/proc/sys", "/proc"));
	cr_assert_not(path_is_under("/process", "/proc"));
	cr_assert_not(path_is_under("/", "/proc"));
	cr_assert(path_is_under("/anything", "/"));
}

Test(path, make_dirs_makes_all_and_accepts_what_is_there)
{
	struct err err = ERR_INIT;
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	cr_assert_eq(path_make_dirs(path, 0700, &err), 0);
	cr_assert_eq(path_make_dirs(path, 0700, &err), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert(S_ISDIR(st.st_mode));
	touch("file");
	snprintf(path, sizeof(path), "%s/file", dir);
	cr_assert_eq(path_make_dirs(path, 0700, &err), -1);
	snprintf(path, sizeof(path), "%s/file/x", dir);
	cr_assert_eq(path_make_dirs(path, 0700, &err), -1);
}

Test(path, remove_tree_takes_everything_but_what_links_point_to)
{
	struct err err = ERR_INIT;

	mkdirat(dir_fd, "keep", 0755);
	touch("keep/file");
	mkdirat(dir_fd, "t", 0755);
	mkdirat(dir_fd, "t/d", 0755);
	touch("t/d/f");
	link_to("../keep", "t/link");
	mkfifoat(dir_fd, "t/fifo", 0600);
	cr_assert_eq(path_remove_tree(dir_fd, "t", &err), 0);
	cr_assert_eq(faccessat(dir_fd, "t", F_OK, 0), -1);
	cr_assert_eq(faccessat(dir_fd, "keep/file", F_OK, 0), 0);
	cr_assert_eq(path_remove_tree(dir_fd, "t", &err), 0, "absent is success");
}
