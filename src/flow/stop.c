/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping in order: the container's stop signal, its time, and then force. */
#include "flow/request.h"

#include <signal.h>

enum { KILL_WAIT_MS = 10000 };

/* ERR_STATE: it has ended by itself. */
static int kill_it(struct ctr_container *c, int signo, bool all, struct err *err)
{
	if (ctr_container_kill(c, signo, all, err) == 0)
		return 0;
	if (err->code != ERR_STATE)
		return -1;
	*err = (struct err)ERR_INIT;
	return 0;
}

static int kill_and_wait(struct ctr_container *c, struct err *err)
{
	struct ctr_exit end;
	int r;

	if (kill_it(c, SIGKILL, true, err) < 0)
		return -1;
	r = ctr_container_wait(c, KILL_WAIT_MS, &end, err);
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, NULL, "it was killed and doesn't end");
	return r < 0 ? -1 : 0;
}

static int signal_and_wait(
	struct ctr_container *c, enum ctr_status status, int grace_ms, struct err *err)
{
	const int signo = c->cri && c->cri->stop_signal ? c->cri->stop_signal : SIGTERM;
	struct ctr_exit end;
	int r;

	if (kill_it(c, signo, false, err) < 0)
		return -1;
	if (status == CTR_PAUSED && ctr_container_resume(c, err) < 0)
		return -1;
	ctr_container_unlock(c);
	r = ctr_container_wait(c, grace_ms, &end, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return kill_and_wait(c, err);
}

int ctr_container_stop(struct ctr_container *c, int grace_ms, struct err *err)
{
	enum ctr_status status;
	struct ctr_exit end;

	if (ctr_container_status(c, &status, err) < 0)
		return -1;
	if (status == CTR_CREATED && c->backend->remote) {
		/* Somebody may be about to start it: what it is then, it stays. */
		if (ctr_container_lock(c, err) < 0 || ctr_container_status(c, &status, err) < 0)
			return -1;
		if (status != CTR_CREATED)
			ctr_container_unlock(c);
	}
	if (status == CTR_CREATING)
		return err_set(err, ERR_STATE, NULL, "the container is still being created");
	if (status == CTR_STOPPED) /* its end may be about to be recorded */
		return ctr_container_wait(c, KILL_WAIT_MS, &end, err) < 0 ? -1 : 0;
	if (c->backend->stop && status != CTR_CREATED)
		return c->backend->stop(&c->rec, c->box.fd, grace_ms, err);
	/* Nothing runs in it yet that could act upon a signal. */
	if (status == CTR_CREATED || grace_ms == 0)
		return kill_and_wait(c, err);
	return signal_and_wait(c, status, grace_ms, err);
}
