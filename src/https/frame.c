/* SPDX-License-Identifier: Apache-2.0 */
/* Frames are trusted to come from ctrctl; their form is checked all the same, for what is in them
 * ends up in a request. */
#include "https/https.h"

#include "base/fd.h"

#include <string.h>
#include <sys/socket.h>

/* 1, 0 at the end of the stream before the first byte, -1. */
static int read_exactly(int sock, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = recv(sock, (char *)p + got, n - got, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r == 0 && got == 0 ? 0 : -1;
		got += (size_t)r;
	}
	return 1;
}

static int read_text(int sock, char *buf, size_t n)
{
	buf[n] = 0;
	return n == 0 || read_exactly(sock, buf, n) == 1 ? 0 : -1;
}

/* Printable ASCII without a blank, as in a URL. */
static bool is_graph(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '#')
			return false;
	}
	return true;
}

/* Host and port, nothing else. */
static bool is_origin(const char *s, size_t n)
{
	static const char scheme[] = "https://";
	const size_t k = sizeof(scheme) - 1;

	return str_starts(s, scheme) && n > k && strlen(s) == n &&
	       strspn(s + k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			     ".-_:[]") == n - k;
}

int frame_read_setup(int sock, struct frame_setup *s)
{
	struct https_setup *h = &s->head;
	int r = read_exactly(sock, h, sizeof(*h));

	if (r <= 0)
		return r;
	if (h->size != sizeof(*h) || h->auth > HTTPS_AUTH_TICKET || h->has_ca > 1 ||
		h->connect_timeout_ms == 0 || h->origin_n > HTTPS_TEXT_MAX ||
		h->base_n > HTTPS_TEXT_MAX || h->user_n > HTTPS_TEXT_MAX ||
		(h->fingerprint_n != 0 && h->fingerprint_n != 95))
		return -1;
	if (read_text(sock, s->origin, h->origin_n) < 0 ||
		read_text(sock, s->base, h->base_n) < 0 ||
		read_text(sock, s->fingerprint, h->fingerprint_n) < 0 ||
		read_text(sock, s->user, h->user_n) < 0)
		return -1;
	if (!is_origin(s->origin, h->origin_n) || !is_graph(s->base, h->base_n) ||
		!is_graph(s->fingerprint, h->fingerprint_n) || !is_graph(s->user, h->user_n) ||
		(h->base_n && s->base[0] != '/') || (h->auth == HTTPS_AUTH_TICKET && !h->user_n))
		return -1;
	return 1;
}

void frame_ask_done(struct frame_ask *a)
{
	free(a->path);
	free(a->body);
	*a = (struct frame_ask){ 0 };
}

int frame_read_ask(int sock, struct frame_ask *a)
{
	struct https_ask *h = &a->head;

	*a = (struct frame_ask){ 0 };
	int r = read_exactly(sock, h, sizeof(*h));
	if (r <= 0)
		return r;
	if (h->method >= HTTPS_METHOD_N || h->timeout_ms == 0 || h->fresh > 1 || h->path_n == 0 ||
		h->path_n > HTTPS_PATH_MAX || h->body_n > HTTPS_ASK_MAX)
		return -1;
	if (h->body_n && h->method != HTTPS_POST && h->method != HTTPS_PUT)
		return -1;
	a->path = malloc((size_t)h->path_n + 1);
	a->body = malloc((size_t)h->body_n + 1);
	if (!a->path || !a->body || read_text(sock, a->path, h->path_n) < 0 ||
		read_text(sock, a->body, h->body_n) < 0 || a->path[0] != '/' ||
		!is_graph(a->path, h->path_n)) {
		frame_ask_done(a);
		return -1;
	}
	return 1;
}

static int send_all(int sock, const void *p, size_t n)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t r = send(sock, (const char *)p + sent, n - sent, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		sent += (size_t)r;
	}
	return 0;
}

int frame_write_answer(
	int sock, const struct https_answer *answer, const char *reason, const char *body)
{
	if (send_all(sock, answer, sizeof(*answer)) < 0 ||
		send_all(sock, reason, answer->reason_n) < 0)
		return -1;
	return send_all(sock, body, answer->body_n);
}
