/* SPDX-License-Identifier: Apache-2.0 */
/* What an image's name says, before the server is asked. */
#include "backend/proxmox/template.h"

#include "base/digest.h"
#include "model/ref.h"
#include "model/settings-proxmox.h"

#include <string.h>

enum {
	HASH_N = 16,      /* hex digits of a reference in a file's name */
	FILE_NAME_N = 64, /* of the image's own name in it, for people */
};

/* What engines put in front of a short name. Taken off where the rest is one of our names. */
static const char *const completed[] = { "docker.io/library/", "docker.io/", "localhost/" };

static const char oci_mark[] = "lxc/oci/";
static const char lxc_mark[] = "lxc/";

/* ---- names ---- */

static const struct settings_guest_image *row_of(
	const struct settings_proxmox *cfg, const char *key)
{
	const struct settings_guest_image *rows = cfg->images.items;

	for (size_t i = 0; i < cfg->images.n; i++)
		if (str_eq(cfg->images.keys[i], key))
			return &rows[i];
	return NULL;
}

/* The name without tag and digest. */
static const char *plain_name(const struct image_ref *ref, struct arena *a)
{
	return ref->registry ? arena_printf(a, "%s/%s", ref->registry, ref->path) : ref->path;
}

static bool is_ours(const char *name)
{
	return str_starts(name, lxc_mark) || str_starts(name, "db-") || str_starts(name, "vm-");
}

/* A reference, and what is known of it. */
struct named {
	struct image_ref ref;
	const char *name;                       /* without tag and digest */
	const struct settings_guest_image *row; /* by NAME:TAG, then by NAME; or NULL */
	bool exact;                             /* by NAME:TAG */
};

static int read_name(const struct settings_proxmox *cfg, const char *image, struct arena *a,
	struct named *ret, struct err *err)
{
	const char *whole;

	*ret = (struct named){ 0 };
	if (image_ref_parse(image, a, &ret->ref, err) < 0)
		return -1;
	ret->name = plain_name(&ret->ref, a);
	whole = ret->name ? arena_printf(
				    a, "%s:%s", ret->name, ret->ref.tag ? ret->ref.tag : "latest")
			  : NULL;
	if (!whole)
		return err_nomem(err);
	ret->row = row_of(cfg, ret->ref.tag ? whole : ret->name);
	ret->exact = ret->row && ret->ref.tag;
	if (ret->row)
		return 0;
	/* A row "NAME:latest" is the one of NAME. */
	ret->row = row_of(cfg, ret->ref.tag ? ret->name : whole);
	ret->exact = ret->row && !ret->ref.tag;
	return 0;
}

/* Takes off what an engine put in front, if the rest is a name of ours. */
static int parse(const struct settings_proxmox *cfg, const char *image, struct arena *a,
	const char **ret_image, struct named *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(completed); i++) {
		const char *rest = image + strlen(completed[i]);
		struct err none = ERR_INIT;
		if (!str_starts(image, completed[i]))
			continue;
		if (read_name(cfg, rest, a, ret, &none) < 0) {
			if (none.code != ERR_EXHAUSTED)
				continue; /* no name without its front */
			*err = none;
			return -1;
		}
		if (is_ours(ret->name) || ret->row) {
			*ret_image = rest;
			return 0;
		}
	}
	*ret_image = image;
	return read_name(cfg, image, a, ret, err);
}

/* ---- what can't be ---- */

/* "user:password@registry/...": never shown. */
static bool has_credentials(const char *image)
{
	const char *at = strchr(image, '@');

	return at && !str_starts(at + 1, "sha256:") && !str_starts(at + 1, "sha512:");
}

static int refuse_credentials(struct err *err)
{
	err_set(err, ERR_INVALID, NULL,
		"the image's name has something before an \"@\" that looks like a login; the "
		"server pulls without one");
	return err_hint(err, "a mirror that needs no login can be used, or an archive that is put "
			     "into a template storage by hand");
}

static int refuse_digest(const char *image, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, image,
		"a digest can't be asked for: the server pulls by tag only, and knows no digests "
		"of templates");
	return err_hint(err, "use a tag that isn't moved, or proxmox.images with \"url\" and "
			     "\"sha512\"");
}

static int unknown_alias(const struct settings_proxmox *cfg, const char *image, struct err *err)
{
	_str_ struct str list = { 0 };

	for (size_t i = 0; i < cfg->images.n && list.n < 200; i++)
		str_printf(&list, "%s%s", i ? ", " : "", cfg->images.keys[i]);
	if (str_ok(&list, err) < 0)
		return -1;
	err_set(err, ERR_NOT_FOUND, image,
		"proxmox.images in the configuration doesn't say what it stands for");
	if (!list.n)
		return err_hint(err, "the table is empty: see docs/proxmox.md, \"Images\"");
	return err_hint(err, "there are: %s", list.p);
}

/* ---- sources ---- */

static char *hash(const char *text, char buf[DIGEST_TEXT_MAX])
{
	digest_of(text, strlen(text), buf);
	memmove(buf, buf + strlen("sha256:"), HASH_N);
	buf[HASH_N] = 0;
	return buf;
}

/* Two registries' "nginx:latest" are two files: the whole name is in the hash, the tag beside it.
 */
static int from_oci(const char *text, struct arena *a, struct pve_source *ret, struct err *err)
{
	char sum[DIGEST_TEXT_MAX];
	struct image_ref ref;
	const char *name, *repository;

	if (image_ref_parse(text, a, &ref, err) < 0)
		return -1;
	if (ref.digest)
		return refuse_digest(text, err);
	if (ref.registry && *ref.registry == '[')
		return err_set(err, ERR_UNSUPPORTED, text,
			"the server takes no registry whose address is IPv6");
	if (!ref.tag)
		ref.tag = "latest";
	ret->oci = image_ref_normal(&ref, a);
	repository = ret->oci ? arena_strndup(a, ret->oci, strlen(ret->oci) - strlen(ref.tag) - 1)
			      : NULL;
	if (!repository)
		return err_nomem(err);
	name = strrchr(repository, '/') + 1;
	ret->file = arena_printf(
		a, "oci-%.*s-%s-%s.tar", FILE_NAME_N, name, hash(repository, sum), ref.tag);
	return ret->file ? 0 : err_nomem(err);
}

/* The same address with another sum is another file. */
static int from_url(const struct settings_guest_image *row, struct arena *a, struct pve_source *ret,
	struct err *err)
{
	/* The server takes no short ones of what it downloads. */
	static const struct {
		const char *ends, *as;
	} endings[] = { { ".tar.zst", ".tar.zst" }, { ".tar.xz", ".tar.xz" },
		{ ".tar.gz", ".tar.gz" }, { ".tar.bz2", ".tar.bz2" }, { ".tar", ".tar" },
		{ ".tgz", ".tar.gz" }, { ".tzst", ".tar.zst" }, { ".txz", ".tar.xz" } };
	const char *both = arena_printf(a, "%s\n%s", row->url, row->sha512 ? row->sha512 : "");
	const char *ending = NULL;
	char sum[DIGEST_TEXT_MAX];

	for (size_t i = 0; !ending && i < ARRAY_SIZE(endings); i++)
		if (str_ends(row->url, endings[i].ends))
			ending = endings[i].as;
	if (!both)
		return err_nomem(err);
	if (!ending)
		return err_set(err, ERR_INVALID, row->url, "it doesn't end like a template");
	ret->url = row->url;
	ret->sha512 = row->sha512;
	ret->file = arena_printf(a, "url-%s%s", hash(both, sum), ending);
	return ret->file ? 0 : err_nomem(err);
}

/* A tag that the row doesn't say anything of. */
static int other_tag(const char *image, const char *stands_for, struct err *err)
{
	err_set(err, ERR_NOT_FOUND, image,
		"without a tag it stands for %s, with this one for "
		"nothing",
		stands_for);
	return err_hint(err, "proxmox.images may have a row of its own for it: \"%.120s\"", image);
}

static int from_row(const struct settings_guest_image *row, const char *image, const char *tag,
	struct arena *a, struct pve_source *ret, struct err *err)
{
	const char *colon;

	ret->image = row;
	if (row->template && !strchr(row->template, ':')) {
		ret->name = row->template;
		ret->tag = tag;
		ret->aplinfo = true;
		return 0;
	}
	if (row->oci) {
		colon = strrchr(row->oci, ':');
		if (tag && !(colon && str_eq(colon + 1, tag)))
			return other_tag(image, row->oci, err);
		return from_oci(row->oci, a, ret, err);
	}
	if (tag)
		return other_tag(image, row->template ? row->template : row->url, err);
	if (row->url)
		return from_url(row, a, ret, err);
	ret->volid = row->template;
	return 0;
}

static int from_template(const char *image, const char *name, const char *tag,
	struct pve_source *ret, struct err *err)
{
	if (strchr(name, '/')) {
		err_set(err, ERR_INVALID, image, "a template's name has no \"/\"");
		return err_hint(err, "an image of a registry is lxc/oci/REGISTRY/NAME:TAG");
	}
	ret->name = name;
	ret->tag = tag;
	ret->aplinfo = true;
	return 0;
}

int pve_source_of(const struct settings_proxmox *cfg, const char *image, struct arena *a,
	struct pve_source *ret, struct err *err)
{
	struct named n;
	const char *tag;

	*ret = (struct pve_source){ 0 };
	if (image && has_credentials(image))
		return refuse_credentials(err);
	if (parse(cfg, image ? image : "", a, &image, &n, err) < 0)
		return -1;
	ret->asked = arena_strdup(a, image);
	if (!ret->asked)
		return err_nomem(err);
	if (n.ref.digest)
		return refuse_digest(image, err);
	/* Engines write "latest" where nothing was written: the newest there is. */
	tag = str_eq(n.ref.tag, "latest") ? NULL : n.ref.tag;
	if (n.row)
		return from_row(n.row, image, n.exact ? NULL : tag, a, ret, err);
	if (str_starts(n.name, oci_mark))
		return from_oci(image + strlen(oci_mark), a, ret, err);
	if (str_starts(n.name, lxc_mark))
		return from_template(image, n.name + strlen(lxc_mark), tag, ret, err);
	if (is_ours(n.name))
		return unknown_alias(cfg, image, err);
	return from_oci(image, a, ret, err);
}
