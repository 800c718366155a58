/* SPDX-License-Identifier: Apache-2.0 */
/* wait, stop, attach: what needs somebody who watches a container. */
#include "base/fd.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/follow.h"
#include "ctrctl/request.h"

enum { STOP_DEFAULT_S = 10, SECONDS_MAX = 2000000 };

static void close_container(struct ctr_container **k)
{
	*k = ctr_container_close(*k);
}
#define _handle_ _cleanup_(close_container)

/* --time in ms; what to take without it. */
static int read_time(const struct cli *c, int otherwise, int *ret, struct err *err)
{
	uint64_t seconds;

	*ret = otherwise;
	if (!c->o.time)
		return 0;
	if (parse_u64(c->o.time, SECONDS_MAX, &seconds) < 0)
		return err_set(err, ERR_USAGE, "--time", "\"%s\" is no number of seconds up to %d",
			c->o.time, SECONDS_MAX);
	*ret = (int)seconds * 1000;
	return 0;
}

/* The first that fails is the command's failure, the others are noted. */
static int each(struct cli *c, int ms, int (*fn)(struct cli *, const char *, int, struct err *),
	struct err *err)
{
	const char *failed = NULL;
	char line[1024];

	for (int i = 0; i < c->n_args; i++) {
		struct err one = ERR_INIT;

		if (fn(c, c->args[i], ms, &one) == 0)
			continue;
		if (failed) {
			err_line(&one, line, sizeof(line));
			log_warn("%s: %s", c->args[i], line);
			continue;
		}
		failed = c->args[i];
		*err = one;
	}
	if (failed)
		c->args[0] = failed;
	return failed ? -1 : 0;
}

/* ---- wait ---- */

static int wait_one(struct cli *c, const char *id, int ms, struct err *err)
{
	_handle_ struct ctr_container *k = ctr_container_open(c->engine, id, CTR_READ, err);
	_str_ struct str out = { 0 };
	struct ctr_exit end;
	int r;

	if (!k)
		return -1;
	r = ctr_container_wait(k, ms, &end, err);
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, NULL, "it hasn't ended after %d s", ms / 1000);
	if (r < 0)
		return -1;
	str_printf(&out, "%d\n", end.code);
	return print_out(&out, err);
}

int verb_wait(struct cli *c, struct err *err)
{
	int ms;

	return read_time(c, -1, &ms, err) < 0 ? -1 : each(c, ms, wait_one, err);
}

/* ---- stop ---- */

static int stop_one(struct cli *c, const char *id, int ms, struct err *err)
{
	_handle_ struct ctr_container *k = ctr_container_open(c->engine, id, CTR_READ, err);

	return k ? ctr_container_stop(k, ms, err) : -1;
}

int verb_stop(struct cli *c, struct err *err)
{
	int ms;

	return read_time(c, STOP_DEFAULT_S * 1000, &ms, err) < 0 ? -1 : each(c, ms, stop_one, err);
}

/* ---- attach ---- */

int verb_attach(struct cli *c, struct err *err)
{
	_handle_ struct ctr_container *k = ctr_container_open(c->engine, c->args[0], CTR_READ, err);
	const struct ctr_cri_record *rec = k ? ctr_container_cri(k) : NULL;
	const struct follow f = { .with_stdin = rec && rec->stdin_ && !c->o.no_stdin };
	struct ctr_exit end;
	int r;

	if (!k)
		return -1;
	if (!rec)
		return err_set(err, ERR_STATE, NULL,
			"a container made from a bundle has the standard streams of who made it");
	if (follow_container(k, &f, err) < 0)
		return -1;
	r = ctr_container_exit(k, &end, err);
	if (r < 0)
		return -1;
	return r ? end.code : 0;
}
