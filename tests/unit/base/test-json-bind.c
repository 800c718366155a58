/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const colour_array[] = { "red", NULL, "blue" };
static const struct name_table colours = { colour_array, 3 };

struct sub {
	uint32_t x;
};

struct all {
	bool flag, seen;
	const char *text, *dropped;
	int32_t i32, small;
	uint32_t u32, *opt;
	int64_t i64;
	uint64_t u64;
	int colour, *colours;
	size_t n_colours;
	struct sub sub, *boxed, *subs;
	size_t n_subs;
	const char **words;
	size_t n_words;
	struct ctr_map_str map;
	struct ctr_map_obj objects;
};

static const struct json_field sub_fields[] = {
	J_ROW_U32(struct sub, x, "x", J_REQUIRED),
	{ 0 },
};

static const struct json_field fields[] = {
	J_ROW_BOOL(struct all, flag, "flag", 0),
	J_ROW_STR(struct all, text, "text", 0),
	J_ROW_STR(struct all, dropped, "dropped", J_EMPTY_IS_NULL),
	J_ROW_I32(struct all, i32, "i32", 0),
	{ .name = "small",
		.kind = J_I32,
		.off = offsetof(struct all, small),
		.size = 4,
		.min = -5,
		.max = 5 },
	J_ROW_U32(struct all, u32, "u32", 0),
	J_ROW_OPT(struct all, opt, "opt", J_U32, uint32_t *, NULL),
	J_ROW_I64(struct all, i64, "i64", 0),
	J_ROW_U64(struct all, u64, "u64", 0),
	J_ROW_ENUM(struct all, colour, "colour", 0, &colours),
	J_ROW_LIST_SEEN(struct all, colours, "colours", J_ENUM, int *, &colours, seen),
	J_ROW_OBJ(struct all, sub, "sub", 0, sub_fields),
	J_ROW_OPT(struct all, boxed, "boxed", J_OBJECT, struct sub *, sub_fields),
	J_ROW_LIST(struct all, subs, "subs", J_OBJECT, 0, struct sub *, sub_fields),
	J_ROW_LIST(struct all, words, "words", J_STR, 0, const char **, NULL),
	J_ROW_MAP(struct all, map, "map"),
	J_ROW_MAP_OBJ(struct all, objects, "objects", struct sub, sub_fields),
	J_ROW_IGNORED("elsewhere"),
	{ 0 },
};

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

TestSuite(json_bind, .init = set_up, .fini = tear_down);

static int bind(const char *text, struct all *all, enum json_unknown unknown)
{
	const struct json *v;

	*all = (struct all){ 0 };
	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, arena, &v, &err), 0, "%s", text);
	return json_bind(v, fields, all, unknown, arena, &err);
}

static void refuse(const char *text, const char *want)
{
	struct all all;
	char line[1024];

	cr_assert_eq(bind(text, &all, JSON_UNKNOWN_IGNORE), -1, "accepted: %s", text);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, want);
}

Test(json_bind, fills_every_kind)
{
	struct all a;

	cr_assert_eq(
		bind("{\"flag\":true,\"text\":\"t\",\"dropped\":\"d\",\"i32\":-2147483648,\"u32\":4294967295,\"opt\":0,"
		     "\"i64\":-9223372036854775808,\"u64\":18446744073709551615,\"colour\":\"blue\",\"colours\":[\"red\"],"
		     "\"sub\":{\"x\":1},\"boxed\":{\"x\":2},\"subs\":[{\"x\":3},{\"x\":4}],\"words\":[\"a\",\"b\"],"
		     "\"map\":{\"k\":\"v\"},\"objects\":{\"o\":{\"x\":5},\"p\":{\"x\":6}},\"elsewhere\":{\"deep\":[1]},\"small\":-5}",
			&a, JSON_UNKNOWN_REFUSE),
		0);
	cr_assert(a.flag && a.seen);
	cr_assert_str_eq(a.text, "t");
	cr_assert_str_eq(a.dropped, "d");
	cr_assert_eq(a.i32, INT32_MIN);
	cr_assert_eq(a.small, -5);
	cr_assert_eq(a.u32, UINT32_MAX);
	cr_assert_eq(*a.opt, 0);
	cr_assert_eq(a.i64, INT64_MIN);
	cr_assert_eq(a.u64, UINT64_MAX);
	cr_assert_eq(a.colour, 2);
	cr_assert_eq(a.n_colours, 1);
	cr_assert_eq(a.sub.x + a.boxed->x + a.subs[0].x + a.subs[1].x, 10);
	cr_assert_eq(a.n_words, 2);
	cr_assert_str_eq(a.words[1], "b");
	cr_assert_str_eq(ctr_map_get(&a.map, "k"), "v");
	cr_assert_eq(a.objects.n, 2);
	cr_assert_str_eq(a.objects.keys[1], "p");
	cr_assert_eq(((struct sub *)a.objects.items)[1].x, 6);
}

Test(json_bind, absent_and_null_are_the_same)
{
	struct all a;

	cr_assert_eq(
		bind("{\"opt\":null,\"subs\":null,\"boxed\":null,\"colours\":null,\"flag\":null}",
			&a, JSON_UNKNOWN_REFUSE),
		0);
	cr_assert(!a.opt && !a.subs && !a.boxed && !a.seen && !a.flag);
	cr_assert_eq(
		bind("{\"colours\":[],\"dropped\":\"\",\"text\":\"\"}", &a, JSON_UNKNOWN_REFUSE),
		0);
	cr_assert(a.seen && a.n_colours == 0);
	cr_assert_null(a.dropped);
	cr_assert_str_eq(a.text, "");
}

Test(json_bind, unknown_properties_are_ignored_or_refused_as_asked)
{
	struct all a;

	cr_assert_eq(
		bind("{\"nobody\":[{}],\"sub\":{\"x\":1,\"y\":2}}", &a, JSON_UNKNOWN_IGNORE), 0);
	cr_assert_eq(bind("{\"nobody\":1}", &a, JSON_UNKNOWN_REFUSE), -1);
	cr_assert_eq(bind("{\"sub\":{\"x\":1,\"y\":2}}", &a, JSON_UNKNOWN_REFUSE), -1);
	cr_assert_str_eq(err.where, "sub");
	cr_assert_str_eq(err.object, "y");
}

Test(json_bind, wrong_types_are_named_with_their_place)
{
	refuse("[]", "expected an object, found an array");
	refuse("{\"flag\":1}", "flag: expected true or false, found the number 1");
	refuse("{\"text\":7}", "text: expected a string, found the number 7");
	refuse("{\"u32\":\"1\"}", "u32: expected an integer, found the string \"1\"");
	refuse("{\"subs\":{}}", "subs: expected an array, found an object");
	refuse("{\"subs\":[{\"x\":1},{\"x\":true}]}", "subs[1].x: expected an integer, found true");
	refuse("{\"words\":[\"a\",null]}", "words[1]: expected a string, found null");
	refuse("{\"map\":{\"a\":\"b\",\"c d\":1}}",
		"map[\"c d\"]: expected a string, found the number 1");
	refuse("{\"map\":[]}", "map: expected an object, found an array");
	refuse("{\"objects\":{\"o\":[]}}", "objects[\"o\"]: expected an object, found an array");
	refuse("{\"objects\":1}", "objects: expected an object, found the number 1");
	refuse("{\"colour\":1}", "colour: expected a name (a string), found the number 1");
}

Test(json_bind, numbers_outside_of_their_range_are_refused)
{
	refuse("{\"u32\":4294967296}", "u32: 4294967296 is out of range (0 to 4294967295)");
	refuse("{\"u32\":-1}", "u32: -1 is out of range (0 to 4294967295)");
	refuse("{\"u64\":18446744073709551616}",
		"u64: 18446744073709551616 is out of range (0 to 18446744073709551615)");
	refuse("{\"i32\":2147483648}", "i32: 2147483648 is out of range");
	refuse("{\"i64\":9223372036854775808}", "i64: 9223372036854775808 is out of range");
	refuse("{\"small\":6}", "small: 6 is out of range (-5 to 5)");
	refuse("{\"u32\":1.0}", "u32: expected an integer, found the number 1.0");
	refuse("{\"u32\":1e3}", "u32: expected an integer, found the number 1e3");
}

Test(json_bind, minus_zero_is_zero)
{
	struct all a;

	cr_assert_eq(bind("{\"u32\":-0,\"i64\":-0}", &a, JSON_UNKNOWN_REFUSE), 0);
	cr_assert(a.u32 == 0 && a.i64 == 0);
}

Test(json_bind, unknown_names_are_answered_with_the_known_ones)
{
	refuse("{\"colour\":\"green\"}", "colour: unknown value \"green\"");
	cr_assert_str_eq(err.hint, "one of: red, blue");
}

Test(json_bind, missing_required_properties_are_named)
{
	refuse("{\"sub\":{}}", "sub.x: the required property is missing");
	refuse("{\"sub\":{\"x\":null}}", "sub.x: the required property is missing");
	refuse("{\"subs\":[{\"x\":1},{}]}", "subs[1].x: the required property is missing");
}

/* ---- JSON_PROTO ---- */

struct deep {
	bool is_privileged, windows;
	int64_t run_as_user;
	uint64_t page_limit;
	uint32_t attempt;
	int colour;
	const char *log_path;
	struct deep *security_context, *cdi_devices;
	size_t n_cdi_devices;
};

static const struct json_field inner_fields[] = {
	J_ROW_BOOL(struct deep, is_privileged, "is_privileged", 0),
	J_ROW_I64(struct deep, run_as_user, "run_as_user", 0),
	{ 0 },
};

static const struct json_field proto_fields[] = {
	J_ROW_I64(struct deep, run_as_user, "run_as_user", 0),
	J_ROW_U64(struct deep, page_limit, "page_limit", 0),
	J_ROW_U32(struct deep, attempt, "attempt", 0),
	J_ROW_ENUM(struct deep, colour, "colour", 0, &colours),
	J_ROW_STR(struct deep, log_path, "log_path", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct deep, security_context, "security_context", J_OBJECT, struct deep *,
		inner_fields),
	J_ROW_LIST(
		struct deep, cdi_devices, "CDI_devices", J_OBJECT, 0, struct deep *, inner_fields),
	J_ROW_(struct deep, windows, "windows", J_PRESENT, 0, bool, NULL),
	{ 0 },
};

static int bind_proto(const char *text, struct deep *deep)
{
	const struct json *v;

	*deep = (struct deep){ 0 };
	err = (struct err)ERR_INIT;
	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, arena, &v, &err), 0, "%s", text);
	return json_bind(v, proto_fields, deep, JSON_PROTO, arena, &err);
}

static void refuse_proto(const char *text, const char *want, const char *hint)
{
	struct deep d;
	char line[1024];

	cr_assert_eq(bind_proto(text, &d), -1, "accepted: %s", text);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, want);
	cr_assert_str_eq(err.hint, hint, "%s: %s", text, err.hint);
}

Test(json_bind, proto_takes_both_spellings_of_a_key)
{
	struct deep d;

	cr_assert_eq(bind_proto("{\"log_path\":\"a\",\"run_as_user\":5,\"CDI_devices\":[{}],"
				"\"security_context\":{\"is_privileged\":true}}",
			     &d),
		0);
	cr_assert_str_eq(d.log_path, "a");
	cr_assert_eq(d.run_as_user, 5);
	cr_assert_eq(d.n_cdi_devices, 1);
	cr_assert(d.security_context->is_privileged);
	cr_assert_eq(bind_proto("{\"logPath\":\"a\",\"runAsUser\":5,\"CDIDevices\":[{}],"
				"\"securityContext\":{\"isPrivileged\":true}}",
			     &d),
		0);
	cr_assert_str_eq(d.log_path, "a");
	cr_assert_eq(d.run_as_user, 5);
	cr_assert_eq(d.n_cdi_devices, 1);
	cr_assert(d.security_context->is_privileged);
}

Test(json_bind, proto_refuses_two_spellings_at_once)
{
	refuse_proto("{\"log_path\":\"a\",\"logPath\":\"a\"}", "logPath: given twice",
		"\"log_path\" is also written in its other spelling");
	refuse_proto("{\"securityContext\":{\"runAsUser\":1,\"run_as_user\":1}}",
		"securityContext.run_as_user: given twice",
		"\"run_as_user\" is also written in its other spelling");
}

Test(json_bind, proto_names_the_place_as_it_is_written)
{
	refuse_proto("{\"securityContext\":{\"isPrivileged\":1}}",
		"securityContext.isPrivileged: expected true or false, found the number 1", "");
	refuse_proto("{\"security_context\":{\"isPrivileged\":1}}",
		"security_context.isPrivileged: expected true or false, found the number 1", "");
}

Test(json_bind, proto_refuses_unknown_keys_and_says_what_may_be_meant)
{
	refuse_proto(
		"{\"logpath\":\"\"}", "logpath: unknown property", "did you mean \"log_path\"?");
	refuse_proto(
		"{\"LogPath\":\"\"}", "LogPath: unknown property", "did you mean \"log_path\"?");
	refuse_proto("{\"log_path_\":\"\"}", "log_path_: unknown property",
		"did you mean \"log_path\"?");
	refuse_proto("{\"atempts\":1}", "atempts: unknown property", "did you mean \"attempt\"?");
	refuse_proto("{\"cdi_devices\":[]}", "cdi_devices: unknown property",
		"did you mean \"CDI_devices\"?");
	refuse_proto("{\"isPrivileged\":true}", "isPrivileged: unknown property",
		"did you mean \"security_context.is_privileged\"?");
	refuse_proto(
		"{\"security_context\":{\"x\":1}}", "security_context: x: unknown property", "");
	refuse_proto("{\"nothing_like_it\":1}", "nothing_like_it: unknown property", "");
	refuse_proto("{\"\":1}", "unknown property", "");
	refuse_proto("{\"a_key_that_is_much_longer_than_any_name_of_a_known_field\":1}",
		"a_key_that_is_much_longer_than_any_name_of_a_known_field: unknown property", "");
}

Test(json_bind, proto_takes_64_bit_numbers_as_strings)
{
	struct deep d;

	cr_assert_eq(bind_proto("{\"run_as_user\":\"-9223372036854775808\",\"page_limit\":"
				"\"18446744073709551615\"}",
			     &d),
		0);
	cr_assert_eq(d.run_as_user, INT64_MIN);
	cr_assert_eq(d.page_limit, UINT64_MAX);
	refuse_proto("{\"run_as_user\":\"\"}",
		"run_as_user: expected an integer, found the string \"\"", "");
	refuse_proto("{\"run_as_user\":\"1k\"}",
		"run_as_user: expected an integer, found the string \"1k\"", "");
	refuse_proto("{\"run_as_user\":\"-\"}", "run_as_user: - is out of range", "");
	refuse_proto("{\"page_limit\":\"18446744073709551616\"}",
		"page_limit: 18446744073709551616 is out of range (0 to 18446744073709551615)", "");
	refuse_proto("{\"page_limit\":\" 1\"}",
		"page_limit: expected an integer, found the string \" 1\"", "");
	refuse_proto(
		"{\"attempt\":\"1\"}", "attempt: expected an integer, found the string \"1\"", "");
}

Test(json_bind, proto_takes_enums_by_name_or_number)
{
	struct deep d;

	cr_assert_eq(bind_proto("{\"colour\":\"blue\"}", &d), 0);
	cr_assert_eq(d.colour, 2);
	cr_assert_eq(bind_proto("{\"colour\":2}", &d), 0);
	cr_assert_eq(d.colour, 2);
	refuse_proto("{\"colour\":1}", "colour: unknown value 1", "one of: red, blue");
	refuse_proto("{\"colour\":3}", "colour: unknown value 3", "one of: red, blue");
	refuse_proto("{\"colour\":-1}", "colour: unknown value -1", "one of: red, blue");
	refuse_proto("{\"colour\":2.0}", "colour: unknown value 2.0", "one of: red, blue");
	refuse_proto(
		"{\"colour\":4294967298}", "colour: unknown value 4294967298", "one of: red, blue");
	refuse_proto("{\"colour\":\"2\"}", "colour: unknown value \"2\"", "one of: red, blue");
	refuse_proto("{\"colour\":true}", "colour: expected a name or its number, found true", "");
}

Test(json_bind, null_is_absent_and_what_only_has_to_be_there_is_seen)
{
	struct deep d;

	cr_assert_eq(bind_proto("{\"log_path\":null,\"logPath\":\"x\",\"windows\":null}", &d), 0);
	cr_assert_str_eq(d.log_path, "x");
	cr_assert(!d.windows);
	cr_assert_eq(bind_proto("{\"windows\":{\"any\":[1]}}", &d), 0);
	cr_assert(d.windows);
	cr_assert_eq(bind_proto("{\"windows\":{}}", &d), 0);
	cr_assert(d.windows);
}

/* What is read by the ordinary modes stays as strict as it was. */
Test(json_bind, other_modes_know_neither_the_other_spelling_nor_numbers_in_strings)
{
	const struct json *v;
	struct deep d = { 0 };
	static const char text[] = "{\"logPath\":\"a\"}", number[] = "{\"run_as_user\":\"1\"}";

	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, arena, &v, &err), 0);
	cr_assert_eq(json_bind(v, proto_fields, &d, JSON_UNKNOWN_IGNORE, arena, &err), 0);
	cr_assert_null(d.log_path);
	cr_assert_eq(json_bind(v, proto_fields, &d, JSON_UNKNOWN_REFUSE, arena, &err), -1);
	cr_assert_str_empty(err.hint);
	cr_assert_eq(json_parse(number, strlen(number), 1 << 20, arena, &v, &err), 0);
	cr_assert_eq(json_bind(v, proto_fields, &d, JSON_UNKNOWN_IGNORE, arena, &err), -1);
}
