/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile may not say. */
#include "test-seccomp-common.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct arena *arena;
static struct oci_seccomp *s;

static void setup(void)
{
	arena = arena_new();
	s = profile_new(arena, OCI_ACT_ERRNO, NULL);
}

static void teardown(void)
{
	arena = arena_free(arena);
}

TestSuite(seccomp_check, .init = setup, .fini = teardown);

static void refused(enum err_code code, const char *where, const char *object, const char *text)
{
	struct seccomp_filter filter;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_build(s, arena, &filter, &err), -1, "accepted");
	cr_assert_eq(err.code, code, "%d: %s %s", err.code, err.object, err.text);
	cr_assert_str_eq(err.where, where);
	cr_assert_str_eq(err.object, object);
	cr_assert(strstr(err.text, text), "%s", err.text);
}

static void accepted(void)
{
	struct seccomp_filter filter;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_build(s, arena, &filter, &err), 0, "%s %s %s", err.where, err.object,
		err.text);
}

static uint32_t *number(uint32_t v)
{
	uint32_t *p = arena_alloc(arena, sizeof(*p));

	*p = v;
	return p;
}

Test(seccomp_check, accepts_a_profile_without_rules)
{
	accepted();
}

Test(seccomp_check, refuses_a_default_errno_that_has_no_meaning)
{
	s->default_action = OCI_ACT_ALLOW;
	s->default_errno_ret = number(1);
	refused(ERR_INVALID, "", "defaultErrnoRet", "SCMP_ACT_ALLOW returns no errno");
}

Test(seccomp_check, refuses_a_default_errno_that_is_too_large)
{
	s->default_errno_ret = number(4095);
	accepted();
	s->default_errno_ret = number(4096);
	refused(ERR_INVALID, "", "defaultErrnoRet", "at most 4095");
}

Test(seccomp_check, refuses_an_errno_with_another_action)
{
	profile_rule(arena, s, "read", OCI_ACT_ALLOW);
	profile_errno(arena, profile_rule(arena, s, "read", OCI_ACT_KILL), 1);
	refused(ERR_INVALID, "syscalls[1]", "errnoRet", "SCMP_ACT_KILL returns no errno");
}

Test(seccomp_check, takes_16_bits_for_a_tracer)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "read", OCI_ACT_TRACE);

	profile_errno(arena, rule, 65535);
	accepted();
	profile_errno(arena, rule, 65536);
	refused(ERR_INVALID, "syscalls[0]", "errnoRet", "at most 65535");
}

Test(seccomp_check, refuses_a_rule_without_names)
{
	profile_rule(arena, s, "read", OCI_ACT_ALLOW)->n_names = 0;
	refused(ERR_INVALID, "syscalls[0]", "names", "at least one");
}

Test(seccomp_check, refuses_an_empty_name)
{
	profile_rule(arena, s, "", OCI_ACT_ALLOW);
	refused(ERR_INVALID, "syscalls[0]", "names", "empty");
}

Test(seccomp_check, refuses_a_seventh_argument)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "read", OCI_ACT_ALLOW);

	profile_arg(arena, rule, 5, OCI_CMP_EQ, 1, 0);
	accepted();
	rule->args[0].index = 6;
	refused(ERR_INVALID, "syscalls[0].args[0]", "index", "0 to 5");
}

Test(seccomp_check, refuses_more_than_six_conditions)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "read", OCI_ACT_ALLOW);

	rule->args = arena_array(arena, 7, sizeof(*rule->args));
	rule->n_args = 7;
	refused(ERR_INVALID, "syscalls[0]", "args", "7 conditions");
}

Test(seccomp_check, refuses_an_unknown_architecture)
{
	s->architectures[s->n_architectures++] = "SCMP_ARCH_X86_64";
	s->architectures[s->n_architectures++] = "SCMP_ARCH_VAX";
	refused(ERR_INVALID, "architectures[1]", "SCMP_ARCH_VAX", "no architecture");
}

Test(seccomp_check, takes_every_architecture_that_the_spec_knows)
{
	static const char *const all[] = { "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS",
		"MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC", "PPC64",
		"PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64", "LOONGARCH64", "M68K",
		"SH", "SHEB" };

	s->architectures = arena_array(arena, ARRAY_SIZE(all), sizeof(*s->architectures));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		s->architectures[s->n_architectures++] =
			arena_printf(arena, "SCMP_ARCH_%s", all[i]);
	profile_rule(arena, s, "read", OCI_ACT_ALLOW);
	accepted();
}

Test(seccomp_check, refuses_notify_as_the_default)
{
	s->default_action = OCI_ACT_NOTIFY;
	s->listener_path = "/run/agent";
	refused(ERR_INVALID, "", "defaultAction", "can't be the default");
}

Test(seccomp_check, refuses_notify_on_the_calls_that_hand_it_over)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "mkdir", OCI_ACT_NOTIFY);

	s->listener_path = "/run/agent";
	accepted();
	rule->names[rule->n_names++] = "write";
	refused(ERR_INVALID, "syscalls[0]", "names", "write can't have SCMP_ACT_NOTIFY");
	rule->names[1] = "read";
	refused(ERR_INVALID, "syscalls[0]", "names", "read can't have SCMP_ACT_NOTIFY");
}

Test(seccomp_check, refuses_notify_without_a_listener)
{
	profile_rule(arena, s, "mkdir", OCI_ACT_NOTIFY);
	refused(ERR_INVALID, "", "listenerPath", "is needed");
	s->listener_path = "";
	refused(ERR_INVALID, "", "listenerPath", "is needed");
}

Test(seccomp_check, refuses_metadata_without_a_listener)
{
	s->listener_metadata = "x";
	refused(ERR_INVALID, "", "listenerMetadata", "needs a listenerPath");
	s->listener_path = "/run/agent";
	accepted();
}

Test(seccomp_check, refuses_a_listener_with_too_long_a_path)
{
	char path[109];

	memset(path, 'a', 108);
	path[108] = '\0';
	s->listener_path = path;
	refused(ERR_INVALID, "", "listenerPath", "longer than the 107 bytes");
	path[107] = '\0';
	accepted();
}

Test(seccomp_check, skips_an_unknown_call_that_stays_denied)
{
	profile_rule(arena, s, "no_such_call", OCI_ACT_ALLOW);
	profile_rule(arena, s, "no_such_call", OCI_ACT_KILL);
	accepted();
}

Test(seccomp_check, refuses_an_unknown_call_that_would_be_allowed)
{
	profile_rule(arena, s, "no_such_call", OCI_ACT_LOG);
	profile_rule(arena, s, "no_such_call", OCI_ACT_ERRNO);
	s->default_action = OCI_ACT_ALLOW;
	refused(ERR_UNSUPPORTED, "syscalls[1]", "no_such_call", "would be allowed");
	s->default_action = OCI_ACT_LOG;
	refused(ERR_UNSUPPORTED, "syscalls[1]", "no_such_call", "would be allowed");
}

Test(seccomp_check, a_call_that_one_architecture_lacks_is_no_error)
{
	static const char *const archs[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", NULL };

	s = profile_new(arena, OCI_ACT_ALLOW, archs);
	profile_rule(arena, s, "socketcall", OCI_ACT_ERRNO);
	profile_rule(arena, s, "arch_prctl", OCI_ACT_ERRNO);
	accepted();
}

Test(seccomp_check, refuses_rules_that_contradict_each_other)
{
	for (int i = 0; i < 2; i++) {
		struct oci_seccomp_rule *rule =
			profile_rule(arena, s, "ioctl", i ? OCI_ACT_LOG : OCI_ACT_ALLOW);

		profile_arg(arena, rule, 1, OCI_CMP_EQ, 7, 0);
	}
	refused(ERR_INVALID, "syscalls[1]", "ioctl", "another action");
}

Test(seccomp_check, refuses_a_filter_that_the_kernel_could_not_hold)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "ioctl", OCI_ACT_ALLOW);

	for (uint64_t i = 0; i < 500; i++) {
		profile_arg(arena, rule, 0, OCI_CMP_EQ, i << 33, 0);
		profile_arg(arena, rule, 1, OCI_CMP_EQ, i << 33, 0);
		profile_arg(arena, rule, 2, OCI_CMP_EQ, i << 33, 0);
		if (i < 499)
			rule = profile_rule(arena, s, "ioctl", OCI_ACT_ALLOW);
	}
	refused(ERR_INVALID, "", "syscalls", "more than the kernel's 4096 instructions");
}
