/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler refuses or leaves out, and what it warns of. */
#include "plan-common.h"

#include "base/sys.h"

#include <criterion/criterion.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#define PROCESS(more) \
	"\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],\"user\":{\"uid\":0,\"gid\":0}" more "}"
#define SPEC(process, rest, ns, lin)                                                      \
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"}," PROCESS(process) rest \
		",\"linux\":{\"namespaces\":[" ns "]" lin "}}"
#define MOUNT "{\"type\":\"mount\"}"
#define MAPS \
	",\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}]"

static void expect_refusal(const char *json, const char *text)
{
	_planned_ struct planned p;

	planned_init(&p, json);
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, text), "\"%s\" isn't in: %s", text, line);
}

Test(plan_refuse, a_mount_over_the_whole_root)
{
	expect_refusal(
		SPEC("", ",\"mounts\":[{\"destination\":\"/a/..\",\"type\":\"tmpfs\"}]", MOUNT, ""),
		"mounts[0]: /a/..: a mount can't cover the whole root");
}

Test(plan_refuse, mounts_without_a_mount_namespace)
{
	_planned_ struct planned p;

	planned_init(&p,
		SPEC("", ",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\"}]", MOUNT, ""));
	p.spec->linux_ = NULL;
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "mounts: need a mount namespace"), "%s", line);
}

Test(plan_refuse, a_mount_of_type_none_that_changes_nothing)
{
	_planned_ struct planned p;

	planned_init(&p,
		SPEC("",
			",\"mounts\":[{\"destination\":\"/a\",\"type\":\"none\",\"options\":[\"rshared\"]}]",
			MOUNT, ""));
	p.spec->mounts[0].n_options = 0;
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "mounts[0]: /a: a mount of type none"), "%s", line);
}

Test(plan_refuse, iversion_on_a_new_file_system)
{
	expect_refusal(
		SPEC("",
			",\"mounts\":[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"iversion\"]}]",
			MOUNT, ""),
		"mounts[0]: /a: the option iversion");
}

Test(plan_refuse, an_idmap_without_maps_in_a_joined_user_namespace)
{
	expect_refusal(
		SPEC("",
			",\"mounts\":[{\"destination\":\"/a\",\"source\":\"/x\",\"options\":[\"bind\",\"idmap\"]}]",
			MOUNT ",{\"type\":\"user\",\"path\":\"/proc/7/ns/user\"}", ""),
		"mounts[0]: /a: an idmapped mount in a joined user namespace needs maps");
}

Test(plan_refuse, a_read_only_root_in_a_joined_mount_namespace)
{
	_planned_ struct planned p;

	planned_init(&p, SPEC("", "", "{\"type\":\"mount\",\"path\":\"/proc/7/ns/mnt\"}", ""));
	p.spec->root->readonly = true;
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "root.readonly: needs a new mount namespace"), "%s", line);
}

Test(plan_refuse, a_cgroup_mount_without_any_cgroup2)
{
	_planned_ struct planned p;

	planned_init(&p,
		SPEC("", ",\"mounts\":[{\"destination\":\"/c\",\"type\":\"cgroup\"}]", MOUNT, ""));
	p.facts.cgroup_root = NULL;
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "mounts[0]: /c: this host has no cgroup2"), "%s", line);
}

Test(plan_refuse, labels_of_a_security_module_that_is_not_there)
{
	_planned_ struct planned p;

	expect_refusal(SPEC(",\"selinuxLabel\":\"a:b:c:s0\"", "", MOUNT, ""),
		"process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported");
	expect_refusal(SPEC("", "", MOUNT, ",\"mountLabel\":\"a:b:c:s0\""),
		"linux.mountLabel: selinux label");
	planned_init(&p, SPEC(",\"apparmorProfile\":\"p\"", "", MOUNT, ""));
	p.facts.apparmor = false;
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "process.apparmorProfile: apparmor profile \"p\""), "%s", line);
}

Test(plan_refuse, takes_unconfined_without_AppArmor_for_what_it_is)
{
	_planned_ struct planned p;

	planned_init(&p, SPEC(",\"apparmorProfile\":\"unconfined\"", "", MOUNT, ""));
	p.facts.apparmor = false;
	_free_ char *text = planned_create(&p);
	cr_expect_eq(planned_find(&p, OP_LABEL, 0), -1);
}

Test(plan_refuse, names_and_sysctls_of_a_namespace_that_is_our_own)
{
	static const char uts[] = SPEC("", ",\"hostname\":\"x\"",
		MOUNT ",{\"type\":\"uts\",\"path\":\"/proc/1/ns/uts\"}", "");
	static const char net[] =
		SPEC("", "", MOUNT ",{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}",
			",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}");
	_planned_ struct planned a, b;

	planned_init(&a, uts);
	a.facts.same_ns = CLONE_NEWUTS;
	_free_ char *line = planned_refusal(&a);
	cr_expect(strstr(line, "hostname: needs a uts namespace"), "%s", line);
	planned_init(&b, net);
	b.facts.same_ns = CLONE_NEWNET;
	_free_ char *other = planned_refusal(&b);
	cr_expect(strstr(other,
			  "sysctl \"net.ipv4.ip_forward\" is not in a separate kernel namespace"),
		"%s", other);
}

Test(plan_refuse, an_empty_program)
{
	_planned_ struct planned p;

	planned_init(&p, SPEC("", "", MOUNT, ""));
	p.spec->process->args[0] = "";
	_free_ char *line = planned_refusal(&p);
	cr_expect(strstr(line, "process.args: args must not be empty"), "%s", line);
	p.spec->process = NULL;
	_free_ char *other = planned_refusal(&p);
	cr_expect(strstr(other, "process: process property must not be empty"), "%s", other);
}

/* ---- capabilities: less, never more ---- */

static const struct plan_step *caps_of(struct planned *p, const char *json)
{
	planned_init(p, json);
	free(planned_create(p));
	int i = planned_find(p, OP_CAPS, 0);
	cr_assert_geq(i, 0);
	return &p->plan.steps[i];
}

#define BIT(cap) (UINT64_C(1) << (cap))

Test(plan_caps, are_none_when_none_are_given)
{
	_planned_ struct planned p;
	const struct plan_step *s = caps_of(&p, SPEC("", "", MOUNT, ""));

	cr_expect(s->a == 0 && s->b == 0 && s->c == 0);
	cr_expect_eq(p.plan.steps[planned_find(&p, OP_BOUNDING, 0)].a, 0);
	cr_expect_eq(p.plan.steps[planned_find(&p, OP_AMBIENT, 0)].a, 0);
}

#define CAPS(set) \
	",\"capabilities\":{\"bounding\":" set ",\"effective\":" set ",\"permitted\":" set "}"

Test(plan_caps, keep_SYS_ADMIN_for_a_filter_without_no_new_privs_only)
{
	_planned_ struct planned p, q;
	const struct plan_step *s =
		caps_of(&p, SPEC(CAPS("[\"CAP_KILL\"]"), "", MOUNT,
				    ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"));

	cr_expect(s->a == (BIT(CAP_KILL) | BIT(CAP_SYS_ADMIN)) && s->b == s->a && s->c == 0);
	cr_expect_eq(p.plan.steps[planned_find(&p, OP_BOUNDING, 0)].a, BIT(CAP_KILL),
		"execve would keep it");
	s = caps_of(&q, SPEC(",\"noNewPrivileges\":true" CAPS("[\"CAP_KILL\"]"), "", MOUNT,
				",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"));
	cr_expect(s->a == BIT(CAP_KILL) && s->b == BIT(CAP_KILL));
}

Test(plan_caps, leave_out_what_neither_the_kernel_nor_ctrctl_has)
{
	_planned_ struct planned p;

	planned_init(
		&p, SPEC(CAPS("[\"CAP_KILL\",\"CAP_SYS_RESOURCE\",\"CAP_CHECKPOINT_RESTORE\"]"), "",
			    MOUNT, ""));
	p.facts.own_caps &= ~BIT(CAP_SYS_RESOURCE);
	p.facts.last_cap = CAP_BPF;
	free(planned_create(&p));
	const struct plan_step *s = &p.plan.steps[planned_find(&p, OP_CAPS, 0)];
	cr_expect(s->a == BIT(CAP_KILL) && s->b == BIT(CAP_KILL));
	cr_expect_eq(p.plan.steps[planned_find(&p, OP_BOUNDING, 0)].a, BIT(CAP_KILL));
}

Test(plan_caps, of_a_user_namespace_are_all_to_be_had)
{
	_planned_ struct planned p;

	planned_init(
		&p, SPEC(CAPS("[\"CAP_SYS_RESOURCE\"]"), "", MOUNT ",{\"type\":\"user\"}", MAPS));
	p.facts.own_caps &= ~BIT(CAP_SYS_RESOURCE);
	free(planned_create(&p));
	cr_expect_eq(p.plan.steps[planned_find(&p, OP_CAPS, 0)].b, BIT(CAP_SYS_RESOURCE));
}

/* ---- environment ---- */

Test(plan_env, has_the_last_of_a_name_and_nothing_of_the_callers)
{
	_planned_ struct planned p;

	setenv("SECRET_OF_THE_CALLER", "x", 1);
	planned_init(
		&p, SPEC(",\"env\":[\"A=1\",\"B=2\",\"A=3\",\"LISTEN_FDS=9\"]", "", MOUNT, ""));
	p.facts.listen_fds = 1;
	free(planned_create(&p));
	const char *const should[] = { "B=2", "A=3", "LISTEN_FDS=1", "LISTEN_PID=1" };
	for (size_t i = 0; i < ARRAY_SIZE(should); i++)
		cr_expect_str_eq(p.plan.envp[i], should[i]);
	cr_expect_null(p.plan.envp[ARRAY_SIZE(should)]);
}
