/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between ctrctl and ctrctl-https, the program that holds the connection to an HTTPS API. ctrctl is
 * one static file and can't load libcurl; so it carries this program inside, as it does init, and
 * starts it from a memfd when an API is first talked to. The program dies with its socket.
 *
 * It does transport and login: TLS and trust, the credential (which ctrctl itself never reads),
 * sessions of tickets with their CSRF token, one exchange after another on one connection. It knows
 * nothing of what is asked, retries nothing, follows nothing.
 *
 * Both sides are of the same build, on the same machine: structs as they are, over a SOCK_STREAM
 * pair. First one struct https_setup with its texts, which isn't answered; then asks and answers,
 * in turn. Texts follow their struct, each as long as the struct says, without a NUL.
 */
#ifndef HTTPS_WIRE_H
#define HTTPS_WIRE_H

#include <stdint.h>

/* The fds of the program. */
enum {
	HTTPS_FD_SOCKET = 3,
	HTTPS_FD_CREDENTIAL = 4, /* token or password; regular file or pipe */
	HTTPS_FD_CA = 5,         /* PEM, if https_setup says so */
};

/* How it ends when it can't do its work; 0 when its socket was closed. */
enum {
	HTTPS_EXIT_FRAME = 2,  /* what came isn't an ask, so it hasn't been sent */
	HTTPS_EXIT_HARDEN = 3, /* it can't be kept from being looked into */
};

enum {
	HTTPS_TEXT_MAX = 4096,       /* of each text of the setup */
	HTTPS_CREDENTIAL_MAX = 4096, /* with its newline */
	HTTPS_ASK_MAX = 512 << 10,   /* body: the server takes no more */
	HTTPS_ANSWER_MAX = 16 << 20, /* body */
	HTTPS_REASON_MAX = 2048,     /* of the status line */
	HTTPS_PATH_MAX = 64 << 10,
	HTTPS_LOGIN_MS = 30 * 1000, /* one login takes no longer */
	HTTPS_LOGINS_MAX = 3,       /* nor are there more of them for one ask */
	HTTPS_LEAST_MS = 1000,      /* for what comes last, when logins took an ask's time */
};

enum https_auth {
	HTTPS_AUTH_TOKEN,  /* "Authorization: PVEAPIToken=" and the credential */
	HTTPS_AUTH_TICKET, /* POST /access/ticket with user and password; cookie; CSRF token */
};

struct https_setup {
	uint32_t size;   /* of this struct: another one is another build */
	uint32_t auth;   /* enum https_auth */
	uint32_t has_ca; /* HTTPS_FD_CA is open */
	uint32_t connect_timeout_ms;
	/* texts, in this order */
	uint32_t origin_n;      /* "https://pve1.example:8006" */
	uint32_t base_n;        /* "/api2/json", put in front of every path */
	uint32_t fingerprint_n; /* SHA-256 of the leaf's DER, "AB:CD:...": 95 characters, or none */
	uint32_t user_n;        /* tickets: "root@pam" */
};

enum https_method { HTTPS_GET, HTTPS_POST, HTTPS_PUT, HTTPS_DELETE, HTTPS_METHOD_N };

struct https_ask {
	uint32_t method;     /* enum https_method */
	uint32_t timeout_ms; /* of the whole exchange, with the logins that it needs */
	uint32_t fresh;      /* on a new connection: a dead one isn't noticed before it is used */
	uint32_t path_n;     /* with its query, percent-encoded: "/nodes/pve1/lxc?full=1" */
	uint32_t body_n;     /* POST, PUT: application/x-www-form-urlencoded */
};

/* What became of an ask. */
enum https_outcome {
	HTTPS_ANSWERED,  /* whatever its status */
	HTTPS_UNREACHED, /* the server hasn't got it: no name, no connection, no TLS */
	HTTPS_UNTRUSTED, /* nor has it, for it isn't the server that was configured */
	HTTPS_LOST,      /* it may have got it: time-out, connection lost, half an answer */
	HTTPS_TOO_BIG,   /* it has got it; the answer is over HTTPS_ANSWER_MAX */
	HTTPS_NO_LOGIN,  /* the login was refused, so it wasn't sent; status and body are its own:
			    401 for a second factor, too, 200 where it brought no ticket */
	HTTPS_NO_SECRET, /* the credential can't be read or has a wrong form */
	HTTPS_OUTCOME_N
};

struct https_answer {
	uint32_t outcome; /* enum https_outcome */
	uint32_t status;  /* HTTP's, 0 without an answer */
	uint32_t json;    /* the content type is application/json */
	uint32_t timed_out;
	uint32_t logins; /* exchanges that logging in took beside this one */
	uint32_t
		reason_n; /* rest of the status line; without an answer a sentence on what failed */
	uint32_t body_n;
};

#endif
