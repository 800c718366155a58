/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as kubelets send them, and one by one each field that can't be given. */
#include "cri.h"

#define POD                                                                                       \
	"\"metadata\":{\"name\":\"pg-0\",\"namespace\":\"data\",\"uid\":\"u-1\"},\"hostname\":\"" \
	"pg-0\",\"log_directory\":\"/var/log/pods/x\""

/* NULL: nothing. Each begins with a comma. */
struct parts {
	const char *config, *security, *resources, *pod, *pod_linux;
};

static int read_parts(struct reading *r, const struct parts *p)
{
	_str_ struct str s = { 0 };

	str_printf(&s,
		"{\"pod_sandbox_id\":\"5a5a\",\"config\":{\"metadata\":{\"name\":\"db\"},\"image\":"
		"{\"image\":\"lxc/debian-12\"}%s,\"linux\":{\"resources\":{\"cpu_shares\":0%s},"
		"\"security_context\":{\"namespace_options\":{\"pid\":1}%s}}},"
		"\"sandbox_config\":{" POD "%s,\"linux\":{\"cgroup_parent\":\"/x\"%s}}}",
		p->config ? p->config : "", p->resources ? p->resources : "",
		p->security ? p->security : "", p->pod ? p->pod : "",
		p->pod_linux ? p->pod_linux : "");
	r->arena = arena_new();
	return read_request(r, arena_strndup(r->arena, s.p, s.n), s.n);
}

static void accepted(const struct reading *r, int result)
{
	cr_assert_eq(result, 0, "%s: %s", r->faults.n ? r->faults.items[0].field : "?",
		r->faults.n ? r->faults.items[0].text : r->err.text);
	cr_assert_eq(r->faults.total, 0);
}

/* All faults, one a line. */
static void assert_faults(const struct reading *r, const char *want)
{
	_str_ struct str s = { 0 };

	for (size_t i = 0; i < r->faults.n; i++) {
		str_printf(&s, "%s: %s\n", r->faults.items[i].field, r->faults.items[i].text);
		cr_assert_null(strcasestr(r->faults.items[i].text, "no such file or directory"));
		cr_assert_null(strcasestr(r->faults.items[i].text, "permission denied"));
	}
	cr_assert_str_eq(s.p ? s.p : "", want);
}

/* The places of all faults, and what would let them go. */
static void assert_places(const struct reading *r, const char *want)
{
	static const char before[] = "; \"", behind[] = "\" in proxmox.waive";
	_str_ struct str s = { 0 };

	for (size_t i = 0; i < r->faults.n; i++) {
		const char *end = strstr(r->faults.items[i].text, behind), *from = end;
		while (from && !str_starts(from, before))
			from--;
		str_printf(&s, "%s%s", i ? "\n" : "", r->faults.items[i].field);
		if (end)
			str_printf(&s, " (%.*s)", (int)(end - from - 3), from + 3);
	}
	cr_assert_str_eq(s.p ? s.p : "", want, "%s", s.p ? s.p : "");
}

static void assert_waived(const struct reading *r, const char *want)
{
	_str_ struct str s = { 0 };

	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		if (r->wish.waived[i])
			str_printf(&s, "%s%s", s.n ? " " : "", settings_waiver_name(i));
	cr_assert_str_eq(s.p ? s.p : "", want);
}

/* ---- kubelets ---- */

Test(wish_cri, a_kubelets_ordinary_pod_passes_with_four_waivers)
{
	_reading_ r = { .cfg.waive = { [WAIVE_KUBELET_MOUNTS] = true,
				[WAIVE_RESOURCES] = true,
				[WAIVE_LOGS] = true,
				[WAIVE_DNS_OPTIONS] = true } };

	accepted(&r, read_request_file(&r, "proxmox/kubelet-pod"));
	assert_waived(&r, "kubelet-mounts resources logs dns-options");
	cr_assert_str_eq(r.wish.image, "lxc/debian-12");
	cr_assert_str_eq(r.wish.who.id, ID);
	cr_assert_str_eq(r.wish.who.sandbox_id, "51a52bcc8bb14c0e");
	cr_assert_str_eq(r.wish.who.container, "pg");
	cr_assert_str_eq(r.wish.who.pod, "pg-0");
	cr_assert_str_eq(r.wish.who.namespace, "data");
	cr_assert_eq(r.wish.who.attempt, 1);
	cr_assert_str_eq(r.wish.hostname, "pg-0");
	cr_assert_eq(r.wish.n_mounts, 0);
	cr_assert_eq(r.wish.n_argv, 0);
	cr_assert_eq(r.wish.env.n, 3);
	cr_assert_str_eq(ctr_map_get(&r.wish.env, "KUBERNETES_SERVICE_HOST"), "10.96.0.1");
	cr_assert_eq(r.wish.n_dns_servers, 1);
	cr_assert_eq(r.wish.n_dns_searches, 3);
	cr_assert_eq(r.wish.memory_bytes, 1073741824);
	cr_assert_eq(r.wish.memory_swap_bytes, 1073741824);
	cr_assert_eq(r.wish.cpu_quota, 150000);
	cr_assert_eq(r.wish.cpu_shares, 1024);
	cr_assert_str_eq(r.wish.log_file,
		"/var/log/pods/data_pg-0_77aa0000-0000-4000-8000-000000000001/pg/1.log");
	cr_assert_not(r.wish.privileged);
}

Test(wish_cri, without_waivers_it_is_refused_with_one_fault_per_reason)
{
	_reading_ r = { 0 };

	cr_assert_eq(read_request_file(&r, "proxmox/kubelet-pod"), -1);
	assert_places(&r, "sandbox_config.dns_config.options (dns-options)\n"
			  "config.mounts[0] (kubelet-mounts)\n"
			  "config.log_path (logs)\n"
			  "config.linux.resources.oom_score_adj (resources)\n"
			  "config.linux.resources.hugepage_limits (resources)\n"
			  "config.linux.resources.unified (resources)");
	assert_waived(&r, "");
	cr_assert_eq(r.err.code, ERR_UNSUPPORTED);
	cr_assert_null(r.wish.log_file);
}

Test(wish_cri, in_a_pod_of_containers_it_needs_one_more)
{
	_reading_ r = { .native_sandbox = true };

	waive_all(&r);
	r.cfg.waive[WAIVE_POD_NAMESPACES] = false;
	cr_assert_eq(read_request_file(&r, "proxmox/kubelet-pod"), -1);
	assert_faults(&r,
		"config.linux.security_context.namespace_options.network: a guest has namespaces "
		"of its own and can't share those of its pod, which wasn't made for guests; "
		"\"pod-namespaces\" in proxmox.waive would let it go\n");
	_reading_ w = { .native_sandbox = true };
	waive_all(&w);
	accepted(&w, read_request_file(&w, "proxmox/kubelet-pod"));
	cr_assert(w.wish.waived[WAIVE_POD_NAMESPACES]);
}

/* ---- what is given ---- */

Test(wish_cri, what_can_be_given_is_given)
{
	_reading_ r = { 0 };

	accepted(&r,
		read_parts(&r,
			&(struct parts){
				.config = ",\"command\":[\"/bin/x\",\"a b\"],\"args\":[\"\",\"c\"],"
					  "\"working_dir\":\"srv//x/\",\"envs\":[{\"key\":\"A\","
					  "\"value\":\"1\"},{\"key\":\"B\"},{\"key\":\"A\","
					  "\"value\":\"2\"}],\"labels\":{\"l\":\"1\"},"
					  "\"annotations\":{\"n\":\"1\"}",
				.security = ",\"readonly_rootfs\":true",
				.resources = ",\"cpu_quota\":-1,\"memory_swap_limit_in_bytes\":-1",
				.pod = ",\"dns_config\":{\"servers\":[\"10.0.0.1\",\"fe80::1%eth0\"],"
				       "\"searches\":[\"a.b.\",\".\",\"c\"]}" }));
	assert_waived(&r, "");
	cr_assert_eq(r.wish.n_argv, 4);
	cr_assert_str_eq(r.wish.argv[1], "a b");
	cr_assert_str_eq(r.wish.argv[2], "");
	cr_assert_not(r.wish.args_only);
	cr_assert_str_eq(r.wish.cwd, "/srv/x");
	cr_assert_eq(r.wish.env.n, 2);
	cr_assert_str_eq(r.wish.env.items[0].value, "2");
	cr_assert_str_eq(r.wish.env.items[1].value, "");
	cr_assert(r.wish.readonly_rootfs);
	cr_assert_eq(r.wish.cpu_quota, 0);
	cr_assert_eq(r.wish.memory_swap_bytes, -1);
	cr_assert_eq(r.wish.n_dns_servers, 2);
	cr_assert_eq(r.wish.n_dns_searches, 2);
	cr_assert_str_eq(r.wish.dns_searches[0], "a.b");
	cr_assert_str_eq(r.wish.dns_searches[1], "c");
	cr_assert_eq(r.wish.who.labels.n, 1);
	cr_assert_eq(r.wish.who.annotations.n, 1);
}

Test(wish_cri, arguments_without_a_command_are_marked)
{
	_reading_ r = { 0 };

	accepted(&r, read_parts(&r, &(struct parts){ .config = ",\"args\":[\"x\"]" }));
	cr_assert(r.wish.args_only);
	cr_assert_eq(r.wish.n_argv, 1);
}

Test(wish_cri, a_guest_that_is_stricter_than_asked_is_met)
{
	static const struct parts met[] = {
		{ .security = ",\"seccomp\":{\"profile_type\":0},\"apparmor\":{\"profile_type\":1}" },
		{ .security = ",\"seccomp\":{\"profile_type\":1}" },
		{ .security = ",\"seccomp_profile_path\":\"docker/default\",\"apparmor_profile\":"
			      "\"unconfined\"" },
		{ .security = ",\"capabilities\":{\"add_capabilities\":[\"CAP_CHOWN\","
			      "\"net_raw\"],\"drop_capabilities\":[\"SYS_TIME\",\"CAP_SYS_MODULE\"]}" },
		{ .security = ",\"run_as_user\":{\"value\":0},\"run_as_group\":{\"value\":0}" },
		{ .security = ",\"run_as_username\":\"root\",\"selinux_options\":{}" },
		{ .security = ",\"masked_paths\":[\"/proc/kcore\",\"/sys/firmware/\",\"/sys/"
			      "devices/system/cpu/cpu12/thermal_throttle\"],\"readonly_paths\":["
			      "\"/proc/sys\",\"/proc/asound\"]" },
		{ .pod = ",\"port_mappings\":[{\"container_port\":80}]" },
		{ .pod_linux = ",\"security_context\":{\"run_as_user\":{\"value\":7},\"seccomp\":{"
			       "\"profile_type\":2,\"localhost_ref\":\"x\"},\"readonly_rootfs\":true,"
			       "\"supplemental_groups\":[1]}" },
		{ .pod_linux = ",\"security_context\":{\"namespace_options\":{\"userns_options\":{"
			       "\"mode\":0,\"uids\":[{\"host_id\":100000,\"length\":65536}],"
			       "\"gids\":[{\"host_id\":100000,\"length\":65536}]}}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(met); i++) {
		_reading_ r = { 0 };
		accepted(&r, read_parts(&r, &met[i]));
		assert_waived(&r, "");
	}
}

Test(wish_cri, host_names_are_what_lxc_starts)
{
#define X60 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	static const char made[] = "ct-c0ffee00c0ff";
	static const struct {
		const char *wanted, *name;
	} rows[] = { { "db", "db" }, { "My_Pod", "My-Pod" }, { "-x-", "x" }, { "a.b_c", "a.b-c" },
		{ "..a..b..", "a.b" }, { X60 "abcdef", X60 "abc" }, { X60 "---ab", X60 },
		{ X60 ".abc", X60 ".ab" }, { X60 "ab.c", X60 "ab" }, { X60 "abc.d", X60 "abc" },
		{ X60 ".-a.b", X60 ".a" }, { "_", made }, { "", made }, { NULL, made } };
	_arena_ struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_wish w = { 0 };
		struct err err = ERR_INIT;

		cr_assert_eq(wish_set_hostname(&w, rows[i].wanted, "x", ID, a, &err), 0);
		cr_expect_str_eq(w.hostname, rows[i].name);
		cr_expect_eq(!w.hostname_from, rows[i].name == made, "%zu", i);
	}
}

Test(wish_cri, root_is_remembered_where_it_is_asked_for)
{
#define ROOT_SEC "config.linux.security_context.run_as_"
	static const struct {
		const char *security, *user, *group;
	} rows[] = {
		{ NULL, NULL, NULL },
		{ ",\"run_as_username\":\"\"", NULL, NULL },
		{ ",\"run_as_user\":{\"value\":0}", ROOT_SEC "user", ROOT_SEC "user" },
		{ ",\"run_as_user\":{}", ROOT_SEC "user", ROOT_SEC "user" },
		{ ",\"run_as_username\":\"root\"", ROOT_SEC "username", ROOT_SEC "username" },
		{ ",\"run_as_user\":{\"value\":0},\"run_as_group\":{\"value\":0}", ROOT_SEC "user",
			ROOT_SEC "group" },
		{ ",\"run_as_user\":{\"value\":0},\"run_as_group\":{\"value\":7}", ROOT_SEC "user",
			NULL },
		{ ",\"run_as_user\":{\"value\":7}", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_reading_ r = { .cfg.waive = { [WAIVE_USER] = true } };
		accepted(&r, read_parts(&r, &(struct parts){ .security = rows[i].security }));
		cr_expect(str_eq(r.wish.root_user, rows[i].user) ||
				  (!r.wish.root_user && !rows[i].user),
			"%zu", i);
		cr_expect(str_eq(r.wish.root_group, rows[i].group) ||
				  (!r.wish.root_group && !rows[i].group),
			"%zu", i);
	}
}

/* ---- what is waived or refused, field by field ---- */

static void waivable(const struct parts *p, enum settings_waiver waiver, const char *field)
{
	_reading_ r = { 0 }, all = { 0 };
	_str_ struct str want = { 0 };

	cr_assert_eq(read_parts(&r, p), -1, "accepted: %s", field);
	str_printf(&want, "%s (%s)", field, settings_waiver_name(waiver));
	assert_places(&r, want.p);
	assert_waived(&r, "");
	all.cfg.waive[waiver] = true;
	accepted(&all, read_parts(&all, p));
	assert_waived(&all, settings_waiver_name(waiver));
}

static void refused(const struct parts *p, const char *field)
{
	_reading_ r = { 0 };

	waive_all(&r);
	cr_assert_eq(read_parts(&r, p), -1, "accepted: %s", field);
	assert_places(&r, field);
}

#define SEC "config.linux.security_context."
#define RES "config.linux.resources."

Test(wish_cri, each_waiver_lets_its_fields_go)
{
#define SECURITY(text, w, f) waivable(&(struct parts){ .security = "," text }, w, SEC f)
#define RESOURCE(text, f)    waivable(&(struct parts){ .resources = "," text }, WAIVE_RESOURCES, RES f)
#define CONFIG(text, w, f)   waivable(&(struct parts){ .config = "," text }, w, f)
	SECURITY("\"run_as_user\":{\"value\":1000}", WAIVE_USER, "run_as_user");
	SECURITY("\"run_as_group\":{\"value\":1000}", WAIVE_USER, "run_as_group");
	SECURITY("\"run_as_username\":\"www\"", WAIVE_USER, "run_as_username");
	SECURITY("\"supplemental_groups\":[0]", WAIVE_USER, "supplemental_groups");
	SECURITY("\"supplemental_groups_policy\":1", WAIVE_USER, "supplemental_groups_policy");
	SECURITY("\"no_new_privs\":true", WAIVE_NO_NEW_PRIVS, "no_new_privs");
	SECURITY("\"capabilities\":{\"drop_capabilities\":[\"ALL\"]}", WAIVE_CAPABILITIES,
		"capabilities.drop_capabilities");
	SECURITY("\"capabilities\":{\"drop_capabilities\":[\"SYS_TIME\",\"NET_RAW\"]}",
		WAIVE_CAPABILITIES, "capabilities.drop_capabilities");
	SECURITY("\"seccomp\":{\"profile_type\":2,\"localhost_ref\":\"x.json\"}", WAIVE_PROFILES,
		"seccomp.profile_type");
	SECURITY("\"apparmor\":{\"profile_type\":2,\"localhost_ref\":\"x\"}", WAIVE_PROFILES,
		"apparmor.profile_type");
	SECURITY(
		"\"seccomp_profile_path\":\"localhost/x\"", WAIVE_PROFILES, "seccomp_profile_path");
	SECURITY("\"apparmor_profile\":\"localhost/x\"", WAIVE_PROFILES, "apparmor_profile");
	SECURITY("\"selinux_options\":{\"type\":\"x_t\"}", WAIVE_PROFILES, "selinux_options");
	SECURITY("\"masked_paths\":[\"/proc/kcore\",\"/etc/x\"]", WAIVE_PROFILES, "masked_paths");
	SECURITY("\"masked_paths\":[\"/proc/../etc\"]", WAIVE_PROFILES, "masked_paths");
	SECURITY("\"masked_paths\":[\"/proc/cpuinfo\"]", WAIVE_PROFILES, "masked_paths");
	SECURITY("\"masked_paths\":[\"/proc/sys\"]", WAIVE_PROFILES, "masked_paths");
	SECURITY("\"masked_paths\":[\"/sys/devices/system/cpu/cpu/thermal_throttle\"]",
		WAIVE_PROFILES, "masked_paths");
	SECURITY("\"readonly_paths\":[\"/sys\"]", WAIVE_PROFILES, "readonly_paths");
	SECURITY("\"readonly_paths\":[\"/usr\"]", WAIVE_PROFILES, "readonly_paths");
	RESOURCE("\"oom_score_adj\":-997", "oom_score_adj");
	RESOURCE("\"cpuset_cpus\":\"0\"", "cpuset_cpus");
	RESOURCE("\"cpuset_mems\":\"0\"", "cpuset_mems");
	RESOURCE("\"hugepage_limits\":[{\"page_size\":\"2MB\"}]", "hugepage_limits");
	RESOURCE("\"unified\":{\"pids.max\":\"5\"}", "unified");
	CONFIG("\"log_path\":\"x/0.log\"", WAIVE_LOGS, "config.log_path");
	CONFIG("\"stdin\":true", WAIVE_STREAMS, "config.stdin");
	CONFIG("\"stdin_once\":true", WAIVE_STREAMS, "config.stdin_once");
	CONFIG("\"tty\":true", WAIVE_STREAMS, "config.tty");
	CONFIG("\"stop_signal\":11", WAIVE_STOP_SIGNAL, "config.stop_signal");
	CONFIG("\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"/s\"}]", WAIVE_MOUNTS,
		"config.mounts[0]");
	CONFIG("\"mounts\":[{\"container_path\":\"/etc/hosts\",\"host_path\":\"/s\"},"
	       "{\"container_path\":\"/x\",\"host_path\":\"/var/lib/kubelet/pods/u/containers/c/"
	       "1\"},{\"container_path\":\"/run/secrets/kubernetes.io/serviceaccount\","
	       "\"host_path\":\"/t\",\"recursive_read_only\":true}]",
		WAIVE_KUBELET_MOUNTS, "config.mounts[0]");
	waivable(&(struct parts){ .pod = ",\"port_mappings\":[{\"container_port\":80},{\"container_"
					 "port\":81,\"host_port\":8081}]" },
		WAIVE_PORTS, "sandbox_config.port_mappings.host_port");
	waivable(&(struct parts){ .pod = ",\"dns_config\":{\"options\":[\"ndots:5\"]}" },
		WAIVE_DNS_OPTIONS, "sandbox_config.dns_config.options");
	waivable(&(struct parts){ .pod_linux = ",\"sysctls\":{\"net.core.somaxconn\":\"1024\"}" },
		WAIVE_SYSCTLS, "sandbox_config.linux.sysctls");
	waivable(&(struct parts){ .pod_linux = ",\"security_context\":{\"selinux_options\":{"
					       "\"level\":\"s0:c1,c2\"}}" },
		WAIVE_PROFILES, "sandbox_config.linux.security_context.selinux_options");
}

Test(wish_cri, only_a_kubelets_own_file_is_the_termination_log)
{
#define PODS "/var/lib/kubelet/pods/"
	static const char *const others[] = { PODS
		"u/volumes/kubernetes.io~empty-dir/x/containers/y",
		PODS "u/volume-subpaths/containers/c/0", PODS "u/containers/c",
		PODS "u/containers/c/", PODS "u/containers/c/1/d", PODS "u/containers//1",
		PODS "/containers/c/1", "/srv" PODS "u/containers/c/1" };

	cr_expect(wish_is_usual_bind(PODS "u/containers/c/1", "/log"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect_not(wish_is_usual_bind(others[i], "/log"), "%s", others[i]);
}

Test(wish_cri, whether_a_working_directory_is_waived_is_known_with_the_template)
{
	_reading_ r = { .cfg.waive = { [WAIVE_WORKING_DIR] = true } };

	accepted(&r, read_parts(&r, &(struct parts){ .config = ",\"working_dir\":\"/srv\"" }));
	cr_assert_str_eq(r.wish.cwd, "/srv");
	assert_waived(&r, "");
}

Test(wish_cri, nothing_lets_these_go)
{
	refused(&(struct parts){ .security = ",\"capabilities\":{\"add_capabilities\":[\"CHOWN\","
					     "\"SYS_ADMIN\"]}" },
		SEC "capabilities.add_capabilities");
	refused(&(struct parts){ .security = ",\"capabilities\":{\"add_capabilities\":[\"ALL\"]}" },
		SEC "capabilities.add_capabilities");
	refused(&(struct parts){ .security = ",\"capabilities\":{\"add_ambient_capabilities\":["
					     "\"CHOWN\"]}" },
		SEC "capabilities.add_ambient_capabilities");
	refused(&(struct parts){ .security = ",\"privileged\":true" }, SEC "privileged");
	refused(&(struct parts){ .config = ",\"CDI_devices\":[{\"name\":\"a/b=c\"}]" },
		"config.CDI_devices");
	refused(&(struct parts){ .config = ",\"windows\":{}" }, "config.windows");
	refused(&(struct parts){ .pod = ",\"windows\":{}" }, "sandbox_config.windows");
	refused(&(struct parts){ .config = ",\"mounts\":[{\"container_path\":\"/d\",\"readonly\":"
					   "true,\"image\":{\"image\":\"x\"}}]" },
		"config.mounts[0].image");
	refused(&(struct parts){ .config = ",\"devices\":[{\"container_path\":\"/dev/kvm\","
					   "\"host_path\":\"/dev/kvm\"}]" },
		"config.devices[0]");
	refused(&(struct parts){ .pod = ",\"dns_config\":{\"searches\":[\"a_b.c\"]}" },
		"sandbox_config.dns_config.searches[0]");
	refused(&(struct parts){ .pod = ",\"dns_config\":{\"searches\":[\".\",\".\"]}" },
		"sandbox_config.dns_config.searches");
}

static void namespaces(bool native, const char *own, const char *pod, const char *want)
{
	_str_ struct str text = { 0 };
	_reading_ r = { .native_sandbox = native, .arena = arena_new() };

	str_printf(&text,
		"{\"pod_sandbox_id\":\"5a5a\",\"config\":{\"metadata\":{\"name\":\"db\"},\"image\":"
		"{\"image\":\"lxc/x\"},\"linux\":{\"security_context\":{\"namespace_options\":{%s}}"
		"}},\"sandbox_config\":{" POD ",\"linux\":{\"security_context\":{"
		"\"namespace_options\":{%s}}}}}",
		own, pod);
	read_request(&r, arena_strndup(r.arena, text.p, text.n), text.n);
	assert_places(&r, want);
}

#define NS     SEC "namespace_options."
#define POD_NS "sandbox_config.linux.security_context.namespace_options."

Test(wish_cri, a_guest_has_namespaces_of_its_own)
{
	namespaces(false, "", "", "");
	namespaces(false, "\"pid\":1,\"ipc\":1,\"network\":1", "\"pid\":1", "");
	namespaces(true, "\"pid\":1", "\"network\":2,\"pid\":1", "");
	namespaces(true, "\"network\":2,\"pid\":1", "\"network\":2,\"pid\":1", "");
	namespaces(true, "\"pid\":1", "\"pid\":1", NS "network (pod-namespaces)");
	namespaces(false, "\"network\":2", "", NS "network");
	namespaces(false, "", "\"network\":2", POD_NS "network");
	namespaces(false, "\"pid\":2", "\"pid\":2", NS "pid");
	namespaces(false, "\"ipc\":2", "\"ipc\":2", NS "ipc");
	namespaces(true, "", "\"network\":2,\"pid\":2", POD_NS "pid");
	namespaces(true, "\"pid\":1", "\"network\":2,\"ipc\":2", POD_NS "ipc");
	namespaces(false, "\"pid\":3,\"target_id\":\"x\"", "", NS "target_id");
}

Test(wish_cri, privileged_needs_the_configurations_word)
{
	static const struct parts asked = { .security =
						    ",\"privileged\":true,\"capabilities\":{"
						    "\"add_capabilities\":[\"ALL\"]},\"seccomp\":{"
						    "\"profile_type\":2,\"localhost_ref\":\"x\"}" };
	_reading_ r = { .cfg.privileged_allowed = true };

	accepted(&r, read_parts(&r, &asked));
	cr_assert(r.wish.privileged);
	assert_waived(&r, "");
	_reading_ u = { .cfg.privileged_allowed = true };
	cr_assert_eq(
		read_parts(&u, &(struct parts){ .security = ",\"privileged\":true",
				       .pod_linux = ",\"security_context\":{\"namespace_options\":{"
						    "\"userns_options\":{\"mode\":0}}}" }),
		-1);
	assert_places(&u, NS "userns_options");
}

/* ---- host paths ---- */

#define MOUNT(more) ",\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"/s\"" more "}]"

Test(wish_cri, host_paths_need_this_hosts_node_and_root)
{
	_reading_ token = { .cfg = { .local_node = "pve1", .user = NULL } }, none = { 0 },
		  root = { 0 };
	static const struct parts asked = { .config = ",\"mounts\":[{\"container_path\":\"/d//e/\","
						      "\"host_path\":\"/s/./t\",\"readonly\":true,"
						      "\"mount_options\":[\"nodev\",\"relatime\","
						      "\"noexec\"]}]" };

	cr_assert_eq(read_parts(&none, &asked), -1);
	assert_faults(&none, "config.mounts[0]: a host path is only there where the guest runs on "
			     "this host's own node (proxmox.localNode); \"mounts\" in "
			     "proxmox.waive would let it go\n");
	cr_assert_eq(read_parts(&token, &asked), -1);
	assert_faults(&token, "config.mounts[0]: only root@pam with its password may give host "
			      "paths to a guest, an API token may not; \"mounts\" in "
			      "proxmox.waive would let it go\n");
	as_root_on(&root, "pve1");
	accepted(&root, read_parts(&root, &asked));
	cr_assert_eq(root.wish.n_mounts, 1);
	cr_assert_str_eq(root.wish.mounts[0].source, "/s/t");
	cr_assert_str_eq(root.wish.mounts[0].target, "/d/e");
	cr_assert_str_eq(root.wish.mounts[0].options, "nodev;noexec");
	cr_assert(root.wish.mounts[0].readonly);
	cr_assert_str_eq(root.wish.mounts[0].from, "config.mounts[0]");
}

Test(wish_cri, a_mount_that_is_let_go_needs_nothing_else)
{
	_reading_ r = { .cfg.waive = { [WAIVE_MOUNTS] = true } };

	accepted(&r, read_parts(&r, &(struct parts){ .config = MOUNT(",\"propagation\":1") }));
	cr_assert_eq(r.wish.n_mounts, 0);
	assert_waived(&r, "mounts");
}

static void as_root(const char *config, const char *want)
{
	_reading_ r = { 0 };

	as_root_on(&r, "pve1");
	cr_assert_eq(read_parts(&r, &(struct parts){ .config = config }), -1);
	assert_places(&r, want);
}

Test(wish_cri, what_a_guests_mount_is_not_is_refused)
{
	as_root(MOUNT(",\"propagation\":1"), "config.mounts[0].propagation");
	as_root(MOUNT(",\"readonly\":true,\"recursive_read_only\":true"),
		"config.mounts[0].recursive_read_only");
	as_root(MOUNT(",\"uidMappings\":[{\"length\":1}],\"gidMappings\":[{\"length\":1}]"),
		"config.mounts[0].uidMappings\nconfig.mounts[0].gidMappings");
	as_root(",\"mounts\":[{\"container_path\":\"/dev/x\",\"host_path\":\"/s\"}]",
		"config.mounts[0].container_path");
	as_root(",\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"/dev\"}]",
		"config.mounts[0].host_path");
	as_root(",\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"/srv/../dev/sda\"}]",
		"config.mounts[0].host_path");
}

Test(wish_cri, paths_that_the_server_cannot_hold_are_refused)
{
	static const char *const bad[] = { "/a,b", "/a=b", "/a\\nb", "/a\\u007f", "/a " };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_str_ struct str mount = { 0 }, target = { 0 }, device = { 0 };
		str_printf(&mount, ",\"mounts\":[{\"container_path\":\"/d\",\"host_path\":\"%s\"}]",
			bad[i]);
		as_root(mount.p, "config.mounts[0].host_path");
		str_printf(&target,
			",\"mounts\":[{\"container_path\":\"%s\",\"host_path\":\"/s\"}]", bad[i]);
		as_root(target.p, "config.mounts[0].container_path");
		str_printf(&device,
			",\"devices\":[{\"container_path\":\"/dev%s\",\"host_path\":\"/dev%s\"}]",
			bad[i], bad[i]);
		as_root(device.p, "config.devices[0].host_path");
	}
}

Test(wish_cri, devices_keep_their_path)
{
	_reading_ r = { 0 };

	as_root_on(&r, "pve1");
	accepted(&r,
		read_parts(&r, &(struct parts){
				       .config = ",\"devices\":[{\"container_path\":\"/dev/a\","
						 "\"host_path\":\"/dev/a\",\"permissions\":\"rm\"},"
						 "{\"container_path\":\"/dev/b\",\"host_path\":"
						 "\"/dev/b\"}]" }));
	cr_assert_eq(r.wish.n_devices, 2);
	cr_assert(r.wish.devices[0].readonly && !r.wish.devices[1].readonly);
	cr_assert_str_eq(r.wish.devices[1].path, "/dev/b");
	as_root(",\"devices\":[{\"container_path\":\"/etc/a\",\"host_path\":\"/etc/a\"}]",
		"config.devices[0].host_path");
	as_root(",\"devices\":[{\"container_path\":\"/dev\",\"host_path\":\"/dev\"}]",
		"config.devices[0].host_path");
	as_root(",\"devices\":[{\"container_path\":\"/dev/a\",\"host_path\":\"/dev/a\"},{"
		"\"container_path\":\"/dev//a\",\"host_path\":\"/dev/a\"}]",
		"config.devices[1].host_path");
	as_root(",\"devices\":[{\"container_path\":\"/dev/a\",\"host_path\":\"/dev/b\"}]",
		"config.devices[0].container_path");
	as_root(",\"devices\":[{\"container_path\":\"/dev/a\",\"host_path\":\"/dev/a\","
		"\"permissions\":\"w\"}]",
		"config.devices[0].permissions");
}

/* ---- texts ---- */

Test(wish_cri, words_and_variables_that_the_server_cannot_hold_are_named_without_their_values)
{
	_reading_ r = { 0 };

	cr_assert_eq(
		read_parts(&r,
			&(struct parts){
				.config =
					",\"command\":[\"/x\",\"a\\nb\"],\"args\":[\"\\u001b\"]"
					",\"working_dir\":\"/a\\nb\",\"envs\":[{\"key\":\"A-B\","
					"\"value\":\"s3cret\"},{\"key\":\"C\",\"value\":"
					"\"s3cret\\n\"},{\"key\":\"D\",\"value\":\"s3cret \"}]" }),
		-1);
	assert_faults(&r,
		"config.command[1]: it has control characters, which the server can't hold\n"
		"config.args[0]: it has control characters, which the server can't hold\n"
		"config.working_dir: it has control characters, which the server can't hold\n"
		"config.envs[0]: \"A-B\": the server takes letters, digits and \"_\" in a "
		"variable's name\n"
		"config.envs[1]: \"C\": the value has control characters, which the server can't "
		"hold\n"
		"config.envs[2]: \"D\": the blanks at the end of the value would be lost on the "
		"server\n");
}

/* ---- options ---- */

static const char *all_options[] = { "cores", "features", "net0", "onboot", "ostype", "pool",
	"protection", "rootfs", "startup", "storage", "timezone" };

#define OPTION(key, value) ",\"annotations\":{\"org.ctrctl.proxmox/" key "\":\"" value "\"}"

Test(wish_cri, options_come_from_pod_image_and_container_where_they_are_allowed)
{
	_reading_ r = { .cfg = { .annotations = all_options,
				.n_annotations = ARRAY_SIZE(all_options) } };

	accepted(&r, read_parts(&r, &(struct parts){ .config = OPTION("storage", "fast"),
					    .pod = OPTION("storage", "slow") }));
	cr_assert_eq(r.wish.options.n, 1);
	cr_assert_str_eq(r.wish.options.items[0].key, "storage");
	cr_assert_str_eq(r.wish.options.items[0].value, "fast");
}

Test(wish_cri, options_that_are_unknown_or_not_allowed_are_faults)
{
	static const char *one[] = { "storage" };
	_reading_ none = { 0 }, unknown = { .cfg = { .annotations = one, .n_annotations = 1 } };

	cr_assert_eq(read_parts(&none, &(struct parts){ .config = OPTION("storage", "fast") }), -1);
	assert_faults(&none, "config.annotations[\"org.ctrctl.proxmox/storage\"]: "
			     "proxmox.allowAnnotations doesn't name \"storage\"\n");
	cr_assert_eq(none.err.code, ERR_DENIED);
	cr_assert_eq(
		read_parts(&unknown, &(struct parts){ .pod = OPTION("hookscript", "x:y") }), -1);
	assert_faults(&unknown, "sandbox_config.annotations[\"org.ctrctl.proxmox/hookscript\"]: "
				"there is no such option\n");
}

static bool takes(const char *key, const char *value, bool root)
{
	_reading_ r = { .cfg = { .annotations = all_options,
				.n_annotations = ARRAY_SIZE(all_options) } };
	_str_ struct str text = { 0 };

	if (root)
		as_root_on(&r, "pve1");
	str_printf(&text, ",\"annotations\":{\"org.ctrctl.proxmox/%s\":\"%s\"}", key, value);
	return read_parts(&r, &(struct parts){ .config = text.p }) == 0;
}

Test(wish_cri, values_of_options_are_checked)
{
	static const char *const good[][2] = { { "cores", "4" }, { "features", "nesting=1" },
		{ "net0", "bridge=vmbr1,ip=10.0.0.7/24,gw=10.0.0.1,ip6=auto,tag=5,firewall=1,"
			  "hwaddr=BC:24:11:00:00:01,mtu=1400,rate=10" },
		{ "onboot", "1" }, { "ostype", "debian" }, { "pool", "a/b" },
		{ "protection", "no" }, { "rootfs", "16" }, { "startup", "order=1,up=30" },
		{ "startup", "5" }, { "storage", "local-zfs" }, { "timezone", "Europe/Rome" },
		{ "timezone", "host" } };
	static const char *const bad[][2] = { { "cores", "0" }, { "cores", "8193" },
		{ "features", "nesting" }, { "features", "nesting=2" }, { "features", "new=1" },
		{ "features", "" }, { "net0", "name=eth1" }, { "net0", "ip=10.0.0.7" },
		{ "net0", "type=veth" }, { "net0", "hwaddr=01:00:00:00:00:00" },
		{ "net0", "tag=4095" }, { "net0", "bridge=a b" }, { "onboot", "2" },
		{ "ostype", "windows" }, { "pool", "/" }, { "rootfs", "16G" }, { "rootfs", "0" },
		{ "startup", "order=x" }, { "startup", "start=1" }, { "storage", "a,size=9" },
		{ "storage", "a:9" }, { "timezone", "../x" }, { "timezone", "" } };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_expect(takes(good[i][0], good[i][1], false), "%s=%s", good[i][0], good[i][1]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(takes(bad[i][0], bad[i][1], true), "%s=%s", bad[i][0], bad[i][1]);
}

Test(wish_cri, features_besides_nesting_need_root)
{
	static const char *const rooted[] = { "keyctl=1", "keyctl=0", "nesting=1,keyctl=1",
		"mount=nfs;cifs", "fuse=1,mknod=0,force_rw_sys=1" };

	for (size_t i = 0; i < ARRAY_SIZE(rooted); i++) {
		cr_expect_not(takes("features", rooted[i], false), "%s", rooted[i]);
		cr_expect(takes("features", rooted[i], true), "%s", rooted[i]);
	}
}

/* ---- the table ---- */

Test(wish_cri, every_waiver_of_a_request_has_a_row_and_every_row_a_sentence)
{
	bool named[SETTINGS_WAIVER_N] = { [WAIVE_HOOKS] = true }; /* of bundles only */
	const struct wish_cri_row *r;

	for (size_t i = 0; (r = wish_cri_row(i)); i++) {
		cr_assert_gt(strlen(r->what), 3, "%s", r->field);
		cr_assert_eq(r->way == WISH_WAIVED && r->waiver < 0, false, "%s", r->field);
		if (r->waiver >= 0)
			named[r->waiver] = true;
	}
	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		cr_expect(named[i], "%s", settings_waiver_name(i));
}
