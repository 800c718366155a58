/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls on images: the store beneath the engine's data folder. */
#include "flow/flow.h"

#include "image/store.h"
#include "store/requests.h"

struct ctr_image {
	struct arena *arena;
	struct ctr_image_record rec;
	const char *manifest, *config; /* texts */
};

struct ctr_image *ctr_image_close(struct ctr_image *i)
{
	if (i) {
		arena_free(i->arena);
		free(i);
	}
	return NULL;
}

static void image_close_p(struct ctr_image **i)
{
	ctr_image_close(*i);
}
#define _image_ _cleanup_(image_close_p)

static int open_store(
	struct ctr_engine *e, enum store_open how, struct image_store *ret, struct err *err)
{
	return engine_data(e, how, &ret->fd, err);
}

struct ctr_image *ctr_image_open(struct ctr_engine *e, const char *ref, struct err *err)
{
	_image_ struct ctr_image *i = calloc(1, sizeof(*i));
	struct image_store s = IMAGE_STORE_INIT;

	if (i)
		i->arena = arena_new();
	if (!i || !i->arena) {
		err_nomem(err);
		return NULL;
	}
	if (open_store(e, STORE_FIND, &s, err) < 0 ||
		image_find(&s, ref, i->arena, &i->rec, err) < 0 ||
		image_manifest_text(&s, &i->rec, i->arena, &i->manifest, err) < 0 ||
		image_config_text(&s, &i->rec, i->arena, &i->config, err) < 0)
		return NULL;
	return take(i);
}

const struct ctr_image_record *ctr_image_record(const struct ctr_image *i)
{
	return &i->rec;
}

const char *ctr_image_manifest_text(const struct ctr_image *i)
{
	return i->manifest;
}

const char *ctr_image_config_text(const struct ctr_image *i)
{
	return i->config;
}

typedef int each_fn(void *arg, const struct ctr_image_record *, struct err *);

static int call_each(
	const struct ctr_image_record *list, size_t n, each_fn *each, void *arg, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (each(arg, &list[i], err) < 0)
			return -1;
	}
	return 0;
}

int ctr_image_load(struct ctr_engine *e, const struct ctr_image_load *job, each_fn *each, void *arg,
	struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct image_store s = IMAGE_STORE_INIT;
	struct ctr_image_record *list;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (open_store(e, STORE_MAKE, &s, err) < 0 || image_load(&s, job, a, &list, &n, err) < 0)
		return -1;
	return call_each(list, n, each, arg, err);
}

int ctr_image_list(struct ctr_engine *e, each_fn *each, void *arg, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct image_store s = IMAGE_STORE_INIT;
	struct ctr_image_record *list;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (open_store(e, STORE_FIND, &s, err) < 0 || image_list(&s, a, &list, &n, err) < 0)
		return -1;
	return call_each(list, n, each, arg, err);
}

/* ---- remove ---- */

static bool uses(const struct ctr_cri_record *container, const char *image_id)
{
	if (str_eq(container->image_id, image_id))
		return true;
	for (size_t i = 0; i < container->n_volume_image_ids; i++)
		if (str_eq(container->volume_image_ids[i], image_id))
			return true;
	return false;
}

/* A container whose record can't be read may use any image. */
static int check_container(int data_fd, const char *id, const struct ctr_image_record *r,
	struct arena *a, struct err *err)
{
	struct ctr_cri_record record = { 0 };
	_close_ int dir = FD_NONE;
	int there = request_find(data_fd, id, &dir, err);

	if (there == 1)
		there = request_load(dir, id, a, &record, err);
	if (there < 0)
		return err_in(err, "container %.12s:", id);
	if (there == 0 || !uses(&record, r->id))
		return 0;
	err_set(err, ERR_STATE, NULL, "the container %.64s uses it", id);
	return err_hint(err, "remove the container first: ctrctl delete --force %.12s", id);
}

static int check_unused(int data_fd, const struct ctr_image_record *r, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const char **ids;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (request_list(data_fd, a, &ids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (check_container(data_fd, ids[i], r, a, err) < 0)
			return -1;
	}
	return 0;
}

int ctr_image_remove(struct ctr_engine *e, const char *ref, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct image_store s = IMAGE_STORE_INIT;
	struct ctr_image_record r;
	_close_ int lock = FD_NONE;

	if (!a)
		return err_nomem(err);
	/* Without the lock first: what isn't there needs none, and no folder is made for it. */
	if (open_store(e, STORE_FIND, &s, err) < 0 || image_find(&s, ref, a, &r, err) < 0 ||
		image_store_lock(&s, IMAGE_LOCK_EXCLUSIVE, &lock, err) < 0 ||
		image_find(&s, ref, a, &r, err) < 0 || check_unused(s.fd, &r, err) < 0)
		return -1;
	return image_remove(&s, &r, err);
}
