/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON reader and writer: whatever is accepted is written, read again and written the same. 64
 * KiB reach every limit but those of size, which have unit tests.
 */
#include "base/json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024 };

static void write_tree(struct json_writer *w, const struct json *v)
{
	switch (v->type) {
	case JSON_NULL: json_w_null(w); return;
	case JSON_BOOL: json_w_bool(w, v->text[0] == 't'); return;
	case JSON_NUMBER: json_w_str(w, v->text); return; /* as text: the digits must survive */
	case JSON_STRING: json_w_str(w, v->text); return;
	case JSON_ARRAY: json_w_array(w); break;
	case JSON_OBJECT: json_w_object(w); break;
	}
	json_for_each (it, v) {
		assert(v->type == JSON_ARRAY ? !it->key : it->key != NULL);
		assert(!it->key || json_get(v, it->key) == it);
		if (it->key)
			json_w_key(w, it->key);
		write_tree(w, it);
	}
	if (v->type == JSON_ARRAY)
		json_w_array_end(w);
	else
		json_w_object_end(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str first = { 0 }, second = { 0 };
	struct json_writer a = { .out = &first, .indent = n % 3 },
			   b = { .out = &second, .indent = n % 3 };
	const struct json *tree;
	struct err err = ERR_INIT;
	char line[2048];

	if (n > INPUT_MAX || !arena)
		return 0;
	if (json_parse((const char *)data, n, INPUT_MAX, arena, &tree, &err) < 0) {
		assert(err.code != ERR_NONE);
		err_line(&err, line, sizeof(line));
		assert(line[0]);
		return 0;
	}
	write_tree(&a, tree);
	assert(!first.failed);
	assert(json_parse(first.p, first.n, SIZE_MAX, arena, &tree, &err) == 0);
	write_tree(&b, tree);
	assert(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
	return 0;
}
