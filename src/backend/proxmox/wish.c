/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways to a wish use. */
#include "backend/proxmox/wish.h"

#include "backend/proxmox/proxmox.h"
#include "base/path.h"

#include <string.h>

static const char *const way_names[WISH_WAY_N] = { [WISH_MAPPED] = "mapped",
	[WISH_MET] = "met",
	[WISH_WAIVED] = "waived",
	[WISH_REFUSED] = "refused" };

const char *wish_way_name(int way)
{
	return way >= 0 && way < WISH_WAY_N ? way_names[way] : NULL;
}

int proxmox_wish(const struct ctr_input *in, struct arena *a, struct guest_wish *ret,
	struct ctr_faults *faults, struct err *err)
{
	const struct settings_proxmox *cfg = in->context->cfg;

	return in->config ? wish_from_cri(in, cfg, a, ret, faults, err)
			  : wish_from_oci(in, cfg, a, ret, faults, err);
}

int wish_waive(struct guest_wish *w, const struct settings_proxmox *cfg,
	enum settings_waiver waiver, struct ctr_faults *faults, const char *field, const char *what)
{
	if (cfg->waive[waiver]) {
		w->waived[waiver] = true;
		return 1;
	}
	ctr_fault_add(faults, ERR_UNSUPPORTED, field, "%s; \"%s\" in proxmox.waive would let it go",
		what, settings_waiver_name(waiver));
	return 0;
}

/* One name, and what is behind it; NULL: none. */
static const char *behind_name(const char *p)
{
	const size_t n = strcspn(p, "/");

	return n ? p + n : NULL;
}

/* /var/lib/kubelet/pods/UID/containers/NAME/ID: where a kubelet lays it. Volumes of the pod are
 * beside that. */
static bool is_termination_log(const char *source)
{
	static const char pods[] = "/var/lib/kubelet/pods/", containers[] = "/containers/";
	const char *p = str_starts(source, pods) ? behind_name(source + strlen(pods)) : NULL;

	if (!p || !str_starts(p, containers))
		return false;
	p = behind_name(p + strlen(containers));
	p = p && *p ? behind_name(p + 1) : NULL;
	return p && !*p;
}

bool wish_is_usual_bind(const char *source, const char *target)
{
	static const char *const files[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
		"/run/.containerenv", "/dev/termination-log" };
	static const char *const folders[] = { "/var/run/secrets/kubernetes.io",
		"/run/secrets/kubernetes.io" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (str_eq(target, files[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (path_is_under(target, folders[i]))
			return true;
	}
	/* The termination log, wherever the pod wants it. */
	return is_termination_log(source);
}

static bool is_one_of(const char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(list[i], text))
			return true;
	}
	return false;
}

/* What engines and the kubelet hide unless told otherwise. */
bool wish_is_usual_masked(const char *path)
{
	static const char *const all[] = { "/proc/acpi", "/proc/asound", "/proc/interrupts",
		"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block",
		"/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux" };
	static const char cpu[] = "/sys/devices/system/cpu/cpu", throttle[] = "/thermal_throttle";
	const size_t n = str_starts(path, cpu) ? strspn(path + strlen(cpu), "0123456789") : 0;

	return is_one_of(all, ARRAY_SIZE(all), path) ||
	       (n && str_eq(path + strlen(cpu) + n, throttle));
}

bool wish_is_usual_readonly(const char *path)
{
	static const char *const all[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger" };

	return is_one_of(all, ARRAY_SIZE(all), path) || wish_is_usual_masked(path);
}

bool wish_path_fits(const char *path)
{
	const size_t n = strlen(path);

	if (n && (path[0] == ' ' || path[n - 1] == ' '))
		return false;
	for (const char *p = path; *p; p++) {
		if (*p == ',' || *p == '=' || (unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return true;
}

enum { HOSTNAME_MAX = 63 }; /* the server takes more, but LXC doesn't start it then */

static bool fits(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* One label's characters, as far as there is room: others become '-'; none at its ends. */
static void add_label(struct str *out, const char *text, size_t n)
{
	const size_t used = out->n + (out->n > 0);
	size_t from = 0, to = n;

	while (from < to && !fits(text[from]))
		from++;
	if (used >= HOSTNAME_MAX)
		return;
	if (to - from > HOSTNAME_MAX - used)
		to = from + HOSTNAME_MAX - used;
	while (to > from && !fits(text[to - 1]))
		to--;
	if (from == to)
		return;
	if (out->n)
		str_add(out, ".");
	for (size_t i = from; i < to; i++) {
		const char c = fits(text[i]) ? text[i] : '-';
		str_addn(out, &c, 1);
	}
}

int wish_set_hostname(struct guest_wish *w, const char *wanted, const char *from, const char *id,
	struct arena *a, struct err *err)
{
	_str_ struct str out = { 0 };

	for (const char *p = wanted ? wanted : ""; *p;) {
		size_t n = strcspn(p, ".");

		add_label(&out, p, n);
		p += n + (p[n] == '.');
	}
	w->hostname_from = out.n ? from : NULL;
	if (!out.n)
		str_printf(&out, "ct-%.12s", id);
	w->hostname = out.failed ? NULL : arena_strdup(a, out.p);
	return w->hostname ? 0 : err_nomem(err);
}
