/* SPDX-License-Identifier: Apache-2.0 */
/* An archive of images as a set of files by name, whatever it is: a folder or a tar, compressed or
 * not, on disk or from a pipe. */
#ifndef IMAGE_SOURCE_H
#define IMAGE_SOURCE_H

#include "base/fd.h"
#include "image/contents.h"

struct source {
	int fd; /* the folder, or the tar */
	bool folder;
	struct arena *arena; /* borrowed */
	struct contents tar;
};
#define SOURCE_INIT           \
	{                     \
		.fd = FD_NONE \
	}

/* "-": standard input. temp_fd: a folder for a copy where one is needed. */
int source_open(const char *path, int temp_fd, struct arena *, struct source *ret,
	struct err *) _must_check_;
void source_close(struct source *);
#define _source_ _cleanup_(source_close)

/* 1 when there is a file of that name, else 0. */
int source_has(const struct source *, const char *name);
/* *ret_fd: the caller's, to be read for *ret_size bytes from where it is; for a tar only one at a
 * time is good. ERR_INVALID: "X isn't in the archive". */
int source_file(const struct source *, const char *name, int *ret_fd, uint64_t *ret_size,
	struct err *) _must_check_;
/* The whole file, at most max bytes, in the arena. */
int source_text(const struct source *, const char *name, size_t max, const char **ret,
	size_t *ret_n, struct err *) _must_check_;

#endif
