/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's half of create: an ordered list of steps. What init does is the plan's list. Nothing
 * is undone here: the caller runs destroy with the record as it then is.
 */
#include "backend/native/copyup.h"
#include "backend/native/facts.h"
#include "backend/native/gate.h"
#include "backend/native/hooks.h"
#include "backend/native/native.h"
#include "backend/native/seccomp.h"
#include "base/log.h"
#include "base/proc.h"
#include "model/oci.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct creation {
	const struct ctr_input *in;
	struct ctr_record *rec;
	const struct ctr_save *save;
	struct arena *arena;
	struct plan_facts facts;
	struct seccomp_filter filter;
	struct plan plan;
	struct prepared sources;
	struct cgroup cgroup;
	int gate;
	struct spawned process;
	pid_t timed; /* whose start time is known, or 0 */
	uint64_t start_time;
};

static const struct oci_resources *resources(const struct creation *c)
{
	return c->in->spec->linux_ ? c->in->spec->linux_->resources : NULL;
}

static int step_facts(struct creation *c, struct err *err)
{
	const struct ctr_input *in = c->in;

	c->rec->no_pivot = in->no_pivot;
	c->rec->no_new_keyring = in->no_new_keyring;
	c->facts.id = in->id;
	c->facts.bundle = in->bundle;
	c->facts.no_pivot = in->no_pivot;
	c->facts.no_new_keyring = in->no_new_keyring;
	c->facts.preserve_fds = in->attach.preserve_fds;
	c->facts.listen_fds = in->attach.listen_fds;
	return facts_read(&c->facts, in->spec, c->arena, err);
}

static int step_cgroup_path(struct creation *c, struct err *err)
{
	struct ctr_record *rec = c->rec;

	rec->cgroup_manager = c->in->cgroup_manager;
	if (c->in->cgroup_manager == CTR_CGROUP_DISABLED)
		return 0;
	const char *path = c->in->spec->linux_ ? c->in->spec->linux_->cgroups_path : NULL;
	rec->cgroup = cgroup_path(path, c->in->id, c->arena, err);
	c->facts.cgroup_path = rec->cgroup;
	if (!rec->cgroup)
		return path ? err_in(err, "linux.cgroupsPath") : -1;
	return 0;
}

static int step_filter(struct creation *c, struct err *err)
{
	const struct oci_linux *l = c->in->spec->linux_;

	if (!l || !l->seccomp)
		return 0;
	if (seccomp_get(l->seccomp, c->in->cache_fd, c->arena, &c->filter, err) < 0)
		return err_in(err, "linux.seccomp");
	c->facts.filter = &c->filter;
	return 0;
}

static int step_plan(struct creation *c, struct err *err)
{
	size_t n;
	struct ctr_record *rec = c->rec;
	const struct oci_spec *spec = c->in->spec;

	plan_init(&c->plan, c->arena);
	if (plan_create(spec, &c->facts, &c->plan, err) < 0)
		return -1;
	oci_hooks_of(spec->hooks, OCI_HOOK_START_CONTAINER, &n);
	rec->has_start_hooks = n > 0;
	oci_hooks_of(spec->hooks, OCI_HOOK_POSTSTART, &n);
	rec->has_start_hooks |= n > 0;
	oci_hooks_of(spec->hooks, OCI_HOOK_POSTSTOP, &n);
	rec->has_poststop = n > 0;
	rec->notify = c->filter.notify;
	rec->private_pid_ns = c->plan.spawn.new_ns & CLONE_NEWPID;
	return 0;
}

/* The record knows of the cgroup before it exists. */
static int step_record(struct creation *c, struct err *err)
{
	c->rec->cgroup_made = c->rec->cgroup != NULL;
	return c->save->fn(c->save->arg, c->rec, err);
}

static int step_sources(struct creation *c, struct err *err)
{
	c->gate = gate_listen(c->in->dir_fd, err);
	if (c->gate < 0)
		return -1;
	return prepare_sources(&c->plan, FD_NONE, c->gate, &c->sources, err);
}

static int step_cgroup(struct creation *c, struct err *err)
{
	const struct oci_resources *r = resources(c);

	if (!c->rec->cgroup)
		return 0;
	if (cgroup_create(c->rec->cgroup, r, &c->cgroup, err) < 0) {
		c->rec->cgroup_made = false; /* somebody else's: not ours to remove */
		return err_in(err,
			err->code == ERR_UNSUPPORTED ? "linux.resources" : "linux.cgroupsPath");
	}
	const char *owner = native_owner(c->rec, c->in->dir_fd, c->arena, err);
	if (!owner || cgroup_claim(&c->cgroup, owner, err) < 0)
		return err_in(err, "linux.cgroupsPath");
	if (r && cgroup_limit(&c->cgroup, r, err) < 0)
		return err_in(err, "linux.resources");
	return 0;
}

/* ---- what happens while init works ---- */

/* Known since the clone, and never changes; with a helper the last one asked about counts. */
static int read_start_time(struct creation *c, pid_t pid, struct err *err)
{
	struct proc_stat st;
	int r = proc_stat(pid, &st, err);

	if (r < 0)
		return -1;
	c->timed = r ? pid : 0;
	c->start_time = r ? st.start_time : 0;
	return 0;
}

/*
 * The device program is loaded and attached while init mounts: that hides its 0.2 ms. Nothing of
 * the container has run by then: init executes the program only after READY was answered, which is
 * after this.
 */
static int on_cloned(void *arg, pid_t pid, struct err *err)
{
	struct creation *c = arg;
	const struct oci_resources *r = resources(c);

	if (c->cgroup.fd >= 0 &&
		cgroup_devices(&c->cgroup, r ? r->devices : NULL, r ? r->n_devices : 0, err) < 0)
		return err_in(err, "linux.resources.devices");
	return read_start_time(c, pid, err);
}

static int sync_hooks(struct creation *c, pid_t pid, struct err *err)
{
	const char *state = native_state(c->rec, CTR_CREATING, pid, c->arena, err);

	if (!state || hooks_run(c->in->spec->hooks, OCI_HOOK_PRESTART, state, err) < 0)
		return -1;
	return hooks_run(c->in->spec->hooks, OCI_HOOK_CREATE_RUNTIME, state, err);
}

static int on_synced(
	void *arg, const struct plan_step *step, int target_fd, pid_t pid, struct err *err)
{
	struct creation *c = arg;

	if (!(step->flags & STEP_SEND_TARGET))
		return sync_hooks(c, pid, err);
	/* tmpcopyup: the next step attaches the tmpfs that is filled here. */
	if (target_fd < 0 || copyup(target_fd, c->sources.fds[step[1].source], err) < 0)
		return err_in(err, "%s", step->place);
	return 0;
}

static int on_console(void *arg, int master, const char *name, struct err *err)
{
	struct creation *c = arg;

	return native_console(&c->in->attach, master, name, err);
}

static int on_ready(void *arg, pid_t pid, struct err *err)
{
	struct creation *c = arg;
	const struct oci_resources *r = resources(c);

	if (r && c->cgroup.fd >= 0 && cgroup_limit_late(&c->cgroup, r, err) < 0)
		return err_in(err, "linux.resources");

	if (native_parent_attributes(c->in->spec->process, pid, err) < 0)
		return -1;
	if (c->timed != pid && read_start_time(c, pid, err) < 0)
		return -1;
	if (c->timed != pid)
		return err_set(err, ERR_SYSTEM, "init", "ended before it could be recorded");
	c->rec->pid = (int32_t)pid;
	c->rec->start_time = c->start_time;
	c->rec->phase = CTR_CREATED;
	return c->save->fn(c->save->arg, c->rec, err);
}

static int step_spawn(struct creation *c, struct err *err)
{
	const struct spawn_events events = { .arg = c,
		.cloned = on_cloned,
		.synced = on_synced,
		.console = on_console,
		.ready = on_ready,
		.hurried = c->in->starts };
	const struct ctr_attach *attach = &c->in->attach;

	if (spawn(&c->plan, &c->sources, c->cgroup.fd, &events, c->in->trace, &c->process, err) < 0)
		return -1;
	if (attach->pidfd_socket >= 0 &&
		fd_send(attach->pidfd_socket, "pidfd", 5, &c->process.pidfd, 1) < 0)
		return err_sys(err, errno, "send", "pidfd socket");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct creation *, struct err *);
} steps[] = {
	{ "facts", step_facts },
	{ "cgroup path", step_cgroup_path },
	{ "seccomp filter", step_filter },
	{ "plan", step_plan },
	{ "record", step_record },
	{ "cgroup", step_cgroup },
	{ "sources", step_sources }, /* the cgroup itself may be one */
	{ "spawn", step_spawn },
};

static void creation_done(struct creation *c)
{
	prepare_close(&c->plan, &c->sources);
	cgroup_close(&c->cgroup);
	spawned_close(&c->process);
	fd_close(c->gate);
}

int native_create(const struct ctr_input *in, struct ctr_record *rec, const struct ctr_save *save,
	struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	_cleanup_(creation_done) struct creation c = { .in = in,
		.rec = rec,
		.save = save,
		.arena = arena,
		.cgroup = CGROUP_INIT,
		.gate = FD_NONE,
		.process = SPAWNED_INIT };

	if (!arena)
		return err_nomem(err);
	if (in->no_pivot)
		log_warn(
			"--no-pivot: the host's file system stays mounted beneath the container's, out of reach only by chroot");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint64_t begin = in->trace ? ctr_trace_now() : 0;
		log_debug("create %s: %s", in->id, steps[i].name);
		if (steps[i].run(&c, err) < 0)
			return -1;
		if (in->trace)
			ctr_trace_add(in->trace, steps[i].name, in->id, (int)getpid(), begin,
				ctr_trace_now());
	}
	return 0;
}

/* Compiling is a pure function, so the same config gives the same steps. */
int native_start_error(
	const struct ctr_record *rec, int dir_fd, const struct wire_msg *m, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	_free_ char *text = NULL;
	size_t n;
	struct oci_spec *spec = NULL;
	struct ctr_record copy = *rec;
	struct err lost = ERR_INIT;

	if (!arena || file_read(dir_fd, "config.json", OCI_CONFIG_MAX, &text, &n, &lost) < 0 ||
		oci_spec_parse(text, n, arena, &spec, &lost) < 0)
		return -1; /* *err holds what spawn_listen knew */
	struct ctr_input in = { .id = rec->id,
		.bundle = rec->bundle,
		.spec = spec,
		.attach = CTR_ATTACH_INIT,
		.dir_fd = dir_fd,
		.cache_fd = FD_NONE,
		.cgroup_manager = rec->cgroup_manager,
		.no_pivot = rec->no_pivot,
		.no_new_keyring = rec->no_new_keyring };
	struct creation c = {
		.in = &in, .rec = &copy, .arena = arena, .cgroup = CGROUP_INIT, .gate = FD_NONE
	};
	if (step_facts(&c, &lost) < 0 || step_cgroup_path(&c, &lost) < 0 ||
		step_plan(&c, &lost) < 0)
		return -1;
	return plan_error(&c.plan, m, err);
}

int native_explain(const struct ctr_input *in, char **ret_text, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str text = { 0 };
	struct ctr_record rec = { 0 };
	struct creation c = {
		.in = in, .rec = &rec, .arena = arena, .cgroup = CGROUP_INIT, .gate = FD_NONE
	};

	if (!arena)
		return err_nomem(err);
	if (step_facts(&c, err) < 0 || step_cgroup_path(&c, err) < 0 || step_plan(&c, err) < 0)
		return -1;
	plan_text(&c.plan, &text);
	if (str_ok(&text, err) < 0)
		return -1;
	*ret_text = take(text.p);
	return 0;
}
