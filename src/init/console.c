/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal. /dev/pts/ptmx belongs to the image until it is proved to be the devpts of the
 * container; the other end comes from the fd of the first (TIOCGPTPEER), never from a name.
 */
#include "init.h"

/* The multiplexer, opened. Nothing is opened for use before it is known what it is: a FIFO would
 * hang, a tty might. */
static long open_ptmx(void)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	long dir = target_open("/dev/pts", O_PATH | O_DIRECTORY, 1), fd, r;
	struct statfs fs;
	struct statx st;

	if (dir < 0)
		return dir;
	r = SYS2(fstatfs, dir, &fs);
	if (r == 0 && fs.f_type != DEVPTS_SUPER_MAGIC)
		r = fail(__NR_fstatfs, ENODEV);
	for (int use = 0; use < 2 && r >= 0; use++) {
		if (use)
			how.flags = O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
		fd = SYS4(openat2, dir, "ptmx", &how, sizeof(how));
		r = fd < 0 ? fd : stat_fd((int)fd, &st);
		if (r == 0 && !is_node(&st, S_IFCHR, 5, 2))
			r = fail(__NR_openat2, ENODEV);
		if (fd >= 0 && (r < 0 || !use))
			close_fd((int)fd);
		else if (r == 0)
			r = fd;
	}
	close_fd((int)dir);
	if (r == -ENODEV)
		say("/dev/pts/ptmx isn't the multiplexer of a devpts");
	return r;
}

static long set_up(int peer, const struct wire_step *s)
{
	struct winsize size = { .ws_row = (unsigned short)s->a, .ws_col = (unsigned short)s->b };
	struct termios t;
	long r = SYS3(ioctl, peer, TCGETS, &t);

	/* Engines read the bytes as they were written. */
	t.c_oflag &= ~(tcflag_t)ONLCR;
	if (r == 0)
		r = SYS3(ioctl, peer, TCSETS, &t);
	if (r == 0 && s->a && s->b)
		r = SYS3(ioctl, peer, TIOCSWINSZ, &size);
	if (r == 0 && s->flags & STEP_OWN)
		r = SYS3(fchown, peer, s->c >> 32, -1);
	return r;
}

static long bind_console(int peer)
{
	static const char path[] = "/dev/console";
	int made;
	long mnt = SYS3(open_tree, peer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH),
	     at, r;

	if (mnt < 0)
		return mnt;
	at = r = target_make(path, MAKE_FILE, 0600, 1, &made);
	if (r >= 0)
		r = mount_attach((int)mnt, (int)at, path, 1);
	close_fd((int)at);
	close_fd((int)mnt);
	return r;
}

static long take_terminal(int peer)
{
	long r = 0;

	for (int fd = 0; fd < 3 && r >= 0; fd++)
		r = SYS3(dup3, peer, fd, 0);
	return r < 0 ? r : SYS3(ioctl, 0, TIOCSCTTY, 0);
}

static long send_master(int master)
{
	struct wire_msg m = { .kind = WIRE_CONSOLE };
	uint32_t n = 0;
	long r = SYS3(ioctl, master, TIOCGPTN, &n);

	if (r < 0)
		return r;
	text_number(
		text_put(m.text, m.text + sizeof(m.text), "/dev/pts/"), m.text + sizeof(m.text), n);
	return talk_send(G.report_fd, &m, master);
}

long console_open(const struct wire_step *s)
{
	long master = open_ptmx(), peer = -1, r;
	int unlock = 0;

	if (master < 0)
		return master;
	r = SYS3(ioctl, master, TIOCSPTLCK, &unlock);
	if (r == 0)
		r = peer = SYS3(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r >= 0)
		r = set_up((int)peer, s);
	if (r == 0 && s->flags & STEP_BIND)
		r = bind_console((int)peer);
	if (r == 0)
		r = send_master((int)master);
	if (r == 0)
		r = take_terminal((int)peer);
	close_fd((int)peer);
	close_fd((int)master);
	return r;
}
