/* SPDX-License-Identifier: Apache-2.0 */
/* The Proxmox VE backend's table, and its context. */
#include "backend/proxmox/proxmox.h"

#include "base/fd.h"
#include "model/settings.h"

/* Usable here? The server isn't asked: that costs, and what it lacks is said by what is tried. */
static int proxmox_probe(struct err *why_not)
{
	return 1;
}

static struct ctr_context *proxmox_open(const struct ctr_setup *setup, struct err *err)
{
	struct ctr_context *c = calloc(1, sizeof(*c));

	if (c)
		c->arena = arena_new();
	if (!c || !c->arena) {
		free(c);
		err_nomem(err);
		return NULL;
	}
	c->cfg = setup->settings->proxmox;
	c->settings_path = setup->settings_path;
	c->pve = (struct pve){ .cfg = c->cfg, .arena = c->arena };
	if (!c->cfg)
		return c;
	c->pve.client = pve_client_new(c->cfg, setup->credential_fd, err);
	if (c->pve.client)
		return c;
	arena_free(c->arena);
	free(c);
	return NULL;
}

static void proxmox_close(struct ctr_context *c)
{
	if (!c)
		return;
	pve_client_free(c->pve.client);
	arena_free(c->arena);
	free(c);
}

struct pve *proxmox_session(struct ctr_context *c, struct err *err)
{
	if (c && c->cfg)
		return &c->pve;
	err_set(err, ERR_UNSUPPORTED, NULL, "no Proxmox VE server is configured");
	err_hint(err, "the \"proxmox\" section of /etc/ctrctl/config.json names it; see "
		      "docs/proxmox.md");
	return NULL;
}

static int proxmox_check(const struct ctr_input *in, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct ctr_faults own = CTR_FAULTS_INIT;
	struct guest_wish wish;
	int r;

	if (!a)
		return err_nomem(err);
	if (!proxmox_session(in->context, err))
		return -1;
	r = proxmox_wish(in, a, &wish, in->faults ? in->faults : &own, err);
	ctr_faults_done(&own);
	return r;
}

const struct ctr_backend ctr_backend_proxmox = {
	.name = "proxmox",
	.remote = true,
	.poll_ms = 2000,
	.open = proxmox_open,
	.close = proxmox_close,
	.probe = proxmox_probe,
	.check = proxmox_check,
	.create = proxmox_create,
	.start = proxmox_start,
	.signal = proxmox_signal,
	.status = proxmox_status,
	.destroy = proxmox_destroy,
	.update = proxmox_update,
	.explain = proxmox_explain,
	.stop = proxmox_stop,
	.ended = proxmox_ended,
	.stats = proxmox_stats,
	.survey = proxmox_survey,
	.find = proxmox_find,
	.diagnose = proxmox_diagnose,
};
