/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of the image store, made so that a kill at any point leaves either nothing, or the whole
 * thing, or a folder "tmp-*" that the next load takes away: it is locked while its maker lives.
 */
#ifndef IMAGE_DISK_H
#define IMAGE_DISK_H

#include "base/fd.h"
#include "base/mem.h"

/* Opens the folder `name` of <data>; make: 0700 when it is missing. Not there: FD_NONE with 0. */
enum disk_open { DISK_FIND, DISK_MAKE };
int disk_open(
	int data_fd, const char *name, enum disk_open, int *ret_fd, struct err *) _must_check_;

/* A fresh folder tmp-... in dir_fd, locked by its fd. */
enum { DISK_TEMP_MAX = 32 };
struct disk_temp {
	int dir_fd; /* borrowed: the folder it is in */
	int fd;
	char name[DISK_TEMP_MAX];
};
#define DISK_TEMP_INIT                           \
	{                                        \
		.dir_fd = FD_NONE, .fd = FD_NONE \
	}
int disk_temp(int dir_fd, struct disk_temp *ret, struct err *) _must_check_;
/* Gives it its name, durably, as it is (what is in it has been synced). 1; 0 when there is
 * something of that name already: then it stays a temp. */
int disk_keep(struct disk_temp *, const char *name, struct err *) _must_check_;
/* Removes it unless it was kept. */
void disk_temp_done(struct disk_temp *);
#define _disk_temp_ _cleanup_(disk_temp_done)

/* Takes away what dead makers left. */
int disk_sweep(int dir_fd, struct err *) _must_check_;
/* Removes the folder `name`: at once by name, then its content. Absent is success. */
int disk_remove(int dir_fd, const char *name, struct err *) _must_check_;

/* A new file, synced. */
int disk_write(int dir_fd, const char *name, const void *p, size_t n, struct err *) _must_check_;
/* Replaces a file, synced; one writer at a time (the caller's lock). */
int disk_replace(int dir_fd, const char *name, const void *p, size_t n, struct err *) _must_check_;

/* flock on the file `name` (made when missing) of dir_fd, waiting up to 10 s. */
int disk_lock(int dir_fd, const char *name, int how, int *ret_fd, struct err *) _must_check_;

#endif
