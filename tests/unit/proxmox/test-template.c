/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/pull.h"
#include "model/settings-proxmox.h"
#include "script.h"

#define CONTENT(storage) "GET /nodes/pve1/storage/" storage "/content?content=vztmpl"
#define FILE_(storage, name)                                                                \
	"{\"volid\":\"" storage ":vztmpl/" name "\",\"format\":\"tzst\",\"size\":\"1000\"," \
	"\"ctime\":1760000000,\"content\":\"vztmpl\"}"
#define LIST(files) "{\"data\":[" files "]}"
#define D12_2       FILE_("local", "debian-12-standard_12.2-1_amd64.tar.zst")
#define D12_12      FILE_("local", "debian-12-standard_12.12-1_amd64.tar.zst")
#define UPID        "UPID:pve1:0000AB12:0123ABCD:692370AA:download:x:ctrctl@pve!ctrl:"
#define UPID_PATH                                                                              \
	"GET /nodes/pve1/tasks/"                                                               \
	"UPID%3Apve1%3A0000AB12%3A0123ABCD%3A692370AA%3Adownload%3Ax%3Actrctl%40pve%21ctrl%3A" \
	"/status"
#define STARTED "{\"data\":\"" UPID "\"}"
#define ENDED   "{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"OK\"}}"
#define V9_2    "{\"data\":{\"release\":\"9.2\",\"version\":\"9.2.11\"}}"
#define V9_0    "{\"data\":{\"release\":\"9.0\",\"version\":\"9.0.11\"}}"

static const char *storages[] = { "local", "nfs" };
static struct pve_template found;
static struct pve_source src;
static char oci_file[256];

static void set_up(void)
{
	script_setup();
	cfg.template_storages = storages;
	cfg.n_template_storages = 1;
	cfg.pull_s = 60;
	src = (struct pve_source){ .name = "debian-12", .asked = "lxc/debian-12", .aplinfo = true };
}

TestSuite(template, .init = set_up, .fini = script_teardown);

static void finds(bool allow_pull)
{
	cr_assert_eq(pve_template_find(&pve, &src, "pve1", allow_pull, arena, &found, &err), 0,
		"%s", said());
	SCRIPT_ENDS();
}

static void fails(bool allow_pull, enum err_code code)
{
	cr_assert_eq(pve_template_find(&pve, &src, "pve1", allow_pull, arena, &found, &err), -1);
	cr_expect_eq(err.code, code, "%s: %s", err_code_name(err.code), said());
	SCRIPT_ENDS();
}

static void is_nginx(void)
{
	cr_assert_eq(pve_source_of(&cfg, "lxc/oci/nginx:1.27", arena, &src, &err), 0);
	snprintf(oci_file, sizeof(oci_file), "%s", src.file);
}

/* ---- what is there ---- */

Test(template, the_newest_one_is_found_with_one_request)
{
	SCRIPT({ CONTENT("local"), 200, LIST(D12_2 "," D12_12) });
	finds(false);
	cr_expect_str_eq(found.volid, "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst");
	cr_expect_eq(found.size, 1000);
	cr_expect_eq(found.ctime, 1760000000);
	cr_expect_not(found.oci);
	cr_expect_not(found.pulled);
}

Test(template, the_first_storage_that_has_one_decides)
{
	cfg.n_template_storages = 2;
	SCRIPT({ CONTENT("local"), 200, LIST(D12_2) });
	finds(false);
	cr_expect_str_eq(found.volid, "local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst");
	SCRIPT({ CONTENT("local"), 200, LIST() },
		{ CONTENT("nfs"), 200, LIST(FILE_("nfs", "debian-12-x_1_amd64.tar.xz")) });
	finds(false);
	cr_expect_str_eq(found.volid, "nfs:vztmpl/debian-12-x_1_amd64.tar.xz");
}

Test(template, a_storage_that_cant_be_used_is_passed_over)
{
	cfg.n_template_storages = 2;
	SCRIPT({ CONTENT("local"), 500, "{\"data\":null}", "storage 'local' is disabled" },
		{ CONTENT("nfs"), 200, LIST(FILE_("nfs", "debian-12-x_1_amd64.tar.xz")) });
	finds(false);
	cr_expect_str_eq(found.volid, "nfs:vztmpl/debian-12-x_1_amd64.tar.xz");
	SCRIPT({ CONTENT("local"), 500, "{\"data\":null}", "storage 'local' is disabled" },
		{ CONTENT("nfs"), 200, LIST() });
	fails(false, ERR_NOT_FOUND);
	EXPECT_SAID("storage 'local' is disabled");
}

Test(template, what_isnt_allowed_to_be_seen_is_an_error)
{
	SCRIPT({ CONTENT("local"), 403, "{\"data\":null}",
		"Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)" });
	fails(true, ERR_DENIED);
	EXPECT_SAID("template storage local");
}

Test(template, a_volume_that_is_named_is_looked_up_where_it_is_said_to_be)
{
	src = (struct pve_source){ .volid = "nfs:vztmpl/mine_1.tar.zst", .asked = "db-mine" };
	SCRIPT({ CONTENT("nfs"), 200,
		LIST(FILE_("nfs", "other_1.tar.zst") "," FILE_("nfs", "mine_1.tar.zst")) });
	finds(true);
	cr_expect_str_eq(found.volid, "nfs:vztmpl/mine_1.tar.zst");
	cr_expect_eq(found.size, 1000);
	SCRIPT({ CONTENT("nfs"), 200, LIST(FILE_("nfs", "other_1.tar.zst")) });
	fails(true, ERR_NOT_FOUND);
	EXPECT_SAID("node pve1 has no template nfs:vztmpl/mine_1.tar.zst");
	EXPECT_HINT("proxmox.images");
	SCRIPT({ CONTENT("nfs"), 500, "{\"data\":null}", "storage 'nfs' does not exist" });
	fails(true, ERR_STATE);
}

Test(template, strange_names_from_the_server_are_passed_over)
{
	static const struct line odd[] = { { CONTENT("local"), 200,
		LIST(FILE_("other", "debian-12-x_9_amd64.tar.zst") "," FILE_("local",
			"../debian-12") "," FILE_("local", "debian-12 x.tar.zst") "," FILE_("local",
			"debian-12\\n.tar.zst") "," FILE_("local",
			"") ",17,null,[],{\"volid\":null},{\"volid\":{}},"
			    "{\"volid\":\"localx:vztmpl/debian-12.tar.zst\"}," D12_2) } };

	script_begin(odd, 1);
	finds(false);
	cr_expect_str_eq(found.volid, "local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst");
}

Test(template, an_answer_that_is_no_list_is_an_empty_one)
{
	SCRIPT({ CONTENT("local"), 200, "{\"data\":null}" });
	fails(false, ERR_NOT_FOUND);
	EXPECT_SAID("nothing like debian-12 is in the template storages (local) of node pve1");
}

Test(template, what_there_is_is_in_the_error)
{
	src.name = "fedora";
	SCRIPT({ CONTENT("local"), 200, LIST(D12_2) });
	fails(true, ERR_NOT_FOUND);
	EXPECT_SAID("debian-12-standard_12.2-1_amd64.tar.zst");
	EXPECT_SAID("proxmox.pull doesn't have \"aplinfo\"");
	EXPECT_HINT("aplinfo");
}

/* ---- archives ---- */

Test(template, a_tar_is_an_archive_of_an_image_from_9_1_on)
{
	src.name = "nginx";
	SCRIPT({ CONTENT("local"), 200, LIST(FILE_("local", "nginx-1.tar")) },
		{ "GET /version", 200, V9_2 });
	finds(false);
	cr_expect(found.oci);
	pve.major = pve.minor = 0;
	SCRIPT({ CONTENT("local"), 200, LIST(FILE_("local", "nginx-1.tar")) },
		{ "GET /version", 200, V9_0 });
	finds(false);
	cr_expect_not(found.oci);
}

/* ---- what is fetched ---- */

Test(template, a_template_is_fetched_from_the_index)
{
	cfg.pull_aplinfo = true;
	SCRIPT({ CONTENT("local"), 200, LIST() },
		{ "GET /nodes/pve1/aplinfo", 200,
			LIST("{\"template\":\"debian-12-standard_12.2-1_amd64.tar.zst\"},"
			     "{\"template\":\"debian-12-standard_12.12-1_amd64.tar.zst\"},"
			     "{\"template\":\"../x\"},{\"template\":null}") },
		{ "POST /nodes/pve1/aplinfo "
		  "storage=local&template=debian-12-standard_12.12-1_amd64.tar.zst",
			200, STARTED },
		{ UPID_PATH, 200, ENDED }, { CONTENT("local"), 200, LIST(D12_12) });
	finds(true);
	cr_expect(found.pulled);
	cr_expect_str_eq(found.volid, "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst");
}

Test(template, the_index_may_not_have_it_or_too_many)
{
	cfg.pull_aplinfo = true;
	SCRIPT({ CONTENT("local"), 200, LIST() },
		{ "GET /nodes/pve1/aplinfo", 200,
			LIST("{\"template\":\"fedora-42_1_amd64.tar.xz\"}") });
	fails(true, ERR_NOT_FOUND);
	EXPECT_HINT("pveam update");
	SCRIPT({ CONTENT("local"), 200, LIST() },
		{ "GET /nodes/pve1/aplinfo", 200,
			LIST("{\"template\":\"debian-12-a_1_amd64.tar.xz\"},"
			     "{\"template\":\"debian-12-b_1_amd64.tar.xz\"}") });
	fails(true, ERR_INVALID);
	EXPECT_SAID("debian-12-a_amd64, debian-12-b_amd64");
}

static struct line pulling[] = {
	{ CONTENT("local"), 200, LIST() },
	{ "GET /version", 200, V9_2 },
	{ NULL, 200, STARTED },
	{ UPID_PATH, 200, ENDED },
	{ CONTENT("local"), 200, NULL },
};

Test(template, an_image_is_pulled_from_a_registry)
{
	cfg.pull_oci = true;
	is_nginx();
	pulling[2].ask = arena_printf(arena,
		"POST /nodes/pve1/storage/local/oci-registry-pull "
		"reference=docker.io%%2Flibrary%%2Fnginx%%3A1.27&filename=%.*s",
		(int)strlen(oci_file) - 4, oci_file);
	pulling[4].body = arena_printf(
		arena, LIST("{\"volid\":\"local:vztmpl/%s\",\"size\":5,\"ctime\":6}"), oci_file);
	script_begin(pulling, ARRAY_SIZE(pulling));
	finds(true);
	cr_expect(found.oci && found.pulled);
	cr_expect(str_ends(found.volid, oci_file));
}

Test(template, what_was_pulled_once_is_there)
{
	cfg.pull_oci = true;
	is_nginx();
	pulling[4].body = arena_printf(
		arena, LIST("{\"volid\":\"local:vztmpl/%s\",\"size\":5,\"ctime\":6}"), oci_file);
	const struct line there[] = { { CONTENT("local"), 200, pulling[4].body },
		{ "GET /version", 200, V9_2 } };
	script_begin(there, ARRAY_SIZE(there));
	finds(true);
	cr_expect_not(found.pulled);
}

Test(template, somebody_who_pulls_the_same_is_no_failure)
{
	cfg.pull_oci = true;
	is_nginx();
	const struct line lines[] = { { CONTENT("local"), 200, LIST() },
		{ "GET /version", 200, V9_2 },
		{ NULL, 500, "{\"data\":null}", "refusing to override existing file 'x.tar'" },
		{ CONTENT("local"), 200,
			arena_printf(arena, LIST("{\"volid\":\"local:vztmpl/%s\"}"), oci_file) } };
	script_begin(lines, ARRAY_SIZE(lines));
	finds(true);
}

Test(template, a_lost_answer_is_asked_for_again_once)
{
	cfg.pull_oci = true;
	is_nginx();
	const struct line lines[] = { { CONTENT("local"), 200, LIST() },
		{ "GET /version", 200, V9_2 }, { NULL, 0, NULL, "connection reset", HTTPS_LOST },
		{ NULL, 500, "{\"data\":null}", "refusing to override existing file 'x.tar'" },
		{ CONTENT("local"), 200,
			arena_printf(arena, LIST("{\"volid\":\"local:vztmpl/%s\"}"), oci_file) } };
	script_begin(lines, ARRAY_SIZE(lines));
	finds(true);
	const struct line lost[] = { { CONTENT("local"), 200, LIST() },
		{ NULL, 0, NULL, "connection reset", HTTPS_LOST },
		{ NULL, 0, NULL, "connection reset", HTTPS_LOST } };
	script_begin(lost, ARRAY_SIZE(lost));
	fails(true, ERR_UNAVAILABLE);
	EXPECT_SAID("fetch docker.io/library/nginx:1.27");
}

Test(template, a_registry_needs_9_1_whatever_the_policy_says)
{
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_0 });
	fails(true, ERR_UNSUPPORTED);
	EXPECT_SAID("need Proxmox VE 9.1, the server is 9.0");
}

Test(template, skopeo_is_named_where_it_is_missing)
{
	cfg.pull_oci = true;
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_2 },
		{ NULL, 500, "{\"data\":null}",
			"Install 'skopeo' to pull OCI images from registries." });
	fails(true, ERR_SYSTEM);
	EXPECT_HINT("on node pve1: apt install skopeo");
}

Test(template, a_fetch_that_isnt_allowed_says_what_it_needs)
{
	cfg.pull_oci = true;
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_2 },
		{ NULL, 403, "{\"data\":null}",
			"Permission check failed (/storage/local, Datastore.AllocateTemplate)" });
	fails(true, ERR_DENIED);
	EXPECT_HINT("Datastore.AllocateTemplate on /storage/local");
	EXPECT_HINT("Sys.AccessNetwork on /nodes/pve1");
}

Test(template, a_failed_task_is_a_failed_fetch)
{
	cfg.pull_oci = true;
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_2 },
		{ NULL, 200, STARTED },
		{ UPID_PATH, 200,
			"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"skopeo failed\"}}" },
		{ NULL, 200, LIST("{\"n\":1,\"t\":\"manifest unknown\"}"), .repeats = -1 });
	cr_assert_eq(pve_template_find(&pve, &src, "pve1", true, arena, &found, &err), -1);
	EXPECT_SAID("skopeo failed");
	EXPECT_SAID("manifest unknown");
}

Test(template, what_was_fetched_and_isnt_there_is_an_error)
{
	cfg.pull_oci = true;
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_2 },
		{ NULL, 200, STARTED }, { UPID_PATH, 200, ENDED },
		{ CONTENT("local"), 200, LIST() });
	fails(true, ERR_UNAVAILABLE);
	EXPECT_SAID("isn't in storage local");
}

Test(template, an_address_is_fetched_with_its_sum)
{
	const struct line lines[] = { { CONTENT("local"), 200, LIST() },
		{ "POST /nodes/pve1/storage/local/download-url content=vztmpl&url=https%3A%2F%2Fx.net%2F"
		  "y.tar.gz&filename=url-1.tar.gz&checksum=abcd&checksum-algorithm=sha512",
			200, STARTED },
		{ UPID_PATH, 200, ENDED },
		{ CONTENT("local"), 200, LIST(FILE_("local", "url-1.tar.gz")) } };

	src = (struct pve_source){ .url = "https://x.net/y.tar.gz",
		.sha512 = "abcd",
		.file = "url-1.tar.gz",
		.asked = "db-old" };
	cfg.pull_url = true;
	script_begin(lines, ARRAY_SIZE(lines));
	finds(true);
	cr_expect_not(found.oci);
	cfg.pull_url = false;
	script_begin(lines, 1);
	fails(true, ERR_NOT_FOUND);
	EXPECT_SAID("\"url\"");
}

/* ---- what would be ---- */

Test(template, what_would_be_fetched_is_told_without_fetching_it)
{
	struct pve_pull pull;

	cfg.pull_oci = true;
	is_nginx();
	SCRIPT({ CONTENT("local"), 200, LIST() }, { "GET /version", 200, V9_2 });
	cr_assert_eq(pve_template_would(&pve, &src, "pve1", arena, &found, &pull, &err), 0);
	SCRIPT_ENDS();
	cr_expect_eq(pull.kind, PULL_OCI);
	cr_expect_str_eq(pull.what, "docker.io/library/nginx:1.27");
	cr_expect(str_starts(found.volid, "local:vztmpl/oci-nginx-"));
	cr_expect(found.oci);
	cfg.pull_oci = false;
	SCRIPT({ CONTENT("local"), 200, LIST(D12_2) });
	cr_assert_eq(pve_template_would(&pve, &src, "pve1", arena, &found, &pull, &err), -1);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
	EXPECT_SAID("it isn't in the template storages");
	EXPECT_SAID("proxmox.pull doesn't have \"oci\"");
	EXPECT_HINT("proxmox.pull");
}

Test(template, what_is_there_would_be_used)
{
	struct pve_pull pull;

	SCRIPT({ CONTENT("local"), 200, LIST(D12_12) });
	cr_assert_eq(pve_template_would(&pve, &src, "pve1", arena, &found, &pull, &err), 1);
	SCRIPT_ENDS();
}

/* ---- ids ---- */

Test(template, its_id_changes_with_name_size_and_time)
{
	struct pve_template t = { .volid = "local:vztmpl/a.tar.zst", .size = 1, .ctime = 2 };
	const char *id = pve_template_image_id(&t, arena);

	cr_expect(str_starts(id, "sha256:") && strlen(id) == 7 + 64, "%s", id);
	cr_expect_str_eq(pve_template_image_id(&t, arena), id);
	t.size = 2;
	cr_expect_str_neq(pve_template_image_id(&t, arena), id);
	t.size = 1, t.ctime = 3;
	cr_expect_str_neq(pve_template_image_id(&t, arena), id);
	t.ctime = 2, t.volid = "local:vztmpl/b.tar.zst";
	cr_expect_str_neq(pve_template_image_id(&t, arena), id);
}
