/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pattern.h"

#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/:[]*";

int pattern_check(const char *p, struct err *err)
{
	const char *last;

	if (!*p)
		return err_set(err, ERR_INVALID, NULL, "the pattern is empty");
	if (strlen(p) > PATTERN_MAX)
		return err_set(
			err, ERR_INVALID, NULL, "the pattern is longer than %d bytes", PATTERN_MAX);
	last = strrchr(p, '/');
	if (strchr(p, '@') || strchr(last ? last : p, ':'))
		return err_set(err, ERR_INVALID, p, "a pattern has neither tag nor digest");
	if (p[strspn(p, letters)])
		return err_set(err, ERR_INVALID, p,
			"no image's name has \"%c\", so this would never match",
			p[strspn(p, letters)]);
	if (*p == '/' || strstr(p, "//") || str_ends(p, "/"))
		err_set(err, ERR_INVALID, p,
			"an image's name has no empty part, so this would never match");
	else if (strstr(p, "***"))
		return err_set(err, ERR_INVALID, p, "\"*\" and \"**\" are all there is");
	else
		return 0;
	return str_ends(p, "/") ? err_hint(err, "for all beneath it: \"%s**\"", p) : -1;
}

/* A set of places in the pattern: all where the name so far may have led. */
struct places {
	bool at[PATTERN_MAX + 1];
};

static size_t stars(const char *p)
{
	return p[0] != '*' ? 0 : p[1] != '*' ? 1 : 2;
}

/* Stars may stand for nothing. */
static void pass_stars(const char *pattern, struct places *s)
{
	for (size_t i = 0; pattern[i]; i++) {
		if (s->at[i])
			s->at[i + stars(pattern + i)] = true;
	}
}

bool pattern_matches(const char *pattern, const char *name)
{
	struct places now = { .at = { true } };

	pass_stars(pattern, &now);
	for (; *name; name++) {
		struct places next = { 0 };

		for (size_t i = 0; pattern[i]; i++) {
			size_t n = stars(pattern + i);

			if (!now.at[i])
				continue;
			if (n == 2 || (n == 1 && *name != '/'))
				next.at[i] = true;
			else if (n == 0 && pattern[i] == *name)
				next.at[i + 1] = true;
		}
		pass_stars(pattern, &next);
		now = next;
	}
	return now.at[strlen(pattern)];
}
