/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile as lines, for each machine, without a capability ("-") and with each alone:
 * "arch MACHINE NAME", "default MACHINE CAP ACTION ERRNO",
 * "rule MACHINE CAP NAME ACTION ERRNO [INDEX OP VALUE VALUE_TWO]...".
 */
#include "model/caps.h"
#include "model/oci.h"
#include "model/seccomp-default-table.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const machines[SECCOMP_MACHINE_N] = { "amd64", "arm64" };

static void print_rule(const char *head, const struct oci_seccomp_rule *r)
{
	for (size_t i = 0; i < r->n_names; i++) {
		printf("rule %s %s %s %u", head, r->names[i],
			name_of(&oci_seccomp_action_names, r->action),
			r->errno_ret ? *r->errno_ret : 0);
		for (size_t k = 0; k < r->n_args; k++)
			printf(" %u %s %" PRIu64 " %" PRIu64, r->args[k].index,
				name_of(&oci_seccomp_op_names, r->args[k].op), r->args[k].value,
				r->args[k].value_two);
		printf("\n");
	}
}

static int print_profile(enum seccomp_machine m, const char *cap)
{
	_arena_ struct arena *arena = arena_new();
	struct oci_seccomp *s = seccomp_default_on(m, &cap, cap ? 1 : 0, arena);
	char head[64];

	if (!s)
		return 1;
	snprintf(head, sizeof(head), "%s %s", machines[m], cap ? cap : "-");
	printf("default %s %s %u\n", head, name_of(&oci_seccomp_action_names, s->default_action),
		s->default_errno_ret ? *s->default_errno_ret : 0);
	for (size_t i = 0; !cap && i < s->n_architectures; i++)
		printf("arch %s %s\n", machines[m], s->architectures[i]);
	for (size_t i = 0; i < s->n_syscalls; i++)
		print_rule(head, &s->syscalls[i]);
	return 0;
}

int main(void)
{
	for (int m = 0; m < SECCOMP_MACHINE_N; m++) {
		for (int cap = -1; cap < CAPS_N; cap++) {
			if (print_profile((enum seccomp_machine)m, caps_name(cap)))
				return 1;
		}
	}
	return 0;
}
