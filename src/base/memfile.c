/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memfile.h"

#include "base/fd.h"
#include "base/sys.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_parts(int fd, const struct iovec *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fd_write_all(fd, parts[i].iov_base, parts[i].iov_len) < 0)
			return -1;
	}
	return 0;
}

static int file_on_tmpfs(const char *name, const struct iovec *parts, size_t n, struct err *err)
{
	_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "ctrctl", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsopen", "tmpfs for %s", name);
	_close_ int mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_sys(err, errno, "fsmount", "tmpfs for %s", name);
	/* Once it is read-only its mode stays: others may run it, as they may a memfd, not read it.
	 */
	_close_ int out = openat(mnt, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
	if (out < 0 || fchmod(out, 0511) < 0 || write_parts(out, parts, n) < 0)
		return err_sys(err, errno, "write", "%s", name);
	out = fd_close(out);
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsconfig", "read-only tmpfs for %s", name);
	int fd = openat(mnt, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open", "%s", name) : fd;
}

int memfile_make(const char *name, const struct iovec *parts, size_t n, struct err *err)
{
	const unsigned seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 && errno == EACCES)
		return file_on_tmpfs(name, parts, n, err);
	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "%s", name);
	if (write_parts(fd, parts, n) < 0)
		return err_sys(err, errno, "write", "%s", name);
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_sys(err, errno, "fcntl", "seals of %s", name);
	return fd_take(&fd);
}
