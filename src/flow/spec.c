/* SPDX-License-Identifier: Apache-2.0 */
/* The specification as a whole; its parts are in spec-*.c. */
#include "flow/spec.h"

#include "flow/spec-build.h"

#include <stdarg.h>
#include <string.h>

/* What is used of newer versions (rro, idmapped mounts, unified, errnoRet) no runtime ties to the
 * number; but crun 1.8, which Debian 12 has, refuses every number above 1.0. */
#define OCI_VERSION "1.0.2"

enum { INDENT = 2, LIST_FIRST = 8 };

/* ---- helpers of the parts ---- */

void spec_list_add(struct spec_build *b, struct spec_list *list, const char *text)
{
	if (list->n == list->cap) {
		size_t cap = MAX(list->cap * 2, (size_t)LIST_FIRST);
		const char **bigger = arena_array(b->arena, cap, sizeof(*bigger));
		if (!bigger)
			return;
		if (list->n)
			memcpy(bigger, list->items, list->n * sizeof(*bigger));
		list->items = bigger;
		list->cap = cap;
	}
	list->items[list->n++] = text;
}

void spec_list_all(struct spec_build *b, struct spec_list *list, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_list_add(b, list, texts[i]);
}

const char *spec_field(struct spec_build *b, const char *fmt, ...)
{
	char text[sizeof(((struct ctr_fault *)0)->field)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	const char *field = arena_strdup(b->arena, text);
	return field ? field : "config";
}

void *spec_box(struct spec_build *b, const void *value, size_t size)
{
	void *box = arena_alloc(b->arena, size);

	return box ? memcpy(box, value, size) : NULL;
}

struct oci_id_map *spec_id_maps(struct spec_build *b, const struct cri_id_mapping *maps, size_t n)
{
	struct oci_id_map *list = arena_array(b->arena, n, sizeof(*list));

	for (size_t i = 0; list && i < n; i++)
		list[i] = (struct oci_id_map){ .container_id = maps[i].container_id,
			.host_id = maps[i].host_id,
			.size = maps[i].length };
	return list;
}

bool spec_same_maps(
	const struct cri_id_mapping *a, size_t n_a, const struct cri_id_mapping *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (a[i].container_id != b[i].container_id || a[i].host_id != b[i].host_id ||
			a[i].length != b[i].length)
			return false;
	return true;
}

/* ---- the whole ---- */

static int start(struct spec_build *b, struct err *err)
{
	struct oci_spec *spec = arena_alloc(b->arena, sizeof(*spec));
	struct oci_root *root = arena_alloc(b->arena, sizeof(*root));

	if (!spec || !root)
		return err_nomem(err);
	spec->process = arena_alloc(b->arena, sizeof(*spec->process));
	spec->linux_ = arena_alloc(b->arena, sizeof(*spec->linux_));
	if (!spec->process || !spec->linux_)
		return err_nomem(err);
	b->spec = spec;
	spec->oci_version = OCI_VERSION;
	spec->root = root;
	root->path = "rootfs";
	root->readonly = b->readonly = b->sec->readonly_rootfs;
	return 0;
}

/* What the stored sandbox says decides, whatever the request says of it. */
static void check_privileged(struct spec_build *b)
{
	b->privileged = b->sec->privileged && b->pod->privileged;
	if (b->sec->privileged && !b->privileged)
		ctr_fault_add(b->faults, ERR_INVALID, SPEC_SECURITY "privileged",
			"no privileged container is allowed in a sandbox that isn't privileged");
}

int spec_build(const struct spec_input *in, struct arena *arena, struct oci_spec **ret,
	struct ctr_faults *faults, struct err *err)
{
	struct spec_build b = {
		.in = in,
		.config = in->config,
		.sec = cri_security(in->config),
		.ns = cri_namespaces(in->config),
		.pod = cri_pod_security(in->sandbox->config),
		.pod_ns = cri_pod_namespaces(in->sandbox->config),
		.arena = arena,
		.faults = faults,
	};
	size_t before = faults->total;

	if (start(&b, err) < 0)
		return -1;
	check_privileged(&b);
	spec_namespaces(&b);
	spec_process(&b);
	spec_capabilities(&b);
	spec_security(&b); /* the default profile depends on the capabilities */
	spec_mounts(&b);
	spec_resources(&b);
	spec_devices(&b);
	spec_annotations(&b);
	if (arena_failed(arena))
		return err_nomem(err);
	if (faults->total != before)
		return ctr_faults_err(faults, err);
	*ret = b.spec;
	return 0;
}

void spec_write(const struct oci_spec *spec, struct str *out)
{
	struct json_writer w = { .out = out, .indent = INDENT };

	json_w_fields(&w, oci_spec_fields, spec);
	str_add(out, "\n");
}
