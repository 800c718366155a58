/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "ctrctl/fault.h"

#include <criterion/criterion.h>
#include <string.h>

static void line_of(const struct ctr_faults *faults, char *line, size_t n)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ctr_faults_err(faults, &err), -1);
	err_line(&err, line, n);
}

Test(fault, none_is_no_error)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(ctr_faults_err(&faults, &err), 0);
	cr_assert_eq(err.code, ERR_NONE);
	ctr_faults_done(&faults);
}

Test(fault, the_first_speaks_for_all)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct err err = ERR_INIT;
	char line[1024];

	ctr_fault_add(&faults, ERR_UNSUPPORTED, "config.windows", "is %s", "another platform's");
	line_of(&faults, line, sizeof(line));
	cr_assert_str_eq(line, "config.windows: is another platform's");
	ctr_fault_add(&faults, ERR_INVALID, "config", "x");
	ctr_fault_add(&faults, ERR_INVALID, "config", "y");
	line_of(&faults, line, sizeof(line));
	cr_assert_str_eq(line, "config.windows: is another platform's (and 2 more)");
	ctr_faults_err(&faults, &err);
	cr_assert_eq(err.code, ERR_UNSUPPORTED);
	cr_assert_eq(faults.n, 3);
	cr_assert_str_eq(faults.items[2].text, "y");
	cr_assert_eq(faults.items[1].code, ERR_INVALID);
	ctr_faults_done(&faults);
	cr_assert(!faults.items && !faults.n && !faults.total);
}

Test(fault, more_than_the_list_holds_are_counted)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	char line[1024];

	for (int i = 0; i < 3 * CTR_FAULTS_MAX; i++)
		ctr_fault_add(&faults, ERR_INVALID, "f", "number %d", i);
	cr_assert_eq(faults.n, CTR_FAULTS_MAX);
	cr_assert_eq(faults.total, 3 * CTR_FAULTS_MAX);
	line_of(&faults, line, sizeof(line));
	cr_assert_str_eq(line, "f: number 0 (and 191 more)");
	ctr_faults_done(&faults);
}

Test(fault, the_same_is_said_once)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;

	ctr_fault_add(&faults, ERR_INVALID, "a", "x");
	ctr_fault_add(&faults, ERR_INVALID, "a", "x");
	ctr_fault_add(&faults, ERR_INVALID, "b", "x");
	ctr_fault_add(&faults, ERR_INVALID, "a", "y");
	cr_assert_eq(faults.n, 3);
	cr_assert_eq(faults.total, 3);
	ctr_faults_done(&faults);
}

Test(fault, nothing_that_a_terminal_obeys_gets_through)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;

	ctr_fault_add(&faults, ERR_INVALID, "a\x1b[1m", "x\ny");
	cr_assert_str_eq(faults.items[0].field, "a\\x1b[1m");
	cr_assert_str_eq(faults.items[0].text, "x\\x0ay");
	ctr_faults_done(&faults);
}

Test(fault, long_texts_are_cut_between_characters)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	char text[2001];

	/* Two bytes each, at odd places: a blind cut would halve one. */
	text[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof(text) - 2] = 0;
	ctr_fault_add(&faults, ERR_INVALID, text, "%s", text);
	const struct ctr_fault *f = &faults.items[0];
	cr_assert_lt(strlen(f->field), sizeof(f->field));
	cr_assert(str_ends(f->field, "\xc3\xa4..."));
	cr_assert(str_ends(f->text, "\xc3\xa4..."));
	ctr_faults_done(&faults);
}
