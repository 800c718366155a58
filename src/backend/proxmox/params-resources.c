/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and CPU as the server counts them, at create and in updates. */
#include "backend/proxmox/params.h"

#include "base/log.h"
#include "model/weight.h"

#include <string.h>

enum {
	MIB = 1 << 20,
	MEMORY_MIN = 16,
	PERIOD_DEFAULT = 100000,
	CPULIMIT_MAX = 8192,
	CPULIMIT_UNIT = 10000, /* parts of a CPU that are told apart */
	CPULIMIT_MIN = 100,    /* 0.01: the kernel's smallest quota */
};

/* ---- numbers ---- */

unsigned params_cpu_weight(int64_t shares)
{
	return (unsigned)cpu_weight(shares > 0 ? (uint64_t)shares : 0);
}

void params_note_memory(int64_t bytes)
{
	if (bytes > 0 && bytes <= (MEMORY_MIN - 1) * (int64_t)MIB)
		log_warn("a guest needs %d MiB of memory at least: it gets them, not %lld bytes",
			MEMORY_MIN, (long long)bytes);
}

int64_t params_memory_mib(int64_t bytes)
{
	int64_t mib = bytes / MIB + (bytes % MIB != 0);

	return MAX(mib, (int64_t)MEMORY_MIN);
}

int64_t params_swap_mib(int64_t together, int64_t memory)
{
	return MAX(together / MIB - memory, (int64_t)0);
}

void params_set_cpulimit(struct pve_form *form, int64_t quota, int64_t period, const char *from)
{
	int64_t units = CPULIMIT_MAX * (int64_t)CPULIMIT_UNIT, rest;
	char text[32];
	size_t n;

	if (period <= 0)
		period = PERIOD_DEFAULT;
	rest = quota % period;
	/* A longer period has digits to spare. */
	rest = period <= INT64_MAX / CPULIMIT_UNIT ? rest * CPULIMIT_UNIT / period
						   : rest / (period / CPULIMIT_UNIT);
	if (quota / period < CPULIMIT_MAX)
		units = MAX(quota / period * CPULIMIT_UNIT + MIN(rest, (int64_t)CPULIMIT_UNIT - 1),
			(int64_t)CPULIMIT_MIN);
	n = (size_t)snprintf(text, sizeof(text), "%lld.%04lld", (long long)units / CPULIMIT_UNIT,
		(long long)units % CPULIMIT_UNIT);
	while (text[n - 1] == '0')
		text[--n] = 0;
	if (text[n - 1] == '.')
		text[--n] = 0;
	pve_form_set(form, "cpulimit", text, from);
}

/* ---- updates ---- */

/* What isn't one of the four; NULL: nothing. */
static const char *others(const struct oci_resources *r)
{
	const struct oci_memory *m = r->memory;
	const struct oci_cpu *c = r->cpu;

	if (r->n_devices)
		return "devices";
	if (r->pids)
		return "pids";
	if (r->block_io)
		return "blockIO";
	if (r->n_hugepage_limits)
		return "hugepageLimits";
	if (r->network)
		return "network";
	if (r->rdma.n)
		return "rdma";
	if (r->unified.n)
		return "unified";
	if (m && (m->reservation || m->kernel || m->kernel_tcp || m->swappiness ||
			 m->disable_oom_killer))
		return "memory: what isn't limit and swap";
	if (c && (c->burst || c->realtime_period || c->realtime_runtime || c->idle))
		return "cpu: what isn't shares, quota and period";
	return c && (c->cpus || c->mems) ? "cpu: cpus and mems" : NULL;
}

static int update_memory(const struct oci_memory *m, struct pve_form *form, struct err *err)
{
	const int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;

	if (limit < 0 || swap < 0)
		return err_set(err, ERR_UNSUPPORTED, "memory", "a guest has always a limit");
	if (swap && !limit)
		return err_set(err, ERR_UNSUPPORTED, "memory.swap",
			"it needs memory.limit beside it: it is the limit of both together");
	if (swap && swap < limit)
		return err_set(err, ERR_INVALID, "memory.swap", "it is less than memory.limit");
	if (limit)
		pve_form_setf(form, "memory", "memory.limit", "%lld",
			(long long)params_memory_mib(limit));
	if (swap)
		pve_form_setf(form, "swap", "memory.swap", "%lld",
			(long long)params_swap_mib(swap, params_memory_mib(limit)));
	return 0;
}

static int update_cpu(const struct oci_cpu *c, struct pve_form *form, struct err *err)
{
	const int64_t quota = c->quota ? *c->quota : 0;
	const uint64_t period = c->period ? *c->period : 0;

	if (c->period && !c->quota)
		return err_set(err, ERR_UNSUPPORTED, "cpu.period",
			"it needs cpu.quota beside it: the server knows only both together");
	if (quota < 0)
		pve_form_set(form, "cpulimit", "0", "cpu.quota");
	else if (quota)
		params_set_cpulimit(
			form, quota, period > INT64_MAX ? INT64_MAX : (int64_t)period, "cpu.quota");
	if (c->shares && *c->shares)
		pve_form_setf(
			form, "cpuunits", "cpu.shares", "%u", (unsigned)cpu_weight(*c->shares));
	return 0;
}

int params_update(
	const struct oci_resources *r, struct arena *a, struct pve_form *form, struct err *err)
{
	const char *other = others(r);

	*form = (struct pve_form)PVE_FORM_INIT(a);
	if (other)
		return err_set(
			err, ERR_UNSUPPORTED, other, "the server can't change it for a guest");
	if ((r->memory && update_memory(r->memory, form, err) < 0) ||
		(r->cpu && update_cpu(r->cpu, form, err) < 0))
		return -1;
	return pve_form_ok(form, err);
}
