/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/match.h"

#include <criterion/criterion.h>
#include <string.h>

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

TestSuite(match, .init = set_up, .fini = tear_down);

/* ---- versions ---- */

static void orders(const char *a, const char *b)
{
	cr_expect_lt(template_compare(a, b), 0, "%s is before %s", a, b);
	cr_expect_gt(template_compare(b, a), 0, "%s is behind %s", b, a);
}

Test(match, numbers_in_versions_count_as_numbers)
{
	orders("12.2", "12.12");
	orders("12.2-1", "12.12-1");
	orders("9", "10");
	orders("12.12", "12.12-1");
	orders("12.12-1", "12.12-2");
	orders("12", "12.0");
	orders("1.9z", "1.10a");
	orders("20240912", "20250617");
	orders("", "0.1");
	orders("", "a");
}

Test(match, letters_come_before_marks_and_the_tilde_before_the_end)
{
	orders("1.0~rc1", "1.0");
	orders("1.0~~", "1.0~");
	orders("1.0", "1.0a");
	orders("1.0a", "1.0+b");
	orders("1.0a", "1.0b");
}

Test(match, leading_zeros_say_nothing_and_long_numbers_dont_overflow)
{
	cr_expect_eq(template_compare("1.05", "1.5"), 0);
	cr_expect_eq(template_compare("007", "7"), 0);
	cr_expect_eq(template_compare("12.12-1", "12.12-1"), 0);
	cr_expect_eq(template_compare("", ""), 0);
	orders("99999999999999999999999999999998", "99999999999999999999999999999999");
	orders("9", "10000000000000000000000000000000");
}

Test(match, bytes_beyond_ascii_are_ordered_somehow_and_alike_both_ways)
{
	orders("1.0a", "1.0\xc3\xa4");
}

/* ---- names ---- */

static void is_name(const char *file, const char *family, const char *version)
{
	struct template_name t;

	cr_assert_eq(template_name_of(file, arena, &t, &err), 1, "%s", file);
	cr_expect_str_eq(t.family, family, "%s: %s", file, t.family);
	cr_expect_str_eq(t.version, version, "%s: %s", file, t.version);
}

Test(match, a_files_name_has_a_family_and_a_version)
{
	is_name("debian-12-standard_12.12-1_amd64.tar.zst", "debian-12-standard_amd64", "12.12-1");
	is_name("debian-12-turnkey-wordpress_18.2-1_amd64.tar.gz",
		"debian-12-turnkey-wordpress_amd64", "18.2-1");
	is_name("gentoo-current-openrc_20250508_amd64.tar.xz", "gentoo-current-openrc_amd64",
		"20250508");
	is_name("mine_2.tar.bz2", "mine", "2");
	is_name("a_b_c_arm64.tar.xz", "a_arm64", "b_c");
	is_name("postgres-16.2.tar", "postgres", "16.2");
	is_name("postgres-16.2-1~rc1+3.tar", "postgres-16.2-1~rc1+3", "");
	is_name("postgres-16.2-1~1+3.tar", "postgres", "16.2-1~1+3");
	is_name("app-16-bookworm.tar", "app-16-bookworm", "");
	is_name("plain.tgz", "plain", "");
	is_name("_.txz", "", "");
	is_name("-1.tzst", "", "1");
}

Test(match, other_endings_are_no_templates)
{
	static const char *const no[] = { "debian.iso", "debian.tar.lz4", "debian", "", ".tar",
		".tar.zst", "debian.tar.zst.tmp.123", "debian.TAR", "debian.zst" };
	struct template_name t;

	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		cr_expect_eq(template_name_of(no[i], arena, &t, &err), 0, "%s", no[i]);
	cr_expect(template_is_tar("nginx.tar"));
	cr_expect_not(template_is_tar("nginx.tar.gz"));
	cr_expect_not(template_is_tar("nginx.tgz"));
	cr_expect_not(template_is_tar("nginx"));
}

/* ---- the choice ---- */

static const struct template_file shelf[] = {
	{ "local:vztmpl/a", "alpine-3.22-default_20250617_amd64.tar.xz", 1, 1 },
	{ "local:vztmpl/b", "debian-12-standard_12.2-1_amd64.tar.zst", 1, 1 },
	{ "local:vztmpl/c", "debian-12-standard_12.12-1_amd64.tar.zst", 1, 1 },
	{ "local:vztmpl/d", "debian-12-standard_12.7-1_amd64.tar.zst", 1, 1 },
	{ "local:vztmpl/e", "debian-13-standard_13.1-1_amd64.tar.zst", 1, 1 },
	{ "local:vztmpl/f", "debian-12-turnkey-wordpress_18.2-1_amd64.tar.gz", 1, 1 },
	{ "local:vztmpl/g", "web-1.9.tar.zst", 1, 1 },
	{ "local:vztmpl/h", "web-1.10.tar.gz", 1, 1 },
	{ "local:vztmpl/i", "web-1.10.tar.xz", 1, 1 },
	{ "local:vztmpl/j", "webserver-9.tar", 1, 1 },
	{ "local:vztmpl/k", "web.tar.notes", 1, 1 },
	{ "local:vztmpl/l", "ubuntu-24.04-standard_24.04-2_amd64.tar.zst", 1, 1 },
	{ "local:vztmpl/m", "ubuntu-24.04-standard_24.04-2_arm64.tar.zst", 1, 1 },
	{ "local:vztmpl/n", "redis-7.tar.gz", 1, 1 },
	{ "local:vztmpl/o", "redis-7-extras_1_amd64.tar.gz", 1, 1 },
};

/* The file that is chosen, "" for none, NULL for an error. */
static const char *chosen(const char *name, const char *tag)
{
	const struct template_file *f;

	if (template_choose(shelf, ARRAY_SIZE(shelf), name, tag, arena, &f, &err) < 0)
		return NULL;
	return f ? f->file : "";
}

#define expect_chosen(name, tag, file) cr_expect_str_eq(chosen(name, tag), file)

Test(match, the_newest_version_of_the_one_family_is_taken)
{
	expect_chosen("debian-12-standard", NULL, "debian-12-standard_12.12-1_amd64.tar.zst");
	expect_chosen("debian-13", NULL, "debian-13-standard_13.1-1_amd64.tar.zst");
	expect_chosen("alpine", NULL, "alpine-3.22-default_20250617_amd64.tar.xz");
	expect_chosen("web", NULL, "web-1.10.tar.xz");
}

Test(match, the_very_file_comes_before_everything_else)
{
	expect_chosen("debian-12-standard_12.2-1_amd64.tar.zst", NULL,
		"debian-12-standard_12.2-1_amd64.tar.zst");
	expect_chosen("web-1.10.tar.gz", NULL, "web-1.10.tar.gz");
}

Test(match, a_name_that_lacks_only_the_ending_comes_before_longer_ones)
{
	expect_chosen("redis-7", NULL, "redis-7.tar.gz");
	expect_chosen(
		"debian-12-standard_12.7-1_amd64", NULL, "debian-12-standard_12.7-1_amd64.tar.zst");
	expect_chosen("web-1.10", NULL, "web-1.10.tar.xz");
}

Test(match, only_whole_words_fit)
{
	expect_chosen("debian-1", NULL, "");
	expect_chosen("webs", NULL, "");
	expect_chosen("ebian", NULL, "");
	expect_chosen("web-1", NULL, "web-1.10.tar.xz");
	expect_chosen("nothing", NULL, "");
}

Test(match, a_tag_narrows_the_name_or_the_version)
{
	expect_chosen("debian", "13", "debian-13-standard_13.1-1_amd64.tar.zst");
	expect_chosen("debian-12-standard", "12.2", "debian-12-standard_12.2-1_amd64.tar.zst");
	expect_chosen(
		"debian-12-standard", "12.2-1_amd64", "debian-12-standard_12.2-1_amd64.tar.zst");
	expect_chosen("debian-12", "12.7-1", "debian-12-standard_12.7-1_amd64.tar.zst");
	expect_chosen("web", "1.9", "web-1.9.tar.zst");
	expect_chosen("redis", "7", "redis-7.tar.gz");
	expect_chosen("debian-12-standard", "12", "debian-12-standard_12.12-1_amd64.tar.zst");
	expect_chosen("debian-12-standard", "12.1", "");
	expect_chosen("debian", "14", "");
	/* A file's name has no tag behind it. */
	expect_chosen("web-1.10.tar.gz", "1", "");
}

Test(match, exactly_the_tags_version_comes_before_longer_ones)
{
	static const struct template_file files[] = { { .file = "fa_1.0.1_amd64.tar.zst" },
		{ .file = "fa_1_amd64.tar.zst" }, { .file = "fb-x_2.1.tar.zst" },
		{ .file = "fb-x_2.tar.zst" }, { .file = "fc-a_1_amd64.tar.zst" },
		{ .file = "fc-b_1.1_amd64.tar.zst" } };
	const struct {
		const char *name, *tag, *file;
	} rows[] = { { "fa", "1", files[1].file }, { "fa", "1.0", files[0].file },
		{ "fb", "2", files[3].file }, { "fb", "2.1", files[2].file }, { "fc", "1", NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct template_file *f = NULL;
		const int r = template_choose(
			files, ARRAY_SIZE(files), rows[i].name, rows[i].tag, arena, &f, &err);
		cr_expect_eq(r, rows[i].file ? 0 : -1, "%zu", i);
		cr_expect(!rows[i].file || (f && f->file == rows[i].file), "%zu", i);
	}
}

Test(match, several_families_are_an_error_that_lists_them)
{
	cr_assert_null(chosen("debian-12", NULL));
	cr_expect_eq(err.code, ERR_INVALID);
	cr_expect(strstr(err.text, "debian-12-standard_amd64"));
	cr_expect(strstr(err.text, "debian-12-turnkey-wordpress_amd64"));
	cr_expect_not(strstr(err.text, "debian-13"));
	cr_expect_str_eq(err.hint, "write more of the name: lxc/debian-12-standard");
	/* Another architecture is another family. */
	cr_assert_null(chosen("ubuntu-24.04", NULL));
	cr_expect(strstr(err.text, "ubuntu-24.04-standard_arm64"));
	cr_assert_null(chosen("debian", "12"));
	cr_expect(strstr(err.text, "with the tag 12"));
}

Test(match, very_many_families_are_cut_short)
{
	enum { MANY = 3000 };
	struct template_file *files = arena_array(arena, MANY, sizeof(*files));
	const struct template_file *f;

	for (int i = 0; i < MANY; i++)
		files[i].file = files[i].volid = arena_printf(arena, "x-f%d_1_amd64.tar.zst", i);
	cr_assert_eq(template_choose(files, MANY, "x", NULL, arena, &f, &err), -1);
	cr_expect(strstr(err.text, "x-f0_amd64"));
	cr_expect_not(strstr(err.text, "x-f40_amd64"));
	cr_expect(str_ends(err.text, "..."));
}

Test(match, nothing_to_choose_from_is_nothing)
{
	const struct template_file *f = shelf;

	cr_assert_eq(template_choose(NULL, 0, "web", NULL, arena, &f, &err), 0);
	cr_expect_null(f);
}
