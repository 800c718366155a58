/* SPDX-License-Identifier: Apache-2.0 */
/* The file descriptors that cross into the container, and the sockets that others are told by. */
#include "cli/cli.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PRESERVE_MAX = 1024 };

/* LISTEN_FDS of the environment, if it is meant for us: systemd's protocol names the process. */
static int read_listen_fds(uint32_t *ret, struct err *err)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t n = 0, who = 0;

	*ret = 0;
	if (!fds || !*fds)
		return 0;
	if (pid && *pid && (parse_u64(pid, INT32_MAX, &who) < 0 || (pid_t)who != getpid()))
		return 0;
	if (parse_u64(fds, PRESERVE_MAX, &n) < 0)
		return err_set(err, ERR_INVALID, "LISTEN_FDS",
			"not a number of file descriptors: %.40s", fds);
	*ret = (uint32_t)n;
	return 0;
}

static int check_fd(int fd, uint32_t n, struct err *err)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_INVALID, NULL, "unable to stat preserved-fd %d (of %u)",
			fd - 2, n);
	if (flags & O_PATH || S_ISDIR(st.st_mode))
		return err_set(err, ERR_DENIED, NULL,
			"preserved-fd %d (of %u) is a directory or a path: the host's file system could be reached by it",
			fd - 2, n);
	/* main has made all of them CLOEXEC */
	if (fcntl(fd, F_SETFD, 0) < 0)
		return err_sys(err, errno, "fcntl", "preserved-fd %d", fd - 2);
	return 0;
}

int attach_check_fds(struct cli *c, struct err *err)
{
	uint32_t n;

	if (read_listen_fds(&c->listen_fds, err) < 0)
		return -1;
	if (c->o.preserve_fds > PRESERVE_MAX)
		return err_set(
			err, ERR_INVALID, "--preserve-fds", "at most %d are allowed", PRESERVE_MAX);
	n = c->o.preserve_fds + c->listen_fds;
	for (uint32_t i = 0; i < n; i++) {
		if (check_fd(3 + (int)i, n, err) < 0)
			return -1;
	}
	return 0;
}

/* A socket's address holds 107 bytes; what is longer is reached through its folder. */
static int fill_address(const char *path, struct sockaddr_un *a, int *own_dir, struct err *err)
{
	const char *slash = strrchr(path, '/');
	_free_ char *dir = NULL;
	int n;

	if (strlen(path) < sizeof(a->sun_path)) {
		memcpy(a->sun_path, path, strlen(path) + 1);
		return 0;
	}
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	if (!dir)
		return err_set(err, ERR_INVALID, path, "the path of the socket is too long");
	*own_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*own_dir < 0)
		return err_set(
			err, ERR_NOT_FOUND, path, "the folder of the socket can't be opened");
	n = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", *own_dir, slash + 1);
	if (n < 0 || (size_t)n >= sizeof(a->sun_path))
		return err_set(err, ERR_INVALID, path, "the name of the socket is too long");
	return 0;
}

int attach_connect(const char *path, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int dir = FD_NONE;
	_close_ int fd = FD_NONE;

	if (!*path)
		return err_set(err, ERR_USAGE, NULL, "the path of the socket is empty");
	if (fill_address(path, &a, &dir, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket", NULL);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd_take(&fd);
	if (errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, path, "the socket is missing");
	if (errno == ECONNREFUSED)
		return err_set(err, ERR_UNAVAILABLE, path, "nobody listens on the socket");
	return err_sys(err, errno, "connect", "%s", path);
}

void attach_sockets_close(struct attach_sockets *s)
{
	s->console = fd_close(s->console);
	s->pidfd = fd_close(s->pidfd);
}

int attach_open(
	const struct cli *c, struct attach_sockets *own, struct ctr_attach *ret, struct err *err)
{
	*ret = (struct ctr_attach)CTR_ATTACH_INIT;
	if (c->o.console_socket) {
		own->console = attach_connect(c->o.console_socket, err);
		if (own->console < 0)
			return err_in(err, "console socket:");
		ret->console_socket = own->console;
	}
	if (c->o.pidfd_socket) {
		own->pidfd = attach_connect(c->o.pidfd_socket, err);
		if (own->pidfd < 0)
			return err_in(err, "pidfd socket:");
		ret->pidfd_socket = own->pidfd;
	}
	ret->preserve_fds = c->o.preserve_fds + c->listen_fds;
	ret->listen_fds = c->listen_fds;
	return 0;
}
