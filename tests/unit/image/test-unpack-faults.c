/* SPDX-License-Identifier: Apache-2.0 */
/* Each system call and each allocation of the unpacker fails once: it says so, and leaks nothing.
 */
#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "image/unpack.h"
#include "tarball.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Counts the calls of the kind that is looked at; fails one of them. */
static struct {
	const char *kind; /* NULL: none */
	int seen, failing;
	int os;
} fault;

static bool fails(const char *kind)
{
	if (!fault.kind || !str_eq(kind, fault.kind))
		return false;
	if (++fault.seen != fault.failing)
		return false;
	errno = fault.os;
	return true;
}

#define WRAP(name, parameters, arguments)                           \
	int __real_##name parameters;                               \
	int __wrap_##name parameters;                               \
	int __wrap_##name parameters                                \
	{                                                           \
		return fails(#name) ? -1 : __real_##name arguments; \
	}

WRAP(mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
WRAP(mknodat, (int dir, const char *name, mode_t mode, dev_t dev), (dir, name, mode, dev))
WRAP(fstatat64, (int dir, const char *name, struct stat *st, int flags), (dir, name, st, flags))
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(fchownat, (int dir, const char *name, uid_t uid, gid_t gid, int flags),
	(dir, name, uid, gid, flags))
WRAP(fsetxattr, (int fd, const char *name, const void *p, size_t n, int flags),
	(fd, name, p, n, flags))
WRAP(futimens, (int fd, const struct timespec *t), (fd, t))
WRAP(utimensat, (int dir, const char *name, const struct timespec *t, int flags),
	(dir, name, t, flags))
WRAP(linkat, (int from, const char *old, int to, const char *name, int flags),
	(from, old, to, name, flags))
WRAP(symlinkat, (const char *target, int dir, const char *name), (target, dir, name))
WRAP(unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
WRAP(ftruncate64, (int fd, off_t size), (fd, size))
WRAP(sys_openat2, (int dir, const char *path, const struct open_how *how), (dir, path, how))

ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
	/* Short once in a while: the rest must follow. */
	return fails("pwrite64") ? -1 : __real_pwrite64(fd, p, n > 3 ? n - 2 : n, at);
}

int __real_openat64(int dir, const char *name, int flags, ...);
int __wrap_openat64(int dir, const char *name, int flags, ...);
int __wrap_openat64(int dir, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails("openat64") ? -1 : __real_openat64(dir, name, flags, mode);
}

int __real_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...);
int __wrap_fcntl64(int fd, int what, ...)
{
	va_list ap;

	va_start(ap, what);
	int arg = va_arg(ap, int);
	va_end(ap);
	return fails("fcntl64") ? -1 : __real_fcntl64(fd, what, arg);
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return fails("memory") ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails("memory") ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	return fails("memory") ? NULL : __real_realloc(p, n);
}

/* libarchive 3.6.2 ends the process (the confined child) when it gets no memory in the midst of an
 * archive. So allocations there don't fail. */
struct archive;
struct archive_entry;

int __real_archive_read_open2(struct archive *, void *, void *, void *, void *, void *);
int __wrap_archive_read_open2(struct archive *, void *, void *, void *, void *, void *);
int __wrap_archive_read_open2(
	struct archive *a, void *arg, void *open, void *read, void *skip, void *close)
{
	const char *kind = take(fault.kind);
	int r = __real_archive_read_open2(a, arg, open, read, skip, close);

	fault.kind = kind;
	return r;
}

int __real_archive_read_next_header2(struct archive *, struct archive_entry *);
int __wrap_archive_read_next_header2(struct archive *, struct archive_entry *);
int __wrap_archive_read_next_header2(struct archive *a, struct archive_entry *e)
{
	const char *kind = take(fault.kind);
	int r = __real_archive_read_next_header2(a, e);

	fault.kind = kind;
	return r;
}

/* -- the archive that does all there is -------------------------------------------------------- */

static void add_all(struct tarball *t)
{
	_str_ struct str records = { 0 };
	const struct tar_head sparse = {
		.type = '0', .name = "x", .mode = 0600, .size = 4, .mtime = 3
	};

	tarball_add(t, '5', "./", NULL);
	tarball_add(t, '5', "d", NULL);
	tarball_file(t, "d/f", "hello");
	tarball_file(t, "d/f", "again");
	tarball_add(t, '1', "d/h", "d/f");
	tarball_add(t, '1', "e/h", "d/f");
	tarball_add(t, '1', "d/h", "d/f");
	tarball_add(t, '2', "l", "d");
	tarball_add(t, '2', "l", "d/");
	tarball_file(t, "l/g", "");
	tarball_add(t, '6', "p", NULL);
	tarball_file(t, "new/deep/f", "x");
	tarball_file(t, ".wh.gone", "");
	tarball_file(t, "gone/f", "");
	tarball_file(t, ".wh.d", "");
	tarball_file(t, "d/.wh..wh..opq", "");
	tarball_file(t, "tree/a/b", "");
	tarball_file(t, "tree", "");
	tarball_add(t, '5', "tree", NULL);
	tarball_record(&records, "GNU.sparse.map", "0,4", 3);
	tarball_record(&records, "GNU.sparse.size", "1000", 4);
	const struct tar_head pax = { .type = 'x', .name = "pax", .size = records.n };
	tarball_head(t, &pax);
	tarball_data(t, records.p, records.n);
	tarball_head(t, &sparse);
	tarball_data(t, "data", 4);
	tarball_end(t);
}

static char folder[] = "/tmp/ctrctl-test-faults-XXXXXX";
static int tmp = FD_NONE;

static void begin(void)
{
	if (geteuid() != 0)
		cr_skip_test("owners and whiteouts need root");
	tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(tmp >= 0 && mkdtemp(folder));
}

static void end(void)
{
	struct err err = ERR_INIT;

	fault.kind = NULL;
	cr_assert(path_remove_tree(tmp, strrchr(folder, '/') + 1, &err) == 0);
	tmp = fd_close(tmp);
}

TestSuite(unpack_faults, .init = begin, .fini = end);

/* The nth call of the kind fails (0: none). */
static int unpack(const struct tarball *t, const char *kind, int nth, int os, struct err *err)
{
	int root, before = dup(0), after, r;

	close(before);
	fault.kind = NULL;
	cr_assert(path_remove_tree(tmp, strrchr(folder, '/') + 1, err) == 0);
	cr_assert(mkdir(folder, 0700) == 0);
	root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fault.seen = 0;
	fault.failing = nth;
	fault.os = os;
	fault.kind = kind;
	r = unpack_memory(t->bytes.p, t->bytes.n, root, NULL, err);
	fault.kind = NULL;
	fd_close(root);
	after = dup(0);
	close(after);
	cr_assert_eq(before, after, "%s %d leaks an fd", kind, nth);
	return r;
}

/* How many of them the unpacker got over. */
static int each_fails(const char *kind, int os, enum err_code code)
{
	_tarball_ struct tarball t = { 0 };
	struct err err = ERR_INIT;
	int n, survived = 0;

	add_all(&t);
	cr_assert(unpack(&t, kind, 0, 0, &err) == 0, "%s: %s", kind, err.text);
	n = fault.seen;
	cr_assert(n > 0, "%s is never called", kind);
	for (int i = 1; i <= n; i++) {
		char line[1024];
		err = (struct err)ERR_INIT;
		if (unpack(&t, kind, i, os, &err) == 0) {
			survived++;
			continue;
		}
		err_line(&err, line, sizeof(line));
		cr_assert_eq(err.code, code, "%s %d of %d: %s", kind, i, n, line);
		cr_assert(*line);
	}
	return survived;
}

Test(unpack_faults, of_system_calls_are_told)
{
	static const char *const kinds[] = { "mkdirat", "mknodat", "fchmod", "fchown", "fchownat",
		"fsetxattr", "futimens", "utimensat", "linkat", "symlinkat", "unlinkat",
		"ftruncate64", "sys_openat2", "pwrite64", "openat64", "fcntl64" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		cr_assert_eq(each_fails(kinds[i], EIO, ERR_SYSTEM), 0, "%s", kinds[i]);
}

Test(unpack_faults, of_memory_are_told)
{
	/* libarchive makes some things that nobody needs. */
	cr_assert_leq(each_fails("memory", ENOMEM, ERR_EXHAUSTED), 3);
}

Test(unpack_faults, of_space_are_exhaustion)
{
	cr_assert_eq(each_fails("pwrite64", ENOSPC, ERR_EXHAUSTED), 0);
	cr_assert_eq(each_fails("mkdirat", EDQUOT, ERR_EXHAUSTED), 0);
}
