/* SPDX-License-Identifier: Apache-2.0 */
/* The end of init: where the program stands, which one it is, what it gets and what it doesn't. */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct wire_step *add_cwd(struct frame *f, const char *path, unsigned flags)
{
	struct wire_step *s = frame_step(f, OP_CWD, path, NULL, NULL);

	s->flags = (uint16_t)flags;
	return s;
}

/* ---- cwd ---- */

static void setup_private(struct frame *f)
{
	CHECK(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755") == 0);
	CHECK(mkdir("/mnt/home", 0700) == 0 && chown("/mnt/home", 1000, 1000) == 0);
	CHECK(mkdir("/mnt/shut", 0700) == 0);
}

Test(cwd, is_made_and_entered)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	add_cwd(f, "/mnt/work/deep", STEP_MAKE_DIR);
	EXEC(f, "/bin/sh", "-c", "test $(pwd -P) = /mnt/work/deep");
	frame_pass(f);
}

Test(cwd, that_is_absent_is_an_error)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	add_cwd(f, "/mnt/nowhere", 0);
	frame_fail(f, 0, ENOENT);
}

/* FD_A leads out: no name may use it. */
static void setup_leak(struct frame *f)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	setup_private(f);
	CHECK(fd >= 0 && dup2(fd, FD_A) == FD_A);
}

Test(cwd, cannot_lead_through_our_fds)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_leak;
	add_cwd(f, "/proc/self/fd/41/etc", 0);
	frame_fail(f, 0, ELOOP);
}

/* Standing outside of the root: the raw getcwd succeeds with "(unreachable)". */
static void setup_outside(struct frame *f)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	setup_private(f);
	CHECK(chroot("/mnt/home") == 0);
	CHECK(dup2(fd, ROOT_FD) == ROOT_FD);
}

Test(cwd, outside_of_the_root_is_refused)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_outside;
	frame_root_in_place(f);
	add_cwd(f, "/etc", 0);
	frame_fail(f, 1, EPERM);
}

static void become(struct frame *f, unsigned uid)
{
	struct wire_step *s = frame_step(f, OP_IDS, NULL, NULL, NULL);

	s->a = s->b = uid;
	frame_step(f, OP_CAPS, NULL, NULL, NULL);
}

Test(cwd, that_only_the_user_may_enter_is_tried_again)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	become(f, 1000);
	add_cwd(f, "/mnt/shut", STEP_SOFT);
	add_cwd(f, "/mnt/home", 0);
	EXEC(f, "/bin/sh", "-c", "test $(pwd -P) = /mnt/home");
	frame_pass(f);
}

Test(cwd, that_nobody_may_enter_is_an_error)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	become(f, 1000);
	add_cwd(f, "/mnt/shut", STEP_SOFT);
	add_cwd(f, "/mnt/shut", 0);
	frame_fail(f, 3, EACCES);
}

Test(cwd, that_is_reached_is_not_entered_again)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	add_cwd(f, "/mnt/shut", STEP_SOFT);
	become(f, 1000);
	add_cwd(f, "/mnt/shut", 0);
	frame_pass(f);
}

/* ---- finding ---- */

static void find(int err, const char *detail, const char *const *list, size_t n)
{
	struct frame *f = frame_new();
	struct wire_step *s;

	f->ns = CLONE_NEWNS;
	f->setup = setup_leak;
	s = frame_step(f, OP_FIND_EXEC, NULL, NULL, NULL);
	s->s1 = frame_list(f, list, n);
	s->a = n;
	if (!err) {
		f->head.argv = LIST(f, "sh", "-c", "exit 0");
		f->head.argc = 3;
		frame_step(f, OP_EXEC, NULL, NULL, NULL);
		frame_pass(f);
		return;
	}
	frame_fail(f, 0, err);
	cr_assert(!strcmp(f->last.text, detail), "%s", f->last.text);
}
#define FIND(err, detail, ...)                                  \
	find(err, detail, (const char *const[]){ __VA_ARGS__ }, \
		COUNT(((const char *const[]){ __VA_ARGS__ })))

Test(find, takes_the_first_that_can_run)
{
	FIND(0, NULL, "/nowhere/sh", "/etc/passwd/sh", "/etc", "/etc/passwd", "/bin/sh",
		"/bin/false");
}

Test(find, says_not_found_when_none_exists)
{
	FIND(ENOENT, "", "/nowhere/sh", "/nor/here", "/etc/passwd/sh");
}

Test(find, says_not_permitted_when_one_exists)
{
	FIND(EACCES, "/etc/passwd", "/nowhere/sh", "/etc/passwd", "/nor/here");
}

Test(find, does_not_take_a_directory)
{
	FIND(EACCES, "/etc", "/etc");
}

Test(find, goes_through_no_magic_link)
{
	FIND(ELOOP, "/proc/self/fd/41/bin/sh", "/proc/self/fd/41/bin/sh");
}

/* ---- execve ---- */

static void setup_many_fds(struct frame *f)
{
	for (int i = 0; i < 100; i++)
		CHECK(open("/", O_RDONLY | O_DIRECTORY) >= 0);
	CHECK(dup2(2, 300) == 300 && dup2(2, 3) == 3 && dup2(2, 4) == 4);
}

#define ONLY(fds) \
	"set -- $(ls /proc/self/fd); test \"$*\" = '" fds "' || { echo \"$*\" >&2; exit 1; }"

Test(exec, passes_standard_fds_only)
{
	struct frame *f = frame_new();

	f->setup = setup_many_fds;
	/* 3 is the folder that ls reads */
	EXEC(f, "/bin/sh", "-c", ONLY("0 1 2 3"));
	frame_pass(f);
}

Test(exec, passes_preserved_fds_too)
{
	struct frame *f = frame_new();

	f->setup = setup_many_fds;
	f->head.preserve = 2;
	EXEC(f, "/bin/sh", "-c", ONLY("0 1 2 3 4 5"));
	frame_pass(f);
}

Test(exec, passes_nothing_more_from_the_real_program)
{
	struct frame *f = frame_new();

	f->setup = setup_many_fds;
	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL)->flags = STEP_KEEP_CTL;
	EXEC(f, "/bin/sh", "-c", ONLY("0 1 2 3"));
	frame_pass(f);
}

/* The lookup of execve happens before CLOEXEC takes effect: the fd must be gone already. */
Test(exec, has_closed_its_fds_before_the_program_is_looked_up)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_leak;
	frame_step(f, OP_FIND_EXEC, "/bin/sh", NULL, NULL)->a = 1;
	f->head.argv =
		LIST(f, "sh", "-c", "test ! -e /proc/self/fd/41 && test ! -e /proc/self/fd/50");
	f->head.argc = 3;
	frame_step(f, OP_EXEC, NULL, NULL, NULL);
	frame_pass(f);
}

Test(exec, passes_argv_and_environment_of_any_number)
{
	struct frame *f = frame_new();
	char text[32];

	frame_step(f, OP_FIND_EXEC, "/bin/sh", NULL, NULL)->a = 1;
	f->head.argv = LIST(f, "sh", "-c",
		"test $# = 3000 && test \"$V1999\" = 1999 && test -z \"$HOME\" && shift 2999 && "
		"test $1 = 2999",
		"name");
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		frame_blob(f, text, strlen(text) + 1);
	}
	f->head.argc = 3004;
	f->head.envp = (uint32_t)f->used;
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "V%d=%d", i, i);
		frame_blob(f, text, strlen(text) + 1);
	}
	f->head.envc = 2000;
	frame_step(f, OP_EXEC, NULL, NULL, NULL);
	frame_pass(f);
}

Test(exec, without_a_program_found_is_an_error)
{
	struct frame *f = frame_new();

	frame_step(f, OP_EXEC, NULL, NULL, NULL);
	frame_fail(f, 0, ENOENT);
}

static void setup_umask(struct frame *f)
{
	umask(031);
}

Test(exec, keeps_the_umask_it_was_started_with_unless_told)
{
	struct frame *f = frame_new();

	f->setup = setup_umask;
	EXEC(f, "/bin/sh", "-c", "test $(umask) = 0031");
	frame_pass(f);
}

Test(exec, reports_through_the_kept_control_socket, .timeout = 20)
{
	struct frame *f = frame_new();

	f->ns = CLONE_NEWNS;
	f->setup = setup_private;
	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL)->flags = STEP_KEEP_CTL;
	EXEC(f, "/nowhere");
	frame_fail(f, 1, ENOENT);
	cr_assert(f->last.call == SYS_execve);
}

/* ---- limits and HOME ---- */

Test(rlimit, is_set)
{
	struct frame *f = frame_new();
	struct wire_step *s = frame_step(f, OP_RLIMIT, NULL, NULL, NULL);

	s->a = 7; /* RLIMIT_NOFILE */
	s->b = 17;
	s->c = 19;
	EXEC(f, "/bin/sh", "-c", "test $(ulimit -S -n) = 17 && test $(ulimit -H -n) = 19");
	frame_pass(f);
}

Test(rlimit, that_makes_no_sense_is_an_error)
{
	struct frame *f = frame_new();
	struct wire_step *s = frame_step(f, OP_RLIMIT, NULL, NULL, NULL);

	s->a = 7;
	s->b = 20;
	s->c = 19;
	frame_fail(f, 0, EINVAL);
}

static const char *passwd;

static void setup_passwd(struct frame *f)
{
	setup_tmpfs(f);
	CHECK(mkdir("/mnt/etc", 0755) == 0);
	if (passwd)
		put_file("/mnt/etc/passwd", passwd);
	else
		CHECK(mkfifo("/mnt/etc/passwd", 0644) == 0);
}

static void home(unsigned uid, const char *file, const char *want)
{
	struct frame *f = frame_new();
	char script[128];

	passwd = file;
	f->ns = CLONE_NEWNS;
	f->setup = setup_passwd;
	frame_root_in_place(f);
	frame_step(f, OP_HOME, NULL, NULL, NULL)->a = uid;
	f->head.envp = LIST(f, "A=1");
	f->head.envc = 1;
	snprintf(script, sizeof(script), "test \"$HOME\" = '%s' && test $A = 1", want);
	EXEC(f, "/bin/sh", "-c", script);
	frame_pass(f);
}

#define PASSWD \
	"root:x:0:0:root:/root:/bin/sh\n1000:x:7:7::/seven:\nweb:x:1000:1000:Web,,:/srv/web:/bin/sh"

Test(home, is_that_of_the_uid, .timeout = 20)
{
	home(0, PASSWD, "/root");
	home(7, PASSWD, "/seven");
	home(1000, PASSWD, "/srv/web");
}

Test(home, is_the_root_when_nothing_says_otherwise, .timeout = 20)
{
	home(1001, PASSWD, "/");
	home(0, "", "/");
	home(0, NULL, "/");
	home(5, "a:x:+5:5::/a:\nb:x: 5:5::/b:\nc:x:4294967301:5::/c:\nd:x:5\ne:x:5:5::relative:\n",
		"/");
}

Test(home, skips_lines_that_are_too_long, .timeout = 20)
{
	static const char good[] = "\nb:x:5:5::/b:\n";
	char *text = malloc(20000);

	memset(text, 'a', 19999);
	text[19999] = 0;
	memcpy(text, "z:x:5:5::/", 10);
	memcpy(text + 9000, good, sizeof(good) - 1);
	home(5, text, "/b");
	free(text);
}

/* ---- filter ---- */

#define ALLOW   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD_NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)

static struct wire_step *add_filter(
	struct frame *f, const struct sock_filter *prog, size_t n, unsigned flags)
{
	struct wire_step *s = frame_step(f, OP_SECCOMP, NULL, NULL, NULL);

	s->s1 = frame_blob(f, prog, n * sizeof(*prog));
	s->b = n;
	s->a = flags;
	return s;
}

/* Kills at each call of init's that could come after the filter, but not those of a shell. */
Test(seccomp, comes_last_and_leaves_only_execve, .timeout = 20)
{
	static const struct sock_filter prog[] = {
		LOAD_NR,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct frame *f = frame_new();

	f->setup = setup_many_fds;
	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL)->flags = STEP_KEEP_CTL;
	frame_step(f, OP_FIND_EXEC, "/bin/sh", NULL, NULL)->a = 1;
	f->head.argv =
		LIST(f, "sh", "-c", "grep -q 'Seccomp:.*2' /proc/self/status && " ONLY("0 1 2 3"));
	f->head.argc = 3;
	add_filter(f, prog, COUNT(prog), 0);
	frame_step(f, OP_EXEC, NULL, NULL, NULL);
	frame_pass(f);
}

Test(seccomp, that_is_no_valid_program_is_an_error)
{
	static const struct sock_filter prog[] = { LOAD_NR };
	struct frame *f = frame_new();

	add_filter(f, prog, 1, 0);
	frame_fail(f, 0, EINVAL);
}

Test(seccomp, hands_its_listener_over_before_it_goes_on, .timeout = 20)
{
	static const struct sock_filter prog[] = { ALLOW };
	struct frame *f = frame_new();
	struct wire_msg m;
	int pidfd, listener;

	f->image = true;
	frame_step(f, OP_READY, NULL, NULL, NULL)->flags = STEP_KEEP_CTL;
	frame_step(f, OP_FIND_EXEC, "/bin/sh", NULL, NULL)->a = 1;
	f->head.argv = LIST(f, "sh", "-c", ONLY("0 1 2 3"));
	f->head.argc = 3;
	add_filter(f, prog, COUNT(prog), SECCOMP_FILTER_FLAG_NEW_LISTENER);
	frame_step(f, OP_EXEC, NULL, NULL, NULL);
	frame_start(f);
	cr_assert(frame_hear(f, &m, NULL) && m.kind == WIRE_READY);
	frame_go(f);
	cr_assert(frame_hear(f, &m, NULL) && m.kind == WIRE_NOTIFY, "%u", m.kind);
	pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, (int)m.value, 0);
	cr_assert(listener >= 0, "%s", strerror(errno));
	frame_go(f);
	frame_finish(f);
	cr_assert(f->last.kind == 0 && f->status == 0, "%#x %s", (unsigned)f->status,
		strerror(f->last.err));
	close(pidfd);
	close(listener);
}

/* ---- trace ---- */

#define TRACE_FD 45

static int trace_memfd;

static void setup_trace(struct frame *f)
{
	CHECK(dup2(trace_memfd, TRACE_FD) == TRACE_FD);
}

Test(trace, has_the_time_of_each_step)
{
	struct frame *f = frame_new();
	uint64_t *t;

	f->setup = setup_trace;
	f->head.trace_fd = TRACE_FD;
	frame_step(f, OP_UMASK, NULL, NULL, NULL)->flags = STEP_ELSE;
	frame_step(f, OP_UMASK, NULL, NULL, NULL);
	EXEC(f, "/bin/sh", "-c", "exit 0");
	trace_memfd = (int)syscall(SYS_memfd_create, "trace", 0u);
	cr_assert(ftruncate(trace_memfd, (off_t)(f->n + 1) * 8) == 0);
	t = mmap(NULL, (f->n + 1) * 8, PROT_READ, MAP_SHARED, trace_memfd, 0);
	cr_assert(t != MAP_FAILED);
	frame_pass(f);
	cr_assert(t[0] && !t[1] && t[2] >= t[0] && t[3] >= t[2] && t[4] >= t[3]);
}
