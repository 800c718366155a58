/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* The words that engines know from other runtimes' logs. */
static const char *const level_names[LOG_LEVEL_N] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

enum { NOTE_MAX = 2048 };

static struct {
	int fd, stderr_fd;
	enum log_format format;
	enum log_level level;
} sink = { .fd = FD_NONE, .stderr_fd = STDERR_FILENO, .level = LOG_INFO };

void log_stderr(int fd)
{
	sink.stderr_fd = fd;
}

int log_open(const char *path, enum log_format format, enum log_level level, struct err *err)
{
	int fd = FD_NONE;

	if (path && *path) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd < 0)
			return err_sys(err, errno, "open", "log file %s", path);
	}
	fd_close(sink.fd);
	sink.fd = fd;
	sink.format = format;
	sink.level = level;
	return 0;
}

enum log_level log_level(void)
{
	return sink.level;
}

static void member(struct json_writer *w, const char *key, const char *value)
{
	if (!*value)
		return;
	json_w_key(w, key);
	json_w_str(w, value);
}

/* A string as Go's %q has it, near enough for people and for grep. */
static void add_quoted(struct str *s, const char *text)
{
	struct json_writer w = { .out = s };

	json_w_str(&w, text);
}

static void write_faults(struct json_writer *w, const struct ctr_faults *faults)
{
	json_w_key(w, "faults");
	json_w_array(w);
	for (size_t i = 0; i < faults->n; i++) {
		json_w_object(w);
		member(w, "code", err_code_name(faults->items[i].code));
		member(w, "field", faults->items[i].field);
		member(w, "text", faults->items[i].text);
		json_w_object_end(w);
	}
	json_w_array_end(w);
}

static void format_line(struct str *s, enum log_level level, const char *msg, const struct err *err,
	const struct ctr_faults *faults)
{
	char time[PROC_TIME_MAX];

	if (sink.format == LOG_TEXT) {
		str_printf(s, "time=\"%s\" level=%s msg=", proc_now(time), level_names[level]);
		add_quoted(s, msg);
		if (err && *err->hint) {
			str_add(s, " hint=");
			add_quoted(s, err->hint);
		}
		str_add(s, "\n");
		return;
	}
	struct json_writer w = { .out = s };
	json_w_object(&w);
	member(&w, "level", level_names[level]);
	member(&w, "msg", msg);
	member(&w, "time", proc_now(time));
	if (err) {
		member(&w, "code", err_code_name(err->code));
		json_w_key(&w, "grpc");
		json_w_i64(&w, err_grpc_status(err->code));
		member(&w, "errno", err_errno_name(err->os));
		member(&w, "op", err->op);
		member(&w, "object", err->object);
		member(&w, "where", err->where);
		member(&w, "hint", err->hint);
	}
	if (faults && faults->n)
		write_faults(&w, faults);
	json_w_object_end(&w);
	str_add(s, "\n");
}

/* One write, so that lines of several processes don't mix. A log that can't be written is no reason
 * to fail. */
static void write_line(int fd, const struct str *s)
{
	if (!s->failed && s->n && fd_write_all(fd, s->p, s->n) < 0)
		return;
}

void log_note(enum log_level level, const char *fmt, ...)
{
	char msg[NOTE_MAX];
	va_list ap;
	_str_ struct str line = { 0 };
	int saved = errno;

	if (level > sink.level)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	format_line(&line, level, msg, NULL, NULL);
	write_line(sink.fd >= 0 ? sink.fd : sink.stderr_fd, &line);
	errno = saved;
}

/* What a terminal would obey is escaped. */
static void add_shown(struct str *s, const char *before, const char *object, const char *what)
{
	struct err shown = ERR_INIT;
	char line[NOTE_MAX];

	snprintf(shown.object, sizeof(shown.object), "%s", object);
	snprintf(shown.text, sizeof(shown.text), "%s", what);
	err_line(&shown, line, sizeof(line));
	str_printf(s, "  %s: %s\n", before, line);
}

void log_failure_faults(const struct err *err, const struct ctr_faults *faults)
{
	char msg[NOTE_MAX];
	_str_ struct str line = { 0 }, text = { 0 };
	int saved = errno;

	err_line(err, msg, sizeof(msg));
	if (sink.fd >= 0) {
		format_line(&line, LOG_ERROR, msg, err, faults);
		write_line(sink.fd, &line);
	}
	str_printf(&text, "ctrctl: %s\n", msg);
	for (size_t i = 1; faults && i < faults->n; i++)
		add_shown(&text, "also", faults->items[i].field, faults->items[i].text);
	if (*err->hint)
		add_shown(&text, "hint", "", err->hint);
	write_line(sink.stderr_fd, &text);
	errno = saved;
}

void log_failure(const struct err *err)
{
	log_failure_faults(err, NULL);
}
