/* SPDX-License-Identifier: Apache-2.0 */
#include "model/image.h"

#include <criterion/criterion.h>
#include <string.h>

#define D          "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MT         "application/vnd.oci.image."
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"" D "\",\"size\":1}"
#define CONF       DESC(MT "config.v1+json")
#define LAYER      DESC(MT "layer.v1.tar+gzip")

static struct arena *arena;
static struct err err;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(image, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

struct row {
	const char *text, *why; /* NULL: it is good */
};

static void check(const struct row *r, int result)
{
	cr_expect_eq(result, r->why ? -1 : 0, "%s: %s", r->text, result < 0 ? said() : "taken");
	if (r->why && result < 0)
		cr_expect(strstr(said(), r->why), "%s: %s", r->text, said());
	err = (struct err)ERR_INIT;
}

Test(image, an_index_is_read_or_refused)
{
	static const struct row rows[] = {
		{ "{\"schemaVersion\":2,\"manifests\":[]}", NULL },
		{ "{\"schemaVersion\":2,\"manifests\":[" DESC("x") "],\"mediaType\":\"\"}", NULL },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"" MT "index.v1+json\"}",
			NULL },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"x\"}", "calls itself" },
		{ "{\"schemaVersion\":1,\"manifests\":[]}", "schemaVersion is 1" },
		{ "{\"schemaVersion\":2}", "manifests" },
		{ "{\"manifests\":[]}", "schemaVersion" },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"config\":null}", "as an index and as" },
		{ "{\"schemaVersion\":2,\"layers\":[]}", "it is a manifest, but should be" },
		{ "[]", "expected an object" },
		{ "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"size\":1,\"digest\":\"sha256:x\"}]}",
			"manifests[0].digest" },
		{ "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"digest\":\"" D
		  "\"}]}",
			"manifests[0].size" },
		{ "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\",\"size\":-1,\"digest\":\"" D
		  "\"}]}",
			"manifests[0].size" },
	};
	struct img_index doc;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], img_read_index(rows[i].text, strlen(rows[i].text), NULL, arena,
					&doc, &err));
}

Test(image, a_manifest_is_read_or_refused)
{
	static const struct row rows[] = {
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[" LAYER "]}", NULL },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" MT "manifest.v1+json\",\"config\":" CONF
		  ",\"layers\":[]}",
			NULL },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" MT "index.v1+json\",\"config\":" CONF
		  ",\"layers\":[]}",
			"calls itself" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[],\"manifests\":[]}",
			"as an index and as" },
		{ "{\"schemaVersion\":2,\"manifests\":[]}", "it is an index, but should be" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
		{ "{\"schemaVersion\":2,\"config\":" LAYER ",\"layers\":[]}", "another artifact" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[" CONF "]}", "layers[0]" },
		{ "{\"schemaVersion\":2,\"config\":" CONF
		  ",\"layers\":[" DESC(MT "layer.nondistributable.v1.tar") "]}",
			"kept elsewhere (by its media type)" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[{\"mediaType\":\"" MT
		  "layer.v1.tar\",\"size\":1,\"digest\":\"" D "\",\"urls\":[\"u\"]}]}",
			"kept elsewhere (it has urls)" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":{}}", "layers" },
	};
	const struct img_descriptor like = { .media_type = MT "manifest.v1+json", .digest = D };
	struct img_manifest doc;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], img_read_manifest(rows[i].text, strlen(rows[i].text), &like, arena,
					&doc, &err));
}

Test(image, a_config_is_read_or_refused)
{
#define HEAD "{\"architecture\":\"amd64\",\"os\":\"linux\","
#define FS   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\"]}"
	static const struct row rows[] = {
		{ HEAD FS "}", NULL },
		{ HEAD "\"config\":null," FS "}", NULL },
		{ HEAD "\"config\":{\"Cmd\":null,\"Volumes\":null,\"Labels\":null}," FS "}", NULL },
		{ HEAD "\"config\":{\"Cmd\":\"sh\"}," FS "}", "config.Cmd" },
		{ HEAD "\"config\":{\"Env\":[1]}," FS "}", "config.Env[0]" },
		{ HEAD "\"config\":{\"Volumes\":{\"/a\":1}}," FS "}", "config.Volumes" },
		{ HEAD "\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}", "rootfs.type" },
		{ HEAD "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}",
			"rootfs.diff_ids[0]" },
		{ HEAD "\"rootfs\":{\"type\":\"layers\"}}", "diff_ids" },
		{ "{\"os\":\"linux\"," FS "}", "architecture" },
		{ "{}", "missing" },
	};
	struct img_config doc;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i],
			img_read_config(rows[i].text, strlen(rows[i].text), arena, &doc, &err));
}

Test(image, what_a_config_says_arrives)
{
	static const char text[] = HEAD
		"\"variant\":\"v1\",\"created\":\"c\",\"config\":{\"User\":\"\",\"WorkingDir\":\"/w\","
		"\"Entrypoint\":[\"/e\",\"x\"],\"Cmd\":[\"c\"],\"Env\":[\"A=b\"],\"Volumes\":{\"/v\":{},\"/w\":{}},"
		"\"Labels\":{\"k\":\"l\"},\"StopSignal\":\"SIGINT\",\"Healthcheck\":{}}," FS "}";
	struct img_config c;

	cr_assert_eq(img_read_config(text, strlen(text), arena, &c, &err), 0, "%s", said());
	cr_assert_null(c.config.user, "empty is the same as absent");
	cr_assert_str_eq(c.config.working_dir, "/w");
	cr_assert_str_eq(c.config.entrypoint[1], "x");
	cr_assert_eq(c.config.n_volumes, 2);
	cr_assert_str_eq(c.config.volumes[1], "/w");
	cr_assert_str_eq(ctr_map_get(&c.config.labels, "k"), "l");
	cr_assert_str_eq(c.config.stop_signal, "SIGINT");
	cr_assert_str_eq(c.platform.variant, "v1");
	cr_assert_eq(c.n_diff_ids, 1);
}

Test(image, what_docker_lists_is_read_or_refused)
{
	static const struct row rows[] = {
		{ "[]", NULL },
		{ "[{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":[]}]", NULL },
		{ "{}", "expected an array" },
		{ "[1]", "[0]" },
		{ "[{\"Config\":\"c\"}]", "Layers" },
		{ "[{\"Layers\":[]}]", "Config" },
		{ "[", "" },
	};
	struct img_docker_entry *list;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], img_read_docker(rows[i].text, strlen(rows[i].text), arena, &list,
					&n, &err));
}

Test(image, a_layout_says_its_version)
{
	static const struct row rows[] = {
		{ "{\"imageLayoutVersion\":\"1.0.0\"}", NULL },
		{ "{\"imageLayoutVersion\":\"1.1\"}", NULL },
		{ "{\"imageLayoutVersion\":\"2\"}", "known is 1.0.0" },
		{ "{\"imageLayoutVersion\":1}", "no imageLayoutVersion" },
		{ "{}", "no imageLayoutVersion" },
		{ "[]", "no imageLayoutVersion" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(&rows[i], img_read_layout(rows[i].text, strlen(rows[i].text), arena, &err));
}

Test(image, annotations_and_numbers_of_things_are_bounded)
{
	_str_ struct str many = { 0 }, big = { 0 }, layers = { 0 };
	struct img_index index;
	struct img_manifest manifest;

	str_add(&many, "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{");
	for (int i = 0; i <= IMAGE_ANNOTATIONS_MAX; i++)
		str_printf(&many, "%s\"%d\":\"\"", i ? "," : "", i);
	str_add(&many, "}}");
	cr_assert_eq(img_read_index(many.p, many.n, NULL, arena, &index, &err), -1);
	cr_assert(strstr(said(), "annotations: 257 of"), "%s", said());
	str_add(&big, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i <= IMAGE_MANIFESTS_MAX; i++)
		str_printf(&big, "%s" DESC("x"), i ? "," : "");
	str_add(&big, "]}");
	cr_assert_eq(img_read_index(big.p, big.n, NULL, arena, &index, &err), -1);
	cr_assert(strstr(said(), "manifests: 1025 of them"), "%s", said());
	str_add(&layers, "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[");
	for (int i = 0; i <= IMAGE_LAYERS_MAX; i++)
		str_printf(&layers, "%s" LAYER, i ? "," : "");
	str_add(&layers, "]}");
	cr_assert_eq(img_read_manifest(layers.p, layers.n, NULL, arena, &manifest, &err), -1);
	cr_assert(strstr(said(), "layers: 129 of them"), "%s", said());
}

Test(image, media_types_are_known_by_their_whole_name)
{
	cr_assert_eq(image_media(MT "index.v1+json"), MEDIA_INDEX);
	cr_assert_eq(image_media("application/vnd.docker.distribution.manifest.v2+json"),
		MEDIA_MANIFEST);
	cr_assert_eq(image_media(MT "layer.v1.tar+zstd"), MEDIA_LAYER);
	cr_assert_eq(image_media(MT "layer.v1.tar+xz"), MEDIA_OTHER);
	cr_assert_eq(image_media(""), MEDIA_OTHER);
}

Test(image, this_host_runs_its_own_architecture)
{
	struct img_platform p = { .os = "linux", .architecture = img_host_architecture() };

	cr_assert_eq(img_platform_fits(&p), 1);
	p.os = "windows";
	cr_assert_eq(img_platform_fits(&p), 0);
	p = (struct img_platform){ .os = "linux", .architecture = "s390x" };
	cr_assert_eq(img_platform_fits(&p), 0);
}
