/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/proxmox.h"
#include "fake.h"

static struct fake f;
static struct pve_cluster cluster;

static void setup(void)
{
	fake_init(&f);
	cluster = (struct pve_cluster){ 0 };
}

static void teardown(void)
{
	fake_done(&f);
}

TestSuite(node, .init = setup, .fini = teardown);

#define GIB (UINT64_C(1) << 30)

static struct pve_node three[] = {
	{ .name = "pve1", .online = true, .memory = 64 * GIB, .memory_used = 60 * GIB },
	{ .name = "pve2", .online = true, .memory = 32 * GIB, .memory_used = 2 * GIB },
	{ .name = "pve3", .online = false, .memory = 512 * GIB },
};

static void use(struct pve_node *nodes, size_t n)
{
	cluster.nodes = nodes;
	cluster.n_nodes = n;
}

static const char *chosen(uint64_t memory)
{
	const char *name = NULL;

	return pve_node_choose(&f.cfg, &cluster, memory, &name, &f.err) == 0 ? name : NULL;
}

Test(node, is_the_one_with_the_most_free_memory)
{
	use(three, 2);
	cr_assert_str_eq(chosen(GIB), "pve2");
}

Test(node, that_is_off_is_passed_over)
{
	use(three, 3);
	cr_assert_str_eq(chosen(GIB), "pve2");
}

Test(node, must_be_an_allowed_one)
{
	const char *allowed[] = { "pve1", "pve3" };

	use(three, 3);
	f.cfg.nodes = allowed;
	f.cfg.n_nodes = 2;
	cr_assert_str_eq(chosen(GIB), "pve1");
}

Test(node, none_there_says_which_are_off_and_which_unknown)
{
	const char *allowed[] = { "pve3", "pve9" };

	use(three, 3);
	f.cfg.nodes = allowed;
	f.cfg.n_nodes = 2;
	cr_assert_null(chosen(GIB));
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
	cr_assert(strstr(fake_said(&f), "pve3 is off, pve9 isn't in the cluster"), "%s",
		fake_said(&f));
}

Test(node, with_too_little_memory_is_exhausted)
{
	use(three, 3);
	cr_assert_null(chosen(31 * GIB));
	cr_assert_eq(f.err.code, ERR_EXHAUSTED);
	cr_assert(strstr(fake_said(&f), "30720 MiB"), "%s", fake_said(&f));
}

Test(node, of_unknown_memory_is_the_one_with_the_fewest_guests)
{
	struct pve_node unknown[] = { { .name = "a", .online = true, .guests = 7 },
		{ .name = "b", .online = true, .guests = 3 },
		{ .name = "c", .online = true, .guests = 5 } };

	use(unknown, 3);
	cr_assert_str_eq(chosen(GIB), "b");
}

Test(node, look_takes_numbers_as_numbers_or_strings)
{
	struct rule rules[] = {
		{ "GET /cluster/resources", 0, 0, 200,
			"{\"data\":["
			"{\"type\":\"qemu\",\"vmid\":\"105\",\"node\":\"pve1\"},"
			"{\"type\":\"node\",\"node\":\"pve2\",\"status\":\"offline\"},"
			"{\"type\":\"storage\",\"storage\":\"local\",\"node\":\"pve1\"},"
			"{\"type\":\"node\",\"node\":\"pve1\",\"status\":\"online\",\"maxmem\":\"4096\","
			"\"mem\":1024},"
			"{\"type\":\"lxc\",\"vmid\":101,\"node\":\"pve1\"}]}" },
		{ 0 }
	};

	f.rules = rules;
	cr_assert_eq(pve_cluster_look(&f.pve, f.arena, &cluster, &f.err), 0);
	cr_assert_eq(cluster.n_nodes, 2);
	cr_assert_str_eq(cluster.nodes[0].name, "pve1");
	cr_assert(cluster.nodes[0].online && !cluster.nodes[1].online);
	cr_assert_eq(cluster.nodes[0].memory, 4096);
	cr_assert_eq(cluster.nodes[0].memory_used, 1024);
	cr_assert_eq(cluster.nodes[0].guests, 2);
	cr_assert_eq(cluster.n_used, 2);
	cr_assert_eq(cluster.used[0], 101);
	cr_assert_eq(cluster.used[1], 105);
	cr_assert_eq(f.n_asked, 1);
}

Test(node, look_refuses_what_is_no_list)
{
	struct rule rules[] = { { "GET", 0, 0, 200, "{\"data\":{}}" }, { 0 } };

	f.rules = rules;
	cr_assert_eq(pve_cluster_look(&f.pve, f.arena, &cluster, &f.err), -1);
	cr_assert_eq(f.err.code, ERR_UNAVAILABLE);
}

/* ---- VMIDs ---- */

Test(vmid, of_an_id_is_always_the_same_and_in_the_range, .init = setup, .fini = teardown)
{
	for (int n = 0; n < 200; n++) {
		char id[16];
		unsigned i = 0, again = 0;

		snprintf(id, sizeof(id), "box%d", n);
		const unsigned vmid = pve_vmid_choose(&f.cfg, &cluster, id, &i);
		cr_assert(vmid >= 200000 && vmid <= 200009, "%u", vmid);
		cr_assert_eq(vmid, pve_vmid_choose(&f.cfg, &cluster, id, &again));
	}
}

Test(vmid, of_others_are_others, .init = setup, .fini = teardown)
{
	bool seen[100] = { false };
	unsigned met = 0;

	f.cfg.vmid_last = f.cfg.vmid_first + 99999;
	for (int n = 0; n < 100; n++) {
		char id[16];
		unsigned i = 0;

		snprintf(id, sizeof(id), "%d", n);
		unsigned *used = &(unsigned){ pve_vmid_choose(&f.cfg, &cluster, id, &i) };
		met += seen[(*used - f.cfg.vmid_first) / 1000];
		seen[(*used - f.cfg.vmid_first) / 1000] = true;
	}
	/* Of 100 thrown into 100 parts, 37 meet another one. */
	cr_assert_lt(met, 60, "%u", met);
}

Test(vmid, walk_passes_over_used_ones_and_ends, .init = setup, .fini = teardown)
{
	unsigned used[] = { 200001, 200002, 200003, 200009 }, i = 0, n = 0, vmid;
	bool seen[10] = { false };

	cluster.used = used;
	cluster.n_used = 4;
	while ((vmid = pve_vmid_choose(&f.cfg, &cluster, "box", &i))) {
		cr_assert_not(seen[vmid - 200000]);
		seen[vmid - 200000] = true;
		n++;
	}
	cr_assert_eq(n, 6);
	cr_assert(!seen[1] && !seen[2] && !seen[3] && !seen[9]);
	cr_assert_eq(pve_vmid_choose(&f.cfg, &cluster, "box", &i), 0);
}
