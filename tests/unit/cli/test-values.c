/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <criterion/criterion.h>

Test(values, reads_sizes_with_units)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 },
		{ "-1", -1 },
		{ "4096", 4096 },
		{ "64k", 65536 },
		{ "64m", 67108864 },
		{ "64M", 67108864 },
		{ "64mb", 67108864 },
		{ "64MB", 67108864 },
		{ "64MiB", 67108864 },
		{ "2g", INT64_C(2) << 30 },
		{ "1t", INT64_C(1) << 40 },
		{ "10b", 10 },
		{ "9223372036854775807", INT64_MAX },
		{ "8191p", INT64_C(8191) << 50 },
	};
	static const char *const bad[] = { "", "-2", "--1", "+1", "m", "1x", "1mm", "1 m", "1.5m",
		"0x10", "9223372036854775808", "8192p", "99999999999999999999999999", "1m ", "-" };
	int64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cr_assert_eq(size_parse(good[i].text, &v), 0, "%s", good[i].text);
		cr_assert_eq(v, good[i].value, "%s", good[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(size_parse(bad[i], &v), -1, "%s", bad[i]);
}

/* A sloppy reader here has given others the wrong user (CVE-2026-30892). */
Test(values, reads_users_strictly)
{
	static const char *const bad[] = { "", ":", "root", "1:", ":1", "1:2:3", "-1", "+1", " 1",
		"1 ", "1x", "0x1", "1:x", "4294967295", "4294967296", "18446744073709551616" };
	struct ctr_exec_request req = { 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(user_parse("1000", &req, &err), 0);
	cr_assert(req.has_uid && !req.has_gid && req.uid == 1000);
	cr_assert_eq(user_parse("4294967294:7", &req, &err), 0);
	cr_assert(req.has_uid && req.has_gid && req.uid == 4294967294 && req.gid == 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(user_parse(bad[i], &req, &err), -1, "%s", bad[i]);
}
