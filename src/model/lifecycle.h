/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a container and their names. */
#ifndef MODEL_LIFECYCLE_H
#define MODEL_LIFECYCLE_H

#include "base/names.h"
#include "ctrctl/backend.h"

extern const struct name_table ctr_status_names;

#endif
