/* SPDX-License-Identifier: Apache-2.0 */
/* The device program in the kernel: loading, attaching, replacing. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroup.h"
#include "devices.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	LOG_FIRST = 64 << 10,
	LOG_LAST = 16 << 20,
	ATTACHED_MAX = 64, /* programs on one group: the kernel's own limit */
};

/* By this a program is known as ours when it is to be replaced. */
static const char program_name[BPF_OBJ_NAME_LEN] = "ctrctl_devices";

static int bpf(int cmd, union bpf_attr *attr)
{
	int r;

	do
		r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
	while (r < 0 && errno == EAGAIN);
	return r;
}

static int load_once(const struct device_program *p, char *log, uint32_t log_size)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.expected_attach_type = BPF_CGROUP_DEVICE;
	a.insns = (uintptr_t)p->insns;
	a.insn_cnt = (uint32_t)p->n;
	a.license = (uintptr_t) "Apache-2.0";
	memcpy(a.prog_name, program_name, sizeof(program_name));
	if (log) {
		a.log_level = 1;
		a.log_buf = (uintptr_t)log;
		a.log_size = log_size;
		log[0] = '\0';
	}
	return bpf(BPF_PROG_LOAD, &a);
}

/* Before Linux 5.11 programs count as locked memory. */
static bool raise_memlock(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_MEMLOCK, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
		return false;
	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }) == 0)
		return true;
	return l.rlim_cur < l.rlim_max &&
	       setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ l.rlim_max, l.rlim_max }) == 0;
}

/* The last line that says something. */
static const char *last_line(char *log)
{
	size_t n = strlen(log);
	char *p;

	while (n && log[n - 1] == '\n')
		log[--n] = '\0';
	p = strrchr(log, '\n');
	return p ? p + 1 : log;
}

/* Once more, with the verifier's log; a log that doesn't fit fails by itself, so it grows. */
static int load_with_log(const struct device_program *p, int os, struct err *err)
{
	for (uint32_t size = LOG_FIRST; size <= LOG_LAST; size *= 4) {
		_free_ char *log = malloc(size);
		if (!log)
			return err_set(
				err, ERR_EXHAUSTED, NULL, "out of memory for the verifier's log");
		int fd = load_once(p, log, size);
		if (fd >= 0)
			return fd;
		if (errno == ENOSPC)
			continue;
		os = errno;
		if (!*log)
			break;
		return err_set(err, ERR_UNSUPPORTED, "device program",
			"the kernel refuses it (%s): %s", err_errno_name(os), last_line(log));
	}
	if (os == EPERM || os == EACCES) {
		err_set(err, ERR_DENIED, "device program", "loading it is refused (%s)",
			err_errno_name(os));
		return err_hint(err, "loading a device program needs CAP_BPF or CAP_SYS_ADMIN");
	}
	return err_sys(err, os, "bpf", "BPF_PROG_LOAD, %zu instructions", p->n);
}

int devices_load(const struct device_program *p, struct err *err)
{
	int fd = load_once(p, NULL, 0);

	if (fd < 0 && errno == EPERM && raise_memlock())
		fd = load_once(p, NULL, 0);
	return fd >= 0 ? fd : load_with_log(p, errno, err);
}

/* ---- attaching ---- */

static int program_by_id(uint32_t id)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_id = id;
	return bpf(BPF_PROG_GET_FD_BY_ID, &a);
}

static bool is_ours(int fd)
{
	struct bpf_prog_info info;
	union bpf_attr a;

	memset(&info, 0, sizeof(info));
	memset(&a, 0, sizeof(a));
	a.info.bpf_fd = (uint32_t)fd;
	a.info.info_len = sizeof(info);
	a.info.info = (uintptr_t)&info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &a) == 0 && info.type == BPF_PROG_TYPE_CGROUP_DEVICE &&
	       strncmp(info.name, program_name, sizeof(info.name)) == 0;
}

static int attach_error(struct err *err, int os, const char *op)
{
	if (os == EPERM) {
		err_set(err, ERR_DENIED, "device program", "%s is refused (EPERM)", op);
		return err_hint(err,
			"a group above may have a device program that allows none beneath it, or CAP_BPF and CAP_NET_ADMIN are missing");
	}
	return err_sys(err, os, "bpf", "%s", op);
}

static int detach(int cgroup_fd, int prog_fd)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)cgroup_fd;
	a.attach_bpf_fd = (uint32_t)prog_fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	return bpf(BPF_PROG_DETACH, &a);
}

/* The fds of our programs on the group: at most max; how many, or -1. */
static int find_ours(int cgroup_fd, int *fds, int max, struct err *err)
{
	uint32_t ids[ATTACHED_MAX];
	union bpf_attr a;
	int n = 0;

	memset(&a, 0, sizeof(a));
	a.query.target_fd = (uint32_t)cgroup_fd;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uintptr_t)ids;
	a.query.prog_cnt = ATTACHED_MAX;
	if (bpf(BPF_PROG_QUERY, &a) < 0)
		return attach_error(err, errno, "BPF_PROG_QUERY");
	for (uint32_t i = 0; i < a.query.prog_cnt && n < max; i++) {
		int fd = program_by_id(ids[i]);
		if (fd >= 0 && is_ours(fd))
			fds[n++] = fd;
		else
			fd_close(fd);
	}
	return n;
}

int devices_attach(int cgroup_fd, int prog_fd, bool fresh, struct err *err)
{
	int old[ATTACHED_MAX], n = 0, r = 0;
	union bpf_attr a;

	if (!fresh && (n = find_ours(cgroup_fd, old, ATTACHED_MAX, err)) < 0)
		return -1;
	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)cgroup_fd;
	a.attach_bpf_fd = (uint32_t)prog_fd;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (n == 1) {
		a.attach_flags |= BPF_F_REPLACE;
		a.replace_bpf_fd = (uint32_t)old[0];
	}
	if (bpf(BPF_PROG_ATTACH, &a) < 0)
		r = attach_error(err, errno, "BPF_PROG_ATTACH");
	/* More than one is left of an interrupted call: with the new one in force they only
	 * restrict. */
	for (int i = 0; i < n; i++) {
		if (r == 0 && n > 1 && detach(cgroup_fd, old[i]) < 0 && errno != ENOENT)
			r = attach_error(err, errno, "BPF_PROG_DETACH");
		fd_close(old[i]);
	}
	return r;
}

int cgroup_devices(
	const struct cgroup *cg, const struct oci_device_rule *rules, size_t n, struct err *err)
{
	_arena_ struct arena *arena = arena_new();
	struct device_program p = { 0 };
	_close_ int fd = FD_NONE;

	if (!arena)
		return err_nomem(err);
	if (devices_compile(rules, n, arena, &p, err) < 0)
		return -1;
	if (p.allows_all && cg->created)
		return 0; /* nothing to forbid, and nothing that an earlier program forbids */
	fd = devices_load(&p, err);
	if (fd < 0)
		return -1;
	return devices_attach(cg->fd, fd, cg->created, err);
}
