/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev: the nodes and links that every container has, and linux.devices. Skipped when /dev is a
 * bind mount: then it is the host's business. Nodes can't be made inside a user namespace; there
 * the host's own are bound, checked to be what was asked for.
 */
#include "backend/native/compile.h"
#include "base/path.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct node {
	const char *path, *place;
	uint32_t mode; /* type and permissions */
	uint64_t dev;
	uint32_t uid, gid;
};

static const struct {
	const char *path;
	unsigned major, minor;
} defaults[] = {
	{ "/dev/null", 1, 3 },
	{ "/dev/zero", 1, 5 },
	{ "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 },
	{ "/dev/urandom", 1, 9 },
	{ "/dev/tty", 5, 0 },
};

static const struct {
	const char *name, *to;
	unsigned flags;
} links[] = {
	{ "fd", "/proc/self/fd", 0 },
	{ "stdin", "/proc/self/fd/0", 0 },
	{ "stdout", "/proc/self/fd/1", 0 },
	{ "stderr", "/proc/self/fd/2", 0 },
	{ "ptmx", "pts/ptmx", STEP_REPLACE },
};

static void bind_node(struct compile *c, const struct node *n)
{
	int index;
	struct plan_source *source = plan_source(c->plan, SRC_DEVICE, n->path, n->place, &index);

	source->mode = n->mode;
	source->dev = n->dev;
	struct plan_step *s = plan_step(c->plan, OP_ATTACH, n->place);
	s->source = index;
	s->s1 = n->path;
	s->flags = STEP_MAKE_FILE | STEP_NOFOLLOW;
}

static void make_node(struct compile *c, const struct node *n)
{
	const char *slash = strrchr(n->path, '/');
	struct plan_step *s = plan_step(c->plan, OP_MKNOD, n->place);

	s->s1 = slash == n->path ? "/" : compile_text(c, "%.*s", (int)(slash - n->path), n->path);
	s->s2 = slash + 1;
	s->a = n->mode;
	s->b = n->dev;
	s->c = (uint64_t)n->uid << 32 | n->gid;
	s->flags = STEP_NOFOLLOW;
}

static void add_node(struct compile *c, const struct node *n)
{
	if (compile_private(c, CLONE_NEWUSER) && !S_ISFIFO(n->mode))
		bind_node(c, n);
	else
		make_node(c, n);
}

/* Cleaned path of a device of the specification; its own node takes the place of a default one. */
static bool is_listed(struct compile *c, const char *path)
{
	for (size_t i = 0; i < c->lin->n_devices; i++) {
		const char *listed = path_clean(c->plan->arena, c->lin->devices[i].path);
		if (str_eq(listed, path))
			return true;
	}
	return false;
}

static int device_type(const char *type, uint32_t *ret_mode)
{
	static const struct {
		const char *name;
		uint32_t mode;
	} types[] = { { "c", S_IFCHR }, { "u", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(type, types[i].name)) {
			*ret_mode = types[i].mode;
			return 0;
		}
	return -1;
}

static int add_device(struct compile *c, size_t i, struct err *err)
{
	const struct oci_device *d = &c->lin->devices[i];
	struct node n = { .place = compile_text(c, "linux.devices[%zu]", i) };

	n.path = path_clean(c->plan->arena, d->path);
	if (!n.path)
		return err_nomem(err);
	if (str_eq(n.path, "/dev/ptmx"))
		return 0; /* always a link to the container's own devpts */
	if (device_type(d->type, &n.mode) < 0)
		return err_set(err, ERR_INVALID, n.path, "the type must be one of c, u, b, p");
	if (!S_ISFIFO(n.mode) && (!d->major || !d->minor || *d->major < 0 || *d->minor < 0))
		return err_set(err, ERR_INVALID, n.path, "major and minor are needed");
	if (str_eq(n.path, "/"))
		return err_set(err, ERR_INVALID, n.path, "isn't the path of a device");
	n.dev = S_ISFIFO(n.mode) ? 0 : makedev((unsigned)*d->major, (unsigned)*d->minor);
	n.mode |= d->file_mode ? *d->file_mode & 07777 : 0666;
	n.uid = d->uid ? *d->uid : 0;
	n.gid = d->gid ? *d->gid : 0;
	add_node(c, &n);
	return 0;
}

static void add_link(struct compile *c, const char *name, const char *to, unsigned flags)
{
	struct plan_step *s = plan_step(c->plan, OP_SYMLINK, NULL);

	s->s1 = "/dev";
	s->s2 = name;
	s->s3 = to;
	s->flags = flags | STEP_NOFOLLOW;
}

int nodes_all(struct compile *c, struct err *err)
{
	if (c->dev_is_bound)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const struct node n = { .path = defaults[i].path,
			.mode = S_IFCHR | 0666,
			.dev = makedev(defaults[i].major, defaults[i].minor) };
		if (!is_listed(c, n.path))
			add_node(c, &n);
	}
	for (size_t i = 0; i < c->lin->n_devices; i++)
		if (add_device(c, i, err) < 0)
			return err_in(err, "linux.devices[%zu]", i);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		add_link(c, links[i].name, links[i].to, links[i].flags);
	if (c->facts->kcore)
		add_link(c, "core", "/proc/kcore", 0);
	return 0;
}
