/* SPDX-License-Identifier: Apache-2.0 */
/* Privileges: what is needed on which path, what is there, and the command that adds the rest. */
#include "backend/proxmox/check.h"

#include <string.h>

enum { RIGHTS_MAX = 256 };

/* One path, and what is needed there. */
struct right {
	const char *path;
	const char *also;       /* another one that will do, or NULL */
	const char *privileges; /* with blanks between them */
	const char *why;        /* what can't be done without them */
	enum ctr_finding lack;
};

struct rights {
	struct right *items;
	size_t n;
};

static const char on_guests[] =
	"VM.Allocate VM.Audit VM.Config.CPU VM.Config.Disk VM.Config.Memory "
	"VM.Config.Network VM.Config.Options VM.PowerMgmt";

/* ---- what is needed ---- */

/* NULL paths (memory was out) are left out; the arena knows. */
static void need(struct rights *r, const char *path, const char *privileges, enum ctr_finding lack,
	const char *why)
{
	for (size_t i = 0; path && i < r->n; i++)
		if (str_eq(r->items[i].path, path) && str_eq(r->items[i].privileges, privileges))
			return;
	if (path && r->n < RIGHTS_MAX)
		r->items[r->n++] = (struct right){
			.path = path, .privileges = privileges, .why = why, .lack = lack
		};
}

static void need_on_guests(struct checkup *c, struct rights *r)
{
	const char *pool = c->cfg->pool ? arena_printf(c->arena, "/pool/%s", c->cfg->pool) : NULL;

	need(r, pool ? pool : "/vms", on_guests, CTR_FOUND_MISSING, "guests need them");
	if (!pool)
		return;
	r->items[r->n - 1].also = "/vms";
	need(r, pool, "Pool.Audit", CTR_FOUND_WARNING, "the pool can't be seen");
}

static const char *storage_path(struct checkup *c, const char *storage)
{
	return arena_printf(c->arena, "/storage/%s", storage);
}

static void need_on_storages(struct checkup *c, struct rights *r)
{
	static const char space[] = "Datastore.AllocateSpace Datastore.Audit";
	const struct settings_guest_image *images = c->cfg->images.items;

	need(r, storage_path(c, c->cfg->storage), space, CTR_FOUND_MISSING,
		"root file systems are made there");
	for (size_t i = 0; i < c->cfg->images.n; i++)
		if (images[i].storage)
			need(r, storage_path(c, images[i].storage), space, CTR_FOUND_MISSING,
				"root file systems are made there");
	for (size_t i = 0; i < c->cfg->n_template_storages; i++)
		need(r, storage_path(c, c->cfg->template_storages[i]), "Datastore.Audit",
			CTR_FOUND_MISSING, "templates are looked for there");
	if (c->cfg->pull_aplinfo || c->cfg->pull_oci || c->cfg->pull_url)
		need(r, storage_path(c, c->cfg->template_storages[0]), "Datastore.AllocateTemplate",
			CTR_FOUND_MISSING, "what is fetched is put there");
}

static const char *bridge_path(struct checkup *c, const char *bridge)
{
	return c->cfg->net.vlan ? arena_printf(c->arena, "/sdn/zones/localnetwork/%s/%u", bridge,
					  c->cfg->net.vlan)
				: arena_printf(c->arena, "/sdn/zones/localnetwork/%s", bridge);
}

/* Bridges are everybody's before 8.0. */
static void need_on_bridges(struct checkup *c, struct rights *r)
{
	static const char why[] =
		"guests are connected to it (a VNet's path has its own zone in it)";
	const struct settings_guest_image *images = c->cfg->images.items;

	if (!pve_at_least(c->pve, 8, 0))
		return;
	need(r, bridge_path(c, c->cfg->net.bridge), "SDN.Use", CTR_FOUND_MISSING, why);
	for (size_t i = 0; i < c->cfg->images.n; i++)
		if (images[i].bridge)
			need(r, bridge_path(c, images[i].bridge), "SDN.Use", CTR_FOUND_MISSING,
				why);
}

static void need_on_nodes(struct checkup *c, struct rights *r)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		const char *path = arena_printf(c->arena, "/nodes/%s", c->nodes[i]);
		need(r, path, "Sys.Audit", CTR_FOUND_WARNING,
			"its free memory and clock aren't told: nodes are chosen by the number of "
			"guests");
		if (c->cfg->pull_oci || c->cfg->pull_url)
			need(r, path, "Sys.AccessNetwork", CTR_FOUND_MISSING,
				"the node fetches images");
	}
	need(r, "/", "Sys.Audit", CTR_FOUND_WARNING, "quorum and the policy of tags can't be seen");
	if (c->cfg->privileged_allowed)
		need(r, "/", "Sys.Modify", CTR_FOUND_MISSING,
			"proxmox.allowPrivileged is on, and privileged guests need it");
}

/* ---- what is there ---- */

static int held_on(struct checkup *c, const char *path, const struct json **ret, struct err *err)
{
	const struct json *data;

	if (check_get(c, "/access/permissions", "path", path, &data, err) < 0)
		return -1;
	*ret = data->type == JSON_OBJECT ? json_get(data, path) : NULL;
	return 0;
}

/* A privilege whose value is 0 isn't passed on to what is beneath, as guests are beneath /vms. */
static bool holds(const struct json *held, const char *name, bool passed_on)
{
	const struct json *v = held && held->type == JSON_OBJECT ? json_get(held, name) : NULL;

	return v && (!passed_on || pve_bool(held, name));
}

int check_holds(struct checkup *c, const char *path, const char *privilege)
{
	const struct json *held;
	struct err ignored = ERR_INIT;

	return held_on(c, path, &held, &ignored) == 0 && holds(held, privilege, false);
}

static void add_word(struct str *out, const char *word)
{
	str_printf(out, "%s%s", out->n ? "," : "", word);
}

/* Those of the right that neither path has; how many are asked for. */
static size_t missing_of(struct checkup *c, const struct right *right, const struct json *held,
	const struct json *also, struct str *out)
{
	const bool passed_on = str_eq(right->path, "/vms");
	size_t n = 0;

	for (const char *p = right->privileges; *p;) {
		const size_t len = strcspn(p, " ");
		const char *name = arena_strndup(c->arena, p, len);
		if (name && !holds(held, name, passed_on) && !holds(also, name, true))
			add_word(out, name);
		n++;
		p += len + strspn(p + len, " ");
	}
	return n;
}

static int check_right(struct checkup *c, const struct right *right, struct err *err)
{
	static const char what[] = "privileges";
	const char *hint;
	const struct json *held, *also = NULL;
	_str_ struct str lack = { 0 };
	struct err why = ERR_INIT;
	size_t n;

	if (held_on(c, right->path, &held, &why) < 0 ||
		(right->also && held_on(c, right->also, &also, &why) < 0)) {
		check_failed(c, CTR_FOUND_WARNING, what, &why);
		return 0;
	}
	n = missing_of(c, right, held, also, &lack);
	if (str_ok(&lack, err) < 0)
		return -1;
	if (!lack.n) {
		if (n > 2)
			check_say(c, CTR_FOUND_OK, what, NULL, "on %s: all %zu that are needed",
				right->path, n);
		else
			check_say(c, CTR_FOUND_OK, what, NULL, "on %s: %s", right->path,
				right->privileges);
		return 0;
	}
	hint = arena_printf(c->arena,
		"pveum role modify ctrctl --append 1 --privs '%s' && pveum acl modify %s %s --roles "
		"ctrctl",
		lack.p, right->path, c->who);
	if (!hint)
		return err_nomem(err);
	check_say(c, right->lack, what, hint, "on %s: %s %s missing: %s", right->path, lack.p,
		strchr(lack.p, ',') ? "are" : "is", right->why);
	return 0;
}

/* A new token with privilege separation has none at all, whatever its user may do. */
static int has_any(struct checkup *c, struct err *err)
{
	const struct json *all;
	struct err why = ERR_INIT;

	if (check_get(c, "/access/permissions", NULL, NULL, &all, &why) < 0) {
		check_failed(c, CTR_FOUND_WARNING, "privileges", &why);
		return 0;
	}
	if (all->type == JSON_OBJECT && all->n)
		return 1;
	check_say(c, CTR_FOUND_MISSING, "privileges",
		"with privilege separation (privsep=1) a token has only what is given to itself, and "
		"no more than its user has: give both the role; docs/proxmox.md has the commands",
		"there are none at all");
	return 1;
}

int check_rights(struct checkup *c, struct err *err)
{
	struct rights r = { .items = arena_array(c->arena, RIGHTS_MAX, sizeof(*r.items)) };

	if (!r.items)
		return err_nomem(err);
	if (c->root || has_any(c, err) == 0)
		return 0;
	need_on_guests(c, &r);
	need_on_storages(c, &r);
	need_on_bridges(c, &r);
	need_on_nodes(c, &r);
	if (arena_failed(c->arena))
		return err_nomem(err);
	for (size_t i = 0; i < r.n; i++)
		if (check_right(c, &r.items[i], err) < 0)
			return -1;
	return 0;
}
