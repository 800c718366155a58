/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/form.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(form, .init = setup, .fini = teardown);

Test(form, encodes_all_bytes_but_the_unreserved_ones)
{
	_str_ struct str s = { 0 };
	char all[256], back[256];
	size_t n = 0;

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	pve_encode(&s, all, sizeof(all));
	for (const char *p = s.p; *p; p++) {
		unsigned v = (unsigned char)*p;
		cr_assert(strchr(
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%", *p));
		if (*p == '%') {
			cr_assert_eq(sscanf(p + 1, "%2X", &v), 1);
			p += 2;
		}
		back[n++] = (char)v;
	}
	cr_assert_eq(n, sizeof(all));
	cr_expect_eq(memcmp(all, back, n), 0);
}

Test(form, a_property_string_survives_a_server_that_splits_at_raw_equals)
{
	struct pve_form f = PVE_FORM_INIT(arena);

	pve_form_set(&f, "net0", "name=eth0,ip=10.0.0.5/24", "config");
	pve_form_setf(&f, "vmid", NULL, "%d", 100);
	pve_form_set(&f, "description", "a b;c&d\n\xc3\xa4", NULL);
	cr_expect_str_eq(pve_form_encode(&f),
		"net0=name%3Deth0%2Cip%3D10.0.0.5%2F24&vmid=100&description=a%20b%3Bc%26d%0A%C3%A4");
}

Test(form, values_keep_their_nul_bytes)
{
	struct pve_form f = PVE_FORM_INIT(arena);

	pve_form_setn(&f, "env", "A=1\0B=2", 7, NULL);
	cr_expect_str_eq(pve_form_encode(&f), "env=A%3D1%00B%3D2");
	cr_expect_eq(pve_form_get(&f, "env")->n, 7);
}

Test(form, a_second_value_replaces_the_first_one_in_its_place)
{
	struct pve_form f = PVE_FORM_INIT(arena);

	pve_form_set(&f, "memory", "512", "a");
	pve_form_set(&f, "swap", "0", NULL);
	pve_form_hide(&f, "memory");
	pve_form_set(&f, "memory", "1024", "b");
	cr_expect_str_eq(pve_form_encode(&f), "memory=1024&swap=0");
	cr_expect_str_eq(pve_form_get(&f, "memory")->from, "b");
	cr_expect(pve_form_get(&f, "memory")->secret, "what is secret stays it");
	cr_expect_null(pve_form_get(&f, "cores"));
}

Test(form, grows)
{
	struct pve_form f = PVE_FORM_INIT(arena);
	struct err err = ERR_INIT;

	for (int i = 0; i < 100; i++) {
		char name[8];
		snprintf(name, sizeof(name), "mp%d", i);
		pve_form_setf(&f, name, NULL, "v%d", i);
	}
	cr_assert_eq(pve_form_ok(&f, &err), 0);
	cr_expect_eq(f.n, 100);
	cr_expect_str_eq(pve_form_get(&f, "mp0")->value, "v0");
	cr_expect_str_eq(pve_form_get(&f, "mp99")->value, "v99");
}

Test(form, an_empty_form_is_an_empty_text)
{
	struct pve_form f = PVE_FORM_INIT(arena);

	cr_expect_str_eq(pve_form_encode(&f), "");
}

Test(form, each_segment_of_a_path_is_encoded)
{
	cr_expect_str_eq(pve_path(arena, "nodes", "pve1", "tasks",
				 "UPID:pve1:0000:vzcreate:100:root@pam!t:", "status", NULL),
		"/nodes/pve1/tasks/UPID%3Apve1%3A0000%3Avzcreate%3A100%3Aroot%40pam%21t%3A/status");
	cr_expect_str_eq(pve_path(arena, "a/b", "c?d", "e#f", NULL), "/a%2Fb/c%3Fd/e%23f");
}

Test(form, no_segment_can_make_a_path_another_one)
{
	cr_expect_str_eq(pve_path(arena, "nodes", "", "lxc", NULL), "/nodes/-/lxc");
	cr_expect_str_eq(pve_path(arena, "nodes", "..", "access", NULL), "/nodes/-/access");
	cr_expect_str_eq(pve_path(arena, "nodes", ".", "lxc", NULL), "/nodes/-/lxc");
	cr_expect_str_eq(pve_path(arena, "nodes", "..x", NULL), "/nodes/..x");
}
