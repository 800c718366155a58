/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp, loaded when a filter has to be built and at no other time: most starts of a container
 * find theirs in the cache. */
#include "backend/native/seccomp_int.h"

#include "base/fd.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SONAME "libseccomp.so.2"

/* What is used of it, with the types that its header gives. */
#define SYMBOLS(X)                           \
	X(seccomp_version)                   \
	X(seccomp_init)                      \
	X(seccomp_release)                   \
	X(seccomp_arch_add)                  \
	X(seccomp_arch_remove)               \
	X(seccomp_arch_native)               \
	X(seccomp_syscall_resolve_name)      \
	X(seccomp_syscall_resolve_name_arch) \
	X(seccomp_rule_add_array)            \
	X(seccomp_export_bpf)

#define MEMBER(name) __typeof__(&name) name;
#define ROW(name)    { #name, offsetof(struct seccomp_lib, name) },

struct seccomp_lib {
	void *handle;
	char version[32];
	SYMBOLS(MEMBER)
};

static const struct {
	const char *name;
	size_t off;
} symbols[] = { SYMBOLS(ROW) };

struct seccomp_lib *seccomp_lib_close(struct seccomp_lib *lib)
{
	if (lib && lib->handle)
		dlclose(lib->handle);
	free(lib);
	return NULL;
}

struct seccomp_lib *seccomp_lib_open(struct err *err)
{
	_seccomp_lib_ struct seccomp_lib *lib = calloc(1, sizeof(*lib));
	const struct scmp_version *v;

	if (!lib) {
		err_nomem(err);
		return NULL;
	}
	lib->handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle) {
		err_set(err, ERR_UNSUPPORTED, SONAME,
			"can't be loaded: the profile's syscall names have no numbers without it");
		err_hint(err, "install libseccomp 2.5 or newer (Debian: libseccomp2)");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *p = dlsym(lib->handle, symbols[i].name);

		if (!p) {
			err_set(err, ERR_UNSUPPORTED, SONAME, "has no %s: it is too old",
				symbols[i].name);
			return NULL;
		}
		memcpy((char *)lib + symbols[i].off, &p, sizeof(p));
	}
	v = lib->seccomp_version();
	snprintf(lib->version, sizeof(lib->version), "%u.%u.%u", v->major, v->minor, v->micro);
	return take(lib);
}

const char *seccomp_lib_version(const struct seccomp_lib *lib)
{
	return lib->version;
}

const char *seccomp_lib_file(const struct seccomp_lib *lib)
{
	const struct link_map *map = NULL;

	if (dlinfo(lib->handle, RTLD_DI_LINKMAP, &map) < 0 || !map || !map->l_name[0])
		return NULL;
	return map->l_name;
}

int seccomp_lib_number(
	const struct seccomp_lib *lib, const struct seccomp_arch *arch, const char *name)
{
	return lib->seccomp_syscall_resolve_name_arch(arch->token, name);
}

static void release(const struct seccomp_lib *lib, scmp_filter_ctx *ctx)
{
	if (*ctx)
		lib->seccomp_release(*ctx);
	*ctx = NULL;
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
static int rule_add(const struct seccomp_lib *lib, scmp_filter_ctx ctx,
	const struct seccomp_lib_rule *rule, struct err *err)
{
	int nr = lib->seccomp_syscall_resolve_name(rule->name);
	struct scmp_arg_cmp cmp[6];
	size_t each = index_repeats(rule) ? 1 : rule->n_args;

	for (size_t i = 0; i < rule->n_args; i++)
		cmp[i] = (struct scmp_arg_cmp){ .arg = rule->args[i].index,
			.op = ops[rule->args[i].op],
			.datum_a = rule->args[i].value,
			.datum_b = rule->args[i].value_two };
	for (size_t i = 0; i == 0 || i < rule->n_args; i += MAX(each, 1U)) {
		int r = lib->seccomp_rule_add_array(ctx, rule->ret, nr, (unsigned)each, cmp + i);

		if (r < 0)
			return rule_error(err, -r, rule);
	}
	return 0;
}

static int export(const struct seccomp_lib *lib, scmp_filter_ctx ctx, struct arena *arena,
	const struct sock_filter **ret, size_t *ret_n, struct err *err)
{
	_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct sock_filter *insns;
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "seccomp");
	r = lib->seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_sys(err, -r, "seccomp_export_bpf", SONAME);
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

int seccomp_lib_compile(const struct seccomp_lib *lib, const struct seccomp_arch *arch,
	uint32_t default_ret, const struct seccomp_lib_rule *rules, size_t n, struct arena *arena,
	const struct sock_filter **ret, size_t *ret_n, struct err *err)
{
	uint32_t native = lib->seccomp_arch_native();
	scmp_filter_ctx ctx = lib->seccomp_init(default_ret);
	int r = 0;

	if (!ctx)
		return err_set(err, ERR_UNSUPPORTED, "seccomp_init",
			"libseccomp %s refuses the default action", lib->version);
	if (arch->token != native) {
		r = lib->seccomp_arch_add(ctx, arch->token);
		if (r == 0)
			r = lib->seccomp_arch_remove(ctx, native);
		if (r < 0)
			r = err_sys(err, -r, "seccomp_arch_add", "%s", arch->name);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = rule_add(lib, ctx, &rules[i], err);
	if (r == 0)
		r = export(lib, ctx, arena, ret, ret_n, err);
	release(lib, &ctx);
	return r;
}
