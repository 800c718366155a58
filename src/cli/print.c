/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/fd.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

int print_out(const struct str *s, struct err *err)
{
	if (str_ok(s, err) < 0)
		return -1;
	if (s->n && fd_write_all(STDOUT_FILENO, s->p, s->n) < 0)
		return err_sys(err, errno, "write", "standard output");
	return 0;
}

void print_shown(struct str *out, const char *text)
{
	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		const unsigned char *c = (const unsigned char *)text;
		bool control;

		n = utf8_len(text, left);
		control = n == 0 || *c < 0x20 || *c == 0x7f ||
			  (n == 2 && c[0] == 0xc2 && c[1] < 0xa0);
		n = MAX(n, (size_t)1);
		str_addn(out, control ? "?" : text, control ? 1 : n);
	}
}

static void verb_page(const struct command *k, struct str *out)
{
	str_printf(out, "ctrctl %s - %s\n\nUsage: ctrctl [global options] %s%s%s%s\n", k->name,
		k->help, k->name, k->options->name ? " [options]" : "", *k->args ? " " : "",
		k->args);
	if (!k->options->name)
		return;
	str_add(out, "\nOptions:\n");
	options_help(k->options, out);
}

static void main_page(struct str *out)
{
	size_t width = 0;

	str_add(out, "ctrctl - runs OCI containers on this kernel, and guests of Proxmox VE\n\n"
		     "Usage: ctrctl [global options] COMMAND [options] [arguments]\n\nCommands:\n");
	for (const struct command *k = commands; k->name; k++)
		width = MAX(width, strlen(k->name));
	for (const struct command *k = commands; k->name; k++)
		str_printf(out, "  %-*s  %s\n", (int)width, k->name, k->help);
	str_add(out, "\nGlobal options:\n");
	options_help(global_options, out);
	str_add(out, "\nctrctl COMMAND --help tells about one command.\n");
}

int print_help(const struct command *k, struct err *err)
{
	_str_ struct str out = { 0 };

	if (k)
		verb_page(k, &out);
	else
		main_page(&out);
	return print_out(&out, err);
}

/* Docker takes what follows the word "version" in the last line that has it: it stands there once.
 */
int print_version(struct err *err)
{
	_str_ struct str out = { 0 };

	str_add(&out,
		"ctrctl version " CTRCTL_VERSION "\ncommit: " CTRCTL_COMMIT "\nspec: 1.3.0\n");
	return print_out(&out, err);
}
