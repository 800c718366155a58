/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ref.h"

#include <criterion/criterion.h>
#include <string.h>

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA256 "sha256:" HEX64

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(ref, .init = set_up, .fini = tear_down);

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

Test(ref, takes_a_reference_apart)
{
	static const struct {
		const char *text, *registry, *path, *tag, *digest, *normal;
	} rows[] = {
		{ "busybox", NULL, "busybox", NULL, NULL, "docker.io/library/busybox:latest" },
		{ "busybox:1.36", NULL, "busybox", "1.36", NULL, "docker.io/library/busybox:1.36" },
		{ "busybox@" SHA256, NULL, "busybox", NULL, SHA256,
			"docker.io/library/busybox@" SHA256 },
		{ "busybox:1@" SHA256, NULL, "busybox", "1", SHA256,
			"docker.io/library/busybox:1@" SHA256 },
		{ "lxc/debian:12", NULL, "lxc/debian", "12", NULL, "docker.io/lxc/debian:12" },
		{ "docker.io/busybox", "docker.io", "busybox", NULL, NULL,
			"docker.io/library/busybox:latest" },
		{ "index.docker.io/busybox", "index.docker.io", "busybox", NULL, NULL,
			"docker.io/library/busybox:latest" },
		{ "localhost/x", "localhost", "x", NULL, NULL, "localhost/x:latest" },
		{ "localhost:5000/a/b:_T.1-x", "localhost:5000", "a/b", "_T.1-x", NULL,
			"localhost:5000/a/b:_T.1-x" },
		{ "Registry.Example.NET/a", "Registry.Example.NET", "a", NULL, NULL,
			"Registry.Example.NET/a:latest" },
		{ "my-host.example/a__b/c--d/e.f", "my-host.example", "a__b/c--d/e.f", NULL, NULL,
			"my-host.example/a__b/c--d/e.f:latest" },
		{ "[::1]:5000/x:y", "[::1]:5000", "x", "y", NULL, "[::1]:5000/x:y" },
		{ "a.b", NULL, "a.b", NULL, NULL, "docker.io/library/a.b:latest" },
		{ "localhost", NULL, "localhost", NULL, NULL,
			"docker.io/library/localhost:latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_ref r;

		cr_assert_eq(image_ref_parse(rows[i].text, arena, &r, &err), 0, "%s", said());
		cr_expect(same(r.registry, rows[i].registry), "%s: %s", rows[i].text, r.registry);
		cr_expect(same(r.path, rows[i].path), "%s: %s", rows[i].text, r.path);
		cr_expect(same(r.tag, rows[i].tag), "%s: %s", rows[i].text, r.tag);
		cr_expect(same(r.digest, rows[i].digest), "%s: %s", rows[i].text, r.digest);
		cr_expect_str_eq(image_ref_normal(&r, arena), rows[i].normal);
	}
}

Test(ref, a_normal_reference_is_its_own_normal)
{
	static const char *const texts[] = { "busybox", "a/b:c", "x@" SHA256, "localhost:1/x" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct image_ref r;
		const char *once;

		cr_assert_eq(image_ref_parse(texts[i], arena, &r, &err), 0, "%s", said());
		once = image_ref_normal(&r, arena);
		cr_assert_eq(image_ref_parse(once, arena, &r, &err), 0, "%s", said());
		cr_expect_str_eq(image_ref_normal(&r, arena), once);
	}
}

Test(ref, refuses_what_is_no_reference)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "the name of an image is empty" },
		{ "lxc/", "lxc/: a part of the name is empty" },
		{ "/x", "/x: a part of the name is empty" },
		{ "a//b", "a//b: a part of the name is empty" },
		{ ":tag", ":tag: a part of the name is empty" },
		{ "docker.io/", "docker.io/: a part of the name is empty" },
		{ "db-", "db-: \"db-\" can't be part of an image's name" },
		{ "-x", "-x: \"-x\" can't be part of an image's name" },
		{ "a___b", "a___b: \"a___b\" can't be part of an image's name" },
		{ "a..b", "a..b: \"a..b\" can't be part of an image's name" },
		{ "a b", "a b: \"a b\" can't be part of an image's name" },
		{ "a\nb", "a\\x0ab: \"a\\x0ab\" can't be part of an image's name" },
		{ "../x", "../x: \"..\" is no registry's name" },
		{ "Busybox", "Busybox: the name of an image has lower-case letters only" },
		{ "docker.io/Lxc/x",
			"docker.io/Lxc/x: the name of an image has lower-case letters only" },
		{ "x:", "x:: \"\" is no tag" },
		{ "x:a:b", "x:a:b: \"a:b\" is no tag" },
		{ "x:.a", "x:.a: \".a\" is no tag" },
		{ "x:a+b", "x:a+b: \"a+b\" is no tag" },
		{ "a.b:x/y", "a.b:x/y: \"a.b:x\" is no registry's name" },
		{ "a.b:/y", "a.b:/y: \"a.b:\" is no registry's name" },
		{ "a-.b/y", "a-.b/y: \"a-.b\" is no registry's name" },
		{ ".b/y", ".b/y: \".b\" is no registry's name" },
		{ "[::1/y", "[::1/y: \"[::1\" is no registry's name" },
		{ "[]:1/y", "[]:1/y: \"[]:1\" is no registry's name" },
		{ "x@sha256:12",
			"x@sha256:12: \"sha256:12\" is no digest (sha256: and 64 hexadecimal digits)" },
		{ SHA256, SHA256 ": that is the id of an image, not a name" },
		{ HEX64, HEX64 ": that is the id of an image, not a name" },
		{ HEX64 ":x", HEX64 ":x: 64 hexadecimal digits are an id, not a name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_ref r;

		cr_expect_eq(image_ref_parse(rows[i].text, arena, &r, &err), -1, "accepted: %s",
			rows[i].text);
		cr_expect_eq(err.code, ERR_INVALID);
		cr_expect_str_eq(said(), rows[i].want);
	}
}

Test(ref, refuses_what_is_too_long)
{
	char text[4200];
	struct image_ref r;

	memset(text, 'a', sizeof(text));
	text[4096] = '\0';
	cr_expect_eq(image_ref_parse(text, arena, &r, &err), 0, "%s", said());
	text[4096] = 'a';
	text[4097] = '\0';
	cr_expect_eq(image_ref_parse(text, arena, &r, &err), -1);
	cr_expect_eq(err.code, ERR_INVALID);
	memcpy(text, "x:", 2);
	text[2 + 128] = '\0';
	cr_expect_eq(image_ref_parse(text, arena, &r, &err), 0, "%s", said());
	text[2 + 128] = 'a';
	text[2 + 129] = '\0';
	cr_expect_eq(image_ref_parse(text, arena, &r, &err), -1);
}

Test(ref, knows_digests_and_ids)
{
	cr_expect(digest_is_valid(SHA256));
	cr_expect(digest_is_valid("sha512:" HEX64 HEX64));
	cr_expect_not(digest_is_valid(NULL));
	cr_expect_not(digest_is_valid(""));
	cr_expect_not(digest_is_valid(HEX64));
	cr_expect_not(digest_is_valid("sha512:" HEX64));
	cr_expect_not(digest_is_valid(SHA256 "0"));
	cr_expect_not(digest_is_valid("md5:0123456789abcdef0123456789abcdef"));
	cr_expect_not(digest_is_valid("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef"
				      "0123456789abcdef"));
	cr_expect(image_id_is_valid(SHA256));
	cr_expect(image_id_is_valid(HEX64));
	cr_expect_not(image_id_is_valid(HEX64 "0"));
	cr_expect_not(image_id_is_valid("sha512:" HEX64 HEX64));
	cr_expect_not(image_id_is_valid(NULL));
	cr_expect_not(image_id_is_valid("busybox"));
}
