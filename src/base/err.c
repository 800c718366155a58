/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrctl/err.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

_Static_assert(sizeof(struct err) <= PIPE_BUF, "an error crosses a pipe in one message");

static const struct {
	const char *name;
	unsigned char grpc;
} codes[ERR_N] = {
	[ERR_NONE] = { "ok", 0 },
	[ERR_USAGE] = { "usage", 3 },
	[ERR_INVALID] = { "invalid", 3 },
	[ERR_NOT_FOUND] = { "not-found", 5 },
	[ERR_EXISTS] = { "exists", 6 },
	[ERR_STATE] = { "state", 9 },
	[ERR_DENIED] = { "denied", 7 },
	/* Not UNIMPLEMENTED (12): that is kept for calls that don't exist at all. */
	[ERR_UNSUPPORTED] = { "unsupported", 9 },
	[ERR_EXHAUSTED] = { "exhausted", 8 },
	[ERR_TIMEOUT] = { "timeout", 4 },
	[ERR_UNAVAILABLE] = { "unavailable", 14 },
	[ERR_SYSTEM] = { "system", 13 },
	[ERR_INTERNAL] = { "internal", 13 },
};

static const struct {
	int os;
	enum err_code code;
} code_of_errno[] = {
	{ ENOENT, ERR_NOT_FOUND },
	{ ESRCH, ERR_NOT_FOUND },
	{ EEXIST, ERR_EXISTS },
	{ EPERM, ERR_DENIED },
	{ EACCES, ERR_DENIED },
	{ EROFS, ERR_DENIED },
	{ ENOSYS, ERR_UNSUPPORTED },
	{ EOPNOTSUPP, ERR_UNSUPPORTED },
	{ ENODEV, ERR_UNSUPPORTED },
	{ ENOMEM, ERR_EXHAUSTED },
	{ EMFILE, ERR_EXHAUSTED },
	{ ENFILE, ERR_EXHAUSTED },
	{ ENOSPC, ERR_EXHAUSTED },
	{ EDQUOT, ERR_EXHAUSTED },
	{ EFBIG, ERR_EXHAUSTED },
	{ ETIMEDOUT, ERR_TIMEOUT },
	{ ECONNREFUSED, ERR_UNAVAILABLE },
};

/* op NULL: any call. The first row that fits wins. */
static const struct {
	const char *op;
	int os;
	const char *hint;
} hints[] = {
	{ "fsopen", ENODEV,
		"the kernel has no such file system; load its module or change the mount's type" },
	{ "fsopen", EPERM,
		"ctrctl needs CAP_SYS_ADMIN: run it as root on the host, outside a user namespace" },
	{ "fsconfig", EINVAL,
		"the file system doesn't know one of the options; the kernel's log may name it" },
	{ "mount_setattr", EINVAL,
		"the kernel or this file system can't do one of the mount's attributes (idmapped mounts need file system support)" },
	{ "mount_setattr", EPERM, "a locked flag of the parent's user namespace can't be cleared" },
	{ "mount_setattr", ENOSYS, "idmapped and recursive mount attributes need Linux 5.12" },
	{ "move_mount", EINVAL,
		"the parent mount may be shared, or the target is another mount namespace" },
	{ "move_mount", ENOSPC, "the mount namespace is full: see /proc/sys/fs/mount-max" },
	{ "open_tree", EPERM,
		"ctrctl needs CAP_SYS_ADMIN: run it as root on the host, outside a user namespace" },
	{ "open_tree", EINVAL, "an unbindable mount can't be bound" },
	{ "pivot_root", EINVAL,
		"the root filesystem must be a mount point and the parent mount not shared" },
	{ "pivot_root", EBUSY, "the new and the old root are on the same mount" },
	{ "clone3", EPERM,
		"ctrctl must run as root on the host; a sandbox around it may forbid new namespaces" },
	{ "clone3", ENOSPC, "too many namespaces: see /proc/sys/user/max_*_namespaces" },
	{ "clone3", EUSERS, "user namespaces are nested too deeply (at most 32)" },
	{ "clone3", EAGAIN,
		"the limit of processes is reached: see ulimit -u and pids.max of this cgroup" },
	{ "clone3", ENOSYS,
		"the kernel must be Linux 5.7 or newer, and a seccomp filter around ctrctl must allow clone3" },
	{ "clone3", EBUSY,
		"the cgroup has controllers enabled for its children: processes only go into leaves" },
	{ "openat2", ENOSYS, "Linux 5.6 is needed" },
	{ "openat2", ELOOP, "too many symlinks, or one where none is allowed" },
	{ "openat2", EXDEV, "the path leaves the directory that it must stay in" },
	{ "setns", EINVAL, "the namespace is of another type, or can't be joined from here" },
	{ "setns", EPERM, "joining needs CAP_SYS_ADMIN in the namespace's user namespace" },
	{ "bpf", EPERM, "loading a device program needs CAP_BPF or CAP_SYS_ADMIN" },
	{ "bpf", EINVAL, "the kernel lacks BPF_PROG_TYPE_CGROUP_DEVICE (CONFIG_CGROUP_BPF)" },
	{ "seccomp", EINVAL, "the kernel doesn't know one of the filter's flags" },
	{ "seccomp", EBUSY, "a filter with a listener is already installed" },
	{ "mknod", EPERM,
		"device nodes can't be made inside a user namespace or on a file system mounted elsewhere" },
	{ "prlimit", EPERM, "raising a hard limit needs CAP_SYS_RESOURCE" },
	{ "execve", ENOENT,
		"the file or its interpreter (first line of a script, ELF loader) isn't in the root filesystem" },
	{ "execve", EACCES, "the file isn't executable for this user, or lies on a noexec mount" },
	{ "execve", ENOEXEC, "wrong architecture, or a script without #!" },
	{ "execve", E2BIG, "args and env together are too big" },
	{ NULL, EMFILE,
		"raise the limit of open files of whoever calls ctrctl (ulimit -n, LimitNOFILE)" },
	{ NULL, ENFILE, "the machine is out of open files: see /proc/sys/fs/file-max" },
	{ NULL, ENOMEM, "memory, or a kernel limit counted like it, is exhausted" },
	{ NULL, EROFS, "the file system is mounted read-only" },
	{ NULL, ENOSPC, "the disk, or a kernel limit, is full" },
};

/* Cuts at a character's border and ends with "..." what doesn't fit. */
static void put_v(char *dst, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(dst, size, fmt, ap);

	if (n < 0)
		dst[0] = 0;
	if (n < 0 || (size_t)n < size)
		return;
	size_t end = size - 4;
	while (end > 0 && ((unsigned char)dst[end] & 0xc0) == 0x80)
		end--;
	memcpy(dst + end, "...", 4);
}

_printf_(3, 4) static void put(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_v(dst, size, fmt, ap);
	va_end(ap);
}

int err_set(struct err *err, enum err_code code, const char *object, const char *fmt, ...)
{
	struct err new = { .code = code };
	va_list ap;

	/* The arguments may point into *err. */
	put(new.object, sizeof(new.object), "%s", object ? object : "");
	va_start(ap, fmt);
	put_v(new.text, sizeof(new.text), fmt, ap);
	va_end(ap);
	*err = new;
	return -1;
}

int err_sys(struct err *err, int os, const char *op, const char *objfmt, ...)
{
	struct err new = { .code = ERR_SYSTEM, .os = os };
	va_list ap;

	for (size_t i = 0; i < ARRAY_SIZE(code_of_errno); i++)
		if (code_of_errno[i].os == os)
			new.code = code_of_errno[i].code;
	put(new.op, sizeof(new.op), "%s", op);
	va_start(ap, objfmt);
	put_v(new.object, sizeof(new.object), objfmt, ap);
	va_end(ap);
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (hints[i].os != os || (hints[i].op && strcmp(hints[i].op, op) != 0))
			continue;
		put(new.hint, sizeof(new.hint), "%s", hints[i].hint);
		break;
	}
	*err = new;
	return -1;
}

int err_in(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->where)], head[sizeof(err->where)];
	const char *glue = ".";
	va_list ap;

	memcpy(old, err->where, sizeof(old));
	va_start(ap, fmt);
	put_v(head, sizeof(head), fmt, ap);
	va_end(ap);
	size_t n = strlen(head);
	if (!old[0] || old[0] == '[' || n == 0 || head[n - 1] == ' ')
		glue = "";
	else if (head[n - 1] == ':')
		glue = " ";
	put(err->where, sizeof(err->where), "%s%s%s", head, glue, old);
	return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	char new[sizeof(err->hint)];
	va_list ap;

	va_start(ap, fmt);
	put_v(new, sizeof(new), fmt, ap);
	va_end(ap);
	memcpy(err->hint, new, sizeof(new));
	return -1;
}

/*
 * Engines read the text of our errors: "no such file or directory" and "permission denied" mean to
 * them that the container's program is missing or not executable (exit status 127 and 126). So only
 * exec says it in these words.
 */
static const char *os_text(const struct err *err)
{
	if (!str_starts(err->op, "exec")) {
		if (err->os == ENOENT)
			return "is missing";
		if (err->os == EACCES)
			return "access refused";
	}
	return strerror(err->os);
}

/* A buffer that is filled from the left and always terminated. */
struct line {
	char *p;
	size_t left;
};

static void line_raw(struct line *l, const char *s, size_t n)
{
	n = MIN(n, l->left - 1);
	memcpy(l->p, s, n);
	l->p += n;
	l->left -= n;
	*l->p = 0;
}

/* Nothing that a terminal obeys, nor a byte that isn't text. */
static void line_add(struct line *l, const char *s)
{
	size_t left = strlen(s);
	char hex[8];

	while (left) {
		size_t n = utf8_len(s, left);
		bool control =
			n == 0 || (n == 1 && ((unsigned char)*s < 0x20 || *s == 0x7f)) ||
			(n == 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0);
		n = MAX(n, (size_t)1);
		for (size_t i = 0; control && i < n; i++) {
			snprintf(hex, sizeof(hex), "\\x%02x", (unsigned char)s[i]);
			line_raw(l, hex, 4);
		}
		if (!control)
			line_raw(l, s, n);
		s += n;
		left -= n;
	}
}

void err_line(const struct err *err, char *buf, size_t n)
{
	struct line l = { buf, n };
	const char *colon = "";

	if (n == 0)
		return;
	*buf = 0;
	if (*err->where) {
		line_add(&l, err->where);
		/* "create web1:" brings its own. */
		size_t end = strlen(err->where);
		while (end && err->where[end - 1] == ' ')
			end--;
		if (end && err->where[end - 1] == ':')
			line_add(&l, err->where[strlen(err->where) - 1] == ' ' ? "" : " ");
		else
			colon = ": ";
	}
	if (*err->op) {
		line_add(&l, colon);
		line_add(&l, err->op);
		if (*err->object) {
			line_add(&l, "(");
			line_add(&l, err->object);
			line_add(&l, ")");
		}
		colon = ": ";
	} else if (*err->object) {
		line_add(&l, colon);
		line_add(&l, err->object);
		colon = ": ";
	}
	if (err->os) {
		line_add(&l, colon);
		line_add(&l, os_text(err));
		colon = ": ";
	}
	if (*err->text) {
		line_add(&l, colon);
		line_add(&l, err->text);
	}
}

const char *err_code_name(enum err_code code)
{
	return (unsigned)code < ERR_N ? codes[code].name : "internal";
}

const char *err_errno_name(int os)
{
	const char *name = os ? strerrorname_np(os) : "";

	return name ? name : "";
}

int err_grpc_status(enum err_code code)
{
	return (unsigned)code < ERR_N ? codes[code].grpc : 13;
}
