/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"
#include "flow/flow.h"
#include "flow/select.h"
#include "model/settings.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
	err = (struct err)ERR_INIT;
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(select, .init = set_up, .fini = tear_down);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static struct settings settings(const char *text)
{
	struct settings s = { 0 };

	cr_assert_eq(settings_parse(text, strlen(text), arena, &s, &err), 0, "%s", said());
	return s;
}

static struct route route(const struct settings *s, const struct select_input *in)
{
	struct route r = { 0 };

	cr_assert_eq(select_route(s, in, arena, &r, &err), 0, "%s", said());
	return r;
}

static void refused(const struct settings *s, const struct select_input *in, const char *want)
{
	struct route r;

	err = (struct err)ERR_INIT;
	cr_assert_eq(select_route(s, in, arena, &r, &err), -1, "accepted: %s", want);
	cr_expect_eq(err.code, ERR_INVALID);
	cr_expect_str_eq(said(), want);
}

/* The table of docs/runtime-selection.md: a reference, and where it goes when a user wrote it and
 * when an engine did. */
Test(select, routes_by_the_images_name)
{
	static const struct {
		const char *image;
		bool user, engine; /* goes to Proxmox */
	} rows[] = {
		{ "busybox", false, false },
		{ "lxc/debian", true, true },
		{ "lxc/debian:12", true, true },
		{ "lxc/debian@sha256:" HEX64, true, true },
		{ "lxc/team/debian", true, true },
		{ "lxc", false, false },
		{ "lxcfs/x", false, false },
		{ "db-pg", true, true },
		{ "db-pg:17", true, true },
		{ "db-pg/main", true, true },
		{ "vm-win11", true, true },
		{ "vmx", false, false },
		{ "dbx/db-1", false, false },
		{ "library/db-pg", false, false },
		{ "docker.io/lxc/debian:latest", false, true },
		{ "docker.io/library/db-pg:latest", false, true },
		{ "docker.io/dbx/db-1", false, false },
		{ "localhost/vm-x", false, true },
		{ "localhost/lxc/debian", false, true },
		{ "localhost:5000/lxc/debian", false, false },
		{ "registry.example.net/lxc/debian", false, false },
		{ "registry.example.net/db-pg", false, false },
		{ "lxc:5000/debian", false, false }, /* a host with a port */
		{ HEX64, false, false },
		{ "sha256:" HEX64, false, false },
	};
	const struct settings s = settings("{}");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct select_input in = { .image = rows[i].image };

		cr_expect_str_eq(route(&s, &in).backend, rows[i].user ? "proxmox" : "native", "%s",
			rows[i].image);
		in.from_engine = true;
		cr_expect_str_eq(route(&s, &in).backend, rows[i].engine ? "proxmox" : "native",
			"%s by an engine", rows[i].image);
	}
}

Test(select, says_why)
{
	const struct settings s = settings(
		"{\"routing\":{\"routes\":[{\"image\":\"r.example/**\",\"backend\":\"proxmox\"}]}}");

	cr_expect_str_eq(route(&s, &(struct select_input){ .image = "lxc/debian:12" }).reason,
		"image lxc/debian matches \"lxc/**\", rule 2 of the routing table");
	cr_expect_str_eq(route(&s, &(struct select_input){ .image = "r.example/x" }).reason,
		"image r.example/x matches \"r.example/**\", rule 1 of the routing table");
	cr_expect_str_eq(route(&s, &(struct select_input){ .image = "docker.io/busybox" }).reason,
		"image docker.io/busybox matches no rule of the routing table");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "docker.io/lxc/x", .from_engine = true })
			.reason,
		"image lxc/x matches \"lxc/**\", rule 2 of the routing table");
	cr_expect_str_eq(route(&s, &(struct select_input){ .image = HEX64 }).reason,
		"the image is given by its id, and only native ones have one");
	cr_expect_str_eq(route(&s, &(struct select_input){ 0 }).reason, "there is no image's name");
	cr_expect_str_eq(route(&s, &(struct select_input){ .flag = "proxmox" }).reason,
		"--backend asks for it");
	cr_expect_str_eq(route(&s, &(struct select_input){ .handler = "native" }).reason,
		"the sandbox's runtime handler is \"native\"");
}

Test(select, what_the_user_wrote_counts_more_than_the_image)
{
	const struct settings s = settings("{}");

	cr_expect_str_eq(route(&s, &(struct select_input){ .image = "sha256:" HEX64,
					   .user_image = "lxc/debian" })
				 .backend,
		"proxmox");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/debian", .user_image = "busybox" })
			.backend,
		"native");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/debian", .user_image = "" })
			.backend,
		"proxmox");
}

Test(select, the_first_rule_that_matches_decides)
{
	const struct settings s = settings(
		"{\"routing\":{\"routes\":[{\"image\":\"lxc/test-*\",\"backend\":\"native\"},"
		"{\"image\":\"lxc/test-1\",\"backend\":\"proxmox\"}]}}");
	const struct settings none = settings("{\"routing\":{\"replaceDefaults\":true}}");

	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/test-1" }).backend, "native");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/other" }).backend, "proxmox");
	cr_expect_str_eq(
		route(&none, &(struct select_input){ .image = "lxc/other" }).backend, "native");
}

Test(select, an_explicit_wish_comes_before_the_table)
{
	const struct settings s =
		settings("{\"routing\":{\"runtimeHandlers\":{\"pve\":\"proxmox\"}}}");

	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/x", .flag = "native" }).backend,
		"native");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "busybox", .handler = "pve" }).backend,
		"proxmox");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/x", .handler = "native" }).backend,
		"native");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/x", .handler = "" }).backend,
		"proxmox");
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .flag = "proxmox", .handler = "pve" }).backend,
		"proxmox");
	/* Even when the image's name can't be one. */
	cr_expect_str_eq(
		route(&s, &(struct select_input){ .image = "lxc/", .flag = "native" }).backend,
		"native");
}

Test(select, wishes_must_agree_and_exist)
{
	const struct settings s = settings("{}");

	refused(&s, &(struct select_input){ .flag = "native", .handler = "proxmox" },
		"--backend asks for native, the sandbox's runtime handler \"proxmox\" for proxmox");
	refused(&s, &(struct select_input){ .flag = "kvm" },
		"--backend: kvm: there is no such backend");
	refused(&s, &(struct select_input){ .flag = "" }, "--backend: there is no such backend");
	refused(&s, &(struct select_input){ .handler = "kata" },
		"kata: there is no such runtime handler");
}

Test(select, an_annotation_counts_only_where_it_is_allowed)
{
	static struct ctr_pair wish[] = { { "org.ctrctl.backend", "native" } },
			       odd[] = { { "org.ctrctl.backend", "kvm" } };
	static const struct ctr_map_str annotations = { wish, 1 }, bad = { odd, 1 };
	const struct settings off = settings("{}"),
			      on = settings("{\"routing\":{\"allowAnnotation\":true}}");
	const struct select_input own = { .image = "lxc/x", .annotations = &annotations },
				  pods = { .image = "lxc/x", .pod_annotations = &annotations };
	struct route r = route(&off, &own);

	cr_expect_str_eq(r.backend, "proxmox");
	cr_expect_str_eq(r.reason,
		"image lxc/x matches \"lxc/**\", rule 1 of the routing table; the annotation "
		"org.ctrctl.backend has no effect, for the configuration doesn't allow it");
	cr_expect_str_eq(route(&off, &pods).backend, "proxmox");
	r = route(&on, &own);
	cr_expect_str_eq(r.backend, "native");
	cr_expect_str_eq(r.reason, "the annotation org.ctrctl.backend asks for it");
	cr_expect_str_eq(route(&on, &pods).backend, "native");
	/* The flag and the handler stand above it. */
	cr_expect_str_eq(
		route(&on, &(struct select_input){ .annotations = &annotations, .flag = "proxmox" })
			.backend,
		"proxmox");
	cr_expect_str_eq(route(&on, &(struct select_input){ .annotations = &annotations,
					    .handler = "proxmox" })
				 .backend,
		"proxmox");
	refused(&on, &(struct select_input){ .annotations = &bad },
		"annotations[\"org.ctrctl.backend\"]: kvm: there is no such backend");
	cr_expect_str_eq(
		route(&off, &(struct select_input){ .annotations = &bad }).backend, "native");
}

Test(select, the_containers_annotation_goes_over_the_pods)
{
	static struct ctr_pair a[] = { { "org.ctrctl.backend", "native" } },
			       b[] = { { "org.ctrctl.backend", "proxmox" } };
	static const struct ctr_map_str own = { a, 1 }, pods = { b, 1 };
	const struct settings on = settings("{\"routing\":{\"allowAnnotation\":true}}");

	cr_expect_str_eq(
		route(&on, &(struct select_input){ .annotations = &own, .pod_annotations = &pods })
			.backend,
		"native");
}

Test(select, refuses_a_name_that_cant_be)
{
	const struct settings s = settings("{}");

	refused(&s, &(struct select_input){ .image = "lxc/" }, "lxc/: a part of the name is empty");
	refused(&s, &(struct select_input){ .image = "lxc/", .place = "config.image" },
		"config.image: lxc/: a part of the name is empty");
	refused(&s, &(struct select_input){ .image = "db-" },
		"db-: \"db-\" can't be part of an image's name");
	refused(&s, &(struct select_input){ .image = "vm-:1" },
		"vm-:1: \"vm-\" can't be part of an image's name");
	refused(&s, &(struct select_input){ .image = "LXC/debian" },
		"LXC/debian: the name of an image has lower-case letters only");
}

/* ---- bundles, and backends that are there ---- */

static struct ctr_backend native, proxmox;
static const struct ctr_backend *const one[] = { &native, NULL }, *const both[] = { &native,
	&proxmox, NULL };
static struct ctr_engine *engine;

static void open_engine(const struct ctr_backend *const *backends, const char *settings_path)
{
	native = fake_backend;
	native.name = "native";
	proxmox = fake_backend;
	proxmox.name = "proxmox";
	engine = ctr_engine_open(
		&(struct ctr_engine_options){
			.root = "/nonexistent", .settings = settings_path, .backends = backends },
		&err);
	cr_assert(engine);
}

static void close_engine(void)
{
	ctr_engine_close(engine);
	tear_down();
}

TestSuite(select_bundle, .init = set_up, .fini = close_engine);

static int bundle(const char *flag, struct ctr_pair *pairs, size_t n, struct route *ret)
{
	const struct ctr_map_str annotations = { pairs, n };

	err = (struct err)ERR_INIT;
	return select_bundle(engine, &(struct ctr_create){ .id = "x", .backend = flag },
		&annotations, arena, ret, &err);
}

#define PAIRS(...) \
	(struct ctr_pair[]){ __VA_ARGS__ }, ARRAY_SIZE(((struct ctr_pair[]){ __VA_ARGS__ }))

Test(select_bundle, a_plain_bundle_reads_no_settings)
{
	struct route r;

	/* Would fail if it were read. */
	open_engine(one, "/nonexistent");
	cr_assert_eq(bundle(NULL, NULL, 0, &r), 0, "%s", said());
	cr_expect_str_eq(r.backend, "native");
	cr_expect_null(r.reason);
	cr_expect_str_eq(select_line(&r, arena), "");
	cr_assert_eq(bundle(NULL, PAIRS({ "org.example", "lxc/x" }), &r), 0, "%s", said());
	cr_expect_null(r.reason);
	cr_assert_eq(bundle(NULL,
			     PAIRS({ "io.kubernetes.cri.container-type", "sandbox" },
				     { "io.kubernetes.cri.image-name", "lxc/x" }),
			     &r),
		0, "%s", said());
	cr_expect_str_eq(r.backend, "native");
	cr_assert_eq(bundle(NULL, PAIRS({ "io.kubernetes.cri.image-name", "lxc/x" }), &r), -1);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
}

Test(select_bundle, goes_by_the_annotations_of_engines)
{
	struct route r;

	open_engine(both, NULL);
	cr_assert_eq(bundle(NULL,
			     PAIRS({ "io.kubernetes.cri.container-type", "container" },
				     { "io.kubernetes.cri.image-name", "docker.io/lxc/x:latest" }),
			     &r),
		0, "%s", said());
	cr_expect_str_eq(r.backend, "proxmox");
	cr_expect_str_eq(select_line(&r, arena),
		"backend proxmox: image lxc/x matches \"lxc/**\", rule 1 of the routing table\n");
	cr_assert_eq(bundle(NULL,
			     PAIRS({ "io.kubernetes.cri-o.ContainerType", "container" },
				     { "io.kubernetes.cri-o.ImageName", "localhost/vm-x:1" }),
			     &r),
		0, "%s", said());
	cr_expect_str_eq(r.backend, "proxmox");
	/* containerd's stands above CRI-O's, an empty one counts as none. */
	cr_assert_eq(bundle(NULL,
			     PAIRS({ "io.kubernetes.cri-o.ImageName", "db-x" },
				     { "io.kubernetes.cri.image-name", "busybox" }),
			     &r),
		0, "%s", said());
	cr_expect_str_eq(r.backend, "native");
	cr_assert_eq(bundle(NULL,
			     PAIRS({ "io.kubernetes.cri-o.ImageName", "db-x" },
				     { "io.kubernetes.cri.image-name", "" }),
			     &r),
		0, "%s", said());
	cr_expect_str_eq(r.backend, "proxmox");
	cr_assert_eq(bundle("native", PAIRS({ "io.kubernetes.cri.image-name", "lxc/x" }), &r), 0,
		"%s", said());
	cr_expect_str_eq(r.backend, "native");
	cr_assert_eq(bundle("proxmox", NULL, 0, &r), 0, "%s", said());
	cr_expect_str_eq(r.backend, "proxmox");
	cr_assert_eq(bundle(NULL, PAIRS({ "org.ctrctl.backend", "proxmox" }), &r), 0);
	cr_expect_str_eq(r.backend, "native");
	cr_assert_eq(bundle(NULL, PAIRS({ "io.kubernetes.cri.image-name", "lxc/" }), &r), -1);
	cr_expect_str_eq(said(),
		"config.json: annotations[\"io.kubernetes.cri.image-name\"]: lxc/: a part of the "
		"name is empty");
}

Test(select_bundle, a_sandbox_is_always_native)
{
	static const char *const keys[] = { "io.kubernetes.cri.container-type",
		"io.kubernetes.cri-o.ContainerType" };
	struct route r;

	open_engine(both, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert_eq(
			bundle(NULL,
				PAIRS({ keys[i], "sandbox" },
					{ "io.kubernetes.cri.image-name", "lxc/x" },
					{ "io.kubernetes.cri-o.ImageName", "docker.io/lxc/x" }),
				&r),
			0, "%s", said());
		cr_expect_str_eq(r.backend, "native");
		cr_expect_str_eq(r.reason, "a pod's sandbox is always native");
		cr_assert_eq(bundle("native", PAIRS({ keys[i], "sandbox" }), &r), 0);
		cr_assert_eq(bundle("proxmox", PAIRS({ keys[i], "sandbox" }), &r), -1);
		cr_expect_str_eq(
			said(), "--backend asks for proxmox, but a pod's sandbox is always native");
	}
}

Test(select_bundle, a_backend_that_isnt_there_is_an_error)
{
	const struct route to_proxmox = { "proxmox", "image lxc/x matches \"lxc/**\"" },
			   bare = { "proxmox", NULL }, to_native = { "native", NULL };

	open_engine(one, NULL);
	cr_expect_eq(select_backend(engine, &to_native, &err), &native, "%s", said());
	cr_expect_null(select_backend(engine, &to_proxmox, &err));
	cr_expect_eq(err.code, ERR_UNSUPPORTED);
	cr_expect_eq(err_grpc_status(err.code), 9); /* FAILED_PRECONDITION */
	cr_expect_str_eq(said(), "no Proxmox backend in this build");
	cr_expect_str_eq(err.hint, "proxmox was chosen because image lxc/x matches \"lxc/**\"");
	err = (struct err)ERR_INIT;
	cr_expect_null(select_backend(engine, &bare, &err));
	cr_expect_str_eq(err.hint, "");
}

Test(select_bundle, a_backend_that_cant_work_is_an_error)
{
	const struct route to_native = { "native", NULL };

	open_engine(both, NULL);
	fake_fail = FAKE_PROBE;
	cr_expect_null(select_backend(engine, &to_native, &err));
	cr_expect_eq(err.code, ERR_UNSUPPORTED);
}
