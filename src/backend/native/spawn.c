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
#include "backend/native/image.h"
#include "backend/native/talk.h"
#include "backend/native/timens.h"
#include "init/image.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>

enum { CHILD_STACK = 32 * 1024 };

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
	_close_ int image = image_make(&packed, err);
	if (image < 0)
		return -1;
	l.image = image;
	snprintf(l.fd_text, sizeof(l.fd_text), "%d", image);
	snprintf(l.offset_text, sizeof(l.offset_text), "%zu", init_image_size);
	if (timens_enter(p, sources, &own_time, err) < 0)
		return -1;
	pid_t pid = first_clone(&l, cgroup_fd, &t->out->pidfd);
	int os = errno;
	timens_leave(own_time);
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
	if (!t.helper && talk_adopt(&t, ret->pid, err) < 0)
		goto fail;
	if (events->cloned && events->cloned(events->arg, ret->pid, err) < 0)
		goto fail;
	if (talk_until(&t, TALK_READY, err) < 0)
		goto fail;
	if (events->ready && events->ready(events->arg, ret->pid, err) < 0)
		goto fail;
	if (talk_say(&t, WIRE_GO, err) < 0)
		goto fail;
	if (keeps_ctl(p))
		ret->ctl = fd_take(&ctl);
	else if ((trace || !events->hurried) && talk_until(&t, TALK_EOF, err) < 0)
		goto fail;
	spawn_trace_add(ret, p, trace);
	return 0;
fail:
	talk_kill(&t);
	spawned_close(ret);
	/* init's arguments are short: E2BIG is no page for them */
	if (t.no_memory || err->os == ENOMEM || err->os == E2BIG)
		return cgroup_explain_memory(cgroup_fd, err);
	return -1;
}

int spawn_finish(
	const struct plan *p, struct spawned *s, const struct spawn_events *events, struct err *err)
{
	struct talk t = { .plan = p, .events = events, .ctl = s->ctl, .out = s };

	if (talk_until(&t, TALK_EOF, err) == 0)
		return 0;
	talk_kill(&t);
	return -1;
}

int spawn_listen(struct spawned *s, const struct spawn_events *events, struct wire_msg *ret_error,
	struct err *err)
{
	struct talk t = { .events = events, .ctl = s->ctl, .out = s, .ret_error = ret_error };

	ret_error->kind = 0;
	return talk_until(&t, TALK_EOF, err);
}
