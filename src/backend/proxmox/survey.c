/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All containers at once: one request for the cluster's list, which is up to ten seconds old.
 * Records find their guests by VMID, and know them by their tag. Only what doesn't fit costs more
 * requests, of which there is a bounded number and for which there is a bounded time: a list is for
 * looking, and what is done to a guest asks for its proof by itself. Nothing of what they bring is
 * kept but a few words.
 */
#include "backend/proxmox/proxmox.h"
#include "base/log.h"
#include "base/proc.h"

#include <string.h>
#include <time.h>

enum {
	MAX_AGE_S = 10,   /* how often the nodes report to the cluster */
	FRESH_S = 30,     /* so long a guest may be without a status after it was made */
	LIST_MS = 10000,  /* so long the list is waited for: others have nothing to do with it */
	LOOK_MS = 5000,   /* so long one of the other requests */
	LOOKS_MS = 10000, /* and all of them */
	DOUBTS_MAX = 16,  /* records that don't fit: so many are asked for, one by one */
	STRAYS_MAX = 32,  /* so many are read, one by one */
	DEAF_MAX = 8,     /* nodes that don't answer */
	FIND_MAX = 16,    /* guests with the same tag: so many are read */
	ID_MAX = 200,
};

/* What is known of a record's guest. */
enum found { FOUND_NOT, FOUND_OTHER, FOUND_OURS };

/* A record by its VMID. */
struct known {
	unsigned vmid;
	size_t i; /* of the record */
	enum found found;
};

struct survey {
	struct pve *pve;
	struct arena *tmp;  /* of this call */
	struct arena *keep; /* of what is returned */
	const struct ctr_record *recs;
	size_t n_recs;
	struct known *known; /* in order of their VMIDs */
	size_t n_known;
	char fresh[PROC_TIME_MAX]; /* what was made since then is new */
	struct ctr_survey *ret;
	size_t cap_strays;
	unsigned doubts, read;      /* requests so far, beside the first */
	uint64_t end_ms;            /* of pve_now_ms: no more of them after that */
	const char *deaf[DEAF_MAX]; /* nodes that didn't answer: nothing more of theirs is read */
	size_t n_deaf;
	unsigned hidden, missing, left; /* guests that we may not see; that aren't in the list, and
					   weren't asked for; that weren't read */
};

/* ---- the list ---- */

static int by_vmid(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return (x->vmid > y->vmid) - (x->vmid < y->vmid);
}

static int index_records(struct survey *s, struct err *err)
{
	s->known = arena_array(s->tmp, s->n_recs, sizeof(*s->known));
	if (!s->known)
		return err_nomem(err);
	for (size_t i = 0; i < s->n_recs; i++) {
		uint64_t vmid;

		if (s->recs[i].guest && parse_u64(s->recs[i].guest, SETTINGS_VMID_MAX, &vmid) == 0)
			s->known[s->n_known++] = (struct known){ .vmid = (unsigned)vmid, .i = i };
	}
	qsort(s->known, s->n_known, sizeof(*s->known), by_vmid);
	return 0;
}

/* The first record of a VMID, or NULL; others of the same follow it. */
static struct known *find_known(const struct survey *s, unsigned vmid)
{
	size_t low = 0, high = s->n_known;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->known[middle].vmid < vmid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n_known && s->known[low].vmid == vmid ? &s->known[low] : NULL;
}

/* What is needed of an item of the list. */
struct item {
	unsigned vmid;
	const char *node, *status, *tags; /* status, tags: or NULL */
	bool lxc;
};

/* 1, 0 it is none. */
static int read_item(const struct json *json, struct item *ret)
{
	int64_t vmid = pve_int(json, "vmid", 0);

	if (vmid < SETTINGS_VMID_MIN || vmid > SETTINGS_VMID_MAX)
		return 0;
	*ret = (struct item){ .vmid = (unsigned)vmid,
		.node = pve_text(json, "node"),
		.status = pve_text(json, "status"),
		.tags = pve_text(json, "tags"),
		.lxc = str_eq(pve_text(json, "type"), "lxc") };
	return ret->node != NULL;
}

/* The next tag of ours in a list of tags, NULL when there is none. */
static const char *our_tag(const char *tags)
{
	static const char prefix[] = "ctrctl-";

	for (const char *p = tags; p && (p = strstr(p, prefix)); p++)
		if (p == tags || strchr(";, ", p[-1]))
			return p;
	return NULL;
}

static bool has_tag_of(const char *tags, const char *id)
{
	char tag[PVE_TAG_MAX];
	const size_t n = strlen(pve_tag(id, tag));

	for (const char *p = strstr(tags ? tags : "", tag); p; p = strstr(p + 1, tag))
		if ((p == tags || strchr(";, ", p[-1])) && (!p[n] || strchr(";, ", p[n])))
			return true;
	return false;
}

/* ---- one by one ---- */

static bool is_deaf(const struct survey *s, const char *node)
{
	for (size_t i = 0; i < s->n_deaf; i++)
		if (str_eq(s->deaf[i], node))
			return true;
	return s->n_deaf == DEAF_MAX;
}

static bool is_over(const struct survey *s)
{
	return pve_now_ms(s->pve) >= s->end_ms;
}

/* GET config of one, for its description. 1 *ret filled, 0 there is none or it isn't of ours, -1.
 * A copy isn't: it has the description of what it was made from, with its VMID. */
static int read_identity(struct survey *s, const struct item *it, struct arena *a,
	struct pve_identity *ret, struct err *err)
{
	struct pve_fault fault = { 0 };
	const struct json *config;
	const char *path, *text;
	char vmid[16];
	int r;

	if (!a)
		return err_nomem(err);
	snprintf(vmid, sizeof(vmid), "%u", it->vmid);
	path = pve_path(a, "nodes", it->node, "lxc", vmid, "config", NULL);
	if (!path)
		return err_nomem(err);
	if (pve_get_once(s->pve, a, path, NULL, LOOK_MS, &config, &fault, err) < 0) {
		if (fault.reason == PVE_UNREACHED || fault.reason == PVE_AMBIGUOUS ||
			fault.reason == PVE_GARBLED)
			s->deaf[s->n_deaf++] = it->node;
		return fault.reason == PVE_GONE ? 0 : -1;
	}
	text = pve_text(config, "description");
	r = pve_description_read(text ? text : "", a, ret, err);
	return r == 1 && ret->vmid != it->vmid ? 0 : r;
}

/* ---- records ---- */

static enum ctr_status status_of(
	const struct survey *s, const struct ctr_record *rec, const char *status)
{
	if (rec->phase == CTR_CREATING)
		return CTR_CREATING;
	if (str_eq(status, "stopped"))
		return rec->phase == CTR_RUNNING ? CTR_STOPPED : CTR_CREATED;
	if (status && !str_eq(status, "unknown"))
		return CTR_RUNNING;
	/* Nobody has reported it yet; later: nobody reports it any more, as its node is off. */
	if (rec->phase == CTR_CREATED)
		return CTR_CREATED;
	return rec->created && strcmp(rec->created, s->fresh) >= 0 ? CTR_RUNNING : CTR_UNKNOWN;
}

/* It has the VMID, but not the tag: were the tags taken away, or is it somebody else's? Of more
 * than a few that's taken for the first, as a cluster may know no free tags at all. -1: that can't
 * be said. */
static int is_untagged(struct survey *s, const struct ctr_record *rec, const struct item *it)
{
	_arena_ struct arena *a = NULL;
	struct err why = ERR_INIT;
	struct pve_identity who;
	int r;

	if (!it->lxc)
		return 0;
	if (is_deaf(s, it->node))
		return -1;
	if (s->doubts >= DOUBTS_MAX || is_over(s))
		return 1;
	s->doubts++;
	a = arena_new();
	r = read_identity(s, it, a, &who, &why);
	return r == 1 ? str_eq(who.id, rec->id) : r;
}

static int match(struct survey *s, struct known *k, const struct item *it, struct err *err)
{
	const struct ctr_record *rec = &s->recs[k->i];
	struct ctr_seen *seen = &s->ret->seen[k->i];
	int ours = it->lxc;

	/* While it is made it has no tags yet. */
	if (rec->phase != CTR_CREATING && (!ours || !has_tag_of(it->tags, rec->id)))
		ours = is_untagged(s, rec, it);
	k->found = ours == 0 ? FOUND_OTHER : FOUND_OURS;
	if (ours == 0)
		return 0;
	seen->status = ours == 1 ? status_of(s, rec, it->status) : CTR_UNKNOWN;
	seen->place = arena_printf(s->keep, "%s/%u", it->node, it->vmid);
	return seen->place ? 0 : err_nomem(err);
}

/* A guest that isn't in the list is gone, or we may not see it. Whether a VMID is free anybody may
 * ask, and is told of all guests. 1, 0, -1: it wasn't asked for, or that wasn't answered. */
static int is_free(struct survey *s, unsigned vmid)
{
	_arena_ struct arena *a = NULL;
	struct err why = ERR_INIT;

	if (s->doubts >= DOUBTS_MAX || is_over(s) || !(a = arena_new()))
		return -1;
	s->doubts++;
	return guest_is_free(s->pve, vmid, LOOK_MS, a, &why);
}

static void judge_missing(struct survey *s)
{
	for (size_t i = 0; i < s->n_known; i++) {
		const struct known *k = &s->known[i];
		struct ctr_seen *seen = &s->ret->seen[k->i];

		if (k->found == FOUND_OURS || s->recs[k->i].phase == CTR_CREATING)
			continue;
		int gone = k->found == FOUND_OTHER ? 1 : is_free(s, k->vmid);
		seen->status = gone == 1 ? CTR_STOPPED : CTR_UNKNOWN;
		s->hidden += gone == 0;
		s->missing += gone < 0;
	}
	if (s->hidden)
		log_warn("proxmox: %u guests aren't in the server's list, but their VMIDs don't "
			 "seem to be free: has the login VM.Audit on them?",
			s->hidden);
	if (s->missing)
		log_warn("proxmox: %u more guests aren't in the server's list; whether they are "
			 "gone wasn't found out: ctrctl state ID tells it",
			s->missing);
}

/* ---- strays ---- */

/* As the store wants ids to be: what a description says may have been written by anybody. */
static bool is_id(const char *id)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";
	const size_t n = strlen(id);

	return n > 0 && n <= ID_MAX && id[0] != '.' && strspn(id, letters) == n;
}

static int fill_stray(const struct pve_identity *who, const struct item *it, struct arena *keep,
	struct ctr_record *ret, struct err *err)
{
	*ret = (struct ctr_record){
		.id = arena_strdup(keep, who->id),
		.oci_version = "",
		.backend = "proxmox",
		.bundle = "",
		.rootfs = "",
		.created = arena_strdup(keep, who->created ? who->created : ""),
		.owner = "",
		.boot_id = "",
		/* Whether it was ever started isn't known. */
		.phase = CTR_RUNNING,
		.guest = arena_printf(keep, "%u", it->vmid),
	};
	return ret->id && ret->created && ret->guest ? 0 : err_nomem(err);
}

static int grow_strays(struct survey *s, struct err *err)
{
	struct ctr_survey *ret = s->ret;
	const size_t n = ret->n_strays, cap = s->cap_strays ? s->cap_strays * 2 : 8;

	if (n < s->cap_strays)
		return 0;
	struct ctr_record *strays = arena_array(s->keep, cap, sizeof(*strays));
	struct ctr_seen *seen = arena_array(s->keep, cap, sizeof(*seen));
	if (!strays || !seen)
		return err_nomem(err);
	if (n) {
		memcpy(strays, ret->strays, n * sizeof(*strays));
		memcpy(seen, ret->strays_seen, n * sizeof(*seen));
	}
	ret->strays = strays;
	ret->strays_seen = seen;
	s->cap_strays = cap;
	return 0;
}

static const struct ctr_record *record_of(const struct survey *s, const char *id)
{
	for (size_t i = 0; i < s->n_recs; i++)
		if (str_eq(s->recs[i].id, id))
			return &s->recs[i];
	return NULL;
}

static int add_stray(struct survey *s, const struct item *it, struct err *err)
{
	_arena_ struct arena *a = NULL;
	struct pve_identity who;
	struct err why = ERR_INIT;

	if (s->read >= STRAYS_MAX || is_over(s) || is_deaf(s, it->node)) {
		s->left++;
		return 0;
	}
	s->read++;
	a = arena_new();
	int r = read_identity(s, it, a, &who, &why);
	if (r < 0)
		log_info("guest %u on node %s can't be read: %s", it->vmid, it->node, why.text);
	if (r <= 0 || !is_id(who.id))
		return 0;
	const struct ctr_record *rec = record_of(s, who.id);
	if (rec) {
		log_warn("proxmox: guest %u on node %s says that it is container %s, whose guest "
			 "is %s: it isn't used",
			it->vmid, it->node, who.id, rec->guest ? rec->guest : "none");
		return 0;
	}
	if (grow_strays(s, err) < 0)
		return -1;
	struct ctr_record *stray = &s->ret->strays[s->ret->n_strays];
	struct ctr_seen *seen = &s->ret->strays_seen[s->ret->n_strays];
	if (fill_stray(&who, it, s->keep, stray, err) < 0)
		return -1;
	seen->status = status_of(s, stray, it->status);
	seen->place = arena_printf(s->keep, "%s/%u", it->node, it->vmid);
	if (!seen->place)
		return err_nomem(err);
	s->ret->n_strays++;
	return 0;
}

/* Outside of our range they are those of another host that uses the same cluster. */
static bool is_in_range(const struct pve *pve, unsigned vmid)
{
	return vmid >= pve->cfg->vmid_first && vmid <= pve->cfg->vmid_last;
}

/* ---- both ---- */

static int see(struct survey *s, const struct item *it, struct err *err)
{
	struct known *k = find_known(s, it->vmid);
	bool ours = false;

	for (; k && k < s->known + s->n_known && k->vmid == it->vmid; k++) {
		if (match(s, k, it, err) < 0)
			return -1;
		ours = ours || k->found == FOUND_OURS;
	}
	if (ours || !it->lxc || !our_tag(it->tags) || !is_in_range(s->pve, it->vmid))
		return 0;
	return add_stray(s, it, err);
}

static int begin(struct survey *s, struct ctr_context *c, struct err *err)
{
	struct timespec now;

	s->pve = proxmox_session(c, err);
	if (!s->pve)
		return -1;
	s->keep = c->arena;
	*s->ret = (struct ctr_survey){ .max_age_s = MAX_AGE_S };
	s->ret->seen = arena_array(s->keep, s->n_recs, sizeof(*s->ret->seen));
	if (!s->ret->seen)
		return err_nomem(err);
	for (size_t i = 0; i < s->n_recs; i++)
		s->ret->seen[i].status =
			s->recs[i].phase == CTR_CREATING ? CTR_CREATING : CTR_STOPPED;
	clock_gettime(CLOCK_REALTIME, &now);
	proc_time((uint64_t)now.tv_sec - FRESH_S, 0, s->fresh);
	return index_records(s, err);
}

int proxmox_survey(struct ctr_context *c, const struct ctr_record *recs, size_t n,
	struct ctr_survey *ret, struct err *err)
{
	_arena_ struct arena *tmp = arena_new();
	struct survey s = { .tmp = tmp, .recs = recs, .n_recs = n, .ret = ret };
	const struct json *all;

	if (!tmp)
		return err_nomem(err);
	if (begin(&s, c, err) < 0 || guest_list(s.pve, tmp, LIST_MS, &all, err) < 0)
		return -1;
	s.end_ms = pve_now_ms(s.pve) + LOOKS_MS;
	json_for_each (json, all) {
		struct item it;

		if (read_item(json, &it) && see(&s, &it, err) < 0)
			return -1;
	}
	judge_missing(&s);
	if (s.left)
		log_warn("proxmox: %u more guests have ctrctl's tags and no record here; they "
			 "aren't listed, as a list reads only a few",
			s.left);
	return 0;
}

/* As if it had been made by us. */
static int write_journal(int dir_fd, const char *id, const struct item *it, struct err *err)
{
	const struct guest journal = {
		.id = id, .vmid = it->vmid, .node = it->node, .phase = GUEST_MADE
	};

	return dir_fd < 0 ? 0 : guest_save(dir_fd, &journal, err);
}

/* A guest that says it is this container. 1 *ret filled, in c->arena; 0, -1. */
static int prove(struct ctr_context *c, const char *id, const struct item *it,
	struct ctr_record *ret, struct err *err)
{
	const struct guest any = { .id = "", .vmid = it->vmid, .node = it->node };
	_arena_ struct arena *a = arena_new();
	struct guest_owned o;

	if (!a)
		return err_nomem(err);
	if (guest_owner(&c->pve, &any, it->node, a, &o, err) < 0)
		return -1;
	/* A copy has the description of what it was made from, with its VMID. */
	if (o.by != GUEST_THEIRS || o.who.vmid != it->vmid || !str_eq(o.who.id, id))
		return 0;
	return fill_stray(&o.who, it, c->arena, ret, err) < 0 ? -1 : 1;
}

static int refuse_twins(unsigned one, unsigned other, struct err *err)
{
	err_set(err, ERR_STATE, NULL, "guests %u and %u both say that they are this container", one,
		other);
	return err_hint(err, "on the server, remove the one that isn't, or its tags");
}

/* 1 *ret and *ret_it, 0, -1 */
static int find_in(struct ctr_context *c, const char *id, const struct json *all,
	struct ctr_record *ret, struct item *ret_it, struct err *err)
{
	unsigned read = 0;
	int found = 0;

	json_for_each (json, all) {
		struct ctr_record rec;
		struct item it;

		/* Other hosts that use the cluster have ranges of their own. */
		if (!read_item(json, &it) || !it.lxc || !has_tag_of(it.tags, id) ||
			!is_in_range(&c->pve, it.vmid))
			continue;
		if (read++ == FIND_MAX)
			return err_set(err, ERR_STATE, NULL,
				"more than %d guests have the tag of this container", FIND_MAX);
		int r = prove(c, id, &it, &rec, err);
		if (r < 0)
			return -1;
		if (r == 1 && found)
			return refuse_twins(ret_it->vmid, it.vmid, err);
		if (r == 1) {
			*ret = rec;
			*ret_it = it;
			found = 1;
		}
	}
	return found;
}

int proxmox_find(
	struct ctr_context *c, const char *id, int dir_fd, struct ctr_record *ret, struct err *err)
{
	_arena_ struct arena *tmp = arena_new();
	struct pve *pve = proxmox_session(c, err);
	const struct json *all;
	struct ctr_record rec;
	struct item it = { 0 };
	int r;

	if (!pve)
		return -1;
	if (!tmp)
		return err_nomem(err);
	if (!is_id(id))
		return 0;
	if (guest_list(pve, tmp, 0, &all, err) < 0)
		return -1;
	r = find_in(c, id, all, &rec, &it, err);
	if (r != 1)
		return r;
	if (write_journal(dir_fd, id, &it, err) < 0)
		return -1;
	rec.context = c;
	*ret = rec;
	return 1;
}
