/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the operation on requests share. */
#ifndef FLOW_REQUEST_H
#define FLOW_REQUEST_H

#include "flow/flow.h"
#include "flow/spec.h"
#include "image/rootfs.h"

/* One request on its way to a container. Filled stage by stage; all strings in the arena. */
struct making {
	struct ctr_engine *engine;
	const struct ctr_create_request *req;
	const struct cri_create_container_request *cri;
	const struct cri_container_config *config;
	struct ctr_faults *faults;
	struct arena *arena;
	const struct settings *settings;
	bool explains; /* nothing may be touched */
	bool imagined; /* the sandbox isn't there */
	bool ours;     /* the folder is this request's, and undone with it */
	bool made;     /* so may be a live container of this id */

	struct ctr_sandbox *pod;
	const struct ctr_sandbox_record *sandbox;
	const struct ctr_backend *backend;
	struct ctr_cri_record rec;
	bool existed; /* the answer is a container that is there */

	struct image_store images;
	int image_lock;
	struct ctr_image_record image;

	int dir_fd;         /* <data>/containers/<id>, locked; FD_NONE: not claimed */
	const char *folder; /* its path */
	int bundle_fd, rootfs_fd;
	const char **image_mounts; /* per config.mounts: where its image volume is, or NULL */
	int *image_fds;            /* and its mount, or FD_NONE */

	struct spec_facts facts;
	struct oci_spec *spec;
};

/* ---- request-bundle.c: the folder ---- */

/* The root filesystem and the image volumes: mounted, and (unless explaining) attached beneath the
 * folder. */
int making_mount(struct making *, struct err *) _must_check_;
/* config.json, request.json, folders in the root filesystem. */
int making_write(struct making *, struct err *) _must_check_;
/* Unmounts what is in the folder and removes it. Safe on half-made ones, and twice. */
int request_destroy(int data_fd, int dir_fd, const char *id, struct err *) _must_check_;
void making_close_mounts(struct making *);
/* <data>/containers/<id>, absolute, in the arena. */
const char *making_folder(struct making *, struct err *) _must_check_;
/* namespace_options.pid TARGET: the pid namespace of that container; else *ret is NULL. */
int making_target(struct making *, const char **ret, struct err *) _must_check_;
/* The host's id of one of the container's, by the pod's user namespace. */
uint32_t making_host_id(const struct making *, uint32_t id, bool is_uid);

/* ---- container.c: what is there of a container among the live ones ---- */
enum live {
	LIVE_NOT,
	LIVE_HALF,  /* of a request; its maker works on it, or died over it */
	LIVE_WHOLE, /* of a request */
	LIVE_OTHER, /* a bundle's, or one that was taken on record: no request made it */
};
int container_look(struct ctr_engine *, const char *id, struct arena *, enum live *ret,
	struct err *) _must_check_;

/* ---- request-imagine.c ---- */
const struct ctr_sandbox_record *sandbox_imagined(struct ctr_engine *, const char *id,
	const char *handler, const struct cri_pod_sandbox_config *, struct arena *,
	struct err *) _must_check_;

/* ---- request-record.c: what is kept ---- */

/* The folder of a container made from a request; FD_NONE when it wasn't made from one. */
int container_data(struct ctr_container *, int *ret_fd, struct err *) _must_check_;
/* Fills a handle from what is kept of a container without a live record: after a reboot, or when
 * its maker died. 1, 0 when nothing is kept, -1. */
int container_from_kept(struct ctr_container *, const char *id, struct err *) _must_check_;
/* Reads the record, once. 1, 0 when it has none, -1. */
int container_load_kept(struct ctr_container *, struct err *) _must_check_;
/* Before its live record goes: from here on a create of its name makes a new one. */
void container_doom(struct ctr_container *);
/* Removes what there is of a container whose live record can't be read. `own_kept_fd`: its folder
 * when the caller holds the lock of that, else FD_NONE. */
int container_purge(
	struct ctr_engine *, const char *id, int own_kept_fd, struct err *) _must_check_;
/* After the backend's destroy: the monitor's end, mounts, folder. */
int container_forget(struct ctr_container *, struct err *) _must_check_;
/* Notes that it was started, for CRI's started_at. */
void container_note_start(struct ctr_container *);

#endif
