/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For builds that measure coverage: the counters of a process are written when it calls exit().
 * Here they are written where a process ends or changes in another way, too: _exit(), execveat(),
 * and chroot(), after which their files are out of reach. Linked by src/base/meson.build with
 * --wrap.
 */
#include <sys/types.h>

extern void __gcov_dump(void);
extern void __gcov_reset(void);
extern void __real__exit(int status) __attribute__((noreturn));
extern int __real_chroot(const char *path);
extern int __real_sys_execveat(
	int fd, const char *path, char *const argv[], char *const envp[], int flags);
extern void __wrap__exit(int status) __attribute__((noreturn));
extern int __wrap_chroot(const char *path);
extern int __wrap_sys_execveat(
	int fd, const char *path, char *const argv[], char *const envp[], int flags);

/* Counted on from zero: a second dump without it writes nothing. */
static void write_counters(void)
{
	__gcov_dump();
	__gcov_reset();
}

/* Weak: a test may have its own. */
__attribute__((weak)) void __wrap__exit(int status)
{
	write_counters();
	__real__exit(status);
}

__attribute__((weak)) int __wrap_chroot(const char *path)
{
	write_counters();
	return __real_chroot(path);
}

__attribute__((weak)) int __wrap_sys_execveat(
	int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	write_counters();
	return __real_sys_execveat(fd, path, argv, envp, flags);
}
