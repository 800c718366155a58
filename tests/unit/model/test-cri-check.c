/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of CRI's requests: each with an input that breaks it, and its neighbour that doesn't.
 */
#include "base/fd.h"
#include "cri-check.h"

#include <fcntl.h>

static char *a_string_of(size_t n, char c)
{
	char *s = malloc(n + 1);

	memset(s, c, n);
	s[n] = 0;
	return s;
}

static char *data(const char *name)
{
	struct err err = ERR_INIT;
	char path[512], *text = NULL;
	size_t n;

	snprintf(path, sizeof(path), TEST_DATA "/cri/%s", name);
	cr_assert_eq(file_read(AT_FDCWD, path, CRI_REQUEST_MAX, &text, &n, &err), 0, "%s", path);
	return text;
}

/* ---- whole requests ---- */

Test(cri_check, examples_have_the_faults_that_they_are_known_for)
{
	static const struct {
		const char *file, *faults;
	} rows[] = {
		{ "01-minimal.json", "" },
		{ "02-web-server-logged.json", "" },
		{ "03-restricted-nonroot.json", "" },
		{ "04-secrets-and-volumes.json", "" },
		{ "05-privileged-node-debug.json", "" },
		{ "06-hugepages-devices-cpuset.json",
			"config.CDI_devices[0] (unsupported)\n"
			"config.annotations[\"cdi.k8s.io/example_nic\"] (unsupported)" },
		{ "07-userns-localhost-profiles.json", "" },
		{ "08-backend-lxc.json", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *text = data(rows[i].file);
		check_text(text, rows[i].faults);
	}
}

Test(cri_check, every_invalid_request_is_refused_at_its_field)
{
	static const char *const fields[] = {
		"config",
		"config.metadata.name",
		"pod_sandbox_id",
		"config.image.image",
		IN_SECURITY "run_as_group",
		IN_SECURITY "privileged",
		"config.mounts[0].recursive_read_only",
		"config.mounts[0].recursive_read_only",
		"config.mounts[0].host_path",
		"config.mounts[0].readonly",
		IN_SECURITY "namespace_options.target_id",
		IN_SECURITY "namespace_options.userns_options.mode",
		IN_SECURITY "namespace_options.userns_options.uids",
		IN_SECURITY "seccomp.localhost_ref",
		IN_SECURITY "selinux_options.level",
		IN_SECURITY "capabilities.add_capabilities[0]",
	};
	_free_ char *text = data("invalid.jsonl");
	char *line = text, *end;
	size_t n = 0;

	for (; (end = strchr(line, '\n')); line = end + 1, n++) {
		_arena_ struct arena *arena = arena_new();
		struct ctr_faults faults = CTR_FAULTS_INIT;
		static const char head[] = "\"request\":";
		char *request = strstr(line, head);
		*end = 0;
		end[-1] = 0; /* the brace of the line's own object */
		cr_assert_not_null(request);
		cr_assert_lt(n, ARRAY_SIZE(fields));
		request += strlen(head);
		cri_request_check(parse_request(arena, request), &faults);
		cr_assert_geq(faults.n, 1, "no fault in: %s", line);
		cr_assert_str_eq(faults.items[0].field, fields[n], "%s", line);
		cr_assert_eq(faults.items[0].code, ERR_INVALID);
		ctr_faults_done(&faults);
	}
	cr_assert_eq(n, ARRAY_SIZE(fields));
}

/* The stored sandbox decides about privilege, whatever the request says of it. */
Test(cri_check, what_a_request_claims_of_its_sandbox_gives_no_privilege)
{
	_arena_ struct arena *arena = arena_new();
	struct ctr_faults faults = CTR_FAULTS_INIT;
	static const char text[] =
		"{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG
		",\"linux\":{\"security_context\":{\"privileged\":true}}},\"sandbox_config\":{" SOUND_POD
		",\"linux\":{\"security_context\":{\"privileged\":true}}}}";
	const struct cri_create_container_request *r = parse_request(arena, text);
	const struct cri_pod_sandbox_config stored = { .metadata = r->sandbox_config->metadata };

	cri_request_check(r, &faults);
	expect(&faults, text, "");
	cri_pod_compare(r->sandbox_config, &stored, &faults);
	cri_container_check_in_pod(r->config, &stored, &faults);
	expect(&faults, text, IN_POD_SEC "privileged\n" IN_SECURITY "privileged");
	ctr_faults_done(&faults);
}

Test(cri_check, all_faults_are_reported_together)
{
	check_text(
		"{\"config\":{\"windows\":{},\"stdin_once\":true,\"log_path\":\"/abs\",\"mounts\":"
		"[{}],\"linux\":{\"resources\":{\"cpu_shares\":-1}}},\"sandbox_config\":{}}",
		"pod_sandbox_id\nconfig.metadata.name\nconfig.image.image\n"
		"config.mounts[0].container_path\nconfig.mounts[0].host_path\nconfig.log_path\n"
		"config.stdin_once\nconfig.linux.resources.cpu_shares\nconfig.windows (unsupported)\n"
		"sandbox_config.metadata.name\nsandbox_config.metadata.namespace\n"
		"sandbox_config.metadata.uid");
}

Test(cri_check, an_empty_request_lacks_config_and_id)
{
	check_text("{}", "pod_sandbox_id\nconfig");
	check_text("{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG "}}", "");
	check_text("{\"pod_sandbox_id\":\"../x\",\"config\":{" SOUND_CONFIG "}}", "pod_sandbox_id");
	check_text(
		"{\"pod_sandbox_id\":\"a\\nb\",\"config\":{" SOUND_CONFIG "}}", "pod_sandbox_id");
}

/* Callers of the library can put any number where the JSON has names. */
Test(cri_check, enums_out_of_their_range_are_faults)
{
	struct cri_mount mount = { .container_path = "/a", .host_path = "/b", .propagation = 3 };
	struct cri_namespace_option ns = { .network = 7, .pid = -1, .ipc = CRI_NS_N };
	struct cri_security_profile profile = { .profile_type = 3 };
	struct cri_linux_container_security_context sec = {
		.namespace_options = &ns, .seccomp = &profile, .supplemental_groups_policy = 2
	};
	struct cri_linux_container_config l = { .security_context = &sec };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = { .metadata = &metadata,
		.image = &image,
		.mounts = &mount,
		.n_mounts = 1,
		.linux_ = &l,
		.stop_signal = CRI_SIGNAL_N };
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_request_check(&r, &faults);
	expect(&faults, "structs",
		"config.mounts[0].propagation\n" IN_SECURITY
		"namespace_options.network\n" IN_SECURITY "namespace_options.pid\n" IN_SECURITY
		"namespace_options.ipc\n" IN_SECURITY "supplemental_groups_policy\n" IN_SECURITY
		"seccomp.profile_type\nconfig.stop_signal");
	ctr_faults_done(&faults);
}

Test(cri_check, enums_of_a_pod_have_their_range_too)
{
	struct cri_port_mapping port = { .container_port = 80, .protocol = CRI_PROTOCOL_N };
	struct cri_pod_sandbox_metadata metadata = { "p", "u", "n", 0 };
	const struct cri_pod_sandbox_config pod = {
		.metadata = &metadata, .port_mappings = &port, .n_port_mappings = 1
	};
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_pod_check(&pod, "", &faults);
	expect(&faults, "structs", "port_mappings[0].protocol");
	ctr_faults_done(&faults);
}

/* ---- names, labels, annotations ---- */

#define NAMED(name, want)                                                                 \
	check_text("{\"pod_sandbox_id\":\"s\",\"config\":{\"metadata\":{\"name\":\"" name \
		   "\"},\"image\":{\"image\":\"i\"}}}",                                   \
		want)

Test(cri_check, names_are_dns_like)
{
	NAMED("a", "");
	NAMED("Web-1.x", "");
	NAMED("azAZ09", "");
	NAMED("z", "");
	NAMED("Z", "");
	NAMED("A", "");
	NAMED("0", "");
	NAMED("9", "");
	NAMED(".", "config.metadata.name");
	NAMED("..", "config.metadata.name");
	NAMED("a/b", "config.metadata.name");
	NAMED("a_b", "config.metadata.name");
	NAMED("-a", "config.metadata.name");
	NAMED("a.", "config.metadata.name");
	NAMED("a b", "config.metadata.name");
	NAMED("a\\nb", "config.metadata.name");
	NAMED("\xc3\xa4", "config.metadata.name");
}

Test(cri_check, lengths_of_names_are_limited)
{
	static const struct {
		size_t name, namespace, uid;
		const char *want;
	} rows[] = {
		{ 253, 63, 253, "" },
		{ 254, 63, 253, "metadata.name" },
		{ 253, 64, 253, "metadata.namespace" },
		{ 253, 63, 254, "metadata.uid" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *name = a_string_of(rows[i].name, 'n');
		_free_ char *namespace = a_string_of(rows[i].namespace, 's');
		_free_ char *uid = a_string_of(rows[i].uid, 'u');
		struct cri_pod_sandbox_metadata metadata = {
			.name = name, .namespace = namespace, .uid = uid
		};
		struct cri_pod_sandbox_config pod = { .metadata = &metadata };
		struct ctr_faults faults = CTR_FAULTS_INIT;
		cri_pod_check(&pod, "", &faults);
		expect(&faults, "lengths", rows[i].want);
		ctr_faults_done(&faults);
	}
}

Test(cri_check, a_pod_alone_is_named_without_a_prefix)
{
	const struct cri_pod_sandbox_config empty = { .windows = true };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_pod_check(&empty, "", &faults);
	expect(&faults, "{}",
		"metadata.name\nmetadata.namespace\nmetadata.uid\nwindows (unsupported)");
	ctr_faults_done(&faults);
	cri_pod_check(&empty, "pod.json", &faults);
	cr_assert_str_eq(faults.items[0].field, "pod.json.metadata.name");
	ctr_faults_done(&faults);
}

Test(cri_check, labels_are_limited_to_4096_bytes)
{
	_free_ char *value = a_string_of(CRI_LABELS_MAX - 1, 'v');
	struct ctr_pair pair = { "k", value };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = {
		.metadata = &metadata, .image = &image, .labels = { &pair, 1 }
	};
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_request_check(&r, &faults);
	expect(&faults, "4096", "");
	pair.key = "kk";
	cri_request_check(&r, &faults);
	expect(&faults, "4097", "config.labels");
	ctr_faults_done(&faults);
	CONFIG("\"labels\":{\"a\":\"line\\nline\"}", "");
	CONFIG("\"labels\":{\"\":\"x\"}", IN_CONFIG "labels");
	CONFIG("\"labels\":{\"a\\u001bb\":\"x\"}", IN_CONFIG "labels");
	POD("\"labels\":{\"\":\"x\"}", IN_POD "labels");
}

Test(cri_check, annotations_have_sound_keys_and_bring_no_devices)
{
	CONFIG("\"annotations\":{\"a/b\":\"{\\n}\"}", "");
	CONFIG("\"annotations\":{\"\":\"x\"}", IN_CONFIG "annotations");
	CONFIG("\"annotations\":{\"a\\nb\":\"x\"}", IN_CONFIG "annotations");
	CONFIG("\"annotations\":{\"cdi.k8s.io/x\":\"v/c=d\"}",
		IN_CONFIG "annotations[\"cdi.k8s.io/x\"] (unsupported)");
	CONFIG("\"annotations\":{\"cdi.k8s.iox\":\"v\"}", "");
	CONFIG("\"CDI_devices\":[{\"name\":\"v/c=d\"},{}]", IN_CONFIG
		"CDI_devices[0] (unsupported)\n" IN_CONFIG "CDI_devices[1] (unsupported)");
	POD("\"annotations\":{\"\":\"x\"}", IN_POD "annotations");
}

/* ---- the process ---- */

Test(cri_check, images_are_named_in_plain_text)
{
	CONFIG("\"args\":[\"x\"]", "");
	check_text(
		"{\"pod_sandbox_id\":\"s\",\"config\":{\"metadata\":{\"name\":\"c\"},\"image\":"
		"{\"image\":\"a\\nb\",\"user_specified_image\":\"\\u0085\",\"image_ref\":\"\\u007f\","
		"\"runtime_handler\":\"\\t\",\"annotations\":{\"\":\"\"}}}}",
		"config.image.image\nconfig.image.user_specified_image\n"
		"config.image.runtime_handler\nconfig.image.image_ref\nconfig.image.annotations");
}

Test(cri_check, the_program_has_a_name)
{
	CONFIG("\"command\":[\"sh\",\"\"]", "");
	CONFIG("\"command\":[\"\"]", IN_CONFIG "command[0]");
	CONFIG("\"working_dir\":\"relative/is/fine\"", "");
	CONFIG("\"working_dir\":\"/a\\nb\"", IN_CONFIG "working_dir");
}

Test(cri_check, control_characters_are_told_from_their_neighbours)
{
	CONFIG("\"working_dir\":\"/ ~\\u00a0\\u00e4\\u0105\\u20ac\"", "");
	CONFIG("\"working_dir\":\"\\u001f\"", IN_CONFIG "working_dir");
	CONFIG("\"working_dir\":\"\\u007f\"", IN_CONFIG "working_dir");
	CONFIG("\"working_dir\":\"\\u0080\"", IN_CONFIG "working_dir");
	CONFIG("\"working_dir\":\"\\u009f\"", IN_CONFIG "working_dir");
}

Test(cri_check, paths_and_ids_have_their_length)
{
	_free_ char *path = a_string_of(4095, 'p'), *long_path = a_string_of(4096, 'p');
	_free_ char *log = a_string_of(4095, 'l'), *long_log = a_string_of(4096, 'l');
	_free_ char *id = a_string_of(200, 'i'), *long_id = a_string_of(201, 'i');
	struct cri_mount mount = { .container_path = path, .host_path = "/h" };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = { .metadata = &metadata,
		.image = &image,
		.mounts = &mount,
		.n_mounts = 1,
		.log_path = log };
	struct cri_create_container_request r = { .pod_sandbox_id = id, .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	path[0] = long_path[0] = '/';
	cri_request_check(&r, &faults);
	expect(&faults, "as long as allowed", "");
	mount.container_path = long_path;
	config.log_path = long_log;
	r.pod_sandbox_id = long_id;
	cri_request_check(&r, &faults);
	expect(&faults, "one more",
		"pod_sandbox_id\nconfig.mounts[0].container_path\nconfig.log_path");
	ctr_faults_done(&faults);
}

Test(cri_check, variables_have_names)
{
	CONFIG("\"envs\":[{\"key\":\"A\",\"value\":\"=\\n\"},{\"key\":\"b.c-d\"}]", "");
	CONFIG("\"envs\":[{\"key\":\"A\"},{\"value\":\"x\"}]", IN_CONFIG "envs[1].key");
	CONFIG("\"envs\":[{\"key\":\"A=B\"}]", IN_CONFIG "envs[0].key");
	CONFIG("\"envs\":[{\"key\":\"A\\nB\"}]", IN_CONFIG "envs[0].key");
}

Test(cri_check, logs_stay_in_their_folder)
{
	CONFIG("\"log_path\":\"web/0.log\"", "");
	CONFIG("\"log_path\":\"..a/b..\"", "");
	CONFIG("\"log_path\":\"/var/log/x\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"../x\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"a/../b\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"a/..\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"a/\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\".\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"a\\nb\"", IN_CONFIG "log_path");
	CONFIG("\"log_path\":\"a\\u0085b\"", IN_CONFIG "log_path");
	POD("\"log_directory\":\"/var/log/pods/x\"", "");
	POD("\"log_directory\":\"var\"", IN_POD "log_directory");
	POD("\"log_directory\":\"/var/../etc\"", IN_POD "log_directory");
	POD("\"log_directory\":\"/a\\rb\"", IN_POD "log_directory");
}

Test(cri_check, stdin_once_needs_stdin)
{
	CONFIG("\"stdin\":true,\"stdin_once\":true,\"tty\":true", "");
	CONFIG("\"stdin_once\":true", IN_CONFIG "stdin_once");
}

/* ---- pod ---- */

Test(cri_check, host_names_fit_into_the_kernel_and_into_hosts)
{
	POD("\"hostname\":\"web-0.example\"", "");
	POD("\"hostname\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
		"");
	POD("\"hostname\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
		IN_POD "hostname");
	POD("\"hostname\":\"a b\"", IN_POD "hostname");
	POD("\"hostname\":\"a\\n127.0.0.1 evil\"", IN_POD "hostname");
	POD("\"hostname\":\"-a\"", IN_POD "hostname");
	POD("\"hostname\":\"a\",\"linux\":{\"security_context\":{\"namespace_options\":{\"network\":2}}}",
		IN_POD "hostname");
}

Test(cri_check, dns_entries_make_single_words_of_resolv_conf)
{
	POD("\"dns_config\":{\"servers\":[\"10.0.0.1\",\"::1\",\"fe80::1%eth0\"],\"searches\":"
	    "[\"a.b\",\"_x.c.\",\".\"],\"options\":[\"ndots:5\",\"edns0\"]}",
		"");
	POD("\"dns_config\":{\"servers\":[\"10.0.0.1\",\"dns.example\",\"1.2.3.4\\nsearch x\"]}",
		IN_POD "dns_config.servers[1]\n" IN_POD "dns_config.servers[2]");
	POD("\"dns_config\":{\"servers\":[\"fe80::1%\",\"fe80::1%a b\",\"\"]}",
		IN_POD "dns_config.servers[0]\n" IN_POD "dns_config.servers[1]\n" IN_POD
		       "dns_config.servers[2]");
	/* 45 bytes are the longest address, and one more. */
	POD("\"dns_config\":{\"servers\":[\"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255\","
	    "\"0ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255\"]}",
		IN_POD "dns_config.servers[1]");
	POD("\"dns_config\":{\"searches\":[\"a b\",\"\",\"a\\nb\"]}",
		IN_POD "dns_config.searches[0]\n" IN_POD "dns_config.searches[1]\n" IN_POD
		       "dns_config.searches[2]");
	POD("\"dns_config\":{\"options\":[\"a b\",\"\",\"a\\nb\"]}",
		IN_POD "dns_config.options[0]\n" IN_POD "dns_config.options[1]\n" IN_POD
		       "dns_config.options[2]");
}

Test(cri_check, dns_lists_are_limited)
{
	_free_ char *word = a_string_of(254, 'a'), *longer = a_string_of(255, 'a');
	const char *list[33];
	struct cri_dns_config dns = { .searches = list, .options = list };
	struct cri_pod_sandbox_metadata metadata = { "p", "u", "n", 0 };
	struct cri_pod_sandbox_config pod = { .metadata = &metadata, .dns_config = &dns };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = word;
	/* 2048 bytes with the spaces between them, as the kubelet has it. */
	list[8] = "aaaaaaaa";
	dns.n_searches = dns.n_options = 9;
	cri_pod_check(&pod, "", &faults);
	expect(&faults, "2048", "");
	list[8] = "aaaaaaaaa";
	cri_pod_check(&pod, "", &faults);
	expect(&faults, "2049", "dns_config.searches\ndns_config.options");
	ctr_faults_done(&faults);
	list[0] = longer;
	dns.n_searches = dns.n_options = 1;
	cri_pod_check(&pod, "", &faults);
	expect(&faults, "255", "dns_config.searches[0]\ndns_config.options[0]");
	ctr_faults_done(&faults);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = "a";
	dns.n_searches = dns.n_options = 32;
	cri_pod_check(&pod, "", &faults);
	expect(&faults, "32", "");
	dns.n_searches = dns.n_options = 33;
	cri_pod_check(&pod, "", &faults);
	expect(&faults, "33", "dns_config.searches\ndns_config.options");
	ctr_faults_done(&faults);
}

#define PORTS(ports, ns, want)                                                                 \
	POD("\"port_mappings\":[" ports                                                        \
	    "],\"linux\":{\"security_context\":{\"namespace_options\":{\"network\":" ns "}}}", \
		want)
#define HOST_PORT IN_POD "port_mappings[0].host_port"

Test(cri_check, ports_of_the_host_are_not_mapped_yet)
{
	PORTS("{\"container_port\":80}", "0", "");
	PORTS("{\"container_port\":65535,\"protocol\":\"SCTP\",\"host_ip\":\"::1\"}", "0", "");
	PORTS("{\"container_port\":80,\"host_port\":80}", "0", "");
	PORTS("{\"container_port\":80,\"host_port\":80}", "1", "");
	PORTS("{\"container_port\":80,\"host_port\":80}", "2", "");
	PORTS("{\"container_port\":80}", "2", "");
	PORTS("{\"container_port\":1,\"host_port\":1}", "2", "");
	PORTS("{\"container_port\":65535,\"host_port\":65535}", "2", "");
	PORTS("{\"container_port\":0}", "2", IN_POD "port_mappings[0].container_port");
	PORTS("{\"container_port\":80,\"host_port\":81}", "2", HOST_PORT);
	PORTS("{\"container_port\":80,\"host_port\":-1}", "0", HOST_PORT);
	PORTS("{\"container_port\":80,\"host_port\":65536}", "0", HOST_PORT);
	PORTS("{}", "0", IN_POD "port_mappings[0].container_port");
	PORTS("{\"container_port\":65536}", "0", IN_POD "port_mappings[0].container_port");
	PORTS("{\"container_port\":80,\"host_ip\":\"localhost\"}", "0",
		IN_POD "port_mappings[0].host_ip");
}

Test(cri_check, the_parent_of_the_cgroup_does_not_climb)
{
	POD_LINUX("\"cgroup_parent\":\"/kubepods.slice/a..b.slice\"", "");
	POD_LINUX("\"cgroup_parent\":\"kubepods.slice\"", "");
	POD_LINUX("\"cgroup_parent\":\"/a/../b\"", IN_POD "linux.cgroup_parent");
	POD_LINUX("\"cgroup_parent\":\"..\"", IN_POD "linux.cgroup_parent");
	POD_LINUX("\"cgroup_parent\":\"a\\nb\"", IN_POD "linux.cgroup_parent");
}

Test(cri_check, sums_of_resources_obey_the_same_rules)
{
	POD_LINUX("\"overhead\":{\"cpu_shares\":-1},\"resources\":{\"memory_limit_in_bytes\":-1}",
		IN_POD "linux.overhead.cpu_shares\n" IN_POD
		       "linux.resources.memory_limit_in_bytes");
	POD_LINUX("\"overhead\":{\"cpu_shares\":1},\"resources\":{}", "");
}

#define SYSCTL(key, value, ns, want)                                           \
	POD_LINUX("\"sysctls\":{\"" key "\":\"" value                          \
		  "\"},\"security_context\":{\"namespace_options\":{" ns "}}", \
		want)

Test(cri_check, sysctls_belong_to_a_namespace_of_the_pod)
{
	SYSCTL("net.ipv4.ip_forward", "1", "", "");
	SYSCTL("net.ipv4.ip_forward", "1", "\"network\":2",
		IN_POD "linux.sysctls[\"net.ipv4.ip_forward\"]");
	SYSCTL("kernel.shm_rmid_forced", "1", "\"network\":2", "");
	SYSCTL("kernel.shm_rmid_forced", "1", "\"ipc\":2",
		IN_POD "linux.sysctls[\"kernel.shm_rmid_forced\"]");
	SYSCTL("fs.mqueue.msg_max", "10", "", "");
	SYSCTL("kernel.domainname", "d", "", "");
	SYSCTL("kernel.domainname", "d", "\"network\":2",
		IN_POD "linux.sysctls[\"kernel.domainname\"]");
	SYSCTL("kernel.hostname", "d", "", IN_POD "linux.sysctls[\"kernel.hostname\"]");
	SYSCTL("kernel.core_pattern", "|/x", "", IN_POD "linux.sysctls[\"kernel.core_pattern\"]");
	SYSCTL("vm.swappiness", "1", "", IN_POD "linux.sysctls[\"vm.swappiness\"]");
	SYSCTL("user.max_user_namespaces", "1", "",
		IN_POD "linux.sysctls[\"user.max_user_namespaces\"]");
	SYSCTL("net/../kernel/core_pattern", "1", "",
		IN_POD "linux.sysctls[\"net/../kernel/core_pattern\"]");
	SYSCTL("", "1", "", IN_POD "linux.sysctls[\"\"]");
	SYSCTL("kernel.shm_rmid_forced", "1\\nkernel.core_pattern=|/x", "",
		IN_POD "linux.sysctls[\"kernel.shm_rmid_forced\"]");
	/* One bad key doesn't hide the next. */
	POD_LINUX("\"sysctls\":{\"a\":\"1\",\"net.x\":\"1\",\"b\":\"1\"}",
		IN_POD "linux.sysctls[\"a\"]\n" IN_POD "linux.sysctls[\"b\"]");
}

Test(cri_check, windows_is_refused)
{
	CONFIG("\"windows\":{}", IN_CONFIG "windows (unsupported)");
	POD("\"windows\":{}", IN_POD "windows (unsupported)");
}
