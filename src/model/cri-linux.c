/* SPDX-License-Identifier: Apache-2.0 */
/* CRI v1: what lies beneath "linux" of a container and of a pod. */
#include "model/cri-tables.h"

#define M struct cri_id_mapping
const struct json_field cri_id_mapping_fields[] = {
	U32(1, host_id),
	U32(2, container_id),
	U32(3, length),
	{ 0 },
};
#undef M

#define M struct cri_int64_value
static const struct json_field int64_value_fields[] = {
	I64(1, value),
	{ 0 },
};
#undef M

#define M struct cri_user_namespace
static const struct json_field user_namespace_fields[] = {
	ENUM(1, mode, &cri_namespace_mode_names),
	MSGS(2, uids, struct cri_id_mapping, cri_id_mapping_fields),
	MSGS(3, gids, struct cri_id_mapping, cri_id_mapping_fields),
	{ 0 },
};
#undef M

#define M struct cri_namespace_option
static const struct json_field namespace_option_fields[] = {
	ENUM(1, network, &cri_namespace_mode_names),
	ENUM(2, pid, &cri_namespace_mode_names),
	ENUM(3, ipc, &cri_namespace_mode_names),
	STR(4, target_id),
	MSG(5, userns_options, struct cri_user_namespace, user_namespace_fields),
	{ 0 },
};
#undef M

#define M struct cri_security_profile
static const struct json_field security_profile_fields[] = {
	ENUM(1, profile_type, &cri_profile_type_names),
	STR(2, localhost_ref),
	{ 0 },
};
#undef M

#define M struct cri_selinux_option
static const struct json_field selinux_option_fields[] = {
	STR(1, user),
	STR(2, role),
	STR(3, type),
	STR(4, level),
	{ 0 },
};
#undef M

#define M struct cri_capability
static const struct json_field capability_fields[] = {
	STRS(1, add_capabilities),
	STRS(2, drop_capabilities),
	STRS(3, add_ambient_capabilities),
	{ 0 },
};
#undef M

#define M struct cri_hugepage_limit
static const struct json_field hugepage_limit_fields[] = {
	STR(1, page_size),
	U64(2, limit),
	{ 0 },
};
#undef M

#define M struct cri_linux_container_resources
static const struct json_field resources_fields[] = {
	I64(1, cpu_period),
	I64(2, cpu_quota),
	I64(3, cpu_shares),
	I64(4, memory_limit_in_bytes),
	I64(5, oom_score_adj),
	STR(6, cpuset_cpus),
	STR(7, cpuset_mems),
	MSGS(8, hugepage_limits, struct cri_hugepage_limit, hugepage_limit_fields),
	MAP(9, unified),
	I64(10, memory_swap_limit_in_bytes),
	{ 0 },
};
#undef M

#define M struct cri_linux_container_security_context
static const struct json_field container_security_fields[] = {
	MSG(1, capabilities, struct cri_capability, capability_fields),
	BOOL(2, privileged),
	MSG(3, namespace_options, struct cri_namespace_option, namespace_option_fields),
	MSG(4, selinux_options, struct cri_selinux_option, selinux_option_fields),
	MSG(5, run_as_user, struct cri_int64_value, int64_value_fields),
	MSG(12, run_as_group, struct cri_int64_value, int64_value_fields),
	STR(6, run_as_username),
	BOOL(7, readonly_rootfs),
	I64S(8, supplemental_groups),
	ENUM(17, supplemental_groups_policy, &cri_groups_policy_names),
	BOOL(11, no_new_privs),
	STRS(13, masked_paths),
	STRS(14, readonly_paths),
	MSG(15, seccomp, struct cri_security_profile, security_profile_fields),
	MSG(16, apparmor, struct cri_security_profile, security_profile_fields),
	STR(9, apparmor_profile),
	STR(10, seccomp_profile_path),
	{ 0 },
};
#undef M

#define M struct cri_linux_container_config
const struct json_field cri_linux_container_fields[] = {
	MSG(1, resources, struct cri_linux_container_resources, resources_fields),
	MSG(2, security_context, struct cri_linux_container_security_context,
		container_security_fields),
	{ 0 },
};
#undef M

#define M struct cri_linux_sandbox_security_context
static const struct json_field sandbox_security_fields[] = {
	MSG(1, namespace_options, struct cri_namespace_option, namespace_option_fields),
	MSG(2, selinux_options, struct cri_selinux_option, selinux_option_fields),
	MSG(3, run_as_user, struct cri_int64_value, int64_value_fields),
	MSG(8, run_as_group, struct cri_int64_value, int64_value_fields),
	BOOL(4, readonly_rootfs),
	I64S(5, supplemental_groups),
	ENUM(11, supplemental_groups_policy, &cri_groups_policy_names),
	BOOL(6, privileged),
	MSG(9, seccomp, struct cri_security_profile, security_profile_fields),
	MSG(10, apparmor, struct cri_security_profile, security_profile_fields),
	STR(7, seccomp_profile_path),
	{ 0 },
};
#undef M

#define M struct cri_linux_pod_sandbox_config
const struct json_field cri_linux_pod_fields[] = {
	STR(1, cgroup_parent),
	MSG(2, security_context, struct cri_linux_sandbox_security_context,
		sandbox_security_fields),
	MAP(3, sysctls),
	MSG(4, overhead, struct cri_linux_container_resources, resources_fields),
	MSG(5, resources, struct cri_linux_container_resources, resources_fields),
	{ 0 },
};
#undef M
