/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/notify.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { WAIT_S = 10 };

/* The state is JSON already, so it goes in as it is, last. */
static void message(const struct oci_seccomp *s, const char *oci_version, pid_t pid,
	const char *state, struct str *out)
{
	struct json_writer w = { .out = out };

	json_w_object(&w);
	json_w_key(&w, "ociVersion");
	json_w_str(&w, oci_version);
	json_w_key(&w, "fds");
	json_w_array(&w);
	json_w_str(&w, "seccompFd");
	json_w_array_end(&w);
	json_w_key(&w, "pid");
	json_w_i64(&w, pid);
	json_w_key(&w, "metadata");
	json_w_str(&w, s->listener_metadata ? s->listener_metadata : "");
	json_w_key(&w, "state");
	str_add(out, state);
	str_add(out, "}");
}

static int connect_to(const char *path, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = WAIT_S };

	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(
			err, ERR_INVALID, path, "is longer than the name of a socket can be");
	memcpy(un.sun_path, path, strlen(path));

	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, errno, "socket", "AF_UNIX");
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return err_sys(err, errno, "setsockopt", "SO_SNDTIMEO");
	/* Not by errno's own words: engines take "no such file" for a missing program. */
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		enum err_code code = errno == EAGAIN ? ERR_TIMEOUT : ERR_UNAVAILABLE;

		err_set(err, code, path, "the seccomp agent can't be reached there (%s)",
			err_errno_name(errno));
		err_hint(err,
			"start the agent that listens on linux.seccomp.listenerPath before the container");
		return -1;
	}
	return fd_take(&fd);
}

int notify_send(const struct oci_seccomp *s, const char *oci_version, pid_t pid, const char *state,
	int listener_fd, struct err *err)
{
	_str_ struct str text = { 0 };

	message(s, oci_version, pid, state, &text);
	if (str_ok(&text, err) < 0)
		return -1;

	if (!s->listener_path)
		return err_set(err, ERR_INVALID, "listenerPath", "is needed for SCMP_ACT_NOTIFY");

	_close_ int sock = connect_to(s->listener_path, err);

	if (sock < 0)
		return -1;

	/* One message: whatever its first read gets, the agent has the fd with it. */
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = text.p, .iov_len = text.n };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &listener_fd, sizeof(int));
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	for (size_t sent = n < 0 ? 0 : (size_t)n; n >= 0 && sent < text.n;
		sent += n < 0 ? 0 : (size_t)n)
		n = send(sock, text.p + sent, text.n - sent, MSG_NOSIGNAL);
	return n < 0 ? err_sys(err, errno, "sendmsg", "seccomp listener to %s", s->listener_path)
		     : 0;
}
