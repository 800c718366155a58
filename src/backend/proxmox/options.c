/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/options.h"

#include "backend/proxmox/encode.h"
#include "backend/proxmox/prop.h"

#include <arpa/inet.h>
#include <string.h>

enum { CORES_MAX = 8192, ROOTFS_MAX = 1 << 20, SECONDS_MAX = 86400, TEXT_MAX = 255 };

static const char *const on[] = { "1", "true", "yes", "on" };
static const char *const off[] = { "0", "false", "no", "off" };
static const char *const ostypes[] = { "debian", "devuan", "ubuntu", "centos", "fedora", "opensuse",
	"archlinux", "alpine", "gentoo", "nixos", "unmanaged" };

static bool is_one_of(const char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], text))
			return true;
	return false;
}

bool option_is_on(const char *value)
{
	return is_one_of(on, ARRAY_SIZE(on), value);
}

static bool is_bool(const char *value)
{
	return option_is_on(value) || is_one_of(off, ARRAY_SIZE(off), value);
}

static bool is_number(const char *value, uint64_t min, uint64_t max)
{
	uint64_t n;

	return parse_u64(value, max, &n) == 0 && n >= min;
}

static bool is_of(const char *s, const char *more)
{
	static const char base[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (const char *p = s; *p; p++)
		if (!strchr(base, *p) && !strchr(more, *p))
			return false;
	return *s && strlen(s) <= TEXT_MAX;
}

/* ---- values ---- */

static bool is_address(int family, const char *s)
{
	struct in6_addr bytes;

	return inet_pton(family, s, &bytes) == 1;
}

static bool is_network(int family, const char *s)
{
	char address[INET6_ADDRSTRLEN];
	const size_t n = strcspn(s, "/");

	if (!s[n] || n >= sizeof(address))
		return false;
	memcpy(address, s, n);
	address[n] = 0;
	return is_address(family, address) && is_number(s + n + 1, 1, family == AF_INET ? 32 : 128);
}

static bool is_ip(const char *s)
{
	return str_eq(s, "dhcp") || str_eq(s, "manual") || is_network(AF_INET, s);
}
static bool is_ip6(const char *s)
{
	return str_eq(s, "dhcp") || str_eq(s, "manual") || str_eq(s, "auto") ||
	       is_network(AF_INET6, s);
}
static bool is_gw(const char *s)
{
	return is_address(AF_INET, s);
}
static bool is_gw6(const char *s)
{
	return is_address(AF_INET6, s);
}
static bool is_vlan(const char *s)
{
	return is_number(s, 1, 4094);
}
static bool is_mtu(const char *s)
{
	return is_number(s, 64, 65535);
}
static bool is_rate(const char *s)
{
	return is_number(s, 1, UINT32_MAX);
}

/* Unicast: the lowest bit of the first byte is clear. */
static bool is_mac(const char *s)
{
	for (size_t i = 0; i < 17; i++) {
		const bool digit = s[i] && strchr("0123456789abcdefABCDEF", s[i]);
		if (i % 3 == 2 ? s[i] != ':' : !digit)
			return false;
	}
	return !s[17] && strchr("02468aceACE", s[1]);
}

static const struct {
	const char *key;
	bool (*is)(const char *);
} net_keys[] = {
	{ "bridge", pve_is_bridge },
	{ "firewall", is_bool },
	{ "gw", is_gw },
	{ "gw6", is_gw6 },
	{ "hwaddr", is_mac },
	{ "ip", is_ip },
	{ "ip6", is_ip6 },
	{ "mtu", is_mtu },
	{ "rate", is_rate },
	{ "tag", is_vlan },
};

static bool is_net_pair(const struct ctr_pair *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(net_keys); i++)
		if (str_eq(net_keys[i].key, p->key))
			return net_keys[i].is(p->value);
	return false;
}

static bool is_feature(const struct ctr_pair *p)
{
	static const char *const flags[] = { "nesting", "keyctl", "fuse", "mknod", "force_rw_sys" };

	if (str_eq(p->key, "mount"))
		return is_of(p->value, "_;");
	return is_one_of(flags, ARRAY_SIZE(flags), p->key) && is_bool(p->value);
}

static bool is_startup_part(const struct ctr_pair *p)
{
	static const char *const keys[] = { "order", "up", "down" };

	return is_one_of(keys, ARRAY_SIZE(keys), p->key) && is_number(p->value, 0, SECONDS_MAX);
}

static bool all_are(const char *value, const char *default_key, struct arena *a,
	bool (*is)(const struct ctr_pair *))
{
	struct ctr_map_str map;
	struct err why = ERR_INIT;

	if (pve_prop_parse(value, default_key, a, &map, &why) < 0 || map.n == 0)
		return false;
	for (size_t i = 0; i < map.n; i++)
		if (!is(&map.items[i]))
			return false;
	return true;
}

const char *option_problem(const char *key, const char *value, struct arena *a)
{
	if (str_eq(key, "cores"))
		return is_number(value, 1, CORES_MAX) ? NULL : "it isn't a number from 1 to 8192";
	if (str_eq(key, "rootfs"))
		return is_number(value, 1, ROOTFS_MAX) ? NULL : "it isn't a number of GiB";
	if (str_eq(key, "onboot") || str_eq(key, "protection"))
		return is_bool(value) ? NULL : "it is neither 0 nor 1";
	if (str_eq(key, "ostype"))
		return is_one_of(ostypes, ARRAY_SIZE(ostypes), value)
			       ? NULL
			       : "the server knows no such system";
	if (str_eq(key, "pool"))
		return pve_is_pool(value) ? NULL : "it isn't the name of a pool";
	if (str_eq(key, "storage"))
		return pve_is_storage(value) ? NULL : "it isn't the name of a storage";
	if (str_eq(key, "timezone"))
		return is_of(value, "_+-/") ? NULL : "it isn't the name of a time zone";
	if (str_eq(key, "features"))
		return all_are(value, NULL, a, is_feature)
			       ? NULL
			       : "it isn't a list like nesting=1 of nesting, keyctl, fuse, mknod, "
				 "force_rw_sys (0 or 1) and mount";
	if (str_eq(key, "startup"))
		return all_are(value, "order", a, is_startup_part)
			       ? NULL
			       : "it isn't of the form order=1,up=30,down=60";
	if (str_eq(key, "net0"))
		return all_are(value, NULL, a, is_net_pair)
			       ? NULL
			       : "it isn't a list like bridge=vmbr1,ip=10.0.0.5/24 of bridge, "
				 "firewall, gw, gw6, hwaddr, ip, ip6, mtu, rate and tag";
	return "there is no such option";
}

/* "nesting=1" and nothing else; keyctl=0 needs root, too. */
bool option_needs_root(const char *key, const char *value)
{
	return str_eq(key, "features") && (!str_starts(value, "nesting=") || strchr(value, ','));
}

/* ---- reading ---- */

static bool is_allowed(const struct settings_proxmox *cfg, const char *key)
{
	for (size_t i = 0; i < cfg->n_annotations; i++)
		if (str_eq(cfg->annotations[i], key))
			return true;
	return false;
}

static bool exists(const char *key)
{
	for (size_t i = 0; settings_proxmox_options[i]; i++)
		if (str_eq(settings_proxmox_options[i], key))
			return true;
	return false;
}

/* 0: it may be taken. */
static int judge(const struct settings_proxmox *cfg, const struct ctr_pair *p, const char *key,
	const char *field, struct arena *a, struct ctr_faults *faults)
{
	char place[192];
	const char *problem = option_problem(key, p->value, a);

	snprintf(place, sizeof(place), "%s[\"%.100s\"]", field, p->key);
	if (!exists(key))
		ctr_fault_add(faults, ERR_INVALID, place, "%s", problem);
	else if (!is_allowed(cfg, key))
		ctr_fault_add(faults, ERR_DENIED, place,
			"proxmox.allowAnnotations doesn't name \"%s\"", key);
	else if (problem)
		ctr_fault_add(faults, ERR_INVALID, place, "\"%.60s\": %s", p->value, problem);
	else if (option_needs_root(key, p->value) && !settings_proxmox_is_root(cfg))
		ctr_fault_add(faults, ERR_UNSUPPORTED, place,
			"only root@pam with its password may give a guest features besides "
			"nesting, an API token may not");
	else
		return 0;
	return -1;
}

int options_read(struct guest_wish *w, const struct settings_proxmox *cfg,
	const struct ctr_map_str *annotations, const char *field, struct arena *a,
	struct ctr_faults *faults, struct err *err)
{
	const size_t prefix = strlen(OPTIONS_PREFIX);

	for (size_t i = 0; i < annotations->n; i++) {
		const struct ctr_pair *p = &annotations->items[i];
		if (!str_starts(p->key, OPTIONS_PREFIX) ||
			judge(cfg, p, p->key + prefix, field, a, faults) < 0)
			continue;
		if (pve_map_set(&w->options, p->key + prefix, p->value, a, err) < 0)
			return -1;
	}
	return 0;
}
