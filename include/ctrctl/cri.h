/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of CRI v1 that a container is made from, one struct per message; the numbers are
 * those of the protobuf fields. Everything lives in the arena of the document. As in proto3, absent
 * and empty are the same: strings are NULL, lists empty, messages NULL, numbers 0. The field tables
 * in src/model/cri.c bind them.
 */
#ifndef CTRCTL_CRI_H
#define CTRCTL_CRI_H

#include "ctrctl/err.h"
#include "ctrctl/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cri_protocol { CRI_TCP, CRI_UDP, CRI_SCTP, CRI_PROTOCOL_N };

enum cri_propagation {
	CRI_PROPAGATION_PRIVATE,
	CRI_PROPAGATION_HOST_TO_CONTAINER,
	CRI_PROPAGATION_BIDIRECTIONAL,
	CRI_PROPAGATION_N
};

enum cri_namespace_mode { CRI_NS_POD, CRI_NS_CONTAINER, CRI_NS_NODE, CRI_NS_TARGET, CRI_NS_N };

enum cri_groups_policy { CRI_GROUPS_MERGE, CRI_GROUPS_STRICT, CRI_GROUPS_N };

enum cri_profile_type {
	CRI_PROFILE_RUNTIME_DEFAULT,
	CRI_PROFILE_UNCONFINED,
	CRI_PROFILE_LOCALHOST,
	CRI_PROFILE_N
};

enum { CRI_SIGNAL_N = 66 };
/* Linux's number of a CRI Signal: 18 (SIGNAL_SIGKILL...) by table; SIGNAL_RUNTIME_DEFAULT is 0. -1:
 * no such enum value. */
int cri_signal(int cri);

struct cri_dns_config {
	const char **servers; /* 1 */
	size_t n_servers;
	const char **searches; /* 2 */
	size_t n_searches;
	const char **options; /* 3 */
	size_t n_options;
};

struct cri_port_mapping {
	int protocol;           /* 1 enum cri_protocol */
	int32_t container_port; /* 2 */
	int32_t host_port;      /* 3 */
	const char *host_ip;    /* 4 */
};

struct cri_id_mapping {
	uint32_t host_id;      /* 1 */
	uint32_t container_id; /* 2 */
	uint32_t length;       /* 3 */
};

struct cri_image_spec {
	const char *image;                /* 1 */
	struct ctr_map_str annotations;   /* 2 */
	const char *user_specified_image; /* 18 */
	const char *runtime_handler;      /* 19 */
	const char *image_ref;            /* 20 */
};

struct cri_key_value {
	const char *key;   /* 1 */
	const char *value; /* 2 */
};

struct cri_mount {
	const char *container_path;          /* 1 */
	const char *host_path;               /* 2 */
	bool readonly;                       /* 3 */
	bool selinux_relabel;                /* 4 */
	int propagation;                     /* 5 enum cri_propagation */
	struct cri_id_mapping *uid_mappings; /* 6 */
	size_t n_uid_mappings;
	struct cri_id_mapping *gid_mappings; /* 7 */
	size_t n_gid_mappings;
	bool recursive_read_only;     /* 8 */
	struct cri_image_spec *image; /* 9 */
	const char *image_sub_path;   /* 10 */
	const char **mount_options;   /* 11 */
	size_t n_mount_options;
};

struct cri_device {
	const char *container_path; /* 1 */
	const char *host_path;      /* 2 */
	const char *permissions;    /* 3 */
};

struct cri_cdi_device {
	const char *name; /* 1 */
};

struct cri_int64_value {
	int64_t value; /* 1 */
};

struct cri_user_namespace {
	int mode;                    /* 1 enum cri_namespace_mode */
	struct cri_id_mapping *uids; /* 2 */
	size_t n_uids;
	struct cri_id_mapping *gids; /* 3 */
	size_t n_gids;
};

struct cri_namespace_option {
	int network;                               /* 1 enum cri_namespace_mode */
	int pid;                                   /* 2 enum cri_namespace_mode */
	int ipc;                                   /* 3 enum cri_namespace_mode */
	const char *target_id;                     /* 4 */
	struct cri_user_namespace *userns_options; /* 5 */
};

struct cri_security_profile {
	int profile_type;          /* 1 enum cri_profile_type */
	const char *localhost_ref; /* 2 */
};

struct cri_selinux_option {
	const char *user;  /* 1 */
	const char *role;  /* 2 */
	const char *type;  /* 3 */
	const char *level; /* 4 */
};

struct cri_capability {
	const char **add_capabilities; /* 1 */
	size_t n_add_capabilities;
	const char **drop_capabilities; /* 2 */
	size_t n_drop_capabilities;
	const char **add_ambient_capabilities; /* 3 */
	size_t n_add_ambient_capabilities;
};

struct cri_hugepage_limit {
	const char *page_size; /* 1 */
	uint64_t limit;        /* 2 */
};

struct cri_linux_container_resources {
	int64_t cpu_period;                         /* 1 */
	int64_t cpu_quota;                          /* 2 */
	int64_t cpu_shares;                         /* 3 */
	int64_t memory_limit_in_bytes;              /* 4 */
	int64_t oom_score_adj;                      /* 5 */
	const char *cpuset_cpus;                    /* 6 */
	const char *cpuset_mems;                    /* 7 */
	struct cri_hugepage_limit *hugepage_limits; /* 8 */
	size_t n_hugepage_limits;
	struct ctr_map_str unified;         /* 9 */
	int64_t memory_swap_limit_in_bytes; /* 10 */
};

struct cri_linux_container_security_context {
	struct cri_capability *capabilities;            /* 1 */
	bool privileged;                                /* 2 */
	struct cri_namespace_option *namespace_options; /* 3 */
	struct cri_selinux_option *selinux_options;     /* 4 */
	struct cri_int64_value *run_as_user;            /* 5 */
	struct cri_int64_value *run_as_group;           /* 12 */
	const char *run_as_username;                    /* 6 */
	bool readonly_rootfs;                           /* 7 */
	int64_t *supplemental_groups;                   /* 8 */
	size_t n_supplemental_groups;
	int supplemental_groups_policy; /* 17 enum cri_groups_policy */
	bool no_new_privs;              /* 11 */
	const char **masked_paths;      /* 13 */
	size_t n_masked_paths;
	const char **readonly_paths; /* 14 */
	size_t n_readonly_paths;
	struct cri_security_profile *seccomp;  /* 15 */
	struct cri_security_profile *apparmor; /* 16 */
	const char *apparmor_profile;          /* 9 deprecated */
	const char *seccomp_profile_path;      /* 10 deprecated */
};

struct cri_linux_sandbox_security_context {
	struct cri_namespace_option *namespace_options; /* 1 */
	struct cri_selinux_option *selinux_options;     /* 2 */
	struct cri_int64_value *run_as_user;            /* 3 */
	struct cri_int64_value *run_as_group;           /* 8 */
	bool readonly_rootfs;                           /* 4 */
	int64_t *supplemental_groups;                   /* 5 */
	size_t n_supplemental_groups;
	int supplemental_groups_policy;        /* 11 enum cri_groups_policy */
	bool privileged;                       /* 6 */
	struct cri_security_profile *seccomp;  /* 9 */
	struct cri_security_profile *apparmor; /* 10 */
	const char *seccomp_profile_path;      /* 7 deprecated */
};

struct cri_linux_pod_sandbox_config {
	const char *cgroup_parent;                                   /* 1 */
	struct cri_linux_sandbox_security_context *security_context; /* 2 */
	struct ctr_map_str sysctls;                                  /* 3 */
	struct cri_linux_container_resources *overhead;              /* 4 */
	struct cri_linux_container_resources *resources;             /* 5 */
};

struct cri_linux_container_config {
	struct cri_linux_container_resources *resources;               /* 1 */
	struct cri_linux_container_security_context *security_context; /* 2 */
};

struct cri_container_metadata {
	const char *name; /* 1 */
	uint32_t attempt; /* 2 */
};

struct cri_pod_sandbox_metadata {
	const char *name;      /* 1 */
	const char *uid;       /* 2 */
	const char *namespace; /* 3 */
	uint32_t attempt;      /* 4 */
};

struct cri_pod_sandbox_config {
	struct cri_pod_sandbox_metadata *metadata; /* 1 */
	const char *hostname;                      /* 2 */
	const char *log_directory;                 /* 3 */
	struct cri_dns_config *dns_config;         /* 4 */
	struct cri_port_mapping *port_mappings;    /* 5 */
	size_t n_port_mappings;
	struct ctr_map_str labels;                   /* 6 */
	struct ctr_map_str annotations;              /* 7 */
	struct cri_linux_pod_sandbox_config *linux_; /* 8 */
	bool windows;                                /* 9: present, which Linux refuses */
};

struct cri_container_config {
	struct cri_container_metadata *metadata; /* 1 */
	struct cri_image_spec *image;            /* 2 */
	const char **command;                    /* 3 */
	size_t n_command;
	const char **args; /* 4 */
	size_t n_args;
	const char *working_dir;    /* 5 */
	struct cri_key_value *envs; /* 6 */
	size_t n_envs;
	struct cri_mount *mounts; /* 7 */
	size_t n_mounts;
	struct cri_device *devices; /* 8 */
	size_t n_devices;
	struct ctr_map_str labels;                 /* 9 */
	struct ctr_map_str annotations;            /* 10 */
	const char *log_path;                      /* 11 */
	bool stdin_;                               /* 12 "stdin" */
	bool stdin_once;                           /* 13 */
	bool tty;                                  /* 14 */
	struct cri_linux_container_config *linux_; /* 15 */
	bool windows;                              /* 16: present, which Linux refuses */
	struct cri_cdi_device *cdi_devices;        /* 17 */
	size_t n_cdi_devices;
	int stop_signal; /* 18 CRI Signal: see cri_signal() */
};

struct cri_create_container_request {
	const char *pod_sandbox_id;                    /* 1 */
	struct cri_container_config *config;           /* 2 */
	struct cri_pod_sandbox_config *sandbox_config; /* 3 */
};

struct cri_create_container_response {
	const char *container_id; /* 1 */
};

#endif
