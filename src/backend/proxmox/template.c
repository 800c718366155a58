/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates on the server's storages. A storage that can't be used is passed over as long as
 * another one has what is looked for; the first that has something that fits decides.
 */
#include "backend/proxmox/template.h"

#include "backend/proxmox/pull.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "model/settings-proxmox.h"

#include <inttypes.h>
#include <string.h>

enum {
	VOLID_MAX = 255,
	LIST_MAX = 200, /* characters of names in an error's text */
};

/* ---- the list of one storage ---- */

/* The file of "STORAGE:vztmpl/FILE", or NULL. What goes back to the server is what came from it,
 * but a name with blanks, control bytes or "/" is nobody's template. */
static const char *file_of(const char *volid, const char *storage)
{
	const size_t n = strlen(storage);
	const char *file;

	if (!volid || strlen(volid) > VOLID_MAX || !str_starts(volid, storage) ||
		!str_starts(volid + n, ":vztmpl/"))
		return NULL;
	file = volid + n + strlen(":vztmpl/");
	for (const char *p = file; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/')
			return NULL;
	return *file ? file : NULL;
}

static uint64_t number(const struct json *item, const char *key)
{
	const int64_t v = pve_int(item, key, 0);

	return v > 0 ? (uint64_t)v : 0;
}

int pve_template_list(struct pve *pve, const char *node, const char *storage, struct arena *a,
	struct template_file **ret, size_t *ret_n, struct pve_fault *fault, struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(a);
	const char *path = pve_path(a, "nodes", node, "storage", storage, "content", NULL);
	const struct json *data;
	struct template_file *files;

	*fault = (struct pve_fault){ 0 };
	pve_form_set(&query, "content", "vztmpl", NULL);
	if (!path)
		return err_nomem(err);
	if (pve_get(pve, a, path, &query, &data, fault, err) < 0)
		return -1;
	files = arena_array(a, data->n, sizeof(*files));
	if (!files)
		return err_nomem(err);
	*ret = files;
	*ret_n = 0;
	if (data->type != JSON_ARRAY)
		return 0;
	json_for_each (item, data) {
		const char *volid = pve_text(item, "volid");
		const char *file = file_of(volid, storage);
		if (!file)
			continue;
		files[(*ret_n)++] = (struct template_file){ .volid = volid,
			.file = file,
			.size = number(item, "size"),
			.ctime = number(item, "ctime") };
	}
	return 0;
}

/* ---- the look ---- */

struct look {
	struct pve *pve;
	const struct pve_source *src;
	const char *node;
	struct arena *arena;
	struct str *there;  /* names of what there is, for an error */
	struct err skipped; /* why a storage was passed over */
};

static void note_there(struct look *l, const struct template_file *files, size_t n)
{
	for (size_t i = 0; l->src->name && i < n && l->there->n < LIST_MAX; i++)
		str_printf(l->there, "%s%s", l->there->n ? ", " : "", files[i].file);
}

static const struct template_file *of_name(
	const struct template_file *files, size_t n, const char *file)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(files[i].file, file))
			return &files[i];
	return NULL;
}

/* 1 when it is in this storage. */
static int look_in(
	struct look *l, const char *storage, const struct template_file **ret, struct err *err)
{
	struct template_file *files;
	struct pve_fault fault;
	size_t n;

	if (pve_template_list(l->pve, l->node, storage, l->arena, &files, &n, &fault, err) < 0) {
		if (fault.reason != PVE_STORAGE)
			return err_in(err, "template storage %s", storage);
		log_info("template storage %s on %s is passed over: %s", storage, l->node,
			fault.text);
		l->skipped = *err;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	note_there(l, files, n);
	if (l->src->file)
		*ret = of_name(files, n, l->src->file);
	else if (template_choose(files, n, l->src->name, l->src->tag, l->arena, ret, err) < 0)
		return err_in(err, "template storage %s", storage);
	return *ret ? 1 : 0;
}

static int look_everywhere(struct look *l, const struct template_file **ret, struct err *err)
{
	const struct settings_proxmox *cfg = l->pve->cfg;
	int r = 0;

	*ret = NULL;
	for (size_t i = 0; r == 0 && i < cfg->n_template_storages; i++)
		r = look_in(l, cfg->template_storages[i], ret, err);
	return r;
}

/* ---- answers ---- */

/* Only a server that knows OCI archives unpacks one as such. */
static int fill(
	struct pve *pve, const struct template_file *f, struct pve_template *ret, struct err *err)
{
	*ret = (struct pve_template){ .volid = f->volid, .size = f->size, .ctime = f->ctime };
	if (!template_is_tar(f->volid))
		return 0;
	if (pve_version(pve, err) < 0)
		return -1;
	ret->oci = pve_at_least(pve, 9, 1);
	return 0;
}

static const char *storages(struct look *l)
{
	const struct settings_proxmox *cfg = l->pve->cfg;
	const char *text = "";

	for (size_t i = 0; text && i < cfg->n_template_storages; i++)
		text = arena_printf(
			l->arena, "%s%s%s", text, i ? ", " : "", cfg->template_storages[i]);
	return text;
}

/* Nothing fits, and why it isn't fetched (may be NULL). */
static int not_found(struct look *l, const struct err *why, struct err *err)
{
	const char *names = storages(l), *what;

	if (!names || l->there->failed)
		return err_nomem(err);
	what = l->src->name ? arena_printf(l->arena, "nothing like %s%s%s is", l->src->name,
				      l->src->tag ? ":" : "", l->src->tag ? l->src->tag : "")
			    : "it isn't";
	if (!what)
		return err_nomem(err);
	err_set(err, ERR_NOT_FOUND, l->src->asked,
		"%s in the template storages (%s) of node %s%s%.*s%s%s%s%s%s", what, names, l->node,
		l->there->n ? "; there are " : "", LIST_MAX, l->there->n ? l->there->p : "",
		l->there->n > LIST_MAX ? "..." : "", l->skipped.code ? "; " : "", l->skipped.text,
		why ? "; " : "", why ? why->text : "");
	return why && why->hint[0] ? err_hint(err, "%s", why->hint) : -1;
}

static int fetch(struct look *l, const struct template_file **ret, struct err *err)
{
	struct pve_pull pull;
	struct err why = ERR_INIT;
	int r;

	if (pve_pull_plan(l->pve, l->src, l->node, l->arena, &pull, &why) < 0) {
		if (why.code == ERR_NOT_FOUND)
			return not_found(l, &why, err);
		*err = why;
		return -1;
	}
	if (pve_pull_run(l->pve, &pull, l->node, l->arena, err) < 0)
		return err_in(err, "fetch %s", pull.what);
	r = look_in(l, pull.storage, ret, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (l->skipped.code) {
		*err = l->skipped;
		return -1;
	}
	return err_set(err, ERR_UNAVAILABLE, pull.what,
		"the server has fetched it, but %s isn't in storage %s", pull.file, pull.storage);
}

/* The one that the configuration names, in whatever storage. */
static int find_volume(struct look *l, const struct template_file **ret, struct err *err)
{
	const char *volid = l->src->volid;
	const char *storage = arena_strndup(l->arena, volid, strcspn(volid, ":"));
	struct template_file *files;
	struct pve_fault fault;
	size_t n;

	if (!storage)
		return err_nomem(err);
	if (pve_template_list(l->pve, l->node, storage, l->arena, &files, &n, &fault, err) < 0)
		return err_in(err, "%s", l->src->asked);
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(files[i].volid, volid))
			continue;
		*ret = &files[i];
		return 0;
	}
	err_set(err, ERR_NOT_FOUND, l->src->asked, "node %s has no template %s", l->node, volid);
	return err_hint(err, "correct proxmox.images, or put the file there");
}

int pve_template_find(struct pve *pve, const struct pve_source *src, const char *node,
	bool allow_pull, struct arena *a, struct pve_template *ret, struct err *err)
{
	_str_ struct str there = { 0 };
	struct look l = { .pve = pve, .src = src, .node = node, .arena = a, .there = &there };
	const struct template_file *found = NULL;
	bool pulled;
	int r;

	if (src->volid)
		return find_volume(&l, &found, err) < 0 ? -1 : fill(pve, found, ret, err);
	r = look_everywhere(&l, &found, err);
	if (r < 0)
		return -1;
	pulled = !found;
	if (!found && (allow_pull ? fetch(&l, &found, err) : not_found(&l, NULL, err)) < 0)
		return -1;
	if (fill(pve, found, ret, err) < 0)
		return -1;
	ret->pulled = pulled;
	return 0;
}

int pve_template_would(struct pve *pve, const struct pve_source *src, const char *node,
	struct arena *a, struct pve_template *ret, struct pve_pull *ret_pull, struct err *err)
{
	struct err missing = ERR_INIT;
	struct template_file file = { 0 };

	if (pve_template_find(pve, src, node, false, a, ret, &missing) == 0)
		return 1;
	*err = missing;
	if (missing.code != ERR_NOT_FOUND || src->volid)
		return -1;
	if (pve_pull_plan(pve, src, node, a, ret_pull, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		const struct err why = *err;
		err_set(err, ERR_NOT_FOUND, src->asked, "%s; %s", missing.text, why.text);
		return why.hint[0] ? err_hint(err, "%s", why.hint) : -1;
	}
	file.volid = arena_printf(a, "%s:vztmpl/%s", ret_pull->storage, ret_pull->file);
	return file.volid ? fill(pve, &file, ret, err) : err_nomem(err);
}

const char *pve_template_image_id(const struct pve_template *t, struct arena *a)
{
	const char *text = arena_printf(a, "%s|%" PRIu64 "|%" PRIu64, t->volid, t->size, t->ctime);
	char buf[DIGEST_TEXT_MAX];

	return text ? arena_strdup(a, digest_of(text, strlen(text), buf)) : NULL;
}
