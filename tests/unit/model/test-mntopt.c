/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"
#include "model/mntopt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(mntopt, .init = set_up, .fini = tear_down);

/* Options separated by spaces. */
static int parse(const char *type, const char *options, struct mount_opts *o)
{
	struct oci_mount m = { .destination = "/x", .type = type };
	char *copy = arena_strdup(arena, options), *save = NULL;

	m.options = arena_array(arena, strlen(options) + 1, sizeof(*m.options));
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		m.options[m.n_options++] = w;
	return mount_opts_parse(&m, arena, o, &err);
}

static struct mount_opts ok(const char *type, const char *options)
{
	struct mount_opts o;
	char line[512] = "";

	if (parse(type, options, &o) < 0)
		err_line(&err, line, sizeof(line));
	cr_assert_str_empty(line);
	return o;
}

static void refuse(const char *type, const char *options, const char *want)
{
	struct mount_opts o;
	char line[512];

	cr_assert_eq(parse(type, options, &o), -1, "accepted: %s", options);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, want);
}

Test(mntopt, table_is_sorted_and_complete)
{
	/* Every option of the specification's table and of runc. */
	static const char *const must[] = { "defaults", "ro", "rw", "nosuid", "suid", "nodev",
		"dev", "noexec", "exec", "sync", "async", "dirsync", "remount", "mand", "nomand",
		"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
		"strictatime", "nostrictatime", "iversion", "noiversion", "lazytime", "nolazytime",
		"silent", "loud", "nosymfollow", "symfollow", "bind", "rbind", "private", "shared",
		"slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable", "rro", "rrw",
		"rnosuid", "rsuid", "rnodev", "rdev", "rnoexec", "rexec", "rnodiratime",
		"rdiratime", "rrelatime", "rnorelatime", "rnoatime", "ratime", "rstrictatime",
		"rnostrictatime", "rnosymfollow", "rsymfollow", "idmap", "ridmap", "tmpcopyup" };
	size_t n = 0;

	for (; mount_opt_name(n); n++)
		cr_assert(n == 0 || strcmp(mount_opt_name(n - 1), mount_opt_name(n)) < 0, "%s",
			mount_opt_name(n));
	cr_assert_eq(n, ARRAY_SIZE(must));
	for (size_t i = 0; i < ARRAY_SIZE(must); i++) {
		bool found = false;
		for (size_t k = 0; k < n; k++)
			found |= strcmp(mount_opt_name(k), must[i]) == 0;
		cr_assert(found, "%s", must[i]);
	}
}

Test(mntopt, attributes_are_set_and_cleared_and_the_later_wins)
{
	struct mount_opts o = ok("tmpfs", "ro nosuid nodev noexec nosymfollow nodiratime");

	cr_assert_eq(o.attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					 MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW |
					 MOUNT_ATTR_NODIRATIME);
	cr_assert_eq(o.attr_clr, 0);
	cr_assert_eq(o.readonly, 1);
	o = ok("tmpfs", "ro rw dev nodev suid");
	cr_assert_eq(o.attr_set, MOUNT_ATTR_NODEV);
	cr_assert_eq(o.attr_clr, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	cr_assert_eq(o.readonly, -1);
	o = ok("tmpfs", "defaults silent loud");
	cr_assert(!o.attr_set && !o.attr_clr && !o.n_data && !o.n_sb && !o.readonly);
}

Test(mntopt, recursive_attributes_are_apart_from_plain_ones)
{
	struct mount_opts o =
		ok("bind", "rbind rro rw rnosuid rexec rsymfollow rnodev rdev rdiratime");

	cr_assert_eq(o.rec_attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	cr_assert_eq(o.rec_attr_clr, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW | MOUNT_ATTR_NODEV |
					     MOUNT_ATTR_NODIRATIME);
	cr_assert_eq(o.attr_clr, MOUNT_ATTR_RDONLY);
	cr_assert(o.bind && o.recursive);
	cr_assert_eq(o.readonly, -1);
}

Test(mntopt, atime_is_one_field)
{
	static const struct {
		const char *options;
		uint64_t set, clr;
	} rows[] = {
		{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
		{ "noatime strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
		{ "strictatime relatime", 0, MOUNT_ATTR__ATIME },
		{ "noatime atime", 0, MOUNT_ATTR__ATIME },
		{ "strictatime atime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
		{ "strictatime nostrictatime", 0, MOUNT_ATTR__ATIME },
		{ "noatime norelatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
		{ "atime", 0, MOUNT_ATTR__ATIME },
		{ "nostrictatime", 0, MOUNT_ATTR__ATIME },
		{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mount_opts o = ok("tmpfs", rows[i].options);
		cr_assert_eq(o.attr_set, rows[i].set, "%s", rows[i].options);
		cr_assert_eq(o.attr_clr, rows[i].clr, "%s", rows[i].options);
	}
	struct mount_opts o = ok("bind", "rnoatime ratime rstrictatime");
	cr_assert_eq(o.rec_attr_set, MOUNT_ATTR_STRICTATIME);
	cr_assert_eq(o.rec_attr_clr, MOUNT_ATTR__ATIME);
	cr_assert_eq(o.attr_clr, 0);
}

Test(mntopt, propagation_knows_all_eight)
{
	static const struct {
		const char *name;
		uint64_t flag;
	} rows[] = { { "private", MS_PRIVATE }, { "shared", MS_SHARED }, { "slave", MS_SLAVE },
		{ "unbindable", MS_UNBINDABLE }, { "rprivate", MS_PRIVATE | MS_REC },
		{ "rshared", MS_SHARED | MS_REC }, { "rslave", MS_SLAVE | MS_REC },
		{ "runbindable", MS_UNBINDABLE | MS_REC } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(
			ok("tmpfs", rows[i].name).propagation, rows[i].flag, "%s", rows[i].name);
	cr_assert_eq(ok("tmpfs", "shared rslave").propagation, MS_SLAVE | MS_REC);
}

Test(mntopt, flags_of_the_file_system_become_keys_once)
{
	struct mount_opts o = ok("ext4", "sync async lazytime nolazytime dirsync mand");

	cr_assert_eq(o.n_sb, 4);
	cr_assert_str_eq(o.sb[0], "async");
	cr_assert_str_eq(o.sb[1], "dirsync");
	cr_assert_str_eq(o.sb[2], "mand");
	cr_assert_str_eq(o.sb[3], "nolazytime");
	cr_assert(ok("ext4", "iversion").iversion);
	cr_assert_not(ok("ext4", "iversion noiversion").iversion);
	cr_assert_eq(ok("bind", "bind sync").n_sb, 1);
}

Test(mntopt, the_rest_is_data_of_the_file_system)
{
	struct mount_opts o = ok("tmpfs", "nosuid mode=755 size=64k acl x=");

	cr_assert_eq(o.n_data, 4);
	cr_assert_str_eq(o.data[0].key, "mode");
	cr_assert_str_eq(o.data[0].value, "755");
	cr_assert_str_eq(o.data[2].key, "acl");
	cr_assert_null(o.data[2].value);
	cr_assert_str_empty(o.data[3].value);
}

Test(mntopt, options_joined_by_commas_are_taken_apart)
{
	struct mount_opts o =
		ok("tmpfs", "ro,nosuid,mode=755,,context=\"a:b:s0:c1,c2\",lower=a\\,b");

	cr_assert_eq(o.attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	cr_assert_eq(o.n_data, 3);
	cr_assert_str_eq(o.data[1].key, "context");
	cr_assert_str_eq(o.data[1].value, "a:b:s0:c1,c2");
	cr_assert_str_eq(o.data[2].value, "a\\,b");
}

Test(mntopt, many_data_options_are_kept_in_order)
{
	struct mount_opts o =
		ok("overlay", "a=0 a=1 a=2 a=3 a=4 a=5 a=6 a=7 a=8 a=9 b c d e f g h i j k");

	cr_assert_eq(o.n_data, 20);
	cr_assert_str_eq(o.data[9].value, "9");
	cr_assert_str_eq(o.data[19].key, "k");
}

Test(mntopt, our_own_words_are_known)
{
	cr_assert(ok("tmpfs", "tmpcopyup").tmpcopyup);
	cr_assert(ok("tmpfs", "remount").remount);
	cr_assert(ok("bind", "").bind && !ok("bind", "").recursive);
	cr_assert(ok("none", "rbind").recursive && !ok("none", "rbind bind").recursive);
	cr_assert(ok("none", "bind idmap").idmap && !ok("none", "bind idmap").idmap_recursive);
	cr_assert(ok("none", "bind ridmap").idmap_recursive);
}

Test(mntopt, contradictions_are_refused)
{
	char big[5000] = "x=";

	refuse("none", "bind mode=7", "unknown option \"mode\" on a bind mount");
	refuse("bind", "rbin", "unknown option \"rbin\" on a bind mount");
	refuse("bind", "tmpcopyup", "tmpcopyup works on a tmpfs only");
	refuse("proc", "tmpcopyup", "tmpcopyup works on a tmpfs only");
	refuse("tmpfs", "idmap", "an idmapped mount must be a bind mount");
	refuse("tmpfs", "ro =x", "options[1]: an option begins with \"=\"");
	memset(big + 2, 'v', 4092);
	ok("tmpfs", big);
	memset(big + 2, 'v', 4093);
	refuse("tmpfs", big,
		"options[0]: with option \"x\" they are longer than the 4095 bytes that the kernel takes");
}

Test(mntopt, id_maps_come_in_pairs_and_imply_idmap)
{
	struct oci_id_map map = { 0, 1000, 1 };
	struct oci_mount m = {
		.destination = "/x", .type = "bind", .uid_mappings = &map, .n_uid_mappings = 1
	};
	struct mount_opts o;

	cr_assert_eq(mount_opts_parse(&m, arena, &o, &err), -1);
	cr_assert(strstr(err.text, "both or not at all"));
	m.gid_mappings = &map;
	m.n_gid_mappings = 1;
	cr_assert_eq(mount_opts_parse(&m, arena, &o, &err), 0);
	cr_assert(o.idmap);
	m.type = "tmpfs";
	cr_assert_eq(mount_opts_parse(&m, arena, &o, &err), -1);
}
