/* SPDX-License-Identifier: Apache-2.0 */
/* The end of init, written down so that it outlives everything. */
#include "monitor.h"

#define EXIT_FILE "exit.json"
#define EXIT_TMP  ".exit.json.tmp"

enum { TRIES = 30, RETRY_MS = 1000, OOM_TEXT_MAX = 1024 };

#define WNOHANG_ 1

/* Everything that has ended: init, and what others left to us. */
void reap(void)
{
	int status;
	long pid;

	while ((pid = SYS4(wait4, -1, &status, WNOHANG_, NULL)) > 0) {
		if (pid != M.init || M.ended)
			continue;
		M.status = status;
		M.ended = 1;
		M.ended_at = M.quiet_at = now_ms();
	}
}

/* The number behind "oom_kill " in memory.events. */
static uint64_t oom_kills(void)
{
	static const char key[] = "oom_kill ";
	char text[OOM_TEXT_MAX];
	uint64_t n = 0;
	size_t k = 0;
	long got;

	if (!(M.flags & MONITOR_HAS_EVENTS))
		return 0;
	got = SYS4(pread64, M.events, text, sizeof(text) - 1, 0);
	if (got <= 0)
		return 0;
	text[got] = 0;
	for (const char *at = text; *at; at++) {
		for (k = 0; key[k] && at[k] == key[k]; k++)
			;
		if (!key[k] && (at == text || at[-1] == '\n')) {
			for (at += k; *at >= '0' && *at <= '9'; at++)
				n = n * 10 + (uint64_t)(*at - '0');
			return n;
		}
	}
	return 0;
}

static const char *reason(int code, uint64_t kills)
{
	if (!code)
		return "Completed";
	return kills ? "OOMKilled" : "Error";
}

size_t record_text(char *text, size_t room, int status, uint64_t kills, uint64_t sec, uint32_t nsec,
	const char *boot_id)
{
	const char *end = text + room;
	int sig = status & 0x7f, code = sig ? 128 + sig : status >> 8 & 0xff;
	char *at = put_number(put_text(text, end, "{\"exitCode\":"), end, (uint64_t)code);

	at = put_number(put_text(at, end, ",\"signal\":"), end, (uint64_t)sig);
	at = put_text(at, end, kills ? ",\"oomKilled\":true" : ",\"oomKilled\":false");
	at = put_text(put_text(at, end, ",\"reason\":\""), end, reason(code, kills));
	at = put_time(put_text(at, end, "\",\"finishedAt\":\""), end, sec, nsec);
	at = put_text(put_text(at, end, "\",\"bootId\":\""), end, boot_id);
	at = put_text(at, end, "\"");
	if (M.log.lost)
		at = put_number(put_text(at, end, ",\"logLinesLost\":"), end, M.log.lost);
	at = put_text(at, end, "}\n");
	return at ? (size_t)(at - text) : 0;
}

static void boot_id(char *id, size_t room)
{
	long fd =
		SYS4(openat, AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC, 0);
	long n = fd < 0 ? 0 : SYS3(read, fd, id, room - 1);

	if (fd >= 0)
		SYS1(close, fd);
	id[n > 0 ? n : 0] = 0;
	for (; *id; id++)
		if (*id == '\n')
			*id = 0;
}

static long write_record(const char *text, size_t n)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
	long fd = SYS4(openat, M.data, EXIT_TMP, flags, 0600), r;

	if (fd < 0)
		return fd;
	r = SYS3(write, fd, text, n);
	if (r >= 0)
		r = (size_t)r == n ? SYS1(fsync, fd) : -ENOSPC;
	SYS1(close, fd);
	if (r == 0)
		r = SYS5(renameat2, M.data, EXIT_TMP, M.data, EXIT_FILE, 0);
	else
		SYS3(unlinkat, M.data, EXIT_TMP, 0);
	return r == 0 ? SYS1(fsync, M.data) : r;
}

void record(void)
{
	static char text[512], id[64];
	static size_t n;
	struct __kernel_timespec t = { 0, 0 };
	long r;

	if (!M.tries) {
		SYS2(clock_gettime, 0 /* CLOCK_REALTIME */, &t);
		boot_id(id, sizeof(id));
		n = record_text(text, sizeof(text), M.status, oom_kills(), (uint64_t)t.tv_sec,
			(uint32_t)t.tv_nsec, id);
	}
	r = write_record(text, n);
	/* A folder that was removed is nobody's loss any more. */
	if (r == 0 || r == -ENOENT || ++M.tries >= TRIES) {
		M.recorded = 1;
		if (r == 0)
			conn_recorded();
	} else {
		M.retry_at = now_ms() + RETRY_MS;
	}
}
