/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/userns.h"

#include "backend/native/clone.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_map(
	pid_t pid, const char *name, const struct oci_id_map *map, size_t n, struct err *err)
{
	_str_ struct str text = { 0 };
	char path[64];

	for (size_t i = 0; i < n; i++)
		str_printf(&text, "%u %u %u\n", map[i].container_id, map[i].host_id, map[i].size);
	if (str_ok(&text, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (n && file_put(AT_FDCWD, path, text.p) < 0)
		return err_sys(err, errno, "write", "%s: %s", name, text.p);
	return 0;
}

int userns_write_maps(pid_t pid, const struct oci_id_map *uid, size_t n_uid,
	const struct oci_id_map *gid, size_t n_gid, struct err *err)
{
	if (write_map(pid, "uid_map", uid, n_uid, err) < 0)
		return err_in(err, "linux.uidMappings");
	if (write_map(pid, "gid_map", gid, n_gid, err) < 0)
		return err_in(err, "linux.gidMappings");
	return 0;
}

int userns_open(pid_t pid, struct err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open", "%s", path) : fd;
}

static int child_sleep(void *arg _unused_)
{
	pause();
	return 0;
}

int userns_make(const struct oci_id_map *uid, size_t n_uid, const struct oci_id_map *gid,
	size_t n_gid, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid = clone_call(&args, child_sleep, NULL);
	int fd = -1;

	if (pid < 0)
		return err_sys(err, errno, "clone3", "user namespace for an id map");
	if (userns_write_maps(pid, uid, n_uid, gid, n_gid, err) == 0)
		fd = userns_open(pid, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}
