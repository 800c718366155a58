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
