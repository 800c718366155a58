/* SPDX-License-Identifier: Apache-2.0 */
/* stats: what containers use now, whichever backend they are of. */
#include "cli/cli.h"

#include "base/json.h"

#include <inttypes.h>

enum { ID_WIDTH = 64 };

static void close_container(struct ctr_container **k)
{
	*k = ctr_container_close(*k);
}

#define ROW(member, name)                                \
	{                                                \
		name, offsetof(struct ctr_stats, member) \
	}
static const struct {
	const char *name;
	size_t off;
} rows[] = {
	ROW(cpu_ns, "cpuNanoseconds"),
	ROW(cpu_permille, "cpuPermille"),
	ROW(memory_bytes, "memoryBytes"),
	ROW(memory_limit, "memoryLimitBytes"),
	ROW(swap_bytes, "swapBytes"),
	ROW(pids, "pids"),
	ROW(pids_limit, "pidsLimit"),
	ROW(net_rx_bytes, "networkReceivedBytes"),
	ROW(net_tx_bytes, "networkSentBytes"),
	ROW(disk_read_bytes, "diskReadBytes"),
	ROW(disk_written_bytes, "diskWrittenBytes"),
	ROW(uptime_s, "uptimeSeconds"),
};

static void write_json(struct json_writer *w, const char *id, const struct ctr_stats *s)
{
	json_w_object(w);
	json_w_key(w, "id");
	json_w_str(w, id);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = *(const uint64_t *)((const char *)s + rows[i].off);
		if (value == UINT64_MAX)
			continue;
		json_w_key(w, rows[i].name);
		json_w_u64(w, value);
	}
	json_w_object_end(w);
}

static const char *cell(uint64_t value, char buf[24])
{
	if (value == UINT64_MAX)
		return "-";
	snprintf(buf, 24, "%" PRIu64, value);
	return buf;
}

static void write_row(struct str *out, const char *id, const struct ctr_stats *s)
{
	char ms[24], percent[24] = "-", memory[24], limit[24], pids[24];

	if (s->cpu_permille != UINT64_MAX)
		snprintf(percent, sizeof(percent), "%" PRIu64 ".%" PRIu64, s->cpu_permille / 10,
			s->cpu_permille % 10);
	str_printf(out, "%-*s %10s %6s %14s %14s %6s\n", ID_WIDTH, id,
		cell(s->cpu_ns == UINT64_MAX ? s->cpu_ns : s->cpu_ns / 1000000, ms), percent,
		cell(s->memory_bytes, memory),
		s->memory_limit ? cell(s->memory_limit, limit) : "none", cell(s->pids, pids));
}

/* The id as it was given may be the beginning of one: the whole one is shown. */
static int add(struct cli *c, const char *id, bool json, struct json_writer *w, struct str *out,
	struct err *err)
{
	_cleanup_(close_container) struct ctr_container *k =
		ctr_container_open(c->engine, id, CTR_READ, err);
	struct ctr_stats s;

	if (!k || ctr_container_stats(k, &s, err) < 0)
		return -1;
	if (json)
		write_json(w, ctr_container_record(k)->id, &s);
	else
		write_row(out, ctr_container_record(k)->id, &s);
	return 0;
}

int verb_stats(struct cli *c, struct err *err)
{
	const bool json = str_eq(c->o.format, "json");
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 2 };

	if (c->o.format && !json && !str_eq(c->o.format, "table"))
		return err_set(err, ERR_USAGE, NULL,
			"invalid format option \"%s\": table and json are known", c->o.format);
	if (json)
		json_w_array(&w);
	else
		str_printf(&out, "%-*s %10s %6s %14s %14s %6s\n", ID_WIDTH, "ID", "CPU MS", "CPU %",
			"MEMORY", "LIMIT", "PIDS");
	for (int i = 0; i < c->n_args; i++) {
		if (add(c, c->args[i], json, &w, &out, err) == 0)
			continue;
		c->args[0] = c->args[i]; /* of several, the one that failed */
		return -1;
	}
	if (json) {
		json_w_array_end(&w);
		str_add(&out, "\n");
	}
	return print_out(&out, err);
}
