/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler for device rules. Loading costs about 2 us for each conditional jump, on the way of
 * every create: so the list is not translated rule by rule. It is evaluated here, for every device
 * that some rule names and for "any other", and the program only looks up the result: type, then
 * major, then minor, each leading to one of at most eight shared ends.
 */
#include "devices.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

enum {
	ACC_M = BPF_DEVCG_ACC_MKNOD,
	ACC_R = BPF_DEVCG_ACC_READ,
	ACC_W = BPF_DEVCG_ACC_WRITE,
	ACC_ALL = ACC_M | ACC_R | ACC_W,
	TYPE_ANY = 0,
	ANY = -1, /* in a rule: fits every number. In a question: a number that no rule names */
	RULES_MAX = 2048,
	INSNS_MAX = 32000, /* jumps are signed 16 bits */
};

struct rule {
	int64_t major, minor;
	int type; /* BPF_DEVCG_DEV_* or TYPE_ANY */
	unsigned access;
	bool allow;
};

#define C BPF_DEVCG_DEV_CHAR
#define B BPF_DEVCG_DEV_BLOCK
static const struct rule always[] = {
	{ ANY, ANY, C, ACC_M, true }, { ANY, ANY, B, ACC_M, true },
	{ 1, 3, C, ACC_ALL, true },     /* null */
	{ 1, 5, C, ACC_ALL, true },     /* zero */
	{ 1, 7, C, ACC_ALL, true },     /* full */
	{ 1, 8, C, ACC_ALL, true },     /* random */
	{ 1, 9, C, ACC_ALL, true },     /* urandom */
	{ 5, 0, C, ACC_ALL, true },     /* tty */
	{ 5, 2, C, ACC_ALL, true },     /* ptmx */
	{ 136, ANY, C, ACC_ALL, true }, /* pts */
};
#undef C
#undef B

/* ---- reading rules ---- */

static int read_type(const char *text, int *ret)
{
	if (!text || str_eq(text, "a"))
		*ret = TYPE_ANY;
	else if (str_eq(text, "c"))
		*ret = BPF_DEVCG_DEV_CHAR;
	else if (str_eq(text, "b"))
		*ret = BPF_DEVCG_DEV_BLOCK;
	else
		return -1;
	return 0;
}

static int read_access(const char *text, unsigned *ret)
{
	*ret = text ? 0 : ACC_ALL;
	for (const char *p = text; p && *p; p++) {
		if (*p == 'r')
			*ret |= ACC_R;
		else if (*p == 'w')
			*ret |= ACC_W;
		else if (*p == 'm')
			*ret |= ACC_M;
		else
			return -1;
	}
	return 0;
}

static int read_number(const int64_t *v, int64_t *ret)
{
	*ret = v ? *v : ANY;
	return *ret < ANY || *ret > UINT32_MAX ? -1 : 0;
}

static int read_rule(const struct oci_device_rule *d, struct rule *ret, struct err *err)
{
	ret->allow = d->allow;
	if (read_type(d->type, &ret->type) < 0) {
		err_set(err, ERR_INVALID, NULL, "must be a, b or c, not \"%s\"", d->type);
		return err_in(err, "type");
	}
	if (read_number(d->major, &ret->major) < 0 || read_number(d->minor, &ret->minor) < 0) {
		bool major = read_number(d->major, &ret->major) < 0;
		err_set(err, ERR_INVALID, NULL, "must be -1 (any) or a device number, not %" PRId64,
			major ? *d->major : *d->minor);
		return err_in(err, "%s", major ? "major" : "minor");
	}
	if (d->access && !*d->access) {
		err_set(err, ERR_INVALID, NULL, "device access cannot be empty");
		return err_in(err, "access");
	}
	if (read_access(d->access, &ret->access) < 0) {
		err_set(err, ERR_INVALID, NULL, "must be letters of rwm, not \"%s\"", d->access);
		return err_in(err, "access");
	}
	return 0;
}

int devices_check(const struct oci_device_rule *rules, size_t n, struct err *err)
{
	struct rule ignored;

	if (n > RULES_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "more than %d rules", RULES_MAX);
	for (size_t i = 0; i < n; i++)
		if (read_rule(&rules[i], &ignored, err) < 0)
			return err_in(err, "[%zu]", i);
	return 0;
}

/* ---- evaluation ---- */

struct list {
	struct rule *rules; /* in order, the always-allowed at the end */
	size_t n;
};

/* The accesses that are allowed to a device; ANY stands for a number that no rule names. */
static unsigned allowed(const struct list *l, int type, int64_t major, int64_t minor)
{
	unsigned undecided = ACC_ALL, mask = 0;

	for (size_t i = l->n; i-- > 0 && undecided;) {
		const struct rule *r = &l->rules[i];
		if (r->type != TYPE_ANY && r->type != type)
			continue;
		if ((r->major != ANY && r->major != major) ||
			(r->minor != ANY && r->minor != minor))
			continue;
		if (r->allow)
			mask |= undecided & r->access;
		undecided &= ~r->access;
	}
	return mask;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static size_t sort_unique(int64_t *v, size_t n)
{
	size_t k = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; i < n; i++)
		if (k == 0 || v[k - 1] != v[i])
			v[k++] = v[i];
	return k;
}

/* The majors that rules for a type name. */
static size_t majors_of(const struct list *l, int type, int64_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->rules[i].major != ANY &&
			(l->rules[i].type == TYPE_ANY || l->rules[i].type == type))
			out[n++] = l->rules[i].major;
	return sort_unique(out, n);
}

/* The rules for a type and a major (ANY: one that no rule names), in `rules`. */
static struct list narrow(const struct list *l, int type, int64_t major, struct rule *rules)
{
	struct list out = { .rules = rules };

	for (size_t i = 0; i < l->n; i++) {
		const struct rule *r = &l->rules[i];
		if ((r->type == TYPE_ANY || r->type == type) &&
			(r->major == ANY || r->major == major))
			out.rules[out.n++] = *r;
	}
	return out;
}

/* The minors that rules name. */
static size_t minors_of(const struct list *l, int64_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->rules[i].minor != ANY)
			out[n++] = l->rules[i].minor;
	return sort_unique(out, n);
}

/* Room for one list each. */
struct scratch {
	struct rule *any, *of;
	int64_t *majors, *minors;
};

/* ---- code ---- */

/* Registers: r2 the accesses asked for, r3 major, r4 minor, r5 type. */
enum { NO_END = 0xff };

struct code {
	struct bpf_insn *insns;
	unsigned char *end; /* per instruction: the end (a mask) that it jumps to, or NO_END */
	size_t n, cap;
	struct arena *arena;
	bool failed;
};

static size_t emit(struct code *c, struct bpf_insn insn, unsigned end)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct bpf_insn *insns = arena_array(c->arena, cap, sizeof(*insns));
		unsigned char *ends = arena_alloc(c->arena, cap);
		if (!insns || !ends || cap > 2 * (size_t)INSNS_MAX) {
			c->failed = true;
			return 0;
		}
		if (c->n) {
			memcpy(insns, c->insns, c->n * sizeof(*insns));
			memcpy(ends, c->end, c->n);
		}
		c->insns = insns;
		c->end = ends;
		c->cap = cap;
	}
	c->end[c->n] = (unsigned char)end;
	c->insns[c->n] = insn;
	return c->n++;
}

static struct bpf_insn load_word(int reg, int off)
{
	return (struct bpf_insn){ .code = BPF_LDX | BPF_MEM | BPF_W,
		.dst_reg = (uint8_t)reg,
		.src_reg = BPF_REG_1,
		.off = (int16_t)off };
}

static struct bpf_insn alu(int op, int reg, int32_t imm)
{
	return (struct bpf_insn){
		.code = (uint8_t)(BPF_ALU | op | BPF_K), .dst_reg = (uint8_t)reg, .imm = imm
	};
}

static struct bpf_insn jump(int op, int reg, int64_t imm, size_t over)
{
	return (struct bpf_insn){ .code = (uint8_t)(BPF_JMP32 | op | BPF_K),
		.dst_reg = (uint8_t)reg,
		.off = (int16_t)over,
		.imm = (int32_t)imm };
}

static struct bpf_insn jump_always(void)
{
	return (struct bpf_insn){ .code = BPF_JMP | BPF_JA };
}

/* Lets an earlier jump land on what comes next. */
static void land(struct code *c, size_t from)
{
	if (!c->failed)
		c->insns[from].off = (int16_t)(c->n - from - 1);
}

/* Numbers whose answer differs from the default, as runs of neighbours with the same one. */
struct run {
	int64_t first, last;
	unsigned mask;
};

static void emit_run(struct code *c, const struct run *r)
{
	if (r->last - r->first < 2) {
		for (int64_t v = r->first; v <= r->last; v++)
			emit(c, jump(BPF_JEQ, BPF_REG_4, v, 0), r->mask);
		return;
	}
	size_t below = emit(c, jump(BPF_JLT, BPF_REG_4, r->first, 0), NO_END);
	emit(c, jump(BPF_JLE, BPF_REG_4, r->last, 0), r->mask);
	land(c, below);
}

/* All of one major: its minors, then its default, unless the code falls through to the same one
 * anyway. */
static void emit_minors(struct code *c, const struct list *l, int type, int64_t major,
	int64_t *minors, size_t n, unsigned other)
{
	struct run run = { .first = -1 };

	for (size_t i = 0; i < n; i++) {
		unsigned mask = allowed(l, type, major, minors[i]);
		if (run.first >= 0 && run.mask == mask && run.last + 1 == minors[i]) {
			run.last++;
			continue;
		}
		if (run.first >= 0 && run.mask != other)
			emit_run(c, &run);
		run = (struct run){ minors[i], minors[i], mask };
	}
	if (run.first >= 0 && run.mask != other)
		emit_run(c, &run);
}

static bool is_uniform(const struct list *l, int type, int64_t major, const int64_t *minors,
	size_t n, unsigned mask)
{
	for (size_t i = 0; i < n; i++)
		if (allowed(l, type, major, minors[i]) != mask)
			return false;
	return true;
}

static void emit_type(struct code *c, const struct list *l, int type, struct scratch *s)
{
	size_t n = majors_of(l, type, s->majors), k;
	struct list any = narrow(l, type, ANY, s->any);
	unsigned other = allowed(&any, type, ANY, ANY);
	bool uniform;

	k = minors_of(&any, s->minors);
	uniform = is_uniform(&any, type, ANY, s->minors, k, other);
	for (size_t i = 0; i < n && !c->failed; i++) {
		int64_t major = s->majors[i];
		struct list of = narrow(l, type, major, s->of);
		unsigned mask = allowed(&of, type, major, ANY);
		k = minors_of(&of, s->minors);
		if (is_uniform(&of, type, major, s->minors, k, mask)) {
			if (mask != other || !uniform)
				emit(c, jump(BPF_JEQ, BPF_REG_3, major, 0), mask);
			continue;
		}
		size_t skip = emit(c, jump(BPF_JNE, BPF_REG_3, major, 0), NO_END);
		emit_minors(c, &of, type, major, s->minors, k, mask);
		emit(c, jump_always(), mask);
		land(c, skip);
	}
	if (!uniform) {
		k = minors_of(&any, s->minors);
		emit_minors(c, &any, type, ANY, s->minors, k, other);
	}
	emit(c, jump_always(), other);
}

/* The ends that are jumped to, and the jumps. */
static void emit_ends(struct code *c)
{
	size_t at[ACC_ALL + 1] = { 0 }, body = c->n;
	bool used[ACC_ALL + 1] = { false };

	for (size_t i = 0; i < body; i++)
		if (c->end[i] != NO_END)
			used[c->end[i]] = true;
	/* Some of the accesses: denied if another is asked for, else allowed. */
	for (unsigned mask = 1; mask < ACC_ALL; mask++) {
		if (!used[mask])
			continue;
		at[mask] = c->n;
		emit(c, jump(BPF_JSET, BPF_REG_2, ~(int64_t)mask, 0), 0);
		emit(c, jump_always(), ACC_ALL);
		used[0] = used[ACC_ALL] = true;
	}
	for (unsigned mask = 0; mask <= ACC_ALL; mask += ACC_ALL) {
		if (!used[mask])
			continue;
		at[mask] = c->n;
		emit(c,
			(struct bpf_insn){
				.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = mask == ACC_ALL },
			NO_END);
		emit(c, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT }, NO_END);
	}
	for (size_t i = 0; i < c->n && !c->failed; i++)
		if (c->end[i] != NO_END)
			c->insns[i].off = (int16_t)(at[c->end[i]] - i - 1);
}

/* Takes out jumps to the next instruction. Only such jumps are forward over nothing, and all others
 * lead forward past them. */
static void drop_idle_jumps(struct code *c)
{
	for (size_t i = c->n; i-- > 0;) {
		if (c->insns[i].code != (BPF_JMP | BPF_JA) || c->insns[i].off != 0)
			continue;
		for (size_t k = 0; k < i; k++)
			if (BPF_CLASS(c->insns[k].code) >= BPF_JMP &&
				c->insns[k].code != (BPF_JMP | BPF_EXIT) &&
				BPF_CLASS(c->insns[k].code) != BPF_ALU64 &&
				k + 1 + (size_t)c->insns[k].off > i)
				c->insns[k].off--;
		memmove(&c->insns[i], &c->insns[i + 1], (c->n - i - 1) * sizeof(c->insns[0]));
		c->n--;
	}
}

/* True if the last word on everything is yes. Seen only where one rule says so for all and no later
 * one denies: enough to spare the program of a privileged container. */
static bool allows_everything(const struct list *l)
{
	for (size_t i = l->n; i-- > 0;) {
		const struct rule *r = &l->rules[i];
		if (!r->allow)
			return false;
		if (r->type == TYPE_ANY && r->major == ANY && r->minor == ANY &&
			r->access == ACC_ALL)
			return true;
	}
	return false;
}

int devices_compile(const struct oci_device_rule *rules, size_t n, struct arena *arena,
	struct device_program *ret, struct err *err)
{
	struct code c = { .arena = arena };
	struct list l = { .n = n + ARRAY_SIZE(always) };
	size_t type;

	if (n > RULES_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL, "more than %d rules", RULES_MAX);
	l.rules = arena_array(arena, l.n, sizeof(*l.rules));
	struct scratch s = { arena_array(arena, l.n, sizeof(struct rule)),
		arena_array(arena, l.n, sizeof(struct rule)),
		arena_array(arena, l.n, sizeof(int64_t)),
		arena_array(arena, l.n, sizeof(int64_t)) };
	if (!l.rules || !s.any || !s.of || !s.majors || !s.minors)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		if (read_rule(&rules[i], &l.rules[i], err) < 0)
			return err_in(err, "[%zu]", i);
	memcpy(l.rules + n, always, sizeof(always));

	*ret = (struct device_program){ .allows_all = allows_everything(&l) };
	emit(&c, load_word(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type)), NO_END);
	emit(&c, load_word(BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, major)), NO_END);
	emit(&c, load_word(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, minor)), NO_END);
	emit(&c,
		(struct bpf_insn){ .code = BPF_ALU | BPF_MOV | BPF_X,
			.dst_reg = BPF_REG_5,
			.src_reg = BPF_REG_2 },
		NO_END);
	emit(&c, alu(BPF_AND, BPF_REG_5, 0xffff), NO_END);
	emit(&c, alu(BPF_RSH, BPF_REG_2, 16), NO_END);
	type = emit(&c, jump(BPF_JNE, BPF_REG_5, BPF_DEVCG_DEV_CHAR, 0), NO_END);
	emit_type(&c, &l, BPF_DEVCG_DEV_CHAR, &s);
	land(&c, type);
	emit_type(&c, &l, BPF_DEVCG_DEV_BLOCK, &s);
	emit_ends(&c);
	if (arena_failed(arena))
		return err_nomem(err);
	if (c.failed || c.n > INSNS_MAX) {
		err_set(err, ERR_EXHAUSTED, NULL,
			"the rules make a program of more than %d instructions", INSNS_MAX);
		return err_hint(err, "use ranges of devices (minor -1) instead of single ones");
	}
	drop_idle_jumps(&c);
	ret->insns = c.insns;
	ret->n = c.n;
	return 0;
}
