/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that live on a server: as those see them who wait, and what leads there. */
#include "remote-box.h"

#include "base/str.h"
#include "ctrctl/cri.h"
#include "ctrctl/request.h"
#include "flow/sandbox.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(remote_watch, .init = setup, .fini = teardown);

/* ---- stop, wait, exit, stats ---- */

Test(remote_watch, stop_is_the_backends)
{
	struct ctr_container *c = running("db1", CTR_READ);

	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 1);
	cr_assert_eq(far.grace_ms, 1500);
	cr_assert_eq(far.signalled, 0);
	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 1);
	ctr_container_close(c);
}

Test(remote_watch, stop_of_a_created_one_asks_for_nothing)
{
	struct ctr_container *c;

	made("db1");
	c = open_it("db1", CTR_READ);
	cr_assert_eq(ctr_container_stop(c, 1500, &err), 0, "%s", said());
	cr_assert_eq(far.stopped, 0);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	ctr_container_close(c);
}

Test(remote_watch, wait_asks_again_and_again_until_it_has_ended)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end = { 0 };

	far.asked = 0;
	far.ends_after = 4;
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), 1, "%s", said());
	cr_assert_eq(far.asked, 4);
	cr_assert_eq(end.code, 3);
	cr_assert_eq(end.reason, CTR_EXIT_ERROR);
	ctr_container_close(c);
}

static void start_and_end_it(void)
{
	start_it();
	far_guest("db1")->up = false;
}

Test(remote_watch, a_wait_that_was_begun_before_the_start_ends)
{
	struct ctr_container *c;
	struct ctr_exit end = { 0 };

	made("db1");
	c = open_it("db1", CTR_READ);
	far.before = start_and_end_it;
	cr_assert_eq(ctr_container_wait(c, 1000 * FAR_POLL_MS, &end, &err), 1, "%s", said());
	cr_assert_eq(end.code, 3);
	ctr_container_close(c);
}

Test(remote_watch, wait_asks_no_oftener_than_the_backend_allows)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end;

	far.asked = 0;
	cr_assert_eq(ctr_container_wait(c, 0, &end, &err), 0);
	cr_assert_eq(far.asked, 1);
	far.asked = 0;
	cr_assert_eq(ctr_container_wait(c, 5 * FAR_POLL_MS, &end, &err), 0);
	cr_assert_eq(far.asked, 6);
	ctr_container_close(c);
}

Test(remote_watch, wait_ends_when_it_cannot_be_asked)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_exit end;

	far.fails = "status";
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	far.fails = "ended";
	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_wait(c, -1, &end, &err), -1);
	ctr_container_close(c);
}

Test(remote_watch, it_has_no_monitor_and_no_streams)
{
	struct ctr_container *c = running("db1", CTR_READ);
	int console = FD_NONE;

	cr_assert_null(ctr_container_monitor(c));
	cr_assert_eq(ctr_container_attach(c, &(struct ctr_streams){ 0 }, &console, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert(strstr(err.hint, "pct enter 104"), "%s", err.hint);
	ctr_container_close(c);
}

#define KEPT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void keep_request(void)
{
	_free_ char *all = strf("%s/containers", data), *folder = strf("%s/" KEPT, all);

	made("db1");
	cr_assert(mkdir(all, 0700) == 0 && mkdir(folder, 0700) == 0);
	write_file(folder, "container.json",
		"{\"version\":1,\"id\":\"" KEPT "\",\"name\":\"n\",\"sandboxId\":\"" KEPT
		"\",\"backend\":\"proxmox\",\"createdAt\":\"2026-01-01T00:00:00Z\"}");
}

Test(remote_watch, one_that_only_its_request_is_left_of_has_ended)
{
	struct ctr_container *c;
	struct ctr_exit end = { 0 };

	keep_request();
	c = open_it(KEPT, CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert(c->only_kept);
	cr_assert_eq(status_of(c), CTR_STOPPED);
	far.asked = 0;
	cr_assert_eq(ctr_container_exit(c, &end, &err), 1);
	cr_assert_eq(end.code, EXIT_UNKNOWN);
	cr_assert_eq(end.reason, CTR_EXIT_UNKNOWN);
	cr_assert_eq(far.asked, 0);
	ctr_container_close(c);
	cr_assert_eq(delete (KEPT, false), 0, "%s", said());
	cr_assert_not(there(data, "containers/" KEPT));
}

Test(remote_watch, stats_are_of_what_runs)
{
	struct ctr_container *c = running("db1", CTR_READ);
	struct ctr_stats used;

	cr_assert_eq(ctr_container_stats(c, &used, &err), 0, "%s", said());
	cr_assert_eq(used.memory_bytes, 4096);
	far_guest("db1")->up = false;
	cr_assert_eq(ctr_container_stats(c, &used, &err), -1);
	cr_assert_eq(err.code, ERR_STATE);
	ctr_container_close(c);
	c = make_near("web1");
	cr_assert_eq(ctr_container_stats(c, &used, &err), -1);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert_eq(ctr_container_delete(c, true, &err), 0);
	ctr_container_close(c);
}

/* ---- routes and pods ---- */

static const char *handler_for(const char *image)
{
	struct cri_image_spec spec = { .image = image };
	const struct cri_container_config config = { .image = &spec };
	const struct cri_pod_sandbox_config pod = { 0 };
	const char *handler = "?";

	cr_assert_eq(
		ctr_request_handler(engine, &config, &pod, NULL, &handler, &err), 0, "%s", said());
	return handler ? handler : "default";
}

Test(remote_watch, the_handler_suits_the_container)
{
	const struct cri_container_config none = { 0 };
	const struct cri_pod_sandbox_config pod = { 0 };
	const char *handler;

	cr_assert_str_eq(handler_for("lxc/debian"), "proxmox");
	cr_assert_str_eq(handler_for("docker.io/library/nginx:1"), "default");
	cr_assert_eq(ctr_request_handler(engine, &none, &pod, "proxmox", &handler, &err), 0);
	cr_assert_str_eq(handler, "proxmox");
	write_file(dir, "settings", "{");
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	cr_assert_eq(ctr_request_handler(engine, &none, &pod, NULL, &handler, &err), -1);
}

static bool is_remote(const char *handler)
{
	const struct ctr_sandbox_record rec = { .runtime_handler = handler };
	bool remote;

	cr_assert_eq(sandbox_is_remote(engine, &rec, &remote, &err), 0, "%s", said());
	return remote;
}

Test(remote_watch, a_pod_is_a_servers_by_its_handler)
{
	write_file(dir, "settings",
		"{\"routing\":{\"runtimeHandlers\":{\"far\":\"proxmox\",\"here\":\"native\"}}}");
	cr_assert(is_remote("proxmox") && is_remote("far"));
	cr_assert_not(is_remote(NULL) || is_remote("native") || is_remote("here"));
	cr_assert_not(is_remote("unknown by now"));
}

/* This kernel's backend has nothing to do with it. */
static int no_make(struct ctr_sandbox_record *rec, int run_fd, const struct ctr_sandbox_save *save,
	struct err *e)
{
	return err_set(e, ERR_INTERNAL, NULL, "a pod was made here");
}

static int no_ready(const struct ctr_sandbox_record *rec, int run_fd, struct err *e)
{
	return err_set(e, ERR_INTERNAL, NULL, "a pod was looked for here");
}

static int no_destroy(const struct ctr_sandbox_record *rec, int run_fd, struct err *e)
{
	return 0;
}

static struct cri_pod_sandbox_metadata metadata = {
	.name = "web", .uid = "u-1", .namespace = "default"
};
static struct cri_pod_sandbox_config pod = { .metadata = &metadata };

Test(remote_watch, a_servers_pod_outlives_a_reboot)
{
	_free_ char *id = NULL;
	struct ctr_faults faults = { 0 };
	struct ctr_sandbox *s;
	enum ctr_sandbox_state state;

	near.sandbox_make = no_make;
	near.sandbox_ready = no_ready;
	near.sandbox_destroy = no_destroy;
	cr_assert_eq(ctr_sandbox_run(engine, &pod, "proxmox", &id, &faults, &err), 0, "%s", said());
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	snprintf(engine->boot_id, sizeof(engine->boot_id), "11111111-2222-3333-4444-555555555555");
	s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);
	cr_assert(s, "%s", said());
	cr_assert_eq(ctr_sandbox_state(s, &state, &err), 0);
	cr_assert_eq(state, CTR_SANDBOX_READY);
	ctr_sandbox_close(s);
	cr_assert_eq(ctr_sandbox_stop(engine, id, &err), 0, "%s", said());
	s = ctr_sandbox_open(engine, id, CTR_SANDBOX_LOOK, &err);
	cr_assert_eq(ctr_sandbox_state(s, &state, &err), 0);
	cr_assert_eq(state, CTR_SANDBOX_NOTREADY);
	ctr_sandbox_close(s);
	cr_assert_eq(ctr_sandbox_remove(engine, id, &err), 0, "%s", said());
	ctr_faults_done(&faults);
}

Test(remote_watch, a_guest_outlives_a_reboot)
{
	struct ctr_container *c = running("db1", CTR_READ);

	ctr_container_close(c);
	ctr_engine_close(engine);
	engine = engine_new(NULL);
	snprintf(engine->boot_id, sizeof(engine->boot_id), "11111111-2222-3333-4444-555555555555");
	c = open_it("db1", CTR_READ);
	cr_assert(c, "%s", said());
	cr_assert_eq(status_of(c), CTR_RUNNING);
	cr_assert_eq(ctr_container_kill(c, SIGTERM, false, &err), 0, "%s", said());
	cr_assert_eq(far.signalled, 1);
	ctr_container_close(c);
}
