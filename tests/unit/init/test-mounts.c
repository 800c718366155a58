/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, masks and the change of roots. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct frame *root(void (*check)(struct frame *))
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_tmpfs;
	f->check = check;
	frame_root_in_place(f);
	return f;
}

static struct wire_step *add_tmpfs(struct frame *f, const char *at)
{
	struct wire_step *s = frame_step(f, OP_FSMOUNT, "tmpfs", NULL, at);

	s->flags = STEP_MAKE_DIR;
	s->s2 = LIST(f, "source", "shm", "size", "64k", "mode", "1777");
	s->a = 3;
	s->b = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	return s;
}

/* ---- new file systems ---- */

static void check_tmpfs(struct frame *f)
{
	struct statvfs v;
	struct stat st;

	CHECK(has_mount("/mnt/dev/shm", "tmpfs shm"));
	CHECK(statvfs("/mnt/dev/shm", &v) == 0 && v.f_blocks * v.f_frsize == 65536);
	CHECK((v.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY)) ==
		(ST_NOSUID | ST_NODEV));
	CHECK(stat("/mnt/dev/shm", &st) == 0 && (st.st_mode & 07777) == 01777);
}

Test(fsmount, applies_options_and_attributes)
{
	struct frame *f = root(check_tmpfs);

	add_tmpfs(f, "/dev/shm");
	frame_pass(f);
}

Test(fsmount, reports_the_kernels_own_words)
{
	struct frame *f = root(NULL);

	add_tmpfs(f, "/data")->s2 = LIST(f, "size", "many", "a", "b", "c", "d");
	frame_fail(f, 1, EINVAL);
	cr_assert(f->last.call == SYS_fsconfig && strstr(f->last.text, "'size'"), "call %u: %s",
		f->last.call, f->last.text);
}

Test(fsmount, names_the_call_for_an_unknown_type)
{
	struct frame *f = root(NULL);

	frame_step(f, OP_FSMOUNT, "nonesuchfs", NULL, "/");
	frame_fail(f, 1, ENODEV);
	cr_assert(f->last.call == SYS_fsopen);
}

static void check_covered(struct frame *f)
{
	struct stat st;

	CHECK(lstat("/mnt/dev/after", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(lstat("/mnt/dev/before", &st) < 0 && errno == ENOENT);
}

/* The folder of the links before isn't the one that its path means now. */
Test(fsmount, links_that_follow_are_made_in_it)
{
	struct frame *f = root(check_covered);

	frame_step(f, OP_SYMLINK, "/dev", "before", "x");
	add_tmpfs(f, "/dev");
	frame_step(f, OP_SYMLINK, "/dev", "after", "x");
	frame_pass(f);
}

Test(fsmount, needs_its_target_unless_told_to_make_it)
{
	struct frame *f = root(NULL);

	add_tmpfs(f, "/absent")->flags = 0;
	frame_fail(f, 1, ENOENT);
	cr_assert(!strcmp(f->last.text, "/absent"), "%s", f->last.text);
}

static void setup_links(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/x", 0755) == 0 && mkdir("/mnt/run", 0755) == 0 &&
		mkdir("/mnt/var", 0755) == 0);
	CHECK(symlink("x", "/mnt/proc") == 0 && symlink("x", "/mnt/sys") == 0 &&
		symlink("x", "/mnt/link") == 0);
	CHECK(symlink("/run", "/mnt/var/run") == 0);
	put_file("/mnt/file", "secret");
	CHECK(mkdir("/mnt/dir", 0755) == 0);
	put_file("/mnt/dir/file", "secret");
}

static void on_a_link(const char *at, unsigned flags)
{
	struct frame *f = root(NULL);

	f->setup = setup_links;
	add_tmpfs(f, at)->flags |= (uint16_t)flags;
	frame_fail(f, 1, ELOOP);
}

Test(fsmount, refuses_a_link_called_proc)
{
	on_a_link("/proc", 0);
}

Test(fsmount, refuses_a_link_called_sys)
{
	on_a_link("/sys", 0);
}

Test(fsmount, refuses_any_link_when_told_so)
{
	on_a_link("/link", STEP_NOFOLLOW);
}

Test(fsmount, refuses_a_link_among_the_parents_when_told_so)
{
	on_a_link("/var/run/secrets", STEP_NOFOLLOW);
}

static void check_followed(struct frame *f)
{
	CHECK(has_mount("/mnt/run/secrets", "tmpfs"));
}

Test(fsmount, follows_the_links_of_images_inside_the_root)
{
	struct frame *f = root(check_followed);

	f->setup = setup_links;
	add_tmpfs(f, "/var/run/secrets");
	frame_pass(f);
}

/* ---- received mounts, binds, attributes ---- */

static void setup_source(struct frame *f)
{
	int fd;

	setup_links(f);
	fd = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	CHECK(fd >= 0 && syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
	fd = (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	CHECK(fd >= 0 && dup2(fd, FD_A) == FD_A);
	close(fd);
}

static void check_attached(struct frame *f)
{
	CHECK(has_mount("/mnt/a/b", "tmpfs"));
	CHECK(strstr(get_file("/proc/self/mountinfo"), "/mnt/a/b ro,relatime shared:"));
	CHECK(fcntl(FD_A, F_GETFD) < 0);
}

Test(attach, makes_its_target_sets_propagation_and_closes_the_fd)
{
	struct frame *f = root(check_attached);
	struct wire_step *s = frame_step(f, OP_ATTACH, "/a/b", NULL, NULL);

	f->setup = setup_source;
	s->fd = FD_A;
	s->flags = STEP_MAKE_DIR;
	s->c = MS_SHARED;
	frame_pass(f);
}

static void setup_file_source(struct frame *f)
{
	int fd;

	setup_links(f);
	fd = (int)syscall(
		SYS_open_tree, AT_FDCWD, "/mnt/file", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, FD_A) == FD_A);
}

static void check_file_attached(struct frame *f)
{
	struct stat st;

	CHECK(!strcmp(get_file("/mnt/etc/hosts"), "secret"));
	CHECK(umount2("/mnt/etc/hosts", MNT_DETACH) == 0);
	CHECK(stat("/mnt/etc/hosts", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
}

Test(attach, makes_a_file_for_a_file)
{
	struct frame *f = root(check_file_attached);
	struct wire_step *s = frame_step(f, OP_ATTACH, "/etc/hosts", NULL, NULL);

	f->setup = setup_file_source;
	s->fd = FD_A;
	s->flags = STEP_MAKE_FILE;
	frame_pass(f);
}

Test(attach, refuses_a_file_on_a_directory)
{
	struct frame *f = root(NULL);
	struct wire_step *s = frame_step(f, OP_ATTACH, "/dir", NULL, NULL);

	f->setup = setup_file_source;
	s->fd = FD_A;
	frame_fail(f, 1, ENOTDIR);
}

/* A mount over the root itself can't be met again by its name: the second look must see that. */
Test(attach, looks_again_whether_its_name_leads_to_it)
{
	struct frame *f = root(NULL);
	struct wire_step *s = frame_step(f, OP_ATTACH, "/", NULL, NULL);

	f->setup = setup_source;
	s->fd = FD_A;
	frame_fail(f, 1, ESTALE);
}

static void check_readonly(struct frame *f)
{
	CHECK(open("/mnt/dir/file", O_WRONLY) < 0 && errno == EROFS);
	CHECK(open("/mnt/copy/file", O_RDONLY) >= 0);
	CHECK(open("/mnt/copy/file", O_WRONLY) < 0 && errno == EROFS);
	CHECK(open("/mnt/file", O_WRONLY) >= 0, "only what was named is read-only");
}

Test(bind, makes_paths_read_only_and_skips_absent_ones)
{
	struct frame *f = root(check_readonly);
	struct wire_step *s;

	f->setup = setup_links;
	s = frame_step(f, OP_BIND, "/dir", NULL, NULL);
	s->a = MOUNT_ATTR_RDONLY;
	s->flags = STEP_OPTIONAL | STEP_RECURSIVE;
	s = frame_step(f, OP_BIND, "/absent", NULL, NULL);
	s->flags = STEP_OPTIONAL;
	s = frame_step(f, OP_BIND, "/dir", "/copy", NULL);
	s->flags = STEP_MAKE_DIR;
	frame_pass(f);
}

Test(bind, of_something_absent_fails_unless_optional)
{
	struct frame *f = root(NULL);

	frame_step(f, OP_BIND, "/absent", NULL, NULL);
	frame_fail(f, 1, ENOENT);
}

static void check_setattr(struct frame *f)
{
	struct statvfs v;

	CHECK(statvfs("/mnt/dev/shm", &v) == 0);
	CHECK((v.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) == (ST_RDONLY | ST_NODEV));
	CHECK(v.f_blocks * v.f_frsize == 131072);
}

Test(setattr, sets_and_clears_and_reconfig_changes_the_file_system)
{
	struct frame *f = root(check_setattr);
	struct wire_step *s;

	add_tmpfs(f, "/dev/shm");
	s = frame_step(f, OP_SETATTR, "/dev/shm", NULL, NULL);
	s->a = MOUNT_ATTR_RDONLY;
	s->b = MOUNT_ATTR_NOSUID;
	s = frame_step(f, OP_RECONFIG, "/dev/shm", NULL, NULL);
	s->s2 = LIST(f, "size", "128k");
	s->a = 1;
	frame_pass(f);
}

Test(reconfig, reports_the_kernels_own_words)
{
	struct frame *f = root(NULL);
	struct wire_step *s;

	add_tmpfs(f, "/dev/shm");
	s = frame_step(f, OP_RECONFIG, "/dev/shm", NULL, NULL);
	s->s2 = LIST(f, "size", "many");
	s->a = 1;
	frame_fail(f, 2, EINVAL);
	cr_assert(strstr(f->last.text, "'size'"), "%s", f->last.text);
}

/* ---- masks ---- */

static void setup_masks(struct frame *f)
{
	int fd;

	setup_links(f);
	CHECK(mkdir("/mnt/dir2", 0755) == 0);
	put_file("/mnt/dir2/file", "secret");
	put_file("/mnt/file2", "secret");
	put_file("/mnt/file3", "secret");
	CHECK(symlink("/file3", "/mnt/link3") == 0);
	fd = (int)syscall(
		SYS_open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, FD_A) == FD_A);
	fd = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	CHECK(syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) == 0);
	CHECK(fd >= 0 && syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
	fd = (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	CHECK(fd >= 0 && dup2(fd, FD_B) == FD_B);
}

static void check_masks(struct frame *f)
{
	static const char *const files[] = { "/mnt/file", "/mnt/file2", "/mnt/file3" };
	struct stat st;

	for (size_t i = 0; i < COUNT(files); i++) {
		CHECK(stat(files[i], &st) == 0 && S_ISCHR(st.st_mode) &&
				st.st_rdev == makedev(1, 3),
			"%s", files[i]);
		CHECK(has_mount(files[i], NULL));
	}
	CHECK(stat("/mnt/dir", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(access("/mnt/dir/file", F_OK) < 0 && access("/mnt/dir2/file", F_OK) < 0);
	CHECK(open("/mnt/dir2/new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
}

Test(mask, covers_files_and_directories_with_one_mount_each_cloned)
{
	static const char *const all[] = { "/file", "/dir", "/absent", "/file2", "/dir2",
		"/link3" };
	struct frame *f = root(check_masks);

	f->setup = setup_masks;
	for (size_t i = 0; i < COUNT(all); i++) {
		struct wire_step *s = frame_step(f, OP_MASK, all[i], NULL, NULL);

		s->fd = FD_A;
		s->c = FD_B;
		s->flags = STEP_OPTIONAL;
	}
	frame_pass(f);
}

Test(mask, of_something_absent_fails_unless_optional)
{
	struct frame *f = root(NULL);
	struct wire_step *s = frame_step(f, OP_MASK, "/absent", NULL, NULL);

	f->setup = setup_masks;
	s->fd = FD_A;
	s->c = FD_B;
	frame_fail(f, 1, ENOENT);
}

Test(mask, that_cannot_be_put_is_an_error)
{
	struct frame *f = root(NULL);
	struct wire_step *s = frame_step(f, OP_MASK, "/file", NULL, NULL);

	f->setup = setup_masks;
	s->fd = 999;
	s->c = FD_B;
	s->flags = STEP_OPTIONAL;
	frame_fail(f, 1, EBADF);
}

/* ---- the root ---- */

static struct wire_step *add_root(struct frame *f)
{
	struct wire_step *s = frame_step(f, OP_PROPAGATE, NULL, NULL, NULL);

	s->a = MS_SLAVE;
	s->flags = STEP_RECURSIVE;
	s = frame_step(f, OP_ROOT, NULL, NULL, NULL);
	s->fd = ROOT_FD;
	return s;
}

static void check_only_root(struct frame *f)
{
	unsigned lines = 0;

	CHECK(access("/host-file", F_OK) < 0 && access("/inside", F_OK) == 0);
	for (char *c = get_file("/proc/self/mountinfo"); *c; c++)
		lines += *c == '\n';
	CHECK(lines == 2, "%s", get_file("/proc/self/mountinfo"));
}

/* Another mount on top of the host's root: it must go as well. */
static void setup_stacked(struct frame *f)
{
	setup_detached(f);
	put_file("/mnt/inside", "");
	CHECK(mount("tmpfs", "/", "tmpfs", 0, "") == 0);
}

Test(pivot, drops_roots_that_are_stacked)
{
	struct frame *f = frame_new();
	struct wire_step *s;

	f->ns = CLONE_NEWNS;
	f->setup = setup_stacked;
	f->check = check_only_root;
	add_root(f);
	s = frame_step(f, OP_FSMOUNT, "proc", NULL, "/proc");
	s->flags = STEP_MAKE_DIR;
	frame_step(f, OP_PIVOT, NULL, NULL, NULL);
	frame_pass(f);
}

static bool is_dir_here(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void check_later_target(struct frame *f)
{
	CHECK(is_dir_here("/made/after"));
}

Test(pivot, makes_the_new_root_the_place_of_later_targets)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_detached;
	f->check = check_later_target;
	add_root(f);
	frame_step(f, OP_PIVOT, NULL, NULL, NULL);
	frame_step(f, OP_MKDIR, "/../made/after", NULL, NULL)->a = 0755;
	frame_pass(f);
}

Test(pivot, by_chroot_stands_in_the_new_root)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_tmpfs;
	f->check = check_later_target;
	frame_root_in_place(f);
	frame_step(f, OP_PIVOT, NULL, NULL, NULL)->flags = STEP_CHROOT;
	frame_step(f, OP_MKDIR, "/../made/after", NULL, NULL)->a = 0755;
	frame_pass(f);
}

Test(pivot, without_a_root_fails)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	frame_step(f, OP_PIVOT, NULL, NULL, NULL);
	frame_fail(f, 0, EBADF);
}
