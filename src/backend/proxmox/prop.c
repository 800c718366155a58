/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/prop.h"

#include <string.h>

/* The byte that can't be in a property string, or 0. */
static unsigned char unfit(const char *s)
{
	for (; *s; s++)
		if (*s == ',' || *s == '=' || (unsigned char)*s < 0x20 || *s == 0x7f)
			return (unsigned char)*s;
	return 0;
}

int pve_prop_add(struct str *out, const char *key, const char *value, struct err *err)
{
	const char *name = key ? key : "value";
	unsigned char c;

	if (key && (!key[0] || unfit(key)))
		return err_set(err, ERR_INVALID, key, "can't be a key of a property string");
	if (!value[0])
		return err_set(err, ERR_INVALID, name, "must not be empty");
	c = unfit(value);
	if (c == ',' || c == '=')
		return err_set(err, ERR_INVALID, name,
			"Proxmox VE can't hold a value with '%c': \"%s\"", c, value);
	if (c)
		return err_set(err, ERR_INVALID, name, "has a control byte (0x%02x)", c);
	if (out->n)
		str_add(out, ",");
	if (key)
		str_printf(out, "%s=", key);
	str_add(out, value);
	return 0;
}

/* One part of a property string. */
static int add_pair(const char *part, size_t n, const char *default_key, struct arena *arena,
	struct ctr_map_str *map, struct err *err)
{
	const char *equals = memchr(part, '=', n);
	struct ctr_pair *p = &map->items[map->n];

	if (!equals && !default_key)
		return err_set(
			err, ERR_INVALID, NULL, "\"%.*s\" has no key", (int)MIN(n, 64), part);
	p->key = equals ? arena_strndup(arena, part, (size_t)(equals - part)) : default_key;
	p->value = equals ? arena_strndup(arena, equals + 1, (size_t)(part + n - equals - 1))
			  : arena_strndup(arena, part, n);
	if (!p->key || !p->value)
		return err_nomem(err);
	if (!p->key[0])
		return err_set(
			err, ERR_INVALID, NULL, "\"%.*s\" has no key", (int)MIN(n, 64), part);
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->items[i].key, p->key))
			return err_set(err, ERR_INVALID, p->key, "is given twice");
	map->n++;
	return 0;
}

int pve_prop_parse(const char *text, const char *default_key, struct arena *arena,
	struct ctr_map_str *ret, struct err *err)
{
	struct ctr_map_str map = { 0 };
	size_t parts = 1, n;

	for (const char *p = text; *p; p++)
		parts += *p == ',';
	map.items = arena_array(arena, parts, sizeof(*map.items));
	if (!map.items)
		return err_nomem(err);
	for (const char *p = text;; p += n + 1) {
		n = strcspn(p, ",");
		/* The server passes over empty parts as well. */
		if (n > 0 && add_pair(p, n, default_key, arena, &map, err) < 0)
			return -1;
		if (!p[n])
			break;
	}
	*ret = map;
	return 0;
}
