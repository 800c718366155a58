/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in tests: a config.json as text, a made-up host, and the plan as text. */
#ifndef TEST_PLAN_COMMON_H
#define TEST_PLAN_COMMON_H

#include "backend/native/plan.h"
#include "model/oci.h"

/* A container of test-plan*.c: everything lives in the arena. */
struct planned {
	struct arena *arena;
	struct oci_spec *spec;
	struct plan_facts facts;
	struct plan plan;
};

/* A host with AppArmor, all capabilities and a hybrid cgroup tree, unless `facts` is changed
 * afterwards. */
void planned_init(struct planned *, const char *json);
void planned_done(struct planned *);
#define _planned_ _cleanup_(planned_done)

/* plan_create() / plan_exec(), which must succeed; the text is fresh memory. */
char *planned_create(struct planned *);
char *planned_exec(struct planned *, const struct plan_exec *);

/* plan_create(), which must fail; the line and the hint of the error are fresh memory. */
char *planned_refusal(struct planned *);

/* The index of the n-th step of a kind, or -1. */
int planned_find(const struct planned *, enum wire_op, int n);

#endif
