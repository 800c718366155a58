/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/logs.h"

#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 10000 };

/* ---- one line ---- */

/* The next word of p up to a space, which is skipped; its length, 0 when there is none. */
static size_t word(const char **p, size_t *n)
{
	const char *space = memchr(*p, ' ', *n);
	size_t len = space ? (size_t)(space - *p) : 0;

	if (!len)
		return 0;
	*p += len + 1;
	*n -= len + 1;
	return len;
}

int log_line_parse(const char *p, size_t n, struct log_line *ret)
{
	const char *at = p;
	struct log_line l = { .time = p };

	l.n_time = word(&at, &n);
	if (l.n_time < sizeof("2006-01-02T15:04:05Z") - 1 || p[4] != '-' || p[10] != 'T')
		return -1;
	const char *stream = at;
	size_t n_stream = word(&at, &n);
	if (n_stream != 6 || (memcmp(stream, "stdout", 6) != 0 && memcmp(stream, "stderr", 6) != 0))
		return -1;
	l.stream = stream[3] == 'o' ? LOG_STDOUT : LOG_STDERR;
	/* More tags may follow a ":"; the first one says whether the line is whole. */
	const char *tag = at;
	size_t n_tag = word(&at, &n);
	if (n_tag < 1 || (tag[0] != 'F' && tag[0] != 'P') || (n_tag > 1 && tag[1] != ':'))
		return -1;
	l.partial = tag[0] == 'P';
	l.text = at;
	l.n = n;
	*ret = l;
	return 0;
}

/* ---- files ---- */

/* NAME.number, or NAME for 0. */
static const char *numbered(const struct log_reader *r, unsigned number, char room[NAME_MAX + 16])
{
	if (number)
		snprintf(room, NAME_MAX + 16, "%s.%u", r->name, number);
	else
		snprintf(room, NAME_MAX + 16, "%s", r->name);
	return room;
}

static bool is_there(const struct log_reader *r, unsigned number, struct stat *st)
{
	char name[NAME_MAX + 16];

	return fstatat(r->dir, numbered(r, number, name), st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The highest number in use below own's, or of all when own is NULL or has none: false then.
 *
 * Files may be on their way up while we look, the highest first. So numbers are looked at upwards,
 * where no file gets past us; and one may be missing: the file has just left it, or a monitor was
 * killed there. Two in a row are the end. */
static bool find_below(const struct log_reader *r, const struct stat *own, unsigned *ret)
{
	struct stat st;

	*ret = 0;
	for (unsigned n = 1; n <= FILES_MAX && n <= *ret + 2; n++) {
		if (!is_there(r, n, &st))
			continue;
		if (own && is_same(&st, own))
			return true;
		*ret = n;
	}
	return false;
}

static int open_number(const struct log_reader *r, unsigned number, struct err *err)
{
	char name[NAME_MAX + 16];
	struct stat st;
	_close_ int fd = openat(r->dir, numbered(r, number, name),
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open", "log file %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "log file %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, name, "is not a regular file");
	return fd_take(&fd);
}

/* The number of the file that follows the one we read: 1; 0 when that is the newest, or nobody has
 * begun a new one yet. */
static int follower(const struct log_reader *r, unsigned *ret, struct err *err)
{
	struct stat own, st;

	if (fstat(r->fd, &own) < 0)
		return err_sys(err, errno, "fstat", "log file %s", r->name);
	if (!is_there(r, 0, &st) || is_same(&st, &own))
		return 0;
	/* Renamed by somebody else: the new one follows. Removed: all that are kept came later. */
	if (!find_below(r, &own, ret) && own.st_nlink)
		*ret = 0;
	return 1;
}

/* While files are being renamed a number means nothing: looked for again. */
static int open_oldest(const struct log_reader *r, struct err *err)
{
	for (;;) {
		struct err gone = ERR_INIT;
		unsigned oldest, again;

		find_below(r, NULL, &oldest);
		_close_ int fd = open_number(r, oldest, &gone);
		find_below(r, NULL, &again);
		if (again != oldest)
			continue;
		if (fd < 0)
			*err = gone;
		return fd_take(&fd);
	}
}

int log_reader_open(const char *path, struct log_reader *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	*ret = (struct log_reader)LOG_READER_INIT;
	if (!dir)
		return err_set(err, ERR_EXHAUSTED, NULL, "out of memory");
	if (strlen(slash ? slash + 1 : path) >= sizeof(ret->name))
		return err_set(err, ERR_INVALID, path, "name is too long");
	snprintf(ret->name, sizeof(ret->name), "%s", slash ? slash + 1 : path);
	ret->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return err_sys(err, errno, "open", "log folder %s", dir);
	ret->fd = open_oldest(ret, err);
	if (ret->fd >= 0)
		return 0;
	log_reader_close(ret);
	return -1;
}

void log_reader_close(struct log_reader *r)
{
	r->fd = fd_close(r->fd);
	r->dir = fd_close(r->dir);
}

/* ---- reading ---- */

/* More bytes into buf: 1, 0 at the end of the file, -1. */
static int fill(struct log_reader *r, struct err *err)
{
	ssize_t n;

	memmove(r->buf, r->buf + r->at, r->n - r->at);
	r->n -= r->at;
	r->at = 0;
	if (r->n == sizeof(r->buf)) { /* none of ours is that long */
		r->n = 0;
		r->bad += !r->skips;
		r->skips = true;
	}
	do
		n = read(r->fd, r->buf + r->n, sizeof(r->buf) - r->n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "read", "log file %s", r->name);
	r->n += (size_t)n;
	return n > 0;
}

/* At the end of a file. 1: goes on in the next one, 0: no more by now. */
static int go_on(struct log_reader *r, struct err *err)
{
	_close_ int fd = FD_NONE;
	struct err gone = ERR_INIT;
	unsigned next, again;
	int more = follower(r, &next, err);

	if (more <= 0)
		return more;
	/* What was written between our read and the new file's beginning. */
	more = fill(r, err);
	if (more != 0)
		return more;
	fd = open_number(r, next, &gone);
	if (fd < 0 && gone.code != ERR_NOT_FOUND) {
		*err = gone;
		return -1;
	}
	/* While they are being renamed a number means nothing: looked for again. */
	more = follower(r, &again, err);
	if (more <= 0 || again != next || fd < 0)
		return more < 0 ? -1 : 1;
	r->bad += r->n > 0; /* a line without its end has lost it */
	r->n = 0;
	r->skips = false;
	fd_close(r->fd);
	r->fd = fd_take(&fd);
	return 1;
}

int log_reader_next(struct log_reader *r, struct log_line *ret, struct err *err)
{
	for (;;) {
		const char *line = r->buf + r->at;
		const char *end = memchr(line, '\n', r->n - r->at);

		if (end) {
			bool skipped = r->skips;
			r->at = (size_t)(end - r->buf) + 1;
			r->skips = false;
			if (skipped)
				continue;
			if (log_line_parse(line, (size_t)(end - line), ret) == 0)
				return 1;
			r->bad++;
			continue;
		}
		int more = fill(r, err);
		if (more == 0)
			more = go_on(r, err);
		if (more <= 0)
			return more;
	}
}
