/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a guest that a request may bring as annotations org.ctrctl.proxmox/KEY, where the
 * configuration allows it (proxmox.allowAnnotations). They stand above everything that the
 * configuration says.
 */
#ifndef PROXMOX_OPTIONS_H
#define PROXMOX_OPTIONS_H

#include "backend/proxmox/wish.h"

#define OPTIONS_PREFIX "org.ctrctl.proxmox/"

/* All with that prefix among `annotations` go into wish->options, checked; later calls replace what
 * earlier ones brought. What isn't allowed, or isn't sound, is a fault of `field`["KEY"]. -1:
 * memory.
 */
int options_read(struct guest_wish *, const struct settings_proxmox *,
	const struct ctr_map_str *annotations, const char *field, struct arena *,
	struct ctr_faults *, struct err *) _must_check_;

/* Why a value isn't one of the option: a sentence; NULL: it is. */
const char *option_problem(const char *key, const char *value, struct arena *);

/* What needs a login as root@pam: features besides nesting. */
bool option_needs_root(const char *key, const char *value);

/* "1", "true", "yes", "on". */
bool option_is_on(const char *value);

#endif
