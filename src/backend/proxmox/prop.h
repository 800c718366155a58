/* SPDX-License-Identifier: Apache-2.0 */
/* Property strings: "name=eth0,bridge=vmbr0,ip=dhcp". There is no escaping in them. */
#ifndef PROXMOX_PROP_H
#define PROXMOX_PROP_H

#include "base/arena.h"
#include "base/str.h"
#include "ctrctl/map.h"

/* Adds ",key=value" (or "key=value", when it is the first; key NULL: the value alone). A value with
 * a comma, an equals sign, or control bytes is ERR_INVALID, and names the key. */
int pve_prop_add(struct str *, const char *key, const char *value, struct err *) _must_check_;

/* The pairs in order; a part without '=' gets `default_key`. Duplicate keys are ERR_INVALID. */
int pve_prop_parse(const char *text, const char *default_key, struct arena *,
	struct ctr_map_str *ret, struct err *) _must_check_;

#endif
