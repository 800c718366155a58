/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls behind rootfs.h. */
#ifndef IMAGE_OVERLAY_H
#define IMAGE_OVERLAY_H

#include "base/fd.h"
#include "image/rootfs.h"
#include "model/image.h"

struct overlay {
	int lower[IMAGE_LAYERS_MAX + 1]; /* highest first */
	size_t n_lower;
	int upper, work; /* FD_NONE: read-only */
	int dir;         /* where upper and work are; borrowed */
	int userns;      /* the layers are mapped for it; FD_NONE: not */
};

/* A user namespace that has the job's maps and no process. */
int overlay_userns(const struct rootfs_job *, struct err *) _must_check_;
/* Detached; the layers' fds may be replaced by those of mapped mounts. */
int overlay_mount(struct overlay *, struct err *) _must_check_;

#endif
