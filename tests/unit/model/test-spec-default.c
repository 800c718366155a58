/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "model/oci.h"
#include "model/spec-default.h"

#include <criterion/criterion.h>
#include <string.h>

Test(spec_default, is_accepted_by_its_own_reader_and_rules)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str text = { 0 };
	struct err err = ERR_INIT;
	struct oci_spec *spec;

	cr_assert_eq(spec_default_text(&text, &err), 0);
	cr_assert_eq(oci_spec_parse(text.p, text.n, arena, &spec, &err), 0, "%s %s", err.where,
		err.text);
	cr_assert_eq(oci_spec_check(spec, &err), 0, "%s %s", err.where, err.text);
	cr_assert(spec->process->terminal && spec->root->readonly &&
		  spec->process->no_new_privileges);
	cr_assert_eq(spec->n_mounts, 7);
	cr_assert_eq(spec->linux_->n_namespaces, 6);
	cr_assert_not_null(oci_namespace_get(spec, OCI_NS_CGROUP));
	cr_assert_null(oci_namespace_get(spec, OCI_NS_USER));
	cr_assert_eq(spec->linux_->n_masked_paths, 10);
	cr_assert_eq(spec->process->rlimits[0].soft, 1024);
	cr_assert_eq(spec->process->capabilities->n_ambient, 0);
	cr_assert_not(spec->linux_->resources->devices[0].allow);
	cr_assert_eq(text.p[text.n - 1], '\n');
}
