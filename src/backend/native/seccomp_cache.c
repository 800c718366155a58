/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled filters on disk: one file per profile, its name the hash of the profile. An entry
 * carries its own key, the libseccomp it was made with, and a checksum; whatever doesn't fit is
 * made again. libseccomp is not part of the key, because a hit must not look for the library: the
 * entry names the file it was made with, and is good as long as that file has not changed (one
 * stat). So an upgrade makes all filters anew.
 */
#include "backend/native/seccomp_int.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MAGIC "ctrscmp1"

struct entry {
	char magic[8];
	uint64_t n; /* instructions */
	char key[64];
	uint64_t lib[4]; /* device, inode, size, mtime in ns of the file below */
	char lib_path[256];
	uint64_t sum;
	struct sock_filter insns[];
};

_Static_assert(sizeof(struct entry) % 8 == 0 && sizeof(struct sock_filter) == 8,
	"summed by words of 8 bytes");

/* ---- key ---- */

static void add_u64(struct sha256 *h, uint64_t v)
{
	sha256_add(h, &v, sizeof(v));
}

static void add_str(struct sha256 *h, const char *s)
{
	add_u64(h, s ? strlen(s) + 1 : 0);
	if (s)
		sha256_add(h, s, strlen(s));
}

/* Many short ones: the NUL tells them apart. */
static void add_names(struct sha256 *h, const char *const *names, size_t n)
{
	add_u64(h, n);
	for (size_t i = 0; i < n; i++)
		sha256_add(h, names[i], strlen(names[i]) + 1);
}

static void add_opt(struct sha256 *h, const uint32_t *v)
{
	add_u64(h, v ? (uint64_t)*v + 1 : 0);
}

static void add_rule(struct sha256 *h, const struct oci_seccomp_rule *rule)
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

void seccomp_cache_key(const struct oci_seccomp *s, const char *release, char ret[65])
{
	unsigned char digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	add_u64(&h, SECCOMP_EMITTER);
	add_str(&h, seccomp_arch_own()->name);
	add_str(&h, release);
	add_u64(&h, (uint64_t)s->default_action);
	add_opt(&h, s->default_errno_ret);
	add_names(&h, s->architectures, s->n_architectures);
	add_u64(&h, s->has_flags);
	add_u64(&h, s->n_flags);
	for (size_t i = 0; i < s->n_flags; i++)
		add_u64(&h, (uint64_t)s->flags[i]);
	add_str(&h, s->listener_path);
	add_str(&h, s->listener_metadata);
	add_u64(&h, s->n_syscalls);
	for (size_t i = 0; i < s->n_syscalls; i++)
		add_rule(&h, &s->syscalls[i]);
	sha256_done(&h, digest);
	sha256_hex(digest, ret);
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

	return sum_words(sum, e->insns, e->n * sizeof(e->insns[0]));
}

static int stamp(const char *path, uint64_t ret[4])
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -1;
	ret[0] = st.st_dev;
	ret[1] = st.st_ino;
	ret[2] = (uint64_t)st.st_size;
	ret[3] = (uint64_t)st.st_mtim.tv_sec * 1000000000U + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

/* Why an entry can't be used, or NULL. */
static const char *entry_fault(const struct entry *e, size_t size, const char *key)
{
	uint64_t lib[4];

	if (memcmp(e->magic, MAGIC, sizeof(e->magic)) != 0 || e->n == 0 || e->n > BPF_MAXINSNS ||
		size != sizeof(*e) + e->n * sizeof(e->insns[0]) || entry_sum(e) != e->sum)
		return "is damaged";
	if (memcmp(e->key, key, sizeof(e->key)) != 0)
		return "belongs to another profile";
	if (e->lib_path[sizeof(e->lib_path) - 1] || stamp(e->lib_path, lib) < 0 ||
		memcmp(lib, e->lib, sizeof(lib)) != 0)
		return "was made with another libseccomp";
	return NULL;
}

/* 1: taken from the cache, 0: not there or not usable. */
static int entry_read(
	int cache_fd, const char *key, struct arena *arena, struct seccomp_filter *filter)
{
	char name[sizeof(SECCOMP_CACHE_FOLDER) + 1 + 64];
	struct err ignored = ERR_INIT;
	const char *fault = NULL;
	struct entry *e;
	struct stat st;

	snprintf(name, sizeof(name), SECCOMP_CACHE_FOLDER "/%s", key);
	_close_ int fd =
		path_open_beneath(cache_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, &ignored);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 07777) != 0600)
		fault = "has another owner or mode than the cache gives";
	else if ((size_t)st.st_size < sizeof(*e) ||
		 (size_t)st.st_size > sizeof(*e) + BPF_MAXINSNS * sizeof(e->insns[0]))
		fault = "is damaged";
	e = fault ? NULL : arena_alloc(arena, (size_t)st.st_size);
	if (e)
		fault = read(fd, e, (size_t)st.st_size) == st.st_size
				? entry_fault(e, (size_t)st.st_size, key)
				: "is cut short";
	if (fault)
		log_debug("seccomp: the cached filter %s %s: made again", name, fault);
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

static int entry_write(int cache_fd, const char *key, const struct seccomp_lib *lib,
	const struct seccomp_filter *filter, struct arena *arena, struct err *err)
{
	size_t size = sizeof(struct entry) + filter->n * sizeof(filter->insns[0]);
	const char *path = seccomp_lib_file(lib);
	struct entry *e = arena_alloc(arena, size);

	if (!e)
		return err_nomem(err);
	if (!path || strlen(path) >= sizeof(e->lib_path) || stamp(path, e->lib) < 0)
		return err_set(err, ERR_UNSUPPORTED, path, "can't be recorded");
	_close_ int folder = folder_open(cache_fd, err);
	if (folder < 0 || prune(folder, err) < 0)
		return -1;
	memcpy(e->magic, MAGIC, sizeof(e->magic));
	e->n = filter->n;
	memcpy(e->key, key, sizeof(e->key));
	memcpy(e->lib_path, path, strlen(path));
	memcpy(e->insns, filter->insns, filter->n * sizeof(filter->insns[0]));
	e->sum = entry_sum(e);
	return file_replace(folder, key, e, size, 0600, err);
}

int seccomp_get(const struct oci_seccomp *s, int cache_fd, struct arena *arena,
	struct seccomp_filter *ret, struct err *err)
{
	_seccomp_lib_ struct seccomp_lib *lib = NULL;
	struct seccomp_filter filter = { 0 };
	struct err note = ERR_INIT;
	struct utsname uts;
	char key[SHA256_HEX_SIZE], line[512];

	if (seccomp_check(s, err) < 0 || seccomp_kernel_check(s, &filter, err) < 0)
		return -1;
	if (uname(&uts) < 0)
		return err_sys(err, errno, "uname", "kernel release");
	seccomp_cache_key(s, uts.release, key);
	if (cache_fd >= 0 && entry_read(cache_fd, key, arena, &filter)) {
		*ret = filter;
		return 0;
	}
	lib = seccomp_lib_open(err);
	if (!lib || seccomp_compile(
			    s, seccomp_arch_own(), lib, arena, &filter.insns, &filter.n, err) < 0)
		return -1;
	/* A filter that can't be kept is as good as one that can. */
	if (cache_fd >= 0 && entry_write(cache_fd, key, lib, &filter, arena, &note) < 0) {
		err_line(&note, line, sizeof(line));
		log_debug("seccomp: the filter isn't cached: %s", line);
	}
	*ret = filter;
	return 0;
}
