/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: ownership, whole reads and writes, passing over sockets. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/mem.h"

#include <errno.h>
#include <sys/types.h>

/* The empty value: neither 0, nor -1 (errors), nor AT_FDCWD. */
#define FD_NONE (-EBADF)

/* Closes if fd >= 0, keeps errno, returns FD_NONE: `fd = fd_close(fd);` */
int fd_close(int fd);
static inline void fd_close_p(int *fd)
{
	fd_close(*fd);
}
#define _close_ _cleanup_(fd_close_p)

/* Gives away an fd: `return fd_take(&fd);` */
static inline int fd_take(int *fd)
{
	int r = *fd;
	*fd = FD_NONE;
	return r;
}

/* Whole write (EINTR and short writes handled). 0, or -1 with errno. */
int fd_write_all(int fd, const void *p, size_t n) _must_check_;

/* Reads to EOF, at most `max` bytes; fresh NUL-terminated memory in *ret (free() it), length in
 * *ret_n. More than max bytes: -1, errno EFBIG. Otherwise 0, or -1 with errno. */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_n) _must_check_;

/* One file beneath dirfd, whole, at most max bytes; regular files only (FIFOs and devices are
 * refused without hanging). 0 or -1 with err; the code is ERR_NOT_FOUND when it isn't there. */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n,
	struct err *) _must_check_;

/* Writes a file atomically: O_EXCL temporary beneath dirfd, then rename. No fsync: what lives in
 * /run is void after a reboot. Mode 0600 unless said. */
int file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
	struct err *) _must_check_;
/* The same, and on the disk when it returns: the file, and its name in the folder. */
int file_replace_synced(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
	struct err *) _must_check_;

/* Writes `text` with one write(2) to an existing file (procfs, cgroupfs). 0, or -1 with errno. */
int file_put(int dirfd, const char *name, const char *text) _must_check_;

/* SOCK_SEQPACKET/STREAM message with up to 8 fds. 0 or n received; -1 with errno. MSG_NOSIGNAL,
 * CLOEXEC on receipt. */
int fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds) _must_check_;
ssize_t fd_recv(
	int sock, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds) _must_check_;

/* Makes sure that 0, 1 and 2 are open (on /dev/null if need be). First thing in main. 0, or -1 with
 * errno. */
int fd_fill_stdio(void) _must_check_;

#endif
