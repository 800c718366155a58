/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrctl/fault.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <string.h>

/* Cut at a character's border, with "..." where something is missing. */
static void put(char *dst, size_t size, const char *text)
{
	size_t n = strlen(text), end = size - sizeof("...");

	if (n < size) {
		memcpy(dst, text, n + 1);
		return;
	}
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	memcpy(dst, text, end);
	memcpy(dst + end, "...", sizeof("..."));
}

void ctr_fault_add(
	struct ctr_faults *faults, enum err_code code, const char *field, const char *fmt, ...)
{
	char text[2 * sizeof(faults->items->text)];
	struct ctr_fault *f;
	va_list ap;

	faults->total++;
	if (faults->n == CTR_FAULTS_MAX)
		return;
	if (!faults->items)
		faults->items = calloc(CTR_FAULTS_MAX, sizeof(*faults->items));
	if (!faults->items)
		return;
	f = &faults->items[faults->n++];
	f->code = code;
	put(f->field, sizeof(f->field), field);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(f->text, sizeof(f->text), text);
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
