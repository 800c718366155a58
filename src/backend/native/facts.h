/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan has to know of the host. */
#ifndef NATIVE_FACTS_H
#define NATIVE_FACTS_H

#include "backend/native/plan.h"

/* Fills what is the host's: kernel, capabilities, security modules, cgroup2, own namespaces. Only
 * what this spec can need is looked up. What is the caller's (bundle, id, cgroup_path, filter ...)
 * is left alone. */
int facts_read(
	struct plan_facts *, const struct oci_spec *, struct arena *, struct err *) _must_check_;

#endif
