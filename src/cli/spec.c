/* SPDX-License-Identifier: Apache-2.0 */
/* spec: a config.json to start from. */
#include "cli/cli.h"

#include "base/fd.h"
#include "model/spec-default.h"

#include <fcntl.h>
#include <unistd.h>

int verb_spec(struct cli *c, struct err *err)
{
	const char *dir = c->o.bundle ? c->o.bundle : ".";
	_close_ int dir_fd = FD_NONE, fd = FD_NONE;
	_str_ struct str text = { 0 };

	if (c->o.spec_rootless)
		return err_set(err, ERR_UNSUPPORTED, "--rootless",
			"ctrctl runs as root only: there are no rootless containers");
	if (spec_default_text(&text, err) < 0)
		return -1;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, errno, "open", "bundle %s", dir);
	fd = openat(
		dir_fd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_EXISTS, NULL, "file config.json exists. Remove it first");
	if (fd < 0)
		return err_sys(err, errno, "open", "config.json in %s", dir);
	if (fd_write_all(fd, text.p, text.n) == 0)
		return 0;
	err_sys(err, errno, "write", "config.json in %s", dir);
	unlinkat(dir_fd, "config.json", 0);
	return -1;
}
