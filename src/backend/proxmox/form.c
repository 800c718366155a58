/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/form.h"

#include <stdarg.h>
#include <string.h>

void pve_encode(struct str *out, const char *text, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.' || c == '~') {
			str_addn(out, &text[i], 1);
			continue;
		}
		const char hex[] = { '%', digits[c >> 4], digits[c & 15] };
		str_addn(out, hex, sizeof(hex));
	}
}

static struct pve_param *find(const struct pve_form *form, const char *name)
{
	for (size_t i = 0; i < form->n; i++)
		if (str_eq(form->items[i].name, name))
			return &form->items[i];
	return NULL;
}

/* A row at the end, without a name yet. */
static struct pve_param *append(struct pve_form *form)
{
	if (form->n == form->cap) {
		size_t cap = form->cap ? form->cap * 2 : 16;
		struct pve_param *items = arena_array(form->arena, cap, sizeof(*items));
		if (!items)
			return NULL;
		if (form->n)
			memcpy(items, form->items, form->n * sizeof(*items));
		form->items = items;
		form->cap = cap;
	}
	return &form->items[form->n++];
}

void pve_form_setn(
	struct pve_form *form, const char *name, const char *value, size_t n, const char *from)
{
	struct pve_param *p = find(form, name);
	char *copy = arena_alloc(form->arena, n + 1);
	char *from_copy = from ? arena_strdup(form->arena, from) : NULL;
	char *name_copy = p ? NULL : arena_strdup(form->arena, name);

	if (!p && copy && name_copy)
		p = append(form);
	if (!p || !copy || (from && !from_copy)) {
		form->failed = true;
		return;
	}
	if (n)
		memcpy(copy, value, n);
	if (name_copy)
		p->name = name_copy;
	p->value = copy;
	p->n = n;
	p->from = from_copy;
}

void pve_form_set(struct pve_form *form, const char *name, const char *value, const char *from)
{
	pve_form_setn(form, name, value, strlen(value), from);
}

void pve_form_setf(struct pve_form *form, const char *name, const char *from, const char *fmt, ...)
{
	_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		form->failed = true;
		return;
	}
	pve_form_setn(form, name, text, (size_t)n, from);
}

void pve_form_hide(struct pve_form *form, const char *name)
{
	struct pve_param *p = find(form, name);

	if (p)
		p->secret = true;
}

const struct pve_param *pve_form_get(const struct pve_form *form, const char *name)
{
	return find(form, name);
}

int pve_form_ok(const struct pve_form *form, struct err *err)
{
	return form->failed ? err_nomem(err) : 0;
}

static const char *into_arena(struct arena *arena, const struct str *s)
{
	return s->failed ? NULL : arena_strndup(arena, s->p ? s->p : "", s->n);
}

const char *pve_form_encode(const struct pve_form *form)
{
	_str_ struct str s = { 0 };

	if (form->failed)
		return NULL;
	for (size_t i = 0; i < form->n; i++) {
		const struct pve_param *p = &form->items[i];
		if (i)
			str_add(&s, "&");
		pve_encode(&s, p->name, strlen(p->name));
		str_add(&s, "=");
		pve_encode(&s, p->value, p->n);
	}
	return into_arena(form->arena, &s);
}

/* An empty segment would vanish, for the server takes "//" as "/", and the path would be that of
 * another call; "." and ".." may be folded on the way. None of the names in a path can be so: "-"
 * is none either, and the server says so. */
static bool folds(const char *segment)
{
	return !segment[0] || str_eq(segment, ".") || str_eq(segment, "..");
}

const char *pve_path(struct arena *arena, ...)
{
	_str_ struct str s = { 0 };
	const char *segment;
	va_list ap;

	va_start(ap, arena);
	while ((segment = va_arg(ap, const char *))) {
		str_add(&s, "/");
		if (folds(segment))
			segment = "-";
		pve_encode(&s, segment, strlen(segment));
	}
	va_end(ap);
	return into_arena(arena, &s);
}
