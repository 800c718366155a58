/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects with free keys, as the parsed documents hold them. */
#ifndef CTRCTL_MAP_H
#define CTRCTL_MAP_H

#include <stddef.h>

struct ctr_pair {
	const char *key, *value;
};

/* An object of strings, in the order of the document. */
struct ctr_map_str {
	struct ctr_pair *items;
	size_t n;
};

/* An object of objects: keys[i] belongs to the i-th struct in items. */
struct ctr_map_obj {
	const char **keys;
	void *items;
	size_t n;
};

/* The value of a key, or NULL. */
const char *ctr_map_get(const struct ctr_map_str *, const char *key);

#endif
