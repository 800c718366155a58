/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctrctl check proxmox`: what is looked at, in an order in which each answer makes the next
 * question possible. Only GETs, each asked once.
 */
#include "backend/proxmox/check.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { SECONDS_OFF = GUEST_CLOCK_MARGIN_S / 2 };

/* ---- saying ---- */

void check_say(struct checkup *c, enum ctr_finding finding, const char *what, const char *hint,
	const char *fmt, ...)
{
	char raw[1024], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	pve_words(raw, text, sizeof(text));
	c->report->fn(c->report->arg, finding, what, text, hint);
}

void check_failed(
	struct checkup *c, enum ctr_finding finding, const char *what, const struct err *why)
{
	char line[1024];

	err_line(why, line, sizeof(line));
	check_say(c, finding, what, why->hint[0] ? why->hint : NULL, "%s", line);
}

int check_get(struct checkup *c, const char *path, const char *key, const char *value,
	const struct json **ret, struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(c->arena);

	if (!path)
		return err_nomem(err);
	if (key)
		pve_form_set(&query, key, value, NULL);
	if (pve_form_ok(&query, err) < 0)
		return -1;
	return pve_get_once(c->pve, c->arena, path, key ? &query : NULL, 0, ret, NULL, err);
}

/* ---- the server ---- */

/* The fingerprint of whatever answers there: a pin that no certificate fits is refused before
 * anything is sent, and the refusal names the one that was found. NULL: it can't be had. */
static const char *fingerprint_there(struct checkup *c)
{
	struct settings_proxmox cfg = *c->cfg;
	struct pve_ask ask = {
		.method = HTTPS_GET, .path = "/version", .timeout_ms = c->cfg->call_s * 1000
	};
	static const char mark[] = "has the fingerprint ";
	struct pve_answer answer = { 0 };
	struct err ignored = ERR_INIT;
	struct pve_client *client;
	const char *at = NULL;

	/* The program wants a credential before it connects; one that comes over an fd is gone. */
	if (c->pve->exchange || cfg.credential_fd)
		return NULL;
	cfg.fingerprint = "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
			  "00:00:00:00:00:00:00:00";
	cfg.ca_file = NULL;
	client = pve_client_new(&cfg, -1, &ignored);
	if (client && pve_client_exchange(client, &ask, c->arena, &answer, &ignored) == 0 &&
		answer.outcome == HTTPS_UNTRUSTED && answer.reason)
		at = strstr(answer.reason, mark);
	pve_client_free(client);
	return at ? arena_strndup(c->arena, at + strlen(mark),
			    strspn(at + strlen(mark), "0123456789ABCDEF:"))
		  : NULL;
}

static void say_untrusted(struct checkup *c, const struct err *why)
{
	const char *found = fingerprint_there(c), *hint = NULL;
	char line[1024];

	err_line(why, line, sizeof(line));
	if (found)
		hint = arena_printf(c->arena,
			"the server's own fingerprint is %s; compare it with \"pvenode cert info\" on "
			"the node; if it is that one, proxmox.fingerprint = \"%s\"",
			found, found);
	check_say(c, CTR_FOUND_OK, "server", NULL, "%s answers", c->cfg->endpoint);
	check_say(c, CTR_FOUND_MISSING, "certificate", hint ? hint : why->hint, "%s", line);
}

static void say_unreached(struct checkup *c, const struct err *why)
{
	static const char hint[] =
		"is the node up, and its pveproxy? does a firewall let port 8006 "
		"pass? proxmox.endpoint is the address";
	char line[1024];

	err_line(why, line, sizeof(line));
	check_say(c, CTR_FOUND_MISSING, "server",
		why->code == ERR_UNAVAILABLE || !why->hint[0] ? hint : why->hint, "%s: %s",
		c->cfg->endpoint, line);
}

static const char *trust_of(const struct checkup *c)
{
	if (c->cfg->fingerprint)
		return "it has the configured fingerprint";
	return c->cfg->ca_file ? "it is of the configured CA, and for this name"
			       : "it is of a CA that this system trusts, and for this name";
}

static const char *const login_hint =
	"the file holds one line, USER@REALM!TOKENID=SECRET; \"pveum user token list USER@REALM\" "
	"shows tokens and when they expire; a lost secret can't be shown again, only be replaced";

/* 0, or 1: there is no use in asking more. */
static int check_server(struct checkup *c)
{
	const struct json *data;
	struct pve_fault fault = { 0 };
	struct err err = ERR_INIT;
	const char *version;

	if (pve_get_once(c->pve, c->arena, "/version", NULL, 0, &data, &fault, &err) < 0 ||
		pve_version(c->pve, &err) < 0) {
		if (fault.reason == PVE_UNTRUSTED) {
			say_untrusted(c, &err);
		} else if (fault.reason == PVE_UNAUTHORIZED) {
			check_say(c, CTR_FOUND_OK, "server", NULL, "%s answers", c->cfg->endpoint);
			if (!c->cfg->user)
				err_hint(&err, "%s", login_hint);
			check_failed(c, CTR_FOUND_MISSING, "login", &err);
		} else {
			say_unreached(c, &err);
		}
		return 1;
	}
	version = pve_text(data, "version");
	check_say(c, CTR_FOUND_OK, "server", NULL, "%s answers", c->cfg->endpoint);
	check_say(c, CTR_FOUND_OK, "certificate", NULL, "%s", trust_of(c));
	if (!pve_at_least(c->pve, 9, 1))
		check_say(c, CTR_FOUND_WARNING, "version", "upgrade the nodes to Proxmox VE 9.1",
			"Proxmox VE %s: no images of registries (lxc/oci/...), no command line and no "
			"environment of one's own",
			version ? version : "?");
	else
		check_say(
			c, CTR_FOUND_OK, "version", NULL, "Proxmox VE %s", version ? version : "?");
	return 0;
}

static void check_login(struct checkup *c)
{
	if (c->root)
		check_say(c, CTR_FOUND_OK, "login", NULL,
			"root@pam with a ticket: it may do everything, host paths and devices too");
	else
		check_say(c, CTR_FOUND_OK, "login", NULL,
			"%s%s is accepted; host paths, devices and features but nesting are for "
			"root@pam with its password only",
			c->cfg->user ? "user " : "the API token", c->cfg->user ? c->cfg->user : "");
}

/* ---- nodes ---- */

static bool is_allowed(const struct settings_proxmox *cfg, const char *node)
{
	for (size_t i = 0; i < cfg->n_nodes; i++)
		if (str_eq(cfg->nodes[i], node))
			return true;
	return cfg->n_nodes == 0;
}

static const struct json *row_of(const struct json *rows, const char *node)
{
	json_for_each (row, rows) {
		if (str_eq(pve_text(row, "node"), node))
			return row;
	}
	return NULL;
}

static int check_nodes(struct checkup *c, struct err *err)
{
	const struct json *rows;
	struct err why = ERR_INIT;

	if (check_get(c, "/nodes", NULL, NULL, &rows, &why) < 0) {
		check_failed(c, CTR_FOUND_MISSING, "nodes", &why);
		return 0;
	}
	c->nodes = arena_array(c->arena, rows->n, sizeof(*c->nodes));
	if (!c->nodes)
		return err_nomem(err);
	json_for_each (row, rows) {
		const char *node = pve_text(row, "node"), *status = pve_text(row, "status");
		if (!pve_is_node(node) || !is_allowed(c->cfg, node))
			continue;
		if (str_eq(status, "online"))
			c->nodes[c->n_nodes++] = node;
		else
			check_say(c, CTR_FOUND_WARNING, "nodes", NULL, "%s is %s", node,
				status ? status : "unknown");
	}
	for (size_t i = 0; i < c->cfg->n_nodes; i++)
		if (!row_of(rows, c->cfg->nodes[i]))
			check_say(c, CTR_FOUND_MISSING, "nodes", "correct proxmox.nodes",
				"the cluster has no node %s", c->cfg->nodes[i]);
	if (c->cfg->local_node && !row_of(rows, c->cfg->local_node))
		check_say(c, CTR_FOUND_MISSING, "nodes", "correct proxmox.localNode",
			"the cluster has no node %s", c->cfg->local_node);
	if (c->n_nodes)
		check_say(c, CTR_FOUND_OK, "nodes", NULL, "%zu up and allowed, %s%s", c->n_nodes,
			c->nodes[0], c->n_nodes > 1 ? ", ..." : "");
	else
		check_say(c, CTR_FOUND_MISSING, "nodes", "proxmox.nodes says which may be used",
			"none is up and allowed");
	return 0;
}

static int check_quorum(struct checkup *c, struct err *err)
{
	const struct json *rows;
	struct err why = ERR_INIT;

	if (check_get(c, "/cluster/status", NULL, NULL, &rows, &why) < 0) {
		check_say(c, CTR_FOUND_WARNING, "quorum",
			"needs Sys.Audit on /: see the privileges", "it can't be seen");
		return 0;
	}
	json_for_each (row, rows) {
		if (!str_eq(pve_text(row, "type"), "cluster"))
			continue;
		if (pve_bool(row, "quorate"))
			check_say(c, CTR_FOUND_OK, "quorum", NULL, "cluster %s has it",
				pve_text(row, "name") ? pve_text(row, "name") : "");
		else
			check_say(c, CTR_FOUND_MISSING, "quorum",
				"\"pvecm status\" on a node tells more",
				"the cluster has none: nothing can be created or changed");
		return 0;
	}
	check_say(c, CTR_FOUND_OK, "quorum", NULL, "a single node needs none");
	return 0;
}

/* ---- clocks ---- */

static int check_clock(struct checkup *c, struct err *err)
{
	for (size_t i = 0; i < c->n_nodes; i++) {
		const char *path = pve_path(c->arena, "nodes", c->nodes[i], "time", NULL);
		const struct json *data;
		struct err why = ERR_INIT;
		int64_t before = time(NULL), there, off;
		if (check_get(c, path, NULL, NULL, &data, &why) < 0) {
			check_say(c, CTR_FOUND_WARNING, "clock",
				arena_printf(c->arena, "needs Sys.Audit on /nodes/%s", c->nodes[i]),
				"that of %s can't be seen", c->nodes[i]);
			continue;
		}
		there = pve_int(data, "time", 0);
		off = there < before ? there - before : there - MIN(there, (int64_t)time(NULL));
		if (off > SECONDS_OFF || off < -SECONDS_OFF)
			check_say(c, CTR_FOUND_WARNING, "clock",
				"set both by NTP: after a lost answer the guest is looked for by its "
				"time",
				"%s is %lld seconds %s", c->nodes[i],
				(long long)(off < 0 ? -off : off), off < 0 ? "behind" : "ahead");
		else
			check_say(c, CTR_FOUND_OK, "clock", NULL, "%s goes as ours", c->nodes[i]);
	}
	return 0;
}

/* ---- tags ---- */

/* "user-tag-access" is an object, or a property string on older servers. */
static const char *tag_policy(struct checkup *c, const struct json *options)
{
	const struct json *access = json_get(options, "user-tag-access");
	const char *text, *at;

	if (!access)
		return "free";
	if (access->type == JSON_OBJECT) {
		text = pve_text(access, "user-allow");
		return text ? text : "free";
	}
	text = access->text ? access->text : "";
	at = strstr(text, "user-allow=");
	if (!at)
		return strchr(text, '=') || !*text ? "free" : text;
	at += strlen("user-allow=");
	return arena_strndup(c->arena, at, strcspn(at, ","));
}

static int check_tags(struct checkup *c, struct err *err)
{
	const struct json *options;
	const char *policy;
	struct err why = ERR_INIT;

	if (c->root)
		return 0;
	if (check_get(c, "/cluster/options", NULL, NULL, &options, &why) < 0 ||
		options->type != JSON_OBJECT) {
		check_say(c, CTR_FOUND_WARNING, "tags", NULL,
			"whether guests may get tags can't be seen");
		return 0;
	}
	/* Without that only a part of the options is told. */
	if (!json_get(options, "user-tag-access") && check_holds(c, "/", "Sys.Audit") != 1) {
		check_say(c, CTR_FOUND_WARNING, "tags", "needs Sys.Audit on /",
			"whether guests may get tags can't be seen");
		return 0;
	}
	policy = tag_policy(c, options);
	if (!policy)
		return err_nomem(err);
	if (str_eq(policy, "free"))
		check_say(c, CTR_FOUND_OK, "tags", NULL, "guests may get any");
	else
		check_say(c, CTR_FOUND_WARNING, "tags",
			"in the datacenter's options, allow users free tags (user-tag-access)",
			"the datacenter's policy is \"%s\": guests get none, and one whose record is "
			"lost isn't in the list",
			policy);
	return 0;
}

/* ---- all of it ---- */

static int (*const checks[])(struct checkup *, struct err *) = { check_nodes, check_quorum,
	check_clock, check_rights, check_tags, check_storages, check_bridges, check_pool,
	check_range, check_images };

int proxmox_diagnose(struct ctr_context *context, const struct ctr_report *report, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct checkup c = { .pve = proxmox_session(context, err), .report = report, .arena = a };

	if (!c.pve)
		return -1;
	if (!a)
		return err_nomem(err);
	c.cfg = c.pve->cfg;
	c.root = settings_proxmox_is_root(c.cfg);
	c.who = c.cfg->user ? arena_printf(a, "--users %s", c.cfg->user)
			    : "--users USER@REALM --tokens 'USER@REALM!TOKENID'";
	if (check_server(&c) != 0)
		return 0;
	check_login(&c);
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i](&c, err) < 0)
			return -1;
	return arena_failed(a) ? err_nomem(err) : 0;
}
