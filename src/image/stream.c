/* SPDX-License-Identifier: Apache-2.0 */
#include "image/stream.h"

#include "base/arena.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* zstd's window: what its specification asks every decoder to support is 8 MiB; "zstd --ultra
 * --long=27" needs 128 MiB. */
enum { ZSTD_WINDOW_LOG_MAX = 27, GZIP_ONLY = 16, MAGIC_MAX = 6 };

struct stream {
	stream_fill *fill;
	void *arg;
	int (*next)(struct stream *, size_t *ret_n, struct err *); /* NULL: not yet known */
	size_t at, end;                                            /* what `in` holds */
	bool ended;                                                /* the source */
	bool inside; /* a gzip member or zstd frame has begun and not ended */
	z_stream gzip;
	bool has_gzip;
	ZSTD_DStream *zstd;
	unsigned char in[STREAM_PIECE_MAX], out[STREAM_PIECE_MAX];
};

/* At least `want` bytes in `in`, if the source has them. */
static int more(struct stream *s, size_t want, struct err *err)
{
	if (s->end - s->at >= want)
		return 0;
	memmove(s->in, s->in + s->at, s->end - s->at);
	s->end -= s->at;
	s->at = 0;
	while (!s->ended && s->end < want) {
		ssize_t n = s->fill(s->arg, s->in + s->end, sizeof(s->in) - s->end, err);
		if (n < 0)
			return -1;
		s->ended = n == 0;
		s->end += (size_t)n;
	}
	return 0;
}

static int next_plain(struct stream *s, size_t *ret_n, struct err *err)
{
	if (more(s, 1, err) < 0)
		return -1;
	*ret_n = s->end - s->at;
	memcpy(s->out, s->in + s->at, *ret_n);
	s->at = s->end;
	return 0;
}

static int damaged(const char *kind, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, NULL, "the %s data is damaged: %s", kind, why);
}

static int next_gzip(struct stream *s, size_t *ret_n, struct err *err)
{
	s->gzip.next_out = s->out;
	s->gzip.avail_out = sizeof(s->out);
	while (s->gzip.avail_out) {
		if (more(s, 1, err) < 0)
			return -1;
		if (s->at == s->end && s->inside)
			return damaged("gzip", "it ends too early", err);
		if (s->at == s->end)
			break;
		s->inside = true;
		s->gzip.next_in = s->in + s->at;
		s->gzip.avail_in = (unsigned)(s->end - s->at);
		int r = inflate(&s->gzip, Z_NO_FLUSH);
		s->at = s->end - s->gzip.avail_in;
		if (r == Z_MEM_ERROR)
			return err_nomem(err);
		if (r != Z_OK && r != Z_STREAM_END)
			return damaged("gzip", s->gzip.msg ? s->gzip.msg : "no progress", err);
		if (r == Z_STREAM_END) {
			s->inside = false;
			inflateReset(&s->gzip);
		}
	}
	*ret_n = sizeof(s->out) - s->gzip.avail_out;
	return 0;
}

static int zstd_error(size_t code, struct err *err)
{
	const char *name = ZSTD_getErrorName(code);

	/* The numbers of its errors aren't part of libzstd's stable interface, the texts are all
	 * that there is. */
	if (strstr(name, "memory"))
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"the zstd data needs a window of more than 128 MiB, or memory is out: %s",
			name);
	return damaged("zstd", name, err);
}

static int next_zstd(struct stream *s, size_t *ret_n, struct err *err)
{
	ZSTD_outBuffer out = { s->out, sizeof(s->out), 0 };

	while (out.pos < out.size) {
		if (more(s, 1, err) < 0)
			return -1;
		if (s->at == s->end && !s->inside)
			break;
		ZSTD_inBuffer in = { s->in, s->end, s->at };
		size_t before = out.pos;
		size_t r = ZSTD_decompressStream(s->zstd, &out, &in);
		if (ZSTD_isError(r))
			return zstd_error(r, err);
		/* At the end of the source the decoder may still hold what it didn't write. */
		if (s->at == s->end && out.pos == before)
			return damaged("zstd", "it ends too early", err);
		s->at = in.pos;
		s->inside = r != 0;
	}
	*ret_n = out.pos;
	return 0;
}

static int begin_gzip(struct stream *s, struct err *err)
{
	if (inflateInit2(&s->gzip, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return err_nomem(err);
	s->has_gzip = true;
	s->next = next_gzip;
	return 0;
}

static int begin_zstd(struct stream *s, struct err *err)
{
	s->zstd = ZSTD_createDStream();
	if (!s->zstd || ZSTD_isError(ZSTD_initDStream(s->zstd)) ||
		ZSTD_isError(
			ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
		return err_nomem(err);
	s->next = next_zstd;
	return 0;
}

/* NULL begin: known, but nothing that we read. */
static const struct {
	unsigned char magic[MAGIC_MAX], mask_first;
	unsigned char n;
	int (*begin)(struct stream *, struct err *);
	const char *name;
} kinds[] = {
	{ { 0x1f, 0x8b }, 0xff, 2, begin_gzip, "gzip" },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 0xff, 4, begin_zstd, "zstd" },
	{ { 0x50, 0x2a, 0x4d, 0x18 }, 0xf0, 4, begin_zstd, "zstd" }, /* a frame to be skipped */
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 0xff, 6, NULL, "xz" },
	{ { 'B', 'Z', 'h' }, 0xff, 3, NULL, "bzip2" },
	{ { 0x04, 0x22, 0x4d, 0x18 }, 0xff, 4, NULL, "lz4" },
	{ { 'P', 'K', 3, 4 }, 0xff, 4, NULL, "zip" },
};

static int begin(struct stream *s, struct err *err)
{
	if (more(s, MAGIC_MAX, err) < 0)
		return -1;
	const unsigned char *p = s->in + s->at;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (s->end - s->at < kinds[i].n ||
			(p[0] & kinds[i].mask_first) != kinds[i].magic[0] ||
			memcmp(p + 1, kinds[i].magic + 1, kinds[i].n - 1u) != 0)
			continue;
		if (kinds[i].begin)
			return kinds[i].begin(s, err);
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"is compressed by %s; only gzip, zstd and plain tars are read",
			kinds[i].name);
	}
	s->next = next_plain;
	return 0;
}

struct stream *stream_new(stream_fill *fill, void *arg, struct err *err)
{
	struct stream *s = malloc(sizeof(*s));

	if (!s) {
		err_nomem(err);
		return NULL;
	}
	memset(s, 0, offsetof(struct stream, in));
	s->fill = fill;
	s->arg = arg;
	return s;
}

int stream_next(struct stream *s, const void **ret, size_t *ret_n, struct err *err)
{
	size_t n;

	if (!s->next && begin(s, err) < 0)
		return -1;
	if (s->next(s, &n, err) < 0)
		return -1;
	*ret = s->out;
	*ret_n = n;
	return n > 0;
}

struct stream *stream_free(struct stream *s)
{
	int saved = errno;

	if (s && s->has_gzip)
		inflateEnd(&s->gzip);
	if (s)
		ZSTD_freeDStream(s->zstd);
	free(s);
	errno = saved;
	return NULL;
}

ssize_t stream_fill_fd(void *arg, void *buf, size_t n, struct err *err)
{
	ssize_t k;

	do {
		k = read(*(int *)arg, buf, n);
	} while (k < 0 && errno == EINTR);
	return k < 0 ? err_sys(err, errno, "read", "the archive") : k;
}
