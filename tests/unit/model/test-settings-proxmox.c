/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "model/settings-proxmox.h"
#include "model/settings.h"

#include <criterion/criterion.h>
#include <string.h>

#define PIN                                                                                    \
	"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:" \
	"CC:DD:EE:FF"
#define SHA                                                                \
	"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" \
	"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
#define SERVER "\"endpoint\":\"https://pve.example\",\"tokenFile\":\"/etc/ctrctl/token\""

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

TestSuite(settings_proxmox, .init = set_up, .fini = tear_down);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static int parse(const char *section, struct settings *s)
{
	_str_ struct str text = { 0 };

	str_printf(&text, "{\"proxmox\":{%s}}", section);
	*s = (struct settings){ 0 };
	err = (struct err)ERR_INIT;
	return settings_parse(text.p, text.n, arena, s, &err);
}

static const struct settings_proxmox *ok(const char *section)
{
	struct settings s;

	cr_assert_eq(parse(section, &s), 0, "%s: %s", section, said());
	cr_assert(s.proxmox);
	return s.proxmox;
}

/* What is wrong, and where. */
static void refuse(const char *section, const char *want)
{
	struct settings s;

	cr_assert_eq(parse(section, &s), -1, "accepted: %s", section);
	cr_expect_eq(err.code, ERR_INVALID);
	cr_expect_str_eq(said(), want);
	cr_expect_null(strcasestr(said(), "no such file or directory"));
	cr_expect_null(strcasestr(said(), "permission denied"));
}

/* Behind a section that is sound. */
static void refuse_more(const char *more, const char *want)
{
	_str_ struct str text = { 0 };

	str_printf(&text, "%s,%s", SERVER, more);
	refuse(text.p, want);
}

static const struct settings_proxmox *ok_more(const char *more)
{
	_str_ struct str text = { 0 };

	str_printf(&text, "%s,%s", SERVER, more);
	return ok(text.p);
}

Test(settings_proxmox, without_the_section_there_is_none)
{
	struct settings s = { 0 };

	cr_assert_eq(settings_parse("{}", 2, arena, &s, &err), 0);
	cr_expect_null(s.proxmox);
	cr_assert_eq(settings_parse("{\"proxmox\":null}", 16, arena, &s, &err), 0);
	cr_expect_null(s.proxmox);
	cr_assert_eq(settings_load("/nonexistent/x", arena, &s, &err), -1);
}

Test(settings_proxmox, a_server_and_a_login_are_enough)
{
	const struct settings_proxmox *s = ok(SERVER);

	cr_expect_str_eq(s->endpoint, "https://pve.example:8006");
	cr_expect_null(s->fingerprint);
	cr_expect_null(s->ca_file);
	cr_expect_str_eq(s->token_file, "/etc/ctrctl/token");
	cr_expect_null(s->user);
	cr_expect_not(s->credential_fd);
	cr_expect_eq(s->n_nodes, 0);
	cr_expect_eq(s->vmid_first, 200000);
	cr_expect_eq(s->vmid_last, 299999);
	cr_expect_str_eq(s->storage, "local-lvm");
	cr_assert_eq(s->n_template_storages, 1);
	cr_expect_str_eq(s->template_storages[0], "local");
	cr_expect_null(s->pool);
	cr_expect_null(s->local_node);
	cr_expect_str_eq(s->net.bridge, "vmbr0");
	cr_expect_str_eq(s->net.ip, "dhcp");
	cr_expect_null(s->net.ip6);
	cr_expect_eq(s->memory_mib, 512);
	cr_expect_eq(s->swap_mib, 0);
	cr_expect_eq(s->rootfs_gib, 8);
	cr_expect_eq(s->cores, 0);
	cr_expect_not(s->nesting || s->onboot || s->privileged_allowed);
	cr_expect_not(s->pull_aplinfo || s->pull_oci || s->pull_url);
	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		cr_expect_not(s->waive[i], "%s is on", settings_waiver_name(i));
	cr_expect_eq(s->connect_s, 5);
	cr_expect_eq(s->call_s, 60);
	cr_expect_eq(s->create_s, 600);
	cr_expect_eq(s->pull_s, 1800);
	cr_expect_eq(s->start_s, 90);
	cr_expect_eq(s->stop_s, 60);
	cr_expect_eq(s->destroy_s, 300);
	cr_expect_eq(s->grace_s, 60);
	cr_expect_eq(s->reboot_s, 30);
	cr_expect_not(settings_proxmox_is_root(s));
}

Test(settings_proxmox, reads_every_key)
{
	const struct settings_proxmox *s = ok(
		"\"endpoint\":\"https://[fd00::1]:443\",\"fingerprint\":\"" PIN "\","
		"\"user\":\"root@pam\",\"passwordFile\":\"/etc/ctrctl/password\","
		"\"nodes\":[\"pve1\",\"pve-2\"],\"vmids\":[100,999999999],\"storage\":\"ceph\","
		"\"templateStorages\":[\"nfs\",\"local\"],\"pool\":\"a/b\",\"localNode\":\"pve1\","
		"\"network\":{\"bridge\":\"vmbr1\",\"ip\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\","
		"\"ip6\":\"fd00::5/64\",\"gateway6\":\"fd00::1\",\"vlan\":4094,\"mtu\":1500,"
		"\"rate\":10,\"firewall\":true},\"memoryMiB\":1024,\"swapMiB\":16,\"rootfsGiB\":4,"
		"\"cores\":2,\"nesting\":true,\"onboot\":true,\"pull\":[\"oci\",\"url\"],"
		"\"images\":{\"db-a\":{\"template\":\"local:vztmpl/a_1.tar.zst\",\"storage\":\"fast\","
		"\"memoryMiB\":2048,\"rootfsGiB\":16,\"cores\":4,\"bridge\":\"vmbr2\","
		"\"entrypoint\":[\"/entry\",\"\"]},"
		"\"db-b:1\":{\"oci\":\"docker.io/library/postgres:16\"},"
		"\"vm-c\":{\"url\":\"https://x.example/c.tar.xz\",\"sha512\":\"" SHA "\"},"
		"\"vm-d\":{\"template\":\"debian-12\"}},"
		"\"waive\":[\"logs\",\"hooks\"],\"allowPrivileged\":true,"
		"\"allowAnnotations\":[\"storage\",\"net0\"],"
		"\"timeouts\":{\"connectSeconds\":1,\"callSeconds\":2,\"createSeconds\":3,"
		"\"pullSeconds\":4,\"startSeconds\":5,\"stopSeconds\":6,\"destroySeconds\":7,"
		"\"graceSeconds\":0,\"rebootSeconds\":8}");
	const struct settings_guest_image *images = s->images.items;

	cr_expect_str_eq(s->endpoint, "https://[fd00::1]:443");
	cr_expect_str_eq(s->fingerprint, PIN);
	cr_expect_str_eq(s->user, "root@pam");
	cr_expect_str_eq(s->password_file, "/etc/ctrctl/password");
	cr_expect(settings_proxmox_is_root(s));
	cr_assert_eq(s->n_nodes, 2);
	cr_expect_str_eq(s->nodes[1], "pve-2");
	cr_expect_eq(s->vmid_first, 100);
	cr_expect_eq(s->vmid_last, 999999999);
	cr_expect_str_eq(s->storage, "ceph");
	cr_assert_eq(s->n_template_storages, 2);
	cr_expect_str_eq(s->template_storages[0], "nfs");
	cr_expect_str_eq(s->pool, "a/b");
	cr_expect_str_eq(s->local_node, "pve1");
	cr_expect_str_eq(s->net.bridge, "vmbr1");
	cr_expect_str_eq(s->net.ip, "10.0.0.5/24");
	cr_expect_str_eq(s->net.gw, "10.0.0.1");
	cr_expect_str_eq(s->net.ip6, "fd00::5/64");
	cr_expect_str_eq(s->net.gw6, "fd00::1");
	cr_expect(s->net.vlan == 4094 && s->net.mtu == 1500 && s->net.rate == 10);
	cr_expect(s->net.firewall);
	cr_expect(s->memory_mib == 1024 && s->swap_mib == 16 && s->rootfs_gib == 4);
	cr_expect(s->cores == 2 && s->nesting && s->onboot);
	cr_expect(!s->pull_aplinfo && s->pull_oci && s->pull_url);
	cr_assert_eq(s->images.n, 4);
	cr_expect_str_eq(s->images.keys[0], "db-a");
	cr_expect_str_eq(images[0].template, "local:vztmpl/a_1.tar.zst");
	cr_expect_str_eq(images[0].storage, "fast");
	cr_expect_str_eq(images[0].bridge, "vmbr2");
	cr_expect(images[0].memory_mib == 2048 && images[0].rootfs_gib == 16);
	cr_expect_eq(images[0].cores, 4);
	cr_assert_eq(images[0].n_entrypoint, 2);
	cr_expect_str_eq(images[0].entrypoint[0], "/entry");
	cr_expect_str_eq(images[1].oci, "docker.io/library/postgres:16");
	cr_expect_str_eq(images[2].url, "https://x.example/c.tar.xz");
	cr_expect_str_eq(images[2].sha512, SHA);
	cr_expect_str_eq(images[3].template, "debian-12");
	for (int i = 0; i < SETTINGS_WAIVER_N; i++)
		cr_expect_eq(s->waive[i], i == WAIVE_LOGS || i == WAIVE_HOOKS);
	cr_expect(s->privileged_allowed);
	cr_assert_eq(s->n_annotations, 2);
	cr_expect(s->connect_s == 1 && s->call_s == 2 && s->create_s == 3 && s->pull_s == 4);
	cr_expect(s->start_s == 5 && s->stop_s == 6 && s->destroy_s == 7 && s->grace_s == 0);
	cr_expect_eq(s->reboot_s, 8);
}

Test(settings_proxmox, every_waiver_has_a_name_of_its_own)
{
	for (int i = 0; i < SETTINGS_WAIVER_N; i++) {
		_str_ struct str more = { 0 };
		const struct settings_proxmox *s;
		cr_assert(settings_waiver_name(i));
		str_printf(&more, "\"waive\":[\"%s\"]", settings_waiver_name(i));
		s = ok_more(more.p);
		for (int k = 0; k < SETTINGS_WAIVER_N; k++)
			cr_expect_eq(s->waive[k], i == k);
	}
	cr_expect_null(settings_waiver_name(SETTINGS_WAIVER_N));
}

Test(settings_proxmox, unknown_keys_are_refused_where_they_are)
{
	refuse("\"tokenfile\":\"/x\"", "proxmox: tokenfile: unknown property");
	refuse_more("\"network\":{\"gw\":\"1\"}", "proxmox.network: gw: unknown property");
	refuse_more("\"images\":{\"db-a\":{\"size\":1}}",
		"proxmox.images[\"db-a\"]: size: unknown property");
	refuse_more("\"waive\":[\"everything\"]", "proxmox.waive[0]: unknown value \"everything\"");
	refuse_more("\"pull\":[\"always\"]", "proxmox.pull[0]: unknown value \"always\"");
}

Test(settings_proxmox, the_endpoint_is_a_host_over_https)
{
	static const char *const good[][2] = {
		{ "https://10.0.0.1", "https://10.0.0.1:8006" },
		{ "https://pve-1.example.net:443", "https://pve-1.example.net:443" },
		{ "https://[::1]", "https://[::1]:8006" },
	};
	static const char *const wrong[] = { "", "pve1", "http://pve1", "https://", "https://:8006",
		"https://pve1/", "https://pve1:8006/api2", "https://pve1:0", "https://pve1:65536",
		"https://pve1:", "https://u@pve1", "https://[::1", "https://[pve]", "https://a b",
		"https://a\\r\\nb", "https://-a", "HTTPS://pve1", "https://pve1?x",
		"https://pve1#x" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_str_ struct str text = { 0 };
		str_printf(&text, "\"endpoint\":\"%s\",\"tokenFile\":\"/t\"", good[i][0]);
		cr_expect_str_eq(ok(text.p)->endpoint, good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_str_ struct str text = { 0 };
		struct settings s;
		str_printf(&text, "\"endpoint\":\"%s\",\"tokenFile\":\"/t\"", wrong[i]);
		cr_assert_eq(parse(text.p, &s), -1, "accepted: %s", wrong[i]);
		cr_expect_str_eq(err.where, "proxmox.endpoint");
	}
	refuse("\"tokenFile\":\"/t\"", "proxmox.endpoint: the required property is missing");
}

Test(settings_proxmox, fingerprints_are_whole_and_their_case_does_not_matter)
{
	cr_expect_str_eq(
		ok_more("\"fingerprint\":\"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:"
			"22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:ff\"")
			->fingerprint,
		PIN);
	refuse_more("\"fingerprint\":\"00:11\"",
		"proxmox.fingerprint: 00:11: it isn't a SHA-256 fingerprint: 32 hexadecimal bytes "
		"with colons between them");
	refuse_more("\"fingerprint\":\"\"",
		"proxmox.fingerprint: it isn't a SHA-256 fingerprint: 32 hexadecimal bytes with "
		"colons between them");
	refuse_more("\"fingerprint\":\"" PIN ":00\"",
		"proxmox.fingerprint: " PIN ":00: it isn't a SHA-256 fingerprint: 32 hexadecimal "
		"bytes with colons between them");
	refuse_more("\"fingerprint\":\"" PIN "\",\"caFile\":\"/ca\"",
		"proxmox.caFile: a fingerprint decides alone whom to trust: give one of the two");
}

Test(settings_proxmox, there_is_exactly_one_way_to_log_in)
{
#define HOST "\"endpoint\":\"https://pve\""
	const struct settings_proxmox *s = ok(HOST ",\"credential\":\"fd\"");

	cr_expect(s->credential_fd && !s->user);
	s = ok(HOST ",\"credential\":\"fd\",\"user\":\"root@pam\"");
	cr_expect(s->credential_fd && settings_proxmox_is_root(s));
	s = ok(HOST ",\"credential\":\"file\",\"user\":\"a@pve\",\"passwordFile\":\"/p\"");
	cr_expect(!s->credential_fd && !settings_proxmox_is_root(s));
	refuse(HOST, "proxmox: nothing says how to log in");
	refuse(HOST ",\"credential\":\"fd\",\"tokenFile\":\"/t\"",
		"proxmox.credential: with \"fd\" there is neither tokenFile nor passwordFile");
	refuse(HOST ",\"tokenFile\":\"/t\",\"user\":\"root@pam\"",
		"proxmox.tokenFile: the token says who logs in: user and passwordFile don't go with it");
	refuse(HOST ",\"tokenFile\":\"/t\",\"user\":\"root@pam\",\"passwordFile\":\"/p\"",
		"proxmox.tokenFile: the token says who logs in: user and passwordFile don't go with it");
	refuse(HOST ",\"passwordFile\":\"/p\"",
		"proxmox.passwordFile: the user that it belongs to is missing");
	refuse(HOST ",\"user\":\"root@pam\"",
		"proxmox.user: root@pam: the passwordFile that belongs to it is missing");
	refuse(HOST ",\"user\":\"root\",\"passwordFile\":\"/p\"",
		"proxmox.user: root: it isn't of the form NAME@REALM, \"root@pam\"");
	refuse(HOST ",\"user\":\"root@pam!tok\",\"passwordFile\":\"/p\"",
		"proxmox.user: root@pam!tok: it isn't of the form NAME@REALM, \"root@pam\"");
	refuse(HOST ",\"tokenFile\":\"token\"",
		"proxmox.tokenFile: token: it must be the absolute path of a file, without \"..\"");
	refuse(HOST ",\"tokenFile\":\"/etc/../token\"",
		"proxmox.tokenFile: /etc/../token: it must be the absolute path of a file, without "
		"\"..\"");
}

Test(settings_proxmox, vmids_are_a_range_of_the_servers)
{
	cr_expect_eq(ok_more("\"vmids\":[100,100]")->vmid_last, 100);
	refuse_more("\"vmids\":[]", "proxmox.vmids: it isn't a range: [first, last]");
	refuse_more("\"vmids\":[200]", "proxmox.vmids: it isn't a range: [first, last]");
	refuse_more(
		"\"vmids\":[99,200]", "proxmox.vmids[0]: 99 is out of range (100 to 999999999)");
	refuse_more("\"vmids\":[100,1000000000]",
		"proxmox.vmids[1]: 1000000000 is out of range (100 to 999999999)");
	refuse_more("\"vmids\":[300,200]", "proxmox.vmids: the first one is above the last one");
}

Test(settings_proxmox, names_are_those_that_the_server_takes)
{
	refuse_more(
		"\"nodes\":[\"a\",\"b_c\"]", "proxmox.nodes[1]: b_c: it isn't the name of a node");
	refuse_more("\"nodes\":[\"a-\"]", "proxmox.nodes[0]: a-: it isn't the name of a node");
	refuse_more("\"nodes\":[\"a\",\"a\"]", "proxmox.nodes[1]: a: it is given twice");
	refuse_more("\"storage\":\"x\"", "proxmox.storage: x: it isn't the name of a storage");
	refuse_more("\"storage\":\"a:b\"", "proxmox.storage: a:b: it isn't the name of a storage");
	refuse_more("\"storage\":\"a-\"", "proxmox.storage: a-: it isn't the name of a storage");
	refuse_more("\"templateStorages\":[]", "proxmox.templateStorages: it needs one at least");
	refuse_more("\"templateStorages\":[\"1a\"]",
		"proxmox.templateStorages[0]: 1a: it isn't the name of a storage");
	refuse_more("\"pool\":\"a//b\"", "proxmox.pool: a//b: it isn't the name of a pool");
	refuse_more("\"pool\":\"a/b/c/d\"", "proxmox.pool: a/b/c/d: it isn't the name of a pool");
	refuse_more("\"localNode\":\"a.b\"", "proxmox.localNode: a.b: it isn't the name of a node");
	refuse_more("\"nodes\":[\"a\"],\"localNode\":\"b\"",
		"proxmox.localNode: b: it isn't one of \"nodes\"");
	refuse_more("\"allowAnnotations\":[\"hookscript\"]",
		"proxmox.allowAnnotations[0]: hookscript: it isn't an option of a guest");
	for (size_t i = 0; settings_proxmox_options[i]; i++) {
		_str_ struct str more = { 0 };
		str_printf(&more, "\"allowAnnotations\":[\"%s\"]", settings_proxmox_options[i]);
		cr_expect_eq(ok_more(more.p)->n_annotations, 1);
	}
}

Test(settings_proxmox, the_network_is_checked_key_by_key)
{
	cr_expect_str_eq(
		ok_more("\"network\":{\"ip\":\"manual\",\"ip6\":\"auto\"}")->net.ip6, "auto");
	refuse_more("\"network\":{\"bridge\":\"a,b\"}",
		"proxmox.network.bridge: a,b: it isn't the name of a bridge");
	refuse_more("\"network\":{\"bridge\":\"abcdefghijklmnop\"}",
		"proxmox.network.bridge: abcdefghijklmnop: it isn't the name of a bridge");
	refuse_more("\"network\":{\"ip\":\"10.0.0.5\"}",
		"proxmox.network.ip: 10.0.0.5: it is neither \"dhcp\", \"manual\", nor an IPv4 "
		"address with its prefix, \"10.0.0.5/24\"");
	refuse_more("\"network\":{\"ip\":\"auto\"}",
		"proxmox.network.ip: auto: it is neither \"dhcp\", \"manual\", nor an IPv4 address "
		"with its prefix, \"10.0.0.5/24\"");
	refuse_more("\"network\":{\"ip\":\"10.0.0.5/33\"}",
		"proxmox.network.ip: 10.0.0.5/33: it is neither \"dhcp\", \"manual\", nor an IPv4 "
		"address with its prefix, \"10.0.0.5/24\"");
	refuse_more("\"network\":{\"ip6\":\"10.0.0.5/24\"}",
		"proxmox.network.ip6: 10.0.0.5/24: it is neither \"auto\", \"dhcp\", \"manual\", nor "
		"an IPv6 address with its prefix, \"fd00::5/64\"");
	refuse_more("\"network\":{\"ip\":\"10.0.0.5/24\",\"gateway\":\"10.0.0\"}",
		"proxmox.network.gateway: 10.0.0: it isn't an IPv4 address");
	refuse_more("\"network\":{\"gateway\":\"10.0.0.1\"}",
		"proxmox.network.gateway: 10.0.0.1: it needs an address of the guest's own beside it");
	refuse_more("\"network\":{\"gateway6\":\"fd00::1\"}",
		"proxmox.network.gateway6: fd00::1: it needs an address of the guest's own beside it");
	refuse_more("\"network\":{\"vlan\":4095}",
		"proxmox.network.vlan: 4095 is out of range (0 to 4094)");
	refuse_more("\"network\":{\"mtu\":63}", "proxmox.network.mtu: the smallest one is 64");
}

Test(settings_proxmox, numbers_have_their_ranges)
{
	refuse_more("\"memoryMiB\":15", "proxmox.memoryMiB: a guest needs 16 at least");
	refuse_more("\"rootfsGiB\":0", "proxmox.rootfsGiB: a guest needs 1 at least");
	refuse_more("\"cores\":8193", "proxmox.cores: 8193 is out of range (0 to 8192)");
	refuse_more("\"timeouts\":{\"stopSeconds\":0}",
		"proxmox.timeouts.stopSeconds: it must be 1 at least");
	refuse_more("\"timeouts\":{\"graceSeconds\":86401}",
		"proxmox.timeouts.graceSeconds: 86401 is out of range (0 to 86400)");
}

Test(settings_proxmox, an_image_stands_for_exactly_one_thing)
{
#define IMAGE(text) "\"images\":{\"db-a\":{" text "}}"
#define AT          "proxmox.images[\"db-a\"]"
	refuse_more(IMAGE(""), AT ": exactly one of template, oci and url says what it stands for");
	refuse_more(IMAGE("\"template\":\"a\",\"oci\":\"docker.io/a:1\""),
		AT ": exactly one of template, oci and url says what it stands for");
	refuse_more(IMAGE("\"template\":\"/var/lib/x.tar\""),
		AT ".template: /var/lib/x.tar: it is neither STORAGE:vztmpl/FILE nor the name of a "
		   "template");
	refuse_more(IMAGE("\"template\":\"local:iso/x.tar\""), AT
		".template: local:iso/x.tar: it is neither STORAGE:vztmpl/FILE nor the name of a "
		"template");
	refuse_more(IMAGE("\"template\":\"local:vztmpl/../x.tar\""), AT
		".template: local:vztmpl/../x.tar: it is neither STORAGE:vztmpl/FILE nor the name "
		"of a template");
	refuse_more(IMAGE("\"template\":\"local:vztmpl/x.zip\""), AT
		".template: local:vztmpl/x.zip: it is neither STORAGE:vztmpl/FILE nor the name of "
		"a template");
	refuse_more(IMAGE("\"oci\":\"postgres:16\""),
		AT ".oci: postgres:16: it isn't of the form REGISTRY/PATH:TAG");
	refuse_more(IMAGE("\"oci\":\"docker.io/library/postgres\""),
		AT ".oci: docker.io/library/postgres: it isn't of the form REGISTRY/PATH:TAG");
	ok_more(IMAGE("\"template\":\"local:vztmpl/x.tzst\""));
	ok_more(IMAGE("\"url\":\"https://x/x.txz\",\"sha512\":\"" SHA "\""));
	refuse_more(IMAGE("\"url\":\"file:///x.tar\",\"sha512\":\"" SHA "\""),
		AT ".url: file:///x.tar: it isn't the address of a file");
	refuse_more(IMAGE("\"url\":\"https://u:p@x/x.tar\",\"sha512\":\"" SHA "\""),
		AT ".url: https://u:p@x/x.tar: it isn't the address of a file");
	refuse_more(IMAGE("\"url\":\"https://x/x.iso\",\"sha512\":\"" SHA "\""),
		AT ".url: https://x/x.iso: it doesn't end as a template does: .tar.zst, .tar.xz, "
		   ".tar.gz, .tar");
	refuse_more(IMAGE("\"url\":\"https://x/x.tar\""),
		AT ".url: https://x/x.tar: the sha512 that the file must have is missing");
	refuse_more(IMAGE("\"url\":\"https://x/x.tar\",\"sha512\":\"ab\""),
		AT ".sha512: ab: it isn't 128 hexadecimal digits");
	refuse_more(
		IMAGE("\"template\":\"a\",\"sha512\":\"ab\""), AT ".sha512: it goes with url only");
	refuse_more(IMAGE("\"template\":\"a\",\"memoryMiB\":8"),
		AT ".memoryMiB: a guest needs 16 at least");
	refuse_more(IMAGE("\"template\":\"a\",\"entrypoint\":[]"),
		AT ".entrypoint: it begins with a program");
	refuse_more(IMAGE("\"template\":\"a\",\"entrypoint\":[\"\"]"),
		AT ".entrypoint: it begins with a program");
	refuse_more(IMAGE("\"template\":\"a\",\"entrypoint\":[\"a\",\"\\n\"]"),
		AT ".entrypoint[1]: it has control characters");
	refuse_more(IMAGE("\"template\":\"a\",\"storage\":\"-\""),
		AT ".storage: -: it isn't the name of a storage");
	refuse_more("\"images\":{\"DB A\":{\"template\":\"a\"}}",
		"proxmox.images[\"DB A\"]: DB A: the name of an image has lower-case letters only");
}
