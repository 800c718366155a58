/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone3(2) that runs a function in the child, on a stack of its own where memory is shared. glibc
 * has no wrapper for it.
 */
#ifndef NATIVE_CLONE_H
#define NATIVE_CLONE_H

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>

#include <linux/sched.h>

/*
 * Runs fn(arg) in a new process and exits it with what fn returns. The pid, or -1 with errno. With
 * CLONE_VM args->stack must be set, and fn may use nothing but system calls: it shares the caller's
 * memory (errno included) while the caller sleeps (CLONE_VFORK). Without CLONE_VM fn works on a
 * copy.
 */
#if defined(__x86_64__)
static inline pid_t clone_call(struct clone_args *args, int (*fn)(void *), void *arg)
{
	long r;
	register int (*func)(void *) __asm__("r13") = fn;
	register void *data __asm__("r12") = arg;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r12, %%rdi\n\t"
			 "call *%%r13\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(r)
			 : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(func),
			 "r"(data), [exit] "i"(SYS_exit_group)
			 : "rcx", "r11", "memory", "cc");
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return (pid_t)r;
}
#elif defined(__aarch64__)
static inline pid_t clone_call(struct clone_args *args, int (*fn)(void *), void *arg)
{
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);
	register long x8 __asm__("x8") = SYS_clone3;
	register int (*func)(void *) __asm__("x19") = fn;
	register void *data __asm__("x20") = arg;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, xzr\n\t"
			 "mov x0, x20\n\t"
			 "blr x19\n\t"
			 "mov x8, %[exit]\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x8), "r"(func), "r"(data), [exit] "i"(SYS_exit_group)
			 : "memory", "cc", "x30");
	if (x0 < 0) {
		errno = (int)-x0;
		return -1;
	}
	return (pid_t)x0;
}
#else
#error "clone_call needs an implementation for this architecture"
#endif

#endif
