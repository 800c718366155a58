/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The five capability sets. A capability that can't be granted (unknown, not of this kernel, not
 * ctrctl's own, or one that the rules of capset and of the ambient set exclude) is left out with
 * one warning, as the runtime specification demands: the container gets less than asked for, never
 * more.
 */
#include "model/caps.h"
#include "backend/native/compile.h"
#include "base/log.h"

#include <linux/capability.h>
#include <sched.h>

struct sets {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

static void warn_set(const char *why, uint64_t mask)
{
	_str_ struct str names = { 0 };

	for (int cap = 0; why && cap < 64; cap++) {
		if (!(mask >> cap & 1))
			continue;
		const char *name = caps_name(cap);
		str_add(&names, names.n ? ", " : "");
		if (name)
			str_add(&names, name);
		else
			str_printf(&names, "capability %d", cap);
	}
	if (names.n)
		log_warn("process.capabilities: %s: %s", why, names.p);
}

static uint64_t below(int last_cap)
{
	return last_cap >= 63 ? UINT64_MAX : (UINT64_C(1) << (last_cap + 1)) - 1;
}

static uint64_t keep(uint64_t mask, uint64_t allowed, uint64_t *dropped)
{
	*dropped |= mask & ~allowed;
	return mask & allowed;
}

static void clamp(struct sets *s, uint64_t allowed, const char *why)
{
	uint64_t dropped = 0;

	s->bounding = keep(s->bounding, allowed, &dropped);
	s->effective = keep(s->effective, allowed, &dropped);
	s->permitted = keep(s->permitted, allowed, &dropped);
	s->inheritable = keep(s->inheritable, allowed, &dropped);
	s->ambient = keep(s->ambient, allowed, &dropped);
	warn_set(why, dropped);
}

static void read_names(const struct oci_capabilities *caps, struct sets *s)
{
	s->bounding = caps_mask(caps->bounding, caps->n_bounding, NULL);
	s->effective = caps_mask(caps->effective, caps->n_effective, NULL);
	s->permitted = caps_mask(caps->permitted, caps->n_permitted, NULL);
	s->inheritable = caps_mask(caps->inheritable, caps->n_inheritable, NULL);
	s->ambient = caps_mask(caps->ambient, caps->n_ambient, NULL);
}

/* No capabilities at all when the property is absent. Unknown names were warned about when the
 * specification was checked. */
static struct sets sets_of(const struct compile *c, bool warn)
{
	struct sets s = { 0 };
	uint64_t dropped = 0;

	if (!c->process->capabilities)
		return s;
	read_names(c->process->capabilities, &s);
	clamp(&s, below(c->facts->last_cap), warn ? "this kernel doesn't have" : NULL);
	/* Inside a user namespace every capability of it can be had. */
	if (!compile_private(c, CLONE_NEWUSER))
		clamp(&s, c->facts->own_caps, warn ? "ctrctl itself doesn't have" : NULL);
	s.effective = keep(s.effective, s.permitted, &dropped);
	warn_set(warn ? "effective but not permitted" : NULL, dropped);
	dropped = 0;
	s.inheritable = keep(s.inheritable, s.bounding, &dropped);
	warn_set(warn ? "inheritable but not in the bounding set" : NULL, dropped);
	/* Warned about when the specification was checked. */
	s.ambient = keep(s.ambient, s.permitted & s.inheritable, &dropped);
	return s;
}

int caps_bounding(struct compile *c, struct err *err)
{
	plan_step(c->plan, OP_BOUNDING, "process.capabilities.bounding")->a =
		sets_of(c, true).bounding;
	return 0;
}

/*
 * A filter without no_new_privs needs CAP_SYS_ADMIN in the process that loads it, which is done as
 * late as can be. It isn't taken back afterwards: execve computes the new sets from bounding,
 * inheritable and ambient alone, where it isn't unless asked for, and a call under the filter is
 * one more that the filter may forbid.
 */
int caps_sets(struct compile *c, struct err *err)
{
	struct sets s = sets_of(c, false);
	uint64_t admin = 0;

	if (c->lin->seccomp && !c->process->no_new_privileges)
		admin = UINT64_C(1) << CAP_SYS_ADMIN;
	struct plan_step *step = plan_step(c->plan, OP_CAPS, "process.capabilities");
	step->a = s.effective | admin;
	step->b = s.permitted | admin;
	step->c = s.inheritable;
	plan_step(c->plan, OP_AMBIENT, "process.capabilities.ambient")->a = s.ambient;
	return 0;
}
