/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's archive into a scratch folder, with a canary tree beside it: whatever the archive, the
 * canary doesn't change, and in the folder there are no devices but whiteouts, no names of
 * whiteouts, and no attributes but those of the list.
 *
 * A tar with a changed byte is mostly one with a wrong checksum. So an input that doesn't look like
 * a compressed stream or a tar is a text that a tar is made of: a line per entry, its first
 * character the type, then fields that end with a tab: name, link, data, and pax records
 * ("key=value"). "@" in a name or link stands for the canary's absolute path.
 *
 * Needs root (owners, whiteouts); does nothing without. The scratch folder is in $TMPDIR.
 */
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "image/unpack.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024, ENTRIES_MAX = 16, BLOCK = 512, FIELDS_MAX = 8, N_CANARY = 7 };

static const struct unpack_limits limits = { .bytes = 1 << 20, .entries = 64 };

/* "" is the folder that all is in. */
static const char *const canary_names[N_CANARY] = { "canary", "canary/secret", "canary/dir",
	"canary/dir/inner", "canary/setuid", "canary/link", "" };

static struct {
	char path[256];
	int fd;
	struct stat canary[N_CANARY];
} scratch;

/* -- the scratch folder ------------------------------------------------------------------------ */

static void put(const char *name, mode_t mode)
{
	int fd = openat(scratch.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert(fd >= 0 && write(fd, "of the host\n", 12) == 12 && fchmod(fd, mode) == 0);
	close(fd);
}

static void look_at_canary(struct stat *ret)
{
	for (size_t i = 0; i < N_CANARY; i++)
		assert(fstatat(scratch.fd, canary_names[i], &ret[i],
			       AT_SYMLINK_NOFOLLOW | (*canary_names[i] ? 0 : AT_EMPTY_PATH)) == 0);
}

static void remove_scratch(void)
{
	struct err err = ERR_INIT;
	const char *name = strrchr(scratch.path, '/') + 1;
	int parent = openat(scratch.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (path_remove_tree(parent, name, &err) < 0)
		fprintf(stderr, "%s is left\n", scratch.path);
	close(parent);
}

static void make_scratch(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch.path, sizeof(scratch.path), "%s/ctrctl-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	assert(mkdtemp(scratch.path));
	scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(scratch.fd >= 0);
	atexit(remove_scratch);
	assert(mkdirat(scratch.fd, "top", 0755) == 0 && mkdirat(scratch.fd, "canary", 0755) == 0 &&
		mkdirat(scratch.fd, "canary/dir", 0755) == 0);
	put("canary/secret", 0600);
	put("canary/dir/inner", 0644);
	put("canary/setuid", 04755);
	assert(symlinkat("secret", scratch.fd, "canary/link") == 0);
	look_at_canary(scratch.canary);
}

/* A change of content, attributes or names changes a ctime. */
static void check_canary(void)
{
	struct stat now[N_CANARY];

	look_at_canary(now);
	for (size_t i = 0; i < N_CANARY; i++) {
		const struct stat *a = &scratch.canary[i], *b = &now[i];
		assert(a->st_ino == b->st_ino && a->st_nlink == b->st_nlink);
		assert(a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
			a->st_size == b->st_size);
		assert(a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
			a->st_ctim.tv_nsec == b->st_ctim.tv_nsec);
	}
}

/* The layer's folder was alone in its own. */
static void check_top(void)
{
	DIR *dir = fdopendir(openat(scratch.fd, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	assert(dir && readdir(dir) && readdir(dir) && !readdir(dir));
	closedir(dir);
}

/* -- what is in the folder --------------------------------------------------------------------- */

static void check_attributes(int fd)
{
	char names[4096];
	ssize_t n = flistxattr(fd, names, sizeof(names));

	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
		assert(str_eq(p, "trusted.overlay.opaque") || str_eq(p, "security.capability") ||
			str_eq(p, "security.selinux") ||
			(str_starts(p, "user.") && !str_starts(p, "user.overlay.")));
}

/* Looks at all of a folder and removes it. Nothing is to be kept, so one open fd per level is all.
 */
static void empty(int own_fd)
{
	DIR *dir = fdopendir(own_fd);
	struct dirent *e;
	struct stat st;

	assert(dir);
	check_attributes(own_fd);
	while ((e = readdir(dir))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		assert(!str_starts(e->d_name, ".wh."));
		assert(fstatat(own_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		assert(!S_ISBLK(st.st_mode) && !S_ISSOCK(st.st_mode));
		assert(!S_ISCHR(st.st_mode) || st.st_rdev == 0);
		if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
			int fd = openat(own_fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
			assert(fd >= 0);
			check_attributes(fd);
			if (S_ISDIR(st.st_mode))
				empty(fd);
			else
				close(fd);
		}
		assert(unlinkat(own_fd, e->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0);
	}
	closedir(dir);
}

/* -- tars -------------------------------------------------------------------------------------- */

static void octal(char *at, size_t n, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)value);
	memcpy(at, text, n);
}

static void add_data(struct str *tar, const void *p, size_t n)
{
	static const char zeros[BLOCK];

	str_addn(tar, p, n);
	str_addn(tar, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

/* ustar: where the fields are. */
static void add_header(
	struct str *tar, char type, const struct str *name, const struct str *link, size_t size)
{
	enum {
		NAME = 0,
		MODE = 100,
		UID = 108,
		GID = 116,
		SIZE = 124,
		MTIME = 136,
		SUM = 148,
		TYPE = 156,
		LINK = 157,
		MAGIC = 257,
		MAJOR = 329,
		MINOR = 337,
		NAME_SIZE = 100
	};
	char b[BLOCK] = { 0 };
	unsigned sum = 0;

	memcpy(b + NAME, name->p ? name->p : "", MIN(name->n, (size_t)NAME_SIZE));
	memcpy(b + LINK, link->p ? link->p : "", MIN(link->n, (size_t)NAME_SIZE));
	octal(b + MODE, 8, 0644 + (size & 07) * 01000);
	octal(b + UID, 8, 7);
	octal(b + GID, 8, 8);
	octal(b + SIZE, 12, size);
	octal(b + MTIME, 12, 1000);
	b[TYPE] = type;
	memcpy(b + MAGIC, "ustar\00000", 8);
	octal(b + MAJOR, 8, link->n & 1);
	octal(b + MINOR, 8, link->n & 2);
	memset(b + SUM, ' ', 8);
	for (size_t i = 0; i < sizeof(b); i++)
		sum += (unsigned char)b[i];
	octal(b + SUM, 7, sum);
	str_addn(tar, b, sizeof(b));
}

static void add_record(
	struct str *records, const char *key, size_t n_key, const char *value, size_t n_value)
{
	size_t rest = n_key + n_value + 3, length = rest + 1;
	char digits[24];

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", length) != length)
		length++;
	str_printf(records, "%s ", digits);
	str_addn(records, key, n_key);
	str_add(records, "=");
	str_addn(records, value, n_value);
	str_add(records, "\n");
}

static void add_pax(struct str *tar, const struct str *records)
{
	char text[] = "pax";
	const struct str name = { .p = text, .n = 3 }, none = { 0 };

	add_header(tar, 'x', &name, &none, records->n);
	add_data(tar, records->p, records->n);
}

static void expand(struct str *to, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '@')
			str_printf(to, "%s/canary", scratch.path);
		else
			str_addn(to, p + i, 1);
	}
}

struct field {
	const char *p;
	size_t n;
};

static size_t split(const char *p, size_t n, struct field *ret)
{
	size_t count = 0;

	while (count < FIELDS_MAX) {
		const char *tab = n ? memchr(p, '\t', n) : NULL;
		size_t len = tab ? (size_t)(tab - p) : n;
		ret[count++] = (struct field){ p, len };
		if (!tab)
			break;
		p += len + 1;
		n -= len + 1;
	}
	return count;
}

static void add_line(struct str *tar, const char *p, size_t n)
{
	_str_ struct str name = { 0 }, link = { 0 }, records = { 0 };
	struct field f[FIELDS_MAX] = { { 0 } };
	size_t count = n ? split(p + 1, n - 1, f) : 0;

	if (!count)
		return;
	expand(&name, f[0].p, f[0].n);
	expand(&link, f[1].p, f[1].n);
	for (size_t i = 3; i < count; i++) {
		const char *sign = f[i].n ? memchr(f[i].p, '=', f[i].n) : NULL;
		size_t key = sign ? (size_t)(sign - f[i].p) : f[i].n;
		add_record(
			&records, f[i].p, key, sign ? sign + 1 : "", sign ? f[i].n - key - 1 : 0);
	}
	/* Long names the ways that tars have them. */
	if (name.n > 99)
		add_record(&records, "path", 4, name.p, name.n);
	if (records.n)
		add_pax(tar, &records);
	if (link.n > 99) {
		add_header(tar, 'K', &name, &link, link.n + 1);
		add_data(tar, link.p, link.n + 1);
	}
	add_header(tar, *p, &name, &link, f[2].n);
	add_data(tar, f[2].p ? f[2].p : "", f[2].n);
}

static void make_tar(struct str *tar, const char *p, size_t n)
{
	static const char end[2 * BLOCK];

	for (int i = 0; n && i < ENTRIES_MAX; i++) {
		const char *line = memchr(p, '\n', n);
		size_t len = line ? (size_t)(line - p) : n;
		add_line(tar, p, len);
		p += MIN(len + 1, n);
		n -= MIN(len + 1, n);
	}
	str_addn(tar, end, sizeof(end));
}

static bool is_archive(const uint8_t *p, size_t n)
{
	return (n > BLOCK && memcmp(p + 257, "ustar", 5) == 0) ||
	       (n > 3 && ((p[0] == 0x1f && p[1] == 0x8b) || (p[0] == 0x28 && p[1] == 0xb5)));
}

/* -- one input --------------------------------------------------------------------------------- */

/* The number that a new fd gets. */
static int next_fd(void)
{
	int fd = dup(scratch.fd);

	assert(fd >= 0);
	close(fd);
	return fd;
}

static void unpack(const void *p, size_t n)
{
	int next = next_fd();
	struct err err = ERR_INIT;
	char line[2048];

	assert(mkdirat(scratch.fd, "top/root", 0755) == 0);
	int root = openat(scratch.fd, "top/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(root >= 0);
	if (unpack_memory(p, n, root, &limits, &err) < 0) {
		assert(err.code != ERR_NONE && err.code < ERR_N && err.code != ERR_INTERNAL);
		err_line(&err, line, sizeof(line));
		assert(*line);
	}
	check_canary();
	empty(root);
	assert(unlinkat(scratch.fd, "top/root", AT_REMOVEDIR) == 0);
	check_top();
	assert(next_fd() == next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool ready;
	_str_ struct str tar = { 0 };
	struct err err = ERR_INIT;

	if (n > INPUT_MAX || geteuid() != 0)
		return 0;
	if (!ready) {
		make_scratch();
		ready = log_open(NULL, LOG_TEXT, LOG_ERROR, &err) == 0;
	}
	if (is_archive(data, n)) {
		unpack(data, n);
		return 0;
	}
	make_tar(&tar, (const char *)data, n);
	if (!tar.failed)
		unpack(tar.p, tar.n);
	return 0;
}
