/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/notify.h"

#include "base/fd.h"
#include "base/json.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/ctrctl-notify-XXXXXX";
static char path[64];

static void setup(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/agent", folder);
}

static void teardown(void)
{
	unlink(path);
	rmdir(folder);
}

TestSuite(notify, .init = setup, .fini = teardown);

static int agent(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path, path, strlen(path));
	cr_assert_eq(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

static const struct json *received(int listening, struct arena *arena, int *ret_fd)
{
	_close_ int sock = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	char buf[4096];
	const struct json *doc = NULL;
	struct err err = ERR_INIT;
	size_t n_fds = 0;
	ssize_t n = fd_recv(sock, buf, sizeof(buf), ret_fd, 1, &n_fds);

	cr_assert_gt(n, 0);
	cr_assert_eq(n_fds, 1, "the fd must come with the first bytes");
	cr_assert_eq(json_parse(buf, (size_t)n, sizeof(buf), arena, &doc, &err), 0, "%s: %.*s",
		err.text, (int)n, buf);
	return doc;
}

Test(notify, sends_the_state_and_the_listener_in_one_message)
{
	const struct oci_seccomp s = { .listener_path = path, .listener_metadata = "key=\"1\"" };
	_arena_ struct arena *arena = arena_new();
	_close_ int listening = agent();
	_close_ int fd = memfd_create("listener", MFD_CLOEXEC);
	_close_ int got = FD_NONE;
	struct err err = ERR_INIT;
	struct stat a, b;

	cr_assert_eq(notify_send(&s, "1.3.0", 42, "{\"id\":\"c1\",\"pid\":42}", fd, &err), 0, "%s",
		err.text);

	const struct json *doc = received(listening, arena, &got);

	cr_assert_str_eq(json_get(doc, "ociVersion")->text, "1.3.0");
	cr_assert_eq(json_get(doc, "fds")->n, 1);
	cr_assert_str_eq(json_get(doc, "fds")->child->text, "seccompFd");
	cr_assert_str_eq(json_get(doc, "pid")->text, "42");
	cr_assert_str_eq(json_get(doc, "metadata")->text, "key=\"1\"");
	cr_assert_str_eq(json_get(json_get(doc, "state"), "id")->text, "c1");
	cr_assert(fstat(fd, &a) == 0 && fstat(got, &b) == 0);
	cr_assert_eq(a.st_ino, b.st_ino);
}

static void fails_at_path(void)
{
	const struct oci_seccomp s = { .listener_path = path };
	struct err err = ERR_INIT;

	cr_assert_eq(notify_send(&s, "1.3.0", 42, "{}", STDIN_FILENO, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_str_eq(err.object, path);
	cr_assert_eq(err.os, 0, "engines take ENOENT's words for a missing program");
	cr_assert(err.hint[0]);
}

Test(notify, names_a_path_without_an_agent)
{
	fails_at_path();
}

Test(notify, names_a_socket_that_nobody_listens_on)
{
	_close_ int fd = agent();

	fd = fd_close(fd);
	fails_at_path();
}

Test(notify, refuses_a_profile_without_a_path)
{
	const struct oci_seccomp s = { 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(notify_send(&s, "1.3.0", 42, "{}", STDIN_FILENO, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_str_eq(err.object, "listenerPath");
}
