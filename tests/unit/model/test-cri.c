/* SPDX-License-Identifier: Apache-2.0 */
/* CRI messages: from text to structs and back. */
#include "base/fd.h"
#include "model/cri.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static void set_up(void)
{
	arena = arena_new();
}

static void tear_down(void)
{
	arena_free(arena);
}

TestSuite(cri, .init = set_up, .fini = tear_down);

static struct cri_create_container_request *parsed(const char *text)
{
	struct cri_create_container_request *r = NULL;
	char line[1024];

	err = (struct err)ERR_INIT;
	if (cri_request_parse(text, strlen(text), arena, &r, &err) < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert_fail("%s: %s", text, line);
	}
	return r;
}

static void refuse(const char *text, const char *want)
{
	struct cri_create_container_request *r = NULL;
	char line[1024];

	err = (struct err)ERR_INIT;
	cr_assert_eq(
		cri_request_parse(text, strlen(text), arena, &r, &err), -1, "accepted: %s", text);
	err_line(&err, line, sizeof(line));
	cr_assert(strstr(line, want), "\"%s\" is not in \"%s\"", want, line);
	cr_assert_eq(err.code, ERR_INVALID);
}

static char *canonical(const struct cri_create_container_request *r)
{
	struct str s = { 0 };

	cri_request_write(r, &s);
	cr_assert_not(s.failed);
	return s.p;
}

static const char *const examples[] = { "01-minimal", "02-web-server-logged",
	"03-restricted-nonroot", "04-secrets-and-volumes", "05-privileged-node-debug",
	"06-hugepages-devices-cpuset", "07-userns-localhost-profiles", "08-backend-lxc" };

static char *example(size_t i)
{
	char path[512], *text = NULL;
	size_t n;

	snprintf(path, sizeof(path), TEST_DATA "/cri/%s.json", examples[i]);
	cr_assert_eq(file_read(AT_FDCWD, path, CRI_REQUEST_MAX, &text, &n, &err), 0, "%s", path);
	return text;
}

/* ---- the other spelling of a document ---- */

static bool holds_free_keys(const char *key)
{
	static const char *const maps[] = { "labels", "annotations", "sysctls", "unified" };

	for (size_t i = 0; key && i < ARRAY_SIZE(maps); i++)
		if (str_eq(key, maps[i]))
			return true;
	return false;
}

static const char *camel(const char *key)
{
	char *out = arena_strdup(arena, key), *p = out;

	for (; *key; key++) {
		bool upper = *key == '_';
		key += upper;
		*p++ = (char)(upper && *key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key);
	}
	*p = 0;
	return out;
}

static void respell(struct json_writer *w, const struct json *v, bool free_keys)
{
	int64_t number;

	switch (v->type) {
	case JSON_NULL: json_w_null(w); break;
	case JSON_BOOL: json_w_bool(w, v->text[0] == 't'); break;
	case JSON_STRING: json_w_str(w, v->text); break;
	case JSON_NUMBER:
		cr_assert_eq(parse_i64(v->text, INT64_MIN, INT64_MAX, &number), 0);
		json_w_i64(w, number);
		break;
	case JSON_ARRAY:
		json_w_array(w);
		json_for_each (it, v)
			respell(w, it, false);
		json_w_array_end(w);
		break;
	case JSON_OBJECT:
		json_w_object(w);
		json_for_each (it, v) {
			json_w_key(w, free_keys ? it->key : camel(it->key));
			respell(w, it, holds_free_keys(it->key));
		}
		json_w_object_end(w);
		break;
	}
}

Test(cri, examples_mean_the_same_in_camel_case)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		_free_ char *snake = example(i), *a = NULL, *b = NULL;
		_str_ struct str camel_text = { 0 };
		struct json_writer w = { .out = &camel_text };
		const struct json *tree;
		cr_assert_eq(
			json_parse(snake, strlen(snake), CRI_REQUEST_MAX, arena, &tree, &err), 0);
		respell(&w, tree, false);
		cr_assert_null(strstr(camel_text.p, "pod_sandbox_id"));
		cr_assert(strstr(camel_text.p, "podSandboxId"));
		a = canonical(parsed(snake));
		b = canonical(parsed(camel_text.p));
		cr_assert_str_eq(a, b, "%s", examples[i]);
		cr_assert_gt(strlen(a), 200);
	}
}

/* ---- canonical text ---- */

Test(cri, what_is_written_is_read_as_the_same)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		_free_ char *text = example(i), *once = canonical(parsed(text));
		_free_ char *twice = canonical(parsed(once));
		cr_assert_str_eq(once, twice, "%s", examples[i]);
	}
}

Test(cri, canonical_text_depends_on_nothing_but_the_message)
{
	_free_ char *a = canonical(parsed(
		"{ \"config\": {\"labels\":{\"b\":\"2\",\"a\":\"1\"}, \"tty\":false, \"command\":[],"
		" \"stop_signal\":\"SIGNAL_SIGTERM\", \"log_path\":\"\", \"linux\":{\"resources\":"
		"{\"cpu_shares\":\"7\"}}}, \"podSandboxId\":\"x\" }"));
	_free_ char *b = canonical(
		parsed("{\"pod_sandbox_id\":\"x\",\"config\":{\"stop_signal\":23,\"labels\":"
		       "{\"a\":\"1\",\"b\":\"2\"},\"linux\":{\"resources\":{\"cpuShares\":7}}}}"));

	cr_assert_str_eq(a, b);
	cr_assert_str_eq(a,
		"{\"pod_sandbox_id\":\"x\",\"config\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"},"
		"\"linux\":{\"resources\":{\"cpu_shares\":7}},\"stop_signal\":\"SIGNAL_SIGTERM\"}}");
}

/* A message with every field set but "windows", which nothing is kept of. */
static void sample_object(struct json_writer *w, const struct json_field *fields);

static void sample(struct json_writer *w, const struct json_field *f)
{
	const struct name_table *names = f->more;

	switch (f->kind) {
	case J_BOOL: json_w_bool(w, true); break;
	case J_STR: json_w_str(w, f->name); break;
	case J_I32: json_w_i64(w, INT32_MIN); break;
	case J_I64: json_w_i64(w, INT64_MIN); break;
	case J_U32: json_w_u64(w, UINT32_MAX); break;
	case J_U64: json_w_u64(w, UINT64_MAX); break;
	case J_ENUM: json_w_str(w, names->names[names->n - 1]); break;
	case J_OBJECT: sample_object(w, f->more); break;
	case J_MAP_STR:
		json_w_object(w);
		json_w_key(w, "key");
		json_w_str(w, "value");
		json_w_object_end(w);
		break;
	case J_MAP_OBJ:
	case J_PRESENT: cr_assert_fail("%s", f->name);
	}
}

static void sample_object(struct json_writer *w, const struct json_field *fields)
{
	json_w_object(w);
	for (const struct json_field *f = fields; f->name; f++) {
		if (f->kind == J_PRESENT)
			continue;
		json_w_key(w, f->name);
		if (f->flags & J_LIST)
			json_w_array(w);
		sample(w, f);
		if (!(f->flags & J_LIST))
			continue;
		sample(w, f);
		json_w_array_end(w);
	}
	json_w_object_end(w);
}

Test(cri, every_field_is_read_and_written_back)
{
	_str_ struct str in = { 0 };
	struct json_writer w = { .out = &in };
	_free_ char *out = NULL;

	sample_object(&w, cri_request_fields);
	out = canonical(parsed(in.p));
	cr_assert_str_eq(out, in.p);
	cr_assert_gt(in.n, 5000);
}

Test(cri, a_message_is_there_or_not_even_when_it_is_empty)
{
	const struct cri_create_container_request *r =
		parsed("{\"config\":{\"linux\":{\"security_context\":{\"seccomp\":{},"
		       "\"run_as_user\":{}}}}}");
	_free_ char *text = canonical(r);

	cr_assert_not_null(cri_security(r->config)->seccomp);
	cr_assert_not_null(cri_security(r->config)->run_as_user);
	cr_assert_null(cri_security(r->config)->apparmor);
	cr_assert_str_eq(text, "{\"config\":{\"linux\":{\"security_context\":{\"run_as_user\":{},"
			       "\"seccomp\":{}}}}}");
}

Test(cri, container_and_pod_have_their_own_doors)
{
	static const char container[] = "{\"metadata\":{\"name\":\"c\"},\"stdin\":true}";
	static const char pod[] =
		"{\"metadata\":{\"name\":\"p\",\"attempt\":3},\"linux\":"
		"{\"cgroup_parent\":\"/a\",\"sysctls\":{\"z\":\"1\",\"a\":\"2\"}}}";
	_str_ struct str a = { 0 }, b = { 0 };
	struct cri_container_config *c;
	struct cri_pod_sandbox_config *p;

	cr_assert_eq(cri_container_parse(container, strlen(container), arena, &c, &err), 0);
	cr_assert(c->stdin_);
	cri_container_write(c, &a);
	cr_assert_str_eq(a.p, container);
	cr_assert_eq(cri_pod_parse(pod, strlen(pod), arena, &p, &err), 0);
	cr_assert_eq(p->metadata->attempt, 3);
	cri_pod_write(p, &b);
	cr_assert_str_eq(b.p, "{\"metadata\":{\"name\":\"p\",\"attempt\":3},\"linux\":"
			      "{\"cgroup_parent\":\"/a\",\"sysctls\":{\"a\":\"2\",\"z\":\"1\"}}}");
	cr_assert_eq(cri_pod_parse("[]", 2, arena, &p, &err), -1);
	cr_assert_eq(cri_container_parse("7", 1, arena, &c, &err), -1);
}

/* ---- values ---- */

Test(cri, absent_parts_read_as_empty_ones)
{
	const struct cri_create_container_request *r = parsed("{\"config\":{\"linux\":{}}}");

	cr_assert_eq(cri_security(r->config)->privileged, false);
	cr_assert_eq(cri_resources(r->config)->cpu_quota, 0);
	cr_assert_eq(cri_namespaces(r->config)->pid, CRI_NS_POD);
	cr_assert_eq(cri_security(NULL)->privileged, false);
	cr_assert_eq(cri_resources(NULL)->cpu_quota, 0);
	cr_assert_eq(cri_namespaces(NULL)->network, CRI_NS_POD);
	cr_assert_eq(cri_pod_security(NULL)->privileged, false);
	cr_assert_eq(cri_pod_namespaces(r->sandbox_config)->ipc, CRI_NS_POD);
	cr_assert_null(r->sandbox_config);
}

Test(cri, the_value_of_a_variable_is_plain_text)
{
	const struct cri_create_container_request *r = parsed(
		"{\"config\":{\"envs\":[{\"key\":\"A\",\"value\":\"aGk=\"},{\"key\":\"B\"}]}}");

	cr_assert_str_eq(r->config->envs[0].value, "aGk=");
	cr_assert_null(r->config->envs[1].value);
}

Test(cri, windows_is_only_noticed)
{
	cr_assert(parsed("{\"config\":{\"windows\":{\"resources\":{}}}}")->config->windows);
	cr_assert(parsed("{\"sandbox_config\":{\"windows\":{}}}")->sandbox_config->windows);
	cr_assert_not(parsed("{\"config\":{\"windows\":null}}")->config->windows);
}

Test(cri, what_crictl_drops_in_silence_is_refused)
{
	refuse("{\"config\":{\"linux\":{\"privileged\":true}}}",
		"config.linux: privileged: unknown property");
	cr_assert_str_eq(err.hint, "did you mean \"security_context.privileged\"?");
	refuse("{\"config\":{\"logpath\":\"x\"}}", "config: logpath: unknown property");
	cr_assert_str_eq(err.hint, "did you mean \"log_path\"?");
	refuse("{\"config\":{\"mounts\":[{},{\"hostPath\":\"/a\",\"host_path\":\"/b\"}]}}",
		"config.mounts[1].host_path: given twice");
	refuse("{\"config\":{\"mounts\":[{\"uid_mappings\":[]}]}}",
		"config.mounts[0]: uid_mappings: unknown property");
	cr_assert_str_eq(err.hint, "did you mean \"uidMappings\"?");
	refuse("{\"config\":{\"CDI_devices\":[],\"CDIDevices\":[]}}",
		"config.CDIDevices: given twice");
}

Test(cri, values_out_of_their_type_are_refused_at_their_place)
{
	refuse("{\"config\":{\"mounts\":[{\"propagation\":3}]}}",
		"config.mounts[0].propagation: unknown value 3");
	refuse("{\"config\":{\"stop_signal\":66}}", "config.stop_signal: unknown value 66");
	refuse("{\"config\":{\"stop_signal\":\"SIGTERM\"}}",
		"config.stop_signal: unknown value \"SIGTERM\"");
	cr_assert(str_starts(err.hint, "one of: SIGNAL_RUNTIME_DEFAULT, SIGNAL_SIGABRT, "));
	refuse("{\"config\":{\"metadata\":{\"attempt\":-1}}}",
		"config.metadata.attempt: -1 is out of");
	refuse("{\"config\":{\"linux\":{\"resources\":{\"cpu_shares\":9223372036854775808}}}}",
		"config.linux.resources.cpu_shares: 9223372036854775808 is out of range");
	refuse("{\"config\":{\"command\":\"sh\"}}", "config.command: expected an array");
	refuse("{\"config\":{\"command\":[null]}}", "config.command[0]: expected a string");
	refuse("{\"config\":{\"labels\":{\"a\":1}}}", "config.labels[\"a\"]: expected a string");
	refuse("{\"config\":{}} x", "");
	refuse("", "");
}

Test(cri, depth_is_limited_to_32)
{
	_str_ struct str s = { 0 };

	/* The unknown key would be refused as well: the depth comes first. */
	str_add(&s, "{\"config\":");
	for (int i = 0; i < CRI_DEPTH_MAX; i++)
		str_add(&s, "[");
	for (int i = 0; i < CRI_DEPTH_MAX; i++)
		str_add(&s, "]");
	str_add(&s, "}");
	refuse(s.p, "config: nested deeper than 32 levels");
	s.n = 0;
	str_add(&s, "{\"config\":");
	for (int i = 1; i < CRI_DEPTH_MAX; i++)
		str_add(&s, "[");
	for (int i = 1; i < CRI_DEPTH_MAX; i++)
		str_add(&s, "]");
	str_add(&s, "}");
	refuse(s.p, "config: expected an object, found an array");
}

Test(cri, size_is_limited_to_16_MiB)
{
	_free_ char *text = malloc(CRI_REQUEST_MAX + 1);
	struct cri_create_container_request *r;

	memset(text, ' ', CRI_REQUEST_MAX + 1);
	text[0] = '{';
	text[CRI_REQUEST_MAX - 1] = '}';
	cr_assert_eq(cri_request_parse(text, CRI_REQUEST_MAX, arena, &r, &err), 0);
	cr_assert_eq(cri_request_parse(text, CRI_REQUEST_MAX + 1, arena, &r, &err), -1);
}

/* ---- signals ---- */

Test(cri, every_signal_has_a_name_and_a_number_of_linux)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {
		{ "SIGNAL_RUNTIME_DEFAULT", 0 },
		{ "SIGNAL_SIGKILL", SIGKILL },
		{ "SIGNAL_SIGTERM", SIGTERM },
		{ "SIGNAL_SIGQUIT", SIGQUIT },
		{ "SIGNAL_SIGABRT", SIGABRT },
		{ "SIGNAL_SIGIOT", SIGABRT },
		{ "SIGNAL_SIGCHLD", SIGCHLD },
		{ "SIGNAL_SIGCLD", SIGCHLD },
		{ "SIGNAL_SIGIO", SIGIO },
		{ "SIGNAL_SIGPOLL", SIGIO },
		{ "SIGNAL_SIGSTKFLT", SIGSTKFLT },
		{ "SIGNAL_SIGRTMIN", 34 },
		{ "SIGNAL_SIGRTMINPLUS1", 35 },
		{ "SIGNAL_SIGRTMINPLUS15", 49 },
		{ "SIGNAL_SIGRTMAXMINUS14", 50 },
		{ "SIGNAL_SIGRTMAXMINUS1", 63 },
		{ "SIGNAL_SIGRTMAX", 64 },
	};
	uint64_t seen[2] = { 0 };

	cr_assert_eq(cri_signal_names.n, CRI_SIGNAL_N);
	for (int i = 0; i < CRI_SIGNAL_N; i++) {
		const char *name = name_of(&cri_signal_names, i);
		cr_assert_not_null(name);
		cr_assert_eq(name_parse(&cri_signal_names, name), i);
		cr_assert(cri_signal(i) >= 0 && cri_signal(i) <= 64, "%s", name);
		seen[cri_signal(i) / 64] |= UINT64_C(1) << cri_signal(i) % 64;
	}
	/* All of Linux's but the two that the C library keeps. */
	cr_assert_eq(seen[0], ~(UINT64_C(3) << 32));
	cr_assert_eq(seen[1], 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(cri_signal(name_parse(&cri_signal_names, rows[i].name)),
			rows[i].number, "%s", rows[i].name);
	cr_assert_eq(cri_signal(-1), -1);
	cr_assert_eq(cri_signal(CRI_SIGNAL_N), -1);
}
