/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What create would do, as text. Nothing is changed: the server is only asked, and what it can't be
 * asked is left open.
 */
#include "backend/proxmox/proxmox.h"
#include "backend/proxmox/pull.h"
#include "base/proc.h"

#include <stdarg.h>
#include <string.h>

struct explaining {
	const struct ctr_input *in;
	const struct settings_proxmox *cfg;
	struct pve *pve;
	struct arena *a;
	struct str *out;
	struct guest_wish wish;
	struct pve_source source;
	struct pve_cluster cluster;
	struct pve_target target;
	bool asks;        /* the server answers */
	const char *best; /* the node to be tried first */
	int there;        /* what pve_place() said, with what it left in pull or lack */
	struct pve_pull pull;
	struct err lack;
	struct pve_form first, second; /* what is sent */
};

static void say(struct explaining *x, const char *fmt, ...) _printf_(2, 3);
static void say(struct explaining *x, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	str_printf(x->out, "%s\n", line);
}

/* ---- the server ---- */

static int look_at_server(struct explaining *x, struct err *err)
{
	const struct json *data;
	struct err why = ERR_INIT;
	char line[1024];

	/* Once: explain shall not wait until a server comes back. */
	if (pve_get_once(x->pve, x->a, "/version", NULL, 0, &data, NULL, &why) == 0 &&
		pve_version(x->pve, &why) == 0) {
		x->asks = true;
		x->target.major = x->pve->major;
		x->target.minor = x->pve->minor;
		say(x, "server %s, Proxmox VE %u.%u", x->cfg->endpoint, x->pve->major,
			x->pve->minor);
		return 0;
	}
	err_line(&why, line, sizeof(line));
	say(x, "server %s can't be asked: %s", x->cfg->endpoint, line);
	if (why.code == ERR_UNAVAILABLE || why.code == ERR_TIMEOUT)
		return 0;
	*err = why;
	return -1;
}

/* ---- where ---- */

static const char *names_of(struct explaining *x)
{
	const char *text = "";

	for (size_t i = 0; text && i < x->cfg->n_nodes; i++)
		text = arena_printf(x->a, "%s%s%s", text, i ? ", " : "", x->cfg->nodes[i]);
	return text;
}

static int guess_node(struct explaining *x, bool here, struct err *err)
{
	const char *names = names_of(x);

	if (!names)
		return err_nomem(err);
	if (here || x->cfg->n_nodes == 1) {
		x->target.node = here ? x->cfg->local_node : x->cfg->nodes[0];
		say(x, "node %s: the only one that is allowed (%s)", x->target.node,
			here ? "proxmox.localNode, for paths or devices of a host are asked for"
			     : "proxmox.nodes");
		return 0;
	}
	x->target.node = "NODE";
	say(x, "node: not asked; the one with the most free memory %s%s",
		*names ? "among " : "of all", names);
	return 0;
}

static const struct pve_node *node_of(const struct pve_cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (str_eq(c->nodes[i].name, name))
			return &c->nodes[i];
	return NULL;
}

static size_t online_of(const struct pve_cluster *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_nodes; i++)
		n += c->nodes[i].online;
	return n;
}

static void say_node(struct explaining *x, bool here)
{
	const struct pve_node *n = node_of(&x->cluster, x->target.node);
	const uint64_t memory = pve_memory_needed(&x->wish, x->source.image, x->cfg);
	const size_t online = online_of(&x->cluster);

	if (here)
		say(x, "node %s: proxmox.localNode, for paths or devices of a host are asked for",
			x->target.node);
	else if (!str_eq(x->target.node, x->best))
		say(x, "node %s: it has the template; %s, with more free memory, hasn't",
			x->target.node, x->best);
	else if (n && n->memory)
		say(x,
			"node %s: it has the most free memory, %llu of %llu MiB, and the guest gets "
			"%llu (%zu nodes are up)",
			x->target.node,
			(unsigned long long)((n->memory - MIN(n->memory_used, n->memory)) >> 20),
			(unsigned long long)(n->memory >> 20), (unsigned long long)(memory >> 20),
			online);
	else
		say(x,
			"node %s: it has the fewest guests; memory isn't told without Sys.Audit (%zu "
			"nodes are up)",
			x->target.node, online);
}

static int find_node(struct explaining *x, struct err *err)
{
	const bool here = pve_needs_local_node(&x->wish, x->cfg);

	if (!x->asks)
		return guess_node(x, here, err);
	if (pve_cluster_look(x->pve, x->a, &x->cluster, err) < 0 ||
		pve_node_for(&x->wish, x->source.image, x->cfg, &x->cluster, &x->best, err) < 0)
		return -1;
	x->there = pve_place(
		x->pve, &x->wish, &x->source, &x->cluster, x->a, &x->target, &x->pull, &x->lack);
	if (x->there < 0)
		x->target.node = x->best;
	say_node(x, here);
	return 0;
}

static int find_vmid(struct explaining *x, struct err *err)
{
	unsigned at = 0;

	x->target.vmid = pve_vmid_choose(x->cfg, &x->cluster, x->in->id, &at);
	if (!x->target.vmid)
		return err_set(err, ERR_EXHAUSTED, NULL, "no VMID of %u to %u is free",
			x->cfg->vmid_first, x->cfg->vmid_last);
	if (x->in->id_unknown) {
		say(x, "VMID: of %u to %u, by the container's id, which isn't known yet",
			x->cfg->vmid_first, x->cfg->vmid_last);
		return 0;
	}
	say(x, "VMID %u: the first to be tried of %u to %u%s", x->target.vmid, x->cfg->vmid_first,
		x->cfg->vmid_last, x->asks ? "" : "; which ones are used isn't asked");
	return 0;
}

/* ---- from what ---- */

static const char *source_text(struct explaining *x)
{
	const struct pve_source *s = &x->source;

	if (s->oci)
		return arena_printf(x->a, "image %s of a registry", s->oci);
	if (s->url)
		return arena_printf(x->a, "file %s", s->url);
	return arena_printf(x->a, "newest template %s%s%s", s->name ? s->name : "",
		s->tag ? ":" : "", s->tag ? s->tag : "");
}

static int guess_template(struct explaining *x, const char *what, struct err *err)
{
	if (x->source.volid)
		say(x, "template %s", x->source.volid);
	else
		say(x, "template: not asked; the %s", what);
	x->target.template.volid = x->source.volid ? x->source.volid : "TEMPLATE";
	/* Whatever has to be fetched from a registry is an archive of that kind. */
	x->target.template.oci = x->source.oci;
	return 0;
}

static int find_template(struct explaining *x, struct err *err)
{
	static const char *const how[PULL_KIND_N] = { [PULL_APLINFO] = "the index of templates",
		[PULL_OCI] = "a registry",
		[PULL_URL] = "its address" };
	struct pve_template *t = &x->target.template;
	const char *what = source_text(x);
	const char *id;

	if (!what)
		return err_nomem(err);
	if (!x->asks)
		return guess_template(x, what, err);
	if (x->there < 0) {
		*err = x->lack;
		return -1;
	}
	if (x->there == 0) {
		say(x, "template %s: it would be fetched from %s: %s", t->volid, how[x->pull.kind],
			x->pull.what);
		return 0;
	}
	id = pve_template_image_id(t, x->a);
	if (!id)
		return err_nomem(err);
	say(x, "template %s%s%s", t->volid, x->source.volid ? "" : ": the ",
		x->source.volid ? "" : what);
	say(x, "image id %s", id);
	return 0;
}

static void write_waived(struct explaining *x)
{
	const char *before = "waived, by proxmox.waive: ";

	for (int i = 0; i < SETTINGS_WAIVER_N; i++) {
		if (!x->wish.waived[i])
			continue;
		str_printf(x->out, "%s%s", before, settings_waiver_name(i));
		before = ", ";
	}
	str_add(x->out, *before == ',' ? "\n" : "");
}

/* ---- what is sent ---- */

static void write_value(struct str *out, const char *p, size_t n)
{
	for (const char *end = p + n; p < end; p++) {
		if (*p == '\n')
			str_add(out, "\\n");
		else if (*p == '\\')
			str_add(out, "\\\\");
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			str_printf(out, "\\x%02x", (unsigned char)*p);
		else
			str_addn(out, p, 1);
	}
}

/* Would be another one under another id. */
static bool is_by_id(const struct explaining *x, const struct pve_param *p)
{
	static const char *const names[] = { "vmid", "tags", "description" };
	char id[16];

	if (!x->in->id_unknown)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(p->name, names[i]))
			return true;
	snprintf(id, sizeof(id), "ct-%.12s", x->in->id);
	return str_eq(p->name, "hostname") && str_eq(p->value, id);
}

static void write_form(struct explaining *x, const struct pve_form *form)
{
	struct str *out = x->out;

	for (size_t i = 0; i < form->n; i++) {
		const struct pve_param *p = &form->items[i];
		str_printf(out, "  %s = ", p->name);
		if (is_by_id(x, p))
			str_add(out, "(by the container's id)");
		else if (p->secret)
			str_printf(out, "(hidden, %zu bytes)", p->n);
		else
			write_value(out, p->value, p->n);
		str_printf(out, "    <- %s\n", p->from ? p->from : "ctrctl");
	}
}

/* Both requests; what the waivers let go is known then, too. */
static int plan(struct explaining *x, struct err *err)
{
	if (params_build(&x->wish, &x->target, x->cfg, x->a, &x->first, err) < 0 ||
		pve_form_ok(&x->first, err) < 0)
		return -1;
	if (!x->target.template.oci)
		return 0;
	return params_second(&x->wish, x->cfg, NULL, x->a, &x->second, err) < 0
		       ? -1
		       : pve_form_ok(&x->second, err);
}

/* What depends on what the archive says itself, which is known once it is unpacked. */
static void write_open(struct explaining *x)
{
	const struct guest_wish *w = &x->wish;
	const char *folder = w->cwd ? w->cwd : "/";

	if (w->n_argv && w->cwd)
		say(x, "  no shell goes to %s where that is the image's own folder", folder);
	else if (w->cwd)
		say(x,
			"  where %s isn't the image's own folder, a shell goes there and starts the "
			"image's command%s",
			folder,
			x->cfg->waive[WAIVE_WORKING_DIR]
				? "; the folder is waived where it has none"
				: "; create fails where it has none");
	if (!w->n_argv)
		say(x, "  the image's command is kept, but written anew where LXC would misread the "
		       "server's quotes");
	if (!w->env.n)
		say(x, "  the image's environment is kept");
	if (w->root_user || w->root_group)
		say(x, "  where the image has another user than root, %s",
			x->cfg->waive[WAIVE_USER] ? "that is kept (waived)" : "create fails");
}

static void write_calls(struct explaining *x)
{
	char vmid[16];

	str_printf(x->out, "\nPOST /nodes/%s/lxc\n", x->target.node);
	write_form(x, &x->first);
	if (!x->target.template.oci)
		return;
	snprintf(vmid, sizeof(vmid), "%u", x->target.vmid);
	if (x->second.n)
		str_printf(x->out,
			"\nPUT /nodes/%s/lxc/%s/config, once the image is unpacked: over what "
			"it says itself\n",
			x->target.node, x->in->id_unknown ? "VMID" : vmid);
	else
		str_add(x->out, "\nthen, once the image is unpacked:\n");
	write_form(x, &x->second);
	write_open(x);
}

/* ---- the whole ---- */

static int begin(struct explaining *x, struct err *err)
{
	struct ctr_faults own = CTR_FAULTS_INIT;
	char now[PROC_TIME_MAX];
	int r = proxmox_wish(x->in, x->a, &x->wish, x->in->faults ? x->in->faults : &own, err);

	ctr_faults_done(&own);
	if (r < 0)
		return -1;
	params_note_memory(x->wish.memory_bytes);
	x->wish.who.created = arena_strdup(x->a, proc_now(now));
	if (!x->wish.who.created)
		return err_nomem(err);
	if (!x->wish.image)
		return err_set(err, ERR_INVALID, "image", "is needed to make a guest from");
	if (pve_source_of(x->cfg, x->wish.image, x->a, &x->source, err) < 0)
		return -1;
	x->target.image = x->source.image;
	x->target.ticket = settings_proxmox_is_root(x->cfg);
	return 0;
}

static int (*const steps[])(struct explaining *, struct err *) = { begin, look_at_server, find_node,
	find_vmid, find_template, plan };

int proxmox_explain(const struct ctr_input *in, char **ret_text, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	_str_ struct str out = { 0 };
	struct explaining x = { .in = in,
		.cfg = in->context ? in->context->cfg : NULL,
		.pve = proxmox_session(in->context, err),
		.a = a,
		.out = &out };
	struct err full = ERR_INIT;
	int r = 0;

	*ret_text = NULL;
	if (!x.pve)
		return -1;
	if (!a)
		return err_nomem(err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&x, err);
	if (r == 0) {
		write_waived(&x);
		write_calls(&x);
	}
	/* As far as it came. */
	if (str_ok(&out, &full) < 0) {
		*err = full;
		return -1;
	}
	*ret_text = take(out.p);
	return r;
}
