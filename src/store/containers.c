/* SPDX-License-Identifier: Apache-2.0 */
#include "store/containers.h"

#include "base/path.h"
#include "base/str.h"
#include "store/folder.h"
#include "store/record.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 4 << 20, ID_MAX = 200, CLAIM_TIMEOUT_MS = 5000 };

#define BROKEN_HINT "what is left of the container can be removed with: ctrctl delete --force %s"

/* ---- the root folder ---- */

/* 1 when the opened folder is "/": asked for only when the spelling leaves room for it. */
static bool is_slash(const char *path, const struct stat *st)
{
	const char *base = strrchr(path, '/');
	struct stat slash;

	base = base ? base + 1 : path;
	if (*base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0)
		return false;
	return stat("/", &slash) == 0 && slash.st_dev == st->st_dev && slash.st_ino == st->st_ino;
}

static int check_root(const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", path);
	if (is_slash(path, &st))
		return err_set(err, ERR_INVALID, path, "the root folder can't be \"/\"");
	if (st.st_uid != geteuid())
		return err_set(err, ERR_DENIED, path, "the root folder belongs to uid %u",
			(unsigned)st.st_uid);
	if (st.st_mode & 022)
		return err_set(err, ERR_DENIED, path,
			"the root folder can be written to by others (mode %04o)",
			(unsigned)st.st_mode & 07777);
	return 0;
}

/* All that leads to it: whichever of these folders were made just now. */
static int sync_parents(const char *path, struct err *err)
{
	_free_ char *above = strdup(path);

	if (!above)
		return err_nomem(err);
	for (char *slash; (slash = strrchr(above, '/'));) {
		slash[slash == above] = '\0';
		_close_ int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			return err_sys(err, errno, "fsync", "%s", above);
		if (slash == above)
			break;
	}
	return 0;
}

int store_open(const char *path, enum store_open how, struct store *ret, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_free_ char *clean = strdup(path);
	_close_ int fd = FD_NONE;

	if (!clean)
		return err_nomem(err);
	/* "link/" would be followed */
	for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
		clean[n - 1] = '\0';
	if (!*clean)
		return err_set(err, ERR_INVALID, "--root", "it is empty");
	fd = open(clean, flags);
	if (fd < 0 && errno == ENOENT) {
		if (how == STORE_FIND) {
			ret->fd = FD_NONE;
			return 0;
		}
		if (path_make_dirs(clean, 0700, err) < 0)
			return err_in(err, "root folder:");
		if (ret->durable && sync_parents(clean, err) < 0)
			return -1;
		fd = open(clean, flags);
	}
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return err_set(err, ERR_DENIED, clean,
			"the root folder isn't a folder of its own (a link or a file)");
	if (fd < 0)
		return err_sys(err, errno, "open", "root folder %s", clean);
	if (check_root(clean, fd, err) < 0)
		return -1;
	ret->fd = fd_take(&fd);
	return 0;
}

void store_close(struct store *s)
{
	s->fd = fd_close(s->fd);
}

void store_box_close(struct store_box *b)
{
	b->fd = fd_close(b->fd);
}

/* ---- ids and folders ---- */

static bool id_byte(unsigned char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '+' || c == '-' || (c == '.' && !first);
}

static bool id_is_valid(const char *id)
{
	size_t n = 0;

	for (; id[n]; n++) {
		if (n == ID_MAX || !id_byte((unsigned char)id[n], n == 0))
			return false;
	}
	return n > 0;
}

int store_check_id(const char *id, struct err *err)
{
	if (id_is_valid(id))
		return 0;
	err_set(err, ERR_INVALID, NULL, "invalid container ID");
	return err_hint(err,
		"an id has 1 to %d letters, digits, \"_\", \"+\", \"-\" and \".\", and doesn't begin with \".\"",
		ID_MAX);
}

static int not_found(const char *id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, NULL, "container does not exist");
}

int store_find(const struct store *s, const char *id, struct store_box *ret, struct err *err)
{
	int fd;

	if (store_check_id(id, err) < 0)
		return -1;
	if (s->fd < 0)
		return not_found(id, err);
	fd = openat(s->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return not_found(id, err);
	if (fd < 0)
		return err_sys(err, errno, "open", "folder of %s", id);
	ret->fd = fd;
	ret->durable = s->durable;
	return 0;
}

/* ---- the lock ---- */

/* Finds who holds an flock on the folder. The kernel knows it best: nothing is written, so nothing
 * can be stale. */
static pid_t lock_holder(int fd)
{
	_fclose_ FILE *f = fopen("/proc/locks", "re");
	unsigned maj, min;
	unsigned long long ino;
	struct stat st;
	_free_ char *line = NULL;
	size_t size = 0;
	int pid;

	if (!f || fstat(fd, &st) < 0)
		return 0;
	while (getline(&line, &size, f) > 0) {
		if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%llu", &pid, &maj, &min, &ino) ==
				4 &&
			ino == st.st_ino && maj == major(st.st_dev) && min == minor(st.st_dev))
			return pid;
	}
	return 0;
}

static int held(const struct store_box *box, const char *id, struct err *err)
{
	pid_t pid = lock_holder(box->fd);
	_free_ char *path = strf("/proc/%d/cmdline", (int)pid);
	_close_ int fd = path && pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : FD_NONE;
	char cmd[80] = "";
	ssize_t n = fd >= 0 ? read(fd, cmd, sizeof(cmd) - 1) : 0;

	for (ssize_t i = 0; i + 1 < n; i++) {
		if (!cmd[i])
			cmd[i] = ' ';
	}
	if (pid > 0)
		return err_set(err, ERR_TIMEOUT, NULL, "the container is held by pid %d (%s)",
			(int)pid, *cmd ? cmd : "of unknown name");
	return err_set(err, ERR_TIMEOUT, NULL, "the container is held by another command");
}

int store_lock(const struct store_box *box, const char *id, unsigned timeout_ms, struct err *err)
{
	int r = folder_lock(box->fd, LOCK_EX, timeout_ms, "", err);

	if (r == 0)
		return not_found(id, err);
	if (r < 0)
		return err->code == ERR_TIMEOUT ? held(box, id, err) : -1;
	return 0;
}

void store_unlock(const struct store_box *box)
{
	folder_unlock(box->fd);
}

int store_claim(const struct store *s, const char *id, struct store_box *ret, struct err *err)
{
	struct store_box box = STORE_BOX_INIT;

	if (store_check_id(id, err) < 0)
		return -1;
	if (mkdirat(s->fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(
				err, ERR_EXISTS, NULL, "container with given ID already exists");
		return err_sys(err, errno, "mkdir", "folder of %s", id);
	}
	if (store_find(s, id, &box, err) < 0)
		return -1;
	/* Between the two calls somebody may have looked whether it is locked, or a forced delete
	 * may have taken it for a left-over. */
	if (store_lock(&box, id, CLAIM_TIMEOUT_MS, err) < 0) {
		store_box_close(&box);
		return err->code != ERR_NOT_FOUND
			       ? -1
			       : err_set(err, ERR_STATE, NULL,
					 "another command removed the container while it was being made");
	}
	if (s->durable && fsync(s->fd) < 0) {
		store_box_close(&box);
		return err_sys(err, errno, "fsync", "root folder");
	}
	box.fresh = true;
	*ret = box;
	return 0;
}

int store_is_locked(const struct store_box *box)
{
	return folder_is_locked(box->fd);
}

/* ---- record and config ---- */

/* The first record replaces nothing: until it is whole, the lock says that the container is being
 * made. */
static int save_first(const struct store_box *box, const struct str *text, struct err *err)
{
	_close_ int fd = openat(
		box->fd, "state.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text->p, text->n) < 0)
		return err_sys(err, errno, "write", "state.json");
	return 0;
}

int store_save(struct store_box *box, const struct ctr_record *r, struct err *err)
{
	_str_ struct str text = { 0 };
	int saved;

	record_write(r, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	if (box->durable)
		saved = file_replace_synced(box->fd, "state.json", text.p, text.n, 0600, err);
	else if (box->fresh)
		saved = save_first(box, &text, err);
	else
		saved = file_replace(box->fd, "state.json", text.p, text.n, 0600, err);
	if (saved < 0)
		return err_in(err, "record of %s:", r->id);
	box->fresh = false;
	return 0;
}

static int broken(const char *id, struct err *err)
{
	err->code = ERR_INVALID;
	err_in(err, "record of %s:", id);
	return err_hint(err, BROKEN_HINT, id);
}

bool store_has_none(const struct store_box *box)
{
	return faccessat(box->fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

int store_load(const struct store_box *box, const char *id, struct arena *a, struct ctr_record *ret,
	struct err *err)
{
	_free_ char *text = NULL;
	struct ctr_record r;
	size_t n = 0;

	if (file_read(box->fd, "state.json", RECORD_BYTES_MAX, &text, &n, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_INVALID, "state.json", "it is missing");
		return broken(id, err);
	}
	if (n == 0) {
		err_set(err, ERR_INVALID, "state.json", "it is empty");
		return broken(id, err);
	}
	if (record_read(text, n, a, &r, err) < 0)
		return broken(id, err);
	if (!str_eq(r.id, id)) {
		err_set(err, ERR_INVALID, "id", "it belongs to another container: %.200s", r.id);
		return broken(id, err);
	}
	*ret = r;
	return 0;
}

int store_save_config(const struct store_box *box, const char *text, size_t n, struct err *err)
{
	_close_ int fd = openat(
		box->fd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text, n) < 0)
		return err_sys(err, errno, "write", "copy of config.json");
	return 0;
}

int store_load_config(
	const struct store_box *box, const char *id, char **ret, size_t *ret_n, struct err *err)
{
	if (file_read(box->fd, "config.json", CONFIG_BYTES_MAX, ret, ret_n, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		err_set(err, ERR_INVALID, "config.json", "the container's copy of it is missing");
	return broken(id, err);
}

int store_remove(const struct store *s, const char *id, struct err *err)
{
	static const char *const known[] = { "config.json", "state.json" }; /* in this order */
	char name[ID_MAX + sizeof("/config.json")];

	if (store_check_id(id, err) < 0)
		return -1;
	if (s->fd < 0)
		return 0;
	/* The record goes last: until then a broken-off removal can be repeated. */
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		snprintf(name, sizeof(name), "%s/%s", id, known[i]);
		if (unlinkat(s->fd, name, 0) < 0 && errno != ENOENT && errno != EISDIR &&
			errno != EPERM)
			return err_sys(err, errno, "unlink", "%s", name);
	}
	if (unlinkat(s->fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT &&
		path_remove_tree(s->fd, id, err) < 0)
		return -1;
	return s->durable && fsync(s->fd) < 0 ? err_sys(err, errno, "fsync", "root folder") : 0;
}

/* ---- all of them ---- */

int store_list(
	const struct store *s, struct arena *a, const char ***ret, size_t *ret_n, struct err *err)
{
	int fd = FD_NONE;

	/* None: nothing to list. */
	errno = ENOENT;
	if (s->fd >= 0)
		fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder_list(fd, id_is_valid, "", "root folder", a, ret, ret_n, err);
}

int store_cache(const struct store *s)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(s->fd, ".cache", flags);

	if (fd < 0 && errno == ENOENT && mkdirat(s->fd, ".cache", 0700) == 0)
		fd = openat(s->fd, ".cache", flags);
	return fd < 0 ? FD_NONE : fd;
}
