/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and devices of a CRI container. */
#include "backend/proxmox/wish-cri.h"

#include "base/path.h"

#include <string.h>

enum { FIELD_MAX = 192 };

#define TEXT_RULE                                                                             \
	"the server can't hold a path with a comma, an equals sign or control characters in " \
	"it, or with a blank at its end"

/* ---- mounts ---- */

static void check_paths(struct wish_cri *c, size_t i, const char *source, const char *target)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };
	char place[FIELD_MAX];

	snprintf(place, sizeof(place), "config.mounts[%zu].host_path", i);
	if (!wish_path_fits(source))
		ctr_fault_add(c->faults, ERR_INVALID, place, TEXT_RULE);
	if (path_is_under(source, "/dev"))
		ctr_fault_add(c->faults, ERR_UNSUPPORTED, place, WISH_DEV_RULE);
	snprintf(place, sizeof(place), "config.mounts[%zu].container_path", i);
	if (!wish_path_fits(target))
		ctr_fault_add(c->faults, ERR_INVALID, place, TEXT_RULE);
	if (str_eq(target, "/"))
		ctr_fault_add(c->faults, ERR_INVALID, place,
			"is the guest's root, which is made from its image");
	for (size_t k = 0; k < ARRAY_SIZE(own); k++)
		if (path_is_under(target, own[k]))
			ctr_fault_add(c->faults, ERR_UNSUPPORTED, place,
				"nothing can be mounted on a guest's %s", own[k]);
}

/* Each asks for what a guest's mount isn't. */
static void check_kind(struct wish_cri *c, size_t i, const struct cri_mount *m)
{
	const struct {
		bool asked;
		const char *name;
	} all[] = {
		{ m->propagation != CRI_PROPAGATION_PRIVATE, "propagation" },
		{ m->n_uid_mappings > 0, "uidMappings" },
		{ m->n_gid_mappings > 0, "gidMappings" },
		{ m->recursive_read_only, "recursive_read_only" },
		{ m->image != NULL, "image" },
	};
	char row[FIELD_MAX], place[FIELD_MAX];

	for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
		if (!all[k].asked)
			continue;
		snprintf(row, sizeof(row), "config.mounts.%s", all[k].name);
		snprintf(place, sizeof(place), "config.mounts[%zu].%s", i, all[k].name);
		wish_cri_judge(c, row, place, NULL);
	}
}

static int add_options(
	struct wish_cri *c, const struct cri_mount *m, struct wish_mount *to, struct err *err)
{
	_str_ struct str text = { 0 };

	for (size_t i = 0; i < m->n_mount_options; i++)
		if (!str_eq(m->mount_options[i], "relatime"))
			str_printf(&text, "%s%s", text.n ? ";" : "", m->mount_options[i]);
	if (str_ok(&text, err) < 0 || !text.n)
		return text.failed ? -1 : 0;
	to->options = arena_strdup(c->arena, text.p);
	return to->options ? 0 : err_nomem(err);
}

static const char *why_not(const struct wish_cri *c)
{
	return c->cfg->local_node
		       ? "only root@pam with its password may give host paths to a guest, an API "
			 "token may not"
		       : "a host path is only there where the guest runs on this host's own node "
			 "(proxmox.localNode)";
}

static int add_mount(struct wish_cri *c, size_t i, const struct cri_mount *m, struct err *err)
{
	const char *source = path_clean(c->arena, m->host_path ? m->host_path : "/");
	const char *target = path_clean(c->arena, m->container_path ? m->container_path : "/");
	const char *from = arena_printf(c->arena, "config.mounts[%zu]", i);
	bool given;

	if (!source || !target || !from)
		return err_nomem(err);
	if (!m->image && wish_is_usual_bind(source, target)) {
		/* One word for all of them: they come together. */
		if (!c->kubelets++)
			wish_cri_judge(c, "config.mounts.container_path", from, NULL);
		return 0;
	}
	given = m->image || (c->cfg->local_node && settings_proxmox_is_root(c->cfg));
	if (!given && wish_cri_judge(c, "config.mounts", from, why_not(c)))
		return 0;
	check_paths(c, i, source, target);
	check_kind(c, i, m);
	if (!given || m->image)
		return 0;
	struct wish_mount *to = &c->wish->mounts[c->wish->n_mounts++];
	*to = (struct wish_mount){
		.source = source, .target = target, .readonly = m->readonly, .from = from
	};
	return add_options(c, m, to, err);
}

int wish_cri_mounts(struct wish_cri *c, struct err *err)
{
	const struct cri_container_config *config = c->config;

	c->wish->mounts = arena_array(c->arena, config->n_mounts, sizeof(*c->wish->mounts));
	if (!c->wish->mounts)
		return err_nomem(err);
	for (size_t i = 0; i < config->n_mounts; i++)
		if (add_mount(c, i, &config->mounts[i], err) < 0)
			return -1;
	return 0;
}

/* ---- devices ---- */

static void check_device(
	struct wish_cri *c, size_t i, const struct cri_device *d, const char *host, const char *own)
{
	char place[FIELD_MAX];

	snprintf(place, sizeof(place), "config.devices[%zu].host_path", i);
	if (!wish_path_fits(host))
		ctr_fault_add(c->faults, ERR_INVALID, place, TEXT_RULE);
	if (!path_is_under(host, "/dev") || str_eq(host, "/dev"))
		ctr_fault_add(c->faults, ERR_INVALID, place,
			"the server takes devices beneath /dev only");
	for (size_t k = 0; k < c->wish->n_devices; k++)
		if (str_eq(host, c->wish->devices[k].path))
			ctr_fault_add(c->faults, ERR_INVALID, place, "%s has it already",
				c->wish->devices[k].from);
	snprintf(place, sizeof(place), "config.devices[%zu].container_path", i);
	if (!str_eq(host, own))
		ctr_fault_add(c->faults, ERR_UNSUPPORTED, place,
			"a device has the same path in a guest as on its node");
	snprintf(place, sizeof(place), "config.devices[%zu].permissions", i);
	if (d->permissions && *d->permissions && !strchr(d->permissions, 'r'))
		ctr_fault_add(c->faults, ERR_UNSUPPORTED, place,
			"a guest can read each device that it has");
}

static int add_device(struct wish_cri *c, size_t i, const struct cri_device *d, struct err *err)
{
	const char *host = path_clean(c->arena, d->host_path ? d->host_path : "/");
	const char *own = path_clean(c->arena, d->container_path ? d->container_path : "/");
	const char *from = arena_printf(c->arena, "config.devices[%zu]", i);

	if (!host || !own || !from)
		return err_nomem(err);
	check_device(c, i, d, host, own);
	if (!c->cfg->local_node || !settings_proxmox_is_root(c->cfg)) {
		wish_cri_judge(c, "config.devices", from,
			c->cfg->local_node
				? "only root@pam with its password may give devices to a guest, an "
				  "API token may not"
				: "a device is only there where the guest runs on this host's own "
				  "node (proxmox.localNode)");
		return 0;
	}
	c->wish->devices[c->wish->n_devices++] = (struct wish_device){ .path = host,
		.readonly = d->permissions && *d->permissions && !strchr(d->permissions, 'w'),
		.from = from };
	return 0;
}

int wish_cri_devices(struct wish_cri *c, struct err *err)
{
	const struct cri_container_config *config = c->config;

	c->wish->devices = arena_array(c->arena, config->n_devices, sizeof(*c->wish->devices));
	if (!c->wish->devices)
		return err_nomem(err);
	for (size_t i = 0; i < config->n_devices; i++)
		if (add_device(c, i, &config->devices[i], err) < 0)
			return -1;
	return 0;
}
