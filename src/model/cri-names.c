/* SPDX-License-Identifier: Apache-2.0 */
/* CRI v1: the names of its enums, and its signals as Linux numbers them. */
#include "model/cri-tables.h"
#include "model/signals.h"

#include <string.h>

#define NAMES_OF(array)                  \
	{                                \
		array, ARRAY_SIZE(array) \
	}

static const char *const protocols[CRI_PROTOCOL_N] = {
	[CRI_TCP] = "TCP",
	[CRI_UDP] = "UDP",
	[CRI_SCTP] = "SCTP",
};
const struct name_table cri_protocol_names = NAMES_OF(protocols);

static const char *const propagations[CRI_PROPAGATION_N] = {
	[CRI_PROPAGATION_PRIVATE] = "PROPAGATION_PRIVATE",
	[CRI_PROPAGATION_HOST_TO_CONTAINER] = "PROPAGATION_HOST_TO_CONTAINER",
	[CRI_PROPAGATION_BIDIRECTIONAL] = "PROPAGATION_BIDIRECTIONAL",
};
const struct name_table cri_propagation_names = NAMES_OF(propagations);

static const char *const namespace_modes[CRI_NS_N] = {
	[CRI_NS_POD] = "POD",
	[CRI_NS_CONTAINER] = "CONTAINER",
	[CRI_NS_NODE] = "NODE",
	[CRI_NS_TARGET] = "TARGET",
};
const struct name_table cri_namespace_mode_names = NAMES_OF(namespace_modes);

static const char *const groups_policies[CRI_GROUPS_N] = {
	[CRI_GROUPS_MERGE] = "Merge",
	[CRI_GROUPS_STRICT] = "Strict",
};
const struct name_table cri_groups_policy_names = NAMES_OF(groups_policies);

static const char *const profile_types[CRI_PROFILE_N] = {
	[CRI_PROFILE_RUNTIME_DEFAULT] = "RuntimeDefault",
	[CRI_PROFILE_UNCONFINED] = "Unconfined",
	[CRI_PROFILE_LOCALHOST] = "Localhost",
};
const struct name_table cri_profile_type_names = NAMES_OF(profile_types);

static const char *const signals[CRI_SIGNAL_N] = {
	[0] = "SIGNAL_RUNTIME_DEFAULT",
	[1] = "SIGNAL_SIGABRT",
	[2] = "SIGNAL_SIGALRM",
	[3] = "SIGNAL_SIGBUS",
	[4] = "SIGNAL_SIGCHLD",
	[5] = "SIGNAL_SIGCLD",
	[6] = "SIGNAL_SIGCONT",
	[7] = "SIGNAL_SIGFPE",
	[8] = "SIGNAL_SIGHUP",
	[9] = "SIGNAL_SIGILL",
	[10] = "SIGNAL_SIGINT",
	[11] = "SIGNAL_SIGIO",
	[12] = "SIGNAL_SIGIOT",
	[13] = "SIGNAL_SIGKILL",
	[14] = "SIGNAL_SIGPIPE",
	[15] = "SIGNAL_SIGPOLL",
	[16] = "SIGNAL_SIGPROF",
	[17] = "SIGNAL_SIGPWR",
	[18] = "SIGNAL_SIGQUIT",
	[19] = "SIGNAL_SIGSEGV",
	[20] = "SIGNAL_SIGSTKFLT",
	[21] = "SIGNAL_SIGSTOP",
	[22] = "SIGNAL_SIGSYS",
	[23] = "SIGNAL_SIGTERM",
	[24] = "SIGNAL_SIGTRAP",
	[25] = "SIGNAL_SIGTSTP",
	[26] = "SIGNAL_SIGTTIN",
	[27] = "SIGNAL_SIGTTOU",
	[28] = "SIGNAL_SIGURG",
	[29] = "SIGNAL_SIGUSR1",
	[30] = "SIGNAL_SIGUSR2",
	[31] = "SIGNAL_SIGVTALRM",
	[32] = "SIGNAL_SIGWINCH",
	[33] = "SIGNAL_SIGXCPU",
	[34] = "SIGNAL_SIGXFSZ",
	[35] = "SIGNAL_SIGRTMIN",
	[36] = "SIGNAL_SIGRTMINPLUS1",
	[37] = "SIGNAL_SIGRTMINPLUS2",
	[38] = "SIGNAL_SIGRTMINPLUS3",
	[39] = "SIGNAL_SIGRTMINPLUS4",
	[40] = "SIGNAL_SIGRTMINPLUS5",
	[41] = "SIGNAL_SIGRTMINPLUS6",
	[42] = "SIGNAL_SIGRTMINPLUS7",
	[43] = "SIGNAL_SIGRTMINPLUS8",
	[44] = "SIGNAL_SIGRTMINPLUS9",
	[45] = "SIGNAL_SIGRTMINPLUS10",
	[46] = "SIGNAL_SIGRTMINPLUS11",
	[47] = "SIGNAL_SIGRTMINPLUS12",
	[48] = "SIGNAL_SIGRTMINPLUS13",
	[49] = "SIGNAL_SIGRTMINPLUS14",
	[50] = "SIGNAL_SIGRTMINPLUS15",
	[51] = "SIGNAL_SIGRTMAXMINUS14",
	[52] = "SIGNAL_SIGRTMAXMINUS13",
	[53] = "SIGNAL_SIGRTMAXMINUS12",
	[54] = "SIGNAL_SIGRTMAXMINUS11",
	[55] = "SIGNAL_SIGRTMAXMINUS10",
	[56] = "SIGNAL_SIGRTMAXMINUS9",
	[57] = "SIGNAL_SIGRTMAXMINUS8",
	[58] = "SIGNAL_SIGRTMAXMINUS7",
	[59] = "SIGNAL_SIGRTMAXMINUS6",
	[60] = "SIGNAL_SIGRTMAXMINUS5",
	[61] = "SIGNAL_SIGRTMAXMINUS4",
	[62] = "SIGNAL_SIGRTMAXMINUS3",
	[63] = "SIGNAL_SIGRTMAXMINUS2",
	[64] = "SIGNAL_SIGRTMAXMINUS1",
	[65] = "SIGNAL_SIGRTMAX",
};
const struct name_table cri_signal_names = NAMES_OF(signals);

/* Real-time signals are counted from both ends, of which the C library keeps two for itself. */
int cri_signal(int cri)
{
	enum { REALTIME_MIN = 34, REALTIME_MAX = 64 };
	const char *name = name_of(&cri_signal_names, cri), *offset;
	struct err err = ERR_INIT;
	uint64_t n = 0;
	int number;

	if (!name)
		return -1;
	if (cri == 0)
		return 0;
	name += strlen("SIGNAL_");
	if (!str_starts(name, "SIGRTM"))
		return signal_parse(name, &number, &err) < 0 ? -1 : number;
	offset = name + strlen("SIGRTMIN");
	if (*offset && parse_u64(strpbrk(offset, "0123456789"), REALTIME_MAX, &n) < 0)
		return -1;
	return str_starts(name, "SIGRTMIN") ? REALTIME_MIN + (int)n : REALTIME_MAX - (int)n;
}
