/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of CRI's security contexts, and a container against its pod. */
#include "cri-check.h"

#define CAPS(list, want) SECURITY("\"capabilities\":{\"add_capabilities\":[" list "]}", want)
#define IN_CAPS          IN_SECURITY "capabilities."

Test(cri_security, capabilities_are_known_in_every_spelling)
{
	CAPS("\"NET_ADMIN\",\"CAP_NET_ADMIN\",\"net_admin\",\"cap_Net_Admin\",\"ALL\",\"all\"", "");
	CAPS("\"FLY\",\"CAP_\",\"\",\"CAP_CAP_CHOWN\",\"CHOWN \"",
		IN_CAPS "add_capabilities[0]\n" IN_CAPS "add_capabilities[1]\n" IN_CAPS
			"add_capabilities[2]\n" IN_CAPS "add_capabilities[3]\n" IN_CAPS
			"add_capabilities[4]");
	CAPS("\"A_NAME_OF_A_CAPABILITY_THAT_IS_TOO_LONG_FOR_ANY\"", IN_CAPS "add_capabilities[0]");
	SECURITY("\"capabilities\":{\"drop_capabilities\":[\"ALL\",\"X\"],"
		 "\"add_ambient_capabilities\":[\"CHOWN\",\"Y\"]}",
		IN_CAPS "drop_capabilities[1]\n" IN_CAPS "add_ambient_capabilities[1]");
}

Test(cri_security, users_are_numbers_of_31_bits)
{
	SECURITY("\"run_as_user\":{\"value\":2147483647},\"run_as_group\":{}", "");
	SECURITY("\"run_as_username\":\"app\",\"run_as_group\":{\"value\":5}", "");
	SECURITY("\"run_as_user\":{\"value\":2147483648}", IN_SECURITY "run_as_user");
	SECURITY("\"run_as_user\":{\"value\":-1}", IN_SECURITY "run_as_user");
	SECURITY("\"run_as_user\":{},\"run_as_group\":{\"value\":-1}", IN_SECURITY "run_as_group");
	SECURITY("\"run_as_group\":{\"value\":5}", IN_SECURITY "run_as_group");
	SECURITY("\"run_as_user\":{},\"run_as_username\":\"app\"", IN_SECURITY "run_as_username");
	SECURITY("\"run_as_username\":\"a\\nroot\"", IN_SECURITY "run_as_username");
	SECURITY("\"supplemental_groups\":[0,2147483647,2147483648,-1]",
		IN_SECURITY "supplemental_groups[2]\n" IN_SECURITY "supplemental_groups[3]");
	POD_SECURITY("\"run_as_group\":{}", IN_POD_SEC "run_as_group");
	POD_SECURITY("\"run_as_user\":{\"value\":-5},\"supplemental_groups\":[-1]",
		IN_POD_SEC "run_as_user\n" IN_POD_SEC "supplemental_groups[0]");
}

Test(cri_security, groups_are_limited_to_what_the_kernel_takes)
{
	static int64_t groups[65537];
	struct cri_linux_container_security_context sec = { .supplemental_groups = groups,
		.n_supplemental_groups = 65536 };
	struct cri_linux_container_config l = { .security_context = &sec };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = {
		.metadata = &metadata, .image = &image, .linux_ = &l
	};
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_request_check(&r, &faults);
	expect(&faults, "65536 groups", "");
	sec.n_supplemental_groups++;
	cri_request_check(&r, &faults);
	expect(&faults, "65537 groups", IN_SECURITY "supplemental_groups");
	ctr_faults_done(&faults);
}

/* ---- namespaces ---- */

#define NS(text, want) SECURITY("\"namespace_options\":{" text "}", want)
#define IN_NS          IN_SECURITY "namespace_options."

Test(cri_security, only_pid_has_a_target)
{
	NS("\"network\":1,\"pid\":1,\"ipc\":1", "");
	NS("\"pid\":\"TARGET\",\"target_id\":\"x\"", "");
	NS("\"network\":3", IN_NS "network");
	NS("\"ipc\":3", IN_NS "ipc");
	NS("\"pid\":3", IN_NS "target_id");
	NS("\"pid\":1,\"target_id\":\"x\"", IN_NS "target_id");
	NS("\"pid\":3,\"target_id\":\"x\\ny\"", IN_NS "target_id");
	POD_SECURITY("\"namespace_options\":{\"pid\":3,\"target_id\":\"x\"}",
		IN_POD_SEC "namespace_options.pid");
}

#define MAP(c, h, n) "{\"container_id\":" c ",\"host_id\":" h ",\"length\":" n "}"
#define USERNS(mode, uids, gids)                                                       \
	"\"namespace_options\":{\"userns_options\":{\"mode\":" mode ",\"uids\":[" uids \
	"],\"gids\":[" gids "]}}"
#define IN_USERNS IN_NS "userns_options."
#define ONE       MAP("0", "100000", "65536")

Test(cri_security, a_user_namespace_has_one_mapping_each_with_root_in_it)
{
	SECURITY(USERNS("0", ONE, ONE), "");
	SECURITY(USERNS("2", "", ""), "");
	SECURITY(USERNS("0", "", ""), IN_USERNS "uids\n" IN_USERNS "gids");
	SECURITY(USERNS("0", ONE "," MAP("65536", "200000", "1"), ONE), IN_USERNS "uids");
	SECURITY(USERNS("0", ONE, MAP("1", "100000", "65536")), IN_USERNS "gids[0].container_id");
	SECURITY(USERNS("0", MAP("0", "0", "65536"), ONE), IN_USERNS "uids[0].host_id");
	SECURITY(USERNS("0", MAP("0", "1", "0"), ONE), IN_USERNS "uids[0].length");
	SECURITY(USERNS("0", MAP("0", "4294967290", "6"), ONE), IN_USERNS "uids[0].length");
	SECURITY(USERNS("2", ONE, ONE), IN_USERNS "uids\n" IN_USERNS "gids");
	SECURITY(USERNS("1", "", ""), IN_USERNS "mode");
	SECURITY(USERNS("3", ONE, ONE), IN_USERNS "mode");
	POD_SECURITY(USERNS("1", "", ""), IN_POD_SEC "namespace_options.userns_options.mode");
}

/* ---- profiles ---- */

#define SECCOMP(text, want)  SECURITY("\"seccomp\":{" text "}", want)
#define APPARMOR(text, want) SECURITY("\"apparmor\":{" text "}", want)

Test(cri_security, a_localhost_profile_names_one_and_the_others_none)
{
	SECCOMP("", "");
	SECCOMP("\"profile_type\":\"Unconfined\"", "");
	SECCOMP("\"profile_type\":2,\"localhost_ref\":\"/a/b.json\"", "");
	SECCOMP("\"profile_type\":2,\"localhost_ref\":\"localhost//a/b.json\"", "");
	SECCOMP("\"profile_type\":2", IN_SECURITY "seccomp.localhost_ref");
	SECCOMP("\"profile_type\":2,\"localhost_ref\":\"b.json\"",
		IN_SECURITY "seccomp.localhost_ref");
	SECCOMP("\"profile_type\":2,\"localhost_ref\":\"localhost/b.json\"",
		IN_SECURITY "seccomp.localhost_ref");
	SECCOMP("\"profile_type\":2,\"localhost_ref\":\"/a/../../etc/x\"",
		IN_SECURITY "seccomp.localhost_ref");
	SECCOMP("\"profile_type\":1,\"localhost_ref\":\"/a\"", IN_SECURITY "seccomp.localhost_ref");
	SECCOMP("\"localhost_ref\":\"/a\"", IN_SECURITY "seccomp.localhost_ref");
	APPARMOR("\"profile_type\":2,\"localhost_ref\":\"ci-builder\"", "");
	APPARMOR("\"profile_type\":2,\"localhost_ref\":\"unconfined_foo\"", "");
	APPARMOR("\"profile_type\":2,\"localhost_ref\":\"unconfined\"",
		IN_SECURITY "apparmor.localhost_ref");
	APPARMOR("\"profile_type\":2,\"localhost_ref\":\"localhost/\"",
		IN_SECURITY "apparmor.localhost_ref");
	APPARMOR("\"profile_type\":2,\"localhost_ref\":\"a\\nb\"",
		IN_SECURITY "apparmor.localhost_ref");
	POD_SECURITY("\"seccomp\":{\"profile_type\":2},\"apparmor\":{\"localhost_ref\":\"x\"}",
		IN_POD_SEC "seccomp.localhost_ref\n" IN_POD_SEC "apparmor.localhost_ref");
}

Test(cri_security, the_old_strings_still_have_their_grammar)
{
	SECURITY("\"seccomp_profile_path\":\"unconfined\",\"apparmor_profile\":\"unconfined\"", "");
	SECURITY(
		"\"seccomp_profile_path\":\"runtime/default\",\"apparmor_profile\":\"runtime/default\"",
		"");
	SECURITY("\"seccomp_profile_path\":\"docker/default\"", "");
	SECURITY(
		"\"seccomp_profile_path\":\"localhost//a.json\",\"apparmor_profile\":\"localhost/a\"",
		"");
	SECURITY("\"seccomp_profile_path\":\"localhost/a.json\"",
		IN_SECURITY "seccomp_profile_path");
	SECURITY("\"seccomp_profile_path\":\"/a.json\"", IN_SECURITY "seccomp_profile_path");
	SECURITY("\"apparmor_profile\":\"a\"", IN_SECURITY "apparmor_profile");
	SECURITY("\"apparmor_profile\":\"docker/default\"", IN_SECURITY "apparmor_profile");
	SECURITY("\"apparmor_profile\":\"localhost/\"", IN_SECURITY "apparmor_profile");
	/* The messages win. */
	SECURITY(
		"\"seccomp_profile_path\":\"x\",\"seccomp\":{},\"apparmor_profile\":\"x\",\"apparmor\":{}",
		"");
	POD_SECURITY("\"seccomp_profile_path\":\"x\"", IN_POD_SEC "seccomp_profile_path");
}

Test(cri_security, levels_of_selinux_have_their_grammar)
{
	static const char *const good[] = { "s0", "s0-s0:c0.c1023", "s0:c5.c5", "s0-s15", "s0:c4",
		"s0:c4,c5", "s0:c0.c1023", "s0-s3:c1.c5,c7,c9.c10" };
	static const char *const bad[] = { "s", "s16", "s0,c4,c5", "s0:", "s0:c1024", "s0:c5.c4",
		"s3-s0", "s0:c1,", "s0:c1.", "s0:c1.c2.c3", "c1", "s0:s1", " s0", "s0 ", "s0-",
		"s00000" };
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(good) + ARRAY_SIZE(bad); i++) {
		bool is_good = i < ARRAY_SIZE(good);
		snprintf(text, sizeof(text),
			"{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG ",\"linux\":"
			"{\"security_context\":{\"selinux_options\":{\"level\":\"%s\"}}}}}",
			is_good ? good[i] : bad[i - ARRAY_SIZE(good)]);
		check_text(text, is_good ? "" : IN_SECURITY "selinux_options.level");
	}
	SECURITY("\"selinux_options\":{\"user\":\"system_u\",\"role\":\"a:b\",\"type\":\"a\\nb\"}",
		IN_SECURITY "selinux_options.role\n" IN_SECURITY "selinux_options.type");
	POD_SECURITY("\"selinux_options\":{\"level\":\"x\"}", IN_POD_SEC "selinux_options.level");
}

Test(cri_security, masks_are_absolute_paths)
{
	SECURITY("\"masked_paths\":[\"/proc/kcore\"],\"readonly_paths\":[\"/proc/sys\"]", "");
	SECURITY("\"masked_paths\":[\"proc/kcore\"],\"readonly_paths\":[\"/a\",\"\",\"/a\\n\"]",
		IN_SECURITY "masked_paths[0]\n" IN_SECURITY "readonly_paths[1]\n" IN_SECURITY
			    "readonly_paths[2]");
}

/* ---- a container in its pod ---- */

static void in_pod(const char *own, const char *pod, const char *want)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str text = { 0 };
	struct ctr_faults faults = CTR_FAULTS_INIT;
	const struct cri_create_container_request *r;

	str_printf(&text,
		"{\"config\":{\"linux\":{\"security_context\":{%s}}},"
		"\"sandbox_config\":{\"linux\":{\"security_context\":{%s}}}}",
		own, pod);
	r = parse_request(arena, text.p);
	cri_container_check_in_pod(r->config, r->sandbox_config, &faults);
	expect(&faults, text.p, want);
	ctr_faults_done(&faults);
}

#define OPTIONS(text) "\"namespace_options\":{" text "}"

Test(cri_in_pod, privilege_needs_a_privileged_sandbox)
{
	in_pod("\"privileged\":true", "\"privileged\":true", "");
	in_pod("", "\"privileged\":true", "");
	in_pod("\"privileged\":true", "", IN_SECURITY "privileged");
}

Test(cri_in_pod, namespaces_of_the_host_need_a_pod_that_has_them)
{
	static const char *const names[] = { "network", "pid", "ipc" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char node[64], options[128], want[128];
		snprintf(node, sizeof(node), "\"%s\":\"NODE\"", names[i]);
		snprintf(options, sizeof(options), OPTIONS("%s"), node);
		snprintf(want, sizeof(want), IN_NS "%s", names[i]);
		in_pod(options, options, "");
		in_pod("", options, "");
		in_pod(options, "", want);
	}
	in_pod(OPTIONS("\"network\":1,\"ipc\":1"), OPTIONS("\"network\":2,\"ipc\":2"), "");
}

Test(cri_in_pod, a_shared_pid_namespace_must_be_there)
{
	in_pod("", "", "");
	in_pod(OPTIONS("\"pid\":1"), OPTIONS("\"pid\":1"), "");
	in_pod(OPTIONS("\"pid\":1"), "", "");
	in_pod(OPTIONS("\"pid\":3,\"target_id\":\"x\""), OPTIONS("\"pid\":1"), "");
	in_pod("", OPTIONS("\"pid\":1"), IN_NS "pid");
}

Test(cri_in_pod, the_user_namespace_is_the_pods)
{
	in_pod(USERNS("0", ONE, ONE), USERNS("0", ONE, ONE), "");
	in_pod("", USERNS("0", ONE, ONE), "");
	in_pod(USERNS("2", "", ""), "", "");
	in_pod(USERNS("2", "", ""), USERNS("2", "", ""), "");
	in_pod(USERNS("0", ONE, ONE), "", IN_USERNS "mode");
	in_pod(USERNS("2", "", ""), USERNS("0", ONE, ONE), IN_USERNS "mode");
	in_pod(USERNS("0", MAP("0", "100000", "65535"), ONE), USERNS("0", ONE, ONE),
		IN_USERNS "uids");
	in_pod(USERNS("0", ONE, MAP("0", "100001", "65536")), USERNS("0", ONE, ONE),
		IN_USERNS "gids");
}

/* ---- two descriptions of a pod ---- */

static void compared(const char *given, const char *stored, const char *want)
{
	_arena_ struct arena *arena = arena_new();
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct cri_pod_sandbox_config *a, *b;
	struct err err = ERR_INIT;

	cr_assert_eq(cri_pod_parse(given, strlen(given), arena, &a, &err), 0, "%s", given);
	cr_assert_eq(cri_pod_parse(stored, strlen(stored), arena, &b, &err), 0, "%s", stored);
	cri_pod_compare(a, b, &faults);
	expect(&faults, given, want);
	ctr_faults_done(&faults);
}

Test(cri_compare, equal_pods_agree_in_any_order_and_spelling)
{
	compared("{}", "{}", "");
	compared(
		"{\"linux\":{\"sysctls\":{\"a\":\"1\",\"b\":\"2\"},\"security_context\":{\"seccomp\":{}}}}",
		"{\"linux\":{\"securityContext\":{\"seccomp\":{\"profileType\":0}},\"sysctls\":{\"b\":\"2\",\"a\":\"1\"}}}",
		"");
	compared("{\"linux\":{\"security_context\":{\"namespace_options\":{}}},\"metadata\":{}}",
		"{}", "");
}

Test(cri_compare, every_field_that_differs_is_named)
{
	compared(
		"{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"namespace\":\"n\",\"attempt\":1},"
		"\"hostname\":\"h\",\"log_directory\":\"/l\",\"port_mappings\":[{}],\"linux\":"
		"{\"cgroup_parent\":\"/c\",\"sysctls\":{\"a\":\"1\"},\"security_context\":"
		"{\"privileged\":true,\"readonly_rootfs\":true,\"run_as_user\":{},\"seccomp\":{},"
		"\"supplemental_groups\":[1],\"selinux_options\":{\"level\":\"s0\"},"
		"\"namespace_options\":{\"network\":2,\"pid\":1,\"ipc\":2,\"userns_options\":{}}}}}",
		"{}",
		IN_POD "metadata.name\n" IN_POD "metadata.uid\n" IN_POD
		       "metadata.namespace\n" IN_POD "metadata.attempt\n" IN_POD "hostname\n" IN_POD
		       "log_directory\n" IN_POD "port_mappings\n" IN_POD
		       "linux.cgroup_parent\n" IN_POD_SEC "namespace_options.network\n" IN_POD_SEC
		       "namespace_options.pid\n" IN_POD_SEC "namespace_options.ipc\n" IN_POD_SEC
		       "namespace_options.userns_options\n" IN_POD_SEC
		       "selinux_options.level\n" IN_POD_SEC "run_as_user\n" IN_POD_SEC
		       "readonly_rootfs\n" IN_POD_SEC "supplemental_groups\n" IN_POD_SEC
		       "privileged\n" IN_POD_SEC "seccomp\n" IN_POD "linux.sysctls");
}

Test(cri_compare, what_changes_in_a_pods_life_is_not_compared)
{
	compared(
		"{\"dns_config\":{\"servers\":[\"1.1.1.1\"]},\"labels\":{\"a\":\"1\"},\"annotations\":"
		"{\"a\":\"1\"},\"linux\":{\"overhead\":{\"cpu_shares\":5},\"resources\":{}}}",
		"{}", "");
}

Test(cri_compare, the_stored_value_is_shown)
{
	_arena_ struct arena *arena = arena_new();
	struct ctr_faults faults = CTR_FAULTS_INIT;
	const struct cri_pod_sandbox_config given = { .hostname = "a" },
					    stored = { .hostname = "b" };

	cri_pod_compare(NULL, &stored, &faults);
	cr_assert_eq(faults.n, 0);
	cri_pod_compare(&given, &stored, &faults);
	cr_assert_str_eq(faults.items[0].text,
		"differs from what the sandbox was made with: {\"hostname\":\"b\"}");
	ctr_faults_done(&faults);
	/* 80 bytes of it. */
	char name[67];
	const struct cri_pod_sandbox_config longer = { .hostname = name };
	memset(name, 'x', sizeof(name));
	name[65] = 0;
	cri_pod_compare(&given, &longer, &faults);
	cr_assert(str_ends(faults.items[0].text, "xxx\"}"));
	ctr_faults_done(&faults);
	name[65] = 'x';
	name[66] = 0;
	cri_pod_compare(&given, &longer, &faults);
	cr_assert(str_ends(faults.items[0].text, "xxx\"..."));
	ctr_faults_done(&faults);
}
