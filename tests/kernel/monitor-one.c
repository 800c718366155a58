/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A monitor of a plain process instead of a container's: for what a test can't arrange with one.
 *
 * usage: monitor-one [OPTION...] DATA RUN COMMAND [ARG...]
 *
 *   DATA, RUN        folders for exit.json and for the socket
 *   --log DIR PATH   keep a log
 *   --max N FILES    rotate it
 *   --events DIR     has a file memory.events
 *   --owner UID      of the streams
 *   --tty, --stdin, --stdin-once
 *   --gate           the command begins when somebody has opened the fifo RUN/gate for writing
 *   --fail           make() fails
 *
 * Prints the pids of the monitor and of the command.
 */
#include "base/log.h"
#include "base/proc.h"
#include "flow/monitor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

struct one {
	struct monitor_setup setup;
	const char *run, *events;
	char **command;
	bool gate, fail;
	pid_t *pids; /* shared memory */
};

static void take_terminal(int slave)
{
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(slave, i);
}

static int make(void *arg, struct ctr_attach *attach, pid_t *ret_init, int *ret_run_fd,
	int *ret_cgroup_fd, struct err *err)
{
	struct one *o = arg;
	int slave = -1;
	pid_t pid;

	if (o->fail) {
		log_warn("this comes from the monitor");
		return err_set(err, ERR_EXISTS, "the object", "make was told to fail");
	}
	*ret_run_fd = open(o->run, O_DIRECTORY | O_CLOEXEC);
	if (o->events)
		*ret_cgroup_fd = open(o->events, O_DIRECTORY | O_CLOEXEC);
	if (attach->ret_console) {
		*attach->ret_console = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		unlockpt(*attach->ret_console);
		slave = ioctl(*attach->ret_console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "fork", NULL);
	if (pid == 0) {
		if (slave >= 0)
			take_terminal(slave);
		/* As in a container's init, nothing but the streams stays open. */
		if (dup2(*ret_run_fd, 3) < 0 || close_range(4, ~0U, 0) < 0)
			_exit(98);
		if (o->gate && openat(3, "gate", O_RDONLY | O_CLOEXEC) < 0)
			_exit(98);
		fcntl(3, F_SETFD, FD_CLOEXEC);
		if (o->setup.stream_uid && setuid(o->setup.stream_uid) < 0)
			_exit(97);
		execvp(o->command[0], o->command);
		_exit(99);
	}
	o->pids[0] = getpid();
	o->pids[1] = *ret_init = pid;
	return 0;
}

static char **options(struct one *o, char **at)
{
	for (; *at && at[0][0] == '-'; at++) {
		if (strcmp(*at, "--log") == 0 && at[1] && at[2]) {
			o->setup.log_dir = *++at;
			o->setup.log_path = *++at;
		} else if (strcmp(*at, "--max") == 0 && at[1] && at[2]) {
			o->setup.log_max_bytes = strtoull(*++at, NULL, 10);
			o->setup.log_max_files = (uint32_t)strtoul(*++at, NULL, 10);
		} else if (strcmp(*at, "--events") == 0 && at[1]) {
			o->events = *++at;
		} else if (strcmp(*at, "--owner") == 0 && at[1]) {
			o->setup.stream_uid = (uint32_t)strtoul(*++at, NULL, 10);
		} else if (strcmp(*at, "--tty") == 0) {
			o->setup.tty = true;
		} else if (strcmp(*at, "--stdin") == 0) {
			o->setup.stdin_ = true;
		} else if (strcmp(*at, "--stdin-once") == 0) {
			o->setup.stdin_ = o->setup.stdin_once = true;
		} else if (strcmp(*at, "--gate") == 0) {
			o->gate = true;
		} else if (strcmp(*at, "--fail") == 0) {
			o->fail = true;
		} else {
			exit(2);
		}
	}
	return at;
}

int main(int argc, char **argv)
{
	struct one o = { .setup = { .id = "one" } };
	struct err err = ERR_INIT;
	char **at = options(&o, argv + 1);

	if (argc < 3 || !at[0] || !at[1] || !at[2])
		return 2;
	o.setup.data_fd = open(at[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o.run = at[1];
	o.command = at + 2;
	o.pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (o.setup.data_fd < 0 || o.pids == MAP_FAILED)
		return 2;
	if (monitor_begin(&o.setup, make, &o, &err) < 0) {
		log_failure(&err);
		return 1;
	}
	printf("%d %d\n", (int)o.pids[0], (int)o.pids[1]);
	return 0;
}
