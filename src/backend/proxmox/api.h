/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the API: exchanges with retries, envelopes, and what an answer means. What may be
 * repeated is repeated here, and nowhere else: a GET when the server wasn't reached or didn't
 * answer; anything else only when it can't have been carried out.
 */
#ifndef PROXMOX_API_H
#define PROXMOX_API_H

#include "backend/proxmox/client.h"
#include "backend/proxmox/form.h"
#include "base/json.h"

/* Why a call or a task failed, beyond the kind of the error: what its caller may act upon. */
enum pve_reason {
	PVE_OK,
	PVE_UNREACHED, /* not carried out: the server or the node can't be reached (595) */
	PVE_AMBIGUOUS, /* perhaps carried out: the answer was lost, 596 to 599, "no worker upid" */
	PVE_UNTRUSTED, /* certificate or fingerprint */
	PVE_UNAUTHORIZED,  /* 401, or no secret */
	PVE_FORBIDDEN,     /* 403 */
	PVE_BAD_PARAMETER, /* 400 with errors by parameter */
	PVE_GARBLED,       /* an answer that is none */
	PVE_ID_TAKEN,      /* the VMID is used: try the next */
	PVE_ID_BUSY,       /* its lock file is held: try the next */
	PVE_BUSY,          /* another operation holds the guest ("can't lock file") */
	PVE_LOCKED,     /* a lock that goes away: backup, disk, fstrim, migrate, mounted, rollback,
			   snapshot, snapshot-delete */
	PVE_LOCK_STALE, /* create, destroyed: only "pct unlock" on the node helps, unless a task
			   runs */
	PVE_NO_QUORUM,  /* no quorum, or a lock of the cluster */
	PVE_RUNNING,    /* it runs already */
	PVE_NOT_RUNNING,
	PVE_IS_RUNNING, /* it can't be destroyed while it runs */
	PVE_GONE,       /* no such guest on that node: gone, or moved */
	PVE_PROTECTED,
	PVE_CHANGED,     /* the digest doesn't fit any more */
	PVE_STORAGE,     /* disabled, missing, offline, full */
	PVE_FILE_EXISTS, /* "refusing to override existing file" */
	PVE_START_FAILED,
	PVE_STOP_TIMEOUT, /* "container did not stop" */
	PVE_NO_TASK,      /* unknown UPID */
	PVE_KILLED,       /* "unexpected status": the worker was killed, or the node rebooted */
	PVE_TIMEOUT,      /* our own deadline, the task goes on */
	PVE_OTHER,
	PVE_REASON_N
};

/* By the table of texts of 7.4 to 9.2 (docs/proxmox.md lists it). `status`: HTTP's, or 0 for a
 * task's exit status. */
enum pve_reason pve_reason_of(unsigned status, const char *text);
/* The kind of error that a reason is. */
enum err_code pve_reason_code(enum pve_reason);
/* What the reader can do about it, into err->hint, where something is known. `node` and `vmid` are
 * the guest's, NULL: unknown; `text` the server's words. */
void pve_reason_hint(
	enum pve_reason, const char *node, const char *vmid, const char *text, struct err *);
/* The server's words as one line of readable text, at most n - 1 bytes, ends with "..." when cut.
 */
void pve_words(const char *text, char *buf, size_t n);

/* A session: settings, connection, what is known of the server. */
struct pve {
	const struct settings_proxmox *cfg;
	struct pve_client *client;
	struct arena *arena;    /* lives as long as the session: version and the like */
	struct pve_form hidden; /* what was sent and is secret */
	unsigned major, minor;  /* of the server's release, 0: not asked yet; pve_version() */
	/* Replaced by unit tests and the fuzzer. NULL: pve_client_exchange. */
	int (*exchange)(void *arg, const struct pve_ask *, struct arena *, struct pve_answer *,
		struct err *);
	void *exchange_arg;
	/* The same for waiting, which then takes no time. NULL: nanosleep. */
	void (*pause)(void *arg, unsigned ms);
	uint64_t skipped_ms; /* what it would have taken */
};

/* Waits, and the clock that goes with it (monotonic): for whoever polls or tries again. */
void pve_pause(struct pve *, unsigned ms);
uint64_t pve_now_ms(const struct pve *);

/* The server's words may repeat what it was given: secret values of it become asterisks. Before
 * they are cut. */
void pve_scrub(const struct pve *, char *text);
/* The same of a text that stays as it is; in the arena, NULL when memory is out. */
const char *pve_scrubbed(const struct pve *, const char *text, struct arena *) _must_check_;

struct pve_fault {
	enum pve_reason reason;
	unsigned status; /* HTTP's, 0: none */
	bool repeated;  /* after a busy server's no, which may have come when half of it was done */
	char text[512]; /* the server's words, one line */
};

/*
 * GET with a query (form, may be NULL). *ret_data: the envelope's "data" (never NULL: a JSON null),
 * in the arena. On failure *fault (may be NULL) says why; err has the server's words, errors by
 * parameter among them ("net0.ip: invalid format"), and a hint where one is known.
 */
int pve_get(struct pve *, struct arena *, const char *path, const struct pve_form *query,
	const struct json **ret_data, struct pve_fault *fault, struct err *) _must_check_;

/* One page of a long list. limit_ms, here and below: at most so long, where that is less than
 * callSeconds; 0: that. *ret_total: the rows of all pages, 0 if the server doesn't say. */
int pve_get_page(struct pve *, struct arena *, const char *path, const struct pve_form *query,
	unsigned limit_ms, const struct json **ret_data, uint64_t *ret_total,
	struct err *) _must_check_;

/* Asked just once: for whoever asks again anyway, or has better things to do. */
int pve_get_once(struct pve *, struct arena *, const char *path, const struct pve_form *query,
	unsigned limit_ms, const struct json **ret_data, struct pve_fault *fault,
	struct err *) _must_check_;

/*
 * POST, PUT, DELETE (the form is the query of a DELETE). Repeated where the server hasn't got it
 * (595, not reached), where it is busy or without quorum (a bounded time, PVE_BUSY,
 * PVE_NO_QUORUM); never after PVE_AMBIGUOUS. POSTs that make something go over a fresh connection.
 */
int pve_send(struct pve *, struct arena *, enum https_method, const char *path,
	const struct pve_form *form, const struct json **ret_data, struct pve_fault *fault,
	struct err *) _must_check_;

/* The same, sent just once: for whoever looks again before it is sent again. */
int pve_send_once(struct pve *, struct arena *, enum https_method, const char *path,
	const struct pve_form *form, const struct json **ret_data, struct pve_fault *fault,
	struct err *) _must_check_;

/* GET /version, once per session. */
int pve_version(struct pve *, struct err *) _must_check_;
bool pve_at_least(const struct pve *, unsigned major, unsigned minor);

/* ---- values, which come as numbers or as strings ---- */

/* A member of an object, as text; NULL when it is absent, null, or neither text nor number. */
const char *pve_text(const struct json *object, const char *key);
/* As a number; `otherwise` when it is absent or none. Fractions are cut off. */
int64_t pve_int(const struct json *object, const char *key, int64_t otherwise);
double pve_double(const struct json *object, const char *key, double otherwise);
bool pve_bool(const struct json *object, const char *key);

#endif
