/* SPDX-License-Identifier: Apache-2.0 */
/* How it begins: all it needs is open already (wire.h says where). */
#include "monitor.h"

struct monitor M;

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

	return r != -1 ? r : -errno;
}
#else
SYS_TEXT;
#endif

static const uint64_t all_signals = ~0ull, sigchld = 1ull << (SIGCHLD - 1);

static void set_up_fds(void)
{
	M.data = MONITOR_FD_DATA;
	M.listener = MONITOR_FD_LISTEN;
	M.events = MONITOR_FD_EVENTS;
	M.log.dir = M.flags & MONITOR_HAS_LOG ? MONITOR_FD_LOG_DIR : -1;
	M.log.fd = M.flags & MONITOR_HAS_LOG ? MONITOR_FD_LOG : -1;
	M.streams[0].fd = MONITOR_FD_STDOUT;
	M.streams[1].fd = M.flags & MONITOR_TTY ? -1 : MONITOR_FD_STDERR;
	M.stdin_fd = M.flags & MONITOR_TTY         ? MONITOR_FD_STDOUT
		     : M.flags & MONITOR_HAS_STDIN ? MONITOR_FD_STDIN
						   : -1;
	for (unsigned i = 0; i < CONNS; i++) {
		struct conn *c = &M.conns[i];
		c->sock = c->in = c->out[0] = c->out[1] = -1;
	}
}

static void set_up_log(const char *path)
{
	struct statx st;

	M.log.path = path;
	M.log.rotate_at = M.log.max_bytes;
	if (M.flags & MONITOR_HAS_LOG &&
		SYS5(statx, M.log.fd, "", AT_EMPTY_PATH, STATX_SIZE, &st) == 0)
		M.log.size = st.stx_size;
}

/* The memory of many containers may run out: not this process first. Without CAP_SYS_RESOURCE it
 * isn't ours to say. */
static void set_up_process(void)
{
	long fd;

	SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, &all_signals, 0, 8);
	SYS2(prctl, PR_SET_NAME, MONITOR_NAME);
	SYS2(prctl, PR_SET_DUMPABLE, 0);
	SYS1(umask, 0);
	SYS1(chdir, "/");
	fd = SYS4(openat, AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
	if (fd >= 0) {
		SYS3(write, fd, "-999", 4);
		SYS1(close, fd);
	}
	M.sigfd = (int)SYS4(signalfd4, -1, &sigchld, 8, O_NONBLOCK | O_CLOEXEC);
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

int monitor_main(long argc, char **argv)
{
	struct monitor_msg ready = { MONITOR_READY, 0 };

	if (argc != 7)
		return 2;
	M.flags = (uint32_t)number(argv[3]);
	M.log.max_bytes = number(argv[4]);
	M.log.max_files = (uint32_t)number(argv[5]);
	M.init = (int32_t)number(argv[6]);
	set_up_fds();
	set_up_log(argv[2]);
	set_up_process();
	if (M.sigfd < 0)
		return 2;
	SYS3(write, MONITOR_FD_STATUS, &ready, sizeof(ready));
	SYS1(close, MONITOR_FD_STATUS);
	loop();
	return 0;
}

#ifndef INIT_HOSTED
void start_c(long *sp) __attribute__((used, noreturn));

void start_c(long *sp)
{
	int status = monitor_main(sp[0], (char **)(sp + 1));

	for (;;)
		SYS1(exit_group, status);
}
#endif
