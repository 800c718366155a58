/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of ctrctl-https: starts it from a memfd, hands it the credential (which it alone
 * reads), asks, and waits no longer than an answer may take.
 */
#include "backend/proxmox/client.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/memfile.h"
#include "base/sys.h"
#include "https/image.h"

#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 8006,
	PIPE_MS = 10000,  /* for whoever writes the credential into a pipe */
	SLACK_MS = 5000,  /* that the program itself may be late */
	NOBODY = 65534,   /* it needs no right of root's */
	EXIT_EXEC = 126,  /* a struct not_run is in its stderr */
	EXIT_LOADER = 127 /* the dynamic loader's: a library is missing */
};

#ifdef __has_feature /* clang's */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
/* It keeps its user and its environment, so that it can write its reports where ours go, and ends
 * by itself, so that it looks for leaks. */
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static const char base_path[] = "/api2/json";

struct pve_client {
	const struct settings_proxmox *cfg;
	char *origin;
	int credential_fd; /* borrowed, or FD_NONE */
	int kept_fd;       /* what came out of it, if it is a pipe */
	unsigned count;
	/* the program */
	pid_t owner; /* the process whose child it is: after a fork, it isn't ours */
	int sock, pidfd, stderr_fd;
};

static const char *const methods[HTTPS_METHOD_N] = {
	[HTTPS_GET] = "GET",
	[HTTPS_POST] = "POST",
	[HTTPS_PUT] = "PUT",
	[HTTPS_DELETE] = "DELETE",
};

static const char *const outcomes[HTTPS_OUTCOME_N] = {
	[HTTPS_ANSWERED] = "answered",
	[HTTPS_UNREACHED] = "not reached",
	[HTTPS_UNTRUSTED] = "not trusted",
	[HTTPS_LOST] = "answer lost",
	[HTTPS_TOO_BIG] = "answer too big",
	[HTTPS_NO_LOGIN] = "login refused",
	[HTTPS_NO_SECRET] = "no credential",
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* 1: fd is ready, 0: the deadline has passed. */
static int wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t now = now_ms();
		int r = poll(&p, 1, now < deadline ? (int)MIN(deadline - now, 1u << 30) : 0);
		if (r > 0)
			return 1;
		if (r == 0 && now >= deadline)
			return 0;
		if (r < 0 && errno != EINTR)
			return 0;
	}
}

/* As fcntl() says it when the limit is lower than the number that is asked for. */
static int dup_above(int fd, int lowest)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

	if (copy < 0 && errno == EINVAL)
		errno = EMFILE;
	return copy;
}

/* For data: where programs in memfds are refused (vm.memfd_noexec), these aren't. */
static int plain_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC) : fd; /* before 6.3 */
}

/* ---- the credential ---- */

/* What is in the pipe, for as often as the program is started; none of it is read here. */
static int keep_pipe(struct pve_client *c, struct err *err)
{
	uint64_t deadline = now_ms() + PIPE_MS;
	_close_ int fd = plain_memfd("credential");
	size_t n = 0;

	if (fd < 0)
		return err_sys(err, errno, "memfd_create", "the credential");
	while (n <= HTTPS_CREDENTIAL_MAX) {
		if (!wait_for(c->credential_fd, POLLIN, deadline))
			return err_set(err, ERR_TIMEOUT, "--credential-fd",
				"nobody has written the credential and closed the pipe in %d seconds",
				PIPE_MS / 1000);
		ssize_t r = splice(c->credential_fd, NULL, fd, NULL, HTTPS_CREDENTIAL_MAX + 1,
			SPLICE_F_NONBLOCK);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0)
			return err_sys(err, errno, "splice", "the credential");
		if (r == 0)
			break;
		n += (size_t)r;
	}
	c->kept_fd = fd_take(&fd);
	return 0;
}

static int copy_credential(int fd, struct err *err)
{
	int copy = dup_above(fd, 3);

	return copy < 0 ? err_sys(err, errno, "fcntl", "the credential") : copy;
}

static int credential_of_fd(struct pve_client *c, struct err *err)
{
	struct stat st;

	if (c->kept_fd < 0) {
		if (fstat(c->credential_fd, &st) < 0)
			return err_set(err, ERR_USAGE, "--credential-fd", "%d isn't open",
				c->credential_fd);
		if (S_ISREG(st.st_mode))
			return copy_credential(c->credential_fd, err);
		if (!S_ISFIFO(st.st_mode))
			return err_set(err, ERR_USAGE, "--credential-fd",
				"%d is neither a file nor a pipe", c->credential_fd);
		if (keep_pipe(c, err) < 0)
			return -1;
	}
	return copy_credential(c->kept_fd, err);
}

/* The words of errno are for missing containers and executables: engines read them. */
static int file_failed(const char *path, int os, struct err *err)
{
	if (os == ENOENT || os == ENOTDIR)
		return err_set(err, ERR_INVALID, path, "the file is missing");
	if (os == ELOOP)
		return err_set(err, ERR_INVALID, path, "a symbolic link isn't followed");
	if (os == EACCES || os == EPERM)
		return err_set(err, ERR_INVALID, path, "the file can't be opened by this user");
	return err_sys(err, os, "open", "%s", path);
}

/* Nobody but root may read it or put another in its place. */
static int credential_of_file(const char *path, struct err *err)
{
	_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return file_failed(path, errno, err);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "fstat", "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, path, "not a regular file");
	if (st.st_uid != 0) {
		err_set(err, ERR_INVALID, path, "it belongs to user %u, who could change it",
			(unsigned)st.st_uid);
		return err_hint(err, "chown root %s && chmod 600 %s", path, path);
	}
	if (st.st_mode & 077) {
		err_set(err, ERR_INVALID, path, "others than root may use it: its mode is %04o",
			(unsigned)st.st_mode & 07777);
		return err_hint(err, "chmod 600 %s", path);
	}
	return fd_take(&fd);
}

static int open_credential(struct pve_client *c, struct err *err)
{
	if (c->credential_fd >= 0)
		return credential_of_fd(c, err);
	if (c->cfg->credential_fd) {
		err_set(err, ERR_USAGE, "--credential-fd",
			"needed, for the configuration has \"proxmox.credential\": \"fd\"");
		return -1;
	}
	const char *path = c->cfg->token_file ? c->cfg->token_file : c->cfg->password_file;
	if (!path)
		return err_set(err, ERR_INVALID, "proxmox.tokenFile",
			"needed: the file with the API token");
	return credential_of_file(path, err);
}

static int open_ca(const struct settings_proxmox *cfg, struct err *err)
{
	int fd = open(cfg->ca_file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return file_failed(cfg->ca_file, errno, err);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	fd_close(fd);
	return err_set(err, ERR_INVALID, cfg->ca_file, "not a regular file");
}

/* ---- the program ---- */

struct start {
	int exec_fd, sock, credential, ca, stderr_fd;
	pid_t parent;
	bool drop;
	const char *call; /* the last one, should the child get no further */
};

/* Why the child didn't become the program. */
struct not_run {
	int os;
	char call[24];
};

/* It needs none of root's rights; without the right to read the file that it runs, it can't be
 * looked into by others of that user, either. */
static int drop_user(struct start *s)
{
	s->call = "setgroups";
	if (setgroups(0, NULL) < 0)
		return -1;
	s->call = "setresuid";
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0)
		return -1;
	return setresuid(NOBODY, NOBODY, NOBODY);
}

/* 1: ctrctl is root, and nobody may run the file: a memfd gets the mode for that, one of a
 * read-only tmpfs has it. 0: ctrctl isn't root. */
static int can_drop(int exec_fd, struct err *err)
{
	struct stat st;

	if (sanitized || geteuid() != 0)
		return 0;
	if (fchmod(exec_fd, 0711) < 0 && errno != EROFS)
		return err_sys(err, errno, "fchmod", "ctrctl-https");
	if (fstat(exec_fd, &st) < 0)
		return err_sys(err, errno, "fstat", "ctrctl-https");
	if (!(st.st_mode & S_IXOTH))
		return err_set(err, ERR_INTERNAL, "ctrctl-https",
			"only root could run it: its mode is %04o", (unsigned)st.st_mode & 07777);
	return 1;
}

/* The fds get their numbers; no other is left. */
static int place_fds(struct start *s)
{
	int *const fds[] = { &s->stderr_fd, &s->sock, &s->credential, &s->ca, &s->exec_fd };

	/* Out of the way of the numbers that they get. */
	s->call = "fcntl";
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		int fd = *fds[i] < 0 ? *fds[i] : dup_above(*fds[i], 20);
		if (*fds[i] >= 0 && fd < 0)
			return -1;
		*fds[i] = fd;
	}
	s->call = "open";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -1;
	s->call = "dup2";
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s->stderr_fd, 2) < 0)
		return -1;
	s->stderr_fd = 2;
	if (dup2(s->sock, HTTPS_FD_SOCKET) < 0 || dup2(s->credential, HTTPS_FD_CREDENTIAL) < 0)
		return -1;
	if (s->ca >= 0 ? dup2(s->ca, HTTPS_FD_CA) < 0 : (close(HTTPS_FD_CA), false))
		return -1;
	if ((s->exec_fd = dup3(s->exec_fd, HTTPS_FD_CA + 1, O_CLOEXEC)) < 0)
		return -1;
	s->call = "close_range";
	return sys_close_range(HTTPS_FD_CA + 2, ~0U, 0);
}

/* In the child, between clone and exec. */
static int become(struct start *s)
{
	static char *const argv[] = { (char *)(uintptr_t) "ctrctl-https", NULL };
	static char *const none_at_all[] = { NULL };
	char *const *envp = sanitized ? environ : none_at_all;
	sigset_t none;

	if (place_fds(s) < 0)
		return -1;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->drop && drop_user(s) < 0)
		return -1;
	/* After the change of user, which clears it. */
	s->call = "prctl";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (getppid() != s->parent)
		_exit(0);
	s->call = "execveat";
	return sys_execveat(s->exec_fd, "", argv, envp, AT_EMPTY_PATH);
}

static _Noreturn void say_why(const struct start *s, int os)
{
	struct not_run why = { .os = os };

	snprintf(why.call, sizeof(why.call), "%s", s->call);
	if (write(s->stderr_fd, &why, sizeof(why)) < 0)
		_exit(EXIT_EXEC);
	_exit(EXIT_EXEC);
}

static int spawn(struct pve_client *c, struct start *s, struct err *err)
{
	int pidfd = FD_NONE;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};

	s->parent = getpid();
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return err_sys(err, errno, "clone3", "ctrctl-https");
	if (pid == 0) {
		become(s);
		say_why(s, errno);
	}
	c->pidfd = pidfd;
	c->owner = s->parent;
	return 0;
}

/* Forgets it; ends and reaps it, if it is this process's child. Its wait status, or -1. */
static int end_program(struct pve_client *c, bool kill_it)
{
	siginfo_t info = { 0 };
	int status = -1;

	c->sock = fd_close(c->sock);
	if (c->pidfd >= 0 && c->owner == getpid()) {
		if (kill_it)
			sys_pidfd_send_signal(c->pidfd, SIGKILL);
		while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0) {
			if (errno != EINTR) /* ECHILD: somebody else has reaped it */
				break;
		}
		if (info.si_code == CLD_EXITED)
			status = info.si_status;
	}
	c->pidfd = fd_close(c->pidfd);
	return status;
}

/* The loader's line is "PROGRAM: error while loading shared libraries: NAME: ...". 1: it is this.
 */
static int library_missing(struct pve_client *c, int status, struct err *err)
{
	static const char mark[] = "shared libraries: ";
	char line[512] = "", *name, *end;

	if (pread(c->stderr_fd, line, sizeof(line) - 1, 0) < 0)
		line[0] = 0;
	name = strstr(line, mark);
	if (!name && status != EXIT_LOADER)
		return 0;
	end = name ? strchr(name += sizeof(mark) - 1, ':') : NULL;
	if (end)
		*end = 0;
	err_set(err, ERR_UNSUPPORTED, "ctrctl-https",
		"it needs libcurl4 and libssl3, and %s can't be loaded",
		end ? name : "one of them");
	err_hint(err, "apt-get install libcurl4 libssl3");
	return 1;
}

/* The child didn't become the program. The words of ENOENT and EACCES are for the container's. */
static int not_run(struct pve_client *c, struct err *err)
{
	struct not_run why;

	if (pread(c->stderr_fd, &why, sizeof(why), 0) != sizeof(why))
		return err_set(err, ERR_UNAVAILABLE, "ctrctl-https", "it can't be run");
	if (str_eq(why.call, "execveat") && (why.os == ENOENT || why.os == EACCES)) {
		err_set(err, ERR_UNSUPPORTED, "ctrctl-https",
			"the dynamic loader that it needs can't be run");
		return err_hint(err, "apt-get install libc6 libcurl4 libssl3");
	}
	return err_sys(err, why.os, why.call, "ctrctl-https");
}

/* The program has closed its socket. -1 if that is because it can't do its work, with the reason:
 * nothing was sent then; else 0. */
static int has_ended(struct pve_client *c, struct err *err)
{
	int status = end_program(c, true);

	if (library_missing(c, status, err))
		return -1;
	switch (status) {
	case EXIT_EXEC: return not_run(c, err);
	case HTTPS_EXIT_HARDEN:
		return err_set(err, ERR_UNAVAILABLE, "ctrctl-https",
			"it can't keep others from looking into it, so it doesn't run");
	case HTTPS_EXIT_FRAME:
		return err_set(err, ERR_INTERNAL, "ctrctl-https", "it didn't understand the ask");
	default: return 0;
	}
}

static void fill_setup(const struct pve_client *c, struct str *s)
{
	const struct settings_proxmox *cfg = c->cfg;
	const char *user = cfg->user ? cfg->user : "";
	const char *fingerprint = cfg->fingerprint ? cfg->fingerprint : "";
	const struct https_setup head = {
		.size = sizeof(head),
		.auth = cfg->user ? HTTPS_AUTH_TICKET : HTTPS_AUTH_TOKEN,
		.has_ca = cfg->ca_file != NULL,
		.connect_timeout_ms = cfg->connect_s ? cfg->connect_s * 1000 : 5000,
		.origin_n = (uint32_t)strlen(c->origin),
		.base_n = sizeof(base_path) - 1,
		.fingerprint_n = (uint32_t)strlen(fingerprint),
		.user_n = (uint32_t)strlen(user),
	};

	str_addn(s, &head, sizeof(head));
	str_add(s, c->origin);
	str_add(s, base_path);
	str_add(s, fingerprint);
	str_add(s, user);
}

/* Whole, before the deadline. 1, 0: too late, -1: the other side is gone. */
static int send_by(int sock, const void *p, size_t n, uint64_t deadline)
{
	for (size_t sent = 0; sent < n;) {
		ssize_t r =
			send(sock, (const char *)p + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r >= 0)
			sent += (size_t)r;
		else if (errno == EAGAIN && !wait_for(sock, POLLOUT, deadline))
			return 0;
		else if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return 1;
}

static int recv_by(int sock, void *p, size_t n, uint64_t deadline)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = recv(sock, (char *)p + got, n - got, MSG_DONTWAIT);
		if (r > 0)
			got += (size_t)r;
		else if (r < 0 && errno == EAGAIN && !wait_for(sock, POLLIN, deadline))
			return 0;
		else if (r == 0 || (errno != EAGAIN && errno != EINTR))
			return -1;
	}
	return 1;
}

static int start_program(struct pve_client *c, struct err *err)
{
	const struct iovec image = { (void *)(uintptr_t)https_image, https_image_size };
	int pair[2];
	_str_ struct str setup = { 0 };
	_close_ int exec_fd = FD_NONE, credential = FD_NONE, ca = FD_NONE, theirs = FD_NONE;
	int drop;

	if ((credential = open_credential(c, err)) < 0)
		return -1;
	if (c->cfg->ca_file && (ca = open_ca(c->cfg, err)) < 0)
		return -1;
	if ((exec_fd = memfile_make("ctrctl-https", &image, 1, err)) < 0 ||
		(drop = can_drop(exec_fd, err)) < 0)
		return -1;
	c->stderr_fd = fd_close(c->stderr_fd);
	c->stderr_fd = plain_memfd("stderr");
	if (c->stderr_fd < 0)
		return err_sys(err, errno, "memfd_create", "stderr");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair", NULL);
	c->sock = pair[0];
	theirs = pair[1];
	struct start s = {
		.exec_fd = exec_fd,
		.sock = theirs,
		.credential = credential,
		.ca = ca,
		.stderr_fd = c->stderr_fd,
		.drop = drop > 0,
	};
	fill_setup(c, &setup);
	if (str_ok(&setup, err) < 0 || spawn(c, &s, err) < 0) {
		c->sock = fd_close(c->sock);
		return -1;
	}
	/* Smaller than the socket's buffer; if the program has died, asking will tell. */
	if (send_by(c->sock, setup.p, setup.n, now_ms() + SLACK_MS) == 0)
		log_debug("ctrctl-https doesn't read its setup");
	return 0;
}

static int ensure_program(struct pve_client *c, struct err *err)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	if (c->pidfd >= 0 && c->owner == getpid() && poll(&p, 1, 0) == 0)
		return 0;
	end_program(c, true);
	return start_program(c, err);
}

/* ---- asking ---- */

static int check_ask(const struct pve_ask *ask, struct err *err)
{
	size_t body_n = ask->body ? strlen(ask->body) : 0;

	if (ask->method >= HTTPS_METHOD_N || !ask->timeout_ms || ask->path[0] != '/' ||
		strlen(ask->path) > HTTPS_PATH_MAX ||
		(body_n && ask->method != HTTPS_POST && ask->method != HTTPS_PUT))
		return err_set(err, ERR_INTERNAL, methods[ask->method % HTTPS_METHOD_N],
			"not a request that can be sent");
	for (const char *p = ask->path; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#')
			return err_set(err, ERR_INTERNAL, NULL, "the path isn't percent-encoded");
	}
	if (body_n > HTTPS_ASK_MAX)
		return err_set(err, ERR_EXHAUSTED, NULL,
			"the request is bigger than the %d KiB that the server takes",
			HTTPS_ASK_MAX >> 10);
	return 0;
}

static int send_ask(struct pve_client *c, const struct pve_ask *ask, uint64_t deadline)
{
	const struct https_ask head = {
		.method = ask->method,
		.timeout_ms = ask->timeout_ms,
		.fresh = ask->fresh,
		.path_n = (uint32_t)strlen(ask->path),
		.body_n = ask->body ? (uint32_t)strlen(ask->body) : 0,
	};
	int r = send_by(c->sock, &head, sizeof(head), deadline);

	if (r == 1)
		r = send_by(c->sock, ask->path, head.path_n, deadline);
	return r == 1 ? send_by(c->sock, ask->body, head.body_n, deadline) : r;
}

static char *recv_text(int sock, uint32_t n, uint64_t deadline, struct arena *a, int *r)
{
	char *text = arena_alloc(a, (size_t)n + 1);

	*r = text ? recv_by(sock, text, n, deadline) : -2;
	return text;
}

/* 1, 0: too late, -1: no answer or none that makes sense, -2: no memory. */
static int recv_answer(
	struct pve_client *c, uint64_t deadline, struct arena *a, struct pve_answer *ret)
{
	struct https_answer head;
	int r = recv_by(c->sock, &head, sizeof(head), deadline);

	if (r <= 0)
		return r;
	if (head.outcome >= HTTPS_OUTCOME_N || head.reason_n > HTTPS_REASON_MAX ||
		head.body_n > HTTPS_ANSWER_MAX || head.logins > HTTPS_LOGINS_MAX + 1)
		return -1;
	*ret = (struct pve_answer){
		.outcome = (enum https_outcome)head.outcome,
		.status = head.status,
		.json = head.json,
		.timed_out = head.timed_out,
		.n = head.body_n,
	};
	c->count += head.logins;
	if (head.logins)
		log_debug("ctrctl-https: %u exchanges to log in", head.logins);
	ret->reason = recv_text(c->sock, head.reason_n, deadline, a, &r);
	if (r == 1)
		ret->body = recv_text(c->sock, head.body_n, deadline, a, &r);
	return r;
}

static void lost(struct pve_answer *ret, const char *reason, bool timed_out)
{
	*ret = (struct pve_answer){
		.outcome = HTTPS_LOST,
		.timed_out = timed_out,
		.reason = reason,
		.body = "",
	};
}

/* The program died over the ask: of no consequence if it never ran or hadn't got the whole. */
static int died(struct pve_client *c, bool asked, struct pve_answer *ret, struct err *err)
{
	if (has_ended(c, err) < 0)
		return -1;
	if (!asked)
		return err_set(err, ERR_UNAVAILABLE, "ctrctl-https",
			"the program that holds the connection has ended");
	lost(ret, "the program that holds the connection has ended", false);
	return 0;
}

static int exchange(struct pve_client *c, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *err)
{
	uint64_t deadline = now_ms() + ask->timeout_ms + SLACK_MS +
			    (c->cfg->user ? HTTPS_LOGINS_MAX * HTTPS_LEAST_MS : 0);
	int r = send_ask(c, ask, deadline);

	if (r < 0)
		return died(c, false, ret, err);
	c->count++;
	if (r > 0)
		r = recv_answer(c, deadline, a, ret);
	if (r == -1)
		return died(c, true, ret, err);
	if (r == 1)
		return 0;
	end_program(c, true);
	if (r == -2)
		return err_nomem(err);
	lost(ret, "no answer in time", true);
	return 0;
}

/* What an answer was is noted by api.c, which knows what it means. The query isn't shown. */
static void note(const struct pve_ask *ask, const struct pve_answer *a, uint64_t ms)
{
	if (a->outcome != HTTPS_ANSWERED)
		log_debug("%s %.*s: %s (%s), %llu ms", methods[ask->method],
			(int)strcspn(ask->path, "?"), ask->path, outcomes[a->outcome], a->reason,
			(unsigned long long)ms);
}

int pve_client_exchange(struct pve_client *c, const struct pve_ask *ask, struct arena *a,
	struct pve_answer *ret, struct err *err)
{
	uint64_t begin = now_ms();

	if (check_ask(ask, err) < 0 || ensure_program(c, err) < 0 ||
		exchange(c, ask, a, ret, err) < 0)
		return -1;
	note(ask, ret, now_ms() - begin);
	return 0;
}

int pve_client_credential(const struct pve_client *c)
{
	return c->kept_fd >= 0 ? c->kept_fd : c->credential_fd;
}

unsigned pve_client_count(const struct pve_client *c)
{
	return c->count;
}

/* ---- life ---- */

/* "https://[::1]" has colons, but no port. */
static bool has_port(const char *endpoint)
{
	const char *host = strstr(endpoint, "://");
	const char *bracket = host ? strchr(host, ']') : NULL;

	return host && strchr(bracket ? bracket : host + 3, ':');
}

struct pve_client *pve_client_new(
	const struct settings_proxmox *cfg, int credential_fd, struct err *err)
{
	struct pve_client *c = calloc(1, sizeof(*c));

	if (c && cfg->endpoint)
		c->origin = has_port(cfg->endpoint) ? strf("%s", cfg->endpoint)
						    : strf("%s:%d", cfg->endpoint, PORT);
	if (!c || !c->origin) {
		if (c && !cfg->endpoint)
			err_set(err, ERR_INVALID, "proxmox.endpoint", "needed: the server's URL");
		else
			err_nomem(err);
		free(c);
		return NULL;
	}
	c->cfg = cfg;
	c->credential_fd = credential_fd;
	c->kept_fd = c->sock = c->pidfd = c->stderr_fd = FD_NONE;
	return c;
}

void pve_client_free(struct pve_client *c)
{
	if (!c)
		return;
	end_program(c, !sanitized);
	fd_close(c->kept_fd);
	fd_close(c->stderr_fd);
	free(c->origin);
	free(c);
}
