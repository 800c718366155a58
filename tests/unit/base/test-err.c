/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static void expect_line(const struct err *err, const char *want)
{
	char line[2048];

	err_line(err, line, sizeof(line));
	cr_assert_str_eq(line, want);
}

Test(err, prints_a_failed_call_with_place_operation_object_and_reason)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_sys(&err, ENODEV, "fsopen", "%s on %s", "ceph", "/data"), -1);
	cr_assert_eq(err_in(&err, "mounts[%d]", 3), -1);
	cr_assert_eq(err_in(&err, "create web1:"), -1);
	expect_line(&err, "create web1: mounts[3]: fsopen(ceph on /data): No such device");
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert(strstr(err.hint, "no such file system"), "hint: %s", err.hint);
}

Test(err, prints_a_broken_rule_with_place_object_and_sentence)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "cwd", "must be %s", "absolute");
	expect_line(&err, "cwd: must be absolute");
	err_in(&err, "process");
	expect_line(&err, "process: cwd: must be absolute");
}

Test(err, joins_places_with_dots_but_not_before_an_index)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, NULL, "x");
	err_in(&err, "[2]");
	err_in(&err, "syscalls");
	err_in(&err, "seccomp");
	err_in(&err, "linux");
	cr_assert_str_eq(err.where, "linux.seccomp.syscalls[2]");
	err_in(&err, "config.json: ");
	expect_line(&err, "config.json: linux.seccomp.syscalls[2]: x");
}

Test(err, a_place_that_ends_in_a_colon_isnt_doubled)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, NULL, "x");
	err_in(&err, "create web1:");
	expect_line(&err, "create web1: x");
	err_set(&err, ERR_INVALID, NULL, "x");
	err_in(&err, "create web1: ");
	expect_line(&err, "create web1: x");
}

Test(err, only_exec_uses_the_words_that_engines_take_for_a_missing_program)
{
	struct err err = ERR_INIT;

	err_sys(&err, ENOENT, "openat2", "io.max");
	expect_line(&err, "openat2(io.max): is missing");
	err_sys(&err, EACCES, "openat2", "io.max");
	expect_line(&err, "openat2(io.max): access refused");
	err_sys(&err, ENOENT, "execve", "/bin/sh");
	expect_line(&err, "execve(/bin/sh): No such file or directory");
	err_sys(&err, EACCES, "execveat", "/bin/sh");
	expect_line(&err, "execveat(/bin/sh): Permission denied");
}

Test(err, long_texts_are_cut_with_dots_and_stay_utf8)
{
	struct err err = ERR_INIT;
	char big[1000];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	for (size_t i = 370; i + 1 < 500; i += 2)
		memcpy(big + i, "\xc3\xa4", 2);
	err_set(&err, ERR_INVALID, big, "%s", big);
	cr_assert_lt(strlen(err.text), sizeof(err.text));
	cr_assert(str_ends(err.text, "..."));
	size_t n = strlen(err.text) - 3;
	cr_assert_neq((unsigned char)err.text[n - 1], 0xc3, "half a character is left");
	for (int i = 0; i < 200; i++)
		err_in(&err, "somewhere");
	cr_assert(str_ends(err.where, "..."));
}

Test(err, a_short_buffer_is_terminated)
{
	struct err err = ERR_INIT;
	char line[8] = "xxxxxxx";

	err_set(&err, ERR_INVALID, NULL, "0123456789");
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, "0123456");
	err_line(&err, line, 0);
}

Test(err, control_bytes_are_shown_escaped)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "a\nb\033[31m", "c\xc2\x9b\xff\xc3\xa4");
	expect_line(&err, "a\\x0ab\\x1b[31m: c\\xc2\\x9b\\xff\xc3\xa4");
}

Test(err, arguments_may_come_from_the_error_itself)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, "object", "inner");
	err_set(&err, ERR_STATE, err.object, "outer: %s", err.text);
	expect_line(&err, "object: outer: inner");
	err_hint(&err, "%s", err.text);
	cr_assert_str_eq(err.hint, "outer: inner");
}

Test(err, codes_follow_from_errno)
{
	static const struct {
		int os;
		enum err_code code;
	} rows[] = { { ENOENT, ERR_NOT_FOUND }, { ESRCH, ERR_NOT_FOUND }, { EEXIST, ERR_EXISTS },
		{ EPERM, ERR_DENIED }, { ENOSYS, ERR_UNSUPPORTED }, { ENOMEM, ERR_EXHAUSTED },
		{ ETIMEDOUT, ERR_TIMEOUT }, { EIO, ERR_SYSTEM } };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		err_sys(&err, rows[i].os, "read", "x");
		cr_assert_eq(err.code, rows[i].code, "errno %d", rows[i].os);
	}
}

Test(err, hints_of_an_operation_come_before_those_of_any)
{
	struct err err;

	err_sys(&err, ENOSPC, "clone3", "web1");
	cr_assert(strstr(err.hint, "max_"), "%s", err.hint);
	err_sys(&err, ENOSPC, "write", "file");
	cr_assert(strstr(err.hint, "disk"), "%s", err.hint);
	err_sys(&err, EBADF, "write", "file");
	cr_assert_str_empty(err.hint);
}

Test(err, every_code_has_a_name_and_a_grpc_status)
{
	for (int a = 0; a < ERR_N; a++) {
		cr_assert_neq(err_code_name((enum err_code)a)[0], 0);
		cr_assert_neq(err_grpc_status((enum err_code)a), 12,
			"UNIMPLEMENTED is kept for missing calls");
		cr_assert_eq(err_grpc_status((enum err_code)a) == 0, a == ERR_NONE);
		for (int b = 0; b < a; b++)
			cr_assert_str_neq(
				err_code_name((enum err_code)a), err_code_name((enum err_code)b));
	}
	cr_assert_str_eq(err_code_name(ERR_N), "internal");
	cr_assert_str_eq(err_errno_name(EINVAL), "EINVAL");
	cr_assert_str_eq(err_errno_name(0), "");
}
