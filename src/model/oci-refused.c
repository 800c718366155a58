/* SPDX-License-Identifier: Apache-2.0 */
/* What is read and can't be honoured, and what is known to have no effect. Nothing else is ever
 * ignored. */
#include "model/oci.h"

static bool uses_intel_rdt(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->intel_rdt;
}

static bool uses_net_devices(const struct oci_spec *s)
{
	return s->linux_ && s->linux_->net_devices.n;
}

static const struct oci_refusal refusals[] = {
	{ "linux.intelRdt", "cache and bandwidth allocation (resctrl) isn't supported",
		uses_intel_rdt },
	{ "linux.netDevices", "moving network devices of the host isn't supported",
		uses_net_devices },
};

static const struct oci_ignored ignored[] = {
	{ "vm", "another platform's part" },
	{ "solaris", "another platform's part" },
	{ "windows", "another platform's part" },
	{ "zos", "another platform's part" },
	{ "freebsd", "another platform's part" },
	{ "process.commandLine", "only for Windows" },
	{ "process.user.username", "only for Windows" },
	{ "linux.resources.memory.kernel", "cgroup v2 has no such limit; a warning is logged" },
	{ "linux.resources.memory.kernelTCP", "cgroup v2 has no such limit; a warning is logged" },
	{ "linux.resources.memory.swappiness",
		"cgroup v2 has no such setting; a warning is logged" },
	{ "linux.resources.memory.disableOOMKiller",
		"cgroup v2 has no such setting; a warning is logged" },
	{ "linux.resources.memory.useHierarchy",
		"cgroup v2 is always hierarchical; a warning is logged" },
	{ "linux.resources.network.classID", "cgroup v2 has no such setting; a warning is logged" },
	{ "linux.resources.network.priorities",
		"cgroup v2 has no such setting; a warning is logged" },
	{ "linux.resources.blockIO.leafWeight",
		"cgroup v2 has no such setting; a warning is logged" },
	{ "linux.resources.blockIO.weightDevice[].leafWeight",
		"cgroup v2 has no such setting; a warning is logged" },
	{ "linux.personality.flags", "the specification names no flag; a warning is logged" },
};

const struct oci_refusal *oci_refusal(size_t i)
{
	return i < ARRAY_SIZE(refusals) ? &refusals[i] : NULL;
}

const struct oci_ignored *oci_ignored(size_t i)
{
	return i < ARRAY_SIZE(ignored) ? &ignored[i] : NULL;
}

int oci_refused_check(const struct oci_spec *spec, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (refusals[i].is_used(spec)) {
			err_set(err, ERR_UNSUPPORTED, NULL, "%s", refusals[i].why);
			return err_in(err, "%s", refusals[i].path);
		}
	return 0;
}
