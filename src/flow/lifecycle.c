/* SPDX-License-Identifier: Apache-2.0 */
/* What is allowed in which state, and what is said otherwise. Engines look for these sentences,
 * word by word. */
#include "flow/flow.h"

/* NULL: allowed. */
static const char *const refusals[VERB_N][CTR_STATUS_N] = {
	[VERB_START] = {
		[CTR_CREATING] = "cannot start a container that is still being created",
		[CTR_RUNNING] = "cannot start an already running container",
		[CTR_PAUSED] = "cannot start an already running container (it is paused)",
		[CTR_STOPPED] = "cannot start a container that has stopped",
	},
	[VERB_KILL] = {
		[CTR_CREATING] = "container not running (it is still being created)",
		[CTR_STOPPED] = "container not running",
	},
	[VERB_EXEC] = {
		[CTR_CREATING] = "cannot exec in a container that is still being created",
		[CTR_PAUSED] = "cannot exec in a paused container (use --ignore-paused to override)",
		[CTR_STOPPED] = "cannot exec in a stopped container (container not running)",
	},
	[VERB_PAUSE] = {
		[CTR_CREATING] = "container not running (it is still being created)",
		[CTR_PAUSED] = "container paused already",
		[CTR_STOPPED] = "container not running",
	},
	[VERB_RESUME] = {
		[CTR_CREATING] = "container not paused",
		[CTR_CREATED] = "container not paused",
		[CTR_RUNNING] = "container not paused",
		[CTR_STOPPED] = "container not paused",
	},
	[VERB_UPDATE] = {
		[CTR_CREATING] = "container not running (it is still being created)",
		[CTR_STOPPED] = "container not running",
	},
	[VERB_DELETE] = {
		[CTR_CREATING] = "cannot delete container %s that is not stopped: creating",
		[CTR_RUNNING] = "cannot delete container %s that is not stopped: running",
		[CTR_PAUSED] = "cannot delete container %s that is not stopped: paused",
	},
};

int lifecycle_check(enum verb verb, enum ctr_status status, const char *id, struct err *err)
{
	const char *text = refusals[verb][status];

	if (status == CTR_UNKNOWN)
		return err_set(err, ERR_UNAVAILABLE, NULL, "its state can't be asked for now");
	if (!text)
		return 0;
	if (verb != VERB_DELETE)
		return err_set(err, ERR_STATE, NULL, "%s", text);
	return err_set(err, ERR_STATE, NULL, "cannot delete container %s that is not stopped: %s",
		id, ctr_status_name(status));
}
