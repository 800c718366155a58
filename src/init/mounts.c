/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts: made or received detached, given their attributes while nobody can see them, attached by
 * fd. */
#include "init.h"

/* The kernel's own words about a file system context, if it has any: "e tmpfs: Bad value for
 * 'size'". */
static void say_context(int fs)
{
	long call = sys_failed, n;
	char text[sizeof(G.detail)];

	n = SYS3(read, fs, text, sizeof(text) - 1);
	sys_failed = call;
	if (n <= 2)
		return;
	while (n > 2 && (text[n - 1] == '\n' || text[n - 1] == 0))
		n--;
	text[n] = 0;
	say(text[1] == ' ' ? text + 2 : text);
}

static long set_attributes(int mnt, const struct mount_attr *a, int recursive)
{
	if (!a->attr_set && !a->attr_clr && !a->propagation)
		return 0;
	return SYS5(mount_setattr, mnt, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), a,
		sizeof(*a));
}

/* A folder over a file, or a file over a folder: the kernel only says EINVAL. */
static int kinds_differ(int mnt, int at)
{
	struct statx a, b;

	if (stat_fd(mnt, &a) < 0 || stat_fd(at, &b) < 0)
		return 0;
	return ((a.stx_mode & S_IFMT) == S_IFDIR) != ((b.stx_mode & S_IFMT) == S_IFDIR);
}

/* Attaches a detached mount at an open target, then looks again: the name must lead to this very
 * mount. */
long mount_attach(int mnt, int at, const char *path, int nofollow)
{
	struct statx want, have;
	long fd, r = SYS5(move_mount, mnt, "", at, "",
			 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);

	if (r == -EINVAL && kinds_differ(mnt, at))
		return fail(__NR_move_mount, ENOTDIR);
	if (r < 0)
		return r;
	fd = target_open(path, O_PATH, nofollow);
	if (fd < 0)
		return fd;
	r = stat_fd(mnt, &want);
	if (r == 0)
		r = stat_fd((int)fd, &have);
	close_fd((int)fd);
	if (r == 0 && (!(have.stx_mask & STATX_MNT_ID) || want.stx_mnt_id != have.stx_mnt_id)) {
		say("the mount point changed meanwhile");
		r = fail(__NR_move_mount, ESTALE);
	}
	return r;
}

/* What may be mounted in /proc was decided by name; a symlink of the image mustn't lead there. */
static long check_place(int at, const char *path)
{
	static const char proc[] = "/proc";
	struct statfs fs;
	size_t n = 0;
	long r;

	while (proc[n] && proc[n] == path[n])
		n++;
	if (!proc[n] && (!path[n] || path[n] == '/'))
		return 0;
	r = SYS2(fstatfs, at, &fs);
	if (r < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return r;
	say("it lies inside /proc: a symlink of the root filesystem leads there");
	return fail(__NR_move_mount, EXDEV);
}

static long attach_for(int mnt, const char *path, const struct wire_step *s)
{
	long at = target_for(path, s), r;

	if (at < 0)
		return at;
	r = check_place((int)at, path);
	if (r == 0)
		r = mount_attach(mnt, (int)at, path, target_nofollow(path, s));
	close_fd((int)at);
	return r;
}

long mounts_propagate(const struct wire_step *s)
{
	struct mount_attr a = { .propagation = s->a };
	unsigned flags = s->flags & STEP_RECURSIVE ? AT_RECURSIVE : 0;
	const char *path = text_at(s->s1);
	long at, r;

	if (!*path)
		return SYS5(mount_setattr, AT_FDCWD, "/", flags, &a, sizeof(a));
	at = target_open(path, O_PATH, s->flags & STEP_NOFOLLOW);
	if (at < 0)
		return at;
	r = set_attributes((int)at, &a, flags);
	close_fd((int)at);
	return r;
}

long mounts_root(const struct wire_step *s)
{
	const char *path = text_at(s->s1);
	long fd = s->fd, r;

	if (*path) {
		fd = SYS3(openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return fd;
	} else if (!(s->flags & STEP_IN_PLACE)) {
		r = SYS5(move_mount, fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);
		if (r < 0)
			return r;
	}
	root_forget();
	G.root = (int)fd;
	return 0;
}

/* Key/value pairs into a context; an empty value is a flag. */
static long configure(int fs, const char *key, uint64_t n)
{
	long r = 0;

	for (; n && r == 0; n--) {
		const char *value = text_next(key);

		r = *value ? SYS5(fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0)
			   : SYS5(fsconfig, fs, FSCONFIG_SET_FLAG, key, 0, 0);
		if (r < 0)
			say(key);
		key = text_next(value);
	}
	return r;
}

/* fsconfig takes values of up to 255 bytes; the lower folders of an overlay need more. */
static int has_long_value(const char *key, uint64_t n)
{
	enum { VALUE_MAX = 255 };

	for (; n; n--) {
		const char *value = text_next(key);

		if (text_len(value) > VALUE_MAX)
			return 1;
		key = text_next(value);
	}
	return 0;
}

/* "key=value,flag", as mount(2) has it; `source` stands for itself. */
static int join_options(const char *key, uint64_t n, char *at, const char *end, const char **source)
{
	*at = 0;
	for (const char *begin = at; n && at; n--) {
		const char *value = text_next(key);

		if (text_eq(key, "source")) {
			*source = value;
		} else {
			at = at > begin ? text_put(at, end, ",") : at;
			at = at ? text_put(at, end, key) : NULL;
			if (*value && at)
				at = text_put(at, end, "=");
			if (*value && at)
				at = text_put(at, end, value);
		}
		key = text_next(value);
	}
	return at != NULL;
}

/* The old way, on the target itself: the flags come at once after it, before anybody else is here.
 */
static long mount_whole(const struct wire_step *s)
{
	struct mount_attr a = { .attr_set = s->b, .propagation = s->c };
	struct statx below, top;
	char data[4096];
	const char *source = "none";
	long at, fd, r;

	if (s->b & MOUNT_ATTR__ATIME)
		a.attr_clr = MOUNT_ATTR__ATIME;
	if (!join_options(text_at(s->s2), s->a, data, data + sizeof(data), &source))
		return fail(__NR_mount, E2BIG);
	at = target_for(text_at(s->s3), s);
	if (at < 0)
		return at;
	r = stat_fd((int)at, &below);
	if (r == 0)
		r = SYS1(fchdir, at);
	if (r == 0)
		r = SYS5(mount, source, ".", text_at(s->s1), 0, data);
	close_fd((int)at);
	if (r < 0)
		return r;
	fd = target_open(text_at(s->s3), O_PATH, target_nofollow(text_at(s->s3), s));
	if (fd < 0)
		return fd;
	r = stat_fd((int)fd, &top);
	if (r == 0 && top.stx_mnt_id == below.stx_mnt_id)
		r = fail(__NR_mount, ESTALE);
	if (r == 0)
		r = set_attributes((int)fd, &a, 0);
	close_fd((int)fd);
	return r;
}

/* A tmpfs without a mode of its own looks like the folder that it covers, if there is one. */
static long configure_mode(int fs, const char *path, const struct wire_step *s)
{
	struct statx st;
	char mode[5];
	long at = target_open(path, O_PATH, target_nofollow(path, s)), r;

	if (at < 0) {
		G.detail[0] = 0;
		return at == -ENOENT ? 0 : at;
	}
	r = stat_fd((int)at, &st);
	close_fd((int)at);
	if (r < 0)
		return r;
	for (int i = 0; i < 4; i++)
		mode[i] = (char)('0' + (st.stx_mode >> (9 - 3 * i) & 7));
	mode[4] = 0;
	return SYS5(fsconfig, fs, FSCONFIG_SET_STRING, "mode", mode, 0);
}

long mounts_fsmount(const struct wire_step *s)
{
	struct mount_attr a = { .propagation = s->c };
	long fs, mnt = -1, r;

	if (has_long_value(text_at(s->s2), s->a))
		return mount_whole(s);
	fs = SYS2(fsopen, text_at(s->s1), FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	r = configure((int)fs, text_at(s->s2), s->a);
	if (r == 0 && s->flags & STEP_OWN)
		r = configure_mode((int)fs, text_at(s->s3), s);
	if (r == 0)
		r = SYS5(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (r == 0)
		r = mnt = SYS3(fsmount, fs, FSMOUNT_CLOEXEC, s->b);
	if (r < 0)
		say_context((int)fs);
	close_fd((int)fs);
	if (r >= 0)
		r = set_attributes((int)mnt, &a, 0);
	if (r == 0)
		r = attach_for((int)mnt, text_at(s->s3), s);
	close_fd((int)mnt);
	return r;
}

long mounts_attach(const struct wire_step *s)
{
	struct mount_attr a = { .propagation = s->c };
	long r = set_attributes(s->fd, &a, s->flags & STEP_RECURSIVE);

	if (r == 0)
		r = attach_for(s->fd, text_at(s->s1), s);
	if (r >= 0 || !(s->flags & STEP_ELSE))
		close_fd(s->fd);
	return r;
}

static long clone_mount(int fd, int recursive)
{
	return SYS3(open_tree, fd, "",
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			(recursive ? AT_RECURSIVE : 0));
}

long mounts_bind(const struct wire_step *s)
{
	struct mount_attr a = { .attr_set = s->a, .attr_clr = s->b, .propagation = s->c };
	int recursive = s->flags & STEP_RECURSIVE;
	const char *to = text_at(s->s2);
	long from = target_open(text_at(s->s1), O_PATH, s->flags & STEP_NOFOLLOW), mnt, r;

	if (from == -ENOENT && s->flags & STEP_OPTIONAL)
		return 0;
	if (from < 0)
		return from;
	mnt = r = clone_mount((int)from, recursive);
	if (r >= 0)
		r = set_attributes((int)mnt, &a, recursive);
	if (r == 0)
		r = *to ? attach_for((int)mnt, to, s)
			: mount_attach(
				  (int)mnt, (int)from, text_at(s->s1), s->flags & STEP_NOFOLLOW);
	close_fd((int)mnt);
	close_fd((int)from);
	return r;
}

long mounts_setattr(const struct wire_step *s)
{
	struct mount_attr a = { .attr_set = s->a, .attr_clr = s->b, .propagation = s->c };
	long at = target_open(text_at(s->s1), O_PATH, s->flags & STEP_NOFOLLOW), r;

	if (at == -ENOENT && s->flags & STEP_OPTIONAL)
		return 0;
	if (at < 0)
		return at;
	r = set_attributes((int)at, &a, s->flags & STEP_RECURSIVE);
	close_fd((int)at);
	return r;
}

long mounts_reconfig(const struct wire_step *s)
{
	long at = target_open(text_at(s->s1), O_PATH, s->flags & STEP_NOFOLLOW), fs, r;

	if (at < 0)
		return at;
	fs = r = SYS3(fspick, at, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	close_fd((int)at);
	if (r < 0)
		return r;
	r = configure((int)fs, text_at(s->s2), s->a);
	if (r == 0)
		r = SYS5(fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0);
	if (r < 0)
		say_context((int)fs);
	close_fd((int)fs);
	return r;
}

/* The mount that covers files (0) or directories (1). Kernels before 6.15 can't clone a detached
 * mount: the first target gets the mount itself, the following ones get clones of that. */
static long mask_mount(int which, int fd)
{
	return G.masked[which] == fd ? clone_mount(fd, 0) : fd;
}

long mounts_mask(const struct wire_step *s)
{
	const char *path = text_at(s->s1);
	struct statx st;
	long at = target_open(path, O_PATH, s->flags & STEP_NOFOLLOW), mnt, r;
	int dir, fd;

	if (at == -ENOENT && s->flags & STEP_OPTIONAL)
		return 0;
	if (at < 0)
		return at;
	r = stat_fd((int)at, &st);
	if (r < 0) {
		close_fd((int)at);
		return r;
	}
	dir = (st.stx_mode & S_IFMT) == S_IFDIR;
	fd = dir ? (int)s->c : s->fd;
	mnt = r = mask_mount(dir, fd);
	if (r >= 0)
		r = mount_attach((int)mnt, (int)at, path, s->flags & STEP_NOFOLLOW);
	if (r == 0)
		G.masked[dir] = fd;
	if (mnt != fd)
		close_fd((int)mnt);
	close_fd((int)at);
	return r;
}

/* The old root goes, with all that is stacked on it; ours can't be met, since we stand in the old
 * one. */
static long drop_old_root(int old)
{
	long r = SYS1(fchdir, old);

	if (r == 0)
		r = SYS2(umount2, ".", 2 /* MNT_DETACH */);
	if (r < 0)
		return r;
	while (r == 0)
		r = SYS2(umount2, ".", 2);
	return r == -EINVAL || r == -ENOENT ? SYS1(chdir, "/") : r;
}

static long is_root(int root)
{
	struct statx want, have;
	long r = stat_fd(root, &want);

	if (r == 0)
		r = SYS5(statx, AT_FDCWD, "/", 0, STATX_BASIC_STATS | STATX_MNT_ID, &have);
	if (r == 0 && (want.stx_mnt_id != have.stx_mnt_id || want.stx_ino != have.stx_ino))
		r = fail(__NR_pivot_root, ESTALE);
	return r;
}

long mounts_pivot(const struct wire_step *s)
{
	long old, r;

	if (G.root < 0)
		return fail(__NR_fchdir, EBADF);
	r = SYS1(fchdir, G.root);
	if (r == 0 && s->flags & STEP_CHROOT) {
		r = SYS1(chroot, ".");
		if (r == 0)
			r = SYS1(chdir, "/");
	} else if (r == 0) {
		old = r = SYS3(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (r >= 0)
			r = SYS2(pivot_root, ".", ".");
		if (r == 0)
			r = drop_old_root((int)old);
		close_fd((int)old);
	}
	if (r == 0)
		r = is_root(G.root);
	root_forget();
	return r;
}
