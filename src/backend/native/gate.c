/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/gate.h"

#include "init/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GATE_BACKLOG = 8 };

static socklen_t gate_address(int dir_fd, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/" GATE_NAME, dir_fd);
	return sizeof(*a);
}

int gate_listen(int dir_fd, struct err *err)
{
	struct sockaddr_un a;
	socklen_t len = gate_address(dir_fd, &a);
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket", "start gate");
	if (bind(fd, (struct sockaddr *)&a, len) < 0)
		return err_sys(err, errno, "bind", "start gate");
	if (listen(fd, GATE_BACKLOG) < 0)
		return err_sys(err, errno, "listen", "start gate");
	return fd_take(&fd);
}

int gate_start(int dir_fd, int hook_in, struct err *err)
{
	struct wire_msg m = { .kind = WIRE_START };
	struct sockaddr_un a;
	socklen_t len = gate_address(dir_fd, &a);
	_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket", "start gate");
	if (connect(fd, (struct sockaddr *)&a, len) < 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return err_set(err, ERR_STATE, NULL, "nobody waits at the start gate");
		return err_sys(err, errno, "connect", "start gate");
	}
	if (fd_send(fd, &m, sizeof(m), &hook_in, hook_in >= 0 ? 1 : 0) < 0)
		return err_sys(err, errno, "send", "start gate");
	return fd_take(&fd);
}

bool gate_is_there(int dir_fd)
{
	return faccessat(dir_fd, GATE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void gate_remove(int dir_fd)
{
	unlinkat(dir_fd, GATE_NAME, 0);
}
