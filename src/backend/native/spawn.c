/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrangements (plan->spawn says which):
 *
 * - direct: one clone3(VM|VFORK|all new namespaces|INTO_CGROUP|PIDFD), whose child executes init at
 *   once. With a new user namespace the child raises its capabilities to ambient first (an exec
 *   with an unmapped uid 0 would lose them), init waits for GO, and the maps are written from here
 *   once the exec has released us.
 * - helper: host-owned namespaces are joined together with a new user namespace: a helper enters
 *   them, then clones with CLONE_PARENT, so that the container is our child. Joining after NEWUSER
 *   would be EPERM.
 * - host side: a pid or user namespace is joined, or a process is added (exec): init is executed on
 *   the host's side, enters by its own steps and forks with CLONE_PARENT. Nothing of ctrctl's own
 *   image ever runs in a pid namespace that others live in.
 *
 * A new or joined time namespace is entered by this (single-threaded) process before the clone and
 * left after it: that order works on every kernel since 5.6, but needs a clone without CLONE_VM.
 *
 * INTO_CGROUP is always on the first clone: after setns(user) it would be judged with the new,
 * weaker credentials (EACCES).
 */
#include "backend/native/spawn.h"

#include "backend/native/cgroup.h"
#include "backend/native/clone.h"
#include "backend/native/hooks.h"
#include "base/log.h"
#include "init/image.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

enum { CHILD_STACK = 32 * 1024, STEP_BEFORE_INIT = UINT32_MAX };

/* Everything that the child between clone and exec needs; it may share our memory, and only reads.
 */
struct launch {
	const struct plan *plan;
	const struct prepared *sources;
	int image, ctl, hook, trace;
	uint64_t own_ns; /* namespaces made by the clone whose child executes init */
	bool share_memory;
	char fd_text[12], offset_text[12];
	void *inner_stack;
};

struct spawn_trace {
	uint64_t *times; /* shared with init */
	size_t n, reported;
	uint64_t cloned_at;
};

/* ---- the child, between clone and exec: system calls only ---- */

/* The word itself needs memory, charged to the container's cgroup. */
enum { STATUS_TOLD = 126, STATUS_SPEECHLESS = 125 };

static int child_fail(const struct launch *l, uint32_t call)
{
	struct wire_msg m = {
		.kind = WIRE_ERROR, .step = STEP_BEFORE_INIT, .err = errno, .call = call
	};

	return send(l->ctl, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m) ? STATUS_TOLD
								      : STATUS_SPEECHLESS;
}

/* All capabilities become ambient: uid 0 has no map yet, so the exec would drop them. */
static int child_keep_caps(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return -1;
	for (unsigned cap = 0; cap < 64; cap++)
		if ((data[cap / 32].permitted >> (cap % 32) & 1) &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -1;
	return 0;
}

static int child_pass(int fd)
{
	return fd < 0 ? 0 : fcntl(fd, F_SETFD, 0);
}

static int child_exec(void *arg)
{
	const struct launch *l = arg;
	char *argv[] = { (char[]){ "ctrctl-init" }, (char *)(uintptr_t)l->fd_text,
		(char *)(uintptr_t)l->offset_text, NULL };
	char *envp[] = { NULL };

	if ((l->own_ns & CLONE_NEWUSER) && child_keep_caps() < 0)
		return child_fail(l, SYS_capset);
	if (child_pass(l->ctl) < 0 || child_pass(l->image) < 0 || child_pass(l->hook) < 0 ||
		child_pass(l->trace) < 0)
		return child_fail(l, SYS_fcntl);
	for (size_t i = 0; i < l->sources->n; i++)
		if (child_pass(l->sources->fds[i]) < 0)
			return child_fail(l, SYS_fcntl);
	execveat(l->image, "", argv, envp, AT_EMPTY_PATH);
	return child_fail(l, SYS_execveat);
}

/* The helper: joins host-owned namespaces, then clones init as our child. */
static int child_helper(void *arg)
{
	const struct launch *l = arg;
	const struct plan_spawn *s = &l->plan->spawn;
	struct clone_args args = { .flags = CLONE_PARENT | CLONE_VFORK | CLONE_CLEAR_SIGHAND |
					    l->own_ns };
	struct wire_msg m = { .kind = WIRE_CHILD, .step = STEP_BEFORE_INIT };

	for (size_t i = 0; i < s->n_helper_join; i++) {
		int src = s->helper_join[i];
		if (setns(l->sources->fds[src], (int)l->plan->sources[src].ns_flag) < 0)
			return child_fail(l, SYS_setns);
	}
	if (l->share_memory) {
		args.flags |= CLONE_VM;
		args.stack = (uintptr_t)l->inner_stack;
		args.stack_size = CHILD_STACK;
	}
	pid_t pid = clone_call(&args, child_exec, arg);
	if (pid < 0)
		return child_fail(l, SYS_clone3);
	m.value = pid;
	return send(l->ctl, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m) ? 0 : 1;
}

/* ---- the image ---- */

/* vm.memfd_noexec=2 refuses executable memfds: then a detached read-only tmpfs carries the image.
 */
static int image_on_tmpfs(const void *plan, size_t n, struct err *err)
{
	_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "ctrctl", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsopen", "tmpfs for init");
	_close_ int mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_sys(err, errno, "fsmount", "tmpfs for init");
	_close_ int out = openat(mnt, "init", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
	if (out < 0 || fd_write_all(out, init_image, init_image_size) < 0 ||
		fd_write_all(out, plan, n) < 0)
		return err_sys(err, errno, "write", "init");
	out = fd_close(out);
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsconfig", "read-only tmpfs for init");
	int fd = openat(mnt, "init", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open", "init") : fd;
}

/* A fresh one for each process: one that is shared could be held open for writing from inside and
 * block every later exec. */
static int make_image(const struct str *plan, struct err *err)
{
	const unsigned seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	_close_ int fd = memfd_create("ctrctl-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create("ctrctl-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 && errno == EACCES)
		return image_on_tmpfs(plan->p, plan->n, err);
	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "init");
	if (fd_write_all(fd, init_image, init_image_size) < 0 ||
		fd_write_all(fd, plan->p, plan->n) < 0)
		return err_sys(err, errno, "write", "init");
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_sys(err, errno, "fcntl", "seals of init");
	return fd_take(&fd);
}

/* ---- id maps ---- */

static int write_map(
	pid_t pid, const char *name, const struct oci_id_map *map, size_t n, struct err *err)
{
	_str_ struct str text = { 0 };
	char path[64];

	for (size_t i = 0; i < n; i++)
		str_printf(&text, "%u %u %u\n", map[i].container_id, map[i].host_id, map[i].size);
	if (str_ok(&text, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (n && file_put(AT_FDCWD, path, text.p) < 0)
		return err_sys(err, errno, "write", "%s: %s", name, text.p);
	return 0;
}

static int write_maps(pid_t pid, const struct oci_id_map *uid, size_t n_uid,
	const struct oci_id_map *gid, size_t n_gid, struct err *err)
{
	if (write_map(pid, "uid_map", uid, n_uid, err) < 0)
		return err_in(err, "linux.uidMappings");
	if (write_map(pid, "gid_map", gid, n_gid, err) < 0)
		return err_in(err, "linux.gidMappings");
	return 0;
}

static int open_userns(pid_t pid, struct err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open", "%s", path) : fd;
}

static int child_sleep(void *arg _unused_)
{
	pause();
	return 0;
}

int spawn_userns(const struct oci_id_map *uid, size_t n_uid, const struct oci_id_map *gid,
	size_t n_gid, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid = clone_call(&args, child_sleep, NULL);
	int fd = -1;

	if (pid < 0)
		return err_sys(err, errno, "clone3", "user namespace for an id map");
	if (write_maps(pid, uid, n_uid, gid, n_gid, err) == 0)
		fd = open_userns(pid, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

/* ---- time namespaces ---- */

static int write_offsets(const struct oci_time_offsets *o, struct err *err)
{
	_str_ struct str text = { 0 };

	if (o && o->monotonic)
		str_printf(&text, "monotonic %lld %u\n", (long long)o->monotonic->secs,
			o->monotonic->nanosecs);
	if (o && o->boottime)
		str_printf(&text, "boottime %lld %u\n", (long long)o->boottime->secs,
			o->boottime->nanosecs);
	if (str_ok(&text, err) < 0)
		return -1;
	if (!text.n || file_put(AT_FDCWD, "/proc/self/timens_offsets", text.p) == 0)
		return 0;
	int os = errno;
	err_sys(err, os, "write", "timens_offsets: %s", text.p);
	err_in(err, "linux.timeOffsets");
	if (os == ERANGE)
		err_hint(err, "the clock of the container would be negative or beyond 292 years");
	return -1;
}

static void leave_time(int own)
{
	if (own < 0)
		return;
	if (setns(own, CLONE_NEWTIME) < 0)
		log_warn("can't return to the own time namespace: %s", strerror(errno));
	fd_close(own);
}

/* Puts this process's children into the time namespace of the plan; *ret_own takes it back
 * (FD_NONE: nothing was done). */
static int enter_time(
	const struct plan *p, const struct prepared *sources, int *ret_own, struct err *err)
{
	*ret_own = FD_NONE;
	if (!p->spawn.time_ns && p->spawn.time_join < 0)
		return 0;
	_close_ int own = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, errno, "open", "time namespace");
	if (p->spawn.time_ns) {
		if (unshare(CLONE_NEWTIME) < 0)
			return err_sys(err, errno, "unshare", "time namespace");
		if (write_offsets(p->spawn.time_offsets, err) < 0) {
			leave_time(fd_take(&own)); /* poststop hooks are children of ours, too */
			return -1;
		}
	} else if (setns(sources->fds[p->spawn.time_join], CLONE_NEWTIME) < 0) {
		err_sys(err, errno, "setns", "%s", p->sources[p->spawn.time_join].path);
		return err_in(err, "%s", p->sources[p->spawn.time_join].place);
	}
	*ret_own = fd_take(&own);
	return 0;
}

/* ---- clone ---- */

/* All signals are blocked over the clone: a handler must not run in a child that shares our memory.
 */
static pid_t first_clone(struct launch *l, int cgroup_fd, int *ret_pidfd)
{
	static _Alignas(64) char outer[CHILD_STACK], inner[CHILD_STACK];
	const struct plan_spawn *s = &l->plan->spawn;
	bool helper = s->n_helper_join > 0;
	struct clone_args args = {
		.flags = CLONE_VFORK | CLONE_CLEAR_SIGHAND | CLONE_PIDFD,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	sigset_t all, old;

	l->own_ns = s->host_side ? 0 : s->new_ns & ~(uint64_t)CLONE_NEWTIME;
	l->share_memory = !s->time_ns && s->time_join < 0;
	l->inner_stack = inner;
	if (!helper)
		args.flags |= l->own_ns;
	if (l->share_memory) {
		args.flags |= CLONE_VM;
		args.stack = (uintptr_t)outer;
		args.stack_size = sizeof(outer);
	}
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = clone_call(&args, helper ? child_helper : child_exec, l);
	int os = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = os;
	return pid;
}

static int clone_error(int os, const struct plan *p, int cgroup_fd, struct err *err)
{
	err_sys(err, os, "clone3", "the container's process");
	if (os == EBUSY && cgroup_fd >= 0)
		return err_hint(err,
			"the cgroup has controllers enabled for its children, so no process may live in it");
	if (os == ENOSPC)
		return err_hint(err, "a limit of /proc/sys/user/max_*_namespaces is reached");
	if (os == EAGAIN)
		return err_hint(err, "pids.max or RLIMIT_NPROC is reached");
	if (os == EINVAL && (p->spawn.new_ns & CLONE_NEWUSER))
		return err_hint(err, "user namespaces may be switched off on this host");
	return -1;
}

/* ---- trace ---- */

static int trace_open(const struct plan *p, struct spawn_trace **ret, struct err *err)
{
	size_t size = (p->n_steps + 1) * sizeof(uint64_t);
	_close_ int fd = memfd_create("ctrctl-trace", MFD_CLOEXEC);
	struct spawn_trace *t = arena_alloc(p->arena, sizeof(*t));

	if (!t)
		return err_nomem(err);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return err_sys(err, errno, "memfd_create", "trace");
	t->times = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (t->times == MAP_FAILED)
		return err_sys(err, errno, "mmap", "trace");
	t->n = p->n_steps;
	*ret = t;
	return fd_take(&fd);
}

void spawn_trace_add(struct spawned *s, const struct plan *p, struct ctr_trace *trace)
{
	struct spawn_trace *t = s->trace;

	if (!t || !trace)
		return;
	for (; t->reported < t->n; t->reported++) {
		size_t i = t->reported;
		size_t next = i + 1;
		while (next < t->n && !t->times[next])
			next++; /* skipped stand-ins */
		if (t->times[i] && !t->times[next])
			return; /* still in this step */
		if (t->times[i])
			ctr_trace_add(trace, plan_op_name(p->steps[i].op), p->steps[i].place,
				(int)s->pid, t->times[i], t->times[next]);
	}
}

/* ---- the conversation ---- */

struct talk {
	const struct plan *plan;
	const struct prepared *sources;
	const struct spawn_events *events;
	int ctl;
	struct spawned *out;
	pid_t helper;               /* to be reaped once it has named the real process */
	bool go_owed;               /* a new user namespace: init waits for its maps */
	struct wire_msg *ret_error; /* the plan isn't at hand: the caller explains */
	bool no_memory;             /* init died as it does for want of memory */
};

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* EOF before READY: what became of init. */
static int died(struct talk *t, struct err *err)
{
	int status = t->out->pid > 0 ? reap(t->out->pid) : 0;

	if (t->helper == t->out->pid)
		t->helper = 0; /* reaped just now: its number may be somebody else's */
	t->out->pid = 0;
	if (WIFSIGNALED(status))
		err_set(err, ERR_SYSTEM, "init",
			"was killed by signal %d (%s) while it set the container up",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		err_set(err, ERR_INTERNAL, "init", "ended with status %d without a word",
			WEXITSTATUS(status));
	t->no_memory = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					   : WEXITSTATUS(status) == STATUS_SPEECHLESS;
	return -1;
}

static int say(struct talk *t, uint32_t kind, struct err *err)
{
	struct wire_msg m = { .kind = kind };

	if (send(t->ctl, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m))
		return 0;
	return errno == EPIPE ? died(t, err) : err_sys(err, errno, "send", "init");
}

/* The real process is known: maps if it has a new user namespace, then it may go on. */
static int adopt(struct talk *t, pid_t pid, struct err *err)
{
	const struct plan_spawn *s = &t->plan->spawn;

	if (t->helper) {
		reap(t->helper);
		t->helper = 0;
		fd_close(t->out->pidfd);
		t->out->pidfd = pidfd_open(pid, 0);
		if (t->out->pidfd < 0)
			return err_sys(err, errno, "pidfd_open", "process %d", (int)pid);
	}
	t->out->pid = pid;
	if (!t->go_owed)
		return 0;
	t->go_owed = false;
	if (write_maps(pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, err) < 0)
		return -1;
	if (prepare_needs_userns(t->plan)) {
		_close_ int userns = open_userns(pid, err);
		if (userns < 0 || prepare_idmaps(t->plan, t->sources, userns, err) < 0)
			return -1;
	}
	return say(t, WIRE_GO, err);
}

static int on_error(struct talk *t, const struct wire_msg *m, struct err *err)
{
	static const struct {
		uint32_t call;
		const char *name;
	} names[] = { { SYS_execveat, "execveat" }, { SYS_setns, "setns" },
		{ SYS_clone3, "clone3" }, { SYS_capset, "capset" }, { SYS_fcntl, "fcntl" } };

	if (!t->plan) {
		*t->ret_error = *m;
		return err_set(err, ERR_SYSTEM, "init", "step %u failed", m->step);
	}
	if (m->step != STEP_BEFORE_INIT) {
		plan_error(t->plan, m, err);
		hook_tail_explain(&t->out->tail, t->out->hook_out, err);
		return -1;
	}
	const char *name = "clone3";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].call == m->call)
			name = names[i].name;
	return err_sys(err, m->err, name, "before init");
}

static int on_sync(struct talk *t, const struct wire_msg *m, int fd, struct err *err)
{
	_close_ int target = fd;
	const struct plan_step *step =
		t->plan && m->step < t->plan->n_steps ? &t->plan->steps[m->step] : NULL;

	if (!step || !t->events->synced)
		return err_set(err, ERR_INTERNAL, "init", "waits at step %u, which nobody answers",
			m->step);
	if (t->events->synced(t->events->arg, step, target, t->out->pid, err) < 0)
		return -1;
	return say(t, WIRE_GO, err);
}

static int on_console(struct talk *t, const struct wire_msg *m, int fd, struct err *err)
{
	if (fd < 0 || !t->events->console) {
		fd_close(fd);
		return err_set(err, ERR_INTERNAL, "console", "came without a taker");
	}
	return t->events->console(t->events->arg, fd, m->text, err);
}

/* init can't pass an fd once the filter is in force (sendmsg may be filtered), so it is fetched. */
static int on_notify(struct talk *t, const struct wire_msg *m, struct err *err)
{
	struct wire_msg go = { .kind = WIRE_GO };
	_close_ int fd = pidfd_getfd(t->out->pidfd, (int)m->value, 0);

	if (fd < 0)
		return err_sys(err, errno, "pidfd_getfd", "seccomp listener");
	if (!t->events->notify)
		return err_set(
			err, ERR_INTERNAL, "linux.seccomp", "the listener came without a taker");
	if (t->events->notify(t->events->arg, fd_take(&fd), t->out->pid, err) < 0)
		return -1;
	return send(t->ctl, &go, sizeof(go), MSG_NOSIGNAL) == sizeof(go)
		       ? 0
		       : err_sys(err, errno, "send", "init");
}

/* One message. 1: READY came, 2: EOF, 0: go on, -1. */
static int hear(struct talk *t, struct err *err)
{
	struct wire_msg m;
	int fd = FD_NONE;
	size_t n_fds = 0;
	ssize_t n = fd_recv(t->ctl, &m, sizeof(m), &fd, 1, &n_fds);

	if (!n_fds)
		fd = FD_NONE;
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "recvmsg", "init");
	if (n <= 0)
		return 2;
	if (n != sizeof(m)) {
		fd_close(fd);
		return err_set(err, ERR_INTERNAL, "init", "sent a message of %zd bytes", n);
	}
	m.text[sizeof(m.text) - 1] = '\0';
	if (m.kind == WIRE_SYNC)
		return on_sync(t, &m, fd, err);
	if (m.kind == WIRE_CONSOLE)
		return on_console(t, &m, fd, err);
	fd_close(fd);
	switch (m.kind) {
	case WIRE_READY: return 1;
	case WIRE_CHILD: return adopt(t, (pid_t)m.value, err);
	case WIRE_NOTIFY: return on_notify(t, &m, err);
	case WIRE_ERROR: return on_error(t, &m, err);
	default: return err_set(err, ERR_INTERNAL, "init", "sent a message of kind %u", m.kind);
	}
}

/* Reads what hooks print meanwhile, so that a chatty one can't block. */
static int wait_for_word(struct talk *t, struct err *err)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = t->ctl, .events = POLLIN },
			{ .fd = t->out->hook_out, .events = POLLIN } };

		if (t->out->hook_out < 0)
			return 0; /* recvmsg waits by itself */
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll", "init");
		if (p[1].revents && !hook_tail_read(&t->out->tail, t->out->hook_out))
			t->out->hook_out = fd_close(t->out->hook_out);
		if (p[0].revents)
			return 0;
	}
}

static int converse(struct talk *t, int until, struct err *err)
{
	int r = 0;

	while (r == 0) {
		if (wait_for_word(t, err) < 0)
			return -1;
		r = hear(t, err);
	}
	if (r < 0)
		return -1;
	if (r == 2 && until != 2)
		return died(t, err);
	return r == until ? 0 : err_set(err, ERR_INTERNAL, "init", "spoke out of turn");
}

/* ---- public ---- */

void spawned_close(struct spawned *s)
{
	s->pidfd = fd_close(s->pidfd);
	s->ctl = fd_close(s->ctl);
	s->hook_out = fd_close(s->hook_out);
	if (s->trace)
		munmap(s->trace->times, (s->trace->n + 1) * sizeof(uint64_t));
	s->trace = NULL;
}

static void kill_and_reap(struct talk *t)
{
	if (t->helper && t->helper != t->out->pid) {
		kill(t->helper, SIGKILL);
		reap(t->helper);
	}
	if (t->out->pid > 0) {
		kill(t->out->pid, SIGKILL); /* a child of ours that wasn't reaped: the number is
					       still its own */
		reap(t->out->pid);
	}
	t->out->pid = 0;
}

static bool hooks_before_ready(const struct plan *p)
{
	for (size_t i = 0; i < p->n_steps && p->steps[i].op != OP_READY; i++)
		if (p->steps[i].op == OP_HOOK)
			return true;
	return false;
}

static bool keeps_ctl(const struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].op == OP_READY)
			return p->steps[i].flags & STEP_KEEP_CTL;
	return false;
}

/* Clones; afterwards the child's ends are closed here. */
static int launch(const struct plan *p, struct prepared *sources, int cgroup_fd, struct talk *t,
	int child_ctl, int hook, int trace, struct err *err)
{
	struct launch l = {
		.plan = p, .sources = sources, .ctl = child_ctl, .hook = hook, .trace = trace
	};
	_str_ struct str packed = { 0 };
	int own_time;

	if (plan_pack(p, sources->fds, child_ctl, trace, hook, &packed, err) < 0)
		return -1;
	_close_ int image = make_image(&packed, err);
	if (image < 0)
		return -1;
	l.image = image;
	snprintf(l.fd_text, sizeof(l.fd_text), "%d", image);
	snprintf(l.offset_text, sizeof(l.offset_text), "%zu", init_image_size);
	if (enter_time(p, sources, &own_time, err) < 0)
		return -1;
	pid_t pid = first_clone(&l, cgroup_fd, &t->out->pidfd);
	int os = errno;
	leave_time(own_time);
	if (pid < 0) {
		t->out->pidfd = FD_NONE;
		return clone_error(os, p, cgroup_fd, err);
	}
	if (p->spawn.n_helper_join || p->spawn.host_side)
		t->helper = pid;
	t->out->pid = pid;
	return 0;
}

int spawn(const struct plan *p, struct prepared *sources, int cgroup_fd,
	const struct spawn_events *events, struct ctr_trace *trace, struct spawned *ret,
	struct err *err)
{
	struct talk t = { .plan = p,
		.sources = sources,
		.events = events,
		.ctl = FD_NONE,
		.out = ret,
		.go_owed = p->spawn.user_ns };
	int pair[2], hook[2] = { FD_NONE, FD_NONE };
	_close_ int trace_fd = FD_NONE;

	*ret = (struct spawned)SPAWNED_INIT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair", "init");
	_close_ int ctl = pair[0];
	_close_ int child_ctl = pair[1];
	if (hooks_before_ready(p) && pipe2(hook, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "hooks");
	ret->hook_out = hook[0];
	_close_ int hook_in = hook[1];
	if (trace && (trace_fd = trace_open(p, &ret->trace, err)) < 0)
		goto fail;
	/* What runs between here and the exec of init shares our memory or copies it: nobody may
	 * look in. */
	prctl(PR_SET_DUMPABLE, 0);
	t.ctl = ctl;
	if (launch(p, sources, cgroup_fd, &t, child_ctl, hook_in, trace_fd, err) < 0)
		goto fail;
	child_ctl = fd_close(child_ctl); /* EOF must mean that init is gone */
	hook_in = fd_close(hook_in);
	if (!t.helper && adopt(&t, ret->pid, err) < 0)
		goto fail;
	if (events->cloned && events->cloned(events->arg, ret->pid, err) < 0)
		goto fail;
	if (converse(&t, 1, err) < 0)
		goto fail;
	if (events->ready && events->ready(events->arg, ret->pid, err) < 0)
		goto fail;
	if (say(&t, WIRE_GO, err) < 0)
		goto fail;
	if (keeps_ctl(p))
		ret->ctl = fd_take(&ctl);
	else if ((trace || !events->hurried) && converse(&t, 2, err) < 0)
		goto fail;
	spawn_trace_add(ret, p, trace);
	return 0;
fail:
	kill_and_reap(&t);
	spawned_close(ret);
	if (t.no_memory || err->os == ENOMEM)
		return cgroup_explain_memory(cgroup_fd, err);
	return -1;
}

int spawn_finish(
	const struct plan *p, struct spawned *s, const struct spawn_events *events, struct err *err)
{
	struct talk t = { .plan = p, .events = events, .ctl = s->ctl, .out = s };

	if (converse(&t, 2, err) == 0)
		return 0;
	kill_and_reap(&t);
	return -1;
}

int spawn_listen(struct spawned *s, const struct spawn_events *events, struct wire_msg *ret_error,
	struct err *err)
{
	struct talk t = { .events = events, .ctl = s->ctl, .out = s, .ret_error = ret_error };

	ret_error->kind = 0;
	return converse(&t, 2, err);
}
