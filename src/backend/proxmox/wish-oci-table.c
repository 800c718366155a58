/* SPDX-License-Identifier: Apache-2.0 */
/* Every property of config.json has a row; a test compares them with the specification's list. */
#include "backend/proxmox/wish-oci.h"

#include <string.h>

/* ---- is it asked for? ---- */

static const struct oci_resources *res(const struct oci_spec *s)
{
	return s->linux_ ? s->linux_->resources : NULL;
}
static const struct oci_cpu *cpu(const struct oci_spec *s)
{
	return res(s) ? res(s)->cpu : NULL;
}
static const struct oci_memory *memory(const struct oci_spec *s)
{
	return res(s) ? res(s)->memory : NULL;
}

static bool domainname(const struct oci_spec *s)
{
	return s->domainname && *s->domainname;
}
static bool prestart(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_prestart;
}
static bool create_runtime(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_create_runtime;
}
static bool create_container(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_create_container;
}
static bool start_container(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_start_container;
}
static bool poststart(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_poststart;
}
static bool poststop(const struct oci_spec *s)
{
	return s->hooks && s->hooks->n_poststop;
}

static bool intel_rdt(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->intel_rdt;
}
static bool mount_label(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->mount_label && *s->linux_->mount_label;
}
static bool memory_policy(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->memory_policy;
}
static bool net_devices(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->net_devices.n;
}
static bool personality(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->personality &&
	       (s->linux_->personality->domain || s->linux_->personality->n_flags);
}
static bool sysctl(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->sysctl.n;
}
static bool time_offsets(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->time_offsets;
}
static bool propagates(const struct oci_spec *s)
{
	return s->linux_ && (s->linux_->rootfs_propagation == OCI_PROPAGATION_SHARED ||
				    s->linux_->rootfs_propagation == OCI_PROPAGATION_RSHARED);
}

static bool block_io(const struct oci_spec *s)
{
	return res(s) && res(s)->block_io;
}
static bool burst(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->burst && *cpu(s)->burst;
}
static bool cpus(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->cpus && *cpu(s)->cpus;
}
static bool mems(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->mems && *cpu(s)->mems;
}
static bool idle(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->idle && *cpu(s)->idle;
}
static bool rt_period(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->realtime_period && *cpu(s)->realtime_period;
}
static bool rt_runtime(const struct oci_spec *s)
{
	return cpu(s) && cpu(s)->realtime_runtime && *cpu(s)->realtime_runtime;
}
static bool huge_pages(const struct oci_spec *s)
{
	return res(s) && res(s)->n_hugepage_limits;
}
static bool reservation(const struct oci_spec *s)
{
	return memory(s) && memory(s)->reservation && *memory(s)->reservation > 0;
}
static bool no_oom_killer(const struct oci_spec *s)
{
	return memory(s) && memory(s)->disable_oom_killer;
}
static bool kernel_memory(const struct oci_spec *s)
{
	return memory(s) && memory(s)->kernel && *memory(s)->kernel > 0;
}
static bool kernel_tcp(const struct oci_spec *s)
{
	return memory(s) && memory(s)->kernel_tcp && *memory(s)->kernel_tcp > 0;
}
static bool swappiness(const struct oci_spec *s)
{
	return memory(s) && memory(s)->swappiness;
}
static bool class_id(const struct oci_spec *s)
{
	return res(s) && res(s)->network && res(s)->network->class_id;
}
static bool priorities(const struct oci_spec *s)
{
	return res(s) && res(s)->network && res(s)->network->n_priorities;
}
static bool pids(const struct oci_spec *s)
{
	return res(s) && res(s)->pids && res(s)->pids->limit > 0;
}
static bool rdma(const struct oci_spec *s)
{
	return res(s) && res(s)->rdma.n;
}
static bool unified(const struct oci_spec *s)
{
	return res(s) && res(s)->unified.n;
}

static bool terminal(const struct oci_spec *s)
{
	return s->process && s->process->terminal;
}
static bool affinity(const struct oci_spec *s)
{
	return s->process && s->process->exec_cpu_affinity;
}
static bool io_priority(const struct oci_spec *s)
{
	return s->process && s->process->io_priority;
}
static bool no_new_privileges(const struct oci_spec *s)
{
	return s->process && s->process->no_new_privileges;
}
static bool oom_score(const struct oci_spec *s)
{
	return s->process && s->process->oom_score_adj && *s->process->oom_score_adj;
}
static bool rlimits(const struct oci_spec *s)
{
	return s->process && s->process->n_rlimits;
}
static bool scheduler(const struct oci_spec *s)
{
	return s->process && s->process->scheduler;
}
static bool selinux_label(const struct oci_spec *s)
{
	return s->process && s->process->selinux_label && *s->process->selinux_label;
}
static bool uid(const struct oci_spec *s)
{
	return s->process && s->process->user.uid;
}
static bool gid(const struct oci_spec *s)
{
	return s->process && s->process->user.gid;
}
/* Engines name root's own group, too. */
static bool groups(const struct oci_spec *s)
{
	for (size_t i = 0; s->process && i < s->process->user.n_additional_gids; i++) {
		if (s->process->user.additional_gids[i])
			return true;
	}
	return false;
}
static bool umask_other(const struct oci_spec *s)
{
	return s->process && s->process->user.umask && *s->process->user.umask != 022;
}

/* ---- the table ---- */

#define HOOK           "programs of the host that are to run around a container know nothing of a guest"
#define RESOURCE(what) "the server sets no " what " for a guest"

static const struct wish_oci_row rows[] = {
	{ "ociVersion", WISH_MET, 0, "how the document is to be read", NULL },
	{ "annotations", WISH_MAPPED, 0,
		"those of engines: who it is, and the image's name; `org.ctrctl.proxmox/KEY`: "
		"options; others: into the guest's description",
		NULL },
	{ "annotations.{key}", WISH_MAPPED, 0, "the same", NULL },
	{ "domainname", WISH_REFUSED, 0, "a guest has no NIS domain name", domainname },
	{ "hooks", WISH_MET, 0, "none of them: nothing to do", NULL },
	{ "hooks.prestart.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, prestart },
	{ "hooks.createRuntime.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, create_runtime },
	{ "hooks.createContainer.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, create_container },
	{ "hooks.startContainer.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, start_container },
	{ "hooks.poststart.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, poststart },
	{ "hooks.poststop.**", WISH_WAIVED, WAIVE_HOOKS, HOOK, poststop },
	{ "hostname", WISH_MAPPED, 0,
		"`hostname`, cut to 63 bytes; without it the variable HOSTNAME, the pod's name, or `ct-` and the "
		"id's beginning",
		NULL },

	{ "linux", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.cgroupsPath", WISH_MET, 0, "a guest's group is the server's affair", NULL },
	{ "linux.devices", WISH_MET, 0, "the standard nodes: a guest has them", NULL },
	{ "linux.devices[].**", WISH_REFUSED, 0,
		"a device that isn't one of every guest's can't be had through a bundle: it has "
		"the device's numbers, not its path on the node",
		NULL },
	{ "linux.uidMappings.**", WISH_MET, 0,
		"a guest has a user namespace, with the node's range of ids", NULL },
	{ "linux.gidMappings.**", WISH_MET, 0, "the same", NULL },
	{ "linux.intelRdt.**", WISH_REFUSED, 0, "no backend sets cache or memory bandwidth",
		intel_rdt },
	{ "linux.maskedPaths", WISH_MET, 0,
		"those that engines mask of themselves: LXC and AppArmor guard them in every guest",
		NULL },
	{ "linux.maskedPaths[]", WISH_WAIVED, WAIVE_PROFILES,
		"no path but those that every container has masked can be masked in a guest",
		NULL },
	{ "linux.readonlyPaths", WISH_MET, 0, "as masked ones", NULL },
	{ "linux.readonlyPaths[]", WISH_WAIVED, WAIVE_PROFILES,
		"no path but those that are read-only in every container can be made so in a guest",
		NULL },
	{ "linux.memoryPolicy.**", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("memory policy"),
		memory_policy },
	{ "linux.mountLabel", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, its files have no SELinux label of one's choice",
		mount_label },
	{ "linux.namespaces", WISH_MET, 0, "a guest has its own of each kind", NULL },
	{ "linux.namespaces[]", WISH_MET, 0, "the same", NULL },
	{ "linux.namespaces[].path", WISH_WAIVED, WAIVE_POD_NAMESPACES,
		"a guest has its own, it can't share a pod's", NULL },
	{ "linux.namespaces[].type", WISH_REFUSED, 0,
		"a guest can't have the host's mount, pid and ipc namespaces, and no time "
		"namespace; the host's network, name, users and cgroups are no loss: it has its "
		"own",
		NULL },
	{ "linux.netDevices.**", WISH_REFUSED, 0,
		"this host's network devices can't be moved into a guest", net_devices },
	{ "linux.personality.**", WISH_REFUSED, 0,
		"a guest's programs run with the personality of the node", personality },
	{ "linux.resources", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.resources.blockIO.**", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("weights and limits of block devices"), block_io },
	{ "linux.resources.cpu", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.resources.cpu.burst", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("burst"), burst },
	{ "linux.resources.cpu.cpus", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("list of CPUs"),
		cpus },
	{ "linux.resources.cpu.idle", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("SCHED_IDLE"), idle },
	{ "linux.resources.cpu.mems", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("list of memory nodes"), mems },
	{ "linux.resources.cpu.period", WISH_MAPPED, 0, "`cpulimit`, with the quota", NULL },
	{ "linux.resources.cpu.quota", WISH_MAPPED, 0, "`cpulimit` = quota / period", NULL },
	{ "linux.resources.cpu.realtimePeriod", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("real-time scheduling"), rt_period },
	{ "linux.resources.cpu.realtimeRuntime", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("real-time scheduling"), rt_runtime },
	{ "linux.resources.cpu.shares", WISH_MAPPED, 0, "`cpuunits`", NULL },
	{ "linux.resources.devices", WISH_MET, 0,
		"rules that deny, and rules for the standard nodes: the server's own are as strict",
		NULL },
	{ "linux.resources.devices[].**", WISH_REFUSED, 0,
		"a rule that allows more than the standard devices", NULL },
	{ "linux.resources.hugepageLimits.**", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("limit of huge pages"), huge_pages },
	{ "linux.resources.memory", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.resources.memory.checkBeforeUpdate", WISH_MET, 0, "only for updates", NULL },
	{ "linux.resources.memory.disableOOMKiller", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such setting", no_oom_killer },
	{ "linux.resources.memory.kernel", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such limit", kernel_memory },
	{ "linux.resources.memory.kernelTCP", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such limit", kernel_tcp },
	{ "linux.resources.memory.limit", WISH_MAPPED, 0,
		"`memory`, raised to 16 MiB with a warning; without a limit the configuration's "
		"default",
		NULL },
	{ "linux.resources.memory.reservation", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("soft limit of memory"), reservation },
	{ "linux.resources.memory.swap", WISH_MAPPED, 0,
		"`swap` = swap - limit; without a limit, or below it: refused", NULL },
	{ "linux.resources.memory.swappiness", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such setting", swappiness },
	{ "linux.resources.memory.useHierarchy", WISH_MET, 0, "cgroup v2 is always hierarchical",
		NULL },
	{ "linux.resources.network", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.resources.network.classID", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such setting", class_id },
	{ "linux.resources.network.priorities.**", WISH_WAIVED, WAIVE_RESOURCES,
		"cgroup v2 has no such setting", priorities },
	{ "linux.resources.pids", WISH_MET, 0, "what lies beneath decides", NULL },
	{ "linux.resources.pids.limit", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("number of processes"), pids },
	{ "linux.resources.rdma.**", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("RDMA limit"), rdma },
	{ "linux.resources.unified.**", WISH_WAIVED, WAIVE_RESOURCES,
		RESOURCE("file of its control group"), unified },
	{ "linux.rootfsPropagation", WISH_REFUSED, 0,
		"what is mounted in a guest can't show up on this host (shared); private and slave "
		"ones are met",
		propagates },
	{ "linux.seccomp.**", WISH_WAIVED, WAIVE_PROFILES,
		"a filter of one's own can't be given to a guest, which has the server's; one that "
		"is like an engine's default is met",
		NULL },
	{ "linux.sysctl.**", WISH_WAIVED, WAIVE_SYSCTLS,
		"kernel parameters can't be set through the API", sysctl },
	{ "linux.timeOffsets.**", WISH_REFUSED, 0, "a guest has the node's clocks", time_offsets },

	{ "mounts", WISH_MAPPED, 0,
		"bind mounts become `mpN`; those that every container has (/proc, /dev, /sys, ...) "
		"a guest has, too",
		NULL },
	{ "mounts[]", WISH_WAIVED, WAIVE_MOUNTS,
		"host paths are only there where the guest runs on this host's node", NULL },
	{ "mounts[].destination", WISH_WAIVED, WAIVE_KUBELET_MOUNTS,
		"/etc/hosts, /etc/hostname, /etc/resolv.conf, the termination log, service account "
		"tokens and what else an engine puts there of itself is the guest's own affair",
		NULL },
	{ "mounts[].source", WISH_MAPPED, 0, "the path on the node", NULL },
	{ "mounts[].type", WISH_WAIVED, WAIVE_MOUNTS,
		"a guest gets no further file systems (tmpfs, overlay, ...)", NULL },
	{ "mounts[].options", WISH_MAPPED, 0, "`ro`, `mountoptions`", NULL },
	{ "mounts[].options[]", WISH_REFUSED, 0,
		"no propagation but private, and no option but ro, rw, noatime, nodev, noexec and "
		"nosuid can be given to a guest's mount",
		NULL },
	{ "mounts[].uidMappings.**", WISH_REFUSED, 0, "a guest's mounts have no maps of ids",
		NULL },
	{ "mounts[].gidMappings.**", WISH_REFUSED, 0, "the same", NULL },

	{ "process", WISH_MET, 0, "without it the guest's own init runs", NULL },
	{ "process.apparmorProfile", WISH_WAIVED, WAIVE_PROFILES,
		"a guest has the server's AppArmor profile; an engine's default one and `unconfined` "
		"are met",
		NULL },
	{ "process.args", WISH_MAPPED, 0,
		"`entrypoint`; exactly `/sbin/init` is the guest's own init", NULL },
	{ "process.args[]", WISH_MAPPED, 0, "the same", NULL },
	{ "process.capabilities", WISH_WAIVED, WAIVE_CAPABILITIES,
		"a guest's init has the capabilities of its own user namespace, none can be "
		"dropped; an engine's default set is met, a larger one is refused",
		NULL },
	{ "process.capabilities.**", WISH_WAIVED, WAIVE_CAPABILITIES, "the same", NULL },
	{ "process.commandLine", WISH_MET, 0, "only for Windows", NULL },
	{ "process.consoleSize.**", WISH_MET, 0, "nothing without a terminal", NULL },
	{ "process.cwd", WISH_MAPPED, 0,
		"the program is started by a shell that goes there; `/` is the image's own; the "
		"guest's own init needs the waiver working-dir",
		NULL },
	{ "process.env", WISH_MAPPED, 0,
		"`env`, over the image's; but for what engines put there of themselves (PATH with "
		"its usual value, HOSTNAME, HOME, TERM, container)",
		NULL },
	{ "process.env[]", WISH_MAPPED, 0, "the same", NULL },
	{ "process.execCPUAffinity.**", WISH_WAIVED, WAIVE_RESOURCES,
		"no program can be run in a guest from here", affinity },
	{ "process.ioPriority.**", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("I/O priority"),
		io_priority },
	{ "process.noNewPrivileges", WISH_WAIVED, WAIVE_NO_NEW_PRIVS,
		"a guest's processes can gain privileges within it", no_new_privileges },
	{ "process.oomScoreAdj", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("oom_score_adj"),
		oom_score },
	{ "process.rlimits.**", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("resource limits (rlimits)"),
		rlimits },
	{ "process.scheduler.**", WISH_WAIVED, WAIVE_RESOURCES, RESOURCE("scheduling policy"),
		scheduler },
	{ "process.selinuxLabel", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, not by SELinux", selinux_label },
	{ "process.terminal", WISH_WAIVED, WAIVE_STREAMS,
		"a guest's console can't be had as a terminal here; waived, the terminal stays "
		"silent",
		terminal },
	{ "process.user", WISH_MET, 0,
		"root: so a guest begins, unless it is made from an OCI archive whose image names "
		"another user: that needs the waiver user",
		NULL },
	{ "process.user.additionalGids.**", WISH_WAIVED, WAIVE_USER,
		"a guest's program runs as its image says", groups },
	{ "process.user.gid", WISH_WAIVED, WAIVE_USER, "a guest's program runs as its image says",
		gid },
	{ "process.user.uid", WISH_WAIVED, WAIVE_USER, "a guest's program runs as its image says",
		uid },
	{ "process.user.umask", WISH_WAIVED, WAIVE_USER, "a guest's program has the usual umask",
		umask_other },
	{ "process.user.username", WISH_MET, 0, "only for Windows", NULL },
	{ "root", WISH_MET, 0,
		"a guest's root file system is made from its template; what an engine unpacked "
		"isn't used",
		NULL },
	{ "root.path", WISH_MET, 0, "the same", NULL },
	{ "root.readonly", WISH_MAPPED, 0, "`rootfs` with `ro=1`", NULL },
};

const struct wish_oci_row *wish_oci_row(size_t i)
{
	return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

const struct wish_oci_row *wish_oci_find(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (str_eq(rows[i].field, field))
			return &rows[i];
	}
	return NULL;
}
