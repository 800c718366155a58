/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the rules: a sound config with one part replaced. */
#ifndef TEST_MODEL_CHECK_H
#define TEST_MODEL_CHECK_H

#include "base/log.h"
#include "base/str.h"
#include "model/oci.h"

#include <criterion/criterion.h>
#include <string.h>

#define ALL_NS \
	"{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"uts\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}"

/* NULL keeps the sound value; `more` texts begin with a comma. */
struct parts {
	const char *version, *root, *process, *process_more, *namespaces, *linux_more, *more;
};

static inline int check_parts(const struct parts *p, char *line, size_t n)
{
	_arena_ struct arena *arena = arena_new();
	_str_ struct str text = { 0 };
	struct oci_spec *spec;
	struct err err = ERR_INIT;

	str_printf(&text, "{\"ociVersion\":\"%s\",\"root\":%s,\"process\":",
		p->version ? p->version : "1.2.0", p->root ? p->root : "{\"path\":\"rootfs\"}");
	if (p->process)
		str_add(&text, p->process);
	else
		str_printf(&text, "{\"cwd\":\"/\",\"args\":[\"sh\"]%s}",
			p->process_more ? p->process_more : "");
	str_printf(&text, ",\"linux\":{\"namespaces\":[%s]%s}%s}",
		p->namespaces ? p->namespaces : ALL_NS, p->linux_more ? p->linux_more : "",
		p->more ? p->more : "");
	*line = 0;
	if (oci_spec_parse(text.p, text.n, arena, &spec, &err) < 0 ||
		oci_spec_check(spec, &err) < 0) {
		err_line(&err, line, n);
		return -1;
	}
	return 0;
}

static inline void accept(struct parts p)
{
	char line[1024];

	check_parts(&p, line, sizeof(line));
	cr_assert_str_empty(line, "%s", line);
}

static inline void refuse(struct parts p, const char *want)
{
	char line[1024];

	cr_assert_eq(check_parts(&p, line, sizeof(line)), -1, "accepted; wanted: %s", want);
	cr_assert_str_eq(line, want);
	/* Words that engines take for a missing or forbidden program. */
	cr_assert_null(strcasestr(line, "no such file or directory"));
	cr_assert_null(strcasestr(line, "permission denied"));
}

/* One extra member in process, linux or at the top. */
#define ACCEPT_PROCESS(text)       accept((struct parts){ .process_more = "," text })
#define REFUSE_PROCESS(text, want) refuse((struct parts){ .process_more = "," text }, want)
#define ACCEPT_LINUX(text)         accept((struct parts){ .linux_more = "," text })
#define REFUSE_LINUX(text, want)   refuse((struct parts){ .linux_more = "," text }, want)
#define ACCEPT_TOP(text)           accept((struct parts){ .more = "," text })
#define REFUSE_TOP(text, want)     refuse((struct parts){ .more = "," text }, want)

/* Warnings go to a file whose name this returns. */
static inline const char *warnings_to_file(void)
{
	static char name[64];
	struct err err = ERR_INIT;

	snprintf(name, sizeof(name), "/tmp/ctrctl-test-check.XXXXXX");
	int fd = mkstemp(name);
	cr_assert_geq(fd, 0);
	cr_assert_eq(log_open(name, LOG_TEXT, LOG_INFO, &err), 0);
	return name;
}

#endif
