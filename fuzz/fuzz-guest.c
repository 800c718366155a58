/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to guests, with a server that answers anything: nothing is removed or stopped before
 * its description has said that it is ours, and every verb comes to an end.
 */
#include "backend/proxmox/params.h"
#include "backend/proxmox/proxmox.h"
#include "pve-server.h"

#define ID   "0123456789abcdef0123"
#define VMID "200001"

static const char *const storages[] = { "local" };
static const char *storage_names[ARRAY_SIZE(storages)];
static struct settings_proxmox cfg = { .call_s = 5,
	.create_s = 20,
	.pull_s = 20,
	.start_s = 10,
	.stop_s = 10,
	.destroy_s = 20,
	.grace_s = 5,
	.vmid_first = 200000,
	.vmid_last = 200010,
	.storage = "data",
	.memory_mib = 512,
	.rootfs_gib = 8,
	.pull_aplinfo = true };

static bool marked;    /* the last configuration that came says that it is ours */
static unsigned harms; /* calls that remove or stop */

/* As people read it, not as JSON spells it. */
static void watch(const struct pve_ask *ask, const struct pve_answer *answer, struct arena *arena)
{
	const struct json *doc = NULL;
	const char *description = NULL;
	struct err err = ERR_INIT;
	char *body;

	if (ask->method == HTTPS_DELETE && strstr(ask->path, "/tasks/"))
		return;
	if (ask->method == HTTPS_DELETE || strstr(ask->path, "/status/stop") ||
		strstr(ask->path, "/status/shutdown")) {
		assert(marked);
		harms++;
		/* The next one needs another look. */
		marked = false;
	}
	if (ask->method != HTTPS_GET || !str_ends(ask->path, "/config"))
		return;
	marked = false;
	/* As the calls do it: what is kept apart by NUL bytes can be read. */
	body = arena_strndup(arena, answer->body, answer->n);
	for (char *p = body; p && (p = strstr(p, "\\u0000")); p += 6)
		p[5] = '1';
	if (body && answer->status == 200 && answer->json &&
		json_parse(body, answer->n, INPUT_MAX, arena, &doc, &err) == 0 &&
		doc->type == JSON_OBJECT)
		description = pve_text(json_get(doc, "data"), "description");
	marked = description && strstr(description, "ctrctl:v1:{") && strstr(description, ID);
}

/* In place of the table's. */
struct pve *proxmox_session(struct ctr_context *context, struct err *err)
{
	return &context->pve;
}

struct bench {
	struct ctr_context context;
	struct ctr_record rec;
	struct guest guest;
};

static void set_up(struct bench *b, const char *text, struct arena *arena)
{
	storage_names[0] = storages[0];
	cfg.template_storages = storage_names;
	cfg.n_template_storages = ARRAY_SIZE(storage_names);
	*b = (struct bench){
		.context = { .cfg = &cfg, .arena = arena, .pve = session(&cfg, arena, text) },
		.rec = { .id = ID,
			.guest = VMID,
			.backend = "proxmox",
			.created = "2026-01-01T00:00:00Z",
			.phase = CTR_CREATED },
		.guest = { .id = ID, .vmid = 200001, .node = "pve1", .phase = GUEST_INTENT },
	};
	b->rec.context = &b->context;
	server.watch = watch;
	marked = false;
	harms = 0;
}

static void judge(int result, const struct err *err)
{
	assert(result >= -1 && result <= 1);
	if (result < 0)
		look_at(err);
}

/* ---- looks ---- */

static void try_cluster(const char *text, struct arena *arena)
{
	struct bench b;
	struct pve_cluster c;
	struct err err = ERR_INIT;
	const char *node = NULL;
	unsigned at = 0, vmid;
	int r;

	set_up(&b, text, arena);
	r = pve_cluster_look(&b.context.pve, arena, &c, &err);
	judge(r, &err);
	if (r < 0)
		return;
	r = pve_node_choose(&cfg, &c, UINT64_C(1) << 30, &node, &err);
	judge(r, &err);
	assert(r < 0 || (node && node[0]));
	for (unsigned n = 0; (vmid = pve_vmid_choose(&cfg, &c, ID, &at)); n++) {
		assert(vmid >= cfg.vmid_first && vmid <= cfg.vmid_last && n < 11);
		for (size_t i = 0; i < c.n_used; i++)
			assert(c.used[i] != vmid);
	}
}

static void try_look(const char *text, struct arena *arena)
{
	struct bench b;
	struct guest_look look;
	struct err err = ERR_INIT;
	int r;

	set_up(&b, text, arena);
	r = guest_look(&b.context.pve, &b.guest, arena, &look, &err);
	judge(r, &err);
	assert(r < 0 || look.node);
	r = guest_is_ours(&b.context.pve, &b.guest, "pve1", false, arena, NULL, &err);
	judge(r, &err);
	assert(r != 1 || marked);
}

static void try_survey(const char *text, struct arena *arena)
{
	struct bench b;
	struct ctr_record recs[2];
	struct ctr_survey seen;
	struct err err = ERR_INIT;
	int r;

	set_up(&b, text, arena);
	recs[0] = recs[1] = b.rec;
	recs[1].id = "fedcba98765432100000";
	recs[1].guest = "200002";
	r = proxmox_survey(&b.context, recs, ARRAY_SIZE(recs), &seen, &err);
	judge(r, &err);
	for (size_t i = 0; r == 0 && i < seen.n_strays; i++)
		assert(!str_eq(seen.strays[i].id, ID) && seen.strays[i].guest &&
			seen.strays[i].id[0] && !strchr(seen.strays[i].id, '/'));
}

static void try_find(const char *text, struct arena *arena)
{
	struct bench b;
	struct ctr_record rec;
	struct err err = ERR_INIT;
	int r;

	set_up(&b, text, arena);
	r = proxmox_find(&b.context, ID, -1, &rec, &err);
	judge(r, &err);
	assert(r != 1 || (str_eq(rec.id, ID) && marked));
}

static void try_status(const char *text, struct arena *arena)
{
	struct bench b;
	struct ctr_exit ended;
	struct ctr_stats stats;
	enum ctr_status status;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	judge(proxmox_status(&b.rec, -1, &status, &err), &err);
	judge(proxmox_ended(&b.rec, -1, &ended, &err), &err);
	judge(proxmox_stats(&b.rec, -1, &stats, &err), &err);
	assert(harms == 0);
}

static void try_template(const char *text, struct arena *arena)
{
	const struct pve_source source = {
		.name = "debian-12", .asked = "lxc/debian-12", .aplinfo = true
	};
	struct bench b;
	struct pve_template found;
	struct err err = ERR_INIT;
	int r;

	set_up(&b, text, arena);
	r = pve_template_find(&b.context.pve, &source, "pve1", true, arena, &found, &err);
	judge(r, &err);
	if (r < 0)
		return;
	assert(str_starts(found.volid, "local:vztmpl/") && !strpbrk(found.volid, " \n\t"));
	assert(str_starts(pve_template_image_id(&found, arena), "sha256:"));
}

/* ---- verbs ---- */

static void try_start(const char *text, struct arena *arena)
{
	struct bench b;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	judge(proxmox_start(&b.rec, -1, NULL, NULL, &err), &err);
	assert(harms == 0);
}

static void try_stop(const char *text, struct arena *arena)
{
	struct bench b;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	b.rec.phase = CTR_RUNNING;
	judge(proxmox_stop(&b.rec, -1, 2000, &err), &err);
}

static void try_kill(const char *text, struct arena *arena)
{
	struct bench b;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	b.rec.phase = CTR_RUNNING;
	judge(proxmox_signal(&b.rec, -1, 9, true, &err), &err);
}

static void try_destroy(const char *text, struct arena *arena)
{
	struct bench b;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	judge(proxmox_destroy(&b.rec, -1, &err), &err);
}

static void try_undo(const char *text, struct arena *arena)
{
	struct bench b;
	struct err err = ERR_INIT;

	set_up(&b, text, arena);
	judge(proxmox_undo_create(&b.context.pve, -1, &b.guest, true, &err), &err);
}

/* What an import left in the configuration, and what is wished for over it. */
static void try_second(const char *text, struct arena *arena)
{
	static const char *argv[] = { "/bin/sh", "-c", "it's \"so\"" };
	static struct ctr_pair env[] = { { "A", "1" }, { "PATH", "/bin" } };
	struct guest_wish wish = { .who = { .id = ID }, .image = "lxc/x" };
	struct pve_form form = PVE_FORM_INIT(arena);
	const struct json *config;
	struct err err = ERR_INIT;
	struct bench b;

	set_up(&b, text, arena);
	if (pve_get(&b.context.pve, arena, "/nodes/pve1/lxc/200001/config", NULL, &config, NULL,
		    &err) < 0)
		return;
	if (config->type != JSON_OBJECT)
		return;
	wish.argv = argv;
	wish.n_argv = ARRAY_SIZE(argv);
	wish.env = (struct ctr_map_str){ env, ARRAY_SIZE(env) };
	judge(params_second(&wish, &cfg, config, arena, &form, &err), &err);
	form = (struct pve_form)PVE_FORM_INIT(arena);
	wish.args_only = true;
	judge(params_second(&wish, &cfg, config, arena, &form, &err), &err);
	assert(form.failed || pve_form_encode(&form));
}

static const struct kind kinds[] = {
	{ "cluster", try_cluster },
	{ "look", try_look },
	{ "survey", try_survey },
	{ "find", try_find },
	{ "status", try_status },
	{ "template", try_template },
	{ "start", try_start },
	{ "stop", try_stop },
	{ "kill", try_kill },
	{ "destroy", try_destroy },
	{ "undo", try_undo },
	{ "second", try_second },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return try_kinds(kinds, ARRAY_SIZE(kinds), data, n);
}
