/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that check CRI messages: where the check is, and what it found. Private to
 * model/cri-check*.c. */
#ifndef MODEL_CRI_CHECK_H
#define MODEL_CRI_CHECK_H

#include "model/cri-tables.h"

struct cri_check {
	struct ctr_faults *faults;
	size_t n;
	char where[160]; /* "config.mounts[2]" */
};

/* Goes into a part; cri_leave gets what cri_enter returned. */
size_t cri_enter(struct cri_check *, const char *fmt, ...) _must_check_ _printf_(2, 3);
void cri_leave(struct cri_check *, size_t mark);

/* A fault of `field` in the part where the check is; "" is the part itself. */
void cri_fault(struct cri_check *, enum err_code, const char *field, const char *fmt, ...)
	_printf_(4, 5);

/* ---- rules of one value; NULL is none and breaks no rule ---- */

/* UTF-8 without control characters: what may reach a line of a file or a terminal. */
bool cri_is_plain(const char *text);
void cri_check_plain(struct cri_check *, const char *field, const char *text);
/* Absolute, plain, at most 4095 bytes. */
void cri_check_path(struct cri_check *, const char *field, const char *path);
/* Relative, plain, stays where it is: no "..", not empty. */
void cri_check_relative_path(struct cri_check *, const char *field, const char *path);
/* Is ".." a component of it? */
bool cri_has_dotdot(const char *path);

/* ---- parts ---- */

void cri_check_mount(struct cri_check *, const struct cri_mount *, bool privileged);
void cri_check_device(struct cri_check *, const struct cri_device *);
/* Of a mount or of a user namespace; the numbers only. */
void cri_check_id_maps(
	struct cri_check *, const char *field, const struct cri_id_mapping *, size_t n);
void cri_check_resources(struct cri_check *, const struct cri_linux_container_resources *);
void cri_check_container_security(
	struct cri_check *, const struct cri_linux_container_security_context *);
void cri_check_pod_security(struct cri_check *, const struct cri_linux_sandbox_security_context *);
void cri_check_sysctls(struct cri_check *, const struct cri_pod_sandbox_config *);
void cri_check_ports(struct cri_check *, const struct cri_pod_sandbox_config *);
void cri_check_dns(struct cri_check *, const struct cri_dns_config *);

#endif
