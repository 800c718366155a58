/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ctrctl-https takes from others: answers to logins, status lines, credentials, frames. The
 * first line of an input names which. 8 KiB reach every limit but those of size, which have unit
 * tests.
 */
#include "base/fd.h"
#include "https/https.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 8192 };

static const char *answer;
static size_t answer_n;

static void is_header(const char *line)
{
	for (; line && *line; line++)
		assert(*line >= ' ' && *line <= '~');
}

/* Every login gets the input for an answer; what is asked afterwards is refused once. */
static void serve(void *arg, const struct http_request *r, struct http_reply *reply)
{
	bool *refused = arg;

	for (size_t i = 0; i < ARRAY_SIZE(r->headers) && r->headers[i]; i++)
		is_header(r->headers[i]);
	*reply = (struct http_reply){ .outcome = HTTPS_ANSWERED, .status = 200 };
	if (str_ends(r->path, "/access/ticket")) {
		str_addn(&reply->body, answer, answer_n);
	} else if (!*refused) {
		*refused = true;
		reply->status = 401;
	}
}

static uint64_t now_ms(void)
{
	static uint64_t now;

	return now += 60 * 60 * 1000;
}

static void is_clean(const char *text)
{
	for (size_t i = 0, len; text[i]; i += len) {
		len = utf8_len(text + i, strlen(text + i));
		assert(len && (unsigned char)text[i] >= ' ' && text[i] != 0x7f);
	}
}

static void try_login(const char *text, size_t n)
{
	bool refused = false;
	struct session s = {
		.auth = HTTPS_AUTH_TICKET,
		.base = "",
		.user = "root@pam",
		.exchange = serve,
		.arg = &refused,
		.now_ms = now_ms,
	};
	const struct https_ask ask = { .method = HTTPS_POST, .timeout_ms = 1000 };
	struct secret password = { 0 };
	struct http_reply reply;
	struct err err = ERR_INIT;
	unsigned logins;

	answer = text;
	answer_n = n;
	if (secret_new(&password, 1, &err) < 0)
		return;
	secret_add(&password, "p", 1);
	session_begin(&s, &password);
	for (int i = 0; i < 3; i++) {
		session_exchange(&s, &ask, "/x", "", &reply, &logins);
		assert(logins <= HTTPS_LOGINS_MAX);
		assert(reply.outcome == HTTPS_ANSWERED || reply.outcome == HTTPS_NO_LOGIN);
		assert(reply.outcome == HTTPS_ANSWERED || (!reply.body.n && *reply.reason));
		is_clean(reply.reason);
		http_reply_done(&reply);
	}
	session_done(&s);
}

static void try_reason(const char *text, size_t n)
{
	char clean[100];
	size_t reason_n;
	const char *reason = text_reason(text, n, &reason_n);

	assert(reason >= text && reason + reason_n == text + n);
	assert(text_clean(clean, sizeof(clean), reason, reason_n) == strlen(clean));
	is_clean(clean);
}

static void try_credential(const char *text, size_t n, enum https_auth auth)
{
	_close_ int fd = memfd_create("credential", MFD_CLOEXEC);
	struct secret s = { 0 };
	struct err err = ERR_INIT;

	if (fd < 0 || fd_write_all(fd, text, n) < 0)
		return;
	if (secret_read(fd, auth, &s, &err) == 0) {
		assert(s.n && s.n <= HTTPS_CREDENTIAL_MAX && strlen(s.p) == s.n);
		assert(!strpbrk(s.p, "\r\n"));
		assert(auth == HTTPS_AUTH_TICKET || !strpbrk(s.p, " ;\""));
	} else {
		assert(!s.p && err.code != ERR_NONE);
	}
	secret_free(&s);
}

static void try_frames(const char *text, size_t n, bool asks)
{
	static struct frame_setup setup;
	struct frame_ask ask;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return;
	bool sent = fd_write_all(s[0], text, n) == 0;
	close(s[0]);
	while (sent && asks && frame_read_ask(s[1], &ask) == 1) {
		assert(ask.path[0] == '/' && !strpbrk(ask.path, " \r\n#"));
		frame_ask_done(&ask);
	}
	if (sent && !asks && frame_read_setup(s[1], &setup) == 1) {
		assert(str_starts(setup.origin, "https://"));
		assert(!strpbrk(setup.origin + 8, "/@?# \r\n"));
		is_header(setup.base);
		is_header(setup.user);
	}
	close(s[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char input[INPUT_MAX + 1];

	if (n > INPUT_MAX)
		return 0;
	memcpy(input, data, n);
	input[n] = 0;
	char *rest = memchr(input, '\n', n);
	if (!rest)
		return 0;
	*rest++ = 0;
	n -= (size_t)(rest - input);
	if (str_eq(input, "login"))
		try_login(rest, n);
	else if (str_eq(input, "reason"))
		try_reason(rest, n);
	else if (str_eq(input, "token"))
		try_credential(rest, n, HTTPS_AUTH_TOKEN);
	else if (str_eq(input, "password"))
		try_credential(rest, n, HTTPS_AUTH_TICKET);
	else if (str_eq(input, "setup") || str_eq(input, "ask"))
		try_frames(rest, n, *input == 'a');
	return 0;
}
