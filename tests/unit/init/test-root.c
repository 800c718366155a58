/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of a container, in small: root, mounts, pivot, gate, program. */
#include "frame.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ALL_NS \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

static void add_root(struct frame *f)
{
	struct wire_step *s = frame_step(f, OP_PROPAGATE, NULL, NULL, NULL);

	s->a = MS_SLAVE;
	s->flags = STEP_RECURSIVE;
	s = frame_step(f, OP_ROOT, NULL, NULL, NULL);
	s->fd = ROOT_FD;
}

static void add_mount(struct frame *f, const char *type, const char *at)
{
	struct wire_step *s = frame_step(f, OP_FSMOUNT, type, NULL, at);

	s->flags = STEP_MAKE_DIR;
	s->s2 = LIST(f, "source", type);
	s->a = 1;
}

static void check_pivoted(struct frame *f)
{
	char *info, name[65] = "";
	unsigned lines = 0;

	CHECK(has_mount("/proc", "proc"));
	CHECK(has_mount("/", "tmpfs"));
	CHECK(has_mount("/dev", "tmpfs"));
	for (info = get_file("/proc/self/mountinfo"); *info; info++)
		lines += *info == '\n';
	CHECK(lines == 3, "%u mounts: %s", lines, get_file("/proc/self/mountinfo"));
	CHECK(access("/mnt", F_OK) < 0);
	CHECK(gethostname(name, sizeof(name)) == 0 && !strcmp(name, "web1"), "%s", name);
}

Test(root, pivots_and_leaves_nothing_of_the_host_behind)
{
	struct frame *f = frame_new();
	struct wire_step *s;

	f->ns = ALL_NS;
	f->setup = setup_detached;
	f->check = check_pivoted;
	add_root(f);
	add_mount(f, "proc", "/proc");
	add_mount(f, "tmpfs", "/dev");
	s = frame_step(f, OP_MKNOD, "/dev", "null", NULL);
	s->a = S_IFCHR | 0666;
	s->b = makedev(1, 3);
	frame_step(f, OP_PIVOT, NULL, NULL, NULL);
	s = frame_step(f, OP_HOSTNAME, "web1", NULL, NULL);
	s->a = 4;
	frame_pass(f);
}
