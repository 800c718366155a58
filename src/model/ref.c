/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar is that of the distribution project's references, which every registry and engine
 * shares. */
#include "model/ref.h"

#include <string.h>

enum { REF_MAX = 4096, TAG_MAX = 128, ID_DIGITS = 64 };

static const char lower_alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char hex[] = "0123456789abcdef";
static const char digits[] = "0123456789";

static const struct {
	const char *prefix;
	size_t n;
} algorithms[] = { { "sha256:", 64 }, { "sha512:", 128 } };

int digest_is_valid(const char *text)
{
	for (size_t i = 0; text && i < ARRAY_SIZE(algorithms); i++) {
		const char *rest = text + strlen(algorithms[i].prefix);

		if (str_starts(text, algorithms[i].prefix))
			return strspn(rest, hex) == algorithms[i].n &&
			       rest[algorithms[i].n] == '\0';
	}
	return 0;
}

int image_id_is_valid(const char *text)
{
	if (!text)
		return 0;
	if (str_starts(text, "sha256:"))
		return digest_is_valid(text);
	return strspn(text, hex) == ID_DIGITS && text[ID_DIGITS] == '\0';
}

/* Letters and digits in parts; between two of them one ".", one "_", two "_", or any number of "-".
 */
static bool component_is_valid(const char *s, const char *end)
{
	while (s < end) {
		size_t n = strspn(s, lower_alnum);
		const char *sep = s + n;

		if (n == 0)
			return false;
		if (sep == end)
			return true;
		if (*sep == '-')
			s = sep + strspn(sep, "-");
		else if (sep[0] == '_' && sep[1] == '_')
			s = sep + 2;
		else if (*sep == '.' || *sep == '_')
			s = sep + 1;
		else
			return false;
	}
	return false;
}

static int check_path(const char *text, const char *path, struct err *err)
{
	const char *s = path;

	for (;;) {
		const char *end = strchrnul(s, '/');

		if (end == s)
			return err_set(err, ERR_INVALID, text, "a part of the name is empty");
		if (strcspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < (size_t)(end - s))
			return err_set(err, ERR_INVALID, text,
				"the name of an image has lower-case letters only");
		if (!component_is_valid(s, end))
			return err_set(err, ERR_INVALID, text,
				"\"%.*s\" can't be part of an image's name", (int)(end - s), s);
		if (!*end)
			return 0;
		s = end + 1;
	}
}

/* "host", "host.example:5000", "[::1]:5000". */
static bool registry_is_valid(const char *s)
{
	if (*s == '[') {
		size_t n = strspn(s + 1, "0123456789abcdefABCDEF:.");

		if (n == 0 || s[1 + n] != ']')
			return false;
		s += n + 2;
	} else {
		for (;; s++) {
			size_t n = strspn(s, alnum);

			/* "-" within a label, "." between labels. */
			while (n > 0 && s[n] == '-') {
				size_t more = strspn(s + n, "-");

				if (!strchr(alnum, s[n + more]) || !s[n + more])
					return false;
				n += more + strspn(s + n + more, alnum);
			}
			if (n == 0)
				return false;
			s += n;
			if (*s != '.')
				break;
		}
	}
	if (*s != ':')
		return *s == '\0';
	return s[1] && s[1 + strspn(s + 1, digits)] == '\0';
}

static bool tag_is_valid(const char *s)
{
	size_t n = strlen(s);

	/* ".", "-" and "_" too, but only "_" as the first. */
	if (n == 0 || n > TAG_MAX || *s == '.' || *s == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!strchr(alnum, s[i]) && !strchr("._-", s[i]))
			return false;
	}
	return true;
}

/* Takes the registry off the front of *rest. */
static int split_registry(const char *text, char **rest, struct image_ref *ret, struct err *err)
{
	char *slash = strchr(*rest, '/');

	if (!slash)
		return 0;
	*slash = '\0';
	if (!strpbrk(*rest, ".:") && !str_eq(*rest, "localhost")) {
		*slash = '/';
		return 0;
	}
	if (!registry_is_valid(*rest))
		return err_set(err, ERR_INVALID, text, "\"%s\" is no registry's name", *rest);
	ret->registry = *rest;
	*rest = slash + 1;
	return 0;
}

/* Takes digest and tag off the end. A ":" before the last "/" belongs to a registry's port. */
static int split_end(const char *text, char *rest, struct image_ref *ret, struct err *err)
{
	char *at = strchr(rest, '@'), *last, *colon;

	if (at) {
		*at = '\0';
		ret->digest = at + 1;
		if (!digest_is_valid(ret->digest))
			return err_set(err, ERR_INVALID, text,
				"\"%s\" is no digest (sha256: and 64 hexadecimal digits)",
				ret->digest);
	}
	last = strrchr(rest, '/');
	colon = strchr(last ? last : rest, ':');
	if (colon) {
		*colon = '\0';
		ret->tag = colon + 1;
		if (!tag_is_valid(ret->tag))
			return err_set(err, ERR_INVALID, text, "\"%s\" is no tag", ret->tag);
	}
	return 0;
}

int image_ref_parse(const char *text, struct arena *a, struct image_ref *ret, struct err *err)
{
	struct image_ref r = { 0 };
	char *rest;

	if (!text || !*text)
		return err_set(err, ERR_INVALID, NULL, "the name of an image is empty");
	if (image_id_is_valid(text))
		return err_set(err, ERR_INVALID, text, "that is the id of an image, not a name");
	if (strlen(text) > REF_MAX)
		return err_set(err, ERR_INVALID, text, "it is longer than %d bytes", REF_MAX);
	rest = arena_strdup(a, text);
	if (!rest)
		return err_nomem(err);
	if (split_end(text, rest, &r, err) < 0 || split_registry(text, &rest, &r, err) < 0 ||
		check_path(text, rest, err) < 0)
		return -1;
	r.path = rest;
	if (!r.registry && image_id_is_valid(rest))
		return err_set(
			err, ERR_INVALID, text, "64 hexadecimal digits are an id, not a name");
	*ret = r;
	return 0;
}

char *image_ref_normal(const struct image_ref *r, struct arena *a)
{
	const char *registry =
		!r->registry || str_eq(r->registry, "index.docker.io") ? "docker.io" : r->registry;
	bool library = str_eq(registry, "docker.io") && !strchr(r->path, '/');
	const char *tag = r->tag ? r->tag : r->digest ? NULL : "latest";

	return arena_printf(a, "%s/%s%s%s%s%s%s", registry, library ? "library/" : "", r->path,
		tag ? ":" : "", tag ? tag : "", r->digest ? "@" : "", r->digest ? r->digest : "");
}
