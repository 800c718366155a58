/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of the OCI runtime specification 1.3, Linux: one struct per object of the schema,
 * members named after the properties. Everything lives in the arena of the document; absent is
 * NULL, 0 or an empty list unless said. The field tables in src/model/oci.c bind them.
 */
#ifndef CTRCTL_OCI_H
#define CTRCTL_OCI_H

#include "ctrctl/err.h"
#include "ctrctl/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oci_namespace_type {
	OCI_NS_MOUNT,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_UTS,
	OCI_NS_IPC,
	OCI_NS_USER,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_N
};
/* "mount", ... ; CLONE_NEW* ; the name under /proc/PID/ns */
const char *oci_namespace_name(int type);
uint64_t oci_namespace_clone_flag(int type);
const char *oci_namespace_proc_name(int type);

struct oci_id_map {
	uint32_t container_id, host_id, size;
};

struct oci_root {
	const char *path;
	bool readonly;
};

struct oci_box {
	uint64_t height, width;
};

struct oci_user {
	uint32_t uid, gid;
	uint32_t *umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
};

struct oci_capabilities { /* names as written: CAP_... */
	const char **bounding, **effective, **inheritable, **permitted, **ambient;
	size_t n_bounding, n_effective, n_inheritable, n_permitted, n_ambient;
};

struct oci_rlimit {
	const char *type; /* RLIMIT_... */
	uint64_t soft, hard;
};

enum oci_sched_policy {
	OCI_SCHED_OTHER,
	OCI_SCHED_FIFO,
	OCI_SCHED_RR,
	OCI_SCHED_BATCH,
	OCI_SCHED_ISO,
	OCI_SCHED_IDLE,
	OCI_SCHED_DEADLINE,
	OCI_SCHED_N
};

enum oci_sched_flag { /* bit i of sched_attr.sched_flags */
	OCI_SCHED_RESET_ON_FORK,
	OCI_SCHED_RECLAIM,
	OCI_SCHED_DL_OVERRUN,
	OCI_SCHED_KEEP_POLICY,
	OCI_SCHED_KEEP_PARAMS,
	OCI_SCHED_UTIL_CLAMP_MIN,
	OCI_SCHED_UTIL_CLAMP_MAX,
	OCI_SCHED_FLAG_N
};

struct oci_scheduler {
	int policy; /* enum oci_sched_policy */
	int32_t *nice, *priority;
	int *flags; /* enum oci_sched_flag */
	size_t n_flags;
	uint64_t runtime, deadline, period; /* nanoseconds */
};

enum oci_ioprio_class { OCI_IOPRIO_RT = 1, OCI_IOPRIO_BE = 2, OCI_IOPRIO_IDLE = 3 };

struct oci_io_priority {
	int class; /* enum oci_ioprio_class, the kernel's numbers */
	int32_t priority;
};

struct oci_cpu_affinity {
	const char *initial, *final;
};

struct oci_process {
	bool terminal;
	struct oci_box *console_size;
	const char *cwd;
	const char **env, **args;
	size_t n_env, n_args;
	struct oci_user user;
	struct oci_capabilities *capabilities; /* NULL: none of the five sets was given */
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	const char *apparmor_profile, *selinux_label;
	int32_t *oom_score_adj;
	struct oci_scheduler *scheduler;
	struct oci_io_priority *io_priority;
	struct oci_cpu_affinity *exec_cpu_affinity;
};

struct oci_mount {
	const char *destination, *type, *source;
	const char **options;
	size_t n_options;
	struct oci_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
};

struct oci_hook {
	const char *path;
	const char **args, **env;
	size_t n_args, n_env;
	int64_t *timeout; /* seconds */
};

enum oci_hook_kind {
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_N
};
const char *oci_hook_kind_name(int kind); /* "prestart", "createRuntime", ... */

struct oci_hooks {
	struct oci_hook *prestart, *create_runtime, *create_container, *start_container, *poststart,
		*poststop;
	size_t n_prestart, n_create_runtime, n_create_container, n_start_container, n_poststart,
		n_poststop;
};

/* The list of one kind; hooks may be NULL (then *ret_n is 0). */
const struct oci_hook *oci_hooks_of(const struct oci_hooks *hooks, int kind, size_t *ret_n);

struct oci_namespace {
	int type;         /* enum oci_namespace_type */
	const char *path; /* NULL: a new one */
};

struct oci_device {
	const char *type; /* c b u p */
	const char *path;
	int64_t *major, *minor;
	uint32_t *file_mode, *uid, *gid;
};

struct oci_device_rule {
	bool allow;
	const char *type; /* a b c; NULL = a */
	int64_t *major, *minor;
	const char *access; /* letters of rwm; NULL = rwm */
};

struct oci_weight_device {
	int64_t major, minor;
	uint32_t *weight, *leaf_weight;
};

struct oci_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};

struct oci_block_io {
	uint32_t *weight, *leaf_weight;
	struct oci_weight_device *weight_device;
	size_t n_weight_device;
	struct oci_throttle_device *throttle_read_bps, *throttle_write_bps, *throttle_read_iops,
		*throttle_write_iops;
	size_t n_throttle_read_bps, n_throttle_write_bps, n_throttle_read_iops,
		n_throttle_write_iops;
};

struct oci_cpu {
	uint64_t *shares, *period, *burst, *realtime_period;
	int64_t *quota, *realtime_runtime, *idle;
	const char *cpus, *mems;
};

struct oci_memory {
	int64_t *limit, *reservation, *swap, *kernel, *kernel_tcp;
	uint64_t *swappiness;
	bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct oci_hugepage_limit {
	const char *page_size;
	uint64_t limit;
};

struct oci_interface_priority {
	const char *name;
	uint32_t priority;
};

struct oci_network {
	uint32_t *class_id;
	struct oci_interface_priority *priorities;
	size_t n_priorities;
};

struct oci_rdma {
	uint32_t *hca_handles, *hca_objects;
};

struct oci_pids {
	int64_t limit;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory *memory;
	struct oci_cpu *cpu;
	struct oci_pids *pids;
	struct oci_block_io *block_io;
	struct oci_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	struct oci_network *network;
	struct ctr_map_obj rdma; /* of struct oci_rdma, by device */
	struct ctr_map_str unified;
};

enum oci_seccomp_action {
	OCI_ACT_KILL, /* = KILL_THREAD */
	OCI_ACT_KILL_PROCESS,
	OCI_ACT_KILL_THREAD,
	OCI_ACT_TRAP,
	OCI_ACT_ERRNO,
	OCI_ACT_TRACE,
	OCI_ACT_ALLOW,
	OCI_ACT_LOG,
	OCI_ACT_NOTIFY,
	OCI_ACT_N
};

enum oci_seccomp_op {
	OCI_CMP_NE,
	OCI_CMP_LT,
	OCI_CMP_LE,
	OCI_CMP_EQ,
	OCI_CMP_GE,
	OCI_CMP_GT,
	OCI_CMP_MASKED_EQ, /* value is the mask, value_two the datum */
	OCI_CMP_N
};

enum oci_seccomp_flag {
	OCI_SECCOMP_TSYNC,
	OCI_SECCOMP_LOG,
	OCI_SECCOMP_SPEC_ALLOW,
	OCI_SECCOMP_WAIT_KILLABLE_RECV,
	OCI_SECCOMP_FLAG_N
};

struct oci_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	int op; /* enum oci_seccomp_op */
};

struct oci_seccomp_rule {
	const char **names;
	size_t n_names;
	int action; /* enum oci_seccomp_action */
	uint32_t *errno_ret;
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	int default_action; /* enum oci_seccomp_action */
	uint32_t *default_errno_ret;
	const char **architectures; /* SCMP_ARCH_... */
	size_t n_architectures;
	int *flags; /* enum oci_seccomp_flag */
	size_t n_flags;
	bool has_flags; /* "flags" was given, be it empty: absent means SPEC_ALLOW */
	const char *listener_path, *listener_metadata;
	struct oci_seccomp_rule *syscalls;
	size_t n_syscalls;
};

enum oci_propagation {
	OCI_PROPAGATION_UNSET,
	OCI_PROPAGATION_PRIVATE,
	OCI_PROPAGATION_SHARED,
	OCI_PROPAGATION_SLAVE,
	OCI_PROPAGATION_UNBINDABLE,
	/* The r forms, which engines write although the specification lists the plain ones. */
	OCI_PROPAGATION_RPRIVATE,
	OCI_PROPAGATION_RSHARED,
	OCI_PROPAGATION_RSLAVE,
	OCI_PROPAGATION_RUNBINDABLE,
	OCI_PROPAGATION_N
};
/* MS_PRIVATE ..., with MS_REC for the r forms; unset: what runc does, MS_SLAVE|MS_REC. */
uint64_t oci_propagation_flags(int propagation);

struct oci_intel_rdt {
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	const char **schemata;
	size_t n_schemata;
	bool enable_monitoring;
};

enum oci_mpol_mode { /* the kernel's numbers */
	OCI_MPOL_DEFAULT,
	OCI_MPOL_PREFERRED,
	OCI_MPOL_BIND,
	OCI_MPOL_INTERLEAVE,
	OCI_MPOL_LOCAL,
	OCI_MPOL_PREFERRED_MANY,
	OCI_MPOL_WEIGHTED_INTERLEAVE,
	OCI_MPOL_N
};

enum oci_mpol_flag { /* bit 13 + i of set_mempolicy(2)'s mode */
	OCI_MPOL_F_NUMA_BALANCING,
	OCI_MPOL_F_RELATIVE_NODES,
	OCI_MPOL_F_STATIC_NODES,
	OCI_MPOL_F_N
};

struct oci_memory_policy {
	int mode;   /* enum oci_mpol_mode */
	int *flags; /* enum oci_mpol_flag */
	size_t n_flags;
	const char *nodes;
};

struct oci_personality {
	int domain; /* 0 LINUX, 1 LINUX32 */
	const char **flags;
	size_t n_flags;
};

struct oci_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_time_offsets {
	struct oci_time_offset *monotonic, *boottime;
};

struct oci_net_device {
	const char *name; /* new name, NULL: keep */
};

struct oci_linux {
	struct oci_namespace *namespaces;
	size_t n_namespaces;
	struct oci_id_map *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	struct oci_time_offsets *time_offsets;
	struct oci_device *devices;
	size_t n_devices;
	struct ctr_map_obj net_devices; /* of struct oci_net_device, by host name */
	const char *cgroups_path;
	struct oci_resources *resources;
	struct oci_intel_rdt *intel_rdt;
	struct oci_memory_policy *memory_policy;
	struct oci_seccomp *seccomp;
	int rootfs_propagation; /* enum oci_propagation */
	const char **masked_paths, **readonly_paths;
	size_t n_masked_paths, n_readonly_paths;
	const char *mount_label;
	struct oci_personality *personality;
	struct ctr_map_str sysctl;
};

struct oci_spec {
	const char *oci_version;
	struct oci_root *root;
	struct oci_process *process;
	const char *hostname, *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hooks *hooks;
	struct ctr_map_str annotations;
	struct oci_linux *linux_; /* "linux"; NULL: no namespaces at all */
};

/* The namespace entry of a type, or NULL when it is inherited. */
const struct oci_namespace *oci_namespace_get(const struct oci_spec *, int type);

#endif
