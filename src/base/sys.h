/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that a libc may lack, with its contract: -1 and errno. Constants that headers may
 * lack. The only file with such #ifndefs. <sys/mount.h> has the new mount API since glibc 2.36;
 * <linux/mount.h> clashes with it, so it is never included.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

/* Linux 5.6 */
int sys_openat2(int dirfd, const char *path, const struct open_how *how);
/* Linux 5.2 */
int sys_open_tree(int dirfd, const char *path, unsigned flags);
int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int sys_fsopen(const char *type, unsigned flags);
int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux);
int sys_fsmount(int fs_fd, unsigned flags, unsigned attr_flags);
int sys_fspick(int dirfd, const char *path, unsigned flags);
/* Linux 5.12 */
int sys_mount_setattr(int dirfd, const char *path, unsigned flags, const struct mount_attr *attr);
/* Linux 5.3; without CLONE_VM only (the child returns from this function on its own stack).
 * INTO_CGROUP 5.7. */
pid_t sys_clone3(const struct clone_args *args);
/* Linux 5.9, CLOEXEC 5.11 */
int sys_close_range(unsigned first, unsigned last, unsigned flags);
/* Linux 5.3, 5.1, 5.6 */
int sys_pidfd_open(pid_t pid, unsigned flags);
int sys_pidfd_send_signal(int pidfd, int signo);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef FSCONFIG_CMD_CREATE_EXCL
#define FSCONFIG_CMD_CREATE_EXCL 8
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#ifndef PR_SET_MM
#define PR_SET_MM 35
#endif
#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif
#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#ifndef SCHED_ISO
#define SCHED_ISO 4
#endif

#endif
