/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive's entries become. Attacks are in tests/kernel/layers.py. */
#include "base/fd.h"
#include "base/path.h"
#include "image/unpack.h"
#include "tarball.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char folder[] = "/tmp/ctrctl-test-unpack-XXXXXX";
static int root = FD_NONE;

static void begin(void)
{
	if (geteuid() != 0)
		cr_skip_test("owners and whiteouts need root");
	cr_assert(mkdtemp(folder));
	root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(root >= 0);
}

static void end(void)
{
	struct err err = ERR_INIT;

	root = fd_close(root);
	cr_assert(path_remove_tree(AT_FDCWD, folder, &err) == 0);
}

TestSuite(unpack, .init = begin, .fini = end);

static int unpack(struct tarball *t, struct err *err)
{
	tarball_end(t);
	cr_assert(!t->bytes.failed);
	return unpack_memory(t->bytes.p, t->bytes.n, root, NULL, err);
}

static void unpack_ok(struct tarball *t)
{
	struct err err = ERR_INIT;
	char line[1024];

	if (unpack(t, &err) == 0)
		return;
	err_line(&err, line, sizeof(line));
	cr_assert(false, "%s", line);
}

static struct stat look(const char *path)
{
	struct stat st;

	cr_assert(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s", path);
	return st;
}

static void has_text(const char *path, const char *text)
{
	_free_ char *got = NULL;
	struct err err = ERR_INIT;
	size_t n;

	cr_assert(file_read(root, path, 1 << 20, &got, &n, &err) == 0, "%s", path);
	cr_assert_str_eq(got, text);
}

Test(unpack, makes_files_folders_links_and_fifos)
{
	_tarball_ struct tarball t = { 0 };
	char target[16] = "";

	tarball_add(&t, '5', "./", NULL);
	tarball_add(&t, '5', "d/", NULL);
	tarball_file(&t, "d/file", "hello");
	tarball_add(&t, '1', "d/hard", "d/file");
	tarball_add(&t, '2', "d/soft", "../x/y");
	tarball_add(&t, '6', "d/fifo", NULL);
	unpack_ok(&t);
	has_text("d/file", "hello");
	cr_assert_eq(look("d/file").st_ino, look("d/hard").st_ino);
	cr_assert(S_ISFIFO(look("d/fifo").st_mode));
	cr_assert_eq(readlinkat(root, "d/soft", target, sizeof(target) - 1), 6);
	cr_assert_str_eq(target, "../x/y");
}
