/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEND_FDS_MAX = 8, READ_FIRST = 16 * 1024 };

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd); /* Linux closes even when it reports EINTR */
	errno = saved;
	return FD_NONE;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t k = write(fd, at, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Room for the rest of a regular file, so that one read takes it all. */
static size_t first_size(int fd, size_t max)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > READ_FIRST)
		return (size_t)MIN((uint64_t)st.st_size, (uint64_t)max) + 2;
	return READ_FIRST;
}

int fd_read_all(int fd, size_t max, char **ret, size_t *ret_n)
{
	size_t cap = first_size(fd, max), n = 0;
	_free_ char *buf = malloc(cap);

	while (buf) {
		ssize_t k = read(fd, buf + n, cap - n - 1);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		n += (size_t)k;
		if (n > max) {
			errno = EFBIG;
			return -1;
		}
		if (k == 0) {
			buf[n] = 0;
			*ret_n = n;
			*ret = take(buf);
			return 0;
		}
		if (n + 1 < cap)
			continue;
		char *bigger = cap > PTRDIFF_MAX / 2 ? NULL : realloc(buf, cap * 2);
		if (!bigger)
			break;
		buf = bigger;
		cap *= 2;
	}
	errno = ENOMEM;
	return -1;
}

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n, struct err *err)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO in this place must not hang us. */
	_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, path, "is not a regular file");
	if (fd_read_all(fd, max, ret, ret_n) == 0)
		return 0;
	if (errno == EFBIG)
		return err_set(err, ERR_EXHAUSTED, path, "is bigger than %zu bytes", max);
	return err_sys(err, errno, "read", "%s", path);
}

static int replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool synced,
	struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char tmp[NAME_MAX + 1];
	int len = snprintf(tmp, sizeof(tmp), ".%s.%ld", name, (long)getpid());

	if (len < 0 || (size_t)len >= sizeof(tmp))
		return err_set(err, ERR_INVALID, name, "name is too long");
	_close_ int fd = openat(dirfd, tmp, flags, 0600);
	/* Left over from a process of the same number that died. */
	if (fd < 0 && errno == EEXIST) {
		if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "unlink", "%s", tmp);
		fd = openat(dirfd, tmp, flags, 0600);
	}
	if (fd < 0)
		return err_sys(err, errno, "open", "%s", tmp);
	if (fd_write_all(fd, p, n) < 0)
		err_sys(err, errno, "write", "%s", name);
	else if (mode != 0600 && fchmod(fd, mode) < 0)
		err_sys(err, errno, "fchmod", "%s", name);
	else if (synced && fsync(fd) < 0)
		err_sys(err, errno, "fsync", "%s", name);
	else if (renameat(dirfd, tmp, dirfd, name) < 0)
		err_sys(err, errno, "rename", "%s", name);
	else
		return 0;
	unlinkat(dirfd, tmp, 0);
	return -1;
}

int file_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err *err)
{
	return replace(dirfd, name, p, n, mode, false, err);
}

int file_replace_synced(
	int dirfd, const char *name, const void *p, size_t n, mode_t mode, struct err *err)
{
	if (replace(dirfd, name, p, n, mode, true, err) < 0)
		return -1;
	return fsync(dirfd) < 0 ? err_sys(err, errno, "fsync", "folder of %s", name) : 0;
}

int file_put(int dirfd, const char *name, const char *text)
{
	_close_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	size_t n = strlen(text);
	ssize_t k;

	if (fd < 0)
		return -1;
	do {
		k = write(fd, text, n);
	} while (k < 0 && errno == EINTR);
	if (k >= 0 && (size_t)k != n)
		errno = EIO;
	return k >= 0 && (size_t)k == n ? 0 : -1;
}

int fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds)
{
	union {
		char mem[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
		struct cmsghdr align;
	} control = { .mem = { 0 } };
	/* sendmsg doesn't write through it. */
	struct iovec io = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };
	ssize_t k;

	if (n_fds > SEND_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (n_fds) {
		m.msg_control = control.mem;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do {
		k = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (k < 0 && errno == EINTR);
	if (k < 0)
		return -1;
	/* A stream may take a part; the fds went with its first byte. */
	while ((size_t)k < n) {
		ssize_t more = send(sock, (const char *)p + k, n - (size_t)k, MSG_NOSIGNAL);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		k += more;
	}
	return 0;
}

/* Takes the fds of a message; those beyond max_fds are closed. Their number before that. */
static size_t take_fds(struct msghdr *m, int *fds, size_t max_fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < got; i++, n++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < max_fds)
				fds[n] = fd;
			else
				fd_close(fd);
		}
	}
	return n;
}

ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds)
{
	union {
		char mem[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec io = { .iov_base = p, .iov_len = n };
	struct msghdr m = { .msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.mem,
		.msg_controllen = sizeof(control.mem) };
	size_t got;
	ssize_t k;

	do {
		k = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (k < 0 && errno == EINTR);
	if (k < 0)
		return -1;
	got = take_fds(&m, fds, max_fds);
	if (got > max_fds || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		for (size_t i = 0; i < MIN(got, max_fds); i++)
			fds[i] = fd_close(fds[i]);
		errno = EMSGSIZE;
		return -1;
	}
	if (ret_n_fds)
		*ret_n_fds = got;
	return k;
}

int fd_fill_stdio(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number, so `fd` itself. */
		if (open("/dev/null", O_RDWR | O_NOCTTY) < 0)
			return -1;
	}
	return 0;
}
