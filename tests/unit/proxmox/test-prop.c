/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/prop.h"

#include <criterion/criterion.h>
#include <string.h>

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

TestSuite(prop, .init = setup, .fini = teardown);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

Test(prop, is_built_key_by_key)
{
	_str_ struct str s = { 0 };

	cr_assert_eq(pve_prop_add(&s, NULL, "local-lvm:8", &err), 0);
	cr_assert_eq(pve_prop_add(&s, "mp", "/srv/data dir", &err), 0);
	cr_assert_eq(pve_prop_add(&s, "ro", "1", &err), 0);
	cr_expect_str_eq(s.p, "local-lvm:8,mp=/srv/data dir,ro=1");
}

Test(prop, what_can_t_be_in_it_is_refused_by_name)
{
	static const struct {
		const char *key, *value, *why;
	} rows[] = {
		{ "mp", "/a,b", "mp: Proxmox VE can't hold a value with ','" },
		{ NULL, "/a=b", "value: Proxmox VE can't hold a value with '='" },
		{ "mp", "/a\nlxc.mount.entry: x", "mp: has a control byte (0x0a)" },
		{ "mp", "/a\tb", "control byte" },
		{ "mp", "/a\x7f", "control byte" },
		{ "mp", "", "mp: must not be empty" },
		{ "", "x", "can't be a key" },
		{ "a,b", "x", "can't be a key" },
		{ "a=b", "x", "can't be a key" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_str_ struct str s = { 0 };
		cr_expect_eq(pve_prop_add(&s, rows[i].key, rows[i].value, &err), -1);
		cr_expect_eq(err.code, ERR_INVALID);
		cr_expect(strstr(said(), rows[i].why), "%s: %s", rows[i].why, said());
		cr_expect_eq(s.n, 0, "nothing was added");
	}
}

Test(prop, is_read_as_the_server_writes_it)
{
	struct ctr_map_str map;

	cr_assert_eq(pve_prop_parse("local-lvm:vm-100-disk-0,mp=/data,mountoptions=noexec;nodev,"
				    "size=8G",
			     "volume", arena, &map, &err),
		0);
	cr_expect_eq(map.n, 4);
	cr_expect_str_eq(ctr_map_get(&map, "volume"), "local-lvm:vm-100-disk-0");
	cr_expect_str_eq(ctr_map_get(&map, "mountoptions"), "noexec;nodev");
	cr_expect_str_eq(map.items[3].key, "size");
	/* An equals sign in a value is what a server of today still has from a bind mount. */
	cr_assert_eq(pve_prop_parse("a=b=c", NULL, arena, &map, &err), 0);
	cr_expect_str_eq(ctr_map_get(&map, "a"), "b=c");
	cr_assert_eq(pve_prop_parse("", NULL, arena, &map, &err), 0);
	cr_expect_eq(map.n, 0);
	cr_assert_eq(pve_prop_parse(",a=1,,b=2,", NULL, arena, &map, &err), 0);
	cr_expect_eq(map.n, 2);
}

Test(prop, what_is_ambiguous_is_refused)
{
	struct ctr_map_str map = { 0 };

	cr_expect_eq(pve_prop_parse("a=1,b=2,a=3", NULL, arena, &map, &err), -1);
	cr_expect(strstr(said(), "a: is given twice"), "%s", said());
	cr_expect_eq(pve_prop_parse("x,volume=y", "volume", arena, &map, &err), -1);
	cr_expect(strstr(said(), "volume: is given twice"), "%s", said());
	cr_expect_eq(pve_prop_parse("a=1,b", NULL, arena, &map, &err), -1);
	cr_expect(strstr(said(), "\"b\" has no key"), "%s", said());
	cr_expect_eq(pve_prop_parse("=1", NULL, arena, &map, &err), -1);
	cr_expect_eq(map.n, 0, "only a success is given back");
}
