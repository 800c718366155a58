/* SPDX-License-Identifier: Apache-2.0 */
#include "image/record.h"

#include "base/json.h"
#include "model/image.h"
#include "model/ref.h"

#include <string.h>

struct stored_image {
	uint32_t version;
	struct ctr_image_record r;
};

#define R_STR(m, nm, fl) J_ROW_STR(struct stored_image, r.m, nm, fl)

static const struct json_field image_fields[] = {
	J_ROW_U32(struct stored_image, version, "version", J_REQUIRED),
	R_STR(id, "id", J_REQUIRED),
	R_STR(manifest, "manifest", 0),
	R_STR(architecture, "architecture", J_REQUIRED),
	R_STR(os, "os", J_REQUIRED),
	R_STR(variant, "variant", 0),
	/* J_ROW_LIST can't look into a member */
	{ .name = "layers",
		.kind = J_STR,
		.flags = J_LIST,
		.off = offsetof(struct stored_image, r.layers) +
		       J_CHECK_(struct stored_image, r.layers, const char **),
		.off_n = offsetof(struct stored_image, r.n_layers),
		.size = sizeof(const char *) },
	J_ROW_U64(struct stored_image, r.size, "size", 0),
	R_STR(created, "created", 0),
	R_STR(loaded, "loaded", 0),
	J_ROW_OBJ(struct stored_image, r.config, "config", 0, img_stored_config_fields),
	{ 0 },
};

struct stored_layer {
	uint32_t version;
	struct layer_record r;
};

static const struct json_field layer_fields[] = {
	J_ROW_U32(struct stored_layer, version, "version", J_REQUIRED),
	J_ROW_STR(struct stored_layer, r.diff_id, "diffId", J_REQUIRED),
	J_ROW_U64(struct stored_layer, r.size, "size", 0),
	{ 0 },
};

const char *digest_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

void image_record_write(const struct ctr_image_record *r, struct str *out)
{
	struct stored_image s = { .version = IMAGE_RECORD_VERSION, .r = *r };

	json_write(image_fields, &s, out);
}

static int check_version(uint32_t version, struct err *err)
{
	if (version == IMAGE_RECORD_VERSION)
		return 0;
	return err_set(err, ERR_INVALID, NULL, "it is a record of version %u, known is %d",
		(unsigned)version, IMAGE_RECORD_VERSION);
}

int image_record_read(
	const char *text, size_t n, struct arena *a, struct ctr_image_record *ret, struct err *err)
{
	struct stored_image s = { 0 };
	const struct json *root;

	if (json_parse(text, n, IMAGE_RECORD_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, image_fields, &s, JSON_UNKNOWN_REFUSE, a, err) < 0 ||
		check_version(s.version, err) < 0)
		return -1;
	if (!str_starts(s.r.id, "sha256:") || !digest_is_valid(s.r.id))
		return err_set(err, ERR_INVALID, "id", "it isn't an image's");
	for (size_t i = 0; i < s.r.n_layers; i++) {
		if (!digest_is_valid(s.r.layers[i]))
			return err_set(err, ERR_INVALID, "layers", "one of them isn't a digest");
	}
	*ret = s.r;
	return 0;
}

void layer_record_write(const struct layer_record *r, struct str *out)
{
	struct stored_layer s = { .version = IMAGE_RECORD_VERSION, .r = *r };

	json_write(layer_fields, &s, out);
}

int layer_record_read(
	const char *text, size_t n, struct arena *a, struct layer_record *ret, struct err *err)
{
	struct stored_layer s = { 0 };
	const struct json *root;

	if (json_parse(text, n, IMAGE_RECORD_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, layer_fields, &s, JSON_UNKNOWN_REFUSE, a, err) < 0 ||
		check_version(s.version, err) < 0)
		return -1;
	*ret = s.r;
	return 0;
}
