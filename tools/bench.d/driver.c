/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver - starts the programs of a script in turn and times each from vfork to the end of wait4.
 *
 * One small static program does all the timing, so that what it adds is the same for every
 * contender. All contenders run in one private mount namespace with a pure cgroup v2 view on
 * /sys/fs/cgroup and, if asked for, a root directory of their own (--root): they are ordinary
 * programs of that root, with its own loader and library cache, and nothing is patched, wrapped or
 * chrooted per call.
 *
 * The script has one directive per line, fields separated by tabs; %i becomes an id of the round:
 *   unit NAME               begins a unit: one contender in one scenario; units are shuffled per
 * round fresh DIR               not timed: empties and remakes the folder run STEP ARGV... timed:
 * the program must end with status 0 memory STEP FILE        not timed: smaps_rollup of the process
 * whose pid the file holds keep                    not timed: appends what the last program printed
 * to LOG.kept gone FILE               not timed: waits for the end of that process, as an engine's
 * monitor would
 *
 * Result lines: unit, step, round, then for "run" nanoseconds, peak RSS in KiB, cpu microseconds;
 * for "memory" Rss, Pss, Private (clean and dirty) in KiB. Rounds below 0 are warm-up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FIELDS = 64, MAX_LINES = 1024, MAX_UNITS = 64, LINE = 1024 };
enum { DEADLINE_S = 60 };

struct line {
	char *field[MAX_FIELDS + 1];
	int n;
};

struct unit {
	const char *name;
	int first, end; /* lines */
};

static struct line lines[MAX_LINES];
static struct unit units[MAX_UNITS];
static int n_lines, n_units;
static FILE *out;
static int log_fd = -1;
static const char *log_path = "/dev/null";

static void end_children(void)
{
	/* A subreaper's children are all that the contenders left behind. */
	for (int tries = 0; tries < 100; tries++) {
		char path[64];
		int pid, found = 0;
		snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
		FILE *f = fopen(path, "re");
		if (!f)
			return;
		while (fscanf(f, "%d", &pid) == 1 && ++found)
			kill(pid, SIGKILL);
		fclose(f);
		if (!found)
			return;
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	char buf[4096];
	va_list ap;
	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	FILE *f = fopen(log_path, "re");
	if (f) {
		if (fseek(f, -(long)sizeof(buf), SEEK_END) < 0)
			rewind(f);
		fwrite(buf, 1, fread(buf, 1, sizeof(buf), f), stderr);
		fclose(f);
	}
	end_children();
	exit(1);
}

static void need(long r, const char *what, const char *on)
{
	if (r < 0)
		die("%s(%s): %s", what, on, strerror(errno));
}

/* ---- the namespace that all contenders share ---- */

static const char *below(const char *root, const char *path)
{
	static char buf[4][4096];
	static int turn;
	char *b = buf[turn++ % 4];
	if (snprintf(b, sizeof(buf[0]), "%s%s", root, path) >= (int)sizeof(buf[0]))
		die("%s%s: the name is too long", root, path);
	return b;
}

static void enter(const char *root, const char *work)
{
	need(unshare(CLONE_NEWNS), "unshare", "mount");
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount", "/ private");
	if (!root) {
		need(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL), "mount",
			"/sys/fs/cgroup");
		need(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), "mount", "/run");
		return;
	}
	static const struct {
		const char *type, *on;
	} fs[] = { { "proc", "/proc" }, { "sysfs", "/sys" }, { "cgroup2", "/sys/fs/cgroup" },
		{ "tmpfs", "/run" }, { "tmpfs", "/tmp" } };
	static const char *const dirs[] = { "/proc", "/sys", "/run", "/tmp", "/dev" };
	need(mount(root, root, NULL, MS_BIND, NULL), "mount", root);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		mkdir(below(root, dirs[i]), 0755);
	for (size_t i = 0; i < sizeof(fs) / sizeof(*fs); i++)
		need(mount(fs[i].type, below(root, fs[i].on), fs[i].type, 0, NULL), "mount",
			fs[i].on);
	need(mount("/dev", below(root, "/dev"), NULL, MS_BIND | MS_REC, NULL), "mount", "/dev");
	/* The work folder keeps its name, so that the same paths hold on both sides. */
	char part[4096];
	for (const char *s = strchr(work + 1, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(s - work), work);
		mkdir(below(root, part), 0755);
	}
	mkdir(below(root, work), 0755);
	need(mount(work, below(root, work), NULL, MS_BIND, NULL), "mount", work);
	need(chdir(root), "chdir", root);
	need(syscall(SYS_pivot_root, ".", "."), "pivot_root", root);
	need(umount2(".", MNT_DETACH), "umount2", "the old root");
	need(chdir("/"), "chdir", "/");
}

/* ---- script ---- */

static void load(const char *path)
{
	static char text[1 << 18];
	FILE *f = fopen(path, "re");
	if (!f)
		die("%s: %s", path, strerror(errno));
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	for (char *save, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct line *x = &lines[n_lines];
		char *field;
		if (n_lines == MAX_LINES)
			die("%s: too many lines", path);
		while ((field = strsep(&l, "\t")) && x->n < MAX_FIELDS)
			x->field[x->n++] = field;
		if (!strcmp(x->field[0], "unit") && x->n == 2) {
			if (n_units == MAX_UNITS)
				die("%s: too many units", path);
			units[n_units++] = (struct unit){ x->field[1], n_lines + 1, n_lines + 1 };
		} else if (n_units) {
			units[n_units - 1].end = n_lines + 1;
		}
		n_lines++;
	}
}

/* ---- steps ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static void fresh(const char *dir)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		die("remove %s: %s", dir, strerror(errno));
	need(mkdir(dir, 0700), "mkdir", dir);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int pid_in(const char *path)
{
	int pid = 0;
	FILE *f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1 || pid < 2)
		die("%s: no pid in it", path);
	fclose(f);
	return pid;
}

static void run(const struct unit *u, const struct line *l, int round)
{
	static char id[32];
	char *argv[MAX_FIELDS + 1];
	struct rusage ru;
	int status, n = 0;
	snprintf(id, sizeof(id), "b%d", round + 1000000);
	for (int i = 2; i < l->n; i++)
		argv[n++] = strcmp(l->field[i], "%i") ? l->field[i] : id;
	argv[n] = NULL;
	ftruncate(log_fd, 0);
	uint64_t begin = now();
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(log_fd, 1);
		dup2(log_fd, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		die("%s: %s", argv[0], strerror(errno));
	/* What others left behind ends meanwhile, and must be seen to have ended. */
	for (pid_t got = 0; got != pid;) {
		got = wait4(-1, &status, 0, &ru);
		if (got < 0)
			die("%s: %s", argv[0], strerror(errno));
	}
	uint64_t wall = now() - begin;
	if (status)
		die("%s: %s: round %d: %s ended with %s %d", u->name, l->field[1], round, argv[0],
			WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	fprintf(out, "%s\t%s\t%d\t%llu\t%ld\t%ld\n", u->name, l->field[1], round,
		(unsigned long long)wall, ru.ru_maxrss,
		(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec +
			ru.ru_stime.tv_usec);
}

static void memory(const struct unit *u, const struct line *l, int round)
{
	char path[64], row[256];
	long rss = 0, pss = 0, private = 0, v;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid_in(l->field[2]));
	FILE *f = fopen(path, "re");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, " %255[^\n]", row) == 1) {
		if (sscanf(row, "Rss: %ld", &v) == 1)
			rss = v;
		else if (sscanf(row, "Pss: %ld", &v) == 1)
			pss = v;
		else if (sscanf(row, "Private_Clean: %ld", &v) == 1 ||
			 sscanf(row, "Private_Dirty: %ld", &v) == 1)
		private += v;
	}
	fclose(f);
	fprintf(out, "%s\t%s\t%d\t%ld\t%ld\t%ld\n", u->name, l->field[1], round, rss, pss, private);
}

static void gone(const struct unit *u, const char *file)
{
	int pid = pid_in(file);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (fd >= 0 && poll(&p, 1, DEADLINE_S * 1000) != 1)
		die("%s: process %d did not end", u->name, pid);
	if (fd >= 0)
		close(fd);
	waitpid(pid, NULL, 0);
	unlink(file);
}

static void keep(void)
{
	char buf[65536];
	ssize_t n;
	int to = open(below(log_path, ".kept"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	need(to, "open", "the kept log");
	for (off_t at = 0; (n = pread(log_fd, buf, sizeof(buf), at)) > 0; at += n)
		need(write(to, buf, (size_t)n), "write", "the kept log");
	close(to);
}

static void one(const struct unit *u, int round)
{
	for (int i = u->first; i < u->end; i++) {
		const struct line *l = &lines[i];
		if (!strcmp(l->field[0], "run") && l->n > 2)
			run(u, l, round);
		else if (!strcmp(l->field[0], "fresh") && l->n == 2)
			fresh(l->field[1]);
		else if (!strcmp(l->field[0], "keep"))
			keep();
		else if (!strcmp(l->field[0], "memory") && l->n == 3)
			memory(u, l, round);
		else if (!strcmp(l->field[0], "gone") && l->n == 2)
			gone(u, l->field[1]);
		else
			die("%s: line %d of the script: unknown directive", u->name, i + 1);
	}
}

static int number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);
	if (end == text || *end || n < 0 || n > 1000000)
		die("%s: not a number", text);
	return (int)n;
}

int main(int argc, char **argv)
{
	if (argc != 9) {
		fprintf(stderr,
			"usage: driver ROOT|- WORK SCRIPT RESULTS LOG WARMUP ROUNDS PAUSE_US\n");
		return 2;
	}
	int warmup = number(argv[6]), rounds = number(argv[7]), pause_us = number(argv[8]);
	int order[MAX_UNITS];
	log_path = argv[5];
	log_fd = open(argv[5], O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	need(log_fd, "open", argv[5]);
	out = fopen(argv[4], "we");
	if (!out)
		die("%s: %s", argv[4], strerror(errno));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	need(null, "open", "/dev/null");
	dup2(null, 0);
	load(argv[3]);
	need(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl", "PR_SET_CHILD_SUBREAPER");
	enter(strcmp(argv[1], "-") ? argv[1] : NULL, argv[2]);
	srandom(1); /* the same order in every run */
	for (int i = 0; i < n_units; i++)
		order[i] = i;
	for (int round = -warmup; round < rounds; round++) {
		for (int i = n_units - 1; i > 0; i--) {
			int k = (int)(random() % (i + 1)), t = order[i];
			order[i] = order[k];
			order[k] = t;
		}
		for (int i = 0; i < n_units; i++) {
			one(&units[order[i]], round);
			usleep((useconds_t)pause_us);
		}
	}
	end_children();
	return fclose(out) ? 1 : 0;
}
