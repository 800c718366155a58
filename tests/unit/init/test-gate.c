/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness and the start gate, with the real program. */
#include "frame.h"

#include "init/image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_NS \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

static struct sockaddr_un gate_at = { .sun_family = AF_UNIX };
static int gate = -1;

static void gate_open(void)
{
	char dir[] = "/tmp/init-gate-XXXXXX";

	cr_assert(mkdtemp(dir));
	snprintf(gate_at.sun_path, sizeof(gate_at.sun_path), "%s/start", dir);
	gate = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert(bind(gate, (struct sockaddr *)&gate_at, sizeof(gate_at)) == 0 &&
		  listen(gate, 8) == 0);
}

static void gate_remove(void)
{
	unlink(gate_at.sun_path);
	*strrchr(gate_at.sun_path, '/') = 0;
	rmdir(gate_at.sun_path);
}

/* Our own end of the listener is closed: only init keeps it. */
static int gate_connect(void)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (connect(s, (struct sockaddr *)&gate_at, sizeof(gate_at)) == 0)
		return s;
	close(s);
	return -1;
}

static void gate_start(int s)
{
	struct wire_msg m = { .kind = WIRE_START };

	cr_assert(send(s, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m));
}

/* init itself serves as the program: without arguments it ends with status 2. */
static void setup(struct frame *f)
{
	int fd;

	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	fd = open("/mnt/program", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	CHECK(write(fd, init_image, init_image_size) == (ssize_t)init_image_size);
	close(fd);
	put_file("/mnt/data", "not a program");
	CHECK(chmod("/mnt/data", 0755) == 0);
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/mnt", 1 | O_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, ROOT_FD) == ROOT_FD);
	CHECK(dup2(gate, FD_A) == FD_A);
}

static struct frame *container(const char *program)
{
	struct frame *f = frame_new();
	struct wire_step *s;

	gate_open();
	f->ns = ALL_NS;
	f->setup = setup;
	f->image = true;
	s = frame_step(f, OP_PROPAGATE, NULL, NULL, NULL);
	s->a = MS_SLAVE;
	s->flags = STEP_RECURSIVE;
	frame_step(f, OP_ROOT, NULL, NULL, NULL)->fd = ROOT_FD;
	frame_step(f, OP_PIVOT, NULL, NULL, NULL);
	frame_step(f, OP_READY, NULL, NULL, NULL);
	frame_step(f, OP_GATE, NULL, NULL, NULL)->fd = FD_A;
	EXEC(f, program, "one", "two", "three");
	return f;
}

static void until_created(struct frame *f)
{
	struct wire_msg m;

	frame_start(f);
	close(gate);
	cr_assert(frame_hear(f, &m, NULL));
	cr_assert(m.kind == WIRE_READY, "step %u: %s (%s) call %u", m.step, strerror(m.err), m.text,
		m.call);
	frame_go(f);
}

static int ended(struct frame *f)
{
	gate_remove();
	cr_assert(waitpid(f->pid, &f->status, 0) == f->pid);
	return f->status;
}

static ssize_t answer(int s, struct wire_msg *m)
{
	return recv(s, m, sizeof(*m), 0);
}

Test(gate, runs_the_program_when_told_and_answers_with_the_end_of_the_connection, .timeout = 30)
{
	struct frame *f = container("/program");
	struct wire_msg m;
	int s;

	until_created(f);
	s = gate_connect();
	cr_assert(s >= 0);
	gate_start(s);
	cr_assert(answer(s, &m) == 0);
	cr_assert(WEXITSTATUS(ended(f)) == 2, "%#x", (unsigned)f->status);
}

Test(gate, answers_the_errno_of_an_execve_that_fails, .timeout = 30)
{
	struct frame *f = container("/data");
	struct wire_msg m;
	int s;

	until_created(f);
	s = gate_connect();
	gate_start(s);
	cr_assert(answer(s, &m) == sizeof(m));
	cr_assert(m.kind == WIRE_ERROR && m.err == ENOEXEC && m.call == SYS_execve, "%s",
		strerror(m.err));
	cr_assert(!strcmp(m.text, "/data"), "%s", m.text);
	cr_assert(WEXITSTATUS(ended(f)) == 1);
}

Test(gate, forgets_connections_that_say_nothing_or_nonsense, .timeout = 30)
{
	struct frame *f = container("/program");
	struct wire_msg m = { .kind = WIRE_GO };
	int s;

	until_created(f);
	s = gate_connect();
	cr_assert(s >= 0);
	close(s);
	s = gate_connect();
	cr_assert(send(s, "x", 1, MSG_NOSIGNAL) == 1);
	cr_assert(answer(s, &m) == 0, "is closed on us");
	close(s);
	s = gate_connect();
	m = (struct wire_msg){ .kind = WIRE_GO };
	cr_assert(send(s, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m));
	cr_assert(answer(s, &m) == 0, "is closed on us");
	close(s);
	cr_assert(waitpid(f->pid, NULL, WNOHANG) == 0, "and it still waits");
	s = gate_connect();
	gate_start(s);
	cr_assert(answer(s, &m) == 0);
	cr_assert(WEXITSTATUS(ended(f)) == 2);
}

Test(gate, lets_one_starter_through_and_answers_the_others_at_once, .timeout = 30)
{
	struct frame *f = container("/program");
	struct wire_msg m;
	int first, second;

	until_created(f);
	first = gate_connect();
	second = gate_connect();
	cr_assert(first >= 0 && second >= 0);
	gate_start(second);
	gate_start(first);
	cr_assert(answer(first, &m) == 0);
	cr_assert(answer(second, &m) <= 0);
	cr_assert(WEXITSTATUS(f->status = 0) == 0 && waitpid(f->pid, &f->status, 0) == f->pid);
	cr_assert(gate_connect() == -1 && errno == ECONNREFUSED);
	gate_remove();
}

Test(gate, refuses_at_once_when_init_is_dead, .timeout = 30)
{
	struct frame *f = container("/program");

	until_created(f);
	kill(f->pid, SIGKILL);
	cr_assert(waitpid(f->pid, &f->status, 0) == f->pid);
	cr_assert(gate_connect() == -1 && errno == ECONNREFUSED);
	gate_remove();
}

static int status_line(pid_t pid, const char *file, const char *key)
{
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	at = strstr(get_file(path), key);
	return at ? atoi(at + strlen(key)) : -1;
}

static unsigned open_fds(pid_t pid, unsigned max)
{
	char path[64];
	unsigned n = 0;

	for (unsigned fd = 0; fd < max; fd++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, fd);
		n += lstat(path, &st) == 0;
	}
	return n;
}

/* Until it sleeps in accept: the message of READY is answered before the gate is reached. */
static void until_waiting(pid_t pid)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	for (int i = 0; i < 5000; i++) {
		text = get_file(path);
		if (atoi(text) == SYS_accept4)
			return;
		usleep(1000);
	}
	cr_assert_fail("it never came to the gate: %s", text);
}

Test(gate, is_waited_at_with_little_memory_and_nothing_open, .timeout = 30)
{
	struct frame *f = container("/program");
	int rss;

	/* as much to do before as a real container has */
	until_created(f);
	until_waiting(f->pid);
	rss = status_line(f->pid, "smaps_rollup", "Rss:");
	cr_log_info("init waits with %d KiB resident", rss);
	cr_assert(rss > 0 && rss < 64, "%d KiB", rss);
	cr_assert(open_fds(f->pid, 512) == 4, "0-2 and the listener");
	kill(f->pid, SIGKILL);
	ended(f);
}

Test(gate, is_waited_at_after_the_parent_has_gone, .timeout = 30)
{
	struct frame *f = container("/program");
	struct wire_msg m;
	int s;

	until_created(f);
	close(f->ctl);
	until_waiting(f->pid);
	s = gate_connect();
	gate_start(s);
	cr_assert(answer(s, &m) == 0);
	cr_assert(WEXITSTATUS(ended(f)) == 2);
}

/* ---- before that ---- */

static void parent_dies(bool before_ready)
{
	struct frame *f = container("/program");
	struct wire_msg m;

	frame_start(f);
	close(gate);
	if (!before_ready)
		cr_assert(frame_hear(f, &m, NULL) && m.kind == WIRE_READY);
	close(f->ctl);
	cr_assert(waitpid(f->pid, &f->status, 0) == f->pid);
	cr_assert(f->status != 0, "%#x", (unsigned)f->status);
	cr_assert(gate_connect() == -1);
	gate_remove();
}

Test(ready, is_never_reached_when_nobody_listens, .timeout = 30)
{
	parent_dies(true);
}

Test(ready, without_an_answer_is_the_end, .timeout = 30)
{
	parent_dies(false);
}

Test(ready, does_not_outlive_a_parent_that_is_killed_before_go, .timeout = 30)
{
	struct frame *f = frame_new();
	struct wire_msg m;
	int pipe_fd[2];
	pid_t middle;
	char c;

	/* A parent that is killed while init waits for GO takes init along. */
	cr_assert(pipe(pipe_fd) == 0);
	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL);
	EXEC(f, "/bin/sh", "-c", "sleep 600");
	middle = fork();
	if (middle == 0) {
		int keep;

		frame_start(f);
		keep = dup(f->ctl);
		(void)keep;
		frame_hear(f, &m, NULL);
		close(pipe_fd[0]);
		dprintf(pipe_fd[1], "%d\n", (int)f->pid);
		pause();
		_exit(0);
	}
	close(pipe_fd[1]);
	cr_assert(read(pipe_fd[0], &c, 1) == 1);
	kill(middle, SIGKILL);
	cr_assert(waitpid(middle, NULL, 0) == middle);
	/* init holds the write end as well: its end is the end of the pipe */
	while (read(pipe_fd[0], &c, 1) > 0)
		;
	close(pipe_fd[0]);
}

Test(sync, sends_the_directory_along, .timeout = 30)
{
	struct frame *f = frame_new();
	struct wire_msg m;
	struct stat st, want;
	struct wire_step *s;
	int fd;

	f->ns = CLONE_NEWNS;
	s = frame_step(f, OP_SYNC, "/usr/bin", NULL, NULL);
	s->flags = STEP_SEND_TARGET;
	frame_step(f, OP_GO, NULL, NULL, NULL);
	frame_start(f);
	cr_assert(frame_hear(f, &m, &fd) && m.kind == WIRE_SYNC && fd >= 0);
	cr_assert(fstat(fd, &st) == 0 && stat("/usr/bin", &want) == 0 && st.st_ino == want.st_ino);
	close(fd);
	frame_go(f);
	frame_go(f);
	frame_finish(f);
	cr_assert(f->status == 0);
}

Test(go, must_be_what_is_said, .timeout = 30)
{
	struct frame *f = frame_new();
	struct wire_msg m = { .kind = WIRE_START };

	frame_step(f, OP_GO, NULL, NULL, NULL);
	frame_start(f);
	cr_assert(send(f->ctl, &m, sizeof(m), 0) == sizeof(m));
	frame_finish(f);
	cr_assert(f->last.err == EPROTO && f->status != 0);
}

/* The hook's output goes to the fd that came with START. */
Test(gate, takes_the_starters_fd_for_hooks, .timeout = 30)
{
	struct frame *f = frame_new();
	struct wire_msg m = { .kind = WIRE_START };
	struct iovec iov = { &m, sizeof(m) };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} c = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS } };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	struct wire_step *s;
	char text[16] = "";
	int out[2], conn;

	gate_open();
	f->ns = CLONE_NEWNS | CLONE_NEWPID;
	f->setup = setup;
	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL);
	frame_step(f, OP_GATE, NULL, NULL, NULL)->fd = FD_A;
	s = frame_step(f, OP_HOOK, "/bin/sh", NULL, NULL);
	s->s2 = LIST(f, "hook", "-c", "cat; exit 3");
	s->a = 3;
	f->head.state_head = frame_text(f, "pid ");
	EXEC(f, "/bin/true");
	until_created(f);
	cr_assert(pipe(out) == 0);
	memcpy(CMSG_DATA(&c.h), &out[1], sizeof(int));
	conn = gate_connect();
	cr_assert(sendmsg(conn, &h, MSG_NOSIGNAL) == sizeof(m));
	close(out[1]);
	cr_assert(answer(conn, &m) == sizeof(m) && m.kind == WIRE_ERROR && m.err == ECANCELED);
	cr_assert(WEXITSTATUS((int)m.value) == 3);
	cr_assert(read(out[0], text, sizeof(text)) == 5 && !strcmp(text, "pid 1"), "%s", text);
	ended(f);
}
