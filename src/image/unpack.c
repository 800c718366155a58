/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's half: reads the blob, proves its size and digest, hands it to a confined child that
 * decompresses and unpacks it, and does the one thing that the child may not: mark folders as
 * opaque. The child computes the diff id. A child that an archive has taken over could lie about
 * it, but where the blob's digest is known, what was unpacked is what the image's author made.
 */
#include "base/arena.h"
#include "base/log.h"
#include "image/unpack-int.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOB_PIECE = 256 * 1024, SOCKET_BUFFER = 1 << 20 };

/* An image of which less than this share was in the archive is worth a line in the log. */
enum { RATIO_ALARM = 200, RATIO_ALARM_FROM = 1 << 30 };

/* -- the child ------------------------------------------------------------------------------- */

static int send_opaque(void *arg, int dir_fd, struct err *err)
{
	const struct note note = { .kind = NOTE_OPAQUE };

	if (fd_send(CONFINE_TALK, &note, sizeof(note), &dir_fd, 1) < 0)
		return err_sys(err, errno, "sendmsg", "an opaque folder");
	return 0;
}

static int child_work(
	const struct unpack_job *job, pid_t parent, struct unpack_out *out, struct err *err)
{
	int blob = CONFINE_BLOB;
	const struct unpack_in in = {
		.fill = stream_fill_fd,
		.arg = &blob,
		.root_fd = CONFINE_ROOT,
		.limits = job->limits,
		.diff_like = job->diff_id,
		.opaque = send_opaque,
	};

	return confine(parent, err) < 0 ? -1 : unpack_tar(&in, out, err);
}

static _noreturn_ void child(const struct unpack_job *job, pid_t parent, int blob_fd, int talk_fd)
{
	struct note note = { .kind = NOTE_FAILED };
	int talk = CONFINE_TALK;

	if (confine_fds(blob_fd, talk_fd, job->root_fd, &note.err) < 0)
		talk = talk_fd;
	else if (child_work(job, parent, &note.out, &note.err) == 0)
		note.kind = NOTE_DONE;
	_exit(fd_send(talk, &note, sizeof(note), NULL, 0) < 0);
}

/* -- the parent ------------------------------------------------------------------------------ */

struct feed {
	const struct unpack_job *job;
	pid_t pid;
	int blob_fd, talk_fd; /* our ends */
	struct digest *digest;
	uint64_t done;
	bool ended; /* the blob has been read */
	bool has_note;
	struct note note;
	char *piece;
	size_t at, end;
};

static const char *blob_name(const struct unpack_job *job)
{
	return job->digest ? job->digest : job->diff_id;
}

/* Reads on and counts; at the end, compares with what was promised. 1 if there was more. */
static int read_blob(struct feed *f, struct err *err)
{
	const struct unpack_job *job = f->job;
	const uint64_t want =
		job->part ? MIN(job->size - f->done, (uint64_t)BLOB_PIECE) : BLOB_PIECE;
	int fd = job->blob_fd;
	ssize_t n = want ? stream_fill_fd(&fd, f->piece, (size_t)want, err) : 0;

	if (n < 0)
		return -1;
	f->at = 0;
	f->end = (size_t)n;
	f->done += (uint64_t)n;
	if (job->size != UINT64_MAX && (f->done > job->size || (n == 0 && f->done < job->size)))
		return err_set(err, ERR_INVALID, NULL, "is %s than its size of %llu bytes says",
			n ? "longer" : "shorter", (unsigned long long)job->size);
	f->ended = n == 0;
	if (f->digest)
		digest_add(f->digest, f->piece, f->end);
	if (job->progress && n)
		job->progress->fn(job->progress->arg, blob_name(job), f->done,
			job->size == UINT64_MAX ? 0 : job->size);
	return n > 0;
}

static int check_digest(struct feed *f, struct err *err)
{
	char text[DIGEST_TEXT_MAX];

	if (!f->digest || str_eq(digest_text(f->digest, text), f->job->digest))
		return 0;
	return err_set(err, ERR_INVALID, NULL, "its bytes don't have that digest but %s", text);
}

/* The child may have been taken over: it can name folders of the layer, nothing else. */
static int mark_opaque(struct feed *f, int dir_fd, struct err *err)
{
	struct stat st, root;

	if (fstat(dir_fd, &st) < 0 || fstat(f->job->root_fd, &root) < 0)
		return err_sys(err, errno, "fstat", "an opaque folder");
	if (!S_ISDIR(st.st_mode) || st.st_dev != root.st_dev)
		return err_set(err, ERR_INTERNAL, NULL,
			"the unpacking process named no folder of the layer");
	return unpack_set_opaque(dir_fd, err);
}

/* One message of the child. 1, or 0 when it has hung up. */
static int hear(struct feed *f, struct err *err)
{
	int fds[1] = { FD_NONE };
	size_t n_fds = 0;
	ssize_t n = fd_recv(f->talk_fd, &f->note, sizeof(f->note), fds, 1, &n_fds);
	_close_ int dir_fd = n_fds == 1 ? fds[0] : FD_NONE;

	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, errno, "recvmsg", "from the unpacking process");
	if (n <= 0)
		return 0;
	if (n != sizeof(f->note) || (f->note.kind == NOTE_OPAQUE) != (dir_fd >= 0))
		return err_set(err, ERR_INTERNAL, NULL, "the unpacking process talks nonsense");
	if (f->note.kind == NOTE_OPAQUE)
		return mark_opaque(f, dir_fd, err) < 0 ? -1 : 1;
	f->has_note = true;
	return 0;
}

/* As much of the piece as the child takes now. What a child that is gone doesn't take is dropped:
 * its last message says why. */
static void send_piece(struct feed *f)
{
	ssize_t n = send(f->blob_fd, f->piece + f->at, f->end - f->at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		f->at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		f->blob_fd = fd_close(f->blob_fd);
}

/* Until the child has said its last word or hung up. */
static int feed_child(struct feed *f, struct err *err)
{
	for (;;) {
		if (f->at == f->end && !f->ended && f->blob_fd >= 0 && read_blob(f, err) < 0)
			return -1;
		if (f->ended)
			f->blob_fd = fd_close(f->blob_fd);
		struct pollfd wait[] = {
			{ .fd = f->talk_fd, .events = POLLIN },
			{ .fd = f->blob_fd, .events = POLLOUT }, /* none: negative */
		};
		if (poll(wait, ARRAY_SIZE(wait), -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, errno, "poll", "the unpacking process");
		}
		if (wait[1].revents)
			send_piece(f);
		if (!wait[0].revents)
			continue;
		int r = hear(f, err);
		if (r <= 0)
			return r;
	}
}

/* Always waited for; killed unless it has said its last word. Its wait status, 0 if the caller of
 * the library lets the kernel reap. */
static int reap(struct feed *f)
{
	int status = 0;
	pid_t r;

	if (!f->has_note)
		kill(f->pid, SIGKILL);
	do {
		r = waitpid(f->pid, &status, 0);
	} while (r < 0 && errno == EINTR);
	f->pid = 0;
	return r < 0 ? 0 : status;
}

static int child_died(int status, struct err *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(err, ERR_EXHAUSTED, NULL, "takes more than an hour to unpack");
	if (WIFSIGNALED(status))
		return err_set(err, ERR_INTERNAL, NULL, "the unpacking process was killed by SIG%s",
			sigabbrev_np(WTERMSIG(status)));
	/* libarchive ends it in the midst of an archive when there is no memory. */
	return err_set(err, ERR_EXHAUSTED, NULL,
		"the unpacking process ended with status %d, perhaps for want of memory",
		WEXITSTATUS(status));
}

/* Texts of the child end, and its codes are codes. */
static int child_failed(struct note *note, struct err *err)
{
	struct err *e = &note->err;

	e->op[sizeof(e->op) - 1] = e->object[sizeof(e->object) - 1] = 0;
	e->text[sizeof(e->text) - 1] = e->hint[sizeof(e->hint) - 1] = 0;
	e->where[sizeof(e->where) - 1] = 0;
	if (e->code <= ERR_NONE || e->code >= ERR_N)
		return err_set(err, ERR_INTERNAL, NULL, "the unpacking process talks nonsense");
	*err = *e;
	return -1;
}

static int check_diff_id(struct feed *f, struct err *err)
{
	struct unpack_out *out = &f->note.out;

	out->diff_id[sizeof(out->diff_id) - 1] = 0;
	if (str_eq(out->diff_id, f->job->diff_id))
		return 0;
	return err_set(err, ERR_INVALID, NULL, "what is in it has the digest %s instead of %s",
		out->diff_id, f->job->diff_id);
}

static void tell_left_out(const struct feed *f)
{
	const struct unpack_out *out = &f->note.out;

	if (out->left_out.devices || out->left_out.sockets)
		log_warn("layer %s: left out %llu device nodes and %llu sockets", blob_name(f->job),
			(unsigned long long)out->left_out.devices,
			(unsigned long long)out->left_out.sockets);
	if (out->stream >= RATIO_ALARM_FROM && out->stream / RATIO_ALARM > f->done)
		log_warn("layer %s: %llu bytes became %llu", blob_name(f->job),
			(unsigned long long)f->done, (unsigned long long)out->stream);
}

/*
 * A blob that isn't the one that was promised is the reason for all that follows from it: where the
 * child found a fault, the blob is read to its end for its digest.
 */
static int blame(struct feed *f, struct err *err)
{
	struct err blob_err = ERR_INIT;
	int r = 1;

	while (f->digest && !f->ended && r > 0)
		r = read_blob(f, &blob_err);
	if (r < 0 || check_digest(f, &blob_err) < 0) {
		*err = blob_err;
		return -1;
	}
	return child_failed(&f->note, err);
}

static int conclude(struct feed *f, uint64_t *ret_bytes, struct err *err)
{
	int status = reap(f);

	if (!f->has_note)
		return child_died(status, err);
	if (f->note.kind != NOTE_DONE)
		return blame(f, err);
	if (!f->ended)
		return err_set(err, ERR_INTERNAL, NULL, "the unpacking process talks nonsense");
	if (check_digest(f, err) < 0 || check_diff_id(f, err) < 0)
		return -1;
	tell_left_out(f);
	*ret_bytes = f->note.out.bytes;
	return 0;
}

static int spawn(struct feed *f, struct err *err)
{
	const int size = SOCKET_BUFFER;
	int blob[2], talk[2];
	pid_t self = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, blob) < 0)
		return err_sys(err, errno, "socketpair", "to the unpacking process");
	_close_ int blob_child = blob[1];
	f->blob_fd = blob[0];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) < 0)
		return err_sys(err, errno, "socketpair", "to the unpacking process");
	_close_ int talk_child = talk[1];
	f->talk_fd = talk[0];
	/* Fewer changes between the two; less is no fault. */
	(void)setsockopt(f->blob_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	f->pid = fork();
	if (f->pid < 0)
		return err_sys(err, errno, "fork", "the unpacking process");
	if (f->pid == 0)
		child(f->job, self, blob_child, talk_child);
	return 0;
}

static int unpack(struct feed *f, uint64_t *ret_bytes, struct err *err)
{
	const struct unpack_job *job = f->job;

	f->piece = malloc(BLOB_PIECE);
	if (!f->piece)
		return err_nomem(err);
	if (job->digest && !(f->digest = digest_new(job->digest)))
		return err_set(err, ERR_INVALID, NULL, "is no digest of a known kind");
	if (spawn(f, err) < 0 || feed_child(f, err) < 0)
		return -1;
	return conclude(f, ret_bytes, err);
}

int unpack_layer(const struct unpack_job *job, uint64_t *ret_bytes, struct err *err)
{
	struct feed f = { .job = job, .blob_fd = FD_NONE, .talk_fd = FD_NONE };
	int r = unpack(&f, ret_bytes, err);

	f.has_note = false;
	if (f.pid > 0)
		reap(&f);
	fd_close(f.blob_fd);
	fd_close(f.talk_fd);
	digest_free(f.digest);
	free(f.piece);
	return r < 0 ? err_in(err, "layer %s: ", blob_name(job)) : 0;
}

/* -- without a child ------------------------------------------------------------------------- */

struct memory {
	const char *p;
	size_t left;
};

static ssize_t fill_memory(void *arg, void *buf, size_t n, struct err *err)
{
	struct memory *m = arg;

	n = MIN(n, m->left);
	memcpy(buf, m->p, n);
	m->p += n;
	m->left -= n;
	return (ssize_t)n;
}

static int set_opaque(void *arg, int dir_fd, struct err *err)
{
	return unpack_set_opaque(dir_fd, err);
}

int unpack_memory(
	const void *p, size_t n, int root_fd, const struct unpack_limits *limits, struct err *err)
{
	struct memory m = { p, n };
	struct unpack_out out = { 0 };
	const struct unpack_in in = {
		.fill = fill_memory,
		.arg = &m,
		.root_fd = root_fd,
		.limits = limits,
		.opaque = set_opaque,
	};

	return unpack_tar(&in, &out, err);
}
