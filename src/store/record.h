/* SPDX-License-Identifier: Apache-2.0 */
/* state.json: one field table for both ways. */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/json.h"
#include "ctrctl/backend.h"

enum { RECORD_VERSION = 1, RECORD_BYTES_MAX = 16 << 20 };

/* The text of a record. */
void record_write(const struct ctr_record *, struct str *out);

/* The record of a text; strings live in the arena. Another version, unknown members and
 * contradictions are ERR_INVALID. */
int record_read(const char *text, size_t n, struct arena *, struct ctr_record *ret,
	struct err *) _must_check_;

#endif
