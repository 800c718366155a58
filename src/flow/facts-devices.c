/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes: those that a request names, and for a privileged container the host's. */
#include "flow/facts-look.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, NODES_MAX = 16384, FIRST = 64 };

/* ---- a folder ---- */

struct walk {
	struct arena *arena;
	const char *access;
	enum facts_walk how;
	dev_t dev;
	struct facts_device_list *list;
};

/* 0 for what is no device. */
static char type_of(mode_t mode)
{
	return S_ISBLK(mode) ? 'b' : S_ISCHR(mode) ? 'c' : S_ISFIFO(mode) ? 'p' : 0;
}

static int add_device(struct facts_device_list *list, const char *container_path,
	const char *access, const struct stat *st, struct err *err)
{
	bool node = !S_ISFIFO(st->st_mode);

	if (list->n == NODES_MAX)
		return err_set(err, ERR_EXHAUSTED, container_path,
			"more than %d devices in one container", NODES_MAX);
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : FIRST;
		void *bigger = realloc(list->items, mem_array(cap, sizeof(*list->items)));
		if (!bigger)
			return err_nomem(err);
		list->items = bigger;
		list->cap = cap;
	}
	list->items[list->n++] = (struct spec_device_fact){
		.container_path = container_path,
		.access = access,
		.type = type_of(st->st_mode),
		.major = node ? major(st->st_rdev) : 0,
		.minor = node ? minor(st->st_rdev) : 0,
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
	return 0;
}

/* Made anew for every container, or nobody's business but the host's. */
static bool is_left_out(const struct walk *w, const char *name)
{
	static const char *const names[] = { "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts",
		".udev", "console" };

	if (str_eq(name, ".") || str_eq(name, ".."))
		return true;
	for (size_t i = 0; w->how == FACTS_WALK_HOST && i < ARRAY_SIZE(names); i++) {
		if (str_eq(name, names[i]))
			return true;
	}
	return false;
}

static int walk_folder(
	struct walk *w, int fd, const char *container_path, int depth, struct err *err);

static int walk_entry(struct walk *w, int dir_fd, const struct dirent *e,
	const char *container_path, int depth, struct err *err)
{
	struct stat st;
	char *path;

	if (e->d_type == DT_LNK || e->d_type == DT_REG || e->d_type == DT_SOCK ||
		is_left_out(w, e->d_name))
		return 0;
	/* What goes away in between was no device to be given. */
	if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "stat", "%s", e->d_name);
	if (!S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return 0;
	path = arena_printf(w->arena, "%s/%s", container_path, e->d_name);
	if (!path)
		return err_nomem(err);
	if (!S_ISDIR(st.st_mode))
		return add_device(w->list, path, w->access, &st, err);
	if (st.st_dev != w->dev)
		return 0;
	if (depth == DEPTH_MAX)
		return err_set(err, ERR_EXHAUSTED, path, "folders are nested too deeply");
	int fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", e->d_name);
	return walk_folder(w, fd, path, depth + 1, err);
}

/* Takes the fd. */
static int walk_folder(
	struct walk *w, int fd, const char *container_path, int depth, struct err *err)
{
	_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		int saved = errno;
		fd_close(fd);
		return err_sys(err, saved, "opendir", "%s", container_path);
	}
	while ((errno = 0, e = readdir(dir))) {
		if (walk_entry(w, dirfd(dir), e, container_path, depth, err) < 0)
			return -1;
	}
	return errno ? err_sys(err, errno, "readdir", "%s", container_path) : 0;
}

int facts_walk_devices(struct arena *arena, const char *path, const char *container_path,
	const char *access, enum facts_walk how, struct facts_device_list *list, struct err *err)
{
	struct walk w = { .arena = arena, .access = access, .how = how, .list = list };
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	if (fstat(fd, &st) < 0) {
		int saved = errno;
		fd_close(fd);
		return err_sys(err, saved, "fstat", "%s", path);
	}
	w.dev = st.st_dev;
	return walk_folder(&w, fd, container_path, 0, err);
}

/* ---- config.devices ---- */

static int look_at_folder(struct facts_look *l, const struct cri_device *d, const char *field,
	const char *access, struct facts_device_list *list, struct err *err)
{
	const char *to = d->container_path && *d->container_path ? d->container_path : d->host_path;
	size_t n = strlen(to), before = list->n;
	struct err why = ERR_INIT;

	while (n > 1 && to[n - 1] == '/')
		n--;
	char *prefix = arena_strndup(l->arena, to, n);
	if (!prefix)
		return err_nomem(err);
	if (facts_walk_devices(l->arena, d->host_path, prefix, access, FACTS_WALK_ALL, list, &why) <
		0) {
		if (why.code != ERR_EXHAUSTED || !why.text[0]) {
			*err = why;
			return -1;
		}
		ctr_fault_add(
			l->faults, ERR_EXHAUSTED, field, "%.150s: %s", d->host_path, why.text);
	} else if (list->n == before) {
		ctr_fault_add(l->faults, ERR_NOT_FOUND, field, "no device is in the folder %.200s",
			d->host_path);
	}
	return 0;
}

static int look_at_device(
	struct facts_look *l, size_t i, struct facts_device_list *list, struct err *err)
{
	const struct cri_device *d = &l->in->config->devices[i];
	const char *field = facts_field(l, "config.devices[%zu].host_path", i);
	const char *access = d->permissions && *d->permissions ? d->permissions : "rwm";
	struct stat st;

	if (!d->host_path || d->host_path[0] != '/') {
		ctr_fault_add(l->faults, ERR_INVALID, field, "must be an absolute path");
		return 0;
	}
	if (stat(d->host_path, &st) < 0)
		return facts_fault_os(l, errno, field, d->host_path, err);
	if (S_ISDIR(st.st_mode))
		return look_at_folder(l, d, field, access, list, err);
	if (!type_of(st.st_mode)) {
		ctr_fault_add(l->faults, ERR_INVALID, field, "%.200s is no device", d->host_path);
		return 0;
	}
	return add_device(list,
		d->container_path && *d->container_path ? d->container_path : d->host_path, access,
		&st, err);
}

/* ---- both ---- */

static int keep(struct arena *arena, struct facts_device_list *list,
	const struct spec_device_fact **ret, size_t *ret_n, struct err *err)
{
	struct spec_device_fact *kept = arena_array(arena, list->n, sizeof(*kept));

	if (!kept)
		return err_nomem(err);
	if (list->n)
		memcpy(kept, list->items, list->n * sizeof(*kept));
	*ret = kept;
	*ret_n = list->n;
	return 0;
}

static void list_done(struct facts_device_list *list)
{
	free(list->items);
}

int facts_devices(struct facts_look *l, struct err *err)
{
	_cleanup_(list_done) struct facts_device_list own = { 0 }, host = { 0 };

	for (size_t i = 0; i < l->in->config->n_devices; i++) {
		if (look_at_device(l, i, &own, err) < 0)
			return -1;
	}
	if (l->privileged && facts_walk_devices(l->arena, "/dev", "/dev", "rwm", FACTS_WALK_HOST,
				     &host, err) < 0)
		return -1;
	if (keep(l->arena, &own, &l->facts->devices, &l->facts->n_devices, err) < 0)
		return -1;
	return keep(l->arena, &host, &l->facts->host_devices, &l->facts->n_host_devices, err);
}
