/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of mounts, devices and resources of a CRI container. */
#include "cri-check.h"

#define MOUNT(more, want) \
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"host_path\":\"/h\"," more "}]", want)
#define IN_MOUNT "config.mounts[0]."

Test(cri_mounts, both_paths_are_absolute)
{
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"host_path\":\"/\"}]", "");
	CONFIG("\"mounts\":[{\"container_path\":\"/a/../b\",\"host_path\":\"/h\"}]", "");
	CONFIG("\"mounts\":[{\"host_path\":\"/h\"}]", IN_MOUNT "container_path");
	CONFIG("\"mounts\":[{\"container_path\":\"m\",\"host_path\":\"/h\"}]",
		IN_MOUNT "container_path");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\"}]", IN_MOUNT "host_path");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"host_path\":\"h\"}]",
		IN_MOUNT "host_path");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\\n\",\"host_path\":\"/h\\u007f\"}]",
		IN_MOUNT "container_path\n" IN_MOUNT "host_path");
}

Test(cri_mounts, the_root_is_not_covered_in_any_spelling)
{
	static const char *const roots[] = { "/", "//", "/.", "/./", "/..", "/a/..", "/a/./../",
		"/../../" };
	static const char *const others[] = { "/a", "/.a", "/..a", "/a/../b", "/...",
		"/a/.."
		"/b/" };

	for (size_t i = 0; i < ARRAY_SIZE(roots) + ARRAY_SIZE(others); i++) {
		bool is_root = i < ARRAY_SIZE(roots);
		char text[256];
		snprintf(text, sizeof(text),
			"{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG ",\"mounts\":"
			"[{\"container_path\":\"%s\",\"host_path\":\"/h\"}]}}",
			is_root ? roots[i] : others[i - ARRAY_SIZE(roots)]);
		check_text(text, is_root ? IN_MOUNT "container_path" : "");
	}
}

Test(cri_mounts, only_a_privileged_container_passes_mounts_to_the_host)
{
	MOUNT("\"propagation\":1", "");
	MOUNT("\"propagation\":2", IN_MOUNT "propagation");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"host_path\":\"/h\",\"propagation\":2}],"
	       "\"linux\":{\"security_context\":{\"privileged\":true}}",
		"");
}

Test(cri_mounts, recursive_read_only_needs_readonly_and_no_propagation)
{
	MOUNT("\"readonly\":true,\"recursive_read_only\":true", "");
	MOUNT("\"recursive_read_only\":true", IN_MOUNT "recursive_read_only");
	MOUNT("\"readonly\":true,\"recursive_read_only\":true,\"propagation\":1",
		IN_MOUNT "recursive_read_only");
}

Test(cri_mounts, options_are_those_of_the_list)
{
	MOUNT("\"mount_options\":[\"noexec\",\"nosuid\",\"nodev\",\"noatime\"]", "");
	MOUNT("\"mount_options\":[\"relatime\",\"relatime\"]", "");
	MOUNT("\"mount_options\":[\"relatime\",\"noatime\"]", IN_MOUNT "mount_options");
	MOUNT("\"mount_options\":[\"noexec\",\"exec\",\"NOEXEC\",\"\",\"rw\",\"dev\",\"suid\"]",
		IN_MOUNT "mount_options[1]\n" IN_MOUNT "mount_options[2]\n" IN_MOUNT
			 "mount_options[3]\n" IN_MOUNT "mount_options[4]\n" IN_MOUNT
			 "mount_options[5]\n" IN_MOUNT "mount_options[6]");
}

#define IMAGE(more, want) \
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"image\":{\"image\":\"i\"}" more "}]", want)

Test(cri_mounts, volumes_that_are_images_come_read_only_and_from_nowhere_else)
{
	IMAGE(",\"readonly\":true", "");
	IMAGE(",\"readonly\":true,\"image_sub_path\":\"a/b\",\"mount_options\":[\"noexec\"]", "");
	IMAGE("", IN_MOUNT "readonly");
	IMAGE(",\"readonly\":true,\"host_path\":\"/h\"", IN_MOUNT "host_path");
	IMAGE(",\"readonly\":true,\"propagation\":1", IN_MOUNT "propagation");
	IMAGE(",\"readonly\":true,\"image_sub_path\":\"../a\"", IN_MOUNT "image_sub_path");
	IMAGE(",\"readonly\":true,\"image_sub_path\":\"/a\"", IN_MOUNT "image_sub_path");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"image\":{},\"readonly\":true}]",
		IN_MOUNT "image.image");
	CONFIG("\"mounts\":[{\"container_path\":\"/m\",\"readonly\":true,\"image\":"
	       "{\"image\":\"a\\n\",\"user_specified_image\":\"b\\n\"}}]",
		IN_MOUNT "image.image\n" IN_MOUNT "image.user_specified_image");
	MOUNT("\"image_sub_path\":\"a\"", IN_MOUNT "image_sub_path");
}

#define MAP(c, h, n)           "{\"container_id\":" c ",\"host_id\":" h ",\"length\":" n "}"
#define MAPS(uids, gids, want) MOUNT("\"uidMappings\":[" uids "],\"gidMappings\":[" gids "]", want)

Test(cri_mounts, id_mappings_are_sound_and_come_in_pairs)
{
	MAPS(MAP("0", "1000", "10"), MAP("0", "2000", "10"), "");
	MAPS(MAP("0", "0", "10") "," MAP("10", "10", "10"), MAP("0", "0", "1"), "");
	MAPS(MAP("0", "1000", "10"), "", IN_MOUNT "gidMappings");
	MAPS("", MAP("0", "1000", "10"), IN_MOUNT "uidMappings");
	MAPS(MAP("0", "1000", "0"), MAP("0", "0", "1"), IN_MOUNT "uidMappings[0].length");
	MAPS(MAP("0", "4294967294", "1"), MAP("4294967294", "0", "1"), "");
	MAPS(MAP("0", "4294967295", "1"), MAP("4294967294", "0", "2"),
		IN_MOUNT "uidMappings[0].length\n" IN_MOUNT "gidMappings[0].length");
	MAPS(MAP("0", "100", "10") "," MAP("9", "200", "10"), MAP("0", "0", "1"),
		IN_MOUNT "uidMappings[1]");
	MAPS(MAP("0", "100", "10") "," MAP("10", "109", "10"), MAP("0", "0", "1"),
		IN_MOUNT "uidMappings[1]");
	MAPS(MAP("10", "110", "10") "," MAP("0", "100", "10"), MAP("0", "0", "1"), "");
}

Test(cri_mounts, id_mappings_have_as_many_lines_as_the_kernel_takes)
{
	static struct cri_id_mapping maps[341];
	struct cri_mount mount = { .container_path = "/m",
		.host_path = "/h",
		.uid_mappings = maps,
		.n_uid_mappings = 340,
		.gid_mappings = maps,
		.n_gid_mappings = 1 };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = {
		.metadata = &metadata, .image = &image, .mounts = &mount, .n_mounts = 1
	};
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	for (uint32_t i = 0; i < ARRAY_SIZE(maps); i++)
		maps[i] = (struct cri_id_mapping){ i, i, 1 };
	cri_request_check(&r, &faults);
	expect(&faults, "340", "");
	mount.n_uid_mappings = 341;
	cri_request_check(&r, &faults);
	expect(&faults, "341", IN_MOUNT "uidMappings");
	ctr_faults_done(&faults);
}

#define DEVICE(text, want) CONFIG("\"devices\":[{" text "}]", want)
#define IN_DEVICE          "config.devices[0]."

Test(cri_mounts, devices_have_two_absolute_paths_and_letters)
{
	DEVICE("\"container_path\":\"/dev/a\",\"host_path\":\"/dev/b\"", "");
	DEVICE("\"container_path\":\"/dev/a\",\"host_path\":\"/dev/b\",\"permissions\":\"mrw\"",
		"");
	DEVICE("\"container_path\":\"/dev/a\",\"host_path\":\"/dev/b\",\"permissions\":\"rwx\"",
		IN_DEVICE "permissions");
	DEVICE("\"container_path\":\"/dev/a\",\"host_path\":\"/dev/b\",\"permissions\":\"r w\"",
		IN_DEVICE "permissions");
	DEVICE("", IN_DEVICE "container_path\n" IN_DEVICE "host_path");
	DEVICE("\"container_path\":\"dev/a\",\"host_path\":\"dev/b\"",
		IN_DEVICE "container_path\n" IN_DEVICE "host_path");
	DEVICE("\"container_path\":\"/a/..\",\"host_path\":\"/dev/b\"", IN_DEVICE "container_path");
	DEVICE("\"container_path\":\"/a\\n\",\"host_path\":\"/dev/b\"", IN_DEVICE "container_path");
}

Test(cri_mounts, the_numbers_of_items_are_limited)
{
	static struct cri_mount mounts[4097];
	static struct cri_device devices[1025];
	static struct cri_key_value envs[16385];
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = { .metadata = &metadata,
		.image = &image,
		.mounts = mounts,
		.devices = devices,
		.envs = envs };
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		mounts[i] = (struct cri_mount){ .container_path = "/m", .host_path = "/h" };
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		devices[i] = (struct cri_device){ .container_path = "/m", .host_path = "/h" };
	for (size_t i = 0; i < ARRAY_SIZE(envs); i++)
		envs[i] = (struct cri_key_value){ .key = "K" };
	config.n_mounts = ARRAY_SIZE(mounts) - 1;
	config.n_devices = ARRAY_SIZE(devices) - 1;
	config.n_envs = ARRAY_SIZE(envs) - 1;
	cri_request_check(&r, &faults);
	expect(&faults, "as many as allowed", "");
	config.n_mounts++;
	config.n_devices++;
	config.n_envs++;
	cri_request_check(&r, &faults);
	expect(&faults, "one more", "config.mounts\nconfig.devices\nconfig.envs");
	ctr_faults_done(&faults);
}

/* ---- resources ---- */

Test(cri_resources, cpu_values_are_those_of_the_kernel)
{
	RESOURCES("\"cpu_period\":1000,\"cpu_quota\":1000,\"cpu_shares\":262144", "");
	RESOURCES("\"cpu_period\":1000000,\"cpu_quota\":-1,\"cpu_shares\":1", "");
	RESOURCES("\"cpu_period\":999", IN_RESOURCES "cpu_period");
	RESOURCES("\"cpu_period\":1000001", IN_RESOURCES "cpu_period");
	RESOURCES("\"cpu_period\":-1", IN_RESOURCES "cpu_period");
	RESOURCES("\"cpu_quota\":999", IN_RESOURCES "cpu_quota");
	RESOURCES("\"cpu_quota\":-2", IN_RESOURCES "cpu_quota");
	RESOURCES("\"cpu_shares\":-1", IN_RESOURCES "cpu_shares");
	RESOURCES("\"cpu_shares\":262145", IN_RESOURCES "cpu_shares");
}

Test(cri_resources, cpusets_are_lists)
{
	RESOURCES("\"cpuset_cpus\":\"0-3,7\",\"cpuset_mems\":\"0\"", "");
	RESOURCES("\"cpuset_cpus\":\"3-0\",\"cpuset_mems\":\"a\"",
		IN_RESOURCES "cpuset_cpus\n" IN_RESOURCES "cpuset_mems");
	RESOURCES("\"cpuset_cpus\":\"0\\n\"", IN_RESOURCES "cpuset_cpus");
}

Test(cri_resources, swap_is_the_limit_of_both_together)
{
	RESOURCES("\"memory_limit_in_bytes\":100,\"memory_swap_limit_in_bytes\":100", "");
	RESOURCES("\"memory_limit_in_bytes\":100,\"memory_swap_limit_in_bytes\":-1", "");
	RESOURCES("\"memory_swap_limit_in_bytes\":-1", "");
	RESOURCES("\"memory_limit_in_bytes\":-1", IN_RESOURCES "memory_limit_in_bytes");
	RESOURCES("\"memory_limit_in_bytes\":100,\"memory_swap_limit_in_bytes\":99",
		IN_RESOURCES "memory_swap_limit_in_bytes");
	RESOURCES("\"memory_swap_limit_in_bytes\":100", IN_RESOURCES "memory_swap_limit_in_bytes");
	RESOURCES("\"memory_swap_limit_in_bytes\":-2", IN_RESOURCES "memory_swap_limit_in_bytes");
}

Test(cri_resources, oom_score_adj_has_its_range)
{
	RESOURCES("\"oom_score_adj\":-1000", "");
	RESOURCES("\"oom_score_adj\":1000", "");
	RESOURCES("\"oom_score_adj\":1001", IN_RESOURCES "oom_score_adj");
	RESOURCES("\"oom_score_adj\":\"-1001\"", IN_RESOURCES "oom_score_adj");
}

#define PAGES(size) "{\"page_size\":\"" size "\",\"limit\":1}"

Test(cri_resources, huge_pages_are_named_as_the_kernel_does)
{
	RESOURCES("\"hugepage_limits\":[" PAGES("64KB") "," PAGES("2MB") "," PAGES(
			  "16GB") "," PAGES("1234567KB") "]",
		"");
	RESOURCES("\"hugepage_limits\":[" PAGES("12345678KB") "]",
		IN_RESOURCES "hugepage_limits[0].page_size");
	RESOURCES("\"hugepage_limits\":[{}," PAGES("2Mi") "," PAGES("../x") "," PAGES(
			  "0MB") "," PAGES("MB") "," PAGES("2") "]",
		IN_RESOURCES "hugepage_limits[0].page_size\n" IN_RESOURCES
			     "hugepage_limits[1].page_size\n" IN_RESOURCES
			     "hugepage_limits[2].page_size\n" IN_RESOURCES
			     "hugepage_limits[3].page_size\n" IN_RESOURCES
			     "hugepage_limits[4].page_size\n" IN_RESOURCES
			     "hugepage_limits[5].page_size");
	RESOURCES("\"hugepage_limits\":[" PAGES("2MB") "," PAGES("1GB") "," PAGES("2MB") "]",
		IN_RESOURCES "hugepage_limits[2].page_size");
}

Test(cri_resources, page_sizes_are_no_list_without_end)
{
	static struct cri_hugepage_limit limits[65];
	static char names[65][8];
	struct cri_linux_container_resources resources = { .hugepage_limits = limits };
	struct cri_linux_container_config l = { .resources = &resources };
	struct cri_container_metadata metadata = { .name = "c" };
	struct cri_image_spec image = { .image = "i" };
	struct cri_container_config config = {
		.metadata = &metadata, .image = &image, .linux_ = &l
	};
	const struct cri_create_container_request r = { .pod_sandbox_id = "s", .config = &config };
	struct ctr_faults faults = CTR_FAULTS_INIT;

	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		snprintf(names[i], sizeof(names[i]), "%uKB", i + 1);
		limits[i].page_size = names[i];
	}
	resources.n_hugepage_limits = 64;
	cri_request_check(&r, &faults);
	expect(&faults, "64", "");
	resources.n_hugepage_limits = 65;
	cri_request_check(&r, &faults);
	expect(&faults, "65", IN_RESOURCES "hugepage_limits");
	ctr_faults_done(&faults);
}

#define UNIFIED(key, value, want) RESOURCES("\"unified\":{\"" key "\":\"" value "\"}", want)

Test(cri_resources, unified_keys_are_files_that_limit)
{
	UNIFIED("memory.high", "1", "");
	UNIFIED("hugetlb.2MB.max", "0", "");
	UNIFIED("io.max", "8:0 rbps=1\\n8:16 rbps=2", "");
	UNIFIED("cgroup.max.depth", "1", "");
	UNIFIED("cgroup.procs", "1", IN_RESOURCES "unified[\"cgroup.procs\"]");
	UNIFIED("cgroup.freeze", "1", IN_RESOURCES "unified[\"cgroup.freeze\"]");
	UNIFIED("../x.y", "1", IN_RESOURCES "unified[\"../x.y\"]");
	UNIFIED("memory./x", "1", IN_RESOURCES "unified[\"memory./x\"]");
	UNIFIED("memory", "1", IN_RESOURCES "unified[\"memory\"]");
	UNIFIED(".max", "1", IN_RESOURCES "unified[\".max\"]");
	UNIFIED("memory.max", "", IN_RESOURCES "unified[\"memory.max\"]");
	UNIFIED("memory.max", "\\n", IN_RESOURCES "unified[\"memory.max\"]");
}
