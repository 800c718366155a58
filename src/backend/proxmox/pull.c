/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server never overwrites a file, and gives it its name only when it is whole. So a fetch may
 * be repeated, two at once do no harm, and "it is there already" is what was wished for.
 */
#include "backend/proxmox/pull.h"

#include "base/json.h"
#include "base/log.h"
#include "model/settings-proxmox.h"

#include <string.h>

enum { TRIES = 2 }; /* an answer that was lost is asked for again, once */

/* ---- what ---- */

static int not_allowed(const char *policy, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, NULL, "and proxmox.pull doesn't have \"%s\"", policy);
	return err_hint(err,
		"with \"%s\" in proxmox.pull the node would fetch it; else put it into "
		"a template storage by hand",
		policy);
}

/* The index of the distributor's templates. */
static int plan_aplinfo(struct pve *pve, const struct pve_source *src, const char *node,
	struct arena *a, struct pve_pull *ret, struct err *err)
{
	const char *path = pve_path(a, "nodes", node, "aplinfo", NULL);
	const struct template_file *found;
	struct template_file *files;
	const struct json *data;
	size_t n = 0;

	if (!path)
		return err_nomem(err);
	if (pve_get(pve, a, path, NULL, &data, NULL, err) < 0)
		return -1;
	files = arena_array(a, data->n, sizeof(*files));
	if (!files)
		return err_nomem(err);
	if (data->type == JSON_ARRAY) {
		json_for_each (item, data) {
			const char *file = pve_text(item, "template");
			if (file && pve_is_template(
					    arena_printf(a, "%s:vztmpl/%s", ret->storage, file)))
				files[n++] = (struct template_file){ .volid = file, .file = file };
		}
	}
	if (template_choose(files, n, src->name, src->tag, a, &found, err) < 0)
		return err_in(err, "index of templates");
	if (!found) {
		err_set(err, ERR_NOT_FOUND, NULL,
			"and the node's index of templates has no such one");
		return err_hint(err, "\"pveam update\" on the node renews the index, \"pveam "
				     "available\" shows it");
	}
	ret->file = ret->what = found->file;
	return 0;
}

/* Before anything is fetched that can't be used afterwards. */
static int needs_oci(struct pve *pve, const char *what, struct err *err)
{
	if (pve_version(pve, err) < 0)
		return -1;
	if (pve_at_least(pve, 9, 1))
		return 0;
	err_set(err, ERR_UNSUPPORTED, what,
		"images of registries need Proxmox VE 9.1, the server is %u.%u", pve->major,
		pve->minor);
	return err_hint(err, "upgrade the nodes, or use a template");
}

int pve_pull_plan(struct pve *pve, const struct pve_source *src, const char *node, struct arena *a,
	struct pve_pull *ret, struct err *err)
{
	const struct settings_proxmox *cfg = pve->cfg;

	*ret = (struct pve_pull){ .storage = cfg->template_storages[0], .file = src->file };
	if (src->oci) {
		ret->kind = PULL_OCI;
		ret->what = src->oci;
		if (needs_oci(pve, src->oci, err) < 0)
			return -1;
		return cfg->pull_oci ? 0 : not_allowed("oci", err);
	}
	if (src->url) {
		ret->kind = PULL_URL;
		ret->what = src->url;
		ret->sha512 = src->sha512;
		return cfg->pull_url ? 0 : not_allowed("url", err);
	}
	ret->kind = PULL_APLINFO;
	return cfg->pull_aplinfo ? plan_aplinfo(pve, src, node, a, ret, err)
				 : not_allowed("aplinfo", err);
}

/* ---- how ---- */

static const char *form_aplinfo(
	const struct pve_pull *p, const char *node, struct arena *a, struct pve_form *form)
{
	pve_form_set(form, "storage", p->storage, NULL);
	pve_form_set(form, "template", p->what, NULL);
	return pve_path(a, "nodes", node, "aplinfo", NULL);
}

/* The server adds ".tar" to the name. */
static const char *form_oci(
	const struct pve_pull *p, const char *node, struct arena *a, struct pve_form *form)
{
	const size_t n = strlen(p->file) - strlen(".tar");

	pve_form_set(form, "reference", p->what, NULL);
	pve_form_setn(form, "filename", p->file, n, NULL);
	return pve_path(a, "nodes", node, "storage", p->storage, "oci-registry-pull", NULL);
}

static const char *form_url(
	const struct pve_pull *p, const char *node, struct arena *a, struct pve_form *form)
{
	pve_form_set(form, "content", "vztmpl", NULL);
	pve_form_set(form, "url", p->what, NULL);
	pve_form_set(form, "filename", p->file, NULL);
	if (p->sha512) {
		pve_form_set(form, "checksum", p->sha512, NULL);
		pve_form_set(form, "checksum-algorithm", "sha512", NULL);
	}
	return pve_path(a, "nodes", node, "storage", p->storage, "download-url", NULL);
}

static const struct {
	const char *(*form)(
		const struct pve_pull *, const char *node, struct arena *, struct pve_form *);
} kinds[PULL_KIND_N] = {
	[PULL_APLINFO] = { form_aplinfo },
	[PULL_OCI] = { form_oci },
	[PULL_URL] = { form_url },
};

static int hint(
	const struct pve_fault *fault, const struct pve_pull *p, const char *node, struct err *err)
{
	if (strstr(fault->text, "skopeo'"))
		return err_hint(err, "on node %s: apt install skopeo", node);
	if (fault->reason == PVE_FORBIDDEN)
		return err_hint(err,
			"fetching needs Datastore.AllocateTemplate on /storage/%s and "
			"Sys.AccessNetwork on /nodes/%s; \"ctrctl check proxmox\" says how to "
			"grant them",
			p->storage, node);
	if (fault->reason == PVE_TIMEOUT)
		return err_hint(err,
			"it goes on there: once it has ended, the same create finds "
			"the file; proxmox.timeouts.pullSeconds is how long is waited");
	return -1;
}

/* 1: it is there, without a task. */
static int post(struct pve *pve, const char *path, const struct pve_form *form, struct arena *a,
	struct pve_upid *ret, struct pve_fault *fault, struct err *err)
{
	const struct json *data;

	for (int i = 0; i < TRIES; i++) {
		*fault = (struct pve_fault){ 0 };
		if (pve_send(pve, a, HTTPS_POST, path, form, &data, fault, err) == 0) {
			if (pve_upid_of(data, a, ret, err) == 0)
				return 0;
			fault->reason = PVE_AMBIGUOUS; /* it was taken, as it seems */
		}
		if (fault->reason != PVE_AMBIGUOUS)
			break;
	}
	return fault->reason == PVE_FILE_EXISTS ? 1 : -1;
}

int pve_pull_run(struct pve *pve, const struct pve_pull *p, const char *node, struct arena *a,
	struct err *err)
{
	struct pve_form form = PVE_FORM_INIT(a);
	struct pve_fault fault = { 0 };
	struct err failed = ERR_INIT;
	struct pve_upid upid;
	const char *path = kinds[p->kind].form(p, node, a, &form);
	int r;

	if (!path || pve_form_ok(&form, err) < 0)
		return err_nomem(err);
	log_info("node %s fetches %s into %s", node, p->what, p->storage);
	r = post(pve, path, &form, a, &upid, &fault, &failed);
	if (r == 0 && pve_task_wait(pve, &upid, pve->cfg->pull_s * 1000, &fault, &failed) < 0)
		r = fault.reason == PVE_FILE_EXISTS ? 1 : -1;
	if (r >= 0)
		return 0;
	*err = failed;
	return hint(&fault, p, node, err);
}
