/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources as files of cgroup v2 and what is written to them. Pure: touches nothing, so
 * `explain` shows it and unit tests read it. The order is the order of writing.
 */
#include "base/arena.h"
#include "base/log.h"
#include "cgroup.h"
#include "devices.h"
#include "model/weight.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

struct build {
	struct arena *arena;
	struct cgroup_values *out;
	struct err *err;
};

/* Room for one more; NULL when memory is out. */
static struct cgroup_value *add(
	struct build *b, unsigned flags, const char *file, const char *text, const char *place)
{
	struct cgroup_values *out = b->out;

	if (out->n == out->cap) {
		size_t cap = out->cap ? 2 * out->cap : 16;
		struct cgroup_value *items = arena_array(b->arena, cap, sizeof(*items));
		if (!items)
			return NULL;
		if (out->n)
			memcpy(items, out->items, out->n * sizeof(*items));
		out->items = items;
		out->cap = cap;
	}
	out->items[out->n] =
		(struct cgroup_value){ .file = file, .text = text, .place = place, .flags = flags };
	return &out->items[out->n++];
}

static int add_i64(struct build *b, unsigned flags, const char *file, int64_t v, const char *place)
{
	const char *text = v < 0 ? "max" : arena_printf(b->arena, "%" PRId64, v);

	return add(b, flags, file, text, place) ? 0 : err_nomem(b->err);
}

static int add_text(
	struct build *b, unsigned flags, const char *file, const char *text, const char *place)
{
	return add(b, flags, file, text, place) ? 0 : err_nomem(b->err);
}

/* ---- pids, memory ---- */

static int add_pids(struct build *b, const struct oci_pids *pids)
{
	if (!pids)
		return 0;
	return add_i64(b, pids->limit < 0 ? CGROUP_NOOP : 0, "pids.max", pids->limit, "pids.limit");
}

/* -1 no limit, 0 unset. memory.swap of config.json is memory and swap together, memory.swap.max is
 * swap alone. */
static int add_swap(struct build *b, const struct oci_memory *m)
{
	int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;
	const char *place = "memory.swap";

	if (limit == -1 && swap == 0)
		return m->swap || m->limit
			       ? add_text(b, CGROUP_NOOP, "memory.swap.max", "max", place)
			       : 0;
	if (swap == 0)
		return 0;
	if (swap == -1)
		return add_text(b, CGROUP_NOOP, "memory.swap.max", "max", place);
	if (limit <= 0) {
		err_set(b->err, ERR_INVALID, NULL, "unable to set swap limit without memory limit");
		return err_in(b->err, "%s", place);
	}
	if (swap < limit) {
		err_set(b->err, ERR_INVALID, NULL,
			"memory and swap together (%" PRId64
			") must not be less than memory.limit (%" PRId64 ")",
			swap, limit);
		return err_in(b->err, "%s", place);
	}
	return add_i64(b, swap == limit ? CGROUP_NOOP : 0, "memory.swap.max", swap - limit, place);
}

static int add_memory(struct build *b, const struct oci_memory *m)
{
	const struct {
		const int64_t *v;
		const char *place;
	} ranges[] = {
		{ m ? m->limit : NULL, "memory.limit" },
		{ m ? m->reservation : NULL, "memory.reservation" },
		{ m ? m->swap : NULL, "memory.swap" },
	};

	if (!m)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (!ranges[i].v || *ranges[i].v >= -1)
			continue;
		err_set(b->err, ERR_INVALID, NULL, "must be -1 (no limit) or bytes, not %" PRId64,
			*ranges[i].v);
		return err_in(b->err, "%s", ranges[i].place);
	}
	if (add_swap(b, m) < 0)
		return -1;
	if (m->limit && *m->limit &&
		add_i64(b, *m->limit < 0 ? CGROUP_NOOP : 0, "memory.max", *m->limit,
			"memory.limit") < 0)
		return -1;
	if (m->reservation && *m->reservation &&
		add_i64(b, 0, "memory.low", *m->reservation, "memory.reservation") < 0)
		return -1;
	return 0;
}

/* ---- io ---- */

/* 10..1000 of v1 onto 1..10000 of io.weight. */
static unsigned io_weight(uint32_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

static int check_weight(struct build *b, uint32_t weight, const char *place)
{
	if (weight >= 10 && weight <= 1000)
		return 0;
	err_set(b->err, ERR_INVALID, NULL, "must be between 10 and 1000, not %" PRIu32, weight);
	return err_in(b->err, "%s", place);
}

static int check_device(struct build *b, int64_t major, int64_t minor, const char *place)
{
	if (major >= 0 && major <= UINT32_MAX && minor >= 0 && minor <= UINT32_MAX)
		return 0;
	err_set(b->err, ERR_INVALID, NULL, "%" PRId64 ":%" PRId64 " is not a device number", major,
		minor);
	return err_in(b->err, "%s", place);
}

static int add_weight_devices(struct build *b, const struct oci_block_io *io)
{
	for (size_t i = 0; i < io->n_weight_device; i++) {
		const struct oci_weight_device *d = &io->weight_device[i];
		const char *place = arena_printf(b->arena, "blockIO.weightDevice[%zu]", i);

		if (!place)
			return err_nomem(b->err);
		if (!d->weight || !*d->weight)
			continue;
		if (check_device(b, d->major, d->minor, place) < 0 ||
			check_weight(b, *d->weight, place) < 0)
			return -1;
		struct cgroup_value *v = add(b, 0, "io.bfq.weight",
			arena_printf(b->arena, "%" PRId64 ":%" PRId64 " %" PRIu32, d->major,
				d->minor, *d->weight),
			place);
		if (!v)
			return err_nomem(b->err);
		v->alt_file = "io.weight";
		v->alt_text = arena_printf(b->arena, "%" PRId64 ":%" PRId64 " %u", d->major,
			d->minor, io_weight(*d->weight));
	}
	return 0;
}

struct throttle {
	const struct oci_throttle_device *items;
	size_t n;
	const char *key, *place;
};

/* "8:0 rbps=1048576 wiops=max", one line per device in the order of first mention. */
static int add_throttle(struct build *b, const struct throttle lists[4])
{
	for (size_t l = 0; l < 4; l++) {
		for (size_t i = 0; i < lists[l].n; i++) {
			const struct oci_throttle_device *t = &lists[l].items[i];
			const char *place = arena_printf(b->arena, "%s[%zu]", lists[l].place, i);
			const char *dev = arena_printf(
				b->arena, "%" PRId64 ":%" PRId64 " ", t->major, t->minor);
			const char *rate = t->rate ? arena_printf(b->arena, "%s=%" PRIu64,
							     lists[l].key, t->rate)
						   : arena_printf(b->arena, "%s=max", lists[l].key);
			struct cgroup_value *v = NULL;

			if (!place || !dev || !rate)
				return err_nomem(b->err);
			if (check_device(b, t->major, t->minor, place) < 0)
				return -1;
			for (size_t k = 0; k < b->out->n && !v; k++)
				if (str_eq(b->out->items[k].file, "io.max") &&
					str_starts(b->out->items[k].text, dev))
					v = &b->out->items[k];
			if (v)
				v->text = arena_printf(b->arena, "%s %s", v->text, rate);
			else
				v = add(b, 0, "io.max", arena_printf(b->arena, "%s%s", dev, rate),
					place);
			if (!v || !v->text)
				return err_nomem(b->err);
		}
	}
	return 0;
}

static int add_io(struct build *b, const struct oci_block_io *io)
{
	if (!io)
		return 0;
	const struct throttle lists[4] = {
		{ io->throttle_read_bps, io->n_throttle_read_bps, "rbps",
			"blockIO.throttleReadBpsDevice" },
		{ io->throttle_write_bps, io->n_throttle_write_bps, "wbps",
			"blockIO.throttleWriteBpsDevice" },
		{ io->throttle_read_iops, io->n_throttle_read_iops, "riops",
			"blockIO.throttleReadIOPSDevice" },
		{ io->throttle_write_iops, io->n_throttle_write_iops, "wiops",
			"blockIO.throttleWriteIOPSDevice" },
	};

	if (io->weight && *io->weight) {
		if (check_weight(b, *io->weight, "blockIO.weight") < 0)
			return -1;
		struct cgroup_value *v = add(b, 0, "io.bfq.weight",
			arena_printf(b->arena, "%" PRIu32, *io->weight), "blockIO.weight");
		if (!v)
			return err_nomem(b->err);
		v->alt_file = "io.weight";
		v->alt_text = arena_printf(b->arena, "%u", io_weight(*io->weight));
	}
	return add_weight_devices(b, io) < 0 ? -1 : add_throttle(b, lists);
}

/* ---- cpu ---- */

uint64_t cgroup_cpu_weight(uint64_t shares)
{
	return cpu_weight(shares);
}

static int check_cpu(struct build *b, const struct oci_cpu *cpu)
{
	int64_t quota = cpu->quota ? *cpu->quota : 0;

	if (cpu->idle && *cpu->idle != 0 && *cpu->idle != 1) {
		err_set(b->err, ERR_INVALID, NULL, "must be 0 or 1, not %" PRId64, *cpu->idle);
		return err_in(b->err, "cpu.idle");
	}
	if (cpu->burst && quota > 0 && *cpu->burst > (uint64_t)quota) {
		err_set(b->err, ERR_INVALID, NULL,
			"must not be greater than cpu.quota (%" PRIu64 " > %" PRId64 ")",
			*cpu->burst, quota);
		return err_in(b->err, "cpu.burst");
	}
	if ((cpu->realtime_runtime && *cpu->realtime_runtime) ||
		(cpu->realtime_period && *cpu->realtime_period)) {
		err_set(b->err, ERR_UNSUPPORTED, NULL,
			"realtime CPU time cannot be limited with cgroup v2");
		return err_in(b->err, cpu->realtime_runtime && *cpu->realtime_runtime
					      ? "cpu.realtimeRuntime"
					      : "cpu.realtimePeriod");
	}
	return 0;
}

/* cpu.max and its burst. Burst must stay below quota: it is tried first (both shrink), and again
 * after cpu.max (both grow). */
static int add_bandwidth(struct build *b, const struct oci_cpu *cpu)
{
	int64_t quota = cpu->quota ? *cpu->quota : 0;
	uint64_t period = cpu->period ? *cpu->period : 0;
	const char *q = quota > 0 ? arena_printf(b->arena, "%" PRId64, quota) : "max";
	const char *text;

	if (cpu->burst) {
		const char *burst = arena_printf(b->arena, "%" PRIu64, *cpu->burst);
		if (add_text(b, (*cpu->burst ? 0 : CGROUP_NOOP) | CGROUP_DEFER, "cpu.max.burst",
			    burst, "cpu.burst") < 0)
			return -1;
	}
	if (!quota && !period)
		return 0;
	text = period ? arena_printf(b->arena, "%s %" PRIu64, q, period) : q;
	return add_text(b, (quota > 0 ? 0 : CGROUP_NOOP) | (quota ? 0 : CGROUP_KEEP_FIRST),
		"cpu.max", text, quota ? "cpu.quota" : "cpu.period");
}

static int add_cpu(struct build *b, const struct oci_cpu *cpu)
{
	if (!cpu)
		return 0;
	if (check_cpu(b, cpu) < 0)
		return -1;
	/* The kernel refuses a weight while idle is 1. */
	if (cpu->idle &&
		add_i64(b, *cpu->idle ? 0 : CGROUP_NOOP, "cpu.idle", *cpu->idle, "cpu.idle") < 0)
		return -1;
	uint64_t weight = cpu->shares ? cgroup_cpu_weight(*cpu->shares) : 0;
	if (weight && !(cpu->idle && *cpu->idle) &&
		add_i64(b, 0, "cpu.weight", (int64_t)weight, "cpu.shares") < 0)
		return -1;
	return add_bandwidth(b, cpu);
}

static int add_cpuset(struct build *b, const struct oci_cpu *cpu)
{
	const struct {
		const char *list, *file, *place;
	} sets[] = {
		{ cpu ? cpu->cpus : NULL, "cpuset.cpus", "cpu.cpus" },
		{ cpu ? cpu->mems : NULL, "cpuset.mems", "cpu.mems" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!sets[i].list || !*sets[i].list)
			continue;
		if (strspn(sets[i].list, "0123456789,- \n") != strlen(sets[i].list)) {
			err_set(b->err, ERR_INVALID, sets[i].list,
				"must be a list of numbers and ranges, as 0-3,7");
			return err_in(b->err, "%s", sets[i].place);
		}
		if (add_text(b, 0, sets[i].file, sets[i].list, sets[i].place) < 0)
			return -1;
	}
	return 0;
}

/* ---- hugetlb, rdma, unified ---- */

/* 64KB, 2MB, 1GB: as the kernel names its files. */
static bool is_page_size(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 8 && *s != '0' && strchr("KMG", s[n]) && s[n] && str_eq(s + n + 1, "B");
}

static int add_hugetlb(struct build *b, const struct oci_hugepage_limit *limits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct oci_hugepage_limit *l = &limits[i];
		const char *place = arena_printf(b->arena, "hugepageLimits[%zu]", i);
		const char *text = arena_printf(b->arena, "%" PRIu64, l->limit);

		if (!place || !text)
			return err_nomem(b->err);
		if (!l->page_size || !is_page_size(l->page_size)) {
			err_set(b->err, ERR_INVALID, l->page_size,
				"must be a page size such as 64KB, 2MB or 1GB");
			return err_in(b->err, "%s.pageSize", place);
		}
		const char *max = arena_printf(b->arena, "hugetlb.%s.max", l->page_size);
		const char *rsvd = arena_printf(b->arena, "hugetlb.%s.rsvd.max", l->page_size);
		if (!max || !rsvd)
			return err_nomem(b->err);
		/* Without the second, what is reserved but not yet touched isn't counted
		 * (Linux 5.7). */
		if (add_text(b, 0, max, text, place) < 0 ||
			add_text(b, CGROUP_WITH_PREV, rsvd, text, place) < 0)
			return -1;
	}
	return 0;
}

static const char *rdma_number(struct build *b, const uint32_t *v)
{
	/* The kernel parses an int; its own word for no limit is "max". */
	return *v >= INT_MAX ? "max" : arena_printf(b->arena, "%" PRIu32, *v);
}

static int add_rdma(struct build *b, const struct ctr_map_obj *rdma)
{
	const struct oci_rdma *items = rdma->items;

	for (size_t i = 0; i < rdma->n; i++) {
		const char *dev = rdma->keys[i];
		const char *place = arena_printf(b->arena, "rdma.%s", dev);
		const char *text = dev;

		if (!*dev || strpbrk(dev, " \t\r\n=")) {
			err_set(b->err, ERR_INVALID, dev, "is not the name of an RDMA device");
			return err_in(b->err, "rdma");
		}
		if (!items[i].hca_handles && !items[i].hca_objects)
			continue;
		if (items[i].hca_handles)
			text = arena_printf(b->arena, "%s hca_handle=%s", text,
				rdma_number(b, items[i].hca_handles));
		if (text && items[i].hca_objects)
			text = arena_printf(b->arena, "%s hca_object=%s", text,
				rdma_number(b, items[i].hca_objects));
		if (!place || !text)
			return err_nomem(b->err);
		if (add_text(b, 0, "rdma.max", text, place) < 0)
			return -1;
	}
	return 0;
}

/* CONTROLLER.FILE with the letters that the kernel uses ("hugetlb.2MB.max"). Of the core's files
 * only those that limit. */
static bool is_unified_name(const char *s)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants",
		"cgroup.pressure" };
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	static const char any[] =
		"abcdefghijklmnopqrstuvwxyz0123456789_.ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strspn(s, lower);

	if (n == 0 || n >= 32 || s[n] != '.' || !s[n + 1] || strlen(s) > NAME_MAX ||
		strspn(s + n, any) != strlen(s + n))
		return false;
	if (!str_starts(s, "cgroup."))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (str_eq(s, core[i]))
			return true;
	return false;
}

static int add_unified(struct build *b, const struct ctr_map_str *unified)
{
	for (size_t i = 0; i < unified->n; i++) {
		const char *file = unified->items[i].key;
		const char *place = arena_printf(b->arena, "unified[\"%s\"]", file);
		bool any = false;

		if (!place)
			return err_nomem(b->err);
		if (!is_unified_name(file)) {
			err_set(b->err, ERR_INVALID, file,
				"is not a file of a cgroup controller that may be set");
			err_hint(b->err,
				"keys look like memory.high: no slash, none of the cgroup.* files that move or kill processes");
			return err_in(b->err, "unified");
		}
		for (const char *p = unified->items[i].value; *p;) {
			size_t n = strcspn(p, "\n");
			if (n) {
				const char *line = arena_strndup(b->arena, p, n);
				if (!line || add_text(b, CGROUP_UNIFIED, file, line, place) < 0)
					return err_nomem(b->err);
				any = true;
			}
			p += n + (p[n] == '\n');
		}
		if (!any) {
			/* Some files take an empty write for 0. */
			err_set(b->err, ERR_INVALID, NULL, "must not be empty");
			return err_in(b->err, "%s", place);
		}
	}
	return 0;
}

/* ---- public ---- */

const char *cgroup_controller_of(const char *file, char *buf, size_t n)
{
	size_t len = strcspn(file, ".");

	(void)snprintf(buf, n, "%.*s", (int)MIN(len, n), str_starts(file, "cgroup.") ? "" : file);
	return buf;
}

int cgroup_values(const struct oci_resources *r, struct arena *arena, struct cgroup_values *ret,
	struct err *err)
{
	struct build b = { arena, ret, err };

	*ret = (struct cgroup_values){ 0 };
	if (!r)
		return 0;
	if (add_pids(&b, r->pids) < 0 || add_memory(&b, r->memory) < 0 ||
		add_io(&b, r->block_io) < 0 || add_cpu(&b, r->cpu) < 0 ||
		add_cpuset(&b, r->cpu) < 0 ||
		add_hugetlb(&b, r->hugepage_limits, r->n_hugepage_limits) < 0 ||
		add_rdma(&b, &r->rdma) < 0 || add_unified(&b, &r->unified) < 0)
		return -1;
	return arena_failed(arena) ? err_nomem(err) : 0;
}

bool cgroup_wants_limits(const struct oci_resources *r)
{
	_arena_ struct arena *arena = arena_new();
	struct cgroup_values values = { 0 };
	struct err ignored = ERR_INIT;

	if (!r)
		return false;
	if (!arena || cgroup_values(r, arena, &values, &ignored) < 0)
		return true;
	for (size_t i = 0; i < values.n; i++)
		if (!(values.items[i].flags & CGROUP_NOOP))
			return true;
	return false;
}

/* Properties that only cgroup v1 had, without effect here: engines still send some. */
static void warn_v1(const struct oci_resources *r)
{
	const struct oci_memory *m = r->memory;
	const struct oci_block_io *io = r->block_io;
	bool leaf = io && io->leaf_weight && *io->leaf_weight;

	for (size_t i = 0; io && i < io->n_weight_device; i++)
		leaf |= io->weight_device[i].leaf_weight && *io->weight_device[i].leaf_weight;
	const struct {
		bool given;
		const char *place;
	} rows[] = {
		{ m && m->kernel && *m->kernel, "memory.kernel" },
		{ m && m->kernel_tcp && *m->kernel_tcp, "memory.kernelTCP" },
		{ m && m->swappiness, "memory.swappiness" },
		{ m && m->disable_oom_killer, "memory.disableOOMKiller" },
		{ m && m->use_hierarchy, "memory.useHierarchy" },
		{ leaf, "blockIO.leafWeight" },
		{ r->network && r->network->class_id && *r->network->class_id, "network.classID" },
		{ r->network && r->network->n_priorities, "network.priorities" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].given)
			log_warn("linux.resources.%s has no effect: cgroup v2 has no such control",
				rows[i].place);
}

int cgroup_check(const struct oci_resources *r, struct err *err)
{
	_arena_ struct arena *arena = NULL;
	struct cgroup_values values = { 0 };

	if (!r)
		return 0;
	arena = arena_new();
	if (!arena)
		return err_nomem(err);
	if (cgroup_values(r, arena, &values, err) < 0)
		return -1;
	if (devices_check(r->devices, r->n_devices, err) < 0)
		return err_in(err, "devices");
	warn_v1(r);
	return 0;
}
