/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the monitor; tests/kernel/monitor.py has the rest. */
#include "base/json.h"
#include "base/proc.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>

/* Of monitor.h, which can't be included beside the libc's headers. */
char *put_text(char *at, const char *end, const char *s);
char *put_number(char *at, const char *end, uint64_t n);
char *put_time(char *at, const char *end, uint64_t sec, uint32_t nsec);
void move_bytes(char *to, const char *from, size_t n);
size_t record_text(char *text, size_t room, int status, uint64_t oom_kills, uint64_t sec,
	uint32_t nsec, const char *boot_id);

Test(monitor, writes_times_as_the_rest_of_the_program_does)
{
	static const uint64_t some[] = { 0, 1, 59, 86399, 86400, 951782399, 951782400, 951868800,
		1709164800, 1709251199, 1709251200, 4107542400, 4102444799, 13569465599,
		253402300799 };
	char mine[64], other[PROC_TIME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		cr_assert_not_null(put_time(mine, mine + sizeof(mine), some[i], 7 + (uint32_t)i));
		cr_assert_str_eq(mine, proc_time(some[i], 7 + (uint32_t)i, other));
	}
	for (uint64_t sec = 0; sec < UINT64_C(13569465600); sec += 40009) {
		put_time(mine, mine + sizeof(mine), sec, 999999999);
		cr_assert_str_eq(mine, proc_time(sec, 999999999, other));
	}
}

Test(monitor, never_writes_past_the_room)
{
	char room[40];

	for (size_t n = 0; n < 34; n++) {
		memset(room, '#', sizeof(room));
		char *at = put_time(room, room + n, 1, 1);
		cr_assert(n < 32 ? !at : at == room + 30);
		cr_assert_eq(room[n], '#');
		memset(room, '#', sizeof(room));
		at = put_number(put_text(room, room + n, "ab"), room + n, UINT64_MAX);
		cr_assert(n < 23 ? !at : at == room + 22);
		cr_assert_eq(room[n], '#');
	}
	cr_assert_null(put_text(NULL, room, "x"));
	cr_assert_null(put_time(NULL, room, 1, 1));
}

Test(monitor, moves_bytes_that_overlap)
{
	char text[] = "0123456789";

	move_bytes(text, text + 3, 7);
	cr_assert_str_eq(text, "3456789789");
}

static const struct json *record_of(struct arena *a, int status, uint64_t kills)
{
	char *text = arena_alloc(a, 512);
	const struct json *j = NULL;
	struct err err = ERR_INIT;
	size_t n = record_text(text, 512, status, kills, 1700000000, 5, "boot");

	cr_assert(n && n == strlen(text) && text[n - 1] == '\n');
	cr_assert_eq(json_parse(text, n, 512, a, &j, &err), 0);
	return j;
}

static const char *member(const struct json *j, const char *key)
{
	const struct json *m = json_get(j, key);

	cr_assert_not_null(m, "%s", key);
	return m->text;
}

Test(monitor, records_how_it_ended)
{
	static const struct {
		int status;
		uint64_t kills;
		const char *code, *signal, *oom, *reason;
	} cases[] = {
		{ W_EXITCODE(0, 0), 0, "0", "0", "false", "Completed" },
		{ W_EXITCODE(0, 0), 1, "0", "0", "true", "Completed" },
		{ W_EXITCODE(1, 0), 0, "1", "0", "false", "Error" },
		{ W_EXITCODE(255, 0), 0, "255", "0", "false", "Error" },
		{ W_EXITCODE(0, 9), 0, "137", "9", "false", "Error" },
		{ W_EXITCODE(0, 9), 3, "137", "9", "true", "OOMKilled" },
		{ W_EXITCODE(0, 11) | WCOREFLAG, 0, "139", "11", "false", "Error" },
		{ W_EXITCODE(0, 64), 0, "192", "64", "false", "Error" },
	};
	_arena_ struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct json *j = record_of(a, cases[i].status, cases[i].kills);
		cr_assert_str_eq(member(j, "exitCode"), cases[i].code);
		cr_assert_str_eq(member(j, "signal"), cases[i].signal);
		cr_assert_str_eq(member(j, "oomKilled"), cases[i].oom);
		cr_assert_str_eq(member(j, "reason"), cases[i].reason);
		cr_assert_str_eq(member(j, "finishedAt"), "2023-11-14T22:13:20.000000005Z");
		cr_assert_str_eq(member(j, "bootId"), "boot");
	}
}

Test(monitor, a_record_that_does_not_fit_is_none)
{
	char text[512];
	size_t n = record_text(text, sizeof(text), 0, 0, 1, 1, "boot");

	for (size_t room = 1; room <= n; room++)
		cr_assert_eq(record_text(text, room, 0, 0, 1, 1, "boot"), 0, "%zu", room);
	cr_assert_eq(record_text(text, n + 1, 0, 0, 1, 1, "boot"), n);
}
