/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp -> BPF. Names are resolved by libseccomp, which is loaded only when a filter has to be built; the filter itself
 * comes from an emitter of our own (sorted runs, balanced tree), because libseccomp's takes 11 ms to build and 0.7 ms
 * to load. A test shows that both give the same verdict for every syscall and architecture.
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

/* Checks what needs no kernel: actions, errno values, argument indexes, listener. Places are relative to linux.seccomp. */
int seccomp_check(const struct oci_seccomp *, struct err *) _must_check_;

/* Builds the filter. Names that libseccomp doesn't know are skipped, unless skipping would allow the call: then an error. */
int seccomp_build(const struct oci_seccomp *, struct arena *, struct seccomp_filter *ret, struct err *) _must_check_;

/* The same by way of a cache of compiled filters beneath cache_fd (0700 folder; -1: no cache), keyed by the profile, this build's
 * emitter, libseccomp's version, kernel release and architecture. A damaged entry is rebuilt, a missing one written. */
int seccomp_get(const struct oci_seccomp *, int cache_fd, struct arena *, struct seccomp_filter *ret, struct err *)
	_must_check_;

#endif
