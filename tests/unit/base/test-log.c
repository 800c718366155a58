/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char file[64];

static void name_file(void)
{
	snprintf(file, sizeof(file), "/tmp/ctrctl-test-log.XXXXXX");
	close(mkstemp(file));
}

static void remove_file(void)
{
	unlink(file);
}

TestSuite(log, .init = name_file, .fini = remove_file);

static char *content(void)
{
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, file, 1 << 20, &text, &n, &err), 0);
	return text;
}

Test(log, a_failure_is_one_json_line_that_engines_can_read)
{
	struct err err = ERR_INIT;
	const struct json *line = NULL;
	_arena_ struct arena *arena = arena_new();

	cr_redirect_stderr();
	cr_assert_eq(log_open(file, LOG_JSON, LOG_INFO, &err), 0);
	err_sys(&err, ENODEV, "fsopen", "ceph on /data\"\n");
	err_in(&err, "create web1: mounts[3]");
	log_failure(&err);
	_free_ char *text = content();
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "one line");
	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, arena, &line, &err), 0);
	cr_assert_str_eq(json_get(line, "level")->text, "error");
	cr_assert_str_eq(json_get(line, "msg")->text,
		"create web1: mounts[3]: fsopen(ceph on /data\"\\x0a): No such device");
	cr_assert_str_eq(json_get(line, "errno")->text, "ENODEV");
	cr_assert_str_eq(json_get(line, "code")->text, "unsupported");
	cr_assert_not_null(json_get(line, "time"));
	cr_assert_not_null(json_get(line, "hint"));
}

Test(log, text_lines_are_appended)
{
	struct err err = ERR_INIT;

	cr_assert_eq(log_open(file, LOG_TEXT, LOG_INFO, &err), 0);
	log_warn("one %d", 1);
	log_info("two");
	log_debug("never");
	_free_ char *text = content();
	cr_assert(str_starts(text, "time=\""), "%s", text);
	cr_assert(strstr(text, "level=warning msg=\"one 1\"\n"), "%s", text);
	cr_assert(strstr(text, "level=info msg=\"two\"\n"), "%s", text);
	cr_assert_null(strstr(text, "never"));
}

Test(log, debug_is_written_when_asked_for)
{
	struct err err = ERR_INIT;

	cr_assert_eq(log_open(file, LOG_TEXT, LOG_DEBUG, &err), 0);
	log_debug("details");
	_free_ char *text = content();
	cr_assert(strstr(text, "level=debug msg=\"details\"\n"), "%s", text);
}

Test(log, a_log_file_that_cant_be_opened_is_an_error)
{
	struct err err = ERR_INIT;

	cr_assert_eq(log_open("/nowhere/at/all", LOG_TEXT, LOG_INFO, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
}
