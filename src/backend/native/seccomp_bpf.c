/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/seccomp_int.h"

#include <stddef.h>

enum { JUMP_MAX = 255 };

static unsigned emit(struct bpf_asm *a, struct sock_filter insn)
{
	if (a->n == BPF_MAXINSNS) {
		a->full = true;
		return a->n;
	}
	a->n++;
	a->insns[BPF_MAXINSNS - a->n] = insn;
	return a->n;
}

static unsigned emit_ret(struct bpf_asm *a, uint32_t value)
{
	unsigned at = emit(a, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
	size_t i = 0;

	while (i < a->n_rets && a->rets[i].value != value)
		i++;
	if (i == ARRAY_SIZE(a->rets))
		return at;
	if (i == a->n_rets)
		a->n_rets++;
	a->rets[i].value = value;
	a->rets[i].at = at;
	return at;
}

/* Another way to `target` that is near: the return again, or a long jump. */
static unsigned bring_near(struct bpf_asm *a, unsigned target)
{
	const struct sock_filter *insn = &a->insns[BPF_MAXINSNS - target];

	if (insn->code == (BPF_RET | BPF_K))
		return emit_ret(a, insn->k);
	return emit(a, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, a->n - target));
}

unsigned bpf_ret(struct bpf_asm *a, uint32_t value)
{
	for (size_t i = 0; i < a->n_rets; i++) {
		if (a->rets[i].value == value && a->n - a->rets[i].at < JUMP_MAX / 2)
			return a->rets[i].at;
	}
	return emit_ret(a, value);
}

unsigned bpf_load(struct bpf_asm *a, uint32_t offset, unsigned next)
{
	if (next != a->n)
		emit(a, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, a->n - next));
	return emit(a, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

unsigned bpf_jump(struct bpf_asm *a, uint16_t code, uint32_t k, unsigned yes, unsigned no)
{
	if (yes == no)
		return yes;
	while (a->n - yes > JUMP_MAX || a->n - no > JUMP_MAX) {
		if (a->n - yes > JUMP_MAX)
			yes = bring_near(a, yes);
		else
			no = bring_near(a, no);
	}
	return emit(a, (struct sock_filter)BPF_JUMP(code, k, a->n - yes, a->n - no));
}

/* 1 or 0: the jump is taken; -1: not a conditional jump on a constant. */
static int compare(const struct sock_filter *insn, uint32_t acc)
{
	switch (insn->code) {
	case BPF_JMP | BPF_JEQ | BPF_K: return acc == insn->k;
	case BPF_JMP | BPF_JGE | BPF_K: return acc >= insn->k;
	case BPF_JMP | BPF_JGT | BPF_K: return acc > insn->k;
	case BPF_JMP | BPF_JSET | BPF_K: return (acc & insn->k) != 0;
	default: return -1;
	}
}

int bpf_follow(const struct sock_filter *insns, size_t n, uint32_t audit, uint32_t nr,
	struct bpf_outcome *ret)
{
	uint32_t acc = 0;

	for (size_t pc = 0; pc < n;) {
		const struct sock_filter *insn = &insns[pc];
		int taken;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (insn->k != offsetof(struct seccomp_data, nr) &&
				insn->k != offsetof(struct seccomp_data, arch)) {
				*ret = (struct bpf_outcome){ .pc = pc };
				return 0;
			}
			acc = insn->k == offsetof(struct seccomp_data, nr) ? nr : audit;
			pc++;
			break;
		case BPF_RET | BPF_K:
			*ret = (struct bpf_outcome){ .known = true, .value = insn->k };
			return 0;
		case BPF_JMP | BPF_JA: pc += 1 + (size_t)insn->k; break;
		default:
			taken = compare(insn, acc);
			if (taken < 0)
				return -1;
			pc += 1 + (size_t)(taken ? insn->jt : insn->jf);
		}
	}
	return -1;
}

/* Marks in `seen` (bit 31 of map entries is free: addresses are small) what can be reached. */
#define SEEN 0x80000000U

static int mark(const struct sock_filter *insns, size_t n, size_t pc, unsigned *map)
{
	map[pc] |= SEEN;
	for (; pc < n; pc++) {
		const struct sock_filter *insn = &insns[pc];
		size_t next[2] = { pc + 1, pc + 1 };

		if (!(map[pc] & SEEN) || insn->code == (BPF_RET | BPF_K))
			continue;
		if (insn->code == (BPF_JMP | BPF_JA)) {
			next[0] = next[1] = pc + 1 + (size_t)insn->k;
		} else if (compare(insn, 0) >= 0) {
			next[0] += insn->jt;
			next[1] += insn->jf;
		} else if (insn->code != (BPF_LD | BPF_W | BPF_ABS) &&
			   insn->code != (BPF_ALU | BPF_AND | BPF_K)) {
			return -1;
		}
		if (next[0] >= n || next[1] >= n)
			return -1;
		map[next[0]] |= SEEN;
		map[next[1]] |= SEEN;
	}
	return 0;
}

static unsigned copy(
	struct bpf_asm *a, const struct sock_filter *insns, size_t pc, const unsigned *map)
{
	const struct sock_filter *insn = &insns[pc];

	if (insn->code == (BPF_RET | BPF_K))
		return bpf_ret(a, insn->k);
	if (insn->code == (BPF_JMP | BPF_JA))
		return map[pc + 1 + insn->k] & ~SEEN;
	if (compare(insn, 0) >= 0)
		return bpf_jump(a, insn->code, insn->k, map[pc + 1 + insn->jt] & ~SEEN,
			map[pc + 1 + insn->jf] & ~SEEN);
	if ((map[pc + 1] & ~SEEN) != a->n)
		emit(a, (struct sock_filter)BPF_STMT(
				BPF_JMP | BPF_JA, a->n - (map[pc + 1] & ~SEEN)));
	return emit(a, *insn);
}

unsigned bpf_graft(
	struct bpf_asm *a, const struct sock_filter *insns, size_t n, size_t pc, unsigned *map)
{
	if (pc >= n || mark(insns, n, pc, map) < 0)
		return 0;
	/* Jumps go forward only, so what an instruction leads to is there before itself. */
	for (size_t i = n; i-- > pc;) {
		if (map[i] == SEEN)
			map[i] = SEEN | copy(a, insns, i, map);
	}
	return map[pc] & ~SEEN;
}
