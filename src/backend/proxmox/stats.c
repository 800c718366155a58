/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest uses, and how it ended, as far as the API knows. */
#include "backend/proxmox/act.h"
#include "base/log.h"
#include "base/proc.h"

#include <string.h>

enum { TASKS_MAX = 50 };

/* ---- stats ---- */

static uint64_t count(const struct json *object, const char *key)
{
	int64_t value = pve_int(object, key, -1);

	return value < 0 ? UINT64_MAX : (uint64_t)value;
}

/* "cpu" is a part of "cpus", the ones that it may use. */
static uint64_t permille(const struct json *object)
{
	double used = pve_double(object, "cpu", -1), cpus = pve_double(object, "cpus", 1);

	/* NaN fails the comparison, too. */
	if (!(used >= 0 && cpus > 0 && used * cpus < 1e6))
		return UINT64_MAX;
	return (uint64_t)(used * cpus * 1000 + 0.5);
}

int proxmox_stats(const struct ctr_record *rec, int dir_fd, struct ctr_stats *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct guest_look look;
	struct subject s;

	if (act_open_made(rec, dir_fd, a, &s, err) < 0 || act_look(&s, &look, err) < 0)
		return -1;
	if (!look.exists)
		return act_gone(&s.guest, err);
	if (!act_is_running(&look))
		return err_set(err, ERR_STATE, NULL, "container not running");
	memset(ret, 0xff, sizeof(*ret)); /* UINT64_MAX: what isn't known */
	ret->cpu_permille = permille(look.current);
	ret->memory_bytes = count(look.current, "mem");
	ret->memory_limit = count(look.current, "maxmem");
	ret->swap_bytes = count(look.current, "swap");
	ret->net_rx_bytes = count(look.current, "netin");
	ret->net_tx_bytes = count(look.current, "netout");
	ret->disk_read_bytes = count(look.current, "diskread");
	ret->disk_written_bytes = count(look.current, "diskwrite");
	ret->uptime_s = look.uptime;
	return 0;
}

/* ---- ended ---- */

/* What ends a guest, and what that means for its status. */
static const struct {
	const char *type;
	int stopped_by; /* enum guest_stop */
} enders[] = {
	{ "vzshutdown", GUEST_SHUTDOWN },
	{ "vzstop", GUEST_KILLED },
};

/* The newest task that ended it after its newest start: when, and how; and whether the newest
 * shutdown has failed. Tasks before its making are an earlier guest's. 1, 0 none can be seen, -1.
 */
static int newest_end(struct subject *s, const char *node, uint64_t *ret_time, int *ret_by,
	bool *ret_in_vain, struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(s->arena);
	const char *path = pve_path(s->arena, "nodes", node, "tasks", NULL);
	const int64_t made = (int64_t)guest_made_at(&s->guest, s->arena);
	const struct json *tasks;
	int64_t started = 0, ended = 0, asked = 0;

	if (!path)
		return err_nomem(err);
	pve_form_setf(&query, "vmid", NULL, "%u", s->guest.vmid);
	pve_form_set(&query, "source", "all", NULL);
	pve_form_setf(&query, "limit", NULL, "%d", TASKS_MAX);
	if (pve_form_ok(&query, err) < 0 ||
		pve_get(s->pve, s->arena, path, &query, &tasks, NULL, err) < 0)
		return -1;
	json_for_each (task, tasks) {
		const char *type = pve_text(task, "type");
		int64_t at = pve_int(task, "endtime", 0);

		if (str_eq(type, "vzstart"))
			started = MAX(started, pve_int(task, "starttime", 0));
		if (str_eq(type, "vzshutdown") && pve_int(task, "starttime", 0) > asked) {
			asked = pve_int(task, "starttime", 0);
			*ret_in_vain = at > 0 && act_is_failure(pve_text(task, "status"));
		}
		for (size_t i = 0; i < ARRAY_SIZE(enders); i++)
			if (str_eq(type, enders[i].type) && at > ended && at >= made &&
				str_eq(pve_text(task, "status"), "OK")) {
				ended = at;
				*ret_by = enders[i].stopped_by;
			}
	}
	*ret_time = (uint64_t)ended;
	return ended > 0 && ended >= started;
}

static void by_stop(int stopped_by, struct ctr_exit *ret)
{
	if (stopped_by == GUEST_SHUTDOWN) {
		ret->code = 0;
		ret->reason = CTR_EXIT_COMPLETED;
	} else if (stopped_by == GUEST_KILLED) {
		ret->code = 128 + 9;
		ret->signal = 9;
		ret->reason = CTR_EXIT_ERROR;
	}
}

int proxmox_ended(const struct ctr_record *rec, int dir_fd, struct ctr_exit *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct guest_look look = { 0 };
	char text[PROC_TIME_MAX];
	struct err why = ERR_INIT;
	struct subject s;
	uint64_t when = 0;
	int r, by = GUEST_NOT_STOPPED;
	bool in_vain = false;

	*ret = (struct ctr_exit){ .code = 255, .reason = CTR_EXIT_UNKNOWN };
	r = act_open(rec, dir_fd, a, &s, err);
	if (r == 1 && act_look(&s, &look, err) < 0)
		r = -1;
	if (r <= 0)
		return r;
	r = newest_end(&s, look.exists ? look.node : s.guest.node, &when, &by, &in_vain, &why);
	if (s.guest.stopped_by == GUEST_SHUTDOWN && in_vain)
		s.guest.stopped_by = GUEST_NOT_STOPPED;
	by_stop(s.guest.stopped_by, ret);
	if (r < 0)
		log_debug("guest %u: when it ended isn't known: %s", s.guest.vmid, why.text);
	if (r <= 0)
		return 0;
	if (s.guest.stopped_by == GUEST_NOT_STOPPED)
		by_stop(by, ret);
	ret->finished = arena_strdup(rec->context->arena, proc_time(when, 0, text));
	return ret->finished ? 0 : err_nomem(err);
}
