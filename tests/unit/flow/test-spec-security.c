/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities, profiles, labels, masks, devices. */
#include "spec-common.h"

#include <criterion/criterion.h>

#define LINUX(x)   "'linux': {'security_context': {" x "}}"
#define PRIVILEGED LINUX("'privileged': true")

/* ---- capabilities ---- */

#define CAPS(x) LINUX("'capabilities': {" x "}")

static const struct {
	const char *config;
	size_t n;
	const char *has, *has_not;
} capabilities[] = {
	{ "", 14, "CAP_SYS_CHROOT", "CAP_SYS_ADMIN" },
	{ CAPS("'add_capabilities': ['SYS_ADMIN']"), 15, "CAP_SYS_ADMIN", NULL },
	{ CAPS("'add_capabilities': ['cap_sys_Admin', 'SYS_ADMIN']"), 15, "CAP_SYS_ADMIN", NULL },
	{ CAPS("'drop_capabilities': ['KILL']"), 13, NULL, "CAP_KILL" },
	{ CAPS("'add_capabilities': ['KILL'], 'drop_capabilities': ['KILL']"), 13, NULL,
		"CAP_KILL" },
	{ CAPS("'drop_capabilities': ['ALL']"), 0, NULL, "CAP_KILL" },
	{ CAPS("'drop_capabilities': ['ALL'], 'add_capabilities': ['NET_ADMIN']"), 1,
		"CAP_NET_ADMIN", NULL },
	{ CAPS("'add_capabilities': ['all'], 'drop_capabilities': ['SYS_ADMIN']"), 40, "CAP_BPF",
		"CAP_SYS_ADMIN" },
	{ CAPS("'add_capabilities': ['ALL', 'NET_RAW'], 'drop_capabilities': ['ALL']"), 1,
		"CAP_NET_RAW", NULL },
};

static bool has(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], name))
			return true;
	return false;
}

Test(spec_security, capabilities_are_the_default_ones_and_what_is_added_less_what_is_dropped)
{
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		_built_ struct built b;
		built_members(&b, capabilities[i].config, "");
		const struct oci_capabilities *c = built_spec(&b)->process->capabilities;
		cr_assert_eq(c->n_bounding, capabilities[i].n, "case %zu: %zu", i, c->n_bounding);
		cr_assert(c->n_permitted == c->n_bounding && c->n_effective == c->n_bounding);
		cr_assert(c->n_inheritable == 0 && c->n_ambient == 0);
		if (capabilities[i].has)
			cr_assert(has(c->effective, c->n_effective, capabilities[i].has));
		if (capabilities[i].has_not)
			cr_assert_not(has(c->bounding, c->n_bounding, capabilities[i].has_not));
	}
}

Test(spec_security, capabilities_are_fewer_by_the_settings)
{
	_built_ struct built b;

	built_members(&b, "", "");
	b.c.settings.restricted_capabilities = true;
	cr_assert_eq(built_spec(&b)->process->capabilities->n_bounding, 9);
}

Test(spec_security, capabilities_of_a_privileged_container_are_those_of_ctrctl)
{
	static const char *const few[] = { "CAP_CHOWN", "CAP_SYS_ADMIN" };
	_built_ struct built b;

	built_members(&b, PRIVILEGED, PRIVILEGED);
	b.c.facts.host_caps = few;
	b.c.facts.n_host_caps = 2;
	cr_assert_eq(built_spec(&b)->process->capabilities->n_bounding, 2);
}

Test(spec_security, capabilities_that_ctrctl_lacks_are_refused_when_named)
{
	static const char *const few[] = { "CAP_CHOWN" };
	_built_ struct built a, b;

	built_members(&a, CAPS("'add_capabilities': ['SYS_TIME']"), "");
	a.c.facts.host_caps = few;
	a.c.facts.n_host_caps = 1;
	built_refused(&a, SEC "capabilities.add_capabilities", "CAP_SYS_TIME");
	built_members(&b, "", "");
	b.c.facts.host_caps = few;
	b.c.facts.n_host_caps = 1;
	cr_assert_eq(built_spec(&b)->process->capabilities->n_bounding, 1);
}

Test(spec_security, capabilities_that_dont_exist_are_refused)
{
	static const char *const bad[] = { "FLY", "", "CAP_", "CAP_CAP_KILL", "ALLL",
		"A_NAME_THAT_IS_LONGER_THAN_ANY_CAPABILITY_IS" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_built_ struct built b;
		_free_ char *config = strf("'linux': {'security_context': {'capabilities': "
					   "{'drop_capabilities': ['KILL', '%s']}}}",
			bad[i]);
		built_members(&b, config, "");
		built_refused(&b, SEC "capabilities.drop_capabilities[1]", "unknown capability");
	}
}

Test(spec_security, capabilities_become_ambient_only_when_permitted)
{
	_built_ struct built a, b;

	built_members(&a, CAPS("'add_ambient_capabilities': ['NET_BIND_SERVICE']"), "");
	const struct oci_capabilities *c = built_spec(&a)->process->capabilities;
	cr_assert(c->n_ambient == 1 && c->n_inheritable == 1);
	cr_assert_str_eq(c->ambient[0], "CAP_NET_BIND_SERVICE");
	built_members(&b, CAPS("'add_ambient_capabilities': ['SYS_ADMIN']"), "");
	built_refused(&b, SEC "capabilities.add_ambient_capabilities", "only a capability");
}

/* ---- privileged ---- */

Test(spec_security, privileged_is_what_the_stored_sandbox_allows)
{
	_built_ struct built b;

	built_members(&b, PRIVILEGED, "");
	built_refused(&b, SEC "privileged", "isn't privileged");
}

Test(spec_security, privileged_containers_have_no_masks_nor_profiles)
{
	_built_ struct built b;

	built_members(&b,
		LINUX("'privileged': true, 'masked_paths': ['/proc/kcore'], 'readonly_paths': ['/proc/sys'], "
		      "'seccomp': {'profile_type': 0}, 'apparmor': {'profile_type': 0}, 'no_new_privs': true"),
		PRIVILEGED);
	b.c.facts.apparmor = b.c.facts.selinux = true;
	const struct oci_spec *s = built_spec(&b);
	cr_assert(!s->linux_->seccomp && !s->process->apparmor_profile);
	cr_assert(!s->process->selinux_label && !s->linux_->mount_label);
	cr_assert(!s->linux_->n_masked_paths && !s->linux_->n_readonly_paths);
	cr_assert(s->process->no_new_privileges);
	cr_assert_null(oci_namespace_get(s, OCI_NS_CGROUP));
}

/* ---- seccomp ---- */

static const struct {
	const char *security, *names; /* names: the rule; NULL: no filter */
} filters[] = {
	{ "", NULL },
	{ "'seccomp': {}", "read_with_14_capabilities" },
	{ "'seccomp': {'profile_type': 0}, 'capabilities': {'drop_capabilities': ['ALL']}",
		"read_with_0_capabilities" },
	{ "'seccomp': {'profile_type': 1}", NULL },
	{ "'seccomp': {'profile_type': 2, 'localhost_ref': '/p.json'}", "from_the_host" },
	{ "'seccomp_profile_path': 'runtime/default'", "read_with_14_capabilities" },
	{ "'seccomp_profile_path': 'docker/default'", "read_with_14_capabilities" },
	{ "'seccomp_profile_path': 'unconfined'", NULL },
	{ "'seccomp_profile_path': 'localhost//p.json'", "from_the_host" },
	{ "'seccomp': {'profile_type': 1}, 'seccomp_profile_path': 'runtime/default'", NULL },
};

Test(spec_security, seccomp_is_the_message_else_the_old_text_else_none)
{
	static const char *names[] = { "from_the_host" };
	static struct oci_seccomp_rule rule = { .names = names, .n_names = 1 };
	static const struct oci_seccomp profile = { .syscalls = &rule, .n_syscalls = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'linux': {'security_context': {%s}}", filters[i].security);
		built_members(&b, config, "");
		b.c.facts.seccomp = &profile;
		const struct oci_seccomp *s = built_spec(&b)->linux_->seccomp;
		cr_assert_eq(s != NULL, filters[i].names != NULL, "case %zu", i);
		if (s)
			cr_assert_str_eq(s->syscalls[0].names[0], filters[i].names);
	}
}

static const struct {
	const char *security, *field;
} bad_profiles[] = {
	{ "'seccomp': {'profile_type': 2}", "seccomp" },
	{ "'seccomp': {'profile_type': 2, 'localhost_ref': 'localhost/'}", "seccomp" },
	{ "'seccomp': {'localhost_ref': '/x'}", "seccomp" },
	{ "'seccomp': {'profile_type': 1, 'localhost_ref': '/x'}", "seccomp" },
	{ "'seccomp': {'profile_type': 2, 'localhost_ref': '/x'}", "seccomp" }, /* not read */
	{ "'seccomp_profile_path': 'Unconfined'", "seccomp_profile_path" },
	{ "'seccomp_profile_path': 'localhost/'", "seccomp_profile_path" },
	{ "'apparmor_profile': 'x'", "apparmor_profile" },
	{ "'apparmor': {'profile_type': 0, 'localhost_ref': 'x'}", "apparmor" },
	{ "'apparmor': {'profile_type': 0}", "apparmor" }, /* not on this host */
	{ "'apparmor': {'profile_type': 2, 'localhost_ref': 'x'}", "apparmor" },
	{ "'apparmor_profile': 'runtime/default'", "apparmor_profile" },
	{ "'selinux_options': {'level': 's0:c1,c2'}", "selinux_options" },
};

Test(spec_security, profiles_that_cant_be_had_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_profiles); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'linux': {'security_context': {%s}}", bad_profiles[i].security);
		_free_ char *field = strf(SEC "%s", bad_profiles[i].field);
		built_members(&b, config, "");
		built_refused(&b, field, "");
	}
}

/* ---- AppArmor, SELinux ---- */

static const struct {
	const char *security, *profile;
} apparmor[] = {
	{ "", "ctrctl-default" },
	{ "'apparmor': {}", "ctrctl-default" },
	{ "'apparmor': {'profile_type': 1}", NULL },
	{ "'apparmor': {'profile_type': 2, 'localhost_ref': 'mine'}", "mine" },
	{ "'apparmor_profile': 'localhost/mine'", "mine" },
	{ "'apparmor_profile': 'unconfined'", NULL },
	{ "'apparmor': {'profile_type': 2, 'localhost_ref': 'new'}, 'apparmor_profile': 'localhost/old'",
		"new" },
};

Test(spec_security, apparmor_is_the_default_profile_where_the_host_has_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(apparmor); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'linux': {'security_context': {%s}}", apparmor[i].security);
		built_members(&b, config, "");
		b.c.facts.apparmor = true;
		const char *is = built_spec(&b)->process->apparmor_profile;
		cr_assert(apparmor[i].profile ? str_eq(is, apparmor[i].profile) : !is,
			"case %zu: %s", i, is);
	}
}

Test(spec_security, apparmor_is_none_where_nobody_asks_and_the_default_is_not_loaded)
{
	static const struct {
		const char *security, *profile;
	} rows[] = {
		{ "", NULL },
		{ "'apparmor_profile': ''", NULL },
		{ "'apparmor': {}", "ctrctl-default" },
		{ "'apparmor_profile': 'runtime/default'", "ctrctl-default" },
		{ "'apparmor': {'profile_type': 2, 'localhost_ref': 'mine'}", "mine" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_built_ struct built b;
		_free_ char *config = strf("'linux': {'security_context': {%s}}", rows[i].security);
		built_members(&b, config, "");
		b.c.facts.apparmor = b.c.facts.no_apparmor_default = true;
		const char *is = built_spec(&b)->process->apparmor_profile;
		cr_assert(
			rows[i].profile ? str_eq(is, rows[i].profile) : !is, "case %zu: %s", i, is);
	}
}

Test(spec_security, apparmor_is_none_where_the_host_has_none)
{
	_built_ struct built b;

	built_members(&b, LINUX("'apparmor': {'profile_type': 1}"), "");
	cr_assert_null(built_spec(&b)->process->apparmor_profile);
}

Test(spec_security, selinux_labels_are_the_containers_then_the_pods_then_the_usual)
{
	_built_ struct built b;

	built_members(&b, LINUX("'selinux_options': {'type': 'my_t'}"),
		LINUX("'selinux_options': {'type': 'pod_t', 'level': 's0:c7,c9'}"));
	b.c.facts.selinux = true;
	const struct oci_spec *s = built_spec(&b);
	cr_assert_str_eq(s->process->selinux_label, "system_u:system_r:my_t:s0:c7,c9");
	cr_assert_str_eq(s->linux_->mount_label, "system_u:object_r:container_file_t:s0:c7,c9");
}

Test(spec_security, selinux_levels_are_the_same_in_a_pod_and_others_in_another)
{
	_built_ struct built a, b, c;

	built_members(&a, "", "");
	built_members(&b, "", "");
	built_members(&c, "", "");
	a.c.facts.selinux = b.c.facts.selinux = c.c.facts.selinux = true;
	c.c.sandbox.id = "another";
	cr_assert_str_eq(
		built_spec(&a)->process->selinux_label, built_spec(&b)->process->selinux_label);
	cr_assert_str_neq(a.spec->process->selinux_label, built_spec(&c)->process->selinux_label);
}

Test(spec_security, selinux_labels_cant_bring_options_of_a_mount)
{
	static const char *const bad[] = { "'type': 'x,suid'", "'level': 's0 ro'", "'user': 'a:b'",
		"'role': 'x\\ny'", "'type': 'x=y'" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'linux': {'security_context': {'selinux_options': {%s}}}", bad[i]);
		built_members(&b, config, "");
		b.c.facts.selinux = true;
		cr_assert_eq(spec_build(&b.c.in, b.arena, &b.spec, &b.faults, &b.err), -1,
			"case %zu", i);
	}
}

/* ---- masks ---- */

Test(spec_security, masks_are_those_sent_or_the_default_ones_without_a_context)
{
	_built_ struct built a, b, c;

	built_members(&a, "", "");
	const struct oci_linux *l = built_spec(&a)->linux_;
	cr_assert(has(l->masked_paths, l->n_masked_paths, "/proc/kcore"));
	cr_assert(has(l->readonly_paths, l->n_readonly_paths, "/proc/sys"));
	built_members(&b, LINUX(""), "");
	l = built_spec(&b)->linux_;
	cr_assert(l->n_masked_paths == 0 && l->n_readonly_paths == 0);
	built_members(&c, LINUX("'masked_paths': ['/a', '/b'], 'readonly_paths': ['/c']"), "");
	l = built_spec(&c)->linux_;
	cr_assert_str_eq(joined(&c, l->masked_paths, l->n_masked_paths), "/a /b");
	cr_assert_str_eq(joined(&c, l->readonly_paths, l->n_readonly_paths), "/c");
}

Test(spec_security, masks_that_are_relative_are_refused)
{
	_built_ struct built b;

	built_members(&b, LINUX("'masked_paths': ['/a', 'proc/kcore']"), "");
	built_refused(&b, SEC "masked_paths[1]", "absolute");
}

/* ---- devices ---- */

static const char *rules_of(struct built *b)
{
	const struct oci_resources *r = built_spec(b)->linux_->resources;
	const char *out = "";

	for (size_t i = 0; i < r->n_devices; i++) {
		const struct oci_device_rule *d = &r->devices[i];
		out = arena_printf(b->arena, "%s%s%s %s %lld:%lld %s", out, i ? ", " : "",
			d->allow ? "allow" : "deny", d->type ? d->type : "a",
			d->major ? (long long)*d->major : -1, d->minor ? (long long)*d->minor : -1,
			d->access);
	}
	return out;
}

Test(spec_security, devices_are_denied_but_for_those_asked_for)
{
	_built_ struct built b;

	built_members(&b,
		"'devices': [{'container_path': '/dev/a', 'host_path': '/dev/a', 'permissions': 'r'}, "
		"{'container_path': '/dev/b', 'host_path': '/dev/b'}]",
		"");
	cr_assert_str_eq(rules_of(&b), "deny a -1:-1 rwm, allow c 10:200 r, allow c 10:201 rwm");
	cr_assert_eq(b.spec->linux_->n_devices, 2);
	cr_assert_eq(*b.spec->linux_->devices[0].file_mode, 0660);
}

Test(spec_security, devices_of_the_host_are_a_privileged_containers)
{
	_built_ struct built b;

	built_members(&b,
		"'devices': [{'container_path': '/dev/a', 'host_path': '/dev/a'}], " PRIVILEGED,
		PRIVILEGED);
	cr_assert_str_eq(rules_of(&b), "deny a -1:-1 rwm, allow a -1:-1 rwm");
	cr_assert_eq(b.spec->linux_->n_devices, 4);
}

Test(spec_security, devices_of_the_host_are_nobody_elses)
{
	_built_ struct built b;

	built_members(&b, PRIVILEGED, "");
	cr_assert_eq(b.c.facts.n_host_devices, 3);
	b.c.request->config->linux_->security_context->privileged = false;
	cr_assert_str_eq(rules_of(&b), "deny a -1:-1 rwm");
	cr_assert_eq(b.spec->linux_->n_devices, 0);
}

Test(spec_security, devices_at_one_path_must_be_one_device)
{
	_built_ struct built a, b;

	built_members(&a,
		"'devices': [{'container_path': '/dev/a', 'host_path': '/x'}, {'container_path': '/dev/./a', 'host_path': '/y'}]",
		"");
	built_refused(&a, "config.devices", "given twice");
	built_members(&b,
		"'devices': [{'container_path': '/dev/sda', 'host_path': '/x'}], " PRIVILEGED,
		PRIVILEGED);
	built_refused(&b, "config.devices", "given twice");
}

Test(spec_security, devices_lie_where_nodes_can_be_made)
{
	static const char *const bad[] = { "/", "", "/proc/x", "/dev/../sys/x", "dev/x" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_built_ struct built b;
		_free_ char *config = strf(
			"'devices': [{'container_path': '%s', 'host_path': '/dev/x'}]", bad[i]);
		built_members(&b, config, "");
		built_refused(&b, "config.devices", "no device");
	}
}
