/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trace.h"

#include "base/fd.h"
#include "base/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

struct event {
	struct event *next;
	const char *name, *detail;
	int pid;
	uint64_t begin_ns, end_ns;
};

struct ctr_trace {
	struct arena *arena;
	struct event *first, **last;
};

struct ctr_trace *trace_new(void)
{
	struct ctr_trace *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->last = &t->first;
	t->arena = arena_new();
	return t->arena ? t : trace_free(t);
}

struct ctr_trace *trace_free(struct ctr_trace *t)
{
	if (t) {
		arena_free(t->arena);
		free(t);
	}
	return NULL;
}

uint64_t ctr_trace_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* An event that finds no memory is dropped: a trace never fails what it watches. */
void ctr_trace_add(struct ctr_trace *t, const char *name, const char *detail, int pid,
	uint64_t begin_ns, uint64_t end_ns)
{
	struct event *e = t ? arena_alloc(t->arena, sizeof(*e)) : NULL;

	if (!e)
		return;
	e->name = arena_strdup(t->arena, name);
	e->detail = detail ? arena_strdup(t->arena, detail) : NULL;
	e->pid = pid;
	e->begin_ns = begin_ns;
	e->end_ns = MAX(begin_ns, end_ns);
	*t->last = e;
	t->last = &e->next;
}

static void add_text(struct str *out, const char *s)
{
	struct json_writer w = { .out = out };

	json_w_str(&w, s ? s : "");
}

static void add_time(struct str *out, const char *key, uint64_t ns)
{
	str_printf(out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

int trace_write(const struct ctr_trace *t, const char *path, struct err *err)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	_str_ struct str out = { 0 };

	if (fd < 0)
		return err_sys(err, errno, "open", "trace file %s", path);
	str_add(&out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	for (const struct event *e = t->first; e; e = e->next) {
		str_add(&out, e == t->first ? "\n{\"name\":" : ",\n{\"name\":");
		add_text(&out, e->name);
		str_printf(&out, ",\"ph\":\"X\",\"pid\":%d,\"tid\":%d", e->pid, e->pid);
		add_time(&out, "ts", e->begin_ns);
		add_time(&out, "dur", e->end_ns - e->begin_ns);
		if (e->detail) {
			str_add(&out, ",\"args\":{\"detail\":");
			add_text(&out, e->detail);
			str_add(&out, "}");
		}
		str_add(&out, "}");
	}
	str_add(&out, "\n]}\n");
	if (str_ok(&out, err) < 0)
		return -1;
	if (fd_write_all(fd, out.p, out.n) < 0)
		return err_sys(err, errno, "write", "trace file %s", path);
	return 0;
}
