/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled filters on disk: one file per profile. An entry carries its whole key, that is, all that
 * decides about the filter: the profile, the build that made it (its sources and its libseccomp),
 * the kernel's release, the architecture. A hit is a comparison of the keys, byte by byte, so that
 * no choice of a profile can make one pass for another; the hash that names the file needn't be
 * strong. Whatever doesn't fit is made again.
 */
#include "backend/native/seccomp-build.h"
#include "backend/native/seccomp_int.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MAGIC "ctrscmp2"

enum { WORD = sizeof(uint64_t) };

struct entry {
	char magic[8];
	uint64_t n;     /* instructions */
	uint64_t n_key; /* bytes, a multiple of WORD */
	uint64_t sum;
	struct sock_filter insns[]; /* and the key behind them */
};

_Static_assert(
	sizeof(struct entry) % WORD == 0 && sizeof(struct sock_filter) == WORD, "summed by words");

/* ---- key ---- */

static void add_u64(struct str *h, uint64_t v)
{
	str_addn(h, &v, sizeof(v));
}

static void add_str(struct str *h, const char *s)
{
	add_u64(h, s ? strlen(s) + 1 : 0);
	if (s)
		str_addn(h, s, strlen(s));
}

/* Many short ones: the NUL tells them apart. */
static void add_names(struct str *h, const char *const *names, size_t n)
{
	add_u64(h, n);
	for (size_t i = 0; i < n; i++)
		str_addn(h, names[i], strlen(names[i]) + 1);
}

static void add_opt(struct str *h, const uint32_t *v)
{
	add_u64(h, v ? (uint64_t)*v + 1 : 0);
}

static void add_rule(struct str *h, const struct oci_seccomp_rule *rule)
{
	add_names(h, rule->names, rule->n_names);
	add_u64(h, (uint64_t)rule->action);
	add_opt(h, rule->errno_ret);
	add_u64(h, rule->n_args);
	for (size_t i = 0; i < rule->n_args; i++) {
		const struct oci_seccomp_arg *arg = &rule->args[i];

		add_u64(h, arg->index);
		add_u64(h, arg->value);
		add_u64(h, arg->value_two);
		add_u64(h, (uint64_t)arg->op);
	}
}

int seccomp_cache_key(const struct oci_seccomp *s, const char *build, const char *release,
	struct str *h, struct err *err)
{
	static const char zeros[WORD];

	add_str(h, build);
	add_str(h, seccomp_arch_own()->name);
	add_str(h, release);
	add_u64(h, (uint64_t)s->default_action);
	add_opt(h, s->default_errno_ret);
	add_names(h, s->architectures, s->n_architectures);
	add_u64(h, s->has_flags);
	add_u64(h, s->n_flags);
	for (size_t i = 0; i < s->n_flags; i++)
		add_u64(h, (uint64_t)s->flags[i]);
	add_str(h, s->listener_path);
	add_str(h, s->listener_metadata);
	add_u64(h, s->n_syscalls);
	for (size_t i = 0; i < s->n_syscalls; i++)
		add_rule(h, &s->syscalls[i]);
	str_addn(h, zeros, (WORD - h->n % WORD) % WORD);
	return str_ok(h, err);
}

/* ---- entries ---- */

/* Against damage, not against an attacker: who can write here is root. Every step is a bijection in
 * both the sum so far and the word, so that no change of one word goes unnoticed. */
static uint64_t sum_words(uint64_t sum, const void *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, (const char *)p + i, sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
		sum ^= sum >> 32;
	}
	return sum;
}

static uint64_t entry_sum(const struct entry *e)
{
	uint64_t sum = sum_words(1, e, offsetof(struct entry, sum));

	return sum_words(sum, e->insns, e->n * sizeof(e->insns[0]) + e->n_key);
}

static size_t entry_size(size_t n, size_t n_key)
{
	return sizeof(struct entry) + n * sizeof(struct sock_filter) + n_key;
}

void seccomp_cache_name(const struct str *key, char ret[SECCOMP_CACHE_NAME])
{
	snprintf(ret, SECCOMP_CACHE_NAME, "%016llx",
		(unsigned long long)sum_words(1, key->p, key->n));
}

/* Why an entry can't be used, or NULL. */
static const char *entry_fault(const struct entry *e, size_t size, const struct str *key)
{
	if (memcmp(e->magic, MAGIC, sizeof(e->magic)) != 0 || e->n == 0 || e->n > BPF_MAXINSNS ||
		e->n_key > size || size != entry_size(e->n, e->n_key) || entry_sum(e) != e->sum)
		return "is damaged";
	if (e->n_key != key->n || memcmp(e->insns + e->n, key->p, key->n) != 0)
		return "belongs to another profile";
	return NULL;
}

/* 1: taken from the cache, 0: not there or not usable. */
static int entry_read(
	int cache_fd, const struct str *key, struct arena *arena, struct seccomp_filter *filter)
{
	char name[SECCOMP_CACHE_NAME], path[sizeof(SECCOMP_CACHE_FOLDER) + SECCOMP_CACHE_NAME];
	struct err ignored = ERR_INIT;
	const char *fault = NULL;
	struct entry *e;
	struct stat st;

	seccomp_cache_name(key, name);
	snprintf(path, sizeof(path), SECCOMP_CACHE_FOLDER "/%s", name);
	_close_ int fd =
		path_open_beneath(cache_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &ignored);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 07777) != 0600)
		fault = "has another owner or mode than the cache gives";
	else if ((size_t)st.st_size < entry_size(1, key->n) ||
		 (size_t)st.st_size > entry_size(BPF_MAXINSNS, key->n))
		fault = "is damaged or belongs to another profile";
	e = fault ? NULL : arena_alloc(arena, (size_t)st.st_size);
	if (e)
		fault = read(fd, e, (size_t)st.st_size) == st.st_size
				? entry_fault(e, (size_t)st.st_size, key)
				: "is cut short";
	if (fault)
		log_debug("seccomp: the cached filter %s %s: made again", path, fault);
	if (!e || fault)
		return 0;
	filter->insns = e->insns;
	filter->n = e->n;
	return 1;
}

/* Makes room for one more: the oldest go. */
static int prune(int folder, struct err *err)
{
	for (;;) {
		int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
		struct timespec oldest = { 0 };
		char name[256] = "";
		size_t n = 0;

		if (!dir) {
			err_sys(err, errno, "opendir", SECCOMP_CACHE_FOLDER);
			fd_close(fd);
			return -1;
		}
		for (struct dirent *d; (d = readdir(dir));) {
			struct stat st;

			if (fstatat(folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
				S_ISDIR(st.st_mode))
				continue;
			if (n++ == 0 || st.st_mtim.tv_sec < oldest.tv_sec ||
				(st.st_mtim.tv_sec == oldest.tv_sec &&
					st.st_mtim.tv_nsec < oldest.tv_nsec)) {
				oldest = st.st_mtim;
				snprintf(name, sizeof(name), "%s", d->d_name);
			}
		}
		if (n < SECCOMP_CACHE_ENTRIES)
			return 0;
		if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "unlink", "%s", name);
	}
}

/* Ours alone, or not used. */
static int folder_open(int cache_fd, struct err *err)
{
	struct stat st;

	if (mkdirat(cache_fd, SECCOMP_CACHE_FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir", SECCOMP_CACHE_FOLDER);

	_close_ int fd =
		path_open_beneath(cache_fd, SECCOMP_CACHE_FOLDER, O_RDONLY | O_DIRECTORY, err);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", SECCOMP_CACHE_FOLDER);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(err, ERR_DENIED, SECCOMP_CACHE_FOLDER, "is open to others");
	return fd_take(&fd);
}

static int entry_write(int cache_fd, const struct str *key, const struct seccomp_filter *filter,
	struct arena *arena, struct err *err)
{
	size_t size = entry_size(filter->n, key->n);
	struct entry *e = arena_alloc(arena, size);
	char name[SECCOMP_CACHE_NAME];

	if (!e)
		return err_nomem(err);
	_close_ int folder = folder_open(cache_fd, err);
	if (folder < 0 || prune(folder, err) < 0)
		return -1;
	memcpy(e->magic, MAGIC, sizeof(e->magic));
	e->n = filter->n;
	e->n_key = key->n;
	memcpy(e->insns, filter->insns, filter->n * sizeof(filter->insns[0]));
	memcpy(e->insns + filter->n, key->p, key->n);
	e->sum = entry_sum(e);
	seccomp_cache_name(key, name);
	return file_replace(folder, name, e, size, 0600, err);
}

int seccomp_get(const struct oci_seccomp *s, int cache_fd, struct arena *arena,
	struct seccomp_filter *ret, struct err *err)
{
	struct seccomp_filter filter = { 0 };
	struct err note = ERR_INIT;
	struct utsname uts;
	_str_ struct str key = { 0 };
	char line[512];

	if (seccomp_check(s, err) < 0 || seccomp_kernel_check(s, &filter, err) < 0)
		return -1;
	if (uname(&uts) < 0)
		return err_sys(err, errno, "uname", "kernel release");
	if (seccomp_cache_key(s, SECCOMP_BUILD, uts.release, &key, err) < 0)
		return -1;
	if (cache_fd >= 0 && entry_read(cache_fd, &key, arena, &filter)) {
		*ret = filter;
		return 0;
	}
	if (seccomp_compile(s, seccomp_arch_own(), arena, &filter.insns, &filter.n, err) < 0)
		return -1;
	/* A filter that can't be kept is as good as one that can. */
	if (cache_fd >= 0 && entry_write(cache_fd, &key, &filter, arena, &note) < 0) {
		err_line(&note, line, sizeof(line));
		log_debug("seccomp: the filter isn't cached: %s", line);
	}
	*ret = filter;
	return 0;
}
