/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/timens.h"

#include "base/log.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

static int write_offsets(const struct oci_time_offsets *o, struct err *err)
{
	_str_ struct str text = { 0 };

	if (o && o->monotonic)
		str_printf(&text, "monotonic %lld %u\n", (long long)o->monotonic->secs,
			o->monotonic->nanosecs);
	if (o && o->boottime)
		str_printf(&text, "boottime %lld %u\n", (long long)o->boottime->secs,
			o->boottime->nanosecs);
	if (str_ok(&text, err) < 0)
		return -1;
	if (!text.n || file_put(AT_FDCWD, "/proc/self/timens_offsets", text.p) == 0)
		return 0;
	int os = errno;
	err_sys(err, os, "write", "timens_offsets: %s", text.p);
	err_in(err, "linux.timeOffsets");
	if (os == ERANGE)
		err_hint(err, "the clock of the container would be negative or beyond 292 years");
	return -1;
}

void timens_leave(int own)
{
	if (own < 0)
		return;
	if (setns(own, CLONE_NEWTIME) < 0)
		log_warn("can't return to the own time namespace: %s", strerror(errno));
	fd_close(own);
}

/* Puts this process's children into the time namespace of the plan; *ret_own takes it back
 * (FD_NONE: nothing was done). */
int timens_enter(
	const struct plan *p, const struct prepared *sources, int *ret_own, struct err *err)
{
	*ret_own = FD_NONE;
	if (!p->spawn.time_ns && p->spawn.time_join < 0)
		return 0;
	_close_ int own = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, errno, "open", "time namespace");
	if (p->spawn.time_ns) {
		if (unshare(CLONE_NEWTIME) < 0)
			return err_sys(err, errno, "unshare", "time namespace");
		if (write_offsets(p->spawn.time_offsets, err) < 0) {
			timens_leave(fd_take(&own)); /* poststop hooks are children of ours, too */
			return -1;
		}
	} else if (setns(sources->fds[p->spawn.time_join], CLONE_NEWTIME) < 0) {
		err_sys(err, errno, "setns", "%s", p->sources[p->spawn.time_join].path);
		return err_in(err, "%s", p->sources[p->spawn.time_join].place);
	}
	*ret_own = fd_take(&own);
	return 0;
}
