/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log, as the kubelet reads it: "TIME STREAM TAG TEXT\n", tag F for a whole line, P for a part.
 * What can't be written is dropped and counted: the container never waits for a disk that is full.
 */
#include "monitor.h"

/* As it was when the container was made: beneath the log folder, through no symlink, a regular file
 * that has no other name. */
static long open_file(const char *path)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			 O_CLOEXEC,
		.mode = 0640,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	struct statx st;
	long fd = -EAGAIN, r;

	for (int i = 0; i < 32 && fd == -EAGAIN; i++)
		fd = SYS4(openat2, M.log.dir, path, &how, sizeof(how));
	if (fd < 0)
		return fd;
	r = SYS5(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_NLINK | STATX_SIZE, &st);
	if (r == 0 && (st.stx_mode & S_IFMT) != S_IFREG)
		r = -EINVAL;
	if (r == 0 && st.stx_nlink != 1)
		r = -EMLINK;
	if (r < 0) {
		SYS1(close, fd);
		return r;
	}
	M.log.size = st.stx_size;
	return fd;
}

static void use_file(int fd)
{
	close_fd(&M.log.fd);
	M.log.fd = fd;
	M.log.rotate_at = M.log.max_bytes;
}

/* ---- rotation ---- */

/* NAME.N, or NAME itself for 0, of the file that path names. */
static char *numbered(char *room, size_t size, const char *name, uint32_t number)
{
	const char *end = room + size;
	char *at = put_text(room, end, name);

	if (number)
		at = put_number(put_text(at, end, "."), end, number);
	return at ? room : NULL;
}

static long folder_of_log(const char **ret_name)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	const char *path = M.log.path;
	size_t slash = text_len(path);

	while (slash && path[slash - 1] != '/')
		slash--;
	*ret_name = path + slash;
	if (!slash)
		return SYS3(fcntl, M.log.dir, F_DUPFD_CLOEXEC, 0);
	if (slash >= sizeof(M.scratch))
		return -ENAMETOOLONG;
	move_bytes(M.scratch, path, slash);
	M.scratch[slash] = 0;
	return SYS4(openat2, M.log.dir, M.scratch, &how, sizeof(how));
}

/* The last one goes, each other moves one up. */
static long shift_files(int dir, const char *name)
{
	char from[300], to[300];

	if (!M.log.max_files)
		return SYS3(unlinkat, dir, name, 0);
	for (uint32_t i = M.log.max_files; i--;) {
		long r;

		if (!numbered(from, sizeof(from), name, i) ||
			!numbered(to, sizeof(to), name, i + 1))
			return -ENAMETOOLONG;
		r = SYS5(renameat2, dir, from, dir, to, 0);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* When it fails, the present file grows on, and it is tried again a file's length later. */
static void rotate(void)
{
	const char *name;
	int dir = (int)folder_of_log(&name);
	long r = dir < 0 ? dir : shift_files(dir, name);

	close_fd(&dir);
	if (r == 0)
		r = open_file(M.log.path);
	if (r >= 0)
		use_file((int)r);
	else
		M.log.rotate_at = M.log.size + M.log.max_bytes;
}

long log_reopen(void)
{
	long fd;

	if (!(M.flags & MONITOR_HAS_LOG))
		return -ENOENT;
	fd = open_file(M.log.path);
	if (fd < 0)
		return fd;
	use_file((int)fd);
	return 0;
}

/* ---- writing ---- */

/* A line that was written in part would spoil the one behind it. */
static void cut_back(size_t n)
{
	struct statx st;

	if (SYS5(statx, M.log.fd, "", AT_EMPTY_PATH, STATX_SIZE, &st) == 0 && st.stx_size >= n)
		SYS2(ftruncate, M.log.fd, st.stx_size - n);
}

static void flush(void)
{
	struct log *l = &M.log;
	size_t done = 0;
	long r = 0;

	if (!l->n)
		return;
	if (l->max_bytes && l->size && l->size + l->n > l->rotate_at)
		rotate();
	while (done < l->n) {
		r = SYS3(write, l->fd, l->out + done, l->n - done);
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	if (done == l->n) {
		l->size += l->n;
	} else {
		if (done)
			cut_back(done);
		l->lost += l->lines;
	}
	l->n = l->lines = 0;
}

static void add(const char *name, const char *tag, const char *text, size_t n)
{
	struct log *l = &M.log;
	const char *end = l->out + sizeof(l->out);
	char *at;

	if (l->n + n + TIME_ROOM + 16 > sizeof(l->out))
		flush();
	at = put_text(l->out + l->n, end, l->time);
	at = put_text(put_text(at, end, name), end, tag);
	if (!at || (size_t)(end - at) < n + 1) /* never: a line has its limit */
		return;
	move_bytes(at, text, n);
	at[n] = '\n';
	l->n = (uint32_t)(at + n + 1 - l->out);
	l->lines++;
}

static void stamp(void)
{
	struct __kernel_timespec t = { 0, 0 };

	SYS2(clock_gettime, 0 /* CLOCK_REALTIME */, &t);
	put_time(M.log.time, M.log.time + sizeof(M.log.time), (uint64_t)t.tv_sec,
		(uint32_t)t.tv_nsec);
}

void log_take(struct stream *s, const char *name, int at_end)
{
	if (!(M.flags & MONITOR_HAS_LOG)) {
		s->line = s->end;
		return;
	}
	stamp();
	/* What lies before the fresh bytes holds no newline: it was looked at already. */
	for (uint32_t i = s->fresh > s->line ? s->fresh : s->line; i < s->end; i++) {
		if (s->buf[i] != '\n')
			continue;
		add(name, "F ", s->buf + s->line, i - s->line);
		s->line = i + 1;
	}
	if (s->end - s->line > MONITOR_LINE_MAX) {
		add(name, "P ", s->buf + s->line, MONITOR_LINE_MAX);
		s->line += MONITOR_LINE_MAX;
	}
	if (at_end && s->end > s->line) {
		add(name, "P ", s->buf + s->line, s->end - s->line);
		s->line = s->end;
	}
	flush();
}
