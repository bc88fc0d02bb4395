/* transfer.c -- one object's transfers through libcurl: what is asked, what the answer says of itself, whether it may be tried again. */
#include "remote_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/url.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_WAIT_S 0.25
#define MOST_WAIT_S 8.0
enum { MOST_TOLD_WAIT_S = 60, BUFFER = 256 << 10, LEAST_BYTES_A_SECOND = 1024, FIRST_ROOM = 64 << 20 };

void object_fail(object *o, status st, const char *fmt, ...)
{
    va_list ap;
    char what[600];
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    free(o->why);
    o->st = st;
    o->why = o->tries > 1 ? xasprintf("%s: %s; tried %d times", o->path, what, o->tries) : xasprintf("%s: %s", o->path, what);
}

void transfer_free(object *o)
{
    if (o->easy) curl_easy_cleanup(o->easy);
    curl_slist_free_all(o->headers);
    o->easy = NULL;
    o->headers = NULL;
}

/* ---- what the answer says of itself ---- */

/* Copies a value, without the spaces around it. One that is too long counts as not said. */
static void keep(char out[REMOTE_VALIDATOR], const char *value, size_t n)
{
    while (n > 0 && strchr(" \t\r\n", value[n - 1])) n--;
    snprintf(out, REMOTE_VALIDATOR, "%.*s", n < REMOTE_VALIDATOR ? (int)n : 0, value);
}

/* "bytes 5-9/10". */
static void read_range(object *o, const char *value)
{
    long long from, to, whole = -1;
    if (sscanf(value, "bytes %lld-%lld/%lld", &from, &to, &whole) < 2) return;
    o->answer.from = from;
    o->answer.whole = whole;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    object *o = arg;
    const char *colon = memchr(line, ':', n);
    if (n >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* another answer: after a redirect */
        o->answer.from = o->answer.whole = -1;
        o->answer.page = 0;
        o->answer.etag[0] = o->answer.date[0] = '\0';
        o->answer.chunked = false;
    }
    if (!colon) return size * n;
    const char *value = colon + 1;
    size_t name = (size_t)(colon - line), left = n - name - 1;
    while (left > 0 && (*value == ' ' || *value == '\t')) value++, left--;
    char said[REMOTE_VALIDATOR];
    keep(said, value, left);
    if (name == 4 && strncasecmp(line, "ETag", name) == 0) keep(o->answer.etag, value, left);
    if (name == 13 && strncasecmp(line, "Last-Modified", name) == 0) keep(o->answer.date, value, left);
    if (name == 13 && strncasecmp(line, "Content-Range", name) == 0) read_range(o, said);
    if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0) o->answer.chunked = strncasecmp(said, "chunked", 7) == 0;
    return size * n;
}

/* What a later request can name this very object by: weak ETags are of equivalent ones, and will not do. */
static const char *validator_of(const object *o)
{
    return o->answer.etag[0] == '"' ? o->answer.etag : o->answer.date;
}

/* At the first bytes of a body, or at the end of an empty one: does it begin the object, or continue the bytes that are here? */
static bool begin_body(object *o)
{
    long code = 0;
    curl_off_t length = -1;
    curl_easy_getinfo(o->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(o->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    o->answer.begun = true;
    if (code == 206 && !o->size_only) {
        bool continues = o->n > 0 && o->answer.from == (int64_t)o->n &&
                         (o->answer.whole < 0 || o->length < 0 || o->answer.whole == o->length) &&
                         strcmp(validator_of(o), o->validator) == 0;
        if (continues) return true;
        o->answer.changed = true;
        return false;
    }
    o->n = 0;
    o->length = length;
    snprintf(o->validator, sizeof o->validator, "%s", validator_of(o));
    o->answer.too_large = code == 200 && length > IMAGE_MAX_FILE;
    return !o->answer.too_large;
}

static bool make_room(object *o, size_t want)
{
    if (want <= o->cap) return true;
    size_t cap = o->cap ? 2 * o->cap : 1 << 16, whole = o->length > 0 ? (size_t)o->length : 0;
    if (whole > FIRST_ROOM && whole > want) whole = want > FIRST_ROOM ? 0 : FIRST_ROOM; /* a server may say any length */
    if (cap < want) cap = want;
    if (whole >= want) cap = whole;
    uint8_t *p = realloc(o->bytes, cap);
    if (!p) return false;
    o->bytes = p;
    o->cap = cap;
    return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    object *o = arg;
    long code = 0;
    n *= size;
    curl_easy_getinfo(o->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) return (o->answer.page += n) < BUFFER ? n : 0;
    if (!o->answer.begun && !begin_body(o)) return 0;
    o->answer.too_large = (int64_t)(o->n + n) > IMAGE_MAX_FILE;
    o->answer.no_memory = !o->answer.too_large && !make_room(o, o->n + n);
    if (o->answer.too_large || o->answer.no_memory) return 0;
    memcpy(o->bytes + o->n, data, n);
    o->n += n;
    return n;
}

/* ---- the request ---- */

static void ask_for_rest(object *o, CURL *e)
{
    char range[64];
    if (o->n > 0 && (!o->validator[0] || (o->length >= 0 && (int64_t)o->n >= o->length))) o->n = 0;
    if (o->n == 0 || o->size_only) return;
    snprintf(range, sizeof range, "%zu-", o->n);
    char *same = xasprintf("If-Range: %s", o->validator);
    o->headers = curl_slist_append(NULL, same);
    curl_easy_setopt(e, CURLOPT_RANGE, range);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, o->headers);
    free(same);
}

/* Nothing but HTTP, and no way back from an encrypted address to a plain one. */
static void allow_protocols(CURL *e, bool encrypted)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, encrypted ? "https" : "http,https");
#else
    curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS, (long)(encrypted ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Certificate authorities as the curl program finds them; the library itself reads none of these variables. */
static void trust_authorities(CURL *e)
{
    const char *file = getenv("CURL_CA_BUNDLE"), *folder = getenv("SSL_CERT_DIR");
    if (!file || !*file) file = getenv("SSL_CERT_FILE");
    if (file && *file) curl_easy_setopt(e, CURLOPT_CAINFO, file);
    if (folder && *folder) curl_easy_setopt(e, CURLOPT_CAPATH, folder);
}

CURL *transfer_begin(object *o, const remote_options *options)
{
    CURL *e = curl_easy_init();
    if (!e) return NULL;
    char *address = url_address(o->path, options->s3);
    memset(&o->answer, 0, sizeof o->answer);
    o->answer.from = o->answer.whole = -1;
    o->error[0] = '\0';
    o->tries++;
    o->easy = e;
    curl_easy_setopt(e, CURLOPT_URL, address);
    curl_easy_setopt(e, CURLOPT_PRIVATE, o);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "micon/" MICON_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    allow_protocols(e, strncasecmp(address, "https:", 6) == 0);
    trust_authorities(e);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)REMOTE_REDIRECTS);
    curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(e, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)options->timeout_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)options->timeout_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)LEAST_BYTES_A_SECOND);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, o->error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, o);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, o);
    if (o->size_only) curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    ask_for_rest(o, e);
    free(address);
    return e;
}

/* ---- the end of a transfer ---- */

static bool may_be_better_later(long http)
{
    return http == 408 || http == 425 || http == 429 || http == 500 || http == 502 || http == 503 || http == 504;
}

static transfer_end_kind judge_http(object *o, long http, bool *lost)
{
    if (http == 404 || http == 410)
        object_fail(o, E_IO, "is not there (HTTP %ld)", http);
    else if (http == 401 || http == 403)
        object_fail(o, E_IO, "is not there, or not for everyone to read (HTTP %ld)", http);
    else
        object_fail(o, E_IO, "the server answered HTTP %ld", http);
    if (http == 416) { /* more bytes are here than the object now has */
        o->n = 0;
        return TRANSFER_AGAIN;
    }
    *lost = may_be_better_later(http);
    return *lost ? TRANSFER_AGAIN : TRANSFER_DONE;
}

static transfer_end_kind judge_change(object *o)
{
    object_fail(o, E_IO, "changed while it was fetched");
    o->n = 0;
    return TRANSFER_AGAIN;
}

/* A whole answer: is it a whole object? */
static transfer_end_kind judge_length(object *o)
{
    if (!o->answer.begun && !begin_body(o) && o->answer.changed) return judge_change(o);
    if (!o->size_only && o->length >= 0 && (int64_t)o->n != o->length) {
        object_fail(o, E_IO, "ended after %zu of %lld bytes", o->n, (long long)o->length);
        return TRANSFER_AGAIN;
    }
    if (!o->size_only && o->length < 0 && !o->answer.chunked)
        object_fail(o, E_FORMAT, "the server does not say its length, so that nobody can know whether it is whole");
    else if (!o->size_only && o->n == 0)
        object_fail(o, E_FORMAT, "is empty");
    else
        o->st = OK;
    return TRANSFER_DONE;
}

static transfer_end_kind judge_failure(object *o, CURLcode code, const remote_options *options, bool *lost)
{
    switch (code) {
    case CURLE_TOO_MANY_REDIRECTS: object_fail(o, E_IO, "redirects more than %d times", REMOTE_REDIRECTS); return TRANSFER_DONE;
    case CURLE_UNSUPPORTED_PROTOCOL: object_fail(o, E_FORMAT, "redirects to another protocol, which is not followed"); return TRANSFER_DONE;
    case CURLE_URL_MALFORMAT: object_fail(o, E_FORMAT, "is no valid URL"); return TRANSFER_DONE;
    case CURLE_LOGIN_DENIED:
        object_fail(o, E_FORMAT, "redirects to an address with a user name, which is not followed");
        return TRANSFER_DONE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        object_fail(o, E_IO, "%s (authorities: CURL_CA_BUNDLE, SSL_CERT_FILE)", *o->error ? o->error : curl_easy_strerror(code));
        return TRANSFER_DONE;
    case CURLE_OPERATION_TIMEDOUT: object_fail(o, E_IO, "nothing came for %lld s", (long long)options->timeout_s); break;
    case CURLE_PARTIAL_FILE:
        if (o->length >= 0)
            object_fail(o, E_IO, "ended after %zu of %lld bytes", o->n, (long long)o->length);
        else
            object_fail(o, E_IO, "ended too early, after %zu bytes", o->n);
        break;
    default: object_fail(o, E_IO, "%s", *o->error ? o->error : curl_easy_strerror(code)); break;
    }
    *lost = true;
    return TRANSFER_AGAIN;
}

static transfer_end_kind judge(object *o, CURLcode code, const remote_options *options, bool *lost)
{
    long http = 0;
    curl_easy_getinfo(o->easy, CURLINFO_RESPONSE_CODE, &http);
    if (o->answer.no_memory) {
        object_fail(o, E_NOMEM, "no memory for its %lld bytes", (long long)o->length);
        return TRANSFER_DONE;
    }
    if (o->answer.too_large) {
        object_fail(o, E_FORMAT, "has more than %lld bytes, which is the limit", (long long)IMAGE_MAX_FILE);
        return TRANSFER_DONE;
    }
    if (o->answer.changed) return judge_change(o);
    if (http && http != 200 && http != 206 && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) return judge_http(o, http, lost);
    if (code == CURLE_OK) return judge_length(o);
    return judge_failure(o, code, options, lost);
}

transfer_end_kind transfer_end(object *o, CURLcode code, const remote_options *options, double *wait_s, bool *lost)
{
    curl_off_t told = 0, date = -1;
    *lost = false;
    transfer_end_kind how = judge(o, code, options, lost);
    curl_easy_getinfo(o->easy, CURLINFO_RETRY_AFTER, &told);
    curl_easy_getinfo(o->easy, CURLINFO_FILETIME_T, &date);
    o->mtime_ns = date > 0 && date < (1LL << 33) ? (int64_t)date * 1000000000 : 0;
    *wait_s = FIRST_WAIT_S * (1 + (double)(digest_text(o->path) % 64) / 256); /* not all at the same moment */
    for (int i = 1; i < o->tries && *wait_s < MOST_WAIT_S; i++) *wait_s *= 2;
    if (told > 0) *wait_s = told < MOST_TOLD_WAIT_S ? (double)told : MOST_TOLD_WAIT_S;
    transfer_free(o);
    if (how == TRANSFER_AGAIN && o->tries > options->retries) how = TRANSFER_DONE;
    return how;
}
