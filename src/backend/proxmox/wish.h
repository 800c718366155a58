/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wished for, in the API's terms but before anything is known of the server: the one form
 * into which a CRI request and an OCI bundle are brought. Each field of theirs is mapped, met (a
 * guest is like that anyway, or stricter), waived by a key of the configuration, or refused.
 */
#ifndef PROXMOX_WISH_H
#define PROXMOX_WISH_H

#include "base/arena.h"
#include "ctrctl/backend.h"
#include "ctrctl/fault.h"
#include "model/settings-proxmox.h"

/* What becomes of a field. */
enum wish_way {
	WISH_MAPPED,  /* becomes a parameter, or a mark of the guest */
	WISH_MET,     /* a guest is like that anyway, or stricter; or it says nothing to a guest */
	WISH_WAIVED,  /* not given: refused, unless proxmox.waive lets it go */
	WISH_REFUSED, /* not given */
	WISH_WAY_N
};
const char *wish_way_name(int);

struct wish_mount {
	const char *source, *target; /* absolute, clean */
	bool readonly;
	const char *options; /* mountoptions: "nodev;nosuid"; NULL: none */
	const char *from;    /* "config.mounts[3]" */
};

struct wish_device {
	const char *path;
	bool readonly;
	const char *from;
};

/* Who it is: goes into the description, so that it can be found and told from others. */
struct wish_identity {
	const char *id; /* the container's */
	const char *sandbox_id, *container, *pod, *namespace,
		*uid; /* NULL from a bundle, or unknown */
	uint32_t attempt;
	const char *image;
	const char *created; /* RFC 3339 */
	struct ctr_map_str labels, annotations;
};

/* All in the arena; NULL, 0, empty: not wished for. `from` texts are the places in the request. */
struct guest_wish {
	struct wish_identity who;
	bool bundle;               /* it comes from one: for the names of places */
	const char *image;         /* as the user wrote it */
	const char *hostname;      /* fit for the API */
	const char *hostname_from; /* NULL: made from the id */
	const char **dns_servers, **dns_searches;
	size_t n_dns_servers, n_dns_searches;
	const char **argv; /* the whole command line; none: the image's own */
	size_t n_argv;
	/* Of a CRI request: command replaces the image's entrypoint, args its command. When only
	 * args are given they go behind the image's entrypoint, which is known once the guest is
	 * there. */
	bool args_only;
	struct ctr_map_str env; /* in order, last one wins; goes over the image's */
	const char *cwd;
	/* What asks for uid 0 and for gid 0; NULL: nothing does. Whether an archive's image has
	 * another user is known once the guest is there. */
	const char *root_user, *root_group;
	struct wish_mount *mounts;
	size_t n_mounts;
	struct wish_device *devices;
	size_t n_devices;
	int64_t memory_bytes,
		memory_swap_bytes; /* the second: memory and swap together, -1: no limit */
	int64_t cpu_quota, cpu_period, cpu_shares;
	bool readonly_rootfs, privileged;
	struct ctr_map_str
		options; /* annotations org.ctrctl.proxmox/KEY, by KEY: allowed and checked */
	bool waived[SETTINGS_WAIVER_N];
	const char *log_file; /* absolute: gets its one line (WAIVE_LOGS) */
};

/* From in->config and in->sandbox. All that can't be is put into faults; the first one is in *err
 * when it returns -1. Pure. */
int wish_from_cri(const struct ctr_input *, const struct settings_proxmox *, struct arena *,
	struct guest_wish *ret, struct ctr_faults *, struct err *) _must_check_;
/* From in->spec: the same. */
int wish_from_oci(const struct ctr_input *, const struct settings_proxmox *, struct arena *,
	struct guest_wish *ret, struct ctr_faults *, struct err *) _must_check_;

/* What both use. 1: the waiver is on, and noted; 0: it isn't, and a fault names the field, what
 * can't be given (`what`, a sentence), and the key that would waive it. */
int wish_waive(struct guest_wish *, const struct settings_proxmox *, enum settings_waiver,
	struct ctr_faults *, const char *field, const char *what);

/* Is it one of those that a kubelet, or an engine of itself, binds into every container? */
bool wish_is_usual_bind(const char *source, const char *target);
/* Is it one that is hidden, or read-only, in every container? LXC and AppArmor guard those in a
 * guest; others they don't. */
bool wish_is_usual_masked(const char *path);
bool wish_is_usual_readonly(const char *path);
/* The server's property strings have no escapes: no comma, equals sign, control byte. And blanks at
 * their ends are lost. */
bool wish_path_fits(const char *path);
/* Of a mount's source. */
#define WISH_DEV_RULE                                                                            \
	"the server takes a path beneath /dev for a block device with a file system, not for a " \
	"folder of the node"

/* Sets the host name: one that the API takes and that LXC starts, [A-Za-z0-9-] and dots, 63 bytes
 * at most. `id` decides when nothing of `wanted` (NULL: none), which `from` says, is left. */
int wish_set_hostname(struct guest_wish *, const char *wanted, const char *from, const char *id,
	struct arena *, struct err *) _must_check_;

#endif
