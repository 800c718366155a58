/* SPDX-License-Identifier: Apache-2.0 */
/* In which order a container is set up: what the runtime specification and the kernel demand, for
 * every golden configuration. */
#include "plan-common.h"

#include "base/fd.h"
#include "base/sys.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sched.h>
#include <string.h>

/* Of two ops, every step of the first comes before every step of the second. */
static const struct {
	enum wire_op first, second;
	const char *why;
} rules[] = {
	{ OP_SETNS_PIDFD, OP_FORK, "only a child is in the joined pid namespace" },
	{ OP_FORK, OP_GO, "maps are written for the process that stays" },
	{ OP_GO, OP_BE_ROOT, "uid 0 has no map before" },
	{ OP_BE_ROOT, OP_KEYRING, "the keyring belongs to the container's root" },
	{ OP_BE_ROOT, OP_PROPAGATE, "mounts are made with the container's root" },
	{ OP_PROPAGATE, OP_ROOT, "else the root would be mounted on the host too" },
	{ OP_ROOT, OP_FSMOUNT, "mounts lie in the root" },
	{ OP_ROOT, OP_ATTACH, "mounts lie in the root" },
	{ OP_FSMOUNT, OP_MKNOD, "nodes lie in the mounted /dev" },
	{ OP_MKNOD, OP_HOOK, "createContainer hooks see the finished mounts" },
	{ OP_ATTACH, OP_HOOK, "createContainer hooks see the finished mounts" },
	{ OP_FSMOUNT, OP_PIVOT, "the specification: mounts, then pivot_root" },
	{ OP_ATTACH, OP_PIVOT, "sources of the host are attached while it is there" },
	{ OP_SYMLINK, OP_PIVOT, "the specification: devices, then pivot_root" },
	{ OP_HOSTNAME, OP_SYSCTL, "a sysctl may be about the name" },
	{ OP_SYSCTL, OP_PIVOT, "a procfs can be had while the host's is visible" },
	{ OP_PIVOT, OP_MASK, "a mask is put on what the container sees" },
	{ OP_PIVOT, OP_BIND, "a read-only path is one of the container's" },
	{ OP_PIVOT, OP_CONSOLE, "the terminal is one of the container's" },
	{ OP_PIVOT, OP_STDIO, "/dev/null is the container's" },
	{ OP_SETSID, OP_CONSOLE, "only a session leader gets a terminal" },
	{ OP_MKDIR, OP_MASK, "folders are made while that is possible" },
	{ OP_MASK, OP_CWD, "a folder entered before would lie beneath the mask" },
	{ OP_BIND, OP_CWD, "a folder entered before would still be writable" },
	{ OP_CONSOLE, OP_BIND, "/dev/console may have to be made" },
	{ OP_SCHED, OP_IDS, "needs CAP_SYS_NICE" },
	{ OP_IOPRIO, OP_IDS, "needs CAP_SYS_NICE" },
	{ OP_BOUNDING, OP_IDS, "needs CAP_SETPCAP" },
	{ OP_BOUNDING, OP_CAPS, "needs CAP_SETPCAP" },
	{ OP_LABEL, OP_NNP, "no_new_privs limits changes of label" },
	{ OP_LABEL, OP_IDS, "the label is written with privileges" },
	{ OP_IDS, OP_CAPS, "changing ids takes capabilities away" },
	{ OP_CAPS, OP_AMBIENT, "ambient must be permitted and inheritable" },
	{ OP_CAPS, OP_NNP, "privileges first, then their end" },
	{ OP_NNP, OP_FIND_EXEC, "nothing is left to do with privileges" },
	{ OP_IDS, OP_FIND_EXEC, "the user must be able to execute it" },
	{ OP_FIND_EXEC, OP_READY, "a missing program fails create, not start" },
	{ OP_CONSOLE, OP_READY, "the terminal is handed over by create" },
	{ OP_READY, OP_GATE, "created, then started" },
	{ OP_PROC_DONE, OP_READY, "a waiting init holds no procfs" },
	{ OP_CLOSE, OP_READY, "a waiting init holds no mounts" },
	{ OP_GATE, OP_RLIMIT, "a low limit would break the set-up" },
	{ OP_RLIMIT, OP_SECCOMP, "a filter may forbid prlimit" },
	{ OP_NNP, OP_SECCOMP, "the filter is the last but for the exec" },
	{ OP_AMBIENT, OP_SECCOMP, "a filter may forbid capset and prctl" },
	{ OP_GATE, OP_SECCOMP, "a filter may forbid accept" },
	{ OP_SECCOMP, OP_EXEC, "the program runs under the filter" },
};

static void check(const struct planned *p, const char *name, int *ret_tested)
{
	for (size_t r = 0; r < ARRAY_SIZE(rules); r++) {
		int first = -1, second = planned_find(p, rules[r].second, 0);
		for (int i = 0, at; (at = planned_find(p, rules[r].first, i)) >= 0; i++)
			first = at;
		/* Several ops come both before and after the pivot; the startContainer hooks are
		 * looked at apart. */
		if (rules[r].second == OP_HOOK && second > planned_find(p, OP_GATE, 0))
			continue;
		if (first < 0 || second < 0)
			continue;
		ret_tested[r]++;
		cr_expect(first < second, "%s: %s must come before %s: %s", name,
			plan_op_name(rules[r].first), plan_op_name(rules[r].second), rules[r].why);
	}
}

static void check_file(const char *name, int *ret_tested)
{
	struct err err = ERR_INIT;
	_free_ char *json = NULL;
	_free_ char *path = strf("%s/configs/%s", GOLDEN, name);
	_planned_ struct planned p;
	size_t n = 0;

	cr_assert_eq(file_read(AT_FDCWD, path, 1 << 20, &json, &n, &err), 0);
	planned_init(&p, json);
	p.facts.selinux = true;
	_free_ char *text = planned_create(&p);
	check(&p, name, ret_tested);
	plan_init(&p.plan, p.arena);
	_free_ char *exec =
		planned_exec(&p, &(struct plan_exec){ .differ = CLONE_NEWPID | CLONE_NEWNS });
	check(&p, name, ret_tested);
}

Test(plan_order, is_the_one_that_specification_and_kernel_demand)
{
	_free_ char *folder = strf("%s/configs", GOLDEN);
	_closedir_ DIR *d = opendir(folder);
	int tested[ARRAY_SIZE(rules)] = { 0 };

	cr_assert(d);
	for (struct dirent *e; (e = readdir(d));)
		if (str_ends(e->d_name, ".json"))
			check_file(e->d_name, tested);
	for (size_t r = 0; r < ARRAY_SIZE(rules); r++)
		cr_expect(tested[r] || rules[r].second == OP_GO,
			"no configuration has both %s and %s", plan_op_name(rules[r].first),
			plan_op_name(rules[r].second));
}

#define SPEC(more)                                                                                                                 \
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]," \
	"\"user\":{\"uid\":0,\"gid\":0}}," more                                                                                    \
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}"

Test(plan_order, keeps_mounts_as_they_are_listed)
{
	_planned_ struct planned p;
	const char *const targets[] = { "/z", "/a", "/z/sub", "/proc" };
	size_t found = 0;

	planned_init(&p,
		SPEC("\"mounts\":[{\"destination\":\"/z\",\"type\":\"tmpfs\"},"
		     "{\"destination\":\"/a\",\"source\":\"/x\",\"options\":[\"bind\"]},"
		     "{\"destination\":\"/z/sub\",\"type\":\"tmpfs\"},{\"destination\":\"/proc\",\"type\":\"proc\"}],"));
	_free_ char *text = planned_create(&p);
	for (size_t i = 0; i < p.plan.n_steps; i++) {
		const struct plan_step *s = &p.plan.steps[i];
		if (s->op != OP_FSMOUNT && s->op != OP_ATTACH)
			continue;
		cr_assert_lt(found, ARRAY_SIZE(targets));
		cr_expect_str_eq(s->op == OP_FSMOUNT ? s->s3 : s->s1, targets[found++]);
	}
	cr_expect_eq(found, ARRAY_SIZE(targets));
}

Test(plan_order, makes_the_root_read_only_after_all_that_is_made_in_it)
{
	_planned_ struct planned p;
	int readonly = -1;

	planned_init(&p, SPEC(""));
	_free_ char *text = planned_create(&p);
	for (int i = 0, at; (at = planned_find(&p, OP_SETATTR, i)) >= 0; i++)
		if (str_eq(p.plan.steps[at].s1, "/") && p.plan.steps[at].a == MOUNT_ATTR_RDONLY)
			readonly = at;
	cr_assert_geq(readonly, 0);
	for (size_t i = (size_t)readonly; i < p.plan.n_steps; i++) {
		enum wire_op op = p.plan.steps[i].op;
		cr_expect(op != OP_MKDIR && op != OP_MKNOD && op != OP_SYMLINK && op != OP_ATTACH &&
				  op != OP_FSMOUNT &&
				  !(p.plan.steps[i].flags & (STEP_MAKE_DIR | STEP_MAKE_FILE)),
			"%s after the root is read-only", plan_op_name(op));
	}
}

Test(plan_order, runs_startContainer_hooks_between_gate_and_filter)
{
	_planned_ struct planned p;

	planned_init(&p,
		"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],"
		"\"user\":{\"uid\":0,\"gid\":0}},\"hooks\":{\"createContainer\":[{\"path\":\"/c\"}],"
		"\"startContainer\":[{\"path\":\"/s\"}]},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
		"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}");
	_free_ char *text = planned_create(&p);
	int create = planned_find(&p, OP_HOOK, 0), start = planned_find(&p, OP_HOOK, 1);
	cr_assert(create >= 0 && start >= 0);
	cr_expect_lt(create, planned_find(&p, OP_PIVOT, 0));
	cr_expect_gt(start, planned_find(&p, OP_GATE, 0));
	cr_expect_lt(start, planned_find(&p, OP_SECCOMP, 0));
}
