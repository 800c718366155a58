/* SPDX-License-Identifier: Apache-2.0 */
/* Where guests go and what they are made from: storages, bridges, VMIDs, images. */
#include "backend/proxmox/check.h"
#include "backend/proxmox/pull.h"

#include <string.h>

enum {
	FEW_VMIDS = 100,
	IMAGES_MAX = 200, /* that are looked for */
};

static const struct json *row_of(const struct json *rows, const char *key, const char *value)
{
	json_for_each (row, rows) {
		if (str_eq(pve_text(row, key), value))
			return row;
	}
	return NULL;
}

/* Of "a,b,c". */
static bool has_word(const char *list, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && memcmp(p, word, n) == 0)
			return true;
	return false;
}

/* ---- storages ---- */

/* Why it can't be used for that on this node, or NULL. */
static const char *flaw_of(const struct json *rows, const char *storage, const char *content)
{
	const struct json *row = row_of(rows, "storage", storage);

	if (!row)
		return "isn't there, or can't be seen (Datastore.Audit)";
	if (!has_word(pve_text(row, "content"), content))
		return str_eq(content, "rootdir")
			       ? "takes no root file systems (content \"rootdir\")"
			       : "takes no templates (content \"vztmpl\")";
	/* Left out where only enabled ones are listed. */
	if (json_get(row, "enabled") && !pve_bool(row, "enabled"))
		return "is disabled";
	return pve_bool(row, "active") ? NULL : "isn't active";
}

static void check_root(struct checkup *c, const char *node, const struct json *rows,
	const char *storage, uint32_t gib)
{
	const char *what = arena_printf(c->arena, "storage %s", storage);
	const char *flaw = flaw_of(rows, storage, "rootdir");
	const struct json *row = row_of(rows, "storage", storage);
	const int64_t left = row ? pve_int(row, "avail", -1) : -1;

	if (!what)
		return;
	if (flaw)
		check_say(c, CTR_FOUND_MISSING, what,
			"\"pvesm status\" on the node shows them; proxmox.storage says which one",
			"on %s it %s", node, flaw);
	else if (left >= 0 && left >> 30 < gib)
		check_say(c, CTR_FOUND_MISSING, what, NULL,
			"on %s it has %lld GiB left, and a root file system gets up to %u", node,
			(long long)(left >> 30), gib);
	else
		check_say(c, CTR_FOUND_OK, what, NULL, "on %s, %lld GiB left", node,
			(long long)(left >> 30));
}

/* The biggest that is made in a storage, by what the settings say of images. */
static uint32_t biggest(const struct settings_proxmox *cfg, const char *storage)
{
	const struct settings_guest_image *images = cfg->images.items;
	uint32_t most = str_eq(storage, cfg->storage) ? cfg->rootfs_gib : 0;

	for (size_t i = 0; i < cfg->images.n; i++)
		if (str_eq(images[i].storage ? images[i].storage : cfg->storage, storage))
			most = MAX(most,
				images[i].rootfs_gib ? images[i].rootfs_gib : cfg->rootfs_gib);
	return most;
}

static void check_roots(struct checkup *c, const char *node, const struct json *rows)
{
	const struct settings_guest_image *images = c->cfg->images.items;

	check_root(c, node, rows, c->cfg->storage, biggest(c->cfg, c->cfg->storage));
	for (size_t i = 0; i < c->cfg->images.n; i++) {
		bool known = str_eq(images[i].storage, c->cfg->storage);
		for (size_t k = 0; k < i; k++)
			known = known || str_eq(images[i].storage, images[k].storage);
		if (images[i].storage && !known)
			check_root(c, node, rows, images[i].storage,
				biggest(c->cfg, images[i].storage));
	}
}

/* One of them is enough; what is fetched is put into the first. */
static void check_templates(struct checkup *c, const char *node, const struct json *rows)
{
	size_t good = 0;

	for (size_t i = 0; i < c->cfg->n_template_storages; i++)
		good += !flaw_of(rows, c->cfg->template_storages[i], "vztmpl");
	for (size_t i = 0; i < c->cfg->n_template_storages; i++) {
		const char *storage = c->cfg->template_storages[i];
		const char *flaw = flaw_of(rows, storage, "vztmpl");
		if (flaw)
			check_say(c, good ? CTR_FOUND_WARNING : CTR_FOUND_MISSING,
				"template storage", "proxmox.templateStorages says which ones",
				"%s on %s %s", storage, node, flaw);
		else
			check_say(c, CTR_FOUND_OK, "template storage", NULL, "%s on %s", storage,
				node);
	}
}

int check_storages(struct checkup *c, struct err *err)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		const char *path = pve_path(c->arena, "nodes", c->nodes[i], "storage", NULL);
		const struct json *rows;
		struct err why = ERR_INIT;
		if (!path)
			return err_nomem(err);
		if (check_get(c, path, NULL, NULL, &rows, &why) < 0) {
			check_failed(c, CTR_FOUND_WARNING, "storages", &why);
			continue;
		}
		check_roots(c, c->nodes[i], rows);
		check_templates(c, c->nodes[i], rows);
	}
	return 0;
}

/* ---- bridges ---- */

static void check_bridge(
	struct checkup *c, const char *node, const struct json *rows, const char *bridge)
{
	const char *what = arena_printf(c->arena, "bridge %s", bridge);
	const struct json *row = row_of(rows, "iface", bridge);

	if (!what)
		return;
	if (!row)
		check_say(c, CTR_FOUND_MISSING, what,
			"proxmox.network.bridge says which one; the node's network has it, or SDN",
			"%s has none of that name, or it can't be seen (SDN.Use)", node);
	else if (json_get(row, "active") && !pve_bool(row, "active"))
		check_say(c, CTR_FOUND_WARNING, what, "\"ifreload -a\" on the node",
			"on %s it isn't up", node);
	else
		check_say(c, CTR_FOUND_OK, what, NULL, "on %s", node);
}

static void check_addresses(struct checkup *c)
{
	const char *const all[] = { c->cfg->net.ip, c->cfg->net.ip6 };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i] && strchr(all[i], '/'))
			check_say(c, CTR_FOUND_WARNING, i ? "network.ip6" : "network.ip",
				"\"dhcp\", or the option net0 for each guest",
				"%s is every guest's: it is right for a single one only", all[i]);
}

int check_bridges(struct checkup *c, struct err *err)
{
	const struct settings_guest_image *images = c->cfg->images.items;

	check_addresses(c);

	for (size_t i = 0; i < c->n_nodes; i++) {
		const char *path = pve_path(c->arena, "nodes", c->nodes[i], "network", NULL);
		const struct json *rows;
		struct err why = ERR_INIT;
		if (!path)
			return err_nomem(err);
		if (check_get(c, path, "type", "any_bridge", &rows, &why) < 0) {
			check_failed(c, CTR_FOUND_WARNING, "bridges", &why);
			continue;
		}
		check_bridge(c, c->nodes[i], rows, c->cfg->net.bridge);
		for (size_t k = 0; k < c->cfg->images.n; k++) {
			bool known = str_eq(images[k].bridge, c->cfg->net.bridge);
			for (size_t m = 0; m < k; m++)
				known = known || str_eq(images[k].bridge, images[m].bridge);
			if (images[k].bridge && !known)
				check_bridge(c, c->nodes[i], rows, images[k].bridge);
		}
	}
	return 0;
}

/* ---- VMIDs and their pool ---- */

int check_pool(struct checkup *c, struct err *err)
{
	const char *path = c->cfg->pool ? pve_path(c->arena, "pools", c->cfg->pool, NULL) : NULL;
	const struct json *data;
	struct err why = ERR_INIT;

	if (!c->cfg->pool)
		return 0;
	if (check_get(c, path, NULL, NULL, &data, &why) == 0)
		check_say(c, CTR_FOUND_OK, "pool", NULL, "%s is there", c->cfg->pool);
	else if (why.code == ERR_DENIED)
		check_say(c, CTR_FOUND_WARNING, "pool",
			"correct proxmox.pool, or see its privileges",
			"%s isn't there, or can't be seen (Pool.Audit)", c->cfg->pool);
	else
		check_failed(c, CTR_FOUND_MISSING, "pool", &why);
	return 0;
}

int check_range(struct checkup *c, struct err *err)
{
	const unsigned first = c->cfg->vmid_first, last = c->cfg->vmid_last;
	const unsigned all = last - first + 1;
	struct pve_cluster cluster;
	struct err why = ERR_INIT;
	unsigned used = 0;

	if (pve_cluster_look(c->pve, c->arena, &cluster, &why) < 0) {
		check_failed(c, CTR_FOUND_WARNING, "VMIDs", &why);
		return 0;
	}
	for (size_t i = 0; i < cluster.n_used; i++)
		used += cluster.used[i] >= first && cluster.used[i] <= last;
	if (used >= all)
		check_say(c, CTR_FOUND_MISSING, "VMIDs", "a wider range helps: proxmox.vmids",
			"none of %u to %u is free", first, last);
	else if (all - used < FEW_VMIDS)
		check_say(c, CTR_FOUND_WARNING, "VMIDs", "a wider range helps: proxmox.vmids",
			"%u of %u to %u are free", all - used, first, last);
	else
		check_say(c, CTR_FOUND_OK, "VMIDs", NULL, "%u of %u to %u are free", all - used,
			first, last);
	return 0;
}

/* ---- images ---- */

/* One node that has it is enough: guests of it are made there. */
static int check_image(struct checkup *c, const char *name, struct err *err)
{
	const char *what = arena_printf(c->arena, "image %s", name);
	struct pve_template t = { 0 };
	struct pve_pull pull = { 0 };
	struct err why = ERR_INIT, first = ERR_INIT;
	struct pve_source src;
	int r;

	if (!what)
		return err_nomem(err);
	r = pve_source_of(c->cfg, name, c->arena, &src, &first);
	for (size_t i = 0; r >= 0 && i < c->n_nodes; i++) {
		r = pve_template_would(
			c->pve, &src, c->nodes[i], c->arena, &t, &pull, i ? &why : &first);
		if (r == 0)
			check_say(c, CTR_FOUND_OK, what, NULL, "would be fetched: %s", pull.what);
		else if (r > 0)
			check_say(c, CTR_FOUND_OK, what, NULL, "%s on %s", t.volid, c->nodes[i]);
		if (r >= 0)
			return 0;
		r = 0;
	}
	check_failed(c, CTR_FOUND_MISSING, what, &first);
	return 0;
}

int check_images(struct checkup *c, struct err *err)
{
	const size_t n = MIN(c->cfg->images.n, (size_t)IMAGES_MAX);

	for (size_t i = 0; c->n_nodes && i < n; i++)
		if (check_image(c, c->cfg->images.keys[i], err) < 0)
			return -1;
	if (n < c->cfg->images.n)
		check_say(c, CTR_FOUND_WARNING, "images", NULL, "%zu more aren't looked for",
			c->cfg->images.n - n);
	return 0;
}
