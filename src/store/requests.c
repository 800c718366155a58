/* SPDX-License-Identifier: Apache-2.0 */
#include "store/requests.h"

#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 20 << 20, PAUSE_NS_MAX = 20000000, REMOVE_TRIES = 8 };

#define FOLDER "containers"
#define RECORD "container.json"
#define INTENT "intent.json"

static const int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/* ---- the record ---- */

struct stored {
	uint32_t version;
	struct ctr_cri_record r;
};

#define R_STR(m, nm)  J_ROW_STR(struct stored, r.m, nm, 0)
#define R_BOOL(m, nm) J_ROW_BOOL(struct stored, r.m, nm, 0)

static const struct json_field fields[] = {
	J_ROW_U32(struct stored, version, "version", J_REQUIRED),
	J_ROW_STR(struct stored, r.id, "id", J_REQUIRED),
	R_STR(name, "name"),
	R_STR(sandbox_id, "sandboxId"),
	R_STR(created, "created"),
	R_STR(boot_id, "bootId"),
	R_STR(container_name, "containerName"),
	R_STR(pod_name, "podName"),
	R_STR(pod_namespace, "podNamespace"),
	R_STR(pod_uid, "podUid"),
	J_ROW_U32(struct stored, r.attempt, "attempt", 0),
	R_STR(image, "image"),
	R_STR(image_id, "imageId"),
	{ .name = "volumeImageIds",
		.kind = J_STR,
		.flags = J_LIST,
		.off = offsetof(struct stored, r.volume_image_ids) +
		       J_CHECK_(struct stored, r.volume_image_ids, const char **),
		.off_n = offsetof(struct stored, r.n_volume_image_ids),
		.size = sizeof(const char *) },
	R_STR(backend, "backend"),
	R_STR(reason, "reason"),
	R_STR(log_path, "logPath"),
	J_ROW_I32(struct stored, r.stop_signal, "stopSignal", 0),
	R_BOOL(tty, "tty"),
	R_BOOL(stdin_, "stdin"),
	R_BOOL(stdin_once, "stdinOnce"),
	R_STR(request_digest, "requestDigest"),
	J_ROW_MAP(struct stored, r.labels, "labels"),
	J_ROW_MAP(struct stored, r.annotations, "annotations"),
	{ 0 },
};

/* Only of what was read: want of fds, or a disk that fails, says nothing about the record. */
static int broken(const char *id, struct err *err)
{
	err_in(err, "record of %s:", id);
	if (err->os)
		return -1;
	err->code = ERR_INVALID;
	return err_hint(err,
		"what is left of the container can be removed with: ctrctl delete --force %s", id);
}

static int parse(const char *text, size_t n, const char *id, struct arena *a, struct stored *ret,
	struct err *err)
{
	const struct json *root;

	if (json_parse(text, n, RECORD_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, fields, ret, JSON_UNKNOWN_REFUSE, a, err) < 0)
		return -1;
	if (ret->version != 1)
		return err_set(err, ERR_INVALID, RECORD, "it is a record of version %u, known is 1",
			ret->version);
	if (!str_eq(ret->r.id, id))
		return err_set(err, ERR_INVALID, "id", "it belongs to another container: %.200s",
			ret->r.id);
	return 0;
}

/* 1 read, 0 there is none, -1 */
static int read_record(int dir, const char *name, char **ret, size_t *ret_n, struct err *err)
{
	if (file_read(dir, name, RECORD_BYTES_MAX, ret, ret_n, err) == 0)
		return 1;
	return err->code == ERR_NOT_FOUND ? 0 : -1;
}

int request_load(
	int dir, const char *id, struct arena *a, struct ctr_cri_record *ret, struct err *err)
{
	struct err why = ERR_INIT;
	_free_ char *text = NULL;
	struct stored s = { 0 };
	bool committed = true;
	size_t n = 0;
	int r = read_record(dir, RECORD, &text, &n, &why);

	if (r == 0) {
		committed = false;
		r = read_record(dir, INTENT, &text, &n, &why);
	}
	if (r == 0) { /* committed between the two looks? */
		committed = true;
		r = read_record(dir, RECORD, &text, &n, &why);
	}
	if (r == 0)
		return 0;
	if (r == 1 && parse(text, n, id, a, &s, &why) == 0) {
		*ret = s.r;
		ret->committed = committed;
		return 1;
	}
	/* Who writes an intent and dies over it has done nothing else yet. */
	if (r == 1 && !committed)
		return 0;
	*err = why;
	return broken(id, err);
}

int request_save(int dir, const struct ctr_cri_record *r, struct err *err)
{
	const struct stored s = { .version = 1, .r = *r };
	_str_ struct str text = { 0 };
	struct json_writer w = { .out = &text };
	_close_ int fd =
		openat(dir, INTENT, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	json_w_fields(&w, fields, &s);
	str_add(&text, "\n");
	if (str_ok(&text, err) < 0)
		return -1;
	if (fd < 0 || fd_write_all(fd, text.p, text.n) < 0) {
		err_sys(err, errno, "write", INTENT);
		return err_in(err, "record of %s:", r->id);
	}
	return 0;
}

int request_commit(int dir, const char *id, struct err *err)
{
	if (renameat(dir, INTENT, dir, RECORD) == 0)
		return 0;
	err_sys(err, errno, "rename", RECORD);
	return err_in(err, "record of %s:", id);
}

void request_doom(int dir)
{
	if (renameat(dir, RECORD, dir, INTENT) < 0 && errno != ENOENT)
		log_debug("the record stays: %s", strerror(errno));
}

int request_is_empty(int dir, struct err *err)
{
	_closedir_ DIR *d = NULL;
	struct dirent *e;
	int fd = openat(dir, ".", dir_flags);

	if (fd < 0)
		return err_sys(err, errno, "open", "folder of a container");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_nomem(err);
	}
	while ((errno = 0, e = readdir(d))) {
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			return 0;
	}
	return errno ? err_sys(err, errno, "readdir", "folder of a container") : 1;
}

/* ---- the folder ---- */

static bool is_id(const char *id)
{
	return strlen(id) == REQUEST_ID_LEN && strspn(id, "0123456789abcdef") == REQUEST_ID_LEN;
}

/* <data>/containers, or FD_NONE with errno. */
static int open_top(int data_fd, bool make)
{
	if (data_fd < 0) {
		errno = ENOENT;
		return FD_NONE;
	}
	if (make && mkdirat(data_fd, FOLDER, 0700) < 0 && errno != EEXIST)
		return FD_NONE;
	return openat(data_fd, FOLDER, dir_flags);
}

int request_find(int data_fd, const char *id, int *ret_dir, struct err *err)
{
	char path[sizeof(FOLDER) + 1 + REQUEST_ID_LEN];
	int fd;

	*ret_dir = FD_NONE;
	if (data_fd < 0 || !is_id(id))
		return 0;
	snprintf(path, sizeof(path), FOLDER "/%s", id);
	fd = openat(data_fd, path, dir_flags);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "folder of %s", id);
	*ret_dir = fd;
	return 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 1 locked and still in the tree, 0 locked but removed meanwhile, -1 */
static int wait_for_lock(int dir, const char *id, unsigned timeout_ms, struct err *err)
{
	const uint64_t end = now_ms() + timeout_ms;
	struct timespec pause = { .tv_nsec = 200000 };
	struct stat st;

	while (flock(dir, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "flock", "folder of %s", id);
		if (now_ms() >= end)
			return err_set(err, ERR_TIMEOUT, NULL,
				"another command makes or removes the container");
		nanosleep(&pause, NULL);
		pause.tv_nsec = MIN(pause.tv_nsec * 2, PAUSE_NS_MAX);
	}
	if (fstat(dir, &st) < 0)
		return err_sys(err, errno, "fstat", "folder of %s", id);
	return st.st_nlink > 0;
}

int request_lock(int dir, const char *id, unsigned timeout_ms, struct err *err)
{
	int r = wait_for_lock(dir, id, timeout_ms, err);

	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, NULL, "container does not exist");
	return r < 0 ? -1 : 0;
}

void request_unlock(int dir)
{
	flock(dir, LOCK_UN);
}

int request_is_locked(int dir)
{
	if (flock(dir, LOCK_SH | LOCK_NB) < 0)
		return 1;
	flock(dir, LOCK_UN);
	return 0;
}

int request_claim(int data_fd, const char *id, unsigned timeout_ms, int *ret_dir, struct err *err)
{
	_close_ int top = open_top(data_fd, true);
	_close_ int dir = FD_NONE;
	int r = 0;

	if (!is_id(id))
		return err_set(err, ERR_INTERNAL, id, "it isn't the id of a request's container");
	if (top < 0)
		return err_sys(err, errno, "mkdir", "folder of containers");
	/* Who removes it holds the lock: what was waited for may be gone then. */
	while (r == 0) {
		dir = fd_close(dir);
		bool made = mkdirat(top, id, 0700) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "folder of %s", id);
		dir = openat(top, id, dir_flags);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0)
			err_sys(err, errno, "open", "folder of %s", id);
		r = dir < 0 ? -1 : wait_for_lock(dir, id, timeout_ms, err);
		if (r < 0) {
			/* Fails where somebody has come in between and put something in. */
			if (made)
				unlinkat(top, id, AT_REMOVEDIR);
			return -1;
		}
	}
	*ret_dir = fd_take(&dir);
	return 0;
}

int request_remove(int data_fd, const char *id, struct err *err)
{
	_close_ int top = open_top(data_fd, false);

	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "folder of containers");
	if (!is_id(id))
		return 0;
	/* A monitor that isn't known, of a container whose record was lost, may write its last. */
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (path_remove_tree(top, id, err) == 0)
			return 0;
		if (err->os != ENOTEMPTY)
			return -1;
	}
	return -1;
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_id(const char ***ids, size_t *n, size_t *cap, const char *name, struct arena *a)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		const char **items = arena_array(a, more, sizeof(*items));

		if (!items)
			return -1;
		if (*n)
			memcpy(items, *ids, *n * sizeof(*items));
		*ids = items;
		*cap = more;
	}
	(*ids)[*n] = arena_strdup(a, name);
	return (*ids)[(*n)++] ? 0 : -1;
}

/* Those that begin with `prefix`, unsorted. */
static int collect(int data_fd, const char *prefix, struct arena *a, const char ***ret,
	size_t *ret_n, struct err *err)
{
	_closedir_ DIR *d = NULL;
	size_t cap = 0;
	int top = open_top(data_fd, false);

	*ret = NULL;
	*ret_n = 0;
	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "folder of containers");
	d = fdopendir(top);
	if (!d) {
		fd_close(top);
		return err_nomem(err);
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (is_id(e->d_name) && str_starts(e->d_name, prefix) &&
			add_id(ret, ret_n, &cap, e->d_name, a) < 0)
			return err_nomem(err);
	}
	if (*ret_n)
		qsort(*ret, *ret_n, sizeof(**ret), by_name);
	return 0;
}

int request_list(int data_fd, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	return collect(data_fd, "", a, ret, ret_n, err);
}

int request_complete(
	int data_fd, const char *prefix, struct arena *a, const char **ret, struct err *err)
{
	const size_t len = strlen(prefix);
	const char **ids;
	size_t n;

	*ret = NULL;
	if (len < REQUEST_PREFIX_MIN || len > REQUEST_ID_LEN ||
		strspn(prefix, "0123456789abcdef") != len)
		return 0;
	if (collect(data_fd, prefix, a, &ids, &n, err) < 0)
		return -1;
	if (n > 1)
		return err_set(err, ERR_INVALID, prefix,
			"several containers begin with it: %.12s, %.12s", ids[0], ids[1]);
	*ret = n ? ids[0] : NULL;
	return 0;
}
