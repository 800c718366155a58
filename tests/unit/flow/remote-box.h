/* SPDX-License-Identifier: Apache-2.0 */
/* An engine of its own for each test, with the backends `fake` (this kernel's) and `far`. */
#ifndef TESTS_REMOTE_BOX_H
#define TESTS_REMOTE_BOX_H

#include "far.h"
#include "flow/flow.h"

#define SERVER \
	"\"proxmox\":{\"endpoint\":\"https://pve.example\",\"tokenFile\":\"/etc/ctrctl/token\"}"

extern char dir[], root[64], data[64], settings[64], bundle[64];
extern struct ctr_backend near;
extern struct ctr_engine *engine;
extern struct err err;
extern int log_fd;

void write_file(const char *folder, const char *name, const char *text);
/* credential: NULL for the configured file. */
struct ctr_engine *engine_new(const int *credential);
void setup(void);
void teardown(void);
const char *said(void);
const char *logged(void);
/* On the server; NULL: err says why. */
struct ctr_container *make(const char *id);
void made(const char *id);
/* In this kernel. */
struct ctr_container *make_near(const char *id);
struct ctr_container *open_it(const char *id, enum ctr_access access);
/* Made, started, opened. */
struct ctr_container *running(const char *id, enum ctr_access access);
/* Is there something of that name in the folder? */
bool there(const char *folder, const char *name);
/* Of a guest, as it is on the disk. */
const char *record_text(const char *id);
/* Does its record say so? */
bool noted(const char *id, const char *phase);
enum ctr_status status_of(struct ctr_container *c);
int delete (const char *id, bool force);
/* A record as a create that died has left it. */
void half_made(const char *id);
/* As another process would, for flocks belong to the open file. */
int lock_folder(const char *id);
/* "db1", for far.before. */
void start_it(void);

#endif
