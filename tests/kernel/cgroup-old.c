/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into cgroup-probe-old by --wrap: a kernel without cgroup.kill, as before Linux 5.14. */
#include "base/fd.h"

#include <string.h>

int __real_file_put(int dirfd, const char *name, const char *text);
int __wrap_file_put(int dirfd, const char *name, const char *text);

int __wrap_file_put(int dirfd, const char *name, const char *text)
{
	if (strcmp(name, "cgroup.kill") == 0) {
		errno = ENOENT;
		return -1;
	}
	return __real_file_put(dirfd, name, text);
}
