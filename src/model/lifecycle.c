/* SPDX-License-Identifier: Apache-2.0 */
#include "model/lifecycle.h"

static const char *const status_names[CTR_STATUS_N] = {
	[CTR_CREATING] = "creating",
	[CTR_CREATED] = "created",
	[CTR_RUNNING] = "running",
	[CTR_PAUSED] = "paused",
	[CTR_STOPPED] = "stopped",
	[CTR_UNKNOWN] = "unknown",
};
const struct name_table ctr_status_names = { status_names, CTR_STATUS_N };

const char *ctr_status_name(int status)
{
	return name_of(&ctr_status_names, status);
}
