/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/seccomp_int.h"

#include <linux/audit.h>
#include <string.h>

/* x32 shares x86_64's value in the kernel and has a token of libseccomp's own; everywhere else they
 * are the same. */
#define X32_TOKEN (EM_X86_64 | __AUDIT_ARCH_LE)
#define ROW(nm, value)                        \
	{                                     \
		"SCMP_ARCH_" nm, value, value \
	}

static const struct seccomp_arch archs[] = {
	ROW("X86", AUDIT_ARCH_I386),
	ROW("X86_64", AUDIT_ARCH_X86_64),
	{ "SCMP_ARCH_X32", X32_TOKEN, AUDIT_ARCH_X86_64 },
	ROW("ARM", AUDIT_ARCH_ARM),
	ROW("AARCH64", AUDIT_ARCH_AARCH64),
	ROW("MIPS", AUDIT_ARCH_MIPS),
	ROW("MIPS64", AUDIT_ARCH_MIPS64),
	ROW("MIPS64N32", AUDIT_ARCH_MIPS64N32),
	ROW("MIPSEL", AUDIT_ARCH_MIPSEL),
	ROW("MIPSEL64", AUDIT_ARCH_MIPSEL64),
	ROW("MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32),
	ROW("PPC", AUDIT_ARCH_PPC),
	ROW("PPC64", AUDIT_ARCH_PPC64),
	ROW("PPC64LE", AUDIT_ARCH_PPC64LE),
	ROW("S390", AUDIT_ARCH_S390),
	ROW("S390X", AUDIT_ARCH_S390X),
	ROW("PARISC", AUDIT_ARCH_PARISC),
	ROW("PARISC64", AUDIT_ARCH_PARISC64),
	ROW("RISCV64", AUDIT_ARCH_RISCV64),
	ROW("LOONGARCH64", AUDIT_ARCH_LOONGARCH64),
	ROW("M68K", AUDIT_ARCH_M68K),
	ROW("SH", AUDIT_ARCH_SHEL),
	ROW("SHEB", AUDIT_ARCH_SH),
};

#if defined(__x86_64__) && !defined(__ILP32__)
#define NATIVE "SCMP_ARCH_X86_64"
#elif defined(__x86_64__)
#define NATIVE "SCMP_ARCH_X32"
#elif defined(__i386__)
#define NATIVE "SCMP_ARCH_X86"
#elif defined(__aarch64__)
#define NATIVE "SCMP_ARCH_AARCH64"
#elif defined(__arm__)
#define NATIVE "SCMP_ARCH_ARM"
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE "SCMP_ARCH_RISCV64"
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE "SCMP_ARCH_PPC64LE"
#elif defined(__s390x__)
#define NATIVE "SCMP_ARCH_S390X"
#elif defined(__loongarch64)
#define NATIVE "SCMP_ARCH_LOONGARCH64"
#else
#error "seccomp_arch.c: name this architecture"
#endif

const struct seccomp_arch *seccomp_arch_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		if (strcmp(archs[i].name, name) == 0)
			return &archs[i];
	}
	return NULL;
}

const struct seccomp_arch *seccomp_arch_own(void)
{
	return seccomp_arch_find(NATIVE);
}

bool seccomp_arch_is_x32(const struct seccomp_arch *arch)
{
	return arch->token == X32_TOKEN;
}

bool seccomp_arch_is_s390(const struct seccomp_arch *arch)
{
	return arch->audit == AUDIT_ARCH_S390 || arch->audit == AUDIT_ARCH_S390X;
}
