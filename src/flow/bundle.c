/* SPDX-License-Identifier: Apache-2.0 */
/* config.json and root filesystem of a container: read once, resolved once. */
#include "base/path.h"
#include "base/str.h"
#include "flow/flow.h"
#include "model/oci.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The absolute path of an open directory. */
static const char *path_of(int fd, struct arena *a, struct err *err)
{
	char link[32], path[PATH_MAX];
	const char *copy;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 0) {
		err_sys(err, errno, "readlink", "%s", link);
		return NULL;
	}
	if ((size_t)n == sizeof(path)) {
		err_set(err, ERR_INVALID, NULL, "the path is longer than %d bytes", PATH_MAX);
		return NULL;
	}
	copy = arena_strndup(a, path, (size_t)n);
	if (!copy)
		err_nomem(err);
	return copy;
}

/* A folder that the configuration names. The texts avoid the kernel's words for ENOENT and EACCES:
 * engines would take them for a statement about the container's program. */
static int open_folder(int at, const char *path, const char *what, struct err *err)
{
	int fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, path, "the %s is missing", what);
	if (errno == ENOTDIR)
		return err_set(err, ERR_INVALID, path, "the %s isn't a folder", what);
	if (errno == EACCES)
		return err_set(err, ERR_DENIED, path, "the %s can't be reached", what);
	return err_sys(err, errno, "open", "%s %s", what, path);
}

static int read_config(int dir_fd, const struct ctr_create *req, struct arena *a, struct bundle *b,
	struct err *err)
{
	const char *name = req->config ? req->config : "config.json";
	_free_ char *text = NULL;
	size_t n = 0;

	if (file_read(req->config ? AT_FDCWD : dir_fd, name, OCI_CONFIG_MAX, &text, &n, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		err_set(err, ERR_NOT_FOUND, name,
			req->config ? "it is missing" : "the bundle %s has none", b->path);
		return req->config
			       ? -1
			       : err_hint(err, "make one with: ctrctl spec --bundle %s", b->path);
	}
	b->n = n;
	b->text = arena_strndup(a, text, n);
	return b->text ? 0 : err_nomem(err);
}

static int resolve_rootfs(int dir_fd, struct arena *a, struct bundle *b, struct err *err)
{
	const struct oci_root *root = b->spec->root;
	_close_ int fd = FD_NONE;

	if (!root || !root->path || !*root->path)
		return err_set(err, ERR_INVALID, "root.path", "it is missing");
	fd = open_folder(dir_fd, root->path, "root filesystem", err);
	if (fd < 0)
		return err_in(err, "root.path");
	b->rootfs = path_of(fd, a, err);
	return b->rootfs ? 0 : err_in(err, "root.path");
}

int bundle_open(const struct ctr_create *req, struct arena *a, struct bundle *ret, struct err *err)
{
	struct bundle b = { 0 };
	struct oci_spec *spec;
	_close_ int dir_fd = open_folder(AT_FDCWD, req->bundle ? req->bundle : ".", "bundle", err);

	if (dir_fd < 0)
		return -1;
	b.path = path_of(dir_fd, a, err);
	if (!b.path)
		return err_in(err, "bundle:");
	if (read_config(dir_fd, req, a, &b, err) < 0)
		return -1;
	if (oci_spec_parse(b.text, b.n, a, &spec, err) < 0 || oci_spec_check(spec, err) < 0)
		return err_in(err, "config.json:");
	b.spec = spec;
	if (bundle_check_console(&req->attach, b.spec->process && b.spec->process->terminal, err) <
		0)
		return -1;
	if (resolve_rootfs(dir_fd, a, &b, err) < 0)
		return err_in(err, "config.json:");
	*ret = b;
	return 0;
}

const struct oci_spec *bundle_stored(struct ctr_container *c, struct err *err)
{
	struct oci_spec *spec;
	_free_ char *text = NULL;
	size_t n = 0;

	if (store_load_config(&c->box, c->rec.id, &text, &n, err) < 0)
		return NULL;
	if (oci_spec_parse(text, n, c->arena, &spec, err) < 0) {
		err_in(err, "stored config.json:");
		return NULL;
	}
	return spec;
}

int bundle_check_console(const struct ctr_attach *attach, bool terminal, struct err *err)
{
	const bool detach = !attach->ret_console;

	if (detach && terminal && attach->console_socket < 0)
		return err_set(err, ERR_INVALID, NULL,
			"cannot allocate tty if ctrctl will detach without setting console socket");
	if ((!detach || !terminal) && attach->console_socket >= 0)
		return err_set(err, ERR_INVALID, NULL,
			"cannot use console socket if ctrctl will not detach or allocate tty");
	return 0;
}

int pid_file_write(const char *path, pid_t pid, struct err *err)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	_close_ int fd = FD_NONE;
	char digits[16];
	int n = snprintf(digits, sizeof(digits), "%d", (int)pid);

	if (!dir)
		return err_nomem(err);
	fd = open_folder(AT_FDCWD, dir, "folder of the pid file", err);
	if (fd < 0)
		return -1;
	if (file_replace(fd, slash ? slash + 1 : path, digits, (size_t)n, 0644, err) < 0)
		return err_in(err, "pid file %s:", path);
	return 0;
}
