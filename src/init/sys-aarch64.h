/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and system calls of the freestanding build on aarch64. */
#ifndef INIT_SYS_AARCH64_H
#define INIT_SYS_AARCH64_H

#define SYS_ENTRY(start)                    \
	__asm__(".text\n"                   \
		".globl _start\n"           \
		".type _start, %function\n" \
		"_start:\n\t"               \
		"mov x29, #0\n\t"           \
		"mov x30, #0\n\t"           \
		"mov x0, sp\n\t"            \
		"b " #start "\n")

static inline long sys_raw(long nr, const long a[6])
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#endif
