/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to a monitor that runs, and what one has left. */
#include "base/json.h"
#include "flow/monitor.h"
#include "monitor/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXIT_BYTES_MAX = 64 << 10, ANSWER_S = 10 };

/* ---- the record ---- */

static const char *const reasons[CTR_EXIT_REASON_N] = {
	[CTR_EXIT_COMPLETED] = "Completed",
	[CTR_EXIT_ERROR] = "Error",
	[CTR_EXIT_OOM_KILLED] = "OOMKilled",
	[CTR_EXIT_UNKNOWN] = "Unknown",
};
static const struct name_table reason_names = { reasons, CTR_EXIT_REASON_N };

struct exit_file {
	struct ctr_exit end;
	uint64_t lost;
	const char *boot_id;
};
#define F struct exit_file
static const struct json_field exit_fields[] = {
	J_ROW_I32(F, end.code, "exitCode", J_REQUIRED),
	J_ROW_I32(F, end.signal, "signal", J_REQUIRED),
	J_ROW_BOOL(F, end.oom_killed, "oomKilled", J_REQUIRED),
	J_ROW_ENUM(F, end.reason, "reason", J_REQUIRED, &reason_names),
	J_ROW_STR(F, end.finished, "finishedAt", J_REQUIRED),
	J_ROW_STR(F, boot_id, "bootId", 0),
	J_ROW_U64(F, lost, "logLinesLost", 0),
	{ 0 },
};
#undef F

int monitor_exit(int data_fd, struct arena *arena, struct ctr_exit *ret, struct err *err)
{
	struct exit_file file = { 0 };
	const struct json *json;
	_free_ char *text = NULL;
	struct err why = ERR_INIT;
	size_t n;

	if (file_read(data_fd, MONITOR_EXIT, EXIT_BYTES_MAX, &text, &n, &why) < 0) {
		if (why.code == ERR_NOT_FOUND)
			return 0;
		*err = why;
		return -1;
	}
	if (json_parse(text, n, EXIT_BYTES_MAX, arena, &json, err) < 0 ||
		json_bind(json, exit_fields, &file, JSON_UNKNOWN_IGNORE, arena, err) < 0)
		return err_in(err, MONITOR_EXIT);
	*ret = file.end;
	return 1;
}

/* ---- the conversation ---- */

int monitor_connect(int run_fd, struct err *err)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket", "the container's monitor");
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(err, errno, "setsockopt", "the container's monitor");
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET, run_fd);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd_take(&fd);
	if (errno == ECONNREFUSED || errno == ENOENT)
		return err_set(err, ERR_STATE, NULL, "the container's monitor doesn't run");
	if (errno == EAGAIN)
		return err_set(err, ERR_TIMEOUT, NULL, "the container's monitor doesn't answer");
	return err_sys(err, errno, "connect", "the container's monitor");
}

/* 1: DONE, 0: the time is over. *ret_fd: what came along. */
static int hear(int socket, int timeout_ms, int *ret_fd, struct err *err)
{
	struct pollfd p = { socket, POLLIN, 0 };
	struct monitor_msg m;
	size_t n_fds = 0;
	ssize_t n;
	int r;

	*ret_fd = FD_NONE;
	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(err, errno, "poll", "the container's monitor");
	if (r == 0)
		return 0;
	n = fd_recv(socket, &m, sizeof(m), ret_fd, 1, &n_fds);
	if (!n_fds)
		*ret_fd = FD_NONE;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_set(err, ERR_STATE, NULL, "the container's monitor has ended");
	if (n < 0)
		return err_sys(err, errno, "recvmsg", "the container's monitor");
	if (n == sizeof(m) && m.kind == MONITOR_DONE)
		return 1;
	*ret_fd = fd_close(*ret_fd);
	if (n == sizeof(m) && m.kind == MONITOR_FAILED)
		return err_sys(err, m.value, "answer", "the container's monitor");
	return err_set(err, ERR_INTERNAL, NULL, "the container's monitor sent something unknown");
}

static int ask(int socket, uint32_t kind, int32_t value, const int *fds, size_t n, struct err *err)
{
	const struct monitor_msg m = { kind, value };

	if (fd_send(socket, &m, sizeof(m), fds, n) == 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return err_set(err, ERR_STATE, NULL, "the container's monitor has ended");
	return err_sys(err, errno, "send", "the container's monitor");
}

static int ask_and_hear(int socket, uint32_t kind, const char *what, struct err *err)
{
	int fd, r;

	if (ask(socket, kind, 0, NULL, 0, err) < 0)
		return -1;
	r = hear(socket, ANSWER_S * 1000, &fd, err);
	fd_close(fd);
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, NULL, "the container's monitor doesn't answer");
	return r < 0 ? err_in(err, "%s:", what) : 0;
}

int monitor_wait(int socket, int timeout_ms, struct err *err)
{
	int fd, r;

	if (ask(socket, MONITOR_WAIT, 0, NULL, 0, err) < 0)
		return -1;
	r = hear(socket, timeout_ms, &fd, err);
	fd_close(fd);
	return r;
}

int monitor_reopen_log(int socket, struct err *err)
{
	return ask_and_hear(socket, MONITOR_REOPEN, "reopen the log", err);
}

int monitor_close_stdin(int socket, struct err *err)
{
	return ask_and_hear(socket, MONITOR_CLOSE_STDIN, "close standard input", err);
}

/* ---- attaching ---- */

/*
 * What the monitor may use without ever waiting, and without a change to what others share:
 * terminals and pipes as a file description of their own that is non-blocking; regular files and
 * sockets as they are. FD_NONE for a pipe that nobody reads.
 */
static int own_description(int fd, int flags, struct err *err)
{
	char path[32];
	struct stat st;
	int own;

	if (fd < 0)
		return FD_NONE;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "standard stream %d", fd);
	if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return own < 0 ? err_sys(err, errno, "fcntl", "standard stream %d", fd) : own;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0 && errno == ENXIO)
		return FD_NONE;
	return own < 0 ? err_sys(err, errno, "open", "standard stream %d again", fd) : own;
}

int monitor_attach(int socket, int in, int out, int err_fd, enum monitor_patience patience,
	int *ret_console, struct err *err)
{
	_close_ int own_in = own_description(in, O_RDONLY, err);
	_close_ int own_out = own_in == -1 ? -1 : own_description(out, O_WRONLY, err);
	_close_ int own_err = own_out == -1 ? -1 : own_description(err_fd, O_WRONLY, err);
	const int all[] = { own_in, own_out, own_err };
	int fds[ARRAY_SIZE(all)], flags = 0, r;
	size_t n = 0;

	if (own_err == -1)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] < 0)
			continue;
		flags |= 1 << i;
		fds[n++] = all[i];
	}
	if (patience == MONITOR_PATIENT)
		flags |= MONITOR_ATTACH_PATIENT;
	if (ask(socket, MONITOR_ATTACH, flags, fds, n, err) < 0)
		return -1;
	r = hear(socket, ANSWER_S * 1000, ret_console, err);
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, NULL, "the container's monitor doesn't answer");
	return r < 0 ? err_in(err, "attach:") : 0;
}
