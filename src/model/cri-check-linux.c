/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of resources, sysctls, ports and DNS. */
#include "model/cri-check.h"
#include "model/oci.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	CPU_PERIOD_MIN = 1000, /* microseconds, as the kernel has it */
	CPU_PERIOD_MAX = 1000000,
	CPU_SHARES_MAX = 262144,
	PORT_MAX = 65535,
	DNS_ENTRIES_MAX = 32,
	DNS_TEXT_MAX = 2048,
	DNS_NAME_MAX = 254, /* with the dot of the root */
	PAGE_SIZES_MAX = 64,
};

/* ---- resources ---- */

static void check_cpu(struct cri_check *c, const struct cri_linux_container_resources *r)
{
	const char *const lists[] = { r->cpuset_cpus, r->cpuset_mems };
	const char *const names[] = { "cpuset_cpus", "cpuset_mems" };

	if (r->cpu_period && (r->cpu_period < CPU_PERIOD_MIN || r->cpu_period > CPU_PERIOD_MAX))
		cri_fault(c, ERR_INVALID, "cpu_period",
			"%lld isn't allowed: 0 (the default), or %d to %d microseconds",
			(long long)r->cpu_period, CPU_PERIOD_MIN, CPU_PERIOD_MAX);
	if (r->cpu_quota < -1 || (r->cpu_quota > 0 && r->cpu_quota < CPU_PERIOD_MIN))
		cri_fault(c, ERR_INVALID, "cpu_quota",
			"%lld isn't allowed: -1 or 0 (no limit), or at least %d microseconds",
			(long long)r->cpu_quota, CPU_PERIOD_MIN);
	if (r->cpu_shares < 0 || r->cpu_shares > CPU_SHARES_MAX)
		cri_fault(c, ERR_INVALID, "cpu_shares", "%lld isn't allowed: 0 (the default) to %d",
			(long long)r->cpu_shares, CPU_SHARES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i] && oci_list_check(lists[i]) >= 0)
			cri_fault(c, ERR_INVALID, names[i],
				"\"%.100s\" is no list of numbers like 0-3,7", lists[i]);
}

static void check_memory(struct cri_check *c, const struct cri_linux_container_resources *r)
{
	int64_t memory = r->memory_limit_in_bytes, swap = r->memory_swap_limit_in_bytes;

	if (memory < 0)
		cri_fault(c, ERR_INVALID, "memory_limit_in_bytes", "must not be negative");
	if (swap < -1)
		cri_fault(c, ERR_INVALID, "memory_swap_limit_in_bytes",
			"%lld isn't allowed: -1 (no limit), 0 (the default), or more",
			(long long)swap);
	if (swap > 0 && memory == 0)
		cri_fault(c, ERR_INVALID, "memory_swap_limit_in_bytes",
			"needs memory_limit_in_bytes: it is the limit of both together");
	if (swap > 0 && memory > 0 && swap < memory)
		cri_fault(c, ERR_INVALID, "memory_swap_limit_in_bytes",
			"is the limit of memory and swap together: %lld is less than memory_limit_in_bytes (%lld)",
			(long long)swap, (long long)memory);
	if (r->oom_score_adj < -1000 || r->oom_score_adj > 1000)
		cri_fault(c, ERR_INVALID, "oom_score_adj", "%lld isn't allowed: -1000 to 1000",
			(long long)r->oom_score_adj);
}

/* 64KB, 2MB, 1GB: as the kernel names its files. */
static bool is_page_size(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 8 && *s != '0' && s[n] && strchr("KMG", s[n]) && str_eq(s + n + 1, "B");
}

static void check_hugepages(struct cri_check *c, const struct cri_hugepage_limit *limits, size_t n)
{
	if (n > PAGE_SIZES_MAX)
		cri_fault(c, ERR_INVALID, "hugepage_limits", "has %zu items, %d are allowed", n,
			PAGE_SIZES_MAX);
	for (size_t i = 0; i < n && i < PAGE_SIZES_MAX; i++) {
		const char *size = limits[i].page_size;
		size_t mark = cri_enter(c, "hugepage_limits[%zu]", i);
		if (!size || !is_page_size(size))
			cri_fault(c, ERR_INVALID, "page_size",
				"must be a page size such as 64KB, 2MB or 1GB");
		for (size_t k = 0; size && k < i; k++)
			if (str_eq(size, limits[k].page_size)) {
				cri_fault(
					c, ERR_INVALID, "page_size", "%.20s is given twice", size);
				break;
			}
		cri_leave(c, mark);
	}
}

/* CONTROLLER.FILE. Of the core's files only those that limit. */
static bool is_unified_key(const char *s)
{
	static const char *const core[] = { "cgroup.max.depth", "cgroup.max.descendants",
		"cgroup.pressure" };
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	/* "hugetlb.2MB.max" */
	static const char any[] =
		"abcdefghijklmnopqrstuvwxyz0123456789_.ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strspn(s, lower);

	if (n == 0 || s[n] != '.' || !s[n + 1] || s[n + strspn(s + n, any)])
		return false;
	if (!str_starts(s, "cgroup."))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (str_eq(s, core[i]))
			return true;
	return false;
}

static void check_unified(struct cri_check *c, const struct ctr_map_str *unified)
{
	for (size_t i = 0; i < unified->n; i++) {
		const struct ctr_pair *p = &unified->items[i];
		size_t mark = cri_enter(c, "unified[\"%.60s\"]", p->key);
		if (!is_unified_key(p->key))
			cri_fault(c, ERR_INVALID, "",
				"is no file of a cgroup controller that may be set: keys look like memory.high");
		if (!p->value[strspn(p->value, " \n")])
			cri_fault(c, ERR_INVALID, "", "must not be empty");
		cri_leave(c, mark);
	}
}

void cri_check_resources(struct cri_check *c, const struct cri_linux_container_resources *r)
{
	check_cpu(c, r);
	check_memory(c, r);
	check_hugepages(c, r->hugepage_limits, r->n_hugepage_limits);
	check_unified(c, &r->unified);
}

/* ---- sysctls ---- */

/*
 * The pod's own namespaces decide what may be set. The rules are those of config.json, so they are
 * asked there, one key at a time.
 */
void cri_check_sysctls(struct cri_check *c, const struct cri_pod_sandbox_config *pod)
{
	const struct cri_namespace_option *o = cri_pod_namespaces(pod);
	struct oci_namespace own[3];
	struct oci_linux linux_ = { .namespaces = own };
	const struct oci_spec spec = { .linux_ = &linux_ };

	if (!pod->linux_)
		return;
	if (o->network != CRI_NS_NODE) {
		own[linux_.n_namespaces++] = (struct oci_namespace){ .type = OCI_NS_NETWORK };
		own[linux_.n_namespaces++] = (struct oci_namespace){ .type = OCI_NS_UTS };
	}
	if (o->ipc != CRI_NS_NODE)
		own[linux_.n_namespaces++] = (struct oci_namespace){ .type = OCI_NS_IPC };
	linux_.sysctl.n = 1;
	for (size_t i = 0; i < pod->linux_->sysctls.n; i++) {
		struct err err = ERR_INIT;
		size_t mark = cri_enter(c, "sysctls[\"%.60s\"]", pod->linux_->sysctls.items[i].key);
		linux_.sysctl.items = &pod->linux_->sysctls.items[i];
		if (oci_linux_check(&spec, &err) < 0)
			cri_fault(c, err.code, "", "%s", err.text);
		cri_leave(c, mark);
	}
}

/* ---- ports ---- */

static bool is_address(const char *text)
{
	struct in6_addr bytes;
	char plain[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%");

	if (inet_pton(AF_INET, text, &bytes) == 1)
		return true;
	/* "fe80::1%eth0" names the interface as well. */
	if (n >= sizeof(plain) ||
		(text[n] && (!text[n + 1] || !cri_is_plain(text) || strchr(text, ' '))))
		return false;
	memcpy(plain, text, n);
	plain[n] = 0;
	return inet_pton(AF_INET6, plain, &bytes) == 1;
}

static void check_port(struct cri_check *c, const struct cri_port_mapping *p, bool host_network)
{
	if (p->container_port < 1 || p->container_port > PORT_MAX)
		cri_fault(c, ERR_INVALID, "container_port", "%d is no port: 1 to %d",
			p->container_port, PORT_MAX);
	if (p->host_ip && !is_address(p->host_ip))
		cri_fault(c, ERR_INVALID, "host_ip", "\"%.60s\" is no IP address", p->host_ip);
	if (p->host_port < 0 || p->host_port > PORT_MAX)
		cri_fault(c, ERR_INVALID, "host_port", "%d is no port: 0 (none) to %d",
			p->host_port, PORT_MAX);
	else if (p->host_port && host_network && p->host_port != p->container_port)
		cri_fault(c, ERR_INVALID, "host_port",
			"must be 0 or %d, the container_port: the pod has the host's network",
			p->container_port);
}

void cri_check_ports(struct cri_check *c, const struct cri_pod_sandbox_config *pod)
{
	bool host_network = cri_pod_namespaces(pod)->network == CRI_NS_NODE;

	for (size_t i = 0; i < pod->n_port_mappings; i++) {
		size_t mark = cri_enter(c, "port_mappings[%zu]", i);
		check_port(c, &pod->port_mappings[i], host_network);
		cri_leave(c, mark);
	}
}

/* ---- DNS ---- */

/* Letters, digits, "-", "_" and "." as resolvers take them; "." is the root. */
static const char *search_problem(const char *s)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (!*s || s[strspn(s, allowed)])
		return "is no DNS name";
	return strlen(s) > DNS_NAME_MAX ? "is longer than 254 bytes" : NULL;
}

static const char *server_problem(const char *s)
{
	return is_address(s) ? NULL : "is no IP address";
}

static const char *option_problem(const char *s)
{
	if (!*s || !cri_is_plain(s) || strchr(s, ' '))
		return "is no option of resolv.conf: they are single words";
	return strlen(s) > DNS_NAME_MAX ? "is longer than 254 bytes" : NULL;
}

static void check_dns_list(struct cri_check *c, const char *field, const char **list, size_t n,
	const char *(*problem)(const char *))
{
	size_t total = 0;

	if (n > DNS_ENTRIES_MAX)
		cri_fault(c, ERR_INVALID, field, "has %zu entries, %d are allowed", n,
			DNS_ENTRIES_MAX);
	for (size_t i = 0; i < n && i < DNS_ENTRIES_MAX; i++) {
		const char *why = problem(list[i]);
		size_t mark = cri_enter(c, "%s[%zu]", field, i);
		if (why)
			cri_fault(c, ERR_INVALID, "", "\"%.60s\" %s", list[i], why);
		total += strlen(list[i]) + (i > 0); /* joined by spaces */
		cri_leave(c, mark);
	}
	if (total > DNS_TEXT_MAX)
		cri_fault(c, ERR_INVALID, field, "is %zu bytes together, %d are allowed", total,
			DNS_TEXT_MAX);
}

void cri_check_dns(struct cri_check *c, const struct cri_dns_config *d)
{
	size_t mark = cri_enter(c, "dns_config");

	check_dns_list(c, "servers", d->servers, d->n_servers, server_problem);
	check_dns_list(c, "searches", d->searches, d->n_searches, search_problem);
	check_dns_list(c, "options", d->options, d->n_options, option_problem);
	cri_leave(c, mark);
}
