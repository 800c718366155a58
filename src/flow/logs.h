/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the log of a container: NAME as the monitor writes it, and NAME.1, NAME.2, ... that it
 * has put aside, the oldest first. A reader that has come to the end finds what is written later,
 * over any rotation, ours or somebody else's.
 */
#ifndef FLOW_LOGS_H
#define FLOW_LOGS_H

#include "base/fd.h"

#include <limits.h>

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_N };

/* One line of the file, in the CRI's form: "TIME STREAM TAG TEXT". The texts aren't terminated. */
struct log_line {
	const char *time, *text;
	size_t n_time, n;
	enum log_stream stream;
	bool partial; /* the line goes on in the next one of its stream */
};

/* p holds n bytes without the newline. 0, or -1 when they have another form. */
int log_line_parse(const char *p, size_t n, struct log_line *ret) _must_check_;

enum { LOG_BUFFER = 64 << 10 };

struct log_reader {
	int dir, fd;
	char name[NAME_MAX + 1];
	bool skips;   /* within a line that is too long to be one of ours */
	uint64_t bad; /* lines that were passed over */
	size_t at, n; /* of buf: what was given out, what was read */
	char buf[LOG_BUFFER];
};
#define LOG_READER_INIT                        \
	{                                      \
		.dir = FD_NONE, .fd = FD_NONE, \
	}

/* At the beginning of the oldest file. ERR_NOT_FOUND: there is none. */
int log_reader_open(const char *path, struct log_reader *ret, struct err *) _must_check_;
void log_reader_close(struct log_reader *);

/* 1 and a line (it lives until the next call), 0: no more by now, -1. */
int log_reader_next(struct log_reader *, struct log_line *ret, struct err *) _must_check_;

#endif
