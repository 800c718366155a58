/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/names.h"
#include "base/str.h"
#include "ctrctl/map.h"

#include <criterion/criterion.h>
#include <string.h>

Test(mem, array_sizes_dont_wrap)
{
	cr_assert_eq(mem_array(3, 8), 24);
	cr_assert_eq(mem_array(SIZE_MAX / 2, 3), SIZE_MAX);
}

Test(mem, strings_compare_by_helpers_that_take_null)
{
	cr_assert(str_eq("a", "a"));
	cr_assert_not(str_eq("a", "ab"));
	cr_assert_not(str_eq(NULL, NULL));
	cr_assert(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc") &&
		  !str_starts(NULL, "a"));
	cr_assert(str_ends("abc", "bc") && !str_ends("bc", "abc") && !str_ends("abc", "ab") &&
		  !str_ends("a", NULL));
}

Test(mem, numbers_are_taken_whole_or_not_at_all)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1x", "0x1",
		"18446744073709551616", "99999999999999999999999", NULL };
	uint64_t u = 7;
	int64_t i = 7;

	for (size_t k = 0; k < ARRAY_SIZE(bad); k++)
		cr_assert_eq(parse_u64(bad[k], UINT64_MAX, &u), -1, "%s", bad[k] ? bad[k] : "NULL");
	cr_assert_eq(u, 7);
	cr_assert_eq(parse_u64("18446744073709551615", UINT64_MAX, &u), 0);
	cr_assert_eq(u, UINT64_MAX);
	cr_assert_eq(parse_u64("11", 10, &u), -1);
	cr_assert_eq(parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i), 0);
	cr_assert_eq(i, INT64_MIN);
	cr_assert_eq(parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i), 0);
	cr_assert_eq(i, INT64_MAX);
	cr_assert_eq(parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &i), -1);
	cr_assert_eq(parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &i), -1);
	cr_assert_eq(parse_i64("--1", -5, 5, &i), -1);
	cr_assert_eq(parse_i64("-", -5, 5, &i), -1);
	cr_assert_eq(parse_i64("-6", -5, 5, &i), -1);
	cr_assert_eq(parse_i64("-5", -5, 5, &i), 0);
	cr_assert_eq(i, -5);
}

Test(mem, take_leaves_nothing_behind)
{
	char *p = strdup("x");
	_free_ char *q = take(p);

	cr_assert_null(p);
	cr_assert_str_eq(q, "x");
}

Test(arena, memory_is_zeroed_aligned_and_apart)
{
	_arena_ struct arena *a = arena_new();
	char *last = NULL;

	for (size_t i = 0; i < 5000; i++) {
		char *p = arena_alloc(a, i % 97);
		cr_assert_not_null(p);
		cr_assert_neq(p, last);
		cr_assert_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < i % 97; k++)
			cr_assert_eq(p[k], 0);
		memset(p, 0xff, i % 97);
		last = p;
	}
	char *big = arena_alloc(a, 3 << 20);
	cr_assert_not_null(big);
	memset(big, 1, 3 << 20);
	cr_assert_not(arena_failed(a));
}

Test(arena, what_is_joined_lives_on)
{
	_arena_ struct arena *a = arena_new();
	struct arena *b = arena_new();
	char *first = arena_strdup(a, "first"), *second = arena_strdup(b, "second");
	char *big = arena_alloc(b, 3 << 20);

	arena_join(a, b);
	cr_assert_str_eq(arena_strdup(b, "of its own"), "of its own");
	arena_free(b);
	cr_assert_not(arena_failed(a));
	memset(big, 'x', 3 << 20);
	cr_assert_str_eq(arena_strdup(a, "third"), "third");
	cr_assert_str_eq(first, "first");
	cr_assert_str_eq(second, "second");
	b = arena_new();
	cr_assert_null(arena_alloc(b, SIZE_MAX));
	arena_join(a, b);
	cr_assert(arena_failed(a));
	arena_free(b);
}

Test(arena, impossible_sizes_fail_and_failure_sticks)
{
	_arena_ struct arena *a = arena_new();

	cr_assert_null(arena_alloc(a, SIZE_MAX));
	cr_assert(arena_failed(a));
	_arena_ struct arena *b = arena_new();
	cr_assert_null(arena_array(b, SIZE_MAX / 2, 4));
	cr_assert(arena_failed(b));
	cr_assert_null(arena_free(NULL));
}

Test(arena, text_is_copied_and_formatted)
{
	_arena_ struct arena *a = arena_new();

	cr_assert_str_eq(arena_strndup(a, "abcdef", 3), "abc");
	cr_assert_str_eq(arena_strdup(a, ""), "");
	cr_assert_str_eq(arena_printf(a, "%s-%d", "x", 7), "x-7");
}

Test(str, grows_and_stays_terminated)
{
	_str_ struct str s = { 0 };
	struct err err = ERR_INIT;

	cr_assert_null(s.p);
	str_addn(&s, "", 0);
	cr_assert_str_eq(s.p, "");
	for (int i = 0; i < 1000; i++)
		str_printf(&s, "%03d", i);
	cr_assert_eq(s.n, 3000);
	cr_assert_eq(strlen(s.p), 3000);
	cr_assert_eq(memcmp(s.p + 2997, "999", 4), 0);
	cr_assert_eq(str_ok(&s, &err), 0);
}

Test(str, failure_to_grow_sticks)
{
	_str_ struct str s = { 0 };
	struct err err = ERR_INIT;

	str_add(&s, "a");
	str_addn(&s, "b", SIZE_MAX - 1);
	str_add(&s, "c");
	cr_assert_eq(str_ok(&s, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	cr_assert_str_eq(s.p, "a");
}

Test(str, strf_returns_fresh_memory)
{
	_free_ char *p = strf("%s/%d", "a", 1);

	cr_assert_str_eq(p, "a/1");
}

Test(str, utf8_is_checked_strictly)
{
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xe2\x82x", "\xf0\x9f\x98" };
	static const struct {
		const char *text;
		size_t n;
	} good[] = { { "a", 1 }, { "\xc2\x80", 2 }, { "\xed\x9f\xbf", 3 }, { "\xee\x80\x80", 3 },
		{ "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(utf8_len(bad[i], strlen(bad[i])), 0, "row %zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert_eq(utf8_len(good[i].text, strlen(good[i].text)), good[i].n, "row %zu", i);
	cr_assert_eq(utf8_len("", 0), 0);
	cr_assert_eq(utf8_len("\0", 1), 1);
}

Test(names, are_found_both_ways_and_holes_are_skipped)
{
	static const char *const array[] = { [1] = "one", [3] = "three" };
	const struct name_table t = NAMES(array);

	cr_assert_eq(name_parse(&t, "three"), 3);
	cr_assert_eq(name_parse(&t, "two"), -1);
	cr_assert_eq(name_parse(&t, NULL), -1);
	cr_assert_str_eq(name_of(&t, 1), "one");
	cr_assert_null(name_of(&t, 0));
	cr_assert_null(name_of(&t, 4));
	cr_assert_null(name_of(&t, -1));
}

Test(names, a_map_gives_the_value_of_a_key)
{
	struct ctr_pair items[] = { { "a", "1" }, { "b", "2" } };
	const struct ctr_map_str map = { items, 2 };

	cr_assert_str_eq(ctr_map_get(&map, "b"), "2");
	cr_assert_null(ctr_map_get(&map, "c"));
}
