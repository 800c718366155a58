/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to a checked specification. Parsing binds config.json by field tables (one row per
 * property); checking applies every rule that needs no look at the host. Both name the place of
 * what is wrong: "process.rlimits[1]: ...".
 */
#ifndef MODEL_OCI_H
#define MODEL_OCI_H

#include "base/json.h"
#include "ctrctl/oci.h"

enum { OCI_CONFIG_MAX = 4 * 1024 * 1024, OCI_CONFIG_DEPTH = JSON_DEPTH_MAX };

/* config.json; a bare process object (exec --process); a bare resources object (update -r). All
 * that they return lives in the arena. Unknown properties are ignored, as the specification
 * demands. */
int oci_spec_parse(const char *text, size_t n, struct arena *, struct oci_spec **ret,
	struct err *) _must_check_;
int oci_process_parse(const char *text, size_t n, struct arena *, struct oci_process **ret,
	struct err *) _must_check_;
int oci_resources_parse(const char *text, size_t n, struct arena *, struct oci_resources **ret,
	struct err *) _must_check_;

/*
 * Every rule of the specification that needs no host, except those of linux.seccomp (seccomp_check)
 * and linux.resources (cgroup_check), which belong to those who know what the kernel can do. What
 * peers accept with a shrug is logged as a warning: relative mount destinations, unknown
 * capabilities.
 */
int oci_spec_check(const struct oci_spec *, struct err *) _must_check_;

/* The rules of a process alone. `spec` is the configuration of the container that it joins (ids
 * must be mapped there), or NULL. */
int oci_process_check(
	const struct oci_process *, const struct oci_spec *, struct err *) _must_check_;

/* Half of oci_spec_check: what lies beneath "linux". */
int oci_linux_check(const struct oci_spec *, struct err *) _must_check_;

/* Maps of a user namespace or a mount: at most 340 lines, no size 0, no overflow, no overlap on
 * either side. */
int oci_id_maps_check(const struct oci_id_map *, size_t n, struct err *) _must_check_;

/* 1 and the host's id in *ret_host when `id` is mapped, else 0. */
int oci_id_map_find(const struct oci_id_map *, size_t n, uint32_t id, uint32_t *ret_host);

/* The path beneath /proc/sys of a key in either spelling, "net.ipv4.conf.eth0/1.forwarding" or
 * "net/ipv4/conf/eth0.1/forwarding": the first separator decides. In the arena; NULL when memory is
 * out. */
char *oci_sysctl_path(struct arena *, const char *key) _must_check_;
/* The kind of namespace (enum oci_namespace_type) that a setting of that path belongs to; -1: to
 * none, it is the host's. */
int oci_sysctl_namespace(const char *path);

/* "0-3,7": the list syntax of cpusets and NUMA nodes. The offset of the first bad byte, or -1 when
 * it is well-formed. The empty text is well-formed. */
long oci_list_check(const char *text);

/* ---- what isn't honoured ---- */

/* A property that is understood but that this runtime can't honour: it is refused by name. */
struct oci_refusal {
	const char *path; /* "linux.intelRdt" */
	const char *why;
	bool (*is_used)(const struct oci_spec *);
};
const struct oci_refusal *oci_refusal(size_t i); /* NULL after the last */
int oci_refused_check(const struct oci_spec *, struct err *) _must_check_;

/* A property that is known and has no effect on Linux with cgroup v2, by intent. For documents. */
struct oci_ignored {
	const char *path, *why;
};
const struct oci_ignored *oci_ignored(size_t i); /* NULL after the last */

/* ---- tables ---- */

extern const struct json_field oci_spec_fields[];      /* struct oci_spec */
extern const struct json_field oci_process_fields[];   /* struct oci_process */
extern const struct json_field oci_linux_fields[];     /* struct oci_linux */
extern const struct json_field oci_resources_fields[]; /* struct oci_resources */
extern const struct json_field oci_seccomp_fields[];   /* struct oci_seccomp */
extern const struct json_field oci_id_map_fields[];    /* struct oci_id_map */
extern const struct json_field oci_hook_fields[];      /* struct oci_hook */

extern const struct name_table oci_namespace_names;    /* enum oci_namespace_type */
extern const struct name_table oci_sched_policy_names; /* enum oci_sched_policy */
extern const struct name_table oci_sched_flag_names;   /* enum oci_sched_flag */
extern const struct name_table oci_ioprio_names;       /* enum oci_ioprio_class */
extern const struct name_table oci_seccomp_action_names;
extern const struct name_table oci_seccomp_op_names;
extern const struct name_table oci_seccomp_flag_names;
extern const struct name_table oci_propagation_names;
extern const struct name_table oci_mpol_mode_names;
extern const struct name_table oci_mpol_flag_names;
extern const struct name_table oci_personality_names; /* index 0 LINUX, 1 LINUX32 */
extern const struct name_table oci_hook_kind_names;   /* enum oci_hook_kind */
extern const struct name_table
	oci_seccomp_arch_names; /* SCMP_ARCH_... in the order of the specification */

#endif
