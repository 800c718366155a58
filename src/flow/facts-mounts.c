/* SPDX-License-Identifier: Apache-2.0 */
/* Where the mounts of a request come from: paths of the host, which are its owner's business and
 * trusted, and folders of images, which aren't. */
#include "flow/facts-look.h"

#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOUNTINFO_MAX = 64 << 20, FD_PATH_MAX = 40 };

struct mounts_look {
	struct facts_look *look;
	char *mountinfo; /* read when the first mount needs it */
	size_t i;        /* the mount in hand */
	const struct cri_mount *mount;
	struct spec_mount_fact *fact;
};

static const char *field(struct mounts_look *m, const char *member)
{
	return facts_field(m->look, "config.mounts[%zu].%s", m->i, member);
}

/* The name that the kernel has for an open file: without symlinks. In the arena, NULL with err. */
static char *path_of(struct arena *arena, int fd, struct err *err)
{
	char link[FD_PATH_MAX], buf[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, buf, sizeof(buf));
	if (n < 0 || (size_t)n == sizeof(buf)) {
		err_sys(err, n < 0 ? errno : ENAMETOOLONG, "readlink", "%s", link);
		return NULL;
	}
	char *path = arena_strndup(arena, buf, (size_t)n);
	if (!path)
		err_nomem(err);
	return path;
}

/* ---- propagation ---- */

/* "36 35 98:0 / /mnt rw,noatime master:1 shared:2 - ext3 ...": the optional fields end with "-". */
static int peer_of_line(const char *line, const char *end)
{
	int peer = SPEC_PEER_PRIVATE;
	size_t n = 0;

	for (const char *at = line; at < end; n++) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		size_t len = (size_t)((space ? space : end) - at);

		if (n >= 6 && len == 1 && *at == '-')
			break;
		if (n >= 6 && len > 7 && memcmp(at, "shared:", 7) == 0)
			return SPEC_PEER_SHARED;
		if (n >= 6 && len > 7 && memcmp(at, "master:", 7) == 0)
			peer = SPEC_PEER_SLAVE;
		at += len + 1;
	}
	return peer;
}

int facts_peer_of(const char *mountinfo, uint64_t mount_id)
{
	char want[24];
	int len = snprintf(want, sizeof(want), "%" PRIu64 " ", mount_id);

	for (const char *line = mountinfo; *line;) {
		const char *end = strchrnul(line, '\n');

		if ((size_t)(end - line) > (size_t)len && memcmp(line, want, (size_t)len) == 0)
			return peer_of_line(line, end);
		line = *end ? end + 1 : end;
	}
	return -1;
}

static int read_mountinfo(struct mounts_look *m, struct err *err)
{
	size_t n;

	if (m->mountinfo)
		return 0;
	return file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &m->mountinfo, &n, err);
}

/* Of the mount that the file lies on. Only asked for where the request wants propagation: reading
 * mountinfo costs more than all the rest. */
static int look_at_peer(struct mounts_look *m, int fd, struct err *err)
{
	struct statx st;
	int peer;

	if (m->mount->propagation == CRI_PROPAGATION_PRIVATE)
		return 0;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return err_sys(err, errno, "statx", "%s", m->mount->host_path);
	if (!(st.stx_mask & STATX_MNT_ID)) {
		ctr_fault_add(m->look->faults, ERR_UNSUPPORTED, field(m, "propagation"),
			"this kernel doesn't tell what a path is mounted on: Linux 5.8 does");
		return 0;
	}
	if (read_mountinfo(m, err) < 0)
		return -1;
	peer = facts_peer_of(m->mountinfo, st.stx_mnt_id);
	if (peer >= 0)
		m->fact->peer = (typeof(m->fact->peer))peer;
	return 0;
}

/* ---- a path of the host ---- */

/* Does the path climb? Where it isn't there, nobody can say what that means. */
static bool has_dots(const char *path)
{
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");
		if (len == 2 && at[0] == '.' && at[1] == '.')
			return true;
		at += len;
		at += *at == '/';
	}
	return false;
}

static int take_source(struct mounts_look *m, int fd, const char *rest, struct err *err)
{
	char *base = path_of(m->look->arena, fd, err);

	if (!base)
		return -1;
	m->fact->source =
		*rest ? arena_printf(m->look->arena, "%s/%s", str_eq(base, "/") ? "" : base, rest)
		      : base;
	return m->fact->source ? look_at_peer(m, fd, err) : err_nomem(err);
}

/* The deepest folder of a clean path that is there: *ret_n is the length of its name with the
 * slash.
 */
static int open_deepest(const char *path, struct arena *arena, size_t *ret_n, struct err *err)
{
	size_t n = strlen(path);

	for (;;) {
		while (path[n - 1] != '/')
			n--;
		char *above = arena_strndup(arena, path, n);
		if (!above)
			return err_nomem(err);
		int fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && n > 1) {
			n--;
			continue;
		}
		*ret_n = n;
		return fd < 0 ? err_sys(err, errno, "open", "%s", above) : fd;
	}
}

/* That folder resolved, and the rest, which will be made. */
static int look_at_absent(struct mounts_look *m, struct err *err)
{
	const char *asked = m->mount->host_path, *rest;
	char *path = path_clean(m->look->arena, asked);
	struct err why = ERR_INIT;
	struct stat st;
	size_t n = 0;

	if (!path)
		return err_nomem(err);
	if (has_dots(asked)) {
		ctr_fault_add(m->look->faults, ERR_INVALID, field(m, "host_path"),
			"%.200s isn't there, and can't be made as it has \"..\" in it", asked);
		return 0;
	}
	_close_ int fd = open_deepest(path, m->look->arena, &n, &why);
	if (fd < 0 && !why.os)
		return err_nomem(err);
	if (fd < 0)
		return facts_fault_os(m->look, why.os, field(m, "host_path"), asked, err);
	rest = path + n;
	char *first = arena_strndup(m->look->arena, rest, strcspn(rest, "/"));
	if (!first)
		return err_nomem(err);
	if (fstatat(fd, first, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		ctr_fault_add(m->look->faults, ERR_INVALID, field(m, "host_path"),
			"%.200s leads by a symlink to where nothing is", asked);
		return 0;
	}
	m->fact->absent = m->fact->is_dir = true;
	return take_source(m, fd, rest, err);
}

static int look_at_host_path(struct mounts_look *m, struct err *err)
{
	const char *path = m->mount->host_path;
	struct stat st;

	if (!path || path[0] != '/') {
		ctr_fault_add(m->look->faults, ERR_INVALID, field(m, "host_path"),
			"must be an absolute path");
		return 0;
	}
	_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return look_at_absent(m, err);
	if (fd < 0)
		return facts_fault_os(m->look, errno, field(m, "host_path"), path, err);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", path);
	m->fact->is_dir = S_ISDIR(st.st_mode);
	return take_source(m, fd, "", err);
}

/* ---- a folder of an image ---- */

/* The text that the kubelet looks for. */
#define FAILED "ImageVolumeMountFailed: "

/* Where the folder is beneath the image's mount: symlinks in it are the image's, so only the kernel
 * can say. */
static int take_sub_path(
	struct mounts_look *m, int root_fd, int fd, const char *mounted, struct err *err)
{
	char *root = path_of(m->look->arena, root_fd, err);
	char *full = root ? path_of(m->look->arena, fd, err) : NULL;

	if (!full)
		return -1;
	if (!path_is_under(full, root))
		return err_set(err, ERR_INTERNAL, full, "isn't beneath %s", root);
	full += str_eq(root, "/") ? 0 : strlen(root);
	m->fact->source =
		arena_printf(m->look->arena, "%s%s", mounted, str_eq(full, "/") ? "" : full);
	return m->fact->source ? 0 : err_nomem(err);
}

static int look_at_image(struct mounts_look *m, struct err *err)
{
	const struct facts_input *in = m->look->in;
	const char *mounted = in->image_mounts ? in->image_mounts[m->i] : NULL;
	const char *sub = m->mount->image_sub_path;
	int root_fd = in->image_fds ? in->image_fds[m->i] : FD_NONE;
	struct err why = ERR_INIT;

	m->fact->is_dir = true;
	m->fact->source = mounted;
	if (!mounted) {
		ctr_fault_add(m->look->faults, ERR_STATE, field(m, "image"),
			FAILED "the image isn't mounted");
		return 0;
	}
	if (!sub || !*sub)
		return 0;
	_close_ int fd = path_open_in(root_fd, sub, O_PATH | O_DIRECTORY, &why);
	if (fd >= 0)
		return take_sub_path(m, root_fd, fd, mounted, err);
	if (why.os == ENOENT || why.os == ENOTDIR)
		ctr_fault_add(m->look->faults, ERR_INVALID, field(m, "image_sub_path"),
			FAILED "the image has no folder %.150s", sub);
	else
		ctr_fault_add(m->look->faults, ERR_INVALID, field(m, "image_sub_path"),
			FAILED "%.150s can't be opened in the image (%s)", sub,
			err_errno_name(why.os));
	return 0;
}

int facts_mounts(struct facts_look *look, struct err *err)
{
	const struct cri_container_config *config = look->in->config;
	struct spec_mount_fact *facts = arena_array(look->arena, config->n_mounts, sizeof(*facts));
	struct mounts_look m = { .look = look };
	int r = 0;

	if (!facts)
		return err_nomem(err);
	look->facts->mounts = facts;
	for (m.i = 0; m.i < config->n_mounts && r == 0; m.i++) {
		m.mount = &config->mounts[m.i];
		m.fact = &facts[m.i];
		r = m.mount->image ? look_at_image(&m, err) : look_at_host_path(&m, err);
	}
	free(m.mountinfo);
	return r;
}
