/* SPDX-License-Identifier: Apache-2.0 */
#include "remote-box.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "ctrctl/cri.h"
#include "fake.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The settings' own names: no others can be routed to. */
struct ctr_backend near;
static const struct ctr_backend *const backends[] = { &near, &far_backend, NULL };

char dir[] = "/tmp/ctrctl-remote-XXXXXX";
char root[64], data[64], settings[64], bundle[64];
struct ctr_engine *engine;
struct err err;
int log_fd;

void write_file(const char *folder, const char *name, const char *text)
{
	_free_ char *path = strf("%s/%s", folder, name);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0, "%s", path);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

struct ctr_engine *engine_new(const int *credential)
{
	const struct ctr_engine_options o = { .root = root,
		.data = data,
		.settings = settings,
		.backends = backends,
		.credential_fd = credential,
		.lock_timeout_ms = 20 };

	return ctr_engine_open(&o, &err);
}

void setup(void)
{
	char path[128];

	near = fake_backend;
	near.name = "native";
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_stderr(log_fd);
	cr_assert(mkdtemp(dir));
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(settings, sizeof(settings), "%s/settings", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	snprintf(path, sizeof(path), "%s/rootfs", bundle);
	cr_assert(mkdir(bundle, 0700) == 0 && mkdir(path, 0700) == 0);
	write_file(bundle, "config.json",
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
		"\"args\":[\"/bin/sleep\",\"50\"]},\"linux\":{\"namespaces\":[]}}");
	write_file(dir, "settings", "{" SERVER "}");
	engine = engine_new(NULL);
	cr_assert(engine);
}

void teardown(void)
{
	_close_ int tmp = open("/tmp", O_PATH | O_CLOEXEC);
	struct err e = ERR_INIT;

	ctr_engine_close(engine);
	close(log_fd);
	cr_assert_eq(path_remove_tree(tmp, strrchr(dir, '/') + 1, &e), 0);
}

/* ---- around ---- */

const char *said(void)
{
	static char line[1024];

	err_line(&err, line, sizeof(line));
	return line;
}

const char *logged(void)
{
	static char buf[4096];
	ssize_t n = pread(log_fd, buf, sizeof(buf) - 1, 0);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

struct ctr_container *make(const char *id)
{
	static struct ctr_pair pairs[] = { { "team", "shop" } };
	static const struct cri_container_config config = { .annotations = { pairs, 1 } };
	const struct ctr_create req = {
		.id = id, .backend = "proxmox", .wanted = &config, .attach = CTR_ATTACH_INIT
	};

	err = (struct err)ERR_INIT;
	return ctr_container_create(engine, &req, &err);
}

void made(const char *id)
{
	struct ctr_container *c = make(id);

	cr_assert(c, "%s", said());
	ctr_container_close(c);
}

struct ctr_container *make_near(const char *id)
{
	const struct ctr_create req = { .id = id, .bundle = bundle, .attach = CTR_ATTACH_INIT };

	err = (struct err)ERR_INIT;
	return ctr_container_create(engine, &req, &err);
}

struct ctr_container *open_it(const char *id, enum ctr_access access)
{
	err = (struct err)ERR_INIT;
	return ctr_container_open(engine, id, access, &err);
}

struct ctr_container *running(const char *id, enum ctr_access access)
{
	struct ctr_container *c = make(id);

	cr_assert(c, "%s", said());
	cr_assert_eq(ctr_container_start(c, NULL, &err), 0, "%s", said());
	ctr_container_close(c);
	c = open_it(id, access);
	cr_assert(c, "%s", said());
	return c;
}

bool there(const char *folder, const char *name)
{
	_free_ char *path = strf("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

const char *record_text(const char *id)
{
	static char buf[4096];
	_free_ char *path = strf("%s/guests/%s/state.json", data, id);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	cr_assert(n >= 0, "%s", path);
	buf[n] = '\0';
	return buf;
}

bool noted(const char *id, const char *phase)
{
	_free_ char *want = strf("\"phase\":\"%s\"", phase);

	return strstr(record_text(id), want);
}

enum ctr_status status_of(struct ctr_container *c)
{
	enum ctr_status s = CTR_STATUS_N;

	cr_assert_eq(ctr_container_status(c, &s, &err), 0, "%s", said());
	return s;
}

int delete (const char *id, bool force)
{
	err = (struct err)ERR_INIT;
	return ctr_delete(engine, id, force, &err);
}

void half_made(const char *id)
{
	_free_ char *folder = strf("%s/guests/%s", data, id);
	_free_ char *text = strf(
		"{\"version\":1,\"id\":\"%s\",\"backend\":\"proxmox\",\"phase\":\"creating\",\"guest\":\"104\"}",
		id);

	made("first"); /* and with it the folder of all */
	cr_assert_eq(mkdir(folder, 0700), 0);
	write_file(folder, "state.json", text);
}

int lock_folder(const char *id)
{
	_free_ char *folder = strf("%s/guests/%s", data, id);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	return fd;
}

void start_it(void)
{
	struct ctr_container *c = open_it("db1", CTR_CHANGE);

	cr_assert(c && ctr_container_start(c, NULL, &err) == 0, "%s", said());
	ctr_container_close(c);
}
