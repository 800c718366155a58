/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static int dir_fd = FD_NONE;

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ctrctl-test-fd.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir_fd, 0);
}

static void remove_dir(void)
{
	DIR *d = fdopendir(dup(dir_fd));

	rewinddir(d);
	for (struct dirent *e; (e = readdir(d));)
		unlinkat(dir_fd, e->d_name, 0);
	closedir(d);
	rmdir(dir);
	fd_close(dir_fd);
}

TestSuite(fd, .init = make_dir, .fini = remove_dir);

static void put(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

Test(fd, close_keeps_errno_and_takes_the_empty_value)
{
	int fd = dup(dir_fd);

	errno = EXDEV;
	fd = fd_close(fd);
	cr_assert_eq(fd, FD_NONE);
	fd = fd_close(fd);
	cr_assert_eq(errno, EXDEV);
}

Test(fd, a_file_is_read_whole)
{
	struct err err = ERR_INIT;
	_free_ char *text = NULL;
	size_t n = 0;

	put("f", "hello");
	cr_assert_eq(file_read(dir_fd, "f", 5, &text, &n, &err), 0);
	cr_assert_str_eq(text, "hello");
	cr_assert_eq(n, 5);
}

Test(fd, a_file_over_the_limit_is_refused)
{
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t n = 0;

	put("f", "hello!");
	cr_assert_eq(file_read(dir_fd, "f", 5, &text, &n, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	cr_assert_null(text);
}

Test(fd, a_big_file_and_a_proc_file_are_read_whole)
{
	struct err err = ERR_INIT;
	_free_ char *big = calloc(1, 300001);
	_free_ char *text = NULL, *stat_text = NULL;
	size_t n = 0;

	memset(big, 'x', 300000);
	put("f", big);
	cr_assert_eq(file_read(dir_fd, "f", 1 << 20, &text, &n, &err), 0);
	cr_assert_eq(n, 300000);
	cr_assert_str_eq(text, big);
	cr_assert_eq(file_read(AT_FDCWD, "/proc/self/mountinfo", 8 << 20, &stat_text, &n, &err), 0);
	cr_assert_eq(strlen(stat_text), n);
}

Test(fd, what_isnt_there_is_not_found_and_a_fifo_doesnt_hang)
{
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t n = 0;

	cr_assert_eq(file_read(dir_fd, "nothing", 5, &text, &n, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	cr_assert_eq(mkfifoat(dir_fd, "fifo", 0600), 0);
	cr_assert_eq(file_read(dir_fd, "fifo", 5, &text, &n, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(file_read(AT_FDCWD, "/dev/zero", 5, &text, &n, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	cr_assert_eq(file_read(AT_FDCWD, "/tmp", 5, &text, &n, &err), -1);
}

Test(fd, replace_is_a_rename_and_leaves_no_temporary)
{
	struct err err = ERR_INIT;
	struct stat before, after;
	size_t names = 0;

	cr_assert_eq(file_replace(dir_fd, "r", "one", 3, 0600, &err), 0);
	cr_assert_eq(fstatat(dir_fd, "r", &before, 0), 0);
	cr_assert_eq(before.st_mode & 07777, 0600);
	cr_assert_eq(file_replace(dir_fd, "r", "two!", 4, 0644, &err), 0);
	cr_assert_eq(fstatat(dir_fd, "r", &after, 0), 0);
	cr_assert_eq(after.st_size, 4);
	cr_assert_eq(after.st_mode & 07777, 0644);
	DIR *d = fdopendir(dup(dir_fd));
	while (readdir(d))
		names++;
	closedir(d);
	cr_assert_eq(names, 3, "., .. and r");
}

Test(fd, replace_fails_cleanly_when_the_target_is_a_directory)
{
	struct err err = ERR_INIT;
	size_t names = 0;

	cr_assert_eq(mkdirat(dir_fd, "d", 0700), 0);
	cr_assert_eq(file_replace(dir_fd, "d", "x", 1, 0600, &err), -1);
	DIR *d = fdopendir(dup(dir_fd));
	while (readdir(d))
		names++;
	closedir(d);
	unlinkat(dir_fd, "d", AT_REMOVEDIR);
	cr_assert_eq(names, 3);
}

Test(fd, put_writes_an_existing_file_only)
{
	put("f", "old");
	cr_assert_eq(file_put(dir_fd, "f", "new"), 0);
	cr_assert_eq(file_put(dir_fd, "absent", "new"), -1);
	cr_assert_eq(errno, ENOENT);
}

Test(fd, fds_travel_over_a_socket)
{
	int pair[2], got[2] = { FD_NONE, FD_NONE };
	size_t n_got = 0;
	char text[8] = "";

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	put("f", "via fd");
	int fd = openat(dir_fd, "f", O_RDONLY);
	cr_assert_eq(fd_send(pair[0], "hi", 2, &fd, 1), 0);
	cr_assert_eq(fd_recv(pair[1], text, sizeof(text), got, 2, &n_got), 2);
	cr_assert_eq(n_got, 1);
	cr_assert_eq(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	cr_assert_eq(read(got[0], text, 6), 6);
	cr_assert_eq(memcmp(text, "via fd", 6), 0);
}

Test(fd, fds_beyond_the_room_are_closed_and_an_error)
{
	int pair[2], got[1] = { FD_NONE }, two[2] = { 0, 1 };
	size_t n_got = 0;
	char text[8];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(fd_send(pair[0], "hi", 2, two, 2), 0);
	int before = dup(0);
	close(before);
	cr_assert_eq(fd_recv(pair[1], text, sizeof(text), got, 1, &n_got), -1);
	cr_assert_eq(errno, EMSGSIZE);
	int after = dup(0);
	cr_assert_eq(after, before, "an fd leaked");
	cr_assert_eq(fd_send(pair[0], "too long a message", 18, NULL, 0), 0);
	cr_assert_eq(fd_recv(pair[1], text, sizeof(text), got, 1, &n_got), -1);
	close(pair[1]);
	cr_assert_eq(fd_send(pair[0], "x", 1, NULL, 0), -1, "and no SIGPIPE");
	cr_assert_eq(errno, EPIPE);
}

Test(fd, missing_standard_fds_are_filled_with_dev_null)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct stat st;
		close(0);
		close(2);
		if (fd_fill_stdio() < 0 || fstat(0, &st) < 0 || st.st_rdev != 0x103 ||
			fstat(2, &st) < 0 || st.st_rdev != 0x103)
			_exit(1);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}
