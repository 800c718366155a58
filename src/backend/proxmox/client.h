/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with the server, over the program of src/https. No retries, no meaning: see api.h.
 */
#ifndef PROXMOX_CLIENT_H
#define PROXMOX_CLIENT_H

#include "base/arena.h"
#include "https/wire.h"
#include "model/settings-proxmox.h"

struct pve_client;

/* Starts nothing yet. credential_fd: see struct ctr_setup; the settings outlive the client. */
struct pve_client *pve_client_new(
	const struct settings_proxmox *, int credential_fd, struct err *) _must_check_;
/* Ends the program, if it runs. Accepts NULL. */
void pve_client_free(struct pve_client *);

struct pve_ask {
	enum https_method method;
	const char *path; /* percent-encoded, below /api2/json, with its query */
	const char *body; /* NULL, or a form */
	unsigned timeout_ms;
	bool fresh;
};

struct pve_answer {
	enum https_outcome outcome;
	unsigned status;
	bool json, timed_out;
	const char *reason; /* of the status line, or what failed; control bytes are gone */
	const char *body;   /* NUL-terminated, n bytes */
	size_t n;
};

/* Starts the program first if it doesn't run (any more). -1 only when there is no way to ask: the
 * program can't be started, or died (the ask may have been sent: the outcome is HTTPS_LOST then,
 * and 0 is returned). The answer lives in the arena. */
int pve_client_exchange(struct pve_client *, const struct pve_ask *, struct arena *,
	struct pve_answer *ret, struct err *) _must_check_;

/* Where the secret can be read from again by a client of another process: the fd that was given, or
 * a copy of what came out of it. FD_NONE: from the configured file. Borrowed. */
int pve_client_credential(const struct pve_client *);

/* How many exchanges there were, logins among them: for budgets and --log-level debug. */
unsigned pve_client_count(const struct pve_client *);

#endif
