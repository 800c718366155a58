/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor and SELinux: the label that the program gets when it is executed. It is written to a
 * procfs of init's own and read back; what can't be proved is an error. Also the session keyring,
 * which carries the SELinux label.
 */
#include "backend/native/compile.h"

static const char *selinux_label(const struct compile *c)
{
	const char *label = c->exec && c->exec->label_selinux ? c->exec->label_selinux
							      : c->process->selinux_label;

	return label && *label ? label : NULL;
}

/* "unconfined" on a kernel without AppArmor asks for what is there already. */
static const char *apparmor_profile(const struct compile *c)
{
	const char *profile = c->exec && c->exec->label_apparmor ? c->exec->label_apparmor
								 : c->process->apparmor_profile;

	if (!profile || !*profile || (!c->facts->apparmor && str_eq(profile, "unconfined")))
		return NULL;
	return profile;
}

int lsm_check(struct compile *c, struct err *err)
{
	const char *mount_label = c->lin->mount_label;

	if (selinux_label(c) && !c->facts->selinux)
		return err_set(err, ERR_UNSUPPORTED, "process.selinuxLabel",
			"selinux label is specified in config, but selinux is disabled or not supported");
	if (mount_label && *mount_label && !c->facts->selinux)
		return err_set(err, ERR_UNSUPPORTED, "linux.mountLabel",
			"selinux label is specified in config, but selinux is disabled or not supported");
	if (apparmor_profile(c) && !c->facts->apparmor) {
		err_set(err, ERR_UNSUPPORTED, "process.apparmorProfile",
			"apparmor profile \"%s\" is specified in config, but AppArmor isn't enabled on this kernel",
			apparmor_profile(c));
		return err_hint(err, "see /sys/module/apparmor/parameters/enabled");
	}
	return 0;
}

int lsm_keyring(struct compile *c, struct err *err)
{
	const char *label = selinux_label(c);

	if (c->facts->no_new_keyring)
		return 0;
	if (label)
		plan_step(c->plan, OP_PROC, "process.selinuxLabel");
	struct plan_step *s = plan_step(c->plan, OP_KEYRING, NULL);
	s->s1 = compile_text(c, "_ses.%s", c->facts->id ? c->facts->id : "");
	s->s2 = label;
	if (label)
		plan_step(c->plan, OP_PROC_DONE, NULL);
	return 0;
}

/* Opened while the old root is still there: in a user namespace a new procfs needs a whole one to
 * be visible. */
int lsm_proc(struct compile *c, struct err *err)
{
	if (selinux_label(c) || apparmor_profile(c))
		plan_step(c->plan, OP_PROC,
			selinux_label(c) ? "process.selinuxLabel" : "process.apparmorProfile");
	return 0;
}

static void add_label(struct compile *c, const char *const *files, size_t n, const char *text,
	const char *label, const char *place)
{
	struct plan_step *s = plan_step(c->plan, OP_LABEL, place);

	s->s1 = plan_list(c->plan, files, n, &s->n1);
	s->a = n;
	s->s2 = text;
	s->s3 = label;
}

int lsm_label(struct compile *c, struct err *err)
{
	static const char *const apparmor[] = { "thread-self/attr/apparmor/exec",
		"thread-self/attr/exec" };
	static const char *const selinux[] = { "thread-self/attr/exec" };
	const char *label = selinux_label(c), *profile = apparmor_profile(c);

	if (profile)
		add_label(c, apparmor, ARRAY_SIZE(apparmor), compile_text(c, "exec %s", profile),
			profile, "process.apparmorProfile");
	if (label)
		add_label(c, selinux, ARRAY_SIZE(selinux), label, label, "process.selinuxLabel");
	if (profile || label)
		plan_step(c->plan, OP_PROC_DONE, NULL);
	return 0;
}
