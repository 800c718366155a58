/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the limits, and saying what it means when the kernel doesn't take one. */
#include "base/arena.h"
#include "base/str.h"
#include "cgroup-impl.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* ---- explanations ---- */

static void first_line(const char *path, char *buf, size_t n)
{
	if (cgroup_get(AT_FDCWD, path, buf, n) < 0)
		(void)snprintf(buf, n, "unknown");
	buf[strcspn(buf, "\n")] = '\0';
}

static int why_memory_max(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char now[64] = "unknown";

	if (cgroup_get(cg->fd, "memory.current", now, sizeof(now)) > 0)
		now[strcspn(now, "\n")] = '\0';
	err_set(err, ERR_STATE, NULL,
		"the group uses %s bytes, more than the new limit of %s, and they can't be reclaimed",
		now, v->text);
	return err_hint(err, "choose a higher limit, or free memory in the container first");
}

static int why_cpu_max(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char burst[64] = "0";

	if (cgroup_get(cg->fd, "cpu.max.burst", burst, sizeof(burst)) > 0)
		burst[strcspn(burst, "\n")] = '\0';
	err_set(err, ERR_INVALID, NULL, "the kernel refuses cpu.max \"%s\"", v->text);
	return err_hint(err,
		"quota and period are microseconds: the period 1000 to 1000000, the quota at least 1000 and not less than the burst (now %s)",
		burst);
}

static int why_burst(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char max[64] = "unknown";

	if (cgroup_get(cg->fd, "cpu.max", max, sizeof(max)) > 0)
		max[strcspn(max, " \n")] = '\0';
	return err_set(err, ERR_INVALID, NULL,
		"cpu burst %s must not be greater than the quota (%s)", v->text, max);
}

static int why_weight(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char idle[16] = "0";

	if (cgroup_get(cg->fd, "cpu.idle", idle, sizeof(idle)) > 0 && idle[0] == '1')
		return err_set(err, ERR_STATE, NULL,
			"the group is idle (cpu.idle 1): it can't have a weight");
	return err_set(err, ERR_INVALID, NULL, "the kernel refuses cpu.weight \"%s\"", v->text);
}

static int why_cpus(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char present[256];

	first_line("/sys/devices/system/cpu/present", present, sizeof(present));
	return err_set(
		err, ERR_INVALID, NULL, "\"%s\": this machine has the CPUs %s", v->text, present);
}

static int why_mems(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char present[256];

	first_line("/sys/devices/system/node/has_memory", present, sizeof(present));
	return err_set(err, ERR_INVALID, NULL, "\"%s\": this machine has the memory nodes %s",
		v->text, present);
}

static int why_disk(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	int n = (int)strcspn(v->text, " ");

	err_set(err, ERR_INVALID, NULL, "%.*s is not a whole disk", n, v->text);
	return err_hint(err,
		"limits hold for disks, not partitions; /sys/dev/block/%.*s is what the host has",
		n, v->text);
}

static int why_disk_weight(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char path[96], scheduler[128];
	int n = (int)strcspn(v->text, " ");

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%.*s/queue/scheduler", n, v->text);
	first_line(path, scheduler, sizeof(scheduler));
	err_set(err, ERR_UNSUPPORTED, NULL, "%.*s has an I/O scheduler without weights: %s", n,
		v->text, scheduler);
	return err_hint(err,
		"choose bfq for the disk, or switch io.cost on in io.cost.qos of the root cgroup");
}

static const struct {
	const char *file;
	int os[3];
	int (*why)(const struct cgroup *, const struct cgroup_value *, struct err *);
} reasons[] = {
	{ "memory.max", { EBUSY }, why_memory_max },
	{ "cpu.max", { EINVAL, ERANGE }, why_cpu_max },
	{ "cpu.max.burst", { EINVAL, ERANGE }, why_burst },
	{ "cpu.weight", { EINVAL, ERANGE }, why_weight },
	{ "cpuset.cpus", { EINVAL, ERANGE, ENOSPC }, why_cpus },
	{ "cpuset.mems", { EINVAL, ERANGE, ENOSPC }, why_mems },
	{ "io.max", { ENODEV, ENXIO }, why_disk },
	{ "io.bfq.weight", { ENODEV, ENXIO }, why_disk },
	{ "io.bfq.weight", { EOPNOTSUPP, EINVAL }, why_disk_weight },
};

/* "2MB 1GB", from /sys/kernel/mm/hugepages/hugepages-2048kB. */
static void list_page_sizes(struct str *out)
{
	_closedir_ DIR *dir = opendir("/sys/kernel/mm/hugepages");
	static const char units[] = "KMG";

	for (struct dirent *d; dir && (d = readdir(dir));) {
		unsigned long kb;
		size_t unit = 0;
		if (sscanf(d->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		for (; kb >= 1024 && kb % 1024 == 0 && unit < 2; unit++)
			kb /= 1024;
		str_printf(out, "%s%lu%cB", out->n ? " " : "", kb, units[unit]);
	}
}

/* The file isn't there: its controller, or this kernel's part of it. */
static int no_file(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	char name[CGROUP_CONTROLLER_MAX], group[PATH_MAX], can[CGROUP_FILE_MAX];
	_str_ struct str sizes = { 0 };

	cgroup_controller_of(v->file, name, sizeof(name));
	cgroup_name(cg->fd, group);
	if (cgroup_get(cg->fd, "cgroup.controllers", can, sizeof(can)) < 0)
		return cgroup_fail(err, errno, "reading cgroup.controllers", group);
	if (*name && !cgroup_has_word(can, name)) {
		char *slash = strrchr(group, '/');
		if (slash && slash > group)
			*slash = '\0';
		if (v->flags & CGROUP_UNIFIED)
			return err_set(err, ERR_UNSUPPORTED, NULL,
				"unified resource \"%s\" can't be set: controller \"%s\" not available in %s",
				v->file, name, group);
		return cgroup_no_controller(err, name, group);
	}
	if (str_eq(name, "hugetlb")) {
		list_page_sizes(&sizes);
		return err_set(err, ERR_INVALID, NULL,
			"%s: this kernel has no huge pages of that size, only: %s", v->file,
			sizes.n ? sizes.p : "none");
	}
	err_set(err, ERR_UNSUPPORTED, NULL, "this kernel has no %s", v->file);
	if (str_eq(v->file, "memory.swap.max"))
		return err_hint(err, "swap accounting is off: boot with swapaccount=1");
	if (str_eq(v->file, "io.bfq.weight"))
		return err_hint(err,
			"neither bfq nor io.cost are built in, and io.weight is missing as well");
	return -1;
}

static int explain(const struct cgroup *cg, const struct cgroup_value *v, int os, struct err *err)
{
	char group[PATH_MAX];

	if (os == ENOENT) {
		no_file(cg, v, err);
		return err_in(err, "%s", v->place);
	}
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		for (size_t k = 0; k < ARRAY_SIZE(reasons[i].os); k++)
			if (os && reasons[i].os[k] == os && str_eq(reasons[i].file, v->file)) {
				reasons[i].why(cg, v, err);
				return err_in(err, "%s", v->place);
			}
	if (os == EINVAL || os == ERANGE || os == EOPNOTSUPP || os == ENODEV || os == ENXIO)
		err_set(err, ERR_INVALID, NULL, "the kernel refuses \"%s\" for %s (%s)", v->text,
			v->file, err_errno_name(os));
	else
		cgroup_fail(err, os, v->file, cgroup_name(cg->fd, group));
	return err_in(err, "%s", v->place);
}

/* ---- writing ---- */

/* "OLD 50000" for "max 50000", where the file holds "OLD 100000". */
static int put_keeping(int fd, const char *file, const char *text)
{
	char now[128], line[256];

	if (cgroup_get(fd, file, now, sizeof(now)) < 0)
		return -1;
	now[strcspn(now, " \n")] = '\0';
	(void)snprintf(line, sizeof(line), "%s%s", now, strchr(text, ' '));
	return file_put(fd, file, line);
}

/* 0, or -1 with errno of the last thing tried. */
static int put(const struct cgroup *cg, const struct cgroup_value *v)
{
	int r = (v->flags & CGROUP_KEEP_FIRST) ? put_keeping(cg->fd, v->file, v->text)
					       : file_put(cg->fd, v->file, v->text);

	if (r == 0 || !v->alt_file || (errno != ENOENT && errno != EOPNOTSUPP))
		return r;
	int os = errno;
	if (file_put(cg->fd, v->alt_file, v->alt_text) == 0)
		return 0;
	if (errno == ENOENT)
		errno = os; /* what the first said is nearer */
	return -1;
}

/* Passes the controller of one value on to a group that was made without it. 1 done, 0 no need or
 * no way (the write says which), -1 with err when the kernel refuses. */
static int enable_late(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	struct cgroup_values one = { (struct cgroup_value *)(uintptr_t)v, 1, 1 };
	struct cgroup_needs needs = { .n = 0 };
	char group[PATH_MAX], parent[PATH_MAX], can[CGROUP_FILE_MAX];
	const char *mnt = cgroup_mountpoint(err);

	if (!mnt)
		return -1;
	if (cgroup_needs_of(&one, &needs, err) < 0)
		return -1;
	if (needs.n == 0 || cgroup_get(cg->fd, "cgroup.controllers", can, sizeof(can)) < 0 ||
		cgroup_has_word(can, needs.items[0].name))
		return 0;
	cgroup_name(cg->fd, group);
	const char *path = group + strlen(mnt);
	if (!str_starts(group, mnt) || cgroup_check_path(path, err) < 0)
		return 0;
	(void)cgroup_split(path, parent);
	_close_ int root = cgroup_open_root(err);
	if (root < 0)
		return -1;
	_close_ int up = cgroup_openat(root, parent, O_PATH | O_DIRECTORY);
	if (up < 0)
		return cgroup_fail(err, errno, "open", parent);
	return cgroup_enable(root, up, parent, &needs, err) < 0 ? -1 : 1;
}

/* put(), and once more after the controller was enabled if that is what was missing. 0, -1 errno,
 * or -2 with err. */
static int put_enabled(const struct cgroup *cg, const struct cgroup_value *v, struct err *err)
{
	int r = put(cg, v);

	if (r == 0 || errno != ENOENT || (v->flags & CGROUP_NOOP))
		return r;
	r = enable_late(cg, v, err);
	if (r < 0)
		return -2;
	if (r == 1)
		return put(cg, v);
	errno = ENOENT;
	return -1;
}

static bool is_populated(const struct cgroup *cg)
{
	char text[256];

	return cgroup_get(cg->fd, "cgroup.events", text, sizeof(text)) > 0 &&
	       cgroup_key(text, "populated") == 1;
}

/* memory.checkBeforeUpdate: rather fail than have the kernel kill to reach the limit. */
static int check_usage(const struct cgroup *cg, const struct oci_memory *m, struct err *err)
{
	char text[64], group[PATH_MAX];
	uint64_t now;

	if (!m || !m->check_before_update || !m->limit || *m->limit <= 0)
		return 0;
	if (cgroup_get(cg->fd, "memory.current", text, sizeof(text)) < 0) {
		if (errno == ENOENT)
			return 0; /* the limit itself will say what is missing */
		return cgroup_fail(
			err, errno, "reading memory.current", cgroup_name(cg->fd, group));
	}
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, UINT64_MAX, &now) < 0 || now <= (uint64_t)*m->limit)
		return 0;
	err_set(err, ERR_STATE, NULL,
		"the group uses %" PRIu64 " bytes, more than the limit of %" PRId64, now,
		*m->limit);
	err_hint(err,
		"checkBeforeUpdate is set: without it the kernel would kill processes to reach the limit");
	return err_in(err, "memory.limit");
}

static int put_all(const struct cgroup *cg, const struct cgroup_values *values, struct err *err)
{
	const struct cgroup_value *deferred = NULL;

	for (size_t i = 0; i < values->n; i++) {
		const struct cgroup_value *v = &values->items[i];

		int r = put_enabled(cg, v, err);
		if (r == -2)
			return -1;
		if (r == 0) {
			if (deferred && put(cg, deferred) < 0)
				return explain(cg, deferred, errno, err);
			deferred = NULL;
			continue;
		}
		if ((v->flags & CGROUP_DEFER) && errno == EINVAL && i + 1 < values->n &&
			str_eq(values->items[i + 1].file, "cpu.max")) {
			deferred = v;
			continue;
		}
		if (errno == ENOENT && (v->flags & (CGROUP_NOOP | CGROUP_WITH_PREV)))
			continue;
		return explain(cg, v, errno, err);
	}
	return 0;
}

int cgroup_limit(const struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	_arena_ struct arena *arena = NULL;
	struct cgroup_values values = { 0 };

	if (!r)
		return 0;
	arena = arena_new();
	if (!arena)
		return err_nomem(err);
	if (cgroup_values(r, arena, &values, err) < 0 || check_usage(cg, r->memory, err) < 0)
		return -1;
	for (size_t i = 0; i < values.n; i++)
		if (str_eq(values.items[i].file, "pids.max") && str_eq(values.items[i].text, "0") &&
			!(values.items[i].flags & CGROUP_UNIFIED) && !is_populated(cg))
			values.items[i].text = "1"; /* cgroup_limit_late writes the 0 */
	return put_all(cg, &values, err);
}

int cgroup_limit_late(const struct cgroup *cg, const struct oci_resources *r, struct err *err)
{
	static const struct cgroup_value none = { "pids.max", "0", NULL, NULL, "pids.limit", 0 };

	if (!r || !r->pids || r->pids->limit != 0)
		return 0;
	return put(cg, &none) == 0 ? 0 : explain(cg, &none, errno, err);
}
