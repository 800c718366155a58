/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include "image/load.h"
#include "model/ref.h"

#include <string.h>

int load_blob(const struct source *s, const struct img_descriptor *d, size_t max, const char **ret,
	size_t *ret_n, struct err *err)
{
	const char *file = arena_printf(s->arena, "blobs/%.6s/%s", d->digest, d->digest + 7);
	struct digest *sum;
	char text[DIGEST_TEXT_MAX];

	if (!file)
		return err_nomem(err);
	if (d->size > max)
		return err_set(err, ERR_EXHAUSTED, d->digest,
			"%llu bytes: at most %zu are taken for such a document",
			(unsigned long long)d->size, max);
	if (source_text(s, file, max, ret, ret_n, err) < 0)
		return -1;
	if (*ret_n != d->size)
		return err_set(err, ERR_INVALID, d->digest,
			"its size is %zu, but its descriptor says %llu", *ret_n,
			(unsigned long long)d->size);
	sum = digest_new(d->digest);
	if (!sum)
		return err_nomem(err);
	digest_add(sum, *ret, *ret_n);
	digest_text(sum, text);
	digest_free(sum);
	if (!str_eq(text, d->digest))
		return err_set(
			err, ERR_INVALID, d->digest, "the document has another digest: %s", text);
	return 0;
}

/* What is shown to people later: nothing that a terminal would act on. */
static bool is_plain(const char *s, const char *allowed, size_t max)
{
	return strspn(s, allowed) == strlen(s) && strlen(s) <= max;
}

int load_config(const struct source *s, const char *text, size_t n, size_t n_layers,
	struct load_image *img, struct err *err)
{
	struct img_config *c = &img->config;
	char id[DIGEST_TEXT_MAX];

	if (img_read_config(text, n, s->arena, c, err) < 0)
		return -1;
	if (!img_platform_fits(&c->platform))
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"the image is for %.20s/%.20s, this host is linux/%s", c->platform.os,
			c->platform.architecture,
			img_host_architecture() ? img_host_architecture() : "of unknown kind");
	if (c->platform.variant &&
		!is_plain(c->platform.variant, "abcdefghijklmnopqrstuvwxyz0123456789.-_", 32)) {
		err_set(err, ERR_INVALID, NULL, "it isn't a variant of an architecture");
		return err_in(err, "variant");
	}
	if (c->created && !is_plain(c->created, "0123456789-+:.TZ", 64))
		c->created = NULL;
	if (c->n_diff_ids != n_layers) {
		err_set(err, ERR_INVALID, NULL, "%zu of them for %zu layers", c->n_diff_ids,
			n_layers);
		return err_in(err, "rootfs.diff_ids");
	}
	if (n_layers == 0)
		return err_set(err, ERR_INVALID, NULL, "the image has no layers");
	img->config_text = text;
	img->config_n = n;
	img->id = arena_strdup(s->arena, digest_of(text, n, id));
	return img->id ? 0 : err_nomem(err);
}

/* ---- names ---- */

int load_name(const char *text, struct arena *a, const char **ret, struct err *err)
{
	struct image_ref r;

	if (image_ref_parse(text, a, &r, err) < 0)
		return -1;
	if (r.digest)
		return err_set(err, ERR_INVALID, text,
			"a digest can't be given to an image: it has its own");
	*ret = image_ref_normal(&r, a);
	return *ret ? 0 : err_nomem(err);
}

/* The file's name without what tells its form, as part of a reference: lower case, "-" for what
 * can't be there. NULL: nothing is left. */
static const char *name_of_file(const char *path, struct arena *a)
{
	static const char *const ends[] = { ".gz", ".tgz", ".zst", ".zstd", ".tar", ".oci",
		".docker" };
	size_t n = strlen(path), out = 0;
	const char *base;
	char *name;

	while (n && path[n - 1] == '/')
		n--;
	base = path + n;
	while (base > path && base[-1] != '/')
		base--;
	name = arena_strndup(a, base, (size_t)(path + n - base));
	for (size_t i = 0; name && i < ARRAY_SIZE(ends); i++) {
		if (str_ends(name, ends[i]))
			name[strlen(name) - strlen(ends[i])] = '\0';
	}
	for (const char *p = name; p && *p; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			name[out++] = c;
		else if (out && name[out - 1] != '-')
			name[out++] = '-';
	}
	while (out && name[out - 1] == '-')
		out--;
	if (out)
		name[out] = '\0';
	return out ? name : NULL;
}

int load_name_of_tag(
	const char *path, const char *tag, struct arena *a, const char **ret, struct err *err)
{
	const char *file = str_eq(path, "-") ? NULL : name_of_file(path, a);
	const char *text = file ? arena_printf(a, "%s:%s", file, tag) : NULL;

	if (!file) {
		err_set(err, ERR_INVALID, NULL,
			"the archive calls the image only \"%.128s\", which is a tag without a name",
			tag);
		return err_hint(err, "say --name NAME");
	}
	return text ? load_name(text, a, ret, err) : err_nomem(err);
}

int load_is_ref(const char *ref, const char *raw, const char *name, struct arena *a)
{
	struct err err = ERR_INIT;
	const char *normal;

	if (str_eq(ref, raw) || str_eq(ref, name))
		return 1;
	return load_name(ref, a, &normal, &err) == 0 && str_eq(normal, name);
}

int load_finish(const struct source *s, const struct ctr_image_load *job, struct load_list *l,
	struct err *err)
{
	const char **one;

	if (l->n == 0 && job->ref)
		return err_set(err, ERR_NOT_FOUND, NULL,
			"the archive has no image that is called \"%.200s\"", job->ref);
	if (l->n == 0)
		return err_set(err, ERR_INVALID, NULL, "the archive has no image in it");
	if (!job->name)
		return 0;
	if (l->n > 1) {
		err_set(err, ERR_INVALID, "--name", "the archive has %zu images", l->n);
		return err_hint(err, "say with --ref which of them is meant");
	}
	one = arena_array(s->arena, 1, sizeof(*one));
	if (!one)
		return err_nomem(err);
	if (load_name(job->name, s->arena, one, err) < 0)
		return err_in(err, "--name");
	l->items->names = one;
	l->items->n_names = 1;
	return 0;
}
