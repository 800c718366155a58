/* SPDX-License-Identifier: Apache-2.0 */
/* What code in the unpacking process could still do, had an archive taken it over. */
#include "image/unpack-int.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char folder[] = "/tmp/ctrctl-test-confine-XXXXXX";

/* Each answers the errno of what it tried, 0 when it succeeded. */
#define TRY(name, call)                        \
	static int name(void)                  \
	{                                      \
		return (call) < 0 ? errno : 0; \
	}

TRY(opens_host_file, open("/etc/passwd", O_RDONLY))
TRY(climbs_out, open("../../../etc/passwd", O_RDONLY))
TRY(opens_low_fd_of_parent, fcntl(CONFINE_FD_N, F_GETFD))
TRY(makes_device, mknodat(CONFINE_ROOT, "null", S_IFCHR | 0666, makedev(1, 3)))
TRY(makes_disk, mknodat(CONFINE_ROOT, "disk", S_IFBLK | 0666, makedev(8, 0)))
TRY(sets_trusted, fsetxattr(CONFINE_ROOT, "trusted.overlay.opaque", "y", 1, 0))
TRY(makes_socket, socket(AF_INET, SOCK_STREAM, 0))
TRY(makes_unix_socket, socket(AF_UNIX, SOCK_STREAM, 0))
TRY(kills_parent, kill(1, 0))
TRY(traces_parent, (int)ptrace(PTRACE_ATTACH, 1, NULL, NULL))
TRY(changes_root, chroot("/"))
TRY(mounts, mount("none", "/", "tmpfs", 0, NULL))
TRY(unshares, unshare(CLONE_NEWUSER))
TRY(executes, (int)syscall(SYS_execve, "/bin/true", NULL, NULL))
TRY(forks, (int)syscall(SYS_fork))
TRY(renames, renameat(CONFINE_ROOT, "a", CONFINE_ROOT, "b"))
TRY(controls, (int)prctl(PR_GET_DUMPABLE))
TRY(makes_executable, mprotect(&folder, 1, PROT_READ | PROT_EXEC))

static int maps_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int speaks_i386(void)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)-r : 0;
#else
	raise(SIGSYS);
	return 0;
#endif
}

/* What it must be able to do. */
TRY(makes_whiteout, mknodat(CONFINE_ROOT, "gone", S_IFCHR, 0))
TRY(makes_fifo, mknodat(CONFINE_ROOT, "fifo", S_IFIFO | 0644, 0))
TRY(chowns, fchownat(CONFINE_ROOT, "fifo", 12345, 12345, AT_SYMLINK_NOFOLLOW))
TRY(maps_memory, mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				 MAP_FAILED
			 ? -1
			 : 0)

static int writes_in_foreign_folder(void)
{
	if (mkdirat(CONFINE_ROOT, "d", 0) < 0 || fchownat(CONFINE_ROOT, "d", 7, 7, 0) < 0)
		return errno;
	int fd = openat(CONFINE_ROOT, "d/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	return fd < 0 || fchmod(fd, 06755) < 0 || ftruncate(fd, 10) < 0 ? errno : 0;
}

static _noreturn_ void in_child(int root, pid_t parent, int (*try)(void))
{
	struct err err = ERR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (confine_fds(null, null, root, &err) < 0 || confine(parent, &err) < 0)
		_exit(255);
	_exit(try());
}

/* The errno that `try` met in a confined process; 1000 and the signal that ended it. */
static int confined(int (*try)(void))
{
	pid_t self = getpid();
	int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
	pid_t pid = fork();

	cr_assert(root >= 0 && pid >= 0);
	if (pid == 0)
		in_child(root, self, try);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	fd_close(root);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void begin(void)
{
	if (geteuid() != 0)
		cr_skip_test("chroot needs root");
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer reads /proc to end a process");
#endif
	cr_assert(mkdtemp(folder));
}

static void end(void)
{
	_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlinkat(fd, "d/file", 0);
	unlinkat(fd, "d", AT_REMOVEDIR);
	unlinkat(fd, "gone", 0);
	unlinkat(fd, "fifo", 0);
	cr_assert(rmdir(folder) == 0);
}

TestSuite(confine, .init = begin, .fini = end);

Test(confine, sees_nothing_of_the_host)
{
	cr_assert_eq(confined(opens_host_file), ENOENT);
	cr_assert_eq(confined(climbs_out), ENOENT);
	cr_assert_eq(confined(opens_low_fd_of_parent), EBADF);
}

Test(confine, makes_no_devices_and_no_trusted_attributes)
{
	cr_assert_eq(confined(makes_device), EPERM);
	cr_assert_eq(confined(makes_disk), EPERM);
	cr_assert_eq(confined(sets_trusted), EPERM);
}

Test(confine, has_no_other_system_calls)
{
	static int (*const tries[])(void) = { makes_socket, makes_unix_socket, kills_parent,
		traces_parent, changes_root, mounts, unshares, executes, forks, renames, controls };

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		cr_assert_eq(confined(tries[i]), ENOSYS, "%zu", i);
	cr_assert_eq(confined(speaks_i386), 1000 + SIGSYS);
}

Test(confine, makes_no_memory_executable)
{
	cr_assert_eq(confined(maps_executable), ENOSYS);
	cr_assert_eq(confined(makes_executable), ENOSYS);
}

Test(confine, can_do_its_work)
{
	cr_assert_eq(confined(makes_whiteout), 0);
	cr_assert_eq(confined(makes_fifo), 0);
	cr_assert_eq(confined(chowns), 0);
	cr_assert_eq(confined(maps_memory), 0);
	cr_assert_eq(confined(writes_in_foreign_folder), 0);
}
