/* SPDX-License-Identifier: Apache-2.0 */
#include "store/folder.h"

#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_NS = 200000, PAUSE_NS_MAX = 20000000 };

static const int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool folder_is_hex_id(const char *id)
{
	return strlen(id) == FOLDER_HEX_ID && strspn(id, "0123456789abcdef") == FOLDER_HEX_ID;
}

/* ---- the lock ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int folder_lock(int fd, int how, unsigned timeout_ms, const char *busy, struct err *err)
{
	const uint64_t end = now_ms() + timeout_ms;
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct stat st;

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "flock", "folder of a record");
		if (now_ms() >= end)
			return err_set(err, ERR_TIMEOUT, NULL, "%s", busy);
		nanosleep(&pause, NULL);
		pause.tv_nsec = MIN(pause.tv_nsec * 2, PAUSE_NS_MAX);
	}
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "folder of a record");
	return st.st_nlink > 0;
}

void folder_unlock(int fd)
{
	flock(fd, LOCK_UN);
}

int folder_is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return 1;
	flock(fd, LOCK_UN);
	return 0;
}

/* ---- finding and claiming ---- */

int folder_open_top(int data_fd, const char *top)
{
	if (data_fd < 0) {
		errno = ENOENT;
		return FD_NONE;
	}
	return openat(data_fd, top, dir_flags);
}

int folder_find(int data_fd, const char *top, const char *id, int *ret_dir, struct err *err)
{
	char path[32 + FOLDER_HEX_ID];
	int fd;

	*ret_dir = FD_NONE;
	if (data_fd < 0 || !folder_is_hex_id(id))
		return 0;
	snprintf(path, sizeof(path), "%.30s/%s", top, id);
	fd = openat(data_fd, path, dir_flags);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "folder of %s", id);
	*ret_dir = fd;
	return 1;
}

int folder_claim(int top_fd, const char *id, unsigned timeout_ms, const char *busy, int *ret_dir,
	struct err *err)
{
	_close_ int dir = FD_NONE;
	int r = 0;

	/* Who removes it holds the lock: what was waited for may be gone then. */
	while (r == 0) {
		dir = fd_close(dir);
		bool made = mkdirat(top_fd, id, 0700) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "folder of %s", id);
		dir = openat(top_fd, id, dir_flags);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0)
			err_sys(err, errno, "open", "folder of %s", id);
		r = dir < 0 ? -1 : folder_lock(dir, LOCK_EX, timeout_ms, busy, err);
		if (r < 0) {
			/* Fails where somebody has come in between and put something in. */
			if (made)
				unlinkat(top_fd, id, AT_REMOVEDIR);
			return -1;
		}
	}
	*ret_dir = fd_take(&dir);
	return 0;
}

/* ---- all of them ---- */

struct ids {
	const char **items;
	size_t n, cap;
};

static int ids_add(struct ids *ids, const char *name, struct arena *a)
{
	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 16;
		const char **more = arena_array(a, cap, sizeof(*more));

		if (!more)
			return -1;
		if (ids->n)
			memcpy(more, ids->items, ids->n * sizeof(*more));
		ids->items = more;
		ids->cap = cap;
	}
	ids->items[ids->n] = arena_strdup(a, name);
	return ids->items[ids->n++] ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int folder_list(int own_fd, bool (*fits)(const char *name), const char *prefix, const char *what,
	struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	_closedir_ DIR *d = NULL;
	struct ids ids = { 0 };

	*ret = NULL;
	*ret_n = 0;
	if (own_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", what);
	d = fdopendir(own_fd);
	if (!d) {
		fd_close(own_fd);
		return err_nomem(err);
	}
	for (struct dirent *e; (e = readdir(d));) {
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && fits(e->d_name) &&
			str_starts(e->d_name, prefix) && ids_add(&ids, e->d_name, a) < 0)
			return err_nomem(err);
	}
	if (ids.n)
		qsort(ids.items, ids.n, sizeof(*ids.items), by_name);
	*ret = ids.items;
	*ret_n = ids.n;
	return 0;
}

int folder_complete(int data_fd, const char *top, const char *prefix, const char *what,
	struct arena *a, const char **ret, struct err *err)
{
	const size_t len = strlen(prefix);
	const char **ids;
	size_t n;

	*ret = NULL;
	if (len < FOLDER_PREFIX_MIN || len > FOLDER_HEX_ID ||
		strspn(prefix, "0123456789abcdef") != len)
		return 0;
	if (folder_list(folder_open_top(data_fd, top), folder_is_hex_id, prefix, what, a, &ids, &n,
		    err) < 0)
		return -1;
	if (n > 1)
		return err_set(err, ERR_INVALID, prefix, "several %s begin with it: %.12s, %.12s",
			what, ids[0], ids[1]);
	*ret = n ? ids[0] : NULL;
	return 0;
}
