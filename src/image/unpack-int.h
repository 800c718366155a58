/* SPDX-License-Identifier: Apache-2.0 */
/* What the unpacker's files share. */
#ifndef IMAGE_UNPACK_INT_H
#define IMAGE_UNPACK_INT_H

#include "base/digest.h"
#include "base/fd.h"
#include "image/stream.h"
#include "image/tar.h"
#include "image/unpack.h"

#include <limits.h>
#include <sys/types.h>

enum { UNPACK_PATH_MAX = PATH_MAX - 1, UNPACK_DEPTH_MAX = 256 };

/* What was left out, for one line of warning. */
struct unpack_left_out {
	uint64_t devices, sockets;
};

/* One archive on its way into one folder. */
struct unpack {
	int root_fd; /* borrowed */
	uint64_t bytes_left, entries_left;
	uint64_t bytes; /* of the files so far */
	struct tar *tar;
	/* Marks a folder as hiding what lower layers have there (trusted.overlay.opaque). */
	int (*opaque)(void *arg, int dir_fd, struct err *);
	void *opaque_arg;
	/* The folder that the entry before lay in, held by fd; "": not held. Forgotten as soon as
	 * anything was removed or a symlink was made. */
	char dir[PATH_MAX];
	int dir_fd;
	struct unpack_times *times;
	struct unpack_left_out left_out;
};

/* -- place.c: where an entry goes -- */

/* "" for the root, otherwise components joined by "/": ".", "//" and ".." are resolved, nothing
 * climbs above the root. ERR_INVALID: too long or too deep. */
int place_clean(const char *path, char ret[PATH_MAX], struct err *) _must_check_;

/* Cuts a clean path into folder and name. */
void place_split(char *path, const char **ret_dir, const char **ret_name);

/* 1 and the folder by fd, borrowed until the next call; 0 where there is none. Symlinks on the way
 * are followed as a process chrooted into the root would. */
int place_find(struct unpack *, const char *dir, int *ret_fd, struct err *) _must_check_;

/* The same, 0 or -1: made with its parents (0755) where it is missing. */
int place_open(struct unpack *, const char *dir, int *ret_fd, struct err *) _must_check_;

/* A new or existing folder `name` in dir_fd, by fd (owned by the caller). What else is there goes
 * away. */
int place_make_dir(struct unpack *, int dir_fd, const char *name, mode_t mode, int *ret_fd,
	struct err *) _must_check_;

/* Removes what is at `name`, whole trees included. Absent is success. */
int place_clear(struct unpack *, int dir_fd, const char *name, struct err *) _must_check_;

/* The folder at the clean path `dir` is the one that the next entries will lie in. */
void place_hold(struct unpack *, const char *dir, int own_fd);
/* The next place_open() looks at names again. */
void place_forget(struct unpack *);

/* Folders get their times when all is in them. */
int place_time_later(
	struct unpack *, const char *path, const struct timespec *mtime, struct err *) _must_check_;
int place_times_now(struct unpack *, struct err *) _must_check_;
struct unpack_times *place_times_free(struct unpack_times *);

/* -- whiteout.c -- */

/* 1 when the name is a whiteout's or one of AUFS's own (then nothing is ever created under it), 0
 * otherwise, -1 with err for names that mean nothing (".wh.", ".wh..", ".wh..."). */
int whiteout_is(const char *dir, const char *name, struct err *) _must_check_;
int whiteout_apply(struct unpack *, const char *dir, const char *name, struct err *) _must_check_;

/* -- entry.c -- */

int entry_unpack(struct unpack *, const struct tar_entry *, struct err *) _must_check_;

/* -- unpack-tar.c: the whole archive, in this process -- */

struct unpack_in {
	stream_fill *fill; /* the blob's bytes */
	void *arg;
	int root_fd;
	const struct unpack_limits *limits;
	const char *diff_like; /* digest algorithm of the tar, NULL: not computed */
	int (*opaque)(void *arg, int dir_fd, struct err *);
	void *opaque_arg;
};
struct unpack_out {
	uint64_t bytes;  /* of the files */
	uint64_t stream; /* of the tar */
	struct unpack_left_out left_out;
	char diff_id[DIGEST_TEXT_MAX];
};
int unpack_tar(const struct unpack_in *, struct unpack_out *, struct err *) _must_check_;

/* trusted.overlay.opaque=y */
int unpack_set_opaque(int dir_fd, struct err *) _must_check_;

/* -- confine.c: the child process -- */

enum note_kind { NOTE_OPAQUE = 1, NOTE_DONE, NOTE_FAILED };

/* What the child says, one message each; NOTE_OPAQUE comes with the folder's fd. */
struct note {
	uint32_t kind, zero;
	struct unpack_out out;
	struct err err;
};

/* Both never in a process that goes on to do anything else. */

/* Three fds stay, moved to the numbers of enum confine_fd; 0 to 2 lead to /dev/null. */
enum confine_fd { CONFINE_BLOB = 3, CONFINE_TALK = 4, CONFINE_ROOT = 5, CONFINE_FD_N = 6 };
int confine_fds(int blob_fd, int talk_fd, int root_fd, struct err *) _must_check_;

/* From here on: only CONFINE_ROOT's tree, no network, few capabilities and system calls; ends with
 * its parent. */
int confine(pid_t parent, struct err *) _must_check_;

#endif
