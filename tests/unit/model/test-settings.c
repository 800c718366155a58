/* SPDX-License-Identifier: Apache-2.0 */
#include "model/settings.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena *arena;
static struct err err;
static char dir[] = "/tmp/ctrctl-settings-XXXXXX";
static char file[64];

static void set_up(void)
{
	arena = arena_new();
	cr_assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/config.json", dir);
}

static void tear_down(void)
{
	unlink(file);
	rmdir(dir);
	arena_free(arena);
}

TestSuite(settings, .init = set_up, .fini = tear_down);

static const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

static struct settings ok(const char *text)
{
	struct settings s = { 0 };

	cr_assert_eq(settings_parse(text, strlen(text), arena, &s, &err), 0, "%s", said());
	return s;
}

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");

	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void is_default(const struct settings *s)
{
	cr_assert_eq(s->n_routes, 3);
	cr_expect_str_eq(s->routes[0].image, "lxc/**");
	cr_expect_str_eq(s->routes[1].image, "db-**");
	cr_expect_str_eq(s->routes[2].image, "vm-**");
	for (size_t i = 0; i < 3; i++)
		cr_expect_str_eq(s->routes[i].backend, "proxmox");
	cr_assert_eq(s->n_strip, 3);
	cr_expect_str_eq(s->strip[0], "docker.io/library/");
	cr_expect_str_eq(s->strip[1], "docker.io/");
	cr_expect_str_eq(s->strip[2], "localhost/");
	cr_expect_not(s->replace_routes);
	cr_expect_not(s->annotation_allowed);
	cr_expect_eq(s->handlers.n, 0);
	cr_expect_not(s->restricted_capabilities);
	cr_assert_eq(s->n_seccomp_dirs, 2);
	cr_expect_str_eq(s->seccomp_dirs[0], "/var/lib/kubelet/seccomp");
	cr_expect_str_eq(s->seccomp_dirs[1], "/etc/ctrctl/seccomp");
	cr_expect_str_eq(s->apparmor_profile, "ctrctl-default");
	cr_expect_eq(s->n_annotations, 0);
	cr_expect_eq(s->pids_limit, 0);
	cr_expect_eq(s->log_max_bytes, 0);
	cr_expect_eq(s->log_max_files, 5);
}

Test(settings, every_key_has_a_default)
{
	static const char *const texts[] = { "{}", "{\"routing\":{},\"defaults\":{},\"logs\":{}}",
		"{\"routing\":null}", "{\"routing\":{\"stripPrefixes\":null}}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct settings s = ok(texts[i]);
		is_default(&s);
	}
}

Test(settings, reads_every_key)
{
	struct settings s =
		ok("{\"routing\":{\"routes\":[{\"image\":\"a/*\",\"backend\":\"native\"},"
		   "{\"image\":\"r.example:5000/**\",\"backend\":\"proxmox\"}],"
		   "\"stripPrefixes\":[\"quay.io/\"],\"allowAnnotation\":true,"
		   "\"runtimeHandlers\":{\"pve\":\"proxmox\",\"native\":\"native\"}},"
		   "\"defaults\":{\"capabilities\":\"restricted\","
		   "\"seccompProfileDirs\":[\"/srv/seccomp\"],\"apparmorProfile\":\"mine\","
		   "\"annotations\":[\"example.com/x\"],\"pidsLimit\":512},"
		   "\"logs\":{\"maxBytes\":1048576,\"maxFiles\":2}}");

	cr_assert_eq(s.n_routes, 5);
	cr_expect_str_eq(s.routes[0].image, "a/*");
	cr_expect_str_eq(s.routes[0].backend, "native");
	cr_expect_str_eq(s.routes[1].image, "r.example:5000/**");
	cr_expect_str_eq(s.routes[2].image, "lxc/**");
	cr_assert_eq(s.n_strip, 1);
	cr_expect_str_eq(s.strip[0], "quay.io/");
	cr_expect(s.annotation_allowed);
	cr_expect_str_eq(ctr_map_get(&s.handlers, "pve"), "proxmox");
	cr_expect(s.restricted_capabilities);
	cr_assert_eq(s.n_seccomp_dirs, 1);
	cr_expect_str_eq(s.seccomp_dirs[0], "/srv/seccomp");
	cr_expect_str_eq(s.apparmor_profile, "mine");
	cr_assert_eq(s.n_annotations, 1);
	cr_expect_str_eq(s.annotations[0], "example.com/x");
	cr_expect_eq(s.pids_limit, 512);
	cr_expect_eq(s.log_max_bytes, 1048576);
	cr_expect_eq(s.log_max_files, 2);
}

Test(settings, the_defaults_can_be_replaced)
{
	struct settings s = ok("{\"routing\":{\"replaceDefaults\":true,\"stripPrefixes\":[]},"
			       "\"defaults\":{\"seccompProfileDirs\":[]}}");

	cr_expect_eq(s.n_routes, 0);
	cr_expect_eq(s.n_strip, 0);
	cr_expect_eq(s.n_seccomp_dirs, 0);
	s = ok("{\"routing\":{\"replaceDefaults\":true,"
	       "\"routes\":[{\"image\":\"x\",\"backend\":\"proxmox\"}]}}");
	cr_assert_eq(s.n_routes, 1);
	cr_expect_str_eq(s.routes[0].image, "x");
}

Test(settings, refuses_with_the_place)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "[]", "expected an object, found an array" },
		{ "{\"x\":1}", "x: unknown property" },
		{ "{\"routing\":{\"route\":[]}}", "routing: route: unknown property" },
		{ "{\"routing\":{\"routes\":[{\"backend\":\"native\"}]}}",
			"routing.routes[0].image: the required property is missing" },
		{ "{\"routing\":{\"routes\":[{\"image\":\"a\",\"backend\":\"docker\"}]}}",
			"routing.routes[0].backend: docker: there is no such backend" },
		{ "{\"routing\":{\"routes\":[{\"image\":\"a\",\"backend\":\"native\"},"
		  "{\"image\":\"a:1\",\"backend\":\"native\"}]}}",
			"routing.routes[1].image: a:1: a pattern has neither tag nor digest" },
		{ "{\"routing\":{\"stripPrefixes\":[\"docker.io\"]}}",
			"routing.stripPrefixes[0]: docker.io: a prefix is one or more whole parts "
			"of a name, with the \"/\" behind them" },
		{ "{\"routing\":{\"stripPrefixes\":[\"x/\",\"/\"]}}",
			"routing.stripPrefixes[1]: /: a prefix is one or more whole parts of a "
			"name, with the \"/\" behind them" },
		{ "{\"routing\":{\"allowAnnotation\":\"yes\"}}",
			"routing.allowAnnotation: expected true or false, found the string "
			"\"yes\"" },
		{ "{\"routing\":{\"runtimeHandlers\":{\"kata\":\"kvm\"}}}",
			"routing.runtimeHandlers[\"kata\"]: kvm: there is no such backend" },
		{ "{\"routing\":{\"runtimeHandlers\":{\"\":\"native\"}}}",
			"routing.runtimeHandlers[\"\"]: a handler has a name" },
		{ "{\"routing\":{\"runtimeHandlers\":{\"proxmox\":\"native\"}}}",
			"routing.runtimeHandlers[\"proxmox\"]: proxmox: the handler of this name "
			"is the backend of this name" },
		{ "{\"defaults\":{\"capabilities\":\"all\"}}",
			"defaults.capabilities: unknown value \"all\"" },
		{ "{\"defaults\":{\"seccompProfileDirs\":[\"x\"]}}",
			"defaults.seccompProfileDirs[0]: x: it must be the absolute path of a "
			"folder, without \"..\", and not \"/\"" },
		{ "{\"defaults\":{\"seccompProfileDirs\":[\"/\"]}}",
			"defaults.seccompProfileDirs[0]: /: it must be the absolute path of a "
			"folder, without \"..\", and not \"/\"" },
		{ "{\"defaults\":{\"seccompProfileDirs\":[\"/a/../b\"]}}",
			"defaults.seccompProfileDirs[0]: /a/../b: it must be the absolute path of "
			"a folder, without \"..\", and not \"/\"" },
		{ "{\"defaults\":{\"apparmorProfile\":\"\"}}",
			"defaults.apparmorProfile: the name of a profile can't be empty" },
		{ "{\"defaults\":{\"apparmorProfile\":\"a\\nb\"}}",
			"defaults.apparmorProfile: a\\x0ab: no profile's name has such characters" },
		{ "{\"defaults\":{\"annotations\":[\"a/*\"]}}",
			"defaults.annotations[0]: a/*: it isn't the exact key of an annotation" },
		{ "{\"defaults\":{\"annotations\":[\"a\",\"run.oci.handler\"]}}",
			"defaults.annotations[1]: run.oci.handler: annotations that begin with "
			"\"run.oci.\" steer runtimes: a pod can't bring them" },
		{ "{\"defaults\":{\"annotations\":[\"org.systemd.property.ExecStart\"]}}",
			"defaults.annotations[0]: org.systemd.property.ExecStart: annotations "
			"that begin with \"org.systemd.property.\" steer runtimes: a pod can't "
			"bring them" },
		{ "{\"defaults\":{\"pidsLimit\":-1}}",
			"defaults.pidsLimit: -1 is out of range (0 to 9223372036854775807)" },
		{ "{\"logs\":{\"maxFiles\":101}}",
			"logs.maxFiles: 101 is out of range (0 to 100)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct settings s;

		err = (struct err)ERR_INIT;
		cr_expect_eq(settings_parse(rows[i].text, strlen(rows[i].text), arena, &s, &err),
			-1, "accepted: %s", rows[i].text);
		cr_expect_eq(err.code, ERR_INVALID);
		cr_expect_str_eq(said(), rows[i].want);
	}
}

Test(settings, reads_the_file_that_is_named)
{
	struct settings s;

	write_file("{\"logs\":{\"maxFiles\":7}}");
	cr_assert_eq(settings_load(file, arena, &s, &err), 0, "%s", said());
	cr_expect_eq(s.log_max_files, 7);
	write_file("{\"logs\":{\"maxFiles\":-7}}");
	cr_assert_eq(settings_load(file, arena, &s, &err), -1);
	cr_expect(strncmp(said(), file, strlen(file)) == 0, "%s", said());
	cr_expect(strstr(said(), ": logs.maxFiles: "), "%s", said());
}

Test(settings, a_file_that_is_named_must_be_there)
{
	struct settings s;

	cr_assert_eq(settings_load(file, arena, &s, &err), -1);
	cr_expect_eq(err.code, ERR_NOT_FOUND);
	cr_expect(strstr(said(), "the configuration file is missing"), "%s", said());
	/* containerd and Podman read these words as "the container's program isn't there". */
	cr_expect_null(strcasestr(said(), "no such file"), "%s", said());
}

Test(settings, a_pipe_is_no_file)
{
	struct settings s;

	cr_assert_eq(mkfifo(file, 0600), 0);
	cr_assert_eq(settings_load(file, arena, &s, &err), -1);
}

Test(settings, the_usual_file_may_be_missing)
{
	struct settings s;

	if (access(SETTINGS_PATH, F_OK) == 0)
		cr_skip("this host has one");
	cr_assert_eq(settings_load(NULL, arena, &s, &err), 0, "%s", said());
	is_default(&s);
}

Test(settings, only_known_backends_count)
{
	cr_expect_eq(settings_check_backend("native", &err), 0);
	cr_expect_eq(settings_check_backend("proxmox", &err), 0);
	cr_expect_eq(settings_check_backend("Native", &err), -1);
	cr_expect_eq(err.code, ERR_INVALID);
	cr_expect_str_eq(err.hint, "one of: native, proxmox");
}
