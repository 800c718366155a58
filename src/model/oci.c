/* SPDX-License-Identifier: Apache-2.0 */
/* config.json but for "linux", property by property, and the way from text to structs. */
#include "model/oci.h"

static const struct json_field root_fields[] = {
	J_ROW_STR(struct oci_root, path, "path", J_REQUIRED),
	J_ROW_BOOL(struct oci_root, readonly, "readonly", J_EMPTY_IS_NULL),
	{ 0 },
};

static const struct json_field box_fields[] = {
	J_ROW_U64(struct oci_box, height, "height", J_REQUIRED),
	J_ROW_U64(struct oci_box, width, "width", J_REQUIRED),
	{ 0 },
};

static const struct json_field user_fields[] = {
	J_ROW_U32(struct oci_user, uid, "uid", J_KEEP),
	J_ROW_U32(struct oci_user, gid, "gid", J_KEEP),
	J_ROW_OPT(struct oci_user, umask, "umask", J_U32, uint32_t *, NULL),
	J_ROW_LIST(struct oci_user, additional_gids, "additionalGids", J_U32, 0, uint32_t *, NULL),
	J_ROW_IGNORED("username"),
	{ 0 },
};

#define CAPS(m) J_ROW_LIST(struct oci_capabilities, m, #m, J_STR, 0, const char **, NULL)

static const struct json_field capabilities_fields[] = {
	CAPS(bounding),
	CAPS(effective),
	CAPS(inheritable),
	CAPS(permitted),
	CAPS(ambient),
	{ 0 },
};

static const struct json_field rlimit_fields[] = {
	J_ROW_STR(struct oci_rlimit, type, "type", J_REQUIRED),
	J_ROW_U64(struct oci_rlimit, hard, "hard", J_REQUIRED),
	J_ROW_U64(struct oci_rlimit, soft, "soft", J_REQUIRED),
	{ 0 },
};

static const struct json_field scheduler_fields[] = {
	J_ROW_ENUM(struct oci_scheduler, policy, "policy", J_REQUIRED, &oci_sched_policy_names),
	J_ROW_OPT(struct oci_scheduler, nice, "nice", J_I32, int32_t *, NULL),
	J_ROW_OPT(struct oci_scheduler, priority, "priority", J_I32, int32_t *, NULL),
	J_ROW_LIST(struct oci_scheduler, flags, "flags", J_ENUM, 0, int *, &oci_sched_flag_names),
	J_ROW_U64(struct oci_scheduler, runtime, "runtime", 0),
	J_ROW_U64(struct oci_scheduler, deadline, "deadline", 0),
	J_ROW_U64(struct oci_scheduler, period, "period", 0),
	{ 0 },
};

static const struct json_field io_priority_fields[] = {
	J_ROW_ENUM(struct oci_io_priority, class, "class", J_REQUIRED, &oci_ioprio_names),
	J_ROW_I32(struct oci_io_priority, priority, "priority", 0),
	{ 0 },
};

static const struct json_field cpu_affinity_fields[] = {
	J_ROW_STR(struct oci_cpu_affinity, initial, "initial", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_cpu_affinity, final, "final", J_EMPTY_IS_NULL),
	{ 0 },
};

const struct json_field oci_process_fields[] = {
	J_ROW_BOOL(struct oci_process, terminal, "terminal", 0),
	J_ROW_OPT(struct oci_process, console_size, "consoleSize", J_OBJECT, struct oci_box *,
		box_fields),
	J_ROW_OBJ(struct oci_process, user, "user", 0, user_fields),
	J_ROW_LIST(struct oci_process, args, "args", J_STR, 0, const char **, NULL),
	J_ROW_IGNORED("commandLine"),
	J_ROW_LIST(struct oci_process, env, "env", J_STR, 0, const char **, NULL),
	J_ROW_STR(struct oci_process, cwd, "cwd", J_REQUIRED),
	J_ROW_OPT(struct oci_process, capabilities, "capabilities", J_OBJECT,
		struct oci_capabilities *, capabilities_fields),
	J_ROW_LIST(struct oci_process, rlimits, "rlimits", J_OBJECT, 0, struct oci_rlimit *,
		rlimit_fields),
	J_ROW_BOOL(struct oci_process, no_new_privileges, "noNewPrivileges", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_process, apparmor_profile, "apparmorProfile", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_process, selinux_label, "selinuxLabel", J_EMPTY_IS_NULL),
	J_ROW_OPT(struct oci_process, oom_score_adj, "oomScoreAdj", J_I32, int32_t *, NULL),
	J_ROW_OPT(struct oci_process, scheduler, "scheduler", J_OBJECT, struct oci_scheduler *,
		scheduler_fields),
	J_ROW_OPT(struct oci_process, io_priority, "ioPriority", J_OBJECT, struct oci_io_priority *,
		io_priority_fields),
	J_ROW_OPT(struct oci_process, exec_cpu_affinity, "execCPUAffinity", J_OBJECT,
		struct oci_cpu_affinity *, cpu_affinity_fields),
	{ 0 },
};

static const struct json_field mount_fields[] = {
	J_ROW_STR(struct oci_mount, destination, "destination", J_REQUIRED),
	J_ROW_STR(struct oci_mount, type, "type", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_mount, source, "source", J_EMPTY_IS_NULL),
	J_ROW_LIST(struct oci_mount, options, "options", J_STR, 0, const char **, NULL),
	J_ROW_LIST(struct oci_mount, uid_mappings, "uidMappings", J_OBJECT, 0, struct oci_id_map *,
		oci_id_map_fields),
	J_ROW_LIST(struct oci_mount, gid_mappings, "gidMappings", J_OBJECT, 0, struct oci_id_map *,
		oci_id_map_fields),
	{ 0 },
};

const struct json_field oci_hook_fields[] = {
	J_ROW_STR(struct oci_hook, path, "path", J_REQUIRED),
	J_ROW_LIST(struct oci_hook, args, "args", J_STR, 0, const char **, NULL),
	J_ROW_LIST(struct oci_hook, env, "env", J_STR, 0, const char **, NULL),
	J_ROW_OPT(struct oci_hook, timeout, "timeout", J_I64, int64_t *, NULL),
	{ 0 },
};

#define HOOKS(m, nm) \
	J_ROW_LIST(struct oci_hooks, m, nm, J_OBJECT, 0, struct oci_hook *, oci_hook_fields)

static const struct json_field hooks_fields[] = {
	HOOKS(prestart, "prestart"),
	HOOKS(create_runtime, "createRuntime"),
	HOOKS(create_container, "createContainer"),
	HOOKS(start_container, "startContainer"),
	HOOKS(poststart, "poststart"),
	HOOKS(poststop, "poststop"),
	{ 0 },
};

const struct json_field oci_spec_fields[] = {
	J_ROW_STR(struct oci_spec, oci_version, "ociVersion", J_REQUIRED),
	J_ROW_OPT(struct oci_spec, process, "process", J_OBJECT, struct oci_process *,
		oci_process_fields),
	J_ROW_OPT(struct oci_spec, root, "root", J_OBJECT, struct oci_root *, root_fields),
	J_ROW_STR(struct oci_spec, hostname, "hostname", J_EMPTY_IS_NULL),
	J_ROW_STR(struct oci_spec, domainname, "domainname", J_EMPTY_IS_NULL),
	J_ROW_LIST(
		struct oci_spec, mounts, "mounts", J_OBJECT, 0, struct oci_mount *, mount_fields),
	J_ROW_OPT(struct oci_spec, hooks, "hooks", J_OBJECT, struct oci_hooks *, hooks_fields),
	J_ROW_MAP(struct oci_spec, annotations, "annotations"),
	J_ROW_OPT(struct oci_spec, linux_, "linux", J_OBJECT, struct oci_linux *, oci_linux_fields),
	/* Other platforms' parts. */
	J_ROW_IGNORED("vm"),
	J_ROW_IGNORED("solaris"),
	J_ROW_IGNORED("windows"),
	J_ROW_IGNORED("zos"),
	J_ROW_IGNORED("freebsd"),
	{ 0 },
};

static int parse(const char *text, size_t n, const struct json_field *fields, size_t size,
	struct arena *arena, void **ret, struct err *err)
{
	const struct json *tree;
	void *base = NULL;

	if (json_parse(text, n, OCI_CONFIG_MAX, arena, &tree, err) < 0)
		return -1;
	base = arena_alloc(arena, size);
	if (!base)
		return err_nomem(err);
	if (json_bind(tree, fields, base, JSON_UNKNOWN_IGNORE, arena, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int oci_spec_parse(
	const char *text, size_t n, struct arena *arena, struct oci_spec **ret, struct err *err)
{
	void *base = NULL;

	if (parse(text, n, oci_spec_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int oci_process_parse(
	const char *text, size_t n, struct arena *arena, struct oci_process **ret, struct err *err)
{
	void *base = NULL;

	if (parse(text, n, oci_process_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int oci_resources_parse(const char *text, size_t n, struct arena *arena, struct oci_resources **ret,
	struct err *err)
{
	void *base = NULL;

	if (parse(text, n, oci_resources_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}
