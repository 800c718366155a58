/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/str.h"

#include <string.h>

struct parse {
	const struct option_row *rows;
	int argc, at;
	char **argv;
	struct arena *arena;
	char *base;
	struct err *err;
};

static const struct option_row *find_name(const struct option_row *rows, const char *name, size_t n)
{
	for (; rows->name; rows++) {
		if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0)
			return rows;
	}
	return NULL;
}

static const struct option_row *find_letter(const struct option_row *rows, char letter)
{
	for (; rows->name; rows++) {
		if (rows->letter == letter)
			return rows;
	}
	return NULL;
}

static int parse_bool(const char *text, bool *ret)
{
	static const char *const words[][2] = { { "true", "false" }, { "1", "0" }, { "t", "f" },
		{ "T", "F" }, { "TRUE", "FALSE" }, { "True", "False" } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_eq(text, words[i][0]) || str_eq(text, words[i][1])) {
			*ret = str_eq(text, words[i][0]);
			return 0;
		}
	}
	return -1;
}

static int append(struct option_list *l, const char *value, struct arena *a, struct err *err)
{
	const char **more = arena_array(a, l->n + 1, sizeof(*more));

	if (!more)
		return err_nomem(err);
	if (l->n)
		memcpy(more, l->items, l->n * sizeof(*more));
	more[l->n] = value;
	l->items = more;
	l->n++;
	return 0;
}

/* shown: the name as it was given. value NULL: a flag without one. */
static int set(struct parse *p, const struct option_row *row, const char *shown, size_t n,
	const char *value)
{
	char *at = p->base + row->off;
	uint64_t number;
	bool flag = true;

	switch (row->kind) {
	case OPT_BOOL:
		if (value && parse_bool(value, &flag) < 0)
			return err_set(p->err, ERR_USAGE, NULL,
				"invalid boolean value \"%s\" for -%.*s", value, (int)n, shown);
		memcpy(at, &flag, sizeof(flag));
		return 0;
	case OPT_STR: memcpy(at, &value, sizeof(value)); return 0;
	case OPT_LIST: return append((struct option_list *)(void *)at, value, p->arena, p->err);
	case OPT_U32:
		if (parse_u64(value, UINT32_MAX, &number) < 0)
			return err_set(p->err, ERR_USAGE, NULL,
				"invalid value \"%s\" for flag -%.*s: not a number", value, (int)n,
				shown);
		memcpy(at, &(uint32_t){ (uint32_t)number }, sizeof(uint32_t));
		return 0;
	}
	return err_set(p->err, ERR_INTERNAL, row->name, "option of an unknown kind");
}

/* The value that follows in the next word. */
static const char *next_word(struct parse *p, const char *shown, size_t n)
{
	if (p->at + 1 < p->argc)
		return p->argv[++p->at];
	err_set(p->err, ERR_USAGE, NULL, "flag needs an argument: -%.*s", (int)n, shown);
	return NULL;
}

static int unknown(struct parse *p, const char *name, size_t n)
{
	return err_set(
		p->err, ERR_USAGE, NULL, "flag provided but not defined: -%.*s", (int)n, name);
}

static int set_with_value(struct parse *p, const struct option_row *row, const char *shown,
	size_t n, const char *value)
{
	if (!value && row->kind != OPT_BOOL) {
		value = next_word(p, shown, n);
		if (!value)
			return -1;
	}
	return set(p, row, shown, n, value);
}

/* -abc: flags by letter; the last may take a value. */
static int bundle(struct parse *p, const char *letters, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++) {
		const struct option_row *row = find_letter(p->rows, letters[i]);

		if (!row || (row->kind != OPT_BOOL && i + 1 < n))
			return unknown(p, letters, n);
	}
	for (size_t i = 0; i < n; i++) {
		const struct option_row *row = find_letter(p->rows, letters[i]);

		if (set_with_value(p, row, letters + i, 1, i + 1 < n ? NULL : value) < 0)
			return -1;
	}
	return 0;
}

static int one(struct parse *p, const char *word)
{
	const bool two = word[1] == '-';
	const char *name = word + (two ? 2 : 1);
	const size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;
	const struct option_row *row = n ? find_name(p->rows, name, n) : NULL;

	if (!row && n == 1)
		row = find_letter(p->rows, *name);
	if (row)
		return set_with_value(p, row, name, n, value);
	if (two || n < 2)
		return unknown(p, name, n);
	return bundle(p, name, n, value);
}

int options_parse(const struct option_row *rows, enum option_order order, int argc, char **argv,
	struct arena *a, void *base, const char **args, struct err *err)
{
	struct parse p = { rows, argc, 1, argv, a, base, err };
	bool only_args = false;
	int n = 0;

	for (; p.at < argc; p.at++) {
		const char *word = argv[p.at];

		if (only_args || word[0] != '-' || !word[1]) {
			args[n++] = word;
			only_args |= order == OPT_FIRST;
		} else if (strcmp(word, "--") == 0) {
			only_args = true;
		} else if (one(&p, word) < 0) {
			return -1;
		}
	}
	args[n] = NULL;
	return n;
}

void options_help(const struct option_row *rows, struct str *out)
{
	for (; rows->name; rows++) {
		char left[64];

		if (!rows->help)
			continue;
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", rows->letter ? '-' : ' ',
			rows->letter ? rows->letter : ' ', rows->letter ? ", " : "  ", rows->name,
			rows->value ? " " : "", rows->value ? rows->value : "");
		str_printf(out, "  %-32s %s\n", left, rows->help);
	}
}
