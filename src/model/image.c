/* SPDX-License-Identifier: Apache-2.0 */
#include "model/image.h"

#include "model/ref.h"

#include <string.h>

/* ---- media types ---- */

static const struct {
	const char *type;
	enum image_media media;
} media_types[] = {
	{ "application/vnd.oci.image.index.v1+json", MEDIA_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", MEDIA_INDEX },
	{ "application/vnd.oci.image.manifest.v1+json", MEDIA_MANIFEST },
	{ "application/vnd.docker.distribution.manifest.v2+json", MEDIA_MANIFEST },
	{ "application/vnd.oci.image.config.v1+json", MEDIA_CONFIG },
	{ "application/vnd.docker.container.image.v1+json", MEDIA_CONFIG },
	{ "application/vnd.oci.image.layer.v1.tar", MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar", MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_FOREIGN },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_FOREIGN },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_FOREIGN },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MEDIA_FOREIGN },
};

enum image_media image_media(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(media_types); i++) {
		if (str_eq(media_types[i].type, type))
			return media_types[i].media;
	}
	return MEDIA_OTHER;
}

/* ---- tables ---- */

static const struct json_field platform_fields[] = {
	J_ROW_STR(struct img_platform, architecture, "architecture", J_REQUIRED),
	J_ROW_STR(struct img_platform, os, "os", J_REQUIRED),
	J_ROW_STR(struct img_platform, variant, "variant", J_EMPTY_IS_NULL),
	{ 0 },
};

static const struct json_field descriptor_fields[] = {
	J_ROW_STR(struct img_descriptor, media_type, "mediaType", J_REQUIRED),
	J_ROW_STR(struct img_descriptor, digest, "digest", J_REQUIRED),
	J_ROW_U64(struct img_descriptor, size, "size", J_REQUIRED),
	J_ROW_LIST(struct img_descriptor, urls, "urls", J_STR, 0, const char **, NULL),
	J_ROW_MAP(struct img_descriptor, annotations, "annotations"),
	J_ROW_OPT(struct img_descriptor, platform, "platform", J_OBJECT, struct img_platform *,
		platform_fields),
	{ 0 },
};

static const struct json_field index_fields[] = {
	J_ROW_U32(struct img_index, schema_version, "schemaVersion", J_REQUIRED),
	J_ROW_STR(struct img_index, media_type, "mediaType", J_EMPTY_IS_NULL),
	J_ROW_LIST(struct img_index, manifests, "manifests", J_OBJECT, J_REQUIRED,
		struct img_descriptor *, descriptor_fields),
	J_ROW_MAP(struct img_index, annotations, "annotations"),
	{ 0 },
};

static const struct json_field manifest_fields[] = {
	J_ROW_U32(struct img_manifest, schema_version, "schemaVersion", J_REQUIRED),
	J_ROW_STR(struct img_manifest, media_type, "mediaType", J_EMPTY_IS_NULL),
	J_ROW_OBJ(struct img_manifest, config, "config", J_REQUIRED, descriptor_fields),
	J_ROW_LIST(struct img_manifest, layers, "layers", J_OBJECT, J_REQUIRED,
		struct img_descriptor *, descriptor_fields),
	J_ROW_MAP(struct img_manifest, annotations, "annotations"),
	{ 0 },
};

/* As the documents have it: volumes are the keys of an object. */
struct run_config {
	struct ctr_image_config c;
	struct ctr_map_obj volumes;
};

struct empty {
	char none;
};
static const struct json_field no_fields[] = { { 0 } };

/* J_ROW_LIST can't look into a member: the same by hand, typed all the same. */
#define RUN_LIST(m, nm)                                                                     \
	{                                                                                   \
		.name = (nm), .kind = J_STR, .flags = J_LIST,                               \
		.off = offsetof(struct run_config, c.m) +                                   \
		       J_CHECK_(struct run_config, c.m, const char **),                     \
		.off_n = offsetof(struct run_config, c.n_##m), .size = sizeof(const char *) \
	}

static const struct json_field run_fields[] = {
	J_ROW_STR(struct run_config, c.user, "User", J_EMPTY_IS_NULL),
	J_ROW_STR(struct run_config, c.working_dir, "WorkingDir", J_EMPTY_IS_NULL),
	J_ROW_STR(struct run_config, c.stop_signal, "StopSignal", J_EMPTY_IS_NULL),
	RUN_LIST(entrypoint, "Entrypoint"),
	RUN_LIST(cmd, "Cmd"),
	RUN_LIST(env, "Env"),
	J_ROW_MAP_OBJ(struct run_config, volumes, "Volumes", struct empty, no_fields),
	J_ROW_MAP(struct run_config, c.labels, "Labels"),
	{ 0 },
};

struct rootfs_doc {
	const char *type, **diff_ids;
	size_t n_diff_ids;
};

static const struct json_field rootfs_fields[] = {
	J_ROW_STR(struct rootfs_doc, type, "type", J_REQUIRED),
	J_ROW_LIST(struct rootfs_doc, diff_ids, "diff_ids", J_STR, J_REQUIRED, const char **, NULL),
	{ 0 },
};

struct config_doc {
	struct img_platform platform;
	const char *created;
	struct run_config config;
	struct rootfs_doc rootfs;
};

static const struct json_field config_fields[] = {
	J_ROW_STR(struct config_doc, platform.architecture, "architecture", J_REQUIRED),
	J_ROW_STR(struct config_doc, platform.os, "os", J_REQUIRED),
	J_ROW_STR(struct config_doc, platform.variant, "variant", J_EMPTY_IS_NULL),
	J_ROW_STR(struct config_doc, created, "created", J_EMPTY_IS_NULL),
	J_ROW_OBJ(struct config_doc, config, "config", 0, run_fields),
	J_ROW_OBJ(struct config_doc, rootfs, "rootfs", J_REQUIRED, rootfs_fields),
	{ 0 },
};

static const struct json_field docker_fields[] = {
	J_ROW_STR(struct img_docker_entry, config, "Config", J_REQUIRED),
	J_ROW_LIST(struct img_docker_entry, repo_tags, "RepoTags", J_STR, 0, const char **, NULL),
	J_ROW_LIST(
		struct img_docker_entry, layers, "Layers", J_STR, J_REQUIRED, const char **, NULL),
	{ 0 },
};

#define S_LIST(m, nm) J_ROW_LIST(struct ctr_image_config, m, nm, J_STR, 0, const char **, NULL)

const struct json_field img_stored_config_fields[] = {
	J_ROW_STR(struct ctr_image_config, user, "user", 0),
	J_ROW_STR(struct ctr_image_config, working_dir, "workingDir", 0),
	J_ROW_STR(struct ctr_image_config, stop_signal, "stopSignal", 0),
	S_LIST(entrypoint, "entrypoint"),
	S_LIST(cmd, "cmd"),
	S_LIST(env, "env"),
	S_LIST(volumes, "volumes"),
	J_ROW_MAP(struct ctr_image_config, labels, "labels"),
	{ 0 },
};

/* ---- checks ---- */

static int check_annotations(const struct ctr_map_str *m, struct err *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < m->n; i++)
		bytes += strlen(m->items[i].key) + strlen(m->items[i].value);
	if (m->n <= IMAGE_ANNOTATIONS_MAX && bytes <= IMAGE_ANNOTATIONS_BYTES)
		return 0;
	err_set(err, ERR_INVALID, NULL, "%zu of %zu bytes: at most %d of %d bytes are taken", m->n,
		bytes, IMAGE_ANNOTATIONS_MAX, IMAGE_ANNOTATIONS_BYTES);
	return err_in(err, "annotations");
}

static int check_descriptor(const struct img_descriptor *d, struct err *err)
{
	if (digest_is_valid(d->digest))
		return check_annotations(&d->annotations, err);
	err_set(err, ERR_INVALID, NULL, "\"%.80s\" isn't a digest (sha256: or sha512:)", d->digest);
	return err_in(err, "digest");
}

static int check_count(const char *what, size_t n, size_t max, struct err *err)
{
	if (n <= max)
		return 0;
	err_set(err, ERR_INVALID, NULL, "%zu of them: at most %zu are taken", n, max);
	return err_in(err, "%s", what);
}

/* One document, one reading: what could be taken for either is taken for neither. */
static int check_kind(const struct json *root, enum image_media media, struct err *err)
{
	const bool index = root->type == JSON_OBJECT && json_get(root, "manifests");
	const bool manifest =
		root->type == JSON_OBJECT && (json_get(root, "layers") || json_get(root, "config"));

	if (index && manifest)
		return err_set(err, ERR_INVALID, NULL,
			"it can be read as an index and as a manifest: it has both \"manifests\" and \"layers\" or \"config\"");
	if (root->type == JSON_OBJECT && json_get(root, "fsLayers"))
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"it is a manifest of schema 1, which isn't in use any more");
	if (media == MEDIA_INDEX ? manifest : index)
		return err_set(err, ERR_INVALID, NULL, "it is %s, but should be %s",
			index ? "an index" : "a manifest",
			media == MEDIA_INDEX ? "an index" : "a manifest");
	return 0;
}

static int check_head(uint32_t version, const char *type, enum image_media media,
	const struct img_descriptor *like, struct err *err)
{
	if (version != 2)
		return err_set(err, ERR_UNSUPPORTED, NULL, "schemaVersion is %u, known is 2",
			(unsigned)version);
	if (!type)
		return 0;
	if (like ? !str_eq(type, like->media_type) : image_media(type) != media)
		return err_set(err, ERR_INVALID, NULL,
			"mediaType: it calls itself \"%.100s\", but is referred to as \"%.100s\"",
			type, like ? like->media_type : "an index");
	return 0;
}

/* ---- documents ---- */

int img_read_layout(const char *text, size_t n, struct arena *a, struct err *err)
{
	const struct json *root, *v;

	if (json_parse(text, n, IMAGE_DOC_BYTES_MAX, a, &root, err) < 0)
		return -1;
	v = root->type == JSON_OBJECT ? json_get(root, "imageLayoutVersion") : NULL;
	if (!v || v->type != JSON_STRING)
		return err_set(err, ERR_INVALID, NULL, "there is no imageLayoutVersion in it");
	if (!str_starts(v->text, "1."))
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"imageLayoutVersion is \"%.40s\", known is 1.0.0", v->text);
	return 0;
}

int img_read_index(const char *text, size_t n, const struct img_descriptor *like, struct arena *a,
	struct img_index *ret, struct err *err)
{
	const struct json *root;
	struct img_index doc = { 0 };

	if (json_parse(text, n, IMAGE_DOC_BYTES_MAX, a, &root, err) < 0 ||
		check_kind(root, MEDIA_INDEX, err) < 0 ||
		json_bind(root, index_fields, &doc, JSON_UNKNOWN_IGNORE, a, err) < 0 ||
		check_head(doc.schema_version, doc.media_type, MEDIA_INDEX, like, err) < 0 ||
		check_annotations(&doc.annotations, err) < 0 ||
		check_count("manifests", doc.n_manifests, IMAGE_MANIFESTS_MAX, err) < 0)
		return -1;
	for (size_t i = 0; i < doc.n_manifests; i++) {
		if (check_descriptor(&doc.manifests[i], err) < 0)
			return err_in(err, "manifests[%zu]", i);
	}
	*ret = doc;
	return 0;
}

static int check_layer(const struct img_descriptor *d, struct err *err)
{
	enum image_media media = image_media(d->media_type);

	if (check_descriptor(d, err) < 0)
		return -1;
	if (media == MEDIA_FOREIGN || d->n_urls)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"a layer that is kept elsewhere (%s) isn't fetched from there",
			media == MEDIA_FOREIGN ? "by its media type" : "it has urls");
	if (media != MEDIA_LAYER)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"mediaType \"%.100s\" isn't one of a layer that is known here",
			d->media_type);
	return 0;
}

int img_read_manifest(const char *text, size_t n, const struct img_descriptor *like,
	struct arena *a, struct img_manifest *ret, struct err *err)
{
	const struct json *root;
	struct img_manifest doc = { 0 };

	if (json_parse(text, n, IMAGE_DOC_BYTES_MAX, a, &root, err) < 0 ||
		check_kind(root, MEDIA_MANIFEST, err) < 0 ||
		json_bind(root, manifest_fields, &doc, JSON_UNKNOWN_IGNORE, a, err) < 0 ||
		check_head(doc.schema_version, doc.media_type, MEDIA_MANIFEST, like, err) < 0 ||
		check_annotations(&doc.annotations, err) < 0 ||
		check_count("layers", doc.n_layers, IMAGE_LAYERS_MAX, err) < 0)
		return -1;
	if (check_descriptor(&doc.config, err) < 0)
		return err_in(err, "config");
	if (image_media(doc.config.media_type) != MEDIA_CONFIG) {
		err_set(err, ERR_UNSUPPORTED, NULL,
			"mediaType \"%.100s\" isn't one of an image: it is another artifact",
			doc.config.media_type);
		return err_in(err, "config");
	}
	for (size_t i = 0; i < doc.n_layers; i++) {
		if (check_layer(&doc.layers[i], err) < 0)
			return err_in(err, "layers[%zu]", i);
	}
	*ret = doc;
	return 0;
}

int img_read_config(
	const char *text, size_t n, struct arena *a, struct img_config *ret, struct err *err)
{
	const struct json *root;
	struct config_doc doc = { 0 };

	if (json_parse(text, n, IMAGE_CONFIG_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, config_fields, &doc, JSON_UNKNOWN_IGNORE, a, err) < 0)
		return -1;
	if (!str_eq(doc.rootfs.type, "layers")) {
		err_set(err, ERR_INVALID, NULL, "\"%.40s\": known is \"layers\"", doc.rootfs.type);
		return err_in(err, "rootfs.type");
	}
	if (check_count("rootfs.diff_ids", doc.rootfs.n_diff_ids, IMAGE_LAYERS_MAX, err) < 0)
		return -1;
	for (size_t i = 0; i < doc.rootfs.n_diff_ids; i++) {
		if (digest_is_valid(doc.rootfs.diff_ids[i]))
			continue;
		err_set(err, ERR_INVALID, NULL, "\"%.80s\" isn't a digest (sha256: or sha512:)",
			doc.rootfs.diff_ids[i]);
		return err_in(err, "rootfs.diff_ids[%zu]", i);
	}
	doc.config.c.volumes = doc.config.volumes.keys;
	doc.config.c.n_volumes = doc.config.volumes.n;
	*ret = (struct img_config){ .platform = doc.platform,
		.created = doc.created,
		.config = doc.config.c,
		.diff_ids = doc.rootfs.diff_ids,
		.n_diff_ids = doc.rootfs.n_diff_ids };
	return 0;
}

int img_read_docker(const char *text, size_t n, struct arena *a, struct img_docker_entry **ret,
	size_t *ret_n, struct err *err)
{
	struct img_docker_entry *list;
	const struct json *root;
	size_t i = 0;

	if (json_parse(text, n, IMAGE_DOC_BYTES_MAX, a, &root, err) < 0)
		return -1;
	if (root->type != JSON_ARRAY)
		return err_set(err, ERR_INVALID, NULL, "expected an array");
	if (check_count("images", root->n, IMAGE_MANIFESTS_MAX, err) < 0)
		return -1;
	list = arena_array(a, root->n, sizeof(*list));
	if (!list)
		return err_nomem(err);
	json_for_each (it, root) {
		if (json_bind(it, docker_fields, &list[i], JSON_UNKNOWN_IGNORE, a, err) < 0 ||
			check_count("Layers", list[i].n_layers, IMAGE_LAYERS_MAX, err) < 0 ||
			check_count("RepoTags", list[i].n_repo_tags, IMAGE_NAMES_MAX, err) < 0)
			return err_in(err, "[%zu]", i);
		i++;
	}
	*ret = list;
	*ret_n = i;
	return 0;
}

/* ---- platforms ---- */

const char *img_host_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
	return NULL;
#endif
}

int img_platform_fits(const struct img_platform *p)
{
	return str_eq(p->os, "linux") && str_eq(p->architecture, img_host_architecture());
}
