/* SPDX-License-Identifier: Apache-2.0 */
#include "image/contents.h"

#include "base/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, LINKS_MAX = 8 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], dev_major[8], dev_minor[8], prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct reader {
	int fd;
	uint64_t at, end; /* end: size of the file */
	struct arena *arena;
	struct contents_entry *entries;
	size_t n, cap;
	/* from a pax or GNU header, for the entry that follows; NULL: nothing */
	const char *name, *link;
	bool has_size;
	uint64_t size;
};

static int pread_all(int fd, void *p, size_t n, uint64_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = pread(fd, (char *)p + done, n - done, (off_t)(at + done));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0) {
			errno = ENODATA;
			return -1;
		}
		done += (size_t)k;
	}
	return 0;
}

static int bad(const struct reader *r, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, NULL, "the archive is broken at byte %llu: %s",
		(unsigned long long)r->at, why);
}

/* ---- fields ---- */

/* Octal digits, or (first bit set) a number to base 256. 0 or -1. */
static int number(const char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if ((unsigned char)*p == 0x80) {
		for (i = 1; i < n; i++) {
			if (v >> 55)
				return -1;
			v = v << 8 | (unsigned char)p[i];
		}
		*ret = v;
		return 0;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++) {
		if (p[i] && p[i] != ' ')
			return -1;
	}
	*ret = v;
	return 0;
}

static bool sum_is_right(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	uint64_t said, sum = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		bool own = i >= offsetof(struct header, sum) && i < offsetof(struct header, type);
		sum += own ? ' ' : p[i];
	}
	return number(h->sum, sizeof(h->sum), &said) == 0 && said == sum;
}

static bool is_zero(const struct header *h)
{
	static const struct header zero;

	return memcmp(h, &zero, sizeof(zero)) == 0;
}

/* A field without a NUL fills its place. */
static const char *field(struct reader *r, const char *p, size_t n)
{
	return arena_strndup(r->arena, p, strnlen(p, n));
}

static const char *header_name(struct reader *r, const struct header *h)
{
	const char *name = field(r, h->name, sizeof(h->name));

	/* GNU's magic is "ustar " and has other things there. */
	if (!name || memcmp(h->magic, "ustar", 6) != 0 || !*h->prefix)
		return name;
	return arena_printf(r->arena, "%s/%s", field(r, h->prefix, sizeof(h->prefix)), name);
}

/* ---- headers that say something of the next ---- */

static int pax_value(
	struct reader *r, const char *key, const char *value, size_t n, struct err *err)
{
	const char *text = arena_strndup(r->arena, value, n);

	if (!text)
		return err_nomem(err);
	if (strlen(text) != n)
		return bad(r, err, "a NUL in a pax header");
	if (str_eq(key, "path"))
		r->name = text;
	else if (str_eq(key, "linkpath"))
		r->link = text;
	else if (str_starts(key, "GNU.sparse."))
		return bad(r, err, "sparse files aren't read");
	else if (str_eq(key, "size")) {
		if (parse_u64(text, INT64_MAX, &r->size) < 0)
			return bad(r, err, "the size in a pax header isn't a number");
		r->has_size = true;
	}
	return 0;
}

/* Records "LEN KEY=VALUE\n", LEN counting all of it. */
static int pax_records(struct reader *r, const char *p, size_t n, struct err *err)
{
	while (n) {
		size_t digits = 0, len = 0;
		const char *equals, *key;

		while (digits < n && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
			len = len * 10 + (size_t)(p[digits++] - '0');
		if (!digits || digits >= n || p[digits] != ' ' || len > n || len < digits + 4 ||
			p[len - 1] != '\n')
			return bad(r, err, "a pax header isn't well-formed");
		key = p + digits + 1;
		equals = memchr(key, '=', len - digits - 2);
		if (!equals)
			return bad(r, err, "a pax header isn't well-formed");
		const char *name = arena_strndup(r->arena, key, (size_t)(equals - key));
		if (!name)
			return err_nomem(err);
		if (pax_value(r, name, equals + 1, (size_t)(p + len - 1 - (equals + 1)), err) < 0)
			return -1;
		p += len;
		n -= len;
	}
	return 0;
}

static int read_meta(struct reader *r, char type, uint64_t size, struct err *err)
{
	char *text;

	if (type == 'g')
		return 0; /* defaults for the whole archive: nothing that matters here */
	if (size > CONTENTS_META_MAX)
		return bad(r, err, "a header of more than 1 MiB");
	text = arena_alloc(r->arena, (size_t)size + 1);
	if (!text)
		return err_nomem(err);
	if (pread_all(r->fd, text, (size_t)size, r->at + BLOCK) < 0)
		return err_sys(err, errno, "read", "archive");
	if (type == 'x')
		return pax_records(r, text, (size_t)size, err);
	if (type == 'L')
		r->name = text;
	else
		r->link = text;
	return 0;
}

/* ---- entries ---- */

static int add(struct reader *r, const struct contents_entry *e, struct err *err)
{
	if (r->n == CONTENTS_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "the archive has more than %d entries",
			CONTENTS_MAX);
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct contents_entry *more = arena_array(r->arena, cap, sizeof(*more));

		if (!more)
			return err_nomem(err);
		if (r->n)
			memcpy(more, r->entries, r->n * sizeof(*more));
		r->entries = more;
		r->cap = cap;
	}
	r->entries[r->n++] = *e;
	return 0;
}

/* A symlink's target counts from the folder it is in, a hard link's from the top. */
static const char *link_target(struct reader *r, char type, const char *name, const char *target)
{
	const char *slash = strrchr(name, '/');
	char *joined;

	if (type == '1' || *target == '/')
		return path_clean(r->arena, target);
	joined = arena_printf(r->arena, "%.*s/%s", (int)(slash - name), name, target);
	return joined ? path_clean(r->arena, joined) : NULL;
}

static int read_entry(struct reader *r, const struct header *h, uint64_t size, struct err *err)
{
	const char *name = r->name ? r->name : header_name(r, h);
	const char *target = r->link ? r->link : field(r, h->link, sizeof(h->link));
	const bool file = h->type == '0' || !h->type || h->type == '7';
	const bool link = h->type == '1' || h->type == '2';
	struct contents_entry e = { .offset = r->at + BLOCK, .size = size };

	if (!name || !target)
		return err_nomem(err);
	if (strlen(name) > CONTENTS_NAME_MAX || strlen(target) > CONTENTS_NAME_MAX)
		return bad(r, err, "a name of more than 4096 bytes");
	if ((!file && !link) || str_ends(name, "/"))
		return 0; /* folders, and what no image is made of */
	e.name = path_clean(r->arena, name);
	if (e.name && link)
		e.link = link_target(r, h->type, e.name, target);
	if (!e.name || (link && !e.link))
		return err_nomem(err);
	return add(r, &e, err);
}

/* 1: go on; 0: that was the end; -1. */
static int read_header(struct reader *r, struct err *err)
{
	struct header h;
	uint64_t size, room;

	if (r->at == r->end)
		return 0; /* no two blocks of zeros: not well done, but whole */
	if (r->end - r->at < BLOCK)
		return bad(r, err, "it is cut off");
	if (pread_all(r->fd, &h, sizeof(h), r->at) < 0)
		return err_sys(err, errno, "read", "archive");
	if (is_zero(&h))
		return 0;
	if (!sum_is_right(&h))
		return bad(r, err, "the checksum of a header is wrong");
	if (number(h.size, sizeof(h.size), &size) < 0)
		return bad(r, err, "the size of an entry isn't a number");
	const bool meta = h.type == 'x' || h.type == 'g' || h.type == 'L' || h.type == 'K';
	if (!meta && r->has_size)
		size = r->size;
	if (h.type == '1' || h.type == '2' || h.type == '5')
		size = 0;
	if (h.type == 'S')
		return bad(r, err, "sparse files aren't read");
	room = r->end - r->at - BLOCK;
	if (size > room)
		return bad(r, err, "it is cut off");
	if (meta ? read_meta(r, h.type, size, err) < 0 : read_entry(r, &h, size, err) < 0)
		return -1;
	if (!meta) {
		r->name = r->link = NULL;
		r->has_size = false;
	}
	r->at += BLOCK + MIN((size + BLOCK - 1) / BLOCK * BLOCK, room);
	return 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct contents_entry *)a)->name, ((const struct contents_entry *)b)->name);
}

/* ---- public ---- */

int contents_is_tar(int fd, struct err *err)
{
	struct header h;

	if (pread_all(fd, &h, sizeof(h), 0) < 0)
		return errno == ENODATA ? 0 : err_sys(err, errno, "read", "archive");
	return sum_is_right(&h);
}

int contents_read(int fd, struct arena *a, struct contents *ret, struct err *err)
{
	struct reader r = { .fd = fd, .arena = a };
	struct stat st;
	int more;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "archive");
	r.end = (uint64_t)st.st_size;
	while ((more = read_header(&r, err)) == 1)
		;
	if (more < 0)
		return -1;
	if (r.n)
		qsort(r.entries, r.n, sizeof(*r.entries), by_name);
	for (size_t i = 1; i < r.n; i++) {
		if (str_eq(r.entries[i - 1].name, r.entries[i].name))
			return err_set(err, ERR_INVALID, NULL,
				"the archive has two files called %.200s", r.entries[i].name);
	}
	ret->entries = r.entries;
	ret->n = r.n;
	return 0;
}

const struct contents_entry *contents_find(
	const struct contents *t, const char *name, struct arena *a)
{
	struct contents_entry key = { .name = path_clean(a, name) };
	const struct contents_entry *e;

	for (int i = 0; i < LINKS_MAX; i++) {
		e = key.name && t->n ? bsearch(&key, t->entries, t->n, sizeof(key), by_name) : NULL;
		if (!e || !e->link)
			return e;
		key.name = e->link;
	}
	return NULL;
}
