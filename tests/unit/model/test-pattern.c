/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pattern.h"

#include <criterion/criterion.h>
#include <string.h>

static struct err err;

Test(pattern, covers_the_whole_name)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} rows[] = {
		{ "lxc/**", "lxc/debian", true },
		{ "lxc/**", "lxc/a/b", true },
		{ "lxc/**", "lxc", false },
		{ "lxc/**", "registry.example.net/lxc/debian", false },
		{ "lxc/**", "docker.io/lxc/debian", false },
		{ "lxc/**", "lxcx/debian", false },
		{ "lxc/**", "Lxc/debian", false },
		{ "db-**", "db-pg", true },
		{ "db-**", "db-pg/main", true },
		{ "db-**", "dbx/db-1", false },
		{ "db-**", "xdb-1", false },
		{ "db-*", "db-pg", true },
		{ "db-*", "db-pg/main", false },
		{ "*/db-*", "x/db-1", true },
		{ "*/db-*", "x/y/db-1", false },
		{ "**/db-*", "x/y/db-1", true },
		{ "**/db-*", "db-1", false },
		{ "**", "anything/at.all", true },
		{ "*", "one", true },
		{ "*", "one/two", false },
		{ "a*c", "ac", true },
		{ "a*c", "abcbc", true },
		{ "a*c", "abcb", false },
		{ "a**z", "az", true },
		{ "a**z", "a/b/z", true },
		{ "*.example.net:5000/*", "r.example.net:5000/x", true },
		{ "*.example.net:5000/*", "r.example.net:5001/x", false },
		{ "busybox", "busybox", true },
		{ "busybox", "busybox2", false },
		{ "busybox2", "busybox", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[512];

		if (pattern_check(rows[i].pattern, &err) < 0) {
			err_line(&err, line, sizeof(line));
			cr_assert_fail("%s", line);
		}
		cr_expect_eq(pattern_matches(rows[i].pattern, rows[i].name), rows[i].want,
			"%s on %s", rows[i].pattern, rows[i].name);
	}
}

Test(pattern, takes_no_long_time)
{
	char pattern[PATTERN_MAX + 1] = "", name[4097];

	/* What makes a matcher that tries all ways never end. */
	for (size_t i = 0; i + 3 <= PATTERN_MAX; i += 3)
		memcpy(pattern + i, "a**", 4);
	pattern[PATTERN_MAX - 1] = 'b';
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(pattern_check(pattern, &err), 0);
	cr_expect_not(pattern_matches(pattern, name));
	name[sizeof(name) - 2] = 'b';
	cr_expect(pattern_matches(pattern, name));
}

Test(pattern, refuses_what_could_never_match)
{
	char too_long[PATTERN_MAX + 2];
	static const struct {
		const char *pattern, *want;
	} rows[] = {
		{ "", "the pattern is empty" },
		{ "x:1", "x:1: a pattern has neither tag nor digest" },
		{ "r:5000/x:1", "r:5000/x:1: a pattern has neither tag nor digest" },
		{ "x@sha256:0", "x@sha256:0: a pattern has neither tag nor digest" },
		{ "Lxc/**", "Lxc/**: no image's name has \"L\", so this would never match" },
		{ "a b", "a b: no image's name has \" \", so this would never match" },
		{ "a?", "a?: no image's name has \"?\", so this would never match" },
		{ "/x", "/x: an image's name has no empty part, so this would never match" },
		{ "a//b", "a//b: an image's name has no empty part, so this would never match" },
		{ "lxc/", "lxc/: an image's name has no empty part, so this would never match" },
		{ "a***", "a***: \"*\" and \"**\" are all there is" },
	};
	char line[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		err = (struct err)ERR_INIT;
		cr_expect_eq(
			pattern_check(rows[i].pattern, &err), -1, "accepted: %s", rows[i].pattern);
		cr_expect_eq(err.code, ERR_INVALID);
		err_line(&err, line, sizeof(line));
		cr_expect_str_eq(line, rows[i].want);
	}
	cr_expect_eq(pattern_check("lxc/", &err), -1);
	cr_expect_str_eq(err.hint, "for all beneath it: \"lxc/**\"");
	memset(too_long, 'a', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	cr_expect_eq(pattern_check(too_long, &err), -1);
	too_long[PATTERN_MAX] = '\0';
	cr_expect_eq(pattern_check(too_long, &err), 0);
}
