/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of requests as wishes: a request is read, its sandbox is taken from it. */
#ifndef TEST_PROXMOX_CRI_H
#define TEST_PROXMOX_CRI_H

#include "backend/proxmox/wish-cri.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>

#define ID "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

struct reading {
	struct arena *arena;
	struct settings_proxmox cfg;
	bool native_sandbox;
	const struct cri_create_container_request *request;
	struct ctr_faults faults;
	struct guest_wish wish;
	struct err err;
};

static inline void reading_done(struct reading *r)
{
	ctr_faults_done(&r->faults);
	arena_free(r->arena);
}
#define _reading_ _cleanup_(reading_done) struct reading

static inline int read_request(struct reading *r, const char *text, size_t n)
{
	struct cri_create_container_request *request;
	struct ctr_sandbox_record *sandbox;
	struct ctr_input in = { .id = ID, .sandbox_remote = !r->native_sandbox };
	struct err err = ERR_INIT;

	if (!r->arena)
		r->arena = arena_new();
	cr_assert_eq(cri_request_parse(text, n, r->arena, &request, &err), 0, "%s: %s\n%s",
		err.where, err.text, text);
	sandbox = arena_alloc(r->arena, sizeof(*sandbox));
	sandbox->id = request->pod_sandbox_id;
	sandbox->config = request->sandbox_config;
	in.sandbox = sandbox;
	in.config = request->config;
	r->request = request;
	if (!r->cfg.vmid_first) {
		struct settings_proxmox defaults, with = r->cfg;
		settings_proxmox_init(&defaults);
		r->cfg = defaults;
		memcpy(r->cfg.waive, with.waive, sizeof(with.waive));
		r->cfg.privileged_allowed = with.privileged_allowed;
		r->cfg.annotations = with.annotations;
		r->cfg.n_annotations = with.n_annotations;
		r->cfg.local_node = with.local_node;
		r->cfg.user = with.user;
		r->cfg.password_file = with.password_file;
	}
	return wish_from_cri(&in, &r->cfg, r->arena, &r->wish, &r->faults, &r->err);
}

static inline int read_request_file(struct reading *r, const char *name)
{
	_free_ char *path = strf("%s/%s.json", TEST_DATA, name), *text = NULL;
	struct err err = ERR_INIT;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &text, &n, &err), 0, "%s", path);
	r->arena = arena_new();
	return read_request(r, arena_strndup(r->arena, text, n), n);
}

static inline void as_root_on(struct reading *r, const char *node)
{
	r->cfg.local_node = node;
	r->cfg.user = "root@pam";
	r->cfg.password_file = "/p";
}

static inline void waive_all(struct reading *r)
{
	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		r->cfg.waive[i] = true;
}

#endif
