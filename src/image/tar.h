/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of a tar (ustar, GNU, pax; libarchive reads it), from plain bytes. Names are given
 * byte by byte as the archive has them, whatever the locale. Global pax headers are skipped.
 */
#ifndef IMAGE_TAR_H
#define IMAGE_TAR_H

#include "base/mem.h"

#include <sys/types.h>
#include <time.h>

/* The next piece of the archive, good until the next call: 1; 0 at the end; -1 with err. */
typedef int tar_source(void *arg, const void **ret, size_t *ret_n, struct err *err);

/* What stands in front of one entry's data: pax headers, long names, sparse maps. */
enum { TAR_HEADER_MAX = 1 << 20 };

enum tar_type {
	TAR_FILE,
	TAR_DIR,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_FIFO,
	TAR_SOCKET,
	TAR_CHAR,
	TAR_BLOCK,
	TAR_OTHER,
	TAR_TYPE_N
};

/* Texts live until the next tar_next(). */
struct tar_entry {
	const char *path;
	const char *link; /* target of a symlink or hard link; "" otherwise */
	enum tar_type type;
	uint64_t size; /* of the file that results, holes included */
	unsigned mode; /* permission bits, at most 07777 */
	int64_t uid, gid;
	uint64_t major, minor;
	bool has_mtime;
	struct timespec mtime;
};

struct tar;

/* Reads nothing yet. NULL with err when memory is out. */
struct tar *tar_open(tar_source *, void *arg, struct err *) _must_check_;

/* 1 with the next entry (what is left of the one before is skipped); 0 at the end of the archive,
 * the source may have more; -1 with err: damaged, or headers above TAR_HEADER_MAX. */
int tar_next(struct tar *, struct tar_entry *ret, struct err *) _must_check_;

/* 1 with the next piece of the entry's data and its place in the file (pieces come in any order,
 * places between them are holes); 0 at its end; -1 with err. */
int tar_data(struct tar *, const void **ret, size_t *ret_n, uint64_t *ret_offset,
	struct err *) _must_check_;

/* The entry's extended attributes one by one: 1, or 0 after the last. */
int tar_xattr(struct tar *, const char **ret_name, const void **ret_value, size_t *ret_n);

struct tar *tar_free(struct tar *);

#endif
