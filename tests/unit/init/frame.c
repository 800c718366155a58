/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "init/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAULT_ROOM 1024

/* ---- building ---- */

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(p != MAP_FAILED);
	return p;
}

struct frame *frame_new(void)
{
	struct frame *f = shared(sizeof(*f));

	f->head.magic = WIRE_MAGIC;
	f->head.ctl_fd = CTL_FD;
	f->head.trace_fd = f->head.hook_fd = -1;
	f->used = 1;
	f->ctl = -1;
	f->fault = shared(FAULT_ROOM);
	return f;
}

uint32_t frame_blob(struct frame *f, const void *p, size_t n)
{
	cr_assert(f->used + n <= sizeof(f->pool));
	memcpy(f->pool + f->used, p, n);
	f->used += n;
	return (uint32_t)(f->used - n);
}

uint32_t frame_text(struct frame *f, const char *s)
{
	return s && *s ? frame_blob(f, s, strlen(s) + 1) : 0;
}

uint32_t frame_list(struct frame *f, const char *const *list, size_t n)
{
	uint32_t at = (uint32_t)f->used;

	for (size_t i = 0; i < n; i++)
		frame_blob(f, list[i], strlen(list[i]) + 1);
	return at;
}

struct wire_step *frame_step(
	struct frame *f, enum wire_op op, const char *s1, const char *s2, const char *s3)
{
	struct wire_step *s = &f->step[f->n++];

	cr_assert(f->n <= COUNT(f->step));
	*s = (struct wire_step){ .op = (uint16_t)op, .fd = -1 };
	s->s1 = frame_text(f, s1);
	s->s2 = frame_text(f, s2);
	s->s3 = frame_text(f, s3);
	return s;
}

void frame_exec(struct frame *f, const char *const *argv, size_t n)
{
	struct wire_step *s = frame_step(f, OP_FIND_EXEC, argv[0], NULL, NULL);

	s->a = 1;
	f->head.argv = frame_list(f, argv, n);
	f->head.argc = (uint32_t)n;
	frame_step(f, OP_EXEC, NULL, NULL, NULL);
}

void *frame_pack(struct frame *f, size_t *ret_n)
{
	struct wire_plan *p;
	size_t steps = f->n * sizeof(f->step[0]), n = sizeof(*p) + steps + f->used;

	p = calloc(1, n + 1);
	cr_assert(p);
	*p = f->head;
	p->n_steps = (uint32_t)f->n;
	p->strings = (uint32_t)(sizeof(*p) + steps);
	p->size = (uint32_t)n;
	memcpy(p->step, f->step, steps);
	memcpy((char *)p + p->strings, f->pool, f->used);
	*ret_n = n;
	return p;
}

/* ---- running ---- */

void frame_fault(const char *file, int line, const char *what, const char *fmt, ...)
{
	/* The child's first fault, told in memory that the parent sees: fds may be gone. */
	extern char *frame_fault_text;
	int err = errno, n = snprintf(frame_fault_text, FAULT_ROOM, "%s:%d: %s (%s) ", file, line,
				 what, strerror(err));
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && n < FAULT_ROOM)
		vsnprintf(frame_fault_text + n, FAULT_ROOM - (size_t)n, fmt, ap);
	va_end(ap);
	_exit(99);
}

char *frame_fault_text;

static void exec_image(void *plan, size_t n)
{
	char fd_text[12], at_text[24];
	int fd = (int)syscall(SYS_memfd_create, "init", 0u);

	CHECK(fd >= 0);
	CHECK(write(fd, init_image, init_image_size) == (ssize_t)init_image_size);
	CHECK(write(fd, plan, n) == (ssize_t)n);
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(at_text, sizeof(at_text), "%zu", init_image_size);
	syscall(SYS_execveat, fd, "", (char *[]){ (char[]){ "init" }, fd_text, at_text, NULL },
		(char *[]){ NULL }, AT_EMPTY_PATH);
	CHECK(!"execveat");
}

static void __attribute__((noreturn)) run_child(struct frame *f, int ctl)
{
	size_t n;
	void *plan;
	int status;

	frame_fault_text = f->fault;
	CHECK(dup2(ctl, CTL_FD) == CTL_FD);
	close(ctl);
	close(f->ctl);
	if (f->ns & CLONE_NEWNS)
		CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	if (f->setup)
		f->setup(f);
	plan = frame_pack(f, &n);
	if (f->image)
		exec_image(plan, n);
	status = init_run(plan, n);
	if (status == 0 && f->check)
		f->check(f);
	_exit(status);
}

void frame_start(struct frame *f)
{
	int ctl[2];
	pid_t pid;

	cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) == 0);
	f->ctl = ctl[0];
	/* *f is shared memory: the child must not write its own 0 there. */
	pid = (pid_t)syscall(SYS_clone, f->ns | SIGCHLD, 0, 0, 0, 0);
	cr_assert(pid >= 0, "clone: %s", strerror(errno));
	if (pid == 0)
		run_child(f, ctl[1]);
	f->pid = pid;
	close(ctl[1]);
}

bool frame_hear(struct frame *f, struct wire_msg *m, int *fd)
{
	struct iovec iov = { m, sizeof(*m) };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} c;
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	struct cmsghdr *got;
	ssize_t n;
	int none;

	fd = fd ? fd : &none;
	*fd = -1;
	n = recvmsg(f->ctl, &h, MSG_CMSG_CLOEXEC);
	got = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
	if (got && got->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(got), sizeof(*fd));
	if (fd == &none && none >= 0)
		close(none);
	if (n == sizeof(*m) && m->kind == WIRE_ERROR)
		f->last = *m;
	return n == sizeof(*m);
}

void frame_go(struct frame *f)
{
	struct wire_msg m = { .kind = WIRE_GO };

	cr_assert(send(f->ctl, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m));
}

void frame_finish(struct frame *f)
{
	struct wire_msg m;

	while (frame_hear(f, &m, NULL))
		if (m.kind == WIRE_READY || m.kind == WIRE_SYNC)
			frame_go(f);
	close(f->ctl);
	cr_assert(waitpid(f->pid, &f->status, 0) == f->pid);
}

void frame_pass(struct frame *f)
{
	frame_start(f);
	frame_finish(f);
	cr_assert(f->last.kind == 0, "step %u: %s (%s), call %u", f->last.step,
		strerror(f->last.err), f->last.text, f->last.call);
	cr_assert(!*f->fault, "%s", f->fault);
	cr_assert(f->status == 0, "status %#x", (unsigned)f->status);
}

void frame_fail(struct frame *f, unsigned step, int err)
{
	frame_start(f);
	frame_finish(f);
	cr_assert(!*f->fault, "%s", f->fault);
	cr_assert(f->last.kind == WIRE_ERROR, "no error came, status %#x", (unsigned)f->status);
	cr_assert(f->last.step == step && f->last.err == err, "step %u: %s (%s), call %u",
		f->last.step, strerror(f->last.err), f->last.text, f->last.call);
	cr_assert(f->status != 0);
}

/* ---- in the child ---- */

void setup_tmpfs(struct frame *f)
{
	int fd;

	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	fd = open("/mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, ROOT_FD) == ROOT_FD);
	close(fd);
}

void setup_detached(struct frame *f)
{
	int fd;

	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/mnt", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, ROOT_FD) == ROOT_FD);
	close(fd);
}

void frame_root_in_place(struct frame *f)
{
	struct wire_step *s = frame_step(f, OP_ROOT, NULL, NULL, NULL);

	s->fd = ROOT_FD;
	s->flags = STEP_IN_PLACE;
}

void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0, "%s", path);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

char *get_file(const char *path)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

bool has_mount(const char *at, const char *type)
{
	char *line = get_file("/proc/self/mountinfo"), want[256];

	snprintf(want, sizeof(want), " %s ", at);
	for (line = strtok(line, "\n"); line; line = strtok(NULL, "\n")) {
		const char *where = strstr(line, want), *dash = strstr(line, " - ");

		if (where && dash && where < dash &&
			(!type || !strncmp(dash + 3, type, strlen(type))))
			return true;
	}
	return false;
}
