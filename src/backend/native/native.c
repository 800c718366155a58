/* SPDX-License-Identifier: Apache-2.0 */
/* The native backend: this kernel. The seam's table, and the verbs on a container that exists. */
#include "backend/native/native.h"

#include "backend/native/gate.h"
#include "backend/native/hooks.h"
#include "backend/native/notify.h"
#include "backend/native/sandbox.h"
#include "backend/native/seccomp.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/proc.h"
#include "model/rlimits.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	KILL_TIMEOUT_MS = 10000, /* a killed container that lives on after this is reported */
	FREEZE_TIMEOUT_MS = 10000,
};

#define INIT_COMM "ctrctl-init" /* the name of a process that still waits at the gate */

/* ---- liveness ---- */

static bool same_boot(const struct ctr_record *rec)
{
	char boot[PROC_BOOT_ID_MAX];
	struct err ignored = ERR_INIT;

	return !rec->boot_id || proc_boot_id(boot, &ignored) < 0 || str_eq(boot, rec->boot_id);
}

/* The pidfd is opened first and the start time read after it: what is checked then is what the fd
 * means. */
int native_alive(const struct ctr_record *rec, int *ret_pidfd, bool *ret_waiting, struct err *err)
{
	struct proc_stat st;

	if (rec->pid <= 0)
		return 0;
	_close_ int fd = pidfd_open(rec->pid, 0);
	/* The number of a thread, now: EINVAL, or ENOENT since Linux 6.15. It isn't init. */
	if (fd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "pidfd_open", "process %d", rec->pid);
	int r = proc_stat(rec->pid, &st, err);
	if (r != 1)
		return r;
	if (st.start_time != rec->start_time || st.state == 'Z' || st.state == 'X' ||
		!same_boot(rec))
		return 0;
	if (ret_waiting)
		*ret_waiting = str_eq(st.comm, INIT_COMM);
	if (ret_pidfd)
		*ret_pidfd = fd_take(&fd);
	return 1;
}

static int is_frozen(const struct ctr_record *rec, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	if (!rec->cgroup)
		return 0;
	if (cgroup_open(rec->cgroup, &g, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	return cgroup_is_frozen(&g, err);
}

static int native_status(
	const struct ctr_record *rec, int dir_fd, enum ctr_status *ret, struct err *err)
{
	bool waiting = false;
	int r = native_alive(rec, NULL, &waiting, err);

	if (r < 0)
		return -1;
	if (r == 0) {
		*ret = CTR_STOPPED;
		return 0;
	}
	if (rec->phase == CTR_CREATING) {
		*ret = CTR_CREATING;
		return 0;
	}
	int frozen = is_frozen(rec, err);
	if (frozen < 0)
		return -1;
	*ret = frozen ? CTR_PAUSED : waiting && gate_is_there(dir_fd) ? CTR_CREATED : CTR_RUNNING;
	return 0;
}

/* ---- attributes that only the parent can set ---- */

/*
 * Soft and hard limits are set by init itself, right before the filter and the exec (OP_RLIMIT): a
 * low RLIMIT_NOFILE would break the set-up. A hard limit above the present one needs
 * CAP_SYS_RESOURCE, which init may not have: it is raised from here.
 */
static int raise_rlimit(const struct oci_rlimit *l, pid_t pid, struct err *err)
{
	int resource = rlimit_number(l->type);
	struct rlimit64 now;

	/* Our own, which it inherited: another user's can't be read without CAP_SYS_RESOURCE. */
	if (prlimit64(0, (enum __rlimit_resource)resource, NULL, &now) < 0)
		return err_sys(err, errno, "prlimit", "%s", l->type);
	if (l->hard <= now.rlim_max)
		return 0;
	now.rlim_max = l->hard;
	if (prlimit64(pid, (enum __rlimit_resource)resource, &now, NULL) == 0)
		return 0;
	int os = errno;
	err_sys(err, os, "prlimit", "%s to %llu", l->type, (unsigned long long)l->hard);
	if (os == EPERM)
		err_hint(err,
			"raising a hard limit needs CAP_SYS_RESOURCE, which ctrctl doesn't have here");
	return -1;
}

static int write_oom_score(int32_t adj, pid_t pid, struct err *err)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	snprintf(text, sizeof(text), "%d", adj);
	if (file_put(AT_FDCWD, path, text) == 0)
		return 0;
	int os = errno;
	err_sys(err, os, "write", "oom_score_adj: %d", adj);
	if (os == EACCES || os == EPERM)
		err_hint(err,
			"lowering oom_score_adj needs CAP_SYS_RESOURCE, which ctrctl doesn't have here");
	return -1;
}

int native_parent_attributes(const struct oci_process *p, pid_t pid, struct err *err)
{
	if (p->oom_score_adj && write_oom_score(*p->oom_score_adj, pid, err) < 0)
		return err_in(err, "process.oomScoreAdj");
	for (size_t i = 0; i < p->n_rlimits; i++)
		if (raise_rlimit(&p->rlimits[i], pid, err) < 0)
			return err_in(err, "process.rlimits[%zu]", i);
	return 0;
}

/* ---- handing over ---- */

int native_console(
	const struct ctr_attach *attach, int own_master, const char *name, struct err *err)
{
	_close_ int master = own_master;

	if (attach->ret_console) {
		*attach->ret_console = fd_take(&master);
		return 0;
	}
	if (attach->console_socket < 0)
		return err_set(err, ERR_INVALID, "process.terminal",
			"nobody takes the terminal: no console socket was given");
	/* One message, one fd, the name of the terminal as payload: what runc's callers expect. */
	if (fd_send(attach->console_socket, name, strlen(name), &master, 1) < 0)
		return err_sys(err, errno, "send", "console socket");
	return 0;
}

char *native_state(const struct ctr_record *rec, enum ctr_status status, pid_t pid,
	struct arena *arena, struct err *err)
{
	char *head, *tail;

	if (hook_state(rec->oci_version, rec->id, rec->bundle, &rec->annotations, status, arena,
		    &head, &tail, err) < 0)
		return NULL;
	char *text = arena_printf(arena, "%s%d%s", head, (int)pid, tail);
	if (!text)
		err_nomem(err);
	return text;
}

int native_notify(const struct oci_spec *spec, const struct ctr_record *rec, enum ctr_status status,
	int own_listener, pid_t pid, struct err *err)
{
	_close_ int listener = own_listener;
	_arena_ struct arena *arena = arena_new();

	if (!arena)
		return err_nomem(err);
	const char *state = native_state(rec, status, pid, arena, err);
	if (!state ||
		notify_send(spec->linux_->seccomp, rec->oci_version, pid, state, listener, err) < 0)
		return err_in(err, "linux.seccomp");
	return 0;
}

/* ---- signals, pause, update ---- */

static int open_cgroup(const struct ctr_record *rec, struct cgroup *ret, struct err *err)
{
	if (!rec->cgroup)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"the container has no cgroup of its own (--cgroup-manager disabled)");
	return cgroup_open(rec->cgroup, ret, err);
}

static int native_open_cgroup(const struct ctr_record *rec, int *ret_fd, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	*ret_fd = FD_NONE;
	if (!rec->cgroup)
		return 0;
	if (cgroup_open(rec->cgroup, &g, err) < 0)
		return -1;
	*ret_fd = fd_take(&g.fd);
	return 0;
}

static int signal_all(const struct ctr_record *rec, int signo, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;
	int alive = rec->private_pid_ns ? native_alive(rec, NULL, NULL, err) : 1;

	/* All of a pid namespace ends with its init: who is in the group now is another's. */
	if (alive <= 0)
		return alive < 0 ? -1 : err_set(err, ERR_STATE, NULL, "container not running");
	if (open_cgroup(rec, &g, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? err_set(err, ERR_STATE, NULL, "container not running")
			       : -1;
	return cgroup_signal(&g, signo, err);
}

static int native_signal(
	const struct ctr_record *rec, int dir_fd, int signo, bool all, struct err *err)
{
	_close_ int pidfd = FD_NONE;

	/* Without a pid namespace of its own the container outlives its init: SIGKILL means all of
	 * it. */
	if (all || (signo == SIGKILL && !rec->private_pid_ns && rec->cgroup))
		return signal_all(rec, signo, err);
	int r = native_alive(rec, &pidfd, NULL, err);
	if (r <= 0)
		return r < 0 ? -1 : err_set(err, ERR_STATE, NULL, "container not running");
	if (pidfd_send_signal(pidfd, signo, NULL, 0) < 0)
		return errno == ESRCH
			       ? err_set(err, ERR_STATE, NULL, "container not running")
			       : err_sys(err, errno, "pidfd_send_signal", "process %d", rec->pid);
	return 0;
}

static int native_pause(const struct ctr_record *rec, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	return open_cgroup(rec, &g, err) < 0 ? -1 : cgroup_freeze(&g, FREEZE_TIMEOUT_MS, err);
}

static int native_resume(const struct ctr_record *rec, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	return open_cgroup(rec, &g, err) < 0 ? -1 : cgroup_thaw(&g, err);
}

static int native_update(
	const struct ctr_record *rec, int dir_fd, const struct oci_resources *r, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	if (cgroup_check(r, err) < 0 || open_cgroup(rec, &g, err) < 0 ||
		cgroup_limit(&g, r, err) < 0)
		return -1;
	return r->n_devices ? cgroup_devices(&g, r->devices, r->n_devices, err) : 0;
}

static int native_pids(const struct ctr_record *rec, pid_t **ret, size_t *ret_n, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	return open_cgroup(rec, &g, err) < 0 ? -1 : cgroup_pids(&g, ret, ret_n, err);
}

/* ---- destroy ---- */

static int wait_gone(int pidfd, int32_t pid, struct err *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, KILL_TIMEOUT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		waitpid(pid, NULL, WNOHANG); /* ours, when create failed or in `run` */
		return 0;
	}
	err_set(err, ERR_TIMEOUT, NULL, "process %d is still there %d s after SIGKILL", pid,
		KILL_TIMEOUT_MS / 1000);
	return err_hint(
		err, "it is likely to hang in the kernel: see /proc/%d/stack and wchan", pid);
}

static int kill_init(const struct ctr_record *rec, struct err *err)
{
	_close_ int pidfd = FD_NONE;
	int r = native_alive(rec, &pidfd, NULL, err);

	if (r <= 0)
		return r;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(err, errno, "pidfd_send_signal", "process %d", rec->pid);
	return wait_gone(pidfd, rec->pid, err);
}

const char *native_owner(
	const struct ctr_record *rec, int dir_fd, struct arena *arena, struct err *err)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0) {
		err_sys(err, errno, "fstat", "folder of %s", rec->id);
		return NULL;
	}
	const char *owner = arena_printf(arena, "%s@%llx:%llx", rec->id,
		(unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	if (!owner)
		err_nomem(err);
	return owner;
}

static int kill_cgroup(const char *path, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	if (cgroup_open(path, &g, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (cgroup_signal(&g, SIGKILL, err) < 0)
		return -1;
	return cgroup_wait_empty(&g, KILL_TIMEOUT_MS, err);
}

/* What lives in the group is killed only if the group is this container's: its path may have been
 * taken over by another one. A record that was lost names no group; then it is searched for. */
static int destroy_cgroup(const struct ctr_record *rec, int dir_fd, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	const char *owner = arena ? native_owner(rec, dir_fd, arena, err) : NULL;
	char *found = NULL;
	const char *path = rec->cgroup;

	if (!arena)
		return err_nomem(err);
	if (!owner)
		return -1;
	if (!path) {
		if (cgroup_find_owned(owner, arena, &found, err) < 0)
			return -1;
		path = found;
	}
	int ours = path ? cgroup_is_owned(path, owner, err) : 0;
	if (ours <= 0)
		return ours;
	return kill_cgroup(path, err) < 0 || cgroup_remove(path, err) < 0 ? -1 : 0;
}

static int native_destroy(const struct ctr_record *rec, int dir_fd, struct err *err)
{
	if (kill_init(rec, err) < 0)
		return -1;
	bool lost = !rec->cgroup && rec->phase == CTR_CREATING &&
		    rec->cgroup_manager != CTR_CGROUP_DISABLED;
	/* Mostly the group is empty by now, and one rmdir is all. */
	bool left = rec->cgroup && rec->cgroup_made && same_boot(rec) &&
		    !cgroup_remove_empty(rec->cgroup);
	if ((left || (lost && same_boot(rec))) && destroy_cgroup(rec, dir_fd, err) < 0)
		return -1;
	gate_remove(dir_fd);
	return 0;
}

static void native_after(const struct ctr_record *rec, const struct oci_spec *spec)
{
	struct err err = ERR_INIT;
	char line[1024];
	_arena_ struct arena *arena = arena_new();
	const char *state = arena ? native_state(rec, CTR_STOPPED, 0, arena, &err) : NULL;

	if (state) {
		hooks_run_all(spec->hooks, OCI_HOOK_POSTSTOP, state, rec->id);
		return;
	}
	err_line(&err, line, sizeof(line));
	log_warn("%s: %s", rec->id, line);
}

/* ---- start ---- */

struct starting {
	const struct ctr_record *rec;
	const struct oci_spec *spec;
};

static int start_notify(void *arg, int listener, pid_t pid, struct err *err)
{
	const struct starting *s = arg;

	return native_notify(s->spec, s->rec, CTR_CREATED, listener, pid, err);
}

static int poststart(const struct ctr_record *rec, const struct oci_spec *spec, struct err *err)
{
	struct err ignored = ERR_INIT;
	_arena_ struct arena *arena = arena_new();

	if (!arena)
		return err_nomem(err);
	const char *state = native_state(rec, CTR_RUNNING, rec->pid, arena, err);
	if (state && hooks_run(spec->hooks, OCI_HOOK_POSTSTART, state, err) == 0)
		return 0;
	/* runtime-spec 1.3, lifecycle 10: a failing poststart hook fails start, and the container
	 * is stopped. */
	if (kill_init(rec, &ignored) < 0 ||
		(!rec->private_pid_ns && rec->cgroup && kill_cgroup(rec->cgroup, &ignored) < 0))
		log_warn("%s: it runs on", rec->id);
	return -1;
}

int native_start(const struct ctr_record *rec, int dir_fd, const struct oci_spec *spec,
	struct ctr_trace *trace, struct err *err)
{
	struct starting arg = { rec, spec };
	const struct spawn_events events = { .arg = &arg, .notify = start_notify };
	struct wire_msg failed;
	_cleanup_(spawned_close) struct spawned s = SPAWNED_INIT;
	int hook[2] = { FD_NONE, FD_NONE };
	int r = native_alive(rec, &s.pidfd, NULL, err);

	if (r <= 0)
		return r < 0 ? -1
			     : err_set(err, ERR_STATE, NULL,
				       "cannot start a container that has stopped");
	s.pid = rec->pid;
	if (rec->has_start_hooks && pipe2(hook, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "hooks");
	s.hook_out = hook[0];
	_close_ int hook_in = hook[1];
	uint64_t begin = trace ? ctr_trace_now() : 0;
	s.ctl = gate_start(dir_fd, hook_in, err);
	if (s.ctl < 0) {
		if (err->code == ERR_STATE)
			err_set(err, ERR_STATE, NULL, "cannot start an already running container");
		return -1;
	}
	hook_in = fd_close(hook_in);
	r = spawn_listen(&s, &events, &failed, err);
	gate_remove(dir_fd);
	if (trace)
		ctr_trace_add(trace, "start", rec->id, (int)getpid(), begin, ctr_trace_now());
	if (r < 0 && failed.kind == WIRE_ERROR) {
		native_start_error(rec, dir_fd, &failed, err);
		hook_tail_explain(&s.tail, s.hook_out, err);
	}
	if (r < 0)
		return -1;
	return rec->has_start_hooks ? poststart(rec, spec, err) : 0;
}

/* ---- the table ---- */

static int native_probe(struct err *why_not)
{
	return cgroup_mountpoint(why_not) ? 1 : 0;
}

static int native_check(const struct ctr_input *in, struct err *err)
{
	const struct oci_linux *l = in->spec->linux_;

	if (!l)
		return 0;
	if (l->seccomp && seccomp_check(l->seccomp, err) < 0)
		return err_in(err, "linux.seccomp");
	if (!l->resources)
		return 0;
	if (in->cgroup_manager == CTR_CGROUP_DISABLED && cgroup_wants_limits(l->resources))
		return err_set(err, ERR_INVALID, "linux.resources",
			"limits need a cgroup, which --cgroup-manager disabled forbids");
	return cgroup_check(l->resources, err) < 0 ? err_in(err, "linux.resources") : 0;
}

const struct ctr_backend ctr_backend_native = {
	.name = "native",
	.probe = native_probe,
	.check = native_check,
	.create = native_create,
	.start = native_start,
	.signal = native_signal,
	.status = native_status,
	.destroy = native_destroy,
	.exec = native_exec,
	.pause = native_pause,
	.resume = native_resume,
	.update = native_update,
	.stats = native_stats,
	.pids = native_pids,
	.open_cgroup = native_open_cgroup,
	.explain = native_explain,
	.after = native_after,
	.sandbox_make = native_sandbox_make,
	.sandbox_ready = native_sandbox_ready,
	.sandbox_destroy = native_sandbox_destroy,
};
