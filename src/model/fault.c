/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrctl/fault.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

/* As it may be shown: control bytes escaped, cut at a character's border with "..." where something
 * is missing. */
static void put(char *dst, size_t size, const char *text)
{
	struct err shown = ERR_INIT;
	char line[4 * sizeof(shown.text)];
	size_t n, end = size - sizeof("...");

	err_set(&shown, ERR_INVALID, NULL, "%s", text);
	err_line(&shown, line, sizeof(line));
	n = strlen(line);
	if (n < size) {
		memcpy(dst, line, n + 1);
		return;
	}
	while (end > 0 && ((unsigned char)line[end] & 0xc0) == 0x80)
		end--;
	memcpy(dst, line, end);
	memcpy(dst + end, "...", sizeof("..."));
}

static bool is_known(const struct ctr_faults *faults, const struct ctr_fault *f)
{
	for (size_t i = 0; i < faults->n; i++)
		if (str_eq(faults->items[i].field, f->field) &&
			str_eq(faults->items[i].text, f->text))
			return true;
	return false;
}

void ctr_fault_add(
	struct ctr_faults *faults, enum err_code code, const char *field, const char *fmt, ...)
{
	struct ctr_fault f = { .code = code };
	char text[2 * sizeof(f.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(f.field, sizeof(f.field), field);
	put(f.text, sizeof(f.text), text);
	if (is_known(faults, &f))
		return;
	faults->total++;
	if (!faults->items)
		faults->items = calloc(CTR_FAULTS_MAX, sizeof(*faults->items));
	if (faults->items && faults->n < CTR_FAULTS_MAX)
		faults->items[faults->n++] = f;
}

int ctr_faults_err(const struct ctr_faults *faults, struct err *err)
{
	const struct ctr_fault *f = faults->items;
	size_t more = faults->total - 1;

	if (faults->total == 0)
		return 0;
	if (faults->n == 0)
		return err_set(err, ERR_EXHAUSTED, NULL,
			"out of memory, and the request has %zu fault%s", faults->total,
			more ? "s" : "");
	if (more)
		err_set(err, f->code, NULL, "%s (and %zu more)", f->text, more);
	else
		err_set(err, f->code, NULL, "%s", f->text);
	return *f->field ? err_in(err, "%s", f->field) : -1;
}

void ctr_faults_done(struct ctr_faults *faults)
{
	free(faults->items);
	*faults = (struct ctr_faults)CTR_FAULTS_INIT;
}
