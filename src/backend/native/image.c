/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/image.h"

#include "base/fd.h"
#include "init/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/* vm.memfd_noexec=2 refuses executable memfds: then a detached read-only tmpfs carries the image.
 */
static int image_on_tmpfs(const void *plan, size_t n, struct err *err)
{
	_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "ctrctl", 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsopen", "tmpfs for init");
	_close_ int mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mnt < 0)
		return err_sys(err, errno, "fsmount", "tmpfs for init");
	_close_ int out = openat(mnt, "init", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
	if (out < 0 || fd_write_all(out, init_image, init_image_size) < 0 ||
		fd_write_all(out, plan, n) < 0)
		return err_sys(err, errno, "write", "init");
	out = fd_close(out);
	if (fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
		fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsconfig", "read-only tmpfs for init");
	int fd = openat(mnt, "init", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open", "init") : fd;
}

int image_make(const struct str *plan, struct err *err)
{
	const unsigned seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	_close_ int fd = memfd_create("ctrctl-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create("ctrctl-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 && errno == EACCES)
		return image_on_tmpfs(plan->p, plan->n, err);
	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "init");
	if (fd_write_all(fd, init_image, init_image_size) < 0 ||
		fd_write_all(fd, plan->p, plan->n) < 0)
		return err_sys(err, errno, "write", "init");
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_sys(err, errno, "fcntl", "seals of init");
	return fd_take(&fd);
}
