/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain, gzip and zstd data, told apart by their first bytes, as one stream of plain bytes. gzip
 * may have several members, zstd several frames; nothing else may follow them.
 */
#ifndef IMAGE_STREAM_H
#define IMAGE_STREAM_H

#include "base/mem.h"

#include <sys/types.h>

/* Fills buf: number of bytes (1 to n), 0 at the end, -1 with err. */
typedef ssize_t stream_fill(void *arg, void *buf, size_t n, struct err *err);

struct stream;

/* Reads nothing yet. NULL with err when memory is out. */
struct stream *stream_new(stream_fill *fill, void *arg, struct err *) _must_check_;

/* The next piece (at most STREAM_PIECE_MAX bytes), good until the next call. 1; 0 at the end, when
 * the source has ended too; -1 with err. ERR_INVALID: damaged or cut; ERR_UNSUPPORTED: a
 * compression that isn't known, or a zstd window above 128 MiB. */
enum { STREAM_PIECE_MAX = 256 * 1024 };
int stream_next(struct stream *, const void **ret, size_t *ret_n, struct err *) _must_check_;

struct stream *stream_free(struct stream *);

/* A stream_fill that reads a file; arg is an int *. */
ssize_t stream_fill_fd(void *arg, void *buf, size_t n, struct err *);

#endif
