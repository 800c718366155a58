/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources, property by property. */
#include "model/oci.h"

static const struct json_field device_rule_fields[] = {
	J_ROW_BOOL(struct oci_device_rule, allow, "allow", J_REQUIRED),
	J_ROW_STR(struct oci_device_rule, type, "type", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct oci_device_rule, major, "major", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_device_rule, minor, "minor", J_I64, int64_t *, NULL),
	J_ROW_STR(struct oci_device_rule, access, "access", 0),
	{ 0 },
};

static const struct json_field memory_fields[] = {
	J_ROW_OPT(struct oci_memory, limit, "limit", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_memory, reservation, "reservation", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_memory, swap, "swap", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_memory, kernel, "kernel", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_memory, kernel_tcp, "kernelTCP", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_memory, swappiness, "swappiness", J_U64, uint64_t *, NULL),
	J_ROW_BOOL(struct oci_memory, disable_oom_killer, "disableOOMKiller", 0),
	J_ROW_BOOL(struct oci_memory, use_hierarchy, "useHierarchy", 0),
	J_ROW_BOOL(struct oci_memory, check_before_update, "checkBeforeUpdate", 0),
	{ 0 },
};

static const struct json_field cpu_fields[] = {
	J_ROW_OPT(struct oci_cpu, shares, "shares", J_U64, uint64_t *, NULL),
	J_ROW_OPT(struct oci_cpu, quota, "quota", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_cpu, burst, "burst", J_U64, uint64_t *, NULL),
	J_ROW_OPT(struct oci_cpu, period, "period", J_U64, uint64_t *, NULL),
	J_ROW_OPT(struct oci_cpu, realtime_runtime, "realtimeRuntime", J_I64, int64_t *, NULL),
	J_ROW_OPT(struct oci_cpu, realtime_period, "realtimePeriod", J_U64, uint64_t *, NULL),
	J_ROW_STR(struct oci_cpu, cpus, "cpus", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_cpu, mems, "mems", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct oci_cpu, idle, "idle", J_I64, int64_t *, NULL),
	{ 0 },
};

static const struct json_field pids_fields[] = {
	J_ROW_I64(struct oci_pids, limit, "limit", J_REQUIRED),
	{ 0 },
};

/* Optional, 16 bits in the specification. */
#define ROW_U16(T, m, nm)                                                                    \
	{                                                                                    \
		.name = (nm), .kind = J_U32, .flags = J_OPT, .max = UINT16_MAX,              \
		.off = offsetof(T, m) + J_CHECK_(T, m, uint32_t *), .size = sizeof(uint32_t) \
	}

static const struct json_field weight_device_fields[] = {
	J_ROW_I64(struct oci_weight_device, major, "major", J_REQUIRED),
	J_ROW_I64(struct oci_weight_device, minor, "minor", J_REQUIRED),
	ROW_U16(struct oci_weight_device, weight, "weight"),
	ROW_U16(struct oci_weight_device, leaf_weight, "leafWeight"),
	{ 0 },
};

static const struct json_field throttle_fields[] = {
	J_ROW_I64(struct oci_throttle_device, major, "major", J_REQUIRED),
	J_ROW_I64(struct oci_throttle_device, minor, "minor", J_REQUIRED),
	J_ROW_U64(struct oci_throttle_device, rate, "rate", 0),
	{ 0 },
};

#define THROTTLE(m, nm)                                                                   \
	J_ROW_LIST(struct oci_block_io, m, nm, J_OBJECT, 0, struct oci_throttle_device *, \
		throttle_fields)

static const struct json_field block_io_fields[] = {
	ROW_U16(struct oci_block_io, weight, "weight"),
	ROW_U16(struct oci_block_io, leaf_weight, "leafWeight"),
	J_ROW_LIST(struct oci_block_io, weight_device, "weightDevice", J_OBJECT, 0,
		struct oci_weight_device *, weight_device_fields),
	THROTTLE(throttle_read_bps, "throttleReadBpsDevice"),
	THROTTLE(throttle_write_bps, "throttleWriteBpsDevice"),
	THROTTLE(throttle_read_iops, "throttleReadIOPSDevice"),
	THROTTLE(throttle_write_iops, "throttleWriteIOPSDevice"),
	{ 0 },
};

static const struct json_field hugepage_fields[] = {
	J_ROW_STR(struct oci_hugepage_limit, page_size, "pageSize", J_REQUIRED),
	J_ROW_U64(struct oci_hugepage_limit, limit, "limit", J_REQUIRED),
	{ 0 },
};

static const struct json_field interface_priority_fields[] = {
	J_ROW_STR(struct oci_interface_priority, name, "name", J_REQUIRED),
	J_ROW_U32(struct oci_interface_priority, priority, "priority", J_REQUIRED),
	{ 0 },
};

static const struct json_field network_fields[] = {
	J_ROW_OPT(struct oci_network, class_id, "classID", J_U32, uint32_t *, NULL),
	J_ROW_LIST(struct oci_network, priorities, "priorities", J_OBJECT, 0,
		struct oci_interface_priority *, interface_priority_fields),
	{ 0 },
};

static const struct json_field rdma_fields[] = {
	J_ROW_OPT(struct oci_rdma, hca_handles, "hcaHandles", J_U32, uint32_t *, NULL),
	J_ROW_OPT(struct oci_rdma, hca_objects, "hcaObjects", J_U32, uint32_t *, NULL),
	{ 0 },
};

const struct json_field oci_resources_fields[] = {
	J_ROW_LIST(struct oci_resources, devices, "devices", J_OBJECT, 0, struct oci_device_rule *,
		device_rule_fields),
	J_ROW_OPT(struct oci_resources, memory, "memory", J_OBJECT, struct oci_memory *,
		memory_fields),
	J_ROW_OPT(struct oci_resources, cpu, "cpu", J_OBJECT, struct oci_cpu *, cpu_fields),
	J_ROW_OPT(struct oci_resources, pids, "pids", J_OBJECT, struct oci_pids *, pids_fields),
	J_ROW_OPT(struct oci_resources, block_io, "blockIO", J_OBJECT, struct oci_block_io *,
		block_io_fields),
	J_ROW_LIST(struct oci_resources, hugepage_limits, "hugepageLimits", J_OBJECT, 0,
		struct oci_hugepage_limit *, hugepage_fields),
	J_ROW_OPT(struct oci_resources, network, "network", J_OBJECT, struct oci_network *,
		network_fields),
	J_ROW_MAP_OBJ(struct oci_resources, rdma, "rdma", struct oci_rdma, rdma_fields),
	J_ROW_MAP(struct oci_resources, unified, "unified"),
	{ 0 },
};
