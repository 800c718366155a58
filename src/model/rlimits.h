/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits by name. */
#ifndef MODEL_RLIMITS_H
#define MODEL_RLIMITS_H

/* "RLIMIT_NOFILE" <-> the kernel's number. -1 and NULL for the unknown. */
int rlimit_number(const char *name);
const char *rlimit_name(int number);

#endif
