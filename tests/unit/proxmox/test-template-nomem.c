/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of a look for a template, of a fetch, and of a whole check fails once: nothing
 * crashes, and what comes out is the whole answer or an error. */
#include "backend/proxmox/proxmox.h"
#include "backend/proxmox/pull.h"
#include "fake.h"
#include "nomem.h"

#define UPID "UPID:pve1:0000AB12:0123ABCD:692370AA:download:x:ctrctl@pve!ctrl:"
#define DEBIAN                                                                             \
	"{\"volid\":\"local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst\",\"size\":1}," \
	"{\"volid\":\"local:vztmpl/nginx-1.tar\",\"size\":1}"
#define ALL                                                                          \
	"\"VM.Allocate\":1,\"VM.Audit\":1,\"VM.Config.CPU\":1,\"VM.Config.Disk\":1," \
	"\"VM.Config.Memory\":1,\"VM.Config.Network\":1,\"VM.Config.Options\":1,"    \
	"\"Datastore.Audit\":1,\"Sys.Audit\":1"

static struct rule rules[] = {
	{ "GET /version", 0, 0, 200, "{\"data\":{\"release\":\"9.2\",\"version\":\"9.2.1\"}}" },
	{ "GET /nodes/pve1/aplinfo", 0, 0, 200,
		"{\"data\":[{\"template\":\"fedora-42_1_amd64.tar.xz\"}]}" },
	{ "POST /nodes/pve1/aplinfo", 0, 0, 200, "{\"data\":\"" UPID "\"}" },
	{ "GET /nodes/pve1/tasks/", 0, 0, 200,
		"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"OK\"}}" },
	{ "/content", 0, 0, 200, "{\"data\":[" DEBIAN "]}" },
	{ "GET /nodes/pve1/storage", 0, 0, 200,
		"{\"data\":[{\"storage\":\"data\",\"content\":\"rootdir\",\"active\":1,\"avail\":1},"
		"{\"storage\":\"local\",\"content\":\"iso,vztmpl\",\"active\":1}]}" },
	{ "GET /nodes/pve1/network", 0, 0, 200, "{\"data\":[{\"iface\":\"vmbr0\",\"active\":0}]}" },
	{ "GET /nodes/pve1/time", 0, 0, 200, "{\"data\":{\"time\":1}}" },
	{ "GET /nodes", 0, 0, 200,
		"{\"data\":[{\"node\":\"pve1\",\"status\":\"online\"},{\"node\":\"pve2\"}]}" },
	{ "GET /cluster/status", 0, 0, 200, "{\"data\":[{\"type\":\"cluster\",\"quorate\":0}]}" },
	{ "GET /cluster/options", 0, 0, 200,
		"{\"data\":{\"user-tag-access\":\"user-allow=list,user-allow-list=a;b\"}}" },
	{ "GET /cluster/resources", 0, 0, 200,
		"{\"data\":[{\"type\":\"lxc\",\"vmid\":200001,\"node\":\"pve1\"},"
		"{\"type\":\"node\",\"node\":\"pve1\",\"status\":\"online\"}]}" },
	{ "GET /access/permissions?path=%2Fvms", 0, 0, 200, "{\"data\":{\"/vms\":{" ALL "}}}" },
	{ "GET /access/permissions", 0, 0, 200, "{\"data\":{\"/\":{" ALL "}}}" },
	{ "GET /pools/p", 0, 0, 403, "Permission check failed" },
	{ NULL },
};

static const char *storages[] = { "local" }, *nodes[] = { "pve1", "pve9" };
static const char *keys[] = { "db-a", "db-b", "db-c", "db-d" };
static struct settings_guest_image images[] = { { .template = "debian-12" },
	{ .oci = "docker.io/library/postgres:16", .storage = "local", .bridge = "vmbr1" },
	{ .template = "local:vztmpl/nothing.tar" },
	{ .url = "https://example.net/x.tgz", .sha512 = "ab" } };

static struct fake f;

static void set_up(void)
{
	fake_init(&f);
	f.rules = rules;
	f.cfg.endpoint = "https://pve1.example:8006";
	f.cfg.template_storages = storages;
	f.cfg.n_template_storages = 1;
	f.cfg.nodes = nodes;
	f.cfg.n_nodes = 2;
	f.cfg.storage = "data";
	f.cfg.net.bridge = "vmbr0";
	f.cfg.net.vlan = 5;
	f.cfg.rootfs_gib = 8;
	f.cfg.pull_s = 60;
	f.cfg.pull_aplinfo = f.cfg.pull_oci = f.cfg.privileged_allowed = true;
	f.cfg.images = (struct ctr_map_obj){ keys, images, ARRAY_SIZE(images) };
}

static void tear_down(void)
{
	fake_done(&f);
}

TestSuite(template_nomem, .init = set_up, .fini = tear_down);

/* Runs it with the n-th allocation failing, for each n that there is. */
static void each_fails(int (*run)(struct arena *, struct err *), int wanted)
{
	size_t calls, n = 0;

	do {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		int r;
		f.n_asked = 0;
		f.pve.major = f.pve.minor = 0;
		nomem_begin(++n);
		r = run(a, &err);
		calls = nomem_end();
		arena_free(a);
		if (calls < n)
			cr_assert_eq(r, wanted, "%s %s", err.object, err.text);
		else if (r < 0)
			cr_expect_neq(err.code, ERR_NONE, "allocation %zu", n);
		cr_assert_lt(n, 5000u);
	} while (calls >= n);
	cr_expect_gt(n, 10u);
}

/* What is found in spite of the failure is what is found without it. */
static int look(const char *image, const char *wanted, struct arena *a, struct err *err)
{
	struct pve_source src;
	struct pve_template t;

	if (pve_source_of(&f.cfg, image, a, &src, err) < 0 ||
		pve_template_find(&f.pve, &src, "pve1", true, a, &t, err) < 0)
		return -1;
	cr_assert_str_eq(t.volid, wanted);
	return pve_template_image_id(&t, a) ? 0 : err_nomem(err);
}

static int look_by_name(struct arena *a, struct err *err)
{
	return look("docker.io/lxc/debian:12",
		"local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst", a, err);
}

static int look_for_archive(struct arena *a, struct err *err)
{
	return look("lxc/nginx", "local:vztmpl/nginx-1.tar", a, err);
}

static int look_for_nothing(struct arena *a, struct err *err)
{
	return look("db-c", "", a, err) < 0 ? -1 : 0;
}

/* It is fetched, and isn't there all the same. */
static int fetch(struct arena *a, struct err *err)
{
	return look("lxc/fedora-42", "", a, err);
}

static int would(struct arena *a, struct err *err)
{
	struct pve_template t;
	struct pve_pull pull;
	struct pve_source src;

	if (pve_source_of(&f.cfg, "db-b", a, &src, err) < 0)
		return -1;
	return pve_template_would(&f.pve, &src, "pve1", a, &t, &pull, err);
}

Test(template_nomem, a_look_for_a_template)
{
	each_fails(look_by_name, 0);
	each_fails(look_for_archive, 0);
	each_fails(look_for_nothing, -1);
}

Test(template_nomem, a_fetch)
{
	each_fails(fetch, -1);
	each_fails(would, 0);
}

static void tell(
	void *arg, enum ctr_finding finding, const char *what, const char *text, const char *hint)
{
	cr_assert(what && text);
}

static int diagnose(struct arena *a, struct err *err)
{
	const struct ctr_report report = { tell, NULL };
	struct ctr_context c = { .cfg = &f.cfg, .pve = f.pve, .arena = a };

	c.pve.arena = a;
	return proxmox_diagnose(&c, &report, err);
}

Test(template_nomem, a_check)
{
	each_fails(diagnose, 0);
	f.cfg.pool = "p";
	f.cfg.local_node = "pve9";
	each_fails(diagnose, 0);
}
