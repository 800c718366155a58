/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

enum { LIFETIME_S = 60 };

#ifndef FAKE_NAME
#define FAKE_NAME fake_backend
#endif

enum fake_stage fake_fail;
int fake_poststops;

static int pass(enum fake_stage stage, struct err *err)
{
	const char *env = getenv("FAKE_FAIL");

	if (fake_fail != stage && (!env || strtol(env, NULL, 10) != (long)stage))
		return 0;
	fake_fail = FAKE_NONE;
	return err_set(err, ERR_SYSTEM, NULL, "stage %d fails as told", (int)stage);
}

static int probe(struct err *err)
{
	return pass(FAKE_PROBE, err) < 0 ? 0 : 1;
}

static int check(const struct ctr_input *in, struct err *err)
{
	(void)in;
	return pass(FAKE_CHECK, err);
}

/* ---- the process ---- */

static void _noreturn_ child(int dir_fd, const struct oci_process *p, int slave)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	char **argv = calloc(p->n_args + 1, sizeof(*argv));
	sigset_t none;

	alarm(LIFETIME_S);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (slave >= 0)
		login_tty(slave);
	while (dir_fd >= 0 && faccessat(dir_fd, "gate", F_OK, 0) == 0)
		nanosleep(&pause, NULL);
	for (size_t i = 0; argv && i < p->n_args; i++)
		argv[i] = strdup(p->args[i]);
	if (argv)
		execvp(argv[0], argv);
	_exit(127);
}

static pid_t run(
	int dir_fd, const struct oci_process *p, const struct ctr_attach *a, struct err *err)
{
	int master = -1, slave = -1;
	pid_t pid;

	if (p->terminal && openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return err_sys(err, errno, "openpty", NULL);
	pid = fork();
	if (pid == 0) {
		if (master >= 0)
			close(master);
		child(dir_fd, p, slave);
	}
	if (slave >= 0)
		close(slave);
	if (master >= 0 && a->ret_console)
		*a->ret_console = master;
	else if (master >= 0 && fd_send(a->console_socket, "/dev/pts/0", 10, &master, 1) < 0)
		return err_sys(err, errno, "send", "console socket");
	return pid;
}

static int create(const struct ctr_input *in, struct ctr_record *rec, const struct ctr_save *save,
	struct err *err)
{
	char cgroup[] = "/fake"; /* gone after this call, as a backend's own arena is */
	struct proc_stat st;

	if (pass(FAKE_CREATE, err) < 0)
		return -1;
	rec->cgroup = cgroup;
	rec->cgroup_made = true;
	if (save->fn(save->arg, rec, err) < 0 || pass(FAKE_SAVED, err) < 0)
		return -1;
	fd_close(openat(in->dir_fd, "gate", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (pass(FAKE_FILE, err) < 0)
		return -1;
	rec->pid = run(in->dir_fd, in->spec->process, &in->attach, err);
	if (rec->pid < 0 || proc_stat(rec->pid, &st, err) != 1)
		return -1;
	rec->start_time = st.start_time;
	if (pass(FAKE_PROCESS, err) < 0)
		return -1;
	rec->phase = CTR_CREATED;
	if (save->fn(save->arg, rec, err) < 0)
		return -1;
	memset(cgroup, 'x', sizeof(cgroup) - 1);
	return pass(FAKE_RECORDED, err);
}

static int alive(const struct ctr_record *rec)
{
	struct err err = ERR_INIT;

	return rec->pid > 0 && proc_is_alive(rec->pid, rec->start_time, &err) == 1;
}

static bool is_paused(const struct ctr_record *rec)
{
	_free_ char *path = strf("%s/paused", rec->bundle);

	return path && access(path, F_OK) == 0;
}

static int status(const struct ctr_record *rec, int dir_fd, enum ctr_status *ret, struct err *err)
{
	(void)err;
	if (!alive(rec))
		*ret = CTR_STOPPED;
	else if (is_paused(rec))
		*ret = CTR_PAUSED;
	else
		*ret = faccessat(dir_fd, "gate", F_OK, 0) == 0 ? CTR_CREATED : CTR_RUNNING;
	return 0;
}

static int start(const struct ctr_record *rec, int dir_fd, const struct oci_spec *spec,
	struct ctr_trace *trace, struct err *err)
{
	(void)rec;
	(void)spec;
	(void)trace;
	if (pass(FAKE_START, err) < 0)
		return -1;
	return unlinkat(dir_fd, "gate", 0) < 0 ? err_sys(err, errno, "unlink", "gate") : 0;
}

static int send_signal(
	const struct ctr_record *rec, int dir_fd, int signo, bool all, struct err *err)
{
	(void)all;
	if (!alive(rec) || kill(rec->pid, signo) < 0)
		return err_set(err, ERR_STATE, NULL, "container not running");
	return 0;
}

static int destroy(const struct ctr_record *rec, int dir_fd, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (pass(FAKE_DESTROY, err) < 0)
		return -1;
	if (alive(rec))
		kill(rec->pid, SIGKILL);
	while (alive(rec))
		nanosleep(&pause, NULL);
	if (rec->pid > 0)
		waitpid(rec->pid, NULL, WNOHANG);
	unlinkat(dir_fd, "gate", 0);
	return 0;
}

static int exec(const struct ctr_record *rec, const struct ctr_exec *x, pid_t *ret, struct err *err)
{
	(void)rec;
	*ret = run(-1, x->process, &x->attach, err);
	return *ret < 0 ? -1 : 0;
}

static int freeze(const struct ctr_record *rec, struct err *err)
{
	_free_ char *path = strf("%s/paused", rec->bundle);

	(void)err;
	fd_close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	return 0;
}

static int thaw(const struct ctr_record *rec, struct err *err)
{
	_free_ char *path = strf("%s/paused", rec->bundle);

	return unlink(path) < 0 ? err_sys(err, errno, "unlink", "%s", path) : 0;
}

static int update(
	const struct ctr_record *rec, int dir_fd, const struct oci_resources *r, struct err *err)
{
	FILE *f;
	_free_ char *path = strf("%s/updated", rec->bundle);

	f = path ? fopen(path, "we") : NULL;
	if (!f)
		return err_sys(err, errno, "open", "updated");
	if (r->memory && r->memory->limit)
		fprintf(f, "memory %lld\n", (long long)*r->memory->limit);
	if (r->memory && r->memory->swap)
		fprintf(f, "swap %lld\n", (long long)*r->memory->swap);
	if (r->cpu && r->cpu->shares)
		fprintf(f, "shares %llu\n", (unsigned long long)*r->cpu->shares);
	if (r->pids)
		fprintf(f, "pids %lld\n", (long long)r->pids->limit);
	fclose(f);
	return 0;
}

static int pids(const struct ctr_record *rec, pid_t **ret, size_t *ret_n, struct err *err)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_nomem(err);
	**ret = rec->pid;
	*ret_n = alive(rec);
	return 0;
}

static int explain(const struct ctr_input *in, char **ret, struct err *err)
{
	*ret = strf("run %s\n", in->spec->process->args[0]);
	return *ret ? 0 : err_nomem(err);
}

static void after(const struct ctr_record *rec, const struct oci_spec *spec)
{
	(void)rec;
	(void)spec;
	fake_poststops++;
}

const struct ctr_backend FAKE_NAME = {
	.name = "fake",
	.probe = probe,
	.check = check,
	.create = create,
	.start = start,
	.signal = send_signal,
	.status = status,
	.destroy = destroy,
	.exec = exec,
	.pause = freeze,
	.resume = thaw,
	.update = update,
	.pids = pids,
	.explain = explain,
	.after = after,
};
