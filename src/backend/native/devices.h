/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules as a program: linux.resources.devices compiled to eBPF
 * (BPF_PROG_TYPE_CGROUP_DEVICE).
 *
 * What a rule list means, for each of the accesses r, w, m by itself: the last rule that fits the
 * device and names the access decides; none: denied. A request is granted when all accesses that it
 * asks for are. The always-allowed devices come after the list, so no list takes them away: mknod
 * of anything; null, zero, full, random, urandom, tty, ptmx and the terminals of devpts (5:1 is the
 * host's console and is not among them).
 */
#ifndef NATIVE_DEVICES_H
#define NATIVE_DEVICES_H

#include "base/mem.h"
#include "ctrctl/oci.h"

#include <linux/bpf.h>

/* Types, access letters and numbers of the rules; which is wrong is in err->where: "[3].access". */
int devices_check(const struct oci_device_rule *, size_t n, struct err *) _must_check_;

struct device_program {
	struct bpf_insn *insns; /* in the arena */
	size_t n;
	bool allows_all;
};

/* Compiles a list (n may be 0: the always-allowed only). Pure. ERR_EXHAUSTED when the list is too
 * long for a program. */
struct arena;
int devices_compile(const struct oci_device_rule *, size_t n, struct arena *,
	struct device_program *ret, struct err *) _must_check_;

/* Loads a program. fd, or -1 with the verifier's last words. */
int devices_load(const struct device_program *, struct err *) _must_check_;

/* Attaches prog_fd to a group, in place of the one that this module attached before, atomically;
 * `fresh` says that there is none. Programs of others stay: all must allow. */
int devices_attach(int cgroup_fd, int prog_fd, bool fresh, struct err *) _must_check_;

#endif
