/* SPDX-License-Identifier: Apache-2.0 */
#include "https/https.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *clean(const char *text)
{
	static char buf[64];

	text_clean(buf, sizeof(buf), text, strlen(text));
	return buf;
}

static const char *reason(const char *line)
{
	static char buf[64];
	size_t n;
	const char *p = text_reason(line, strlen(line), &n);

	text_clean(buf, sizeof(buf), p, n);
	return buf;
}

Test(https_text, keeps_words_and_loses_what_a_terminal_would_obey)
{
	cr_assert_str_eq(clean("CT 100 does not exist"), "CT 100 does not exist");
	cr_assert_str_eq(clean("a\x1b[31mred\r\nb\x7f"), "a[31mredb");
	/* C1 in UTF-8, and alone, which isn't UTF-8 */
	cr_assert_str_eq(clean("a\xc2\x9b"
			       "31mb\x9b"
			       "c"),
		"a31mbc");
	cr_assert_str_eq(clean("Stra\xc3\x9f"
			       "e \xe2\x82\xac"),
		"Stra\xc3\x9f"
		"e \xe2\x82\xac");
	cr_assert_str_eq(clean("half \xe2\x82"), "half");
	cr_assert_str_eq(clean("  both ends \r\n"), "both ends");
	cr_assert_str_eq(clean(""), "");
}

Test(https_text, never_writes_past_the_room_nor_half_a_character)
{
	const char text[] = "12345\xe2\x82\xac"
			    "6789";
	char room[20];

	for (size_t size = 1; size < sizeof(text); size++) {
		memset(room, '#', sizeof(room));
		size_t n = text_clean(room, size, text, sizeof(text) - 1);
		cr_assert_lt(n, size);
		cr_assert_eq(room[n], 0);
		cr_assert_eq(room[size], '#');
		cr_assert(n <= 5 || n >= 8);
	}
}

Test(https_text, finds_the_reason_behind_the_status)
{
	cr_assert_str_eq(reason("HTTP/1.1 500 no such vm ('104')\r\n"), "no such vm ('104')");
	cr_assert_str_eq(reason("HTTP/1.1 200\r\n"), "");
	cr_assert_str_eq(reason("HTTP/1.1 200 \r\n"), "");
	cr_assert_str_eq(reason("HTTP/1.1\r\n"), "");
	cr_assert_str_eq(reason("HTTP/1.0 596 Connection timed out"), "Connection timed out");
}

Test(https_text, knows_json_by_its_type)
{
	cr_assert(text_is_json("application/json"));
	cr_assert(text_is_json("application/json;charset=UTF-8"));
	cr_assert(text_is_json("Application/JSON ; charset=UTF-8"));
	cr_assert_not(text_is_json("application/jsonp"));
	cr_assert_not(text_is_json("text/html"));
	cr_assert_not(text_is_json(""));
	cr_assert_not(text_is_json(NULL));
}
