/* SPDX-License-Identifier: Apache-2.0 */
/* What "docker save" writes: manifest.json names a config and layers, which are plain tars. */
#include "image/load.h"
#include "image/record.h"

#include <string.h>

enum { HEX = 64 };

/* A config whose file is called by its digest must have it. */
static int check_config_name(const char *file, const char *id, struct err *err)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t n = strspn(base, "0123456789abcdef");

	if (n != HEX || (base[n] && !str_eq(base + n, ".json")) || str_starts(base, digest_hex(id)))
		return 0;
	return err_set(err, ERR_INVALID, file, "the config has another digest: %s", id);
}

static int fill_layers(const struct source *s, const struct img_docker_entry *e,
	struct load_image *img, struct err *err)
{
	img->n_layers = e->n_layers;
	img->layers = arena_array(s->arena, e->n_layers, sizeof(*img->layers));
	if (!img->layers)
		return err_nomem(err);
	for (size_t i = 0; i < e->n_layers; i++) {
		_close_ int fd = FD_NONE;
		uint64_t size;

		if (source_file(s, e->layers[i], &fd, &size, err) < 0)
			return err_in(err, "Layers[%zu]", i);
		img->layers[i] =
			(struct load_layer){ e->layers[i], NULL, img->config.diff_ids[i], size };
	}
	return 0;
}

/* 1: it is one of those that are wanted; 0; -1. */
static int fill_names(const struct source *s, const struct ctr_image_load *job,
	const struct img_docker_entry *e, struct load_image *img, struct err *err)
{
	bool wanted = !job->ref;

	img->names = arena_array(s->arena, e->n_repo_tags, sizeof(*img->names));
	if (!img->names)
		return err_nomem(err);
	for (size_t i = 0; i < e->n_repo_tags; i++) {
		const char **name = &img->names[img->n_names];

		if (load_name(e->repo_tags[i], s->arena, name, err) < 0)
			return err_in(err, "RepoTags[%zu]", i);
		wanted = wanted || load_is_ref(job->ref, e->repo_tags[i], *name, s->arena);
		img->n_names++;
	}
	return wanted;
}

static int read_image(const struct source *s, const struct ctr_image_load *job,
	const struct img_docker_entry *e, struct load_list *l, struct err *err)
{
	struct load_image *img = &l->items[l->n];
	const char *text;
	size_t n;
	int wanted;

	*img = (struct load_image){ 0 };
	wanted = fill_names(s, job, e, img, err);
	if (wanted <= 0)
		return wanted;
	if (source_text(s, e->config, IMAGE_CONFIG_BYTES_MAX, &text, &n, err) < 0 ||
		load_config(s, text, n, e->n_layers, img, err) < 0 ||
		check_config_name(e->config, img->id, err) < 0)
		return err_in(err, "config");
	if (fill_layers(s, e, img, err) < 0)
		return -1;
	l->n++;
	return 0;
}

int docker_read(const struct source *s, const struct ctr_image_load *job, struct load_list *ret,
	struct err *err)
{
	struct img_docker_entry *entries;
	struct load_list l = { 0 };
	const char *text;
	size_t n, n_entries;

	if (source_text(s, "manifest.json", IMAGE_DOC_BYTES_MAX, &text, &n, err) < 0 ||
		img_read_docker(text, n, s->arena, &entries, &n_entries, err) < 0)
		return err_in(err, "manifest.json");
	l.items = arena_array(s->arena, n_entries, sizeof(*l.items));
	if (!l.items)
		return err_nomem(err);
	for (size_t i = 0; i < n_entries; i++) {
		if (read_image(s, job, &entries[i], &l, err) < 0)
			return err_in(err, "manifest.json: [%zu]:", i);
	}
	if (load_finish(s, job, &l, err) < 0)
		return -1;
	*ret = l;
	return 0;
}
