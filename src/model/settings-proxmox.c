/* SPDX-License-Identifier: Apache-2.0 */
#include "model/settings-proxmox.h"

#include "base/path.h"
#include "model/ref.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	PORT = 8006,
	VMID_FIRST = 200000,
	VMID_LAST = 299999,
	MEMORY_MIN = 16,
	MEMORY_MAX = 1 << 26, /* MiB: 64 TiB */
	ROOTFS_MAX = 1 << 20, /* GiB */
	CORES_MAX = 8192,
	VLAN_MAX = 4094,
	MTU_MIN = 64,
	MTU_MAX = 65535,
	SECONDS_MAX = 86400,
	BRIDGE_MAX = 15, /* IFNAMSIZ */
	VOLID_MAX = 255,
	HOST_MAX = 253,
	FINGERPRINT_N = 95, /* 32 bytes "AB", with colons */
	SHA512_N = 128,
};

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static const char *const waivers[SETTINGS_WAIVER_N] = {
	[WAIVE_POD_NAMESPACES] = "pod-namespaces",
	[WAIVE_KUBELET_MOUNTS] = "kubelet-mounts",
	[WAIVE_MOUNTS] = "mounts",
	[WAIVE_USER] = "user",
	[WAIVE_CAPABILITIES] = "capabilities",
	[WAIVE_NO_NEW_PRIVS] = "no-new-privileges",
	[WAIVE_PROFILES] = "profiles",
	[WAIVE_RESOURCES] = "resources",
	[WAIVE_LOGS] = "logs",
	[WAIVE_STREAMS] = "streams",
	[WAIVE_WORKING_DIR] = "working-dir",
	[WAIVE_STOP_SIGNAL] = "stop-signal",
	[WAIVE_DNS_OPTIONS] = "dns-options",
	[WAIVE_SYSCTLS] = "sysctls",
	[WAIVE_PORTS] = "ports",
	[WAIVE_HOOKS] = "hooks",
};
static const struct name_table waiver_names = { waivers, ARRAY_SIZE(waivers) };

enum { PULL_APLINFO, PULL_OCI, PULL_URL };
static const char *const pulls[] = { "aplinfo", "oci", "url" };
static const struct name_table pull_names = { pulls, ARRAY_SIZE(pulls) };

enum { CREDENTIAL_FILE, CREDENTIAL_FD };
static const char *const credentials[] = { "file", "fd" };
static const struct name_table credential_names = { credentials, ARRAY_SIZE(credentials) };

const char *const settings_proxmox_options[] = { "cores", "features", "net0", "onboot", "ostype",
	"pool", "protection", "rootfs", "startup", "storage", "timezone", NULL };

const char *settings_waiver_name(int waiver)
{
	return name_of(&waiver_names, waiver);
}

/* What the tables fill: the settings, and what becomes a part of them. */
struct section {
	struct settings_proxmox s;
	uint32_t *vmids;
	size_t n_vmids;
	int credential;
	int *pull;
	size_t n_pull;
	int *waive;
	size_t n_waive;
};
_Static_assert(offsetof(struct section, s) == 0, "rows of the settings count from the beginning");

/* A section of the section counts from the same beginning. */
#define ROW_SECTION(nm, tb)                                                               \
	{                                                                                 \
		.name = (nm), .kind = J_OBJECT, .off = 0, .size = sizeof(struct section), \
		.more = (tb)                                                              \
	}
#define ROW_NUMBER(T, m, nm, max_)                                                             \
	{                                                                                      \
		.name = (nm), .kind = J_U32, .off = offsetof(T, m) + J_CHECK_(T, m, uint32_t), \
		.size = sizeof(uint32_t), .max = (max_)                                        \
	}
#define ROW_SECONDS(m, nm) ROW_NUMBER(struct section, s.m, nm, SECONDS_MAX)

static const struct json_field net_fields[] = {
	J_ROW_STR(struct section, s.net.bridge, "bridge", 0),
	J_ROW_STR(struct section, s.net.ip, "ip", 0),
	J_ROW_STR(struct section, s.net.gw, "gateway", 0),
	J_ROW_STR(struct section, s.net.ip6, "ip6", 0),
	J_ROW_STR(struct section, s.net.gw6, "gateway6", 0),
	ROW_NUMBER(struct section, s.net.vlan, "vlan", VLAN_MAX),
	ROW_NUMBER(struct section, s.net.mtu, "mtu", MTU_MAX),
	ROW_NUMBER(struct section, s.net.rate, "rate", 0),
	J_ROW_BOOL(struct section, s.net.firewall, "firewall", 0),
	{ 0 },
};

static const struct json_field timeout_fields[] = {
	ROW_SECONDS(connect_s, "connectSeconds"),
	ROW_SECONDS(call_s, "callSeconds"),
	ROW_SECONDS(create_s, "createSeconds"),
	ROW_SECONDS(pull_s, "pullSeconds"),
	ROW_SECONDS(start_s, "startSeconds"),
	ROW_SECONDS(stop_s, "stopSeconds"),
	ROW_SECONDS(destroy_s, "destroySeconds"),
	ROW_SECONDS(grace_s, "graceSeconds"),
	ROW_SECONDS(reboot_s, "rebootSeconds"),
	{ 0 },
};

static const struct json_field image_fields[] = {
	J_ROW_STR(struct settings_guest_image, template, "template", 0),
	J_ROW_STR(struct settings_guest_image, oci, "oci", 0),
	J_ROW_STR(struct settings_guest_image, url, "url", 0),
	J_ROW_STR(struct settings_guest_image, sha512, "sha512", 0),
	J_ROW_STR(struct settings_guest_image, storage, "storage", 0),
	ROW_NUMBER(struct settings_guest_image, memory_mib, "memoryMiB", MEMORY_MAX),
	ROW_NUMBER(struct settings_guest_image, rootfs_gib, "rootfsGiB", ROOTFS_MAX),
	ROW_NUMBER(struct settings_guest_image, cores, "cores", CORES_MAX),
	J_ROW_STR(struct settings_guest_image, bridge, "bridge", 0),
	J_ROW_LIST(struct settings_guest_image, entrypoint, "entrypoint", J_STR, 0, const char **,
		NULL),
	{ 0 },
};

static const struct json_field section_fields[] = {
	J_ROW_STR(struct section, s.endpoint, "endpoint", J_REQUIRED),
	J_ROW_STR(struct section, s.fingerprint, "fingerprint", 0),
	J_ROW_STR(struct section, s.ca_file, "caFile", 0),
	J_ROW_STR(struct section, s.token_file, "tokenFile", 0),
	J_ROW_STR(struct section, s.user, "user", 0),
	J_ROW_STR(struct section, s.password_file, "passwordFile", 0),
	J_ROW_ENUM(struct section, credential, "credential", 0, &credential_names),
	J_ROW_LIST(struct settings_proxmox, nodes, "nodes", J_STR, 0, const char **, NULL),
	J_ROW_LIST(struct section, vmids, "vmids", J_U32, 0, uint32_t *, NULL),
	J_ROW_STR(struct section, s.storage, "storage", 0),
	J_ROW_LIST(struct settings_proxmox, template_storages, "templateStorages", J_STR, 0,
		const char **, NULL),
	J_ROW_STR(struct section, s.pool, "pool", 0),
	J_ROW_STR(struct section, s.local_node, "localNode", 0),
	ROW_SECTION("network", net_fields),
	ROW_NUMBER(struct section, s.memory_mib, "memoryMiB", MEMORY_MAX),
	ROW_NUMBER(struct section, s.swap_mib, "swapMiB", MEMORY_MAX),
	ROW_NUMBER(struct section, s.rootfs_gib, "rootfsGiB", ROOTFS_MAX),
	ROW_NUMBER(struct section, s.cores, "cores", CORES_MAX),
	J_ROW_BOOL(struct section, s.nesting, "nesting", 0),
	J_ROW_BOOL(struct section, s.onboot, "onboot", 0),
	J_ROW_LIST(struct section, pull, "pull", J_ENUM, 0, int *, &pull_names),
	J_ROW_MAP_OBJ(struct settings_proxmox, images, "images", struct settings_guest_image,
		image_fields),
	J_ROW_LIST(struct section, waive, "waive", J_ENUM, 0, int *, &waiver_names),
	J_ROW_BOOL(struct section, s.privileged_allowed, "allowPrivileged", 0),
	J_ROW_LIST(struct settings_proxmox, annotations, "allowAnnotations", J_STR, 0,
		const char **, NULL),
	ROW_SECTION("timeouts", timeout_fields),
	{ 0 },
};

/* ---- names ---- */

static bool is_of(const char *s, const char *set)
{
	return s && *s && !s[strspn(s, set)];
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* No blanks, no control bytes, nothing beyond ASCII. */
static bool is_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *s;
}

bool pve_is_node(const char *s)
{
	return is_of(s, LETTERS DIGITS "-") && *s != '-' && s[strlen(s) - 1] != '-' &&
	       strlen(s) <= HOST_MAX;
}

static bool is_storage(const char *s, size_t n)
{
	return n >= 2 && n <= VOLID_MAX && is_letter(s[0]) && is_alnum(s[n - 1]) &&
	       strspn(s, LETTERS DIGITS "-_.") >= n;
}

bool pve_is_storage(const char *s)
{
	return s && is_storage(s, strlen(s));
}

/* At most three parts: "a/b/c". */
bool pve_is_pool(const char *s)
{
	size_t slashes = 0;

	if (!is_of(s, LETTERS DIGITS "-_./") || *s == '/' || strlen(s) > VOLID_MAX)
		return false;
	for (const char *p = s; *p; p++) {
		slashes += *p == '/';
		if (*p == '/' && (p[1] == '/' || !p[1]))
			return false;
	}
	return slashes <= 2;
}

bool pve_is_bridge(const char *s)
{
	return is_of(s, LETTERS DIGITS "-_.") && strlen(s) <= BRIDGE_MAX && !str_eq(s, ".") &&
	       !str_eq(s, "..");
}

/* Files of templates end so. */
static bool is_archive(const char *s)
{
	static const char *const ends[] = { ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar",
		".tgz", ".tzst", ".txz" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (str_ends(s, ends[i]) && strlen(s) > strlen(ends[i]))
			return true;
	return false;
}

bool pve_is_template(const char *s)
{
	static const char kind[] = ":vztmpl/";
	const size_t n = s ? strcspn(s, ":") : 0;
	const char *file;

	if (!s || strlen(s) > VOLID_MAX || !is_word(s) || !is_storage(s, n) ||
		!str_starts(s + n, kind))
		return false;
	file = s + n + strlen(kind);
	return is_archive(file) && !strchr(file, '/') && *file != '.';
}

/* A template's name or the beginning of one, as it is looked for in the storages. */
static bool is_template_name(const char *s)
{
	return is_of(s, LETTERS DIGITS "-_.+") && is_alnum(*s) && strlen(s) <= VOLID_MAX;
}

static bool is_hex(const char *s)
{
	return is_of(s, DIGITS "abcdefABCDEF");
}

/* "USER@REALM" */
static bool is_user(const char *s)
{
	const char *at = strrchr(s, '@');

	return at && at > s && is_word(s) && !strpbrk(s, ":/!") && is_letter(at[1]) &&
	       is_of(at + 1, LETTERS DIGITS "-_.");
}

/* ---- addresses ---- */

static bool is_address(int family, const char *s)
{
	struct in6_addr bytes;

	return s && inet_pton(family, s, &bytes) == 1;
}

/* "10.0.0.5/24" */
static bool is_network(int family, const char *s)
{
	const char *slash = strchr(s, '/');
	char address[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (!slash || (size_t)(slash - s) >= sizeof(address))
		return false;
	memcpy(address, s, (size_t)(slash - s));
	address[slash - s] = 0;
	return is_address(family, address) &&
	       parse_u64(slash + 1, family == AF_INET ? 32 : 128, &bits) == 0 && bits > 0;
}

/* "https://HOST[:PORT]": the port's place, or NULL when it isn't of that form. */
static const char *host_end(const char *host)
{
	char address[INET6_ADDRSTRLEN];
	size_t n;

	if (*host != '[') {
		n = strspn(host, LETTERS DIGITS "-.");
		return n > 0 && n <= HOST_MAX && is_alnum(*host) && is_alnum(host[n - 1]) ? host + n
											  : NULL;
	}
	n = strcspn(++host, "]");
	if (!host[n] || n >= sizeof(address))
		return NULL;
	memcpy(address, host, n);
	address[n] = 0;
	return is_address(AF_INET6, address) ? host + n + 1 : NULL;
}

/* ---- checks: server ---- */

static int bad(struct err *err, const char *key, const char *value, const char *text)
{
	err_set(err, ERR_INVALID, value, "%s", text);
	return err_in(err, "%s", key);
}

static int check_endpoint(struct settings_proxmox *s, struct arena *a, struct err *err)
{
	static const char scheme[] = "https://";
	const char *end =
		str_starts(s->endpoint, scheme) ? host_end(s->endpoint + strlen(scheme)) : NULL;
	uint64_t port = PORT;

	if (!end || (*end && *end != ':') ||
		(*end == ':' && (parse_u64(end + 1, UINT16_MAX, &port) < 0 || port == 0))) {
		bad(err, "endpoint", s->endpoint, "it isn't of the form https://HOST:8006");
		return err_hint(err, "no path behind it, not even \"/\"; the port may be left out");
	}
	if (!*end)
		s->endpoint = arena_printf(a, "%s:%d", s->endpoint, PORT);
	return s->endpoint ? 0 : err_nomem(err);
}

static int check_fingerprint(struct settings_proxmox *s, struct arena *a, struct err *err)
{
	char *text;

	if (!s->fingerprint)
		return 0;
	text = arena_strdup(a, s->fingerprint);
	if (!text)
		return err_nomem(err);
	for (size_t i = 0; text[i]; i++) {
		const char one[] = { text[i], 0 };
		if (i % 3 == 2 ? text[i] != ':' : !is_hex(one))
			text[0] = 0;
		else if (text[i] >= 'a')
			text[i] = (char)(text[i] - 'a' + 'A');
	}
	if (strlen(text) != FINGERPRINT_N) {
		bad(err, "fingerprint", s->fingerprint,
			"it isn't a SHA-256 fingerprint: 32 hexadecimal bytes with colons between "
			"them");
		return err_hint(err, "\"pvenode cert info\" on the node shows it");
	}
	s->fingerprint = text;
	return 0;
}

static int check_file(const char *key, const char *path, struct arena *a, struct err *err)
{
	const char *clean;

	if (!path)
		return 0;
	clean = path_clean(a, path);
	if (!clean)
		return err_nomem(err);
	return *path == '/' && path[1] && str_eq(path, clean)
		       ? 0
		       : bad(err, key, path,
				 "it must be the absolute path of a file, without \"..\"");
}

/* Exactly one way to log in. */
static int check_login(struct section *f, struct err *err)
{
	const struct settings_proxmox *s = &f->s;
	const bool fd = f->credential == CREDENTIAL_FD;

	if (s->user && !is_user(s->user))
		return bad(err, "user", s->user, "it isn't of the form NAME@REALM, \"root@pam\"");
	if (fd && (s->token_file || s->password_file))
		return bad(err, "credential", NULL,
			"with \"fd\" there is neither tokenFile nor passwordFile");
	if (s->token_file && (s->password_file || s->user))
		return bad(err, "tokenFile", NULL,
			"the token says who logs in: user and passwordFile don't go with it");
	if (s->password_file && !s->user)
		return bad(err, "passwordFile", NULL, "the user that it belongs to is missing");
	if (s->user && !s->password_file && !fd)
		return bad(err, "user", s->user, "the passwordFile that belongs to it is missing");
	if (fd || s->token_file || s->password_file)
		return 0;
	err_set(err, ERR_INVALID, NULL, "nothing says how to log in");
	return err_hint(err, "one of: tokenFile; user and passwordFile; \"credential\": \"fd\"");
}

static int check_server(struct section *f, struct arena *a, struct err *err)
{
	if (check_endpoint(&f->s, a, err) < 0 || check_fingerprint(&f->s, a, err) < 0 ||
		check_file("caFile", f->s.ca_file, a, err) < 0 ||
		check_file("tokenFile", f->s.token_file, a, err) < 0 ||
		check_file("passwordFile", f->s.password_file, a, err) < 0)
		return -1;
	if (f->s.fingerprint && f->s.ca_file)
		return bad(err, "caFile", NULL,
			"a fingerprint decides alone whom to trust: give one of the two");
	f->s.credential_fd = f->credential == CREDENTIAL_FD;
	return check_login(f, err);
}

/* ---- checks: where ---- */

static int check_names(const char *key, const char **list, size_t n, bool (*is)(const char *),
	const char *text, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		bool again = false;
		for (size_t k = 0; k < i; k++)
			again = again || str_eq(list[i], list[k]);
		if (is(list[i]) && !again)
			continue;
		err_set(err, ERR_INVALID, list[i], "%s", again ? "it is given twice" : text);
		return err_in(err, "%s[%zu]", key, i);
	}
	return 0;
}

static int check_vmids(struct section *f, struct err *err)
{
	struct settings_proxmox *s = &f->s;

	if (!f->vmids)
		return 0;
	if (f->n_vmids != 2)
		return bad(err, "vmids", NULL, "it isn't a range: [first, last]");
	for (size_t i = 0; i < 2; i++) {
		if (f->vmids[i] >= SETTINGS_VMID_MIN && f->vmids[i] <= SETTINGS_VMID_MAX)
			continue;
		err_set(err, ERR_INVALID, NULL, "%u is out of range (%d to %d)", f->vmids[i],
			SETTINGS_VMID_MIN, SETTINGS_VMID_MAX);
		return err_in(err, "vmids[%zu]", i);
	}
	s->vmid_first = f->vmids[0];
	s->vmid_last = f->vmids[1];
	return s->vmid_first <= s->vmid_last
		       ? 0
		       : bad(err, "vmids", NULL, "the first one is above the last one");
}

#define NO_NODE    "it isn't the name of a node"
#define NO_STORAGE "it isn't the name of a storage"
#define NO_BRIDGE  "it isn't the name of a bridge"

static int check_where(struct section *f, struct err *err)
{
	const struct settings_proxmox *s = &f->s;

	if (check_names("nodes", s->nodes, s->n_nodes, pve_is_node, NO_NODE, err) < 0 ||
		check_vmids(f, err) < 0 ||
		check_names("templateStorages", s->template_storages, s->n_template_storages,
			pve_is_storage, NO_STORAGE, err) < 0)
		return -1;
	if (s->n_template_storages == 0)
		return bad(err, "templateStorages", NULL, "it needs one at least");
	if (!pve_is_storage(s->storage))
		return bad(err, "storage", s->storage, NO_STORAGE);
	if (s->pool && !pve_is_pool(s->pool))
		return bad(err, "pool", s->pool, "it isn't the name of a pool");
	if (!s->local_node)
		return 0;
	if (!pve_is_node(s->local_node))
		return bad(err, "localNode", s->local_node, NO_NODE);
	for (size_t i = 0; i < s->n_nodes; i++)
		if (str_eq(s->nodes[i], s->local_node))
			return 0;
	return s->n_nodes == 0 ? 0
			       : bad(err, "localNode", s->local_node, "it isn't one of \"nodes\"");
}

/* ---- checks: what ---- */

static int check_ip(const char *key, int family, const char *ip, const char *gw_key, const char *gw,
	struct err *err)
{
	const bool v4 = family == AF_INET;
	const bool fixed = ip && is_network(family, ip);

	if (ip && !fixed && !str_eq(ip, "dhcp") && !str_eq(ip, "manual") &&
		!(!v4 && str_eq(ip, "auto")))
		return bad(err, key, ip,
			v4 ? "it is neither \"dhcp\", \"manual\", nor an IPv4 address with its "
			     "prefix, \"10.0.0.5/24\""
			   : "it is neither \"auto\", \"dhcp\", \"manual\", nor an IPv6 address "
			     "with its prefix, \"fd00::5/64\"");
	if (gw && !is_address(family, gw))
		return bad(err, gw_key, gw,
			v4 ? "it isn't an IPv4 address" : "it isn't an IPv6 address");
	if (gw && !fixed)
		return bad(err, gw_key, gw, "it needs an address of the guest's own beside it");
	return 0;
}

static int check_net(const struct settings_net *n, struct err *err)
{
	int r = 0;

	if (!pve_is_bridge(n->bridge))
		r = bad(err, "bridge", n->bridge, NO_BRIDGE);
	else if (check_ip("ip", AF_INET, n->ip, "gateway", n->gw, err) < 0 ||
		 check_ip("ip6", AF_INET6, n->ip6, "gateway6", n->gw6, err) < 0)
		r = -1;
	else if (n->mtu && n->mtu < MTU_MIN)
		r = bad(err, "mtu", NULL, "the smallest one is 64");
	return r < 0 ? err_in(err, "network") : 0;
}

static int check_oci(const char *text, struct arena *a, struct err *err)
{
	struct image_ref ref;

	if (image_ref_parse(text, a, &ref, err) < 0)
		return err_in(err, "oci");
	if (ref.registry && ref.tag && !ref.digest && is_word(text))
		return 0;
	bad(err, "oci", text, "it isn't of the form REGISTRY/PATH:TAG");
	return err_hint(err, "the node pulls by whole names with a tag, "
			     "\"docker.io/library/postgres:16\"");
}

static int check_url(const struct settings_guest_image *i, struct err *err)
{
	const char *host = str_starts(i->url, "https://")  ? i->url + 8
			   : str_starts(i->url, "http://") ? i->url + 7
							   : "";

	if (!is_word(i->url) || !is_alnum(*host) || strchr(host, '@') || strchr(host, '#'))
		return bad(err, "url", i->url, "it isn't the address of a file");
	/* The name that the file gets is ctrctl's, but its kind must show. */
	if (!is_archive(i->url))
		return bad(err, "url", i->url,
			"it doesn't end as a template does: .tar.zst, .tar.xz, .tar.gz, .tar");
	if (!i->sha512)
		return bad(err, "url", i->url, "the sha512 that the file must have is missing");
	return is_hex(i->sha512) && strlen(i->sha512) == SHA512_N
		       ? 0
		       : bad(err, "sha512", i->sha512, "it isn't 128 hexadecimal digits");
}

static int check_entrypoint(const struct settings_guest_image *i, struct err *err)
{
	if (i->entrypoint && (i->n_entrypoint == 0 || !*i->entrypoint[0]))
		return bad(err, "entrypoint", NULL, "it begins with a program");
	for (size_t k = 0; k < i->n_entrypoint; k++)
		for (const char *p = i->entrypoint[k]; *p; p++)
			if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f) {
				err_set(err, ERR_INVALID, NULL, "it has control characters");
				return err_in(err, "entrypoint[%zu]", k);
			}
	return 0;
}

static int check_image(const struct settings_guest_image *i, struct arena *a, struct err *err)
{
	const int n = !!i->template + !!i->oci + !!i->url;

	if (n != 1)
		return err_set(err, ERR_INVALID, NULL,
			"exactly one of template, oci and url says what it stands for");
	if (i->sha512 && !i->url)
		return bad(err, "sha512", NULL, "it goes with url only");
	if (i->template && !pve_is_template(i->template) && !is_template_name(i->template))
		return bad(err, "template", i->template,
			"it is neither STORAGE:vztmpl/FILE nor the name of a template");
	if (i->oci && check_oci(i->oci, a, err) < 0)
		return -1;
	if (i->url && check_url(i, err) < 0)
		return -1;
	if (i->storage && !pve_is_storage(i->storage))
		return bad(err, "storage", i->storage, NO_STORAGE);
	if (i->bridge && !pve_is_bridge(i->bridge))
		return bad(err, "bridge", i->bridge, NO_BRIDGE);
	if (i->memory_mib && i->memory_mib < MEMORY_MIN)
		return bad(err, "memoryMiB", NULL, "a guest needs 16 at least");
	return check_entrypoint(i, err);
}

static int check_images(const struct settings_proxmox *s, struct arena *a, struct err *err)
{
	const struct settings_guest_image *images = s->images.items;

	for (size_t i = 0; i < s->images.n; i++) {
		const char *name = s->images.keys[i];
		struct image_ref ref;
		if (image_ref_parse(name, a, &ref, err) < 0 ||
			check_image(&images[i], a, err) < 0) {
			err_in(err, "[\"%s\"]", name);
			return err_in(err, "images");
		}
	}
	return 0;
}

static bool is_option(const char *key)
{
	for (size_t i = 0; settings_proxmox_options[i]; i++)
		if (str_eq(settings_proxmox_options[i], key))
			return true;
	return false;
}

static int check_what(const struct settings_proxmox *s, struct arena *a, struct err *err)
{
	if (check_net(&s->net, err) < 0 || check_images(s, a, err) < 0)
		return -1;
	if (s->memory_mib < MEMORY_MIN)
		return bad(err, "memoryMiB", NULL, "a guest needs 16 at least");
	if (s->rootfs_gib == 0)
		return bad(err, "rootfsGiB", NULL, "a guest needs 1 at least");
	if (check_names("allowAnnotations", s->annotations, s->n_annotations, is_option,
		    "it isn't an option of a guest", err) == 0)
		return 0;
	return err_hint(err, "one of: cores, features, net0, onboot, ostype, pool, protection, "
			     "rootfs, startup, storage, timezone");
}

static int check_timeouts(const struct settings_proxmox *s, struct err *err)
{
	const uint32_t needed[] = { s->connect_s, s->call_s, s->create_s, s->pull_s, s->start_s,
		s->stop_s, s->destroy_s };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (needed[i] > 0)
			continue;
		bad(err, timeout_fields[i].name, NULL, "it must be 1 at least");
		return err_in(err, "timeouts");
	}
	return 0;
}

/* ---- reading ---- */

void settings_proxmox_init(struct settings_proxmox *s)
{
	*s = (struct settings_proxmox){
		.vmid_first = VMID_FIRST,
		.vmid_last = VMID_LAST,
		.storage = "local-lvm",
		.net = { .bridge = "vmbr0", .ip = "dhcp" },
		.memory_mib = 512,
		.rootfs_gib = 8,
		.connect_s = 5,
		.call_s = 60,
		.create_s = 600,
		.pull_s = 1800,
		.start_s = 90,
		.stop_s = 60,
		.destroy_s = 300,
		.grace_s = 60,
		.reboot_s = 30,
	};
}

static int complete(struct section *f, struct arena *a, struct err *err)
{
	struct settings_proxmox *s = &f->s;

	if (!s->template_storages) {
		s->template_storages = arena_array(a, 1, sizeof(*s->template_storages));
		if (!s->template_storages)
			return err_nomem(err);
		s->template_storages[s->n_template_storages++] = "local";
	}
	for (size_t i = 0; i < f->n_waive; i++)
		s->waive[f->waive[i]] = true;
	for (size_t i = 0; i < f->n_pull; i++) {
		s->pull_aplinfo = s->pull_aplinfo || f->pull[i] == PULL_APLINFO;
		s->pull_oci = s->pull_oci || f->pull[i] == PULL_OCI;
		s->pull_url = s->pull_url || f->pull[i] == PULL_URL;
	}
	return 0;
}

int settings_proxmox_read(const struct json *section, struct arena *a,
	const struct settings_proxmox **ret, struct err *err)
{
	struct section *f = arena_alloc(a, sizeof(*f));

	if (!f)
		return err_nomem(err);
	settings_proxmox_init(&f->s);
	if (json_bind(section, section_fields, f, JSON_UNKNOWN_REFUSE, a, err) < 0 ||
		complete(f, a, err) < 0 || check_server(f, a, err) < 0 || check_where(f, err) < 0 ||
		check_what(&f->s, a, err) < 0 || check_timeouts(&f->s, err) < 0)
		return -1;
	*ret = &f->s;
	return 0;
}

bool settings_proxmox_is_root(const struct settings_proxmox *s)
{
	return str_eq(s->user, "root@pam") && (s->password_file || s->credential_fd);
}
