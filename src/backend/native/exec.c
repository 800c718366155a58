/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process added to a running container: another plan for the same init. It starts in the
 * container's cgroup (the clone puts it there), on the host's side; init enters the namespaces by
 * the pidfd of the container's init and forks.
 */
#include "backend/native/facts.h"
#include "backend/native/native.h"
#include "backend/native/seccomp.h"
#include "base/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct execution {
	const struct ctr_record *rec;
	const struct ctr_exec *ex;
	struct arena *arena;
	struct plan_facts facts;
	struct plan_exec how;
	struct seccomp_filter filter;
	struct plan plan;
	struct prepared sources;
	struct cgroup cgroup;
	int target; /* pidfd of the container's init */
	struct spawned process;
};

static int step_target(struct execution *x, struct err *err)
{
	bool waiting = false;
	int r = native_alive(x->rec, &x->target, &waiting, err);

	if (r <= 0)
		return r < 0 ? -1
			     : err_set(err, ERR_STATE, NULL, "cannot exec in a stopped container");
	return 0;
}

/* Naming a user namespace that one is in fails the whole setns (EINVAL), so it is compared. */
static int user_differs(pid_t pid, struct err *err)
{
	char path[64];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat("/proc/self/ns/user", &own) < 0 || stat(path, &other) < 0)
		return err_sys(err, errno, "stat", "%s", path);
	return own.st_dev != other.st_dev || own.st_ino != other.st_ino;
}

static int step_namespaces(struct execution *x, struct err *err)
{
	const struct oci_linux *l = x->ex->spec->linux_;

	for (size_t i = 0; l && i < l->n_namespaces; i++)
		x->how.differ |= oci_namespace_clone_flag(l->namespaces[i].type);
	if (!(x->how.differ & CLONE_NEWUSER))
		return 0;
	int r = user_differs(x->rec->pid, err);
	if (r < 0)
		return -1;
	x->how.user_differs = r;
	if (!r)
		x->how.differ &= ~(uint64_t)CLONE_NEWUSER;
	return 0;
}

static int step_cgroup(struct execution *x, struct err *err)
{
	const struct ctr_record *rec = x->rec;
	const char *path = rec->cgroup;

	if (!path) {
		if (x->ex->sub_cgroup)
			return err_set(err, ERR_UNSUPPORTED, "--cgroup",
				"the container has no cgroup of its own");
		return 0;
	}
	if (x->ex->sub_cgroup) {
		path = cgroup_sub_path(path, x->ex->sub_cgroup, x->arena, err);
		if (!path)
			return -1;
	}
	if (cgroup_open(path, &x->cgroup, err) < 0)
		return -1;
	if (x->ex->ignore_paused)
		return 0;
	int frozen = cgroup_is_frozen(&x->cgroup, err);
	if (frozen < 0)
		return -1;
	return frozen ? err_set(err, ERR_STATE, NULL,
				"cannot exec in a paused container (use --ignore-paused to override)")
		      : 0;
}

static int step_filter(struct execution *x, struct err *err)
{
	const struct oci_linux *l = x->ex->spec->linux_;

	if (!l || !l->seccomp)
		return 0;
	if (seccomp_get(l->seccomp, x->ex->cache_fd, x->arena, &x->filter, err) < 0)
		return err_in(err, "linux.seccomp");
	x->facts.filter = &x->filter;
	return 0;
}

static int step_plan(struct execution *x, struct err *err)
{
	x->facts.id = x->rec->id;
	x->facts.bundle = x->rec->bundle;
	x->facts.cgroup_path = x->rec->cgroup;
	x->facts.no_new_keyring = x->ex->no_new_keyring;
	x->facts.preserve_fds = x->ex->attach.preserve_fds;
	x->facts.listen_fds = x->ex->attach.listen_fds;
	if (facts_read(&x->facts, x->ex->spec, x->arena, err) < 0)
		return -1;
	plan_init(&x->plan, x->arena);
	return plan_exec(x->ex->spec, x->ex->process, &x->how, &x->facts, &x->plan, err);
}

static int on_console(void *arg, int master, const char *name, struct err *err)
{
	struct execution *x = arg;

	return native_console(&x->ex->attach, master, name, err);
}

static int on_notify(void *arg, int listener, pid_t pid, struct err *err)
{
	struct execution *x = arg;

	return native_notify(x->ex->spec, x->rec, CTR_RUNNING, listener, pid, err);
}

static int on_ready(void *arg, pid_t pid, struct err *err)
{
	struct execution *x = arg;

	return native_parent_attributes(x->ex->process, pid, err);
}

/*
 * A container that manages cgroups of its own (an init system, another engine) has moved its
 * processes further down, and none can be put into the group itself any more. Then the new one
 * joins the container's init.
 */
static int join_init_cgroup(struct execution *x, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct cgroup deeper = CGROUP_INIT;

	if (err->os != EBUSY || x->cgroup.fd < 0 || x->ex->sub_cgroup)
		return 0;
	if (cgroup_open_of(x->rec->cgroup, x->rec->pid, &deeper, &ignored) <= 0)
		return 0;
	/* Its number still means it. */
	if (pidfd_send_signal(x->target, 0, NULL, 0) < 0) {
		cgroup_close(&deeper);
		return 0;
	}
	cgroup_close(&x->cgroup);
	x->cgroup = deeper;
	return 1;
}

static int step_spawn(struct execution *x, struct err *err)
{
	const struct spawn_events events = {
		.arg = x, .console = on_console, .notify = on_notify, .ready = on_ready
	};
	const struct ctr_attach *attach = &x->ex->attach;

	if (prepare_sources(&x->plan, x->target, FD_NONE, &x->sources, err) < 0)
		return -1;
	int r = spawn(&x->plan, &x->sources, x->cgroup.fd, &events, x->ex->trace, &x->process, err);
	if (r < 0 && join_init_cgroup(x, err) == 1)
		r = spawn(&x->plan, &x->sources, x->cgroup.fd, &events, x->ex->trace, &x->process,
			err);
	if (r < 0)
		return -1;
	if (spawn_finish(&x->plan, &x->process, &events, err) < 0)
		return -1;
	spawn_trace_add(&x->process, &x->plan, x->ex->trace);
	if (attach->pidfd_socket >= 0 &&
		fd_send(attach->pidfd_socket, "pidfd", 5, &x->process.pidfd, 1) < 0)
		return err_sys(err, errno, "send", "pidfd socket");
	return 0;
}

static int (*const steps[])(struct execution *, struct err *) = {
	step_target,
	step_namespaces,
	step_cgroup,
	step_filter,
	step_plan,
	step_spawn,
};

static void execution_done(struct execution *x)
{
	prepare_close(&x->plan, &x->sources);
	cgroup_close(&x->cgroup);
	spawned_close(&x->process);
	fd_close(x->target);
}

int native_exec(
	const struct ctr_record *rec, const struct ctr_exec *ex, pid_t *ret_pid, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	_cleanup_(execution_done) struct execution x = { .rec = rec,
		.ex = ex,
		.arena = arena,
		.cgroup = CGROUP_INIT,
		.target = FD_NONE,
		.process = SPAWNED_INIT };

	if (!arena)
		return err_nomem(err);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i](&x, err) < 0)
			return -1;
	*ret_pid = x.process.pid;
	return 0;
}
