/* SPDX-License-Identifier: Apache-2.0 */
/* features: printed from the tables that the parsers use, so that it can't claim what isn't there;
 * what depends on the kernel is asked of it. */
#include "cli/cli.h"

#include "base/json.h"
#include "model/caps.h"
#include "model/mntopt.h"
#include "model/oci.h"
#include "version.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

static void key_list(struct json_writer *w, const char *key, const struct name_table *t)
{
	json_w_key(w, key);
	json_w_array(w);
	for (size_t i = 0; i < t->n; i++) {
		if (t->names[i] && *t->names[i])
			json_w_str(w, t->names[i]);
	}
	json_w_array_end(w);
}

static void key_bool(struct json_writer *w, const char *key, bool value)
{
	json_w_key(w, key);
	json_w_bool(w, value);
}

static void key_str(struct json_writer *w, const char *key, const char *value)
{
	json_w_key(w, key);
	json_w_str(w, value);
}

/* {"key": {"enabled": value}} */
static void key_enabled(struct json_writer *w, const char *key, bool value)
{
	json_w_key(w, key);
	json_w_object(w);
	key_bool(w, "enabled", value);
	json_w_object_end(w);
}

static void mount_options(struct json_writer *w)
{
	json_w_key(w, "mountOptions");
	json_w_array(w);
	for (size_t i = 0; mount_opt_name(i); i++)
		json_w_str(w, mount_opt_name(i));
	json_w_array_end(w);
}

static void capabilities(struct json_writer *w)
{
	json_w_key(w, "capabilities");
	json_w_array(w);
	for (int i = 0; i < CAPS_N; i++)
		json_w_str(w, caps_name(i));
	json_w_array_end(w);
}

static void cgroup(struct json_writer *w)
{
	json_w_key(w, "cgroup");
	json_w_object(w);
	key_bool(w, "v1", false);
	key_bool(w, "v2", true);
	key_bool(w, "systemd", false);
	key_bool(w, "systemdUser", false);
	key_bool(w, "rdma", true);
	json_w_object_end(w);
}

/* The running kernel takes the flags: then it only misses the filter, which isn't there (EFAULT).
 */
static bool kernel_takes(unsigned flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static void supported_flags(struct json_writer *w)
{
	static const unsigned flags[OCI_SECCOMP_FLAG_N] = {
		[OCI_SECCOMP_TSYNC] = SECCOMP_FILTER_FLAG_TSYNC,
		[OCI_SECCOMP_LOG] = SECCOMP_FILTER_FLAG_LOG,
		[OCI_SECCOMP_SPEC_ALLOW] = SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		/* Linux 5.19; only beside a listener */
		[OCI_SECCOMP_WAIT_KILLABLE_RECV] = 1U << 5 | SECCOMP_FILTER_FLAG_NEW_LISTENER,
	};

	json_w_key(w, "supportedFlags");
	json_w_array(w);
	for (int i = 0; i < OCI_SECCOMP_FLAG_N; i++)
		if (kernel_takes(flags[i]))
			json_w_str(w, name_of(&oci_seccomp_flag_names, i));
	json_w_array_end(w);
}

static void seccomp(struct json_writer *w)
{
	json_w_key(w, "seccomp");
	json_w_object(w);
	key_bool(w, "enabled", true);
	key_list(w, "actions", &oci_seccomp_action_names);
	key_list(w, "operators", &oci_seccomp_op_names);
	key_list(w, "archs", &oci_seccomp_arch_names);
	key_list(w, "knownFlags", &oci_seccomp_flag_names);
	supported_flags(w);
	json_w_object_end(w);
}

/* What is refused by name isn't a feature. */
static bool is_refused(const char *path)
{
	const struct oci_refusal *r;

	for (size_t i = 0; (r = oci_refusal(i)); i++) {
		if (str_eq(r->path, path))
			return true;
	}
	return false;
}

static void linux_features(struct json_writer *w)
{
	json_w_key(w, "linux");
	json_w_object(w);
	key_list(w, "namespaces", &oci_namespace_names);
	capabilities(w);
	cgroup(w);
	seccomp(w);
	key_enabled(w, "apparmor", !is_refused("process.apparmorProfile"));
	key_enabled(w, "selinux", !is_refused("process.selinuxLabel"));
	key_enabled(w, "intelRdt", !is_refused("linux.intelRdt"));
	if (!is_refused("linux.memoryPolicy")) {
		json_w_key(w, "memoryPolicy");
		json_w_object(w);
		key_list(w, "modes", &oci_mpol_mode_names);
		key_list(w, "flags", &oci_mpol_flag_names);
		json_w_object_end(w);
	}
	json_w_key(w, "mountExtensions");
	json_w_object(w);
	key_enabled(w, "idmap", true);
	json_w_object_end(w);
	key_enabled(w, "netDevices", !is_refused("linux.netDevices"));
	json_w_object_end(w);
}

int verb_features(struct cli *c, struct err *err)
{
	_str_ struct str out = { 0 };
	struct json_writer w = { .out = &out, .indent = 4 };

	json_w_object(&w);
	key_str(&w, "ociVersionMin", "1.0.0");
	key_str(&w, "ociVersionMax", "1.3.0");
	key_list(&w, "hooks", &oci_hook_kind_names);
	mount_options(&w);
	linux_features(&w);
	json_w_key(&w, "annotations");
	json_w_object(&w);
	key_str(&w, "org.ctrctl.version", CTRCTL_VERSION);
	key_str(&w, "org.ctrctl.commit", CTRCTL_COMMIT);
	json_w_object_end(&w);
	json_w_object_end(&w);
	str_add(&out, "\n");
	return print_out(&out, err);
}
