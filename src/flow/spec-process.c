/* SPDX-License-Identifier: Apache-2.0 */
/* process: what runs, as whom, with which environment. The image's part of it is hostile. */
#include "flow/spec-build.h"

#include "base/path.h"

#include <inttypes.h>
#include <string.h>

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	ENV_MAX = 32768, /* variables of image and request together */
	ENV_DEFAULTS = 3,
	OOM_SCORE_MAX = 1000,
};

/* ---- args ---- */

int spec_args(const struct cri_container_config *config, const struct ctr_image_config *image,
	struct arena *arena, const char ***ret, size_t *ret_n, struct err *err)
{
	/* An entrypoint of one empty text is how some builders spell "none". */
	bool none = image->n_entrypoint == 1 && !*image->entrypoint[0];
	const char *const *first = config->command, *const *rest = config->args;
	size_t n_first = config->n_command, n_rest = config->n_args, n;

	if (!config->n_command) {
		first = none ? NULL : image->entrypoint;
		n_first = none ? 0 : image->n_entrypoint;
		if (!config->n_args) {
			rest = image->cmd;
			n_rest = image->n_cmd;
		}
	}
	n = n_first + n_rest;
	if (n == 0)
		return err_set(err, ERR_INVALID, NULL,
			"no command specified: neither the request nor the image names one");
	const char **args = arena_array(arena, n, sizeof(*args));
	if (!args)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++)
		args[i] = i < n_first ? first[i] : rest[i - n_first];
	if (!*args[0])
		return err_set(err, ERR_INVALID, NULL,
			"no command specified: the first word of it is empty");
	*ret = args;
	*ret_n = n;
	return 0;
}

static void add_args(struct spec_build *b)
{
	struct oci_process *p = b->spec->process;
	struct err err = ERR_INIT;

	if (spec_args(b->config, &b->in->image->config, b->arena, &p->args, &p->n_args, &err) < 0)
		ctr_fault_add(b->faults, err.code, "config.command", "%s", err.text);
}

/* ---- environment ---- */

/* By key, the last one wins and keeps the place of the first. */
struct env {
	const char **list;
	size_t n, max;
	uint32_t *slots; /* index + 1 into list, by hash; a power of two */
	size_t mask;
};

static int env_init(struct spec_build *b, struct env *e, size_t max)
{
	size_t size = 16;

	while (size < 2 * max)
		size *= 2;
	*e = (struct env){ .max = max, .mask = size - 1 };
	e->list = arena_array(b->arena, max, sizeof(*e->list));
	e->slots = arena_array(b->arena, size, sizeof(*e->slots));
	return e->list && e->slots ? 0 : -1;
}

static size_t key_hash(const char *key, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

/* text: "KEY=VALUE". */
static void env_set(struct env *e, const char *text)
{
	size_t n = strcspn(text, "=") + 1, at = key_hash(text, n) & e->mask;

	for (; e->slots[at]; at = (at + 1) & e->mask) {
		const char **old = &e->list[e->slots[at] - 1];
		if (strncmp(*old, text, n) != 0)
			continue;
		*old = text;
		return;
	}
	if (e->n == e->max)
		return;
	e->list[e->n++] = text;
	e->slots[at] = (uint32_t)e->n;
}

/* A name that a shell or the kernel's log could show: not empty, no control bytes. */
static bool is_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return n > 0;
}

/* What isn't NAME=VALUE is no variable, and is left out. */
static void env_image(struct env *e, const struct ctr_image_config *image)
{
	for (size_t i = 0; i < image->n_env; i++) {
		const char *equals = strchr(image->env[i], '=');
		if (equals && is_name(image->env[i], (size_t)(equals - image->env[i])))
			env_set(e, image->env[i]);
	}
}

static void env_request(struct spec_build *b, struct env *e)
{
	for (size_t i = 0; i < b->config->n_envs; i++) {
		const struct cri_key_value *v = &b->config->envs[i];
		const char *text;
		if (!v->key || strchr(v->key, '=') || !is_name(v->key, strlen(v->key))) {
			ctr_fault_add(b->faults, ERR_INVALID,
				spec_field(b, "config.envs[%zu].key", i),
				"must not be empty, nor hold \"=\" or control bytes");
			continue;
		}
		text = arena_printf(b->arena, "%s=%s", v->key, v->value ? v->value : "");
		if (text)
			env_set(e, text);
	}
}

static void add_env(struct spec_build *b)
{
	const struct ctr_image_config *image = &b->in->image->config;
	const char *hostname = b->in->sandbox->hostname;
	struct env e;

	if (image->n_env > ENV_MAX || b->config->n_envs > ENV_MAX) {
		ctr_fault_add(b->faults, ERR_EXHAUSTED, "config.envs",
			"more than %d variables of the image or of the request", ENV_MAX);
		return;
	}
	if (env_init(b, &e, ENV_DEFAULTS + image->n_env + b->config->n_envs) < 0)
		return;
	env_set(&e, PATH_DEFAULT);
	if (b->config->tty)
		env_set(&e, "TERM=xterm");
	if (!hostname)
		hostname = b->in->facts->hostname;
	if (hostname && *hostname) {
		const char *text = arena_printf(b->arena, "HOSTNAME=%s", hostname);
		if (text)
			env_set(&e, text);
	}
	env_image(&e, image);
	env_request(b, &e);
	b->spec->process->env = e.list;
	b->spec->process->n_env = e.n;
}

/* ---- working directory ---- */

static void add_cwd(struct spec_build *b)
{
	const char *cwd = b->config->working_dir;

	if (!cwd || !*cwd)
		cwd = b->in->image->config.working_dir;
	if (!cwd || !*cwd)
		cwd = "/";
	if (cwd[0] != '/')
		cwd = arena_printf(b->arena, "/%s", cwd);
	b->spec->process->cwd = cwd;
}

/* ---- user ---- */

static bool is_id(int64_t value)
{
	return value >= 0 && value <= INT32_MAX;
}

const char *spec_user_text(const struct cri_container_config *config,
	const struct ctr_image_config *image, struct arena *arena, struct err *err)
{
	const struct cri_linux_container_security_context *sec = cri_security(config);
	const char *name =
		sec->run_as_username && *sec->run_as_username ? sec->run_as_username : NULL;
	const char *text;

	if (sec->run_as_user && name)
		err_set(err, ERR_INVALID, SPEC_SECURITY "run_as_username",
			"only one of run_as_user and run_as_username can be given");
	else if (sec->run_as_user && !is_id(sec->run_as_user->value))
		err_set(err, ERR_INVALID, SPEC_SECURITY "run_as_user",
			"%" PRId64 " is not in the range 0 to 2147483647", sec->run_as_user->value);
	else if (sec->run_as_group && !is_id(sec->run_as_group->value))
		err_set(err, ERR_INVALID, SPEC_SECURITY "run_as_group",
			"%" PRId64 " is not in the range 0 to 2147483647",
			sec->run_as_group->value);
	else if (sec->run_as_group && !sec->run_as_user && !name)
		err_set(err, ERR_INVALID, SPEC_SECURITY "run_as_group",
			"needs run_as_user or run_as_username beside it");
	else if (sec->run_as_group && name && strchr(name, ':'))
		err_set(err, ERR_INVALID, SPEC_SECURITY "run_as_group",
			"run_as_username names a group already");
	else {
		if (sec->run_as_user)
			name = arena_printf(arena, "%" PRId64, sec->run_as_user->value);
		else if (!name)
			name = image->user ? image->user : "";
		text = name && sec->run_as_group
			       ? arena_printf(arena, "%s:%" PRId64, name, sec->run_as_group->value)
			       : name;
		if (!text)
			err_nomem(err);
		return text;
	}
	return NULL;
}

static void add_group(struct oci_user *u, uint32_t gid)
{
	for (size_t i = 0; i < u->n_additional_gids; i++)
		if (u->additional_gids[i] == gid)
			return;
	u->additional_gids[u->n_additional_gids++] = gid;
}

/* The primary group among the additional ones: a process that changes its group must not lose the
 * group by which a file denies it access. */
static void add_groups(struct spec_build *b, struct oci_user *u)
{
	const struct spec_user *fact = &b->in->facts->user;
	bool strict = b->sec->supplemental_groups_policy == CRI_GROUPS_STRICT;
	size_t n = 1 + fact->n_groups + b->sec->n_supplemental_groups;

	if (!strict && b->sec->supplemental_groups_policy != CRI_GROUPS_MERGE)
		ctr_fault_add(b->faults, ERR_INVALID, SPEC_SECURITY "supplemental_groups_policy",
			"%d is no policy", b->sec->supplemental_groups_policy);
	u->additional_gids = arena_array(b->arena, n, sizeof(*u->additional_gids));
	if (!u->additional_gids)
		return;
	add_group(u, u->gid);
	for (size_t i = 0; !strict && i < fact->n_groups; i++)
		add_group(u, fact->groups[i]);
	for (size_t i = 0; i < b->sec->n_supplemental_groups; i++) {
		int64_t gid = b->sec->supplemental_groups[i];
		if (is_id(gid))
			add_group(u, (uint32_t)gid);
		else
			ctr_fault_add(b->faults, ERR_INVALID,
				spec_field(b, SPEC_SECURITY "supplemental_groups[%zu]", i),
				"%" PRId64 " is not in the range 0 to 2147483647", gid);
	}
}

/* Ids without a mapping would be an error of the kernel's at start. */
static void check_mapped(struct spec_build *b, const struct oci_user *u)
{
	const struct oci_linux *l = b->spec->linux_;
	uint32_t host;

	if (!b->user_ns)
		return;
	if (!oci_id_map_find(l->uid_mappings, l->n_uid_mappings, u->uid, &host))
		ctr_fault_add(b->faults, ERR_INVALID, SPEC_SECURITY "run_as_user",
			"%u is not mapped in the pod's user namespace", u->uid);
	for (size_t i = 0; i < u->n_additional_gids; i++)
		if (!oci_id_map_find(
			    l->gid_mappings, l->n_gid_mappings, u->additional_gids[i], &host))
			ctr_fault_add(b->faults, ERR_INVALID, SPEC_SECURITY "supplemental_groups",
				"group %u is not mapped in the pod's user namespace",
				u->additional_gids[i]);
}

static void add_user(struct spec_build *b)
{
	struct oci_user *u = &b->spec->process->user;

	u->uid = b->in->facts->user.uid;
	u->gid = b->in->facts->user.gid;
	add_groups(b, u);
	if (u->uid == UINT32_MAX || u->gid == UINT32_MAX)
		ctr_fault_add(b->faults, ERR_INVALID, SPEC_SECURITY "run_as_user",
			"4294967295 is no valid id");
	check_mapped(b, u);
}

void spec_process(struct spec_build *b)
{
	struct oci_process *p = b->spec->process;
	int64_t score = cri_resources(b->config)->oom_score_adj;
	int32_t adj = (int32_t)score;

	p->terminal = b->config->tty;
	p->no_new_privileges = b->sec->no_new_privs;
	if (score < -OOM_SCORE_MAX || score > OOM_SCORE_MAX)
		ctr_fault_add(b->faults, ERR_INVALID, SPEC_LINUX "resources.oom_score_adj",
			"%" PRId64 " is not in the range -1000 to 1000", score);
	else
		p->oom_score_adj = spec_box(b, &adj, sizeof(adj));
	add_args(b);
	add_env(b);
	add_cwd(b);
	add_user(b);
}
