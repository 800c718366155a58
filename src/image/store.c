/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include "base/log.h"
#include "image/disk.h"
#include "image/names.h"
#include "image/record.h"
#include "model/image.h"
#include "model/ref.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ID_HEX = 64, ID_PREFIX_MIN = 4 };

int image_store_lock(const struct image_store *s, enum image_lock how, int *ret_fd, struct err *err)
{
	_close_ int fd = FD_NONE;

	if (disk_open(s->fd, "images", DISK_MAKE, &fd, err) < 0)
		return -1;
	return disk_lock(fd, "lock", how == IMAGE_LOCK_SHARED ? LOCK_SH : LOCK_EX, ret_fd, err);
}

/* ---- one image ---- */

static int read_one(int images_fd, const char *hex, const char *name, size_t max, char **ret,
	size_t *ret_n, struct err *err)
{
	char path[ID_HEX + 32];

	snprintf(path, sizeof(path), "%.*s/%s", ID_HEX, hex, name);
	return file_read(images_fd, path, max, ret, ret_n, err);
}

static int broken(const char *hex, struct err *err)
{
	err->code = ERR_INVALID;
	err_in(err, "record of image %.12s:", hex);
	return err_hint(err, "loading the image again repairs it");
}

/* 1; 0 when there is none; -1. Without names. */
static int load_record(int images_fd, const char *hex, struct arena *a,
	struct ctr_image_record *ret, struct err *err)
{
	_free_ char *text = NULL;
	size_t n;

	if (read_one(images_fd, hex, "record.json", IMAGE_RECORD_BYTES_MAX, &text, &n, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return broken(hex, err);
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (image_record_read(text, n, a, ret, err) < 0)
		return broken(hex, err);
	if (!str_eq(digest_hex(ret->id), hex)) {
		err_set(err, ERR_INVALID, "id", "it belongs to another image");
		return broken(hex, err);
	}
	return 1;
}

static int add_names(struct ctr_image_record *r, const struct ctr_map_str *names, struct arena *a,
	struct err *err)
{
	if (names_of(names, r->id, NAMES_TAGS, a, &r->names, &r->n_names, err) < 0)
		return -1;
	return names_of(names, r->id, NAMES_DIGESTS, a, &r->digests, &r->n_digests, err);
}

static bool is_id_hex(const char *s)
{
	return strspn(s, "0123456789abcdef") == ID_HEX && !s[ID_HEX];
}

/* ---- all ids ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The folders of images: their hex, sorted. */
static int list_hex(
	int images_fd, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	_closedir_ DIR *d = NULL;
	const char **list = NULL;
	size_t n = 0, cap = 0;
	int fd = openat(images_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open", "folder of images");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_nomem(err);
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (!is_id_hex(e->d_name))
			continue;
		if (n == cap) {
			const char **more = arena_array(a, cap ? cap * 2 : 16, sizeof(*more));

			if (!more)
				return err_nomem(err);
			if (n)
				memcpy(more, list, n * sizeof(*more));
			list = more;
			cap = cap ? cap * 2 : 16;
		}
		list[n] = arena_strdup(a, e->d_name);
		if (!list[n++])
			return err_nomem(err);
	}
	if (n)
		qsort(list, n, sizeof(*list), by_text);
	*ret = list;
	*ret_n = n;
	return 0;
}

/* ---- finding ---- */

static int not_found(const char *ref, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, NULL, "image %.200s isn't in the store", ref);
	return err_hint(
		err, "ctrctl image list shows what is there, ctrctl image load brings more");
}

/* *ret: the image's hex, NULL when the store has none of that name. */
static int find_name(const char *ref, const struct ctr_map_str *names, struct arena *a,
	const char **ret, struct err *err)
{
	struct image_ref r;
	const char *key, *id;

	*ret = NULL;
	if (image_ref_parse(ref, a, &r, err) < 0)
		return -1;
	if (r.digest)
		r.tag = NULL; /* the digest says it all */
	key = image_ref_normal(&r, a);
	if (!key)
		return err_nomem(err);
	id = ctr_map_get(names, key);
	*ret = id ? digest_hex(id) : NULL;
	return 0;
}

static int find_prefix(
	int images_fd, const char *prefix, struct arena *a, const char **ret, struct err *err)
{
	const char **list;
	size_t n;

	*ret = NULL;
	if (strspn(prefix, "0123456789abcdef") != strlen(prefix) || strlen(prefix) < ID_PREFIX_MIN)
		return 0;
	if (list_hex(images_fd, a, &list, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!str_starts(list[i], prefix))
			continue;
		if (*ret)
			return err_set(err, ERR_INVALID, prefix,
				"several images begin so: %.12s and %.12s", *ret, list[i]);
		*ret = list[i];
	}
	return 0;
}

/* *ret: the hex of the image that `ref` means, NULL when there is none. */
static int resolve(int images_fd, const char *ref, const struct ctr_map_str *names, struct arena *a,
	const char **ret, struct err *err)
{
	struct err why = ERR_INIT;

	*ret = NULL;
	if (image_id_is_valid(ref)) {
		*ret = str_starts(ref, "sha256:") ? digest_hex(ref) : ref;
		return 0;
	}
	if (str_starts(ref, "sha256:"))
		return find_prefix(images_fd, digest_hex(ref), a, ret, err);
	if (find_name(ref, names, a, ret, &why) < 0) {
		*err = why;
		return -1;
	}
	return *ret ? 0 : find_prefix(images_fd, ref, a, ret, err);
}

int image_find(const struct image_store *s, const char *ref, struct arena *a,
	struct ctr_image_record *ret, struct err *err)
{
	struct ctr_image_record r = { 0 };
	struct ctr_map_str names;
	_close_ int fd = FD_NONE;
	const char *hex;
	int found = 0;

	if (disk_open(s->fd, "images", DISK_FIND, &fd, err) < 0 ||
		names_load(fd, a, &names, err) < 0)
		return -1;
	if (fd < 0) {
		struct image_ref parsed;
		if (!image_id_is_valid(ref) && !str_starts(ref, "sha256:") &&
			image_ref_parse(ref, a, &parsed, err) < 0)
			return -1;
		return not_found(ref, err);
	}
	if (resolve(fd, ref, &names, a, &hex, err) < 0)
		return -1;
	if (hex)
		found = load_record(fd, hex, a, &r, err);
	if (found <= 0)
		return found < 0 ? -1 : not_found(ref, err);
	if (add_names(&r, &names, a, err) < 0)
		return -1;
	*ret = r;
	return 0;
}

static int read_text(const struct image_store *s, const struct ctr_image_record *r,
	const char *name, size_t max, struct arena *a, const char **ret, struct err *err)
{
	_close_ int fd = FD_NONE;
	_free_ char *text = NULL;
	size_t n;

	*ret = NULL;
	if (disk_open(s->fd, "images", DISK_FIND, &fd, err) < 0)
		return -1;
	if (fd < 0 || read_one(fd, digest_hex(r->id), name, max, &text, &n, err) < 0) {
		if (fd >= 0 && err->code != ERR_NOT_FOUND)
			return err_in(err, "image %.19s:", r->id);
		*err = (struct err)ERR_INIT;
		return 0;
	}
	*ret = arena_strndup(a, text, n);
	return *ret ? 0 : err_nomem(err);
}

int image_manifest_text(const struct image_store *s, const struct ctr_image_record *r,
	struct arena *a, const char **ret, struct err *err)
{
	return read_text(s, r, "manifest.json", IMAGE_DOC_BYTES_MAX, a, ret, err);
}

int image_config_text(const struct image_store *s, const struct ctr_image_record *r,
	struct arena *a, const char **ret, struct err *err)
{
	return read_text(s, r, "config.json", IMAGE_CONFIG_BYTES_MAX, a, ret, err);
}

/* ---- listing ---- */

static void note_broken(const struct err *err)
{
	char line[1024];

	err_line(err, line, sizeof(line));
	log_warn("%s", line);
}

/* *ret_broken: how many can't be read. */
static int list_records(int images_fd, struct arena *a, struct ctr_image_record **ret,
	size_t *ret_n, size_t *ret_broken, struct err *err)
{
	struct ctr_image_record *list;
	struct ctr_map_str names;
	const char **hex;
	size_t n, count = 0;

	if (names_load(images_fd, a, &names, err) < 0 || list_hex(images_fd, a, &hex, &n, err) < 0)
		return -1;
	list = arena_array(a, n, sizeof(*list));
	if (!list)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;
		int found = load_record(images_fd, hex[i], a, &list[count], &why);

		if (found < 0) {
			note_broken(&why);
			*ret_broken += 1;
		}
		if (found <= 0)
			continue;
		if (add_names(&list[count++], &names, a, err) < 0)
			return -1;
	}
	*ret = list;
	*ret_n = count;
	return 0;
}

int image_list(const struct image_store *s, struct arena *a, struct ctr_image_record **ret,
	size_t *ret_n, struct err *err)
{
	_close_ int fd = FD_NONE;
	size_t n_broken = 0;

	*ret = NULL;
	*ret_n = 0;
	if (disk_open(s->fd, "images", DISK_FIND, &fd, err) < 0)
		return -1;
	return fd < 0 ? 0 : list_records(fd, a, ret, ret_n, &n_broken, err);
}

/* ---- removing ---- */

static bool is_used(const struct ctr_image_record *images, size_t n, const char *layer)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < images[i].n_layers; j++) {
			if (str_eq(digest_hex(images[i].layers[j]), layer))
				return true;
		}
	}
	return false;
}

/* Layers that no image needs. While a record can't be read nobody knows what it needs: then none.
 */
static int remove_layers(int data_fd, int images_fd, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	_close_ int layers = FD_NONE;
	_closedir_ DIR *d = NULL;
	struct ctr_image_record *images;
	size_t n, n_broken = 0;
	int fd;

	if (!a)
		return err_nomem(err);
	if (disk_open(data_fd, "layers", DISK_FIND, &layers, err) < 0 ||
		list_records(images_fd, a, &images, &n, &n_broken, err) < 0)
		return -1;
	if (layers < 0 || n_broken)
		return 0;
	fd = openat(layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_sys(err, errno, "open", "folder of layers");
	}
	for (struct dirent *e; (e = readdir(d));) {
		size_t len = strspn(e->d_name, "0123456789abcdef");

		if (e->d_name[len] || len < ID_HEX || is_used(images, n, e->d_name))
			continue;
		if (disk_remove(layers, e->d_name, err) < 0)
			return err_in(err, "layer %.12s:", e->d_name);
	}
	return disk_sweep(layers, err);
}

int image_remove(const struct image_store *s, const struct ctr_image_record *r, struct err *err)
{
	_close_ int fd = FD_NONE;

	if (disk_open(s->fd, "images", DISK_FIND, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return not_found(r->id, err);
	/* The names first: a name must not lead to nothing. */
	if (names_change(fd, NULL, NULL, 0, r->id, err) < 0 ||
		disk_remove(fd, digest_hex(r->id), err) < 0 || disk_sweep(fd, err) < 0)
		return -1;
	return remove_layers(s->fd, fd, err);
}
