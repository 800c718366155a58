/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include "ctrctl/map.h"

#include <string.h>

const char *name_of(const struct name_table *t, int v)
{
	return v >= 0 && (size_t)v < t->n ? t->names[v] : NULL;
}

int name_parse(const struct name_table *t, const char *text)
{
	for (size_t i = 0; text && i < t->n; i++)
		if (t->names[i] && strcmp(t->names[i], text) == 0)
			return (int)i;
	return -1;
}

const char *ctr_map_get(const struct ctr_map_str *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->items[i].key, key) == 0)
			return map->items[i].value;
	return NULL;
}
