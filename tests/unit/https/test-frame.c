/* SPDX-License-Identifier: Apache-2.0 */
#include "https/https.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct frame_setup got;

/* What the program makes of a setup with these texts. */
static int setup(struct https_setup head, const char *origin, const char *base,
	const char *fingerprint, const char *user)
{
	int s[2];

	head.origin_n = (uint32_t)strlen(origin);
	head.base_n = (uint32_t)strlen(base);
	head.fingerprint_n = (uint32_t)strlen(fingerprint);
	head.user_n = (uint32_t)strlen(user);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	cr_assert_eq(write(s[0], &head, sizeof(head)), sizeof(head));
	cr_assert_eq(dprintf(s[0], "%s%s%s%s", origin, base, fingerprint, user),
		(int)(strlen(origin) + strlen(base) + strlen(fingerprint) + strlen(user)));
	close(s[0]);
	int r = frame_read_setup(s[1], &got);
	close(s[1]);
	return r;
}

static const struct https_setup head = {
	.size = sizeof(struct https_setup),
	.auth = HTTPS_AUTH_TOKEN,
	.connect_timeout_ms = 5000,
};

static int origin(const char *text)
{
	return setup(head, text, "/api2/json", "", "");
}

Test(https_frame, takes_a_setup)
{
	cr_assert_eq(origin("https://pve1.example:8006"), 1);
	cr_assert_str_eq(got.origin, "https://pve1.example:8006");
	cr_assert_str_eq(got.base, "/api2/json");
	cr_assert_str_eq(got.fingerprint, "");
	struct https_setup tickets = head;
	tickets.auth = HTTPS_AUTH_TICKET;
	cr_assert_eq(setup(tickets, "https://[::1]:8006", "", "", "root@pam"), 1);
	cr_assert_str_eq(got.user, "root@pam");
	cr_assert_eq(setup(tickets, "https://[::1]:8006", "", "", ""), -1);
}

Test(https_frame, takes_no_origin_but_host_and_port)
{
	static const char *const bad[] = { "", "https://", "http://a", "HTTPS://a", "https://a/",
		"https://u@a", "https://a?b", "https://a#b", "https://a b", "https://a\r\nb",
		"https://a%41", "ftp://a", "https://a\\b" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(origin(bad[i]), -1, "%s", bad[i]);
}

Test(https_frame, takes_no_setup_of_another_build_or_with_odd_texts)
{
	struct https_setup h = head;

	h.size++;
	cr_assert_eq(setup(h, "https://a", "", "", ""), -1);
	h = head;
	h.auth = 2;
	cr_assert_eq(setup(h, "https://a", "", "", ""), -1);
	h = head;
	h.connect_timeout_ms = 0;
	cr_assert_eq(setup(h, "https://a", "", "", ""), -1);
	cr_assert_eq(setup(head, "https://a", "api2", "", ""), -1);
	cr_assert_eq(setup(head, "https://a", "/a b", "", ""), -1);
	cr_assert_eq(setup(head, "https://a", "", "AA:BB", ""), -1);
	cr_assert_eq(setup(head, "https://a", "", "", "root pam"), -1);
}

/* -2: the path that came out isn't the one that went in */
static int ask(struct https_ask h, const char *path, const char *body)
{
	struct frame_ask a;
	int s[2];

	h.path_n = (uint32_t)strlen(path);
	h.body_n = (uint32_t)strlen(body);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	cr_assert_eq(write(s[0], &h, sizeof(h)), sizeof(h));
	cr_assert_eq(dprintf(s[0], "%s%s", path, body), (int)(h.path_n + h.body_n));
	close(s[0]);
	int r = frame_read_ask(s[1], &a);
	if (r == 1 && (strcmp(a.path, path) != 0 || strcmp(a.body, body) != 0))
		r = -2;
	if (r == 1)
		cr_assert_eq(frame_read_ask(s[1], &(struct frame_ask){ 0 }), 0);
	frame_ask_done(&a);
	close(s[1]);
	return r;
}

Test(https_frame, takes_asks)
{
	const struct https_ask get = { .method = HTTPS_GET, .timeout_ms = 1 };
	const struct https_ask post = { .method = HTTPS_POST, .timeout_ms = 1, .fresh = 1 };

	cr_assert_eq(ask(get, "/nodes/pve1/lxc?full=1", ""), 1);
	cr_assert_eq(ask(post, "/nodes", "a=b"), 1);
	cr_assert_eq(ask(post, "/nodes", ""), 1);
}

Test(https_frame, takes_no_ask_that_would_be_another_request)
{
	const struct https_ask get = { .method = HTTPS_GET, .timeout_ms = 1 };
	struct https_ask odd = get;

	cr_assert_eq(ask(get, "", ""), -1);
	cr_assert_eq(ask(get, "nodes", ""), -1);
	cr_assert_eq(ask(get, "@evil.example/", ""), -1);
	cr_assert_eq(ask(get, "/a b", ""), -1);
	cr_assert_eq(ask(get, "/a\r\nHost: b", ""), -1);
	cr_assert_eq(ask(get, "/a#b", ""), -1);
	cr_assert_eq(ask(get, "/a\xc3\xa4", ""), -1);
	cr_assert_eq(ask(get, "/a", "body=1"), -1);
	odd.method = HTTPS_METHOD_N;
	cr_assert_eq(ask(odd, "/a", ""), -1);
	odd = get;
	odd.timeout_ms = 0;
	cr_assert_eq(ask(odd, "/a", ""), -1);
	odd = get;
	odd.fresh = 2;
	cr_assert_eq(ask(odd, "/a", ""), -1);
}

Test(https_frame, tells_a_closed_socket_from_half_a_frame)
{
	int s[2];
	struct frame_ask a;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	close(s[0]);
	cr_assert_eq(frame_read_ask(s[1], &a), 0);
	close(s[1]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	cr_assert_eq(write(s[0], "abc", 3), 3);
	close(s[0]);
	cr_assert_eq(frame_read_ask(s[1], &a), -1);
	close(s[1]);
}

Test(https_frame, refuses_lengths_before_it_makes_room_for_them)
{
	const struct https_ask asks[] = {
		{ .timeout_ms = 1, .path_n = HTTPS_PATH_MAX + 1 },
		{ .timeout_ms = 1, .path_n = 1, .method = HTTPS_POST, .body_n = HTTPS_ASK_MAX + 1 },
		{ .timeout_ms = 1, .path_n = UINT32_MAX },
	};
	struct frame_ask a;
	int s[2];

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
		cr_assert_eq(write(s[0], &asks[i], sizeof(asks[i])), sizeof(asks[i]));
		/* The other side stays open: only a refusal ends this. */
		cr_assert_eq(frame_read_ask(s[1], &a), -1);
		close(s[0]);
		close(s[1]);
	}
}
