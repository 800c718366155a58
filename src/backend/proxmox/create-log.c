/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a container whose output ctrctl can't have: one line that says where it is. */
#include "backend/proxmox/create.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "ctrctl/cri.h"
#include "ctrctl/sandbox.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The pod's log folder: what lies beneath it is the container's. */
static const char *folder_of(const struct ctr_input *in, const char *file, char buf[PATH_MAX])
{
	const char *pod =
		in->sandbox && in->sandbox->config ? in->sandbox->config->log_directory : NULL;
	size_t n = pod ? strlen(pod) : 0;

	while (n && pod[n - 1] == '/')
		n--;
	if (!n || strncmp(file, pod, n) != 0 || file[n] != '/')
		n = (size_t)(strrchr(file, '/') - file);
	if (n >= PATH_MAX)
		return NULL;
	memcpy(buf, file, n);
	buf[n] = '\0';
	return buf;
}

/* The folder that holds the last part, made where it isn't there; no link is followed. */
static int descend(int own_dir, const char *path, const char **ret_last, struct err *err)
{
	_close_ int dir = own_dir;
	char part[NAME_MAX + 1];

	for (;;) {
		size_t n = strcspn(path, "/");
		int next;

		if (!path[n]) {
			*ret_last = path;
			return fd_take(&dir);
		}
		if (n > NAME_MAX || (n == 2 && !memcmp(path, "..", 2)))
			return err_set(err, ERR_INVALID, path, "is no name of a log file");
		memcpy(part, path, n);
		part[n] = '\0';
		path += n + 1;
		if (!n || str_eq(part, "."))
			continue;
		if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, errno, "mkdir", "log folder %s", part);
		next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return err_sys(err, errno, "open", "log folder %s", part);
		fd_close(dir);
		dir = next;
	}
}

static int open_in(int dir, const char *name, struct err *err)
{
	const int flags =
		O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	_close_ int fd = openat(dir, name, flags, 0640);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_INVALID, name, "is a symbolic link");
	if (fd < 0)
		return err_sys(err, errno, "open", "log file %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "log file %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, name, "is not a regular file");
	if (st.st_nlink != 1)
		return err_set(err, ERR_INVALID, name, "is a file with other names (hard links)");
	return fd_take(&fd);
}

int create_log_open(const struct ctr_input *in, const struct guest_wish *w, struct err *err)
{
	const char *file = w->log_file, *folder, *name = NULL;
	_close_ int dir = FD_NONE;
	char buf[PATH_MAX];
	int top, fd;

	if (!file)
		return FD_NONE;
	if (*file != '/') {
		err_set(err, ERR_INVALID, file, "must be absolute");
		return err_in(err, "log_path:");
	}
	folder = folder_of(in, file, buf);
	if (!folder || path_make_dirs(*folder ? folder : "/", 0755, err) < 0)
		return folder ? -1 : err_set(err, ERR_INVALID, "log_path", "is too long");
	top = open(*folder ? folder : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_sys(err, errno, "open", "log directory %s", folder);
	dir = descend(top, file + strlen(folder) + 1, &name, err);
	fd = dir < 0 ? -1 : open_in(dir, name, err);
	return fd < 0 ? err_in(err, "log_path:") : fd;
}

int create_log_write(
	int fd, const struct settings_proxmox *cfg, const struct guest *g, struct err *err)
{
	_str_ struct str line = { 0 };
	char now[PROC_TIME_MAX];

	if (fd < 0)
		return 0;
	str_printf(&line,
		"%s stdout F ctrctl: this container is guest %u on node %s of %s; what it writes goes "
		"to its console there (pct console %u) and can't be had here\n",
		proc_now(now), g->vmid, g->node, cfg->endpoint, g->vmid);
	if (str_ok(&line, err) < 0)
		return -1;
	if (fd_write_all(fd, line.p, line.n) < 0)
		return err_sys(err, errno, "write", "log file %s", g->log_file);
	return 0;
}
