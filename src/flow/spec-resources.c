/* SPDX-License-Identifier: Apache-2.0 */
/* linux.cgroupsPath, linux.resources, linux.devices. 0 and empty are "not given", as proto3 has it.
 */
#include "flow/spec-build.h"

#include "base/path.h"

#include <inttypes.h>
#include <string.h>

#define RESOURCES SPEC_LINUX "resources."

/* ---- limits ---- */

/* Boxed when given. */
static int64_t *number(struct spec_build *b, int64_t value)
{
	return value ? spec_box(b, &value, sizeof(value)) : NULL;
}

/* The same for what can't be negative. */
static uint64_t *positive(struct spec_build *b, int64_t value, const char *field)
{
	if (value < 0)
		ctr_fault_add(b->faults, ERR_INVALID, field, "%" PRId64 " is negative", value);
	return value > 0 ? spec_box(b, &value, sizeof(value)) : NULL;
}

static const char *text(const char *s)
{
	return s && *s ? s : NULL;
}

static void add_cpu(struct spec_build *b, const struct cri_linux_container_resources *r,
	struct oci_resources *out)
{
	struct oci_cpu cpu = {
		.shares = positive(b, r->cpu_shares, RESOURCES "cpu_shares"),
		.period = positive(b, r->cpu_period, RESOURCES "cpu_period"),
		.quota = number(b, r->cpu_quota),
		.cpus = text(r->cpuset_cpus),
		.mems = text(r->cpuset_mems),
	};

	if (cpu.shares || cpu.period || cpu.quota || cpu.cpus || cpu.mems)
		out->cpu = spec_box(b, &cpu, sizeof(cpu));
}

/* Unless said otherwise a limited container doesn't swap beyond its limit: "swap" is memory and
 * swap together. */
static void add_memory(struct spec_build *b, const struct cri_linux_container_resources *r,
	struct oci_resources *out)
{
	int64_t limit = r->memory_limit_in_bytes, swap = r->memory_swap_limit_in_bytes;
	struct oci_memory memory = { 0 };

	if (limit < 0)
		ctr_fault_add(b->faults, ERR_INVALID, RESOURCES "memory_limit_in_bytes",
			"%" PRId64 " is negative", limit);
	else if (swap < -1)
		ctr_fault_add(b->faults, ERR_INVALID, RESOURCES "memory_swap_limit_in_bytes",
			"%" PRId64 " is negative, and not -1 for no limit", swap);
	else if (swap > 0 && swap < limit)
		ctr_fault_add(b->faults, ERR_INVALID, RESOURCES "memory_swap_limit_in_bytes",
			"memory and swap together can't be less than memory_limit_in_bytes");
	else if (swap > 0 && !limit)
		ctr_fault_add(b->faults, ERR_INVALID, RESOURCES "memory_swap_limit_in_bytes",
			"needs memory_limit_in_bytes beside it");
	memory.limit = number(b, limit);
	memory.swap = number(b, swap ? swap : limit);
	if (memory.limit || memory.swap)
		out->memory = spec_box(b, &memory, sizeof(memory));
}

static void add_hugepages(struct spec_build *b, const struct cri_linux_container_resources *r,
	struct oci_resources *out)
{
	struct oci_hugepage_limit *list =
		arena_array(b->arena, r->n_hugepage_limits, sizeof(*list));

	for (size_t i = 0; list && i < r->n_hugepage_limits; i++) {
		const struct cri_hugepage_limit *h = &r->hugepage_limits[i];
		if (!h->page_size)
			ctr_fault_add(b->faults, ERR_INVALID,
				spec_field(b, RESOURCES "hugepage_limits[%zu].page_size", i),
				"must not be empty");
		list[i] = (struct oci_hugepage_limit){ h->page_size ? h->page_size : "", h->limit };
	}
	out->hugepage_limits = list;
	out->n_hugepage_limits = list ? r->n_hugepage_limits : 0;
}

/* A limit, "memory.high", "hugetlb.2MB.max": never a path, and of the files of the cgroup core none
 * by which a group is changed. */
static bool is_unified_key(const char *key)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants",
		"cgroup.pressure" };
	static const char any[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
	size_t word = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (word == 0 || key[word] != '.' || !key[word + 1] || key[strspn(key, any)])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (str_eq(key, core[i]))
			return true;
	return !str_starts(key, "cgroup.");
}

static void add_unified(struct spec_build *b, const struct cri_linux_container_resources *r,
	struct oci_resources *out)
{
	for (size_t i = 0; i < r->unified.n; i++)
		if (!is_unified_key(r->unified.items[i].key))
			ctr_fault_add(b->faults, ERR_INVALID, RESOURCES "unified",
				"\"%.100s\" is no limit of a cgroup v2 controller",
				r->unified.items[i].key);
	out->unified = r->unified;
}

/* ---- cgroup ---- */

static void add_cgroup(struct spec_build *b)
{
	const char *pod = b->in->sandbox->cgroup;

	if (!pod)
		return; /* cgroups are disabled, as a whole */
	if (pod[0] != '/') {
		ctr_fault_add(b->faults, ERR_INTERNAL, "pod_sandbox_id",
			"the cgroup of the sandbox, \"%.100s\", isn't absolute", pod);
		return;
	}
	b->spec->linux_->cgroups_path =
		arena_printf(b->arena, "%s/ctrctl-%s", str_eq(pod, "/") ? "" : pod, b->in->id);
}

void spec_resources(struct spec_build *b)
{
	const struct cri_linux_container_resources *r = cri_resources(b->config);
	struct oci_pids pids = { .limit = b->in->settings->pids_limit };
	struct oci_resources *out = arena_alloc(b->arena, sizeof(*out));

	if (!out)
		return;
	b->spec->linux_->resources = out;
	add_cpu(b, r, out);
	add_memory(b, r, out);
	add_hugepages(b, r, out);
	add_unified(b, r, out);
	if (pids.limit > 0)
		out->pids = spec_box(b, &pids, sizeof(pids));
	add_cgroup(b);
}

/* ---- devices ---- */

struct devices {
	struct oci_device *nodes;
	struct oci_device_rule *rules;
	size_t n_nodes, n_rules;
};

static bool is_access(const char *s)
{
	return *s && s[strspn(s, "rwm")] == 0;
}

static const char *type_of(const struct spec_device_fact *d)
{
	return d->type == 'b' ? "b" : d->type == 'c' ? "c" : d->type == 'p' ? "p" : NULL;
}

/* A node is made at this path, be it by a name with dots in it. */
static const char *node_path(struct spec_build *b, const struct spec_device_fact *d)
{
	const char *path = d->container_path ? path_clean(b->arena, d->container_path) : NULL;

	if (!path || d->container_path[0] != '/' || str_eq(path, "/") ||
		path_is_under(path, "/proc") || path_is_under(path, "/sys"))
		return NULL;
	return path;
}

/* The same path twice: the same device, or a fault. 1: it is there already. */
static int find_node(struct spec_build *b, const struct devices *list, const char *path,
	const struct spec_device_fact *d)
{
	for (size_t i = 0; i < list->n_nodes; i++) {
		const struct oci_device *o = &list->nodes[i];
		if (!str_eq(o->path, path) || !o->major || !o->minor)
			continue;
		if (!str_eq(o->type, type_of(d)) || *o->major != d->major || *o->minor != d->minor)
			ctr_fault_add(b->faults, ERR_INVALID, "config.devices",
				"%.100s is given twice, as different devices", path);
		return 1;
	}
	return 0;
}

static void add_rule(struct spec_build *b, struct devices *list, const struct spec_device_fact *d)
{
	list->rules[list->n_rules++] = (struct oci_device_rule){
		.allow = true,
		.type = type_of(d),
		.major = spec_box(b, &d->major, sizeof(d->major)),
		.minor = spec_box(b, &d->minor, sizeof(d->minor)),
		.access = d->access && *d->access ? d->access : "rwm",
	};
}

static void add_device(
	struct spec_build *b, struct devices *list, const struct spec_device_fact *d, bool rule)
{
	const char *path = node_path(b, d);
	uint32_t mode = d->mode & 07777;

	if (!path || !type_of(d) || (d->access && *d->access && !is_access(d->access))) {
		ctr_fault_add(b->faults, ERR_INVALID, "config.devices",
			"\"%.100s\" with permissions \"%.10s\" is no device that a container can have",
			d->container_path ? d->container_path : "", d->access ? d->access : "");
		return;
	}
	if (rule && d->type != 'p')
		add_rule(b, list, d);
	if (find_node(b, list, path, d))
		return;
	list->nodes[list->n_nodes++] = (struct oci_device){
		.type = type_of(d),
		.path = path,
		.major = spec_box(b, &d->major, sizeof(d->major)),
		.minor = spec_box(b, &d->minor, sizeof(d->minor)),
		.file_mode = spec_box(b, &mode, sizeof(mode)),
		.uid = spec_box(b, &d->uid, sizeof(d->uid)),
		.gid = spec_box(b, &d->gid, sizeof(d->gid)),
	};
}

/* First of all everything is denied; the runtime adds what every container has. */
void spec_devices(struct spec_build *b)
{
	const struct spec_facts *f = b->in->facts;
	struct oci_resources *r = b->spec->linux_->resources;
	struct devices list = { 0 };
	size_t n = f->n_devices + f->n_host_devices;

	list.nodes = arena_array(b->arena, n, sizeof(*list.nodes));
	list.rules = arena_array(b->arena, n + 2, sizeof(*list.rules));
	if (!list.nodes || !list.rules || !r)
		return;
	list.rules[list.n_rules++] = (struct oci_device_rule){ .allow = false, .access = "rwm" };
	if (b->privileged)
		list.rules[list.n_rules++] =
			(struct oci_device_rule){ .allow = true, .access = "rwm" };
	for (size_t i = 0; i < f->n_devices; i++)
		add_device(b, &list, &f->devices[i], !b->privileged);
	for (size_t i = 0; b->privileged && i < f->n_host_devices; i++)
		add_device(b, &list, &f->host_devices[i], false);
	b->spec->linux_->devices = list.nodes;
	b->spec->linux_->n_devices = list.n_nodes;
	r->devices = list.rules;
	r->n_devices = list.n_rules;
}
