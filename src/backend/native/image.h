/* SPDX-License-Identifier: Apache-2.0 */
/* The file that becomes init: its image with the plan behind it. */
#ifndef NATIVE_IMAGE_H
#define NATIVE_IMAGE_H

#include "base/str.h"

/*
 * A sealed memfd with init's image and the packed plan behind it; where executable memfds are
 * refused (vm.memfd_noexec=2), a file of a detached read-only tmpfs. A fresh one for each process:
 * one that is shared could be held open for writing from inside and block every later exec. The fd,
 * or -1 with err.
 */
int image_make(const struct str *plan, struct err *) _must_check_;

#endif
