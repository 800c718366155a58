/* SPDX-License-Identifier: Apache-2.0 */
#include "image/names.h"

#include "base/json.h"
#include "image/disk.h"
#include "model/ref.h"

#include <string.h>
#include <sys/file.h>

enum { NAMES_BYTES_MAX = 16 << 20, NAMES_VERSION = 1 };

#define FILE_NAME "names.json"
#define LOCK_NAME "names.lock"

struct names_doc {
	uint32_t version;
	struct ctr_map_str names;
};

static const struct json_field fields[] = {
	J_ROW_U32(struct names_doc, version, "version", J_REQUIRED),
	J_ROW_MAP(struct names_doc, names, "names"),
	{ 0 },
};

static int broken(struct err *err)
{
	err->code = ERR_INVALID;
	err_in(err, FILE_NAME " of the image store:");
	return err_hint(err,
		"move that file away: images can then be had by their ids, and loading them again names them again");
}

static int check(const struct names_doc *doc, struct err *err)
{
	if (doc->version != NAMES_VERSION)
		return err_set(err, ERR_INVALID, NULL, "it is of version %u, known is %d",
			(unsigned)doc->version, NAMES_VERSION);
	for (size_t i = 0; i < doc->names.n; i++) {
		if (!digest_is_valid(doc->names.items[i].value))
			return err_set(err, ERR_INVALID, doc->names.items[i].key,
				"it doesn't lead to an image's id");
	}
	return 0;
}

int names_load(int images_fd, struct arena *a, struct ctr_map_str *ret, struct err *err)
{
	struct names_doc doc = { 0 };
	const struct json *root;
	_free_ char *text = NULL;
	size_t n;

	*ret = doc.names;
	if (images_fd < 0)
		return 0;
	if (file_read(images_fd, FILE_NAME, NAMES_BYTES_MAX, &text, &n, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return err_in(err, FILE_NAME " of the image store:");
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (json_parse(text, n, NAMES_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, fields, &doc, JSON_UNKNOWN_REFUSE, a, err) < 0 ||
		check(&doc, err) < 0)
		return broken(err);
	*ret = doc.names;
	return 0;
}

static int save(int images_fd, const struct ctr_map_str *names, struct err *err)
{
	struct names_doc doc = { .version = NAMES_VERSION, .names = *names };
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 1 };

	json_w_fields(&w, fields, &doc);
	str_add(&out, "\n");
	if (str_ok(&out, err) < 0)
		return -1;
	if (out.n > NAMES_BYTES_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "the image store has too many names");
	return disk_replace(images_fd, FILE_NAME, out.p, out.n, err);
}

static bool contains(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], name))
			return true;
	}
	return false;
}

int names_change(int images_fd, const char *id, const char *const *names, size_t n,
	const char *gone, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	_close_ int lock = FD_NONE;
	struct ctr_map_str old, new = { 0 };
	bool changed = false;

	if (!a)
		return err_nomem(err);
	if (disk_lock(images_fd, LOCK_NAME, LOCK_EX, &lock, err) < 0 ||
		names_load(images_fd, a, &old, err) < 0)
		return -1;
	new.items = arena_array(a, old.n + n, sizeof(*new.items));
	if (!new.items)
		return err_nomem(err);
	for (size_t i = 0; i < old.n; i++) {
		const struct ctr_pair *p = &old.items[i];
		bool renamed = contains(names, n, p->key);

		changed = changed || (renamed && !str_eq(p->value, id)) || str_eq(p->value, gone);
		if (!renamed && !str_eq(p->value, gone))
			new.items[new.n++] = *p;
	}
	for (size_t i = 0; i < n; i++) {
		if (contains(names, i, names[i]))
			continue;
		changed = changed || !ctr_map_get(&old, names[i]);
		new.items[new.n++] = (struct ctr_pair){ names[i], id };
	}
	return changed ? save(images_fd, &new, err) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int names_of(const struct ctr_map_str *names, const char *id, enum names_kind kind, struct arena *a,
	const char ***ret, size_t *ret_n, struct err *err)
{
	size_t n = 0;
	const char **list;

	for (size_t i = 0; i < names->n; i++)
		n += str_eq(names->items[i].value, id);
	list = arena_array(a, n, sizeof(*list));
	if (!list)
		return err_nomem(err);
	n = 0;
	for (size_t i = 0; i < names->n; i++) {
		const struct ctr_pair *p = &names->items[i];

		if (str_eq(p->value, id) &&
			(strchr(p->key, '@') != NULL) == (kind == NAMES_DIGESTS))
			list[n++] = p->key;
	}
	if (n)
		qsort(list, n, sizeof(*list), by_text);
	*ret = list;
	*ret_n = n;
	return 0;
}
