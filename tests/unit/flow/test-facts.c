/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "flow/facts-look.h"
#include "model/caps.h"
#include "model/oci.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

static char dir[] = "/tmp/ctrctl-facts-XXXXXX";
static int top = FD_NONE;
static struct arena *arena;
static struct err err;
static struct ctr_faults faults;
static struct spec_facts got;

/* A request in parts, which a test fills. */
static struct cri_linux_container_security_context sec;
static struct cri_linux_container_config linux_config = { .security_context = &sec };
static struct cri_container_config config = { .linux_ = &linux_config };
static struct cri_linux_sandbox_security_context pod_sec;
static struct cri_linux_pod_sandbox_config pod_linux = { .security_context = &pod_sec };
static struct cri_pod_sandbox_config pod = { .linux_ = &pod_linux };
static struct ctr_sandbox_record sandbox = { .config = &pod };
static struct ctr_image_record image;
static const char *seccomp_dirs[2];
static struct settings settings = { .seccomp_dirs = seccomp_dirs };
static struct facts_input in = {
	.config = &config, .sandbox = &sandbox, .image = &image, .settings = &settings
};

static const char *under(const char *name)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name);

	cr_assert_not_null(path);
	return path;
}

static void make_dir(const char *name)
{
	cr_assert_eq(path_make_dirs(under(name), 0755, &err), 0, "%s", name);
}

static void put(const char *name, const char *text)
{
	_close_ int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0, "%s", name);
}

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	arena = arena_new();
	make_dir("root/etc");
	in.rootfs_fd = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(in.rootfs_fd, 0);
}

static void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	fd_close(in.rootfs_fd);
	fd_close(top);
	ctr_faults_done(&faults);
	arena_free(arena);
	cr_assert(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e) == 0, "%s %s", e.object, e.text);
}

TestSuite(facts, .init = setup, .fini = teardown, .timeout = 60);

static int gather(void)
{
	ctr_faults_done(&faults);
	err = (struct err)ERR_INIT;
	return facts_gather(&in, arena, &got, &faults, &err);
}

static void gathers(void)
{
	char line[1024];

	if (gather() < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert_fail("%s", line);
	}
	cr_assert_eq(faults.total, 0);
}

/* All faults as "field: text" lines. */
static const char *refused(void)
{
	static struct str out;

	str_done(&out);
	cr_assert_eq(gather(), -1);
	cr_assert_neq(err.code, ERR_NONE);
	for (size_t i = 0; i < faults.n; i++)
		str_printf(&out, "%s%s: %s", i ? "\n" : "", faults.items[i].field,
			faults.items[i].text);
	cr_assert(!strcasestr(out.p, "no such file") && !strcasestr(out.p, "permission denied"),
		"%s", out.p);
	return out.p;
}

#define says(...) arena_printf(arena, __VA_ARGS__)

static void mounts(struct cri_mount *list, size_t n)
{
	config.mounts = list;
	config.n_mounts = n;
}

/* ---- host and user ---- */

Test(facts, tell_the_host)
{
	struct utsname host;
	uint64_t own;

	uname(&host);
	in.target_pid_ns = "/proc/7/ns/pid";
	gathers();
	cr_assert_str_eq(got.hostname, host.nodename);
	cr_assert_str_eq(got.target_pid_ns, "/proc/7/ns/pid");
	cr_assert_eq(caps_own(&own, &err), 0);
	cr_assert_eq(got.n_host_caps, (size_t)__builtin_popcountll(own));
	for (size_t i = 0; i < got.n_host_caps; i++)
		cr_assert(own >> caps_number(got.host_caps[i]) & 1, "%s", got.host_caps[i]);
	cr_assert(got.n_devices == 0 && got.n_host_devices == 0 && !got.seccomp);
}

Test(facts, tell_the_capabilities_that_status_shows)
{
	uint64_t own, permitted = 0, bounding = 0;
	_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		if (str_starts(line, "CapPrm:"))
			permitted = strtoull(line + 7, NULL, 16);
		if (str_starts(line, "CapBnd:"))
			bounding = strtoull(line + 7, NULL, 16);
	}
	cr_assert_eq(caps_own(&own, &err), 0);
	cr_assert_eq(own, permitted & bounding);
	/* It stays permitted, and can't be given any more. */
	if (prctl(PR_CAPBSET_DROP, 0, 0, 0, 0) < 0)
		cr_skip_test("no right to drop a capability");
	cr_assert_eq(caps_own(&own, &err), 0);
	cr_assert_eq(own, permitted & bounding & ~UINT64_C(1));
}

Test(facts, tell_the_user_of_request_or_image)
{
	struct cri_int64_value seven = { 7 }, eight = { 8 };

	put("root/etc/passwd", "app:x:5:6:::\n");
	put("root/etc/group", "web:x:9:app\n");
	gathers();
	cr_assert(got.user.uid == 0 && got.user.gid == 0);
	image.config.user = "app";
	gathers();
	cr_assert(got.user.uid == 5 && got.user.gid == 6 && got.user.n_groups == 1);
	sec.supplemental_groups_policy = CRI_GROUPS_STRICT;
	gathers();
	cr_assert(got.user.uid == 5 && got.user.n_groups == 0);
	sec.run_as_user = &seven;
	sec.run_as_group = &eight;
	gathers();
	cr_assert(got.user.uid == 7 && got.user.gid == 8);
}

Test(facts, say_whose_user_is_missing)
{
	struct cri_int64_value eight = { 8 };

	image.config.user = "nobody-there";
	cr_assert_str_eq(refused(),
		"config.image: its user: no user \"nobody-there\" in /etc/passwd of the root filesystem");
	cr_assert_eq(err.code, ERR_INVALID);
	sec.run_as_username = "other";
	cr_assert_str_eq(refused(),
		"config.linux.security_context.run_as_username: no user \"other\" in /etc/passwd of the root filesystem");
	sec.run_as_username = NULL;
	sec.run_as_group = &eight;
	cr_assert(str_starts(refused(), "config.linux.security_context.run_as_group: needs "), "%s",
		refused());
}

/* ---- mounts ---- */

Test(facts, resolve_paths_of_the_host_once)
{
	struct cri_mount list[] = {
		{ .host_path = under("data") },
		{ .host_path = under("link/../link/./file") },
		{ .host_path = under("link/") },
		{ .host_path = "/" },
	};

	make_dir("data");
	put("data/file", "");
	cr_assert_eq(symlinkat("data", top, "link"), 0);
	mounts(list, ARRAY_SIZE(list));
	gathers();
	cr_assert_str_eq(got.mounts[0].source, under("data"));
	cr_assert(got.mounts[0].is_dir && !got.mounts[0].absent);
	cr_assert_str_eq(got.mounts[1].source, under("data/file"));
	cr_assert_not(got.mounts[1].is_dir);
	cr_assert_str_eq(got.mounts[2].source, under("data"));
	cr_assert_str_eq(got.mounts[3].source, "/");
	cr_assert_eq(facts_make_sources(&config, &got, &err), 0, "there is nothing to be made");
}

Test(facts, name_where_absent_folders_will_be_and_make_them)
{
	struct cri_mount list[] = {
		{ .host_path = under("link/new//deep/./er/") },
		{ .host_path = under("there") },
		{ .host_path = under("one") },
	};
	struct stat st;

	make_dir("data");
	make_dir("there");
	cr_assert_eq(symlinkat("data", top, "link"), 0);
	mounts(list, ARRAY_SIZE(list));
	gathers();
	cr_assert_str_eq(got.mounts[0].source, under("data/new/deep/er"));
	cr_assert(got.mounts[0].absent && got.mounts[0].is_dir);
	cr_assert_not(got.mounts[1].absent);
	cr_assert_str_eq(got.mounts[2].source, under("one"));
	cr_assert_neq(stat(under("data/new"), &st), 0, "looking makes nothing");
	umask(022);
	cr_assert_eq(facts_make_sources(&config, &got, &err), 0);
	cr_assert_eq(stat(under("data/new/deep/er"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFDIR | 0755);
	cr_assert_eq(stat(under("one"), &st), 0);
	gathers();
	cr_assert_not(got.mounts[0].absent);
}

Test(facts, say_what_folder_couldnt_be_made)
{
	struct cri_mount list[] = { { .host_path = under("a") }, { .host_path = under("b/c") } };

	mounts(list, ARRAY_SIZE(list));
	gathers();
	put("b", "");
	cr_assert_eq(facts_make_sources(&config, &got, &err), -1);
	cr_assert_str_eq(err.where, "config.mounts[1].host_path");
}

Test(facts, refuse_paths_that_lead_nowhere)
{
	struct cri_mount list[] = {
		{ .host_path = under("dangling") },
		{ .host_path = under("dangling/more") },
		{ .host_path = under("file/below") },
		{ .host_path = under("new/../other") },
		{ .host_path = under("loop") },
		{ .host_path = "relative" },
		{ .host_path = NULL },
	};

	put("file", "");
	cr_assert_eq(symlinkat("nowhere", top, "dangling"), 0);
	cr_assert_eq(symlinkat("loop", top, "loop"), 0);
	mounts(list, ARRAY_SIZE(list));
	cr_assert_str_eq(refused(),
		says("config.mounts[0].host_path: %s/dangling leads by a symlink to where nothing is\n"
		     "config.mounts[1].host_path: %s/dangling/more leads by a symlink to where nothing is\n"
		     "config.mounts[2].host_path: %s/file/below isn't there\n"
		     "config.mounts[3].host_path: %s/new/../other isn't there, and can't be made as it has \"..\" in it\n"
		     "config.mounts[4].host_path: %s/loop can't be opened (ELOOP)\n"
		     "config.mounts[5].host_path: must be an absolute path\n"
		     "config.mounts[6].host_path: must be an absolute path",
			dir, dir, dir, dir, dir));
}

Test(facts, tell_the_peers_of_a_mount)
{
	static const char text[] =
		"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
		"2 1 0:3 / / rw shared:1 - ext4 /dev/sda rw\n"
		"222 1 0:3 / /a rw master:1 - ext4 shared:9 rw\n"
		"223 1 0:3 / /shared:9 rw,shared:9 - ext4 /dev/sda master:1\n"
		"224 1 0:3 / /b rw master:4 shared:5 propagate_from:2 - ext4 x rw\n"
		"225 1 0:3 / /c rw unbindable - ext4 x rw";

	cr_assert_eq(facts_peer_of(text, 22), SPEC_PEER_PRIVATE);
	cr_assert_eq(facts_peer_of(text, 2), SPEC_PEER_SHARED);
	cr_assert_eq(facts_peer_of(text, 222), SPEC_PEER_SLAVE);
	cr_assert_eq(facts_peer_of(text, 223), SPEC_PEER_PRIVATE);
	cr_assert_eq(facts_peer_of(text, 224), SPEC_PEER_SHARED);
	cr_assert_eq(facts_peer_of(text, 225), SPEC_PEER_PRIVATE);
	cr_assert_eq(facts_peer_of(text, 22222), -1);
	cr_assert_eq(facts_peer_of("", 2), -1);
}

Test(facts, ask_the_kernel_for_the_peers_where_the_request_needs_them)
{
	struct cri_mount list[] = {
		{ .host_path = under("m/in"), .propagation = CRI_PROPAGATION_BIDIRECTIONAL },
		{ .host_path = under("m/new"), .propagation = CRI_PROPAGATION_HOST_TO_CONTAINER },
		{ .host_path = under("m/in") },
	};

	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no right to make a mount namespace");
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	make_dir("m");
	cr_assert_eq(mount("tmpfs", under("m"), "tmpfs", 0, NULL), 0);
	make_dir("m/in");
	mounts(list, ARRAY_SIZE(list));
	gathers();
	cr_assert_eq(got.mounts[0].peer, SPEC_PEER_PRIVATE);
	cr_assert_eq(mount(NULL, under("m"), NULL, MS_SHARED, NULL), 0);
	gathers();
	cr_assert_eq(got.mounts[0].peer, SPEC_PEER_SHARED);
	cr_assert_eq(got.mounts[1].peer, SPEC_PEER_SHARED, "of the mount that it will lie on");
	cr_assert(got.mounts[1].absent);
	cr_assert_eq(got.mounts[2].peer, SPEC_PEER_PRIVATE, "nobody asked");
	make_dir("peer");
	cr_assert_eq(mount(under("m"), under("peer"), NULL, MS_BIND, NULL), 0);
	cr_assert_eq(mount(NULL, under("m"), NULL, MS_SLAVE, NULL), 0);
	gathers();
	cr_assert_eq(got.mounts[0].peer, SPEC_PEER_SLAVE);
	cr_assert_eq(umount2(under("m"), MNT_DETACH), 0);
	cr_assert_eq(umount2(under("peer"), MNT_DETACH), 0);
}

/* ---- image volumes ---- */

static const char *image_mounts[2];
static int image_fds[2] = { FD_NONE, FD_NONE };

static void image_volume(struct cri_mount *m, const char *sub)
{
	static struct cri_image_spec spec = { .image = "data" };

	*m = (struct cri_mount){ .container_path = "/v", .image = &spec, .image_sub_path = sub };
	mounts(m, 1);
	in.image_mounts = image_mounts;
	in.image_fds = image_fds;
	image_mounts[0] = "/var/lib/x/images/0";
}

Test(facts, find_a_folder_of_an_image_as_the_image_sees_it)
{
	static const struct {
		const char *sub, *want;
	} rows[] = {
		{ NULL, "" },
		{ "", "" },
		{ "a", "/a" },
		{ "a/b", "/a/b" },
		{ "/a//b/", "/a/b" },
		{ "away", "/a" },       /* -> /a, of the image */
		{ "a/up/a/b", "/a/b" }, /* -> ../../../.. */
		{ "..", "" },
		{ "../../a", "/a" },
	};
	struct cri_mount m;

	make_dir("image/a/b");
	cr_assert_eq(symlinkat("/a", top, "image/away"), 0);
	cr_assert_eq(symlinkat("../../../..", top, "image/a/up"), 0);
	image_fds[0] = openat(top, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		image_volume(&m, rows[i].sub);
		gathers();
		cr_expect_str_eq(got.mounts[0].source, says("/var/lib/x/images/0%s", rows[i].want));
		cr_expect(got.mounts[0].is_dir && !got.mounts[0].absent);
	}
	fd_close(image_fds[0]);
}

Test(facts, find_a_folder_of_an_image_that_is_mounted_nowhere_yet)
{
	struct cri_mount m;

	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no right to make a mount namespace");
	make_dir("image/a/b");
	image_fds[0] = open_tree(AT_FDCWD, under("image"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	cr_assert_geq(image_fds[0], 0);
	image_volume(&m, "a/b");
	gathers();
	cr_assert_str_eq(got.mounts[0].source, "/var/lib/x/images/0/a/b");
	image_volume(&m, "/");
	gathers();
	cr_assert_str_eq(got.mounts[0].source, "/var/lib/x/images/0");
	fd_close(image_fds[0]);
}

Test(facts, refuse_what_is_no_folder_of_an_image)
{
	struct cri_mount m;

	make_dir("image");
	make_dir("outside");
	put("image/file", "");
	cr_assert_eq(symlinkat(under("outside"), top, "image/out"), 0);
	cr_assert_eq(symlinkat("loop", top, "image/loop"), 0);
	image_fds[0] = openat(top, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
	image_volume(&m, "nothing");
	cr_assert_str_eq(refused(),
		"config.mounts[0].image_sub_path: ImageVolumeMountFailed: the image has no folder nothing");
	image_volume(&m, "file");
	cr_assert_str_eq(refused(),
		"config.mounts[0].image_sub_path: ImageVolumeMountFailed: the image has no folder file");
	image_volume(&m, "out");
	cr_assert_str_eq(refused(),
		"config.mounts[0].image_sub_path: ImageVolumeMountFailed: the image has no folder out");
	image_volume(&m, "loop");
	cr_assert_str_eq(refused(),
		"config.mounts[0].image_sub_path: ImageVolumeMountFailed: loop can't be opened in the image (ELOOP)");
	image_mounts[0] = NULL;
	cr_assert_str_eq(refused(),
		"config.mounts[0].image: ImageVolumeMountFailed: the image isn't mounted");
	fd_close(image_fds[0]);
}

/* ---- devices ---- */

static void node(const char *name, mode_t mode, unsigned maj, unsigned min)
{
	if (mknodat(top, name, mode, makedev(maj, min)) < 0)
		cr_skip_test("no right to make device nodes");
	cr_assert_eq(fchmodat(top, name, mode & 07777, 0), 0);
	cr_assert_eq(fchownat(top, name, 3, 4, 0), 0);
}

static void devices(struct cri_device *list, size_t n)
{
	config.devices = list;
	config.n_devices = n;
}

Test(facts, tell_each_device)
{
	struct cri_device list[] = {
		{ "/dev/one", under("char"), "rw" },
		{ "/dev/two", under("link"), NULL },
		{ "/dev/pipe", under("pipe"), "r" },
	};

	node("char", S_IFCHR | 0640, 1, 3);
	node("block", S_IFBLK | 0600, 7, 0);
	cr_assert_eq(symlinkat("block", top, "link"), 0);
	cr_assert_eq(mkfifoat(top, "pipe", 0600), 0);
	devices(list, ARRAY_SIZE(list));
	gathers();
	cr_assert_eq(got.n_devices, 3);
	const struct spec_device_fact *d = got.devices;
	cr_assert_str_eq(d[0].container_path, "/dev/one");
	cr_assert_str_eq(d[0].access, "rw");
	cr_assert(d[0].type == 'c' && d[0].major == 1 && d[0].minor == 3);
	cr_assert(d[0].mode == 0640 && d[0].uid == 3 && d[0].gid == 4);
	cr_assert_str_eq(d[1].container_path, "/dev/two");
	cr_assert_str_eq(d[1].access, "rwm");
	cr_assert(d[1].type == 'b' && d[1].major == 7 && d[1].minor == 0 && d[1].mode == 0600);
	cr_assert(d[2].type == 'p' && d[2].major == 0 && d[2].minor == 0);
}

static const struct spec_device_fact *find(
	const struct spec_device_fact *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(list[i].container_path, path))
			return &list[i];
	}
	return NULL;
}

Test(facts, walk_a_folder_of_devices)
{
	struct cri_device list[] = { { "/dev/inside/", under("dev"), "r" } };

	make_dir("dev/deep/pts");
	node("dev/a", S_IFCHR | 0600, 1, 3);
	node("dev/deep/b", S_IFBLK | 0600, 7, 1);
	node("dev/deep/pts/0", S_IFCHR | 0600, 136, 0);
	put("dev/file", "");
	cr_assert_eq(symlinkat("a", top, "dev/link"), 0);
	cr_assert_eq(symlinkat("/dev", top, "dev/out"), 0);
	cr_assert_eq(mkfifoat(top, "dev/pipe", 0600), 0);
	devices(list, ARRAY_SIZE(list));
	gathers();
	cr_assert_eq(got.n_devices, 3, "%zu", got.n_devices);
	cr_assert(find(got.devices, 3, "/dev/inside/a"));
	cr_assert(find(got.devices, 3, "/dev/inside/deep/b")->type == 'b');
	cr_assert(find(got.devices, 3, "/dev/inside/deep/pts/0"));
	cr_assert_str_eq(got.devices[0].access, "r");
}

Test(facts, leave_out_what_no_container_gets_of_the_hosts)
{
	_cleanup_(mem_free_p) struct spec_device_fact *items = NULL;
	struct facts_device_list list = { 0 };
	static const char *const not [] = { "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts",
		".udev" };

	make_dir("dev");
	node("dev/sda", S_IFBLK | 0600, 8, 0);
	node("dev/console", S_IFCHR | 0600, 5, 1);
	for (size_t i = 0; i < ARRAY_SIZE(not ); i++) {
		make_dir(says("dev/%s", not [i]));
		node(says("dev/%s/0", not [i]), S_IFCHR | 0600, 136, 0);
	}
	cr_assert_eq(facts_walk_devices(
			     arena, under("dev"), "/dev", "rwm", FACTS_WALK_HOST, &list, &err),
		0);
	items = list.items;
	cr_assert_eq(list.n, 1, "%zu", list.n);
	cr_assert_str_eq(items[0].container_path, "/dev/sda");
}

Test(facts, stop_where_folders_go_too_deep)
{
	struct cri_device list[] = { { "/dev/x", under("dev"), "r" } };

	make_dir("dev/1/2/3/4/5/6/7/8/9");
	devices(list, 1);
	cr_assert_str_eq(refused(),
		says("config.devices[0].host_path: %s/dev: folders are nested too deeply", dir));
	cr_assert_eq(err.code, ERR_EXHAUSTED);
	cr_assert_eq(unlinkat(top, "dev/1/2/3/4/5/6/7/8/9", AT_REMOVEDIR), 0);
	cr_assert_str_eq(refused(),
		says("config.devices[0].host_path: no device is in the folder %s/dev", dir));
}

Test(facts, stop_where_devices_are_too_many)
{
	struct cri_device list[] = { { "/dev/x", under("dev"), "r" } };

	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no right to make a mount namespace");
	make_dir("dev");
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("tmpfs", under("dev"), "tmpfs", 0, NULL), 0);
	_close_ int dev = open(list[0].host_path, O_PATH | O_CLOEXEC);
	for (unsigned i = 0; i < 16384; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		if (mknodat(dev, name, S_IFCHR | 0600, makedev(1, 3)) < 0)
			cr_skip_test("no right to make device nodes");
	}
	devices(list, 1);
	gathers();
	cr_assert_eq(got.n_devices, 16384);
	cr_assert_eq(mknodat(dev, "more", S_IFCHR | 0600, makedev(1, 3)), 0);
	cr_assert(strstr(refused(), "more than 16384 devices in one container"), "%s", refused());
	fd_close(fd_take(&dev));
	cr_assert_eq(umount2(list[0].host_path, MNT_DETACH), 0);
}

Test(facts, dont_walk_other_file_systems)
{
	struct cri_device list[] = { { "/dev/x", under("dev"), "r" } };

	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no right to make a mount namespace");
	make_dir("dev/other");
	node("dev/a", S_IFCHR | 0600, 1, 3);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("tmpfs", under("dev/other"), "tmpfs", 0, NULL), 0);
	cr_assert_eq(mknod(under("dev/other/b"), S_IFCHR | 0600, makedev(1, 3)), 0);
	devices(list, 1);
	gathers();
	cr_assert_eq(got.n_devices, 1);
	cr_assert_eq(umount2(under("dev/other"), MNT_DETACH), 0);
}

Test(facts, refuse_what_is_no_device)
{
	struct cri_device list[] = {
		{ "/dev/null", "/dev/null", "rwm" },
		{ "/dev/x", under("nothing"), "rwm" },
		{ "/dev/x", under("file"), "rwm" },
		{ "/dev/x", "null", "rwm" },
	};

	put("file", "");
	devices(list, ARRAY_SIZE(list));
	cr_assert_str_eq(refused(), says("config.devices[1].host_path: %s/nothing isn't there\n"
					 "config.devices[2].host_path: %s/file is no device\n"
					 "config.devices[3].host_path: must be an absolute path",
					    dir, dir));
	cr_assert_eq(err.code, ERR_NOT_FOUND);
}

Test(facts, look_into_dev_only_for_a_privileged_container_of_a_privileged_pod)
{
	sec.privileged = true;
	gathers();
	cr_assert_eq(got.n_host_devices, 0, "the stored sandbox decides");
	pod_sec.privileged = true;
	gathers();
	const struct spec_device_fact *d = find(got.host_devices, got.n_host_devices, "/dev/null");
	cr_assert(d && d->type == 'c' && d->major == 1 && d->minor == 3);
	cr_assert_str_eq(d->access, "rwm");
	cr_assert_null(find(got.host_devices, got.n_host_devices, "/dev/console"));
	for (size_t i = 0; i < got.n_host_devices; i++)
		cr_assert(!str_starts(got.host_devices[i].container_path, "/dev/pts/") &&
			  !str_starts(got.host_devices[i].container_path, "/dev/shm/"));
	sec.privileged = false;
	gathers();
	cr_assert_eq(got.n_host_devices, 0);
}

/* ---- profiles ---- */

static struct cri_security_profile profile = { .profile_type = CRI_PROFILE_LOCALHOST };

static void localhost(const char *ref)
{
	profile.localhost_ref = ref;
	sec.seccomp = &profile;
	seccomp_dirs[0] = under("first/");
	seccomp_dirs[1] = under("second");
	settings.n_seccomp_dirs = 2;
}

Test(facts, read_a_profile_beneath_the_folders_of_the_settings)
{
	const char *const refs[] = { under("second/deep/log.json"),
		says("localhost/%s/second/./deep//log.json", dir), "localhost/deep/log.json",
		"deep/log.json", under("first/../second/deep/log.json") };

	make_dir("first");
	make_dir("second/deep");
	put("second/deep/log.json", "{\"defaultAction\":\"SCMP_ACT_LOG\"}");
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		localhost(refs[i]);
		gathers();
		cr_assert(got.seccomp && got.seccomp->default_action == OCI_ACT_LOG, "%s", refs[i]);
	}
	sec.seccomp = NULL;
	sec.seccomp_profile_path = says("localhost/%s", refs[0]);
	gathers();
	cr_assert_not_null(got.seccomp);
	sec.seccomp_profile_path = "runtime/default";
	gathers();
	cr_assert_null(got.seccomp);
	localhost("nowhere.json");
	sec.privileged = pod_sec.privileged = true;
	gathers();
	cr_assert_null(got.seccomp, "a privileged container has none");
}

Test(facts, refuse_profiles_that_arent_there_or_lie_elsewhere)
{
	static const char field[] = "config.linux.security_context.seccomp.localhost_ref";
	static const char elsewhere[] =
		"isn't beneath a folder of seccomp profiles (defaults.seccompProfileDirs of the settings)";
	const char *const outside[] = { under("out.json"), under("first/../out.json"),
		under("firstborn/x.json"), "/etc/passwd", under("first"), "", "/" };

	make_dir("first");
	make_dir("firstborn");
	put("out.json", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	put("firstborn/x.json", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		localhost(outside[i]);
		cr_expect_str_eq(refused(), says("%s: \"%s\" %s", field, outside[i], elsewhere));
		cr_expect_eq(err.code, ERR_INVALID);
	}
	localhost(under("first/none.json"));
	cr_assert_str_eq(refused(), says("%s: %s isn't there", field, profile.localhost_ref));
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	localhost("../out.json");
	cr_assert_str_eq(refused(), says("%s: ../out.json isn't there", field));
	cr_assert_eq(symlinkat("../out.json", top, "first/link.json"), 0);
	localhost("link.json");
	cr_assert_str_eq(refused(),
		says("%s: link.json is reached by a symlink, which isn't followed here", field));
	cr_assert_eq(mkfifoat(top, "first/pipe.json", 0600), 0);
	localhost("pipe.json");
	cr_assert_str_eq(refused(), says("%s: pipe.json is not a regular file", field));
	put("first/bad.json", "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[]}");
	localhost("bad.json");
	cr_assert_str_eq(refused(), says("%s: bad.json: archMap: unknown property", field));
	put("first/big.json", "");
	cr_assert_eq(truncate(under("first/big.json"), (1 << 20) + 1), 0);
	localhost("big.json");
	cr_assert_str_eq(refused(), says("%s: big.json is bigger than 1048576 bytes", field));
}

Test(facts, find_a_profile_that_apparmor_has_loaded)
{
	static const char list[] = "docker-default (enforce)\n"
				   "/usr/bin/man (complain)\n"
				   "with space (a) (enforce)\n"
				   "outer//inner (kill)\n"
				   "last (unconfined)";

	cr_assert(facts_has_profile(list, "docker-default"));
	cr_assert(facts_has_profile(list, "/usr/bin/man"));
	cr_assert(facts_has_profile(list, "with space (a)"));
	cr_assert(facts_has_profile(list, "outer//inner"));
	cr_assert(facts_has_profile(list, "last"));
	cr_assert_not(facts_has_profile(list, "docker"));
	cr_assert_not(facts_has_profile(list, "default"));
	cr_assert_not(facts_has_profile(list, "docker-default (enforce)"));
	cr_assert_not(facts_has_profile(list, "unconfined"));
	cr_assert_not(facts_has_profile(list, ""));
	cr_assert_not(facts_has_profile("", "x"));
}

Test(facts, ask_apparmor_whether_a_profile_is_loaded)
{
	struct cri_security_profile wish = { CRI_PROFILE_LOCALHOST, "ci-builder" };

	if (unshare(CLONE_NEWNS) < 0)
		cr_skip_test("no right to make a mount namespace");
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("tmpfs", "/sys", "tmpfs", 0, NULL), 0);
	sec.apparmor = &wish;
	gathers();
	cr_assert_not(got.apparmor);
	cr_assert_eq(path_make_dirs("/sys/module/apparmor/parameters", 0755, &err), 0);
	cr_assert_eq(path_make_dirs("/sys/kernel/security/apparmor", 0755, &err), 0);
	_close_ int parameters = open("/sys/module/apparmor/parameters", O_PATH | O_CLOEXEC);
	_close_ int profiles = open("/sys/kernel/security/apparmor", O_PATH | O_CLOEXEC);
	cr_assert_eq(file_replace(parameters, "enabled", "N\n", 2, 0600, &err), 0);
	gathers();
	cr_assert_not(got.apparmor);
	cr_assert_eq(file_replace(parameters, "enabled", "Y\n", 2, 0600, &err), 0);
	cr_assert_str_eq(refused(),
		"config.linux.security_context.apparmor.localhost_ref: nobody can tell whether \"ci-builder\" is loaded: "
		"/sys/kernel/security/apparmor/profiles can't be read");
	cr_assert_eq(err.code, ERR_STATE);
	cr_assert_eq(
		file_replace(profiles, "profiles", "ci-builders (enforce)\n", 22, 0600, &err), 0);
	cr_assert_str_eq(refused(),
		"config.linux.security_context.apparmor.localhost_ref: the AppArmor profile \"ci-builder\" isn't loaded");
	cr_assert_eq(file_replace(profiles, "profiles", "x (kill)\nci-builder (enforce)\n", 30,
			     0600, &err),
		0);
	gathers();
	cr_assert(got.apparmor && !got.selinux);
	sec.apparmor = NULL;
	sec.apparmor_profile = "localhost/other";
	cr_assert_str_eq(refused(),
		"config.linux.security_context.apparmor_profile: the AppArmor profile \"other\" isn't loaded");
	/* no profile of its own: the default one, if the settings name one */
	sec.apparmor_profile = "runtime/default";
	gathers();
	settings.apparmor_profile = "";
	gathers();
	settings.apparmor_profile = "ci-builder";
	gathers();
	settings.apparmor_profile = "ctrctl-default";
	cr_assert_str_eq(refused(),
		"config.linux.security_context.apparmor_profile: the AppArmor profile \"ctrctl-default\" isn't loaded: "
		"load it with apparmor_parser from share/ctrctl/apparmor, or name another in defaults.apparmorProfile of the settings");
	settings.apparmor_profile = "mine"; /* the operator asks for it, whatever a request says */
	sec.apparmor_profile = NULL;
	cr_assert_str_eq(refused(),
		"config.linux.security_context.apparmor: the AppArmor profile \"mine\" isn't loaded: "
		"load it with apparmor_parser, or name another in defaults.apparmorProfile of the settings");
	settings.apparmor_profile = "ctrctl-default";
	gathers(); /* nobody asks */
	cr_assert(got.no_apparmor_default);
	sec.apparmor_profile = "";
	gathers();
	cr_assert(got.no_apparmor_default);
	cr_assert_eq(
		file_replace(profiles, "profiles", "ctrctl-default (enforce)\n", 25, 0600, &err),
		0);
	gathers();
	cr_assert_not(got.no_apparmor_default);
	cr_assert_eq(file_replace(profiles, "profiles", "x (kill)\n", 9, 0600, &err), 0);
	sec.apparmor_profile = "unconfined";
	gathers();
	sec.apparmor_profile = NULL;
	sec.apparmor = &wish;
	wish.profile_type = CRI_PROFILE_RUNTIME_DEFAULT;
	wish.localhost_ref = NULL;
	refused();
	sec.privileged = pod_sec.privileged = true;
	gathers();
	sec.privileged = false;
	wish.profile_type = CRI_PROFILE_UNCONFINED;
	gathers();
	cr_assert_eq(umount2("/sys", MNT_DETACH), 0);
}

/* ---- all together ---- */

Test(facts, tell_all_that_is_wrong_at_once)
{
	struct cri_mount m[] = { { .host_path = "relative" } };
	struct cri_device d[] = { { "/dev/x", under("nothing"), "rwm" } };

	mounts(m, 1);
	devices(d, 1);
	localhost("none.json");
	image.config.user = "nobody-there";
	gather();
	cr_assert_eq(faults.total, 4);
	cr_assert_str_eq(faults.items[0].field, "config.image");
	cr_assert_str_eq(faults.items[1].field, "config.mounts[0].host_path");
	cr_assert_str_eq(faults.items[2].field, "config.devices[0].host_path");
	cr_assert_str_eq(
		faults.items[3].field, "config.linux.security_context.seccomp.localhost_ref");
	cr_assert(strstr(err.text, "(and 3 more)"), "%s", err.text);
}
