/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/native/image.h"

#include "base/memfile.h"
#include "init/image.h"

int image_make(const struct str *plan, struct err *err)
{
	/* memfile_make only reads them. */
	const struct iovec parts[] = { { (void *)(uintptr_t)init_image, init_image_size },
		{ plan->p, plan->n } };

	return memfile_make("ctrctl-init", parts, ARRAY_SIZE(parts), err);
}
