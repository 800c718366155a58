/* SPDX-License-Identifier: Apache-2.0 */
/* What confines a CRI container, and whether a guest is confined as much. */
#include "backend/proxmox/wish-cri.h"

#include "base/path.h"

#include <string.h>
#include <strings.h>

#define SEC    "config.linux.security_context."
#define NS     SEC "namespace_options."
#define POD_NS "sandbox_config.linux.security_context.namespace_options."
#define CAPS   SEC "capabilities."

/* ---- namespaces ---- */

static bool has_hosts_network(const struct wish_cri *c)
{
	return cri_pod_namespaces(c->pod)->network == CRI_NS_NODE;
}

/* A pod of guests has nothing to share. In another one a guest stands apart from the other
 * containers; that is no loss where they have the host's network. */
static void check_network(struct wish_cri *c, const struct cri_namespace_option *own)
{
	if (c->in->sandbox_remote) {
		if (own->network == CRI_NS_NODE || has_hosts_network(c))
			wish_cri_judge(c, POD_NS "network",
				has_hosts_network(c) ? NULL : NS "network", NULL);
		return;
	}
	if (!has_hosts_network(c))
		wish_cri_judge(c, NS "network", NULL,
			"a guest has namespaces of its own and can't share those of its pod, which "
			"wasn't made for guests");
}

static void check_namespaces(struct wish_cri *c)
{
	const struct cri_namespace_option *own = cri_namespaces(c->config);
	const struct cri_namespace_option *pod = cri_pod_namespaces(c->pod);

	check_network(c, own);
	if (own->pid == CRI_NS_NODE || (own->pid == CRI_NS_POD && pod->pid == CRI_NS_NODE))
		wish_cri_judge(
			c, POD_NS "pid", own->pid == CRI_NS_NODE ? NS "pid" : POD_NS "pid", NULL);
	if (own->pid == CRI_NS_TARGET || own->target_id)
		wish_cri_judge(c, NS "target_id", NULL, NULL);
	if (own->ipc == CRI_NS_NODE || (own->ipc == CRI_NS_POD && pod->ipc == CRI_NS_NODE))
		wish_cri_judge(
			c, POD_NS "ipc", own->ipc == CRI_NS_NODE ? NS "ipc" : POD_NS "ipc", NULL);
}

/* ---- privilege ---- */

static bool has_user_namespace(const struct cri_namespace_option *o)
{
	return o->userns_options && o->userns_options->mode == CRI_NS_POD;
}

static void check_privileged(struct wish_cri *c)
{
	if (!c->sec->privileged)
		return;
	c->wish->privileged = c->cfg->privileged_allowed;
	if (!c->cfg->privileged_allowed)
		ctr_fault_add(c->faults, ERR_DENIED, SEC "privileged",
			"the configuration allows no privileged guests: proxmox.allowPrivileged");
	if (has_user_namespace(cri_namespaces(c->config)) ||
		has_user_namespace(cri_pod_namespaces(c->pod)))
		ctr_fault_add(c->faults, ERR_UNSUPPORTED, NS "userns_options",
			"a privileged guest has no user namespace");
}

static bool is_root(const char *name)
{
	return str_eq(name, "root") || str_eq(name, "0");
}

/* 0 and root are what a template's init has; an image's program may have another user. */
static void check_root(struct wish_cri *c)
{
	const struct cri_linux_container_security_context *s = c->sec;
	const char *named = s->run_as_username;

	if (s->run_as_user ? s->run_as_user->value == 0 : named && is_root(named))
		c->wish->root_user = s->run_as_user ? SEC "run_as_user" : SEC "run_as_username";
	c->wish->root_group = c->wish->root_user;
	if (s->run_as_group)
		c->wish->root_group = s->run_as_group->value == 0 ? SEC "run_as_group" : NULL;
}

static void check_user(struct wish_cri *c)
{
	const struct cri_linux_container_security_context *s = c->sec;

	check_root(c);
	if (s->run_as_user && s->run_as_user->value != 0)
		wish_cri_judge(c, SEC "run_as_user", NULL, NULL);
	if (s->run_as_group && s->run_as_group->value != 0)
		wish_cri_judge(c, SEC "run_as_group", NULL, NULL);
	if (s->run_as_username && *s->run_as_username && !is_root(s->run_as_username))
		wish_cri_judge(c, SEC "run_as_username", NULL, NULL);
	if (s->n_supplemental_groups)
		wish_cri_judge(c, SEC "supplemental_groups", NULL, NULL);
	if (s->supplemental_groups_policy != CRI_GROUPS_MERGE)
		wish_cri_judge(c, SEC "supplemental_groups_policy", NULL, NULL);
	if (s->no_new_privs)
		wish_cri_judge(c, SEC "no_new_privs", NULL, NULL);
}

/* ---- capabilities ---- */

/* What runtimes give unless told otherwise: a guest's root has them within its user namespace. */
static const char *const usual[] = { "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID",
	"KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
	"SYS_CHROOT" };
/* What only the first user namespace's root can do: nothing is lost, nothing is left. */
static const char *const powerless[] = { "AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND",
	"LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "SYSLOG", "SYS_MODULE", "SYS_PACCT",
	"SYS_RAWIO", "SYS_TIME", "WAKE_ALARM" };

static bool is_one_of(const char *const *list, size_t n, const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], name) == 0)
			return true;
	return false;
}

/* For a privileged container, which has all, neither list has an effect: CRI says so. */
static void check_capabilities(struct wish_cri *c)
{
	const struct cri_capability *caps = c->sec->capabilities;

	if (!caps)
		return;
	if (caps->n_add_ambient_capabilities)
		wish_cri_judge(c, CAPS "add_ambient_capabilities", NULL, NULL);
	if (c->sec->privileged)
		return;
	for (size_t i = 0; i < caps->n_add_capabilities; i++)
		if (!is_one_of(usual, ARRAY_SIZE(usual), caps->add_capabilities[i])) {
			wish_cri_judge(c, CAPS "add_capabilities", NULL, NULL);
			break;
		}
	for (size_t i = 0; i < caps->n_drop_capabilities; i++)
		if (!is_one_of(powerless, ARRAY_SIZE(powerless), caps->drop_capabilities[i])) {
			wish_cri_judge(c, CAPS "drop_capabilities", NULL, NULL);
			break;
		}
}

/* ---- profiles ---- */

static void check_profile(struct wish_cri *c, const char *row, const struct cri_security_profile *p)
{
	if (p && p->profile_type != CRI_PROFILE_RUNTIME_DEFAULT &&
		p->profile_type != CRI_PROFILE_UNCONFINED)
		wish_cri_judge(c, row, NULL, NULL);
}

static void check_old_profile(struct wish_cri *c, const char *row, const char *text)
{
	if (text && *text && !str_eq(text, "runtime/default") && !str_eq(text, "docker/default") &&
		!str_eq(text, "unconfined"))
		wish_cri_judge(c, row, NULL, NULL);
}

static void check_selinux(struct wish_cri *c, const char *row, const struct cri_selinux_option *o)
{
	if (o && (o->user || o->role || o->type || o->level))
		wish_cri_judge(c, row, NULL, NULL);
}

static int check_paths(struct wish_cri *c, const char *row, const char **paths, size_t n,
	bool (*is_usual)(const char *), struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *clean = path_clean(c->arena, paths[i]);
		if (!clean)
			return err_nomem(err);
		if (is_usual(clean))
			continue;
		wish_cri_judge(c, row, NULL, NULL);
		return 0;
	}
	return 0;
}

static int check_profiles(struct wish_cri *c, struct err *err)
{
	const struct cri_linux_container_security_context *s = c->sec;

	check_selinux(c, SEC "selinux_options", s->selinux_options);
	if (!s->selinux_options)
		check_selinux(c, "sandbox_config.linux.security_context.selinux_options",
			cri_pod_security(c->pod)->selinux_options);
	/* CRI drops the profiles of privileged containers. */
	if (s->privileged)
		return 0;
	check_profile(c, SEC "seccomp.profile_type", s->seccomp);
	check_profile(c, SEC "apparmor.profile_type", s->apparmor);
	if (!s->seccomp)
		check_old_profile(c, SEC "seccomp_profile_path", s->seccomp_profile_path);
	if (!s->apparmor)
		check_old_profile(c, SEC "apparmor_profile", s->apparmor_profile);
	if (check_paths(c, SEC "masked_paths", s->masked_paths, s->n_masked_paths,
		    wish_is_usual_masked, err) < 0)
		return -1;
	return check_paths(c, SEC "readonly_paths", s->readonly_paths, s->n_readonly_paths,
		wish_is_usual_readonly, err);
}

int wish_cri_security(struct wish_cri *c, struct err *err)
{
	check_namespaces(c);
	check_privileged(c);
	check_user(c);
	check_capabilities(c);
	return check_profiles(c, err);
}
