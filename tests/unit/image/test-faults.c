/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each call that loading, finding, mounting and removing an image makes fails once: it is said,
 * nothing leaks, and the next load on that store goes as if nothing had been. Roots alone.
 */
#include "base/digest.h"
#include "base/path.h"
#include "base/str.h"
#include "base/sys.h"
#include "image/rootfs.h"
#include "image/store.h"
#include "tarball.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- calls that fail ---- */

static const char *failing; /* NULL: none does */
static unsigned long calls, countdown;
static int with_errno;

static bool fails(const char *name)
{
	if (!failing || strcmp(failing, name) != 0)
		return false;
	calls++;
	if (!countdown || --countdown != 0)
		return false;
	errno = with_errno;
	return true;
}

#define WRAP(type, none, name, params, ...)                                \
	type __real_##name params;                                         \
	type __wrap_##name params;                                         \
	type __wrap_##name params                                          \
	{                                                                  \
		return fails(#name) ? (none) : __real_##name(__VA_ARGS__); \
	}

WRAP(void *, NULL, malloc, (size_t n), n)
WRAP(void *, NULL, calloc, (size_t n, size_t size), n, size)
WRAP(void *, NULL, realloc, (void *p, size_t n), p, n)
WRAP(int, -1, fstat64, (int fd, struct stat *st), fd, st)
WRAP(int, -1, fstatfs64, (int fd, struct statfs *st), fd, st)
WRAP(int, -1, flock, (int fd, int how), fd, how)
WRAP(int, -1, renameat, (int a, const char *b, int c, const char *d), a, b, c, d)
WRAP(int, -1, mkdirat, (int fd, const char *p, mode_t m), fd, p, m)
WRAP(int, -1, mkdir, (const char *p, mode_t m), p, m)
WRAP(int, -1, unlinkat, (int fd, const char *p, int f), fd, p, f)
WRAP(int, -1, fchmod, (int fd, mode_t m), fd, m)
WRAP(int, -1, fchown, (int fd, uid_t u, gid_t g), fd, u, g)
WRAP(ssize_t, -1, getrandom, (void *p, size_t n, unsigned f), p, n, f)
WRAP(off_t, -1, lseek64, (int fd, off_t o, int w), fd, o, w)
WRAP(ssize_t, -1, pread64, (int fd, void *p, size_t n, off_t o), fd, p, n, o)
WRAP(ssize_t, -1, read, (int fd, void *p, size_t n), fd, p, n)
WRAP(ssize_t, -1, write, (int fd, const void *p, size_t n), fd, p, n)
WRAP(DIR *, NULL, fdopendir, (int fd), fd)
WRAP(int, -1, socketpair, (int d, int t, int p, int *r), d, t, p, r)
WRAP(int, -1, umount2, (const char *p, int f), p, f)
WRAP(int, -1, mount, (const char *s, const char *t, const char *y, unsigned long f, const void *d),
	s, t, y, f, d)
WRAP(int, -1, sys_openat2, (int fd, const char *p, const struct open_how *h), fd, p, h)
WRAP(int, -1, sys_open_tree, (int fd, const char *p, unsigned f), fd, p, f)
WRAP(int, -1, sys_move_mount, (int a, const char *b, int c, const char *d, unsigned f), a, b, c, d,
	f)
WRAP(int, -1, sys_fsopen, (const char *t, unsigned f), t, f)
WRAP(int, -1, sys_fsconfig, (int fd, unsigned c, const char *k, const void *v, int a), fd, c, k, v,
	a)
WRAP(int, -1, sys_fsmount, (int fd, unsigned f, unsigned a), fd, f, a)
WRAP(int, -1, sys_mount_setattr, (int fd, const char *p, unsigned f, const struct mount_attr *a),
	fd, p, f, a)
WRAP(pid_t, -1, sys_clone3, (const struct clone_args *a), a)
WRAP(int, -1, memfd_create, (const char *n, unsigned f), n, f)

int __real_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails("openat64") ? -1 : __real_openat64(fd, path, flags, mode);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	return fails("open64") ? -1 : __real_open64(path, flags);
}

int __real_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return fails("fcntl64") ? -1 : __real_fcntl64(fd, cmd, arg);
}

/* Not done at all: nobody pulls the plug here. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd _unused_)
{
	return fails("fsync") ? -1 : 0;
}
int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd _unused_)
{
	return fails("syncfs") ? -1 : 0;
}

/* ---- what is done ---- */

static char dir[] = "/tmp/ctrctl-faults-XXXXXX";
static char layout[64], archive[64];
static int top = FD_NONE;

static void put(const char *name, const void *p, size_t n)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && fd_write_all(fd, p, n) == 0, "%s", name);
	fd_close(fd);
}

/* One layer and what leads to it, as a layout in a folder and as docker's archive. */
static void make_archives(void)
{
	_tarball_ struct tarball layer = { 0 }, docker = { 0 };
	char l[DIGEST_TEXT_MAX], c[DIGEST_TEXT_MAX], m[DIGEST_TEXT_MAX];
	_free_ char *config = NULL, *manifest = NULL, *index = NULL, *list = NULL, *path = NULL;

	tarball_file(&layer, "file", "text");
	tarball_end(&layer);
	digest_of(layer.bytes.p, layer.bytes.n, l);
	config = strf(
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"x\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
#if defined(__aarch64__)
		"arm64",
#else
		"amd64",
#endif
		l);
	digest_of(config, strlen(config), c);
#define MEDIA "\"mediaType\":\"application/vnd.oci.image."
	manifest = strf("{\"schemaVersion\":2,\"config\":{" MEDIA
			"config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{" MEDIA
			"layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
		c, strlen(config), l, layer.bytes.n);
	digest_of(manifest, strlen(manifest), m);
	index = strf(
		"{\"schemaVersion\":2,\"manifests\":[{" MEDIA
		"manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"1\"}}]}",
		m, strlen(manifest));
	cr_assert(mkdirat(top, "web", 0700) == 0 && mkdirat(top, "web/blobs", 0700) == 0 &&
		  mkdirat(top, "web/blobs/sha256", 0700) == 0);
	put("web/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	put("web/index.json", index, strlen(index));
	put((path = strf("web/blobs/sha256/%s", l + 7)), layer.bytes.p, layer.bytes.n);
	free(path);
	put((path = strf("web/blobs/sha256/%s", c + 7)), config, strlen(config));
	free(path);
	put((path = strf("web/blobs/sha256/%s", m + 7)), manifest, strlen(manifest));
	list = strf("[{\"Config\":\"c.json\",\"RepoTags\":[\"b:1\"],\"Layers\":[\"l\"]}]");
	tarball_file(&docker, "manifest.json", list);
	tarball_file(&docker, "c.json", config);
	tarball_head(
		&docker, &(struct tar_head){ .type = '0', .name = "layer", .size = layer.bytes.n });
	tarball_data(&docker, layer.bytes.p, layer.bytes.n);
	tarball_add(&docker, '2', "l", "layer");
	tarball_end(&docker);
	put("docker.tar", docker.bytes.p, docker.bytes.n);
}

static void setup(void)
{
	if (geteuid() != 0)
		return;
	cr_assert(mkdtemp(dir));
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(layout, sizeof(layout), "%s/web", dir);
	snprintf(archive, sizeof(archive), "%s/docker.tar", dir);
	make_archives();
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err err = ERR_INIT;

	if (geteuid() == 0)
		cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &err), 0);
	fd_close(top);
}

TestSuite(image_faults, .init = setup, .fini = teardown, .timeout = 300);

static int load(struct image_store *s, const char *path, struct err *err)
{
	const struct ctr_image_load job = { .path = path };
	_arena_ struct arena *a = arena_new();
	struct ctr_image_record *list;
	size_t n;

	return a ? image_load(s, &job, a, &list, &n, err) : err_nomem(err);
}

/* Standard input is a file, which is copied. */
static int load_stdin(struct image_store *s, struct err *err)
{
	_close_ int saved = dup(0), in = __real_open64(archive, O_RDONLY | O_CLOEXEC);
	int r;

	cr_assert(in >= 0 && dup2(in, 0) == 0);
	r = load(s, "-", err);
	cr_assert(dup2(saved, 0) == 0);
	return r;
}

static struct oci_id_map map = { 0, 100000, 65536 };

static int mount_all(const struct image_store *s, const struct ctr_image_record *r, struct err *err)
{
	_close_ int box = FD_NONE, plain = FD_NONE, changes = FD_NONE, mapped = FD_NONE;
	struct rootfs_job job = { .image = r, .dir_fd = FD_NONE };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	box = fd;
	plain = rootfs_mount(s, &job, err);
	if (plain < 0)
		return -1;
	job.dir_fd = box;
	changes = rootfs_mount(s, &job, err);
	if (changes < 0)
		return -1;
	job.dir_fd = FD_NONE;
	job.uid_map = job.gid_map = &map;
	job.n_uid_map = job.n_gid_map = 1;
	mapped = rootfs_mount(s, &job, err);
	if (mapped < 0 || rootfs_attach(mapped, box, "at", err) < 0)
		return -1;
	return rootfs_detach(box, "at", err);
}

static int find_all(const struct image_store *s, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct ctr_image_record r, *list;
	const char *text;
	size_t n;

	if (!a)
		return err_nomem(err);
	if (image_find(s, "b:1", a, &r, err) < 0 || image_find(s, "web:1", a, &r, err) < 0 ||
		image_list(s, a, &list, &n, err) < 0 ||
		image_manifest_text(s, &r, a, &text, err) < 0 ||
		image_config_text(s, &r, a, &text, err) < 0)
		return -1;
	return mount_all(s, &r, err);
}

static int remove_it(const struct image_store *s, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct ctr_image_record r;
	_close_ int lock = FD_NONE;

	if (!a)
		return err_nomem(err);
	if (image_find(s, "web:1", a, &r, err) < 0 ||
		image_store_lock(s, IMAGE_LOCK_EXCLUSIVE, &lock, err) < 0)
		return -1;
	return image_remove(s, &r, err);
}

static int everything(struct image_store *s, struct err *err)
{
	if (load(s, layout, err) < 0 || load_stdin(s, err) < 0 || load(s, archive, err) < 0 ||
		find_all(s, err) < 0)
		return -1;
	return remove_it(s, err);
}

/* ---- each call once ---- */

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void fresh(struct image_store *s)
{
	static const char *const made[] = { "data", "upper", "work", "at" };
	struct err err = ERR_INIT;
	char at[80];

	s->fd = fd_close(s->fd);
	snprintf(at, sizeof(at), "%s/at", dir);
	while (__real_umount2(at, MNT_DETACH) == 0)
		;
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		cr_assert_eq(path_remove_tree(top, made[i], &err), 0);
	cr_assert(mkdirat(top, "data", 0700) == 0 && mkdirat(top, "at", 0700) == 0);
	s->fd = openat(top, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void fail_at(const char *name, unsigned long k, int os)
{
	struct image_store s = IMAGE_STORE_INIT;
	struct err err = ERR_INIT, again = ERR_INIT;
	char line[1024];
	int fds, r;

	fresh(&s);
	fds = count_fds();
	failing = name;
	countdown = k;
	with_errno = os;
	r = everything(&s, &err);
	failing = NULL;
	cr_expect(r == 0 || err.code != ERR_NONE, "%s %lu: failed without a word", name, k);
	cr_expect_eq(count_fds(), fds, "%s %lu: fds are left open", name, k);
	err_line(&err, line, sizeof(line));
	if (everything(&s, &again) < 0) {
		char more[1024];
		err_line(&again, more, sizeof(more));
		cr_expect(0, "%s %lu (%s): then %s", name, k, line, more);
	}
	fresh(&s);
	fd_close(s.fd);
}

enum { AT_MOST = 24 };

static void each_fails(const char *name, int os)
{
	struct image_store s = IMAGE_STORE_INIT;
	struct err err = ERR_INIT;
	unsigned long n, step;
	char line[1024];

	if (geteuid() != 0)
		cr_skip_test("not root");
	fresh(&s);
	failing = name;
	calls = countdown = 0;
	if (everything(&s, &err) < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert(0, "%s", line);
	}
	failing = NULL;
	n = calls;
	cr_assert_gt(n, 0, "%s is never called", name);
	step = n / AT_MOST + 1;
	fresh(&s);
	fd_close(s.fd);
	for (unsigned long k = 1; k <= n; k += step)
		fail_at(name, k, os);
}

Test(image_faults, want_of_memory_is_said)
{
	each_fails("malloc", ENOMEM);
	each_fails("calloc", ENOMEM);
	each_fails("realloc", ENOMEM);
	each_fails("fdopendir", ENOMEM);
}

Test(image_faults, files_that_fail_are_said)
{
	each_fails("openat64", EIO);
	each_fails("open64", EIO);
	each_fails("fstat64", EIO);
	each_fails("lseek64", EIO);
	each_fails("pread64", EIO);
	each_fails("read", EIO);
	each_fails("write", ENOSPC);
	each_fails("fcntl64", EMFILE);
	each_fails("sys_openat2", EIO);
}

Test(image_faults, folders_and_names_that_fail_are_said)
{
	each_fails("mkdirat", ENOSPC);
	each_fails("renameat", EIO);
	each_fails("unlinkat", EIO);
	each_fails("fchmod", EIO);
	each_fails("fchown", EIO);
	each_fails("flock", ENOLCK);
	each_fails("fsync", EIO);
	each_fails("syncfs", EIO);
	each_fails("getrandom", EIO);
}

Test(image_faults, mounts_that_fail_are_said)
{
	each_fails("fstatfs64", EIO);
	each_fails("sys_fsopen", ENODEV);
	each_fails("sys_fsconfig", EINVAL);
	each_fails("sys_fsconfig", ENOMEM);
	each_fails("sys_fsmount", EIO);
	each_fails("sys_open_tree", EIO);
	each_fails("sys_mount_setattr", EINVAL);
	each_fails("sys_move_mount", EIO);
	each_fails("sys_clone3", EAGAIN);
	each_fails("socketpair", EMFILE);
	each_fails("umount2", EIO);
}
