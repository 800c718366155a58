/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ctrctl and init say to each other: the packed plan, and the messages on the control socket
 * and the start gate. Fixed-size records, no pointers; both sides are built from this header by one
 * build, so there is no version.
 *
 * The plan is written behind init's own image in one sealed memfd (fresh for each container), and
 * init gets the fd's number and the plan's offset as argv[1] and argv[2] in decimal. It maps the
 * plan and closes the fd.
 *
 * Fds 0-2 must be open. A plan that is broken (offsets that reach out of the pool, unknown ops or
 * flags, a last step with STEP_ELSE) is refused as a whole: WIRE_ERROR with ENOEXEC, before the
 * first step.
 */
#ifndef INIT_WIRE_H
#define INIT_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC 0x316e6c70u /* "pln1" */

/*
 * Steps, in the order a container usually meets them. s1..s3 are texts or blobs in the string pool,
 * a..c numbers, fd an fd that init inherited (or -1). "target" = a path inside the container's
 * root, resolved with openat2(root, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS), EAGAIN retried 128
 * times. After the pivot root is "/". A list blob is NUL-terminated strings one after another; its
 * count is given beside it.
 */
enum wire_op {
	OP_NONE,
	/* -- talking to the parent -- */
	OP_GO,    /* wait for WIRE_GO on the control socket */
	OP_SYNC,  /* send WIRE_SYNC, wait for WIRE_GO. With STEP_SEND_TARGET: s1 = target directory,
		     opened  O_PATH|O_DIRECTORY and sent along (tmpcopyup) */
	OP_READY, /* clear PDEATHSIG, send WIRE_READY, wait for WIRE_GO (commit), close the control
		     socket. With STEP_KEEP_CTL (exec): keep the socket, CLOEXEC: errors of later
		     steps go there */
	OP_GATE,  /* fd = listening SOCK_SEQPACKET socket: accept, receive WIRE_START (with the
		     hook-output fd if it brings one);  later errors go to that connection, which is
		     CLOEXEC; the listener is closed. While it waits init holds  0-2, the preserved
		     fds and the listener; all else is closed, so later steps can't name other fds */
	/* -- namespaces -- */
	OP_SETNS,       /* setns(fd, a); fd is closed. a = CLONE_NEW* of the kind */
	OP_SETNS_PIDFD, /* setns(fd = pidfd, a = mask of kinds) */
	OP_UNSHARE,     /* unshare(a) */
	OP_FORK,    /* clone(a | CLONE_PARENT | SIGCHLD) : the child goes on with the next step; the
		       parent sends    WIRE_CHILD {value = pid as its clone returned it} and exits */
	OP_BE_ROOT, /* setresgid(0), setgroups(0 entries; EPERM tolerated with STEP_SOFT),
		       setresuid(0), PDEATHSIG again, clear ambient and inheritable: in a user
		       namespace whose maps exist */
	OP_NETLINK, /* socket(AF_NETLINK, NETLINK_ROUTE): send s1 (a bytes), receive acks until b of
		       them came, fail on an error answer: brings loopback up */
	OP_KEYRING, /* keyctl(JOIN_SESSION_KEYRING, s1). ENOSYS tolerated. With s2: label written to
		       attr/keycreate first */
	/* -- the root -- */
	OP_PROPAGATE, /* mount_setattr("/", AT_RECURSIVE when STEP_RECURSIVE, propagation a =
			 MS_SLAVE|MS_PRIVATE|...) in init's mount namespace, before the root is
			 attached. With s1: on that target instead */
	OP_ROOT, /* fd = detached tree: move_mount over "/"; fd becomes root. With STEP_IN_PLACE (no
		    own mount namespace, or a joined one): fd is an O_PATH directory and becomes
		    root as it is. With s1 (joined mount namespace): open s1 (absolute,
		    O_PATH|O_DIRECTORY) there instead of fd */
	OP_PROC, /* private procfs for the steps that write there: fsopen("proc") after the pid
		    namespace is entered, falling back to open_tree(CLONE) of the old root's /proc;
		    kept open until OP_PROC_DONE. b = 1: without subset=pid (needed for sysctl) */
	OP_PROC_DONE,
	OP_FSMOUNT, /* new file system: s1 = type, s2 = list of a key/value pairs (2*a strings;
		       value "" = flag), s3 = target, b = MOUNT_ATTR_ set, c = propagation (MS_*, 0
		       none). STEP_MAKE_DIR. STEP_OWN: with an existing target's mode */
	OP_ATTACH,  /* fd = detached mount: attach at s1. STEP_MAKE_DIR or STEP_MAKE_FILE; c =
		       propagation to set  before. STEP_NOFOLLOW: the last component must not be a
		       symlink. fd is closed */
	OP_BIND, /* inside the root: clone s1 (STEP_RECURSIVE) and attach it at s2 (s2 empty: over
		    itself), a = attributes to set, b = to clear, c = propagation. STEP_OPTIONAL:
		    absent target is success */
	OP_SETATTR,  /* mount_setattr on target s1: a set, b clear, c propagation, STEP_RECURSIVE */
	OP_RECONFIG, /* fspick target s1, apply s2 = list of a key/value pairs,
			FSCONFIG_CMD_RECONFIGURE */
	OP_MASK,     /* target s1, STEP_OPTIONAL: absent is success. File: fd = detached mount of a
			verified /dev/null;     directory: c = the number of another fd, a detached
			empty     read-only tmpfs. The first use attaches     the fd itself, the next
			ones     clone it.     Type decided by fstat of the target */
	OP_MKDIR,    /* target directory s1 with missing parents, mode a, STEP_OWN: owner b, group c
			for the last */
	OP_MKNOD,    /* node s2 in target directory s1 (made if missing): mode and type a, device b,
			owner c>>32, group c&0xffffffff;    an existing node must be of the same type
			and    device, else EEXIST */
	OP_SYMLINK,  /* link s2 in target directory s1, pointing to s3; an existing name is kept,
			unless STEP_REPLACE */
	OP_PIVOT,    /* fchdir(root), pivot_root(".","."), umount2(".", MNT_DETACH) until it fails,
			chdir("/"). STEP_CHROOT:    fchdir, chroot(".") instead. Closes root; targets
			are    then resolved from "/" */
	OP_CLOSE,    /* close(fd). STEP_SOFT: EBADF is success (a stand-in's fd that may have been
			used) */
	/* -- kernel settings -- */
	OP_HOSTNAME,   /* sethostname(s1, a) */
	OP_DOMAINNAME, /* setdomainname(s1, a) */
	OP_SYSCTL,     /* write s2 to s1 ("net/ipv4/ip_forward") beneath the private procfs' sys/ */
	OP_LABEL, /* write s2 to the first of the a names in list s1 that exists beneath the private
		     procfs
		     ("thread-self/attr/apparmor/exec"), read it back: must hold s3, else EPERM */
	/* -- terminal and standard fds -- */
	OP_SETSID,  /* setsid() */
	OP_CONSOLE, /* new pty from target "/dev/pts/ptmx" (devpts and 5:2 checked), unlocked, ONLCR
		       cleared, size a rows b columns (0: leave); peer by TIOCGPTPEER; master sent
		       with WIRE_CONSOLE (text = "/dev/pts/N"); STEP_BIND: peer attached on
		       /dev/console (an empty file is made when there is none; never through a
		       symlink); peer becomes 0, 1, 2 and the controlling terminal; owner set to a
		       uid with STEP_OWN: c>>32 */
	OP_STDIO,   /* for 0..2: a host /dev/null is replaced by the container's own (target
		       "/dev/null", if there); STEP_OWN: fchown to   uid a (EINVAL, EPERM, EROFS
		       tolerated), never for /dev/null */
	/* -- the process -- */
	OP_UMASK, /* the umask of the process and of hooks is a (set at the end; else the one init
		     was started with) */
	OP_PERSONALITY, /* personality(a) */
	OP_SCHED,       /* sched_setattr(0, s1 = struct sched_attr) */
	OP_IOPRIO,      /* ioprio_set(WHO_PROCESS, 0, a) */
	OP_AFFINITY,    /* sched_setaffinity(0, a bytes, s1) */
	OP_MEMPOLICY,   /* set_mempolicy(a, s1, b) */
	OP_RLIMIT, /* prlimit64(0, a, soft b, hard c): after the gate, since a low RLIMIT_NOFILE
		      would break the set-up; the parent has raised hard limits where that needs
		      CAP_SYS_RESOURCE */
	OP_HOME,   /* no HOME in the environment: target "/etc/passwd" (regular file, O_NONBLOCK, at
		      most 10 MiB, lines up to   4 KiB; others are skipped) names that of uid a, else
		      "/" (no file, no entry); HOME= is added to the   environment */
	OP_BOUNDING, /* drop from the bounding set every capability that isn't in mask a */
	OP_IDS,  /* PR_SET_KEEPCAPS, setgroups (c of them, s1 = uint32_t[]; STEP_KEEP_GROUPS: left
		    alone), setresgid(b),  setresuid(a), keepcaps off. Capabilities stay permitted
		    for  OP_CAPS */
	OP_CAPS, /* capset effective a, permitted b, inheritable c; read back */
	OP_AMBIENT, /* clear the ambient set, raise those of mask a; read back */
	OP_NNP,     /* PR_SET_NO_NEW_PRIVS */
	OP_CWD, /* chdir to s1 (made with missing parents: STEP_MAKE_DIR), getcwd must begin with
		   '/'. STEP_SOFT: EACCES is tolerated, the next OP_CWD then tries again; a done one
		   makes the next a no-op but for the getcwd check */
	OP_FIND_EXEC, /* the first of the a candidates in list s1 that is an executable file is
			 remembered; none: ENOENT, or EACCES when one existed but isn't executable
		       */
	OP_HOOK, /* run s1, argv = list s2 of (a & 0xffff), env = list s3 of (a >> 16); stdin: the
		    plan's state text with the pid put in; stdout and stderr to the hook-output fd;
		    b = timeout in ms (0 none), then its process group is killed: ETIMEDOUT. Other
		    failure: ECANCELED with `value` = wait status. c: pool offset of the state text
		    after the pid, 0: the plan's state_tail */
	OP_SECCOMP, /* seccomp(SECCOMP_SET_MODE_FILTER, a = flags, b instructions at s1). With the
		       NEW_LISTENER flag: write WIRE_NOTIFY {value = fd number}, read one message,
		       close the fd: plain read/write only. Before the filter is loaded all fds are
		       closed but 0-2, the preserved ones and the report socket, and the umask is
		       set: with the filter last, execve is the only system call that comes after it
		     */
	OP_EXEC, /* umask, close_range from the first fd not preserved (once: see OP_SECCOMP), then
		    execve of what OP_FIND_EXEC found */
	OP_N
};

enum wire_step_flags {
	STEP_OPTIONAL = 1 << 0,
	STEP_MAKE_DIR = 1 << 1,
	STEP_MAKE_FILE = 1 << 2,
	STEP_RECURSIVE = 1 << 3,
	STEP_NOFOLLOW = 1 << 4, /* wherever a target is named: no component of it may be a symlink.
				   Mounts on "/proc" and "/sys" have it always */
	STEP_OWN = 1 << 5,
	STEP_SOFT = 1 << 6,
	STEP_BIND = 1 << 7,
	STEP_CHROOT = 1 << 8,
	STEP_IN_PLACE = 1 << 9,
	STEP_SEND_TARGET = 1 << 10,
	STEP_KEEP_CTL = 1 << 11,
	STEP_REPLACE = 1 << 12,
	STEP_KEEP_GROUPS = 1 << 13,
	STEP_ELSE = 1 << 14, /* the next step is this one's stand-in: run only when this one fails
				with EPERM, EBUSY or EINVAL (then that failure is forgotten),
				skipped otherwise. Chains. */
};

struct wire_step {
	uint16_t op, flags;
	int32_t fd;
	uint32_t s1, s2, s3, pad; /* offsets into the string pool; 0 = the empty text */
	uint64_t a, b, c;
};

struct wire_plan {
	uint32_t magic;
	uint32_t size; /* of the whole plan in bytes */
	uint32_t n_steps;
	uint32_t strings;  /* offset of the string pool from the plan's begin; its first byte is NUL
			    */
	int32_t ctl_fd;    /* control socket, SOCK_SEQPACKET */
	int32_t trace_fd;  /* -1, or a shared memfd of n_steps + 1 uint64_t: CLOCK_MONOTONIC ns at
			      the begin of each step */
	int32_t hook_fd;   /* -1, or where createContainer hooks write */
	uint32_t preserve; /* fds 3 .. 3+preserve-1 reach the process */
	uint32_t argv, argc; /* list in the string pool */
	uint32_t envp, envc;
	uint32_t state_head, state_tail; /* hook state: text before and after the pid's digits */
	struct wire_step step[];
};

enum wire_kind {
	WIRE_GO = 1,  /* parent -> init */
	WIRE_START,   /* starter -> init, on the gate */
	WIRE_SYNC,    /* init -> parent: value = 0 */
	WIRE_CHILD,   /* init -> parent: value = pid */
	WIRE_CONSOLE, /* init -> parent, with one fd; text = path of the pty in the container */
	WIRE_NOTIFY,  /* init -> parent: value = fd number in init */
	WIRE_READY,   /* init -> parent */
	WIRE_ERROR,   /* init -> parent or starter */
};

struct wire_msg {
	uint32_t kind;
	uint32_t step; /* index of the step that speaks */
	int32_t err;   /* errno of a WIRE_ERROR */
	uint32_t call; /* __NR_ of the system call that failed */
	int64_t value;
	char text[104]; /* detail: the kernel's own words from a file system context, a path;
			   NUL-terminated */
};

#endif
