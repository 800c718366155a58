/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new or joined time namespace is entered by ctrctl itself, before the clone, and left after it:
 * the one order that works on every kernel since 5.6. ctrctl has one thread, as that needs.
 */
#ifndef NATIVE_TIMENS_H
#define NATIVE_TIMENS_H

#include "backend/native/prepare.h"

/* Puts this process's children into the time namespace of the plan. *ret_own takes it back
 * (FD_NONE: nothing was done). */
int timens_enter(
	const struct plan *, const struct prepared *, int *ret_own, struct err *) _must_check_;

/* Back into the own one; closes own. */
void timens_leave(int own);

#endif
