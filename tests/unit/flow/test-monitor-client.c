/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to a monitor that isn't there, lies, or dies; and beginning one that never comes to be.
 */
#include "base/path.h"
#include "flow/monitor.h"
#include "monitor/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-monitor-XXXXXX";
static int dir_fd, ours, theirs;
static struct err err;

static void setup(void)
{
	int pair[2];

	cr_assert(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ours = pair[0];
	theirs = pair[1];
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(ours);
	fd_close(theirs);
	fd_close(dir_fd);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

TestSuite(monitor_client, .init = setup, .fini = teardown, .timeout = 30);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static void failed(int r, enum err_code code, const char *why)
{
	cr_expect_eq(r, -1);
	cr_expect_eq(err.code, code, "%s", said());
	cr_expect(strstr(said(), why), "%s", said());
	err = (struct err)ERR_INIT;
}

/* What the monitor will have said by the time it is heard. */
static void says(uint32_t kind, int32_t value)
{
	const struct monitor_msg m = { kind, value };

	cr_assert_eq(send(theirs, &m, sizeof(m), 0), (ssize_t)sizeof(m));
}

static struct monitor_msg asked(void)
{
	struct monitor_msg m = { 0 };

	cr_assert_eq(recv(theirs, &m, sizeof(m), MSG_DONTWAIT), (ssize_t)sizeof(m));
	return m;
}

/* ---- the conversation ---- */

Test(monitor_client, waiting_ends_when_the_monitor_is_done)
{
	says(MONITOR_DONE, 0);
	cr_expect_eq(monitor_wait(ours, -1, &err), 1, "%s", said());
	cr_expect_eq(asked().kind, MONITOR_WAIT);
}

Test(monitor_client, waiting_ends_when_the_time_is_over)
{
	cr_expect_eq(monitor_wait(ours, 1, &err), 0, "%s", said());
}

Test(monitor_client, a_monitor_that_hangs_up_has_ended)
{
	struct monitor_msg m;

	shutdown(theirs, SHUT_WR);
	failed(monitor_wait(ours, -1, &err), ERR_STATE, "has ended");
	/* Closed with what was asked unread: a reset, or a broken pipe. */
	while (recv(theirs, &m, sizeof(m), MSG_DONTWAIT) > 0)
		;
	theirs = fd_close(theirs);
	signal(SIGPIPE, SIG_IGN);
	failed(monitor_wait(ours, -1, &err), ERR_STATE, "has ended");
	failed(monitor_reopen_log(ours, &err), ERR_STATE, "has ended");
}

Test(monitor_client, what_the_monitor_could_not_do_keeps_its_errno)
{
	says(MONITOR_FAILED, ENOSPC);
	failed(monitor_reopen_log(ours, &err), ERR_EXHAUSTED, "reopen the log");
	cr_expect_eq(asked().kind, MONITOR_REOPEN);
	says(MONITOR_FAILED, EIO);
	failed(monitor_close_stdin(ours, &err), ERR_SYSTEM, "close standard input");
	cr_expect_eq(asked().kind, MONITOR_CLOSE_STDIN);
}

Test(monitor_client, an_unknown_answer_is_an_error)
{
	says(99, 0);
	failed(monitor_wait(ours, -1, &err), ERR_INTERNAL, "something unknown");
	cr_assert_eq(send(theirs, "x", 1, 0), 1);
	failed(monitor_wait(ours, -1, &err), ERR_INTERNAL, "something unknown");
}

Test(monitor_client, a_file_that_comes_with_a_failure_is_closed)
{
	const struct monitor_msg m = { MONITOR_FAILED, EIO };
	const int next = dup(ours);

	close(next);
	cr_assert_eq(fd_send(theirs, &m, sizeof(m), &dir_fd, 1), 0);
	failed(monitor_close_stdin(ours, &err), ERR_SYSTEM, "close standard input");
	cr_expect_eq(fcntl(next, F_GETFD), -1, "a file of the monitor's is left open");
}

Test(monitor_client, without_a_socket_no_monitor_runs)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	failed(monitor_connect(dir_fd, &err), ERR_STATE, "doesn't run");
	/* One that is bound but nobody's, as a monitor that was killed leaves it. */
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/" MONITOR_SOCKET, dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	failed(monitor_connect(dir_fd, &err), ERR_STATE, "doesn't run");
	cr_assert_eq(listen(fd, 1), 0);
	_close_ int client = monitor_connect(dir_fd, &err);
	cr_expect_geq(client, 0, "%s", said());
}

/* ---- attaching ---- */

Test(monitor_client, only_streams_that_are_there_are_sent)
{
	int console = 7, end[2];

	cr_assert_eq(mkfifoat(dir_fd, "fifo", 0600), 0);
	end[0] = openat(dir_fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	end[1] = openat(dir_fd, "fifo", O_WRONLY | O_CLOEXEC);
	says(MONITOR_DONE, 0);
	cr_expect_eq(
		monitor_attach(ours, FD_NONE, end[1], FD_NONE, MONITOR_PATIENT, &console, &err), 0,
		"%s", said());
	cr_expect_eq(console, FD_NONE);
	cr_expect_eq(asked().value, MONITOR_ATTACH_OUT | MONITOR_ATTACH_PATIENT);
	cr_expect_eq(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0, "the caller's own was changed");

	close(end[0]);
	says(MONITOR_DONE, 0);
	cr_expect_eq(
		monitor_attach(ours, FD_NONE, end[1], FD_NONE, MONITOR_IMPATIENT, &console, &err),
		0, "%s", said());
	cr_expect_eq(asked().value, 0, "nobody reads that pipe");
	close(end[1]);
}

Test(monitor_client, a_stream_that_is_closed_is_an_error)
{
	const int gone = dup(ours);
	int console;

	close(gone);
	failed(monitor_attach(ours, gone, FD_NONE, FD_NONE, MONITOR_PATIENT, &console, &err),
		ERR_SYSTEM, "standard stream");
	failed(monitor_attach(ours, FD_NONE, FD_NONE, gone, MONITOR_PATIENT, &console, &err),
		ERR_SYSTEM, "standard stream");
}

/* ---- the recorded end ---- */

Test(monitor_client, an_end_is_recorded_or_not_or_broken)
{
	static const char *const bad[] = { "", "[]", "{\"exitCode\":", "{\"exitCode\":\"x\"}" };
	_arena_ struct arena *a = arena_new();
	struct ctr_exit end;

	cr_expect_eq(monitor_exit(dir_fd, a, &end, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_close_ int fd = openat(dir_fd, MONITOR_EXIT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		cr_assert_eq(fd_write_all(fd, bad[i], strlen(bad[i])), 0);
		failed(monitor_exit(dir_fd, a, &end, &err), ERR_INVALID, MONITOR_EXIT);
	}
	cr_assert_eq(unlinkat(dir_fd, MONITOR_EXIT, 0), 0);
	cr_assert_eq(mkdirat(dir_fd, MONITOR_EXIT, 0700), 0);
	cr_expect_eq(monitor_exit(dir_fd, a, &end, &err), -1);
}

/* ---- beginning ---- */

enum { FAILS, DIES, LEAVES };

static int make(void *arg, struct ctr_attach *attach, pid_t *init, int *run_fd, int *cgroup_fd,
	struct err *e)
{
	switch (*(const int *)arg) {
	case DIES: raise(SIGKILL); break;
	case LEAVES: _exit(7);
	}
	return err_set(e, ERR_EXISTS, "/a/place", "it can't be made");
}

static struct monitor_setup begin_setup(void)
{
	return (struct monitor_setup){
		.id = "c", .data_fd = dup(dir_fd), .stream_uid = geteuid(), .stream_gid = getegid()
	};
}

static int begin(int how)
{
	const struct monitor_setup s = begin_setup();
	const int r = monitor_begin(&s, make, &how, &err);

	close(s.data_fd);
	return r;
}

Test(monitor_client, what_made_the_container_fail_is_passed_on)
{
	failed(begin(FAILS), ERR_EXISTS, "/a/place");
}

Test(monitor_client, a_maker_that_dies_is_noticed)
{
	failed(begin(DIES), ERR_SYSTEM, "was killed by signal 9");
	failed(begin(LEAVES), ERR_INTERNAL, "status 7 without a word");
}

Test(monitor_client, a_log_that_can_not_be_opened_is_found_before_the_container)
{
	struct monitor_setup s = begin_setup();
	char file[64], deep[5000];
	int how = FAILS;

	snprintf(file, sizeof(file), "%s/file", dir);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	s.log_dir = dir;
	s.log_path = "file/0.log";
	cr_expect_eq(monitor_begin(&s, make, &how, &err), -1);
	cr_expect(strstr(said(), "log_path"), "%s", said());
	err = (struct err)ERR_INIT;
	memset(deep, 'x', sizeof(deep) - 1);
	deep[sizeof(deep) - 2] = '/';
	deep[sizeof(deep) - 1] = '\0';
	s.log_path = deep;
	failed(monitor_begin(&s, make, &how, &err), ERR_INVALID, "is too long");
	cr_assert_eq(mkfifoat(dir_fd, "fifo", 0600), 0);
	_close_ int reader = openat(dir_fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	s.log_path = "fifo";
	failed(monitor_begin(&s, make, &how, &err), ERR_INVALID, "not a regular file");
	s.log_dir = file;
	cr_expect_eq(monitor_begin(&s, make, &how, &err), -1);
	close(s.data_fd);
}
