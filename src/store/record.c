/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record.h"

#include "model/lifecycle.h"

struct stored {
	uint32_t version;
	struct ctr_record r;
};

static const char *const manager_names[CTR_CGROUP_MANAGER_N] = {
	[CTR_CGROUP_CGROUPFS] = "cgroupfs",
	[CTR_CGROUP_DISABLED] = "disabled",
};
static const struct name_table managers = { manager_names, CTR_CGROUP_MANAGER_N };

#define R_STR(m, nm)  J_ROW_STR(struct stored, r.m, nm, 0)
#define R_BOOL(m, nm) J_ROW_BOOL(struct stored, r.m, nm, 0)

static const struct json_field fields[] = {
	J_ROW_U32(struct stored, version, "version", J_REQUIRED),
	J_ROW_STR(struct stored, r.id, "id", J_REQUIRED),
	R_STR(oci_version, "ociVersion"),
	J_ROW_STR(struct stored, r.backend, "backend", J_REQUIRED),
	R_STR(bundle, "bundle"),
	R_STR(rootfs, "rootfs"),
	R_STR(created, "created"),
	R_STR(owner, "owner"),
	R_STR(boot_id, "bootId"),
	J_ROW_MAP(struct stored, r.annotations, "annotations"),
	J_ROW_ENUM(struct stored, r.phase, "phase", J_REQUIRED, &ctr_status_names),
	J_ROW_I32(struct stored, r.pid, "pid", 0),
	J_ROW_U64(struct stored, r.start_time, "startTime", 0),
	R_STR(cgroup, "cgroup"),
	J_ROW_ENUM(struct stored, r.cgroup_manager, "cgroupManager", 0, &managers),
	R_BOOL(cgroup_made, "cgroupMade"),
	R_BOOL(private_pid_ns, "privatePidNamespace"),
	R_BOOL(has_start_hooks, "hasStartHooks"),
	R_BOOL(has_poststop, "hasPoststop"),
	R_BOOL(notify, "notify"),
	R_BOOL(no_pivot, "noPivot"),
	R_BOOL(no_new_keyring, "noNewKeyring"),
	R_BOOL(from_request, "fromRequest"),
	J_ROW_I32(struct stored, r.monitor_pid, "monitorPid", 0),
	J_ROW_U64(struct stored, r.monitor_start, "monitorStart", 0),
	R_BOOL(starting, "starting"),
	R_STR(root, "root"),
	R_STR(guest, "guest"),
	R_STR(image_id, "imageId"),
	{ .name = "waived",
		.kind = J_STR,
		.flags = J_LIST,
		.off = offsetof(struct stored, r.waived),
		.off_n = offsetof(struct stored, r.n_waived),
		.size = sizeof(const char *) },
	{ 0 },
};

void record_write(const struct ctr_record *r, struct str *out)
{
	struct stored s = { .version = RECORD_VERSION, .r = *r };

	json_write(fields, &s, out);
}

static int check_version(const struct json *root, struct err *err)
{
	const struct json *v = root->type == JSON_OBJECT ? json_get(root, "version") : NULL;

	if (!v || v->type != JSON_NUMBER)
		return err_set(err, ERR_INVALID, NULL, "it isn't a record of ctrctl's");
	if (!str_eq(v->text, "1"))
		return err_set(err, ERR_INVALID, NULL,
			"it is a record of version %.20s, known is %d", v->text, RECORD_VERSION);
	return 0;
}

int record_read(
	const char *text, size_t n, struct arena *a, struct ctr_record *ret, struct err *err)
{
	const struct json *root;
	struct stored s = { 0 };

	if (json_parse(text, n, RECORD_BYTES_MAX, a, &root, err) < 0)
		return -1;
	if (check_version(root, err) < 0)
		return -1;
	if (json_bind(root, fields, &s, JSON_UNKNOWN_REFUSE, a, err) < 0)
		return -1;
	if (s.r.pid < 0)
		return err_set(err, ERR_INVALID, "pid", "can't be negative");
	*ret = s.r;
	return 0;
}
