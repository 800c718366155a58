/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader. yajl is driven by its callbacks (its tree parser keeps duplicate keys, cuts strings
 * at NUL and recurses), from memory that is checked here before: UTF-8, and what \u may stand for,
 * because yajl lets lone surrogates pass.
 */
#include "base/json.h"

#include <inttypes.h>
#include <setjmp.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* ---- memory for yajl ---- */

/* Up to here keys of one object are compared pair by pair; beyond, sorted. */
enum { FEW_KEYS = 24, YAJL_SLACK = 64 * 1024 };

/*
 * yajl never looks at what malloc returns. So its allocations go through these functions, which
 * leave the parser with longjmp when memory or the budget is out; all pieces hang on one list and
 * are freed at the end.
 */
struct ring {
	struct ring *next, *prev;
};

struct piece {
	struct ring ring;
	size_t n;
	max_align_t mem[];
};

struct reader {
	struct arena *arena;
	struct json root, *open[JSON_DEPTH_MAX + 1], *last[JSON_DEPTH_MAX + 1];
	size_t depth, n_values;
	const char *key;
	const char *why; /* what a callback objects to */
	const char *why_key;
	bool no_memory;
	struct ring pieces;
	size_t used, budget;
	jmp_buf out_of_memory;
};

static void *piece_alloc(void *ctx, size_t n)
{
	struct reader *r = ctx;
	struct piece *p = NULL;

	if (n <= r->budget - r->used)
		p = malloc(sizeof(*p) + n);
	if (!p)
		longjmp(r->out_of_memory, 1);
	p->n = n;
	p->ring.next = &r->pieces;
	p->ring.prev = r->pieces.prev;
	p->ring.prev->next = p->ring.next->prev = &p->ring;
	r->used += n;
	return p->mem;
}

static void piece_free(void *ctx, void *mem)
{
	struct reader *r = ctx;

	if (!mem)
		return;
	struct piece *p = (struct piece *)((char *)mem - offsetof(struct piece, mem));
	p->ring.prev->next = p->ring.next;
	p->ring.next->prev = p->ring.prev;
	r->used -= p->n;
	free(p);
}

static void *piece_realloc(void *ctx, void *mem, size_t n)
{
	void *bigger = piece_alloc(ctx, n);

	if (mem) {
		struct piece *old = (struct piece *)((char *)mem - offsetof(struct piece, mem));
		memcpy(bigger, mem, MIN(old->n, n));
		piece_free(ctx, mem);
	}
	return bigger;
}

static void pieces_free(struct reader *r)
{
	while (r->pieces.next != &r->pieces)
		piece_free(r, ((struct piece *)(void *)r->pieces.next)->mem);
}

/* ---- events ---- */

enum { STOP, GO_ON };

static int objection(struct reader *r, const char *why)
{
	r->why = why;
	return STOP;
}

static int nomem(struct reader *r)
{
	r->no_memory = true;
	return STOP;
}

static struct json *add(struct reader *r, enum json_type type)
{
	struct json *v, *up = r->open[r->depth];

	if (r->n_values >= JSON_VALUES_MAX) {
		objection(r, "more than 1000000 values");
		return NULL;
	}
	v = arena_alloc(r->arena, sizeof(*v));
	if (!v) {
		nomem(r);
		return NULL;
	}
	r->n_values++;
	v->type = type;
	v->key = r->key;
	r->key = NULL;
	if (r->last[r->depth])
		r->last[r->depth]->next = v;
	else
		up->child = v;
	r->last[r->depth] = v;
	up->n++;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) ? GO_ON : STOP;
}

static int on_bool(void *ctx, int value)
{
	struct json *v = add(ctx, JSON_BOOL);

	if (v)
		v->text = value ? "true" : "false";
	return v ? GO_ON : STOP;
}

static const char *copy(struct reader *r, const void *s, size_t n)
{
	const char *text;

	if (n > JSON_STRING_MAX) {
		objection(r, "a string or number is longer than 1 MiB");
		return NULL;
	}
	text = arena_strndup(r->arena, s, n);
	if (!text)
		nomem(r);
	return text;
}

static int on_text(struct reader *r, enum json_type type, const void *s, size_t n)
{
	struct json *v = add(r, type);

	return v && (v->text = copy(r, s, n)) ? GO_ON : STOP;
}

static int on_number(void *ctx, const char *s, size_t n)
{
	return on_text(ctx, JSON_NUMBER, s, n);
}

static int on_string(void *ctx, const unsigned char *s, size_t n)
{
	return on_text(ctx, JSON_STRING, s, n);
}

static int on_key(void *ctx, const unsigned char *s, size_t n)
{
	struct reader *r = ctx;

	r->key = copy(r, s, n);
	return r->key ? GO_ON : STOP;
}

static int nest(struct reader *r, enum json_type type)
{
	struct json *v = add(r, type);

	if (!v)
		return STOP;
	if (r->depth == JSON_DEPTH_MAX)
		return objection(r, "nested deeper than 64 levels");
	r->open[++r->depth] = v;
	r->last[r->depth] = NULL;
	return GO_ON;
}

static int on_object(void *ctx)
{
	return nest(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return nest(ctx, JSON_ARRAY);
}

static int on_array_end(void *ctx)
{
	((struct reader *)ctx)->depth--;
	return GO_ON;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The doubled key of a big object in *ret, or NULL there. false: no memory. */
static bool doubled_of_many(const struct json *object, const char **ret)
{
	_free_ const char **keys = malloc(mem_array(object->n, sizeof(*keys)));
	size_t n = 0;

	if (!keys)
		return false;
	json_for_each (it, object)
		keys[n++] = it->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			*ret = keys[i];
	return true;
}

static const char *doubled_of_few(const struct json *object)
{
	for (const struct json *a = object->child; a; a = a->next)
		for (const struct json *b = a->next; b; b = b->next)
			if (a->key[0] == b->key[0] && strcmp(a->key, b->key) == 0)
				return a->key;
	return NULL;
}

static int on_object_end(void *ctx)
{
	struct reader *r = ctx;
	const struct json *object = r->open[r->depth--];

	if (object->n <= FEW_KEYS)
		r->why_key = doubled_of_few(object);
	else if (!doubled_of_many(object, &r->why_key))
		return nomem(r);
	return r->why_key ? objection(r, "given twice in the same object") : GO_ON;
}

static const yajl_callbacks events = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

/* ---- what yajl doesn't check ---- */

static int position_error(
	const char *text, size_t n, size_t at, const char *key, const char *why, struct err *err)
{
	size_t line = 1, column = 1;

	at = MIN(at, n);
	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return err_set(err, ERR_INVALID, key, "%s (byte %zu, line %zu, column %zu)", why, at, line,
		column);
}

/* Four hex digits, or -1. */
static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/*
 * Looks at every \u escape. A backslash outside of strings is an error that yajl finds, so no state
 * is kept. NULL, or what is wrong; *ret_at is where.
 */
static const char *check_escapes(const char *text, size_t n, size_t *ret_at)
{
	const char *end = text + n, *p = text;

	while ((p = memchr(p, '\\', (size_t)(end - p)))) {
		*ret_at = (size_t)(p - text);
		if (end - p < 2 || p[1] != 'u') {
			p += end - p < 2 ? 1 : 2;
			continue;
		}
		int v = hex4(p + 2, end);
		if (v < 0)
			return "a \\u escape needs four hexadecimal digits";
		if (v == 0)
			return "a NUL inside a string";
		if (v >= 0xdc00 && v <= 0xdfff)
			return "a lone surrogate inside a string";
		p += 6;
		if (v < 0xd800 || v > 0xdbff)
			continue;
		int low = end - p >= 2 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return "a lone surrogate inside a string";
		p += 6;
	}
	return NULL;
}

static const char *check_utf8(const char *text, size_t n, size_t *ret_at)
{
	size_t i = 0;

	while (i < n) {
		uint64_t eight;
		if (n - i >= sizeof(eight)) {
			memcpy(&eight, text + i, sizeof(eight));
			if (!(eight & UINT64_C(0x8080808080808080))) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t len = utf8_len(text + i, n - i);
		*ret_at = i;
		if (len == 0)
			return "not valid UTF-8";
		i += len;
	}
	return NULL;
}

/* ---- parse ---- */

/* yajl's own words for a syntax error, on one line and without its picture. */
static const char *yajl_reason(yajl_handle h, char *buf, size_t size)
{
	unsigned char *s = yajl_get_error(h, 0, NULL, 0);

	snprintf(buf, size, "%s", (const char *)s);
	yajl_free_error(h, s);
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

static int failure(
	struct reader *r, yajl_handle h, const char *text, size_t n, size_t at, struct err *err)
{
	char reason[160];

	if (r->no_memory)
		return err_nomem(err);
	if (r->why)
		return position_error(text, n, at, r->why_key, r->why, err);
	return position_error(text, n, at, NULL, yajl_reason(h, reason, sizeof(reason)), err);
}

/* May be left by longjmp: owns nothing. */
static int run_yajl(struct reader *r, const char *text, size_t n, struct err *err)
{
	yajl_alloc_funcs funcs = {
		.malloc = piece_alloc, .realloc = piece_realloc, .free = piece_free, .ctx = r
	};
	yajl_handle h = yajl_alloc(&events, &funcs, r);

	/* check_utf8 is stricter. */
	if (!yajl_config(h, yajl_dont_validate_strings, 1))
		return err_set(err, ERR_INTERNAL, "yajl", "doesn't know an option");
	if (yajl_parse(h, (const unsigned char *)text, n) != yajl_status_ok)
		return failure(r, h, text, n, yajl_get_bytes_consumed(h), err);
	if (yajl_complete_parse(h) != yajl_status_ok)
		return failure(r, h, text, n, n, err);
	return 0;
}

int json_parse(const char *text, size_t n, size_t max_bytes, struct arena *arena,
	const struct json **ret, struct err *err)
{
	size_t at = 0;
	const char *why;
	struct reader r = { .arena = arena };
	int result;

	if (n > max_bytes)
		return err_set(err, ERR_EXHAUSTED, NULL,
			"%zu bytes of JSON are more than the limit of %zu", n, max_bytes);
	why = check_utf8(text, n, &at);
	if (!why)
		why = check_escapes(text, n, &at);
	if (why)
		return position_error(text, n, at, NULL, why, err);
	r.open[0] = &r.root;
	r.pieces.next = r.pieces.prev = &r.pieces;
	r.budget = 4 * n + YAJL_SLACK;
	if (setjmp(r.out_of_memory) == 0)
		result = run_yajl(&r, text, n, err);
	else
		result = err_nomem(err);
	pieces_free(&r);
	if (result == 0)
		*ret = r.root.child;
	return result;
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (!object || object->type != JSON_OBJECT)
		return NULL;
	json_for_each (it, object)
		if (strcmp(it->key, key) == 0)
			return it;
	return NULL;
}
