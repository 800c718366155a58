/* SPDX-License-Identifier: Apache-2.0 */
/* Where a guest goes: its node, and its VMID. */
#include "backend/proxmox/proxmox.h"

#include <string.h>

/* ---- the look ---- */

static bool is_guest(const struct json *row)
{
	const char *type = pve_text(row, "type");

	return str_eq(type, "lxc") || str_eq(type, "qemu");
}

static int by_number(const void *a, const void *b)
{
	const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	const struct pve_node *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct pve_node *node_named(const struct pve_cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (str_eq(c->nodes[i].name, name))
			return &c->nodes[i];
	return NULL;
}

static void add_node(struct pve_cluster *c, const struct json *row)
{
	struct pve_node *n = &c->nodes[c->n_nodes];

	n->name = pve_text(row, "node");
	if (!pve_is_node(n->name))
		return;
	n->online = str_eq(pve_text(row, "status"), "online");
	n->memory = (uint64_t)MAX(0, pve_int(row, "maxmem", 0));
	n->memory_used = (uint64_t)MAX(0, pve_int(row, "mem", 0));
	c->n_nodes++;
}

static void add_guest(struct pve_cluster *c, const struct json *row)
{
	const int64_t vmid = pve_int(row, "vmid", 0);
	struct pve_node *n = node_named(c, pve_text(row, "node"));

	if (n)
		n->guests++;
	if (vmid > 0 && vmid <= SETTINGS_VMID_MAX)
		c->used[c->n_used++] = (unsigned)vmid;
}

int pve_cluster_look(struct pve *pve, struct arena *a, struct pve_cluster *ret, struct err *err)
{
	struct pve_cluster c = { 0 };

	if (pve_get(pve, a, "/cluster/resources", NULL, &c.resources, NULL, err) < 0)
		return -1;
	if (c.resources->type != JSON_ARRAY)
		return err_set(err, ERR_UNAVAILABLE, "/cluster/resources", "the answer is no list");
	c.nodes = arena_array(a, c.resources->n, sizeof(*c.nodes));
	c.used = arena_array(a, c.resources->n, sizeof(*c.used));
	if (!c.nodes || !c.used)
		return err_nomem(err);
	json_for_each (row, c.resources)
		if (str_eq(pve_text(row, "type"), "node"))
			add_node(&c, row);
	json_for_each (row, c.resources)
		if (is_guest(row))
			add_guest(&c, row);
	qsort(c.nodes, c.n_nodes, sizeof(*c.nodes), by_name);
	qsort(c.used, c.n_used, sizeof(*c.used), by_number);
	*ret = c;
	return 0;
}

/* ---- the node ---- */

static bool is_allowed(const struct settings_proxmox *cfg, const char *node)
{
	for (size_t i = 0; i < cfg->n_nodes; i++)
		if (str_eq(cfg->nodes[i], node))
			return true;
	return !cfg->n_nodes;
}

/* What isn't told is neither much nor little: it comes behind all that is known to be enough. */
static uint64_t free_memory(const struct pve_node *n)
{
	return n->memory > n->memory_used ? n->memory - n->memory_used : 0;
}

static bool is_better(const struct pve_node *n, const struct pve_node *than)
{
	if (!than || free_memory(n) != free_memory(than))
		return !than || free_memory(n) > free_memory(than);
	return n->guests < than->guests;
}

/* Why there is none. */
static int none_online(
	const struct settings_proxmox *cfg, const struct pve_cluster *c, struct err *err)
{
	_str_ struct str text = { 0 };

	for (size_t i = 0; i < (cfg->n_nodes ? cfg->n_nodes : c->n_nodes); i++) {
		const char *name = cfg->n_nodes ? cfg->nodes[i] : c->nodes[i].name;

		str_printf(&text, "%s%s %s", i ? ", " : "", name,
			node_named(c, name) ? "is off" : "isn't in the cluster");
	}
	if (str_ok(&text, err) < 0)
		return -1;
	err_set(err, ERR_UNAVAILABLE, NULL, "no node is there to make the guest on: %.300s",
		text.n ? text.p : "the server names none");
	return err_hint(
		err, "proxmox.nodes in /etc/ctrctl/config.json says which ones may be used");
}

int pve_node_choose(const struct settings_proxmox *cfg, const struct pve_cluster *c,
	uint64_t memory, const char **ret, struct err *err)
{
	const struct pve_node *best = NULL;

	for (size_t i = 0; i < c->n_nodes; i++) {
		const struct pve_node *n = &c->nodes[i];

		if (n->online && is_allowed(cfg, n->name) && is_better(n, best))
			best = n;
	}
	if (!best)
		return none_online(cfg, c, err);
	if (best->memory && free_memory(best) < memory) {
		err_set(err, ERR_EXHAUSTED, best->name,
			"no allowed node has %llu MiB of memory left; this one has the most: %llu MiB",
			(unsigned long long)(memory >> 20),
			(unsigned long long)(free_memory(best) >> 20));
		return err_hint(err, "end a guest, ask for less memory, or allow more nodes in "
				     "proxmox.nodes");
	}
	*ret = best->name;
	return 0;
}

uint64_t pve_memory_needed(const struct guest_wish *wish, const struct settings_guest_image *image,
	const struct settings_proxmox *cfg)
{
	if (wish->memory_bytes > 0)
		return (uint64_t)wish->memory_bytes;
	return (uint64_t)(image && image->memory_mib ? image->memory_mib : cfg->memory_mib) << 20;
}

bool pve_needs_local_node(const struct guest_wish *wish, const struct settings_proxmox *cfg)
{
	return cfg->local_node && (wish->n_mounts || wish->n_devices);
}

int pve_node_for(const struct guest_wish *wish, const struct settings_guest_image *image,
	const struct settings_proxmox *cfg, const struct pve_cluster *c, const char **ret,
	struct err *err)
{
	struct settings_proxmox only = *cfg;
	const char *here[] = { cfg->local_node };

	if (pve_needs_local_node(wish, cfg)) {
		only.nodes = here;
		only.n_nodes = 1;
	}
	return pve_node_choose(&only, c, pve_memory_needed(wish, image, cfg), ret, err);
}

/* ---- the VMID ---- */

/* FNV-1a: the same for a container's every try, and spread over the range, so that those who create
 * at the same time don't meet. */
static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

unsigned pve_vmid_choose(const struct settings_proxmox *cfg, const struct pve_cluster *c,
	const char *id, unsigned *i)
{
	const unsigned n = cfg->vmid_last - cfg->vmid_first + 1;
	const unsigned begin = (unsigned)(hash(id) % n);

	while (*i < n) {
		const unsigned vmid = cfg->vmid_first + (unsigned)(((uint64_t)begin + (*i)++) % n);

		if (!c->n_used || !bsearch(&vmid, c->used, c->n_used, sizeof(vmid), by_number))
			return vmid;
	}
	return 0;
}
