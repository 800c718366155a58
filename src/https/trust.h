/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is known by its fingerprint. Apart from https.h, whose names clash with
 * OpenSSL's. */
#ifndef HTTPS_TRUST_H
#define HTTPS_TRUST_H

#include <stdbool.h>

enum { TRUST_DIGEST = 32 };

struct trust {
	bool pinned;
	unsigned char want[TRUST_DIGEST];
	bool refused;                 /* pinned: the last connection's wasn't it */
	char found[3 * TRUST_DIGEST]; /* fingerprint of the last connection's, or "" */
};

/* "AB:CD:..." of 95 characters, either case. 0, or -1 when it is none. */
int trust_parse(const char *text, unsigned char ret[TRUST_DIGEST]);
void trust_print(const unsigned char digest[TRUST_DIGEST], char ret[3 * TRUST_DIGEST]);
/* For the SSL_CTX of a new connection: it accepts the pinned certificate and no other; without a
 * pin it decides as it would by itself. */
void trust_apply(struct trust *t, void *ssl_ctx);

#endif
