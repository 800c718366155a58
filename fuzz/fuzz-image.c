/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive of images: what is taken is for this host, has the digests that it says, all its
 * layers, names that can be read again, and a record that comes back as it was written.
 *
 * A changed byte in an archive is mostly a wrong checksum or digest. So an input that isn't a tar
 * is a text that one is made of: sections, each after a line "---NAME". A NAME of one letter is a
 * blob, which goes where its digest says; in what follows "$D" and that letter stand for its
 * digest, "$S" for its size, and "$A" for this host's architecture.
 */
#include "base/digest.h"
#include "base/log.h"
#include "image/load.h"
#include "image/record.h"
#include "model/ref.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 64 * 1024, BLOCK = 512, LETTERS = 26, FILE_MAX = 1 << 20 };

struct blob {
	char digest[DIGEST_TEXT_MAX];
	size_t size;
};

struct maker {
	struct str tar;
	struct blob blobs[LETTERS];
};

/* ---- the archive that a text describes ---- */

static void add_file(struct maker *m, const char *name, const struct str *text)
{
	static const char zeros[BLOCK];
	char head[BLOCK] = { 0 };
	unsigned sum = 0;

	snprintf(head, 100, "%.99s", name);
	snprintf(head + 124, 12, "%011zo", text->n);
	memcpy(head + 257, "ustar\00000", 8);
	head[156] = '0';
	memset(head + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	str_addn(&m->tar, head, BLOCK);
	str_addn(&m->tar, text->p ? text->p : "", text->n);
	str_addn(&m->tar, zeros, (BLOCK - text->n % BLOCK) % BLOCK);
}

static const struct blob *blob_of(const struct maker *m, char c)
{
	return c >= 'a' && c <= 'z' && *m->blobs[c - 'a'].digest ? &m->blobs[c - 'a'] : NULL;
}

static void expand(const struct maker *m, const char *p, size_t n, struct str *out)
{
	for (size_t i = 0; i < n && out->n < FILE_MAX; i++) {
		const struct blob *b = i + 2 < n ? blob_of(m, p[i + 2]) : NULL;

		if (p[i] == '$' && i + 1 < n && p[i + 1] == 'A') {
			str_add(out, img_host_architecture());
			i++;
		} else if (p[i] == '$' && b && (p[i + 1] == 'D' || p[i + 1] == 'S')) {
			if (p[i + 1] == 'D')
				str_add(out, b->digest);
			else
				str_printf(out, "%zu", b->size);
			i += 2;
		} else {
			str_addn(out, p + i, 1);
		}
	}
}

static void add_section(struct maker *m, const char *name, const char *p, size_t n)
{
	_str_ struct str text = { 0 };
	char path[160];

	expand(m, p, n, &text);
	if (name[0] >= 'a' && name[0] <= 'z' && !name[1]) {
		struct blob *b = &m->blobs[name[0] - 'a'];

		digest_of(text.p ? text.p : "", text.n, b->digest);
		b->size = text.n;
		snprintf(path, sizeof(path), "blobs/sha256/%s", b->digest + strlen("sha256:"));
		name = path;
	}
	add_file(m, name, &text);
}

static void make(struct maker *m, const char *p, size_t n)
{
	static const char mark[] = "---";
	const char *end = p + n;

	while (p && p < end) {
		const char *line = memmem(p, (size_t)(end - p), mark, 3), *eol, *next, *body;
		char name[100];

		if (!line)
			return;
		line += 3;
		eol = memchr(line, '\n', (size_t)(end - line));
		if (!eol)
			return;
		snprintf(name, sizeof(name), "%.*s", (int)MIN(eol - line, 99), line);
		next = memmem(eol, (size_t)(end - eol), "\n---", 4);
		body = next ? next : end;
		add_section(m, name, eol + 1, body > eol ? (size_t)(body - eol - 1) : 0);
		p = next;
	}
}

/* ---- what must hold ---- */

static void check_record(const struct load_image *img, struct arena *a)
{
	struct ctr_image_record r = { .id = img->id,
		.manifest = img->manifests[0],
		.architecture = img->config.platform.architecture,
		.os = img->config.platform.os,
		.variant = img->config.platform.variant,
		.created = img->config.created,
		.layers = img->config.diff_ids,
		.n_layers = img->n_layers,
		.config = img->config.config };
	_str_ struct str first = { 0 }, second = { 0 };
	struct ctr_image_record again;
	struct err err = ERR_INIT;

	image_record_write(&r, &first);
	assert(image_record_read(first.p, first.n, a, &again, &err) == 0);
	image_record_write(&again, &second);
	assert(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
}

static void check_image(const struct source *s, const struct load_image *img)
{
	char text[DIGEST_TEXT_MAX];
	struct err err = ERR_INIT;
	struct image_ref ref;

	assert(digest_is_valid(img->id) &&
		str_eq(img->id, digest_of(img->config_text, img->config_n, text)));
	assert(img_platform_fits(&img->config.platform));
	assert(img->n_layers && img->n_layers <= IMAGE_LAYERS_MAX &&
		img->n_layers == img->config.n_diff_ids);
	if (img->manifests[0] && str_starts(img->manifests[0], "sha256:"))
		assert(str_eq(
			img->manifests[0], digest_of(img->manifest_text, img->manifest_n, text)));
	for (size_t i = 0; i < img->n_layers; i++) {
		assert(digest_is_valid(img->layers[i].diff_id));
		assert(!img->layers[i].digest || digest_is_valid(img->layers[i].digest));
		assert(source_has(s, img->layers[i].file));
	}
	for (size_t i = 0; i < img->n_names; i++) {
		assert(image_ref_parse(img->names[i], s->arena, &ref, &err) == 0);
		assert(ref.registry && ref.tag && !ref.digest);
	}
	check_record(img, s->arena);
}

static void check_contents(const struct contents *c, uint64_t size)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct contents_entry *e = &c->entries[i];

		assert(e->name[0] == '/' && !strstr(e->name, "/../") && !str_ends(e->name, "/.."));
		assert(e->offset <= size && e->size <= size - e->offset);
		assert(!e->link || e->link[0] == '/');
	}
}

static void check_failure(const struct err *err)
{
	char line[2048];

	assert(err->code != ERR_NONE && err->code != ERR_INTERNAL && err->code != ERR_SYSTEM);
	err_line(err, line, sizeof(line));
	assert(line[0]);
}

static void read_archive(struct source *s, uint64_t size, bool pick)
{
	const struct ctr_image_load job = { .path = "x.tar", .ref = pick ? "x:1" : NULL };
	struct load_list list = { 0 };
	struct err err = ERR_INIT;
	int r = contents_read(s->fd, s->arena, &s->tar, &err);

	if (r == 0) {
		check_contents(&s->tar, size);
		r = source_has(s, "index.json") ? layout_read(s, &job, &list, &err)
						: docker_read(s, &job, &list, &err);
	}
	if (r < 0) {
		check_failure(&err);
		return;
	}
	assert(list.n > 0);
	for (size_t i = 0; i < list.n; i++)
		check_image(s, &list.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = FD_NONE;
	_arena_ struct arena *arena = arena_new();
	struct source s = { .arena = arena };
	struct maker m = { 0 };
	struct err err = ERR_INIT;
	const bool pick = n >= 4 && memcmp(data, "pick", 4) == 0;

	if (fd < 0)
		fd = memfd_create("archive", MFD_CLOEXEC);
	assert(fd >= 0 && arena);
	if (n > INPUT_MAX || ftruncate(fd, 0) < 0)
		return 0;
	s.fd = fd;
	if (pwrite(fd, data, n, 0) != (ssize_t)n)
		return 0;
	if (contents_is_tar(fd, &err) != 1) {
		make(&m, (const char *)data, n);
		if (m.tar.failed || ftruncate(fd, 0) < 0 ||
			pwrite(fd, m.tar.p ? m.tar.p : "", m.tar.n, 0) != (ssize_t)m.tar.n)
			return 0;
		n = m.tar.n;
	}
	read_archive(&s, n, pick);
	str_done(&m.tar);
	return 0;
}
