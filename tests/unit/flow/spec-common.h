/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of spec_build share. */
#ifndef TEST_SPEC_COMMON_H
#define TEST_SPEC_COMMON_H

#include "spec-case.h"

struct built {
	struct arena *arena;
	struct spec_case c;
	struct oci_spec *spec;
	struct ctr_faults faults;
	struct err err;
};

/* Parses a request. */
void built_init(struct built *, const char *json);
/* The same with fixed metadata and a sandbox: `config` and `pod` are members to be put in, "" for
 * none; single quotes stand for double ones. */
void built_members(struct built *, const char *config, const char *pod);
void built_done(struct built *);
#define _built_ _cleanup_(built_done)

#define SEC "config.linux.security_context."

/* Builds, and asserts that it worked and that the result passes the rules of config.json. */
const struct oci_spec *built_spec(struct built *);
/* Builds, asserts that it was refused, and that a fault names this field. */
void built_refused(struct built *, const char *field, const char *text);

/* The value of a variable of process.env, or NULL. */
const char *env_of(const struct oci_spec *, const char *name);
const struct oci_mount *mount_at(const struct oci_spec *, const char *destination);
/* Options joined by ",". */
const char *options_of(struct built *, const struct oci_mount *);
/* Any list of texts joined by " ". */
const char *joined(struct built *, const char *const *, size_t n);

#endif
