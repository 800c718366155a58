/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All containers at once: one request for the cluster's list, which is up to ten seconds old.
 * Records find their guests by VMID, and know them by their tag. Only what doesn't fit costs more
 * requests, and of these there is a bounded number.
 */
#include "backend/proxmox/proxmox.h"
#include "base/log.h"
#include "base/proc.h"

#include <string.h>
#include <time.h>

enum {
	MAX_AGE_S = 10,   /* how often the nodes report to the cluster */
	FRESH_S = 30,     /* so long a guest may be without a status after it was made */
	DOUBTS_MAX = 16,  /* records that don't fit: so many are asked for, one by one */
	STRAYS_MAX = 256, /* so many are read, one by one */
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
	unsigned doubts, read; /* requests so far, beside the first */
	unsigned hidden, left; /* guests that we may not see; that weren't read */
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

static int get_resources(struct pve *pve, struct arena *a, const struct json **ret, struct err *err)
{
	struct pve_form query = PVE_FORM_INIT(a);

	pve_form_set(&query, "type", "vm", NULL);
	if (pve_form_ok(&query, err) < 0 ||
		pve_get(pve, a, "/cluster/resources", &query, ret, NULL, err) < 0)
		return -1;
	if ((*ret)->type == JSON_ARRAY)
		return 0;
	return err_set(
		err, ERR_UNAVAILABLE, "GET /cluster/resources", "the server's answer isn't a list");
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

/* GET config of one, for its description. 1 *ret filled, 0 there is none or it isn't of ours, -1.
 * A copy isn't: it has the description of what it was made from, with its VMID. */
static int read_identity(struct pve *pve, struct arena *a, const struct item *it,
	struct pve_identity *ret, struct err *err)
{
	const struct guest any = { .id = "", .vmid = it->vmid, .node = it->node };
	struct guest_owned o;

	if (guest_owner(pve, &any, it->node, a, &o, err) < 0)
		return -1;
	if (o.by != GUEST_THEIRS || o.who.vmid != it->vmid)
		return 0;
	*ret = o.who;
	return 1;
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

/* It has the VMID, but not the tag: were the tags taken away, or is it somebody else's? -1: that
 * can't be said. */
static int is_untagged(struct survey *s, const struct ctr_record *rec, const struct item *it)
{
	struct pve_identity who;
	struct err why;
	int r;

	if (!it->lxc)
		return 0;
	if (s->doubts >= DOUBTS_MAX)
		return -1;
	s->doubts++;
	r = read_identity(s->pve, s->tmp, it, &who, &why);
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
 * ask, and is told of all guests. */
static bool is_free(struct survey *s, unsigned vmid)
{
	struct pve_form query = PVE_FORM_INIT(s->tmp);
	const struct json *data;
	struct err why;

	if (s->doubts >= DOUBTS_MAX)
		return false;
	s->doubts++;
	pve_form_setf(&query, "vmid", NULL, "%u", vmid);
	return pve_get(s->pve, s->tmp, "/cluster/nextid", &query, &data, NULL, &why) == 0;
}

static void judge_missing(struct survey *s)
{
	for (size_t i = 0; i < s->n_known; i++) {
		const struct known *k = &s->known[i];
		struct ctr_seen *seen = &s->ret->seen[k->i];

		if (k->found == FOUND_OURS || s->recs[k->i].phase == CTR_CREATING)
			continue;
		if (k->found == FOUND_OTHER || is_free(s, k->vmid)) {
			seen->status = CTR_STOPPED;
			continue;
		}
		seen->status = CTR_UNKNOWN;
		s->hidden++;
	}
	if (s->hidden)
		log_warn("proxmox: %u guests aren't in the server's list, but their VMIDs don't "
			 "seem to be free: has the login VM.Audit on them?",
			s->hidden);
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
	struct pve_identity who;
	struct err why = ERR_INIT;

	if (s->read >= STRAYS_MAX) {
		s->left++;
		return 0;
	}
	s->read++;
	int r = read_identity(s->pve, s->tmp, it, &who, &why);
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
	if (begin(&s, c, err) < 0 || get_resources(s.pve, tmp, &all, err) < 0)
		return -1;
	json_for_each (json, all) {
		struct item it;

		if (read_item(json, &it) && see(&s, &it, err) < 0)
			return -1;
	}
	judge_missing(&s);
	if (s.left)
		log_warn("proxmox: %u more guests have ctrctl's tags and no record here; they "
			 "aren't listed",
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

int proxmox_find(
	struct ctr_context *c, const char *id, int dir_fd, struct ctr_record *ret, struct err *err)
{
	_arena_ struct arena *tmp = arena_new();
	struct pve *pve = proxmox_session(c, err);
	const struct json *all;

	if (!pve)
		return -1;
	if (!tmp)
		return err_nomem(err);
	if (!is_id(id))
		return 0;
	if (get_resources(pve, tmp, &all, err) < 0)
		return -1;
	json_for_each (json, all) {
		struct pve_identity who;
		struct item it;

		/* Other hosts that use the cluster have ranges of their own. */
		if (!read_item(json, &it) || !it.lxc || !has_tag_of(it.tags, id) ||
			!is_in_range(pve, it.vmid))
			continue;
		int r = read_identity(pve, tmp, &it, &who, err);
		if (r < 0)
			return -1;
		if (r == 0 || !str_eq(who.id, id))
			continue;
		if (fill_stray(&who, &it, c->arena, ret, err) < 0 ||
			write_journal(dir_fd, id, &it, err) < 0)
			return -1;
		ret->context = c;
		return 1;
	}
	return 0;
}
