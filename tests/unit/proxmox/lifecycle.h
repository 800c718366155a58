/* SPDX-License-Identifier: Apache-2.0 */
/* A guest on record, and the lines that a server says of it. */
#ifndef TEST_PROXMOX_LIFECYCLE_H
#define TEST_PROXMOX_LIFECYCLE_H

#include "backend/proxmox/act.h"
#include "script.h"

#include <fcntl.h>
#include <unistd.h>

#define ID         "0123456789abcdef0123"
#define TAG        "ctrctl-0123456789abcdef"
#define GUEST      "/nodes/pve1/lxc/200104"
#define UPID(type) "UPID:pve1:00001234:0012D687:68A1B2C3:" type ":200104:ctrctl@pve!ctrl:"
#define UPID_PATH(type)                                                          \
	"/nodes/pve1/tasks/UPID%3Apve1%3A00001234%3A0012D687%3A68A1B2C3%3A" type \
	"%3A200104%3Actrctl%40pve%21ctrl%3A"

#define MARK(id, vmid) "a\\nctrctl:v1:{\\\"id\\\":\\\"" id "\\\",\\\"vmid\\\":" vmid "}\\n"
#define CURRENT(status, tags) \
	"{\"data\":{\"status\":\"" status "\",\"tags\":\"" tags "\",\"uptime\":\"7\"}}"
#define CONFIG_OF(id, vmid, more)                             \
	"{\"data\":{\"digest\":\"d1\",\"tags\":\"ctrctl;" TAG \
	"\",\"description\":\"" MARK(id, vmid) "\"" more "}}"
#define CONFIG CONFIG_OF(ID, "200104", "")
#define EDITED "{\"data\":{\"tags\":\"ctrctl;" TAG "\",\"description\":\"notes\"}}"
#define OTHERS "{\"data\":{\"tags\":\"web\",\"description\":\"notes\"}}"
#define NOWHERE                                                        \
	{ "GET " GUEST "/status/current", 500,                         \
		"{\"data\":null,\"message\":\"Configuration file "     \
		"'nodes/pve1/lxc/200104.conf' does not exist\\n\"}" }, \
	{                                                              \
		"GET /cluster/resources?type=vm", 200, "{\"data\":[]}" \
	}

#define LOOK(status)                                                                \
	{                                                                           \
		"GET " GUEST "/status/current", 200, CURRENT(status, "ctrctl;" TAG) \
	}
#define OURS                                        \
	{                                           \
		"GET " GUEST "/config", 200, CONFIG \
	}
#define BEGUN(ask, type)                                  \
	{                                                 \
		ask, 200, "{\"data\":\"" UPID(type) "\"}" \
	}
#define RUNS(type)                                                                           \
	{                                                                                    \
		"GET " UPID_PATH(type) "/status", 200, "{\"data\":{\"status\":\"running\"}}" \
	}
#define ENDED(type, how)                                                                 \
	{                                                                                \
		"GET " UPID_PATH(type) "/status", 200,                                   \
			"{\"data\":{\"status\":\"stopped\",\"exitstatus\":\"" how "\"}}" \
	}
#define LOG(type, lines)                                                                        \
	{                                                                                       \
		"GET " UPID_PATH(type) "/log?start=0&limit=1000", 200, "{\"data\":[" lines "]}" \
	}

static char folder[] = "/tmp/ctrctl-lifecycle-XXXXXX";
static int dir_fd;
static struct ctr_context context;
static struct ctr_record rec;
static struct guest journal;

static void save(void)
{
	struct err e;

	cr_assert_eq(guest_save(dir_fd, &journal, &e), 0);
}

_unused_ static int stopped_by(void)
{
	struct guest g;
	struct err e;

	cr_assert_eq(guest_load(dir_fd, arena, &g, &e), 1);
	return g.stopped_by;
}

static void setup(void)
{
	script_setup();
	cfg.start_s = 30;
	cfg.stop_s = 30;
	cfg.destroy_s = 30;
	cfg.grace_s = 60;
	cfg.vmid_first = 200000;
	cfg.vmid_last = 299999;
	cr_assert(mkdtemp(folder));
	dir_fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	cr_assert_geq(dir_fd, 0);
	context = (struct ctr_context){ .cfg = &cfg, .pve = pve, .arena = arena };
	rec = (struct ctr_record){ .id = ID,
		.backend = "proxmox",
		.phase = CTR_CREATED,
		.guest = "200104",
		.context = &context };
	journal = (struct guest){ .id = ID, .vmid = 200104, .node = "pve1", .phase = GUEST_MADE };
	save();
}

static void teardown(void)
{
	unlinkat(dir_fd, "guest.json", 0);
	close(dir_fd);
	rmdir(folder);
	script_teardown();
}

#endif
