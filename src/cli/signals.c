/* SPDX-License-Identifier: Apache-2.0 */
/* kill, delete, pause, resume. */
#include "cli/cli.h"

#include "model/signals.h"

#include <signal.h>

static void close_container(struct ctr_container **c)
{
	*c = ctr_container_close(*c);
}
#define _handle_ _cleanup_(close_container)

int verb_kill(struct cli *c, struct err *err)
{
	_handle_ struct ctr_container *k = NULL;
	int signo = SIGTERM;

	if (c->args[1] && signal_parse(c->args[1], &signo, err) < 0)
		return -1;
	k = ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	return k ? ctr_container_kill(k, signo, c->o.all, err) : -1;
}

/* What is on record, by this id or its beginning, and isn't of the backend that was named. */
static int check_backend(struct cli *c, struct err *err)
{
	struct err none = ERR_INIT;
	_handle_ struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_READ, &none);
	const struct ctr_record *r = k ? ctr_container_record(k) : NULL;

	if (!r || str_eq(r->backend, c->o.backend))
		return 0;
	return err_set(err, ERR_STATE, r->id, "is a container of backend %s, not of %s", r->backend,
		c->o.backend);
}

int adopt(struct cli *c, struct err *err)
{
	struct err unknown = ERR_INIT;

	if (check_backend(c, err) < 0)
		return -1;
	if (ctr_adopt(c->engine, c->o.backend, c->args[0], &unknown) == 0 ||
		unknown.code == ERR_EXISTS || unknown.code == ERR_NOT_FOUND)
		return 0;
	*err = unknown;
	return -1;
}

int verb_delete(struct cli *c, struct err *err)
{
	if (c->o.backend && adopt(c, err) < 0)
		return -1;
	return ctr_delete(c->engine, c->args[0], c->o.force, err);
}

int verb_pause(struct cli *c, struct err *err)
{
	_handle_ struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_CHANGE, err);

	return k ? ctr_container_pause(k, err) : -1;
}

int verb_resume(struct cli *c, struct err *err)
{
	_handle_ struct ctr_container *k =
		ctr_container_open(c->engine, c->args[0], CTR_CHANGE, err);

	return k ? ctr_container_resume(k, err) : -1;
}
