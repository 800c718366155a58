/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/ctrctl/config.json. Every key has a default; without a file all of them hold. */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "base/arena.h"
#include "ctrctl/map.h"

#define SETTINGS_PATH     "/etc/ctrctl/config.json"
#define SETTINGS_APPARMOR "ctrctl-default" /* data/apparmor/ctrctl-default */
enum { SETTINGS_BYTES_MAX = 1 << 20, SETTINGS_LOG_FILES_MAX = 100 };

/* One line of the routing table: the first whose pattern matches decides. */
struct settings_route {
	const char *image;   /* pattern, see model/pattern.h */
	const char *backend; /* "native", "proxmox" */
};

struct settings_proxmox;

struct settings {
	/* routing */
	struct settings_route *routes; /* with the built-in ones behind them, unless replaced */
	size_t n_routes;
	bool replace_routes; /* "routing.replaceDefaults" */
	const char **strip;  /* "routing.stripPrefixes": taken off the names that engines
				normalised */
	size_t n_strip;
	bool annotation_allowed;     /* "routing.allowAnnotation": org.ctrctl.backend counts */
	struct ctr_map_str handlers; /* "routing.runtimeHandlers": handler -> backend; besides
					"native" and "proxmox", which always exist */
	/* containers made from requests */
	bool restricted_capabilities; /* "defaults.capabilities": "restricted": the short list */
	const char **seccomp_dirs;    /* "defaults.seccompProfileDirs": where a localhost_ref may
					 lie; /var/lib/kubelet/seccomp, /etc/ctrctl/seccomp */
	size_t n_seccomp_dirs;
	const char *apparmor_profile; /* "defaults.apparmorProfile", SETTINGS_APPARMOR */
	const char **annotations;     /* "defaults.annotations": exact keys that may reach
					 config.json */
	size_t n_annotations;
	int64_t pids_limit; /* "defaults.pidsLimit": 0: none */
	/* logs */
	uint64_t log_max_bytes; /* "logs.maxBytes": rotate at this size; 0: never (the default: the
				   kubelet rotates) */
	uint32_t log_max_files; /* "logs.maxFiles": kept beside the current one, 5 */
	/* remote containers */
	const struct settings_proxmox *proxmox; /* NULL: not configured; model/settings-proxmox.h */
};

/* Reads a file. path NULL: SETTINGS_PATH, where absence is no failure. Everything lives in the
 * arena. Unknown keys, unknown backends and bad patterns are ERR_INVALID with their place. */
int settings_load(
	const char *path, struct arena *, struct settings *ret, struct err *) _must_check_;
/* The same from a text. */
int settings_parse(const char *text, size_t n, struct arena *, struct settings *ret,
	struct err *) _must_check_;

/* Is there a server with containers? */
static inline bool settings_has_remote(const struct settings *s)
{
	return s->proxmox != NULL;
}

/* 0 when a backend of that name can be (it needn't be in this build), else ERR_INVALID. */
int settings_check_backend(const char *name, struct err *) _must_check_;

#endif
