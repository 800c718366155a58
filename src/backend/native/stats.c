/* SPDX-License-Identifier: Apache-2.0 */
/* What a container uses, by the files of its cgroup. */
#include "backend/native/native.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 10 };

/* A file that isn't there belongs to a controller that isn't on: unknown. */
static char *read_file(const struct cgroup *g, const char *name)
{
	_close_ int fd = openat(g->fd, name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t n;

	if (fd < 0 || fd_read_all(fd, FILE_MAX, &text, &n) < 0)
		return NULL;
	return text;
}

/* The digits that a text begins with. */
static uint64_t number(const char *text, uint64_t of_max)
{
	const size_t n = strspn(text, "0123456789");
	char digits[24];
	uint64_t value;

	if (str_starts(text, "max"))
		return of_max;
	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(n, sizeof(digits) - 1), text);
	return parse_u64(digits, UINT64_MAX, &value) < 0 ? UINT64_MAX : value;
}

static uint64_t file_number(const struct cgroup *g, const char *name, uint64_t of_max)
{
	_free_ char *text = read_file(g, name);

	return text ? number(text, of_max) : UINT64_MAX;
}

/* Of "key value" lines: the value. */
static uint64_t keyed(const struct cgroup *g, const char *name, const char *key)
{
	_free_ char *text = read_file(g, name);
	const size_t n = strlen(key);

	for (const char *line = text; line && *line;) {
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return number(line + n + 1, UINT64_MAX);
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return UINT64_MAX;
}

/* Of io.stat's "8:0 rbytes=1 wbytes=2 ..." lines: the sum over all devices. */
static uint64_t io_sum(const struct cgroup *g, const char *key)
{
	_free_ char *text = read_file(g, "io.stat");
	uint64_t sum = 0;

	if (!text)
		return UINT64_MAX;
	for (const char *at = text; (at = strstr(at, key)); at += strlen(key))
		sum += number(at + strlen(key), 0);
	return sum;
}

static uint64_t uptime(const struct ctr_record *rec, struct err *err)
{
	const uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_stat st;
	struct timespec now;

	if (rec->pid <= 0 || proc_stat(rec->pid, &st, err) != 1 || st.start_time != rec->start_time)
		return UINT64_MAX;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec - MIN((uint64_t)now.tv_sec, st.start_time / ticks);
}

int native_stats(const struct ctr_record *rec, int dir_fd, struct ctr_stats *ret, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;
	struct err gone = ERR_INIT;
	uint64_t us;

	if (!rec->cgroup)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"the container has no cgroup of its own (--cgroup-manager disabled)");
	if (cgroup_open(rec->cgroup, &g, err) < 0)
		return -1;
	us = keyed(&g, "cpu.stat", "usage_usec");
	*ret = (struct ctr_stats){
		.cpu_ns = us == UINT64_MAX ? us : us * 1000,
		.cpu_permille = UINT64_MAX,
		.memory_bytes = file_number(&g, "memory.current", 0),
		.memory_limit = file_number(&g, "memory.max", 0),
		.swap_bytes = file_number(&g, "memory.swap.current", 0),
		.pids = file_number(&g, "pids.current", 0),
		.pids_limit = file_number(&g, "pids.max", 0),
		.net_rx_bytes = UINT64_MAX,
		.net_tx_bytes = UINT64_MAX,
		.disk_read_bytes = io_sum(&g, " rbytes="),
		.disk_written_bytes = io_sum(&g, " wbytes="),
		.uptime_s = uptime(rec, &gone),
	};
	return 0;
}
