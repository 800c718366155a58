/* SPDX-License-Identifier: Apache-2.0 */
/* From the tree to structs, by field tables. */
#include "base/json.h"

#include <string.h>

static const char *const type_names[] = { "null", "a boolean", "a number", "a string", "an array",
	"an object" };

enum { SHOWN_MAX = 80 };

static int mismatch(const struct json *v, const char *want, struct err *err)
{
	if (!v->text)
		return err_set(
			err, ERR_INVALID, NULL, "expected %s, found %s", want, type_names[v->type]);
	return err_set(err, ERR_INVALID, NULL, "expected %s, found %s%s%.*s%s%s", want,
		v->type == JSON_STRING   ? "the string \""
		: v->type == JSON_NUMBER ? "the number "
					 : "",
		"", SHOWN_MAX, v->text, strlen(v->text) > SHOWN_MAX ? "..." : "",
		v->type == JSON_STRING ? "\"" : "");
}

static int out_of_range(const struct json *v, struct err *err)
{
	return err_set(err, ERR_INVALID, NULL, "%.*s is out of range", SHOWN_MAX, v->text);
}

/* Digits only: 1e3 and 1.0 are numbers, but no integers here. "-0" is 0. */
static bool is_integer(const char *s)
{
	s += *s == '-';
	for (; *s; s++)
		if (*s < '0' || *s > '9')
			return false;
	return true;
}

/* Is it written as an integer may be? protojson writes those of 64 bits as strings. */
static bool is_spelled(const struct json *v, bool wide, enum json_unknown mode)
{
	if (v->type == JSON_STRING && wide && mode == JSON_PROTO)
		return *v->text && is_integer(v->text);
	return v->type == JSON_NUMBER && is_integer(v->text);
}

static int bind_signed(const struct json *v, const struct json_field *f, void *dst,
	enum json_unknown mode, struct err *err)
{
	bool wide = f->kind == J_I64;
	bool limited = f->min != 0 || f->max != 0;
	int64_t min = limited ? f->min : wide ? INT64_MIN : INT32_MIN;
	int64_t max = limited ? (int64_t)f->max : wide ? INT64_MAX : INT32_MAX;
	int64_t value;

	if (!is_spelled(v, wide, mode))
		return mismatch(v, "an integer", err);
	if (parse_i64(v->text, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX, &value) <
		0)
		return out_of_range(v, err);
	if (value < min || value > max)
		return err_set(err, ERR_INVALID, NULL, "%lld is out of range (%lld to %lld)",
			(long long)value, (long long)min, (long long)max);
	if (wide)
		*(int64_t *)dst = value;
	else
		*(int32_t *)dst = (int32_t)value;
	return 0;
}

static int bind_unsigned(const struct json *v, const struct json_field *f, void *dst,
	enum json_unknown mode, struct err *err)
{
	bool wide = f->kind == J_U64;
	uint64_t max = f->max ? f->max : wide ? UINT64_MAX : UINT32_MAX;
	uint64_t value;

	if (!is_spelled(v, wide, mode))
		return mismatch(v, "an integer", err);
	if (parse_u64(str_eq(v->text, "-0") ? "0" : v->text, max, &value) < 0)
		return err_set(err, ERR_INVALID, NULL, "%.*s is out of range (0 to %llu)",
			SHOWN_MAX, v->text, (unsigned long long)max);
	if (wide)
		*(uint64_t *)dst = value;
	else
		*(uint32_t *)dst = (uint32_t)value;
	return 0;
}

static int bind_enum(const struct json *v, const struct name_table *names, int *dst,
	enum json_unknown mode, struct err *err)
{
	bool by_number = mode == JSON_PROTO && v->type == JSON_NUMBER;
	const char *quote = by_number ? "" : "\"";
	uint64_t number;
	int value = -1;

	if (v->type != JSON_STRING && !by_number)
		return mismatch(
			v, mode == JSON_PROTO ? "a name or its number" : "a name (a string)", err);
	if (!by_number)
		value = name_parse(names, v->text);
	else if (parse_u64(v->text, INT32_MAX, &number) == 0 && name_of(names, (int)number))
		value = (int)number;
	if (value < 0) {
		err_set(err, ERR_INVALID, NULL, "unknown value %s%.*s%s", quote, SHOWN_MAX, v->text,
			quote);
		char list[sizeof(err->hint)] = "", *p = list;
		for (size_t i = 0; i < names->n; i++)
			if (names->names[i] && p < list + sizeof(list) - 1)
				p += snprintf(p, (size_t)(list + sizeof(list) - p), "%s%s",
					p > list ? ", " : "", names->names[i]);
		return err_hint(err, "one of: %s", list);
	}
	*dst = value;
	return 0;
}

static int bind_map_str(
	const struct json *v, struct ctr_map_str *dst, struct arena *arena, struct err *err)
{
	if (v->type != JSON_OBJECT)
		return mismatch(v, "an object", err);
	dst->items = arena_array(arena, v->n, sizeof(*dst->items));
	if (!dst->items)
		return err_nomem(err);
	json_for_each (it, v) {
		if (it->type != JSON_STRING) {
			mismatch(it, "a string", err);
			return err_in(err, "[\"%s\"]", it->key);
		}
		dst->items[dst->n++] = (struct ctr_pair){ it->key, it->text };
	}
	return 0;
}

static int bind_map_obj(const struct json *v, const struct json_field *f, struct ctr_map_obj *dst,
	enum json_unknown unknown, struct arena *arena, struct err *err)
{
	if (v->type != JSON_OBJECT)
		return mismatch(v, "an object", err);
	dst->keys = arena_array(arena, v->n, sizeof(*dst->keys));
	dst->items = arena_array(arena, v->n, f->size);
	if (!dst->keys || !dst->items)
		return err_nomem(err);
	json_for_each (it, v) {
		dst->keys[dst->n] = it->key;
		if (json_bind(it, f->more, (char *)dst->items + dst->n * f->size, unknown, arena,
			    err) < 0)
			return err_in(err, "[\"%s\"]", it->key);
		dst->n++;
	}
	return 0;
}

static int bind_one(const struct json *v, const struct json_field *f, void *dst,
	enum json_unknown unknown, struct arena *arena, struct err *err)
{
	switch (f->kind) {
	case J_BOOL:
		if (v->type != JSON_BOOL)
			return mismatch(v, "true or false", err);
		*(bool *)dst = v->text[0] == 't';
		return 0;
	case J_STR:
		if (v->type != JSON_STRING)
			return mismatch(v, "a string", err);
		if (*v->text || !(f->flags & J_EMPTY_IS_NULL))
			memcpy(dst, &v->text, sizeof(v->text));
		return 0;
	case J_I32:
	case J_I64: return bind_signed(v, f, dst, unknown, err);
	case J_U32:
	case J_U64: return bind_unsigned(v, f, dst, unknown, err);
	case J_ENUM: return bind_enum(v, f->more, dst, unknown, err);
	case J_OBJECT: return json_bind(v, f->more, dst, unknown, arena, err);
	case J_MAP_STR: return bind_map_str(v, dst, arena, err);
	case J_MAP_OBJ: return bind_map_obj(v, f, dst, unknown, arena, err);
	case J_PRESENT: *(bool *)dst = true; return 0;
	}
	return err_set(err, ERR_INTERNAL, f->name, "the field table names no such kind");
}

static int bind_list(const struct json *v, const struct json_field *f, char *base,
	enum json_unknown unknown, struct arena *arena, struct err *err)
{
	char *items;
	size_t i = 0;

	if (v->type != JSON_ARRAY)
		return mismatch(v, "an array", err);
	items = arena_array(arena, v->n, f->size);
	if (!items)
		return err_nomem(err);
	json_for_each (it, v) {
		if (bind_one(it, f, items + i * f->size, unknown, arena, err) < 0)
			return err_in(err, "[%zu]", i);
		i++;
	}
	/* Not through a void **: the member has another pointer type. */
	memcpy(base + f->off, &items, sizeof(items));
	memcpy(base + f->off_n, &i, sizeof(i));
	if (f->flags & J_SEEN)
		*(bool *)(base + f->off_seen) = true;
	return 0;
}

static int bind_field(const struct json *v, const struct json_field *f, char *base,
	enum json_unknown unknown, struct arena *arena, struct err *err)
{
	char *dst = base + f->off;

	if (f->flags & J_IGNORED)
		return 0;
	if (f->flags & J_LIST)
		return bind_list(v, f, base, unknown, arena, err);
	if (f->flags & J_OPT) {
		char *boxed = arena_alloc(arena, f->size);
		if (!boxed)
			return err_nomem(err);
		memcpy(dst, &boxed, sizeof(boxed));
		dst = boxed;
	}
	return bind_one(v, f, dst, unknown, arena, err);
}

/* ---- keys ---- */

static char to_upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static char to_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* protojson's other spelling of a name: without "_", the letter behind it upper-case. */
static bool is_camel_case_of(const char *key, const char *name)
{
	for (; *name; name++, key++) {
		bool upper = *name == '_';
		name += upper;
		if (*key != (upper ? to_upper(*name) : *name) || !*key)
			return false;
	}
	return !*key;
}

static const struct json_field *row_of(
	const struct json_field *fields, const char *key, enum json_unknown mode)
{
	const struct json_field *f = fields;

	while (f->name && strcmp(f->name, key) != 0)
		f++;
	if (f->name || mode != JSON_PROTO)
		return f;
	for (f = fields; f->name && !is_camel_case_of(key, f->name); f++)
		;
	return f;
}

enum { NEAR_NAME_MAX = 48, NEAR_DEPTH_MAX = 4 };

/* Letters and digits only, lower-case. 0 when it is too long to be compared. */
static size_t bare(const char *s, char out[NEAR_NAME_MAX])
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s == '_' || *s == '-')
			continue;
		if (n == NEAR_NAME_MAX)
			return 0;
		out[n++] = to_lower(*s);
	}
	return n;
}

/* How many letters must be added, dropped or changed. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t row[NEAR_NAME_MAX + 1];

	for (size_t k = 0; k <= n_b; k++)
		row[k] = k;
	for (size_t i = 0; i < n_a; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t k = 0; k < n_b; k++) {
			size_t changed = diagonal + (a[i] != b[k]);
			diagonal = row[k + 1];
			row[k + 1] = MIN(changed, MIN(row[k], diagonal) + 1);
		}
	}
	return row[n_b];
}

/* The known name that the key is nearest to, or NULL when none is near. */
static const char *near_name(const struct json_field *fields, const char *key)
{
	char a[NEAR_NAME_MAX], b[NEAR_NAME_MAX];
	size_t n_a = bare(key, a), best = n_a / 4 + 2;
	const char *found = NULL;

	for (const struct json_field *f = fields; n_a && f->name; f++) {
		size_t n_b = bare(f->name, b);
		size_t d = n_b ? distance(a, n_a, b, n_b) : best;
		if (d < best) {
			best = d;
			found = f->name;
		}
	}
	return found;
}

/* Is the key known further in? Then the way to it, "security_context.privileged". */
static bool nested_name(
	const struct json_field *fields, const char *key, int depth, struct str *path)
{
	for (const struct json_field *f = fields; f->name; f++) {
		size_t n = path->n;
		if (f->kind != J_OBJECT || (f->flags & J_IGNORED))
			continue;
		str_printf(path, "%s%s.", f->name, f->flags & J_LIST ? "[]" : "");
		const struct json_field *row = row_of(f->more, key, JSON_PROTO);
		if (row->name)
			str_add(path, row->name);
		if (row->name || (depth > 0 && nested_name(f->more, key, depth - 1, path)))
			return true;
		path->n = n;
	}
	return false;
}

static int unknown_key(
	const struct json_field *fields, const char *key, enum json_unknown mode, struct err *err)
{
	_str_ struct str path = { 0 };
	const char *meant = near_name(fields, key);

	err_set(err, ERR_INVALID, key, "unknown property");
	if (mode != JSON_PROTO)
		return -1;
	if (!meant && nested_name(fields, key, NEAR_DEPTH_MAX, &path) && !path.failed)
		meant = path.p;
	return meant ? err_hint(err, "did you mean \"%s\"?", meant) : -1;
}

static int given_twice(const struct json_field *f, const char *key, struct err *err)
{
	err_set(err, ERR_INVALID, NULL, "given twice");
	err_hint(err, "\"%s\" is also written in its other spelling", f->name);
	return err_in(err, "%s", key);
}

int json_bind(const struct json *v, const struct json_field *fields, void *base,
	enum json_unknown unknown, struct arena *arena, struct err *err)
{
	uint64_t seen = 0; /* a table has at most 64 rows */

	if (v->type != JSON_OBJECT)
		return mismatch(v, "an object", err);
	json_for_each (it, v) {
		const struct json_field *f = row_of(fields, it->key, unknown);
		if (!f->name && unknown != JSON_UNKNOWN_IGNORE)
			return unknown_key(fields, it->key, unknown, err);
		/* null is the same as absent: generators in Go write it for empty lists. */
		if (!f->name || it->type == JSON_NULL)
			continue;
		/* The reader refuses doubled keys, but not two spellings of one. */
		if (seen & UINT64_C(1) << (f - fields))
			return given_twice(f, it->key, err);
		seen |= UINT64_C(1) << (f - fields);
		if (bind_field(it, f, base, unknown, arena, err) < 0)
			return err_in(err, "%s", it->key);
	}
	for (const struct json_field *f = fields; f->name; f++)
		if ((f->flags & J_REQUIRED) && !(seen & UINT64_C(1) << (f - fields))) {
			err_set(err, ERR_INVALID, NULL, "the required property is missing");
			return err_in(err, "%s", f->name);
		}
	return 0;
}
