/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts[], in the order of the specification. What comes from the host is opened by the parent, in
 * the host's namespace, and carries its attributes before it is attached; new file systems are made
 * by init, because procfs, sysfs, mqueue and cgroup2 show the namespaces of whoever makes them.
 */
#include "backend/native/compile.h"
#include "base/path.h"
#include "base/sys.h"

#include <string.h>

struct mounting {
	size_t i;
	const struct oci_mount *m;
	const struct mount_opts *o;
	const char *target, *place;
};

typedef int mount_kind(struct compile *, const struct mounting *, struct err *);

/* ---- before anything: options and destinations ---- */

static int parse_one(struct compile *c, size_t i, struct err *err)
{
	const struct oci_mount *m = &c->spec->mounts[i];

	c->targets[i] = path_clean(c->plan->arena, m->destination);
	if (!c->targets[i])
		return err_nomem(err);
	if (mount_opts_parse(m, c->plan->arena, &c->opts[i], err) < 0)
		return -1;
	if (str_eq(c->targets[i], "/") && !c->opts[i].remount)
		return err_set(err, ERR_INVALID, m->destination,
			"a mount can't cover the whole root filesystem");
	if (str_eq(c->targets[i], "/dev") && c->opts[i].bind && !c->opts[i].remount)
		c->dev_is_bound = true;
	return 0;
}

int mounts_parse(struct compile *c, struct err *err)
{
	size_t n = c->spec->n_mounts;

	if (n && !compile_private(c, CLONE_NEWNS))
		return err_set(err, ERR_INVALID, "mounts",
			"need a mount namespace of the container's own");
	c->opts = arena_array(c->plan->arena, n, sizeof(*c->opts));
	c->targets = arena_array(c->plan->arena, n, sizeof(*c->targets));
	if (!c->opts || !c->targets)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		if (parse_one(c, i, err) < 0)
			return err_in(err, "mounts[%zu]", i);
	return 0;
}

/* ---- pieces ---- */

/* /proc and /sys themselves must be what they are called: no symlink may lead elsewhere. */
static unsigned follow(const struct mounting *m)
{
	bool strict = path_is_under(m->target, "/proc") || path_is_under(m->target, "/sys");

	return strict ? STEP_NOFOLLOW : 0;
}

static bool is_type(const struct mounting *m, const char *type)
{
	return str_eq(m->m->type, type);
}

/* A tmpfs that others are mounted in, and /dev which is filled by us, become read-only at the end.
 */
static bool late_readonly(const struct mounting *m)
{
	if (m->o->bind || m->o->remount || m->o->readonly != 1)
		return false;
	return is_type(m, "tmpfs") || str_eq(m->target, "/dev");
}

static void add_attach(struct compile *c, const struct mounting *m, int source, unsigned flags)
{
	struct plan_step *s = plan_step(c->plan, OP_ATTACH, m->place);

	s->source = source;
	s->s1 = m->target;
	s->flags = flags | follow(m);
	s->target_kind_by_source = true;
}

/* The fd of a stand-in that may have been needed or not. */
static void add_close(struct compile *c, int source)
{
	struct plan_step *s = plan_step(c->plan, OP_CLOSE, NULL);

	s->source = source;
	s->flags = STEP_SOFT;
}

struct pairs {
	const char **list;
	size_t n;
};

static void add_pair(struct pairs *p, const char *key, const char *value)
{
	p->list[p->n++] = key;
	p->list[p->n++] = value ? value : "";
}

/* SELinux takes a context on file systems that keep no labels of their own and aren't the kernel's
 * windows. */
static const char *context_label(struct compile *c, const struct mounting *m)
{
	static const char *const none[] = { "proc", "sysfs", "mqueue", "cgroup", "cgroup2" };
	const char *label = c->lin->mount_label;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (is_type(m, none[i]))
			return NULL;
	for (size_t i = 0; i < m->o->n_data; i++)
		if (str_eq(m->o->data[i].key, "context"))
			return NULL;
	return label && *label ? label : NULL;
}

static bool data_has(const struct mounting *m, const char *key)
{
	for (size_t i = 0; i < m->o->n_data; i++)
		if (str_eq(m->o->data[i].key, key))
			return true;
	return false;
}

/* Everything for fsconfig. `source` NULL: none (a reconfiguration). */
static struct pairs file_system_pairs(
	struct compile *c, const struct mounting *m, const char *source)
{
	enum { OURS = 6 };
	const struct mount_opts *o = m->o;
	struct pairs p = {
		arena_array(c->plan->arena, 2 * (o->n_data + o->n_sb + OURS), sizeof(*p.list)), 0
	};
	const char *label = context_label(c, m);

	if (!p.list)
		return p;
	if (source)
		add_pair(&p, "source", source);
	for (size_t i = 0; i < o->n_sb; i++)
		add_pair(&p, o->sb[i], NULL);
	for (size_t i = 0; i < o->n_data; i++)
		add_pair(&p, o->data[i].key, o->data[i].value);
	if (label && source)
		add_pair(&p, "context", label);
	/* A device that can't be written, or the file system as a whole on "remount". */
	if (o->readonly == 1 && (!source || *source == '/'))
		add_pair(&p, "ro", NULL);
	if (o->readonly == -1 && !source)
		add_pair(&p, "rw", NULL);
	return p;
}

/* ---- kinds ---- */

/* Without maps of its own an idmapped mount has those of the container, whose new user namespace
 * the parent takes them from; of a joined one they are known only if the specification repeats
 * them. */
static void set_maps(struct compile *c, const struct mounting *m, struct plan_source *s)
{
	bool repeated = m->o->idmap && !m->m->n_uid_mappings && !(c->fresh & CLONE_NEWUSER);

	s->uid_map = repeated ? c->lin->uid_mappings : m->m->uid_mappings;
	s->n_uid_map = repeated ? c->lin->n_uid_mappings : m->m->n_uid_mappings;
	s->gid_map = repeated ? c->lin->gid_mappings : m->m->gid_mappings;
	s->n_gid_map = repeated ? c->lin->n_gid_mappings : m->m->n_gid_mappings;
}

static int add_bind(struct compile *c, const struct mounting *m, struct err *err)
{
	const struct mount_opts *o = m->o;
	const char *path = m->m->source;
	int index;

	if (*path != '/')
		path = path_clean(c->plan->arena, compile_text(c, "%s/%s", c->facts->bundle, path));
	struct plan_source *s = plan_source(c->plan, SRC_TREE, path, m->place, &index);
	s->recursive = o->recursive;
	s->idmap = o->idmap;
	s->idmap_recursive = o->idmap_recursive;
	set_maps(c, m, s);
	s->attr_set = o->attr_set;
	s->attr_clr = o->attr_clr;
	s->rec_attr_set = o->rec_attr_set;
	s->rec_attr_clr = o->rec_attr_clr;
	s->propagation = o->propagation & ~(uint64_t)MS_REC;
	if (s->idmap && !s->n_uid_map && !(c->fresh & CLONE_NEWUSER))
		return err_set(err, ERR_INVALID, m->target,
			"an idmapped mount in a joined user namespace needs maps: its own, or linux.uidMappings and gidMappings");
	add_attach(c, m, index, 0);
	return 0;
}

/* Mounted by the parent: from the container's cgroup the device can't be opened, and needn't. */
static int add_block(struct compile *c, const struct mounting *m, const struct pairs *pairs)
{
	int index;
	struct plan_source *s = plan_source(c->plan, SRC_BLOCK, m->m->source, m->place, &index);

	s->fs_type = m->m->type;
	s->options = pairs->list ? pairs->list + 2 : NULL; /* "source" is the path */
	s->n_options = pairs->n ? pairs->n - 2 : 0;
	s->attr_set = m->o->attr_set | m->o->rec_attr_set;
	s->propagation = m->o->propagation & ~(uint64_t)MS_REC;
	add_attach(c, m, index, 0);
	return 0;
}

static int add_file_system(struct compile *c, const struct mounting *m, struct err *err)
{
	const struct mount_opts *o = m->o;
	const char *source = m->m->source && *m->m->source ? m->m->source : m->m->type;

	if (o->iversion)
		return err_set(err, ERR_UNSUPPORTED, m->target,
			"the option iversion can't be set on a new file system");
	struct pairs pairs = file_system_pairs(c, m, source);
	if (str_starts(source, "/dev/"))
		return add_block(c, m, &pairs);
	struct plan_step *s = plan_step(c->plan, OP_FSMOUNT, m->place);
	s->s1 = m->m->type;
	s->s2 = plan_list(c->plan, pairs.list, pairs.n, &s->n2);
	s->a = pairs.n / 2;
	s->s3 = m->target;
	s->b = o->attr_set | o->rec_attr_set;
	if (late_readonly(m))
		s->b &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	s->c = o->propagation & ~(uint64_t)MS_REC;
	s->flags = STEP_MAKE_DIR | follow(m);
	if (is_type(m, "tmpfs") && !data_has(m, "mode"))
		s->flags |= STEP_OWN;
	return 0;
}

/* The step added last failed where a stand-in may do: what comes next. */
static void else_next(struct compile *c)
{
	if (c->plan->n_steps)
		c->plan->steps[c->plan->n_steps - 1].flags |= STEP_ELSE;
}

static struct plan_source *host_tree(
	struct compile *c, const struct mounting *m, const char *path, int *ret_index)
{
	struct plan_source *s = plan_source(c->plan, SRC_TREE, path, m->place, ret_index);

	s->attr_set = m->o->attr_set | m->o->rec_attr_set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		      MOUNT_ATTR_NOEXEC;
	s->attr_clr = m->o->attr_clr & MOUNT_ATTR__ATIME;
	return s;
}

/* sysfs belongs to the network namespace: from a user namespace that doesn't own that, only the
 * host's can be shown, and not written. */
static int add_sysfs(struct compile *c, const struct mounting *m, struct err *err)
{
	int index;

	if (!compile_private(c, CLONE_NEWUSER) || (c->fresh & CLONE_NEWNET))
		return add_file_system(c, m, err);
	struct plan_source *s = host_tree(c, m, "/sys", &index);
	s->recursive = true;
	s->rec_attr_set = s->attr_set | MOUNT_ATTR_RDONLY;
	s->attr_set |= MOUNT_ATTR_RDONLY;
	if (add_file_system(c, m, err) < 0)
		return -1;
	else_next(c);
	add_attach(c, m, index, 0);
	add_close(c, index);
	return 0;
}

/* The container's own group, from the host's tree. */
static int add_own_cgroup(struct compile *c, const struct mounting *m, struct err *err)
{
	int index;

	if (!c->facts->cgroup_root || !c->facts->cgroup_path)
		return err_set(err, ERR_UNSUPPORTED, m->target,
			"without a cgroup namespace and a cgroup of its own there is nothing to mount");
	host_tree(c, m, compile_text(c, "%s%s", c->facts->cgroup_root, c->facts->cgroup_path),
		&index);
	add_attach(c, m, index, 0);
	add_close(c, index);
	return 0;
}

/* The host's tree, read-only whatever was asked: limits of others are set there. The own group may
 * be written. */
static int add_host_cgroups(struct compile *c, const struct mounting *m, struct err *err)
{
	struct mounting own = *m;
	int index;

	if (!c->facts->cgroup_root)
		return err_set(
			err, ERR_UNSUPPORTED, m->target, "this host has no cgroup2 hierarchy");
	host_tree(c, m, c->facts->cgroup_root, &index)->attr_set |= MOUNT_ATTR_RDONLY;
	add_attach(c, m, index, 0);
	if (m->o->readonly == 1 || !c->facts->cgroup_path)
		return 0;
	own.target = compile_text(c, "%s%s", m->target, c->facts->cgroup_path);
	host_tree(c, m, compile_text(c, "%s%s", c->facts->cgroup_root, c->facts->cgroup_path),
		&index);
	add_attach(c, &own, index, 0);
	return 0;
}

/* Always the v2 tree, also for the type "cgroup" (which engines write for both). */
static int add_cgroup(struct compile *c, const struct mounting *m, struct err *err)
{
	struct oci_mount mount = *m->m;
	struct mounting as_v2 = *m;

	if (!compile_private(c, CLONE_NEWCGROUP))
		return add_host_cgroups(c, m, err);
	mount.type = "cgroup2";
	as_v2.m = &mount;
	if (add_file_system(c, &as_v2, err) < 0)
		return -1;
	/* A joined namespace may belong to another user namespace, from where no cgroup2 can be
	 * mounted. */
	if (!(c->joined & CLONE_NEWCGROUP) || !c->facts->cgroup_path)
		return 0;
	else_next(c);
	return add_own_cgroup(c, m, err);
}

/* uid= and gid= are the container's numbers; the parent mounts with the host's. */
static const char *host_id(
	struct compile *c, const char *text, const struct oci_id_map *map, size_t n)
{
	uint64_t id;

	if (!(c->fresh & CLONE_NEWUSER) || parse_u64(text, UINT32_MAX, &id) < 0)
		return text;
	for (size_t i = 0; i < n; i++)
		if (id >= map[i].container_id && id - map[i].container_id < map[i].size)
			return compile_text(c, "%llu",
				(unsigned long long)(map[i].host_id + (id - map[i].container_id)));
	return text;
}

/* A tmpfs of the parent's, which copies what is below into it while init waits. */
static int add_copied_tmpfs(struct compile *c, const struct mounting *m, struct err *err)
{
	const struct oci_linux *l = c->lin;
	struct pairs pairs = file_system_pairs(c, m, "tmpfs");
	int index;

	if (pairs.list && !data_has(m, "uid"))
		add_pair(&pairs, "uid", "0");
	if (pairs.list && !data_has(m, "gid"))
		add_pair(&pairs, "gid", "0");
	for (size_t i = 0; i < pairs.n; i += 2) {
		if (str_eq(pairs.list[i], "uid"))
			pairs.list[i + 1] =
				host_id(c, pairs.list[i + 1], l->uid_mappings, l->n_uid_mappings);
		if (str_eq(pairs.list[i], "gid"))
			pairs.list[i + 1] =
				host_id(c, pairs.list[i + 1], l->gid_mappings, l->n_gid_mappings);
	}
	struct plan_source *s = plan_source(c->plan, SRC_TMPFS, m->target, m->place, &index);
	s->options =
		pairs.list ? pairs.list + 2 : NULL; /* without "source", which the parent gives */
	s->n_options = pairs.n ? pairs.n - 2 : 0;
	s->attr_set = (m->o->attr_set | m->o->rec_attr_set) & ~(uint64_t)MOUNT_ATTR_RDONLY;
	s->attr_clr = m->o->attr_clr;
	s->propagation = m->o->propagation & ~(uint64_t)MS_REC;
	struct plan_step *step = plan_step(c->plan, OP_MKDIR, m->place);
	step->s1 = m->target;
	step->a = 0755;
	step = plan_step(c->plan, OP_SYNC, m->place);
	step->s1 = m->target;
	step->flags = STEP_SEND_TARGET;
	add_attach(c, m, index, 0);
	return 0;
}

static int add_tmpfs(struct compile *c, const struct mounting *m, struct err *err)
{
	return m->o->tmpcopyup ? add_copied_tmpfs(c, m, err) : add_file_system(c, m, err);
}

static void add_setattr(struct compile *c, const struct mounting *m, uint64_t set, uint64_t clr,
	uint64_t propagation, unsigned flags)
{
	if (!set && !clr && !propagation)
		return;
	struct plan_step *s = plan_step(c->plan, OP_SETATTR, m->place);
	s->s1 = m->target;
	s->a = set;
	s->b = clr;
	s->c = propagation & ~(uint64_t)MS_REC;
	s->flags = flags | follow(m);
}

static void change_attributes(struct compile *c, const struct mounting *m)
{
	const struct mount_opts *o = m->o;

	add_setattr(c, m, o->rec_attr_set, o->rec_attr_clr, 0, STEP_RECURSIVE);
	add_setattr(c, m, o->attr_set, o->attr_clr, 0, 0);
	add_setattr(c, m, 0, 0, o->propagation, o->propagation & MS_REC ? STEP_RECURSIVE : 0);
}

static int add_remount(struct compile *c, const struct mounting *m, struct err *err)
{
	struct pairs pairs = file_system_pairs(c, m, NULL);

	if (pairs.n && !m->o->bind) {
		struct plan_step *s = plan_step(c->plan, OP_RECONFIG, m->place);
		s->s1 = m->target;
		s->s2 = plan_list(c->plan, pairs.list, pairs.n, &s->n2);
		s->a = pairs.n / 2;
		s->flags = follow(m);
	}
	change_attributes(c, m);
	return 0;
}

/* Type "none" without bind: only what is there changes. */
static int add_change(struct compile *c, const struct mounting *m, struct err *err)
{
	if (!m->o->propagation && !m->o->attr_set && !m->o->attr_clr && !m->o->rec_attr_set &&
		!m->o->rec_attr_clr)
		return err_set(err, ERR_INVALID, m->target,
			"a mount of type none needs bind, remount, or a flag to change");
	change_attributes(c, m);
	return 0;
}

static const struct {
	const char *type;
	mount_kind *add;
} kinds[] = {
	{ "sysfs", add_sysfs },
	{ "cgroup", add_cgroup },
	{ "cgroup2", add_cgroup },
	{ "tmpfs", add_tmpfs },
	{ "none", add_change },
};

static int add_mount(struct compile *c, const struct mounting *m, struct err *err)
{
	if (m->o->remount)
		return add_remount(c, m, err);
	if (m->o->bind)
		return add_bind(c, m, err);
	if (!m->m->type || !*m->m->type)
		return add_change(c, m, err);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (is_type(m, kinds[i].type))
			return kinds[i].add(c, m, err);
	return add_file_system(c, m, err);
}

static struct mounting mounting_of(struct compile *c, size_t i)
{
	return (struct mounting){
		.i = i,
		.m = &c->spec->mounts[i],
		.o = &c->opts[i],
		.target = c->targets[i],
		.place = compile_text(c, "mounts[%zu]", i),
	};
}

/* ---- public ---- */

int mounts_all(struct compile *c, struct err *err)
{
	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		struct mounting m = mounting_of(c, i);
		if (add_mount(c, &m, err) < 0)
			return err_in(err, "%s", m.place);
	}
	return 0;
}

int mounts_late_readonly(struct compile *c, struct err *err)
{
	for (size_t i = 0; i < c->spec->n_mounts; i++) {
		struct mounting m = mounting_of(c, i);
		if (late_readonly(&m))
			add_setattr(c, &m, MOUNT_ATTR_RDONLY, 0, 0, 0);
	}
	return 0;
}
