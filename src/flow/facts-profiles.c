/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles that a request names: a file with a seccomp filter, a profile that AppArmor has loaded.
 */
#include "flow/facts-look.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "model/seccomp-default.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define APPARMOR_PROFILES "/sys/kernel/security/apparmor/profiles"
#define LOCALHOST         "localhost/"

enum { PROFILES_MAX = 16 << 20 };

struct ref {
	const char *text; /* NULL: no localhost profile is asked for */
	const char *field;
};

/* The message wins over the deprecated text. */
static struct ref localhost_ref(const struct cri_security_profile *message, const char *text,
	const char *message_field, const char *text_field)
{
	struct ref r = { .field = message ? message_field : text_field };
	const char *ref = NULL;

	if (message && message->profile_type == CRI_PROFILE_LOCALHOST)
		ref = message->localhost_ref ? message->localhost_ref : "";
	else if (!message && text && str_starts(text, LOCALHOST))
		ref = text;
	if (ref)
		r.text = str_starts(ref, LOCALHOST) ? ref + strlen(LOCALHOST) : ref;
	return r;
}

/* ---- seccomp ---- */

/* The part of a path behind the folder, both clean; NULL when it lies elsewhere. */
static const char *beneath(const char *path, const char *dir)
{
	size_t n = str_eq(dir, "/") ? 0 : strlen(dir);

	return path_is_under(path, dir) && path[n] ? path + n + 1 : NULL;
}

static int open_profile(const char *dir, const char *name, struct err *err)
{
	_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return err_sys(err, errno, "open", "%s", dir);
	return path_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, err);
}

static int parse_profile(struct facts_look *l, const struct ref *ref, int fd, struct err *err)
{
	struct oci_seccomp *profile;
	struct err why = ERR_INIT;
	_free_ char *text = NULL;
	struct stat st;
	size_t n;
	char line[320];

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ctr_fault_add(l->faults, ERR_INVALID, ref->field, "%.200s is not a regular file",
			ref->text);
		return 0;
	}
	if (fd_read_all(fd, SECCOMP_PROFILE_MAX, &text, &n) < 0) {
		if (errno != EFBIG)
			return facts_fault_os(l, errno, ref->field, ref->text, err);
		ctr_fault_add(l->faults, ERR_INVALID, ref->field, "%.200s is bigger than %d bytes",
			ref->text, SECCOMP_PROFILE_MAX);
		return 0;
	}
	if (seccomp_profile_parse(text, n, l->arena, &profile, &why) == 0) {
		l->facts->seccomp = profile;
		return 0;
	}
	err_line(&why, line, sizeof(line));
	ctr_fault_add(l->faults, why.code, ref->field, "%.120s: %s", ref->text, line);
	return 0;
}

/* Only beneath the folders that the settings name; a relative name is looked for in each. */
static int look_at_seccomp(struct facts_look *l, const struct ref *ref, struct err *err)
{
	const struct settings *s = l->in->settings;
	const char *path = path_clean(l->arena, ref->text);
	struct err why = ERR_INIT;
	bool allowed = false;

	for (size_t i = 0; path && i < s->n_seccomp_dirs; i++) {
		const char *dir = path_clean(l->arena, s->seccomp_dirs[i]), *name;
		if (!dir)
			return err_nomem(err);
		name = ref->text[0] == '/' ? beneath(path, dir) : path + 1;
		if (!name || !*name)
			continue;
		allowed = true;
		_close_ int fd = open_profile(dir, name, &why);
		if (fd >= 0)
			return parse_profile(l, ref, fd, err);
		if (why.os != ENOENT && why.os != ENOTDIR)
			break;
	}
	if (!path)
		return err_nomem(err);
	if (allowed && why.os != ELOOP)
		return facts_fault_os(l, why.os, ref->field, ref->text, err);
	if (allowed)
		ctr_fault_add(l->faults, ERR_INVALID, ref->field,
			"%.200s is reached by a symlink, which isn't followed here", ref->text);
	else
		ctr_fault_add(l->faults, ERR_INVALID, ref->field,
			"\"%.200s\" isn't beneath a folder of seccomp profiles (defaults.seccompProfileDirs of the settings)",
			ref->text);
	return 0;
}

/* ---- AppArmor ---- */

int facts_has_profile(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = list; *line;) {
		const char *end = strchrnul(line, '\n'), *mode = end;

		while (mode > line && *mode != '(')
			mode--;
		if (mode > line && (size_t)(mode - line) == n + 1 && mode[-1] == ' ' &&
			memcmp(line, name, n) == 0)
			return 1;
		line = *end ? end + 1 : end;
	}
	return 0;
}

/* 1 loaded, 0 not, -1 with err when the kernel's list can't be read. */
static int is_loaded(const char *name, struct err *err)
{
	_free_ char *list = NULL;
	size_t n;

	if (file_read(AT_FDCWD, APPARMOR_PROFILES, PROFILES_MAX, &list, &n, err) < 0)
		return -1;
	return facts_has_profile(list, name);
}

static bool is_own_want(const struct err *err)
{
	return err->os == ENOMEM || err->os == EMFILE || err->os == ENFILE;
}

static int look_at_apparmor(
	struct facts_look *l, const struct ref *ref, const char *hint, struct err *err)
{
	struct err why = ERR_INIT;
	int r = is_loaded(ref->text, &why);

	if (r < 0 && is_own_want(&why)) {
		*err = why;
		return -1;
	}
	if (r < 0)
		ctr_fault_add(l->faults, ERR_STATE, ref->field,
			"nobody can tell whether \"%.100s\" is loaded: " APPARMOR_PROFILES
			" can't be read",
			ref->text);
	else if (r == 0)
		ctr_fault_add(l->faults, ERR_STATE, ref->field,
			"the AppArmor profile \"%.150s\" isn't loaded%s", ref->text, hint);
	return 0;
}

/* Neither request nor settings ask for a profile: the built-in default is used where it is loaded,
 * and where it isn't nothing is weaker than asked for. */
static int look_for_unasked_apparmor(struct facts_look *l, struct err *err)
{
	struct err why = ERR_INIT;
	int r = is_loaded(SETTINGS_APPARMOR, &why);

	if (r < 0 && is_own_want(&why)) {
		*err = why;
		return -1;
	}
	l->facts->no_apparmor_default = r != 1;
	if (r != 1)
		log_debug("no AppArmor profile: none is asked for, and " SETTINGS_APPARMOR
			  " isn't loaded");
	return 0;
}

/* What spec_build takes for a container that names no profile of its own. It would be missed when
 * the program is executed; here it can be told what to do. */
static int look_at_default_apparmor(struct facts_look *l, struct err *err)
{
	const struct cri_security_profile *message = l->sec->apparmor;
	const char *text = l->sec->apparmor_profile;
	const struct ref ref = { l->in->settings->apparmor_profile,
		message || !text ? FACTS_SECURITY "apparmor" : FACTS_SECURITY "apparmor_profile" };

	if (!ref.text || !*ref.text)
		return 0;
	if (message ? message->profile_type != CRI_PROFILE_RUNTIME_DEFAULT
		    : str_eq(text, "unconfined"))
		return 0;
	if (!message && !(text && *text) && str_eq(ref.text, SETTINGS_APPARMOR))
		return look_for_unasked_apparmor(l, err);
	return look_at_apparmor(l, &ref,
		str_eq(ref.text, SETTINGS_APPARMOR)
			? ": load it with apparmor_parser from share/ctrctl/apparmor, or name another in defaults.apparmorProfile of the settings"
			: ": load it with apparmor_parser, or name another in defaults.apparmorProfile of the settings",
		err);
}

/* A privileged container has neither. */
int facts_profiles(struct facts_look *l, struct err *err)
{
	const struct ref filter = localhost_ref(l->sec->seccomp, l->sec->seccomp_profile_path,
		FACTS_SECURITY "seccomp.localhost_ref", FACTS_SECURITY "seccomp_profile_path");
	const struct ref profile = localhost_ref(l->sec->apparmor, l->sec->apparmor_profile,
		FACTS_SECURITY "apparmor.localhost_ref", FACTS_SECURITY "apparmor_profile");

	if (l->privileged)
		return 0;
	if (filter.text && look_at_seccomp(l, &filter, err) < 0)
		return -1;
	if (!l->facts->apparmor) /* spec_build refuses what was asked for */
		return 0;
	return profile.text ? look_at_apparmor(l, &profile, "", err)
			    : look_at_default_apparmor(l, err);
}
