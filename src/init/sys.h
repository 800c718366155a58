/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls for init and the monitor: the kernel's headers and its convention (a result, or
 * -errno), no libc. The hosted build, made for unit tests and sanitizers, goes through syscall(2)
 * of the libc and is otherwise the same code.
 */
#ifndef INIT_SYS_H
#define INIT_SYS_H

#include <stddef.h>
#include <stdint.h>

#ifdef INIT_HOSTED
#include <errno.h>
long syscall(long nr, ...);
#endif

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/signalfd.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/uio.h>
#include <linux/wait.h>

/* linux/stat.h leaves these to the libc where it sees one. */
#ifndef S_IFMT
#define S_IFMT   00170000
#define S_IFREG  0100000
#define S_IFCHR  0020000
#define S_IFDIR  0040000
#define S_IFBLK  0060000
#define S_IFLNK  0120000
#define S_IFSOCK 0140000
#endif

/* __NR_ of the last call that failed: a report tells it. */
extern long sys_failed;

#ifdef INIT_HOSTED
long sys_call(long nr, long a, long b, long c, long d, long e, long f);

#define sys0(nr)                   sys_call(nr, 0, 0, 0, 0, 0, 0)
#define sys1(nr, a)                sys_call(nr, a, 0, 0, 0, 0, 0)
#define sys2(nr, a, b)             sys_call(nr, a, b, 0, 0, 0, 0)
#define sys3(nr, a, b, c)          sys_call(nr, a, b, c, 0, 0, 0)
#define sys4(nr, a, b, c, d)       sys_call(nr, a, b, c, d, 0, 0)
#define sys5(nr, a, b, c, d, e)    sys_call(nr, a, b, c, d, e, 0)
#define sys6(nr, a, b, c, d, e, f) sys_call(nr, a, b, c, d, e, f)
#elif defined(__x86_64__)
#include "sys-x86_64.h"
#elif defined(__aarch64__)
#include "sys-aarch64.h"
#else
#error "no system calls for this architecture"
#endif

/* SYS2(setns, fd, kind): a result, or -errno. The kernel ignores the arguments that aren't given.
 */
#define SYS0(name)             sys0(__NR_##name)
#define SYS1(name, a)          sys1(__NR_##name, (long)(a))
#define SYS2(name, a, b)       sys2(__NR_##name, (long)(a), (long)(b))
#define SYS3(name, a, b, c)    sys3(__NR_##name, (long)(a), (long)(b), (long)(c))
#define SYS4(name, a, b, c, d) sys4(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d))
#define SYS5(name, a, b, c, d, e) \
	sys5(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
#define SYS6(name, a, b, c, d, e, f) \
	sys6(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The kernel's layouts that its headers keep for the libc. */
struct sys_msghdr {
	void *name;
	int32_t namelen;
	struct iovec *iov;
	size_t iovlen;
	void *control;
	size_t controllen;
	uint32_t flags;
};

/* Room for exactly one fd: a second one would be closed by the kernel. */
struct sys_cmsg_fd {
	size_t len;
	int32_t level, type, fd;
};

/* The same for up to four. */
struct sys_cmsg_fds {
	size_t len;
	int32_t level, type, fd[4];
};

#define SYS_CMSG_FD_LEN  (offsetof(struct sys_cmsg_fd, fd) + sizeof(int32_t))
#define SYS_SOL_SOCKET   1
#define SYS_SCM_RIGHTS   1
#define SYS_AF_UNIX      1
#define SYS_AF_NETLINK   16
#define SYS_SOCK_RAW     3
#define SYS_SOCK_CLOEXEC O_CLOEXEC
#define SYS_CMSG_CLOEXEC 0x40000000
#define SYS_MSG_NOSIGNAL 0x4000
#define SYS_MSG_DONTWAIT 0x40
#define SYS_MSG_CTRUNC   0x8
#define SYS_MSG_TRUNC    0x20
#define SYS_SO_PEERCRED  17

#endif
