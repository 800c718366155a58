/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/select.h"

#include "flow/flow.h"
#include "model/pattern.h"
#include "model/ref.h"
#include "model/settings.h"

#include <string.h>

/* As they are written in sentences. A backend's name is what the program knows it by. */
static const struct {
	const char *name, *shown;
} known[] = { { "native", "native" }, { "proxmox", "Proxmox" } };

/* What engines write. A pod's sandbox has no image of a user's: it holds namespaces. */
static const char *const image_keys[] = { "io.kubernetes.cri.image-name",
	"io.kubernetes.cri-o.ImageName" };
static const char *const type_keys[] = { "io.kubernetes.cri.container-type",
	"io.kubernetes.cri-o.ContainerType" };

static const char *filled(const char *text)
{
	return text && *text ? text : NULL;
}

static int give(struct route *ret, const char *backend, char *reason, struct err *err)
{
	if (!reason)
		return err_nomem(err);
	*ret = (struct route){ backend, reason };
	return 0;
}

/* ---- wishes ---- */

int select_handler(const struct settings *s, const char *handler, const char **ret, struct err *err)
{
	const char *backend;

	*ret = NULL;
	if (!filled(handler))
		return 0;
	backend = ctr_map_get(&s->handlers, handler);
	for (size_t i = 0; !backend && i < ARRAY_SIZE(known); i++) {
		if (str_eq(handler, known[i].name))
			backend = known[i].name;
	}
	if (!backend) {
		err_set(err, ERR_INVALID, handler, "there is no such runtime handler");
		return err_hint(err, "native and proxmox always exist; others are named in the "
				     "configuration, by routing.runtimeHandlers");
	}
	*ret = backend;
	return 0;
}

static const char *wish_of_annotations(const struct select_input *in)
{
	const char *wish = in->annotations ? ctr_map_get(in->annotations, SELECT_ANNOTATION) : NULL;

	if (!wish && in->pod_annotations)
		wish = ctr_map_get(in->pod_annotations, SELECT_ANNOTATION);
	return wish;
}

/* 1 when somebody asks for a backend, 0 when nobody does. */
static int explicit_wish(const struct settings *s, const struct select_input *in, struct arena *a,
	struct route *ret, struct err *err)
{
	const char *by_handler, *wish = wish_of_annotations(in);

	if (in->flag && settings_check_backend(in->flag, err) < 0)
		return err_in(err, "--backend");
	if (select_handler(s, in->handler, &by_handler, err) < 0)
		return -1;
	if (in->flag && by_handler && !str_eq(in->flag, by_handler))
		return err_set(err, ERR_INVALID, NULL,
			"--backend asks for %s, the sandbox's runtime handler \"%s\" for %s",
			in->flag, in->handler, by_handler);
	if (in->flag)
		return give(ret, in->flag, arena_strdup(a, "--backend asks for it"), err) < 0 ? -1
											      : 1;
	if (by_handler)
		return give(ret, by_handler,
			       arena_printf(
				       a, "the sandbox's runtime handler is \"%s\"", in->handler),
			       err) < 0
			       ? -1
			       : 1;
	if (!wish || !s->annotation_allowed)
		return 0;
	if (settings_check_backend(wish, err) < 0)
		return err_in(err, "annotations[\"" SELECT_ANNOTATION "\"]");
	return give(ret, wish, arena_strdup(a, "the annotation " SELECT_ANNOTATION " asks for it"),
		       err) < 0
		       ? -1
		       : 1;
}

/* ---- the table ---- */

/* What an engine put in front, off again: the longest prefix that fits. */
static const char *strip(const struct settings *s, const char *name)
{
	size_t longest = 0;

	for (size_t i = 0; i < s->n_strip; i++) {
		size_t n = strlen(s->strip[i]);

		if (n > longest && str_starts(name, s->strip[i]))
			longest = n;
	}
	return name + longest;
}

/* The name that patterns are laid on: the reference without tag and digest. NULL: err. */
static const char *plain_name(const struct settings *s, const struct select_input *in,
	const char *text, struct arena *a, struct err *err)
{
	struct image_ref ref;
	const char *name;

	if (image_ref_parse(text, a, &ref, err) < 0) {
		if (in->place)
			err_in(err, "%s", in->place);
		return NULL;
	}
	name = ref.registry ? arena_printf(a, "%s/%s", ref.registry, ref.path) : ref.path;
	if (!name) {
		err_nomem(err);
		return NULL;
	}
	return in->from_engine ? strip(s, name) : name;
}

static int by_table(const struct settings *s, const struct select_input *in, struct arena *a,
	struct route *ret, struct err *err)
{
	const char *text = filled(in->user_image) ? in->user_image : filled(in->image);
	const char *name;

	if (!text)
		return give(ret, "native", arena_strdup(a, "there is no image's name"), err);
	if (image_id_is_valid(text))
		return give(ret, "native",
			arena_strdup(a, "the image is given by its id, and only native ones have "
					"one"),
			err);
	name = plain_name(s, in, text, a, err);
	if (!name)
		return -1;
	for (size_t i = 0; i < s->n_routes; i++) {
		if (pattern_matches(s->routes[i].image, name))
			return give(ret, s->routes[i].backend,
				arena_printf(a,
					"image %s matches \"%s\", rule %zu of the routing table",
					name, s->routes[i].image, i + 1),
				err);
	}
	return give(ret, "native",
		arena_printf(a, "image %s matches no rule of the routing table", name), err);
}

int select_route(const struct settings *s, const struct select_input *in, struct arena *a,
	struct route *ret, struct err *err)
{
	int r = explicit_wish(s, in, a, ret, err);

	if (r == 0)
		r = by_table(s, in, a, ret, err);
	if (r < 0 || !wish_of_annotations(in) || s->annotation_allowed)
		return r < 0 ? -1 : 0;
	return give(ret, ret->backend,
		arena_printf(a,
			"%s; the annotation " SELECT_ANNOTATION
			" has no effect, for the configuration doesn't allow it",
			ret->reason),
		err);
}

/* ---- bundles ---- */

static const char *first_of(
	const struct ctr_map_str *annotations, const char *const *keys, size_t n, const char **key)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = filled(ctr_map_get(annotations, keys[i]));

		if (value) {
			*key = keys[i];
			return value;
		}
	}
	return NULL;
}

const char *select_image(const struct ctr_map_str *annotations)
{
	const char *key;

	return first_of(annotations, image_keys, ARRAY_SIZE(image_keys), &key);
}

static int select_sandbox(const char *flag, struct route *ret, struct err *err)
{
	if (flag && !str_eq(flag, "native"))
		return err_set(err, ERR_INVALID, NULL,
			"--backend asks for %s, but a pod's sandbox is always native", flag);
	*ret = (struct route){ "native", "a pod's sandbox is always native" };
	return 0;
}

int select_bundle(struct ctr_engine *e, const struct ctr_create *req,
	const struct ctr_map_str *annotations, struct arena *a, struct route *ret, struct err *err)
{
	struct select_input in = {
		.flag = req->backend, .annotations = annotations, .from_engine = true
	};
	const struct settings *s;
	const char *key = NULL;

	if (str_eq(first_of(annotations, type_keys, ARRAY_SIZE(type_keys), &key), "sandbox"))
		return select_sandbox(req->backend, ret, err);
	in.image = first_of(annotations, image_keys, ARRAY_SIZE(image_keys), &key);
	if (!in.flag && !in.image && !ctr_map_get(annotations, SELECT_ANNOTATION)) {
		*ret = (struct route){ e->backends[0]->name, NULL };
		return 0;
	}
	if (engine_settings(e, &s, err) < 0)
		return -1;
	if (in.image) {
		in.place = arena_printf(a, "config.json: annotations[\"%s\"]", key);
		if (!in.place)
			return err_nomem(err);
	}
	return select_route(s, &in, a, ret, err);
}

/* ---- the backend ---- */

static int missing(const struct route *r, struct err *err)
{
	const char *shown = r->backend;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (str_eq(known[i].name, r->backend))
			shown = known[i].shown;
	}
	err_set(err, ERR_UNSUPPORTED, NULL, "no %s backend in this build", shown);
	return r->reason ? err_hint(err, "%s was chosen because %s", r->backend, r->reason) : -1;
}

/* A server must be known before it can be asked anything. */
static int check_server(struct ctr_engine *e, const struct route *r, struct err *err)
{
	const struct settings *settings;

	if (engine_settings(e, &settings, err) < 0)
		return -1;
	if (settings_has_remote(settings))
		return 0;
	err_set(err, ERR_UNSUPPORTED, NULL, "no Proxmox VE server is configured");
	if (r->reason)
		return err_hint(err,
			"%s was chosen because %s; the section \"proxmox\" of the configuration names a server: docs/proxmox.md",
			r->backend, r->reason);
	return err_hint(
		err, "the section \"proxmox\" of " SETTINGS_PATH " names it: docs/proxmox.md");
}

const struct ctr_backend *select_backend(
	struct ctr_engine *e, const struct route *r, struct err *err)
{
	const struct ctr_backend *b = NULL;
	struct err why = ERR_INIT;
	int usable;

	for (size_t i = 0; !b && e->backends[i]; i++) {
		if (str_eq(e->backends[i]->name, r->backend))
			b = e->backends[i];
	}
	if (!b) {
		missing(r, err);
		return NULL;
	}
	if (b->remote && check_server(e, r, err) < 0)
		return NULL;
	usable = b->probe ? b->probe(&why) : 1;
	if (usable == 1)
		return b;
	*err = why;
	if (usable == 0)
		err->code = ERR_UNSUPPORTED;
	err_in(err, "backend %s:", b->name);
	return NULL;
}

const struct ctr_backend *find_backend(
	const struct ctr_engine *e, const char *name, struct err *err)
{
	for (size_t i = 0; e->backends[i]; i++) {
		if (str_eq(e->backends[i]->name, name))
			return e->backends[i];
	}
	err_set(err, ERR_UNSUPPORTED, name,
		"the container was made by a backend that isn't in this program");
	return NULL;
}

char *select_line(const struct route *r, struct arena *a)
{
	if (!r->reason)
		return arena_strdup(a, "");
	return arena_printf(a, "backend %s: %s\n", r->backend, r->reason);
}
