/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "base/str.h"
#include "store/folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_A "aaaabbbbccccdddd00001111222233334444555566667777888899990000aaaa"
#define ID_B "aaaacccc0000dddd00001111222233334444555566667777888899990000bbbb"
#define ID_C "bbbbcccc0000dddd00001111222233334444555566667777888899990000cccc"

static char dir[] = "/tmp/ctrctl-folder-XXXXXX";
static int data = FD_NONE, top = FD_NONE;
static struct arena *arena;
static struct err err;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	data = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(data, "top", 0700), 0);
	top = folder_open_top(data, "top");
	cr_assert(top >= 0);
	arena = arena_new();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(top);
	fd_close(data);
	arena_free(arena);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(folder, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

/* flocks belong to open files: another one is as good as another process. */
static int opened(const char *name)
{
	int fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0);
	return fd;
}

static bool there(const char *name)
{
	return faccessat(top, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int claim(const char *id, int *ret)
{
	*ret = FD_NONE;
	return folder_claim(top, id, 5, "somebody works on it", ret, &err);
}

Test(folder, an_id_is_64_hex_digits)
{
	cr_assert(folder_is_hex_id(ID_A));
	cr_assert_not(folder_is_hex_id(""));
	cr_assert_not(folder_is_hex_id(ID_A "a"));
	cr_assert_not(folder_is_hex_id(&ID_A[1]));
	cr_assert_not(folder_is_hex_id(
		"AAAABBBBccccdddd00001111222233334444555566667777888899990000aaaa"));
	cr_assert_not(folder_is_hex_id(
		"../abbbbccccdddd00001111222233334444555566667777888899990000aaaa"));
}

Test(folder, a_claim_makes_the_folder_and_locks_it)
{
	_close_ int mine = FD_NONE, other = FD_NONE;
	struct stat st;

	cr_assert_eq(claim(ID_A, &mine), 0, "%s", said());
	cr_assert(fstat(mine, &st) == 0 && (st.st_mode & 0777) == 0700);
	other = opened(ID_A);
	cr_assert_eq(folder_is_locked(other), 1);
	cr_assert_eq(folder_lock(other, LOCK_EX, 5, "busy", &err), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	cr_assert(strstr(said(), "busy"), "%s", said());
	folder_unlock(mine);
	cr_assert_eq(folder_is_locked(other), 0);
	cr_assert_eq(folder_lock(other, LOCK_EX, 0, "busy", &err), 1);
}

Test(folder, a_claim_takes_the_one_that_is_there)
{
	_close_ int mine = FD_NONE;

	cr_assert_eq(mkdirat(top, ID_A, 0700), 0);
	cr_assert_eq(mkdirat(top, ID_A "/in", 0700), 0);
	cr_assert_eq(claim(ID_A, &mine), 0, "%s", said());
	cr_assert(there(ID_A "/in"));
}

Test(folder, a_claim_waits_for_the_holder_only_so_long)
{
	_close_ int mine = FD_NONE, other = FD_NONE;

	cr_assert_eq(claim(ID_A, &mine), 0);
	cr_assert_eq(claim(ID_A, &other), -1);
	cr_assert_eq(err.code, ERR_TIMEOUT);
	cr_assert(strstr(said(), "somebody works on it"), "%s", said());
	cr_assert(there(ID_A), "a folder that wasn't made here was removed");
}

Test(folder, a_claim_of_what_is_no_folder_fails)
{
	_close_ int fd = openat(top, ID_A, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), mine = FD_NONE;

	cr_assert_eq(claim(ID_A, &mine), -1);
	cr_assert_eq(err.os, ENOTDIR, "%s", said());
	cr_assert_eq(symlinkat(dir, top, ID_B), 0);
	cr_assert_eq(claim(ID_B, &mine), -1, "a symlink was followed");
	cr_assert(there(ID_A) && there(ID_B));
	cr_assert_eq(folder_claim(FD_NONE, ID_C, 5, "busy", &mine, &err), -1);
	cr_assert_eq(err.os, EBADF);
}

Test(folder, a_lock_tells_that_the_folder_is_gone)
{
	_close_ int mine = FD_NONE, other = FD_NONE;

	cr_assert_eq(claim(ID_A, &mine), 0);
	other = opened(ID_A);
	cr_assert_eq(unlinkat(top, ID_A, AT_REMOVEDIR), 0);
	folder_unlock(mine);
	cr_assert_eq(folder_lock(other, LOCK_EX, 5, "busy", &err), 0);
	cr_assert_eq(folder_lock(FD_NONE, LOCK_EX, 5, "busy", &err), -1);
	cr_assert_eq(err.os, EBADF);
}

Test(folder, shared_locks_are_many_and_keep_a_change_away)
{
	_close_ int a = FD_NONE, b = FD_NONE, c = FD_NONE;

	cr_assert_eq(mkdirat(top, ID_A, 0700), 0);
	a = opened(ID_A);
	b = opened(ID_A);
	c = opened(ID_A);
	cr_assert_eq(folder_lock(a, LOCK_SH, 0, "busy", &err), 1);
	cr_assert_eq(folder_lock(b, LOCK_SH, 0, "busy", &err), 1);
	cr_assert_eq(folder_is_locked(c), 0, "it isn't locked for change");
	cr_assert_eq(folder_lock(c, LOCK_EX, 0, "busy", &err), -1);
}

Test(folder, what_is_not_there_is_not_found)
{
	_close_ int fd = FD_NONE;

	cr_assert_eq(folder_find(data, "top", ID_A, &fd, &err), 0);
	cr_assert_eq(fd, FD_NONE);
	cr_assert_eq(folder_find(data, "nothing", ID_A, &fd, &err), 0);
	cr_assert_eq(folder_find(FD_NONE, "top", ID_A, &fd, &err), 0);
	cr_assert_eq(folder_find(data, "top", "../top", &fd, &err), 0);
	cr_assert_eq(mkdirat(top, ID_A, 0700), 0);
	cr_assert_eq(folder_find(data, "top", ID_A, &fd, &err), 1, "%s", said());
	cr_assert(fd >= 0);
}

Test(folder, a_link_is_no_folder)
{
	_close_ int fd = FD_NONE;

	cr_assert_eq(symlinkat(dir, top, ID_A), 0);
	cr_assert_eq(folder_find(data, "top", ID_A, &fd, &err), -1);
	cr_assert_eq(symlinkat(dir, data, "link"), 0);
	fd = folder_open_top(data, "link");
	cr_assert(fd < 0, "a symlink was followed");
	fd = folder_open_top(FD_NONE, "top");
	cr_assert(fd == FD_NONE && errno == ENOENT);
}

static size_t list(const char *prefix, const char ***ret)
{
	size_t n = 99;

	cr_assert_eq(folder_list(folder_open_top(data, "top"), folder_is_hex_id, prefix, "things",
			     arena, ret, &n, &err),
		0, "%s", said());
	return n;
}

Test(folder, the_list_is_sorted_and_has_folders_that_fit)
{
	_close_ int file =
		openat(top, "ccccbbbbccccdddd00001111222233334444555566667777888899990000aaaa",
			O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	const char **ids;

	cr_assert_eq(list("", &ids), 0);
	cr_assert(file >= 0 && mkdirat(top, ID_C, 0700) == 0 && mkdirat(top, ID_A, 0700) == 0);
	cr_assert(mkdirat(top, "names", 0700) == 0 && mkdirat(top, ID_B, 0700) == 0);
	cr_assert_eq(list("", &ids), 3);
	cr_assert_str_eq(ids[0], ID_A);
	cr_assert_str_eq(ids[1], ID_B);
	cr_assert_str_eq(ids[2], ID_C);
	cr_assert_eq(list("aaaac", &ids), 1);
	cr_assert_str_eq(ids[0], ID_B);
}

Test(folder, the_list_grows)
{
	const char **ids;
	char name[FOLDER_HEX_ID + 1];

	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "%064x", 149 - i);
		cr_assert_eq(mkdirat(top, name, 0700), 0);
	}
	cr_assert_eq(list("", &ids), 150);
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "%064x", i);
		cr_assert_str_eq(ids[i], name);
	}
}

Test(folder, a_list_of_nothing_is_empty_and_of_a_file_an_error)
{
	_close_ int file = openat(data, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	const char **ids;
	size_t n = 99;

	cr_assert_eq(folder_list(folder_open_top(data, "nothing"), folder_is_hex_id, "", "things",
			     arena, &ids, &n, &err),
		0);
	cr_assert_eq(n, 0);
	cr_assert_eq(folder_list(folder_open_top(data, "file"), folder_is_hex_id, "", "things",
			     arena, &ids, &n, &err),
		-1);
	cr_assert_eq(err.os, ENOTDIR, "%s", said());
}

static const char *complete(const char *prefix, int want)
{
	const char *id = "?";

	cr_assert_eq(folder_complete(data, "top", prefix, "things", arena, &id, &err), want, "%s",
		said());
	return id;
}

Test(folder, the_beginning_of_an_id_stands_for_it)
{
	cr_assert(mkdirat(top, ID_A, 0700) == 0 && mkdirat(top, ID_B, 0700) == 0 &&
		  mkdirat(top, ID_C, 0700) == 0);
	cr_assert_str_eq(complete("bbbb", 0), ID_C);
	cr_assert_str_eq(complete("aaaab", 0), ID_A);
	cr_assert_str_eq(complete(ID_B, 0), ID_B);
	cr_assert_null(complete("bbb", 0), "three digits are too few");
	cr_assert_null(complete("dddd", 0));
	cr_assert_null(complete("bbbB", 0));
	cr_assert_null(complete(ID_B "0", 0));
	complete("aaaa", -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert(strstr(said(), "several things begin with it: aaaabbbbcccc, aaaacccc0000"), "%s",
		said());
}
