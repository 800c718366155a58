/* SPDX-License-Identifier: Apache-2.0 */
/* Files of templates: which of them a name means. Pure. */
#ifndef PROXMOX_MATCH_H
#define PROXMOX_MATCH_H

#include "base/arena.h"

struct template_file {
	const char *volid; /* "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst" */
	const char *file;  /* its last part */
	uint64_t size, ctime;
};

/* "debian-12-standard_12.12-1_amd64.tar.zst" is the family "debian-12-standard_amd64" in the
 * version "12.12-1"; "postgres-16.2.tar" is "postgres" in "16.2". */
struct template_name {
	const char *stem, *family, *version; /* version: "" without one */
	int ending;                          /* the smaller, the better; see template_is_tar() */
};
/* 1; 0: it doesn't end like a template; -1: memory. */
int template_name_of(
	const char *file, struct arena *, struct template_name *ret, struct err *err) _must_check_;
/* Not packed: an OCI archive, where the server knows them. */
bool template_is_tar(const char *file);

/* By version: 12.2 < 12.12 < 12.12-1; "~" is before everything, even the end: 1.0~rc1 < 1.0. */
int template_compare(const char *a, const char *b);

/*
 * The file that name and tag (may be NULL) mean: the file of that very name, else name and an
 * ending, else the newest version of the one family that begins with them, whole words. *ret is one
 * of the files, or NULL. ERR_INVALID lists the families when there are several.
 */
int template_choose(const struct template_file *, size_t n, const char *name, const char *tag,
	struct arena *, const struct template_file **ret, struct err *) _must_check_;

#endif
