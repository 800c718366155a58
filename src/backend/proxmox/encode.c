/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/encode.h"

#include <string.h>

/*
 * LXC reads a command line so: words end at white space; a word that begins with " or ' goes on to
 * the same quote, and nothing is an escape; what comes right behind a closing quote is another
 * word. Before that the reader of its configuration takes one pair of equal quotes off the whole
 * line. An empty last word can get lost.
 *
 * What can't be said so is said by a shell. With IFS empty and globbing off an unquoted variable
 * is one word as it is; eval then reads it with the shell's own quotes.
 */
#define SHELL_LINE "/bin/sh -c \"IFS=;set -f;eval $CTRCTL_CMD\""
#define SHELL_VAR  "CTRCTL_CMD"

#define BLANKS " \t\n\v\f\r" /* isspace() of the C locale */

enum { ENV_FIRST = 8 };

/* ---- rules ---- */

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

const char *pve_arg_problem(const char *arg)
{
	return has_control(arg) ? "has control characters, which the server can't hold" : NULL;
}

static bool is_env_name(const char *s)
{
	static const char word[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	return s && *s && !s[strspn(s, word)];
}

const char *pve_env_problem(const char *name, const char *value)
{
	const size_t n = strlen(value);

	if (!is_env_name(name))
		return "the server takes letters, digits and \"_\" in a variable's name";
	if (has_control(value))
		return "the value has control characters, which the server can't hold";
	if (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		return "the blanks at the end of the value would be lost on the server";
	return NULL;
}

int pve_map_set(struct ctr_map_str *env, const char *name, const char *value, struct arena *a,
	struct err *err)
{
	for (size_t i = 0; i < env->n; i++) {
		if (!str_eq(env->items[i].key, name))
			continue;
		env->items[i].value = value;
		return 0;
	}
	/* Room doubles at 0, 8, 16, 32, ... */
	if (env->n == 0 || (env->n >= ENV_FIRST && (env->n & (env->n - 1)) == 0)) {
		struct ctr_pair *items =
			arena_array(a, MAX(2 * env->n, (size_t)ENV_FIRST), sizeof(*items));
		if (!items)
			return err_nomem(err);
		if (env->n)
			memcpy(items, env->items, env->n * sizeof(*items));
		env->items = items;
	}
	env->items[env->n++] = (struct ctr_pair){ name, value };
	return 0;
}

/* ---- command lines ---- */

/* A word as LXC's splitter takes it; false when it can't be said. */
static bool add_word(struct str *out, const char *word, bool first, bool last)
{
	const bool bare = *word && !word[strcspn(word, BLANKS)] && *word != '"' && *word != '\'';

	if (!first)
		str_add(out, " ");
	if (bare) {
		str_add(out, word);
		return true;
	}
	/* A quote at the line's beginning could be taken for one of the whole line. */
	if (first || (!*word && last))
		return false;
	if (!strchr(word, '"'))
		str_printf(out, "\"%s\"", word);
	else if (!strchr(word, '\''))
		str_printf(out, "'%s'", word);
	else
		return false;
	return true;
}

static bool plain_line(struct str *out, const char *const *argv, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!add_word(out, argv[i], i == 0, i == n - 1))
			return false;
	return true;
}

/* 'it'\''s' */
static void add_shell_word(struct str *out, const char *word)
{
	str_add(out, "'");
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			str_add(out, "'\\''");
		else
			str_addn(out, p, 1);
	}
	str_add(out, "'");
}

static void shell_line(struct str *out, const char *const *argv, size_t n, const char *cwd)
{
	str_add(out, "unset " SHELL_VAR "; ");
	if (cwd) {
		str_add(out, "cd ");
		add_shell_word(out, cwd);
		str_add(out, " && ");
	}
	str_add(out, "exec");
	for (size_t i = 0; i < n; i++) {
		str_add(out, " ");
		add_shell_word(out, argv[i]);
	}
}

static int by_shell(const char *const *argv, size_t n, const char *cwd, struct arena *a,
	struct ctr_map_str *env, struct err *err)
{
	struct ctr_map_str more = { 0 };
	_str_ struct str line = { 0 };
	const char *text;

	shell_line(&line, argv, n, cwd);
	if (str_ok(&line, err) < 0)
		return -1;
	text = arena_strndup(a, line.p, line.n);
	if (!text)
		return err_nomem(err);
	/* The list isn't grown in place: others may hold it. */
	for (size_t i = 0; i < env->n; i++)
		if (pve_map_set(&more, env->items[i].key, env->items[i].value, a, err) < 0)
			return -1;
	*env = more;
	return pve_map_set(env, SHELL_VAR, text, a, err);
}

int pve_entrypoint(const char *const *argv, size_t n, const char *cwd, struct arena *a,
	struct ctr_map_str *env, const char **ret, bool *ret_uses_shell, struct err *err)
{
	_str_ struct str line = { 0 };
	bool plain;

	if (n == 0 || !*argv[0])
		return err_set(err, ERR_INVALID, NULL, "a command line begins with a program");
	for (size_t i = 0; i < n; i++)
		if (pve_arg_problem(argv[i]))
			return err_set(err, ERR_INVALID, NULL, "argument %zu of the command %s", i,
				pve_arg_problem(argv[i]));
	if (cwd && pve_arg_problem(cwd))
		return err_set(
			err, ERR_INVALID, NULL, "the working directory %s", pve_arg_problem(cwd));
	plain = !cwd && plain_line(&line, argv, n);
	if (str_ok(&line, err) < 0 || (!plain && by_shell(argv, n, cwd, a, env, err) < 0))
		return -1;
	*ret = plain ? arena_strndup(a, line.p, line.n) : SHELL_LINE;
	*ret_uses_shell = !plain;
	return *ret ? 0 : err_nomem(err);
}

/* ---- the way back ---- */

/* Room for as many words as a text can have. */
static const char **words_of(size_t text_n, struct arena *a, struct err *err)
{
	const char **words = arena_array(a, text_n / 2 + 2, sizeof(*words));

	if (!words)
		err_nomem(err);
	return words;
}

int pve_entrypoint_split(
	const char *text, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	size_t n = strlen(text), k = 0;
	const char **words = words_of(n, a, err), *end;

	if (!words)
		return -1;
	if (n > 1 && (*text == '"' || *text == '\'') && text[n - 1] == *text) {
		text++;
		n -= 2;
	}
	end = text + n;
	for (const char *p = text; p < end;) {
		const char *from = p, *to;
		if (strchr(BLANKS, *p)) {
			p++;
			continue;
		}
		if (*p == '"' || *p == '\'') {
			from = p + 1;
			to = memchr(from, *p, (size_t)(end - from));
			if (!to)
				break; /* an unfinished word is none */
			p = to + 1;
		} else {
			while (p < end && !strchr(BLANKS, *p))
				p++;
			to = p;
		}
		words[k] = arena_strndup(a, from, (size_t)(to - from));
		if (!words[k++])
			return err_nomem(err);
	}
	*ret = words;
	*ret_n = k;
	return 0;
}

/* One word; returns what is behind it. */
static const char *shell_word(const char *p, struct str *out)
{
	for (char quote = 0; *p && (quote || !strchr(BLANKS, *p)); p++) {
		if (*p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && p[1] && quote != '\'' && (!quote || strchr("\"\\$`", p[1])))
			str_addn(out, ++p, 1);
		else
			str_addn(out, p, 1);
	}
	return p;
}

int pve_shell_split(
	const char *text, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	const char **words = words_of(strlen(text), a, err);
	size_t k = 0;

	if (!words)
		return -1;
	for (const char *p = text + strspn(text, BLANKS); *p; p += strspn(p, BLANKS)) {
		_str_ struct str word = { 0 };
		p = shell_word(p, &word);
		if (str_ok(&word, err) < 0)
			return -1;
		words[k] = arena_strndup(a, word.p ? word.p : "", word.n);
		if (!words[k++])
			return err_nomem(err);
	}
	*ret = words;
	*ret_n = k;
	return 0;
}

/* As Perl's String::ShellQuote does it: a word is left alone when it has none but these; a name
 * before the first word without "=" would be an assignment. */
static void quote_word(struct str *out, const char *word, bool *seen_plain)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_!%+,-./:=@^";
	const bool equals = strchr(word, '=');
	const bool bare = *word && !word[strspn(word, safe)] && (!equals || *seen_plain);
	size_t from = 0;
	_str_ struct str text = { 0 };

	*seen_plain = *seen_plain || !equals;
	if (bare) {
		str_add(out, word);
		return;
	}
	str_add(&text, "'");
	for (const char *p = word; *p; p++) {
		const size_t quotes = strspn(p, "'");
		if (quotes > 1)
			str_printf(&text, "'\"%.*s\"'", (int)quotes, p);
		else if (quotes == 1)
			str_add(&text, "'\\''");
		else
			str_addn(&text, p, 1);
		p += quotes ? quotes - 1 : 0;
	}
	str_add(&text, "'");
	out->failed = out->failed || text.failed;
	if (text.failed || text.n == 2) {
		str_add(out, "''");
		return;
	}
	if (str_starts(text.p, "''"))
		from = 2;
	if (text.n - from > 2 && str_ends(text.p + from, "''"))
		text.n -= 2;
	str_addn(out, text.p + from, text.n - from);
}

bool pve_entrypoint_is_shell(const char *text)
{
	return str_eq(text, SHELL_LINE);
}

static int is_quoted(const char *text, struct arena *a, bool *ret, struct err *err)
{
	_str_ struct str again = { 0 };
	const char **words;
	bool seen_plain = false;
	size_t n;

	if (pve_shell_split(text, a, &words, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_add(&again, " ");
		quote_word(&again, words[i], &seen_plain);
	}
	*ret = str_eq(again.p ? again.p : "", text);
	return str_ok(&again, err);
}

int pve_entrypoint_is_servers(const char *text, struct arena *a, bool *ret, struct err *err)
{
	_str_ struct str again = { 0 };
	const char **words;
	size_t n;

	if (is_quoted(text, a, ret, err) < 0)
		return -1;
	if (*ret)
		return 0;
	if (pve_entrypoint_split(text, a, &words, &n, err) < 0)
		return -1;
	/* Other versions of the server may quote otherwise. */
	*ret = !(pve_entrypoint_is_shell(text) ||
		 (plain_line(&again, words, n) && str_eq(again.p, text)));
	return str_ok(&again, err);
}

/* ---- environments ---- */

int pve_env(const struct ctr_map_str *env, struct arena *a, const char **ret, size_t *ret_n,
	struct err *err)
{
	_str_ struct str text = { 0 };

	for (size_t i = 0; i < env->n; i++) {
		const struct ctr_pair *v = &env->items[i];
		const char *problem = pve_env_problem(v->key, v->value);
		if (problem)
			return err_set(err, ERR_INVALID, v->key, "%s", problem);
		if (i)
			str_addn(&text, "", 1);
		str_printf(&text, "%s=%s", v->key, v->value);
	}
	if (str_ok(&text, err) < 0)
		return -1;
	*ret = arena_strndup(a, text.p ? text.p : "", text.n);
	*ret_n = text.n;
	return *ret ? 0 : err_nomem(err);
}

static size_t variable_n(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != 0 && p[i] != 1)
		i++;
	return i;
}

int pve_env_parse(
	const char *text, size_t n, struct arena *a, struct ctr_map_str *ret, struct err *err)
{
	*ret = (struct ctr_map_str){ 0 };
	for (size_t at = 0; at < n;) {
		const size_t len = variable_n(text + at, n - at);
		const char *equals = memchr(text + at, '=', len);
		/* What isn't NAME=VALUE is no variable. */
		if (equals) {
			const char *name =
				arena_strndup(a, text + at, (size_t)(equals - text) - at);
			const char *value = arena_strndup(
				a, equals + 1, at + len - (size_t)(equals + 1 - text));
			if (!name || !value)
				return err_nomem(err);
			if (pve_map_set(ret, name, value, a, err) < 0)
				return -1;
		}
		at += len + 1;
	}
	return 0;
}
