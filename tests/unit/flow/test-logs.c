/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a container's log over rotations, and the record of its end. */
#include "flow/logs.h"
#include "flow/monitor.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T "2026-01-02T03:04:05.000000006Z "

static char folder[64];
static char path[128];

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/ctrctl-test-logs.%ld", (long)getpid());
	cr_assert_eq(mkdir(folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/log", folder);
}

static void tear_down(void)
{
	static const char *const names[] = { "log", "log.1", "log.2", "log.3", "log.4", "log.old",
		"exit.json" };
	char name[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", folder, names[i]);
		unlink(name);
	}
	rmdir(folder);
}

static void append(const char *name, const char *text)
{
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", folder, name);
	_close_ int fd = open(full, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void move(const char *from, const char *to)
{
	char a[128], b[128];

	snprintf(a, sizeof(a), "%s/%s", folder, from);
	snprintf(b, sizeof(b), "%s/%s", folder, to);
	cr_assert_eq(rename(a, b), 0);
}

static struct log_reader *reader(void)
{
	static struct log_reader r;
	struct err err = ERR_INIT;

	cr_assert_eq(log_reader_open(path, &r, &err), 0, "%s", err.text);
	return &r;
}

static void next_is(struct log_reader *r, const char *text)
{
	struct log_line l;
	struct err err = ERR_INIT;
	int more = log_reader_next(r, &l, &err);

	cr_assert_eq(more, text ? 1 : 0, "%s: %d", text, more);
	if (text)
		cr_assert(l.n == strlen(text) && !memcmp(l.text, text, l.n), "%.*s is no %s",
			(int)l.n, l.text, text);
}

/* ---- a line ---- */

Test(logs, reads_a_line)
{
	static const char line[] = T "stderr P  two  words ";
	struct log_line l;

	cr_assert_eq(log_line_parse(line, sizeof(line) - 1, &l), 0);
	cr_assert_eq(l.stream, LOG_STDERR);
	cr_assert(l.partial);
	cr_assert_eq(l.n_time, sizeof(T) - 2);
	cr_assert_eq(l.n, strlen(" two  words "));
	cr_assert_eq(memcmp(l.text, " two  words ", l.n), 0);
	cr_assert_eq(log_line_parse(T "stdout F ", sizeof(T "stdout F ") - 1, &l), 0);
	cr_assert_eq(l.n, 0);
	cr_assert(!l.partial && l.stream == LOG_STDOUT);
	cr_assert_eq(log_line_parse(T "stdout F:x y", sizeof(T "stdout F:x y") - 1, &l), 0);
	cr_assert_eq(l.n, 1);
}

Test(logs, refuses_other_lines)
{
	static const char *const bad[] = { "", " ", "x", T, T "stdout", T "stdout F",
		T "stdout X a", T "stdin F a", T "stdoutF a", T " stdout F a", "2026 stdout F a",
		T "stdout FP a",
		"{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}" };
	struct log_line l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(log_line_parse(bad[i], strlen(bad[i]), &l), -1, "%s", bad[i]);
}

/* ---- files ---- */

Test(logs, begins_with_the_oldest_file, .init = set_up, .fini = tear_down)
{
	append("log", T "stdout F c\n" T "stdout F d\n");
	append("log.1", T "stdout F b\n");
	append("log.2", T "stdout F a\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	next_is(r, "b");
	next_is(r, "c");
	next_is(r, "d");
	next_is(r, NULL);
	log_reader_close(r);
}

Test(logs, finds_what_is_written_later, .init = set_up, .fini = tear_down)
{
	append("log", T "stdout F a\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	next_is(r, NULL);
	append("log", T "stdout F b");
	next_is(r, NULL);
	append("log", "c\n");
	next_is(r, "bc");
	next_is(r, NULL);
	log_reader_close(r);
}

Test(logs, goes_on_over_rotations, .init = set_up, .fini = tear_down)
{
	append("log", T "stdout F a\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	append("log", T "stdout F b\n");
	move("log", "log.1");
	next_is(r, "b");
	next_is(r, NULL); /* no new one yet */
	append("log", T "stdout F c\n");
	move("log.1", "log.2");
	move("log", "log.1");
	append("log", T "stdout F d\n");
	next_is(r, "c");
	next_is(r, "d");
	next_is(r, NULL);
	log_reader_close(r);
}

Test(logs, goes_on_where_others_rotate, .init = set_up, .fini = tear_down)
{
	append("log", T "stdout F a\n");
	append("log.1", T "stdout F 0\n");
	struct log_reader *r = reader();

	next_is(r, "0");
	next_is(r, "a");
	move("log", "log.old");
	append("log.old", T "stdout F b\n");
	next_is(r, "b");
	next_is(r, NULL);
	append("log", T "stdout F c\n");
	append("log.old", T "stdout F late\n");
	next_is(r, "late");
	next_is(r, "c");
	next_is(r, NULL);
	log_reader_close(r);
}

Test(logs, goes_on_with_the_oldest_left_when_its_file_was_removed, .init = set_up,
	.fini = tear_down)
{
	char name[128];

	append("log", T "stdout F a\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	snprintf(name, sizeof(name), "%s/log", folder);
	cr_assert_eq(unlink(name), 0);
	append("log.2", T "stdout F c\n");
	append("log.1", T "stdout F d\n");
	append("log", T "stdout F e\n");
	next_is(r, "c");
	next_is(r, "d");
	next_is(r, "e");
	next_is(r, NULL);
	log_reader_close(r);
}

/* A rotation that is half done: each file of it, as who reads the others meets it. */
Test(logs, loses_no_file_while_they_are_being_renamed, .init = set_up, .fini = tear_down)
{
	append("log.3", T "stdout F a\n");
	append("log.2", T "stdout F b\n");
	append("log.1", T "stdout F c\n");
	append("log", T "stdout F d\n");
	struct log_reader *r = reader();

	move("log.3", "log.4");
	next_is(r, "a");
	next_is(r, "b");
	move("log.2", "log.3");
	next_is(r, "c");
	move("log.1", "log.2");
	next_is(r, "d");
	move("log", "log.1");
	next_is(r, NULL);
	append("log", T "stdout F e\n");
	next_is(r, "e");
	next_is(r, NULL);
	log_reader_close(r);
}

Test(logs, begins_with_the_oldest_while_they_are_being_renamed, .init = set_up, .fini = tear_down)
{
	append("log.3", T "stdout F a\n");
	append("log.1", T "stdout F c\n");
	append("log", T "stdout F d\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	next_is(r, "c");
	next_is(r, "d");
	next_is(r, NULL);
	log_reader_close(r);
}

/* The highest number there may be is taken over: its file is gone, the next one has its number. */
Test(logs, goes_on_with_the_oldest_left_while_they_are_being_renamed, .init = set_up,
	.fini = tear_down)
{
	append("log.3", T "stdout F a\n");
	append("log.2", T "stdout F b\n");
	append("log.1", T "stdout F c\n");
	append("log", T "stdout F d\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	move("log.2", "log.3");
	next_is(r, "b");
	next_is(r, "c");
	next_is(r, "d");
	next_is(r, NULL);
	log_reader_close(r);
}

/* As the monitor does it: the highest first. It asserts nothing: it isn't the test's process. */
static _Noreturn void rotate_on_and_on(int dir, unsigned files)
{
	char a[16], b[16], line[64];

	for (unsigned n = 1; n < files; n++) {
		for (unsigned i = n; i > 1; i--) {
			snprintf(a, sizeof(a), "log.%u", i - 1);
			snprintf(b, sizeof(b), "log.%u", i);
			if (renameat(dir, a, dir, b) < 0)
				_exit(1);
		}
		snprintf(line, sizeof(line), T "stdout F %u\n", n);
		if (renameat(dir, "log", dir, "log.1") < 0)
			_exit(1);
		_close_ int fd = openat(dir, "log", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || fd_write_all(fd, line, strlen(line)) < 0)
			_exit(1);
	}
	_exit(0);
}

Test(logs, loses_no_file_at_any_moment, .init = set_up, .fini = tear_down)
{
	enum { FILES = 150 };
	struct log_line l;
	struct err err = ERR_INIT;
	int status = -1;
	unsigned n;
	char text[16];

	append("log", T "stdout F 0\n");
	_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t child = fork();
	if (child == 0)
		rotate_on_and_on(dir, FILES);
	bool ended;
	do {
		ended = waitpid(child, &status, WNOHANG) != 0;
		struct log_reader *r = reader();
		for (n = 0; log_reader_next(r, &l, &err) > 0; n++) {
			snprintf(text, sizeof(text), "%u", n);
			cr_assert(l.n == strlen(text) && !memcmp(l.text, text, l.n),
				"%.*s is no %u", (int)l.n, l.text, n);
		}
		cr_assert(n > 0);
		log_reader_close(r);
	} while (!ended);
	cr_assert_eq(status, 0);
	cr_assert_eq(n, FILES);
	for (n = 0; n < FILES; n++) {
		char name[128];
		snprintf(name, sizeof(name), "%s/log.%u", folder, n);
		unlink(name);
	}
}

Test(logs, passes_over_what_is_no_log, .init = set_up, .fini = tear_down)
{
	static char big[3 * LOG_BUFFER];

	memset(big, 'x', sizeof(big) - 2);
	big[sizeof(big) - 2] = '\n';
	append("log", "nonsense\n" T "stdout F a\n");
	append("log", big);
	append("log", T "stdout F b\n");
	struct log_reader *r = reader();

	next_is(r, "a");
	next_is(r, "b");
	next_is(r, NULL);
	cr_assert_eq(r->bad, 2);
	log_reader_close(r);
}

Test(logs, follows_no_symlink, .init = set_up, .fini = tear_down)
{
	struct log_reader r;
	struct err err = ERR_INIT;

	cr_assert_eq(symlink("/etc/passwd", path), 0);
	cr_assert_eq(log_reader_open(path, &r, &err), -1);
	cr_assert_eq(r.dir, FD_NONE);
	unlink(path);
	cr_assert_eq(log_reader_open(path, &r, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
}

/* ---- exit.json ---- */

static int read_exit(const char *text, struct arena *a, struct ctr_exit *e, struct err *err)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/" MONITOR_EXIT, folder);
	unlink(name);
	if (text)
		append(MONITOR_EXIT, text);
	_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return monitor_exit(dir, a, e, err);
}

Test(monitor, reads_the_recorded_end, .init = set_up, .fini = tear_down)
{
	_arena_ struct arena *a = arena_new();
	struct ctr_exit e;
	struct err err = ERR_INIT;

	cr_assert_eq(read_exit(NULL, a, &e, &err), 0);
	cr_assert_eq(read_exit("{\"exitCode\":137,\"signal\":9,\"oomKilled\":true,\"reason\":"
			       "\"OOMKilled\",\"finishedAt\":\"2026\",\"later\":1}",
			     a, &e, &err),
		1);
	cr_assert(
		e.code == 137 && e.signal == 9 && e.oom_killed && e.reason == CTR_EXIT_OOM_KILLED);
	cr_assert_str_eq(e.finished, "2026");
	cr_assert_eq(read_exit("", a, &e, &err), -1);
	cr_assert_eq(read_exit("{\"exitCode\":1}", a, &e, &err), -1);
}
