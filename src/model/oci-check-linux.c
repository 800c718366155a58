/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of "linux". */
#include "base/log.h"
#include "model/oci.h"

#include <string.h>

enum {
	MAP_LINES_MAX = 340, /* UID_GID_MAP_MAX_EXTENTS */
	MAJOR_MAX = 4095,    /* 12 bits and 20 bits of the kernel's dev_t */
	MINOR_MAX = 1048575,
	IFNAME_MAX = 15, /* IFNAMSIZ without the NUL */
	NSEC_MAX = 999999999,
};

static int invalid(struct err *err, const char *where, const char *text)
{
	err_set(err, ERR_INVALID, NULL, "%s", text);
	return err_in(err, "%s", where);
}

/* ---- namespaces, maps, time ---- */

static bool overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

int oci_id_maps_check(const struct oci_id_map *maps, size_t n, struct err *err)
{
	const char *why = NULL;
	size_t i;

	if (n > MAP_LINES_MAX)
		return err_set(err, ERR_INVALID, NULL,
			"%zu lines are more than the %d that the kernel takes", n, MAP_LINES_MAX);
	for (i = 0; i < n && !why; i++) {
		const struct oci_id_map *m = &maps[i];
		/* 4294967295 is no id, so the last one of a range is at most one less. */
		if (m->size == 0)
			why = "the size is 0";
		else if ((uint64_t)m->container_id + m->size > UINT32_MAX ||
			 (uint64_t)m->host_id + m->size > UINT32_MAX)
			why = "the range goes beyond the last id";
		for (size_t j = 0; j < i && !why; j++)
			if (overlap(m->container_id, m->size, maps[j].container_id, maps[j].size))
				why = "the ids inside overlap with another line";
			else if (overlap(m->host_id, m->size, maps[j].host_id, maps[j].size))
				why = "the ids of the host overlap with another line";
	}
	if (!why)
		return 0;
	err_set(err, ERR_INVALID, NULL, "%s", why);
	return err_in(err, "[%zu]", i - 1);
}

int oci_id_map_find(const struct oci_id_map *maps, size_t n, uint32_t id, uint32_t *ret_host)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size) {
			*ret_host = maps[i].host_id + (id - maps[i].container_id);
			return 1;
		}
	return 0;
}

static int check_namespaces(const struct oci_linux *l, struct err *err)
{
	unsigned seen = 0;

	for (size_t i = 0; i < l->n_namespaces; i++) {
		const struct oci_namespace *ns = &l->namespaces[i];
		if (seen & 1u << ns->type)
			err_set(err, ERR_INVALID, NULL, "the type \"%s\" is given twice",
				oci_namespace_name(ns->type));
		else if (ns->path && ns->path[0] != '/')
			err_set(err, ERR_INVALID, NULL, "the path \"%.200s\" is not absolute",
				ns->path);
		else {
			seen |= 1u << ns->type;
			continue;
		}
		return err_in(err, "namespaces[%zu]", i);
	}
	return 0;
}

/* The container is set up by the root of its new user namespace. */
static int check_root_mapped(const struct oci_linux *l, struct err *err)
{
	static const char text[] = "id 0 of the container must be mapped: its root sets it up";
	uint32_t host;

	if (!oci_id_map_find(l->uid_mappings, l->n_uid_mappings, 0, &host))
		return invalid(err, "uidMappings", text);
	if (!oci_id_map_find(l->gid_mappings, l->n_gid_mappings, 0, &host))
		return invalid(err, "gidMappings", text);
	return 0;
}

static int check_maps(const struct oci_spec *spec, const struct oci_linux *l, struct err *err)
{
	const struct oci_namespace *user = oci_namespace_get(spec, OCI_NS_USER);

	if (oci_id_maps_check(l->uid_mappings, l->n_uid_mappings, err) < 0)
		return err_in(err, "uidMappings");
	if (oci_id_maps_check(l->gid_mappings, l->n_gid_mappings, err) < 0)
		return err_in(err, "gidMappings");
	if (!user && l->n_uid_mappings)
		return invalid(err, "uidMappings",
			"user namespace mappings specified, but no user namespace");
	if (!user && l->n_gid_mappings)
		return invalid(err, "gidMappings",
			"user namespace mappings specified, but no user namespace");
	if (user && !user->path && !l->n_uid_mappings)
		return invalid(
			err, "uidMappings", "user namespace enabled, but no uid mappings found");
	if (user && !user->path && !l->n_gid_mappings)
		return invalid(
			err, "gidMappings", "user namespace enabled, but no gid mappings found");
	return user && !user->path ? check_root_mapped(l, err) : 0;
}

static int check_time(
	const struct oci_spec *spec, const struct oci_time_offsets *t, struct err *err)
{
	const struct oci_namespace *ns = oci_namespace_get(spec, OCI_NS_TIME);

	if (!t->monotonic && !t->boottime)
		return 0;
	if (!ns)
		return invalid(err, "timeOffsets",
			"time namespace offsets specified, but no time namespace");
	if (ns->path)
		return invalid(err, "timeOffsets",
			"the offsets of a time namespace that is joined can't be set");
	if (t->monotonic && t->monotonic->nanosecs > NSEC_MAX)
		return invalid(err, "timeOffsets.monotonic.nanosecs", "must be less than a second");
	if (t->boottime && t->boottime->nanosecs > NSEC_MAX)
		return invalid(err, "timeOffsets.boottime.nanosecs", "must be less than a second");
	return 0;
}

/* ---- devices ---- */

static const char *device_problem(const struct oci_device *d)
{
	static const uint32_t mode_bits = 0170000 | 07777; /* engines copy st_mode whole */
	bool fifo = str_eq(d->type, "p");

	if (!fifo && !str_eq(d->type, "c") && !str_eq(d->type, "b") && !str_eq(d->type, "u"))
		return "the type must be one of c, b, u, p";
	if (d->path[0] != '/')
		return "the path is not absolute";
	if (!fifo && (!d->major || !d->minor))
		return "major and minor are required for this type";
	if (!fifo &&
		(*d->major < 0 || *d->major > MAJOR_MAX || *d->minor < 0 || *d->minor > MINOR_MAX))
		return "major must be 0 to 4095, minor 0 to 1048575";
	if (d->file_mode && (*d->file_mode & ~mode_bits))
		return "fileMode has bits that are no mode";
	if ((d->uid && *d->uid == UINT32_MAX) || (d->gid && *d->gid == UINT32_MAX))
		return "4294967295 is no valid id";
	return NULL;
}

static int check_devices(const struct oci_linux *l, struct err *err)
{
	for (size_t i = 0; i < l->n_devices; i++) {
		const char *why = device_problem(&l->devices[i]);
		if (!why)
			continue;
		err_set(err, ERR_INVALID, NULL, "%s", why);
		return err_in(err, "devices[%zu]", i);
	}
	return 0;
}

static bool is_interface_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > IFNAME_MAX || str_eq(name, ".") || str_eq(name, ".."))
		return false;
	return strcspn(name, "/: \t\n\r\v\f") == n;
}

static int check_net_devices(
	const struct oci_spec *spec, const struct oci_linux *l, struct err *err)
{
	const struct oci_net_device *devices = l->net_devices.items;

	if (l->net_devices.n && !oci_namespace_get(spec, OCI_NS_NETWORK))
		return invalid(err, "netDevices",
			"network devices can't be moved without a private NET namespace");
	for (size_t i = 0; i < l->net_devices.n; i++) {
		const char *bad = NULL;
		if (!is_interface_name(l->net_devices.keys[i]))
			bad = l->net_devices.keys[i];
		else if (devices[i].name && !is_interface_name(devices[i].name))
			bad = devices[i].name;
		if (!bad)
			continue;
		err_set(err, ERR_INVALID, NULL, "\"%.100s\" is no name of a network device", bad);
		return err_in(err, "netDevices[\"%s\"]", l->net_devices.keys[i]);
	}
	return 0;
}

/* ---- sysctl ---- */

static const struct {
	const char *name; /* with slashes; one that ends in a slash is the begin of a family */
	enum oci_namespace_type ns;
} sysctls[] = {
	{ "net/", OCI_NS_NETWORK },
	{ "fs/mqueue/", OCI_NS_IPC },
	{ "kernel/msgmax", OCI_NS_IPC },
	{ "kernel/msgmnb", OCI_NS_IPC },
	{ "kernel/msgmni", OCI_NS_IPC },
	{ "kernel/sem", OCI_NS_IPC },
	{ "kernel/shmall", OCI_NS_IPC },
	{ "kernel/shmmax", OCI_NS_IPC },
	{ "kernel/shmmni", OCI_NS_IPC },
	{ "kernel/shm_rmid_forced", OCI_NS_IPC },
	{ "kernel/domainname", OCI_NS_UTS },
	{ "user/", OCI_NS_USER },
};

static bool is_word(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	       (!first && ((c >= 'A' && c <= 'Z') || c == '-'));
}

/* [a-z0-9_]+([./][A-Za-z0-9_-]+)* */
static bool is_sysctl_name(const char *s)
{
	for (bool first = true;; first = false, s++) {
		const char *word = s;
		while (is_word(*s, first))
			s++;
		if (s == word)
			return false;
		if (*s == 0)
			return true;
		if (*s != '.' && *s != '/')
			return false;
	}
}

char *oci_sysctl_path(struct arena *arena, const char *key)
{
	char *path = arena_strdup(arena, key);
	bool dots = path && path[strcspn(path, "./")] == '.';

	for (char *p = path; dots && *p; p++)
		if (*p == '.' || *p == '/')
			*p = *p == '.' ? '/' : '.';
	return path;
}

int oci_sysctl_namespace(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		const char *name = sysctls[i].name;
		if (str_ends(name, "/") ? str_starts(path, name) : str_eq(path, name))
			return (int)sysctls[i].ns;
	}
	return -1;
}

static int check_sysctl(const struct oci_spec *spec, const char *key, const char *value,
	struct arena *arena, struct err *err)
{
	const char *path;
	int ns;

	if (!is_sysctl_name(key))
		return err_set(err, ERR_INVALID, NULL, "is no name of a sysctl");
	if (strchr(value, '\n'))
		return err_set(err, ERR_INVALID, NULL, "the value has more than one line");
	path = oci_sysctl_path(arena, key);
	if (!path)
		return err_nomem(err);
	if (str_eq(path, "kernel/hostname"))
		return err_set(err, ERR_INVALID, NULL,
			"sysctl \"%s\" is not allowed: use the property hostname", key);
	ns = oci_sysctl_namespace(path);
	if (ns >= 0 && oci_namespace_get(spec, (enum oci_namespace_type)ns))
		return 0;
	return err_set(
		err, ERR_INVALID, NULL, "sysctl \"%s\" is not in a separate kernel namespace", key);
}

static int check_sysctls(const struct oci_spec *spec, const struct oci_linux *l, struct err *err)
{
	_arena_ struct arena *arena = arena_new();

	if (!arena)
		return err_nomem(err);
	for (size_t i = 0; i < l->sysctl.n; i++) {
		const struct ctr_pair *p = &l->sysctl.items[i];
		if (check_sysctl(spec, p->key, p->value, arena, err) < 0)
			return err_in(err, "sysctl[\"%s\"]", p->key);
	}
	return 0;
}

/* ---- NUMA, cache ---- */

/* A number of at most 9 digits. The text behind it, or NULL. */
static const char *list_number(const char *p, unsigned *ret)
{
	size_t digits = strspn(p, "0123456789");

	if (digits == 0 || digits > 9)
		return NULL;
	for (*ret = 0; digits; digits--)
		*ret = *ret * 10 + (unsigned)(*p++ - '0');
	return p;
}

/* One "N" or "N-M". The text behind it, or NULL. */
static const char *list_range(const char *p)
{
	unsigned first, last;

	p = list_number(p, &first);
	if (!p || *p != '-')
		return p;
	p = list_number(p + 1, &last);
	return p && first <= last ? p : NULL;
}

long oci_list_check(const char *text)
{
	const char *p = text + strspn(text, " ");

	while (*p) {
		const char *next = list_range(p);
		if (!next)
			return p - text;
		p = next + strspn(next, " ");
		if (!*p)
			break;
		if (*p != ',')
			return p - text;
		p++;
		p += strspn(p, " ");
		if (!*p)
			return p - text;
	}
	return -1;
}

static const char *memory_policy_problem(const struct oci_memory_policy *m)
{
	bool no_nodes = m->mode == OCI_MPOL_DEFAULT || m->mode == OCI_MPOL_LOCAL;
	unsigned flags = 0;

	for (size_t i = 0; i < m->n_flags; i++)
		flags |= 1u << m->flags[i];
	if (m->nodes && oci_list_check(m->nodes) >= 0)
		return "nodes is no list of NUMA nodes like 0-1,3";
	if (no_nodes && m->nodes)
		return "nodes can't be given with this mode";
	if (!no_nodes && !m->nodes && m->mode != OCI_MPOL_PREFERRED)
		return "this mode needs nodes";
	if (flags && !m->nodes)
		return "flags can't be given without nodes";
	if ((flags & 1u << OCI_MPOL_F_NUMA_BALANCING) && m->mode != OCI_MPOL_BIND &&
		m->mode != OCI_MPOL_PREFERRED_MANY)
		return "MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY";
	if ((flags & 1u << OCI_MPOL_F_RELATIVE_NODES) && (flags & 1u << OCI_MPOL_F_STATIC_NODES))
		return "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other";
	return NULL;
}

static const char *intel_rdt_problem(const struct oci_intel_rdt *r)
{
	const char *id = r->clos_id;

	if (id && !str_eq(id, "/") && (str_eq(id, ".") || str_eq(id, "..") || strchr(id, '/')))
		return "closID must be a plain name or \"/\"";
	if (r->mem_bw_schema &&
		(!str_starts(r->mem_bw_schema, "MB:") || strchr(r->mem_bw_schema, '\n')))
		return "memBwSchema must be one line that begins with MB:";
	for (size_t i = 0; i < r->n_schemata; i++)
		if (strchr(r->schemata[i], '\n'))
			return "a line of schemata has a line break";
	return NULL;
}

/* ---- masks ---- */

static int check_paths(
	const char *name, const char **paths, size_t n, bool private, struct err *err)
{
	if (n && !private) {
		err_set(err, ERR_INVALID, NULL,
			"unable to restrict sys entries without a private MNT namespace");
		return err_in(err, "%s", name);
	}
	for (size_t i = 0; i < n; i++)
		if (paths[i][0] != '/') {
			err_set(err, ERR_INVALID, NULL, "\"%.200s\" is not an absolute path",
				paths[i]);
			return err_in(err, "%s[%zu]", name, i);
		}
	return 0;
}

static int check_paths_and_root(
	const struct oci_spec *spec, const struct oci_linux *l, struct err *err)
{
	bool private = oci_namespace_get(spec, OCI_NS_MOUNT);

	if (check_paths("maskedPaths", l->masked_paths, l->n_masked_paths, private, err) < 0 ||
		check_paths("readonlyPaths", l->readonly_paths, l->n_readonly_paths, private, err) <
			0)
		return -1;
	if (l->rootfs_propagation != OCI_PROPAGATION_UNSET && !private)
		return invalid(err, "rootfsPropagation",
			"unable to set the propagation without a private MNT namespace");
	return 0;
}

static int check_policies(const struct oci_linux *l, struct err *err)
{
	const char *why = l->memory_policy ? memory_policy_problem(l->memory_policy) : NULL;

	if (why)
		return invalid(err, "memoryPolicy", why);
	why = l->intel_rdt ? intel_rdt_problem(l->intel_rdt) : NULL;
	if (why)
		return invalid(err, "intelRdt", why);
	if (l->personality && l->personality->n_flags)
		log_warn(
			"linux.personality.flags: no flag is defined by the specification, they are left out");
	return 0;
}

int oci_linux_check(const struct oci_spec *spec, struct err *err)
{
	const struct oci_linux *l = spec->linux_;

	if (!l)
		return 0;
	if (check_namespaces(l, err) < 0 || check_maps(spec, l, err) < 0 ||
		(l->time_offsets && check_time(spec, l->time_offsets, err) < 0) ||
		check_devices(l, err) < 0 || check_net_devices(spec, l, err) < 0 ||
		check_sysctls(spec, l, err) < 0 || check_paths_and_root(spec, l, err) < 0 ||
		check_policies(l, err) < 0)
		return err_in(err, "linux");
	return 0;
}
