/* SPDX-License-Identifier: Apache-2.0 */
/* Args, environment, user, working directory, namespaces, cgroup, annotations. */
#include "spec-common.h"

#include <criterion/criterion.h>

/* ---- args ---- */

static const struct args_case {
	const char *entrypoint, *cmd, *command, *args, *becomes; /* words; NULL: refused */
} args_cases[] = {
	{ "/e", "c", "", "", "/e c" },
	{ "/e", "c", "", "a", "/e a" },
	{ "/e", "c", "x", "", "x" },
	{ "/e", "c", "x", "a", "x a" },
	{ "/e", "", "", "", "/e" },
	{ "/e", "", "", "a", "/e a" },
	{ "", "c d", "", "", "c d" },
	{ "", "c d", "", "a b", "a b" },
	{ "", "", "", "a", "a" },
	{ "", "", "x", "", "x" },
	{ "", "", "", "", NULL },
	{ "-", "c", "", "", "c" }, /* "-": one empty text */
	{ "-", "", "", "", NULL },
	{ "", "", "-", "a", NULL },
};

static size_t words(struct arena *arena, const char *text, const char ***ret)
{
	size_t n = 0;

	*ret = arena_array(arena, 8, sizeof(**ret));
	if (str_eq(text, "-"))
		(*ret)[n++] = "";
	else
		while (*text) {
			size_t len = strcspn(text, " ");
			(*ret)[n++] = arena_strndup(arena, text, len);
			text += len + (text[len] == ' ');
		}
	return n;
}

Test(spec, command_and_args_replace_those_of_the_image)
{
	for (size_t i = 0; i < ARRAY_SIZE(args_cases); i++) {
		const struct args_case *t = &args_cases[i];
		_arena_ struct arena *arena = arena_new();
		struct ctr_image_config image = { 0 };
		struct cri_container_config config = { 0 };
		struct err err = ERR_INIT;
		const char **args;
		size_t n;
		image.n_entrypoint = words(arena, t->entrypoint, &image.entrypoint);
		image.n_cmd = words(arena, t->cmd, &image.cmd);
		config.n_command = words(arena, t->command, &config.command);
		config.n_args = words(arena, t->args, &config.args);
		int r = spec_args(&config, &image, arena, &args, &n, &err);
		cr_assert_eq(r, t->becomes ? 0 : -1, "case %zu", i);
		if (r < 0) {
			cr_assert_eq(err.code, ERR_INVALID);
			cr_assert(strstr(err.text, "no command specified"));
			continue;
		}
		struct built b = { .arena = arena };
		cr_assert_str_eq(joined(&b, args, n), t->becomes, "case %zu", i);
	}
}

/* ---- environment ---- */

Test(spec, environment_is_path_then_the_images_then_the_requests)
{
	_built_ struct built b;

	built_members(&b,
		"'envs': [{'key': 'PATH', 'value': '/mine'}, {'key': 'A', 'value': 'x=y'}, "
		"{'key': 'EMPTY'}, {'key': 'A', 'value': 'last'}]",
		"'hostname': 'web-0'");
	const struct oci_spec *s = built_spec(&b);
	cr_assert_str_eq(joined(&b, s->process->env, s->process->n_env),
		"PATH=/mine HOSTNAME=web-0 LANG=C.UTF-8 GREETING=from the image A=last EMPTY=");
}

Test(spec, environment_has_a_path_and_with_a_terminal_a_type_of_it)
{
	_built_ struct built b;

	built_members(&b, "'tty': true", "");
	b.c.image.config.n_env = 0;
	const struct oci_spec *s = built_spec(&b);
	cr_assert_str_eq(
		env_of(s, "PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	cr_assert_str_eq(env_of(s, "TERM"), "xterm");
	cr_assert(s->process->terminal);
}

Test(spec, environment_has_the_hosts_name_with_the_hosts_network)
{
	_built_ struct built b;
	static const char net[] =
		"'linux': {'security_context': {'namespace_options': {'network': 2}}}";

	built_members(&b, net, net);
	cr_assert_str_eq(env_of(built_spec(&b), "HOSTNAME"), "node-1");
}

Test(spec, environment_of_many_variables_is_merged_by_key)
{
	enum { N = 4000 };
	_built_ struct built b;

	built_members(&b, "", "");
	struct cri_key_value *envs = arena_array(b.arena, 2 * N, sizeof(*envs));
	for (int i = 0; i < 2 * N; i++) {
		envs[i].key = arena_printf(b.arena, "KEY_%d", i % N);
		envs[i].value = arena_printf(b.arena, "%d", i);
	}
	b.c.request->config->envs = envs;
	b.c.request->config->n_envs = 2 * (size_t)N;
	const struct oci_spec *s = built_spec(&b);
	cr_assert_eq(s->process->n_env, N + 4);
	cr_assert_str_eq(env_of(s, "KEY_17"), "4017");
}

Test(spec, environment_names_that_are_none_are_refused)
{
	static const char *const bad[] = { "", "A=B", "A\nB" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_built_ struct built b;
		struct cri_key_value v = { bad[i], "x" };
		built_members(&b, "", "");
		b.c.request->config->envs = &v;
		b.c.request->config->n_envs = 1;
		built_refused(&b, "config.envs[0].key", "must not be empty");
	}
}

/* ---- working directory ---- */

Test(spec, working_directory_is_the_requests_else_the_images_else_the_root)
{
	static const struct {
		const char *own, *image, *is;
	} cases[] = { { "/srv", "/img", "/srv" }, { "rel/x", "/img", "/rel/x" },
		{ NULL, "/img", "/img" }, { "", "img", "/img" }, { NULL, NULL, "/" },
		{ NULL, "", "/" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_built_ struct built b;
		built_members(&b, "", "");
		b.c.request->config->working_dir = cases[i].own;
		b.c.image.config.working_dir = cases[i].image;
		cr_assert_str_eq(built_spec(&b)->process->cwd, cases[i].is);
	}
}

/* ---- user ---- */

static const struct {
	const char *security, *image, *text; /* NULL: refused */
} users[] = {
	{ "{}", "app:www", "app:www" },
	{ "{}", NULL, "" },
	{ "{'run_as_user': {'value': 0}}", "app", "0" },
	{ "{'run_as_user': {'value': 7}, 'run_as_group': {'value': 0}}", "app", "7:0" },
	{ "{'run_as_username': 'web'}", "app", "web" },
	{ "{'run_as_username': 'web:9'}", "app", "web:9" },
	{ "{'run_as_username': 'web', 'run_as_group': {'value': 9}}", "app", "web:9" },
	{ "{'run_as_group': {'value': 9}}", "app", NULL },
	{ "{'run_as_username': 'web:1', 'run_as_group': {'value': 9}}", "app", NULL },
	{ "{'run_as_username': 'web', 'run_as_user': {'value': 9}}", "app", NULL },
	{ "{'run_as_user': {'value': -1}}", "app", NULL },
	{ "{'run_as_user': {'value': 2147483648}}", "app", NULL },
	{ "{'run_as_user': {'value': 1}, 'run_as_group': {'value': -1}}", "app", NULL },
};

Test(spec, user_is_the_requests_else_the_images)
{
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		_built_ struct built b;
		_free_ char *config = strf("'linux': {'security_context': %s}", users[i].security);
		built_members(&b, config, "");
		b.c.image.config.user = users[i].image;
		const char *text =
			spec_user_text(b.c.request->config, &b.c.image.config, b.arena, &b.err);
		cr_assert_eq(text != NULL, users[i].text != NULL, "case %zu", i);
		if (text)
			cr_assert_str_eq(text, users[i].text);
		else
			cr_assert_eq(b.err.code, ERR_INVALID);
	}
}

static const char *groups_of(struct built *b)
{
	const struct oci_user *u = &built_spec(b)->process->user;
	const char *out = "";

	for (size_t i = 0; i < u->n_additional_gids; i++)
		out = arena_printf(b->arena, "%s %u", out, u->additional_gids[i]);
	return out;
}

Test(spec, groups_are_the_primary_the_images_and_the_supplemental_ones_once)
{
	_built_ struct built b;

	built_members(
		&b, "'linux': {'security_context': {'supplemental_groups': [27, 5, 101, 5]}}", "");
	cr_assert_str_eq(groups_of(&b), " 101 10 27 5");
}

Test(spec, groups_of_the_image_dont_count_when_the_policy_is_strict)
{
	_built_ struct built b;

	built_members(&b,
		"'linux': {'security_context': {'supplemental_groups': [5], 'supplemental_groups_policy': 1}}",
		"");
	cr_assert_str_eq(groups_of(&b), " 101 5");
}

Test(spec, groups_out_of_range_are_refused)
{
	_built_ struct built b;

	built_members(&b, "'linux': {'security_context': {'supplemental_groups': [1, -1]}}", "");
	built_refused(&b, SEC "supplemental_groups[1]", "not in the range");
}

/* ---- namespaces ---- */

/* "pid=PATH network=..." without the types that are the container's own. */
static const char *namespaces_of(struct built *b)
{
	const struct oci_linux *l = built_spec(b)->linux_;
	const char *out = "";

	for (size_t i = 0; i < l->n_namespaces; i++)
		out = arena_printf(b->arena, "%s%s%s%s%s", out, i ? " " : "",
			oci_namespace_name(l->namespaces[i].type), l->namespaces[i].path ? "=" : "",
			l->namespaces[i].path ? strrchr(l->namespaces[i].path, '/') + 1 : "");
	return out;
}

#define NS(x) "'linux': {'security_context': {'namespace_options': {" x "}}}"
#define US                                                                                      \
	"'userns_options': {'uids': [{'host_id': 100000, 'container_id': 0, 'length': 65536}]," \
	" 'gids': [{'host_id': 100000, 'container_id': 0, 'length': 65536}]}"

static const struct {
	const char *config, *pod, *is;
} namespaces[] = {
	{ "", "", "pid=pid network=net uts=uts ipc=ipc mount cgroup" },
	{ NS("'pid': 1"), NS("'pid': 1"), "pid network=net uts=uts ipc=ipc mount cgroup" },
	{ NS("'pid': 1"), "", "pid network=net uts=uts ipc=ipc mount cgroup" },
	{ NS("'network': 2, 'pid': 2, 'ipc': 2"), NS("'network': 2, 'pid': 2, 'ipc': 2"),
		"mount cgroup" },
	{ NS("'pid': 1"), NS("'network': 2, 'pid': 2, 'ipc': 2"), "pid mount cgroup" },
	{ NS("'network': 1, 'ipc': 1"), "", "pid=pid network=net uts=uts ipc mount cgroup" },
	{ NS("'pid': 3, 'target_id': 'x'"), "",
		"pid=pid network=net uts=uts ipc=ipc mount cgroup" },
	{ NS("'pid': 1, " US), NS("'pid': 1, " US),
		"user=user pid network=net uts=uts ipc=ipc mount cgroup" },
	{ NS("'pid': 1"), NS("'pid': 1, " US),
		"user=user pid network=net uts=uts ipc=ipc mount cgroup" },
};

Test(spec, namespaces_are_the_pods_as_the_stored_sandbox_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		_built_ struct built b;
		built_members(&b, namespaces[i].config, namespaces[i].pod);
		cr_assert_str_eq(namespaces_of(&b), namespaces[i].is, "case %zu", i);
		cr_assert_null(b.spec->hostname, "a joined uts namespace has its name");
	}
}

Test(spec, namespaces_of_the_host_are_refused_unless_the_sandbox_has_them)
{
	static const char *const which[] = { "network", "pid", "ipc" };

	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		_built_ struct built b;
		_free_ char *config =
			strf("'linux': {'security_context': {'namespace_options': {'%s': 2}}}",
				which[i]);
		_free_ char *field = strf(SEC "namespace_options.%s", which[i]);
		built_members(&b, config, "");
		built_refused(&b, field, "the sandbox doesn't have it");
	}
}

Test(spec, namespaces_that_the_sandbox_lost_are_never_the_hosts_instead)
{
	static const int types[] = { OCI_NS_NETWORK, OCI_NS_PID, OCI_NS_IPC, OCI_NS_UTS };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_built_ struct built b;
		built_members(&b, "", "");
		b.c.sandbox.ns_path[types[i]] = NULL;
		built_refused(&b, "pod_sandbox_id", oci_namespace_name(types[i]));
	}
}

Test(spec, user_namespaces_that_the_sandbox_lost_are_refused)
{
	_built_ struct built b;

	built_members(&b, NS("'pid': 1, " US), NS("'pid': 1, " US));
	b.c.sandbox.ns_path[OCI_NS_USER] = NULL;
	built_refused(&b, "pod_sandbox_id", "no user namespace");
}

Test(spec, user_namespaces_must_agree_with_the_sandboxs)
{
	_built_ struct built a, b, c;

	built_members(&a, NS("'pid': 1, " US), NS("'pid': 1"));
	built_refused(&a, SEC "namespace_options.userns_options.mode", "differs");
	built_members(&b, NS("'pid': 1, 'userns_options': {'mode': 2}"), NS("'pid': 1, " US));
	built_refused(&b, SEC "namespace_options.userns_options.mode", "differs");
	built_members(&c,
		NS("'pid': 1, 'userns_options': {'uids': [{'host_id': 0, 'container_id': 0, "
		   "'length': 65536}], 'gids': [{'host_id': 100000, 'container_id': 0, 'length': 65536}]}"),
		NS("'pid': 1, " US));
	built_refused(&c, SEC "namespace_options.userns_options", "mappings differ");
}

Test(spec, users_must_be_mapped_in_the_pods_user_namespace)
{
	_built_ struct built b;

	built_members(&b,
		"'linux': {'security_context': {'run_as_user': {'value': 70000}, 'namespace_options': {'pid': 1}}}",
		NS("'pid': 1, " US));
	built_refused(&b, SEC "run_as_user", "70000 is not mapped");
}

Test(spec, target_of_a_shared_pid_namespace_must_be_known)
{
	_built_ struct built b;

	built_members(&b, NS("'pid': 3, 'target_id': 'x'"), "");
	b.c.facts.target_pid_ns = NULL;
	built_refused(&b, SEC "namespace_options.target_id", "isn't known");
}

/* ---- cgroup and limits ---- */

Test(spec, cgroup_lies_in_the_sandboxs)
{
	_built_ struct built b;

	built_members(&b, "", "");
	cr_assert_str_eq(
		built_spec(&b)->linux_->cgroups_path, "/kubepods/pod1/" CASE_POD "/ctrctl-c0ffee");
}

#define RES(x) "'linux': {'resources': {" x "}}"

Test(spec, limits_of_zero_are_none)
{
	_built_ struct built b;

	built_members(&b, RES(""), "");
	const struct oci_resources *r = built_spec(&b)->linux_->resources;
	cr_assert(!r->cpu && !r->memory && !r->pids && !r->n_hugepage_limits && !r->unified.n);
	cr_assert_eq(*b.spec->process->oom_score_adj, 0);
}

Test(spec, memory_limits_forbid_swap_unless_it_is_given)
{
	_built_ struct built a, b, c;

	built_members(&a, RES("'memory_limit_in_bytes': 4096"), "");
	cr_assert_eq(*built_spec(&a)->linux_->resources->memory->swap, 4096);
	built_members(
		&b, RES("'memory_limit_in_bytes': 4096, 'memory_swap_limit_in_bytes': 8192"), "");
	cr_assert_eq(*built_spec(&b)->linux_->resources->memory->swap, 8192);
	built_members(
		&c, RES("'memory_limit_in_bytes': 4096, 'memory_swap_limit_in_bytes': -1"), "");
	cr_assert_eq(*built_spec(&c)->linux_->resources->memory->swap, -1);
}

Test(spec, limits_that_make_no_sense_are_refused)
{
	static const struct {
		const char *resources, *field;
	} cases[] = {
		{ RES("'memory_limit_in_bytes': -5"), "memory_limit_in_bytes" },
		{ RES("'memory_limit_in_bytes': 9, 'memory_swap_limit_in_bytes': 8"),
			"memory_swap_limit_in_bytes" },
		{ RES("'memory_swap_limit_in_bytes': 8"), "memory_swap_limit_in_bytes" },
		{ RES("'memory_limit_in_bytes': 9, 'memory_swap_limit_in_bytes': -2"),
			"memory_swap_limit_in_bytes" },
		{ RES("'cpu_shares': -2"), "cpu_shares" },
		{ RES("'cpu_period': -2"), "cpu_period" },
		{ RES("'oom_score_adj': 1001"), "oom_score_adj" },
		{ RES("'oom_score_adj': -4294967296"), "oom_score_adj" },
		{ RES("'unified': {'cgroup.procs': '1'}"), "unified" },
		{ RES("'unified': {'../memory.max': '1'}"), "unified" },
		{ RES("'unified': {'memory/x.max': '1'}"), "unified" },
		{ RES("'unified': {'memory': '1'}"), "unified" },
		{ RES("'unified': {'memory.x/../../high': '1'}"), "unified" },
		{ RES("'unified': {'memory.': '1'}"), "unified" },
		{ RES("'hugepage_limits': [{'limit': 1}]"), "hugepage_limits[0].page_size" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_built_ struct built b;
		_free_ char *field = strf("config.linux.resources.%s", cases[i].field);
		built_members(&b, cases[i].resources, "");
		built_refused(&b, field, "");
	}
}

Test(spec, processes_are_limited_by_the_settings_only)
{
	_built_ struct built b;

	built_members(&b, "", "");
	b.c.settings.pids_limit = 512;
	cr_assert_eq(built_spec(&b)->linux_->resources->pids->limit, 512);
}

/* ---- annotations ---- */

Test(spec, annotations_pass_by_exact_key_and_never_reserved_ones)
{
	_built_ struct built b;

	built_members(&b,
		"'annotations': {'example.net/team': 'own', 'example.net/teams': 'x', "
		"'run.oci.keep_original_groups': '1', 'org.systemd.property.X': '1', "
		"'io.kubernetes.cri.sandbox-id': 'lie'}",
		"'annotations': {'example.net/team': 'the pod'}");
	const struct oci_spec *s = built_spec(&b);
	cr_assert_str_eq(ctr_map_get(&s->annotations, "example.net/team"), "own");
	cr_assert_null(ctr_map_get(&s->annotations, "example.net/teams"));
	cr_assert_null(ctr_map_get(&s->annotations, "run.oci.keep_original_groups"));
	cr_assert_null(ctr_map_get(&s->annotations, "org.systemd.property.X"));
	cr_assert_str_eq(ctr_map_get(&s->annotations, "io.kubernetes.cri.sandbox-id"), CASE_POD);
}

Test(spec, annotations_name_the_image_as_the_user_wrote_it)
{
	_built_ struct built b;

	built_members(&b, "", "");
	struct cri_image_spec *image = b.c.request->config->image;
	cr_assert_str_eq(ctr_map_get(&built_spec(&b)->annotations, "io.kubernetes.cri.image-name"),
		"busybox");
	image->image = b.c.image.id;
	cr_assert_str_eq(ctr_map_get(&built_spec(&b)->annotations, "io.kubernetes.cri.image-name"),
		"registry.example.net/shop/web:2.4");
	image->user_specified_image = "shop/web";
	cr_assert_str_eq(ctr_map_get(&built_spec(&b)->annotations, "io.kubernetes.cri.image-name"),
		"shop/web");
}

/* ---- all faults at once ---- */

Test(spec, faults_are_reported_all_together)
{
	_built_ struct built b;

	built_members(&b,
		"'linux': {'resources': {'oom_score_adj': 5000}, 'security_context': "
		"{'privileged': true, 'namespace_options': {'pid': 2}, "
		"'capabilities': {'add_capabilities': ['FLY']}}}",
		"");
	built_refused(&b, SEC "privileged", "isn't privileged");
	cr_assert_eq(b.faults.total, 4);
}
