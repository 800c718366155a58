/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"
#include "model/caps.h"
#include "model/oci.h"
#include "model/rlimits.h"
#include "model/signals.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>

Test(caps, agree_with_libcap)
{
	for (int i = 0; i < CAPS_N; i++) {
		char *theirs = cap_to_name((cap_value_t)i);
		cr_assert_not_null(caps_name(i));
		for (char *p = theirs; *p; p++)
			*p = (char)toupper(*p);
		cr_assert_str_eq(caps_name(i), theirs);
		cr_assert_eq(caps_number(theirs), i);
		cap_free(theirs);
	}
	cr_assert_leq(cap_max_bits(), CAPS_N, "libcap knows of more");
	cr_assert_eq(caps_number("CAP_NOBODY"), -1);
	cr_assert_eq(caps_number("cap_chown"), -1);
	cr_assert_null(caps_name(CAPS_N));
}

Test(caps, a_mask_reports_unknown_names)
{
	const char *names[] = { "CAP_CHOWN", "CAP_X", "CAP_CHECKPOINT_RESTORE", "Y" };
	_str_ struct str unknown = { 0 };

	cr_assert_eq(caps_mask(names, 4, &unknown), 1 | UINT64_C(1) << 40);
	cr_assert_str_eq(unknown.p, "CAP_X, Y");
	cr_assert_eq(caps_mask(names, 2, NULL), 1);
}

Test(rlimits, all_sixteen_are_known_both_ways)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		cr_assert_not_null(rlimit_name(i));
		cr_assert_eq(rlimit_number(rlimit_name(i)), i);
	}
	cr_assert_null(rlimit_name(RLIM_NLIMITS));
	cr_assert_eq(rlimit_number("RLIMIT_X"), -1);
	cr_assert_eq(rlimit_number("RLIMIT_NOFILE"), RLIMIT_NOFILE);
}

Test(signals, every_spelling_of_kill_is_9)
{
	static const char *const nine[] = { "9", "KILL", "SIGKILL", "sigkill", "Kill" };
	struct err err = ERR_INIT;
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(nine); i++) {
		cr_assert_eq(signal_parse(nine[i], &n, &err), 0, "%s", nine[i]);
		cr_assert_eq(n, SIGKILL);
	}
}

Test(signals, names_agree_with_the_c_library)
{
	struct err err = ERR_INIT;

	for (int i = 1; i < 32; i++) {
		const char *theirs = sigabbrev_np(i);
		int n = -1;
		cr_assert_eq(signal_parse(theirs, &n, &err), 0, "%s", theirs);
		cr_assert_eq(n, i);
		/* One signal, two names. */
		cr_assert_str_eq(signal_name(i) + 3, i == SIGIO ? "IO" : theirs);
	}
	cr_assert_null(signal_name(0));
	cr_assert_null(signal_name(33));
}

Test(signals, real_time_signals_count_from_both_ends)
{
	static const struct {
		const char *text;
		int n;
	} rows[] = { { "RTMIN", 34 }, { "SIGRTMIN+3", 37 }, { "rtmax", 64 }, { "SIGRTMAX-3", 61 },
		{ "RTMIN+30", 64 }, { "CLD", SIGCHLD }, { "IOT", SIGABRT }, { "POLL", SIGIO },
		{ "0", 0 }, { "64", 64 } };
	struct err err = ERR_INIT;
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(signal_parse(rows[i].text, &n, &err), 0, "%s", rows[i].text);
		cr_assert_eq(n, rows[i].n, "%s", rows[i].text);
	}
}

Test(signals, what_is_none_is_refused)
{
	static const char *const bad[] = { "", "-9", "+9", "65", "9x", "KILLER", "SIG",
		"SIGSIGKILL", "RTMIN-1", "RTMAX+1", "RTMIN+31", "RTMIN+",
		"a very long name of no signal at all" };
	struct err err = ERR_INIT;
	char line[256], want[128];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(signal_parse(bad[i], &n, &err), -1, "%s", bad[i]);
		err_line(&err, line, sizeof(line));
		snprintf(want, sizeof(want), "unknown signal \"%s\"", bad[i]);
		cr_assert_str_eq(line, want);
		cr_assert_eq(err.code, ERR_USAGE);
	}
}

/* Every table of names: no doubles, found both ways; holes only where named. */
Test(names, tables_of_the_specification_are_sound)
{
	static const struct {
		const struct name_table *t;
		size_t n, holes;
	} tables[] = {
		{ &oci_namespace_names, OCI_NS_N, 0 },
		{ &oci_sched_policy_names, OCI_SCHED_N, 0 },
		{ &oci_sched_flag_names, OCI_SCHED_FLAG_N, 0 },
		{ &oci_ioprio_names, 4, 1 },
		{ &oci_seccomp_action_names, OCI_ACT_N, 0 },
		{ &oci_seccomp_op_names, OCI_CMP_N, 0 },
		{ &oci_seccomp_flag_names, OCI_SECCOMP_FLAG_N, 0 },
		{ &oci_propagation_names, OCI_PROPAGATION_N, 0 },
		{ &oci_mpol_mode_names, OCI_MPOL_N, 0 },
		{ &oci_mpol_flag_names, OCI_MPOL_F_N, 0 },
		{ &oci_personality_names, 2, 0 },
		{ &oci_hook_kind_names, OCI_HOOK_N, 0 },
		{ &oci_seccomp_arch_names, 23, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		size_t holes = 0;
		cr_assert_eq(tables[i].t->n, tables[i].n, "table %zu", i);
		for (size_t k = 0; k < tables[i].n; k++) {
			const char *name = name_of(tables[i].t, (int)k);
			holes += !name;
			if (name)
				cr_assert_eq(name_parse(tables[i].t, name), (int)k, "%s", name);
		}
		cr_assert_eq(holes, tables[i].holes, "table %zu", i);
	}
}
