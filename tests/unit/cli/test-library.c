/* SPDX-License-Identifier: Apache-2.0 */
/* The installed headers and the one archive are enough to use the library. */
#include <criterion/criterion.h>
#include <ctrctl/engine.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ctr_backend *const backends[] = { &ctr_backend_native, NULL };

static int count(void *arg, const struct ctr_listed *one, struct err *err)
{
	(void)one;
	(void)err;
	++*(int *)arg;
	return 0;
}

Test(library, answers_about_containers_that_arent_there)
{
	char root[] = "/tmp/ctrctl-library-XXXXXX";
	struct err err = ERR_INIT;
	struct ctr_engine *e;
	char line[200];
	int n = 0;

	cr_assert(mkdtemp(root));
	e = ctr_engine_open(
		&(struct ctr_engine_options){ .root = root, .backends = backends }, &err);
	cr_assert(e);
	cr_assert_null(ctr_container_open(e, "web1", CTR_READ, &err));
	err_line(&err, line, sizeof(line));
	cr_assert_str_eq(line, "container does not exist");
	cr_assert_eq(err_grpc_status(err.code), 5);
	cr_assert_eq(ctr_list(e, count, &n, &err), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(ctr_delete(e, "web1", true, &err), 0);
	ctr_engine_close(e);
	cr_assert_eq(rmdir(root), 0, "nothing was made");
}
