/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <criterion/criterion.h>
#include <string.h>

struct inner {
	uint32_t x;
	bool b;
};

struct outer {
	const char *s;
	bool flag;
	struct inner *list;
	size_t n_list;
	int64_t *opt;
	struct ctr_map_str map;
	struct ctr_map_obj objects;
	uint32_t kept, zero;
	int *names;
	size_t n_names;
	bool seen;
};

static const char *const letter_array[] = { "a", "b" };
static const struct name_table letters = { letter_array, 2 };

static const struct json_field inner_fields[] = {
	J_ROW_U32(struct inner, x, "x", J_REQUIRED),
	J_ROW_BOOL(struct inner, b, "b", 0),
	{ 0 },
};

static const struct json_field outer_fields[] = {
	J_ROW_STR(struct outer, s, "s", 0),
	J_ROW_BOOL(struct outer, flag, "flag", 0),
	J_ROW_LIST(struct outer, list, "list", J_OBJECT, 0, struct inner *, inner_fields),
	J_ROW_OPT(struct outer, opt, "opt", J_I64, int64_t *, NULL),
	J_ROW_MAP(struct outer, map, "map"),
	J_ROW_MAP_OBJ(struct outer, objects, "objects", struct inner, inner_fields),
	J_ROW_U32(struct outer, kept, "kept", J_KEEP),
	J_ROW_U32(struct outer, zero, "zero", 0),
	J_ROW_LIST_SEEN(struct outer, names, "names", J_ENUM, int *, &letters, seen),
	{ 0 },
};

static void expect(const struct outer *o, int indent, const char *want)
{
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s, .indent = indent };

	json_w_fields(&w, outer_fields, o);
	cr_assert_str_eq(s.p, want);
}

Test(json_write, leaves_out_what_is_absent)
{
	const struct outer o = { 0 };

	expect(&o, 0, "{\"kept\":0}");
	expect(&o, 2, "{\n  \"kept\": 0\n}");
}

Test(json_write, writes_structs_by_their_table)
{
	struct inner list[] = { { 0, false }, { 2, true } };
	int64_t opt = 0;
	struct ctr_pair pairs[] = { { "k", "v" } };
	const char *keys[] = { "o" };
	int names[] = { 1, 0 };
	const struct outer o = { .s = "t",
		.flag = true,
		.list = list,
		.n_list = 2,
		.opt = &opt,
		.map = { pairs, 1 },
		.objects = { keys, list + 1, 1 },
		.names = names,
		.n_names = 2 };

	expect(&o, 0,
		"{\"s\":\"t\",\"flag\":true,\"list\":[{\"x\":0},{\"x\":2,\"b\":true}],\"opt\":0,\"map\":{\"k\":\"v\"},"
		"\"objects\":{\"o\":{\"x\":2,\"b\":true}},\"kept\":0,\"names\":[\"b\",\"a\"]}");
}

Test(json_write, an_empty_list_that_means_something_is_kept)
{
	const struct outer o = { .seen = true };

	expect(&o, 0, "{\"kept\":0,\"names\":[]}");
}

Test(json_write, indents)
{
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s, .indent = 2 };

	json_w_object(&w);
	json_w_key(&w, "a");
	json_w_array(&w);
	json_w_u64(&w, UINT64_MAX);
	json_w_i64(&w, INT64_MIN);
	json_w_array_end(&w);
	json_w_key(&w, "b");
	json_w_object(&w);
	json_w_object_end(&w);
	json_w_key(&w, "c");
	json_w_null(&w);
	json_w_object_end(&w);
	cr_assert_str_eq(s.p,
		"{\n  \"a\": [\n    18446744073709551615,\n    -9223372036854775808\n  ],\n  \"b\": {},\n  \"c\": null\n}");
}

Test(json_write, escapes_what_could_forge_lines_or_steer_a_terminal)
{
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s };

	json_w_str(&w, "a\"b\\c/\n\t\r\033\x7f\xc2\x9b\xc3\xa4\xff\xe2\x82 \xf0\x9f\x98\x80");
	cr_assert_str_eq(s.p,
		"\"a\\\"b\\\\c/\\n\\t\\r\\u001b\\u007f\\u009b\xc3\xa4\\ufffd\\ufffd\\ufffd \xf0\x9f\x98\x80\"");
}

Test(json_write, what_is_written_reads_back_the_same)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s };
	const struct json *v;
	struct err err = ERR_INIT;
	char all[256];

	for (int i = 1; i < 0x80; i++)
		all[i - 1] = (char)i;
	memcpy(all + 0x7f, "\xc2\x80\xc2\x9f\xed\x9f\xbf\xf4\x8f\xbf\xbf", 12);
	json_w_str(&w, all);
	cr_assert_eq(json_parse(s.p, s.n, 1 << 20, arena, &v, &err), 0);
	cr_assert_str_eq(v->text, all);
	json_w_str(&w, NULL);
}

Test(json_write, maps_are_written_in_their_own_order_unless_sorted)
{
	struct ctr_pair pairs[] = { { "b", "1" }, { "a", "2" }, { "ab", "3" }, { "B", "4" } };
	const struct outer o = { .map = { pairs, ARRAY_SIZE(pairs) } };
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s, .sorted = true };

	expect(&o, 0, "{\"map\":{\"b\":\"1\",\"a\":\"2\",\"ab\":\"3\",\"B\":\"4\"},\"kept\":0}");
	json_w_fields(&w, outer_fields, &o);
	cr_assert_str_eq(
		s.p, "{\"map\":{\"B\":\"4\",\"a\":\"2\",\"ab\":\"3\",\"b\":\"1\"},\"kept\":0}");
	cr_assert_str_eq(pairs[0].key, "b", "the map itself stays as it was");
}
