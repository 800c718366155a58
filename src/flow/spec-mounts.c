/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[]: the file systems that every container has, the pod's files, the image's volumes, what
 * the request asks for; in this order, then sorted by depth, so that what lies beneath a mount
 * comes after it. What the request mounts wins over the rest.
 */
#include "flow/spec-build.h"

#include "base/path.h"

#include <string.h>

struct entry {
	struct oci_mount mount; /* destination is clean */
	size_t depth, order;
};

struct mounts {
	struct spec_build *b;
	struct entry *items;
	size_t n, max;
	const char **asked; /* clean destinations of config.mounts; NULL: faulty */
	size_t n_asked;
};

enum { VOLUMES_MAX = 256 };

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define MOUNT_AT     "config.mounts[%zu]."

static bool is_asked(const struct mounts *m, const char *path)
{
	for (size_t i = 0; i < m->n_asked; i++)
		if (m->asked[i] && str_eq(m->asked[i], path))
			return true;
	return false;
}

/* There, or somewhere above it. */
static bool is_covered(const struct mounts *m, const char *path)
{
	for (size_t i = 0; i < m->n_asked; i++)
		if (m->asked[i] && path_is_under(path, m->asked[i]))
			return true;
	return false;
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (const char *p = path; *p; p++)
		n += *p == '/';
	return n;
}

/* options end with NULL, and NULLs of alternatives have been put at the end. */
static struct oci_mount *add(struct mounts *m, const char *destination, const char *type,
	const char *source, const char *const *options)
{
	struct spec_list list = { 0 };

	if (m->n == m->max)
		return NULL;
	for (; *options; options++)
		spec_list_add(m->b, &list, *options);
	struct entry *e = &m->items[m->n];
	*e = (struct entry){ .depth = depth_of(destination), .order = m->n };
	e->mount = (struct oci_mount){ .destination = destination,
		.type = type,
		.source = source,
		.options = list.items,
		.n_options = list.n };
	m->n++;
	return &e->mount;
}

static void add_bind(
	struct mounts *m, const char *destination, const char *source, const char *const *options)
{
	add(m, destination, "bind", source, options);
}

/* ---- what every container has ---- */

/* One of the default ones, unless the request mounts there, or over the folder that it lies in. */
static void add_default(struct mounts *m, const char *destination, const char *type,
	const char *source, const char *const *options)
{
	static const char *const whole[] = { "/dev", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (path_is_under(destination, whole[i]) && is_asked(m, whole[i]))
			return;
	if (!is_asked(m, destination))
		add(m, destination, type, source, options);
}

/* A sysfs shows a network namespace, so the kernel refuses a new one to who doesn't own that: with
 * the host's network and a user namespace it is the host's own, and stays read-only. */
static void add_sys(struct mounts *m)
{
	const char *how = m->b->privileged ? "rw" : "ro";

	if (m->b->host_net && m->b->user_ns)
		add_default(m, "/sys", "bind", "/sys",
			OPTIONS("rbind", "rprivate", "nosuid", "noexec", "nodev", "ro", "rro"));
	else
		add_default(m, "/sys", "sysfs", "sysfs", OPTIONS("nosuid", "noexec", "nodev", how));
	add_default(m, "/sys/fs/cgroup", "cgroup", "cgroup",
		OPTIONS("nosuid", "noexec", "nodev", "relatime", how));
}

static void add_shm(struct mounts *m)
{
	struct spec_build *b = m->b;
	const char *shm = b->in->sandbox->shm;
	bool host = b->pod_ns->ipc == CRI_NS_NODE;

	if (b->own_ipc) {
		add_default(m, "/dev/shm", "tmpfs", "shm",
			OPTIONS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
		return;
	}
	if (!host && (!shm || shm[0] != '/')) {
		ctr_fault_add(b->faults, ERR_STATE, "pod_sandbox_id",
			"the sandbox has no /dev/shm of its own");
		return;
	}
	add_default(m, "/dev/shm", "bind", host ? "/dev/shm" : shm,
		OPTIONS("rbind", "rprivate", "nosuid", "noexec", "nodev", "rw"));
}

static void add_defaults(struct mounts *m)
{
	add_default(m, "/proc", "proc", "proc", OPTIONS("nosuid", "noexec", "nodev"));
	add_default(m, "/dev", "tmpfs", "tmpfs",
		OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k"));
	add_sys(m);
	add_default(m, "/dev/pts", "devpts", "devpts",
		OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
	add_default(m, "/dev/mqueue", "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev"));
	add_shm(m);
}

/* The sandbox's files, which its containers share. */
static void add_pod_files(struct mounts *m)
{
	static const char *const names[] = { "hosts", "hostname", "resolv.conf" };
	struct spec_build *b = m->b;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *to = arena_printf(b->arena, "/etc/%s", names[i]);
		const char *from =
			arena_printf(b->arena, "%s/%s", b->in->sandbox->folder, names[i]);
		if (to && from && !is_asked(m, to))
			add_bind(m, to, from,
				OPTIONS("rbind", "rprivate", b->readonly ? "ro" : "rw"));
	}
}

/* ---- the image's volumes ---- */

static bool is_volume(const struct mounts *m, const char *path)
{
	static const char *const special[] = { "/dev", "/proc", "/sys" };

	if (str_eq(path, "/"))
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (path_is_under(path, special[i]))
			return false;
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->items[i].mount.destination, path))
			return false;
	return !is_covered(m, path);
}

/* They are plain folders of the container's own root filesystem, which can be written anyway. Where
 * that is read-only, each is a tmpfs that begins with what the image has there. */
static void add_volumes(struct mounts *m)
{
	const struct ctr_image_config *image = &m->b->in->image->config;

	if (!m->b->readonly)
		return;
	if (image->n_volumes > VOLUMES_MAX) {
		ctr_fault_add(m->b->faults, ERR_EXHAUSTED, "config.image",
			"the image declares %zu volumes, more than %d", image->n_volumes,
			VOLUMES_MAX);
		return;
	}
	for (size_t i = 0; i < image->n_volumes; i++) {
		const char *path = path_clean(m->b->arena, image->volumes[i]);
		if (path && is_volume(m, path))
			add(m, path, "tmpfs", "tmpfs",
				OPTIONS("nosuid", "nodev", "rw", "tmpcopyup"));
	}
}

/* ---- config.mounts ---- */

struct asked {
	size_t i;
	const struct cri_mount *mount;
	const struct spec_mount_fact *fact;
};

static void fault(struct mounts *m, const struct asked *a, const char *member, const char *text)
{
	ctr_fault_add(m->b->faults, ERR_INVALID, spec_field(m->b, MOUNT_AT "%s", a->i, member),
		"%s", text);
}

/* Files that file systems like lxcfs replace; anything else there would be a container's way to
 * another /proc. */
static const char *const proc_files[] = { "/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg",
	"/proc/meminfo", "/proc/slabinfo", "/proc/stat", "/proc/swaps",
	"/proc/sys/crypto/fips_enabled", "/proc/sys/kernel/ns_last_pid", "/proc/uptime" };

static void check_destination(struct mounts *m, const struct asked *a, const char *path)
{
	if (str_eq(path, "/"))
		fault(m, a, "container_path", "a mount can't cover the whole root filesystem");
	if (!path_is_under(path, "/proc"))
		return;
	if (str_eq(path, "/proc") && a->fact->source && str_eq(a->fact->source, "/proc"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (str_eq(path, proc_files[i]))
			return;
	fault(m, a, "container_path",
		str_eq(path, "/proc") ? "only a proc file system can be mounted on /proc"
				      : "nothing can be mounted inside /proc there");
}

static bool has_host_path(const struct cri_mount *mount)
{
	return mount->host_path && *mount->host_path;
}

/* Where it comes from: the host, or an image. */
static void check_source(struct mounts *m, const struct asked *a)
{
	const struct cri_mount *mount = a->mount;

	if (mount->image && has_host_path(mount))
		fault(m, a, "host_path", "must be empty beside an image");
	if (mount->image && !mount->readonly)
		fault(m, a, "readonly", "a volume that is an image must be read-only");
	if (!mount->image && !has_host_path(mount))
		fault(m, a, "host_path", "must not be empty");
	if (!mount->image && mount->image_sub_path && *mount->image_sub_path)
		fault(m, a, "image_sub_path", "needs an image");
	if (!a->fact->source || a->fact->source[0] != '/')
		fault(m, a, mount->image ? "image" : "host_path", "isn't there to be mounted");
}

/* The option; the peers that it needs are checked, and the root is made to pass on what comes. */
static const char *propagation(struct mounts *m, const struct asked *a)
{
	struct oci_linux *l = m->b->spec->linux_;

	switch (a->mount->propagation) {
	case CRI_PROPAGATION_PRIVATE: return "rprivate";
	case CRI_PROPAGATION_HOST_TO_CONTAINER:
		if (a->fact->peer == SPEC_PEER_PRIVATE)
			fault(m, a, "propagation",
				"HOST_TO_CONTAINER needs a source on a shared or slave mount of the host");
		if (l->rootfs_propagation != OCI_PROPAGATION_RSHARED)
			l->rootfs_propagation = OCI_PROPAGATION_RSLAVE;
		return "rslave";
	case CRI_PROPAGATION_BIDIRECTIONAL:
		if (a->fact->peer != SPEC_PEER_SHARED)
			fault(m, a, "propagation",
				"BIDIRECTIONAL needs a source on a shared mount of the host");
		if (!m->b->privileged)
			fault(m, a, "propagation",
				"only a privileged container can have BIDIRECTIONAL");
		l->rootfs_propagation = OCI_PROPAGATION_RSHARED;
		return "rshared";
	default: fault(m, a, "propagation", "is no propagation"); return "rprivate";
	}
}

static void check_readonly(struct mounts *m, const struct asked *a)
{
	if (!a->mount->recursive_read_only)
		return;
	if (!a->mount->readonly)
		fault(m, a, "recursive_read_only", "needs readonly beside it");
	if (a->mount->propagation != CRI_PROPAGATION_PRIVATE)
		fault(m, a, "recursive_read_only", "can't be given with a propagation");
}

/* Only such as take something away. */
static void add_mount_options(struct mounts *m, const struct asked *a, struct spec_list *options)
{
	static const char *const allowed[] = { "noexec", "nosuid", "nodev", "noatime", "relatime" };

	for (size_t i = 0; i < a->mount->n_mount_options; i++) {
		const char *option = a->mount->mount_options[i];
		size_t k = 0;
		while (k < ARRAY_SIZE(allowed) && !str_eq(option, allowed[k]))
			k++;
		if (k < ARRAY_SIZE(allowed))
			spec_list_add(m->b, options, allowed[k]);
		else
			ctr_fault_add(m->b->faults, ERR_INVALID,
				spec_field(m->b, MOUNT_AT "mount_options[%zu]", a->i, i),
				"\"%.100s\" isn't one of noexec, nosuid, nodev, noatime, relatime",
				option ? option : "");
	}
}

/* Ids on disk as the pod's users; never others'. */
static void add_maps(struct mounts *m, const struct asked *a, struct oci_mount *out)
{
	const struct cri_user_namespace *pod = m->b->pod_ns->userns_options;
	const struct cri_mount *mount = a->mount;

	if (!mount->n_uid_mappings && !mount->n_gid_mappings)
		return;
	if (!m->b->user_ns ||
		!spec_same_maps(
			mount->uid_mappings, mount->n_uid_mappings, pod->uids, pod->n_uids) ||
		!spec_same_maps(
			mount->gid_mappings, mount->n_gid_mappings, pod->gids, pod->n_gids)) {
		fault(m, a, "uidMappings", "must be the mappings of the pod's user namespace");
		return;
	}
	out->uid_mappings = spec_id_maps(m->b, mount->uid_mappings, mount->n_uid_mappings);
	out->gid_mappings = spec_id_maps(m->b, mount->gid_mappings, mount->n_gid_mappings);
	out->n_uid_mappings = out->uid_mappings ? mount->n_uid_mappings : 0;
	out->n_gid_mappings = out->gid_mappings ? mount->n_gid_mappings : 0;
}

static void add_asked(struct mounts *m, const struct asked *a, const char *path)
{
	struct spec_list options = { 0 };
	bool maps = a->mount->n_uid_mappings || a->mount->n_gid_mappings;
	bool readonly = a->mount->readonly || a->mount->recursive_read_only || a->mount->image;

	check_destination(m, a, path);
	check_source(m, a);
	check_readonly(m, a);
	if (a->mount->selinux_relabel && m->b->in->facts->selinux && !m->b->privileged)
		ctr_fault_add(m->b->faults, ERR_UNSUPPORTED,
			spec_field(m->b, MOUNT_AT "selinux_relabel", a->i),
			"files of the host aren't relabelled here: label the volume, and leave this out");
	spec_list_add(m->b, &options, "rbind");
	spec_list_add(m->b, &options, propagation(m, a));
	spec_list_add(m->b, &options, readonly ? "ro" : "rw");
	if (a->mount->recursive_read_only)
		spec_list_add(m->b, &options, "rro");
	if (a->mount->image)
		spec_list_all(
			m->b, &options, ((const char *const[]){ "nosuid", "nodev", "noexec" }), 3);
	add_mount_options(m, a, &options);
	if (maps)
		spec_list_add(m->b, &options, "ridmap");
	spec_list_add(m->b, &options, NULL);
	if (!options.items || options.items[options.n - 1])
		return; /* no memory */
	struct oci_mount *out =
		add(m, path, "bind", a->fact->source ? a->fact->source : "", options.items);
	if (out)
		add_maps(m, a, out);
}

static void read_asked(struct mounts *m)
{
	const struct cri_container_config *config = m->b->config;

	for (size_t i = 0; i < config->n_mounts; i++) {
		const char *path = config->mounts[i].container_path;
		if (path && *path)
			m->asked[i] = path_clean(m->b->arena, path);
		else
			ctr_fault_add(m->b->faults, ERR_INVALID,
				spec_field(m->b, MOUNT_AT "container_path", i),
				"must not be empty");
	}
}

static void add_all_asked(struct mounts *m)
{
	const struct cri_container_config *config = m->b->config;

	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct asked a = { i, &config->mounts[i], &m->b->in->facts->mounts[i] };
		if (m->asked[i])
			add_asked(m, &a, m->asked[i]);
	}
}

/* ---- order ---- */

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void spec_mounts(struct spec_build *b)
{
	enum { DEFAULTS = 12 };
	struct mounts m = { .b = b, .n_asked = b->config->n_mounts };

	m.max = DEFAULTS + MIN(b->in->image->config.n_volumes, (size_t)VOLUMES_MAX) + m.n_asked;
	m.items = arena_array(b->arena, m.max, sizeof(*m.items));
	m.asked = arena_array(b->arena, m.n_asked, sizeof(*m.asked));
	struct oci_mount *list = arena_array(b->arena, m.max, sizeof(*list));
	if (!m.items || !m.asked || !list)
		return;
	read_asked(&m);
	add_defaults(&m);
	add_pod_files(&m);
	add_volumes(&m);
	add_all_asked(&m);
	qsort(m.items, m.n, sizeof(*m.items), compare);
	for (size_t i = 0; i < m.n; i++)
		list[i] = m.items[i].mount;
	b->spec->mounts = list;
	b->spec->n_mounts = m.n;
}
