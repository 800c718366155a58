/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutation that keeps a JSON text a message: somewhere in it one field gets a value of its kind,
 * or is taken away. Changing bytes alone seldom gets past the parser.
 */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include "base/json.h"

#include <string.h>

/* libFuzzer's own; absent where the corpus is replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max) __attribute__((weak));

enum { MUTATE_PLACES = 512, MUTATE_DEPTH = 6 };

struct mutate {
	uint64_t state;
	const char *const *texts; /* values that mean something */
	size_t n_texts;
	struct {
		const struct json *node;
		const struct json_field *table;
	} places[MUTATE_PLACES];
	size_t n_places;
	/* the change: in this object this field, by name; removed only, or put anew */
	const struct json *at;
	const struct json_field *table, *row;
	bool removes;
	struct str out;
};

static inline unsigned mutate_random(struct mutate *m, unsigned below)
{
	m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(m->state >> 33) % below;
}

static inline size_t mutate_rows(const struct json_field *table)
{
	size_t n = 0;

	while (table[n].name)
		n++;
	return n;
}

/* Every object with its table, where it is known. */
static inline void mutate_find(
	struct mutate *m, const struct json *node, const struct json_field *table)
{
	if (node->type == JSON_ARRAY)
		for (const struct json *it = node->child; it; it = it->next)
			mutate_find(m, it, table);
	if (node->type != JSON_OBJECT || m->n_places == MUTATE_PLACES)
		return;
	m->places[m->n_places].node = node;
	m->places[m->n_places++].table = table;
	for (const struct json *it = node->child; it; it = it->next)
		for (const struct json_field *f = table; f->name; f++)
			if (f->kind == J_OBJECT && str_eq(f->name, it->key))
				mutate_find(m, it, f->more);
}

static inline void mutate_quoted(struct mutate *m, const char *text)
{
	struct json_writer w = { .out = &m->out };

	json_w_str(&w, text);
}

static inline const char *mutate_text(struct mutate *m)
{
	return m->texts[mutate_random(m, (unsigned)m->n_texts)];
}

static inline void mutate_number(struct mutate *m)
{
	static const char *const numbers[] = { "0", "1", "2", "3", "-1", "4096", "65535", "65536",
		"100000", "2147483647", "2147483648", "4294967295", "9223372036854775807" };

	str_add(&m->out, mutate_random(m, 3) ? numbers[mutate_random(m, ARRAY_SIZE(numbers))]
					     : numbers[mutate_random(m, 4)]);
}

static inline void mutate_value(struct mutate *m, const struct json_field *f, unsigned depth);

static inline void mutate_message(struct mutate *m, const struct json_field *table, unsigned depth)
{
	bool first = true;

	str_add(&m->out, "{");
	for (const struct json_field *f = table; f->name && depth < MUTATE_DEPTH; f++) {
		if (mutate_random(m, 3))
			continue;
		str_add(&m->out, first ? "" : ",");
		first = false;
		mutate_quoted(m, f->name);
		str_add(&m->out, ":");
		mutate_value(m, f, depth);
	}
	str_add(&m->out, "}");
}

static inline void mutate_map(struct mutate *m)
{
	str_add(&m->out, "{");
	if (mutate_random(m, 4)) {
		mutate_quoted(m, mutate_text(m));
		str_add(&m->out, ":");
		mutate_quoted(m, mutate_text(m));
	}
	str_add(&m->out, "}");
}

static inline void mutate_one(struct mutate *m, const struct json_field *f, unsigned depth)
{
	if (f->kind == J_BOOL)
		str_add(&m->out, mutate_random(m, 2) ? "true" : "false");
	else if (f->kind == J_STR)
		mutate_quoted(m, mutate_text(m));
	else if (f->kind == J_ENUM)
		str_printf(&m->out, "%u", mutate_random(m, 5));
	else if (f->kind == J_OBJECT)
		mutate_message(m, f->more, depth + 1);
	else if (f->kind == J_MAP_STR)
		mutate_map(m);
	else if (f->kind == J_PRESENT)
		str_add(&m->out, "{}");
	else
		mutate_number(m);
}

static inline void mutate_value(struct mutate *m, const struct json_field *f, unsigned depth)
{
	if (!(f->flags & J_LIST)) {
		mutate_one(m, f, depth);
		return;
	}
	unsigned n = mutate_random(m, 4);
	str_add(&m->out, "[");
	for (unsigned i = 0; i < n; i++) {
		str_add(&m->out, i ? "," : "");
		mutate_one(m, f, depth);
	}
	str_add(&m->out, "]");
}

/* Copies the tree, with the change. */
static inline void mutate_copy(struct mutate *m, const struct json *node)
{
	bool object = node->type == JSON_OBJECT, first = true;

	if (node->type == JSON_STRING) {
		mutate_quoted(m, node->text);
		return;
	}
	if (!object && node->type != JSON_ARRAY) {
		str_add(&m->out, node->type == JSON_NULL ? "null" : node->text);
		return;
	}
	str_add(&m->out, object ? "{" : "[");
	for (const struct json *it = node->child; it; it = it->next) {
		if (node == m->at && str_eq(it->key, m->row->name))
			continue;
		str_add(&m->out, first ? "" : ",");
		first = false;
		if (object) {
			mutate_quoted(m, it->key);
			str_add(&m->out, ":");
		}
		mutate_copy(m, it);
	}
	if (node == m->at && !m->removes) {
		str_add(&m->out, first ? "" : ",");
		mutate_quoted(m, m->row->name);
		str_add(&m->out, ":");
		mutate_value(m, m->row, 0);
	}
	str_add(&m->out, object ? "}" : "]");
}

/* The new length of data, 0 when it is no such message. */
static inline size_t mutate_json(
	struct mutate *m, uint8_t *data, size_t n, size_t max, const struct json_field *table)
{
	_arena_ struct arena *arena = arena_new();
	const struct json *root;
	struct err err = ERR_INIT;
	size_t done = 0;

	if (!arena || json_parse((const char *)data, n, max, arena, &root, &err) < 0)
		return 0;
	mutate_find(m, root, table);
	if (!m->n_places)
		return 0;
	unsigned at = mutate_random(m, (unsigned)m->n_places);
	m->at = m->places[at].node;
	m->table = m->places[at].table;
	m->row = &m->table[mutate_random(m, (unsigned)mutate_rows(m->table))];
	m->removes = mutate_random(m, 5) == 0;
	mutate_copy(m, root);
	if (m->out.p && !m->out.failed && m->out.n <= max) {
		memcpy(data, m->out.p, m->out.n);
		done = m->out.n;
	}
	str_done(&m->out);
	return done;
}

#endif
