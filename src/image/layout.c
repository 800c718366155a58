/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI layouts: index.json leads to manifests, or to indexes of them by platform. Entries of
 * index.json that have one name are one image for several platforms; so are nameless ones that say
 * their platform. Every other nameless one is an image of its own.
 */
#include "image/load.h"
#include "model/ref.h"

#include <string.h>

enum { DEPTH_MAX = 4, INDEXES_MAX = 64 };

#define NAME_FULL "io.containerd.image.name"
#define NAME_REF  "org.opencontainers.image.ref.name"

struct layout {
	const struct source *source;
	const struct ctr_image_load *job;
	struct load_list list;
	int indexes; /* read so far, of the whole archive */
};

/* ---- names ---- */

static const char *raw_name(const struct img_descriptor *d)
{
	const char *full = ctr_map_get(&d->annotations, NAME_FULL);

	return full && *full ? full : ctr_map_get(&d->annotations, NAME_REF);
}

static bool is_bare_tag(const char *s)
{
	return !strpbrk(s, "/:@");
}

/* *ret NULL: it has none. */
static int given_name(
	const struct layout *l, const struct img_descriptor *d, const char **ret, struct err *err)
{
	const char *full = ctr_map_get(&d->annotations, NAME_FULL);
	const char *ref = ctr_map_get(&d->annotations, NAME_REF);

	*ret = NULL;
	if (full && *full)
		return load_name(full, l->source->arena, ret, err);
	if (!ref || !*ref)
		return 0;
	if (is_bare_tag(ref))
		return load_name_of_tag(l->job->path, ref, l->source->arena, ret, err);
	return load_name(ref, l->source->arena, ret, err);
}

/* ---- one image ---- */

static int fill_layers(const struct layout *l, const struct img_manifest *m, struct load_image *img,
	struct err *err)
{
	struct arena *a = l->source->arena;

	img->n_layers = m->n_layers;
	img->layers = arena_array(a, m->n_layers, sizeof(*img->layers));
	if (!img->layers)
		return err_nomem(err);
	for (size_t i = 0; i < m->n_layers; i++) {
		const char *digest = m->layers[i].digest;
		const char *file = arena_printf(a, "blobs/%.6s/%s", digest, digest + 7);

		if (!file)
			return err_nomem(err);
		/* Seen before anything is unpacked. */
		if (!source_has(l->source, file)) {
			err_set(err, ERR_INVALID, NULL, "%.200s isn't in the archive", file);
			return err_in(err, "layers[%zu]", i);
		}
		img->layers[i] = (struct load_layer){ file, digest, img->config.diff_ids[i],
			m->layers[i].size };
	}
	return 0;
}

/* What the index says of its platform, the config must say as well: what was chosen is what runs.
 */
static int check_platform(
	const struct img_platform *said, const struct img_platform *is, struct err *err)
{
	if (!said || (str_eq(said->os, is->os) && str_eq(said->architecture, is->architecture)))
		return 0;
	return err_set(err, ERR_INVALID, NULL,
		"the index says it is for %.20s/%.20s, its config says %.20s/%.20s", said->os,
		said->architecture, is->os, is->architecture);
}

static int read_manifest(const struct layout *l, const struct img_descriptor *d,
	struct load_image *img, struct err *err)
{
	const struct source *s = l->source;
	struct img_manifest m;
	const char *text;
	size_t n;

	if (load_blob(s, d, IMAGE_DOC_BYTES_MAX, &img->manifest_text, &img->manifest_n, err) < 0 ||
		img_read_manifest(img->manifest_text, img->manifest_n, d, s->arena, &m, err) < 0)
		return err_in(err, "manifest");
	img->manifests[0] = d->digest;
	if (load_blob(s, &m.config, IMAGE_CONFIG_BYTES_MAX, &text, &n, err) < 0 ||
		load_config(s, text, n, m.n_layers, img, err) < 0 ||
		check_platform(d->platform, &img->config.platform, err) < 0)
		return err_in(err, "config");
	return fill_layers(l, &m, img, err) < 0 ? err_in(err, "manifest") : 0;
}

/* ---- choosing ---- */

static bool may_fit(const struct img_descriptor *d)
{
	enum image_media media = image_media(d->media_type);

	if (media != MEDIA_MANIFEST && media != MEDIA_INDEX)
		return false;
	return !d->platform || img_platform_fits(d->platform);
}

static int none_fits(const struct img_descriptor *list, size_t n, struct err *err)
{
	char has[160] = "";
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(has) - 1; i++) {
		if (list[i].platform)
			len += (size_t)snprintf(has + len, sizeof(has) - len, "%s%.20s/%.20s",
				len ? ", " : "", list[i].platform->os,
				list[i].platform->architecture);
	}
	return err_set(err, ERR_UNSUPPORTED, NULL, "it has no image for linux/%s%s%s",
		img_host_architecture() ? img_host_architecture() : "(unknown)",
		len ? ", only for " : "", has);
}

static int choose(struct layout *l, const struct img_descriptor *list, size_t n, int depth,
	struct load_image *img, struct err *err);

static int read_index(struct layout *l, const struct img_descriptor *d, int depth,
	struct load_image *img, struct err *err)
{
	const struct source *s = l->source;
	struct img_index index;
	const char *text;
	size_t n;

	if (depth == DEPTH_MAX || l->indexes++ == INDEXES_MAX)
		return err_set(err, ERR_INVALID, d->digest,
			"indexes are nested too deeply (%d), or there are too many (%d)", DEPTH_MAX,
			INDEXES_MAX);
	if (load_blob(s, d, IMAGE_DOC_BYTES_MAX, &text, &n, err) < 0 ||
		img_read_index(text, n, d, s->arena, &index, err) < 0)
		return err_in(err, "index");
	img->manifests[1] = d->digest;
	return choose(l, index.manifests, index.n_manifests, depth + 1, img, err);
}

/* The first that this host runs (image-index.md: the first matching entry). */
static int choose(struct layout *l, const struct img_descriptor *list, size_t n, int depth,
	struct load_image *img, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!may_fit(&list[i]))
			continue;
		if (image_media(list[i].media_type) == MEDIA_INDEX)
			return read_index(l, &list[i], depth, img, err);
		return read_manifest(l, &list[i], img, err);
	}
	return none_fits(list, n, err);
}

/* ---- the whole layout ---- */

static bool same_image(const struct img_descriptor *a, const struct img_descriptor *b)
{
	const char *x = raw_name(a), *y = raw_name(b);

	if (x || y)
		return str_eq(x, y);
	return a->platform && b->platform;
}

/* Those that are one image with list[first], and come after it; first itself goes first. */
static int gather(const struct layout *l, const struct img_index *index, size_t first,
	struct img_descriptor **ret, size_t *ret_n, struct err *err)
{
	const struct img_descriptor *d = index->manifests;

	*ret = arena_array(l->source->arena, index->n_manifests, sizeof(**ret));
	*ret_n = 0;
	if (!*ret)
		return err_nomem(err);
	for (size_t i = first; i < index->n_manifests; i++) {
		if (i == first || same_image(&d[first], &d[i]))
			(*ret)[(*ret_n)++] = d[i];
	}
	return 0;
}

static bool came_before(const struct img_index *index, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (same_image(&index->manifests[k], &index->manifests[i]))
			return true;
	}
	return false;
}

static int add_image(struct layout *l, const struct img_index *index, size_t first, struct err *err)
{
	const struct img_descriptor *d = &index->manifests[first];
	struct load_image *img = &l->list.items[l->list.n];
	struct err why = ERR_INIT; /* of no matter with --name */
	struct img_descriptor *same;
	const char *name = NULL, *raw = raw_name(d);
	size_t n;

	if (given_name(l, d, &name, &why) < 0) {
		if (!l->job->name) {
			*err = why;
			return -1;
		}
		name = NULL;
	}
	if (l->job->ref && !load_is_ref(l->job->ref, raw, name, l->source->arena))
		return 0;
	*img = (struct load_image){ 0 };
	if (gather(l, index, first, &same, &n, err) < 0 || choose(l, same, n, 0, img, err) < 0)
		return -1;
	if (name) {
		img->names = arena_array(l->source->arena, 1, sizeof(*img->names));
		if (!img->names)
			return err_nomem(err);
		img->names[img->n_names++] = name;
	}
	l->list.n++;
	return 0;
}

int layout_read(const struct source *s, const struct ctr_image_load *job, struct load_list *ret,
	struct err *err)
{
	struct layout l = { .source = s, .job = job };
	struct img_index index;
	const char *text;
	size_t n;

	if (source_text(s, "oci-layout", IMAGE_DOC_BYTES_MAX, &text, &n, err) < 0 ||
		img_read_layout(text, n, s->arena, err) < 0)
		return err_in(err, "oci-layout");
	if (source_text(s, "index.json", IMAGE_DOC_BYTES_MAX, &text, &n, err) < 0 ||
		img_read_index(text, n, NULL, s->arena, &index, err) < 0)
		return err_in(err, "index.json");
	l.list.items = arena_array(s->arena, index.n_manifests, sizeof(*l.list.items));
	if (!l.list.items)
		return err_nomem(err);
	for (size_t i = 0; i < index.n_manifests; i++) {
		if (!came_before(&index, i) && add_image(&l, &index, i, err) < 0)
			return err_in(err, "index.json: manifests[%zu]:", i);
	}
	if (load_finish(s, job, &l.list, err) < 0)
		return -1;
	*ret = l.list;
	return 0;
}
