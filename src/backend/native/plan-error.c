/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong in init, in full. Init says which step, which system call and which errno; the
 * plan knows on what, and where in config.json that was asked for.
 */
#include "backend/native/plan.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
	uint32_t nr;
	const char *name;
} calls[] = {
#define CALL(name)                \
	{                         \
		SYS_##name, #name \
	}
	CALL(accept4),
	CALL(bind),
	CALL(capget),
	CALL(capset),
	CALL(chdir),
	CALL(chroot),
	CALL(clone),
	CALL(clone3),
	CALL(close),
	CALL(close_range),
	CALL(connect),
	CALL(dup3),
	CALL(execve),
	CALL(execveat),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(fchdir),
	CALL(fchmod),
	CALL(fchmodat),
	CALL(fchown),
	CALL(fchownat),
	CALL(fcntl),
	CALL(fsconfig),
	CALL(fsmount),
	CALL(fsopen),
	CALL(fspick),
	CALL(fstatfs),
	CALL(getcwd),
	CALL(getpid),
	CALL(ioctl),
	CALL(ioprio_set),
	CALL(keyctl),
	CALL(kill),
	CALL(linkat),
	CALL(mkdirat),
	CALL(mknodat),
	CALL(mmap),
	CALL(mount),
	CALL(mount_setattr),
	CALL(move_mount),
	CALL(open_tree),
	CALL(openat),
	CALL(openat2),
	CALL(personality),
	CALL(pidfd_open),
	CALL(pipe2),
	CALL(pivot_root),
	CALL(ppoll),
	CALL(prctl),
	CALL(pwrite64),
	CALL(read),
	CALL(readlinkat),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(renameat2),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(sched_setaffinity),
	CALL(sched_setattr),
	CALL(seccomp),
	CALL(sendmsg),
	CALL(sendto),
	CALL(set_mempolicy),
	CALL(setdomainname),
	CALL(setgroups),
	CALL(sethostname),
	CALL(setns),
	CALL(setresgid),
	CALL(setresuid),
	CALL(setsid),
	CALL(socket),
	CALL(socketpair),
	CALL(statfs),
	CALL(statx),
	CALL(symlinkat),
	CALL(umask),
	CALL(umount2),
	CALL(unlinkat),
	CALL(unshare),
	CALL(wait4),
	CALL(waitid),
	CALL(write),
#undef CALL
};

static const char *call_name(const struct wire_msg *m, const struct plan_step *s)
{
	for (size_t i = 0; m->call && i < ARRAY_SIZE(calls); i++)
		if (calls[i].nr == m->call)
			return calls[i].name;
	return plan_op_name(s->op);
}

/* ---- the object ---- */

static const char *source_path(const struct plan *p, const struct plan_step *s)
{
	if (s->source < 0 || (size_t)s->source >= p->n_sources)
		return NULL;
	return p->sources[s->source].path;
}

/* "in" and "name" of a node or link as one path. */
static void put_entry(char *buf, size_t n, const struct plan_step *s)
{
	const char *dir = s->s1, *name = s->s2;

	snprintf(buf, n, "%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name ? name : "");
}

/* Step to "what on what", from the fields of its op. */
static void object_of(const struct plan *p, const struct plan_step *s, char *buf, size_t n)
{
	const char *from = source_path(p, s), *s1 = s->n1 ? NULL : s->s1,
		   *s2 = s->n2 ? NULL : s->s2;

	buf[0] = '\0';
	if (s->op == OP_FSMOUNT)
		snprintf(buf, n, "%s on %s", s1, (const char *)s->s3);
	else if (s->op == OP_BIND)
		snprintf(buf, n, "%s on %s", s1, s2 && *s2 ? s2 : s1);
	else if (s->op == OP_MKNOD || s->op == OP_SYMLINK)
		put_entry(buf, n, s);
	else if (s->op == OP_SYSCTL)
		snprintf(buf, n, "%s = %s", s1, s2);
	else if (s->op == OP_LABEL)
		snprintf(buf, n, "`/proc/%s`: %s", (const char *)s->s1, s2);
	else if (s->op == OP_IDS)
		snprintf(buf, n, "uid %u, gid %u", (unsigned)s->a, (unsigned)s->b);
	else if (s->op == OP_CONSOLE)
		snprintf(buf, n, "/dev/pts/ptmx");
	else if (from && s1)
		snprintf(buf, n, "%s on %s", from, s1);
	else if (from || s1)
		snprintf(buf, n, "%s", from ? from : s1);
}

/* ---- hints that need the step ---- */

static const struct {
	enum wire_op op;
	int os;
	const char *hint; /* %s: the step's s1, when it is a text */
} hints[] = {
	{ OP_FSMOUNT, ENODEV,
		"the kernel has no file system \"%s\"; load its module or change the mount's type (/proc/filesystems lists them)" },
	{ OP_FSMOUNT, EPERM,
		"\"%s\" can't be mounted from this user namespace: its own pid, network, ipc or cgroup namespace is needed too" },
	{ OP_FSMOUNT, ENOTDIR, "a part of the destination isn't a folder" },
	{ OP_ATTACH, ENOTDIR,
		"not a directory: one of source and destination is a file, the other a folder" },
	{ OP_FSMOUNT, ELOOP, "the destination must not be a symlink" },
	{ OP_ATTACH, ELOOP, "the destination must not be a symlink" },
	{ OP_SETATTR, EPERM, "a flag that the host locked for user namespaces can't be cleared" },
	{ OP_RECONFIG, EINVAL,
		"nothing is mounted there, or its file system can't change one of the options" },
	{ OP_SYSCTL, ENOENT, "the kernel has no sysctl %s in this namespace" },
	{ OP_SYSCTL, EINVAL, "the value of %s is refused by the kernel" },
	{ OP_SETNS, EPERM, "the namespace belongs to another user namespace" },
	{ OP_IDS, EINVAL, "an id has no map in the container's user namespace" },
	{ OP_IDS, EPERM, "setgroups may be denied in the container's user namespace" },
	{ OP_CAPS, EPERM, "a capability is asked for that ctrctl itself doesn't have" },
	{ OP_BOUNDING, EPERM, "dropping capabilities needs CAP_SETPCAP" },
	{ OP_CONSOLE, ENOENT, "process.terminal needs a devpts on /dev/pts: see mounts" },
	{ OP_MASK, EACCES, "a path to be masked can't be reached" },
	{ OP_PIVOT, EINVAL,
		"is the root filesystem on a shared mount, or is / of this system a ramfs? --no-pivot helps there, at a price" },
	{ OP_SECCOMP, EACCES, "a filter without no_new_privs needs CAP_SYS_ADMIN" },
	{ OP_MEMPOLICY, EINVAL,
		"the mode, flags or nodes don't fit together, or a node isn't there" },
	{ OP_SCHED, EPERM, "the policy needs CAP_SYS_NICE on the host" },
	{ OP_SCHED, EBUSY, "not enough bandwidth for a deadline task" },
	{ OP_MKDIR, EROFS, "make the folder in the root filesystem: it is read-only" },
};

static void hint_of(const struct plan_step *s, int os, struct err *err)
{
	const char *s1 = s->n1 || !s->s1 ? "" : s->s1;

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (hints[i].op != s->op || hints[i].os != os)
			continue;
		const char *mark = strstr(hints[i].hint, "%s");
		if (mark)
			err_hint(err, "%.*s%s%s", (int)(mark - hints[i].hint), hints[i].hint, s1,
				mark + 2);
		else
			err_hint(err, "%s", hints[i].hint);
		return;
	}
}

/* ---- cases with words of their own ---- */

static const char *program(const struct plan *p)
{
	return p->argv && p->argv[0] ? p->argv[0] : "";
}

/* Engines read these words to tell a missing program from everything else (exit status 127, 126).
 */
static int error_find(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	const char *name = program(p);

	if (m->err == EACCES || m->err == EPERM || m->err == EISDIR) {
		err_set(err, ERR_DENIED, NULL, "exec: \"%s\": permission denied", name);
		return err_hint(err,
			"the file isn't executable for the container's user, or lies on a noexec mount");
	}
	if (strchr(name, '/'))
		err_set(err, ERR_NOT_FOUND, NULL,
			"exec: \"%s\": stat %s: no such file or directory", name, name);
	else
		err_set(err, ERR_NOT_FOUND, NULL,
			"exec: \"%s\": executable file not found in $PATH", name);
	return err_hint(err, "looked in the root filesystem for: %s%s", (const char *)s->s1,
		s->a > 1 ? ", ..." : "");
}

static int error_exec(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	err_sys(err, m->err, "execve", "%s", program(p));
	if (m->err == ENOENT)
		err_hint(err,
			"the program is there, but its interpreter (#! line or ELF loader) isn't in the root filesystem");
	return -1;
}

static int error_hook(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	const char *path = s->s1;
	int status = (int)m->value;

	if (m->err == ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT, path,
			"the hook didn't end within %llu s and was killed",
			(unsigned long long)s->b / 1000);
	if (m->err != ECANCELED)
		return err_sys(err, m->err, "hook", "%s",
			path); /* not by "execve": it isn't the program */
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, path, "the hook was killed by signal %d",
			WTERMSIG(status));
	return err_set(
		err, ERR_SYSTEM, path, "the hook ended with exit status %d", WEXITSTATUS(status));
}

static int error_cwd(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	err_sys(err, m->err, call_name(m, s), "%s", (const char *)s->s1);
	if (m->err == EACCES)
		return err_hint(err, "the container's user may not enter its working directory");
	return m->err == ENOENT
		       ? err_hint(err,
				 "make the folder in the root filesystem, or change process.cwd")
		       : -1;
}

static int error_label(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	char object[384];

	object_of(p, s, object, sizeof(object));
	err_sys(err, m->err, call_name(m, s), "%s", object);
	if (m->err == ENOENT || m->err == EINVAL)
		return err_hint(err,
			"the kernel doesn't know the profile or label \"%s\"; see aa-status or seinfo",
			(const char *)s->s3);
	return err_hint(err, "the label couldn't be proved to be in force, so nothing was started");
}

/* For the kernel a file on a folder is one of many kinds of EINVAL. Engines look for "not a
 * directory". */
static int error_attach(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	char object[384];

	object_of(p, s, object, sizeof(object));
	err_sys(err, m->err, call_name(m, s), "%s", object);
	hint_of(s, m->err, err);
	if (m->err != EINVAL || m->call != SYS_move_mount)
		return -1;
	snprintf(err->text, sizeof(err->text), "not a directory, or not a file like its source?");
	return err_hint(err, "a file can only be mounted over a file, a folder over a folder");
}

static int error_node(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	char object[384];

	put_entry(object, sizeof(object), s);
	if (m->err == EEXIST)
		return err_set(err, ERR_EXISTS, object,
			"is there already, as something else than the device asked for");
	return err_sys(err, m->err, call_name(m, s), "%s", object);
}

static const struct {
	enum wire_op op;
	int (*explain)(const struct plan *, const struct plan_step *, const struct wire_msg *,
		struct err *);
} special[] = {
	{ OP_FIND_EXEC, error_find },
	{ OP_EXEC, error_exec },
	{ OP_HOOK, error_hook },
	{ OP_ATTACH, error_attach },
	{ OP_CWD, error_cwd },
	{ OP_LABEL, error_label },
	{ OP_MKNOD, error_node },
};

static void explain(
	const struct plan *p, const struct plan_step *s, const struct wire_msg *m, struct err *err)
{
	char object[sizeof(err->object)];

	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (special[i].op == s->op) {
			special[i].explain(p, s, m, err);
			return;
		}
	object_of(p, s, object, sizeof(object));
	err_sys(err, m->err, call_name(m, s), "%s", object);
	hint_of(s, m->err, err);
}

int plan_error(const struct plan *p, const struct wire_msg *m, struct err *err)
{
	if (m->step >= p->n_steps)
		return err_sys(err, m->err, "init", "before its first step");
	const struct plan_step *s = &p->steps[m->step];
	explain(p, s, m, err);
	if (*m->text && !*err->text)
		snprintf(err->text, sizeof(err->text), "%.*s", (int)sizeof(m->text), m->text);
	return s->place ? err_in(err, "%s", s->place) : -1;
}
