/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a guest's making, as far as calls and tasks go, fails once: nothing crashes,
 * and no call that was sent is said not to have been carried out. */
#include "backend/proxmox/task.h"
#include "base/log.h"
#include "nomem.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define UPID "UPID:pve1:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam!t:"

static char big[200 * 1024]; /* more than a chunk of an arena */
static unsigned posts;

static const char *answer_of(const struct pve_ask *ask)
{
	if (ask->method == HTTPS_POST)
		return "{\"data\":\"" UPID "\"}";
	if (strstr(ask->path, "/log"))
		return "{\"data\":[{\"n\":1,\"t\":\"WARN: x\"}]}";
	if (strstr(ask->path, "/status"))
		return "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"WARNINGS: 1\"}}";
	if (strstr(ask->path, "/tasks?"))
		return "{\"data\":[{\"upid\":\"" UPID "\",\"endtime\":1}]}";
	return big;
}

static int exchange(void *arg, const struct pve_ask *ask, struct arena *a, struct pve_answer *ret,
	struct err *err)
{
	(void)arg, (void)a, (void)err;
	posts += ask->method == HTTPS_POST;
	*ret = (struct pve_answer){
		.outcome = HTTPS_ANSWERED, .status = 200, .json = true, .reason = "OK"
	};
	ret->body = answer_of(ask);
	ret->n = strlen(ret->body);
	return 0;
}

static void no_pause(void *arg, unsigned ms)
{
	(void)arg, (void)ms;
}

static int run(struct pve_fault *fault, struct err *err)
{
	static const struct settings_proxmox cfg = { .call_s = 60 };
	_arena_ struct arena *a = arena_new();
	struct pve pve = { .cfg = &cfg, .arena = a, .exchange = exchange, .pause = no_pause };
	struct pve_form form = PVE_FORM_INIT(a);
	const struct json *data;
	struct pve_upid upid;
	bool running;

	if (!a)
		return err_nomem(err);
	for (int i = 0; i < 20; i++) {
		char name[8];
		snprintf(name, sizeof(name), "mp%d", i);
		pve_form_set(&form, name, "a,b=c", "mounts");
	}
	if (pve_form_ok(&form, err) < 0 ||
		pve_get(&pve, a, "/cluster/resources", NULL, &data, NULL, err) < 0 ||
		pve_send(&pve, a, HTTPS_POST, pve_path(a, "nodes", "pve1", "lxc", NULL), &form,
			&data, fault, err) < 0 ||
		pve_upid_of(data, a, &upid, err) < 0 ||
		pve_task_wait(&pve, &upid, 60000, NULL, err) < 0)
		return -1;
	return pve_task_find(&pve, "pve1", "vzcreate", 100, 1, NULL, a, &upid, &running, err) == 1
		       ? 0
		       : -1;
}

Test(nomem, each_allocation_of_calls_and_tasks_may_fail)
{
	int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	size_t n, all = 0, refused = 0;

	log_stderr(sink);
	n = (size_t)snprintf(big, sizeof(big), "{\"data\":[0");
	while (n < sizeof(big) - 100)
		n += (size_t)snprintf(big + n, sizeof(big) - n, ",{\"vmid\":\"%zu\"}", n);
	snprintf(big + n, sizeof(big) - n, "]}");
	for (size_t i = 0; i <= all; i++) {
		struct pve_fault fault = { 0 };
		struct err err = ERR_INIT;
		posts = 0;
		nomem_begin(i);
		int r = run(&fault, &err);
		n = nomem_end();
		if (!i)
			all = n;
		cr_assert(r == 0 || i > 0, "without failures it works: %s", err.text);
		if (r == 0)
			continue;
		refused++;
		cr_expect_eq(err.code, ERR_EXHAUSTED, "allocation %zu: %s", i, err.text);
		if (posts && fault.reason != PVE_OK)
			cr_expect_eq(
				fault.reason, PVE_AMBIGUOUS, "allocation %zu: %s", i, err.text);
		cr_expect_leq(posts, 1u, "allocation %zu", i);
	}
	cr_expect_gt(all, 20u);
	cr_expect_gt(refused, 10u, "%zu of %zu", refused, all);
	close(sink);
}
