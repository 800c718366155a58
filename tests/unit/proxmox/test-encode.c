/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines and environments as LXC's configuration can hold them. */
#include "backend/proxmox/encode.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

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

TestSuite(encode, .init = set_up, .fini = tear_down);

#define N(a) (sizeof(a) / sizeof(*(a)))

/* ---- LXC's reading, written down a second time ---- */

struct words {
	char *items[64];
	size_t n;
};

static void words_done(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->items[i]);
}
#define _words_ _cleanup_(words_done) struct words

static void add_word(struct words *w, const char *from, const char *to)
{
	cr_assert_lt(w->n, N(w->items));
	w->items[w->n++] = strndup(from, (size_t)(to - from));
}

/* Character by character: outside of a word, in a bare one, in a quoted one. The reader of the
 * configuration first takes the blanks at both ends off, then one pair of quotes. */
static void lxc_reads(const char *text, struct words *ret)
{
	char *line = strdup(text), *from = NULL;
	char state = ' ', *p = line;
	size_t n;

	while (isspace((unsigned char)*p))
		p++;
	n = strlen(p);
	while (n && isspace((unsigned char)p[n - 1]))
		p[--n] = 0;
	if (n > 1 && (*p == '"' || *p == '\'') && p[n - 1] == *p) {
		p[n - 1] = 0;
		p++;
	}
	for (;; p++) {
		const bool blank = *p && isspace((unsigned char)*p);
		if (state == ' ' && *p && !blank) {
			state = *p == '"' || *p == '\'' ? *p : 'a';
			from = state == 'a' ? p : p + 1;
		} else if (state == 'a' && (blank || !*p)) {
			add_word(ret, from, p);
			state = ' ';
		} else if ((state == '"' || state == '\'') && *p == state) {
			add_word(ret, from, p);
			state = ' ';
		}
		if (!*p)
			break;
	}
	free(line);
}

/* What `eval` of a shell makes of our command: words in single quotes, '\'' for a quote. */
static void shell_reads(const char *p, struct words *ret)
{
	while (*p) {
		char word[4096];
		size_t n = 0;
		bool quoted = false;
		while (*p == ' ')
			p++;
		for (; *p && (quoted || *p != ' '); p++) {
			if (*p == '\'')
				quoted = !quoted;
			else if (*p == '\\' && !quoted)
				word[n++] = *++p;
			else
				word[n++] = *p;
		}
		cr_assert_not(quoted);
		add_word(ret, word, word + n);
	}
}

static void assert_same(const struct words *w, size_t from, const char *const *argv, size_t n)
{
	cr_assert_eq(w->n - from, n, "%zu words, not %zu; the first \"%s\"", w->n - from, n,
		w->n ? w->items[0] : "");
	for (size_t i = 0; i < n; i++)
		cr_assert_str_eq(w->items[from + i], argv[i]);
}

/* Writes a command line and reads it as LXC, and a shell if there is one, would do. */
static bool there_and_back(const char *const *argv, size_t n, const char *cwd)
{
	struct ctr_map_str env = { 0 };
	const char *text;
	bool shell;

	cr_assert_eq(
		pve_entrypoint(argv, n, cwd, arena, &env, &text, &shell, &err), 0, "%s", err.text);
	_words_ w = { .n = 0 };
	lxc_reads(text, &w);
	cr_assert_eq(shell, env.n == 1);
	cr_assert_eq(shell, pve_entrypoint_is_shell(text));
	if (!shell) {
		assert_same(&w, 0, argv, n);
		return false;
	}
	const char *const sh[] = { "/bin/sh", "-c", "IFS=;set -f;eval $CTRCTL_CMD" };
	assert_same(&w, 0, sh, 3);
	cr_assert_str_eq(env.items[0].key, "CTRCTL_CMD");
	cr_assert_null(pve_env_problem(env.items[0].key, env.items[0].value));
	_words_ s = { .n = 0 };
	shell_reads(env.items[0].value, &s);
	if (!cwd) {
		const char *const head[] = { "unset", "CTRCTL_CMD;", "exec" };
		for (size_t i = 0; i < 3; i++)
			cr_assert_str_eq(s.items[i], head[i]);
		assert_same(&s, 3, argv, n);
		return true;
	}
	const char *const head[] = { "unset", "CTRCTL_CMD;", "cd", cwd, "&&", "exec" };
	for (size_t i = 0; i < 6; i++)
		cr_assert_str_eq(s.items[i], head[i]);
	assert_same(&s, 6, argv, n);
	return true;
}

#define LINE(...)     ((const char *const[]){ __VA_ARGS__ })
#define PLAIN(...)    cr_assert_not(there_and_back(LINE(__VA_ARGS__), N(LINE(__VA_ARGS__)), NULL))
#define BY_SHELL(...) cr_assert(there_and_back(LINE(__VA_ARGS__), N(LINE(__VA_ARGS__)), NULL))

Test(encode, lxc_reads_what_was_written)
{
	PLAIN("/sbin/init");
	PLAIN("sh", "-c", "echo a  b");
	PLAIN("sh", "", "x");
	PLAIN("a", "it's", "x\"y", "back\\slash", "$HOME", "*", "#");
	PLAIN("a", "it's here");
	PLAIN("a", "say \"hi\" now");
	PLAIN("a", "\"quoted\"");
	PLAIN("a", "'quoted'");
	PLAIN("a", "tab\there");
	PLAIN("a", "\t");
	PLAIN("a", "grün", "\xe2\x82\xac 5");
}

Test(encode, what_lxc_cannot_read_goes_through_a_shell)
{
	BY_SHELL("a", "it's \"both\"");
	BY_SHELL("a", "");
	BY_SHELL("with blank", "x");
	BY_SHELL("\"quoted\"");
	BY_SHELL("'a");
	BY_SHELL("a", "'\" x", "", "\\", "$(id)", "`id`", "a;b", "--x=y z");
	cr_assert(there_and_back(LINE("/bin/x"), 1, "/srv/it's"));
	cr_assert(there_and_back(LINE("/bin/x", "a b"), 2, "/"));
}

Test(encode, any_words_come_back)
{
	static const char letters[] = "ab'\" \t\\$=,;#*%-";
	uint64_t seed = 42;

	for (int round = 0; round < 20000; round++) {
		char words[5][8];
		const char *argv[5];
		size_t n = 0;
		for (size_t i = 0; i < 5; i++) {
			size_t len = 0;
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			for (uint64_t bits = seed >> 16; len < 1 + i && (bits & 7); bits >>= 7)
				words[i][len++] = letters[(bits >> 3) % (sizeof(letters) - 1)];
			words[i][len] = 0;
			argv[n++] = words[i];
			if (seed >> 61 == 0)
				break;
		}
		if (!*argv[0])
			argv[0] = "p";
		there_and_back(argv, n, NULL);
		if (round % 500 == 0) {
			arena_free(arena);
			arena = arena_new();
		}
	}
}

Test(encode, the_environment_of_others_is_not_touched)
{
	struct ctr_pair pairs[] = { { "A", "1" }, { "B", "2" }, { "CTRCTL_CMD", "old" } };
	struct ctr_map_str env = { pairs, 3 };
	const char *text;
	bool shell;

	cr_assert_eq(pve_entrypoint(LINE("a", ""), 2, NULL, arena, &env, &text, &shell, &err), 0);
	cr_assert_neq(env.items, pairs);
	cr_assert_eq(env.n, 3);
	cr_assert_str_eq(pairs[2].value, "old");
	cr_assert_str_eq(env.items[2].value, "unset CTRCTL_CMD; exec 'a' ''");
}

Test(encode, command_lines_without_a_program_or_with_control_bytes_are_refused)
{
	struct ctr_map_str env = { 0 };
	const char *text;
	bool shell;

	cr_assert_eq(pve_entrypoint(LINE("x"), 0, NULL, arena, &env, &text, &shell, &err), -1);
	cr_assert_eq(pve_entrypoint(LINE("", "x"), 2, NULL, arena, &env, &text, &shell, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(
		pve_entrypoint(LINE("x", "a\nb"), 2, NULL, arena, &env, &text, &shell, &err), -1);
	cr_assert_str_eq(err.text,
		"argument 1 of the command has control characters, which the server can't hold");
	cr_assert_eq(pve_entrypoint(LINE("x"), 1, "/a\x7f", arena, &env, &text, &shell, &err), -1);
	cr_assert_eq(env.n, 0);
}

/* ---- the way back ---- */

static void assert_split(const char *text, const char *const *want, size_t n)
{
	const char **words;
	size_t got;

	cr_assert_eq(pve_entrypoint_split(text, arena, &words, &got, &err), 0);
	_words_ w = { .n = 0 };
	lxc_reads(text, &w);
	assert_same(&w, 0, want, n);
	cr_assert_eq(got, n, "%s", text);
	for (size_t i = 0; i < n; i++)
		cr_assert_str_eq(words[i], want[i]);
}
#define SPLIT(text, ...) assert_split(text, LINE(__VA_ARGS__), N(LINE(__VA_ARGS__)))

Test(encode, splitting_is_lxcs)
{
	SPLIT("a b", "a", "b");
	SPLIT("  a \t b  ", "a", "b");
	SPLIT("a 'b c'\"d\"e", "a", "b c", "d", "e");
	SPLIT("'/bin/x' 'it'\\''s'", "/bin/x'", "it", "\\''s");
	SPLIT("sh -c 'it'\\''s'", "sh", "-c", "it", "\\''s'");
	SPLIT("a \"b", "a");
	SPLIT("\"a b\"", "a", "b");
	SPLIT("a '' b", "a", "", "b");
}

static void assert_shell(const char *text, bool servers, const char *const *want, size_t n)
{
	const char **words;
	size_t got;
	bool is;

	cr_assert_eq(pve_shell_split(text, arena, &words, &got, &err), 0);
	cr_assert_eq(got, n, "%s: %zu words", text, got);
	for (size_t i = 0; i < n; i++)
		cr_assert_str_eq(words[i], want[i]);
	cr_assert_eq(pve_entrypoint_is_servers(text, arena, &is, &err), 0);
	cr_assert_eq(is, servers, "%s", text);
}
#define SHELL(text, servers, ...) \
	assert_shell(text, servers, LINE(__VA_ARGS__), N(LINE(__VA_ARGS__)))

Test(encode, the_servers_quoting_is_understood_and_told_from_ours)
{
	SHELL("docker-entrypoint.sh postgres", true, "docker-entrypoint.sh", "postgres");
	SHELL("sh -c 'echo $HOME'", true, "sh", "-c", "echo $HOME");
	SHELL("x 'it'\\''s'", true, "x", "it's");
	SHELL("x \\''a'", true, "x", "'a");
	SHELL("x 'a'\\'", true, "x", "a'");
	SHELL("x 'a'\"'''\"'b'", true, "x", "a'''b");
	SHELL("x ''", true, "x", "");
	SHELL("x a=b", true, "x", "a=b");
	SHELL("'a=b' x", true, "a=b", "x");
	SHELL("x 'it'\"'\"'s'", true, "x", "it's");
	/* Ours. */
	SHELL("x \"it's here\"", false, "x", "it's here");
	SHELL("x it's", false, "x", "its");
	SHELL("x \"\" y", false, "x", "", "y");
	SHELL("/bin/sh -c \"IFS=;set -f;eval $CTRCTL_CMD\"", false, "/bin/sh", "-c",
		"IFS=;set -f;eval $CTRCTL_CMD");
}

/* ---- environments ---- */

static struct ctr_map_str parsed(const char *text, size_t n)
{
	struct ctr_map_str map;

	cr_assert_eq(pve_env_parse(text, n, arena, &map, &err), 0);
	return map;
}

Test(encode, variables_are_parted_by_nul)
{
	struct ctr_pair pairs[] = { { "A", "1" }, { "B", "" }, { "C_3", " x=y\t\"';z" } };
	const struct ctr_map_str env = { pairs, 3 };
	const char *text;
	size_t n;

	cr_assert_eq(pve_env(&env, arena, &text, &n, &err), 0);
	cr_assert_eq(n, sizeof("A=1\0B=\0C_3= x=y\t\"';z") - 1);
	cr_assert_arr_eq(text, "A=1\0B=\0C_3= x=y\t\"';z", n + 1);
	struct ctr_map_str back = parsed(text, n);
	cr_assert_eq(back.n, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_str_eq(back.items[i].key, pairs[i].key);
		cr_assert_str_eq(back.items[i].value, pairs[i].value);
	}
	back = parsed("A=1\1junk\1B=2\1A=3", 16);
	cr_assert_eq(back.n, 2);
	cr_assert_str_eq(back.items[0].value, "3");
	cr_assert_eq(parsed("", 0).n, 0);
}

Test(encode, variables_that_the_server_would_lose_or_refuse_are_refused)
{
	static const struct ctr_pair bad[] = { { "", "x" }, { "A-B", "x" }, { "A.B", "x" },
		{ "A=B", "x" }, { "\xc3\xa9", "x" }, { "A", "a\nb" }, { "A", "a\rb" },
		{ "A", "\x7f" }, { "A", "\x1b[0m" }, { "A", "x " }, { "A", "x\t" }, { "A", " " } };

	for (size_t i = 0; i < N(bad); i++) {
		struct ctr_pair pair = bad[i];
		const struct ctr_map_str env = { &pair, 1 };
		const char *text;
		size_t n;
		cr_assert_eq(pve_env(&env, arena, &text, &n, &err), -1, "%zu", i);
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert_str_eq(err.object, pair.key);
	}
}

Test(encode, maps_grow_and_the_last_value_wins_in_the_first_ones_place)
{
	struct ctr_map_str map = { 0 };

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++)
			cr_assert_eq(
				pve_map_set(&map, arena_printf(arena, "K%d", i),
					arena_printf(arena, "%d", round * 1000 + i), arena, &err),
				0);
	cr_assert_eq(map.n, 100);
	for (int i = 0; i < 100; i++) {
		cr_assert_str_eq(map.items[i].key, arena_printf(arena, "K%d", i));
		cr_assert_str_eq(map.items[i].value, arena_printf(arena, "%d", 1000 + i));
	}
}
