/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root filesystem: a copy of root.path's tree is attached over "/" of the new mount namespace
 * and becomes its root with pivot_root; no path of the host is looked up twice. Masks and read-only
 * paths come after the pivot, when nothing of the host is mounted any more, and after the
 * createContainer hooks, which may still change the root filesystem.
 *
 * Without a mount namespace of its own, or in a joined one, the container is only chrooted.
 */
#include "backend/native/compile.h"
#include "base/path.h"
#include "base/sys.h"

static bool own_mounts(const struct compile *c)
{
	return c->fresh & CLONE_NEWNS;
}

static const char *root_path(struct compile *c)
{
	const char *path = c->spec->root->path;

	return *path == '/' ? path
			    : path_clean(c->plan->arena,
				      compile_text(c, "%s/%s", c->facts->bundle, path));
}

static bool is_private(int propagation)
{
	return propagation == OCI_PROPAGATION_PRIVATE || propagation == OCI_PROPAGATION_RPRIVATE ||
	       propagation == OCI_PROPAGATION_UNBINDABLE ||
	       propagation == OCI_PROPAGATION_RUNBINDABLE;
}

/* As chroot has it; the path is that of the joined namespace, if there is one. */
static void open_in_place(struct compile *c)
{
	int index = -1;

	if (!(c->joined & CLONE_NEWNS))
		plan_source(c->plan, SRC_DIR, root_path(c), "root.path", &index);
	struct plan_step *s = plan_step(c->plan, OP_ROOT, "root.path");
	s->source = index;
	s->s1 = index < 0 ? root_path(c) : NULL;
	s->flags = STEP_IN_PLACE;
}

/* Host mounts reach the container as slaves unless asked otherwise, never the other way round: also
 * a shared root is attached as a slave, and shared only when it is alone. */
int rootfs_open(struct compile *c, struct err *err)
{
	int propagation = is_private(c->lin->rootfs_propagation) ? MS_PRIVATE : MS_SLAVE;
	int index;

	if (!own_mounts(c)) {
		open_in_place(c);
		return 0;
	}
	struct plan_step *s = plan_step(c->plan, OP_PROPAGATE, "linux.rootfsPropagation");
	s->a = (uint64_t)propagation;
	s->flags = STEP_RECURSIVE;
	struct plan_source *source =
		plan_source(c->plan, SRC_ROOT, root_path(c), "root.path", &index);
	source->recursive = true;
	source->propagation = (uint64_t)propagation;
	plan_step(c->plan, OP_ROOT, "root.path")->source = index;
	return 0;
}

/* A process that is added: the namespaces brought the root with them, unless the container is only
 * chrooted. */
int rootfs_exec(struct compile *c, struct err *err)
{
	if (own_mounts(c))
		return 0;
	open_in_place(c);
	plan_step(c->plan, OP_PIVOT, "root.path")->flags = STEP_CHROOT;
	return 0;
}

int rootfs_pivot(struct compile *c, struct err *err)
{
	struct plan_step *s = plan_step(c->plan, OP_PIVOT, "root.path");

	if (!own_mounts(c) || c->facts->no_pivot)
		s->flags = STEP_CHROOT;
	return 0;
}

static int need_mounts(struct compile *c, const char *what, struct err *err)
{
	if (compile_private(c, CLONE_NEWNS))
		return 0;
	return err_set(err, ERR_INVALID, what, "needs a mount namespace of the container's own");
}

static void add_close(struct compile *c, int source)
{
	struct plan_step *s = plan_step(c->plan, OP_CLOSE, NULL);

	s->source = source;
	s->flags = STEP_SOFT;
}

/* Files under a /dev/null that the parent verified, directories under one empty read-only tmpfs. */
int rootfs_masks(struct compile *c, struct err *err)
{
	int null, empty;

	if (!c->lin->n_masked_paths)
		return 0;
	if (need_mounts(c, "linux.maskedPaths", err) < 0)
		return -1;
	/* Read-only, or the container's root could change owner and mode of the host's own node. */
	plan_source(c->plan, SRC_NULL, "/dev/null", "linux.maskedPaths", &null)->attr_set =
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	plan_source(c->plan, SRC_EMPTY, "an empty folder", "linux.maskedPaths", &empty);
	for (size_t i = 0; i < c->lin->n_masked_paths; i++) {
		const char *place = compile_text(c, "linux.maskedPaths[%zu]", i);
		struct plan_step *s = plan_step(c->plan, OP_MASK, place);
		s->source = null;
		s->source2 = empty;
		s->s1 = c->lin->masked_paths[i];
		s->flags = STEP_OPTIONAL;
	}
	add_close(c, null);
	add_close(c, empty);
	return 0;
}

int rootfs_readonly_paths(struct compile *c, struct err *err)
{
	if (c->lin->n_readonly_paths && need_mounts(c, "linux.readonlyPaths", err) < 0)
		return -1;
	for (size_t i = 0; i < c->lin->n_readonly_paths; i++) {
		const char *place = compile_text(c, "linux.readonlyPaths[%zu]", i);
		struct plan_step *s = plan_step(c->plan, OP_BIND, place);
		s->s1 = c->lin->readonly_paths[i];
		s->a = MOUNT_ATTR_RDONLY;
		s->flags = STEP_OPTIONAL | STEP_RECURSIVE;
	}
	return 0;
}

static int add_root_setattr(
	struct compile *c, uint64_t set, uint64_t propagation, const char *place, struct err *err)
{
	if (!own_mounts(c))
		return err_set(err, ERR_INVALID, place, "needs a new mount namespace");
	struct plan_step *s = plan_step(c->plan, OP_SETATTR, place);
	s->s1 = "/";
	s->a = set;
	s->c = propagation;
	return 0;
}

int rootfs_readonly(struct compile *c, struct err *err)
{
	return c->spec->root->readonly
		       ? add_root_setattr(c, MOUNT_ATTR_RDONLY, 0, "root.readonly", err)
		       : 0;
}

/* Slave and private were set when the tree was copied. */
int rootfs_propagation(struct compile *c, struct err *err)
{
	uint64_t propagation = 0;

	switch (c->lin->rootfs_propagation) {
	case OCI_PROPAGATION_UNSET: return 0;
	case OCI_PROPAGATION_SHARED:
	case OCI_PROPAGATION_RSHARED: propagation = MS_SHARED; break;
	case OCI_PROPAGATION_UNBINDABLE:
	case OCI_PROPAGATION_RUNBINDABLE: propagation = MS_UNBINDABLE; break;
	default:
		return own_mounts(c) ? 0
				     : add_root_setattr(c, 0, 0, "linux.rootfsPropagation", err);
	}
	return add_root_setattr(c, 0, propagation, "linux.rootfsPropagation", err);
}
