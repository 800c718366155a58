/* SPDX-License-Identifier: Apache-2.0 */
#include "image/spool.h"

#include "base/fd.h"
#include "image/stream.h"

#include <string.h>

int spool_is_compressed(const unsigned char *head, size_t n)
{
	return (n >= 2 && memcmp(head, "\x1f\x8b", 2) == 0) ||
	       (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0);
}

static int copy(struct stream *s, int out, uint64_t left, struct err *err)
{
	const void *p;
	size_t n;
	int more;

	while ((more = stream_next(s, &p, &n, err)) == 1) {
		if (n > left)
			return err_set(
				err, ERR_EXHAUSTED, NULL, "the archive is too large when unpacked");
		left -= n;
		if (fd_write_all(out, p, n) < 0)
			return err_sys(err, errno, "write", "copy of the archive");
	}
	return more;
}

int spool(int in, int out, uint64_t max_bytes, struct err *err)
{
	struct stream *s = stream_new(stream_fill_fd, &in, err);
	int r = s ? copy(s, out, max_bytes, err) : -1;

	stream_free(s);
	return r;
}
