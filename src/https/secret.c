/* SPDX-License-Identifier: Apache-2.0 */
#include "https/https.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int secret_new(struct secret *s, size_t n, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = (n + page) / page * page;
	void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, errno, "mmap", "%zu bytes for a secret", mapped);
	*s = (struct secret){ .p = p, .mapped = mapped };
	/* Each of them as far as it goes: without a right to lock memory, a secret may be swapped.
	 */
	if (madvise(p, mapped, MADV_DONTDUMP) < 0 || madvise(p, mapped, MADV_DONTFORK) < 0 ||
		mlock(p, mapped) < 0)
		errno = 0;
	return 0;
}

void secret_free(struct secret *s)
{
	if (s->p) {
		explicit_bzero(s->p, s->mapped);
		munmap(s->p, s->mapped);
	}
	*s = (struct secret){ 0 };
}

void secret_add(struct secret *s, const char *text, size_t n)
{
	n = MIN(n, s->mapped - 1 - s->n);
	memcpy(s->p + s->n, text, n);
	s->n += n;
	s->p[s->n] = 0;
}

static bool is_plain(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

void secret_add_encoded(struct secret *s, const char *text, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		const char three[3] = { '%', hex[c >> 4], hex[c & 15] };
		secret_add(s, is_plain(c) ? text + i : three, is_plain(c) ? 1 : 3);
	}
}

/* A regular file from its beginning, whoever may have read it before. */
static int read_whole(int fd, struct secret *s, struct err *err)
{
	for (;;) {
		ssize_t r = pread(fd, s->p + s->n, s->mapped - s->n, (off_t)s->n);
		if (r < 0 && errno == ESPIPE)
			r = read(fd, s->p + s->n, s->mapped - s->n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(err, errno, "read", "the credential");
		if (r == 0)
			return 0;
		s->n += (size_t)r;
		if (s->n > HTTPS_CREDENTIAL_MAX)
			return err_set(err, ERR_INVALID, NULL,
				"the credential is longer than %d bytes", HTTPS_CREDENTIAL_MAX);
	}
}

static void cut_newline(struct secret *s)
{
	if (s->n && s->p[s->n - 1] == '\n')
		s->n--;
	if (s->n && s->p[s->n - 1] == '\r')
		s->n--;
	explicit_bzero(s->p + s->n, s->mapped - s->n);
}

/* USER@REALM!ID=SECRET. The server takes a semicolon as the value's end. */
static bool is_token(const struct secret *s)
{
	const char *at = strchr(s->p, '@'), *bang = at ? strchr(at, '!') : NULL;
	const char *eq = bang ? strchr(bang, '=') : NULL;

	if (!eq || at == s->p || bang == at + 1 || eq == bang + 1 || !eq[1])
		return false;
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] <= ' ' || s->p[i] > '~' || s->p[i] == ';' || s->p[i] == '"')
			return false;
	}
	return true;
}

static int check_form(const struct secret *s, enum https_auth auth, struct err *err)
{
	if (s->n == 0) {
		err_set(err, ERR_INVALID, NULL, "the credential is empty");
		return -1;
	}
	if (auth == HTTPS_AUTH_TOKEN && !is_token(s))
		return err_set(err, ERR_INVALID, NULL,
			"the token isn't of the form USER@REALM!TOKENID=SECRET");
	for (size_t i = 0; i < s->n; i++) {
		if ((unsigned char)s->p[i] < ' ' || s->p[i] == 127)
			return err_set(err, ERR_INVALID, NULL,
				"the password has a control character in it, or a second line");
	}
	return 0;
}

int secret_read(int fd, enum https_auth auth, struct secret *ret, struct err *err)
{
	if (secret_new(ret, HTTPS_CREDENTIAL_MAX + 1, err) < 0)
		return -1;
	int r = read_whole(fd, ret, err);
	if (r == 0) {
		cut_newline(ret);
		r = check_form(ret, auth, err);
	}
	if (r < 0)
		secret_free(ret);
	return r;
}
