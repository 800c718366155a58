/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlayfs takes its lower folders one by one and by any path since Linux 6.8 ("lowerdir+"), so
 * /proc/self/fd/N names each. Before that there is one text of at most a page, and fsconfig takes
 * 256 bytes: a child in a mount namespace of its own puts the layers on short names, mounts by
 * mount(2), and sends back a clone of the mount. It is also the way for idmapped layers where the
 * kernel wants them attached (before 6.15).
 */
#include "image/rootfs.h"

#include "base/str.h"
#include "base/sys.h"
#include "image/overlay.h"
#include "image/record.h"
#include "model/image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

static void job_done(struct overlay *o)
{
	for (size_t i = 0; i < o->n_lower; i++)
		fd_close(o->lower[i]);
	fd_close(o->upper);
	fd_close(o->work);
	fd_close(o->userns);
}

/* ---- layers ---- */

static int open_layer(int layers_fd, const char *diff_id, struct err *err)
{
	char path[128 + 8];
	int fd;

	snprintf(path, sizeof(path), "%.128s/fs", digest_hex(diff_id));
	fd = openat(layers_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	err_sys(err, errno, "open", "layer %.19s", diff_id);
	return err->os == ENOENT
		       ? err_hint(err,
				 "the image store lacks it: loading the image again brings it back")
		       : -1;
}

static bool comes_again(const struct ctr_image_record *r, size_t i)
{
	for (size_t k = i + 1; k < r->n_layers; k++) {
		if (str_eq(r->layers[k], r->layers[i]))
			return true;
	}
	return false;
}

/* 1 when the layer's own root hides all that is lower, which overlayfs heeds in folders beneath it
 * only. */
static int hides_all(int layer_fd, struct err *err)
{
	char value = 0;
	_close_ int fd = openat(layer_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open", "folder of a layer");
	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* Highest first. overlayfs refuses one folder in two places; where a layer comes again, what is
 * higher hides all of the lower one. */
static int open_layers(const struct image_store *s, const struct ctr_image_record *r,
	struct overlay *o, struct err *err)
{
	_close_ int layers = openat(s->fd, "layers", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (layers < 0)
		return err_sys(err, errno, "open", "folder of layers");
	if (r->n_layers == 0 || r->n_layers > IMAGE_LAYERS_MAX)
		return err_set(err, ERR_INVALID, NULL, "the image has %zu layers, 1 to %d can be",
			r->n_layers, IMAGE_LAYERS_MAX);
	for (size_t i = r->n_layers; i-- > 0;) {
		int fd, hides;

		if (comes_again(r, i))
			continue;
		fd = open_layer(layers, r->layers[i], err);
		if (fd < 0)
			return -1;
		o->lower[o->n_lower++] = fd;
		hides = hides_all(fd, err);
		if (hides != 0)
			return hides < 0 ? -1 : 0;
	}
	return 0;
}

/* Without an upper folder overlayfs wants two lower ones. A layer alone may hold whiteouts, so a
 * bare clone of it won't do. */
static int add_empty(const struct image_store *s, struct overlay *o, struct err *err)
{
	static const char path[] = "images/empty";
	int fd = openat(s->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	o->lower[o->n_lower++] = fd;
	return 0;
}

/* ---- the upper folder ---- */

static int mapped(const struct oci_id_map *map, size_t n, uint32_t id, uint32_t *ret)
{
	*ret = id;
	for (size_t i = 0; i < n; i++) {
		if (id >= map[i].container_id && id - map[i].container_id < map[i].size) {
			*ret = map[i].host_id + (id - map[i].container_id);
			return 0;
		}
	}
	return n ? -1 : 0;
}

/* 1: made; 0: was there; -1. */
static int make_folder(int dir_fd, const char *name, int *ret_fd, struct err *err)
{
	int made = mkdirat(dir_fd, name, 0700);

	if (made < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "%s folder of the container", name);
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_sys(err, errno, "open", "%s folder of the container", name);
	return made == 0;
}

/* The top folder of the root filesystem is the upper one's: it looks as the image has it. */
static int dress(int fd, int top, const struct rootfs_job *job, struct err *err)
{
	uint32_t uid, gid;
	struct stat st;

	if (fstat(top, &st) < 0)
		return err_sys(err, errno, "fstat", "folder of a layer");
	if (mapped(job->uid_map, job->n_uid_map, st.st_uid, &uid) < 0 ||
		mapped(job->gid_map, job->n_gid_map, st.st_gid, &gid) < 0)
		return err_set(err, ERR_INVALID, NULL,
			"the image's root folder belongs to %u:%u, which the user namespace has no ids for",
			(unsigned)st.st_uid, (unsigned)st.st_gid);
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0)
		return err_sys(err, errno, "fchown", "upper folder of the container");
	return 0;
}

static int open_upper(const struct rootfs_job *job, struct overlay *o, struct err *err)
{
	int made = make_folder(job->dir_fd, "upper", &o->upper, err), work;
	struct statfs fs;

	if (made < 0)
		return -1;
	if (fstatfs(o->upper, &fs) < 0)
		return err_sys(err, errno, "statfs", "data folder");
	if (fs.f_type == OVERLAYFS_SUPER_MAGIC) {
		err_set(err, ERR_UNSUPPORTED, NULL,
			"the data folder lies on an overlayfs, which can't carry the changes of another one");
		return err_hint(err, "put it on ext4, xfs, btrfs or tmpfs with --data DIR");
	}
	if (made && dress(o->upper, o->lower[0], job, err) < 0)
		return -1;
	work = make_folder(job->dir_fd, "work", &o->work, err);
	if (work > 0 && (job->n_uid_map || job->n_gid_map)) {
		uint32_t uid, gid;
		if (mapped(job->uid_map, job->n_uid_map, 0, &uid) == 0 &&
			mapped(job->gid_map, job->n_gid_map, 0, &gid) == 0 &&
			fchown(o->work, uid, gid) < 0)
			return err_sys(err, errno, "fchown", "work folder of the container");
	}
	return work < 0 ? -1 : 0;
}

/* ---- public ---- */

int rootfs_mount(const struct image_store *s, const struct rootfs_job *job, struct err *err)
{
	_cleanup_(job_done) struct overlay o = {
		.upper = FD_NONE, .work = FD_NONE, .dir = job->dir_fd, .userns = FD_NONE
	};

	if (open_layers(s, job->image, &o, err) < 0)
		return err_in(err, "image %.19s:", job->image->id);
	if (job->dir_fd < 0 ? o.n_lower == 1 && add_empty(s, &o, err) < 0
			    : open_upper(job, &o, err) < 0)
		return -1;
	if (job->n_uid_map || job->n_gid_map) {
		o.userns = overlay_userns(job, err);
		if (o.userns < 0)
			return -1;
	}
	return overlay_mount(&o, err);
}

int rootfs_attach(int mount_fd, int dir_fd, const char *name, struct err *err)
{
	_close_ int at = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (at < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (sys_move_mount(
		    mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "root filesystem on %s", name);
	return 0;
}

int rootfs_detach(int dir_fd, const char *name, struct err *err)
{
	enum { STACKED_MAX = 64 };
	char path[64];

	for (int i = 0; i < STACKED_MAX; i++) {
		_close_ int at = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (at < 0)
			return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", name);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
		if (umount2(path, MNT_DETACH) == 0)
			continue;
		/* EINVAL: nothing is mounted there */
		return errno == EINVAL ? 0 : err_sys(err, errno, "umount", "%s", name);
	}
	return err_set(err, ERR_STATE, name, "too much is mounted on it");
}
