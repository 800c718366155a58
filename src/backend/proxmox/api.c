/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/proxmox/api.h"

#include "base/log.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES_MAX = 4,        /* when the server doesn't answer: one, and three more */
	PAUSE_FIRST_MS = 200, /* then three times as long each */
	BUSY_FIRST_MS = 500,  /* then twice as long each */
	BUSY_MAX_MS = 5000,
	DOWN_MS = 10000,
	LAST_SHARE = 4,        /* less than this part of its time is too little for another try */
	REFUSAL_MAX = 1 << 20, /* the status line says enough of a bigger one */
	WORDS_MAX = sizeof(((struct pve_fault *)0)->text),
};

static const char *const method_names[HTTPS_METHOD_N] = {
	[HTTPS_GET] = "GET",
	[HTTPS_POST] = "POST",
	[HTTPS_PUT] = "PUT",
	[HTTPS_DELETE] = "DELETE",
};

/* One call on its way. */
struct call {
	struct pve *pve;
	struct arena *arena;
	struct pve_ask ask;
	const char *path; /* without the query */
	const struct pve_form *form;
	unsigned limit_ms; /* of all tries; 0: callSeconds */
	struct pve_answer answer;
	struct pve_fault fault;
	const struct json *data;
	uint64_t total;
	struct arena *tried; /* the last try's answer */
	bool hopeless;       /* there is no way to ask */
};

void pve_pause(struct pve *pve, unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (pve->pause) {
		pve->skipped_ms += ms;
		pve->pause(pve->exchange_arg, ms);
		return;
	}
	while (nanosleep(&t, &t) < 0)
		;
}

uint64_t pve_now_ms(const struct pve *pve)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + pve->skipped_ms;
}

/* ---- the server's words ---- */

static bool is_html(const char *body)
{
	return body[strspn(body, " \t\r\n")] == '<';
}

/* "Parameter verification failed: net0.ip: invalid format; vmid: ..." */
static void join_errors(const struct json *errors, struct str *s)
{
	if (!errors || errors->type != JSON_OBJECT)
		return;
	while (s->n && strchr(" \t\r\n.:", s->p[s->n - 1]))
		s->p[--s->n] = 0;
	json_for_each (e, errors) {
		const char *glue = e != errors->child ? "; " : s->n ? ": " : "";
		str_add(s, glue);
		str_printf(s, "%s: %s", e->key, e->text ? e->text : "");
		while (s->n && strchr(" \t\r\n", s->p[s->n - 1]))
			s->p[--s->n] = 0;
	}
}

/* A guest's environment has NUL bytes between its variables, which no text here can hold: they are
 * read as bytes of 1, which the server lets nobody put there. NULL: memory. */
static const char *without_nul(struct call *c)
{
	const struct pve_answer *a = &c->answer;
	char *copy;

	if (!strstr(a->body, "\\u0000"))
		return a->body;
	copy = arena_strndup(c->tried, a->body, a->n);
	for (char *p = copy; p && (p = strchr(p, '\\')) && p[1]; p += 2)
		if (str_starts(p, "\\u0000"))
			p[5] = '1';
	return copy;
}

/* Message and errors of a body that is an object; older servers have the message only in the status
 * line. */
static void add_words(struct call *c, struct str *s)
{
	const struct pve_answer *a = &c->answer;
	const struct json *doc = NULL;
	const char *message = NULL, *body = a->json && a->n ? without_nul(c) : "";
	struct err ignored;

	if (!body) {
		s->failed = true;
		return;
	}
	if (body[0] && json_parse(body, a->n, REFUSAL_MAX, c->tried, &doc, &ignored) < 0)
		doc = NULL;
	if (doc && doc->type == JSON_OBJECT)
		message = pve_text(doc, "message");
	if (!message || !message[strspn(message, " \t\r\n")])
		message = a->reason;
	str_add(s, message ? message : "");
	if (doc && doc->type == JSON_OBJECT)
		join_errors(json_get(doc, "errors"), s);
	if (!s->n && !a->json && a->n && !is_html(a->body))
		str_add(s, a->body);
}

/* ---- what an answer means ---- */

static const char *found(const char *path, const char *head, char *buf, size_t size)
{
	const char *at = strstr(path, head);
	size_t n;

	if (!at)
		return NULL;
	at += strlen(head);
	n = strcspn(at, "/");
	if (n == 0 || n >= size)
		return NULL;
	memcpy(buf, at, n);
	buf[n] = 0;
	return buf;
}

static void hint(const struct call *c, struct err *err)
{
	char node[64], vmid[16];

	/* For this one the server doesn't say what was missing. */
	if (c->fault.reason == PVE_FORBIDDEN && c->ask.method == HTTPS_POST &&
		str_ends(c->path, "/lxc") && !strchr(c->fault.text, '(')) {
		err_hint(err,
			"it lacks VM.Allocate on /vms/ID, on /vms, or on the pool that proxmox.pool names: see `ctrctl check proxmox`");
		return;
	}
	pve_reason_hint(c->fault.reason, found(c->path, "/nodes/", node, sizeof(node)),
		found(c->path, "/lxc/", vmid, sizeof(vmid)), c->fault.text, err);
}

/* How an error begins, by status: what the server's words alone don't say. */
static const char *preface(unsigned status)
{
	switch (status) {
	case 401: return "not authenticated: ";
	case 595: return "the node can't be reached: ";
	case 502:
	case 503:
	case 504:
	case 596:
	case 597:
	case 598:
	case 599: return "the node didn't answer: ";
	default: return "";
	}
}

static int refuse(struct call *c, struct err *err)
{
	char object[128];
	const char *words = c->fault.text, *head = preface(c->fault.status);

	pve_scrub(c->pve, c->fault.text);
	snprintf(object, sizeof(object), "%s %s", method_names[c->ask.method], c->path);
	if (head[0])
		err_set(err, pve_reason_code(c->fault.reason), object, "%s%u %s", head,
			c->fault.status, words);
	else if (words[0])
		err_set(err, pve_reason_code(c->fault.reason), object, "%s", words);
	else
		err_set(err, pve_reason_code(c->fault.reason), object, "the server answered %u",
			c->fault.status);
	hint(c, err);
	return -1;
}

/* Something came of which it can't be said what it means: what was asked may have been done. */
static enum pve_reason untold(const struct call *c)
{
	return c->ask.method == HTTPS_GET ? PVE_GARBLED : PVE_AMBIGUOUS;
}

static int no_memory(struct call *c, struct err *err)
{
	c->fault.reason = untold(c);
	return err_nomem(err);
}

static int garbled(struct call *c, struct err *err, const char *what)
{
	c->fault.reason = untold(c);
	pve_words(what, c->fault.text, WORDS_MAX);
	return refuse(c, err);
}

static int read_envelope(struct call *c, struct err *err)
{
	const struct pve_answer *a = &c->answer;
	const struct json *doc;
	struct err bad = ERR_INIT;
	const char *body;
	char text[512];

	if (a->status != 200) {
		snprintf(text, sizeof(text), "the server answered %u %s%s", a->status,
			a->reason ? a->reason : "",
			a->status < 300 ? ", which no call of the API does"
					: ", which isn't followed: is the endpoint right?");
		return garbled(c, err, text);
	}
	if (!a->json)
		return garbled(c, err, "the answer isn't JSON: is this a Proxmox VE server?");
	body = without_nul(c);
	if (!body)
		return no_memory(c, err);
	if (json_parse(body, a->n, HTTPS_ANSWER_MAX, c->tried, &doc, &bad) < 0) {
		/* Memory, or one of the limits. */
		if (bad.code == ERR_EXHAUSTED) {
			c->fault.reason = untold(c);
			*err = bad;
			return err_in(err, "%s %s:", method_names[c->ask.method], c->path);
		}
		snprintf(text, sizeof(text), "the answer is broken: %s", bad.text);
		return garbled(c, err, text);
	}
	if (doc->type == JSON_OBJECT)
		c->data = json_get(doc, "data");
	if (!c->data)
		return garbled(c, err, "the answer has no \"data\"");
	c->total = (uint64_t)MAX(pve_int(doc, "total", 0), (int64_t)0);
	c->fault.reason = PVE_OK;
	return 0;
}

static int read_refusal(struct call *c, struct err *err)
{
	_str_ struct str s = { 0 };

	add_words(c, &s);
	if (s.failed)
		return no_memory(c, err);
	/* Its meaning first: a value may be a word that it depends on. */
	pve_words(s.p ? s.p : "", c->fault.text, WORDS_MAX);
	c->fault.reason = pve_reason_of(c->fault.status, c->fault.text);
	if (s.p)
		pve_scrub(c->pve, s.p);
	pve_words(s.p ? s.p : "", c->fault.text, WORDS_MAX);
	/* By the table nothing else is done after such a status: what was asked for wasn't done. */
	if (c->fault.reason == PVE_OK)
		c->fault.reason = PVE_OTHER;
	return refuse(c, err);
}

/* What a login was answered with says nothing of the credential, and nothing was sent after it. */
static void no_login_at_all(struct call *c, struct err *err)
{
	char text[512];

	if (c->fault.status == 200)
		snprintf(text, sizeof(text), "%s: is the endpoint right?", c->answer.reason);
	else
		snprintf(text, sizeof(text), "the server answered %u %s: is the endpoint right?",
			c->fault.status, c->answer.reason);
	pve_words(text, c->fault.text, WORDS_MAX);
	(void)refuse(c, err);
}

/* The login is another call, and one that may be made again. */
static int read_login(struct call *c, struct err *err)
{
	unsigned status = c->fault.status;

	(void)read_refusal(c, err);
	if (status == 401 || status == 403)
		c->fault.reason = PVE_UNAUTHORIZED;
	else
		c->fault.reason = status > 0 && status < 500 ? PVE_OTHER : PVE_UNREACHED;
	if (status > 0 && status < 400)
		no_login_at_all(c, err);
	err->code = pve_reason_code(c->fault.reason == PVE_OTHER ? PVE_GARBLED : c->fault.reason);
	err->hint[0] = 0;
	hint(c, err);
	return err_in(err, "login");
}

static int read_nothing(struct call *c, enum pve_reason reason, struct err *err)
{
	c->fault.reason = reason;
	pve_words(c->answer.reason ? c->answer.reason : "no answer", c->fault.text, WORDS_MAX);
	return refuse(c, err);
}

static int ask_once(struct call *c, struct err *err)
{
	struct pve *pve = c->pve;
	uint64_t begun = pve_now_ms(pve);
	int result;

	c->answer = (struct pve_answer){ 0 };
	c->fault = (struct pve_fault){ .reason = PVE_OTHER };
	c->data = NULL;
	arena_free(c->tried);
	c->tried = arena_new();
	if (!c->tried) {
		c->hopeless = true;
		return err_nomem(err);
	}
	result = pve->exchange
			 ? pve->exchange(pve->exchange_arg, &c->ask, c->tried, &c->answer, err)
			 : pve_client_exchange(pve->client, &c->ask, c->tried, &c->answer, err);
	if (result < 0) {
		/* Without memory the answer may be what is missing. */
		c->fault.reason = arena_failed(c->tried) ? untold(c) : PVE_UNREACHED;
		c->hopeless = true;
		return -1;
	}
	c->fault.status = c->answer.status;
	log_debug("%s %s: %u, %llu ms", method_names[c->ask.method], c->path, c->answer.status,
		(unsigned long long)(pve_now_ms(pve) - begun));
	switch (c->answer.outcome) {
	case HTTPS_ANSWERED:
		return c->answer.status < 400 ? read_envelope(c, err) : read_refusal(c, err);
	case HTTPS_UNREACHED: return read_nothing(c, PVE_UNREACHED, err);
	case HTTPS_UNTRUSTED: return read_nothing(c, PVE_UNTRUSTED, err);
	case HTTPS_NO_SECRET: return read_nothing(c, PVE_UNAUTHORIZED, err);
	case HTTPS_NO_LOGIN: return read_login(c, err);
	case HTTPS_TOO_BIG: return garbled(c, err, "the answer is too big");
	case HTTPS_LOST:
	case HTTPS_OUTCOME_N: break;
	}
	return read_nothing(c, PVE_AMBIGUOUS, err);
}

/* ---- again? ---- */

static bool is_busy(enum pve_reason reason)
{
	return reason == PVE_BUSY || reason == PVE_NO_QUORUM;
}

/* Many may be waiting for the same: not all of them at the same moment. */
static unsigned spread(unsigned ms, unsigned try)
{
	unsigned mixed = ((unsigned)getpid() * 2654435761u + try * 40503u) >> 16;

	return ms - ms / 8 + mixed % (ms / 4 + 1);
}

/* The pause before another try, 0: none. One that is cut short would leave it open what was done.
 */
static unsigned again(const struct call *c, unsigned lost, unsigned busy, uint64_t passed)
{
	bool unreached = c->fault.reason == PVE_UNREACHED;
	uint64_t most = c->limit_ms - c->limit_ms / LAST_SHARE;
	unsigned ms;

	if (is_busy(c->fault.reason)) {
		for (ms = BUSY_FIRST_MS; busy > 1 && ms < BUSY_MAX_MS; busy--)
			ms = MIN(ms * 2, (unsigned)BUSY_MAX_MS);
		ms = spread(ms, busy);
		return passed + ms < most ? ms : 0;
	}
	if (!unreached && (c->fault.reason != PVE_AMBIGUOUS || c->ask.method != HTTPS_GET))
		return 0;
	/* A server that is down altogether isn't worth a minute. */
	if (lost >= TRIES_MAX || (unreached && passed >= DOWN_MS))
		return 0;
	for (ms = PAUSE_FIRST_MS; lost > 1; lost--)
		ms *= 3;
	return passed + ms < most ? ms : 0;
}

static int ask(struct call *c, bool once, struct err *err)
{
	uint64_t begun = pve_now_ms(c->pve), passed = 0;
	unsigned lost = 0, busy = 0, ms;

	for (;;) {
		/* Another try may fail for another reason. */
		struct err why = ERR_INIT;
		c->ask.timeout_ms = passed < c->limit_ms ? c->limit_ms - (unsigned)passed : 1;
		if (ask_once(c, &why) == 0)
			return 0;
		passed = pve_now_ms(c->pve) - begun;
		if (is_busy(c->fault.reason))
			busy++;
		else
			lost++;
		ms = once || c->hopeless || arena_failed(c->tried) ? 0
								   : again(c, lost, busy, passed);
		if (ms == 0) {
			c->fault.repeated = busy > is_busy(c->fault.reason);
			*err = why;
			return -1;
		}
		log_debug("%s %s: %s; again in %u ms", method_names[c->ask.method], c->path,
			c->fault.text, ms);
		pve_pause(c->pve, ms);
		passed = pve_now_ms(c->pve) - begun;
	}
}

/* The server may say it again later, in a task's log as well. */
static int remember_secrets(struct pve *pve, const struct pve_form *form, struct err *err)
{
	pve->hidden.arena = pve->arena;
	for (size_t i = 0; form && i < form->n; i++) {
		const struct pve_param *p = &form->items[i];
		if (p->secret)
			pve_form_setn(&pve->hidden, p->name, p->value, p->n, NULL);
	}
	return pve_form_ok(&pve->hidden, err);
}

static int call(struct call *c, bool once, const struct json **ret_data, struct pve_fault *fault,
	struct err *err)
{
	const char *encoded = c->form ? pve_form_encode(c->form) : NULL;
	bool in_body = c->ask.method == HTTPS_POST || c->ask.method == HTTPS_PUT;
	unsigned call_ms = c->pve->cfg->call_s * 1000;
	int result;

	c->limit_ms = c->limit_ms ? MIN(c->limit_ms, call_ms) : call_ms;
	c->fault.reason = PVE_OTHER;
	if (!c->path || (c->form && !encoded)) {
		result = err_nomem(err);
	} else if (remember_secrets(c->pve, c->form, err) < 0) {
		result = -1;
	} else {
		c->ask.path = c->path;
		if (in_body)
			c->ask.body = encoded ? encoded : "";
		else if (encoded && encoded[0])
			c->ask.path = arena_printf(c->arena, "%s?%s", c->path, encoded);
		result = c->ask.path ? ask(c, once, err) : err_nomem(err);
	}
	if (result == 0) {
		arena_join(c->arena, c->tried);
		*ret_data = c->data;
	}
	c->tried = arena_free(c->tried);
	if (fault)
		*fault = c->fault;
	return result;
}

int pve_get(struct pve *pve, struct arena *arena, const char *path, const struct pve_form *query,
	const struct json **ret_data, struct pve_fault *fault, struct err *err)
{
	struct call c = { pve, arena, { .method = HTTPS_GET }, path, query };

	return call(&c, false, ret_data, fault, err);
}

int pve_get_page(struct pve *pve, struct arena *arena, const char *path,
	const struct pve_form *query, unsigned limit_ms, const struct json **ret_data,
	uint64_t *ret_total, struct err *err)
{
	struct call c = { pve, arena, { .method = HTTPS_GET }, path, query, .limit_ms = limit_ms };
	int r = call(&c, false, ret_data, NULL, err);

	if (r == 0)
		*ret_total = c.total;
	return r;
}

int pve_get_once(struct pve *pve, struct arena *arena, const char *path,
	const struct pve_form *query, unsigned limit_ms, const struct json **ret_data,
	struct pve_fault *fault, struct err *err)
{
	struct call c = { pve, arena, { .method = HTTPS_GET }, path, query, .limit_ms = limit_ms };

	return call(&c, true, ret_data, fault, err);
}

static int send_it(struct pve *pve, struct arena *arena, enum https_method method, const char *path,
	const struct pve_form *form, bool once, const struct json **ret_data,
	struct pve_fault *fault, struct err *err)
{
	/* A kept connection may be dead by now, which shows only when it is used: a POST must not
	 * be sent twice for that. */
	struct call c = { pve, arena, { .method = method, .fresh = method == HTTPS_POST }, path,
		form };

	return call(&c, once, ret_data, fault, err);
}

int pve_send(struct pve *pve, struct arena *arena, enum https_method method, const char *path,
	const struct pve_form *form, const struct json **ret_data, struct pve_fault *fault,
	struct err *err)
{
	return send_it(pve, arena, method, path, form, false, ret_data, fault, err);
}

int pve_send_once(struct pve *pve, struct arena *arena, enum https_method method, const char *path,
	const struct pve_form *form, const struct json **ret_data, struct pve_fault *fault,
	struct err *err)
{
	return send_it(pve, arena, method, path, form, true, ret_data, fault, err);
}

/* ---- version ---- */

/* "9.2", "7.4-17", "8.2.11" */
static bool read_release(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	char *end;
	unsigned long major, minor = 0;

	if (!text || text[0] < '0' || text[0] > '9')
		return false;
	major = strtoul(text, &end, 10);
	if (*end == '.' && end[1] >= '0' && end[1] <= '9')
		minor = strtoul(end + 1, NULL, 10);
	if (major == 0 || major > 9999 || minor > 9999)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

int pve_version(struct pve *pve, struct err *err)
{
	const struct json *data;
	const char *release;

	if (pve->major)
		return 0;
	if (pve_get(pve, pve->arena, "/version", NULL, &data, NULL, err) < 0)
		return -1;
	release = pve_text(data, "release");
	if (!release)
		release = pve_text(data, "version");
	if (!read_release(release, &pve->major, &pve->minor))
		return err_set(err, pve_reason_code(PVE_GARBLED), "GET /version",
			"\"%s\" is no release of Proxmox VE", release ? release : "");
	return 0;
}

bool pve_at_least(const struct pve *pve, unsigned major, unsigned minor)
{
	return pve->major > major || (pve->major == major && pve->minor >= minor);
}

/* ---- values ---- */

static const struct json *member(const struct json *object, const char *key)
{
	return object && object->type == JSON_OBJECT ? json_get(object, key) : NULL;
}

const char *pve_text(const struct json *object, const char *key)
{
	const struct json *v = member(object, key);

	return v && (v->type == JSON_STRING || v->type == JSON_NUMBER) ? v->text : NULL;
}

static bool read_double(const char *text, double *ret)
{
	char *end;

	/* strtod would take "inf", "nan" and hexadecimal ones. */
	if (!text || !text[0] || text[strspn(text, "0123456789+-.eE")])
		return false;
	*ret = strtod(text, &end);
	return end != text && !*end && isfinite(*ret);
}

double pve_double(const struct json *object, const char *key, double otherwise)
{
	double v;

	return read_double(pve_text(object, key), &v) ? v : otherwise;
}

int64_t pve_int(const struct json *object, const char *key, int64_t otherwise)
{
	const char *text = pve_text(object, key);
	int64_t whole;
	double v;

	if (parse_i64(text, INT64_MIN, INT64_MAX, &whole) == 0)
		return whole;
	if (!read_double(text, &v) || v < -0x1p62 || v > 0x1p62)
		return otherwise;
	return (int64_t)v;
}

bool pve_bool(const struct json *object, const char *key)
{
	static const char *const yes[] = { "true", "yes", "on" };
	const struct json *v = member(object, key);

	if (!v)
		return false;
	if (v->type == JSON_BOOL)
		return str_eq(v->text, "true");
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (v->type == JSON_STRING && str_eq(v->text, yes[i]))
			return true;
	return pve_double(object, key, 0) != 0;
}
