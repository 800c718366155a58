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
	_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	root = fd_close(root);
	cr_assert(path_remove_tree(tmp, strrchr(folder, '/') + 1, &err) == 0);
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

static bool is_there(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_whiteout(const char *path)
{
	struct stat st = look(path);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

/* The attribute's text, "" where there is none. */
static const char *attribute(const char *path, const char *name)
{
	static char value[64];
	_close_ int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fgetxattr(fd, name, value, sizeof(value) - 1);

	cr_assert(fd >= 0, "%s", path);
	value[n < 0 ? 0 : n] = 0;
	return value;
}

static bool is_opaque(const char *path)
{
	return str_eq(attribute(path, "trusted.overlay.opaque"), "y");
}

/* Refused with that code and a line that has all of `part`. */
static void refused(struct tarball *t, enum err_code code, const char *part)
{
	struct err err = ERR_INIT;
	char line[2048];

	cr_assert(unpack(t, &err) < 0, "%s", part);
	err_line(&err, line, sizeof(line));
	cr_assert_eq(err.code, code, "%s", line);
	cr_assert(strstr(line, part), "\"%s\" isn't in \"%s\"", part, line);
}

/* One entry alone is refused. */
static void refused_entry(char type, const char *name, const char *link, const char *part)
{
	_tarball_ struct tarball t = { 0 };

	tarball_add(&t, type, name, link);
	refused(&t, ERR_INVALID, part);
}

static const char *const odd_names[] = { "\xc3\xa4", /* a-umlaut */
	"a\xcc\x88",                                 /* the same, decomposed */
	"\xe6\x97\xa5\xe6\x9c\xac", "\xff", "\xc3", "x\xff\xfe\xc0\x80y", "\xed\xa0\x80",
	"back\\slash", "new\nline", "%s", " ", "\x01\x7f" };

Test(unpack, keeps_every_byte_of_ustar_names)
{
	_tarball_ struct tarball t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(odd_names); i++)
		tarball_file(&t, odd_names[i], odd_names[i]);
	unpack_ok(&t);
	for (size_t i = 0; i < ARRAY_SIZE(odd_names); i++)
		has_text(odd_names[i], odd_names[i]);
}

Test(unpack, keeps_every_byte_of_pax_names_and_links)
{
	_tarball_ struct tarball t = { 0 };
	char target[32];

	for (size_t i = 0; i < ARRAY_SIZE(odd_names); i++) {
		char name[64];
		snprintf(name, sizeof(name), "l%s", odd_names[i]);
		tarball_pax(&t, 'x', "path", odd_names[i], strlen(odd_names[i]));
		tarball_file(&t, "short", odd_names[i]);
		tarball_pax(&t, 'x', "linkpath", odd_names[i], strlen(odd_names[i]));
		tarball_add(&t, '2', name, "short");
		name[0] = 'h';
		tarball_pax(&t, 'x', "linkpath", odd_names[i], strlen(odd_names[i]));
		tarball_add(&t, '1', name, "short");
	}
	unpack_ok(&t);
	for (size_t i = 0; i < ARRAY_SIZE(odd_names); i++) {
		char name[64];
		has_text(odd_names[i], odd_names[i]);
		snprintf(name, sizeof(name), "l%s", odd_names[i]);
		ssize_t n = readlinkat(root, name, target, sizeof(target) - 1);
		cr_assert(n > 0);
		target[n] = 0;
		cr_assert_str_eq(target, odd_names[i]);
		name[0] = 'h';
		cr_assert_eq(look(name).st_ino, look(odd_names[i]).st_ino);
	}
}

Test(unpack, sets_owner_mode_and_time)
{
	_tarball_ struct tarball t = { 0 };
	const struct tar_head setuid = {
		.type = '0', .name = "su", .mode = 06755, .uid = 12, .gid = 34, .mtime = 77
	};
	const struct tar_head dir = {
		.type = '5', .name = "d", .mode = 01777, .uid = 5, .gid = 6, .mtime = 88
	};
	const struct tar_head link = { .type = '2', .name = "l", .link = "su", .uid = 7, .gid = 8 };
	const struct tar_head fifo = {
		.type = '6', .name = "f", .mode = 0622, .uid = 9, .gid = 10, .mtime = 99
	};
	const struct tar_head top = {
		.type = '5', .name = ".", .mode = 0751, .uid = 1, .mtime = 66
	};

	tarball_head(&t, &top);
	tarball_head(&t, &setuid);
	tarball_head(&t, &dir);
	tarball_head(&t, &link);
	tarball_pax(&t, 'x', "mtime", "1234.567890123", 14);
	tarball_file(&t, "d/in", "it");
	tarball_head(&t, &fifo);
	unpack_ok(&t);
	struct stat st = look("su");
	cr_assert_eq(st.st_mode, (mode_t)(S_IFREG | 06755));
	cr_assert(st.st_uid == 12 && st.st_gid == 34 && st.st_mtime == 77);
	st = look("d");
	cr_assert_eq(st.st_mode, (mode_t)(S_IFDIR | 01777));
	/* Although something was made in it later. */
	cr_assert(st.st_uid == 5 && st.st_gid == 6 && st.st_mtime == 88);
	st = look("l");
	cr_assert(st.st_uid == 7 && st.st_gid == 8 && st.st_mtime == 0);
	st = look("d/in");
	cr_assert(st.st_mtim.tv_sec == 1234 && st.st_mtim.tv_nsec == 567890123);
	st = look("f");
	cr_assert(st.st_mode == (S_IFIFO | 0622) && st.st_uid == 9 && st.st_mtime == 99);
	st = look(".");
	cr_assert(st.st_mode == (S_IFDIR | 0751) && st.st_uid == 1 && st.st_mtime == 66);
}

Test(unpack, refuses_owners_that_mean_something_else)
{
	static const char *const ids[] = { "4294967295", "4294967296", "-1",
		"9223372036854775807" };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		for (int group = 0; group < 2; group++) {
			_tarball_ struct tarball t = { 0 };
			tarball_pax(&t, 'x', group ? "gid" : "uid", ids[i], strlen(ids[i]));
			tarball_file(&t, "file", "");
			refused(&t, ERR_INVALID, "which can't be");
		}
}

Test(unpack, makes_missing_folders_0755_whatever_the_umask)
{
	_tarball_ struct tarball t = { 0 };
	mode_t old = umask(077);

	tarball_file(&t, "a/b/c/file", "x");
	unpack_ok(&t);
	cr_assert_eq(umask(old), (mode_t)077);
	has_text("a/b/c/file", "x");
	cr_assert_eq(look("a").st_mode, (mode_t)(S_IFDIR | 0755));
	cr_assert_eq(look("a/b/c").st_mode, (mode_t)(S_IFDIR | 0755));
}

Test(unpack, takes_names_as_relative_to_the_root)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "/abs", "1");
	tarball_file(&t, "../../up", "2");
	tarball_file(&t, "./a/../b//c/./d", "3");
	tarball_add(&t, '1', "hard", "/../abs");
	unpack_ok(&t);
	has_text("abs", "1");
	has_text("up", "2");
	has_text("b/c/d", "3");
	has_text("hard", "1");
}

Test(unpack, follows_symlinks_of_the_layer_inside_the_root)
{
	_tarball_ struct tarball t = { 0 };

	tarball_add(&t, '5', "usr/lib", NULL);
	tarball_add(&t, '2', "lib", "/usr/lib");
	tarball_add(&t, '2', "up", "../../../usr");
	tarball_file(&t, "lib/one", "1");
	tarball_file(&t, "up/lib/two", "2");
	tarball_add(&t, '1', "lib/three", "up/lib/two");
	unpack_ok(&t);
	has_text("usr/lib/one", "1");
	has_text("usr/lib/two", "2");
	has_text("usr/lib/three", "2");
}

Test(unpack, lets_a_later_entry_replace_an_earlier_one)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "dir-file/a/b", "old");
	tarball_file(&t, "dir-file", "new");
	tarball_file(&t, "file-dir", "old");
	tarball_add(&t, '5', "file-dir", NULL);
	tarball_file(&t, "file-dir/in", "new");
	tarball_file(&t, "target", "keep");
	tarball_add(&t, '2', "link", "target");
	tarball_file(&t, "link", "new");
	tarball_add(&t, '1', "hard", "target");
	tarball_file(&t, "hard", "new");
	tarball_file(&t, "to-link", "old");
	tarball_add(&t, '2', "to-link", "target");
	tarball_add(&t, '5', "tree/in", NULL);
	tarball_add(&t, '6', "tree", NULL);
	tarball_file(&t, "linked", "old");
	tarball_add(&t, '1', "linked", "target");
	tarball_add(&t, '2', "link-dir", "file-dir");
	tarball_add(&t, '5', "link-dir", NULL);
	unpack_ok(&t);
	has_text("dir-file", "new");
	has_text("file-dir/in", "new");
	has_text("target", "keep");
	has_text("link", "new");
	has_text("hard", "new");
	cr_assert(S_ISREG(look("link").st_mode));
	cr_assert(S_ISLNK(look("to-link").st_mode));
	cr_assert(S_ISFIFO(look("tree").st_mode));
	has_text("linked", "keep");
	cr_assert(S_ISDIR(look("link-dir").st_mode));
	/* What the layer itself had there hid lower layers, and so does the folder in its place. */
	cr_assert(is_opaque("file-dir"));
	cr_assert(is_opaque("link-dir"));
}

Test(unpack, keeps_a_folders_content_when_it_comes_twice)
{
	_tarball_ struct tarball t = { 0 };
	const struct tar_head again = { .type = '5', .name = "d/", .mode = 0700, .mtime = 5 };

	tarball_add(&t, '5', "d", NULL);
	tarball_file(&t, "d/in", "x");
	tarball_head(&t, &again);
	unpack_ok(&t);
	has_text("d/in", "x");
	cr_assert_eq(look("d").st_mode, (mode_t)(S_IFDIR | 0700));
	cr_assert_eq(look("d").st_mtime, 5);
	cr_assert(!is_opaque("d"));
}

Test(unpack, turns_whiteouts_into_overlayfss)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "etc/.wh.passwd", "");
	tarball_file(&t, ".wh.top", "");
	tarball_file(&t, "new/deep/.wh.x", "");
	tarball_add(&t, '1', ".wh.hard", "etc/.wh.passwd"); /* AUFS linked them */
	tarball_file(&t, ".wh.\xff", "");
	unpack_ok(&t);
	cr_assert(is_whiteout("etc/passwd"));
	cr_assert(is_whiteout("top"));
	cr_assert(is_whiteout("new/deep/x"));
	cr_assert(is_whiteout("hard"));
	cr_assert(is_whiteout("\xff"));
	cr_assert(!is_there(".wh.top"));
}

Test(unpack, marks_opaque_folders_in_any_order)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "first/.wh..wh..opq", "");
	tarball_file(&t, "first/in", "1");
	tarball_file(&t, "last/in", "2");
	tarball_file(&t, "last/.wh..wh..opq", "");
	tarball_file(&t, "not/in", "3");
	unpack_ok(&t);
	cr_assert(is_opaque("first"));
	cr_assert(is_opaque("last"));
	cr_assert(!is_opaque("not"));
	has_text("first/in", "1");
	has_text("last/in", "2");
	cr_assert(!is_there("first/.wh..wh..opq"));
}

Test(unpack, lets_whiteouts_speak_of_lower_layers_only)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "file-first", "keep");
	tarball_file(&t, ".wh.file-first", "");
	tarball_file(&t, ".wh.file-last", "");
	tarball_file(&t, "file-last", "keep");
	tarball_file(&t, "dir-first/in", "keep");
	tarball_file(&t, ".wh.dir-first", "");
	tarball_file(&t, ".wh.dir-last", "");
	tarball_add(&t, '5', "dir-last", NULL);
	tarball_file(&t, ".wh.implied", "");
	tarball_file(&t, "implied/deep/in", "keep");
	unpack_ok(&t);
	has_text("file-first", "keep");
	has_text("file-last", "keep");
	has_text("dir-first/in", "keep");
	has_text("implied/deep/in", "keep");
	/* New folders under old names: nothing of the old ones shows. */
	cr_assert(is_opaque("dir-first"));
	cr_assert(is_opaque("dir-last"));
	cr_assert(is_opaque("implied"));
	cr_assert(!is_opaque("implied/deep"));
}

Test(unpack, needs_no_whiteouts_beneath_what_took_a_folders_place)
{
	_tarball_ struct tarball t = { 0 };

	/* As umoci writes it when a folder has become a file. */
	tarball_file(&t, "was-folder", "file");
	tarball_add(&t, '0', "was-folder/.wh.inside", NULL);
	tarball_add(&t, '0', "was-folder/deep/.wh..wh..opq", NULL);
	tarball_add(&t, '2', "link", "was-folder");
	tarball_add(&t, '0', "link/.wh.inside", NULL);
	tarball_add(&t, '0', ".wh.gone", NULL);
	tarball_add(&t, '0', "gone/.wh.inside", NULL);
	unpack_ok(&t);
	has_text("was-folder", "file");
	cr_assert(is_whiteout("gone"));
}

Test(unpack, refuses_whiteouts_of_nothing)
{
	refused_entry('0', ".wh.", NULL, "whiteout of nothing");
	refused_entry('0', "a/.wh..", NULL, "whiteout of nothing");
	refused_entry('0', "a/.wh...", NULL, "whiteout of nothing");
	refused_entry('0', ".wh.a/b", NULL, "beneath a whiteout");
	refused_entry('5', ".wh./", NULL, "whiteout of nothing");
}

Test(unpack, leaves_out_aufss_own_files)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, ".wh..wh.aufs", "");
	tarball_add(&t, '5', ".wh..wh.plnk", NULL);
	tarball_file(&t, ".wh..wh.plnk/1.2", "x");
	tarball_file(&t, "file", "y");
	unpack_ok(&t);
	has_text("file", "y");
	cr_assert(!is_there(".wh..wh.aufs"));
	cr_assert(!is_there(".wh.aufs"));
	cr_assert(!is_there(".wh..wh.plnk"));
}

Test(unpack, takes_attributes_by_a_list)
{
	/* cap_net_raw=ep */
	static const unsigned char capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0 };
	static const char *const dropped[] = { "trusted.overlay.opaque", "trusted.overlay.redirect",
		"user.overlay.opaque", "user.overlay.metacopy", "trusted.x", "security.selinux",
		"security.ima", "system.posix_acl_access", "system.posix_acl_default" };
	_tarball_ struct tarball t = { 0 };
	char value[64], name[64];

	tarball_pax(&t, 'x', "SCHILY.xattr.security.capability", capability, sizeof(capability));
	tarball_file(&t, "ping", "x");
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		snprintf(name, sizeof(name), "SCHILY.xattr.%s", dropped[i]);
		tarball_pax(&t, 'x', name, "y", 1);
		tarball_add(&t, '5', "d", NULL);
		tarball_pax(&t, 'x', name, "y", 1);
		tarball_file(&t, "f", "");
		tarball_pax(&t, 'x', name, "y", 1);
		tarball_add(&t, '2', "l", "f");
	}
	tarball_pax(&t, 'x', "SCHILY.acl.access", "user::rwx,group::r-x,other::---", 31);
	tarball_file(&t, "acl", "");
	unpack_ok(&t);
	_close_ int fd = openat(root, "ping", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fgetxattr(fd, "security.capability", value, sizeof(value)), 20);
	cr_assert(memcmp(value, capability, 20) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		cr_assert_str_empty(attribute("d", dropped[i]), "%s", dropped[i]);
		cr_assert_str_empty(attribute("f", dropped[i]), "%s", dropped[i]);
	}
	cr_assert_str_empty(attribute("acl", "system.posix_acl_access"));
}

Test(unpack, keeps_attributes_of_users)
{
	_tarball_ struct tarball t = { 0 };

	if (setxattr(folder, "user.test", "1", 1, 0) < 0)
		cr_skip_test("the file system of /tmp has no user attributes");
	tarball_pax(&t, 'x', "SCHILY.xattr.user.note", "seen", 4);
	tarball_file(&t, "f", "");
	tarball_pax(&t, 'x', "SCHILY.xattr.user.note", "here", 4);
	tarball_add(&t, '5', "d", NULL);
	unpack_ok(&t);
	cr_assert_str_eq(attribute("f", "user.note"), "seen");
	cr_assert_str_eq(attribute("d", "user.note"), "here");
}

Test(unpack, refuses_a_capability_that_is_none)
{
	_tarball_ struct tarball t = { 0 };

	tarball_pax(&t, 'x', "SCHILY.xattr.security.capability", "rubbish", 7);
	tarball_file(&t, "f", "");
	refused(&t, ERR_INVALID, "security.capability");
}

Test(unpack, never_makes_device_nodes)
{
	_tarball_ struct tarball t = { 0 };
	const struct tar_head null = {
		.type = '3', .name = "null", .mode = 0666, .major = 1, .minor = 3
	};
	const struct tar_head disk = { .type = '4', .name = "disk", .mode = 0666, .major = 8 };

	tarball_head(&t, &null);
	tarball_head(&t, &disk);
	unpack_ok(&t);
	cr_assert(!is_there("null") && !is_there("disk"));
	refused_entry('3', "hide", NULL, "0:0");
}

Test(unpack, refuses_what_layers_do_not_have)
{
	char deep[600] = "", segment[300];

	memset(segment, 'x', sizeof(segment) - 1);
	segment[sizeof(segment) - 1] = 0;
	for (int i = 0; i < 257; i++)
		memcpy(deep + 2 * i, "d/", 3);
	refused_entry('2', "/.", "etc", "is the layer's root");
	refused_entry('0', "..", NULL, "is the layer's root");
	refused_entry('0', "a/..", NULL, "is the layer's root");
	refused_entry('2', "link", NULL, "is a symlink to nothing");
	refused_entry('1', "hard", "missing", "no file of this layer");
	refused_entry('1', "hard", "hard", "no file of this layer");
	refused_entry('1', "hard", "/", "no file of this layer");
	refused_entry('1', "hard", NULL, "is of a type that layers don't have");
	_tarball_ struct tarball t = { 0 }, u = { 0 };
	tarball_pax(&t, 'x', "path", segment, strlen(segment));
	tarball_file(&t, "short", "");
	refused(&t, ERR_INVALID, "more than 255 bytes");
	tarball_pax(&u, 'x', "path", deep, strlen(deep));
	tarball_file(&u, "short", "");
	refused(&u, ERR_INVALID, "256 folders deep");
}

Test(unpack, refuses_hard_links_to_folders_and_whiteouts)
{
	_tarball_ struct tarball t = { 0 }, u = { 0 };

	tarball_add(&t, '5', "d", NULL);
	tarball_add(&t, '1', "hard", "d");
	refused(&t, ERR_INVALID, "no file of this layer");
	tarball_file(&u, ".wh.x", "");
	tarball_add(&u, '1', "hard", "x");
	refused(&u, ERR_INVALID, "no file of this layer");
	cr_assert(!is_there("hard"));
}

Test(unpack, makes_no_folders_for_a_hard_links_target)
{
	_tarball_ struct tarball t = { 0 }, u = { 0 };

	tarball_add(&t, '1', "hard", "missing/file");
	refused(&t, ERR_INVALID, "no file of this layer");
	tarball_add(&u, '1', "hard", ".wh.x/file");
	refused(&u, ERR_INVALID, "no file of this layer");
	cr_assert(!is_there("missing") && !is_there(".wh.x"));
}

Test(unpack, refuses_entries_beneath_what_is_no_folder)
{
	_tarball_ struct tarball t = { 0 }, u = { 0 };

	tarball_file(&t, "file", "");
	tarball_file(&t, "file/in", "");
	refused(&t, ERR_INVALID, "which isn't a folder");
	tarball_add(&u, '2', "nowhere", "/not/there");
	tarball_file(&u, "nowhere/in", "");
	refused(&u, ERR_INVALID, "leads to no folder");
}

Test(unpack, skips_global_headers)
{
	_tarball_ struct tarball t = { 0 };

	tarball_pax(&t, 'g', "comment", "of the whole", 12);
	tarball_pax(&t, 'g', "path", "other", 5);
	tarball_file(&t, "name", "x");
	tarball_pax(&t, 'g', "uid", "7", 1);
	unpack_ok(&t);
	has_text("name", "x");
	cr_assert_eq(look("name").st_uid, 0u);
}

Test(unpack, refuses_headers_that_are_too_big)
{
	_tarball_ struct tarball t = { 0 }, u = { 0 };
	const size_t n = 2 << 20, part = 900000;
	_free_ char *big = malloc(n);

	cr_assert(big);
	memset(big, 'x', n);
	const struct tar_head h = { .type = 'x', .name = "pax", .size = n };
	tarball_head(&t, &h);
	tarball_data(&t, big, n);
	tarball_file(&t, "name", "");
	refused(&t, ERR_INVALID, "too large");
	/* Each is small enough, together they aren't. */
	for (int i = 0; i < 4; i++)
		tarball_pax(&u, 'x', "comment", big, part);
	tarball_file(&u, "name", "");
	refused(&u, ERR_INVALID, "headers of more than");
}

Test(unpack, keeps_the_limits)
{
	_tarball_ struct tarball t = { 0 };
	struct unpack_limits limits = { .bytes = 10 };
	struct err err = ERR_INIT;

	tarball_file(&t, "a/b/one", "12345");
	tarball_file(&t, "two", "123456");
	tarball_end(&t);
	cr_assert(unpack_memory(t.bytes.p, t.bytes.n, root, &limits, &err) < 0);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	cr_assert(strstr(err.text, "may have 10 bytes"));
	limits.bytes = 11;
	cr_assert(unpack_memory(t.bytes.p, t.bytes.n, root, &limits, &err) == 0);
	/* Two entries, and two folders that they imply. */
	cr_assert(path_remove_tree(root, "a", &err) == 0);
	limits.entries = 3;
	cr_assert(unpack_memory(t.bytes.p, t.bytes.n, root, &limits, &err) < 0);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	cr_assert(strstr(err.text, "too many entries"));
	limits.entries = 4;
	cr_assert(path_remove_tree(root, "a", &err) == 0);
	cr_assert(unpack_memory(t.bytes.p, t.bytes.n, root, &limits, &err) == 0);
}

Test(unpack, names_the_entry_that_is_refused)
{
	_tarball_ struct tarball t = { 0 };

	tarball_file(&t, "good", "");
	tarball_add(&t, '1', "a/bad", "missing");
	refused(&t, ERR_INVALID, "\"a/bad\": is a hard link to \"missing\"");
}

Test(unpack, takes_an_empty_archive)
{
	struct err err = ERR_INIT;
	_tarball_ struct tarball t = { 0 };

	cr_assert(unpack_memory("", 0, root, NULL, &err) == 0);
	unpack_ok(&t);
}

Test(unpack, refuses_a_damaged_or_cut_archive)
{
	_tarball_ struct tarball t = { 0 };
	struct err err = ERR_INIT;

	tarball_file(&t, "file", "0123456789");
	tarball_file(&t, "other", "0123456789");
	for (size_t n = 1; n < t.bytes.n; n++) {
		int r = unpack_memory(t.bytes.p, n, root, NULL, &err);
		/* Ends at a block's border where an entry ends: only the digest can tell. */
		cr_assert(r < 0 || n == t.bytes.n / 2 || n > t.bytes.n - 512, "%zu", n);
		cr_assert(r == 0 || err.code == ERR_INVALID);
	}
	t.bytes.p[0] ^= 1;
	refused(&t, ERR_INVALID, "no proper tar");
}
