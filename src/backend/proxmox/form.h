/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a call, in order; percent-encoding of them and of paths. */
#ifndef PROXMOX_FORM_H
#define PROXMOX_FORM_H

#include "base/arena.h"
#include "base/str.h"

struct pve_param {
	const char *name, *value;
	size_t n; /* of the value: env has NUL bytes between its variables */
	const char *
		from; /* the field or setting that it comes from, for explain; NULL: ctrctl's own */
	bool secret;  /* never shown, never logged: env, password */
};

/* All of it in the arena. All-zero but for the arena is the empty form. */
struct pve_form {
	struct arena *arena;
	struct pve_param *items;
	size_t n, cap;
	bool failed; /* memory was out: pve_form_ok() */
};
#define PVE_FORM_INIT(a)     \
	{                    \
		.arena = (a) \
	}

/* Adds, or replaces the one of the same name. Name, value and from are copied. */
void pve_form_set(struct pve_form *, const char *name, const char *value, const char *from);
void pve_form_setn(
	struct pve_form *, const char *name, const char *value, size_t n, const char *from);
void pve_form_setf(struct pve_form *, const char *name, const char *from, const char *fmt, ...)
	_printf_(4, 5);
void pve_form_hide(struct pve_form *, const char *name); /* marks it as secret */
const struct pve_param *pve_form_get(const struct pve_form *, const char *name);
int pve_form_ok(const struct pve_form *, struct err *) _must_check_;

/* "name=value&...": every byte outside of A-Z a-z 0-9 - _ . ~ as %XX, for the server splits at raw
 * '=' and ';' as well. In the arena; NULL when memory is out. */
const char *pve_form_encode(const struct pve_form *) _must_check_;

/* "/nodes/pve1/tasks/UPID%3A...": each segment encoded; ends at the first NULL. */
const char *pve_path(struct arena *, ...) __attribute__((sentinel)) _must_check_;

void pve_encode(struct str *out, const char *text, size_t n);

#endif
