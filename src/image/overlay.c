/* SPDX-License-Identifier: Apache-2.0 */
#include "image/overlay.h"

#include "base/str.h"
#include "base/sys.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing of an image may redirect or stand for something else: what is in a layer is what it
 * shows. */
static const char *const options[][2] = {
	{ "metacopy", "off" },
	{ "redirect_dir", "nofollow" },
	{ "index", "off" },
	{ "xino", "off" },
};

enum { FD_PATH_MAX = 32, PAGE_MAX = 4096 };

static const char *fd_path(int fd, char buf[FD_PATH_MAX])
{
	snprintf(buf, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

static uint64_t attributes(const struct overlay *o)
{
	return MOUNT_ATTR_NODEV | (o->upper < 0 ? MOUNT_ATTR_RDONLY : 0);
}

/* ---- the user namespace ---- */

static int write_map(
	pid_t pid, const char *name, const struct oci_id_map *map, size_t n, struct err *err)
{
	_str_ struct str text = { 0 };
	char path[64];

	for (size_t i = 0; i < n; i++)
		str_printf(&text, "%u %u %u\n", map[i].container_id, map[i].host_id, map[i].size);
	if (str_ok(&text, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (n && file_put(AT_FDCWD, path, text.p) < 0)
		return err_sys(err, errno, "write", "%s: %s", name, text.p);
	return 0;
}

int overlay_userns(const struct rootfs_job *job, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid = sys_clone3(&args);
	char path[64];
	int fd = -1;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (pid < 0)
		return err_sys(err, errno, "clone3", "user namespace for an id map");
	if (write_map(pid, "uid_map", job->uid_map, job->n_uid_map, err) == 0 &&
		write_map(pid, "gid_map", job->gid_map, job->n_gid_map, err) == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err_sys(err, errno, "open", "%s", path);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

/* ---- layers as mounts ---- */

/* A detached mount of the folder, mapped where that is asked for. */
static int clone_layer(int fd, int userns, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = userns < 0 ? 0 : (uint64_t)userns };
	_close_ int tree =
		sys_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (tree < 0)
		return err_sys(err, errno, "open_tree", "layer");
	if (userns < 0)
		return fd_take(&tree);
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0) {
		err_sys(err, errno, "mount_setattr", "id map of a layer");
		if (err->os == EINVAL) {
			err->code = ERR_UNSUPPORTED;
			err_hint(err,
				"the data folder's file system or the kernel has no idmapped mounts: ext4, xfs and btrfs have them since Linux 5.12 to 5.15, tmpfs since 6.3");
		}
		return -1;
	}
	return fd_take(&tree);
}

static int clone_layers(struct overlay *o, struct err *err)
{
	for (size_t i = 0; i < o->n_lower; i++) {
		int fd = clone_layer(o->lower[i], o->userns, err);

		if (fd < 0)
			return -1;
		fd_close(o->lower[i]);
		o->lower[i] = fd;
	}
	return 0;
}

/* ---- by fsconfig ---- */

/* 1: set; 0: the kernel doesn't know the option (or won't have such a layer); -1. */
static int set(int fs, const char *key, const char *value, struct err *err)
{
	if (sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 1;
	if (errno == EINVAL)
		return 0;
	return err_sys(err, errno, "fsconfig", "overlay: %s", key);
}

/* 1, 0, -1 as set(). */
static int configure(int fs, const struct overlay *o, struct err *err)
{
	char path[FD_PATH_MAX];
	int r = set(fs, "source", "overlay", err);

	for (size_t i = 0; r == 1 && i < o->n_lower; i++)
		r = set(fs, "lowerdir+", fd_path(o->lower[i], path), err);
	if (r == 1 && o->upper >= 0) {
		r = set(fs, "upperdir", fd_path(o->upper, path), err);
		r = r == 1 ? set(fs, "workdir", fd_path(o->work, path), err) : r;
	}
	for (size_t i = 0; r == 1 && i < ARRAY_SIZE(options); i++)
		r = set(fs, options[i][0], options[i][1], err);
	return r;
}

/* 1 and *ret; 0: this kernel wants the other way; -1. */
static int mount_by_fsconfig(const struct overlay *o, int *ret, struct err *err)
{
	_close_ int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return err_sys(err, errno, "fsopen", "overlay");
	r = configure(fs, o, err);
	if (r != 1)
		return r;
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == EINVAL ? 0 : err_sys(err, errno, "fsconfig", "overlay");
	*ret = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes(o));
	return *ret < 0 ? err_sys(err, errno, "fsmount", "overlay") : 1;
}

/* ---- by mount(2), in a child ---- */

static int attach(int tree, const char *name, struct err *err)
{
	if (mkdir(name, 0700) < 0)
		return err_sys(err, errno, "mkdir", "%s", name);
	if (sys_move_mount(tree, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "layer");
	return 0;
}

/* A namespace and a folder of its own, which nobody else sees. */
static int scratch(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, errno, "unshare", "mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "mount", "private");
	if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return err_sys(err, errno, "mount", "tmpfs");
	return chdir("/proc") < 0 ? err_sys(err, errno, "chdir", "tmpfs") : 0;
}

/* dir: the mount of the folder that holds upper and work. */
static int attach_all(const struct overlay *o, int dir, struct str *data, struct err *err)
{
	char name[24];

	for (size_t i = 0; i < o->n_lower; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (attach(o->lower[i], name, err) < 0)
			return -1;
		str_printf(data, "%s%s", i ? ":" : "lowerdir=", name);
	}
	if (o->upper >= 0) {
		if (attach(dir, "c", err) < 0)
			return -1;
		str_add(data, ",upperdir=c/upper,workdir=c/work");
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		str_printf(data, ",%s=%s", options[i][0], options[i][1]);
	return str_ok(data, err);
}

static int child_mount(const struct overlay *o, int dir, struct err *err)
{
	struct mount_attr attr = { .attr_set = attributes(o) };
	_str_ struct str data = { 0 };
	_close_ int tree = FD_NONE;

	if (scratch(err) < 0 || attach_all(o, dir, &data, err) < 0)
		return -1;
	if (data.n >= PAGE_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "the image has too many layers");
	if (mkdir("m", 0700) < 0 || mount("overlay", "m", "overlay", 0, data.p) < 0)
		return err_sys(err, errno, "mount", "overlay");
	tree = sys_open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return err_sys(err, errno, "open_tree", "overlay");
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return err_sys(err, errno, "mount_setattr", "overlay");
	return fd_take(&tree);
}

/* Sends the fd, or the error. */
_noreturn_ static void child_main(const struct overlay *o, int dir, int sock)
{
	struct err err = ERR_INIT;
	int fd, sent;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = child_mount(o, dir, &err);
	sent = fd_send(sock, &err, sizeof(err), &fd, fd >= 0);
	_exit(sent < 0);
}

static int receive(int sock, struct err *err)
{
	struct err theirs = ERR_INIT;
	int fd = FD_NONE;
	size_t n_fds = 0;
	ssize_t n = fd_recv(sock, &theirs, sizeof(theirs), &fd, 1, &n_fds);

	if (n == (ssize_t)sizeof(theirs) && n_fds == 1)
		return fd;
	if (n == (ssize_t)sizeof(theirs) && theirs.code != ERR_NONE) {
		*err = theirs;
		return -1;
	}
	return err_set(err, ERR_INTERNAL, NULL, "the process that mounts an overlay died");
}

/* The child sees the folders only as mounts that belong to no namespace. */
static int mount_by_child(struct overlay *o, struct err *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	_close_ int dir = FD_NONE;
	int pair[2], fd;
	pid_t pid;

	if (o->userns < 0 && clone_layers(o, err) < 0)
		return -1;
	if (o->upper >= 0 && (dir = clone_layer(o->dir, FD_NONE, err)) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair", "for an overlay");
	pid = sys_clone3(&args);
	if (pid == 0)
		child_main(o, dir, pair[1]);
	fd_close(pair[1]);
	fd = pid < 0 ? err_sys(err, errno, "clone3", "for an overlay") : receive(pair[0], err);
	fd_close(pair[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return fd;
}

/* ---- public ---- */

int overlay_mount(struct overlay *o, struct err *err)
{
	int fd = FD_NONE, r;

	if (o->userns >= 0 && clone_layers(o, err) < 0)
		return -1;
	r = mount_by_fsconfig(o, &fd, err);
	if (r == 0)
		fd = mount_by_child(o, err);
	if (r < 0 || fd < 0)
		return err_in(err, "overlay of %zu layers:", o->n_lower);
	return fd;
}
