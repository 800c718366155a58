/* SPDX-License-Identifier: Apache-2.0 */
/* A request with a sandbox, an image and facts that fit it: for tests and the fuzz target of
 * spec_build. Nothing of it looks at this host. */
#ifndef TEST_SPEC_CASE_H
#define TEST_SPEC_CASE_H

#include "base/path.h"
#include "flow/spec.h"
#include "model/caps.h"
#include "model/cri.h"

#include <string.h>

#define CASE_POD    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CASE_FOLDER "/var/lib/ctrctl/sandboxes/" CASE_POD
#define CASE_RUN    "/run/ctrctl/sandboxes/" CASE_POD
#define CASE_TARGET "/proc/4711/ns/pid"

struct spec_case {
	struct arena *arena;
	struct cri_create_container_request *request;
	struct ctr_sandbox_record sandbox;
	struct ctr_image_record image;
	struct spec_facts facts;
	struct settings settings;
	struct spec_mount_fact *mounts; /* facts.mounts */
	struct spec_input in;
};

static inline void case_sandbox(struct spec_case *c)
{
	static const struct cri_pod_sandbox_config empty;
	const struct cri_pod_sandbox_config *config =
		c->request->sandbox_config ? c->request->sandbox_config : &empty;
	const struct cri_namespace_option *ns = cri_pod_namespaces(config);
	struct ctr_sandbox_record *s = &c->sandbox;

	*s = (struct ctr_sandbox_record){ .id = CASE_POD,
		.name = "shop-0_shop_6d3c_0",
		.folder = CASE_FOLDER,
		.run_folder = CASE_RUN,
		.cgroup = "/kubepods/pod1/" CASE_POD,
		.config = config };
	if (ns->network != CRI_NS_NODE) {
		s->hostname =
			config->hostname && *config->hostname ? config->hostname : "0123456789ab";
		s->ns_path[OCI_NS_NETWORK] = CASE_RUN "/net";
		s->ns_path[OCI_NS_UTS] = CASE_RUN "/uts";
	}
	if (ns->ipc != CRI_NS_NODE) {
		s->ns_path[OCI_NS_IPC] = CASE_RUN "/ipc";
		s->shm = CASE_RUN "/shm";
	}
	if (ns->pid == CRI_NS_POD)
		s->ns_path[OCI_NS_PID] = CASE_RUN "/pid";
	if (ns->userns_options && ns->userns_options->mode != CRI_NS_NODE)
		s->ns_path[OCI_NS_USER] = CASE_RUN "/user";
}

static inline void case_image(struct spec_case *c)
{
	static const char *entrypoint[] = { "/docker-entrypoint.sh" };
	static const char *cmd[] = { "httpd", "-f" };
	static const char *env[] = { "LANG=C.UTF-8", "PATH=/opt/bin:/bin", "NO_EQUALS", "=empty",
		"B\nAD=1", "GREETING=from the image" };
	static const char *volumes[] = { "/data", "/cache/../var/cache/", "/proc/sys", "/", "data",
		"/work" };
	static const char *names[] = { "registry.example.net/shop/web:2.4" };

	c->image = (struct ctr_image_record){
		.id = "sha256:3f8a00f137a0d2c8a2163a09901e28e2471999fde4efc2f9570b91f1c30acf94",
		.names = names,
		.n_names = 1,
		.config = { .user = "app",
			.working_dir = "srv",
			.entrypoint = entrypoint,
			.cmd = cmd,
			.env = env,
			.volumes = volumes,
			.n_entrypoint = 1,
			.n_cmd = 2,
			.n_env = ARRAY_SIZE(env),
			.n_volumes = ARRAY_SIZE(volumes) },
	};
}

static inline int case_mounts(struct spec_case *c)
{
	const struct cri_container_config *config = c->request->config;

	c->mounts = arena_array(c->arena, config->n_mounts, sizeof(*c->mounts));
	if (!c->mounts)
		return -1;
	for (size_t i = 0; i < config->n_mounts; i++) {
		const struct cri_mount *m = &config->mounts[i];
		const char *path = m->host_path && *m->host_path ? m->host_path : NULL;
		c->mounts[i].source = m->image ? arena_printf(c->arena, CASE_RUN "/images/%zu", i)
				      : path   ? path_clean(c->arena, path)
					       : NULL;
		c->mounts[i].is_dir = true;
		c->mounts[i].peer = SPEC_PEER_SHARED;
	}
	c->facts.mounts = c->mounts;
	return 0;
}

static inline int case_devices(struct spec_case *c)
{
	static const struct spec_device_fact host[] = {
		{ "/dev/null", "rwm", 'c', 1, 3, 020666, 0, 0 },
		{ "/dev/sda", "rwm", 'b', 8, 0, 060660, 0, 6 },
		{ "/dev/initctl", "rwm", 'p', 0, 0, 010600, 0, 0 },
	};
	const struct cri_container_config *config = c->request->config;
	struct spec_device_fact *list = arena_array(c->arena, config->n_devices, sizeof(*list));

	if (!list)
		return -1;
	for (size_t i = 0; i < config->n_devices; i++)
		list[i] = (struct spec_device_fact){ config->devices[i].container_path,
			config->devices[i].permissions, 'c', 10, 200 + (int64_t)i, 020660, 0, 5 };
	c->facts.devices = list;
	c->facts.n_devices = config->n_devices;
	c->facts.host_devices = host;
	c->facts.n_host_devices = cri_security(config)->privileged ? ARRAY_SIZE(host) : 0;
	return 0;
}

static inline void case_user(struct spec_case *c)
{
	static uint32_t groups[] = { 10, 27 };
	const struct cri_linux_container_security_context *sec = cri_security(c->request->config);
	struct spec_user *u = &c->facts.user;

	*u = (struct spec_user){ .uid = 100, .gid = 101, .name = "app", .n_groups = 2 };
	u->groups = groups;
	if (sec->run_as_user)
		*u = (struct spec_user){ .uid = (uint32_t)sec->run_as_user->value };
	if (sec->run_as_group)
		u->gid = (uint32_t)sec->run_as_group->value;
}

/* 0, or -1 when memory is out. The request lives in the arena, and may be changed later. */
static inline int case_init(
	struct spec_case *c, struct cri_create_container_request *request, struct arena *arena)
{
	static const char *caps[CAPS_N];
	static const char *allowed[] = { "example.net/team", "run.oci.keep_original_groups",
		"org.systemd.property.X", "io.kubernetes.cri.sandbox-id" };

	*c = (struct spec_case){ .arena = arena, .request = request };
	for (int i = 0; i < CAPS_N; i++)
		caps[i] = caps_name(i);
	c->facts.host_caps = caps;
	c->facts.n_host_caps = CAPS_N;
	c->facts.hostname = "node-1";
	c->facts.target_pid_ns = CASE_TARGET;
	c->settings = (struct settings){ .apparmor_profile = "ctrctl-default",
		.annotations = allowed,
		.n_annotations = ARRAY_SIZE(allowed) };
	case_sandbox(c);
	case_image(c);
	case_user(c);
	c->in = (struct spec_input){ .id = "c0ffee",
		.config = request->config,
		.sandbox = &c->sandbox,
		.image = &c->image,
		.facts = &c->facts,
		.settings = &c->settings };
	return case_mounts(c) < 0 ? -1 : case_devices(c);
}

#endif
