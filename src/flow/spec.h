/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a CRI request to an OCI specification: a pure function. All that has to be looked up on the
 * host, in the sandbox, in the image, comes in as facts.
 */
#ifndef FLOW_SPEC_H
#define FLOW_SPEC_H

#include "base/arena.h"
#include "base/str.h"
#include "ctrctl/image.h"
#include "ctrctl/request.h"
#include "model/settings.h"

/* A user as the root filesystem's passwd and group say. */
struct spec_user {
	uint32_t uid, gid;
	uint32_t *groups; /* additional ones of the image, without the primary */
	size_t n_groups;
	const char *name; /* NULL: no entry */
};

/* One of config.mounts. */
struct spec_mount_fact {
	const char *source; /* absolute, symlinks resolved; of an image volume: where it is mounted,
			       with the sub path */
	bool is_dir;
	enum {
		SPEC_PEER_PRIVATE,
		SPEC_PEER_SLAVE,
		SPEC_PEER_SHARED
	} peer;      /* of the mount that
			it lies on */
	bool absent; /* host_path isn't there: spec_files makes it as a folder (the kubelet expects
			that) before the container is made */
};

/* A device node, from config.devices (a folder gives several) or, privileged, from the host's /dev.
 */
struct spec_device_fact {
	const char *container_path, *access; /* access: letters of rwm */
	char type;                           /* c b p */
	int64_t major, minor;
	uint32_t mode, uid, gid;
};

struct spec_facts {
	struct spec_user user;
	const struct spec_mount_fact *mounts; /* one per config.mounts, in its order */
	const struct spec_device_fact *devices;
	size_t n_devices;
	const struct spec_device_fact *host_devices; /* only for a privileged container */
	size_t n_host_devices;
	const char *const *host_caps; /* "CAP_...": what ctrctl itself may give */
	size_t n_host_caps;
	bool apparmor, selinux;            /* enabled on this host */
	bool no_apparmor_default;          /* nothing asks for a profile, and the default one isn't
					      loaded: none */
	const char *hostname;              /* of the host */
	const struct oci_seccomp *seccomp; /* the parsed localhost profile, or NULL */
	const char *target_pid_ns; /* namespace_options.pid TARGET: path of that container's */
};

struct spec_input {
	const char *id;
	const struct cri_container_config *config;
	const struct ctr_sandbox_record *sandbox; /* its config is the stored one */
	const struct ctr_image_record *image;
	const struct spec_facts *facts;
	const struct settings *settings;
};

/* The specification, in the arena; root.path is "rootfs". Faults of the request that only the facts
 * show (a profile on a host without the LSM, a propagation that the source can't have) go to
 * faults. 0, or -1 with err when there are any. */
int spec_build(const struct spec_input *, struct arena *, struct oci_spec **ret,
	struct ctr_faults *, struct err *) _must_check_;

/* config.json: indented, with a line break at the end. */
void spec_write(const struct oci_spec *, struct str *out);

/* process.args of config and image: CRI's rule of merging. ERR_INVALID: "no command specified". */
int spec_args(const struct cri_container_config *, const struct ctr_image_config *, struct arena *,
	const char ***ret, size_t *ret_n, struct err *) _must_check_;

/* Who the process is: the text to look up ("1000:1000", "app", ""), from config, else image.
 * ret_gid is run_as_group or -1. */
const char *spec_user_text(const struct cri_container_config *, const struct ctr_image_config *,
	struct arena *, struct err *) _must_check_;

#endif
