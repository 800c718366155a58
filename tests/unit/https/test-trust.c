/* SPDX-License-Identifier: Apache-2.0 */
#include "https/trust.h"

#include <criterion/criterion.h>
#include <string.h>

static const char good[] = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
			   "F0:E1:D2:C3:B4:A5:96:87:78:69:5A:4B:3C:2D:1E:0F";

Test(https_trust, reads_a_fingerprint_and_writes_it_back)
{
	unsigned char digest[TRUST_DIGEST];
	char text[3 * TRUST_DIGEST];

	cr_assert_eq(trust_parse(good, digest), 0);
	cr_assert_eq(digest[1], 0x11);
	cr_assert_eq(digest[31], 0x0f);
	trust_print(digest, text);
	cr_assert_str_eq(text, good);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(text[i] >= 'A' ? text[i] | 0x20 : text[i]);
	cr_assert_eq(trust_parse(text, digest), 0);
	cr_assert_eq(digest[10], 0xaa);
}

Test(https_trust, refuses_whatever_else)
{
	unsigned char digest[TRUST_DIGEST];
	char text[sizeof(good)];

	cr_assert_eq(trust_parse("", digest), -1);
	cr_assert_eq(trust_parse("AA:BB", digest), -1);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(text, good, sizeof(good));
		text[i] = i % 3 == 2 ? '-' : 'g';
		cr_assert_eq(trust_parse(text, digest), -1, "%s", text);
		text[i] = 0;
		cr_assert_eq(trust_parse(text, digest), -1, "%s", text);
	}
}
