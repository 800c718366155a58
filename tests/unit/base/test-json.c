/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(json, .init = set_up, .fini = tear_down);

static const struct json *parse(const char *text)
{
	const struct json *v = NULL;
	char line[1024];

	if (json_parse(text, strlen(text), 64 << 20, arena, &v, &err) < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert_fail("%.100s: %s", text, line);
	}
	return v;
}

static void refuse(const char *text, size_t n, const char *why)
{
	const struct json *v = NULL;
	char line[1024];

	cr_assert_eq(json_parse(text, n, 64 << 20, arena, &v, &err), -1, "accepted: %.60s", text);
	err_line(&err, line, sizeof(line));
	cr_assert(strstr(line, why), "%.60s: %s", text, line);
	cr_assert_null(v);
}

Test(json, builds_a_tree)
{
	const struct json *v = parse(
		"{\"a\": [1, -2.5e3, \"x\", true, false, null, {}], \"b\": {\"c\": \"\\u00e4\\n\"}}");
	const struct json *a = json_get(v, "a");

	cr_assert_eq(v->type, JSON_OBJECT);
	cr_assert_eq(v->n, 2);
	cr_assert_eq(a->n, 7);
	cr_assert_str_eq(a->child->text, "1");
	cr_assert_str_eq(a->child->next->text, "-2.5e3");
	cr_assert_str_eq(json_get(json_get(v, "b"), "c")->text, "\xc3\xa4\n");
	cr_assert_null(json_get(v, "d"));
	cr_assert_null(json_get(a, "a"));
	cr_assert_null(json_get(NULL, "a"));
}

Test(json, a_lone_value_is_a_document)
{
	cr_assert_str_eq(parse("17")->text, "17");
	cr_assert_eq(parse(" null ")->type, JSON_NULL);
}

Test(json, numbers_keep_their_digits)
{
	cr_assert_str_eq(parse("[18446744073709551615]")->child->text, "18446744073709551615");
	cr_assert_str_eq(parse("[-9223372036854775808]")->child->text, "-9223372036854775808");
	cr_assert_str_eq(parse("[1e400]")->child->text, "1e400");
}

Test(json, surrogate_pairs_become_one_character)
{
	cr_assert_str_eq(parse("[\"\\ud83d\\ude00\"]")->child->text, "\xf0\x9f\x98\x80");
	cr_assert_str_eq(parse("[\"\\\\u0000\"]")->child->text, "\\u0000");
}

Test(json, refuses_what_isnt_json)
{
	static const char *const bad[] = { "", " ", "{", "[", "{\"a\"}", "{\"a\":}", "{a:1}",
		"[1,]", "{\"a\":1,}", "[01]", "[+1]", "[.5]", "[1.]", "[0x10]", "[NaN]", "['a']",
		"[\"a]", "[\"\\x\"]", "tru", "[1 2]", "]", "}", "\\", "[\"\t\"]", "[\"\n\"]",
		"[\"\\u12\"]", "[\"\\u12g4\"]" };
	char why[] = "byte";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refuse(bad[i], strlen(bad[i]), why);
}

Test(json, refuses_comments_and_trailing_bytes)
{
	refuse("/* a */ {}", 10, "byte");
	refuse("{} // b", 7, "byte");
	refuse("{}{}", 4, "byte");
	refuse("{} x", 4, "byte");
	refuse("{}\0", 3, "byte");
}

Test(json, refuses_nul_in_strings_and_keys)
{
	refuse("[\"a\\u0000b\"]", 12, "NUL");
	refuse("{\"a\\u0000b\":1}", 14, "NUL");
	refuse("[\"a\0b\"]", 7, "byte");
}

Test(json, refuses_lone_surrogates)
{
	static const char *const bad[] = { "[\"\\ud800\"]", "[\"\\udc00\"]", "[\"\\ud800x\"]",
		"[\"\\ud800\\u0041\"]", "[\"\\ud800\\ud800\"]", "[\"\\udc00\\ud800\"]",
		"[\"\\uDBFF\\n\"]" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refuse(bad[i], strlen(bad[i]), "lone surrogate");
}

Test(json, refuses_broken_utf8)
{
	static const char *const bad[] = { "[\"\xff\"]", "[\"\xc0\xaf\"]", "[\"\xed\xa0\x80\"]",
		"[\"\xe2\x82\"]", "[\"0123456789\xf5\x80\x80\x80\"]", "\xef\xbb\xbf{}" };

	for (size_t i = 0; i + 1 < ARRAY_SIZE(bad); i++)
		refuse(bad[i], strlen(bad[i]), "UTF-8");
	refuse(bad[5], 5, "byte"); /* a byte order mark is no JSON */
}

Test(json, refuses_a_key_given_twice_and_says_which)
{
	_str_ struct str many = { 0 };

	refuse("{\"a\":1,\"b\":{\"k\":1,\"x\":2,\"k\":3}}", 32, "k: given twice");
	refuse("{\"a\":1,\"\\u0061\":2}", 18, "a: given twice");
	str_add(&many, "{");
	for (int i = 0; i < 500; i++)
		str_printf(&many, "\"key%d\":%d,", i, i);
	size_t unique = many.n;
	str_add(&many, "\"last\":0}");
	parse(many.p);
	many.n = unique;
	str_add(&many, "\"key77\":0}");
	refuse(many.p, many.n, "key77: given twice");
	parse("[{\"a\":1},{\"a\":1}]");
}

Test(json, errors_name_line_and_column)
{
	refuse("{\n  \"a\": 1,\n  \"b\": x\n}", 22, "line 3");
	refuse("[\n\n \"\\ud800\"]", 13, "line 3, column 3");
}

static char *nested(size_t depth)
{
	char *s = calloc(1, 2 * depth + 1);

	memset(s, '[', depth);
	memset(s + depth, ']', depth);
	return s;
}

Test(json, depth_is_limited)
{
	_free_ char *ok = nested(JSON_DEPTH_MAX), *deep = nested(JSON_DEPTH_MAX + 1),
		    *abyss = nested(400000);

	parse(ok);
	refuse(deep, strlen(deep), "nested deeper than 64");
	refuse(abyss, strlen(abyss), "nested deeper than 64");
}

Test(json, size_strings_and_values_are_limited)
{
	const struct json *v = NULL;
	size_t n = JSON_STRING_MAX + 5;
	_free_ char *big = malloc(n + 1);

	cr_assert_eq(json_parse("[1234567]", 9, 8, arena, &v, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	memset(big, 'x', n);
	memcpy(big, "[\"", 2);
	memcpy(big + n - 2, "\"]", 3);
	refuse(big, n, "longer than 1 MiB");
	memcpy(big + n - 3, "\"]", 3);
	parse(big);

	n = 2 * (JSON_VALUES_MAX + 1);
	_free_ char *many = malloc(n + 2);
	for (size_t i = 0; i < n; i += 2)
		memcpy(many + i, "1,", 2);
	many[0] = '[';
	many[n - 1] = ']';
	many[1] = '1';
	refuse(many, n, "more than 1000000 values");
}
