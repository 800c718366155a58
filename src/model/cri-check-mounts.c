/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of mounts, devices and id mappings of a CRI container. */
#include "model/cri-check.h"

#include <string.h>

enum { ID_MAPS_MAX = 340 }; /* UID_GID_MAP_MAX_EXTENTS */

/* ---- id mappings ---- */

static bool overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

static bool overlaps_earlier(const struct cri_id_mapping *maps, size_t i)
{
	const struct cri_id_mapping *m = &maps[i];

	for (size_t k = 0; k < i; k++)
		if (overlap(m->host_id, m->length, maps[k].host_id, maps[k].length) ||
			overlap(m->container_id, m->length, maps[k].container_id, maps[k].length))
			return true;
	return false;
}

void cri_check_id_maps(
	struct cri_check *c, const char *field, const struct cri_id_mapping *maps, size_t n)
{
	if (n > ID_MAPS_MAX)
		cri_fault(
			c, ERR_INVALID, field, "has %zu mappings, %d are allowed", n, ID_MAPS_MAX);
	for (size_t i = 0; i < n && i < ID_MAPS_MAX; i++) {
		size_t mark = cri_enter(c, "%s[%zu]", field, i);
		/* 4294967295 is no id. */
		if (maps[i].length == 0)
			cri_fault(c, ERR_INVALID, "length", "must be at least 1");
		else if ((uint64_t)maps[i].host_id + maps[i].length > UINT32_MAX ||
			 (uint64_t)maps[i].container_id + maps[i].length > UINT32_MAX)
			cri_fault(c, ERR_INVALID, "length", "ids end at 4294967294");
		else if (overlaps_earlier(maps, i))
			cri_fault(c, ERR_INVALID, "", "overlaps an earlier mapping");
		cri_leave(c, mark);
	}
}

/* ---- mounts ---- */

/* Where a path that is absolute leads when it is cleaned: to "/"? */
static bool is_root(const char *path)
{
	size_t depth = 0;

	while (*path) {
		path += strspn(path, "/");
		size_t n = strcspn(path, "/");
		if (n == 2 && path[0] == '.' && path[1] == '.')
			depth -= depth > 0;
		else if (n > 0 && !(n == 1 && path[0] == '.'))
			depth++;
		path += n;
	}
	return depth == 0;
}

static void check_options(struct cri_check *c, const struct cri_mount *m)
{
	static const char *const allowed[] = { "noexec", "nosuid", "nodev", "noatime", "relatime" };
	static const struct name_table names = { allowed, ARRAY_SIZE(allowed) };
	unsigned seen = 0;

	for (size_t i = 0; i < m->n_mount_options; i++) {
		int option = name_parse(&names, m->mount_options[i]);
		size_t mark = cri_enter(c, "mount_options[%zu]", i);
		if (option < 0)
			cri_fault(c, ERR_INVALID, "",
				"\"%.40s\" isn't one of noexec, nosuid, nodev, noatime, relatime",
				m->mount_options[i]);
		else
			seen |= 1u << option;
		cri_leave(c, mark);
	}
	if ((seen & 3u << 3) == 3u << 3)
		cri_fault(
			c, ERR_INVALID, "mount_options", "noatime and relatime exclude each other");
}

static void check_propagation(struct cri_check *c, const struct cri_mount *m, bool privileged)
{
	if (m->propagation == CRI_PROPAGATION_BIDIRECTIONAL && !privileged)
		cri_fault(c, ERR_INVALID, "propagation",
			"PROPAGATION_BIDIRECTIONAL is only for privileged containers");
	if (!m->recursive_read_only)
		return;
	if (!m->readonly)
		cri_fault(c, ERR_INVALID, "recursive_read_only", "needs readonly");
	if (m->propagation != CRI_PROPAGATION_PRIVATE)
		cri_fault(c, ERR_INVALID, "recursive_read_only", "needs PROPAGATION_PRIVATE");
}

static void check_image_volume(struct cri_check *c, const struct cri_mount *m)
{
	if (!m->image->image)
		cri_fault(c, ERR_INVALID, "image.image", "must not be empty");
	cri_check_plain(c, "image.image", m->image->image);
	cri_check_plain(c, "image.user_specified_image", m->image->user_specified_image);
	if (m->host_path)
		cri_fault(c, ERR_INVALID, "host_path", "must be empty: the source is an image");
	if (!m->readonly)
		cri_fault(c, ERR_INVALID, "readonly", "must be true: the source is an image");
	if (m->propagation != CRI_PROPAGATION_PRIVATE)
		cri_fault(c, ERR_INVALID, "propagation",
			"must be PROPAGATION_PRIVATE: the source is an image");
	cri_check_relative_path(c, "image_sub_path", m->image_sub_path);
}

static void check_source(struct cri_check *c, const struct cri_mount *m)
{
	if (m->image) {
		check_image_volume(c, m);
		return;
	}
	if (!m->host_path)
		cri_fault(c, ERR_INVALID, "host_path", "must not be empty");
	cri_check_path(c, "host_path", m->host_path);
	if (m->image_sub_path)
		cri_fault(c, ERR_INVALID, "image_sub_path", "needs an image");
}

void cri_check_mount(struct cri_check *c, const struct cri_mount *m, bool privileged)
{
	if (!m->container_path)
		cri_fault(c, ERR_INVALID, "container_path", "must not be empty");
	else if (m->container_path[0] == '/' && is_root(m->container_path))
		cri_fault(c, ERR_INVALID, "container_path",
			"must not be \"/\": a mount can't cover the whole root filesystem");
	cri_check_path(c, "container_path", m->container_path);
	check_source(c, m);
	check_propagation(c, m, privileged);
	check_options(c, m);
	cri_check_id_maps(c, "uidMappings", m->uid_mappings, m->n_uid_mappings);
	cri_check_id_maps(c, "gidMappings", m->gid_mappings, m->n_gid_mappings);
	if (!m->n_uid_mappings != !m->n_gid_mappings)
		cri_fault(c, ERR_INVALID, m->n_uid_mappings ? "gidMappings" : "uidMappings",
			"must not be empty: an idmapped mount needs both mappings");
}

/* ---- devices ---- */

void cri_check_device(struct cri_check *c, const struct cri_device *d)
{
	if (!d->container_path)
		cri_fault(c, ERR_INVALID, "container_path", "must not be empty");
	else if (d->container_path[0] == '/' && is_root(d->container_path))
		cri_fault(c, ERR_INVALID, "container_path", "must not be \"/\"");
	if (!d->host_path)
		cri_fault(c, ERR_INVALID, "host_path", "must not be empty");
	cri_check_path(c, "container_path", d->container_path);
	cri_check_path(c, "host_path", d->host_path);
	if (d->permissions && d->permissions[strspn(d->permissions, "rwm")])
		cri_fault(c, ERR_INVALID, "permissions",
			"\"%.20s\" has other letters than r, w and m", d->permissions);
}
