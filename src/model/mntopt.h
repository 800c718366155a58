/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a mount, sorted by what the kernel does with them: attributes of the mount
 * (mount_setattr), flags of the file system (fsconfig keys without value), data of the file system
 * (fsconfig key and value), propagation, and what is ours. A later option wins over an earlier one
 * of the same flag.
 */
#ifndef MODEL_MNTOPT_H
#define MODEL_MNTOPT_H

#include "base/arena.h"
#include "ctrctl/oci.h"

struct mount_opts {
	/* MOUNT_ATTR_* of the mount itself. A changed atime policy is MOUNT_ATTR__ATIME in attr_clr
	 * and the new value in attr_set, as mount_setattr(2) wants it; "relatime" is the value 0.
	 */
	uint64_t attr_set, attr_clr;
	/* The same for the whole tree (rro, rnosuid ...): AT_RECURSIVE. */
	uint64_t rec_attr_set, rec_attr_clr;
	uint64_t propagation; /* MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE, with MS_REC for
				 the r forms; 0: none asked for */
	bool bind;            /* an option, or the type is "bind" */
	bool recursive;       /* rbind */
	bool remount;
	bool tmpcopyup;
	bool idmap;           /* "idmap", "ridmap", or maps are given */
	bool idmap_recursive; /* ridmap */
	int readonly;  /* 1 ro, -1 rw, 0 neither was said; attr_set has it too. A new file system on
			  a read-only  device needs the key "ro" as well */
	bool iversion; /* MS_I_VERSION: only mount(2) with MS_REMOUNT can set it, fsconfig has no
			  key */
	/* Keys for fsconfig without a value, each flag once: "sync" or "async", "dirsync",
	 * "lazytime" ... They concern the file system: without effect on a bind mount, as in
	 * mount(2). */
	const char *sb[8];
	size_t n_sb;
	/* For fsconfig; value NULL: a key alone. Never on a bind mount. */
	struct ctr_pair *data;
	size_t n_data;
};

/*
 * Sorts the options of a mount. Errors: an unknown option on a bind mount, tmpcopyup without tmpfs,
 * id maps that lack one half or aren't on a bind mount, options that are longer than the
 * kernel takes (4095 bytes all together). Results live in the arena or in the mount itself.
 */
int mount_opts_parse(const struct oci_mount *, struct arena *, struct mount_opts *ret,
	struct err *) _must_check_;

/* The i-th option that isn't data for the file system, in alphabetical order; NULL after the last.
 */
const char *mount_opt_name(size_t i);

#endif
