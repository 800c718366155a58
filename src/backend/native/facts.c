/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/facts.h"

#include "backend/native/cgroup.h"
#include "base/sys.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SELINUX_MAGIC
#define SELINUX_MAGIC 0xf97cff8c
#endif

static bool apparmor_enabled(void)
{
	_close_ int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool selinux_enabled(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && (unsigned)fs.f_type == SELINUX_MAGIC;
}

/* The kernel's last capability: those beyond it can't be asked for. */
static int last_cap(void)
{
	int cap = CAP_LAST_CAP;

	while (cap > 0 && prctl(PR_CAPBSET_READ, cap) < 0)
		cap--;
	while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1) >= 0)
		cap++;
	return cap;
}

/* What can be given away: permitted, and not outside the own bounding set. */
static int own_caps(uint64_t *ret, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(err, errno, "capget", "ctrctl");
	*ret = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* A path that names the namespace we are in already. What can't be looked at is refused when it is
 * opened. */
static bool is_own(const struct oci_namespace *ns)
{
	char own[64];
	struct stat a, b;

	snprintf(own, sizeof(own), "/proc/self/ns/%s", oci_namespace_proc_name(ns->type));
	return stat(own, &a) == 0 && stat(ns->path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static bool mounts_cgroups(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (str_eq(spec->mounts[i].type, "cgroup") ||
			str_eq(spec->mounts[i].type, "cgroup2"))
			return true;
	return false;
}

int facts_read(struct plan_facts *f, const struct oci_spec *spec, struct arena *a, struct err *err)
{
	const struct oci_linux *l = spec->linux_;
	struct err none;

	f->last_cap = last_cap();
	if (own_caps(&f->own_caps, err) < 0)
		return -1;
	f->apparmor = apparmor_enabled();
	f->selinux = selinux_enabled();
	f->kcore = access("/proc/kcore", F_OK) == 0;
	if (mounts_cgroups(spec))
		f->cgroup_root = cgroup_mountpoint(
			&none); /* a host without it: the plan says what that means */
	f->cgroup2_unified = str_eq(f->cgroup_root, "/sys/fs/cgroup");
	for (size_t i = 0; l && i < l->n_namespaces; i++)
		if (l->namespaces[i].path && is_own(&l->namespaces[i]))
			f->same_ns |= oci_namespace_clone_flag(l->namespaces[i].type);
	return 0;
}
