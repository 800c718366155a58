/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of "linux": each with an input that breaks it. */
#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#define USER_NS ALL_NS ",{\"type\":\"user\"}"
#define TIME_NS ALL_NS ",{\"type\":\"time\"}"
#define GIDS    ",\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":9}]"

Test(check_linux, namespaces_are_single_and_absolute)
{
	accept((struct parts){ .namespaces = "" });
	refuse((struct parts){ .namespaces =
				       "{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"pid\"}" },
		"linux.namespaces[2]: the type \"pid\" is given twice");
	refuse((struct parts){ .namespaces = "{\"type\":\"pid\",\"path\":\"ns\"}" },
		"linux.namespaces[0]: the path \"ns\" is not absolute");
	refuse((struct parts){ .namespaces = "{\"type\":\"tea\"}" },
		"linux.namespaces[0].type: unknown value \"tea\"");
	refuse((struct parts){ .namespaces = "{}" },
		"linux.namespaces[0].type: the required property is missing");
}

static void refuse_maps(const char *maps, const char *want)
{
	_free_ char *more = strf(",\"uidMappings\":[%s]%s", maps, GIDS);

	refuse((struct parts){ .namespaces = USER_NS, .linux_more = more }, want);
}

#define MAP(c, h, s) "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"

Test(check_linux, id_maps_are_sound)
{
	accept((struct parts){ .namespaces = USER_NS,
		.linux_more = ",\"uidMappings\":[" MAP(0, 100000, 65536) "," MAP(
			65536, 1000, 1) "]" GIDS });
	accept((struct parts){ .namespaces = USER_NS,
		.linux_more = ",\"uidMappings\":[" MAP(0, 0, 4294967295) "]" GIDS });
	refuse_maps(MAP(0, 0, 0), "linux.uidMappings[0]: the size is 0");
	refuse_maps(
		MAP(1, 0, 4294967295), "linux.uidMappings[0]: the range goes beyond the last id");
	refuse_maps(
		MAP(0, 4294967290, 6), "linux.uidMappings[0]: the range goes beyond the last id");
	refuse_maps(MAP(0, 1000, 10) "," MAP(9, 5000, 1),
		"linux.uidMappings[1]: the ids inside overlap with another line");
	refuse_maps(MAP(0, 1000, 10) "," MAP(10, 1009, 1),
		"linux.uidMappings[1]: the ids of the host overlap with another line");
	refuse_maps("{\"containerID\":0,\"hostID\":0}",
		"linux.uidMappings[0].size: the required property is missing");
}

Test(check_linux, id_maps_have_at_most_340_lines)
{
	_str_ struct str s = { 0 };

	for (int i = 0; i < 341; i++)
		str_printf(
			&s, "%s{\"containerID\":%d,\"hostID\":%d,\"size\":1}", i ? "," : "", i, i);
	refuse_maps(
		s.p, "linux.uidMappings: 341 lines are more than the 340 that the kernel takes");
}

Test(check_linux, id_maps_and_user_namespaces_come_together)
{
	REFUSE_LINUX("\"uidMappings\":[" MAP(0, 0, 9) "]",
		"linux.uidMappings: user namespace mappings specified, but no user namespace");
	REFUSE_LINUX("\"gidMappings\":[" MAP(0, 0, 9) "]",
		"linux.gidMappings: user namespace mappings specified, but no user namespace");
	refuse((struct parts){ .namespaces = USER_NS },
		"linux.uidMappings: user namespace enabled, but no uid mappings found");
	refuse((struct parts){ .namespaces = USER_NS,
		       .linux_more = ",\"uidMappings\":[" MAP(0, 0, 9) "]" },
		"linux.gidMappings: user namespace enabled, but no gid mappings found");
	accept((struct parts){
		.namespaces = ALL_NS ",{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}" });
}

Test(check_linux, maps_are_followed_to_the_host)
{
	const struct oci_id_map maps[] = { { 0, 100000, 10 }, { 10, 5, 1 } };
	uint32_t host = 0;

	cr_assert_eq(oci_id_map_find(maps, 2, 9, &host), 1);
	cr_assert_eq(host, 100009);
	cr_assert_eq(oci_id_map_find(maps, 2, 10, &host), 1);
	cr_assert_eq(host, 5);
	cr_assert_eq(oci_id_map_find(maps, 2, 11, &host), 0);
}

Test(check_linux, time_offsets_need_a_new_time_namespace)
{
#define OFFSETS \
	",\"timeOffsets\":{\"monotonic\":{\"secs\":-5,\"nanosecs\":999999999},\"boottime\":{\"secs\":1}}"
	accept((struct parts){ .namespaces = TIME_NS, .linux_more = OFFSETS });
	accept((struct parts){ .linux_more = ",\"timeOffsets\":{}" });
	refuse((struct parts){ .linux_more = OFFSETS },
		"linux.timeOffsets: time namespace offsets specified, but no time namespace");
	refuse((struct parts){ .namespaces =
				       ALL_NS ",{\"type\":\"time\",\"path\":\"/proc/1/ns/time\"}",
		       .linux_more = OFFSETS },
		"linux.timeOffsets: the offsets of a time namespace that is joined can't be set");
	refuse((struct parts){ .namespaces = TIME_NS,
		       .linux_more = ",\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}" },
		"linux.timeOffsets.boottime.nanosecs: must be less than a second");
	refuse((struct parts){ .namespaces = TIME_NS,
		       .linux_more = ",\"timeOffsets\":{\"monotonic\":{\"nanosecs\":1000000000}}" },
		"linux.timeOffsets.monotonic.nanosecs: must be less than a second");
}

Test(check_linux, devices_are_whole)
{
#define DEV(text) "\"devices\":[{\"path\":\"/dev/x\"," text "}]"
	ACCEPT_LINUX(DEV(
		"\"type\":\"c\",\"major\":4095,\"minor\":1048575,\"fileMode\":8630,\"uid\":0,\"gid\":5"));
	ACCEPT_LINUX(DEV("\"type\":\"u\",\"major\":1,\"minor\":3"));
	ACCEPT_LINUX(DEV("\"type\":\"p\""));
	REFUSE_LINUX(DEV("\"type\":\"x\",\"major\":1,\"minor\":3"),
		"linux.devices[0]: the type must be one of c, b, u, p");
	REFUSE_LINUX(DEV("\"type\":\"cc\",\"major\":1,\"minor\":3"),
		"linux.devices[0]: the type must be one of c, b, u, p");
	REFUSE_LINUX("\"devices\":[{\"path\":\"dev/x\",\"type\":\"p\"}]",
		"linux.devices[0]: the path is not absolute");
	REFUSE_LINUX(DEV("\"type\":\"c\",\"major\":1"),
		"linux.devices[0]: major and minor are required for this type");
	REFUSE_LINUX(DEV("\"type\":\"b\",\"minor\":1"),
		"linux.devices[0]: major and minor are required for this type");
	REFUSE_LINUX(DEV("\"type\":\"c\",\"major\":4096,\"minor\":0"),
		"linux.devices[0]: major must be 0 to 4095, minor 0 to 1048575");
	REFUSE_LINUX(DEV("\"type\":\"c\",\"major\":-1,\"minor\":0"),
		"linux.devices[0]: major must be 0 to 4095, minor 0 to 1048575");
	REFUSE_LINUX(DEV("\"type\":\"c\",\"major\":1,\"minor\":1048576"),
		"linux.devices[0]: major must be 0 to 4095, minor 0 to 1048575");
	REFUSE_LINUX(DEV("\"type\":\"p\",\"fileMode\":65536"),
		"linux.devices[0]: fileMode has bits that are no mode");
	REFUSE_LINUX(DEV("\"type\":\"p\",\"uid\":4294967295"),
		"linux.devices[0]: 4294967295 is no valid id");
	REFUSE_LINUX("\"devices\":[{\"type\":\"p\"}]",
		"linux.devices[0].path: the required property is missing");
}

Test(check_linux, network_devices_have_names_and_a_namespace)
{
	REFUSE_LINUX("\"netDevices\":{\"a/b\":{}}",
		"linux.netDevices[\"a/b\"]: \"a/b\" is no name of a network device");
	REFUSE_LINUX("\"netDevices\":{\"sixteen-letters-\":{}}",
		"linux.netDevices[\"sixteen-letters-\"]: \"sixteen-letters-\" is no name of a network device");
	REFUSE_LINUX("\"netDevices\":{\"eth0\":{\"name\":\"..\"}}",
		"linux.netDevices[\"eth0\"]: \"..\" is no name of a network device");
	refuse((struct parts){ .namespaces = "{\"type\":\"mount\"}",
		       .linux_more = ",\"netDevices\":{\"eth0\":{}}" },
		"linux.netDevices: network devices can't be moved without a private NET namespace");
}

Test(check_linux, sysctls_belong_to_a_namespace)
{
	static const struct {
		const char *key, *namespace;
	} rows[] = { { "net.ipv4.ip_forward", "network" }, { "net/ipv4/ip_forward", "network" },
		{ "net.ipv4.conf.eth0/1.forwarding", "network" }, { "fs.mqueue.msg_max", "ipc" },
		{ "kernel.msgmax", "ipc" }, { "kernel.msgmnb", "ipc" }, { "kernel.msgmni", "ipc" },
		{ "kernel.sem", "ipc" }, { "kernel.shmall", "ipc" }, { "kernel.shmmax", "ipc" },
		{ "kernel.shmmni", "ipc" }, { "kernel/shm_rmid_forced", "ipc" },
		{ "kernel.domainname", "uts" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *more = strf(",\"sysctl\":{\"%s\":\"1\"}", rows[i].key);
		_free_ char *own = strf("{\"type\":\"%s\"}", rows[i].namespace);
		_free_ char *want = strf(
			"linux.sysctl[\"%s\"]: sysctl \"%s\" is not in a separate kernel namespace",
			rows[i].key, rows[i].key);
		accept((struct parts){ .namespaces = own, .linux_more = more });
		refuse((struct parts){ .namespaces = "{\"type\":\"pid\"}", .linux_more = more },
			want);
	}
}

Test(check_linux, sysctls_of_the_host_are_refused)
{
	static const char *const keys[] = { "kernel.core_pattern", "kernel/core_pattern",
		"vm.swappiness", "kernel.msgmax.x", "kernel", "net", "netx.y", "fs.mqueue",
		"kernel.semx", "user.max_user_namespaces" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_free_ char *more = strf(",\"sysctl\":{\"%s\":\"1\"}", keys[i]);
		_free_ char *want = strf(
			"linux.sysctl[\"%s\"]: sysctl \"%s\" is not in a separate kernel namespace",
			keys[i], keys[i]);
		refuse((struct parts){ .linux_more = more }, want);
	}
	REFUSE_LINUX("\"sysctl\":{\"kernel.hostname\":\"x\"}",
		"linux.sysctl[\"kernel.hostname\"]: sysctl \"kernel.hostname\" is not allowed: use the property hostname");
}

Test(check_linux, sysctls_cant_smuggle_paths_or_lines)
{
	static const char *const keys[] = { "", ".", "net.", ".net", "net..x",
		"net/../kernel/core_pattern", "net/./x", "Net.x", "net.x y", "net.x=1",
		"net.x+kernel.core_pattern", "-net" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_free_ char *more = strf(",\"sysctl\":{\"%s\":\"1\"}", keys[i]);
		_free_ char *want = strf("linux.sysctl[\"%s\"]: is no name of a sysctl", keys[i]);
		refuse((struct parts){ .linux_more = more }, want);
	}
	REFUSE_LINUX("\"sysctl\":{\"net.a\":\"1\\n2\"}",
		"linux.sysctl[\"net.a\"]: the value has more than one line");
	/* One value, one file: nothing splits it. */
	ACCEPT_LINUX("\"sysctl\":{\"kernel.shm_rmid_forced\":\"1+kernel.core_pattern=|/x\"}");
}

Test(check_linux, masks_are_absolute_and_need_a_mount_namespace)
{
	static const char *const no_mount = "{\"type\":\"pid\"}";

	ACCEPT_LINUX("\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"]");
	REFUSE_LINUX("\"maskedPaths\":[\"/a\",\"b\"]",
		"linux.maskedPaths[1]: \"b\" is not an absolute path");
	REFUSE_LINUX(
		"\"readonlyPaths\":[\"\"]", "linux.readonlyPaths[0]: \"\" is not an absolute path");
	refuse((struct parts){ .namespaces = no_mount, .linux_more = ",\"maskedPaths\":[\"/a\"]" },
		"linux.maskedPaths: unable to restrict sys entries without a private MNT namespace");
	refuse((struct parts){ .namespaces = no_mount,
		       .linux_more = ",\"readonlyPaths\":[\"/a\"]" },
		"linux.readonlyPaths: unable to restrict sys entries without a private MNT namespace");
	accept((struct parts){
		.namespaces = no_mount, .linux_more = ",\"maskedPaths\":[],\"readonlyPaths\":[]" });
}

Test(check_linux, propagation_is_known_and_needs_a_mount_namespace)
{
	ACCEPT_LINUX("\"rootfsPropagation\":\"rslave\"");
	REFUSE_LINUX(
		"\"rootfsPropagation\":\"tea\"", "linux.rootfsPropagation: unknown value \"tea\"");
	refuse((struct parts){ .namespaces = "{\"type\":\"pid\"}",
		       .linux_more = ",\"rootfsPropagation\":\"shared\"" },
		"linux.rootfsPropagation: unable to set the propagation without a private MNT namespace");
}

Test(check_linux, personalities_are_known_and_their_flags_warn)
{
	const char *file = warnings_to_file();

	ACCEPT_LINUX("\"personality\":{\"domain\":\"LINUX32\",\"flags\":[\"X\"]}");
	cr_assert_eq(access(file, R_OK), 0);
	unlink(file);
	REFUSE_LINUX("\"personality\":{\"domain\":\"BSD\"}",
		"linux.personality.domain: unknown value \"BSD\"");
}

#define POLICY(text) "\"memoryPolicy\":{" text "}"

Test(check_linux, memory_policies_take_only_what_is_theirs)
{
	ACCEPT_LINUX(POLICY(
		"\"mode\":\"MPOL_BIND\",\"nodes\":\"0-1\",\"flags\":[\"MPOL_F_STATIC_NODES\",\"MPOL_F_NUMA_BALANCING\"]"));
	ACCEPT_LINUX(POLICY("\"mode\":\"MPOL_PREFERRED\""));
	ACCEPT_LINUX(POLICY("\"mode\":\"MPOL_LOCAL\",\"nodes\":\"\""));
	REFUSE_LINUX(POLICY("\"mode\":\"MPOL_TEA\""),
		"linux.memoryPolicy.mode: unknown value \"MPOL_TEA\"");
	REFUSE_LINUX(POLICY("\"mode\":\"MPOL_BIND\",\"nodes\":\"0-x\""),
		"linux.memoryPolicy: nodes is no list of NUMA nodes like 0-1,3");
	REFUSE_LINUX(POLICY("\"mode\":\"MPOL_DEFAULT\",\"nodes\":\"0\""),
		"linux.memoryPolicy: nodes can't be given with this mode");
	REFUSE_LINUX(POLICY("\"nodes\":\"0\""),
		"linux.memoryPolicy: nodes can't be given with this mode");
	REFUSE_LINUX(POLICY("\"mode\":\"MPOL_INTERLEAVE\""),
		"linux.memoryPolicy: this mode needs nodes");
	REFUSE_LINUX(POLICY("\"mode\":\"MPOL_PREFERRED\",\"flags\":[\"MPOL_F_STATIC_NODES\"]"),
		"linux.memoryPolicy: flags can't be given without nodes");
	REFUSE_LINUX(
		POLICY("\"mode\":\"MPOL_INTERLEAVE\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_NUMA_BALANCING\"]"),
		"linux.memoryPolicy: MPOL_F_NUMA_BALANCING needs MPOL_BIND or MPOL_PREFERRED_MANY");
	REFUSE_LINUX(
		POLICY("\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_STATIC_NODES\",\"MPOL_F_RELATIVE_NODES\"]"),
		"linux.memoryPolicy: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other");
}

Test(check_linux, cache_classes_are_plain_names)
{
	REFUSE_LINUX("\"intelRdt\":{\"closID\":\"..\"}",
		"linux.intelRdt: closID must be a plain name or \"/\"");
	REFUSE_LINUX("\"intelRdt\":{\"closID\":\"a/b\"}",
		"linux.intelRdt: closID must be a plain name or \"/\"");
	REFUSE_LINUX("\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}",
		"linux.intelRdt: memBwSchema must be one line that begins with MB:");
	REFUSE_LINUX("\"intelRdt\":{\"schemata\":[\"a\\nb\"]}",
		"linux.intelRdt: a line of schemata has a line break");
}

Test(check_linux, may_be_absent)
{
	static const char text[] =
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]}}";
	_arena_ struct arena *arena = arena_new();
	struct oci_spec *spec;
	struct err err = ERR_INIT;

	cr_assert_eq(oci_spec_parse(text, sizeof(text) - 1, arena, &spec, &err), 0);
	cr_assert_eq(oci_spec_check(spec, &err), 0);
	cr_assert_null(spec->linux_);
}
