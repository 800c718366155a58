/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's config.json, as containerd, CRI-O, Podman and people write it, as a wish. */
#include "backend/proxmox/wish-oci.h"

#include "backend/proxmox/encode.h"
#include "backend/proxmox/options.h"
#include "base/json.h"
#include "base/path.h"

#include <string.h>

enum { LABELS_MAX = 256 << 10 };

/* ---- verdicts ---- */

void wish_oci_judge(struct wish_oci *o, const char *row, const char *place, const char *what)
{
	const struct wish_oci_row *r = wish_oci_find(row);

	if (!what)
		what = r->what;
	if (r->way == WISH_WAIVED)
		wish_waive(o->wish, o->cfg, r->waiver, o->faults, place, what);
	else
		ctr_fault_add(o->faults, ERR_UNSUPPORTED, place, "%s", what);
}

/* "hooks.prestart.**" is spoken of as "hooks.prestart". */
static const char *place_of(const struct wish_oci_row *r, char buf[64])
{
	size_t n = strcspn(r->field, "*[");

	snprintf(buf, 64, "%.*s", (int)(n && r->field[n - 1] == '.' ? n - 1 : n), r->field);
	return buf;
}

static void judge_rows(struct wish_oci *o)
{
	const struct wish_oci_row *r;
	char place[64];

	for (size_t i = 0; (r = wish_oci_row(i)); i++) {
		if (r->used && r->used(o->spec))
			wish_oci_judge(o, r->field, place_of(r, place), NULL);
	}
}

/* ---- who it is ---- */

/* The first of these annotations that says something is taken. */
static const struct {
	size_t off;
	const char *keys[3];
} marks[] = {
	{ offsetof(struct wish_identity, sandbox_id),
		{ "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID" } },
	{ offsetof(struct wish_identity, container),
		{ "io.kubernetes.cri.container-name", "io.kubernetes.container.name" } },
	{ offsetof(struct wish_identity, pod),
		{ "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name",
			"io.kubernetes.cri-o.KubeName" } },
	{ offsetof(struct wish_identity, namespace),
		{ "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace",
			"io.kubernetes.cri-o.Namespace" } },
	{ offsetof(struct wish_identity, uid),
		{ "io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid" } },
	{ offsetof(struct wish_identity, image),
		{ "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName" } },
};

/* An engine's notes to itself, to its shim or to systemd: not the user's. */
static const char *const own_prefixes[] = { "io.kubernetes.cri.", "io.kubernetes.cri-o.",
	"io.kubernetes.container.", "io.kubernetes.pod.", "io.podman.", "io.containerd.",
	"io.container.", "org.systemd.property.", "run.oci.", "org.ctrctl.", "nerdctl/",
	"org.opencontainers.image.stopSignal" };

static bool is_engines(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_prefixes); i++) {
		if (str_starts(key, own_prefixes[i]))
			return true;
	}
	return false;
}

static void add_pair(struct ctr_map_str *map, const char *key, const char *value)
{
	map->items[map->n++] = (struct ctr_pair){ key, value };
}

static int copy_annotations(struct wish_oci *o, struct err *err)
{
	const struct ctr_map_str *all = &o->spec->annotations;
	struct ctr_map_str *to = &o->wish->who.annotations;

	to->items = arena_array(o->arena, all->n, sizeof(*to->items));
	if (!to->items)
		return err_nomem(err);
	for (size_t i = 0; i < all->n; i++) {
		if (!is_engines(all->items[i].key))
			add_pair(to, all->items[i].key, all->items[i].value);
	}
	return 0;
}

/* CRI-O packs objects into annotations as JSON text. What isn't an object of texts is no label. */
static int unpack(struct wish_oci *o, const char *key, struct ctr_map_str *ret, struct err *err)
{
	const char *text = ctr_map_get(&o->spec->annotations, key);
	struct err garbled = ERR_INIT;
	const struct json *doc;

	if (!text || json_parse(text, strlen(text), LABELS_MAX, o->arena, &doc, &garbled) < 0 ||
		doc->type != JSON_OBJECT)
		return 0;
	ret->items = arena_array(o->arena, doc->n, sizeof(*ret->items));
	if (!ret->items)
		return err_nomem(err);
	ret->n = 0;
	json_for_each (m, doc) {
		if (m->type == JSON_STRING)
			add_pair(ret, m->key, m->text);
	}
	return 0;
}

/* CRI-O's {"name":"db","attempt":2}; containerd doesn't tell the attempt. */
static void read_attempt(struct wish_oci *o)
{
	const char *text = ctr_map_get(&o->spec->annotations, "io.kubernetes.cri-o.Metadata");
	struct wish_identity *who = &o->wish->who;
	struct err garbled = ERR_INIT;
	const struct json *doc, *m;
	uint64_t n;

	if (!text || json_parse(text, strlen(text), LABELS_MAX, o->arena, &doc, &garbled) < 0)
		return;
	m = doc->type == JSON_OBJECT ? json_get(doc, "attempt") : NULL;
	if (m && m->type == JSON_NUMBER && parse_u64(m->text, UINT32_MAX, &n) == 0)
		who->attempt = (uint32_t)n;
	m = doc->type == JSON_OBJECT ? json_get(doc, "name") : NULL;
	if (m && m->type == JSON_STRING && *m->text && !who->container)
		who->container = m->text;
}

static int read_identity(struct wish_oci *o, const struct ctr_input *in, struct err *err)
{
	struct wish_identity *who = &o->wish->who;

	who->id = in->id;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const char **to = (const char **)((char *)who + marks[i].off);

		for (size_t k = 0; !*to && k < ARRAY_SIZE(marks[i].keys) && marks[i].keys[k]; k++) {
			const char *text = ctr_map_get(&o->spec->annotations, marks[i].keys[k]);
			*to = text && *text ? text : NULL;
		}
	}
	read_attempt(o);
	if (in->image)
		who->image = in->image;
	o->wish->image = who->image;
	if (!o->wish->image)
		ctr_fault_add(o->faults, ERR_INVALID, "annotations",
			"no annotation says which image the guest is to be made from: "
			"io.kubernetes.cri.image-name or io.kubernetes.cri-o.ImageName");
	if (copy_annotations(o, err) < 0 ||
		unpack(o, "io.kubernetes.cri-o.Labels", &who->labels, err) < 0)
		return -1;
	return unpack(o, "io.kubernetes.cri-o.Annotations", &who->annotations, err);
}

/* ---- the program ---- */

/* What an engine puts into every container's environment of itself. Passed on, it would replace
 * what the image or LXC says: a PATH without the image's own folders, a "container" that makes
 * systemd believe in another place. */
static bool is_engines_variable(const char *name, size_t n, const char *value)
{
	static const char *const always[] = { "HOSTNAME", "container" };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		if (n == strlen(always[i]) && memcmp(name, always[i], n) == 0)
			return true;
	}
	if (n == 4 && memcmp(name, "PATH", n) == 0)
		return str_eq(
			value, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	if (n == 4 && memcmp(name, "HOME", n) == 0)
		return str_eq(value, "/root");
	return n == 4 && memcmp(name, "TERM", n) == 0 && str_eq(value, "xterm");
}

static int read_env(struct wish_oci *o, const struct oci_process *p, struct err *err)
{
	for (size_t i = 0; i < p->n_env; i++) {
		const char *text = p->env[i], *eq = strchr(text, '=');
		const char *name, *problem;
		char place[64];

		if (!eq || is_engines_variable(text, (size_t)(eq - text), eq + 1))
			continue;
		name = arena_strndup(o->arena, text, (size_t)(eq - text));
		if (!name)
			return err_nomem(err);
		problem = pve_env_problem(name, eq + 1);
		/* Its value is a secret. */
		snprintf(place, sizeof(place), "process.env[%zu]", i);
		if (problem)
			ctr_fault_add(
				o->faults, ERR_INVALID, place, "\"%.60s\": %s", name, problem);
		else if (pve_map_set(&o->wish->env, name, eq + 1, o->arena, err) < 0)
			return -1;
	}
	return 0;
}

static void read_args(struct wish_oci *o, const struct oci_process *p)
{
	for (size_t i = 0; i < p->n_args; i++) {
		const char *problem = pve_arg_problem(p->args[i]);
		char place[64];

		snprintf(place, sizeof(place), "process.args[%zu]", i);
		if (problem)
			ctr_fault_add(o->faults, ERR_INVALID, place, "it %s", problem);
	}
	o->wish->argv = p->args;
	o->wish->n_argv = p->n_args;
}

/* A guest's own init begins in "/", whatever is asked for. And "/" is what an engine writes where
 * nobody asked: the image's own. */
static int read_cwd(struct wish_oci *o, const struct oci_process *p, struct err *err)
{
	const char *problem = p->cwd ? pve_arg_problem(p->cwd) : NULL;

	if (!p->cwd || str_eq(p->cwd, "/"))
		return 0;
	if (!o->wish->n_argv) {
		wish_waive(o->wish, o->cfg, WAIVE_WORKING_DIR, o->faults, "process.cwd",
			"a guest's own init begins in /");
		return 0;
	}
	if (problem)
		ctr_fault_add(o->faults, ERR_INVALID, "process.cwd", "it %s", problem);
	o->wish->cwd = path_clean(o->arena, p->cwd);
	return o->wish->cwd ? 0 : err_nomem(err);
}

static int read_process(struct wish_oci *o, struct err *err)
{
	const struct oci_process *p = o->spec->process;

	if (!p)
		return 0;
	if (p->n_args > 1 || (p->n_args == 1 && !str_eq(p->args[0], "/sbin/init")))
		read_args(o, p);
	return read_cwd(o, p, err) < 0 ? -1 : read_env(o, p, err);
}

static int read_hostname(struct wish_oci *o, struct err *err)
{
	const struct oci_process *p = o->spec->process;
	const char *wanted = o->spec->hostname, *from = "hostname";

	for (size_t i = 0; p && !wanted && i < p->n_env; i++) {
		if (str_starts(p->env[i], "HOSTNAME=") && p->env[i][9]) {
			wanted = p->env[i] + 9;
			from = "process.env: HOSTNAME";
		}
	}
	if (!wanted) {
		wanted = o->wish->who.pod;
		from = "annotations: the pod's name";
	}
	return wish_set_hostname(o->wish, wanted, from, o->wish->who.id, o->arena, err);
}

/* ---- resources, namespaces ---- */

/* swap is the limit of both together: a guest's default of one isn't a part of it. */
static void read_memory(struct wish_oci *o, const struct oci_memory *m)
{
	struct guest_wish *w = o->wish;

	if (m->limit && *m->limit > 0)
		w->memory_bytes = *m->limit;
	if (m->swap && *m->swap != 0)
		w->memory_swap_bytes = *m->swap < 0 ? -1 : *m->swap;
	if (w->memory_swap_bytes > 0 && !w->memory_bytes)
		ctr_fault_add(o->faults, ERR_UNSUPPORTED, "linux.resources.memory.swap",
			"it needs limit beside it: it is the limit of both together");
	else if (w->memory_swap_bytes > 0 && w->memory_swap_bytes < w->memory_bytes)
		ctr_fault_add(o->faults, ERR_INVALID, "linux.resources.memory.swap",
			"it is less than limit");
}

static void read_resources(struct wish_oci *o)
{
	const struct oci_resources *r = o->spec->linux_ ? o->spec->linux_->resources : NULL;
	struct guest_wish *w = o->wish;

	if (r && r->memory)
		read_memory(o, r->memory);
	if (r && r->cpu) {
		if (r->cpu->quota && *r->cpu->quota > 0)
			w->cpu_quota = *r->cpu->quota;
		if (r->cpu->period && *r->cpu->period <= INT64_MAX)
			w->cpu_period = (int64_t)*r->cpu->period;
		if (r->cpu->shares && *r->cpu->shares <= INT64_MAX)
			w->cpu_shares = (int64_t)*r->cpu->shares;
	}
}

/* What a container without such a namespace would see of its host. The host's network, and its name
 * with it, are no loss: a guest has an address of its own. */
static const struct {
	enum oci_namespace_type type;
	const char *what;
} hosts[] = {
	{ OCI_NS_MOUNT, "without a mount namespace it would see the host's files; a guest can't" },
	{ OCI_NS_PID, "without a pid namespace it would see the host's processes; a guest can't" },
	{ OCI_NS_IPC, "without an ipc namespace it would share the host's; a guest has its own" },
};

static void read_namespaces(struct wish_oci *o)
{
	const struct oci_linux *l = o->spec->linux_;
	char place[64], what[160];

	for (size_t i = 0; l && i < l->n_namespaces; i++) {
		const struct oci_namespace *ns = &l->namespaces[i];
		const char *name = oci_namespace_name(ns->type);

		snprintf(place, sizeof(place), "linux.namespaces[%zu]", i);
		snprintf(what, sizeof(what),
			"a guest has its own %s namespace, it can't share a pod's", name);
		if (ns->path)
			wish_oci_judge(o, "linux.namespaces[].path", place, what);
		else if (ns->type == OCI_NS_TIME)
			wish_oci_judge(o, "linux.namespaces[].type", place,
				"a guest has the node's clocks: no time namespace");
	}
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		if (!oci_namespace_get(o->spec, hosts[i].type))
			wish_oci_judge(
				o, "linux.namespaces[].type", "linux.namespaces", hosts[i].what);
	}
}

/* ---- all of it ---- */

int wish_from_oci(const struct ctr_input *in, const struct settings_proxmox *cfg, struct arena *a,
	struct guest_wish *ret, struct ctr_faults *faults, struct err *err)
{
	struct wish_oci o = { .spec = in->spec,
		.bundle = in->bundle ? in->bundle : "",
		.cfg = cfg,
		.arena = a,
		.wish = ret,
		.faults = faults };

	*ret = (struct guest_wish){ .bundle = true };
	ret->readonly_rootfs = in->spec->root && in->spec->root->readonly;
	if (read_identity(&o, in, err) < 0 ||
		options_read(ret, cfg, &in->spec->annotations, "annotations", a, faults, err) < 0 ||
		read_process(&o, err) < 0 || read_hostname(&o, err) < 0)
		return -1;
	read_resources(&o);
	read_namespaces(&o);
	wish_oci_devices(&o);
	if (wish_oci_security(&o, err) < 0 || wish_oci_mounts(&o, err) < 0)
		return -1;
	judge_rows(&o);
	return ctr_faults_err(faults, err);
}
