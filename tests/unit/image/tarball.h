/* SPDX-License-Identifier: Apache-2.0 */
/* Tars made byte by byte: also those that no tool would make. */
#ifndef TESTS_IMAGE_TARBALL_H
#define TESTS_IMAGE_TARBALL_H

#include "base/str.h"

#include <sys/types.h>

struct tarball {
	struct str bytes;
};
#define _tarball_ _cleanup_(tarball_done)

void tarball_done(struct tarball *);

/* A header of its own: type as in ustar ('0' file, '1' hard link, '2' symlink, '3' character
 * device, '5' folder, '6' fifo, ...), size only said. */
struct tar_head {
	char type;
	const char *name, *link;
	unsigned mode;
	uint64_t uid, gid, size, mtime;
	unsigned major, minor;
};
void tarball_head(struct tarball *, const struct tar_head *);
/* Data, padded to a block. */
void tarball_data(struct tarball *, const void *p, size_t n);

/* Ready entries: mode 0644 (folders 0755), owner 0:0, time 1000. */
void tarball_file(struct tarball *, const char *name, const char *text);
void tarball_add(struct tarball *, char type, const char *name, const char *link);
/* One record of a pax header. */
void tarball_record(struct str *records, const char *key, const void *value, size_t n);
/* A pax header with one record, for the next entry ('x') or all ('g'); an entry has one at most. */
void tarball_pax(struct tarball *, char type, const char *key, const void *value, size_t n);
/* Two empty blocks. */
void tarball_end(struct tarball *);

#endif
