/* SPDX-License-Identifier: Apache-2.0 */
/* An archive that can't be read in place (compressed, or from a pipe) goes to a file first. */
#ifndef IMAGE_SPOOL_H
#define IMAGE_SPOOL_H

#include "base/mem.h"

enum { SPOOL_MAGIC = 4 };
/* 1 when what begins so is compressed by gzip or zstd, else 0. */
int spool_is_compressed(const unsigned char *head, size_t n);

/* Reads `in` to its end into `out`, unpacking gzip and zstd; more than max_bytes: ERR_EXHAUSTED. */
int spool(int in, int out, uint64_t max_bytes, struct err *) _must_check_;

#endif
