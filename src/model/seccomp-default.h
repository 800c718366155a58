/* SPDX-License-Identifier: Apache-2.0 */
/* The profile that RuntimeDefault stands for. */
#ifndef MODEL_SECCOMP_DEFAULT_H
#define MODEL_SECCOMP_DEFAULT_H

#include "base/arena.h"
#include "ctrctl/oci.h"

/* The default profile for a process with these capabilities in its bounding set ("CAP_..."): to be
 * called when they are final. In the arena; NULL when memory is out. */
struct oci_seccomp *seccomp_default(
	const char *const *bounding, size_t n_bounding, struct arena *) _must_check_;

/* A profile file (runtime-spec's linux.seccomp, or that shape with Docker's "archMap" refused by
 * name). */
enum { SECCOMP_PROFILE_MAX = 1 << 20 };
int seccomp_profile_parse(const char *text, size_t n, struct arena *, struct oci_seccomp **ret,
	struct err *) _must_check_;

#endif
