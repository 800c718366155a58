/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of seccomp share: architectures, libseccomp, the assembler. Not for other modules.
 */
#ifndef NATIVE_SECCOMP_INT_H
#define NATIVE_SECCOMP_INT_H

#include "backend/native/seccomp.h"
#include "base/str.h"

#include <linux/bpf_common.h>
#include <linux/seccomp.h>

/* ---- actions (seccomp_check.c) ---- */

/* The value a filter returns for an action; errno_ret NULL means EPERM. */
uint32_t seccomp_ret(int action, const uint32_t *errno_ret);

/* Does the action let the call run without anybody being asked? */
bool seccomp_permits(int action);

/* ---- architectures (seccomp_arch.c) ---- */

#define SECCOMP_X32_BIT 0x40000000U

struct seccomp_arch {
	const char *name; /* as in config.json */
	uint32_t token;   /* libseccomp's name for it */
	uint32_t audit;   /* what the kernel puts into seccomp_data.arch */
};

/* By name, NULL when there is none such. */
const struct seccomp_arch *seccomp_arch_find(const char *name);
const struct seccomp_arch *seccomp_arch_own(void);
bool seccomp_arch_is_x32(const struct seccomp_arch *);
bool seccomp_arch_is_s390(const struct seccomp_arch *);

/* ---- libseccomp (seccomp_lib.c, the only file that includes its header) ---- */

/* "2.5.4". */
const char *seccomp_lib_version(void);

/* The number of a call. Negative numbers are libseccomp's own: the call doesn't exist by itself on
 * this architecture. */
#define SECCOMP_NR_UNKNOWN \
	(-1) /* the library has never heard of the call, or of the architecture */
int seccomp_lib_number(const struct seccomp_arch *, const char *name);

struct seccomp_lib_rule {
	const char *name;
	uint32_t ret;
	const struct oci_seccomp_arg
		*args; /* ANDed; a repeated index makes one rule of each (OR) */
	size_t n_args;
	size_t index; /* which of syscalls[] */
};

/* Lets the library itself build the filter of some rules for one architecture; the program is in
 * the arena. */
int seccomp_lib_compile(const struct seccomp_arch *, uint32_t default_ret,
	const struct seccomp_lib_rule *, size_t n, struct arena *, const struct sock_filter **ret,
	size_t *ret_n, struct err *) _must_check_;

/* ---- assembler (seccomp_bpf.c) ---- */

/*
 * A program is written from its end to its start, so that every jump's target is known when the
 * jump is written. An address counts from the end: the last instruction has address 1, the next to
 * be written has n + 1. Too long a program sets `full` and is otherwise harmless.
 */
struct bpf_asm {
	struct sock_filter insns[BPF_MAXINSNS];
	unsigned n;
	bool full;
	struct {
		uint32_t value;
		unsigned at;
	} rets[16];
	size_t n_rets;
};

/* Each returns the address of what does the job, which need not be a new instruction. */
unsigned bpf_ret(struct bpf_asm *, uint32_t value);
unsigned bpf_load(struct bpf_asm *, uint32_t offset, unsigned next);
unsigned bpf_jump(struct bpf_asm *, uint16_t code, uint32_t k, unsigned yes, unsigned no);

/* The finished program. */
static inline const struct sock_filter *bpf_start(const struct bpf_asm *a)
{
	return a->insns + BPF_MAXINSNS - a->n;
}

/*
 * What a program does with one syscall number on one architecture: returns a value (known = true),
 * or goes on at instruction `pc` by looking at the call's arguments. -1: an instruction that isn't
 * known here.
 */
struct bpf_outcome {
	bool known;
	uint32_t value;
	size_t pc;
};
int bpf_follow(const struct sock_filter *, size_t n, uint32_t audit, uint32_t nr,
	struct bpf_outcome *ret) _must_check_;

/* Copies what can be reached from instruction `pc`; map has n entries, zeroed before the first call
 * for a program. The address of the copy, 0 when an instruction isn't known here. */
unsigned bpf_graft(
	struct bpf_asm *, const struct sock_filter *, size_t n, size_t pc, unsigned *map);

/* ---- compiler (seccomp_compile.c) ---- */

/* The program of a profile as it has to be on a machine of architecture `native`; instructions in
 * the arena. */
int seccomp_compile(const struct oci_seccomp *, const struct seccomp_arch *native, struct arena *,
	const struct sock_filter **ret, size_t *ret_n, struct err *) _must_check_;

/* The flags for seccomp(2), after asking the kernel for them and for the actions. */
int seccomp_kernel_check(
	const struct oci_seccomp *, struct seccomp_filter *, struct err *) _must_check_;

/* ---- cache (seccomp_cache.c) ---- */

#define SECCOMP_CACHE_FOLDER  "seccomp"
#define SECCOMP_CACHE_ENTRIES 64

#define SECCOMP_CACHE_NAME 17 /* bytes of an entry's name, with the NUL */

/* Adds to an empty text all that decides about the filter: no two different profiles, builds or
 * releases of the kernel give the same bytes. */
int seccomp_cache_key(const struct oci_seccomp *, const char *build, const char *release,
	struct str *ret, struct err *) _must_check_;

/* The file of a key. */
void seccomp_cache_name(const struct str *key, char ret[SECCOMP_CACHE_NAME]);

#endif
