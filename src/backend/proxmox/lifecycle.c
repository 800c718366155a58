/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs on a guest that is there: start, signal, status, stop, update. */
#include "backend/proxmox/act.h"
#include "base/log.h"
#include "model/signals.h"

#include <signal.h>
#include <string.h>

enum {
	FORCE_MARGIN_S = 20, /* after the grace: the server ends it by force, and says so */
	/* The C library keeps the first two real-time signals, so its SIGRTMIN is 34. */
	RTMIN = 34,
	SIGNAL_HALT = RTMIN + 3, /* what systemd's halt and poweroff are asked for by */
	SIGNAL_POWEROFF = RTMIN + 4,
};

static bool is_up(const struct guest_look *look)
{
	return act_is_running(look);
}

static bool is_down(const struct guest_look *look)
{
	return !act_is_running(look);
}

/* ---- start ---- */

int proxmox_start(const struct ctr_record *rec, int dir_fd, const struct oci_spec *spec,
	struct ctr_trace *trace, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_fault fault;
	struct subject s;

	(void)spec;
	if (act_open_made(rec, dir_fd, a, &s, err) < 0)
		return -1;
	const uint64_t begin = ctr_trace_now();
	const struct act act = { .method = HTTPS_POST,
		.verb = "start",
		.task = "vzstart",
		.is_done = is_up,
		.deadline_ms = s.pve->cfg->start_s * 1000,
		.once = true,
		.note = GUEST_NOT_STOPPED };
	if (act_run(&s, &act, &fault, err) < 0)
		return -1;
	ctr_trace_add(trace, "vzstart", s.guest.node, 0, begin, ctr_trace_now());
	return 0;
}

/* ---- end ---- */

bool act_is_failure(const char *ending)
{
	/* The last is what is said of one that has ended just now. */
	return ending && !pve_task_is_success(ending) && !str_starts(ending, "unable to");
}

static int stop_now(
	struct subject *s, const struct pve_form *form, struct pve_fault *fault, struct err *err)
{
	const struct act act = { .method = HTTPS_POST,
		.verb = "stop",
		.form = form,
		.task = "vzstop",
		.is_done = is_down,
		.deadline_ms = s->pve->cfg->stop_s * 1000,
		.note = GUEST_KILLED };

	return act_run(s, &act, fault, err);
}

/* For the process that stands for it, which may not reach the server. */
static int note_ended(struct subject *s)
{
	if (s->dir_fd < 0 || !s->guest.proxy || s->guest.ended)
		return 0;
	s->guest.ended = true;
	act_save(s);
	return 0;
}

/* A shutdown that goes on holds the guest: it is asked to end. If it can't be, the stop waits. */
static void cancel_shutdown(struct subject *s)
{
	struct err why = ERR_INIT;
	struct pve_upid upid;
	bool running = false;
	int r = pve_task_find(s->pve, s->guest.node, "vzshutdown", s->guest.vmid, 0, NULL, s->arena,
		&upid, &running, &why);

	if (r == 1 && running)
		r = pve_task_cancel(s->pve, &upid, &why);
	if (r < 0)
		log_debug("guest %u: its shutdown goes on: %s", s->guest.vmid, why.text);
}

bool act_shutdown_failed(struct subject *s, const char *node)
{
	struct pve_fault fault = { 0 };
	struct err why = ERR_INIT;
	struct pve_upid upid;
	const char *text;
	bool running;

	if (pve_task_find(s->pve, node, "vzshutdown", s->guest.vmid, s->guest.posted, NULL,
		    s->arena, &upid, &running, &why) != 1 ||
		running || pve_task_look(s->pve, &upid, s->arena, &text, &fault, &why) != 1)
		return false;
	return act_is_failure(text);
}

/* At once; a shutdown that goes on is overruled. */
int act_kill(struct subject *s, struct pve_fault *fault, struct err *err)
{
	static const char overrule[] = "overrule-shutdown";
	struct pve_form form = PVE_FORM_INIT(s->arena), plain = PVE_FORM_INIT(s->arena);
	struct err why = ERR_INIT;

	pve_form_set(&form, overrule, "1", NULL);
	if (pve_form_ok(&form, err) < 0)
		return -1;
	if (stop_now(s, &form, fault, &why) == 0)
		return 0;
	/* Before 8.2 there was no such parameter. */
	if (fault->reason == PVE_BAD_PARAMETER && strstr(fault->text, overrule)) {
		cancel_shutdown(s);
		return stop_now(s, &plain, fault, err);
	}
	*err = why;
	return -1;
}

/* The server goes on with it by itself. */
static int ask_to_end(struct subject *s, struct pve_fault *fault, struct err *err)
{
	const struct settings_proxmox *cfg = s->pve->cfg;
	struct pve_form form = PVE_FORM_INIT(s->arena);
	const struct act act = { .method = HTTPS_POST,
		.verb = "shutdown",
		.form = &form,
		.task = "vzshutdown",
		.is_done = is_down,
		.deadline_ms = cfg->call_s * 1000,
		.no_wait = true,
		.note = GUEST_SHUTDOWN };

	pve_form_setf(&form, "timeout", NULL, "%u", cfg->grace_s);
	if (pve_form_ok(&form, err) < 0)
		return -1;
	return act_run(s, &act, fault, err);
}

static bool is_end(int signo)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPWR, SIGNAL_HALT,
		SIGNAL_POWEROFF };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i] == signo)
			return true;
	return false;
}

static int refuse_signal(int signo, struct err *err)
{
	char number[16];
	const char *name = signal_name(signo);

	snprintf(number, sizeof(number), "%d", signo);
	err_set(err, ERR_UNSUPPORTED, name ? name : number,
		"the API of Proxmox VE can't send this signal to a guest");
	return err_hint(err,
		"TERM, INT, QUIT, HUP, PWR, RTMIN+3 and RTMIN+4 shut it down, KILL stops it at "
		"once");
}

int proxmox_signal(const struct ctr_record *rec, int dir_fd, int signo, bool all, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_fault fault;
	struct guest_look look;
	struct subject s;

	(void)all; /* the API knows the guest as a whole only */
	if (signo != 0 && signo != SIGKILL && !is_end(signo))
		return refuse_signal(signo, err);
	if (act_open_made(rec, dir_fd, a, &s, err) < 0 || act_look(&s, &look, err) < 0)
		return -1;
	if (!act_is_running(&look))
		return err_set(err, ERR_STATE, NULL, "container not running");
	if (signo == 0)
		return 0;
	if ((signo == SIGKILL ? act_kill(&s, &fault, err) : ask_to_end(&s, &fault, err)) == 0)
		return signo == SIGKILL ? note_ended(&s) : 0;
	/* ERR_STATE would say that there is nothing to signal; but it is there, and locked, or
	 * isn't proven to be ours. */
	if (fault.reason == PVE_LOCKED || fault.reason == PVE_LOCK_STALE)
		err->code = ERR_UNAVAILABLE;
	else if (fault.reason == PVE_OK && err->code == ERR_STATE)
		err->code = ERR_DENIED;
	return -1;
}

/* Asked to end, and killed by the server when the time is over; by us, when even that fails. */
static int end_within(struct subject *s, unsigned grace_s, struct pve_fault *fault, struct err *err)
{
	const uint64_t begin = pve_now_ms(s->pve);
	struct pve_form form = PVE_FORM_INIT(s->arena);
	const struct act act = { .method = HTTPS_POST,
		.verb = "shutdown",
		.form = &form,
		.task = "vzshutdown",
		.is_done = is_down,
		.deadline_ms = (grace_s + FORCE_MARGIN_S) * 1000,
		.note = GUEST_SHUTDOWN };

	pve_form_setf(&form, "timeout", NULL, "%u", grace_s);
	pve_form_set(&form, "forceStop", "1", NULL);
	if (pve_form_ok(&form, err) < 0 || act_run(s, &act, fault, err) < 0)
		return -1;
	/* It took all of the time: then it was by force. */
	if (pve_now_ms(s->pve) - begin < grace_s * UINT64_C(1000) || s->dir_fd < 0 ||
		s->guest.stopped_by != GUEST_SHUTDOWN)
		return 0;
	s->guest.stopped_by = GUEST_KILLED;
	act_save(s);
	return 0;
}

/* Did the shutdown fail so that only force is left? */
static bool calls_for_force(enum pve_reason reason)
{
	return reason == PVE_STOP_TIMEOUT || reason == PVE_TIMEOUT || reason == PVE_KILLED ||
	       reason == PVE_BUSY || reason == PVE_OTHER;
}

int proxmox_stop(const struct ctr_record *rec, int dir_fd, int grace_ms, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct pve_fault fault = { 0 };
	struct subject s;
	int r;

	r = act_open(rec, dir_fd, a, &s, err);
	if (r <= 0)
		return r;
	if (grace_ms > 0) {
		r = end_within(&s, ((unsigned)grace_ms + 999) / 1000, &fault, err);
		if (r < 0 && calls_for_force(fault.reason))
			log_info("guest %u: shutdown failed (%s): it is stopped by force",
				s.guest.vmid, fault.text);
	}
	if (grace_ms <= 0 || (r < 0 && calls_for_force(fault.reason)))
		r = act_kill(&s, &fault, err);
	/* What isn't there doesn't run. */
	if (r < 0 && fault.reason != PVE_GONE)
		return -1;
	return note_ended(&s);
}

/* ---- status ---- */

/* Its tags come with the look; only when they aren't ours the description is asked for. */
static int is_ours_still(struct subject *s, const struct guest_look *look, struct err *err)
{
	struct err why = ERR_INIT;
	int r = act_has_our_tag(&s->guest, look->current)
			? 1
			: guest_is_ours(s->pve, &s->guest, look->node, false, s->arena, NULL, &why);

	if (r == 0 || (r < 0 && why.code == ERR_STATE)) {
		log_info("guest %u is somebody else's by now: %s", s->guest.vmid,
			r < 0 ? why.text : "");
		return 0;
	}
	if (r < 0)
		*err = why;
	return r;
}

int proxmox_status(const struct ctr_record *rec, int dir_fd, enum ctr_status *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct guest_look look = { 0 };
	struct subject s;
	int r;

	r = act_open(rec, dir_fd, a, &s, err);
	if (r == 1 && act_look(&s, &look, err) < 0)
		return -1;
	if (r == 1 && look.exists)
		r = is_ours_still(&s, &look, err);
	if (r < 0)
		return -1;
	if (r == 0 || !look.exists) {
		log_info("container %s: its guest %s isn't on the server (any more)", rec->id,
			rec->guest ? rec->guest : "");
		*ret = CTR_STOPPED;
		return 0;
	}
	if (act_is_running(&look))
		*ret = CTR_RUNNING;
	else
		*ret = rec->phase == CTR_RUNNING ? CTR_STOPPED : CTR_CREATED;
	return 0;
}

/* ---- update ---- */

static int fill_update(void *arg, const struct json *config, struct arena *a, struct pve_form *ret,
	struct err *err)
{
	const char *digest = pve_text(config, "digest");

	if (params_update(arg, a, ret, err) < 0)
		return -1;
	if (digest && ret->n)
		pve_form_set(ret, "digest", digest, NULL);
	return 0;
}

int proxmox_update(
	const struct ctr_record *rec, int dir_fd, const struct oci_resources *res, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const struct act_change change = { fill_update, (void *)(uintptr_t)res };
	struct pve_fault fault;
	struct subject s;

	if (act_open_made(rec, dir_fd, a, &s, err) < 0)
		return -1;
	if (res->memory && res->memory->limit)
		params_note_memory(*res->memory->limit);
	if (act_configure(&s, &change, pve_now_ms(s.pve) + s.pve->cfg->call_s * UINT64_C(1000),
		    &fault, err) == 0)
		return 0;
	if (fault.reason == PVE_BAD_PARAMETER && !*err->hint)
		err_hint(err, "a running guest takes only what can be changed at once: what it "
			      "uses already can't be taken away");
	return -1;
}
