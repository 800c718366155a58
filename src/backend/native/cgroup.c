/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where groups are, making and opening them.
 *
 * Parents that cgroup_create had to make carry a mark (an extended attribute of the trusted class,
 * which no container can set): removal of the last group beneath takes them away again, and no
 * parent that somebody else made.
 */
#include "base/arena.h"
#include "cgroup-impl.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { CREATE_TRIES = 16 }; /* a parent may vanish between finding it and making the leaf */

static const char *const mountpoints[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

void cgroup_close(struct cgroup *cg)
{
	cg->fd = fd_close(cg->fd);
	cg->created = false;
}

const char *cgroup_mountpoint(struct err *err)
{
	struct statfs s;

	for (size_t i = 0; i < ARRAY_SIZE(mountpoints); i++)
		if (statfs(mountpoints[i], &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC)
			return mountpoints[i];
	err_set(err, ERR_UNSUPPORTED, mountpoints[0],
		"no cgroup v2 hierarchy is mounted here or in %s", mountpoints[1]);
	err_hint(err,
		"boot with systemd.unified_cgroup_hierarchy=1, or do without limits: --cgroup-manager=disabled");
	return NULL;
}

int cgroup_open_root(struct err *err)
{
	const char *mnt = cgroup_mountpoint(err);
	int fd;

	if (!mnt)
		return -1;
	fd = open(mnt, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? cgroup_fail(err, errno, "open", mnt) : fd;
}

/* Components of a path after its leading slashes: none empty, none a dot or two, no control bytes.
 */
static int check_components(const char *path, struct err *err)
{
	const char *p = path + (*path == '/');

	if (strlen(path) >= PATH_MAX - 64)
		return err_set(err, ERR_INVALID, NULL, "cgroupsPath is too long");
	if (!*p)
		return err_set(err, ERR_INVALID, path, "the root cgroup cannot be a container's");
	for (const char *c = p; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, ERR_INVALID, path,
				"cgroupsPath must not have control characters");
	for (;;) {
		size_t n = strcspn(p, "/");
		if (n == 0)
			return err_set(err, ERR_INVALID, path,
				"cgroupsPath must not have empty components");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return err_set(err, ERR_INVALID, path,
				"cgroupsPath must not have \".\" or \"..\" components");
		if (n > NAME_MAX)
			return err_set(err, ERR_INVALID, path,
				"a component is longer than %d bytes", NAME_MAX);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

/* The v2 path of a process, as the caller's cgroup namespace shows it. 1 found, 0 no such process,
 * -1 failed. */
static int path_of_pid(pid_t pid, char path[PATH_MAX], struct err *err)
{
	static const char gone[] = " (deleted)";
	char proc[40];
	_free_ char *text = NULL;
	size_t n = 0;

	if (pid)
		(void)snprintf(proc, sizeof(proc), "/proc/%d/cgroup", pid);
	else
		(void)snprintf(proc, sizeof(proc), "/proc/self/cgroup");
	_close_ int fd = open(proc, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, &n) < 0)
		return errno == ENOENT || errno == ESRCH ? 0
							 : err_sys(err, errno, "read", "%s", proc);
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (!str_starts(line, "0::/"))
			continue;
		n = strlen(line) - (str_ends(line, gone) ? sizeof(gone) - 1 : 0) - 3;
		if (n >= PATH_MAX)
			break;
		memcpy(path, line + 3, n);
		path[n] = '\0';
		return 1;
	}
	return err_set(err, ERR_UNSUPPORTED, proc, "the kernel shows no cgroup v2 membership here");
}

char *cgroup_path(const char *cgroups_path, const char *id, struct arena *arena, struct err *err)
{
	char own[PATH_MAX];
	char *path;

	if (cgroups_path && *cgroups_path == '/') {
		path = arena_strdup(arena, cgroups_path);
	} else {
		int r = path_of_pid(0, own, err);
		if (r < 0)
			return NULL;
		if (r == 0 || strncmp(own, "/..", 3) == 0) {
			err_set(err, ERR_UNSUPPORTED, r ? own : NULL,
				"the caller's own cgroup is outside of its cgroup namespace");
			err_hint(err, "give an absolute linux.cgroupsPath");
			return NULL;
		}
		own[strrchr(own, '/') - own] = '\0';
		path = cgroups_path && *cgroups_path
			       ? arena_printf(arena, "%s/%s", own, cgroups_path)
			       : arena_printf(arena, "%s/ctrctl-%s", own, id);
	}
	if (!path) {
		err_nomem(err);
		return NULL;
	}
	return check_components(path, err) < 0 ? NULL : path;
}

/* Splits "/a/b/leaf" into "a/b" (or ".") and "leaf", which points into path. */
const char *cgroup_split(const char *path, char parent[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n = (size_t)(slash - path);

	if (n == 0)
		return (void)memcpy(parent, ".", 2), slash + 1;
	memcpy(parent, path + 1, n - 1);
	parent[n - 1] = '\0';
	return slash + 1;
}

int cgroup_check_path(const char *path, struct err *err)
{
	if (*path != '/')
		return err_set(err, ERR_INTERNAL, path, "the path of a cgroup must be absolute");
	return check_components(path, err);
}

/* Makes the missing components of a relative path and marks them. The fd of the last, or -1 with
 * errno. */
static int make_parents(int root, const char *parent)
{
	_close_ int cur = cgroup_openat(root, ".", O_PATH | O_DIRECTORY);
	char name[NAME_MAX + 1];

	for (const char *p = parent; cur >= 0 && *p;) {
		size_t n = strcspn(p, "/");
		memcpy(name, p, n);
		name[n] = '\0';
		p += n + (p[n] == '/');
		bool made = mkdirat(cur, name, CGROUP_MADE_MODE) == 0;
		if (!made && errno != EEXIST)
			return -1;
		int next = cgroup_openat(cur, name, O_RDONLY | O_DIRECTORY);
		if (next >= 0 && made)
			(void)fsetxattr(next, CGROUP_MADE_MARK, "1", 1, XATTR_CREATE);
		if (next < 0 && made) {
			int os = errno;
			(void)unlinkat(cur, name, AT_REMOVEDIR);
			errno = os;
		}
		fd_close(cur);
		cur = next;
	}
	return fd_take(&cur);
}

/* The existing group may be taken over only if nobody lives in it and nothing would stay stopped.
 */
static int check_adopted(int fd, const char *path, struct err *err)
{
	char text[CGROUP_FILE_MAX];

	if (cgroup_get(fd, "cgroup.events", text, sizeof(text)) < 0)
		return cgroup_fail(err, errno, "reading cgroup.events", path);
	if (cgroup_key(text, "populated") != 0) {
		struct cgroup cg = { .fd = fd };
		_free_ pid_t *pids = NULL;
		size_t n = 0;
		if (cgroup_pids(&cg, &pids, &n, err) < 0)
			return -1;
		err_set(err, ERR_EXISTS, path,
			"container's cgroup is not empty: %zu process(es) found", n);
		return err_hint(err, "another container uses it; give another linux.cgroupsPath");
	}
	if (cgroup_key(text, "frozen") == 1 ||
		(cgroup_get(fd, "cgroup.freeze", text, sizeof(text)) > 0 && text[0] == '1')) {
		err_set(err, ERR_EXISTS, path, "container's cgroup unexpectedly frozen");
		return err_hint(err, "thaw or remove it, or give another linux.cgroupsPath");
	}
	return 0;
}

static int make_failed(int os, const char *op, const char *path, struct err *err)
{
	cgroup_fail(err, os, op, path);
	if (os == EAGAIN)
		err_hint(err,
			"cgroup.max.depth or cgroup.max.descendants of a group above is reached");
	return -1;
}

/* Makes and opens the leaf. 1 done, 0 the parent vanished meanwhile, -1 failed. */
static int make_leaf(
	int up, const char *leaf, const char *path, struct cgroup *ret, struct err *err)
{
	bool made = mkdirat(up, leaf, 0755) == 0;

	if (!made && errno != EEXIST)
		return errno == ENOENT ? 0 : make_failed(errno, "mkdir", path, err);
	_close_ int fd = cgroup_openat(up, leaf, O_RDONLY | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		make_failed(errno, "open", path, err);
		if (made)
			(void)unlinkat(up, leaf, AT_REMOVEDIR);
		return -1;
	}
	if (!made && check_adopted(fd, path, err) < 0)
		return -1;
	*ret = (struct cgroup){ .fd = fd_take(&fd), .created = made };
	return 1;
}

/* One try, as make_leaf. */
static int create_once(
	int root, const char *path, struct cgroup_needs *needs, struct cgroup *ret, struct err *err)
{
	char parent[PATH_MAX];
	const char *leaf = cgroup_split(path, parent);
	_close_ int up = cgroup_openat(root, parent, O_PATH | O_DIRECTORY);
	int r = -1;

	if (up < 0 && errno == ENOENT)
		up = make_parents(root, parent);
	if (up < 0 && errno == ENOENT)
		return 0;
	if (up < 0)
		make_failed(errno, "making its parents", path, err);
	else if (cgroup_enable(root, up, parent, needs, err) == 0)
		r = make_leaf(up, leaf, path, ret, err);
	if (r < 0)
		cgroup_drop_made(root, parent);
	return r;
}

int cgroup_create(const char *path, const struct oci_resources *resources, struct cgroup *ret,
	struct err *err)
{
	_arena_ struct arena *arena = NULL;
	struct cgroup_values values = { 0 };
	struct cgroup_needs needs = { .n = 0 };
	_close_ int root = FD_NONE;

	if (cgroup_check_path(path, err) < 0)
		return -1;
	if (resources) {
		arena = arena_new();
		if (!arena)
			return err_nomem(err);
		if (cgroup_values(resources, arena, &values, err) < 0 ||
			cgroup_needs_of(&values, &needs, err) < 0)
			return -1;
	}
	root = cgroup_open_root(err);
	if (root < 0)
		return -1;
	for (int i = 0; i < CREATE_TRIES; i++) {
		int r = create_once(root, path, &needs, ret, err);
		if (r)
			return r < 0 ? -1 : 0;
	}
	return err_set(
		err, ERR_STATE, path, "the parents of the cgroup are removed again and again");
}

int cgroup_open(const char *path, struct cgroup *ret, struct err *err)
{
	_close_ int root = FD_NONE;
	int fd;

	if (cgroup_check_path(path, err) < 0 || (root = cgroup_open_root(err)) < 0)
		return -1;
	fd = cgroup_openat(root, path + 1, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return cgroup_fail(err, errno, "open", path);
	*ret = (struct cgroup){ .fd = fd };
	return 0;
}

char *cgroup_sub_path(const char *path, const char *sub, struct arena *arena, struct err *err)
{
	char *whole;

	if (*sub == '/') {
		err_set(err, ERR_INVALID, sub,
			"must be a relative path beneath the container's cgroup");
		return NULL;
	}
	whole = arena_printf(arena, "%s/%s", path, sub);
	if (!whole) {
		err_nomem(err);
		return NULL;
	}
	return check_components(whole, err) < 0 ? NULL : whole;
}

int cgroup_holds(const char *path, pid_t pid, struct err *err)
{
	char of[PATH_MAX];
	size_t n = strlen(path);
	int r;

	if (pid <= 0)
		return 0;
	r = path_of_pid(pid, of, err);
	if (r <= 0)
		return r;
	return strncmp(of, path, n) == 0 && (of[n] == '\0' || of[n] == '/');
}

int cgroup_open_of(const char *path, pid_t pid, struct cgroup *ret, struct err *err)
{
	char of[PATH_MAX];
	size_t n = strlen(path);
	int r = path_of_pid(pid, of, err);

	if (r <= 0)
		return r;
	if (strncmp(of, path, n) != 0 || of[n] != '/')
		return 0;
	return cgroup_open(of, ret, err) < 0 ? -1 : 1;
}

int cgroup_delegate(const struct cgroup *cg, uint32_t uid, uint32_t gid, struct err *err)
{
	char list[CGROUP_FILE_MAX], name[PATH_MAX];
	char *rest = list;

	if (cgroup_get(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof(list)) < 0)
		(void)snprintf(list, sizeof(list),
			"cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
	for (char *file; (file = strsep(&rest, "\n"));) {
		if (!*file || strchr(file, '/'))
			continue;
		if (fchownat(cg->fd, file, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
			return cgroup_fail(err, errno, "chown", cgroup_name(cg->fd, name));
	}
	if (fchown(cg->fd, uid, gid) < 0)
		return cgroup_fail(err, errno, "chown", cgroup_name(cg->fd, name));
	return 0;
}
