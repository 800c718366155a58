/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: the one program of ours that runs inside a container. It maps the plan that lies behind its
 * own image, checks it once from end to end, and interprets it; the first step that fails is
 * reported and ends it.
 */
#include "init.h"

/* What lies at s1..s3 of a step: how far it must reach. */
enum reach {
	TEXT,       /* a NUL-terminated text; nothing at all is the empty one */
	NAME,       /* a text that is one component of a path */
	LIST_A,     /* list of a texts */
	LIST_2A,    /* list of a pairs */
	LIST_LOW,   /* list of (a & 0xffff) texts */
	LIST_HIGH,  /* list of (a >> 16) texts */
	BLOB_A,     /* a bytes */
	BLOB_B8,    /* b structures of 8 bytes */
	BLOB_C4,    /* c numbers of 4 bytes */
	BLOB_MASK,  /* as many longs as set_mempolicy reads for b bits */
	BLOB_SIZED, /* a structure that begins with its size */
};

struct op {
	step_fn *run;
	uint8_t reach[3];
};

static const struct op ops[OP_N] = {
	[OP_GO] = { talk_go },
	[OP_SYNC] = { talk_sync },
	[OP_READY] = { talk_ready },
	[OP_GATE] = { talk_gate },
	[OP_SETNS] = { process_setns },
	[OP_SETNS_PIDFD] = { process_setns_pidfd },
	[OP_UNSHARE] = { process_unshare },
	[OP_FORK] = { process_fork },
	[OP_BE_ROOT] = { process_be_root },
	[OP_NETLINK] = { netlink_send, { BLOB_A } },
	[OP_KEYRING] = { files_keyring },
	[OP_PROPAGATE] = { mounts_propagate },
	[OP_ROOT] = { mounts_root },
	[OP_PROC] = { files_proc },
	[OP_PROC_DONE] = { files_proc_done },
	[OP_FSMOUNT] = { mounts_fsmount, { TEXT, LIST_2A, TEXT } },
	[OP_ATTACH] = { mounts_attach },
	[OP_BIND] = { mounts_bind },
	[OP_SETATTR] = { mounts_setattr },
	[OP_RECONFIG] = { mounts_reconfig, { TEXT, LIST_2A } },
	[OP_MASK] = { mounts_mask },
	[OP_MKDIR] = { files_mkdir },
	[OP_MKNOD] = { files_mknod, { TEXT, NAME } },
	[OP_SYMLINK] = { files_symlink, { TEXT, NAME, TEXT } },
	[OP_PIVOT] = { mounts_pivot },
	[OP_CLOSE] = { process_close },
	[OP_HOSTNAME] = { process_hostname, { BLOB_A } },
	[OP_DOMAINNAME] = { process_domainname, { BLOB_A } },
	[OP_SYSCTL] = { files_sysctl },
	[OP_LABEL] = { files_label, { LIST_A } },
	[OP_SETSID] = { process_setsid },
	[OP_CONSOLE] = { console_open },
	[OP_STDIO] = { files_stdio },
	[OP_UMASK] = { process_umask },
	[OP_PERSONALITY] = { process_personality },
	[OP_SCHED] = { process_sched, { BLOB_SIZED } },
	[OP_IOPRIO] = { process_ioprio },
	[OP_AFFINITY] = { process_affinity, { BLOB_A } },
	[OP_MEMPOLICY] = { process_mempolicy, { BLOB_MASK } },
	[OP_RLIMIT] = { home_rlimit },
	[OP_HOME] = { home_find },
	[OP_BOUNDING] = { process_bounding },
	[OP_IDS] = { process_ids, { BLOB_C4 } },
	[OP_CAPS] = { process_caps },
	[OP_AMBIENT] = { process_ambient },
	[OP_NNP] = { process_nnp },
	[OP_CWD] = { exec_cwd },
	[OP_FIND_EXEC] = { exec_find, { LIST_A } },
	[OP_HOOK] = { hooks_run, { TEXT, LIST_LOW, LIST_HIGH } },
	[OP_SECCOMP] = { exec_seccomp, { BLOB_B8 } },
	[OP_EXEC] = { exec_exec },
};

struct state G;

/* ---- no libc ---- */

#ifndef INIT_HOSTED
/* The compiler makes calls of these out of assignments and initialisers. */
void *memset(void *p, int c, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

__attribute__((used)) void *memset(void *p, int c, size_t n)
{
	for (unsigned char *at = p; n; n--)
		*at++ = (unsigned char)c;
	return p;
}

__attribute__((used)) void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *t = to;

	for (const unsigned char *f = from; n; n--)
		*t++ = *f++;
	return to;
}
#endif

long sys_failed;

#ifdef INIT_HOSTED
long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	if (r != -1)
		return r;
	sys_failed = nr;
	return -errno;
}
#else
SYS_TEXT;
#endif

const char *text_at(uint32_t off)
{
	return G.pool + off;
}

const char *text_next(const char *s)
{
	while (*s++)
		;
	return s;
}

int text_eq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

size_t text_len(const char *s)
{
	return (size_t)(text_next(s) - s) - 1;
}

/* Appends s; the end of the room is `end`, where the last byte stays for NUL. NULL when it doesn't
 * fit. */
char *text_put(char *at, const char *end, const char *s)
{
	if (!at)
		return NULL;
	for (; *s; s++) {
		if (at + 1 >= end)
			return NULL;
		*at++ = *s;
	}
	*at = 0;
	return at;
}

char *text_number(char *at, const char *end, uint64_t n)
{
	char digits[21], *d = digits + sizeof(digits) - 1;

	*d = 0;
	do
		*--d = (char)('0' + n % 10);
	while (n /= 10);
	return text_put(at, end, d);
}

void say(const char *s)
{
	size_t i = 0;

	for (; s[i] && i + 1 < sizeof(G.detail); i++)
		G.detail[i] = s[i];
	G.detail[i] = 0;
}

long fail(long nr, int err)
{
	sys_failed = nr;
	return -err;
}

void close_fd(int fd)
{
	if (fd >= 0)
		SYS1(close, fd);
}

/* ---- the plan ---- */

struct pool {
	const char *at;
	uint32_t size;
};

static int list_ok(const struct pool *p, uint32_t off, uint64_t n)
{
	if (off >= p->size)
		return 0;
	for (; n; n--) {
		while (off < p->size && p->at[off])
			off++;
		if (off++ >= p->size)
			return 0;
	}
	return 1;
}

static int blob_ok(const struct pool *p, uint32_t off, uint64_t n, uint64_t each)
{
	return off < p->size && n <= (p->size - off) / each;
}

static int name_ok(const struct pool *p, uint32_t off)
{
	const char *s = p->at + off;

	if (!list_ok(p, off, 1) || !*s || text_eq(s, ".") || text_eq(s, ".."))
		return 0;
	while (*s && *s != '/')
		s++;
	return !*s;
}

static int sized_ok(const struct pool *p, uint32_t off)
{
	uint32_t size = 0;

	if (!blob_ok(p, off, 1, sizeof(size)))
		return 0;
	for (unsigned i = 0; i < sizeof(size); i++)
		((char *)&size)[i] = p->at[off + i];
	return blob_ok(p, off, size, 1);
}

static int reach_ok(const struct pool *p, const struct wire_step *s, enum reach reach, uint32_t off)
{
	switch (reach) {
	case TEXT: return list_ok(p, off, 1);
	case NAME: return name_ok(p, off);
	case LIST_A: return list_ok(p, off, s->a);
	case LIST_2A: return s->a <= UINT32_MAX && list_ok(p, off, 2 * s->a);
	case LIST_LOW: return list_ok(p, off, s->a & 0xffff);
	case LIST_HIGH: return list_ok(p, off, s->a >> 16);
	case BLOB_A: return blob_ok(p, off, s->a, 1);
	case BLOB_B8: return blob_ok(p, off, s->b, 8);
	case BLOB_C4: return blob_ok(p, off, s->c, 4);
	case BLOB_MASK: return blob_ok(p, off, s->b / 64 + 1, 8) || !s->b;
	case BLOB_SIZED: return sized_ok(p, off);
	}
	return 0;
}

static int step_ok(const struct pool *p, const struct wire_step *s, int last)
{
	if (s->op >= OP_N || !ops[s->op].run || (last && s->flags & STEP_ELSE) || s->flags >> 15)
		return 0;
	if (s->op == OP_HOOK && (s->c > UINT32_MAX || !list_ok(p, (uint32_t)s->c, 1)))
		return 0;
	return reach_ok(p, s, ops[s->op].reach[0], s->s1) &&
	       reach_ok(p, s, ops[s->op].reach[1], s->s2) &&
	       reach_ok(p, s, ops[s->op].reach[2], s->s3);
}

long plan_check(const struct wire_plan *plan, size_t size)
{
	struct pool p;

	if (size < sizeof(*plan) || plan->magic != WIRE_MAGIC || plan->size > size ||
		plan->strings >= plan->size || plan->strings < sizeof(*plan) ||
		plan->n_steps > (plan->strings - sizeof(*plan)) / sizeof(plan->step[0]))
		return -ENOEXEC;
	p.at = (const char *)plan + plan->strings;
	p.size = plan->size - plan->strings;
	if (p.at[0] || plan->preserve > INT32_MAX - 3 || !list_ok(&p, plan->argv, plan->argc) ||
		!list_ok(&p, plan->envp, plan->envc) || !list_ok(&p, plan->state_head, 1) ||
		!list_ok(&p, plan->state_tail, 1))
		return -ENOEXEC;
	for (uint32_t i = 0; i < plan->n_steps; i++)
		if (!step_ok(&p, &plan->step[i], i + 1 == plan->n_steps)) {
			G.step = i;
			return -ENOEXEC;
		}
	return 0;
}

/* Times are for people: where they can't be taken, there are none. */
static void trace(uint32_t i)
{
	struct __kernel_timespec now;

	if (G.trace && !G.finished && SYS2(clock_gettime, 1 /* CLOCK_MONOTONIC */, &now) == 0)
		G.trace[i] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void trace_open(const struct wire_plan *plan)
{
	size_t size = ((size_t)plan->n_steps + 1) * sizeof(uint64_t);
	long p;

	if (plan->trace_fd < 0)
		return;
	p = SYS6(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, plan->trace_fd, 0);
	if (p > 0 || p < -4095)
		G.trace = (uint64_t *)p;
	close_fd(plan->trace_fd);
}

/* What is opened from here on must never become a standard fd by accident. */
static long stdio_open(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (SYS2(fcntl, fd, F_GETFD) < 0) {
			say("a standard file descriptor is closed");
			return -EBADF;
		}
	return 0;
}

static int may_stand_in(const struct wire_step *s, long r)
{
	return s->flags & STEP_ELSE && (r == -EPERM || r == -EBUSY || r == -EINVAL);
}

static long run_steps(const struct wire_plan *plan)
{
	const struct wire_step *s = plan->step;

	for (uint32_t i = 0; i < plan->n_steps; i++) {
		long r;

		G.step = i;
		G.value = 0;
		G.detail[0] = 0;
		trace(i);
		if (s[i].op == OP_GATE || s[i].op == OP_EXEC || s[i].op == OP_SECCOMP)
			trace(plan->n_steps);
		if (s[i].op != OP_MKNOD && s[i].op != OP_SYMLINK)
			folder_forget(); /* what this step does may change what its path means */
		r = ops[s[i].op].run(&s[i]);
		if (r < 0 && !may_stand_in(&s[i], r))
			return r;
		while (r >= 0 && s[i].flags & STEP_ELSE)
			i++;
	}
	trace(plan->n_steps);
	return 0;
}

int init_run(const struct wire_plan *plan, size_t size)
{
	long r;

	G.root = G.dir = G.proc = G.masked[0] = G.masked[1] = G.report_fd = G.hook_fd = -1;
	if (size < sizeof(*plan) || plan->magic != WIRE_MAGIC)
		return 1;
	G.report_fd = plan->ctl_fd;
	G.hook_fd = plan->hook_fd;
	G.step = UINT32_MAX;
	r = plan_check(plan, size);
	if (r == 0) {
		G.plan = plan;
		G.pool = (const char *)plan + plan->strings;
		G.pool_size = plan->size - plan->strings;
		r = stdio_open();
	}
	if (r == 0) {
		process_begin();
		trace_open(plan);
		r = run_steps(plan);
	}
	if (r == 0)
		return 0;
	talk_error(-r);
	return 1;
}

#ifndef INIT_HOSTED
static long number(const char *s)
{
	long n = 0;

	if (!*s)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || n > INT32_MAX)
			return -1;
		n = n * 10 + (*s - '0');
	}
	return n;
}

static int start(long argc, char **argv)
{
	struct statx st;
	long fd, at, map;
	size_t size;

	/* First of all: what is inside must not look at us, nor outlive who asked for it. */
	SYS2(prctl, PR_SET_DUMPABLE, 0);
	SYS2(prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 3 || (fd = number(argv[1])) < 0 || (at = number(argv[2])) < 0)
		return 2;
	if (stat_fd((int)fd, &st) < 0 || st.stx_size <= (uint64_t)at)
		return 2;
	size = st.stx_size - (uint64_t)at;
	map = SYS6(mmap, 0, size, PROT_READ, MAP_PRIVATE, fd, at);
	if (map < 0 && map > -4096)
		return 2;
	close_fd((int)fd);
	return init_run((const struct wire_plan *)map, size);
}

void start_c(long *sp) __attribute__((used, noreturn));

void start_c(long *sp)
{
	int status = start(sp[0], (char **)(sp + 1));

	for (;;)
		SYS1(exit_group, status);
}

#endif
