/* SPDX-License-Identifier: Apache-2.0 */
#include "test-seccomp-common.h"

#include "base/fd.h"
#include "base/json.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>

enum { RULES_MAX = 512 };

static uint32_t load(const struct seccomp_data *data, uint32_t off)
{
	uint32_t v;

	cr_assert(off % 4 == 0 && off + 4 <= sizeof(*data), "load at %u", off);
	memcpy(&v, (const char *)data + off, sizeof(v));
	return v;
}

uint32_t program_run(struct program p, const struct seccomp_data *data)
{
	uint32_t acc = 0;

	for (size_t pc = 0; pc < p.n; pc++) {
		struct sock_filter in = p.insns[pc];

		switch (in.code) {
		case BPF_LD | BPF_W | BPF_ABS: acc = load(data, in.k); break;
		case BPF_ALU | BPF_AND | BPF_K: acc &= in.k; break;
		case BPF_JMP | BPF_JA: pc += in.k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += acc == in.k ? in.jt : in.jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += acc > in.k ? in.jt : in.jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += acc >= in.k ? in.jt : in.jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: pc += acc & in.k ? in.jt : in.jf; break;
		case BPF_RET | BPF_K: return in.k;
		default: cr_assert_fail("instruction %#x", in.code);
		}
	}
	cr_assert_fail("ran off the end");
	return 0;
}

/* ---- profiles ---- */

struct oci_seccomp *profile_new(struct arena *arena, int default_action, const char *const *archs)
{
	struct oci_seccomp *s = arena_alloc(arena, sizeof(*s));

	cr_assert_not_null(s);
	s->default_action = default_action;
	s->syscalls = arena_array(arena, RULES_MAX, sizeof(*s->syscalls));
	s->architectures = arena_array(arena, 8, sizeof(*s->architectures));
	for (; archs && archs[s->n_architectures]; s->n_architectures++)
		s->architectures[s->n_architectures] = archs[s->n_architectures];
	return s;
}

struct oci_seccomp_rule *profile_rule(
	struct arena *arena, struct oci_seccomp *s, const char *name, int action)
{
	struct oci_seccomp_rule *rule = &s->syscalls[s->n_syscalls++];

	cr_assert(s->n_syscalls <= RULES_MAX);
	*rule = (struct oci_seccomp_rule){ .action = action, .n_names = 1 };
	rule->names = arena_array(arena, 600, sizeof(*rule->names));
	rule->args = arena_array(arena, 6, sizeof(*rule->args));
	cr_assert(rule->names && rule->args);
	rule->names[0] = name;
	return rule;
}

void profile_errno(struct arena *arena, struct oci_seccomp_rule *rule, uint32_t value)
{
	rule->errno_ret = arena_alloc(arena, sizeof(*rule->errno_ret));
	*rule->errno_ret = value;
}

void profile_arg(struct arena *arena, struct oci_seccomp_rule *rule, uint32_t index, int op,
	uint64_t value, uint64_t two)
{
	cr_assert(rule->n_args < 6);
	rule->args[rule->n_args++] = (struct oci_seccomp_arg){
		.index = index, .op = op, .value = value, .value_two = two
	};
}

static const struct json *facts(struct arena *arena)
{
	_free_ char *text = NULL;
	const struct json *doc = NULL;
	struct err err = ERR_INIT;
	size_t n = 0;
	_close_ int fd = open(TEST_DATA "/seccomp_default_facts.json", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && fd_read_all(fd, 1 << 20, &text, &n) == 0);
	cr_assert_eq(json_parse(text, n, 1 << 20, arena, &doc, &err), 0, "%s", err.text);
	return json_get(doc, "containerd");
}

static void add_names(struct arena *arena, struct oci_seccomp *s, const struct json *list)
{
	struct oci_seccomp_rule *rule = profile_rule(arena, s, "", OCI_ACT_ALLOW);

	rule->n_names = 0;
	json_for_each (it, list)
		rule->names[rule->n_names++] = it->text;
}

static int op_of(const char *name)
{
	static const char *const ops[OCI_CMP_N] = { "NE", "LT", "LE", "EQ", "GE", "GT",
		"MASKED_EQ" };

	for (int i = 0; i < OCI_CMP_N; i++) {
		if (strcmp(ops[i], name) == 0)
			return i;
	}
	cr_assert_fail("op %s", name);
	return -1;
}

static uint64_t number(const struct json *object, const char *key)
{
	return strtoull(json_get(object, key)->text, NULL, 10);
}

struct oci_seccomp *profile_default(struct arena *arena, const char *const *caps)
{
	static const char *const archs[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
		NULL };
	const struct json *doc = facts(arena), *by_cap = json_get(doc, "capability_rules");
	struct oci_seccomp *s = profile_new(arena, OCI_ACT_ERRNO, archs);
	bool admin = false;

	add_names(arena, s, json_get(doc, "base_allow"));
	json_for_each (it, json_get(doc, "arg_rules")) {
		struct oci_seccomp_rule *rule =
			profile_rule(arena, s, json_get(it, "names")->child->text, OCI_ACT_ALLOW);

		profile_arg(arena, rule, (uint32_t)number(it, "arg_index"),
			op_of(json_get(it, "op")->text), number(it, "value"), 0);
	}
	add_names(arena, s, json_get(json_get(doc, "kernel_version_rules")->child, "allow"));
	add_names(arena, s, json_get(json_get(doc, "arch_rules"), "amd64"));
	for (; *caps; caps++) {
		cr_assert(json_get(by_cap, *caps), "%s", *caps);
		add_names(arena, s, json_get(by_cap, *caps));
		admin |= strcmp(*caps, "CAP_SYS_ADMIN") == 0;
	}
	if (!admin) {
		profile_arg(arena, profile_rule(arena, s, "clone", OCI_ACT_ALLOW), 0,
			OCI_CMP_MASKED_EQ, 0x7e020000, 0);
		profile_errno(arena, profile_rule(arena, s, "clone3", OCI_ACT_ERRNO), ENOSYS);
	}
	return s;
}

uint32_t rnd(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 20) % below);
}
