/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

Test(proc, own_start_time_says_that_we_live)
{
	struct err err = ERR_INIT;
	struct proc_stat st;

	cr_assert_eq(proc_stat(getpid(), &st, &err), 1);
	cr_assert_gt(st.start_time, 0);
	cr_assert_eq(st.state, 'R');
	cr_assert_eq(st.parent, getppid());
	cr_assert_eq(proc_is_alive(getpid(), st.start_time, &err), 1);
	cr_assert_eq(proc_is_alive(getpid(), st.start_time + 1, &err), 0, "a reused pid");
	cr_assert_eq(proc_is_alive(0, 0, &err), 0);
}

Test(proc, a_zombie_is_not_alive_and_a_reaped_process_is_gone)
{
	struct err err = ERR_INIT;
	struct proc_stat st;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(proc_stat(pid, &st, &err), 1);
	cr_assert_eq(st.state, 'Z');
	cr_assert_eq(proc_is_alive(pid, st.start_time, &err), 0);
	waitpid(pid, NULL, 0);
	cr_assert_eq(proc_stat(pid, &st, &err), 0);
	cr_assert_eq(proc_is_alive(pid, st.start_time, &err), 0);
}

Test(proc, the_name_of_a_program_cant_forge_the_fields)
{
	struct proc_stat st;
	static const char rest[] = " 7 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 1000 0\n";
	char text[256];

	snprintf(text, sizeof(text), "12 (a) R 1 2 3) S%s", rest);
	cr_assert_eq(proc_stat_parse(text, &st), 0);
	cr_assert_eq(st.state, 'S');
	cr_assert_eq(st.parent, 7);
	cr_assert_eq(st.start_time, 4711);
}

Test(proc, what_isnt_a_stat_file_is_refused)
{
	static const char *const bad[] = { "", "12", "12 (a)", "12 (a) ", "12 (a) R", "12 (a) R ",
		"12 (a) R 1 2 3", "12 (a) R 1 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0",
		"12 (a) R 1 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 x 0" };
	struct proc_stat st;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(proc_stat_parse(bad[i], &st), -1, "%s", bad[i]);
}

Test(proc, the_boot_has_an_id)
{
	struct err err = ERR_INIT;
	char a[PROC_BOOT_ID_MAX], b[PROC_BOOT_ID_MAX];

	cr_assert_eq(proc_boot_id(a, &err), 0);
	cr_assert_eq(proc_boot_id(b, &err), 0);
	cr_assert_str_eq(a, b);
	cr_assert_eq(strlen(a), 36);
}

Test(proc, the_time_is_rfc_3339_with_nanoseconds)
{
	char now[PROC_TIME_MAX];
	int year, month, day, hour, minute, second;
	unsigned long nanoseconds;
	char zone = 0;

	cr_assert_eq(sscanf(proc_now(now), "%4d-%2d-%2dT%2d:%2d:%2d.%9lu%c", &year, &month, &day,
			     &hour, &minute, &second, &nanoseconds, &zone),
		8);
	cr_assert_eq(zone, 'Z');
	cr_assert_eq(strlen(now), 30);
}

/* Every day of 2000 years, at its first and last second, and any second within. */
Test(proc, dates_are_those_of_the_calendar)
{
	char ours[PROC_TIME_MAX], theirs[PROC_TIME_MAX];
	uint64_t seed = 1;

	for (uint64_t day = 0; day < 2000 * 366; day++) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;

		const uint64_t seconds[] = { 0, 86399, (seed >> 33) % 86400 };

		for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
			time_t t = (time_t)(day * 86400 + seconds[i]);
			struct tm tm;

			cr_assert_not_null(gmtime_r(&t, &tm));
			strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000000007Z", &tm);
			proc_time((uint64_t)t, 7, ours);
			if (strcmp(ours, theirs) != 0)
				cr_assert_str_eq(ours, theirs);
		}
	}
	cr_assert_str_eq(proc_time(951782400, 999999999, ours), "2000-02-29T00:00:00.999999999Z");
}
