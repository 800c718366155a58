/* SPDX-License-Identifier: Apache-2.0 */
/* A program of our own as a file that nobody can change or reach by a path. */
#ifndef BASE_MEMFILE_H
#define BASE_MEMFILE_H

#include "base/mem.h"

#include <sys/uio.h>

/*
 * A sealed memfd that holds the parts; where executable memfds are refused (vm.memfd_noexec=2,
 * Linux 6.3), a file of a detached read-only tmpfs, which others may run but not read. O_CLOEXEC,
 * to be run by execveat. A fresh one for each process that others may look into: one that is
 * shared could be held open for writing and block every later exec. The fd, or -1 with err.
 */
int memfile_make(const char *name, const struct iovec *parts, size_t n, struct err *) _must_check_;

#endif
