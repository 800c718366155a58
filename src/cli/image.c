/* SPDX-License-Identifier: Apache-2.0 */
/* image load, list, inspect, remove. */
#include "cli/cli.h"

#include "base/json.h"
#include "ctrctl/image.h"

#include <string.h>
#include <unistd.h>

/* ---- load ---- */

enum { SHORT_ID = 12, DIGEST_HEAD = 7, STEP_BYTES = 1 << 20 };

/* One line per layer, rewritten in place; on a terminal only. */
struct progress {
	char digest[DIGEST_HEAD + SHORT_ID + 1]; /* of the layer whose line it is; empty: none */
	uint64_t shown;
};

static void progress_end(struct progress *p)
{
	if (*p->digest)
		fputs("\n", stderr);
	*p->digest = '\0';
}

static void progress_show(void *arg, const char *digest, uint64_t done, uint64_t total)
{
	struct progress *p = arg;

	if (strncmp(p->digest, digest, sizeof(p->digest) - 1) != 0) {
		progress_end(p);
		snprintf(p->digest, sizeof(p->digest), "%s", digest);
	} else if (done - p->shown < STEP_BYTES && done != total) {
		return;
	}
	p->shown = done;
	fprintf(stderr, "\r%s  %.1f MB", p->digest + DIGEST_HEAD, (double)done / 1e6);
	if (total)
		fprintf(stderr, " of %.1f MB (%u %%)", (double)total / 1e6,
			(unsigned)(done < total ? done * 100 / total : 100));
	fputs("  ", stderr);
	fflush(stderr);
}

struct loading {
	struct str *out;
	struct progress progress;
	bool quiet;
};

static int load_one(void *arg, const struct ctr_image_record *r, struct err *err _unused_)
{
	struct loading *l = arg;

	progress_end(&l->progress);
	if (l->quiet || r->n_names == 0)
		str_printf(l->out, "%s\n", r->id);
	for (size_t i = 0; !l->quiet && i < r->n_names; i++)
		str_printf(l->out, "%s %s\n", r->id, r->names[i]);
	return 0;
}

int verb_image_load(struct cli *c, struct err *err)
{
	_str_ struct str out = { 0 };
	struct loading l = { .out = &out, .quiet = c->o.quiet };
	const struct ctr_progress progress = { progress_show, &l.progress };
	int r = 0;

	if (c->n_args > 1 && (c->o.name || c->o.ref))
		return err_set(err, ERR_USAGE, NULL,
			"--name and --ref are for one archive, %d are given", c->n_args);
	for (int i = 0; r == 0 && i < c->n_args; i++) {
		const struct ctr_image_load job = { .path = c->args[i],
			.name = c->o.name,
			.ref = c->o.ref,
			.progress = !c->o.quiet && isatty(STDERR_FILENO) ? &progress : NULL };

		r = ctr_image_load(c->engine, &job, load_one, &l, err);
		progress_end(&l.progress);
	}
	/* What is loaded stays, and is said, when a later one fails. */
	struct err print = ERR_INIT;
	if (print_out(&out, &print) < 0 && r == 0) {
		*err = print;
		return -1;
	}
	return r;
}

/* ---- as JSON ---- */

static void write_text(struct json_writer *w, const char *key, const char *value)
{
	if (!value)
		return;
	json_w_key(w, key);
	json_w_str(w, value);
}

static void write_list(struct json_writer *w, const char *key, const char *const *list, size_t n)
{
	json_w_key(w, key);
	json_w_array(w);
	for (size_t i = 0; i < n; i++)
		json_w_str(w, list[i]);
	json_w_array_end(w);
}

static void write_config(struct json_writer *w, const struct ctr_image_config *c)
{
	json_w_key(w, "config");
	json_w_object(w);
	write_text(w, "user", c->user);
	write_text(w, "workingDir", c->working_dir);
	write_text(w, "stopSignal", c->stop_signal);
	write_list(w, "entrypoint", c->entrypoint, c->n_entrypoint);
	write_list(w, "cmd", c->cmd, c->n_cmd);
	write_list(w, "env", c->env, c->n_env);
	write_list(w, "volumes", c->volumes, c->n_volumes);
	json_w_key(w, "labels");
	json_w_object(w);
	for (size_t i = 0; i < c->labels.n; i++)
		write_text(w, c->labels.items[i].key, c->labels.items[i].value);
	json_w_object_end(w);
	json_w_object_end(w);
}

/* list: without the config, which may be long. */
static void write_image(struct json_writer *w, const struct ctr_image_record *r, bool with_config)
{
	json_w_object(w);
	write_text(w, "id", r->id);
	write_list(w, "names", r->names, r->n_names);
	write_list(w, "digests", r->digests, r->n_digests);
	write_text(w, "manifest", r->manifest);
	write_text(w, "os", r->os);
	write_text(w, "architecture", r->architecture);
	write_text(w, "variant", r->variant);
	json_w_key(w, "size");
	json_w_u64(w, r->size);
	write_text(w, "created", r->created);
	write_text(w, "loaded", r->loaded);
	write_list(w, "layers", r->layers, r->n_layers);
	if (with_config)
		write_config(w, &r->config);
	json_w_object_end(w);
}

static void close_image(struct ctr_image **i)
{
	*i = ctr_image_close(*i);
}

int verb_image_inspect(struct cli *c, struct err *err)
{
	_cleanup_(close_image) struct ctr_image *i = ctr_image_open(c->engine, c->args[0], err);
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 2 };

	if (!i)
		return -1;
	write_image(&w, ctr_image_record(i), true);
	str_add(&out, "\n");
	return print_out(&out, err);
}

/* ---- list ---- */

enum { NAME_WIDTH = 40 };

struct listing {
	struct str *out;
	struct json_writer json;
	enum { LIST_TABLE, LIST_JSON, LIST_IDS } how;
};

/* "104.9 MB" */
static const char *size_text(uint64_t n, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t u = 0;

	while (v >= 1000 && u + 1 < ARRAY_SIZE(units)) {
		v /= 1000;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

static int list_one(void *arg, const struct ctr_image_record *r, struct err *err _unused_)
{
	struct listing *l = arg;
	char size[32];

	if (l->how == LIST_JSON)
		write_image(&l->json, r, false);
	if (l->how == LIST_IDS)
		str_printf(l->out, "%s\n", r->id);
	for (size_t i = 0; l->how == LIST_TABLE && i < (r->n_names ? r->n_names : 1); i++)
		str_printf(l->out, "%-*s  %.*s  %9s  %s\n", NAME_WIDTH,
			r->n_names ? r->names[i] : "<none>", SHORT_ID, r->id + DIGEST_HEAD,
			size_text(r->size, size), r->created ? r->created : "-");
	return 0;
}

int verb_image_list(struct cli *c, struct err *err)
{
	_str_ struct str out = { 0 };
	struct listing l = { .out = &out, .json = { .out = &out } };

	if (c->o.quiet)
		l.how = LIST_IDS;
	else if (str_eq(c->o.format, "json"))
		l.how = LIST_JSON;
	else if (c->o.format && !str_eq(c->o.format, "table"))
		return err_set(err, ERR_USAGE, NULL,
			"invalid format option \"%s\": table and json are known", c->o.format);
	if (l.how == LIST_JSON)
		json_w_array(&l.json);
	if (l.how == LIST_TABLE)
		str_printf(&out, "%-*s  %-*s  %9s  %s\n", NAME_WIDTH, "NAME", SHORT_ID, "ID",
			"SIZE", "CREATED");
	if (ctr_image_list(c->engine, list_one, &l, err) < 0)
		return -1;
	if (l.how == LIST_JSON) {
		json_w_array_end(&l.json);
		str_add(&out, "\n");
	}
	return print_out(&out, err);
}

/* ---- remove ---- */

int verb_image_remove(struct cli *c, struct err *err)
{
	for (int i = 0; i < c->n_args; i++) {
		if (ctr_image_remove(c->engine, c->args[i], err) < 0)
			return c->n_args > 1 ? err_in(err, "%s:", c->args[i]) : -1;
	}
	return 0;
}
