/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HOME, and the limits: what the process gets late. passwd is the container's own, hence hostile: a
 * regular file, a bounded size, bounded lines; the id is compared as digits, a name is never looked
 * up.
 */
#include "init.h"

enum { PASSWD_MAX = 10 << 20, LINE_MAX_BYTES = 4096, CHUNK = 2048 };
enum { FIELD_UID = 2, FIELD_HOME = 5 };

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
	int too_long;
};

/* The begin of field k, and its end; fields are separated by ':'. NULL when there are fewer. */
static const char *field(const struct line *l, int k, const char **end)
{
	const char *p = l->text, *stop = l->text + l->n;

	for (; k; k--) {
		while (p < stop && *p != ':')
			p++;
		if (p++ >= stop)
			return NULL;
	}
	for (*end = p; *end < stop && **end != ':';)
		(*end)++;
	return p;
}

/* Digits only, in the range of a uid. */
static int is_uid(const char *p, const char *end, uint64_t uid)
{
	uint64_t n = 0;

	if (p == end || end - p > 10)
		return 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return 0;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	return n == uid;
}

/* 1 when the line is the user's and its home was taken. */
static int take_home(const struct line *l, uint64_t uid)
{
	const char *end, *p = field(l, FIELD_UID, &end);
	char *at = G.home + sizeof("HOME=") - 1;

	if (l->too_long || !p || !is_uid(p, end, uid))
		return 0;
	p = field(l, FIELD_HOME, &end);
	if (!p || *p != '/' || (size_t)(end - p) >= sizeof(G.home) - sizeof("HOME="))
		return 0;
	while (p < end)
		*at++ = *p++;
	*at = 0;
	return 1;
}

static int line_feed(struct line *l, const char *p, size_t n, uint64_t uid)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') {
			if (take_home(l, uid))
				return 1;
			l->n = 0;
			l->too_long = 0;
		} else if (p[i] == 0 || l->n == sizeof(l->text)) {
			l->too_long = 1;
		} else {
			l->text[l->n++] = p[i];
		}
	}
	return 0;
}

static void search(int fd, uint64_t uid)
{
	struct line l;
	char chunk[CHUNK];
	long r;

	l.n = 0;
	l.too_long = 0;
	for (size_t all = 0; all < PASSWD_MAX; all += (size_t)r) {
		r = SYS3(read, fd, chunk, sizeof(chunk));
		if (r == -EINTR)
			r = 0;
		else if (r <= 0)
			break;
		if (line_feed(&l, chunk, (size_t)r, uid))
			return;
	}
	take_home(&l, uid); /* a last line without newline */
}

long home_find(const struct wire_step *s)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	struct statx st;
	long root = root_fd();
	long fd = root < 0 ? root : SYS4(openat2, root, "etc/passwd", &how, sizeof(how));

	text_put(G.home, G.home + sizeof(G.home), "HOME=/");
	if (fd < 0)
		return 0;
	if (stat_fd((int)fd, &st) == 0 && (st.stx_mode & S_IFMT) == S_IFREG)
		search((int)fd, s->a);
	close_fd((int)fd);
	return 0;
}

long home_rlimit(const struct wire_step *s)
{
	struct {
		uint64_t soft, hard;
	} limit = { s->b, s->c };

	return SYS4(prlimit64, 0, s->a, &limit, 0);
}
