/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/match.h"

#include "base/str.h"

#include <string.h>

/* What the server takes for templates; of two files that differ in nothing else, the first. */
static const char *const endings[] = { ".tar.zst", ".tzst", ".tar.xz", ".txz", ".tar.gz", ".tgz",
	".tar.bz2", ".tar" };

enum { FAMILIES_MAX = 12 }; /* more aren't listed in an error's text */

static int ending_of(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (str_ends(file, endings[i]) && strlen(file) > strlen(endings[i]))
			return (int)i;
	return -1;
}

bool template_is_tar(const char *file)
{
	return ending_of(file) == (int)ARRAY_SIZE(endings) - 1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- versions ---- */

/* Where a character stands among those that aren't digits. */
static int rank(char c)
{
	if (c == '~')
		return -1;
	if (!c || is_digit(c))
		return 0;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return c;
	return (unsigned char)c + 256;
}

static int compare_numbers(const char *a, size_t n, const char *b, size_t m)
{
	for (; n && *a == '0'; n--)
		a++;
	for (; m && *b == '0'; m--)
		b++;
	return n != m ? (n < m ? -1 : 1) : memcmp(a, b, n);
}

int template_compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t n, m;
		int r;
		for (; (*a && !is_digit(*a)) || (*b && !is_digit(*b)); a++, b++) {
			if (rank(*a) != rank(*b))
				return rank(*a) < rank(*b) ? -1 : 1;
		}
		n = strspn(a, "0123456789");
		m = strspn(b, "0123456789");
		r = compare_numbers(a, n, b, m);
		if (r != 0)
			return r;
		a += n;
		b += m;
	}
	return 0;
}

/* ---- names ---- */

/* "postgres-16.2": where its version begins, or its end. */
static const char *plain_version(const char *stem)
{
	for (const char *p = strchr(stem, '-'); p; p = strchr(p + 1, '-'))
		if (is_digit(p[1]) && !p[1 + strspn(p + 1, "0123456789.-+~")])
			return p + 1;
	return stem + strlen(stem);
}

int template_name_of(const char *file, struct arena *a, struct template_name *ret, struct err *err)
{
	const int ending = ending_of(file);
	const char *first, *last, *version;
	char *stem;

	if (ending < 0)
		return 0;
	stem = arena_strndup(a, file, strlen(file) - strlen(endings[ending]));
	if (!stem)
		return err_nomem(err);
	*ret = (struct template_name){ .stem = stem, .ending = ending };
	first = strchr(stem, '_');
	last = strrchr(stem, '_');
	if (!first) {
		version = plain_version(stem);
		ret->version = version;
		ret->family =
			*version ? arena_strndup(a, stem, (size_t)(version - stem) - 1) : stem;
	} else if (first == last) {
		ret->version = first + 1;
		ret->family = arena_strndup(a, stem, (size_t)(first - stem));
	} else {
		/* Another architecture is another family. */
		ret->version = arena_strndup(a, first + 1, (size_t)(last - first) - 1);
		ret->family = arena_printf(a, "%.*s%s", (int)(first - stem), stem, last);
	}
	return ret->family && ret->version ? 1 : err_nomem(err);
}

/* What is behind `begin`, if that ends where a word ends; else NULL. */
static const char *behind(const char *text, const char *begin)
{
	const char *rest = str_starts(text, begin) ? text + strlen(begin) : NULL;

	return rest && (!*rest || strchr("-_.+~", *rest)) ? rest : NULL;
}

enum fit { FIT_NOT, FIT_BEGINS, FIT_VERSION, FIT_STEM, FIT_FILE };

static enum fit fit_of(
	const char *file, const struct template_name *t, const char *name, const char *tag)
{
	const char *rest;

	if (!tag && str_eq(file, name))
		return FIT_FILE;
	rest = behind(t->stem, name);
	if (!rest)
		return FIT_NOT;
	if (!tag)
		return *rest ? FIT_BEGINS : FIT_STEM;
	if (*rest && str_eq(rest + 1, tag))
		return FIT_STEM;
	if (str_eq(t->version, tag))
		return FIT_VERSION;
	if (*rest && behind(rest + 1, tag))
		return FIT_BEGINS;
	return behind(t->version, tag) ? FIT_BEGINS : FIT_NOT;
}

/* The name says less than one kind of template. */
static bool is_vague(enum fit fit)
{
	return fit == FIT_BEGINS || fit == FIT_VERSION;
}

/* ---- the choice ---- */

struct choice {
	const struct template_file *file;
	struct template_name name;
	enum fit fit;
};

static bool is_better(const struct choice *a, const struct choice *b)
{
	int r;

	if (!b->file || a->fit != b->fit)
		return !b->file || a->fit > b->fit;
	r = template_compare(a->name.version, b->name.version);
	return r != 0 ? r > 0 : a->name.ending < b->name.ending;
}

/* The distinct families of what begins with the name; *ret_n is FAMILIES_MAX when there are more.
 */
static const char **families_of(
	const struct choice *all, size_t n, struct arena *a, size_t *ret_n, struct err *err)
{
	const char **list = arena_array(a, FAMILIES_MAX, sizeof(*list));

	if (!list) {
		err_nomem(err);
		return NULL;
	}
	*ret_n = 0;
	for (size_t i = 0; i < n && *ret_n < FAMILIES_MAX; i++) {
		size_t k = 0;
		while (k < *ret_n && !str_eq(list[k], all[i].name.family))
			k++;
		if (is_vague(all[i].fit) && k == *ret_n)
			list[(*ret_n)++] = all[i].name.family;
	}
	return list;
}

static int one_family(const struct choice *all, size_t n, const char *name, const char *tag,
	struct arena *a, struct err *err)
{
	_str_ struct str text = { 0 };
	size_t found = 0;
	const char **list = families_of(all, n, a, &found, err);

	if (!list)
		return -1;
	if (found < 2)
		return 0;
	for (size_t i = 0; i < found; i++)
		str_printf(&text, "%s%s", i ? ", " : "", list[i]);
	if (str_ok(&text, err) < 0)
		return -1;
	err_set(err, ERR_INVALID, name, "%s%s%smore than one kind of template fits: %s%s",
		tag ? "with the tag " : "", tag ? tag : "", tag ? " " : "", text.p,
		found == FAMILIES_MAX ? ", ..." : "");
	return err_hint(
		err, "write more of the name: lxc/%.*s", (int)strcspn(list[0], "_"), list[0]);
}

int template_choose(const struct template_file *files, size_t n, const char *name, const char *tag,
	struct arena *a, const struct template_file **ret, struct err *err)
{
	struct choice *all = arena_array(a, n, sizeof(*all));
	struct choice best = { 0 };

	*ret = NULL;
	if (!all)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const int r = template_name_of(files[i].file, a, &all[i].name, err);
		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		all[i].file = &files[i];
		all[i].fit = fit_of(files[i].file, &all[i].name, name, tag);
		if (all[i].fit != FIT_NOT && is_better(&all[i], &best))
			best = all[i];
	}
	if (is_vague(best.fit) && one_family(all, n, name, tag, a, err) < 0)
		return -1;
	*ret = best.file;
	return 0;
}
