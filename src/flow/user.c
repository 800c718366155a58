/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd and group of a root filesystem. Its author is nobody's friend: a number is never looked up
 * as a name, an entry whose name is a number doesn't exist, and a file that could be read in two
 * ways (a NUL, a line without end) isn't read at all, since an entry that is passed over would
 * leave the process with group 0.
 */
#include "flow/user.h"

#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 10 << 20, LINE_MAX_BYTES = 4096, GROUPS_MAX = 65536, SHOWN_MAX = 64 };
static const uint64_t id_max = UINT32_MAX - 1; /* the last one means "leave it" to the kernel */

#define PASSWD "/etc/passwd"
#define GROUP  "/etc/group"

/* A piece of a line; not NUL-terminated. */
struct piece {
	const char *p;
	size_t n;
};

/* One line of either file, its first fields taken apart. */
struct line {
	struct piece name, password, id, more; /* more: the gid of a passwd line, a group's members
						*/
	size_t number;
};

struct lines {
	const char *path;
	char *text; /* NULL: the file isn't there */
	size_t n, at, number;
};

static void lines_done(struct lines *l)
{
	free(l->text);
}
#define _lines_ _cleanup_(lines_done)

/* ---- text ---- */

static bool all_digits(struct piece s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

static bool piece_is(struct piece s, const char *text)
{
	return strlen(text) == s.n && memcmp(s.p, text, s.n) == 0;
}

static int piece_id(struct piece s, uint32_t *ret)
{
	uint64_t v = 0;

	if (!all_digits(s))
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		if (v > id_max)
			return -1;
	}
	*ret = (uint32_t)v;
	return 0;
}

static struct piece text_piece(const char *text)
{
	return (struct piece){ text, strlen(text) };
}

/* The piece up to `end`; *rest begins behind it. */
static struct piece cut(struct piece *rest, char end)
{
	const char *at = rest->n ? memchr(rest->p, end, rest->n) : NULL;
	struct piece first = { rest->p, at ? (size_t)(at - rest->p) : rest->n };
	size_t used = first.n + (at ? 1 : 0);

	*rest = (struct piece){ rest->p + used, rest->n - used };
	return first;
}

/* ---- files ---- */

static int check_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, path, "is not a regular file");
	if (st.st_size > FILE_MAX)
		return err_set(err, ERR_INVALID, path, "is bigger than %d bytes", FILE_MAX);
	return 0;
}

static int check_lines(const struct lines *l, struct err *err)
{
	size_t number = 1, start = 0;

	for (size_t i = 0; i <= l->n; i++) {
		if (i < l->n && l->text[i] == 0)
			return err_set(
				err, ERR_INVALID, l->path, "line %zu holds a NUL byte", number);
		if (i < l->n && l->text[i] != '\n')
			continue;
		if (i - start > LINE_MAX_BYTES)
			return err_set(err, ERR_INVALID, l->path,
				"line %zu is longer than %d bytes", number, LINE_MAX_BYTES);
		start = i + 1;
		number++;
	}
	return 0;
}

/* A file that isn't there has no lines. */
static int read_lines(int rootfs_fd, const char *path, struct lines *ret, struct err *err)
{
	struct err why = ERR_INIT;
	_close_ int fd =
		path_open_in(rootfs_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, &why);

	*ret = (struct lines){ .path = path };
	if (fd < 0 && (why.os == ENOENT || why.os == ENOTDIR))
		return 0;
	if (fd < 0) {
		*err = why;
		return -1;
	}
	if (check_file(fd, path, err) < 0)
		return -1;
	if (fd_read_all(fd, FILE_MAX, &ret->text, &ret->n) < 0) {
		if (errno == EFBIG)
			return err_set(err, ERR_INVALID, path, "is bigger than %d bytes", FILE_MAX);
		return err_sys(err, errno, "read", "%s", path);
	}
	return check_lines(ret, err);
}

static int lines_open(int rootfs_fd, const char *path, struct lines *ret, struct err *err)
{
	return read_lines(rootfs_fd, path, ret, err) < 0 ? err_in(err, "root filesystem") : 0;
}

static void lines_rewind(struct lines *l)
{
	l->at = l->number = 0;
}

/* The next entry; those whose name is a number or empty don't count. */
static bool lines_next(struct lines *l, struct line *ret)
{
	while (l->at < l->n) {
		struct piece rest = { l->text + l->at, l->n - l->at };
		struct piece line = cut(&rest, '\n');

		l->at = l->n - rest.n;
		l->number++;
		ret->number = l->number;
		ret->name = cut(&line, ':');
		ret->password = cut(&line, ':');
		ret->id = cut(&line, ':');
		ret->more = cut(&line, ':');
		if (ret->name.n && !all_digits(ret->name))
			return true;
	}
	return false;
}

/* ---- resolving ---- */

struct wish {
	struct piece user, group; /* group.p NULL: not said */
};

static int check_part(struct piece s, const char *text, const char *what, struct err *err)
{
	if (s.n == 0)
		return err_set(err, ERR_INVALID, text, "the %s is empty", what);
	if (s.p[0] == '+' || s.p[0] == '-' || s.p[0] == ' ')
		return err_set(
			err, ERR_INVALID, text, "a %s begins with neither sign nor space", what);
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == ':')
			return err_set(err, ERR_INVALID, text,
				"is not a user, nor a user and a group with one colon between");
	}
	return 0;
}

static int take_wish(const char *text, struct wish *ret, struct err *err)
{
	struct piece rest = text_piece(*text ? text : "0");

	*ret = (struct wish){ .user = cut(&rest, ':') };
	if (strchr(text, ':'))
		ret->group = rest;
	if (check_part(ret->user, text, "user", err) < 0)
		return -1;
	return ret->group.p ? check_part(ret->group, text, "group", err) : 0;
}

static int out_of_range(struct piece s, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, NULL, "%s %.*s is out of range: the last one is %llu",
		what, (int)MIN(s.n, SHOWN_MAX), s.p, (unsigned long long)id_max);
}

static int no_entry(struct piece s, const char *what, const char *path, struct err *err)
{
	err_set(err, ERR_INVALID, NULL, "no %s \"%.*s\" in %s of the root filesystem", what,
		(int)MIN(s.n, SHOWN_MAX), s.p, path);
	return err_hint(err,
		"users and groups are looked up in the image, never on the host; a number needs no entry");
}

static int bad_entry(const struct lines *l, const struct line *line, struct err *err)
{
	err_set(err, ERR_INVALID, l->path, "line %zu has no sound %s", line->number,
		str_eq(l->path, GROUP) ? "gid" : "uid and gid");
	return err_in(err, "root filesystem");
}

static int take_entry(const struct lines *l, const struct line *line, struct arena *arena,
	struct spec_user *ret, struct err *err)
{
	if (piece_id(line->id, &ret->uid) < 0 || piece_id(line->more, &ret->gid) < 0)
		return bad_entry(l, line, err);
	ret->name = arena_strndup(arena, line->name.p, line->name.n);
	return ret->name ? 0 : err_nomem(err);
}

static int find_user(int rootfs_fd, struct piece user, struct arena *arena, struct spec_user *ret,
	struct err *err)
{
	bool number = all_digits(user);
	_lines_ struct lines passwd = { 0 };
	struct line line;
	uint32_t uid;

	if (number && piece_id(user, &ret->uid) < 0)
		return out_of_range(user, "uid", err);
	if (lines_open(rootfs_fd, PASSWD, &passwd, err) < 0)
		return -1;
	while (lines_next(&passwd, &line)) {
		if (number ? piece_id(line.id, &uid) == 0 && uid == ret->uid
			   : line.name.n == user.n && memcmp(line.name.p, user.p, user.n) == 0)
			return take_entry(&passwd, &line, arena, ret, err);
	}
	return number ? 0 : no_entry(user, "user", PASSWD, err);
}

static int find_group(struct lines *group, struct piece name, uint32_t *ret, struct err *err)
{
	struct line line;

	lines_rewind(group);
	while (lines_next(group, &line)) {
		if (line.name.n != name.n || memcmp(line.name.p, name.p, name.n) != 0)
			continue;
		return piece_id(line.id, ret) < 0 ? bad_entry(group, &line, err) : 0;
	}
	return no_entry(name, "group", GROUP, err);
}

static bool has_member(struct piece members, const char *name)
{
	while (members.n) {
		if (piece_is(cut(&members, ','), name))
			return true;
	}
	return false;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorted, each once, without the primary one. */
static int keep_groups(
	uint32_t *all, size_t n, struct arena *arena, struct spec_user *ret, struct err *err)
{
	ret->groups = arena_array(arena, n, sizeof(*ret->groups));
	if (!ret->groups)
		return err_nomem(err);
	if (n)
		qsort(all, n, sizeof(*all), compare_ids);
	for (size_t i = 0; i < n; i++) {
		if (all[i] == ret->gid || (i && all[i] == all[i - 1]))
			continue;
		ret->groups[ret->n_groups++] = all[i];
	}
	return 0;
}

static int find_groups(
	struct lines *group, struct arena *arena, struct spec_user *ret, struct err *err)
{
	_free_ uint32_t *all = NULL;
	size_t n = 0, room = 0;
	struct line line;

	lines_rewind(group);
	while (lines_next(group, &line)) {
		if (!has_member(line.more, ret->name))
			continue;
		if (n == GROUPS_MAX)
			return err_set(err, ERR_INVALID, GROUP, "\"%s\" is in more than %d groups",
				ret->name, GROUPS_MAX);
		if (n == room) {
			room = room ? room * 2 : 32;
			uint32_t *bigger = realloc(all, room * sizeof(*all));
			if (!bigger)
				return err_nomem(err);
			all = bigger;
		}
		if (piece_id(line.id, &all[n++]) < 0)
			return bad_entry(group, &line, err);
	}
	return keep_groups(all, n, arena, ret, err);
}

int user_resolve(int rootfs_fd, const char *text, bool strict, struct arena *arena,
	struct spec_user *ret, struct err *err)
{
	struct spec_user user = { 0 };
	_lines_ struct lines group = { 0 };
	struct wish wish;
	bool by_number;

	if (take_wish(text, &wish, err) < 0 ||
		find_user(rootfs_fd, wish.user, arena, &user, err) < 0)
		return -1;
	by_number = wish.group.p && all_digits(wish.group);
	if (by_number && piece_id(wish.group, &user.gid) < 0)
		return out_of_range(wish.group, "gid", err);
	/* Who has no entry is in no group. */
	bool add = !strict && user.name;
	if ((add || (wish.group.p && !by_number)) && lines_open(rootfs_fd, GROUP, &group, err) < 0)
		return -1;
	if (wish.group.p && !by_number && find_group(&group, wish.group, &user.gid, err) < 0)
		return -1;
	if (add && find_groups(&group, arena, &user, err) < 0)
		return -1;
	*ret = user;
	return 0;
}
