/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sandboxes.h"

#include "base/json.h"
#include "base/path.h"
#include "model/cri.h"
#include "store/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 1 << 20, CONFIG_BYTES_MAX = 20 << 20, CLAIM_TIMEOUT_MS = 10000 };

#define FOLDER "sandboxes"
#define NAMED  FOLDER "/names"
#define RECORD "sandbox.json"
#define CONFIG "config.json"

static const int dir_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/* What a whole sandbox has in its folder. */
static const char *const files[] = { CONFIG, "hostname", "hosts", "resolv.conf", RECORD };

/* ---- the record ---- */

struct stored {
	uint32_t version;
	struct ctr_sandbox_record r;
};

static const char *const state_names[CTR_SANDBOX_STATE_N] = {
	[CTR_SANDBOX_READY] = "SANDBOX_READY",
	[CTR_SANDBOX_NOTREADY] = "SANDBOX_NOTREADY",
};
static const struct name_table states = { state_names, CTR_SANDBOX_STATE_N };

const char *ctr_sandbox_state_name(int state)
{
	return name_of(&states, state);
}

#define R_STR(m, nm)  J_ROW_STR(struct stored, r.m, nm, 0)
#define R_BOOL(m, nm) J_ROW_BOOL(struct stored, r.m, nm, 0)

static const struct json_field fields[] = {
	J_ROW_U32(struct stored, version, "version", J_REQUIRED),
	J_ROW_STR(struct stored, r.id, "id", J_REQUIRED),
	J_ROW_STR(struct stored, r.name, "name", J_REQUIRED),
	R_STR(created, "created"),
	R_STR(boot_id, "bootId"),
	R_STR(runtime_handler, "runtimeHandler"),
	J_ROW_ENUM(struct stored, r.state, "state", J_REQUIRED | J_KEEP, &states),
	R_BOOL(complete, "complete"),
	R_STR(folder, "folder"),
	J_ROW_STR(struct stored, r.run_folder, "runFolder", J_REQUIRED),
	R_STR(hostname, "hostname"),
	R_STR(cgroup, "cgroup"),
	R_BOOL(cgroup_made, "cgroupMade"),
	R_STR(ns_path[OCI_NS_NETWORK], "networkNamespace"),
	R_STR(ns_path[OCI_NS_IPC], "ipcNamespace"),
	R_STR(ns_path[OCI_NS_UTS], "utsNamespace"),
	R_STR(ns_path[OCI_NS_USER], "userNamespace"),
	R_STR(ns_path[OCI_NS_PID], "pidNamespace"),
	R_STR(shm, "shm"),
	J_ROW_I32(struct stored, r.pause_pid, "pausePid", 0),
	J_ROW_U64(struct stored, r.pause_start, "pauseStart", 0),
	{ 0 },
};

/* Only of what was read: want of memory or fds, or a disk that fails, says nothing about the
 * record. */
static int broken(const char *id, struct err *err)
{
	struct err nomem = ERR_INIT;

	(void)err_nomem(&nomem);
	err_in(err, "record of %.12s:", id);
	if (err->os || str_eq(err->text, nomem.text))
		return -1;
	err->code = ERR_INVALID;
	return err_hint(err,
		"what is left of the sandbox can be removed with: ctrctl sandbox remove %s", id);
}

static int load_config(
	int dir, struct arena *a, const struct cri_pod_sandbox_config **ret, struct err *err)
{
	struct cri_pod_sandbox_config *config;
	_free_ char *text = NULL;
	size_t n = 0;

	if (file_read(dir, CONFIG, CONFIG_BYTES_MAX, &text, &n, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? err_set(err, ERR_INVALID, CONFIG, "it is missing")
			       : -1;
	if (cri_pod_parse(text, n, a, &config, err) < 0)
		return err_in(err, CONFIG ":");
	*ret = config;
	return 0;
}

int sandbox_load(
	int dir, const char *id, struct arena *a, struct ctr_sandbox_record *ret, struct err *err)
{
	_free_ char *text = NULL;
	const struct json *root;
	struct stored s = { 0 };
	size_t n = 0;

	if (file_read(dir, RECORD, RECORD_BYTES_MAX, &text, &n, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : broken(id, err);
	if (json_parse(text, n, RECORD_BYTES_MAX, a, &root, err) < 0 ||
		json_bind(root, fields, &s, JSON_UNKNOWN_REFUSE, a, err) < 0)
		return broken(id, err);
	if (s.version != 1) {
		err_set(err, ERR_INVALID, RECORD, "it is a record of version %u, known is 1",
			s.version);
		return broken(id, err);
	}
	if (!str_eq(s.r.id, id)) {
		err_set(err, ERR_INVALID, "id", "it belongs to another sandbox: %.64s", s.r.id);
		return broken(id, err);
	}
	if (load_config(dir, a, &s.r.config, err) < 0)
		return broken(id, err);
	*ret = s.r;
	return 1;
}

int sandbox_save(int dir, const struct ctr_sandbox_record *r, struct err *err)
{
	const struct stored s = { .version = 1, .r = *r };
	_str_ struct str text = { 0 };

	json_write(fields, &s, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	if (file_replace(dir, RECORD, text.p, text.n, 0600, err) < 0)
		return err_in(err, "record of %.12s:", r->id);
	return 0;
}

static int write_new(int dir, const char *name, const struct str *text, mode_t mode, uint32_t uid,
	uint32_t gid, struct err *err)
{
	_close_ int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (str_ok(text, err) < 0)
		return -1;
	if (fd < 0 || fd_write_all(fd, text->p, text->n) < 0)
		return err_sys(err, errno, "write", "%s", name);
	if ((uid || gid) && fchown(fd, uid, gid) < 0)
		return err_sys(err, errno, "chown", "%s", name);
	if (fchmod(fd, mode) < 0)
		return err_sys(err, errno, "chmod", "%s", name);
	return 0;
}

int sandbox_save_config(int dir, const struct str *text, struct err *err)
{
	return write_new(dir, CONFIG, text, 0600, 0, 0, err);
}

int sandbox_save_file(int dir, const char *name, const struct str *text, uint32_t uid, uint32_t gid,
	struct err *err)
{
	return write_new(dir, name, text, 0644, uid, gid, err);
}

static int sync_at(int dir, const char *name, int flags, struct err *err)
{
	_close_ int fd = openat(dir, name, flags);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, errno, "fsync", "%s", name);
	return 0;
}

/* The files, then what leads to them. Those for containers aren't worth it: a power cut is the end
 * of the sandbox, of which only the record is asked then. */
int sandbox_sync(int data_fd, int dir, int lock, struct err *err)
{
	static const char *const durable[] = { CONFIG, RECORD };

	for (size_t i = 0; i < ARRAY_SIZE(durable); i++)
		if (sync_at(dir, durable[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC, err) < 0)
			return -1;
	if (fsync(lock) < 0)
		return err_sys(err, errno, "fsync", "name of a sandbox");
	if (fsync(dir) < 0)
		return err_sys(err, errno, "fsync", "folder of a sandbox");
	return sync_at(data_fd, NAMED, dir_flags, err) < 0 ||
			       sync_at(data_fd, FOLDER, dir_flags, err) < 0
		       ? -1
		       : 0;
}

/* ---- locks ---- */

/* What may be going on when the lock isn't had in time. */
static int lock(int fd, int how, unsigned timeout_ms, struct err *err)
{
	return folder_lock(fd, how, timeout_ms,
		how == LOCK_EX ? "another command works on the sandbox or in it"
			       : "another command makes, stops or removes the sandbox",
		err);
}

int sandbox_lock(int dir, const char *id, int how, unsigned timeout_ms, struct err *err)
{
	int r = lock(dir, how, timeout_ms, err);

	if (r == 0)
		return err_set(err, ERR_NOT_FOUND, id, "no such sandbox");
	return r < 0 ? -1 : 0;
}

void sandbox_unlock(int dir)
{
	folder_unlock(dir);
}

int sandbox_is_locked(int dir)
{
	return folder_is_locked(dir);
}

/* ---- names ---- */

static int make_folders(int data_fd, struct err *err)
{
	static const char *const folders[] = { FOLDER, NAMED };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(data_fd, folders[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "%s", folders[i]);
	return 0;
}

static int open_name(int data_fd, const char *key, struct err *err)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	_free_ char *path = strf(NAMED "/%s", key);
	int fd;

	if (!path)
		return err_nomem(err);
	fd = openat(data_fd, path, flags, 0600);
	if (fd < 0 && errno == ENOENT) {
		if (make_folders(data_fd, err) < 0)
			return -1;
		fd = openat(data_fd, path, flags, 0600);
	}
	return fd < 0 ? err_sys(err, errno, "open", "%s", path) : fd;
}

/* Empty: it isn't one. */
static int read_name(int fd, char ret_id[SANDBOX_ID_LEN + 1], struct err *err)
{
	ssize_t n = pread(fd, ret_id, SANDBOX_ID_LEN, 0);

	if (n < 0)
		return err_sys(err, errno, "read", "name of a sandbox");
	ret_id[n] = '\0';
	/* Torn by a power cut: then nothing of that sandbox was acknowledged. */
	if (!folder_is_hex_id(ret_id))
		ret_id[0] = '\0';
	return 0;
}

int sandbox_name_lock(int data_fd, const char *key, unsigned timeout_ms, int *ret_lock,
	char ret_id[SANDBOX_ID_LEN + 1], struct err *err)
{
	_close_ int fd = FD_NONE;
	int r = 0;

	/* Who drops a name removes the file: what was waited for may be gone then. */
	while (r == 0) {
		fd_close(fd);
		fd = open_name(data_fd, key, err);
		if (fd < 0)
			return -1;
		r = lock(fd, LOCK_EX, timeout_ms, err);
		if (r < 0)
			return -1;
	}
	if (read_name(fd, ret_id, err) < 0)
		return -1;
	*ret_lock = fd_take(&fd);
	return 0;
}

int sandbox_name_read(
	int data_fd, const char *key, char ret_id[SANDBOX_ID_LEN + 1], struct err *err)
{
	_free_ char *path = strf(NAMED "/%s", key);
	_close_ int fd = FD_NONE;

	ret_id[0] = '\0';
	if (!path)
		return err_nomem(err);
	if (data_fd < 0)
		return 0;
	fd = openat(data_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open", "%s", path);
	return read_name(fd, ret_id, err);
}

int sandbox_name_take(int lock, const char *id, struct err *err)
{
	if (pwrite(lock, id, SANDBOX_ID_LEN, 0) != SANDBOX_ID_LEN)
		return err_sys(err, errno, "write", "name of a sandbox");
	return 0;
}

int sandbox_name_drop(int data_fd, const char *key, struct err *err)
{
	_free_ char *path = strf(NAMED "/%s", key);

	if (!path)
		return err_nomem(err);
	if (unlinkat(data_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "unlink", "%s", path);
	return 0;
}

/* Its maker died before there was a folder, or its remover before the name was dropped. */
static int drop_stale(int data_fd, int names, const char *name, struct err *err)
{
	_close_ int fd = openat(names, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	char id[SANDBOX_ID_LEN + 1], path[sizeof(FOLDER) + 1 + SANDBOX_ID_LEN];
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
		return 0;
	if (read_name(fd, id, err) < 0)
		return -1;
	snprintf(path, sizeof(path), FOLDER "/%s", id);
	if (*id && (faccessat(data_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT))
		return 0;
	if (unlinkat(names, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "unlink", "%s", name);
	return 0;
}

int sandbox_names_sweep(int data_fd, struct err *err)
{
	_closedir_ DIR *d = NULL;
	int names = data_fd < 0 ? FD_NONE : openat(data_fd, NAMED, dir_flags);

	if (names < 0)
		return 0;
	d = fdopendir(names);
	if (!d) {
		fd_close(names);
		return err_nomem(err);
	}
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] != '.' && drop_stale(data_fd, names, e->d_name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- folders ---- */

int sandbox_find(int data_fd, const char *id, int *ret_dir, struct err *err)
{
	return folder_find(data_fd, FOLDER, id, ret_dir, err);
}

int sandbox_claim(int data_fd, const char *id, int *ret_dir, struct err *err)
{
	_close_ int top = FD_NONE;

	if (make_folders(data_fd, err) < 0)
		return -1;
	top = folder_open_top(data_fd, FOLDER);
	if (top < 0)
		return err_sys(err, errno, "open", "folder of sandboxes");
	/* Who lists may take it for a left-over as long as it isn't locked. */
	return folder_claim(
		top, id, CLAIM_TIMEOUT_MS, "another command looks at the sandbox", ret_dir, err);
}

int sandbox_remove(int data_fd, const char *id, struct err *err)
{
	_close_ int top = folder_open_top(data_fd, FOLDER);

	if (top < 0 || !folder_is_hex_id(id))
		return 0;
	/* The record goes last: until then a broken-off removal can be repeated. */
	_close_ int dir = openat(top, id, dir_flags);
	for (size_t i = 0; dir >= 0 && i + 1 < ARRAY_SIZE(files); i++)
		if (!str_eq(files[i], CONFIG) && unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "unlink", "%s", files[i]);
	return path_remove_tree(top, id, err);
}

/* ---- all of them ---- */

int sandbox_list(int data_fd, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	return folder_list(folder_open_top(data_fd, FOLDER), folder_is_hex_id, "",
		"folder of sandboxes", a, ret, ret_n, err);
}

int sandbox_complete(
	int data_fd, const char *prefix, struct arena *a, const char **ret, struct err *err)
{
	return folder_complete(data_fd, FOLDER, prefix, "sandboxes", a, ret, err);
}
