/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of spec_build share. Each spec-*.c fills one part of the specification. */
#ifndef FLOW_SPEC_BUILD_H
#define FLOW_SPEC_BUILD_H

#include "flow/spec.h"
#include "model/cri.h"
#include "model/oci.h"

/*
 * The rules of the message were checked before (cri_request_check, cri_container_check_in_pod), and
 * none of them is relied on where breaking it would give more than was asked for: then a fault is
 * added here too.
 *
 * Memory: allocations that fail stick in the arena; a part that can't go on without one returns,
 * and spec_build asks the arena at the end.
 */
struct spec_build {
	const struct spec_input *in;
	const struct cri_container_config *config;
	const struct cri_linux_container_security_context *sec; /* never NULL */
	const struct cri_linux_sandbox_security_context *pod;   /* of the stored sandbox */
	const struct cri_namespace_option *ns, *pod_ns;
	struct arena *arena;
	struct ctr_faults *faults;
	bool privileged;       /* asked for, and the sandbox allows it */
	bool readonly;         /* the root filesystem */
	bool own_ipc;          /* not the pod's */
	bool user_ns;          /* the pod has a user namespace */
	bool host_net;         /* the pod has the host's network */
	struct oci_spec *spec; /* with process and linux_ */
};

#define SPEC_LINUX    "config.linux."
#define SPEC_SECURITY SPEC_LINUX "security_context."

/* A list of texts that grows in the arena. */
struct spec_list {
	const char **items;
	size_t n, cap;
};
void spec_list_add(struct spec_build *, struct spec_list *, const char *);
void spec_list_all(struct spec_build *, struct spec_list *, const char *const *, size_t n);

/* Field "config.mounts[3].host_path", in the arena; never NULL. */
const char *spec_field(struct spec_build *, const char *fmt, ...) _printf_(2, 3);

/* A 64-bit number boxed in the arena; NULL when memory is out. */
void *spec_box(struct spec_build *, const void *value, size_t size);

/* The pod's maps as config.json has them: inside, host, size. */
struct oci_id_map *spec_id_maps(struct spec_build *, const struct cri_id_mapping *, size_t n);
bool spec_same_maps(const struct cri_id_mapping *, size_t, const struct cri_id_mapping *, size_t);

/* ---- the parts ---- */
void spec_namespaces(struct spec_build *); /* spec-namespaces.c: sets user_ns, own_ipc, host_net */
void spec_process(struct spec_build *);    /* spec-process.c: args, env, cwd, user */
void spec_capabilities(struct spec_build *); /* spec-capabilities.c */
void spec_security(struct spec_build *);     /* spec-security.c: seccomp, LSMs, masks */
void spec_mounts(struct spec_build *);       /* spec-mounts.c */
void spec_resources(struct spec_build *);    /* spec-resources.c: cgroup, limits */
void spec_devices(struct spec_build *);      /* spec-resources.c: nodes and rules */
void spec_annotations(struct spec_build *);  /* spec-annotations.c */

#endif
