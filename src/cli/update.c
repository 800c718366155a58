/* SPDX-License-Identifier: Apache-2.0 */
/* update: linux.resources from a file, standard input, flags, or all of them: a flag goes over the
 * file. */
#include "cli/cli.h"

#include "base/fd.h"
#include "model/oci.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { RESOURCES_BYTES_MAX = 4 << 20 };

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}

int size_parse(const char *text, int64_t *ret)
{
	static const char units[] = "bkmgtp";
	const size_t n = strspn(text, "0123456789");
	char digits[24];
	int64_t value;
	int shift = 0;

	if (strcmp(text, "-1") == 0) {
		*ret = -1;
		return 0;
	}
	if (n == 0 || n >= sizeof(digits))
		return -1;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (text[n]) {
		const char *unit = strchr(units, text[n] | 0x20);
		const char *rest = text + n + 1;

		/* 64m, 64M, 64mb, 64MiB */
		if (!unit || (*rest && strcmp(rest, "b") != 0 && strcmp(rest, "B") != 0 &&
				     strcmp(rest, "iB") != 0 && strcmp(rest, "ib") != 0))
			return -1;
		shift = (int)(unit - units) * 10;
	}
	if (parse_i64(digits, 0, INT64_MAX >> shift, &value) < 0)
		return -1;
	*ret = value << shift;
	return 0;
}

/* ---- flags ---- */

struct updater {
	struct arena *arena;
	struct err *err;
	struct oci_resources *res;
	bool failed;
};

static void refuse(struct updater *u, const char *flag, const char *value)
{
	if (!u->failed)
		err_set(u->err, ERR_USAGE, NULL, "invalid value \"%s\" for flag -%s", value, flag);
	u->failed = true;
}

static void *room(struct updater *u, size_t n)
{
	void *p = arena_alloc(u->arena, n);

	if (!p && !u->failed) {
		err_nomem(u->err);
		u->failed = true;
	}
	return p;
}

static int64_t *i64(struct updater *u, const char *flag, const char *value,
	int (*parse)(const char *, int64_t *), int64_t *old)
{
	int64_t v, *p;

	if (!value)
		return old;
	if (parse(value, &v) < 0) {
		refuse(u, flag, value);
		return old;
	}
	p = room(u, sizeof(*p));
	if (!p)
		return old;
	*p = v;
	return p;
}

static int plain(const char *text, int64_t *ret)
{
	return parse_i64(text, INT64_MIN, INT64_MAX, ret);
}

static uint64_t *u64(struct updater *u, const char *flag, const char *value, uint64_t *old)
{
	uint64_t v, *p;

	if (!value)
		return old;
	if (parse_u64(value, UINT64_MAX, &v) < 0) {
		refuse(u, flag, value);
		return old;
	}
	p = room(u, sizeof(*p));
	if (!p)
		return old;
	*p = v;
	return p;
}

static void set_cpu(struct updater *u, const struct options *o)
{
	struct oci_cpu *c = u->res->cpu ? u->res->cpu : room(u, sizeof(*c));

	if (!c)
		return;
	c->shares = u64(u, "cpu-share", o->cpu_share, c->shares);
	c->period = u64(u, "cpu-period", o->cpu_period, c->period);
	c->burst = u64(u, "cpu-burst", o->cpu_burst, c->burst);
	c->realtime_period = u64(u, "cpu-rt-period", o->cpu_rt_period, c->realtime_period);
	c->quota = i64(u, "cpu-quota", o->cpu_quota, plain, c->quota);
	c->realtime_runtime =
		i64(u, "cpu-rt-runtime", o->cpu_rt_runtime, plain, c->realtime_runtime);
	c->idle = i64(u, "cpu-idle", o->cpu_idle, plain, c->idle);
	if (o->cpuset_cpus)
		c->cpus = o->cpuset_cpus;
	if (o->cpuset_mems)
		c->mems = o->cpuset_mems;
	u->res->cpu = c;
}

static void set_memory(struct updater *u, const struct options *o)
{
	struct oci_memory *m = u->res->memory ? u->res->memory : room(u, sizeof(*m));

	if (!m)
		return;
	m->limit = i64(u, "memory", o->memory, size_parse, m->limit);
	m->reservation =
		i64(u, "memory-reservation", o->memory_reservation, size_parse, m->reservation);
	m->swap = i64(u, "memory-swap", o->memory_swap, size_parse, m->swap);
	m->kernel = i64(u, "kernel-memory", o->kernel_memory, size_parse, m->kernel);
	m->kernel_tcp =
		i64(u, "kernel-memory-tcp", o->kernel_memory_tcp, size_parse, m->kernel_tcp);
	u->res->memory = m;
}

static void set_others(struct updater *u, const struct options *o)
{
	uint64_t weight;

	if (o->pids_limit) {
		struct oci_pids *p = room(u, sizeof(*p));

		if (p && parse_i64(o->pids_limit, INT64_MIN, INT64_MAX, &p->limit) < 0)
			refuse(u, "pids-limit", o->pids_limit);
		u->res->pids = p;
	}
	if (!o->blkio_weight)
		return;
	struct oci_block_io *b = u->res->block_io ? u->res->block_io : room(u, sizeof(*b));
	uint32_t *w = room(u, sizeof(*w));

	if (parse_u64(o->blkio_weight, UINT16_MAX, &weight) < 0)
		refuse(u, "blkio-weight", o->blkio_weight);
	if (!b || !w || u->failed)
		return;
	*w = (uint32_t)weight;
	b->weight = w;
	u->res->block_io = b;
}

static int apply_flags(const struct cli *c, struct oci_resources *res, struct err *err)
{
	struct updater u = { c->arena, err, res, false };
	const struct options *o = &c->o;

	if (o->cpu_share || o->cpu_period || o->cpu_burst || o->cpu_rt_period || o->cpu_quota ||
		o->cpu_rt_runtime || o->cpu_idle || o->cpuset_cpus || o->cpuset_mems)
		set_cpu(&u, o);
	if (o->memory || o->memory_reservation || o->memory_swap || o->kernel_memory ||
		o->kernel_memory_tcp)
		set_memory(&u, o);
	set_others(&u, o);
	return u.failed ? -1 : 0;
}

/* ---- the verb ---- */

static int read_resources(const char *path, char **ret, size_t *ret_n, struct err *err)
{
	if (strcmp(path, "-") == 0) {
		if (fd_read_all(STDIN_FILENO, RESOURCES_BYTES_MAX, ret, ret_n) < 0)
			return err_sys(err, errno, "read", "standard input");
		return 0;
	}
	if (file_read(AT_FDCWD, path, RESOURCES_BYTES_MAX, ret, ret_n, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? err_set(err, ERR_NOT_FOUND, path, "the resources file is missing")
			       : -1;
	return 0;
}

static int from_file(const struct cli *c, struct oci_resources *ret, struct err *err)
{
	_free_ char *text = NULL;
	struct oci_resources *res;
	size_t n;

	if (!c->o.resources)
		return 0;
	if (read_resources(c->o.resources, &text, &n, err) < 0)
		return -1;
	if (oci_resources_parse(text, n, c->arena, &res, err) < 0)
		return err_in(err, "resources:");
	*ret = *res;
	return 0;
}

int verb_update(struct cli *c, struct err *err)
{
	_cleanup_(close_container) struct ctr_container *k = NULL;
	struct oci_resources res = { 0 };

	if (c->o.l3_cache_schema || c->o.mem_bw_schema)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"Intel RDT isn't supported: no cache or memory bandwidth schema can be set");
	if (from_file(c, &res, err) < 0 || apply_flags(c, &res, err) < 0)
		return -1;
	k = ctr_container_open(c->engine, c->args[0], CTR_CHANGE, err);
	return k ? ctr_container_update(k, &res, err) : -1;
}
