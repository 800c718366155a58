/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges with a server through the client of the Proxmox VE backend, without the backend.
 *
 * usage: client-one [OPTION...] ENDPOINT
 *
 *   --fingerprint TEXT, --ca FILE       whom to trust
 *   --token FILE | --user USER --password FILE | --credential-fd N
 *   --connect SECONDS, --timeout MS     5, 60000
 *   --log FILE                          log at level debug
 *   --fork                              after the first exchange, the others are done by a child
 *   --show N                            bytes of a body that are printed (65536)
 *
 * Standard input has one exchange a line: "METHOD PATH [BODY]", METHOD in capitals, with "!" behind
 * it on a fresh connection; or "SLEEP MS". Standard output gets a JSON object for each.
 */
#include "backend/proxmox/client.h"
#include "base/fd.h"
#include "base/log.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct one {
	struct settings_proxmox cfg;
	struct pve_client *client;
	int credential_fd;
	unsigned timeout_ms;
	size_t show;
	bool fork;
};

static const char *const methods[HTTPS_METHOD_N] = { "GET", "POST", "PUT", "DELETE" };
static const char *const outcomes[HTTPS_OUTCOME_N] = { "answered", "unreached", "untrusted", "lost",
	"too-big", "no-login", "no-secret" };

static void print_answer(const struct one *o, const struct pve_answer *a)
{
	_str_ struct str line = { 0 };
	struct json_writer w = { .out = &line };
	_str_ struct str body = { 0 };

	str_addn(&body, a->body, a->n < o->show ? a->n : o->show);
	json_w_object(&w);
	json_w_key(&w, "outcome");
	json_w_str(&w, outcomes[a->outcome]);
	json_w_key(&w, "status");
	json_w_u64(&w, a->status);
	json_w_key(&w, "json");
	json_w_bool(&w, a->json);
	json_w_key(&w, "timedOut");
	json_w_bool(&w, a->timed_out);
	json_w_key(&w, "reason");
	json_w_str(&w, a->reason);
	json_w_key(&w, "n");
	json_w_u64(&w, a->n);
	json_w_key(&w, "count");
	json_w_u64(&w, pve_client_count(o->client));
	json_w_key(&w, "body");
	json_w_str(&w, body.p ? body.p : "");
	json_w_object_end(&w);
	printf("%s\n", line.p);
	fflush(stdout);
}

static void print_failure(const struct err *err)
{
	_str_ struct str line = { 0 };
	struct json_writer w = { .out = &line };
	char text[1024];

	err_line(err, text, sizeof(text));
	json_w_object(&w);
	json_w_key(&w, "error");
	json_w_str(&w, text);
	json_w_key(&w, "hint");
	json_w_str(&w, err->hint);
	json_w_object_end(&w);
	printf("%s\n", line.p);
	fflush(stdout);
}

static int one(struct one *o, char *line)
{
	char *method = line, *path = strchr(line, ' '), *body;
	struct pve_ask ask = { .timeout_ms = o->timeout_ms };
	struct pve_answer answer;
	struct err err = ERR_INIT;
	_arena_ struct arena *a = arena_new();

	if (!path)
		return 2;
	*path++ = 0;
	if (strcmp(method, "SLEEP") == 0)
		return usleep((useconds_t)strtoul(path, NULL, 10) * 1000);
	body = strchr(path, ' ');
	if (body)
		*body++ = 0;
	if (str_ends(method, "!")) {
		ask.fresh = true;
		method[strlen(method) - 1] = 0;
	}
	while (ask.method < HTTPS_METHOD_N && strcmp(methods[ask.method], method) != 0)
		ask.method++;
	ask.path = path;
	ask.body = body;
	if (pve_client_exchange(o->client, &ask, a, &answer, &err) < 0)
		print_failure(&err);
	else
		print_answer(o, &answer);
	return 0;
}

static char **options(struct one *o, char **at)
{
	struct err err = ERR_INIT;

	for (; at[0] && at[0][0] == '-'; at++) {
		if (strcmp(at[0], "--fork") == 0) {
			o->fork = true;
			continue;
		}
		if (!at[1])
			exit(2);
		const char *name = at[0], *value = *++at;
		if (strcmp(name, "--fingerprint") == 0)
			o->cfg.fingerprint = value;
		else if (strcmp(name, "--ca") == 0)
			o->cfg.ca_file = value;
		else if (strcmp(name, "--token") == 0)
			o->cfg.token_file = value;
		else if (strcmp(name, "--user") == 0)
			o->cfg.user = value;
		else if (strcmp(name, "--password") == 0)
			o->cfg.password_file = value;
		else if (strcmp(name, "--credential-fd") == 0)
			o->credential_fd = (int)strtoul(value, NULL, 10);
		else if (strcmp(name, "--connect") == 0)
			o->cfg.connect_s = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(name, "--timeout") == 0)
			o->timeout_ms = (unsigned)strtoul(value, NULL, 10);
		else if (strcmp(name, "--show") == 0)
			o->show = strtoul(value, NULL, 10);
		else if (strcmp(name, "--log") != 0 ||
			 log_open(value, LOG_JSON, LOG_DEBUG, &err) < 0)
			exit(2);
	}
	return at;
}

int main(int argc, char **argv)
{
	struct one o = {
		.cfg = { .connect_s = 5 },
		.credential_fd = FD_NONE,
		.timeout_ms = 60000,
		.show = 65536,
	};
	struct err err = ERR_INIT;
	_free_ char *line = NULL;
	size_t size = 0;
	char **at = options(&o, argv + 1);
	pid_t child = 0;
	int r = 0, status = 0;

	if (!at[0] || at[1])
		return 2;
	o.cfg.endpoint = at[0];
	o.client = pve_client_new(&o.cfg, o.credential_fd, &err);
	if (!o.client) {
		print_failure(&err);
		return 1;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	while (r == 0 && getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		r = one(&o, line);
		if (!o.fork)
			continue;
		o.fork = false;
		child = fork();
		if (child > 0)
			break;
	}
	if (child > 0 && (waitpid(child, &status, 0) < 0 || status))
		r = 1;
	/* Still there for us, whatever the child has done. */
	if (child > 0 && r == 0)
		r = one(&o, strdupa("GET /version"));
	pve_client_free(o.client);
	return r;
}
