/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a CRI request, a container and a pod, but for what lies in the parts of their own
 * files. */
#include "model/cri-check.h"

#include <stdarg.h>
#include <string.h>

enum {
	NAME_MAX_BYTES = 253, /* a DNS name */
	LABEL_MAX_BYTES = 63, /* a DNS label */
	HOSTNAME_MAX = 64,    /* __NEW_UTS_LEN */
	ID_MAX = 200,
	PATH_MAX_BYTES = 4095,
	MOUNTS_MAX = 4096,
	DEVICES_MAX = 1024,
	ENVS_MAX = 16384,
};

#define CDI_ANNOTATION "cdi.k8s.io/"

/* ---- where the check is ---- */

size_t cri_enter(struct cri_check *c, const char *fmt, ...)
{
	size_t mark = c->n, left = sizeof(c->where) - c->n;
	va_list ap;

	if (mark && left > 1) {
		c->where[c->n++] = '.';
		left--;
	}
	va_start(ap, fmt);
	int n = vsnprintf(c->where + c->n, left, fmt, ap);
	va_end(ap);
	c->n += MIN((size_t)MAX(n, 0), left - 1);
	return mark;
}

void cri_leave(struct cri_check *c, size_t mark)
{
	c->n = mark;
	c->where[mark] = 0;
}

void cri_fault(struct cri_check *c, enum err_code code, const char *field, const char *fmt, ...)
{
	char place[sizeof(((struct ctr_fault *)0)->field)];
	char text[sizeof(((struct ctr_fault *)0)->text)];
	va_list ap;

	snprintf(place, sizeof(place), "%s%s%s", c->where, c->n && *field ? "." : "", field);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctr_fault_add(c->faults, code, place, "%s", text);
}

/* ---- single values ---- */

bool cri_is_plain(const char *text)
{
	size_t left = text ? strlen(text) : 0;

	while (left) {
		const unsigned char *p = (const unsigned char *)text;
		size_t n = utf8_len(text, left);
		if (n == 0 || p[0] < 0x20 || p[0] == 0x7f)
			return false;
		if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
			return false;
		text += n;
		left -= n;
	}
	return true;
}

void cri_check_plain(struct cri_check *c, const char *field, const char *text)
{
	if (!cri_is_plain(text))
		cri_fault(c, ERR_INVALID, field, "has control characters, which it must not");
}

void cri_check_path(struct cri_check *c, const char *field, const char *path)
{
	if (!path)
		return;
	cri_check_plain(c, field, path);
	if (path[0] != '/')
		cri_fault(
			c, ERR_INVALID, field, "must be an absolute path, \"%.200s\" is not", path);
	if (strlen(path) > PATH_MAX_BYTES)
		cri_fault(c, ERR_INVALID, field, "is longer than %d bytes", PATH_MAX_BYTES);
}

bool cri_has_dotdot(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'))
			return true;
	}
	return false;
}

void cri_check_relative_path(struct cri_check *c, const char *field, const char *path)
{
	if (!path)
		return;
	cri_check_plain(c, field, path);
	if (path[0] == '/')
		cri_fault(c, ERR_INVALID, field, "must be a relative path, \"%.200s\" is absolute",
			path);
	if (cri_has_dotdot(path))
		cri_fault(c, ERR_INVALID, field, "must not have \"..\" in it");
	if (strlen(path) > PATH_MAX_BYTES)
		cri_fault(c, ERR_INVALID, field, "is longer than %d bytes", PATH_MAX_BYTES);
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and `more` inside; letters and digits at both ends. */
static bool is_name(const char *s, const char *more)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!is_letter_or_digit(s[i]) && !strchr(more, s[i]))
			return false;
	return n && is_letter_or_digit(s[0]) && is_letter_or_digit(s[n - 1]);
}

/* Names are joined by "_" to the names of containers and sandboxes, so they don't have it. */
static void check_name(struct cri_check *c, const char *field, const char *name, size_t max)
{
	if (!name)
		cri_fault(c, ERR_INVALID, field, "must not be empty");
	else if (strlen(name) > max)
		cri_fault(c, ERR_INVALID, field, "is longer than %zu bytes", max);
	else if (!is_name(name, "-."))
		cri_fault(c, ERR_INVALID, field,
			"must be letters, digits, \"-\" and \".\", and begin and end with a letter or digit");
}

/* The JSON holds enums to their names already; callers of the library can put any number there. */
static void check_enums(struct cri_check *c, const struct json_field *fields, const char *base)
{
	for (const struct json_field *f = fields; f->name; f++) {
		const char *p = base + f->off;
		size_t n = 1;
		if (f->kind == J_ENUM && !name_of(f->more, *(const int *)p))
			cri_fault(c, ERR_INVALID, f->name, "%d is no value of this field",
				*(const int *)p);
		if (f->kind != J_OBJECT)
			continue;
		memcpy(&p, base + f->off, sizeof(p));
		if (f->flags & J_LIST)
			memcpy(&n, base + f->off_n, sizeof(n));
		for (size_t i = 0; p && i < n; i++) {
			size_t mark = f->flags & J_LIST ? cri_enter(c, "%s[%zu]", f->name, i)
							: cri_enter(c, "%s", f->name);
			check_enums(c, f->more, p + i * f->size);
			cri_leave(c, mark);
		}
	}
}

/* ---- labels and annotations ---- */

static void check_labels(struct cri_check *c, const struct ctr_map_str *labels)
{
	size_t total = 0;

	for (size_t i = 0; i < labels->n; i++) {
		total += strlen(labels->items[i].key) + strlen(labels->items[i].value);
		if (!*labels->items[i].key || !cri_is_plain(labels->items[i].key))
			cri_fault(c, ERR_INVALID, "labels",
				"a key is empty or has control characters");
	}
	if (total > CRI_LABELS_MAX)
		cri_fault(c, ERR_INVALID, "labels",
			"keys and values are %zu bytes together, %d are allowed", total,
			CRI_LABELS_MAX);
}

static void check_annotations(
	struct cri_check *c, const char *field, const struct ctr_map_str *annotations)
{
	for (size_t i = 0; i < annotations->n; i++)
		if (!*annotations->items[i].key || !cri_is_plain(annotations->items[i].key))
			cri_fault(
				c, ERR_INVALID, field, "a key is empty or has control characters");
}

/* Devices by annotation would be as silent as privileges by a misspelt key. */
static void check_cdi(struct cri_check *c, const struct cri_container_config *config)
{
	static const char why[] =
		"devices of the Container Device Interface (CDI) aren't supported";

	for (size_t i = 0; i < config->n_cdi_devices; i++) {
		size_t mark = cri_enter(c, "CDI_devices[%zu]", i);
		cri_fault(c, ERR_UNSUPPORTED, "", "%s: \"%.100s\"", why,
			config->cdi_devices[i].name ? config->cdi_devices[i].name : "");
		cri_leave(c, mark);
	}
	for (size_t i = 0; i < config->annotations.n; i++) {
		const char *key = config->annotations.items[i].key;
		if (!str_starts(key, CDI_ANNOTATION))
			continue;
		size_t mark = cri_enter(c, "annotations[\"%.80s\"]", key);
		cri_fault(c, ERR_UNSUPPORTED, "", "%s", why);
		cri_leave(c, mark);
	}
}

/* ---- container ---- */

static void check_image(struct cri_check *c, const struct cri_image_spec *image)
{
	static const struct cri_image_spec none = { 0 };
	size_t mark = cri_enter(c, "image");

	image = image ? image : &none;
	if (!image->image)
		cri_fault(c, ERR_INVALID, "image", "must not be empty");
	cri_check_plain(c, "image", image->image);
	cri_check_plain(c, "user_specified_image", image->user_specified_image);
	cri_check_plain(c, "runtime_handler", image->runtime_handler);
	cri_check_plain(c, "image_ref", image->image_ref);
	check_annotations(c, "annotations", &image->annotations);
	cri_leave(c, mark);
}

static void check_envs(struct cri_check *c, const struct cri_container_config *config)
{
	for (size_t i = 0; i < config->n_envs && i < ENVS_MAX; i++) {
		const char *key = config->envs[i].key;
		size_t mark = cri_enter(c, "envs[%zu]", i);
		if (!key)
			cri_fault(c, ERR_INVALID, "key", "must not be empty");
		else if (strchr(key, '='))
			cri_fault(c, ERR_INVALID, "key", "must not have \"=\" in it");
		cri_check_plain(c, "key", key);
		cri_leave(c, mark);
	}
}

static void check_count(struct cri_check *c, const char *field, size_t n, size_t max)
{
	if (n > max)
		cri_fault(c, ERR_INVALID, field, "has %zu items, %zu are allowed", n, max);
}

static void check_mounts_and_devices(struct cri_check *c, const struct cri_container_config *config)
{
	bool privileged = cri_security(config)->privileged;

	check_count(c, "mounts", config->n_mounts, MOUNTS_MAX);
	check_count(c, "devices", config->n_devices, DEVICES_MAX);
	check_count(c, "envs", config->n_envs, ENVS_MAX);
	for (size_t i = 0; i < config->n_mounts && i < MOUNTS_MAX; i++) {
		size_t mark = cri_enter(c, "mounts[%zu]", i);
		cri_check_mount(c, &config->mounts[i], privileged);
		cri_leave(c, mark);
	}
	for (size_t i = 0; i < config->n_devices && i < DEVICES_MAX; i++) {
		size_t mark = cri_enter(c, "devices[%zu]", i);
		cri_check_device(c, &config->devices[i]);
		cri_leave(c, mark);
	}
}

static bool names_a_folder(const char *path)
{
	return str_ends(path, "/") || str_ends(path, "/.") || str_eq(path, ".");
}

static void check_stdio(struct cri_check *c, const struct cri_container_config *config)
{
	cri_check_relative_path(c, "log_path", config->log_path);
	if (config->log_path && names_a_folder(config->log_path))
		cri_fault(c, ERR_INVALID, "log_path", "must name a file, not a folder");
	if (config->stdin_once && !config->stdin_)
		cri_fault(c, ERR_INVALID, "stdin_once", "needs stdin");
}

static void check_container_linux(struct cri_check *c, const struct cri_container_config *config)
{
	size_t mark = cri_enter(c, "linux"), inner;

	inner = cri_enter(c, "resources");
	cri_check_resources(c, cri_resources(config));
	cri_leave(c, inner);
	inner = cri_enter(c, "security_context");
	cri_check_container_security(c, cri_security(config));
	cri_leave(c, inner);
	cri_leave(c, mark);
}

static void check_container(struct cri_check *c, const struct cri_container_config *config)
{
	check_name(c, "metadata.name", config->metadata ? config->metadata->name : NULL,
		NAME_MAX_BYTES);
	check_image(c, config->image);
	if (config->n_command && !*config->command[0])
		cri_fault(c, ERR_INVALID, "command[0]",
			"must not be empty: it is the program's name");
	cri_check_plain(c, "working_dir", config->working_dir);
	check_envs(c, config);
	check_mounts_and_devices(c, config);
	check_labels(c, &config->labels);
	check_annotations(c, "annotations", &config->annotations);
	check_cdi(c, config);
	check_stdio(c, config);
	check_container_linux(c, config);
	if (config->windows)
		cri_fault(c, ERR_UNSUPPORTED, "windows", "can't be honoured on Linux");
}

/* ---- pod ---- */

static void check_hostname(struct cri_check *c, const struct cri_pod_sandbox_config *pod)
{
	const char *name = pod->hostname;

	if (!name)
		return;
	if (strlen(name) > HOSTNAME_MAX)
		cri_fault(c, ERR_INVALID, "hostname", "is longer than %d bytes", HOSTNAME_MAX);
	else if (!is_name(name, "-."))
		cri_fault(c, ERR_INVALID, "hostname",
			"must be letters, digits, \"-\" and \".\", and begin and end with a letter or digit");
	if (cri_pod_namespaces(pod)->network == CRI_NS_NODE)
		cri_fault(c, ERR_INVALID, "hostname",
			"must be empty: with the host's network the pod has the host's name");
}

static void check_pod_metadata(struct cri_check *c, const struct cri_pod_sandbox_metadata *m)
{
	static const struct cri_pod_sandbox_metadata none = { 0 };
	size_t mark = cri_enter(c, "metadata");

	m = m ? m : &none;
	check_name(c, "name", m->name, NAME_MAX_BYTES);
	check_name(c, "namespace", m->namespace, LABEL_MAX_BYTES);
	check_name(c, "uid", m->uid, NAME_MAX_BYTES);
	cri_leave(c, mark);
}

static void check_pod_linux(struct cri_check *c, const struct cri_pod_sandbox_config *pod)
{
	static const struct cri_linux_pod_sandbox_config none = { 0 };
	const struct cri_linux_pod_sandbox_config *l = pod->linux_ ? pod->linux_ : &none;
	const struct cri_linux_container_resources *const sums[] = { l->overhead, l->resources };
	const char *const names[] = { "overhead", "resources" };
	size_t mark = cri_enter(c, "linux"), inner;

	cri_check_plain(c, "cgroup_parent", l->cgroup_parent);
	if (cri_has_dotdot(l->cgroup_parent))
		cri_fault(c, ERR_INVALID, "cgroup_parent", "must not have \"..\" in it");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		inner = cri_enter(c, "%s", names[i]);
		if (sums[i])
			cri_check_resources(c, sums[i]);
		cri_leave(c, inner);
	}
	inner = cri_enter(c, "security_context");
	cri_check_pod_security(c, cri_pod_security(pod));
	cri_leave(c, inner);
	cri_check_sysctls(c, pod);
	cri_leave(c, mark);
}

static void check_pod(struct cri_check *c, const struct cri_pod_sandbox_config *pod)
{
	check_pod_metadata(c, pod->metadata);
	check_hostname(c, pod);
	cri_check_path(c, "log_directory", pod->log_directory);
	if (cri_has_dotdot(pod->log_directory))
		cri_fault(c, ERR_INVALID, "log_directory", "must not have \"..\" in it");
	if (pod->dns_config)
		cri_check_dns(c, pod->dns_config);
	cri_check_ports(c, pod);
	check_labels(c, &pod->labels);
	check_annotations(c, "annotations", &pod->annotations);
	check_pod_linux(c, pod);
	if (pod->windows)
		cri_fault(c, ERR_UNSUPPORTED, "windows", "can't be honoured on Linux");
}

void cri_pod_check(
	const struct cri_pod_sandbox_config *pod, const char *where, struct ctr_faults *faults)
{
	struct cri_check c = { .faults = faults };

	c.n = MIN(strlen(where), sizeof(c.where) - 1);
	memcpy(c.where, where, c.n);
	check_enums(&c, cri_pod_fields, (const char *)pod);
	check_pod(&c, pod);
}

/* ---- request ---- */

static void check_sandbox_id(struct cri_check *c, const char *id)
{
	if (!id)
		cri_fault(c, ERR_INVALID, "pod_sandbox_id", "must not be empty");
	else if (strlen(id) > ID_MAX || !is_name(id, "-._"))
		cri_fault(c, ERR_INVALID, "pod_sandbox_id", "is no id of a sandbox");
}

void cri_request_check(const struct cri_create_container_request *r, struct ctr_faults *faults)
{
	struct cri_check c = { .faults = faults };
	size_t mark;

	check_sandbox_id(&c, r->pod_sandbox_id);
	if (!r->config)
		cri_fault(&c, ERR_INVALID, "config", "is missing");
	mark = cri_enter(&c, "config");
	if (r->config) {
		check_enums(&c, cri_container_fields, (const char *)r->config);
		check_container(&c, r->config);
	}
	cri_leave(&c, mark);
	if (r->sandbox_config)
		cri_pod_check(r->sandbox_config, "sandbox_config", faults);
	if (r->config && r->sandbox_config)
		cri_container_check_in_pod(r->config, r->sandbox_config, faults);
}
