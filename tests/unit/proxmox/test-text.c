/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/api.h"

#include <criterion/criterion.h>
#include <string.h>

/* Sentences as servers from 7.4 to 9.2 say them. */
static const struct {
	unsigned status;
	const char *text;
	enum pve_reason reason;
} rows[] = {
	{ 0, "OK", PVE_OK },
	{ 200, "", PVE_OK },
	{ 500, "unable to create CT 100 - CT 100 already exists on node 'pve1'", PVE_ID_TAKEN },
	{ 500, "CT 100 already exists on node 'pve1'", PVE_ID_TAKEN },
	{ 500, "unable to create CT 101 - VM 101 already exists on node 'pve-2'", PVE_ID_TAKEN },
	{ 0, "CT 999999999 already exists on node 'a'", PVE_ID_TAKEN },
	{ 500, "unable to create CT 100 - can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout",
		PVE_ID_BUSY },
	{ 500, "unable to create CT 100 - can't lock file '/var/lock/lxc/pve-config-100.lock' - got timeout",
		PVE_ID_BUSY },
	{ 0, "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout", PVE_BUSY },
	{ 500, "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout", PVE_BUSY },
	{ 500, "CT is locked (backup)", PVE_LOCKED },
	{ 0, "CT is locked (snapshot)", PVE_LOCKED },
	{ 0, "CT is locked (snapshot-delete)", PVE_LOCKED },
	{ 0, "VM is locked (migrate)", PVE_LOCKED },
	{ 0, "CT is locked (rollback)", PVE_LOCKED },
	{ 0, "CT is locked (fstrim)", PVE_LOCKED },
	{ 0, "CT is locked (disk)", PVE_LOCKED },
	{ 0, "CT is locked (mounted)", PVE_LOCKED },
	{ 500, "CT is locked (create)", PVE_LOCK_STALE },
	{ 0, "CT is locked (destroyed)", PVE_LOCK_STALE },
	{ 500, "cluster not ready - no quorum?", PVE_NO_QUORUM },
	{ 0, "no quorum!", PVE_NO_QUORUM },
	{ 0, "cfs-lock 'storage-local-lvm' error: got lock request timeout", PVE_NO_QUORUM },
	{ 500, "cfs-lock 'file-user_cfg' error: no quorum!", PVE_NO_QUORUM },
	{ 500, "CT 100 already running", PVE_RUNNING },
	{ 500, "CT 100 not running", PVE_NOT_RUNNING },
	{ 500, "VM 100 not running", PVE_NOT_RUNNING },
	{ 0, "CT 100 not running", PVE_NOT_RUNNING },
	{ 500, "unable to destroy CT 100 - container is running", PVE_IS_RUNNING },
	{ 500, "Configuration file 'nodes/pve1/lxc/100.conf' does not exist", PVE_GONE },
	{ 0, "Configuration file 'nodes/a-b/lxc/100.conf' does not exist", PVE_GONE },
	{ 500, "can't remove CT 100 - protection mode enabled", PVE_PROTECTED },
	{ 500, "detected modified configuration - file changed by other user? Try again.",
		PVE_CHANGED },
	{ 500, "storage 'off' is disabled", PVE_STORAGE },
	{ 500, "storage 'nope' does not exist", PVE_STORAGE },
	{ 0, "storage 'nfs' is not online", PVE_STORAGE },
	{ 0, "unable to create image: not enough space", PVE_STORAGE },
	{ 0, "unable to create CT 100 - storage 'x' is disabled", PVE_STORAGE },
	{ 400, "Parameter verification failed: storage: storage 'local' does not support container directories",
		PVE_STORAGE },
	{ 500, "refusing to override existing file 'a-latest.tar'", PVE_FILE_EXISTS },
	{ 0, "startup for container '100' failed", PVE_START_FAILED },
	{ 0, "container did not stop", PVE_STOP_TIMEOUT },
	{ 500, "got no worker upid - start worker failed", PVE_AMBIGUOUS },
	{ 400, "Parameter verification failed: upid: unable to parse worker upid 'x'",
		PVE_NO_TASK },
	{ 400, "Parameter verification failed: upid: no such task", PVE_NO_TASK },
	{ 0, "unexpected status", PVE_KILLED },
	{ 0, "received interrupt", PVE_KILLED },
	{ 400, "Parameter verification failed: vmid: type check", PVE_BAD_PARAMETER },
	{ 401, "No ticket", PVE_UNAUTHORIZED },
	{ 401, "Authentication failed!", PVE_UNAUTHORIZED },
	{ 401, "Permission denied - invalid csrf token", PVE_UNAUTHORIZED },
	{ 403, "Permission check failed (/vms/100, VM.Allocate)", PVE_FORBIDDEN },
	{ 403, "Permission check failed: cfs-lock 'x' error: no quorum!", PVE_FORBIDDEN },
	{ 0, "Permission check failed (/storage/x, Datastore.Audit)", PVE_FORBIDDEN },
	{ 595, "Connection refused", PVE_UNREACHED },
	{ 595, "No route to host", PVE_UNREACHED },
	{ 596, "Connection timed out", PVE_AMBIGUOUS },
	{ 596, "tls_process_server_certificate: certificate verify failed", PVE_AMBIGUOUS },
	{ 597, "", PVE_AMBIGUOUS },
	{ 599, "", PVE_AMBIGUOUS },
	{ 502, "Bad Gateway", PVE_AMBIGUOUS },
	{ 504, "Gateway Time-out", PVE_AMBIGUOUS },
	{ 501, "Method 'POST /nodes/a/x' not implemented", PVE_OTHER },
	{ 500, "hostname lookup 'nope' failed - failed to get address info for: nope", PVE_OTHER },
	{ 500, "", PVE_OTHER },
	{ 0, "", PVE_OTHER },
	/* no success, and no text that only resembles one */
	{ 0, "OKxyz", PVE_OTHER },
	{ 0, "CT already exists", PVE_OTHER },
	{ 0, "can't lock file 'a' because 'b' - got timeout", PVE_OTHER },
	{ 0, "Configuration file 'nodes/a/qemu-server/100.conf' does not exist", PVE_OTHER },
};

Test(text, means_what_the_table_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(pve_reason_of(rows[i].status, rows[i].text), rows[i].reason,
			"%u %s: %d", rows[i].status, rows[i].text,
			(int)pve_reason_of(rows[i].status, rows[i].text));
}

Test(text, nothing_of_the_network_is_an_authentication_error)
{
	for (unsigned status = 500; status < 600; status++)
		cr_expect_neq(pve_reason_code(pve_reason_of(status, "Permission denied")),
			ERR_DENIED, "%u", status);
	for (unsigned status = 595; status < 600; status++)
		cr_expect_eq(pve_reason_code(pve_reason_of(status, "401 No ticket")),
			ERR_UNAVAILABLE, "%u", status);
}

Test(text, each_reason_has_a_kind)
{
	cr_expect_eq(pve_reason_code(PVE_OK), ERR_NONE);
	for (int r = PVE_OK + 1; r < PVE_REASON_N; r++) {
		cr_expect_neq(pve_reason_code((enum pve_reason)r), ERR_NONE, "%d", r);
		cr_expect_neq(pve_reason_code((enum pve_reason)r), ERR_INTERNAL, "%d", r);
	}
	cr_expect_eq(pve_reason_code(PVE_REASON_N), ERR_INTERNAL);
}

static const char *hint_of(
	enum pve_reason reason, const char *node, const char *vmid, const char *text)
{
	static struct err err;

	err = (struct err)ERR_INIT;
	pve_reason_hint(reason, node, vmid, text, &err);
	return err.hint;
}

Test(text, hints_say_what_to_do)
{
	cr_expect_str_eq(hint_of(PVE_LOCK_STALE, "pve1", "100", "CT is locked (create)"),
		"if nothing works on it any more: pct unlock 100 (on node pve1)");
	cr_expect(strstr(
		hint_of(PVE_FORBIDDEN, NULL, NULL,
			"Permission check failed (/storage/local, Datastore.AllocateSpace)"),
		"lacks Datastore.AllocateSpace on /storage/local: pveum acl modify /storage/local "));
	cr_expect(strstr(hint_of(PVE_FORBIDDEN, NULL, NULL, "not so"), "check proxmox"));
	cr_expect(strstr(
		hint_of(PVE_FORBIDDEN, NULL, NULL, "Permission check failed (x"), "check proxmox"));
	cr_expect(strstr(hint_of(PVE_FORBIDDEN, NULL, NULL,
				 "mount point type bind is only allowed for root@pam"),
		"proxmox.user"));
	cr_expect(strstr(
		hint_of(PVE_OTHER, NULL, NULL, "hostname lookup 'x' failed - y"), "proxmox.nodes"));
	cr_expect(strstr(
		hint_of(PVE_BAD_PARAMETER, NULL, NULL,
			"Parameter verification failed: entrypoint: property is not defined in schema and the schema does not allow additional properties"),
		"Proxmox VE 9.1"));
	cr_expect(strstr(hint_of(PVE_PROTECTED, "pve1", "100", ""), "pct set 100 --protection 0"));
	cr_expect_str_eq(hint_of(PVE_OTHER, NULL, NULL, "whatever"), "");
}

static const char *words(const char *text, size_t n)
{
	static char buf[256];

	pve_words(text, buf, n);
	return buf;
}

Test(text, words_are_one_line_that_can_be_shown)
{
	cr_expect_str_eq(words("a\nb\r\n\n c\t\x01 d \n", 64), "a b c d");
	cr_expect_str_eq(words("", 64), "");
	cr_expect_str_eq(words("\n \n", 64), "");
	cr_expect_str_eq(words("Gr\xc3\xb6\xc3\x9f"
			       "e \xff\xfe!",
				 64),
		"Gr\xc3\xb6\xc3\x9f"
		"e !");
	cr_expect_str_eq(words("0123456789abcdef", 16), "0123456789ab...");
	cr_expect_str_eq(words("0123456789abcde", 16), "0123456789abcde");
	cr_expect_str_eq(words("0123456789abcde\n\n", 16), "0123456789abcde");
	cr_expect_str_eq(words("0123456789a\xc3\xb6\xc3\xb6\xc3\xb6", 16), "0123456789a...");
}

Test(text, secret_values_are_found_however_they_were_changed)
{
	static const struct {
		const char *text, *scrubbed;
	} cases[] = {
		{ "A=hidden\twords b", "A=************ b" },
		{ "A=hiddenwords", "A=***********" }, /* a status line without control characters */
		{ "A=hidden words, hiddenhidden words", "A=************, hidden************" },
		{ "hidden word", "hidden word" },
		{ "C=r\xc3\xa9sum\xc3\xa9-x C=rsum-x", "C=***********C=******" },
		{ "D=\xc3\xa4\xc3\xb6\xc3\xbc", "D=******" },
		{ "E=abc", "E=abc" },
		{ "", "" },
	};
	struct arena *a = arena_new();
	struct pve pve = { .arena = a, .hidden = PVE_FORM_INIT(a) };
	static const char env[] = "A=hidden\twords\0C=r\xc3\xa9sum\xc3\xa9-x\n\0D="
				  "\xc3\xa4\xc3\xb6\xc3\xbc\0E=abc\0F=";

	pve_form_setn(&pve.hidden, "env", env, sizeof(env) - 1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(pve_scrubbed(&pve, cases[i].text, a), cases[i].scrubbed);
	arena_free(a);
}

Test(text, engines_can_t_misread_the_server)
{
	cr_expect_str_eq(words("open /x: No such file or directory at line 3", 64),
		"open /x: is missing at line 3");
	cr_expect_str_eq(words("no \xff\xffsuch\nfile or\tdirectory", 64), "is missing");
	cr_expect_str_eq(words("Permission denied - invalid csrf token", 64),
		"access refused - invalid csrf token");
}
