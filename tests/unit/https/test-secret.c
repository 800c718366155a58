/* SPDX-License-Identifier: Apache-2.0 */
#include "https/https.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* 0 with the secret, or -1 with the error's text in `said`. */
static char said[1024];

static int take_in(const char *text, size_t n, enum https_auth auth, bool pipe_, struct secret *ret)
{
	struct err err = ERR_INIT;
	int fds[2] = { -1, -1 };

	*ret = (struct secret){ 0 };
	if (pipe_) {
		cr_assert_eq(pipe(fds), 0);
		cr_assert_eq(write(fds[1], text, n), (ssize_t)n);
		close(fds[1]);
	} else {
		fds[0] = memfd_create("x", MFD_CLOEXEC);
		cr_assert_eq(write(fds[0], text, n), (ssize_t)n);
	}
	int r = secret_read(fds[0], auth, ret, &err);
	close(fds[0]);
	err_line(&err, said, sizeof(said));
	return r;
}

static int token(const char *text)
{
	struct secret s;
	int r = take_in(text, strlen(text), HTTPS_AUTH_TOKEN, false, &s);

	cr_assert(r == 0 || !s.p);
	cr_assert(r == 0 || !strstr(said, "SECRETSECRET"), "%s", said);
	secret_free(&s);
	return r;
}

static int password(const char *text, size_t n)
{
	struct secret s;
	int r = take_in(text, n, HTTPS_AUTH_TICKET, false, &s);

	secret_free(&s);
	return r;
}

Test(https_secret, is_a_token_without_its_newline)
{
	struct secret s;

	for (int pipe_ = 0; pipe_ < 2; pipe_++) {
		cr_assert_eq(take_in("a@pve!id=0-1\n", 13, HTTPS_AUTH_TOKEN, pipe_, &s), 0);
		cr_assert_str_eq(s.p, "a@pve!id=0-1");
		cr_assert_eq(s.n, 12);
		secret_free(&s);
		cr_assert_null(s.p);
	}
	cr_assert_eq(take_in("a@pve!id=0-1\r\n", 14, HTTPS_AUTH_TOKEN, false, &s), 0);
	cr_assert_str_eq(s.p, "a@pve!id=0-1");
	secret_free(&s);
}

Test(https_secret, is_refused_as_a_token_unless_it_has_all_the_parts)
{
	cr_assert_eq(token("root@pam!ctrctl=SECRETSECRET"), 0);
	static const char *const bad[] = { "", "\n", "SECRETSECRET", "root@pam=SECRETSECRET",
		"root!id=SECRETSECRET", "@pam!id=SECRETSECRET", "root@!id=SECRETSECRET",
		"root@pam!=SECRETSECRET", "root@pam!id=", "root@pam!id SECRETSECRET",
		"root@pam!id=SECRETSECRET;", "root@pam!id=SECRET SECRETSECRET",
		"root@pam!id=SECRETSECRET\n\n", "root@pam!id=SECRETSECRET\r\nCookie: a",
		"root@pam!id=SECRETSECRET\nX: y", "root@pam!id=SECRETSECRET\x7f",
		"root@pam!id=SECRETSECRET\xc3\xa4" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(token(bad[i]), -1, "row %zu", i);
}

Test(https_secret, is_refused_as_a_password_when_it_has_lines_or_nothing)
{
	cr_assert_eq(password("pass word;=&\n", 13), 0);
	cr_assert_eq(password("\xc3\xa4\xc3\xb6", 4), 0);
	cr_assert_eq(password("", 0), -1);
	cr_assert_eq(password("\n", 1), -1);
	cr_assert_eq(password("a\nb\n", 4), -1);
	cr_assert_eq(password("a\0b", 3), -1);
}

Test(https_secret, is_of_a_bounded_length)
{
	char text[HTTPS_CREDENTIAL_MAX + 1];

	memset(text, 'a', sizeof(text));
	cr_assert_eq(password(text, HTTPS_CREDENTIAL_MAX), 0);
	cr_assert_eq(password(text, HTTPS_CREDENTIAL_MAX + 1), -1);
}

Test(https_secret, is_read_from_a_files_beginning_wherever_others_are)
{
	struct secret s = { 0 };
	struct err err = ERR_INIT;
	int fd = memfd_create("x", MFD_CLOEXEC);

	cr_assert_eq(write(fd, "password", 8), 8);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(secret_read(fd, HTTPS_AUTH_TICKET, &s, &err), 0);
		cr_assert_str_eq(s.p, "password");
		secret_free(&s);
	}
	close(fd);
}

Test(https_secret, grows_to_its_room_and_no_further)
{
	struct secret s = { 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(secret_new(&s, 8, &err), 0);
	secret_add(&s, "a", 1);
	secret_add_encoded(&s, "Az09-_.~ =&%\xff\n", 14);
	cr_assert_str_eq(s.p, "aAz09-_.~%20%3D%26%25%FF%0A");
	while (s.n + 1 < s.mapped)
		secret_add(&s, "0123456789", 10);
	secret_add(&s, "x", 1);
	cr_assert_eq(s.n, s.mapped - 1);
	cr_assert_eq(s.p[s.n], 0);
	secret_free(&s);
	secret_free(&s);
}
