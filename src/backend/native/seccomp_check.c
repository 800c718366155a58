/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile may say, what the kernel must be able to do for it, and the two ways to a filter
 * that don't need a cache. */
#include "backend/native/seccomp_int.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { ERRNO_MAX = 4095, TRACE_MAX = 65535, ARGS_MAX = 6, NAMES_MAX = 4096 };

static const struct {
	const char *name;
	uint32_t ret;
	uint32_t data_max; /* 0: errnoRet has no meaning */
	bool permits;
} actions[OCI_ACT_N] = {
	[OCI_ACT_KILL] = { "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	[OCI_ACT_KILL_PROCESS] = { "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	[OCI_ACT_KILL_THREAD] = { "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	[OCI_ACT_TRAP] = { "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
	[OCI_ACT_ERRNO] = { "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, ERRNO_MAX },
	[OCI_ACT_TRACE] = { "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, TRACE_MAX },
	[OCI_ACT_ALLOW] = { "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, .permits = true },
	[OCI_ACT_LOG] = { "SCMP_ACT_LOG", SECCOMP_RET_LOG, .permits = true },
	[OCI_ACT_NOTIFY] = { "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
};

uint32_t seccomp_ret(int action, const uint32_t *errno_ret)
{
	if (!actions[action].data_max)
		return actions[action].ret;
	return actions[action].ret | (errno_ret ? *errno_ret : EPERM);
}

bool seccomp_permits(int action)
{
	return actions[action].permits;
}

static int check_errno(int action, const uint32_t *errno_ret, const char *place, struct err *err)
{
	if (!errno_ret)
		return 0;
	if (!actions[action].data_max)
		return err_set(
			err, ERR_INVALID, place, "%s returns no errno", actions[action].name);
	if (*errno_ret > actions[action].data_max)
		return err_set(err, ERR_INVALID, place, "%u is too large: %s takes at most %u",
			*errno_ret, actions[action].name, actions[action].data_max);
	return 0;
}

/* init hands the listener over by writing and reading: a call that waits for the listener can't be
 * among these. */
static int check_notify(const struct oci_seccomp_rule *rule, struct err *err)
{
	for (size_t i = 0; i < rule->n_names; i++) {
		if (str_eq(rule->names[i], "write") || str_eq(rule->names[i], "read"))
			return err_set(err, ERR_INVALID, "names",
				"%s can't have SCMP_ACT_NOTIFY: the listener is handed over by it",
				rule->names[i]);
	}
	return 0;
}

static int check_rule(const struct oci_seccomp_rule *rule, struct err *err)
{
	if (rule->n_names == 0)
		return err_set(err, ERR_INVALID, "names", "must name at least one syscall");
	for (size_t i = 0; i < rule->n_names; i++) {
		if (!rule->names[i][0])
			return err_set(err, ERR_INVALID, "names", "a name is empty");
	}
	if (check_errno(rule->action, rule->errno_ret, "errnoRet", err) < 0)
		return -1;
	if (rule->n_args > ARGS_MAX)
		return err_set(err, ERR_INVALID, "args",
			"%zu conditions: a syscall has %d arguments", rule->n_args, ARGS_MAX);
	for (size_t i = 0; i < rule->n_args; i++) {
		if (rule->args[i].index >= ARGS_MAX) {
			err_set(err, ERR_INVALID, "index", "%u: arguments are counted from 0 to %d",
				rule->args[i].index, ARGS_MAX - 1);
			return err_in(err, "args[%zu]", i);
		}
	}
	return rule->action == OCI_ACT_NOTIFY ? check_notify(rule, err) : 0;
}

static bool has_notify(const struct oci_seccomp *s)
{
	for (size_t i = 0; i < s->n_syscalls; i++) {
		if (s->syscalls[i].action == OCI_ACT_NOTIFY)
			return true;
	}
	return false;
}

static int check_listener(const struct oci_seccomp *s, struct err *err)
{
	const struct sockaddr_un *un = NULL;
	bool path = s->listener_path && s->listener_path[0];

	if (s->default_action == OCI_ACT_NOTIFY)
		return err_set(err, ERR_INVALID, "defaultAction",
			"SCMP_ACT_NOTIFY can't be the default: calls that hand the listener over would wait for it");
	if (!path && s->listener_metadata && s->listener_metadata[0])
		return err_set(err, ERR_INVALID, "listenerMetadata", "needs a listenerPath");
	if (!path && has_notify(s))
		return err_set(err, ERR_INVALID, "listenerPath", "is needed for SCMP_ACT_NOTIFY");
	if (path && strlen(s->listener_path) >= sizeof(un->sun_path))
		return err_set(err, ERR_INVALID, "listenerPath",
			"is longer than the %zu bytes of a socket's name",
			sizeof(un->sun_path) - 1);
	return 0;
}

int seccomp_check(const struct oci_seccomp *s, struct err *err)
{
	size_t names = 0;

	if (check_errno(s->default_action, s->default_errno_ret, "defaultErrnoRet", err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_architectures; i++) {
		if (!seccomp_arch_find(s->architectures[i])) {
			err_set(err, ERR_INVALID, s->architectures[i],
				"is no architecture known to seccomp");
			return err_in(err, "architectures[%zu]", i);
		}
	}
	for (size_t i = 0; i < s->n_syscalls; i++) {
		names += s->syscalls[i].n_names;
		if (check_rule(&s->syscalls[i], err) < 0)
			return err_in(err, "syscalls[%zu]", i);
	}
	if (names > NAMES_MAX)
		return err_set(err, ERR_INVALID, "syscalls", "%zu names: at most %d are taken",
			names, NAMES_MAX);
	return check_listener(s, err);
}

/* ---- the kernel ---- */

/* A filter that isn't there: EFAULT means that the flags were accepted. */
static bool kernel_has_flags(unsigned flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static int check_action(int action, struct err *err)
{
	uint32_t ret = actions[action].ret;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &ret) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EINVAL)
		return err_sys(err, errno, "seccomp", "%s", actions[action].name);
	err_set(err, ERR_UNSUPPORTED, actions[action].name,
		"this kernel can't do it: it would kill instead");
	return err_hint(err,
		"SCMP_ACT_KILL_PROCESS and SCMP_ACT_LOG need Linux 4.14, SCMP_ACT_NOTIFY needs 5.0");
}

static int check_actions(const struct oci_seccomp *s, struct err *err)
{
	unsigned seen = 1U << s->default_action;

	for (size_t i = 0; i < s->n_syscalls; i++)
		seen |= 1U << s->syscalls[i].action;
	for (int i = 0; i < OCI_ACT_N; i++) {
		if (seen & 1U << i && check_action(i, err) < 0)
			return -1;
	}
	return 0;
}

static const struct {
	const char *name;
	unsigned flag;
	const char *since;
} flag_rows[OCI_SECCOMP_FLAG_N] = {
	[OCI_SECCOMP_TSYNC] = { "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC, "3.17" },
	[OCI_SECCOMP_LOG] = { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG, "4.14" },
	[OCI_SECCOMP_SPEC_ALLOW] = { "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
		SECCOMP_FILTER_FLAG_SPEC_ALLOW, "4.17" },
	[OCI_SECCOMP_WAIT_KILLABLE_RECV] = { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
		SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV | SECCOMP_FILTER_FLAG_NEW_LISTENER, "5.19" },
};

/* Names the flag that the kernel refuses. */
static int flags_error(const struct oci_seccomp *s, struct err *err)
{
	for (size_t i = 0; i < s->n_flags; i++) {
		if (!kernel_has_flags(flag_rows[s->flags[i]].flag)) {
			err_set(err, ERR_UNSUPPORTED, flag_rows[s->flags[i]].name, "needs Linux %s",
				flag_rows[s->flags[i]].since);
			return err_in(err, "flags[%zu]", i);
		}
	}
	return err_set(err, ERR_UNSUPPORTED, "flags", "this kernel refuses them together");
}

int seccomp_kernel_check(
	const struct oci_seccomp *s, struct seccomp_filter *filter, struct err *err)
{
	unsigned flags = 0;

	filter->notify = has_notify(s);
	for (size_t i = 0; i < s->n_flags; i++)
		flags |= flag_rows[s->flags[i]].flag;
	if (!s->has_flags && kernel_has_flags(SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	if (filter->notify)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	else /* how to wait for a listener: without one it has no meaning, and the kernel refuses it
	      */
		flags &= ~(unsigned)(SECCOMP_FILTER_FLAG_NEW_LISTENER |
				     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	/* Both answer in the return value; this makes TSYNC's an errno. */
	if (filter->notify && flags & SECCOMP_FILTER_FLAG_TSYNC)
		flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	if (check_actions(s, err) < 0)
		return -1;
	if (s->n_flags && !kernel_has_flags(flags))
		return flags_error(s, err);
	filter->flags = flags;
	return 0;
}

int seccomp_build(const struct oci_seccomp *s, struct arena *arena, struct seccomp_filter *ret,
	struct err *err)
{
	struct seccomp_filter filter = { 0 };

	if (seccomp_check(s, err) < 0 || seccomp_kernel_check(s, &filter, err) < 0)
		return -1;
	if (seccomp_compile(s, seccomp_arch_own(), arena, &filter.insns, &filter.n, err) < 0)
		return -1;
	*ret = filter;
	return 0;
}
