/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to fail.
 *
 * An error is a value on the caller's stack: nothing to free, usable after clone. A function that
 * can fail takes `struct err *err` last, returns 0 or -1 (fd or -1, pointer or NULL) and sets *err
 * only when it fails. Raise once, where the cause is known; pass on with err_in() when that adds a
 * place.
 */
#ifndef CTRCTL_ERR_H
#define CTRCTL_ERR_H

#include <stddef.h>

/* What kind of failure: this alone decides the exit status and the gRPC status. */
enum err_code {
	ERR_NONE,
	ERR_USAGE,       /* the command line is wrong */
	ERR_INVALID,     /* the input breaks a rule */
	ERR_NOT_FOUND,   /* what is named doesn't exist */
	ERR_EXISTS,      /* what is to be made exists already */
	ERR_STATE,       /* not possible in the container's present state */
	ERR_DENIED,      /* the kernel or a policy refuses */
	ERR_UNSUPPORTED, /* kernel, host or this build can't do it */
	ERR_EXHAUSTED,   /* out of memory, fds, space or over a limit */
	ERR_TIMEOUT,
	ERR_UNAVAILABLE, /* a service that is needed doesn't answer */
	ERR_SYSTEM,      /* a system call failed for another reason */
	ERR_INTERNAL,    /* a mistake of our own */
	ERR_N
};

struct err {
	enum err_code code;
	int os;           /* errno, or 0: then no strerror text is printed */
	char op[32];      /* what was tried: "open_tree", "fsopen" */
	char object[384]; /* on what: "/srv/data on /data" */
	char text[384];   /* a sentence, when errno isn't the story */
	char hint[256];   /* what the reader can do about it, or empty */
	char where[384];  /* path from the outside in: "create web1: mounts[3]" */
};

/* Empty value: `struct err err = ERR_INIT;` */
#define ERR_INIT  \
	{         \
		0 \
	}

#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(f, a) __attribute__((format(printf, f, a)))

/* Sets *err to `code` about `object` (may be NULL) with a sentence. Always returns -1. */
int err_set(struct err *err, enum err_code code, const char *object, const char *fmt, ...)
	_printf_(4, 5);

/* Sets *err from a failed system call: `os` is errno, `op` the call, then the object as a format.
 * The code follows from errno; a hint is taken from the table of known pairs. Always returns -1. */
int err_sys(struct err *err, int os, const char *op, const char *objfmt, ...) _printf_(4, 5);

/* Puts a place in front of err->where: "mounts[3]"; nested calls give "linux.seccomp.syscalls[2]".
 * A place that ends in a space or colon is glued as it is. Always returns -1. */
int err_in(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* Sets the hint, replacing any. Always returns -1. */
int err_hint(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* The error in one line, without the hint: "WHERE: OP(OBJECT): STRERROR" or "WHERE: OBJECT: TEXT".
 * Control bytes are shown escaped. buf is always terminated. */
void err_line(const struct err *err, char *buf, size_t n);

/* Stable names for scripts: "invalid", "not-found" ... ; "EINVAL" (or "" for 0). */
const char *err_code_name(enum err_code code);
const char *err_errno_name(int os);

/* The gRPC status number of a code (google.rpc.Code). */
int err_grpc_status(enum err_code code);

#endif
