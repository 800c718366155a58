/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctrctl-monitor: one process per container made from a request. It reaps init and records how it
 * ended, writes the log, and passes the standard streams to and from whoever attaches. One loop
 * over ppoll; nothing in it waits for anybody. No libc, no allocation.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "init/sys.h"
#include "monitor/wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
	CONNS = 16,         /* connections at a time */
	ATTACHED = 8,       /* of which attached */
	IN_MAX = 4096,      /* bytes on their way to stdin */
	OUT_MAX = 20 << 10, /* log text written at once: a full line and its head fit */
	PATH_ROOM = 4096,
	TIME_ROOM = 36,
};

/* One of the container's outputs: what was read of it and isn't done with. */
struct stream {
	int fd;         /* -1: at its end */
	uint8_t hung;   /* a terminal that nobody has open just now */
	uint32_t line;  /* where the first line that isn't logged begins */
	uint32_t fresh; /* where the bytes that attached clients haven't all got begin */
	uint32_t end;
	char buf[MONITOR_LINE_MAX + 1];
};

struct conn {
	int sock; /* -1: free */
	int in, out[2];
	uint32_t sent[2]; /* bytes of the stream's fresh ones */
	uint64_t stalled; /* since when it has taken nothing, ms; 0: it doesn't stall */
	uint8_t sockets;  /* which of in, out[0], out[1] are sockets: bits 0 to 2 */
	uint8_t attached, waits, patient, fed; /* fed: its `in` was taken */
};

struct log {
	int dir, fd;
	const char *path;
	uint64_t max_bytes, size, rotate_at;
	uint32_t max_files;
	uint64_t lost;  /* lines that couldn't be written */
	uint32_t lines; /* in out */
	uint32_t n;
	char time[TIME_ROOM];
	char out[OUT_MAX];
};

struct monitor {
	uint32_t flags;
	int32_t init;
	int data, listener, sigfd, stdin_fd, events;
	struct stream streams[2];
	struct log log;
	struct conn conns[CONNS];
	uint32_t in_n;
	uint8_t in_ends;  /* stdin is to be closed when in is empty */
	uint8_t ended;    /* init was reaped */
	uint8_t recorded; /* and that is on disk, or can't be */
	uint8_t tries;
	int32_t status;                        /* of init, as wait4 gives it */
	uint64_t ended_at, quiet_at, retry_at; /* ms */
	char in[IN_MAX];
	char scratch[PATH_ROOM];
};
extern struct monitor M;

/* ---- text.c ---- */
/* Appends; the end of the room is `end`, where the last byte stays for NUL. NULL in, or no room:
 * NULL. */
char *put_text(char *at, const char *end, const char *s);
char *put_number(char *at, const char *end, uint64_t n);
/* RFC 3339 in UTC with nanoseconds. */
char *put_time(char *at, const char *end, uint64_t sec, uint32_t nsec);
size_t text_len(const char *);
void move_bytes(char *to, const char *from, size_t n); /* may overlap when to < from */
void close_fd(int *);
uint64_t now_ms(void);

/* ---- log.c ---- */
/* Logs all whole lines of what the stream holds; at_end: also one that has no end. */
void log_take(struct stream *, const char *name, int at_end);
/* Opens the file anew. 0 or -errno: then the old one stays. */
long log_reopen(void);

/* ---- conn.c ---- */
void conn_accept(void);
void conn_hear(struct conn *);
/* Gives attached clients what a stream has got. */
void conn_deliver(int stream);
int conn_busy(int stream); /* somebody hasn't taken everything yet */
void conn_send(struct conn *, int stream);
void conn_read(struct conn *);
void conn_drop(struct conn *);
void conn_drop_stalled(void);
void conn_recorded(void); /* tells those who wait */
void stdin_flush(void);

/* ---- end.c ---- */
void reap(void);
/* Writes exit.json; as long as that may still succeed it is tried again. */
void record(void);
/* The text of exit.json; its length, 0 when it doesn't fit. */
size_t record_text(char *text, size_t room, int status, uint64_t oom_kills, uint64_t sec,
	uint32_t nsec, const char *boot_id);

/* ---- main.c ---- */
int monitor_main(long argc, char **argv); /* its exit status */

/* ---- loop.c ---- */
void stream_read(int stream);
void loop(void);

#endif
