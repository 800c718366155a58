/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "model/oci.h"
#include "model/seccomp-default.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(seccomp_profile, .init = setup, .fini = teardown);

static struct oci_seccomp *parse(const char *text)
{
	struct oci_seccomp *s = NULL;

	err = (struct err)ERR_INIT;
	return seccomp_profile_parse(text, strlen(text), arena, &s, &err) < 0 ? NULL : s;
}

static const char *refused(const char *text)
{
	static char line[1024];

	cr_assert_null(parse(text), "%s", text);
	cr_assert_eq(err.code, ERR_INVALID);
	err_line(&err, line, sizeof(line));
	return line;
}

Test(seccomp_profile, default_profile_survives_being_written_and_read)
{
	static const char *const caps[] = { "CAP_SYS_CHROOT", "CAP_NO_SUCH" };
	_str_ struct str first = { 0 }, second = { 0 };
	struct oci_seccomp *s = seccomp_default(caps, 2, arena), *again;

	cr_assert_not_null(s);
	json_w_fields(&(struct json_writer){ .out = &first }, oci_seccomp_fields, s);
	again = parse(first.p);
	cr_assert_not_null(again, "%s %s", err.object, err.text);
	json_w_fields(&(struct json_writer){ .out = &second }, oci_seccomp_fields, again);
	cr_assert_str_eq(first.p, second.p);
	cr_assert(strstr(first.p, "\"defaultErrnoRet\":1,"));
	cr_assert(strstr(first.p, "{\"names\":[\"chroot\"],\"action\":\"SCMP_ACT_ALLOW\"}"));
	cr_assert_null(strstr(first.p, "reboot"));
}

Test(seccomp_profile, default_profiles_share_nothing_that_one_could_change)
{
	struct oci_seccomp *a = seccomp_default(NULL, 0, arena),
			   *b = seccomp_default(NULL, 0, arena);

	a->syscalls[0].names[0] = "reboot";
	a->architectures[0] = "SCMP_ARCH_MIPS";
	cr_assert_str_neq(b->syscalls[0].names[0], "reboot");
	cr_assert_str_neq(b->architectures[0], "SCMP_ARCH_MIPS");
}

Test(seccomp_profile, reads_every_part_of_a_file)
{
	struct oci_seccomp *s = parse(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86\"],"
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"listenerPath\":\"/run/l.sock\",\"listenerMetadata\":\"m\","
		"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\","
		"\"args\":[{\"index\":1,\"value\":18446744073709551615,\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}");

	cr_assert_not_null(s, "%s %s", err.object, err.text);
	cr_assert(s->default_action == OCI_ACT_ERRNO && *s->default_errno_ret == ENOSYS);
	cr_assert(s->n_architectures == 1 && s->n_flags == 1 && s->n_syscalls == 2);
	cr_assert_str_eq(s->listener_path, "/run/l.sock");
	cr_assert_eq(s->syscalls[0].args[0].value, UINT64_MAX);
	cr_assert_eq(s->syscalls[0].args[0].op, OCI_CMP_MASKED_EQ);
	cr_assert_eq(*s->syscalls[1].errno_ret, ENOSYS);
}

Test(seccomp_profile, refuses_what_it_wouldnt_obey)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[]", "a profile is an object" },
		{ "{}", "defaultAction: the required property is missing" },
		{ "{\"defaultAction\":\"SCMP_ACT_NO\"}",
			"defaultAction: unknown value \"SCMP_ACT_NO\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[]}",
			"archMap: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"seccomp\":{}}",
			"seccomp: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		  "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_BPF\"]}}]}",
			"syscalls[1]: includes: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
		  "\"excludes\":{}}]}",
			"syscalls[0]: excludes: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\"}]}",
			"syscalls[0]: name: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
		  "\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\",\"mask\":1}]}]}",
			"syscalls[0].args[0]: mask: unknown property" },
		{ "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":{}}",
			"syscalls: expected an array, found an object" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_str_eq(refused(rows[i].text), rows[i].want, "%s: %s", rows[i].text,
			refused(rows[i].text));
	refused("{\"archMap\":1}");
	cr_assert(strstr(err.hint, "architectures"));
	refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\"");
	refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
}

Test(seccomp_profile, refuses_a_file_too_long)
{
	size_t n = SECCOMP_PROFILE_MAX + 2;
	_free_ char *text = malloc(n);
	struct oci_seccomp *s;

	memset(text, ' ', n);
	memcpy(text, "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", 34);
	cr_assert_eq(seccomp_profile_parse(text, n, arena, &s, &err), -1);
	cr_assert_eq(seccomp_profile_parse(text, n - 2, arena, &s, &err), 0);
}
