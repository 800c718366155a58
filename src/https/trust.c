/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate by its fingerprint: SHA-256 of the leaf's DER, as the server's administrators see
 * it. It replaces the whole of verification, and takes place during the handshake: nothing of the
 * request, and no credential, has been sent by then. Where CAs decide, the fingerprint is only
 * noted, for who has to find out whose certificate it was.
 */
#include "https/trust.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int trust_parse(const char *text, unsigned char ret[TRUST_DIGEST])
{
	if (strlen(text) != 3 * TRUST_DIGEST - 1)
		return -1;
	for (size_t i = 0; i < TRUST_DIGEST; i++) {
		int high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i + 1 < TRUST_DIGEST && text[3 * i + 2] != ':'))
			return -1;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

void trust_print(const unsigned char digest[TRUST_DIGEST], char ret[3 * TRUST_DIGEST])
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < TRUST_DIGEST; i++) {
		ret[3 * i] = hex[digest[i] >> 4];
		ret[3 * i + 1] = hex[digest[i] & 15];
		ret[3 * i + 2] = i + 1 < TRUST_DIGEST ? ':' : 0;
	}
}

/* Its fingerprint goes to t->found, "" if there is none. */
static void look_at(struct trust *t, X509_STORE_CTX *store, unsigned char digest[EVP_MAX_MD_SIZE])
{
	unsigned n = 0;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	t->found[0] = 0;
	if (leaf && X509_digest(leaf, EVP_sha256(), digest, &n) && n == TRUST_DIGEST)
		trust_print(digest, t->found);
}

static int verify_pin(X509_STORE_CTX *store, void *arg)
{
	struct trust *t = arg;
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

	look_at(t, store, digest);
	t->refused = !*t->found || memcmp(digest, t->want, TRUST_DIGEST) != 0;
	X509_STORE_CTX_set_error(
		store, t->refused ? X509_V_ERR_APPLICATION_VERIFICATION : X509_V_OK);
	return t->refused ? 0 : 1;
}

static int verify_chain(X509_STORE_CTX *store, void *arg)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	look_at(arg, store, digest);
	return X509_verify_cert(store) > 0;
}

void trust_apply(struct trust *t, void *ssl_ctx)
{
	/* Until it has been looked at, it is refused: see on_request in http.c. */
	t->refused = true;
	/* A ticket comes in an answer. */
	SSL_CTX_set_options(ssl_ctx, SSL_OP_CLEANSE_PLAINTEXT);
	if (t->pinned)
		SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, t->pinned ? verify_pin : verify_chain, t);
}
