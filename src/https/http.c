/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to one server, by libcurl (7.85 or newer). HTTP/1.1 over TLS 1.2 or newer, and
 * nothing that the environment, a redirect, a cookie or a .netrc could change; bounded in time and
 * memory whatever the server does.
 */
#include "https/https.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

enum {
	HEADERS_MAX = 64 << 10,
	IDLE_S = 3,         /* the server closes after 5 */
	SLOW_MS = 15000,    /* once an answer has begun, */
	SLOW_BYTES = 15000, /* less than this in that time is none */
};

struct http {
	CURL *easy;
	const struct http_setup *setup;
	struct trust trust;
	char error[CURL_ERROR_SIZE];
	/* the exchange that goes on */
	struct http_reply *reply;
	size_t headers_n;
	bool sent, headers_end, too_big, too_slow;
	uint64_t window_ms; /* 0: no answer yet */
	curl_off_t window_bytes, bytes;
};

static const char *const methods[HTTPS_METHOD_N] = {
	[HTTPS_GET] = "GET",
	[HTTPS_POST] = "POST",
	[HTTPS_PUT] = "PUT",
	[HTTPS_DELETE] = "DELETE",
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- called by libcurl ---- */

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct http *h = arg;

	trust_apply(&h->trust, ssl_ctx);
	return CURLE_OK;
}

/* The connection stands, the request goes out next: from here on the server may have got it. */
static int on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct http *h = arg;

	if (h->trust.pinned && h->trust.refused)
		return CURL_PREREQFUNC_ABORT;
	h->sent = true;
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t one, size_t n, void *arg)
{
	struct http *h = arg;

	if (h->window_ms == 0)
		h->window_ms = now_ms();
	h->headers_n += n;
	if (h->headers_n > HEADERS_MAX) {
		h->too_big = true;
		return 0;
	}
	if (n <= 2 && (*line == '\r' || *line == '\n'))
		h->headers_end = true;
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
		h->headers_end = false;
		size_t reason_n;
		const char *reason = text_reason(line, n, &reason_n);
		text_clean(h->reply->reason, sizeof(h->reply->reason), reason, reason_n);
	}
	return n;
}

/* Counts what came out of decompression. */
static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
	struct http *h = arg;

	if (n > HTTPS_ANSWER_MAX - h->reply->body.n) {
		h->too_big = true;
		return 0;
	}
	str_addn(&h->reply->body, p, n);
	return h->reply->body.failed ? 0 : n;
}

/* At least once a second. */
static int on_progress(
	void *arg, curl_off_t total, curl_off_t got, curl_off_t up_total, curl_off_t up)
{
	struct http *h = arg;
	struct pollfd other = { .fd = h->setup->socket, .events = POLLRDHUP };
	uint64_t now = now_ms();

	if (poll(&other, 1, 0) > 0 && other.revents & (POLLRDHUP | POLLHUP | POLLERR))
		return 1;
	h->bytes = got + (curl_off_t)h->headers_n;
	if (h->window_ms == 0 || now - h->window_ms < SLOW_MS)
		return 0;
	h->too_slow = h->bytes - h->window_bytes < SLOW_BYTES;
	h->window_ms = now;
	h->window_bytes = h->bytes;
	return h->too_slow;
}

/* ---- options ---- */

/* What never changes. */
static bool set_bounds(struct http *h)
{
	CURL *e = h->easy;
	long connect = (long)h->setup->connect_timeout_ms;

	return !curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error) &&
	       !curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect) &&
	       !curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)IDLE_S) &&
	       !curl_easy_setopt(e, CURLOPT_MAXCONNECTS, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTPS_ANSWER_MAX) &&
	       !curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "") &&
	       !curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) &&
	       !curl_easy_setopt(e, CURLOPT_XFERINFODATA, h) &&
	       !curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request) &&
	       !curl_easy_setopt(e, CURLOPT_PREREQDATA, h) &&
	       !curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) &&
	       !curl_easy_setopt(e, CURLOPT_HEADERDATA, h) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) &&
	       !curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
}

static bool set_protocol(CURL *e)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name that takes its time mustn't outlast the time-out. Older ones do without. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	return !curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       !curl_easy_setopt(e, CURLOPT_PROXY, "") &&
	       !curl_easy_setopt(e, CURLOPT_NOPROXY, "*") &&
	       !curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) &&
	       !curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	       !curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L) &&
	       /* A resumed session would show no certificate. */
	       !curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
	       !curl_easy_setopt(e, CURLOPT_USERAGENT, "ctrctl/" CTRCTL_VERSION);
}

static bool uses_openssl(void)
{
	const char *version = curl_version_info(CURLVERSION_NOW)->ssl_version;

	return version && str_starts(version, "OpenSSL/");
}

/* Fingerprint, else the given CA and the host's name, else the system's CAs and the name. */
static bool set_trust(struct http *h)
{
	CURL *e = h->easy;
	struct curl_blob ca = { .data = (void *)(uintptr_t)h->setup->ca, .len = h->setup->ca_n };

	if (curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) ||
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, h->trust.pinned ? 0L : 2L))
		return false;
	/* The version was checked, if there is a pin; without one it may be another library. */
	if (uses_openssl() && (curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx) ||
				      curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h)))
		return false;
	if (!h->trust.pinned && !h->setup->ca)
		return true;
	/* Nobody else's CAs. */
	if (curl_easy_setopt(e, CURLOPT_CAINFO, NULL) || curl_easy_setopt(e, CURLOPT_CAPATH, NULL))
		return false;
	return h->trust.pinned || !curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
}

static int check_library(const struct http_setup *setup, struct err *err)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

	if (v->version_num < 0x075500)
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"libcurl is of version %s, 7.85 is needed", v->version);
	if (*setup->fingerprint && !uses_openssl())
		return err_set(err, ERR_UNSUPPORTED, NULL,
			"libcurl uses %s: a fingerprint needs one that uses OpenSSL",
			v->ssl_version ? v->ssl_version : "no TLS");
	return 0;
}

struct http *http_new(const struct http_setup *setup, struct err *err)
{
	/* Ours, which wipe: see wipe.c. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free, realloc, strdup, calloc)) {
		err_set(err, ERR_EXHAUSTED, NULL, "libcurl can't begin");
		return NULL;
	}
	if (check_library(setup, err) < 0)
		return NULL;
	struct http *h = calloc(1, sizeof(*h));
	if (!h || !(h->easy = curl_easy_init())) {
		err_set(err, ERR_EXHAUSTED, NULL, "out of memory");
		http_free(h);
		return NULL;
	}
	h->setup = setup;
	h->trust.pinned = *setup->fingerprint != 0;
	if (h->trust.pinned && trust_parse(setup->fingerprint, h->trust.want) < 0)
		err_set(err, ERR_INVALID, NULL, "the fingerprint isn't one of SHA-256");
	else if (!set_bounds(h) || !set_protocol(h->easy) || !set_trust(h))
		err_set(err, ERR_UNSUPPORTED, NULL, "libcurl lacks something that is needed");
	else
		return h;
	http_free(h);
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->easy)
		curl_easy_cleanup(h->easy);
	free(h);
	curl_global_cleanup();
}

/* ---- one exchange ---- */

static bool set_request(
	struct http *h, const struct http_request *r, const char *url, struct curl_slist *headers)
{
	CURL *e = h->easy;
	bool has_body = r->method == HTTPS_POST || r->method == HTTPS_PUT;
	/*
	 * A request on a connection that has died meanwhile is sent again by libcurl, on a new one,
	 * if not a byte has come back. That is right for a GET only.
	 */
	bool fresh = r->fresh || r->method != HTTPS_GET;

	if (has_body &&
		(curl_easy_setopt(e, CURLOPT_POST, 1L) ||
			curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body_n ? r->body : "") ||
			curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_n)))
		return false;
	if (!has_body && curl_easy_setopt(e, CURLOPT_HTTPGET, 1L))
		return false;
	return !curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, methods[r->method]) &&
	       !curl_easy_setopt(e, CURLOPT_URL, url) &&
	       !curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers) &&
	       !curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) &&
	       !curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
}

static bool add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer != NULL;
}

static struct curl_slist *headers_of(const struct http_request *r)
{
	struct curl_slist *list = NULL;
	bool ok = add_header(&list, "Expect:") && add_header(&list, "Accept: application/json");

	for (size_t i = 0; ok && i < ARRAY_SIZE(r->headers) && r->headers[i]; i++)
		ok = add_header(&list, r->headers[i]);
	if (ok)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

static bool is_distrust(CURLcode rc)
{
	static const CURLcode codes[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
		CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
		CURLE_SSL_INVALIDCERTSTATUS };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (rc == codes[i])
			return true;
	}
	return false;
}

/* The request hasn't been sent. */
static void explain_unsent(struct http *h, CURLcode rc, const char *what)
{
	const struct trust *t = &h->trust;
	struct http_reply *r = h->reply;

	if (t->pinned && t->refused && *t->found)
		http_reply_failed(r, HTTPS_UNTRUSTED,
			"the server's certificate has the fingerprint %s, not the configured one",
			t->found);
	else if (is_distrust(rc) && *t->found)
		http_reply_failed(r, HTTPS_UNTRUSTED,
			"%s; the server's certificate has the fingerprint %s", what, t->found);
	else if (is_distrust(rc) || (t->pinned && rc == CURLE_ABORTED_BY_CALLBACK))
		http_reply_failed(r, HTTPS_UNTRUSTED, "%s", what);
	else
		http_reply_failed(r, HTTPS_UNREACHED, "%s", what);
}

static void explain(struct http *h, CURLcode rc)
{
	const char *what = *h->error ? h->error : curl_easy_strerror(rc);
	struct http_reply *r = h->reply;

	if (!h->sent)
		explain_unsent(h, rc, what);
	else if (h->too_big || rc == CURLE_FILESIZE_EXCEEDED)
		http_reply_failed(r, HTTPS_TOO_BIG, "the answer is bigger than %d MiB",
			HTTPS_ANSWER_MAX >> 20);
	else if (h->too_slow)
		http_reply_failed(r, HTTPS_LOST,
			"the answer came too slowly: less than %d bytes in %d seconds", SLOW_BYTES,
			SLOW_MS / 1000);
	else
		http_reply_failed(r, HTTPS_LOST, "%s", what);
	r->timed_out = rc == CURLE_OPERATION_TIMEDOUT || h->too_slow;
}

static void begin(struct http *h, struct http_reply *reply)
{
	h->reply = reply;
	h->headers_n = 0;
	h->sent = h->headers_end = h->too_big = h->too_slow = false;
	h->window_ms = 0;
	h->window_bytes = h->bytes = 0;
	h->error[0] = h->trust.found[0] = 0;
}

void http_exchange(struct http *h, const struct http_request *r, struct http_reply *ret)
{
	_str_ struct str url = { 0 };
	struct curl_slist *headers = headers_of(r);
	char *type = NULL;
	long status = 0;

	*ret = (struct http_reply){ 0 };
	begin(h, ret);
	str_add(&url, h->setup->origin);
	str_add(&url, r->path);
	if (!headers || url.failed || !set_request(h, r, url.p, headers)) {
		http_reply_failed(ret, HTTPS_UNREACHED, "out of memory");
		curl_slist_free_all(headers);
		return;
	}
	CURLcode rc = curl_easy_perform(h->easy);
	/* To libcurl, headers that break off are an answer. */
	if (rc == CURLE_OK && !h->headers_end)
		rc = CURLE_PARTIAL_FILE;
	if (rc == CURLE_OK) {
		curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(h->easy, CURLINFO_CONTENT_TYPE, &type);
		ret->status = (unsigned)status;
		ret->json = text_is_json(type);
	} else {
		explain(h, rc);
	}
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, NULL);
	curl_slist_free_all(headers);
}
