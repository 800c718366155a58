/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "image/stream.h"

#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Gives out a text a few bytes at a time. */
struct memory {
	const char *p;
	size_t left, step;
};

static ssize_t fill(void *arg, void *buf, size_t n, struct err *err)
{
	struct memory *m = arg;

	n = MIN(MIN(n, m->left), m->step);
	memcpy(buf, m->p, n);
	m->p += n;
	m->left -= n;
	return (ssize_t)n;
}

/* All of it into *ret, by steps of that size. */
static int read_all(const struct str *in, size_t step, struct str *ret, struct err *err)
{
	struct memory m = { in->p ? in->p : "", in->n, step };
	struct stream *s = stream_new(fill, &m, err);
	const void *p;
	size_t n;
	int r;

	cr_assert(s);
	ret->n = 0;
	while ((r = stream_next(s, &p, &n, err)) > 0) {
		cr_assert(n > 0 && n <= STREAM_PIECE_MAX);
		str_addn(ret, p, n);
	}
	cr_assert(r < 0 || m.left == 0);
	cr_assert_null(stream_free(s));
	return r;
}

static void gives(const struct str *in, const struct str *wanted)
{
	static const size_t steps[] = { 1, 7, 4096, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_str_ struct str got = { 0 };
		struct err err = ERR_INIT;
		cr_assert(read_all(in, steps[i], &got, &err) == 0, "step %zu: %s", steps[i],
			err.text);
		cr_assert_eq(got.n, wanted->n);
		cr_assert(got.n == 0 || memcmp(got.p, wanted->p, got.n) == 0);
	}
}

static void refused(const struct str *in, enum err_code code, const char *part)
{
	_str_ struct str got = { 0 };
	struct err err = ERR_INIT;

	cr_assert(read_all(in, SIZE_MAX, &got, &err) < 0, "%s", part);
	cr_assert_eq(err.code, code, "%s", err.text);
	cr_assert(strstr(err.text, part), "\"%s\" isn't in \"%s\"", part, err.text);
}

static void add_gzip(struct str *out, const void *p, size_t n)
{
	z_stream z = { 0 };
	size_t cap = n + n / 100 + 1024;
	_free_ unsigned char *buf = malloc(cap);

	cr_assert(buf &&
		  deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)p; /* isn't written to */
	z.avail_in = (unsigned)n;
	z.next_out = buf;
	z.avail_out = (unsigned)cap;
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	str_addn(out, buf, cap - z.avail_out);
	deflateEnd(&z);
}

static void add_zstd(struct str *out, const void *p, size_t n, int window)
{
	size_t cap = ZSTD_compressBound(n);
	_free_ char *buf = malloc(cap);
	ZSTD_CCtx *c = ZSTD_createCCtx();

	cr_assert(buf && c);
	if (window) {
		ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window);
		/* The size isn't told, so the window stands in the header. */
		ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
	}
	ZSTD_inBuffer in = { p, n, 0 };
	ZSTD_outBuffer o = { buf, cap, 0 };
	ZSTD_compressStream2(c, &o, &in, ZSTD_e_continue);
	cr_assert_eq(ZSTD_compressStream2(c, &o, &in, ZSTD_e_end), 0u);
	str_addn(out, buf, o.pos);
	ZSTD_freeCCtx(c);
}

/* 600 KB that compress a little: more than the pieces are big. */
static void sample(struct str *s)
{
	unsigned x = 1;

	for (int i = 0; i < 100000; i++) {
		x = x * 1103515245 + 12345;
		str_printf(s, "%u\n", x >> 16 & 0xffff);
	}
}

Test(stream, gives_plain_bytes_as_they_are)
{
	_str_ struct str text = { 0 }, none = { 0 }, few = { 0 };

	sample(&text);
	gives(&text, &text);
	gives(&none, &none);
	str_add(&few, "\x1f");
	gives(&few, &few);
}

Test(stream, reads_gzip_with_several_members)
{
	_str_ struct str text = { 0 }, in = { 0 };

	sample(&text);
	add_gzip(&in, text.p, 1000);
	add_gzip(&in, "", 0);
	add_gzip(&in, text.p + 1000, text.n - 1000);
	gives(&in, &text);
}

Test(stream, reads_zstd_with_several_frames)
{
	static const unsigned char skipped[] = { 0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b',
		'c' };
	_str_ struct str text = { 0 }, in = { 0 };

	sample(&text);
	str_addn(&in, skipped, sizeof(skipped));
	add_zstd(&in, text.p, 1000, 0);
	str_addn(&in, skipped, sizeof(skipped));
	add_zstd(&in, "", 0, 0);
	add_zstd(&in, text.p + 1000, text.n - 1000, 0);
	gives(&in, &text);
}

Test(stream, refuses_what_is_cut_anywhere)
{
	_str_ struct str gz = { 0 }, zst = { 0 }, got = { 0 };
	struct err err = ERR_INIT;

	add_gzip(&gz, "hello hello hello hello", 23);
	add_zstd(&zst, "hello hello hello hello", 23, 0);
	for (size_t n = gz.n - 1; n >= 2; n--) {
		gz.n = n;
		refused(&gz, ERR_INVALID, "ends too early");
	}
	for (size_t n = zst.n - 1; n >= 4; n--) {
		zst.n = n;
		cr_assert(read_all(&zst, SIZE_MAX, &got, &err) < 0, "%zu", n);
		cr_assert_eq(err.code, ERR_INVALID);
	}
}

Test(stream, refuses_what_follows_the_last_member)
{
	_str_ struct str gz = { 0 }, zst = { 0 };

	add_gzip(&gz, "hello", 5);
	str_add(&gz, "rubbish");
	refused(&gz, ERR_INVALID, "the gzip data is damaged");
	add_zstd(&zst, "hello", 5, 0);
	str_add(&zst, "rubbish");
	refused(&zst, ERR_INVALID, "the zstd data is damaged");
}

Test(stream, refuses_damaged_data)
{
	_str_ struct str gz = { 0 }, zst = { 0 };

	add_gzip(&gz, "hello", 5);
	gz.p[gz.n - 6] ^= 1; /* its CRC */
	refused(&gz, ERR_INVALID, "the gzip data is damaged");
	add_zstd(&zst, "hello", 5, 0);
	zst.p[4] ^= 8; /* a reserved bit */
	cr_assert_eq(zst.p[4] & 8, 8);
	refused(&zst, ERR_INVALID, "the zstd data is damaged");
}

Test(stream, limits_the_window_of_zstd)
{
	_str_ struct str text = { 0 }, in = { 0 }, big = { 0 };

	sample(&text);
	add_zstd(&in, text.p, text.n, 27);
	gives(&in, &text);
	add_zstd(&big, text.p, text.n, 28);
	refused(&big, ERR_UNSUPPORTED, "128 MiB");
}

Test(stream, names_compressions_that_it_does_not_read)
{
	static const struct {
		const char *bytes, *name;
	} others[] = { { "\xfd"
			 "7zXZ",
			       "xz" },
		{ "BZh91AY", "bzip2" }, { "PK\3\4 ", "zip" }, { "\x04\x22\x4d\x18..", "lz4" } };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		_str_ struct str in = { 0 };
		str_addn(&in, others[i].bytes, 6);
		refused(&in, ERR_UNSUPPORTED, others[i].name);
	}
}
