/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/template.h"
#include "model/settings-proxmox.h"

#include <criterion/criterion.h>
#include <string.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct err err;
static struct pve_source src;
static struct settings_proxmox cfg;

static const char *keys[] = { "db-postgres", "db-postgres:17", "db-mysql", "vm-old", "db-exact",
	"web/shop", "db-c:latest" };
static struct settings_guest_image rows[] = {
	{ .oci = "docker.io/library/postgres:16", .memory_mib = 1024 },
	{ .oci = "docker.io/library/postgres:17-alpine" },
	{ .template = "mysql" },
	{ .url = "https://example.net/old.tgz", .sha512 = "ab" },
	{ .template = "nfs:vztmpl/Exact_1.tar.zst" },
	{ .oci = "registry.example:5000/team/shop:1" },
	{ .template = "c" },
};

static void set_up(void)
{
	arena = arena_new();
	err = (struct err)ERR_INIT;
	cfg.images = (struct ctr_map_obj){ keys, rows, ARRAY_SIZE(rows) };
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(source, .init = set_up, .fini = tear_down);

static void reads(const char *image)
{
	err = (struct err)ERR_INIT;
	cr_assert_eq(pve_source_of(&cfg, image, arena, &src, &err), 0, "%s: %s %s", image,
		err.object, err.text);
}

static const char *refuses(const char *image, enum err_code code)
{
	static char line[1024];

	err = (struct err)ERR_INIT;
	cr_assert_eq(pve_source_of(&cfg, image, arena, &src, &err), -1, "%s", image);
	cr_expect_eq(err.code, code, "%s: %s", image, err_code_name(err.code));
	err_line(&err, line, sizeof(line));
	return line;
}

static void is_template(const char *image, const char *name, const char *tag)
{
	reads(image);
	cr_assert(src.name && !src.volid && !src.oci && !src.url && !src.file, "%s", image);
	cr_expect_str_eq(src.name, name, "%s", image);
	cr_expect(tag ? str_eq(src.tag, tag) : !src.tag, "%s: %s", image, src.tag);
	cr_expect(src.aplinfo);
}

static void is_oci(const char *image, const char *reference)
{
	reads(image);
	cr_assert(src.oci && src.file && !src.volid && !src.name && !src.url, "%s", image);
	cr_expect_str_eq(src.oci, reference, "%s: %s", image, src.oci);
	cr_expect(str_starts(src.file, "oci-") && str_ends(src.file, ".tar"));
}

Test(source, lxc_names_a_template_and_a_tag_narrows_it)
{
	is_template("lxc/debian-12", "debian-12", NULL);
	is_template("lxc/debian:12", "debian", "12");
	is_template("lxc/debian-12-standard_12.12-1_amd64.tar.zst",
		"debian-12-standard_12.12-1_amd64.tar.zst", NULL);
	cr_expect_null(src.image);
}

Test(source, the_tag_latest_is_what_engines_write_where_there_was_none)
{
	is_template("lxc/debian-12:latest", "debian-12", NULL);
	is_template("db-mysql:latest", "mysql", NULL);
	is_template("db-c", "c", NULL);
	is_template("db-c:latest", "c", NULL);
	refuses("db-c:2", ERR_NOT_FOUND);
	is_oci("db-postgres:latest", "docker.io/library/postgres:16");
}

Test(source, what_an_engine_put_in_front_is_taken_off)
{
	is_template("docker.io/lxc/debian-12:latest", "debian-12", NULL);
	cr_expect_str_eq(src.asked, "lxc/debian-12:latest");
	is_template("localhost/lxc/debian-12", "debian-12", NULL);
	is_template("docker.io/library/db-mysql:8", "mysql", "8");
	cr_expect_eq(src.image, &rows[2]);
	is_oci("docker.io/web/shop:latest", "registry.example:5000/team/shop:1");
	is_oci("docker.io/lxc/oci/ghcr.io/a/b:1", "ghcr.io/a/b:1");
	refuses("docker.io/library/db-nothing:latest", ERR_NOT_FOUND);
}

Test(source, other_names_keep_what_is_in_front)
{
	is_oci("docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27");
	is_oci("nginx:1.27", "docker.io/library/nginx:1.27");
	is_oci("team/app", "docker.io/team/app:latest");
	is_oci("registry.example/lxc/debian:12", "registry.example/lxc/debian:12");
	is_oci("localhost:5000/db-x:1", "localhost:5000/db-x:1");
}

Test(source, lxc_oci_names_an_image_of_a_registry)
{
	is_oci("lxc/oci/docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27");
	is_oci("lxc/oci/nginx", "docker.io/library/nginx:latest");
	is_oci("lxc/oci/ghcr.io/team/app:v2", "ghcr.io/team/app:v2");
}

Test(source, each_repository_and_tag_is_a_file_of_its_own)
{
	char first[256], second[256];

	is_oci("lxc/oci/docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27");
	snprintf(first, sizeof(first), "%s", src.file);
	cr_expect(str_starts(first, "oci-nginx-") && str_ends(first, "-1.27.tar"), "%s", first);
	is_oci("lxc/oci/ghcr.io/library/nginx:1.27", "ghcr.io/library/nginx:1.27");
	cr_expect_str_neq(src.file, first);
	is_oci("lxc/oci/nginx:1.28", "docker.io/library/nginx:1.28");
	snprintf(second, sizeof(second), "%s", src.file);
	cr_expect_str_neq(second, first);
	/* One repository, one hash. */
	cr_expect_eq(memcmp(first, second, strlen("oci-nginx-") + 16), 0);
	/* The same, said otherwise. */
	is_oci("nginx:1.27", "docker.io/library/nginx:1.27");
	cr_expect_str_eq(src.file, first);
}

Test(source, a_files_name_stays_short_enough)
{
	char image[512];

	snprintf(image, sizeof(image), "lxc/oci/example.net/%0200d:%0128d", 1, 2);
	reads(image);
	cr_expect_leq(strlen(src.file), 255);
}

Test(source, the_table_of_images_comes_first)
{
	is_oci("db-postgres", "docker.io/library/postgres:16");
	cr_expect_eq(src.image, &rows[0]);
	is_oci("db-postgres:17", "docker.io/library/postgres:17-alpine");
	cr_expect_eq(src.image, &rows[1]);
	is_oci("db-postgres:16", "docker.io/library/postgres:16");
	is_template("db-mysql:8", "mysql", "8");
	reads("db-exact");
	cr_assert_not_null(src.volid);
	cr_expect_str_eq(src.volid, "nfs:vztmpl/Exact_1.tar.zst");
	cr_expect_eq(src.image, &rows[4]);
}

Test(source, an_address_is_a_file_by_its_hash)
{
	char first[256];

	reads("vm-old");
	cr_assert(src.url && src.sha512 && src.file);
	snprintf(first, sizeof(first), "%s", src.file);
	cr_expect(str_starts(first, "url-") && str_ends(first, ".tar.gz"), "%s", first);
	rows[3].sha512 = "cd";
	reads("vm-old");
	cr_expect_str_neq(src.file, first);
	rows[3].sha512 = "ab";
	rows[3].url = "https://example.net/old.tzst";
	reads("vm-old");
	cr_expect(str_ends(src.file, ".tar.zst"), "%s", src.file);
	rows[3].url = "https://example.net/old.txz";
	reads("vm-old");
	cr_expect(str_ends(src.file, ".tar.xz"), "%s", src.file);
	rows[3].url = "https://example.net/old.tgz";
}

Test(source, a_tag_that_the_table_says_nothing_of_is_an_error)
{
	const char *line = refuses("db-postgres:15", ERR_NOT_FOUND);

	cr_expect(strstr(line, "docker.io/library/postgres:16"), "%s", line);
	cr_expect(strstr(err.hint, "db-postgres:15"));
	refuses("db-exact:2", ERR_NOT_FOUND);
	refuses("vm-old:2", ERR_NOT_FOUND);
}

Test(source, an_unknown_alias_is_an_error_that_lists_those_there_are)
{
	refuses("db-nothing:1", ERR_NOT_FOUND);
	cr_expect(strstr(err.hint, "db-postgres, db-postgres:17, db-mysql"), "%s", err.hint);
	refuses("vm-nothing", ERR_NOT_FOUND);
	cfg.images.n = 0;
	refuses("vm-nothing", ERR_NOT_FOUND);
	cr_expect(strstr(err.hint, "empty"), "%s", err.hint);
}

Test(source, digests_are_refused_with_the_reason)
{
	const char *line = refuses("lxc/oci/nginx@sha256:" HEX64, ERR_UNSUPPORTED);

	cr_expect(strstr(line, "by tag only"), "%s", line);
	refuses("lxc/debian-12@sha256:" HEX64, ERR_UNSUPPORTED);
	refuses("docker.io/lxc/debian-12:latest@sha256:" HEX64, ERR_UNSUPPORTED);
	refuses("registry.example/a/b:1@sha256:" HEX64, ERR_UNSUPPORTED);
}

Test(source, a_login_in_a_name_is_refused_and_not_repeated)
{
	const char *line = refuses("lxc/oci/me:hunter2@registry.example/a/b:1", ERR_INVALID);

	cr_expect_not(strstr(line, "hunter2"), "%s", line);
	cr_expect_not(strstr(err.hint, "hunter2"));
}

Test(source, what_is_no_name_is_refused)
{
	refuses(NULL, ERR_INVALID);
	refuses("", ERR_INVALID);
	refuses("lxc/", ERR_INVALID);
	refuses("lxc/../../etc/passwd", ERR_INVALID);
	refuses("lxc/Debian", ERR_INVALID);
	refuses("lxc/a b", ERR_INVALID);
	refuses("lxc/a?x=1", ERR_INVALID);
	refuses("lxc/a;b", ERR_INVALID);
	refuses("lxc/a\nb", ERR_INVALID);
	refuses("lxc/oci/[::1]:5000/a:1", ERR_INVALID);
	refuses("[::1]:5000/a:1", ERR_UNSUPPORTED);
}

Test(source, a_template_is_in_no_folder)
{
	refuses("lxc/team/debian", ERR_INVALID);
	cr_expect(strstr(err.hint, "lxc/oci/"));
}
