/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles as engines write them, and one by one each property that can't be given. */
#include "backend/proxmox/wish-oci.h"
#include "base/fd.h"
#include "base/json.h"
#include "model/oci.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>

#define CAPS14                                                                                   \
	"[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\",\"CAP_" \
	"NET_"                                                                                   \
	"RAW\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_"    \
	"SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\"]"
#define CAPS(set) "{\"bounding\":" set ",\"effective\":" set ",\"permitted\":" set "}"
#define NS                                                                                    \
	"{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"uts\"},{" \
	"\"type\":\"ipc\"}"

/* NULL: a sound value, or nothing. `process`, `linux_` and `more` begin with a comma. */
struct parts {
	const char *args, *caps, *namespaces, *mounts, *annotations;
	const char *process, *linux_, *more;
};

struct reading {
	struct arena *arena;
	struct settings_proxmox cfg;
	struct ctr_faults faults;
	struct guest_wish wish;
	struct err err;
};

static void done(struct reading *r)
{
	ctr_faults_done(&r->faults);
	arena_free(r->arena);
}
#define _reading_ _cleanup_(done) struct reading

static int read_text(struct reading *r, const char *text, size_t n)
{
	struct ctr_input in = { .id = "c0ffee00c0ffee00c0ffee00", .bundle = "/bundle" };
	struct oci_spec *spec;
	struct err err = ERR_INIT;

	r->arena = arena_new();
	cr_assert_eq(
		oci_spec_parse(text, n, r->arena, &spec, &err), 0, "%s: %s", err.where, err.text);
	in.spec = spec;
	return wish_from_oci(&in, &r->cfg, r->arena, &r->wish, &r->faults, &r->err);
}

static int read_parts(struct reading *r, const struct parts *p)
{
	_str_ struct str s = { 0 };

	str_printf(&s,
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/"
		"\",\"args\":%s,\"capabilities\":%s%s},\"annotations\":{\"io.kubernetes.cri.image-"
		"name\":\"lxc/debian-12\"%s},\"mounts\":[%s],\"linux\":{\"namespaces\":[%s]%s}%s}",
		p->args ? p->args : "[\"/sbin/init\"]", p->caps ? p->caps : CAPS(CAPS14),
		p->process ? p->process : "", p->annotations ? p->annotations : "",
		p->mounts ? p->mounts : "", p->namespaces ? p->namespaces : NS,
		p->linux_ ? p->linux_ : "", p->more ? p->more : "");
	return read_text(r, s.p, s.n);
}

static int read_file(struct reading *r, const char *name)
{
	_free_ char *path = strf("%s/oci/%s.json", TEST_DATA, name), *text = NULL;
	struct err err = ERR_INIT;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &text, &n, &err), 0, "%s", path);
	return read_text(r, text, n);
}

static void waive(struct reading *r, const enum settings_waiver *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->cfg.waive[w[i]] = true;
}
#define WAIVE(r, ...)                                     \
	waive(r, (enum settings_waiver[]){ __VA_ARGS__ }, \
		ARRAY_SIZE(((enum settings_waiver[]){ __VA_ARGS__ })))

static void accepted(const struct reading *r, int result)
{
	cr_assert_eq(result, 0, "%s: %s", r->faults.n ? r->faults.items[0].field : "?",
		r->faults.n ? r->faults.items[0].text : r->err.text);
	cr_assert_eq(r->faults.total, 0);
}

/* All faults, one a line. */
static void assert_faults(const struct reading *r, const char *want)
{
	_str_ struct str s = { 0 };

	for (size_t i = 0; i < r->faults.n; i++)
		str_printf(&s, "%s: %s\n", r->faults.items[i].field, r->faults.items[i].text);
	cr_assert_str_eq(s.p ? s.p : "", want);
}

/* What was waived, by name. */
static void assert_waived(const struct reading *r, const char *want)
{
	_str_ struct str s = { 0 };

	for (int i = 0; i < SETTINGS_WAIVER_N; i++) {
		if (r->wish.waived[i])
			str_printf(&s, "%s%s", s.n ? " " : "", settings_waiver_name(i));
	}
	cr_assert_str_eq(s.p ? s.p : "", want);
}

/* ---- engines ---- */

Test(wish_oci, a_kubelets_ordinary_pod_passes_through_containerd)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_POD_NAMESPACES, WAIVE_KUBELET_MOUNTS, WAIVE_RESOURCES);
	accepted(&r, read_file(&r, "containerd"));
	assert_waived(&r, "pod-namespaces kubelet-mounts resources");
	cr_assert_str_eq(r.wish.image, "docker.io/library/db-postgres:16");
	cr_assert_str_eq(r.wish.who.container, "pg");
	cr_assert_str_eq(r.wish.who.pod, "db-0");
	cr_assert_str_eq(r.wish.who.namespace, "shop");
	cr_assert_str_eq(r.wish.who.sandbox_id, "9c1d0e");
	cr_assert_str_eq(r.wish.who.uid, "5f3e4c0e-2d5f-4a0b-8a3a-0d1f3a6c2b11");
	cr_assert_str_eq(r.wish.hostname, "db-0");
	cr_assert_eq(r.wish.n_argv, 0, "/sbin/init is the guest's own");
	cr_assert_eq(r.wish.env.n, 2);
	cr_assert_str_eq(r.wish.env.items[0].key, "PGDATA");
	cr_assert_str_eq(r.wish.env.items[0].value, "/var/lib/postgresql/data");
	cr_assert_eq(r.wish.memory_bytes, 536870912);
	cr_assert_eq(r.wish.memory_swap_bytes, 536870912);
	cr_assert_eq(r.wish.cpu_shares, 512);
	cr_assert_eq(r.wish.cpu_quota, 50000);
	cr_assert_eq(r.wish.cpu_period, 100000);
	cr_assert_eq(r.wish.n_mounts, 0);
	cr_assert_eq(r.wish.who.annotations.n, 0, "an engine's notes aren't the user's");
}

Test(wish_oci, without_a_waiver_all_that_a_pod_lacks_is_named_at_once)
{
	_reading_ r = { 0 };

	cr_assert_eq(read_file(&r, "containerd"), -1);
	cr_assert_eq(r.err.code, ERR_UNSUPPORTED);
	cr_assert_eq(r.faults.total, 12);
	cr_assert_str_eq(r.faults.items[0].field, "linux.namespaces[1]");
	cr_assert_str_eq(r.faults.items[0].text,
		"a guest has its own ipc namespace, it can't share a pod's; \"pod-namespaces\" in "
		"proxmox.waive would let it go");
}

Test(wish_oci, a_pod_passes_through_crio)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_POD_NAMESPACES, WAIVE_KUBELET_MOUNTS, WAIVE_RESOURCES);
	accepted(&r, read_file(&r, "crio"));
	cr_assert_str_eq(r.wish.image, "localhost/lxc/redis:7");
	cr_assert_str_eq(r.wish.who.container, "redis");
	cr_assert_str_eq(r.wish.who.pod, "cache-1");
	cr_assert_eq(r.wish.who.attempt, 3);
	cr_assert_str_eq(ctr_map_get(&r.wish.who.labels, "app"), "cache");
	cr_assert_str_eq(
		ctr_map_get(&r.wish.who.annotations, "io.kubernetes.container.restartCount"), "3");
	cr_assert_str_eq(r.wish.hostname, "cache-1");
	cr_assert(r.wish.readonly_rootfs);
	cr_assert_eq(r.wish.n_argv, 3);
	cr_assert_str_eq(r.wish.argv[2], "yes");
	cr_assert_str_eq(r.wish.cwd, "/data");
	cr_assert_eq(r.wish.env.n, 1, "A is given twice");
	cr_assert_str_eq(r.wish.env.items[0].value, "2");
	cr_assert_eq(r.wish.cpu_quota, 0, "-1 is no limit");
}

Test(wish_oci, ctr_run_needs_two_waivers)
{
	_reading_ r = { 0 };

	cr_assert_eq(read_file(&r, "ctr"), -1);
	assert_faults(&r,
		"process.noNewPrivileges: a guest's processes can gain privileges within it; "
		"\"no-new-privileges\" in proxmox.waive would let it go\n"
		"process.rlimits: the server sets no resource limits (rlimits) for a guest; "
		"\"resources\" in proxmox.waive would let it go\n");
}

Test(wish_oci, ctr_run_passes_with_them)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_NO_NEW_PRIVS, WAIVE_RESOURCES);
	accepted(&r, read_file(&r, "ctr"));
	cr_assert_str_eq(r.wish.hostname, "ct-c0ffee00c0ff");
	cr_assert_eq(r.wish.env.n, 0);
}

Test(wish_oci, podman_needs_waivers_for_its_network_files_and_limits)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_POD_NAMESPACES, WAIVE_KUBELET_MOUNTS, WAIVE_RESOURCES, WAIVE_SYSCTLS);
	accepted(&r, read_file(&r, "podman"));
	assert_waived(&r, "pod-namespaces kubelet-mounts resources sysctls");
	cr_assert_eq(r.wish.env.n, 0);
}

/* ---- each property that can't be given ---- */

static const struct example {
	const char *row, *field; /* the row of the table; the fault's place */
	struct parts parts;
} examples[] = {
	{ "domainname", "domainname", { .more = ",\"domainname\":\"nis\"" } },
	{ "hooks.prestart.**", "hooks.prestart",
		{ .more = ",\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}" } },
	{ "hooks.createRuntime.**", "hooks.createRuntime",
		{ .more = ",\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"}]}" } },
	{ "hooks.createContainer.**", "hooks.createContainer",
		{ .more = ",\"hooks\":{\"createContainer\":[{\"path\":\"/x\"}]}" } },
	{ "hooks.startContainer.**", "hooks.startContainer",
		{ .more = ",\"hooks\":{\"startContainer\":[{\"path\":\"/x\"}]}" } },
	{ "hooks.poststart.**", "hooks.poststart",
		{ .more = ",\"hooks\":{\"poststart\":[{\"path\":\"/x\"}]}" } },
	{ "hooks.poststop.**", "hooks.poststop",
		{ .more = ",\"hooks\":{\"poststop\":[{\"path\":\"/x\"}]}" } },
	{ "linux.devices[].**", "linux.devices[0]",
		{ .linux_ = ",\"devices\":[{\"path\":\"/dev/"
			    "fuse\",\"type\":\"c\",\"major\":10,\"minor\":229}]" } },
	{ "linux.intelRdt.**", "linux.intelRdt", { .linux_ = ",\"intelRdt\":{\"closID\":\"x\"}" } },
	{ "linux.maskedPaths[]", "linux.maskedPaths[1]",
		{ .linux_ = ",\"maskedPaths\":[\"/proc/kcore\",\"/etc/secret\"]" } },
	{ "linux.readonlyPaths[]", "linux.readonlyPaths[0]",
		{ .linux_ = ",\"readonlyPaths\":[\"/usr\"]" } },
	{ "linux.memoryPolicy.**", "linux.memoryPolicy",
		{ .linux_ = ",\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\"}" } },
	{ "linux.mountLabel", "linux.mountLabel",
		{ .linux_ = ",\"mountLabel\":\"system_u:object_r:container_file_t:s0\"" } },
	{ "linux.namespaces[].path", "linux.namespaces[2]",
		{ .namespaces = "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\","
				"\"path\":\"/run/netns/x\"},{\"type\":\"uts\"},{\"type\":\"ipc\"}" } },
	{ "linux.namespaces[].type", "linux.namespaces",
		{ .namespaces = "{\"type\":\"mount\"},{\"type\":\"network\"},{"
				"\"type\":\"uts\"},{\"type\":\"ipc\"}" } },
	{ "linux.netDevices.**", "linux.netDevices",
		{ .linux_ = ",\"netDevices\":{\"eth9\":{}}" } },
	{ "linux.personality.**", "linux.personality",
		{ .linux_ = ",\"personality\":{\"domain\":\"LINUX32\"}" } },
	{ "linux.resources.blockIO.**", "linux.resources.blockIO",
		{ .linux_ = ",\"resources\":{\"blockIO\":{\"weight\":100}}" } },
	{ "linux.resources.cpu.burst", "linux.resources.cpu.burst",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"burst\":1000}}" } },
	{ "linux.resources.cpu.cpus", "linux.resources.cpu.cpus",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"cpus\":\"0\"}}" } },
	{ "linux.resources.cpu.idle", "linux.resources.cpu.idle",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"idle\":1}}" } },
	{ "linux.resources.cpu.mems", "linux.resources.cpu.mems",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"mems\":\"0\"}}" } },
	{ "linux.resources.cpu.realtimePeriod", "linux.resources.cpu.realtimePeriod",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"realtimePeriod\":1000}}" } },
	{ "linux.resources.cpu.realtimeRuntime", "linux.resources.cpu.realtimeRuntime",
		{ .linux_ = ",\"resources\":{\"cpu\":{\"realtimeRuntime\":1000}}" } },
	{ "linux.resources.devices[].**", "linux.resources.devices[1]",
		{ .linux_ = ",\"resources\":{\"devices\":[{\"allow\":false},{\"allow\":true,"
			    "\"type\":\"c\",\"major\":10,\"minor\":200,\"access\":\"rwm\"}]}" } },
	{ "linux.resources.hugepageLimits.**", "linux.resources.hugepageLimits",
		{ .linux_ = ",\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":"
			    "0}]}" } },
	{ "linux.resources.memory.disableOOMKiller", "linux.resources.memory.disableOOMKiller",
		{ .linux_ = ",\"resources\":{\"memory\":{\"disableOOMKiller\":true}}" } },
	{ "linux.resources.memory.kernel", "linux.resources.memory.kernel",
		{ .linux_ = ",\"resources\":{\"memory\":{\"kernel\":1000000}}" } },
	{ "linux.resources.memory.kernelTCP", "linux.resources.memory.kernelTCP",
		{ .linux_ = ",\"resources\":{\"memory\":{\"kernelTCP\":1000000}}" } },
	{ "linux.resources.memory.reservation", "linux.resources.memory.reservation",
		{ .linux_ = ",\"resources\":{\"memory\":{\"reservation\":1000000}}" } },
	{ "linux.resources.memory.swappiness", "linux.resources.memory.swappiness",
		{ .linux_ = ",\"resources\":{\"memory\":{\"swappiness\":10}}" } },
	{ "linux.resources.network.classID", "linux.resources.network.classID",
		{ .linux_ = ",\"resources\":{\"network\":{\"classID\":1}}" } },
	{ "linux.resources.network.priorities.**", "linux.resources.network.priorities",
		{ .linux_ = ",\"resources\":{\"network\":{\"priorities\":[{\"name\":\"eth0\","
			    "\"priority\":1}]}}" } },
	{ "linux.resources.pids.limit", "linux.resources.pids.limit",
		{ .linux_ = ",\"resources\":{\"pids\":{\"limit\":100}}" } },
	{ "linux.resources.rdma.**", "linux.resources.rdma",
		{ .linux_ = ",\"resources\":{\"rdma\":{\"mlx5\":{\"hcaHandles\":1}}}" } },
	{ "linux.resources.unified.**", "linux.resources.unified",
		{ .linux_ = ",\"resources\":{\"unified\":{\"memory.high\":\"1\"}}" } },
	{ "linux.rootfsPropagation", "linux.rootfsPropagation",
		{ .linux_ = ",\"rootfsPropagation\":\"rshared\"" } },
	{ "linux.seccomp.**", "linux.seccomp",
		{ .linux_ = ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
			    "\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}]}" } },
	{ "linux.sysctl.**", "linux.sysctl",
		{ .linux_ = ",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}" } },
	{ "linux.timeOffsets.**", "linux.timeOffsets",
		{ .linux_ = ",\"timeOffsets\":{\"boottime\":{\"secs\":1}}" } },
	{ "mounts[]", "mounts[0]",
		{ .mounts = "{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/srv\"}" } },
	{ "mounts[].destination", "mounts[0]",
		{ .mounts = "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/h\"}" } },
	{ "mounts[].type", "mounts[0]",
		{ .mounts = "{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}" } },
	{ "mounts[].options[]", "mounts[0].options[1]", /* see below: host paths are given */
		{ .mounts = "{\"destination\":\"/data\",\"source\":\"/srv\",\"options\":["
			    "\"rbind\",\"rshared\"]}" } },
	{ "mounts[].uidMappings.**", "mounts[0]",
		{ .mounts = "{\"destination\":\"/data\",\"source\":\"/srv\",\"options\":["
			    "\"rbind\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":"
			    "1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}" } },
	{ "process.apparmorProfile", "process.apparmorProfile",
		{ .process = ",\"apparmorProfile\":\"mine\"" } },
	{ "process.capabilities", "process.capabilities", { .caps = CAPS("[\"CAP_CHOWN\"]") } },
	{ "process.execCPUAffinity.**", "process.execCPUAffinity",
		{ .process = ",\"execCPUAffinity\":{\"initial\":\"0\"}" } },
	{ "process.ioPriority.**", "process.ioPriority",
		{ .process = ",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":1}" } },
	{ "process.noNewPrivileges", "process.noNewPrivileges",
		{ .process = ",\"noNewPrivileges\":true" } },
	{ "process.oomScoreAdj", "process.oomScoreAdj", { .process = ",\"oomScoreAdj\":500" } },
	{ "process.rlimits.**", "process.rlimits",
		{ .process = ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,\"hard\":1}]" } },
	{ "process.scheduler.**", "process.scheduler",
		{ .process = ",\"scheduler\":{\"policy\":\"SCHED_BATCH\"}" } },
	{ "process.selinuxLabel", "process.selinuxLabel",
		{ .process = ",\"selinuxLabel\":\"system_u:system_r:container_t:s0\"" } },
	{ "process.terminal", "process.terminal", { .process = ",\"terminal\":true" } },
	{ "process.user.additionalGids.**", "process.user.additionalGids",
		{ .process = ",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[0,27]}" } },
	{ "process.user.gid", "process.user.gid",
		{ .process = ",\"user\":{\"uid\":0,\"gid\":5}" } },
	{ "process.user.uid", "process.user.uid",
		{ .process = ",\"user\":{\"uid\":5,\"gid\":0}" } },
	{ "process.user.umask", "process.user.umask",
		{ .process = ",\"user\":{\"uid\":0,\"gid\":0,\"umask\":63}" } },
};

/* Host paths can be given only so; otherwise their options don't matter. */
static void give_host_paths(struct reading *r, const struct wish_oci_row *row)
{
	if (row->way == WISH_REFUSED && str_starts(row->field, "mounts[].")) {
		r->cfg.local_node = "pve1";
		r->cfg.user = "root@pam";
		r->cfg.password_file = "/p";
	}
}

/* process.capabilities.** is the inside of process.capabilities; maps of gids come with those of
 * uids. */
static bool is_spoken_for(const struct wish_oci_row *row)
{
	return str_eq(row->field, "process.capabilities.**") ||
	       str_eq(row->field, "mounts[].gidMappings.**");
}

Test(wish_oci, every_row_that_is_waived_or_refused_has_an_example)
{
	const struct wish_oci_row *row;

	for (size_t i = 0; (row = wish_oci_row(i)); i++) {
		bool found = row->way < WISH_WAIVED || is_spoken_for(row);

		for (size_t k = 0; !found && k < ARRAY_SIZE(examples); k++)
			found = str_eq(examples[k].row, row->field);
		cr_expect(found, "%s", row->field);
	}
}

Test(wish_oci, what_cant_be_given_is_refused_by_name_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		const struct wish_oci_row *row = wish_oci_find(e->row);
		_reading_ r = { 0 };

		cr_assert_not_null(row, "%s", e->row);
		give_host_paths(&r, row);
		cr_expect_eq(read_parts(&r, &e->parts), -1, "%s was accepted", e->row);
		cr_assert_geq(r.faults.total, 1, "%s", e->row);
		cr_expect_str_eq(r.faults.items[0].field, e->field, "%s", e->row);
		cr_expect_leq(r.faults.total, 2, "%s", e->row);
		cr_expect_eq(!strstr(r.faults.items[0].text, "in proxmox.waive would let it go"),
			row->way != WISH_WAIVED, "%s: %s", e->row, r.faults.items[0].text);
	}
}

Test(wish_oci, exactly_the_rows_waiver_lets_it_go)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		const struct wish_oci_row *row = wish_oci_find(e->row);
		const bool waived = row->way == WISH_WAIVED;
		_reading_ r = { 0 };
		_reading_ others = { 0 };

		give_host_paths(&r, row);
		give_host_paths(&others, row);
		for (int w = 0; w < SETTINGS_WAIVER_N; w++) {
			r.cfg.waive[w] = !waived || w == row->waiver;
			others.cfg.waive[w] = !waived || w != row->waiver;
		}
		cr_expect_eq(read_parts(&r, &e->parts), waived ? 0 : -1, "%s", e->row);
		cr_expect_eq(read_parts(&others, &e->parts), -1, "%s", e->row);
		for (int w = 0; waived && w < SETTINGS_WAIVER_N; w++)
			cr_expect_eq(r.wish.waived[w], w == row->waiver, "%s", e->row);
	}
}

Test(wish_oci, nothing_is_noted_as_waived_that_wasnt_asked_for)
{
	struct parts none = { 0 };
	_reading_ r = { 0 };

	for (int w = 0; w < SETTINGS_WAIVER_N; w++)
		r.cfg.waive[w] = true;
	accepted(&r, read_parts(&r, &none));
	assert_waived(&r, "");
}

/* ---- particulars ---- */

Test(wish_oci, a_bundle_that_names_no_image_is_refused)
{
	static const char text[] =
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"linux\":{"
		"\"namespaces\":[" NS "]}}";
	_reading_ r = { 0 };

	cr_assert_eq(read_text(&r, text, sizeof(text) - 1), -1);
	cr_assert_eq(r.err.code, ERR_INVALID);
	assert_faults(&r,
		"annotations: no annotation says which image the guest is to be made from: "
		"io.kubernetes.cri.image-name or io.kubernetes.cri-o.ImageName\n");
}

Test(wish_oci, more_capabilities_than_an_engines_default_cant_be_waived)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_CAPABILITIES);
	cr_assert_eq(read_parts(&r, &(struct parts){ .caps = CAPS("[\"CAP_SYS_ADMIN\"]") }), -1);
	cr_assert_str_eq(r.faults.items[0].text,
		"more than an engine's default set (a privileged container, say) can't be given to "
		"a guest");
}

/* containerd's own filter with something changed in its text. */
static int read_filter(struct reading *r, const char *from, const char *to)
{
	_free_ char *path = strf("%s/oci/containerd.json", TEST_DATA), *text = NULL;
	_str_ struct str s = { 0 };
	struct err err = ERR_INIT;
	const char *at;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &text, &n, &err), 0, "%s", path);
	at = strstr(text, from);
	cr_assert(at, "%s", from);
	str_addn(&s, text, (size_t)(at - text));
	str_printf(&s, "%s%s", to, at + strlen(from));
	return read_text(r, s.p, s.n);
}

static const struct {
	const char *what, *from, *to;
} filters[] = {
	{ "a call less", "\"connect\",", "" },
	{ "no ptrace", "\"ptrace\"", "\"process_vm_readv\"" },
	{ "no sockets", "\"socket\"", "\"connect\"" },
	{ "no program's new personality", "131072", "0" },
	{ "no threads", "2114060288", "2114060544" },
	{ "a rule that kills", "\"syscalls\": [",
		"\"syscalls\": [{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_KILL\"}," },
	{ "a rule that only notes", "\"syscalls\": [",
		"\"syscalls\": [{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_LOG\"}," },
	{ "an error for an argument", "\"syscalls\": [",
		"\"syscalls\": [{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{"
		"\"index\":1,\"value\":21522,\"op\":\"SCMP_CMP_EQ\"}]}," },
	{ NULL, "\"connect\",", "\"connect\",\"keyctl\"," }, /* met: it lets more pass */
	{ "all else kills", "\"SCMP_ACT_ERRNO\"", "\"SCMP_ACT_KILL\"" },
};

Test(wish_oci, a_filter_of_ones_own_isnt_an_engines_default)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_reading_ r = { 0 };

		WAIVE(&r, WAIVE_POD_NAMESPACES, WAIVE_KUBELET_MOUNTS, WAIVE_RESOURCES,
			WAIVE_PROFILES);
		accepted(&r, read_filter(&r, filters[i].from, filters[i].to));
		cr_expect_eq(r.wish.waived[WAIVE_PROFILES], filters[i].what != NULL, "%zu", i);
	}
}

/* What all three of them let pass, and no more. */
Test(wish_oci, what_all_engines_let_pass_is_enough)
{
	_free_ char *path = strf("%s/seccomp_default_facts.json", TEST_DATA), *text = NULL;
	_str_ struct str s = { 0 };
	_reading_ r = { 0 };
	struct err err = ERR_INIT;
	_arena_ struct arena *a = arena_new();
	const struct json *doc;
	size_t n;

	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &text, &n, &err), 0, "%s", path);
	cr_assert_eq(json_parse(text, n, 1 << 20, a, &doc, &err), 0, "%s", err.text);
	str_add(&s, ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
		    "\"action\":\"SCMP_ACT_ALLOW\",\"names\":[\"arch_prctl\",\"modify_ldt\","
		    "\"arm_fadvise64_64\",\"arm_sync_file_range\",\"sync_file_range2\","
		    "\"breakpoint\",\"cacheflush\",\"set_tls\",\"ptrace\","
		    "\"process_vm_readv\",\"process_vm_writev\",\"socket\",\"personality\","
		    "\"clone\"");
	json_for_each (name, json_get(json_get(doc, "diff"), "common_to_all_three"))
		if (!str_eq(name->text, "fchmodat2"))
			str_printf(&s, ",\"%s\"", name->text);
	str_add(&s, "]}]}");
	accepted(&r, read_parts(&r, &(struct parts){ .linux_ = s.p }));
}

Test(wish_oci, a_users_cleared_sets_are_no_drop_of_their_own)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_USER);
	accepted(&r, read_parts(&r, &(struct parts){ .caps = "{\"bounding\":" CAPS14 "}",
					    .process = ",\"user\":{\"uid\":70,\"gid\":70}" }));
	assert_waived(&r, "user");
}

Test(wish_oci, host_paths_become_mounts_on_the_local_node)
{
	_reading_ r = { .cfg = {
				.local_node = "pve1", .user = "root@pam", .password_file = "/p" } };

	accepted(&r,
		read_parts(&r,
			&(struct parts){
				.mounts =
					"{\"destination\":\"/data/"
					"../db\",\"source\":\"/srv/db/"
					"\",\"options\":[\"rbind\",\"ro\",\"nosuid\",\"nodev\"]},{"
					"\"destination\":\"/"
					"x\",\"source\":\"files\",\"options\":[\"bind\",\"rw\","
					"\"rprivate\"]}" }));
	cr_assert_eq(r.wish.n_mounts, 2);
	cr_assert_str_eq(r.wish.mounts[0].source, "/srv/db");
	cr_assert_str_eq(r.wish.mounts[0].target, "/db");
	cr_assert(r.wish.mounts[0].readonly);
	cr_assert_str_eq(r.wish.mounts[0].options, "nosuid;nodev");
	cr_assert_str_eq(r.wish.mounts[0].from, "mounts[0]");
	cr_assert_str_eq(r.wish.mounts[1].source, "/bundle/files");
	cr_assert(!r.wish.mounts[1].readonly);
	cr_assert_null(r.wish.mounts[1].options);
}

Test(wish_oci, a_token_may_not_give_host_paths)
{
	_reading_ r = { .cfg = { .local_node = "pve1", .token_file = "/t" } };

	cr_assert_eq(read_parts(&r,
			     &(struct parts){ .mounts = "{\"destination\":\"/d\",\"type\":\"bind\","
							"\"source\":\"/s\"}" }),
		-1);
	cr_assert_str_eq(r.faults.items[0].text,
		"only root@pam with its password may give host paths to a guest, an API token may "
		"not; \"mounts\" in proxmox.waive would let it go");
}

Test(wish_oci, a_path_that_the_server_cant_hold_is_refused)
{
	static const char *const bad[] = { "/a,b", "/a=b", "/a\\nb" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_reading_ r = {
			.cfg = { .local_node = "pve1", .user = "root@pam", .password_file = "/p" }
		};
		_free_ char *mount = strf("{\"destination\":\"/d\",\"type\":\"bind\",\"source\":"
					  "\"%s\"}",
			bad[i]);

		cr_assert_eq(read_parts(&r, &(struct parts){ .mounts = mount }), -1, "%s", bad[i]);
		cr_assert_eq(r.err.code, ERR_INVALID);
		cr_assert_str_eq(r.faults.items[0].field, "mounts[0]");
	}
}

Test(wish_oci, nothing_is_mounted_over_what_makes_a_guest_nor_a_device)
{
	static const struct {
		const char *target, *source;
	} bad[] = { { "/", "/s" }, { "/proc/x", "/s" }, { "/sys", "/s" },
		{ "/sys/fs/cgroup", "/s" }, { "/dev/x", "/s" }, { "/d", "/dev" },
		{ "/d", "/srv/../dev/x" } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_reading_ r = {
			.cfg = { .local_node = "pve1", .user = "root@pam", .password_file = "/p" }
		};
		_free_ char *mount = strf("{\"destination\":\"%s\",\"type\":\"bind\",\"source\":"
					  "\"%s\"}",
			bad[i].target, bad[i].source);

		cr_assert_eq(read_parts(&r, &(struct parts){ .mounts = mount }), -1, "%zu", i);
		cr_expect_eq(r.faults.total, 1);
	}
}

Test(wish_oci, only_paths_that_every_container_has_masked_are_met)
{
	_reading_ r = { 0 };

	cr_expect_eq(
		read_parts(&r,
			&(struct parts){
				.linux_ = ",\"maskedPaths\":[\"/proc/keys\",\"/proc/cpuinfo\","
					  "\"/sys/fs/selinux\"],\"readonlyPaths\":[\"/proc/bus\","
					  "\"/sys\"]" }),
		-1);
	cr_assert_eq(r.faults.total, 2);
	cr_expect_str_eq(r.faults.items[0].field, "linux.maskedPaths[1]");
	cr_expect_str_eq(r.faults.items[1].field, "linux.readonlyPaths[1]");
}

Test(wish_oci, a_bundle_asks_for_root_unless_it_says_otherwise)
{
	_reading_ r = { 0 }, u = { .cfg.waive = { [WAIVE_USER] = true } };

	accepted(&r, read_parts(&r, &(struct parts){ 0 }));
	cr_assert_str_eq(r.wish.root_user, "process.user.uid");
	cr_assert_str_eq(r.wish.root_group, "process.user.gid");
	accepted(&u,
		read_parts(&u, &(struct parts){ .process = ",\"user\":{\"uid\":7,\"gid\":8}" }));
	cr_assert_null(u.wish.root_user);
	cr_assert_null(u.wish.root_group);
}

#define CAPS11                                                                               \
	"[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_SETGID\","  \
	"\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_" \
	"CHROOT\",\"CAP_KILL\"]"

Test(wish_oci, another_engines_default_may_be_a_drop)
{
	static const struct {
		const char *annotation;
		bool met;
	} rows[] = {
		{ NULL, true },
		{ ",\"io.container.manager\":\"libpod\"", true },
		{ ",\"io.container.manager\":\"libpod\",\"io.kubernetes.cri.container-type\":\"x\"",
			true },
		{ ",\"io.kubernetes.cri.container-type\":\"container\"", false },
		{ ",\"io.container.manager\":\"cri-o\"", false },
		{ ",\"io.kubernetes.cri-o.ContainerType\":\"container\"", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_reading_ r = { 0 };

		WAIVE(&r, WAIVE_CAPABILITIES);
		accepted(&r, read_parts(&r, &(struct parts){ .caps = CAPS(CAPS11),
						    .annotations = rows[i].annotation }));
		cr_expect_eq(r.wish.waived[WAIVE_CAPABILITIES], !rows[i].met, "%zu", i);
	}
}

Test(wish_oci, an_option_must_be_allowed)
{
	const char *keys[] = { "storage" };
	_reading_ r = { .cfg = { .annotations = keys, .n_annotations = 1 } };

	cr_assert_eq(
		read_parts(&r,
			&(struct parts){
				.annotations =
					",\"org.ctrctl.proxmox/storage\":\"data\",\"org.ctrctl."
					"proxmox/pool\":\"p\",\"team\":\"shop\"" }),
		-1);
	cr_assert_str_eq(ctr_map_get(&r.wish.options, "storage"), "data");
	cr_assert_null(ctr_map_get(&r.wish.options, "pool"));
	cr_assert_eq(r.faults.total, 1);
	cr_assert_str_eq(r.faults.items[0].field, "annotations[\"org.ctrctl.proxmox/pool\"]");
	cr_assert_eq(r.wish.who.annotations.n, 1);
	cr_assert_str_eq(r.wish.who.annotations.items[0].key, "team");
}

Test(wish_oci, swap_needs_a_limit_that_is_no_more)
{
	static const struct {
		const char *memory, *fault;
	} rows[] = {
		{ "{\"swap\":536870912}",
			"it needs limit beside it: it is the limit of both together" },
		{ "{\"limit\":536870912,\"swap\":268435456}", "it is less than limit" },
		{ "{\"limit\":536870912,\"swap\":536870912}", NULL },
		{ "{\"limit\":536870912,\"swap\":-1}", NULL },
		{ "{\"swap\":-1}", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *linux_ = strf(",\"resources\":{\"memory\":%s}", rows[i].memory);
		_free_ char *want =
			rows[i].fault ? strf("linux.resources.memory.swap: %s\n", rows[i].fault)
				      : strf("%s", "");
		_reading_ r = { 0 };

		cr_expect_eq(read_parts(&r, &(struct parts){ .linux_ = linux_ }),
			rows[i].fault ? -1 : 0);
		assert_faults(&r, want);
	}
}

Test(wish_oci, a_folder_for_the_guests_own_init_needs_a_waiver)
{
	static const char text[] =
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/"
		"data\",\"args\":[\"/sbin/init\"],\"capabilities\":" CAPS(
			CAPS14) "},"
				"\"annotations\":{\"io.kubernetes.cri.image-name\":\"lxc/x\"},\"linux\":{"
				"\"namespaces\":[" NS "]}}";
	_reading_ r = { 0 };

	cr_assert_eq(read_text(&r, text, sizeof(text) - 1), -1);
	cr_assert_str_eq(r.faults.items[0].field, "process.cwd");
}

Test(wish_oci, a_folder_that_can_be_given_isnt_waived)
{
	_reading_ r = { 0 };

	WAIVE(&r, WAIVE_POD_NAMESPACES, WAIVE_KUBELET_MOUNTS, WAIVE_RESOURCES, WAIVE_WORKING_DIR);
	accepted(&r, read_file(&r, "crio"));
	cr_assert_str_eq(r.wish.cwd, "/data");
	cr_assert_not(r.wish.waived[WAIVE_WORKING_DIR]);
}

Test(wish_oci, the_hosts_network_is_no_loss)
{
	_reading_ r = { 0 };

	accepted(&r,
		read_parts(&r,
			&(struct parts){ .namespaces = "{\"type\":\"mount\"},{\"type\":\"pid\"},{"
						       "\"type\":\"ipc\"}" }));
}

Test(wish_oci, no_other_name_of_a_namespace_is_forgotten)
{
	_reading_ r = { 0 };

	cr_assert_eq(
		read_parts(&r, &(struct parts){ .namespaces = NS ",{\"type\":\"time\"}" }), -1);
	assert_faults(
		&r, "linux.namespaces[5]: a guest has the node's clocks: no time namespace\n");
}

Test(wish_oci, words_and_variables_that_the_server_cant_hold_are_named_without_values)
{
	_reading_ r = { 0 };

	cr_assert_eq(read_parts(&r, &(struct parts){ .args = "[\"sh\",\"a\\nb\"]",
					    .process = ",\"env\":[\"GOOD=1\",\"BAD-NAME=geheim\","
						       "\"V=ge\\nheim\"]" }),
		-1);
	cr_assert_eq(r.faults.total, 3);
	cr_assert_str_eq(r.faults.items[0].field, "process.args[1]");
	cr_assert_str_eq(r.faults.items[1].field, "process.env[1]");
	cr_assert_str_eq(r.faults.items[2].field, "process.env[2]");
	for (size_t i = 0; i < 3; i++)
		cr_assert_null(
			strstr(r.faults.items[i].text, "heim"), "%s", r.faults.items[i].text);
}

Test(wish_oci, labels_that_arent_an_object_of_texts_are_none)
{
	static const char *const bad[] = { "[1]", "{", "7", "{\\\"a\\\":1}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_reading_ r = { 0 };
		_free_ char *text =
			strf(",\"io.kubernetes.cri-o.Labels\":\"%s\",\"io.kubernetes.cri-"
			     "o.Metadata\":\"%s\"",
				bad[i], bad[i]);

		accepted(&r, read_parts(&r, &(struct parts){ .annotations = text }));
		cr_assert_eq(r.wish.who.labels.n, 0);
	}
}
