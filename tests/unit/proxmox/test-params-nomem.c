/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation between a request and its parameters fails once: nothing crashes, and nothing is
 * made that lacks a part. */
#include "backend/proxmox/params.h"

#include "cri.h"
#include "nomem.h"

static const char text[] =
	"{\"pod_sandbox_id\":\"s\",\"config\":{\"metadata\":{\"name\":\"c\"},\"image\":{\"image\":"
	"\"db-a\"},\"args\":[\"a b\",\"\"],\"working_dir\":\"/srv\",\"envs\":[{\"key\":\"A\","
	"\"value\":\"1\"},{\"key\":\"B\",\"value\":\"2\"}],\"mounts\":[{\"container_path\":\"/a/b\","
	"\"host_path\":\"/x\",\"mount_options\":[\"nodev\"]},{\"container_path\":\"/a\","
	"\"host_path\":\"/y\",\"readonly\":true}],\"devices\":[{\"container_path\":\"/dev/a\","
	"\"host_path\":\"/dev/a\"}],\"labels\":{\"l\":\"1\"},\"annotations\":{\"n\":\"1\"},"
	"\"log_path\":\"0.log\",\"linux\":{\"resources\":{\"memory_limit_in_bytes\":1,\"cpu_quota\":"
	"1000},\"security_context\":{\"masked_paths\":[\"/proc/x\"]}}},\"sandbox_config\":{"
	"\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\"},\"hostname\":\"h\","
	"\"log_directory\":\"/l\",\"dns_config\":{\"servers\":[\"1.1.1.1\"],\"searches\":[\"a.\"]}}}";

static const char *names[] = { "db-a" };
static const char *entrypoint[] = { "/entry" };
static struct settings_guest_image images[] = {
	{ .template = "local:vztmpl/a.tar.zst", .entrypoint = entrypoint, .n_entrypoint = 1 }
};

static int run(const struct cri_create_container_request *request, struct settings_proxmox *cfg,
	const struct pve_target *t, size_t *ret_n, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	const struct ctr_sandbox_record sandbox = { .id = "s", .config = request->sandbox_config };
	const struct ctr_input in = {
		.id = ID, .config = request->config, .sandbox = &sandbox, .sandbox_remote = true
	};
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct guest_wish wish;
	struct pve_form form;
	int r;

	if (!arena)
		return err_nomem(err);
	r = wish_from_cri(&in, cfg, arena, &wish, &faults, err);
	ctr_faults_done(&faults);
	if (r < 0 || params_build(&wish, t, cfg, arena, &form, err) < 0)
		return -1;
	*ret_n = form.n;
	if (params_second(&wish, cfg, NULL, arena, &form, err) < 0)
		return -1;
	*ret_n += form.n;
	return pve_form_encode(&form) ? 0 : err_nomem(err);
}

Test(params_nomem, a_failed_allocation_is_an_error_and_nothing_else)
{
	_reading_ r = { .arena = arena_new() };
	const struct pve_target t = { .node = "pve1",
		.vmid = 100,
		.template = { .volid = "local:vztmpl/a.tar.zst" },
		.ticket = true };
	struct err err = ERR_INIT;
	size_t n, whole, total;

	as_root_on(&r, "pve1");
	waive_all(&r);
	r.cfg.waive[WAIVE_WORKING_DIR] = false;
	cr_assert_eq(read_request(&r, text, sizeof(text) - 1), 0, "%s", r.err.text);
	r.cfg.images = (struct ctr_map_obj){ names, images, 1 };
	nomem_begin(0);
	cr_assert_eq(run(r.request, &r.cfg, &t, &whole, &err), 0, "%s %s", err.object, err.text);
	total = nomem_end();
	cr_assert_gt(total, 60);
	for (size_t i = 1; i <= total; i++) {
		err = (struct err)ERR_INIT;
		nomem_begin(i);
		int result = run(r.request, &r.cfg, &t, &n, &err);
		nomem_end();
		cr_assert_eq(result, -1, "allocation %zu of %zu", i, total);
		cr_assert_eq(
			err.code, ERR_EXHAUSTED, "allocation %zu of %zu: %s", i, total, err.text);
	}
}
