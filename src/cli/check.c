/* SPDX-License-Identifier: Apache-2.0 */
/* check proxmox: what the server lacks. Exit status 0: nothing that is needed is missing. */
#include "cli/cli.h"

struct report {
	struct str out;
	unsigned missing;
};

static const char *const words[CTR_FINDING_N] = {
	[CTR_FOUND_OK] = "ok",
	[CTR_FOUND_WARNING] = "warning",
	[CTR_FOUND_MISSING] = "MISSING",
};

static void tell(
	void *arg, enum ctr_finding f, const char *what, const char *text, const char *hint)
{
	struct report *r = arg;

	r->missing += f == CTR_FOUND_MISSING;
	str_printf(&r->out, "%-8s %-24s ", words[f], what);
	print_shown(&r->out, text);
	str_add(&r->out, "\n");
	if (!hint)
		return;
	str_printf(&r->out, "%-33s   ", "");
	print_shown(&r->out, hint);
	str_add(&r->out, "\n");
}

int verb_check_proxmox(struct cli *c, struct err *err)
{
	struct report r = { .out = { 0 } };
	const struct ctr_report report = { tell, &r };
	struct err print = ERR_INIT;
	int failed = ctr_diagnose(c->engine, "proxmox", &report, err);

	/* As far as it came. */
	if (print_out(&r.out, failed < 0 ? &print : err) < 0)
		failed = -1;
	str_done(&r.out);
	return failed < 0 ? -1 : r.missing > 0;
}
