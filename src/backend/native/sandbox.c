/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods on this kernel. Their namespaces are kept by bind mounts of their files; all mounts of a pod
 * lie on one private mount of its run folder, which neither propagates nor is copied by recursive
 * binds, and which goes with all that is on it by one umount.
 *
 * The pod's cgroup holds groups only: the containers', and the pause's.
 */
#include "backend/native/sandbox.h"

#include "base/log.h"
#include "base/memfile.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/sys.h"
#include "model/cri.h"
#include "model/oci.h"
#include "pause/image.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

enum { SHM_BYTES = 64 << 20, PAUSE_OOM_SCORE = -998, KILL_TIMEOUT_MS = 10000, ID_SHORT = 12 };

/* The mark of a group that was made for pods. */
#define POD_OWNER "pods"

/* User first: it owns the others. */
static const int pinned[] = { OCI_NS_USER, OCI_NS_NETWORK, OCI_NS_IPC, OCI_NS_UTS, OCI_NS_PID };

/* ---- what the config asks for ---- */

static uint64_t namespaces_of(const struct cri_pod_sandbox_config *config)
{
	const struct cri_namespace_option *o = cri_pod_namespaces(config);
	uint64_t ns = 0;

	if (o->network != CRI_NS_NODE)
		ns |= CLONE_NEWNET | CLONE_NEWUTS;
	if (o->ipc != CRI_NS_NODE)
		ns |= CLONE_NEWIPC;
	if (o->pid == CRI_NS_POD)
		ns |= CLONE_NEWPID;
	if (o->userns_options && o->userns_options->mode == CRI_NS_POD)
		ns |= CLONE_NEWUSER;
	return ns;
}

/* ---- the run folder ---- */

static int make_folder(struct sandbox_make *m, int run_fd, struct err *err)
{
	const struct mount_attr alone = { .propagation = MS_UNBINDABLE };

	m->folder = sys_open_tree(
		run_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);
	if (m->folder < 0)
		return err_sys(err, errno, "open_tree", "%s", m->rec->run_folder);
	if (sys_move_mount(m->folder, "", run_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "%s", m->rec->run_folder);
	/* Not before: what is attached to a shared mount becomes shared. */
	if (sys_mount_setattr(m->folder, "", AT_EMPTY_PATH, &alone) < 0)
		return err_sys(err, errno, "mount_setattr", "%s", m->rec->run_folder);
	return 0;
}

static int make_shm(struct sandbox_make *m, struct err *err)
{
	const struct cri_user_namespace *u = cri_pod_namespaces(m->rec->config)->userns_options;
	_close_ int fs = FD_NONE, mnt = FD_NONE;
	char size[16], uid[16] = "0", gid[16] = "0";

	if (!(m->ns & CLONE_NEWIPC))
		return 0;
	/* One mapping each, of the pod's root: the model's rule. */
	if (m->ns & CLONE_NEWUSER) {
		snprintf(uid, sizeof(uid), "%u", u->n_uids ? u->uids->host_id : 0);
		snprintf(gid, sizeof(gid), "%u", u->n_gids ? u->gids->host_id : 0);
	}
	snprintf(size, sizeof(size), "%d", SHM_BYTES);
	const char *const options[][2] = { { "source", "shm" }, { "size", size },
		{ "mode", "1777" }, { "uid", uid }, { "gid", gid } };
	fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return err_sys(err, errno, "fsopen", "tmpfs for /dev/shm");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (sys_fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
			return err_sys(err, errno, "fsconfig", "/dev/shm: %s=%s", options[i][0],
				options[i][1]);
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsconfig", "/dev/shm");
	mnt = sys_fsmount(
		fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		return err_sys(err, errno, "fsmount", "/dev/shm");
	if (mkdirat(m->folder, "shm", 0700) < 0)
		return err_sys(err, errno, "mkdir", "shm");
	if (sys_move_mount(mnt, "", m->folder, "shm", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "/dev/shm of the pod");
	m->rec->shm = arena_printf(m->arena, "%s/shm", m->rec->run_folder);
	return m->rec->shm ? 0 : err_nomem(err);
}

/* ---- cgroups ---- */

/* Our own, named after the pod: nothing of others can be in it. */
static char *own_cgroup(const char *id, struct arena *a)
{
	return arena_printf(a, "/ctrctl-pod-%.*s", ID_SHORT, id);
}

static const char *pause_cgroup(
	const struct ctr_sandbox_record *rec, struct arena *a, struct err *err)
{
	const char *path = arena_printf(a, "%s/ctrctl-pause-%.*s", rec->cgroup, ID_SHORT, rec->id);

	if (!path)
		err_nomem(err);
	return path;
}

/* The parent that the config names is the pod's group: who gives one makes one for each pod. */
static const char *pod_cgroup(const struct sandbox_make *m, struct err *err)
{
	const struct ctr_sandbox_record *rec = m->rec;
	const char *parent = rec->config->linux_ ? rec->config->linux_->cgroup_parent : NULL;
	const char *path;

	if (!parent || !*parent || str_eq(parent, "/"))
		path = own_cgroup(rec->id, m->arena);
	else
		path = arena_printf(m->arena, "%s%s", *parent == '/' ? "" : "/", parent);
	if (!path) {
		err_nomem(err);
		return NULL;
	}
	path = cgroup_path(path, rec->id, m->arena, err);
	if (!path)
		err_in(err, "linux.cgroup_parent");
	return path;
}

static int make_cgroup(struct sandbox_make *m, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;
	struct ctr_sandbox_record *rec = m->rec;
	struct err absent = ERR_INIT;

	rec->cgroup = pod_cgroup(m, err);
	if (!rec->cgroup)
		return -1;
	if (cgroup_open(rec->cgroup, &g, &absent) == 0)
		return 0;
	if (absent.code != ERR_NOT_FOUND) {
		*err = absent;
		return err_in(err, "linux.cgroup_parent");
	}
	rec->cgroup_made = true;
	if (m->save->fn(m->save->arg, rec, err) < 0)
		return -1;
	if (cgroup_create(rec->cgroup, NULL, &g, err) < 0) {
		rec->cgroup_made = false;
		return err_in(err, "linux.cgroup_parent");
	}
	rec->cgroup_made = g.created; /* else somebody was faster */
	return g.created ? cgroup_claim(&g, POD_OWNER, err) : 0;
}

static int make_pause_cgroup(struct sandbox_make *m, struct err *err)
{
	const char *path = pause_cgroup(m->rec, m->arena, err);

	/* The record must name the pod's group before the pause's is in it. */
	if (!path || m->save->fn(m->save->arg, m->rec, err) < 0)
		return -1;
	if (cgroup_create(path, NULL, &m->pause_group, err) < 0)
		return -1;
	return cgroup_claim(&m->pause_group, m->rec->id, err);
}

static int remove_pause_cgroup(const char *path, struct err *err)
{
	_cleanup_(cgroup_close) struct cgroup g = CGROUP_INIT;

	if (cgroup_open(path, &g, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	/* Its name holds the pod's id: who lives in it is the pod's. */
	if (cgroup_signal(&g, SIGKILL, err) < 0 || cgroup_wait_empty(&g, KILL_TIMEOUT_MS, err) < 0)
		return -1;
	return cgroup_remove(path, err);
}

/* ---- sysctls ---- */

/* Defaults for a pod with a network of its own: any port, and ping without privileges. */
static const struct {
	const char *key, *value;
	bool in_userns;
} defaults[] = {
	{ "net.ipv4.ip_unprivileged_port_start", "0", true },
	{ "net.ipv4.ping_group_range", "0 2147483647", false }, /* of groups that aren't mapped */
};

/* Only what is the pod's own: a setting of the host's namespaces is everybody's. */
static int check_sysctl(
	const struct sandbox_make *m, const struct sandbox_sysctl *s, struct err *err)
{
	const int type = oci_sysctl_namespace(s->path);

	if (type >= 0 && type != OCI_NS_USER && (m->ns & oci_namespace_clone_flag(type)))
		return 0;
	if (type < 0 || type == OCI_NS_USER)
		err_set(err, ERR_INVALID, NULL, "it isn't a setting of a pod's namespaces");
	else
		err_set(err, ERR_INVALID, NULL,
			"the pod has no %s namespace of its own: it would change the host",
			oci_namespace_name(type));
	return err_in(err, "linux.sysctls[\"%.200s\"]", s->key);
}

static int add_sysctl(
	struct sandbox_make *m, const char *key, const char *value, bool asked, struct err *err)
{
	struct sandbox_sysctl *s = &m->sysctls[m->n_sysctls];

	*s = (struct sandbox_sysctl){
		.key = key, .path = oci_sysctl_path(m->arena, key), .value = value, .asked = asked
	};
	if (!s->path)
		return err_nomem(err);
	/* The pod's own word goes over a default. */
	for (size_t i = 0; i < m->n_sysctls; i++) {
		if (str_eq(m->sysctls[i].path, s->path)) {
			m->sysctls[i] = *s;
			return 0;
		}
	}
	m->n_sysctls++;
	return 0;
}

static int collect_sysctls(struct sandbox_make *m, struct err *err)
{
	static const struct ctr_map_str none = { 0 };
	const struct ctr_map_str *map =
		m->rec->config->linux_ ? &m->rec->config->linux_->sysctls : &none;

	m->sysctls = arena_array(m->arena, map->n + ARRAY_SIZE(defaults), sizeof(*m->sysctls));
	if (!m->sysctls)
		return err_nomem(err);
	for (size_t i = 0; (m->ns & CLONE_NEWNET) && i < ARRAY_SIZE(defaults); i++)
		if ((defaults[i].in_userns || !(m->ns & CLONE_NEWUSER)) &&
			add_sysctl(m, defaults[i].key, defaults[i].value, false, err) < 0)
			return -1;
	for (size_t i = 0; i < map->n; i++)
		if (add_sysctl(m, map->items[i].key, map->items[i].value, true, err) < 0)
			return -1;
	for (size_t i = 0; i < m->n_sysctls; i++)
		if (check_sysctl(m, &m->sysctls[i], err) < 0)
			return -1;
	return 0;
}

/* ---- namespaces ---- */

/* Whatever is mounted over the host's /proc, this is the kernel's. */
static int open_proc(struct sandbox_make *m, struct err *err)
{
	_close_ int fs = sys_fsopen("proc", FSOPEN_CLOEXEC);

	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "fsopen", "proc");
	m->proc = sys_fsmount(
		fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return m->proc < 0 ? err_sys(err, errno, "fsmount", "proc") : 0;
}

static int pin(struct sandbox_make *m, int type, pid_t pid, struct err *err)
{
	const char *name = oci_namespace_proc_name(type);
	_close_ int file = FD_NONE, ns = FD_NONE;
	char path[64];

	snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, name);
	ns = sys_open_tree(m->proc, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (ns < 0)
		return err_sys(err, errno, "open_tree", "the pod's %s namespace", name);
	file = openat(m->folder, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (file < 0)
		return err_sys(err, errno, "open", "%s", name);
	if (sys_move_mount(ns, "", m->folder, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "move_mount", "the pod's %s namespace", name);
	m->rec->ns_path[type] = arena_printf(m->arena, "%s/%s", m->rec->run_folder, name);
	return m->rec->ns_path[type] ? 0 : err_nomem(err);
}

/* Lowering it needs CAP_SYS_RESOURCE; without, the pause is as good a victim as any of its size:
 * none. */
static void protect_pause(const struct sandbox_make *m, pid_t pid)
{
	char path[48], score[16];

	snprintf(path, sizeof(path), "%d/oom_score_adj", (int)pid);
	snprintf(score, sizeof(score), "%d", PAUSE_OOM_SCORE);
	if (file_put(m->proc, path, score) < 0)
		log_debug("the oom_score_adj of the pause stays: errno %d", errno);
}

static int record_pause(struct sandbox_make *m, pid_t pid, struct err *err)
{
	struct proc_stat st;
	int r = proc_stat(pid, &st, err);

	if (r <= 0)
		return r < 0 ? -1 : err_set(err, ERR_SYSTEM, NULL, "the pause died");
	protect_pause(m, pid);
	m->rec->pause_pid = pid;
	m->rec->pause_start = st.start_time;
	return m->save->fn(m->save->arg, m->rec, err);
}

static int pin_all(struct sandbox_make *m, struct sandbox_child *child, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(pinned); i++)
		if ((m->ns & oci_namespace_clone_flag(pinned[i])) &&
			pin(m, pinned[i], child->pid, err) < 0)
			return -1;
	if (m->pause >= 0 && record_pause(m, child->pid, err) < 0)
		return -1;
	return sandbox_child_release(m, child, err);
}

static int make_pause_image(struct sandbox_make *m, struct err *err)
{
	/* memfile_make only reads it. */
	const struct iovec part = { (void *)(uintptr_t)pause_image, pause_image_size };

	m->pause = memfile_make("ctrctl-pause", &part, 1, err);
	return m->pause < 0 ? -1 : 0;
}

static int make_namespaces(struct sandbox_make *m, struct err *err)
{
	struct sandbox_child child = SANDBOX_CHILD_INIT;
	const bool pause = m->ns & CLONE_NEWPID;

	if (collect_sysctls(m, err) < 0)
		return -1;
	if (!m->ns)
		return 0;
	if (open_proc(m, err) < 0 || (pause && make_pause_image(m, err) < 0) ||
		(pause && make_pause_cgroup(m, err) < 0) || sandbox_child_start(m, &child, err) < 0)
		return -1;
	int r = pin_all(m, &child, err);
	sandbox_child_kill(&child);
	return r;
}

/* ---- the seam ---- */

static void make_done(struct sandbox_make *m)
{
	fd_close(m->folder);
	fd_close(m->proc);
	fd_close(m->pause);
	cgroup_close(&m->pause_group);
	arena_free(m->arena);
}

int native_sandbox_make(struct ctr_sandbox_record *rec, int run_fd,
	const struct ctr_sandbox_save *save, struct err *err)
{
	_cleanup_(make_done) struct sandbox_make m = {
		.rec = rec,
		.save = save,
		.arena = arena_new(),
		.folder = FD_NONE,
		.proc = FD_NONE,
		.pause = FD_NONE,
		.pause_group = CGROUP_INIT,
		.ns = namespaces_of(rec->config),
	};

	if (!m.arena)
		return err_nomem(err);
	if (make_folder(&m, run_fd, err) < 0 || make_cgroup(&m, err) < 0 || make_shm(&m, err) < 0 ||
		make_namespaces(&m, err) < 0)
		return -1;
	return save->fn(save->arg, rec, err);
}

static int is_of_type(int run_fd, const char *name, long magic)
{
	_close_ int fd = openat(run_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct statfs st;

	return fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == magic;
}

int native_sandbox_ready(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(pinned); i++)
		if (rec->ns_path[pinned[i]] &&
			!is_of_type(run_fd, oci_namespace_proc_name(pinned[i]), NSFS_MAGIC))
			return 0;
	if (rec->shm && !is_of_type(run_fd, "shm", TMPFS_MAGIC))
		return 0;
	return rec->pause_pid > 0 ? proc_is_alive(rec->pause_pid, rec->pause_start, err) : 1;
}

/* By a pidfd that is opened before the start time is read: what is checked then is what it means.
 */
static int kill_pause(const struct ctr_sandbox_record *rec, struct err *err)
{
	_close_ int fd = rec->pause_pid > 0 ? pidfd_open(rec->pause_pid, 0) : FD_NONE;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return 0;
	r = proc_is_alive(rec->pause_pid, rec->pause_start, err);
	if (r == 1 && pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(err, errno, "pidfd_send_signal", "pause %d", rec->pause_pid);
	if (r <= 0)
		return r;
	do
		r = poll(&p, 1, KILL_TIMEOUT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(err, ERR_TIMEOUT, NULL,
			"the pause (process %d) is still there %d s after SIGKILL", rec->pause_pid,
			KILL_TIMEOUT_MS / 1000);
	waitpid(rec->pause_pid, NULL, WNOHANG); /* ours, when make failed */
	return 0;
}

/* Half-made ones may lack it; and an old kernel doesn't say what is a mount's root. */
static int unmount_folder(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	struct statx st;
	char path[48];

	if (run_fd < 0)
		return 0;
	if (statx(run_fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return err_sys(err, errno, "statx", "%s", rec->run_folder);
	if ((st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
		!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", run_fd);
	if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL)
		return err_sys(err, errno, "umount", "%s", rec->run_folder);
	return 0;
}

/* The record is lost: its groups are told by the id, in a name and in a mark. */
static int remove_lost_cgroups(const char *id, struct arena *a, struct err *err)
{
	const char *own = own_cgroup(id, a);
	char *pause;

	if (!own)
		return err_nomem(err);
	if (cgroup_find_owned(id, a, &pause, err) < 0 ||
		(pause && remove_pause_cgroup(pause, err) < 0))
		return -1;
	return cgroup_remove(own, err);
}

static int remove_cgroups(const struct ctr_sandbox_record *rec, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	const char *pause, *own;

	if (!a)
		return err_nomem(err);
	if (!rec->config)
		return remove_lost_cgroups(rec->id, a, err);
	if (!rec->cgroup)
		return 0;
	pause = pause_cgroup(rec, a, err);
	own = own_cgroup(rec->id, a);
	if (!pause || !own)
		return err_nomem(err);
	if (remove_pause_cgroup(pause, err) < 0)
		return -1;
	if (!rec->cgroup_made) {
		int made = cgroup_is_owned(rec->cgroup, POD_OWNER, err);
		if (made <= 0)
			return made;
	}
	/* One that several pods name goes with the last of them. */
	if (cgroup_remove_empty(rec->cgroup))
		return 0;
	return str_eq(rec->cgroup, own) ? cgroup_remove(own, err) : 0;
}

int native_sandbox_destroy(const struct ctr_sandbox_record *rec, int run_fd, struct err *err)
{
	char boot[PROC_BOOT_ID_MAX];

	if (proc_boot_id(boot, err) < 0)
		return -1;
	/* Of another boot: all of it is gone, and the names may be others' by now. */
	bool here = !rec->boot_id || str_eq(boot, rec->boot_id);
	if (here && kill_pause(rec, err) < 0)
		return -1;
	if (unmount_folder(rec, run_fd, err) < 0)
		return -1;
	return here ? remove_cgroups(rec, err) : 0;
}
