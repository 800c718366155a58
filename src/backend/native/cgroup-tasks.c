/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a group: listing, signals, freezing, waiting until none is left.
 *
 * cgroup.events tells of changes through poll, but the kernel may hold a notice back for 10 ms: so
 * the waits look again by themselves, after 1, 2, 4 ... 50 ms.
 */
#include "cgroup-impl.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 256, /* of sub-groups, for listing: each level holds two fds */
	POLL_MAX_MS = 50,
	FREEZE_KILL_MS = 2000,
	PASSES_MAX = 8, /* of signalling: a process may fork while the list is worked on */
};

struct pids {
	pid_t *items;
	size_t n, cap;
};

static int pids_add(struct pids *pids, pid_t pid, struct err *err)
{
	if (pids->n == pids->cap) {
		size_t cap = pids->cap ? 2 * pids->cap : 64;
		pid_t *p = realloc(pids->items, mem_array(cap, sizeof(*p)));
		if (!p)
			return err_set(
				err, ERR_EXHAUSTED, NULL, "out of memory for a list of processes");
		pids->items = p;
		pids->cap = cap;
	}
	pids->items[pids->n++] = pid;
	return 0;
}

/* The processes of one group. One that is gone, or threaded (its processes are listed above), has
 * none. */
static int list_one(int fd, struct pids *pids, struct err *err)
{
	int file = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	_fclose_ FILE *f = file < 0 ? NULL : fdopen(file, "r");
	char name[PATH_MAX];
	int pid;

	if (!f) {
		int os = errno;
		fd_close(file);
		if (os == ENOENT || os == ENODEV)
			return 0;
		return cgroup_fail(err, os, "reading cgroup.procs", cgroup_name(fd, name));
	}
	while (fscanf(f, "%d", &pid) == 1)
		if (pid > 0 && pids_add(pids, pid, err) < 0) /* 0: outside of our pid namespace */
			return -1;
	if (ferror(f) && errno != ENODEV && errno != EOPNOTSUPP)
		return cgroup_fail(err, errno, "reading cgroup.procs", cgroup_name(fd, name));
	return 0;
}

static int list_tree(int fd, int depth, struct pids *pids, struct err *err)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_closedir_ DIR *dir = again < 0 ? NULL : fdopendir(again);
	char name[PATH_MAX];

	if (!dir) {
		int os = errno;
		fd_close(again);
		return os == ENOENT || os == ENODEV
			       ? 0
			       : cgroup_fail(err, os, "listing", cgroup_name(fd, name));
	}
	if (depth > DEPTH_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "cgroups are nested more than %d deep",
			DEPTH_MAX);
	if (list_one(fd, pids, err) < 0)
		return -1;
	for (struct dirent *d; (d = readdir(dir));) {
		if (d->d_type != DT_DIR || str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		_close_ int sub = cgroup_openat(fd, d->d_name, O_RDONLY | O_DIRECTORY);
		if (sub >= 0 && list_tree(sub, depth + 1, pids, err) < 0)
			return -1;
		if (sub < 0 && errno != ENOENT && errno != ENODEV)
			return cgroup_fail(err, errno, "open", d->d_name);
	}
	return 0;
}

int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err)
{
	struct pids pids = { 0 };

	if (list_tree(cg->fd, 0, &pids, err) < 0) {
		free(pids.items);
		return -1;
	}
	*ret = pids.items;
	*ret_n = pids.n;
	return 0;
}

/* ---- waiting ---- */

/* "S" and name of a task from /proc/PID/stat; false when it is gone. */
static bool task_state(pid_t pid, char *ret_state, char name[32])
{
	char path[64], text[512];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (cgroup_get(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || !close[1])
		return false;
	*close = '\0';
	(void)snprintf(name, 32, "%s", open + 1);
	*ret_state = close[2];
	return true;
}

void cgroup_straggler(const struct cgroup *cg, char *buf, size_t n)
{
	_free_ pid_t *pids = NULL;
	struct err ignored = ERR_INIT;
	size_t n_pids = 0;
	char state = '?', name[32], path[64], wchan[128] = "";
	pid_t found = 0;

	(void)snprintf(buf, n, "by processes that this pid namespace doesn't show");
	if (cgroup_pids(cg, &pids, &n_pids, &ignored) < 0 || n_pids == 0)
		return;
	for (size_t i = 0; i < n_pids; i++) {
		char s, nm[32];
		if (!task_state(pids[i], &s, nm) || (found && s != 'D'))
			continue;
		found = pids[i];
		state = s;
		memcpy(name, nm, sizeof(name));
		if (s == 'D')
			break;
	}
	if (!found)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/wchan", found);
	if (cgroup_get(AT_FDCWD, path, wchan, sizeof(wchan)) <= 0 || str_eq(wchan, "0"))
		wchan[0] = '\0';
	(void)snprintf(buf, n, "task %d (%s) in state %c%s%s%s", found, name, state,
		*wchan ? " at " : "", wchan, n_pids > 1 ? ", and others" : "");
}

/* One look at an open cgroup.events; a group that is gone counts as empty and thawed. -1 errno. */
static long event_value(int file, const char *key)
{
	char text[256];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errno == ENODEV ? 0 : -1;
	text[n] = '\0';
	return cgroup_key(text, key);
}

int cgroup_await(int fd, const char *key, long want, int timeout_ms)
{
	_close_ int file = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = cgroup_now_ms() + timeout_ms;

	if (file < 0)
		return errno == ENOENT || errno == ENODEV ? want == 0 : -1;
	for (int slice = 1;; slice = MIN(2 * slice, POLL_MAX_MS)) {
		struct pollfd p = { .fd = file, .events = POLLPRI };
		long v = event_value(file, key);
		if (v == want)
			return 1;
		if (v < 0)
			return -1;
		int64_t left = end - cgroup_now_ms();
		if (left <= 0)
			return 0;
		if (poll(&p, 1, (int)MIN(left, slice)) < 0 && errno != EINTR)
			return -1;
	}
}

int cgroup_wait_empty(const struct cgroup *cg, int timeout_ms, struct err *err)
{
	int r = cgroup_await(cg->fd, "populated", 0, timeout_ms);
	char name[PATH_MAX], who[256];

	if (r > 0)
		return 0;
	if (r < 0)
		return cgroup_fail(err, errno, "reading cgroup.events", cgroup_name(cg->fd, name));
	cgroup_straggler(cg, who, sizeof(who));
	err_set(err, ERR_TIMEOUT, cgroup_name(cg->fd, name), "processes are left after %d ms: %s",
		timeout_ms, who);
	return err_hint(
		err, "a task in state D ends when the device or server that it waits for answers");
}

/* ---- freezing ---- */

static int write_freeze(const struct cgroup *cg, const char *value, struct err *err)
{
	char name[PATH_MAX];

	if (file_put(cg->fd, "cgroup.freeze", value) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(err, ERR_UNSUPPORTED, cgroup_name(cg->fd, name),
			"the group cannot be frozen: it is gone, the root, or the kernel is older than 5.2");
	return cgroup_fail(err, errno, "writing cgroup.freeze", cgroup_name(cg->fd, name));
}

int cgroup_thaw(const struct cgroup *cg, struct err *err)
{
	return write_freeze(cg, "0", err);
}

int cgroup_freeze(const struct cgroup *cg, int timeout_ms, struct err *err)
{
	struct err ignored = ERR_INIT;
	char name[PATH_MAX], who[256];
	int r;

	if (write_freeze(cg, "1", err) < 0)
		return -1;
	r = cgroup_await(cg->fd, "frozen", 1, timeout_ms);
	if (r > 0)
		return 0;
	if (r < 0) {
		cgroup_fail(err, errno, "reading cgroup.events", cgroup_name(cg->fd, name));
	} else {
		cgroup_straggler(cg, who, sizeof(who));
		err_set(err, ERR_TIMEOUT, cgroup_name(cg->fd, name), "not frozen after %d ms: %s",
			timeout_ms, who);
	}
	if (cgroup_thaw(cg, &ignored) < 0)
		err_hint(err, "the group could not be thawed again either");
	return -1;
}

int cgroup_is_frozen(const struct cgroup *cg, struct err *err)
{
	char text[256], name[PATH_MAX];

	if (cgroup_get(cg->fd, "cgroup.events", text, sizeof(text)) < 0)
		return cgroup_fail(err, errno, "reading cgroup.events", cgroup_name(cg->fd, name));
	return cgroup_key(text, "frozen") == 1;
}

/* ---- signals ---- */

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/* Signals a run of pids that were in the group. Each is opened first, then the group is listed
 * again, and only those still in it are signalled: whoever is alive at the end and was listed after
 * the opening is the one that was opened. */
static int signal_run(
	const struct cgroup *cg, const pid_t *pids, size_t n, int signo, struct err *err)
{
	int fds[128];
	_free_ pid_t *still = NULL;
	size_t n_still = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
	if (cgroup_pids(cg, &still, &n_still, err) < 0)
		r = -1;
	else if (n_still)
		qsort(still, n_still, sizeof(*still), by_pid);
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && fds[i] >= 0 && n_still &&
			bsearch(&pids[i], still, n_still, sizeof(*still), by_pid) &&
			syscall(SYS_pidfd_send_signal, fds[i], signo, NULL, 0) < 0 &&
			errno != ESRCH)
			r = err_sys(err, errno, "pidfd_send_signal", "process %d", pids[i]);
		fd_close(fds[i]);
	}
	return r;
}

static int signal_each(const struct cgroup *cg, int signo, struct err *err)
{
	_free_ pid_t *pids = NULL;
	size_t n = 0;

	if (cgroup_pids(cg, &pids, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i += 128)
		if (signal_run(cg, pids + i, MIN(n - i, (size_t)128), signo, err) < 0)
			return -1;
	return 0;
}

/* SIGKILL without cgroup.kill (before 5.14): frozen, nobody can fork away from the list. */
static int kill_frozen(const struct cgroup *cg, struct err *err)
{
	struct err ignored = ERR_INIT;
	bool frozen = cgroup_freeze(cg, FREEZE_KILL_MS, &ignored) == 0;
	int r = signal_each(cg, SIGKILL, err);

	for (int i = 0; r == 0 && !frozen && i < PASSES_MAX; i++) {
		if (cgroup_await(cg->fd, "populated", 0, 5) == 1)
			return 0;
		r = signal_each(cg, SIGKILL, err);
	}
	if (frozen && cgroup_thaw(cg, r < 0 ? &ignored : err) < 0)
		return -1;
	return r;
}

int cgroup_signal(const struct cgroup *cg, int signo, struct err *err)
{
	char name[PATH_MAX];

	if (signo != SIGKILL)
		return signal_each(cg, signo, err);
	if (file_put(cg->fd, "cgroup.kill", "1") == 0)
		return 0;
	if (errno == ENODEV)
		return 0; /* the group is gone, and so are its processes */
	if (errno != ENOENT && errno != EOPNOTSUPP)
		return cgroup_fail(err, errno, "writing cgroup.kill", cgroup_name(cg->fd, name));
	return kill_frozen(cg, err);
}

/* ---- memory ---- */

int cgroup_explain_memory(int fd, struct err *err)
{
	char events[CGROUP_FILE_MAX], max[32];

	if (fd < 0 || cgroup_get(fd, "memory.events", events, sizeof(events)) < 0 ||
		cgroup_get(fd, "memory.max", max, sizeof(max)) < 0)
		return -1;
	if (cgroup_key(events, "oom_kill") <= 0 && cgroup_key(events, "max") <= 0)
		return -1;
	max[strcspn(max, "\n")] = '\0';
	err_set(err, ERR_EXHAUSTED, "init",
		"ended for want of memory while it set the container up: its cgroup's memory.max is %s",
		max);
	return err_hint(err, "raise linux.resources.memory.limit, or that of a group above");
}
