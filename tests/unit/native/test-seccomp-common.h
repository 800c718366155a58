/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the seccomp tests: profiles, a small interpreter of BPF, and libseccomp's own filter of
 * a profile. */
#ifndef TEST_SECCOMP_COMMON_H
#define TEST_SECCOMP_COMMON_H

#include "backend/native/seccomp_int.h"

struct program {
	const struct sock_filter *insns;
	size_t n;
};

/* What the kernel would make of a call; aborts on a program that the kernel would refuse. */
uint32_t program_run(struct program, const struct seccomp_data *);

/* The profile that containerd makes for these capabilities (NULL-terminated), from the facts in
 * tests/data. */
struct oci_seccomp *profile_default(struct arena *, const char *const *caps);

/* A profile in few words. */
struct oci_seccomp *profile_new(struct arena *, int default_action, const char *const *archs);
struct oci_seccomp_rule *profile_rule(
	struct arena *, struct oci_seccomp *, const char *name, int action);
void profile_errno(struct arena *, struct oci_seccomp_rule *, uint32_t value);
void profile_arg(struct arena *, struct oci_seccomp_rule *, uint32_t index, int op, uint64_t value,
	uint64_t two);

/* The program that libseccomp makes of a profile, in the way that runc asks for it; 0, or a
 * negative errno. With an audit value: for the architectures that share it alone, and without the
 * names that these lack: libseccomp 2.5.4 may forget to load the syscall's number when the first
 * rule that it writes is for a call that the architecture hasn't got. */
int reference_compile(struct arena *, const struct oci_seccomp *, const struct seccomp_arch *native,
	uint32_t audit, struct program *);

/* Largest number that a profile names on an architecture, 0 for none. */
uint32_t reference_last(const struct oci_seccomp *, const struct seccomp_arch *);

/* Reproducible numbers. */
uint32_t rnd(uint64_t *state, uint32_t below);

#endif
