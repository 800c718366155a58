/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and system calls of the freestanding build on x86_64. */
#ifndef INIT_SYS_X86_64_H
#define INIT_SYS_X86_64_H

#define SYS_ENTRY(start)                    \
	__asm__(".text\n"                   \
		".globl _start\n"           \
		".type _start, @function\n" \
		"_start:\n\t"               \
		"xor %ebp, %ebp\n\t"        \
		"mov %rsp, %rdi\n\t"        \
		"and $-16, %rsp\n\t"        \
		"call " #start "\n\t"       \
		"hlt\n")

static inline long sys_raw(long nr, const long a[6])
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#endif
