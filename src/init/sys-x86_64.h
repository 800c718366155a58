/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and system calls of the freestanding build on x86_64. */
#ifndef INIT_SYS_X86_64_H
#define INIT_SYS_X86_64_H

/* _start hands the kernel's stack to start_c(). sys_enter takes number and arguments in the
 * kernel's registers, so that a call costs a few bytes at each of its many places. No red zone (see
 * meson.build): it is called from inline assembly. */
#define SYS_TEXT                               \
	__asm__(".text\n"                      \
		".globl _start\n"              \
		".type _start, @function\n"    \
		"_start:\n\t"                  \
		"xor %ebp, %ebp\n\t"           \
		"mov %rsp, %rdi\n\t"           \
		"and $-16, %rsp\n\t"           \
		"call start_c\n\t"             \
		"hlt\n"                        \
		".globl sys_enter\n"           \
		".type sys_enter, @function\n" \
		"sys_enter:\n\t"               \
		"push %rax\n\t"                \
		"syscall\n\t"                  \
		"pop %rcx\n\t"                 \
		"cmp $-4095, %rax\n\t"         \
		"jb 1f\n\t"                    \
		"mov %rcx, sys_failed(%rip)\n" \
		"1:\tret\n")

#define SYS_REG(name, reg, value) register long name __asm__(reg) = (long)(value)
#define SYS_ENTER(nr, ...)                                        \
	({                                                        \
		long ret_;                                        \
		__asm__ volatile("call sys_enter"                 \
				 : "=a"(ret_)                     \
				 : "0"((long)(nr)), ##__VA_ARGS__ \
				 : "rcx", "r11", "memory", "cc"); \
		ret_;                                             \
	})

static inline __attribute__((always_inline)) long sys0(long nr)
{
	return SYS_ENTER(nr);
}

static inline __attribute__((always_inline)) long sys1(long nr, long a)
{
	return SYS_ENTER(nr, "D"(a));
}

static inline __attribute__((always_inline)) long sys2(long nr, long a, long b)
{
	return SYS_ENTER(nr, "D"(a), "S"(b));
}

static inline __attribute__((always_inline)) long sys3(long nr, long a, long b, long c)
{
	return SYS_ENTER(nr, "D"(a), "S"(b), "d"(c));
}

static inline __attribute__((always_inline)) long sys4(long nr, long a, long b, long c, long d)
{
	SYS_REG(r10, "r10", d);

	return SYS_ENTER(nr, "D"(a), "S"(b), "d"(c), "r"(r10));
}

static inline __attribute__((always_inline)) long sys5(
	long nr, long a, long b, long c, long d, long e)
{
	SYS_REG(r10, "r10", d);
	SYS_REG(r8, "r8", e);

	return SYS_ENTER(nr, "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8));
}

static inline __attribute__((always_inline)) long sys6(
	long nr, long a, long b, long c, long d, long e, long f)
{
	SYS_REG(r10, "r10", d);
	SYS_REG(r8, "r8", e);
	SYS_REG(r9, "r9", f);

	return SYS_ENTER(nr, "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9));
}

#endif
