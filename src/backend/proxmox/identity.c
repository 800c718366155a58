/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/identity.h"

#include "base/digest.h"
#include "base/json.h"

#include <string.h>

#define MARK "ctrctl:v1:"

enum { TAG_DIGITS = 16, JSON_MAX = 64 * 1024 };

static bool is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

const char *pve_tag(const char *id, char buf[PVE_TAG_MAX])
{
	char digest[DIGEST_TEXT_MAX];
	const char *from = id;
	size_t n = 0;

	while (n < TAG_DIGITS && is_digit(id[n]))
		n++;
	if (n < TAG_DIGITS)
		from = strchr(digest_of(id, strlen(id), digest), ':') + 1;
	snprintf(buf, PVE_TAG_MAX, "ctrctl-%.*s", (int)TAG_DIGITS, from);
	return buf;
}

/* ---- writing ---- */

/* What may be left out, first the last. */
enum part { PART_ANNOTATIONS, PART_LABELS, PART_NAMES, PART_N };

/* One line: the server keeps lines apart, and a control byte is none of a name's. */
static void add_line(struct str *out, const char *text)
{
	for (const char *p = text; p && *p; p++)
		str_addn(out, (unsigned char)*p < 0x20 || *p == 0x7f ? "?" : p, 1);
}

static void add_map(struct json_writer *w, const char *key, const struct ctr_map_str *map)
{
	if (map->n == 0)
		return;
	json_w_key(w, key);
	json_w_object(w);
	for (size_t i = 0; i < map->n; i++) {
		json_w_key(w, map->items[i].key);
		json_w_str(w, map->items[i].value);
	}
	json_w_object_end(w);
}

static void add_text(struct json_writer *w, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	json_w_key(w, key);
	json_w_str(w, value);
}

static void add_digest(struct str *out, const struct wish_identity *who)
{
	_str_ struct str all = { 0 };
	struct json_writer w = { .out = &all, .sorted = true };
	char digest[DIGEST_TEXT_MAX];

	json_w_object(&w);
	add_map(&w, "labels", &who->labels);
	add_map(&w, "annotations", &who->annotations);
	json_w_object_end(&w);
	out->failed = out->failed || all.failed;
	str_add(out, all.failed ? "" : digest_of(all.p, all.n, digest));
}

/* `kept`: how many of the parts there is room for. */
static void write_description(
	struct str *out, const struct wish_identity *who, unsigned vmid, unsigned kept)
{
	struct json_writer w = { .out = out };

	str_add(out, "Container ");
	if (kept > PART_N - 1 - PART_NAMES && who->container) {
		add_line(out, who->container);
		if (who->pod) {
			str_add(out, " of pod ");
			add_line(out, who->namespace ? who->namespace : "");
			str_add(out, who->namespace ? "/" : "");
			add_line(out, who->pod);
		}
	} else {
		add_line(out, who->id);
	}
	str_add(out, ", made and managed by ctrctl. The line below says whose it is: leave it "
		     "there.\n" MARK);
	json_w_object(&w);
	json_w_key(&w, "id");
	json_w_str(&w, who->id);
	json_w_key(&w, "vmid");
	json_w_u64(&w, vmid);
	add_text(&w, "created", who->created);
	add_text(&w, "sandbox", who->sandbox_id);
	if (kept > PART_N - 1 - PART_NAMES) {
		add_text(&w, "name", who->container);
		if (who->attempt) {
			json_w_key(&w, "attempt");
			json_w_u64(&w, who->attempt);
		}
		add_text(&w, "pod", who->pod);
		add_text(&w, "namespace", who->namespace);
		add_text(&w, "uid", who->uid);
		add_text(&w, "image", who->image);
	}
	if (kept > PART_N - 1 - PART_LABELS)
		add_map(&w, "labels", &who->labels);
	if (kept > PART_N - 1 - PART_ANNOTATIONS)
		add_map(&w, "annotations", &who->annotations);
	if (kept < PART_N) {
		_str_ struct str digest = { 0 };
		add_digest(&digest, who);
		json_w_key(&w, "cut");
		json_w_str(&w, digest.p);
		out->failed = out->failed || digest.failed;
	}
	json_w_object_end(&w);
}

/* The server counts characters, not bytes. What isn't UTF-8 counts by the byte. */
static size_t characters(const char *text, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; count++) {
		size_t len = utf8_len(text + i, n - i);
		i += len ? len : 1;
	}
	return count;
}

const char *pve_description(
	const struct wish_identity *who, unsigned vmid, struct arena *a, struct err *err)
{
	for (unsigned kept = PART_N + 1; kept-- > 0;) {
		_str_ struct str text = { 0 };
		const char *copy;
		write_description(&text, who, vmid, kept);
		if (str_ok(&text, err) < 0)
			return NULL;
		if (characters(text.p, text.n) > PVE_DESCRIPTION_MAX)
			continue;
		copy = arena_strndup(a, text.p, text.n);
		if (!copy)
			err_nomem(err);
		return copy;
	}
	err_set(err, ERR_INVALID, NULL,
		"the ids of container and sandbox don't fit into %d "
		"characters",
		PVE_DESCRIPTION_MAX);
	return NULL;
}

/* ---- reading ---- */

static const struct json_field fields[] = {
	J_ROW_STR(struct pve_identity, id, "id", J_REQUIRED),
	{ .name = "vmid",
		.kind = J_U32,
		.flags = J_REQUIRED,
		.off = offsetof(struct pve_identity, vmid),
		.size = sizeof(uint32_t),
		.max = SETTINGS_VMID_MAX },
	J_ROW_STR(struct pve_identity, sandbox_id, "sandbox", 0),
	J_ROW_STR(struct pve_identity, container, "name", 0),
	J_ROW_STR(struct pve_identity, pod, "pod", 0),
	J_ROW_STR(struct pve_identity, namespace, "namespace", 0),
	J_ROW_STR(struct pve_identity, image, "image", 0),
	J_ROW_STR(struct pve_identity, created, "created", 0),
	{ 0 },
};
_Static_assert(sizeof(((struct pve_identity *)0)->vmid) == sizeof(uint32_t), "read as such");

int pve_description_read(
	const char *description, struct arena *a, struct pve_identity *ret, struct err *err)
{
	const char *p = description;

	/* At the beginning of a line; people may have written around it. */
	while (p && !str_starts(p, MARK)) {
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	if (!p)
		return 0;
	p += strlen(MARK);
	const struct json *tree;
	struct pve_identity who = { 0 };
	struct err why = ERR_INIT;
	if (json_parse(p, strcspn(p, "\r\n"), JSON_MAX, a, &tree, &why) < 0 ||
		json_bind(tree, fields, &who, JSON_UNKNOWN_IGNORE, a, &why) < 0) {
		/* Edited: whose it is can't be known any more. */
		if (why.code != ERR_EXHAUSTED)
			return 0;
		*err = why;
		return -1;
	}
	if (!*who.id)
		return 0;
	*ret = who;
	return 1;
}
