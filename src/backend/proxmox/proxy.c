/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that stands for a guest. An engine wants a process that it can wait for and signal;
 * a guest has none here. So create forks one, whose pid is the container's: it becomes the child of
 * the engine's shim when ctrctl ends, as a container's init would. It looks at the guest every
 * other second, turns signals into a shutdown, and ends when the guest has ended.
 *
 * It can be killed at any time: the guest goes on, and delete removes it. A server that doesn't
 * answer says nothing about the guest, so it waits without end for one that does.
 */
#include "backend/proxmox/act.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "model/settings.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	RUNNING_MS = 2000,  /* between two looks at one that runs */
	CALM_MS = 10000,    /* the same, once nothing has happened for a while */
	CALM_AFTER = 90,    /* looks in a row */
	CREATED_MS = 10000, /* at one that wasn't started: its folder tells when it is */
	AWAKE_MS = 1000,    /* after a change in its folder */
	AWAKE_LOOKS = 90,   /* so many: a start may take that long */
	LOST_MS = 30000,    /* at most, while nobody answers */
	URGENT_MS = 5000,   /* at most, while there is something to do */
	HELD_MS = 50,       /* between two tries to get a folder that somebody holds */
	HELD_TRIES = 200,
	LOOKS_PER_PROOF = 30, /* one in so many asks whose it is */
};

/* Exit statuses. */
enum { ENDED_SHUTDOWN = 0, ENDED_KILLED = 128 + SIGKILL, ENDED_UNKNOWN = 255 };

enum seen { SEEN_NOTHING, SEEN_RUNNING, SEEN_STOPPED, SEEN_BUSY, SEEN_GONE };

struct proxy {
	struct ctr_record rec;
	struct ctr_context context;          /* its own: the creator's connection isn't shared */
	const struct settings_proxmox *born; /* the section as it was then */
	int dir, folder, signals; /* fds: the record's folder, what changes in it, signals */
	int terminal;             /* the other end of the terminal that was handed out */
	int credential;           /* where the secret is read from, or FD_NONE: the file */
	int first_signal;
	unsigned asked, done; /* signals: got, acted upon */
	bool ran;             /* it has been seen running, or was started and has ended */
	int stopped_by;       /* enum guest_stop, as the journal has it */
	bool in_vain;         /* the shutdown has failed */
	unsigned ended_looks; /* one after the other that saw no running guest */
	unsigned looks;       /* that found a guest */
	uint64_t uptime;
	char node[GUEST_NAME_MAX]; /* where it was last, since it has left the journal's; or "" */
	unsigned calm;             /* looks one after the other at one that runs */
	bool holds;                /* the folder */
	bool refused;              /* the server doesn't let us: that lasts */
	unsigned awake;            /* looks that follow one another quickly */
	unsigned wait_ms;
};

/* ---- looking ---- */

/* It may live for long: certificates are renewed, servers move. A file that can't be read, being
 * written, say, changes nothing. */
static const struct settings_proxmox *settings_now(const struct proxy *p)
{
	struct err err = ERR_INIT;
	struct settings s;

	if (settings_load(p->context.settings_path, p->context.arena, &s, &err) < 0 || !s.proxmox)
		return p->born;
	return s.proxmox;
}

/* A session for a while: the program that holds the connection is ended when it would idle. */
static int connect_anew(struct proxy *p, struct err *err)
{
	if (p->context.pve.client)
		return 0;
	p->context.cfg = p->born;
	arena_free(p->context.arena);
	p->context.arena = arena_new();
	if (!p->context.arena)
		return err_nomem(err);
	p->context.cfg = settings_now(p);
	p->context.pve = (struct pve){ .cfg = p->context.cfg, .arena = p->context.arena };
	p->context.pve.client = pve_client_new(p->context.cfg, p->credential, err);
	return p->context.pve.client ? 0 : -1;
}

static void disconnect(struct proxy *p)
{
	pve_client_free(p->context.pve.client);
	p->context.pve.client = NULL;
}

/* Of one that no look has seen running yet. */
enum begun { NOT_BEGUN, BEGINNING, BEGUN };

static enum begun begun_by(
	struct proxy *p, const char *type, const struct guest *g, const char *node, struct arena *a)
{
	struct pve_fault fault = { 0 };
	struct err err = ERR_INIT;
	struct pve_upid upid;
	const char *text;
	bool running;

	if (pve_task_find(&p->context.pve, node, type, g->vmid, guest_made_at(g, a), NULL, a, &upid,
		    &running, &err) != 1)
		return NOT_BEGUN;
	if (running)
		return BEGINNING;
	if (pve_task_look(&p->context.pve, &upid, a, &text, &fault, &err) != 1)
		return NOT_BEGUN;
	return pve_task_is_success(text) ? BEGUN : NOT_BEGUN;
}

/* The container's lock, for as long as the fd is open; FD_NONE: somebody works on it, who starts
 * it, say. */
static int hold(const struct proxy *p, int how)
{
	_close_ int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, how | LOCK_NB) == 0 ? fd_take(&fd) : FD_NONE;
}

/* Those who look like we do aren't hindered. */
static bool is_held(const struct proxy *p)
{
	_close_ int lock = hold(p, LOCK_SH);

	return lock < 0;
}

/* It may have ended so soon that no look saw it running: then its start task is there. Under high
 * availability that only says what is wanted: its manager has done it once who waits for that is
 * done, too. */
static enum begun was_started(
	struct proxy *p, const struct guest *g, const char *node, struct arena *a)
{
	enum begun begun = begun_by(p, "vzstart", g, node, a);

	if (begun == NOT_BEGUN)
		begun = begun_by(p, "hastart", g, node, a);
	return begun == BEGUN && is_held(p) ? BEGINNING : begun;
}

/* What has ended it: we, or a command. */
static int cause(const struct proxy *p)
{
	if (p->stopped_by == GUEST_KILLED || p->done > 1)
		return GUEST_KILLED;
	return (p->stopped_by == GUEST_SHUTDOWN || p->done) && !p->in_vain ? GUEST_SHUTDOWN
									   : GUEST_NOT_STOPPED;
}

/* A task that is at work brings it back. */
static bool comes_back(struct proxy *p, const struct subject *s, const char *node)
{
	static const char *const types[] = { "vzreboot", "vzstart", "hastart" };
	struct err err = ERR_INIT;
	struct pve_upid upid;
	bool running = false;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (pve_task_find(&p->context.pve, node, types[i], s->guest.vmid,
			    guest_made_at(&s->guest, s->arena), NULL, s->arena, &upid, &running,
			    &err) == 1 &&
			running)
			return true;
	return false;
}

/* Somebody may have removed it and made another one of that number. Whether it is still the same
 * is asked when it seems to have been started anew, and now and then. */
static bool is_another(struct proxy *p, struct subject *s, const struct guest_look *now)
{
	const bool anew = now->uptime < p->uptime || p->looks++ % LOOKS_PER_PROOF == 0;
	const struct json *config;
	struct err err = ERR_INIT;

	p->uptime = now->uptime;
	/* One whose description was edited is watched on: nobody else's name is in it. */
	if (!anew || act_whose(s, now->node, &config, &err) != ACT_FOREIGN)
		return false;
	p->uptime = UINT64_MAX; /* the next look asks again */
	return true;
}

/* One that has run. */
static enum seen stopped(struct proxy *p, struct subject *s, const char *node)
{
	p->in_vain = false;
	p->in_vain = cause(p) == GUEST_SHUTDOWN && act_shutdown_failed(s, node);
	return cause(p) == GUEST_NOT_STOPPED && comes_back(p, s, node) ? SEEN_BUSY : SEEN_STOPPED;
}

static enum seen look(struct proxy *p)
{
	_arena_ struct arena *a = arena_new();
	struct err err = ERR_INIT;
	enum begun begun;
	struct guest_look now;
	struct subject s;
	struct guest g;

	if (!a || guest_load(p->dir, a, &g, &err) != 1 || !str_eq(g.id, p->rec.id))
		return SEEN_NOTHING;
	g.created = p->rec.created;
	if (*p->node)
		g.node = p->node;
	p->stopped_by = g.stopped_by;
	if (connect_anew(p, &err) < 0 || guest_look(&p->context.pve, &g, a, &now, &err) < 0) {
		p->refused = err.code == ERR_DENIED;
		/* Who stopped it has seen that. */
		p->ran |= g.ended;
		return g.ended ? SEEN_STOPPED : SEEN_NOTHING;
	}
	p->refused = false;
	s = (struct subject){ .pve = &p->context.pve, .arena = a, .dir_fd = FD_NONE, .guest = g };
	if (!now.exists || is_another(p, &s, &now))
		return SEEN_GONE;
	if (!str_eq(now.node, g.node))
		snprintf(p->node, sizeof(p->node), "%s", now.node);
	if (str_eq(now.status, "running")) {
		p->ran = true;
		return SEEN_RUNNING;
	}
	/* A backup or a migration may stop it for a while. */
	if (now.lock)
		return SEEN_BUSY;
	if (p->ran)
		return stopped(p, &s, now.node);
	begun = was_started(p, &g, now.node, a);
	p->ran = begun == BEGUN;
	/* It may have begun after the look. */
	return begun == NOT_BEGUN ? SEEN_STOPPED : SEEN_BUSY;
}

static bool folder_is_gone(const struct proxy *p)
{
	struct stat st;

	return fstat(p->dir, &st) < 0 || st.st_nlink == 0;
}

/* ---- ending ---- */

/* Not while somebody removes the folder, who would find it full. */
static void note_end(const struct proxy *p)
{
	const struct timespec pause = { .tv_nsec = HELD_MS * 1000000L };
	_close_ int lock = FD_NONE;

	for (int i = 0; !p->holds && i < HELD_TRIES && (lock = hold(p, LOCK_EX)) < 0; i++)
		nanosleep(&pause, NULL);
	fd_close(openat(p->dir, CTR_PROXY_ENDED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static _noreturn_ void end(struct proxy *p, int status)
{
	note_end(p);
	disconnect(p);
	_exit(status);
}

static int status_of_end(const struct proxy *p)
{
	static const int statuses[GUEST_STOP_N] = { [GUEST_NOT_STOPPED] = ENDED_UNKNOWN,
		[GUEST_SHUTDOWN] = ENDED_SHUTDOWN,
		[GUEST_KILLED] = ENDED_KILLED };

	return statuses[cause(p)];
}

/* Without us, that is, or it is gone: a reboot looks like an end. */
static bool has_lasted(const struct proxy *p)
{
	return (uint64_t)RUNNING_MS * p->ended_looks > p->context.cfg->reboot_s * UINT64_C(1000);
}

/* Nothing can begin from here on: whoever starts it holds the folder. A start that was at work, or
 * has just been done, is waited for. */
static void end_unless_started(struct proxy *p)
{
	_close_ int lock = hold(p, LOCK_EX);

	if (lock < 0 || look(p) != SEEN_STOPPED || p->ran)
		return;
	p->holds = true;
	end(p, 128 + p->first_signal);
}

static void judge(struct proxy *p, enum seen seen)
{
	const bool over = seen == SEEN_GONE || (seen == SEEN_STOPPED && p->ran);

	if (over)
		p->ended_looks++;
	else if (seen != SEEN_NOTHING)
		p->ended_looks = 0;
	if (over && (has_lasted(p) || (seen == SEEN_STOPPED && cause(p) != GUEST_NOT_STOPPED)))
		end(p, status_of_end(p));
	/* There is nothing yet that could be shut down. */
	if (seen == SEEN_STOPPED && p->asked && !p->ran)
		end_unless_started(p);
}

/* ---- signals ---- */

/* The first one is a request to shut down, the second one doesn't wait for it any more. What
 * couldn't be passed on is tried again after the next look. */
static void act(struct proxy *p)
{
	struct err err = ERR_INIT;
	unsigned asked = p->asked;

	if (asked == p->done || connect_anew(p, &err) < 0)
		return;
	if (proxmox_signal(&p->rec, p->dir, asked > 1 ? SIGKILL : SIGTERM, false, &err) == 0 ||
		err.code == ERR_STATE)
		p->done = asked;
}

static void read_signals(struct proxy *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof(info)) == sizeof(info)) {
		if (!p->asked)
			p->first_signal = (int)info.ssi_signo;
		if (p->asked < 2)
			p->asked++;
	}
}

/* ---- the loop ---- */

static void read_changes(struct proxy *p)
{
	char events[4096];

	while (read(p->folder, events, sizeof(events)) > 0) {
		p->awake = AWAKE_LOOKS;
		p->calm = 0;
	}
}

static void wait_a_while(struct proxy *p)
{
	struct pollfd fds[] = { { .fd = p->signals, .events = POLLIN },
		{ .fd = p->folder, .events = POLLIN } };

	if (p->wait_ms > RUNNING_MS)
		disconnect(p);
	if (poll(fds, ARRAY_SIZE(fds), (int)p->wait_ms) <= 0)
		return;
	read_signals(p);
	read_changes(p);
}

static unsigned next_wait(struct proxy *p, enum seen seen)
{
	p->calm = seen == SEEN_RUNNING ? p->calm + 1 : 0;
	if (p->refused)
		return LOST_MS;
	if (seen == SEEN_NOTHING && !p->awake)
		return MIN(MAX(p->wait_ms, RUNNING_MS / 2) * 2, LOST_MS);
	if (seen == SEEN_RUNNING || p->ended_looks || seen == SEEN_BUSY)
		return p->calm > CALM_AFTER ? CALM_MS : RUNNING_MS;
	if (p->awake) {
		p->awake--;
		return AWAKE_MS;
	}
	return CREATED_MS;
}

static _noreturn_ void follow(struct proxy *p)
{
	enum seen seen;

	p->wait_ms = CREATED_MS;
	for (;;) {
		wait_a_while(p);
		if (folder_is_gone(p))
			end(p, status_of_end(p));
		seen = look(p);
		judge(p, seen);
		if (seen == SEEN_NOTHING)
			disconnect(p); /* the next look goes by what the settings are then */
		if (seen == SEEN_RUNNING || (seen == SEEN_NOTHING && p->ran))
			act(p);
		p->wait_ms = next_wait(p, seen);
		if (p->asked > p->done)
			p->wait_ms = MIN(p->wait_ms, URGENT_MS);
	}
}

/* ---- becoming it ---- */

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Nothing of the engine's may stay open, least of all a pipe whose end it waits for. */
static int close_others(int *keep, size_t n)
{
	unsigned from = 3;

	qsort(keep, n, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 3)
			continue;
		if ((unsigned)keep[i] > from && sys_close_range(from, (unsigned)keep[i] - 1, 0) < 0)
			return -1;
		from = (unsigned)keep[i] + 1;
	}
	return sys_close_range(from, ~0U, 0);
}

static int detach_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (null < 0)
		return -1;
	for (int fd = 0; fd < 3; fd++) {
		if (null == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(null, fd) < 0)
			return -1;
	}
	if (null > 2)
		fd_close(null);
	return 0;
}

static int watch_folder(struct proxy *p)
{
	char path[64];

	p->folder = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->dir);
	return p->folder < 0 ? -1
			     : inotify_add_watch(p->folder, path,
				       IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_DELETE |
					       IN_ONLYDIR);
}

/* The folder is opened anew, for its lock belongs to the open file of whoever creates. */
static int become(struct proxy *p, int dir_fd, int ready, const sigset_t *watched)
{
	const struct rlimit none = { 0, 0 };
	struct err err = ERR_INIT;
	int keep[6];

	if (log_open(NULL, LOG_TEXT, LOG_ERROR, &err) < 0)
		return -1;
	p->dir = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->signals = signalfd(-1, watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->dir < 0 || p->signals < 0 || watch_folder(p) < 0 || setsid() < 0 || chdir("/") < 0 ||
		detach_stdio() < 0)
		return -1;
	keep[0] = p->dir;
	keep[1] = p->signals;
	keep[2] = p->folder;
	keep[3] = ready;
	keep[4] = p->terminal;
	keep[5] = p->credential;
	if (close_others(keep, ARRAY_SIZE(keep)) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -1;
	return prctl(PR_SET_NAME, "ctrctl-guest");
}

static _noreturn_ void run(struct proxy *p, int dir_fd, int ready, const sigset_t *watched)
{
	char failed = 0;

	if (become(p, dir_fd, ready, watched) < 0) {
		failed = (char)MIN(errno, 127);
		_exit(write(ready, &failed, 1) == 1 ? ENDED_UNKNOWN : ENDED_UNKNOWN - 1);
	}
	if (write(ready, &failed, 1) != 1)
		_exit(ENDED_UNKNOWN);
	fd_close(ready);
	follow(p);
}

/* ---- a terminal that stays silent ---- */

/* Who asked for a terminal waits for its master. The other end stays open in the proxy, so that the
 * terminal ends with the guest, and not before. */
static int make_terminal(
	const struct ctr_input *in, const char *guest, int *ret_other, struct err *err)
{
	_close_ int master = FD_NONE, other = FD_NONE;
	char name[64], line[160];

	*ret_other = FD_NONE;
	if (!in->spec->process || !in->spec->process->terminal)
		return 0;
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
		return err_sys(err, errno, "posix_openpt", "terminal of a guest");
	other = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (other < 0)
		return err_sys(err, errno, "ioctl", "TIOCGPTPEER of %s", name);
	snprintf(line, sizeof(line), "The console of this guest is on its node: pct console %s\n",
		guest);
	if (fd_write_all(other, line, strlen(line)) < 0)
		return err_sys(err, errno, "write", "%s", name);
	if (in->attach.console_socket >= 0 &&
		fd_send(in->attach.console_socket, name, strlen(name), &master, 1) < 0)
		return err_sys(err, errno, "send", "console socket");
	if (in->attach.ret_console)
		*in->attach.ret_console = fd_take(&master);
	*ret_other = fd_take(&other);
	return 0;
}

/* ---- beginning ---- */

static int read_ready(int fd, struct err *err)
{
	char failed;
	ssize_t n;

	do
		n = read(fd, &failed, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1 && failed == 0)
		return 0;
	if (n == 1)
		return err_sys(err, failed, "start", "the process that stands for the guest");
	return err_set(
		err, ERR_SYSTEM, NULL, "the process that stands for the guest ended as it began");
}

static int note_process(
	const struct ctr_input *in, pid_t pid, struct ctr_record *rec, struct err *err)
{
	_close_ int pidfd = FD_NONE;
	struct proc_stat stat;
	int r = proc_stat(pid, &stat, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(
			err, ERR_SYSTEM, NULL, "the process that stands for the guest has ended");
	if (in->attach.pidfd_socket >= 0) {
		pidfd = sys_pidfd_open(pid, 0);
		if (pidfd < 0)
			return err_sys(err, errno, "pidfd_open", "%d", (int)pid);
		if (fd_send(in->attach.pidfd_socket, "pidfd", 5, &pidfd, 1) < 0)
			return err_sys(err, errno, "send", "pidfd socket");
	}
	rec->pid = (int32_t)pid;
	rec->start_time = stat.start_time;
	return 0;
}

/* Those that mean an end; and all that can be held back, since none but those has a meaning here.
 */
static void choose_signals(sigset_t *ends, sigset_t *held)
{
	/* The last two are SIGRTMIN+3 and +4 as the kernel and others count, which systemd takes
	 * for halt and poweroff; the C library may keep more of them for itself. */
	static const int orderly[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPWR, 37, 38 };
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };

	sigemptyset(ends);
	for (size_t i = 0; i < ARRAY_SIZE(orderly); i++)
		sigaddset(ends, orderly[i]);
	sigfillset(held);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(held, own[i]);
}

int proxmox_proxy_begin(
	const struct ctr_input *in, struct ctr_record *rec, int dir_fd, struct err *err)
{
	struct proxy p = { .rec = *rec,
		.born = in->context->cfg,
		.context.cfg = in->context->cfg,
		.context.settings_path = in->context->settings_path,
		.credential = pve_client_credential(in->context->pve.client) };
	_close_ int to_read = FD_NONE, to_write = FD_NONE, terminal = FD_NONE;
	sigset_t watched, held, before;
	int ends[2];
	pid_t pid;

	if (make_terminal(in, rec->guest, &terminal, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe2", "the process that stands for the guest");
	to_read = ends[0];
	to_write = ends[1];
	p.rec.context = &p.context;
	p.rec.phase = CTR_RUNNING;
	p.terminal = terminal;
	choose_signals(&watched, &held);
	/* From its first moment on no signal is lost. */
	sigprocmask(SIG_BLOCK, &held, &before);
	pid = fork();
	if (pid == 0)
		run(&p, dir_fd, to_write, &watched);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_sys(err, errno, "fork", "the process that stands for the guest");
	to_write = fd_close(to_write);
	if (read_ready(to_read, err) == 0 && note_process(in, pid, rec, err) == 0)
		return 0;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}
