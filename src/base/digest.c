/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <nettle/sha2.h>
#include <string.h>

struct digest {
	bool sha512;
	union {
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	} u;
};

static bool is_algorithm(const char *like, const char *name)
{
	size_t n = strlen(name);

	return str_starts(like, name) && (like[n] == 0 || like[n] == ':');
}

struct digest *digest_new(const char *like)
{
	bool sha512 = is_algorithm(like, "sha512");
	struct digest *d = NULL;

	if (sha512 || is_algorithm(like, "sha256"))
		d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->sha512 = sha512;
	if (sha512)
		sha512_init(&d->u.sha512);
	else
		sha256_init(&d->u.sha256);
	return d;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	if (d->sha512)
		sha512_update(&d->u.sha512, n, p);
	else
		sha256_update(&d->u.sha256, n, p);
}

const char *digest_text(struct digest *d, char buf[DIGEST_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[SHA512_DIGEST_SIZE];
	size_t n = d->sha512 ? SHA512_DIGEST_SIZE : SHA256_DIGEST_SIZE;
	char *at = buf;

	if (d->sha512)
		sha512_digest(&d->u.sha512, n, sum);
	else
		sha256_digest(&d->u.sha256, n, sum);
	memcpy(at, d->sha512 ? "sha512:" : "sha256:", 7);
	at += 7;
	for (size_t i = 0; i < n; i++) {
		*at++ = hex[sum[i] >> 4];
		*at++ = hex[sum[i] & 0xf];
	}
	*at = 0;
	return buf;
}

struct digest *digest_free(struct digest *d)
{
	free(d);
	return NULL;
}

const char *digest_of(const void *p, size_t n, char buf[DIGEST_TEXT_MAX])
{
	struct digest d = { .sha512 = false };

	sha256_init(&d.u.sha256);
	digest_add(&d, p, n);
	return digest_text(&d, buf);
}
