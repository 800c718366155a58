/* SPDX-License-Identifier: Apache-2.0 */
#include "image/source.h"

#include "base/path.h"
#include "image/spool.h"
#include "image/unpack.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A copy without a name: it goes with us. */
static int spool_to_temp(int in, int temp_fd, int *ret_fd, struct err *err)
{
	_close_ int fd = openat(
		temp_fd, "archive", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || unlinkat(temp_fd, "archive", 0) < 0)
		return err_sys(err, errno, "open", "copy of the archive");
	if (spool(in, fd, UNPACK_BYTES_MAX, err) < 0)
		return -1;
	*ret_fd = fd_take(&fd);
	return 0;
}

static int open_stdin(int *ret_fd, struct err *err)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys(err, errno, "dup", "standard input");
	*ret_fd = fd;
	return 0;
}

/* The file as it is, when it can be read in place; else a copy of it. */
static int in_place(int *fd, const struct stat *st, int temp_fd, struct err *err)
{
	unsigned char head[SPOOL_MAGIC];
	ssize_t n = S_ISREG(st->st_mode) ? pread(*fd, head, sizeof(head), 0) : 0;
	int copy = FD_NONE;

	if (n < 0)
		return err_sys(err, errno, "read", "archive");
	if (S_ISREG(st->st_mode) && !spool_is_compressed(head, (size_t)n))
		return 0;
	if (spool_to_temp(*fd, temp_fd, &copy, err) < 0)
		return -1;
	fd_close(*fd);
	*fd = copy;
	return 0;
}

static int not_an_archive(struct err *err)
{
	err_set(err, ERR_INVALID, NULL, "it isn't an archive of images");
	return err_hint(err,
		"an OCI layout or the output of \"docker save\": a folder or a tar, which may be compressed by gzip or zstd");
}

static int open_tar(struct source *s, const struct stat *st, int temp_fd, struct err *err)
{
	int tar;

	if (!S_ISREG(st->st_mode) && !S_ISFIFO(st->st_mode) && !S_ISSOCK(st->st_mode))
		return not_an_archive(err);
	if (in_place(&s->fd, st, temp_fd, err) < 0)
		return -1;
	tar = contents_is_tar(s->fd, err);
	if (tar <= 0)
		return tar < 0 ? -1 : not_an_archive(err);
	return contents_read(s->fd, s->arena, &s->tar, err);
}

int source_open(const char *path, int temp_fd, struct arena *a, struct source *ret, struct err *err)
{
	_source_ struct source s = { .fd = FD_NONE, .arena = a };
	struct stat st;

	if (str_eq(path, "-")) {
		if (open_stdin(&s.fd, err) < 0)
			return -1;
	} else {
		s.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (s.fd < 0 || fstat(s.fd, &st) < 0)
		return err_sys(err, errno, "open", "%s", path);
	s.folder = S_ISDIR(st.st_mode);
	/* Standard input may be in the middle of a file: a copy begins where it is. */
	if (str_eq(path, "-") && S_ISREG(st.st_mode)) {
		int copy = FD_NONE;
		if (spool_to_temp(s.fd, temp_fd, &copy, err) < 0)
			return -1;
		fd_close(s.fd);
		s.fd = copy;
	}
	if (!s.folder && open_tar(&s, &st, temp_fd, err) < 0)
		return -1;
	*ret = s;
	s.fd = FD_NONE;
	return 0;
}

void source_close(struct source *s)
{
	s->fd = fd_close(s->fd);
}

/* ---- files ---- */

static int missing(const char *name, struct err *err)
{
	return err_set(err, ERR_INVALID, NULL, "%.200s isn't in the archive", name);
}

static int folder_file(
	const struct source *s, const char *name, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	_close_ int fd = path_open_in(s->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, err);
	struct stat st;

	if (fd < 0)
		return err->os == ENOENT || err->os == ENOTDIR ? missing(name, err) : -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, name, "it isn't a file");
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = fd_take(&fd);
	return 0;
}

int source_file(
	const struct source *s, const char *name, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	const struct contents_entry *e;
	_close_ int fd = FD_NONE;

	if (s->folder)
		return folder_file(s, name, ret_fd, ret_size, err);
	e = contents_find(&s->tar, name, s->arena);
	if (!e)
		return missing(name, err);
	fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || lseek(fd, (off_t)e->offset, SEEK_SET) < 0)
		return err_sys(err, errno, "lseek", "%s", name);
	*ret_size = e->size;
	*ret_fd = fd_take(&fd);
	return 0;
}

int source_has(const struct source *s, const char *name)
{
	struct err err = ERR_INIT;
	_close_ int fd = FD_NONE;
	uint64_t size;

	return source_file(s, name, &fd, &size, &err) == 0;
}

int source_text(const struct source *s, const char *name, size_t max, const char **ret,
	size_t *ret_n, struct err *err)
{
	_close_ int fd = FD_NONE;
	uint64_t size;
	size_t n = 0;
	char *text;

	if (source_file(s, name, &fd, &size, err) < 0)
		return -1;
	if (size > max)
		return err_set(err, ERR_EXHAUSTED, name, "%llu bytes: at most %zu are taken",
			(unsigned long long)size, max);
	text = arena_alloc(s->arena, (size_t)size + 1);
	if (!text)
		return err_nomem(err);
	while (n < size) {
		ssize_t k = read(fd, text + n, (size_t)size - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(err, errno, "read", "%s", name);
		if (k == 0)
			return err_set(err, ERR_INVALID, name, "it is cut off");
		n += (size_t)k;
	}
	*ret = text;
	*ret_n = n;
	return 0;
}
