/* SPDX-License-Identifier: Apache-2.0 */
/* Root filesystems: an image's layers under one overlayfs. */
#ifndef IMAGE_ROOTFS_H
#define IMAGE_ROOTFS_H

#include "ctrctl/oci.h"
#include "image/store.h"

struct rootfs_job {
	const struct ctr_image_record *image;
	int dir_fd; /* the container's folder: gets "upper" and "work"; FD_NONE: read-only,
		       without an upper layer */
	/* The user namespace that the container lives in, or none: layers are idmapped, the upper
	 * folder belongs to its root. Linux 5.19. */
	const struct oci_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
};

/* The mount, detached and private (fsmount or open_tree): the caller attaches it by move_mount, or
 * just looks into it and closes it. nodev, nosuid is left to the container's own mounts (a setuid
 * program must work inside); metacopy=off, redirect_dir=nofollow. The fd, or -1 with err. */
int rootfs_mount(const struct image_store *, const struct rootfs_job *, struct err *) _must_check_;

/* Attaches at the folder `name` beneath dir_fd. */
int rootfs_attach(int mount_fd, int dir_fd, const char *name, struct err *) _must_check_;
/* Unmounts what is attached there (MNT_DETACH, all layers of it); nothing there is success. */
int rootfs_detach(int dir_fd, const char *name, struct err *) _must_check_;

#endif
