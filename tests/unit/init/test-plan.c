/* SPDX-License-Identifier: Apache-2.0 */
/* Broken plans are refused before anything happens, and never read beyond their end. */
#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 200000

static struct frame *sample(void)
{
	struct frame *f = frame_new();
	struct wire_step *s;

	s = frame_step(f, OP_FSMOUNT, "tmpfs", NULL, "/data");
	s->s2 = LIST(f, "size", "64k", "mode", "755");
	s->a = 2;
	s = frame_step(f, OP_MKNOD, "/dev", "null", NULL);
	s = frame_step(f, OP_SYMLINK, "/dev", "fd", "/proc/self/fd");
	s->flags = STEP_ELSE;
	s = frame_step(f, OP_HOSTNAME, "web1", NULL, NULL);
	s->a = 4;
	s = frame_step(f, OP_HOOK, "/bin/true", NULL, NULL);
	s->s2 = LIST(f, "true");
	s->s3 = LIST(f, "A=1", "B=2");
	s->a = 1 | 2 << 16;
	s = frame_step(f, OP_SECCOMP, NULL, NULL, NULL);
	s->s1 = frame_blob(f, "12345678abcdefgh", 16);
	s->b = 2;
	s = frame_step(f, OP_SCHED, NULL, NULL, NULL);
	s->s1 = frame_blob(f, "\x10\0\0\0aaaaaaaaaaaa", 16);
	s = frame_step(f, OP_MEMPOLICY, NULL, NULL, NULL);
	s->s1 = frame_blob(f, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	s->b = 64;
	EXEC(f, "/bin/sh", "-c", "exit 0");
	return f;
}

/* A copy that ends where the readable memory ends. */
static struct wire_plan *at_edge(const void *plan, size_t n)
{
	static char *room;
	size_t size = 1 << 20;

	if (!room) {
		room = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		cr_assert(room != MAP_FAILED && mprotect(room + size, 4096, PROT_NONE) == 0);
	}
	n = (n + 7) & ~(size_t)7;
	memcpy(room + size - n, plan, n);
	return (struct wire_plan *)(room + size - n);
}

static struct wire_plan *packed(struct frame *f, size_t *n)
{
	f->used = (f->used + 7) & ~(size_t)7;
	return frame_pack(f, n);
}

static void refuse(void (*break_it)(struct wire_plan *), const char *what)
{
	size_t n;
	struct wire_plan *p = packed(sample(), &n), *q = at_edge(p, n);

	cr_assert(plan_check(q, n) == 0, "the sample itself");
	break_it(q);
	cr_assert(plan_check(q, n) == -ENOEXEC, "%s", what);
	free(p);
}

#define BREAK(name, stmt)                     \
	static void name(struct wire_plan *p) \
	{                                     \
		stmt;                         \
	}

BREAK(magic, p->magic++)
BREAK(size_too_big, p->size++)
BREAK(size_small, p->size = p->strings)
BREAK(steps, p->n_steps++)
BREAK(steps_huge, p->n_steps = UINT32_MAX)
BREAK(strings_low, p->strings = 8)
BREAK(strings_high, p->strings = p->size)
BREAK(preserve, p->preserve = UINT32_MAX)
BREAK(argc, p->argc = UINT32_MAX)
BREAK(argv, p->argv = p->size)
BREAK(envc, p->envc = UINT32_MAX)
BREAK(head, p->state_head = p->size)
BREAK(op_none, p->step[0].op = OP_NONE)
BREAK(op_high, p->step[0].op = OP_N)
BREAK(flags, p->step[0].flags = 1 << 15)
BREAK(text, p->step[0].s1 = p->size - p->strings)
BREAK(pairs, p->step[0].a = UINT64_MAX / 2 + 2)
BREAK(name_slash, p->step[1].s2 = p->step[2].s3)
BREAK(name_empty, p->step[1].s2 = 0)
BREAK(host_len, p->step[3].a = UINT64_MAX)
BREAK(hook_env, p->step[4].a = UINT64_MAX)
BREAK(hook_state, p->step[4].c = p->size)
BREAK(filter, p->step[5].b = UINT64_MAX / 8 + 2)
BREAK(sched, p->step[6].s1 = p->step[4].s1)
BREAK(mempolicy, p->step[7].b = 1 << 20)
BREAK(last_else, p->step[p->n_steps - 1].flags = STEP_ELSE)

Test(plan, that_is_broken_is_refused)
{
	static const struct {
		void (*fn)(struct wire_plan *);
		const char *what;
	} all[] = { { magic, "magic" }, { size_too_big, "size" }, { size_small, "small" },
		{ steps, "one step more" }, { steps_huge, "many steps" },
		{ strings_low, "strings" }, { strings_high, "strings" }, { preserve, "preserve" },
		{ argc, "argc" }, { argv, "argv" }, { envc, "envc" }, { head, "state_head" },
		{ op_none, "op 0" }, { op_high, "op N" }, { flags, "flags" }, { text, "text" },
		{ pairs, "pairs" }, { name_slash, "slash" }, { name_empty, "empty name" },
		{ host_len, "host name" }, { hook_env, "hook env" }, { hook_state, "hook state" },
		{ filter, "filter" }, { sched, "sched" }, { mempolicy, "mempolicy" },
		{ last_else, "last else" } };

	for (size_t i = 0; i < COUNT(all); i++)
		refuse(all[i].fn, all[i].what);
}

Test(plan, with_random_damage_never_leads_outside)
{
	size_t n, good = 0;
	struct wire_plan *p = packed(sample(), &n);
	unsigned seed = 1;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned char *q = (unsigned char *)at_edge(p, n);

		for (int k = 1 + rand_r(&seed) % 4; k; k--) {
			size_t at = (size_t)rand_r(&seed) % n;

			q[at] = rand_r(&seed) % 3 ? (unsigned char)rand_r(&seed)
						  : (rand_r(&seed) & 1 ? 255 : 0);
		}
		good += plan_check((struct wire_plan *)q, n - (size_t)(rand_r(&seed) % 2 * 8)) == 0;
	}
	/* Both answers must have come, else this shows nothing. */
	cr_assert(good > 0 && good < ROUNDS, "%zu of %d", good, ROUNDS);
	free(p);
}

Test(plan, that_is_cut_is_refused)
{
	size_t n;
	struct wire_plan *p = packed(sample(), &n);

	for (size_t cut = 0; cut < n; cut++) {
		void *copy = malloc(cut ? cut : 1);

		memcpy(copy, p, cut);
		cr_assert(plan_check(copy, cut) == -ENOEXEC, "%zu", cut);
		free(copy);
	}
	free(p);
}

Test(plan, that_is_broken_is_reported_before_the_first_step)
{
	struct frame *f = frame_new();

	frame_step(f, OP_UMASK, NULL, NULL, NULL);
	frame_step(f, OP_UMASK, NULL, NULL, NULL)->s1 = 77777;
	frame_fail(f, 1, ENOEXEC);
}

static void close_stdin(struct frame *f)
{
	close(0);
}

Test(plan, needs_open_standard_fds)
{
	struct frame *f = frame_new();

	f->setup = close_stdin;
	frame_step(f, OP_UMASK, NULL, NULL, NULL);
	frame_fail(f, UINT32_MAX, EBADF);
}

/* ---- stand-ins ---- */

static void fails_with(struct frame *f, int how, unsigned flags)
{
	struct wire_step *s;

	s = frame_step(f, OP_SETATTR, how == EINVAL ? "/" : "/nowhere", NULL, NULL);
	s->a = how == EINVAL ? 1ULL << 60 : 1;
	s->flags = (uint16_t)flags;
}

static void mark(struct frame *f, unsigned umask, unsigned flags)
{
	struct wire_step *s = frame_step(f, OP_UMASK, NULL, NULL, NULL);

	s->a = umask;
	s->flags = (uint16_t)flags;
}

Test(stand_in, runs_when_the_step_before_is_refused)
{
	struct frame *f = frame_new();

	mark(f, 0, 0);
	fails_with(f, EINVAL, STEP_ELSE);
	mark(f, 027, 0);
	EXEC(f, "/bin/sh", "-c", "test $(umask) = 0027");
	frame_pass(f);
}

Test(stand_in, is_skipped_after_success)
{
	struct frame *f = frame_new();

	mark(f, 022, STEP_ELSE);
	mark(f, 027, STEP_ELSE);
	fails_with(f, ENOENT, 0);
	EXEC(f, "/bin/sh", "-c", "test $(umask) = 0022");
	frame_pass(f);
}

Test(stand_in, comes_one_after_the_other)
{
	struct frame *f = frame_new();

	fails_with(f, EINVAL, STEP_ELSE);
	fails_with(f, EINVAL, STEP_ELSE);
	mark(f, 077, 0);
	EXEC(f, "/bin/sh", "-c", "test $(umask) = 0077");
	frame_pass(f);
}

Test(stand_in, that_fails_too_is_the_one_reported)
{
	struct frame *f = frame_new();

	fails_with(f, EINVAL, STEP_ELSE);
	fails_with(f, ENOENT, 0);
	frame_fail(f, 1, ENOENT);
}

Test(stand_in, is_no_help_against_other_errors)
{
	struct frame *f = frame_new();

	fails_with(f, ENOENT, STEP_ELSE);
	mark(f, 0, 0);
	frame_fail(f, 0, ENOENT);
}
