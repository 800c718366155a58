/* SPDX-License-Identifier: Apache-2.0 */
/* A request's config and its sandbox's, as the table of wish-cri-table.c says. */
#include "backend/proxmox/wish-cri.h"

#include "backend/proxmox/encode.h"
#include "backend/proxmox/options.h"
#include "backend/proxmox/template.h"
#include "base/path.h"

#include <assert.h>
#include <string.h>

enum { FIELD_MAX = 192, SEARCH_MAX = 253, LABEL_MAX = 63 };

int wish_cri_judge(struct wish_cri *c, const char *row, const char *place, const char *what)
{
	const struct wish_cri_row *r = NULL;

	for (size_t i = 0; (r = wish_cri_row(i)) && !str_eq(r->field, row); i++)
		;
	assert(r);
	if (!what)
		what = r->what;
	if (!place)
		place = r->field;
	if (r->way == WISH_WAIVED)
		return wish_waive(c->wish, c->cfg, r->waiver, c->faults, place, what);
	ctr_fault_add(c->faults, ERR_UNSUPPORTED, place, "%s", what);
	return 0;
}

/* ---- who it is ---- */

static void read_identity(struct wish_cri *c)
{
	const struct cri_container_metadata *meta = c->config->metadata;
	const struct cri_pod_sandbox_metadata *pod = c->pod->metadata;
	const struct cri_image_spec *image = c->config->image;
	struct guest_wish *w = c->wish;

	w->image = c->in->image;
	if (!w->image && image)
		w->image = image->user_specified_image ? image->user_specified_image : image->image;
	w->who = (struct wish_identity){ .id = c->in->id,
		.sandbox_id = c->in->sandbox->id,
		.image = w->image,
		.container = meta ? meta->name : NULL,
		.attempt = meta ? meta->attempt : 0,
		.pod = pod ? pod->name : NULL,
		.namespace = pod ? pod->namespace : NULL,
		.uid = pod ? pod->uid : NULL,
		.labels = c->config->labels,
		.annotations = c->config->annotations };
	if (!w->image)
		ctr_fault_add(c->faults, ERR_INVALID, "config.image.image",
			"a guest is made from an image");
}

static int read_options(struct wish_cri *c, struct err *err)
{
	const struct cri_image_spec *image = c->config->image;

	if (options_read(c->wish, c->cfg, &c->pod->annotations, "sandbox_config.annotations",
		    c->arena, c->faults, err) < 0)
		return -1;
	if (image && options_read(c->wish, c->cfg, &image->annotations, "config.image.annotations",
			     c->arena, c->faults, err) < 0)
		return -1;
	return options_read(c->wish, c->cfg, &c->config->annotations, "config.annotations",
		c->arena, c->faults, err);
}

/* ---- names ---- */

static int read_hostname(struct wish_cri *c, struct err *err)
{
	const struct cri_pod_sandbox_metadata *pod = c->pod->metadata;
	const char *wanted = c->pod->hostname, *from = "sandbox_config.hostname";

	if (!wanted && pod) {
		wanted = pod->name;
		from = "sandbox_config.metadata.name";
	}
	return wish_set_hostname(c->wish, wanted, from, c->in->id, c->arena, err);
}

/* Letters, digits and "-" within labels of at most 63, as the server has it. */
static bool is_domain(const char *s)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	if (strlen(s) > SEARCH_MAX)
		return false;
	for (const char *p = s;; p++) {
		const size_t n = strcspn(p, ".");
		if (n == 0 || n > LABEL_MAX || strspn(p, allowed) != n || *p == '-' ||
			p[n - 1] == '-')
			return false;
		p += n;
		if (!*p)
			return true;
	}
}

/* The root's dot isn't written on the server. "." alone is no domain there: it goes where others
 * are left; where none is, the server would take its node's. */
static int read_searches(struct wish_cri *c, const struct cri_dns_config *d, struct err *err)
{
	struct guest_wish *w = c->wish;

	w->dns_searches = arena_array(c->arena, d->n_searches, sizeof(*w->dns_searches));
	if (!w->dns_searches)
		return err_nomem(err);
	for (size_t i = 0; i < d->n_searches; i++) {
		const size_t n = strlen(d->searches[i]);
		const size_t dot = n && d->searches[i][n - 1] == '.';
		const char *name = arena_strndup(c->arena, d->searches[i], n - dot);
		char place[FIELD_MAX];

		if (!name)
			return err_nomem(err);
		if (n == 1 && dot)
			continue;
		snprintf(place, sizeof(place), "sandbox_config.dns_config.searches[%zu]", i);
		if (!is_domain(name))
			ctr_fault_add(c->faults, ERR_UNSUPPORTED, place,
				"the server doesn't take \"%.100s\" as the name of a domain", name);
		w->dns_searches[w->n_dns_searches++] = name;
	}
	if (d->n_searches && !w->n_dns_searches)
		ctr_fault_add(c->faults, ERR_UNSUPPORTED, "sandbox_config.dns_config.searches",
			"the server can't be told to search in no domain: it takes its node's");
	return 0;
}

static int read_dns(struct wish_cri *c, struct err *err)
{
	const struct cri_dns_config *d = c->pod->dns_config;

	if (!d)
		return 0;
	c->wish->dns_servers = d->servers;
	c->wish->n_dns_servers = d->n_servers;
	if (d->n_options)
		wish_cri_judge(c, "sandbox_config.dns_config.options", NULL, NULL);
	return read_searches(c, d, err);
}

/* ---- the program ---- */

static void check_words(struct wish_cri *c, const char *field, const char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *problem = pve_arg_problem(words[i]);
		char place[FIELD_MAX];

		if (!problem)
			continue;
		snprintf(place, sizeof(place), "%s[%zu]", field, i);
		ctr_fault_add(c->faults, ERR_INVALID, place, "it %s", problem);
	}
}

/* What the configuration says of the image's entrypoint: arguments go behind it. NULL: nothing. */
static int entrypoint_of(
	struct wish_cri *c, const struct settings_guest_image **ret, struct err *err)
{
	struct pve_source source;
	struct err why = ERR_INIT;

	*ret = NULL;
	if (!c->wish->image)
		return 0;
	if (pve_source_of(c->cfg, c->wish->image, c->arena, &source, &why) < 0) {
		/* An image that can't be is said when it is looked for. */
		if (why.code == ERR_EXHAUSTED)
			*err = why;
		return why.code == ERR_EXHAUSTED ? -1 : 0;
	}
	if (source.image && source.image->n_entrypoint)
		*ret = source.image;
	return 0;
}

static int read_command(struct wish_cri *c, struct err *err)
{
	const struct cri_container_config *config = c->config;
	const struct settings_guest_image *image = NULL;
	const char **first = config->command;
	size_t n_first = config->n_command;
	struct guest_wish *w = c->wish;

	check_words(c, "config.command", config->command, config->n_command);
	check_words(c, "config.args", config->args, config->n_args);
	if (config->n_command && !*config->command[0])
		ctr_fault_add(
			c->faults, ERR_INVALID, "config.command", "the first word of it is empty");
	if (!n_first && config->n_args && entrypoint_of(c, &image, err) < 0)
		return -1;
	if (image) {
		first = image->entrypoint;
		n_first = image->n_entrypoint;
	}
	w->n_argv = n_first + config->n_args;
	w->args_only = !n_first && config->n_args;
	if (w->n_argv == 0)
		return 0;
	w->argv = arena_array(c->arena, w->n_argv, sizeof(*w->argv));
	if (!w->argv)
		return err_nomem(err);
	for (size_t i = 0; i < w->n_argv; i++)
		w->argv[i] = i < n_first ? first[i] : config->args[i - n_first];
	return 0;
}

/* "/" counts, too: an image may say otherwise. Whether it can be given is known with the template.
 */
static int read_working_dir(struct wish_cri *c, struct err *err)
{
	const char *dir = c->config->working_dir;

	if (!dir || !*dir)
		return 0;
	if (pve_arg_problem(dir))
		ctr_fault_add(c->faults, ERR_INVALID, "config.working_dir", "it %s",
			pve_arg_problem(dir));
	c->wish->cwd = path_clean(c->arena, dir);
	return c->wish->cwd ? 0 : err_nomem(err);
}

static int read_env(struct wish_cri *c, struct err *err)
{
	for (size_t i = 0; i < c->config->n_envs; i++) {
		const struct cri_key_value *v = &c->config->envs[i];
		const char *name = v->key ? v->key : "", *value = v->value ? v->value : "";
		const char *problem = pve_env_problem(name, value);
		char place[FIELD_MAX];

		/* Its value is a secret. */
		snprintf(place, sizeof(place), "config.envs[%zu]", i);
		if (problem)
			ctr_fault_add(
				c->faults, ERR_INVALID, place, "\"%.60s\": %s", name, problem);
		else if (pve_map_set(&c->wish->env, name, value, c->arena, err) < 0)
			return -1;
	}
	return 0;
}

static int read_streams(struct wish_cri *c, struct err *err)
{
	const struct cri_container_config *config = c->config;
	const char *dir = c->pod->log_directory;

	if (config->stdin_)
		wish_cri_judge(c, "config.stdin", NULL, NULL);
	if (config->stdin_once)
		wish_cri_judge(c, "config.stdin_once", NULL, NULL);
	if (config->tty)
		wish_cri_judge(c, "config.tty", NULL, NULL);
	if (config->stop_signal)
		wish_cri_judge(c, "config.stop_signal", NULL, NULL);
	/* A request that names none, or whose pod has no folder for it, keeps no log anyway. */
	if (!dir || !config->log_path || !wish_cri_judge(c, "config.log_path", NULL, NULL))
		return 0;
	c->wish->log_file = arena_printf(c->arena, "%s/%s", dir, config->log_path);
	return c->wish->log_file ? 0 : err_nomem(err);
}

/* ---- resources ---- */

static void read_resources(struct wish_cri *c)
{
	const struct cri_linux_container_resources *r = cri_resources(c->config);
	struct guest_wish *w = c->wish;

	w->memory_bytes = r->memory_limit_in_bytes;
	w->memory_swap_bytes = r->memory_swap_limit_in_bytes;
	w->cpu_quota = MAX(r->cpu_quota, (int64_t)0);
	w->cpu_period = r->cpu_period;
	w->cpu_shares = r->cpu_shares;
	if (r->oom_score_adj)
		wish_cri_judge(c, "config.linux.resources.oom_score_adj", NULL, NULL);
	if (r->cpuset_cpus && *r->cpuset_cpus)
		wish_cri_judge(c, "config.linux.resources.cpuset_cpus", NULL, NULL);
	if (r->cpuset_mems && *r->cpuset_mems)
		wish_cri_judge(c, "config.linux.resources.cpuset_mems", NULL, NULL);
	if (r->n_hugepage_limits)
		wish_cri_judge(c, "config.linux.resources.hugepage_limits", NULL, NULL);
	if (r->unified.n)
		wish_cri_judge(c, "config.linux.resources.unified", NULL, NULL);
}

/* ---- the pod ---- */

static void read_pod(struct wish_cri *c)
{
	for (size_t i = 0; i < c->pod->n_port_mappings; i++)
		if (c->pod->port_mappings[i].host_port) {
			wish_cri_judge(c, "sandbox_config.port_mappings.host_port", NULL, NULL);
			break;
		}
	if (c->pod->linux_ && c->pod->linux_->sysctls.n)
		wish_cri_judge(c, "sandbox_config.linux.sysctls", NULL, NULL);
	if (c->pod->windows)
		wish_cri_judge(c, "sandbox_config.windows", NULL, NULL);
	if (c->config->windows)
		wish_cri_judge(c, "config.windows", NULL, NULL);
	if (c->config->n_cdi_devices)
		wish_cri_judge(c, "config.CDI_devices", NULL, NULL);
}

int wish_from_cri(const struct ctr_input *in, const struct settings_proxmox *cfg, struct arena *a,
	struct guest_wish *ret, struct ctr_faults *faults, struct err *err)
{
	struct wish_cri c = { .in = in,
		.config = in->config,
		.pod = in->sandbox->config,
		.sec = cri_security(in->config),
		.cfg = cfg,
		.arena = a,
		.wish = ret,
		.faults = faults };

	*ret = (struct guest_wish){ .readonly_rootfs = c.sec->readonly_rootfs };
	read_identity(&c);
	if (read_options(&c, err) < 0 || read_hostname(&c, err) < 0 || read_dns(&c, err) < 0 ||
		read_command(&c, err) < 0 || read_working_dir(&c, err) < 0 ||
		read_env(&c, err) < 0 || wish_cri_mounts(&c, err) < 0 ||
		wish_cri_devices(&c, err) < 0 || read_streams(&c, err) < 0)
		return -1;
	read_resources(&c);
	if (wish_cri_security(&c, err) < 0)
		return -1;
	read_pod(&c);
	return ctr_faults_err(faults, err);
}
