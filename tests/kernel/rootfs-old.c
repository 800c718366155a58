/* SPDX-License-Identifier: Apache-2.0 */
/* overlayfs as it was before Linux 6.8: lower folders only all in one text. */
#include "base/sys.h"

#include <errno.h>
#include <string.h>

int __real_sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux);
int __wrap_sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux);

int __wrap_sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	if (key && strcmp(key, "lowerdir+") == 0) {
		errno = EINVAL;
		return -1;
	}
	return __real_sys_fsconfig(fd, cmd, key, value, aux);
}
