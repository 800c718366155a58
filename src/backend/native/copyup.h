/* SPDX-License-Identifier: Apache-2.0 */
/* tmpcopyup: what lies at a tmpfs's destination is copied into it before it is mounted there. */
#ifndef NATIVE_COPYUP_H
#define NATIVE_COPYUP_H

#include "base/fd.h"

/* Copies the tree beneath from_fd into to_fd with modes, owners, times, extended attributes and
 * symlinks. Nothing outside of from_fd is ever read: every component is opened without following
 * links. Device nodes and sockets are refused. */
int copyup(int from_fd, int to_fd, struct err *) _must_check_;

#endif
