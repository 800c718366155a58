/* SPDX-License-Identifier: Apache-2.0 */
/* What libseccomp itself makes of a profile. Apart, so that the other tests run without the library
 * being loaded. */
#include "test-seccomp-common.h"

#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int add_rule(scmp_filter_ctx ctx, const struct oci_seccomp_rule *rule, uint32_t ret, int nr)
{
	static const enum scmp_compare ops[OCI_CMP_N] = { SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE,
		SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ };
	struct scmp_arg_cmp cmp[6];
	unsigned count[6] = { 0 };
	bool split = false;
	int r;

	for (size_t i = 0; i < rule->n_args; i++) {
		const struct oci_seccomp_arg *arg = &rule->args[i];

		cmp[i] = SCMP_CMP64(arg->index, ops[arg->op], arg->value, arg->value_two);
		split |= ++count[arg->index] > 1;
	}
	if (!split)
		return seccomp_rule_add_array(ctx, ret, nr, (unsigned)rule->n_args, cmp);
	for (size_t i = 0; i < rule->n_args; i++) {
		r = seccomp_rule_add_array(ctx, ret, nr, 1, &cmp[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

struct wanted {
	const struct oci_seccomp *profile;
	const struct seccomp_arch *archs[24];
	size_t n;
	uint32_t audit;
};

static void want_arch(struct wanted *w, const struct seccomp_arch *arch)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->archs[i] == arch)
			return;
	}
	if (!w->audit || arch->audit == w->audit)
		w->archs[w->n++] = arch;
}

/* Numbers below -1000 are libseccomp's for calls that an architecture lacks; between are those of
 * socketcall and ipc. */
static bool exists(const struct wanted *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++) {
		int nr = seccomp_syscall_resolve_name_arch(w->archs[i]->token, name);

		if (nr != __NR_SCMP_ERROR && nr > -1000)
			return true;
	}
	return false;
}

static int fill(scmp_filter_ctx ctx, const struct wanted *w)
{
	const struct oci_seccomp *s = w->profile;
	uint32_t def = seccomp_ret(s->default_action, s->default_errno_ret);
	bool native = false;
	int r;

	for (size_t i = 0; i < w->n; i++) {
		native |= w->archs[i]->token == seccomp_arch_native();
		r = seccomp_arch_add(ctx, w->archs[i]->token);
		cr_assert(r == 0 || r == -EEXIST, "%s: %d", w->archs[i]->name, r);
	}
	if (!native)
		cr_assert_eq(seccomp_arch_remove(ctx, seccomp_arch_native()), 0);
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *rule = &s->syscalls[i];
		uint32_t ret = seccomp_ret(rule->action, rule->errno_ret);

		for (size_t k = 0; k < rule->n_names; k++) {
			int nr = seccomp_syscall_resolve_name(rule->names[k]);

			if (nr == __NR_SCMP_ERROR || ret == def ||
				(w->audit && !exists(w, rule->names[k])))
				continue;
			r = add_rule(ctx, rule, ret, nr);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int reference_compile(struct arena *arena, const struct oci_seccomp *s,
	const struct seccomp_arch *native, uint32_t audit, struct program *ret)
{
	static const struct sock_filter kill[] = { BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD) };
	struct wanted w = { .profile = s, .audit = audit };
	scmp_filter_ctx ctx = seccomp_init(seccomp_ret(s->default_action, s->default_errno_ret));
	_close_ int fd = memfd_create("reference", MFD_CLOEXEC);
	struct stat st;
	int r;

	cr_assert(ctx && fd >= 0);
	want_arch(&w, native);
	for (size_t i = 0; i < s->n_architectures; i++)
		want_arch(&w, seccomp_arch_find(s->architectures[i]));
	*ret = (struct program){ kill, 1 };
	r = w.n ? fill(ctx, &w) : 0;
	if (w.n && r == 0) {
		cr_assert_eq(seccomp_export_bpf(ctx, fd), 0);
		cr_assert_eq(fstat(fd, &st), 0);
		void *insns = arena_alloc(arena, (size_t)st.st_size);

		cr_assert_eq(pread(fd, insns, (size_t)st.st_size, 0), st.st_size);
		*ret = (struct program){ insns, (size_t)st.st_size / sizeof(struct sock_filter) };
	}
	seccomp_release(ctx);
	return r;
}

uint32_t reference_last(const struct oci_seccomp *s, const struct seccomp_arch *arch)
{
	int last = 0;

	for (size_t i = 0; i < s->n_syscalls; i++) {
		for (size_t k = 0; k < s->syscalls[i].n_names; k++)
			last = MAX(last, seccomp_syscall_resolve_name_arch(
						 arch->token, s->syscalls[i].names[k]));
	}
	return (uint32_t)last;
}

/* libseccomp 2.5.4 leaks some nodes of trees that it throws away: not ours to find. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libseccomp.so\n";
}

__attribute__((visibility("default"))) const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
