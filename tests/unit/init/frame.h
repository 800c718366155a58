/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs plans of a few steps in a forked child with namespaces of its own, as the hosted build or as
 * the real program, and lets the child look at the result from inside. Nothing of the host is
 * touched: roots are tmpfs in the child's own mount namespace.
 */
#ifndef TEST_INIT_FRAME_H
#define TEST_INIT_FRAME_H

#include "init/wire.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ROOT_FD 40 /* where a test finds what its setup has made */
#define FD_A    41
#define FD_B    42
#define CTL_FD  50

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct frame {
	struct wire_plan head;
	struct wire_step step[80];
	char pool[1 << 18];
	size_t used, n;
	int ns;                        /* CLONE_NEW* for the child */
	void (*setup)(struct frame *); /* in the child, before the plan */
	void (*check)(struct frame *); /* in the child, after a plan that ended without execve */
	bool image;                    /* the real program instead of the hosted build */
	int fds[8], n_fds;             /* kept open for the real program */
	int ctl;                       /* the parent's end */
	pid_t pid;
	int status;           /* of the child, once it has ended */
	struct wire_msg last; /* the error, if there was one */
	char *fault;          /* what a CHECK in the child said; shared memory */
	void *data;
};

/* Of init.h, which can't be included beside the libc's headers. */
int init_run(const struct wire_plan *, size_t size);
long plan_check(const struct wire_plan *, size_t size);

struct frame *frame_new(void);
uint32_t frame_text(struct frame *, const char *);
uint32_t frame_blob(struct frame *, const void *, size_t);
uint32_t frame_list(struct frame *, const char *const *, size_t n);
#define LIST(f, ...)                                        \
	frame_list(f, (const char *const[]){ __VA_ARGS__ }, \
		COUNT(((const char *const[]){ __VA_ARGS__ })))
struct wire_step *frame_step(
	struct frame *, enum wire_op, const char *s1, const char *s2, const char *s3);
/* argv of the plan, OP_FIND_EXEC and OP_EXEC. */
void frame_exec(struct frame *, const char *const *argv, size_t n);
#define EXEC(f, ...)                                        \
	frame_exec(f, (const char *const[]){ __VA_ARGS__ }, \
		COUNT(((const char *const[]){ __VA_ARGS__ })))
/* The packed plan, of *ret_n bytes: free() it. */
void *frame_pack(struct frame *, size_t *ret_n);

void frame_start(struct frame *);
/* Waits for the next message; false at the end of the conversation. fd may be NULL. */
bool frame_hear(struct frame *, struct wire_msg *, int *fd);
void frame_go(struct frame *);
/* Answers READY and SYNC until there is an error or the end, then waits for the child. */
void frame_finish(struct frame *);
/* start and finish: the plan must succeed, and so must what the check looks at */
void frame_pass(struct frame *);
/* start and finish: step number `step` must fail with `err` */
void frame_fail(struct frame *, unsigned step, int err);

/* For setup and check, in the child. */
#define CHECK(cond, ...)                                                         \
	do {                                                                     \
		if (!(cond))                                                     \
			frame_fault(__FILE__, __LINE__, #cond, " " __VA_ARGS__); \
	} while (0)
void frame_fault(const char *file, int line, const char *what, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
/* A tmpfs at ROOT_FD as an O_PATH directory, also mounted at /mnt. */
void setup_tmpfs(struct frame *);
/* The same, but detached: for OP_ROOT. */
void setup_detached(struct frame *);
/* As a step: OP_ROOT in place. */
void frame_root_in_place(struct frame *);
void put_file(const char *path, const char *text);
char *get_file(const char *path); /* static buffer; "" when it can't be read */
bool has_mount(const char *at, const char *type);

#endif
