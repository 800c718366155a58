/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a run fails once: nothing crashes, nothing leaks, the error says what it is.
 */
#include "base/json.h"

#include "nomem.h"

#include <criterion/criterion.h>
#include <string.h>

struct item {
	const char *name;
	uint64_t *value;
};

struct doc {
	struct item *items;
	size_t n_items;
	struct ctr_map_str map;
};

static const struct json_field item_fields[] = {
	J_ROW_STR(struct item, name, "name", J_REQUIRED),
	J_ROW_OPT(struct item, value, "value", J_U64, uint64_t *, NULL),
	{ 0 },
};

static const struct json_field doc_fields[] = {
	J_ROW_LIST(struct doc, items, "items", J_OBJECT, 0, struct item *, item_fields),
	J_ROW_MAP(struct doc, map, "map"),
	{ 0 },
};

/* Enough of it that the arena needs more than one chunk, an object of many keys, and escapes. */
static void make_text(struct str *s)
{
	str_add(s, "{\"items\":[");
	for (int i = 0; i < 1500; i++)
		str_printf(s, "%s{\"name\":\"n\\u00e4me\\n%d\",\"value\":%d}", i ? "," : "", i, i);
	str_add(s, "],\"map\":{");
	for (int i = 0; i < 60; i++)
		str_printf(s, "%s\"k%d\":\"v\"", i ? "," : "", i);
	str_add(s, "}}");
}

static int run(const char *text, size_t n, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	const struct json *tree;
	struct doc doc = { 0 };

	if (!arena)
		return err_nomem(err);
	if (json_parse(text, n, 1 << 20, arena, &tree, err) < 0)
		return -1;
	return json_bind(tree, doc_fields, &doc, JSON_UNKNOWN_REFUSE, arena, err);
}

Test(json_nomem, every_allocation_may_fail)
{
	_str_ struct str text = { 0 };
	struct err err = ERR_INIT;
	size_t all;

	make_text(&text);
	nomem_begin(0);
	cr_assert_eq(run(text.p, text.n, &err), 0);
	all = nomem_end();
	cr_assert_gt(all, 5);
	for (size_t i = 1; i <= all; i++) {
		err = (struct err)ERR_INIT;
		nomem_begin(i);
		int r = run(text.p, text.n, &err);
		nomem_end();
		cr_assert_eq(r, -1, "allocation %zu of %zu", i, all);
		cr_assert_eq(err.code, ERR_EXHAUSTED, "allocation %zu of %zu", i, all);
	}
	cr_assert_eq(run(text.p, text.n, &err), 0);
}
