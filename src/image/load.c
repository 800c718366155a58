/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: read and verify what the archive says, unpack the layers that aren't there, sync, and
 * only then give everything its name: layers, then the image, then its names. The store is locked
 * (shared) all the while, so that no layer is removed before its image is there.
 */
#include "image/load.h"

#include "base/digest.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/disk.h"
#include "image/names.h"
#include "image/record.h"
#include "image/store.h"
#include "image/unpack.h"
#include "model/ref.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct loader {
	const struct image_store *store;
	const struct ctr_image_load *job;
	struct arena *arena;
	int images, layers; /* folders */
	int lock;
	struct disk_temp temp; /* for a copy of the archive */
	struct source source;
};

static void loader_done(struct loader *l)
{
	source_close(&l->source);
	disk_temp_done(&l->temp);
	l->images = fd_close(l->images);
	l->layers = fd_close(l->layers);
	l->lock = fd_close(l->lock);
}

/* ---- layers ---- */

enum { LAYER_PATH_MAX = 128 + 16, LAYER_RECORD_MAX = 64 << 10 };

/* 1 and its record: it is there and whole; 0; -1. */
static int layer_find(
	const struct loader *l, const char *diff_id, struct layer_record *ret, struct err *err)
{
	char path[LAYER_PATH_MAX];
	_free_ char *text = NULL;
	struct err why = ERR_INIT;
	size_t n;

	snprintf(path, sizeof(path), "%.128s/layer.json", digest_hex(diff_id));
	if (file_read(l->layers, path, LAYER_RECORD_MAX, &text, &n, &why) < 0) {
		if (why.code == ERR_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	/* Not readable: it is made anew. */
	return layer_record_read(text, n, l->arena, ret, &why) == 0 &&
	       str_eq(ret->diff_id, diff_id);
}

static int layer_unpack(struct loader *l, const struct load_layer *layer, int dir_fd,
	struct layer_record *ret, struct err *err)
{
	_close_ int root = FD_NONE, blob = FD_NONE;
	struct unpack_job job = { .size = layer->size,
		.part = true,
		.digest = layer->digest,
		.diff_id = layer->diff_id,
		.progress = l->job->progress };
	uint64_t size;

	if (source_file(&l->source, layer->file, &blob, &size, err) < 0)
		return -1;
	if (size != layer->size)
		return err_set(err, ERR_INVALID, NULL,
			"its size is %llu, but its descriptor says %llu", (unsigned long long)size,
			(unsigned long long)layer->size);
	if (mkdirat(dir_fd, "fs", 0755) < 0)
		return err_sys(err, errno, "mkdir", "folder of a layer");
	root = openat(dir_fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0 || fchmod(root, 0755) < 0)
		return err_sys(err, errno, "open", "folder of a layer");
	job.blob_fd = blob;
	job.root_fd = root;
	*ret = (struct layer_record){ .diff_id = layer->diff_id };
	return unpack_layer(&job, &ret->size, err);
}

/* What is broken, or half there by somebody's hand, makes room. */
static int layer_keep(
	struct loader *l, struct disk_temp *t, const struct layer_record *r, struct err *err)
{
	const char *name = digest_hex(r->diff_id);
	struct layer_record other;
	int kept = disk_keep(t, name, err), there;

	if (kept != 0)
		return kept < 0 ? -1 : 0;
	there = layer_find(l, r->diff_id, &other, err);
	if (there != 0)
		return there < 0 ? -1 : 0; /* another load was faster */
	if (disk_remove(l->layers, name, err) < 0)
		return -1;
	kept = disk_keep(t, name, err);
	if (kept == 0)
		return err_set(err, ERR_STATE, name, "another command makes the same layer");
	return kept < 0 ? -1 : 0;
}

static int layer_make(
	struct loader *l, const struct load_layer *layer, uint64_t *ret_size, struct err *err)
{
	_disk_temp_ struct disk_temp t = DISK_TEMP_INIT;
	_str_ struct str text = { 0 };
	struct layer_record r;
	int there = layer_find(l, layer->diff_id, &r, err);

	if (there != 0) {
		*ret_size = r.size;
		return there < 0 ? -1 : 0;
	}
	if (disk_temp(l->layers, &t, err) < 0 || layer_unpack(l, layer, t.fd, &r, err) < 0)
		return -1;
	layer_record_write(&r, &text);
	if (str_ok(&text, err) < 0 || disk_write(t.fd, "layer.json", text.p, text.n, err) < 0)
		return -1;
	/* All that was unpacked, at once. */
	if (syncfs(t.fd) < 0)
		return err_sys(err, errno, "syncfs", "folder of layers");
	*ret_size = r.size;
	return layer_keep(l, &t, &r, err);
}

/* ---- images ---- */

static int make_record(const struct load_image *img, uint64_t size, struct arena *a,
	struct ctr_image_record *ret, struct err *err)
{
	char now[PROC_TIME_MAX];

	*ret = (struct ctr_image_record){
		.id = img->id,
		.manifest = img->manifests[0],
		.architecture = img->config.platform.architecture,
		.os = img->config.platform.os,
		.variant = img->config.platform.variant,
		.layers = img->config.diff_ids,
		.n_layers = img->n_layers,
		.size = size,
		.created = img->config.created,
		.loaded = arena_strdup(a, proc_now(now)),
		.config = img->config.config,
	};
	return ret->loaded ? 0 : err_nomem(err);
}

static int image_make(
	struct loader *l, const struct load_image *img, uint64_t size, struct err *err)
{
	_disk_temp_ struct disk_temp t = DISK_TEMP_INIT;
	_str_ struct str text = { 0 };
	struct ctr_image_record r;
	int kept;

	if (make_record(img, size, l->arena, &r, err) < 0 || disk_temp(l->images, &t, err) < 0)
		return -1;
	image_record_write(&r, &text);
	if (str_ok(&text, err) < 0 ||
		disk_write(t.fd, "config.json", img->config_text, img->config_n, err) < 0 ||
		(img->manifest_text && disk_write(t.fd, "manifest.json", img->manifest_text,
					       img->manifest_n, err) < 0) ||
		disk_write(t.fd, "record.json", text.p, text.n, err) < 0)
		return -1;
	if (fsync(t.fd) < 0)
		return err_sys(err, errno, "fsync", "folder of an image");
	kept = disk_keep(&t, digest_hex(img->id), err);
	return kept < 0 ? -1 : 0; /* 0: another load was faster */
}

/* A record that can't be read makes room for a new one. */
static int image_there(struct loader *l, const struct load_image *img, struct err *err)
{
	struct ctr_image_record r;
	struct err why = ERR_INIT;

	if (image_find(l->store, img->id, l->arena, &r, &why) == 0)
		return 1;
	if (why.code == ERR_NOT_FOUND)
		return 0;
	if (why.code != ERR_INVALID) {
		*err = why;
		return -1;
	}
	return disk_remove(l->images, digest_hex(img->id), err);
}

/* "docker.io/library/busybox:1" -> "docker.io/library/busybox@sha256:..." */
static int add_digests(const struct load_image *img, const char ***names, size_t *n,
	struct arena *a, struct err *err)
{
	const char **all =
		arena_array(a, img->n_names * (1 + ARRAY_SIZE(img->manifests)), sizeof(*all));

	if (!all)
		return err_nomem(err);
	*n = 0;
	for (size_t i = 0; i < img->n_names; i++) {
		const char *colon = strrchr(img->names[i], ':');

		all[(*n)++] = img->names[i];
		for (size_t k = 0; k < ARRAY_SIZE(img->manifests); k++) {
			if (img->manifests[k])
				all[(*n)++] =
					arena_printf(a, "%.*s@%s", (int)(colon - img->names[i]),
						img->names[i], img->manifests[k]);
		}
	}
	*names = all;
	return arena_failed(a) ? err_nomem(err) : 0;
}

static int load_one(struct loader *l, const struct load_image *img, struct ctr_image_record *ret,
	struct err *err)
{
	uint64_t size = 0, one = 0;
	const char **names = NULL;
	size_t n_names = 0;
	int there;

	for (size_t i = 0; i < img->n_layers; i++) {
		if (layer_make(l, &img->layers[i], &one, err) < 0)
			return err_in(err, "layer %zu (%.19s):", i + 1,
				img->layers[i].digest ? img->layers[i].digest
						      : img->layers[i].diff_id);
		size += one;
	}
	there = image_there(l, img, err);
	if (there < 0 || (there == 0 && image_make(l, img, size, err) < 0))
		return -1;
	if (add_digests(img, &names, &n_names, l->arena, err) < 0 ||
		(n_names && names_change(l->images, img->id, names, n_names, NULL, err) < 0))
		return -1;
	return image_find(l->store, img->id, l->arena, ret, err);
}

/* ---- the whole archive ---- */

static int open_store(struct loader *l, struct err *err)
{
	if (disk_open(l->store->fd, "images", DISK_MAKE, &l->images, err) < 0 ||
		disk_open(l->store->fd, "layers", DISK_MAKE, &l->layers, err) < 0 ||
		image_store_lock(l->store, IMAGE_LOCK_SHARED, &l->lock, err) < 0)
		return -1;
	/* The second lower layer of a read-only view of one layer: looking makes nothing. */
	if (mkdirat(l->images, "empty", 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "images/empty");
	if (disk_sweep(l->images, err) < 0 || disk_sweep(l->layers, err) < 0)
		return err_in(err, "left-overs of another load:");
	return disk_temp(l->images, &l->temp, err);
}

static int read_archive(struct loader *l, struct load_list *ret, struct err *err)
{
	if (source_open(l->job->path, l->temp.fd, l->arena, &l->source, err) < 0)
		return -1;
	/* An archive may be both: the one with digests is the better one. */
	if (source_has(&l->source, "index.json"))
		return layout_read(&l->source, l->job, ret, err);
	if (source_has(&l->source, "manifest.json"))
		return docker_read(&l->source, l->job, ret, err);
	err_set(err, ERR_INVALID, NULL, "there is neither index.json nor manifest.json in it");
	return err_hint(err,
		"it must be an OCI layout or the output of \"docker save\"; a tar of a root filesystem isn't an image");
}

int image_load(struct image_store *s, const struct ctr_image_load *job, struct arena *a,
	struct ctr_image_record **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(loader_done) struct loader l = { .store = s,
		.job = job,
		.arena = a,
		.images = FD_NONE,
		.layers = FD_NONE,
		.lock = FD_NONE,
		.temp = DISK_TEMP_INIT,
		.source = SOURCE_INIT };
	struct ctr_image_record *records;
	struct load_list list;

	if (open_store(&l, err) < 0 || read_archive(&l, &list, err) < 0)
		return err_in(err, "%s:", job->path);
	records = arena_array(a, list.n, sizeof(*records));
	if (!records)
		return err_nomem(err);
	for (size_t i = 0; i < list.n; i++) {
		if (load_one(&l, &list.items[i], &records[i], err) < 0)
			return err_in(err, "%s:", job->path);
	}
	*ret = records;
	*ret_n = list.n;
	return 0;
}
