/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, capabilities, namespaces, scheduling: asked from the kernel after the plan. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_CHOWN   (1ULL << 0)
#define CAP_KILL    (1ULL << 5)
#define CAP_NET_RAW (1ULL << 13)

static uint64_t status_of(const char *key, int base)
{
	char *at = strstr(get_file("/proc/self/status"), key);

	CHECK(at, "%s", key);
	return strtoull(at + strlen(key), NULL, base);
}

static struct wire_step *add(struct frame *f, enum wire_op op, uint64_t a, uint64_t b, uint64_t c)
{
	struct wire_step *s = frame_step(f, op, NULL, NULL, NULL);

	s->a = a;
	s->b = b;
	s->c = c;
	return s;
}

/* ---- beginning ---- */

static void setup_signals(struct frame *f)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGRTMAX, SIG_IGN);
}

static void check_signals(struct frame *f)
{
	CHECK(status_of("SigBlk:\t", 16) == 0);
	CHECK(status_of("SigIgn:\t", 16) == 0);
	CHECK(!strcmp(get_file("/proc/self/comm"), "ctrctl-init\n"));
}

Test(process, begins_with_default_signals_and_an_empty_mask)
{
	struct frame *f = frame_new();

	f->setup = setup_signals;
	f->check = check_signals;
	add(f, OP_UMASK, 022, 0, 0);
	frame_pass(f);
}

/* ---- ids and capabilities ---- */

static void check_ids(struct frame *f)
{
	uid_t r, e, s;
	gid_t groups[4];

	CHECK(getresuid(&r, &e, &s) == 0 && r == 1000 && e == 1000 && s == 1000);
	CHECK(getresgid(&r, &e, &s) == 0 && r == 1001 && e == 1001 && s == 1001);
	CHECK(getgroups(4, groups) == 2 && groups[0] == 27 && groups[1] == 70000);
	CHECK(status_of("CapEff:\t", 16) == (CAP_CHOWN | CAP_NET_RAW));
	CHECK(status_of("CapPrm:\t", 16) == (CAP_CHOWN | CAP_KILL | CAP_NET_RAW));
	CHECK(status_of("CapInh:\t", 16) == CAP_NET_RAW);
	CHECK(status_of("CapBnd:\t", 16) == (CAP_CHOWN | CAP_KILL | CAP_NET_RAW));
	CHECK(status_of("CapAmb:\t", 16) == CAP_NET_RAW);
	CHECK(status_of("NoNewPrivs:\t", 10) == 1);
	CHECK(prctl(PR_GET_KEEPCAPS) == 0);
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
}

static void add_identity(struct frame *f)
{
	static const uint32_t groups[] = { 27, 70000 };

	add(f, OP_BOUNDING, CAP_CHOWN | CAP_KILL | CAP_NET_RAW, 0, 0);
	add(f, OP_IDS, 1000, 1001, 2)->s1 = frame_blob(f, groups, sizeof(groups));
	add(f, OP_CAPS, CAP_CHOWN | CAP_NET_RAW, CAP_CHOWN | CAP_KILL | CAP_NET_RAW, CAP_NET_RAW);
	add(f, OP_AMBIENT, CAP_NET_RAW, 0, 0);
	add(f, OP_NNP, 0, 0, 0);
}

Test(process, has_exactly_the_ids_and_capabilities_of_the_plan)
{
	struct frame *f = frame_new();

	f->check = check_ids;
	add_identity(f);
	frame_pass(f);
}

static void check_own_ids(struct frame *f)
{
	gid_t groups[4];

	CHECK(getuid() == 1000 && getgroups(4, groups) == 0);
	CHECK(status_of("CapEff:\t", 16) == 0 && status_of("CapInh:\t", 16) == 0);
}

static void setup_groups(struct frame *f)
{
	gid_t g = 27;

	CHECK(setgroups(1, &g) == 0);
}

Test(process, loses_the_groups_of_its_parent)
{
	struct frame *f = frame_new();

	f->setup = setup_groups;
	f->check = check_own_ids;
	add(f, OP_IDS, 1000, 1000, 0);
	add(f, OP_CAPS, 0, 0, 0);
	frame_pass(f);
}

static void check_kept_groups(struct frame *f)
{
	gid_t groups[4];

	CHECK(getgroups(4, groups) == 1 && groups[0] == 27);
}

Test(process, keeps_groups_only_when_told_so)
{
	struct frame *f = frame_new();

	f->setup = setup_groups;
	f->check = check_kept_groups;
	add(f, OP_IDS, 1000, 1000, 0)->flags = STEP_KEEP_GROUPS;
	frame_pass(f);
}

Test(process, with_capabilities_that_cannot_be_had_does_not_go_on)
{
	struct frame *f = frame_new();

	add(f, OP_BOUNDING, CAP_CHOWN, 0, 0);
	add(f, OP_CAPS, CAP_CHOWN, CAP_CHOWN, 0);
	add(f, OP_CAPS, CAP_CHOWN | CAP_KILL, CAP_CHOWN | CAP_KILL, 0);
	frame_fail(f, 2, EPERM);
	cr_assert(f->last.call == SYS_capset);
}

Test(process, with_ambient_capabilities_outside_of_its_sets_does_not_go_on)
{
	struct frame *f = frame_new();

	add(f, OP_CAPS, CAP_CHOWN, CAP_CHOWN, 0);
	add(f, OP_AMBIENT, CAP_CHOWN, 0, 0);
	frame_fail(f, 1, EPERM);
}

/* A uid that the kernel does not know as valid. */
Test(process, with_an_id_that_cannot_be_had_does_not_go_on)
{
	struct frame *f = frame_new();

	add(f, OP_CAPS, 0, 0, 0);
	add(f, OP_IDS, 1000, 1000, 0);
	frame_fail(f, 1, EPERM);
}

/* ---- attributes ---- */

static void check_attributes(struct frame *f)
{
	struct sched_param p;
	cpu_set_t set;

	CHECK(sched_getscheduler(0) == SCHED_BATCH);
	CHECK(sched_getparam(0, &p) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1 &&
		CPU_ISSET(0, &set));
	CHECK(syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 5));
	CHECK(syscall(SYS_personality, 0xffffffff) == 0x0008 /* PER_LINUX32 */);
	CHECK(getsid(0) == getpid());
}

Test(process, takes_the_attributes_of_the_plan)
{
	struct frame *f = frame_new();
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = { .size = sizeof(attr), .policy = SCHED_BATCH };
	uint64_t cpus = 1;

	f->check = check_attributes;
	add(f, OP_SCHED, 0, 0, 0)->s1 = frame_blob(f, &attr, sizeof(attr));
	add(f, OP_AFFINITY, sizeof(cpus), 0, 0)->s1 = frame_blob(f, &cpus, sizeof(cpus));
	add(f, OP_IOPRIO, 2 << 13 | 5, 0, 0);
	add(f, OP_PERSONALITY, 0x0008, 0, 0);
	add(f, OP_SETSID, 0, 0, 0);
	add(f, OP_SETSID, 0, 0, 0);
	frame_pass(f);
}

Test(process, reports_an_attribute_that_the_kernel_refuses)
{
	struct frame *f = frame_new();

	add(f, OP_IOPRIO, 7 << 13, 0, 0);
	frame_fail(f, 0, EINVAL);
	cr_assert(f->last.call == SYS_ioprio_set);
}

/* ---- namespaces ---- */

static void check_unshared(struct frame *f)
{
	char name[65] = "", domain[65] = "";

	CHECK(gethostname(name, sizeof(name)) == 0 && !strcmp(name, "db"));
	CHECK(getdomainname(domain, sizeof(domain)) == 0 && !strcmp(domain, "example"));
}

Test(process, names_its_own_uts_namespace)
{
	struct frame *f = frame_new();
	struct wire_step *s;
	char before[65] = "", after[65] = "";

	gethostname(before, sizeof(before));
	f->check = check_unshared;
	add(f, OP_UNSHARE, CLONE_NEWUTS, 0, 0);
	s = frame_step(f, OP_HOSTNAME, "dbxx", NULL, NULL);
	s->a = 2;
	s = frame_step(f, OP_DOMAINNAME, "example", NULL, NULL);
	s->a = 7;
	frame_pass(f);
	gethostname(after, sizeof(after));
	cr_assert_str_eq(before, after);
}

static void setup_join(struct frame *f)
{
	int fd;

	CHECK(unshare(CLONE_NEWUTS) == 0 && sethostname("other", 5) == 0);
	fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && dup2(fd, FD_A) == FD_A);
	CHECK(unshare(CLONE_NEWUTS) == 0 && sethostname("mine", 4) == 0);
}

static void check_joined(struct frame *f)
{
	char name[65] = "";

	CHECK(gethostname(name, sizeof(name)) == 0 && !strcmp(name, "other"), "%s", name);
	CHECK(fcntl(FD_A, F_GETFD) < 0);
}

Test(process, joins_a_namespace_by_fd)
{
	struct frame *f = frame_new();

	f->setup = setup_join;
	f->check = check_joined;
	add(f, OP_SETNS, CLONE_NEWUTS, 0, 0)->fd = FD_A;
	frame_pass(f);
}

Test(process, closes_what_is_closed_already_only_when_told_so)
{
	struct frame *f = frame_new();

	f->setup = setup_join;
	add(f, OP_CLOSE, 0, 0, 0)->fd = FD_A;
	add(f, OP_CLOSE, 0, 0, 0)->fd = FD_A;
	f->step[1].flags = STEP_SOFT;
	add(f, OP_CLOSE, 0, 0, 0)->fd = FD_A;
	frame_fail(f, 2, EBADF);
}

Test(process, refuses_a_namespace_of_another_kind)
{
	struct frame *f = frame_new();

	f->setup = setup_join;
	add(f, OP_SETNS, CLONE_NEWIPC, 0, 0)->fd = FD_A;
	frame_fail(f, 0, EINVAL);
}

Test(process, forks_a_child_of_its_parent_and_says_its_number_first, .timeout = 20)
{
	struct frame *f = frame_new();
	struct wire_msg m;
	int status;
	pid_t pid;

	add(f, OP_FORK, CLONE_NEWPID, 0, 0);
	add(f, OP_READY, 0, 0, 0);
	EXEC(f, "/bin/sh", "-c", "test $$ = 1 && exit 7");
	frame_start(f);
	cr_assert(frame_hear(f, &m, NULL) && m.kind == WIRE_CHILD && m.value > 0, "%u", m.kind);
	pid = (pid_t)m.value;
	cr_assert(waitpid(f->pid, &status, 0) == f->pid && status == 0);
	cr_assert(frame_hear(f, &m, NULL) && m.kind == WIRE_READY, "%u", m.kind);
	frame_go(f);
	cr_assert(!frame_hear(f, &m, NULL));
	cr_assert(waitpid(pid, &status, 0) == pid, "it is our child");
	cr_assert(WEXITSTATUS(status) == 7);
}

static void check_loopback(struct frame *f)
{
	struct ifreq_min {
		char name[16];
		short flags;
		char pad[22];
	} r = { "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(syscall(SYS_ioctl, s, 0x8913 /* SIOCGIFFLAGS */, &r) == 0 && (r.flags & IFF_UP));
}

static struct frame *loopback(int index)
{
	struct frame *f = frame_new();
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = { { sizeof(m), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ .ifi_family = AF_UNSPEC,
			.ifi_index = index,
			.ifi_flags = IFF_UP,
			.ifi_change = IFF_UP } };

	f->ns = CLONE_NEWNET;
	add(f, OP_NETLINK, sizeof(m), 1, 0)->s1 = frame_blob(f, &m, sizeof(m));
	return f;
}

Test(process, brings_loopback_up)
{
	struct frame *f = loopback(1);

	f->check = check_loopback;
	frame_pass(f);
}

Test(process, reports_what_netlink_refuses)
{
	frame_fail(loopback(77), 0, ENODEV);
}

static void check_keyring(struct frame *f)
{
	char text[128] = "";

	CHECK(syscall(SYS_keyctl, 6 /* DESCRIBE */, -3 /* session */, text, sizeof(text)) > 0);
	CHECK(strstr(text, ";_ses.web1"), "%s", text);
}

Test(process, joins_a_session_keyring_of_its_own)
{
	struct frame *f = frame_new();

	f->check = check_keyring;
	frame_step(f, OP_KEYRING, "_ses.web1", NULL, NULL);
	frame_pass(f);
}

/* ---- user namespace ---- */

static void setup_userns(struct frame *f)
{
	CHECK(setgid(1000) == 0 && setgroups(0, NULL) == 0);
}

static void check_root(struct frame *f)
{
	CHECK(getuid() == 0 && getgid() == 0 && status_of("CapInh:\t", 16) == 0 &&
		status_of("CapAmb:\t", 16) == 0);
}

Test(process, becomes_root_with_nothing_inheritable)
{
	struct frame *f = frame_new();

	f->setup = setup_userns;
	f->check = check_root;
	add(f, OP_CAPS, UINT64_C(0x1fe), UINT64_C(0x1fe), UINT64_C(0x1fe));
	add(f, OP_AMBIENT, CAP_KILL, 0, 0);
	add(f, OP_BE_ROOT, 0, 0, 0);
	frame_pass(f);
}
