/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines and environments as LXC's configuration can hold them. */
#ifndef PROXMOX_ENCODE_H
#define PROXMOX_ENCODE_H

#include "base/arena.h"
#include "base/str.h"
#include "ctrctl/map.h"

/* "entrypoint" of an argv. LXC splits it at blanks, knows quotes only at a word's start, and no
 * escapes: what can't be said so goes through `sh -c`, an eval and the variable CTRCTL_CMD, which
 * is then added to env (*ret_uses_shell). cwd (may be NULL) needs the shell, too. ERR_INVALID:
 * control bytes. */
int pve_entrypoint(const char *const *argv, size_t n, const char *cwd, struct arena *,
	struct ctr_map_str *env, const char **ret, bool *ret_uses_shell, struct err *) _must_check_;
/* The way back: what LXC would make of a text. Never fails but for memory. */
int pve_entrypoint_split(const char *text, struct arena *, const char ***ret, size_t *ret_n,
	struct err *) _must_check_;

/* What the server itself writes of an image's command line: quoted as for a shell, which LXC
 * misreads. Unfinished quotes end with the text. */
int pve_shell_split(const char *text, struct arena *, const char ***ret, size_t *ret_n,
	struct err *) _must_check_;

/* Is it the server's, quoted as for a shell, and not one that pve_entrypoint wrote? Where both
 * could be it, the server's. -1: memory. */
int pve_entrypoint_is_servers(
	const char *text, struct arena *, bool *ret, struct err *) _must_check_;
/* Is it pve_entrypoint's, with a shell? NULL isn't. */
bool pve_entrypoint_is_shell(const char *text);

/* Why it can't be a word of a command line, the name or the value of a variable: the end of a
 * sentence ("has control bytes"); NULL: it can. */
const char *pve_arg_problem(const char *arg);
const char *pve_env_problem(const char *name, const char *value);
/* Sets a key of a map that was begun empty and is filled by this function only; the last one
 * wins and keeps the place of the first. -1: memory. */
int pve_map_set(struct ctr_map_str *, const char *name, const char *value, struct arena *,
	struct err *) _must_check_;

/* "NAME=VAL" joined by NUL bytes; n bytes. ERR_INVALID names the variable: names are \w+, values
 * have no control bytes but TAB; trailing blanks would be lost. */
int pve_env(const struct ctr_map_str *, struct arena *, const char **ret, size_t *ret_n,
	struct err *) _must_check_;
/* The way back. 0x01 parts variables as NUL does: JSON's strings can't hold the latter here. */
int pve_env_parse(const char *text, size_t n, struct arena *, struct ctr_map_str *ret,
	struct err *) _must_check_;

#endif
