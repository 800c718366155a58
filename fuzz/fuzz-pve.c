/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Proxmox VE server may answer, and the texts that go there and come back. The first line of
 * an input names what is tried, see `kinds`; for calls the answers follow.
 */
#include "backend/proxmox/encode.h"
#include "backend/proxmox/identity.h"
#include "backend/proxmox/prop.h"
#include "pve-server.h"

enum { LINES_MAX = 64 };

#define UPID "UPID:pve1:0003A2B1:0F31D2C4:65A1B2C3:vzcreate:100:root@pam!t:"

static const struct settings_proxmox cfg = { .call_s = 60 };

static void look_at_fault(const struct pve_fault *fault, const struct err *err)
{
	/* Engines give these words a meaning of their own. */
	assert(!strcasestr(err->text, "no such file or directory"));
	assert(fault->reason != PVE_OK && fault->reason < PVE_REASON_N);
	assert(memchr(fault->text, 0, sizeof(fault->text)));
	for (const char *p = fault->text; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	look_at(err);
}

/* ---- calls ---- */

static void try_values(const struct json *data)
{
	for (const struct json *m = data->child; m && data->type == JSON_OBJECT; m = m->next) {
		int64_t whole = pve_int(data, m->key, -1);
		double v = pve_double(data, m->key, -1);
		assert(v == v && (pve_text(data, m->key) || (whole == -1 && v == -1)));
		(void)pve_bool(data, m->key);
	}
}

static void try_get(const char *text, struct arena *arena)
{
	struct pve pve = session(&cfg, arena, text);
	struct pve_fault fault;
	const struct json *data = NULL;
	struct err err = ERR_INIT;

	if (pve_get(&pve, arena, "/nodes/pve1/lxc/100/config", NULL, &data, &fault, &err) < 0)
		look_at_fault(&fault, &err);
	else
		try_values(data);
	assert(server.asked >= 1);
}

static void try_post(const char *text, struct arena *arena)
{
	struct pve pve = session(&cfg, arena, text);
	struct pve_form form = PVE_FORM_INIT(arena);
	struct pve_upid upid;
	struct pve_fault fault;
	const struct json *data;
	struct err err = ERR_INIT;

	pve_form_set(&form, "env", "PW=hunter22", NULL);
	pve_form_hide(&form, "env");
	if (pve_send(&pve, arena, HTTPS_POST, "/nodes/pve1/lxc", &form, &data, &fault, &err) < 0) {
		look_at_fault(&fault, &err);
		assert(!strstr(fault.text, "hunter22") && !strstr(err.text, "hunter22"));
	} else if (pve_upid_of(data, arena, &upid, &err) < 0) {
		look_at(&err);
	}
}

static void try_version(const char *text, struct arena *arena)
{
	struct pve pve = session(&cfg, arena, text);
	struct err err = ERR_INIT;

	if (pve_version(&pve, &err) < 0)
		look_at(&err);
	else
		assert(pve.major > 0 && pve_at_least(&pve, 1, 0));
}

static void try_task(const char *text, struct arena *arena)
{
	struct pve pve = session(&cfg, arena, text);
	struct pve_fault fault;
	struct pve_upid upid;
	struct err err = ERR_INIT;

	assert(pve_upid_parse(UPID, arena, &upid, &err) == 0);
	if (pve_task_wait(&pve, &upid, 20000, &fault, &err) < 0)
		look_at_fault(&fault, &err);
}

static void try_find(const char *text, struct arena *arena)
{
	struct pve pve = session(&cfg, arena, text);
	struct pve_upid upid;
	struct err err = ERR_INIT;
	bool running;
	int found = pve_task_find(
		&pve, "pve1", "vzcreate", 100, 1000, "root@pam!t", arena, &upid, &running, &err);

	if (found < 0)
		look_at(&err);
	if (found > 0)
		assert(str_eq(upid.type, "vzcreate") && str_eq(upid.id, "100") &&
			str_eq(upid.user, "root@pam!t") && upid.start >= 1000);
}

/* ---- texts ---- */

/* What is taken becomes one segment of a path, whatever it is. */
static void try_upid(const char *text, struct arena *arena)
{
	struct pve_upid upid;
	struct err err = ERR_INIT;
	const char *path;
	size_t slashes = 0, at = 0;

	if (pve_upid_parse(text, arena, &upid, &err) < 0) {
		look_at(&err);
		return;
	}
	assert(str_eq(upid.text, text) && !strpbrk(text, "/?# \t\r\n"));
	path = pve_path(arena, "nodes", upid.node, "tasks", upid.text, "status", NULL);
	assert(path);
	check_path(path);
	for (const char *p = path; *p; p++)
		slashes += *p == '/';
	assert(slashes == 5);
	/* Decoded once it is what it was. */
	path = strstr(path, "/tasks/") + strlen("/tasks/");
	for (; *path && *path != '/'; path++) {
		unsigned c = (unsigned char)*path;
		if (c == '%') {
			assert(sscanf(path + 1, "%2X", &c) == 1);
			path += 2;
		}
		assert((unsigned char)text[at++] == c);
	}
	assert(!text[at]);
}

static void try_words(const char *text, struct arena *arena)
{
	char line[200];
	struct err err = ERR_INIT;

	pve_words(text, line, sizeof(line));
	for (unsigned status = 0; status < 600; status += status == 0 ? 400 : 1)
		(void)pve_reason_code(pve_reason_of(status, line));
	assert(pve_reason_code(pve_reason_of(596, line)) == ERR_UNAVAILABLE);
	pve_reason_hint(pve_reason_of(500, line), "pve1", "100", line, &err);
}

static bool same_pairs(const struct ctr_map_str *a, const struct ctr_map_str *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_eq(a->items[i].key, b->items[i].key) ||
			!str_eq(a->items[i].value, b->items[i].value))
			return false;
	return true;
}

static void try_prop(const char *text, struct arena *arena)
{
	struct ctr_map_str map, again;
	_str_ struct str s = { 0 };
	struct err err = ERR_INIT;

	if (pve_prop_parse(text, "volume", arena, &map, &err) < 0) {
		look_at(&err);
		return;
	}
	for (size_t i = 0; i < map.n; i++) {
		const struct ctr_pair *p = &map.items[i];
		if (pve_prop_add(&s, p->key, p->value, &err) == 0)
			continue;
		/* Only what the server may have, and nobody can give it. */
		assert(!p->value[0] || strchr(p->value, '=') ||
			strpbrk(p->key, "\x7f\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f\x10"
					"\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e"
					"\x1f") ||
			strpbrk(p->value, "\x7f\x01\x02\x03\x04\x05\x06\x07\b\t\n\v\f\r\x0e\x0f\x10"
					  "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d"
					  "\x1e\x1f"));
		return;
	}
	assert(pve_prop_parse(s.p ? s.p : "", NULL, arena, &again, &err) == 0);
	assert(same_pairs(&map, &again));
}

/* The lines of a text; breaks: a '|' is a line break in one of them. */
static size_t lines_of(const char *text, bool breaks, const char **lines, struct arena *arena)
{
	size_t n = 0;

	for (const char *p = text; n < LINES_MAX; p++) {
		size_t len = strcspn(p, "\n");
		char *line = arena_strndup(arena, p, len);
		assert(line);
		for (char *c = line; breaks && *c; c++)
			*c = *c == '|' ? '\n' : *c;
		lines[n++] = line;
		p += len;
		if (!*p)
			break;
	}
	return n;
}

/* The words that LXC makes of it are the argv, or a shell's that is told it in a variable. */
static void try_argv(const char *text, struct arena *arena)
{
	const char *argv[LINES_MAX], **words, *line, *told;
	size_t n = lines_of(text, false, argv, arena), n_words;
	struct ctr_map_str env = { 0 };
	struct err err = ERR_INIT;
	bool shell;

	if (pve_entrypoint(argv, n, NULL, arena, &env, &line, &shell, &err) < 0) {
		look_at(&err);
		return;
	}
	assert(pve_entrypoint_split(line, arena, &words, &n_words, &err) == 0);
	if (!shell) {
		assert(env.n == 0 && n == n_words);
		for (size_t i = 0; i < n; i++)
			assert(str_eq(argv[i], words[i]));
		return;
	}
	assert(pve_entrypoint_is_shell(line) && env.n == 1 && n_words == 3);
	told = strstr(env.items[0].value, "exec");
	assert(told && pve_shell_split(told, arena, &words, &n_words, &err) == 0);
	assert(n_words == n + 1);
	for (size_t i = 0; i < n; i++)
		assert(str_eq(argv[i], words[i + 1]));
}

/* Whatever a server has as a command line: two readers, no end but the text's. */
static void try_split(const char *text, struct arena *arena)
{
	const char **words;
	struct err err = ERR_INIT;
	bool quoted;
	size_t n;

	assert(pve_entrypoint_split(text, arena, &words, &n, &err) == 0);
	for (size_t i = 0; i < n; i++)
		assert(words[i]);
	assert(pve_shell_split(text, arena, &words, &n, &err) == 0);
	for (size_t i = 0; i < n; i++)
		assert(words[i]);
	assert(pve_entrypoint_is_servers(text, arena, &quoted, &err) == 0);
}

static void try_env(const char *text, struct arena *arena)
{
	const char *lines[LINES_MAX], *written;
	size_t n = lines_of(text, false, lines, arena), written_n;
	struct ctr_map_str env = { 0 }, again;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		const char *equals = strchr(lines[i], '=');
		const char *name = arena_strndup(
			arena, lines[i], equals ? (size_t)(equals - lines[i]) : strlen(lines[i]));
		assert(pve_map_set(&env, name, equals ? equals + 1 : "", arena, &err) == 0);
	}
	if (pve_env(&env, arena, &written, &written_n, &err) < 0) {
		look_at(&err);
		/* What others wrote is read all the same. */
		assert(pve_env_parse(text, strlen(text), arena, &again, &err) == 0);
		return;
	}
	assert(pve_env_parse(written, written_n, arena, &again, &err) == 0);
	assert(same_pairs(&env, &again));
}

static void try_read(const char *text, struct arena *arena)
{
	struct pve_identity who = { 0 };
	struct err err = ERR_INIT;
	int result = pve_description_read(text, arena, &who, &err);

	if (result < 0)
		look_at(&err);
	if (result > 0)
		assert(who.id && who.id[0]);
}

/* Whoever wrote the names: what comes back is what was meant. */
static void try_description(const char *text, struct arena *arena)
{
	const char *lines[LINES_MAX], *written;
	size_t n = lines_of(text, true, lines, arena);
	struct ctr_pair *labels = arena_array(arena, LINES_MAX, sizeof(*labels));
	struct wish_identity who = { .id = "0123456789abcdef",
		.sandbox_id = lines[0],
		.image = "lxc/x",
		.created = "2026-01-01T00:00:00Z" };
	struct pve_identity back = { 0 };
	struct err err = ERR_INIT;

	if (n > 1)
		who.container = lines[1];
	if (n > 2)
		who.pod = lines[2];
	for (size_t i = 3; labels && i < n; i++)
		labels[who.labels.n++] =
			(struct ctr_pair){ arena_printf(arena, "k%zu", i), lines[i] };
	who.labels.items = labels;
	written = pve_description(&who, 123456, arena, &err);
	if (!written) {
		look_at(&err);
		return;
	}
	assert(strlen(written) <= PVE_DESCRIPTION_MAX);
	assert(pve_description_read(written, arena, &back, &err) == 1);
	assert(str_eq(back.id, who.id) && back.vmid == 123456);
}

static const struct kind kinds[] = {
	{ "get", try_get },
	{ "post", try_post },
	{ "version", try_version },
	{ "task", try_task },
	{ "find", try_find },
	{ "upid", try_upid },
	{ "words", try_words },
	{ "prop", try_prop },
	{ "argv", try_argv },
	{ "split", try_split },
	{ "env", try_env },
	{ "read", try_read },
	{ "description", try_description },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return try_kinds(kinds, ARRAY_SIZE(kinds), data, n);
}
