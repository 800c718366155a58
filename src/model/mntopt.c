/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mntopt.h"

#include "base/sys.h"

#include <string.h>

enum opt_kind {
	OPT_NONE,  /* known, nothing to do */
	OPT_ATTR,  /* MOUNT_ATTR_* set or cleared */
	OPT_ATIME, /* one policy of three; cleared: back to relatime, unless another was chosen */
	OPT_SB, /* a flag of the file system; `flag` is shared by the two that exclude each other */
	OPT_PROP, /* propagation */
	OPT_BIND,
	OPT_REMOUNT,
	OPT_TMPCOPYUP,
	OPT_IDMAP,
	OPT_IVERSION,
};

enum opt_how { SET = 0, CLEAR = 1, REC = 2 };

/* What the kernel takes, without the NUL: the name of an option, and all of them together. */
enum { OPTION_NAME_MAX = 255, OPTIONS_MAX = 4095 };

enum sb_flag { SB_SYNC, SB_DIRSYNC, SB_MAND, SB_LAZYTIME, SB_FLAG_N };
_Static_assert(SB_FLAG_N <= ARRAY_SIZE(((struct mount_opts *)0)->sb), "room for every flag");

/*
 * Sorted by name. "silent" and "loud" tell the kernel whether to log errors of a mount: the new
 * mount API hands them to the caller instead, so there is nothing left to set. "noiversion" and
 * "dirsync"'s absence are the kernel's own defaults.
 */
static const struct mount_opt {
	const char *name;
	enum opt_kind kind;
	unsigned how;
	uint64_t flag;
} options[] = {
	{ "async", OPT_SB, 0, SB_SYNC },
	{ "atime", OPT_ATIME, CLEAR, MOUNT_ATTR_NOATIME },
	{ "bind", OPT_BIND, 0, 0 },
	{ "defaults", OPT_NONE, 0, 0 },
	{ "dev", OPT_ATTR, CLEAR, MOUNT_ATTR_NODEV },
	{ "diratime", OPT_ATTR, CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "dirsync", OPT_SB, 0, SB_DIRSYNC },
	{ "exec", OPT_ATTR, CLEAR, MOUNT_ATTR_NOEXEC },
	{ "idmap", OPT_IDMAP, 0, 0 },
	{ "iversion", OPT_IVERSION, SET, 0 },
	{ "lazytime", OPT_SB, 0, SB_LAZYTIME },
	{ "loud", OPT_NONE, 0, 0 },
	{ "mand", OPT_SB, 0, SB_MAND },
	{ "noatime", OPT_ATIME, SET, MOUNT_ATTR_NOATIME },
	{ "nodev", OPT_ATTR, SET, MOUNT_ATTR_NODEV },
	{ "nodiratime", OPT_ATTR, SET, MOUNT_ATTR_NODIRATIME },
	{ "noexec", OPT_ATTR, SET, MOUNT_ATTR_NOEXEC },
	{ "noiversion", OPT_IVERSION, CLEAR, 0 },
	{ "nolazytime", OPT_SB, 0, SB_LAZYTIME },
	{ "nomand", OPT_SB, 0, SB_MAND },
	{ "norelatime", OPT_ATIME, CLEAR, MOUNT_ATTR_RELATIME },
	{ "nostrictatime", OPT_ATIME, CLEAR, MOUNT_ATTR_STRICTATIME },
	{ "nosuid", OPT_ATTR, SET, MOUNT_ATTR_NOSUID },
	{ "nosymfollow", OPT_ATTR, SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", OPT_PROP, 0, MS_PRIVATE },
	{ "ratime", OPT_ATIME, CLEAR | REC, MOUNT_ATTR_NOATIME },
	{ "rbind", OPT_BIND, REC, 0 },
	{ "rdev", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_NODEV },
	{ "rdiratime", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_NODIRATIME },
	{ "relatime", OPT_ATIME, SET, MOUNT_ATTR_RELATIME },
	{ "remount", OPT_REMOUNT, 0, 0 },
	{ "rexec", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_NOEXEC },
	{ "ridmap", OPT_IDMAP, REC, 0 },
	{ "rnoatime", OPT_ATIME, SET | REC, MOUNT_ATTR_NOATIME },
	{ "rnodev", OPT_ATTR, SET | REC, MOUNT_ATTR_NODEV },
	{ "rnodiratime", OPT_ATTR, SET | REC, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", OPT_ATTR, SET | REC, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", OPT_ATIME, CLEAR | REC, MOUNT_ATTR_RELATIME },
	{ "rnostrictatime", OPT_ATIME, CLEAR | REC, MOUNT_ATTR_STRICTATIME },
	{ "rnosuid", OPT_ATTR, SET | REC, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", OPT_ATTR, SET | REC, MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", OPT_ATTR, SET, MOUNT_ATTR_RDONLY },
	{ "rprivate", OPT_PROP, 0, MS_PRIVATE | MS_REC },
	{ "rrelatime", OPT_ATIME, SET | REC, MOUNT_ATTR_RELATIME },
	{ "rro", OPT_ATTR, SET | REC, MOUNT_ATTR_RDONLY },
	{ "rrw", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_RDONLY },
	{ "rshared", OPT_PROP, 0, MS_SHARED | MS_REC },
	{ "rslave", OPT_PROP, 0, MS_SLAVE | MS_REC },
	{ "rstrictatime", OPT_ATIME, SET | REC, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", OPT_ATTR, CLEAR | REC, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", OPT_PROP, 0, MS_UNBINDABLE | MS_REC },
	{ "rw", OPT_ATTR, CLEAR, MOUNT_ATTR_RDONLY },
	{ "shared", OPT_PROP, 0, MS_SHARED },
	{ "silent", OPT_NONE, 0, 0 },
	{ "slave", OPT_PROP, 0, MS_SLAVE },
	{ "strictatime", OPT_ATIME, SET, MOUNT_ATTR_STRICTATIME },
	{ "suid", OPT_ATTR, CLEAR, MOUNT_ATTR_NOSUID },
	{ "symfollow", OPT_ATTR, CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", OPT_SB, 0, SB_SYNC },
	{ "tmpcopyup", OPT_TMPCOPYUP, 0, 0 },
	{ "unbindable", OPT_PROP, 0, MS_UNBINDABLE },
};

struct parse {
	struct mount_opts *o;
	const char *sb[SB_FLAG_N];
	struct arena *arena;
	size_t cap_data, data_bytes;
};

static int compare_option(const void *name, const void *row)
{
	return strcmp(name, ((const struct mount_opt *)row)->name);
}

static const struct mount_opt *find_option(const char *name)
{
	return bsearch(name, options, ARRAY_SIZE(options), sizeof(*options), compare_option);
}

static void apply_attr(const struct mount_opt *row, struct mount_opts *o)
{
	uint64_t *set = row->how & REC ? &o->rec_attr_set : &o->attr_set;
	uint64_t *clr = row->how & REC ? &o->rec_attr_clr : &o->attr_clr;
	bool clear = row->how & CLEAR;

	*set = clear ? *set & ~row->flag : *set | row->flag;
	*clr = clear ? *clr | row->flag : *clr & ~row->flag;
	if (row->flag == MOUNT_ATTR_RDONLY && !(row->how & REC))
		o->readonly = clear ? -1 : 1;
}

static void apply_atime(const struct mount_opt *row, struct mount_opts *o)
{
	uint64_t *set = row->how & REC ? &o->rec_attr_set : &o->attr_set;
	uint64_t *clr = row->how & REC ? &o->rec_attr_clr : &o->attr_clr;
	uint64_t chosen = *set & MOUNT_ATTR__ATIME;

	/* "atime" takes back a "noatime", but not a "strictatime". */
	if ((row->how & CLEAR) && (*clr & MOUNT_ATTR__ATIME) && chosen != row->flag)
		return;
	*clr |= MOUNT_ATTR__ATIME;
	*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) |
	       (row->how & CLEAR ? MOUNT_ATTR_RELATIME : row->flag);
}

static void apply(const struct mount_opt *row, struct parse *p)
{
	struct mount_opts *o = p->o;

	switch (row->kind) {
	case OPT_NONE: break;
	case OPT_ATTR: apply_attr(row, o); break;
	case OPT_ATIME: apply_atime(row, o); break;
	case OPT_SB: p->sb[row->flag] = row->name; break;
	case OPT_PROP: o->propagation = row->flag; break;
	case OPT_REMOUNT: o->remount = true; break;
	case OPT_TMPCOPYUP: o->tmpcopyup = true; break;
	case OPT_IVERSION: o->iversion = !(row->how & CLEAR); break;
	case OPT_BIND:
		o->bind = true;
		o->recursive = row->how & REC;
		break;
	case OPT_IDMAP:
		o->idmap = true;
		o->idmap_recursive = row->how & REC;
		break;
	}
}

static int add_data(struct parse *p, char *text, struct err *err)
{
	struct mount_opts *o = p->o;
	char *value = strchr(text, '=');

	if (o->n_data == p->cap_data) {
		size_t cap = MAX(p->cap_data * 2, (size_t)8);
		struct ctr_pair *bigger = arena_array(p->arena, cap, sizeof(*bigger));
		if (!bigger)
			return err_nomem(err);
		if (o->n_data)
			memcpy(bigger, o->data, o->n_data * sizeof(*bigger));
		o->data = bigger;
		p->cap_data = cap;
	}
	if (value) {
		size_t n = strlen(value + 1);
		*value++ = 0;
		/* context="a:b:c,d": the quotes are for those who split at commas. */
		if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
			value[n - 1] = 0;
			value++;
		}
	}
	if (!*text)
		return err_set(err, ERR_INVALID, NULL, "an option begins with \"=\"");
	p->data_bytes += strlen(text) + (value ? strlen(value) + 1 : 0) + 1;
	if (strlen(text) > OPTION_NAME_MAX || p->data_bytes > OPTIONS_MAX)
		return err_set(err, ERR_INVALID, NULL,
			"with option \"%.40s\" they are longer than the %d bytes that the kernel takes",
			text, OPTIONS_MAX);
	o->data[o->n_data++] = (struct ctr_pair){ text, value };
	return 0;
}

/* Length up to the next comma that is neither in double quotes nor behind a backslash. */
static size_t word_len(const char *s)
{
	bool quoted = false;
	size_t n;

	for (n = 0; s[n] && (quoted || s[n] != ','); n++) {
		if (s[n] == '"')
			quoted = !quoted;
		if (s[n] == '\\' && s[n + 1])
			n++;
	}
	return n;
}

/* One member of options[]; several in one string, as fstab has them, are taken apart. */
static int parse_option(struct parse *p, const char *text, struct err *err)
{
	const struct mount_opt *row = find_option(text);

	if (row) {
		apply(row, p);
		return 0;
	}
	while (*text) {
		size_t n = word_len(text);
		char *word = arena_strndup(p->arena, text, n);
		if (!word)
			return err_nomem(err);
		row = find_option(word);
		if (row)
			apply(row, p);
		else if (n && add_data(p, word, err) < 0)
			return -1;
		text += n;
		text += *text == ',';
	}
	return 0;
}

static int check(const struct oci_mount *m, const struct mount_opts *o, struct err *err)
{
	if (o->bind && o->n_data)
		return err_set(err, ERR_INVALID, NULL, "unknown option \"%.200s\" on a bind mount",
			o->data[0].key);
	if (o->tmpcopyup && (o->bind || !str_eq(m->type, "tmpfs")))
		return err_set(err, ERR_INVALID, NULL, "tmpcopyup works on a tmpfs only");
	if (!m->n_uid_mappings != !m->n_gid_mappings)
		return err_set(err, ERR_INVALID, NULL,
			"uidMappings and gidMappings must be given both or not at all");
	if (o->idmap && !o->bind)
		return err_set(err, ERR_INVALID, NULL, "an idmapped mount must be a bind mount");
	return 0;
}

int mount_opts_parse(
	const struct oci_mount *m, struct arena *arena, struct mount_opts *ret, struct err *err)
{
	struct mount_opts o = { .bind = str_eq(m->type, "bind") };
	struct parse p = { .o = &o, .arena = arena };

	for (size_t i = 0; i < m->n_options; i++)
		if (parse_option(&p, m->options[i], err) < 0)
			return err_in(err, "options[%zu]", i);
	for (size_t i = 0; i < SB_FLAG_N; i++)
		if (p.sb[i])
			o.sb[o.n_sb++] = p.sb[i];
	o.idmap |= m->n_uid_mappings || m->n_gid_mappings;
	if (check(m, &o, err) < 0)
		return -1;
	*ret = o;
	return 0;
}

const char *mount_opt_name(size_t i)
{
	return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}
