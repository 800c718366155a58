/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names inside the container's root, which are the image's and may be hostile: each is resolved by
 * the kernel beneath the root's fd, never by string. And the few files of /proc that init writes,
 * through a procfs of its own.
 */
#include "init.h"

#define RETRIES    128 /* EAGAIN: somebody renames while we look */
#define LINKS_MAX  40
#define PATH_ROOM  4096
#define LABEL_ROOM 1024

/* ---- places ---- */

static long open_at(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	long fd;

	for (int i = 0; i < RETRIES; i++) {
		fd = SYS4(openat2, dir, path, &how, sizeof(how));
		if (fd != -EAGAIN && fd != -EINTR)
			break;
	}
	return fd;
}

long root_fd(void)
{
	if (G.root < 0) {
		long fd = SYS3(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return fd;
		G.root = (int)fd;
	}
	return G.root;
}

void root_forget(void)
{
	close_fd(G.root);
	G.root = -1;
}

long target_open(const char *path, uint64_t flags, int nofollow)
{
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	long root = root_fd(), fd;

	if (root < 0)
		return root;
	if (nofollow)
		resolve |= RESOLVE_NO_SYMLINKS;
	fd = open_at((int)root, path, flags, resolve);
	if (fd < 0)
		say(path);
	return fd;
}

long stat_fd(int fd, struct statx *st)
{
	return SYS5(statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		STATX_BASIC_STATS | STATX_MNT_ID, st);
}

int is_node(const struct statx *st, uint32_t type, uint32_t major, uint32_t minor)
{
	return (st->stx_mode & S_IFMT) == type && st->stx_rdev_major == major &&
	       st->stx_rdev_minor == minor;
}

/* Makes one component in a directory that has been reached; what is there by now is left alone. */
static long make_one(int dir, const char *name, enum make kind, uint32_t mode, int *made)
{
	long r = kind == MAKE_DIR ? SYS3(mkdirat, dir, name, mode)
				  : SYS4(mknodat, dir, name, S_IFREG | mode, 0);

	if (r < 0 && r != -EEXIST)
		return r;
	*made = r == 0;
	return open_at(dir, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

/* Puts what a dangling link says in its place: path[at..end) becomes the link's text, or begins
 * anew if that is absolute. */
static long splice(char *path, size_t at, size_t end, int link)
{
	char text[PATH_ROOM], rest[PATH_ROOM];
	long n = SYS4(readlinkat, link, "", text, sizeof(text) - 1);
	char *to;

	if (n < 0)
		return n;
	text[n] = 0;
	text_put(rest, rest + sizeof(rest), path + end);
	to = text_put(text[0] == '/' ? path : path + at, path + PATH_ROOM, text);
	return text_put(to, path + PATH_ROOM, rest) ? 0 : fail(__NR_readlinkat, ENAMETOOLONG);
}

/*
 * One component after the other. Each prefix is resolved anew from the root by the kernel, so links
 * lead where they lead inside the root; only what isn't there is made, beneath the fd of its
 * parent.
 */
static long walk(char *path, enum make kind, uint32_t mode, int nofollow, int *made)
{
	long dir = target_open("/", O_PATH | O_DIRECTORY, 0), next;
	size_t at = 0, end, rest;
	unsigned links = 0;
	struct statx st;

	while (dir >= 0) {
		char cut;

		while (path[at] == '/')
			at++;
		if (!path[at])
			return dir;
		for (end = at; path[end] && path[end] != '/'; end++)
			;
		for (rest = end; path[rest] == '/'; rest++)
			;
		cut = path[end];
		path[end] = 0;
		*made = 0;
		next = target_open(path, O_PATH, nofollow);
		if (next == -ENOENT)
			next = path[rest] && cut
				       ? make_one((int)dir, path + at, MAKE_DIR, 0755, made)
				       : make_one((int)dir, path + at, kind, mode, made);
		if (next < 0)
			say(path);
		path[end] = cut;
		if (next >= 0 && stat_fd((int)next, &st) == 0 &&
			(st.stx_mode & S_IFMT) == S_IFLNK) {
			long r = links++ < LINKS_MAX && !nofollow ? splice(path, at, end, (int)next)
								  : fail(__NR_openat2, ELOOP);

			close_fd((int)next);
			next = r < 0 ? r : target_open("/", O_PATH | O_DIRECTORY, 0);
			end = 0;
		}
		close_fd((int)dir);
		dir = next;
		at = end;
	}
	return dir;
}

long target_make(const char *path, enum make kind, uint32_t mode, int nofollow, int *made)
{
	char copy[PATH_ROOM];
	long fd = target_open(path, O_PATH, nofollow);

	*made = 0;
	if (fd != -ENOENT || kind == MAKE_NOTHING)
		return fd;
	if (!text_put(copy, copy + sizeof(copy), path))
		return fail(__NR_openat2, ENAMETOOLONG);
	fd = walk(copy, kind, mode, nofollow, made);
	if (fd >= 0)
		G.detail[0] = 0;
	return fd;
}

int target_nofollow(const char *path, const struct wire_step *s)
{
	return s->flags & STEP_NOFOLLOW || text_eq(path, "/proc") || text_eq(path, "/sys");
}

long target_for(const char *path, const struct wire_step *s)
{
	enum make kind = s->flags & STEP_MAKE_DIR    ? MAKE_DIR
			 : s->flags & STEP_MAKE_FILE ? MAKE_FILE
						     : MAKE_NOTHING;
	int made;

	return target_make(
		path, kind, kind == MAKE_FILE ? 0644 : 0755, target_nofollow(path, s), &made);
}

/* ---- making things ---- */

static long make_dir(const char *path, const struct wire_step *s, uint32_t mode, int *made)
{
	struct statx st;
	long fd = target_make(path, MAKE_DIR, mode, s->flags & STEP_NOFOLLOW, made), r;

	if (fd < 0)
		return fd;
	r = stat_fd((int)fd, &st);
	if (r == 0 && (st.stx_mode & S_IFMT) != S_IFDIR) {
		say(path);
		r = fail(__NR_mkdirat, ENOTDIR);
	}
	if (r < 0)
		close_fd((int)fd);
	return r < 0 ? r : fd;
}

long files_mkdir(const struct wire_step *s)
{
	int made;
	long fd = make_dir(text_at(s->s1), s, (uint32_t)s->a, &made), r = 0;

	if (fd < 0)
		return fd;
	if (made && s->flags & STEP_OWN)
		r = SYS5(fchownat, fd, "", s->b, s->c, AT_EMPTY_PATH);
	close_fd((int)fd);
	return r;
}

static long make_node(int dir, const char *name, const struct wire_step *s)
{
	uint32_t type = (uint32_t)s->a & S_IFMT, major = 0, minor = 0;
	struct statx st;
	long r = SYS4(mknodat, dir, name, s->a, s->b), fd;
	int made = r == 0;

	if (r < 0 && r != -EEXIST)
		return r;
	fd = open_at(dir, name, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd == -ELOOP)
		return fail(__NR_mknodat, EEXIST);
	if (fd < 0)
		return fd;
	if (type == S_IFCHR || type == S_IFBLK) {
		major = (uint32_t)s->b >> 8 & 0xfff;
		minor = ((uint32_t)s->b & 0xff) | ((uint32_t)(s->b >> 12) & 0xfff00);
	}
	r = stat_fd((int)fd, &st);
	if (r == 0 && !is_node(&st, type, major, minor))
		r = fail(__NR_mknodat, EEXIST);
	if (r == 0 && made && s->c)
		r = SYS5(fchownat, fd, "", s->c >> 32, s->c & 0xffffffff, AT_EMPTY_PATH);
	close_fd((int)fd);
	return r;
}

/* Nodes and links come in rows, all in /dev: the folder is walked to once, and stays G's. */
static long folder(const struct wire_step *s)
{
	const struct wire_step *last = G.dir_step;
	int made;
	long fd;

	if (G.dir >= 0 && !((s->flags ^ last->flags) & STEP_NOFOLLOW) &&
		text_eq(text_at(s->s1), text_at(last->s1)))
		return G.dir;
	folder_forget();
	fd = make_dir(text_at(s->s1), s, 0755, &made);
	if (fd >= 0) {
		G.dir = (int)fd;
		G.dir_step = s;
	}
	return fd;
}

void folder_forget(void)
{
	close_fd(G.dir);
	G.dir = -1;
}

long files_mknod(const struct wire_step *s)
{
	long dir = folder(s), r;

	if (dir < 0)
		return dir;
	r = make_node((int)dir, text_at(s->s2), s);
	if (r < 0)
		say(text_at(s->s2));
	return r;
}

long files_symlink(const struct wire_step *s)
{
	const char *name = text_at(s->s2);
	long dir = folder(s), r;

	if (dir < 0)
		return dir;
	r = SYS3(symlinkat, text_at(s->s3), dir, name);
	if (r == -EEXIST && s->flags & STEP_REPLACE) {
		r = SYS3(unlinkat, dir, name, 0);
		if (r == 0)
			r = SYS3(symlinkat, text_at(s->s3), dir, name);
	} else if (r == -EEXIST) {
		r = 0;
	}
	return r;
}

/* ---- the private procfs ---- */

/* A procfs, and its very root: nothing mounted over it. */
static long check_proc(long fd)
{
	struct statfs fs;
	struct statx st;
	long r = SYS2(fstatfs, fd, &fs);

	if (r == 0)
		r = stat_fd((int)fd, &st);
	if (r == 0 && (fs.f_type != PROC_SUPER_MAGIC || st.stx_ino != 1)) {
		say("/proc isn't a procfs");
		r = fail(__NR_fstatfs, ENODEV);
	}
	return r;
}

static long new_proc(int whole)
{
	long fs = SYS2(fsopen, "proc", FSOPEN_CLOEXEC), fd = 0;

	if (fs < 0)
		return fs;
	if (!whole)
		fd = SYS5(fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0);
	if (fd == 0)
		fd = SYS5(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	if (fd == 0)
		fd = SYS3(fsmount, fs, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close_fd((int)fs);
	return fd;
}

long files_proc(const struct wire_step *s)
{
	long fd = new_proc(s->b == 1), r;

	/* In a user namespace that may not see a whole procfs, the one in place is all there is. */
	if (fd < 0)
		fd = SYS3(open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return fd;
	r = check_proc(fd);
	if (r < 0) {
		close_fd((int)fd);
		return r;
	}
	close_fd(G.proc);
	G.proc = (int)fd;
	return 0;
}

long files_proc_done(const struct wire_step *s)
{
	close_fd(G.proc);
	G.proc = -1;
	return 0;
}

static long proc_open(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	struct statfs fs;
	long fd, r;

	fd = open_at(dir, name, flags | O_NOFOLLOW,
		resolve | RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd;
	r = SYS2(fstatfs, fd, &fs);
	if (r == 0 && fs.f_type != PROC_SUPER_MAGIC)
		r = fail(__NR_fstatfs, ENODEV);
	if (r < 0)
		close_fd((int)fd);
	return r < 0 ? r : fd;
}

static long proc_write(int dir, const char *name, const char *text, uint64_t resolve)
{
	size_t n = text_len(text);
	long fd = proc_open(dir, name, O_WRONLY, resolve), r;

	if (fd < 0)
		return fd;
	r = SYS3(write, fd, text, n);
	close_fd((int)fd);
	if (r < 0)
		return r;
	return (size_t)r == n ? 0 : fail(__NR_write, EIO);
}

long files_sysctl(const struct wire_step *s)
{
	long dir = proc_open(G.proc, "sys", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS), r;

	if (dir < 0)
		return dir;
	r = proc_write((int)dir, text_at(s->s1), text_at(s->s2), RESOLVE_NO_SYMLINKS);
	close_fd((int)dir);
	return r;
}

/* Does the file hold this label? AppArmor adds its mode: "name (enforce)". */
static long proc_holds(const char *name, const char *label)
{
	char text[LABEL_ROOM];
	long fd = proc_open(G.proc, name, O_RDONLY, 0), n;
	size_t i = 0;

	if (fd < 0)
		return fd;
	n = SYS3(read, fd, text, sizeof(text) - 1);
	close_fd((int)fd);
	if (n < 0)
		return n;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == 0))
		n--;
	text[n] = 0;
	while (label[i] && label[i] == text[i])
		i++;
	if (!label[i] && (!text[i] || (text[i] == ' ' && text[i + 1] == '(')))
		return 0;
	say(text);
	return fail(__NR_write, EPERM);
}

long files_label(const struct wire_step *s)
{
	const char *name = text_at(s->s1);
	long r = -ENOENT;

	for (uint64_t i = 0; i < s->a; i++, name = text_next(name)) {
		r = proc_write(G.proc, name, text_at(s->s2), 0);
		if (r != -ENOENT)
			break;
	}
	return r < 0 ? r : proc_holds(name, text_at(s->s3));
}

long files_keyring(const struct wire_step *s)
{
	static const char file[] = "thread-self/attr/keycreate";
	const char *label = text_at(s->s2);
	long r = 0;

	/* The kernel forgets keycreate at the next execve. */
	if (*label)
		r = proc_write(G.proc, file, label, 0);
	if (r == 0 && *label)
		r = proc_holds(file, label);
	if (r == 0)
		r = SYS2(keyctl, KEYCTL_JOIN_SESSION_KEYRING, text_at(s->s1));
	return r == -ENOSYS || r > 0 ? 0 : r;
}

/* ---- standard fds ---- */

/* The container's /dev/null, opened only when it is one; -1 when there is none. */
static long own_null(void)
{
	struct statx st;
	long fd = target_open("/dev/null", O_PATH, 0), r;

	G.detail[0] = 0;
	if (fd < 0)
		return -1;
	r = stat_fd((int)fd, &st);
	close_fd((int)fd);
	if (r < 0 || !is_node(&st, S_IFCHR, 1, 3))
		return -1;
	fd = target_open("/dev/null", O_RDWR | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	r = stat_fd((int)fd, &st);
	if (r == 0 && !is_node(&st, S_IFCHR, 1, 3))
		r = fail(__NR_openat2, ENODEV);
	if (r < 0)
		close_fd((int)fd);
	return r < 0 ? r : fd;
}

static long replace_null(int fd)
{
	long null = own_null(), r;

	if (null == -1)
		return 0;
	if (null < 0)
		return null;
	r = SYS3(dup3, null, fd, 0);
	close_fd((int)null);
	return r < 0 ? r : 0;
}

long files_stdio(const struct wire_step *s)
{
	struct statx st;
	long r = 0;

	for (int fd = 0; fd < 3 && r >= 0; fd++) {
		r = stat_fd(fd, &st);
		if (r < 0)
			return r;
		if (is_node(&st, S_IFCHR, 1, 3))
			r = replace_null(fd);
		else if (s->flags & STEP_OWN)
			r = SYS3(fchown, fd, s->a, -1);
		if (r == -EINVAL || r == -EPERM || r == -EROFS)
			r = 0;
	}
	return r;
}
