/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp -> BPF. libseccomp gives the numbers of the names, and compiles the few rules that
 * look at arguments; the program is ours (runs of numbers, balanced tree), because libseccomp's own
 * takes 11 ms to build and 0.7 ms to load. A test shows that both give the same verdict for every
 * syscall and architecture. See docs/seccomp.md.
 */
#ifndef NATIVE_SECCOMP_H
#define NATIVE_SECCOMP_H

#include "base/arena.h"
#include "ctrctl/oci.h"

#include <linux/filter.h>

struct seccomp_filter {
	const struct sock_filter *insns; /* in the arena */
	size_t n;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool notify;    /* a rule answers NOTIFY: the listener's fd goes to listenerPath */
};

/* Checks what needs neither kernel nor library: actions, errno values, argument indexes, listener.
 * Places are relative to linux.seccomp. */
int seccomp_check(const struct oci_seccomp *, struct err *) _must_check_;

/* Checks, asks the kernel for the actions and flags (ERR_UNSUPPORTED), builds. Names that
 * libseccomp doesn't know are skipped, unless skipping would allow the call: then an error. */
int seccomp_build(const struct oci_seccomp *, struct arena *, struct seccomp_filter *ret,
	struct err *) _must_check_;

/* The same by way of a cache of compiled filters beneath cache_fd (0700 folder; -1: no cache),
 * keyed by the profile, this build with its libseccomp, kernel release and architecture. A damaged
 * entry is rebuilt, a missing one written. */
int seccomp_get(const struct oci_seccomp *, int cache_fd, struct arena *,
	struct seccomp_filter *ret, struct err *) _must_check_;

#endif
