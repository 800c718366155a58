/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of facts_gather share. */
#ifndef FLOW_FACTS_LOOK_H
#define FLOW_FACTS_LOOK_H

#include "flow/facts.h"
#include "model/cri.h"

struct facts_look {
	const struct facts_input *in;
	const struct cri_linux_container_security_context *sec; /* never NULL */
	struct arena *arena;
	struct ctr_faults *faults;
	struct spec_facts *facts;
	bool privileged; /* asked for, and the stored sandbox allows it */
};

#define FACTS_SECURITY "config.linux.security_context."

/* Field "config.mounts[3].host_path", in the arena; never NULL. */
const char *facts_field(struct facts_look *, const char *fmt, ...) _printf_(2, 3);

/* A fault about what the host answered: "can't be opened (EACCES)"; absent is ERR_NOT_FOUND. The
 * kernel's words aren't used: engines take some of them for a missing program. 0, or -1 with err
 * where it is our own want of memory or fds that answers. */
int facts_fault_os(struct facts_look *, int os, const char *field, const char *path,
	struct err *err) _must_check_;

/* Each adds what is wrong to the faults. 0, or -1 with err when looking itself failed. */
int facts_mounts(struct facts_look *, struct err *) _must_check_;   /* facts-mounts.c */
int facts_devices(struct facts_look *, struct err *) _must_check_;  /* facts-devices.c */
int facts_profiles(struct facts_look *, struct err *) _must_check_; /* facts-profiles.c */

/* ---- for these files and their tests ---- */

/* What a text in the form of /proc/self/mountinfo says of a mount; -1: isn't in it. */
int facts_peer_of(const char *mountinfo, uint64_t mount_id);

/* 1 when a text in the form of AppArmor's list of profiles ("name (mode)") has this one, else 0. */
int facts_has_profile(const char *list, const char *name);

struct facts_device_list {
	struct spec_device_fact *items; /* realloc'd; free() it */
	size_t n, cap;
};

enum facts_walk {
	FACTS_WALK_ALL,
	FACTS_WALK_HOST /* without what no container gets of a host's /dev */
};

/* Adds the device nodes beneath the folder `path`, as if it were `container_path`; neither symlinks
 * nor other file systems are entered. 0, or -1 with err: ERR_EXHAUSTED when there are too many. */
int facts_walk_devices(struct arena *, const char *path, const char *container_path,
	const char *access, enum facts_walk, struct facts_device_list *, struct err *) _must_check_;

#endif
