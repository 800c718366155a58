/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of images as field tables: OCI image-spec 1.1 (image-layout.md, image-index.md,
 * manifest.md, descriptor.md, config.md), and manifest.json of archives that "docker save" writes.
 * What comes out of here is checked: digests have their form, media types are what the document
 * is, numbers of things are bounded.
 */
#ifndef MODEL_IMAGE_H
#define MODEL_IMAGE_H

#include "base/arena.h"
#include "base/json.h"
#include "ctrctl/image.h"

enum {
	IMAGE_DOC_BYTES_MAX = 4 << 20,    /* index, manifest, manifest.json, oci-layout */
	IMAGE_CONFIG_BYTES_MAX = 8 << 20, /* config */
	IMAGE_LAYERS_MAX = 128,
	IMAGE_MANIFESTS_MAX = 1024, /* of one index, or of one archive */
	IMAGE_NAMES_MAX = 1024,     /* RepoTags of one image */
	IMAGE_ANNOTATIONS_MAX = 256,
	IMAGE_ANNOTATIONS_BYTES = 64 << 10,
};

enum image_media {
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_LAYER,   /* plain, gzip or zstd: told by what it is */
	MEDIA_FOREIGN, /* a layer that is only to be had elsewhere */
	MEDIA_OTHER,
};
enum image_media image_media(const char *type);

struct img_platform {
	const char *architecture, *os, *variant;
};

struct img_descriptor {
	const char *media_type, *digest;
	uint64_t size;
	const char **urls;
	size_t n_urls;
	struct ctr_map_str annotations;
	struct img_platform *platform; /* NULL: doesn't say */
};

struct img_index {
	uint32_t schema_version;
	const char *media_type; /* NULL: doesn't say */
	struct img_descriptor *manifests;
	size_t n_manifests;
	struct ctr_map_str annotations;
};

struct img_manifest {
	uint32_t schema_version;
	const char *media_type;
	struct img_descriptor config, *layers;
	size_t n_layers;
	struct ctr_map_str annotations;
};

/* The image's config (OCI config.md; docker's is the same and more). */
struct img_config {
	struct img_platform platform;
	const char *created;
	struct ctr_image_config config;
	const char **diff_ids;
	size_t n_diff_ids;
};

struct img_docker_entry {
	const char *config, **repo_tags, **layers;
	size_t n_repo_tags, n_layers;
};

/* `like`: the descriptor that leads to the document, NULL for index.json itself. All results live
 * in the arena. ERR_INVALID names the place, ERR_UNSUPPORTED what can't be loaded. */
int img_read_layout(const char *text, size_t n, struct arena *, struct err *) _must_check_;
int img_read_index(const char *text, size_t n, const struct img_descriptor *like, struct arena *,
	struct img_index *ret, struct err *) _must_check_;
int img_read_manifest(const char *text, size_t n, const struct img_descriptor *like, struct arena *,
	struct img_manifest *ret, struct err *) _must_check_;
int img_read_config(const char *text, size_t n, struct arena *, struct img_config *ret,
	struct err *) _must_check_;
int img_read_docker(const char *text, size_t n, struct arena *, struct img_docker_entry **ret,
	size_t *ret_n, struct err *) _must_check_;

/* This machine: "amd64", "arm64"; NULL: unknown here. */
const char *img_host_architecture(void);
/* 1 when this host runs it (its architecture and os), else 0. */
int img_platform_fits(const struct img_platform *);

/* Rows of a stored record: config as ctr_image_config. */
extern const struct json_field img_stored_config_fields[];

#endif
