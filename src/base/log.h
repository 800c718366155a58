/* SPDX-License-Identifier: Apache-2.0 */
/* The log: what engines read back (--log FILE, --log-format json), and stderr. Exactly one line per
 * failure. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/mem.h"
#include "ctrctl/fault.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_N };
enum log_format { LOG_TEXT, LOG_JSON };

/* path NULL: no log file. The file is appended to, 0644, O_CLOEXEC. Called once per process (again:
 * replaces). */
int log_open(const char *path, enum log_format, enum log_level, struct err *) _must_check_;
enum log_level log_level(void);

/* From now on what would go to standard error goes to this fd (borrowed): where fd 2 is to become
 * somebody else's. */
void log_stderr(int fd);

/* A note. Below LOG_ERROR it goes to the log file only, or to stderr when there is no file (debug:
 * only when asked for). */
void log_note(enum log_level, const char *fmt, ...) _printf_(2, 3);
#define log_warn(...)  log_note(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_note(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_level() >= LOG_DEBUG ? log_note(LOG_DEBUG, __VA_ARGS__) : (void)0)

/* The failure of the whole command: one JSON or text line in the log file and one on stderr (with
 * the hint on a line of its own). */
void log_failure(const struct err *);
/* The same of a request with several faults, the first of which is *err: the others follow, a line
 * each; in the log they are a list in the one line. */
void log_failure_faults(const struct err *, const struct ctr_faults *);

#endif
