/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks that behave, and hooks that don't. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUT_FD 46

static int out_memfd = -1;

static void setup(struct frame *f)
{
	signal(SIGPIPE, SIG_IGN);
	if (out_memfd >= 0)
		CHECK(dup2(out_memfd, OUT_FD) == OUT_FD);
}

static struct frame *hook(const char *script, unsigned limit_ms)
{
	struct frame *f = frame_new();
	struct wire_step *s = frame_step(f, OP_HOOK, "/bin/sh", NULL, NULL);

	out_memfd = (int)syscall(SYS_memfd_create, "out", 0u);
	f->ns = CLONE_NEWPID;
	f->setup = setup;
	f->image = true;
	f->head.hook_fd = OUT_FD;
	f->head.state_head = frame_text(f, "{\"pid\":");
	f->head.state_tail = frame_text(f, "}");
	s->s2 = LIST(f, "hook", "-c", script);
	s->s3 = LIST(f, "PATH=/bin:/usr/bin", "COLOUR=blue");
	s->a = 3 | 2 << 16;
	s->b = limit_ms;
	return f;
}

static const char *output(void)
{
	static char text[4096];
	ssize_t n = pread(out_memfd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

Test(hook, gets_the_state_with_its_pid_an_environment_and_a_place_for_output, .timeout = 20)
{
	struct frame *f = hook(
		"cat; echo; echo $COLOUR $0 $PWD; test -z \"$HOME\" && ls /proc/self/fd >&2", 0);

	frame_pass(f);
	cr_assert_str_eq(output(), "{\"pid\":1}\nblue hook /\n0\n1\n2\n3\n");
}

Test(hook, may_have_a_state_of_its_own, .timeout = 20)
{
	struct frame *f = hook("cat", 0);

	f->step[0].c = frame_text(f, ",\"status\":\"created\"}");
	frame_pass(f);
	cr_assert_str_eq(output(), "{\"pid\":1,\"status\":\"created\"}");
}

Test(hook, has_default_signals_and_a_session_of_its_own, .timeout = 20)
{
	struct frame *f = hook("grep -q 'SigIgn:\t0000000000000000' /proc/self/status && "
			       "read -r a b c d e sid g </proc/self/stat; test $sid != 1",
		0);

	frame_pass(f);
}

Test(hook, that_fails_is_reported_with_its_wait_status, .timeout = 20)
{
	struct frame *f = hook("exit 9", 0);

	frame_fail(f, 0, ECANCELED);
	cr_assert(WIFEXITED((int)f->last.value) && WEXITSTATUS((int)f->last.value) == 9);
	cr_assert_str_eq(f->last.text, "/bin/sh");
}

Test(hook, that_is_killed_is_reported_with_its_wait_status, .timeout = 20)
{
	struct frame *f = hook("kill -KILL $$", 0);

	frame_fail(f, 0, ECANCELED);
	cr_assert(WIFSIGNALED((int)f->last.value) && WTERMSIG((int)f->last.value) == SIGKILL);
}

Test(hook, that_is_not_there_is_reported_by_errno, .timeout = 20)
{
	struct frame *f = hook("", 0);

	f->step[0].s1 = frame_text(f, "/nowhere/hook");
	frame_fail(f, 0, ENOENT);
	cr_assert(f->last.call == SYS_execve);
}

/* More state than a pipe takes, and nobody who reads it. */
static void big_state(struct frame *f)
{
	char *big = calloc(1, 150001);

	memset(big, ' ', 150000);
	f->head.state_tail = frame_text(f, big);
	free(big);
}

Test(hook, that_never_reads_does_not_hold_us_up, .timeout = 20)
{
	struct frame *f = hook("exit 0", 0);

	big_state(f);
	frame_pass(f);
}

Test(hook, that_closes_its_stdin_does_not_kill_us, .timeout = 20)
{
	struct frame *f = hook("exec <&-; sleep 0.2", 0);

	big_state(f);
	f->ns = 0; /* outside of a pid namespace SIGPIPE would be deadly */
	frame_pass(f);
}

Test(hook, reads_a_state_of_any_size, .timeout = 20)
{
	struct frame *f = hook("sleep 0.1; wc -c", 0);

	big_state(f);
	frame_pass(f);
	cr_assert_str_eq(output(), "150008\n");
}

Test(hook, that_takes_too_long_is_ended_with_its_children, .timeout = 20)
{
	struct frame *f = hook("trap '' TERM; (sleep 1; echo alive) & sleep 600", 100);

	f->ns = 0;
	frame_fail(f, 0, ETIMEDOUT);
	usleep(1200 * 1000);
	cr_assert_str_eq(output(), "");
}

Test(hook, may_leave_a_daemon_behind, .timeout = 20)
{
	struct frame *f = hook("setsid sleep 600 & exit 0", 0);

	frame_pass(f);
}

Test(hook, without_a_place_for_output_writes_to_nowhere, .timeout = 20)
{
	struct frame *f = hook("echo hello; test /proc/self/fd/1 -ef /dev/null", 0);

	f->head.hook_fd = -1;
	frame_pass(f);
	cr_assert_str_eq(output(), "");
}

static void setup_no_dev(struct frame *f)
{
	setup(f);
	CHECK(mount("tmpfs", "/dev", "tmpfs", 0, "") == 0);
	put_file("/dev/null", "");
}

/* A regular file at /dev/null must not collect what hooks say. */
Test(hook, does_not_write_to_a_false_null, .timeout = 20)
{
	struct frame *f = hook("echo hello 2>&-; test ! -s /dev/null", 0);

	f->ns |= CLONE_NEWNS;
	f->setup = setup_no_dev;
	f->head.hook_fd = -1;
	frame_pass(f);
}
