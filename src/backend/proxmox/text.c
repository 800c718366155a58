/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server's words mean. It has no error codes: nearly everything is status 500 and a
 * sentence, and a task ends with a sentence alone. This is the one place that knows them, as
 * Proxmox VE 7.4 to 9.2 say them.
 */
#include "backend/proxmox/api.h"

#include <string.h>
#include <strings.h>

/*
 * `pattern` is looked for anywhere in the text; '#' stands for a number, '*' for anything but
 * a quote. Names that users choose have no blanks, so no name can look like one of these. The first
 * row that fits wins: what is more exact comes first.
 */
static const struct {
	enum pve_reason reason;
	const char *pattern;
} texts[] = {
	/* the id of a new guest */
	{ PVE_ID_TAKEN, "CT # already exists" },
	{ PVE_ID_TAKEN, "VM # already exists" },
	{ PVE_ID_TAKEN, "unable to create CT # - config file already exists" },
	{ PVE_ID_BUSY, "unable to create CT # - can't lock file" },
	{ PVE_ID_BUSY, "unable to restore CT # - can't lock file" },
	/* locks */
	{ PVE_BUSY, "can't lock file '*' - got timeout" },
	{ PVE_BUSY, "can't lock file '*' - can't acquire lock" },
	{ PVE_LOCK_STALE, "is locked (create)" },
	{ PVE_LOCK_STALE, "is locked (destroyed)" },
	{ PVE_LOCKED, "CT is locked (" },
	{ PVE_LOCKED, "VM is locked (" },
	{ PVE_LOCKED, "CT # is locked (" },
	/* the cluster */
	{ PVE_NO_QUORUM, "cluster not ready - no quorum" },
	{ PVE_NO_QUORUM, "no quorum!" },
	{ PVE_NO_QUORUM, "cfs-lock '*' error:" },
	{ PVE_NO_QUORUM, "got lock request timeout" },
	/* the guest's state */
	{ PVE_RUNNING, "CT # already running" },
	{ PVE_RUNNING, "VM # already running" },
	{ PVE_NOT_RUNNING, "CT # not running" },
	{ PVE_NOT_RUNNING, "VM # not running" },
	{ PVE_NOT_RUNNING, "CT # is not running" },
	{ PVE_IS_RUNNING, "unable to destroy CT # - container is running" },
	{ PVE_GONE, "Configuration file 'nodes/*/lxc/#.conf' does not exist" },
	{ PVE_GONE, "unable to find configuration file for CT #" },
	{ PVE_PROTECTED, "protection mode enabled" },
	{ PVE_CHANGED, "detected modified configuration" },
	/* storages */
	{ PVE_STORAGE, "storage '*' is disabled" },
	{ PVE_STORAGE, "storage '*' does not exist" },
	{ PVE_STORAGE, "storage '*' is not online" },
	{ PVE_STORAGE, "storage '*' is not available on node" },
	{ PVE_STORAGE, "storage '*' does not support" },
	{ PVE_STORAGE, "not enough space" },
	{ PVE_STORAGE, "not enough free space" },
	{ PVE_STORAGE, "insufficient free space" },
	{ PVE_STORAGE, "No space left on device" },
	{ PVE_STORAGE, "out of space" },
	{ PVE_FILE_EXISTS, "refusing to override existing file" },
	/* tasks */
	{ PVE_AMBIGUOUS, "got no worker upid" },
	{ PVE_START_FAILED, "startup for container '#' failed" },
	{ PVE_START_FAILED, "command 'systemctl start pve-container@#' failed" },
	{ PVE_STOP_TIMEOUT, "container did not stop" },
	{ PVE_STOP_TIMEOUT, "command 'lxc-stop -n # --nokill*' failed" },
	{ PVE_NO_TASK, "no such task" },
	{ PVE_NO_TASK, "unable to parse worker upid" },
	{ PVE_KILLED, "unexpected status" },
	{ PVE_KILLED, "received interrupt" },
	{ PVE_KILLED, "unable to get last line from task log" },
	{ PVE_KILLED, "unable to read tail (got 0 bytes)" },
	/* last, for the text may go with any status */
	{ PVE_FORBIDDEN, "Permission check failed" },
};

static bool fits_here(const char *pattern, const char *s)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			for (; !fits_here(pattern + 1, s); s++)
				if (!*s || *s == '\'')
					return false;
			return true;
		}
		if (*pattern != '#') {
			if (*s++ != *pattern)
				return false;
			continue;
		}
		size_t digits = strspn(s, "0123456789");
		if (!digits)
			return false;
		s += digits;
	}
	return true;
}

static bool fits(const char *pattern, const char *text)
{
	for (; *text; text++)
		if (fits_here(pattern, text))
			return true;
	return false;
}

/* What a status means by itself, whatever the text. */
static enum pve_reason of_status(unsigned status)
{
	switch (status) {
	case 400: return PVE_BAD_PARAMETER;
	case 401: return PVE_UNAUTHORIZED;
	case 403: return PVE_FORBIDDEN;
	case 595: return PVE_UNREACHED;
	/* Of something between us and the server, or of its own proxy. */
	case 502:
	case 503:
	case 504:
	case 596:
	case 597:
	case 598:
	case 599: return PVE_AMBIGUOUS;
	default: return PVE_OTHER;
	}
}

enum pve_reason pve_reason_of(unsigned status, const char *text)
{
	enum pve_reason plain = of_status(status);

	/* Here the text is of the connection, or of the login; and what is refused is refused,
	 * whatever names are in the words. */
	if (plain == PVE_UNREACHED || plain == PVE_AMBIGUOUS || plain == PVE_UNAUTHORIZED ||
		plain == PVE_FORBIDDEN)
		return plain;
	if (status == 200 || (status == 0 && str_eq(text, "OK")))
		return PVE_OK;
	for (size_t i = 0; text && i < ARRAY_SIZE(texts); i++)
		if (fits(texts[i].pattern, text))
			return texts[i].reason;
	return plain;
}

static const unsigned char codes[PVE_REASON_N] = {
	[PVE_OK] = ERR_NONE,
	[PVE_UNREACHED] = ERR_UNAVAILABLE,
	[PVE_AMBIGUOUS] = ERR_UNAVAILABLE,
	[PVE_UNTRUSTED] = ERR_DENIED,
	[PVE_UNAUTHORIZED] = ERR_DENIED,
	[PVE_FORBIDDEN] = ERR_DENIED,
	[PVE_BAD_PARAMETER] = ERR_INVALID,
	[PVE_GARBLED] = ERR_UNAVAILABLE,
	[PVE_ID_TAKEN] = ERR_EXISTS,
	[PVE_ID_BUSY] = ERR_UNAVAILABLE,
	[PVE_BUSY] = ERR_UNAVAILABLE,
	[PVE_LOCKED] = ERR_STATE,
	[PVE_LOCK_STALE] = ERR_STATE,
	[PVE_NO_QUORUM] = ERR_UNAVAILABLE,
	[PVE_RUNNING] = ERR_STATE,
	[PVE_NOT_RUNNING] = ERR_STATE,
	[PVE_IS_RUNNING] = ERR_STATE,
	[PVE_GONE] = ERR_NOT_FOUND,
	[PVE_PROTECTED] = ERR_DENIED,
	[PVE_CHANGED] = ERR_STATE,
	[PVE_STORAGE] = ERR_STATE,
	[PVE_FILE_EXISTS] = ERR_EXISTS,
	[PVE_START_FAILED] = ERR_SYSTEM,
	[PVE_STOP_TIMEOUT] = ERR_TIMEOUT,
	[PVE_NO_TASK] = ERR_NOT_FOUND,
	[PVE_KILLED] = ERR_SYSTEM,
	[PVE_TIMEOUT] = ERR_TIMEOUT,
	[PVE_OTHER] = ERR_SYSTEM,
};

enum err_code pve_reason_code(enum pve_reason reason)
{
	return (unsigned)reason < PVE_REASON_N ? (enum err_code)codes[reason] : ERR_INTERNAL;
}

/* ---- hints ---- */

/* By words of the text; the first row that fits wins. */
static const struct {
	const char *pattern, *hint;
} text_hints[] = {
	{ "only allowed for root@pam",
		"an API token never counts as root@pam: set proxmox.user to root@pam, with its password" },
	{ "Only root can",
		"an API token never counts as root@pam: set proxmox.user to root@pam, with its password" },
	{ "user != root@pam",
		"an API token never counts as root@pam: set proxmox.user to root@pam, with its password" },
	{ "hostname lookup '*' failed", "the cluster has no node of that name: see proxmox.nodes" },
	{ "Install 'skopeo'", "the node needs the package skopeo to pull images" },
	{ "entrypoint: property is not defined", "this needs Proxmox VE 9.1" },
	{ "env: property is not defined", "this needs Proxmox VE 9.1" },
	{ "host-managed: property is not defined", "this needs Proxmox VE 9.1" },
	{ "oci-registry-pull' not implemented", "this needs Proxmox VE 9.1" },
};

static const char *const reason_hints[PVE_REASON_N] = {
	[PVE_UNREACHED] = "is the node up, and its pveproxy? `ctrctl check proxmox` tells more",
	[PVE_UNAUTHORIZED] =
		"the token or password is wrong, expired, or was withdrawn: see `ctrctl check proxmox`",
	[PVE_FORBIDDEN] =
		"`ctrctl check proxmox` lists the privileges that are needed, and on what",
	[PVE_UNTRUSTED] =
		"compare proxmox.fingerprint with `pvenode cert info` on the node, or set proxmox.caFile",
	[PVE_NO_QUORUM] = "see `pvecm status` on a node",
	[PVE_STORAGE] = "see `pvesm status` on the node",
	[PVE_START_FAILED] = "the guest's first process may have ended at once: see the task's log",
	[PVE_KILLED] = "the task's process was killed, or the node was restarted",
};

/* "Permission check failed (/storage/local, Datastore.AllocateSpace)" */
static bool hint_privilege(const char *text, struct err *err)
{
	const char *open = strstr(text, "Permission check failed (");
	const char *comma = open ? strchr(open, ',') : NULL;
	const char *close = comma ? strchr(comma, ')') : NULL;
	int path_n, privilege_n;

	if (!close)
		return false;
	open += strlen("Permission check failed (");
	path_n = (int)MIN(comma - open, 64);
	comma += 1 + strspn(comma + 1, " ");
	privilege_n = (int)MIN(close - comma, 64);
	if (comma > close)
		return false;
	err_hint(err,
		"it lacks %.*s on %.*s: pveum acl modify %.*s --tokens 'USER!TOKEN' --roles ROLE (of a role that has it)",
		privilege_n, comma, path_n, open, path_n, open);
	return true;
}

void pve_reason_hint(enum pve_reason reason, const char *node, const char *vmid, const char *text,
	struct err *err)
{
	const char *guest = vmid ? vmid : "ID";

	for (size_t i = 0; i < ARRAY_SIZE(text_hints); i++)
		if (fits(text_hints[i].pattern, text)) {
			err_hint(err, "%s", text_hints[i].hint);
			return;
		}
	if (reason == PVE_FORBIDDEN && hint_privilege(text, err))
		return;
	if (reason == PVE_LOCK_STALE)
		err_hint(err, "if nothing works on it any more: pct unlock %s (on node %s)", guest,
			node ? node : "where it is");
	else if (reason == PVE_PROTECTED)
		err_hint(err, "it is protected: pct set %s --protection 0 lifts that", guest);
	else if ((unsigned)reason < PVE_REASON_N && reason_hints[reason])
		err_hint(err, "%s", reason_hints[reason]);
}

/* ---- words ---- */

/* Engines give these words a meaning of their own, whoever says them: see err.c. */
static const struct {
	const char *words, *instead;
} misread[] = {
	{ "no such file or directory", "is missing" },
	{ "permission denied", "access refused" },
};

/* The end of what has become of a text; what was left out of it counts no more. The new length. */
static size_t reword(char *buf, size_t at)
{
	for (size_t i = 0; i < ARRAY_SIZE(misread); i++) {
		size_t n = strlen(misread[i].words), new_n = strlen(misread[i].instead);
		if (at < n || strncasecmp(buf + at - n, misread[i].words, n) != 0)
			continue;
		memcpy(buf + at - n, misread[i].instead, new_n); /* it is shorter */
		return at - n + new_n;
	}
	return at;
}

void pve_words(const char *text, char *buf, size_t n)
{
	size_t at = 0, len = strlen(text), step;

	for (; len && at < n - 1; text += step, len -= step) {
		const char *p = text;
		step = utf8_len(text, len);
		size_t add = step;
		if (step == 0 || (unsigned char)*text < 0x20 || *text == 0x7f) {
			step = add = 1;
			p = " ";
		}
		if (*p == ' ' && (at == 0 || buf[at - 1] == ' '))
			continue;
		if (at + add > n - 1)
			break;
		memcpy(buf + at, p, add);
		at = reword(buf, at + add);
	}
	bool cut = text[strspn(text, " \t\r\n")];
	while (at > 0 && buf[at - 1] == ' ')
		at--;
	buf[at] = 0;
	if (!cut || n < 8)
		return;
	at = MIN(at, n - 4);
	while (at > 0 && ((unsigned char)buf[at] & 0xc0) == 0x80)
		at--;
	memcpy(buf + at, "...", 4);
}

/* ---- what was secret ---- */

enum { SECRET_MIN = 4 };

/* The rest may have been changed or left out on its way: blanks, control characters, and what isn't
 * ASCII. */
static bool is_lasting(char c)
{
	return c > ' ' && c <= '~';
}

static const char *skip_rest(const char *p)
{
	while (*p && !is_lasting(*p))
		p++;
	return p;
}

/* How much of the text the secret is, which may be there without that rest. 0: it isn't there. */
static size_t matches(const char *text, const char *secret)
{
	const char *p = text;

	while (*secret) {
		if (!is_lasting(*secret)) {
			secret = skip_rest(secret);
			p = skip_rest(p);
		} else if (*p++ != *secret++) {
			return 0;
		}
	}
	return (size_t)(p - text);
}

static void hide(char *text, const char *secret)
{
	size_t lasting = 0, n = strlen(secret);

	if (n < SECRET_MIN)
		return;
	for (const char *p = secret; *p; p++)
		lasting += is_lasting(*p);
	if (lasting < SECRET_MIN) {
		for (; (text = strstr(text, secret)); text += n)
			memset(text, '*', n);
		return;
	}
	secret = skip_rest(secret);
	for (; (text = strchr(text, *secret)); text++) {
		n = matches(text, secret);
		memset(text, '*', n);
		text += n ? n - 1 : 0;
	}
}

void pve_scrub(const struct pve *pve, char *text)
{
	for (size_t i = 0; i < pve->hidden.n; i++) {
		const struct pve_param *p = &pve->hidden.items[i];
		for (const char *v = p->value; v < p->value + p->n; v += strlen(v) + 1) {
			const char *equals = strchr(v, '=');
			hide(text, equals ? equals + 1 : v);
		}
	}
}

const char *pve_scrubbed(const struct pve *pve, const char *text, struct arena *arena)
{
	char *copy = arena_strdup(arena, text);

	if (copy)
		pve_scrub(pve, copy);
	return copy;
}
