/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, and what else an image may have put in its place. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct frame *container(void (*setup)(struct frame *), void (*check)(struct frame *))
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup;
	f->check = check;
	frame_root_in_place(f);
	return f;
}

static void add_devpts(struct frame *f)
{
	struct wire_step *s = frame_step(f, OP_FSMOUNT, "devpts", NULL, "/dev/pts");

	s->flags = STEP_MAKE_DIR;
	s->s2 = LIST(f, "newinstance", "", "ptmxmode", "0666", "mode", "0620");
	s->a = 3;
}

static struct wire_step *add_console(struct frame *f)
{
	struct wire_step *s;

	frame_step(f, OP_SETSID, NULL, NULL, NULL);
	s = frame_step(f, OP_CONSOLE, NULL, NULL, NULL);
	s->a = 33;
	s->b = 77;
	s->c = 1000ULL << 32;
	s->flags = STEP_BIND | STEP_OWN;
	return s;
}

static void check_terminal(struct frame *f)
{
	struct termios t;
	struct winsize w;
	struct stat st, console;
	int tty;

	for (int fd = 0; fd < 3; fd++)
		CHECK(isatty(fd) && tcgetattr(fd, &t) == 0 && !(t.c_oflag & ONLCR));
	CHECK(ioctl(0, TIOCGWINSZ, &w) == 0 && w.ws_row == 33 && w.ws_col == 77);
	CHECK(fstat(0, &st) == 0 && st.st_uid == 1000);
	CHECK(stat("/mnt/dev/console", &console) == 0 && console.st_rdev == st.st_rdev &&
		console.st_dev == st.st_dev && console.st_ino == st.st_ino);
	tty = open("/dev/tty", O_RDWR);
	CHECK(tty >= 0 && ioctl(tty, TIOCGSID, &tty) == 0 && tty == getpid());
	CHECK(write(1, "hello\n", 6) == 6);
}

Test(console, is_made_sent_and_becomes_the_controlling_terminal, .timeout = 20)
{
	struct frame *f = container(setup_tmpfs, check_terminal);
	struct wire_msg m;
	char text[32] = "";
	int master;

	add_devpts(f);
	add_console(f);
	frame_start(f);
	cr_assert(frame_hear(f, &m, &master));
	cr_assert(m.kind == WIRE_CONSOLE && master >= 0, "step %u: %s (%s)", m.step,
		strerror(m.err), m.text);
	cr_assert_str_eq(m.text, "/dev/pts/0");
	frame_finish(f);
	cr_assert(!*f->fault && f->last.kind == 0 && f->status == 0, "%s %#x", f->fault,
		(unsigned)f->status);
	cr_assert(read(master, text, sizeof(text)) == 6 && !strcmp(text, "hello\n"), "%s", text);
	close(master);
}

static void refuse(void (*setup)(struct frame *), unsigned step, int err)
{
	struct frame *f = container(setup, NULL);

	if (step == 3)
		add_devpts(f);
	add_console(f);
	frame_fail(f, step, err);
}

static void setup_fifo(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0 && mkdir("/mnt/dev/pts", 0755) == 0);
	CHECK(mkfifo("/mnt/dev/pts/ptmx", 0666) == 0);
}

Test(console, refuses_a_fifo_instead_of_hanging, .timeout = 20)
{
	refuse(setup_fifo, 2, ENODEV);
}

static void setup_false_node(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0 && mkdir("/mnt/dev/pts", 0755) == 0);
	CHECK(mknod("/mnt/dev/pts/ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0);
}

Test(console, refuses_a_multiplexer_outside_of_a_devpts, .timeout = 20)
{
	refuse(setup_false_node, 2, ENODEV);
}

static void setup_linked(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0 && mkdir("/mnt/other", 0755) == 0);
	CHECK(mount("devpts", "/mnt/other", "devpts", 0, "newinstance,ptmxmode=0666") == 0);
	CHECK(symlink("/other", "/mnt/dev/pts") == 0);
}

Test(console, refuses_a_devpts_behind_a_link, .timeout = 20)
{
	refuse(setup_linked, 2, ELOOP);
}

static void setup_covered(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0 && mkdir("/mnt/dev/pts", 0755) == 0);
	CHECK(mount("devpts", "/mnt/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666") == 0);
	CHECK(mount("/dev/null", "/mnt/dev/pts/ptmx", NULL, MS_BIND, NULL) == 0);
}

Test(console, refuses_a_multiplexer_that_is_covered, .timeout = 20)
{
	refuse(setup_covered, 2, EXDEV);
}

static void setup_console_link(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0 && mkdir("/mnt/etc", 0755) == 0);
	put_file("/mnt/etc/shadow", "");
	CHECK(symlink("/etc/shadow", "/mnt/dev/console") == 0);
}

Test(console, is_not_bound_behind_a_link, .timeout = 20)
{
	refuse(setup_console_link, 3, ELOOP);
}

/* ---- standard fds ---- */

static void setup_null(struct frame *f)
{
	int fd;

	setup_tmpfs(f);
	CHECK(mkdir("/mnt/dev", 0755) == 0);
	CHECK(mknod("/mnt/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	put_file("/mnt/log", "");
	fd = open("/dev/null", O_RDWR);
	CHECK(fd >= 0 && dup2(fd, 0) == 0 && dup2(fd, 2) == 2);
	fd = open("/mnt/log", O_WRONLY);
	CHECK(fd >= 0 && dup2(fd, 1) == 1);
}

static void check_stdio(struct frame *f)
{
	struct stat own, st;

	CHECK(stat("/mnt/dev/null", &own) == 0 && own.st_uid == 0, "never given away");
	CHECK(fstat(0, &st) == 0 && st.st_dev == own.st_dev && st.st_ino == own.st_ino);
	CHECK(fstat(2, &st) == 0 && st.st_dev == own.st_dev && st.st_ino == own.st_ino);
	CHECK(fstat(1, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 1000 && st.st_gid == 0);
}

Test(stdio, has_the_containers_null_and_belongs_to_its_user)
{
	struct frame *f = container(setup_null, check_stdio);
	struct wire_step *s = frame_step(f, OP_STDIO, NULL, NULL, NULL);

	s->flags = STEP_OWN;
	s->a = 1000;
	frame_pass(f);
}

static void setup_false_null(struct frame *f)
{
	setup_null(f);
	CHECK(unlink("/mnt/dev/null") == 0 && mkfifo("/mnt/dev/null", 0666) == 0);
}

static void check_kept(struct frame *f)
{
	struct stat st;

	CHECK(fstat(0, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

Test(stdio, keeps_what_it_has_where_the_image_has_no_null, .timeout = 20)
{
	struct frame *f = container(setup_false_null, check_kept);

	frame_step(f, OP_STDIO, NULL, NULL, NULL);
	frame_pass(f);
}
