/* SPDX-License-Identifier: Apache-2.0 */
/* CRI v1: container, pod and request; the way from text to structs and back. */
#include "model/cri.h"

#include "model/cri-tables.h"

#include <string.h>

#define M struct cri_dns_config
static const struct json_field dns_config_fields[] = {
	STRS(1, servers),
	STRS(2, searches),
	STRS(3, options),
	{ 0 },
};
#undef M

#define M struct cri_port_mapping
static const struct json_field port_mapping_fields[] = {
	ENUM(1, protocol, &cri_protocol_names),
	I32(2, container_port),
	I32(3, host_port),
	STR(4, host_ip),
	{ 0 },
};
#undef M

#define M struct cri_image_spec
static const struct json_field image_spec_fields[] = {
	STR(1, image),
	MAP(2, annotations),
	STR(18, user_specified_image),
	STR(19, runtime_handler),
	STR(20, image_ref),
	{ 0 },
};
#undef M

/* The value is plain text, as crictl's files have it, though its type is bytes now. */
#define M struct cri_key_value
static const struct json_field key_value_fields[] = {
	STR(1, key),
	STR(2, value),
	{ 0 },
};
#undef M

#define M struct cri_mount
static const struct json_field mount_fields[] = {
	STR(1, container_path),
	STR(2, host_path),
	BOOL(3, readonly),
	BOOL(4, selinux_relabel),
	ENUM(5, propagation, &cri_propagation_names),
	MSGS_AS(6, uid_mappings, "uidMappings", struct cri_id_mapping, cri_id_mapping_fields),
	MSGS_AS(7, gid_mappings, "gidMappings", struct cri_id_mapping, cri_id_mapping_fields),
	BOOL(8, recursive_read_only),
	MSG(9, image, struct cri_image_spec, image_spec_fields),
	STR(10, image_sub_path),
	STRS(11, mount_options),
	{ 0 },
};
#undef M

#define M struct cri_device
static const struct json_field device_fields[] = {
	STR(1, container_path),
	STR(2, host_path),
	STR(3, permissions),
	{ 0 },
};
#undef M

#define M struct cri_cdi_device
static const struct json_field cdi_device_fields[] = {
	STR(1, name),
	{ 0 },
};
#undef M

#define M struct cri_container_metadata
static const struct json_field container_metadata_fields[] = {
	STR(1, name),
	U32(2, attempt),
	{ 0 },
};
#undef M

#define M struct cri_container_config
const struct json_field cri_container_fields[] = {
	MSG(1, metadata, struct cri_container_metadata, container_metadata_fields),
	MSG(2, image, struct cri_image_spec, image_spec_fields),
	STRS(3, command),
	STRS(4, args),
	STR(5, working_dir),
	MSGS(6, envs, struct cri_key_value, key_value_fields),
	MSGS(7, mounts, struct cri_mount, mount_fields),
	MSGS(8, devices, struct cri_device, device_fields),
	MAP(9, labels),
	MAP(10, annotations),
	STR(11, log_path),
	BOOL_AS(12, stdin_, "stdin"),
	BOOL(13, stdin_once),
	BOOL(14, tty),
	MSG_AS(15, linux_, "linux", struct cri_linux_container_config, cri_linux_container_fields),
	PRESENT(16, windows),
	MSGS_AS(17, cdi_devices, "CDI_devices", struct cri_cdi_device, cdi_device_fields),
	ENUM(18, stop_signal, &cri_signal_names),
	{ 0 },
};
#undef M

#define M struct cri_pod_sandbox_metadata
static const struct json_field pod_metadata_fields[] = {
	STR(1, name),
	STR(2, uid),
	STR(3, namespace),
	U32(4, attempt),
	{ 0 },
};
#undef M

#define M struct cri_pod_sandbox_config
const struct json_field cri_pod_fields[] = {
	MSG(1, metadata, struct cri_pod_sandbox_metadata, pod_metadata_fields),
	STR(2, hostname),
	STR(3, log_directory),
	MSG(4, dns_config, struct cri_dns_config, dns_config_fields),
	MSGS(5, port_mappings, struct cri_port_mapping, port_mapping_fields),
	MAP(6, labels),
	MAP(7, annotations),
	MSG_AS(8, linux_, "linux", struct cri_linux_pod_sandbox_config, cri_linux_pod_fields),
	PRESENT(9, windows),
	{ 0 },
};
#undef M

#define M struct cri_create_container_request
const struct json_field cri_request_fields[] = {
	STR(1, pod_sandbox_id),
	MSG(2, config, struct cri_container_config, cri_container_fields),
	MSG(3, sandbox_config, struct cri_pod_sandbox_config, cri_pod_fields),
	{ 0 },
};
#undef M

/* ---- text to structs ---- */

/* Finds the first value that is deeper than `left` levels further in. */
static int check_depth(const struct json *v, int left, struct err *err)
{
	if (left == 0)
		return err_set(
			err, ERR_INVALID, NULL, "nested deeper than %d levels", CRI_DEPTH_MAX);
	json_for_each (it, v) {
		if (it->type != JSON_OBJECT && it->type != JSON_ARRAY)
			continue;
		if (check_depth(it, left - 1, err) < 0)
			return it->key ? err_in(err, "%s", it->key) : -1;
	}
	return 0;
}

static int parse(const char *text, size_t n, const struct json_field *fields, size_t size,
	struct arena *arena, void **ret, struct err *err)
{
	const struct json *tree;
	void *base = NULL;

	if (json_parse(text, n, CRI_REQUEST_MAX, arena, &tree, err) < 0 ||
		check_depth(tree, CRI_DEPTH_MAX, err) < 0)
		return -1;
	base = arena_alloc(arena, size);
	if (!base)
		return err_nomem(err);
	if (json_bind(tree, fields, base, JSON_PROTO, arena, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int cri_request_parse(const char *text, size_t n, struct arena *arena,
	struct cri_create_container_request **ret, struct err *err)
{
	void *base = NULL;

	if (parse(text, n, cri_request_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int cri_container_parse(const char *text, size_t n, struct arena *arena,
	struct cri_container_config **ret, struct err *err)
{
	void *base = NULL;

	if (parse(text, n, cri_container_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

int cri_pod_parse(const char *text, size_t n, struct arena *arena,
	struct cri_pod_sandbox_config **ret, struct err *err)
{
	void *base = NULL;

	if (parse(text, n, cri_pod_fields, sizeof(**ret), arena, &base, err) < 0)
		return -1;
	*ret = base;
	return 0;
}

/* ---- and back ---- */

static void write_canonical(const struct json_field *fields, const void *base, struct str *out)
{
	struct json_writer w = { .out = out, .sorted = true };

	json_w_fields(&w, fields, base);
}

void cri_request_write(const struct cri_create_container_request *r, struct str *out)
{
	write_canonical(cri_request_fields, r, out);
}

void cri_container_write(const struct cri_container_config *c, struct str *out)
{
	write_canonical(cri_container_fields, c, out);
}

void cri_pod_write(const struct cri_pod_sandbox_config *p, struct str *out)
{
	write_canonical(cri_pod_fields, p, out);
}

/* ---- parts that may be absent ---- */

const struct cri_linux_container_security_context *cri_security(
	const struct cri_container_config *c)
{
	static const struct cri_linux_container_security_context none = { 0 };

	return c && c->linux_ && c->linux_->security_context ? c->linux_->security_context : &none;
}

const struct cri_linux_container_resources *cri_resources(const struct cri_container_config *c)
{
	static const struct cri_linux_container_resources none = { 0 };

	return c && c->linux_ && c->linux_->resources ? c->linux_->resources : &none;
}

static const struct cri_namespace_option no_namespaces = { 0 };

const struct cri_namespace_option *cri_namespaces(const struct cri_container_config *c)
{
	const struct cri_namespace_option *o = cri_security(c)->namespace_options;

	return o ? o : &no_namespaces;
}

const struct cri_linux_sandbox_security_context *cri_pod_security(
	const struct cri_pod_sandbox_config *p)
{
	static const struct cri_linux_sandbox_security_context none = { 0 };

	return p && p->linux_ && p->linux_->security_context ? p->linux_->security_context : &none;
}

const struct cri_namespace_option *cri_pod_namespaces(const struct cri_pod_sandbox_config *p)
{
	const struct cri_namespace_option *o = cri_pod_security(p)->namespace_options;

	return o ? o : &no_namespaces;
}
