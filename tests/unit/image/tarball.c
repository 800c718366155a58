/* SPDX-License-Identifier: Apache-2.0 */
#include "tarball.h"

#include <string.h>

enum { BLOCK = 512 };

/* ustar, POSIX.1-1988. */
struct block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct block) == BLOCK, "a header is a block");

void tarball_done(struct tarball *t)
{
	str_done(&t->bytes);
}

static void octal(char *at, size_t n, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)value);
	memcpy(at, text, n);
}

void tarball_head(struct tarball *t, const struct tar_head *h)
{
	struct block b = { .type = h->type, .magic = "ustar", .version = { '0', '0' } };
	unsigned sum = 0;

	memcpy(b.name, h->name, MIN(strlen(h->name), sizeof(b.name)));
	if (h->link)
		memcpy(b.link, h->link, MIN(strlen(h->link), sizeof(b.link)));
	octal(b.mode, sizeof(b.mode), h->mode);
	octal(b.uid, sizeof(b.uid), h->uid);
	octal(b.gid, sizeof(b.gid), h->gid);
	octal(b.size, sizeof(b.size), h->size);
	octal(b.mtime, sizeof(b.mtime), h->mtime);
	octal(b.major, sizeof(b.major), h->major);
	octal(b.minor, sizeof(b.minor), h->minor);
	memset(b.sum, ' ', sizeof(b.sum));
	for (size_t i = 0; i < sizeof(b); i++)
		sum += ((const unsigned char *)&b)[i];
	octal(b.sum, sizeof(b.sum) - 1, sum);
	str_addn(&t->bytes, &b, sizeof(b));
}

void tarball_data(struct tarball *t, const void *p, size_t n)
{
	static const char zeros[BLOCK];

	str_addn(&t->bytes, p, n);
	str_addn(&t->bytes, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

void tarball_file(struct tarball *t, const char *name, const char *text)
{
	const struct tar_head h = {
		.type = '0', .name = name, .mode = 0644, .size = strlen(text), .mtime = 1000
	};

	tarball_head(t, &h);
	tarball_data(t, text, strlen(text));
}

void tarball_add(struct tarball *t, char type, const char *name, const char *link)
{
	const struct tar_head h = { .type = type,
		.name = name,
		.link = link,
		.mode = type == '5' ? 0755 : 0644,
		.mtime = 1000 };

	tarball_head(t, &h);
}

void tarball_record(struct str *records, const char *key, const void *value, size_t n)
{
	size_t rest = strlen(key) + n + 3, length = rest + 1;
	char digits[24];

	/* The length counts its own digits. */
	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", length) != length)
		length++;
	str_printf(records, "%s %s=", digits, key);
	str_addn(records, value, n);
	str_add(records, "\n");
}

void tarball_pax(struct tarball *t, char type, const char *key, const void *value, size_t n)
{
	_str_ struct str records = { 0 };

	tarball_record(&records, key, value, n);
	const struct tar_head h = { .type = type, .name = "pax", .size = records.n };
	tarball_head(t, &h);
	tarball_data(t, records.p, records.n);
}

void tarball_end(struct tarball *t)
{
	static const char zeros[2 * BLOCK];

	str_addn(&t->bytes, zeros, sizeof(zeros));
}
