/* SPDX-License-Identifier: Apache-2.0 */
/* A whole archive into one folder, in this process: bytes, digest, limits, entries. */
#include "base/arena.h"
#include "image/unpack-int.h"

#include <string.h>
#include <sys/stat.h>

/*
 * Besides its files' bytes an archive has headers (one entry's are limited by TAR_HEADER_MAX) and
 * padding. So many per entry, and so many at the end, are more than any honest one has.
 */
enum { OVERHEAD_PER_ENTRY = 4096, OVERHEAD_AT_END = 16 << 20 };

/* Plain bytes on their way from the decompressor to the tar reader. */
struct plain {
	struct stream *stream;
	struct digest *digest; /* NULL: none is wanted */
	uint64_t n, max;
};

static int next_plain(void *arg, const void **ret, size_t *ret_n, struct err *err)
{
	struct plain *p = arg;
	int r = stream_next(p->stream, ret, ret_n, err);

	if (r <= 0)
		return r;
	p->n += *ret_n;
	if (p->n > p->max)
		return err_set(err, ERR_EXHAUSTED, NULL,
			"the layer is too big: more than %llu bytes unpacked",
			(unsigned long long)p->max);
	if (p->digest)
		digest_add(p->digest, *ret, *ret_n);
	return 1;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int each_entry(struct unpack *u, struct err *err)
{
	struct tar_entry e;
	int r;

	while ((r = tar_next(u->tar, &e, err)) > 0)
		if (entry_unpack(u, &e, err) < 0)
			return err_in(err, "\"%s\": ", e.path);
	return r < 0 ? r : place_times_now(u, err);
}

/* What follows the end of the tar counts for its digest. */
static int drain(struct plain *p, struct err *err)
{
	const void *piece;
	size_t n;
	int r;

	p->max = MIN(p->max, add_capped(p->n, OVERHEAD_AT_END));
	while ((r = next_plain(p, &piece, &n, err)) > 0)
		;
	return r;
}

static int unpack_plain(const struct unpack_in *in, const struct unpack_limits *limits,
	struct plain *p, struct unpack_out *out, struct err *err)
{
	struct unpack u = {
		.root_fd = in->root_fd,
		.dir_fd = FD_NONE,
		.bytes_left = limits->bytes,
		.entries_left = limits->entries,
		.opaque = in->opaque,
		.opaque_arg = in->opaque_arg,
		.tar = tar_open(next_plain, p, err),
	};
	int r = u.tar ? each_entry(&u, err) : -1;

	u.times = place_times_free(u.times);
	u.tar = tar_free(u.tar);
	fd_close(u.dir_fd);
	if (r < 0 || drain(p, err) < 0)
		return -1;
	out->bytes = u.bytes;
	out->stream = p->n;
	out->left_out = u.left_out;
	return 0;
}

int unpack_tar(const struct unpack_in *in, struct unpack_out *out, struct err *err)
{
	struct unpack_limits limits = { 0 };
	struct plain p = { 0 };
	int r = -1;

	if (in->limits)
		limits = *in->limits;
	limits.bytes = limits.bytes ? limits.bytes : UNPACK_BYTES_MAX;
	limits.entries = limits.entries ? limits.entries : UNPACK_ENTRIES_MAX;
	p.max = add_capped(limits.bytes, OVERHEAD_AT_END);
	p.max = limits.entries > UINT64_MAX / OVERHEAD_PER_ENTRY
			? UINT64_MAX
			: add_capped(p.max, limits.entries * OVERHEAD_PER_ENTRY);
	if (in->diff_like && !(p.digest = digest_new(in->diff_like)))
		return err_set(err, ERR_INVALID, in->diff_like, "is no digest of a known kind");
	p.stream = stream_new(in->fill, in->arg, err);
	if (p.stream) {
		mode_t old = umask(0);
		r = unpack_plain(in, &limits, &p, out, err);
		umask(old);
	}
	p.stream = stream_free(p.stream);
	if (r == 0 && p.digest)
		digest_text(p.digest, out->diff_id);
	digest_free(p.digest);
	return r;
}
