/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and devices of a bundle. */
#include "backend/proxmox/wish-oci.h"

#include "base/path.h"
#include "base/str.h"

#include <string.h>

/* ---- mounts that every container has ---- */

/* By destination and type: a guest has such ones, and their options are the guest's affair. */
static const struct {
	const char *destination, *types[3];
} usual[] = {
	{ "/proc", { "proc" } },
	{ "/sys", { "sysfs" } },
	{ "/dev", { "tmpfs" } },
	{ "/dev/pts", { "devpts" } },
	{ "/dev/shm", { "tmpfs" } },
	{ "/dev/mqueue", { "mqueue" } },
	{ "/sys/fs/cgroup", { "cgroup", "cgroup2" } },
	{ "/run", { "tmpfs" } },
};

static bool is_usual_mount(const struct oci_mount *m, const char *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(usual[i].types) && usual[i].types[k]; k++) {
			if (str_eq(target, usual[i].destination) &&
				str_eq(m->type, usual[i].types[k]))
				return true;
		}
	}
	return false;
}

/* ---- a bind mount's options ---- */

enum meaning { SILENT, READONLY, WRITABLE, PASSED };
static const struct {
	const char *name;
	enum meaning meaning;
} options[] = {
	{ "bind", SILENT },
	{ "rbind", SILENT },
	{ "private", SILENT },
	{ "rprivate", SILENT },
	{ "relatime", SILENT },
	{ "exec", SILENT },
	{ "suid", SILENT },
	{ "dev", SILENT },
	{ "ro", READONLY },
	{ "rw", WRITABLE },
	{ "noatime", PASSED },
	{ "nodev", PASSED },
	{ "noexec", PASSED },
	{ "nosuid", PASSED },
};

static int read_options(struct wish_oci *o, const struct oci_mount *m, size_t at,
	struct wish_mount *ret, struct err *err)
{
	_str_ struct str passed = { 0 };
	char place[80], what[160];

	for (size_t i = 0; i < m->n_options; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(options) && !str_eq(options[k].name, m->options[i]))
			k++;
		if (k == ARRAY_SIZE(options)) {
			snprintf(place, sizeof(place), "mounts[%zu].options[%zu]", at, i);
			snprintf(what, sizeof(what), "\"%.60s\" can't be given to a guest's mount",
				m->options[i]);
			wish_oci_judge(o, "mounts[].options[]", place, what);
			continue;
		}
		if (options[k].meaning == PASSED)
			str_printf(&passed, "%s%s", passed.n ? ";" : "", options[k].name);
		else if (options[k].meaning != SILENT)
			ret->readonly = options[k].meaning == READONLY;
	}
	if (!passed.n)
		return str_ok(&passed, err);
	ret->options = arena_strdup(o->arena, passed.p);
	return ret->options ? 0 : err_nomem(err);
}

/* ---- bind mounts ---- */

/* Not given, whatever the source is. */
static bool is_waived_bind(
	struct wish_oci *o, const char *source, const char *target, const char *place)
{
	if (str_eq(target, "/dev/shm")) {
		const struct oci_namespace *ipc = oci_namespace_get(o->spec, OCI_NS_IPC);

		/* Nobody else's: the container's own, which an engine has made outside. */
		if (!ipc || !ipc->path)
			return true;
		wish_oci_judge(o, "linux.namespaces[].path", place,
			"a guest has its own /dev/shm, it can't share a pod's");
		return true;
	}
	if (wish_is_usual_bind(source, target)) {
		wish_oci_judge(o, "mounts[].destination", place, NULL);
		return true;
	}
	if (!o->cfg->local_node)
		wish_oci_judge(o, "mounts[]", place,
			"a host path is only there where the guest runs on this host's node "
			"(proxmox.localNode)");
	else if (!settings_proxmox_is_root(o->cfg))
		wish_oci_judge(o, "mounts[]", place,
			"only root@pam with its password may give host paths to a guest, an API "
			"token may not");
	return !o->cfg->local_node || !settings_proxmox_is_root(o->cfg);
}

static int read_bind(struct wish_oci *o, const struct oci_mount *m, size_t at, const char *target,
	struct err *err)
{
	const char *source = m->source ? m->source : "";
	struct wish_mount *to = &o->wish->mounts[o->wish->n_mounts];
	char place[64];

	snprintf(place, sizeof(place), "mounts[%zu]", at);
	if (*source != '/')
		source = arena_printf(o->arena, "%s/%s", o->bundle, source);
	source = source ? path_clean(o->arena, source) : NULL;
	if (!source)
		return err_nomem(err);
	if (is_waived_bind(o, source, target, place))
		return 0;
	*to = (struct wish_mount){ .source = source, .target = target };
	to->from = arena_strdup(o->arena, place);
	if (!to->from)
		return err_nomem(err);
	if (path_is_under(target, "/proc") || path_is_under(target, "/sys") ||
		path_is_under(target, "/dev") || str_eq(target, "/"))
		ctr_fault_add(o->faults, ERR_UNSUPPORTED, place,
			"nothing can be mounted on a guest's %s", target);
	if (path_is_under(source, "/dev"))
		ctr_fault_add(o->faults, ERR_UNSUPPORTED, place, WISH_DEV_RULE);
	if (!wish_path_fits(source) || !wish_path_fits(target))
		ctr_fault_add(o->faults, ERR_INVALID, place,
			"the server can't hold a path with a comma, an equals sign or control "
			"characters, or with a blank at its end");
	if (m->n_uid_mappings || m->n_gid_mappings)
		wish_oci_judge(o, "mounts[].uidMappings.**", place, NULL);
	o->wish->n_mounts++;
	return read_options(o, m, at, to, err);
}

static bool is_bind(const struct oci_mount *m)
{
	for (size_t i = 0; i < m->n_options; i++) {
		if (str_eq(m->options[i], "bind") || str_eq(m->options[i], "rbind"))
			return true;
	}
	return str_eq(m->type, "bind");
}

int wish_oci_mounts(struct wish_oci *o, struct err *err)
{
	const struct oci_spec *s = o->spec;
	char place[64], what[128];

	o->wish->mounts = arena_array(o->arena, s->n_mounts, sizeof(*o->wish->mounts));
	if (!o->wish->mounts)
		return err_nomem(err);
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		const char *target = path_clean(o->arena, m->destination);

		if (!target)
			return err_nomem(err);
		if (is_bind(m)) {
			if (read_bind(o, m, i, target, err) < 0)
				return -1;
		} else if (!is_usual_mount(m, target)) {
			snprintf(place, sizeof(place), "mounts[%zu]", i);
			snprintf(what, sizeof(what),
				"a guest gets no further file system of type \"%.40s\"",
				m->type ? m->type : "none");
			wish_oci_judge(o, "mounts[].type", place, what);
		}
	}
	return 0;
}

/* ---- devices ---- */

/* Nodes that every guest has: LXC makes them. minor -1: any. */
static const struct {
	const char *path; /* NULL: only for rules */
	int major, minor;
} nodes[] = {
	{ "/dev/null", 1, 3 },
	{ "/dev/zero", 1, 5 },
	{ "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 },
	{ "/dev/urandom", 1, 9 },
	{ "/dev/tty", 5, 0 },
	{ "/dev/console", 5, 1 },
	{ "/dev/ptmx", 5, 2 },
	{ NULL, 136, -1 },
};

static bool is_usual_node(const struct oci_device *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (str_eq(d->path, nodes[i].path) && str_eq(d->type, "c") && d->major &&
			d->minor && *d->major == nodes[i].major && *d->minor == nodes[i].minor)
			return true;
	}
	return false;
}

static bool is_usual_rule(const struct oci_device_rule *r)
{
	if (!r->allow || str_eq(r->access, "m"))
		return true; /* making a node gives nothing without the right to open it */
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (str_eq(r->type, "c") && r->major && *r->major == nodes[i].major &&
			(nodes[i].minor < 0 || (r->minor && *r->minor == nodes[i].minor)))
			return true;
	}
	return false;
}

void wish_oci_devices(struct wish_oci *o)
{
	const struct oci_linux *l = o->spec->linux_;
	char place[64];

	for (size_t i = 0; l && i < l->n_devices; i++) {
		snprintf(place, sizeof(place), "linux.devices[%zu]", i);
		if (!is_usual_node(&l->devices[i]))
			wish_oci_judge(o, "linux.devices[].**", place, NULL);
	}
	for (size_t i = 0; l && l->resources && i < l->resources->n_devices; i++) {
		snprintf(place, sizeof(place), "linux.resources.devices[%zu]", i);
		if (!is_usual_rule(&l->resources->devices[i]))
			wish_oci_judge(o, "linux.resources.devices[].**", place, NULL);
	}
}
