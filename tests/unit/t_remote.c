/* t_remote.c -- images behind URLs: which paths these are, and what comes of servers that behave in all ways (tests/tools/http_serve.py).
 * run: limit=60 */
#include "../tap.h"
#include "micon/base/clock.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/base/url.h"
#include "micon/remote/remote.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char words[1000];
static int holds;
/* ok with a formatted name; the condition comes first. */
#define okf(cond, ...) (holds = !!(cond), snprintf(words, sizeof words, __VA_ARGS__), text_disarm(words), ok(holds, strtok(words, "\n")))

static const char *dir;
static int port;
static uint8_t *want; /* the bytes of x.bin, and the other way round */
static uint8_t *turned;
enum { SIZE = 300000 };

static char *in_dir(const char *name)
{
    static char path[2][1000];
    static int k;
    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
    return path[k];
}

/* ---- text ---- */

static void paths(void)
{
    static const struct {
        const char *path;
        bool remote;
        const char *flaw;
    } c[] = {
        {"a.tif", false, NULL},
        {"/http://a/b", false, NULL},
        {"file:///a", false, NULL},
        {"gs://a/b", false, NULL},
        {"http:/a", false, NULL},
        {"s3:", false, NULL},
        {"", false, NULL},
        {"http://h/a.tif", true, NULL},
        {"HTTPS://h/a%20b.tif?version=1", true, NULL},
        {"s3://bucket/a b/c?d.tif", true, NULL},
        {"https://me@h/a.tif", true, "holds a user name or a password: only what everyone may read is fetched"},
        {"https://me:pw@h/a.tif", true, "holds a user name or a password: only what everyone may read is fetched"},
        {"https://h/a@b.tif", true, NULL},
        {"https://h/a.tif?X-Amz-Credential=x&X-Amz-Signature=y", true, "is signed: only what everyone may read is fetched"},
        {"https://h/a.tif?v=1&sig=y", true, "is signed: only what everyone may read is fetched"},
        {"https://h", true, "names no file"},
        {"https://h/", true, "names no file"},
        {"https:///a", true, "names no host"},
        {"s3://bucket/", true, "names no file"},
        {"s3:///key", true, "names no bucket"},
        {"s3://a%b/key", true, "is no name of a bucket and an object"},
        {"http://h/a\nb", true, "holds control characters"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        bool is_remote = url_is_remote(c[i].path);
        const char *flaw = is_remote ? url_flaw(c[i].path) : NULL;
        okf(is_remote == c[i].remote && (flaw == c[i].flaw || (flaw && c[i].flaw && strcmp(flaw, c[i].flaw) == 0)), "%s: %s", c[i].path,
            flaw        ? flaw
            : is_remote ? "remote"
                        : "not remote");
    }
    char *joined = path_join("/dir", "s3://b/k"), *shown = url_shown("https://me:pw@h/a?sig=1");
    okf(strcmp(joined, "s3://b/k") == 0, "a URL is below no folder");
    okf(strcmp(shown, "https://...@h/a?...") == 0, "passwords are not shown: %s", shown);
    free(joined);
    free(shown);
}

static void addresses(void)
{
    static const char *const c[][3] = {
        {"s3://b-1/k/a b+c#d.tif", "https://{bucket}.s3.amazonaws.com", "https://b-1.s3.amazonaws.com/k/a%20b%2Bc%23d.tif"},
        {"S3://b//k", "http://host:9000/", "http://host:9000/b//k"},
        {"s3://b/k", "https://{bucket}.s3.eu-west-1.amazonaws.com/", "https://b.s3.eu-west-1.amazonaws.com/k"},
        {"http://h/a b%20c?d=e", "x", "http://h/a%20b%20c?d=e"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        char *got = url_address(c[i][0], c[i][1]);
        okf(strcmp(got, c[i][2]) == 0, "%s at %s: %s", c[i][0], c[i][1], got);
        free(got);
    }
}

/* ---- a server ---- */

static pid_t serve(int *keep)
{
    int in[2], out[2];
    char line[32] = "", script[] = "tests/tools/http_serve.py";
    if (pipe(in) != 0 || pipe(out) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl("/usr/bin/python3", "python3", script, dir, in_dir("log"), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    for (size_t n = 0; n + 1 < sizeof line && read(out[0], line + n, 1) == 1 && line[n] != '\n';) n++;
    close(out[0]);
    port = atoi(line);
    *keep = in[1];
    return pid;
}

static remote_options usual(void)
{
    static char s3[64];
    snprintf(s3, sizeof s3, "http://127.0.0.1:%d/s3", port);
    return (remote_options){.parallel = 4, .retries = 2, .timeout_s = 5, .s3 = s3, .cache = "", .cache_bytes = 1 << 20, .memory = 64 << 20};
}

static const char *url(const char *kind)
{
    static char line[200];
    snprintf(line, sizeof line, "http://127.0.0.1:%d/%s/x.bin", port, kind);
    return line;
}

/* How often the log has this text. */
static int asked(const char *what)
{
    char *data = NULL;
    size_t size;
    int n = 0;
    if (path_read(in_dir("log"), &data, &size, 1 << 24) != OK) return -1;
    for (const char *p = data; (p = strstr(p, what)) != NULL; p++) n++;
    free(data);
    return n;
}

static bool is(const image_file *f, const uint8_t *bytes)
{
    return f->size == SIZE && memcmp(f->bytes, bytes, SIZE) == 0 && f->digest == digest_bytes(bytes, SIZE);
}

static void behaviours(void)
{
    static const struct {
        const char *kind;
        status st;
        const char *says; /* or, where it is OK, NULL: the file; "turned" */
    } c[] = {
        {"ok", OK, NULL},
        {"slow", OK, NULL},
        {"busy", OK, NULL},
        {"down", E_IO, "the server answered HTTP 503; tried 3 times"},
        {"cut", OK, NULL},
        {"bare", OK, NULL},
        {"half", E_IO, "ended after 150000 of 300000 bytes; tried 3 times"},
        {"new", OK, "turned"},
        {"liar", OK, "turned"},
        {"long", E_IO, "ended after 300000 of 300001 bytes; tried 3 times"},
        {"open", E_FORMAT, "the server does not say its length, so that nobody can know whether it is whole"},
        {"chunks", OK, NULL},
        {"torn", E_IO, "; tried 3 times"},
        {"empty", E_FORMAT, "is empty"},
        {"loop", E_IO, "redirects more than 5 times"},
        {"moved", OK, NULL},
        {"file", E_FORMAT, "redirects to another protocol, which is not followed"},
        {"user", E_FORMAT, "redirects to an address with a user name, which is not followed"},
        {"forbidden", E_IO, "is not there, or not for everyone to read (HTTP 403)"},
        {"gone", E_IO, "is not there (HTTP 404)"},
    };
    enum { N = sizeof c / sizeof *c };
    remote_options o = usual();
    o.parallel = N;
    remote *r = remote_open(&o);
    image_file f = {0};
    for (int i = 0; i < N; i++) okf(remote_has_room(r) && remote_ask(r, url(c[i].kind)) == OK, "%s: asked for", c[i].kind);
    for (int i = 0; i < N; i++) {
        const char *u = url(c[i].kind);
        status st = remote_read(r, &f, u);
        if (c[i].st != OK)
            okf(st == c[i].st && f.size == 0 && strncmp(msg_get(), u, strlen(u)) == 0 && strstr(msg_get(), c[i].says), "%s: %s", c[i].kind,
                msg_get());
        else
            okf(st == OK && is(&f, c[i].says ? turned : want) && strcmp(f.path, u) == 0, "%s: the whole file; %s", c[i].kind, msg_get());
        msg_clear();
    }
    okf(asked("/cut/x.bin bytes=150000- 206") == 1, "a transfer that broke off continues where it broke");
    okf(asked("/bare/x.bin bytes") == 0, "without a validator it begins again");
    okf(asked("/down/") == 3 && asked("/gone/") == 1, "503 is tried again, 404 is not");
    okf(asked("Basic") == 0 && asked("secret") == 0, "no password was sent");
    okf(remote_read(r, &f, in_dir("x.bin")) == OK && is(&f, want), "a file that is here is read");
    okf(remote_read(r, &f, "http://me:pw@127.0.0.1/a") == E_FORMAT && !strstr(msg_get(), "pw"), "a password: %s", msg_get());
    msg_clear();
    okf(remote_read(r, &f, url("ok")) == OK && is(&f, want) && f.mtime_ns == 1780272000LL * 1000000000,
        "one that was not asked for before");
    okf(remote_read(r, &f, "s3://a b/x") == E_FORMAT, "no bucket: %s", msg_get());
    msg_clear();
    image_file_free(&f);
    remote_close(&r);
    okf(r == NULL, "closed");
}

static void sizes(void)
{
    remote_options o = usual();
    remote *r = remote_open(&o);
    int64_t size = -2;
    int before = asked("GET ");
    char *one = xstrdup(url("ok")), *none = xstrdup(url("gone")), *open = xstrdup(url("open"));
    okf(remote_ask_size(r, one) == OK && remote_ask_size(r, none) == OK && remote_ask_size(r, open) == OK, "sizes are asked for");
    okf(remote_size(r, one, &size) == OK && size == SIZE, "a size");
    okf(remote_size(r, none, &size) == E_IO, "%s", msg_get());
    msg_clear();
    okf(remote_size(r, open, &size) == OK && size == -1, "a server that says none");
    okf(remote_size(r, "s3://bucket/x.bin", &size) == OK && size == SIZE, "by path-style S3");
    okf(asked("GET ") == before, "and nothing was fetched");
    remote_close(&r);
    char s3[80];
    snprintf(s3, sizeof s3, "http://{bucket}.localhost:%d", port);
    o.s3 = s3;
    r = remote_open(&o);
    okf(remote_size(r, "s3://bucket/x.bin", &size) == OK && size == SIZE, "by virtual hosts: %s", msg_get());
    msg_clear();
    free(one);
    free(none);
    free(open);
    remote_close(&r);
}

/* What is asked for and not read goes; little memory; a fetcher that is closed while transfers run. */
static void order(void)
{
    remote_options o = usual();
    o.memory = 1;
    remote *r = remote_open(&o);
    image_file f = {0};
    char u[200];
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 4; i++) {
            snprintf(u, sizeof u, "http://127.0.0.1:%d/ok/x.bin?%d", port, 4 * k + i);
            okf(remote_ask(r, u) == OK, "asked for %d", 4 * k + i);
        }
    snprintf(u, sizeof u, "http://127.0.0.1:%d/ok/x.bin?%d", port, 7);
    okf(remote_read(r, &f, u) == OK && is(&f, want), "number 7 is read");
    okf(asked("x.bin?8 ") == 0, "with no memory left one comes at a time");
    snprintf(u, sizeof u, "http://127.0.0.1:%d/ok/x.bin?%d", port, 2);
    okf(remote_read(r, &f, u) == OK && is(&f, want), "number 2, which was dropped, again");
    remote_close(&r);
    o.memory = 1 << 30;
    r = remote_open(&o);
    char *ahead[3];
    for (int i = 0; i < 3; i++) {
        snprintf(u, sizeof u, "http://127.0.0.1:%d/ok/x.bin?ahead%d", port, i);
        ahead[i] = xstrdup(u);
        okf(remote_ask(r, u) == OK, "one more");
    }
    okf(remote_read(r, &f, url("chunks")) == OK && is(&f, want), "another one is wanted at once");
    for (int i = 0; i < 3; i++) {
        okf(remote_read(r, &f, ahead[i]) == OK && is(&f, want), "then those that were asked for before");
        free(ahead[i]);
    }
    okf(asked("x.bin?ahead") == 3, "of which none was fetched twice");
    okf(remote_ask(r, url("slow")) == OK && remote_ask(r, url("down")) == OK, "two more are on their way");
    double t = clock_s();
    remote_close(&r);
    okf(clock_s() - t < 0.3, "closing does not wait for them");
    image_file_free(&f);
}

/* A server that is gone: after some tries the rest fails at once. */
static void nobody(void)
{
    remote_options o = usual();
    o.parallel = 2;
    o.retries = 1;
    remote *r = remote_open(&o);
    image_file f = {0};
    char u[100];
    double t = clock_s();
    int at_once = 0, n = 40, asked_for = 0;
    for (int i = 0; i < n; i++) {
        for (; asked_for < n && remote_has_room(r); asked_for++) {
            snprintf(u, sizeof u, "http://127.0.0.1:1/%d", asked_for);
            if (remote_ask(r, u) != OK) at_once = -n;
        }
        snprintf(u, sizeof u, "http://127.0.0.1:1/%d", i);
        if (remote_read(r, &f, u) != E_IO) at_once = -n;
        at_once += strstr(msg_get(), " before it could not be fetched") != NULL;
        msg_clear();
    }
    okf(at_once >= n - 6 && at_once < n, "%d of %d failed at once", at_once, n);
    okf(clock_s() - t < 5, "in %.1f s", clock_s() - t);
    image_file_free(&f);
    remote_close(&r);
}

static void mute(void)
{
    remote_options o = usual();
    o.timeout_s = 1;
    o.retries = 0;
    remote *r = remote_open(&o);
    image_file f = {0};
    double t = clock_s();
    okf(remote_read(r, &f, url("mute")) == E_IO && strstr(msg_get(), "nothing came for 1 s"), "%s", msg_get());
    msg_clear();
    okf(clock_s() - t < 5, "after %.1f s", clock_s() - t);
    image_file_free(&f);
    remote_close(&r);
}

/* ---- the cache ---- */

static int64_t folder_bytes(int *files, char *one, size_t size)
{
    names all = {0};
    int64_t bytes = 0, b, t;
    if (path_glob(&all, in_dir("cache"), "*/*") != OK) return -1;
    *files = (int)all.n;
    for (size_t i = 0; i < all.n; i++) bytes += path_stat(all.item[i], &b, &t) == OK ? b : 0;
    if (all.n && one) snprintf(one, size, "%s", all.item[0]);
    names_free(&all);
    return bytes;
}

static bool once(const remote_options *o, const char *u)
{
    remote *r = remote_open(o);
    image_file f = {0};
    bool good = remote_read(r, &f, u) == OK && is(&f, want);
    msg_clear();
    image_file_free(&f);
    remote_close(&r);
    return good;
}

static void kept(void)
{
    remote_options o = usual();
    char one[1200], *folder = xstrdup(in_dir("cache"));
    int files = 0, before = asked("/ok/");
    o.cache = folder;
    okf(once(&o, url("ok")) && asked("/ok/") == before + 1, "fetched");
    okf(folder_bytes(&files, one, sizeof one) > SIZE && files == 1, "and kept");
    okf(once(&o, url("ok")) && asked("/ok/") == before + 1, "the second time from the cache");
    o.fresh = true;
    okf(once(&o, url("ok")) && asked("/ok/") == before + 2, "--verify fetches it again");
    o.fresh = false;
    for (int at = 1000; at >= 0; at = at == 1000 ? SIZE + 10 : at == SIZE + 10 ? -2 : -1) {
        FILE *f = fopen(one, "r+b");
        fseek(f, at, SEEK_SET);
        int c = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(c ^ 1, f);
        fclose(f);
        before = asked("/ok/");
        okf(once(&o, url("ok")) && asked("/ok/") == before + 1, "a wrong byte at %d: fetched again", at);
    }
    before = asked("/ok/");
    okf(truncate(one, SIZE) == 0 && once(&o, url("ok")) && asked("/ok/") == before + 1, "cut off: fetched again");
    before = asked("/ok/");
    okf(once(&o, url("ok")) && asked("/ok/") == before, "and right since");
    o.cache_bytes = 1000000; /* three files */
    char u[200];
    for (int i = 0; i < 5; i++) {
        snprintf(u, sizeof u, "s3://bucket/%d.bin", i);
        okf(once(&o, u), "another one");
    }
    okf(folder_bytes(&files, NULL, 0) <= 1000000 && files >= 2, "no more than the room it may take: %d files", files);
    before = asked("/s3/bucket/4.bin");
    okf(once(&o, "s3://bucket/4.bin") && asked("/s3/bucket/4.bin") == before, "the last one is there");
    o.cache = in_dir("x.bin"); /* no folder */
    okf(once(&o, url("ok")), "a cache that cannot be written is a warning");
    free(folder);
}

int main(void)
{
    dir = tap_dir();
    setenv("no_proxy", "*", 1);
    paths();
    addresses();
    want = xmalloc(SIZE);
    turned = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) want[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < SIZE; i++) turned[i] = want[SIZE - 1 - i];
    char *bucket = xstrdup(in_dir("bucket"));
    okf(path_make_dirs(bucket) == OK && path_write(in_dir("x.bin"), want, SIZE) == OK &&
            path_write(in_dir("bucket/x.bin"), want, SIZE) == OK,
        "files to serve");
    for (int i = 0; i < 5; i++) {
        char name[40];
        snprintf(name, sizeof name, "bucket/%d.bin", i);
        okf(path_write(in_dir(name), want, SIZE) == OK, "another");
    }
    int keep = -1;
    pid_t server = access("/usr/bin/python3", X_OK) == 0 ? serve(&keep) : -1;
    if (server > 0 && port > 0) {
        behaviours();
        sizes();
        order();
        nobody();
        mute();
        kept();
    } else {
        tap_skip("a server", "there is no python3");
    }
    if (server > 0) {
        close(keep);
        waitpid(server, NULL, 0);
    }
    free(bucket);
    free(want);
    free(turned);
    return tap_done();
}
