/* SPDX-License-Identifier: Apache-2.0 */
#include "model/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/names.h"

static const char *const cap_names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};
_Static_assert(ARRAY_SIZE(cap_names) == CAPS_N, "one name per capability");

static const struct name_table table = { cap_names, CAPS_N };

int caps_number(const char *name)
{
	return name_parse(&table, name);
}

const char *caps_name(int number)
{
	return name_of(&table, number);
}

uint64_t caps_mask(const char **names, size_t n, struct str *unknown)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		int cap = caps_number(names[i]);
		if (cap >= 0)
			mask |= UINT64_C(1) << cap;
		else if (unknown && !(unknown->n && strstr(unknown->p, names[i])))
			str_printf(unknown, "%s%s", unknown->n ? ", " : "", names[i]);
	}
	return mask;
}

int caps_own(uint64_t *ret, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint64_t own;

	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(err, errno, "capget", "ctrctl");
	own = data[0].permitted | (uint64_t)data[1].permitted << 32;
	for (int cap = 0; cap < 64; cap++) {
		/* A failure means that this kernel hasn't got it. */
		if (own >> cap & 1 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			own &= ~(UINT64_C(1) << cap);
	}
	*ret = own;
	return 0;
}
