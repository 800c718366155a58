/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of the table of requests that is waived or refused has an example. */
#include "cri.h"

enum { NATIVE = 1, ROOT = 2 }; /* a pod of other containers; host paths can be given */

/* NULL: nothing. Each begins with a comma, but for `ns` and `pod_ns`. */
struct example {
	const char *row;
	const char *config, *security, *resources, *ns, *pod, *pod_linux, *pod_ns;
	int flags;
};

#define SEC    "config.linux.security_context."
#define NS     SEC "namespace_options."
#define POD    "sandbox_config.linux.security_context."
#define RES    "config.linux.resources."
#define MOUNTS "config.mounts."
#define MOUNT(more) \
	",\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"/s\",\"readonly\":true" more "}]"
#define MAP "[{\"length\":1}]"

static const struct example examples[] = {
	{ "config.working_dir", .config = ",\"working_dir\":\"/a\\nb\"" },
	{ "config.mounts", .config = MOUNT("") },
	{ MOUNTS "container_path",
		.config =
			",\"mounts\":[{\"container_path\":\"/etc/hosts\",\"host_path\":\"/s\"}]" },
	{ MOUNTS "propagation", .config = MOUNT(",\"propagation\":1"), .flags = ROOT },
	{ MOUNTS "uidMappings", .config = MOUNT(",\"uidMappings\":" MAP), .flags = ROOT },
	{ MOUNTS "gidMappings", .config = MOUNT(",\"gidMappings\":" MAP), .flags = ROOT },
	{ MOUNTS "recursive_read_only", .config = MOUNT(",\"recursive_read_only\":true"),
		.flags = ROOT },
	{ MOUNTS "image",
		.config = ",\"mounts\":[{\"container_path\":\"/d\",\"readonly\":true,\"image\":{"
			  "\"image\":\"x\"}}]" },
	{ "config.devices",
		.config = ",\"devices\":[{\"container_path\":\"/dev/kvm\",\"host_path\":\"/dev/"
			  "kvm\"}]" },
	{ "config.log_path", .config = ",\"log_path\":\"x/0.log\"" },
	{ "config.stdin", .config = ",\"stdin\":true" },
	{ "config.stdin_once", .config = ",\"stdin_once\":true" },
	{ "config.tty", .config = ",\"tty\":true" },
	{ "config.stop_signal", .config = ",\"stop_signal\":11" },
	{ "config.windows", .config = ",\"windows\":{}" },
	{ "config.CDI_devices", .config = ",\"CDI_devices\":[{\"name\":\"a/b=c\"}]" },
	{ RES "oom_score_adj", .resources = ",\"oom_score_adj\":1" },
	{ RES "cpuset_cpus", .resources = ",\"cpuset_cpus\":\"0-1\"" },
	{ RES "cpuset_mems", .resources = ",\"cpuset_mems\":\"0\"" },
	{ RES "hugepage_limits",
		.resources = ",\"hugepage_limits\":[{\"page_size\":\"2MB\",\"limit\":0}]" },
	{ RES "unified", .resources = ",\"unified\":{\"pids.max\":\"5\"}" },
	{ SEC "capabilities.add_capabilities",
		.security = ",\"capabilities\":{\"add_capabilities\":[\"SYS_ADMIN\"]}" },
	{ SEC "capabilities.drop_capabilities",
		.security = ",\"capabilities\":{\"drop_capabilities\":[\"CHOWN\"]}" },
	{ SEC "capabilities.add_ambient_capabilities",
		.security = ",\"capabilities\":{\"add_ambient_capabilities\":[\"CHOWN\"]}" },
	{ SEC "privileged", .security = ",\"privileged\":true" },
	{ NS "network", .flags = NATIVE },
	{ NS "pid", .ns = "\"pid\":2", .pod_ns = "\"pid\":2" },
	{ NS "ipc", .ns = "\"ipc\":2", .pod_ns = "\"ipc\":2" },
	{ NS "target_id", .ns = "\"pid\":3,\"target_id\":\"x\"" },
	{ SEC "selinux_options", .security = ",\"selinux_options\":{\"level\":\"s0\"}" },
	{ SEC "run_as_user", .security = ",\"run_as_user\":{\"value\":7}" },
	{ SEC "run_as_group",
		.security = ",\"run_as_user\":{\"value\":0},\"run_as_group\":{\"value\":7}" },
	{ SEC "run_as_username", .security = ",\"run_as_username\":\"me\"" },
	{ SEC "supplemental_groups", .security = ",\"supplemental_groups\":[7]" },
	{ SEC "supplemental_groups_policy", .security = ",\"supplemental_groups_policy\":1" },
	{ SEC "no_new_privs", .security = ",\"no_new_privs\":true" },
	{ SEC "masked_paths", .security = ",\"masked_paths\":[\"/proc/cpuinfo\"]" },
	{ SEC "readonly_paths", .security = ",\"readonly_paths\":[\"/usr\"]" },
	{ SEC "seccomp.profile_type",
		.security = ",\"seccomp\":{\"profile_type\":2,\"localhost_ref\":\"x\"}" },
	{ SEC "apparmor.profile_type",
		.security = ",\"apparmor\":{\"profile_type\":2,\"localhost_ref\":\"x\"}" },
	{ SEC "apparmor_profile", .security = ",\"apparmor_profile\":\"localhost/x\"" },
	{ SEC "seccomp_profile_path", .security = ",\"seccomp_profile_path\":\"localhost/x\"" },
	{ "sandbox_config.dns_config.options",
		.pod = ",\"dns_config\":{\"options\":[\"ndots:5\"]}" },
	{ "sandbox_config.port_mappings.host_port",
		.pod = ",\"port_mappings\":[{\"container_port\":80,\"host_port\":80}]" },
	{ "sandbox_config.windows", .pod = ",\"windows\":{}" },
	{ "sandbox_config.linux.sysctls",
		.pod_linux = ",\"sysctls\":{\"net.core.somaxconn\":\"1024\"}" },
	{ POD "namespace_options.network", .pod_ns = "\"network\":2" },
	{ POD "namespace_options.pid", .ns = "\"pid\":0", .pod_ns = "\"pid\":2" },
	{ POD "namespace_options.ipc", .pod_ns = "\"ipc\":2" },
	{ POD "selinux_options", .pod_linux = ",\"selinux_options\":{\"level\":\"s0\"}" },
};

/* Rows that have none of their own: they are judged with another. */
static const char *const spoken_for[] = { SEC "seccomp.localhost_ref", SEC "apparmor.localhost_ref",
	MOUNTS "image_sub_path" };

static const char *or_none(const char *text)
{
	return text ? text : "";
}

static int read_example(struct reading *r, const struct example *e)
{
	const bool selinux = str_eq(e->row, POD "selinux_options");
	_str_ struct str s = { 0 };

	r->native_sandbox = e->flags & NATIVE;
	if (e->flags & ROOT)
		as_root_on(r, "pve1");
	str_printf(&s,
		"{\"pod_sandbox_id\":\"5a5a\",\"config\":{\"metadata\":{\"name\":\"db\"},\"image\":"
		"{\"image\":\"lxc/debian-12\"}%s,\"linux\":{\"resources\":{\"cpu_shares\":0%s},"
		"\"security_context\":{\"namespace_options\":{%s}%s}}},\"sandbox_config\":{"
		"\"metadata\":{\"name\":\"pg-0\",\"namespace\":\"data\",\"uid\":\"u-1\"},\"log_"
		"directory\":\"/var/log/pods/x\"%s,\"linux\":{\"cgroup_parent\":\"/x\"%s,"
		"\"security_context\":{\"namespace_options\":{%s}%s}}}}",
		or_none(e->config), or_none(e->resources), e->ns ? e->ns : "\"pid\":1",
		or_none(e->security), or_none(e->pod), selinux ? "" : or_none(e->pod_linux),
		or_none(e->pod_ns), selinux ? e->pod_linux : "");
	r->arena = arena_new();
	return read_request(r, arena_strndup(r->arena, s.p, s.n), s.n);
}

static const struct wish_cri_row *row_of(const char *field)
{
	const struct wish_cri_row *r = NULL;

	for (size_t i = 0; (r = wish_cri_row(i)) && !str_eq(r->field, field); i++)
		;
	cr_assert(r, "%s", field);
	return r;
}

/* "config.mounts[0].image" is a place of "config.mounts.image". */
static bool is_place_of(const char *place, const char *row)
{
	while (*place) {
		if (*place == '[') {
			place += strcspn(place, "]") + 1;
			continue;
		}
		if (*place++ != *row++)
			return false;
	}
	return !*row || str_eq(row, ".container_path"); /* said of the mount */
}

Test(wish_cri_rows, every_row_that_is_waived_or_refused_has_an_example)
{
	const struct wish_cri_row *row;

	for (size_t i = 0; (row = wish_cri_row(i)); i++) {
		bool found = row->way < WISH_WAIVED || str_ends(row->field, ".**");

		for (size_t k = 0; !found && k < ARRAY_SIZE(examples); k++)
			found = str_eq(examples[k].row, row->field);
		for (size_t k = 0; !found && k < ARRAY_SIZE(spoken_for); k++)
			found = str_eq(spoken_for[k], row->field);
		cr_expect(found, "%s", row->field);
	}
}

Test(wish_cri_rows, each_is_refused_by_its_name_and_nothing_else_is)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		_reading_ r = { 0 };

		cr_expect_eq(read_example(&r, e), -1, "%s", e->row);
		cr_assert_eq(r.faults.total, 1, "%s: %zu faults", e->row, r.faults.total);
		cr_expect(is_place_of(r.faults.items[0].field, e->row), "%s: %s", e->row,
			r.faults.items[0].field);
	}
}

Test(wish_cri_rows, exactly_the_rows_waiver_lets_it_go)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		const struct wish_cri_row *row = row_of(e->row);
		const bool waived = row->way == WISH_WAIVED;
		_reading_ r = { 0 }, others = { 0 };

		for (int w = 0; w < SETTINGS_WAIVER_N; w++) {
			r.cfg.waive[w] = !waived || w == row->waiver;
			others.cfg.waive[w] = !waived || w != row->waiver;
		}
		cr_expect_eq(read_example(&r, e), waived ? 0 : -1, "%s", e->row);
		cr_expect_eq(read_example(&others, e), -1, "%s", e->row);
		for (int w = 0; waived && w < SETTINGS_WAIVER_N; w++)
			cr_expect_eq(r.wish.waived[w], w == row->waiver, "%s", e->row);
	}
}
