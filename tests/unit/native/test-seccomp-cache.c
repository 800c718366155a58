/* SPDX-License-Identifier: Apache-2.0 */
/* The cache gives what was put in, notices every damage, and never stands in the way. */
#include "test-seccomp-common.h"

#include "backend/native/seccomp-build.h"
#include "base/fd.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where things are in an entry. */
enum { AT_SUM = 24, AT_INSNS = 32 };

static char folder[] = "/tmp/ctrctl-seccomp-XXXXXX";
static int cache = FD_NONE;
static struct arena *arena;
static struct oci_seccomp *profile;
static struct seccomp_filter expected;

static void setup(void)
{
	struct err err = ERR_INIT;

	cr_assert_not_null(mkdtemp(folder));
	cache = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(cache, 0);
	arena = arena_new();
	profile = profile_new(arena, OCI_ACT_ERRNO, NULL);
	profile_rule(arena, profile, "getppid", OCI_ACT_ALLOW);
	cr_assert_eq(seccomp_build(profile, arena, &expected, &err), 0);
}

static void teardown(void)
{
	struct err err = ERR_INIT;

	_close_ int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	cr_assert_eq(path_remove_tree(tmp, strrchr(folder, '/') + 1, &err), 0, "%s", err.text);
	cache = fd_close(cache);
	arena = arena_free(arena);
}

TestSuite(seccomp_cache, .init = setup, .fini = teardown);

static struct str key_of(const struct oci_seccomp *s, const char *build, const char *release)
{
	struct err err = ERR_INIT;
	struct str key = { 0 };

	cr_assert_eq(seccomp_cache_key(s, build, release, &key, &err), 0);
	cr_assert_eq(key.n % 8, 0);
	return key;
}

static const char *entry_path(const struct oci_seccomp *s)
{
	char name[SECCOMP_CACHE_NAME];
	struct utsname uts;

	uname(&uts);

	_str_ struct str key = key_of(s, SECCOMP_BUILD, uts.release);

	seccomp_cache_name(&key, name);
	return arena_printf(arena, "%s/seccomp/%s", folder, name);
}

static void get(void)
{
	struct seccomp_filter f;
	struct err err = ERR_INIT;

	cr_assert_eq(
		seccomp_get(profile, cache, arena, &f, &err), 0, "%s %s", err.object, err.text);
	cr_assert_eq(f.n, expected.n);
	cr_assert_eq(memcmp(f.insns, expected.insns, f.n * sizeof(*f.insns)), 0);
	cr_assert_eq(f.flags, expected.flags);
}

struct file {
	unsigned char *p;
	size_t n;
	struct stat st;
};

static struct file slurp(const char *path)
{
	struct file f;
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && fstat(fd, &f.st) == 0);
	f.n = (size_t)f.st.st_size;
	f.p = arena_alloc(arena, f.n);
	cr_assert_eq(read(fd, f.p, f.n), (ssize_t)f.n);
	return f;
}

static void spill(const char *path, const void *p, size_t n)
{
	_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && fd_write_all(fd, p, n) == 0);
}

/* The entry is whole again, and it is another file than before. */
static void made_again(const char *path, const struct file *good, const struct file *bad)
{
	struct file now;

	get();
	now = slurp(path);
	cr_assert(now.n == good->n && memcmp(now.p, good->p, now.n) == 0);
	cr_assert_eq(now.st.st_mode, S_IFREG | 0600);
	cr_assert_eq(now.st.st_uid, geteuid());
	if (bad)
		cr_assert(now.st.st_ino != bad->st.st_ino ||
			  now.st.st_ctim.tv_nsec != bad->st.st_ctim.tv_nsec);
}

Test(seccomp_cache, a_hit_gives_the_same_filter_and_writes_nothing)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		get();
		_exit(0);
	}
	cr_assert(waitpid(pid, &status, 0) == pid && status == 0);

	struct file before = slurp(entry_path(profile));

	get();
	cr_assert_eq(slurp(entry_path(profile)).st.st_ino, before.st.st_ino);
	cr_assert_eq(before.st.st_mode, S_IFREG | 0600);
}

static uint64_t sum_of(const unsigned char *p, size_t n)
{
	uint64_t sum = 1, word;

	for (size_t i = 0; i < n; i += 8) {
		if (i == AT_SUM)
			continue;
		memcpy(&word, p + i, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
		sum ^= sum >> 32;
	}
	return sum;
}

/* A whole entry is believed: without this the tests of damage would prove nothing. */
Test(seccomp_cache, what_the_entry_says_is_used)
{
	struct seccomp_filter f;
	struct err err = ERR_INIT;
	uint64_t sum;

	get();

	struct file e = slurp(entry_path(profile));

	e.p[AT_INSNS + expected.n * sizeof(*expected.insns) - 1] ^= 1;
	sum = sum_of(e.p, e.n);
	memcpy(e.p + AT_SUM, &sum, sizeof(sum));
	spill(entry_path(profile), e.p, e.n);
	cr_assert_eq(seccomp_get(profile, cache, arena, &f, &err), 0);
	cr_assert_eq(f.n, expected.n);
	cr_assert_neq(memcmp(f.insns, expected.insns, f.n * sizeof(*f.insns)), 0);
}

Test(seccomp_cache, damage_at_any_byte_is_noticed)
{

	get();

	const char *path = entry_path(profile);
	struct file good = slurp(path);

	for (size_t i = 0; i < good.n; i++) {
		good.p[i] ^= (unsigned char)(1U << i % 8);
		spill(path, good.p, good.n);
		good.p[i] ^= (unsigned char)(1U << i % 8);
		made_again(path, &good, NULL);
	}
}

Test(seccomp_cache, a_wrong_length_is_noticed)
{
	get();

	const char *path = entry_path(profile);
	struct file good = slurp(path);
	unsigned char *longer = arena_alloc(arena, good.n + 8);
	const size_t lengths[] = { 0, 1, AT_INSNS - 1, AT_INSNS, good.n - 8, good.n - 1,
		good.n + 8 };

	memcpy(longer, good.p, good.n);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		spill(path, longer, lengths[i]);
		made_again(path, &good, NULL);
	}
}

/* The name is a weak hash: an entry with the right name and sum is compared with the whole key. */
Test(seccomp_cache, an_entry_that_differs_anywhere_in_its_key_is_not_taken)
{
	uint64_t sum;

	get();

	const char *path = entry_path(profile);
	struct file good = slurp(path);

	for (size_t at = AT_INSNS + expected.n * sizeof(*expected.insns); at < good.n; at++) {
		struct file bad = slurp(path);

		bad.p[at] ^= 1;
		sum = sum_of(bad.p, bad.n);
		memcpy(bad.p + AT_SUM, &sum, sizeof(sum));
		spill(path, bad.p, bad.n);
		made_again(path, &good, NULL);
	}
}

Test(seccomp_cache, another_build_has_other_entries)
{
	char one[SECCOMP_CACHE_NAME], two[SECCOMP_CACHE_NAME];
	_str_ struct str a = key_of(profile, "a", "6.18.0"), b = key_of(profile, "b", "6.18.0");

	cr_assert_neq(memcmp(a.p, b.p, a.n), 0);
	seccomp_cache_name(&a, one);
	seccomp_cache_name(&b, two);
	cr_assert_str_neq(one, two);
	cr_assert_eq(strlen(SECCOMP_BUILD), 64);
}

Test(seccomp_cache, an_entry_of_another_profile_is_not_taken)
{
	get();

	const char *path = entry_path(profile);
	struct file good = slurp(path);

	profile_rule(arena, profile, "getpid", OCI_ACT_ALLOW);
	cr_assert_eq(rename(path, entry_path(profile)), 0);
	profile->n_syscalls--;
	profile_rule(arena, profile, "getpid", OCI_ACT_ALLOW);

	struct seccomp_filter f;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_get(profile, cache, arena, &f, &err), 0);
	cr_assert(
		f.n != expected.n || memcmp(f.insns, expected.insns, f.n * sizeof(*f.insns)) != 0);

	struct file now = slurp(entry_path(profile));

	cr_assert(now.n != good.n || memcmp(now.p, good.p, good.n) != 0);
}

Test(seccomp_cache, wrong_modes_and_owners_are_refused)
{
	static const mode_t modes[] = { 0644, 0660, 0606, 0400, 04600 };

	get();

	const char *path = entry_path(profile);
	struct file good = slurp(path), bad;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		cr_assert_eq(chmod(path, modes[i]), 0);
		bad = slurp(path);
		made_again(path, &good, &bad);
	}
	if (geteuid() != 0)
		cr_skip_test("giving a file away needs root");
	cr_assert_eq(chown(path, 1000, 0), 0);
	bad = slurp(path);
	made_again(path, &good, &bad);
}

Test(seccomp_cache, what_is_no_file_is_not_followed)
{
	get();

	const char *path = entry_path(profile), *aside = arena_printf(arena, "%s/aside", folder);
	struct file good = slurp(path);

	cr_assert_eq(rename(path, aside), 0);
	cr_assert_eq(symlink(aside, path), 0);
	made_again(path, &good, NULL);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	made_again(path, &good, NULL);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0600), 0);
	get();
}

Test(seccomp_cache, a_folder_open_to_others_is_not_used)
{
	const char *sub = arena_printf(arena, "%s/seccomp", folder);

	cr_assert_eq(mkdir(sub, 0700), 0);
	cr_assert_eq(chmod(sub, 0755), 0);
	get();
	cr_assert_neq(access(entry_path(profile), F_OK), 0);
	cr_assert_eq(chmod(sub, 0700), 0);
	get();
	cr_assert_eq(access(entry_path(profile), F_OK), 0);
}

Test(seccomp_cache, works_without_a_cache)
{
	struct seccomp_filter f;
	struct err err = ERR_INIT;

	cr_assert_eq(seccomp_get(profile, -1, arena, &f, &err), 0);
	cr_assert_eq(f.n, expected.n);
	cr_assert_neq(access(arena_printf(arena, "%s/seccomp", folder), F_OK), 0);
}

static size_t count(bool *ret_hidden)
{
	_closedir_ DIR *dir = opendir(arena_printf(arena, "%s/seccomp", folder));
	size_t n = 0;

	cr_assert_not_null(dir);
	for (struct dirent *d; (d = readdir(dir));) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		*ret_hidden |= d->d_name[0] == '.';
		n++;
	}
	return n;
}

Test(seccomp_cache, holds_so_many_entries_and_forgets_the_oldest)
{
	struct err err = ERR_INIT;
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	uint32_t value = 0;
	bool hidden = false;
	const char *first = entry_path(profile);

	get();
	cr_assert_eq(utimensat(AT_FDCWD, first, old, 0), 0);
	profile->default_errno_ret = &value;
	for (value = 1; value <= SECCOMP_CACHE_ENTRIES - 1; value++) {
		struct seccomp_filter f;

		cr_assert_eq(seccomp_get(profile, cache, arena, &f, &err), 0);
	}
	cr_assert_eq(count(&hidden), SECCOMP_CACHE_ENTRIES);
	cr_assert_eq(access(first, F_OK), 0);
	for (; value <= SECCOMP_CACHE_ENTRIES + 5; value++) {
		struct seccomp_filter f;

		cr_assert_eq(seccomp_get(profile, cache, arena, &f, &err), 0);
		cr_assert_eq(access(entry_path(profile), F_OK), 0);
	}
	cr_assert_eq(count(&hidden), SECCOMP_CACHE_ENTRIES);
	cr_assert_neq(access(first, F_OK), 0);
	cr_assert_not(hidden);
}

/* Writers of the same few entries, some of them damaging what they find. */
static void worker(uint64_t seed)
{
	struct err err = ERR_INIT;
	uint32_t value;

	profile->default_errno_ret = &value;
	for (int i = 0; i < 150; i++) {
		struct seccomp_filter f;
		const struct seccomp_data data = { .nr = 1, .arch = seccomp_arch_own()->audit };

		value = 1 + rnd(&seed, 4);
		if (rnd(&seed, 4) == 0)
			unlink(entry_path(profile));
		if (seccomp_get(profile, cache, arena, &f, &err) < 0)
			_exit(1);
		/* getppid, 110, is the largest number: 1 falls to the default. */
		if (program_run((struct program){ f.insns, f.n }, &data) !=
			(SECCOMP_RET_ERRNO | value))
			_exit(2);
	}
	_exit(0);
}

Test(seccomp_cache, many_at_once_get_whole_filters)
{
	pid_t pids[6];
	bool hidden = false;
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			worker(7919 * (i + 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0, "%#x", status);
	}
	cr_assert_leq(count(&hidden), 4);
	cr_assert_not(hidden, "a temporary file was left");
}

/* Each changes one thing. */
static void alter(struct oci_seccomp *s, int how)
{
	struct oci_seccomp_rule *r = &s->syscalls[0];
	static uint32_t seven = 7;
	static int flag = OCI_SECCOMP_LOG;

	switch (how) {
	case 0: s->default_action = OCI_ACT_TRAP; break;
	case 1: s->default_errno_ret = &seven; break;
	case 2: s->architectures[s->n_architectures++] = "SCMP_ARCH_X86"; break;
	case 3: s->has_flags = true; break;
	case 4: s->has_flags = true, s->flags = &flag, s->n_flags = 1; break;
	case 5: s->listener_path = "/a"; break;
	case 6: s->listener_metadata = ""; break;
	case 7: r->names[0] = "write"; break;
	case 8: r->names[r->n_names++] = "write"; break;
	case 9: r->action = OCI_ACT_LOG; break;
	case 10: r->errno_ret = &seven; break;
	case 11: r->args[0].index = 1; break;
	case 12: r->args[0].value = 2; break;
	case 13: r->args[0].value_two = 2; break;
	case 14: r->args[0].op = OCI_CMP_NE; break;
	case 15: r->n_args = 0; break;
	case 16: s->n_syscalls = 0; break;
	default: profile_rule(arena, s, "read", OCI_ACT_ALLOW);
	}
}

static bool same(const struct str *a, const struct str *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

Test(seccomp_cache, every_field_has_its_part_in_the_key)
{
	struct str keys[20] = { 0 };

	for (int how = -1; how < 18; how++) {
		struct oci_seccomp *s = profile_new(arena, OCI_ACT_ERRNO, NULL);

		profile_arg(
			arena, profile_rule(arena, s, "read", OCI_ACT_ALLOW), 0, OCI_CMP_EQ, 1, 0);
		if (how >= 0)
			alter(s, how);
		keys[how + 1] = key_of(s, "build", "6.18.0");
		for (int i = 0; i <= how; i++)
			cr_assert_not(
				same(&keys[i], &keys[how + 1]), "changes %d and %d", i - 1, how);
		if (how < 0) {
			keys[19] = key_of(s, "build", "6.18.1");
			cr_assert_not(same(&keys[0], &keys[19]));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		str_done(&keys[i]);
}
