/* SPDX-License-Identifier: Apache-2.0 */
/* The rules outside of "linux": each with an input that breaks it. */
#include "base/fd.h"
#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#define EMPTY          \
	(struct parts) \
	{              \
		0      \
	}

static void warned(const char *file, const char *want)
{
	_free_ char *text = NULL;
	struct err err = ERR_INIT;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, file, 1 << 16, &text, &n, &err), 0);
	unlink(file);
	cr_assert(strstr(text, want), "%s", text);
	cr_assert(strstr(text, "level=warning"), "%s", text);
}

Test(check, a_sound_config_is_accepted)
{
	accept(EMPTY);
}

Test(check, versions_are_1_x)
{
	static const char *const good[] = { "1.0.0", "1.0.2-dev", "1.3.0", "1.9.9+build",
		"1.3.0-rc.1" };
	static const char *const bad[] = { "", "1", "1.2", "1.2.", "1.2.3.4", "1.2.3x", "v1.2.3",
		"a.b.c" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		accept((struct parts){ .version = good[i] });
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refuse((struct parts){ .version = bad[i] },
			"ociVersion: is not a version like 1.2.0");
	refuse((struct parts){ .version = "2.0.0" },
		"ociVersion: version 2.0.0 isn't supported, only 1.x is");
	refuse((struct parts){ .version = "11.0.0" },
		"ociVersion: version 11.0.0 isn't supported, only 1.x is");
}

Test(check, root_is_needed)
{
	refuse((struct parts){ .root = "null" }, "root: the required property is missing");
	refuse((struct parts){ .root = "{}" }, "root.path: the required property is missing");
	refuse((struct parts){ .root = "{\"path\":\"\"}" }, "root.path: must not be empty");
	accept((struct parts){ .root = "{\"path\":\"/abs\",\"readonly\":true}" });
}

Test(check, process_is_needed_with_args_and_an_absolute_cwd)
{
	refuse((struct parts){ .process = "null" }, "process: process property must not be empty");
	refuse((struct parts){ .process = "{\"cwd\":\"/\"}" },
		"process.args: args must not be empty");
	refuse((struct parts){ .process = "{\"cwd\":\"/\",\"args\":[]}" },
		"process.args: args must not be empty");
	refuse((struct parts){ .process = "{\"args\":[\"sh\"]}" },
		"process.cwd: the required property is missing");
	refuse((struct parts){ .process = "{\"args\":[\"sh\"],\"cwd\":\"tmp\"}" },
		"process.cwd: Cwd must be an absolute path, \"tmp\" is not");
	refuse((struct parts){ .process = "{\"args\":[\"sh\"],\"cwd\":\"\"}" },
		"process.cwd: Cwd must be an absolute path, \"\" is not");
}

Test(check, environment_is_name_and_value)
{
	ACCEPT_PROCESS("\"env\":[\"A=\",\"A=1\",\"B==\"]");
	REFUSE_PROCESS(
		"\"env\":[\"A=1\",\"B\"]", "process.env[1]: \"B\" is not of the form NAME=VALUE");
	REFUSE_PROCESS("\"env\":[\"=x\"]", "process.env[0]: \"=x\" is not of the form NAME=VALUE");
	REFUSE_PROCESS("\"env\":[\"\"]", "process.env[0]: \"\" is not of the form NAME=VALUE");
}

Test(check, ids_and_umask_are_in_range)
{
	ACCEPT_PROCESS(
		"\"user\":{\"uid\":4294967294,\"gid\":4294967294,\"umask\":511,\"additionalGids\":[0,7]}");
	REFUSE_PROCESS(
		"\"user\":{\"uid\":4294967295}", "process.user.uid: 4294967295 is no valid id");
	REFUSE_PROCESS(
		"\"user\":{\"gid\":4294967295}", "process.user.gid: 4294967295 is no valid id");
	REFUSE_PROCESS("\"user\":{\"additionalGids\":[1,4294967295]}",
		"process.user.additionalGids[1]: 4294967295 is no valid id");
	REFUSE_PROCESS("\"user\":{\"umask\":512}",
		"process.user.umask: 512 (octal 1000) is more than octal 777");
	REFUSE_PROCESS(
		"\"user\":{\"uid\":-1}", "process.user.uid: -1 is out of range (0 to 4294967295)");
}

Test(check, ids_must_be_mapped_in_a_new_user_namespace)
{
	struct parts p = { .namespaces = ALL_NS ",{\"type\":\"user\"}",
		.linux_more =
			",\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":10}],"
			"\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":5}]" };

	p.process_more = ",\"user\":{\"uid\":9,\"gid\":4,\"additionalGids\":[4]}";
	accept(p);
	p.process_more = ",\"user\":{\"uid\":10}";
	refuse(p, "process.user.uid: 10 is not mapped in the container's user namespace");
	p.process_more = ",\"user\":{\"gid\":5}";
	refuse(p, "process.user.gid: 5 is not mapped in the container's user namespace");
	p.process_more = ",\"user\":{\"additionalGids\":[0,6]}";
	refuse(p,
		"process.user.additionalGids[1]: 6 is not mapped in the container's user namespace");
	p.namespaces = ALL_NS ",{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}";
	p.linux_more = NULL;
	accept(p);
}

Test(check, unknown_capabilities_warn)
{
	const char *file = warnings_to_file();

	ACCEPT_PROCESS(
		"\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_TEA\"],\"ambient\":[\"CAP_CHOWN\"]}");
	warned(file, "CAP_TEA");
	file = warnings_to_file();
	ACCEPT_PROCESS(
		"\"capabilities\":{\"permitted\":[\"CAP_CHOWN\"],\"ambient\":[\"CAP_CHOWN\"]}");
	warned(file, "ambient");
}

Test(check, rlimits_are_known_single_and_ordered)
{
	ACCEPT_PROCESS(
		"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615}]");
	REFUSE_PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_TEA\",\"soft\":0,\"hard\":0}]",
		"process.rlimits[0]: wrong rlimit value: RLIMIT_TEA");
	REFUSE_PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]",
		"process.rlimits[0]: the soft limit of RLIMIT_CORE is above the hard one");
	REFUSE_PROCESS(
		"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":0,\"hard\":1},"
		"{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":1}]",
		"process.rlimits[2]: RLIMIT_CORE is given twice");
}

Test(check, schedulers_take_only_what_is_theirs)
{
	ACCEPT_PROCESS("\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":-20}");
	ACCEPT_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":99,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]}");
	ACCEPT_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5000,\"deadline\":9000,\"period\":9000}");
	ACCEPT_PROCESS("\"scheduler\":{\"policy\":\"SCHED_IDLE\",\"nice\":0,\"priority\":0}");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_TEA\"}",
		"process.scheduler.policy: unknown value \"SCHED_TEA\"");
	REFUSE_PROCESS(
		"\"scheduler\":{}", "process.scheduler.policy: the required property is missing");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_ISO\"}",
		"process.scheduler: SCHED_ISO isn't implemented by any Linux kernel");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":1,\"nice\":1}",
		"process.scheduler: nice is only for SCHED_OTHER and SCHED_BATCH");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}",
		"process.scheduler: nice must be -20 to 19");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}",
		"process.scheduler: priority is only for SCHED_FIFO and SCHED_RR");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_FIFO\"}",
		"process.scheduler: SCHED_FIFO and SCHED_RR need a priority of 1 to 99");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":100}",
		"process.scheduler: SCHED_FIFO and SCHED_RR need a priority of 1 to 99");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"period\":1}",
		"process.scheduler: runtime, deadline and period are only for SCHED_DEADLINE");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5000}",
		"process.scheduler: SCHED_DEADLINE needs a runtime and a deadline");
	REFUSE_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5000,\"deadline\":4000}",
		"process.scheduler: the runtime must not be above the deadline");
	REFUSE_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5000,\"deadline\":9000,\"period\":8000}",
		"process.scheduler: the deadline must not be above the period");
	REFUSE_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1023,\"deadline\":9000}",
		"process.scheduler: a runtime below 1024 ns is refused by the kernel");
	REFUSE_PROCESS(
		"\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"SCHED_FLAG_UTIL_CLAMP_MIN\"]}",
		"process.scheduler: SCHED_FLAG_UTIL_CLAMP_* can't be used: the specification has no value for it");
	REFUSE_PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}",
		"process.scheduler.flags[0]: unknown value \"X\"");
}

Test(check, priorities_and_scores_are_in_range)
{
	ACCEPT_PROCESS(
		"\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":7},\"oomScoreAdj\":-1000");
	REFUSE_PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}",
		"process.ioPriority.priority: must be 0 to 7");
	REFUSE_PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":-1}",
		"process.ioPriority.priority: must be 0 to 7");
	REFUSE_PROCESS("\"ioPriority\":{\"priority\":1}",
		"process.ioPriority.class: the required property is missing");
	REFUSE_PROCESS("\"ioPriority\":{\"class\":\"X\"}",
		"process.ioPriority.class: unknown value \"X\"");
	REFUSE_PROCESS("\"oomScoreAdj\":1001", "process.oomScoreAdj: must be -1000 to 1000");
	REFUSE_PROCESS("\"oomScoreAdj\":-1001", "process.oomScoreAdj: must be -1000 to 1000");
}

Test(check, affinities_are_lists_of_cpus)
{
	ACCEPT_PROCESS("\"execCPUAffinity\":{\"initial\":\"0-1\",\"final\":\"0, 2\"}");
	REFUSE_PROCESS("\"execCPUAffinity\":{\"initial\":\"0-1x\"}",
		"process.execCPUAffinity.initial: \"0-1x\" is no list of CPUs (see byte 3)");
	REFUSE_PROCESS("\"execCPUAffinity\":{\"final\":\",\"}",
		"process.execCPUAffinity.final: \",\" is no list of CPUs (see byte 0)");
}

Test(check, terminals_have_a_size_that_fits)
{
	ACCEPT_PROCESS("\"terminal\":true,\"consoleSize\":{\"height\":65535,\"width\":0}");
	REFUSE_PROCESS("\"consoleSize\":{\"height\":65536,\"width\":1}",
		"process.consoleSize: height and width must be at most 65535");
	REFUSE_PROCESS("\"consoleSize\":{\"height\":1}",
		"process.consoleSize.width: the required property is missing");
}

Test(check, host_names_need_a_namespace_and_fit)
{
	static const char *const no_uts = "{\"type\":\"mount\"}";
	char name[128] = ",\"hostname\":\"";

	ACCEPT_TOP("\"hostname\":\"a\",\"domainname\":\"b.c\"");
	memset(name + 13, 'x', 64);
	memcpy(name + 77, "\"", 2);
	accept((struct parts){ .more = name });
	memcpy(name + 77, "x\"", 3);
	refuse((struct parts){ .more = name }, "hostname: is longer than 64 bytes");
	refuse((struct parts){ .namespaces = no_uts, .more = ",\"hostname\":\"a\"" },
		"hostname: unable to set hostname without a private UTS namespace");
	refuse((struct parts){ .namespaces = no_uts, .more = ",\"domainname\":\"a\"" },
		"domainname: unable to set domainname without a private UTS namespace");
}

Test(check, annotations_have_keys)
{
	ACCEPT_TOP("\"annotations\":{\"a\":\"\"}");
	REFUSE_TOP("\"annotations\":{\"\":\"a\"}", "annotations: a key is empty");
	REFUSE_TOP("\"annotations\":{\"a\":1}",
		"annotations[\"a\"]: expected a string, found the number 1");
}

Test(check, hooks_are_absolute_and_have_positive_timeouts)
{
	ACCEPT_TOP("\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"timeout\":1}]}");
	REFUSE_TOP("\"hooks\":{\"prestart\":[{\"path\":\"h\"}]}",
		"hooks.prestart[0]: the path \"h\" is not absolute");
	REFUSE_TOP("\"hooks\":{\"poststop\":[{\"path\":\"/h\"},{\"path\":\"/h\",\"timeout\":0}]}",
		"hooks.poststop[1]: the timeout must be greater than 0");
	REFUSE_TOP("\"hooks\":{\"createRuntime\":[{\"path\":\"/h\",\"timeout\":-1}]}",
		"hooks.createRuntime[0]: the timeout must be greater than 0");
	REFUSE_TOP("\"hooks\":{\"startContainer\":[{}]}",
		"hooks.startContainer[0].path: the required property is missing");
}

#define MOUNT(text) ",\"mounts\":[{" text "}]"

static void refuse_mount(const char *mounts, const char *want)
{
	refuse((struct parts){ .more = mounts }, want);
}

Test(check, a_relative_destination_warns)
{
	const char *file = warnings_to_file();

	accept((struct parts){ .more = MOUNT("\"destination\":\"data\",\"type\":\"tmpfs\"") });
	warned(file, "\\\"data\\\" is relative");
}

Test(check, mounts_have_what_their_kind_needs)
{
	refuse_mount(MOUNT("\"type\":\"tmpfs\""),
		"mounts[0].destination: the required property is missing");
	refuse_mount(MOUNT("\"destination\":\"\",\"type\":\"tmpfs\""),
		"mounts[0].destination: must not be empty");
	refuse_mount(MOUNT("\"destination\":\"/d\""),
		"mounts[0]: type is missing, and it isn't a bind mount");
	refuse_mount(MOUNT("\"destination\":\"/d\",\"type\":\"none\""),
		"mounts[0]: type is missing, and it isn't a bind mount");
	refuse_mount(MOUNT("\"destination\":\"/d\",\"options\":[\"bind\"]"),
		"mounts[0]: a bind mount needs a source");
	refuse_mount(MOUNT("\"destination\":\"/d\",\"source\":\"/s\",\"options\":[\"bind\",\"x\"]"),
		"mounts[0]: unknown option \"x\" on a bind mount");
	accept((struct parts){
		.more = MOUNT("\"destination\":\"/d\",\"options\":[\"rprivate\"]") });
	accept((struct parts){
		.more = MOUNT(
			"\"destination\":\"/d\",\"source\":\"rel\",\"options\":[\"rbind\",\"ro\"]") });
}

Test(check, idmapped_mounts_need_maps_or_a_user_namespace)
{
#define BIND "\"destination\":\"/d\",\"source\":\"/s\",\"options\":[\"bind\""
#define ONE  "[{\"containerID\":0,\"hostID\":1,\"size\":1}]"
	refuse_mount(MOUNT(BIND ",\"idmap\"]"),
		"mounts[0]: idmap needs uidMappings and gidMappings, or a user namespace");
	refuse_mount(MOUNT(BIND "],\"uidMappings\":" ONE),
		"mounts[0]: uidMappings and gidMappings must be given both or not at all");
	refuse_mount(MOUNT("\"destination\":\"/d\",\"type\":\"tmpfs\",\"uidMappings\":" ONE
			   ",\"gidMappings\":" ONE),
		"mounts[0]: an idmapped mount must be a bind mount");
	refuse_mount(MOUNT(BIND "],\"uidMappings\":" ONE
				",\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":0}]"),
		"mounts[0].gidMappings[0]: the size is 0");
	accept((struct parts){
		.more = MOUNT(BIND ",\"ridmap\"],\"uidMappings\":" ONE ",\"gidMappings\":" ONE) });
}

Test(check, nothing_but_proc_comes_onto_proc)
{
	accept((struct parts){ .more = MOUNT("\"destination\":\"/proc\",\"type\":\"proc\"") });
	accept((struct parts){
		.more = MOUNT(
			"\"destination\":\"/proc\",\"source\":\"/proc\",\"options\":[\"rbind\"]") });
	accept((struct parts){
		.more = MOUNT(
			"\"destination\":\"/proc/cpuinfo\",\"source\":\"/lxcfs\",\"options\":[\"bind\"]") });
	accept((struct parts){ .more = MOUNT("\"destination\":\"/process\",\"type\":\"tmpfs\"") });
	refuse_mount(MOUNT("\"destination\":\"/proc\",\"type\":\"tmpfs\""),
		"mounts[0]: only a proc file system can be mounted on /proc");
	refuse_mount(
		MOUNT("\"destination\":\"/a/../proc/.\",\"source\":\"/x\",\"options\":[\"bind\"]"),
		"mounts[0]: only a proc file system can be mounted on /proc");
	refuse_mount(
		MOUNT("\"destination\":\"//proc/./sys\",\"source\":\"/x\",\"options\":[\"bind\"]"),
		"mounts[0]: \"/proc/sys\" cannot be mounted because it is inside /proc");
	refuse_mount(MOUNT("\"destination\":\"/proc/self/attr\",\"type\":\"tmpfs\""),
		"mounts[0]: \"/proc/self/attr\" cannot be mounted because it is inside /proc");
	refuse_mount(MOUNT("\"destination\":\"/proc/cpuinfo\",\"type\":\"tmpfs\""),
		"mounts[0]: \"/proc/cpuinfo\" cannot be mounted because it is inside /proc");
}

Test(check, without_a_mount_namespace_the_host_isnt_touched)
{
	static const char *const no_mount = "{\"type\":\"pid\"}";

	accept((struct parts){ .namespaces = no_mount });
	refuse((struct parts){ .namespaces = no_mount,
		       .more = MOUNT("\"destination\":\"/d\",\"type\":\"tmpfs\"") },
		"mounts: unable to mount without a private MNT namespace");
	refuse((struct parts){ .namespaces = no_mount,
		       .root = "{\"path\":\"r\",\"readonly\":true}" },
		"root.readonly: unable to make the root read-only without a private MNT namespace");
}

Test(check, every_refusal_names_its_property)
{
	static const char *const inputs[] = { ",\"intelRdt\":{}", ",\"netDevices\":{\"eth0\":{}}" };
	char want[256];
	size_t i;

	for (i = 0; oci_refusal(i); i++) {
		cr_assert_lt(i, ARRAY_SIZE(inputs), "a row without an input here");
		snprintf(want, sizeof(want), "%s: %s", oci_refusal(i)->path, oci_refusal(i)->why);
		refuse((struct parts){ .linux_more = inputs[i] }, want);
	}
	cr_assert_eq(i, ARRAY_SIZE(inputs));
	for (i = 0; oci_ignored(i); i++)
		cr_assert(*oci_ignored(i)->path && *oci_ignored(i)->why);
}

Test(check, a_process_alone_follows_the_same_rules)
{
	static const char text[] = "{\"cwd\":\"/\",\"args\":[\"a\"],\"user\":{\"umask\":4096}}";
	_arena_ struct arena *arena = arena_new();
	struct oci_process *p;
	struct err err = ERR_INIT;

	cr_assert_eq(oci_process_parse(text, sizeof(text) - 1, arena, &p, &err), 0);
	cr_assert_eq(oci_process_check(p, NULL, &err), -1);
	cr_assert_str_eq(err.where, "user.umask");
	p->user.umask = NULL;
	cr_assert_eq(oci_process_check(p, NULL, &err), 0);
}
