/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of config.json outside of "linux". */
#include "base/log.h"
#include "base/path.h"
#include "model/caps.h"
#include "model/mntopt.h"
#include "model/oci.h"
#include "model/rlimits.h"

#include <string.h>

enum {
	HOSTNAME_MAX = 64,  /* __NEW_UTS_LEN */
	GROUPS_MAX = 65536, /* NGROUPS_MAX */
	IOPRIO_LEVELS = 8,
	WINSIZE_MAX = 65535, /* unsigned short in struct winsize */
	ID_INVALID = -1,
};

static int invalid(struct err *err, const char *where, const char *text)
{
	err_set(err, ERR_INVALID, NULL, "%s", text);
	return err_in(err, "%s", where);
}

/* ---- process ---- */

static int check_env(const char **env, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (env[i][0] == '=' || !strchr(env[i], '=')) {
			err_set(err, ERR_INVALID, NULL, "\"%.200s\" is not of the form NAME=VALUE",
				env[i]);
			return err_in(err, "env[%zu]", i);
		}
	return 0;
}

/* The ids of a new user namespace must be mapped; those of a joined one only the kernel knows. */
static int check_mapped(
	const char *what, uint32_t id, const struct oci_id_map *maps, size_t n, struct err *err)
{
	uint32_t host;

	if (id == (uint32_t)ID_INVALID) {
		err_set(err, ERR_INVALID, NULL, "4294967295 is no valid id");
		return err_in(err, "user.%s", what);
	}
	if (!maps || oci_id_map_find(maps, n, id, &host))
		return 0;
	err_set(err, ERR_INVALID, NULL, "%u is not mapped in the container's user namespace", id);
	err_hint(err, "the first of %zu maps covers %u to %u", n, maps[0].container_id,
		maps[0].container_id + (maps[0].size - 1));
	return err_in(err, "user.%s", what);
}

static int check_user(const struct oci_user *u, const struct oci_spec *spec, struct err *err)
{
	const struct oci_namespace *ns = spec ? oci_namespace_get(spec, OCI_NS_USER) : NULL;
	const struct oci_linux *l = ns && !ns->path ? spec->linux_ : NULL;
	const struct oci_id_map *gids = l ? l->gid_mappings : NULL;
	size_t n_gids = l ? l->n_gid_mappings : 0;

	if (check_mapped("uid", u->uid, l ? l->uid_mappings : NULL, l ? l->n_uid_mappings : 0,
		    err) < 0 ||
		check_mapped("gid", u->gid, gids, n_gids, err) < 0)
		return -1;
	if (u->umask && *u->umask > 0777) {
		err_set(err, ERR_INVALID, NULL, "%u (octal %o) is more than octal 777", *u->umask,
			*u->umask);
		return err_in(err, "user.umask");
	}
	if (u->n_additional_gids > GROUPS_MAX)
		return invalid(err, "user.additionalGids", "more than 65536 groups");
	for (size_t i = 0; i < u->n_additional_gids; i++) {
		char what[48];
		snprintf(what, sizeof(what), "additionalGids[%zu]", i);
		if (check_mapped(what, u->additional_gids[i], gids, n_gids, err) < 0)
			return -1;
	}
	return 0;
}

static void warn_ambient(uint64_t excess)
{
	_str_ struct str names = { 0 };

	for (int cap = 0; cap < 64; cap++)
		if (excess >> cap & 1)
			str_printf(&names, "%s%s", names.n ? ", " : "", caps_name(cap));
	if (names.n)
		log_warn(
			"process.capabilities.ambient: what isn't permitted and inheritable can't be ambient and is "
			"left out: %s",
			names.p);
}

/* Unknown names are left out, as the specification asks, but never silently. */
static void check_capabilities(const struct oci_capabilities *c)
{
	_str_ struct str unknown = { 0 };
	uint64_t permitted, inheritable, ambient;

	caps_mask(c->bounding, c->n_bounding, &unknown);
	caps_mask(c->effective, c->n_effective, &unknown);
	permitted = caps_mask(c->permitted, c->n_permitted, &unknown);
	inheritable = caps_mask(c->inheritable, c->n_inheritable, &unknown);
	ambient = caps_mask(c->ambient, c->n_ambient, &unknown);
	if (unknown.n)
		log_warn("process.capabilities: unknown names are left out: %s", unknown.p);
	warn_ambient(ambient & ~(permitted & inheritable));
}

static int check_rlimits(const struct oci_process *p, struct err *err)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *r = &p->rlimits[i];
		int number = rlimit_number(r->type);
		if (number < 0)
			err_set(err, ERR_INVALID, NULL, "wrong rlimit value: %.100s", r->type);
		else if (seen & UINT64_C(1) << number)
			err_set(err, ERR_INVALID, NULL, "%s is given twice", r->type);
		else if (r->soft > r->hard)
			err_set(err, ERR_INVALID, NULL,
				"the soft limit of %s is above the hard one", r->type);
		else {
			seen |= UINT64_C(1) << number;
			continue;
		}
		return err_in(err, "rlimits[%zu]", i);
	}
	return 0;
}

static const char *scheduler_problem(const struct oci_scheduler *s)
{
	bool fair = s->policy == OCI_SCHED_OTHER || s->policy == OCI_SCHED_BATCH;
	bool realtime = s->policy == OCI_SCHED_FIFO || s->policy == OCI_SCHED_RR;
	bool deadline = s->policy == OCI_SCHED_DEADLINE;

	if (s->policy == OCI_SCHED_ISO)
		return "SCHED_ISO isn't implemented by any Linux kernel";
	if (s->nice && *s->nice && !fair)
		return "nice is only for SCHED_OTHER and SCHED_BATCH";
	if (s->nice && (*s->nice < -20 || *s->nice > 19))
		return "nice must be -20 to 19";
	if (s->priority && *s->priority && !realtime)
		return "priority is only for SCHED_FIFO and SCHED_RR";
	if (realtime && (!s->priority || *s->priority < 1 || *s->priority > 99))
		return "SCHED_FIFO and SCHED_RR need a priority of 1 to 99";
	if (!deadline && (s->runtime || s->deadline || s->period))
		return "runtime, deadline and period are only for SCHED_DEADLINE";
	if (deadline && (!s->runtime || !s->deadline))
		return "SCHED_DEADLINE needs a runtime and a deadline";
	if (deadline && s->runtime > s->deadline)
		return "the runtime must not be above the deadline";
	if (deadline && s->period && s->deadline > s->period)
		return "the deadline must not be above the period";
	if (deadline && s->runtime < 1024)
		return "a runtime below 1024 ns is refused by the kernel";
	/* There is no property that holds the value to clamp to. */
	for (size_t i = 0; i < s->n_flags; i++)
		if (s->flags[i] == OCI_SCHED_UTIL_CLAMP_MIN ||
			s->flags[i] == OCI_SCHED_UTIL_CLAMP_MAX)
			return "SCHED_FLAG_UTIL_CLAMP_* can't be used: the specification has no value for it";
	return NULL;
}

static int check_affinity(const struct oci_cpu_affinity *a, struct err *err)
{
	const char *const lists[] = { a->initial, a->final };
	const char *const names[] = { "initial", "final" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		long at = lists[i] ? oci_list_check(lists[i]) : -1;
		if (at < 0)
			continue;
		err_set(err, ERR_INVALID, NULL, "\"%.100s\" is no list of CPUs (see byte %ld)",
			lists[i], at);
		return err_in(err, "execCPUAffinity.%s", names[i]);
	}
	return 0;
}

static int check_scheduling(const struct oci_process *p, struct err *err)
{
	const char *why = p->scheduler ? scheduler_problem(p->scheduler) : NULL;

	if (why)
		return invalid(err, "scheduler", why);
	if (p->io_priority &&
		(p->io_priority->priority < 0 || p->io_priority->priority >= IOPRIO_LEVELS))
		return invalid(err, "ioPriority.priority", "must be 0 to 7");
	if (p->oom_score_adj && (*p->oom_score_adj < -1000 || *p->oom_score_adj > 1000))
		return invalid(err, "oomScoreAdj", "must be -1000 to 1000");
	return p->exec_cpu_affinity ? check_affinity(p->exec_cpu_affinity, err) : 0;
}

int oci_process_check(const struct oci_process *p, const struct oci_spec *spec, struct err *err)
{
	const struct oci_box *box = p->console_size;

	if (p->n_args == 0)
		return invalid(err, "args", "args must not be empty");
	if (p->cwd[0] != '/') {
		err_set(err, ERR_INVALID, NULL, "Cwd must be an absolute path, \"%.200s\" is not",
			p->cwd);
		return err_in(err, "cwd");
	}
	if (box && (box->height > WINSIZE_MAX || box->width > WINSIZE_MAX))
		return invalid(err, "consoleSize", "height and width must be at most 65535");
	if (check_env(p->env, p->n_env, err) < 0 || check_user(&p->user, spec, err) < 0 ||
		check_rlimits(p, err) < 0 || check_scheduling(p, err) < 0)
		return -1;
	if (p->capabilities)
		check_capabilities(p->capabilities);
	return 0;
}

/* ---- mounts ---- */

/* What may be mounted beneath /proc: files that file systems like lxcfs replace, and nothing by
 * which a container could make itself another /proc. */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
};

static int check_proc(
	const struct oci_mount *m, const struct mount_opts *o, struct arena *arena, struct err *err)
{
	const char *path = path_clean(arena, m->destination);
	const char *source = m->source ? path_clean(arena, m->source) : NULL;

	if (!path || (m->source && !source))
		return err_nomem(err);
	if (!path_is_under(path, "/proc"))
		return 0;
	if (str_eq(path, "/proc")) {
		bool is_proc =
			o->bind ? str_eq(source, "/proc") : o->remount || str_eq(m->type, "proc");
		/* Propagation alone changes no content. */
		if (is_proc || (!o->bind && o->propagation && !m->type))
			return 0;
		return err_set(
			err, ERR_INVALID, NULL, "only a proc file system can be mounted on /proc");
	}
	for (size_t i = 0; i < ARRAY_SIZE(proc_files); i++)
		if (o->bind && str_eq(path, proc_files[i]))
			return 0;
	return err_set(err, ERR_INVALID, NULL,
		"\"%.200s\" cannot be mounted because it is inside /proc", path);
}

static int check_mount(const struct oci_spec *spec, const struct oci_mount *m, struct arena *arena,
	struct err *err)
{
	struct mount_opts o;
	bool no_type = !m->type || str_eq(m->type, "none");

	if (!*m->destination)
		return invalid(err, "destination", "must not be empty");
	if (m->destination[0] != '/')
		log_warn("mounts: destination \"%s\" is relative; it is taken as \"/%s\"",
			m->destination, m->destination);
	if (mount_opts_parse(m, arena, &o, err) < 0)
		return -1;
	if (o.bind && !m->source && !o.remount)
		return err_set(err, ERR_INVALID, NULL, "a bind mount needs a source");
	if (!o.bind && !o.remount && no_type && !o.propagation)
		return err_set(
			err, ERR_INVALID, NULL, "type is missing, and it isn't a bind mount");
	if (oci_id_maps_check(m->uid_mappings, m->n_uid_mappings, err) < 0)
		return err_in(err, "uidMappings");
	if (oci_id_maps_check(m->gid_mappings, m->n_gid_mappings, err) < 0)
		return err_in(err, "gidMappings");
	if (o.idmap && !m->n_uid_mappings && !oci_namespace_get(spec, OCI_NS_USER))
		return err_set(err, ERR_INVALID, NULL,
			"idmap needs uidMappings and gidMappings, or a user namespace");
	return check_proc(m, &o, arena, err);
}

static int check_mounts(const struct oci_spec *spec, struct err *err)
{
	_arena_ struct arena *arena = arena_new();

	if (!arena)
		return err_nomem(err);
	for (size_t i = 0; i < spec->n_mounts; i++)
		if (check_mount(spec, &spec->mounts[i], arena, err) < 0)
			return err_in(err, "mounts[%zu]", i);
	return 0;
}

/* ---- the rest ---- */

static int check_hooks(const struct oci_hooks *hooks, struct err *err)
{
	for (int kind = 0; kind < OCI_HOOK_N; kind++) {
		size_t n;
		const struct oci_hook *list = oci_hooks_of(hooks, kind, &n);
		for (size_t i = 0; i < n; i++) {
			if (list[i].path[0] != '/')
				err_set(err, ERR_INVALID, NULL,
					"the path \"%.200s\" is not absolute", list[i].path);
			else if (list[i].timeout && *list[i].timeout <= 0)
				err_set(err, ERR_INVALID, NULL,
					"the timeout must be greater than 0");
			else if (list[i].timeout && *list[i].timeout > INT32_MAX)
				err_set(err, ERR_INVALID, NULL,
					"the timeout must be at most %d seconds", INT32_MAX);
			else
				continue;
			return err_in(err, "hooks.%s[%zu]", oci_hook_kind_name(kind), i);
		}
	}
	return 0;
}

/* "1.3.0", "1.0.2-dev", "1.1.0+x": three numbers, and the major one is ours. */
static int check_version(const char *version, struct err *err)
{
	const char *p = version;

	for (int part = 0; part < 3; part++) {
		size_t digits = strspn(p, "0123456789");
		if (digits == 0 || digits > 9)
			return invalid(err, "ociVersion", "is not a version like 1.2.0");
		if (part == 0 && (digits != 1 || *p != '1')) {
			err_set(err, ERR_UNSUPPORTED, NULL,
				"version %.40s isn't supported, only 1.x is", version);
			return err_in(err, "ociVersion");
		}
		p += digits;
		if (part < 2 && *p++ != '.')
			return invalid(err, "ociVersion", "is not a version like 1.2.0");
	}
	if (*p && *p != '-' && *p != '+')
		return invalid(err, "ociVersion", "is not a version like 1.2.0");
	return 0;
}

static int check_names(const struct oci_spec *spec, struct err *err)
{
	const struct {
		const char *name, *value;
	} names[] = { { "hostname", spec->hostname }, { "domainname", spec->domainname } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i].value)
			continue;
		if (strlen(names[i].value) > HOSTNAME_MAX)
			return invalid(err, names[i].name, "is longer than 64 bytes");
		if (!oci_namespace_get(spec, OCI_NS_UTS)) {
			err_set(err, ERR_INVALID, NULL,
				"unable to set %s without a private UTS namespace", names[i].name);
			return err_in(err, "%s", names[i].name);
		}
	}
	return 0;
}

/* Without a mount namespace of the container's own these would change the host. */
static int check_mount_namespace(const struct oci_spec *spec, struct err *err)
{
	if (oci_namespace_get(spec, OCI_NS_MOUNT))
		return 0;
	if (spec->n_mounts)
		return invalid(err, "mounts", "unable to mount without a private MNT namespace");
	if (spec->root->readonly)
		return invalid(err, "root.readonly",
			"unable to make the root read-only without a private MNT namespace");
	return 0;
}

int oci_spec_check(const struct oci_spec *spec, struct err *err)
{
	if (check_version(spec->oci_version, err) < 0)
		return -1;
	if (!spec->root)
		return invalid(err, "root", "the required property is missing");
	if (!*spec->root->path)
		return invalid(err, "root.path", "must not be empty");
	if (!spec->process)
		return invalid(err, "process", "process property must not be empty");
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (!*spec->annotations.items[i].key)
			return invalid(err, "annotations", "a key is empty");
	if (oci_linux_check(spec, err) < 0)
		return -1;
	if (oci_process_check(spec->process, spec, err) < 0)
		return err_in(err, "process");
	if (check_names(spec, err) < 0 || check_mount_namespace(spec, err) < 0 ||
		check_mounts(spec, err) < 0 || check_hooks(spec->hooks, err) < 0)
		return -1;
	return oci_refused_check(spec, err);
}
