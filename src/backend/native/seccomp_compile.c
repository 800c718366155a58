/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a profile to a program. Most rules allow a call whatever its arguments: for these only the
 * number is needed, and the first such rule of a call decides. What depends on arguments, or on the
 * multiplexers socketcall and ipc, libseccomp compiles in a small filter of those rules alone; the
 * code that it makes for each call is grafted into ours. So the order of verdicts is libseccomp's
 * by construction, and the shape of the program is ours: per architecture the numbers in runs of
 * equal verdict, found by a balanced tree of compares.
 */
#include "backend/native/seccomp_int.h"

#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* A program that libseccomp made, and where its instructions went in ours. */
struct donor {
	const struct sock_filter *insns;
	size_t n;
	unsigned *map;
};

struct verdict {
	uint32_t value;      /* what the filter returns, when there is no donor */
	struct donor *donor; /* otherwise: goes on in this program at pc */
	size_t pc;
};

struct call {
	uint32_t nr;
	struct verdict verdict;
};

/* One architecture of the filter. */
struct part {
	const struct seccomp_arch *arch;
	uint32_t last; /* largest number that the profile names, 0: none */
	struct call *calls;
	size_t n;
	struct donor donor;
};

/* One name of one rule, on the architecture at hand. */
struct use {
	size_t rule, seq;
	const char *name;
	int nr;
	bool hard; /* libseccomp has to say */
};

struct compiler {
	const struct oci_seccomp *profile;
	struct arena *arena;
	const struct seccomp_arch *native;
	uint32_t default_ret;
	bool enosys; /* answer ENOSYS to calls that are newer than the profile */
	struct part parts[32];
	size_t n_parts;
};

#define RET_ENOSYS   (SECCOMP_RET_ERRNO | ENOSYS)
#define RET_BAD_ARCH SECCOMP_RET_KILL_THREAD

/* Calls that share one number with others on some architectures, by way of socketcall and ipc. */
static const char *const multiplexed[] = { "accept", "accept4", "bind", "connect", "getpeername",
	"getsockname", "getsockopt", "ipc", "listen", "msgctl", "msgget", "msgrcv", "msgsnd",
	"recv", "recvfrom", "recvmmsg", "recvmsg", "semctl", "semget", "semop", "semtimedop",
	"send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shmat", "shmctl", "shmdt", "shmget",
	"shutdown", "socket", "socketcall", "socketpair" };

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool is_multiplexed(const char *name)
{
	return bsearch(
		name, multiplexed, ARRAY_SIZE(multiplexed), sizeof(multiplexed[0]), compare_names);
}

static bool has_multiplexer(const struct compiler *c, const struct seccomp_arch *arch)
{
	return seccomp_lib_number(arch, "socketcall") >= 0 || seccomp_lib_number(arch, "ipc") >= 0;
}

/* The kernel can't meet an architecture of the other byte order. */
static bool is_possible(const struct compiler *c, const struct seccomp_arch *arch)
{
	return (arch->token & 0x40000000) == (c->native->token & 0x40000000) &&
	       seccomp_lib_number(arch, "read") != SECCOMP_NR_UNKNOWN;
}

static void add_part(struct compiler *c, const struct seccomp_arch *arch)
{
	for (size_t i = 0; i < c->n_parts; i++) {
		if (c->parts[i].arch == arch)
			return;
	}
	if (!is_possible(c, arch)) {
		log_debug(
			"seccomp: %s doesn't exist on this machine or for libseccomp %s, so it needs no rules",
			arch->name, seccomp_lib_version());
		return;
	}
	c->parts[c->n_parts++].arch = arch;
}

/* ---- names -> numbers ---- */

static uint32_t rule_ret(const struct oci_seccomp_rule *rule)
{
	return seccomp_ret(rule->action, rule->errno_ret);
}

/* A name without a number is left out, unless that would let the call through. */
static int check_unknown(const struct compiler *c, size_t i, const char *name, struct err *err)
{
	const struct oci_seccomp_rule *rule = &c->profile->syscalls[i];

	if (seccomp_permits(c->profile->default_action) && !seccomp_permits(rule->action)) {
		err_set(err, ERR_UNSUPPORTED, name,
			"libseccomp %s doesn't know this call, so it would be allowed in spite of the rule",
			seccomp_lib_version());
		err_hint(err,
			"a newer libseccomp may know it; otherwise take the name out of the profile");
		return err_in(err, "syscalls[%zu]", i);
	}
	log_debug("seccomp: libseccomp %s doesn't know %s: skipped", seccomp_lib_version(), name);
	return 0;
}

static int check_names(const struct compiler *c, struct err *err)
{
	for (size_t i = 0; i < c->profile->n_syscalls; i++) {
		const struct oci_seccomp_rule *rule = &c->profile->syscalls[i];

		for (size_t k = 0; k < rule->n_names; k++) {
			if (seccomp_lib_number(c->native, rule->names[k]) == SECCOMP_NR_UNKNOWN &&
				check_unknown(c, i, rule->names[k], err) < 0)
				return -1;
		}
	}
	return 0;
}

static size_t count_names(const struct oci_seccomp *profile)
{
	size_t n = 0;

	for (size_t i = 0; i < profile->n_syscalls; i++)
		n += profile->syscalls[i].n_names;
	return n;
}

/* Every name that has a number here and a rule with an effect; also the largest number of all that
 * are named. */
static size_t resolve(const struct compiler *c, struct part *part, struct use *uses)
{
	bool mux = has_multiplexer(c, part->arch);
	size_t n = 0, seq = 0;

	for (size_t i = 0; i < c->profile->n_syscalls; i++) {
		const struct oci_seccomp_rule *rule = &c->profile->syscalls[i];

		for (size_t k = 0; k < rule->n_names; k++) {
			const char *name = rule->names[k];
			int nr = seccomp_lib_number(part->arch, name);
			bool shared = mux && nr != SECCOMP_NR_UNKNOWN && is_multiplexed(name);

			if (nr > 0 && (uint32_t)nr > part->last)
				part->last = (uint32_t)nr;
			if ((nr < 0 && !shared) || rule_ret(rule) == c->default_ret)
				continue;
			uses[n++] = (struct use){ .rule = i,
				.seq = seq++,
				.name = name,
				.nr = nr,
				.hard = shared || rule->n_args > 0 };
		}
	}
	return n;
}

static int by_number(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_seq(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Splits the uses: calls that the number alone decides go to part->calls, the others stay, in the
 * profile's order. */
static size_t settle_easy(const struct compiler *c, struct part *part, struct use *uses, size_t n)
{
	size_t left = 0;

	qsort(uses, n, sizeof(*uses), by_number);
	for (size_t i = 0, end; i < n; i = end) {
		bool hard = false;

		for (end = i; end < n && uses[end].nr == uses[i].nr; end++)
			hard |= uses[end].hard;
		if (!hard) {
			part->calls[part->n++] = (struct call){ .nr = (uint32_t)uses[i].nr,
				.verdict.value = rule_ret(&c->profile->syscalls[uses[i].rule]) };
			continue;
		}
		for (size_t k = i; k < end; k++)
			uses[left++] = uses[k];
	}
	qsort(uses, left, sizeof(*uses), by_seq);
	return left;
}

/* ---- the hard ones ---- */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Numbers of real calls: all are small, x32's have their bit besides. */
static bool is_number(const struct part *part, uint32_t nr)
{
	return nr >> 30 == (seccomp_arch_is_x32(part->arch) ? 1 : 0);
}

/* Every number that the donor treats apart from the rest is compared with somewhere in it. */
static int find_calls(const struct compiler *c, struct part *part, struct err *err)
{
	struct donor *d = &part->donor;
	struct call *calls = arena_array(c->arena, part->n + d->n, sizeof(*calls));
	uint32_t *nrs = arena_array(c->arena, d->n, sizeof(*nrs));
	size_t n = 0;

	if (!nrs || !calls)
		return err_nomem(err);
	for (size_t i = 0; i < d->n; i++) {
		if (BPF_CLASS(d->insns[i].code) == BPF_JMP && is_number(part, d->insns[i].k))
			nrs[n++] = d->insns[i].k;
	}
	qsort(nrs, n, sizeof(*nrs), compare_u32);
	if (part->n)
		memcpy(calls, part->calls, part->n * sizeof(*calls));
	part->calls = calls;
	for (size_t i = 0; i < n; i++) {
		struct bpf_outcome out;

		if (i > 0 && nrs[i] == nrs[i - 1])
			continue;
		if (bpf_follow(d->insns, d->n, part->arch->audit, nrs[i], &out) < 0)
			return err_set(err, ERR_INTERNAL, "seccomp",
				"libseccomp %s wrote an instruction that isn't known",
				seccomp_lib_version());
		if (out.known && out.value == c->default_ret)
			continue;
		calls[part->n++] = (struct call){ .nr = nrs[i],
			.verdict = { .value = out.known ? out.value : 0,
				.donor = out.known ? NULL : d,
				.pc = out.pc } };
	}
	return 0;
}

static int settle_hard(const struct compiler *c, struct part *part, const struct use *uses,
	size_t n, struct err *err)
{
	struct seccomp_lib_rule *rules = arena_array(c->arena, n, sizeof(*rules));

	if (!rules)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const struct oci_seccomp_rule *rule = &c->profile->syscalls[uses[i].rule];

		rules[i] = (struct seccomp_lib_rule){ .name = uses[i].name,
			.ret = rule_ret(rule),
			.args = rule->args,
			.n_args = rule->n_args,
			.index = uses[i].rule };
	}
	if (seccomp_lib_compile(part->arch, c->default_ret, rules, n, c->arena, &part->donor.insns,
		    &part->donor.n, err) < 0)
		return -1;
	part->donor.map = arena_array(c->arena, part->donor.n, sizeof(*part->donor.map));
	if (!part->donor.map)
		return err_nomem(err);
	return find_calls(c, part, err);
}

static int by_call(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static int settle(const struct compiler *c, struct part *part, struct err *err)
{
	size_t names = count_names(c->profile);
	struct use *uses = arena_array(c->arena, names, sizeof(*uses));

	part->calls = arena_array(c->arena, names, sizeof(*part->calls));
	if (!uses || !part->calls)
		return err_nomem(err);

	size_t n = resolve(c, part, uses);
	size_t hard = settle_easy(c, part, uses, n);

	if (hard > 0 && settle_hard(c, part, uses, hard, err) < 0)
		return -1;
	qsort(part->calls, part->n, sizeof(*part->calls), by_call);
	return 0;
}

/* ---- program ---- */

/* All architectures with one audit value: alone, or x86_64 and x32. */
struct section {
	struct part *parts[2]; /* [1] is x32; NULL when not in the filter */
};

/* What becomes of a number that no rule speaks of. */
static uint32_t fallback(const struct compiler *c, const struct section *s, uint32_t nr)
{
	bool x86 = s->parts[1] ||
		   s->parts[0]->arch->audit == seccomp_arch_find("SCMP_ARCH_X86_64")->audit;
	const struct part *part = s->parts[x86 && (nr & SECCOMP_X32_BIT) ? 1 : 0];

	if (part && c->enosys && part->last > 0 && nr > part->last)
		return RET_ENOSYS;
	if (!x86 || (s->parts[0] && s->parts[1]))
		return c->default_ret;
	/* -1 is what a tracer leaves of a call that it has dealt with. */
	if (s->parts[0])
		return nr < SECCOMP_X32_BIT || nr == UINT32_MAX ? c->default_ret : RET_BAD_ARCH;
	return nr >= SECCOMP_X32_BIT ? c->default_ret : RET_BAD_ARCH;
}

struct run {
	uint32_t first;
	struct verdict verdict;
	unsigned at; /* address of what is done */
};

static const struct call *find_call(const struct section *s, uint32_t nr)
{
	const struct call key = { .nr = nr };

	for (size_t i = 0; i < 2; i++) {
		const struct part *part = s->parts[i];
		const struct call *call =
			part && part->n ? bsearch(&key, part->calls, part->n, sizeof(key), by_call)
					: NULL;

		if (call)
			return call;
	}
	return NULL;
}

/* All numbers at which the verdict may change, sorted, some twice. */
static uint32_t *edges(const struct compiler *c, const struct section *s, size_t *ret_n)
{
	static const uint32_t fixed[] = { 0, SECCOMP_X32_BIT, 2 * SECCOMP_X32_BIT,
		3 * SECCOMP_X32_BIT, UINT32_MAX };
	size_t n = ARRAY_SIZE(fixed), max = n + 2;

	for (size_t i = 0; i < 2; i++)
		max += s->parts[i] ? 2 * s->parts[i]->n : 0;

	uint32_t *edge = arena_array(c->arena, max, sizeof(*edge));

	if (!edge)
		return NULL;
	memcpy(edge, fixed, sizeof(fixed));
	for (size_t i = 0; i < 2; i++) {
		const struct part *part = s->parts[i];

		if (!part)
			continue;
		edge[n++] = part->last + 1;
		for (size_t k = 0; k < part->n; k++) {
			edge[n++] = part->calls[k].nr;
			edge[n++] = part->calls[k].nr + 1;
		}
	}
	qsort(edge, n, sizeof(*edge), compare_u32);
	*ret_n = n;
	return edge;
}

static bool same(const struct verdict *a, const struct verdict *b)
{
	return a->value == b->value && a->donor == b->donor && a->pc == b->pc;
}

static struct verdict verdict_of(const struct compiler *c, const struct section *s, uint32_t nr)
{
	const struct call *call = find_call(s, nr);

	/* On s390 a number that the kernel doesn't know arrives as 0, that of the long gone
	 * setup(2). */
	if (nr == 0 && c->enosys && s->parts[0] && seccomp_arch_is_s390(s->parts[0]->arch))
		return (struct verdict){ .value = RET_ENOSYS };
	if (call)
		return call->verdict;
	return (struct verdict){ .value = fallback(c, s, nr) };
}

static struct run *runs_of(const struct compiler *c, const struct section *s, size_t *ret_n)
{
	size_t n_edges = 0, n = 0;
	const uint32_t *edge = edges(c, s, &n_edges);
	struct run *runs = edge ? arena_array(c->arena, n_edges, sizeof(*runs)) : NULL;

	if (!runs)
		return NULL;
	for (size_t i = 0; i < n_edges; i++) {
		struct verdict v = verdict_of(c, s, edge[i]);

		if (n == 0 || !same(&v, &runs[n - 1].verdict))
			runs[n++] = (struct run){ .first = edge[i], .verdict = v };
	}
	*ret_n = n;
	return runs;
}

static unsigned emit_tree(struct bpf_asm *a, struct run *runs, size_t n)
{
	size_t mid = n / 2;

	if (n == 1)
		return runs[0].verdict.donor ? runs[0].at : bpf_ret(a, runs[0].verdict.value);

	unsigned right = emit_tree(a, runs + mid, n - mid);
	unsigned left = emit_tree(a, runs, mid);

	return bpf_jump(a, BPF_JMP | BPF_JGE | BPF_K, runs[mid].first, right, left);
}

/* Address of the section, 0 with err. */
static unsigned emit_section(
	const struct compiler *c, struct bpf_asm *a, const struct section *s, struct err *err)
{
	size_t n = 0;
	struct run *runs = runs_of(c, s, &n);

	if (!runs) {
		err_nomem(err);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct donor *d = runs[i].verdict.donor;

		if (!d)
			continue;
		runs[i].at = bpf_graft(a, d->insns, d->n, runs[i].verdict.pc, d->map);
		if (!runs[i].at) {
			err_set(err, ERR_INTERNAL, "seccomp",
				"libseccomp %s wrote an instruction that isn't known",
				seccomp_lib_version());
			return 0;
		}
	}
	return bpf_load(a, offsetof(struct seccomp_data, nr), emit_tree(a, runs, n));
}

/* Sections in the order of the profile, the machine's own first. */
static size_t sections_of(struct compiler *c, struct section *sections)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_parts; i++) {
		struct part *part = &c->parts[i];
		size_t k = 0, which = seccomp_arch_is_x32(part->arch);

		while (k < n && (sections[k].parts[0] ? sections[k].parts[0] : sections[k].parts[1])
						->arch->audit != part->arch->audit)
			k++;
		sections[k].parts[which] = part;
		n = MAX(n, k + 1);
	}
	return n;
}

static int emit_all(struct compiler *c, struct bpf_asm *a, struct err *err)
{
	struct section sections[ARRAY_SIZE(c->parts)] = { 0 };
	unsigned at[ARRAY_SIZE(c->parts)];
	size_t n = sections_of(c, sections);

	for (size_t i = n; i-- > 0;) {
		at[i] = emit_section(c, a, &sections[i], err);
		if (!at[i])
			return -1;
	}

	unsigned next = bpf_ret(a, RET_BAD_ARCH);

	for (size_t i = n; i-- > 0;) {
		const struct section *s = &sections[i];
		const struct part *part = s->parts[0] ? s->parts[0] : s->parts[1];

		next = bpf_jump(a, BPF_JMP | BPF_JEQ | BPF_K, part->arch->audit, at[i], next);
	}
	bpf_load(a, offsetof(struct seccomp_data, arch), next);
	if (!a->full)
		return 0;
	err_set(err, ERR_INVALID, "syscalls",
		"the filter would need more than the kernel's %d instructions", BPF_MAXINSNS);
	return err_hint(err, "give the profile fewer rules with arguments, or fewer architectures");
}

int seccomp_compile(const struct oci_seccomp *profile, const struct seccomp_arch *native,
	struct arena *arena, const struct sock_filter **ret, size_t *ret_n, struct err *err)
{
	struct compiler c = { .profile = profile,
		.arena = arena,
		.native = native,
		.default_ret = seccomp_ret(profile->default_action, profile->default_errno_ret),
		/* A tracer wants to see new calls, and answers for them. */
		.enosys = !seccomp_permits(profile->default_action) &&
			  profile->default_action != OCI_ACT_TRACE };
	struct bpf_asm *a = arena_alloc(arena, sizeof(*a));

	if (!a)
		return err_nomem(err);
	if (check_names(&c, err) < 0)
		return -1;
	add_part(&c, native);
	for (size_t i = 0; i < profile->n_architectures; i++) {
		const struct seccomp_arch *arch = seccomp_arch_find(profile->architectures[i]);

		if (!arch)
			return err_set(err, ERR_INVALID, "architectures",
				"\"%s\" is no architecture", profile->architectures[i]);
		add_part(&c, arch);
	}
	for (size_t i = 0; i < c.n_parts; i++) {
		if (settle(&c, &c.parts[i], err) < 0)
			return -1;
	}
	if (emit_all(&c, a, err) < 0)
		return -1;
	*ret = bpf_start(a);
	*ret_n = a->n;
	return 0;
}
