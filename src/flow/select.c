/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

const struct ctr_backend *select_backend(const struct ctr_engine *e, struct err *err)
{
	const struct ctr_backend *b = e->backends[0];
	struct err why = ERR_INIT;
	int usable = b->probe ? b->probe(&why) : 1;

	if (usable == 1)
		return b;
	*err = why;
	if (usable == 0)
		err->code = ERR_UNSUPPORTED;
	err_in(err, "backend %s:", b->name);
	return NULL;
}

const struct ctr_backend *find_backend(
	const struct ctr_engine *e, const char *name, struct err *err)
{
	for (size_t i = 0; e->backends[i]; i++) {
		if (str_eq(e->backends[i]->name, name))
			return e->backends[i];
	}
	err_set(err, ERR_UNSUPPORTED, name,
		"the container was made by a backend that isn't in this program");
	return NULL;
}
