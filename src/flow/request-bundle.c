/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a container made from a request: root filesystem, image volumes, bundle; and its
 * end. */
#include "flow/request.h"

#include "base/path.h"
#include "base/str.h"
#include "flow/facts.h"
#include "model/cri.h"
#include "store/requests.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

const char *making_folder(struct making *m, struct err *err)
{
	_free_ char *data = realpath(m->engine->data, NULL);
	const char *path = arena_printf(
		m->arena, "%s/containers/%s", data ? data : m->engine->data, m->rec.id);

	if (!path)
		err_nomem(err);
	return path;
}

/* ---- mounts ---- */

static int make_folder(int at, const char *name, int *ret_fd, struct err *err)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "%s", name);
	*ret_fd = openat(at, name, dir_flags);
	return *ret_fd < 0 ? err_sys(err, errno, "open", "%s", name) : 0;
}

static const struct cri_user_namespace *userns(const struct making *m)
{
	const struct cri_user_namespace *u = cri_pod_namespaces(m->sandbox->config)->userns_options;

	return u && u->mode == CRI_NS_POD ? u : NULL;
}

static struct oci_id_map *oci_maps(struct arena *a, const struct cri_id_mapping *maps, size_t n)
{
	struct oci_id_map *r = arena_array(a, n, sizeof(*r));

	for (size_t i = 0; r && i < n; i++)
		r[i] = (struct oci_id_map){ maps[i].container_id, maps[i].host_id, maps[i].length };
	return r;
}

uint32_t making_host_id(const struct making *m, uint32_t id, bool is_uid)
{
	const struct cri_user_namespace *u = userns(m);
	uint32_t host = id;

	if (!u)
		return id;
	const struct cri_id_mapping *maps = is_uid ? u->uids : u->gids;
	for (size_t i = 0; i < (is_uid ? u->n_uids : u->n_gids); i++) {
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].length)
			host = maps[i].host_id + (id - maps[i].container_id);
	}
	return host;
}

static int mount_image(
	struct making *m, const struct ctr_image_record *image, int dir_fd, struct err *err)
{
	const struct cri_user_namespace *u = userns(m);
	struct rootfs_job job = { .image = image, .dir_fd = dir_fd };

	if (u) {
		job.uid_map = oci_maps(m->arena, u->uids, u->n_uids);
		job.gid_map = oci_maps(m->arena, u->gids, u->n_gids);
		job.n_uid_map = u->n_uids;
		job.n_gid_map = u->n_gids;
		if (arena_failed(m->arena))
			return err_nomem(err);
	}
	return rootfs_mount(&m->images, &job, err);
}

static int mount_volume(struct making *m, size_t i, int images_fd, struct err *err)
{
	const struct cri_mount *mount = &m->config->mounts[i];
	struct ctr_image_record image;
	char name[24];

	if (image_find(&m->images, mount->image->image, m->arena, &image, err) < 0) {
		char line[400];
		err_line(err, line, sizeof(line));
		return err_set(err, err->code, "ImageVolumeMountFailed", "%.300s", line);
	}
	snprintf(name, sizeof(name), "%zu", i);
	m->image_mounts[i] = arena_printf(m->arena, "%s/images/%s", m->folder, name);
	m->image_fds[i] = mount_image(m, &image, FD_NONE, err);
	if (m->image_fds[i] < 0 || !m->image_mounts[i])
		return m->image_fds[i] < 0 ? -1 : err_nomem(err);
	if (m->explains)
		return 0;
	if (mkdirat(images_fd, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "images/%s", name);
	return rootfs_attach(m->image_fds[i], images_fd, name, err);
}

static int mount_volumes(struct making *m, struct err *err)
{
	const size_t n = m->config->n_mounts;
	_close_ int images_fd = FD_NONE;

	m->image_mounts = arena_array(m->arena, n, sizeof(*m->image_mounts));
	m->image_fds = arena_array(m->arena, n, sizeof(*m->image_fds));
	if (!m->image_mounts || !m->image_fds)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		m->image_fds[i] = FD_NONE;
	for (size_t i = 0; i < n; i++) {
		if (!m->config->mounts[i].image)
			continue;
		if (images_fd < 0 && !m->explains &&
			make_folder(m->dir_fd, "images", &images_fd, err) < 0)
			return -1;
		if (mount_volume(m, i, images_fd, err) < 0)
			return err_in(err, "config.mounts[%zu].image", i);
	}
	return 0;
}

int making_mount(struct making *m, struct err *err)
{
	m->rootfs_fd = mount_image(m, &m->image, m->explains ? FD_NONE : m->dir_fd, err);
	if (m->rootfs_fd < 0)
		return -1;
	if (m->explains)
		return mount_volumes(m, err);
	if (make_folder(m->dir_fd, "bundle", &m->bundle_fd, err) < 0)
		return -1;
	if (mkdirat(m->bundle_fd, "rootfs", 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "bundle/rootfs");
	if (rootfs_attach(m->rootfs_fd, m->bundle_fd, "rootfs", err) < 0)
		return -1;
	return mount_volumes(m, err);
}

void making_close_mounts(struct making *m)
{
	m->rootfs_fd = fd_close(m->rootfs_fd);
	for (size_t i = 0; m->image_fds && m->config && i < m->config->n_mounts; i++)
		m->image_fds[i] = fd_close(m->image_fds[i]);
}

/* ---- whose pid namespace ---- */

int making_target(struct making *m, const char **ret, struct err *err)
{
	const struct cri_namespace_option *ns = cri_namespaces(m->config);
	_container_ struct ctr_container *c = NULL;
	const struct ctr_cri_record *cri;
	enum ctr_status status;

	*ret = NULL;
	if (ns->pid != CRI_NS_TARGET)
		return 0;
	c = ctr_container_open(m->engine, ns->target_id, CTR_READ, err);
	if (!c || ctr_container_status(c, &status, err) < 0)
		return err_in(err, "config.linux.security_context.namespace_options.target_id");
	cri = ctr_container_cri(c);
	if (!cri || !str_eq(cri->sandbox_id, m->sandbox->id))
		return err_set(err, ERR_INVALID,
			"config.linux.security_context.namespace_options.target_id",
			"container %.12s isn't in this pod", ns->target_id);
	if (status != CTR_RUNNING && status != CTR_PAUSED)
		return err_set(err, ERR_STATE,
			"config.linux.security_context.namespace_options.target_id",
			"container %.12s doesn't run", ns->target_id);
	*ret = arena_printf(m->arena, "/proc/%d/ns/pid", (int)c->rec.pid);
	return *ret ? 0 : err_nomem(err);
}

/* ---- what is written ---- */

static int write_file(int at, const char *name, const struct str *text, struct err *err)
{
	_close_ int fd =
		openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (str_ok(text, err) < 0)
		return -1;
	if (fd < 0 || fd_write_all(fd, text->p, text->n) < 0)
		return err_sys(err, errno, "write", "%s", name);
	return 0;
}

/* A folder in the root filesystem with its missing parents; links are followed inside of it. */
static int make_inside(const struct making *m, const char *path, struct err *err)
{
	_free_ char *part = strdup(path);
	_close_ int fd = path_open_in(m->rootfs_fd, path, O_PATH | O_DIRECTORY, err);
	char *slash;

	if (fd >= 0)
		return 0;
	if (!part)
		return err_nomem(err);
	if (err->os != ENOENT)
		return -1;
	slash = strrchr(part, '/');
	if (!slash || !slash[1])
		return -1;
	*slash = 0;
	if (*part && make_inside(m, part, err) < 0)
		return -1;
	fd = path_open_in(m->rootfs_fd, *part ? part : "/", O_RDONLY | O_DIRECTORY, err);
	if (fd < 0)
		return -1;
	if (mkdirat(fd, slash + 1, 0755) < 0)
		return errno == EEXIST ? 0 : err_sys(err, errno, "mkdir", "%s", path);
	if (userns(m) && fchownat(fd, slash + 1, making_host_id(m, 0, true),
				 making_host_id(m, 0, false), AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "chown", "%s", path);
	return 0;
}

/* What the image declares as volumes is there, empty, in the container's own layer. */
static int make_folders(struct making *m, struct err *err)
{
	const struct ctr_image_config *image = &m->image.config;

	for (size_t i = 0; i < image->n_volumes; i++) {
		const char *path = path_clean(m->arena, image->volumes[i]);
		if (!path)
			return err_nomem(err);
		if (path[1] && make_inside(m, path, err) < 0)
			return err_in(err, "volume %.100s of the image:", path);
	}
	if (!m->spec->process->cwd[1])
		return 0;
	return make_inside(m, m->spec->process->cwd, err) < 0 ? err_in(err, "config.working_dir")
							      : 0;
}

int making_write(struct making *m, struct err *err)
{
	_str_ struct str config = { 0 };
	_str_ struct str request = { 0 };

	if (facts_make_sources(m->config, &m->facts, err) < 0 || make_folders(m, err) < 0)
		return -1;
	spec_write(m->spec, &config);
	cri_container_write(m->config, &request);
	if (write_file(m->bundle_fd, "config.json", &config, err) < 0)
		return -1;
	return write_file(m->dir_fd, "request.json", &request, err);
}

/* ---- the end of it ---- */

static int unmount_images(int dir_fd, struct err *err)
{
	_closedir_ DIR *d = NULL;
	int fd = openat(dir_fd, "images", dir_flags);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "images");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_nomem(err);
	}
	for (struct dirent *e; (errno = 0, e = readdir(d));) {
		if (*e->d_name != '.' && rootfs_detach(fd, e->d_name, err) < 0)
			return -1;
	}
	return errno ? err_sys(err, errno, "readdir", "images") : 0;
}

int request_destroy(int data_fd, int dir_fd, const char *id, struct err *err)
{
	_close_ int bundle = openat(dir_fd, "bundle", dir_flags);

	if (bundle < 0 && errno != ENOENT)
		return err_sys(err, errno, "open", "bundle of %s", id);
	if (bundle >= 0 && rootfs_detach(bundle, "rootfs", err) < 0)
		return -1;
	if (unmount_images(dir_fd, err) < 0)
		return -1;
	return request_remove(data_fd, id, err);
}
