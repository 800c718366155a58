/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the host, the root filesystem, the images: all that spec_build has to know. */
#include "flow/facts.h"

#include "base/fd.h"
#include "base/path.h"
#include "flow/facts-look.h"
#include "flow/user.h"
#include "model/caps.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SELINUX_MAGIC
#define SELINUX_MAGIC 0xf97cff8c
#endif

/* ---- helpers of the parts ---- */

const char *facts_field(struct facts_look *l, const char *fmt, ...)
{
	char text[sizeof(((struct ctr_fault *)0)->field)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	const char *field = arena_strdup(l->arena, text);
	return field ? field : "config";
}

int facts_fault_os(
	struct facts_look *l, int os, const char *field, const char *path, struct err *err)
{
	if (os == ENOMEM || os == EMFILE || os == ENFILE)
		return err_sys(err, os, "open", "%s", path);
	if (os == ENOENT || os == ENOTDIR)
		ctr_fault_add(l->faults, ERR_NOT_FOUND, field, "%.200s isn't there", path);
	else
		ctr_fault_add(l->faults, ERR_INVALID, field, "%.200s can't be opened (%s)", path,
			err_errno_name(os));
	return 0;
}

/* ---- the user ---- */

static const char *user_field(const struct facts_look *l)
{
	if (l->sec->run_as_user)
		return FACTS_SECURITY "run_as_user";
	if (l->sec->run_as_username && *l->sec->run_as_username)
		return FACTS_SECURITY "run_as_username";
	return "config.image";
}

/* What the request or the image got wrong is a fault, what went wrong here is an error. */
static int user_fault(struct facts_look *l, const struct err *why, struct err *err)
{
	struct err bare = *why;
	char line[320];
	const char *field = user_field(l);

	if (why->code != ERR_INVALID) {
		*err = *why;
		return -1;
	}
	if (str_starts(bare.object, "config.")) { /* spec_user_text names the field itself */
		ctr_fault_add(l->faults, ERR_INVALID, bare.object, "%s", bare.text);
		return 0;
	}
	err_line(&bare, line, sizeof(line));
	ctr_fault_add(l->faults, ERR_INVALID, field, "%s%s",
		str_eq(field, "config.image") ? "its user: " : "", line);
	return 0;
}

static int look_at_user(struct facts_look *l, struct err *err)
{
	struct err why = ERR_INIT;
	bool strict = l->sec->supplemental_groups_policy == CRI_GROUPS_STRICT;
	const char *text = spec_user_text(l->in->config, &l->in->image->config, l->arena, &why);

	if (!text ||
		user_resolve(l->in->rootfs_fd, text, strict, l->arena, &l->facts->user, &why) < 0)
		return user_fault(l, &why, err);
	return 0;
}

/* ---- the host ---- */

static bool apparmor_enabled(void)
{
	_close_ int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char c = 0;

	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'Y';
}

static bool selinux_enabled(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && (unsigned)fs.f_type == SELINUX_MAGIC;
}

static int look_at_caps(struct facts_look *l, struct err *err)
{
	const char **names = arena_array(l->arena, CAPS_N, sizeof(*names));
	uint64_t own;

	if (!names)
		return err_nomem(err);
	if (caps_own(&own, err) < 0)
		return -1;
	for (int cap = 0; cap < CAPS_N; cap++) {
		if (own >> cap & 1)
			names[l->facts->n_host_caps++] = caps_name(cap);
	}
	l->facts->host_caps = names;
	return 0;
}

static int look_at_host(struct facts_look *l, struct err *err)
{
	struct utsname host;

	if (uname(&host) < 0)
		return err_sys(err, errno, "uname", "this host");
	l->facts->hostname = arena_strdup(l->arena, host.nodename);
	if (!l->facts->hostname)
		return err_nomem(err);
	l->facts->apparmor = apparmor_enabled();
	l->facts->selinux = selinux_enabled();
	l->facts->target_pid_ns = l->in->target_pid_ns;
	return look_at_caps(l, err);
}

/* ---- all of it ---- */

static int (*const looks[])(struct facts_look *, struct err *) = {
	look_at_host,
	look_at_user,
	facts_mounts,
	facts_devices,
	facts_profiles,
};

int facts_gather(const struct facts_input *in, struct arena *arena, struct spec_facts *ret,
	struct ctr_faults *faults, struct err *err)
{
	struct spec_facts facts = { 0 };
	struct facts_look look = {
		.in = in,
		.sec = cri_security(in->config),
		.arena = arena,
		.faults = faults,
		.facts = &facts,
	};
	size_t before = faults->total;

	look.privileged = look.sec->privileged && cri_pod_security(in->sandbox->config)->privileged;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		if (looks[i](&look, err) < 0)
			return -1;
	}
	if (arena_failed(arena))
		return err_nomem(err);
	if (faults->total != before)
		return ctr_faults_err(faults, err);
	*ret = facts;
	return 0;
}

int facts_make_sources(
	const struct cri_container_config *config, const struct spec_facts *facts, struct err *err)
{
	for (size_t i = 0; i < config->n_mounts; i++) {
		if (!facts->mounts[i].absent)
			continue;
		if (path_make_dirs(facts->mounts[i].source, 0755, err) < 0)
			return err_in(err, "config.mounts[%zu].host_path", i);
	}
	return 0;
}
