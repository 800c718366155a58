/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/params.h"

#include "backend/proxmox/encode.h"
#include "backend/proxmox/identity.h"
#include "backend/proxmox/options.h"
#include "backend/proxmox/prop.h"
#include "base/json.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	MOUNTS_MAX = 256,
	DEVICES_MAX = 256,
};

#define INIT "/sbin/init"

/* Where values come from, for explain. */
#define REQUEST    "request"
#define OPTION(k)  "annotation " OPTIONS_PREFIX k
#define IMAGE(k)   "proxmox.images: " k
#define DEFAULT(k) "proxmox." k

/* And what a value that is the request's own is called there. */
static const struct {
	const char *name, *request, *bundle;
} places[] = {
	{ "ostemplate", "config.image", "annotations: the image's name" },
	{ "unprivileged", "config.linux.security_context.privileged", "ctrctl" },
	{ "memory", "config.linux.resources.memory_limit_in_bytes",
		"linux.resources.memory.limit" },
	{ "swap", "config.linux.resources.memory_swap_limit_in_bytes",
		"linux.resources.memory.swap" },
	{ "cpulimit", "config.linux.resources.cpu_quota", "linux.resources.cpu.quota" },
	{ "cpuunits", "config.linux.resources.cpu_shares", "linux.resources.cpu.shares" },
	{ "nameserver", "sandbox_config.dns_config.servers", NULL },
	{ "searchdomain", "sandbox_config.dns_config.searches", NULL },
	{ "entrypoint", "config.command, args, working_dir", "process.args, cwd" },
	{ "env", "config.envs", "process.env" },
};

struct build {
	struct guest_wish *w;
	const struct pve_target *t;
	const struct settings_proxmox *cfg;
	struct arena *a;
	struct pve_form *form;
	struct err *err;
};

static void name_places(struct pve_form *form, const struct guest_wish *w)
{
	for (size_t i = 0; i < form->n; i++) {
		struct pve_param *p = &form->items[i];
		for (size_t k = 0; str_eq(p->from, REQUEST) && k < ARRAY_SIZE(places); k++)
			if (str_eq(p->name, places[k].name))
				p->from = w->bundle && places[k].bundle ? places[k].bundle
									: places[k].request;
	}
}

static const char *option(const struct build *b, const char *key)
{
	return ctr_map_get(&b->w->options, key);
}

static bool is_before(const struct pve_target *t, unsigned major, unsigned minor)
{
	return t->major && (t->major < major || (t->major == major && t->minor < minor));
}

/* ---- numbers ---- */

static void add_resources(struct build *b)
{
	const struct guest_wish *w = b->w;
	const struct settings_guest_image *image = b->t->image;
	const bool own = image && image->memory_mib;
	const char *cores = option(b, "cores");
	int64_t memory = own ? image->memory_mib : b->cfg->memory_mib, swap = b->cfg->swap_mib;

	if (w->memory_bytes > 0) {
		memory = params_memory_mib(w->memory_bytes);
		swap = 0;
	}
	if (w->memory_swap_bytes > 0)
		swap = params_swap_mib(w->memory_swap_bytes, memory);
	else if (w->memory_swap_bytes < 0)
		swap = b->cfg->swap_mib;
	pve_form_setf(b->form, "memory",
		w->memory_bytes > 0 ? REQUEST
		: own               ? IMAGE("memoryMiB")
				    : DEFAULT("memoryMiB"),
		"%lld", (long long)memory);
	pve_form_setf(b->form, "swap",
		w->memory_swap_bytes > 0 || (w->memory_bytes > 0 && !w->memory_swap_bytes)
			? REQUEST
			: DEFAULT("swapMiB"),
		"%lld", (long long)swap);
	if (cores)
		pve_form_set(b->form, "cores", cores, OPTION("cores"));
	else if (image && image->cores)
		pve_form_setf(b->form, "cores", IMAGE("cores"), "%u", image->cores);
	else if (b->cfg->cores)
		pve_form_setf(b->form, "cores", DEFAULT("cores"), "%u", b->cfg->cores);
	if (w->cpu_quota > 0)
		params_set_cpulimit(b->form, w->cpu_quota, w->cpu_period, REQUEST);
	if (w->cpu_shares > 0)
		pve_form_setf(b->form, "cpuunits", REQUEST, "%u", params_cpu_weight(w->cpu_shares));
}

/* ---- property strings ---- */

static int add_prop(struct build *b, const char *name, struct str *text, const char *from)
{
	if (str_ok(text, b->err) < 0)
		return -1;
	pve_form_set(b->form, name, text->p, from);
	return 0;
}

static int add_rootfs(struct build *b)
{
	const struct settings_guest_image *image = b->t->image;
	const char *storage = option(b, "storage"), *size = option(b, "rootfs");
	const char *from = storage && size ? OPTION("storage, rootfs")
			   : storage       ? OPTION("storage")
			   : size          ? OPTION("rootfs")
					   : DEFAULT("storage, rootfsGiB");
	_str_ struct str text = { 0 };
	_free_ char *volume = NULL;

	if (!storage && image && image->storage) {
		storage = image->storage;
		from = size ? OPTION("rootfs") : IMAGE("storage, rootfsGiB");
	}
	if (!storage)
		storage = b->cfg->storage;
	if (size)
		volume = strf("%s:%s", storage, size);
	else
		volume = strf("%s:%u", storage,
			image && image->rootfs_gib ? image->rootfs_gib : b->cfg->rootfs_gib);
	if (!volume)
		return err_nomem(b->err);
	if (pve_prop_add(&text, NULL, volume, b->err) < 0 ||
		(b->w->readonly_rootfs && pve_prop_add(&text, "ro", "1", b->err) < 0))
		return err_in(b->err, "rootfs");
	return add_prop(b, "rootfs", &text, from);
}

/* The settings as the option net0 would say them, and the option over that. */
static int net_of(struct build *b, struct ctr_map_str *net, struct ctr_map_str *over)
{
	const struct settings_net *n = &b->cfg->net;
	const char *bridge = b->t->image && b->t->image->bridge ? b->t->image->bridge : n->bridge;
	const char *mtu = n->mtu ? arena_printf(b->a, "%u", n->mtu) : NULL;
	const char *vlan = n->vlan ? arena_printf(b->a, "%u", n->vlan) : NULL;
	const char *rate = n->rate ? arena_printf(b->a, "%u", n->rate) : NULL;
	const struct ctr_pair all[] = { { "name", "eth0" }, { "bridge", bridge }, { "ip", n->ip },
		{ "gw", n->gw }, { "ip6", n->ip6 }, { "gw6", n->gw6 }, { "tag", vlan },
		{ "mtu", mtu }, { "rate", rate }, { "firewall", n->firewall ? "1" : NULL } };
	const char *wanted = option(b, "net0");

	if (arena_failed(b->a))
		return err_nomem(b->err);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].value && pve_map_set(net, all[i].key, all[i].value, b->a, b->err) < 0)
			return -1;
	if (wanted && pve_prop_parse(wanted, NULL, b->a, over, b->err) < 0)
		return -1;
	for (size_t i = 0; i < over->n; i++)
		if (pve_map_set(net, over->items[i].key, over->items[i].value, b->a, b->err) < 0)
			return -1;
	return 0;
}

/* Is the gateway in the address's network? Of an address that isn't fixed none is. */
static bool reaches(int family, const char *network, const char *gw)
{
	unsigned char a[sizeof(struct in6_addr)], b[sizeof(struct in6_addr)];
	const char *slash = network ? strchr(network, '/') : NULL;
	char address[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (!slash || (size_t)(slash - network) >= sizeof(address) ||
		parse_u64(slash + 1, family == AF_INET ? 32 : 128, &bits) < 0)
		return false;
	memcpy(address, network, (size_t)(slash - network));
	address[slash - network] = 0;
	if (inet_pton(family, address, a) != 1 || inet_pton(family, gw, b) != 1)
		return false;
	for (size_t i = 0; i < bits; i++)
		if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static bool is_fixed(const char *ip)
{
	return ip && strchr(ip, '/');
}

/* A gateway goes with an address of the guest's own; the configuration's with an option's address
 * only where it is in that network. */
static bool is_left_out(
	const struct ctr_map_str *net, const struct ctr_map_str *over, const char *key)
{
	const int family = str_eq(key, "gw") ? AF_INET : AF_INET6;
	const char *ip_key = family == AF_INET ? "ip" : "ip6";
	const char *ip = ctr_map_get(net, ip_key);

	if (!str_eq(key, "gw") && !str_eq(key, "gw6"))
		return false;
	if (!is_fixed(ip))
		return true;
	return ctr_map_get(over, ip_key) && !ctr_map_get(over, key) &&
	       !reaches(family, ip, ctr_map_get(net, key));
}

/* An init configures the network and offers logins, a program of one's own doesn't. */
static bool runs_init(const struct build *b)
{
	const struct guest_wish *w = b->w;

	return !b->t->template.oci && (w->n_argv == 0 || w->args_only || str_eq(w->argv[0], INIT));
}

/* By the node, from outside. A template's init reads the files that the server writes for it. Of an
 * archive's own command the server sees whether it is an init; over another one of ours it
 * wouldn't. NULL: not said. */
static const char *host_managed(const struct build *b)
{
	const struct guest_wish *w = b->w;

	if (is_before(b->t, 9, 1) || runs_init(b) || (b->t->template.oci && w->n_argv == 0))
		return NULL;
	return str_eq(w->argv[0], INIT) ? "0" : "1";
}

static int add_net(struct build *b)
{
	struct ctr_map_str net = { 0 }, over = { 0 };
	_str_ struct str text = { 0 };
	const char *managed;

	if (net_of(b, &net, &over) < 0)
		return err_in(b->err, "net0");
	for (size_t i = 0; i < net.n; i++) {
		const char *key = net.items[i].key;
		if (ctr_map_get(&over, key) && is_left_out(&net, &over, key)) {
			err_set(b->err, ERR_INVALID, key,
				"it needs an address of the guest's own beside it");
			return err_in(b->err, "net0");
		}
		if (!is_left_out(&net, &over, key) &&
			pve_prop_add(&text, key, net.items[i].value, b->err) < 0)
			return err_in(b->err, "net0");
	}
	managed = host_managed(b);
	if (managed || b->t->template.oci) {
		if (!str_eq(managed, "0") && str_eq(ctr_map_get(&net, "ip6"), "auto")) {
			err_set(b->err, ERR_UNSUPPORTED, "ip6",
				"\"auto\" needs a system in the guest that configures its network; "
				"a single program has none");
			err_hint(b->err, "\"dhcp\", an address, or none");
			return err_in(b->err, "net0");
		}
		if (managed && pve_prop_add(&text, "host-managed", managed, b->err) < 0)
			return -1;
	}
	return add_prop(b, "net0", &text, over.n ? OPTION("net0") : DEFAULT("network"));
}

static int add_features(struct build *b)
{
	const char *wanted = option(b, "features");
	const bool nesting = !wanted && b->cfg->nesting;

	if (!wanted && !nesting)
		return 0;
	if (!b->t->ticket &&
		(b->w->privileged || (wanted && option_needs_root("features", wanted)))) {
		err_set(b->err, ERR_UNSUPPORTED, "features",
			"only root@pam with its password may give them to a guest%s, an API token "
			"may not",
			b->w->privileged ? " that is privileged" : "");
		return -1;
	}
	pve_form_set(b->form, "features", wanted ? wanted : "nesting=1",
		wanted ? OPTION("features") : DEFAULT("nesting"));
	return 0;
}

/* ---- host paths ---- */

/* Only there, and only by that login. */
static int check_host_paths(struct build *b, const char *from)
{
	if (!b->t->ticket) {
		err_set(b->err, ERR_UNSUPPORTED, from,
			"only root@pam with its password may give host paths and devices to a "
			"guest, an API token may not");
		return err_hint(b->err, "proxmox.user \"root@pam\" and proxmox.passwordFile "
					"instead of proxmox.tokenFile");
	}
	if (b->cfg->local_node && str_eq(b->t->node, b->cfg->local_node))
		return 0;
	err_set(b->err, ERR_UNSUPPORTED, from,
		"host paths and devices are only there where the guest runs on this host's node, "
		"not on %s",
		b->t->node);
	return err_hint(b->err, "proxmox.localNode says which one that is");
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (const char *p = path; *p; p++)
		n += *p == '/';
	return n;
}

/* The server mounts them by index: parents before what lies in them, else in their order. */
static void sort_mounts(const struct wish_mount **list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct wish_mount *m = list[i];
		size_t k = i;
		for (; k && depth(list[k - 1]->target) > depth(m->target); k--)
			list[k] = list[k - 1];
		list[k] = m;
	}
}

static int add_mount(struct build *b, size_t i, const struct wish_mount *m)
{
	_str_ struct str text = { 0 };
	char name[32];

	if (check_host_paths(b, m->from) < 0)
		return -1;
	if (pve_prop_add(&text, NULL, m->source, b->err) < 0 ||
		pve_prop_add(&text, "mp", m->target, b->err) < 0 ||
		(m->readonly && pve_prop_add(&text, "ro", "1", b->err) < 0) ||
		(m->options && pve_prop_add(&text, "mountoptions", m->options, b->err) < 0))
		return err_in(b->err, "%s", m->from);
	snprintf(name, sizeof(name), "mp%zu", i);
	return add_prop(b, name, &text, m->from);
}

static int add_mounts(struct build *b)
{
	const size_t n = b->w->n_mounts;
	const struct wish_mount *list[MOUNTS_MAX];

	if (n > MOUNTS_MAX)
		return err_set(b->err, ERR_UNSUPPORTED, NULL,
			"a guest has at most %d mounts, not %zu", MOUNTS_MAX, n);
	for (size_t i = 0; i < n; i++)
		list[i] = &b->w->mounts[i];
	sort_mounts(list, n);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++)
			if (str_eq(list[i]->target, list[k]->target))
				return err_set(b->err, ERR_INVALID, list[i]->from,
					"something is mounted on %s already", list[i]->target);
		if (add_mount(b, i, list[i]) < 0)
			return -1;
	}
	return 0;
}

static int add_devices(struct build *b)
{
	if (b->w->n_devices > DEVICES_MAX)
		return err_set(b->err, ERR_UNSUPPORTED, NULL,
			"a guest has at most %d devices, not %zu", DEVICES_MAX, b->w->n_devices);
	for (size_t i = 0; i < b->w->n_devices; i++) {
		const struct wish_device *d = &b->w->devices[i];
		_str_ struct str text = { 0 };
		char name[32];

		if (check_host_paths(b, d->from) < 0)
			return -1;
		if (pve_prop_add(&text, NULL, d->path, b->err) < 0 ||
			(d->readonly && pve_prop_add(&text, "deny-write", "1", b->err) < 0))
			return err_in(b->err, "%s", d->from);
		snprintf(name, sizeof(name), "dev%zu", i);
		if (add_prop(b, name, &text, d->from) < 0)
			return -1;
	}
	return 0;
}

/* ---- the program ---- */

static int needs_91(const struct build *b, const char *what)
{
	if (!is_before(b->t, 9, 1))
		return 0;
	err_set(b->err, ERR_UNSUPPORTED, what, "it needs Proxmox VE 9.1, the server has %u.%u",
		b->t->major, b->t->minor);
	return -1;
}

static int check_version(struct build *b)
{
	if (b->t->template.oci && needs_91(b, "a guest from an OCI archive") < 0)
		return -1;
	if (b->w->n_argv && needs_91(b, "a command of one's own") < 0)
		return -1;
	return b->w->env.n ? needs_91(b, "an environment") : 0;
}

/* The server keeps an image's command line as a whole. */
static int no_args_only(const struct guest_wish *w, struct err *err)
{
	if (!w->args_only)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "config.args",
		"the server doesn't tell the image's entrypoint from its command: what of it the "
		"arguments would replace can't be known");
	return err_hint(err, "give config.command as well, or say in proxmox.images what the "
			     "image's entrypoint is");
}

static int set_program(const char *const *argv, size_t n, const char *cwd, struct ctr_map_str *env,
	struct arena *a, struct pve_form *form, struct err *err)
{
	const char *text;
	bool shell;

	if (pve_entrypoint(argv, n, cwd, a, env, &text, &shell, err) < 0)
		return -1;
	pve_form_set(form, "entrypoint", text, REQUEST);
	return 0;
}

static int set_env(
	const struct ctr_map_str *env, struct arena *a, struct pve_form *form, struct err *err)
{
	const char *text;
	size_t n;

	if (env->n == 0)
		return 0;
	if (pve_env(env, a, &text, &n, err) < 0)
		return err_in(err, "environment");
	pve_form_setn(form, "env", text, n, REQUEST);
	pve_form_hide(form, "env");
	return 0;
}

/* There is nothing that could go there: the waiver lets it go, and it is noted. */
static int lose_folder(
	struct guest_wish *w, const struct settings_proxmox *cfg, const char *why, struct err *err)
{
	if (cfg->waive[WAIVE_WORKING_DIR]) {
		w->waived[WAIVE_WORKING_DIR] = true;
		return 0;
	}
	return err_set(err, ERR_UNSUPPORTED, w->cwd,
		"%s; \"%s\" in proxmox.waive would let the working directory go", why,
		settings_waiver_name(WAIVE_WORKING_DIR));
}

/* Of a template, which begins in "/". */
static int add_program(struct build *b)
{
	struct guest_wish *w = b->w;
	const char *cwd = str_eq(w->cwd, "/") ? NULL : w->cwd;
	struct ctr_map_str env = w->env;
	const char **argv = w->argv;
	size_t n = w->n_argv;

	if (cwd && n == 0 && lose_folder(w, b->cfg, "a guest's own init begins in /", b->err) < 0)
		return -1;
	if (w->args_only && n) {
		argv = arena_array(b->a, n + 1, sizeof(*argv));
		if (!argv)
			return err_nomem(b->err);
		argv[0] = INIT;
		memcpy(argv + 1, w->argv, n * sizeof(*argv));
		n++;
	}
	if (n && set_program(argv, n, cwd, &env, b->a, b->form, b->err) < 0)
		return -1;
	/* Its console shows what the program writes, not a login. */
	if (!runs_init(b))
		pve_form_set(b->form, "cmode", "console", NULL);
	return set_env(&env, b->a, b->form, b->err);
}

/* ---- all of it ---- */

static void add_list(struct build *b, const char *name, const char **list, size_t n)
{
	_str_ struct str text = { 0 };

	for (size_t i = 0; i < n; i++)
		str_printf(&text, "%s%s", i ? " " : "", list[i]);
	if (text.failed)
		b->form->failed = true;
	else if (n)
		pve_form_set(b->form, name, text.p, REQUEST);
}

static void add_flags(struct build *b)
{
	static const struct {
		const char *key, *from;
	} texts[] = { { "startup", OPTION("startup") }, { "timezone", OPTION("timezone") },
		{ "ostype", OPTION("ostype") } };
	const char *onboot = option(b, "onboot"), *protection = option(b, "protection");
	const char *pool = option(b, "pool");

	pve_form_set(b->form, "onboot",
		(onboot ? option_is_on(onboot) : b->cfg->onboot) ? "1" : "0",
		onboot ? OPTION("onboot") : DEFAULT("onboot"));
	if (protection)
		pve_form_set(b->form, "protection", option_is_on(protection) ? "1" : "0",
			OPTION("protection"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (option(b, texts[i].key))
			pve_form_set(b->form, texts[i].key, option(b, texts[i].key), texts[i].from);
	if (pool)
		pve_form_set(b->form, "pool", pool, OPTION("pool"));
	else if (b->cfg->pool)
		pve_form_set(b->form, "pool", b->cfg->pool, DEFAULT("pool"));
}

static int add_identity(struct build *b)
{
	const char *text = pve_description(&b->w->who, b->t->vmid, b->a, b->err);
	char tag[PVE_TAG_MAX];

	if (!text)
		return -1;
	pve_form_set(b->form, "description", text, NULL);
	if (!b->t->no_tags)
		pve_form_setf(b->form, "tags", NULL, "ctrctl;%s", pve_tag(b->w->who.id, tag));
	return 0;
}

int params_build(struct guest_wish *w, const struct pve_target *t,
	const struct settings_proxmox *cfg, struct arena *a, struct pve_form *form, struct err *err)
{
	struct build b = { w, t, cfg, a, form, err };

	*form = (struct pve_form)PVE_FORM_INIT(a);
	if (check_version(&b) < 0 || (t->template.oci && no_args_only(w, err) < 0))
		return -1;
	pve_form_setf(form, "vmid", NULL, "%u", t->vmid);
	pve_form_set(form, "ostemplate", t->template.volid, REQUEST);
	pve_form_set(form, "hostname", w->hostname, w->hostname_from);
	pve_form_set(form, "unprivileged", w->privileged ? "0" : "1", REQUEST);
	add_resources(&b);
	if (add_rootfs(&b) < 0 || add_net(&b) < 0 || add_features(&b) < 0)
		return -1;
	add_list(&b, "nameserver", w->dns_servers, w->n_dns_servers);
	add_list(&b, "searchdomain", w->dns_searches, w->n_dns_searches);
	if (add_mounts(&b) < 0 || add_devices(&b) < 0)
		return -1;
	add_flags(&b);
	if (!t->template.oci && add_program(&b) < 0)
		return -1;
	if (add_identity(&b) < 0)
		return -1;
	name_places(form, w);
	return pve_form_ok(form, err);
}

/* ---- the second step ---- */

static const char *text_of(const struct json *config, const char *key)
{
	const struct json *v = config ? json_get(config, key) : NULL;

	return v && v->type == JSON_STRING ? v->text : NULL;
}

/* Lines that the API shows but doesn't take: [["lxc.init.cwd", "/srv"], ...]. */
static const char *lxc_line(const struct json *config, const char *key)
{
	const struct json *lines = config ? json_get(config, "lxc") : NULL;

	if (!lines || lines->type != JSON_ARRAY)
		return NULL;
	json_for_each (line, lines) {
		const struct json *k = line->type == JSON_ARRAY ? line->child : NULL;
		if (k && k->next && str_eq(k->text, key))
			return k->next->text;
	}
	return NULL;
}

/* Root was asked for, but the image's program runs as its image says. */
static int check_root(struct guest_wish *w, const struct settings_proxmox *cfg,
	const struct json *config, struct err *err)
{
	const struct {
		const char *from, *id;
	} all[] = { { w->root_user, lxc_line(config, "lxc.init.uid") },
		{ w->root_group, lxc_line(config, "lxc.init.gid") } };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!all[i].from || !all[i].id || str_eq(all[i].id, "0"))
			continue;
		if (!cfg->waive[WAIVE_USER]) {
			err_set(err, ERR_UNSUPPORTED, all[i].from,
				"root is asked for, but the image's program runs as %s %.20s",
				i ? "group" : "user", all[i].id);
			return err_hint(err, "\"%s\" in proxmox.waive would let it go",
				settings_waiver_name(WAIVE_USER));
		}
		w->waived[WAIVE_USER] = true;
	}
	return 0;
}

static bool same_words(const char **a, size_t n, const char **b, size_t m)
{
	if (n != m)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(a[i], b[i]))
			return false;
	return true;
}

/* What the image runs: *ret_rewrite when LXC would read it otherwise. */
static int image_program(const char *text, struct arena *a, const char ***ret, size_t *ret_n,
	bool *ret_rewrite, struct err *err)
{
	const char **meant, **read;
	size_t n_meant, n_read;
	bool servers;

	*ret_n = 0;
	*ret_rewrite = false;
	if (!text || !*text)
		return 0;
	if (pve_entrypoint_is_servers(text, a, &servers, err) < 0 ||
		pve_shell_split(text, a, &meant, &n_meant, err) < 0 ||
		pve_entrypoint_split(text, a, &read, &n_read, err) < 0)
		return -1;
	/* Another text is ours: this was done before. */
	*ret = servers ? meant : read;
	*ret_n = servers ? n_meant : n_read;
	/* An empty word at the end is lost where it is read. */
	*ret_rewrite = servers && (!same_words(meant, n_meant, read, n_read) ||
					  (n_meant && !*meant[n_meant - 1]));
	return 0;
}

static int second_program(struct guest_wish *w, const struct settings_proxmox *cfg,
	const struct json *config, struct ctr_map_str *env, struct arena *a, struct pve_form *form,
	struct err *err)
{
	const char *text = text_of(config, "entrypoint");
	const char *own = lxc_line(config, "lxc.init.cwd");
	const char *cwd = config && str_eq(w->cwd, own ? own : "/") ? NULL : w->cwd;
	const char **argv = NULL;
	size_t n;
	bool rewrite;

	if (w->n_argv)
		return set_program(w->argv, w->n_argv, cwd, env, a, form, err);
	if (image_program(text, a, &argv, &n, &rewrite, err) < 0)
		return -1;
	if (pve_entrypoint_is_shell(text))
		return 0; /* ours */
	if (cwd && n == 0 && config)
		return lose_folder(
			w, cfg, "the image names no command that could be started there", err);
	return n && (rewrite || cwd) ? set_program(argv, n, cwd, env, a, form, err) : 0;
}

/* The server writes an image's variables as they are, but takes them only as its rules say. */
static int check_image_env(
	const struct guest_wish *w, const struct ctr_map_str *image, struct err *err)
{
	for (size_t i = 0; i < image->n; i++) {
		const struct ctr_pair *v = &image->items[i];
		const char *problem = pve_env_problem(v->key, v->value);

		if (problem && !ctr_map_get(&w->env, v->key))
			return err_set(err, ERR_UNSUPPORTED, v->key,
				"this variable of the image's own can't be sent back to the server "
				"beside others: %s",
				problem);
	}
	return 0;
}

static int image_env(
	const struct json *config, struct arena *a, struct ctr_map_str *ret, struct err *err)
{
	const char *text = text_of(config, "env");

	*ret = (struct ctr_map_str){ 0 };
	return text ? pve_env_parse(text, strlen(text), a, ret, err) : 0;
}

static int second_env(const struct guest_wish *w, const struct ctr_map_str *image, struct arena *a,
	struct ctr_map_str *ret, struct err *err)
{
	const struct ctr_map_str *const both[] = { image, &w->env };

	*ret = (struct ctr_map_str){ 0 };
	for (size_t k = 0; k < ARRAY_SIZE(both); k++)
		for (size_t i = 0; i < both[k]->n; i++)
			if (pve_map_set(ret, both[k]->items[i].key, both[k]->items[i].value, a,
				    err) < 0)
				return -1;
	return 0;
}

/* What is there already needn't be sent. */
static bool is_there(const struct pve_form *form, const struct json *config, const char *name)
{
	const struct pve_param *p = pve_form_get(form, name);
	const char *text = text_of(config, name);

	if (!p)
		return true;
	if (!text || strlen(text) != p->n)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (text[i] != p->value[i] && !(text[i] == 1 && !p->value[i]))
			return false;
	return true;
}

int params_second(struct guest_wish *w, const struct settings_proxmox *cfg,
	const struct json *config, struct arena *a, struct pve_form *form, struct err *err)
{
	struct pve_form all = PVE_FORM_INIT(a);
	static const char *const names[] = { "entrypoint", "env" };
	const char *digest = text_of(config, "digest");
	const struct ctr_pair *before;
	struct ctr_map_str image, env;

	*form = (struct pve_form)PVE_FORM_INIT(a);
	if (no_args_only(w, err) < 0 || check_root(w, cfg, config, err) < 0 ||
		image_env(config, a, &image, err) < 0 || second_env(w, &image, a, &env, err) < 0)
		return -1;
	before = env.items;
	if (second_program(w, cfg, config, &env, a, &all, err) < 0)
		return -1;
	/* The image's alone stay as they are, whatever they are. */
	if ((w->env.n || env.items != before) &&
		(check_image_env(w, &image, err) < 0 || set_env(&env, a, &all, err) < 0))
		return -1;
	if (pve_form_ok(&all, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct pve_param *p = pve_form_get(&all, names[i]);
		if (p && !is_there(&all, config, names[i]))
			pve_form_setn(form, p->name, p->value, p->n, p->from);
	}
	pve_form_hide(form, "env");
	if (form->n && digest)
		pve_form_set(form, "digest", digest, NULL);
	name_places(form, w);
	return pve_form_ok(form, err);
}
