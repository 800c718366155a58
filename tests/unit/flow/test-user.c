/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "flow/user.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-user-XXXXXX";
static int root = FD_NONE;
static struct arena *arena;
static struct spec_user got;
static struct err err;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert(root >= 0 && mkdirat(root, "etc", 0755) == 0);
	arena = arena_new();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(root);
	arena_free(arena);
	cr_assert(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e) == 0);
}

TestSuite(user, .init = setup, .fini = teardown, .timeout = 30);

static void put(const char *name, const void *text, size_t n)
{
	_close_ int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && fd_write_all(fd, text, n) == 0, "%s", name);
}

static void files(const char *passwd, const char *group)
{
	if (passwd)
		put("etc/passwd", passwd, strlen(passwd));
	if (group)
		put("etc/group", group, strlen(group));
}

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static int resolve(const char *text, bool strict)
{
	got = (struct spec_user){ .uid = 12345, .gid = 12345 };
	err = (struct err)ERR_INIT;
	return user_resolve(root, text, strict, arena, &got, &err);
}

/* "uid:gid:group,group:name" of what came out, or the error. */
static const char *result(const char *text, bool strict)
{
	static struct str out;

	str_done(&out);
	if (resolve(text, strict) < 0) {
		cr_assert_eq(got.uid, 12345, "set on failure");
		cr_assert_eq(err.code, ERR_INVALID, "%s", said());
		cr_assert(!strcasestr(said(), "no such file"), "%s", said());
		return said();
	}
	str_printf(&out, "%u:%u:", got.uid, got.gid);
	for (size_t i = 0; i < got.n_groups; i++)
		str_printf(&out, "%s%u", i ? "," : "", got.groups[i]);
	str_printf(&out, ":%s", got.name ? got.name : "-");
	return out.p;
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "app:x:1000:1001:App:/srv:/bin/sh\n"
			     "0:x:0:0:::\n"
			     "1:x:0:0:::\n"
			     "7:x:0:0:::\n"
			     "2147483648:x:0:0:::\n"
			     "4294967295:x:0:0:::\n"
			     "4294967296:x:0:0:::\n"
			     "18446744073709551616:x:0:0:::\n"
			     "big:x:4294967294:4294967294:::\n"
			     "toobig:x:4294967295:0:::\n"
			     "wrapped:x:4294967296:0:::\n"
			     "negative:x:-1:0:::\n"
			     "nogid:x:5::::\n"
			     "short\n"
			     "nameless\n"
			     ":x:77:77:::\n"
			     "second:x:1000:0:::\n"
			     "spaced: x : 6 : 6 :::\n"
			     "last:x:8:9"; /* no line break */
static const char group[] = "root:x:0:root\n"
			    "app:x:1001:\n"
			    "wheel:x:10:root,app\n"
			    "audio:x:29:application,xapp,app\n"
			    "audio2:x:29:app\n"
			    "primary:x:1001:app\n"
			    "33:x:0:app,big\n"
			    "big:x:4294967294:\n"
			    "toobig:x:4294967295:\n"
			    "web:x:80"; /* no line break */

Test(user, finds_who_is_meant)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "0:0:10:root" },
		{ "0", "0:0:10:root" },
		{ "00", "0:0:10:root" },
		{ "root", "0:0:10:root" },
		{ "app", "1000:1001:10,29:app" },
		{ "1000", "1000:1001:10,29:app" },
		{ "0001000", "1000:1001:10,29:app" },
		{ "app:web", "1000:80:10,29,1001:app" },
		{ "app:80", "1000:80:10,29,1001:app" },
		{ "app:10", "1000:10:29,1001:app" },
		{ "app:12345678", "1000:12345678:10,29,1001:app" },
		{ "1000:wheel", "1000:10:29,1001:app" },
		{ "last", "8:9::last" },
		{ "last:web", "8:80::last" },
		/* no entry: group 0 and no others */
		{ "1", "1:0::-" },
		{ "7", "7:0::-" },
		{ "1:1", "1:1::-" },
		{ "1:web", "1:80::-" },
		{ "77", "77:0::-" },
		{ "2147483648", "2147483648:0::-" },
		{ "4294967293", "4294967293:0::-" },
		{ "4294967294", "4294967294:4294967294::big" },
		{ "4294967294:4294967294", "4294967294:4294967294::big" },
		/* a name that is a number, or a number too large, is never an entry's */
		{ "4294967295", "uid 4294967295 is out of range: the last one is 4294967294" },
		{ "4294967296", "uid 4294967296 is out of range: the last one is 4294967294" },
		{ "18446744073709551616",
			"uid 18446744073709551616 is out of range: the last one is 4294967294" },
		{ "18446744073709551617:0",
			"uid 18446744073709551617 is out of range: the last one is 4294967294" },
		{ "0:4294967295", "gid 4294967295 is out of range: the last one is 4294967294" },
		{ "0:33", "0:33:0,10:root" },
		/* neither a number nor a name */
		{ "+1", "+1: a user begins with neither sign nor space" },
		{ "-1", "-1: a user begins with neither sign nor space" },
		{ " 1", " 1: a user begins with neither sign nor space" },
		{ "1: 1", "1: 1: a group begins with neither sign nor space" },
		{ "1:-1", "1:-1: a group begins with neither sign nor space" },
		{ "1:", "1:: the group is empty" },
		{ ":1", ":1: the user is empty" },
		{ ":", ":: the user is empty" },
		{ "app:web:0",
			"app:web:0: is not a user, nor a user and a group with one colon between" },
		{ "app\n",
			"app\\x0a: is not a user, nor a user and a group with one colon between" },
		{ "nobody", "no user \"nobody\" in /etc/passwd of the root filesystem" },
		{ "App", "no user \"App\" in /etc/passwd of the root filesystem" },
		{ "ap", "no user \"ap\" in /etc/passwd of the root filesystem" },
		{ "1x", "no user \"1x\" in /etc/passwd of the root filesystem" },
		{ "1 ", "no user \"1 \" in /etc/passwd of the root filesystem" },
		{ "0x0", "no user \"0x0\" in /etc/passwd of the root filesystem" },
		{ "0:staff", "no group \"staff\" in /etc/group of the root filesystem" },
		/* entries that say nothing sound */
		{ "toobig", "root filesystem: /etc/passwd: line 11 has no sound uid and gid" },
		{ "wrapped", "root filesystem: /etc/passwd: line 12 has no sound uid and gid" },
		{ "negative", "root filesystem: /etc/passwd: line 13 has no sound uid and gid" },
		{ "nogid", "root filesystem: /etc/passwd: line 14 has no sound uid and gid" },
		{ "5", "root filesystem: /etc/passwd: line 14 has no sound uid and gid" },
		{ "short", "root filesystem: /etc/passwd: line 15 has no sound uid and gid" },
		{ "spaced", "root filesystem: /etc/passwd: line 19 has no sound uid and gid" },
		{ "0:toobig", "root filesystem: /etc/group: line 9 has no sound gid" },
	};

	files(passwd, group);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_str_eq(result(rows[i].text, false), rows[i].want, "%s: %s", rows[i].text,
			result(rows[i].text, false));
}

Test(user, strict_takes_no_group_from_the_image)
{
	files(passwd, group);
	cr_assert_str_eq(result("app", true), "1000:1001::app");
	cr_assert_str_eq(result("", true), "0:0::root");
	cr_assert_str_eq(result("app:web", true), "1000:80::app");
	unlinkat(root, "etc/group", 0);
	cr_assert_eq(mkfifoat(root, "etc/group", 0644), 0);
	cr_assert_str_eq(result("app", true), "1000:1001::app", "group isn't even opened");
}

Test(user, needs_no_files_for_numbers)
{
	cr_assert_str_eq(result("", false), "0:0::-");
	cr_assert_str_eq(result("1000", false), "1000:0::-");
	cr_assert_str_eq(result("1000:100", false), "1000:100::-");
	cr_assert_str_eq(
		result("app", false), "no user \"app\" in /etc/passwd of the root filesystem");
	cr_assert_str_eq(
		result("1000:web", false), "no group \"web\" in /etc/group of the root filesystem");
	files("", "");
	cr_assert_str_eq(result("1000", false), "1000:0::-");
	files("app:x:1:2", "web:x:3:");
	cr_assert_str_eq(result("app:web", false), "1:3::app");
}

Test(user, reads_only_what_lies_in_the_root_filesystem)
{
	/* On the host this name leads to the host's own file; in the root filesystem nowhere. */
	cr_assert_eq(symlinkat("/proc/self/root/etc/passwd", root, "etc/passwd"), 0);
	cr_assert_str_eq(
		result("root", false), "no user \"root\" in /etc/passwd of the root filesystem");
	unlinkat(root, "etc/passwd", 0);
	cr_assert_eq(symlinkat("../../../../../../etc/passwd", root, "etc/passwd"), 0);
	cr_assert_neq(resolve("root", false), 0, "a loop in here, not the host's file");
	unlinkat(root, "etc/passwd", 0);
	cr_assert_eq(symlinkat("/other", root, "etc/passwd"), 0);
	put("other", "app:x:5:6:::\n", 13);
	cr_assert_str_eq(result("app", false), "5:6::app", "a symlink inside is followed");
}

Test(user, refuses_files_that_arent_files)
{
	static const char want[] = "root filesystem: /etc/passwd: is not a regular file";

	cr_assert_eq(mkfifoat(root, "etc/passwd", 0644), 0);
	cr_assert_str_eq(result("0", false), want);
	unlinkat(root, "etc/passwd", 0);
	cr_assert_eq(mkdirat(root, "etc/passwd", 0755), 0);
	cr_assert_str_eq(result("0", false), want);
	unlinkat(root, "etc/passwd", AT_REMOVEDIR);
	cr_assert_eq(mkdirat(root, "dev", 0755), 0);
	if (mknodat(root, "dev/zero", S_IFCHR | 0666, 1 << 8 | 5) < 0)
		cr_skip_test("no right to make device nodes");
	cr_assert_eq(symlinkat("/dev/zero", root, "etc/passwd"), 0);
	cr_assert_str_eq(result("0", false), want);
}

Test(user, refuses_files_and_lines_too_long_to_be_meant)
{
	_free_ char *line = malloc(5000);
	_close_ int fd = FD_NONE;
	int n;

	memset(line, 'a', 5000);
	n = 4096 - 8;
	memcpy(line + n, ":x:1:2::\n", 9);
	put("etc/passwd", line, (size_t)n + 9);
	cr_assert_str_eq(result("3", false), "3:0::-", "4096 bytes are still read");
	memcpy(line + n + 1, ":x:1:2::\n", 9);
	put("etc/passwd", line, (size_t)n + 10);
	cr_assert_str_eq(result("3", false),
		"root filesystem: /etc/passwd: line 1 is longer than 4096 bytes");
	memset(line, 'a', 5000);
	line[0] = '\n';
	put("etc/passwd", line, 5000);
	cr_assert_str_eq(result("3", false),
		"root filesystem: /etc/passwd: line 2 is longer than 4096 bytes");
	fd = openat(root, "etc/passwd", O_WRONLY | O_TRUNC | O_CLOEXEC);
	cr_assert_eq(ftruncate(fd, (off_t)1 << 30), 0);
	cr_assert_str_eq(
		result("0", false), "root filesystem: /etc/passwd: is bigger than 10485760 bytes");
	cr_assert_eq(ftruncate(fd, 10 << 20), 0);
	cr_assert_str_eq(
		result("0", false), "root filesystem: /etc/passwd: line 1 holds a NUL byte");
}

Test(user, refuses_a_nul_wherever_it_stands)
{
	static const char text[] = "root:x:0:0:::\napp\0:x:0:0:::\n";

	put("etc/passwd", text, sizeof(text) - 1);
	cr_assert_str_eq(
		result("app", false), "root filesystem: /etc/passwd: line 2 holds a NUL byte");
	cr_assert_str_eq(
		result("1", false), "root filesystem: /etc/passwd: line 2 holds a NUL byte");
	files("root:x:0:0:::\n", NULL);
	put("etc/group", text, sizeof(text) - 1);
	cr_assert_str_eq(
		result("0", false), "root filesystem: /etc/group: line 2 holds a NUL byte");
	cr_assert_str_eq(result("1", false), "1:0::-", "who has no entry needs no group file");
}

Test(user, takes_every_group_once_and_not_too_many)
{
	_str_ struct str text = { 0 };

	files("app:x:1:2:::\n", NULL);
	for (unsigned i = 0; i < 65536; i++)
		str_printf(&text, "g%u:x:%u:app\n", i, i % 1000);
	put("etc/group", text.p, text.n);
	cr_assert_eq(resolve("app", false), 0, "%s", said());
	cr_assert_eq(got.n_groups, 999, "%zu", got.n_groups);
	for (size_t i = 1; i < got.n_groups; i++)
		cr_assert_gt(got.groups[i], got.groups[i - 1]);
	str_add(&text, "more:x:5:app\n");
	put("etc/group", text.p, text.n);
	cr_assert_str_eq(result("app", false), "/etc/group: \"app\" is in more than 65536 groups");
}

Test(user, reads_a_debian_root)
{
	_close_ int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(user_resolve(host, "daemon", false, arena, &got, &err), 0, "%s", said());
	cr_assert(got.uid == 1 && got.gid == 1 && got.n_groups == 0);
	cr_assert_str_eq(got.name, "daemon");
}
