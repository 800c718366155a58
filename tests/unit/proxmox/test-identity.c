/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions and tags, by which guests are found and told from others'. */
#include "backend/proxmox/identity.h"

#include <criterion/criterion.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

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

TestSuite(identity, .init = set_up, .fini = tear_down);

static const char *describe(const struct wish_identity *who, unsigned vmid)
{
	const char *text = pve_description(who, vmid, arena, &err);

	cr_assert(text, "%s", err.text);
	return text;
}

static struct pve_identity read_back(const char *text)
{
	struct pve_identity who;

	cr_assert_eq(pve_description_read(text, arena, &who, &err), 1, "%s", text);
	return who;
}

static void no_identity(const char *text)
{
	struct pve_identity who;

	cr_assert_eq(pve_description_read(text, arena, &who, &err), 0, "%s", text);
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

Test(identity, a_tag_is_the_ids_beginning_or_a_hash)
{
	char buf[PVE_TAG_MAX], other[PVE_TAG_MAX];

	cr_assert_str_eq(pve_tag(ID, buf), "ctrctl-0123456789abcdef");
	cr_assert_str_eq(pve_tag("0123456789abcdefXYZ", buf), "ctrctl-0123456789abcdef");
	for (const char **id = (const char *[]){ "web1", "0123456789abcde", "0123456789ABCDEF",
		     "a/b=c:d", NULL };
		*id; id++) {
		pve_tag(*id, buf);
		cr_assert_eq(strlen(buf), 23);
		cr_assert_eq(strspn(buf + 7, "0123456789abcdef"), 16, "%s", buf);
	}
	cr_assert_str_neq(pve_tag("web1", buf), pve_tag("web2", other));
}

Test(identity, a_description_says_whose_it_is)
{
	struct ctr_pair labels[] = { { "app", "db" } }, notes[] = { { "n", "a\nb\"c" } };
	const struct wish_identity who = { .id = ID,
		.sandbox_id = "5a5a",
		.container = "db",
		.pod = "pg-0",
		.namespace = "data",
		.uid = "u-1",
		.attempt = 2,
		.image = "db-postgres:16",
		.created = "2026-01-02T03:04:05Z",
		.labels = { labels, 1 },
		.annotations = { notes, 1 } };
	const char *text = describe(&who, 200007);

	cr_assert_str_eq(text,
		"Container db of pod data/pg-0, made and managed by ctrctl. The line below says "
		"whose it is: leave it there.\nctrctl:v1:{\"id\":\"" ID
		"\",\"vmid\":200007,\"created\":\"2026-01-02T03:04:05Z\",\"sandbox\":\"5a5a\","
		"\"name\":\"db\",\"attempt\":2,\"pod\":\"pg-0\",\"namespace\":\"data\","
		"\"uid\":\"u-1\",\"image\":\"db-postgres:16\",\"labels\":{\"app\":\"db\"},"
		"\"annotations\":{\"n\":\"a\\nb\\\"c\"}}");
	struct pve_identity is = read_back(text);
	cr_assert_str_eq(is.id, ID);
	cr_assert_eq(is.vmid, 200007);
	cr_assert_str_eq(is.sandbox_id, "5a5a");
	cr_assert_str_eq(is.container, "db");
	cr_assert_str_eq(is.pod, "pg-0");
	cr_assert_str_eq(is.namespace, "data");
	cr_assert_str_eq(is.image, "db-postgres:16");
	cr_assert_str_eq(is.created, "2026-01-02T03:04:05Z");
}

Test(identity, an_id_alone_is_enough)
{
	struct pve_identity is = read_back(describe(&(struct wish_identity){ .id = "web1" }, 100));

	cr_assert_str_eq(is.id, "web1");
	cr_assert_eq(is.vmid, 100);
	cr_assert_null(is.sandbox_id);
	cr_assert_null(is.container);
}

Test(identity, what_is_too_long_is_left_out_from_the_annotations_on)
{
	char *long_text = malloc(9001);
	struct ctr_pair labels[] = { { "l", "kept" } }, notes[] = { { "n", long_text } };
	struct wish_identity who = {
		.id = ID, .container = "db", .labels = { labels, 1 }, .annotations = { notes, 1 }
	};
	const char *text;

	memset(long_text, 'x', 9000);
	long_text[9000] = 0;
	text = describe(&who, 100);
	cr_assert(strstr(text, "\"kept\""));
	cr_assert_null(strstr(text, "xxx"));
	cr_assert(strstr(text, "\"cut\":\"sha256:"));
	cr_assert_str_eq(read_back(text).container, "db");
	labels[0].value = long_text;
	text = describe(&who, 100);
	cr_assert_null(strstr(text, "labels"));
	cr_assert_str_eq(read_back(text).container, "db");
	who.pod = long_text;
	text = describe(&who, 100);
	cr_assert_null(strstr(text, "xxx"));
	cr_assert_str_eq(read_back(text).id, ID);
	who.sandbox_id = long_text;
	cr_assert_null(pve_description(&who, 100, arena, &err));
	free(long_text);
}

/* Two bytes a character: by bytes it would be too long. */
Test(identity, the_limit_counts_characters_not_bytes)
{
	_str_ struct str value = { 0 };
	struct ctr_pair notes[] = { { "n", NULL } };
	const struct wish_identity who = { .id = "a", .annotations = { notes, 1 } };
	size_t room, n = 0;

	notes[0].value = "";
	room = PVE_DESCRIPTION_MAX - characters(describe(&who, 100));
	for (; n < room; n++)
		str_add(&value, "\xc3\xa9");
	notes[0].value = value.p;
	cr_assert_eq(characters(describe(&who, 100)), PVE_DESCRIPTION_MAX);
	cr_assert_gt(strlen(describe(&who, 100)), PVE_DESCRIPTION_MAX + 7000);
	str_add(&value, "\xc3\xa9");
	notes[0].value = value.p;
	cr_assert(strstr(describe(&who, 100), "\"cut\""));
}

Test(identity, the_line_is_found_among_others_and_nothing_else_is_taken_for_it)
{
	cr_assert_str_eq(read_back("ctrctl:v1:{\"id\":\"a\",\"vmid\":1}").id, "a");
	cr_assert_str_eq(
		read_back("note\n\nctrctl:v1:{\"id\":\"a\",\"vmid\":1,\"new\":[]}\r\nmore\n").id,
		"a");
	no_identity("");
	no_identity("mine\n");
	no_identity("x ctrctl:v1:{\"id\":\"a\",\"vmid\":1}");
	no_identity("ctrctl:v2:{\"id\":\"a\",\"vmid\":1}");
	no_identity("ctrctl:v1:{\"id\":\"a\"}");
	no_identity("ctrctl:v1:{\"vmid\":1}");
	no_identity("ctrctl:v1:{\"id\":\"\",\"vmid\":1}");
	no_identity("ctrctl:v1:{\"id\":\"a\",\"vmid\":-1}");
	no_identity("ctrctl:v1:{\"id\":\"a\",\"vmid\":1");
	no_identity("ctrctl:v1:");
	no_identity("ctrctl:v1:{\"id\":\"a\",\n\"vmid\":1}");
	cr_assert_eq(pve_description_read(NULL, arena, &(struct pve_identity){ 0 }, &err), 0);
}

/* Nobody's name can bring a second line. */
Test(identity, names_cannot_forge_lines)
{
	const struct wish_identity who = {
		.id = "a", .container = "x\nctrctl:v1:{\"id\":\"b\",\"vmid\":2}", .pod = "y\r\n"
	};
	const char *text = describe(&who, 1);

	cr_assert_str_eq(read_back(text).id, "a");
	cr_assert_eq(strcspn(strchr(text, '\n') + 1, "\n"), strlen(strchr(text, '\n') + 1));
}
