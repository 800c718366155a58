/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wishes as parameters. For whole requests there are golden files, tests/data/proxmox/NAME.txt:
 * UPDATE=1 in the environment writes them anew.
 */
#include "backend/proxmox/params.h"

#include "backend/proxmox/encode.h"
#include "cri.h"

#define DEBIAN   "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst"
#define POSTGRES "local:vztmpl/postgres-16.tar"

static struct arena *arena;
static struct err err;
static struct settings_proxmox cfg;

static void set_up(void)
{
	arena = arena_new();
	settings_proxmox_init(&cfg);
	cfg.local_node = "pve1";
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(params, .init = set_up, .fini = tear_down);

static struct guest_wish plain(void)
{
	return (struct guest_wish){
		.who = { .id = ID }, .image = "lxc/debian-12", .hostname = "h"
	};
}

static struct pve_target on(const char *volid)
{
	return (struct pve_target){ .node = "pve1",
		.vmid = 200007,
		.template = { .volid = volid, .oci = str_ends(volid, ".tar") },
		.major = 9,
		.minor = 2,
		.ticket = true };
}

static struct pve_form build_on(struct guest_wish *w, const struct pve_target *t)
{
	struct pve_form form;

	cr_assert_eq(
		params_build(w, t, &cfg, arena, &form, &err), 0, "%s: %s", err.object, err.text);
	return form;
}

static struct pve_form build(struct guest_wish *w)
{
	const struct pve_target t = on(DEBIAN);

	return build_on(w, &t);
}

static const char *value(const struct pve_form *form, const char *name)
{
	const struct pve_param *p = pve_form_get(form, name);

	return p ? p->value : "-";
}

static void refused_on(struct guest_wish *w, const struct pve_target *t, const char *want)
{
	struct pve_form form;
	char line[1024];

	err = (struct err)ERR_INIT;
	cr_assert_eq(params_build(w, t, &cfg, arena, &form, &err), -1, "accepted: %s", want);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, want);
}

/* ---- whole requests ---- */

/* NUL as \0, other control bytes escaped. */
static void add_shown(struct str *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!text[i])
			str_add(out, "\\0");
		else if (text[i] == '\n')
			str_add(out, "\\n");
		else
			str_addn(out, &text[i], 1);
	}
}

static void add_form(struct str *out, const char *title, const struct pve_form *form)
{
	str_printf(out, "%s\n", title);
	for (size_t i = 0; i < form->n; i++) {
		str_printf(out, "  %s%s=", form->items[i].secret ? "(secret) " : "",
			form->items[i].name);
		add_shown(out, form->items[i].value, form->items[i].n);
		str_add(out, "\n");
	}
}

static const struct json *json_of(const char *text)
{
	const struct json *tree;

	cr_assert_eq(
		json_parse(text, strlen(text), 1 << 20, arena, &tree, &err), 0, "%s", err.text);
	return tree;
}

static const char image_config[] =
	"{\"entrypoint\":\"docker-entrypoint.sh 'it'\\\\''s'\",\"env\":\"PATH=/bin\\u0001A=image\","
	"\"digest\":\"d1\",\"lxc\":[[\"lxc.init.cwd\",\"/srv\"]]}";

static void add_target(
	struct str *out, const char *title, struct guest_wish *w, const struct pve_target *t)
{
	struct pve_form form;

	err = (struct err)ERR_INIT;
	if (params_build(w, t, &cfg, arena, &form, &err) < 0) {
		str_printf(out, "%s\n  refused: %s: %s\n", title, err.object, err.text);
		return;
	}
	add_form(out, title, &form);
	if (!t->template.oci)
		return;
	cr_assert_eq(params_second(w, &cfg, json_of(image_config), arena, &form, &err), 0, "%s",
		err.text);
	add_form(out, "second step:", &form);
}

/* With all waivers, root's login and this host's node: what is left over is refused by name. */
static void golden(const char *name, const char *file)
{
	_free_ char *path = strf("%s/proxmox/%s.txt", TEST_DATA, name), *want = NULL;
	_reading_ r = { .cfg.privileged_allowed = true };
	_str_ struct str s = { 0 };
	size_t n = 0;

	as_root_on(&r, "pve1");
	waive_all(&r);
	if (read_request_file(&r, file) < 0) {
		for (size_t i = 0; i < r.faults.n; i++)
			str_printf(&s, "%s: %s\n", r.faults.items[i].field, r.faults.items[i].text);
	} else {
		const struct pve_target template = on(DEBIAN), oci = on(POSTGRES);
		for (int i = 0; i < SETTINGS_WAIVER_N; i++)
			if (r.wish.waived[i])
				str_printf(&s, "waived: %s\n", settings_waiver_name(i));
		add_target(&s, "from a template:", &r.wish, &template);
		add_target(&s, "from an OCI archive:", &r.wish, &oci);
	}
	cr_assert_not(s.failed);
	if (getenv("UPDATE")) {
		FILE *f = fopen(path, "we");
		cr_assert(f);
		fputs(s.p, f);
		fclose(f);
	}
	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &want, &n, &err), 0, "%s", path);
	cr_assert_str_eq(s.p, want, "%s", name);
}

Test(params, whole_requests_become_what_the_golden_files_say)
{
	golden("01-minimal", "cri/01-minimal");
	golden("02-web-server-logged", "cri/02-web-server-logged");
	golden("03-restricted-nonroot", "cri/03-restricted-nonroot");
	golden("04-secrets-and-volumes", "cri/04-secrets-and-volumes");
	golden("05-privileged-node-debug", "cri/05-privileged-node-debug");
	golden("06-hugepages-devices-cpuset", "cri/06-hugepages-devices-cpuset");
	golden("07-userns-localhost-profiles", "cri/07-userns-localhost-profiles");
	golden("08-backend-lxc", "cri/08-backend-lxc");
	golden("kubelet-pod", "proxmox/kubelet-pod");
}

/* ---- resources ---- */

Test(params, nothing_is_left_to_the_servers_defaults)
{
	struct guest_wish w = plain();
	struct pve_form f = build(&w);

	cr_expect_str_eq(value(&f, "vmid"), "200007");
	cr_expect_str_eq(value(&f, "ostemplate"), DEBIAN);
	cr_expect_str_eq(value(&f, "hostname"), "h");
	cr_expect_str_eq(value(&f, "unprivileged"), "1");
	cr_expect_str_eq(value(&f, "memory"), "512");
	cr_expect_str_eq(value(&f, "swap"), "0");
	cr_expect_str_eq(value(&f, "rootfs"), "local-lvm:8");
	cr_expect_str_eq(value(&f, "net0"), "name=eth0,bridge=vmbr0,ip=dhcp");
	cr_expect_str_eq(value(&f, "onboot"), "0");
	cr_expect_str_eq(value(&f, "tags"), "ctrctl;ctrctl-c0ffee00c0ffee00");
	cr_expect(strstr(value(&f, "description"), "\"vmid\":200007"));
	for (const char **name = (const char *[]){ "start", "lock", "storage", "cores", "cpulimit",
		     "cpuunits", "features", "entrypoint", "env", "cmode", "pool", "node", NULL };
		*name; name++)
		cr_expect_str_eq(value(&f, *name), "-", "%s", *name);
}

Test(params, memory_is_rounded_up_and_swap_is_always_said)
{
	static const struct {
		int64_t memory, swap;
		const char *want, *want_swap;
	} rows[] = { { 0, 0, "512", "64" }, { 1, 0, "16", "0" }, { 16777217, 0, "17", "0" },
		{ 536870912, 0, "512", "0" }, { 536870912, 536870912, "512", "0" },
		{ 536870912, 1073741824, "512", "512" }, { 536870912, -1, "512", "64" },
		{ 536870913, 536870914, "513", "0" },
		{ INT64_MAX, INT64_MAX, "8796093022208", "0" } };

	cfg.swap_mib = 64;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_wish w = plain();
		w.memory_bytes = rows[i].memory;
		w.memory_swap_bytes = rows[i].swap;
		struct pve_form f = build(&w);
		cr_expect_str_eq(value(&f, "memory"), rows[i].want);
		cr_expect_str_eq(value(&f, "swap"), rows[i].want_swap, "%zu", i);
	}
}

Test(params, cpu_limits_are_plain_decimals)
{
	static const struct {
		int64_t quota, period;
		const char *want;
	} rows[] = { { 0, 100000, "-" }, { 50000, 100000, "0.5" }, { 150000, 0, "1.5" },
		{ 200000, 100000, "2" }, { 1000, 100000, "0.01" }, { 1000, 1000000, "0.01" },
		{ 100000, 300000, "0.3333" }, { 12345, 10000, "1.2345" },
		{ 1000000000, 100000, "8192" }, { INT64_MAX, 1, "8192" }, { 1000000, 100000, "10" },
		{ 10000000, 100000, "100" }, { 12600, 100000, "0.126" }, { 290, 1000, "0.29" },
		{ 115, 100, "1.15" }, { 4100, 100000, "0.041" }, { 1, INT64_MAX, "0.01" },
		{ INT64_MAX - 1, INT64_MAX, "0.9999" }, { INT64_MAX, INT64_MAX / 3, "3" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guest_wish w = plain();
		w.cpu_quota = rows[i].quota;
		w.cpu_period = rows[i].period;
		struct pve_form f = build(&w);
		cr_expect_str_eq(value(&f, "cpulimit"), rows[i].want, "%zu", i);
	}
}

Test(params, shares_become_weights_by_the_usual_curve)
{
	cr_expect_eq(params_cpu_weight(2), 1);
	cr_expect_eq(params_cpu_weight(1024), 100);
	cr_expect_eq(params_cpu_weight(262144), 10000);
	cr_expect_eq(params_cpu_weight(0), 0);
	cr_expect_eq(params_cpu_weight(-5), 0);
	struct guest_wish w = plain();
	w.cpu_shares = 512;
	struct pve_form f = build(&w);
	cr_expect_str_eq(value(&f, "cpuunits"), "59");
}

/* ---- settings, images, options ---- */

Test(params, images_and_options_stand_over_the_settings)
{
	const struct settings_guest_image image = { .storage = "fast",
		.memory_mib = 2048,
		.rootfs_gib = 32,
		.cores = 4,
		.bridge = "vmbr7" };
	struct ctr_pair options[] = { { "storage", "slow" }, { "rootfs", "5" }, { "cores", "6" },
		{ "net0", "bridge=vmbr9,ip=10.0.0.7/24,tag=5" }, { "onboot", "0" },
		{ "protection", "yes" }, { "startup", "order=1" }, { "timezone", "host" },
		{ "ostype", "debian" }, { "pool", "a/b" }, { "features", "nesting=1,keyctl=1" } };
	struct pve_target t = on(DEBIAN);
	struct guest_wish w = plain();

	cfg.cores = 2;
	cfg.pool = "p";
	cfg.onboot = true;
	cfg.nesting = true;
	cfg.net = (struct settings_net){ "vmbr1", "10.0.0.5/24", "10.0.0.1", "auto", NULL, 7, 1400,
		10, true };
	struct pve_form f = build_on(&w, &t);
	cr_expect_str_eq(value(&f, "net0"),
		"name=eth0,bridge=vmbr1,ip=10.0.0.5/24,gw=10.0.0.1,ip6=auto,tag=7,mtu=1400,rate=10,"
		"firewall=1");
	cr_expect_str_eq(value(&f, "cores"), "2");
	cr_expect_str_eq(value(&f, "pool"), "p");
	cr_expect_str_eq(value(&f, "onboot"), "1");
	cr_expect_str_eq(value(&f, "features"), "nesting=1");
	t.image = &image;
	f = build_on(&w, &t);
	cr_expect_str_eq(value(&f, "rootfs"), "fast:32");
	cr_expect_str_eq(value(&f, "memory"), "2048");
	cr_expect_str_eq(value(&f, "cores"), "4");
	cr_expect(strstr(value(&f, "net0"), "bridge=vmbr7,"));
	w.options = (struct ctr_map_str){ options, ARRAY_SIZE(options) };
	f = build_on(&w, &t);
	cr_expect_str_eq(value(&f, "rootfs"), "slow:5");
	cr_expect_str_eq(value(&f, "cores"), "6");
	cr_expect_str_eq(value(&f, "net0"),
		"name=eth0,bridge=vmbr9,ip=10.0.0.7/24,gw=10.0.0.1,ip6=auto,tag=5,mtu=1400,rate=10,"
		"firewall=1");
	cr_expect_str_eq(value(&f, "onboot"), "0");
	cr_expect_str_eq(value(&f, "protection"), "1");
	cr_expect_str_eq(value(&f, "startup"), "order=1");
	cr_expect_str_eq(value(&f, "timezone"), "host");
	cr_expect_str_eq(value(&f, "ostype"), "debian");
	cr_expect_str_eq(value(&f, "pool"), "a/b");
	cr_expect_str_eq(value(&f, "features"), "nesting=1,keyctl=1");
	t.ticket = false;
	refused_on(&w, &t,
		"features: only root@pam with its password may give them to a guest, an API token "
		"may not");
}

Test(params, a_gateway_goes_with_an_address)
{
	struct ctr_pair options[] = { { "net0", "ip=dhcp" } };
	struct guest_wish w = plain();
	struct pve_target t = on(DEBIAN);

	cfg.net = (struct settings_net){ .bridge = "b",
		.ip = "10.0.0.5/24",
		.gw = "10.0.0.1",
		.ip6 = "fd00::5/64",
		.gw6 = "fd00::1" };
	w.options = (struct ctr_map_str){ options, 1 };
	struct pve_form f = build(&w);
	cr_expect_str_eq(
		value(&f, "net0"), "name=eth0,bridge=b,ip=dhcp,ip6=fd00::5/64,gw6=fd00::1");
	options[0].value = "ip6=auto,gw6=fd00::2";
	refused_on(&w, &t, "net0: gw6: it needs an address of the guest's own beside it");
	options[0].value = "gw6=fd00::2";
	f = build(&w);
	cr_expect(strstr(value(&f, "net0"), "gw6=fd00::2"));
	/* The configuration's, for an address of an option. */
	options[0].value = "ip=10.0.0.7/24,ip6=fd00:1::7/64";
	f = build(&w);
	cr_expect_str_eq(value(&f, "net0"),
		"name=eth0,bridge=b,ip=10.0.0.7/24,gw=10.0.0.1,ip6=fd00:1::7/64");
	options[0].value = "ip=10.0.1.7/25,ip6=fd00::7/64";
	f = build(&w);
	cr_expect_str_eq(
		value(&f, "net0"), "name=eth0,bridge=b,ip=10.0.1.7/25,ip6=fd00::7/64,gw6=fd00::1");
}

Test(params, tags_can_be_left_out)
{
	struct pve_target t = on(DEBIAN);
	struct guest_wish w = plain();

	t.no_tags = true;
	struct pve_form f = build_on(&w, &t);
	cr_expect_str_eq(value(&f, "tags"), "-");
}

Test(params, privileged_and_read_only_guests)
{
	struct guest_wish w = plain();
	struct pve_target t = on(DEBIAN);

	w.privileged = true;
	w.readonly_rootfs = true;
	struct pve_form f = build(&w);
	cr_expect_str_eq(value(&f, "unprivileged"), "0");
	cr_expect_str_eq(value(&f, "rootfs"), "local-lvm:8,ro=1");
	cfg.nesting = true;
	t.ticket = false;
	refused_on(&w, &t,
		"features: only root@pam with its password may give them to a guest that is "
		"privileged, an API token may not");
}

/* ---- host paths ---- */

Test(params, mounts_come_parents_first)
{
	struct wish_mount mounts[] = { { "/s/1", "/a/b/c", false, NULL, "m0" },
		{ "/s/2", "/a", true, "nodev;noexec", "m1" }, { "/s/3", "/b", false, NULL, "m2" },
		{ "/s/4", "/a/b", false, NULL, "m3" } };
	struct wish_device devices[] = { { "/dev/kvm", false, "d0" }, { "/dev/a", true, "d1" } };
	struct guest_wish w = plain();

	w.mounts = mounts;
	w.n_mounts = 4;
	w.devices = devices;
	w.n_devices = 2;
	struct pve_form f = build(&w);
	cr_expect_str_eq(value(&f, "mp0"), "/s/2,mp=/a,ro=1,mountoptions=nodev;noexec");
	cr_expect_str_eq(value(&f, "mp1"), "/s/3,mp=/b");
	cr_expect_str_eq(value(&f, "mp2"), "/s/4,mp=/a/b");
	cr_expect_str_eq(value(&f, "mp3"), "/s/1,mp=/a/b/c");
	cr_expect_str_eq(value(&f, "dev0"), "/dev/kvm");
	cr_expect_str_eq(value(&f, "dev1"), "/dev/a,deny-write=1");
	mounts[2].target = "/a";
	const struct pve_target t = on(DEBIAN);
	refused_on(&w, &t, "m2: something is mounted on /a already");
}

Test(params, host_paths_need_root_and_the_local_node)
{
	struct wish_mount mount = { "/s", "/d", false, NULL, "config.mounts[0]" };
	struct wish_device device = { "/dev/kvm", false, "config.devices[0]" };
	struct guest_wish w = plain(), d = plain();
	struct pve_target t = on(DEBIAN);

	w.mounts = &mount;
	w.n_mounts = 1;
	d.devices = &device;
	d.n_devices = 1;
	t.ticket = false;
	refused_on(&w, &t,
		"config.mounts[0]: only root@pam with its password may give host paths and devices "
		"to a guest, an API token may not");
	cr_assert(strstr(err.hint, "proxmox.passwordFile"));
	refused_on(&d, &t,
		"config.devices[0]: only root@pam with its password may give host paths and devices "
		"to a guest, an API token may not");
	t.ticket = true;
	t.node = "pve2";
	refused_on(&w, &t,
		"config.mounts[0]: host paths and devices are only there where the guest runs on "
		"this host's node, not on pve2");
	cfg.local_node = NULL;
	t.node = "pve1";
	refused_on(&w, &t,
		"config.mounts[0]: host paths and devices are only there where the guest runs on "
		"this host's node, not on pve1");
	cfg.local_node = "pve1";
	mount.source = "/a,size=9";
	refused_on(&w, &t,
		"config.mounts[0]: value: Proxmox VE can't hold a value with ',': \"/a,size=9\"");
}

/* ---- the program ---- */

Test(params, a_program_of_ones_own_in_a_template)
{
	const char *argv[] = { "/bin/x", "a b" };
	struct ctr_pair env[] = { { "A", "1" } };
	struct guest_wish w = plain();

	w.argv = argv;
	w.n_argv = 2;
	w.env = (struct ctr_map_str){ env, 1 };
	struct pve_form f = build(&w);
	cr_expect_str_eq(value(&f, "entrypoint"), "/bin/x \"a b\"");
	cr_expect_str_eq(value(&f, "env"), "A=1");
	cr_expect_str_eq(value(&f, "cmode"), "console");
	cr_expect(strstr(value(&f, "net0"), "host-managed=1"));
	cr_expect(pve_form_get(&f, "env")->secret);
	w.cwd = "/srv";
	f = build(&w);
	cr_expect(pve_entrypoint_is_shell(value(&f, "entrypoint")));
	cr_expect_eq(w.env.n, 1);
	cr_expect_eq(pve_form_get(&f, "env")->n,
		strlen("A=1") + 1 +
			strlen("CTRCTL_CMD=unset CTRCTL_CMD; cd '/srv' && exec "
			       "'/bin/x' 'a b'"));
	w.args_only = true;
	w.cwd = NULL;
	f = build(&w);
	cr_expect_str_eq(value(&f, "entrypoint"), "/sbin/init /bin/x \"a b\"");
	cr_expect_str_eq(value(&f, "cmode"), "-");
	cr_expect_null(strstr(value(&f, "net0"), "host-managed"));
}

Test(params, a_templates_own_init_begins_in_its_root)
{
	struct guest_wish w = plain();
	const struct pve_target t = on(DEBIAN);

	w.cwd = "/srv";
	refused_on(&w, &t,
		"/srv: a guest's own init begins in /; \"working-dir\" in proxmox.waive would let "
		"the working directory go");
	cfg.waive[WAIVE_WORKING_DIR] = true;
	w.cwd = "/";
	struct pve_form f = build(&w);
	cr_expect_str_eq(value(&f, "entrypoint"), "-");
	cr_expect_not(w.waived[WAIVE_WORKING_DIR]);
	w.cwd = "/srv";
	f = build(&w);
	cr_expect_str_eq(value(&f, "entrypoint"), "-");
	cr_expect(w.waived[WAIVE_WORKING_DIR]);
}

Test(params, a_folder_that_can_be_given_is_given_whatever_is_waived)
{
	const char *argv[] = { "/bin/x" };
	struct guest_wish w = plain();

	cfg.waive[WAIVE_WORKING_DIR] = true;
	w.argv = argv;
	w.n_argv = 1;
	w.cwd = "/srv";
	struct pve_form f = build(&w);
	cr_expect(pve_entrypoint_is_shell(value(&f, "entrypoint")));
	cr_expect_not(w.waived[WAIVE_WORKING_DIR]);
	w.cwd = "/";
	f = build(&w);
	cr_expect_str_eq(value(&f, "entrypoint"), "/bin/x");
}

Test(params, what_is_new_in_9_1_is_not_asked_of_older_servers)
{
	const char *argv[] = { "/bin/x" };
	struct ctr_pair env[] = { { "A", "1" } };
	struct guest_wish w = plain();
	struct pve_target t = on(POSTGRES);

	t.major = 9;
	t.minor = 0;
	refused_on(
		&w, &t, "a guest from an OCI archive: it needs Proxmox VE 9.1, the server has 9.0");
	t.template = (struct pve_template){ .volid = DEBIAN };
	struct pve_form f = build_on(&w, &t);
	cr_expect_null(strstr(value(&f, "net0"), "host-managed"));
	w.env = (struct ctr_map_str){ env, 1 };
	refused_on(&w, &t, "an environment: it needs Proxmox VE 9.1, the server has 9.0");
	w.argv = argv;
	w.n_argv = 1;
	t.major = 8;
	t.minor = 4;
	refused_on(&w, &t, "a command of one's own: it needs Proxmox VE 9.1, the server has 8.4");
	t.major = 9;
	t.minor = 1;
	build_on(&w, &t);
	t.major = t.minor = 0; /* unknown: explain */
	build_on(&w, &t);
}

Test(params, a_single_program_cannot_configure_ipv6_by_itself)
{
	struct guest_wish w = plain();
	const struct pve_target oci = on(POSTGRES), template = on(DEBIAN);

	cfg.net.ip6 = "auto";
	build_on(&w, &template);
	refused_on(&w, &oci,
		"net0: ip6: \"auto\" needs a system in the guest that configures its network; a "
		"single program has none");
}

/* ---- OCI archives ---- */

Test(params, an_oci_archive_gets_neither_command_nor_environment_at_first)
{
	const char *argv[] = { "/bin/x" };
	struct ctr_pair env[] = { { "A", "1" } };
	const struct pve_target t = on(POSTGRES);
	struct guest_wish w = plain();

	w.argv = argv;
	w.n_argv = 1;
	w.env = (struct ctr_map_str){ env, 1 };
	struct pve_form f = build_on(&w, &t);
	cr_expect_str_eq(value(&f, "entrypoint"), "-");
	cr_expect_str_eq(value(&f, "env"), "-");
	cr_expect(strstr(value(&f, "net0"), "host-managed=1"));
	argv[0] = "/sbin/init";
	f = build_on(&w, &t);
	cr_expect(strstr(value(&f, "net0"), "host-managed=0"));
	/* The server says so itself, unless the image's command is an init. */
	w.n_argv = 0;
	f = build_on(&w, &t);
	cr_expect_null(strstr(value(&f, "net0"), "host-managed"));
	w.args_only = true;
	w.n_argv = 1;
	refused_on(&w, &t,
		"config.args: the server doesn't tell the image's entrypoint from its command: what "
		"of it the arguments would replace can't be known");
}

static struct pve_form second(struct guest_wish *w, const char *config)
{
	struct pve_form f;

	cr_assert_eq(params_second(w, &cfg, config ? json_of(config) : NULL, arena, &f, &err), 0,
		"%s", err.text);
	return f;
}

/* The server's settings after the form was sent. */
static const char *after(const struct pve_form *f, const char *entrypoint, const char *env)
{
	_str_ struct str s = { 0 };
	struct json_writer w = { .out = &s };
	const struct pve_param *e = pve_form_get(f, "env");
	char *text = arena_strdup(arena, env);

	if (e) {
		text = arena_strndup(arena, e->value, e->n);
		for (size_t i = 0; i < e->n; i++)
			if (!text[i])
				text[i] = 1;
	}
	json_w_object(&w);
	json_w_key(&w, "entrypoint");
	json_w_str(&w, pve_form_get(f, "entrypoint") ? value(f, "entrypoint") : entrypoint);
	json_w_key(&w, "env");
	json_w_str(&w, text);
	json_w_key(&w, "digest");
	json_w_str(&w, "d2");
	json_w_object_end(&w);
	return arena_strdup(arena, s.p);
}

static void again_changes_nothing(
	struct guest_wish *w, const struct pve_form *f, const char *entrypoint, const char *env)
{
	struct pve_form g = second(w, after(f, entrypoint, env));

	cr_expect_eq(g.n, 0, "%s", g.n ? g.items[0].value : "");
}

Test(params, the_second_step_puts_the_wish_over_the_image)
{
	const char *argv[] = { "/bin/y" };
	struct ctr_pair env[] = { { "A", "mine" }, { "B", "2" } };
	struct guest_wish w = plain();
	struct pve_form f;

	/* What the image says is right as it is. */
	f = second(&w, "{\"entrypoint\":\"/bin/x a=b\",\"env\":\"A=1\",\"digest\":\"d\"}");
	cr_expect_eq(f.n, 0);
	f = second(&w, "{\"digest\":\"d\"}");
	cr_expect_eq(f.n, 0);
	/* The server's quoting would be misread. */
	f = second(&w, "{\"entrypoint\":\"x 'it'\\\\''s'\",\"digest\":\"d\"}");
	cr_expect_str_eq(value(&f, "entrypoint"), "x it's");
	cr_expect_str_eq(value(&f, "digest"), "d");
	cr_expect_str_eq(value(&f, "env"), "-");
	again_changes_nothing(&w, &f, "", "");
	f = second(&w, "{\"entrypoint\":\"'/bin/a b' 'c d'\",\"env\":\"Z=1\"}");
	cr_expect(pve_entrypoint_is_shell(value(&f, "entrypoint")));
	cr_expect_eq(strncmp(value(&f, "env"), "Z=1", 4), 0);
	again_changes_nothing(&w, &f, "", "");
	/* An empty last word would be lost. */
	f = second(&w, "{\"entrypoint\":\"/bin/x ''\"}");
	cr_expect(pve_entrypoint_is_shell(value(&f, "entrypoint")));
	again_changes_nothing(&w, &f, "", "");
	/* Variables go over the image's. */
	w.env = (struct ctr_map_str){ env, 2 };
	f = second(&w, "{\"entrypoint\":\"/bin/x\",\"env\":\"PATH=/bin\\u0001A=image\"}");
	cr_expect_str_eq(value(&f, "entrypoint"), "-");
	cr_expect_eq(pve_form_get(&f, "env")->n, strlen("PATH=/bin.A=mine.B=2"));
	cr_expect(pve_form_get(&f, "env")->secret);
	cr_expect_str_eq(value(&f, "env") + 10, "A=mine");
	again_changes_nothing(&w, &f, "/bin/x", "");
	/* A command of one's own replaces the image's. */
	w.argv = argv;
	w.n_argv = 1;
	f = second(&w, "{\"entrypoint\":\"/bin/x\",\"env\":\"A=image\"}");
	cr_expect_str_eq(value(&f, "entrypoint"), "/bin/y");
	again_changes_nothing(&w, &f, "", "");
	f = second(&w, NULL); /* explain */
	cr_expect_str_eq(value(&f, "entrypoint"), "/bin/y");
	cr_expect_str_eq(value(&f, "digest"), "-");
}

Test(params, a_working_directory_counts_where_the_image_has_another)
{
	static const char config[] =
		"{\"entrypoint\":\"/bin/x 'a b'\",\"env\":\"A=1\",\"lxc\":[["
		"\"lxc.signal.halt\",\"SIGTERM\"],[\"lxc.init.cwd\",\"/srv\"]]}";
	struct guest_wish w = plain();
	struct pve_form f;

	w.cwd = "/srv";
	f = second(&w, config);
	cr_expect_eq(f.n, 0);
	w.cwd = "/other";
	f = second(&w, config);
	cr_expect(pve_entrypoint_is_shell(value(&f, "entrypoint")));
	cr_expect_str_eq(value(&f, "env") + 4,
		"CTRCTL_CMD=unset CTRCTL_CMD; cd '/other' && exec '/bin/x' 'a b'");
	again_changes_nothing(&w, &f, "", "");
	w.cwd = "/";
	f = second(&w, config);
	cr_expect_str_eq(
		value(&f, "env") + 4, "CTRCTL_CMD=unset CTRCTL_CMD; cd '/' && exec '/bin/x' 'a b'");
	f = second(&w, "{\"entrypoint\":\"/bin/x\"}");
	cr_expect_eq(f.n, 0);
	f = second(&w, "{\"env\":\"A=1\"}");
	cr_expect_eq(f.n, 0);
	w.cwd = "/other";
	cr_assert_eq(params_second(&w, &cfg, json_of("{\"env\":\"A=1\"}"), arena, &f, &err), -1);
	cr_expect_eq(err.code, ERR_UNSUPPORTED);
	cfg.waive[WAIVE_WORKING_DIR] = true;
	f = second(&w, "{\"env\":\"A=1\"}");
	cr_expect_eq(f.n, 0);
	cr_expect(w.waived[WAIVE_WORKING_DIR]);
}

static void second_fails(struct guest_wish *w, const char *config, const char *want)
{
	struct pve_form f;
	char line[1024];

	err = (struct err)ERR_INIT;
	cr_assert_eq(params_second(w, &cfg, json_of(config), arena, &f, &err), -1, "%s", config);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, want);
}

Test(params, root_is_had_where_the_image_has_no_other_user)
{
	static const char postgres[] = "{\"entrypoint\":\"/bin/x\",\"lxc\":[[\"lxc.init.uid\","
				       "\"999\"],[\"lxc.init.gid\",\"998\"]]}",
			  group[] = "{\"lxc\":[[\"lxc.init.uid\",\"0\"],[\"lxc.init.gid\",\"5\"]]}",
			  root[] = "{\"lxc\":[[\"lxc.init.uid\",\"0\"],[\"lxc.init.gid\",\"0\"]]}";
	struct guest_wish w = plain();

	second(&w, postgres); /* nobody asked */
	w.root_user = "run_as_user";
	second_fails(&w, postgres,
		"run_as_user: root is asked for, but the image's program runs as user 999");
	cr_expect_str_eq(err.hint, "\"user\" in proxmox.waive would let it go");
	second(&w, group);
	w.root_group = "run_as_group";
	second_fails(&w, group,
		"run_as_group: root is asked for, but the image's program runs as group 5");
	second(&w, root);
	second(&w, "{}");
	second(&w, NULL);
	cr_expect_not(w.waived[WAIVE_USER]);
	cfg.waive[WAIVE_USER] = true;
	second(&w, root);
	cr_expect_not(w.waived[WAIVE_USER]);
	second(&w, group);
	cr_expect(w.waived[WAIVE_USER]);
}

Test(params, what_an_image_names_oddly_stays_where_nothing_is_added)
{
	static const char dotted[] =
		"{\"entrypoint\":\"/bin/x\",\"env\":\"PATH=/bin\\u0001A.B=1\"}",
			  lines[] = "{\"entrypoint\":\"/bin/x\",\"env\":\"A=x\\ny\"}",
			  quoted[] = "{\"entrypoint\":\"'/bin/a b'\",\"env\":\"A.B=1\"}";
	static const char *const odd[] = { dotted, lines };
	const char *argv[] = { "/bin/y" };
	struct ctr_pair env[] = { { "C", "2" }, { "A", "1" } };
	struct guest_wish w = plain();
	struct pve_form f;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		f = second(&w, odd[i]);
		cr_expect_eq(f.n, 0);
	}
	w.argv = argv;
	w.n_argv = 1;
	f = second(&w, dotted);
	cr_expect_str_eq(value(&f, "entrypoint"), "/bin/y");
	cr_expect_str_eq(value(&f, "env"), "-");
	w.env = (struct ctr_map_str){ env, 1 };
	second_fails(&w, dotted,
		"A.B: this variable of the image's own can't be sent back to the server beside "
		"others: the server takes letters, digits and \"_\" in a variable's name");
	w.env.n = 2; /* replaced by the request's */
	f = second(&w, lines);
	cr_expect_str_eq(value(&f, "env"), "A=1");
	w = plain();
	second_fails(&w, quoted,
		"A.B: this variable of the image's own can't be sent back to the server beside "
		"others: the server takes letters, digits and \"_\" in a variable's name");
}
