/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of reading, checking and comparing a request fails once: nothing crashes, nothing
 * leaks, and no rule is passed over. */
#include "cri-check.h"
#include "nomem.h"

#define SYSCTLS "\"linux\":{\"sysctls\":{\"net.b\":\"1\",\"net.a\":\"2\"}}"

static const char sound[] =
	"{\"podSandboxId\":\"s\",\"config\":{" SOUND_CONFIG ",\"labels\":{\"b\":\"1\",\"a\":\"2\"},"
	"\"mounts\":[{\"container_path\":\"/m\",\"host_path\":\"/h\"}]},\"sandbox_config\":{" SOUND_POD
	"," SYSCTLS "}}";

static const char broken[] = "{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG
			     ",\"linux\":{\"security_context\":{\"privileged\":true}}},"
			     "\"sandbox_config\":{" SOUND_POD "," SYSCTLS "}}";

static int check(const struct cri_create_container_request *r, struct err *err)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	int ret;

	cri_request_check(r, &faults);
	cri_pod_compare(r->sandbox_config, r->sandbox_config, &faults);
	ret = ctr_faults_err(&faults, err);
	ctr_faults_done(&faults);
	return ret;
}

static int run(const char *text, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str out = { 0 };
	struct cri_create_container_request *r;

	if (!arena)
		return err_nomem(err);
	if (cri_request_parse(text, strlen(text), arena, &r, err) < 0)
		return -1;
	cri_request_write(r, &out);
	if (str_ok(&out, err) < 0)
		return -1;
	return check(r, err);
}

static size_t count(const char *text, int want)
{
	struct err err = ERR_INIT;

	nomem_begin(0);
	int r = run(text, &err);
	size_t all = nomem_end();
	cr_assert_eq(r, want, "%s %s", err.where, err.text);
	cr_assert_gt(all, 20);
	return all;
}

static int run_failing(const char *text, size_t at, struct err *err)
{
	*err = (struct err)ERR_INIT;
	nomem_begin(at);
	int r = run(text, err);
	nomem_end();
	return r;
}

Test(cri_nomem, every_allocation_may_fail)
{
	size_t all = count(sound, 0);
	struct err err;

	for (size_t i = 1; i <= all; i++) {
		cr_assert_eq(run_failing(sound, i, &err), -1, "allocation %zu of %zu", i, all);
		cr_assert_eq(err.code, ERR_EXHAUSTED, "allocation %zu of %zu: %s %s", i, all,
			err.where, err.text);
	}
	cr_assert_eq(run(sound, &err), 0);
}

Test(cri_nomem, a_broken_request_never_passes)
{
	size_t all = count(broken, -1);
	struct err err;

	for (size_t i = 1; i <= all; i++)
		cr_assert_eq(run_failing(broken, i, &err), -1, "allocation %zu of %zu", i, all);
}
