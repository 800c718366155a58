/* SPDX-License-Identifier: Apache-2.0 */
#include "far.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct ctr_context {
	struct ctr_record strays[FAR_GUESTS];
	struct ctr_seen strays_seen[FAR_GUESTS], seen[FAR_GUESTS];
};

struct far far = { .credential = FD_NONE };

struct far_guest *far_guest(const char *id)
{
	for (size_t i = 0; i < FAR_GUESTS; i++) {
		if (far.guests[i].there && str_eq(far.guests[i].id, id))
			return &far.guests[i];
	}
	return NULL;
}

struct far_guest *far_add(const char *id, bool up)
{
	struct far_guest *g = far.guests;

	while (g->there)
		g++;
	*g = (struct far_guest){ .there = true, .up = up };
	snprintf(g->id, sizeof(g->id), "%s", id);
	return g;
}

static int pass(const char *call, struct err *err)
{
	void (*before)(void) = far.before;

	far.before = NULL;
	if (before)
		before();
	if (!far.fails || !str_eq(far.fails, call))
		return 0;
	return err_set(err, far.why ? far.why : ERR_UNAVAILABLE, NULL, "%s fails as told", call);
}

static struct ctr_context *far_open(const struct ctr_setup *setup, struct err *err)
{
	struct ctr_context *c;

	far.opened++;
	if (pass("open", err) < 0)
		return NULL;
	far.credential = setup->settings ? setup->credential_fd : -1;
	c = calloc(1, sizeof(*c));
	if (!c)
		err_nomem(err);
	return c;
}

static void far_close(struct ctr_context *c)
{
	far.closed += c != NULL;
	free(c);
}

static int probe(struct err *why)
{
	(void)why;
	return 1;
}

static int check(const struct ctr_input *in, struct err *err)
{
	(void)in;
	return pass("check", err);
}

static int create(const struct ctr_input *in, struct ctr_record *rec, const struct ctr_save *save,
	struct err *err)
{
	static char number[4]; /* spoilt after this call, as a backend's own arena is */
	struct proc_stat st;

	far.created++;
	snprintf(number, sizeof(number), "104");
	rec->guest = number;
	if (save->fn(save->arg, rec, err) < 0)
		return -1;
	far_add(in->id, false);
	if (pass("create", err) < 0)
		return -1;
	if (far.proxy) {
		if (proc_stat(far.proxy, &st, err) != 1)
			return -1;
		rec->pid = far.proxy;
		rec->start_time = st.start_time;
	}
	rec->phase = CTR_CREATED;
	if (save->fn(save->arg, rec, err) < 0)
		return -1;
	memset(number, 'x', sizeof(number) - 1);
	return 0;
}

static int start(const struct ctr_record *rec, int dir_fd, const struct oci_spec *spec,
	struct ctr_trace *trace, struct err *err)
{
	(void)dir_fd;
	(void)spec;
	(void)trace;
	far.started++;
	far.phase = rec->phase;
	if (pass("start", err) < 0)
		return -1;
	far_guest(rec->id)->up = true;
	return 0;
}

static int send_signal(
	const struct ctr_record *rec, int dir_fd, int signo, bool all, struct err *err)
{
	const struct far_guest *g = far_guest(rec->id);

	(void)dir_fd;
	(void)all;
	if (pass("signal", err) < 0)
		return -1;
	if (!g || !g->up)
		return err_set(err, ERR_STATE, NULL, "container not running");
	far.signalled++;
	far.signo = signo;
	return 0;
}

static enum ctr_status status_of(const struct ctr_record *rec)
{
	const struct far_guest *g = far_guest(rec->id);

	if (g && g->up)
		return CTR_RUNNING;
	return g && rec->phase == CTR_CREATED ? CTR_CREATED : CTR_STOPPED;
}

static int status(const struct ctr_record *rec, int dir_fd, enum ctr_status *ret, struct err *err)
{
	struct far_guest *g = far_guest(rec->id);

	(void)dir_fd;
	far.asked++;
	if (g && far.ends_after && far.asked >= far.ends_after)
		g->up = false;
	*ret = status_of(rec);
	return pass("status", err);
}

static int destroy(const struct ctr_record *rec, int dir_fd, struct err *err)
{
	struct far_guest *g = far_guest(rec->id);

	(void)dir_fd;
	far.destroyed++;
	far.phase = rec->phase;
	if (pass("destroy", err) < 0)
		return -1;
	if (g)
		g->there = false;
	return 0;
}

static int stop(const struct ctr_record *rec, int dir_fd, int grace_ms, struct err *err)
{
	(void)dir_fd;
	far.stopped++;
	far.grace_ms = grace_ms;
	if (pass("stop", err) < 0)
		return -1;
	far_guest(rec->id)->up = false;
	return 0;
}

static int ended(const struct ctr_record *rec, int dir_fd, struct ctr_exit *ret, struct err *err)
{
	(void)rec;
	(void)dir_fd;
	if (pass("ended", err) < 0)
		return -1;
	*ret = (struct ctr_exit){ .code = 3, .reason = CTR_EXIT_ERROR };
	return 0;
}

static int stats(const struct ctr_record *rec, int dir_fd, struct ctr_stats *ret, struct err *err)
{
	(void)rec;
	(void)dir_fd;
	*ret = (struct ctr_stats){ .memory_bytes = 4096 };
	return pass("stats", err);
}

static bool is_known(const struct ctr_record *recs, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(recs[i].id, id))
			return true;
	}
	return false;
}

static int survey(struct ctr_context *c, const struct ctr_record *recs, size_t n,
	struct ctr_survey *ret, struct err *err)
{
	far.surveyed++;
	*ret = (struct ctr_survey){
		.seen = c->seen, .strays = c->strays, .strays_seen = c->strays_seen, .max_age_s = 10
	};
	for (size_t i = 0; i < n && i < FAR_GUESTS; i++)
		c->seen[i] = (struct ctr_seen){ status_of(&recs[i]), "far/1" };
	if (pass("survey", err) < 0)
		return -1;
	for (size_t i = 0; i < FAR_GUESTS; i++) {
		if (!far.guests[i].there || is_known(recs, n, far.guests[i].id))
			continue;
		c->strays[ret->n_strays] = (struct ctr_record){
			.id = far.guests[i].id, .backend = "proxmox", .guest = "105"
		};
		c->strays_seen[ret->n_strays++] = (struct ctr_seen){ CTR_RUNNING, "far/2" };
	}
	return 0;
}

static int find(
	struct ctr_context *c, const char *id, int dir_fd, struct ctr_record *ret, struct err *err)
{
	const struct far_guest *g = far_guest(id);

	(void)c;
	(void)dir_fd;
	if (pass("find", err) < 0)
		return -1;
	if (!g)
		return 0;
	ret->id = g->id;
	ret->guest = "105";
	ret->phase = CTR_RUNNING;
	return 1;
}

static int diagnose(struct ctr_context *c, const struct ctr_report *report, struct err *err)
{
	(void)c;
	report->fn(report->arg, CTR_FOUND_OK, "token", "is one", NULL);
	return pass("diagnose", err);
}

static int explain(const struct ctr_input *in, char **ret, struct err *err)
{
	*ret = strf("a guest for %s\n", in->image ? in->image : "nothing");
	return *ret ? 0 : err_nomem(err);
}

const struct ctr_backend far_backend = {
	.name = "proxmox",
	.remote = true,
	.poll_ms = FAR_POLL_MS,
	.open = far_open,
	.close = far_close,
	.probe = probe,
	.check = check,
	.create = create,
	.start = start,
	.signal = send_signal,
	.status = status,
	.destroy = destroy,
	.explain = explain,
	.stop = stop,
	.ended = ended,
	.stats = stats,
	.survey = survey,
	.find = find,
	.diagnose = diagnose,
};
