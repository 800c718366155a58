/* SPDX-License-Identifier: Apache-2.0 */
/* A child that an archive has taken over: whatever it says, the parent believes nothing. */
#include "image/unpack-int.h"
#include "tarball.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 4 << 20 };

/* What the child does instead of its work; NULL: its work. It isn't confined here. */
static void (*lie)(void);

int __wrap_confine(pid_t parent, struct err *err);
int __wrap_confine(pid_t parent, struct err *err)
{
	if (lie)
		lie();
	return 0;
}

/* The way out of the child; coverage would be lost there. */
void __gcov_dump(void) __attribute__((weak));
_noreturn_ void __real__exit(int status);
_noreturn_ void __wrap__exit(int status);
_noreturn_ void __wrap__exit(int status)
{
	if (__gcov_dump)
		__gcov_dump();
	__real__exit(status);
}

static void say(const struct note *note, int fd)
{
	if (fd_send(CONFINE_TALK, note, sizeof(*note), &fd, fd >= 0) < 0)
		_exit(99);
}

static void read_all(void)
{
	char buf[4096];

	while (read(CONFINE_BLOB, buf, sizeof(buf)) > 0)
		;
}

static void says_a_word(void)
{
	if (send(CONFINE_TALK, "done", 4, MSG_NOSIGNAL) == 4)
		read_all();
}

static void names_no_fd(void)
{
	const struct note note = { .kind = NOTE_OPAQUE };

	say(&note, FD_NONE);
	read_all();
}

static void names_a_file(void)
{
	const struct note note = { .kind = NOTE_OPAQUE };

	say(&note, memfd_create("file", MFD_CLOEXEC));
	read_all();
}

static void names_another_file_system(void)
{
	const struct note note = { .kind = NOTE_OPAQUE };

	say(&note, open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	read_all();
}

static void sends_an_fd_at_the_end(void)
{
	const struct note note = { .kind = NOTE_DONE };

	read_all();
	say(&note, CONFINE_ROOT);
}

static void is_done_at_once(void)
{
	const struct note note = { .kind = NOTE_DONE };

	say(&note, FD_NONE);
	_exit(0);
}

static void has_another_diff_id(void)
{
	struct note note = { .kind = NOTE_DONE };

	read_all();
	memset(note.out.diff_id, 'x', sizeof(note.out.diff_id));
	say(&note, FD_NONE);
	_exit(0);
}

static void fails_with(int code)
{
	struct note note = { .kind = NOTE_FAILED };

	memset(&note.err, 'x', sizeof(note.err));
	note.err.code = (enum err_code)code;
	note.err.os = 0;
	say(&note, FD_NONE);
	_exit(0);
}

static void fails_without_a_code(void)
{
	fails_with(0);
}

static void fails_with_a_code_that_is_none(void)
{
	fails_with(ERR_N);
}

static void fails_with_endless_texts(void)
{
	fails_with(ERR_INVALID);
}

static void ends(void)
{
	_exit(3);
}

static void takes_too_long(void)
{
	raise(SIGXCPU);
}

static char folder[] = "/tmp/ctrctl-test-lies-XXXXXX";

static void begin(void)
{
	if (geteuid() != 0)
		cr_skip_test("owners need root");
	cr_assert(mkdtemp(folder));
}

static void end(void)
{
	_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlinkat(fd, "d/.wh.x", 0);
	unlinkat(fd, "d", AT_REMOVEDIR);
	cr_assert(rmdir(folder) == 0);
}

TestSuite(unpack_lies, .init = begin, .fini = end);

/* A layer with an opaque folder and much behind its end. */
static int unpack(void (*what)(void), struct err *err)
{
	_tarball_ struct tarball t = { 0 };
	char diff_id[DIGEST_TEXT_MAX];
	_free_ char *much = calloc(1, MUCH);
	_close_ int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_close_ int blob = memfd_create("blob", MFD_CLOEXEC);
	uint64_t bytes;

	tarball_file(&t, "d/.wh..wh..opq", "");
	tarball_data(&t, much, MUCH);
	cr_assert(fd_write_all(blob, t.bytes.p, t.bytes.n) == 0 && lseek(blob, 0, SEEK_SET) == 0);
	const struct unpack_job job = { .blob_fd = blob,
		.size = t.bytes.n,
		.diff_id = digest_of(t.bytes.p, t.bytes.n, diff_id),
		.root_fd = root };
	lie = what;
	return unpack_layer(&job, &bytes, err);
}

Test(unpack_lies, are_not_believed)
{
	static const struct {
		void (*what)(void);
		enum err_code code;
		const char *text;
	} lies[] = {
		{ says_a_word, ERR_INTERNAL, "talks nonsense" },
		{ names_no_fd, ERR_INTERNAL, "talks nonsense" },
		{ names_a_file, ERR_INTERNAL, "no folder of the layer" },
		{ names_another_file_system, ERR_INTERNAL, "no folder of the layer" },
		{ sends_an_fd_at_the_end, ERR_INTERNAL, "talks nonsense" },
		{ is_done_at_once, ERR_INTERNAL, "talks nonsense" },
		{ has_another_diff_id, ERR_INVALID, "has the digest xxx" },
		{ fails_without_a_code, ERR_INTERNAL, "talks nonsense" },
		{ fails_with_a_code_that_is_none, ERR_INTERNAL, "talks nonsense" },
		{ fails_with_endless_texts, ERR_INVALID, "xxx" },
		{ ends, ERR_EXHAUSTED, "ended with status 3" },
		{ takes_too_long, ERR_EXHAUSTED, "more than an hour" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct err err = ERR_INIT;
		cr_assert(unpack(lies[i].what, &err) < 0, "%zu", i);
		cr_assert_eq(err.code, lies[i].code, "%zu: %s", i, err.text);
		cr_assert(strstr(err.text, lies[i].text), "%zu: %s", i, err.text);
		cr_assert(strnlen(err.where, sizeof(err.where)) < sizeof(err.where));
	}
}

Test(unpack_lies, are_the_exception)
{
	struct err err = ERR_INIT;

	cr_assert(unpack(NULL, &err) == 0, "%s", err.text);
}
