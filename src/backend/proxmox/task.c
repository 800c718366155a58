/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/task.h"

#include "base/log.h"

#include <string.h>

enum {
	LOG_PAGE = 1000,    /* lines per request: older servers don't know "all" */
	LOG_PAGES_MAX = 10, /* the first one and the last ones */
	TAIL_MAX = 5,       /* lines that go into the error */
	WARNINGS_MAX = 10,  /* lines that go to the log */
	TAIL_LINE = 160,    /* bytes of each */
	LOG_MS = 5000,      /* for all of a log: it isn't what was asked for */
	LAST_LOOK_MS = 1000,
	STRANGE_MAX = 3, /* answers in a row that make no sense, before it is given up */
	FIND_LIMIT = 50,
};

/* ---- UPIDs ---- */

static bool is_hex(const char *s, size_t n, size_t min, size_t max)
{
	return n >= min && n <= max && strspn(s, "0123456789abcdefABCDEF") >= n;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_node(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && (s[i] != '-' || i == 0 || i == n - 1))
			return false;
	return n > 0;
}

/* Printable, and nothing that means something in a path. */
static bool is_safe(int c)
{
	return c > 0x20 && c <= 0x7e && !strchr("/%?#\\", c);
}

static bool is_word(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_safe(s[i]))
			return false;
	return true;
}

/* What would end the field is in it as "%3A": encoded, it mustn't be anything else, either. */
static bool is_id(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char hex[3] = "";
		if (s[i] == '%' && i + 2 < n && is_hex(s + i + 1, 2, 2, 2)) {
			memcpy(hex, s + i + 1, 2);
			i += 2;
		}
		if (!is_safe(hex[0] ? (int)strtoul(hex, NULL, 16) : s[i]))
			return false;
	}
	return true;
}

enum { F_PREFIX, F_NODE, F_PID, F_PSTART, F_START, F_TYPE, F_ID, F_USER, F_N };

static bool is_field(int field, const char *s, size_t n)
{
	switch (field) {
	case F_PREFIX: return n == 4 && memcmp(s, "UPID", 4) == 0;
	case F_NODE: return is_node(s, n);
	case F_PSTART: return is_hex(s, n, 8, 9);
	case F_PID:
	case F_START: return is_hex(s, n, 8, 8);
	case F_ID: return is_id(s, n);
	default: return n > 0 && is_word(s, n);
	}
}

static int not_one(const char *text, struct err *err)
{
	char words[128];

	pve_words(text, words, sizeof(words));
	return err_set(err, ERR_INVALID, "UPID", "\"%s\" isn't one", words);
}

int pve_upid_parse(const char *text, struct arena *arena, struct pve_upid *ret, struct err *err)
{
	const char *fields[F_N], *p = text;

	if (strlen(text) > PVE_UPID_MAX)
		return err_set(err, ERR_INVALID, "UPID", "is too long");
	for (int i = 0; i < F_N; i++) {
		size_t n = strcspn(p, ":");
		if (p[n] != ':' || !is_field(i, p, n))
			return not_one(text, err);
		fields[i] = arena_strndup(arena, p, n);
		if (!fields[i])
			return err_nomem(err);
		p += n + 1;
	}
	if (*p)
		return not_one(text, err);
	struct pve_upid upid = {
		.text = arena_strdup(arena, text),
		.node = fields[F_NODE],
		.type = fields[F_TYPE],
		.id = fields[F_ID],
		.user = fields[F_USER],
		.start = strtoull(fields[F_START], NULL, 16),
	};
	if (!upid.text)
		return err_nomem(err);
	*ret = upid;
	return 0;
}

int pve_upid_of(const struct json *data, struct arena *arena, struct pve_upid *ret, struct err *err)
{
	if (data->type != JSON_STRING)
		return err_set(err, pve_reason_code(PVE_GARBLED), "UPID",
			"the answer should name a task, and doesn't");
	return pve_upid_parse(data->text, arena, ret, err);
}

/* ---- status ---- */

static const char *task_path(const struct pve_upid *upid, const char *what, struct arena *arena)
{
	return pve_path(arena, "nodes", upid->node, "tasks", upid->text, what, NULL);
}

/* "vzcreate 100 on pve1" */
static const char *title(const struct pve_upid *upid, char buf[192])
{
	snprintf(buf, 192, "%.64s %.64s%son %.56s", upid->type, upid->id, upid->id[0] ? " " : "",
		upid->node);
	return buf;
}

static int look(struct pve *pve, const struct pve_upid *upid, struct arena *arena,
	unsigned limit_ms, const char **ret_exit, struct pve_fault *fault, struct err *err)
{
	const struct json *data;
	const char *status, *words;

	if (pve_get_once(pve, arena, task_path(upid, "status", arena), NULL, limit_ms, &data, fault,
		    err) < 0)
		return -1;
	status = pve_text(data, "status");
	if (str_eq(status, "running"))
		return 0;
	words = pve_text(data, "exitstatus");
	if (!str_eq(status, "stopped")) {
		fault->reason = PVE_GARBLED;
		return err_set(err, pve_reason_code(PVE_GARBLED), "task",
			"its status is neither running nor stopped");
	}
	/* It is written a moment after the end. */
	*ret_exit = words ? words : "unable to get last line from task log";
	return 1;
}

int pve_task_look(struct pve *pve, const struct pve_upid *upid, struct arena *arena,
	const char **ret_exit, struct pve_fault *fault, struct err *err)
{
	struct pve_fault own = { 0 };

	return look(pve, upid, arena, 0, ret_exit, fault ? fault : &own, err);
}

/* ---- the log ---- */

/* The last lines of a log, and its warnings. */
struct tail {
	char lines[TAIL_MAX][TAIL_LINE];
	size_t n; /* all that were not empty; the i-th is lines[i % TAIL_MAX] */
	char warnings[WARNINGS_MAX][TAIL_LINE];
	size_t n_warnings;
	uint64_t total, until; /* lines, as the server says; when there is no time left */
};

static void tail_line(struct tail *tail, const char *text)
{
	char *line = tail->lines[tail->n % TAIL_MAX];

	/* The last line repeats the exit status. */
	if (str_starts(text, "TASK "))
		return;
	if (!text[strspn(text, " \t\r\n")])
		return;
	pve_words(text, line, TAIL_LINE);
	tail->n++;
	if (!str_starts(text, "WARN: ") && !str_starts(text, "WARN "))
		return;
	if (tail->n_warnings < WARNINGS_MAX)
		memcpy(tail->warnings[tail->n_warnings], line, TAIL_LINE);
	tail->n_warnings++;
}

/* The number of lines that were read. */
static size_t read_page(
	struct pve *pve, const struct pve_upid *upid, uint64_t start, struct tail *tail)
{
	_arena_ struct arena *arena = arena_new();
	struct pve_form query = PVE_FORM_INIT(arena);
	uint64_t now = pve_now_ms(pve);
	const struct json *data;
	struct err ignored = ERR_INIT;

	if (!arena || now >= tail->until)
		return 0;
	pve_form_setf(&query, "start", NULL, "%llu", (unsigned long long)start);
	pve_form_setf(&query, "limit", NULL, "%d", LOG_PAGE);
	if (pve_get_page(pve, arena, task_path(upid, "log", arena), &query,
		    (unsigned)(tail->until - now), &data, &tail->total, &ignored) < 0 ||
		data->type != JSON_ARRAY)
		return 0;
	json_for_each (row, data) {
		const char *text = pve_text(row, "t");
		if (text)
			text = pve_scrubbed(pve, text, arena);
		if (text)
			tail_line(tail, text);
	}
	return data->n;
}

/* What can't be read is left out: the exit status says the most. */
static void read_log(struct pve *pve, const struct pve_upid *upid, struct tail *tail)
{
	const uint64_t most = LOG_PAGES_MAX * LOG_PAGE;
	uint64_t start = 0;

	tail->until = pve_now_ms(pve) + LOG_MS;
	for (int page = 0; page < LOG_PAGES_MAX; page++) {
		if (read_page(pve, upid, start, tail) < LOG_PAGE)
			return;
		start += LOG_PAGE;
		if (page == 0 && tail->total > most)
			start += tail->total - most;
	}
}

/* "line | line | line", as many of the last ones as fit. */
static void join_tail(const struct tail *tail, char *buf, size_t size)
{
	size_t have = MIN(tail->n, (size_t)TAIL_MAX), first = tail->n, need = 0, at = 0;

	while (first > tail->n - have) {
		need += strlen(tail->lines[(first - 1) % TAIL_MAX]) + strlen(" | ");
		if (need >= size)
			break;
		first--;
	}
	buf[0] = 0;
	for (size_t i = first; i < tail->n; i++) {
		const char *line = tail->lines[i % TAIL_MAX];
		int n = snprintf(buf + at, size - at, "%s%s", i > first ? " | " : "", line);
		at += n > 0 ? (size_t)n : 0;
	}
}

/* ---- the end ---- */

static void warn(struct pve *pve, const struct pve_upid *upid, const char *ending)
{
	struct tail tail = { 0 };
	char name[192];

	read_log(pve, upid, &tail);
	title(upid, name);
	for (size_t i = 0; i < MIN(tail.n_warnings, (size_t)WARNINGS_MAX); i++)
		log_warn("%s: %s", name, tail.warnings[i]);
	if (tail.n_warnings == 0 || tail.n_warnings > WARNINGS_MAX)
		log_warn("%s: ended with %s", name, ending);
}

static int fail(struct pve *pve, const struct pve_upid *upid, const char *ending,
	struct arena *arena, struct pve_fault *fault, struct err *err)
{
	struct tail tail = { 0 };
	char name[192], words[200], log[sizeof(err->text)];
	const char *shown = pve_scrubbed(pve, ending, arena);

	fault->status = 0;
	pve_words(ending, fault->text, sizeof(fault->text));
	fault->reason = pve_reason_of(0, fault->text);
	/* " OK", say */
	if (fault->reason == PVE_OK)
		fault->reason = PVE_OTHER;
	if (!shown)
		return err_nomem(err);
	pve_words(shown, fault->text, sizeof(fault->text));
	pve_words(shown, words, sizeof(words));
	read_log(pve, upid, &tail);
	join_tail(&tail, log, sizeof(log) - strlen(words) - strlen("; its log: "));
	err_set(err, pve_reason_code(fault->reason), title(upid, name), "%s%s%s", words,
		log[0] ? "; its log: " : "", log);
	pve_reason_hint(fault->reason, upid->node, upid->id, fault->text, err);
	return -1;
}

/* "OK", "WARNINGS: 3", and neither "OKxyz" nor "WARNINGS: many". */
bool pve_task_is_success(const char *ending)
{
	uint64_t n;

	return str_eq(ending, "OK") ||
	       (str_starts(ending, "WARNINGS: ") &&
		       parse_u64(ending + strlen("WARNINGS: "), UINT64_MAX, &n) == 0);
}

static bool is_transient(const char *ending)
{
	return strstr(ending, "unable to get last line from task log") ||
	       strstr(ending, "unable to read tail");
}

/* Whether an answer that is none says nothing of the task. */
static bool tolerated(const struct pve_fault *fault, unsigned *strange)
{
	enum pve_reason r = fault->reason;

	if (r == PVE_UNREACHED || r == PVE_AMBIGUOUS || r == PVE_BUSY || r == PVE_NO_QUORUM)
		return true;
	return (r == PVE_GARBLED || r == PVE_OTHER) && ++*strange < STRANGE_MAX;
}

static int late(const struct pve_upid *upid, unsigned deadline_ms, const struct err *why,
	struct pve_fault *fault, struct err *err)
{
	char name[192], line[160] = "";

	fault->reason = PVE_TIMEOUT;
	fault->status = 0;
	if (why->code != ERR_NONE)
		err_line(why, line, sizeof(line));
	pve_words(line, fault->text, sizeof(fault->text));
	err_set(err, ERR_TIMEOUT, title(upid, name), "hasn't ended within %u s%s%s: %s",
		(deadline_ms + 999) / 1000, line[0] ? "; the last answer was: " : "", line,
		upid->text);
	return err_hint(err, "it may go on: its state is in the task list of node %s", upid->node);
}

/* Polls until it has ended: the exit status in the arena, NULL: failed. */
static const char *await(struct pve *pve, const struct pve_upid *upid, unsigned deadline_ms,
	struct arena *arena, struct pve_fault *fault, struct err *err)
{
	static const unsigned pauses[] = { 100, 200, 400, 800, 1500 };
	uint64_t begun = pve_now_ms(pve);
	unsigned strange = 0;
	bool asked_again = false;
	char name[192];

	for (size_t i = 0;; i++) {
		_arena_ struct arena *own = arena_new();
		struct err why = ERR_INIT;
		const char *ending = NULL;
		uint64_t passed = pve_now_ms(pve) - begun;
		unsigned left = passed < deadline_ms ? deadline_ms - (unsigned)passed : 0;
		int ended = own ? look(pve, upid, own, MAX(left, (unsigned)LAST_LOOK_MS), &ending,
					  fault, &why)
				: err_nomem(&why);
		if (!own || arena_failed(own)) {
			err_nomem(err);
			return NULL;
		}
		if (ended > 0 && (asked_again || !is_transient(ending))) {
			ending = arena_strdup(arena, ending);
			if (!ending)
				err_nomem(err);
			return ending;
		}
		if (ended < 0 && !tolerated(fault, &strange)) {
			*err = why;
			err_in(err, "%s", title(upid, name));
			return NULL;
		}
		if (ended >= 0)
			strange = 0;
		asked_again = ended > 0;
		unsigned ms = pauses[MIN(i, ARRAY_SIZE(pauses) - 1)];
		passed = pve_now_ms(pve) - begun;
		if (passed >= deadline_ms) {
			late(upid, deadline_ms, &why, fault, err);
			return NULL;
		}
		/* A last look at the deadline itself. */
		pve_pause(pve, (unsigned)MIN((uint64_t)ms, deadline_ms - passed));
	}
}

int pve_task_wait(struct pve *pve, const struct pve_upid *upid, unsigned deadline_ms,
	struct pve_fault *fault, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	struct pve_fault own = { 0 };
	const char *ending;

	if (!fault)
		fault = &own;
	*fault = (struct pve_fault){ .reason = PVE_OTHER };
	if (!arena)
		return err_nomem(err);
	ending = await(pve, upid, deadline_ms, arena, fault, err);
	if (!ending)
		return -1;
	if (!pve_task_is_success(ending))
		return fail(pve, upid, ending, arena, fault, err);
	if (!str_eq(ending, "OK"))
		warn(pve, upid, ending);
	*fault = (struct pve_fault){ .reason = PVE_OK };
	return 0;
}

/* ---- the list ---- */

static bool is_wanted(const struct pve_upid *upid, const char *type, const char *id, uint64_t since,
	const char *user)
{
	return str_eq(upid->type, type) && str_eq(upid->id, id) && upid->start >= since &&
	       (!user || str_eq(upid->user, user));
}

int pve_task_find(struct pve *pve, const char *node, const char *type, unsigned vmid,
	uint64_t since, const char *user, struct arena *arena, struct pve_upid *ret,
	bool *ret_running, struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(arena);
	struct pve_upid best = { 0 };
	const struct json *data;
	bool running = false;
	char id[16];

	snprintf(id, sizeof(id), "%u", vmid);
	pve_form_set(&query, "vmid", id, NULL);
	pve_form_set(&query, "typefilter", type, NULL);
	/* Without it the list has only what has ended. */
	pve_form_set(&query, "source", "all", NULL);
	if (since)
		pve_form_setf(&query, "since", NULL, "%llu", (unsigned long long)since);
	pve_form_setf(&query, "limit", NULL, "%d", FIND_LIMIT);
	if (pve_get(pve, arena, pve_path(arena, "nodes", node, "tasks", NULL), &query, &data, NULL,
		    err) < 0)
		return -1;
	if (data->type != JSON_ARRAY)
		return err_set(err, pve_reason_code(PVE_GARBLED), "task list", "isn't a list");
	json_for_each (row, data) {
		const char *text = pve_text(row, "upid");
		struct err ignored = ERR_INIT;
		struct pve_upid upid;
		if (!text || pve_upid_parse(text, arena, &upid, &ignored) < 0)
			continue;
		/* One that has just ended may be in it twice. */
		bool same = best.text && str_eq(best.text, upid.text);
		bool runs = !json_get(row, "endtime");
		/* The newest come first, those that run before all others. */
		if (!is_wanted(&upid, type, id, since, user) ||
			(best.text && !same && upid.start <= best.start))
			continue;
		running = same ? running && runs : runs;
		best = upid;
	}
	if (arena_failed(arena))
		return err_nomem(err);
	if (!best.text)
		return 0;
	*ret = best;
	if (ret_running)
		*ret_running = running;
	return 1;
}

int pve_task_cancel(struct pve *pve, const struct pve_upid *upid, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	const struct json *data;

	if (!arena)
		return err_nomem(err);
	return pve_send(
		pve, arena, HTTPS_DELETE, task_path(upid, NULL, arena), NULL, &data, NULL, err);
}
