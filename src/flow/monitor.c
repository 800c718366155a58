/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a monitor begins. Everything that can fail is prepared before the container is made; what
 * comes after that is a few system calls on fds that are open.
 */
#include "flow/monitor.h"

#include "base/log.h"
#include "base/memfile.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/sys.h"
#include "monitor/image.h"
#include "monitor/wire.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	IMAGE_FD = MONITOR_FD_END, /* closed by the exec */
	HIGH_FD = 32,              /* above all that have a fixed place */
	LISTEN_BACKLOG = 32,
	DIGITS = 24,
};

struct begin {
	const struct monitor_setup *setup;
	int fds[IMAGE_FD + 1]; /* of the monitor, by enum monitor_fd */
	int stdio[3];          /* of the container */
	int status;            /* our end */
};

static void begin_init(struct begin *b, const struct monitor_setup *setup)
{
	*b = (struct begin){ .setup = setup, .status = FD_NONE };
	for (size_t i = 0; i < ARRAY_SIZE(b->fds); i++)
		b->fds[i] = FD_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(b->stdio); i++)
		b->stdio[i] = FD_NONE;
}

static void begin_done(struct begin *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->fds); i++) {
		if (i != MONITOR_FD_DATA) /* borrowed */
			fd_close(b->fds[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(b->stdio); i++)
		fd_close(b->stdio[i]);
	fd_close(b->status);
}

/* ---- the log ---- */

/* Folders between the pod's log folder and the file: the kubelet makes them, others expect us to.
 */
static int make_log_folders(int dir, const char *path, struct err *err)
{
	char part[PATH_MAX];
	int at = dir;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		_close_ int parent = FD_NONE;
		size_t n = (size_t)(slash - path);
		const char *name;

		if (n >= sizeof(part))
			return err_set(err, ERR_INVALID, path, "is too long");
		memcpy(part, path, n);
		part[n] = '\0';
		name = strrchr(part, '/');
		at = dir;
		if (name) {
			*strrchr(part, '/') = '\0';
			name++;
			at = parent = path_open_beneath(dir, part, O_PATH | O_DIRECTORY, err);
			if (at < 0)
				return -1;
		}
		if (mkdirat(at, name ? name : part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "%.*s", (int)n, path);
	}
	return 0;
}

static int open_log_file(int dir, const char *path, struct err *err)
{
	const struct open_how how = { .flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW |
					       O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.mode = 0640,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	struct stat st;
	_close_ int fd = FD_NONE;

	for (int i = 0; i < 32 && fd < 0; i++) {
		fd = sys_openat2(dir, path, &how);
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return err_set(err, ERR_INVALID, path, "leads through a symbolic link");
	if (fd < 0)
		return err_sys(err, errno, "open", "log file %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "log file %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, path, "is not a regular file");
	if (st.st_nlink != 1)
		return err_set(err, ERR_INVALID, path, "is a file with other names (hard links)");
	return fd_take(&fd);
}

static int open_log(struct begin *b, struct err *err)
{
	const struct monitor_setup *s = b->setup;
	mode_t old;

	if (!s->log_dir || !s->log_path || !*s->log_path)
		return 0;
	if (path_make_dirs(s->log_dir, 0755, err) < 0)
		return -1;
	b->fds[MONITOR_FD_LOG_DIR] = open(s->log_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->fds[MONITOR_FD_LOG_DIR] < 0)
		return err_sys(err, errno, "open", "log directory %s", s->log_dir);
	if (make_log_folders(b->fds[MONITOR_FD_LOG_DIR], s->log_path, err) < 0)
		return err_in(err, "log_path:");
	old = umask(0);
	b->fds[MONITOR_FD_LOG] = open_log_file(b->fds[MONITOR_FD_LOG_DIR], s->log_path, err);
	umask(old);
	return b->fds[MONITOR_FD_LOG] < 0 ? err_in(err, "log_path:") : 0;
}

/* ---- streams ---- */

/* The container's end blocks as programs expect it to, ours doesn't. The owner is who runs in the
 * container, so that it can open /dev/stdout again. */
static int make_pipe(struct begin *b, int theirs, enum monitor_fd ours, struct err *err)
{
	const bool in = theirs == STDIN_FILENO;
	int end[2];

	if (pipe2(end, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "the container's standard streams");
	b->stdio[theirs] = end[in ? 0 : 1];
	b->fds[ours] = end[in ? 1 : 0];
	if (fchown(end[0], b->setup->stream_uid, b->setup->stream_gid) < 0)
		return err_sys(err, errno, "fchown", "the container's standard streams");
	if (fcntl(b->fds[ours], F_SETFL, (in ? O_WRONLY : O_RDONLY) | O_NONBLOCK) < 0)
		return err_sys(err, errno, "fcntl", "the container's standard streams");
	return 0;
}

static int make_streams(struct begin *b, struct err *err)
{
	const struct monitor_setup *s = b->setup;

	if (!s->tty && s->stdin_ && make_pipe(b, STDIN_FILENO, MONITOR_FD_STDIN, err) < 0)
		return -1;
	if (!s->tty && (make_pipe(b, STDOUT_FILENO, MONITOR_FD_STDOUT, err) < 0 ||
			       make_pipe(b, STDERR_FILENO, MONITOR_FD_STDERR, err) < 0))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(b->stdio); i++) {
		if (b->stdio[i] >= 0)
			continue;
		b->stdio[i] = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (b->stdio[i] < 0)
			return err_sys(err, errno, "open", "/dev/null");
	}
	return 0;
}

static int prepare(struct begin *b, struct err *err)
{
	const struct iovec image = { (void *)(uintptr_t)monitor_image, monitor_image_size };
	int pair[2];

	b->fds[MONITOR_FD_DATA] = b->setup->data_fd;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair", "the monitor");
	b->status = pair[0];
	b->fds[MONITOR_FD_STATUS] = pair[1];
	b->fds[MONITOR_FD_LISTEN] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (b->fds[MONITOR_FD_LISTEN] < 0)
		return err_sys(err, errno, "socket", "the monitor");
	if (open_log(b, err) < 0 || make_streams(b, err) < 0)
		return -1;
	b->fds[IMAGE_FD] = memfile_make(MONITOR_NAME, &image, 1, err);
	return b->fds[IMAGE_FD] < 0 ? -1 : 0;
}

/* ---- the new process ---- */

static int be_container_stdio(const struct begin *b, struct err *err)
{
	/* What goes wrong is still said where the caller reads it. */
	int old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, HIGH_FD);

	if (old < 0)
		return err_sys(err, errno, "fcntl", "standard error");
	log_stderr(old);
	for (int i = 0; i < 3; i++) {
		if (dup2(b->stdio[i], i) < 0)
			return err_sys(err, errno, "dup2", "the container's standard streams");
	}
	return 0;
}

static int serve_socket(const struct begin *b, int run_fd, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int fd = b->fds[MONITOR_FD_LISTEN];
	mode_t old = umask(0177);
	int r;

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET, run_fd);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (r < 0)
		return err_sys(err, errno, "bind", "the monitor's socket");
	if (listen(fd, LISTEN_BACKLOG) < 0)
		return err_sys(err, errno, "listen", "the monitor's socket");
	return 0;
}

/* Each fd to its fixed number; all others are closed. */
static int arrange_fds(struct begin *b, struct err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (null < 0)
		return err_sys(err, errno, "open", "/dev/null");
	for (int i = 0; i < 3; i++) {
		if (dup2(null, i) < 0)
			return err_sys(err, errno, "dup2", "/dev/null");
	}
	for (size_t i = 0; i < ARRAY_SIZE(b->fds); i++) {
		if (b->fds[i] < 0)
			continue;
		b->fds[i] = fcntl(b->fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (b->fds[i] < 0)
			return err_sys(err, errno, "fcntl", "the monitor's files");
	}
	for (int i = 3; i <= IMAGE_FD; i++) {
		if (b->fds[i] < 0)
			fd_close(i);
		else if (dup2(b->fds[i], i) < 0)
			return err_sys(err, errno, "dup2", "the monitor's files");
		else
			b->fds[i] = i;
	}
	if (fcntl(IMAGE_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		sys_close_range(IMAGE_FD + 1, UINT_MAX, 0) < 0)
		return err_sys(err, errno, "close_range", "the monitor's files");
	return 0;
}

static int exec_monitor(const struct begin *b, pid_t init, struct err *err)
{
	const struct monitor_setup *s = b->setup;
	const bool log = b->fds[MONITOR_FD_LOG] >= 0;
	char flags[DIGITS], bytes[DIGITS], files[DIGITS], pid[DIGITS];
	char *argv[] = { (char[]){ MONITOR_NAME }, (char *)(uintptr_t)s->id,
		log ? (char *)(uintptr_t)s->log_path : (char[]){ "" }, flags, bytes, files, pid,
		NULL };
	char *envp[] = { NULL };

	snprintf(flags, sizeof(flags), "%u",
		(log ? (unsigned)MONITOR_HAS_LOG : 0) |
			(b->fds[MONITOR_FD_STDIN] >= 0 ? (unsigned)MONITOR_HAS_STDIN : 0) |
			(b->fds[MONITOR_FD_EVENTS] >= 0 ? (unsigned)MONITOR_HAS_EVENTS : 0) |
			(s->tty ? (unsigned)MONITOR_TTY : 0) |
			(s->stdin_once ? (unsigned)MONITOR_STDIN_ONCE : 0));
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)s->log_max_bytes);
	snprintf(files, sizeof(files), "%u", s->log_max_files);
	snprintf(pid, sizeof(pid), "%ld", (long)init);
	sys_execveat(IMAGE_FD, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(err, errno, "execveat", "the monitor");
}

/* A session of its own, so that neither the caller's terminal nor its job control reaches it; and
 * orphans of the container come to it. */
static int leave_caller(struct err *err)
{
	if (setsid() < 0)
		return err_sys(err, errno, "setsid", "the monitor");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "prctl", "PR_SET_CHILD_SUBREAPER");
	return 0;
}

static int become(struct begin *b, monitor_make_fn *make, void *arg, struct err *err)
{
	struct ctr_attach attach = CTR_ATTACH_INIT;
	int master = FD_NONE, run_fd = FD_NONE, cgroup_fd = FD_NONE;
	pid_t init = 0;

	b->status = fd_close(b->status);
	if (leave_caller(err) < 0 || be_container_stdio(b, err) < 0)
		return -1;
	if (b->setup->tty)
		attach.ret_console = &master;
	if (make(arg, &attach, &init, &run_fd, &cgroup_fd, err) < 0)
		return -1;
	if (b->setup->tty) {
		if (master < 0 || fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
			return err_set(err, ERR_INTERNAL, "console",
				"the container's terminal didn't come");
		b->fds[MONITOR_FD_STDOUT] = master;
	}
	if (cgroup_fd >= 0) /* not on every host: then nothing is known of its memory */
		b->fds[MONITOR_FD_EVENTS] =
			openat(cgroup_fd, "memory.events", O_RDONLY | O_CLOEXEC);
	if (cgroup_fd >= 0 && b->fds[MONITOR_FD_EVENTS] < 0 && errno != ENOENT)
		return err_sys(err, errno, "open", "memory.events");
	if (serve_socket(b, run_fd, err) < 0 || arrange_fds(b, err) < 0)
		return -1;
	return exec_monitor(b, init, err);
}

static _noreturn_ void child(struct begin *b, monitor_make_fn *make, void *arg)
{
	struct err err = ERR_INIT;

	if (become(b, make, arg, &err) < 0 &&
		send(b->fds[MONITOR_FD_STATUS], &err, sizeof(err), MSG_NOSIGNAL) != sizeof(err))
		_exit(2);
	_exit(1);
}

/* ---- the caller ---- */

/* READY, or what went wrong; EOF: it died without a word. */
static int hear(const struct begin *b, pid_t pid, struct err *err)
{
	union {
		struct monitor_msg ready;
		struct err err;
	} m;
	ssize_t n;
	int status = 0;

	do
		n = recv(b->status, &m, sizeof(m), 0);
	while (n < 0 && errno == EINTR);
	if (n == sizeof(m.ready) && m.ready.kind == MONITOR_READY)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == sizeof(m.err)) {
		*err = m.err;
		return -1;
	}
	if (WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, "the monitor", "was killed by signal %d (%s)",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	return err_set(err, ERR_INTERNAL, "the monitor", "ended with status %d without a word",
		WEXITSTATUS(status));
}

int monitor_begin(
	const struct monitor_setup *setup, monitor_make_fn *make, void *arg, struct err *err)
{
	_cleanup_(begin_done) struct begin b;
	pid_t pid;

	begin_init(&b, setup);
	if (prepare(&b, err) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork", "the monitor");
	if (pid == 0)
		child(&b, make, arg);
	/* EOF must mean that it is gone. */
	b.fds[MONITOR_FD_STATUS] = fd_close(b.fds[MONITOR_FD_STATUS]);
	return hear(&b, pid, err);
}
