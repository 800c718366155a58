/* SPDX-License-Identifier: Apache-2.0 */
/* The end of init: where the process stands, what it is, its filter, and execve. */
#include "init.h"

#include <linux/elf.h>

#define PATH_ROOM 4096

/* ---- cwd ---- */

/* The raw call succeeds for a directory outside of the root, with "(unreachable)" in front. */
static long check_cwd(void)
{
	char path[PATH_ROOM];
	long r = SYS2(getcwd, path, sizeof(path));

	if (r < 0)
		return r;
	if (path[0] != '/') {
		say("the working directory lies outside of the container");
		return fail(__NR_getcwd, EPERM);
	}
	return 0;
}

long exec_cwd(const struct wire_step *s)
{
	const char *path = text_at(s->s1);
	int made;
	long fd, r;

	if (G.cwd_done)
		return check_cwd();
	fd = target_make(path, s->flags & STEP_MAKE_DIR ? MAKE_DIR : MAKE_NOTHING, 0755, 0, &made);
	r = fd < 0 ? fd : SYS1(fchdir, fd);
	close_fd((int)fd);
	if (r == -EACCES && s->flags & STEP_SOFT)
		return 0;
	if (r < 0) {
		say(path);
		return r;
	}
	G.cwd_done = 1;
	return check_cwd();
}

/* ---- what is to run ---- */

/* No way through a magic link: it could lead into what init itself has open. */
static long executable(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	struct statx st;
	long fd = SYS4(openat2, AT_FDCWD, path, &how, sizeof(how)), r;

	if (fd < 0)
		return fd;
	r = stat_fd((int)fd, &st);
	if (r == 0 && (st.stx_mode & S_IFMT) != S_IFREG)
		r = fail(__NR_execve, EACCES);
	if (r == 0)
		r = SYS4(faccessat2, fd, "", 1 /* X_OK */, AT_EMPTY_PATH | AT_EACCESS);
	close_fd((int)fd);
	return r;
}

/* Up to a blank or the end of the line; a CR, which nobody sees, is shown. */
static void keep_interpreter(const char *from, const char *end)
{
	char *to = G.interpreter, *last = G.interpreter + sizeof(G.interpreter) - 1;

	while (from < end && (*from == ' ' || *from == '\t'))
		from++;
	for (; from < end && *from && *from != '\n' && *from != ' ' && *from != '\t'; from++) {
		if (to + 2 > last)
			break;
		if (*from == '\r')
			*to++ = '\\';
		*to++ = *from == '\r' ? 'r' : *from;
	}
	*to = 0;
}

static void elf_interpreter(int fd, const char *head, size_t n)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)(const void *)head;
	char path[sizeof(G.interpreter)];

	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_phentsize != sizeof(Elf64_Phdr) ||
		e->e_phoff % 8)
		return;
	for (uint64_t i = 0; i < e->e_phnum; i++) {
		uint64_t at = e->e_phoff + i * sizeof(Elf64_Phdr);
		const Elf64_Phdr *h;

		if (e->e_phoff > n || at + sizeof(*h) > n)
			return;
		h = (const Elf64_Phdr *)(const void *)(head + at);
		if (h->p_type != PT_INTERP)
			continue;
		long got = SYS4(pread64, fd, path, sizeof(path), h->p_offset);
		if (got > 0)
			keep_interpreter(path, path + got);
		return;
	}
}

/* What execve will need besides the program: looked at now, since after the filter it can't be,
 * and only for the error's sake, so nothing here fails. */
static void note_interpreter(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS };
	char head[512] __attribute__((aligned(8)));
	long call = sys_failed, fd = SYS4(openat2, AT_FDCWD, path, &how, sizeof(how)), n;

	G.interpreter[0] = 0;
	if (fd < 0) {
		sys_failed = call;
		return;
	}
	n = SYS3(read, fd, head, sizeof(head));
	if (n > 2 && head[0] == '#' && head[1] == '!')
		keep_interpreter(head + 2, head + n);
	else if (n > (long)sizeof(Elf64_Ehdr) && head[0] == 0x7f && head[1] == 'E' &&
		 head[2] == 'L' && head[3] == 'F')
		elf_interpreter((int)fd, head, (size_t)n);
	close_fd((int)fd);
	sys_failed = call;
}

long exec_find(const struct wire_step *s)
{
	const char *path = text_at(s->s1);
	long worst = -ENOENT;

	for (uint64_t i = 0; i < s->a; i++, path = text_next(path)) {
		long r = executable(path);

		if (r == 0) {
			G.exec = path;
			G.detail[0] = 0;
			note_interpreter(path);
			return 0;
		}
		if (r != -ENOENT && r != -ENOTDIR && worst != -EACCES) {
			worst = r;
			say(path);
		}
	}
	return fail(__NR_execve, (int)-worst);
}

/* ---- the last steps ---- */

static const char **list_into(const char **v, uint32_t off, uint32_t n)
{
	const char *s = text_at(off);

	for (; n; n--, s = text_next(s))
		*v++ = s;
	*v++ = NULL;
	return v;
}

/* All that needs system calls of its own, before a filter may forbid them. Done once. */
static long finish(void)
{
	const struct wire_plan *p = G.plan;
	size_t n = (size_t)p->argc + p->envc + 3;
	long r;

	if (G.finished)
		return 0;
	r = SYS6(mmap, 0, n * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	if (r < 0 && r > -4096)
		return r;
	G.vector = (const char **)r;
	const char **end = list_into(list_into(G.vector, p->argv, p->argc), p->envp, p->envc);
	if (G.home[0])
		end[-1] = G.home; /* the page is zeroed: a NULL follows */
	SYS1(umask, G.umask);
	r = process_shed(3 + (int)p->preserve, G.report_fd);
	if (r < 0)
		return r;
	G.root = G.proc = G.hook_fd = -1;
	if (G.report_fd >= 0)
		SYS3(fcntl, G.report_fd, F_SETFD, FD_CLOEXEC);
	G.finished = 1;
	return 0;
}

/* The parent takes the listener out of our table, then answers. Plain calls only: the filter is in
 * force. */
static long hand_over(int listener)
{
	struct wire_msg m = { .kind = WIRE_NOTIFY, .value = listener };
	long r = talk_send(G.report_fd, &m, -1);

	if (r == 0) {
		do
			r = SYS3(read, G.report_fd, &m, sizeof(m));
		while (r == -EINTR);
		if (r == 0)
			talk_orphaned();
	}
	close_fd(listener);
	return r < 0 ? r : 0;
}

long exec_seccomp(const struct wire_step *s)
{
	struct sock_fprog prog = { .len = (unsigned short)s->b,
		.filter = (struct sock_filter *)(uintptr_t)text_at(s->s1) };
	long r = s->b > UINT16_MAX ? fail(__NR_seccomp, EINVAL) : finish();

	if (r == 0)
		r = SYS3(seccomp, SECCOMP_SET_MODE_FILTER, s->a, &prog);
	if (r < 0)
		return r;
	return s->a & SECCOMP_FILTER_FLAG_NEW_LISTENER ? hand_over((int)r) : 0;
}

long exec_exec(const struct wire_step *s)
{
	long r = finish();

	if (r < 0)
		return r;
	if (!G.exec)
		return fail(__NR_execve, ENOENT);
	/* A step after the filter may have looked at the root again. */
	close_fd(G.root);
	say(G.exec);
	r = SYS3(execve, G.exec, G.vector, G.vector + G.plan->argc + 1);
	if (r == -ENOENT && G.interpreter[0])
		say(G.interpreter);
	return r;
}
