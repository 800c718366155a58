/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup module by hand: one verb per call, for the test programs beside it. Run it without
 * arguments for the list. */
#include "backend/native/cgroup.h"
#include "backend/native/devices.h"
#include "base/arena.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIST_MAX = 1024 };

/* ---- resources from KEY=VALUE ---- */

static struct oci_memory memory;
static struct oci_cpu cpu;
static struct oci_pids pids;
static struct oci_block_io io;
static struct oci_weight_device weight_devices[LIST_MAX];
static struct oci_throttle_device throttles[4][LIST_MAX];
static struct oci_hugepage_limit hugepages[LIST_MAX];
static struct oci_rdma rdma[LIST_MAX];
static const char *rdma_keys[LIST_MAX];
static struct ctr_pair unified[LIST_MAX];
static struct oci_device_rule rules[LIST_MAX];
static struct oci_resources res = { .devices = rules, .hugepage_limits = hugepages };

static void *boxed(const void *p, size_t n)
{
	void *copy = malloc(n);

	if (!copy)
		abort();
	return memcpy(copy, p, n);
}
#define BOX(type, value) boxed(&(type){ (type)(value) }, sizeof(type))

static long long number(const char *s)
{
	char *end;
	long long v = strtoll(s, &end, 0);

	if (end == s) {
		fprintf(stderr, "not a number: %s\n", s);
		exit(2);
	}
	return v;
}

/* "allow c 1:3 rwm", "deny a *:* rwm" */
static void add_rule(const char *text)
{
	struct oci_device_rule *r = &rules[res.n_devices++];
	char verb[8], type[8], major[16], minor[16], access[8];

	if (sscanf(text, "%7s %7s %15[^:]:%15s %7s", verb, type, major, minor, access) != 5) {
		fprintf(stderr, "not a device rule: %s\n", text);
		exit(2);
	}
	r->allow = strcmp(verb, "allow") == 0;
	r->type = strdup(type);
	r->access = strdup(access);
	if (*major != '*')
		r->major = BOX(int64_t, number(major));
	if (*minor != '*')
		r->minor = BOX(int64_t, number(minor));
}

/* "8:0 1048576" */
static void add_throttle(int kind, const char *text)
{
	struct oci_throttle_device **lists[] = { &io.throttle_read_bps, &io.throttle_write_bps,
		&io.throttle_read_iops, &io.throttle_write_iops };
	size_t *counts[] = { &io.n_throttle_read_bps, &io.n_throttle_write_bps,
		&io.n_throttle_read_iops, &io.n_throttle_write_iops };
	struct oci_throttle_device *t = &throttles[kind][(*counts[kind])++];

	*lists[kind] = throttles[kind];
	if (sscanf(text, "%" SCNd64 ":%" SCNd64 " %" SCNu64, &t->major, &t->minor, &t->rate) != 3)
		exit(2);
}

static void add_weight_device(const char *text)
{
	struct oci_weight_device *w = &weight_devices[io.n_weight_device++];
	uint32_t weight;

	io.weight_device = weight_devices;
	if (sscanf(text, "%" SCNd64 ":%" SCNd64 " %" SCNu32, &w->major, &w->minor, &weight) != 3)
		exit(2);
	w->weight = BOX(uint32_t, weight);
}

static bool add_number(const char *key, const char *value)
{
	const struct {
		const char *key;
		void **member;
		void *parent;
		void **slot;
	} rows[] = {
		{ "memory.limit", (void **)&memory.limit, &memory, (void **)&res.memory },
		{ "memory.reservation", (void **)&memory.reservation, &memory,
			(void **)&res.memory },
		{ "memory.swap", (void **)&memory.swap, &memory, (void **)&res.memory },
		{ "memory.swappiness", (void **)&memory.swappiness, &memory, (void **)&res.memory },
		{ "cpu.shares", (void **)&cpu.shares, &cpu, (void **)&res.cpu },
		{ "cpu.quota", (void **)&cpu.quota, &cpu, (void **)&res.cpu },
		{ "cpu.period", (void **)&cpu.period, &cpu, (void **)&res.cpu },
		{ "cpu.burst", (void **)&cpu.burst, &cpu, (void **)&res.cpu },
		{ "cpu.idle", (void **)&cpu.idle, &cpu, (void **)&res.cpu },
		{ "cpu.realtimeRuntime", (void **)&cpu.realtime_runtime, &cpu, (void **)&res.cpu },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		*rows[i].member = BOX(int64_t, number(value)); /* all of them have 64 bits */
		*rows[i].slot = rows[i].parent;
		return true;
	}
	return false;
}

static void add_resource(char *text)
{
	static const char *const throttle_keys[] = { "rbps", "wbps", "riops", "wiops" };
	char *value = strchr(text, '=');

	if (!value)
		exit(2);
	*value++ = '\0';
	for (int i = 0; i < 4; i++) {
		if (strcmp(text, throttle_keys[i]) == 0) {
			res.block_io = &io;
			add_throttle(i, value);
			return;
		}
	}
	if (add_number(text, value)) {
		return;
	} else if (strcmp(text, "pids.limit") == 0) {
		pids.limit = number(value);
		res.pids = &pids;
	} else if (strcmp(text, "memory.check") == 0) {
		memory.check_before_update = true;
		res.memory = &memory;
	} else if (strcmp(text, "cpu.cpus") == 0) {
		cpu.cpus = value;
		res.cpu = &cpu;
	} else if (strcmp(text, "cpu.mems") == 0) {
		cpu.mems = value;
		res.cpu = &cpu;
	} else if (strcmp(text, "blockIO.weight") == 0) {
		io.weight = BOX(uint32_t, number(value));
		res.block_io = &io;
	} else if (strcmp(text, "weightDevice") == 0) {
		add_weight_device(value);
		res.block_io = &io;
	} else if (strncmp(text, "hugetlb.", 8) == 0) {
		hugepages[res.n_hugepage_limits++] =
			(struct oci_hugepage_limit){ text + 8, (uint64_t)number(value) };
	} else if (strncmp(text, "rdma.", 5) == 0) {
		rdma_keys[res.rdma.n] = text + 5;
		rdma[res.rdma.n].hca_handles = BOX(uint32_t, number(value));
		res.rdma = (struct ctr_map_obj){ rdma_keys, rdma, res.rdma.n + 1 };
	} else if (strcmp(text, "device") == 0) {
		add_rule(value);
	} else if (strncmp(text, "unified.", 8) == 0) {
		unified[res.unified.n] = (struct ctr_pair){ text + 8, value };
		res.unified = (struct ctr_map_str){ unified, res.unified.n + 1 };
	} else {
		fprintf(stderr, "unknown resource: %s\n", text);
		exit(2);
	}
}

/* ---- verbs ---- */

struct call {
	const char *path;
	char **args; /* the rest */
	struct err *err;
};

static int v_mountpoint(struct call *c)
{
	const char *mnt = cgroup_mountpoint(c->err);

	return mnt ? (puts(mnt), 0) : -1;
}

/* path is the id here */
static int v_path(struct call *c)
{
	_arena_ struct arena *arena = arena_new();
	const char *path = cgroup_path(c->args[0], c->path, arena, c->err);

	return path ? (puts(path), 0) : -1;
}

static int v_values(struct call *c)
{
	_arena_ struct arena *arena = arena_new();
	struct cgroup_values values;

	if (cgroup_check(&res, c->err) < 0 || cgroup_values(&res, arena, &values, c->err) < 0)
		return -1;
	for (size_t i = 0; i < values.n; i++)
		printf("%s %s\n", values.items[i].file, values.items[i].text);
	return 0;
}

static int v_create(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	if (cgroup_check(&res, c->err) < 0 || cgroup_create(c->path, &res, &cg, c->err) < 0)
		return -1;
	puts(cg.created ? "created" : "taken over");
	if (cgroup_limit(&cg, &res, c->err) < 0 ||
		cgroup_devices(&cg, res.devices, res.n_devices, c->err) < 0) {
		struct err ignored = ERR_INIT;
		if (cg.created && cgroup_remove(c->path, &ignored) < 0)
			fprintf(stderr, "and the group stayed behind\n");
		return -1;
	}
	return 0;
}

static int v_limit(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_check(&res, c->err) < 0 || cgroup_open(c->path, &cg, c->err) < 0
		       ? -1
		       : cgroup_limit(&cg, &res, c->err);
}

static int v_late(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0 ? -1 : cgroup_limit_late(&cg, &res, c->err);
}

static int v_devices(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0
		       ? -1
		       : cgroup_devices(&cg, res.devices, res.n_devices, c->err);
}

static int v_freeze(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0 ? -1 : cgroup_freeze(&cg, 2000, c->err);
}

static int v_thaw(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0 ? -1 : cgroup_thaw(&cg, c->err);
}

static int v_frozen(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;
	int r = cgroup_open(c->path, &cg, c->err) < 0 ? -1 : cgroup_is_frozen(&cg, c->err);

	return r < 0 ? -1 : (printf("%d\n", r), 0);
}

static int v_signal(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0
		       ? -1
		       : cgroup_signal(&cg, (int)number(c->args[0]), c->err);
}

static int v_wait(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0
		       ? -1
		       : cgroup_wait_empty(&cg, (int)number(c->args[0]), c->err);
}

static int v_pids(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;
	_free_ pid_t *list = NULL;
	size_t n = 0;

	if (cgroup_open(c->path, &cg, c->err) < 0 || cgroup_pids(&cg, &list, &n, c->err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		printf("%d\n", list[i]);
	return 0;
}

static int v_holds(struct call *c)
{
	int r = cgroup_holds(c->path, (pid_t)number(c->args[0]), c->err);

	return r < 0 ? -1 : (printf("%d\n", r), 0);
}

static int v_delegate(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	return cgroup_open(c->path, &cg, c->err) < 0
		       ? -1
		       : cgroup_delegate(&cg, (uint32_t)number(c->args[0]),
				 (uint32_t)number(c->args[1]), c->err);
}

static int v_remove(struct call *c)
{
	return cgroup_remove(c->path, c->err);
}

static int v_remove_empty(struct call *c)
{
	return printf("%d\n", cgroup_remove_empty(c->path)) < 0 ? -1 : 0;
}

/* Enters the group and executes the rest. */
static int v_enter(struct call *c)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;

	if (cgroup_open(c->path, &cg, c->err) < 0)
		return -1;
	if (file_put(cg.fd, "cgroup.procs", "0") < 0)
		return err_sys(c->err, errno, "write", "cgroup.procs");
	execvp(c->args[0], c->args);
	return err_sys(c->err, errno, "execvp", "%s", c->args[0]);
}

/* What the caller may do with a device: a subset of "rwm", from tries. Nodes are made in the
 * current folder. */
static int v_access(struct call *c)
{
	unsigned maj, min;
	char type;
	mode_t mode;
	struct stat st;

	if (sscanf(c->path, "%c%u:%u", &type, &maj, &min) != 3)
		exit(2);
	mode = (type == 'b' ? S_IFBLK : S_IFCHR) | 0600;
	bool made = mknod("made", mode, makedev(maj, min)) == 0;
	(void)unlink("made");
	/* The node to open was made outside of the group, under the name of the device. */
	const char *node = c->path;
	bool there = stat(node, &st) == 0;
	int r = there ? open(node, O_RDONLY | O_NONBLOCK | O_NOCTTY) : -1;
	bool can_read = r >= 0 || (there && errno != EPERM);
	fd_close(r);
	r = there ? open(node, O_WRONLY | O_NONBLOCK | O_NOCTTY) : -1;
	bool can_write = r >= 0 || (there && errno != EPERM);
	fd_close(r);
	printf("%s%s%s\n", can_read ? "r" : "", can_write ? "w" : "", made ? "m" : "");
	return 0;
}

/* ---- figures ---- */

enum { B_CREATE, B_LIMIT, B_COMPILE, B_LOAD, B_ATTACH, B_CLOSE, B_REMOVE, B_N };

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int bench_round(struct call *c, double *out[B_N], int i)
{
	_cleanup_(cgroup_close) struct cgroup cg = CGROUP_INIT;
	_arena_ struct arena *arena = arena_new();
	struct device_program p;
	double t[B_N + 1];

	t[0] = now_us();
	if (cgroup_create(c->path, &res, &cg, c->err) < 0)
		return -1;
	t[1] = now_us();
	if (cgroup_limit(&cg, &res, c->err) < 0)
		return -1;
	t[2] = now_us();
	if (devices_compile(res.devices, res.n_devices, arena, &p, c->err) < 0)
		return -1;
	t[3] = now_us();
	_close_ int fd = devices_load(&p, c->err);
	if (fd < 0)
		return -1;
	t[4] = now_us();
	if (devices_attach(cg.fd, fd, true, c->err) < 0)
		return -1;
	t[5] = now_us();
	fd = fd_close(fd);
	cgroup_close(&cg);
	t[6] = now_us();
	if (cgroup_remove(c->path, c->err) < 0)
		return -1;
	t[7] = now_us();
	if (i == 0)
		printf("program: %zu instructions\n", p.n);
	for (int k = 0; k < B_N; k++)
		out[k][i] = t[k + 1] - t[k];
	return 0;
}

static int v_bench(struct call *c)
{
	static const char *const names[B_N] = { "create", "limit", "compile devices",
		"load devices", "attach", "close", "remove" };
	const int n = 300;
	double *out[B_N];

	for (int k = 0; k < B_N; k++)
		out[k] = calloc((size_t)n, sizeof(double));
	for (int i = 0; i < n; i++) {
		if (bench_round(c, out, i) < 0)
			return -1;
		usleep(3000);
	}
	for (int k = 0; k < B_N; k++) {
		qsort(out[k], (size_t)n, sizeof(double), by_value);
		printf("%-16s min %6.1f  median %6.1f us\n", names[k], out[k][0], out[k][n / 2]);
		free(out[k]);
	}
	return 0;
}

static const struct {
	const char *name, *args;
	int (*fn)(struct call *);
	int n_args; /* after PATH, at least; the others are resources */
	bool resources;
} verbs[] = {
	{ "mountpoint", "", v_mountpoint, -1, false },
	{ "path", "ID [CGROUPSPATH]", v_path, 0, false },
	{ "values", "- KEY=VALUE...", v_values, 0, true },
	{ "create", "PATH KEY=VALUE...", v_create, 0, true },
	{ "limit", "PATH KEY=VALUE...", v_limit, 0, true },
	{ "late", "PATH KEY=VALUE...", v_late, 0, true },
	{ "devices", "PATH device='allow c 1:3 rwm'...", v_devices, 0, true },
	{ "bench", "PATH KEY=VALUE...", v_bench, 0, true },
	{ "freeze", "PATH", v_freeze, 0, false },
	{ "thaw", "PATH", v_thaw, 0, false },
	{ "frozen", "PATH", v_frozen, 0, false },
	{ "signal", "PATH NUMBER", v_signal, 1, false },
	{ "wait", "PATH MS", v_wait, 1, false },
	{ "pids", "PATH", v_pids, 0, false },
	{ "holds", "PATH PID", v_holds, 1, false },
	{ "delegate", "PATH UID GID", v_delegate, 2, false },
	{ "remove", "PATH", v_remove, 0, false },
	{ "remove-empty", "PATH", v_remove_empty, 0, false },
	{ "enter", "PATH COMMAND...", v_enter, 1, false },
	{ "access", "TYPE+MAJOR:MINOR", v_access, 0, false },
};

static int usage(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(stderr, "cgroup-probe %s %s\n", verbs[i].name, verbs[i].args);
	return 2;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct call c = {
		.path = argc > 2 ? argv[2] : "", .args = argv + MIN(argc, 3), .err = &err
	};
	char line[2048];

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (argc < verbs[i].n_args + 3)
			return usage();
		for (int k = 3; verbs[i].resources && k < argc; k++)
			add_resource(argv[k]);
		if (verbs[i].fn(&c) == 0)
			return 0;
		err_line(&err, line, sizeof(line));
		fprintf(stderr, "%s: %s\n", err_code_name(err.code), line);
		if (*err.hint)
			fprintf(stderr, "  hint: %s\n", err.hint);
		return 1;
	}
	return usage();
}
