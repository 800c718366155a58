/* SPDX-License-Identifier: Apache-2.0 */
#include "model/spec-default.h"

#include "model/oci.h"

enum { INDENT = 4 };

#define LIST(...)    ((const char *[]){ __VA_ARGS__ })
#define LIST_N(...)  (sizeof(LIST(__VA_ARGS__)) / sizeof(const char *))
#define OPTIONS(...) .options = LIST(__VA_ARGS__), .n_options = LIST_N(__VA_ARGS__)
#define CAPABILITIES "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"

/* Not static: the lists of struct oci_spec aren't const, so each caller gets fresh ones on the
 * stack. */
static void write_spec(const struct oci_process *process, struct json_writer *w)
{
	struct oci_mount mounts[] = {
		{ .destination = "/proc", .type = "proc", .source = "proc" },
		{ .destination = "/dev",
			.type = "tmpfs",
			.source = "tmpfs",
			OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k") },
		{ .destination = "/dev/pts",
			.type = "devpts",
			.source = "devpts",
			OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
				"gid=5") },
		{ .destination = "/dev/shm",
			.type = "tmpfs",
			.source = "shm",
			OPTIONS("nosuid", "noexec", "nodev", "mode=1777", "size=65536k") },
		{ .destination = "/dev/mqueue",
			.type = "mqueue",
			.source = "mqueue",
			OPTIONS("nosuid", "noexec", "nodev") },
		{ .destination = "/sys",
			.type = "sysfs",
			.source = "sysfs",
			OPTIONS("nosuid", "noexec", "nodev", "ro") },
		{ .destination = "/sys/fs/cgroup",
			.type = "cgroup",
			.source = "cgroup",
			OPTIONS("nosuid", "noexec", "nodev", "relatime", "ro") },
	};
	struct oci_namespace namespaces[] = { { OCI_NS_PID, NULL }, { OCI_NS_NETWORK, NULL },
		{ OCI_NS_IPC, NULL }, { OCI_NS_UTS, NULL }, { OCI_NS_MOUNT, NULL },
		{ OCI_NS_CGROUP, NULL } };
	struct oci_device_rule rules[] = { { .allow = false, .access = "rwm" } };
	struct oci_resources resources = { .devices = rules, .n_devices = ARRAY_SIZE(rules) };
	const char *masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
		"/sys/firmware", "/proc/scsi" };
	const char *readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger" };
	struct oci_linux linux_ = {
		.resources = &resources,
		.namespaces = namespaces,
		.n_namespaces = ARRAY_SIZE(namespaces),
		.masked_paths = masked,
		.n_masked_paths = ARRAY_SIZE(masked),
		.readonly_paths = readonly,
		.n_readonly_paths = ARRAY_SIZE(readonly),
	};
	struct oci_root root = { .path = "rootfs", .readonly = true };
	struct oci_process copy = *process;
	const struct oci_spec spec = {
		.oci_version = "1.3.0",
		.process = &copy,
		.root = &root,
		.hostname = "ctrctl",
		.mounts = mounts,
		.n_mounts = ARRAY_SIZE(mounts),
		.linux_ = &linux_,
	};

	json_w_fields(w, oci_spec_fields, &spec);
}

int spec_default_text(struct str *out, struct err *err)
{
	const char *caps[] = { CAPABILITIES };
	const char *args[] = { "sh" };
	const char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TERM=xterm" };
	struct oci_capabilities capabilities = {
		.bounding = caps,
		.effective = caps,
		.permitted = caps,
		.n_bounding = ARRAY_SIZE(caps),
		.n_effective = ARRAY_SIZE(caps),
		.n_permitted = ARRAY_SIZE(caps),
	};
	struct oci_rlimit rlimits[] = { { .type = "RLIMIT_NOFILE", .soft = 1024, .hard = 1024 } };
	const struct oci_process process = {
		.terminal = true,
		.args = args,
		.n_args = ARRAY_SIZE(args),
		.env = env,
		.n_env = ARRAY_SIZE(env),
		.cwd = "/",
		.capabilities = &capabilities,
		.rlimits = rlimits,
		.n_rlimits = ARRAY_SIZE(rlimits),
		.no_new_privileges = true,
	};
	struct json_writer w = { .out = out, .indent = INDENT };

	write_spec(&process, &w);
	str_add(out, "\n");
	return str_ok(out, err);
}
