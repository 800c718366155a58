/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a look fails once: nothing crashes, the error says what it is. */
#include "base/fd.h"
#include "base/path.h"
#include "flow/facts.h"
#include "model/seccomp-default.h"
#include "nomem.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-nomem-XXXXXX";
static int top = FD_NONE;
static char here[256], made[256], profiles[256], nothing[256];

static void put(const char *name, const char *text)
{
	_close_ int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0, "%s", name);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(mkdirat(top, "etc", 0755), 0);
	cr_assert_eq(mkdirat(top, "sub", 0755), 0);
	put("etc/passwd", "app:x:5:6:::\n");
	put("etc/group", "web:x:9:app\nmail:x:8:app\n");
	put("log.json", "{\"defaultAction\":\"SCMP_ACT_LOG\"}");
	snprintf(here, sizeof(here), "%s/etc", dir);
	snprintf(made, sizeof(made), "%s/not/yet", dir);
	snprintf(profiles, sizeof(profiles), "%s/log.json", dir);
	snprintf(nothing, sizeof(nothing), "%s/nothing", dir);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(top);
	cr_assert(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e) == 0);
}

TestSuite(facts_nomem, .init = setup, .fini = teardown, .timeout = 60);

enum variant { PLAIN, PRIVILEGED, FAULTY };

static size_t calls; /* how many allocations there were */

static int look(enum variant v, size_t fail_at, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	struct cri_image_spec data = { .image = "data" };
	struct cri_mount mounts[] = {
		{ .host_path = here, .propagation = CRI_PROPAGATION_HOST_TO_CONTAINER },
		{ .host_path = made },
		{ .image = &data, .image_sub_path = v == FAULTY ? "none" : "sub" },
		{ .host_path = v == FAULTY ? "x" : "/" },
	};
	struct cri_device devices[] = {
		{ "/dev/null", v == FAULTY ? nothing : "/dev/null", "rw" },
		{ "/dev/net", v == FAULTY ? here : "/dev", "rw" },
	};
	struct cri_security_profile filter = { CRI_PROFILE_LOCALHOST,
		v == FAULTY ? nothing : profiles };
	struct cri_linux_container_security_context sec = { .privileged = v == PRIVILEGED,
		.seccomp = &filter };
	struct cri_linux_container_config linux_ = { .security_context = &sec };
	const struct cri_container_config config = { .linux_ = &linux_,
		.mounts = mounts,
		.n_mounts = ARRAY_SIZE(mounts),
		.devices = devices,
		.n_devices = ARRAY_SIZE(devices) };
	struct cri_linux_sandbox_security_context pod_sec = { .privileged = true };
	struct cri_linux_pod_sandbox_config pod_linux = { .security_context = &pod_sec };
	const struct cri_pod_sandbox_config pod = { .linux_ = &pod_linux };
	const struct ctr_sandbox_record sandbox = { .config = &pod };
	const struct ctr_image_record image = { .config.user =
							v == FAULTY ? "nobody-there" : "app" };
	const char *dirs[] = { dir };
	const struct settings settings = { .seccomp_dirs = dirs, .n_seccomp_dirs = 1 };
	const char *const image_mounts[] = { NULL, NULL, "/images/2", NULL };
	const int image_fds[] = { FD_NONE, FD_NONE, top, FD_NONE };
	const struct facts_input in = { .config = &config,
		.sandbox = &sandbox,
		.image = &image,
		.settings = &settings,
		.rootfs_fd = top,
		.image_mounts = image_mounts,
		.image_fds = image_fds };
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct spec_facts got;
	int r;

	*err = (struct err)ERR_INIT;
	nomem_begin(fail_at);
	r = facts_gather(&in, arena, &got, &faults, err);
	calls = nomem_end();
	ctr_faults_done(&faults);
	return r;
}

static void fail_each(enum variant v, int want)
{
	struct err err;
	size_t n;

	cr_assert_eq(look(v, 0, &err), want, "%s %s", err.object, err.text);
	n = calls;
	cr_assert_gt(n, 20);
	for (size_t i = 1; i <= n; i++) {
		cr_expect_eq(look(v, i, &err), -1, "allocation %zu of %zu", i, n);
		if (v != FAULTY)
			cr_expect_eq(err.code, ERR_EXHAUSTED, "allocation %zu of %zu: %s %s %s", i,
				n, err.op, err.object, err.text);
	}
}

Test(facts_nomem, a_look_without_memory_says_so)
{
	fail_each(PLAIN, 0);
}

Test(facts_nomem, so_does_one_at_all_devices_of_the_host)
{
	fail_each(PRIVILEGED, 0);
}

Test(facts_nomem, faults_are_never_lost_for_want_of_memory)
{
	fail_each(FAULTY, -1);
}

static int make_profile(size_t fail_at)
{
	_arena_ struct arena *arena = arena_new();
	int r;

	nomem_begin(fail_at);
	r = seccomp_default(NULL, 0, arena) != NULL;
	calls = nomem_end();
	return r;
}

Test(facts_nomem, the_default_profile_is_whole_or_not_there)
{
	size_t n;

	cr_assert_eq(make_profile(0), 1);
	n = calls;
	cr_assert_gt(n, 20);
	for (size_t i = 1; i <= n; i++)
		cr_expect_eq(make_profile(i), 0, "allocation %zu of %zu", i, n);
}
