/* SPDX-License-Identifier: Apache-2.0 */
/* The plan itself: packing, and what an error of init is told as. */
#include "plan-common.h"

#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

static const char config[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/srv\",\"args\":[\"prog\",\"\"],"
	"\"env\":[\"A=b\"],\"user\":{\"uid\":3,\"gid\":4}},\"hooks\":{\"createContainer\":[{\"path\":\"/h\"}]},"
	"\"mounts\":[{\"destination\":\"/data\",\"type\":\"ceph\"},{\"destination\":\"/f\",\"source\":\"/x\",\"options\":[\"bind\"]}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"}],\"sysctl\":{\"net.foo\":\"1\"},\"maskedPaths\":[\"/m\"]}}";

/* ---- packing ---- */

struct packed {
	struct planned p;
	struct str text;
	const struct wire_plan *wire;
};

static void pack(struct packed *k, int fd)
{
	struct err err = ERR_INIT;
	int fds[32];

	*k = (struct packed){ 0 };
	planned_init(&k->p, config);
	free(planned_create(&k->p));
	cr_assert_leq(k->p.plan.n_sources, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = i == 1 ? fd : 900 + (int)i;
	cr_assert_eq(plan_pack(&k->p.plan, fds, 700, -1, 701, &k->text, &err), 0);
	k->wire = (const void *)k->text.p;
}

static const char *pool(const struct packed *k, uint32_t at)
{
	return k->text.p + k->wire->strings + at;
}

static void unpack(struct packed *k)
{
	planned_done(&k->p);
	str_done(&k->text);
}

Test(plan_pack, holds_what_the_plan_holds)
{
	struct packed k;

	pack(&k, -1);
	cr_expect_eq(k.wire->magic, WIRE_MAGIC);
	cr_expect_eq(k.wire->size, k.text.n);
	cr_expect_eq(k.wire->n_steps, k.p.plan.n_steps);
	cr_expect(k.wire->ctl_fd == 700 && k.wire->trace_fd == -1 && k.wire->hook_fd == 701);
	cr_expect_eq(*pool(&k, 0), 0, "offset 0 is the empty text");
	cr_expect_eq(k.wire->argc, 2);
	cr_expect_str_eq(pool(&k, k.wire->argv), "prog");
	cr_expect_str_eq(pool(&k, k.wire->argv) + 5, "", "an empty argument is one too");
	cr_expect_str_eq(pool(&k, k.wire->envp), "A=b");
	for (size_t i = 0; i < k.p.plan.n_steps; i++) {
		const struct plan_step *s = &k.p.plan.steps[i];
		const struct wire_step *w = &k.wire->step[i];
		cr_expect_eq(w->op, s->op);
		cr_expect_eq(w->fd, s->source < 0 ? -1 : s->source == 1 ? -1 : 900 + s->source);
		cr_expect_eq(w->a, s->a);
		if (s->s1 && !s->n1)
			cr_expect_str_eq(pool(&k, w->s1), s->s1);
		if (s->s1 && s->n1)
			cr_expect_eq(memcmp(pool(&k, w->s1), s->s1, s->n1), 0);
	}
	unpack(&k);
}

Test(plan_pack, gives_a_mask_both_fds_and_a_hook_its_state)
{
	struct packed k;

	pack(&k, -1);
	const struct plan_step *mask = &k.p.plan.steps[planned_find(&k.p, OP_MASK, 0)];
	const struct wire_step *w = &k.wire->step[planned_find(&k.p, OP_MASK, 0)];
	cr_expect_eq(w->fd, 900 + mask->source);
	cr_expect_eq(w->c, 900 + mask->source2);
	w = &k.wire->step[planned_find(&k.p, OP_HOOK, 0)];
	cr_expect_str_eq(
		pool(&k, (uint32_t)w->c), ",\"status\":\"creating\",\"bundle\":\"/bundles/web\"}");
	cr_expect_str_eq(
		pool(&k, k.wire->state_head), "{\"ociVersion\":\"1.2.0\",\"id\":\"web1\",\"pid\":");
	unpack(&k);
}

Test(plan_pack, makes_a_missing_target_like_its_source)
{
	struct packed k;
	_close_ int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int file = open("/dev/null", O_PATH | O_CLOEXEC);

	pack(&k, dir);
	const struct wire_step *w = &k.wire->step[planned_find(&k.p, OP_ATTACH, 0)];
	cr_expect_eq(w->flags & (STEP_MAKE_DIR | STEP_MAKE_FILE), STEP_MAKE_DIR);
	unpack(&k);
	pack(&k, file);
	w = &k.wire->step[planned_find(&k.p, OP_ATTACH, 0)];
	cr_expect_eq(w->flags & (STEP_MAKE_DIR | STEP_MAKE_FILE), STEP_MAKE_FILE);
	unpack(&k);
}

/* ---- errors ---- */

struct told {
	char line[1024], hint[256];
	enum err_code code;
};

static struct told tell(enum wire_op op, int os, uint32_t call, int64_t value, const char *text)
{
	_planned_ struct planned p;
	struct err err = ERR_INIT;
	struct wire_msg m = { .kind = WIRE_ERROR, .err = os, .call = call, .value = value };
	struct told told;

	planned_init(&p, config);
	free(planned_create(&p));
	int step = planned_find(&p, op, 0);
	cr_assert_geq(step, 0);
	m.step = (uint32_t)step;
	snprintf(m.text, sizeof(m.text), "%s", text);
	cr_assert_eq(plan_error(&p.plan, &m, &err), -1);
	err_line(&err, told.line, sizeof(told.line));
	snprintf(told.hint, sizeof(told.hint), "%s", err.hint);
	told.code = err.code;
	return told;
}

Test(plan_error, names_call_object_place_and_a_way_out)
{
	struct told t = tell(OP_FSMOUNT, ENODEV, SYS_fsopen, 0, "");

	cr_expect_str_eq(t.line, "mounts[0]: fsopen(ceph on /data): No such device");
	cr_expect_str_eq(t.hint,
		"the kernel has no file system \"ceph\"; load its module or change the mount's type (/proc/filesystems lists them)");
	cr_expect_eq(t.code, ERR_UNSUPPORTED);
}

Test(plan_error, passes_on_what_the_kernel_says)
{
	struct told t = tell(OP_FSMOUNT, EINVAL, SYS_fsconfig, 0, "tmpfs: Bad value for 'size'");

	cr_expect_str_eq(t.line,
		"mounts[0]: fsconfig(ceph on /data): Invalid argument: tmpfs: Bad value for 'size'");
}

Test(plan_error, says_which_source_was_to_go_where)
{
	struct told t = tell(OP_ATTACH, ENOTDIR, SYS_move_mount, 0, "");

	cr_expect_str_eq(t.line, "mounts[1]: move_mount(/x on /f): Not a directory");
	cr_expect(strstr(t.hint, "not a directory: "), "engines look for these words: %s", t.hint);
}

Test(plan_error, of_a_file_on_a_folder_has_the_words_that_engines_look_for)
{
	struct told t = tell(OP_ATTACH, EINVAL, SYS_move_mount, 0, "");

	cr_expect(strstr(t.line, "move_mount(/x on /f)") && strstr(t.line, "not a directory"), "%s",
		t.line);
}

Test(plan_error, of_a_missing_program_is_the_one_that_engines_know)
{
	struct told t = tell(OP_FIND_EXEC, ENOENT, SYS_openat2, 0, "");

	cr_expect_str_eq(
		t.line, "process.args[0]: exec: \"prog\": executable file not found in $PATH");
	cr_expect_eq(t.code, ERR_NOT_FOUND);
	t = tell(OP_FIND_EXEC, EACCES, SYS_faccessat2, 0, "");
	cr_expect_str_eq(t.line, "process.args[0]: exec: \"prog\": permission denied");
}

Test(plan_error, of_execve_keeps_the_words_of_the_kernel)
{
	struct told t = tell(OP_EXEC, ENOENT, SYS_execve, 0, "");

	cr_expect_str_eq(t.line, "process.args[0]: execve(prog): No such file or directory");
	cr_expect(strstr(t.hint, "interpreter"));
	t = tell(OP_EXEC, ENOEXEC, SYS_execve, 0, "");
	cr_expect(strstr(t.line, "Exec format error"), "%s", t.line);
}

Test(plan_error, of_anything_else_never_sounds_like_a_missing_program)
{
	for (enum wire_op op = OP_NONE; op < OP_N; op++) {
		_planned_ struct planned p;
		planned_init(&p, config);
		free(planned_create(&p));
		if (op == OP_FIND_EXEC || op == OP_EXEC || planned_find(&p, op, 0) < 0)
			continue;
		uint32_t call = op == OP_HOOK ? SYS_execve : SYS_openat2;
		struct told t = tell(op, ENOENT, call, 0, "");
		cr_expect_null(
			strcasestr(t.line, "no such file"), "%s: %s", plan_op_name(op), t.line);
		t = tell(op, EACCES, call, 0, "");
		cr_expect_null(strcasestr(t.line, "permission denied"), "%s: %s", plan_op_name(op),
			t.line);
	}
}

Test(plan_error, of_a_hook_says_how_it_ended)
{
	struct told t = tell(OP_HOOK, ECANCELED, SYS_wait4, 3 << 8, "");

	cr_expect_str_eq(t.line, "hooks.createContainer[0]: /h: the hook ended with exit status 3");
	t = tell(OP_HOOK, ECANCELED, SYS_wait4, 9, "");
	cr_expect_str_eq(t.line, "hooks.createContainer[0]: /h: the hook was killed by signal 9");
	t = tell(OP_HOOK, ETIMEDOUT, SYS_ppoll, 0, "");
	cr_expect_eq(t.code, ERR_TIMEOUT);
}

Test(plan_error, of_a_sysctl_names_it)
{
	struct told t = tell(OP_SYSCTL, ENOENT, SYS_openat2, 0, "");

	cr_expect_str_eq(t.line, "linux.sysctl[\"net.foo\"]: openat2(net/foo = 1): is missing");
	cr_expect_str_eq(t.hint, "the kernel has no sysctl net/foo in this namespace");
}

Test(plan_error, of_a_node_that_is_something_else_says_so)
{
	struct told t = tell(OP_MKNOD, EEXIST, SYS_mknodat, 0, "");

	cr_expect_str_eq(
		t.line, "/dev/null: is there already, as something else than the device asked for");
}

Test(plan_error, before_the_first_step_is_told_too)
{
	struct planned p;
	struct err err = ERR_INIT;
	const struct wire_msg m = { .kind = WIRE_ERROR, .step = UINT32_MAX, .err = ENOEXEC };

	planned_init(&p, config);
	cr_expect_eq(plan_error(&p.plan, &m, &err), -1);
	cr_expect_eq(err.os, ENOEXEC);
	planned_done(&p);
}

Test(plan_text, has_a_name_for_every_op_and_source)
{
	for (enum wire_op op = OP_NONE; op < OP_N; op++)
		cr_expect(plan_op_name(op), "op %d has no name", op);
	for (enum source_kind kind = SRC_NONE; kind < SRC_KIND_N; kind++)
		cr_expect(plan_source_name(kind), "source kind %d has no name", kind);
	cr_expect_str_eq(plan_op_name(OP_N), "unknown");
}
