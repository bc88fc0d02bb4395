/* url.c -- image paths that are URLs. */
#include "micon/base/url.h"

#include "micon/base/mem.h"
#include "micon/base/text.h"

#include <string.h>
#include <strings.h>

bool url_is_remote(const char *path)
{
    char first = (char)(*path | 0x20);
    if (first != 'h' && first != 's') return false;
    return strncasecmp(path, "https://", 8) == 0 || strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "s3://", 5) == 0;
}

static bool is_s3(const char *url)
{
    return strncasecmp(url, "s3:", 3) == 0;
}

/* "user:password@" of the part between "://" and the path: where it ends, or NULL. */
static const char *user_end(const char *host)
{
    size_t n = strcspn(host, "/?#");
    const char *at = NULL;
    for (size_t i = 0; i < n; i++)
        if (host[i] == '@') at = host + i;
    return at;
}

static bool is_signed(const char *query)
{
    static const char *const keys[] = {"x-amz-", "x-goog-", "awsaccesskeyid=", "signature=", "sig=", "token="};
    for (const char *q = query; *q; q++) {
        if (q != query && q[-1] != '?' && q[-1] != '&') continue;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (strncasecmp(q, keys[i], strlen(keys[i])) == 0) return true;
    }
    return false;
}

const char *url_flaw(const char *url)
{
    const char *host = strstr(url, "://") + 3, *query = is_s3(url) ? "" : host + strcspn(host, "?#");
    size_t n = strcspn(host, "/?#");
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return "holds control characters";
    if (user_end(host)) return "holds a user name or a password: only what everyone may read is fetched";
    if (is_signed(query)) return "is signed: only what everyone may read is fetched";
    if (n == 0) return is_s3(url) ? "names no bucket" : "names no host";
    if (is_s3(url) && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != n)
        return "is no name of a bucket and an object";
    if (host[n] != '/' || host + n + 1 == query || (is_s3(url) && !host[n + 1])) return "names no file";
    return NULL;
}

char *url_shown(const char *url)
{
    text t = {0};
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url, *at = user_end(host);
    size_t n = strcspn(at ? at + 1 : host, "?");
    text_addn(&t, url, (size_t)(host - url));
    if (at) text_add(&t, "...@");
    text_addn(&t, at ? at + 1 : host, n);
    if ((at ? at + 1 : host)[n]) text_add(&t, "?...");
    char *shown = xstrdup(text_str(&t));
    text_free(&t);
    return shown;
}

/* Appends s; bytes that are no letters or digits and not in `allowed` become %XX. */
static void add_encoded(text *t, const char *s, const char *allowed)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr(allowed, c);
        if (plain)
            text_addn(t, s, 1);
        else
            text_addf(t, "%%%02X", c);
    }
}

char *url_address(const char *url, const char *s3)
{
    text t = {0};
    if (!is_s3(url)) {
        add_encoded(&t, url, "-._~:/?#[]@!$&'()*+,;=%");
    } else {
        const char *bucket = url + 5, *key = bucket + strcspn(bucket, "/"), *here = strstr(s3, "{bucket}");
        text_addn(&t, s3, here ? (size_t)(here - s3) : strlen(s3));
        if (here) {
            text_addn(&t, bucket, (size_t)(key - bucket));
            text_add(&t, here + strlen("{bucket}"));
        }
        while (t.n > 0 && t.s[t.n - 1] == '/') t.s[--t.n] = '\0';
        if (!here) {
            text_add(&t, "/");
            text_addn(&t, bucket, (size_t)(key - bucket));
        }
        add_encoded(&t, key, "-._~/");
    }
    char *address = xstrdup(text_str(&t));
    text_free(&t);
    return address;
}
