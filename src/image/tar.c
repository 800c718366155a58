/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar.h"

#include "base/arena.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <iconv.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

enum { NSEC_MAX = 999999999 };

struct tar {
	struct archive *archive;
	struct archive_entry *entry;
	bool is_open; /* the first header was asked for */
	tar_source *source;
	void *arg;
	struct err *err; /* of the call that goes on: what the source says goes there */
	bool source_failed;
	bool in_header;
	size_t header_n; /* bytes taken since the entry's header began */
	locale_t locale;
};

/*
 * libarchive converts names in pax headers from UTF-8 to the locale's character set, and where
 * that fails hands them out as they are. In the C locale it fails for all that isn't ASCII, so that
 * every name keeps its bytes; in a UTF-8 locale names would be normalised to composed characters.
 */
static locale_t enter_locale(const struct tar *t)
{
	return uselocale(t->locale);
}

/* libarchive's open, read and skip come here. */
static la_ssize_t give(struct archive *a, void *arg, const void **ret)
{
	struct tar *t = arg;
	size_t n = 0;

	if (t->in_header && t->header_n > TAR_HEADER_MAX) {
		err_set(t->err, ERR_INVALID, NULL, "has headers of more than %d bytes",
			TAR_HEADER_MAX);
		t->source_failed = true;
		archive_set_error(a, EINVAL, "headers are too big");
		return -1;
	}
	int r = t->source(t->arg, ret, &n, t->err);
	if (r < 0) {
		t->source_failed = true;
		archive_set_error(a, EIO, "source failed");
		return -1;
	}
	t->header_n += n;
	return r ? (la_ssize_t)n : 0;
}

/* What libarchive answered, as our error; the source's own comes first. */
static int failed(struct tar *t, struct err *err)
{
	const char *text = archive_error_string(t->archive);

	if (t->source_failed)
		return -1;
	if (archive_errno(t->archive) == ENOMEM)
		return err_nomem(err);
	return err_set(err, ERR_INVALID, NULL, "is no proper tar: %s", text ? text : "damaged");
}

/* Names that couldn't be converted are what we want; every other warning is a fault. */
static bool is_harmless(struct tar *t, int r)
{
	const char *text = archive_error_string(t->archive);

	return r == ARCHIVE_OK ||
	       (r == ARCHIVE_WARN && text && strstr(text, "can't be converted from"));
}

static int begin(struct tar *t, struct err *err)
{
	t->archive = archive_read_new();
	if (!t->archive)
		return err_nomem(err);
	if (archive_read_support_format_tar(t->archive) != ARCHIVE_OK ||
		archive_read_support_format_empty(t->archive) != ARCHIVE_OK)
		return err_nomem(err);
	/* The archive has one of its own, and doesn't look whether there was memory for it. */
	t->entry = archive_entry_new2(t->archive);
	if (!t->entry)
		return err_nomem(err);
	/* Its tables are read now, from the host; the caller may change its root afterwards. */
	iconv_t cd = iconv_open("ANSI_X3.4-1968", "UTF-8");
	if (cd != (iconv_t)-1)
		iconv_close(cd);
	return 0;
}

struct tar *tar_open(tar_source *source, void *arg, struct err *err)
{
	struct tar *t = calloc(1, sizeof(*t));

	if (!t) {
		err_nomem(err);
		return NULL;
	}
	t->source = source;
	t->arg = arg;
	t->locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
	if (!t->locale) {
		err_nomem(err);
		free(t);
		return NULL;
	}
	locale_t old = enter_locale(t);
	int r = begin(t, err);
	uselocale(old);
	return r < 0 ? tar_free(t) : t;
}

static int open_archive(struct tar *t)
{
	return archive_read_open2(t->archive, t, NULL, give, NULL, NULL);
}

static enum tar_type type_of(struct archive_entry *e)
{
	if (archive_entry_hardlink(e))
		return TAR_HARDLINK;
	switch (archive_entry_filetype(e)) {
	case AE_IFREG: return TAR_FILE;
	case AE_IFDIR: return TAR_DIR;
	case AE_IFLNK: return TAR_SYMLINK;
	case AE_IFIFO: return TAR_FIFO;
	case AE_IFSOCK: return TAR_SOCKET;
	case AE_IFCHR: return TAR_CHAR;
	case AE_IFBLK: return TAR_BLOCK;
	default: return TAR_OTHER;
	}
}

static void describe(struct archive_entry *e, struct tar_entry *ret)
{
	const char *path = archive_entry_pathname(e), *link = NULL;
	int64_t size = archive_entry_size(e);
	long nsec = archive_entry_mtime_nsec(e);

	*ret = (struct tar_entry){
		.path = path ? path : "",
		.type = type_of(e),
		.size = size > 0 ? (uint64_t)size : 0,
		.mode = (unsigned)archive_entry_perm(e) & 07777,
		.uid = archive_entry_uid(e),
		.gid = archive_entry_gid(e),
		.major = archive_entry_rdevmajor(e),
		.minor = archive_entry_rdevminor(e),
		.has_mtime = archive_entry_mtime_is_set(e),
		.mtime = { archive_entry_mtime(e), nsec >= 0 && nsec <= NSEC_MAX ? nsec : 0 },
	};
	if (ret->type == TAR_HARDLINK)
		link = archive_entry_hardlink(e);
	else if (ret->type == TAR_SYMLINK)
		link = archive_entry_symlink(e);
	ret->link = link ? link : "";
}

static int next(struct tar *t, struct tar_entry *ret, struct err *err)
{
	int r;

	if (t->is_open && archive_read_data_skip(t->archive) != ARCHIVE_OK)
		return failed(t, err);
	t->header_n = 0;
	t->in_header = true;
	errno = 0; /* libarchive takes an old ENOMEM for its own */
	if (!t->is_open && open_archive(t) != ARCHIVE_OK)
		return failed(t, err);
	t->is_open = true;
	errno = 0;
	r = archive_read_next_header2(t->archive, t->entry);
	t->in_header = false;
	if (r == ARCHIVE_EOF && !t->source_failed)
		return 0;
	if (!is_harmless(t, r) || t->source_failed)
		return failed(t, err);
	describe(t->entry, ret);
	archive_entry_xattr_reset(t->entry);
	return 1;
}

int tar_next(struct tar *t, struct tar_entry *ret, struct err *err)
{
	locale_t old = enter_locale(t);

	t->err = err;
	int r = next(t, ret, err);
	t->err = NULL;
	uselocale(old);
	return r;
}

int tar_data(struct tar *t, const void **ret, size_t *ret_n, uint64_t *ret_offset, struct err *err)
{
	int64_t offset;

	t->err = err;
	int r = archive_read_data_block(t->archive, ret, ret_n, &offset);
	t->err = NULL;
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK || t->source_failed)
		return failed(t, err);
	*ret_offset = (uint64_t)offset;
	return 1;
}

int tar_xattr(struct tar *t, const char **ret_name, const void **ret_value, size_t *ret_n)
{
	return archive_entry_xattr_next(t->entry, ret_name, ret_value, ret_n) == ARCHIVE_OK;
}

struct tar *tar_free(struct tar *t)
{
	int saved = errno;

	if (t) {
		archive_entry_free(t->entry);
		archive_read_free(t->archive);
		freelocale(t->locale);
	}
	free(t);
	errno = saved;
	return NULL;
}
