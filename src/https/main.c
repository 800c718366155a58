/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: a setup, then asks and answers until ctrctl closes the socket. What can't be set up is
 * said in the answer to each ask. A frame that is none ends the program: the other side isn't the
 * one that it was made for.
 */
#include "https/https.h"

#include "base/fd.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CA_MAX = 1 << 20 };

static struct frame_setup setup;

/* Nothing is taken from the environment, nobody looks into the process, and it leaves no core. */
static int harden(void)
{
	const struct rlimit none = { 0, 0 };

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "ctrctl-https");
	if (clearenv() || prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	return chdir("/");
}

/* Sleeping counts: a ticket ages meanwhile. */
static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void exchange(void *arg, const struct http_request *request, struct http_reply *reply)
{
	http_exchange(arg, request, reply);
}

static int answer(struct session *s, struct err *broken, const struct frame_ask *ask)
{
	struct http_reply reply = { 0 };
	struct https_answer head = { 0 };
	unsigned logins = 0;
	char *path = strf("%s%s", setup.base, ask->path);

	if (broken->code) {
		/* The server can't be told from another, so it isn't talked to. */
		http_reply_failed(&reply, HTTPS_UNTRUSTED, "%s", broken->text);
	} else if (!path) {
		http_reply_failed(&reply, HTTPS_UNREACHED, "out of memory");
	} else {
		session_exchange(s, &ask->head, path, ask->body, &reply, &logins);
	}
	free(path);
	head = (struct https_answer){
		.outcome = reply.outcome,
		.status = reply.status,
		.json = reply.json,
		.timed_out = reply.timed_out,
		.logins = logins,
		.reason_n = (uint32_t)strlen(reply.reason),
		.body_n = (uint32_t)reply.body.n,
	};
	int r = frame_write_answer(HTTPS_FD_SOCKET, &head, reply.reason, reply.body.p);
	http_reply_done(&reply);
	return r;
}

static int serve(struct session *s, struct err *broken)
{
	for (;;) {
		struct frame_ask ask;
		int r = frame_read_ask(HTTPS_FD_SOCKET, &ask);
		if (r <= 0)
			return r < 0 ? HTTPS_EXIT_FRAME : 0;
		r = answer(s, broken, &ask);
		frame_ask_done(&ask);
		if (r < 0)
			return 0;
	}
}

/* Both are read here, once, and their fds closed. */
static void read_files(struct session *s, char **ca, size_t *ca_n, struct err *err)
{
	struct secret credential = { 0 };

	if (secret_read(HTTPS_FD_CREDENTIAL, s->auth, &credential, &s->fault) == 0)
		session_begin(s, &credential);
	close(HTTPS_FD_CREDENTIAL);
	if (!setup.head.has_ca)
		return;
	if (fd_read_all(HTTPS_FD_CA, CA_MAX, ca, ca_n) < 0)
		err_set(err, ERR_INVALID, NULL,
			"the file of the CA can't be read, or is over 1 MiB");
	close(HTTPS_FD_CA);
}

int main(void)
{
	_free_ char *ca = NULL;
	size_t ca_n = 0;
	struct err broken = ERR_INIT;

	if (harden() < 0)
		return HTTPS_EXIT_HARDEN;
	int r = frame_read_setup(HTTPS_FD_SOCKET, &setup);
	if (r <= 0)
		return r < 0 ? HTTPS_EXIT_FRAME : 0;
	struct session session = {
		.auth = (enum https_auth)setup.head.auth,
		.base = setup.base,
		.user = setup.user,
		.exchange = exchange,
		.now_ms = clock_ms,
	};
	read_files(&session, &ca, &ca_n, &broken);
	const struct http_setup http_setup = {
		.origin = setup.origin,
		.fingerprint = setup.fingerprint,
		.ca = ca,
		.ca_n = ca_n,
		.connect_timeout_ms = setup.head.connect_timeout_ms,
		.socket = HTTPS_FD_SOCKET,
	};
	struct http *http = broken.code ? NULL : http_new(&http_setup, &broken);
	session.arg = http;
	r = serve(&session, &broken);
	session_done(&session);
	http_free(http);
	return r;
}
