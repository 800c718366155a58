/* SPDX-License-Identifier: Apache-2.0 */
/* Text from values and, by field tables, from structs. */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

static void new_line(struct json_writer *w)
{
	if (!w->indent)
		return;
	str_add(w->out, "\n");
	for (int i = 0; i < w->depth * w->indent; i++)
		str_addn(w->out, " ", 1);
}

/* What stands before a value or key: nothing after a key, else the comma and the new line. */
static void separate(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->depth == 0)
		return;
	if (!w->first)
		str_addn(w->out, ",", 1);
	w->first = false;
	new_line(w);
}

static void open_with(struct json_writer *w, const char *bracket)
{
	separate(w);
	str_addn(w->out, bracket, 1);
	w->depth++;
	w->first = true;
}

static void close_with(struct json_writer *w, const char *bracket)
{
	w->depth--;
	if (!w->first)
		new_line(w);
	w->first = false;
	str_addn(w->out, bracket, 1);
}

void json_w_object(struct json_writer *w)
{
	open_with(w, "{");
}

void json_w_object_end(struct json_writer *w)
{
	close_with(w, "}");
}

void json_w_array(struct json_writer *w)
{
	open_with(w, "[");
}

void json_w_array_end(struct json_writer *w)
{
	close_with(w, "]");
}

/* One character that can't stand for itself. */
static void escape(struct str *out, const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;

	if (len == 0)
		str_add(out, "\\ufffd"); /* not UTF-8 */
	else if (len == 2)
		str_printf(out, "\\u%04x", (c & 0x1fu) << 6 | ((unsigned char)s[1] & 0x3fu));
	else if (c == '"' || c == '\\')
		str_printf(out, "\\%c", c);
	else if (c == '\n')
		str_add(out, "\\n");
	else if (c == '\t')
		str_add(out, "\\t");
	else if (c == '\r')
		str_add(out, "\\r");
	else
		str_printf(out, "\\u%04x", c);
}

/* C0, DEL, C1 (which terminals obey), quotes, backslashes and broken UTF-8. */
static bool must_escape(const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;

	if (len == 1)
		return c < 0x20 || c == 0x7f || c == '"' || c == '\\';
	return len == 0 || (len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

static void add_string(struct str *out, const char *s)
{
	size_t left = strlen(s);

	str_addn(out, "\"", 1);
	while (left) {
		size_t plain = 0, len = 1;
		while (plain < left &&
			!must_escape(s + plain, len = utf8_len(s + plain, left - plain)))
			plain += len;
		str_addn(out, s, plain);
		s += plain;
		left -= plain;
		if (!left)
			break;
		escape(out, s, len);
		s += MAX(len, (size_t)1);
		left -= MAX(len, (size_t)1);
	}
	str_addn(out, "\"", 1);
}

void json_w_key(struct json_writer *w, const char *key)
{
	separate(w);
	add_string(w->out, key);
	str_add(w->out, w->indent ? ": " : ":");
	w->after_key = true;
}

void json_w_str(struct json_writer *w, const char *s)
{
	if (!s) {
		json_w_null(w);
		return;
	}
	separate(w);
	add_string(w->out, s);
}

void json_w_u64(struct json_writer *w, uint64_t v)
{
	separate(w);
	str_printf(w->out, "%" PRIu64, v);
}

void json_w_i64(struct json_writer *w, int64_t v)
{
	separate(w);
	str_printf(w->out, "%" PRId64, v);
}

void json_w_bool(struct json_writer *w, bool v)
{
	separate(w);
	str_add(w->out, v ? "true" : "false");
}

void json_w_null(struct json_writer *w)
{
	separate(w);
	str_add(w->out, "null");
}

static int by_key(const void *a, const void *b)
{
	const struct ctr_pair *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static void w_map_str(struct json_writer *w, const struct ctr_map_str *map)
{
	_free_ struct ctr_pair *sorted = NULL;
	const struct ctr_pair *items = map->items;

	if (w->sorted && map->n > 1) {
		sorted = malloc(mem_array(map->n, sizeof(*sorted)));
		if (!sorted) {
			w->out->failed = true;
			return;
		}
		memcpy(sorted, map->items, map->n * sizeof(*sorted));
		qsort(sorted, map->n, sizeof(*sorted), by_key);
		items = sorted;
	}
	json_w_object(w);
	for (size_t i = 0; i < map->n; i++) {
		json_w_key(w, items[i].key);
		json_w_str(w, items[i].value);
	}
	json_w_object_end(w);
}

static void w_map_obj(
	struct json_writer *w, const struct json_field *f, const struct ctr_map_obj *map)
{
	json_w_object(w);
	for (size_t i = 0; i < map->n; i++) {
		json_w_key(w, map->keys[i]);
		json_w_fields(w, f->more, (const char *)map->items + i * f->size);
	}
	json_w_object_end(w);
}

static void w_one(struct json_writer *w, const struct json_field *f, const void *p)
{
	switch (f->kind) {
	case J_BOOL: json_w_bool(w, *(const bool *)p); break;
	case J_STR: json_w_str(w, *(const char *const *)p); break;
	case J_I32: json_w_i64(w, *(const int32_t *)p); break;
	case J_U32: json_w_u64(w, *(const uint32_t *)p); break;
	case J_I64: json_w_i64(w, *(const int64_t *)p); break;
	case J_U64: json_w_u64(w, *(const uint64_t *)p); break;
	case J_ENUM: json_w_str(w, name_of(f->more, *(const int *)p)); break;
	case J_OBJECT: json_w_fields(w, f->more, p); break;
	case J_MAP_STR: w_map_str(w, p); break;
	case J_MAP_OBJ: w_map_obj(w, f, p); break;
	case J_PRESENT: break;
	}
}

/* What reads back the same when it is left out. */
static bool is_empty(const struct json_field *f, const void *p)
{
	if (f->flags & (J_REQUIRED | J_KEEP))
		return false;
	switch (f->kind) {
	case J_BOOL: return !*(const bool *)p;
	case J_STR: return !*(const char *const *)p;
	case J_I32:
	case J_U32:
	case J_ENUM: return !*(const uint32_t *)p;
	case J_I64:
	case J_U64: return !*(const uint64_t *)p;
	case J_MAP_STR: return !((const struct ctr_map_str *)p)->n;
	case J_MAP_OBJ: return !((const struct ctr_map_obj *)p)->n;
	case J_OBJECT: return false;
	case J_PRESENT: return true;
	}
	return false;
}

static void w_list(struct json_writer *w, const struct json_field *f, const char *base)
{
	const char *items;
	size_t n;

	memcpy(&items, base + f->off, sizeof(items));
	memcpy(&n, base + f->off_n, sizeof(n));
	if (!n && !(f->flags & J_REQUIRED) &&
		!((f->flags & J_SEEN) && *(const bool *)(base + f->off_seen)))
		return;
	json_w_key(w, f->name);
	json_w_array(w);
	for (size_t i = 0; i < n; i++)
		w_one(w, f, items + i * f->size);
	json_w_array_end(w);
}

/* What a pointer member points to. Not through a char **: the member has another pointer type. */
static const char *boxed_at(const char *member)
{
	const char *boxed;

	memcpy(&boxed, member, sizeof(boxed));
	return boxed;
}

void json_w_fields(struct json_writer *w, const struct json_field *fields, const void *base)
{
	json_w_object(w);
	for (const struct json_field *f = fields; f->name; f++) {
		const char *p = (const char *)base + f->off;
		if (f->flags & J_IGNORED)
			continue;
		if (f->flags & J_LIST) {
			w_list(w, f, base);
			continue;
		}
		if (f->flags & J_OPT)
			p = boxed_at(p);
		if (!p || (!(f->flags & J_OPT) && is_empty(f, p)))
			continue;
		json_w_key(w, f->name);
		w_one(w, f, p);
	}
	json_w_object_end(w);
}

void json_write(const struct json_field *fields, const void *base, struct str *out)
{
	struct json_writer w = { .out = out };

	json_w_fields(&w, fields, base);
	str_add(out, "\n");
}
