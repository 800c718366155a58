/* SPDX-License-Identifier: Apache-2.0 */
#include "model/settings.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "model/pattern.h"
#include "model/settings-proxmox.h"

#include <fcntl.h>
#include <string.h>

enum { CAPS_DEFAULT, CAPS_RESTRICTED };
enum { LOG_FILES = 5, NAME_MAX_ = 253 };

static const char *const backends[] = { "native", "proxmox" };
static const char *const caps_names[] = { "default", "restricted" };
static const struct name_table caps_table = { caps_names, ARRAY_SIZE(caps_names) };

/* The mission's three rules; what none of the table matches is native. */
static const struct settings_route builtin_routes[] = {
	{ "lxc/**", "proxmox" },
	{ "db-**", "proxmox" },
	{ "vm-**", "proxmox" },
};
static const char *const builtin_strip[] = { "docker.io/library/", "docker.io/", "localhost/" };
static const char *const builtin_seccomp_dirs[] = { "/var/lib/kubelet/seccomp",
	"/etc/ctrctl/seccomp" };

/* Annotations with these beginnings steer a runtime, or are the runtime's to write: a pod must not
 * bring them. */
static const char *const denied_annotations[] = { "org.systemd.property.", "run.oci.",
	"cdi.k8s.io/", "io.kubernetes.cri.", "io.kubernetes.cri-o.", "org.ctrctl.", "org.criu." };

/* What the tables fill: the settings, and what becomes one of them. */
struct file {
	struct settings s;
	int caps;
};

static const struct json_field route_fields[] = {
	J_ROW_STR(struct settings_route, image, "image", J_REQUIRED),
	J_ROW_STR(struct settings_route, backend, "backend", J_REQUIRED),
	{ 0 },
};

static const struct json_field routing_fields[] = {
	J_ROW_LIST(struct settings, routes, "routes", J_OBJECT, 0, struct settings_route *,
		route_fields),
	J_ROW_BOOL(struct file, s.replace_routes, "replaceDefaults", 0),
	J_ROW_LIST(struct settings, strip, "stripPrefixes", J_STR, 0, const char **, NULL),
	J_ROW_BOOL(struct file, s.annotation_allowed, "allowAnnotation", 0),
	J_ROW_MAP(struct file, s.handlers, "runtimeHandlers"),
	{ 0 },
};

static const struct json_field defaults_fields[] = {
	J_ROW_ENUM(struct file, caps, "capabilities", 0, &caps_table),
	J_ROW_LIST(
		struct settings, seccomp_dirs, "seccompProfileDirs", J_STR, 0, const char **, NULL),
	J_ROW_STR(struct file, s.apparmor_profile, "apparmorProfile", 0),
	J_ROW_LIST(struct settings, annotations, "annotations", J_STR, 0, const char **, NULL),
	{ .name = "pidsLimit",
		.kind = J_I64,
		.off = offsetof(struct file, s.pids_limit),
		.size = sizeof(int64_t),
		.min = 0,
		.max = INT64_MAX },
	{ 0 },
};

static const struct json_field logs_fields[] = {
	J_ROW_U64(struct file, s.log_max_bytes, "maxBytes", 0),
	{ .name = "maxFiles",
		.kind = J_U32,
		.off = offsetof(struct file, s.log_max_files),
		.size = sizeof(uint32_t),
		.max = SETTINGS_LOG_FILES_MAX },
	{ 0 },
};

/* Sections of the file, not structs of their own: each table counts from the same beginning. */
#define ROW_SECTION(nm, tb)                                                            \
	{                                                                              \
		.name = (nm), .kind = J_OBJECT, .off = 0, .size = sizeof(struct file), \
		.more = (tb)                                                           \
	}
static const struct json_field file_fields[] = {
	ROW_SECTION("routing", routing_fields),
	ROW_SECTION("defaults", defaults_fields),
	ROW_SECTION("logs", logs_fields),
	J_ROW_IGNORED("proxmox"), /* read_proxmox(): whether it is there counts */
	{ 0 },
};
_Static_assert(
	offsetof(struct file, s) == 0, "rows of struct settings count from the file's beginning");

/* ---- checks ---- */

int settings_check_backend(const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		if (str_eq(backends[i], name))
			return 0;
	}
	err_set(err, ERR_INVALID, name, "there is no such backend");
	return err_hint(err, "one of: native, proxmox");
}

static int check_routes(const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_routes; i++) {
		const struct settings_route *r = &s->routes[i];

		if (pattern_check(r->image, err) < 0) {
			err_in(err, "image");
			return err_in(err, "routes[%zu]", i);
		}
		if (settings_check_backend(r->backend, err) < 0) {
			err_in(err, "backend");
			return err_in(err, "routes[%zu]", i);
		}
	}
	return 0;
}

static int check_strip(const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_strip; i++) {
		if (str_ends(s->strip[i], "/") && *s->strip[i] != '/')
			continue;
		err_set(err, ERR_INVALID, s->strip[i],
			"a prefix is one or more whole parts of a name, with the \"/\" behind them");
		return err_in(err, "stripPrefixes[%zu]", i);
	}
	return 0;
}

static int check_handlers(const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->handlers.n; i++) {
		const struct ctr_pair *h = &s->handlers.items[i];
		int r = settings_check_backend(h->value, err);

		if (r == 0 && !*h->key)
			r = err_set(err, ERR_INVALID, NULL, "a handler has a name");
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(backends); k++) {
			if (str_eq(h->key, backends[k]) && !str_eq(h->value, backends[k]))
				r = err_set(err, ERR_INVALID, h->key,
					"the handler of this name is the backend of this name");
		}
		if (r < 0)
			return err_in(err, "runtimeHandlers[\"%s\"]", h->key);
	}
	return 0;
}

static int check_seccomp_dirs(const struct settings *s, struct arena *a, struct err *err)
{
	for (size_t i = 0; i < s->n_seccomp_dirs; i++) {
		const char *dir = s->seccomp_dirs[i], *clean = path_clean(a, dir);

		if (!clean)
			return err_nomem(err);
		if (*dir == '/' && dir[1] && str_eq(dir, clean))
			continue;
		err_set(err, ERR_INVALID, dir,
			"it must be the absolute path of a folder, without \"..\", and not \"/\"");
		return err_in(err, "seccompProfileDirs[%zu]", i);
	}
	return 0;
}

static int check_annotation(const char *key, struct err *err)
{
	if (!*key || strlen(key) > NAME_MAX_ || strpbrk(key, "*? \t\n"))
		return err_set(err, ERR_INVALID, key, "it isn't the exact key of an annotation");
	for (size_t i = 0; i < ARRAY_SIZE(denied_annotations); i++) {
		if (str_starts(key, denied_annotations[i]))
			return err_set(err, ERR_INVALID, key,
				"annotations that begin with \"%s\" steer runtimes: a pod can't "
				"bring them",
				denied_annotations[i]);
	}
	return 0;
}

static int check_annotations(const struct settings *s, struct err *err)
{
	for (size_t i = 0; i < s->n_annotations; i++) {
		if (check_annotation(s->annotations[i], err) < 0)
			return err_in(err, "annotations[%zu]", i);
	}
	return 0;
}

static int check_apparmor(const struct settings *s, struct err *err)
{
	for (const char *p = s->apparmor_profile; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, ERR_INVALID, s->apparmor_profile,
				"no profile's name has such characters");
	}
	return *s->apparmor_profile
		       ? 0
		       : err_set(err, ERR_INVALID, NULL, "the name of a profile can't be empty");
}

static int check(const struct settings *s, struct arena *a, struct err *err)
{
	if (check_routes(s, err) < 0 || check_strip(s, err) < 0 || check_handlers(s, err) < 0)
		return err_in(err, "routing");
	if (check_seccomp_dirs(s, a, err) < 0 || check_annotations(s, err) < 0)
		return err_in(err, "defaults");
	if (check_apparmor(s, err) < 0) {
		err_in(err, "apparmorProfile");
		return err_in(err, "defaults");
	}
	return 0;
}

/* ---- defaults ---- */

static const char **copy_names(const char *const *names, size_t n, struct arena *a)
{
	const char **copy = arena_array(a, n, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = names[i];
	return copy;
}

/* The built-in routes behind the file's own. */
static int add_routes(struct settings *s, struct arena *a, struct err *err)
{
	size_t n = s->n_routes;
	struct settings_route *all = arena_array(a, n + ARRAY_SIZE(builtin_routes), sizeof(*all));

	if (!all)
		return err_nomem(err);
	if (n > 0)
		memcpy(all, s->routes, n * sizeof(*all));
	memcpy(all + n, builtin_routes, sizeof(builtin_routes));
	s->routes = all;
	s->n_routes = n + ARRAY_SIZE(builtin_routes);
	return 0;
}

static int init(struct file *f, struct arena *a, struct err *err)
{
	*f = (struct file){
		.s = {
			.strip = copy_names(builtin_strip, ARRAY_SIZE(builtin_strip), a),
			.n_strip = ARRAY_SIZE(builtin_strip),
			.seccomp_dirs = copy_names(
				builtin_seccomp_dirs, ARRAY_SIZE(builtin_seccomp_dirs), a),
			.n_seccomp_dirs = ARRAY_SIZE(builtin_seccomp_dirs),
			.apparmor_profile = SETTINGS_APPARMOR,
			.log_max_files = LOG_FILES,
		},
	};
	return arena_failed(a) ? err_nomem(err) : 0;
}

static int finish(struct file *f, struct arena *a, struct settings *ret, struct err *err)
{
	f->s.restricted_capabilities = f->caps == CAPS_RESTRICTED;
	if (check(&f->s, a, err) < 0)
		return -1;
	if (!f->s.replace_routes && add_routes(&f->s, a, err) < 0)
		return -1;
	*ret = f->s;
	return 0;
}

/* ---- reading ---- */

static int read_proxmox(
	const struct json *tree, struct arena *a, struct settings *s, struct err *err)
{
	const struct json *section = json_get(tree, "proxmox");

	if (!section || section->type == JSON_NULL)
		return 0;
	return settings_proxmox_read(section, a, &s->proxmox, err) == 0 ? 0
									: err_in(err, "proxmox");
}

int settings_parse(
	const char *text, size_t n, struct arena *a, struct settings *ret, struct err *err)
{
	const struct json *tree;
	struct file f;

	if (init(&f, a, err) < 0 || json_parse(text, n, SETTINGS_BYTES_MAX, a, &tree, err) < 0 ||
		json_bind(tree, file_fields, &f, JSON_UNKNOWN_REFUSE, a, err) < 0 ||
		read_proxmox(tree, a, &f.s, err) < 0)
		return -1;
	return finish(&f, a, ret, err);
}

int settings_load(const char *path, struct arena *a, struct settings *ret, struct err *err)
{
	const char *name = path ? path : SETTINGS_PATH;
	_free_ char *text = NULL;
	struct file none;
	size_t n;

	if (file_read(AT_FDCWD, name, SETTINGS_BYTES_MAX, &text, &n, err) == 0)
		return settings_parse(text, n, a, ret, err) == 0 ? 0 : err_in(err, "%s:", name);
	if (err->code != ERR_NOT_FOUND)
		return err_in(err, "configuration:");
	/* Not in the kernel's words: engines would take them for a statement about the container's
	 * program. */
	if (path)
		return err_set(err, ERR_NOT_FOUND, path, "the configuration file is missing");
	return init(&none, a, err) < 0 ? -1 : finish(&none, a, ret, err);
}
