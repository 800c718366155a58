/* SPDX-License-Identifier: Apache-2.0 */
/* The names of config.json's enumerations. */
#include "base/sys.h"
#include "model/oci.h"

#define TABLE(name, ...)                                       \
	static const char *const name##_array[] = __VA_ARGS__; \
	const struct name_table name = { name##_array, ARRAY_SIZE(name##_array) }

TABLE(oci_namespace_names, {
				   [OCI_NS_MOUNT] = "mount",
				   [OCI_NS_PID] = "pid",
				   [OCI_NS_NETWORK] = "network",
				   [OCI_NS_UTS] = "uts",
				   [OCI_NS_IPC] = "ipc",
				   [OCI_NS_USER] = "user",
				   [OCI_NS_CGROUP] = "cgroup",
				   [OCI_NS_TIME] = "time",
			   });

TABLE(oci_sched_policy_names, {
				      [OCI_SCHED_OTHER] = "SCHED_OTHER",
				      [OCI_SCHED_FIFO] = "SCHED_FIFO",
				      [OCI_SCHED_RR] = "SCHED_RR",
				      [OCI_SCHED_BATCH] = "SCHED_BATCH",
				      [OCI_SCHED_ISO] = "SCHED_ISO",
				      [OCI_SCHED_IDLE] = "SCHED_IDLE",
				      [OCI_SCHED_DEADLINE] = "SCHED_DEADLINE",
			      });

TABLE(oci_sched_flag_names, {
				    [OCI_SCHED_RESET_ON_FORK] = "SCHED_FLAG_RESET_ON_FORK",
				    [OCI_SCHED_RECLAIM] = "SCHED_FLAG_RECLAIM",
				    [OCI_SCHED_DL_OVERRUN] = "SCHED_FLAG_DL_OVERRUN",
				    [OCI_SCHED_KEEP_POLICY] = "SCHED_FLAG_KEEP_POLICY",
				    [OCI_SCHED_KEEP_PARAMS] = "SCHED_FLAG_KEEP_PARAMS",
				    [OCI_SCHED_UTIL_CLAMP_MIN] = "SCHED_FLAG_UTIL_CLAMP_MIN",
				    [OCI_SCHED_UTIL_CLAMP_MAX] = "SCHED_FLAG_UTIL_CLAMP_MAX",
			    });

TABLE(oci_ioprio_names, {
				[OCI_IOPRIO_RT] = "IOPRIO_CLASS_RT",
				[OCI_IOPRIO_BE] = "IOPRIO_CLASS_BE",
				[OCI_IOPRIO_IDLE] = "IOPRIO_CLASS_IDLE",
			});

TABLE(oci_seccomp_action_names, {
					[OCI_ACT_KILL] = "SCMP_ACT_KILL",
					[OCI_ACT_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
					[OCI_ACT_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
					[OCI_ACT_TRAP] = "SCMP_ACT_TRAP",
					[OCI_ACT_ERRNO] = "SCMP_ACT_ERRNO",
					[OCI_ACT_TRACE] = "SCMP_ACT_TRACE",
					[OCI_ACT_ALLOW] = "SCMP_ACT_ALLOW",
					[OCI_ACT_LOG] = "SCMP_ACT_LOG",
					[OCI_ACT_NOTIFY] = "SCMP_ACT_NOTIFY",
				});

TABLE(oci_seccomp_op_names, {
				    [OCI_CMP_NE] = "SCMP_CMP_NE",
				    [OCI_CMP_LT] = "SCMP_CMP_LT",
				    [OCI_CMP_LE] = "SCMP_CMP_LE",
				    [OCI_CMP_EQ] = "SCMP_CMP_EQ",
				    [OCI_CMP_GE] = "SCMP_CMP_GE",
				    [OCI_CMP_GT] = "SCMP_CMP_GT",
				    [OCI_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
			    });

TABLE(oci_seccomp_flag_names,
	{
		[OCI_SECCOMP_TSYNC] = "SECCOMP_FILTER_FLAG_TSYNC",
		[OCI_SECCOMP_LOG] = "SECCOMP_FILTER_FLAG_LOG",
		[OCI_SECCOMP_SPEC_ALLOW] = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
		[OCI_SECCOMP_WAIT_KILLABLE_RECV] = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	});

TABLE(oci_seccomp_arch_names, {
				      "SCMP_ARCH_X86",
				      "SCMP_ARCH_X86_64",
				      "SCMP_ARCH_X32",
				      "SCMP_ARCH_ARM",
				      "SCMP_ARCH_AARCH64",
				      "SCMP_ARCH_LOONGARCH64",
				      "SCMP_ARCH_M68K",
				      "SCMP_ARCH_MIPS",
				      "SCMP_ARCH_MIPS64",
				      "SCMP_ARCH_MIPS64N32",
				      "SCMP_ARCH_MIPSEL",
				      "SCMP_ARCH_MIPSEL64",
				      "SCMP_ARCH_MIPSEL64N32",
				      "SCMP_ARCH_PPC",
				      "SCMP_ARCH_PPC64",
				      "SCMP_ARCH_PPC64LE",
				      "SCMP_ARCH_S390",
				      "SCMP_ARCH_S390X",
				      "SCMP_ARCH_SH",
				      "SCMP_ARCH_SHEB",
				      "SCMP_ARCH_PARISC",
				      "SCMP_ARCH_PARISC64",
				      "SCMP_ARCH_RISCV64",
			      });

TABLE(oci_propagation_names, {
				     [OCI_PROPAGATION_UNSET] = "", /* runc takes it for absent */
				     [OCI_PROPAGATION_PRIVATE] = "private",
				     [OCI_PROPAGATION_SHARED] = "shared",
				     [OCI_PROPAGATION_SLAVE] = "slave",
				     [OCI_PROPAGATION_UNBINDABLE] = "unbindable",
				     [OCI_PROPAGATION_RPRIVATE] = "rprivate",
				     [OCI_PROPAGATION_RSHARED] = "rshared",
				     [OCI_PROPAGATION_RSLAVE] = "rslave",
				     [OCI_PROPAGATION_RUNBINDABLE] = "runbindable",
			     });

TABLE(oci_mpol_mode_names, {
				   [OCI_MPOL_DEFAULT] = "MPOL_DEFAULT",
				   [OCI_MPOL_PREFERRED] = "MPOL_PREFERRED",
				   [OCI_MPOL_BIND] = "MPOL_BIND",
				   [OCI_MPOL_INTERLEAVE] = "MPOL_INTERLEAVE",
				   [OCI_MPOL_LOCAL] = "MPOL_LOCAL",
				   [OCI_MPOL_PREFERRED_MANY] = "MPOL_PREFERRED_MANY",
				   [OCI_MPOL_WEIGHTED_INTERLEAVE] = "MPOL_WEIGHTED_INTERLEAVE",
			   });

TABLE(oci_mpol_flag_names, {
				   [OCI_MPOL_F_NUMA_BALANCING] = "MPOL_F_NUMA_BALANCING",
				   [OCI_MPOL_F_RELATIVE_NODES] = "MPOL_F_RELATIVE_NODES",
				   [OCI_MPOL_F_STATIC_NODES] = "MPOL_F_STATIC_NODES",
			   });

TABLE(oci_personality_names, { "LINUX", "LINUX32" });

TABLE(oci_hook_kind_names, {
				   [OCI_HOOK_PRESTART] = "prestart",
				   [OCI_HOOK_CREATE_RUNTIME] = "createRuntime",
				   [OCI_HOOK_CREATE_CONTAINER] = "createContainer",
				   [OCI_HOOK_START_CONTAINER] = "startContainer",
				   [OCI_HOOK_POSTSTART] = "poststart",
				   [OCI_HOOK_POSTSTOP] = "poststop",
			   });

static const struct {
	uint64_t clone_flag;
	const char *proc;
} kinds[OCI_NS_N] = {
	[OCI_NS_MOUNT] = { CLONE_NEWNS, "mnt" },
	[OCI_NS_PID] = { CLONE_NEWPID, "pid" },
	[OCI_NS_NETWORK] = { CLONE_NEWNET, "net" },
	[OCI_NS_UTS] = { CLONE_NEWUTS, "uts" },
	[OCI_NS_IPC] = { CLONE_NEWIPC, "ipc" },
	[OCI_NS_USER] = { CLONE_NEWUSER, "user" },
	[OCI_NS_CGROUP] = { CLONE_NEWCGROUP, "cgroup" },
	[OCI_NS_TIME] = { CLONE_NEWTIME, "time" },
};

const char *oci_namespace_name(int type)
{
	return name_of(&oci_namespace_names, type);
}

uint64_t oci_namespace_clone_flag(int type)
{
	return type >= 0 && type < OCI_NS_N ? kinds[type].clone_flag : 0;
}

const char *oci_namespace_proc_name(int type)
{
	return type >= 0 && type < OCI_NS_N ? kinds[type].proc : NULL;
}

const char *oci_hook_kind_name(int kind)
{
	return name_of(&oci_hook_kind_names, kind);
}

uint64_t oci_propagation_flags(int propagation)
{
	static const uint64_t flags[OCI_PROPAGATION_N] = {
		[OCI_PROPAGATION_UNSET] = MS_SLAVE | MS_REC,
		[OCI_PROPAGATION_PRIVATE] = MS_PRIVATE,
		[OCI_PROPAGATION_SHARED] = MS_SHARED,
		[OCI_PROPAGATION_SLAVE] = MS_SLAVE,
		[OCI_PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
		[OCI_PROPAGATION_RPRIVATE] = MS_PRIVATE | MS_REC,
		[OCI_PROPAGATION_RSHARED] = MS_SHARED | MS_REC,
		[OCI_PROPAGATION_RSLAVE] = MS_SLAVE | MS_REC,
		[OCI_PROPAGATION_RUNBINDABLE] = MS_UNBINDABLE | MS_REC,
	};

	return propagation >= 0 && propagation < OCI_PROPAGATION_N ? flags[propagation] : 0;
}

const struct oci_namespace *oci_namespace_get(const struct oci_spec *spec, int type)
{
	const struct oci_linux *l = spec->linux_;

	for (size_t i = 0; l && i < l->n_namespaces; i++)
		if (l->namespaces[i].type == type)
			return &l->namespaces[i];
	return NULL;
}

const struct oci_hook *oci_hooks_of(const struct oci_hooks *h, int kind, size_t *ret_n)
{
	*ret_n = 0;
	if (!h || kind < 0 || kind >= OCI_HOOK_N)
		return NULL;
	const struct {
		const struct oci_hook *hooks;
		size_t n;
	} lists[OCI_HOOK_N] = {
		[OCI_HOOK_PRESTART] = { h->prestart, h->n_prestart },
		[OCI_HOOK_CREATE_RUNTIME] = { h->create_runtime, h->n_create_runtime },
		[OCI_HOOK_CREATE_CONTAINER] = { h->create_container, h->n_create_container },
		[OCI_HOOK_START_CONTAINER] = { h->start_container, h->n_start_container },
		[OCI_HOOK_POSTSTART] = { h->poststart, h->n_poststart },
		[OCI_HOOK_POSTSTOP] = { h->poststop, h->n_poststop },
	};
	*ret_n = lists[kind].n;
	return lists[kind].hooks;
}
