/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp, AppArmor, SELinux, masked and read-only paths. A privileged container has none of them.
 */
#include "flow/spec-build.h"

#include "model/seccomp-default.h"

#include <string.h>

/* ---- what kind of profile: the message, else the deprecated text ---- */

struct profile {
	bool given;
	int type; /* enum cri_profile_type */
	const char *ref;
	const char *field;
};

static const char *trim_localhost(const char *ref)
{
	return ref && str_starts(ref, "localhost/") ? ref + strlen("localhost/") : ref;
}

static struct profile from_text(struct spec_build *b, const char *text, const char *field)
{
	struct profile p = { .field = field, .given = text && *text };

	if (!p.given || str_eq(text, "runtime/default") || str_eq(text, "docker/default"))
		return p;
	p.ref = trim_localhost(text);
	if (str_eq(text, "unconfined"))
		p.type = CRI_PROFILE_UNCONFINED;
	else if (p.ref != text && *p.ref)
		p.type = CRI_PROFILE_LOCALHOST;
	else
		ctr_fault_add(b->faults, ERR_INVALID, field,
			"\"%.100s\" is none of unconfined, runtime/default, localhost/NAME", text);
	return p;
}

static struct profile profile_of(struct spec_build *b, const struct cri_security_profile *message,
	const char *field, const char *text, const char *text_field)
{
	struct profile p = { .given = true, .field = field };

	if (!message)
		return from_text(b, text, text_field);
	p.type = message->profile_type;
	p.ref = trim_localhost(message->localhost_ref);
	if (p.type < 0 || p.type >= CRI_PROFILE_N)
		ctr_fault_add(b->faults, ERR_INVALID, field, "%d is no profile type", p.type);
	else if (p.type == CRI_PROFILE_LOCALHOST && (!p.ref || !*p.ref))
		ctr_fault_add(b->faults, ERR_INVALID, field,
			"profile_type Localhost needs a localhost_ref");
	else if (p.type != CRI_PROFILE_LOCALHOST && p.ref && *p.ref)
		ctr_fault_add(b->faults, ERR_INVALID, field,
			"localhost_ref can only be given with profile_type Localhost");
	return p;
}

/* ---- seccomp ---- */

/* The filter lets through what the capabilities need, so they must be final. */
static struct oci_seccomp *default_filter(struct spec_build *b)
{
	const struct oci_capabilities *c = b->spec->process->capabilities;

	return c ? seccomp_default(c->bounding, c->n_bounding, b->arena) : NULL;
}

static void add_seccomp(struct spec_build *b)
{
	struct oci_linux *l = b->spec->linux_;
	struct profile p = profile_of(b, b->sec->seccomp, SPEC_SECURITY "seccomp",
		b->sec->seccomp_profile_path, SPEC_SECURITY "seccomp_profile_path");
	const struct oci_seccomp *local = b->in->facts->seccomp;

	if (b->privileged || !p.given || p.type == CRI_PROFILE_UNCONFINED)
		return;
	if (p.type == CRI_PROFILE_RUNTIME_DEFAULT)
		l->seccomp = default_filter(b);
	else if (local)
		l->seccomp = spec_box(b, local, sizeof(*local));
	else
		ctr_fault_add(b->faults, ERR_INVALID, p.field,
			"the profile \"%.100s\" couldn't be read", p.ref ? p.ref : "");
}

/* ---- AppArmor ---- */

static void add_apparmor(struct spec_build *b)
{
	struct profile p = profile_of(b, b->sec->apparmor, SPEC_SECURITY "apparmor",
		b->sec->apparmor_profile, SPEC_SECURITY "apparmor_profile");
	const char *standard = b->in->settings->apparmor_profile;

	if (b->privileged || (p.given && p.type == CRI_PROFILE_UNCONFINED))
		return;
	if (!b->in->facts->apparmor) {
		if (p.given)
			ctr_fault_add(b->faults, ERR_STATE, p.field,
				"AppArmor isn't enabled on this host");
		return;
	}
	if (p.given && p.type == CRI_PROFILE_LOCALHOST)
		b->spec->process->apparmor_profile = p.ref;
	else if (standard && *standard && (p.given || !b->in->facts->no_apparmor_default))
		b->spec->process->apparmor_profile = standard;
	else if (p.given)
		ctr_fault_add(b->faults, ERR_STATE, p.field,
			"defaults.apparmorProfile of the settings names no profile");
}

/* ---- SELinux ---- */

enum { CATEGORIES = 1024 };

static bool is_label(const char *text)
{
	return text[strspn(text,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:,-")] == 0;
}

/* One part of the label: the container's, else the pod's, else the usual one. */
static const char *label_part(
	struct spec_build *b, const char *name, const char *own, const char *pod, const char *usual)
{
	const char *text = own && *own ? own : pod && *pod ? pod : usual;

	if (is_label(text) && (str_eq(name, "level") || !strpbrk(text, ":,")))
		return text;
	ctr_fault_add(b->faults, ERR_INVALID,
		spec_field(b, SPEC_SECURITY "selinux_options.%s", name),
		"\"%.100s\" can't be part of a label", text);
	return usual;
}

/* Two categories that all containers of the pod share, by its id. */
static const char *pod_level(struct spec_build *b)
{
	uint64_t h = UINT64_C(14695981039346656037);
	unsigned first, second;

	for (const char *p = b->in->sandbox->id; p && *p; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	first = (unsigned)(h % CATEGORIES);
	second = (unsigned)((first + 1 + (h >> 32) % (CATEGORIES - 1)) % CATEGORIES);
	const char *level =
		arena_printf(b->arena, "s0:c%u,c%u", MIN(first, second), MAX(first, second));
	return level ? level : "s0";
}

static bool asks_for_label(const struct cri_selinux_option *o)
{
	return o && ((o->user && *o->user) || (o->role && *o->role) || (o->type && *o->type) ||
			    (o->level && *o->level));
}

static void add_selinux(struct spec_build *b)
{
	static const struct cri_selinux_option none;
	const struct cri_selinux_option *own = b->sec->selinux_options,
					*pod = b->pod->selinux_options;

	if (b->privileged)
		return;
	if (!b->in->facts->selinux) {
		if (asks_for_label(own))
			ctr_fault_add(b->faults, ERR_STATE, SPEC_SECURITY "selinux_options",
				"SELinux isn't enabled on this host");
		return;
	}
	own = own ? own : &none;
	pod = pod ? pod : &none;
	const char *user = label_part(b, "user", own->user, pod->user, "system_u");
	const char *role = label_part(b, "role", own->role, pod->role, "system_r");
	const char *type = label_part(b, "type", own->type, pod->type, "container_t");
	const char *level = label_part(b, "level", own->level, pod->level, pod_level(b));
	b->spec->process->selinux_label =
		arena_printf(b->arena, "%s:%s:%s:%s", user, role, type, level);
	b->spec->linux_->mount_label =
		arena_printf(b->arena, "%s:object_r:container_file_t:%s", user, level);
}

/* ---- masked and read-only paths ---- */

static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/interrupts",
	"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
	"/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware" };

static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger" };

static void add_paths(struct spec_build *b, struct spec_list *list, const char *field,
	const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (paths[i] && paths[i][0] == '/')
			spec_list_add(b, list, paths[i]);
		else
			ctr_fault_add(b->faults, ERR_INVALID,
				spec_field(b, SPEC_SECURITY "%s[%zu]", field, i),
				"must be an absolute path");
	}
}

/* Exactly what is sent, as an empty list is how the kubelet spells "procMount: Unmasked". A request
 * without any security context says nothing of that: it is somebody's who doesn't know the lists,
 * and has the default ones. */
static void add_masks(struct spec_build *b)
{
	struct oci_linux *l = b->spec->linux_;
	struct spec_list mask = { 0 }, protect = { 0 };

	if (b->privileged)
		return;
	if (!b->config->linux_ || !b->config->linux_->security_context) {
		spec_list_all(b, &mask, masked, ARRAY_SIZE(masked));
		spec_list_all(b, &protect, readonly, ARRAY_SIZE(readonly));
	} else {
		add_paths(b, &mask, "masked_paths", b->sec->masked_paths, b->sec->n_masked_paths);
		add_paths(b, &protect, "readonly_paths", b->sec->readonly_paths,
			b->sec->n_readonly_paths);
	}
	l->masked_paths = mask.items;
	l->n_masked_paths = mask.n;
	l->readonly_paths = protect.items;
	l->n_readonly_paths = protect.n;
}

void spec_security(struct spec_build *b)
{
	add_seccomp(b);
	add_apparmor(b);
	add_selinux(b);
	add_masks(b);
}
