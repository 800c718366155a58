/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.capabilities: bounding, permitted and effective are one set; inheritable and ambient are
 * empty unless ambient ones are asked for (a file with inheritable bits gains nothing then).
 */
#include "flow/spec-build.h"

#include "model/caps.h"

#include <ctype.h>
#include <string.h>

#define CAPABILITIES SPEC_SECURITY "capabilities."

enum { NAME_MAX_ = 40, ALL = -2 };

static const char *const defaults[] = { "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
	"CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT" };

static const char *const restricted[] = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETPCAP",
	"CAP_SETUID" };

static uint64_t mask_of(const char *const *names, size_t n)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		int cap = caps_number(names[i]);
		if (cap >= 0)
			mask |= UINT64_C(1) << cap;
	}
	return mask;
}

/* With or without "CAP_", in any case: its number, ALL, or -1. */
static int parse(const char *name)
{
	char upper[NAME_MAX_] = "CAP_";
	bool prefixed = name && strncasecmp(name, "CAP_", 4) == 0;
	char *at = prefixed ? upper : upper + 4;
	size_t n = name ? strlen(name) : 0;

	if (n == 0 || n >= sizeof(upper) - 4)
		return -1;
	for (size_t i = 0; i <= n; i++)
		at[i] = (char)toupper((unsigned char)name[i]);
	return str_eq(upper, "CAP_ALL") ? ALL : caps_number(upper);
}

/* A list of names as bits; *ret_all when ALL is among them. */
static uint64_t read_list(
	struct spec_build *b, const char *field, const char *const *names, size_t n, bool *ret_all)
{
	uint64_t mask = 0;

	*ret_all = false;
	for (size_t i = 0; i < n; i++) {
		int cap = parse(names[i]);
		if (cap == ALL)
			*ret_all = true;
		else if (cap >= 0)
			mask |= UINT64_C(1) << cap;
		else
			ctr_fault_add(b->faults, ERR_INVALID,
				spec_field(b, CAPABILITIES "%s[%zu]", field, i),
				"unknown capability \"%.100s\"", names[i] ? names[i] : "");
	}
	return mask;
}

static const char **names_of(struct spec_build *b, uint64_t mask, size_t *ret_n)
{
	struct spec_list list = { 0 };

	for (int cap = 0; cap < CAPS_N; cap++)
		if (mask >> cap & 1)
			spec_list_add(b, &list, caps_name(cap));
	*ret_n = list.n;
	return list.items;
}

/* A capability that was named and that ctrctl doesn't have itself: the backend would leave it out.
 * Inside a user namespace all of its capabilities can be had. */
static void check_available(struct spec_build *b, uint64_t added, uint64_t host)
{
	for (int cap = 0; cap < CAPS_N && !b->user_ns; cap++)
		if ((added & ~host) >> cap & 1)
			ctr_fault_add(b->faults, ERR_STATE, CAPABILITIES "add_capabilities",
				"ctrctl itself doesn't have %s on this host", caps_name(cap));
}

/* The order: the default ones or ALL, "drop ALL" clears, then what is added, then what is dropped.
 */
static uint64_t asked(struct spec_build *b, const struct cri_capability *c, uint64_t host)
{
	bool few = b->in->settings->restricted_capabilities, add_all, drop_all;
	uint64_t set = few ? mask_of(restricted, ARRAY_SIZE(restricted))
			   : mask_of(defaults, ARRAY_SIZE(defaults));

	if (!b->user_ns)
		set &= host;
	if (!c)
		return set;
	uint64_t add = read_list(
		b, "add_capabilities", c->add_capabilities, c->n_add_capabilities, &add_all);
	uint64_t drop = read_list(
		b, "drop_capabilities", c->drop_capabilities, c->n_drop_capabilities, &drop_all);
	check_available(b, add & ~drop, host);
	if (add_all)
		set = host;
	if (drop_all)
		set = 0;
	return (set | add) & ~drop;
}

static uint64_t ambient_of(struct spec_build *b, const struct cri_capability *c, uint64_t set)
{
	bool all;
	uint64_t mask;

	if (!c)
		return 0;
	mask = read_list(b, "add_ambient_capabilities", c->add_ambient_capabilities,
		c->n_add_ambient_capabilities, &all);
	if (mask & ~set)
		ctr_fault_add(b->faults, ERR_INVALID, CAPABILITIES "add_ambient_capabilities",
			"only a capability that the container has can be ambient");
	return all ? set : mask & set;
}

void spec_capabilities(struct spec_build *b)
{
	const struct spec_facts *facts = b->in->facts;
	const struct cri_capability *asks = b->sec->capabilities;
	struct oci_capabilities *c = arena_alloc(b->arena, sizeof(*c));
	uint64_t host = mask_of(facts->host_caps, facts->n_host_caps), set, ambient;

	if (!c)
		return;
	set = b->privileged ? host : asked(b, asks, host);
	ambient = ambient_of(b, asks, set);
	c->bounding = c->permitted = c->effective = names_of(b, set, &c->n_bounding);
	c->n_permitted = c->n_effective = c->n_bounding;
	c->ambient = c->inheritable = names_of(b, ambient, &c->n_ambient);
	c->n_inheritable = c->n_ambient;
	b->spec->process->capabilities = c;
}
