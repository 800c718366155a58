/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), in portable C: for keys and digests, not for secrets. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 };

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	unsigned char block[64];
};

void sha256_init(struct sha256 *);
void sha256_add(struct sha256 *, const void *p, size_t n);
/* The struct is used up. */
void sha256_done(struct sha256 *, unsigned char ret[SHA256_SIZE]);

/* Lower-case digits and NUL. */
void sha256_hex(const unsigned char digest[SHA256_SIZE], char ret[SHA256_HEX_SIZE]);

#endif
