/* SPDX-License-Identifier: Apache-2.0 */
#include "store/requests.h"

#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "store/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 20 << 20, REMOVE_TRIES = 8 };

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
	_close_ int fd =
		openat(dir, INTENT, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	json_write(fields, &s, &text);
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

static int sync_at(int dir, const char *name, int flags, struct err *err)
{
	_close_ int fd = openat(dir, name, flags);

	return fd < 0 || fsync(fd) < 0 ? err_sys(err, errno, "fsync", "%s", name) : 0;
}

int request_sync(int data_fd, int dir, struct err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
	/* It is the intent or, once that is committed, the record. */
	const char *name = faccessat(dir, INTENT, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? INTENT : RECORD;

	if (sync_at(dir, name, flags, err) < 0)
		return -1;
	if (fsync(dir) < 0)
		return err_sys(err, errno, "fsync", "folder of a container");
	return request_sync_removed(data_fd, err);
}

int request_sync_removed(int data_fd, struct err *err)
{
	if (sync_at(data_fd, FOLDER, dir_flags, err) < 0)
		return -1;
	return fsync(data_fd) < 0 ? err_sys(err, errno, "fsync", "data folder") : 0;
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

#define BUSY "another command makes or removes the container"

int request_find(int data_fd, const char *id, int *ret_dir, struct err *err)
{
	return folder_find(data_fd, FOLDER, id, ret_dir, err);
}

int request_lock(int dir, const char *id, unsigned timeout_ms, struct err *err)
{
	int r = folder_lock(dir, LOCK_EX, timeout_ms, BUSY, err);

	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, NULL, "container does not exist");
	return r < 0 ? -1 : 0;
}

void request_unlock(int dir)
{
	folder_unlock(dir);
}

int request_is_locked(int dir)
{
	return folder_is_locked(dir);
}

int request_claim(int data_fd, const char *id, unsigned timeout_ms, int *ret_dir, struct err *err)
{
	_close_ int top = FD_NONE;

	if (!folder_is_hex_id(id))
		return err_set(err, ERR_INTERNAL, id, "it isn't the id of a request's container");
	if (mkdirat(data_fd, FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", "folder of containers");
	top = folder_open_top(data_fd, FOLDER);
	if (top < 0)
		return err_sys(err, errno, "open", "folder of containers");
	return folder_claim(top, id, timeout_ms, BUSY, ret_dir, err);
}

int request_remove(int data_fd, const char *id, struct err *err)
{
	_close_ int top = folder_open_top(data_fd, FOLDER);

	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "folder of containers");
	if (!folder_is_hex_id(id))
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

int request_list(int data_fd, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	return folder_list(folder_open_top(data_fd, FOLDER), folder_is_hex_id, "",
		"folder of containers", a, ret, ret_n, err);
}

int request_complete(
	int data_fd, const char *prefix, struct arena *a, const char **ret, struct err *err)
{
	return folder_complete(data_fd, FOLDER, prefix, "containers", a, ret, err);
}
