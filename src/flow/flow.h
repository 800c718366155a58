/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of flow share: engine, handle, bundle, and the table of what is allowed when. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/arena.h"
#include "base/proc.h"
#include "ctrctl/engine.h"
#include "store/containers.h"

enum { BACKENDS_MAX = 4 };

struct ctr_engine {
	char *root, *data, *settings_path;
	char *root_name; /* as records have it: absolute, without a slash at its end */
	bool root_given; /* by the caller, who has a world of ids there */
	const struct ctr_backend *const *backends;
	struct ctr_context *contexts[BACKENDS_MAX]; /* NULL until asked for: engine_context() */
	int credential_fd;
	int cgroup_manager;
	unsigned lock_timeout_ms;
	struct store store;
	struct store guests; /* <data>/guests: records of containers that live on a server */
	char boot_id[PROC_BOOT_ID_MAX];  /* empty until asked for */
	int data_fd;                     /* FD_NONE until asked for: engine_data() */
	struct arena *arena;             /* of what lives as long as the engine */
	const struct settings *settings; /* NULL until asked for: engine_settings() */
};

struct ctr_container {
	struct ctr_engine *engine;
	struct arena *arena;
	const struct ctr_backend *backend;
	const struct store *home; /* where its record is: the engine's store, or its guests */
	struct store_box box;
	struct ctr_record rec;
	bool locked, gone;
	bool made_here; /* by this handle, which has held the lock since */
	/* Of a container made from a request: <data>/containers/<id>, FD_NONE until asked for. */
	int kept_fd;
	bool kept_locked;
	bool only_kept;             /* no live record: a reboot, or its maker died */
	struct ctr_cri_record *cri; /* NULL until asked for */
};

/* ---- engine.c ---- */
int engine_store(struct ctr_engine *, enum store_open, struct err *) _must_check_;
int engine_boot_id(struct ctr_engine *, struct err *) _must_check_;
/* The data folder, open; STORE_MAKE makes it (0700). FD_NONE with 0 when it isn't there (FIND). */
int engine_data(struct ctr_engine *, enum store_open, int *ret_fd, struct err *) _must_check_;
/* The records of containers that live on a server. */
int engine_guests(struct ctr_engine *, enum store_open, struct err *) _must_check_;
/* What the backend keeps; NULL for one that keeps nothing. */
int engine_context(struct ctr_engine *, const struct ctr_backend *, struct ctr_context **ret,
	struct err *) _must_check_;
/* Where records of such containers are. Opened. */
const struct store *engine_home(struct ctr_engine *, const struct ctr_backend *, enum store_open,
	struct err *) _must_check_;
/* An id is one container's, wherever that lives: ERR_EXISTS when it is taken where containers of
 * this backend are not. */
int engine_check_free(
	struct ctr_engine *, const struct ctr_backend *, const char *id, struct err *) _must_check_;
/* Its maker was given another root than we are: an engine that isn't ours has named it. */
bool engine_is_elsewhere(const struct ctr_engine *, const struct ctr_record *);
/* Read once. */
struct settings;
int engine_settings(struct ctr_engine *, const struct settings **ret, struct err *) _must_check_;
/* An empty handle with its arena, or NULL. */
struct ctr_container *container_new(struct ctr_engine *, struct err *) _must_check_;
static inline void container_close_p(struct ctr_container **c)
{
	ctr_container_close(*c);
}
#define _container_ _cleanup_(container_close_p)

/* ---- select.c; choosing one for a new container: flow/select.h ---- */
/* The one that made it; ERR_UNSUPPORTED when this program lacks it. */
const struct ctr_backend *find_backend(
	const struct ctr_engine *, const char *name, struct err *) _must_check_;

/* ---- container.c ---- */
/* ERR_UNSUPPORTED: "this backend can't pause". */
int container_unsupported(const struct ctr_container *, const char *what, struct err *);

/* Reads the record again: what is known by it alone may have changed. */
int container_load_again(struct ctr_container *, struct err *) _must_check_;

/* ---- remote.c: containers that live on a server ---- */
enum { EXIT_UNKNOWN = 255 };
/* Before and after the backend's start. */
int remote_begin_start(struct ctr_container *, struct err *) _must_check_;
void remote_note_start(struct ctr_container *, int result, const struct err *why);
/* A start of it has failed that may have been carried out, and nothing runs. */
bool remote_may_start_again(const struct ctr_container *);
/* Somebody has noted that he starts it, and is at it. */
bool remote_is_being_started(const struct ctr_container *);
/* Another may have changed what the record says of the phase. */
int remote_follow_record(struct ctr_container *, struct err *) _must_check_;
int remote_kill(struct ctr_container *, int signo, bool all, struct err *) _must_check_;
/* The process that stood for it was killed. */
bool remote_proxy_killed(const struct ctr_container *);
/* 1 and *ret when it has ended, 0 while it hasn't, -1. */
int remote_exit(struct ctr_container *, struct ctr_exit *ret, struct err *) _must_check_;

/* ---- bundle.c ---- */
struct bundle {
	const char *path, *rootfs; /* absolute */
	const char *text;          /* config.json as read */
	size_t n;
	const struct oci_spec *spec; /* checked; NULL: there is no bundle, but a request */
	const char *image;           /* by the annotations of engines, or NULL */
};
/* All of it lives in the arena. */
int bundle_open(
	const struct ctr_create *, struct arena *, struct bundle *ret, struct err *) _must_check_;
/* The config that the container was made from. */
const struct oci_spec *bundle_stored(struct ctr_container *, struct err *) _must_check_;
/* A terminal needs somebody who takes its other end, and the other way round. */
int bundle_check_console(const struct ctr_attach *, bool terminal, struct err *) _must_check_;
/* Digits without a newline, atomically. */
int pid_file_write(const char *path, pid_t pid, struct err *) _must_check_;

/* ---- lifecycle.c ---- */
enum verb {
	VERB_START,
	VERB_KILL,
	VERB_EXEC,
	VERB_PAUSE,
	VERB_RESUME,
	VERB_UPDATE,
	VERB_DELETE,
	VERB_N,
};
/* 0, or ERR_STATE with the sentence for this pair. */
int lifecycle_check(enum verb, enum ctr_status, const char *id, struct err *) _must_check_;

#endif
