/* SPDX-License-Identifier: Apache-2.0 */
/* What the specification needs to know of the host and of the root filesystem. Only looks. */
#ifndef FLOW_FACTS_H
#define FLOW_FACTS_H

#include "flow/spec.h"

struct facts_input {
	const struct cri_container_config *config;
	const struct ctr_sandbox_record *sandbox;
	const struct ctr_image_record *image;
	const struct settings *settings;
	int rootfs_fd;                   /* the root filesystem: passwd and group are read in it */
	const char *const *image_mounts; /* per config.mounts: where its image volume is (or would
					    be) mounted, else NULL */
	const int *image_fds;            /* per config.mounts: that mount's fd, else FD_NONE */
	const char *target_pid_ns;       /* already found by the caller, or NULL */
};

/* All facts. What is missing or wrong goes to faults (each with its field), so that one look finds
 * them all. 0, or -1 with err, also when there are faults: then it is the first. Everything lives
 * in the arena. */
int facts_gather(const struct facts_input *, struct arena *, struct spec_facts *ret,
	struct ctr_faults *, struct err *) _must_check_;

/* Makes the host folders that the facts say are absent (0755). ret_made: how many, for the undo:
 * none is needed, as the kubelet's own expectation is that they stay. */
int facts_make_sources(
	const struct cri_container_config *, const struct spec_facts *, struct err *) _must_check_;

#endif
