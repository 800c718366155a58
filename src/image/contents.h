/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the files of a seekable tar lie, so that an archive of an image needn't be unpacked to be
 * read: ustar, GNU and pax headers. It is hostile: headers are checked, everything lies within the
 * file, a file of one name is there once, links lead nowhere but to its own entries.
 */
#ifndef IMAGE_CONTENTS_H
#define IMAGE_CONTENTS_H

#include "base/arena.h"

enum {
	CONTENTS_MAX = 65536,
	CONTENTS_META_MAX = 1 << 20, /* bytes of one pax header or long name */
	CONTENTS_NAME_MAX = 4096,
};

struct contents_entry {
	const char *name; /* absolute and clean: "/blobs/sha256/abc" */
	const char *link; /* the entry that it stands for, likewise; NULL: it is a file */
	uint64_t offset, size;
};

struct contents {
	struct contents_entry *entries; /* sorted by name */
	size_t n;
};

/* 1 when the file begins like a tar, 0 when it doesn't; -1. */
int contents_is_tar(int fd, struct err *) _must_check_;
/* Reads all headers with pread. In the arena. */
int contents_read(int fd, struct arena *, struct contents *ret, struct err *) _must_check_;
/* The file of that name, links followed; NULL: there is none. */
const struct contents_entry *contents_find(
	const struct contents *, const char *name, struct arena *);

#endif
