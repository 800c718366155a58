/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp, linked statically. */
#include "backend/native/seccomp_int.h"

#include "base/fd.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5, "libseccomp 2.5 or newer");

#define TEXT_OF(x)  #x
#define TEXT(x)     TEXT_OF(x)
#define LIB_VERSION TEXT(SCMP_VER_MAJOR) "." TEXT(SCMP_VER_MINOR) "." TEXT(SCMP_VER_MICRO)

const char *seccomp_lib_version(void)
{
	return LIB_VERSION;
}

int seccomp_lib_number(const struct seccomp_arch *arch, const char *name)
{
	return seccomp_syscall_resolve_name_arch(arch->token, name);
}

static const enum scmp_compare ops[OCI_CMP_N] = {
	[OCI_CMP_NE] = SCMP_CMP_NE,
	[OCI_CMP_LT] = SCMP_CMP_LT,
	[OCI_CMP_LE] = SCMP_CMP_LE,
	[OCI_CMP_EQ] = SCMP_CMP_EQ,
	[OCI_CMP_GE] = SCMP_CMP_GE,
	[OCI_CMP_GT] = SCMP_CMP_GT,
	[OCI_CMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

static bool index_repeats(const struct seccomp_lib_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & 1U << rule->args[i].index)
			return true;
		seen |= 1U << rule->args[i].index;
	}
	return false;
}

static int rule_error(struct err *err, int os, const struct seccomp_lib_rule *rule)
{
	if (os == EEXIST)
		err_set(err, ERR_INVALID, rule->name,
			"an earlier rule gives another action to the same arguments");
	else
		err_sys(err, os, "seccomp_rule_add", "%s", rule->name);
	return err_in(err, "syscalls[%zu]", rule->index);
}

/* Numbers given to the library are the native ones, whatever the filter's architecture: it
 * translates by name. */
static int rule_add(scmp_filter_ctx ctx, const struct seccomp_lib_rule *rule, struct err *err)
{
	int nr = seccomp_syscall_resolve_name(rule->name);
	struct scmp_arg_cmp cmp[6];
	size_t each = index_repeats(rule) ? 1 : rule->n_args;

	for (size_t i = 0; i < rule->n_args; i++)
		cmp[i] = (struct scmp_arg_cmp){ .arg = rule->args[i].index,
			.op = ops[rule->args[i].op],
			.datum_a = rule->args[i].value,
			.datum_b = rule->args[i].value_two };
	for (size_t i = 0; i == 0 || i < rule->n_args; i += MAX(each, 1U)) {
		int r = seccomp_rule_add_array(ctx, rule->ret, nr, (unsigned)each, cmp + i);

		if (r < 0)
			return rule_error(err, -r, rule);
	}
	return 0;
}

static int export(scmp_filter_ctx ctx, struct arena *arena, const struct sock_filter **ret,
	size_t *ret_n, struct err *err)
{
	_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct sock_filter *insns;
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "seccomp");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_sys(err, -r, "seccomp_export_bpf", "memfd");
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "seccomp memfd");
	insns = arena_alloc(arena, (size_t)st.st_size);
	if (!insns)
		return err_nomem(err);
	if (pread(fd, insns, (size_t)st.st_size, 0) != st.st_size)
		return err_sys(err, EIO, "pread", "seccomp memfd");
	*ret = insns;
	*ret_n = (size_t)st.st_size / sizeof(*insns);
	return 0;
}

int seccomp_lib_compile(const struct seccomp_arch *arch, uint32_t default_ret,
	const struct seccomp_lib_rule *rules, size_t n, struct arena *arena,
	const struct sock_filter **ret, size_t *ret_n, struct err *err)
{
	uint32_t native = seccomp_arch_native();
	scmp_filter_ctx ctx = seccomp_init(default_ret);
	int r = 0;

	if (!ctx)
		return err_set(err, ERR_UNSUPPORTED, "seccomp_init",
			"libseccomp " LIB_VERSION " refuses the default action");
	if (arch->token != native) {
		r = seccomp_arch_add(ctx, arch->token);
		if (r == 0)
			r = seccomp_arch_remove(ctx, native);
		if (r < 0)
			r = err_sys(err, -r, "seccomp_arch_add", "%s", arch->name);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = rule_add(ctx, &rules[i], err);
	if (r == 0)
		r = export(ctx, arena, ret, ret_n, err);
	seccomp_release(ctx);
	return r;
}
