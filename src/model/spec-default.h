/* SPDX-License-Identifier: Apache-2.0 */
/* The config.json that `ctrctl spec` starts a bundle with. */
#ifndef MODEL_SPEC_DEFAULT_H
#define MODEL_SPEC_DEFAULT_H

#include "base/str.h"

/* A shell on a terminal in ./rootfs, read-only, six namespaces; indented JSON with a line break at
 * the end. */
int spec_default_text(struct str *out, struct err *) _must_check_;

#endif
