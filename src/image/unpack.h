/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer's tar into one folder. The archive is hostile: everything happens by fds beneath the
 * folder, in a child process that is confined to it. tests/kernel/layers.py breaks each rule:
 *
 * - Names are the archive's bytes, cleaned as if the layer's folder were "/": nothing climbs above
 *   it, symlinks on the way are followed inside it. At most 4095 bytes, 255 in a component, 256
 *   folders deep. Folders without an entry belong to root, 0755.
 * - A later entry replaces an earlier one, whole trees included; a folder that comes again is kept.
 * - Files, folders, symlinks, hard links and fifos are made, setuid bits kept. Device nodes and
 *   sockets are left out, with a warning that counts them; the character device 0:0 is refused.
 * - A hard link leads to a file of the same layer that came before it. One into a lower layer is
 *   refused: layers are independent of each other.
 * - Extended attributes: security.capability and user.* (without user.overlay.*). Others are left
 *   out, ACLs too.
 * - Whiteouts speak of lower layers only, wherever in the archive they stand. They become
 *   overlayfs's: character devices 0:0, and trusted.overlay.opaque; on the layer's own root, where
 *   overlayfs doesn't look for it, rootfs_mount() does. Nothing is made under a name that begins
 *   with ".wh."; AUFS's own files (".wh..wh.*") are left out.
 * - Headers of one entry (pax, long names, sparse maps) have at most 1 MiB, zstd windows 128 MiB.
 *   All is decompressed at most once and counted on the way; what follows the tar's end, at most 16
 *   MiB, counts for the digest.
 */
#ifndef IMAGE_UNPACK_H
#define IMAGE_UNPACK_H

#include "base/mem.h"
#include "ctrctl/image.h"

struct unpack_limits {
	uint64_t bytes;   /* unpacked; 0: UNPACK_BYTES_MAX */
	uint64_t entries; /* 0: UNPACK_ENTRIES_MAX */
};
#define UNPACK_BYTES_MAX   (UINT64_C(64) << 30)
#define UNPACK_ENTRIES_MAX UINT64_C(1000000)

struct unpack_job {
	int blob_fd;   /* the layer as it is distributed, read from its present offset to EOF, or
			  (part) for `size` bytes */
	uint64_t size; /* of the blob; what is longer or shorter is refused. UINT64_MAX: not
			  known (docker-archive) */
	bool part;     /* of an archive: what follows `size` bytes is none of the blob */
	const char *digest;                  /* of the blob, NULL: not known (docker-archive) */
	const char *diff_id;                 /* of the tar in it: always checked */
	int root_fd;                         /* the folder, empty, ours */
	const struct unpack_limits *limits;  /* NULL: the greatest */
	const struct ctr_progress *progress; /* NULL: none */
};

/*
 * Unpacks plain, gzip and zstd tars (by what they are, not by what they are called), also of
 * several gzip members or zstd frames. *ret_bytes: bytes of its files. Forks; Linux 5.8, root. On
 * failure the folder holds rubbish: the caller removes it. ERR_INVALID: digest, size or diff id
 * don't match, or the archive breaks a rule (the entry is named); ERR_EXHAUSTED: over a limit.
 */
int unpack_layer(const struct unpack_job *, uint64_t *ret_bytes, struct err *) _must_check_;

/* For tests and the fuzzer: the same in this very process, unconfined, from memory; digests
 * unchecked.
 */
int unpack_memory(const void *p, size_t n, int root_fd, const struct unpack_limits *,
	struct err *) _must_check_;

#endif
