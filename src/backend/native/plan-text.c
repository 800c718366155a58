/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan as text: one line for the way of spawning, one per source and step. What a step's fields
 * mean is said by a table; the text is stable, because the golden files are made of it.
 */
#include "backend/native/plan.h"
#include "base/sys.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum show {
	SHOW_NOTHING,
	SHOW_TEXT,  /* s */
	SHOW_LIST,  /* s: [one two] */
	SHOW_PAIRS, /* s: [key=value flag] */
	SHOW_BYTES, /* s: hexadecimal, or how many when there are many */
	SHOW_DEC,   /* a..c from here */
	SHOW_HEX,
	SHOW_MODE,
	SHOW_DEV,
	SHOW_ATTR,
	SHOW_PROPAGATION,
	SHOW_NS,
	SHOW_CAPS,
	SHOW_LIMIT,
	SHOW_OWNER,     /* uid in the high half, gid in the low one */
	SHOW_OWNER_UID, /* the high half only */
};

enum { S1, S2, S3, A, B, C };

struct show_field {
	const char *label;
	enum show how;
	int what;
};

enum { FIELDS_MAX = 6 };

static const struct op_info {
	const char *name;
	struct show_field fields[FIELDS_MAX];
} ops[OP_N] = {
	[OP_NONE] = { "none" },
	[OP_GO] = { "go" },
	[OP_SYNC] = { "sync", { { "target", SHOW_TEXT, S1 } } },
	[OP_READY] = { "ready" },
	[OP_GATE] = { "gate" },
	[OP_SETNS] = { "setns", { { "kind", SHOW_NS, A } } },
	[OP_SETNS_PIDFD] = { "setns-pidfd", { { "kinds", SHOW_NS, A } } },
	[OP_UNSHARE] = { "unshare", { { "kinds", SHOW_NS, A } } },
	[OP_FORK] = { "fork", { { "new", SHOW_NS, A } } },
	[OP_BE_ROOT] = { "be-root" },
	[OP_NETLINK] = { "netlink", { { "message", SHOW_BYTES, S1 }, { "acks", SHOW_DEC, B } } },
	[OP_KEYRING] = { "keyring", { { "name", SHOW_TEXT, S1 }, { "label", SHOW_TEXT, S2 } } },
	[OP_PROPAGATE] = { "propagate",
		{ { "on", SHOW_TEXT, S1 }, { "to", SHOW_PROPAGATION, A } } },
	[OP_ROOT] = { "root", { { "path", SHOW_TEXT, S1 } } },
	[OP_PROC] = { "proc", { { "whole", SHOW_DEC, B } } },
	[OP_PROC_DONE] = { "proc-done" },
	[OP_FSMOUNT] = { "fsmount",
		{ { "type", SHOW_TEXT, S1 }, { "on", SHOW_TEXT, S3 }, { "with", SHOW_PAIRS, S2 },
			{ "attr", SHOW_ATTR, B }, { "propagation", SHOW_PROPAGATION, C } } },
	[OP_ATTACH] = { "attach",
		{ { "on", SHOW_TEXT, S1 }, { "propagation", SHOW_PROPAGATION, C } } },
	[OP_BIND] = { "bind",
		{ { "from", SHOW_TEXT, S1 }, { "on", SHOW_TEXT, S2 }, { "set", SHOW_ATTR, A },
			{ "clear", SHOW_ATTR, B }, { "propagation", SHOW_PROPAGATION, C } } },
	[OP_SETATTR] = { "setattr",
		{ { "on", SHOW_TEXT, S1 }, { "set", SHOW_ATTR, A }, { "clear", SHOW_ATTR, B },
			{ "propagation", SHOW_PROPAGATION, C } } },
	[OP_RECONFIG] = { "reconfig", { { "on", SHOW_TEXT, S1 }, { "with", SHOW_PAIRS, S2 } } },
	[OP_MASK] = { "mask", { { "path", SHOW_TEXT, S1 } } },
	[OP_MKDIR] = { "mkdir", { { "path", SHOW_TEXT, S1 }, { "mode", SHOW_MODE, A },
					{ "uid", SHOW_DEC, B }, { "gid", SHOW_DEC, C } } },
	[OP_MKNOD] = { "mknod",
		{ { "in", SHOW_TEXT, S1 }, { "name", SHOW_TEXT, S2 }, { "mode", SHOW_MODE, A },
			{ "dev", SHOW_DEV, B }, { "owner", SHOW_OWNER, C } } },
	[OP_SYMLINK] = { "symlink",
		{ { "in", SHOW_TEXT, S1 }, { "name", SHOW_TEXT, S2 }, { "to", SHOW_TEXT, S3 } } },
	[OP_PIVOT] = { "pivot" },
	[OP_CLOSE] = { "close" },
	[OP_HOSTNAME] = { "hostname", { { "name", SHOW_TEXT, S1 } } },
	[OP_DOMAINNAME] = { "domainname", { { "name", SHOW_TEXT, S1 } } },
	[OP_SYSCTL] = { "sysctl", { { "name", SHOW_TEXT, S1 }, { "value", SHOW_TEXT, S2 } } },
	[OP_LABEL] = { "label", { { "files", SHOW_LIST, S1 }, { "write", SHOW_TEXT, S2 },
					{ "expect", SHOW_TEXT, S3 } } },
	[OP_SETSID] = { "setsid" },
	[OP_CONSOLE] = { "console", { { "rows", SHOW_DEC, A }, { "columns", SHOW_DEC, B },
					    { "uid", SHOW_OWNER_UID, C } } },
	[OP_STDIO] = { "stdio", { { "uid", SHOW_DEC, A } } },
	[OP_UMASK] = { "umask", { { "mask", SHOW_MODE, A } } },
	[OP_PERSONALITY] = { "personality", { { "domain", SHOW_HEX, A } } },
	[OP_SCHED] = { "sched", { { "attr", SHOW_BYTES, S1 } } },
	[OP_IOPRIO] = { "ioprio", { { "value", SHOW_HEX, A } } },
	[OP_AFFINITY] = { "affinity", { { "cpus", SHOW_BYTES, S1 } } },
	[OP_MEMPOLICY] = { "mempolicy",
		{ { "mode", SHOW_HEX, A }, { "nodes", SHOW_BYTES, S1 }, { "bits", SHOW_DEC, B } } },
	[OP_RLIMIT] = { "rlimit", { { "resource", SHOW_DEC, A }, { "soft", SHOW_LIMIT, B },
					  { "hard", SHOW_LIMIT, C } } },
	[OP_HOME] = { "home", { { "uid", SHOW_DEC, A } } },
	[OP_BOUNDING] = { "bounding", { { "keep", SHOW_CAPS, A } } },
	[OP_IDS] = { "ids", { { "uid", SHOW_DEC, A }, { "gid", SHOW_DEC, B },
				    { "groups", SHOW_BYTES, S1 }, { "n", SHOW_DEC, C } } },
	[OP_CAPS] = { "caps", { { "effective", SHOW_CAPS, A }, { "permitted", SHOW_CAPS, B },
				      { "inheritable", SHOW_CAPS, C } } },
	[OP_AMBIENT] = { "ambient", { { "raise", SHOW_CAPS, A } } },
	[OP_NNP] = { "no-new-privileges" },
	[OP_CWD] = { "cwd", { { "path", SHOW_TEXT, S1 } } },
	[OP_FIND_EXEC] = { "find-exec", { { "candidates", SHOW_LIST, S1 } } },
	[OP_HOOK] = { "hook", { { "path", SHOW_TEXT, S1 }, { "args", SHOW_LIST, S2 },
				      { "env", SHOW_LIST, S3 }, { "timeout_ms", SHOW_DEC, B } } },
	[OP_SECCOMP] = { "seccomp", { { "flags", SHOW_HEX, A }, { "instructions", SHOW_DEC, B } } },
	[OP_EXEC] = { "exec" },
};

static const char *const sources[SRC_KIND_N] = {
	[SRC_NONE] = "none",
	[SRC_TREE] = "tree",
	[SRC_ROOT] = "root",
	[SRC_DIR] = "dir",
	[SRC_NULL] = "null",
	[SRC_EMPTY] = "empty",
	[SRC_TMPFS] = "tmpfs",
	[SRC_BLOCK] = "block",
	[SRC_NS] = "namespace",
	[SRC_PIDFD] = "pidfd",
	[SRC_GATE] = "gate",
	[SRC_DEVICE] = "device",
};

struct bit_name {
	uint64_t bit;
	const char *name;
};

static const struct bit_name step_flags[] = {
	{ STEP_OPTIONAL, "optional" },
	{ STEP_MAKE_DIR, "make-dir" },
	{ STEP_MAKE_FILE, "make-file" },
	{ STEP_RECURSIVE, "recursive" },
	{ STEP_NOFOLLOW, "nofollow" },
	{ STEP_OWN, "own" },
	{ STEP_SOFT, "soft" },
	{ STEP_BIND, "bind" },
	{ STEP_CHROOT, "chroot" },
	{ STEP_IN_PLACE, "in-place" },
	{ STEP_SEND_TARGET, "send-target" },
	{ STEP_KEEP_CTL, "keep-ctl" },
	{ STEP_REPLACE, "replace" },
	{ STEP_KEEP_GROUPS, "keep-groups" },
	{ STEP_ELSE, "else-next" },
	{ 0 },
};

static const struct bit_name attr_flags[] = {
	{ MOUNT_ATTR__ATIME, "atime-policy" },
	{ MOUNT_ATTR_RDONLY, "ro" },
	{ MOUNT_ATTR_NOSUID, "nosuid" },
	{ MOUNT_ATTR_NODEV, "nodev" },
	{ MOUNT_ATTR_NOEXEC, "noexec" },
	{ MOUNT_ATTR_NOATIME, "noatime" },
	{ MOUNT_ATTR_STRICTATIME, "strictatime" },
	{ MOUNT_ATTR_NODIRATIME, "nodiratime" },
	{ MOUNT_ATTR_IDMAP, "idmap" },
	{ MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
	{ 0 },
};

static const struct bit_name propagations[] = {
	{ MS_PRIVATE, "private" },
	{ MS_SHARED, "shared" },
	{ MS_SLAVE, "slave" },
	{ MS_UNBINDABLE, "unbindable" },
	{ MS_REC, "recursive" },
	{ 0 },
};

static const struct bit_name namespaces[] = {
	{ CLONE_NEWUSER, "user" },
	{ CLONE_NEWNS, "mount" },
	{ CLONE_NEWPID, "pid" },
	{ CLONE_NEWNET, "network" },
	{ CLONE_NEWIPC, "ipc" },
	{ CLONE_NEWUTS, "uts" },
	{ CLONE_NEWCGROUP, "cgroup" },
	{ CLONE_NEWTIME, "time" },
	{ 0 },
};

const char *plan_op_name(enum wire_op op)
{
	return (unsigned)op < OP_N ? ops[op].name : "unknown";
}

const char *plan_source_name(enum source_kind kind)
{
	return (unsigned)kind < SRC_KIND_N ? sources[kind] : "unknown";
}

/* ---- values ---- */

static void add_bits(struct str *out, const struct bit_name *names, uint64_t bits)
{
	const char *comma = "";

	for (; names->bit; names++) {
		if ((bits & names->bit) != names->bit)
			continue;
		str_printf(out, "%s%s", comma, names->name);
		bits &= ~names->bit;
		comma = ",";
	}
	if (bits)
		str_printf(out, "%s0x%llx", comma, (unsigned long long)bits);
}

/* Words stay as they are; what would make two words of one, or none, is quoted. */
static void add_word(struct str *out, const char *s)
{
	bool plain = *s;

	for (const char *p = s; *p; p++)
		plain &= (unsigned char)*p > ' ' && *p != '"' && *p != '\\' && *p != 0x7f;
	if (plain) {
		str_add(out, s);
		return;
	}
	str_add(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			str_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			str_printf(out, "\\x%02x", (unsigned char)*s);
		else
			str_addn(out, s, 1);
	}
	str_add(out, "\"");
}

static void add_list(struct str *out, const char *list, size_t size, bool pairs)
{
	const char *space = "";

	str_add(out, "[");
	for (const char *s = list; s && s < list + size; s += strlen(s) + 1) {
		str_add(out, space);
		add_word(out, s);
		space = " ";
		if (!pairs)
			continue;
		s += strlen(s) + 1;
		if (*s) {
			str_add(out, "=");
			add_word(out, s);
		}
	}
	str_add(out, "]");
}

static void add_bytes(struct str *out, const unsigned char *p, size_t n)
{
	if (n > 64) {
		str_printf(out, "%zu-bytes", n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%02x", p[i]);
}

static void add_number(struct str *out, int how, uint64_t v)
{
	switch (how) {
	case SHOW_HEX:
	case SHOW_CAPS: str_printf(out, "0x%llx", (unsigned long long)v); break;
	case SHOW_LIMIT:
		if (v == UINT64_MAX)
			str_add(out, "unlimited");
		else
			str_printf(out, "%llu", (unsigned long long)v);
		break;
	case SHOW_MODE: str_printf(out, "%04llo", (unsigned long long)v); break;
	case SHOW_DEV: str_printf(out, "%u:%u", major(v), minor(v)); break;
	case SHOW_ATTR: add_bits(out, attr_flags, v); break;
	case SHOW_PROPAGATION: add_bits(out, propagations, v); break;
	case SHOW_NS: add_bits(out, namespaces, v); break;
	case SHOW_OWNER: str_printf(out, "%u:%u", (uint32_t)(v >> 32), (uint32_t)v); break;
	case SHOW_OWNER_UID: str_printf(out, "%u", (uint32_t)(v >> 32)); break;
	default: str_printf(out, "%lld", (long long)v); break;
	}
}

/* Zero is left out where it means "nothing", and shown where it is a value. */
static bool zero_is_shown(const struct plan_step *s, const struct show_field *f)
{
	if (f->how == SHOW_CAPS || f->how == SHOW_LIMIT || s->op == OP_HOME || s->op == OP_RLIMIT ||
		(f->how == SHOW_MODE && s->op == OP_UMASK))
		return true;
	return s->op == OP_IDS && (f->what == A || f->what == B);
}

static void add_field(struct str *out, const struct plan_step *s, const struct show_field *f)
{
	const void *const texts[] = { s->s1, s->s2, s->s3 };
	const size_t sizes[] = { s->n1, s->n2, s->n3 };
	const uint64_t numbers[] = { s->a, s->b, s->c };
	const char *text = f->what <= S3 ? texts[f->what] : NULL;

	if (f->what > S3) {
		uint64_t v = numbers[f->what - A];
		if (!v && !zero_is_shown(s, f))
			return;
		str_printf(out, " %s=", f->label);
		add_number(out, f->how, v);
		return;
	}
	if (!text)
		return;
	str_printf(out, " %s=", f->label);
	if (f->how == SHOW_TEXT)
		add_word(out, text);
	else if (f->how == SHOW_BYTES)
		add_bytes(out, (const unsigned char *)text, sizes[f->what]);
	else
		add_list(out, text, sizes[f->what], f->how == SHOW_PAIRS);
}

/* ---- lines ---- */

static void add_step(struct str *out, size_t i, const struct plan_step *s)
{
	str_printf(out, "step %zu %s", i, plan_op_name(s->op));
	if (s->source >= 0)
		str_printf(out, " source=%d", s->source);
	if (s->source2 >= 0)
		str_printf(out, " source2=%d", s->source2);
	for (const struct show_field *f = ops[s->op].fields; f < ops[s->op].fields + FIELDS_MAX;
		f++)
		if (f->label && !(f->what == C && s->source2 >= 0))
			add_field(out, s, f);
	if (s->tail) {
		str_add(out, " state=");
		add_word(out, s->tail);
	}
	if (s->flags) {
		str_add(out, " ");
		add_bits(out, step_flags, s->flags);
	}
	if (s->target_kind_by_source)
		str_add(out, " made-like-source");
	if (s->place)
		str_printf(out, " # %s", s->place);
	str_add(out, "\n");
}

static void add_maps(struct str *out, const char *label, const struct oci_id_map *map, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_printf(out, "%s%s%u:%u:%u", i ? "," : " ", i ? "" : label, map[i].container_id,
			map[i].host_id, map[i].size);
}

static void add_attr(struct str *out, const char *label, uint64_t attr)
{
	if (!attr)
		return;
	str_printf(out, " %s=", label);
	add_bits(out, attr_flags, attr);
}

static void add_source(struct str *out, size_t i, const struct plan_source *s)
{
	str_printf(out, "source %zu %s", i, plan_source_name(s->kind));
	if (s->path) {
		str_add(out, " ");
		add_word(out, s->path);
	}
	if (s->recursive)
		str_add(out, " recursive");
	if (s->optional)
		str_add(out, " optional");
	if (s->idmap)
		str_add(out, s->idmap_recursive ? " idmap-recursive" : " idmap");
	add_maps(out, "uids=", s->uid_map, s->n_uid_map);
	add_maps(out, "gids=", s->gid_map, s->n_gid_map);
	add_attr(out, "set", s->attr_set);
	add_attr(out, "clear", s->attr_clr);
	add_attr(out, "recursive-set", s->rec_attr_set);
	add_attr(out, "recursive-clear", s->rec_attr_clr);
	if (s->propagation) {
		str_add(out, " propagation=");
		add_bits(out, propagations, s->propagation);
	}
	if (s->ns_flag) {
		str_add(out, " kind=");
		add_bits(out, namespaces, s->ns_flag);
	}
	if (s->kind == SRC_DEVICE)
		str_printf(out, " %c %u:%u", S_ISBLK(s->mode) ? 'b' : 'c', major(s->dev),
			minor(s->dev));
	if (s->kind == SRC_BLOCK)
		str_printf(out, " type=%s", s->fs_type);
	for (size_t k = 0; k + 1 < s->n_options; k += 2) {
		str_printf(out, " %s=", s->options[k]);
		add_word(out, s->options[k + 1]);
	}
	if (s->place)
		str_printf(out, " # %s", s->place);
	str_add(out, "\n");
}

static void add_offset(struct str *out, const char *label, const struct oci_time_offset *o)
{
	if (o)
		str_printf(out, " %s=%lld.%09u", label, (long long)o->secs, o->nanosecs);
}

static void add_spawn(struct str *out, const struct plan_spawn *s)
{
	str_printf(out, "spawn %s",
		s->host_side       ? "host-side"
		: s->n_helper_join ? "helper"
				   : "direct");
	if (s->new_ns) {
		str_add(out, " new=");
		add_bits(out, namespaces, s->new_ns);
	}
	if (s->joined_ns) {
		str_add(out, " joined=");
		add_bits(out, namespaces, s->joined_ns);
	}
	for (size_t i = 0; i < s->n_helper_join; i++)
		str_printf(out, "%s%d", i ? "," : " helper-joins=", s->helper_join[i]);
	if (s->time_ns)
		str_add(out, " new-time");
	if (s->time_join >= 0)
		str_printf(out, " time-join=%d", s->time_join);
	if (s->time_offsets) {
		add_offset(out, "monotonic", s->time_offsets->monotonic);
		add_offset(out, "boottime", s->time_offsets->boottime);
	}
	if (s->user_ns)
		str_add(out, " maps");
	add_maps(out, "uids=", s->uid_map, s->n_uid_map);
	add_maps(out, "gids=", s->gid_map, s->n_gid_map);
	str_add(out, "\n");
}

static void add_vector(struct str *out, const char *label, const char *const *v)
{
	str_printf(out, "%s [", label);
	for (size_t i = 0; v && v[i]; i++) {
		str_add(out, i ? " " : "");
		add_word(out, v[i]);
	}
	str_add(out, "]\n");
}

void plan_text(const struct plan *p, struct str *out)
{
	add_spawn(out, &p->spawn);
	for (size_t i = 0; i < p->n_sources; i++)
		add_source(out, i, &p->sources[i]);
	for (size_t i = 0; i < p->n_steps; i++)
		add_step(out, i, &p->steps[i]);
	add_vector(out, "args", p->argv);
	add_vector(out, "env", p->envp);
	if (p->preserve_fds)
		str_printf(out, "preserve-fds %u\n", p->preserve_fds);
	if (p->state_head)
		str_printf(out, "state %s*%s\n", p->state_head, p->state_tail ? p->state_tail : "");
}
