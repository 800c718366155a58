/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/options.h"

#include <criterion/criterion.h>
#include <string.h>

struct set {
	bool tty, detach;
	const char *root, *user;
	struct option_list env;
	uint32_t count;
};

static const struct option_row rows[] = {
	{ "tty", 't', OPT_BOOL, offsetof(struct set, tty), NULL, "a terminal" },
	{ "detach", 'd', OPT_BOOL, offsetof(struct set, detach), NULL, "go away" },
	{ "root", 0, OPT_STR, offsetof(struct set, root), "DIR", "a folder" },
	{ "user", 'u', OPT_STR, offsetof(struct set, user), "UID", NULL },
	{ "env", 'e', OPT_LIST, offsetof(struct set, env), "X", "environment" },
	{ "preserve-fds", 0, OPT_U32, offsetof(struct set, count), "N", "fds" },
	{ 0 },
};

static struct arena *arena;
static struct err err;
static struct set got;
static const char *args[16];
static int n_args;

/* Splits at spaces; the result as a text to compare: "t d root=x user=y env=a,b n=3 | args" */
static const char *parse(const char *line, enum option_order order)
{
	static char text[512];
	char copy[256], *argv[16], *rest = copy, *word;
	int argc = 0;
	_str_ struct str s = { 0 };

	snprintf(copy, sizeof(copy), "x %s", line);
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = word;
	got = (struct set){ 0 };
	err = (struct err)ERR_INIT;
	n_args = options_parse(rows, order, argc, argv, arena, &got, args, &err);
	if (n_args < 0) {
		err_line(&err, text, sizeof(text));
		return text;
	}
	if (got.tty)
		str_add(&s, "t ");
	if (got.detach)
		str_add(&s, "d ");
	if (got.root)
		str_printf(&s, "root=%s ", got.root);
	if (got.user)
		str_printf(&s, "user=%s ", got.user);
	for (size_t i = 0; i < got.env.n; i++)
		str_printf(&s, "env=%s ", got.env.items[i]);
	if (got.count)
		str_printf(&s, "n=%u ", got.count);
	str_add(&s, "|");
	for (int i = 0; i < n_args; i++)
		str_printf(&s, " %s", args[i]);
	snprintf(text, sizeof(text), "%s", s.p);
	return text;
}

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(options, .init = setup, .fini = teardown);

Test(options, takes_every_spelling_that_callers_use)
{
	static const char *const cases[][2] = {
		{ "", "|" },
		{ "a b", "| a b" },
		{ "--root /r a", "root=/r | a" },
		{ "-root /r a", "root=/r | a" },
		{ "--root=/r a", "root=/r | a" },
		{ "-root=/r a", "root=/r | a" },
		{ "--root=", "root= |" },
		{ "--root /a --root /b", "root=/b |" },
		{ "--tty a", "t | a" },
		{ "--tty=true", "t |" },
		{ "--tty=false", "|" },
		{ "--tty --tty=false", "|" },
		{ "-t=1", "t |" },
		{ "-td a", "t d | a" },
		{ "-tu 5 a", "t user=5 | a" },
		{ "-tu=5 a", "t user=5 | a" },
		{ "-u 5", "user=5 |" },
		{ "--u 5", "user=5 |" },
		{ "-u=5", "user=5 |" },
		{ "-u -5", "user=-5 |" },
		{ "-e A=1 --env B=2 -e=C=3", "env=A=1 env=B=2 env=C=3 |" },
		{ "--preserve-fds 3", "n=3 |" },
		{ "--preserve-fds=4294967295", "n=4294967295 |" },
		{ "a --tty b", "t | a b" },
		{ "-- --tty", "| --tty" },
		{ "--tty -- -d", "t | -d" },
		{ "- a", "| - a" },
		{ "--root --tty", "root=--tty |" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(parse(cases[i][0], OPT_ANYWHERE), cases[i][1], "%s", cases[i][0]);
}

Test(options, leaves_all_after_the_first_argument_alone_where_commands_follow)
{
	cr_assert_str_eq(parse("-t id sh -c -d -- --root", OPT_FIRST), "t | id sh -c -d -- --root");
	cr_assert_str_eq(parse("-- -t id", OPT_FIRST), "| -t id");
}

Test(options, says_what_is_wrong_in_words_that_callers_know)
{
	static const char *const cases[][2] = {
		{ "--nosuch", "flag provided but not defined: -nosuch" },
		{ "-nosuch=3", "flag provided but not defined: -nosuch" },
		{ "-x", "flag provided but not defined: -x" },
		{ "-tx", "flag provided but not defined: -tx" },
		{ "-ut", "flag provided but not defined: -ut" },
		{ "--td", "flag provided but not defined: -td" },
		{ "--=x", "flag provided but not defined: -" },
		{ "---tty", "flag provided but not defined: --tty" },
		{ "--root", "flag needs an argument: -root" },
		{ "-root", "flag needs an argument: -root" },
		{ "-u", "flag needs an argument: -u" },
		{ "-tu", "flag needs an argument: -u" },
		{ "--tty=maybe", "invalid boolean value \"maybe\" for -tty" },
		{ "--preserve-fds x", "invalid value \"x\" for flag -preserve-fds: not a number" },
		{ "--preserve-fds -1",
			"invalid value \"-1\" for flag -preserve-fds: not a number" },
		{ "--preserve-fds 4294967296",
			"invalid value \"4294967296\" for flag -preserve-fds: not a number" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_str_eq(parse(cases[i][0], OPT_ANYWHERE), cases[i][1], "%s", cases[i][0]);
		cr_assert_eq(err.code, ERR_USAGE);
	}
}

/* Two rows of one spelling: the second could never be reached. */
static void check_table(const char *name, const struct option_row *table)
{
	for (const struct option_row *a = table; a->name; a++) {
		for (const struct option_row *b = a + 1; b->name; b++)
			cr_assert(strcmp(a->name, b->name) != 0 &&
					  (!a->letter || a->letter != b->letter),
				"%s: %s and %s", name, a->name, b->name);
		cr_assert_lt(a->off, sizeof(struct options));
	}
}

Test(options, has_no_spelling_twice_in_any_table)
{
	check_table("global", global_options);
	for (const struct command *k = commands; k->name; k++)
		check_table(k->name, k->options);
}

Test(options, gives_every_verb_help_and_a_function)
{
	for (const struct command *k = commands; k->name; k++) {
		const struct option_row *r = k->options;

		while (r->name && strcmp(r->name, "help") != 0)
			r++;
		cr_assert(r->name && r->letter == 'h', "%s", k->name);
		cr_assert(k->fn && k->help && k->args && k->failure > 0, "%s", k->name);
	}
}
