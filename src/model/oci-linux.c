/* SPDX-License-Identifier: Apache-2.0 */
/* "linux" but for its resources, property by property. */
#include "model/oci.h"

const struct json_field oci_id_map_fields[] = {
	J_ROW_U32(struct oci_id_map, container_id, "containerID", J_REQUIRED),
	J_ROW_U32(struct oci_id_map, host_id, "hostID", J_REQUIRED),
	J_ROW_U32(struct oci_id_map, size, "size", J_REQUIRED),
	{ 0 },
};

static const struct json_field namespace_fields[] = {
	J_ROW_ENUM(struct oci_namespace, type, "type", J_REQUIRED, &oci_namespace_names),
	J_ROW_STR(struct oci_namespace, path, "path", J_EMPTY_IS_NULL),
	{ 0 },
};

static const struct json_field time_offset_fields[] = {
	J_ROW_I64(struct oci_time_offset, secs, "secs", 0),
	J_ROW_U32(struct oci_time_offset, nanosecs, "nanosecs", 0),
	{ 0 },
};

static const struct json_field time_offsets_fields[] = {
	J_ROW_OPT(struct oci_time_offsets, monotonic, "monotonic", J_OBJECT,
		struct oci_time_offset *, time_offset_fields),
	J_ROW_OPT(struct oci_time_offsets, boottime, "boottime", J_OBJECT, struct oci_time_offset *,
		time_offset_fields),
	{ 0 },
};

static const struct json_field device_fields[] = {
	J_ROW_STR(struct oci_device, type, "type", J_REQUIRED),
	J_ROW_STR(struct oci_device, path, "path", J_REQUIRED),
	J_ROW_OPT(struct oci_device, major, "major", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_device, minor, "minor", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_device, file_mode, "fileMode", J_U32, uint32_t *, NULL),
	J_ROW_OPT(struct oci_device, uid, "uid", J_U32, uint32_t *, NULL),
	J_ROW_OPT(struct oci_device, gid, "gid", J_U32, uint32_t *, NULL),
	{ 0 },
};

static const struct json_field net_device_fields[] = {
	J_ROW_STR(struct oci_net_device, name, "name", J_EMPTY_IS_NULL),
	{ 0 },
};

static const struct json_field intel_rdt_fields[] = {
	J_ROW_STR(struct oci_intel_rdt, clos_id, "closID", J_EMPTY_IS_NULL),
	J_ROW_LIST(struct oci_intel_rdt, schemata, "schemata", J_STR, 0, const char **, NULL),
	J_ROW_STR(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", J_EMPTY_IS_NULL),
	J_ROW_BOOL(struct oci_intel_rdt, enable_monitoring, "enableMonitoring", 0),
	{ 0 },
};

static const struct json_field memory_policy_fields[] = {
	J_ROW_ENUM(struct oci_memory_policy, mode, "mode", 0, &oci_mpol_mode_names),
	J_ROW_STR(struct oci_memory_policy, nodes, "nodes", J_EMPTY_IS_NULL),
	J_ROW_LIST(
		struct oci_memory_policy, flags, "flags", J_ENUM, 0, int *, &oci_mpol_flag_names),
	{ 0 },
};

static const struct json_field seccomp_arg_fields[] = {
	J_ROW_U32(struct oci_seccomp_arg, index, "index", J_REQUIRED),
	J_ROW_U64(struct oci_seccomp_arg, value, "value", J_REQUIRED),
	J_ROW_U64(struct oci_seccomp_arg, value_two, "valueTwo", 0),
	J_ROW_ENUM(struct oci_seccomp_arg, op, "op", J_REQUIRED, &oci_seccomp_op_names),
	{ 0 },
};

static const struct json_field seccomp_rule_fields[] = {
	J_ROW_LIST(struct oci_seccomp_rule, names, "names", J_STR, J_REQUIRED, const char **, NULL),
	J_ROW_ENUM(
		struct oci_seccomp_rule, action, "action", J_REQUIRED, &oci_seccomp_action_names),
	J_ROW_OPT(struct oci_seccomp_rule, errno_ret, "errnoRet", J_U32, uint32_t *, NULL),
	J_ROW_LIST(struct oci_seccomp_rule, args, "args", J_OBJECT, 0, struct oci_seccomp_arg *,
		seccomp_arg_fields),
	{ 0 },
};

const struct json_field oci_seccomp_fields[] = {
	J_ROW_ENUM(struct oci_seccomp, default_action, "defaultAction", J_REQUIRED,
		&oci_seccomp_action_names),
	J_ROW_OPT(
		struct oci_seccomp, default_errno_ret, "defaultErrnoRet", J_U32, uint32_t *, NULL),
	J_ROW_LIST(
		struct oci_seccomp, architectures, "architectures", J_STR, 0, const char **, NULL),
	J_ROW_LIST_SEEN(struct oci_seccomp, flags, "flags", J_ENUM, int *, &oci_seccomp_flag_names,
		has_flags),
	J_ROW_STR(struct oci_seccomp, listener_path, "listenerPath", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_seccomp, listener_metadata, "listenerMetadata", J_EMPTY_IS_NULL),
	J_ROW_LIST(struct oci_seccomp, syscalls, "syscalls", J_OBJECT, 0, struct oci_seccomp_rule *,
		seccomp_rule_fields),
	{ 0 },
};

static const struct json_field personality_fields[] = {
	J_ROW_ENUM(struct oci_personality, domain, "domain", 0, &oci_personality_names),
	J_ROW_LIST(struct oci_personality, flags, "flags", J_STR, 0, const char **, NULL),
	{ 0 },
};

const struct json_field oci_linux_fields[] = {
	J_ROW_LIST(struct oci_linux, namespaces, "namespaces", J_OBJECT, 0, struct oci_namespace *,
		namespace_fields),
	J_ROW_LIST(struct oci_linux, uid_mappings, "uidMappings", J_OBJECT, 0, struct oci_id_map *,
		oci_id_map_fields),
	J_ROW_LIST(struct oci_linux, gid_mappings, "gidMappings", J_OBJECT, 0, struct oci_id_map *,
		oci_id_map_fields),
	J_ROW_OPT(struct oci_linux, time_offsets, "timeOffsets", J_OBJECT,
		struct oci_time_offsets *, time_offsets_fields),
	J_ROW_LIST(struct oci_linux, devices, "devices", J_OBJECT, 0, struct oci_device *,
		device_fields),
	J_ROW_MAP_OBJ(struct oci_linux, net_devices, "netDevices", struct oci_net_device,
		net_device_fields),
	J_ROW_STR(struct oci_linux, cgroups_path, "cgroupsPath", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct oci_linux, resources, "resources", J_OBJECT, struct oci_resources *,
		oci_resources_fields),
	J_ROW_OPT(struct oci_linux, intel_rdt, "intelRdt", J_OBJECT, struct oci_intel_rdt *,
		intel_rdt_fields),
	J_ROW_OPT(struct oci_linux, memory_policy, "memoryPolicy", J_OBJECT,
		struct oci_memory_policy *, memory_policy_fields),
	J_ROW_OPT(struct oci_linux, seccomp, "seccomp", J_OBJECT, struct oci_seccomp *,
		oci_seccomp_fields),
	J_ROW_ENUM(struct oci_linux, rootfs_propagation, "rootfsPropagation", 0,
		&oci_propagation_names),
	J_ROW_LIST(struct oci_linux, masked_paths, "maskedPaths", J_STR, 0, const char **, NULL),
	J_ROW_LIST(
		struct oci_linux, readonly_paths, "readonlyPaths", J_STR, 0, const char **, NULL),
	J_ROW_STR(struct oci_linux, mount_label, "mountLabel", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct oci_linux, personality, "personality", J_OBJECT, struct oci_personality *,
		personality_fields),
	J_ROW_MAP(struct oci_linux, sysctl, "sysctl"),
	{ 0 },
};
