/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CreateContainerRequest -> struct -> rules -> config.json, with fixed facts about host, sandbox
 * and image: no files, no root. What comes out never gives more of the host than the request and
 * the sandbox ask for.
 */
#include "../tests/unit/flow/spec-case.h"
#include "base/log.h"
#include "model/oci.h"
#include "mutate.h"

#include <assert.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);

enum { INPUT_MAX = 64 * 1024 };

static const char *const texts[] = { "", "/", "/a", "/a/b", "/srv/../etc/hosts", "a", "a:b", "0",
	"/proc", "/proc/sys", "/proc/meminfo", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm",
	"/dev/null", "/dev/../proc/self", "/etc/hosts", "/data", "/var", "../x", "/x/../../y",
	"ALL", "all", "CAP_ALL", "SYS_ADMIN", "CAP_NET_RAW", "kill", "FLY", "NET_BIND_SERVICE",
	"localhost/x", "localhost//x.json", "runtime/default", "docker/default", "unconfined",
	"noexec", "nosuid", "nodev", "noatime", "relatime", "suid", "rshared", "rwm", "r", "x",
	"s0:c1,c2", "s0", "container_t", "a,b", "memory.high", "hugetlb.2MB.max", "cgroup.procs",
	"cgroup.max.depth", "../memory.max", "2MB", "0-3", "1,", "example.net/team",
	"run.oci.keep_original_groups", "io.kubernetes.cri.sandbox-id", "cdi.k8s.io/x", "A=B",
	"PATH", "HOSTNAME", "lxc/debian", "127.0.0.1", "net.ipv4.ip_forward", "kernel.shmmax",
	"a\nb", "web/0.log", "busybox", "abc" };

/* Three times of four a message stays a message. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	struct mutate m = { .state = seed, .texts = texts, .n_texts = ARRAY_SIZE(texts) };
	size_t changed = 0;

	if (mutate_random(&m, 4))
		changed = mutate_json(&m, data, n, max, cri_request_fields);
	if (changed)
		return changed;
	return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, n, max) : n;
}

/* An error has a kind and a line; one of our own mistakes is a finding. */
static void look_at(const struct err *err)
{
	char line[2048];

	assert(err->code != ERR_NONE && err->code != ERR_INTERNAL);
	err_line(err, line, sizeof(line));
	assert(line[0]);
}

/* Faults are sentences about a field. 1 when there are any. */
static int faulty(struct ctr_faults *faults)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < faults->n; i++)
		assert(faults->items[i].field[0] && faults->items[i].text[0]);
	if (!faults->total)
		return 0;
	assert(ctr_faults_err(faults, &err) == -1);
	look_at(&err);
	return 1;
}

/* The canonical form says the same. */
static void check_round_trip(const struct cri_create_container_request *r, struct arena *arena)
{
	_str_ struct str first = { 0 }, second = { 0 };
	struct cri_create_container_request *again;
	struct err err = ERR_INIT;

	cri_request_write(r, &first);
	assert(cri_request_parse(first.p, first.n, arena, &again, &err) == 0);
	cri_request_write(again, &second);
	assert(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
}

/* ---- what was asked for ---- */

static bool is_privileged(const struct spec_case *c)
{
	return cri_security(c->request->config)->privileged;
}

static bool names_all(const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], "ALL") == 0 || strcasecmp(list[i], "CAP_ALL") == 0)
			return true;
	return false;
}

static bool names(const char *const *list, size_t n, const char *cap)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], cap) == 0 || strcasecmp(list[i], cap + strlen("CAP_")) == 0)
			return true;
	return false;
}

static bool is_default(const char *cap)
{
	static const char *const defaults[] = { "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
		"CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE",
		"CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
		"CAP_SYS_CHROOT" };

	return names(defaults, ARRAY_SIZE(defaults), cap);
}

static bool may_have(const struct spec_case *c, const char *cap)
{
	static const struct cri_capability none;
	const struct cri_capability *asks = cri_security(c->request->config)->capabilities;

	if (is_privileged(c))
		return true;
	asks = asks ? asks : &none;
	if (names(asks->drop_capabilities, asks->n_drop_capabilities, cap))
		return false;
	if (names(asks->add_capabilities, asks->n_add_capabilities, cap))
		return true;
	if (names_all(asks->drop_capabilities, asks->n_drop_capabilities))
		return false;
	return is_default(cap) || names_all(asks->add_capabilities, asks->n_add_capabilities);
}

/* ---- what came of it ---- */

static void check_list(const struct spec_case *c, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert(may_have(c, list[i]));
}

static void check_capabilities(const struct spec_case *c, const struct oci_spec *spec)
{
	const struct oci_capabilities *caps = spec->process->capabilities;
	const struct cri_capability *asks = cri_security(c->request->config)->capabilities;

	assert(caps);
	check_list(c, caps->bounding, caps->n_bounding);
	check_list(c, caps->permitted, caps->n_permitted);
	check_list(c, caps->effective, caps->n_effective);
	check_list(c, caps->inheritable, caps->n_inheritable);
	check_list(c, caps->ambient, caps->n_ambient);
	assert(!caps->n_ambient || (asks && asks->n_add_ambient_capabilities));
	assert(!caps->n_inheritable || caps->n_ambient);
}

/* The host's own is there only where the sandbox has it; what is joined is the sandbox's. */
static void check_namespaces(const struct spec_case *c, const struct oci_spec *spec)
{
	const struct cri_namespace_option *pod = cri_pod_namespaces(c->sandbox.config);
	const struct cri_user_namespace *user = pod->userns_options;
	const struct {
		int type;
		bool may_be_hosts;
	} rules[] = {
		{ OCI_NS_MOUNT, false },
		{ OCI_NS_NETWORK, pod->network == CRI_NS_NODE },
		{ OCI_NS_UTS, pod->network == CRI_NS_NODE },
		{ OCI_NS_IPC, pod->ipc == CRI_NS_NODE },
		{ OCI_NS_PID, pod->pid == CRI_NS_NODE },
		{ OCI_NS_USER, !user || user->mode == CRI_NS_NODE },
		{ OCI_NS_CGROUP, is_privileged(c) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct oci_namespace *ns = oci_namespace_get(spec, rules[i].type);
		assert(ns || rules[i].may_be_hosts);
		if (ns && ns->path && !str_eq(ns->path, CASE_TARGET))
			assert(str_eq(ns->path, c->sandbox.ns_path[ns->type]));
		if (ns && str_eq(ns->path, CASE_TARGET))
			assert(ns->type == OCI_NS_PID &&
				cri_namespaces(c->request->config)->pid == CRI_NS_TARGET);
	}
}

static bool is_source(const struct spec_case *c, const char *path)
{
	static const char *const ours[] = { CASE_FOLDER "/hosts", CASE_FOLDER "/hostname",
		CASE_FOLDER "/resolv.conf", CASE_RUN "/shm" };
	const struct cri_namespace_option *pod = cri_pod_namespaces(c->sandbox.config);

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (str_eq(path, ours[i]))
			return true;
	for (size_t i = 0; i < c->request->config->n_mounts; i++)
		if (str_eq(path, c->mounts[i].source))
			return true;
	if (str_eq(path, "/dev/shm"))
		return pod->ipc == CRI_NS_NODE;
	return str_eq(path, "/sys") && pod->network == CRI_NS_NODE && pod->userns_options;
}

static bool has_option(const struct oci_mount *m, const char *option)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (str_eq(m->options[i], option))
			return true;
	return false;
}

/* At least one mount of the request from there may be written. */
static bool may_write(const struct spec_case *c, const char *source)
{
	const struct cri_container_config *config = c->request->config;

	for (size_t i = 0; i < config->n_mounts; i++)
		if (str_eq(source, c->mounts[i].source) && !config->mounts[i].readonly)
			return true;
	return str_starts(source, CASE_FOLDER) || str_starts(source, CASE_RUN "/shm") ||
	       str_eq(source, "/dev/shm");
}

static void check_mounts(const struct spec_case *c, const struct oci_spec *spec)
{
	static const char *const kinds[] = { "proc", "tmpfs", "sysfs", "cgroup", "devpts",
		"mqueue" };

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct oci_mount *m = &spec->mounts[i];
		bool known = false;
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			known |= str_eq(m->type, kinds[k]);
		assert(m->destination[0] == '/' && m->destination[1]);
		if (str_eq(m->type, "bind")) {
			assert(is_source(c, m->source));
			assert(has_option(m, "ro") || may_write(c, m->source));
			assert(!has_option(m, "rshared") || is_privileged(c));
			assert(!has_option(m, "dev") && !has_option(m, "suid"));
		} else {
			assert(known && m->source[0] != '/');
			assert(!str_eq(m->type, "sysfs") || has_option(m, "ro") ||
				is_privileged(c));
			assert(!str_eq(m->type, "cgroup") || has_option(m, "ro") ||
				is_privileged(c));
		}
	}
}

static bool is_asked_device(const struct spec_case *c, const struct oci_device *d)
{
	for (size_t i = 0; i < c->facts.n_devices; i++)
		if (d->major && d->minor && *d->major == c->facts.devices[i].major &&
			*d->minor == c->facts.devices[i].minor)
			return true;
	return is_privileged(c);
}

static void check_devices(const struct spec_case *c, const struct oci_spec *spec)
{
	const struct oci_linux *l = spec->linux_;

	for (size_t i = 0; i < l->n_devices; i++)
		assert(is_asked_device(c, &l->devices[i]));
	assert(l->resources && l->resources->n_devices);
	for (size_t i = 0; i < l->resources->n_devices; i++) {
		const struct oci_device_rule *r = &l->resources->devices[i];
		if (i == 0)
			assert(!r->allow && !r->type && str_eq(r->access, "rwm"));
		else
			assert(r->allow && (is_privileged(c) || (r->type && r->major && r->minor)));
	}
}

static void check_rest(const struct spec_case *c, const struct oci_spec *spec)
{
	const struct cri_linux_container_security_context *sec = cri_security(c->request->config);
	bool context = c->request->config->linux_ && c->request->config->linux_->security_context;
	const struct oci_linux *l = spec->linux_;

	assert(!sec->privileged || cri_pod_security(c->sandbox.config)->privileged);
	assert(spec->root->readonly == sec->readonly_rootfs);
	assert(spec->process->no_new_privileges == sec->no_new_privs);
	assert(!spec->hooks && !l->sysctl.n && !spec->hostname);
	assert(str_starts(l->cgroups_path, c->sandbox.cgroup));
	assert(context || (l->n_masked_paths && l->n_readonly_paths));
	if (!sec->privileged) {
		assert(!context || l->n_masked_paths == sec->n_masked_paths);
		assert(!context || l->n_readonly_paths == sec->n_readonly_paths);
		assert(l->seccomp || !sec->seccomp ||
			sec->seccomp->profile_type == CRI_PROFILE_UNCONFINED);
		assert(!c->facts.selinux || spec->process->selinux_label);
	}
	for (size_t i = 0; i < spec->annotations.n; i++) {
		const char *key = spec->annotations.items[i].key;
		assert(str_starts(key, "io.kubernetes.cri") || str_eq(key, "example.net/team"));
	}
	assert(str_eq(ctr_map_get(&spec->annotations, "io.kubernetes.cri.sandbox-id"), CASE_POD));
}

/* Rules of config.json that nothing is gained by breaking are those of the message's check. */
static void check_text(const struct oci_spec *spec, bool valid, struct arena *arena)
{
	_str_ struct str first = { 0 }, second = { 0 };
	struct oci_spec *again;
	struct err err = ERR_INIT;

	spec_write(spec, &first);
	assert(oci_spec_parse(first.p, first.n, arena, &again, &err) == 0);
	if (oci_spec_check(again, &err) < 0) {
		look_at(&err);
		assert(!valid);
	}
	spec_write(again, &second);
	assert(first.n == second.n && memcmp(first.p, second.p, first.n) == 0);
}

/* Kinds of hosts, by the input. */
static void vary(struct spec_case *c, const uint8_t *data, size_t n)
{
	static const struct oci_seccomp profile = { .default_action = OCI_ACT_ERRNO };
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++)
		bits = bits * 31 + data[i];
	c->facts.apparmor = bits & 1;
	c->facts.selinux = (bits & 6) == 6;
	c->facts.seccomp = bits & 8 ? &profile : NULL;
	c->settings.restricted_capabilities = (bits & 48) == 48;
	for (size_t i = 0; i < c->request->config->n_mounts; i++) {
		static const int peers[] = { SPEC_PEER_PRIVATE, SPEC_PEER_SLAVE, SPEC_PEER_SHARED,
			SPEC_PEER_SHARED };
		c->mounts[i].peer = peers[((bits >> 6) + i) % ARRAY_SIZE(peers)];
	}
}

static void build(struct cri_create_container_request *request, bool valid, struct arena *arena,
	const uint8_t *data, size_t n)
{
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct spec_case c;
	struct oci_spec *spec;
	struct err err = ERR_INIT;

	if (case_init(&c, request, arena) < 0)
		return;
	vary(&c, data, n);
	if (spec_build(&c.in, arena, &spec, &faults, &err) < 0) {
		look_at(&err);
	} else {
		check_capabilities(&c, spec);
		check_namespaces(&c, spec);
		check_mounts(&c, spec);
		check_devices(&c, spec);
		check_rest(&c, spec);
		check_text(spec, valid, arena);
	}
	ctr_faults_done(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool quiet;
	_arena_ struct arena *arena = arena_new();
	struct cri_create_container_request *request;
	struct ctr_faults faults = CTR_FAULTS_INIT;
	struct err err = ERR_INIT;

	if (!quiet)
		quiet = log_open(NULL, LOG_TEXT, LOG_ERROR, &err) == 0;
	if (n > INPUT_MAX || !arena)
		return 0;
	if (cri_request_parse((const char *)data, n, arena, &request, &err) < 0) {
		look_at(&err);
		return 0;
	}
	check_round_trip(request, arena);
	cri_request_check(request, &faults);
	if (request->config)
		cri_container_check_in_pod(request->config, request->sandbox_config, &faults);
	/* The rules of the builder hold alone: what breaks those of the message is built too. */
	bool valid = !faulty(&faults);
	if (valid || (request->config && n % 2))
		build(request, valid, arena, data, n);
	ctr_faults_done(&faults);
	return 0;
}
