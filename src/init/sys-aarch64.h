/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and system calls of the freestanding build on aarch64. */
#ifndef INIT_SYS_AARCH64_H
#define INIT_SYS_AARCH64_H

/* _start hands the kernel's stack to start_c(). sys_enter takes number and arguments in the
 * kernel's registers. */
#define SYS_TEXT                                    \
	__asm__(".text\n"                           \
		".globl _start\n"                   \
		".type _start, %function\n"         \
		"_start:\n\t"                       \
		"mov x29, #0\n\t"                   \
		"mov x30, #0\n\t"                   \
		"mov x0, sp\n\t"                    \
		"b start_c\n"                       \
		".globl sys_enter\n"                \
		".type sys_enter, %function\n"      \
		"sys_enter:\n\t"                    \
		"svc #0\n\t"                        \
		"cmn x0, #4095\n\t"                 \
		"b.cc 1f\n\t"                       \
		"adrp x9, sys_failed\n\t"           \
		"str x8, [x9, #:lo12:sys_failed]\n" \
		"1:\tret\n")

#define SYS_REG(name, reg, value) register long name __asm__(reg) = (long)(value)
#define SYS_ENTER(nr, ...)                                       \
	({                                                       \
		SYS_REG(x8, "x8", nr);                           \
		__asm__ volatile("bl sys_enter"                  \
				 : "+r"(x0)                      \
				 : "r"(x8), ##__VA_ARGS__        \
				 : "x9", "x30", "memory", "cc"); \
		x0;                                              \
	})

static inline __attribute__((always_inline)) long sys0(long nr)
{
	SYS_REG(x0, "x0", 0);

	return SYS_ENTER(nr);
}

static inline __attribute__((always_inline)) long sys1(long nr, long a)
{
	SYS_REG(x0, "x0", a);

	return SYS_ENTER(nr);
}

static inline __attribute__((always_inline)) long sys2(long nr, long a, long b)
{
	SYS_REG(x0, "x0", a);
	SYS_REG(x1, "x1", b);

	return SYS_ENTER(nr, "r"(x1));
}

static inline __attribute__((always_inline)) long sys3(long nr, long a, long b, long c)
{
	SYS_REG(x0, "x0", a);
	SYS_REG(x1, "x1", b);
	SYS_REG(x2, "x2", c);

	return SYS_ENTER(nr, "r"(x1), "r"(x2));
}

static inline __attribute__((always_inline)) long sys4(long nr, long a, long b, long c, long d)
{
	SYS_REG(x0, "x0", a);
	SYS_REG(x1, "x1", b);
	SYS_REG(x2, "x2", c);
	SYS_REG(x3, "x3", d);

	return SYS_ENTER(nr, "r"(x1), "r"(x2), "r"(x3));
}

static inline __attribute__((always_inline)) long sys5(
	long nr, long a, long b, long c, long d, long e)
{
	SYS_REG(x0, "x0", a);
	SYS_REG(x1, "x1", b);
	SYS_REG(x2, "x2", c);
	SYS_REG(x3, "x3", d);
	SYS_REG(x4, "x4", e);

	return SYS_ENTER(nr, "r"(x1), "r"(x2), "r"(x3), "r"(x4));
}

static inline __attribute__((always_inline)) long sys6(
	long nr, long a, long b, long c, long d, long e, long f)
{
	SYS_REG(x0, "x0", a);
	SYS_REG(x1, "x1", b);
	SYS_REG(x2, "x2", c);
	SYS_REG(x3, "x3", d);
	SYS_REG(x4, "x4", e);
	SYS_REG(x5, "x5", f);

	return SYS_ENTER(nr, "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5));
}

#endif
