/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in memory, and its packed form. */
#include "backend/native/plan.h"

#include <string.h>
#include <sys/stat.h>

enum { FIRST_ROOM = 32 };

void plan_init(struct plan *p, struct arena *a)
{
	*p = (struct plan){ .arena = a };
	p->spawn.time_join = -1;
}

/* Room for one more: the old array stays in the arena, where nothing is freed alone. */
static void *grow(struct plan *p, void *old, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return old;
	size_t room = *cap ? *cap * 2 : FIRST_ROOM;
	void *wider = arena_array(p->arena, room, size);
	if (!wider) {
		p->failed = true;
		return NULL;
	}
	if (n)
		memcpy(wider, old, n * size);
	*cap = room;
	return wider;
}

struct plan_source *plan_source(
	struct plan *p, enum source_kind kind, const char *path, const char *place, int *ret_index)
{
	struct plan_source *room =
		grow(p, p->sources, p->n_sources, &p->cap_sources, sizeof(*p->sources));
	struct plan_source *s = &p->scratch_source;

	*ret_index = -1;
	if (room) {
		p->sources = room;
		*ret_index = (int)p->n_sources;
		s = &room[p->n_sources++];
	}
	*s = (struct plan_source){ .kind = kind, .path = path, .place = place };
	return s;
}

struct plan_step *plan_step(struct plan *p, enum wire_op op, const char *place)
{
	struct plan_step *room = grow(p, p->steps, p->n_steps, &p->cap_steps, sizeof(*p->steps));
	struct plan_step *s = &p->scratch_step;

	if (room) {
		p->steps = room;
		s = &room[p->n_steps++];
	}
	*s = (struct plan_step){ .op = op, .source = -1, .source2 = -1, .place = place };
	return s;
}

int plan_ok(const struct plan *p, struct err *err)
{
	return p->failed || arena_failed(p->arena) ? err_nomem(err) : 0;
}

const void *plan_list(struct plan *p, const char *const *strings, size_t n, size_t *ret_size)
{
	size_t size = 0;

	*ret_size = 0;
	for (size_t i = 0; i < n; i++)
		size += strlen(strings[i]) + 1;
	if (!n)
		return NULL;
	char *list = arena_alloc(p->arena, size);
	if (!list) {
		p->failed = true;
		return NULL;
	}
	char *at = list;
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, strings[i]) + 1;
	*ret_size = size;
	return list;
}

/* ---- packing ---- */

struct pool {
	struct str text;
};

static void pool_done(struct pool *p)
{
	str_done(&p->text);
}

/* Offset of n bytes, or of a text when n is 0; nothing and "" are the empty text at 0. Blobs hold
 * structures, so they are aligned. */
static uint32_t put(struct pool *p, const void *s, size_t n)
{
	static const char zeros[8];
	size_t at;

	if (!s || (!n && !*(const char *)s))
		return 0;
	if (n)
		str_addn(&p->text, zeros, -p->text.n & 7);
	at = p->text.n;
	str_addn(&p->text, s, n ? n : strlen(s) + 1);
	return (uint32_t)at;
}

static uint32_t put_list(struct pool *p, const char *const *list, uint32_t *ret_n)
{
	size_t at = p->text.n;

	*ret_n = 0;
	for (; list && *list; list++, ++*ret_n)
		str_addn(&p->text, *list, strlen(*list) + 1);
	return *ret_n ? (uint32_t)at : 0;
}

static int fd_of(int source, const int *fds)
{
	return source < 0 ? -1 : fds[source];
}

/* A missing target is made as what is attached there. */
static unsigned make_flag(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) ? STEP_MAKE_FILE : STEP_MAKE_DIR;
}

static struct wire_step pack_step(const struct plan_step *s, const int *fds, struct pool *pool)
{
	struct wire_step w = {
		.op = (uint16_t)s->op,
		.flags = (uint16_t)s->flags,
		.fd = fd_of(s->source, fds),
		.s1 = put(pool, s->s1, s->n1),
		.s2 = put(pool, s->s2, s->n2),
		.s3 = put(pool, s->s3, s->n3),
		.a = s->a,
		.b = s->b,
		.c = s->c,
	};

	if (s->target_kind_by_source)
		w.flags |= (uint16_t)make_flag(w.fd);
	if (s->source2 >= 0)
		w.c = (uint64_t)(int64_t)fds[s->source2];
	if (s->tail)
		w.c = put(pool, s->tail, 0);
	return w;
}

int plan_pack(const struct plan *p, const int *fds, int ctl_fd, int trace_fd, int hook_fd,
	struct str *out, struct err *err)
{
	_cleanup_(pool_done) struct pool pool = { 0 };
	struct wire_plan head = {
		.magic = WIRE_MAGIC,
		.n_steps = (uint32_t)p->n_steps,
		.ctl_fd = ctl_fd,
		.trace_fd = trace_fd,
		.hook_fd = hook_fd,
		.preserve = p->preserve_fds,
	};
	size_t begin = out->n;

	str_addn(&pool.text, "", 1);
	head.argv = put_list(&pool, p->argv, &head.argc);
	head.envp = put_list(&pool, p->envp, &head.envc);
	head.state_head = put(&pool, p->state_head, 0);
	head.state_tail = put(&pool, p->state_tail, 0);
	str_addn(out, &head, sizeof(head));
	for (size_t i = 0; i < p->n_steps; i++) {
		struct wire_step w = pack_step(&p->steps[i], fds, &pool);
		str_addn(out, &w, sizeof(w));
	}
	if (str_ok(&pool.text, err) < 0 || str_ok(out, err) < 0)
		return -1;
	size_t strings = out->n - begin;
	if (strings + pool.text.n > INT32_MAX)
		return err_set(err, ERR_EXHAUSTED, "plan",
			"args, env and mounts are too big: %zu bytes", strings + pool.text.n);
	head.strings = (uint32_t)strings;
	head.size = (uint32_t)(strings + pool.text.n);
	str_addn(out, pool.text.p, pool.text.n);
	if (str_ok(out, err) < 0)
		return -1;
	memcpy(out->p + begin, &head, sizeof(head));
	return 0;
}
