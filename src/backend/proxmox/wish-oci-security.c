/* SPDX-License-Identifier: Apache-2.0 */
/* What confines a container, and whether a guest is confined as much. */
#include "backend/proxmox/wish-oci.h"

#include "base/path.h"
#include "model/caps.h"
#include "model/seccomp-default.h"

#include <string.h>

#define CAP(n) (UINT64_C(1) << (n))

/* What engines give unless told otherwise, by the kernel's numbers. */
enum {
	CHOWN = 0,
	DAC_OVERRIDE = 1,
	FOWNER = 3,
	FSETID = 4,
	KILL = 5,
	SETGID = 6,
	SETUID = 7,
	SETPCAP = 8,
	NET_BIND_SERVICE = 10,
	NET_RAW = 13,
	SYS_CHROOT = 18,
	MKNOD = 27,
	AUDIT_WRITE = 29,
	SETFCAP = 31,
};
#define CAPS_CRIO                                                                                 \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) | CAP(SETGID) | CAP(SETUID) | \
		CAP(SETPCAP) | CAP(NET_BIND_SERVICE) | CAP(KILL))
#define CAPS_PODMAN     (CAPS_CRIO | CAP(SETFCAP) | CAP(SYS_CHROOT))
#define CAPS_CONTAINERD (CAPS_PODMAN | CAP(MKNOD) | CAP(NET_RAW) | CAP(AUDIT_WRITE))
/* Which engine wrote a bundle: by an annotation, and by its value where one is named. In order, for
 * people add containerd's to Podman's by hand. */
static const struct {
	uint64_t set;
	const char *key, *value;
} defaults[] = {
	{ CAPS_PODMAN, "io.container.manager", "libpod" },
	{ CAPS_CRIO, "io.container.manager", "cri-o" },
	{ CAPS_CRIO, "io.kubernetes.cri-o.ContainerType", NULL },
	{ CAPS_CONTAINERD, "io.kubernetes.cri.container-type", NULL },
};

/* The engine's own default: another engine's may be one with some dropped. */
static bool is_default(const struct oci_spec *spec, uint64_t set)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const char *value = ctr_map_get(&spec->annotations, defaults[i].key);

		if (value && (!defaults[i].value || str_eq(value, defaults[i].value)))
			return set == defaults[i].set;
		any = any || set == defaults[i].set;
	}
	return any;
}

static void check_capabilities(struct wish_oci *o)
{
	const struct oci_capabilities *c = o->spec->process->capabilities;
	const bool root = o->spec->process->user.uid == 0;
	uint64_t bounding = 0, permitted = 0, effective = 0, more = 0;

	if (c) {
		bounding = caps_mask(c->bounding, c->n_bounding, NULL);
		permitted = caps_mask(c->permitted, c->n_permitted, NULL);
		effective = caps_mask(c->effective, c->n_effective, NULL);
		more = caps_mask(c->inheritable, c->n_inheritable, NULL) |
		       caps_mask(c->ambient, c->n_ambient, NULL);
	}
	more |= bounding | permitted | effective;
	if (more & ~CAPS_CONTAINERD) {
		ctr_fault_add(o->faults, ERR_UNSUPPORTED, "process.capabilities",
			"more than an engine's default set (a privileged container, say) can't be "
			"given to a guest");
		return;
	}
	/* Engines clear the sets of a user that isn't root, or leave it to execve. */
	if (!is_default(o->spec, bounding) ||
		(root && (permitted != bounding || effective != bounding)))
		wish_oci_judge(o, "process.capabilities", "process.capabilities", NULL);
}

/* ---- seccomp ---- */

/* Calls of the default that is built in here which other engines' defaults refuse, or which are
 * younger (Linux 6.6) than engines that are in use. */
static const char *const not_everywhere[] = { "cachestat", "fchmodat2", "futex_requeue",
	"futex_wait", "futex_waitv", "futex_wake", "getxattrat", "io_pgetevents",
	"io_pgetevents_time64", "listmount", "listxattrat", "lsm_get_self_attr", "lsm_list_modules",
	"lsm_set_self_attr", "map_shadow_stack", "mseal", "removexattrat", "setxattrat",
	"statmount", "uretprobe", "vmsplice" };

enum { ARGS_MAX = 6, FAMILIES = 46, AF_ALG_ = 38, AF_VSOCK_ = 40, NAMESPACES = 0x7e020000 };

static bool holds(const struct oci_seccomp_arg *a, const uint64_t *args)
{
	const uint64_t v = a->index < ARGS_MAX ? args[a->index] : 0;

	switch (a->op) {
	case OCI_CMP_NE: return v != a->value;
	case OCI_CMP_LT: return v < a->value;
	case OCI_CMP_LE: return v <= a->value;
	case OCI_CMP_EQ: return v == a->value;
	case OCI_CMP_GE: return v >= a->value;
	case OCI_CMP_GT: return v > a->value;
	default: return (v & a->value) == a->value_two;
	}
}

static bool names(const struct oci_seccomp_rule *r, const char *name)
{
	for (size_t i = 0; i < r->n_names; i++) {
		if (str_eq(r->names[i], name))
			return true;
	}
	return false;
}

/* args NULL: whatever they are. */
static bool lets_pass(const struct oci_seccomp *s, const char *name, const uint64_t *args)
{
	bool allowed = false;

	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];
		bool applies = true;

		if (!names(r, name))
			continue;
		for (size_t k = 0; args && k < r->n_args; k++)
			applies = applies && holds(&r->args[k], args);
		if (applies && r->action != OCI_ACT_ALLOW)
			return false;
		allowed = allowed || (applies && (args || !r->n_args));
	}
	return allowed;
}

/* Calls whose arguments all defaults look at: with these every one of them lets the call pass. */
static bool lets_arguments_pass(const struct oci_seccomp *s)
{
	static const uint64_t personalities[] = { 0, 8, 0x20000, 0x20008, UINT32_MAX };
	static const uint64_t flags[] = { 0, (uint32_t)~NAMESPACES };
	uint64_t args[ARGS_MAX] = { 0 };

	for (args[0] = 0; args[0] < FAMILIES; args[0]++) {
		if (args[0] != AF_ALG_ && args[0] != AF_VSOCK_ && !lets_pass(s, "socket", args))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++) {
		args[0] = personalities[i];
		if (!lets_pass(s, "personality", args))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		args[0] = flags[i];
		if (!lets_pass(s, "clone", args))
			return false;
	}
	return true;
}

static bool is_everywhere(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(not_everywhere); i++) {
		if (str_eq(not_everywhere[i], name))
			return false;
	}
	return true;
}

/* Does it refuse nothing that all engines' defaults let pass? It would be lost: a guest's filter is
 * the server's. An action that is neither to allow nor an error is nobody's default. */
static bool is_usual(const struct oci_seccomp *s, const struct oci_seccomp *usual)
{
	if (s->listener_path)
		return false;
	if (s->default_action == OCI_ACT_ALLOW)
		return s->n_syscalls == 0;
	if (s->default_action != OCI_ACT_ERRNO)
		return false;
	for (size_t i = 0; i < s->n_syscalls; i++) {
		if (s->syscalls[i].action != OCI_ACT_ALLOW &&
			s->syscalls[i].action != OCI_ACT_ERRNO)
			return false;
	}
	for (size_t i = 0; i < usual->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &usual->syscalls[i];

		if (r->action != OCI_ACT_ALLOW || r->n_args)
			continue;
		for (size_t k = 0; k < r->n_names; k++) {
			if (is_everywhere(r->names[k]) && !lets_pass(s, r->names[k], NULL))
				return false;
		}
	}
	return lets_arguments_pass(s);
}

static int check_seccomp(struct wish_oci *o, struct err *err)
{
	const struct oci_seccomp *s = o->spec->linux_ ? o->spec->linux_->seccomp : NULL;
	const struct oci_seccomp *usual;

	if (!s)
		return 0;
	usual = seccomp_default(NULL, 0, o->arena);
	if (!usual)
		return err_nomem(err);
	if (!is_usual(s, usual))
		wish_oci_judge(o, "linux.seccomp.**", "linux.seccomp", NULL);
	return 0;
}

/* ---- AppArmor, paths ---- */

static bool is_usual_profile(const char *name)
{
	static const char *const names[] = { "unconfined", "cri-containerd.apparmor.d",
		"crio-default", "docker-default", "nerdctl-default", "ctrctl-default" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_eq(names[i], name))
			return true;
	}
	return str_starts(name, "containers-default-"); /* Podman's, with its version */
}

static void check_paths(struct wish_oci *o, const char *const *paths, size_t n, const char *field,
	bool (*is_usual_path)(const char *))
{
	char row[64], place[64];

	for (size_t i = 0; i < n; i++) {
		if (is_usual_path(paths[i]))
			continue;
		snprintf(row, sizeof(row), "%s[]", field);
		snprintf(place, sizeof(place), "%s[%zu]", field, i);
		wish_oci_judge(o, row, place, NULL);
	}
}

int wish_oci_security(struct wish_oci *o, struct err *err)
{
	const struct oci_process *p = o->spec->process;
	const struct oci_linux *l = o->spec->linux_;

	if (p) {
		/* Absence is 0, too. */
		o->wish->root_user = p->user.uid ? NULL : "process.user.uid";
		o->wish->root_group = p->user.gid ? NULL : "process.user.gid";
		check_capabilities(o);
		if (p->apparmor_profile && *p->apparmor_profile &&
			!is_usual_profile(p->apparmor_profile))
			wish_oci_judge(
				o, "process.apparmorProfile", "process.apparmorProfile", NULL);
	}
	if (l) {
		check_paths(o, l->masked_paths, l->n_masked_paths, "linux.maskedPaths",
			wish_is_usual_masked);
		check_paths(o, l->readonly_paths, l->n_readonly_paths, "linux.readonlyPaths",
			wish_is_usual_readonly);
	}
	return check_seccomp(o, err);
}
