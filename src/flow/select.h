/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which backend makes a new container, and why: docs/runtime-selection.md. Explicit wishes come
 * first, then the routing table. A backend that was chosen and can't be used is an error, never
 * another one.
 */
#ifndef FLOW_SELECT_H
#define FLOW_SELECT_H

#include "base/arena.h"
#include "ctrctl/engine.h"

#define SELECT_ANNOTATION "org.ctrctl.backend"

struct settings;

/* All may be NULL. */
struct select_input {
	const char *flag;    /* --backend */
	const char *handler; /* the sandbox's runtime handler; "" is the same as NULL */
	/* Where SELECT_ANNOTATION is looked for: the container's, then its pod's. */
	const struct ctr_map_str *annotations, *pod_annotations;
	const char *user_image; /* what the user wrote, and if that is missing or empty */
	const char *image;      /* this: a name or an id */
	bool from_engine;       /* the image's name comes from an engine, which has completed it:
				   settings.strip goes off its front */
	const char *place;      /* where the image's name stands, for errors */
};

struct route {
	const char *backend; /* "native", "proxmox" */
	const char *reason;  /* a sentence without its full stop; NULL: nothing asked for any */
};

/* Pure. ERR_INVALID: the wishes contradict each other, a name that can't be. The route lives in the
 * arena. */
int select_route(const struct settings *, const struct select_input *, struct arena *,
	struct route *ret, struct err *) _must_check_;

/* What a runtime handler stands for; NULL and "" for nothing (*ret NULL). ERR_INVALID: unknown. */
int select_handler(const struct settings *, const char *handler, const char **ret_backend,
	struct err *) _must_check_;

/* Of a bundle: by the annotations that containerd and CRI-O write. Reads the settings only when one
 * of them, or the flag, is there. */
int select_bundle(struct ctr_engine *, const struct ctr_create *, const struct ctr_map_str *,
	struct arena *, struct route *ret, struct err *) _must_check_;

/* The image's name in a bundle's annotations, as engines write it; NULL without one. */
const char *select_image(const struct ctr_map_str *annotations);

/* The route's backend, asked whether it can work here. ERR_UNSUPPORTED: it isn't in this build, or
 * can't. */
const struct ctr_backend *select_backend(
	struct ctr_engine *, const struct route *, struct err *) _must_check_;

/* "backend proxmox: image ...", a line with its end, for explain; "" without a reason. NULL when
 * memory is out. */
char *select_line(const struct route *, struct arena *) _must_check_;

#endif
