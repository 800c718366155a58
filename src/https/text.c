/* SPDX-License-Identifier: Apache-2.0 */
#include "https/https.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

/* C0, DEL, and C1, which some terminals obey. */
static bool is_control(const unsigned char *p, size_t n)
{
	return (n == 1 && (*p < 0x20 || *p == 0x7f)) ||
	       (n == 2 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

size_t text_clean(char *dst, size_t size, const char *src, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(src + i, n - i);
		if (len && at + len >= size)
			break;
		if (len && !is_control((const unsigned char *)src + i, len) &&
			(at || src[i] != ' ')) {
			memcpy(dst + at, src + i, len);
			at += len;
		}
		i += len ? len : 1;
	}
	while (at && dst[at - 1] == ' ')
		at--;
	dst[at] = 0;
	return at;
}

const char *text_reason(const char *line, size_t n, size_t *ret_n)
{
	const char *end = line + n, *p = line;

	for (int word = 0; word < 2; word++) {
		while (p < end && *p != ' ')
			p++;
		while (p < end && *p == ' ')
			p++;
	}
	*ret_n = (size_t)(end - p);
	return p;
}

bool text_is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = sizeof(json) - 1;

	if (!type || strncasecmp(type, json, n) != 0)
		return false;
	return type[n] == 0 || type[n] == ';' || type[n] == ' ';
}

void http_reply_done(struct http_reply *r)
{
	str_done(&r->body);
	*r = (struct http_reply){ 0 };
}

void http_reply_failed(struct http_reply *r, enum https_outcome outcome, const char *fmt, ...)
{
	char text[HTTPS_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_done(&r->body);
	r->outcome = outcome;
	r->status = 0;
	r->json = false;
	text_clean(r->reason, sizeof(r->reason), text, strlen(text));
}
