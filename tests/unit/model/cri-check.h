/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of CRI's rules: a sound request with parts added, and the faults it has. */
#ifndef TEST_MODEL_CRI_CHECK_H
#define TEST_MODEL_CRI_CHECK_H

#include "base/str.h"
#include "model/cri.h"

#include <criterion/criterion.h>
#include <string.h>

/* "field", "field (unsupported)"... one a line, in the order found. */
static inline void list_faults(const struct ctr_faults *faults, struct str *out)
{
	for (size_t i = 0; i < faults->n; i++) {
		const struct ctr_fault *f = &faults->items[i];
		str_printf(out, "%s%s", i ? "\n" : "", f->field);
		if (f->code != ERR_INVALID)
			str_printf(out, " (%s)", err_code_name(f->code));
		cr_assert_gt(strlen(f->text), 5, "%s: %s", f->field, f->text);
		cr_assert_null(strcasestr(f->text, "no such file or directory"));
		cr_assert_null(strcasestr(f->text, "permission denied"));
	}
	if (!out->p)
		str_add(out, "");
}

static inline void expect(const struct ctr_faults *faults, const char *input, const char *want)
{
	_str_ struct str found = { 0 };

	list_faults(faults, &found);
	cr_assert_str_eq(found.p, want, "%s\nfound: %s\n(%s)", input, found.p,
		faults->n ? faults->items[0].text : "");
	cr_assert_eq(faults->n, faults->total);
}

static inline struct cri_create_container_request *parse_request(
	struct arena *arena, const char *text)
{
	struct cri_create_container_request *r = NULL;
	struct err err = ERR_INIT;
	char line[1024];

	if (cri_request_parse(text, strlen(text), arena, &r, &err) < 0) {
		err_line(&err, line, sizeof(line));
		cr_assert_fail("%s: %s", text, line);
	}
	return r;
}

static inline void check_text(const char *text, const char *want)
{
	_arena_ struct arena *arena = arena_new();
	struct ctr_faults faults = CTR_FAULTS_INIT;

	cri_request_check(parse_request(arena, text), &faults);
	expect(&faults, text, want);
	ctr_faults_done(&faults);
}

/* More members of a sound config, of its security context, of its resources; of a sound pod, of its
 * "linux", of its security context. `want` are the faults' fields. */
#define SOUND_POD    "\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\"}"
#define SOUND_CONFIG "\"metadata\":{\"name\":\"c\"},\"image\":{\"image\":\"busybox\"}"
#define CONFIG(more, want) \
	check_text("{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG "," more "}}", want)
#define SECURITY(more, want)  CONFIG("\"linux\":{\"security_context\":{" more "}}", want)
#define RESOURCES(more, want) CONFIG("\"linux\":{\"resources\":{" more "}}", want)
#define POD(more, want)                                                       \
	check_text("{\"pod_sandbox_id\":\"s\",\"config\":{" SOUND_CONFIG "}," \
		   "\"sandbox_config\":{" SOUND_POD "," more "}}",            \
		want)
#define POD_LINUX(more, want)    POD("\"linux\":{" more "}", want)
#define POD_SECURITY(more, want) POD_LINUX("\"security_context\":{" more "}", want)

#define IN_CONFIG    "config."
#define IN_SECURITY  "config.linux.security_context."
#define IN_RESOURCES "config.linux.resources."
#define IN_POD       "sandbox_config."
#define IN_POD_SEC   "sandbox_config.linux.security_context."

#endif
