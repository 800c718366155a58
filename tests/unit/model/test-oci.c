/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sys.h"
#include "model/oci.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(oci, .init = set_up, .fini = tear_down);

static struct oci_spec *parse(const char *text)
{
	struct oci_spec *spec = NULL;
	char line[1024] = "";

	if (oci_spec_parse(text, strlen(text), arena, &spec, &err) < 0)
		err_line(&err, line, sizeof(line));
	cr_assert_str_empty(line, "%s", line);
	return spec;
}

/* ---- every table, both ways ---- */

/* A value for a field: text that reads as it and isn't what absence gives. */
static void sample(struct json_writer *w, const struct json_field *f);

static void sample_object(struct json_writer *w, const struct json_field *fields)
{
	json_w_object(w);
	for (const struct json_field *f = fields; f->name; f++) {
		if (f->flags & J_IGNORED)
			continue;
		json_w_key(w, f->name);
		if (f->flags & J_LIST)
			json_w_array(w);
		sample(w, f);
		if (f->flags & J_LIST) {
			sample(w, f);
			json_w_array_end(w);
		}
	}
	json_w_object_end(w);
}

static void sample(struct json_writer *w, const struct json_field *f)
{
	const struct name_table *names = f->more;

	switch (f->kind) {
	case J_BOOL: json_w_bool(w, true); break;
	case J_STR: json_w_str(w, f->name); break;
	case J_I32:
	case J_I64: json_w_i64(w, -7); break;
	case J_U32: json_w_u64(w, 7); break;
	case J_U64: json_w_u64(w, UINT64_MAX); break;
	case J_ENUM: json_w_str(w, names->names[names->n - 1]); break;
	case J_OBJECT: sample_object(w, f->more); break;
	case J_MAP_STR:
		json_w_object(w);
		json_w_key(w, "key");
		json_w_str(w, "value");
		json_w_object_end(w);
		break;
	case J_MAP_OBJ:
		json_w_object(w);
		json_w_key(w, "key");
		sample_object(w, f->more);
		json_w_object_end(w);
		break;
	case J_PRESENT: json_w_null(w); break; /* no property is of this kind */
	}
}

Test(oci, every_property_is_read_and_written_back)
{
	_str_ struct str in = { 0 }, out = { 0 };
	struct json_writer wi = { .out = &in }, wo = { .out = &out };

	sample_object(&wi, oci_spec_fields);
	struct oci_spec *spec = parse(in.p);
	json_w_fields(&wo, oci_spec_fields, spec);
	cr_assert_str_eq(out.p, in.p);
	cr_assert_gt(in.n, 5000);
}

/* Bytes of the struct that a row fills. */
static size_t room(const struct json_field *f)
{
	return f->flags & (J_OPT | J_LIST) ? sizeof(void *)
	       : f->kind == J_MAP_STR      ? sizeof(struct ctr_map_str)
	       : f->kind == J_MAP_OBJ      ? sizeof(struct ctr_map_obj)
					   : f->size;
}

static bool same_member(const struct json_field *a, const struct json_field *b)
{
	if ((a->flags | b->flags) & J_IGNORED)
		return false;
	return a->off < b->off + room(b) && b->off < a->off + room(a);
}

static void check_table(const struct json_field *fields, size_t *rows)
{
	size_t n = 0;

	for (const struct json_field *f = fields; f->name; f++, n++) {
		for (const struct json_field *g = fields; g != f; g++) {
			cr_assert_str_neq(g->name, f->name);
			cr_assert_not(same_member(f, g), "%s and %s fill the same member", g->name,
				f->name);
		}
		cr_assert(!(f->flags & J_LIST) || f->off_n != f->off, "%s", f->name);
		cr_assert((f->flags & J_IGNORED) || f->size > 0, "%s", f->name);
		if (f->kind == J_OBJECT || f->kind == J_MAP_OBJ)
			check_table(f->more, rows);
		if (f->kind == J_ENUM)
			cr_assert_not_null(f->more);
	}
	cr_assert_leq(n, 64, "the binder's set of seen rows has 64 bits");
	*rows += n;
}

Test(oci, tables_have_no_doubles_and_fit_the_binder)
{
	size_t rows = 0;

	check_table(oci_spec_fields, &rows);
	cr_assert_geq(rows, 180);
}

/* ---- particulars ---- */

Test(oci, an_empty_list_of_seccomp_flags_differs_from_none)
{
	struct oci_spec *none = parse(
		"{\"ociVersion\":\"1.0.0\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}");
	struct oci_spec *empty = parse(
		"{\"ociVersion\":\"1.0.0\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[]}}}");

	cr_assert_not(none->linux_->seccomp->has_flags);
	cr_assert(empty->linux_->seccomp->has_flags);
}

Test(oci, rlimits_keep_64_bits)
{
	struct oci_spec *spec = parse(
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
		"\"soft\":18446744073709551615,\"hard\":18446744073709551615}]}}");

	cr_assert_eq(spec->process->rlimits[0].hard, UINT64_MAX);
}

Test(oci, empty_texts_of_optional_properties_are_absent)
{
	struct oci_spec *spec = parse(
		"{\"ociVersion\":\"1.0.0\",\"hostname\":\"\",\"linux\":{\"cgroupsPath\":\"\",\"rootfsPropagation\":\"\","
		"\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"}]},\"process\":{\"cwd\":\"/\",\"apparmorProfile\":\"\","
		"\"selinuxLabel\":\"\"}}");

	cr_assert_null(spec->hostname);
	cr_assert_null(spec->linux_->cgroups_path);
	cr_assert_null(spec->linux_->namespaces[0].path);
	cr_assert_null(spec->process->apparmor_profile);
	cr_assert_null(spec->process->selinux_label);
	cr_assert_eq(spec->linux_->rootfs_propagation, OCI_PROPAGATION_UNSET);
}

Test(oci, other_platforms_and_unknown_keys_are_ignored)
{
	parse("{\"ociVersion\":\"1.0.0\",\"windows\":7,\"solaris\":{},\"zos\":[],\"vm\":{},\"freebsd\":{},\"x-y\":{\"a\":[]},"
	      "\"process\":{\"cwd\":\"/\",\"commandLine\":\"c\",\"user\":{\"username\":\"u\",\"uid\":3}}}");
}

Test(oci, a_process_and_resources_are_read_alone)
{
	static const char process_text[] =
		"{\"cwd\":\"/w\",\"args\":[\"a\",\"b\"],\"user\":{\"uid\":1000,\"additionalGids\":[5,6]}}";
	static const char resources_text[] =
		"{\"pids\":{\"limit\":-1},\"memory\":{\"limit\":4096},\"unified\":{\"memory.high\":\"max\"}}";
	struct oci_process *p;
	struct oci_resources *r;

	cr_assert_eq(oci_process_parse(process_text, strlen(process_text), arena, &p, &err), 0);
	cr_assert_eq(p->user.uid, 1000);
	cr_assert_eq(p->user.additional_gids[1], 6);
	cr_assert_str_eq(p->args[1], "b");
	cr_assert_eq(
		oci_resources_parse(resources_text, strlen(resources_text), arena, &r, &err), 0);
	cr_assert_eq(r->pids->limit, -1);
	cr_assert_eq(*r->memory->limit, 4096);
	cr_assert_null(r->memory->swap);
	cr_assert_str_eq(ctr_map_get(&r->unified, "memory.high"), "max");
}

Test(oci, a_wrong_type_deep_inside_is_named)
{
	static const char text[] =
		"{\"ociVersion\":\"1.0.0\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
		"[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}]}]}}}";
	struct oci_spec *spec;
	char line[512];

	cr_assert_eq(oci_spec_parse(text, strlen(text), arena, &spec, &err), -1);
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line,
		"linux.seccomp.syscalls[0].args[0].value: -1 is out of range (0 to 18446744073709551615)");
}

Test(oci, a_config_over_4_mib_is_refused)
{
	size_t n = OCI_CONFIG_MAX + 1;
	_free_ char *big = malloc(n + 1);
	struct oci_spec *spec;

	memset(big, ' ', n);
	cr_assert_eq(oci_spec_parse(big, n, arena, &spec, &err), -1);
	cr_assert_eq(err.code, ERR_EXHAUSTED);
}

Test(oci, namespaces_have_flags_and_names_under_proc)
{
	cr_assert_eq(oci_namespace_clone_flag(OCI_NS_MOUNT), CLONE_NEWNS);
	cr_assert_eq(oci_namespace_clone_flag(OCI_NS_TIME), CLONE_NEWTIME);
	cr_assert_str_eq(oci_namespace_proc_name(OCI_NS_NETWORK), "net");
	cr_assert_str_eq(oci_namespace_name(OCI_NS_NETWORK), "network");
	cr_assert_null(oci_namespace_proc_name(OCI_NS_N));
	for (int a = 0; a < OCI_NS_N; a++)
		for (int b = 0; b < a; b++)
			cr_assert_neq(oci_namespace_clone_flag(a), oci_namespace_clone_flag(b));
}

Test(oci, propagation_has_the_kernels_flags)
{
	cr_assert_eq(oci_propagation_flags(OCI_PROPAGATION_UNSET), MS_SLAVE | MS_REC);
	cr_assert_eq(oci_propagation_flags(OCI_PROPAGATION_SHARED), MS_SHARED);
	cr_assert_eq(oci_propagation_flags(OCI_PROPAGATION_RUNBINDABLE), MS_UNBINDABLE | MS_REC);
	cr_assert_eq(oci_propagation_flags(OCI_PROPAGATION_N), 0);
}

Test(oci, hooks_are_found_by_kind)
{
	struct oci_spec *spec = parse(
		"{\"ociVersion\":\"1.0.0\",\"hooks\":{\"poststop\":[{\"path\":\"/a\"}],\"createRuntime\":[{\"path\":\"/b\"},"
		"{\"path\":\"/c\",\"timeout\":3,\"args\":[\"c\"],\"env\":[\"A=b\"]}]}}");
	size_t n;

	cr_assert_str_eq(oci_hooks_of(spec->hooks, OCI_HOOK_CREATE_RUNTIME, &n)[1].path, "/c");
	cr_assert_eq(n, 2);
	oci_hooks_of(spec->hooks, OCI_HOOK_PRESTART, &n);
	cr_assert_eq(n, 0);
	cr_assert_null(oci_hooks_of(NULL, OCI_HOOK_PRESTART, &n));
	cr_assert_eq(n, 0);
}

Test(oci, sysctl_keys_have_two_spellings)
{
	cr_assert_str_eq(oci_sysctl_path(arena, "net.ipv4.ip_forward"), "net/ipv4/ip_forward");
	cr_assert_str_eq(oci_sysctl_path(arena, "net/ipv4/conf/eth0.1/forwarding"),
		"net/ipv4/conf/eth0.1/forwarding");
	cr_assert_str_eq(oci_sysctl_path(arena, "net.ipv4.conf.eth0/1.forwarding"),
		"net/ipv4/conf/eth0.1/forwarding");
}

Test(oci, lists_of_numbers_are_checked_with_their_offset)
{
	static const struct {
		const char *text;
		long at;
	} rows[] = { { "", -1 }, { "0", -1 }, { "0-3,7", -1 }, { " 0 , 2-2 ", -1 }, { "x", 0 },
		{ "0,", 2 }, { "0-", 0 }, { "3-1", 0 }, { "1,,2", 2 }, { "1;2", 1 }, { "-1", 0 },
		{ "1 2", 2 }, { "0,9999999999", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(oci_list_check(rows[i].text), rows[i].at, "\"%s\": %ld", rows[i].text,
			oci_list_check(rows[i].text));
}
