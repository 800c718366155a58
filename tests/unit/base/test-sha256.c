/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *hash(const char *text, size_t repeat, size_t piece)
{
	static char hex[SHA256_HEX_SIZE];
	unsigned char digest[SHA256_SIZE];
	size_t n = strlen(text);
	struct sha256 h;

	sha256_init(&h);
	for (size_t r = 0; r < repeat; r++) {
		for (size_t i = 0; i < n; i += piece)
			sha256_add(&h, text + i, piece < n - i ? piece : n - i);
	}
	sha256_done(&h, digest);
	sha256_hex(digest, hex);
	return hex;
}

/* The examples of FIPS 180, and a million times "a". */
static const struct {
	const char *text;
	size_t repeat;
	const char *hex;
} vectors[] = {
	{ "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	{ "aaaaaaaaaa", 100000,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

Test(sha256, gives_the_digests_of_the_standard)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		cr_assert_str_eq(hash(vectors[i].text, vectors[i].repeat, 4096), vectors[i].hex);
}

Test(sha256, does_not_mind_how_the_text_is_cut)
{
	for (size_t piece = 1; piece < 130; piece++)
		cr_assert_str_eq(
			hash(vectors[3].text, 1, piece), vectors[3].hex, "pieces of %zu", piece);
}

Test(sha256, pads_every_length)
{
	char text[200], whole[SHA256_HEX_SIZE];

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		memcpy(whole, hash(text, 1, 4096), sizeof(whole));
		cr_assert_str_eq(hash(text, 1, 1), whole, "%zu bytes", n);
	}
}
