/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI messages: from JSON to structs by field tables, whose rows carry the protobuf field numbers,
 * and every rule that needs neither host nor store.
 *
 * Names are taken in snake_case (as crictl's files have them) and lowerCamelCase (protojson), enums
 * by name or number, 64-bit numbers as numbers or strings. Unknown and doubled keys are errors.
 */
#ifndef MODEL_CRI_H
#define MODEL_CRI_H

#include "base/json.h"
#include "ctrctl/cri.h"
#include "ctrctl/fault.h"

enum { CRI_REQUEST_MAX = 16 << 20, CRI_DEPTH_MAX = 32, CRI_LABELS_MAX = 4096 };

/* A CreateContainerRequest; a ContainerConfig; a PodSandboxConfig. All of it lives in the arena. */
int cri_request_parse(const char *text, size_t n, struct arena *,
	struct cri_create_container_request **ret, struct err *) _must_check_;
int cri_container_parse(const char *text, size_t n, struct arena *,
	struct cri_container_config **ret, struct err *) _must_check_;
int cri_pod_parse(const char *text, size_t n, struct arena *, struct cri_pod_sandbox_config **ret,
	struct err *) _must_check_;

/* The same in canonical form: compact, snake_case, in the tables' order, maps sorted by key. Equal
 * messages give equal texts; what they say can be parsed again. */
void cri_request_write(const struct cri_create_container_request *, struct str *out);
void cri_container_write(const struct cri_container_config *, struct str *out);
void cri_pod_write(const struct cri_pod_sandbox_config *, struct str *out);

/*
 * Every rule that the message alone can break. Fields are named from the request:
 * "config.mounts[2].host_path", "sandbox_config.metadata.uid"; for a pod that comes alone, `where`
 * is the prefix (""). cri_request_check covers config and sandbox_config, and what they say of each
 * other.
 */
void cri_request_check(const struct cri_create_container_request *, struct ctr_faults *);
void cri_pod_check(const struct cri_pod_sandbox_config *, const char *where, struct ctr_faults *);
/*
 * The container's config against the pod that it is put in (the stored one decides about
 * privilege): privileged, namespaces, user namespace. POD is what the pod has, be it the host's; a
 * namespace of the host is only to be had where the pod has it; an absent userns_options is the
 * pod's.
 */
void cri_container_check_in_pod(const struct cri_container_config *,
	const struct cri_pod_sandbox_config *stored, struct ctr_faults *);
/*
 * Does the sandbox_config of a request agree with the stored one? A fault per field that differs.
 * Not compared is what only the stored one counts for and what changes in a pod's life: dns_config,
 * labels, annotations, linux.overhead, linux.resources. sandbox_config may be NULL (it is optional
 * here): then there is nothing to compare.
 */
void cri_pod_compare(const struct cri_pod_sandbox_config *given,
	const struct cri_pod_sandbox_config *stored, struct ctr_faults *);

/* Never NULL: the message, or an all-zero one where it is absent. */
const struct cri_linux_container_security_context *cri_security(
	const struct cri_container_config *);
const struct cri_linux_container_resources *cri_resources(const struct cri_container_config *);
const struct cri_namespace_option *cri_namespaces(const struct cri_container_config *);
const struct cri_linux_sandbox_security_context *cri_pod_security(
	const struct cri_pod_sandbox_config *);
const struct cri_namespace_option *cri_pod_namespaces(const struct cri_pod_sandbox_config *);

extern const struct json_field cri_request_fields[];   /* struct cri_create_container_request */
extern const struct json_field cri_container_fields[]; /* struct cri_container_config */
extern const struct json_field cri_pod_fields[];       /* struct cri_pod_sandbox_config */
extern const struct name_table cri_signal_names;       /* "SIGNAL_SIGKILL", ... by CRI number */

#endif
