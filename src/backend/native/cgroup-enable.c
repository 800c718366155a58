/* SPDX-License-Identifier: Apache-2.0 */
/* Which controllers resources need, and passing them on from the root down to the parent of a
 * group. */
#include "cgroup-impl.h"

#include <fcntl.h>
#include <string.h>

int cgroup_needs_of(const struct cgroup_values *values, struct cgroup_needs *needs, struct err *err)
{
	char name[CGROUP_CONTROLLER_MAX];

	for (size_t i = 0; i < values->n; i++) {
		const struct cgroup_value *v = &values->items[i];
		size_t k = 0;

		if ((v->flags & CGROUP_NOOP) || !*cgroup_controller_of(v->file, name, sizeof(name)))
			continue;
		while (k < needs->n && !str_eq(needs->items[k].name, name))
			k++;
		if (k < needs->n)
			continue;
		if (k == CGROUP_NEED_MAX)
			return err_set(err, ERR_UNSUPPORTED, "unified", "too many controllers");
		struct cgroup_need *need = &needs->items[needs->n++];
		memcpy(need->name, name, sizeof(name));
		need->place = v->place;
		need->unified = (v->flags & CGROUP_UNIFIED) ? v->file : NULL;
	}
	return 0;
}

/* The place is told in the text: what is wrong is neither the value nor the path, but both
 * together. */
static int need_missing(const struct cgroup_need *need, const char *group, struct err *err)
{
	char hint[sizeof(err->hint)];

	cgroup_no_controller(err, need->name, group);
	memcpy(hint, err->hint, sizeof(hint));
	if (need->unified)
		err_set(err, ERR_UNSUPPORTED, NULL,
			"unified resource \"%s\" can't be set: controller \"%s\" not available in %s",
			need->unified, need->name, group);
	else
		err_set(err, ERR_UNSUPPORTED, NULL,
			"controller \"%s\" is not available in %s (resources.%s needs it)",
			need->name, group, need->place);
	return err_hint(err, "%s", hint);
}

static int enable_failed(const struct cgroup_need *need, int os, const char *group, struct err *err)
{
	if (os == EBUSY || os == EOPNOTSUPP) {
		err_set(err, ERR_STATE, NULL,
			"controller \"%s\" (resources.%s needs it) cannot be enabled beneath %s: parent has processes%s",
			need->name, need->place, group, os == EBUSY ? "" : ", or is threaded");
		return err_hint(err,
			"cgroup v2 passes controllers on only from groups without processes of their own: give a linux.cgroupsPath elsewhere");
	}
	if (os == ENOENT || os == EINVAL)
		return need_missing(need, group, err);
	return cgroup_fail(err, os, "enabling a controller", group);
}

/* True if the group has processes of its own, or is a part of a threaded subtree. The kernel itself
 * refuses only some controllers then: for cpu and pids it would turn the group into a root of
 * threads, and make the children unfit for processes. The real root is exempt, and known by having
 * no type. */
static bool is_inhabited(int fd)
{
	char text[64];

	if (cgroup_get(fd, "cgroup.type", text, sizeof(text)) < 0)
		return false;
	return !str_eq(text, "domain\n") || cgroup_get(fd, "cgroup.procs", text, sizeof(text)) != 0;
}

/* Enables what is needed in one group for its children. group is its path for messages. */
static int enable_in(int fd, const char *group, const struct cgroup_needs *needs, struct err *err)
{
	char have[CGROUP_FILE_MAX], can[CGROUP_FILE_MAX], text[1024];
	const struct cgroup_need *missing[CGROUP_NEED_MAX];
	size_t n_missing = 0, n = 0;

	if (cgroup_get(fd, "cgroup.subtree_control", have, sizeof(have)) < 0)
		return cgroup_fail(err, errno, "reading cgroup.subtree_control", group);
	for (size_t i = 0; i < needs->n; i++)
		if (!cgroup_has_word(have, needs->items[i].name))
			missing[n_missing++] = &needs->items[i];
	if (n_missing == 0)
		return 0;
	if (cgroup_get(fd, "cgroup.controllers", can, sizeof(can)) < 0)
		return cgroup_fail(err, errno, "reading cgroup.controllers", group);
	for (size_t i = 0; i < n_missing; i++) {
		if (!cgroup_has_word(can, missing[i]->name))
			return need_missing(missing[i], group, err);
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%s+%s", n ? " " : "", missing[i]->name);
	}
	if (is_inhabited(fd))
		return enable_failed(missing[0], EBUSY, group, err);
	if (file_put(fd, "cgroup.subtree_control", text) == 0)
		return 0;
	/* One that can't be enabled refuses all: find it. */
	for (size_t i = 0; i < n_missing; i++) {
		(void)snprintf(text, sizeof(text), "+%s", missing[i]->name);
		if (file_put(fd, "cgroup.subtree_control", text) < 0)
			return enable_failed(missing[i], errno, group, err);
	}
	return 0;
}

/* From the root down to the parent, each in turn, unless the parent has them already. */
int cgroup_enable(int root, int parent_fd, const char *parent, const struct cgroup_needs *needs,
	struct err *err)
{
	char have[CGROUP_FILE_MAX], group[PATH_MAX] = "/";
	_close_ int fd = FD_NONE;
	bool all = true;

	if (needs->n == 0)
		return 0;
	if (cgroup_get(parent_fd, "cgroup.subtree_control", have, sizeof(have)) >= 0)
		for (size_t i = 0; i < needs->n && all; i++)
			all = cgroup_has_word(have, needs->items[i].name);
	else
		all = false;
	if (all)
		return 0;
	if (enable_in(root, "/", needs, err) < 0)
		return -1;
	for (size_t n = 0; !str_eq(parent, ".") && parent[n];) {
		n += strspn(parent + n, "/");
		n += strcspn(parent + n, "/");
		memcpy(group + 1, parent, n);
		group[n + 1] = '\0';
		fd_close(fd);
		fd = cgroup_openat(root, group + 1, O_PATH | O_DIRECTORY);
		if (fd < 0)
			return cgroup_fail(err, errno, "open", group);
		if (enable_in(fd, group, needs, err) < 0)
			return -1;
	}
	return 0;
}
