/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces from the outside: their maps, and their fds. */
#ifndef NATIVE_USERNS_H
#define NATIVE_USERNS_H

#include "ctrctl/oci.h"

#include <sys/types.h>

/* Writes uid_map and gid_map of a process that is alone in its new user namespace, each whole in
 * one write. */
int userns_write_maps(pid_t pid, const struct oci_id_map *uid, size_t n_uid,
	const struct oci_id_map *gid, size_t n_gid, struct err *err) _must_check_;

/* The user namespace of a process. The fd, or -1 with err. */
int userns_open(pid_t pid, struct err *err) _must_check_;

/* A user namespace with these maps that nobody lives in; its fd. For idmapped mounts. */
int userns_make(const struct oci_id_map *uid, size_t n_uid, const struct oci_id_map *gid,
	size_t n_gid, struct err *err) _must_check_;

#endif
