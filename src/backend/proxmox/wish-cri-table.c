/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of a CreateContainerRequest has a row here; tools/check-cri-proxmox.py compares them
 * with CRI's list of fields and writes docs/proxmox-mapping.md from them.
 */
#include "backend/proxmox/wish-cri.h"

#include <string.h>

#define SEC     "config.linux.security_context."
#define NS      SEC "namespace_options."
#define RES     "config.linux.resources."
#define POD_SEC "sandbox_config.linux.security_context."
#define POD_NS  POD_SEC "namespace_options."

#define NO_WAIVER -1
#define BENEATH   "what lies beneath decides"
#define NO_PROCESS \
	"says nothing to a guest: it is for a process of the pod's own, which there isn't"
#define SUMS "says nothing to a guest: a kubelet's own sums over the pod"

static const struct wish_cri_row rows[] = {
	{ "pod_sandbox_id", WISH_MAPPED, NO_WAIVER, "goes into the guest's description" },
	{ "config", WISH_MET, NO_WAIVER, BENEATH },
	{ "config.metadata", WISH_MET, NO_WAIVER, BENEATH },
	{ "config.metadata.name", WISH_MAPPED, NO_WAIVER, "goes into the guest's description" },
	{ "config.metadata.attempt", WISH_MAPPED, NO_WAIVER, "goes into the guest's description" },
	{ "config.image", WISH_MET, NO_WAIVER, BENEATH },
	{ "config.image.image", WISH_MAPPED, NO_WAIVER,
		"`ostemplate`, looked up by its name, where user_specified_image is empty" },
	{ "config.image.user_specified_image", WISH_MAPPED, NO_WAIVER,
		"`ostemplate`, looked up by its name" },
	{ "config.image.annotations", WISH_MAPPED, NO_WAIVER,
		"`org.ctrctl.proxmox/KEY` are options of the guest, where allowAnnotations names "
		"them; others say nothing to a guest" },
	{ "config.image.runtime_handler", WISH_MET, NO_WAIVER,
		"says nothing to a guest: templates lie on the server's storages" },
	{ "config.image.image_ref", WISH_MET, NO_WAIVER,
		"says nothing to a guest: the name decides" },
	{ "config.command", WISH_MAPPED, NO_WAIVER,
		"`entrypoint` (Proxmox VE 9.1); without it the image's own, or a template's init" },
	{ "config.args", WISH_MAPPED, NO_WAIVER,
		"`entrypoint`, behind the command. Without a command: behind the `entrypoint` that "
		"proxmox.images names for the image, or a template's /sbin/init; of an OCI image "
		"without that refused, for the server doesn't tell its entrypoint from its command" },
	{ "config.working_dir", WISH_MAPPED, WAIVE_WORKING_DIR,
		"`entrypoint` through a shell of the image that goes there first, unless it is the "
		"image's own folder (`/` in a template); where a template's own init runs, or an "
		"image names no command, it can only be waived" },
	{ "config.envs", WISH_MAPPED, NO_WAIVER, "`env` (Proxmox VE 9.1), over the image's" },
	{ "config.envs.key", WISH_MAPPED, NO_WAIVER,
		"letters, digits and `_`; others are refused, for the server can't hold them" },
	{ "config.envs.value", WISH_MAPPED, NO_WAIVER,
		"no control characters but TAB, no blanks at the end; others are refused, for the "
		"server would refuse or lose them" },
	{ "config.mounts", WISH_WAIVED, WAIVE_MOUNTS,
		"host paths need a guest on this host's own node (proxmox.localNode) and a login "
		"as root@pam with its password, then they become `mpN`" },
	{ "config.mounts.container_path", WISH_WAIVED, WAIVE_KUBELET_MOUNTS,
		"/etc/hosts, /etc/hostname, /etc/resolv.conf, the termination log and service "
		"account tokens are the guest's own affair; other paths become `mp=`" },
	{ "config.mounts.host_path", WISH_MAPPED, NO_WAIVER,
		"the volume of `mpN`; commas, equals signs and control characters are refused, for "
		"the server can't hold them, and /dev, where it sees block devices" },
	{ "config.mounts.readonly", WISH_MAPPED, NO_WAIVER, "`ro=1`" },
	{ "config.mounts.selinux_relabel", WISH_MET, NO_WAIVER,
		"nothing to do: nodes are confined by AppArmor" },
	{ "config.mounts.propagation", WISH_REFUSED, NO_WAIVER,
		"a guest's mounts are private, they can't follow the node's" },
	{ "config.mounts.uidMappings", WISH_REFUSED, NO_WAIVER,
		"a guest's mounts have no id mappings of their own" },
	{ "config.mounts.uidMappings.**", WISH_REFUSED, NO_WAIVER,
		"a guest's mounts have no id mappings of their own" },
	{ "config.mounts.gidMappings", WISH_REFUSED, NO_WAIVER,
		"a guest's mounts have no id mappings of their own" },
	{ "config.mounts.gidMappings.**", WISH_REFUSED, NO_WAIVER,
		"a guest's mounts have no id mappings of their own" },
	{ "config.mounts.recursive_read_only", WISH_REFUSED, NO_WAIVER,
		"the server doesn't promise it for what is mounted beneath a path" },
	{ "config.mounts.image", WISH_REFUSED, NO_WAIVER, "images can't be mounted into a guest" },
	{ "config.mounts.image.**", WISH_REFUSED, NO_WAIVER,
		"images can't be mounted into a guest" },
	{ "config.mounts.image_sub_path", WISH_REFUSED, NO_WAIVER,
		"images can't be mounted into a guest" },
	{ "config.mounts.mount_options", WISH_MAPPED, NO_WAIVER,
		"`mountoptions=`: noexec, nosuid, nodev, noatime; relatime is what mounts have "
		"anyway" },
	{ "config.devices", WISH_REFUSED, NO_WAIVER,
		"devices need a guest on this host's own node (proxmox.localNode) and a login as "
		"root@pam with its password, then they become `devN`" },
	{ "config.devices.container_path", WISH_MAPPED, NO_WAIVER,
		"the path of `devN`; refused where it isn't the host_path" },
	{ "config.devices.host_path", WISH_MAPPED, NO_WAIVER,
		"the path of `devN`; commas, equals signs and control characters are refused" },
	{ "config.devices.permissions", WISH_MAPPED, NO_WAIVER,
		"without `w`: `deny-write=1`; without `r`: refused" },
	{ "config.labels", WISH_MAPPED, NO_WAIVER, "go into the guest's description" },
	{ "config.annotations", WISH_MAPPED, NO_WAIVER,
		"go into the guest's description; `org.ctrctl.proxmox/KEY` are options of the "
		"guest, where allowAnnotations names them" },
	{ "config.log_path", WISH_WAIVED, WAIVE_LOGS,
		"what a guest writes can't be read through the API: waived, the log gets one line "
		"that says where its console is" },
	{ "config.stdin", WISH_WAIVED, WAIVE_STREAMS,
		"a guest's console can't be written to through the API" },
	{ "config.stdin_once", WISH_WAIVED, WAIVE_STREAMS,
		"a guest's console can't be written to through the API" },
	{ "config.tty", WISH_WAIVED, WAIVE_STREAMS,
		"a guest's console can't be attached to through the API" },
	{ "config.linux", WISH_MET, NO_WAIVER, BENEATH },
	{ "config.linux.resources", WISH_MET, NO_WAIVER, BENEATH },
	{ RES "cpu_period", WISH_MAPPED, NO_WAIVER, "`cpulimit`, with cpu_quota" },
	{ RES "cpu_quota", WISH_MAPPED, NO_WAIVER, "`cpulimit` = quota / period, 0.01 at least" },
	{ RES "cpu_shares", WISH_MAPPED, NO_WAIVER,
		"`cpuunits`, a weight from 1 to 10000 by the curve that other runtimes use" },
	{ RES "memory_limit_in_bytes", WISH_MAPPED, NO_WAIVER,
		"`memory`, MiB rounded up, 16 at least; without it the configuration's" },
	{ RES "memory_swap_limit_in_bytes", WISH_MAPPED, NO_WAIVER,
		"`swap` = what goes beyond memory; without it none, or the configuration's where "
		"there is no memory limit either" },
	{ RES "oom_score_adj", WISH_WAIVED, WAIVE_RESOURCES, "the server knows no oom_score_adj" },
	{ RES "cpuset_cpus", WISH_WAIVED, WAIVE_RESOURCES,
		"the server chooses a guest's CPUs itself" },
	{ RES "cpuset_mems", WISH_WAIVED, WAIVE_RESOURCES,
		"the server chooses a guest's memory nodes itself" },
	{ RES "hugepage_limits", WISH_WAIVED, WAIVE_RESOURCES,
		"the server knows no limits of huge pages" },
	{ RES "hugepage_limits.**", WISH_WAIVED, WAIVE_RESOURCES,
		"the server knows no limits of huge pages" },
	{ RES "unified", WISH_WAIVED, WAIVE_RESOURCES,
		"files of a guest's cgroup can't be written through the API" },
	{ "config.linux.security_context", WISH_MET, NO_WAIVER, BENEATH },
	{ SEC "capabilities", WISH_MET, NO_WAIVER, BENEATH },
	{ SEC "capabilities.add_capabilities", WISH_REFUSED, NO_WAIVER,
		"none can be added to a guest's; those of a runtime's default set it has" },
	{ SEC "capabilities.drop_capabilities", WISH_WAIVED, WAIVE_CAPABILITIES,
		"none can be taken from a guest, whose user namespace bounds them; those that have "
		"no effect in a user namespace are met" },
	{ SEC "capabilities.add_ambient_capabilities", WISH_REFUSED, NO_WAIVER,
		"none can be added to a guest's" },
	{ SEC "privileged", WISH_MAPPED, NO_WAIVER,
		"`unprivileged=0`, where proxmox.allowPrivileged is true; else refused. The server's "
		"own profiles and device rules still hold" },
	{ SEC "namespace_options", WISH_MET, NO_WAIVER, BENEATH },
	{ NS "network", WISH_WAIVED, WAIVE_POD_NAMESPACES,
		"a guest has a network of its own and can't share a pod's: in a pod that wasn't "
		"made for guests that is only right where the pod has the host's, or waived; the "
		"host's can't be given" },
	{ NS "pid", WISH_MET, NO_WAIVER,
		"a guest has its own; the host's or another container's: refused. POD, the pod's, is "
		"what a request says that names none, too: it can't be told from that, and is met" },
	{ NS "ipc", WISH_MET, NO_WAIVER,
		"a guest has its own; the host's: refused. POD as with pid" },
	{ NS "target_id", WISH_REFUSED, NO_WAIVER,
		"a guest can't share another container's processes" },
	{ NS "userns_options", WISH_MET, NO_WAIVER,
		"a guest has a user namespace, whether one is asked for or not; a privileged one "
		"has none" },
	{ NS "userns_options.**", WISH_MET, NO_WAIVER, "the node's range of ids is used" },
	{ SEC "selinux_options", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, not by SELinux" },
	{ SEC "selinux_options.**", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, not by SELinux" },
	{ SEC "run_as_user", WISH_WAIVED, WAIVE_USER,
		"a guest's program runs as its image says, a template's init as root; 0 is met, but "
		"for an OCI archive whose image names another" },
	{ SEC "run_as_user.**", WISH_WAIVED, WAIVE_USER, "the same" },
	{ SEC "run_as_group", WISH_WAIVED, WAIVE_USER,
		"a guest's program runs as its image says, a template's init as root; 0 is met, but "
		"for an OCI archive whose image names another" },
	{ SEC "run_as_group.**", WISH_WAIVED, WAIVE_USER, "the same" },
	{ SEC "run_as_username", WISH_WAIVED, WAIVE_USER,
		"a guest's program runs as its image says, a template's init as root; root is met "
		"as 0 is" },
	{ SEC "supplemental_groups", WISH_WAIVED, WAIVE_USER,
		"a guest's program has the groups that its image says" },
	{ SEC "supplemental_groups_policy", WISH_WAIVED, WAIVE_USER,
		"a guest's program has the groups that its image says: Merge is met, Strict isn't" },
	{ SEC "readonly_rootfs", WISH_MAPPED, NO_WAIVER, "`ro=1` in `rootfs`" },
	{ SEC "no_new_privs", WISH_WAIVED, WAIVE_NO_NEW_PRIVS,
		"a guest's processes can gain privileges, though only within its user namespace" },
	{ SEC "masked_paths", WISH_WAIVED, WAIVE_PROFILES,
		"only the paths that engines and kubelets name of themselves (/proc/kcore, "
		"/sys/firmware, ...) are guarded in a guest, by LXC and AppArmor: those are met" },
	{ SEC "readonly_paths", WISH_WAIVED, WAIVE_PROFILES,
		"only the paths that engines and kubelets name of themselves (/proc/kcore, "
		"/sys/firmware, ...) are guarded in a guest, by LXC and AppArmor: those are met" },
	{ SEC "seccomp", WISH_MET, NO_WAIVER, BENEATH },
	{ SEC "seccomp.profile_type", WISH_WAIVED, WAIVE_PROFILES,
		"a guest has the server's seccomp filter: RuntimeDefault and Unconfined are met, a "
		"profile of one's own can't be given" },
	{ SEC "seccomp.localhost_ref", WISH_WAIVED, WAIVE_PROFILES, "as profile_type" },
	{ SEC "apparmor", WISH_MET, NO_WAIVER, BENEATH },
	{ SEC "apparmor.profile_type", WISH_WAIVED, WAIVE_PROFILES,
		"a guest has the server's AppArmor profile: RuntimeDefault and Unconfined are met, "
		"a profile of one's own can't be given" },
	{ SEC "apparmor.localhost_ref", WISH_WAIVED, WAIVE_PROFILES, "as profile_type" },
	{ SEC "apparmor_profile", WISH_WAIVED, WAIVE_PROFILES,
		"a guest has the server's AppArmor profile: runtime/default and unconfined are met, "
		"a profile of one's own can't be given" },
	{ SEC "seccomp_profile_path", WISH_WAIVED, WAIVE_PROFILES,
		"a guest has the server's seccomp filter: runtime/default and unconfined are met, a "
		"profile of one's own can't be given" },
	{ "config.windows", WISH_REFUSED, NO_WAIVER, "there are no Windows guests of this kind" },
	{ "config.CDI_devices", WISH_REFUSED, NO_WAIVER,
		"devices of the Container Device Interface can't be given to a guest" },
	{ "config.CDI_devices.**", WISH_REFUSED, NO_WAIVER,
		"devices of the Container Device Interface can't be given to a guest" },
	{ "config.stop_signal", WISH_WAIVED, WAIVE_STOP_SIGNAL,
		"a guest is shut down by the signal that its image names" },

	{ "sandbox_config", WISH_MET, NO_WAIVER,
		"compared with what the sandbox was made with; the stored one counts" },
	{ "sandbox_config.metadata", WISH_MET, NO_WAIVER, BENEATH },
	{ "sandbox_config.metadata.name", WISH_MAPPED, NO_WAIVER,
		"goes into the guest's description; `hostname`, where the pod has none" },
	{ "sandbox_config.metadata.uid", WISH_MAPPED, NO_WAIVER,
		"goes into the guest's description" },
	{ "sandbox_config.metadata.namespace", WISH_MAPPED, NO_WAIVER,
		"goes into the guest's description" },
	{ "sandbox_config.metadata.attempt", WISH_MET, NO_WAIVER,
		"says nothing to a guest: the sandbox's id stands for it" },
	{ "sandbox_config.hostname", WISH_MAPPED, NO_WAIVER,
		"`hostname`, cut to 63 bytes; what isn't a letter, a digit or a dot becomes `-`" },
	{ "sandbox_config.log_directory", WISH_MAPPED, NO_WAIVER, "with log_path" },
	{ "sandbox_config.dns_config", WISH_MET, NO_WAIVER,
		"empty: the server writes the node's own" },
	{ "sandbox_config.dns_config.servers", WISH_MAPPED, NO_WAIVER, "`nameserver`" },
	{ "sandbox_config.dns_config.searches", WISH_MAPPED, NO_WAIVER,
		"`searchdomain`; names that the server doesn't take are refused, and a list with "
		"nothing but `.`, where others have it left out" },
	{ "sandbox_config.dns_config.options", WISH_WAIVED, WAIVE_DNS_OPTIONS,
		"the server knows no resolver options" },
	{ "sandbox_config.port_mappings", WISH_MET, NO_WAIVER, BENEATH },
	{ "sandbox_config.port_mappings.protocol", WISH_MET, NO_WAIVER, "with host_port" },
	{ "sandbox_config.port_mappings.container_port", WISH_MET, NO_WAIVER,
		"nothing to do: a guest has an address of its own" },
	{ "sandbox_config.port_mappings.host_port", WISH_WAIVED, WAIVE_PORTS,
		"no port of a host leads to a guest, which has an address of its own" },
	{ "sandbox_config.port_mappings.host_ip", WISH_MET, NO_WAIVER, "with host_port" },
	{ "sandbox_config.labels", WISH_MET, NO_WAIVER, "kept with the sandbox" },
	{ "sandbox_config.annotations", WISH_MAPPED, NO_WAIVER,
		"`org.ctrctl.proxmox/KEY` are options of the pod's guests, where allowAnnotations "
		"names them; a container's own win. Others are kept with the sandbox" },
	{ "sandbox_config.linux", WISH_MET, NO_WAIVER, BENEATH },
	{ "sandbox_config.linux.cgroup_parent", WISH_MET, NO_WAIVER,
		"says nothing to a guest: its cgroup is the server's affair" },
	{ "sandbox_config.linux.security_context", WISH_MET, NO_WAIVER, BENEATH },
	{ POD_SEC "namespace_options", WISH_MET, NO_WAIVER, BENEATH },
	{ POD_NS "network", WISH_REFUSED, NO_WAIVER,
		"a guest has a network of its own: a pod of guests can't have the host's" },
	{ POD_NS "pid", WISH_REFUSED, NO_WAIVER,
		"a guest has its own processes: it can't have the host's" },
	{ POD_NS "ipc", WISH_REFUSED, NO_WAIVER,
		"a guest has an ipc namespace of its own: it can't have the host's" },
	{ POD_NS "target_id", WISH_MET, NO_WAIVER, "only a container has one" },
	{ POD_NS "userns_options", WISH_MET, NO_WAIVER, "as of the container" },
	{ POD_NS "userns_options.**", WISH_MET, NO_WAIVER, "the node's range of ids is used" },
	{ POD_SEC "selinux_options", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, not by SELinux" },
	{ POD_SEC "selinux_options.**", WISH_WAIVED, WAIVE_PROFILES,
		"a guest is confined by AppArmor, not by SELinux" },
	{ POD_SEC "run_as_user", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "run_as_user.**", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "run_as_group", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "run_as_group.**", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "readonly_rootfs", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "supplemental_groups", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "supplemental_groups_policy", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "privileged", WISH_MET, NO_WAIVER,
		"without it the pod's containers can't be privileged" },
	{ POD_SEC "seccomp", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "seccomp.**", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "apparmor", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "apparmor.**", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ POD_SEC "seccomp_profile_path", WISH_MET, NO_WAIVER, NO_PROCESS },
	{ "sandbox_config.linux.sysctls", WISH_WAIVED, WAIVE_SYSCTLS,
		"kernel parameters of a guest can't be set through the API" },
	{ "sandbox_config.linux.overhead", WISH_MET, NO_WAIVER, SUMS },
	{ "sandbox_config.linux.overhead.**", WISH_MET, NO_WAIVER, SUMS },
	{ "sandbox_config.linux.resources", WISH_MET, NO_WAIVER, SUMS },
	{ "sandbox_config.linux.resources.**", WISH_MET, NO_WAIVER, SUMS },
	{ "sandbox_config.windows", WISH_REFUSED, NO_WAIVER,
		"there are no Windows guests of this kind" },
};

const struct wish_cri_row *wish_cri_row(size_t i)
{
	return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}
