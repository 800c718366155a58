/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <criterion/criterion.h>
#include <string.h>

/* FIPS 180-4's examples. */
static const char abc256[] =
	"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char abc512[] =
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

static const char *of_abc(const char *like, char buf[DIGEST_TEXT_MAX])
{
	struct digest *d = digest_new(like);

	cr_assert(d);
	digest_add(d, "a", 1);
	digest_add(d, "", 0);
	digest_add(d, "bc", 2);
	digest_text(d, buf);
	cr_assert_null(digest_free(d));
	return buf;
}

Test(digest, is_that_of_the_standards_examples)
{
	char buf[DIGEST_TEXT_MAX];

	cr_assert_str_eq(of_abc("sha256", buf), abc256);
	cr_assert_str_eq(of_abc("sha512", buf), abc512);
	cr_assert_str_eq(digest_of("abc", 3, buf), abc256);
	cr_assert_str_eq(digest_of("", 0, buf),
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

Test(digest, takes_the_algorithm_of_another_digest)
{
	char buf[DIGEST_TEXT_MAX];

	cr_assert_str_eq(of_abc(abc256, buf), abc256);
	cr_assert_str_eq(of_abc(abc512, buf), abc512);
	cr_assert_str_eq(of_abc("sha512:", buf), abc512);
}

Test(digest, knows_no_other_algorithms)
{
	static const char *const others[] = { "", "md5", "sha1:", "sha25", "sha2560",
		"sha256+b64:", "SHA256", ":sha256", " sha256" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_assert_null(digest_new(others[i]), "%s", others[i]);
}
