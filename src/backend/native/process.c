/* SPDX-License-Identifier: Apache-2.0 */
/* The program: its vectors, its working directory, its hooks, and the last steps up to execve. */
#include "backend/native/compile.h"
#include "backend/native/seccomp.h"
#include "base/json.h"

#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- args and env ---- */

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t n = name_length(a);

	return n == name_length(b) && strncmp(a, b, n) == 0;
}

static const char *env_get(const struct compile *c, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; c->plan->envp && c->plan->envp[i]; i++) {
		const char *entry = c->plan->envp[i];
		if (name_length(entry) == n && strncmp(entry, name, n) == 0)
			return entry + n + 1;
	}
	return NULL;
}

/* In the order given; of the same name twice, the last one counts. */
static void add_env(struct compile *c, const char **env)
{
	const struct oci_process *p = c->process;
	size_t n = 0;

	for (size_t i = 0; i < p->n_env; i++) {
		size_t k = i + 1;
		while (k < p->n_env && !same_name(p->env[i], p->env[k]))
			k++;
		if (k == p->n_env &&
			!(c->facts->listen_fds && (same_name(p->env[i], "LISTEN_FDS=") ||
							  same_name(p->env[i], "LISTEN_PID="))))
			env[n++] = p->env[i];
	}
	if (c->facts->listen_fds) {
		env[n++] = compile_text(c, "LISTEN_FDS=%u", c->facts->listen_fds);
		env[n++] = "LISTEN_PID=1";
	}
}

int process_vectors(struct compile *c, struct err *err)
{
	const struct oci_process *p = c->process;

	if (!p->n_args || !*p->args[0])
		return err_set(err, ERR_INVALID, "process.args", "args must not be empty");
	const char **argv = arena_array(c->plan->arena, p->n_args + 1, sizeof(*argv));
	const char **envp = arena_array(c->plan->arena, p->n_env + 3, sizeof(*envp));
	if (!argv || !envp)
		return err_nomem(err);
	memcpy(argv, p->args, p->n_args * sizeof(*argv));
	add_env(c, envp);
	c->plan->argv = argv;
	c->plan->envp = envp;
	c->plan->preserve_fds = c->facts->preserve_fds;
	return 0;
}

int process_home(struct compile *c, struct err *err)
{
	if (!env_get(c, "HOME"))
		plan_step(c->plan, OP_HOME, NULL)->a = c->process->user.uid;
	return 0;
}

/* ---- working directory ---- */

/*
 * Made while the root filesystem can still be written, entered after everything is in its final
 * state: a folder entered before a read-only path was mounted over it would still be the writable
 * one.
 */
int process_make_cwd(struct compile *c, struct err *err)
{
	const char *cwd = c->process->cwd;

	if (!cwd || *cwd != '/')
		return err_set(err, ERR_INVALID, "process.cwd", "Cwd must be an absolute path");
	if (str_eq(cwd, "/"))
		return 0;
	struct plan_step *s = plan_step(c->plan, OP_MKDIR, "process.cwd");
	s->s1 = cwd;
	s->a = 0755;
	return 0;
}

static int add_cwd(struct compile *c, unsigned flags, struct err *err)
{
	struct plan_step *s = plan_step(c->plan, OP_CWD, "process.cwd");

	if (!c->process->cwd || *c->process->cwd != '/')
		return err_set(err, ERR_INVALID, "process.cwd", "Cwd must be an absolute path");
	s->s1 = c->process->cwd;
	s->flags = flags;
	return 0;
}

/* As root, where the user may not pass; what refuses root (a network file system) is tried again as
 * the user. */
int process_try_cwd(struct compile *c, struct err *err)
{
	return add_cwd(c, STEP_SOFT, err);
}

int process_cwd(struct compile *c, struct err *err)
{
	return add_cwd(c, 0, err);
}

/* ---- hooks ---- */

/* The state in two parts; the pid comes between. */
static const char *state_head(struct compile *c)
{
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out };

	json_w_object(&w);
	json_w_key(&w, "ociVersion");
	json_w_str(&w, c->spec->oci_version);
	json_w_key(&w, "id");
	json_w_str(&w, c->facts->id);
	json_w_key(&w, "pid");
	return out.p ? compile_text(c, "%s", out.p) : "";
}

static const char *state_tail(struct compile *c, const char *status)
{
	const struct ctr_map_str *notes = &c->spec->annotations;
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out };

	json_w_object(&w);
	json_w_key(&w, "status");
	json_w_str(&w, status);
	json_w_key(&w, "bundle");
	json_w_str(&w, c->facts->bundle);
	if (notes->n) {
		json_w_key(&w, "annotations");
		json_w_object(&w);
		for (size_t i = 0; i < notes->n; i++) {
			json_w_key(&w, notes->items[i].key);
			json_w_str(&w, notes->items[i].value);
		}
		json_w_object_end(&w);
	}
	json_w_object_end(&w);
	/* It goes on behind the pid: a comma instead of the brace. */
	return out.p ? compile_text(c, ",%s", out.p + 1) : "";
}

static int add_hook(struct compile *c, const struct oci_hook *h, const char *tail,
	const char *place, struct err *err)
{
	enum { STRINGS_MAX = 0xffff };
	const char *const only[] = { h->path };
	const char *const *args = h->n_args ? h->args : only;
	size_t n_args = h->n_args ? h->n_args : 1;

	if (n_args > STRINGS_MAX || h->n_env > STRINGS_MAX) {
		err_set(err, ERR_INVALID, h->path, "more than %d args or environment variables",
			STRINGS_MAX);
		return err_in(err, "%s", place);
	}
	struct plan_step *s = plan_step(c->plan, OP_HOOK, place);
	s->s1 = h->path;
	s->s2 = plan_list(c->plan, args, n_args, &s->n2);
	s->s3 = plan_list(c->plan, h->env, h->n_env, &s->n3);
	s->a = n_args | (uint64_t)h->n_env << 16;
	s->b = h->timeout && *h->timeout > 0 ? (uint64_t)*h->timeout * 1000 : 0;
	s->tail = tail;
	return 0;
}

static int add_hooks(struct compile *c, int kind, const char *status, struct err *err)
{
	size_t n;
	const struct oci_hook *hooks = oci_hooks_of(c->spec->hooks, kind, &n);

	if (!n)
		return 0;
	if (!c->plan->state_head)
		c->plan->state_head = state_head(c);
	const char *tail = state_tail(c, status);
	for (size_t i = 0; i < n; i++) {
		struct oci_hook h = hooks[i];
		/* Like the program itself, unless it says otherwise: as runc has it. */
		if (kind == OCI_HOOK_START_CONTAINER && !h.n_env) {
			h.env = c->process->env;
			h.n_env = c->process->n_env;
		}
		if (add_hook(c, &h, tail,
			    compile_text(c, "hooks.%s[%zu]", oci_hook_kind_name(kind), i), err) < 0)
			return -1;
	}
	return 0;
}

/* prestart and createRuntime run on the host's side: init waits for them, when there are any. */
int hooks_runtime(struct compile *c, struct err *err)
{
	size_t prestart, create;

	oci_hooks_of(c->spec->hooks, OCI_HOOK_PRESTART, &prestart);
	oci_hooks_of(c->spec->hooks, OCI_HOOK_CREATE_RUNTIME, &create);
	if (prestart + create)
		plan_step(c->plan, OP_SYNC, "hooks");
	return 0;
}

int hooks_create_container(struct compile *c, struct err *err)
{
	return add_hooks(c, OCI_HOOK_CREATE_CONTAINER, "creating", err);
}

int hooks_start_container(struct compile *c, struct err *err)
{
	return add_hooks(c, OCI_HOOK_START_CONTAINER, "created", err);
}

/* ---- the end ---- */

static size_t count(const char *s, char what)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == what;
	return n;
}

/* Where execvp would look. Empty elements of PATH, which mean the working directory, are left out.
 */
int process_find(struct compile *c, struct err *err)
{
	const char *name = c->process->args[0], *path = env_get(c, "PATH");
	size_t n = 0;

	if (strchr(name, '/'))
		path = NULL;
	else if (!path || !*path)
		path = DEFAULT_PATH;
	const char **list =
		arena_array(c->plan->arena, path ? count(path, ':') + 1 : 1, sizeof(*list));
	if (!list)
		return err_nomem(err);
	if (!path)
		list[n++] = name;
	while (path && *path) {
		size_t length = strcspn(path, ":");
		if (length)
			list[n++] = compile_text(c, "%.*s/%s", (int)length, path, name);
		path += length + (path[length] == ':');
	}
	struct plan_step *s = plan_step(c->plan, OP_FIND_EXEC, "process.args[0]");
	s->s1 = plan_list(c->plan, list, n, &s->n1);
	s->a = n;
	return 0;
}

int process_ready(struct compile *c, struct err *err)
{
	plan_step(c->plan, OP_READY, NULL)->flags = c->exec ? STEP_KEEP_CTL : 0;
	return 0;
}

int process_gate(struct compile *c, struct err *err)
{
	int gate;

	plan_source(c->plan, SRC_GATE, NULL, NULL, &gate);
	plan_step(c->plan, OP_GATE, NULL)->source = gate;
	return 0;
}

/* Last but for the exec, so that as few calls as possible have to pass it. Only explained plans
 * have no filter at hand. */
int process_filter(struct compile *c, struct err *err)
{
	const struct seccomp_filter *f = c->facts->filter;

	if (!c->lin->seccomp)
		return 0;
	struct plan_step *s = plan_step(c->plan, OP_SECCOMP, "linux.seccomp");
	if (!f)
		return 0;
	s->s1 = f->insns;
	s->n1 = f->n * sizeof(*f->insns);
	s->a = f->flags;
	s->b = f->n;
	return 0;
}

int process_exec(struct compile *c, struct err *err)
{
	plan_step(c->plan, OP_EXEC, "process.args[0]");
	return 0;
}
