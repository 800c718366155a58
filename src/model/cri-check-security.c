/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the security contexts: capabilities, users, namespaces, profiles, labels. */
#include "model/caps.h"
#include "model/cri-check.h"

#include <string.h>

enum {
	GROUPS_MAX = 65536, /* NGROUPS_MAX */
	CATEGORY_MAX = 1023,
	SENSITIVITY_MAX = 15,
	CAP_NAME_MAX = 40,
};

/* ---- capabilities ---- */

/* With or without "CAP_", in any case; "ALL". */
static bool is_capability(const char *name)
{
	char full[CAP_NAME_MAX];
	size_t n = strlen(name);

	if (n == 0 || n + sizeof("CAP_") > sizeof(full))
		return false;
	memcpy(full, "CAP_", 4);
	for (size_t i = 0; i <= n; i++)
		full[4 + i] =
			(char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
	if (str_starts(full + 4, "CAP_"))
		memmove(full, full + 4, n + 1);
	return str_eq(full, "CAP_ALL") || caps_number(full) >= 0;
}

static void check_capability_list(
	struct cri_check *c, const char *field, const char **names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t mark = cri_enter(c, "%s[%zu]", field, i);
		if (!is_capability(names[i]))
			cri_fault(c, ERR_INVALID, "", "unknown capability \"%.60s\"", names[i]);
		cri_leave(c, mark);
	}
}

static void check_capabilities(struct cri_check *c, const struct cri_capability *caps)
{
	size_t mark = cri_enter(c, "capabilities");

	if (caps) {
		check_capability_list(
			c, "add_capabilities", caps->add_capabilities, caps->n_add_capabilities);
		check_capability_list(
			c, "drop_capabilities", caps->drop_capabilities, caps->n_drop_capabilities);
		check_capability_list(c, "add_ambient_capabilities", caps->add_ambient_capabilities,
			caps->n_add_ambient_capabilities);
	}
	cri_leave(c, mark);
}

/* ---- users ---- */

static void check_id(struct cri_check *c, const char *field, int64_t id)
{
	if (id < 0 || id > INT32_MAX)
		cri_fault(c, ERR_INVALID, field, "%lld is no id: 0 to %d are allowed",
			(long long)id, INT32_MAX);
}

static void check_groups(struct cri_check *c, const int64_t *groups, size_t n)
{
	if (n > GROUPS_MAX)
		cri_fault(c, ERR_INVALID, "supplemental_groups", "has %zu groups, %d are allowed",
			n, GROUPS_MAX);
	for (size_t i = 0; i < n && i < GROUPS_MAX; i++) {
		size_t mark = cri_enter(c, "supplemental_groups[%zu]", i);
		check_id(c, "", groups[i]);
		cri_leave(c, mark);
	}
}

static void check_user(struct cri_check *c, const struct cri_int64_value *user,
	const struct cri_int64_value *group, const char *username)
{
	if (user)
		check_id(c, "run_as_user", user->value);
	if (group)
		check_id(c, "run_as_group", group->value);
	if (group && !user && !username)
		cri_fault(c, ERR_INVALID, "run_as_group", "needs run_as_user or run_as_username");
	/* CRI allows one of the two. */
	if (user && username)
		cri_fault(c, ERR_INVALID, "run_as_username",
			"must be empty where run_as_user is given");
	cri_check_plain(c, "run_as_username", username);
}

/* ---- namespaces ---- */

/* One mapping, from the container's root on. The host's root isn't to be had this way. */
static void check_user_map(
	struct cri_check *c, const char *field, const struct cri_id_mapping *maps, size_t n)
{
	if (n != 1)
		cri_fault(c, ERR_INVALID, field, "has %zu mappings, exactly one is allowed", n);
	cri_check_id_maps(c, field, maps, n);
	if (n != 1)
		return;
	size_t mark = cri_enter(c, "%s[0]", field);
	if (maps->container_id != 0)
		cri_fault(c, ERR_INVALID, "container_id", "must be 0: root has to be mapped");
	if (maps->host_id == 0)
		cri_fault(c, ERR_INVALID, "host_id",
			"must not be 0: that would be the root of the host");
	cri_leave(c, mark);
}

static void check_user_namespace(struct cri_check *c, const struct cri_user_namespace *u)
{
	size_t mark = cri_enter(c, "userns_options");

	if (u->mode == CRI_NS_CONTAINER || u->mode == CRI_NS_TARGET)
		cri_fault(c, ERR_INVALID, "mode",
			"must be POD or NODE: a user namespace belongs to a whole pod");
	if (u->mode == CRI_NS_NODE && u->n_uids)
		cri_fault(c, ERR_INVALID, "uids", "must be empty where mode is NODE");
	if (u->mode == CRI_NS_NODE && u->n_gids)
		cri_fault(c, ERR_INVALID, "gids", "must be empty where mode is NODE");
	if (u->mode == CRI_NS_POD) {
		check_user_map(c, "uids", u->uids, u->n_uids);
		check_user_map(c, "gids", u->gids, u->n_gids);
	}
	cri_leave(c, mark);
}

static void check_namespaces(struct cri_check *c, const struct cri_namespace_option *o, bool is_pod)
{
	size_t mark = cri_enter(c, "namespace_options");

	if (o->network == CRI_NS_TARGET)
		cri_fault(c, ERR_INVALID, "network", "TARGET is only for pid");
	if (o->ipc == CRI_NS_TARGET)
		cri_fault(c, ERR_INVALID, "ipc", "TARGET is only for pid");
	if (is_pod && o->pid == CRI_NS_TARGET)
		cri_fault(c, ERR_INVALID, "pid", "TARGET is only for containers");
	else if (o->pid == CRI_NS_TARGET && !o->target_id)
		cri_fault(c, ERR_INVALID, "target_id", "must not be empty where pid is TARGET");
	if (o->pid != CRI_NS_TARGET && o->target_id)
		cri_fault(c, ERR_INVALID, "target_id", "must be empty where pid isn't TARGET");
	cri_check_plain(c, "target_id", o->target_id);
	if (o->userns_options)
		check_user_namespace(c, o->userns_options);
	cri_leave(c, mark);
}

/* ---- seccomp, AppArmor ---- */

static const char *without_prefix(const char *ref)
{
	return str_starts(ref, "localhost/") ? ref + strlen("localhost/") : ref;
}

/* What a localhost_ref may be; NULL when it is fine. */
static const char *ref_problem(const char *ref, bool is_path)
{
	ref = without_prefix(ref);
	if (!*ref)
		return "names no profile";
	if (!cri_is_plain(ref))
		return "has control characters, which it must not";
	if (is_path && ref[0] != '/')
		return "must be the absolute path of a profile";
	if (is_path && cri_has_dotdot(ref))
		return "must not have \"..\" in it";
	if (!is_path && str_eq(ref, "unconfined"))
		return "is no profile: say Unconfined";
	return NULL;
}

static void check_profile(
	struct cri_check *c, const char *field, const struct cri_security_profile *p, bool is_path)
{
	size_t mark = cri_enter(c, "%s", field);
	const char *why;

	if (p->profile_type != CRI_PROFILE_LOCALHOST && p->localhost_ref)
		cri_fault(c, ERR_INVALID, "localhost_ref",
			"must be empty where profile_type isn't Localhost");
	if (p->profile_type == CRI_PROFILE_LOCALHOST) {
		why = p->localhost_ref ? ref_problem(p->localhost_ref, is_path)
				       : "must not be empty where profile_type is Localhost";
		if (why)
			cri_fault(c, ERR_INVALID, "localhost_ref", "%s", why);
	}
	cri_leave(c, mark);
}

/* The strings that came before the messages; they count only where the message is absent. */
static void check_old_profile(
	struct cri_check *c, const char *field, const char *text, bool is_path)
{
	const char *why;

	if (!text || str_eq(text, "unconfined") || str_eq(text, "runtime/default") ||
		(is_path && str_eq(text, "docker/default")))
		return;
	if (!str_starts(text, "localhost/"))
		why = "must be unconfined, runtime/default or localhost/PROFILE";
	else
		why = ref_problem(text, is_path);
	if (why)
		cri_fault(c, ERR_INVALID, field, "%s", why);
}

static void check_profiles(struct cri_check *c, const struct cri_security_profile *seccomp,
	const char *old_seccomp, const struct cri_security_profile *apparmor,
	const char *old_apparmor)
{
	if (seccomp)
		check_profile(c, "seccomp", seccomp, true);
	else
		check_old_profile(c, "seccomp_profile_path", old_seccomp, true);
	if (apparmor)
		check_profile(c, "apparmor", apparmor, false);
	else
		check_old_profile(c, "apparmor_profile", old_apparmor, false);
}

/* ---- SELinux ---- */

/* A letter and a number of at most `max`. The text behind it, or NULL. */
static const char *level_number(const char *p, char letter, unsigned max, unsigned *ret)
{
	size_t digits;

	if (*p++ != letter)
		return NULL;
	digits = strspn(p, "0123456789");
	if (digits == 0 || digits > 4)
		return NULL;
	for (*ret = 0; digits; digits--)
		*ret = *ret * 10 + (unsigned)(*p++ - '0');
	return *ret <= max ? p : NULL;
}

/* "N" or, with `between`, "N-N" in rising order. The text behind it, or NULL. */
static const char *level_range(const char *p, char letter, char between, unsigned max)
{
	unsigned first, last;

	p = level_number(p, letter, max, &first);
	if (!p || *p != between)
		return p;
	p = level_number(p + 1, letter, max, &last);
	return p && first <= last ? p : NULL;
}

/* sN[-sN][:cN[.cN][,cN[.cN]]...] */
static bool is_level(const char *p)
{
	p = level_range(p, 's', '-', SENSITIVITY_MAX);
	if (!p || !*p)
		return p;
	if (*p != ':')
		return false;
	do {
		p = level_range(p + 1, 'c', '.', CATEGORY_MAX);
	} while (p && *p == ',');
	return p && !*p;
}

static void check_selinux(struct cri_check *c, const struct cri_selinux_option *s)
{
	const char *const parts[] = { s->user, s->role, s->type };
	const char *const names[] = { "user", "role", "type" };
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t mark = cri_enter(c, "selinux_options");

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i] && parts[i][strspn(parts[i], allowed)])
			cri_fault(c, ERR_INVALID, names[i],
				"must be letters, digits, \"_\", \".\" and \"-\"");
	if (s->level && !is_level(s->level))
		cri_fault(c, ERR_INVALID, "level",
			"\"%.60s\" is not of the form s0, s0-s1 or s0:c1,c2.c5", s->level);
	cri_leave(c, mark);
}

/* ---- the contexts ---- */

static void check_path_list(struct cri_check *c, const char *field, const char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t mark = cri_enter(c, "%s[%zu]", field, i);
		cri_check_path(c, "", paths[i]);
		cri_leave(c, mark);
	}
}

void cri_check_container_security(
	struct cri_check *c, const struct cri_linux_container_security_context *s)
{
	check_capabilities(c, s->capabilities);
	if (s->namespace_options)
		check_namespaces(c, s->namespace_options, false);
	if (s->selinux_options)
		check_selinux(c, s->selinux_options);
	check_user(c, s->run_as_user, s->run_as_group, s->run_as_username);
	check_groups(c, s->supplemental_groups, s->n_supplemental_groups);
	check_path_list(c, "masked_paths", s->masked_paths, s->n_masked_paths);
	check_path_list(c, "readonly_paths", s->readonly_paths, s->n_readonly_paths);
	check_profiles(c, s->seccomp, s->seccomp_profile_path, s->apparmor, s->apparmor_profile);
}

void cri_check_pod_security(struct cri_check *c, const struct cri_linux_sandbox_security_context *s)
{
	if (s->namespace_options)
		check_namespaces(c, s->namespace_options, true);
	if (s->selinux_options)
		check_selinux(c, s->selinux_options);
	check_user(c, s->run_as_user, s->run_as_group, NULL);
	check_groups(c, s->supplemental_groups, s->n_supplemental_groups);
	check_profiles(c, s->seccomp, s->seccomp_profile_path, s->apparmor, NULL);
}
