/* SPDX-License-Identifier: Apache-2.0 */
/* Names <-> values by table. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/mem.h"

/* Dense: names[value]; holes are NULL. */
struct name_table {
	const char *const *names;
	size_t n;
};
#define NAMES(array) ((struct name_table){ (array), ARRAY_SIZE(array) })

/* The name of v or NULL; the value of text or -1. */
const char *name_of(const struct name_table *, int v);
int name_parse(const struct name_table *, const char *text);

#endif
