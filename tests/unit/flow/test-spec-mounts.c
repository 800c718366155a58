/* SPDX-License-Identifier: Apache-2.0 */
#include "spec-common.h"

#include <criterion/criterion.h>

#define MOUNT(x) "'mounts': [{'container_path': '/m', 'host_path': '/src', " x "}]"

/* "DESTINATION<SOURCE" of all, in order. */
static const char *mounts_of(struct built *b)
{
	const struct oci_spec *s = built_spec(b);
	const char *out = "";

	for (size_t i = 0; i < s->n_mounts; i++)
		out = arena_printf(b->arena, "%s%s%s", out, i ? " " : "", s->mounts[i].destination);
	return out;
}

Test(spec_mounts, come_sorted_by_depth_and_otherwise_in_order)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/a/b/c', 'host_path': '/1'}, {'container_path': 'z', "
		"'host_path': '/2'}, {'container_path': '/a//b/', 'host_path': '/3'}, "
		"{'container_path': '/x/../a', 'host_path': '/4'}]",
		"");
	cr_assert_str_eq(mounts_of(&b),
		"/proc /dev /sys /z /a /dev/pts /dev/mqueue /dev/shm /etc/hosts /etc/hostname "
		"/etc/resolv.conf /a/b /sys/fs/cgroup /a/b/c");
}

Test(spec_mounts, of_the_request_win_over_the_default_ones)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/etc/hosts', 'host_path': '/h'}, {'container_path': "
		"'/dev/shm/', 'host_path': '/s'}, {'container_path': '/sys', 'host_path': '/sys'}]",
		"");
	cr_assert_str_eq(mounts_of(&b), "/proc /dev /sys /dev/pts /dev/mqueue /etc/hostname "
					"/etc/resolv.conf /etc/hosts /dev/shm");
	cr_assert_str_eq(mount_at(b.spec, "/etc/hosts")->source, "/h");
	cr_assert_str_eq(mount_at(b.spec, "/dev/shm")->source, "/s");
}

Test(spec_mounts, of_dev_drop_what_lies_in_it)
{
	_built_ struct built b;

	built_members(&b, "'mounts': [{'container_path': '/dev', 'host_path': '/dev'}]", "");
	cr_assert_str_eq(mounts_of(&b),
		"/proc /sys /dev /etc/hosts /etc/hostname /etc/resolv.conf /sys/fs/cgroup");
}

static const struct {
	const char *members, *options;
} options[] = {
	{ "'readonly': false", "rbind rprivate rw" },
	{ "'readonly': true", "rbind rprivate ro" },
	{ "'readonly': true, 'recursive_read_only': true", "rbind rprivate ro rro" },
	{ "'propagation': 1", "rbind rslave rw" },
	{ "'readonly': true, 'mount_options': ['noexec', 'nosuid', 'nodev', 'noatime']",
		"rbind rprivate ro noexec nosuid nodev noatime" },
	{ "'mount_options': ['relatime']", "rbind rprivate rw relatime" },
	{ "'selinux_relabel': true", "rbind rprivate rw" },
};

Test(spec_mounts, have_the_options_that_were_asked_for)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'mounts': [{'container_path': '/m', 'host_path': '/src', %s}]",
				options[i].members);
		built_members(&b, config, "");
		const struct oci_mount *m = mount_at(built_spec(&b), "/m");
		cr_assert_str_eq(options_of(&b, m), options[i].options, "case %zu", i);
		cr_assert_str_eq(m->type, "bind");
		cr_assert_str_eq(m->source, "/src");
	}
}

static const struct {
	const char *mount, *field, *text;
} refused[] = {
	{ "'container_path': '/m'", "host_path", "must not be empty" },
	{ "'container_path': '', 'host_path': '/s'", "container_path", "must not be empty" },
	{ "'container_path': '/', 'host_path': '/s'", "container_path", "whole root" },
	{ "'container_path': '/..', 'host_path': '/s'", "container_path", "whole root" },
	{ "'container_path': '/proc', 'host_path': '/s'", "container_path", "only a proc" },
	{ "'container_path': '/proc/sys', 'host_path': '/s'", "container_path", "inside /proc" },
	{ "'container_path': '/a/../proc/self', 'host_path': '/s'", "container_path",
		"inside /proc" },
	{ "'container_path': '/m', 'host_path': '/s', 'recursive_read_only': true",
		"recursive_read_only", "needs readonly" },
	{ "'container_path': '/m', 'host_path': '/s', 'readonly': true, 'recursive_read_only': true, 'propagation': 1",
		"recursive_read_only", "propagation" },
	{ "'container_path': '/m', 'host_path': '/s', 'propagation': 2", "propagation",
		"only a privileged" },
	{ "'container_path': '/m', 'host_path': '/s', 'mount_options': ['nodev', 'suid']",
		"mount_options[1]", "\"suid\"" },
	{ "'container_path': '/m', 'host_path': '/s', 'image': {'image': 'x'}, 'readonly': true",
		"host_path", "beside an image" },
	{ "'container_path': '/m', 'image': {'image': 'x'}", "readonly", "must be read-only" },
	{ "'container_path': '/m', 'host_path': '/s', 'image_sub_path': 'x'", "image_sub_path",
		"needs an image" },
	{ "'container_path': '/m', 'host_path': '/s', 'uidMappings': [{'host_id': 0, 'container_id': 0, 'length': 1}], "
	  "'gidMappings': [{'host_id': 0, 'container_id': 0, 'length': 1}]",
		"uidMappings", "pod's user namespace" },
};

Test(spec_mounts, that_give_more_than_allowed_are_refused_by_field)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		_built_ struct built b;
		_free_ char *config = strf("'mounts': [{%s}]", refused[i].mount);
		_free_ char *field = strf("config.mounts[0].%s", refused[i].field);
		built_members(&b, config, "");
		built_refused(&b, field, refused[i].text);
	}
}

Test(spec_mounts, inside_proc_may_be_what_lxcfs_replaces)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/proc/meminfo', 'host_path': '/var/lib/lxcfs/proc/meminfo'}]",
		"");
	cr_assert(mount_at(built_spec(&b), "/proc/meminfo"));
}

#define PRIVILEGED "'linux': {'security_context': {'privileged': true}}"

static const struct {
	int propagation, peer;
	bool privileged;
	int root; /* -1: refused */
} propagations[] = {
	{ 0, SPEC_PEER_PRIVATE, false, OCI_PROPAGATION_UNSET },
	{ 1, SPEC_PEER_PRIVATE, false, -1 },
	{ 1, SPEC_PEER_SLAVE, false, OCI_PROPAGATION_RSLAVE },
	{ 1, SPEC_PEER_SHARED, false, OCI_PROPAGATION_RSLAVE },
	{ 2, SPEC_PEER_SHARED, true, OCI_PROPAGATION_RSHARED },
	{ 2, SPEC_PEER_SHARED, false, -1 },
	{ 2, SPEC_PEER_SLAVE, true, -1 },
	{ 2, SPEC_PEER_PRIVATE, true, -1 },
};

Test(spec_mounts, propagate_as_their_source_can)
{
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		_built_ struct built b;
		_free_ char *config = strf(
			"'mounts': [{'container_path': '/m', 'host_path': '/s', 'propagation': %d}]%s%s",
			propagations[i].propagation, propagations[i].privileged ? ", " : "",
			propagations[i].privileged ? PRIVILEGED : "");
		built_members(&b, config, propagations[i].privileged ? PRIVILEGED : "");
		b.c.mounts[0].peer = propagations[i].peer;
		if (propagations[i].root < 0)
			built_refused(&b, "config.mounts[0].propagation", "");
		else
			cr_assert_eq(built_spec(&b)->linux_->rootfs_propagation,
				propagations[i].root, "case %zu", i);
	}
}

Test(spec_mounts, that_propagate_both_ways_keep_the_root_shared)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/a', 'host_path': '/a', 'propagation': 2}, "
		"{'container_path': '/b', 'host_path': '/b', 'propagation': 1}], " PRIVILEGED,
		PRIVILEGED);
	cr_assert_eq(built_spec(&b)->linux_->rootfs_propagation, OCI_PROPAGATION_RSHARED);
}

Test(spec_mounts, of_the_pods_files_follow_the_root_filesystem)
{
	_built_ struct built a, b;

	built_members(&a, "", "");
	cr_assert_str_eq(
		options_of(&a, mount_at(built_spec(&a), "/etc/resolv.conf")), "rbind rprivate rw");
	built_members(&b, "'linux': {'security_context': {'readonly_rootfs': true}}", "");
	cr_assert_str_eq(
		options_of(&b, mount_at(built_spec(&b), "/etc/resolv.conf")), "rbind rprivate ro");
	cr_assert(b.spec->root->readonly);
}

Test(spec_mounts, of_shm_are_the_pods_the_hosts_or_own_ones)
{
	static const char host[] =
		"'linux': {'security_context': {'namespace_options': {'ipc': 2}}}";
	_built_ struct built a, b, c, d;

	built_members(&a, "", "");
	cr_assert_str_eq(mount_at(built_spec(&a), "/dev/shm")->source, CASE_RUN "/shm");
	built_members(&b, host, host);
	cr_assert_str_eq(mount_at(built_spec(&b), "/dev/shm")->source, "/dev/shm");
	built_members(&c, "'linux': {'security_context': {'namespace_options': {'ipc': 1}}}", "");
	cr_assert_str_eq(mount_at(built_spec(&c), "/dev/shm")->type, "tmpfs");
	built_members(&d, "", "");
	d.c.sandbox.shm = NULL;
	built_refused(&d, "pod_sandbox_id", "/dev/shm");
}

Test(spec_mounts, of_sys_can_be_written_by_privileged_containers_only)
{
	_built_ struct built a, b;

	built_members(&a, "", "");
	cr_assert_str_eq(
		options_of(&a, mount_at(built_spec(&a), "/sys")), "nosuid noexec nodev ro");
	cr_assert_str_eq(options_of(&a, mount_at(a.spec, "/sys/fs/cgroup")),
		"nosuid noexec nodev relatime ro");
	built_members(&b, PRIVILEGED, PRIVILEGED);
	cr_assert_str_eq(
		options_of(&b, mount_at(built_spec(&b), "/sys")), "nosuid noexec nodev rw");
	cr_assert_str_eq(options_of(&b, mount_at(b.spec, "/sys/fs/cgroup")),
		"nosuid noexec nodev relatime rw");
}

Test(spec_mounts, of_the_images_volumes_are_needed_only_where_the_root_cant_be_written)
{
	_built_ struct built a, b;

	built_members(&a, "", "");
	cr_assert_null(mount_at(built_spec(&a), "/data"));
	built_members(&b,
		"'mounts': [{'container_path': '/work', 'host_path': '/w'}], 'linux': "
		"{'security_context': {'readonly_rootfs': true}}",
		"");
	const struct oci_spec *s = built_spec(&b);
	cr_assert_str_eq(options_of(&b, mount_at(s, "/data")), "nosuid nodev rw tmpcopyup");
	cr_assert_str_eq(mount_at(s, "/var/cache")->type, "tmpfs");
	cr_assert_str_eq(mount_at(s, "/work")->type, "bind");
	cr_assert_null(mount_at(s, "/proc/sys"));
	cr_assert_null(mount_at(s, "/"));
}

Test(spec_mounts, of_volumes_inside_a_mount_of_the_request_are_left_to_it)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/var', 'host_path': '/w'}], 'linux': "
		"{'security_context': {'readonly_rootfs': true}}",
		"");
	cr_assert_null(mount_at(built_spec(&b), "/var/cache"));
}

Test(spec_mounts, of_too_many_volumes_are_refused)
{
	enum { N = 257 };
	_built_ struct built b;

	built_members(&b, "'linux': {'security_context': {'readonly_rootfs': true}}", "");
	const char **list = arena_array(b.arena, N, sizeof(*list));
	for (int i = 0; i < N; i++)
		list[i] = arena_printf(b.arena, "/v%d", i);
	b.c.image.config.volumes = list;
	b.c.image.config.n_volumes = N;
	built_refused(&b, "config.image", "257 volumes");
}

Test(spec_mounts, that_are_images_cant_be_written_nor_run_anything)
{
	_built_ struct built b;

	built_members(&b,
		"'mounts': [{'container_path': '/m', 'image': {'image': 'x'}, 'readonly': true}]",
		"");
	const struct oci_mount *m = mount_at(built_spec(&b), "/m");
	cr_assert_str_eq(options_of(&b, m), "rbind rprivate ro nosuid nodev noexec");
	cr_assert_str_eq(m->source, CASE_RUN "/images/0");
}

Test(spec_mounts, that_would_have_to_be_relabelled_are_refused)
{
	_built_ struct built b;

	built_members(&b, MOUNT("'selinux_relabel': true"), "");
	b.c.facts.selinux = true;
	built_refused(&b, "config.mounts[0].selinux_relabel", "relabelled");
}
