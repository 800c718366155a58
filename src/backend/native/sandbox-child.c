/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that is cloned into all new namespaces of a pod, sets up what they hold, and lives
 * until they are pinned. Where the pod shares its pid namespace it then executes the pause.
 *
 * It is alone in its namespaces, a copy of ctrctl, and ends when its maker does: each of its waits
 * is a read of a socket whose other end only the maker has.
 */
#include "backend/native/clone.h"
#include "backend/native/net-message.h"
#include "backend/native/sandbox.h"
#include "backend/native/userns.h"
#include "base/path.h"
#include "base/sys.h"
#include "model/cri.h"

#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/netlink.h>

struct birth {
	const struct sandbox_make *make;
	int own, makers;
};

/* ---- in the child ---- */

static int be_root(struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, errno, "setresuid", "root of the pod's user namespace");
	return 0;
}

static int raise_loopback(struct err *err)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
		char more[512];
	} answer;
	_close_ int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (sock < 0)
		return err_sys(err, errno, "socket", "rtnetlink");
	if (send(sock, net_message_loopback, sizeof(net_message_loopback), MSG_NOSIGNAL) < 0)
		return err_sys(err, errno, "send", "rtnetlink: lo up");
	ssize_t n = recv(sock, &answer, sizeof(answer), 0);
	if (n < 0)
		return err_sys(err, errno, "recv", "rtnetlink: lo up");
	if ((size_t)n < sizeof(answer.head) + sizeof(answer.body) ||
		answer.head.nlmsg_type != NLMSG_ERROR)
		return err_set(err, ERR_SYSTEM, "rtnetlink", "no answer to \"lo up\"");
	return answer.body.error ? err_sys(err, -answer.body.error, "RTM_NEWLINK", "lo") : 0;
}

/* The words of the kernel for ENOENT and EACCES are avoided: engines would take them for a
 * statement about a container's program. */
static int sysctl_error(int os, const struct sandbox_sysctl *s, struct err *err)
{
	if (os == ENOENT)
		return err_set(err, ERR_UNSUPPORTED, NULL, "this kernel has no such setting");
	if (os == EACCES || os == EPERM)
		return err_set(err, ERR_DENIED, NULL, "the pod's namespaces may not change it");
	if (os == EINVAL || os == ERANGE)
		return err_set(err, ERR_INVALID, NULL, "the kernel refuses the value \"%.100s\"",
			s->value);
	return err_sys(err, os, "write", "%s", s->path);
}

static int write_sysctl(int proc, const struct sandbox_sysctl *s, struct arena *a, struct err *err)
{
	struct err failed = ERR_INIT;
	const char *path = arena_printf(a, "sys/%s", s->path);
	_close_ int fd =
		path ? path_open_beneath(proc, path, O_WRONLY | O_NOFOLLOW, &failed) : FD_NONE;

	if (!path)
		return err_nomem(err);
	if (fd < 0 && !s->asked && failed.os == ENOENT)
		return 0;
	if (fd < 0 || write(fd, s->value, strlen(s->value)) < 0) {
		sysctl_error(fd < 0 ? failed.os : errno, s, err);
		return err_in(err, "linux.sysctls[\"%.200s\"]", s->key);
	}
	return 0;
}

/* A root filesystem with nothing in it, in the mount namespace that was made for it. */
static int empty_root(struct err *err)
{
	_close_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
	_close_ int root = FD_NONE;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, errno, "mount", "slave mounts of the pause");
	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "pause", 0) < 0 ||
		sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
		sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
		sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsopen", "tmpfs for the pause");
	root = sys_fsmount(fs, FSMOUNT_CLOEXEC,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0 || sys_move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "root of the pause");
	if (fchdir(root) < 0 || sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
		chdir("/") < 0)
		return err_sys(err, errno, "pivot_root", "root of the pause");
	return 0;
}

static int set_up(const struct sandbox_make *m, struct err *err)
{
	const char *name = m->rec->hostname;

	if ((m->ns & CLONE_NEWUSER) && be_root(err) < 0)
		return -1;
	if ((m->ns & CLONE_NEWUTS) && name && sethostname(name, strlen(name)) < 0)
		return err_sys(err, errno, "sethostname", "%s", name);
	if ((m->ns & CLONE_NEWNET) && raise_loopback(err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_sysctls; i++)
		if (write_sysctl(m->proc, &m->sysctls[i], m->arena, err) < 0)
			return -1;
	if (m->pause < 0)
		return 0;
	if (setsid() < 0)
		return err_sys(err, errno, "setsid", "pause");
	return empty_root(err);
}

/* Root gets back by an exec what its bounding and inheritable sets hold: nothing. */
static int drop_caps(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		syscall(SYS_capget, &head, data) < 0)
		return -1;
	data[0].inheritable = data[1].inheritable = 0;
	return (int)syscall(SYS_capset, &head, data);
}

static int become_pause(int image, struct err *err)
{
	char *argv[] = { (char[]){ "ctrctl-pause" }, NULL };
	char *envp[] = { NULL };
	sigset_t all;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || drop_caps() < 0)
		return err_sys(err, errno, "capset", "pause");
	sys_execveat(image, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(err, errno, "execveat", "pause");
}

static int told(int socket)
{
	char word;

	return recv(socket, &word, 1, 0) == 1;
}

static int say(int socket, const struct err *err)
{
	return send(socket, err, sizeof(*err), MSG_NOSIGNAL) == (ssize_t)sizeof(*err) ? 0 : 1;
}

static int child_main(void *arg)
{
	const struct birth *b = arg;
	struct err err = ERR_INIT;

	close(b->makers);
	if (!told(b->own))
		return 1;
	if (set_up(b->make, &err) < 0) {
		(void)say(b->own, &err);
		return 1;
	}
	if (say(b->own, &err) != 0 || !told(b->own))
		return 1;
	if (b->make->pause < 0)
		return 0;
	(void)become_pause(b->make->pause, &err);
	(void)say(b->own, &err);
	return 1;
}

/* ---- outside ---- */

static int clone_failed(int os, const struct sandbox_make *m, struct err *err)
{
	err_sys(err, os, "clone3", "the pod's namespaces");
	if (os == ENOSPC)
		return err_hint(err, "a limit of /proc/sys/user/max_*_namespaces is reached");
	if (os == EAGAIN)
		return err_hint(err, "pids.max or RLIMIT_NPROC is reached");
	if (os == EINVAL && (m->ns & CLONE_NEWUSER))
		return err_hint(err, "user namespaces may be switched off on this host");
	return -1;
}

/* What it said: 0 all is well (or, with `to_end`, it hung up), -1 with its err. */
static int listen_to(const struct sandbox_child *c, bool to_end, struct err *err)
{
	struct err said;
	ssize_t n;

	do
		n = recv(c->socket, &said, sizeof(said), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "recv", "the pod's first process");
	if (n == 0 && to_end)
		return 0;
	if (n != (ssize_t)sizeof(said))
		return err_set(err, ERR_SYSTEM, NULL, "the pod's first process died");
	if (said.code == ERR_NONE)
		return 0;
	*err = said;
	return -1;
}

static int tell(const struct sandbox_child *c, struct err *err)
{
	return send(c->socket, "", 1, MSG_NOSIGNAL) == 1
		       ? 0
		       : err_set(err, ERR_SYSTEM, NULL, "the pod's first process died");
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void sandbox_child_kill(struct sandbox_child *c)
{
	c->socket = fd_close(c->socket);
	if (c->pid > 0) {
		kill(c->pid,
			SIGKILL); /* a child of ours that wasn't waited for: the number is its */
		reap(c->pid);
	}
	c->pid = 0;
}

/* Maps of the new user namespace; identity of the one that CRI allows. */
static int write_maps(const struct sandbox_make *m, pid_t pid, struct err *err)
{
	const struct cri_user_namespace *u = cri_pod_namespaces(m->rec->config)->userns_options;
	const struct cri_id_mapping *from[] = { u->uids, u->gids };
	const size_t n[] = { u->n_uids, u->n_gids };
	struct oci_id_map *to[2];

	for (int k = 0; k < 2; k++) {
		to[k] = arena_array(m->arena, n[k], sizeof(*to[k]));
		if (!to[k])
			return err_nomem(err);
		for (size_t i = 0; i < n[k]; i++)
			to[k][i] = (struct oci_id_map){ from[k][i].container_id, from[k][i].host_id,
				from[k][i].length };
	}
	return userns_write_maps(pid, to[0], n[0], to[1], n[1], err);
}

int sandbox_child_start(const struct sandbox_make *m, struct sandbox_child *ret, struct err *err)
{
	struct birth b = { .make = m };
	struct clone_args args = { .flags = m->ns | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	int pair[2];

	*ret = (struct sandbox_child)SANDBOX_CHILD_INIT;
	if (m->pause >= 0)
		args.flags |= CLONE_NEWNS | CLONE_NEWCGROUP;
	if (m->pause_group.fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)m->pause_group.fd;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair", "the pod's first process");
	b.makers = ret->socket = pair[0];
	b.own = pair[1];
	ret->pid = clone_call(&args, child_main, &b);
	int os = errno;
	close(b.own);
	if (ret->pid < 0) {
		sandbox_child_kill(ret);
		return clone_failed(os, m, err);
	}
	if (((m->ns & CLONE_NEWUSER) && write_maps(m, ret->pid, err) < 0) || tell(ret, err) < 0 ||
		listen_to(ret, false, err) < 0) {
		sandbox_child_kill(ret);
		return -1;
	}
	return 0;
}

int sandbox_child_release(const struct sandbox_make *m, struct sandbox_child *c, struct err *err)
{
	if (tell(c, err) < 0 || listen_to(c, true, err) < 0) {
		sandbox_child_kill(c);
		return -1;
	}
	c->socket = fd_close(c->socket);
	if (m->pause < 0)
		reap(c->pid);
	c->pid = 0;
	return 0;
}
