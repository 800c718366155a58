/* SPDX-License-Identifier: Apache-2.0 */
#include "image/disk.h"

#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TIMEOUT_MS = 10000, TEMP_TRIES = 100 };

#define TEMP_PREFIX "tmp-"

static const int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

int disk_open(int data_fd, const char *name, enum disk_open how, int *ret_fd, struct err *err)
{
	int fd;

	*ret_fd = FD_NONE;
	if (data_fd < 0)
		return how == DISK_FIND ? 0 : err_set(err, ERR_INTERNAL, name, "no data folder");
	fd = openat(data_fd, name, dir_flags);
	if (fd < 0 && errno == ENOENT) {
		if (how == DISK_FIND)
			return 0;
		if (mkdirat(data_fd, name, 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "%s in the data folder", name);
		fd = openat(data_fd, name, dir_flags);
	}
	if (fd < 0)
		return err_sys(err, errno, "open", "%s in the data folder", name);
	*ret_fd = fd;
	return 0;
}

/* ---- temporary folders ---- */

/* Between mkdir and flock a sweeper may have taken it for a left-over: then it is gone, or going.
 */
static bool temp_is_ours(int fd)
{
	struct stat st;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int disk_temp(int dir_fd, struct disk_temp *ret, struct err *err)
{
	struct disk_temp t = { .dir_fd = dir_fd, .fd = FD_NONE };
	uint64_t r;

	for (int i = 0; i < TEMP_TRIES; i++) {
		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			return err_sys(err, errno, "getrandom", "name of a folder");
		snprintf(t.name, sizeof(t.name), TEMP_PREFIX "%016llx", (unsigned long long)r);
		if (mkdirat(dir_fd, t.name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return err_sys(err, errno, "mkdir", "%s", t.name);
		}
		t.fd = openat(dir_fd, t.name, dir_flags);
		if (t.fd >= 0 && temp_is_ours(t.fd)) {
			*ret = t;
			return 0;
		}
		t.fd = fd_close(t.fd);
	}
	return err_set(err, ERR_INTERNAL, NULL, "no temporary folder could be made");
}

int disk_keep(struct disk_temp *t, const char *name, struct err *err)
{
	if (renameat(t->dir_fd, t->name, t->dir_fd, name) < 0) {
		if (errno == EEXIST || errno == ENOTEMPTY)
			return 0;
		return err_sys(err, errno, "rename", "%s", name);
	}
	t->fd = fd_close(t->fd);
	return fsync(t->dir_fd) < 0 ? err_sys(err, errno, "fsync", "folder of %s", name) : 1;
}

void disk_temp_done(struct disk_temp *t)
{
	struct err err = ERR_INIT;
	int saved = errno;

	/* What can't be removed now is swept by the next load. */
	if (t->fd >= 0 && path_remove_tree(t->dir_fd, t->name, &err) < 0)
		err = (struct err)ERR_INIT;
	t->fd = fd_close(t->fd);
	errno = saved;
}

static int sweep_one(int dir_fd, const char *name, struct err *err)
{
	_close_ int fd = openat(dir_fd, name, dir_flags);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0; /* its maker lives, or has just finished */
	return path_remove_tree(dir_fd, name, err);
}

int disk_sweep(int dir_fd, struct err *err)
{
	_closedir_ DIR *d = NULL;
	int fd = openat(dir_fd, ".", dir_flags);

	if (fd < 0)
		return err_sys(err, errno, "open", "folder of the image store");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_sys(err, ENOMEM, "opendir", "folder of the image store");
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (str_starts(e->d_name, TEMP_PREFIX) && sweep_one(dir_fd, e->d_name, err) < 0)
			return -1;
	}
	return 0;
}

int disk_remove(int dir_fd, const char *name, struct err *err)
{
	_disk_temp_ struct disk_temp t = DISK_TEMP_INIT;

	if (disk_temp(dir_fd, &t, err) < 0)
		return -1;
	if (renameat(dir_fd, name, t.fd, "gone") < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "rename", "%s", name);
	if (fsync(dir_fd) < 0)
		return err_sys(err, errno, "fsync", "folder of %s", name);
	return path_remove_tree(dir_fd, t.name, err);
}

/* ---- files ---- */

static int write_synced(
	int dir_fd, const char *name, int flags, const void *p, size_t n, struct err *err)
{
	_close_ int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (fd_write_all(fd, p, n) < 0)
		return err_sys(err, errno, "write", "%s", name);
	return fsync(fd) < 0 ? err_sys(err, errno, "fsync", "%s", name) : 0;
}

int disk_write(int dir_fd, const char *name, const void *p, size_t n, struct err *err)
{
	return write_synced(dir_fd, name, O_EXCL, p, n, err);
}

int disk_replace(int dir_fd, const char *name, const void *p, size_t n, struct err *err)
{
	char fresh[NAME_MAX + 1];
	int len = snprintf(fresh, sizeof(fresh), "%s.new", name);

	if (len < 0 || (size_t)len >= sizeof(fresh))
		return err_set(err, ERR_INTERNAL, name, "its name is too long");
	if (write_synced(dir_fd, fresh, O_TRUNC, p, n, err) < 0)
		return -1;
	if (renameat(dir_fd, fresh, dir_fd, name) < 0)
		return err_sys(err, errno, "rename", "%s", name);
	return fsync(dir_fd) < 0 ? err_sys(err, errno, "fsync", "folder of %s", name) : 0;
}

/* ---- locks ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int disk_lock(int dir_fd, const char *name, int how, int *ret_fd, struct err *err)
{
	_close_ int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	const uint64_t end = now_ms() + LOCK_TIMEOUT_MS;
	struct timespec pause = { .tv_nsec = 500000 };

	if (fd < 0)
		return err_sys(err, errno, "open", "%s", name);
	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "flock", "%s", name);
		if (now_ms() >= end)
			return err_set(err, ERR_TIMEOUT, NULL,
				"the image store is held by another command");
		nanosleep(&pause, NULL);
		pause.tv_nsec = MIN(pause.tv_nsec * 2, 20000000);
	}
	*ret_fd = fd_take(&fd);
	return 0;
}
