/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to the process itself: namespaces, ids, capabilities, scheduling. */
#include "init.h"

#define SIGNALS 64

/* What execve of init has left over: dispositions that were ignored, a mask, a name, a umask. */
void process_begin(void)
{
	static const uint64_t zero[8]; /* struct sigaction of the kernel: SIG_DFL, no flags */
	long old;

	for (int i = 1; i <= SIGNALS; i++)
		if (i != SIGKILL && i != SIGSTOP)
			SYS4(rt_sigaction, i, zero, 0, 8);
	SYS4(rt_sigprocmask, 2 /* SIG_SETMASK */, zero, 0, 8);
	SYS2(prctl, PR_SET_NAME, "ctrctl-init");
	/* Modes of steps are meant exactly; the process gets its umask at the end. */
	old = SYS1(umask, 0);
	G.umask = (uint32_t)old;
}

/* A change of credentials may undo both. */
void process_hide(void)
{
	SYS2(prctl, PR_SET_DUMPABLE, 0);
	if (!G.committed)
		SYS2(prctl, PR_SET_PDEATHSIG, SIGKILL);
}

/* Closes everything from `first` on but one, really: execve looks its file up before CLOEXEC takes
 * effect. */
long process_shed(int first, int keep)
{
	long r = 0;

	if (keep < first)
		return SYS3(close_range, first, ~0U, 0);
	if (keep > first)
		r = SYS3(close_range, first, keep - 1, 0);
	return r < 0 ? r : SYS3(close_range, keep + 1, ~0U, 0);
}

/* ---- namespaces ---- */

static long entered(long r, uint64_t kinds)
{
	if (r < 0)
		return r;
	if (kinds & CLONE_NEWNS)
		root_forget();
	process_hide();
	return 0;
}

long process_setns(const struct wire_step *s)
{
	long r = SYS2(setns, s->fd, s->a);

	close_fd(s->fd);
	return entered(r, s->a ? s->a : CLONE_NEWNS);
}

long process_setns_pidfd(const struct wire_step *s)
{
	return entered(SYS2(setns, s->fd, s->a), s->a);
}

long process_unshare(const struct wire_step *s)
{
	return entered(SYS1(unshare, s->a), s->a);
}

/*
 * The child is the parent's own child (CLONE_PARENT); this process says its number and is gone. The
 * child waits for that end, so that nothing it says can come first.
 */
long process_fork(const struct wire_step *s)
{
	struct wire_msg m = { .kind = WIRE_CHILD };
	int end[2];
	char c;
	long r = SYS2(pipe2, end, O_CLOEXEC), pid;

	if (r < 0)
		return r;
	pid = SYS5(clone, s->a | CLONE_PARENT, 0, 0, 0, 0);
	if (pid < 0)
		return pid;
	if (pid > 0) {
		m.value = pid;
		r = talk_send(G.report_fd, &m, -1);
		for (;;)
			SYS1(exit_group, r < 0);
	}
	process_hide();
	close_fd(end[1]);
	do
		r = SYS3(read, end[0], &c, 1);
	while (r == -EINTR);
	close_fd(end[0]);
	return r;
}

/* ---- capabilities ---- */

struct caps {
	uint64_t effective, permitted, inheritable;
};

static long caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	long r = SYS2(capget, &h, d);

	if (r < 0)
		return r;
	c->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	c->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	c->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static long caps_set(const struct caps *c)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)c->effective, (uint32_t)c->permitted, (uint32_t)c->inheritable },
		{ (uint32_t)(c->effective >> 32), (uint32_t)(c->permitted >> 32),
			(uint32_t)(c->inheritable >> 32) },
	};

	return SYS2(capset, &h, d);
}

long process_caps(const struct wire_step *s)
{
	struct caps want = { s->a, s->b, s->c }, have = { 0 };
	long r = caps_set(&want);

	if (r == 0)
		r = caps_get(&have);
	if (r < 0)
		return r;
	process_hide();
	if (have.effective != want.effective || have.permitted != want.permitted ||
		have.inheritable != want.inheritable)
		return fail(__NR_capset, EPERM);
	return 0;
}

long process_bounding(const struct wire_step *s)
{
	for (unsigned c = 0; c < 64; c++) {
		long r;

		if (s->a >> c & 1)
			continue;
		r = SYS2(prctl, PR_CAPBSET_DROP, c);
		if (r == -EINVAL) /* past the kernel's last one */
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static long ambient(unsigned what, unsigned cap)
{
	return SYS5(prctl, PR_CAP_AMBIENT, what, cap, 0, 0);
}

long process_ambient(const struct wire_step *s)
{
	long r = ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0);

	for (unsigned c = 0; c < 64 && r == 0; c++) {
		if (!(s->a >> c & 1))
			continue;
		r = ambient(PR_CAP_AMBIENT_RAISE, c);
		if (r == 0 && ambient(PR_CAP_AMBIENT_IS_SET, c) != 1)
			r = fail(__NR_prctl, EPERM);
	}
	return r;
}

long process_nnp(const struct wire_step *s)
{
	return SYS5(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* ---- ids ---- */

long process_be_root(const struct wire_step *s)
{
	struct caps c;
	long r = SYS3(setresgid, 0, 0, 0);

	if (r == 0)
		r = SYS2(setgroups, 0, 0);
	if (r == -EPERM && s->flags & STEP_SOFT && sys_failed == __NR_setgroups)
		r = 0;
	if (r == 0)
		r = SYS3(setresuid, 0, 0, 0);
	if (r == 0)
		r = ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0);
	if (r == 0)
		r = caps_get(&c);
	c.inheritable = 0;
	if (r == 0)
		r = caps_set(&c);
	process_hide();
	return r;
}

long process_ids(const struct wire_step *s)
{
	long r = SYS2(prctl, PR_SET_KEEPCAPS, 1);

	if (r == 0 && !(s->flags & STEP_KEEP_GROUPS))
		r = SYS2(setgroups, s->c, s->c ? text_at(s->s1) : NULL);
	if (r == 0)
		r = SYS3(setresgid, s->b, s->b, s->b);
	if (r == 0)
		r = SYS3(setresuid, s->a, s->a, s->a);
	if (r == 0)
		r = SYS2(prctl, PR_SET_KEEPCAPS, 0);
	process_hide();
	return r;
}

/* ---- the rest ---- */

long process_close(const struct wire_step *s)
{
	long r = SYS1(close, s->fd);

	return r == -EBADF && s->flags & STEP_SOFT ? 0 : r;
}

long process_hostname(const struct wire_step *s)
{
	return SYS2(sethostname, text_at(s->s1), s->a);
}

long process_domainname(const struct wire_step *s)
{
	return SYS2(setdomainname, text_at(s->s1), s->a);
}

long process_setsid(const struct wire_step *s)
{
	long r = SYS0(setsid);

	if (r == -EPERM && SYS1(getsid, 0) == SYS0(getpid))
		return 0; /* leads one already */
	return r < 0 ? r : 0;
}

long process_umask(const struct wire_step *s)
{
	G.umask = (uint32_t)s->a;
	return 0;
}

long process_personality(const struct wire_step *s)
{
	long r = SYS1(personality, s->a);

	return r < 0 ? r : 0;
}

long process_sched(const struct wire_step *s)
{
	return SYS3(sched_setattr, 0, text_at(s->s1), 0);
}

long process_ioprio(const struct wire_step *s)
{
	return SYS3(ioprio_set, 1 /* WHO_PROCESS */, 0, s->a);
}

long process_affinity(const struct wire_step *s)
{
	return SYS3(sched_setaffinity, 0, s->a, text_at(s->s1));
}

long process_mempolicy(const struct wire_step *s)
{
	return SYS3(set_mempolicy, s->a, s->b ? text_at(s->s1) : NULL, s->b);
}
