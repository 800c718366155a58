/* SPDX-License-Identifier: Apache-2.0 */
/* annotations: those by which containerd's and CRI-O's tools know a container, and what the
 * settings let through. */
#include "flow/spec-build.h"

#include <string.h>

#define CONTAINERD "io.kubernetes.cri."
#define CRIO       "io.kubernetes.cri-o."

/* Never from a request, whatever the settings say: they would tell another runtime to do things, or
 * tell lies about where the container comes from. */
static const char *const reserved[] = { CONTAINERD, CRIO, "org.systemd.property.", "run.oci.",
	"cdi.k8s.io/", "org.ctrctl.", "io.ctrctl." };

struct pairs {
	struct ctr_pair *items;
	size_t n, max;
};

/* The last one of a key wins. */
static void set(struct pairs *p, const char *key, const char *value)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i].key, key)) {
			p->items[i].value = value;
			return;
		}
	if (value && p->n < p->max)
		p->items[p->n++] = (struct ctr_pair){ key, value };
}

static bool is_allowed(const struct settings *settings, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (str_starts(key, reserved[i]))
			return false;
	for (size_t i = 0; i < settings->n_annotations; i++)
		if (str_eq(settings->annotations[i], key))
			return true;
	return false;
}

static void pass(struct spec_build *b, struct pairs *p, const struct ctr_map_str *map)
{
	for (size_t i = 0; i < map->n; i++)
		if (*map->items[i].key && is_allowed(b->in->settings, map->items[i].key))
			set(p, map->items[i].key, map->items[i].value);
}

static const char *given(const char *a, const char *b)
{
	return a && *a ? a : b && *b ? b : NULL;
}

/* As the user wrote it. The kubelet sends the image's id in `image`; then any of its names is more
 * of use. */
static const char *image_name(struct spec_build *b)
{
	const struct ctr_image_record *image = b->in->image;
	const struct cri_image_spec *asked = b->config->image;
	const char *name = asked ? given(asked->user_specified_image, asked->image) : NULL;

	if ((!name || str_eq(name, image->id)) && image->n_names)
		return image->names[0];
	return given(name, image->id);
}

static const char *log_path(struct spec_build *b)
{
	const char *folder = b->in->sandbox->config->log_directory;

	if (!given(folder, NULL) || !given(b->config->log_path, NULL))
		return NULL;
	return arena_printf(b->arena, "%s/%s", folder, b->config->log_path);
}

static void add_ours(struct spec_build *b, struct pairs *p)
{
	static const struct cri_pod_sandbox_metadata no_pod;
	const struct ctr_sandbox_record *s = b->in->sandbox;
	const struct cri_pod_sandbox_metadata *pod =
		s->config->metadata ? s->config->metadata : &no_pod;
	const char *name = b->config->metadata ? b->config->metadata->name : NULL;
	const char *image = image_name(b);

	set(p, CONTAINERD "container-type", "container");
	set(p, CONTAINERD "container-name", name);
	set(p, CONTAINERD "image-name", image);
	set(p, CONTAINERD "sandbox-id", s->id);
	set(p, CONTAINERD "sandbox-name", pod->name);
	set(p, CONTAINERD "sandbox-namespace", pod->namespace);
	set(p, CONTAINERD "sandbox-uid", pod->uid);
	set(p, CRIO "ContainerType", "container");
	set(p, CRIO "ContainerID", b->in->id);
	set(p, CRIO "ContainerName", name);
	set(p, CRIO "ImageName", image);
	set(p, CRIO "ImageRef", given(b->in->image->id, NULL));
	set(p, CRIO "LogPath", log_path(b));
	set(p, CRIO "Namespace", pod->namespace);
	set(p, CRIO "KubeName", pod->name);
	set(p, CRIO "SandboxID", s->id);
	set(p, CRIO "SandboxName", s->name);
	set(p, CRIO "TTY", b->config->tty ? "true" : "false");
	set(p, CRIO "Stdin", b->config->stdin_ ? "true" : "false");
	set(p, CRIO "StdinOnce", b->config->stdin_once ? "true" : "false");
}

void spec_annotations(struct spec_build *b)
{
	enum { OURS = 24 };
	const struct ctr_map_str *own = &b->config->annotations,
				 *pod = &b->in->sandbox->config->annotations;
	struct pairs p = { .max = OURS + b->in->settings->n_annotations };

	p.items = arena_array(b->arena, p.max, sizeof(*p.items));
	if (!p.items)
		return;
	add_ours(b, &p);
	pass(b, &p, pod);
	pass(b, &p, own);
	b->spec->annotations = (struct ctr_map_str){ p.items, p.n };
}
