/* SPDX-License-Identifier: Apache-2.0 */
/* Names inside a hostile root: they may lead anywhere beneath it, and nowhere else. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The root is /mnt/root in the child's tmpfs; /mnt/host stands for what must not be touched. */
static void setup(struct frame *f)
{
	int fd;

	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	CHECK(mkdir("/mnt/root", 0755) == 0 && mkdir("/mnt/host", 0755) == 0);
	CHECK(mkdir("/mnt/root/etc", 0755) == 0 && mkdir("/mnt/root/dir", 0755) == 0);
	CHECK(symlink("../../../../../../mnt/host", "/mnt/root/up") == 0);
	CHECK(symlink("/mnt/host", "/mnt/root/absolute") == 0);
	CHECK(symlink("/run/there", "/mnt/root/dangling") == 0);
	CHECK(symlink("../../sibling", "/mnt/root/dir/dangling") == 0);
	CHECK(symlink("loop", "/mnt/root/loop") == 0);
	CHECK(symlink("/dir", "/mnt/root/proc") == 0);
	put_file("/mnt/root/file", "x");
	fd = open("/mnt/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, ROOT_FD) == ROOT_FD);
}

static bool empty(const char *dir)
{
	struct stat st;

	/* tmpfs counts links for directories and grows its size for every entry. */
	CHECK(stat(dir, &st) == 0);
	return st.st_size <= 40 && st.st_nlink == 2;
}

static struct frame *root(void (*check)(struct frame *))
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup;
	f->check = check;
	frame_root_in_place(f);
	return f;
}

static struct wire_step *add_dir(struct frame *f, const char *path)
{
	struct wire_step *s = frame_step(f, OP_MKDIR, path, NULL, NULL);

	s->a = 0751;
	return s;
}

static bool is_dir(const char *path, unsigned mode)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == mode;
}

static void check_inside(struct frame *f)
{
	CHECK(empty("/mnt/host"));
	CHECK(is_dir("/mnt/root/mnt/host/a", 0755) && is_dir("/mnt/root/mnt/host/a/b", 0751));
	CHECK(is_dir("/mnt/root/mnt/host/c", 0751));
	CHECK(is_dir("/mnt/root/run/there", 0755) && is_dir("/mnt/root/run/there/d", 0751));
	CHECK(is_dir("/mnt/root/sibling", 0751));
	CHECK(is_dir("/mnt/root/x", 0755) && is_dir("/mnt/root/x/y", 0755) &&
		is_dir("/mnt/root/x/y/z", 0751));
	CHECK(is_dir("/mnt/root/w", 0751));
}

Test(mkdir, stays_inside_whatever_the_links_say)
{
	struct frame *f = root(check_inside);

	add_dir(f, "/up/a/b");
	add_dir(f, "/absolute/c");
	add_dir(f, "/dangling/d");
	add_dir(f, "/dir/dangling");
	add_dir(f, "//x//y/z/");
	add_dir(f, "/../../../../w");
	frame_pass(f);
}

Test(mkdir, gives_up_on_a_loop)
{
	struct frame *f = root(NULL);

	add_dir(f, "/loop/a");
	frame_fail(f, 1, ELOOP);
}

Test(mkdir, refuses_a_file_in_the_way)
{
	struct frame *f = root(NULL);

	add_dir(f, "/file/a");
	frame_fail(f, 1, ENOTDIR);
}

Test(mkdir, refuses_a_file_at_the_end)
{
	struct frame *f = root(NULL);

	add_dir(f, "/file");
	frame_fail(f, 1, ENOTDIR);
}

Test(mkdir, follows_no_link_when_told_so)
{
	struct frame *f = root(NULL);

	add_dir(f, "/up/a")->flags = STEP_NOFOLLOW;
	frame_fail(f, 1, ELOOP);
}

static void check_owner(struct frame *f)
{
	struct stat st;

	CHECK(stat("/mnt/root/home", &st) == 0 && st.st_uid == 0);
	CHECK(stat("/mnt/root/home/me", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1001);
	CHECK(stat("/mnt/root/dir", &st) == 0 && st.st_uid == 0, "what was there keeps its owner");
}

Test(mkdir, gives_what_it_made_to_its_owner)
{
	struct frame *f = root(check_owner);
	struct wire_step *s = add_dir(f, "/home/me");

	s->flags = STEP_OWN;
	s->b = 1000;
	s->c = 1001;
	s = add_dir(f, "/dir");
	s->flags = STEP_OWN;
	s->b = 1000;
	frame_pass(f);
}

/* ---- nodes ---- */

static struct wire_step *add_node(
	struct frame *f, const char *dir, const char *name, unsigned mode, dev_t dev)
{
	struct wire_step *s = frame_step(f, OP_MKNOD, dir, name, NULL);

	s->a = mode;
	s->b = dev;
	return s;
}

static void check_nodes(struct frame *f)
{
	struct stat st;

	CHECK(stat("/mnt/root/dev/null", &st) == 0);
	CHECK(st.st_mode == (S_IFCHR | 0666) && st.st_rdev == makedev(1, 3) && st.st_uid == 5 &&
		st.st_gid == 6);
	CHECK(stat("/mnt/root/dev/big", &st) == 0 && st.st_rdev == makedev(259, 70000));
	CHECK(stat("/mnt/root/dev/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(empty("/mnt/host"));
}

Test(mknod, makes_nodes_and_accepts_its_own_again)
{
	struct frame *f = root(check_nodes);

	for (int i = 0; i < 2; i++) {
		add_node(f, "/dev", "null", S_IFCHR | 0666, makedev(1, 3))->c = 5ULL << 32 | 6;
		add_node(f, "/dev", "big", S_IFBLK | 0600, makedev(259, 70000));
		add_node(f, "/dev", "fifo", S_IFIFO | 0600, 0);
	}
	add_node(f, "/up", "null", S_IFCHR | 0666, makedev(1, 3));
	frame_pass(f);
}

static void node_in_the_way(const char *name, unsigned mode, dev_t dev, int err)
{
	struct frame *f = root(NULL);

	add_node(f, "/dev", "zero", S_IFCHR | 0666, makedev(1, 5));
	add_node(f, "/dev", "pipe", S_IFIFO | 0666, 0);
	frame_step(f, OP_SYMLINK, "/dev", "link", "zero");
	add_node(f, "/dev", name, mode, dev);
	frame_fail(f, 4, err);
}

Test(mknod, refuses_another_device_in_its_place)
{
	node_in_the_way("zero", S_IFCHR | 0666, makedev(1, 3), EEXIST);
}

Test(mknod, refuses_another_type_in_its_place)
{
	node_in_the_way("zero", S_IFBLK | 0666, makedev(1, 5), EEXIST);
}

Test(mknod, refuses_a_fifo_in_its_place)
{
	node_in_the_way("pipe", S_IFCHR | 0666, makedev(1, 3), EEXIST);
}

Test(mknod, refuses_a_link_to_the_right_device)
{
	node_in_the_way("link", S_IFCHR | 0666, makedev(1, 5), EEXIST);
}

/* ---- links ---- */

static void check_links(struct frame *f)
{
	char to[64] = "";

	CHECK(readlink("/mnt/root/dev/fd", to, sizeof(to)) > 0 && !strcmp(to, "/proc/self/fd"));
	CHECK(!strcmp(get_file("/mnt/root/file"), "x"));
	memset(to, 0, sizeof(to));
	CHECK(readlink("/mnt/root/loop", to, sizeof(to)) > 0 && !strcmp(to, "file"));
	CHECK(empty("/mnt/host"));
}

Test(symlink, keeps_a_name_that_is_there_unless_told_to_replace)
{
	struct frame *f = root(check_links);

	frame_step(f, OP_SYMLINK, "/dev", "fd", "/proc/self/fd");
	frame_step(f, OP_SYMLINK, "/", "file", "/elsewhere");
	frame_step(f, OP_SYMLINK, "/", "loop", "file")->flags = STEP_REPLACE;
	frame_step(f, OP_SYMLINK, "/absolute", "x", "y");
	frame_pass(f);
}

/* ---- settings through a private procfs ---- */

static void add_proc(struct frame *f, unsigned whole)
{
	frame_step(f, OP_PROC, NULL, NULL, NULL)->b = whole;
}

static void check_sysctl(struct frame *f)
{
	CHECK(!strcmp(get_file("/proc/sys/net/ipv4/ip_forward"), "1\n"));
}

/* A tmpfs over /proc/sys must not catch what is written. */
static void setup_covered_sysctl(struct frame *f)
{
	CHECK(mount("tmpfs", "/proc/sys", "tmpfs", 0, "") == 0);
	CHECK(mkdir("/proc/sys/net", 0755) == 0 && mkdir("/proc/sys/net/ipv4", 0755) == 0);
	put_file("/proc/sys/net/ipv4/ip_forward", "0\n");
}

static void check_covered_sysctl(struct frame *f)
{
	CHECK(!strcmp(get_file("/proc/sys/net/ipv4/ip_forward"), "0\n"));
	CHECK(umount2("/proc/sys", MNT_DETACH) == 0);
	check_sysctl(f);
}

Test(sysctl, is_written_through_a_procfs_of_our_own)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS | CLONE_NEWNET;
	f->setup = setup_covered_sysctl;
	f->check = check_covered_sysctl;
	add_proc(f, 1);
	frame_step(f, OP_SYSCTL, "net/ipv4/ip_forward", "1", NULL);
	frame_step(f, OP_PROC_DONE, NULL, NULL, NULL);
	frame_pass(f);
}

Test(sysctl, needs_the_whole_procfs)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS | CLONE_NEWNET;
	add_proc(f, 0);
	frame_step(f, OP_SYSCTL, "net/ipv4/ip_forward", "1", NULL);
	frame_fail(f, 1, ENOENT);
}

Test(sysctl, leads_nowhere_else)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS | CLONE_NEWNET;
	add_proc(f, 1);
	frame_step(f, OP_SYSCTL, "../1/oom_score_adj", "500", NULL);
	frame_fail(f, 1, EXDEV);
}

Test(sysctl, that_the_kernel_refuses_is_an_error)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS | CLONE_NEWNET;
	add_proc(f, 1);
	frame_step(f, OP_SYSCTL, "net/ipv4/ip_forward", "words", NULL);
	frame_fail(f, 1, EINVAL);
}

Test(sysctl, after_the_procfs_is_done_with_fails)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS | CLONE_NEWNET;
	add_proc(f, 1);
	frame_step(f, OP_PROC_DONE, NULL, NULL, NULL);
	frame_step(f, OP_SYSCTL, "net/ipv4/ip_forward", "1", NULL);
	frame_fail(f, 2, EBADF);
}

/* Labels: comm stands in for an attr file that takes what is written; it keeps 15 bytes, like a
 * label that is not applied. */
static struct wire_step *add_label(struct frame *f, const char *write, const char *hold)
{
	struct wire_step *s = frame_step(f, OP_LABEL, NULL, write, hold);

	s->s1 = LIST(f, "thread-self/attr/nonesuch/exec", "thread-self/comm");
	s->a = 2;
	return s;
}

Test(label, is_written_to_the_first_file_that_exists_and_read_back)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	add_proc(f, 0);
	add_label(f, "web", "web");
	add_label(f, "web (enforce)", "web");
	frame_pass(f);
}

Test(label, that_does_not_read_back_is_refused)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	add_proc(f, 0);
	add_label(f, "unconfined_foo", "unconfined");
	frame_fail(f, 1, EPERM);
	cr_assert(!strcmp(f->last.text, "unconfined_foo"), "%s", f->last.text);
}

Test(label, that_is_cut_short_is_refused)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	add_proc(f, 0);
	add_label(f, "a_label_longer_than_fifteen", "a_label_longer_than_fifteen");
	frame_fail(f, 1, EPERM);
}

Test(label, without_any_of_its_files_is_refused)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	add_proc(f, 0);
	add_label(f, "web", "web")->a = 1;
	frame_fail(f, 1, ENOENT);
}

static void setup_covered_proc(struct frame *f)
{
	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, "") == 0);
}

Test(label, is_not_fooled_by_a_tmpfs_on_proc)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_covered_proc;
	add_proc(f, 0);
	add_label(f, "web", "web");
	frame_pass(f);
}
